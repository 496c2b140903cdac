//! `convert`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::Exit;
use crate::cli::args::{self, Common, FilterArgs, ReportArgs};
use crate::cli::values::moment;
use crate::cli::words::Words;
use crate::cli::writing::{self, WriteArgs};
use crate::report::text::shown;
use crate::task::convert::convert;
use crate::task::writing::Layout;
use crate::write::Format;

/// Write a snapshot in the form that another server loads
///
/// Record by record, in little memory. What the target knows is copied as it stands; what it does not
/// know is encoded anew: listpacks as ziplists, streams without newer counters, the expiry of fields
/// in the form of the other family. All of the snapshot is checked, and what was encoded is decoded
/// again.
#[derive(Args)]
#[command(after_help = AFTER)]
pub(super) struct Convert {
    /// An RDB file; `-` is the standard input
    path: PathBuf,

    /// The server that is to load it, as redis-7.2 or valkey-9.1; `redkit formats` lists them
    #[arg(long, value_name = "SERVER", value_parser = writing::target)]
    target: Format,

    /// What to write: rdb (the default), preamble, multipart, resp
    ///
    /// `preamble` is an AOF with the snapshot in front, `multipart` a folder with manifest, snapshot
    /// and an empty incremental file, `resp` an AOF of commands alone.
    #[arg(long, value_name = "LAYOUT", value_parser = writing::layouts(), hide_possible_values = true)]
    layout: Option<Layout>,

    /// The time by which --ttl judges
    ///
    /// As 2026-11-21T05:00:00Z, in seconds since 1970, or in milliseconds. The clock is never read.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    now: Option<i64>,

    #[command(flatten)]
    write: WriteArgs,

    #[command(flatten)]
    filter: FilterArgs,

    #[command(flatten)]
    report: ReportArgs,
}

const AFTER: &str = "\
Examples:
  redkit convert dump.rdb -o old.rdb --target redis-6.2
  redkit convert dump.rdb -o valkey.rdb --target valkey-9.1
  redkit convert dump.rdb.zst -o sessions.rdb --target redis-8.2 -k 'session:*'
  redkit convert dump.rdb -o appendonlydir --target redis-7.2 --layout multipart
  redkit convert dump.rdb -o old.rdb --target redis-7.2 --on-unsupported drop-field-ttl

Exit status:
  0  it was written
  1  the snapshot is damaged: nothing was written, or with --keep-going what could be read
  2  the command line is wrong, or FILE exists
  3  a file cannot be read, changed while it was read, or the output cannot be written
  4  the input is no snapshot, or holds what the target cannot
  5  a limit was reached
  6  it was written, without what the target cannot hold";

impl Convert {
    pub(super) fn run(self, common: &Common, words: &Words) -> anyhow::Result<Exit> {
        self.write.check(&self.report)?;
        let input = args::input(&self.path);
        let options = self
            .write
            .options(None, self.layout, &self.filter, self.now);
        let (out, format) = (&self.write.output, &self.target);
        let done = common.run(&input, true, words, |run| {
            convert(&input, out, format, &options, run)
        });
        let report = match done {
            Err(error) if error.is_closed_pipe() => return Ok(Exit::Done),
            done => anyhow::Context::with_context(done, || shown(&args::name(&input)))?,
        };
        Ok(self.write.show(&report, self.report.format, words)?)
    }
}
