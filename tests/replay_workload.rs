//! Digest for digest: random workloads drive real servers that write a log, and the replay of that log
//! comes to what the server has: at every checkpoint the same `DEBUG DIGEST`, at the end of each seed
//! the same keys, values, encodings, expiries, field expiries, groups and pending entries.
//!
//! Servers do not always come to the same from their own log; where the live digest is another, that of
//! a server that has loaded the log so far is the judge, and it may not be often.
//!
//! Left out, because servers do not reproduce themselves: DEBUG POPULATE, a BITFIELD whose writes all
//! fail, VADD of an element that is there, BYLEX over mixed scores, SORT ALPHA of a set with ties, a
//! literal `XTRIM ~` in a log, and fields that pass while 8.2.3 loads. Scripts that are logged as they are
//! draw nothing by chance and ask for no time.
//!
//! `REDKIT_SEED=N` runs one seed, `REDKIT_SEEDS=A..B` those from A up to B, without B, and tells of each;
//! a log that fails is kept in the temporary folder and named.

mod support;

#[path = "replay_workload/grammar.rs"]
mod grammar;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use grammar::{Command, Random};
use support::dump::{self, Keys, Value};
use support::json::Json;
use support::live::{self, Pairs};
use support::resp::{Client, Reply};
use support::server::{Family, Server, ServerKind};

/// Commands of a seed.
const COMMANDS: usize = 2000;
/// Commands from one checkpoint to the next.
const STEP: usize = 100;

/// The state behind an offset of the log.
struct Checkpoint {
    offset: u64,
    digest: String,
    commands: usize,
}

/// The log that a server writes.
fn log_of(server: &Server) -> PathBuf {
    if !server.kind().has_multi_part_aof() {
        return server.folder().join("appendonly.aof");
    }
    let folder = server.folder().join("appendonlydir");
    let mut logs: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".incr.aof"))
        .collect();
    logs.sort();
    logs.pop()
        .expect("a server with a log has an incremental file")
}

/// Bytes of the log; a server writes before it answers.
fn size(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

/// The clock of this machine, which is the servers', Unix ms.
fn clock() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_millis() as i64
}

/// Runs one command, and what has to be done by hand.
fn step(client: &mut Client, other: &mut Client, random: &mut Random, kind: ServerKind) {
    let now = clock();
    if random.chance(2) {
        // A transaction.
        cmd!(client, "MULTI");
        for _ in 0..random.below(5) {
            match grammar::command(random, kind, now) {
                Command::Plain(args) => drop(send(client, &args)),
                Command::Several(all) => all.iter().for_each(|args| drop(send(client, args))),
                Command::Restore(..) | Command::RestoreFunctions(_) => {}
            }
        }
        cmd!(client, "EXEC");
        return;
    }
    if random.chance(1) {
        blocked(client, other, random);
        return;
    }
    match grammar::command(random, kind, now) {
        Command::Plain(args) => drop(send(client, &args)),
        Command::Several(all) => all.iter().for_each(|args| drop(send(client, args))),
        Command::Restore(name, from, to) => {
            if let Reply::Bulk(Some(payload)) = cmd!(client, "DUMP", from) {
                if random.chance(50) {
                    cmd!(client, name, to, "0", payload, "REPLACE");
                } else {
                    let at = (now + 10_000_000).to_string();
                    cmd!(client, name, to, at, payload, "REPLACE", "ABSTTL");
                }
            }
        }
        Command::RestoreFunctions(policy) => {
            let payload = cmd!(client, "FUNCTION", "DUMP").bulk();
            if random.chance(50) {
                cmd!(client, "FUNCTION", "FLUSH").ok();
            } else {
                let library = format!("lib{}", random.below(4));
                cmd!(client, "FUNCTION", "DELETE", library);
            }
            cmd!(client, "FUNCTION", "RESTORE", payload, policy);
        }
    }
}

fn send(client: &mut Client, args: &[Vec<u8>]) -> Reply {
    let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
    client.cmd(&args)
}

/// A client waits on an empty key until another one fills it.
fn blocked(client: &mut Client, other: &mut Client, random: &mut Random) {
    let (wait, fill): (&[&str], &[&str]) = match random.below(3) {
        0 => (&["BLPOP", "q", "1"], &["RPUSH", "q", "1", "2"]),
        1 => (
            &["BLMOVE", "q", "r", "LEFT", "RIGHT", "1"],
            &["RPUSH", "q", "x"],
        ),
        _ => (&["BZPOPMIN", "w", "1"], &["ZADD", "w", "1", "a", "2", "b"]),
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            let args: Vec<&[u8]> = wait.iter().map(|word| word.as_bytes()).collect();
            other.cmd(&args);
        });
        thread::sleep(Duration::from_millis(3));
        let args: Vec<&[u8]> = fill.iter().map(|word| word.as_bytes()).collect();
        client.cmd(&args);
    });
}

