//! What servers write: logs, sets and snapshots, written anew or once and kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use crate::cmd;
use crate::support::dataset;
use crate::support::resp::Reply;
use crate::support::server::{Server, ServerKind};
use crate::tool::files;

/// Names and bytes.
pub(crate) type Files = Vec<(String, Vec<u8>)>;

/// The files of one server: its logs, snapshots and sets.
pub(crate) struct Written {
    /// Logs of a few commands, transactions among them.
    pub(crate) logs: Vec<Vec<u8>>,
    /// The folders of sets, if it writes them: names and bytes.
    pub(crate) sets: Vec<Files>,
    /// Snapshots of a few keys.
    pub(crate) snapshots: Vec<Vec<u8>>,
    /// A snapshot of all that a data set has.
    pub(crate) large: Vec<u8>,
}

/// What a server wrote once and what it writes now: its keys come in another order each time, and
/// with other times, so that the same damage comes to something else. `BLESS=1` keeps what it writes
/// now.
pub(crate) fn written(kind: ServerKind) -> &'static Written {
    static ALL: [OnceLock<Written>; ServerKind::ALL.len()] =
        [const { OnceLock::new() }; ServerKind::ALL.len()];
    let place = ServerKind::ALL.iter().position(|other| *other == kind);
    ALL[place.unwrap()].get_or_init(|| {
        let now = Once::now(kind);
        if std::env::var_os("BLESS").is_some() {
            now.keep(kind);
        }
        let (mut logs, mut sets, mut snapshots) = (Vec::new(), Vec::new(), Vec::new());
        for once in [Once::kept(kind), now] {
            let parts = once.rewritten.iter();
            let parts = parts.filter(|file| !file.0.ends_with("manifest"));
            logs.extend(once.logs.iter().chain(parts).map(|file| file.1.clone()));
            // A snapshot with a log behind it, as older servers write it.
            let mut preamble = once.snapshot.clone();
            preamble.extend_from_slice(&once.logs[0].1);
            logs.push(preamble);
            if kind.has_multi_part_aof() {
                sets.push(once.rewritten);
            }
            snapshots.push(once.snapshot);
        }
        Written {
            logs,
            sets,
            snapshots,
            large: large(kind),
        }
    })
}

/// What a server writes in a run.
struct Once {
    logs: Files,
    /// What a rewrite leaves: the files of a set, or the log alone.
    rewritten: Files,
    snapshot: Vec<u8>,
}

const LOGS: [&str; 2] = ["few.aof", "more.aof"];
const SNAPSHOT: &str = "few.rdb";

impl Once {
    fn now(kind: ServerKind) -> Once {
        let logs = LOGS.map(|name| (name.to_owned(), log_of(kind, name == "more.aof")));
        Once {
            logs: logs.into(),
            rewritten: rewritten(kind),
            snapshot: small(kind),
        }
    }

    fn kept(kind: ServerKind) -> Once {
        let folder = kept(kind);
        let read = |name: &str| fs::read(folder.join(name)).unwrap();
        let found = files(&folder.join("rewritten")).into_iter();
        Once {
            logs: LOGS.map(|name| (name.to_owned(), read(name))).into(),
            rewritten: found.map(named).collect(),
            snapshot: read(SNAPSHOT),
        }
    }

    fn keep(&self, kind: ServerKind) {
        let folder = kept(kind);
        let place = folder.join("rewritten");
        let _ = fs::remove_dir_all(&place);
        fs::create_dir_all(&place).unwrap();
        for (name, bytes) in &self.logs {
            fs::write(folder.join(name), bytes).unwrap();
        }
        for (name, bytes) in &self.rewritten {
            fs::write(place.join(name), bytes).unwrap();
        }
        fs::write(folder.join(SNAPSHOT), &self.snapshot).unwrap();
    }
}

fn named((name, bytes): (PathBuf, Vec<u8>)) -> (String, Vec<u8>) {
    (name.to_str().unwrap().to_owned(), bytes)
}

