//! Checks a log, or the files of a set: what stands in them, what is wrong with them, and what a
//! server makes of them.

pub(super) mod judge;
pub(crate) mod set;
pub(super) mod walk;

use crate::aof::resync::{Known, Names, Resync};
use crate::bytes::Problem;
use crate::command::{self, Like};
use crate::error::{Hint, Result};
use crate::io::source::Behind;
use crate::record::target::Target;
use crate::report::aof::{AofReport, FileReport, FileRole};
use crate::report::check::{CheckReport, ChecksumState, LoadsOn, Verdict};
use crate::report::finding::Findings;
use crate::task::check_aof::judge::{Last, needs_of};
use crate::task::check_aof::walk::{Walk, finding};
use crate::task::check_rdb::{self, CheckOptions};
use crate::task::logs::{self, LogFile, Logs};
use crate::task::{InputPath, Run};

/// Names that no server knows are counted apart up to so many.
const NAMES_LISTED: usize = 1000;

/// What to check.
#[derive(Clone, Debug, Default)]
pub struct AofOptions {
    /// The server to judge for; else the one that the log seems to be of.
    pub like: Option<Like>,
    /// Names of commands that are taken for a module's, in any case.
    pub allowed: Vec<Vec<u8>>,
}

/// Checks a log, with or without a preamble, or a set.
///
/// # Errors
/// Input that cannot be read or is no log. Damage is a finding.
pub fn check_aof(input: &InputPath, options: &AofOptions, run: &Run<'_>) -> Result<AofReport> {
    of_logs(&logs::logs(input, run)?, options, run)
}

/// The same of what was found at a path.
pub(crate) fn of_logs(found: &Logs, options: &AofOptions, run: &Run<'_>) -> Result<AofReport> {
    match found {
        Logs::Set(found) => set::check(found, options, run),
        Logs::One(log) => {
            run.progress.size(Some(log.map.len() as u64));
            let LogFile { origin, map } = log;
            let mut behind = Behind::new(Some(map));
            let mut report = check(origin.name(), map, options, run, |offset| {
                behind.reach(offset);
                run.progress.at(offset);
            })?;
            report.compressed = origin.codec().map(|codec| codec.name());
            Ok(report)
        }
    }
}

/// Checks a log that is all at hand.
///
/// # Errors
/// None about the bytes themselves.
pub fn check_bytes(
    name: &str,
    data: &[u8],
    options: &AofOptions,
    run: &Run<'_>,
) -> Result<AofReport> {
    check(name, data, options, run, |_| ())
}

/// The same; `reached` is told now and then how far the log is read.
fn check(
    name: &str,
    data: &[u8],
    options: &AofOptions,
    run: &Run<'_>,
    reached: impl FnMut(u64),
) -> Result<AofReport> {
    let mut file = Checked::of(name, data, options, run, reached)?;
    let like = options.like.unwrap_or_else(|| file.likely());
    let fate = file.fate(like, Last::Yes);
    let loads_on = file.loads_on();
    file.tell(like);
    Ok(AofReport {
        input: name.to_owned(),
        compressed: None,
        set: None,
        files: vec![file.report(FileRole::Log, None)],
        findings: Findings::default(),
        like: like.to_string(),
        fate,
        at_file: Some(0),
        loads_on,
    })
}

/// A file that was gone through, not yet judged.
struct Checked {
    name: String,
    size: u64,
    preamble: Option<Box<CheckReport>>,
    walk: Walk,
    findings: Findings,
    allowed: Vec<Vec<u8>>,
}

impl Checked {
    fn of(
        name: &str,
        data: &[u8],
        options: &AofOptions,
        run: &Run<'_>,
        reached: impl FnMut(u64),
    ) -> Result<Checked> {
        let names = AnyServer {
            allowed: &options.allowed,
        };
        let mut findings = Findings::default();
        let (mut preamble, mut start) = (None, LogStart::Known(0));
        if begins_with_snapshot(data) {
            let options = CheckOptions {
                followed: true,
                ..CheckOptions::default()
            };
            let report = check_rdb::check_bytes(name, data, options, run)?;
            findings.append(report.findings.clone());
            start = LogStart::behind(&report, data, &names);
            preamble = Some(Box::new(report));
        }
        let at = start.offset().unwrap_or(data.len() as u64);
        let mut walk = Walk::new(at);
        if preamble
            .as_ref()
            .is_some_and(|p| p.verdict != Verdict::Loads)
        {
            walk.out_of_reach("the snapshot that it begins with is damaged");
        }
        if let LogStart::Found(from, to) = start {
            let hint = Hint::Other(
                "`--fix --strategy skip` keeps the commands behind it, without the snapshot",
            );
            findings.push(crate::report::finding::Finding {
                end: to,
                ..finding(Problem::AofPreamble, from, Some(hint))
            });
        }
        let log = usize::try_from(at).ok().and_then(|at| data.get(at..));
        walk.all(log.unwrap_or_default(), &names, run.threads, reached);
        walk.tally.names = walk.used.names();
        Ok(Checked {
            name: name.to_owned(),
            size: data.len() as u64,
            preamble,
            walk,
            findings,
            allowed: options.allowed.clone(),
        })
    }

