//! `cut`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{ArgGroup, Args};

use crate::cli::args::{self, Common, ReportArgs, ReportFormat};
use crate::cli::values::{drop_match, file_offset, moment};
use crate::cli::words::Words;
use crate::cli::{Exit, words};
use crate::error::{Error, Result};
use crate::io::output::Existing;
use crate::report::{json_report, text};
use crate::task::cut::{self, Cut as What, Cutting, Match};
use crate::task::place::FileOffset;

/// Take commands out of a log: undo a FLUSHALL, go back to 14:03
///
/// Writes a copy of an AOF, with or without a snapshot in front, or of a multi-part AOF without the
/// commands that are named; the source is never touched. It says what goes and what stays, by
/// the names of the commands; with -n also how many keys there are before and after, for which it
/// replays both.
///
/// With --before and --at everything from a place on goes, in all files behind it too. A place
/// inside of a transaction is that of its MULTI: a transaction goes whole. With --drop and
/// --drop-match single commands go; what follows them may then come out differently. Out of a
/// transaction goes only the command itself. SELECT, MULTI and EXEC cannot be dropped, for they
/// decide what others mean.
///
/// A log whose damage would stay is not written without --keep-going: `check-aof --fix` mends it.
#[derive(Args)]
#[command(
    after_help = AFTER,
    group = ArgGroup::new("what").required(true).args(["before", "at", "drop", "drop_match"])
)]
pub(super) struct Cut {
    /// An AOF, the folder or the manifest of a multi-part AOF; `-` is the standard input
    path: PathBuf,

    /// Remove everything from the command at this offset on, or from the last command of this name
    ///
    /// An offset is [FILE:]N, as `log` shows it. NAME#2 is the second command of that name.
    #[arg(long, value_name = "OFFSET|NAME[#N]")]
    before: Option<String>,

    /// Remove everything from the first #TS: on that is later than TIME
    ///
    /// As 2026-11-21T14:03:00Z, in seconds since 1970, or in milliseconds.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<i64>,

    /// Remove the commands at these offsets; a list with commas, or given more than once
    #[arg(long, value_name = "OFFSET", value_delimiter = ',', value_parser = file_offset)]
    drop: Vec<FileOffset>,

    /// Remove the commands of this name, with a key that matches the pattern; may be given more than
    /// once
    ///
    /// As `log --cmd NAME --key GLOB` lists them. `*` is every command that has keys: *:session:*
    #[arg(long, value_name = "NAME[:GLOB]", value_parser = drop_match)]
    drop_match: Vec<Match>,

    /// Write to FILE, and a set to the folder FILE; `-` is the standard output
    #[arg(short, long, value_name = "FILE", required_unless_present = "dry_run")]
    output: Option<PathBuf>,

    /// Replace FILE where it exists
    #[arg(long)]
    force: bool,

    /// Show what would go and what would stay, and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,

    /// Write the output although damage stays in it
    #[arg(long)]
    keep_going: bool,

    #[command(flatten)]
    report: ReportArgs,
}

const AFTER: &str = "\
Examples:
  redkit cut appendonlydir --before FLUSHALL -n
  redkit cut appendonlydir --before FLUSHALL -o restored/appendonlydir
  redkit cut appendonly.aof --at 2026-11-21T14:03:00Z -o appendonly.restored.aof
  redkit cut appendonly.aof --drop 4711,4802 -o without.aof
  redkit cut appendonly.aof --drop-match 'DEL:user:*' -o with-users.aof

Exit status:
  0  it was written; with -n, it could be
  1  damage would stay in the output: written only with --keep-going
  2  the command line is wrong, what shall go is not there or cannot go, or FILE exists
  3  a file cannot be read, or the output cannot be written
  4  the file is no AOF, or its snapshot is of a version that is not known";

