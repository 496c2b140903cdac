//! Under the names of the servers' checkers we are those checkers: the same lines, the same status,
//! the same bytes after a fix, but for the exceptions of `docs/compat.md`.
#![cfg(unix)]

#[macro_use]
mod support;

#[path = "compat/cases.rs"]
mod cases;
#[path = "compat/damage.rs"]
mod damage;
#[path = "compat/many.rs"]
mod many;
#[path = "compat/tool.rs"]
mod tool;
#[path = "compat/written.rs"]
mod written;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use damage::{Random, damaged};
use many::many;
use support::server::{Server, ServerKind};
use support::{TempFolder, count};
use tool::{Held, comparable, crashed, files, hold, ours, theirs, without_own_memory};
use written::{Files, written};

/// Checks a file with both.
fn both(
    kind: ServerKind,
    tool: &str,
    args: &[&str],
    bytes: &[u8],
    folder: &Path,
) -> Result<Held, String> {
    fs::write(folder.join("f"), bytes).unwrap();
    let (their, our) = (
        theirs(kind, tool, args, folder),
        ours(kind, tool, args, folder),
    );
    let left = fs::read(folder.join("f")).unwrap();
    assert_eq!(left, bytes, "a check changes nothing");
    hold(&without_own_memory(their, bytes), &our)
}

/// A base of Valkey 9 is no log, whatever the tools think of it: the first exception.
fn is_valkey_snapshot(bytes: &[u8]) -> bool {
    bytes.starts_with(b"VALKEY0")
}

/// What came of a fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fixed {
    Held(Held),
    /// The tool would have removed what the server loads.
    KeptMore,
}

/// Fixes copies of a file with both; the bytes are held against each other as well.
fn both_fix(
    kind: ServerKind,
    args: &[&str],
    bytes: &[u8],
    folder: &Path,
) -> Result<(Fixed, Vec<u8>), String> {
    let (one, other) = (folder.join("theirs"), folder.join("ours"));
    fs::write(folder.join("input"), bytes).unwrap();
    for folder in [&one, &other] {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("f"), bytes).unwrap();
    }
    let (their, our) = (
        theirs(kind, "aof", args, &one),
        ours(kind, "aof", args, &other),
    );
    let (their_bytes, our_bytes) = (
        fs::read(one.join("f")).unwrap(),
        fs::read(other.join("f")).unwrap(),
    );
    let mut whole = our_bytes.clone();
    let beside: Vec<_> = files(&other)
        .into_iter()
        .filter(|f| f.0 != Path::new("f"))
        .collect();
    match (beside.as_slice(), our_bytes.len() < bytes.len()) {
        ([(name, removed)], true) => {
            let expected = format!("f.removed-{}", our_bytes.len());
            assert_eq!(name.to_str(), Some(expected.as_str()));
            whole.extend_from_slice(removed);
        }
        ([], false) => {}
        (beside, _) => panic!("{} files beside", beside.len()),
    }
    assert_eq!(whole, bytes, "nothing is lost");
    if our_bytes.len() > their_bytes.len() && !matches!(their.code, None | Some(2..)) {
        assert!(our.stderr.starts_with(b"redkit: "), "it is said");
        return Ok((Fixed::KeptMore, our_bytes));
    }
    if crashed(&their) && our.code == Some(0) && our_bytes.len() < bytes.len() {
        // What the tool crashes at is cut off.
        return Ok((Fixed::Held(Held::Crashed), our_bytes));
    }
    let held = hold(&without_own_memory(their, bytes), &our)?;
    if held == Held::Same && our_bytes != their_bytes {
        return Err("the bytes differ".to_owned());
    }
    Ok((Fixed::Held(held), our_bytes))
}