/// Where a server can log scripts as they are, it does so for every other seed.
fn logs_scripts(client: &mut Client, kind: ServerKind, seed: u64) {
    if !kind.has_functions() {
        let effects = if seed.is_multiple_of(2) { "1" } else { "0" };
        cmd!(client, "DEBUG", "lua-always-replicate-commands", effects).ok();
    }
}

/// Sources of function libraries, by name.
type Libraries = BTreeMap<String, String>;

fn libraries(client: &mut Client, kind: ServerKind) -> Libraries {
    let mut libraries = Libraries::new();
    if kind.has_functions() {
        for library in cmd!(client, "FUNCTION", "LIST", "WITHCODE").array() {
            let library = Pairs::of(library);
            let name = library.at("library_name").text();
            libraries.insert(name, library.at("library_code").text());
        }
    }
    libraries
}

/// The same of what `dump-to-json --with meta` printed, and what is left for the keys.
fn libraries_in(lines: &str) -> (Libraries, String) {
    let (mut libraries, mut keys) = (Libraries::new(), String::new());
    for line in lines.lines() {
        let json = Json::parse(line);
        match json.get("type").filter(|_| json.get("key").is_none()) {
            Some(kind) if kind.str() == "function" => {
                let name = json.at("name").str().to_owned();
                libraries.insert(name, json.at("code").str().to_owned());
            }
            _ => {
                keys.push_str(line);
                keys.push('\n');
            }
        }
    }
    (libraries, keys)
}

/// A seed's log with what the server said on the way.
struct Run {
    log: Vec<u8>,
    checkpoints: Vec<Checkpoint>,
    libraries: Libraries,
    keys: Keys,
    now: i64,
}

fn run(server: &Server, seed: u64) -> Run {
    let kind = server.kind();
    let (mut client, mut other) = (server.client(), server.client());
    let log = log_of(server);
    let start = size(&log);
    // So the log of the seed says itself which database it begins in.
    cmd!(client, "SELECT", "15").ok();
    cmd!(client, "SET", "marker", seed.to_string()).ok();
    cmd!(client, "SELECT", "0").ok();
    cmd!(client, "SET", "marker", "0").ok();
    cmd!(client, "FLUSHALL").ok();
    cmd!(client, "SCRIPT", "FLUSH").ok();
    if kind.has_functions() {
        cmd!(client, "FUNCTION", "FLUSH").ok();
    }
    logs_scripts(&mut client, kind, seed);
    let mut random = Random::new(seed);
    let mut checkpoints = Vec::new();
    for commands in 1..=COMMANDS {
        step(&mut client, &mut other, &mut random, kind);
        if commands % STEP == 0 {
            let digest = cmd!(client, "DEBUG", "DIGEST").text();
            let offset = size(&log) - start;
            checkpoints.push(Checkpoint {
                offset,
                digest,
                commands,
            });
        }
    }
    // What lives for a second or less has passed before anyone asks for it; the rest lives long.
    thread::sleep(Duration::from_millis(1200));
    let now = clock();
    let bytes = fs::read(&log).unwrap();
    let log = bytes[usize::try_from(start).unwrap()..].to_vec();
    Run {
        log,
        checkpoints,
        libraries: libraries(&mut client, kind),
        keys: live::keys(&mut client, kind),
        now,
    }
}

fn like(kind: ServerKind) -> String {
    match kind.family() {
        Family::Redis => format!("redis-{}", kind.version()),
        Family::Valkey => format!("valkey-{}", kind.version()),
    }
}

/// What is compared.
#[derive(Clone, Copy, PartialEq)]
enum Held {
    /// All that a server has once it has loaded the log.
    Reloaded,
    /// What it has live, but for what it does not log: consumers that were given nothing, and forms
    /// that commands without effect have changed.
    Live,
}

/// What cannot be equal, made so: clocks of consumers, whether a string is compressed, and keys that
/// pass while they are asked for.
fn settle(mut keys: Keys, held: Held, passed: i64) -> Keys {
    keys.retain(|_, key| key.expire_at_ms.is_none_or(|at| at > passed));
    for key in keys.values_mut() {
        if matches!(key.encoding.as_str(), "raw or lzf" | "lzf") {
            key.encoding = "raw".to_owned();
        }
        if held == Held::Live {
            key.encoding.clear();
        }
        if let Value::Module(_, value) = &mut key.value {
            // The digests have seen what is in it.
            *value = Json::Null;
            key.encoding.clear();
        }
        if let Value::Stream(stream) = &mut key.value {
            for group in stream.groups.values_mut() {
                if held == Held::Live {
                    // 7.0 does not log what was read, and none how often an entry that was deleted
                    // since was delivered.
                    group.entries_read = None;
                    for entry in &mut group.pending {
                        (entry.delivered_at_ms, entry.deliveries) = (0, 0);
                    }
                }
                let pending = &group.pending;
                group.consumers.retain(|name, _| {
                    held == Held::Reloaded || pending.iter().any(|entry| entry.consumer == *name)
                });
                for consumer in group.consumers.values_mut() {
                    consumer.seen_at_ms = 0;
                    consumer.active_at_ms = None;
                }
            }
        }
    }
    keys
}

