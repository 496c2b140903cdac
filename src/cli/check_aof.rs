//! `check-aof`.

use clap::Args;

use crate::cli::Exit;
use crate::cli::args::{self, Common, Inputs, ReportArgs, ReportFormat, each_report};
use crate::cli::fix_aof::FixArgs;
use crate::cli::inside::ConfArg;
use crate::cli::values::like;
use crate::cli::words::Words;
use crate::command::Like;
use crate::report::Severity;
use crate::report::aof::AofReport;
use crate::report::check::Verdict;
use crate::report::{json_report, text};
use crate::task::check_aof::{AofOptions, check_aof};
use crate::task::inside::Wanted;

/// Check logs: every command, what is damaged, what a server makes of it
///
/// Reads an AOF with or without a snapshot in front, or all files of a multi-part AOF, given by its
/// folder or manifest. It goes on behind damage, where three whole
/// commands in a row (or whole commands to the end) show where the log goes on, and lists all that
/// it finds, each with its bytes, what is wrong and what helps. `redkit explain CODE` tells more
/// about one.
///
/// The verdict is what the server `--like` does when it is started on the log: `loads`,
/// `loads-truncated` (with `aof-load-truncated yes`, as it is by default, it cuts the file back and
/// goes on), `refused`, or `crashes`.
#[derive(Args)]
#[command(after_help = AFTER)]
pub(super) struct CheckAof {
    #[command(flatten)]
    inputs: Inputs,

    /// The server to judge for, as redis-7.0 or valkey-9.1.2
    ///
    /// Without it: the writer of the snapshot in front, else redis-8.2, or valkey-9.1 where the log
    /// has a command that only Valkey knows.
    #[arg(long, value_name = "SERVER", value_parser = like)]
    like: Option<Like>,

    /// Take NAME for a module's command; may be given several times
    ///
    /// Names with a dot, as JSON.SET, are taken for a module's without being asked.
    #[arg(long, value_name = "NAME")]
    allow_command: Vec<String>,

    /// Warnings make the exit status 1 as well
    #[arg(long)]
    strict: bool,

    #[command(flatten)]
    fix: FixArgs,

    #[command(flatten)]
    conf: ConfArg,

    #[command(flatten)]
    report: ReportArgs,
}

const AFTER: &str = "\
Examples:
  redkit check-aof appendonly.aof
  redkit check-aof --like redis-7.0 appendonlydir
  redkit check-aof --fix -n appendonlydir
  redkit check-aof --fix --strategy skip --yes --max-lost-commands 10 appendonly.aof
  redkit check-aof --format json appendonly.aof | jq .findings

Exit status:
  0  every log loads (with --strict: and there is no warning); with --fix: it does now;
     with --fix -n: the plan could be carried out
  1  a log is damaged: it is refused, cut back, or crashes the server; or a folder has
     files of a set and no manifest, so that a server starts without them; or nothing
     can be kept of a damaged snapshot
  2  the command line is wrong; with --fix: a strategy must be chosen, or consent is missing
  3  a file cannot be read or written
  4  a file is of another kind, or its snapshot of a version that is not known
  5  --fix: more would be removed than allowed, or a database is in doubt
Of several files the first of 3, 4, 2, 1, 5.";

impl CheckAof {
    pub(super) fn run(self, common: &Common, words: &Words) -> anyhow::Result<Exit> {
        let options = AofOptions {
            like: self.like,
            allowed: self.allowed(),
        };
        let inputs = self.inputs.all()?;
        let format = self.report.format;
        if self.fix.fix {
            self.fix.fits(&inputs)?;
            let exit = each_report("check-aof", &inputs, format, words, |input| {
                self.fix.run(input, &options, format, common, words)
            })?;
            return Ok(exit);
        }
        let what = ("check-aof", Wanted::Log);
        let exit = self
            .conf
            .each(what, &inputs, format, common, words, |input, name| {
                let mut report =
                    common.run(input, true, words, |run| check_aof(input, &options, run))?;
                if name != args::name(input) {
                    report.name(name);
                }
                let exit = self.exit(&report);
                let least = match self.strict {
                    true => Severity::Warning,
                    false => Severity::Error,
                };
                let text = match format {
                    ReportFormat::Json => json_report::aof(&report, exit.code()) + "\n",
                    ReportFormat::Text if words.is_quiet() && exit == Exit::Done => String::new(),
                    ReportFormat::Text if words.is_quiet() => {
                        text::aof_briefly(&report, least, words.out)
                    }
                    ReportFormat::Text => text::aof(&report, words.out),
                };
                Ok((text, exit))
            })?;
        Ok(exit)
    }

    fn allowed(&self) -> Vec<Vec<u8>> {
        let names = self.allow_command.iter();
        names.map(|name| name.as_bytes().to_vec()).collect()
    }

    fn exit(&self, report: &AofReport) -> Exit {
        let unknown = |p: &crate::report::check::CheckReport| p.verdict == Verdict::Unknown;
        let mut snapshots = report.files.iter().filter_map(|f| f.preamble.as_deref());
        match report.verdict() {
            _ if snapshots.any(unknown) => Exit::Unsupported,
            Verdict::Loads if self.strict && report.warnings() > 0 => Exit::Damage,
            Verdict::Loads => Exit::Done,
            _ => Exit::Damage,
        }
    }
}