#[test]
fn damaged_logs_are_told_as_the_tools_tell_them() {
    for kind in ServerKind::usable() {
        let logs = &written(kind).logs;
        let number = count(90, 4000);
        let tally = many(&format!("logs-{kind}"), number, |seed, folder| {
            let log = &logs[seed % logs.len()];
            let bytes = match seed < logs.len() {
                true => log.clone(),
                false => damaged(log, &mut Random::new(seed as u64)),
            };
            if kind == ServerKind::Valkey91 && is_valkey_snapshot(&bytes) {
                // They call it a damaged log; as a snapshot both say the same of it.
                return both(kind, "rdb", &["f"], &bytes, folder);
            }
            both(kind, "aof", &["f"], &bytes, folder)
        });
        println!("{kind}: {tally:?}");
        assert!(
            tally
                .get(&Held::Same)
                .is_some_and(|same| *same > number / 2)
        );
    }
}

#[test]
fn a_fix_leaves_the_bytes_that_the_tools_leave() {
    for kind in ServerKind::usable() {
        let logs = &written(kind).logs;
        let kept = Mutex::new(Vec::new());
        let number = count(90, 4000);
        let tally = many(&format!("fixes-{kind}"), number, |seed, folder| {
            let log = &logs[seed % logs.len()];
            let bytes = damaged(log, &mut Random::new(seed as u64 + 1_000_000));
            if is_valkey_snapshot(&bytes) {
                return Ok(Held::Same);
            }
            match both_fix(kind, &["--fix", "f"], &bytes, folder)? {
                (Fixed::Held(held), _) => Ok(held),
                (Fixed::KeptMore, left) => {
                    kept.lock().unwrap().push(left);
                    Ok(Held::Same)
                }
            }
        });
        let kept = kept.into_inner().unwrap();
        println!("{kind}: {tally:?}, {} times more was kept", kept.len());
        assert!(kept.len() < number / 4, "an exception is one");
        for bytes in kept.iter().take(count(3, 40)) {
            assert_server_loads(kind, bytes);
        }
    }
}

/// What was kept against the tool's will is loaded, all of it.
fn assert_server_loads(kind: ServerKind, bytes: &[u8]) {
    let place = match kind.has_multi_part_aof() {
        true => "appendonlydir/a.aof",
        false => "appendonly.aof",
    };
    let started = Server::start_prepared(
        kind,
        &["--appendonly", "yes"],
        Duration::from_secs(60),
        |folder| {
            fs::create_dir_all(folder.join("appendonlydir")).unwrap();
            fs::write(folder.join(place), bytes).unwrap();
            if kind.has_multi_part_aof() {
                let manifest = folder.join("appendonlydir/appendonly.aof.manifest");
                fs::write(manifest, "file a.aof seq 1 type i\n").unwrap();
            }
        },
    );
    match started {
        Ok(server) => {
            let left = fs::read(server.folder().join(place)).unwrap();
            assert_eq!(left.len(), bytes.len(), "{kind}: cut by the server");
        }
        Err(error) => panic!("{kind}: {error}\n{}", String::from_utf8_lossy(bytes)),
    }
}

#[test]
fn every_cut_of_a_small_log_is_told_and_fixed_the_same() {
    for kind in ServerKind::usable() {
        let log = &written(kind).logs[0];
        let small = &log[..log.len().min(count(260, 2000))];
        let tally = many(&format!("cuts-{kind}"), small.len(), |at, folder| {
            let bytes = &small[..at];
            both(kind, "aof", &["f"], bytes, folder)?;
            match at % count(6, 1) {
                0 => match both_fix(kind, &["--fix", "f"], bytes, folder)?.0 {
                    Fixed::Held(held) => Ok(held),
                    Fixed::KeptMore => Err("a cut is no exception".to_owned()),
                },
                _ => Ok(Held::Same),
            }
        });
        println!("{kind}: {tally:?}");
    }
}

