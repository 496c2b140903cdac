//! The official checkers, which come with the servers: run on a file, with a limit of time.

use super::server::ServerKind;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long a checker may take before it counts as hanging.
pub(crate) const CHECK_LIMIT: Duration = Duration::from_secs(5);

/// What an official checker said.
#[derive(Clone, Debug)]
pub(crate) struct CheckOutcome {
    /// Its exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    /// It was killed at the limit.
    pub(crate) timed_out: bool,
}

impl CheckOutcome {
    /// Whether it calls the file good.
    pub(crate) fn is_sound(&self) -> bool {
        self.code == Some(0) && !self.timed_out
    }
}

/// Runs the kind's `redis-check-rdb` or `valkey-check-rdb`, for [`CHECK_LIMIT`] at most.
#[track_caller]
pub(crate) fn check_rdb(kind: ServerKind, path: &Path) -> CheckOutcome {
    check_rdb_within(kind, path, CHECK_LIMIT)
}

#[track_caller]
pub(crate) fn check_rdb_within(kind: ServerKind, path: &Path, limit: Duration) -> CheckOutcome {
    run_within(Command::new(kind.checker("rdb")).arg(path), limit)
}

/// Runs the kind's `redis-check-aof` or `valkey-check-aof` on an AOF file or a manifest, with
/// `options` such as `["--fix"]` before the path.
#[track_caller]
pub(crate) fn check_aof(kind: ServerKind, options: &[&str], path: &Path) -> CheckOutcome {
    run_within(
        Command::new(kind.checker("aof")).args(options).arg(path),
        CHECK_LIMIT,
    )
}

#[track_caller]
fn run_within(command: &mut Command, limit: Duration) -> CheckOutcome {
    let spawned = command
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => panic!("cannot run {:?}: {error}", command.get_program()),
    };
    let mut stdout = child.stdout.take().expect("it is piped");
    let (sender, receiver) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.read_to_end(&mut bytes);
        // Its output ends when it ends: this wakes the waiting without polling.
        let _ = sender.send(());
        read.map(|_| bytes)
    });
    let finished = receiver.recv_timeout(limit);
    let timed_out = finished.is_err();
    if timed_out {
        let _ = child.kill();
    }
    let status: io::Result<ExitStatus> = child.wait();
    let bytes = reader.join().expect("the reader does not panic");
    match (status, bytes) {
        (Ok(status), Ok(bytes)) => CheckOutcome {
            code: status.code(),
            stdout: String::from_utf8_lossy(&bytes).into_owned(),
            timed_out,
        },
        (Err(error), _) | (_, Err(error)) => panic!("{:?}: {error}", command.get_program()),
    }
}
