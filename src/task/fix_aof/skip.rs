//! What must go from one file so that a server loads the rest.
//!
//! One pass over the file, holding nothing but what is to go. A transaction is kept whole or goes
//! whole. Behind damage the next bracket decides: an EXEC says that the damage took its MULTI, or
//! part of its queue, so that all up to it goes; a MULTI or the end of the file says that what stands
//! between are commands of their own.

use std::collections::{BTreeMap, BTreeSet};

use crate::aof::log::{Damage, Event, LogReader};
use crate::aof::position::selected;
use crate::aof::resp::{self, Command, Item};
use crate::aof::resync::Names;
use crate::command::{self, Like, Resolved};
use crate::error::printable;
use crate::report::fix::{Ambiguous, Loss, Run, SelectDoubt, Unknown, Why};
use crate::task::check_aof::{
    is_a_modules,
    walk::{Bracket, bracket},
};
use crate::task::fix_aof::doubt::{KeysInDoubt, may_hide_select};

/// What is to go beside what cannot be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'a> {
    /// The server that is to load the file.
    pub(super) like: Like,
    /// Names that are taken for a module's.
    pub(super) allowed: &'a [Vec<u8>],
    /// Commands of unknown names go.
    pub(super) drop_unknown: bool,
    /// Commands between two damages without a chain stay.
    pub(super) keep_uncertain: bool,
}

/// What one pass over a file found.
#[derive(Clone, Debug, Default)]
pub(super) struct Scan {
    /// What goes, in the order of the file, apart.
    pub(super) losses: Vec<Loss>,
    /// Commands that stay.
    pub(super) kept: u64,
    /// Commands that stay and stand before the first loss.
    pub(super) kept_before: u64,
    /// Whole commands in the file, wherever they stand.
    pub(super) commands: u64,
    /// Runs too short to be believed.
    pub(super) uncertain: Vec<Run>,
    /// Commands behind damage that stay as single ones, though they may have been in a transaction.
    pub(super) singles: Vec<Run>,
    /// Names that stop the server and stay.
    pub(super) unknown: BTreeMap<String, Unknown>,
    /// Regions with two readings.
    pub(super) ambiguous: Vec<Ambiguous>,
    /// Where the damage could hide a SELECT, and what follows it.
    pub(super) selects: Vec<SelectDoubt>,
    /// Databases that commands were meant for.
    pub(super) dbs: BTreeSet<u32>,
    /// The search behind damage was given up: what was not found may be there all the same.
    pub(super) gave_up: bool,
    /// The first time annotation above the asked one, outside a transaction.
    pub(super) later: Option<u64>,
    /// Commands that stay and stand before that.
    pub(super) kept_before_later: u64,
    /// True where a time annotation at or below the asked one stands before it.
    pub(super) earlier: bool,
}

/// A transaction that has begun.
#[derive(Clone, Copy, Debug)]
struct Open {
    start: u64,
    commands: u64,
    select: Option<(u64, u64, u32)>,
}

/// Commands behind damage, before the bracket that decides about them.
#[derive(Clone, Copy, Debug)]
struct Pending {
    /// Where they begin.
    start: u64,
    end: u64,
    commands: u64,
    select: Option<(u64, u64, u32)>,
}

/// A pass over a file.
pub(super) struct Pass<'a> {
    rules: Rules<'a>,
    offset: u64,
    scan: Scan,
    open: Option<Open>,
    pending: Option<Pending>,
    /// The database that the server has selected when it reads what stays.
    db: u32,
    /// Up to here no command is one that the server does not take.
    taken_until: u64,
    /// Index of the doubt that the next SELECT ends.
    doubt: Option<usize>,
    until: Option<u64>,
}

impl Scan {
    /// Commands that stay where the file is cut: at the first loss, or at a time.
    pub(super) fn kept_by_cut(&self, at_a_time: bool) -> u64 {
        match at_a_time {
            true => self.kept_before_later,
            false => self.kept_before,
        }
    }
}

