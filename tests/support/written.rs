//! Logs that real servers write.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use super::loader::{FOLDER, Files, MANIFEST, SINGLE, all_in, command};
use super::resp::Client;
use super::server::{Server, ServerKind};
use crate::cmd;

/// Long after these tests, Unix ms.
const LATER: &str = "4102444800000";
const LIMIT: Duration = Duration::from_secs(60);

/// A log or set that a server wrote.
pub(crate) struct Written {
    pub(crate) name: &'static str,
    pub(crate) files: Files,
    /// It holds nothing but SET, and the SELECT in front.
    pub(crate) only_sets: bool,
}

/// What each server that is here writes.
pub(crate) fn by_each() -> &'static [(ServerKind, Vec<Written>)] {
    static ALL: OnceLock<Vec<(ServerKind, Vec<Written>)>> = OnceLock::new();
    ALL.get_or_init(|| {
        let kinds = ServerKind::usable();
        thread::scope(|scope| {
            let each = |kind: &ServerKind| {
                let kind = *kind;
                scope.spawn(move || (kind, by(kind)))
            };
            let running: Vec<_> = kinds.iter().map(each).collect();
            let done = running
                .into_iter()
                .map(|one| one.join().expect("it writes"));
            done.collect()
        })
    })
}

/// What a server of this kind writes, small ones first.
fn by(kind: ServerKind) -> Vec<Written> {
    let one = |name, only_sets, bytes| Written {
        name,
        files: Files::One(bytes),
        only_sets,
    };
    let mut all = vec![
        one("a few sets", true, sets(kind, 6, 8)),
        one("sets", true, sets(kind, 300, 260)),
        one("all commands", false, everything(kind)),
    ];
    let (files, bytes) = with_snapshot(kind);
    all.push(one("a log behind a snapshot", false, bytes));
    if let Some(files) = files {
        all.push(Written {
            name: "a base and a log",
            files,
            only_sets: false,
        });
        all.push(Written {
            name: "several logs",
            files: several(kind, "yes"),
            only_sets: false,
        });
        all.push(Written {
            name: "several logs behind commands",
            files: several(kind, "no"),
            only_sets: false,
        });
    }
    all
}

fn start(kind: ServerKind, preamble: &str, times: &str) -> Server {
    let mut words = vec!["--appendonly", "yes", "--aof-use-rdb-preamble", preamble];
    // Its own rewrites would come at a time of their own.
    words.extend(["--auto-aof-rewrite-percentage", "0"]);
    if kind.has_multi_part_aof() {
        words.extend(["--aof-timestamp-enabled", times]);
    }
    Server::start(kind, &words)
}

/// The log of commands since the start, by itself.
fn log_of(server: Server) -> Vec<u8> {
    let name = match server.kind().has_multi_part_aof() {
        true => "appendonlydir/appendonly.aof.1.incr.aof",
        false => SINGLE,
    };
    let folder = server.shutdown();
    fs::read(folder.path().join(name)).unwrap()
}

fn sets(kind: ServerKind, count: usize, size: usize) -> Vec<u8> {
    let server = start(kind, "no", "no");
    let mut client = server.client();
    for n in 0..count {
        let value = format!("{n}-").repeat(size / 2);
        // Of different lengths, none on the edge of a block.
        let value = &value[..size - n % 7];
        cmd!(client, "SET", format!("key:{n}"), value).ok();
    }
    log_of(server)
}

/// Commands of every kind that servers log.
fn everything(kind: ServerKind) -> Vec<u8> {
    let server = start(kind, "no", "yes");
    let mut client = server.client();
    some_of_all(kind, &mut client);
    let log = log_of(server);
    let times = log.windows(4).filter(|bytes| bytes == b"#TS:").count();
    assert_eq!(times > 0, kind.has_multi_part_aof(), "{kind}");
    log
}

fn some_of_all(kind: ServerKind, client: &mut Client) {
    let embedded = command(&[b"SET", b"inner", b"x"]).repeat(3);
    cmd!(client, "SET", "a log", embedded).ok();
    cmd!(client, "SET", "bytes", [0, 255, 13, 10, 42, 49]).ok();
    cmd!(client, "SET", "later", "v", "PX", LATER).ok();
    cmd!(client, "INCR", "n").int();
    if kind.has_multi_part_aof() {
        // The time is noted once a second.
        thread::sleep(Duration::from_millis(1100));
    }
    cmd!(client, "SELECT", "3").ok();
    cmd!(client, "RPUSH", "list", "a", "b", "c").int();
    cmd!(client, "LPOP", "list").bulk();
    cmd!(client, "SADD", "set", "1", "2", "3").int();
    cmd!(client, "SPOP", "set", "2").array();
    cmd!(client, "MULTI").ok();
    cmd!(client, "HSET", "hash", "f", "1", "g", "2").text();
    cmd!(client, "PEXPIREAT", "hash", LATER).text();
    cmd!(client, "SELECT", "0").text();
    cmd!(client, "ZADD", "zset", "1.5", "m").text();
    cmd!(client, "EXEC").array();
    let script = "redis.call('SET', KEYS[1], ARGV[1]); redis.call('incr', KEYS[2])";
    cmd!(client, "EVAL", script, "2", "by script", "n", "v").no_error();
    cmd!(client, "XADD", "stream", "1-1", "f", "v").bulk();
    cmd!(client, "XGROUP", "CREATE", "stream", "g", "0").ok();
    cmd!(
        client,
        "XREADGROUP",
        "GROUP",
        "g",
        "c",
        "STREAMS",
        "stream",
        ">"
    )
    .array();
    cmd!(client, "PFADD", "hll", "a").int();
    cmd!(client, "GEOADD", "geo", "13.3", "52.5", "B").int();
    cmd!(client, "SETBIT", "bits", "7", "1").int();
    if kind.has_functions() {
        let code = "#!lua name=l\nredis.register_function('f', function() return 1 end)";
        cmd!(client, "FUNCTION", "LOAD", code).no_error();
    }
    if kind.has_field_ttl() {
        cmd!(client, "HSET", "fields", "f", "1").int();
        cmd!(client, "HPEXPIREAT", "fields", LATER, "FIELDS", "1", "f").array();
    }
    cmd!(client, "SELECT", "1").ok();
    cmd!(client, "MULTI").ok();
    cmd!(client, "SET", "last", "1").text();
    cmd!(client, "INCR", "last").text();
    cmd!(client, "EXEC").array();
    cmd!(client, "DEL", "last").int();
    cmd!(client, "SET", "end", "1").ok();
}

