//! Runs the program under `strace`, which makes system calls fail, sends signals at them, or stops the
//! program there.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use crate::scene::{Writer, program};
use crate::support::TempFolder;

/// Runs programs under `strace`.
pub(crate) struct Tracer;

/// How a run ended.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) signal: Option<i32>,
    /// What stands on standard error.
    pub(crate) said: String,
    /// How many calls were tampered with.
    pub(crate) injected: usize,
}

impl Tracer {
    /// None, which is said, where it cannot be used.
    pub(crate) fn new() -> Option<Tracer> {
        let run = Command::new("strace")
            .args(["-f", "-qq", "-e", "trace=none", "true"])
            .output();
        match run {
            Ok(output) if output.status.success() => Some(Tracer),
            Ok(output) => {
                let why = String::from_utf8_lossy(&output.stderr).into_owned();
                eprintln!("skipped: strace cannot trace here: {}", why.trim());
                None
            }
            Err(_) => {
                eprintln!("skipped: strace is not there");
                None
            }
        }
    }

    fn command(folder: &Path, calls: &str, log: &Path) -> Command {
        let mut command = Command::new("strace");
        command
            .args(["-f", "-qq", "-s", "8", "-e"])
            .arg(format!("trace={calls}"))
            .arg("-o")
            .arg(log)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the program with an injection, as `strace` calls it: `CALL:error=EIO:when=2`.
    pub(crate) fn run(&self, folder: &Path, words: &[String], inject: &str) -> Run {
        let own = TempFolder::new();
        let log = own.path().join("trace");
        let calls = inject.split(':').next().unwrap_or_default();
        let output = Tracer::command(folder, calls, &log)
            .args(["-e", &format!("inject={inject}")])
            .arg(program())
            .args(words)
            .output()
            .unwrap();
        ended(output.status, &output.stderr, &log)
    }

    /// The so manieth `mmap` is that of the input.
    pub(crate) fn map_of(&self, folder: &Path, writer: &Writer) -> Option<usize> {
        let own = TempFolder::new();
        let log = own.path().join("trace");
        let words = writer.words();
        let status = Tracer::command(folder, "mmap,openat", &log)
            .arg("-y")
            .arg(program())
            .args(&words)
            .status();
        assert!(status.unwrap().code().is_some());
        let text = fs::read_to_string(&log).unwrap();
        // Threads have counters of their own: the first is the one that opens the input.
        let first = text.split(' ').next()?.to_owned();
        let of_first = text.lines().filter(|line| line.starts_with(&first));
        let mut maps = of_first.filter(|line| line.contains(" mmap("));
        let name = format!("/{}>", writer.input);
        maps.position(|line| line.contains(&name)).map(|n| n + 1)
    }

    /// Stops the program at its so manieth `mmap`, cuts a file short, and lets it go on.
    pub(crate) fn cut_at_map(
        &self,
        folder: &Path,
        words: &[String],
        number: usize,
        input: &Path,
    ) -> Run {
        let own = TempFolder::new();
        let log = own.path().join("trace");
        let child = Tracer::command(folder, "mmap", &log)
            .args(["-e", &format!("inject=mmap:signal=SIGSTOP:when={number}")])
            .arg(program())
            .args(words)
            .spawn()
            .unwrap();
        let stopped = stopped(&log);
        let file = fs::File::options().write(true).open(input).unwrap();
        file.set_len(file.metadata().unwrap().len() / 2).unwrap();
        let status = Command::new("kill").args(["-CONT", &stopped]).status();
        assert!(status.unwrap().success());
        let output = child.wait_with_output().unwrap();
        ended(output.status, &output.stderr, &log)
    }
}

/// Waits for a process to be stopped; its number.
fn stopped(log: &PathBuf) -> String {
    for _ in 0..3000 {
        let text = fs::read_to_string(log).unwrap_or_default();
        let mut lines = text.lines();
        if let Some(line) = lines.find(|line| line.contains("--- stopped by SIGSTOP")) {
            return line.split(' ').next().unwrap().to_owned();
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("the program did not stop");
}

fn ended(status: ExitStatus, said: &[u8], log: &Path) -> Run {
    let log = fs::read_to_string(log).unwrap_or_default();
    Run {
        code: status.code(),
        signal: status.signal(),
        said: String::from_utf8_lossy(said).into_owned(),
        injected: log.matches("(INJECTED)").count() + log.matches("--- SIG").count(),
    }
}