impl<'a> Pass<'a> {
    /// At the start of a log that begins at this offset of its file; `until` is the time that later
    /// annotations are looked for.
    pub(super) fn new(rules: Rules<'a>, offset: u64, until: Option<u64>) -> Self {
        Pass {
            rules,
            offset,
            scan: Scan::default(),
            open: None,
            pending: None,
            db: 0,
            taken_until: 0,
            doubt: None,
            until,
        }
    }

    /// The server takes every command up to here: they need not be looked up again.
    pub(super) fn taken_until(&mut self, offset: u64) {
        self.taken_until = offset;
    }

    /// Notes what goes in front of the log.
    pub(super) fn lose_front(&mut self, loss: Loss) {
        self.scan.losses.push(loss);
    }

    /// Goes through the log.
    pub(super) fn run<N: Names>(
        mut self,
        log: &[u8],
        names: &N,
        keys: &mut KeysInDoubt,
        mut reached: impl FnMut(u64),
    ) -> Scan {
        let mut reader = LogReader::new(log, names);
        let mut told = 0;
        while let Some((at, event)) = reader.next() {
            let start = self.offset + at as u64;
            let end = self.offset + reader.offset() as u64;
            match event {
                Event::Command(command) => self.command(start, end, &command, keys),
                Event::Annotation(text) => self.annotation(start, text),
                Event::Damage(damage) => {
                    let runs = reader.runs_in(&damage);
                    self.damage(log, &damage, &runs, keys);
                }
            }
            if end >= told + TELL_EVERY {
                told = end;
                reached(end);
            }
        }
        self.scan.gave_up = reader.gave_up();
        self.end(self.offset + log.len() as u64, keys);
        self.scan
    }

    #[inline]
    fn command(&mut self, start: u64, end: u64, command: &Command<'_>, keys: &mut KeysInDoubt) {
        self.scan.commands += 1;
        // Where the server looks at the number of arguments, one with a wrong number is none.
        let any = command.argc() == 1 || !self.rules.like.is_valkey();
        match bracket(command).filter(|_| any) {
            Some(Bracket::Multi) if self.open.is_none() => {
                self.settle();
                self.open = Some(Open {
                    start,
                    commands: 1,
                    select: None,
                });
                return;
            }
            Some(Bracket::Exec) => return self.exec(end, keys),
            Some(Bracket::Discard) if self.open.is_some() => {
                let loss = Loss::of(start, end, Why::Discard, 1);
                return self.region(loss, command.bytes(), keys);
            }
            _ => {}
        }
        if end > self.taken_until
            && let Some(why) = self.fault(start, command)
        {
            // It may be a bracket whose name was damaged: what follows is judged as behind damage.
            return self.region(Loss::of(start, end, why, 1), command.bytes(), keys);
        }
        let select = selected(command);
        if let Some(open) = &mut self.open {
            open.commands += 1;
            if let Some(db) = select {
                open.select = Some((start, end, db));
            }
        } else {
            match &mut self.pending {
                None => self.scan.kept += 1,
                Some(pending) => {
                    pending.commands += 1;
                    pending.end = end;
                    if let Some(db) = select {
                        pending.select = Some((start, end, db));
                    }
                }
            }
        }
        match select {
            Some(db) => {
                let doubt = self.doubt.take().and_then(|n| self.scan.selects.get_mut(n));
                if let Some(doubt) = doubt {
                    // Why select what is selected, but that something else was meanwhile.
                    doubt.likely = doubt.db == db;
                }
                self.db = db;
            }
            None => {
                if !self.scan.dbs.contains(&self.db) {
                    self.scan.dbs.insert(self.db);
                }
                if let Some(doubt) = self.doubt.and_then(|n| self.scan.selects.get_mut(n)) {
                    doubt.commands += 1;
                }
                keys.command(self.db, command);
            }
        }
    }