/// Where what it wrote once is kept.
fn kept(kind: ServerKind) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata/compat")
        .join(kind.id())
}

fn large(kind: ServerKind) -> Vec<u8> {
    let server = Server::start(kind, &[]);
    dataset::fill(&mut server.client(), kind);
    fs::read(server.save()).unwrap()
}

fn small(kind: ServerKind) -> Vec<u8> {
    let server = Server::start(kind, &[]);
    fill(&server, kind);
    fs::read(server.save()).unwrap()
}

/// A few keys of every type, and two transactions.
fn fill(server: &Server, kind: ServerKind) {
    let mut client = server.client();
    let mut send = |line: &str| {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let reply = client.cmd(&words);
        assert!(!matches!(reply, Reply::Error(_)), "{line}: {reply:?}");
    };
    send("SET s hello");
    send("SET n 12345");
    send("SET t x PXAT 4102444800000");
    send("SET past x");
    send("RPUSH l a bb 1000 -7");
    send("SADD si 1 2 300");
    send("SADD s2 a b 1");
    send("ZADD z 1 a 2.5 b inf c");
    send("HSET h f v n 42");
    send("XADD x 1-1 field value other 7");
    send("XADD x 2-1 field value other 8");
    send("XGROUP CREATE x g 0");
    send("XREADGROUP GROUP g c COUNT 1 STREAMS x >");
    send("MULTI");
    send("SET one 1");
    send("INCR one");
    send("EXEC");
    if kind.has_field_ttl() {
        send("HSET ht a 1 b 2");
        send("HPEXPIREAT ht 4102444800000 FIELDS 1 a");
    }
    send("SELECT 3");
    send("SET other db");
    send("MULTI");
    send("LPUSH l2 x");
    send("SET two 2");
    send("EXEC");
    if kind.has_functions() {
        dataset::functions(&mut server.client());
    }
}

fn options(kind: ServerKind, preamble: &'static str) -> Vec<&'static str> {
    let mut options = vec!["--appendonly", "yes", "--aof-use-rdb-preamble", preamble];
    if kind.has_multi_part_aof() {
        options.extend(["--aof-timestamp-enabled", "yes"]);
    }
    options
}

/// The log that a server writes as it goes.
fn log_of(kind: ServerKind, large: bool) -> Vec<u8> {
    let server = Server::start(kind, &options(kind, "no"));
    match large {
        true => {
            for round in 0..40 {
                let round = round.to_string();
                cmd!(server.client(), "SELECT", "0").ok();
                cmd!(server.client(), "SET", "round", round).ok();
            }
            fill(&server, kind);
        }
        false => fill(&server, kind),
    }
    let folder = server.shutdown();
    let place = match kind.has_multi_part_aof() {
        true => "appendonlydir/appendonly.aof.1.incr.aof",
        false => "appendonly.aof",
    };
    fs::read(folder.path().join(place)).unwrap()
}

/// What a rewrite leaves: a set, or a log with a snapshot in front.
fn rewritten(kind: ServerKind) -> Files {
    let server = Server::start(kind, &options(kind, "yes"));
    fill(&server, kind);
    cmd!(server.client(), "BGREWRITEAOF").text();
    while server.info("aof_rewrite_in_progress").as_deref() != Some("0")
        || server.info("aof_rewrite_scheduled").as_deref() != Some("0")
    {
        thread::sleep(Duration::from_millis(5));
    }
    fill_again(&server);
    let folder = server.shutdown();
    if !kind.has_multi_part_aof() {
        let name = "appendonly.aof";
        return vec![(name.to_owned(), fs::read(folder.path().join(name)).unwrap())];
    }
    let set = files(&folder.path().join("appendonlydir"));
    set.into_iter().map(named).collect()
}

fn fill_again(server: &Server) {
    let mut client = server.client();
    for line in ["SET later 1", "MULTI", "SET a 1", "LPUSH b 2", "EXEC"] {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let reply = client.cmd(&words);
        assert!(!matches!(reply, Reply::Error(_)), "{line}: {reply:?}");
    }
}
