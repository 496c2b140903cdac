//! One pass over a log: what stands in it, what is wrong, where a server stops.
//!
//! A log whose bytes are in order is read in stretches by several threads. Each guesses where a
//! command begins behind the start of its stretch; the guess counts only where the stretch before
//! ends in the same place, else the stretch is read again from there. So the result is that of one
//! pass from the start. From the first damage on, there is only one pass.

use crate::aof::log::{Cause, Damage, Event, LogReader};
use crate::aof::resp::{self, Command, Item};
use crate::aof::resync::{self, Names};
use crate::bytes::Problem;
use crate::error::{Hint, Place};
use crate::io::ordered::{Piece, Pieces, Wanted, ordered};
use crate::report::aof::LogTally;
use crate::report::finding::{Finding, Findings};
use crate::task::check_aof::judge::Used;

/// Bytes between two words on how far a log is read.
const TELL_EVERY: u64 = 8 << 20;
/// Bytes of a stretch.
const STRETCH: usize = 1 << 20;

/// Why the loader stops, apart from what depends on the server.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    /// A bad format.
    Format(u64, String),
    /// The end of the file inside a command: what is well before it, and before the transaction
    /// that the command is part of.
    Cut(u64, u64),
    /// What no server survives.
    Crash(u64, String),
}

impl Stop {
    /// Where a server comes to a stop that is none of its commands' doing.
    pub(super) fn crash(&self) -> Option<u64> {
        match self {
            Stop::Crash(at, _) => Some(*at),
            Stop::Format(..) | Stop::Cut(..) => None,
        }
    }
}

/// What one pass found.
pub(super) struct Walk {
    /// Offset of the log in its file.
    pub(super) start: u64,
    pub(super) good_until: u64,
    pub(super) tally: LogTally,
    pub(super) findings: Findings,
    pub(super) used: Used,
    /// Where the open transaction begins.
    pub(super) multi: Option<u64>,
    /// What servers take for the end of what is well: that of the last command, not of annotations
    /// behind it.
    well: u64,
    /// The same when the open transaction began.
    pub(super) well_before_multi: u64,
    /// Where the last command of the stretches begins and ends.
    last: (u64, u64),
    /// The next bracket may belong to what damage hid.
    hidden: bool,
    /// The first DISCARD in the open transaction.
    discard: Option<u64>,
    pub(super) stop: Option<Stop>,
    /// What Redis 6.2 calls a bad format where the others see the end of the file.
    pub(super) old_format: bool,
    pub(super) first_annotation: Option<u64>,
    /// The first command that Redis 6.2 takes for something else, which ends its load.
    pub(super) another_to_old: Option<u64>,
}

/// A part of a log without damage.
#[derive(Default)]
struct Stretch {
    start: usize,
    end: usize,
    /// It ends where nothing can be read.
    damaged: bool,
    commands: u64,
    used: Used,
    annotations: u64,
    times: Option<(u64, u64)>,
    first_annotation: Option<u64>,
    another_to_old: Option<u64>,
    brackets: Vec<Found>,
    findings: Findings,
    /// Where the last command begins and ends.
    last: Option<(u64, u64)>,
}

/// A command that begins or ends a transaction.
struct Found {
    at: u64,
    bracket: Bracket,
    /// The command before it, where that is in the same stretch.
    last: Option<(u64, u64)>,
}

impl Walk {
    /// At the start of a log that begins at this offset of its file.
    pub(super) fn new(start: u64) -> Self {
        Walk {
            start,
            last: (start, start),
            good_until: start,
            tally: LogTally::default(),
            findings: Findings::default(),
            used: Used::default(),
            multi: None,
            // A snapshot in front counts for nothing before a command behind it is whole.
            well: 0,
            well_before_multi: 0,
            hidden: false,
            discard: None,
            stop: None,
            old_format: false,
            first_annotation: None,
            another_to_old: None,
        }
    }

    /// Goes through all of a log.
    pub(super) fn all<N: Names + Sync>(
        &mut self,
        log: &[u8],
        names: &N,
        threads: usize,
        mut reached: impl FnMut(u64),
    ) {
        let sound = self.sound(log, names, threads, &mut reached);
        self.rest(log, sound, names, &mut reached);
        if let Some(at) = self.multi {
            let end = self.start + log.len() as u64;
            self.find(Problem::AofOpenMulti, at, end, None);
        }
    }

    /// Nothing before this log can be loaded, so that no server gets to it.
    pub(super) fn out_of_reach(&mut self, why: &str) {
        self.stop = Some(Stop::Format(self.start, why.to_owned()));
    }

