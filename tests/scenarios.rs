//! The five stories of docs/scenarios.md, from the operator's first command to the booted server.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use support::resp::Client;
use support::server::{Server, ServerKind};
use support::{TempFolder, count, dump};

/// A server may take so long to load what is large.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs the program; its status and what it said.
fn redkit(words: &[&str]) -> (Option<i32>, String) {
    let output = dump::redkit(words);
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    (output.status.code(), text)
}

/// The same where it is to succeed.
fn done(words: &[&str]) -> String {
    let (code, text) = redkit(words);
    assert_eq!(code, Some(0), "{words:?}: {text}");
    text
}

fn name(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A server with a log, and what was told to it.
fn with_log(kind: ServerKind, tell: impl FnOnce(&mut Client)) -> (TempFolder, PathBuf) {
    // A server that compacts its log by itself would leave little to do.
    let mut args = vec!["--appendonly", "yes", "--auto-aof-rewrite-percentage", "0"];
    if kind.has_multi_part_aof() {
        args.extend(["--aof-timestamp-enabled", "yes"]);
    }
    let server = Server::start(kind, &args);
    tell(&mut server.client());
    let folder = server.shutdown();
    let path = match kind.has_multi_part_aof() {
        true => folder.path().join("appendonlydir"),
        false => folder.path().join("appendonly.aof"),
    };
    (folder, path)
}

fn incremental(set: &Path, number: u32) -> PathBuf {
    set.join(format!("appendonly.aof.{number}.incr.aof"))
}

/// Starts a server on a log or set; none where it refuses.
fn start(kind: ServerKind, log: &Path, extra: &[&str]) -> Option<Server> {
    let args = [&["--appendonly", "yes"][..], extra].concat();
    Server::start_prepared(kind, &args, LIMIT, |folder| {
        if !log.is_dir() {
            fs::copy(log, folder.join("appendonly.aof")).unwrap();
            return;
        }
        let to = folder.join("appendonlydir");
        fs::create_dir(&to).unwrap();
        for entry in fs::read_dir(log).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    })
    .ok()
}

fn keys(server: &Server) -> i64 {
    cmd!(server.client(), "DBSIZE").int()
}

#[test]
fn power_loss_leaves_a_torn_or_zero_filled_tail() {
    let kind = ServerKind::Redis82;
    if !kind.is_usable() {
        return;
    }
    let (_folder, set) = with_log(kind, |client| {
        for n in 0..500 {
            cmd!(client, "SET", format!("key:{n}"), format!("value {n}")).ok();
        }
    });
    let log = incremental(&set, 1);
    let whole = fs::read(&log).unwrap();
    let torn = whole[..whole.len() - 7].to_vec();
    let zeros = [&whole[..whole.len() - 7], &[0; 4096]].concat();
    for (what, bytes) in [("torn", torn), ("zeros", zeros)] {
        fs::write(&log, bytes).unwrap();
        // Zeros are no torn command: the server refuses them, whatever its settings.
        let refuses = start(kind, &set, &["--aof-load-truncated", "no"]).is_none();
        assert!(refuses, "{what}: the server starts by itself");
        let (code, text) = redkit(&["check-aof", name(&set)]);
        assert_eq!(code, Some(1), "{what}: {text}");
        done(&["check-aof", "--fix", "-y", name(&set)]);
        done(&["check-aof", name(&set)]);
        let server = start(kind, &set, &["--aof-load-truncated", "no"]).expect(what);
        assert_eq!(keys(&server), 499, "{what}");
        drop(server);
        // Nothing was thrown away.
        let kept = fs::read_dir(&set).unwrap().filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_string_lossy().contains(".removed-")
        });
        assert!(kept.count() > 0, "{what}");
        for entry in fs::read_dir(&set).unwrap() {
            let path = entry.unwrap().path();
            if name(&path).contains(".removed-") {
                fs::remove_file(path).unwrap();
            }
        }
    }
}

