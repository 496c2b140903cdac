//! Finds where a log goes on behind damage.
//!
//! A look-alike is easily met: values hold text, and some hold whole logs. So one command proves
//! nothing; what counts is a chain of whole commands with known names and possible numbers of
//! arguments, three in a row or all the way to the end of the log.
//!
//! A log inside a value whose length was destroyed makes such a chain as well. It gives itself away
//! at its end, where the CR and LF that close the value stand before the next command of the outer
//! log; then that one is taken.

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
}

/// Finds chains behind damage, within a bounded effort for the whole of a log.
#[derive(Debug)]
pub struct Resync {
    patience: u64,
}

impl Resync {
    /// For a log of so many bytes.
    pub fn new(len: usize) -> Self {
        Resync {
            patience: PATIENCE.saturating_mul(len as u64).max(1 << 20),
        }
    }

    /// True when the effort is spent: what was not found then may be there all the same.
    pub fn is_exhausted(&self) -> bool {
        self.patience == 0
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
            let Some(end) = self.chain(log, at, names) else {
                at += 1;
                continue;
            };
            // A log inside a value ends in the value's own CR and LF.
            if let Some(outer) = log.get(end..).and_then(|rest| rest.strip_prefix(b"\r\n")) {
                let outer = log.len() - outer.len();
                if self.chain(log, outer, names).is_some() {
                    at = outer;
                    embedded = true;
                    continue;
                }
            }
            return Some(Resumed { at, embedded });
        }
        None
    }

    /// The end of the run of commands that begins at `at`, if it can be believed.
    fn chain<N: Names + ?Sized>(&mut self, log: &[u8], at: usize, names: &N) -> Option<usize> {
        let mut end = at;
        let mut count = 0;
        while let Some((len, is_command)) = self.link(log.get(end..)?, names) {
            end += len;
            count += usize::from(is_command);
        }
        (count >= ENOUGH || (count > 0 && end == log.len())).then_some(end)
    }

    /// The length of the known command or annotation that `rest` begins with.
    fn link<N: Names + ?Sized>(&mut self, rest: &[u8], names: &N) -> Option<(usize, bool)> {
        let head = rest.get(..rest.len().min(NAME_WITHIN)).unwrap_or_default();
        // The name is looked at before the arguments are walked.
        if let Some((argc, name)) = resp::peek(head)
            && !matches!(names.known(name, argc), Known::Yes | Known::Module)
        {
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
                is_known(&command, names).then_some((len, true))
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
        assert_eq!(next(&broken, 0), Some(Resumed { at, embedded: true }));
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
