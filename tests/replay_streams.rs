//! Streams under random commands: after each of them, reply, digest and everything that XINFO tells
//! are what a real server says. Now and then the server loads its own log, and we load what it
//! saved.
//!
//! Times near now are taken for one: a server reads its clock later than we do. The commands up to a
//! difference are kept in the temporary folder; `REDKIT_SEED=N` runs those of seeds 3N+1 to 3N+3.

mod support;

use std::path::{Path, PathBuf};

use redkit::keyspace::{self, Slot, digest};
use redkit::rdb::value::Scratch;
use redkit::record::{Dialect, RawValue, RdbType};
use support::count;
use support::engine::{Engine, LONG, Random, now, shown};
use support::resp::Reply;
use support::server::{Server, ServerKind};

/// Commands that are sent at once: a process that waits for another one at every command waits most of
/// the time where the machine has other work.
const TOGETHER: usize = 30;

fn key(r: &mut Random) -> String {
    match r.below(12) {
        0 => r.pick(&["str", "nosuch"]).to_owned(),
        1..=3 => "t".to_owned(),
        _ => "s".to_owned(),
    }
}

fn group(r: &mut Random) -> String {
    r.pick(&["g", "g", "g", "h", "h", "nog"]).to_owned()
}

fn consumer(r: &mut Random) -> String {
    r.pick(&["c", "c", "d", "e"]).to_owned()
}

/// An ID, mostly of an entry that may be there.
fn id(r: &mut Random, top: u64) -> String {
    match r.below(40) {
        0 => r
            .pick(&[
                "0-0",
                "0",
                "-",
                "+",
                "$",
                "*",
                "x",
                "5-*",
                "",
                "1--1",
                "01-+1",
                " 3-0",
                "18446744073709551615-18446744073709551615",
                "18446744073709551616",
                "(3-0",
                "-1",
                "7-18446744073709551615",
            ])
            .to_owned(),
        1 => r.below(top + 3).to_string(),
        _ => format!("{}-{}", r.below(top + 3), r.below(3)),
    }
}

fn ids(r: &mut Random, top: u64, out: &mut Vec<String>) {
    for _ in 0..1 + r.below(4) {
        out.push(id(r, top));
    }
}

fn trim(r: &mut Random, kind: ServerKind, top: u64, out: &mut Vec<String>) {
    let policies = ["KEEPREF", "DELREF", "ACKED"];
    if kind == ServerKind::Redis82 && r.one_in(3) {
        out.push(r.pick(&policies).to_owned());
    }
    let by_length = r.one_in(2);
    out.push(if by_length { "MAXLEN" } else { "minid" }.to_owned());
    match r.below(4) {
        0 => out.push("=".to_owned()),
        1 => out.push("~".to_owned()),
        _ => {}
    }
    out.push(match by_length {
        true if r.one_in(20) => r.pick(&["-1", "x", "99999999999999999999"]).to_owned(),
        true => r.below(14).to_string(),
        false => format!("{}-{}", top.saturating_sub(r.below(9)), r.below(3)),
    });
    if kind == ServerKind::Redis82 && r.one_in(4) {
        out.push(r.pick(&policies).to_owned());
    }
}

fn value(r: &mut Random) -> String {
    match r.below(12) {
        0 => "x".repeat(r.below(200) as usize),
        1 => String::new(),
        2 => r
            .pick(&["-5", "300", "70000", "-9000000000", "007"])
            .to_owned(),
        _ => r.below(1000).to_string(),
    }
}

