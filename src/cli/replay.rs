//! `replay`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::Exit;
use crate::cli::args::{self, Common, ReportArgs, ReportFormat};
use crate::cli::inside::ConfArg;
use crate::cli::values::{self, file_offset, like, moment};
use crate::cli::words::Words;
use crate::command::Like;
use crate::error::{Result, printable};
use crate::keyspace::digest::Digest;
use crate::report::aof::Fate;
use crate::report::check::Verdict;
use crate::report::replay::ReplayReport;
use crate::report::text::shown;
use crate::report::{json_report, text};
use crate::task::InputPath;
use crate::task::dump::DumpOptions;
use crate::task::get::one_of;
use crate::task::inside::Wanted;
use crate::task::place::FileOffset;
use crate::task::replay::{OnError, ReplayOptions, Replayed, replay};

/// Run a log over its snapshot, as a server does when it starts, and say what comes out
///
/// Reads a snapshot, an AOF with or without a snapshot in front, or all files of a multi-part AOF,
/// named by their folder or manifest, and builds in memory what the server `--like` has once it has
/// loaded them: nothing expires meanwhile, what a server would answer with an error has no effect,
/// and where it would stop, so does this.
///
/// A digest proves that two of them are the same: `--digest` gives what DEBUG DIGEST says on the
/// server; `--full-digest` also covers what that one does not see: expiry times, field times,
/// consumer groups, counters, functions.
#[derive(Args)]
#[command(after_help = AFTER)]
pub(super) struct Replay {
    /// An RDB file, an AOF, the folder or the manifest of a multi-part AOF; `-` is the standard input
    path: PathBuf,

    /// The server to follow, as redis-7.0 or valkey-9.1.2
    ///
    /// Without it: the writer of the snapshot in front, else redis-8.2, or valkey-9.1 where the log
    /// has a command that only Valkey knows.
    #[arg(long, value_name = "SERVER", value_parser = like)]
    like: Option<Like>,

    /// The time that the server's clock shows
    ///
    /// As 2026-11-21T05:00:00Z, in seconds since 1970, or in milliseconds. The clock is never read.
    /// Relative times to live count from the last #TS: line before them, else from this; and what
    /// servers judge by the clock is judged by this.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    now: Option<i64>,

    /// Remove keys whose time has passed by --now, at the end
    #[arg(long)]
    drop_expired: bool,

    /// Take NAME for a module's command; may be given several times
    #[arg(long, value_name = "NAME")]
    allow_command: Vec<String>,

    /// What to do about a command that the server would answer with an error: count, stop
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "count",
        hide_default_value = true,
        hide_possible_values = true
    )]
    errors: Errors,

    #[command(flatten)]
    until: Until,

    #[command(flatten)]
    digests: Digests,

    /// Write this key as JSON, as dump-to-json does, instead of the report; \xHH is any byte
    #[arg(long, value_name = "KEY")]
    get: Option<OsString>,

    /// The database of --get
    #[arg(long, value_name = "N", default_value_t = 0, requires = "get")]
    db: u32,

    #[command(flatten)]
    conf: ConfArg,

    #[command(flatten)]
    report: ReportArgs,
}

/// How far to go.
#[derive(Args)]
#[command(next_help_heading = "How far")]
struct Until {
    /// Run only what ends at this offset or before it
    ///
    /// With its file in front where there are several logs: appendonly.aof.2.incr.aof:4096. Inside a
    /// transaction nothing since its MULTI counts.
    #[arg(long, value_name = "[FILE:]N", value_parser = file_offset)]
    to_offset: Option<FileOffset>,

    /// Run only the first N commands, counted through all files
    #[arg(long, value_name = "N")]
    to_command: Option<u64>,

    /// Run only what stands before the first #TS: later than TIME
    #[arg(long, value_name = "TIME", value_parser = moment)]
    to_time: Option<i64>,
}

/// Which digests are wanted.
#[derive(Args)]
#[command(next_help_heading = "Digests")]
struct Digests {
    /// Give the digest that DEBUG DIGEST says on the server --like
    #[arg(long)]
    digest: bool,

    /// Give the full digest, which also covers expiry times, groups, counters and functions
    #[arg(long)]
    full_digest: bool,

    /// Fail with status 5 unless the digest is this one
    ///
    /// Of 40 hexadecimal digits. Of the server's digest, or with --full-digest of that.
    #[arg(long, value_name = "HEX", value_parser = digest)]
    expect_digest: Option<Digest>,

    /// Print the server's digest of the state behind each of these offsets, a line each, and no report
    #[arg(long, value_name = "[FILE:]N,…", value_delimiter = ',', value_parser = file_offset)]
    digest_at: Vec<FileOffset>,
}

const AFTER: &str = "\
Examples:
  redkit replay appendonlydir
  redkit replay --digest --like redis-8.2 appendonly.aof
  redkit replay --expect-digest 943d800368fb9c0e951138f1bc0e313ac769d91f dump.rdb
  redkit replay --to-offset 4096 --get user:1 appendonly.aof
  redkit replay --digest-at 4096,8192 appendonly.aof

Exit status:
  0  all of it was replayed
  1  it is damaged: a server refuses it, cuts it back, or crashes; what stands before was replayed
  2  the command line is wrong
  3  a file cannot be read
  4  a file is of another kind or of a version that is not known; or it has commands or values of
     modules, so that the result or the digest is not the server's
  5  the digest is another than expected, the key is not there, or memory does not suffice";

