//! Command by command: what a command does and answers is what a real server did and answered.
//!
//! `testdata/replay/TYPE.cmds` has commands, one a line, as one types them (`"a\x00b"` for odd
//! bytes); a line of dashes empties the server. A line may begin with conditions: `[redis>=7.0]`,
//! `[redis<7.0]`, `[valkey>=9.0]`, `[redis]`, `[valkey]`, several apart by spaces, any of which is enough; the others
//! servers skip the line. Beside it, `TYPE.SERVER.golden` has for each command the reply of that
//! server and the `DEBUG DIGEST` behind it. `BLESS=1` writes those anew where the servers are here;
//! where they are, and `BLESS` is not set, the test also holds the goldens against them.
//!
//! Replies to these are compared without order; of errors, the code counts.

mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use redkit::command::Like;
use redkit::keyspace::{Db, Keyspace, Rules, Shard, digest};
use redkit::replay::{self, Context, Memory, Reason, Scripts};
use support::reload::reloaded;
use support::resp::Reply;
use support::server::{Family, Server, ServerKind};

/// Replies that are sets, in whatever order.
const UNORDERED: &[&str] = &[
    "smembers", "sinter", "sunion", "sdiff", "hkeys", "hvals", "keys", "hgetall", "function",
];

/// The time at which all commands are run here, Unix ms. Only what is far from it may be tested.
const NOW: i64 = 1_796_000_000_000;

struct Line {
    text: String,
    args: Vec<Vec<u8>>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/replay")
}

/// The words of a line, as the servers' command line client reads them.
fn words(line: &str) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let bytes = line.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b' ' {
            at += 1;
            continue;
        }
        let mut word = Vec::new();
        if bytes[at] == b'"' {
            at += 1;
            while bytes[at] != b'"' {
                if bytes[at] == b'\\' {
                    at += 1;
                    match bytes[at] {
                        b'x' => {
                            let hex = std::str::from_utf8(&bytes[at + 1..at + 3]).unwrap();
                            word.push(u8::from_str_radix(hex, 16).unwrap());
                            at += 2;
                        }
                        b'n' => word.push(b'\n'),
                        b'r' => word.push(b'\r'),
                        b't' => word.push(b'\t'),
                        other => word.push(other),
                    }
                } else {
                    word.push(bytes[at]);
                }
                at += 1;
            }
            at += 1;
        } else {
            while at < bytes.len() && bytes[at] != b' ' {
                word.push(bytes[at]);
                at += 1;
            }
        }
        // `*N:word` stands for a long argument.
        if let Some((count, unit)) = repeated(&word) {
            word = unit.repeat(count);
        }
        words.push(word);
    }
    words
}

fn repeated(word: &[u8]) -> Option<(usize, Vec<u8>)> {
    let rest = word.strip_prefix(b"@repeat:")?;
    let colon = rest.iter().position(|b| *b == b':')?;
    let count = std::str::from_utf8(&rest[..colon]).ok()?.parse().ok()?;
    Some((count, rest[colon + 1..].to_vec()))
}

/// Whether a condition such as `redis>=7.0` holds.
fn holds(condition: &str, kind: ServerKind) -> bool {
    let before = condition.split_once('<');
    let (family, version) = before
        .or_else(|| condition.split_once(">="))
        .unwrap_or((condition, "0.0"));
    let own = match kind.family() {
        Family::Redis => "redis",
        Family::Valkey => "valkey",
    };
    let number = |text: &str| {
        let mut parts = text.split('.').map(|part| part.parse::<u32>().unwrap());
        (parts.next().unwrap(), parts.next().unwrap_or(0))
    };
    family == own && (number(kind.version()) < number(version)) == before.is_some()
}

