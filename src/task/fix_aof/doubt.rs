//! What is in doubt behind a loss: the values that later commands build on, and the database that
//! they are meant for.

use std::collections::{HashMap, HashSet};

use crate::aof::resp::Command;
use crate::command::{self, CommandSpec, Signature};
use crate::report::fix::{KeyInDoubt, KeysReport};

/// Keys whose later commands may come out differently.
///
/// A command that builds on the value there is (`INCR`, `APPEND`, `LPUSH`) comes out differently if
/// what was lost had changed its key. Which keys that were cannot be known where bytes are damaged;
/// so every key that is built on behind the loss, before something sets it anew, counts. Those whose
/// names stand among what was lost come first.
#[derive(Debug, Default)]
pub(super) struct KeysInDoubt {
    active: bool,
    /// Fingerprints of keys that were set anew since the last loss.
    anew: HashSet<u64, foldhash::fast::FixedState>,
    /// What stands among the lost bytes as whole arguments.
    seen: HashSet<Vec<u8>>,
    /// By fingerprint: how many commands build on the key.
    counted: HashMap<u64, u64, foldhash::fast::FixedState>,
    listed: HashMap<u64, (u32, Vec<u8>), foldhash::fast::FixedState>,
    more: bool,
    builder: foldhash::fast::FixedState,
    /// What each command does to its keys, by the command's index.
    effects: Vec<Option<(Effect, &'static Signature)>>,
}

/// What a command does to its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// It sets them anew.
    SetsAnew,
    /// What comes of it depends on what is there.
    BuildsOn,
}

/// The effects of all commands, by index.
fn effects() -> Vec<Option<(Effect, &'static Signature)>> {
    let effect = |spec: &'static CommandSpec| {
        let signature = spec.known_to().find_map(|line| spec.said_by(line))?;
        let name = spec.name();
        if BUILDS_ON.binary_search(&name).is_ok() {
            Some((Effect::BuildsOn, signature))
        } else if SETS_ANEW.contains(&name) {
            Some((Effect::SetsAnew, signature))
        } else {
            None
        }
    };
    command::all().iter().map(effect).collect()
}

impl KeysInDoubt {
    /// Bytes were lost.
    pub(super) fn damaged(&mut self, bytes: &[u8]) {
        self.all();
        for piece in pieces(bytes) {
            if let Piece::Argument(text) = piece {
                self.see(text);
            }
        }
    }

    /// Something was lost: from here on keys are in doubt.
    pub(super) fn all(&mut self) {
        self.active = true;
        self.anew.clear();
    }

    fn see(&mut self, text: &[u8]) {
        if self.seen.len() < SEEN && text.len() <= KEY_LISTED {
            self.seen.insert(text.to_vec());
        }
    }

    /// A command that stays.
    #[inline]
    pub(super) fn command(&mut self, db: u32, command: &Command<'_>) {
        if self.active {
            self.behind(db, command);
        }
    }

    fn behind(&mut self, db: u32, command: &Command<'_>) {
        let Some(spec) = command::lookup(command.name()) else {
            return;
        };
        if self.effects.is_empty() {
            self.effects = effects();
        }
        let Some(Some((effect, signature))) = self.effects.get(spec.index()).copied() else {
            return;
        };
        let mut args = command.args().enumerate();
        for position in signature.keys(command.argc() as u64) {
            let Some((_, key)) = args.find(|(at, _)| *at as u64 == position) else {
                return;
            };
            let print = self.print(db, key);
            match effect {
                Effect::SetsAnew if self.anew.len() < COUNTED => {
                    self.anew.insert(print);
                }
                Effect::BuildsOn if !self.anew.contains(&print) => self.doubt(db, key, print),
                Effect::SetsAnew | Effect::BuildsOn => {}
            }
        }
    }

    fn doubt(&mut self, db: u32, key: &[u8], print: u64) {
        if let Some(commands) = self.counted.get_mut(&print) {
            *commands += 1;
            return;
        }
        if self.counted.len() >= COUNTED {
            self.more = true;
            return;
        }
        self.counted.insert(print, 1);
        let seen = self.seen.contains(key);
        if key.len() <= KEY_LISTED && (seen || self.listed.len() < KeysReport::LISTED) {
            self.listed.insert(print, (db, key.to_vec()));
        }
    }

    fn print(&self, db: u32, key: &[u8]) -> u64 {
        use std::hash::{BuildHasher, Hash, Hasher};
        let mut hasher = self.builder.build_hasher();
        db.hash(&mut hasher);
        key.hash(&mut hasher);
        hasher.finish()
    }

