//! The place that a log is cut at.

use crate::aof::log::Event;
use crate::aof::resp;
use crate::bytes::time::rfc3339;
use crate::error::{Hint, Result, printable};
use crate::record::Flow;
use crate::report::cut::CutPlace;
use crate::task::Run;
use crate::task::cut::plan::short;
use crate::task::cut::walk::{Item, Walk};
use crate::task::cut::{Cut, refused};
use crate::task::place::FileOffset;

/// Finds the place from which everything goes, and the index of its file. A place in a transaction
/// is that of its MULTI.
///
/// # Errors
/// Nothing is there that was asked for, or nothing would be left.
pub(super) fn place(walk: &Walk, cut: &Cut, run: &Run<'_>) -> Result<Option<(usize, CutPlace)>> {
    match cut {
        Cut::BeforeOffset(offset) => offset_place(walk, offset, run).map(Some),
        Cut::BeforeName { name, number } => name_place(walk, name, *number, run).map(Some),
        Cut::At(time) => time_place(walk, *time, run).map(Some),
        Cut::Drop(_) | Cut::DropMatch(_) => Ok(None),
    }
}

fn offset_place(walk: &Walk, offset: &FileOffset, run: &Run<'_>) -> Result<(usize, CutPlace)> {
    let file = offset.index(&walk.named())?;
    let mut found = None;
    let mut around = Around::default();
    walk.each(run, |item| {
        if item.file != file {
            return Ok(match item.file < file {
                true => Flow::Continue,
                false => Flow::Stop,
            });
        }
        if item.at == offset.at {
            found = Some(here(walk, item));
            return Ok(Flow::Stop);
        }
        Ok(around.passes(item.at, offset.at))
    })?;
    found.ok_or_else(|| around.nothing_at(offset))
}

/// The commands before and behind a place where none begins.
#[derive(Default)]
pub(super) struct Around {
    before: Option<u64>,
    behind: Option<u64>,
}

impl Around {
    pub(super) fn passes(&mut self, at: u64, wanted: u64) -> Flow {
        if at < wanted {
            self.before = Some(at);
            return Flow::Continue;
        }
        self.behind.get_or_insert(at);
        Flow::Stop
    }

    #[cold]
    pub(super) fn nothing_at(&self, offset: &FileOffset) -> crate::error::Error {
        let mut text = format!("no command begins at {}", offset.at);
        if let Some(file) = &offset.file {
            text.push_str(&format!(" of {}", printable(file.as_bytes())));
        }
        match (self.before, self.behind) {
            (Some(before), Some(behind)) => {
                text.push_str(&format!(": the nearest begin at {before} and {behind}"));
            }
            (Some(only), None) => text.push_str(&format!(": the last begins at {only}")),
            (None, Some(only)) => text.push_str(&format!(": the first begins at {only}")),
            (None, None) => {}
        }
        refused(text).with_hint(Hint::Other("`redkit log` lists where each begins"))
    }
}

fn name_place(
    walk: &Walk,
    name: &str,
    number: Option<u64>,
    run: &Run<'_>,
) -> Result<(usize, CutPlace)> {
    let mut found = None;
    let mut count = 0u64;
    walk.each(run, |item| {
        let Event::Command(command) = item.event else {
            return Ok(Flow::Continue);
        };
        if command.is(name) {
            count += 1;
            if number.is_none_or(|number| number == count) {
                found = Some(here(walk, item));
            }
            if number == Some(count) {
                return Ok(Flow::Stop);
            }
        }
        Ok(Flow::Continue)
    })?;
    found.ok_or_else(|| {
        let name = printable(name.as_bytes());
        refused(match (count, number) {
            (0, _) | (_, None) => format!("there is no {name} in the log"),
            (_, Some(number)) => {
                format!("there is no {name} number {number} in the log, only {count}")
            }
        })
        .with_hint(Hint::Other("`redkit log` lists the commands"))
    })
}

fn time_place(walk: &Walk, time: i64, run: &Run<'_>) -> Result<(usize, CutPlace)> {
    let mut found = None;
    let mut first = None;
    let mut last = None;
    walk.each(run, |item| {
        let Event::Annotation(text) = item.event else {
            return Ok(Flow::Continue);
        };
        let Some(seconds) = resp::timestamp(text) else {
            return Ok(Flow::Continue);
        };
        let ms = i64::try_from(seconds)
            .unwrap_or(i64::MAX)
            .saturating_mul(1000);
        let first = *first.get_or_insert(ms);
        last = Some(ms);
        if ms <= time {
            return Ok(Flow::Continue);
        }
        if first <= time {
            found = Some(here(walk, item));
        }
        Ok(Flow::Stop)
    })?;
    let shown = |ms: i64| rfc3339(ms).unwrap_or_else(|| ms.to_string());
    found.ok_or_else(|| match (first, last) {
        (Some(first), Some(last)) => refused(match first > time {
            true => format!(
                "{} is before the first time in the log, {}",
                shown(time),
                shown(first)
            ),
            false => format!(
                "the log has no later time than {}: the last is {}",
                shown(time),
                shown(last)
            ),
        }),
        _ => refused("the log names no time".to_owned()).with_hint(Hint::Other(
            "servers from 7.0 on write #TS: annotations with `aof-timestamp-enabled yes`",
        )),
    })
}

fn here(walk: &Walk, item: &Item<'_, '_>) -> (usize, CutPlace) {
    let what = match item.event {
        Event::Command(command) => short(command.name()),
        Event::Annotation(text) => format!("#{}", printable(text)),
        Event::Damage(_) => "damage".to_owned(),
    };
    let file = walk.about.get(item.file);
    let place = CutPlace {
        file: file.map_or_else(String::new, |about| about.name.clone()),
        at: item.multi.unwrap_or(item.at),
        asked: item.at,
        what,
        time: item.position.time,
    };
    (item.file, place)
}
