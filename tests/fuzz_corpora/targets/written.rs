//! What writes: the digest behind it is the digest before it, in every layout and for every target; and
//! a dump that is read back is the same dump.

use std::path::Path;

use redkit::io::output::Existing;
use redkit::keyspace::digest::{self, Digest, FullDigest};
use redkit::rdb::Scratch;
use redkit::rdb::batch::Batches;
use redkit::rdb::value::walk;
use redkit::record::filter::FilterOptions;
use redkit::record::target::Target;
use redkit::record::{DataType, Flow, Record};
use redkit::report::written::WriteReport;
use redkit::task::InputPath;
use redkit::task::check_rdb::{CheckOptions, check_bytes};
use redkit::task::convert::convert as converted;
use redkit::task::dump::{DumpOptions, With, dump};
use redkit::task::from_json::{FromJsonOptions, from_json as from};
use redkit::task::replay::{ReplayOptions, replay};
use redkit::task::rewrite::rewrite as rewritten;
use redkit::task::writing::{Layout, WriteOptions};
use redkit::write::{Allowed, Format};

use super::common::{Folder, Text, inside, not_ours, run};
use super::replay::{LIKES, as_log};

/// What the clock shows.
const NOW: Option<i64> = Some(1_795_800_000_000);

const LAYOUTS: [Layout; 4] = [
    Layout::Rdb,
    Layout::Resp,
    Layout::Preamble,
    Layout::Multipart,
];

fn options(format: Option<Format>, layout: Layout, drop: bool, keep_going: bool) -> WriteOptions {
    WriteOptions {
        format,
        layout: Some(layout),
        allowed: Allowed {
            drop_field_ttl: drop,
            drop_meta: drop,
            drop_key: drop,
        },
        filter: FilterOptions::default(),
        existing: Existing::Refuse,
        keep_going,
    }
}

/// The full digest of what a replay leaves.
fn full_digest(path: &Path, like: &str, now: Option<i64>) -> Option<String> {
    let options = ReplayOptions {
        like: Some(like.parse().expect("a server")),
        now,
        full_digest: true,
        ..ReplayOptions::default()
    };
    let input = InputPath::File(path.to_owned());
    match replay(&input, &options, &run(1)) {
        Ok(replayed) => replayed.report.full_digest,
        Err(error) => {
            not_ours(&error);
            None
        }
    }
}

/// A log of commands in short form, rewritten in one layout.
pub(super) fn rewrite(data: &[u8]) {
    let Some((&[first, which], data)) = data.split_first_chunk() else {
        return;
    };
    let folder = Folder::new();
    let path = match which & 4 {
        0 => folder.with("log.aof", &as_log(data)),
        _ => folder.with("log.aof", data),
    };
    let like = LIKES[usize::from(first) % LIKES.len()];
    let replayed = ReplayOptions {
        like: Some(like.parse().expect("a server")),
        now: NOW,
        ..ReplayOptions::default()
    };
    let to = folder.path("to");
    let layout = LAYOUTS[usize::from(which & 3)];
    let input = InputPath::File(path.clone());
    let options = options(None, layout, false, true);
    let report = match rewritten(&input, &to, &replayed, &options, &run(1)) {
        Ok(report) => report,
        Err(error) => return not_ours(&error),
    };
    if report.files.is_empty() {
        assert!(!to.exists(), "{report:#?}");
        return;
    }
    assert!(report.proven, "{report:#?}");
    let before = full_digest(&path, like, NOW);
    assert_eq!(report.full_digest, before, "{report:#?}");
    if !needs_databases(&report) {
        assert_eq!(full_digest(&to, like, NOW), before, "{report:#?}");
    }
}

/// A server as it comes does not take all commands that were written, and the report says so.
fn needs_databases(report: &WriteReport) -> bool {
    let mut warnings = report.warnings.iter();
    warnings.any(|text| text.contains("`databases "))
}

