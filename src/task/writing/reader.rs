//! Reads keys back from the commands that make them, without running them.
//!
//! Most keys are written in few forms, of which it is plain what they make: `SET`, or `RPUSH`, `SADD`,
//! `ZADD`, `HMSET` with all elements, or the commands of a stream, and `PEXPIREAT`. Those are summed as
//! they are read. Whatever is anything else is left to the engine, with all commands of its key.

use std::collections::HashSet;
use std::str::FromStr;

use crate::bytes::Element;
use crate::keyspace::digest::Detail;
use crate::record::value::{StreamEvent, StreamMeta};
use crate::record::{DataType, StreamId, ValueVisitor};
use crate::task::writing::print::{Print, Quick};

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Took {
    /// A key begins with it, or a database is selected: the key before is whole.
    Begins,
    /// It goes on with the key under way.
    GoesOn,
    /// It has another form, or does not fit what stands before it.
    Not,
}

/// Sums keys, whose commands stand together.
pub(super) struct Reader<'d> {
    detail: Detail,
    /// No delivery is later, where the time is known.
    latest: i64,
    db: u32,
    key: Option<Key<'d>>,
    quick: Quick,
}

/// A key under way.
struct Key<'d> {
    name: &'d [u8],
    of: DataType,
    print: Print,
    expires_at: Option<i64>,
    stream: Stream<'d>,
}

/// Of a stream, what the commands that follow must fit.
#[derive(Default)]
struct Stream<'d> {
    ids: Vec<StreamId>,
    /// Its counters were set.
    is_set: bool,
    groups: HashSet<&'d [u8]>,
    group: Option<&'d [u8]>,
    consumers: HashSet<&'d [u8]>,
}

/// The key that a command of those that are written here is about; none where it is about none.
pub(super) fn key_of<'d>(args: &[&'d [u8]]) -> Option<&'d [u8]> {
    match args {
        [b"SELECT" | b"FUNCTION", ..] => None,
        [b"XGROUP", _, key, ..] | [_, key, ..] => Some(key),
        _ => None,
    }
}

