//! What `check-aof` says of a log, and what `--fix` makes of it, against real servers that are
//! started on the log: on logs and sets that each server wrote itself, damaged in every way that
//! files are.

mod support;

use support::count;
use support::damage::{self, Chance};
use support::loader::{Files, MANIFEST};
use support::server::ServerKind;
use support::truth::{Court, Input};
use support::written::{self, Written};

fn each_written(mut to: impl FnMut(ServerKind, &Written)) {
    for (kind, all) in written::by_each() {
        for written in all {
            to(*kind, written);
        }
    }
}

fn input(kind: ServerKind, written: &Written, what: &str, files: Files) -> Input {
    Input {
        kind,
        what: format!("{}, {what}", written.name),
        files,
        only_sets: written.only_sets,
    }
}

/// The files of a log or set, each by its name.
fn parts(files: &Files) -> Vec<(String, &[u8])> {
    match files {
        Files::One(bytes) => vec![(String::new(), bytes)],
        Files::Set(files) => files
            .iter()
            .filter(|(name, _)| *name != MANIFEST)
            .map(|(name, bytes)| (name.clone(), bytes.as_slice()))
            .collect(),
    }
}

/// The same files, one of them changed.
fn with(files: &Files, name: &str, bytes: Vec<u8>) -> Files {
    match files {
        Files::One(_) => Files::One(bytes),
        Files::Set(files) => {
            let mut files = files.clone();
            files.insert(name.to_owned(), bytes);
            Files::Set(files)
        }
    }
}

#[test]
fn logs_as_servers_write_them_load_and_are_left_alone() {
    let mut inputs = Vec::new();
    each_written(|kind, written| {
        inputs.push(input(kind, written, "sound", written.files.clone()));
    });
    let court = Court::default();
    court.hold_all(&inputs);
    court.judge();
    let counts = court.counts();
    let loads = counts.get("verdict loads").copied().unwrap_or(0);
    assert_eq!(loads, inputs.len() as u64, "{counts:?}");
}

#[test]
fn truncated_logs_are_judged_and_mended() {
    let mut inputs = Vec::new();
    each_written(|kind, written| {
        for (name, bytes) in parts(&written.files) {
            // In the long runs every offset of the smallest; of the others so many.
            let step = match (written.name, count(0, 1)) {
                ("a few sets", 1) => 1,
                ("a few sets", _) => 2,
                (_, 1) => bytes.len().div_ceil(150),
                _ => bytes.len().div_ceil(7),
            };
            for cut in (1..bytes.len()).rev().step_by(step.max(1)) {
                let files = with(&written.files, &name, bytes[..cut].to_vec());
                inputs.push(input(kind, written, &format!("{name} cut to {cut}"), files));
            }
        }
    });
    let court = Court::default();
    court.hold_all(&inputs);
    court.judge();
}

#[test]
fn damaged_logs_are_judged_and_mended() {
    let mut inputs = Vec::new();
    each_written(|kind, written| {
        let mut chance = Chance::new(written.name.len() as u64 + u64::from(kind.rdb_version()));
        for (name, bytes) in parts(&written.files) {
            if bytes.is_empty() {
                continue;
            }
            for number in 0..count(13, 65) {
                let hit = damage::hit(bytes, number, &mut chance);
                let files = with(&written.files, &name, hit.bytes);
                inputs.push(input(
                    kind,
                    written,
                    &format!("{name}: {}", hit.what),
                    files,
                ));
            }
        }
    });
    let court = Court::default();
    court.hold_all(&inputs);
    court.judge();
}

#[test]
fn changed_commands_are_judged_and_mended() {
    let mut inputs = Vec::new();
    each_written(|kind, written| {
        let mut chance = Chance::new(77 + written.name.len() as u64);
        for (name, bytes) in parts(&written.files) {
            if bytes.is_empty() || bytes.starts_with(b"REDIS") || bytes.starts_with(b"VALKEY") {
                continue;
            }
            for _ in 0..count(1, 8) {
                for hit in damage::among_commands(bytes, 0, &mut chance) {
                    let files = with(&written.files, &name, hit.bytes);
                    let what = format!("{name}: {}", hit.what);
                    inputs.push(Input {
                        only_sets: false,
                        ..input(kind, written, &what, files)
                    });
                }
            }
        }
    });
    // By default some of them.
    let some = inputs.into_iter().step_by(count(3, 1)).collect::<Vec<_>>();
    let court = Court::default();
    court.hold_all(&some);
    court.judge();
}

#[test]
fn faults_of_manifests_are_judged_and_mended() {
    let mut inputs = Vec::new();
    each_written(|kind, written| {
        if !kind.has_multi_part_aof() {
            return;
        }
        match &written.files {
            Files::Set(_) => {
                for (what, files) in damage::of_manifest(&written.files) {
                    inputs.push(input(kind, written, &what, files));
                }
            }
            Files::One(bytes) if bytes.len() < 10_000 => {
                for (what, files) in damage::upgrades(bytes) {
                    inputs.push(input(kind, written, &what, files));
                }
                let cut = &bytes[..bytes.len() - 3];
                for (what, files) in damage::upgrades(cut) {
                    inputs.push(input(kind, written, &format!("{what}, torn"), files));
                }
            }
            Files::One(_) => {}
        }
    });
    // By default some of them.
    let some = inputs.into_iter().step_by(count(2, 1)).collect::<Vec<_>>();
    let court = Court::default();
    court.hold_all(&some);
    court.judge();
}

#[test]
fn logs_of_other_servers_are_judged_and_mended() {
    let mut inputs = Vec::new();
    each_written(|of, written| {
        for kind in ServerKind::usable() {
            let multi = matches!(written.files, Files::Set(_)) && !kind.has_multi_part_aof();
            if of != kind && !multi {
                inputs.push(input(
                    kind,
                    written,
                    &format!("of {of}"),
                    written.files.clone(),
                ));
            }
        }
    });
    let court = Court::default();
    court.hold_all(&inputs);
    court.judge();
}
