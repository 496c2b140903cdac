//! The examples of `docs/deploy`: their commands, run on the files that they are for.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::{TempFolder, starting};

/// An example: its command for the shell, and the folder that it expects the log below.
struct Example {
    script: String,
    data: &'static str,
}

fn examples() -> Vec<Example> {
    let read = |name: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/deploy");
        fs::read_to_string(folder.join(name)).unwrap()
    };
    let unit = read("redis-server.service.d.conf");
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStartPre=/bin/sh -c '"));
    let yaml = read("kubernetes.yaml");
    let (_, behind) = yaml.split_once("- -c\n            - >-\n").unwrap();
    let folded: Vec<_> = behind
        .lines()
        .map_while(|line| line.strip_prefix("              "))
        .collect();
    vec![
        Example {
            script: line.unwrap().strip_suffix('\'').unwrap().to_owned(),
            data: "/var/lib/redis",
        },
        Example {
            script: folded.join(" "),
            data: "/data",
        },
    ]
}

/// Runs it with this folder in the place of the server's.
fn run(example: &Example, data: &Path) -> Output {
    let script = example.script.replace(example.data, data.to_str().unwrap());
    assert_ne!(script, example.script, "no path in it");
    let program = Path::new(env!("CARGO_BIN_EXE_redkit")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let path = std::iter::once(program.to_owned()).chain(std::env::split_paths(&path));
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", &script])
        .env("PATH", std::env::join_paths(path).unwrap());
    starting(|| command.output()).unwrap()
}

/// A data folder with a sound log, and the last file of it.
fn sound() -> (TempFolder, PathBuf) {
    let folder = TempFolder::new();
    let log = folder.path().join("appendonlydir");
    fs::create_dir(&log).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/aof/set");
    for entry in fs::read_dir(source).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), log.join(entry.file_name())).unwrap();
    }
    let last = log.join("appendonly.aof.2.incr.aof");
    assert!(last.exists());
    (folder, last)
}

/// Every file with its bytes.
fn content(folder: &TempFolder) -> Vec<(PathBuf, Vec<u8>)> {
    let log = folder.path().join("appendonlydir");
    let mut files: Vec<_> = fs::read_dir(log)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

#[track_caller]
fn status(output: &Output, expected: i32) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(expected), "{stderr}");
}

#[test]
fn a_first_start_and_a_sound_log_are_let_through_untouched() {
    for example in examples() {
        let nothing = TempFolder::new();
        status(&run(&example, nothing.path()), 0);
        let (folder, _) = sound();
        let before = content(&folder);
        status(&run(&example, folder.path()), 0);
        assert_eq!(content(&folder), before);
    }
}

#[test]
fn a_torn_end_within_the_limits_is_cut_and_kept() {
    for example in examples() {
        for tail in [&b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhal"[..], &[0; 512]] {
            let (folder, last) = sound();
            let good = fs::read(&last).unwrap();
            fs::write(&last, [&good, tail].concat()).unwrap();
            status(&run(&example, folder.path()), 0);
            assert_eq!(fs::read(&last).unwrap(), good);
            let kept = content(&folder);
            let kept = kept
                .iter()
                .find(|(path, _)| path.to_string_lossy().contains(".removed-"));
            assert_eq!(kept.unwrap().1, tail);
        }
    }
}

#[test]
fn beyond_the_limits_and_where_somebody_must_choose_nothing_is_changed() {
    let large = [
        &b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$200000\r\n"[..],
        &[b'x'; 100_000],
    ]
    .concat();
    let inside = b"*3\r\n$3\r\nSEX\xff!\r\n".to_vec();
    for example in examples() {
        let (folder, last) = sound();
        let good = fs::read(&last).unwrap();
        fs::write(&last, [&good[..], &large].concat()).unwrap();
        let before = content(&folder);
        status(&run(&example, folder.path()), 5);
        assert_eq!(content(&folder), before);

        // Whole commands stand behind it.
        fs::write(&last, [&good[..], &inside, &good].concat()).unwrap();
        let before = content(&folder);
        status(&run(&example, folder.path()), 2);
        assert_eq!(content(&folder), before);
    }
}

#[test]
fn systemd_takes_the_drop_in() {
    let Ok(version) = Command::new("systemd-analyze").arg("--version").output() else {
        return eprintln!("skipped: no systemd-analyze");
    };
    assert!(version.status.success());
    let folder = TempFolder::new();
    let unit = folder.path().join("redis-server.service");
    let text = "[Service]\nExecStart=/bin/true\nUser=root\n";
    fs::write(&unit, text).unwrap();
    let drop_in = folder.path().join("redis-server.service.d");
    fs::create_dir(&drop_in).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = source.join("docs/deploy/redis-server.service.d.conf");
    fs::copy(source, drop_in.join("redkit.conf")).unwrap();
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no", unit.to_str().unwrap()]);
    command.env("SYSTEMD_UNIT_PATH", format!("{}:", folder.path().display()));
    let verified = starting(|| command.output()).unwrap();
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success(), "{said}");
    assert!(!said.contains("redkit"), "{said}");
    assert!(!said.contains("redis-server.service"), "{said}");
}
