//! Values that stay in a snapshot until somebody looks at them are what they are when decoded at once.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redkit::error::Result;
use redkit::keyspace::{self, Files, Keyspace, Slot, digest, save};
use redkit::rdb::Scratch;
use redkit::rdb::batch::Batches;
use redkit::record::{Flow, Record};
use redkit::task::replay::ReplayOptions;
use support::reload::replayed;

const LIKE: [&str; 5] = [
    "redis-6.2",
    "redis-7.0",
    "redis-8.2",
    "valkey-8.1",
    "valkey-9.1",
];

/// Every snapshot under a folder, and every log that begins with one.
fn snapshots(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            snapshots(&path, found);
        } else if matches!(
            fs::read(&path).unwrap().as_slice(),
            [b'R', b'E', b'D', b'I', b'S', ..] | [b'V', b'A', b'L', b'K', b'E', b'Y', ..]
        ) {
            found.push(path);
        }
    }
}

/// The keyspace of a snapshot, every value decoded, by the rules of another.
fn decoded(bytes: &[u8], like: &Keyspace) -> Keyspace {
    let mut rules = like.rules.clone();
    rules.files = Arc::new(Files::default());
    let mut keyspace = Keyspace::new(rules, 1);
    let mut scratch = Scratch::default();
    let mut batches = Batches::of_map(bytes);
    while let Some(batch) = batches.next_batch().unwrap() {
        scratch.templates = Arc::clone(batch.state().templates());
        let each = |record: &Record<'_>| -> Result<Flow> {
            match record {
                Record::Entry(entry) => {
                    let value = keyspace::load(&entry.value, &mut scratch, &keyspace.rules)?;
                    let key = entry.key.to_bytes().unwrap();
                    if let Some(value) = value {
                        keyspace.insert(entry.db, Slot::new(&key, value, entry.expires_at));
                    }
                }
                Record::Function(source) => {
                    let source = source.to_bytes().unwrap().into_owned();
                    let name = keyspace::library_name(&source).unwrap_or_default().to_vec();
                    keyspace.functions.insert(name, source);
                }
                _ => {}
            }
            Ok(Flow::Continue)
        };
        batch.for_each(each).unwrap();
    }
    keyspace
}

fn saved(keyspace: &Keyspace) -> Vec<u8> {
    let mut bytes = Vec::new();
    save::save(keyspace, |more| {
        bytes.extend_from_slice(more);
        Ok(())
    })
    .unwrap();
    bytes
}

/// Values that nobody has looked at.
fn in_file(keyspace: &Keyspace) -> usize {
    let dbs = keyspace.dbs();
    let slots = dbs.iter().flat_map(|db| keyspace.keys(*db));
    slots
        .filter(|slot| slot.value.raw(&keyspace.rules).is_some())
        .count()
}

#[track_caller]
fn assert_same(what: &str, stored: &Keyspace, decoded: &Keyspace) {
    assert_eq!(stored.dbs(), decoded.dbs(), "{what}");
    assert_eq!(stored.functions, decoded.functions, "{what}");
    for db in stored.dbs() {
        let (ours, theirs) = (stored.sorted_keys(db), decoded.sorted_keys(db));
        assert_eq!(ours.len(), theirs.len(), "{what}");
        for (own, other) in ours.iter().zip(theirs) {
            assert_eq!(own.name(), other.name(), "{what}");
            assert_eq!(own.expires_at(), other.expires_at(), "{what}");
            assert_eq!(own.value.data_type(), other.value.data_type(), "{what}");
        }
    }
    assert_eq!(
        digest::of_keyspace(stored).unwrap(),
        digest::of_keyspace(decoded).unwrap(),
        "{what}"
    );
    assert_eq!(
        digest::full(stored).unwrap(),
        digest::full(decoded).unwrap(),
        "{what}"
    );
    assert!(saved(stored) == saved(decoded), "{what}: saved");
}

#[test]
fn a_snapshot_is_the_same_whether_its_values_are_decoded_or_stay_where_they_are() {
    let mut files = Vec::new();
    snapshots(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata"),
        &mut files,
    );
    let (mut stayed, mut whole) = (0, 0);
    for path in files {
        let bytes = fs::read(&path).unwrap();
        for like in LIKE {
            let options = ReplayOptions {
                like: Some(like.parse().unwrap()),
                now: Some(1_796_000_000_000),
                ..ReplayOptions::default()
            };
            let what = format!("{}, {like}", path.display());
            let stored = replayed(&bytes, &options, 1);
            let start = stored.report.check.files[0].log_start as usize;
            if stored.report.check.files[0].preamble.is_none()
                || !stored.report.complete
                || start < bytes.len()
            {
                continue;
            }
            whole += 1;
            let decoded = decoded(&bytes, &stored.keyspace);
            stayed += in_file(&stored.keyspace);
            assert_same(&what, &stored.keyspace, &decoded);
            // Nothing of that decodes a value in place, and with threads it is the same.
            let several = replayed(&bytes, &options, 2);
            assert_eq!(
                in_file(&stored.keyspace),
                in_file(&several.keyspace),
                "{what}"
            );
            assert_same(&what, &several.keyspace, &decoded);
            assert_eq!(stored.report.dbs, several.report.dbs, "{what}");
            assert_eq!(stored.report.memory, several.report.memory, "{what}");
            // One by one, in place.
            for db in stored.keyspace.dbs() {
                for slot in stored.keyspace.keys(db) {
                    let other = decoded
                        .get(db, slot.name())
                        .unwrap()
                        .value
                        .get(&decoded.rules);
                    let value = slot.value.get(&stored.keyspace.rules);
                    assert_eq!(format!("{value:?}"), format!("{other:?}"), "{what}");
                    assert!(!value.is_empty() || other.is_empty(), "{what}");
                    assert_eq!(value.heap(), other.heap(), "{what}");
                }
            }
            assert_same(&what, &stored.keyspace, &decoded);
        }
    }
    assert!(whole > 20, "{whole}");
    assert!(stayed > 150, "{stayed}");
}