    /// Puts what this server does not take among the findings.
    fn tell(&mut self, like: Like) {
        self.walk
            .used
            .tell(like, &self.allowed, &mut self.walk.findings);
    }

    fn report(self, role: FileRole, seq: Option<i64>) -> FileReport {
        let Checked {
            name,
            size,
            preamble,
            mut walk,
            mut findings,
            ..
        } = self;
        walk.findings.sort();
        findings.append(walk.findings);
        FileReport {
            name,
            role,
            seq,
            size,
            preamble,
            log_start: walk.start,
            good_until: walk.good_until,
            tally: walk.tally,
            findings,
        }
    }

    /// Which servers load it.
    fn loads_on(&self) -> Vec<LoadsOn> {
        let judge = |target: &'static Target| {
            let like = target.name.parse::<Like>().ok()?;
            let mut needs = Vec::new();
            let why = self.needs(target, like, Last::Yes, &mut needs);
            Some(LoadsOn {
                server: target.name,
                ok: why.is_none(),
                needs,
                why,
            })
        };
        Target::ALL.iter().filter_map(judge).collect()
    }

    /// What this server needs to load it, or why it does not.
    fn needs(
        &self,
        target: &Target,
        like: Like,
        last: Last,
        needs: &mut Vec<String>,
    ) -> Option<String> {
        let mut servers = self.preamble.iter().flat_map(|p| &p.loads_on);
        if let Some(own) = servers.find(|server| server.server == target.name) {
            if !own.ok {
                return Some(own.why.clone().unwrap_or_default());
            }
            needs.extend(own.needs.iter().cloned());
        }
        let why = needs_of(&self.fate_with_settings(like, last), needs);
        if why.is_none() {
            needs.extend(self.walk.used.modules(&self.allowed));
        }
        why
    }
}

/// Where the commands begin behind a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogStart {
    /// Here: the snapshot could be read to its end.
    Known(u64),
    /// The snapshot is damaged from the first place on, and commands were found at the second.
    Found(u64, u64),
    /// Nobody knows.
    Unknown,
}

impl LogStart {
    /// Behind a snapshot that was checked.
    pub(crate) fn behind<N: Names>(report: &CheckReport, data: &[u8], names: &N) -> LogStart {
        let end = report.good_until;
        let read_to_its_end = !matches!(report.checksum, ChecksumState::NotReached);
        match report.verdict {
            Verdict::Loads => LogStart::Known(end),
            _ if read_to_its_end => LogStart::Known(end),
            Verdict::Unknown => LogStart::Unknown,
            _ => {
                let from = usize::try_from(end).unwrap_or(data.len());
                let found = Resync::new(data.len()).next_chain(data, from, names);
                match found {
                    Some(resumed) => LogStart::Found(end, resumed.at as u64),
                    None => LogStart::Unknown,
                }
            }
        }
    }

    /// The offset, where there is one.
    pub(crate) fn offset(self) -> Option<u64> {
        match self {
            LogStart::Known(at) | LogStart::Found(_, at) => Some(at),
            LogStart::Unknown => None,
        }
    }
}

/// True where a file begins with a snapshot.
pub(crate) fn begins_with_snapshot(data: &[u8]) -> bool {
    data.starts_with(b"REDIS") || data.starts_with(b"VALKEY")
}

/// What is believed behind damage: what some server knows, and the names that are allowed besides.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnyServer<'a> {
    /// Names that are taken for a module's.
    pub allowed: &'a [Vec<u8>],
}

impl Names for AnyServer<'_> {
    fn known(&self, name: &[u8], argc: usize) -> Known {
        match command::lookup(name) {
            Some(spec) if spec.accepted_by_any(argc as u64) => Known::Yes,
            Some(_) => Known::OtherArity,
            None if is_a_modules(name, self.allowed) => Known::Module,
            None => Known::No,
        }
    }
}

/// True for a name that a module's command may have: with a dot, or one that is allowed.
pub(crate) fn is_a_modules(name: &[u8], allowed: &[Vec<u8>]) -> bool {
    is_module_name(name)
        || allowed
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(name))
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
