//! What `check-aof` says of a log, and what `--fix` makes of it, against real servers that are
//! started on the log: on logs and sets that each server wrote itself, damaged in every way that
//! files are.

mod support;

use redkit::command::{self, CommandSpec, Like};
use support::damage::{self, Chance};
use support::loader::{Files, MANIFEST, command as written_command, said};
use support::server::ServerKind;
use support::truth::{Court, Input};
use support::written::{self, Written};
use support::{count, seed};

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
            let step = step.max(1);
            // Another seed cuts elsewhere.
            let skip = seed() as usize % step;
            for cut in (1..bytes.len()).rev().skip(skip).step_by(step) {
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
        let of_input = written.name.len() as u64 + u64::from(kind.rdb_version());
        let mut chance = Chance::new(of_input + 1000 * seed());
        for (name, bytes) in parts(&written.files) {
            if bytes.is_empty() {
                continue;
            }
            for number in 0..count(13, 65) {
                let mut hit = damage::hit(bytes, number, &mut chance);
                // The long runs end with files that were hit more than once.
                for _ in 39..number.min(41) {
                    if hit.bytes.is_empty() {
                        break;
                    }
                    let other = chance.below(damage::KINDS);
                    let more = damage::hit(&hit.bytes, other, &mut chance);
                    hit.what = format!("{}, {}", hit.what, more.what);
                    hit.bytes = more.bytes;
                }
                let files = with(&written.files, &name, hit.bytes);
                let what = format!("{name}: {}", hit.what);
                inputs.push(input(kind, written, &what, files));
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
        let mut chance = Chance::new(77 + written.name.len() as u64 + 1000 * seed());
        for (name, bytes) in parts(&written.files) {
            let report = said(kind, &Files::One(bytes.to_vec()));
            let from = report.files.first().map_or(0, |file| file.log_start) as usize;
            if from >= bytes.len() {
                continue;
            }
            for _ in 0..count(1, 8) {
                for hit in damage::among_commands(bytes, from, &mut chance) {
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

/// Names that do more to a server that loads them than a log may hold, or that go elsewhere.
const NOT_FOR_LOGS: &[&str] = &["migrate", "replicaof", "slaveof", "shutdown"];

#[test]
fn commands_of_every_name_are_judged() {
    let mut inputs = Vec::new();
    for kind in ServerKind::usable() {
        let like: Like = kind.id().parse().expect("a server's name");
        let mut put = |words: &[&str], argc: usize| {
            let words = words
                .iter()
                .copied()
                .chain(std::iter::repeat("1"))
                .take(argc);
            let words: Vec<&[u8]> = words.map(str::as_bytes).collect();
            let bytes = [
                written_command(&[b"SET", b"before", b"1"]),
                written_command(&words),
                written_command(&[b"SET", b"behind", b"1"]),
            ];
            let what = String::from_utf8_lossy(&words.join(&b' ')).into_owned();
            inputs.push(Input {
                kind,
                what,
                files: Files::One(bytes.concat()),
                only_sets: false,
            });
        };
        // One word too few, as many as it takes, and one more.
        let around = |spec: &CommandSpec, least: usize| {
            let arity = spec.arity_on(like).unwrap_or(-2).unsigned_abs() as usize;
            (arity.saturating_sub(1).max(least)..=arity.max(least) + 1).collect::<Vec<_>>()
        };
        for spec in command::all() {
            let name = spec.name();
            if NOT_FOR_LOGS.contains(&name) {
                continue;
            }
            for argc in around(spec, 1) {
                put(&[name], argc);
            }
            for sub in spec.subcommands() {
                let second = sub
                    .name()
                    .split_once('|')
                    .map_or(sub.name(), |(_, second)| second);
                for argc in around(sub, 2) {
                    put(&[name, second], argc);
                }
            }
        }
    }
    // By default some of them.
    let some = inputs.into_iter().step_by(count(97, 1)).collect::<Vec<_>>();
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
