//! The commands of a log, by name and by key.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::aof::log::{Event, LogReader};
use crate::aof::position::Position;
use crate::aof::resp::Command;
use crate::command::{key_positions, lookup};
use crate::error::printable;
use crate::record::filter::{Filter, FilterOptions};
use crate::report::stats::{BusyKey, CommandCount};
use crate::task::check_aof::AnyServer;
use crate::task::stats::busy::Busy;

/// Names that no server knows which are counted apart, and bytes of them.
const STRANGE: usize = 1000;
const STRANGE_BYTES: usize = 64;
/// Arguments among which keys are looked for: servers take about a million from a client.
const MOST_ARGUMENTS: usize = 1 << 22;
/// Bytes between two words on how far it is.
const TELL_EVERY: u64 = 1 << 20;

/// Counts commands.
pub(super) struct Commands<'o> {
    filter: &'o Filter,
    dbs: &'o [u32],
    known: HashMap<&'static str, (u64, u64), RandomState>,
    strange: HashMap<Vec<u8>, (u64, u64), RandomState>,
    other: (u64, u64),
    busy: Busy,
    at: Vec<usize>,
}

impl<'o> Commands<'o> {
    /// Of keys only those count that are asked for by name and database: what else they are, a log
    /// does not say.
    pub(super) fn new(filter: &'o Filter, options: &'o FilterOptions) -> Self {
        Commands {
            filter,
            dbs: &options.dbs,
            known: HashMap::default(),
            strange: HashMap::default(),
            other: (0, 0),
            busy: Busy::default(),
            at: Vec::new(),
        }
    }

    /// Counts what can be read of a log, behind damage as well.
    pub(super) fn log(&mut self, log: &[u8], allowed: &[Vec<u8>], mut reached: impl FnMut(u64)) {
        let names = AnyServer { allowed };
        let mut reader = LogReader::new(log, &names);
        let mut position = Position::default();
        // Damage behind a command may show that it is none.
        let mut held: Option<Command<'_>> = None;
        let mut args = Vec::new();
        let mut told = 0;
        while let Some((at, event)) = reader.next() {
            let next = match event {
                Event::Command(command) => Some(command),
                Event::Annotation(_) => None,
                Event::Damage(damage) => {
                    if damage.swallowed.is_some() {
                        held = None;
                    }
                    None
                }
            };
            if let Some(command) = std::mem::replace(&mut held, next) {
                self.command(&position, &command, &mut args);
                position.command(&command);
            }
            if at as u64 >= told + TELL_EVERY {
                told = at as u64;
                reached(told);
            }
        }
        if let Some(command) = held {
            self.command(&position, &command, &mut args);
        }
    }

    fn command<'d>(
        &mut self,
        position: &Position,
        command: &Command<'d>,
        args: &mut Vec<&'d [u8]>,
    ) {
        let bytes = command.bytes().len() as u64;
        let name = command.name();
        let count = match lookup(name) {
            Some(spec) => self.known.entry(spec.name()).or_default(),
            None => {
                let name = name.get(..STRANGE_BYTES).unwrap_or(name);
                let has_place = self.strange.len() < STRANGE || self.strange.contains_key(name);
                match has_place {
                    true => self.strange.entry(name.to_vec()).or_default(),
                    false => &mut self.other,
                }
            }
        };
        count.0 += 1;
        count.1 += bytes;
        if command.argc() > MOST_ARGUMENTS
            || !(self.dbs.is_empty() || self.dbs.contains(&position.db))
        {
            return;
        }
        args.clear();
        args.extend(command.args());
        key_positions(args, &mut self.at);
        let keys = self.at.len() as u64;
        let Some(share) = bytes.checked_div(keys) else {
            return;
        };
        for key in self.at.iter().filter_map(|at| args.get(*at)) {
            if self.filter.matches_name(key) {
                self.busy.add(position.db, key, share);
            }
        }
    }

    /// Commands by name, the most frequent first; those whose names found no place; the keys that
    /// most of them work on.
    pub(super) fn finish(self, top: usize) -> (Vec<CommandCount>, CommandCount, Vec<BusyKey>) {
        let count = |name: String, (count, bytes): (u64, u64)| CommandCount { name, count, bytes };
        let known = self.known.into_iter();
        let strange = self.strange.into_iter();
        let mut names: Vec<CommandCount> = known
            .map(|(name, found)| count(name.to_owned(), found))
            .chain(strange.map(|(name, found)| count(printable(&name), found)))
            .collect();
        names.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        let other = count(String::new(), self.other);
        (names, other, self.busy.finish(top))
    }
}