/// A command; `top` is near the first half of the highest ID in use.
fn command(r: &mut Random, kind: ServerKind, top: &mut u64) -> Vec<String> {
    let mut c: Vec<String> = Vec::new();
    let word = |c: &mut Vec<String>, text: &str| c.push(text.to_owned());
    match r.below(if kind == ServerKind::Redis82 { 34 } else { 31 }) {
        0..=8 => {
            word(&mut c, "XADD");
            c.push(key(r));
            if r.one_in(12) {
                word(&mut c, "NOMKSTREAM");
            }
            if r.one_in(5) {
                trim(r, kind, *top, &mut c);
            }
            if r.one_in(2) {
                *top += r.below(2);
            }
            c.push(match r.below(8) {
                0 => id(r, *top),
                1 => format!("{}-*", *top),
                _ => format!("{}-{}", *top + 1, r.below(3)),
            });
            *top += r.below(2);
            let pairs = if r.one_in(20) {
                r.below(3)
            } else {
                1 + r.below(2)
            };
            for n in 0..pairs {
                c.push(match r.below(5) {
                    0 => value(r),
                    _ => ["a", "b", "5"][n as usize].to_owned(),
                });
                c.push(value(r));
            }
            if r.one_in(40) {
                word(&mut c, "odd");
            }
        }
        9 => {
            word(&mut c, "XTRIM");
            c.push(key(r));
            trim(r, kind, *top, &mut c);
        }
        10..=12 => {
            word(&mut c, "XDEL");
            c.push(key(r));
            ids(r, *top, &mut c);
        }
        13 => {
            word(&mut c, "XSETID");
            c.push(key(r));
            c.push(id(r, *top + 2));
            if kind != ServerKind::Redis62 {
                if r.one_in(2) {
                    word(&mut c, "ENTRIESADDED");
                    c.push(r.below(60).to_string());
                }
                if r.one_in(2) {
                    word(&mut c, "MAXDELETEDID");
                    c.push(id(r, *top));
                }
            }
        }
        14..=16 => {
            word(&mut c, "XGROUP");
            let what = r.pick(&[
                "CREATE",
                "CREATE",
                "CREATE",
                "SETID",
                "SETID",
                "DESTROY",
                "CREATECONSUMER",
                "DELCONSUMER",
            ]);
            word(&mut c, what);
            c.push(key(r));
            c.push(group(r));
            match what {
                "CREATE" | "SETID" => {
                    c.push(match r.below(4) {
                        0 => "$".to_owned(),
                        1 => "0".to_owned(),
                        _ => id(r, *top),
                    });
                    if what == "CREATE" && r.one_in(3) {
                        word(&mut c, "MKSTREAM");
                    }
                    if kind != ServerKind::Redis62 && r.one_in(2) {
                        word(&mut c, "ENTRIESREAD");
                        c.push(match r.one_in(10) {
                            true => r.pick(&["-1", "-2", "x", "9223372036854775807"]).to_owned(),
                            false => r.below(40).to_string(),
                        });
                    }
                }
                "DESTROY" => {}
                _ => c.push(consumer(r)),
            }
        }
        17..=20 => {
            for text in ["XREADGROUP", "GROUP"] {
                word(&mut c, text);
            }
            c.push(group(r));
            c.push(consumer(r));
            if r.one_in(2) {
                word(&mut c, "COUNT");
                c.push(r.below(5).to_string());
            }
            if r.one_in(4) {
                word(&mut c, "NOACK");
            }
            word(&mut c, "STREAMS");
            if r.one_in(5) {
                word(&mut c, "s");
                word(&mut c, "t");
                word(&mut c, ">");
            } else {
                c.push(key(r));
            }
            c.push(match r.below(4) {
                0 => "0".to_owned(),
                1 => id(r, *top),
                _ => ">".to_owned(),
            });
        }
        21..=22 => {
            word(&mut c, "XACK");
            c.push(key(r));
            c.push(group(r));
            ids(r, *top, &mut c);
        }
        23..=25 => {
            word(&mut c, "XCLAIM");
            c.push(key(r));
            c.push(group(r));
            c.push(consumer(r));
            c.push(r.pick(&["0", "0", "0", "-3", "100000", "x"]).to_owned());
            ids(r, *top, &mut c);
            for _ in 0..r.below(4) {
                match r.below(7) {
                    0 => word(&mut c, "force"),
                    1 => word(&mut c, "JUSTID"),
                    2 => {
                        word(&mut c, "TIME");
                        c.push(r.pick(&["1000", "-1", "99999999999999"]).to_owned());
                    }
                    3 => {
                        word(&mut c, "IDLE");
                        c.push(
                            r.pick(&["500000000000", "-5", "0", "9223372036854775807"])
                                .to_owned(),
                        );
                    }
                    4 => {
                        word(&mut c, "RETRYCOUNT");
                        c.push(r.pick(&["0", "7", "-1"]).to_owned());
                    }
                    5 => {
                        word(&mut c, "LASTID");
                        c.push(id(r, *top));
                    }
                    _ => word(&mut c, r.pick(&["FORCE", "FORCE", "BOGUS", "TIME"])),
                }
            }
        }
        26 => {
            word(&mut c, "XAUTOCLAIM");
            c.push(key(r));
            c.push(group(r));
            c.push(consumer(r));
            c.push(r.pick(&["0", "0", "100000000000"]).to_owned());
            c.push(match r.one_in(2) {
                true => "0".to_owned(),
                false => id(r, *top),
            });
            if r.one_in(2) {
                word(&mut c, "COUNT");
                c.push(r.pick(&["1", "2", "3", "0"]).to_owned());
            }
            if r.one_in(3) {
                word(&mut c, "JUSTID");
            }
        }
        27 => {
            word(&mut c, "XPENDING");
            c.push(key(r));
            c.push(group(r));
            if r.one_in(2) {
                if r.one_in(3) {
                    word(&mut c, "IDLE");
                    c.push("100000000".to_owned());
                }
                for text in ["-", "+"] {
                    c.push(if r.one_in(3) {
                        id(r, *top)
                    } else {
                        text.to_owned()
                    });
                }
                c.push(r.pick(&["10", "2", "0", "-1"]).to_owned());
                if r.one_in(2) {
                    c.push(consumer(r));
                }
            }
        }
        28 => {
            let back = r.one_in(2);
            word(&mut c, if back { "XREVRANGE" } else { "XRANGE" });
            c.push(key(r));
            let ends = if back { ["+", "-"] } else { ["-", "+"] };
            for text in ends {
                c.push(if r.one_in(2) {
                    id(r, *top)
                } else {
                    text.to_owned()
                });
            }
            if r.one_in(2) {
                word(&mut c, "COUNT");
                c.push(r.pick(&["0", "1", "3", "-1", "-2"]).to_owned());
            }
        }
        29 => {
            word(&mut c, "XREAD");
            if r.one_in(3) {
                word(&mut c, "COUNT");
                c.push(r.pick(&["0", "1", "-2"]).to_owned());
            }
            for text in ["STREAMS", "s", "t"] {
                word(&mut c, text);
            }
            c.push(id(r, *top));
            c.push(r.pick(&["$", "0", "+", "0-1", ">"]).to_owned());
        }
        30 => {
            let text = r.pick(&[
                "COPY s t REPLACE",
                "DEL t",
                "XLEN s",
                "XINFO GROUPS s",
                "XINFO STREAM s",
                "XINFO STREAM t FULL COUNT 2",
            ]);
            c.extend(text.split(' ').map(str::to_owned));
        }
        31..=32 => {
            word(&mut c, "XDELEX");
            c.push(key(r));
            numbered(r, *top, &mut c);
        }
        _ => {
            word(&mut c, "XACKDEL");
            c.push(key(r));
            c.push(group(r));
            numbered(r, *top, &mut c);
        }
    }
    c
}