/// A number that is written as servers write it, of those a server takes.
fn number<N: FromStr>(text: &[u8]) -> Option<N> {
    // A sign in front, which `parse` takes, nobody writes.
    let text = std::str::from_utf8(text).ok()?;
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

/// A whole number, which most scores are, or another.
fn score(text: &[u8]) -> Option<f64> {
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

fn id(text: &[u8]) -> Option<StreamId> {
    let dash = memchr::memchr(b'-', text)?;
    Some(StreamId {
        ms: digits(text.get(..dash)?)?,
        seq: digits(text.get(dash + 1..)?)?,
    })
}

impl<'d> Reader<'d> {
    /// Of keys of which the target holds this much. No delivery that is told is later than `latest`
    /// (Unix ms).
    pub(super) fn new(detail: Detail, latest: Option<i64>) -> Self {
        Reader {
            detail,
            latest: latest.unwrap_or(i64::MAX),
            db: 0,
            key: None,
            quick: Quick::default(),
        }
    }

    /// The sum of all keys.
    pub(super) fn finish(mut self) -> Quick {
        self.end_key();
        self.quick
    }

    /// Forgets the key under way, if it is this one; whether it is.
    pub(super) fn forget(&mut self, key: Option<&[u8]>) -> bool {
        let is_it = self.key.as_ref().is_some_and(|own| Some(own.name) == key);
        if is_it {
            self.key = None;
        } else {
            self.end_key();
        }
        is_it
    }

    fn end_key(&mut self) {
        if let Some(key) = self.key.take() {
            let sum = key.print.of_key(self.db, key.name, key.expires_at);
            self.quick.join(sum);
        }
    }

    /// Reads a command.
    #[inline]
    pub(super) fn read(&mut self, args: &[&'d [u8]]) -> Took {
        self.command(args).unwrap_or(Took::Not)
    }

    fn command(&mut self, args: &[&'d [u8]]) -> Option<Took> {
        let (name, key, rest) = match args {
            [b"SELECT", db] => {
                self.end_key();
                self.db = number(db)?;
                return Some(Took::Begins);
            }
            [b"XGROUP", sub, key, rest @ ..] => (*sub, *key, rest),
            [name, key, rest @ ..] => (*name, *key, rest),
            _ => return None,
        };
        let of = match name {
            b"SET" => DataType::String,
            b"RPUSH" => DataType::List,
            b"SADD" => DataType::Set,
            b"ZADD" => DataType::ZSet,
            b"HMSET" => DataType::Hash,
            b"XADD" => DataType::Stream,
            _ => {
                let under_way = self.key.as_mut().filter(|own| own.name == key)?;
                if under_way.expires_at.is_some() {
                    return None;
                }
                under_way.other(name, rest, self.latest)?;
                return Some(Took::GoesOn);
            }
        };
        if let Some(own) = self.key.as_mut().filter(|own| own.name == key) {
            if own.of != of || of == DataType::String || own.expires_at.is_some() {
                return None;
            }
            own.elements(rest)?;
            return Some(Took::GoesOn);
        }
        self.end_key();
        let mut new = Key {
            name: key,
            of,
            print: Print::new(self.detail),
            expires_at: None,
            stream: Stream::default(),
        };
        if of != DataType::String {
            new.print.begin(of, None).ok()?;
        }
        new.elements(rest)?;
        self.key = Some(new);
        Some(Took::Begins)
    }
}

impl<'d> Key<'d> {
    /// Takes what stands behind the key in the command that makes values of its type.
    fn elements(&mut self, args: &[&'d [u8]]) -> Option<()> {
        let print = &mut self.print;
        match self.of {
            DataType::String => match args {
                [value] => print.string(Element::Bytes(value)).ok()?,
                _ => return None,
            },
            DataType::List | DataType::Set if !args.is_empty() => {
                for element in args {
                    print.element(Element::Bytes(element)).ok()?;
                }
            }
            DataType::ZSet | DataType::Hash => {
                let (pairs, []) = args.as_chunks::<2>() else {
                    return None;
                };
                if pairs.is_empty() {
                    return None;
                }
                for [one, other] in pairs {
                    let (one_element, other) = (Element::Bytes(one), Element::Bytes(other));
                    if self.of == DataType::Hash {
                        print.field(one_element, other, None).ok()?;
                        continue;
                    }
                    print.member(other, score(one)?).ok()?;
                }
            }
            DataType::Stream => return self.entry(args),
            _ => return None,
        }
        Some(())
    }

    /// An entry of a stream.
    fn entry(&mut self, args: &[&'d [u8]]) -> Option<()> {
        if self.stream.is_set {
            return None;
        }
        if let [b"MAXLEN", b"0", made, _, _] = args {
            // It makes a stream and leaves nothing in it.
            id(made).filter(|made| *made > StreamId::default())?;
            return self.stream.ids.is_empty().then_some(());
        }
        let (made, fields) = args.split_first()?;
        let made = id(made)?;
        let (pairs, []) = fields.as_chunks::<2>() else {
            return None;
        };
        let last = self.stream.ids.last().copied().unwrap_or_default();
        if pairs.is_empty() || made <= last {
            return None;
        }
        self.stream.ids.push(made);
        let entry = StreamEvent::Entry {
            id: made,
            fields: pairs.len() as u64,
        };
        self.print.stream(entry).ok()?;
        for [name, value] in pairs {
            let field = StreamEvent::Field(Element::Bytes(name), Element::Bytes(value));
            self.print.stream(field).ok()?;
        }
        Some(())
    }

    /// A command that can only follow others of the key.
    fn other(&mut self, name: &[u8], args: &[&'d [u8]], latest: i64) -> Option<()> {
        match (name, args) {
            (b"PEXPIREAT", [at]) => {
                self.expires_at = Some(number::<i64>(at).filter(|at| *at > 0)?);
                return Some(());
            }
            _ if self.of != DataType::Stream => return None,
            (b"XSETID", [last]) => self.set(id(last)?, None)?,
            (b"XSETID", [last, b"ENTRIESADDED", added, b"MAXDELETEDID", deleted]) => {
                self.set(id(last)?, Some((number(added)?, id(deleted)?)))?;
            }
            (b"CREATE", [group, last]) => self.group(group, id(last)?, None)?,
            (b"CREATE", [group, last, b"ENTRIESREAD", b"-1"]) => {
                self.group(group, id(last)?, None)?;
            }
            (b"CREATE", [group, last, b"ENTRIESREAD", read]) => {
                let read = number::<u64>(read).filter(|read| i64::try_from(*read).is_ok())?;
                self.group(group, id(last)?, Some(read))?;
            }
            (b"CREATECONSUMER", [group, consumer]) => {
                let is_new = self.consumer(group, consumer)?;
                return is_new.then_some(());
            }
            (
                b"XCLAIM",
                [
                    group,
                    consumer,
                    b"0",
                    of,
                    b"TIME",
                    time,
                    b"RETRYCOUNT",
                    count,
                    b"JUSTID",
                    b"FORCE",
                ],
            ) => {
                let of = id(of)?;
                let delivered_at = number::<i64>(time).filter(|at| (0..=latest).contains(at))?;
                let deliveries = number::<u64>(count).filter(|n| i64::try_from(*n).is_ok())?;
                self.stream.ids.binary_search(&of).ok()?;
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
    fn group(&mut self, name: &'d [u8], last_id: StreamId, read: Option<u64>) -> Option<()> {
        let stream = &mut self.stream;
        if !stream.is_set || !stream.groups.insert(name) {
            return None;
        }
        stream.group = Some(name);
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
    fn consumer(&mut self, group: &[u8], name: &'d [u8]) -> Option<bool> {
        self.stream.group.filter(|own| *own == group)?;
        let is_new = self.stream.consumers.insert(name);
        if is_new {
            let consumer = StreamEvent::Consumer {
                name: Element::Bytes(name),
                seen_at: 0,
                active_at: None,
                pending: 0,
            };
            self.print.stream(consumer).ok()?;
        }
        Some(is_new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aof::resp::write_command;
    use crate::error::Result;
    use crate::io::progress::Quiet;
    use crate::task::Run;
    use crate::task::writing::Summing;
    use crate::task::writing::proof::{Sum, of_commands};
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

    fn sum(log: &[u8]) -> Result<Sum> {
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
        SET a 1
        SET b text
        PEXPIREAT b 4102444800000
        RPUSH l 1 two 3
        RPUSH l two
        SADD s 1 2 three
        PEXPIREAT s 4102444800001
        ZADD z 1.5 a -3 b inf c 12345678901234567 d
        HMSET h f 1 g 2
        HMSET h i 3
        HMSET ttl f 1 g 2
        HPEXPIREAT ttl 4102444800000 FIELDS 1 f
        SET c 2
        XADD x 5-1 f v g w
        XADD x 5-2 f v
        XSETID x 7-0 ENTRIESADDED 4 MAXDELETEDID 6-0
        XGROUP CREATE x one 5-1 ENTRIESREAD 1
        XCLAIM x one alice 0 5-1 TIME 1700000000000 RETRYCOUNT 3 JUSTID FORCE
        XCLAIM x one alice 0 5-2 TIME 1700000000001 RETRYCOUNT 1 JUSTID FORCE
        XGROUP CREATECONSUMER x one bob
        XGROUP CREATE x two 0-0 ENTRIESREAD -1
        PEXPIREAT x 4102444800002
        SELECT 3
        SET a 1
        XADD none MAXLEN 0 9-9 x y
        XSETID none 9-9 ENTRIESADDED 1 MAXDELETEDID 9-9
        SET last 1";

    #[test]
    fn what_is_read_is_what_the_engine_makes() {
        let read = sum(&log(ALL, false)).unwrap();
        assert_eq!(read, sum(&log(ALL, true)).unwrap());
        // Key by key, so that nothing makes up for another.
        for line in [
            "SADD s 1 2",
            "HMSET h a 1 b 2 c 3",
            "ZADD z 1 a 2 b",
            "SET a b",
        ] {
            let (read, made) = (log(line, false), log(line, true));
            assert_eq!(sum(&read).unwrap(), sum(&made).unwrap(), "{line}");
            assert_ne!(sum(&read).unwrap(), Sum::default(), "{line}");
        }
    }

    #[test]
    fn what_is_plain_is_not_run() {
        let data = log(ALL, false);
        let (mut rest, mut args) = (data.as_slice(), Vec::new());
        let mut reader = Reader::new(
            super::super::proof::detail(&Format::named("redis-8.2").unwrap(), true),
            None,
        );
        let mut not = Vec::new();
        while let Some(after) = crate::aof::resp::collect(rest, &mut args) {
            if reader.read(&args) == Took::Not {
                not.push(args[0].to_vec());
                reader.forget(key_of(&args));
            }
            rest = after;
        }
        assert_eq!(not, [b"HPEXPIREAT"]);
    }

    #[test]
    fn commands_that_do_not_fit_are_run() {
        for (text, refused) in [
            ("SET a 1\nPEXPIREAT b 5", false),
            ("SET a 1\nRPUSH a 2", true),
            ("SADD s 1\nPEXPIREAT s -5", false),
            ("ZADD z nan a", true),
            ("ZADD z 1 a 2", true),
            ("HMSET h a", true),
            ("XADD x 5-1 f v\nXADD x 5-0 f v", true),
            ("XADD x 5-1 f v\nXSETID x 4-0", true),
            (
                "XADD x 5-1 f v\nXSETID x 5-1\nXGROUP CREATE x g 0-0\nXGROUP CREATE x g 0-0",
                true,
            ),
            ("SELECT many", true),
            ("SET a 1\nSET a 2", false),
            ("RPUSH l 1\nSET a 1\nRPUSH l 2", false),
        ] {
            let (read, made) = (sum(&log(text, false)), sum(&log(text, true)));
            assert_eq!((read.is_err(), made.is_err()), (refused, refused), "{text}");
            // A key that is told in two parts is another sum than that key in one.
            if let (Ok(read), Ok(made)) = (read, made) {
                assert_eq!(read == made, !text.contains("RPUSH l"), "{text}");
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
