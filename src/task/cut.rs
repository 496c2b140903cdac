//! Takes commands out of a log: everything from a place on, or single ones. The source is never
//! touched.

mod place;
mod plan;
mod walk;

use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::io::output::{Existing, Output};
use crate::io::spool::TempFolder;
use crate::report::cut::CutReport;
use crate::report::fix::Done;
use crate::task::fix_aof::done;
use crate::task::logs::LogFile;
use crate::task::mend::{self, Keep, Plan};
use crate::task::place::FileOffset;
use crate::task::replay::{ReplayOptions, replay};
use crate::task::{InputPath, Run};

/// What to take out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Everything from the command at this offset on.
    BeforeOffset(FileOffset),
    /// Everything from a command of this name on.
    BeforeName {
        /// The name, in any case.
        name: String,
        /// Which of them, counted from 1; without it the last.
        number: Option<u64>,
    },
    /// Everything from the first annotation on that names a later time, Unix ms.
    At(i64),
    /// The commands at these offsets.
    Drop(Vec<FileOffset>),
    /// The commands that match one of these.
    DropMatch(Vec<Match>),
}

/// Commands by name and key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The name, in any case; `*` for every command that has keys.
    pub name: String,
    /// A pattern as in `KEYS`, which one of the keys must match.
    pub key: Option<Vec<u8>>,
}

/// What is to be done.
#[derive(Debug)]
pub struct Cutting {
    /// What goes and what stays, for people.
    pub report: CutReport,
    /// The same for those who carry it out: what is kept of each file, in load order, is what a
    /// replay of the result has to run.
    pub plan: Plan,
    /// The bytes of an input that is no plain file: they cannot be had again.
    content: Option<LogFile>,
}

/// Finds out what goes and what stays.
///
/// # Errors
/// Input that cannot be read or is no log; [`Usage`](ErrorKind::Usage) where what shall go is not
/// there, or cannot go by itself.
pub fn plan(input: &InputPath, cut: &Cut, run: &Run<'_>) -> Result<Cutting> {
    plan::plan(input, cut, run)
}

/// Writes the result to somewhere else.
///
/// # Errors
/// As [`mend::write_to`].
pub fn write_to(
    cutting: &Cutting,
    output: &Path,
    existing: Existing,
    run: &Run<'_>,
) -> Result<Done> {
    let applied = match (&cutting.plan, &cutting.content) {
        (Plan::File(plan), Some(content)) => {
            mend::write_bytes(plan, &content.map, output, existing)?
        }
        (plan, _) => {
            if output == Path::new("-") {
                Output::stdout()?.refuse_terminal()?;
            }
            mend::write_to(plan, output, existing, &Keep::default(), run.progress)?
        }
    };
    Ok(done(applied))
}

/// Keys before and after, as a replay has them: the result is written to a temporary place for it.
///
/// # Errors
/// No room for the result, or what keeps it from being replayed.
pub fn keys(input: &InputPath, cutting: &Cutting, run: &Run<'_>) -> Result<(u64, u64)> {
    let mut folder = TempFolder::new()?;
    let quiet = Run {
        progress: &crate::io::progress::Quiet,
        ..*run
    };
    let of = |path: &Path| -> Result<u64> {
        let input = InputPath::File(path.to_path_buf());
        let replayed = replay(&input, &ReplayOptions::default(), &quiet)?;
        Ok(replayed.report.keys())
    };
    let before = match &cutting.content {
        // It cannot be had again.
        Some(content) => {
            let path = folder.path("before");
            let mut output = Output::create(&path, Existing::Refuse)?;
            output.write_all(&content.map)?;
            output.finish()?;
            of(&path)?
        }
        None => match input {
            InputPath::File(path) => of(path)?,
            InputPath::Stdin => return Err(refused("the input can be read only once".into())),
        },
    };
    let path = folder.path("after");
    write_to(cutting, &path, Existing::Refuse, &quiet)?;
    Ok((before, of(&path)?))
}

#[cold]
fn refused(text: String) -> Error {
    Error::new(ErrorKind::Usage(text))
}
