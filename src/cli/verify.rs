//! `verify`.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;

use crate::cli::Exit;
use crate::cli::args::{Common, Inputs, ReportArgs, ReportFormat, name};
use crate::cli::values::{duration, like, moment, percent, target};
use crate::cli::words::{self, Words};
use crate::command::Like;
use crate::error::{Error, Hint, Result};
use crate::io::output::{Existing, Output};
use crate::keyspace::digest::Digest;
use crate::record::target::Target;
use crate::report::verify::{Baseline, How, VerifyReport};
use crate::report::{github, json_report, junit, text};
use crate::task::verify::conf::Conf;
use crate::task::verify::{MaxAge, VerifyOptions, verify};

/// Say whether backups restore: the gate behind a nightly job
///
/// Goes through a snapshot, a log, a set of logs, a server's data folder or a tar archive of any of
/// them, all of it, keys that stand twice included; plays logs as a server does when it starts; and
/// holds what comes out against what is asked for. What would keep a server from starting with all of
/// the data fails, and so does every assertion that is not so.
///
/// Of a data folder it says which files a server would load at its start: with `--conf redis.conf` as
/// that says, else for both starts, `appendonly yes` and `appendonly no`, and the worse one counts. It
/// says how old each is, and what would be lost if only the log or only the snapshot were left.
///
/// The clock is read for one thing alone: `--max-age` without `--now`.
#[derive(Args)]
#[command(after_help = AFTER)]
pub(super) struct Verify {
    #[command(flatten)]
    inputs: Inputs,

    /// Servers that must load it, as redis-8.2 or valkey-9.1; a list with commas
    #[arg(long, value_name = "SERVER", value_delimiter = ',', value_parser = target)]
    target: Vec<&'static Target>,

    /// The server to follow while a log is played, as redis-7.0 or valkey-9.1.2
    ///
    /// Without it: the writer of the snapshot in front, else redis-8.2, or valkey-9.1 where the log
    /// has a command that only Valkey knows. Of a data folder it decides which files count, as the
    /// first --target does.
    #[arg(long, value_name = "SERVER", value_parser = like)]
    like: Option<Like>,

    /// The configuration of the server whose data folder it is
    ///
    /// Read are dbfilename, appendonly, appendfilename, appenddirname and include, quoted as servers
    /// quote; the folder given stands for `dir`. Relative names of included files count from the
    /// folder of the file that names them.
    #[arg(long, value_name = "FILE")]
    conf: Option<PathBuf>,

    /// Warnings fail as well
    #[arg(long)]
    strict: bool,

    /// The time that the server's clock shows, and by which --max-age judges
    ///
    /// As 2026-11-21T05:00:00Z, in seconds since 1970, or in milliseconds.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    now: Option<i64>,

    #[command(flatten)]
    wanted: Wanted,

    /// Write reports: json=FILE, junit=FILE, github; a list with commas
    ///
    /// `json` is an object a line for each backup, `junit` an XML document with a test case for each
    /// assertion, `github` prints annotations, to stdout, or to stderr with --format json. An earlier
    /// report in FILE is replaced; any other file is not.
    #[arg(long, value_name = "WHAT", value_delimiter = ',', value_parser = kind)]
    report: Vec<Kind>,

    #[command(flatten)]
    format: ReportArgs,
}

/// What must be so.
#[derive(Args)]
#[command(next_help_heading = "Assertions")]
struct Wanted {
    /// At least N keys
    #[arg(long, value_name = "N")]
    min_keys: Option<u64>,

    /// Written not longer ago than this, as in 26h, 90min or 7d
    ///
    /// When it was written the AUX field ctime of a snapshot says, or the last #TS: of a log where that
    /// is later; else the file's time of modification is taken, with a warning.
    #[arg(long, value_name = "AGE", value_parser = duration)]
    max_age: Option<i64>,

    /// A key that matches this pattern, as in KEYS; may be given several times
    #[arg(long, value_name = "GLOB")]
    require_key: Vec<OsString>,

    /// This digest: of DEBUG DIGEST, or with --full-digest the full one
    #[arg(long, value_name = "HEX", value_parser = digest)]
    expect_digest: Option<Digest>,

    /// Give the digest that DEBUG DIGEST says
    #[arg(long)]
    digest: bool,

