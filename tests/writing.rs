//! What is written for a target, servers of that target load: with the digest that our replay of the
//! source has, and with every key, value, encoding, expiry, group and pending entry.
//!
//! `REDKIT_FROM=ID` takes this server's data set alone.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value as Json;
use support::dump::{self, Keys, Value};
use support::server::{Server, ServerKind};
use support::{TempFolder, checker, dataset, live, loader};

/// A server may take so long to load what is small, and a checker to read it, on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

fn target(kind: ServerKind) -> &'static str {
    match kind {
        ServerKind::Redis62 => "redis-6.2",
        ServerKind::Redis70 => "redis-7.0",
        ServerKind::Redis82 => "redis-8.2",
        ServerKind::Valkey81 => "valkey-8.1",
        ServerKind::Valkey91 => "valkey-9.1",
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// A server that has loaded an output.
fn boot(kind: ServerKind, layout: &str, output: &Path) -> Server {
    let extra: &[&str] = match layout {
        "rdb" => &[],
        _ => &["--appendonly", "yes"],
    };
    let started = Server::start_prepared(kind, extra, LIMIT, |folder| match layout {
        "rdb" => drop(fs::copy(output, folder.join("dump.rdb")).unwrap()),
        "multipart" => copy_folder(output, &folder.join("appendonlydir")),
        _ => drop(fs::copy(output, folder.join("appendonly.aof")).unwrap()),
    });
    match started {
        Ok(server) => server,
        Err(error) => panic!(
            "{kind} does not load {layout} {}: {error}",
            output.display()
        ),
    }
}

/// Runs a command that writes; its report.
fn write(words: &[&str]) -> Json {
    let all = [words, &["--format", "json"]].concat();
    let output = dump::redkit(&all);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let code = output.status.code();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(matches!(code, Some(0 | 6)), "{all:?}: {code:?} {text}{err}");
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{all:?}: {text}{err}"))
}

/// The digest of our replay; none where that server would refuse the input.
fn digest_of(path: &Path, like: &str) -> Option<String> {
    let name = path.to_str().unwrap();
    let words = [
        "replay", "--format", "json", "--digest", "--like", like, name,
    ];
    let output = dump::redkit(&words);
    if output.status.code() == Some(1) {
        return None;
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let report: Json = serde_json::from_str(&text).unwrap();
    Some(report["digest"].as_str().unwrap().to_owned())
}

/// Keys that a report names as left out, whole or in part.
fn lacking(report: &Json) -> BTreeSet<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["code"] == "target-dropped" && !finding["db"].is_null())
        .map(|finding| format!("{}", finding["key"]))
        .collect()
}

/// What a server has once it has loaded something, as a log with a snapshot in front: its dump is
/// that of a replay, in the forms that the server has.
fn loaded_as(input: &Path, like: &str, folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    let (input, output) = (input.to_str().unwrap(), path.to_str().unwrap());
    let words = [
        "rewrite-aof",
        input,
        "-o",
        output,
        "--force",
        "--layout",
        "preamble",
    ];
    write(&[&words[..], &["--like", like]].concat());
    path
}

/// Keys of which two snapshots differ.
fn differing(source: &Path, output: &Path) -> BTreeSet<String> {
    let (source, output) = (source.to_str().unwrap(), output.to_str().unwrap());
    let words = ["diff", "-q", "--format", "ndjson", source, output];
    let done = dump::redkit(&words);
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        matches!(done.status.code(), Some(0 | 1)),
        "{words:?}: {text}"
    );
    text.lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap())
        // Function libraries are counted by themselves.
        .filter(|object| object["function"].is_null())
        .map(|object| format!("{}", object["key"]))
        .collect()
}

/// What a server does not keep, or what is not the form alone, made equal on both sides.
fn settle(mut keys: Keys, kind: ServerKind) -> Keys {
    for ((_, name), key) in &mut keys {
        // Blobs of more elements than the server itself would put in one: it takes another form.
        if name.ends_with(b":crowded") {
            key.encoding.clear();
        }
        if matches!(key.encoding.as_str(), "raw or lzf" | "lzf") {
            key.encoding = "raw".to_owned();
        }
        if let Value::Stream(stream) = &mut key.value {
            if stream.length == 0 {
                // Loaded from a form without it, servers take a last one for it, or none.
                stream.first_id = "0-0".to_owned();
            }
            for group in stream.groups.values_mut() {
                for consumer in group.consumers.values_mut() {
                    consumer.seen_at_ms = 0;
                    consumer.active_at_ms = None;
                }
                if !kind.has_stream_counters() {
                    group.entries_read = None;
                }
            }
        }
        (key.idle_s, key.freq) = (None, None);
    }
    keys
}

