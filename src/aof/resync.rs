//! Finds where a log goes on behind damage.
//!
//! A look-alike is easily met: values hold text, and some hold whole logs. So one command proves
//! nothing; what counts is a chain of whole commands with known names and possible numbers of
//! arguments, three in a row or all the way to the end of the log.
//!
//! A log inside a value whose length was destroyed makes such a chain as well. It gives itself away
//! by the CR and LF that close the value and stand behind its last command; the chain of the outer
//! log is then the next one. A log that lacks its own last CR and LF does not: there the chains run
//! into each other, and only what is left of the length tells where the value ends.

use crate::aof::resp::{self, Command, Item};

/// Commands in a row that are believed.
const ENOUGH: usize = 3;

/// Arguments that may be walked in looking for chains, for each [`COST_OF_ARGUMENT`] bytes of the
/// log: a log that was made for the purpose must not cost more.
const PATIENCE: u64 = 32;
/// The least bytes that an argument has in a log, about.
const COST_OF_ARGUMENT: u64 = 8;

/// What is known of a command by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Some server has it, with so many arguments.
    Yes,
    /// Some server has it, none with so many arguments.
    OtherArity,
    /// It may belong to a module: its name has a dot.
    Module,
    /// Nobody has it.
    No,
}

/// Tells commands by their name and number of arguments, the name included.
pub trait Names {
    /// What is known of this command.
    fn known(&self, name: &[u8], argc: usize) -> Known;
}

/// Where a log goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// Index of the first byte of its first command.
    pub at: usize,
    /// True where another log was passed over that stands inside a value.
    pub embedded: bool,
    /// True where another reading, which keeps more commands, could not be told to be wrong.
    pub ambiguous: bool,
}

/// Finds chains behind damage, within a bounded effort for the whole of a log.
#[derive(Debug)]
pub struct Resync {
    patience: u64,
    /// What follows the last damage was taken for the rest of a value, and could be commands.
    tail_in_doubt: bool,
}

impl Resync {
    /// For a log of so many bytes.
    pub fn new(len: usize) -> Self {
        Resync {
            patience: PATIENCE.saturating_mul(len as u64).max(1 << 20),
            tail_in_doubt: false,
        }
    }

    /// True when the effort is spent: what was not found then may be there all the same.
    pub fn is_exhausted(&self) -> bool {
        self.patience == 0
    }

    /// True where nothing was found because a log inside a value runs to the end: those could be
    /// commands as well, if the value's length was damaged.
    pub fn tail_in_doubt(&self) -> bool {
        self.tail_in_doubt
    }

    /// The start of the next chain at or behind `from`, `None` without one.
    pub fn next_chain<N: Names + ?Sized>(
        &mut self,
        log: &[u8],
        from: usize,
        names: &N,
    ) -> Option<Resumed> {
        let mut at = from;
        let mut embedded = false;
        while self.patience > 0 {
            at += memchr::memchr(b'*', log.get(at..)?)?;
            let Some((end, _)) = self.chain(log, at, names) else {
                at += 1;
                continue;
            };
            // A log inside a value ends in the value's own CR and LF.
            if log.get(end..).is_some_and(|rest| rest.starts_with(b"\r\n")) {
                at = end + 2;
                embedded = true;
                continue;
            }
            let value_end = self.value_end(log, from, at, names);
            if value_end.is_none() && runs_out(log, from, at) {
                self.tail_in_doubt = true;
                return None;
            }
            return Some(Resumed {
                at: value_end.map_or(at, |(end, _)| end),
                embedded: embedded || value_end.is_some(),
                ambiguous: value_end.is_some_and(|(_, certain)| !certain),
            });
        }
        None
    }

    /// Runs of whole known commands between two places where no chain was found, as ranges with the
    /// number of their commands.
    pub fn runs<N: Names + ?Sized>(
        &mut self,
        log: &[u8],
        from: usize,
        until: usize,
        names: &N,
    ) -> Vec<(usize, usize, u64)> {
        let region = log.get(..until).unwrap_or(log);
        let mut runs = Vec::new();
        let mut at = from;
        while self.patience > 0
            && let Some(rest) = region.get(at..)
            && let Some(next) = memchr::memchr(b'*', rest)
        {
            at += next;
            let (mut end, mut count) = (at, 0);
            while let Some(rest) = region.get(end..)
                && let Some((len, is_command)) = self.link(rest, names)
            {
                end += len;
                count += u64::from(is_command);
            }
            let closes_a_value = region
                .get(end..)
                .is_some_and(|rest| rest.starts_with(b"\r\n"));
            match count {
                0 => at += 1,
                _ if closes_a_value => at = end + 2,
                _ => {
                    runs.push((at, end, count));
                    at = end;
                }
            }
        }
        runs
    }

