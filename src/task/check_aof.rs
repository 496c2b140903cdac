//! Checks a log: what stands in it, what is wrong with it, and what a server makes of it.

mod judge;

use crate::aof::log::{Cause, Damage, Event, LogReader};
use crate::aof::resp::{self, Command};
use crate::aof::resync::{Known, Names};
use crate::bytes::Problem;
use crate::command::{self, Like};
use crate::error::{Error, Hint, Place, Result, What};
use crate::io::kind::Kind;
use crate::io::source::{Behind, Content};
use crate::report::aof::{AofReport, LogTally};
use crate::report::check::Verdict;
use crate::report::finding::{Finding, Findings};
use crate::task::check_aof::judge::Used;
use crate::task::check_rdb::{self, CheckOptions};
use crate::task::{InputPath, Run, open};

/// Names that no server knows are counted apart up to so many.
const NAMES_LISTED: usize = 1000;

/// Bytes between two words on how far a log is read.
const TELL_EVERY: u64 = 8 << 20;

/// What to check.
#[derive(Clone, Copy, Debug, Default)]
pub struct AofOptions {
    /// The server to judge for; else the one that the log seems to be of.
    pub like: Option<Like>,
}

/// Checks a log, with or without a preamble.
///
/// # Errors
/// Input that cannot be read or is no log. Damage is a finding.
pub fn check_aof(input: &InputPath, options: AofOptions, run: &Run<'_>) -> Result<AofReport> {
    let source = open::source(input, run)?;
    let kind = source.kind();
    open::is_log(kind)?;
    // An empty file is a log without commands; an empty pipe is one whose writer has failed.
    if (kind, input) == (Kind::Empty, &InputPath::Stdin) {
        return Err(Error::bytes(Problem::Empty, Place::at(0), What::Command));
    }
    run.progress.size(source.origin().content_size());
    let (origin, mut content) = source.into_parts();
    if let Content::Stream(stream) = &mut content {
        content = Content::Map(open::spooled(stream, run.max_spool)?);
    }
    let Content::Map(map) = &content else {
        return Err(Error::limit("the input could not be held"));
    };
    let mut behind = Behind::new(Some(map));
    let mut report = check(origin.name(), map, options, run, |offset| {
        behind.reach(offset);
        run.progress.at(offset);
    })?;
    report.compressed = origin.codec().map(|codec| codec.name());
    Ok(report)
}

/// Checks a log that is all at hand.
///
/// # Errors
/// None about the bytes themselves.
pub fn check_bytes(
    name: &str,
    data: &[u8],
    options: AofOptions,
    run: &Run<'_>,
) -> Result<AofReport> {
    check(name, data, options, run, |_| ())
}

/// The same; `reached` is told now and then how far the log is read.
fn check(
    name: &str,
    data: &[u8],
    options: AofOptions,
    run: &Run<'_>,
    reached: impl FnMut(u64),
) -> Result<AofReport> {
    let mut preamble = None;
    let mut start = 0;
    if data.starts_with(b"REDIS") || data.starts_with(b"VALKEY") {
        let options = CheckOptions {
            followed: true,
            ..CheckOptions::default()
        };
        let report = check_rdb::check_bytes(name, data, options, run)?;
        start = report.good_until;
        preamble = Some(Box::new(report));
    }
    let whole = preamble
        .as_ref()
        .is_none_or(|p| p.verdict == Verdict::Loads);
    let log = usize::try_from(start).ok().and_then(|at| data.get(at..));
    // Where the preamble's end is not known, nobody knows where the commands begin.
    let log = log.filter(|_| whole).unwrap_or_default();
    let mut walk = Walk::new(start);
    walk.all(log, reached);
    walk.tally.names = walk.used.names();
    let like = options
        .like
        .unwrap_or_else(|| walk.used.likely(preamble.as_deref()));
    let fate = walk.fate(like, preamble.as_deref());
    let loads_on = walk.loads_on(preamble.as_deref());
    let mut findings = Findings::default();
    if let Some(preamble) = &preamble {
        findings.append(preamble.findings.clone());
    }
    walk.used.tell(like, &mut walk.findings);
    walk.findings.sort();
    findings.append(walk.findings);
    Ok(AofReport {
        input: name.to_owned(),
        size: data.len() as u64,
        compressed: None,
        log_start: start,
        good_until: walk.good_until,
        tally: walk.tally,
        findings,
        like: like.to_string(),
        fate,
        loads_on,
        preamble,
    })
}

/// What is believed behind damage: what some server knows.
#[derive(Debug)]
pub struct AnyServer;

impl Names for AnyServer {
    fn known(&self, name: &[u8], argc: usize) -> Known {
        match command::lookup(name) {
            Some(spec) if spec.accepted_by_any(argc as u64) => Known::Yes,
            Some(_) => Known::OtherArity,
            None if is_module_name(name) => Known::Module,
            None => Known::No,
        }
    }
}

/// Modules name their commands with a dot, as `JSON.SET`.
fn is_module_name(name: &[u8]) -> bool {
    let word = |part: &[u8]| {
        !part.is_empty()
            && part
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(b))
    };
    let mut parts = name.splitn(2, |&b| b == b'.');
    matches!((parts.next(), parts.next()), (Some(module), Some(rest))
        if word(module) && rest.split(|&b| b == b'.').all(word))
}