    /// Why this server stops at a command, if it does and the command is to go.
    fn fault(&mut self, at: u64, command: &Command<'_>) -> Option<Why> {
        let (name, argc) = (command.name(), command.argc() as u64);
        let like = self.rules.like;
        let Some(spec) = command::lookup(name) else {
            if is_a_modules(name, self.rules.allowed) {
                return None;
            }
            return self.unknown(at, printable(name));
        };
        let second = match spec.subcommands().is_empty() {
            true => None,
            false => command.args().nth(1),
        };
        match spec.resolve(second, like) {
            Resolved::Known(_, signature) => {
                let crash = command::crashes_in_a_log(spec.name(), second, like);
                match signature.runs_in_a_log(argc, like) {
                    true => crash.filter(|from| argc >= *from).map(|_| Why::Crash),
                    false => Some(Why::Arity),
                }
            }
            Resolved::UnknownCommand => self.unknown(at, spec.name().to_owned()),
            Resolved::UnknownSubcommand => {
                let second = printable(second.unwrap_or_default());
                self.unknown(at, format!("{}|{second}", spec.name()))
            }
        }
    }

    #[cold]
    fn unknown(&mut self, at: u64, name: String) -> Option<Why> {
        let unknown = &mut self.scan.unknown;
        if unknown.len() < UNKNOWN_LISTED || unknown.contains_key(&name) {
            let first = Unknown {
                first: at,
                count: 0,
            };
            unknown.entry(name).or_insert(first).count += 1;
        }
        self.rules.drop_unknown.then_some(Why::UnknownCommand)
    }

    fn exec(&mut self, end: u64, keys: &mut KeysInDoubt) {
        match (self.open.take(), self.pending.take()) {
            (Some(open), _) => self.scan.kept += open.commands + 1,
            (None, Some(pending)) => {
                let commands = pending.commands + 1;
                let why = Why::HalfTransaction;
                self.lose_but_select(pending.start, end, pending.select, why, commands);
                keys.all();
            }
            // An EXEC by itself: servers complain and go on.
            (None, None) => self.scan.kept += 1,
        }
    }

    fn annotation(&mut self, at: u64, text: &[u8]) {
        if let (Some(until), Some(time)) = (self.until, resp::timestamp(text))
            && self.scan.later.is_none()
        {
            match time > until {
                true => {
                    self.scan.later = Some(self.open.map_or(at, |open| open.start));
                    self.scan.kept_before_later = self.scan.kept;
                }
                false => self.scan.earlier = true,
            }
        }
    }

    fn damage(
        &mut self,
        log: &[u8],
        damage: &Damage,
        runs: &[(usize, usize, u64)],
        keys: &mut KeysInDoubt,
    ) {
        let start = self.offset + damage.start as u64;
        let end = self.offset + damage.end as u64;
        if damage.swallowed.is_some() {
            self.uncount(start);
        }
        let why = Why::Damage(damage.cause);
        let mut from = damage.start;
        // What is kept is judged as whatever stands between two damages: a transaction in it may not
        // end there.
        let kept = if self.rules.keep_uncertain { runs } else { &[] };
        for &(start, end, _) in kept {
            if start >= from {
                self.unreadable(log, from, start, why, keys);
                from = self.run_of(log, start, end, keys);
            }
        }
        self.unreadable(log, from, damage.end, why, keys);
        for &(from, to, commands) in runs {
            let (from, to) = (self.offset + from as u64, self.offset + to as u64);
            self.scan.uncertain.push(Run {
                start: from,
                end: to,
                commands,
            });
        }
        if damage.ambiguous {
            self.scan.ambiguous.push(Ambiguous { start, end });
        }
    }

    /// A stretch of damage goes.
    fn unreadable(&mut self, log: &[u8], from: usize, to: usize, why: Why, keys: &mut KeysInDoubt) {
        let bytes = log.get(from..to).unwrap_or_default();
        if !bytes.is_empty() {
            let (start, end) = (self.offset + from as u64, self.offset + to as u64);
            let loss = Loss {
                damaged: end - start,
                ..Loss::of(start, end, why, 0)
            };
            self.region(loss, bytes, keys);
        }
    }