    /// True where a chain begins behind `from` and before `until`, and goes on behind that.
    pub fn is_crossed<N: Names + ?Sized>(
        &mut self,
        log: &[u8],
        from: usize,
        until: usize,
        names: &N,
    ) -> bool {
        let mut at = from;
        while self.patience > 0
            && let Some(rest) = log.get(at..until)
            && let Some(next) = memchr::memchr(b'*', rest)
        {
            at += next;
            if self
                .chain(log, at, names)
                .is_some_and(|(end, _)| end > until)
            {
                return true;
            }
            at += 1;
        }
        false
    }

    /// Where the value ends whose length stands damaged right before `at`, if a command of the chain
    /// there ends just where such a value would: the value is then a log without its last CR and LF,
    /// which the value's own take the place of. Of several such ends the one that the length names as
    /// it stands, and this is certain, else the last.
    fn value_end<N: Names + ?Sized>(
        &mut self,
        log: &[u8],
        from: usize,
        at: usize,
        names: &N,
    ) -> Option<(usize, bool)> {
        let digits = length_before(log.get(from..at)?)?;
        let mut end = at;
        let mut found = None;
        let most = 10usize.checked_pow(u32::try_from(digits.len()).ok()?)?;
        while end - at <= most + 2
            && let Some((len, _)) = self.link(log.get(end..)?, names)
        {
            end += len;
            match could_be(digits, end - at - 2) {
                Some(true) => return Some((end, true)),
                Some(false) => found = Some((end, false)),
                None => {}
            }
        }
        found
    }

    /// The end of the run of commands that begins at `at`, if it can be believed, and how many they
    /// are.
    fn chain<N: Names + ?Sized>(
        &mut self,
        log: &[u8],
        at: usize,
        names: &N,
    ) -> Option<(usize, usize)> {
        let mut end = at;
        let mut count = 0;
        while let Some((len, is_command)) = self.link(log.get(end..)?, names) {
            end += len;
            count += usize::from(is_command);
        }
        let believed = count >= ENOUGH || (count > 0 && end == log.len());
        believed.then_some((end, count))
    }

    /// The length of the known command or annotation that `rest` begins with.
    fn link<N: Names + ?Sized>(&mut self, rest: &[u8], names: &N) -> Option<(usize, bool)> {
        let head = rest.get(..rest.len().min(NAME_WITHIN)).unwrap_or_default();
        // The name is looked at before the arguments are walked.
        let peeked = resp::peek(head)
            .map(|(argc, name)| matches!(names.known(name, argc), Known::Yes | Known::Module));
        if peeked == Some(false) {
            self.patience = self.patience.saturating_sub(1);
            return None;
        }
        let mut walked = 0;
        let item = resp::item_counting(rest, &mut walked);
        self.patience = self
            .patience
            .saturating_sub(COST_OF_ARGUMENT * (walked + 1));
        match item {
            Ok((after, Item::Command(command))) => {
                let len = rest.len() - after.len();
                // No server writes another form, and damage makes some.
                let known = peeked == Some(true) || is_known(&command, names);
                (known && !command.is_lax()).then_some((len, true))
            }
            Ok((after, Item::Annotation(text))) => {
                let len = rest.len() - after.len();
                resp::timestamp(text).map(|_| (len, false))
            }
            Err(_) => None,
        }
    }
}

