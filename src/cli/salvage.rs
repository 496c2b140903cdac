//! `salvage`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};

use crate::cli::args::{self, Common, ReportArgs, ReportFormat};
use crate::cli::values::rdb_version;
use crate::cli::words::Words;
use crate::cli::{Exit, words};
use crate::error::{Error, Result};
use crate::io::output::Existing;
use crate::record::types::RdbVersion;
use crate::report::salvage::SalvageReport;
use crate::report::{json_report, text};
use crate::task::salvage::{Keep, Outputs, SalvageOptions, salvage};

/// Save every whole key of a damaged snapshot
///
/// Writes a sound RDB file with every record of the source that is provably whole, byte for byte,
/// behind a new header and with new counts and checksum. Where records cannot be told any more, it
/// looks for the place where they go on. A log behind a damaged snapshot is kept as it is; should
/// that be damaged too, `check-aof --fix` mends it afterwards. The source is never touched.
///
/// What may not be what it once was is doubtful, and left out without --keep-doubtful: keys right
/// before and behind a place where bytes are lost, as far around it as a disk's block is long where
/// that place may be the end of a block from elsewhere, records of one key that differ, and keys of
/// which the database is not known because its selection may have been lost.
///
/// A byte that changed inside of a string is seen by the checksum alone, which cannot tell where. Then
/// every key is saved, and the report says so. Where other damage is found, nothing tells of such a
/// byte elsewhere.
#[derive(Args)]
#[command(after_help = AFTER)]
pub(super) struct Salvage {
    /// An RDB file, or a log that begins with one; `-` is the standard input
    path: PathBuf,

    /// Write to FILE; `-` is the standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// List what was lost or is doubtful in FILE, a JSON object a line
    #[arg(long, value_name = "FILE")]
    lost: Option<PathBuf>,

    /// Replace the output and the list where they exist
    #[arg(long)]
    force: bool,

    /// Save doubtful keys too
    #[arg(long)]
    keep_doubtful: bool,

    /// Put keys of which the database is not known into this one
    #[arg(long, value_name = "N")]
    assume_db: Option<u32>,

    /// Read and write as this version, as in REDIS0011, whatever the header says
    #[arg(long, value_name = "VERSION", value_parser = rdb_version)]
    assume_version: Option<RdbVersion>,

    /// Of records of the same key that differ, keep the first or the last
    ///
    /// Without it they are doubtful. Records that do not differ are saved once in any case.
    #[arg(long, value_name = "first|last", hide_possible_values = true)]
    keep: Option<KeepArg>,

    #[command(flatten)]
    report: ReportArgs,
}

/// Which record of a key stays.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum KeepArg {
    /// The first.
    First,
    /// The last.
    Last,
}

const AFTER: &str = "\
Examples:
  redkit salvage dump.rdb -o saved.rdb
  redkit salvage dump.rdb -o saved.rdb --lost lost.ndjson
  redkit salvage dump.rdb -o saved.rdb --keep-doubtful --assume-db 0
  redkit salvage appendonly.aof -o saved.aof
  ssh host cat dump.rdb | redkit salvage - -o saved.rdb

Exit status:
  0  the file was sound, and is written
  1  nothing could be saved, and nothing is written
  2  the command line is wrong, or the output exists or is the input
  3  a file cannot be read, or the output cannot be written
  4  the file is no RDB file, or of a version that is not known
  5  a limit on memory or temporary room
  6  it is written; something was lost, is doubtful, or has changed";

impl Salvage {
    pub(super) fn run(self, common: &Common, words: &Words) -> anyhow::Result<Exit> {
        let to_stdout = self.output == Path::new("-");
        let list_to_stdout = self.lost.as_deref() == Some(Path::new("-"));
        if to_stdout && (self.report.format == ReportFormat::Json || list_to_stdout) {
            let text =
                "the snapshot goes to the standard output, which leaves no room for anything else";
            return Err(Error::usage(text).into());
        }
        if self.lost.as_ref() == Some(&self.output) {
            return Err(Error::usage("the output and the list cannot be the same file").into());
        }
        let options = SalvageOptions {
            keep_doubtful: self.keep_doubtful,
            assume_db: self.assume_db,
            assume_version: self.assume_version,
            keep: self.keep.map(|keep| match keep {
                KeepArg::First => Keep::First,
                KeepArg::Last => Keep::Last,
            }),
        };
        let outputs = Outputs {
            to: &self.output,
            lost: self.lost.as_deref(),
            existing: match self.force {
                true => Existing::Replace,
                false => Existing::Refuse,
            },
        };
        let input = args::input(&self.path);
        let name = text::shown(&args::name(&input));
        let done = common.run(&input, true, words, |run| {
            salvage(&input, &options, outputs, run)
        });
        let (report, warnings) = done.with_context(|| name)?;
        for warning in &warnings {
            words.note(warning);
        }
        let exit = match report.is_complete() {
            true => Exit::Done,
            false => Exit::Partial,
        };
        self.show(&report, exit, to_stdout || list_to_stdout, words)?;
        Ok(exit)
    }

    fn show(
        &self,
        report: &SalvageReport,
        exit: Exit,
        stdout_is_taken: bool,
        words: &Words,
    ) -> Result<()> {
        let text = match self.report.format {
            ReportFormat::Json => json_report::salvage(report, exit.code()) + "\n",
            ReportFormat::Text if words.is_quiet() && exit == Exit::Done => String::new(),
            ReportFormat::Text => {
                let paint = match stdout_is_taken {
                    true => words.err(),
                    false => words.out,
                };
                text::salvage(report, paint)
            }
        };
        if stdout_is_taken {
            words::say(&text);
            return Ok(());
        }
        match words::print(&text) {
            Err(error) if error.is_closed_pipe() => Ok(()),
            printed => printed,
        }
    }
}
