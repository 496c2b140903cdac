//! What `salvage` writes of damaged snapshots: servers load it, every key in it is what it was, and
//! what is whole is in it.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use redkit::bytes::Step;
use redkit::rdb::parser::RdbParser;
use redkit::record::Record;
use serde_json::Value;
use support::checker;
use support::damage::Chance;
use support::server::{Server, ServerKind};
use support::{TempFolder, count, dataset, seed};

/// Keys besides those of the data set of every form.
fn keys() -> usize {
    count(30_000, 100_000)
}

fn redkit(args: &[&str]) -> (Option<i32>, Vec<u8>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_redkit"))
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), output.stdout, words)
}

/// A key by its database and name.
type Name = (u32, Vec<u8>);

/// What stands of a key in a snapshot.
struct Kept<'d> {
    at: usize,
    name: Name,
    expires_at: Option<i64>,
    rdb_type: u8,
    value: &'d [u8],
}

/// Every key of a snapshot that is sound.
fn keys_of(bytes: &[u8]) -> Vec<Kept<'_>> {
    let mut parser = RdbParser::new();
    let (mut rest, mut all) = (bytes, Vec::new());
    while !parser.state().ended() {
        let Ok(Step::Parsed { consumed, item }) = parser.parse(rest, true) else {
            panic!("it is not sound at {}", parser.offset());
        };
        rest = &rest[consumed..];
        if let Record::Entry(entry) = item {
            all.push(Kept {
                at: entry.at as usize,
                name: (entry.db, entry.key.to_bytes().unwrap().into_owned()),
                expires_at: entry.expires_at,
                rdb_type: entry.value.rdb_type.number(),
                value: entry.value.bytes,
            });
        }
    }
    all
}

/// A sound snapshot and what stands where in it.
struct Sound {
    bytes: Vec<u8>,
    /// Where records begin, with their keys.
    starts: Vec<(usize, Name)>,
    names: BTreeSet<Name>,
}

impl Sound {
    /// Written by a server, or what stands in the folder that `REDKIT_SOUND` names: a snapshot that
    /// is not there yet is left there.
    fn of(kind: ServerKind) -> Sound {
        let kept = std::env::var_os("REDKIT_SOUND")
            .map(|folder| PathBuf::from(folder).join(format!("{}.rdb", kind.id())));
        let kept_bytes = kept.as_ref().and_then(|path| fs::read(path).ok());
        let bytes = kept_bytes.unwrap_or_else(|| {
            let bytes = Sound::written(kind);
            if let Some(path) = kept {
                fs::write(path, &bytes).unwrap();
            }
            bytes
        });
        Sound::of_bytes(bytes)
    }

    /// Keys of all sorts in several databases.
    fn written(kind: ServerKind) -> Vec<u8> {
        let server = Server::start(kind, &[]);
        let mut client = server.client();
        dataset::fill(&mut client, kind);
        let mut chance = Chance::new(11);
        let mut batch: Vec<Vec<Vec<u8>>> = Vec::new();
        let keys = keys();
        for number in 0..keys {
            if let Some(db) = [(0, 0), (60, 1), (90, 3)]
                .iter()
                .find(|(part, _)| number == keys / 100 * part)
                .map(|(_, db)| db)
            {
                batch.push(vec![b"SELECT".to_vec(), format!("{db}").into_bytes()]);
            }
            let key = format!("key:{number}:{}", "x".repeat(chance.below(12)));
            batch.push(command(&key, number, &mut chance));
            if chance.below(5) == 0 {
                let at = (4_102_444_800_000u64 + number as u64).to_string();
                batch.push(vec![
                    b"PEXPIREAT".to_vec(),
                    key.into_bytes(),
                    at.into_bytes(),
                ]);
            }
            if batch.len() > 5000 {
                for reply in client.pipeline(&std::mem::take(&mut batch)) {
                    reply.no_error();
                }
            }
        }
        for reply in client.pipeline(&batch) {
            reply.no_error();
        }
        drop(client);
        fs::read(server.save()).unwrap()
    }

    fn of_bytes(bytes: Vec<u8>) -> Sound {
        let starts = keys_of(&bytes).into_iter().map(|key| (key.at, key.name));
        let starts: Vec<(usize, Name)> = starts.collect();
        let names = starts.iter().map(|(_, name)| name.clone()).collect();
        Sound {
            bytes,
            starts,
            names,
        }
    }

