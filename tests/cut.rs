//! What `cut` writes: servers load it and have what they had before; nothing but what was named is
//! missing; the source stays as it was.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use support::server::{Server, ServerKind};
use support::{TempFolder, count};

const LIMIT: Duration = Duration::from_secs(20);

fn redkit(args: &[&str]) -> (Option<i32>, Vec<u8>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_redkit"))
        .args(args)
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), output.stdout, words)
}

fn name_of_log(kind: ServerKind) -> &'static str {
    match kind.has_multi_part_aof() {
        true => "appendonlydir",
        false => "appendonly.aof",
    }
}

/// All files with their bytes.
fn files(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    if path.is_file() {
        return BTreeMap::from([(PathBuf::new(), fs::read(path).unwrap())]);
    }
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        all.insert(path.clone(), fs::read(path).unwrap());
    }
    all
}

fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir(to).unwrap();
    for path in files(from).keys() {
        fs::copy(path, to.join(path.file_name().unwrap())).unwrap();
    }
}

fn appending(kind: ServerKind) -> Vec<&'static str> {
    let mut args = vec!["--appendonly", "yes"];
    if kind.has_multi_part_aof() {
        args.extend(["--aof-timestamp-enabled", "yes"]);
    }
    args
}

/// A server that starts on a log.
#[track_caller]
fn started_on(kind: ServerKind, log: &Path) -> Server {
    let started = Server::start_prepared(kind, &["--appendonly", "yes"], LIMIT, |folder| {
        copy(log, &folder.join(name_of_log(kind)));
    });
    match started {
        Ok(server) => server,
        Err(error) => panic!("{kind}: {error}"),
    }
}

#[track_caller]
fn digest(server: &Server) -> String {
    cmd!(server.client(), "DEBUG", "DIGEST").text()
}

/// Writes to several databases, in and out of transactions.
fn fill(server: &Server, from: usize, to: usize) {
    let mut client = server.client();
    for n in from..to {
        let db = if n % 5 == 0 { "3" } else { "0" };
        cmd!(client, "SELECT", db).ok();
        cmd!(
            client,
            "SET",
            format!("key:{n}"),
            support::dataset::noise(n as u64, 50)
        )
        .no_error();
        cmd!(client, "RPUSH", format!("list:{}", n % 3), format!("{n}")).no_error();
        if n % 4 == 0 {
            cmd!(client, "MULTI").ok();
            cmd!(client, "INCR", "count").text();
            cmd!(client, "SELECT", "2").text();
            cmd!(client, "HSET", "hash", format!("f{n}"), "v").text();
            cmd!(client, "EXEC").no_error();
        }
    }
}

