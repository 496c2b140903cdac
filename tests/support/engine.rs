//! Our engine beside a server: the same commands, the answers of both in the same words.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use redkit::command::Like;
use redkit::keyspace::{Keyspace, Rules};
use redkit::replay::{self, Context, Memory, Reason, Scripts};

use super::resp::Reply;
use super::server::{Family, ServerKind};

/// A time that a command may put back, ms.
pub(crate) const LONG: i64 = 500_000_000_000;
const DAY: i64 = 24 * 60 * 60 * 1000;

/// Numbers that a seed tells.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len() as u64) as usize]
    }
}

/// An answer in words; of errors the code, of times near now that they are.
pub(crate) fn show(reply: &Reply, now: i64, out: &mut String) {
    match reply {
        Reply::Status(text) => write!(out, "+{}", text.escape_ascii()).unwrap(),
        Reply::Error(text) => {
            let code = text.split(|b| *b == b' ').next().unwrap_or_default();
            write!(out, "-{}", code.escape_ascii()).unwrap();
        }
        Reply::Int(n) if (now - DAY..now + DAY).contains(n) => out.push_str(":now"),
        // So long ago some commands say that something was.
        Reply::Int(n) if (now - DAY..now + DAY).contains(&n.saturating_add(LONG)) => {
            out.push_str(":then")
        }
        Reply::Int(n) => write!(out, ":{n}").unwrap(),
        Reply::Bulk(Some(bytes)) => write!(out, "\"{}\"", bytes.escape_ascii()).unwrap(),
        Reply::Bulk(None) => out.push_str("nil"),
        Reply::Array(None) => out.push_str("nil[]"),
        Reply::Array(Some(items)) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(' ');
                }
                show(item, now, out);
            }
            out.push(']');
        }
    }
}

/// The same as a string.
pub(crate) fn shown(reply: &Reply, now: i64) -> String {
    let mut text = String::new();
    show(reply, now, &mut text);
    text
}

/// What our engine answers, in the client's words.
pub(crate) fn ours(reply: replay::Reply) -> Reply {
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

pub(crate) fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis() as i64
}

/// Our keyspace, and what commands on it need.
pub(crate) struct Engine {
    pub(crate) keyspace: Keyspace,
    memory: Memory,
    scripts: Scripts,
}

impl Engine {
    pub(crate) fn new(kind: ServerKind) -> Engine {
        let family = match kind.family() {
            Family::Redis => "redis",
            Family::Valkey => "valkey",
        };
        let like: Like = format!("{family}-{}", kind.version()).parse().unwrap();
        Engine {
            keyspace: Keyspace::new(Rules::new(like, None), 1),
            memory: Memory::new(4 << 30),
            scripts: Scripts::default(),
        }
    }

    /// Runs a command as if it were run at this time.
    pub(crate) fn call<A: AsRef<[u8]>>(&mut self, args: &[A], now: i64) -> Reply {
        let args: Vec<&[u8]> = args.iter().map(AsRef::as_ref).collect();
        self.keyspace.rules.now = Some(now);
        let (rules, shards, functions) = self.keyspace.split();
        let mut context = Context::new(rules, shards, &self.memory);
        context.time = Some(now);
        context.wants_reply = true;
        context.functions = Some(functions);
        context.scripts = Some(&mut self.scripts);
        match replay::call(&mut context, &args) {
            Ok(reply) => ours(reply),
            Err(why) => match why.reason() {
                Reason::Error(text) => Reply::Error(text.as_bytes().to_vec()),
                _ => Reply::Error(format!("({why})").into_bytes()),
            },
        }
    }
}