    /// Give the full digest, which covers expiry, groups, counters and functions as well
    #[arg(long)]
    full_digest: bool,

    /// An earlier report of verify, from --report json=FILE
    ///
    /// With one report in it every input is held against that, with several against the one of the
    /// same name.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,

    /// How many keys may be less than in the baseline, in each database and type
    #[arg(long, value_name = "PERCENT", value_parser = percent, requires = "baseline", default_value = "20%")]
    max_drop: f64,
}

const AFTER: &str = "\
Examples:
  redkit verify --max-age 26h --min-keys 1000000 backups/dump.rdb.gz
  redkit verify --conf /etc/redis/redis.conf --target redis-8.2,valkey-9.1 /var/lib/redis
  redkit verify --require-key 'session:*' --report junit=verify.xml,github backup.tar.zst
  redkit verify --baseline good.json --max-drop 5% --report json=new.json dump.rdb

Exit status:
  0  it restores, and all that was asked for is so
  1  it does not: it is damaged, a server would start without it, or bytes stand behind it
  2  the command line, the configuration or the baseline is wrong
  3  a file cannot be read or a report not be written
  4  a --target cannot load it, or it is of a kind or version that is not known
  5  it restores, but something that was asked for is not so
Of several causes or files the first of 3, 4, 2, 1, 5.";

/// A report besides the one that is printed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Json(PathBuf),
    Junit(PathBuf),
    Github,
}

fn kind(text: &str) -> std::result::Result<Kind, &'static str> {
    match text.split_once('=') {
        Some(("json", file)) if !file.is_empty() => Ok(Kind::Json(file.into())),
        Some(("junit", file)) if !file.is_empty() => Ok(Kind::Junit(file.into())),
        None if text == "github" => Ok(Kind::Github),
        _ => Err("a report is json=FILE, junit=FILE or github"),
    }
}

fn digest(text: &str) -> std::result::Result<Digest, &'static str> {
    Digest::from_hex(text).ok_or("a digest has 40 hexadecimal digits")
}

/// What came out, to be written at the end.
#[derive(Default)]
struct Written {
    json: String,
    reports: Vec<VerifyReport>,
    failures: Vec<(String, String)>,
}

impl Verify {
    pub(super) fn run(self, common: &Common, words: &Words) -> anyhow::Result<Exit> {
        let options = self.options()?;
        let inputs = self.inputs.all()?;
        // Before the work, so that it is not for nothing.
        let mut outputs = Vec::new();
        for kind in &self.report {
            if let Kind::Json(path) | Kind::Junit(path) = kind {
                outputs.push((kind, output(path)?));
            }
        }
        let mut worst = Exit::Done;
        let mut written = Written::default();
        let mut open = true;
        let mut printed = false;
        for input in &inputs {
            let done = common.run(input, true, words, |run| verify(input, &options, run));
            let shown = match done {
                Ok(reports) => {
                    let mut shown = String::new();
                    for report in reports {
                        let exit = exit(&report);
                        worst = worst.max(exit);
                        shown.push_str(&self.shown(&report, exit, printed, words));
                        printed |= !shown.is_empty();
                        written
                            .json
                            .push_str(&json_report::verify(&report, exit.code()));
                        written.json.push('\n');
                        written.reports.push(report);
                    }
                    shown
                }
                Err(error) => {
                    worst = worst.max(Exit::of(&error));
                    self.failure(&name(input), &error, &mut written, words)
                }
            };
            // Who reads no further has seen enough; what was found still counts.
            open = open
                && match words::print(&shown) {
                    Err(error) if error.is_closed_pipe() => false,
                    done => done.map(|()| true)?,
                };
        }
        for (kind, mut out) in outputs {
            let text = match kind {
                Kind::Junit(_) => junit::document(&written.reports, &written.failures),
                Kind::Json(_) | Kind::Github => written.json.clone(),
            };
            out.write_all(text.as_bytes())?;
            out.finish()?;
        }
        Ok(worst)
    }

