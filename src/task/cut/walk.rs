//! All files of a log, one item after the other.

use crate::aof::log::{Event, LogReader};
use crate::aof::position::Position;
use crate::aof::resp::Command;
use crate::error::{Place, Result, printable};
use crate::io::source::Behind;
use crate::record::Flow;
use crate::report::{Finding, Findings};
use crate::task::check_aof::{AnyServer, begins_with_snapshot};
use crate::task::front::Front;
use crate::task::log_files::LogFiles;
use crate::task::mend::FilePlan;
use crate::task::{InputPath, Run};

/// Bytes between two words on how far a file is read.
const TELL_EVERY: u64 = 8 << 20;
/// Bytes of magic and version of a snapshot.
const MAGIC: usize = 9;

/// The files, with what is known of each before it is gone through.
pub(super) struct Walk {
    pub(super) files: LogFiles,
    /// In load order.
    pub(super) about: Vec<About>,
    /// Damage of snapshots.
    pub(super) damage: Findings,
}

/// What is known of a file.
pub(super) struct About {
    pub(super) name: String,
    pub(super) size: u64,
    /// Where its commands begin.
    pub(super) start: u64,
    /// `resp`, or the magic of the snapshot that it begins with.
    pub(super) format: String,
    /// Nothing changes yet: what the file was when it was first looked at.
    pub(super) plan: FilePlan,
    /// Whether it can be read again.
    pub(super) is_plain: bool,
}

impl About {
    /// Whether it has a log, be it an empty one.
    pub(super) fn is_log(&self) -> bool {
        self.start < self.size || self.size == 0
    }
}

/// What stands at a place.
pub(super) struct Item<'e, 'd> {
    /// The index of its file.
    pub(super) file: usize,
    /// Its first byte.
    pub(super) at: u64,
    /// Just behind its last byte.
    pub(super) end: u64,
    /// What is known before it.
    pub(super) position: Position,
    /// The MULTI of the transaction that it stands in; a MULTI itself stands in none.
    pub(super) multi: Option<u64>,
    pub(super) event: &'e Event<'d>,
}

impl Walk {
    pub(super) fn of(input: &InputPath, run: &Run<'_>) -> Result<Walk> {
        let files = LogFiles::open(input, run)?;
        let mut walk = Walk {
            about: Vec::new(),
            damage: Findings::default(),
            files,
        };
        for index in 0..walk.files.count() {
            let name = walk.files.name(index);
            let (mut size, mut start, mut format) = (0, 0, "resp".to_owned());
            let mut plan = None;
            if let Some(file) = walk.files.get(index, run)? {
                let mut behind = Behind::new(Some(&file.map));
                let reached = |at| behind.reach(at);
                let front = Front::of(&file.map, &AnyServer::default(), reached)?;
                size = file.map.len() as u64;
                plan = FilePlan::of(&file.origin);
                start = front.len(&file.map) as u64;
                if begins_with_snapshot(&file.map) {
                    format = printable(file.map.get(..MAGIC).unwrap_or_default());
                }
                if let Some(mut finding) = front.damage {
                    finding.file = walk.files.set().map(|_| name.clone());
                    walk.damage.push(finding);
                }
            }
            walk.about.push(About {
                is_plain: plan.is_some(),
                plan: FilePlan {
                    size,
                    ..plan.unwrap_or_else(|| FilePlan::new(&name, size))
                },
                name,
                size,
                start,
                format,
            });
        }
        Ok(walk)
    }

    /// Calls `each` with everything that stands in the logs, until it has enough.
    pub(super) fn each(
        &self,
        run: &Run<'_>,
        mut each: impl FnMut(&Item<'_, '_>) -> Result<Flow>,
    ) -> Result<()> {
        let names = AnyServer::default();
        let mut position = Position::default();
        let mut done = 0;
        for (index, about) in self.about.iter().enumerate() {
            position.next_file();
            let Some(file) = self.files.get(index, run)? else {
                continue;
            };
            let mut behind = Behind::new(Some(&file.map));
            let start = usize::try_from(about.start).unwrap_or(usize::MAX);
            let mut reader = LogReader::new(file.map.get(start..).unwrap_or_default(), &names);
            let (mut multi, mut told) = (None, 0);
            // The last command is held back: damage behind it may show that it is none.
            let mut held: Option<Held<'_>> = None;
            loop {
                let next = reader.next();
                if let Some(held) = held.take()
                    && !matches!(&next, Some((_, Event::Damage(damage))) if damage.swallowed.is_some())
                {
                    let item = held.item(index);
                    if each(&item)? == Flow::Stop {
                        return Ok(());
                    }
                    if let Event::Command(command) = &held.event {
                        position.command(command);
                        match bracket(command) {
                            Some(Bracket::Multi) => multi = multi.or(Some(held.at)),
                            Some(Bracket::Exec) => multi = None,
                            None => {}
                        }
                    }
                }
                let Some((at, event)) = next else {
                    break;
                };
                let at = match &event {
                    Event::Damage(damage) => about.start + damage.start as u64,
                    _ => about.start + at as u64,
                };
                if at >= told + TELL_EVERY {
                    told = at;
                    behind.reach(at);
                    run.progress.at(done + at);
                }
                let now = Held {
                    at,
                    end: about.start + reader.offset() as u64,
                    position,
                    multi,
                    event,
                };
                if matches!(now.event, Event::Command(_)) {
                    held = Some(now);
                    continue;
                }
                if each(&now.item(index))? == Flow::Stop {
                    return Ok(());
                }
                match &now.event {
                    Event::Annotation(text) => position.annotation(text),
                    Event::Damage(_) => multi = None,
                    Event::Command(_) => {}
                }
            }
            done += about.size;
        }
        Ok(())
    }

    /// The files by name, each with whether it holds a log.
    pub(super) fn named(&self) -> Vec<(String, bool)> {
        let each = self.about.iter();
        each.map(|about| (about.name.clone(), about.is_log()))
            .collect()
    }

    /// Damage as a finding.
    pub(super) fn finding(&self, item: &Item<'_, '_>, damage: &crate::aof::log::Damage) -> Finding {
        let at = item.at - damage.start as u64 + damage.at as u64;
        Finding {
            start: item.at,
            end: item.end,
            file: self
                .files
                .set()
                .and_then(|_| Some(self.about.get(item.file)?.name.clone())),
            ..Finding::at(damage.problem, Place::at(at))
        }
    }
}

/// What was read, and what was known before it.
struct Held<'d> {
    at: u64,
    end: u64,
    position: Position,
    multi: Option<u64>,
    event: Event<'d>,
}

impl<'d> Held<'d> {
    fn item(&self, file: usize) -> Item<'_, 'd> {
        Item {
            file,
            at: self.at,
            end: self.end,
            position: self.position,
            multi: self.multi,
            event: &self.event,
        }
    }
}

/// What opens or closes a transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Bracket {
    Multi,
    Exec,
}

#[inline]
pub(super) fn bracket(command: &Command<'_>) -> Option<Bracket> {
    match command.argc() {
        1 if command.is("multi") => Some(Bracket::Multi),
        1 if command.is("exec") => Some(Bracket::Exec),
        _ => None,
    }
}
