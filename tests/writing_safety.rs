//! What writes for a target leaves the old state or the new one: killed at any moment, on a full disk,
//! with a source that grows, onto its own input.

mod support;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use support::{TempFolder, count, dump, loader};

fn redkit(words: &[&str]) -> (Option<i32>, String) {
    let output = dump::redkit(words);
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

/// A log of so many keys.
fn log(path: &Path, keys: usize) {
    let mut bytes = Vec::new();
    for n in 0..keys {
        let (key, value) = (format!("key:{n}"), format!("{}", n * 7919).repeat(8));
        bytes.extend(loader::command(&[b"SET", key.as_bytes(), value.as_bytes()]));
    }
    fs::write(path, bytes).unwrap();
}

/// Names in a folder, but for temporary ones, which a killed process leaves.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with(".redkit-")).collect();
    names.sort();
    names
}

const LAYOUTS: [&str; 4] = ["rdb", "preamble", "resp", "multipart"];

#[test]
fn a_process_that_is_killed_leaves_nothing_or_all() {
    let folder = TempFolder::new();
    let source = folder.path().join("log.aof");
    log(&source, 30_000);
    let (from, old) = (source.to_str().unwrap(), b"the old state");
    let (mut whole, mut nothing) = (0, 0);
    for n in 0..count(24, 200) {
        let layout = LAYOUTS[n % LAYOUTS.len()];
        let place = TempFolder::new();
        let out = place.path().join("out");
        let replaces = n % 3 == 0 && layout != "multipart";
        if replaces {
            fs::write(&out, old).unwrap();
        }
        let mut words = vec!["rewrite-aof", "-q", from, "-o", out.to_str().unwrap()];
        words.extend(["--layout", layout]);
        if replaces {
            words.push("--force");
        }
        let mut child = Command::new(env!("CARGO_BIN_EXE_redkit"))
            .args(&words)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis((n * 37 % 240) as u64));
        let _ = child.kill();
        child.wait().unwrap();
        if !out.exists() {
            nothing += 1;
            assert!(!replaces, "{words:?}: the old state is gone");
            continue;
        }
        if replaces && fs::read(&out).unwrap() == old {
            nothing += 1;
            continue;
        }
        whole += 1;
        assert_eq!(names(place.path()), ["out"]);
        let (code, text) = redkit(&["replay", "--format", "json", out.to_str().unwrap()]);
        assert_eq!(code, Some(0), "{words:?}: {text}");
        assert!(text.contains("\"keys\":30000"), "{words:?}: {text}");
    }
    eprintln!("{whole} times the new state, {nothing} times the old one");
}

