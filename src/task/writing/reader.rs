//! Reads keys back from the commands that make them, without running them.
//!
//! Most keys are written in few forms, of which it is plain what they make: strings with `SET`; items in
//! commands that are read word by word (see `back`); what else there is of streams, which is summed as it
//! is read; and `PEXPIREAT` behind them. Whatever is anything else is left to the engine, with all commands
//! of its key.

use std::collections::HashSet;
use std::str::FromStr;

use foldhash::fast::RandomState;

use crate::aof::resp::{plain_argument, plain_count};
use crate::bytes::{Element, short};
use crate::keyspace::digest::Detail;
use crate::record::value::{StreamEvent, StreamMeta};
use crate::record::{DataType, StreamId, ValueVisitor};
use crate::task::writing::print::Print;
use crate::write::{PEXPIREAT, SET, is_among};

/// The most arguments of a command that is read as a whole.
const ARGUMENTS: usize = 10;

/// Reads one key after the other.
pub(super) struct Reader {
    detail: Detail,
    /// No delivery is later, where the time is known.
    latest: i64,
    of: Option<DataType>,
    print: Print,
    expires_at: Option<i64>,
    stream: Stream,
}

/// Of a stream, what the commands that follow must fit.
#[derive(Default)]
struct Stream {
    ids: Vec<StreamId>,
    /// Where the entry stands that was claimed last.
    near: usize,
    /// Its counters were set.
    is_set: bool,
    groups: HashSet<Vec<u8>, RandomState>,
    group: Option<Vec<u8>>,
    consumers: HashSet<Vec<u8>, RandomState>,
    claim: Option<Claim>,
}

/// The last pending entry of the group: what follows is mostly the same but for its ID, byte for byte, and
/// then means the same.
struct Claim {
    before: Vec<u8>,
    behind: Vec<u8>,
    consumer: Vec<u8>,
    delivered_at: i64,
    deliveries: u64,
}

impl Stream {
    fn clear(&mut self) {
        self.ids.clear();
        (self.near, self.is_set, self.group) = (0, false, None);
        self.claim = None;
        self.groups.clear();
        self.consumers.clear();
    }
}

/// The arguments of a command that are not yet read.
struct Args<'d> {
    left: usize,
    rest: &'d [u8],
}

impl<'d> Args<'d> {
    /// The next; none where there is none, or in another form than that of servers.
    #[inline(always)]
    fn next(&mut self) -> Option<&'d [u8]> {
        self.left = self.left.checked_sub(1)?;
        let (argument, rest) = plain_argument(self.rest)?;
        self.rest = rest;
        Some(argument)
    }

    /// All of them, in the room that is given; none where they do not fit.
    fn all<'r>(&mut self, room: &'r mut [&'d [u8]; ARGUMENTS]) -> Option<&'r [&'d [u8]]> {
        let all = room.get_mut(..self.left)?;
        for argument in &mut *all {
            *argument = self.next()?;
        }
        Some(all)
    }
}

/// A number that is written as servers write it, of those a server takes.
fn number<N: FromStr>(text: &[u8]) -> Option<N> {
    // A sign in front, which `parse` takes, nobody writes.
    let text = std::str::from_utf8(text).ok()?;
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

/// The string that commands give a key which has this expiry; none where they make anything else.
#[inline]
pub(super) fn string<'d>(
    commands: &'d [u8],
    key: &[u8],
    expires_at: Option<i64>,
) -> Option<&'d [u8]> {
    let (value, rest) = word_of(commands, SET, key)?;
    let Some(meant) = expires_at else {
        return rest.is_empty().then_some(value);
    };
    let (at, rest) = word_of(rest, PEXPIREAT, key)?;
    let fits = digits(at).is_some_and(|at| i64::try_from(at) == Ok(meant));
    (fits && rest.is_empty()).then_some(value)
}

