//! `check-rdb`.

use clap::Args;

use crate::cli::Exit;
use crate::cli::args::{Common, Inputs, ReportArgs, ReportFormat};
use crate::cli::inside::ConfArg;
use crate::cli::words::Words;
use crate::error::{Error, Hint};
use crate::report::Severity;
use crate::report::check::{CheckReport, Verdict};
use crate::report::{json_report, text};
use crate::task::check_rdb::{CheckOptions, check_rdb};
use crate::task::inside::Wanted;

/// Check snapshots: structure, every value, checksum, who can load them
///
/// Walks through everything that stands in the file: every length, every value down to the last
/// packed entry, members and fields that stand twice, the checksum, and what follows the end. It
/// goes on after damage where the framing allows, and lists all that it finds, each with its bytes,
/// its database and key, what is wrong and what helps. `redkit explain CODE` tells more about one.
///
/// It is stricter than the servers' own checkers: a file that it calls sound loads, and does not
/// crash the server later.
#[derive(Args)]
#[command(after_help = AFTER)]
pub(super) struct CheckRdb {
    #[command(flatten)]
    inputs: Inputs,

    /// Look for keys that stand twice in a database as well
    ///
    /// Servers refuse to start on such a file. Takes memory or temporary room for each key.
    #[arg(long)]
    duplicates: bool,

    /// Stop at the first error
    #[arg(long)]
    first: bool,

    /// Judge the structure alone and leave the checksum aside
    #[arg(long)]
    ignore_checksum: bool,

    /// Warnings make the exit status 1 as well
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    conf: ConfArg,

    #[command(flatten)]
    report: ReportArgs,

    /// There is none: a snapshot is not mended in place.
    #[arg(long, hide = true)]
    fix: bool,
}

const AFTER: &str = "\
Examples:
  redkit check-rdb dump.rdb
  redkit check-rdb --duplicates --strict backups/*.rdb.gz
  redkit check-rdb --format json dump.rdb | jq .loads_on
  ssh host cat dump.rdb | redkit check-rdb -

Exit status:
  0  every file is sound (with --strict: and there is no warning)
  1  a file is damaged
  2  the command line is wrong
  3  a file cannot be read
  4  a file is no RDB file, or of a version that is not known
Of several files the first of 3, 4, 1.";

impl CheckRdb {
    pub(super) fn run(self, common: &Common, words: &Words) -> anyhow::Result<Exit> {
        if self.fix {
            let text = "check-rdb only reads: a snapshot cannot be mended in place";
            let hint = "`redkit salvage` writes every whole key to a new file";
            return Err(Error::usage(text).with_hint(Hint::Other(hint)).into());
        }
        let options = CheckOptions {
            ignore_checksum: self.ignore_checksum,
            first: self.first,
            duplicates: self.duplicates,
            ..CheckOptions::default()
        };
        let inputs = self.inputs.all()?;
        let format = self.report.format;
        let what = ("check-rdb", Wanted::Snapshot);
        let exit = self
            .conf
            .each(what, &inputs, format, common, words, |input, name| {
                let check = common.run(input, true, words, |run| check_rdb(input, &options, run));
                let mut report = check?;
                report.input = name.to_owned();
                let exit = self.exit(&report);
                let least = match self.strict {
                    true => Severity::Warning,
                    false => Severity::Error,
                };
                let text = match format {
                    ReportFormat::Json => json_report::check(&report, exit.code()) + "\n",
                    ReportFormat::Text if words.is_quiet() && exit == Exit::Done => String::new(),
                    ReportFormat::Text if words.is_quiet() => {
                        text::check_briefly(&report, least, words.out)
                    }
                    ReportFormat::Text => text::check(&report, words.out),
                };
                Ok((text, exit))
            })?;
        Ok(exit)
    }

    fn exit(&self, report: &CheckReport) -> Exit {
        match report.verdict {
            Verdict::Loads if self.strict && report.findings.warnings() > 0 => Exit::Damage,
            Verdict::Loads => Exit::Done,
            Verdict::LoadsTruncated | Verdict::Refused | Verdict::Crashes => Exit::Damage,
            Verdict::Unknown => Exit::Unsupported,
        }
    }
}
