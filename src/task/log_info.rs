//! What the first and last bytes of a log say, or of the files of a set: in milliseconds whatever
//! their size.

use memchr::memmem;

use crate::aof::manifest::Role;
use crate::aof::resp::{self, Item};
use crate::aof::resync::Resync;
use crate::aof::set::Start;
use crate::error::{Result, printable};
use crate::io::source::{Content, Origin};
use crate::io::window::Window;
use crate::report::Findings;
use crate::report::aof::FileRole;
use crate::report::info::Ending;
use crate::report::log_info::{LogFileInfo, LogInfo, Times};
use crate::task::check_aof::set::facts;
use crate::task::check_aof::{AnyServer, begins_with_snapshot};
use crate::task::info;
use crate::task::log_files::LogFiles;
use crate::task::{InputPath, Run};

/// A log by itself. Of a stream only the first bytes are read.
pub(super) fn of_log(origin: &Origin, content: Content) -> Result<LogInfo> {
    let times = match content {
        Content::Map(map) => times(&map),
        Content::Stream(stream) => {
            let mut window = Window::new(stream);
            info::fill(&mut window, HEAD)?;
            Times {
                first: first_time(window.data()),
                last: None,
            }
        }
    };
    Ok(LogInfo {
        input: origin.name().to_owned(),
        compressed: origin.codec().map(|codec| codec.name()),
        modified: info::modified(origin),
        set: None,
        files: vec![LogFileInfo {
            name: origin.name().to_owned(),
            role: FileRole::Log,
            seq: None,
            size: origin.size(),
            snapshot: None,
            times,
        }],
        findings: Findings::default(),
    })
}

/// The files of a set.
pub(super) fn of_set(input: &InputPath, run: &Run<'_>) -> Result<LogInfo> {
    let set_files = LogFiles::open(input, run)?;
    let (mut name, mut set) = (String::new(), None);
    if let Some((opened, found)) = set_files.set() {
        let (folder, known) = facts(opened, found.start == Start::Upgrade);
        (name, set) = (folder, Some(known));
    }
    let mut files = Vec::new();
    for index in 0..set_files.count() {
        let Some(file) = set_files.set_file(index) else {
            continue;
        };
        let role = match file.role {
            Role::Base => FileRole::Base,
            _ => FileRole::Incremental,
        };
        let mut about = LogFileInfo {
            name: printable(&file.name),
            role,
            seq: Some(file.seq),
            size: file.size,
            snapshot: None,
            times: Times::default(),
        };
        if let Some(log) = set_files.get(index, run)? {
            if begins_with_snapshot(&log.map) {
                let report = info::of_map(&log.origin, &log.map)?;
                about.times = report.behind.unwrap_or_default();
                about.snapshot = Some(Box::new(report));
            } else {
                about.times = times(&log.map);
            }
        }
        files.push(about);
    }
    let mut findings = set_files.problems();
    for file in &files {
        for finding in file.snapshot.iter().flat_map(|s| s.findings.list()) {
            let mut finding = finding.clone();
            finding.file = Some(file.name.clone());
            findings.push(finding);
        }
    }
    Ok(LogInfo {
        input: name,
        compressed: None,
        modified: None,
        set,
        files,
        findings,
    })
}

/// The times of the log behind a snapshot, where the end of the file shows that there is one. Where
/// the log begins cannot be seen without reading the snapshot.
pub(super) fn behind_snapshot(data: &[u8], ending: Option<Ending>) -> Option<Times> {
    if ending.is_none_or(|ending| ending != Ending::Other) {
        return None;
    }
    let tail = data.get(data.len().saturating_sub(HEAD)..)?;
    let found = Resync::new(tail.len()).next_chain(tail, 0, &AnyServer::default())?;
    leads_to_the_end(tail.get(found.at..)?).then(|| Times {
        first: None,
        last: last_time(data),
    })
}

fn times(log: &[u8]) -> Times {
    Times {
        first: first_time(log.get(..HEAD.min(log.len())).unwrap_or_default()),
        last: last_time(log),
    }
}

/// The first time that an annotation at the start of a log names.
fn first_time(mut head: &[u8]) -> Option<u64> {
    while let Ok((rest, item)) = resp::item(head) {
        if let Item::Annotation(text) = item
            && let Some(time) = resp::timestamp(text)
        {
            return Some(time);
        }
        head = rest;
    }
    None
}

/// The last time that an annotation near the end names. It is believed where commands lead from it
/// to the end: the same bytes within a value do not.
fn last_time(log: &[u8]) -> Option<u64> {
    let tail = log.get(log.len().saturating_sub(TAIL)..)?;
    let mark = memmem::FinderRev::new(b"#TS:");
    let mut until = tail.len();
    for _ in 0..TRIES {
        let at = mark.rfind(tail.get(..until)?)?;
        let line = tail.get(at..)?;
        let begins_a_line = tail.get(..at)?.last().is_none_or(|before| *before == b'\n');
        if begins_a_line
            && let Ok((rest, Item::Annotation(text))) = resp::item(line)
            && let Some(time) = resp::timestamp(text)
            && leads_to_the_end(rest)
        {
            return Some(time);
        }
        until = at;
    }
    None
}

/// Whether commands follow one another to the end, the last of which may be torn.
fn leads_to_the_end(mut rest: &[u8]) -> bool {
    while !rest.is_empty() {
        match resp::item(rest) {
            Ok((after, _)) => rest = after,
            Err(_) => return resp::is_cut(rest),
        }
    }
    true
}

/// Bytes at the start in which the first time is looked for, and at the end in which a log shows
/// itself.
const HEAD: usize = 1 << 20;
/// Bytes at the end in which the last time is looked for: servers write it every second.
const TAIL: usize = 16 << 20;
/// Places that are looked at for it.
const TRIES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aof::resp::{write_command, write_timestamp};

    fn log(lines: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        for line in lines {
            match line.strip_prefix('#') {
                Some(time) => write_timestamp(time.parse().unwrap(), &mut out),
                None => write_command([&b"SET"[..], b"k", line.as_bytes()].into_iter(), &mut out),
            }
        }
        out
    }

    #[test]
    fn the_first_and_the_last_time_are_found() {
        let found = times(&log(&["a", "#17", "b", "#18", "c", "#19", "d"]));
        assert_eq!((found.first, found.last), (Some(17), Some(19)));
        assert_eq!(times(&log(&["a"])), Times::default());
        assert_eq!(times(b""), Times::default());
    }

    #[test]
    fn a_time_within_a_value_is_none() {
        let value = "x\r\n#TS:99\r\ny\r\n#TS:98\r\n";
        let found = times(&log(&["#17", value, "b"]));
        assert_eq!((found.first, found.last), (Some(17), Some(17)));
    }

    #[test]
    fn a_torn_tail_hides_no_time() {
        let whole = log(&["#17", "a", "#18", "b"]);
        let second = whole.len() - log(&["b"]).len();
        for cut in second..whole.len() {
            assert_eq!(times(&whole[..cut]).last, Some(18), "{cut}");
        }
    }

    #[test]
    fn a_log_behind_a_snapshot_is_told_by_the_end() {
        let preamble: &[u8] = include_bytes!("../../testdata/aof/redis-6.2.5-preamble.aof");
        let few: &[u8] = include_bytes!("../../testdata/rdb/redis-7.0.15/few.rdb");
        assert!(behind_snapshot(preamble, Some(Ending::Other)).is_some());
        assert!(behind_snapshot(few, Some(Ending::Other)).is_none());
        assert!(behind_snapshot(few, Some(Ending::Whole)).is_none());
    }
}
