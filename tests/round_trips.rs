//! What is written comes back: random keyspaces go from log to snapshot, to commands, to JSON, to
//! another family and back, and have the same full digest everywhere. The same input gives the same
//! bytes, whatever the number of threads.

mod support;

#[path = "replay_workload/grammar.rs"]
#[allow(dead_code)]
mod grammar;

use std::fs;
use std::path::{Path, PathBuf};

use grammar::{Command, Random};
use serde_json::Value as Json;
use support::server::ServerKind;
use support::{TempFolder, count, dump, loader};

/// Commands of a log.
const COMMANDS: usize = 1500;
/// What the clock shows where a time to live is relative.
const NOW: i64 = 1_795_800_000_000;

fn like(kind: ServerKind) -> &'static str {
    match kind {
        ServerKind::Redis62 => "redis-6.2",
        ServerKind::Redis70 => "redis-7.0",
        ServerKind::Redis82 => "redis-8.2",
        ServerKind::Valkey81 => "valkey-8.1",
        ServerKind::Valkey91 => "valkey-9.1",
    }
}

/// Bytes of a string that a command may ask for.
const LARGEST: i64 = 4 << 20;

/// Whether a command makes a giant of a string: a live server refuses SETBIT at 2^32, but from 7.0 on
/// one that loads a log obeys, and a few strings of 512 MB would be all that these tests are about.
/// (`replay_hostile` has them.)
fn makes_a_giant(args: &[Vec<u8>]) -> bool {
    let number =
        |at: usize| -> Option<i64> { std::str::from_utf8(args.get(at)?).ok()?.parse().ok() };
    let end = match args[0].as_slice() {
        b"SETRANGE" => number(2),
        b"SETBIT" => number(2).map(|bit| bit / 8),
        _ => None,
    };
    end.is_some_and(|end| end > LARGEST)
}

/// A log of random commands, many of which a server would refuse.
fn log(folder: &Path, kind: ServerKind, seed: u64) -> PathBuf {
    let mut random = Random::new(seed);
    let mut bytes = Vec::new();
    for _ in 0..COMMANDS {
        if let Command::Plain(args) = grammar::command(&mut random, kind, NOW) {
            // There is to be much to write, but not by one command alone.
            if args[0].starts_with(b"FLUSH") || makes_a_giant(&args) {
                continue;
            }
            let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
            bytes.extend(loader::command(&args));
        }
    }
    let path = folder.join("log.aof");
    fs::write(&path, bytes).unwrap();
    path
}

/// Runs a command that writes; its report. What the log has that cannot be run here is left out.
fn write(words: &[&str], from: &Path, to: &Path) -> Json {
    let (from, to) = (from.to_str().unwrap(), to.to_str().unwrap());
    let all = [words, &[from, "-o", to, "--keep-going", "--format", "json"]].concat();
    let output = dump::redkit(&all);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    let report: Json =
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{all:?}: {text}{err}"));
    assert!(
        !report["written"].as_array().unwrap().is_empty(),
        "{all:?}: {text}{err}"
    );
    assert_eq!(report["proven"], true, "{all:?}");
    report
}

fn full_digest(path: &Path, like: &str) -> String {
    let words = [
        "replay",
        "--full-digest",
        "--format",
        "json",
        "--like",
        like,
    ];
    let text = dump::redkit_ok(&[&words[..], &[path.to_str().unwrap()]].concat());
    let report: Json = serde_json::from_str(&text).unwrap();
    report["full_digest"].as_str().unwrap().to_owned()
}

