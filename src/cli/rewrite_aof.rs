//! `rewrite-aof`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::Exit;
use crate::cli::args::{self, Common, FilterArgs, ReportArgs};
use crate::cli::values::{file_offset, like, moment};
use crate::cli::words::Words;
use crate::cli::writing::{self, WriteArgs};
use crate::command::Like;
use crate::report::text::shown;
use crate::task::place::FileOffset;
use crate::task::replay::ReplayOptions;
use crate::task::rewrite::rewrite;
use crate::task::writing::Layout;
use crate::write::Format;

/// Replay a log and write what it comes to, as a server's rewrite does, without a server
///
/// Reads a snapshot, an AOF with or without a snapshot in front, or all files of a multi-part AOF,
/// named by their folder or manifest, replays them as `redkit replay` does, and writes the smallest
/// equivalent that the server --target loads. The source is never touched.
///
/// The output is read back, and its full digest compared with that of the replay, before it gets its
/// name; and the source is looked at again, whether it has changed meanwhile.
#[derive(Args)]
#[command(after_help = AFTER)]
pub(super) struct RewriteAof {
    /// An AOF, the folder or the manifest of a multi-part AOF, an RDB file; `-` is the standard input
    path: PathBuf,

    /// What to write: multipart, preamble, rdb, resp
    ///
    /// `multipart` is a folder with manifest, snapshot and an empty incremental file: what a set
    /// becomes by itself. `preamble` is one AOF with the snapshot in front: what a single AOF becomes.
    /// `rdb` is a snapshot: what a snapshot becomes. `resp` is an AOF of commands alone, which can
    /// also be sent to a running server.
    #[arg(long, value_name = "LAYOUT", value_parser = writing::layouts(), hide_possible_values = true)]
    layout: Option<Layout>,

    /// The server that is to load it, as redis-7.2 or valkey-9.1; without it, the one that is followed
    #[arg(long, value_name = "SERVER", value_parser = writing::target)]
    target: Option<Format>,

    /// The server to follow, as redis-7.0 or valkey-9.1.2
    ///
    /// Without it: the writer of the snapshot in front, else redis-8.2, or valkey-9.1 where the log
    /// has a command that only Valkey knows.
    #[arg(long, value_name = "SERVER", value_parser = like)]
    like: Option<Like>,

    /// The time that the server's clock shows
    ///
    /// As 2026-11-21T05:00:00Z, in seconds since 1970, or in milliseconds. The clock is never read.
    /// Relative times to live count from the last #TS: line before them, else from this; and
    /// --drop-expired and --ttl judge by this.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    now: Option<i64>,

    /// Leave out keys whose time has passed by --now
    #[arg(long)]
    drop_expired: bool,

    /// Take NAME for a module's command; may be given several times
    #[arg(long, value_name = "NAME")]
    allow_command: Vec<String>,

    /// Only what ends at this offset or before it, as `replay --to-offset`
    #[arg(long, value_name = "[FILE:]N", value_parser = file_offset)]
    to_offset: Option<FileOffset>,

    /// Only what stands before the first #TS: later than TIME
    #[arg(long, value_name = "TIME", value_parser = moment)]
    to_time: Option<i64>,

    #[command(flatten)]
    write: WriteArgs,

    #[command(flatten)]
    filter: FilterArgs,

    #[command(flatten)]
    report: ReportArgs,
}

const AFTER: &str = "\
Examples:
  redkit rewrite-aof appendonlydir -o compact/appendonlydir
  redkit rewrite-aof appendonly.aof -o dump.rdb --layout rdb
  redkit rewrite-aof appendonlydir -o valkey/appendonlydir --target valkey-9.1
  redkit rewrite-aof appendonlydir -o at-14-03 --to-time 2026-11-21T14:03:00Z
  redkit rewrite-aof dump.rdb --layout resp -o - | redis-cli --pipe

Exit status:
  0  it was written, read back, and is the same
  1  the input is damaged: nothing was written, or with --keep-going what stands before the damage
  2  the command line is wrong, FILE exists, or an expiry counts from an unknown moment
  3  a file cannot be read, changed while it was read, or the output cannot be written
  4  the input is neither snapshot nor log, has commands of modules, or holds what the target cannot
  5  memory does not suffice
  6  it was written, without what the target cannot hold";

impl RewriteAof {
    pub(super) fn run(self, common: &Common, words: &Words) -> anyhow::Result<Exit> {
        self.write.check(&self.report)?;
        let input = args::input(&self.path);
        let names = self.allow_command.iter();
        let replayed = ReplayOptions {
            like: self.like,
            now: self.now,
            allowed: names.map(|name| name.as_bytes().to_vec()).collect(),
            to_offset: self.to_offset.clone(),
            to_time: self.to_time,
            drop_expired: self.drop_expired,
            ..ReplayOptions::default()
        };
        let options = self
            .write
            .options(self.target.clone(), self.layout, &self.filter, self.now);
        let out = &self.write.output;
        let done = common.run(&input, true, words, |run| {
            rewrite(&input, out, &replayed, &options, run)
        });
        let report = match done {
            Err(error) if error.is_closed_pipe() => return Ok(Exit::Done),
            done => anyhow::Context::with_context(done, || shown(&args::name(&input)))?,
        };
        Ok(self.write.show(&report, self.report.format, words)?)
    }
}