#[test]
fn a_log_is_cut_at_a_time_as_the_tools_cut_it() {
    for kind in ServerKind::usable() {
        let log = "*1\r\n$4\r\nPING\r\n";
        let line = |time: &str| format!("#TS:{time}\r\n");
        let inputs = [
            [line("100"), log.into(), line("200"), log.into()].concat(),
            [log.to_owned(), line("200"), log.into()].concat(),
            [log.to_owned(), line("x")].concat(),
            [log.to_owned(), line("99999999999999999999")].concat(),
            [
                log.to_owned(),
                line(" 150"),
                log.into(),
                "#other\r\n".into(),
            ]
            .concat(),
            [log, "#TS:250", "\n", log].concat(),
            [log, "#TS:250"].concat(),
            [log, "*2\r\n$1\r\n"].concat(),
            ["*1\r\n$5\r\nMULTI\r\n", &line("150"), log].concat(),
            format!("{log}#{}\r\n{log}", "x".repeat(1100)),
        ];
        let times = [
            "50",
            "100",
            "150",
            "200",
            "0",
            "-1",
            "1e3",
            "",
            "99999999999999999999",
        ];
        let folder = TempFolder::new();
        for input in &inputs {
            for time in times {
                let args = ["--truncate-to-timestamp", time, "f"];
                let fixed = both_fix(kind, &args, input.as_bytes(), folder.path());
                match fixed {
                    Ok((Fixed::Held(Held::Same), _)) => {}
                    other => panic!("{kind} {time} {input:?}: {other:?}"),
                }
            }
        }
    }
}

#[test]
fn sets_are_told_and_fixed_as_the_tools_do() {
    for kind in ServerKind::usable_of(&[
        ServerKind::Redis70,
        ServerKind::Redis82,
        ServerKind::Valkey81,
        ServerKind::Valkey91,
    ]) {
        let sets = &written(kind).sets;
        let number = count(100, 1200);
        let tally = many(&format!("sets-{kind}"), number, |seed, folder| {
            let mut random = Random::new(seed as u64 + 2_000_000);
            let mut set = sets[seed % sets.len()].clone();
            if seed >= sets.len() {
                damage_set(&mut set, &mut random);
            }
            // The exception: the tool of Valkey 9.1 calls its own bases damaged logs.
            if kind == ServerKind::Valkey91 {
                for (_, bytes) in &mut set {
                    if is_valkey_snapshot(bytes) {
                        *bytes = b"*1\r\n$4\r\nPING\r\n".to_vec();
                    }
                }
            }
            let fix = random.below(2) == 0;
            both_set(kind, fix, &set, folder)
        });
        println!("{kind}: {tally:?}");
        assert!(
            tally
                .get(&Held::Same)
                .is_some_and(|same| *same > number / 2)
        );
    }
}

fn damage_set(set: &mut Files, random: &mut Random) {
    let at = random.below(set.len());
    match random.below(6) {
        0 => drop(set.remove(at)),
        1 | 2 => set[at].1 = damaged(&set[at].1, random),
        _ => {
            let manifest = set.iter_mut().find(|f| f.0.ends_with("manifest")).unwrap();
            manifest.1 = match random.below(12) {
                0 => b"file a b c\n".to_vec(),
                1 => b"file x seq 0 type i\n".to_vec(),
                2 => b"file a/b seq 1 type i\n".to_vec(),
                3 => [&manifest.1[..], b"\n"].concat(),
                4 => [b"# comment\n", &manifest.1[..]].concat(),
                5 => manifest.1[..manifest.1.len() - 1].to_vec(),
                6 => [&manifest.1[..], &manifest.1[..]].concat(),
                7 => b"file appendonly.aof.2.incr.aof seq 2 type q\n".to_vec(),
                8 => format!("file {} seq 1 type i\n", "n".repeat(1100)).into_bytes(),
                9 => b"file \"appendonly.aof.2.incr.aof\" seq 7 type i k v\n".to_vec(),
                10 => b"file . seq 7 type b\n".to_vec(),
                _ => damaged(&manifest.1, random),
            };
        }
    }
}

fn both_set(
    kind: ServerKind,
    fix: bool,
    set: &[(String, Vec<u8>)],
    folder: &Path,
) -> Result<Held, String> {
    let (one, other) = (folder.join("theirs"), folder.join("ours"));
    for folder in [&one, &other] {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder.join("set")).unwrap();
        for (name, bytes) in set {
            fs::write(folder.join("set").join(name), bytes).unwrap();
        }
    }
    let place = "set/appendonly.aof.manifest";
    let args: &[&str] = if fix { &["--fix", place] } else { &[place] };
    let (their, our) = (
        theirs(kind, "aof", args, &one),
        ours(kind, "aof", args, &other),
    );
    let (mut left, mut kept_more) = (files(&other.join("set")), false);
    left.retain(|(name, _)| !name.to_str().unwrap().contains(".removed-"));
    for ((name, their), (_, our)) in files(&one.join("set")).iter().zip(&left) {
        kept_more |= our.len() > their.len();
        if our.len() < their.len() || !our.starts_with(their) {
            return Err(format!("{name:?} differs"));
        }
    }
    if kept_more && matches!(their.code, Some(0 | 1)) {
        assert!(fix && our.stderr.starts_with(b"redkit: "));
        return Ok(Held::Same);
    }
    hold(&their, &our)
}