#[test]
fn a_full_disk_is_said_and_leaves_nothing() {
    let folder = TempFolder::new();
    let source = folder.path().join("log.aof");
    log(&source, 5000);
    let snapshot = folder.path().join("dump.rdb");
    let (from, rdb) = (source.to_str().unwrap(), snapshot.to_str().unwrap());
    assert_eq!(
        redkit(&["rewrite-aof", from, "-o", rdb, "--layout", "rdb"]).0,
        Some(0)
    );
    // Written through: no temporary name can be there.
    for words in [
        &["rewrite-aof", from, "-o", "/dev/full", "--layout", "resp"][..],
        &["convert", rdb, "-o", "/dev/full", "--target", "redis-7.2"],
    ] {
        let (code, text) = redkit(words);
        assert_eq!(code, Some(3), "{words:?}: {text}");
        assert!(text.contains("cannot write /dev/full"), "{text}");
    }
    let disk = TempFolder::new();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
        .arg(disk.path())
        .output();
    if !mounted.as_ref().is_ok_and(|out| out.status.success()) {
        eprintln!("skipped: no small file system can be mounted");
        return;
    }
    let mut failed = Vec::new();
    for layout in LAYOUTS {
        let out = disk.path().join("out");
        let words = [
            "rewrite-aof",
            from,
            "-o",
            out.to_str().unwrap(),
            "--layout",
            layout,
        ];
        let (code, text) = redkit(&words);
        let left: Vec<_> = fs::read_dir(disk.path()).unwrap().collect();
        if code != Some(3) || !left.is_empty() {
            failed.push(format!("{layout}: {code:?} {left:?} {text}"));
        }
    }
    let unmounted = Command::new("umount").arg("-l").arg(disk.path()).status();
    assert!(unmounted.unwrap().success());
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn a_source_that_grows_is_refused() {
    let folder = TempFolder::new();
    let source = folder.path().join("log.aof");
    log(&source, 60_000);
    let mut file = fs::OpenOptions::new().append(true).open(&source).unwrap();
    let out = folder.path().join("out");
    let child = Command::new(env!("CARGO_BIN_EXE_redkit"))
        .args([
            "rewrite-aof",
            source.to_str().unwrap(),
            "-o",
            out.to_str().unwrap(),
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = child;
    let more = loader::command(&[b"SET", b"more", b"x"]);
    while child.try_wait().unwrap().is_none() {
        file.write_all(&more).unwrap();
        thread::sleep(Duration::from_millis(1));
    }
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("changed while it was read"), "{text}");
    assert_eq!(names(folder.path()), ["log.aof"]);
}

#[test]
fn the_input_and_what_exists_are_no_place_for_an_output() {
    let folder = TempFolder::new();
    let source = folder.path().join("log.aof");
    log(&source, 10);
    let before = fs::read(&source).unwrap();
    let from = source.to_str().unwrap();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&source, &link).unwrap();
    for out in [from, link.to_str().unwrap()] {
        let (code, text) = redkit(&["rewrite-aof", from, "-o", out, "--force"]);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("is the input"), "{text}");
    }
    let other = folder.path().join("other");
    fs::write(&other, "old").unwrap();
    let (code, text) = redkit(&["rewrite-aof", from, "-o", other.to_str().unwrap()]);
    assert_eq!(code, Some(2), "{text}");
    assert_eq!(fs::read(&other).unwrap(), b"old");
    let nowhere = folder.path().join("no/such/folder/out");
    let (code, text) = redkit(&["rewrite-aof", from, "-o", nowhere.to_str().unwrap()]);
    assert_eq!(code, Some(3), "{text}");
    // A set within the folder of its input would be part of it.
    let set = folder.path().join("set");
    let words = [
        "rewrite-aof",
        from,
        "-o",
        set.to_str().unwrap(),
        "--layout",
        "multipart",
    ];
    assert_eq!(redkit(&words).0, Some(0));
    let inside = set.join("inside");
    let (code, text) = redkit(&[
        "rewrite-aof",
        set.to_str().unwrap(),
        "-o",
        inside.to_str().unwrap(),
    ]);
    assert_eq!(code, Some(2), "{text}");
    let (code, text) = redkit(&[
        "rewrite-aof",
        set.to_str().unwrap(),
        "-o",
        set.to_str().unwrap(),
        "--force",
    ]);
    assert_eq!(code, Some(2), "{text}");
    assert_eq!(fs::read(&source).unwrap(), before);
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let folder = TempFolder::new();
    let source = folder.path().join("log.aof");
    log(&source, 20_000);
    let mut child = Command::new(env!("CARGO_BIN_EXE_redkit"))
        .args([
            "rewrite-aof",
            "-q",
            source.to_str().unwrap(),
            "-o",
            "-",
            "--layout",
            "resp",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn what_a_server_would_not_take_is_left_out() {
    let folder = TempFolder::new();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut bytes = b"REDIS0011\xfe\x00".to_vec();
    for record in [
        &b"\x00\x01a\x05first"[..],
        // LZF that ends inside an instruction, a set with a member twice, a key that stood before.
        b"\x00\x03lzf\xc3\x02\x05\xe0\xff",
        b"\x02\x03set\x02\x01m\x01m",
        b"\x00\x01a\x06second",
        b"\x00\x01z\x04last",
    ] {
        bytes.extend_from_slice(record);
    }
    bytes.extend_from_slice(b"\xff\0\0\0\0\0\0\0\0");
    fs::write(at("damaged.rdb"), bytes).unwrap();
    for layout in ["rdb", "preamble", "resp"] {
        let words = ["convert", "-q", "--target", "redis-7.2", "--layout", layout];
        let paths = [&at("damaged.rdb"), "-o", &at(layout)];
        let refused = dump::redkit(&[&words[..], &paths].concat());
        assert_eq!(refused.status.code(), Some(1), "{layout}");
        assert!(!Path::new(&at(layout)).exists());
        let written = dump::redkit(&[&words[..], &["--keep-going"], &paths].concat());
        // The damage of the input is what counts most.
        assert_eq!(written.status.code(), Some(1), "{layout}");
        let json = dump::redkit_ok(&["dump-to-json", "-q", &at(layout)]);
        let keys: Vec<&str> = json.lines().collect();
        let [a, z] = keys.as_slice() else {
            panic!("{layout}: {json}")
        };
        assert!(a.contains("\"first\"") && z.contains("\"last\""), "{json}");
        if layout == "rdb" {
            dump::redkit_ok(&["check-rdb", "-q", "--duplicates", &at(layout)]);
        }
    }
}

#[test]
fn a_log_with_a_snapshot_in_front_is_sound_to_whom_it_was_written_for() {
    let folder = TempFolder::new();
    let from = "testdata/rdb/redis-7.0.15/few.rdb";
    let targets = dump::redkit_ok(&["formats", "--format", "json"]);
    let mut tried = 0;
    for target in targets.lines() {
        let target: serde_json::Value = serde_json::from_str(target).unwrap();
        let name = target["server"].as_str().unwrap();
        let path = folder.path().join(name).to_str().unwrap().to_owned();
        let words = ["convert", "-q", "--target", name, "--layout", "preamble"];
        let (exit, said) = redkit(
            &[
                &words[..],
                &["--on-unsupported", "drop-key", from, "-o", &path],
            ]
            .concat(),
        );
        assert!(matches!(exit, Some(0 | 6)), "{name}: {said}");
        for like in [name, &format!("{name}.3")] {
            let (exit, said) = redkit(&["check-aof", "--like", like, &path]);
            assert_eq!(exit, Some(0), "{name}, {like}: {said}");
        }
        tried += 1;
    }
    assert!(tried > 12, "{tried}");
}
