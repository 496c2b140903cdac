//! `info`.

use clap::Args;

use crate::cli::Exit;
use crate::cli::args::{Common, Inputs, ReportArgs, ReportFormat, name as name_of};
use crate::cli::inside::ConfArg;
use crate::cli::words::Words;
use crate::report::{Severity, json_report, text};
use crate::task::info::{self as task, info};
use crate::task::inside::Wanted;

/// Show what snapshots, logs and sets of logs say of themselves, in milliseconds
///
/// Of a snapshot it reads only what stands before the first key: version, the server that wrote it
/// and when, its AUX fields, functions. Of a log it reads the first and the last #TS: as far as they
/// stand near its start and its end; of a multi-part AOF, named by its folder or manifest, the
/// manifest and that much of each file. Nothing is checked but that.
#[derive(Args)]
#[command(after_help = AFTER)]
pub(super) struct Info {
    #[command(flatten)]
    inputs: Inputs,

    #[command(flatten)]
    conf: ConfArg,

    #[command(flatten)]
    report: ReportArgs,
}

const AFTER: &str = "\
Examples:
  redkit info dump.rdb
  redkit info /var/lib/redis/appendonlydir
  redkit info --format json backups/*.rdb.gz | jq -r '[.input, .writer.version] | @tsv'

Exit status:
  0  the headers were read
  1  one is damaged, or a file of a set is missing
  2  the command line is wrong
  3  a file cannot be read
  4  a file is no RDB file and no AOF, or of a version that is not known
Of several files the first of 3, 4, 1.";

impl Info {
    pub(super) fn run(self, common: &Common, words: &Words) -> anyhow::Result<Exit> {
        let inputs = self.inputs.all()?;
        let format = self.report.format;
        let what = ("info", Wanted::Any);
        let exit = self
            .conf
            .each(what, &inputs, format, common, words, |input, name| {
                let mut report = common.run(input, false, words, |run| info(input, run))?;
                if name != name_of(input) {
                    report.name(name);
                }
                let mut errors = report.findings().list().iter();
                let exit = match errors.find(|finding| finding.severity == Severity::Error) {
                    None => Exit::Done,
                    Some(finding) if finding.code == "rdb-future-version" => Exit::Unsupported,
                    Some(_) => Exit::Damage,
                };
                let text = match (format, &report) {
                    (ReportFormat::Json, task::Info::Snapshot(report)) => {
                        json_report::info(report, exit.code()) + "\n"
                    }
                    (ReportFormat::Json, task::Info::Log(report)) => {
                        json_report::log_info(report, exit.code()) + "\n"
                    }
                    (ReportFormat::Text, task::Info::Snapshot(report)) => {
                        text::info(report, words.out)
                    }
                    (ReportFormat::Text, task::Info::Log(report)) => {
                        text::log_info(report, words.out)
                    }
                };
                Ok((text, exit))
            })?;
        Ok(exit)
    }
}
