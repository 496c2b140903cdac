//! What the integration tests share: real servers ([`server`]), their checkers ([`checker`]), a
//! client for them ([`resp`]), temporary folders. Each test file uses a part of it.
#![allow(dead_code)]

pub(crate) mod checker;
pub(crate) mod damage;
pub(crate) mod dataset;
pub(crate) mod dump;
pub(crate) mod engine;
pub(crate) mod json;
pub(crate) mod live;
pub(crate) mod loader;
pub(crate) mod payload;
pub(crate) mod reload;
pub(crate) mod resp;
pub(crate) mod server;
pub(crate) mod truth;
pub(crate) mod written;

use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock};
use std::thread;
use std::time::Duration;

/// Whether the long runs are asked for (`tests/run --full`).
pub(crate) fn full() -> bool {
    std::env::var_os("REDKIT_FULL").is_some_and(|value| value == "1")
}

/// `quick`, or `long` in the long runs: for the counts of seeded tests.
pub(crate) fn count(quick: usize, long: usize) -> usize {
    if full() { long } else { quick }
}

/// Another number gives the seeded tests other inputs: `REDKIT_SEED`, else 0.
pub(crate) fn seed() -> u64 {
    match std::env::var("REDKIT_SEED") {
        Ok(text) => text.parse().expect("REDKIT_SEED is a number"),
        Err(_) => 0,
    }
}

/// Taken for writing while a file is open that a program then looks at, and for reading while a
/// process is started: until its `exec`, a new process has open what its parent has, and the file
/// would seem to be in use.
pub(crate) static STARTS: RwLock<()> = RwLock::new(());

/// Runs `start`, which starts a process, while no file is being written.
pub(crate) fn starting<T>(start: impl FnOnce() -> T) -> T {
    let _held = STARTS.read().unwrap_or_else(PoisonError::into_inner);
    start()
}

/// A new folder of mode 0700, removed with everything in it when dropped.
///
/// Its path is short: a unix socket's must be under 108 bytes.
pub(crate) struct TempFolder {
    path: PathBuf,
}

impl TempFolder {
    pub(crate) fn new() -> TempFolder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let mut base = std::env::temp_dir();
        if base.as_os_str().len() > 60 {
            base = PathBuf::from("/tmp");
        }
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = base.join(format!("redkit-{}-{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return TempFolder { path },
                // A process of the same id was killed and left it.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => panic!("cannot make {}: {error}", path.display()),
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        // A process that is being killed may still make a file while the others are removed.
        for _ in 0..100 {
            match fs::remove_dir_all(&self.path) {
                Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {
                    thread::sleep(Duration::from_millis(10));
                }
                // A drop while panicking must not panic again; what is lost is room in /tmp.
                _ => return,
            }
        }
    }
}
