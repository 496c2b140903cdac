//! What `salvage` does with its files and options, and what it makes of small snapshots: outputs, copies,
//! databases, logs behind snapshots, full disks, kills.

mod support;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use support::damage::Chance;
use support::{TempFolder, count, seed};

fn redkit(args: &[&str]) -> (Option<i32>, Vec<u8>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_redkit"))
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), output.stdout, words)
}

/// Bytes of a file in the test data.
fn testdata(name: &str) -> Vec<u8> {
    fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("testdata")
            .join(name),
    )
    .unwrap()
}

#[test]
fn a_sound_snapshot_comes_out_with_every_key() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rdb");
    let folder = TempFolder::new();
    let mut seen = 0;
    for version in fs::read_dir(root).unwrap() {
        for file in fs::read_dir(version.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|ext| ext != "rdb") {
                continue;
            }
            let out = folder.path().join(format!("{seen}.rdb"));
            let (path, out) = (path.to_str().unwrap(), out.to_str().unwrap());
            let (exit, _, words) = redkit(&["salvage", path, "-o", out]);
            assert_eq!(exit, Some(0), "{path}: {words}");
            assert_eq!(redkit(&["check-rdb", "-q", out]).0, Some(0), "{path}");
            assert_eq!(redkit(&["diff", path, out]).0, Some(0), "{path}");
            seen += 1;
        }
    }
    assert!(seen > 0);
}

#[test]
fn every_truncation_keeps_what_stands_before_it() {
    let folder = TempFolder::new();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut sound = b"REDIS0011\xfe\x00\xfb\x14\x00".to_vec();
    let mut ends = Vec::new();
    for number in 10..30 {
        sound.extend_from_slice(format!("\0\x03k{number}\x05value").as_bytes());
        ends.push(sound.len());
    }
    for cut in (15..sound.len()).step_by(7) {
        fs::write(at("cut.rdb"), &sound[..cut]).unwrap();
        let whole = ends.iter().filter(|end| **end <= cut).count();
        let args = [
            "salvage",
            "--force",
            "--format=json",
            &at("cut.rdb"),
            "-o",
            &at("out.rdb"),
        ];
        let (exit, report, words) = redkit(&args);
        if whole == 0 {
            assert_eq!(exit, Some(1), "{cut}");
            continue;
        }
        assert_eq!(exit, Some(6), "{cut}: {words}");
        let report: Value = serde_json::from_slice(&report).unwrap();
        assert_eq!(report["salvage"]["keys"], whole, "{cut}");
    }
}