/// The commands of a file for a server: a line each, none where the server is to be emptied.
fn lines(text: &str, kind: ServerKind) -> Vec<Option<Line>> {
    let mut lines = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with("---") {
            lines.push(None);
            continue;
        }
        let mut command = line;
        if let Some((conditions, rest)) = line.strip_prefix('[').and_then(|l| l.split_once(']')) {
            if !conditions
                .split(' ')
                .any(|condition| holds(condition, kind))
            {
                continue;
            }
            command = rest.trim();
        }
        lines.push(Some(Line {
            text: command.to_owned(),
            args: words(command),
        }));
    }
    lines
}

fn show(reply: &Reply, out: &mut String) {
    match reply {
        Reply::Status(text) => write!(out, "+{}", text.escape_ascii()).unwrap(),
        Reply::Error(text) => {
            let code = text.split(|b| *b == b' ').next().unwrap_or_default();
            write!(out, "-{}", code.escape_ascii()).unwrap();
        }
        Reply::Int(n) => write!(out, ":{n}").unwrap(),
        Reply::Bulk(Some(bytes)) if bytes.len() > 200 => {
            let mut sum = digest::Digest::default();
            sum.mix(bytes);
            write!(out, "{} bytes, {sum}", bytes.len()).unwrap();
        }
        Reply::Bulk(Some(bytes)) => write!(out, "\"{}\"", bytes.escape_ascii()).unwrap(),
        Reply::Bulk(None) => out.push_str("nil"),
        Reply::Array(None) => out.push_str("nil[]"),
        Reply::Array(Some(items)) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(' ');
                }
                show(item, out);
            }
            out.push(']');
        }
    }
}

/// What depends on the moment at which a command is run, taken out: times near now, and idle times
/// of seconds. XINFO tells those behind their names, XPENDING in the third place.
fn settled(name: &[u8], reply: Reply, now: i64) -> Reply {
    const DAY: i64 = 24 * 60 * 60 * 1000;
    let is = |text: &str| name.eq_ignore_ascii_case(text.as_bytes());
    if !is("xinfo") && !is("xpending") {
        return reply;
    }
    let Reply::Array(Some(mut items)) = reply else {
        return match reply {
            Reply::Int(n) if (now - DAY..now + DAY).contains(&n) => Reply::Status(b"now".to_vec()),
            other => other,
        };
    };
    for at in 0..items.len() {
        let before = at.checked_sub(1).map(|before| items[before].clone());
        let idle = match &before {
            Some(Reply::Bulk(Some(word))) if is("xinfo") => {
                matches!(word.as_slice(), b"idle" | b"inactive")
            }
            _ => is("xpending") && at == 2 && items.len() == 4,
        };
        items[at] = match items[at].clone() {
            Reply::Int(0..60_000) if idle => Reply::Int(0),
            other => settled(name, other, now),
        };
    }
    Reply::Array(Some(items))
}

/// A reply as it stands in a golden.
fn shown(name: &[u8], reply: Reply, now: i64) -> String {
    let reply = settled(name, reply, now);
    let unordered = UNORDERED
        .iter()
        .any(|u| name.eq_ignore_ascii_case(u.as_bytes()));
    let text = |reply: &Reply| {
        let mut text = String::new();
        show(reply, &mut text);
        text
    };
    match reply {
        Reply::Array(Some(items)) if unordered => {
            let mut items: Vec<String> = if name.eq_ignore_ascii_case(b"hgetall") {
                let pairs = items.chunks(2);
                pairs
                    .map(|p| p.iter().map(text).collect::<Vec<_>>().join("="))
                    .collect()
            } else {
                items.iter().map(text).collect()
            };
            items.sort();
            format!("{{{}}}", items.join(" "))
        }
        other => text(&other),
    }
}

