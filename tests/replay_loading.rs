//! What a server does while it loads a log, where that is not what it does live: keys and fields
//! whose time has passed.
//!
//! Seeded logs of commands on keys and hashes, most of them with times that are past, are loaded by
//! a real server with `DEBUG LOADAOF`, and played here; `DEBUG DIGEST` must be the same. No key gets a
//! negative time, from which Redis 8.2.3 crashes sooner or later.

mod support;

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use redkit::aof::resp::{self, Item};
use redkit::keyspace::{Keyspace, Rules, digest};
use redkit::replay::{Player, play};
use support::loader::{command, each_server};
use support::server::{Server, ServerKind};

/// Commands of a log.
const LENGTH: usize = 40;

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }

    /// A time in ms, as a rule one that has passed.
    fn time(&mut self) -> &'static str {
        self.of(&[
            "1",
            "1000",
            "2000",
            "1500000000000",
            "1500000000001",
            "4102444800000",
            "4102444800001",
            "0",
        ])
    }

    fn fields(&mut self, values: bool) -> Vec<String> {
        let count = 1 + self.below(3);
        let mut words = vec!["FIELDS".to_owned(), count.to_string()];
        for _ in 0..count {
            words.push(self.of(&["a", "b", "c", "d", "5"]).to_owned());
            if values {
                words.push(self.of(&["1", "-7", "2.5", "text", ""]).to_owned());
            }
        }
        words
    }

    fn command(&mut self, kind: ServerKind) -> Vec<String> {
        let most = if kind.has_field_ttl() { 26 } else { 16 };
        let words: Vec<&str> = match self.below(most) {
            0..=2 => {
                let value = self.of(&["1", "-7", "2.5", "text", ""]);
                vec!["HSET", self.key(), self.field(), value]
            }
            3 => vec!["HSETNX", self.key(), self.field(), "9"],
            4 => vec!["HINCRBY", self.key(), self.field(), "3"],
            5 => vec!["HINCRBYFLOAT", self.key(), self.field(), "0.5"],
            6 => vec!["HDEL", self.key(), self.field(), self.field()],
            7 => vec!["APPEND", self.key(), "x"],
            8 => vec![
                "PEXPIREAT",
                self.key(),
                self.of(&["1", "1000", "4102444800000"]),
            ],
            9 if kind != ServerKind::Redis62 => {
                let condition = self.of(&["NX", "XX", "GT", "LT"]);
                vec!["PEXPIREAT", self.key(), self.time(), condition]
            }
            9 | 10 => vec!["PERSIST", self.key()],
            11 => vec!["RENAME", self.key(), self.key()],
            12 => vec!["COPY", self.key(), self.key(), "REPLACE"],
            13 => vec!["MOVE", self.key(), self.of(&["0", "1"])],
            14 => vec!["SELECT", self.of(&["0", "0", "1"])],
            15 => vec!["DEL", self.key()],
            16..=18 => {
                let mut words = vec!["HPEXPIREAT".to_owned(), self.key().to_owned()];
                words.push(self.time().to_owned());
                if self.below(2) == 0 {
                    words.push(self.of(&["NX", "XX", "GT", "LT"]).to_owned());
                }
                words.extend(self.fields(false));
                return words;
            }
            19 | 20 => {
                let mut words = vec!["HSETEX".to_owned(), self.key().to_owned()];
                match self.below(4) {
                    0 => words.push("KEEPTTL".to_owned()),
                    1 => {}
                    _ => words.extend(["PXAT".to_owned(), self.time().to_owned()]),
                }
                if self.below(3) == 0 {
                    words.push(self.of(&["FNX", "FXX"]).to_owned());
                }
                words.extend(self.fields(true));
                return words;
            }
            21 => return self.with_fields("HPERSIST"),
            22 => return self.with_fields("HGETDEL"),
            23 => return self.with_fields("HGETEX"),
            24 => {
                let mut words = vec!["HGETEX".to_owned(), self.key().to_owned()];
                match self.below(2) {
                    0 => words.push("PERSIST".to_owned()),
                    _ => words.extend(["PXAT".to_owned(), self.time().to_owned()]),
                }
                words.extend(self.fields(false));
                return words;
            }
            _ => {
                // Too long to be packed.
                let long = "x".repeat(65);
                return ["HSET", self.key(), self.field(), &long]
                    .map(str::to_owned)
                    .into();
            }
        };
        words.into_iter().map(str::to_owned).collect()
    }

    fn with_fields(&mut self, name: &str) -> Vec<String> {
        let mut words = vec![name.to_owned(), self.key().to_owned()];
        words.extend(self.fields(false));
        words
    }

    fn key(&mut self) -> &'static str {
        self.of(&["h", "i", "j"])
    }

    fn field(&mut self) -> &'static str {
        self.of(&["a", "b", "c", "d", "5"])
    }
}

/// What is played here of a log.
fn played<'d>(log: &'d [u8], kind: ServerKind) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_millis()).unwrap();
    let rules = Rules::new(kind.id().parse().unwrap(), Some(now));
    let mut keyspace = Keyspace::new(rules, 1);
    let played = |player: &mut Player<'_, 'd>| {
        player.begin_file();
        let mut rest = log;
        while !rest.is_empty() {
            let at = (log.len() - rest.len()) as u64;
            let (after, item) = resp::item(rest).unwrap();
            let Item::Command(command) = item else {
                panic!("a command at {at}")
            };
            let args: Vec<&'d [u8]> = command.args().collect();
            player.play(at, &args).unwrap();
            rest = after;
        }
    };
    play(&mut keyspace, 1, 4 << 30, played);
    digest::of_keyspace(&keyspace).unwrap().digest.to_string()
}

#[test]
fn what_has_passed_is_as_alive_here_as_in_a_server_that_loads() {
    let logs = support::count(60, 2000);
    each_server(|kind| {
        let server = Server::start(kind, &["--appendonly", "yes"]);
        let mut client = server.client();
        cmd!(client, "DEBUG", "SET-ACTIVE-EXPIRE", "0").ok();
        let path = server.folder().join(match kind.has_multi_part_aof() {
            true => "appendonlydir/appendonly.aof.1.incr.aof",
            false => "appendonly.aof",
        });
        for seed in 0..logs {
            let mut random = Random(seed as u64);
            let commands: Vec<_> = (0..LENGTH).map(|_| random.command(kind)).collect();
            let mut log = Vec::new();
            let mut agreed = 0;
            let differs = |log: &[u8], client: &mut support::resp::Client| {
                fs::write(&path, log).unwrap();
                cmd!(client, "DEBUG", "LOADAOF").ok();
                cmd!(client, "DEBUG", "DIGEST").text() != played(log, kind)
            };
            for words in &commands {
                let words: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
                log.extend(command(&words));
            }
            if !differs(&log, &mut client) {
                continue;
            }
            // Which command it is.
            log.clear();
            for words in &commands {
                let words: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
                log.extend(command(&words));
                if differs(&log, &mut client) {
                    break;
                }
                agreed += 1;
            }
            let shown = commands
                .iter()
                .take(agreed + 1)
                .map(|words| words.join(" "));
            let shown: Vec<_> = shown.collect();
            panic!(
                "{kind}, seed {seed}: the last of these differs\n{}",
                shown.join("\n")
            );
        }
    });
}
