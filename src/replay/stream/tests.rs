//! What cannot be asked of a live server: what depends on the time, and what servers do only while
//! they load a log.

use crate::command::Like;
use crate::keyspace::{Keyspace, Rules};
use crate::replay::{Context, Memory, Reason, Reply, call};

struct Engine {
    keyspace: Keyspace,
    memory: Memory,
}

fn engine(like: &str) -> Engine {
    let like: Like = like.parse().unwrap();
    Engine {
        keyspace: Keyspace::new(Rules::new(like, None), 1),
        memory: Memory::new(1 << 30),
    }
}

impl Engine {
    /// Runs a command at a time; its answer in words.
    fn run(&mut self, time: Option<i64>, line: &str) -> String {
        let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let (rules, shards, _) = self.keyspace.split();
        let mut cx = Context::new(rules, shards, &self.memory);
        cx.time = time;
        cx.wants_reply = true;
        match call(&mut cx, &args) {
            Ok(reply) => words(&reply),
            Err(why) => match why.reason() {
                Reason::Error(text) => text.split(' ').next().unwrap().to_owned(),
                Reason::Unplayable(_) => "unplayable".to_owned(),
                other => format!("{other:?}"),
            },
        }
    }
}

fn words(reply: &Reply) -> String {
    match reply {
        Reply::Nil | Reply::NilArray => "nil".to_owned(),
        Reply::Status(text) => (*text).to_owned(),
        Reply::Int(n) => n.to_string(),
        Reply::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Reply::Array(items) => {
            let items: Vec<String> = items.iter().map(words).collect();
            format!("[{}]", items.join(" "))
        }
        Reply::Said(text) | Reply::Error(text) => text.clone(),
    }
}

#[test]
fn an_id_from_the_clock_needs_the_time() {
    for like in ["redis-6.2", "redis-8.2", "valkey-8.1"] {
        let mut engine = engine(like);
        assert_eq!(engine.run(None, "xadd s * a 1"), "unplayable");
        assert_eq!(engine.run(None, "xlen s"), "0");
        assert_eq!(engine.run(Some(1000), "xadd s * a 1"), "1000-0");
        assert_eq!(engine.run(Some(1000), "xadd s * a 1"), "1000-1");
        assert_eq!(engine.run(Some(999), "xadd s * a 1"), "1000-2");
        assert_eq!(engine.run(None, "xadd s 1001-0 a 1"), "1001-0");
        assert_eq!(engine.run(Some(5000), "xadd s maxlen 1 * a 1"), "5000-0");
        assert_eq!(engine.run(None, "xlen s"), "1");
    }
}

#[test]
fn a_limit_is_not_kept_to_while_loading() {
    let mut engine = engine("redis-7.0");
    for n in 1..=300 {
        engine.run(None, &format!("xadd s {n}-0 a 1"));
    }
    assert_eq!(engine.run(None, "xtrim s maxlen ~ 10 limit 1"), "200");
    assert_eq!(engine.run(None, "xtrim s maxlen 10 limit 1"), "90");
    assert_eq!(
        engine.run(None, "xadd s maxlen = 2 limit 1 400-0 a 1"),
        "400-0"
    );
    assert_eq!(engine.run(None, "xlen s"), "2");
}

#[test]
fn deliveries_keep_their_times_and_idle_ones_need_a_clock() {
    let mut engine = engine("redis-7.0");
    engine.run(None, "xadd s 1-1 a 1");
    engine.run(None, "xgroup create s g 0");
    // As a log says it, its time a little after that of the last annotation.
    let claim = "xclaim s g c 0 1-1 time 5999 retrycount 1 force justid lastid 1-1";
    assert_eq!(engine.run(Some(5000), claim), "[1-1]");
    assert_eq!(
        engine.run(Some(7999), "xpending s g - + 5"),
        "[[1-1 c 2000 1]]"
    );
    assert_eq!(engine.run(None, "xclaim s g d 10 1-1"), "unplayable");
    assert_eq!(engine.run(None, "xautoclaim s g d 10 0"), "unplayable");
    assert_eq!(engine.run(Some(6000), "xclaim s g d 10 1-1"), "[]");
    assert_eq!(
        engine.run(Some(7000), "xclaim s g d 10 1-1 justid"),
        "[1-1]"
    );
    assert_eq!(
        engine.run(Some(7000), "xpending s g - + 5"),
        "[[1-1 d 0 1]]"
    );
    // A server that loads the log later holds it against its own clock.
    engine.keyspace.rules.now = Some(7500);
    engine.run(Some(7000), "xclaim s g d 0 1-1 time 9000 justid");
    assert_eq!(
        engine.run(Some(7000), "xpending s g - + 5"),
        "[[1-1 d 0 1]]"
    );
}
