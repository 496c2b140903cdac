//! A log from its start to its end: commands, annotations, and the damage between them.

use crate::aof::resp::{self, Command, Ending, Item};
use crate::aof::resync::{Names, Resync};
use crate::bytes::{Fault, Problem};

/// What stands in a log, in its order. Offsets count from the log's first byte.
#[derive(Clone, Copy, Debug)]
pub enum Event<'d> {
    /// A whole command.
    Command(Command<'d>),
    /// An annotation, without its `#` and its end.
    Annotation(&'d [u8]),
    /// Bytes that are neither.
    Damage(Damage),
}

/// A stretch of bytes that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage {
    /// First byte: where the last item before it ends, or where that begins if it is a command that
    /// took bytes which are not its own, since one of its lengths was damaged. That shows by its form,
    /// which is none that servers write, or by commands that begin inside it and go on behind it.
    /// Servers take it for sound.
    pub start: usize,
    /// The last command before it, where it counts as part of it.
    pub swallowed: Option<(usize, usize)>,
    /// Just behind its last byte: where the log goes on, or its end.
    pub end: usize,
    /// The byte where reading failed.
    pub at: usize,
    /// What is wrong there.
    pub problem: Problem,
    /// What kind of damage it is.
    pub cause: Cause,
    /// True where it looks cut to servers, but not to Redis 6.2.
    pub old_format: bool,
    /// True where a log inside a value was passed over.
    pub embedded: bool,
    /// True where another reading, which keeps more commands, could not be told to be wrong.
    pub ambiguous: bool,
}

/// Damage in words that help to know where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The log ends inside its last command: the writer was stopped.
    TornTail,
    /// Zeros to the end: the file was made longer than what was written to it.
    ZeroPadding,
    /// Other bytes to the end.
    JunkTail,
    /// Whole commands follow.
    Inside,
    /// Nobody knows what follows: looking for it was given up.
    NotSearched,
}

impl Cause {
    /// The word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Cause::TornTail => "torn-tail",
            Cause::ZeroPadding => "zero-padding",
            Cause::JunkTail => "junk-tail",
            Cause::Inside => "damage-inside",
            Cause::NotSearched => "not-searched",
        }
    }
}

impl Damage {
    /// True where the loader does not see a bad format but the end of the file: a length that is too
    /// large, or a torn tail.
    pub fn looks_cut(&self) -> bool {
        matches!(self.problem, Problem::AofCut { .. })
    }
}

/// Reads a log from its start to its end, passing over damage.
#[derive(Debug)]
pub struct LogReader<'d, 'n, N: ?Sized> {
    log: &'d [u8],
    at: usize,
    names: &'n N,
    resync: Resync,
    /// Where the last command stands.
    last: (usize, usize),
    /// Whether its form is none that servers write.
    lax: bool,
}

impl<'d, 'n, N: Names + ?Sized> LogReader<'d, 'n, N> {
    /// At the start of a log, all of it. `names` decides what is believed behind damage.
    pub fn new(log: &'d [u8], names: &'n N) -> Self {
        LogReader {
            log,
            at: 0,
            names,
            resync: Resync::new(log.len()),
            last: (0, 0),
            lax: false,
        }
    }

    /// The same, from a place where a command is known to begin, behind the last command before it.
    pub fn from(log: &'d [u8], at: usize, last: (usize, usize), names: &'n N) -> Self {
        let (start, end) = last;
        let command = log.get(start..end).map(resp::item);
        LogReader {
            at: at.min(log.len()),
            last,
            lax: matches!(command, Some(Ok((_, Item::Command(command)))) if command.is_lax()),
            ..LogReader::new(log, names)
        }
    }

    /// Offset of the next byte.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// True where damage was so intricate that the search for what follows it was given up.
    pub fn gave_up(&self) -> bool {
        self.resync.is_exhausted()
    }

    /// Runs of whole known commands inside a stretch of damage, as ranges with the number of their
    /// commands: fewer than what is believed.
    pub fn runs_in(&mut self, damage: &Damage) -> Vec<(usize, usize, u64)> {
        let from = damage.start + 1;
        self.resync.runs(self.log, from, damage.end, self.names)
    }