fn digest(text: &str) -> std::result::Result<Digest, &'static str> {
    Digest::from_hex(text).ok_or("a digest has 40 hexadecimal digits")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Errors {
    Count,
    Stop,
}

impl Replay {
    pub(super) fn run(self, common: &Common, words: &Words) -> anyhow::Result<Exit> {
        let input = args::input(&self.path);
        let key = self.get.as_deref().map(values::key).transpose()?;
        let inputs = std::slice::from_ref(&input);
        let what = ("replay", Wanted::Any);
        let format = self.report.format;
        let exit = self
            .conf
            .each(what, inputs, format, common, words, |input, name| {
                self.one(input, name, key.as_deref(), common, words)
            })?;
        Ok(exit)
    }

    /// What is printed about the input, and the status that it leads to.
    fn one(
        &self,
        input: &InputPath,
        own: &str,
        key: Option<&[u8]>,
        common: &Common,
        words: &Words,
    ) -> Result<(String, Exit)> {
        let name = shown(own);
        let options = self.options();
        let (mut report, found) = common.run(input, true, words, |run| {
            let Replayed { report, keyspace } = replay(input, &options, run)?;
            let found = match key {
                Some(key) => one_of(&keyspace, self.db, key, &DumpOptions::default(), run)?,
                None => None,
            };
            // The program ends soon: giving back millions of keys one by one would take longer than
            // some of the work.
            std::mem::forget(keyspace);
            Ok((report, found))
        })?;
        if own != args::name(input) {
            report.check.name(own);
        }
        let mut exit = self.exit(&report);
        for complaint in self.complaints(&report) {
            words.error(&format!("{name}: {complaint}"));
        }
        let text = match (key, self.report.format) {
            (Some(key), _) => {
                self.tell(&report, words);
                if found.is_none() {
                    let key = printable(key);
                    let text = format!("{name}: there is no key \"{key}\" in db {}", self.db);
                    words.error(&text);
                    exit = exit.max(Exit::Limit);
                }
                String::from_utf8_lossy(&found.unwrap_or_default()).into_owned()
            }
            (None, ReportFormat::Json) => json_report::replay(&report, exit.code()) + "\n",
            (None, ReportFormat::Text) if !self.digests.digest_at.is_empty() => {
                self.tell(&report, words);
                text::digests_at(&report)
            }
            (None, ReportFormat::Text) if words.is_quiet() && exit == Exit::Done => String::new(),
            (None, ReportFormat::Text) => text::replay(&report, words.out),
        };
        Ok((text, exit))
    }

    fn options(&self) -> ReplayOptions {
        let names = self.allow_command.iter();
        ReplayOptions {
            like: self.like,
            now: self.now,
            allowed: names.map(|name| name.as_bytes().to_vec()).collect(),
            to_offset: self.until.to_offset.clone(),
            to_command: self.until.to_command,
            to_time: self.until.to_time,
            errors: match self.errors {
                Errors::Count => OnError::Count,
                Errors::Stop => OnError::Stop,
            },
            digest_at: self.digests.digest_at.clone(),
            digest: self.digests.digest
                || (self.digests.expect_digest.is_some() && !self.digests.full_digest),
            full_digest: self.digests.full_digest,
            drop_expired: self.drop_expired,
        }
    }

    /// Says on stderr what is wrong, where the report is not what is printed.
    fn tell(&self, report: &ReplayReport, words: &Words) {
        let check = &report.check;
        for (findings, file) in check
            .files
            .iter()
            .map(|file| (&file.findings, &file.name))
            .chain([
                (&check.findings, &check.input),
                (&report.findings, &check.input),
            ])
        {
            for finding in findings.list() {
                words.finding(file, finding);
            }
        }
    }

    /// What was asked for and is not so.
    fn complaints(&self, report: &ReplayReport) -> Vec<String> {
        let mut complaints = Vec::new();
        if let Some(expected) = self.digests.expect_digest {
            let found = self.found(report);
            if found
                .as_deref()
                .is_some_and(|hex| hex != expected.to_string())
            {
                let found = found.unwrap_or_default();
                complaints.push(format!("the digest is {found}, not {expected}"));
            }
        }
        complaints
    }

    /// The digest that is held against the expected one.
    fn found(&self, report: &ReplayReport) -> Option<String> {
        match self.digests.full_digest {
            true => report.full_digest.clone(),
            false => report.digest.as_ref().map(|(hex, _)| hex.clone()),
        }
    }

    fn exit(&self, report: &ReplayReport) -> Exit {
        let snapshots = report.check.files.iter();
        let mut snapshots = snapshots.filter_map(|file| file.preamble.as_deref());
        let mut exit = match report.check.fate {
            _ if snapshots.any(|p| p.verdict == Verdict::Unknown) => Exit::Unsupported,
            Fate::Loads if report.findings.errors() == 0 => Exit::Done,
            _ => Exit::Damage,
        };
        if report.unplayable > 0 {
            exit = exit.max(Exit::Unsupported);
        }
        if let Some(expected) = self.digests.expect_digest {
            let partial = report.digest.as_ref().is_some_and(|(_, partial)| *partial);
            if partial && !self.digests.full_digest {
                exit = exit.max(Exit::Unsupported);
            }
            if self
                .found(report)
                .is_some_and(|hex| hex != expected.to_string())
            {
                exit = exit.max(Exit::Limit);
            }
        }
        if self.errors == Errors::Stop && report.refused > 0 {
            exit = exit.max(Exit::Damage);
        }
        exit
    }
}
