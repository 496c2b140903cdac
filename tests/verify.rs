//! `verify` against real servers: the bad copies that a nightly backup can be, data folders started
//! both ways, configurations as servers read them, archives as `tar` makes them.

mod support;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::TempFolder;
use support::damage::Chance;
use support::resp::Client;
use support::server::{Server, ServerKind};

#[path = "verify/copies.rs"]
mod copies;
#[path = "verify/folders.rs"]
mod folders;
#[path = "verify/inside.rs"]
mod inside;
#[path = "verify/reports.rs"]
mod reports;

const LIMIT: Duration = Duration::from_secs(60);

/// What came of a run: the status, and the reports.
struct Verified {
    code: i32,
    reports: Vec<Value>,
    stderr: String,
}

impl Verified {
    /// The only report.
    #[track_caller]
    fn only(&self) -> &Value {
        match &*self.reports {
            [only] => only,
            several => panic!("{} reports\n{}", several.len(), self.stderr),
        }
    }

    fn codes(&self) -> Vec<&str> {
        let all = self
            .reports
            .iter()
            .flat_map(|report| report["findings"].as_array());
        all.flatten()
            .filter_map(|finding| finding["code"].as_str())
            .collect()
    }

    /// A start by its name.
    #[track_caller]
    fn start(&self, name: &str) -> &Value {
        let starts = self.only()["starts"].as_array().expect("starts");
        let mut starts = starts.iter().filter(|start| start["start"] == name);
        starts
            .next()
            .unwrap_or_else(|| panic!("no start {name}: {}", self.only()))
    }
}

#[track_caller]
fn verify(args: &[&str], input: &Path) -> Verified {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redkit"));
    command
        .args(["verify", "--format", "json"])
        .args(args)
        .arg(input);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = output.status.code().unwrap_or_else(|| panic!("{stderr}"));
    assert_ne!(code, 70, "{stderr}");
    let text = String::from_utf8(output.stdout).unwrap();
    let reports = text.lines().map(|line| serde_json::from_str(line).unwrap());
    Verified {
        code,
        reports: reports.collect(),
        stderr,
    }
}

/// The target that a server is one of.
fn target(kind: ServerKind) -> &'static str {
    match kind {
        ServerKind::Redis62 => "redis-6.2",
        ServerKind::Redis70 => "redis-7.0",
        ServerKind::Redis82 => "redis-8.2",
        ServerKind::Valkey81 => "valkey-8.1",
        ServerKind::Valkey91 => "valkey-9.1",
    }
}

/// Some keys of several types, from `from` on.
fn fill(client: &mut Client, from: usize, count: usize) {
    for n in from..from + count {
        let n = n.to_string();
        cmd!(client, "SET", format!("user:{n}"), "x".repeat(50)).ok();
        cmd!(client, "RPUSH", format!("list:{n}"), "a", &n, "c").no_error();
        cmd!(client, "HSET", format!("hash:{n}"), "field", &n).no_error();
    }
}

/// What a server has that was started on a copy of a folder, or nothing where it does not start.
fn started(kind: ServerKind, folder: &Path, args: &[&str]) -> Option<u64> {
    let server = Server::start_prepared(kind, args, LIMIT, |to| copy(folder, to)).ok()?;
    let mut client = server.client();
    Some(u64::try_from(cmd!(client, "DBSIZE").int()).unwrap())
}

fn copy(from: &Path, to: &Path) {
    for entry in from.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy(&path, &target);
        } else if path.is_file() {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// An archive of what is in a folder, made by the system's `tar`.
fn tar(folder: &Path, format: &str, to: &Path) {
    let made = Command::new("tar")
        .arg(format!("--format={format}"))
        .arg("-cf")
        .arg(to)
        .arg("-C")
        .arg(folder)
        .arg(".")
        .status()
        .unwrap();
    assert!(made.success());
}

/// What a filter makes of bytes.
fn piped(program: &str, args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    output.stdout
}