    /// What comes next, with the offset where it begins; `None` at the end.
    #[inline]
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<(usize, Event<'d>)> {
        let rest = self.log.get(self.at..).unwrap_or_default();
        if rest.is_empty() {
            return None;
        }
        let start = self.at;
        match resp::item(rest) {
            Ok((after, item)) => {
                self.at = self.log.len() - after.len();
                let event = match item {
                    Item::Command(command) => {
                        self.last = (start, self.at);
                        self.lax = command.is_lax();
                        Event::Command(command)
                    }
                    Item::Annotation(text) => Event::Annotation(text),
                };
                Some((start, event))
            }
            Err(error) => Some((start, self.damage(rest, error))),
        }
    }

    /// True where commands begin inside the last one and go on behind it: a length in it was damaged,
    /// and it took bytes that are not its own.
    fn is_crossed(&mut self, from: usize, until: usize) -> bool {
        let names = self.names;
        self.resync.is_crossed(self.log, from + 1, until, names)
    }

    /// True where the last command, right before damage, is not in the form that servers write: it is
    /// part of the damage. A bracket has no room for bytes of others.
    fn is_odd(&self) -> bool {
        let (start, end) = self.last;
        let is_bracket = match self.log.get(start..end).map(resp::item) {
            Some(Ok((_, Item::Command(command)))) => command.is("multi") || command.is("exec"),
            _ => false,
        };
        self.lax && !is_bracket
    }

