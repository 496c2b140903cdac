//! Commands that are made while the snapshot is checked are those that are made behind the check.

use std::fs;
use std::sync::atomic::AtomicU64;

use super::*;
use crate::io::output::Existing;
use crate::io::progress::Progress;
use crate::rdb::segments::testing::{Dice, Mix, decoy, snapshot};
use crate::rdb::string::write_number;
use crate::record::filter::FilterOptions;
use crate::write::Allowed;

/// Remembers how much there is to do: once the file where it is checked and written at once, else twice.
#[derive(Default)]
struct Size(AtomicU64);

impl Progress for Size {
    fn at(&self, _: u64) {}
    fn size(&self, total: Option<u64>) {
        self.0.store(total.unwrap_or_default(), Ordering::Relaxed);
    }
}

/// The commands of a snapshot, and the report without what says where they are.
fn commands(data: &[u8], threads: usize, keep_going: bool) -> (Vec<u8>, String) {
    let size = Size::default();
    let done = commands_and_size(data, threads, keep_going, &size);
    let is_sound = done.1.contains("complete: true");
    let at_once = size.0.load(Ordering::Relaxed) == data.len() as u64;
    assert_eq!(at_once, is_sound && !keep_going, "{}", done.1);
    done
}

fn commands_and_size(
    data: &[u8],
    threads: usize,
    keep_going: bool,
    progress: &Size,
) -> (Vec<u8>, String) {
    let folder = tempfile::tempdir().unwrap();
    let (rdb, out) = (folder.path().join("in.rdb"), folder.path().join("out.aof"));
    fs::write(&rdb, data).unwrap();
    let options = WriteOptions {
        format: None,
        layout: Some(Layout::Resp),
        allowed: Allowed::default(),
        filter: FilterOptions::default(),
        existing: Existing::Refuse,
        keep_going,
    };
    let run = Run {
        threads,
        mmap: true,
        max_spool: 1 << 30,
        max_memory: 1 << 30,
        progress,
    };
    let format = Format::named("redis-8.2").unwrap();
    let mut report = convert(&InputPath::File(rdb), &out, &format, &options, &run).unwrap();
    report.input = String::new();
    report.files.clear();
    (fs::read(&out).unwrap_or_default(), format!("{report:?}"))
}

/// Records of one database after the other, among them strings that consist of records.
fn databases(dice: &mut Dice) -> Vec<u8> {
    let mut data = b"REDIS0011\xfa\x09redis-ver\x057.4.0".to_vec();
    for db in [0, 3, 1, 9, 2] {
        data.extend_from_slice(&[0xfe, db]);
        let records = snapshot(dice, Mix::Plain, 60_000);
        data.extend_from_slice(&records[28..records.len() - 9]);
        for n in 0..3 {
            decoy(dice, &mut data);
            let library = format!("#!lua name=of_{db}_{n}\n");
            data.push(0xf5);
            write_number(library.len() as u64, &mut data);
            data.extend_from_slice(library.as_bytes());
        }
        let more = snapshot(dice, Mix::Plain, 30_000);
        data.extend_from_slice(&more[28..more.len() - 9]);
    }
    data.extend_from_slice(b"\xff\0\0\0\0\0\0\0\0");
    data
}

#[test]
fn commands_do_not_depend_on_when_they_are_made() {
    let mut sound = 0;
    for seed in 0..12 {
        let data = databases(&mut Dice::new(900 + seed));
        let behind = commands(&data, 2, true);
        assert!(behind.0.len() > data.len() / 2, "{seed}: {}", behind.1);
        // Names come from dice, and rarely one comes twice.
        if !behind.1.contains("complete: true") {
            assert!(behind.1.contains("rdb-duplicate-key"), "{}", behind.1);
            continue;
        }
        sound += 1;
        for threads in [1, 2, 4] {
            let (bytes, report) = commands(&data, threads, false);
            assert!(bytes == behind.0, "{seed} {threads}");
            assert_eq!(report, behind.1, "{seed} {threads}");
        }
    }
    assert!(sound > 6, "{sound}");
}

#[test]
fn where_it_is_damaged_nothing_is_written_and_all_findings_are_told() {
    let mut refused = 0;
    for seed in 0..60 {
        let mut dice = Dice::new(4_000 + seed);
        let mut data = databases(&mut dice);
        crate::rdb::segments::testing::damage(&mut dice, &mut data);
        let one = commands(&data, 1, false);
        assert_eq!(one, commands(&data, 3, false), "{seed}");
        let is_written = one.1.contains("complete: true");
        assert_eq!(is_written, !one.0.is_empty(), "{seed}: {}", one.1);
        refused += usize::from(!is_written);
    }
    assert!(refused > 20, "{refused}");
}

#[test]
fn libraries_in_front_of_the_keys_are_loaded_once_however_long_they_are() {
    let mut data = b"REDIS0011".to_vec();
    for n in 0..4 {
        let source = format!("#!lua name=library{n}\n-- {}", "x".repeat(200_000));
        data.push(0xf5);
        write_number(source.len() as u64, &mut data);
        data.extend_from_slice(source.as_bytes());
    }
    // What they stand behind makes no difference.
    data.extend_from_slice(b"\xfb\x01\0\xf5\x0f#!lua name=last\xfe\0");
    data.extend_from_slice(b"\x00\x03key\x05value\xff\0\0\0\0\0\0\0\0");
    for keep_going in [false, true] {
        let (bytes, report) = commands(&data, 2, keep_going);
        let loads = memchr::memmem::find_iter(&bytes, b"\r\nLOAD\r\n").count();
        assert_eq!(loads, 5, "{report}");
        assert!(report.contains("functions: 5"), "{report}");
    }
}