    /// Reads up to the first damage, and says where that is.
    fn sound<N: Names + Sync>(
        &mut self,
        log: &[u8],
        names: &N,
        threads: usize,
        reached: &mut impl FnMut(u64),
    ) -> usize {
        if self.stop.is_some() {
            return 0;
        }
        let offset = self.start;
        let mut stretches = (0..log.len()).step_by(STRETCH);
        let mut at = 0;
        let mut told = 0;
        ordered(
            threads,
            move || stretches.next(),
            || (),
            |(), from, _: &mut Pieces<'_>| {
                let begin = match from {
                    0 => Some(0),
                    from => resync::guess(log, from, from + STRETCH, names),
                };
                begin.map(|begin| Stretch::read(log, begin, from + STRETCH, offset))
            },
            |piece| {
                let Piece::Done(guessed) = piece else {
                    return (Wanted::More, None);
                };
                // Where stretches are passed over by one large command, there is nothing to do.
                let until = told + STRETCH;
                told = until;
                if at < until.min(log.len()) {
                    let stretch = guessed
                        .filter(|stretch| stretch.start == at)
                        .unwrap_or_else(|| Stretch::read(log, at, until, offset));
                    at = stretch.end;
                    let damaged = stretch.damaged;
                    self.take(stretch);
                    if damaged {
                        return (Wanted::Nothing, None);
                    }
                }
                reached(offset + at as u64);
                (Wanted::More, None)
            },
        );
        at
    }

    fn take(&mut self, stretch: Stretch) {
        self.tally.commands += stretch.commands;
        self.tally.annotations += stretch.annotations;
        self.tally.times = match (self.tally.times, stretch.times) {
            (Some((first, _)), Some((_, last))) => Some((first, last)),
            (one, other) => one.or(other),
        };
        self.first_annotation = self.first_annotation.or(stretch.first_annotation);
        self.another_to_old = self.another_to_old.or(stretch.another_to_old);
        self.used.add(stretch.used);
        self.findings.append(stretch.findings);
        let well = self.well;
        for found in &stretch.brackets {
            self.well = found.last.map_or(well, |(_, end)| end);
            self.bracket(found.at, found.bracket);
        }
        self.well = stretch.last.map_or(well, |(_, end)| end);
        self.last = stretch.last.unwrap_or(self.last);
        if self.stop.is_none() {
            self.good_until = self.multi.unwrap_or(self.start + stretch.end as u64);
        }
    }

    /// Reads on, through damage, to the end.
    fn rest<N: Names>(
        &mut self,
        log: &[u8],
        from: usize,
        names: &N,
        reached: &mut impl FnMut(u64),
    ) {
        let local = |at: u64| usize::try_from(at - self.start).unwrap_or(usize::MAX);
        let last = (local(self.last.0), local(self.last.1));
        let mut reader = LogReader::from(log, from, last, names);
        let mut told = self.start + from as u64;
        while let Some((at, event)) = reader.next() {
            let at = self.start + at as u64;
            if at >= told + TELL_EVERY {
                reached(at);
                told = at;
            }
            match event {
                Event::Command(command) => self.command(at, &command),
                Event::Annotation(text) => self.annotation(at, text),
                Event::Damage(damage) => self.damage(at, damage),
            }
            if self.stop.is_none() && self.multi.is_none() {
                self.good_until = self.start + reader.offset() as u64;
            }
        }
    }

    fn command(&mut self, at: u64, command: &Command<'_>) {
        let end = at + command.bytes().len() as u64;
        self.tally.commands += 1;
        self.tally.behind_damage += u64::from(self.tally.damages > 0);
        if command.is_lax() {
            self.find(Problem::AofLax, at, end, None);
            if self.stop.is_none() && resp::is_another_to_old(command.bytes()) {
                self.another_to_old.get_or_insert(at);
            }
        }
        if let Some(bracket) = bracket(command) {
            self.bracket(at, bracket);
        }
        let reached = self.stop.is_none();
        self.used.command(at, command, reached);
        if reached {
            self.well = end;
        }
    }

    fn bracket(&mut self, at: u64, bracket: Bracket) {
        match bracket {
            Bracket::Multi => self.multi(at),
            Bracket::Exec => self.exec(at),
            // By itself it is an error like others, which servers go on behind.
            Bracket::Discard if self.multi.is_some() => {
                self.discard.get_or_insert(at);
            }
            Bracket::Discard => {}
        }
    }

    fn multi(&mut self, at: u64) {
        self.hidden = false;
        if self.multi.is_some() {
            self.find(Problem::AofNestedMulti, at, at, None);
        } else {
            self.multi = Some(at);
            self.well_before_multi = self.well;
        }
    }

    fn exec(&mut self, at: u64) {
        let discard = self.discard.take();
        if let Some(multi) = self.multi.take() {
            self.tally.transactions += 1;
            if let Some(discard) = discard {
                self.find(Problem::AofDiscard, discard, discard, None);
                if self.stop.is_none() {
                    let why = "it runs a DISCARD inside a transaction".to_owned();
                    self.stop = Some(Stop::Crash(discard, why));
                    self.good_until = multi;
                }
            }
        } else if !self.hidden {
            self.find(Problem::AofStrayExec, at, at, None);
        }
        self.hidden = false;
    }

    fn annotation(&mut self, at: u64, text: &[u8]) {
        self.first_annotation.get_or_insert(at);
        self.tally.annotations += 1;
        if let Some(time) = resp::timestamp(text) {
            let first = self.tally.times.map_or(time, |(first, _)| first);
            self.tally.times = Some((first, time));
        }
    }

    fn damage(&mut self, at: u64, damage: Damage) {
        self.tally.damages += 1;
        let start = self.start + damage.start as u64;
        let end = self.start + damage.end as u64;
        self.tally.damaged_bytes += end - start;
        // Servers take it for a command, and it is none.
        self.tally.commands -= u64::from(damage.swallowed.is_some());
        let hint = match damage.cause {
            Cause::Inside => Hint::Other(
                "whole commands follow, which a server loses: `--fix --strategy skip` keeps them",
            ),
            Cause::TornTail => Hint::Other(
                "a server with `aof-load-truncated yes` cuts it off, and so does `--fix`",
            ),
            Cause::ZeroPadding => Hint::Other("only zeros follow: `--fix` cuts them off"),
            Cause::JunkTail => Hint::Other("no command follows: `--fix` cuts it off"),
            Cause::NotSearched => Hint::Other(
                "too intricate to look for all that may follow: do not cut the file here unseen",
            ),
        };
        self.find(damage.problem, start, end, Some(hint));
        if self.stop.is_none() {
            self.stop = Some(match (damage.problem, self.multi) {
                (Problem::AofLength { .. }, _) => Stop::Crash(at, damage.problem.to_string()),
                _ if !damage.looks_cut() => Stop::Format(at, damage.problem.to_string()),
                (_, Some(_)) => Stop::Cut(self.well, self.well_before_multi),
                (_, None) => Stop::Cut(self.well, self.well),
            });
            self.old_format = damage.old_format;
            if let Some(multi) = self.multi {
                self.good_until = multi;
            }
        }
        self.hidden = true;
        self.discard = None;
        if let Some(multi) = self.multi.take() {
            self.find(Problem::AofOpenMulti, multi, end, None);
        }
    }

    #[cold]
    fn find(&mut self, problem: Problem, start: u64, end: u64, hint: Option<Hint>) {
        self.findings.push(Finding {
            end: end.max(start),
            ..finding(problem, start, hint)
        });
    }
}

