//! What we say that a server makes of a log, against what it does when it is started on it: it
//! loads all of it, cuts it back to the very byte, or does not start.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use redkit::io::progress::Quiet;
use redkit::report::aof::Fate;
use redkit::task::Run;
use redkit::task::check_aof::{AofOptions, check_bytes};
use support::count;
use support::server::{Server, ServerKind};

const LIMIT: Duration = Duration::from_secs(20);

fn command(args: &[&str]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        out.extend(format!("${}\r\n{arg}\r\n", arg.len()).bytes());
    }
    out
}

fn log(commands: &[&[&str]]) -> Vec<u8> {
    commands.iter().flat_map(|args| command(args)).collect()
}

/// A little of everything that a log has.
fn sound(kind: ServerKind) -> Vec<u8> {
    let mut out = Vec::new();
    if kind.has_multi_part_aof() {
        out.extend(b"#TS:1795229996\r\n");
    }
    out.extend(log(&[
        &["SELECT", "0"],
        &["SET", "a", "1"],
        &["MULTI"],
        &["INCR", "a"],
        &["set", "b", "x\r\n*1\r\n"],
        &["EXEC"],
        &["RPUSH", "l", "1", "2", "3"],
    ]));
    out
}

/// Where a server looks for its log.
fn place(kind: ServerKind, folder: &Path) -> PathBuf {
    if !kind.has_multi_part_aof() {
        return folder.join("appendonly.aof");
    }
    folder.join("appendonlydir/appendonly.aof.1.incr.aof")
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Loads,
    CutBack(u64),
    DoesNotStart,
}

fn seen(kind: ServerKind, bytes: &[u8]) -> (Seen, String) {
    let started = Server::start_prepared(kind, &["--appendonly", "yes"], LIMIT, |folder| {
        let file = place(kind, folder);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, bytes).unwrap();
        if kind.has_multi_part_aof() {
            let manifest = "file appendonly.aof.1.incr.aof seq 1 type i\n";
            fs::write(
                folder.join("appendonlydir/appendonly.aof.manifest"),
                manifest,
            )
            .unwrap();
        }
    });
    match started {
        Ok(server) => {
            let left = fs::metadata(place(kind, server.folder())).unwrap().len();
            match left == bytes.len() as u64 {
                true => (Seen::Loads, server.log()),
                false => (Seen::CutBack(left), server.log()),
            }
        }
        Err(error) => (Seen::DoesNotStart, error.to_string()),
    }
}

fn said(kind: ServerKind, bytes: &[u8]) -> (Seen, Fate) {
    let id = kind.id();
    let options = AofOptions {
        like: Some(id.parse().expect("a server's name")),
        ..AofOptions::default()
    };
    let run = Run {
        threads: 1,
        mmap: true,
        max_spool: 0,
        max_memory: 0,
        progress: &Quiet,
    };
    let report = check_bytes("log", bytes, &options, &run).expect("a report");
    let seen = match &report.fate {
        Fate::Loads => Seen::Loads,
        // A server that cuts nothing off leaves the file as it is.
        Fate::CutBack(at) if *at == bytes.len() as u64 => Seen::Loads,
        Fate::CutBack(at) => Seen::CutBack(*at),
        Fate::StartsEmpty(_) | Fate::Refuses(..) | Fate::Crashes(..) => Seen::DoesNotStart,
    };
    (seen, report.fate)
}

#[track_caller]
fn agree(kind: ServerKind, bytes: &[u8]) {
    // An empty log is none: the server has nothing to say about it.
    if bytes.is_empty() {
        return;
    }
    let (said, fate) = said(kind, bytes);
    let (seen, words) = seen(kind, bytes);
    // What a command does with arguments that are not there is a matter of luck.
    if matches!(fate, Fate::Crashes(..)) && seen == Seen::Loads {
        return;
    }
    assert_eq!(
        said,
        seen,
        "{kind}: {}\nwe say {fate:?}\n{words}",
        bytes.escape_ascii()
    );
}

fn each_server(test: impl Fn(ServerKind) + Sync) {
    let kinds = ServerKind::usable();
    std::thread::scope(|scope| {
        for half in kinds.chunks(kinds.len().div_ceil(2).max(1)) {
            let test = &test;
            scope.spawn(move || half.iter().for_each(|kind| test(*kind)));
        }
    });
}

#[test]
fn truncations_are_judged_as_servers_judge_them() {
    each_server(|kind| {
        let log = sound(kind);
        for cut in (1..=log.len()).rev().step_by(count(7, 1)) {
            agree(kind, &log[..cut]);
        }
    });
}

#[test]
fn logs_behind_a_snapshot_are_judged_as_servers_judge_them() {
    each_server(|kind| {
        let server = Server::start(kind, &[]);
        cmd!(server.client(), "SET", "key", "value").ok();
        let snapshot = fs::read(server.save()).unwrap();
        let log = [snapshot.as_slice(), &sound(kind)].concat();
        for cut in (snapshot.len() - 2..=log.len()).rev().step_by(count(9, 1)) {
            agree(kind, &log[..cut]);
        }
        for at in (0..snapshot.len()).step_by(count(17, 1)) {
            let mut damaged = log.clone();
            damaged[at] ^= 0x20;
            agree(kind, &damaged);
        }
    });
}

#[test]
fn changed_bytes_are_judged_as_servers_judge_them() {
    each_server(|kind| {
        let log = sound(kind);
        let mut seed = 0x9e37_79b9_7f4a_7c15u64;
        for _ in 0..count(25, 400) {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (seed >> 33) as usize % log.len();
            let mut damaged = log.clone();
            damaged[at] ^= 1 << (seed >> 60 & 7);
            agree(kind, &damaged);
        }
    });
}

#[test]
fn forms_at_the_edge_are_judged_as_servers_judge_them() {
    let long = format!("#{}\r\n", "x".repeat(1500));
    let tails: &[&[u8]] = &[
        b"\0\0\0\0\0\0\0\0",
        b"junk",
        b"\r\n",
        b"#TS:17",
        b"#anything\r\n",
        long.as_bytes(),
        b"*0\r\n",
        b"*0",
        b"*",
        b"*1",
        b"*1\n$4\nPING\r\n",
        b"*1x\r\n$4\r\nPING\n\r",
        b"* 1\r\n$+4\r\nPINGxy",
        b"*1\r\n$999\r\nPING\r\n*1\r\n$4\r\nPING\r\n",
        b"*2\r\n$6\r\nNOBODY\r\n$1\r\na\r\n",
        b"*1\r\n$4\r\nEXEC\r\n",
        b"*1\r\n$5\r\nMULTI\r\n",
        b"*1\r\n$5\r\nMULTI\r\n*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nEXEC\r\n",
        b"*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n",
        b"*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n\0\0",
        b"*2\r\n$3\r\nSET\r\n$1\r\na\r\n",
        b"*2\r\n$7\r\nHPERSIST\r\n$1\r\na\r\n",
    ];
    each_server(|kind| {
        for tail in tails {
            agree(kind, &[sound(kind).as_slice(), tail].concat());
        }
    });
}