    /// Whether one of two ranges lies wholly inside of this key's record, and the other does not.
    fn holds_one_of_two(&self, ranges: &[(usize, usize)], key: &Name) -> bool {
        let holds = |&(from, to): &(usize, usize)| {
            let behind = self.starts.partition_point(|(at, _)| *at < from);
            let ends = self
                .starts
                .get(behind)
                .map_or(self.bytes.len(), |next| next.0);
            let holder = behind.checked_sub(1).and_then(|n| self.starts.get(n));
            holder.is_some_and(|(_, name)| name == key) && to < ends
        };
        ranges.len() == 2 && ranges.iter().filter(|range| holds(range)).count() == 1
    }

    /// Keys whose records have bytes in one of these ranges.
    fn touched(&self, ranges: &[(usize, usize)]) -> BTreeSet<Name> {
        let mut names = BTreeSet::new();
        for &(from, to) in ranges {
            let first = self.starts.partition_point(|(at, _)| *at <= from);
            let these = self.starts.iter().skip(first.saturating_sub(1));
            names.extend(
                these
                    .take_while(|(at, _)| *at < to)
                    .map(|(_, name)| name.clone()),
            );
        }
        names
    }
}

fn command(key: &str, number: usize, chance: &mut Chance) -> Vec<Vec<u8>> {
    let mut words = vec![key.to_owned()];
    let name = match chance.below(100) {
        0..25 => {
            let len = [3, 8, 20, 50, 100, 200][chance.below(6)];
            let text =
                (0..len).map(|_| char::from(b"abcdefghij klmnop0123456789\n"[chance.below(28)]));
            words.push(text.collect());
            "SET"
        }
        25..35 => {
            words.push(chance.below(1 << 31).to_string());
            "SET"
        }
        35..45 => {
            let bytes: Vec<u8> = (0..chance.below(80)).map(|_| chance.next() as u8).collect();
            return vec![b"SET".to_vec(), key.as_bytes().to_vec(), bytes];
        }
        45..60 => {
            for field in 0..chance.below(11) + 1 {
                words.extend([format!("f{field}"), format!("v{}", chance.below(1000))]);
            }
            "HSET"
        }
        60..70 => {
            words.extend((0..chance.below(19) + 1).map(|_| format!("e{}", chance.below(10_000))));
            "RPUSH"
        }
        70..80 => {
            words.extend((0..chance.below(19) + 1).map(|_| chance.below(10_000).to_string()));
            "SADD"
        }
        80..90 => {
            for member in 0..chance.below(11) + 1 {
                words.extend([chance.below(1000).to_string(), format!("m{member}")]);
            }
            "ZADD"
        }
        90..95 => {
            words.extend(["1-1".to_owned(), "f".to_owned(), format!("v{number}")]);
            "XADD"
        }
        95..97 => {
            for field in 0..8 {
                words.extend([format!("f{field}"), format!("{}{field}", "v".repeat(70))]);
            }
            "HSET"
        }
        _ => {
            words.extend((0..5).map(|n| format!("member-{n}-{}", "y".repeat(70))));
            "SADD"
        }
    };
    let words = words.into_iter().map(String::into_bytes);
    std::iter::once(name.as_bytes().to_vec())
        .chain(words)
        .collect()
}

fn shown((db, name): &Name) -> String {
    format!("[{db}] {}", name.escape_ascii())
}

/// Damages bytes in the way of this number; says which ranges of the sound ones it touched.
fn damaged(sound: &[u8], kind: usize, chance: &mut Chance) -> (Vec<u8>, Vec<(usize, usize)>) {
    let mut bytes = sound.to_vec();
    let len = bytes.len();
    let size = chance.below(4096.min(len / 1000)) + 1;
    let at = chance.below(len - size);
    let block = [512, 4096][chance.below(2)];
    let one = chance.below(len / block - 2) * block;
    let other = chance.below(len / block - 2) * block;
    let noise: Vec<u8> = (0..size).map(|_| chance.next() as u8).collect();
    let touched = match kind {
        0 | 1 => {
            bytes[at] ^= 1 << chance.below(8);
            vec![(at, at + 1)]
        }
        2 | 3 => {
            bytes[one..one + block].fill(0);
            vec![(one, one + block)]
        }
        4 => {
            bytes[at..at + size].copy_from_slice(&noise);
            vec![(at, at + size)]
        }
        5 => {
            bytes.drain(at..at + size);
            vec![(at, at + size)]
        }
        6 => {
            bytes.splice(at..at, noise);
            vec![(at.saturating_sub(1), at + 1)]
        }
        7 => {
            let copy = bytes[one..one + block].to_vec();
            bytes.splice(one + block..one + block, copy);
            vec![(one + block - 1, one + block + 1)]
        }
        8 => {
            for n in 0..block {
                bytes.swap(one + n, other + n);
            }
            vec![(one, one + block), (other, other + block)]
        }
        _ => {
            bytes.truncate(len - size);
            vec![(len - size, len)]
        }
    };
    (bytes, touched)
}