    fn options(&self) -> Result<VerifyOptions> {
        let wanted = &self.wanted;
        let max_age = match wanted.max_age {
            Some(most) => Some(MaxAge {
                most,
                now: self.now.map_or_else(clock, Ok)?,
            }),
            None => None,
        };
        let patterns = wanted.require_key.iter();
        Ok(VerifyOptions {
            like: self.like,
            targets: self.target.clone(),
            now: self.now,
            min_keys: wanted.min_keys,
            max_age,
            require_keys: patterns.map(|p| p.as_encoded_bytes().to_vec()).collect(),
            digest: wanted.digest,
            full_digest: wanted.full_digest,
            expect_digest: wanted.expect_digest,
            baseline: match &wanted.baseline {
                Some(path) => Some(baseline(path)?),
                None => None,
            },
            max_drop: wanted.max_drop,
            conf: match &self.conf {
                Some(path) => Some(Conf::read(path)?),
                None => None,
            },
            strict: self.strict,
        })
    }

    fn is_github(&self) -> bool {
        self.report.contains(&Kind::Github)
    }

    fn shown(&self, report: &VerifyReport, exit: Exit, behind: bool, words: &Words) -> String {
        let annotations = match self.is_github() {
            true => github::annotations(report),
            false => String::new(),
        };
        let between = if behind { "\n" } else { "" };
        match self.format.format {
            ReportFormat::Json => {
                words::say(&annotations);
                json_report::verify(report, exit.code()) + "\n"
            }
            ReportFormat::Text if words.is_quiet() && exit == Exit::Done => annotations,
            ReportFormat::Text => {
                let text = text::verify(report, words.out);
                format!("{between}{text}{annotations}")
            }
        }
    }

    /// An input that gave no report.
    fn failure(&self, name: &str, error: &Error, written: &mut Written, words: &Words) -> String {
        words.error(&format!("{}: {error}", text::shown(name)));
        let json = json_report::failure("verify", name, error, Exit::of(error).code()) + "\n";
        written.json.push_str(&json);
        let why = error.kind().to_string();
        written.failures.push((name.to_owned(), why.clone()));
        let annotation = match self.is_github() {
            true => github::failure(name, &why),
            false => String::new(),
        };
        match self.format.format {
            ReportFormat::Json => {
                words::say(&annotation);
                json
            }
            ReportFormat::Text => annotation,
        }
    }
}

fn exit(report: &VerifyReport) -> Exit {
    match report.failed() {
        None => Exit::Done,
        Some(How::Limit) => Exit::Limit,
        Some(How::Damage) => Exit::Damage,
        Some(How::Unsupported) => Exit::Unsupported,
    }
}

/// The time now, Unix ms.
fn clock() -> Result<i64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok();
    let ms = since.and_then(|since| i64::try_from(since.as_millis()).ok());
    ms.ok_or_else(|| Error::usage("the clock is wrong: give the time by `--now`"))
}

/// An output for a report, where nothing stands or an earlier report.
fn output(path: &Path) -> Result<Output> {
    let is_file = path
        .metadata()
        .is_ok_and(|data| data.is_file() && data.len() > 0);
    if is_file {
        let mut start = [0; 32];
        let mut file = File::open(path).map_err(|error| Error::from(error).in_file(path))?;
        let read = file.read(&mut start);
        let read = read.map_err(|error| Error::from(error).in_file(path))?;
        let start = start.get(..read).unwrap_or_default();
        if !REPORTS.iter().any(|report| start.starts_with(report)) {
            let text = format!("{} is there, and is no report", path.display());
            let hint = Hint::Other("only an earlier report is replaced");
            return Err(Error::usage(text).with_hint(hint));
        }
    }
    Output::create(path, Existing::Replace)
}

/// How reports begin.
const REPORTS: [&[u8]; 2] = [b"{\"schema\":\"redkit.report/", b"<?xml version=\"1.0\""];

fn baseline(path: &Path) -> Result<Baseline> {
    let mut text = Vec::new();
    let file = File::open(path).map_err(|error| Error::from(error).in_file(path))?;
    let read = file.take(BASELINE + 1).read_to_end(&mut text);
    read.map_err(|error| Error::from(error).in_file(path))?;
    if text.len() as u64 > BASELINE {
        return Err(Error::usage("the baseline is too large for a report"));
    }
    json_report::baseline(&text)
}

/// Bytes of a baseline, at most.
const BASELINE: u64 = 64 << 20;