fn round_trips(kind: ServerKind, seed: u64) {
    let folder = TempFolder::new();
    let at = |name: &str| folder.path().join(name);
    let what = format!("{kind}, seed {seed}");
    let own = like(kind);
    let now = NOW.to_string();
    let log = log(folder.path(), kind, seed);
    let rewrite = ["rewrite-aof", "--like", own, "--now", &now];
    let to = |layout| [&rewrite[..], &["--layout", layout]].concat();
    let first = write(&to("rdb"), &log, &at("first.rdb"));
    let digest = first["full_digest"].as_str().unwrap();
    assert!(first["keys"].as_u64().unwrap() > 20, "{what}");
    assert_eq!(
        full_digest(&at("first.rdb"), own),
        digest,
        "{what}: the snapshot"
    );

    for layout in ["preamble", "resp", "multipart"] {
        if layout == "multipart" && !kind.has_multi_part_aof() {
            continue;
        }
        let path = at(layout);
        let second = write(&to(layout), &at("first.rdb"), &path);
        assert_eq!(second["full_digest"], digest, "{what}: {layout}");
        assert_eq!(full_digest(&path, own), digest, "{what}: {layout}");
    }
    // The last of the ways through another form: commands, JSON, the forms of older servers.
    write(&to("rdb"), &at("resp"), &at("resp.rdb"));
    assert_eq!(
        full_digest(&at("resp.rdb"), own),
        digest,
        "{what}: from commands"
    );
    let json = dump::redkit_ok(&[
        "dump-to-json",
        "--with",
        "meta",
        at("first.rdb").to_str().unwrap(),
    ]);
    fs::write(at("dump.ndjson"), json).unwrap();
    let (from, back) = (at("dump.ndjson"), at("json.rdb"));
    let words = [
        "from-json",
        from.to_str().unwrap(),
        "-o",
        back.to_str().unwrap(),
    ];
    dump::redkit_ok(&[&words[..], &["--target", own]].concat());
    assert_eq!(full_digest(&back, own), digest, "{what}: from JSON");

    // There and back again.
    let other = match kind {
        ServerKind::Valkey91 => Some("redis-8.2"),
        ServerKind::Redis82 => Some("valkey-9.1"),
        ServerKind::Redis70 => Some("valkey-7.2"),
        ServerKind::Valkey81 => Some("redis-7.0"),
        ServerKind::Redis62 => None,
    };
    let convert = |target| ["convert", "--target", target];
    // A vector set has no place in Valkey.
    let has_vectors =
        dump::redkit_ok(&["dump-to-json", "--type", "module", back.to_str().unwrap()]);
    if let Some(other) = other.filter(|_| has_vectors.is_empty()) {
        write(&convert(other), &at("first.rdb"), &at("there.rdb"));
        write(&convert(own), &at("there.rdb"), &at("back.rdb"));
        assert_eq!(
            full_digest(&at("back.rdb"), own),
            digest,
            "{what}: by {other}"
        );
    }

    for threads in ["1", "2", "5"] {
        for (command, from) in [(to("rdb"), "log.aof"), (to("resp"), "first.rdb")] {
            let path = at(&format!("{threads}-{from}"));
            write(
                &[&command[..], &["--threads", threads]].concat(),
                &at(from),
                &path,
            );
            let same = at(&format!("1-{from}"));
            assert!(
                fs::read(&path).unwrap() == fs::read(same).unwrap(),
                "{what}: {threads}"
            );
        }
        for target in [
            if own == "redis-6.2" {
                "redis-7.0"
            } else {
                "redis-6.2"
            },
            own,
        ] {
            let path = at(&format!("{threads}-{target}"));
            let words = [
                &convert(target)[..],
                &[
                    "--threads",
                    threads,
                    "--on-unsupported",
                    "drop-field-ttl,drop-key",
                ],
            ];
            write(&words.concat(), &at("first.rdb"), &path);
            let same = at(&format!("1-{target}"));
            assert!(
                fs::read(&path).unwrap() == fs::read(same).unwrap(),
                "{what}: {threads}"
            );
        }
    }
}

fn seeds(kind: ServerKind) {
    for seed in 1..=count(2, 100) as u64 {
        round_trips(kind, seed + support::seed() * 1000);
        if support::full() && seed % 20 == 0 {
            eprintln!("{kind}: {seed} seeds");
        }
    }
}

#[test]
fn keyspaces_of_redis_6_2_come_back() {
    seeds(ServerKind::Redis62);
}

#[test]
fn keyspaces_of_redis_7_0_come_back() {
    seeds(ServerKind::Redis70);
}

#[test]
fn keyspaces_of_redis_8_2_come_back() {
    seeds(ServerKind::Redis82);
}

#[test]
fn keyspaces_of_valkey_8_1_come_back() {
    seeds(ServerKind::Valkey81);
}

#[test]
fn keyspaces_of_valkey_9_1_come_back() {
    seeds(ServerKind::Valkey91);
}

#[test]
fn a_collection_without_elements_comes_back_where_servers_keep_it() {
    let folder = TempFolder::new();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    // The field is refused, and the hash stays: so 6.2.5 does it.
    let bytes = [
        loader::command(&[&b"HINCRBYFLOAT"[..], b"h", b"f", b"inf"]),
        loader::command(&[&b"SET"[..], b"a", b"1"]),
    ];
    fs::write(at("log"), bytes.concat()).unwrap();
    let words = ["rewrite-aof", "--like", "redis-6.2", "--layout", "rdb"];
    write(&words, Path::new(&at("log")), Path::new(&at("rdb")));
    let json = dump::redkit_ok(&["dump-to-json", "-q", &at("rdb")]);
    fs::write(at("json"), json).unwrap();
    for (target, keys) in [("redis-6.2", 2), ("redis-7.0", 1)] {
        let back = at(target);
        dump::redkit_ok(&[
            "from-json",
            "-q",
            &at("json"),
            "-o",
            &back,
            "--target",
            target,
        ]);
        let lines = dump::redkit_ok(&["dump-to-json", "-q", &back]);
        assert_eq!(lines.lines().count(), keys, "{target}: {lines}");
    }
    let digest = |name: &str| full_digest(Path::new(&at(name)), "redis-6.2");
    assert_eq!(digest("redis-6.2"), digest("rdb"));
}
