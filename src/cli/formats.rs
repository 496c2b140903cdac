//! `formats`.

use clap::Args;

use crate::cli::Exit;
use crate::cli::args::{ReportArgs, ReportFormat};
use crate::cli::words::{self, Words};
use crate::report::formats::formats;
use crate::report::{json_report, text};

/// Say which servers read and write what
///
/// A line a server: magic and version of the snapshots that it writes, versions that it reads, whether
/// it has functions, fields that expire, logs of several files; and which types of values came with it.
/// With --format json also the thresholds of its packed forms.
#[derive(Args)]
#[command(after_help = AFTER)]
pub(super) struct Formats {
    #[command(flatten)]
    report: ReportArgs,
}

const AFTER: &str = "\
Examples:
  redkit formats
  redkit formats --format json | jq -r 'select(.field_expiry) | .server'

Exit status:
  0  always, unless the output cannot be written";

impl Formats {
    pub(super) fn run(self, words: &Words) -> anyhow::Result<Exit> {
        let all = formats();
        let out = match self.report.format {
            ReportFormat::Json => {
                let lines = all.iter().map(json_report::server_format);
                lines.map(|line| line + "\n").collect()
            }
            ReportFormat::Text => text::formats(&all, words.out),
        };
        words::print(&out)?;
        Ok(Exit::Done)
    }
}
