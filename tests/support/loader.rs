//! What a real server does when it is started on a log or on a set of logs, against what we say
//! that it does.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redkit::error::ErrorKind;
use redkit::io::progress::Quiet;
use redkit::report::aof::{AofReport, Fate};
use redkit::report::check::Verdict;
use redkit::task::check_aof::{AofOptions, check_aof, check_bytes};
use redkit::task::replay::{ReplayOptions, replay};
use redkit::task::{InputPath, Run};

use super::server::{Server, ServerKind};
use super::{STARTS, TempFolder};
use crate::cmd;

const LIMIT: Duration = Duration::from_secs(60);

/// The folder of a set in a server's folder.
pub(crate) const FOLDER: &str = "appendonlydir";
/// The manifest in it.
pub(crate) const MANIFEST: &str = "appendonlydir/appendonly.aof.manifest";
/// The name of a single log in a server's folder.
pub(crate) const SINGLE: &str = "appendonly.aof";

/// What a server is started on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Files {
    /// One log, with or without a snapshot in front.
    One(Vec<u8>),
    /// What a server has in its folder, by path.
    Set(BTreeMap<String, Vec<u8>>),
}

impl Files {
    /// Writes them where we are asked to check them, and tells the path to be given.
    pub(crate) fn write_for_us(&self, folder: &Path) -> PathBuf {
        let _held = STARTS.write().unwrap_or_else(PoisonError::into_inner);
        match self {
            Files::One(bytes) => {
                let path = folder.join("log.aof");
                fs::write(&path, bytes).unwrap();
                path
            }
            Files::Set(files) => {
                fs::create_dir_all(folder.join(FOLDER)).unwrap();
                for (name, bytes) in files {
                    fs::write(folder.join(name), bytes).unwrap();
                }
                folder.join(FOLDER)
            }
        }
    }

    /// Reads back what [`write_for_us`](Self::write_for_us) wrote, and what came to it. Of a single
    /// log, what is beside it is left out.
    pub(crate) fn read_back(&self, folder: &Path) -> Files {
        match self {
            Files::One(_) => Files::One(fs::read(folder.join("log.aof")).unwrap()),
            Files::Set(_) => Files::Set(all_in(folder)),
        }
    }

    /// Where a server looks for them: a single log is an incremental file without a base for those
    /// that have sets.
    fn for_server(&self, kind: ServerKind) -> BTreeMap<String, Vec<u8>> {
        match self {
            Files::Set(files) => files.clone(),
            Files::One(bytes) if !kind.has_multi_part_aof() => {
                BTreeMap::from([(SINGLE.to_owned(), bytes.clone())])
            }
            Files::One(bytes) => {
                let manifest = "file appendonly.aof.1.incr.aof seq 1 type i\n";
                BTreeMap::from([
                    (MANIFEST.to_owned(), manifest.into()),
                    (format!("{FOLDER}/appendonly.aof.1.incr.aof"), bytes.clone()),
                ])
            }
        }
    }

    /// For messages: all of what is short, and the sizes of what is not.
    pub(crate) fn shown(&self) -> String {
        let short = |bytes: &[u8]| match bytes.len() {
            ..=1500 => format!("{}", bytes.escape_ascii()),
            len => format!("{len} bytes"),
        };
        match self {
            Files::One(bytes) => short(bytes),
            Files::Set(files) => files
                .iter()
                .map(|(name, bytes)| format!("\n    {name}: {}", short(bytes)))
                .collect(),
        }
    }
}

/// Every file below a folder, by its path in it.
pub(crate) fn all_in(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            let inner = all_in(&entry.path());
            all.extend(
                inner
                    .into_iter()
                    .map(|(n, bytes)| (format!("{name}/{n}"), bytes)),
            );
        } else if entry.file_type().unwrap().is_file() {
            all.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    all
}

/// What a server does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It loads all of it.
    Loads,
    /// It cuts the last file back to this size.
    CutBack(u64),
    /// It starts without any of it.
    StartsEmpty,
    /// It ends by itself.
    Refuses,
    /// A signal ends it.
    Crashes,
}

/// The same, with what else there is to know.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) seen: Seen,
    /// Keys that it has then, in all databases.
    pub(crate) keys: u64,
    /// What DEBUG DIGEST says of them; none of a server that does not run.
    pub(crate) digest: Option<String>,
    pub(crate) log: String,
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} with {} keys", self.seen, self.keys)?;
        // Behind the line that is about loading stands what a crash report is made of.
        let told = ["Bad file", "Unknown", "CRITICAL", "Truncating", "Revert"];
        let told = ["FATAL", "Reading", ">>>", "crashed", "Wrong", "Unexpected"]
            .iter()
            .chain(&told);
        let told: Vec<_> = told.collect();
        let lines = self.log.lines();
        for line in lines.filter(|line| told.iter().any(|word| line.contains(**word))) {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}

