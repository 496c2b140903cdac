//! `info`.

use clap::Args;

use crate::cli::Exit;
use crate::cli::args::{Common, Inputs, ReportArgs, ReportFormat, each_report};
use crate::cli::words::Words;
use crate::report::{json_report, text};
use crate::task::info::info;

/// Show what the header of a snapshot says, in milliseconds
///
/// Reads only what stands before the first key: version, the server that wrote it and when, its
/// AUX fields, functions. Nothing is checked but that.
#[derive(Args)]
#[command(after_help = AFTER)]
pub(super) struct Info {
    #[command(flatten)]
    inputs: Inputs,

    #[command(flatten)]
    report: ReportArgs,
}

const AFTER: &str = "\
Examples:
  redkit info dump.rdb
  redkit info --format json backups/*.rdb.gz | jq -r '[.input, .writer.version] | @tsv'

Exit status:
  0  the header was read
  1  it is damaged
  2  the command line is wrong
  3  a file cannot be read
  4  a file is no RDB file, or of a version that is not known
Of several files the first of 3, 4, 1.";

impl Info {
    pub(super) fn run(self, common: &Common, words: &Words) -> anyhow::Result<Exit> {
        let inputs = self.inputs.all()?;
        let format = self.report.format;
        let exit = each_report("info", &inputs, format, words, |input| {
            let report = common.run(input, false, words, |run| info(input, run))?;
            let exit = match report.findings.list().first() {
                None => Exit::Done,
                Some(finding) if finding.code == "rdb-future-version" => Exit::Unsupported,
                Some(_) => Exit::Damage,
            };
            let text = match format {
                ReportFormat::Json => json_report::info(&report, exit.code()) + "\n",
                ReportFormat::Text => text::info(&report, words.out),
            };
            Ok((text, exit))
        })?;
        Ok(exit)
    }
}