#[test]
fn the_log_behind_a_damaged_snapshot_is_kept() {
    let folder = TempFolder::new();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut bytes = testdata("aof/redis-6.2.5-preamble.aof");
    let args = |to: &str| {
        let words = ["salvage", "--force", "--format=json"].map(str::to_owned);
        [&words[..], &[at("a.aof"), "-o".to_owned(), at(to)]].concat()
    };
    let run = |to: &str| {
        let args = args(to);
        redkit(&args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    fs::write(at("a.aof"), &bytes).unwrap();
    let (exit, report, words) = run("whole.aof");
    assert_eq!(exit, Some(0), "{words}");
    let report: Value = serde_json::from_slice(&report).unwrap();
    let start = report["salvage"]["log"]["start"].as_u64().unwrap() as usize;
    let log = bytes[start..].to_vec();
    // The end mark and checksum are gone.
    bytes.drain(start - 12..start);
    fs::write(at("a.aof"), &bytes).unwrap();
    let (exit, _, words) = run("saved.aof");
    assert_eq!(exit, Some(6), "{words}");
    let saved = fs::read(at("saved.aof")).unwrap();
    assert!(
        saved.ends_with(&log[14..]) && saved.starts_with(b"REDIS"),
        "{words}"
    );
    assert_eq!(redkit(&["check-aof", "-q", &at("saved.aof")]).0, Some(0));
}

#[test]
fn of_records_that_differ_none_is_believed_unless_one_is_asked_for() {
    let folder = TempFolder::new();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let twice = b"REDIS0009\xfe\0\xfb\x03\0\0\x01a\x011\0\x01b\x01x\0\x01a\x012\0\x01b\x01x\xff\0\0\0\0\0\0\0\0";
    fs::write(at("twice.rdb"), twice).unwrap();
    let value = |more: &[&str]| {
        let input = [at("twice.rdb"), at("out.rdb")];
        let args = ["salvage", "--force", &input[0], "-o", &input[1]];
        let (exit, ..) = redkit(&[&args[..], more].concat());
        let value = |key: &str| {
            let (_, found, _) =
                redkit(&["dump-to-json", "--key", key, "--select=values", &input[1]]);
            String::from_utf8(found).unwrap().trim().to_owned()
        };
        (exit, value("a"), value("b"))
    };
    let found = |exit, a: &str| (Some(exit), a.to_owned(), "\"x\"".to_owned());
    assert_eq!(value(&[]), found(6, ""));
    assert_eq!(value(&["--keep=first"]), found(6, "\"1\""));
    assert_eq!(value(&["--keep=last"]), found(6, "\"2\""));
}

#[test]
fn the_source_stays_and_outputs_are_refused_where_they_must_be() {
    let folder = TempFolder::new();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let bytes = testdata("broken/cut-in-a-value.rdb");
    fs::write(at("a.rdb"), &bytes).unwrap();
    fs::write(at("empty.rdb"), b"").unwrap();
    fs::write(at("old"), b"old").unwrap();
    fs::create_dir(at("dir")).unwrap();
    let exit = |args: &[&str]| redkit(&[&["salvage"], args].concat()).0;
    assert_eq!(
        exit(&[&at("a.rdb"), "-o", &at("a.rdb"), "--force"]),
        Some(2)
    );
    assert_eq!(exit(&[&at("a.rdb"), "-o", &at("old")]), Some(2));
    assert_eq!(exit(&[&at("a.rdb"), "-o", &at("dir")]), Some(2));
    assert_eq!(exit(&[&at("dir"), "-o", &at("out")]), Some(2));
    assert_eq!(exit(&[&at("none.rdb"), "-o", &at("out")]), Some(3));
    assert_eq!(exit(&[&at("a.rdb"), "-o", &at("none/out")]), Some(3));
    assert_eq!(exit(&[&at("empty.rdb"), "-o", &at("out")]), Some(1));
    assert_eq!(
        exit(&[&at("a.rdb"), "-o", &at("o"), "--lost", &at("o")]),
        Some(2)
    );
    assert_eq!(exit(&[&at("a.rdb"), "-o", "/dev/full"]), Some(3));
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 4, "{names:?}");
    assert_eq!(fs::read(at("a.rdb")).unwrap(), bytes);
    assert_eq!(fs::read(at("old")).unwrap(), b"old");
}

#[test]
fn a_full_disk_leaves_the_old_file_and_nothing_else() {
    let folder = TempFolder::new();
    let disk = folder.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "redkit-test"])
        .arg(&disk)
        .stderr(Stdio::null())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: only root can mount a small file system");
        return;
    }
    let mut bytes = b"REDIS0011\xfe\x00".to_vec();
    for number in 0..100_000 {
        bytes
            .extend_from_slice(format!("\0\x0akey:{number:06}\x14twenty bytes of text").as_bytes());
    }
    let source = folder.path().join("a.rdb");
    fs::write(&source, &bytes).unwrap();
    let (out, list) = (disk.join("out"), disk.join("list"));
    fs::write(&out, b"old").unwrap();
    let args = [&source, Path::new("-o"), &out, Path::new("--lost"), &list];
    let args = args.map(|arg| arg.to_str().unwrap());
    let (exit, _, words) = redkit(&[&["salvage", "--force"], &args[..]].concat());
    let left = fs::read_dir(&disk).unwrap().count();
    let old = fs::read(&out).unwrap();
    let unmounted = Command::new("umount").arg(&disk).status().unwrap();
    assert!(unmounted.success());
    assert_eq!(exit, Some(3), "{words}");
    assert!(words.contains("No space left"), "{words}");
    assert_eq!((left, old.as_slice()), (1, &b"old"[..]));
}