/// Holds what a server answers against what we say of the output.
fn assert_loaded(what: &str, server: &Server, output: &Path, again: &Path) {
    let kind = server.kind();
    let mut client = server.client();
    let digest = cmd!(client, "DEBUG", "DIGEST").text();
    assert_eq!(
        digest_of(output, target(kind)).as_deref(),
        Some(&*digest),
        "{what}: the digest"
    );
    // The forms are those that a server has once it has loaded it: what we would write then.
    let like = target(kind);
    let text = dump::redkit_ok(&[
        "dump-to-json",
        "-q",
        "--like",
        like,
        again.to_str().unwrap(),
    ]);
    let ours = settle(dump::keys_of(&text), kind);
    let theirs = settle(live::keys(&mut client, kind), kind);
    let differences = dump::differences(&theirs, &ours);
    let first: Vec<_> = differences.iter().take(5).collect();
    assert!(differences.is_empty(), "{what}: {first:#?}");
}

fn functions_of(server: &Server) -> usize {
    match server.kind().has_functions() {
        true => cmd!(server.client(), "FUNCTION", "LIST").array().len(),
        false => 0,
    }
}

/// The targets of a source: all in the long runs, else its own and another one.
fn targets_of(from: ServerKind) -> Vec<ServerKind> {
    let all = ServerKind::usable();
    if support::full() {
        return all;
    }
    let other = match from {
        ServerKind::Redis62 => ServerKind::Valkey91,
        ServerKind::Redis70 => ServerKind::Redis62,
        ServerKind::Redis82 => ServerKind::Valkey91,
        ServerKind::Valkey81 => ServerKind::Redis70,
        ServerKind::Valkey91 => ServerKind::Redis82,
    };
    all.into_iter()
        .filter(|kind| [from, other].contains(kind))
        .collect()
}

/// Whether this source is to be tried.
fn is_chosen(from: ServerKind) -> bool {
    std::env::var("REDKIT_FROM").map_or(true, |id| id == from.id())
}

/// Writes for every target what a server has written.
fn to_every_target(source: &Path, from: ServerKind, command: &str, layouts: &[&str]) {
    let folder = TempFolder::new();
    let meant = match command {
        "convert" => source.to_path_buf(),
        _ => loaded_as(source, target(from), folder.path(), "meant"),
    };
    for kind in targets_of(from) {
        for layout in layouts {
            if *layout == "multipart" && !kind.has_multi_part_aof() {
                continue;
            }
            let what = format!("{command} {from} to {kind}, {layout}");
            let output = folder.path().join(format!("{}-{layout}", kind.id()));
            let like: &[&str] = match command {
                "convert" => &[],
                _ => &["--like", target(from)],
            };
            let words = [
                command,
                source.to_str().unwrap(),
                "-o",
                output.to_str().unwrap(),
                "--target",
                target(kind),
                "--layout",
                layout,
                "--on-unsupported",
                "drop-field-ttl,drop-key",
            ];
            let report = write(&[&words[..], like].concat());
            assert_eq!(report["proven"], true, "{what}");
            let lost = lacking(&report);
            let whole = report["dropped"] == 0 && report["reduced"] == 0;
            assert_eq!(report["exit"], if whole { 0 } else { 6 }, "{what}");
            let again = loaded_as(&output, target(kind), folder.path(), "again");
            let mut differing = differing(&meant, &again);
            if !kind.has_stream_counters() || !from.has_stream_counters() {
                // The format has no room for the counters, and servers estimate what it does not say.
                differing.retain(|key| !key.starts_with("\"x:"));
            }
            assert_eq!(differing, lost, "{what}");
            if *layout == "rdb" {
                let sound = checker::check_rdb_within(kind, &output, LIMIT);
                assert!(sound.is_sound(), "{what}: {sound:?}");
            }
            let server = boot(kind, layout, &output);
            assert_loaded(&what, &server, &output, &again);
            // Another server may run a log to something else: to the sign of a zero, for one.
            let same = command == "convert" || from == kind;
            if lost.is_empty()
                && same
                && let Some(ours) = digest_of(source, target(kind))
            {
                let digest = cmd!(server.client(), "DEBUG", "DIGEST").text();
                assert_eq!(ours, digest, "{what}: the source's");
            }
            let functions = usize::try_from(report["functions"].as_u64().unwrap()).unwrap();
            assert_eq!(functions_of(&server), functions, "{what}");
        }
    }
}

