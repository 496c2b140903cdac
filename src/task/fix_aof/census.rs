//! How many keys a log leaves, where its commands alone tell: no value is built.
//!
//! Most commands either make their key be there or make it be gone, whatever it was: `SET`, `HSET`,
//! `INCR`, `DEL`. Of a log made of nothing but those the keys can be counted exactly. The first
//! command of another kind (`LPOP`, `SREM`, a module's) ends the count: what it leaves depends on
//! values. So does a snapshot in front, whose keys would have to be read first.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, Hasher};

use crate::aof::resp::{self, Command, Item};
use crate::bytes::number;
use crate::command;
use crate::task::mend::{FilePlan, Part};

/// Counts the keys of a log.
#[derive(Debug)]
pub(super) struct Census {
    keys: HashSet<u128, foldhash::fast::FixedState>,
    builders: [foldhash::fast::FixedState; 2],
    db: u32,
    /// True while every command was of a kind that tells.
    tells: bool,
}

impl Census {
    /// Of no commands yet.
    pub(super) fn new() -> Self {
        Census {
            keys: HashSet::default(),
            builders: [1, 2].map(foldhash::fast::FixedState::with_seed),
            db: 0,
            tells: true,
        }
    }

    /// Takes what a plan leaves of the next file.
    pub(super) fn file(&mut self, plan: &FilePlan, content: &[u8]) {
        // Every file begins in database 0.
        self.db = 0;
        for part in plan.parts() {
            let mut rest = match &part {
                Part::New(bytes) => bytes,
                Part::Kept(range) => {
                    let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
                    content
                        .get(at(range.start)..at(range.end))
                        .unwrap_or_default()
                }
            };
            while self.tells
                && let Ok((after, item)) = resp::item(rest)
            {
                if let Item::Command(command) = item {
                    self.command(&command);
                }
                rest = after;
            }
            // An annotation at the end may lack its line end.
            self.tells &= rest.is_empty() || rest.starts_with(b"#");
        }
    }

    /// How many keys there are, if the commands tell.
    pub(super) fn count(&self) -> Option<u64> {
        self.tells.then_some(self.keys.len() as u64)
    }

    fn command(&mut self, command: &Command<'_>) {
        let Some(spec) = command::lookup(command.name()) else {
            self.tells = false;
            return;
        };
        let mut args = command.args().skip(1);
        match (spec.name(), command.argc()) {
            ("multi" | "exec", _) => {}
            ("select", 2) => {
                let db = args.next().and_then(number::parse_canonical_i64);
                match db.and_then(|db| u32::try_from(db).ok()) {
                    // More than there are by default may be refused.
                    Some(db) if db < 16 => self.db = db,
                    _ => self.tells = false,
                }
            }
            // Any option but those about the expiry may leave the key as it is.
            ("set", _) => match (args.next(), args.next()) {
                (Some(key), Some(_)) if only_expiry(args) => self.there(key),
                _ => self.tells = false,
            },
            ("mset", argc) if argc % 2 == 1 => {
                for key in args.step_by(2) {
                    self.there(key);
                }
            }
            ("del" | "unlink", _) => {
                for key in args {
                    let print = self.print(key);
                    self.keys.remove(&print);
                }
            }
            // Removal of what has passed comes behind the loading.
            ("persist", 2) => {}
            ("hset" | "hmset", argc) if argc < 4 || argc % 2 == 1 => self.tells = false,
            (name, argc) if argc >= 2 && MAKES.contains(&name) => {
                if let Some(key) = args.next() {
                    self.there(key);
                }
            }
            ("incrby" | "decrby", 3) | ("hincrby", 4) => match (args.next(), args.last()) {
                (Some(key), Some(by)) if is_step(by) => self.there(key),
                _ => self.tells = false,
            },
            _ => self.tells = false,
        }
    }

    fn there(&mut self, key: &[u8]) {
        let print = self.print(key);
        self.keys.insert(print);
        self.tells &= self.keys.len() <= MOST;
    }

    fn print(&self, key: &[u8]) -> u128 {
        let [first, second] = &self.builders;
        let of = |builder: &foldhash::fast::FixedState| {
            let mut hasher = builder.build_hasher();
            self.db.hash(&mut hasher);
            key.hash(&mut hasher);
            u128::from(hasher.finish())
        };
        of(first) << 64 | of(second)
    }
}

/// True where nothing but KEEPTTL follows. A time may have passed, and the server then removes the
/// key once it has loaded.
fn only_expiry<'d>(mut options: impl Iterator<Item = &'d [u8]>) -> bool {
    options.all(|option| option.eq_ignore_ascii_case(b"keepttl"))
}

/// True for what any counter that begins at 0 can be raised or lowered by.
fn is_step(by: &[u8]) -> bool {
    number::parse_canonical_i64(by).is_some_and(|by| by > i64::MIN)
}

/// Commands behind which their first argument is a key that is there, whatever it was.
const MAKES: &[&str] = &[
    "append", "decr", "getset", "hmset", "hset", "hsetnx", "incr", "lpush", "pfadd", "rpush",
    "sadd", "setnx",
];

/// Keys that are counted at most.
const MOST: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn count(commands: &str) -> Option<u64> {
        let mut log = Vec::new();
        for command in commands.split("; ") {
            let args: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
            resp::write_command(args.into_iter(), &mut log);
        }
        let mut census = Census::new();
        census.file(&FilePlan::new("a", log.len() as u64), &log);
        census.count()
    }

    #[test]
    fn keys_are_counted_where_commands_tell() {
        assert_eq!(
            count("SET a 1; INCR a; SELECT 1; HSET a f v; set b 2"),
            Some(3)
        );
        assert_eq!(
            count("MSET a 1 b 2 c 3; DEL a b x; MULTI; RPUSH l 1; EXEC"),
            Some(2)
        );
        assert_eq!(count("SET a 1 KEEPTTL; PERSIST a"), Some(1));
    }

    #[test]
    fn where_values_decide_nothing_is_said() {
        for command in [
            "LPOP l",
            "SREM s a",
            "SET a 1 NX",
            "SET a 1 PXAT 1",
            "JSON.SET a $ 1",
            "RENAME a b",
            "FLUSHALL",
            "PEXPIREAT a 1",
            "INCRBY a x",
            "HSET h f v g",
            "SELECT 16",
        ] {
            assert_eq!(count(&format!("SET b 1; {command}")), None, "{command}");
        }
    }

    #[test]
    fn the_names_are_those_of_commands() {
        for name in MAKES {
            let spec = command::lookup(name.as_bytes());
            assert_eq!(spec.map(|spec| spec.name()), Some(*name));
        }
    }
}
