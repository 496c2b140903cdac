//! Formats a stretch of a log on one thread.

use crate::aof::position::Position;
use crate::aof::resp::{self, Command, Item};
use crate::command::key_positions;
use crate::io::ordered::Pieces;
use crate::report::Finding;
use crate::task::log::line::Lines;
use crate::task::log::{Done, Listed, LogOptions, Picks};

/// A stretch of whole commands and annotations, or one of damage.
pub(super) struct Job<'d> {
    /// Offset of its first byte in the file.
    pub(super) at: u64,
    /// Its bytes; none of damage.
    pub(super) bytes: &'d [u8],
    /// The position that it begins at.
    pub(super) before: Position,
    /// What kind of damage it is, and what is wrong.
    pub(super) damage: Option<(&'static str, Finding)>,
}

/// Arguments among which keys are looked for: servers take about a million from a client.
const MOST_ARGUMENTS: usize = 1 << 22;

pub(super) struct Worker<'o> {
    options: &'o LogOptions,
    picks: &'o Picks<'o>,
    file: &'o Listed<'o>,
    lines: Lines,
    /// How many more commands to write.
    left: Option<u64>,
    plain: bool,
    annotations: bool,
    at: Vec<usize>,
}

impl<'o> Worker<'o> {
    pub(super) fn new(
        options: &'o LogOptions,
        picks: &'o Picks<'o>,
        file: &'o Listed<'o>,
        left: Option<u64>,
    ) -> Self {
        let annotations = picks.annotations();
        let timeless = options.from_time.is_none() && options.to_time.is_none();
        Worker {
            options,
            picks,
            file,
            lines: Lines::new(options, &file.name, file.in_set),
            left,
            plain: annotations && timeless && left.is_none(),
            annotations,
            at: Vec::new(),
        }
    }

    pub(super) fn job(&mut self, job: &Job<'o>, pieces: &mut Pieces<'_>) -> Done {
        let mut done = Done {
            end: job.at + job.bytes.len() as u64,
            ..Done::default()
        };
        if let Some((cause, finding)) = &job.damage {
            self.damage(cause, finding, job, &mut done);
        }
        let mut position = job.before;
        let mut args = Vec::new();
        let mut rest = job.bytes;
        while !rest.is_empty() && self.left != Some(0) {
            let at = job.at + (job.bytes.len() - rest.len()) as u64;
            // The bytes were framed before.
            let Ok((after, item)) = resp::item(rest) else {
                break;
            };
            let len = (rest.len() - after.len()) as u64;
            rest = after;
            match item {
                Item::Command(command) => {
                    if self.wants(at, len, &position, &command, &mut args) {
                        self.lines.command(at, len, &position, &command, pieces);
                        done.written += 1;
                        self.left = self.left.map(|left| left - 1);
                    }
                    position.command(&command);
                }
                Item::Annotation(text) => {
                    position.annotation(text);
                    let asked = self.annotations && self.is_within(at, len, position.time);
                    if asked {
                        self.lines.annotation(at, text, pieces);
                    }
                }
            }
        }
        self.lines.take(pieces);
        done
    }

    #[cold]
    fn damage(&mut self, cause: &str, finding: &Finding, job: &Job<'_>, done: &mut Done) {
        done.end = finding.end;
        let len = finding.end - finding.start;
        if !self.is_within(finding.start, len, job.before.time) {
            return;
        }
        self.lines.damage(cause, finding);
        let mut finding = finding.clone();
        if self.file.in_set {
            finding.file = Some(self.file.name.clone());
        }
        done.hides_select = finding.end < self.file.data.len() as u64;
        done.finding = Some(finding);
    }

    #[inline]
    fn is_within(&self, at: u64, len: u64, time: Option<u64>) -> bool {
        let range = self.file.range;
        at >= range.from && at.saturating_add(len) <= range.to && self.picks.in_time(time)
    }

    #[inline]
    fn wants<'d>(
        &mut self,
        at: u64,
        len: u64,
        position: &Position,
        command: &Command<'d>,
        args: &mut Vec<&'d [u8]>,
    ) -> bool {
        self.is_within(at, len, position.time)
            && (self.plain || self.picked(position, command, args))
    }

    fn picked<'d>(
        &mut self,
        position: &Position,
        command: &Command<'d>,
        args: &mut Vec<&'d [u8]>,
    ) -> bool {
        let options = self.options;
        let names = &options.names;
        let named = |name: &Vec<u8>| name.eq_ignore_ascii_case(command.name());
        if !(names.is_empty() || names.iter().any(named))
            || !(options.dbs.is_empty() || options.dbs.contains(&position.db))
        {
            return false;
        }
        // What has more arguments than anybody can hold is better listed than not.
        if self.picks.keys.is_empty() || command.argc() > MOST_ARGUMENTS {
            return true;
        }
        args.clear();
        args.extend(command.args());
        key_positions(args, &mut self.at);
        let mut keys = self.at.iter().filter_map(|at| args.get(*at));
        keys.any(|key| self.picks.keys.iter().any(|glob| glob.matches(key)))
    }
}
