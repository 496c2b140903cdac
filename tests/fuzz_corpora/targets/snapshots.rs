//! Snapshots: the check against a walk of every value, a stream in any pieces against the whole, any
//! segments and threads against one, and what salvage saves against the check.

use std::io::Read;

use redkit::io::output::Existing;
use redkit::io::source::Content;
use redkit::keyspace::{Rules, load};
use redkit::rdb::Scratch;
use redkit::rdb::batch::Batches;
use redkit::rdb::value::walk;
use redkit::record::{Flow, Record};
use redkit::task::InputPath;
use redkit::task::check_rdb::{CheckOptions, check_bytes, check_bytes_in_segments};
use redkit::task::salvage::{Keep, Outputs, SalvageOptions, salvage as save};

use super::common::{Folder, Told, inside, not_ours, run};

/// What is told of a snapshot: records with their values in short, and the error at the end.
#[derive(Debug, Default, PartialEq, Eq)]
struct Snapshot {
    records: Vec<String>,
    bad_values: usize,
    error: Option<String>,
}

fn read(mut batches: Batches<'_>) -> Snapshot {
    let mut all = Snapshot::default();
    let mut scratch = Scratch::default();
    let rules = Rules::new("redis-8.2".parse().expect("a server"), None);
    loop {
        let batch = match batches.next_batch() {
            Ok(Some(batch)) => batch,
            Ok(None) => break,
            Err(error) => {
                all.error = Some(format!("{error} {:?}", error.place()));
                break;
            }
        };
        scratch.templates = batches.state().templates().clone();
        let each = |record: &Record<'_>| {
            let mut line = format!("{record:?}");
            if let Record::Entry(entry) = record {
                let mut told = Told::default();
                if let Err(error) = walk(&entry.value, &mut scratch, &mut told) {
                    all.bad_values += 1;
                    line.push_str(&error.to_string());
                }
                line.push_str(&format!("{} {:?}", told.lines.len(), told.flaws));
                let loaded = load(&entry.value, &mut scratch, &rules).is_ok();
                assert!(loaded || all.bad_values + told.flaws.len() > 0, "{line}");
            }
            all.records.push(line);
            Ok(Flow::Continue)
        };
        // What is wrong inside a compressed run comes out only as its records are read.
        if let Err(error) = batch.for_each(each) {
            all.error = Some(error.to_string());
            break;
        }
    }
    all
}

pub(super) fn rdb(data: &[u8]) {
    let size = data.len() as u64;
    let options = CheckOptions {
        ignore_checksum: true,
        duplicates: true,
        ..CheckOptions::default()
    };
    let all = read(Batches::of_map(data));
    let report = match check_bytes("x", data, options, &run(1)) {
        Ok(report) => report,
        Err(error) => {
            not_ours(&error);
            assert!(all.error.is_some(), "{error}");
            return;
        }
    };
    inside(&report.findings, size);
    assert!(report.good_until <= size);
    if report.findings.errors() == 0 {
        assert_eq!((&all.error, all.bad_values), (&None, 0), "{report:#?}");
    }
    if all.error.is_some() || all.bad_values > 0 {
        assert!(report.findings.errors() > 0, "{all:#?}");
    }
    let first = CheckOptions {
        first: true,
        ..CheckOptions::default()
    };
    if let Ok(report) = check_bytes("x", data, first, &run(1)) {
        inside(&report.findings, size);
    }
}

/// Hands out pieces of one byte to some.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    seed: u64,
}

impl Read for Pieces {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005) + 1;
        let piece = match (self.seed >> 60) & 3 {
            0 => 1,
            1 => 2,
            2 => 17,
            _ => 300,
        };
        let rest = &self.bytes[self.at..];
        let len = piece.min(rest.len()).min(to.len());
        to[..len].copy_from_slice(&rest[..len]);
        self.at += len;
        Ok(len)
    }
}

pub(super) fn chunks(data: &[u8]) {
    let Some((&seed, data)) = data.split_first() else {
        return;
    };
    let whole = read(Batches::of_map(data));
    let pieces = Pieces {
        bytes: data.to_vec(),
        at: 0,
        seed: u64::from(seed),
    };
    let mut content = Content::Stream(Box::new(pieces));
    let piecewise = read(Batches::of_content(&mut content, 64 << 20));
    assert_eq!(whole, piecewise);
}

pub(super) fn segments(data: &[u8]) {
    let Some((&seed, data)) = data.split_first() else {
        return;
    };
    let options = CheckOptions {
        ignore_checksum: seed & 1 == 0,
        ..CheckOptions::default()
    };
    let segment = 32 << (seed >> 1 & 7);
    let shown = |threads, segment| {
        let report = check_bytes_in_segments("x", data, options, &run(threads), segment);
        match report {
            Ok(report) => format!("{report:#?}"),
            Err(error) => format!("{error:?}"),
        }
    };
    assert_eq!(
        shown(1, 1 << 20),
        shown(3, segment),
        "segments of {segment}"
    );
}

pub(super) fn salvage(data: &[u8]) {
    let Some((&flags, data)) = data.split_first() else {
        return;
    };
    let folder = Folder::new();
    let (from, to) = (folder.with("from", data), folder.path("to"));
    let options = SalvageOptions {
        keep_doubtful: flags & 1 != 0,
        assume_db: (flags & 2 != 0).then_some(7),
        keep: match flags >> 2 & 3 {
            0 => None,
            1 => Some(Keep::First),
            _ => Some(Keep::Last),
        },
        assume_version: None,
    };
    let outputs = Outputs {
        to: &to,
        lost: None,
        existing: Existing::Refuse,
    };
    let report = match save(&InputPath::File(from), &options, outputs, &run(1)) {
        Ok((report, _)) => report,
        Err(error) => {
            not_ours(&error);
            assert!(!to.exists(), "{error}");
            return;
        }
    };
    inside(&report.findings, data.len() as u64);
    let saved = std::fs::read(&to).expect("the output");
    let checking = CheckOptions {
        duplicates: true,
        followed: report.log.is_some(),
        ..CheckOptions::default()
    };
    let check = check_bytes("to", &saved, checking, &run(1)).expect("a snapshot");
    assert_eq!(check.findings.errors(), 0, "{report:#?} {check:#?}");
    assert_eq!(check.keys(), report.saved(), "{report:#?}");
    // What was saved is whole: nothing of it is lost the second time.
    let again = folder.path("again");
    let outputs = Outputs {
        to: &again,
        lost: None,
        existing: Existing::Refuse,
    };
    let second = save(
        &InputPath::File(to),
        &SalvageOptions::default(),
        outputs,
        &run(1),
    );
    let (second, _) = second.expect("what was saved");
    assert!(second.is_complete(), "{report:#?} {second:#?}");
    assert_eq!(second.saved(), report.saved());
}