fn numbered(r: &mut Random, top: u64, c: &mut Vec<String>) {
    let policies = ["KEEPREF", "DELREF", "ACKED"];
    if r.one_in(2) {
        c.push(r.pick(&policies).to_owned());
    }
    c.push("IDS".to_owned());
    let mut list = Vec::new();
    ids(r, top, &mut list);
    c.push(match r.one_in(20) {
        true => r.below(4).to_string(),
        false => list.len().to_string(),
    });
    c.append(&mut list);
    if r.one_in(4) {
        c.push(r.pick(&policies).to_owned());
    }
}

/// Idle times, which are not the same at two moments, are taken for 0 where they are short, and for what
/// was put back where they are hardly longer.
fn settle(name: &str, reply: Reply) -> Reply {
    let short = |reply: Reply| match reply {
        // A long run on a busy machine.
        Reply::Int(0..3_600_000) => Reply::Int(0),
        Reply::Int(n) if (LONG..LONG + 3_600_000).contains(&n) => Reply::Int(LONG),
        other => other,
    };
    match reply {
        Reply::Array(Some(items)) if name == "XPENDING" => Reply::Array(Some(
            items
                .into_iter()
                .map(|item| match item {
                    Reply::Array(Some(mut entry)) if entry.len() == 4 => {
                        entry[2] = short(entry[2].clone());
                        Reply::Array(Some(entry))
                    }
                    other => other,
                })
                .collect(),
        )),
        other => other,
    }
}