/// What our engine answers, in the client's words.
fn ours(reply: replay::Reply) -> Reply {
    match reply {
        replay::Reply::Nil => Reply::Bulk(None),
        replay::Reply::NilArray => Reply::Array(None),
        replay::Reply::Status(text) => Reply::Status(text.as_bytes().to_vec()),
        replay::Reply::Said(text) => Reply::Status(text.into_bytes()),
        replay::Reply::Int(n) => Reply::Int(n),
        replay::Reply::Bulk(bytes) => Reply::Bulk(Some(bytes)),
        replay::Reply::Array(items) => Reply::Array(Some(items.into_iter().map(ours).collect())),
        replay::Reply::Error(text) => Reply::Error(text.into_bytes()),
    }
}

fn golden_path(name: &str, kind: ServerKind) -> PathBuf {
    folder().join(format!("{name}.{}.golden", kind.id()))
}

/// What a server says of the commands.
fn by_server(text: &str, kind: ServerKind) -> String {
    let server = Server::start(kind, &[]);
    let mut client = server.client();
    cmd!(client, "DEBUG", "SET-ACTIVE-EXPIRE", "0").ok();
    if !kind.has_functions() {
        // Where scripts can be logged as they are, they act as those that are.
        cmd!(client, "DEBUG", "lua-always-replicate-commands", "0").ok();
    }
    let mut golden = String::new();
    for line in lines(text, kind) {
        let Some(line) = line else {
            cmd!(client, "SELECT", "0").ok();
            cmd!(client, "FLUSHALL").ok();
            if kind.has_functions() {
                cmd!(client, "FUNCTION", "FLUSH").ok();
            }
            continue;
        };
        let args: Vec<&[u8]> = line.args.iter().map(Vec::as_slice).collect();
        let reply = client.cmd(&args);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let digest = cmd!(client, "DEBUG", "DIGEST").text();
        let reply = shown(args[0], reply, now.as_millis() as i64);
        writeln!(golden, "{}\n  {digest} {reply}", line.text).unwrap();
    }
    golden
}

/// What is done with the keyspace before each command.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Nothing,
    /// It is saved and loaded, so that its values stand in a file until they are looked at.
    Reload,
    /// The same, and all values are looked at.
    ReloadAndLook,
}

/// What our engine says of them.
fn by_engine(text: &str, kind: ServerKind, before: Before) -> String {
    let like: Like = kind_like(kind);
    let fresh = || Keyspace::new(Rules::new(like, Some(NOW)), 1);
    let mut keyspace = fresh();
    let mut scripts = Scripts::default();
    let memory = Memory::new(4 << 30);
    let mut db = 0;
    let mut golden = String::new();
    for line in lines(text, kind) {
        let Some(line) = line else {
            keyspace = fresh();
            db = 0;
            continue;
        };
        let args: Vec<&[u8]> = line.args.iter().map(Vec::as_slice).collect();
        if before != Before::Nothing {
            keyspace = reloaded(&keyspace);
        }
        let (rules, shards, _) = keyspace.split();
        if before == Before::ReloadAndLook {
            let dbs = shards.iter_mut().flat_map(Shard::dbs_mut);
            for slot in dbs.flat_map(Db::iter_mut) {
                let _ = slot.value.get_mut(rules);
            }
        }
        let (rules, shards, functions) = keyspace.split();
        let mut context = Context::new(rules, shards, &memory);
        context.db = db;
        context.time = Some(NOW);
        context.wants_reply = true;
        context.functions = Some(functions);
        context.scripts = Some(&mut scripts);
        let reply = match replay::call(&mut context, &args) {
            Ok(reply) => ours(reply),
            Err(why) => match why.reason() {
                Reason::Error(text) => Reply::Error(text.as_bytes().to_vec()),
                _ => Reply::Error(format!("({why})").into_bytes()),
            },
        };
        db = context.db;
        let digest = digest::of_keyspace(&keyspace).unwrap().digest;
        let reply = shown(args[0], reply, NOW);
        writeln!(golden, "{}\n  {digest} {reply}", line.text).unwrap();
    }
    golden
}