    /// Takes a run of whole commands as any others; gives where it ends.
    fn run_of(&mut self, log: &[u8], from: usize, to: usize, keys: &mut KeysInDoubt) -> usize {
        let mut rest = log.get(from..to).unwrap_or_default();
        while let Ok((after, item)) = resp::item(rest) {
            let start = self.offset + (to - rest.len()) as u64;
            let end = self.offset + (to - after.len()) as u64;
            match item {
                Item::Command(command) => self.command(start, end, &command, keys),
                Item::Annotation(text) => self.annotation(start, text),
            }
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        to - rest.len()
    }

    /// The last command, which begins here, is none.
    fn uncount(&mut self, start: u64) {
        self.scan.commands -= 1;
        let gone = self.scan.losses.last_mut();
        if let Some(loss) = gone.filter(|loss| loss.end > start) {
            // It went already, for its name.
            loss.end = start;
            loss.commands -= 1;
            if loss.start >= loss.end {
                self.scan.losses.pop();
            }
            return;
        }
        match (&mut self.open, &mut self.pending) {
            (Some(open), _) => open.commands -= 1,
            (None, Some(pending)) => {
                pending.commands -= 1;
                pending.end = start;
            }
            (None, None) => self.scan.kept -= 1,
        }
    }

    /// Something goes, and with it the transaction that it is part of; what follows waits for the next
    /// bracket.
    fn region(&mut self, loss: Loss, bytes: &[u8], keys: &mut KeysInDoubt) {
        self.settle();
        match self.open.take() {
            None => self.lose(loss),
            Some(open) => {
                let Loss { start, why, .. } = loss;
                self.lose_but_select(open.start, start, open.select, why, open.commands);
                self.lose(Loss {
                    in_transaction: true,
                    ..loss
                });
            }
        }
        keys.damaged(bytes);
        self.hides_select(bytes, loss.end);
        self.pending = Some(Pending {
            start: loss.end,
            end: loss.end,
            commands: 0,
            select: None,
        });
    }

    fn hides_select(&mut self, bytes: &[u8], end: u64) {
        if may_hide_select(bytes) {
            self.doubt = Some(self.scan.selects.len());
            self.scan.selects.push(SelectDoubt {
                at: end,
                db: self.db,
                commands: 0,
                likely: false,
            });
        }
    }

    /// What waited for a bracket stays.
    fn settle(&mut self) {
        let Some(pending) = self.pending.take() else {
            return;
        };
        self.scan.kept += pending.commands;
        if pending.commands > 0 {
            self.scan.singles.push(Run {
                start: pending.start,
                end: pending.end,
                commands: pending.commands,
            });
        }
    }

    fn end(&mut self, end: u64, keys: &mut KeysInDoubt) {
        self.settle();
        if let Some(open) = self.open.take() {
            self.lose(Loss {
                in_transaction: true,
                ..Loss::of(open.start, end, Why::OpenMulti, open.commands)
            });
            keys.all();
        }
        if self.scan.losses.is_empty() {
            self.scan.kept_before = self.scan.kept;
        }
    }

    /// All of a range goes but for the last SELECT in it, which later commands rely on.
    fn lose_but_select(
        &mut self,
        start: u64,
        end: u64,
        select: Option<(u64, u64, u32)>,
        why: Why,
        commands: u64,
    ) {
        let whole = Loss {
            in_transaction: true,
            ..Loss::of(start, end, why, commands)
        };
        match select {
            None => self.lose(whole),
            Some((from, to, _)) => {
                self.scan.kept += 1;
                self.lose(Loss {
                    end: from,
                    commands: commands - 1,
                    ..whole
                });
                self.lose(Loss {
                    start: to,
                    commands: 0,
                    ..whole
                });
            }
        }
    }

    fn lose(&mut self, loss: Loss) {
        if loss.start >= loss.end {
            if let Some(last) = self.scan.losses.last_mut() {
                last.commands += loss.commands;
            }
            return;
        }
        if self.scan.losses.is_empty() {
            self.scan.kept_before = self.scan.kept;
        }
        match self.scan.losses.last_mut() {
            // What adjoins is one place.
            Some(last) if last.end == loss.start => {
                last.end = loss.end;
                last.commands += loss.commands;
                last.damaged += loss.damaged;
                last.in_transaction |= loss.in_transaction;
            }
            _ => self.scan.losses.push(loss),
        }
    }
}

/// Bytes between two words on how far a log is read.
const TELL_EVERY: u64 = 8 << 20;
/// Unknown names that are listed.
const UNKNOWN_LISTED: usize = 1000;