/// A server's snapshot of every type and encoding.
fn snapshot(kind: ServerKind) -> (Server, PathBuf) {
    let server = Server::start(kind, &[]);
    dataset::fill(&mut server.client(), kind);
    let path = server.save();
    (server, path)
}

#[test]
fn servers_load_what_is_converted() {
    loader::each_server(|kind| {
        if !is_chosen(kind) {
            return;
        }
        let (_server, path) = snapshot(kind);
        let layouts: &[&str] = match support::full() {
            true => &["rdb", "preamble", "multipart", "resp"],
            false => &["rdb", "resp"],
        };
        to_every_target(&path, kind, "convert", layouts);
    });
}

#[test]
fn servers_load_what_is_rewritten() {
    loader::each_server(|kind| {
        if !is_chosen(kind) {
            return;
        }
        let server = Server::start(kind, &["--appendonly", "yes"]);
        let mut client = server.client();
        dataset::fill(&mut client, kind);
        drop(client);
        let folder = server.shutdown();
        let path = match kind.has_multi_part_aof() {
            true => folder.path().join("appendonlydir"),
            false => folder.path().join("appendonly.aof"),
        };
        let layouts: &[&str] = match support::full() {
            true => &["rdb", "preamble", "multipart", "resp"],
            false => &["preamble", "multipart", "resp"],
        };
        to_every_target(&path, kind, "rewrite-aof", layouts);
    });
}

#[test]
fn a_vector_set_that_a_log_has_changed_is_added_by_command() {
    let kind = ServerKind::Redis82;
    if !kind.is_usable() {
        return;
    }
    let server = Server::start(kind, &["--appendonly", "yes"]);
    let mut client = server.client();
    for (key, form) in [("plain", "NOQUANT"), ("bytes", "Q8"), ("bits", "BIN")] {
        for n in 0..50 {
            let (x, name) = ((n * 7 % 13).to_string(), format!("e{n}"));
            let words = ["VADD", key, "VALUES", "3", &x, "-2.5", "7", &name, form];
            let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
            client.cmd(&words).no_error();
        }
        cmd!(client, "VSETATTR", key, "e1", "{\"a\":1}").no_error();
        cmd!(client, "VREM", key, "e2").no_error();
        cmd!(client, "PEXPIREAT", key, "4102444800000").no_error();
    }
    cmd!(client, "SET", "other", "1").no_error();
    let digest = cmd!(client, "DEBUG", "DIGEST").text();
    drop(client);
    let folder = server.shutdown();
    let source = folder.path().join("appendonlydir");
    let outputs = TempFolder::new();
    for layout in ["preamble", "multipart", "resp"] {
        let output = outputs.path().join(layout);
        let (from, to) = (source.to_str().unwrap(), output.to_str().unwrap());
        let report = write(&["rewrite-aof", from, "-o", to, "--layout", layout]);
        assert_eq!(report["keys"], 4, "{layout}");
        let server = boot(kind, layout, &output);
        let mut client = server.client();
        assert_eq!(cmd!(client, "DEBUG", "DIGEST").text(), digest, "{layout}");
        assert_eq!(cmd!(client, "VCARD", "bytes").int(), 49, "{layout}");
        assert_eq!(
            cmd!(client, "PEXPIRETIME", "bits").int(),
            4102444800000,
            "{layout}"
        );
    }
    let (from, to) = (source.to_str().unwrap(), outputs.path().join("rdb"));
    let words = [
        "rewrite-aof",
        from,
        "-o",
        to.to_str().unwrap(),
        "--layout",
        "rdb",
    ];
    let refused = dump::redkit(&words);
    assert_eq!(refused.status.code(), Some(4));
    assert!(!to.exists());
}