#[test]
fn snapshots_are_told_as_the_tools_tell_them() {
    let kinds = ServerKind::usable();
    let all = kinds.iter().map(|kind| written(*kind));
    let all = all.flat_map(|own| own.snapshots.iter().chain([&own.large]));
    let mut snapshots: Vec<Vec<u8>> = all.cloned().collect();
    for folder in [
        "testdata/rdb/redis-7.0.15",
        "testdata/rdb/valkey-9.1.2",
        "testdata/broken",
    ] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        snapshots.extend(files(&folder).into_iter().map(|file| file.1));
    }
    for kind in kinds {
        let own = written(kind);
        // As they are, each by each tool; then damaged, those of its own server.
        let number = snapshots.len() + count(130, 5000);
        let tally = many(&format!("snapshots-{kind}"), number, |seed, folder| {
            let bytes = match snapshots.get(seed) {
                Some(bytes) => bytes.clone(),
                None => {
                    // Those of a few keys break in more ways for their size.
                    let snapshot = match seed % 6 {
                        0 => &own.large,
                        _ => &own.snapshots[seed % own.snapshots.len()],
                    };
                    damaged(snapshot, &mut Random::new(seed as u64 + 3_000_000))
                }
            };
            both(kind, "rdb", &["f"], &bytes, folder)
        });
        println!("{kind}: {tally:?}");
        assert!(
            tally
                .get(&Held::Same)
                .is_some_and(|same| *same > number / 2)
        );
    }
}

#[test]
fn statistics_are_those_of_valkey() {
    for kind in ServerKind::usable_of(&[ServerKind::Valkey91]) {
        let folder = TempFolder::new();
        let own = written(kind);
        let mut snapshots = own.snapshots.clone();
        snapshots.push(own.large.clone());
        snapshots.push(own.large[..own.large.len() / 2].to_vec());
        for bytes in &snapshots {
            for form in [&[][..], &["--format", "csv"], &["--format", "info"]] {
                let args = [&["f", "--stats"], form].concat();
                let held = both(kind, "rdb", &args, bytes, folder.path());
                assert_eq!(held, Ok(Held::Same));
            }
        }
        // What is written into a file is what is printed without it.
        fs::write(folder.path().join("f"), &snapshots[0]).unwrap();
        let printed = ours(kind, "rdb", &["f", "--stats"], folder.path());
        let written = ours(
            kind,
            "rdb",
            &["f", "--stats", "--output", "o"],
            folder.path(),
        );
        let stats = fs::read(folder.path().join("o")).unwrap();
        assert_eq!([written.stdout, stats].concat(), printed.stdout);
    }
}

