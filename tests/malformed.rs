//! Snapshots of real servers, cut at every byte and with every bit flipped: an answer each time, at
//! a place inside the file, the same from a map and from a stream.

use std::path::{Path, PathBuf};

use redkit::error::Result;
use redkit::io::progress::Quiet;
use redkit::report::CheckReport;
use redkit::task::check_rdb::{CheckOptions, check_rdb};
use redkit::task::dump::{ChunkSink, DumpOptions, dump};
use redkit::task::{InputPath, Run};

fn run(mmap: bool) -> Run<'static> {
    Run {
        threads: 1,
        mmap,
        max_spool: 1 << 20,
        max_memory: 1 << 30,
        progress: &Quiet,
    }
}

struct Text(Vec<u8>);

impl ChunkSink for Text {
    fn chunk(&mut self, chunk: &[u8]) -> Result<()> {
        self.0.extend_from_slice(chunk);
        Ok(())
    }
}

fn check(file: &Path, mmap: bool, duplicates: bool) -> CheckReport {
    let options = CheckOptions {
        duplicates,
        ..CheckOptions::default()
    };
    check_rdb(&InputPath::File(file.to_owned()), &options, &run(mmap)).unwrap()
}

/// Tries one input; whether it is sound.
fn answered(bytes: &[u8], file: &Path, what: &str) -> bool {
    std::fs::write(file, bytes).unwrap();
    let report = check(file, true, true);
    for finding in report.findings.list() {
        assert!(
            finding.place.offset <= bytes.len() as u64,
            "{what}: {finding:?}"
        );
        assert!(finding.end <= bytes.len() as u64, "{what}: {finding:?}");
    }
    // Keys twice are named only where the file can be read again; all else is alike.
    let streamed = check(file, false, false);
    let mapped = check(file, true, false);
    assert_eq!(
        format!("{:?}", streamed.findings.list()),
        format!("{:?}", mapped.findings.list()),
        "{what}"
    );
    let mut text = Text(Vec::new());
    let options = DumpOptions {
        keep_going: true,
        ..DumpOptions::default()
    };
    // Without its magic it is no snapshot, and refused.
    if let Ok(outcome) = dump(
        &InputPath::File(file.to_owned()),
        &options,
        &run(true),
        &mut text,
    ) {
        let lines = text
            .0
            .split(|&b| b == b'\n')
            .filter(|line| !line.is_empty());
        let mut count = 0;
        for line in lines {
            serde_json::from_slice::<serde_json::Value>(line).unwrap_or_else(|error| {
                panic!("{what}: {error}: {}", String::from_utf8_lossy(line))
            });
            count += 1;
        }
        assert_eq!(count, outcome.keys, "{what}");
    }
    report.findings.errors() == 0
}

fn snapshots() -> Vec<PathBuf> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/rdb"));
    let folders = std::fs::read_dir(root).unwrap();
    let files: Vec<PathBuf> = folders
        .map(|folder| folder.unwrap().path().join("few.rdb"))
        .collect();
    assert!(files.len() >= 2);
    files
}

#[test]
fn every_truncation_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cut.rdb");
    for snapshot in snapshots() {
        let bytes = std::fs::read(&snapshot).unwrap();
        assert!(answered(&bytes, &file, "whole"));
        for end in 0..bytes.len() {
            let sound = answered(
                &bytes[..end],
                &file,
                &format!("{} cut at {end}", snapshot.display()),
            );
            assert!(!sound, "{} cut at {end}", snapshot.display());
        }
    }
}

#[test]
fn every_flipped_bit_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("flipped.rdb");
    for snapshot in snapshots() {
        let mut bytes = std::fs::read(&snapshot).unwrap();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            let what = format!("{} byte {} bit {}", snapshot.display(), bit / 8, bit % 8);
            // The checksum notices what the structure does not. Only in the version's digits a bit
            // can make an older format of it that has none: `REDIS001 ` is version 1.
            let sound = answered(&bytes, &file, &what);
            assert!(!sound || (5..9).contains(&(bit / 8)), "{what}");
            // Without a checksum only the structure is left, and any answer will do.
            let sum = bytes.len() - 8;
            let kept = bytes[sum..].to_vec();
            bytes[sum..].fill(0);
            answered(&bytes, &file, &what);
            bytes[sum..].copy_from_slice(&kept);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}