#[test]
fn keys_whose_selection_is_lost_go_where_they_are_told_to() {
    let folder = TempFolder::new();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut bytes = b"REDIS0011".to_vec();
    let mut selection = 0;
    for db in [0u8, 7] {
        selection = bytes.len();
        bytes.extend_from_slice(&[0xfe, db, 0xfb, 60, 0]);
        for number in 10..70 {
            bytes.extend_from_slice(format!("\0\x05key{number}\x05value").as_bytes());
        }
    }
    bytes.extend_from_slice(b"\xff\0\0\0\0\0\0\0\0");
    bytes[selection - 20..selection + 3].fill(0x99);
    fs::write(at("a.rdb"), &bytes).unwrap();
    let saved = |more: &[&str]| {
        let input = [at("a.rdb"), at("out.rdb")];
        let args = [
            "salvage",
            "--force",
            "--format=json",
            &input[0],
            "-o",
            &input[1],
        ];
        let (exit, report, words) = redkit(&[&args[..], more].concat());
        assert_eq!(exit, Some(6), "{words}");
        let report: Value = serde_json::from_slice(&report).unwrap();
        let dbs = report["salvage"]["dbs"].as_array().unwrap().iter();
        let counts = dbs.map(|db| (db["db"].as_u64().unwrap(), db["keys"].as_u64().unwrap()));
        counts.filter(|(_, keys)| *keys > 0).collect::<Vec<_>>()
    };
    let without = saved(&[]);
    assert!(matches!(without[..], [(0, 42..=58)]), "{without:?}");
    let with = saved(&["--assume-db=7"]);
    assert!(matches!(with[..], [(0, 42..=58), (7, 44..=60)]), "{with:?}");
    let all = saved(&["--assume-db=7", "--keep-doubtful"]);
    assert!(matches!(all[..], [(0, 57..=58), (7, 59..=60)]), "{all:?}");
    let (_, keys, _) = redkit(&["dump-to-json", "--select=meta", &at("out.rdb")]);
    let keys = String::from_utf8(keys).unwrap();
    assert!(
        keys.lines()
            .filter(|line| line.contains("\"db\":7"))
            .count()
            >= 59
    );
}