/// Why the loader stops, apart from what depends on the server.
#[derive(Clone, Debug)]
enum Stop {
    /// A bad format.
    Format(u64, String),
    /// The end of the file inside a command: what is well before it, and before the transaction
    /// that the command is part of.
    Cut(u64, u64),
}

/// Goes through a log once.
struct Walk {
    /// Offset of the log in its file.
    start: u64,
    good_until: u64,
    tally: LogTally,
    findings: Findings,
    used: Used,
    /// Where the open transaction begins.
    multi: Option<u64>,
    /// What servers take for the end of what is well: that of the last command, not of annotations
    /// behind it.
    well: u64,
    /// The same when the open transaction began.
    well_before_multi: u64,
    /// The next bracket may belong to what damage hid.
    hidden: bool,
    stop: Option<Stop>,
    first_annotation: Option<u64>,
}

impl Walk {
    fn new(start: u64) -> Self {
        Walk {
            start,
            good_until: start,
            tally: LogTally::default(),
            findings: Findings::default(),
            used: Used::default(),
            multi: None,
            // A snapshot in front counts for nothing before a command behind it is whole.
            well: 0,
            well_before_multi: 0,
            hidden: false,
            stop: None,
            first_annotation: None,
        }
    }

    fn all(&mut self, log: &[u8], mut reached: impl FnMut(u64)) {
        let mut reader = LogReader::new(log, &AnyServer);
        let mut told = self.start;
        while let Some((at, event)) = reader.next() {
            let at = self.start + at as u64;
            if at >= told + TELL_EVERY {
                reached(at);
                told = at;
            }
            match event {
                Event::Command(command) => self.command(at, &command),
                Event::Annotation(text) => self.annotation(at, text),
                Event::Damage(damage) => self.damage(at, damage),
            }
            if self.stop.is_none() && self.multi.is_none() {
                self.good_until = self.start + reader.offset() as u64;
            }
        }
        if let Some(at) = self.multi {
            self.find(
                Problem::AofOpenMulti,
                at,
                self.start + log.len() as u64,
                None,
            );
        }
    }

    #[inline]
    fn command(&mut self, at: u64, command: &Command<'_>) {
        self.tally.commands += 1;
        self.tally.behind_damage += u64::from(self.tally.damages > 0);
        if command.is_lax() {
            self.find(Problem::AofLax, at, at + command.bytes().len() as u64, None);
        }
        match command.argc() {
            1 if command.is("multi") => self.multi(at),
            1 if command.is("exec") => self.exec(at),
            _ => {}
        }
        let reached = self.stop.is_none();
        self.used.command(at, command, reached);
        if reached {
            self.well = at + command.bytes().len() as u64;
        }
    }

    fn multi(&mut self, at: u64) {
        self.hidden = false;
        if self.multi.is_some() {
            self.find(Problem::AofNestedMulti, at, at, None);
        } else {
            self.multi = Some(at);
            self.well_before_multi = self.well;
        }
    }

    fn exec(&mut self, at: u64) {
        if self.multi.take().is_some() {
            self.tally.transactions += 1;
        } else if !self.hidden {
            self.find(Problem::AofStrayExec, at, at, None);
        }
        self.hidden = false;
    }

    fn annotation(&mut self, at: u64, text: &[u8]) {
        self.first_annotation.get_or_insert(at);
        self.tally.annotations += 1;
        if let Some(time) = resp::timestamp(text) {
            let first = self.tally.times.map_or(time, |(first, _)| first);
            self.tally.times = Some((first, time));
        }
    }

    fn damage(&mut self, at: u64, damage: Damage) {
        self.tally.damages += 1;
        let end = self.start + damage.end as u64;
        self.tally.damaged_bytes += end - at;
        let hint = match damage.cause {
            Cause::Inside => Hint::Other("whole commands follow: a server loses them"),
            Cause::TornTail => Hint::Other("a server with `aof-load-truncated yes` cuts it off"),
            Cause::ZeroPadding => Hint::Other("only zeros follow: cut the file here"),
            Cause::JunkTail => Hint::Other("no command follows: cut the file here"),
            Cause::NotSearched => Hint::Other(
                "too intricate to look for all that may follow: do not cut the file here unseen",
            ),
        };
        self.find(damage.problem, at, end, Some(hint));
        if self.stop.is_none() {
            self.stop = Some(match damage.looks_cut() {
                true => match self.multi {
                    Some(_) => Stop::Cut(self.well, self.well_before_multi),
                    None => Stop::Cut(self.well, self.well),
                },
                false => Stop::Format(at, damage.problem.to_string()),
            });
            if let Some(multi) = self.multi {
                self.good_until = multi;
            }
        }
        self.hidden = true;
        if let Some(multi) = self.multi.take() {
            self.find(Problem::AofOpenMulti, multi, end, None);
        }
    }

    #[cold]
    fn find(&mut self, problem: Problem, start: u64, end: u64, hint: Option<Hint>) {
        self.findings.push(Finding {
            end: end.max(start),
            ..finding(problem, start, hint)
        });
    }
}

fn finding(problem: Problem, at: u64, hint: Option<Hint>) -> Finding {
    Finding {
        hint,
        ..Finding::at(problem, Place::at(at))
    }
}