#[test]
fn arguments_and_files_that_are_none_are_told_the_same() {
    for kind in ServerKind::usable() {
        let folder = TempFolder::new();
        let folder = folder.path();
        fs::write(folder.join("empty"), b"").unwrap();
        fs::write(folder.join("f"), b"*1\r\n$4\r\nPING\r\n").unwrap();
        fs::write(folder.join("comment"), b"# nothing\n").unwrap();
        fs::create_dir(folder.join("dir")).unwrap();
        let long = "x".repeat(5000);
        let lines: &[&[&str]] = &[
            &[],
            &["-v"],
            &["--version"],
            &["f"],
            &["f", "f"],
            &["--fix"],
            &["--fix", "empty"],
            &["--fix", "missing"],
            &["--bogus", "f"],
            &["f", "--fix"],
            &["--truncate-to-timestamp", "f"],
            &["--truncate-to-timestamp", "x", "f"],
            &["--truncate-to-timestamp", "1", "missing"],
            &["a", "b", "c", "d"],
            &["missing"],
            &["missing/file"],
            &["dir"],
            &["empty"],
            &["comment"],
            &["/dev/null"],
            &[&long],
            &["-h"],
            &[""],
        ];
        for args in lines {
            for tool in ["aof", "rdb"] {
                let (their, our) = (
                    theirs(kind, tool, args, folder),
                    ours(kind, tool, args, folder),
                );
                if let Err(told) = hold(&their, &our) {
                    panic!("{kind} check-{tool} {args:?}\n{told}");
                }
            }
        }
        for args in [
            &["f", "--stats", "--format"][..],
            &["f", "--stats", "--format", "xml"],
            &["--stats", "f"],
            &["f", "--stats", "--stats", "--bogus"],
        ] {
            let (their, our) = (
                theirs(kind, "rdb", args, folder),
                ours(kind, "rdb", args, folder),
            );
            assert_eq!(hold(&their, &our), Ok(Held::Same), "{kind} {args:?}");
        }
    }
}

#[test]
fn an_unreadable_file_is_told_the_same() {
    for kind in ServerKind::usable() {
        let folder = TempFolder::new();
        let path = folder.path().join("f");
        fs::write(&path, b"*1\r\n$4\r\nPING\r\n").unwrap();
        for mode in [0o000, 0o444] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            for tool in ["aof", "rdb"] {
                let (their, our) = (
                    theirs(kind, tool, &["f"], folder.path()),
                    ours(kind, tool, &["f"], folder.path()),
                );
                assert_eq!(hold(&their, &our), Ok(Held::Same), "{kind} {mode:o}");
            }
        }
    }
}

