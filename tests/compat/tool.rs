//! A checker and our program under its name: run on the same input, and held against each other.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use crate::support::checker::CHECK_LIMIT;
use crate::support::server::{Family, ServerKind};

/// What a run came to.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    /// Exit code; none when a signal ended it, or the limit.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// How two runs stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Held {
    /// Status and lines are the same.
    Same,
    /// The tool crashed or hung, and we say damaged.
    Crashed,
    /// It did not get the memory that a damaged length asks for, which depends on the machine.
    NoMemory,
}

/// The name that both are called by.
pub(crate) fn name(kind: ServerKind, tool: &str) -> String {
    let family = match kind.family() {
        Family::Redis => "redis",
        Family::Valkey => "valkey",
    };
    format!("{family}-check-{tool}")
}

/// The name by which `REDKIT_COMPAT` selects it.
pub(crate) fn release(kind: ServerKind) -> &'static str {
    match kind {
        ServerKind::Redis62 => "redis-6.2",
        ServerKind::Redis70 => "redis-7.0",
        ServerKind::Redis82 => "redis-8.2",
        ServerKind::Valkey81 => "valkey-8.1",
        ServerKind::Valkey91 => "valkey-9.1",
    }
}

/// Runs the real tool in a folder, answering its question with yes.
pub(crate) fn theirs(kind: ServerKind, tool: &str, args: &[&str], folder: &Path) -> Ran {
    let mut command = Command::new(kind.checker(tool));
    command.arg0(name(kind, tool)).args(args);
    run(command, folder)
}

/// Runs our program under its name.
pub(crate) fn ours(kind: ServerKind, tool: &str, args: &[&str], folder: &Path) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redkit"));
    command.arg0(name(kind, tool)).args(args);
    command.env("REDKIT_COMPAT", release(kind));
    run(command, folder)
}

fn run(mut command: Command, folder: &Path) -> Ran {
    command
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("it can be run");
    let mut input = child.stdin.take().expect("it is piped");
    // Who does not ask does not read.
    let _ = input.write_all(b"y\n");
    drop(input);
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (sender, receiver) = mpsc::channel();
    let out = thread::spawn(move || {
        let mut bytes = Vec::new();
        out.read_to_end(&mut bytes).expect("a pipe can be read");
        // Its output ends when it ends.
        let _ = sender.send(());
        bytes
    });
    let err = thread::spawn(move || {
        let mut bytes = Vec::new();
        err.read_to_end(&mut bytes).expect("a pipe can be read");
        bytes
    });
    let in_time = receiver.recv_timeout(CHECK_LIMIT).is_ok();
    if !in_time {
        child.kill().expect("it is ours");
    }
    let status = child.wait().expect("it is ours");
    Ran {
        code: status.code().filter(|_| in_time),
        stdout: out.join().expect("it does not panic"),
        stderr: err.join().expect("it does not panic"),
    }
}

/// Whether a tool crashed or hung.
pub(crate) fn crashed(ran: &Ran) -> bool {
    !matches!(ran.code, Some(0 | 1)) || find(&ran.stdout, b"Server crash checking")
}

/// Holds what we say against what the tool says.
pub(crate) fn hold(theirs: &Ran, ours: &Ran) -> Result<Held, String> {
    if crashed(theirs) {
        return match ours.code {
            Some(1) => Ok(Held::Crashed),
            _ => Err(told(theirs, ours)),
        };
    }
    match ours.code == theirs.code && comparable(&ours.stdout) == comparable(&theirs.stdout) {
        true => Ok(Held::Same),
        false if lacked_memory(&theirs.stdout) && ours.code == Some(1) => Ok(Held::NoMemory),
        false => Err(told(theirs, ours)),
    }
}