impl Cut {
    pub(super) fn run(self, common: &Common, words: &Words) -> anyhow::Result<Exit> {
        let what = self.what()?;
        let to_stdout = !self.dry_run && self.output.as_deref() == Some(Path::new("-"));
        if to_stdout && self.report.format == ReportFormat::Json {
            let text = "the log goes to the standard output, which leaves no room for a report";
            return Err(Error::usage(text).into());
        }
        let input = args::input(&self.path);
        let name = text::shown(&args::name(&input));
        let planned = common.run(&input, true, words, |run| cut::plan(&input, &what, run));
        let mut cutting = planned.with_context(|| name.clone())?;
        let damaged = cutting.report.findings.errors() > 0;
        let exit = match damaged {
            true => Exit::Damage,
            false => Exit::Done,
        };
        if let Some(output) = self.output.as_deref().filter(|_| !self.dry_run)
            && (!damaged || self.keep_going)
        {
            let existing = match self.force {
                true => Existing::Replace,
                false => Existing::Refuse,
            };
            let written = common.run(&input, true, words, |run| {
                cut::write_to(&cutting, output, existing, run)
            });
            let done = match written {
                Err(error) if error.is_closed_pipe() => return Ok(exit),
                written => written?,
            };
            for warning in &done.warnings {
                words.note(warning);
            }
            cutting.report.done = Some(done);
        }
        if self.dry_run {
            let counted = common.run(&input, true, words, |run| cut::keys(&input, &cutting, run));
            match counted {
                Ok(keys) => cutting.report.keys = Some(keys),
                // The plan stands all the same.
                Err(error) => words.note(&format!("the keys could not be counted: {error}")),
            }
        }
        self.show(&cutting, exit, to_stdout, words)?;
        Ok(exit)
    }

    fn what(&self) -> Result<What> {
        if let Some(before) = &self.before {
            return what_before(before);
        }
        Ok(match self.at {
            Some(time) => What::At(time),
            None if self.drop.is_empty() => What::DropMatch(self.drop_match.clone()),
            None => What::Drop(self.drop.clone()),
        })
    }

    fn show(&self, cutting: &Cutting, exit: Exit, to_stdout: bool, words: &Words) -> Result<()> {
        let report = &cutting.report;
        let text = match self.report.format {
            ReportFormat::Json => json_report::cut(report, self.dry_run, exit.code()) + "\n",
            ReportFormat::Text => {
                let paint = match to_stdout {
                    true => words.err(),
                    false => words.out,
                };
                let quiet = words.is_quiet() && exit == Exit::Done;
                let mut text = match quiet {
                    true => String::new(),
                    false => text::cut(report, paint) + "\n",
                };
                match &report.done {
                    Some(_) if quiet || to_stdout => {}
                    Some(done) => text.push_str(&text::fix_done(done, paint)),
                    None if self.dry_run => text.push_str("dry run: nothing was written\n"),
                    None => text.push_str(
                        "nothing was written: damage would stay; `check-aof --fix` mends the log, \
                         `--keep-going` writes it as it is\n",
                    ),
                }
                text
            }
        };
        if to_stdout {
            words::say(&text);
            return Ok(());
        }
        match words::print(&text) {
            Err(error) if error.is_closed_pipe() => Ok(()),
            printed => printed,
        }
    }
}

/// An offset, or a command's name with its number.
fn what_before(text: &str) -> Result<What> {
    if let Ok(offset) = text.parse() {
        return Ok(What::BeforeOffset(offset));
    }
    let (name, number) = match text.split_once('#') {
        None => (text, None),
        Some((name, number)) => match number.parse() {
            Ok(number @ 1..) => (name, Some(number)),
            _ => {
                return Err(Error::usage(format!(
                    "`{number}` is no number of a command: NAME#1 is the first"
                )));
            }
        },
    };
    if name.is_empty() || name.contains(':') {
        return Err(Error::usage(format!(
            "`{}` is no offset and no name of a command: expected one like 4711, \
             appendonly.aof.2.incr.aof:4711, FLUSHALL or FLUSHALL#2",
            text::shown(text)
        )));
    }
    Ok(What::BeforeName {
        name: name.to_owned(),
        number,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_offset_or_a_name_with_a_number() {
        let offset = |file: Option<&str>, at| {
            let file = file.map(str::to_owned);
            Some(What::BeforeOffset(FileOffset { file, at }))
        };
        let named = |name: &str, number| {
            let name = name.to_owned();
            Some(What::BeforeName { name, number })
        };
        let read = |text: &str| what_before(text).ok();
        assert_eq!(read("4711"), offset(None, 4711));
        assert_eq!(read("a.1.incr.aof:0x10"), offset(Some("a.1.incr.aof"), 16));
        assert_eq!(read("FLUSHALL"), named("FLUSHALL", None));
        assert_eq!(read("json.set#3"), named("json.set", Some(3)));
        for bad in ["", "#1", "FLUSHALL#", "FLUSHALL#0", "FLUSHALL#x", "a:b"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