/// A snapshot and a log: as the files of a set, where it has such, and in one file.
fn with_snapshot(kind: ServerKind) -> (Option<Files>, Vec<u8>) {
    let server = start(kind, "yes", "no");
    let mut client = server.client();
    cmd!(client, "SET", "in the snapshot", "v").ok();
    cmd!(client, "RPUSH", "list of it", "a", "b").int();
    rewrite(&mut client);
    cmd!(client, "SET", "behind", "v").ok();
    cmd!(client, "MULTI").ok();
    cmd!(client, "INCR", "n").text();
    cmd!(client, "INCR", "n").text();
    cmd!(client, "EXEC").array();
    cmd!(client, "SELECT", "2").ok();
    cmd!(client, "SET", "in another db", "v").ok();
    let folder = server.shutdown();
    if !kind.has_multi_part_aof() {
        return (None, fs::read(folder.path().join(SINGLE)).unwrap());
    }
    let files = set_in(folder.path());
    let part = |end: &str| {
        let mut found = files.iter().filter(|(name, _)| name.ends_with(end));
        found.next().map(|(_, bytes)| bytes.as_slice()).unwrap()
    };
    let one = [part(".base.rdb"), part(".incr.aof")].concat();
    (Some(Files::Set(files)), one)
}

/// A set whose rewrite failed twice, so that there are three incremental files.
fn several(kind: ServerKind, preamble: &str) -> Files {
    let server = start(kind, preamble, "yes");
    let mut client = server.client();
    for n in 0..4 {
        cmd!(client, "SET", format!("base:{n}"), "v").ok();
    }
    rewrite(&mut client);
    cmd!(client, "CONFIG", "SET", "rdb-key-save-delay", "100000000").ok();
    for n in 0..3 {
        cmd!(client, "SELECT", n.to_string()).ok();
        cmd!(client, "SET", format!("file:{n}"), "v").ok();
        cmd!(client, "MULTI").ok();
        cmd!(client, "RPUSH", "l", "1").text();
        cmd!(client, "INCR", "n").text();
        cmd!(client, "EXEC").array();
        cmd!(client, "SET", format!("more:{n}"), "v").ok();
        if n < 2 {
            fail_to_rewrite(&server, &mut client);
        }
    }
    let files = set_in(server.shutdown().path());
    let logs = files.keys().filter(|name| name.ends_with(".incr.aof"));
    assert_eq!(logs.count(), 3, "{kind}: {:?}", files.keys());
    Files::Set(files)
}

/// The files of the set in a server's folder.
fn set_in(folder: &std::path::Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = all_in(folder);
    files.retain(|name, _| name.starts_with(FOLDER) && !name.contains("temp-"));
    assert!(files.contains_key(MANIFEST), "{:?}", files.keys());
    files
}

fn rewrite(client: &mut Client) {
    cmd!(client, "BGREWRITEAOF").no_error();
    wait_for_rewrite(client);
}

fn wait_for_rewrite(client: &mut Client) {
    let end = Instant::now() + LIMIT;
    loop {
        let info = cmd!(client, "INFO", "persistence").text();
        let running = ["aof_rewrite_in_progress:1", "aof_rewrite_scheduled:1"];
        if !running.iter().any(|word| info.contains(word)) {
            return;
        }
        assert!(Instant::now() < end, "the rewrite does not end");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Begins a rewrite, and ends the process that does it.
fn fail_to_rewrite(server: &Server, client: &mut Client) {
    cmd!(client, "BGREWRITEAOF").no_error();
    let id = server.id();
    let children = format!("/proc/{id}/task/{id}/children");
    let end = Instant::now() + LIMIT;
    let child = loop {
        let text = fs::read_to_string(&children).unwrap();
        if let Some(child) = text.split_whitespace().next() {
            break child.to_owned();
        }
        assert!(Instant::now() < end, "no process rewrites the log");
        thread::sleep(Duration::from_millis(5));
    };
    let killed = Command::new("kill").args(["-9", &child]).status().unwrap();
    assert!(killed.success());
    wait_for_rewrite(client);
}