#[test]
fn damage_inside_a_file_that_is_not_the_last() {
    let kind = ServerKind::Redis82;
    if !kind.is_usable() {
        return;
    }
    let server = Server::start(
        kind,
        &["--appendonly", "yes", "--auto-aof-rewrite-percentage", "0"],
    );
    let mut client = server.client();
    for n in 0..300 {
        cmd!(client, "SET", format!("first:{n}"), "x").ok();
    }
    // A rewrite that fails leaves a second incremental file.
    drop(client);
    let folder = server.shutdown();
    let set = folder.path().join("appendonlydir");
    let manifest = set.join("appendonly.aof.manifest");
    let second = "file appendonly.aof.2.incr.aof seq 2 type i\n";
    let text = fs::read_to_string(&manifest).unwrap() + second;
    fs::write(&manifest, text).unwrap();
    let mut log = Vec::new();
    log.extend(support::loader::command(&[b"SELECT", b"0"]));
    for n in 0..200 {
        log.extend(support::loader::command(&[
            b"SET",
            format!("second:{n}").as_bytes(),
            b"y",
        ]));
    }
    fs::write(incremental(&set, 2), log).unwrap();
    let first = incremental(&set, 1);
    let mut bytes = fs::read(&first).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 40].fill(0xff);
    fs::write(&first, bytes).unwrap();

    assert!(start(kind, &set, &[]).is_none());
    let (code, text) = redkit(&["check-aof", name(&set)]);
    assert_eq!(code, Some(1), "{text}");
    done(&["check-aof", "--fix", "-y", "--strategy", "skip", name(&set)]);
    let server = start(kind, &set, &[]).expect("the mended set");
    assert!(keys(&server) >= 496, "{}", keys(&server));
}

#[test]
fn a_flushall_by_mistake_is_undone() {
    let kind = ServerKind::Valkey91;
    if !kind.is_usable() {
        return;
    }
    let mut digest = String::new();
    let (_folder, set) = with_log(kind, |client| {
        for n in 0..200 {
            cmd!(client, "HSET", format!("user:{n}"), "name", format!("n{n}")).no_error();
        }
        digest = cmd!(client, "DEBUG", "DIGEST").text();
        cmd!(client, "FLUSHALL").ok();
        cmd!(client, "SET", "too", "late").ok();
    });
    let found = done(&["log", "-q", "--cmd", "FLUSHALL", name(&set)]);
    assert_eq!(found.lines().count(), 1, "{found}");
    let plan = done(&["cut", "-n", "--before", "FLUSHALL", name(&set)]);
    assert!(plan.contains("2 commands"), "{plan}");
    let folder = TempFolder::new();
    let restored = folder.path().join("restored");
    done(&[
        "cut",
        "--before",
        "FLUSHALL",
        "-o",
        name(&restored),
        name(&set),
    ]);
    let server = start(kind, &restored, &[]).expect("the log without it");
    assert_eq!(cmd!(server.client(), "DEBUG", "DIGEST").text(), digest);
    // The same in one step, as small as can be.
    let at = found.split_whitespace().next().unwrap();
    let compact = folder.path().join("compact");
    let words = [
        "rewrite-aof",
        name(&set),
        "-o",
        name(&compact),
        "--to-offset",
        at,
    ];
    done(&words);
    let server = start(kind, &compact, &[]).expect("the rewritten log");
    assert_eq!(cmd!(server.client(), "DEBUG", "DIGEST").text(), digest);
}

#[test]
fn a_large_log_is_compacted_and_moved_to_the_other_family() {
    let (from, to) = (ServerKind::Redis82, ServerKind::Valkey91);
    if !from.is_usable() || !to.is_usable() {
        return;
    }
    // More than two gigabytes in the long runs.
    let rounds = count(30, 2000);
    let mut digest = String::new();
    let (_folder, set) = with_log(from, |client| {
        let value = "v".repeat(90);
        for round in 0..rounds {
            let batch: Vec<Vec<Vec<u8>>> = (0..10_000)
                .map(|n| {
                    let key = format!("key:{}", n % 2000).into_bytes();
                    let value = format!("{value}{round}:{n}").into_bytes();
                    match n % 3 {
                        0 => vec![b"SET".to_vec(), key, value],
                        1 => vec![b"HSET".to_vec(), [b"h:", &key[..]].concat(), key, value],
                        _ => vec![
                            b"ZADD".to_vec(),
                            b"board".to_vec(),
                            n.to_string().into(),
                            key,
                        ],
                    }
                })
                .collect();
            for reply in client.pipeline(&batch) {
                reply.no_error();
            }
        }
        digest = cmd!(client, "DEBUG", "DIGEST").text();
    });
    let before: u64 = fs::read_dir(&set)
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(before > rounds as u64 * 1_000_000, "{before}");
    let folder = TempFolder::new();
    let moved = folder.path().join("appendonlydir");
    let words = [
        "rewrite-aof",
        name(&set),
        "-o",
        name(&moved),
        "--target",
        "valkey-9.1",
    ];
    done(&words);
    let after: u64 = fs::read_dir(&moved)
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(after * 10 < before, "{before} became {after}");
    let server = start(to, &moved, &[]).expect("the moved log");
    assert_eq!(cmd!(server.client(), "DEBUG", "DIGEST").text(), digest);
}
