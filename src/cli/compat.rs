//! The servers' checkers by their names: who calls the program so wants that tool and no other.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::thread;

use crate::cli::{Exit, memory, words};
use crate::command::Like;
use crate::compat::{Console, Kept, Means, Release, Tool};
use crate::error::{Error, ErrorKind, Result};
use crate::io::progress::Quiet;
use crate::io::source::{Content, OpenOptions, Source};
use crate::report::aof::Fate;
use crate::report::check::Verdict;
use crate::report::{Findings, Severity};
use crate::task::check_aof::{AofOptions, check_aof, check_bytes};
use crate::task::check_rdb::{CheckOptions, check_rdb};
use crate::task::mend::{FilePlan, Keep, Plan, Removed, apply_in_place};
use crate::task::{InputPath, Run};

/// Runs the tool that the program is called as, if it is called as one.
pub(super) fn run(args: &[OsString]) -> Option<Exit> {
    let name = Path::new(args.first()?).file_name()?.to_str()?;
    let (tool, own) = Tool::of_name(name)?;
    Some(match release(own) {
        Ok(release) => as_tool(tool, release, args),
        Err(name) => {
            let known: Vec<_> = Release::ALL.iter().map(|release| release.name()).collect();
            let known = known.join(", ");
            words::complain(&format!(
                "REDKIT_COMPAT is {name}, which is none of {known}"
            ));
            Exit::Usage
        }
    })
}

/// The release that is wanted: that of the name, but for `REDKIT_COMPAT`.
fn release(own: Release) -> std::result::Result<Release, String> {
    match std::env::var_os("REDKIT_COMPAT") {
        None => Ok(own),
        Some(name) if name.is_empty() => Ok(own),
        Some(name) => {
            let name = name.to_string_lossy().into_owned();
            Release::from_name(&name).ok_or(name)
        }
    }
}

fn as_tool(tool: Tool, release: Release, args: &[OsString]) -> Exit {
    let done = {
        let mut out = io::BufWriter::new(io::stdout().lock());
        let mut input = io::stdin().lock();
        let mut err = io::stderr();
        let mut console = Console::new(&mut out, &mut err, &mut input);
        let means = Means {
            loads: &|path| loads(path, release),
            cut: &cut,
        };
        tool.run(release, args, &mut console, means)
    };
    match done {
        Ok(code) => {
            if let Some(path) = looked_at(tool, release, args) {
                say_otherwise(tool, release, path, code == 0);
            }
            // The tools know no other status.
            match code {
                0 => Exit::Done,
                _ => Exit::Damage,
            }
        }
        // A reader that went away is no failure of ours.
        Err(error) => {
            let error = Error::from(error);
            if error.is_closed_pipe() {
                return Exit::Done;
            }
            words::complain(&error.to_string());
            Exit::Damage
        }
    }
}

/// The file that was only looked at, so that it can be looked at again.
fn looked_at(tool: Tool, release: Release, args: &[OsString]) -> Option<&Path> {
    let path = match (tool, args) {
        (Tool::Aof, [_, path]) | (Tool::Rdb, [_, path]) => path,
        (Tool::Rdb, [_, path, ..]) if release == Release::Valkey91 => path,
        _ => return None,
    };
    let path = Path::new(path);
    path.metadata().is_ok_and(|m| m.is_file()).then_some(path)
}

/// How far the server loads a log: what is cut off there it loads, all of it.
fn loads(path: &Path, release: Release) -> Option<u64> {
    let source = Source::open(path, OpenOptions::default()).ok()?;
    // A compressed log is none to a server.
    if source.origin().codec().is_some() {
        return None;
    }
    let Content::Map(map) = source.content() else {
        return None;
    };
    let like: Option<Like> = release.name().parse().ok();
    let mut log = &**map;
    // What stands behind a cut may have hidden that a transaction before it has no end.
    for _ in 0..CUTS {
        let options = AofOptions {
            like,
            ..AofOptions::default()
        };
        let report = with_run(|run| check_bytes("", log, &options, run)).ok()?;
        let good_until = report.files.first().map_or(0, |file| file.good_until);
        let at = match report.fate {
            Fate::Loads => return Some(log.len() as u64),
            Fate::CutBack(at) => at,
            Fate::Crashes(at, _) | Fate::Refuses(Some(at), _) => at.min(good_until),
            Fate::StartsEmpty(_) | Fate::Refuses(None, _) => return None,
        };
        log = log.get(..usize::try_from(at).ok()?)?;
    }
    None
}

