//! A report is a function of the bytes: however many threads there are, however the input comes,
//! and wherever segments are thought to begin.

use super::*;
use crate::io::progress::Quiet;
use crate::io::source::Content;
use crate::rdb::segments::testing::{Dice, Mix, damage, snapshot};

fn run(threads: usize) -> Run<'static> {
    Run {
        threads,
        mmap: true,
        max_spool: 1 << 30,
        max_memory: 1 << 30,
        progress: &Quiet,
    }
}

fn checked(data: &[u8], options: CheckOptions, threads: usize, segment: u64) -> String {
    let batches = Batches::of_map(data);
    let blank = blank(&batches, options);
    let batches = batches.noting(blank);
    let report = check_batches("file", batches, options, &run(threads), segment).unwrap();
    format!("{report:#?}")
}

fn piped(data: &[u8], options: CheckOptions, threads: usize) -> String {
    let mut content = Content::Stream(Box::new(std::io::Cursor::new(data.to_vec())));
    let batches = Batches::of_content(&mut content, 1 << 30);
    let blank = blank(&batches, options);
    let batches = batches.noting(blank);
    let report = check_batches("file", batches, options, &run(threads), SEGMENT).unwrap();
    format!("{report:#?}")
}

/// The first line in which two reports differ.
fn difference(a: &str, b: &str) -> Option<String> {
    let mut pairs = a.lines().zip(b.lines());
    let first = pairs.find(|(a, b)| a != b);
    match first {
        Some((a, b)) => Some(format!("{a} / {b}")),
        None => (a != b).then(|| "one goes on".to_owned()),
    }
}

#[test]
fn reports_are_the_same_for_any_threads_and_segments() {
    let seeds = match std::env::var_os("REDKIT_FULL") {
        Some(_) => 3_000,
        None => 120,
    };
    let (mut damaged, mut sound) = (0, 0);
    for seed in 0..seeds {
        let mut dice = Dice::new(1_000 + seed);
        let mix = if seed % 4 == 0 {
            Mix::Plain
        } else {
            Mix::Tricky
        };
        let size = 300_000 + dice.below(700_000);
        let mut data = snapshot(&mut dice, mix, size);
        if seed % 3 != 0 {
            damage(&mut dice, &mut data);
        }
        let options = CheckOptions {
            ignore_checksum: seed % 5 == 0,
            followed: seed % 7 == 0,
            ..CheckOptions::default()
        };
        let one = checked(&data, options, 1, SEGMENT);
        match one.contains("verdict: Loads") {
            true => sound += 1,
            false => damaged += 1,
        }
        for (threads, segment) in [(2, 1 << 10), (2, 30_000), (3, 8 << 10), (3, 200_000)] {
            let several = checked(&data, options, threads, segment);
            assert_eq!(
                difference(&one, &several),
                None,
                "{seed} {threads} {segment}"
            );
        }
        assert_eq!(difference(&one, &piped(&data, options, 2)), None, "{seed}");
    }
    assert!(damaged > 40 && sound > 8, "{damaged} {sound}");
}

#[test]
fn findings_before_the_first_database_of_a_segment_name_the_one_selected_before() {
    let mut dice = Dice::new(5);
    let mut data = b"REDIS0011\xfe\x09".to_vec();
    data.extend_from_slice(snapshot(&mut dice, Mix::Plain, 900_000).get(28..).unwrap());
    data.truncate(data.len() - 9);
    // A set with a member twice, late in the file.
    data.extend_from_slice(b"\x02\x05twice\x02\x01a\x01a");
    data.extend_from_slice(b"\xff\0\0\0\0\0\0\0\0");
    let batches = Batches::of_map(&data).noting(Tally::new(Keys::Nothing));
    let options = CheckOptions::default();
    let report = check_batches("file", batches, options, &run(2), 16 << 10).unwrap();
    let [finding] = report.findings.list() else {
        panic!("{:?}", report.findings);
    };
    assert_eq!(
        (finding.db, finding.code),
        (Some(9), "rdb-duplicate-member")
    );
    assert_eq!(report.dbs.keys().collect::<Vec<_>>(), [&9]);
}

#[test]
fn duplicates_and_the_first_error_do_not_depend_on_segments_either() {
    for seed in 0..12 {
        let mut dice = Dice::new(seed);
        let data = snapshot(&mut dice, Mix::Tricky, 600_000);
        for options in [
            CheckOptions {
                duplicates: true,
                ..CheckOptions::default()
            },
            CheckOptions {
                first: true,
                ..CheckOptions::default()
            },
        ] {
            let one = checked(&data, options, 1, SEGMENT);
            for threads in [2, 3] {
                let several = checked(&data, options, threads, 8 << 10);
                assert_eq!(difference(&one, &several), None, "{seed} {options:?}");
            }
        }
    }
}

#[test]
fn keys_that_stand_twice_are_told_wherever_they_stand() {
    for seed in 0..8 {
        let mut dice = Dice::new(40 + seed);
        let mut data = b"REDIS0011\xfe\x03".to_vec();
        let plain = snapshot(&mut dice, Mix::Plain, 300_000);
        let records = plain.get(28..plain.len() - 9).unwrap();
        // In database 3 a key twice, far apart; in 3 and 5 the same keys; at the end one three times.
        let twice: &[u8] = b"\x00\x05twice\x01a";
        data.extend_from_slice(twice);
        data.extend_from_slice(records);
        data.extend_from_slice(b"\x00\x05twice\xc0\x07\xfe\x05");
        data.extend_from_slice(twice);
        data.extend_from_slice(records);
        for _ in 0..2 {
            // The second time as an integer.
            data.extend_from_slice(b"\x00\x0212\x01a\x00\xc0\x0c\x01b");
        }
        data.extend_from_slice(b"\xff\0\0\0\0\0\0\0\0");
        let options = CheckOptions {
            duplicates: true,
            ..CheckOptions::default()
        };
        let one = checked(&data, options, 1, SEGMENT);
        assert_eq!(
            one.matches("code: \"rdb-duplicate-key\"").count(),
            4,
            "{one}"
        );
        for (threads, segment) in [(2, 1 << 10), (2, 30_000), (3, 8 << 10)] {
            let several = checked(&data, options, threads, segment);
            assert_eq!(
                difference(&one, &several),
                None,
                "{seed} {threads} {segment}"
            );
        }
        // Of a pipe they cannot be named any more.
        let places = |report: &str| {
            let lines = report.lines().map(str::trim);
            let told =
                lines.filter(|line| line.starts_with("message: ") || line.starts_with("offset: "));
            told.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(places(&one), places(&piped(&data, options, 2)), "{seed}");
    }
}