/// A server that loads logs which another one wrote.
struct Loader {
    server: Server,
    client: Client,
}

impl Loader {
    fn new(kind: ServerKind) -> Loader {
        let server = Server::start(kind, &["--appendonly", "yes"]);
        let mut client = server.client();
        cmd!(client, "DEBUG", "SET-ACTIVE-EXPIRE", "0").ok();
        Loader { server, client }
    }

    /// The digest once it has loaded this.
    fn load(&mut self, log: &[u8]) -> String {
        fs::write(log_of(&self.server), log).unwrap();
        cmd!(self.client, "DEBUG", "LOADAOF").ok();
        cmd!(self.client, "DEBUG", "DIGEST").text()
    }
}

/// What is wrong with our replay of a seed, in words; and how many times the server itself comes to
/// something else from its own log.
fn judge(kind: ServerKind, seed: u64, run: &Run, loader: &mut Loader) -> (Vec<String>, usize) {
    let (mut wrong, mut odd) = (Vec::new(), 0);
    logs_scripts(&mut loader.client, kind, seed);
    let path = std::env::temp_dir().join(format!("redkit-workload-{kind}-{seed}.aof"));
    fs::write(&path, &run.log).unwrap();
    let name = path.to_str().unwrap();
    let (like, now) = (like(kind), run.now.to_string());
    let offsets: Vec<String> = run
        .checkpoints
        .iter()
        .map(|c| c.offset.to_string())
        .collect();
    let offsets = offsets.join(",");
    let arguments = [
        "replay",
        "-q",
        "--like",
        &like,
        "--now",
        &now,
        "--digest-at",
        &offsets,
        name,
    ];
    let output = dump::redkit(&arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let found: Vec<&str> = text.lines().collect();
    if !output.status.success() || found.len() != run.checkpoints.len() {
        let err = String::from_utf8_lossy(&output.stderr);
        wrong.push(format!("{}: {err}{text}", output.status));
    }
    for (checkpoint, line) in run.checkpoints.iter().zip(&found) {
        let digest = line.split(' ').next_back().unwrap_or_default();
        if digest == checkpoint.digest {
            continue;
        }
        // It may be that the server does not reproduce itself: then its own load is the judge.
        let until = usize::try_from(checkpoint.offset).unwrap();
        let loaded = loader.load(&run.log[..until]);
        if digest == loaded {
            odd += 1;
            continue;
        }
        wrong.push(format!(
            "behind command {} the digest is {line}, of the server {}, once loaded {loaded}",
            checkpoint.commands, checkpoint.digest
        ));
        break;
    }
    let dumped = dump::redkit(&[
        "dump-to-json",
        "-q",
        "--with",
        "meta",
        "--like",
        &like,
        "--now",
        &now,
        name,
    ]);
    let (ours_libraries, lines) = libraries_in(&String::from_utf8_lossy(&dumped.stdout));
    let ours = dump::keys_of(&lines);
    loader.load(&run.log);
    for (when, theirs) in [
        ("live", &run.libraries),
        ("once loaded", &libraries(&mut loader.client, kind)),
    ] {
        if *theirs != ours_libraries {
            wrong.push(format!(
                "{when}, libraries {theirs:?}, of the file {ours_libraries:?}"
            ));
        }
    }
    let loaded = live::keys(&mut loader.client, kind);
    let passed = clock() + 500;
    let theirs = settle(loaded, Held::Reloaded, passed);
    let differences = dump::differences(&theirs, &settle(ours.clone(), Held::Reloaded, passed));
    let differences = differences.into_iter().take(5);
    wrong.extend(differences.map(|one| format!("once loaded, {one}")));
    // 6.2 logs RESTORE with a relative time, which counts from the load.
    if odd == 0 && kind != ServerKind::Redis62 {
        let theirs = settle(run.keys.clone(), Held::Live, passed);
        let differences = dump::differences(&theirs, &settle(ours, Held::Live, passed));
        wrong.extend(
            differences
                .into_iter()
                .take(5)
                .map(|one| format!("live, {one}")),
        );
    }
    if wrong.is_empty() {
        fs::remove_file(&path).unwrap();
    } else {
        wrong.insert(0, format!("{kind}, seed {seed}: see {name}, --now {now}"));
    }
    (wrong, odd)
}

/// Which seeds are run, and whether someone chose them.
fn seeds() -> (Vec<u64>, bool) {
    let number = |text: &str| text.parse::<u64>().expect("a seed is a number");
    if let Ok(range) = std::env::var("REDKIT_SEEDS") {
        let (from, to) = range.split_once("..").expect("REDKIT_SEEDS is A..B");
        return ((number(from)..number(to)).collect(), true);
    }
    if let Ok(seed) = std::env::var("REDKIT_SEED") {
        return (vec![number(&seed)], true);
    }
    ((1..=support::count(10, 400) as u64).collect(), false)
}

fn workload(kind: ServerKind) {
    if !kind.is_usable() {
        return;
    }
    let extra = [
        "--appendonly",
        "yes",
        "--appendfsync",
        "no",
        "--auto-aof-rewrite-percentage",
        "0",
        // Clients that wait are looked after so often a second.
        "--hz",
        "200",
    ];
    let server = Server::start(kind, &extra);
    let mut client = server.client();
    cmd!(client, "DEBUG", "SET-ACTIVE-EXPIRE", "0").ok();
    let (seeds, chosen) = seeds();
    let mut loader = Loader::new(kind);
    let (mut wrong, mut odd, mut checkpoints) = (Vec::new(), 0, 0);
    for seed in seeds {
        let run = run(&server, seed);
        checkpoints += run.checkpoints.len();
        let (found, itself) = judge(kind, seed, &run, &mut loader);
        if chosen {
            eprintln!(
                "{kind} {seed}: {} checkpoints, {itself} odd, {} wrong",
                run.checkpoints.len(),
                found.len()
            );
        }
        wrong.extend(found);
        odd += itself;
        if wrong.len() > 30 {
            break;
        }
    }
    println!(
        "{kind}: {checkpoints} checkpoints, at {odd} of them the server does not reproduce itself"
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(odd * 4 <= checkpoints || chosen, "{kind}: too often");
}

/// Write commands that no workload has, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "cluster|flushslot",
        "only servers in cluster mode do it, and log what it deletes",
    ),
    (
        "migrate",
        "needs a second server on TCP; what it moved is logged as a DEL",
    ),
];