/// Cuts a file back to its first `at` bytes. Like the tools it does so whoever has the file open, and
/// also where the bytes that go cannot be kept.
fn cut(path: &Path, at: u64) -> io::Result<Kept> {
    let size = path.metadata()?.len();
    let mut plan = FilePlan::new(path, size);
    plan.removed.push(Removed {
        start: at,
        end: size,
        why: "",
    });
    let plan = Plan::File(plan);
    let apply = |keep: &Keep| apply_in_place(&plan, keep, true, &Quiet);
    let error = match apply(&Keep::default()).map(|applied| applied.kept.into_iter().next()) {
        Ok(Some(piece)) => return Ok(Kept::In(piece.path)),
        Ok(None) => return Ok(Kept::Not("they are gone".to_owned())),
        Err(error) => error,
    };
    let keep = Keep {
        discard_removed: true,
        ..Keep::default()
    };
    match apply(&keep) {
        Ok(_) => Ok(Kept::Not(match error.kind() {
            ErrorKind::Io(error) => error.kind().to_string(),
            _ => error.to_string(),
        })),
        Err(_) => Err(io::Error::other(error)),
    }
}

/// Says on stderr what we think of a file, where that is something else.
fn say_otherwise(tool: Tool, release: Release, path: &Path, is_sound: bool) {
    let ours = match tool {
        Tool::Aof => log(path, release),
        Tool::Rdb => snapshot(path, release),
    };
    if let Ok((loads, why)) = ours
        && loads != is_sound
    {
        let (path, server) = (path.display(), release.name());
        let verdict = match loads {
            true => "loads it",
            false => "does not load it",
        };
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        // Whoever closed stderr does not want to know.
        let _ = writeln!(io::stderr(), "redkit: {path}: {server} {verdict}{why}");
    }
}

fn log(path: &Path, release: Release) -> Result<(bool, Option<String>)> {
    with_run(|run| {
        let like: Option<Like> = release.name().parse().ok();
        let options = AofOptions {
            like,
            ..AofOptions::default()
        };
        let report = check_aof(&input(path), &options, run)?;
        let why = match &report.fate {
            Fate::StartsEmpty(why) | Fate::Refuses(_, why) | Fate::Crashes(_, why) => {
                Some(why.clone())
            }
            Fate::Loads | Fate::CutBack(_) => report.lists().find_map(first),
        };
        let loads = report.verdict() == Verdict::Loads && report.compressed.is_none();
        Ok((loads, why))
    })
}

fn snapshot(path: &Path, release: Release) -> Result<(bool, Option<String>)> {
    with_run(|run| {
        let report = check_rdb(&input(path), &CheckOptions::default(), run)?;
        let on = report
            .loads_on
            .iter()
            .find(|on| on.server == release.name());
        let loads = report.verdict == Verdict::Loads
            && report.compressed.is_none()
            && on.is_some_and(|on| on.ok);
        let why = first(&report.findings).or_else(|| on.and_then(|on| on.why.clone()));
        Ok((loads, why))
    })
}

fn first(findings: &Findings) -> Option<String> {
    let errors = findings.list().iter();
    let mut errors = errors.filter(|finding| finding.severity == Severity::Error);
    errors.next().map(|finding| finding.message.clone())
}

fn input(path: &Path) -> InputPath {
    InputPath::File(path.to_path_buf())
}

fn with_run<T>(task: impl FnOnce(&Run<'_>) -> T) -> T {
    task(&Run {
        threads: thread::available_parallelism().map_or(1, std::num::NonZero::get),
        mmap: true,
        max_spool: SPOOL,
        max_memory: memory::default_limit(),
        progress: &Quiet,
    })
}

/// Cuts that are tried one behind the other.
const CUTS: usize = 4;
/// What may be spooled, as elsewhere.
const SPOOL: u64 = 10 << 30;