/// The word behind the key in a command that begins so, and what follows.
#[inline]
fn word_of<'d>(input: &'d [u8], begin: &[u8], key: &[u8]) -> Option<(&'d [u8], &'d [u8])> {
    let (of, rest) = plain_argument(input.strip_prefix(begin)?)?;
    short::same(of, key).then(|| plain_argument(rest))?
}

/// A whole number, which most scores are, or another.
#[inline]
pub(super) fn score(text: &[u8]) -> Option<f64> {
    match text.len() <= 15 {
        true => digits(text).map(|n| n as f64),
        false => None,
    }
    .or_else(|| number(text).filter(|score: &f64| !score.is_nan()))
}

fn digits(text: &[u8]) -> Option<u64> {
    let each = |n: u64, digit: &u8| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        n.checked_mul(10)?.checked_add(u64::from(digit))
    };
    text.first()?;
    text.iter().try_fold(0, each)
}

pub(super) fn id(text: &[u8]) -> Option<StreamId> {
    let dash = memchr::memchr(b'-', text)?;
    Some(StreamId {
        ms: digits(text.get(..dash)?)?,
        seq: digits(text.get(dash + 1..)?)?,
    })
}

/// What was read of a pending entry, whose command stands in front of `rest`.
fn claim_of(input: &[u8], rest: &[u8], args: &[&[u8]]) -> Option<Claim> {
    let [_, consumer, _, of, _, time, _, count, _, _] = args else {
        return None;
    };
    let command = input.get(..input.len() - rest.len())?;
    let (_, rest) = plain_count(command)?;
    // Name, key, group, consumer, and how long it may be idle.
    let mut before = Args { left: 5, rest };
    while before.left > 0 {
        before.next()?;
    }
    let (id, behind) = plain_argument(before.rest)?;
    (id == *of).then_some(Claim {
        before: command.get(..command.len() - before.rest.len())?.to_vec(),
        behind: behind.to_vec(),
        consumer: consumer.to_vec(),
        delivered_at: number(time)?,
        deliveries: number(count)?,
    })
}

impl Reader {
    /// Of keys of which the target holds this much. No delivery that is told is later than `latest`
    /// (Unix ms).
    pub(super) fn new(detail: Detail, latest: Option<i64>) -> Self {
        Reader {
            detail,
            latest: latest.unwrap_or(i64::MAX),
            of: None,
            print: Print::new(detail),
            expires_at: None,
            stream: Stream::default(),
        }
    }

    /// A key begins.
    pub(super) fn begin(&mut self) {
        if self.of == Some(DataType::Stream) {
            self.stream.clear();
        }
        (self.of, self.expires_at) = (None, None);
        self.print = Print::new(self.detail);
    }

    /// Commands with items of a key of this type were read.
    pub(super) fn has_read(&mut self, of: DataType) {
        self.of = Some(of);
    }

    /// An entry of a stream was read, with its fields; false where none can stand there.
    pub(super) fn has_entry(&mut self, id: StreamId) -> bool {
        self.entry_of(id).is_some()
    }

    /// The expiry that the commands give the key.
    pub(super) fn expires_at(&self) -> Option<i64> {
        self.expires_at
    }

    /// What the commands that were read make of a stream: the sum of its value, and its expiry.
    pub(super) fn found(&self) -> ((u64, u64), Option<i64>) {
        (self.print.value(), self.expires_at)
    }