/// A snapshot, converted for one target in one layout.
pub(super) fn convert(data: &[u8]) {
    let Some((&[target, which], data)) = data.split_first_chunk() else {
        return;
    };
    let folder = Folder::new();
    let path = folder.with("from.rdb", data);
    let to = folder.path("to");
    let target = &Target::ALL[usize::from(target) % Target::ALL.len()];
    let Ok(format) = Format::named(target.name) else {
        return;
    };
    let layout = LAYOUTS[usize::from(which & 3)];
    let keep_going = which & 8 == 0;
    let options = options(None, layout, which & 4 != 0, keep_going);
    let threads = 1 + usize::from(which >> 4 & 1) * 2;
    let input = InputPath::File(path.clone());
    let report = match converted(&input, &to, &format, &options, &run(threads)) {
        Ok(report) => report,
        Err(error) => return not_ours(&error),
    };
    if report.files.is_empty() {
        assert!(!to.exists(), "{report:#?}");
        return;
    }
    assert!(report.proven, "{report:#?}");
    if layout == Layout::Rdb {
        let bytes = std::fs::read(&to).expect("the output");
        let check = check_bytes("to", &bytes, CheckOptions::default(), &run(1));
        let check = check.expect("a snapshot");
        assert_eq!(check.findings.errors(), 0, "{report:#?} {check:#?}");
        let loads = check.loads_on.iter().find(|on| on.server == target.name);
        assert!(loads.is_none_or(|on| on.ok), "{report:#?} {check:#?}");
    }
    // A library that does not compile stays in a snapshot, and no command loads it.
    let is_whole = report.complete && report.dropped + report.reduced + report.functions == 0;
    if layout == Layout::Resp && is_whole && !needs_databases(&report) {
        // Whether time has passed matters to a server that loads a snapshot, not to one that loads a log.
        let (before, after) = (
            full_digest(&path, target.name, None),
            full_digest(&to, target.name, None),
        );
        assert_eq!(after, before, "{report:#?}");
    }
}

/// The sum of a snapshot's keys and libraries; none of one that cannot be read, or that holds what JSON
/// does not.
fn sum(data: &[u8]) -> Option<Digest> {
    let mut all = Digest::default();
    let mut scratch = Scratch::default();
    let mut batches = Batches::of_map(data);
    let mut known = true;
    while let Some(batch) = batches.next_batch().ok()? {
        let each = |record: &Record<'_>| {
            match record {
                Record::Entry(entry) => {
                    let key = entry.key.to_bytes().unwrap_or_default();
                    let mut value = FullDigest::new(entry.db, &key, entry.expires_at);
                    walk(&entry.value, &mut scratch, &mut value)?;
                    known &= !matches!(
                        entry.value.rdb_type.data_type(),
                        DataType::Module | DataType::Array | DataType::Cron | DataType::Json
                    );
                    all.join(value.finish());
                }
                Record::Function(source) => {
                    all.join(digest::function(&source.to_bytes().unwrap_or_default()));
                }
                _ => {}
            }
            Ok(Flow::Continue)
        };
        batch.for_each(each).ok()?;
    }
    known.then_some(all)
}

/// JSON.
pub(super) fn from_json(data: &[u8]) {
    let folder = Folder::new();
    let input = InputPath::File(folder.with("from.json", data));
    let mut out = Text::default();
    let outcome = match from(&input, &FromJsonOptions::default(), &run(1), &mut out) {
        Ok(outcome) => outcome,
        Err(error) => return not_ours(&error),
    };
    if outcome.faults > 0 || outcome.twice_count > 0 {
        return;
    }
    let options = CheckOptions {
        duplicates: true,
        ..CheckOptions::default()
    };
    let check = check_bytes("to", &out.0, options, &run(1)).expect("a snapshot");
    inside(&check.findings, out.0.len() as u64);
    assert_eq!(check.findings.errors(), 0, "{check:#?}");
    assert_eq!(check.keys(), outcome.keys);
}

/// A snapshot to JSON and back.
pub(super) fn json_round_trip(data: &[u8]) {
    let options = CheckOptions {
        duplicates: true,
        ..CheckOptions::default()
    };
    let Ok(check) = check_bytes("from", data, options, &run(1)) else {
        return;
    };
    if check.findings.errors() + check.findings.warnings() > 0 {
        return;
    }
    let Some(before) = sum(data) else { return };
    let folder = Folder::new();
    let input = InputPath::File(folder.with("from.rdb", data));
    let dumping = DumpOptions {
        with: With {
            meta: true,
            ..With::default()
        },
        ..DumpOptions::default()
    };
    let mut text = Text::default();
    let outcome = dump(&input, &dumping, &run(1), &mut text).expect("a sound snapshot");
    assert!(
        outcome.complete && outcome.findings.errors() == 0,
        "{outcome:?}"
    );
    let input = InputPath::File(folder.with("from.json", &text.0));
    let mut out = Text::default();
    let shown = || String::from_utf8_lossy(&text.0).into_owned();
    if text.0.is_empty() {
        return;
    }
    let back = match from(&input, &FromJsonOptions::default(), &run(1), &mut out) {
        Ok(back) => back,
        Err(error) => {
            not_ours(&error);
            // The target may be unable to hold it; that it cannot be read is another matter.
            let text = error.to_string();
            let lacks = ["cannot hold", "came with", "has no "]
                .iter()
                .any(|words| text.contains(words));
            assert!(lacks, "{error} {}", shown());
            return;
        }
    };
    assert_eq!(
        (back.faults, back.twice_count),
        (0, 0),
        "{back:?} {}",
        shown()
    );
    assert_eq!(sum(&out.0), Some(before), "{}", shown());
}