impl Stretch {
    /// Reads from one command's start to the first one at or behind `until`, or to damage. `offset`
    /// is that of the log in its file.
    fn read(log: &[u8], from: usize, until: usize, offset: u64) -> Stretch {
        let mut stretch = Stretch {
            start: from,
            ..Stretch::default()
        };
        let mut at = from;
        while at < until {
            let Some(rest) = log.get(at..).filter(|rest| !rest.is_empty()) else {
                break;
            };
            let Ok((after, item)) = resp::item(rest) else {
                stretch.damaged = true;
                break;
            };
            let end = log.len() - after.len();
            match item {
                Item::Command(command) => stretch.command(offset + at as u64, &command),
                Item::Annotation(text) => stretch.annotation(offset + at as u64, text),
            }
            at = end;
        }
        stretch.end = at;
        stretch
    }

    #[inline]
    fn command(&mut self, at: u64, command: &Command<'_>) {
        let end = at + command.bytes().len() as u64;
        self.commands += 1;
        if command.is_lax() {
            self.lax(at, end);
            if resp::is_another_to_old(command.bytes()) {
                self.another_to_old.get_or_insert(at);
            }
        }
        if let Some(bracket) = bracket(command) {
            let last = self.last;
            self.brackets.push(Found { at, bracket, last });
        }
        self.used.command(at, command, true);
        self.last = Some((at, end));
    }