#[test]
fn a_pipe_gives_what_a_file_gives() {
    let folder = TempFolder::new();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let bytes = testdata("broken/cut-in-a-value.rdb");
    fs::write(at("a.rdb"), &bytes).unwrap();
    let (exit, ..) = redkit(&["salvage", &at("a.rdb"), "-o", &at("of-file")]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_redkit"))
        .args(["salvage", "-", "-o", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), exit);
    assert!(exit == Some(6) && output.stdout == fs::read(at("of-file")).unwrap());
}

#[test]
fn a_process_that_is_killed_leaves_the_old_state_or_the_new_one() {
    let folder = TempFolder::new();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut bytes = b"REDIS0011\xfe\x00".to_vec();
    for number in 0..200_000 {
        let text = format!("key:{number:06}");
        bytes.extend_from_slice(&[0, 10]);
        bytes.extend_from_slice(text.as_bytes());
        bytes.extend_from_slice(b"\x05value");
    }
    fs::write(at("a.rdb"), &bytes).unwrap();
    let run = || {
        Command::new(env!("CARGO_BIN_EXE_redkit"))
            .args(["salvage", "-q", "--force", &at("a.rdb"), "-o", &at("out")])
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    assert_eq!(run().wait().unwrap().code(), Some(6));
    let new = fs::read(at("out")).unwrap();
    for wait in 0..count(12, 100) as u64 {
        fs::write(at("out"), b"old").unwrap();
        let mut child = run();
        thread::sleep(Duration::from_millis(wait * 5));
        child.kill().unwrap();
        child.wait().unwrap();
        let found = fs::read(at("out")).unwrap();
        assert!(found == b"old" || found == new, "{wait}");
    }
}

#[test]
fn any_bytes_give_a_result_or_an_error() {
    let folder = TempFolder::new();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for number in 0..count(60, 2_000) {
        let mut chance = Chance::new(seed() + number as u64);
        let len = chance.below(20_000);
        // Small numbers make records; others make few.
        let most = [4, 16, 64, 256][number % 4];
        let mut bytes: Vec<u8> = (0..len).map(|_| chance.below(most) as u8).collect();
        if number % 3 > 0 {
            bytes.splice(0..0, b"REDIS0011".iter().copied());
        }
        fs::write(at("a.rdb"), &bytes).unwrap();
        let args = [
            "salvage",
            "--force",
            "--keep-doubtful",
            &at("a.rdb"),
            "-o",
            &at("out"),
        ];
        let (exit, _, words) = redkit(&args);
        assert!(
            matches!(exit, Some(0 | 1 | 4 | 6)),
            "{number}: {exit:?} {words}"
        );
        if matches!(exit, Some(0 | 6)) {
            let (exit, found, _) = redkit(&["check-rdb", "--duplicates", &at("out")]);
            let found = String::from_utf8_lossy(&found).into_owned();
            assert_eq!(exit, Some(0), "{number}: {found}");
        }
    }
}

/// Keys with their databases, and reasons of doubt with how many keys.
type Saved = (Vec<(u64, String)>, Vec<(String, u64)>);

/// What is saved of these bytes.
fn saved_of(bytes: &[u8]) -> Saved {
    let folder = TempFolder::new();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(at("a.rdb"), bytes).unwrap();
    let args = [
        "salvage",
        "--format=json",
        &at("a.rdb"),
        "-o",
        &at("out.rdb"),
    ];
    let (exit, report, words) = redkit(&args);
    assert_eq!(exit, Some(6), "{words}");
    let report: Value = serde_json::from_slice(&report).unwrap();
    let doubts = report["salvage"]["doubtful"].as_array().unwrap().iter();
    let doubts = doubts.map(|loss| {
        let reason = loss["reason"].as_str().unwrap().to_owned();
        (reason, loss["keys"].as_u64().unwrap())
    });
    let (_, keys, _) = redkit(&["dump-to-json", "--select=keys", &at("out.rdb")]);
    let keys = String::from_utf8(keys).unwrap();
    let keys = keys.lines().map(|line| {
        let json: Value = serde_json::from_str(line).unwrap();
        let key = json["key"].as_str().unwrap().to_owned();
        (json["db"].as_u64().unwrap(), key)
    });
    (keys.collect(), doubts.collect())
}

/// Keys with short values, by these names.
fn plain(names: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for name in names {
        bytes.extend_from_slice(&[0, name.len() as u8]);
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b"\x05value");
    }
    bytes
}

/// A checksum, and not that of the bytes before it.
const WRONG_END: &[u8] = b"\xff\x01\x02\x03\x04\x05\x06\x07\x08";

#[test]
fn a_value_that_swallowed_an_expiry_leaves_two_keys_in_doubt() {
    let mut bytes = b"REDIS0011\xfe\0\xfb\x08\x01".to_vec();
    bytes.extend(plain(&["one", "two"]));
    // It had five bytes.
    bytes.extend_from_slice(b"\0\x04long\x0evalue\xfc\x01\x02\x03\x04\x05\x06\0\0");
    bytes.extend(plain(&["expires", "three", "four"]));
    bytes.extend_from_slice(WRONG_END);
    let (keys, doubts) = saved_of(&bytes);
    let names: Vec<&str> = keys.iter().map(|(_, key)| key.as_str()).collect();
    assert_eq!(names, ["one", "two", "three", "four"]);
    assert_eq!(doubts, [("expiry-unknown".to_owned(), 2)]);
}

#[test]
fn a_value_that_swallowed_a_selection_moves_no_key_to_another_database() {
    let names: Vec<String> = (0..80).map(|number| format!("key {number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut bytes = b"REDIS0011\xfe\0\xfb\x03\0".to_vec();
    bytes.extend(plain(&["one", "two"]));
    bytes.extend_from_slice(b"\0\x04long\x0bvalue\xfe\x02\xfb\x40\x50\0");
    bytes.extend(plain(&names));
    bytes.extend_from_slice(WRONG_END);
    let (keys, _) = saved_of(&bytes);
    let in_first: Vec<&str> = keys
        .iter()
        .filter(|(db, _)| *db == 0)
        .map(|(_, key)| key.as_str())
        .collect();
    assert_eq!(in_first, ["one", "two"]);
    let others = keys.iter().filter(|(db, _)| *db == 2).count();
    assert!((60..=80).contains(&others), "{others}");
    assert_eq!(others + 2, keys.len());
}

#[test]
fn a_block_of_zeros_in_a_value_leaves_its_key_in_doubt() {
    let mut chance = Chance::new(seed());
    let mut bytes = b"REDIS0011\xfe\0\xfb\x06\0".to_vec();
    bytes.extend(plain(&["one", "two"]));
    for name in [b"ours", b"hurt"] {
        bytes.extend_from_slice(&[0, 4]);
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(&[0x40 | 0x0b, 0xb8]);
        let mut value: Vec<u8> = (0..3000).map(|_| chance.next() as u8 | 1).collect();
        if name == b"ours" {
            // Zeros that were always there.
            value[100..1800].fill(0);
        }
        bytes.extend(value);
    }
    bytes.extend(plain(&["three", "four"]));
    bytes.extend_from_slice(WRONG_END);
    bytes[4096..4608].fill(0);
    let (keys, doubts) = saved_of(&bytes);
    let names: Vec<&str> = keys.iter().map(|(_, key)| key.as_str()).collect();
    assert_eq!(names, ["one", "two", "ours", "three", "four"]);
    assert_eq!(doubts, [("zeroed-block".to_owned(), 1)]);
}

/// So many keys, and what stands in front of them.
fn numbered(name: &str, numbers: std::ops::Range<usize>) -> Vec<u8> {
    let names: Vec<String> = numbers.map(|n| format!("{name} {n:04}")).collect();
    plain(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A snapshot of these records, a number of keys in database 0.
fn snapshot(keys: u16, records: &[u8]) -> Vec<u8> {
    let [high, low] = keys.to_be_bytes();
    let head = [b"REDIS0011\xfe\0\xfb", &[0x40 | high, low, 0][..]].concat();
    [&head, records, WRONG_END].concat()
}

#[test]
fn a_byte_that_became_an_end_mark_ends_nothing() {
    let mut records = numbered("key", 0..2500);
    let size = records.len() / 2500;
    // A type that there is none of, and far behind it the end mark.
    records[100 * size] = b'x';
    records[2400 * size] = 0xff;
    let (keys, doubts) = saved_of(&snapshot(2500, &records));
    for number in 200..2300 {
        assert!(keys.contains(&(0, format!("key {number:04}"))), "{number}");
    }
    let embedded = |(reason, _): &(String, u64)| reason == "embedded-snapshot";
    assert!(!doubts.iter().any(embedded), "{doubts:?}");
}

#[test]
fn keys_of_a_snapshot_that_is_a_value_are_not_those_of_the_file() {
    let inner = snapshot(200, &numbered("inner", 0..200));
    // The value was as long as the snapshot is: now it ends in the middle of its magic, before it, or
    // among its keys.
    for len in [3, 0, 700] {
        let [high, low] = u16::to_be_bytes(len);
        let records = [
            numbered("outer", 0..100),
            b"\0\x06backup".to_vec(),
            vec![0x40 | high, low],
            inner.clone(),
            numbered("outer", 100..200),
        ];
        let (keys, doubts) = saved_of(&snapshot(201, &records.concat()));
        let inner = keys.iter().filter(|(_, key)| key.starts_with("inner"));
        assert_eq!(inner.count(), 0, "{len}: {doubts:?}");
        let outer = keys.iter().filter(|(_, key)| key.starts_with("outer"));
        assert!(outer.count() > 80, "{len}: {doubts:?}");
    }
}

#[test]
fn what_stands_before_a_record_that_holds_others_may_be_none() {
    let swallowed = numbered("key", 100..103);
    let records = [
        numbered("key", 0..100),
        // A value that became too short: its rest reads as a key, and as the start of another one.
        b"\0\x04hurt\x05value".to_vec(),
        b"\0\x02zz\x03abc".to_vec(),
        vec![0x10, 1, b'q', swallowed.len() as u8],
        swallowed,
        numbered("key", 103..200),
    ];
    let (keys, _) = saved_of(&snapshot(201, &records.concat()));
    assert!(!keys.contains(&(0, "zz".to_owned())));
    assert!(!keys.contains(&(0, "hurt".to_owned())));
    assert!(keys.len() > 100, "{}", keys.len());
}

#[test]
fn a_damaged_value_holds_no_record_that_takes_many_others_for_its_value() {
    let behind = numbered("key", 100..200);
    let [high, low] = u16::to_be_bytes((behind.len() / 2) as u16);
    // The end of the damaged value looks like a string that reaches over half of the keys behind it.
    let inside = [b"no listpack\0\x01w".to_vec(), vec![0x40 | high, low]].concat();
    let records = [
        numbered("key", 0..100),
        vec![0x10, 4],
        b"hurt".to_vec(),
        vec![inside.len() as u8],
        inside,
        behind,
    ];
    let (keys, doubts) = saved_of(&snapshot(201, &records.concat()));
    let names = (0..200).map(|n| (0, format!("key {n:04}")));
    assert_eq!(keys, names.collect::<Vec<_>>(), "{doubts:?}");
}