/// Whole keys whose loss is worth a look.
const MANY: u64 = 50;
/// How long a server's checker may take on a busy machine.
const CHECK: Duration = Duration::from_secs(60);

/// Ways to damage a file.
const KINDS: usize = 10;

/// What came of many runs.
#[derive(Debug, Default)]
struct Tally {
    runs: u64,
    whole_lost: u64,
    /// Damages that lost many of them, and how many.
    many_lost: Vec<(usize, u64)>,
    /// Keys that were left out because they are in doubt, touched or not.
    doubtful: u64,
    framing_lost: u64,
    hidden: u64,
    changed_inside: u64,
    wrong_runs: Vec<String>,
}

/// The damage of this number.
fn damage(sound: &Sound, kind: ServerKind, number: usize) -> (Vec<u8>, Vec<(usize, usize)>) {
    let mut chance = Chance::new(seed() * 1_000_003 + number as u64);
    let way = (number * 7 + kind as usize + seed() as usize) % KINDS;
    damaged(&sound.bytes, way, &mut chance)
}

/// One damage, and all that must hold of what is saved.
fn one(sound: &Sound, kind: ServerKind, number: usize, serve: bool, tally: &mut Tally) {
    let (bytes, ranges) = damage(sound, kind, number);
    let what = format!("{} damage {number}", kind.id());
    let folder = TempFolder::new();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("damaged.rdb"), &bytes).unwrap();
    let (exit, report, words) = redkit(&[
        "salvage",
        "--format=json",
        &path("damaged.rdb"),
        "-o",
        &path("saved.rdb"),
        "--lost",
        &path("lost.ndjson"),
    ]);
    assert!(matches!(exit, Some(0 | 6)), "{what}: {exit:?} {words}");
    let report: Value = serde_json::from_slice(&report).unwrap();
    let salvage = &report["salvage"];
    let (exit, _, words) = redkit(&["check-rdb", "-q", "--duplicates", &path("saved.rdb")]);
    assert_eq!(exit, Some(0), "{what}: {words}");
    let listed = fs::read_to_string(path("lost.ndjson")).unwrap();
    // A name that damage turned into that of another key: neither is believed.
    let twins = listed.lines().filter_map(|line| {
        let place: Value = serde_json::from_str(line).unwrap();
        let db = u32::try_from(place["db"].as_u64()?).unwrap();
        let is_twin = place["reason"] == "duplicate-key";
        is_twin.then(|| {
            place["key"]
                .as_str()
                .map(|key| (db, key.as_bytes().to_vec()))
        })?
    });
    let twins: BTreeSet<Name> = twins.collect();
    // What differs from the sound file. What was saved is copied, so bytes that differ are a change.
    let saved = fs::read(path("saved.rdb")).unwrap();
    let saved_keys = keys_of(&saved).into_iter();
    let mut saved_keys: BTreeMap<Name, Kept<'_>> =
        saved_keys.map(|key| (key.name.clone(), key)).collect();
    let touched = sound.touched(&ranges);
    let framing_lost = salvage["lost"]
        .as_array()
        .unwrap()
        .iter()
        .any(|loss| loss["reason"] == "lost-framing");
    let hidden = salvage["hidden_change"].as_bool().unwrap();
    let (mut whole_lost, mut gone) = (0, BTreeSet::new());
    let (mut wrong, mut renamed, mut strange) = (Vec::new(), 0, String::new());
    for key in keys_of(&sound.bytes) {
        let name = key.name;
        let Some(found) = saved_keys.remove(&name) else {
            whole_lost += u64::from(!touched.contains(&name) && !twins.contains(&name));
            gone.insert(name);
            continue;
        };
        let expiry = found.expires_at != key.expires_at;
        if !expiry && (found.rdb_type, found.value) == (key.rdb_type, key.value) {
            continue;
        }
        // Nothing in a snapshot tells that bytes of a plain string changed. The report says that
        // something did, and it may have done so where the damage is and nowhere else. The same
        // where the other one of two blocks is what the report tells of.
        let is_told = hidden && touched.contains(&name);
        if is_told || (!expiry && sound.holds_one_of_two(&ranges, &name)) {
            tally.changed_inside += 1;
        } else {
            wrong.push(format!(
                "another value or expiry ({expiry}): {}",
                shown(&name)
            ));
        }
    }
    for name in saved_keys.into_keys() {
        assert!(
            !sound.names.contains(&name),
            "{what}: twice {}",
            shown(&name)
        );
        renamed += 1;
        tally.changed_inside += 1;
        strange = shown(&name);
    }
    // A name is a plain string as well: as many keys have another one as are gone.
    let own = |name: &&Name| hidden || sound.holds_one_of_two(&ranges, name);
    if renamed > gone.intersection(&touched).filter(own).count() {
        wrong.push(format!("{renamed} keys that never were, as {strange}"));
    }
    if hidden {
        assert_eq!(whole_lost, 0, "{what}");
    }
    if let Some(first) = wrong.first() {
        let count = wrong.len();
        let ranges = format!("{ranges:x?}");
        tally
            .wrong_runs
            .push(format!("{what} at {ranges}: {count}, {first}"));
    }
    match framing_lost {
        true => assert!(
            whole_lost <= sound.starts.len() as u64 / 100,
            "{what} at {ranges:x?}: {whole_lost}, {} {}",
            salvage["lost"],
            salvage["doubtful"]
        ),
        false if !hidden => assert_eq!(whole_lost, 0, "{what}"),
        false => {}
    }
    // The list is in order, inside of the file, and names no key that was saved as it is.
    let mut last = 0;
    for line in listed.lines() {
        let place: Value = serde_json::from_str(line).unwrap();
        let (start, end) = (
            place["start"].as_u64().unwrap(),
            place["end"].as_u64().unwrap(),
        );
        assert!(
            last <= start && start <= end && end <= bytes.len() as u64,
            "{what}: {line}"
        );
        last = start;
        assert_eq!(place["saved"], false, "{what}: {line}");
    }
    assert!(
        gone.is_empty() || !listed.is_empty() || hidden,
        "{what}: nothing is listed"
    );
    tally.runs += 1;
    tally.whole_lost += whole_lost;
    if whole_lost > MANY {
        tally.many_lost.push((number, whole_lost));
    }
    let doubts = salvage["doubtful"].as_array().unwrap().iter();
    tally.doubtful += doubts
        .map(|loss| loss["keys"].as_u64().unwrap())
        .sum::<u64>();
    tally.framing_lost += u64::from(framing_lost);
    tally.hidden += u64::from(hidden);
    if serve {
        let checked = checker::check_rdb_within(kind, Path::new(&path("saved.rdb")), CHECK);
        assert!(checked.is_sound(), "{what}: {}", checked.stdout);
        let server = Server::start_with_rdb(kind, Path::new(&path("saved.rdb")), &[]).unwrap();
        let mut client = server.client();
        let told: BTreeMap<u64, u64> = salvage["dbs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|db| (db["db"].as_u64().unwrap(), db["keys"].as_u64().unwrap()))
            .collect();
        for (db, keys) in told {
            client.cmd(&[b"SELECT", db.to_string().as_bytes()]).ok();
            assert_eq!(
                client.cmd(&[b"DBSIZE"]).int() as u64,
                keys,
                "{what}: db {db}"
            );
        }
    }
}