#[test]
fn a_base_of_valkey_9_is_a_snapshot_and_nothing_of_it_is_removed() {
    for kind in ServerKind::usable_of(&[ServerKind::Valkey91]) {
        let set = &written(kind).sets[0];
        let base = set.iter().find(|f| f.0.ends_with("base.rdb")).unwrap();
        assert!(is_valkey_snapshot(&base.1));
        for other in ServerKind::usable() {
            let folder = TempFolder::new();
            let path = folder.path().join("f");
            fs::write(&path, &base.1).unwrap();
            let fixed = ours(other, "aof", &["--fix", "f"], folder.path());
            assert_eq!(fs::read(&path).unwrap(), base.1, "{other}");
            let sound = other == ServerKind::Valkey91;
            assert_eq!(fixed.code, Some(i32::from(!sound)), "{other}");
            // The tool itself takes all of it away.
            theirs(other, "aof", &["--fix", "f"], folder.path());
            assert_eq!(fs::read(&path).unwrap(), b"", "{other}");
        }
        // A whole set is sound, and its base is told as the checker of snapshots tells it.
        let folder = TempFolder::new();
        for (name, bytes) in set {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let ran = ours(kind, "aof", &["appendonly.aof.manifest"], folder.path());
        assert_eq!(ran.code, Some(0));
        let lines = comparable(&ran.stdout);
        let snapshot = ours(kind, "rdb", &[&format!("./{}", base.0)], folder.path());
        let told = comparable(&snapshot.stdout);
        let told = &told[..told.len() - 1];
        assert!(lines.windows(told.len()).any(|part| part == told));
    }
}

/// Two transactions that lost what stood between them: servers load all of it.
const GLUED: &[u8] = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n\
    *1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n\
    *1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\nc\r\n$1\r\n3\r\n*1\r\n$4\r\nEXEC\r\n";

#[test]
fn nothing_that_the_server_loads_is_removed() {
    for kind in ServerKind::usable() {
        let folder = TempFolder::new();
        let path = folder.path().join("f");
        fs::write(&path, GLUED).unwrap();
        let checked = ours(kind, "aof", &["f"], folder.path());
        assert_eq!(checked.code, Some(1), "their verdict decides");
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(said.starts_with("redkit: f: "), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        let fixed = ours(kind, "aof", &["--fix", "f"], folder.path());
        assert_eq!(fixed.code, Some(0));
        assert_eq!(fs::read(&path).unwrap(), GLUED);
        assert_server_loads(kind, GLUED);
        theirs(kind, "aof", &["--fix", "f"], folder.path());
        assert!(fs::metadata(&path).unwrap().len() < GLUED.len() as u64);
    }
}

const SOUND: &[u8] = b"*1\r\n$4\r\nPING\r\n";
const TORN: &[u8] = b"*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nDEL\r\n$4\r\nke";

#[test]
fn a_file_with_further_links_is_not_cut_and_owner_and_mode_stay() {
    let folder = TempFolder::new();
    let (path, backup) = (folder.path().join("f"), folder.path().join("backup"));
    fs::write(&path, TORN).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    fs::hard_link(&path, &backup).unwrap();
    let fixed = ours(ServerKind::Redis82, "aof", &["--fix", "f"], folder.path());
    assert_eq!(fixed.code, Some(0));
    assert_eq!(fs::read(&path).unwrap(), SOUND);
    assert_eq!(fs::read(&backup).unwrap(), TORN);
    let (new, old) = (fs::metadata(&path).unwrap(), fs::metadata(&backup).unwrap());
    assert_eq!(
        (new.mode(), new.uid(), new.gid()),
        (old.mode(), old.uid(), old.gid())
    );
    let removed = fs::metadata(folder.path().join("f.removed-14")).unwrap();
    assert_eq!(removed.mode() & 0o777, 0o640);
}

#[test]
fn removed_bytes_never_replace_those_of_an_earlier_fix() {
    let folder = TempFolder::new();
    let path = folder.path().join("f");
    for ending in ["junk", "more", "last"] {
        fs::write(&path, [SOUND, ending.as_bytes()].concat()).unwrap();
        let fixed = ours(ServerKind::Redis82, "aof", &["--fix", "f"], folder.path());
        assert_eq!(fixed.code, Some(0));
        assert_eq!(fs::read(&path).unwrap(), SOUND);
    }
    for (name, ending) in [("", "junk"), (".1", "more"), (".2", "last")] {
        let kept = fs::read(folder.path().join(format!("f.removed-14{name}"))).unwrap();
        assert_eq!(kept, ending.as_bytes());
    }
}

#[test]
fn a_fix_goes_on_where_the_removed_bytes_cannot_be_kept() {
    let folder = TempFolder::new();
    // With more behind it the name is too long for the file system.
    let name = "n".repeat(250);
    let path = folder.path().join(&name);
    fs::write(&path, TORN).unwrap();
    let fixed = ours(ServerKind::Redis82, "aof", &["--fix", &name], folder.path());
    assert_eq!(fixed.code, Some(0));
    assert_eq!(fs::read(&path).unwrap(), SOUND);
    let said = String::from_utf8_lossy(&fixed.stderr).into_owned();
    assert!(said.contains("could not be kept"), "{said}");
    assert_eq!(files(folder.path()).len(), 1);
}

#[test]
fn a_link_and_a_copy_by_the_name_are_the_tool() {
    let folder = TempFolder::new();
    fs::write(folder.path().join("f"), SOUND).unwrap();
    let binary = env!("CARGO_BIN_EXE_redkit");
    for name in ["redis-check-aof", "valkey-check-aof", "redis-check-aof.exe"] {
        let link = folder.path().join(name);
        std::os::unix::fs::symlink(binary, &link).unwrap();
        let ran = std::process::Command::new(&link)
            .arg("f")
            .env_remove("REDKIT_COMPAT")
            .current_dir(folder.path())
            .output()
            .unwrap();
        let out = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(out.ends_with("AOF f is valid\n"), "{name}: {out}");
    }
    let other = folder.path().join("redis-check-aofs");
    std::os::unix::fs::symlink(binary, &other).unwrap();
    let ran = std::process::Command::new(&other)
        .arg("f")
        .output()
        .unwrap();
    assert_eq!(ran.status.code(), Some(2), "another name is redkit");
    let unknown = std::process::Command::new(folder.path().join("redis-check-aof"))
        .env("REDKIT_COMPAT", "redis-3.0")
        .output()
        .unwrap();
    assert_eq!(unknown.status.code(), Some(2));
}