    /// Reads commands of the key; false where they have another form or do not fit what was read before,
    /// so that it is not plain what they make.
    #[inline]
    pub(super) fn read(&mut self, key: &[u8], commands: &[u8]) -> bool {
        let mut rest = commands;
        while !rest.is_empty() {
            match self.command(key, rest) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        self.of.is_some()
    }

    /// Reads a command, and gives what follows.
    fn command<'d>(&mut self, key: &[u8], input: &'d [u8]) -> Option<&'d [u8]> {
        if let Some(after) = self.claim(input) {
            return Some(after);
        }
        let (left, rest) = plain_count(input)?;
        let mut args = Args { left, rest };
        let name = args.next()?;
        if name != b"XADD" {
            let sub = match name {
                b"XGROUP" => args.next()?,
                _ => b"",
            };
            (args.next()? == key && self.expires_at.is_none()).then_some(())?;
            let mut room = [&[][..]; ARGUMENTS];
            let all = args.all(&mut room)?;
            self.other(name, sub, all)?;
            if name == b"XCLAIM" {
                self.stream.claim = claim_of(input, args.rest, all);
            }
            return Some(args.rest);
        }
        (args.next()? == key && self.expires_at.is_none()).then_some(())?;
        self.entry(&mut args)?;
        (args.left == 0).then_some(args.rest)
    }

    /// Reads the command of a pending entry that differs from the last one by its ID alone.
    #[inline]
    fn claim<'d>(&mut self, input: &'d [u8]) -> Option<&'d [u8]> {
        let stream = &mut self.stream;
        let claim = stream.claim.as_ref()?;
        let (of, after) = plain_argument(input.strip_prefix(&*claim.before)?)?;
        let after = after.strip_prefix(&*claim.behind)?;
        let of = id(of)?;
        (self.expires_at.is_none() && is_among(&stream.ids, &mut stream.near, of)).then_some(())?;
        let pending = StreamEvent::Pending {
            id: of,
            consumer: Some(Element::Bytes(&claim.consumer)),
            delivered_at: claim.delivered_at,
            deliveries: claim.deliveries,
        };
        self.print.stream(pending).ok()?;
        Some(after)
    }

    /// A command about entries of a stream.
    fn of_entries(&mut self) -> Option<()> {
        if self.of.is_none() {
            self.of = Some(DataType::Stream);
            self.print.begin(DataType::Stream, None).ok()?;
        }
        let fits = self.of == Some(DataType::Stream) && !self.stream.is_set;
        (fits && self.expires_at.is_none()).then_some(())
    }

    /// An entry of a stream.
    #[inline]
    fn entry_of(&mut self, id: StreamId) -> Option<()> {
        self.of_entries()?;
        let last = self.stream.ids.last().copied().unwrap_or_default();
        (id > last).then(|| self.stream.ids.push(id))
    }

    /// The command of an entry of a stream.
    fn entry(&mut self, args: &mut Args<'_>) -> Option<()> {
        self.of_entries()?;
        let first = args.next()?;
        if first == b"MAXLEN" {
            // It makes a stream and leaves nothing in it.
            let mut room = [&[][..]; ARGUMENTS];
            let [b"0", made, _, _] = args.all(&mut room)? else {
                return None;
            };
            id(made).filter(|made| *made > StreamId::default())?;
            return self.stream.ids.is_empty().then_some(());
        }
        let made = id(first)?;
        if args.left == 0 || !args.left.is_multiple_of(2) {
            return None;
        }
        self.entry_of(made)?;
        let entry = StreamEvent::Entry {
            id: made,
            fields: args.left as u64 / 2,
        };
        self.print.stream(entry).ok()?;
        while args.left > 0 {
            let (name, value) = (args.next()?, args.next()?);
            let field = StreamEvent::Field(Element::Bytes(name), Element::Bytes(value));
            self.print.stream(field).ok()?;
        }
        Some(())
    }

    /// A command that can only follow others of the key.
    fn other(&mut self, name: &[u8], sub: &[u8], args: &[&[u8]]) -> Option<()> {
        let of = self.of?;
        match (name, sub, args) {
            (b"PEXPIREAT", _, [at]) => {
                self.expires_at = Some(number::<i64>(at).filter(|at| *at > 0)?);
                return Some(());
            }
            _ if of != DataType::Stream => return None,
            (b"XSETID", _, [last]) => self.set(id(last)?, None)?,
            (b"XSETID", _, [last, b"ENTRIESADDED", added, b"MAXDELETEDID", deleted]) => {
                self.set(id(last)?, Some((number(added)?, id(deleted)?)))?;
            }
            (b"XGROUP", b"CREATE", [group, last]) => self.group(group, id(last)?, None)?,
            (b"XGROUP", b"CREATE", [group, last, b"ENTRIESREAD", b"-1"]) => {
                self.group(group, id(last)?, None)?;
            }
            (b"XGROUP", b"CREATE", [group, last, b"ENTRIESREAD", read]) => {
                let read = number::<u64>(read).filter(|read| i64::try_from(*read).is_ok())?;
                self.group(group, id(last)?, Some(read))?;
            }
            (b"XGROUP", b"CREATECONSUMER", [group, consumer]) => {
                let is_new = self.consumer(group, consumer)?;
                return is_new.then_some(());
            }
            (
                b"XCLAIM",
                _,
                [
                    group,
                    consumer,
                    b"0",
                    of,
                    b"TIME",
                    time,
                    b"RETRYCOUNT",
                    count,
                    tail @ ..,
                ],
            ) => {
                let [b"JUSTID", b"FORCE"] = tail else {
                    return None;
                };
                let of = id(of)?;
                let fits = 0..=self.latest;
                let delivered_at = number::<i64>(time).filter(|at| fits.contains(at))?;
                let deliveries = number::<u64>(count).filter(|n| i64::try_from(*n).is_ok())?;
                let stream = &mut self.stream;
                is_among(&stream.ids, &mut stream.near, of).then_some(())?;
                self.consumer(group, consumer)?;
                let pending = StreamEvent::Pending {
                    id: of,
                    consumer: Some(Element::Bytes(consumer)),
                    delivered_at,
                    deliveries,
                };
                self.print.stream(pending).ok()?;
            }
            _ => return None,
        }
        Some(())
    }

    /// The counters of a stream.
    fn set(&mut self, last_id: StreamId, counters: Option<(u64, StreamId)>) -> Option<()> {
        let stream = &mut self.stream;
        let length = stream.ids.len() as u64;
        let (entries_added, max_deleted_id) = counters.unwrap_or((length, StreamId::default()));
        let highest = stream.ids.last().copied().unwrap_or_default();
        let fits = highest <= last_id && max_deleted_id <= last_id && length <= entries_added;
        if stream.is_set || !fits || i64::try_from(entries_added).is_err() {
            return None;
        }
        stream.is_set = true;
        let meta = StreamMeta {
            length,
            last_id,
            max_deleted_id,
            entries_added,
            ..StreamMeta::default()
        };
        self.print.stream(StreamEvent::Meta(meta)).ok()
    }

    /// A group of a stream.
    fn group(&mut self, name: &[u8], last_id: StreamId, read: Option<u64>) -> Option<()> {
        let stream = &mut self.stream;
        if !stream.is_set || !stream.groups.insert(name.to_vec()) {
            return None;
        }
        stream.group = Some(name.to_vec());
        stream.claim = None;
        stream.consumers.clear();
        let group = StreamEvent::Group {
            name: Element::Bytes(name),
            last_id,
            entries_read: read,
            pending: 0,
            consumers: 0,
        };
        self.print.stream(group).ok()
    }

    /// A consumer of the group under way; whether it is new.
    fn consumer(&mut self, group: &[u8], name: &[u8]) -> Option<bool> {
        let stream = &mut self.stream;
        stream.group.as_deref().filter(|own| *own == group)?;
        if stream.consumers.contains(name) {
            return Some(false);
        }
        stream.consumers.insert(name.to_vec());
        let consumer = StreamEvent::Consumer {
            name: Element::Bytes(name),
            seen_at: 0,
            active_at: None,
            pending: 0,
        };
        self.print.stream(consumer).ok()?;
        Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aof::resp::{collect, write_command};
    use crate::error::Result;
    use crate::io::progress::Quiet;
    use crate::task::Run;
    use crate::task::writing::Summing;
    use crate::task::writing::proof::{Sum, detail, of_commands};
    use crate::write::Format;

    /// Commands, a line each. Names may be written in small letters, which the reader leaves to the
    /// engine.
    fn log(text: &str, small: bool) -> Vec<u8> {
        let mut out = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            if small && words[0] != "SELECT" {
                words[0] = words[0].to_lowercase();
            }
            write_command(words.iter().map(String::as_bytes), &mut out);
        }
        out
    }

    /// The key that a command of those that are written is about; none where it is about none.
    fn key_of<'d>(args: &[&'d [u8]]) -> Option<&'d [u8]> {
        match args {
            [b"SELECT" | b"select", ..] => None,
            [b"XGROUP" | b"xgroup", _, key, ..] | [_, key, ..] => Some(key),
            _ => None,
        }
    }

    fn reader() -> Reader {
        Reader::new(detail(&Format::named("redis-8.2").unwrap(), true), None)
    }

    /// The sum of what the reader reads, key by key, and of what the engine makes of the rest; and how many
    /// keys the reader has read.
    fn read(log: &[u8]) -> Result<(Sum, usize)> {
        let (mut sum, mut odd, mut count) = (Sum::default(), Vec::new(), 0);
        let (mut reader, mut db, mut args) = (reader(), 0, Vec::new());
        let mut rest = log;
        while let Some(mut after) = collect(rest, &mut args) {
            let Some(key) = key_of(&args) else {
                odd.extend_from_slice(&rest[..rest.len() - after.len()]);
                db = number(args[1]).unwrap_or_default();
                rest = after;
                continue;
            };
            while let Some(more) = collect(after, &mut args)
                && key_of(&args) == Some(key)
            {
                after = more;
            }
            let commands = &rest[..rest.len() - after.len()];
            reader.begin();
            if reader.read(key, commands) {
                let quick = reader.print.of_key(db, key, reader.expires_at);
                sum.quick.join(quick);
                count += 1;
            } else {
                odd.extend_from_slice(commands);
            }
            rest = after;
        }
        odd.extend_from_slice(rest);
        sum.join(engine(&odd)?);
        Ok((sum, count))
    }

    fn sum(log: &[u8]) -> Result<Sum> {
        read(log).map(|(sum, _)| sum)
    }

    fn engine(log: &[u8]) -> Result<Sum> {
        let format = Format::named("redis-8.2").unwrap();
        let run = Run {
            threads: 1,
            mmap: true,
            max_spool: 1 << 20,
            max_memory: 1 << 30,
            progress: &Quiet,
        };
        of_commands(&[log], &format, Summing::Anew, &run)
    }

    const ALL: &str = "SELECT 0
        XADD x 5-1 f v g w
        XADD x 5-2 f v
        XADD x 5-3 f v
        XSETID x 7-0 ENTRIESADDED 4 MAXDELETEDID 6-0
        XGROUP CREATE x one 5-1 ENTRIESREAD 1
        XCLAIM x one alice 0 5-1 TIME 1700000000000 RETRYCOUNT 3 JUSTID FORCE
        XCLAIM x one alice 0 5-2 TIME 1700000000001 RETRYCOUNT 1 JUSTID FORCE
        XCLAIM x one alice 0 5-3 TIME 1700000000001 RETRYCOUNT 1 JUSTID FORCE
        XGROUP CREATECONSUMER x one bob
        XGROUP CREATE x two 0-0 ENTRIESREAD -1
        PEXPIREAT x 4102444800002
        SADD s 1 2 three
        SELECT 3
        XADD x 1-1 f v
        XSETID x 1-1 ENTRIESADDED 1 MAXDELETEDID 0-0
        XADD none MAXLEN 0 9-9 x y
        XSETID none 9-9 ENTRIESADDED 1 MAXDELETEDID 9-9
        XADD last 1-1 f v
        XSETID last 1-1 ENTRIESADDED 1 MAXDELETEDID 0-0";

    #[test]
    fn what_is_read_is_what_the_engine_makes() {
        let read = sum(&log(ALL, false)).unwrap();
        assert_eq!(read, sum(&log(ALL, true)).unwrap());
        assert_ne!(read, Sum::default());
    }

    #[test]
    fn what_is_plain_is_not_run() {
        // All streams, and nothing else.
        assert_eq!(read(&log(ALL, false)).unwrap().1, 4);
        assert_eq!(read(&log(ALL, true)).unwrap().1, 0);
    }

    #[test]
    fn a_key_may_come_in_pieces() {
        let (one, other) = (
            log("XADD x 1-1 f v", false),
            log("XADD x 1-2 f v\nXSETID x 1-2\nPEXPIREAT x 9", false),
        );
        let both = [&one[..], &other].concat();
        let (mut parts, mut whole) = (reader(), reader());
        parts.begin();
        whole.begin();
        assert!(parts.read(b"x", &one) && parts.read(b"x", &other) && whole.read(b"x", &both));
        assert_eq!(parts.found(), whole.found());
        assert!(!parts.read(b"x", &one), "nothing may follow the expiry");
        assert!(!whole.read(b"y", &one), "another key");
    }

    #[test]
    fn an_expiry_may_follow_items() {
        let expiry = log("PEXPIREAT l 9", false);
        let mut reader = reader();
        reader.begin();
        assert!(!reader.read(b"l", &expiry), "of what is not there");
        reader.begin();
        reader.has_read(DataType::List);
        assert!(reader.read(b"l", &expiry));
        assert_eq!(reader.expires_at(), Some(9));
        assert!(!reader.read(b"l", &log("RPUSH l 1", false)));
    }

    #[test]
    fn commands_that_do_not_fit_are_run() {
        for (text, refused) in [
            (
                "XADD x 5-1 f v\nXSETID x 5-1 ENTRIESADDED 1 MAXDELETEDID 0-0\nPEXPIREAT y 5",
                false,
            ),
            ("XADD x 5-1 f v\nRPUSH x 2", true),
            (
                "XADD x 5-1 f v\nXSETID x 5-1 ENTRIESADDED 1 MAXDELETEDID 0-0\nPEXPIREAT x -5",
                false,
            ),
            ("XADD x 5-1 f v\nXADD x 5-0 f v", true),
            ("XADD x 5-1 f v\nXSETID x 4-0", true),
            (
                "XADD x 5-1 f v\nXSETID x 5-1\nXGROUP CREATE x g 0-0\nXGROUP CREATE x g 0-0",
                true,
            ),
            ("SELECT many", true),
        ] {
            let (read, made) = (sum(&log(text, false)), sum(&log(text, true)));
            assert_eq!((read.is_err(), made.is_err()), (refused, refused), "{text}");
            if let (Ok(read), Ok(made)) = (read, made) {
                assert_eq!(read, made, "{text}");
            }
        }
    }

    #[test]
    fn another_byte_is_another_string() {
        for (log, at) in [
            (log("SET key value", false), None),
            (
                log("SET key value\nPEXPIREAT key 4102444800000", false),
                Some(4_102_444_800_000),
            ),
        ] {
            let is = |log: &[u8]| string(log, b"key", at) == Some(b"value");
            assert!(is(&log));
            assert_eq!(string(&log, b"key", Some(7)), None);
            assert!(!is(&[&log[..], b"\r\n"].concat()));
            for index in 0..log.len() {
                let mut other = log.clone();
                other[index] ^= 1;
                assert!(!is(&other), "{index}");
                assert!(!is(&log[..index]), "{index}");
            }
        }
    }

    #[test]
    fn another_byte_is_another_sum() {
        let plain = ALL.lines().filter(|line| !line.contains("none"));
        let data = log(&plain.collect::<Vec<_>>().join("\n"), false);
        let meant = sum(&data).unwrap();
        let mut same = Vec::new();
        for at in 0..data.len() {
            let mut other = data.clone();
            other[at] ^= 1;
            if sum(&other).is_ok_and(|found| found == meant) {
                same.push(at);
            }
        }
        // What may be idle before XCLAIM takes it does not matter with FORCE.
        for at in same {
            let before = String::from_utf8_lossy(&data[at.saturating_sub(11)..at]);
            assert!(before.ends_with("alice\r\n$1\r\n"), "{at}: {before}");
        }
    }
}