    #[cold]
    fn damage(&mut self, rest: &'d [u8], error: nom::Err<Fault>) -> Event<'d> {
        let failed = self.at;
        let (at, problem) = match error {
            nom::Err::Error(fault) | nom::Err::Failure(fault) => {
                (self.log.len() - fault.rest, fault.problem)
            }
            nom::Err::Incomplete(needed) => match resp::at_end(rest) {
                Ending::Annotation => {
                    self.at = self.log.len();
                    return Event::Annotation(rest.get(1..).unwrap_or_default());
                }
                Ending::BadFormat(problem) => (failed, problem),
                Ending::Cut => {
                    let missing = match needed {
                        nom::Needed::Size(n) => n.get() as u64,
                        nom::Needed::Unknown => 1,
                    };
                    (self.log.len(), Problem::AofCut { missing })
                }
            },
        };
        let (last, last_end) = self.last;
        let is_last = last_end == failed && last < failed;
        let crossed = is_last && self.is_crossed(last, failed);
        let swallowed = (crossed || (is_last && self.is_odd())).then_some((last, failed));
        let start = swallowed.map_or(failed, |(start, _)| start);
        // Commands inside the last one count only where they show that it is none: else they may be a
        // log that is its value.
        let from = if crossed { start + 1 } else { failed + 1 };
        let resumed = self.resync.next_chain(self.log, from, self.names);
        let end = resumed.map_or(self.log.len(), |resumed| resumed.at);
        self.at = end;
        let cause = match (resumed, problem) {
            (Some(_), _) => Cause::Inside,
            (None, _) if self.resync.is_exhausted() => Cause::NotSearched,
            (None, Problem::AofCut { .. }) => Cause::TornTail,
            (None, _) if rest.iter().all(|&byte| byte == 0) => Cause::ZeroPadding,
            (None, _) => Cause::JunkTail,
        };
        Event::Damage(Damage {
            start,
            swallowed,
            end,
            at,
            problem,
            cause,
            old_format: matches!(problem, Problem::AofCut { .. })
                && resp::is_bad_format_to_old(rest),
            embedded: resumed.is_some_and(|resumed| resumed.embedded),
            ambiguous: match resumed {
                Some(resumed) => resumed.ambiguous,
                None => self.resync.tail_in_doubt(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aof::resync::tests::{Few, command, log};

    fn events(log: &[u8]) -> Vec<(usize, String)> {
        let mut reader = LogReader::new(log, &Few);
        let mut all = Vec::new();
        while let Some((at, event)) = reader.next() {
            all.push((
                at,
                match event {
                    Event::Command(command) => {
                        let args: Vec<_> = command.args().map(String::from_utf8_lossy).collect();
                        args.join(" ")
                    }
                    Event::Annotation(text) => format!("#{}", text.escape_ascii()),
                    Event::Damage(d) => {
                        assert!(d.start <= d.at && d.at <= log.len() && d.start < d.end);
                        format!("{} {}..{}", d.cause.name(), d.start, d.end)
                    }
                },
            ));
        }
        assert_eq!(reader.offset(), log.len());
        all
    }

    /// A thousand commands.
    fn thousand() -> (Vec<u8>, Vec<usize>) {
        let mut log = Vec::new();
        let mut starts = Vec::new();
        for n in 0..1000 {
            starts.push(log.len());
            log.extend(command(&[
                "SET",
                &format!("key:{n}"),
                &format!("value {n}"),
            ]));
        }
        (log, starts)
    }

    #[test]
    fn one_changed_byte_costs_one_command() {
        let (sound, starts) = thousand();
        for (hit, at) in [(9, 0), (9, 1), (9, 4), (9, 5), (500, 3), (997, 4), (999, 0)] {
            let mut log = sound.clone();
            log[starts[hit] + at] ^= 0x10;
            let kept = events(&log)
                .iter()
                .filter(|(_, e)| e.starts_with("SET key:"))
                .count();
            assert_eq!(kept, 999, "command {hit}, byte {at}");
        }
    }

    #[test]
    fn kinds_of_damage_are_told_apart() {
        let sound = log(&[&["SELECT", "0"], &["SET", "a", "1"]]);
        let len = sound.len();
        let with = |tail: &[u8]| events(&[sound.as_slice(), tail].concat()).pop().unwrap().1;
        assert_eq!(
            with(b"*2\r\n$4\r\nINC"),
            format!("torn-tail {len}..{}", len + 11)
        );
        assert_eq!(with(&[0; 40]), format!("zero-padding {len}..{}", len + 40));
        assert_eq!(with(b"junk"), format!("junk-tail {len}..{}", len + 4));
        assert_eq!(with(b"#TS:17"), "#TS:17");
        let mut inside = [sound.as_slice(), &[0; 10], &sound].concat();
        assert_eq!(
            events(&inside)[2].1,
            format!("damage-inside {len}..{}", len + 10)
        );
        inside.truncate(len + 10);
        assert_eq!(
            events(&inside)[2].1,
            format!("zero-padding {len}..{}", len + 10)
        );
    }

    #[test]
    fn a_length_that_is_too_large_hides_nothing() {
        let (mut log, starts) = thousand();
        // "$3" of the name becomes "$9": the loader reads on and meets no CRLF where it looks for "$".
        let at = starts[20] + 5;
        log[at] = b'9';
        let all = events(&log);
        assert_eq!(
            all.iter().filter(|(_, e)| e.starts_with("SET")).count(),
            999
        );
        // A value longer than the file: the loader believes it is cut.
        let long = command(&["SET", "a", "1"]);
        let long = String::from_utf8(long)
            .unwrap()
            .replace("$1\r\n1", "$9999999\r\n1");
        let behind = [long.as_bytes(), &log[..starts[10]]].concat();
        let mut reader = LogReader::new(&behind, &Few);
        let Some((0, Event::Damage(damage))) = reader.next() else {
            panic!("damage");
        };
        assert!(damage.looks_cut());
        assert_eq!((damage.cause, damage.end), (Cause::Inside, long.len()));
    }

    #[test]
    fn where_the_search_is_given_up_nothing_is_said_of_what_follows() {
        let inner = "*99999\r\n$3\r\nSET";
        let hostile = format!("${}\r\n{inner}\r\n", inner.len()).repeat(20_000);
        let log = [hostile.as_bytes(), &thousand().0].concat();
        let mut reader = LogReader::new(&log, &Few);
        let Some((0, Event::Damage(damage))) = reader.next() else {
            panic!("damage");
        };
        assert_eq!(damage.cause, Cause::NotSearched);
        assert!(reader.gave_up());
    }

    #[test]
    fn every_truncation_ends_in_a_torn_tail_or_between_commands() {
        let sound = log(&[&["SET", "a", "1"], &["MULTI"], &["INCR", "a"], &["EXEC"]]);
        for cut in 1..sound.len() {
            let all = events(&sound[..cut]);
            let torn = all
                .iter()
                .filter(|(_, e)| e.starts_with("torn-tail"))
                .count();
            let whole: usize = all.len() - torn;
            assert!(torn <= 1 && whole <= 3, "{cut}: {all:?}");
        }
    }
}