/// Redis 6.2 looks for the line end of a string of length -1 or -2 in front of its own buffer: what
/// it finds there is no matter of the log.
pub(crate) fn without_own_memory(mut ran: Ran, log: &[u8]) -> Ran {
    let what = b": Expected \\r\\n, got: ";
    let Some(at) = position(&ran.stdout, what) else {
        return ran;
    };
    let digits = ran.stdout[..at].rsplit(|c| !c.is_ascii_hexdigit()).next();
    let offset = digits.and_then(|hex| usize::from_str_radix(str::from_utf8(hex).ok()?, 16).ok());
    let before = offset.and_then(|offset| log.get(..offset)).unwrap_or(b"");
    let line = before.rsplit(|c| *c == b'\n').nth(1).unwrap_or(b"");
    let length = line
        .strip_prefix(b"$")
        .and_then(|text| str::from_utf8(text).ok());
    if length.is_some_and(|text| matches!(text.trim().parse(), Ok(-1 | -2))) {
        let from = at + what.len();
        let end = position(&ran.stdout[from..], b"\n").map_or(ran.stdout.len(), |end| from + end);
        ran.stdout.splice(from..end, *b"0000");
    }
    ran
}

/// Whether a tool had no memory for a count that some machine may have it for.
fn lacked_memory(stdout: &[u8]) -> bool {
    let what = b"TryExpand ";
    position(stdout, what).is_some_and(|at| {
        let digits = stdout[at + what.len()..]
            .iter()
            .take_while(|c| c.is_ascii_digit());
        let count: String = digits.map(|c| char::from(*c)).collect();
        count.parse::<u64>().is_ok_and(|count| count < 1 << 44)
    })
}

fn told(theirs: &Ran, ours: &Ran) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!(
        "theirs: {:?}\n{}\nours: {:?}\n{}\n{}",
        theirs.code,
        text(&theirs.stdout),
        ours.code,
        text(&ours.stdout),
        text(&ours.stderr)
    )
}

/// The lines that can be compared: without what holds a C source position, the time and the number
/// of a process, a byte of the tool's own memory, or the identity of a build.
pub(crate) fn comparable(stdout: &[u8]) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    for line in stdout.split(|c| *c == b'\n') {
        let line = match logged(line) {
            Some(rest) if IN_LOGS.iter().any(|text| rest.starts_with(text)) => continue,
            Some(rest) => rest,
            None => line,
        };
        let cut = CUT_BEHIND
            .iter()
            .find_map(|text| position(line, text).map(|at| at + text.len()));
        let mut line = line[..cut.unwrap_or(line.len())].to_vec();
        if let Some(at) = position(&line, SOURCE) {
            let from = at + SOURCE.len();
            let digits = line[from..].iter().skip(1);
            let digits = digits.take_while(|c| c.is_ascii_digit()).count();
            if line.get(from) == Some(&b':') {
                line.drain(from..=from + digits);
            }
        }
        lines.push(line);
    }
    lines
}

/// What a server's log says, behind process, time and level.
fn logged(line: &[u8]) -> Option<&[u8]> {
    let digits = line.iter().take_while(|c| c.is_ascii_digit()).count();
    let rest = line.get(digits..)?;
    if digits == 0 || rest.first() != Some(&b':') || rest.get(2) != Some(&b' ') {
        return None;
    }
    // `7:M 28 Nov 2026 06:31:51.755 * text`
    let fields: Vec<&[u8]> = rest.splitn(7, |c| *c == b' ').collect();
    match fields.as_slice() {
        [_, _, _, year, _, level, text] if year.len() == 4 && level.len() == 1 => Some(text),
        _ => None,
    }
}

/// What the tools log and we do not.
const IN_LOGS: [&[u8]; 6] = [
    b"rdbGenericLoadStringObject failed allocating",
    b"rdbLoadLzfStringObject failed allocating",
    b"Cleaning slot migration log",
    b"Terminating server after rdb file reading failure",
    b"failed reading hash",
    b"failed reading",
];

/// What a line of the source stands behind.
const SOURCE: &[u8] = b"Internal error in RDB reading offset 0, function at rdb.c";

const CUT_BEHIND: [&[u8]; 2] = [b"Expected \\r\\n, got: 00", b" sha="];

fn find(text: &[u8], what: &[u8]) -> bool {
    position(text, what).is_some()
}

fn position(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|part| part == what)
}

/// The files of a folder, by name.
pub(crate) fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all: Vec<_> = fs::read_dir(folder)
        .expect("it is there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.is_file())
        .map(|path| {
            let bytes = fs::read(&path).expect("it can be read");
            (PathBuf::from(path.file_name().expect("it has one")), bytes)
        })
        .collect();
    all.sort();
    all
}