fn engine(kind: ServerKind, entries: u64, bytes: u64) -> Engine {
    let mut engine = Engine::new(kind);
    engine.keyspace.rules.stream_node_entries = entries;
    engine.keyspace.rules.stream_node_bytes = bytes;
    engine
}

fn questions() -> Vec<Vec<String>> {
    let mut all = vec![vec!["DEBUG".to_owned(), "DIGEST".to_owned()]];
    for key in ["s", "t"] {
        let text = format!("XINFO STREAM {key} FULL COUNT 0");
        all.push(text.split(' ').map(str::to_owned).collect());
    }
    all
}

/// What we say to the questions.
fn our_state(engine: &mut Engine, now: i64) -> Vec<String> {
    let mut all = Vec::new();
    let digest = digest::of_keyspace(&engine.keyspace).unwrap().digest;
    all.push(format!("+{digest}"));
    for question in &questions()[1..] {
        all.push(shown(&engine.call(question, now), now));
    }
    all
}

/// Commands of a log, whatever brackets them.
fn commands_of(log: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    let mut at = 0;
    let line = |at: &mut usize| {
        let end = at
            .checked_add(log[*at..].iter().position(|b| *b == b'\r').unwrap())
            .unwrap();
        let text = std::str::from_utf8(&log[*at + 1..end]).unwrap().to_owned();
        *at = end + 2;
        text
    };
    while at < log.len() {
        let count: usize = line(&mut at).parse().unwrap();
        let mut command = Vec::new();
        for _ in 0..count {
            let len: usize = line(&mut at).parse().unwrap();
            command.push(log[at..at + len].to_vec());
            at += len + 2;
        }
        all.push(command);
    }
    all
}

fn log_of(folder: &Path) -> Vec<u8> {
    let mut log = Vec::new();
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    if let Ok(parts) = std::fs::read_dir(folder.join("appendonlydir")) {
        files.extend(parts.map(|f| f.unwrap().path()));
    }
    files.sort();
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        if name.ends_with("incr.aof") || name == "appendonly.aof" {
            log.extend(std::fs::read(file).unwrap());
        }
    }
    log
}

fn run(kind: ServerKind, seed: u64, steps: usize, entries: u64, bytes: u64) {
    let (most, size) = (entries.to_string(), bytes.to_string());
    let server = Server::start(
        kind,
        &[
            "--appendonly",
            "yes",
            "--stream-node-max-entries",
            &most,
            "--stream-node-max-bytes",
            &size,
        ],
    );
    let mut client = server.client();
    let mut r = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut engine = self::engine(kind, entries, bytes);
    let mut top = 1;
    let mut past: Vec<Vec<String>> = Vec::new();
    let first = ["APPEND", "str", "x"];
    cmd!(client, "APPEND", "str", "x").no_error();
    engine.call(&first, now());
    for start in (0..steps).step_by(TOGETHER) {
        let mut sent = Vec::new();
        for _ in start..(start + TOGETHER).min(steps) {
            sent.push(command(&mut r, kind, &mut top));
            if r.one_in(400) {
                for text in ["DEL s t", "XADD s 1-1 a 1"] {
                    sent.push(text.split(' ').map(str::to_owned).collect());
                }
                top = 1;
            }
        }
        // Behind each of them the questions.
        let asked: Vec<_> = sent
            .iter()
            .flat_map(|command| [vec![command.clone()], questions()].concat())
            .collect();
        let now = now();
        let mut answers = client.pipeline(&asked).into_iter();
        for command in sent {
            past.push(command.clone());
            let answer = answers.next().unwrap();
            let at = clock_of(&command, &answer).unwrap_or(now);
            let answer = shown(&settle(&command[0], answer), now);
            let state = answers.by_ref().take(questions().len());
            let state: Vec<String> = state.map(|reply| shown(&reply, now)).collect();
            let found = shown(&settle(&command[0], engine.call(&command, at)), now);
            let our_state_now = our_state(&mut engine, now);
            assert_eq!(
                (&answer, &state),
                (&found, &our_state_now),
                "{kind}, seed {seed}: {}",
                told(kind, seed, &past)
            );
        }
        if (start + TOGETHER).is_multiple_of(150) {
            let past = || format!("seed {seed}: {}", told(kind, seed, &past));
            reload(&mut client, &server, &mut engine, (entries, bytes), past);
        }
    }
}