/// Names of the commands that a server says write; of a subcommand, `container|subcommand`.
fn writing(client: &mut Client) -> BTreeSet<String> {
    fn take(replies: Vec<Reply>, names: &mut BTreeSet<String>) {
        for reply in replies {
            let mut parts = reply.array();
            let subcommands = match parts.len() {
                10.. => parts.swap_remove(9).array(),
                _ => Vec::new(),
            };
            let flags = parts[2].clone().array();
            if flags.into_iter().any(|flag| flag.text() == "write") {
                names.insert(parts[0].clone().text().to_lowercase());
            }
            take(subcommands, names);
        }
    }
    let mut names = BTreeSet::new();
    take(cmd!(client, "COMMAND").array(), &mut names);
    names
}

#[test]
fn workloads_have_every_write_command_of_every_server() {
    for kind in ServerKind::usable() {
        let server = Server::start(kind, &[]);
        let mut missing = writing(&mut server.client());
        assert!(missing.len() > 90, "{kind}: {}", missing.len());
        let mut random = Random::new(1);
        let mut seen = |args: &[Vec<u8>]| {
            let word = |n: usize| {
                let word = args.get(n).map_or(&b""[..], Vec::as_slice);
                String::from_utf8_lossy(word).to_lowercase()
            };
            missing.remove(&word(0));
            missing.remove(&format!("{}|{}", word(0), word(1)));
        };
        for _ in 0..20_000 {
            match grammar::command(&mut random, kind, 0) {
                Command::Plain(args) => seen(&args),
                Command::Several(all) => all.iter().for_each(|args| seen(args)),
                Command::Restore(name, ..) => seen(&[name]),
                Command::RestoreFunctions(_) => {
                    seen(&[b"FUNCTION".to_vec(), b"RESTORE".to_vec()]);
                }
            }
        }
        for (name, _) in EXCEPTIONS {
            missing.remove(*name);
        }
        assert!(missing.is_empty(), "{kind}: {missing:?}");
    }
}

#[test]
fn redis_6_2_and_its_replay_agree() {
    workload(ServerKind::Redis62);
}

#[test]
fn redis_7_0_and_its_replay_agree() {
    workload(ServerKind::Redis70);
}

#[test]
fn redis_8_2_and_its_replay_agree() {
    workload(ServerKind::Redis82);
}

#[test]
fn valkey_8_1_and_its_replay_agree() {
    workload(ServerKind::Valkey81);
}

#[test]
fn valkey_9_1_and_its_replay_agree() {
    workload(ServerKind::Valkey91);
}