/// Leaves what a damage was found wrong with in the build folder, where it can be tried again.
fn keep(sound: &Sound, kind: ServerKind, number: usize, why: &[String]) {
    let name = format!("salvage/{}-{}-{number}", kind.id(), seed());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("sound.rdb"), &sound.bytes).unwrap();
    fs::write(folder.join("damaged.rdb"), damage(sound, kind, number).0).unwrap();
    fs::write(folder.join("why"), why.join("\n")).unwrap();
}

#[test]
fn what_is_whole_is_saved_and_nothing_is_saved_wrong() {
    let runs = count(4, 300);
    let (mut wrong, mut framing_lost) = (Vec::new(), 0);
    for kind in ServerKind::usable() {
        let sound = Sound::of(kind);
        let mut tally = Tally::default();
        for number in 0..runs {
            let before = tally.wrong_runs.len();
            let held = catch_unwind(AssertUnwindSafe(|| {
                one(&sound, kind, number, number % 50 == 3, &mut tally);
            }));
            if let Err(panic) = held {
                let why = panic.downcast::<String>();
                let why = why.map_or_else(|_| format!("damage {number}: a panic"), |text| *text);
                tally.wrong_runs.push(why);
            }
            if let Some(why @ [_, ..]) = tally.wrong_runs.get(before..) {
                keep(&sound, kind, number, why);
            }
        }
        eprintln!("{}: {} keys, {tally:?}", kind.id(), sound.starts.len());
        wrong.append(&mut tally.wrong_runs);
        framing_lost += tally.framing_lost;
        assert!(!support::full() || tally.framing_lost > 0);
    }
    assert!(framing_lost > 0 || ServerKind::usable().is_empty());
    for one in &wrong {
        eprintln!("wrong: {one}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