    #[cold]
    fn lax(&mut self, at: u64, end: u64) {
        self.findings.push(Finding {
            end,
            ..finding(Problem::AofLax, at, None)
        });
    }

    fn annotation(&mut self, at: u64, text: &[u8]) {
        self.first_annotation.get_or_insert(at);
        self.annotations += 1;
        if let Some(time) = resp::timestamp(text) {
            let first = self.times.map_or(time, |(first, _)| first);
            self.times = Some((first, time));
        }
    }
}

/// The commands that begin and end a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::task) enum Bracket {
    /// MULTI.
    Multi,
    /// EXEC.
    Exec,
    /// DISCARD, which the loader puts in the queue like any command.
    Discard,
}

/// Which of them a command is, if any. Redis does not look for arguments that they do not take;
/// those that do look stop at them.
#[inline]
pub(in crate::task) fn bracket(command: &Command<'_>) -> Option<Bracket> {
    match command.name().len() {
        5 if command.is("multi") => Some(Bracket::Multi),
        4 if command.is("exec") => Some(Bracket::Exec),
        7 if command.is("discard") => Some(Bracket::Discard),
        _ => None,
    }
}

pub(super) fn finding(problem: Problem, at: u64, hint: Option<Hint>) -> Finding {
    Finding {
        hint,
        ..Finding::at(problem, Place::at(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::check_aof::AnyServer;

    fn command(args: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        resp::write_command(args.iter().copied(), &mut out);
        out
    }

    /// Some megabytes: values with logs inside that are longer than a stretch, transactions across
    /// the ends of stretches, commands in odd forms, annotations.
    fn log(seed: usize) -> Vec<u8> {
        let mut log = b"#TS:1700000000\r\n".to_vec();
        let mut inner = Vec::new();
        while inner.len() < STRETCH + STRETCH / 2 {
            inner.extend(command(&[b"SET", b"inner", b"value"]));
        }
        for n in 0..4 {
            for m in 0..3000 + seed * 700 {
                let key = format!("key:{m}");
                match m % 97 {
                    0 => log.extend(command(&[b"MULTI"])),
                    13 => log.extend(command(&[b"EXEC"])),
                    50 => log.extend(b"*2\n$4\r\nINCR\r\n$1\r\nx\r\n"),
                    60 => log.extend(format!("#TS:{}\r\n", 1_700_000_000 + m).bytes()),
                    70 => log.extend(command(&[b"CONFIG", b"SET", key.as_bytes(), b"1"])),
                    80 => log.extend(command(&[b"UNKNOWN", key.as_bytes()])),
                    _ => log.extend(command(&[b"SET", key.as_bytes(), &b"v".repeat(m % 300)])),
                }
            }
            if n % 2 == seed % 2 {
                log.extend(command(&[b"SET", b"log", &inner]));
            }
        }
        log
    }

    /// All that a pass found.
    fn found(walk: &mut Walk) -> String {
        walk.findings.sort();
        format!(
            "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            walk.good_until,
            walk.tally,
            walk.findings,
            walk.used,
            walk.multi,
            walk.well,
            walk.well_before_multi,
            walk.stop,
            (walk.first_annotation, walk.another_to_old)
        )
    }

    #[test]
    fn stretches_side_by_side_find_what_one_pass_finds() {
        let names = AnyServer { allowed: &[] };
        for seed in 0..6 {
            let mut log = log(seed);
            match seed {
                // Damage in the midst, an open transaction, a cut.
                3 => {
                    let at = log.len() / 2;
                    log[at..at + 200].fill(0);
                }
                4 => log.extend(command(&[b"MULTI"])),
                5 => log.truncate(log.len() - 3),
                _ => {}
            }
            let mut whole = Walk::new(7);
            whole.rest(&log, 0, &names, &mut |_| ());
            if let Some(at) = whole.multi {
                whole.find(Problem::AofOpenMulti, at, 7 + log.len() as u64, None);
            }
            for threads in [1, 2, 3] {
                let mut walk = Walk::new(7);
                walk.all(&log, &names, threads, |_| ());
                let (one, other) = (found(&mut walk), found(&mut whole));
                let differ = one.bytes().zip(other.bytes()).position(|(a, b)| a != b);
                let near = |text: &str| {
                    let at = differ.unwrap_or(text.len());
                    text.get(at.saturating_sub(200)..(at + 200).min(text.len()))
                        .map(str::to_owned)
                };
                assert_eq!(near(&one), near(&other), "seed {seed}, {threads} threads");
            }
        }
    }
}