/// Where a command may well begin at or behind `from` and before `until`: three whole known commands
/// stand there. No more than a guess.
pub fn guess<N: Names + ?Sized>(log: &[u8], from: usize, until: usize, names: &N) -> Option<usize> {
    let mut resync = Resync::new(until - from);
    let mut at = from;
    while at < until && resync.patience > 0 {
        at += memchr::memchr(b'*', log.get(at..until.min(log.len()))?)?;
        let mut end = at;
        let mut count = 0;
        while count < ENOUGH
            && let Some((len, is_command)) = resync.link(log.get(end..)?, names)
        {
            end += len;
            count += usize::from(is_command);
        }
        if count >= ENOUGH || (count > 0 && end == log.len()) {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// What stands where the number of an argument's header should, on a line of its own at the end of
/// some bytes, if most of it is left.
fn length_before(bytes: &[u8]) -> Option<&[u8]> {
    let lines = bytes.strip_suffix(b"\r\n")?;
    let tail = lines.get(lines.len().saturating_sub(LENGTH_WITHIN + 3)..)?;
    let (front, digits) = tail.split_at_checked(memchr::memrchr(b'$', tail)?)?;
    let digits = digits.get(1..)?;
    let lost = digits.iter().filter(|b| !b.is_ascii_digit()).count();
    let alone = front.ends_with(b"\r\n") && !digits.iter().any(|b| b"\r\n".contains(b));
    (alone && !digits.is_empty() && lost <= LOST_DIGITS).then_some(digits)
}

/// True where a value begins at `at` that the end of the log cuts short.
fn runs_out(log: &[u8], from: usize, at: usize) -> bool {
    let length = log
        .get(from..at)
        .and_then(length_before)
        .and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<usize>().ok());
    length.is_some_and(|length| length > log.len() - at)
}

/// Digits of a length that may be lost: with more of them, nearly any would do.
const LOST_DIGITS: usize = 2;

/// Bytes of an argument's header without its end, at most.
const LENGTH_WITHIN: usize = 10;

/// Whether a number may once have been what now stands there: as it is, which is certain, or but for
/// one byte or those that are no digits.
fn could_be(left: &[u8], number: usize) -> Option<bool> {
    let mut text = itoa::Buffer::new();
    let text = text.format(number).as_bytes();
    if text.len() != left.len() {
        return None;
    }
    let lost = left.iter().filter(|b| !b.is_ascii_digit()).count();
    let differ = left.iter().zip(text).filter(|(a, b)| a != b).count();
    (differ <= lost.max(1)).then_some(differ == 0)
}

/// Where a command's name is looked for.
const NAME_WITHIN: usize = 128;

fn is_known<N: Names + ?Sized>(command: &Command<'_>, names: &N) -> bool {
    matches!(
        names.known(command.name(), command.argc()),
        Known::Yes | Known::Module
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Knows a few commands.
    pub(crate) struct Few;

    impl Names for Few {
        fn known(&self, name: &[u8], argc: usize) -> Known {
            match name.to_ascii_lowercase().as_slice() {
                b"set" if argc >= 3 => Known::Yes,
                b"select" if argc == 2 => Known::Yes,
                b"multi" | b"exec" if argc == 1 => Known::Yes,
                b"incr" if argc == 2 => Known::Yes,
                b"set" | b"select" | b"multi" | b"exec" | b"incr" => Known::OtherArity,
                name if name.contains(&b'.') => Known::Module,
                _ => Known::No,
            }
        }
    }

    pub(crate) fn command(args: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        resp::write_command(args.iter().map(|a| a.as_bytes()), &mut out);
        out
    }

    pub(crate) fn log(commands: &[&[&str]]) -> Vec<u8> {
        commands.iter().flat_map(|args| command(args)).collect()
    }

    fn next(log: &[u8], from: usize) -> Option<Resumed> {
        Resync::new(log.len()).next_chain(log, from, &Few)
    }

    const THREE: &[&[&str]] = &[&["SET", "a", "1"], &["INCR", "a"], &["SET", "b", "2"]];

    #[test]
    fn three_known_commands_are_believed_and_two_only_at_the_end() {
        let good = log(THREE);
        let behind = |tail: &[u8]| [b"xx*1\r\n$9\r\n".as_slice(), &good, tail].concat();
        let at = Some(Resumed {
            at: 10,
            embedded: false,
            ambiguous: false,
        });
        assert_eq!(next(&behind(b"junk"), 0), at);
        let two = [b"\0\0".as_slice(), &log(&THREE[..2])].concat();
        assert_eq!(next(&two, 0).map(|r| r.at), Some(2));
        let two_and_junk = [two.as_slice(), b"\0\0"].concat();
        assert_eq!(next(&two_and_junk, 0), None);
    }

    #[test]
    fn unknown_names_and_impossible_counts_make_no_chain() {
        let nobody = log(&[&["NOBODY", "a"], &["NOBODY", "b"], &["NOBODY", "c"]]);
        assert_eq!(next(&nobody, 0), None);
        let arity = log(&[&["SET", "a"], &["INCR"], &["SELECT"]]);
        assert_eq!(next(&arity, 0), None);
        let module = log(&[&["JSON.SET", "a"], &["BF.ADD", "b"], &["TS.ADD", "c"]]);
        assert_eq!(next(&module, 0).map(|r| r.at), Some(0));
    }

    #[test]
    fn a_log_inside_a_value_is_passed_over() {
        let inner = log(&[&["SET", "x", "1"], &["SET", "y", "1"], &["SET", "z", "1"]]);
        let outer = log(THREE);
        // SET k <log>, whose last header was destroyed: what is left is the value and its CRLF.
        let broken = [b"garbage".as_slice(), &inner, b"\r\n", &outer].concat();
        let at = 7 + inner.len() + 2;
        let outer_log = Some(Resumed {
            at,
            embedded: true,
            ambiguous: false,
        });
        assert_eq!(next(&broken, 0), outer_log);
        // With more arguments behind the value, and at the end of the log.
        let expiry = b"\r\n$4\r\nPXAT\r\n$2\r\n99\r\n";
        let broken = [b"garbage".as_slice(), &inner, expiry, &outer].concat();
        let at = 7 + inner.len() + expiry.len();
        assert_eq!(next(&broken, 0).map(|r| r.at), Some(at));
        let last = [b"garbage".as_slice(), &inner, b"\r\n"].concat();
        assert_eq!(next(&last, 0), None);
    }

    #[test]
    fn a_log_without_its_last_line_end_is_told_by_what_is_left_of_the_length() {
        let inner = log(&[&["SET", "x", "1"], &["SET", "y", "1"], &["SET", "z", "1"]]);
        let outer = log(THREE);
        let len = inner.len() - 2;
        assert_eq!(len, 79);
        for (left, certain) in [("79", true), ("75", false), ("7x", false), ("\0\0", false)] {
            // All of the value's own commands run on into the outer log.
            let head = format!("*9\r\n$3\r\nSET\r\n$1\r\nk\r\n${left}\r\n");
            let broken = [head.as_bytes(), &inner, &outer].concat();
            let found = next(&broken, 1).unwrap();
            let at = head.len() + inner.len();
            assert_eq!((found.at, found.ambiguous), (at, !certain), "{left}");
        }
        // Nothing ends where a value of some sixty bytes would.
        let head = "*9\r\n$3\r\nSET\r\n$1\r\nk\r\n$61\r\n";
        let broken = [head.as_bytes(), &inner, &outer].concat();
        assert_eq!(next(&broken, 1).map(|r| r.at), Some(head.len()));
    }

    #[test]
    fn a_log_inside_a_value_that_the_end_cuts_short_is_no_log() {
        let inner = [log(THREE), command(&["SET", "z", "1"])].concat();
        let head = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n", inner.len());
        let torn = [head.as_bytes(), &inner[..inner.len() - 1]].concat();
        let mut resync = Resync::new(torn.len());
        assert_eq!(resync.next_chain(&torn, 1, &Few), None);
        assert!(resync.tail_in_doubt());
        // A length that is too large by damage, with text in front of what follows.
        let large = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$999\r\n1\r\n";
        let large = [large.as_slice(), &log(THREE)].concat();
        assert!(next(&large, 1).is_some());
    }

    #[test]
    fn what_stands_alone_between_two_damages_is_found_as_a_run() {
        let two = log(&[&["SET", "a", "1"], &["INCR", "a"]]);
        let region = [b"xx".as_slice(), &two, b"*yy", &log(&[&["NOBODY"]]), b"z"].concat();
        let runs = Resync::new(region.len()).runs(&region, 0, region.len(), &Few);
        assert_eq!(runs, [(2, 2 + two.len(), 2)]);
        let closed = [b"xx".as_slice(), &two, b"\r\nz"].concat();
        assert_eq!(Resync::new(99).runs(&closed, 0, closed.len(), &Few), []);
    }

    #[test]
    fn a_log_made_to_be_looked_through_for_ever_is_given_up() {
        // Every argument looks like the start of a command of very many arguments.
        let inner = "*99999\r\n$3\r\nSET";
        let hostile = format!("${}\r\n{inner}\r\n", inner.len()).repeat(20_000);
        let mut resync = Resync::new(hostile.len());
        assert_eq!(resync.next_chain(hostile.as_bytes(), 0, &Few), None);
        assert!(resync.is_exhausted());
    }
}