    /// What came of it.
    pub(super) fn report(self) -> KeysReport {
        let (seen, counted) = (&self.seen, &self.counted);
        let listed = self.listed.into_iter();
        let mut listed: Vec<KeyInDoubt> = listed
            .map(|(print, (db, key))| KeyInDoubt {
                seen: seen.contains(&key),
                db,
                key,
                commands: counted.get(&print).copied().unwrap_or(1),
            })
            .collect();
        listed.sort_by(|a, b| (!a.seen, a.db, &a.key).cmp(&(!b.seen, b.db, &b.key)));
        listed.truncate(KeysReport::LISTED);
        KeysReport {
            count: self.counted.len() as u64,
            more: self.more,
            listed,
        }
    }
}

/// What of a stretch of damage can still be read.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'d> {
    /// The header of a command, with its number of arguments.
    Header(u64),
    /// A whole argument.
    Argument(&'d [u8]),
    /// Bytes that are neither.
    Rest(&'d [u8]),
}

/// Cuts a stretch of damage into what can still be read and what cannot.
fn pieces(bytes: &[u8]) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut at, mut rest_from) = (0, 0);
    while at < bytes.len() {
        let here = bytes.get(at..).unwrap_or_default();
        let at_line = at == 0
            || bytes
                .get(..at)
                .is_some_and(|front| front.ends_with(b"\r\n"));
        let found = match here.first() {
            Some(b'$') if at_line => argument(here).map(|(text, len)| (Piece::Argument(text), len)),
            Some(b'*') if at_line => number(here).map(|(count, len)| (Piece::Header(count), len)),
            _ => None,
        };
        match found {
            Some((piece, len)) => {
                if rest_from < at {
                    pieces.push(Piece::Rest(bytes.get(rest_from..at).unwrap_or_default()));
                }
                pieces.push(piece);
                at += len;
                rest_from = at;
            }
            None => {
                let next = memchr::memchr2(b'$', b'*', here.get(1..).unwrap_or_default());
                at = next.map_or(bytes.len(), |next| at + 1 + next);
            }
        }
    }
    if rest_from < bytes.len() {
        pieces.push(Piece::Rest(bytes.get(rest_from..).unwrap_or_default()));
    }
    pieces
}

/// The number on a header's line, and the line's length.
fn number(bytes: &[u8]) -> Option<(u64, usize)> {
    let end = memchr::memchr(b'\n', bytes.get(..bytes.len().min(24))?)?;
    let digits = bytes.get(1..end)?.strip_suffix(b"\r")?;
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((number, end + 1))
}

/// A whole argument with another header or the end behind it, and its length in all.
fn argument(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let (len, header) = number(bytes)?;
    let len = usize::try_from(len).ok()?;
    let text = bytes.get(header..header.checked_add(len)?)?;
    let behind = bytes.get(header + len..)?.strip_prefix(b"\r\n")?;
    matches!(behind.first(), None | Some(b'$' | b'*' | b'#')).then_some((text, header + len + 2))
}

/// True where a stretch of damage may have held a SELECT: it still shows, or more bytes are beyond
/// reading than one takes.
pub(super) fn may_hide_select(bytes: &[u8]) -> bool {
    if bytes.len() < SELECT_BYTES {
        return false;
    }
    let pieces = pieces(bytes);
    pieces.iter().enumerate().any(|(i, piece)| match piece {
        Piece::Header(_) => false,
        Piece::Argument(text) => text.eq_ignore_ascii_case(b"select"),
        Piece::Rest(rest) => {
            // Only the name and what frames it are lost, between the count of a SELECT and a number.
            let between = i.checked_sub(1).and_then(|before| pieces.get(before))
                == Some(&Piece::Header(2))
                && matches!(pieces.get(i + 1), Some(Piece::Argument(db))
                    if db.len() <= 5 && db.iter().all(u8::is_ascii_digit));
            rest.len() >= SELECT_BYTES
                || (between && rest.len() == NAME_BYTES)
                || shows_select(rest)
        }
    })
}

/// True where four letters of SELECT stand in their places.
fn shows_select(bytes: &[u8]) -> bool {
    bytes.windows(6).any(|window| {
        let same = window
            .iter()
            .zip(b"select")
            .filter(|(a, b)| a.to_ascii_lowercase() == **b);
        same.count() >= 4
    })
}

