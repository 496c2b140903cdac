//! `log`.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};

use crate::cli::Exit;
use crate::cli::args::{self, Common, OutputArgs};
use crate::cli::values::{file_offset, moment};
use crate::cli::words::Words;
use crate::report::text::{counted, shown};
use crate::task::log::{LogForm, LogOptions, LogOutcome, log};
use crate::task::place::FileOffset;

/// List the commands of a log, with where and when each was written
///
/// Reads an AOF, with or without a snapshot in front, or all files of a multi-part AOF, named by
/// their folder or manifest, in the order in which servers load them. Each line has the offset
/// (with its file in front, where there are several), the time of the last #TS: before it, the
/// database in brackets, and the command; a long argument is cut short. The keys of a snapshot in
/// front are not listed.
///
/// Damage is shown in its place, and the list goes on behind it as `check-aof` does. The exit
/// status is then 1.
#[derive(Args)]
#[command(after_help = AFTER)]
pub(super) struct Log {
    /// An AOF, the folder or the manifest of a multi-part AOF; `-` is the standard input
    path: PathBuf,

    /// `text` for people, `ndjson`, an object a line, or `json`, one document
    ///
    /// An object is {"file":"…","offset":11,"len":29,"n":12,"db":0,"time":1795229996,"cmd":"SET",
    /// "args":["k51","v51"]}: `n` counts commands from 1 through all files, `time` is null where no
    /// #TS: stands before. What is not UTF-8 is {"$b64":"…"}. Damage is an object with `damage`
    /// instead of `cmd`. The document is {"commands":[…],"complete":true}.
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        hide_default_value = true,
        hide_possible_values = true
    )]
    format: LogFormat,

    /// Write every argument in full, and all of them
    #[arg(long)]
    full: bool,

    /// Go on with FILE as output although the log is damaged
    #[arg(long)]
    keep_going: bool,

    #[command(flatten)]
    picks: Picks,

    #[command(flatten)]
    output: OutputArgs,
}

/// Which commands come out.
#[derive(Args)]
#[command(next_help_heading = "Filters")]
struct Picks {
    /// Only commands of these names, in any case; a list with commas, or given more than once
    #[arg(long = "cmd", value_name = "NAME", value_delimiter = ',')]
    names: Vec<OsString>,

    /// Only commands with a key that matches this pattern, as in KEYS; may be given more than once
    ///
    /// Where a command's keys are is known from the servers. Of a module's command the first
    /// argument is taken for its key.
    #[arg(short, long = "key", value_name = "GLOB")]
    keys: Vec<OsString>,

    /// Only commands that run in these databases; may be given more than once, or as a list
    #[arg(long = "db", value_name = "N", value_delimiter = ',')]
    dbs: Vec<u32>,

    /// Only what was written at TIME or later, by the #TS: before it
    ///
    /// As 2026-11-21T05:00:00Z, in seconds since 1970, or in milliseconds. Servers write #TS: with
    /// `aof-timestamp-enabled yes`.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    from_time: Option<i64>,

    /// Only what was written at TIME or before
    #[arg(long, value_name = "TIME", value_parser = moment)]
    to_time: Option<i64>,

    /// Only what begins at this offset or behind it
    ///
    /// With its file in front where there are several logs: appendonly.aof.2.incr.aof:4096.
    #[arg(long, value_name = "[FILE:]N", value_parser = file_offset)]
    from_offset: Option<FileOffset>,

    /// Only what ends at this offset or before it
    #[arg(long, value_name = "[FILE:]N", value_parser = file_offset)]
    to_offset: Option<FileOffset>,

    /// At most N commands
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

const AFTER: &str = "\
Examples:
  redkit log appendonly.aof | tail
  redkit log --cmd FLUSHALL,FLUSHDB appendonlydir
  redkit log --key 'user:1*' --from-time 2026-11-21T14:00:00Z appendonlydir
  redkit log --format ndjson appendonly.aof | jq -r '.args[0]' | sort | uniq -c | sort -rn | head

Exit status:
  0  everything was listed
  1  the log is damaged, or a file of the set is missing: what is there was listed
  2  the command line is wrong, or FILE exists
  3  a file cannot be read, or the output cannot be written
  4  the file is no AOF, or its snapshot is of a version that is not known";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Text,
    Ndjson,
    Json,
}

impl Log {
    pub(super) fn run(self, common: &Common, words: &Words) -> anyhow::Result<Exit> {
        let input = args::input(&self.path);
        let name = shown(&args::name(&input));
        let options = self.options();
        let mut out = self.output.open()?;
        let bar = !out.is_terminal();
        let listed = common.run(&input, bar, words, |run| {
            log(&input, &options, run, &mut out)
        });
        let outcome = match listed {
            Err(error) if error.is_closed_pipe() => return Ok(Exit::Done),
            listed => listed.with_context(|| name.clone())?,
        };
        out.flush()?;
        let exit = judge(&name, &outcome, words);
        args::finish(out, exit, self.keep_going, words)?;
        Ok(exit)
    }

    fn options(&self) -> LogOptions {
        let bytes = |words: &[OsString]| -> Vec<Vec<u8>> {
            let each = |word: &OsString| word.as_encoded_bytes().to_vec();
            words.iter().map(each).collect()
        };
        let picks = &self.picks;
        LogOptions {
            form: match self.format {
                LogFormat::Text => LogForm::Text,
                LogFormat::Ndjson => LogForm::Lines,
                LogFormat::Json => LogForm::Document,
            },
            full: self.full,
            names: bytes(&picks.names),
            keys: bytes(&picks.keys),
            dbs: picks.dbs.clone(),
            from_time: picks.from_time,
            to_time: picks.to_time,
            from: picks.from_offset.clone(),
            to: picks.to_offset.clone(),
            limit: picks.limit,
        }
    }
}

/// Says what was wrong and what was passed over.
fn judge(name: &str, outcome: &LogOutcome, words: &Words) -> Exit {
    for snapshot in &outcome.snapshots {
        let bytes = counted(snapshot.bytes, "byte");
        let file = shown(&snapshot.file);
        words.note(&format!(
            "{file}: a snapshot of {bytes} comes first, whose keys are not listed"
        ));
    }
    for finding in outcome.findings.list() {
        words.finding(name, finding);
    }
    for (file, at) in &outcome.doubtful_db {
        words.note(&format!(
            "{}: a SELECT may be lost in the damage: the database of what stands from {at} on up \
             to the next one is a guess",
            shown(file)
        ));
    }
    match outcome.findings.errors() {
        0 => Exit::Done,
        _ => Exit::Damage,
    }
}