/// The last of the commands, and where all of them are kept, each on a line, apart by tabs.
fn told(kind: ServerKind, seed: u64, past: &[Vec<String>]) -> String {
    let path: PathBuf = std::env::temp_dir().join(format!("redkit-streams-{}-{seed}", kind.id()));
    let lines: Vec<String> = past.iter().map(|command| command.join("\t")).collect();
    std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    let tail = lines[lines.len().saturating_sub(25)..].join("\n  ");
    let tail = tail.replace('\t', " ");
    format!("{} commands, {}:\n  {tail}", past.len(), path.display())
}

/// The server loads what it saved, and its log; we load the same.
fn reload(
    client: &mut support::resp::Client,
    server: &Server,
    engine: &mut Engine,
    (entries, bytes): (u64, u64),
    past: impl Fn() -> String,
) {
    let kind = server.kind();
    let ask = |client: &mut support::resp::Client, now: i64| -> Vec<String> {
        let answers = client.pipeline(&questions());
        answers.iter().map(|reply| shown(reply, now)).collect()
    };
    // What we hold is what the server holds behind a reload, and what we load from its own bytes.
    for key in ["s", "t"] {
        let Reply::Bulk(Some(payload)) = cmd!(client, "DUMP", key) else {
            continue;
        };
        let raw = RawValue {
            rdb_type: RdbType::from_number(payload[0], Dialect::Redis).unwrap(),
            bytes: &payload[1..payload.len() - 10],
            at: 0,
        };
        let ours = engine.keyspace.get(0, key.as_bytes()).unwrap();
        assert_eq!(
            raw.rdb_type,
            ours.value
                .get(&engine.keyspace.rules)
                .rdb_type(&engine.keyspace.rules),
            "{kind}"
        );
        let value = keyspace::load(&raw, &mut Scratch::default(), &engine.keyspace.rules);
        let slot = Slot::new(key.as_bytes(), value.unwrap().unwrap(), None);
        engine.keyspace.insert(0, slot);
    }
    let time = now();
    cmd!(client, "DEBUG", "RELOAD").ok();
    assert_eq!(
        ask(client, time),
        our_state(engine, time),
        "{kind}, reload, {}",
        past()
    );
    cmd!(client, "DEBUG", "LOADAOF").ok();
    let time = now();
    let mut replayed = self::engine(kind, entries, bytes);
    for command in commands_of(&log_of(server.folder())) {
        if !["MULTI", "EXEC", "SELECT"].contains(&std::str::from_utf8(&command[0]).unwrap()) {
            replayed.call(&command, time);
        }
    }
    assert_eq!(
        ask(client, time),
        our_state(&mut replayed, time),
        "{kind}, log, {}",
        past()
    );
    *engine = replayed;
}

/// What the server's clock showed, where the ID of a new entry tells it.
fn clock_of(command: &[String], answer: &Reply) -> Option<i64> {
    let by_clock = command[0] == "XADD" && command.iter().any(|word| word == "*");
    let Reply::Bulk(Some(id)) = answer else {
        return None;
    };
    let id = std::str::from_utf8(id).ok().filter(|_| by_clock)?;
    id.split_once('-')?.0.parse().ok()
}

fn agree(kind: ServerKind) {
    if !kind.is_usable() {
        return;
    }
    let seeds = count(1, 40) as u64;
    let steps = 900;
    for seed in (0..seeds).map(|n| n + support::seed()) {
        run(kind, seed * 3 + 1, steps, 100, 4096);
        run(kind, seed * 3 + 2, steps, 4, 4096);
        run(kind, seed * 3 + 3, steps, 0, 150);
        if support::full() {
            eprintln!("{kind}: {} of {} runs", seed * 3 + 3, seeds * 3);
        }
    }
}

#[test]
fn redis_6_2_and_we_agree_after_every_command() {
    agree(ServerKind::Redis62);
}

#[test]
fn redis_7_0_and_we_agree_after_every_command() {
    agree(ServerKind::Redis70);
}

#[test]
fn redis_8_2_and_we_agree_after_every_command() {
    agree(ServerKind::Redis82);
}

#[test]
fn valkey_8_1_and_we_agree_after_every_command() {
    agree(ServerKind::Valkey81);
}

#[test]
fn valkey_9_1_and_we_agree_after_every_command() {
    agree(ServerKind::Valkey91);
}