fn rewrite(server: &Server) {
    cmd!(server.client(), "BGREWRITEAOF").no_error();
    let is_busy = || {
        ["aof_rewrite_in_progress", "aof_rewrite_scheduled"]
            .iter()
            .any(|field| server.info(field).as_deref() != Some("0"))
    };
    while is_busy() {
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_flushall_is_undone() {
    for kind in ServerKind::usable() {
        for rewritten in [false, true] {
            let server = Server::start(kind, &appending(kind));
            fill(&server, 0, count(40, 400));
            if rewritten {
                rewrite(&server);
                fill(&server, 1000, 1020);
            }
            let before = digest(&server);
            cmd!(server.client(), "FLUSHALL").ok();
            fill(&server, 2000, 2010);
            let folder = server.shutdown();
            let log = folder.path().join(name_of_log(kind));
            let source = files(&log);
            let out = TempFolder::new();
            let out = out.path().join("restored");
            let (log, written) = (log.to_str().unwrap(), out.to_str().unwrap());
            let (exit, _, words) = redkit(&["cut", log, "--before", "FLUSHALL", "-o", written]);
            assert_eq!(exit, Some(0), "{kind}: {words}");
            assert_eq!(
                digest(&started_on(kind, &out)),
                before,
                "{kind}, {rewritten}"
            );
            assert!(
                files(Path::new(log)) == source,
                "{kind}: the source changed"
            );
        }
    }
}

#[test]
fn a_flushall_alone_can_be_dropped() {
    for kind in ServerKind::usable() {
        let told = |flush: bool| {
            let server = Server::start(kind, &appending(kind));
            fill(&server, 0, 20);
            if flush {
                cmd!(server.client(), "FLUSHALL").ok();
            }
            fill(&server, 50, 60);
            server
        };
        let without = digest(&told(false));
        let server = told(true);
        assert_ne!(digest(&server), without, "{kind}");
        let folder = server.shutdown();
        let log = folder.path().join(name_of_log(kind));
        let out = TempFolder::new();
        let out = out.path().join("out");
        let (log, written) = (log.to_str().unwrap(), out.to_str().unwrap());
        let (exit, _, words) = redkit(&["cut", log, "--drop-match", "flushall", "-o", written]);
        assert_eq!(exit, Some(0), "{kind}: {words}");
        assert_eq!(digest(&started_on(kind, &out)), without, "{kind}");
    }
}

/// A log with a time before every tenth command.
fn timed() -> Vec<u8> {
    let mut log = Vec::new();
    for n in 0..100 {
        if n % 10 == 0 {
            log.extend(format!("#TS:{}\r\n", 1_795_229_000 + n).bytes());
        }
        let (key, value) = (format!("key:{n}"), format!("value {n}"));
        let args = ["SET", &key, &value];
        log.extend(format!("*{}\r\n", args.len()).bytes());
        for arg in args {
            log.extend(format!("${}\r\n{arg}\r\n", arg.len()).bytes());
        }
    }
    log
}

#[test]
fn a_cut_at_a_time_is_that_of_the_servers_tool() {
    let kinds = [
        ServerKind::Redis70,
        ServerKind::Redis82,
        ServerKind::Valkey91,
    ];
    for kind in ServerKind::usable_of(&kinds) {
        for time in [1_795_229_000, 1_795_229_055, 1_795_229_089] {
            let folder = TempFolder::new();
            let (theirs, ours) = (folder.path().join("theirs"), folder.path().join("ours"));
            fs::write(&theirs, timed()).unwrap();
            let time = time.to_string();
            let (exit, _, words) = redkit(&[
                "cut",
                theirs.to_str().unwrap(),
                "--at",
                &time,
                "-o",
                ours.to_str().unwrap(),
            ]);
            assert_eq!(exit, Some(0), "{words}");
            let family = kind.id().split('-').next().unwrap();
            let tool = Server::available(kind)
                .unwrap()
                .join(format!("{family}-check-aof"));
            let output = Command::new(tool)
                .args(["--truncate-to-timestamp", &time])
                .arg(&theirs)
                .output()
                .unwrap();
            assert!(output.status.success(), "{kind}: {output:?}");
            let (theirs, ours) = (fs::read(theirs).unwrap(), fs::read(ours).unwrap());
            assert!(theirs.len() < timed().len(), "{kind} {time}");
            assert!(theirs == ours, "{kind} {time}");
        }
    }
}

fn listed(path: &Path) -> Vec<Value> {
    let (_, text, words) = redkit(&["log", "-q", "--format", "ndjson", path.to_str().unwrap()]);
    assert_eq!(words, "");
    let lines = text.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

/// What a command is, wherever it stands.
fn command(object: &Value) -> (&Value, &Value, &Value) {
    (&object["db"], &object["cmd"], &object["args"])
}

fn place(object: &Value) -> String {
    format!("{}:{}", object["file"].as_str().unwrap(), object["offset"])
}

fn is(object: &Value, names: &[&str]) -> bool {
    let name = object["cmd"].as_str().unwrap();
    names.iter().any(|own| own.eq_ignore_ascii_case(name))
}

/// The set in testdata and one of many small files with transactions.
fn sets(folder: &Path) -> Vec<PathBuf> {
    let own = folder.join("many");
    fs::create_dir(&own).unwrap();
    let mut manifest = String::new();
    for file in 1..=4 {
        let mut log = Vec::new();
        let mut add = |args: &[&str]| {
            log.extend(format!("*{}\r\n", args.len()).bytes());
            for arg in args {
                log.extend(format!("${}\r\n{arg}\r\n", arg.len()).bytes());
            }
        };
        for n in 0..6 {
            add(&["SELECT", if n % 2 == 0 { "0" } else { "5" }]);
            add(&["SET", &format!("k:{file}:{n}"), "v"]);
            add(&["MULTI"]);
            add(&["INCR", "n"]);
            add(&["DEL", "a", &format!("k:{file}:{n}")]);
            add(&["EXEC"]);
        }
        fs::write(own.join(format!("appendonly.aof.{file}.incr.aof")), log).unwrap();
        manifest.push_str(&format!(
            "file appendonly.aof.{file}.incr.aof seq {file} type i\n"
        ));
    }
    fs::write(own.join("appendonly.aof.manifest"), manifest).unwrap();
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/aof/set");
    vec![testdata, own]
}

#[test]
fn a_cut_before_any_command_keeps_exactly_what_comes_before_its_transaction() {
    let folder = TempFolder::new();
    for set in sets(folder.path()) {
        let all = listed(&set);
        let mut multi = None;
        for (n, object) in all.iter().enumerate() {
            let start = multi.unwrap_or(n);
            if is(object, &["MULTI"]) {
                multi = Some(n);
            } else if is(object, &["EXEC"]) {
                multi = None;
            }
            if n % count(5, 1) != 0 {
                continue;
            }
            let out = folder.path().join(format!("out-{n}"));
            let args = [
                "cut",
                set.to_str().unwrap(),
                "--before",
                &place(object),
                "-o",
            ];
            let (exit, _, words) = redkit(&[&args[..], &[out.to_str().unwrap()]].concat());
            assert_eq!(exit, Some(0), "{words}");
            assert_eq!(listed(&out), all[..start], "before {object}");
            fs::remove_dir_all(out).unwrap();
        }
    }
}

#[test]
fn nothing_goes_but_what_is_dropped() {
    let folder = TempFolder::new();
    for set in sets(folder.path()) {
        let all = listed(&set);
        let droppable: Vec<usize> = (0..all.len())
            .filter(|n| !is(&all[*n], &["SELECT", "MULTI", "EXEC"]))
            .collect();
        let mut seed = 1u64;
        for round in 0..count(12, 200) {
            let mut picked = Vec::new();
            for n in &droppable {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                if seed >> 33 & 3 == 0 {
                    picked.push(*n);
                }
            }
            if picked.is_empty() {
                continue;
            }
            let places: Vec<_> = picked.iter().map(|n| place(&all[*n])).collect();
            let out = folder.path().join(format!("dropped-{round}"));
            let args = [
                "cut",
                set.to_str().unwrap(),
                "--drop",
                &places.join(","),
                "-o",
            ];
            let (exit, _, words) = redkit(&[&args[..], &[out.to_str().unwrap()]].concat());
            assert_eq!(exit, Some(0), "{words}");
            let left = listed(&out);
            let wanted = (0..all.len()).filter(|n| !picked.contains(n));
            let wanted: Vec<_> = wanted.map(|n| command(&all[n])).collect();
            assert_eq!(left.iter().map(command).collect::<Vec<_>>(), wanted);
            fs::remove_dir_all(out).unwrap();
        }
    }
}

#[test]
fn a_match_drops_what_log_lists() {
    let folder = TempFolder::new();
    for (n, set) in sets(folder.path()).iter().enumerate() {
        for (m, (name, key)) in [("DEL", "k:*"), ("SET", "*:[12]*"), ("INCR", "*")]
            .into_iter()
            .enumerate()
        {
            let path = set.to_str().unwrap();
            let picks = [
                "log", "-q", "--format", "ndjson", "--cmd", name, "--key", key, path,
            ];
            let (_, text, _) = redkit(&picks);
            let dropped = text.iter().filter(|b| **b == b'\n').count();
            let out = folder.path().join(format!("matched-{n}-{m}"));
            let pattern = format!("{name}:{key}");
            let (exit, _, words) = redkit(&[
                "cut",
                path,
                "--drop-match",
                &pattern,
                "-o",
                out.to_str().unwrap(),
            ]);
            if dropped == 0 {
                assert_eq!(exit, Some(2), "{words}");
                continue;
            }
            assert_eq!(exit, Some(0), "{words}");
            assert_eq!(listed(&out).len() + dropped, listed(set).len(), "{pattern}");
            let (_, text, _) = redkit(&[&picks[..8], &[out.to_str().unwrap()]].concat());
            assert_eq!(text, b"", "{pattern}");
        }
    }
}

#[test]
fn a_set_with_a_file_missing_is_left_alone() {
    let folder = TempFolder::new();
    let set = sets(folder.path()).pop().unwrap();
    fs::remove_file(set.join("appendonly.aof.2.incr.aof")).unwrap();
    let out = folder.path().join("out");
    let args = [
        "cut",
        set.to_str().unwrap(),
        "--before",
        "INCR",
        "-o",
        out.to_str().unwrap(),
    ];
    let (exit, _, words) = redkit(&args);
    assert_eq!(exit, Some(2), "{words}");
    assert!(words.contains("appendonly.aof.2.incr.aof"), "{words}");
    assert!(!out.exists());
}
