//! A keyspace that was saved and loaded again: its values stand in the file until they are looked at.

use std::fs;

use redkit::io::progress::Quiet;
use redkit::keyspace::{Keyspace, save};
use redkit::task::replay::{ReplayOptions, Replayed, replay};
use redkit::task::{InputPath, Run};

/// Replays bytes as a file.
pub(crate) fn replayed(bytes: &[u8], options: &ReplayOptions, threads: usize) -> Replayed {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump");
    fs::write(&path, bytes).unwrap();
    let run = Run {
        threads,
        mmap: true,
        max_spool: 1 << 30,
        max_memory: 4 << 30,
        progress: &Quiet,
    };
    replay(&InputPath::File(path), options, &run).unwrap()
}

/// The same keyspace as it is once it was saved and loaded.
pub(crate) fn reloaded(keyspace: &Keyspace) -> Keyspace {
    let mut bytes = Vec::new();
    save::save(keyspace, |more| {
        bytes.extend_from_slice(more);
        Ok(())
    })
    .unwrap();
    let options = ReplayOptions {
        like: Some(keyspace.rules.like),
        now: keyspace.rules.now,
        ..ReplayOptions::default()
    };
    let replayed = replayed(&bytes, &options, 1);
    assert!(replayed.report.complete, "{:?}", replayed.report.findings);
    replayed.keyspace
}