fn kind_like(kind: ServerKind) -> Like {
    let family = match kind.family() {
        Family::Redis => "redis",
        Family::Valkey => "valkey",
    };
    format!("{family}-{}", kind.version()).parse().unwrap()
}

/// Both, command by command; the first few differences in words.
fn compare(name: &str, kind: ServerKind, expected: &str, found: &str, wrong: &mut Vec<String>) {
    let (expected, found): (Vec<_>, Vec<_>) = (expected.lines().collect(), found.lines().collect());
    if expected.len() != found.len() {
        wrong.push(format!(
            "{name} {kind}: the golden has other commands; BLESS=1 writes it anew"
        ));
    }
    for (e, f) in expected.chunks(2).zip(found.chunks(2)) {
        if e != f && wrong.len() < 60 {
            wrong.push(format!(
                "{name} {kind}: {}\n  server{}\n  found {}",
                e[0], e[1], f[1]
            ));
        }
    }
}

/// `testdata/replay/NAME.cmds`.
fn run(name: &str) {
    let text = fs::read_to_string(folder().join(format!("{name}.cmds"))).unwrap();
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    for kind in ServerKind::ALL {
        let path = golden_path(name, kind);
        if Server::available(kind).is_some() {
            let answer = by_server(&text, kind);
            if bless {
                fs::write(&path, &answer).unwrap();
            } else {
                let golden = fs::read_to_string(&path).unwrap_or_default();
                let before = wrong.len();
                compare(name, kind, &answer, &golden, &mut wrong);
                if wrong.len() > before {
                    wrong.push(format!(
                        "{name} {kind}: its golden is not what the server says"
                    ));
                }
            }
        } else {
            kind.is_usable();
        }
        let golden = fs::read_to_string(&path).unwrap_or_default();
        let found = by_engine(&text, kind, Before::Nothing);
        compare(name, kind, &golden, &found, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The same file, where every value that a command meets stands in a snapshot as yet: it does what it
/// does on values that were decoded before. What it does on values that were never saved is another
/// matter, since servers give some of them another form when they load them.
fn run_on_stored(name: &str, kinds: &[ServerKind]) {
    let text = fs::read_to_string(folder().join(format!("{name}.cmds"))).unwrap();
    let mut wrong = Vec::new();
    for &kind in kinds {
        let expected = by_engine(&text, kind, Before::ReloadAndLook);
        let found = by_engine(&text, kind, Before::Reload);
        compare(name, kind, &expected, &found, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn commands_do_the_same_to_values_that_stand_in_a_snapshot() {
    let names = [
        "bitmap",
        "geo",
        "hash",
        "hyperloglog",
        "keys",
        "list",
        "script",
        "script_calls",
        "set",
        "sort",
        "stream",
        "string",
        "zset",
    ];
    let all = ServerKind::ALL;
    for (name, kind) in names.into_iter().zip(all.into_iter().cycle()) {
        let kinds = if support::full() { &all[..] } else { &[kind] };
        run_on_stored(name, kinds);
    }
    // Collections without elements.
    run_on_stored("keys", &[ServerKind::Redis62]);
}

#[test]
fn bitmaps() {
    run("bitmap");
}

#[test]
fn functions() {
    run("function");
}

#[test]
fn places() {
    run("geo");
}

#[test]
fn hashes() {
    run("hash");
}

#[test]
fn hyperloglogs() {
    run("hyperloglog");
}

#[test]
fn keys() {
    run("keys");
}

#[test]
fn lists() {
    run("list");
}

#[test]
fn scripts() {
    run("script");
}

#[test]
fn calls_of_scripts() {
    run("script_calls");
}

#[test]
fn sets() {
    run("set");
}

#[test]
fn sorting() {
    run("sort");
}

#[test]
fn streams() {
    run("stream");
}

#[test]
fn strings() {
    run("string");
}

#[test]
fn vector_sets() {
    run("vector");
}

#[test]
fn sorted_sets() {
    run("zset");
}