/// Starts a server on these files.
pub(crate) fn start(kind: ServerKind, files: &Files) -> Start {
    let before = files.for_server(kind);
    let extra = ["--appendonly", "yes"];
    let started = Server::start_prepared(kind, &extra, LIMIT, |folder| {
        for (name, bytes) in &before {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    });
    match started {
        Ok(server) => {
            let log = server.log();
            let keyspace = cmd!(server.client(), "INFO", "keyspace").text();
            let keys = keyspace.split([':', ',']);
            let keys = keys.filter_map(|part| part.strip_prefix("keys="));
            let keys = keys.map(|n| n.parse::<u64>().unwrap()).sum();
            let after = all_in(server.folder());
            // Some logs leave a server in a state in which it does not survive this.
            let digest = server.client().try_cmd(&[b"DEBUG", b"DIGEST"]);
            let digest = digest.ok().map(|reply| reply.text());
            let seen = seen(&before, &after, &log);
            Start {
                seen,
                keys,
                digest,
                log,
            }
        }
        Err(error) => {
            let status = error.status;
            let status = status.unwrap_or_else(|| panic!("{kind}: {error}\n{}", files.shown()));
            let crashed = status.signal().is_some() || error.log.contains("crashed by signal");
            Start {
                seen: if crashed {
                    Seen::Crashes
                } else {
                    Seen::Refuses
                },
                keys: 0,
                digest: None,
                log: error.log,
            }
        }
    }
}

/// What a server that runs made of its files.
fn seen(before: &BTreeMap<String, Vec<u8>>, after: &BTreeMap<String, Vec<u8>>, log: &str) -> Seen {
    let mut cut = None;
    let mut names = Vec::new();
    for (name, bytes) in before {
        if name.ends_with(".manifest") || bytes.is_empty() {
            continue;
        }
        names.push(name);
        // A history file is removed, an old single file is moved.
        let moved = format!("{FOLDER}/{name}");
        let Some(now) = after.get(name).or_else(|| after.get(&moved)) else {
            continue;
        };
        if now.len() < bytes.len() {
            assert!(cut.is_none(), "two files were cut:\n{log}");
            assert!(bytes.starts_with(now), "{name} was changed:\n{log}");
            cut = Some(now.len() as u64);
        } else {
            assert!(now.starts_with(bytes), "{name} was changed:\n{log}");
        }
    }
    let told = log
        .lines()
        .filter(|line| line.contains("Truncating the AOF"))
        .filter_map(|line| line.split("at offset ").nth(1))
        .find_map(|rest| rest.split(' ').next()?.parse::<u64>().ok());
    match cut {
        Some(at) => {
            assert_eq!(told, Some(at), "it says otherwise:\n{log}");
            Seen::CutBack(at)
        }
        None if !names.is_empty() && !log.contains("DB loaded from") => Seen::StartsEmpty,
        None => Seen::Loads,
    }
}

/// What servers did, so that none is started twice on the same.
#[derive(Default)]
pub(crate) struct Servers {
    starts: Mutex<HashMap<(ServerKind, Files), Start>>,
}

impl Servers {
    /// What a server does with these files.
    pub(crate) fn start(&self, kind: ServerKind, files: &Files) -> Start {
        let key = (kind, files.clone());
        if let Some(start) = self.starts.lock().unwrap().get(&key) {
            return start.clone();
        }
        let done = start(kind, files);
        self.starts.lock().unwrap().insert(key, done.clone());
        done
    }

    /// How many were started.
    pub(crate) fn count(&self) -> usize {
        self.starts.lock().unwrap().len()
    }
}

/// What we say that this server does.
pub(crate) fn said(kind: ServerKind, files: &Files) -> AofReport {
    let options = AofOptions {
        like: Some(kind.id().parse().expect("a server's name")),
        ..AofOptions::default()
    };
    let run = Run {
        threads: 1,
        mmap: true,
        max_spool: 0,
        max_memory: 0,
        progress: &Quiet,
    };
    let report = match files {
        Files::One(bytes) => check_bytes("log", bytes, &options, &run),
        Files::Set(_) => {
            let folder = TempFolder::new();
            let path = files.write_for_us(folder.path());
            check_aof(&InputPath::File(path), &options, &run)
        }
    };
    report.unwrap_or_else(|error| panic!("{kind}: {error}\n{}", files.shown()))
}

/// Digests of the keyspace that our replay comes to: as a server has it that has just loaded the
/// files, and once it has removed what has passed.
pub(crate) fn replayed(kind: ServerKind, files: &Files) -> [String; 2] {
    let folder = TempFolder::new();
    let path = match files {
        Files::One(bytes) => {
            let path = folder.path().join("log");
            fs::write(&path, bytes).unwrap();
            path
        }
        Files::Set(_) => files.write_for_us(folder.path()),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let run = Run {
        threads: 2,
        mmap: true,
        max_spool: 0,
        max_memory: 4 << 30,
        progress: &Quiet,
    };
    [false, true].map(|drop_expired| {
        let options = ReplayOptions {
            like: Some(kind.id().parse().expect("a server's name")),
            now: Some(i64::try_from(now.as_millis()).unwrap()),
            digest: true,
            drop_expired,
            ..ReplayOptions::default()
        };
        match replay(&InputPath::File(path.clone()), &options, &run) {
            Ok(replayed) => replayed.report.digest.map(|(hex, _)| hex).unwrap(),
            // A few bytes that nobody would take for a log, and a server loads as an empty one.
            Err(error) if matches!(error.kind(), ErrorKind::WrongKind { .. }) => "0".repeat(40),
            Err(error) => panic!("{kind}: {error}\n{}", files.shown()),
        }
    })
}

/// What the server would be seen to do if what we say is true.
pub(crate) fn meant(report: &AofReport) -> Seen {
    let at_file = report.at_file.and_then(|index| report.files.get(index));
    match &report.fate {
        Fate::Loads => Seen::Loads,
        // A server that cuts nothing off leaves the file as it is.
        Fate::CutBack(at) if at_file.is_some_and(|file| file.size == *at) => Seen::Loads,
        Fate::CutBack(at) => Seen::CutBack(*at),
        Fate::StartsEmpty(_) => Seen::StartsEmpty,
        Fate::Refuses(..) => Seen::Refuses,
        Fate::Crashes(..) => Seen::Crashes,
    }
}

/// Whether what we say agrees with what the server did.
pub(crate) fn agrees(report: &AofReport, start: &Start) -> bool {
    match (&report.fate, &start.seen) {
        // What a command does with arguments that are not there is a matter of luck.
        (Fate::Crashes(_, why), _) if why.ends_with(" arguments") => true,
        // As is when it crashes for want of a client.
        (Fate::Crashes(_, why), _) if why.ends_with(" in a log") => true,
        // As is what a damaged snapshot does to the server that refuses it.
        (Fate::Refuses(..), Seen::Crashes) => {
            let snapshots = report
                .files
                .iter()
                .filter_map(|file| file.preamble.as_ref());
            snapshots
                .into_iter()
                .any(|snapshot| snapshot.verdict != Verdict::Loads)
        }
        _ => meant(report) == start.seen,
    }
}

/// Fails where what we say of a single log is not what the server does.
#[track_caller]
pub(crate) fn agree(kind: ServerKind, bytes: &[u8]) {
    // An empty log is none: the server has nothing to say about it.
    if bytes.is_empty() {
        return;
    }
    let files = Files::One(bytes.to_vec());
    let report = said(kind, &files);
    let start = start(kind, &files);
    assert!(
        agrees(&report, &start),
        "{kind}: {}\nwe say {:?}\nit does {start}\n{}",
        bytes.escape_ascii(),
        report.fate,
        start.log
    );
}

/// Runs a test for each server that is here, some side by side.
pub(crate) fn each_server(test: impl Fn(ServerKind) + Sync) {
    let kinds = ServerKind::usable();
    std::thread::scope(|scope| {
        for half in kinds.chunks(kinds.len().div_ceil(2).max(1)) {
            let test = &test;
            scope.spawn(move || half.iter().for_each(|kind| test(*kind)));
        }
    });
}

/// A command as servers write it.
pub(crate) fn command(args: &[&[u8]]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        out.extend(format!("${}\r\n", arg.len()).bytes());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Commands as servers write them.
pub(crate) fn log(commands: &[&[&str]]) -> Vec<u8> {
    let bytes = |args: &&[&str]| {
        let args: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
        command(&args)
    };
    commands.iter().flat_map(bytes).collect()
}
