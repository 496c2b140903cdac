use crate::command::Like;
use crate::keyspace::{Keyspace, Rules, Slot, Text, Value};
use crate::replay::{Context, Memory, Outcome, Reason, Reply, call};

/// A keyspace of a server, and the time at which its commands are run.
struct Played {
    keyspace: Keyspace,
    time: Option<i64>,
    relative: u64,
}

impl Played {
    fn new(like: &str, time: Option<i64>) -> Self {
        let like: Like = like.parse().unwrap();
        Played {
            keyspace: Keyspace::new(Rules::new(like, None), 3),
            time,
            relative: 0,
        }
    }

    fn run(&mut self, line: &str) -> Outcome {
        let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let memory = Memory::new(1 << 32);
        let (rules, shards, _) = self.keyspace.split();
        let mut context = Context::new(rules, shards, &memory);
        context.time = self.time;
        let outcome = call(&mut context, &args);
        self.relative += context.relative;
        outcome
    }

    fn slot(&self, key: &str) -> &Slot {
        self.keyspace.get(0, key.as_bytes()).unwrap()
    }

    fn text(&self, key: &str) -> &Text {
        match self.slot(key).value.get(&self.keyspace.rules) {
            Value::String(text) => text,
            other => panic!("{other:?}"),
        }
    }
}

const SERVERS: [&str; 5] = [
    "redis-6.2",
    "redis-7.0",
    "redis-8.2",
    "valkey-8.1",
    "valkey-9.1",
];

#[test]
fn a_past_time_stays_with_its_key() {
    for like in SERVERS {
        let mut played = Played::new(like, Some(1_000_000));
        assert_eq!(played.run("SET k v PXAT 1"), Ok(Reply::OK));
        assert_eq!(played.slot("k").expires_at(), Some(1));
        played.run("APPEND k w").unwrap();
        played.run("SET k x XX KEEPTTL").unwrap();
        assert_eq!(played.slot("k").expires_at(), Some(1));
        played.run("GETEX k EXAT 2").unwrap();
        assert_eq!(played.slot("k").expires_at(), Some(2000));
        played.run("GETEX k PERSIST").unwrap();
        assert_eq!(played.slot("k").expires_at(), None);
        assert_eq!(played.text("k").as_bytes(), b"x");
    }
}

#[test]
fn a_relative_time_counts_from_the_time_of_the_command_where_that_is_known() {
    for like in SERVERS {
        let mut played = Played::new(like, Some(1_000_000));
        for (line, at) in [
            ("SET k v EX 5", 1_005_000),
            ("SET k v PX 5", 1_000_005),
            ("SETEX k 6 v", 1_006_000),
            ("PSETEX k 6 v", 1_000_006),
            ("GETEX k EX 7", 1_007_000),
        ] {
            played.run(line).unwrap();
            assert_eq!(played.slot("k").expires_at(), Some(at), "{line}");
        }
        assert_eq!(played.relative, 0);
        let mut played = Played::new(like, None);
        played.run("SET k v PXAT 9").unwrap();
        played.run("GETEX k EX 7").unwrap();
        assert_eq!(played.slot("k").expires_at(), Some(9));
        played.run("SET k w EX 7").unwrap();
        assert_eq!(played.slot("k").expires_at(), None);
        assert_eq!(played.text("k").as_bytes(), b"w");
        assert_eq!(played.relative, 2);
        assert!(played.run("SET k w EX 9223372036854775807").is_err());
    }
}

#[test]
fn what_would_be_too_long_is_refused_by_old_servers_and_by_memory() {
    for like in SERVERS {
        let mut played = Played::new(like, None);
        for line in [
            "SETRANGE k 9223372036854775807 x",
            "SETRANGE k 1099511627776 x",
            "SETBIT k 9223372036854775807 1",
            "BITFIELD k SET u8 9223372036854775807 1",
            "BITFIELD k INCRBY u8 #1099511627776 1",
        ] {
            let why = played.run(line).unwrap_err();
            let old = like == "redis-6.2";
            match why.reason() {
                Reason::Error(_) => assert!(old, "{like}: {line}"),
                Reason::Memory(bytes) => assert!(!old && *bytes > 1 << 32, "{like}: {line}"),
                other => panic!("{like}: {line}: {other:?}"),
            }
            assert!(played.keyspace.get(0, b"k").is_none());
        }
        let far = "BITFIELD k GET u8 9223372036854775807 GET i64 9223372036854775800";
        assert_eq!(played.run(far).is_err(), like == "redis-6.2");
    }
}