/// Bytes of the shortest SELECT.
const SELECT_BYTES: usize = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n".len();
/// Bytes of its name as an argument.
const NAME_BYTES: usize = b"$6\r\nSELECT\r\n".len();
/// Keys that are counted exactly, by fingerprints.
const COUNTED: usize = 1 << 20;
/// Arguments among the lost bytes that are remembered.
const SEEN: usize = 10_000;
/// Bytes of a key that is listed.
const KEY_LISTED: usize = 4096;

/// Commands that set all of their keys anew, whatever these were.
const SETS_ANEW: &[&str] = &[
    "del", "getdel", "getset", "mset", "psetex", "restore", "set", "setex", "unlink",
];

/// Commands whose outcome depends on the value there is; sorted.
const BUILDS_ON: &[&str] = &[
    "append",
    "bitfield",
    "bitop",
    "blmove",
    "brpoplpush",
    "copy",
    "decr",
    "decrby",
    "geosearchstore",
    "hincrby",
    "hincrbyfloat",
    "hsetnx",
    "incr",
    "incrby",
    "incrbyfloat",
    "linsert",
    "lmove",
    "lpop",
    "lpush",
    "lpushx",
    "lrem",
    "lset",
    "ltrim",
    "msetnx",
    "pfadd",
    "pfcount",
    "pfmerge",
    "rename",
    "renamenx",
    "rpop",
    "rpoplpush",
    "rpush",
    "rpushx",
    "sdiffstore",
    "setbit",
    "setnx",
    "setrange",
    "sinterstore",
    "smove",
    "spop",
    "sunionstore",
    "xautoclaim",
    "xclaim",
    "xtrim",
    "zincrby",
    "zpopmax",
    "zpopmin",
    "zrangestore",
    "zremrangebyrank",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aof::resp;

    fn command(args: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        resp::write_command(args.iter().map(|a| a.as_bytes()), &mut out);
        out
    }

    fn feed(keys: &mut KeysInDoubt, args: &[&str]) {
        let bytes = command(args);
        if let Ok((_, resp::Item::Command(command))) = resp::item(&bytes) {
            keys.command(0, &command);
        }
    }

    #[test]
    fn the_list_is_sorted_and_of_known_names() {
        assert!(BUILDS_ON.is_sorted());
        for name in BUILDS_ON.iter().chain(SETS_ANEW) {
            assert!(command::lookup(name.as_bytes()).is_some(), "{name}");
        }
    }

    #[test]
    fn keys_that_are_built_on_behind_a_loss_are_in_doubt_until_they_are_set_anew() {
        let mut keys = KeysInDoubt::default();
        feed(&mut keys, &["INCR", "before"]);
        keys.damaged(&command(&["INCR", "lost"]));
        feed(&mut keys, &["INCR", "other"]);
        feed(&mut keys, &["SET", "anew", "1"]);
        feed(&mut keys, &["INCR", "anew"]);
        feed(&mut keys, &["INCR", "lost"]);
        feed(&mut keys, &["APPEND", "lost", "x"]);
        feed(&mut keys, &["SADD", "set", "x"]);
        let report = keys.report();
        let listed: Vec<_> = report
            .listed
            .iter()
            .map(|key| (key.key.as_slice(), key.commands, key.seen))
            .collect();
        assert_eq!(listed, [(&b"lost"[..], 2, true), (&b"other"[..], 1, false)]);
        assert_eq!((report.count, report.more), (2, false));
    }

    #[test]
    fn damage_hides_a_select_where_one_shows_or_has_room() {
        let select = command(&["SELECT", "3"]);
        for at in 0..select.len() {
            let mut damaged = select.clone();
            damaged[at] ^= 0x04;
            // A number that became another one, or a name, leaves a command that can be read.
            if resp::item(&damaged).is_err() {
                assert!(may_hide_select(&damaged), "{}", damaged.escape_ascii());
            }
        }
        let set = command(&["SET", "key:1", "value of some length or other"]);
        for at in [0, 1, 4, 5, 13, 14, 15] {
            let mut damaged = set.clone();
            damaged[at] ^= 0x04;
            assert!(!may_hide_select(&damaged), "{}", damaged.escape_ascii());
        }
        assert!(may_hide_select(&[0; 4096]));
        assert!(!may_hide_select(&[0; 12]));
    }

    #[test]
    fn damage_is_cut_into_what_can_be_read_and_what_cannot() {
        let bytes = b"*3\r\n$3\r\nSET\r\n$x\r\nabc\r\n$1\r\nv\r\n";
        assert_eq!(
            pieces(bytes),
            [
                Piece::Header(3),
                Piece::Argument(b"SET"),
                Piece::Rest(b"$x\r\nabc\r\n"),
                Piece::Argument(b"v"),
            ]
        );
    }
}
