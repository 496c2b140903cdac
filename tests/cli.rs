//! What golden cases cannot show: pipes that close, full devices, the standard input, threads.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const FEW: &str = "testdata/rdb/redis-7.0.15/few.rdb";

fn redkit(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redkit"));
    command
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null());
    command
}

fn run(args: &[&str]) -> Output {
    redkit(args).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

fn few() -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(FEW)).unwrap()
}

/// A sound snapshot whose JSON is larger than any pipe: one set of many long members.
fn large(dir: &Path) -> PathBuf {
    let mut rdb = b"REDIS0006\xfe\x00\x02\x01s\x80\x00\x00\x40\x00".to_vec();
    for n in 0..0x4000 {
        rdb.extend_from_slice(b"\x40\x64");
        rdb.extend_from_slice(format!("{n:0100}").as_bytes());
    }
    rdb.extend_from_slice(b"\xff\0\0\0\0\0\0\0\0");
    let path = dir.join("large.rdb");
    fs::write(&path, rdb).unwrap();
    path
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let dir = tempfile::tempdir().unwrap();
    let large = large(dir.path());
    let large = large.to_str().unwrap();
    for args in [
        &["dump-to-json", large][..],
        &["dump-to-json", "--threads", "2", large, large],
        &["get", large, "s"],
        &["explain"],
        &["completions", "bash"],
        &["--help"],
        &["check-rdb", FEW],
        &["check-rdb", "--format", "json", FEW],
    ] {
        let mut child = redkit(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = child.stdout.take().unwrap();
        if args.contains(&large) {
            out.read_exact(&mut [0; 100]).unwrap();
        }
        drop(out);
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
        assert_eq!(code(&output), 0, "{args:?}");
    }
}

#[test]
fn what_was_found_counts_also_when_nobody_reads_it() {
    let mut child = redkit(&["check-rdb", "testdata/broken/empty.rdb"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn a_full_device_is_status_3_and_says_so() {
    let Ok(full) = File::options().write(true).open("/dev/full") else {
        eprintln!("skipped: no /dev/full");
        return;
    };
    for args in [
        &["dump-to-json", "-q", FEW][..],
        &["get", FEW, "greeting"],
        &["check-rdb", FEW],
        &["info", FEW],
        &["explain"],
        &["completions", "zsh"],
        &["--version"],
        &["--help"],
    ] {
        let out = full.try_clone().unwrap();
        let output = redkit(args).stdout(out).output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(code(&output), 3, "{args:?}: {words}");
        assert!(words.contains("No space left"), "{args:?}: {words}");
    }
    let output = run(&["dump-to-json", "-q", FEW, "-o", "/dev/full"]);
    assert_eq!(code(&output), 3);
}

#[test]
fn the_standard_input_gives_what_the_file_gives() {
    for args in [&["dump-to-json"][..], &["dump-to-json", "--sort"], &["get"]] {
        let key: &[&str] = if args == ["get"] { &["user:1"] } else { &[] };
        let from_file = run(&[args, &[FEW], key].concat());
        let mut child = redkit(&[args, &["-"], key].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // In small pieces, as from a slow network. What follows a key is not read.
        for piece in few().chunks(7) {
            if stdin.write_all(piece).is_err() {
                break;
            }
        }
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        assert_eq!(code(&output), 0, "{args:?}");
        assert_eq!(output.stdout, from_file.stdout, "{args:?}");
    }
}

#[test]
fn nothing_depends_on_how_it_is_run() {
    let dir = tempfile::tempdir().unwrap();
    let large = large(dir.path());
    let large = large.to_str().unwrap();
    for command in ["check-rdb", "dump-to-json"] {
        let plain = run(&[command, FEW, large]);
        assert_eq!(code(&plain), 0);
        for how in [
            &["--threads", "1"][..],
            &["--threads", "5"],
            &["--no-mmap"],
            &["--no-progress", "--color", "never"],
        ] {
            let other = run(&[&[command][..], how, &[FEW, large]].concat());
            assert_eq!(other.stdout, plain.stdout, "{command} {how:?}");
        }
    }
}

#[test]
fn an_existing_output_is_replaced_only_by_force() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    fs::write(&out, "precious").unwrap();
    let name = out.to_str().unwrap();
    assert_eq!(code(&run(&["dump-to-json", FEW, "-o", name])), 2);
    assert_eq!(fs::read(&out).unwrap(), b"precious");
    let damaged = "testdata/broken/cut-in-a-value.rdb";
    assert_eq!(
        code(&run(&["dump-to-json", damaged, "-o", name, "--force"])),
        1
    );
    assert_eq!(fs::read(&out).unwrap(), b"precious");
    assert_eq!(
        code(&run(&["dump-to-json", "-q", FEW, "-o", name, "--force"])),
        0
    );
    assert_eq!(fs::read(&out).unwrap(), run(&["dump-to-json", FEW]).stdout);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn options_stand_before_the_command_or_behind_it() {
    let behind = run(&["check-rdb", FEW, "-q"]);
    let before = run(&["-q", "check-rdb", FEW]);
    assert_eq!((code(&behind), code(&before)), (0, 0));
    assert!(behind.stdout.is_empty() && before.stdout.is_empty());
    let aside = run(&["-v", "check-rdb", FEW]);
    let words = String::from_utf8(aside.stderr).unwrap();
    assert!(words.contains("569 bytes in 0."), "{words}");
}

#[test]
fn a_name_that_is_no_utf_8_is_opened_and_shown() {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir
            .path()
            .join(std::ffi::OsStr::from_bytes(b"a\xff\x1b.rdb"));
        if fs::write(&path, few()).is_err() {
            return;
        }
        let output = redkit(&["check-rdb"]).arg(&path).output().unwrap();
        assert_eq!(code(&output), 0);
        assert!(!output.stdout.contains(&0x1b));
        let output = redkit(&["check-rdb", "--format", "json"])
            .arg(&path)
            .output();
        let text = String::from_utf8(output.unwrap().stdout).unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }
}

#[test]
fn a_compressed_file_is_read_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("few");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&few()).unwrap();
    let compressed = encoder.finish().unwrap();
    fs::write(&path, &compressed).unwrap();
    let name = path.to_str().unwrap();
    let dumped = run(&["dump-to-json", name]);
    assert_eq!(dumped.stdout, run(&["dump-to-json", FEW]).stdout);
    let report = String::from_utf8(run(&["check-rdb", name]).stdout).unwrap();
    assert!(
        report.contains("569 bytes, decompressed from gzip"),
        "{report}"
    );
    assert_eq!(code(&run(&["info", name])), 0);
    // Cut short it is damage, and what comes before the cut is still written.
    fs::write(&path, &compressed[..compressed.len() - 60]).unwrap();
    for command in ["check-rdb", "dump-to-json"] {
        let output = run(&[command, name]);
        assert_eq!(code(&output), 1, "{command}: {output:?}");
    }
    assert_eq!(code(&run(&["info", name])), 0);
}

#[test]
fn a_log_that_is_mended_and_still_refused_is_not_called_done() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log.aof");
    let long = format!(
        "*{}3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n",
        "0".repeat(140)
    );
    let sound = |key| format!("*3\r\n$3\r\nSET\r\n$1\r\n{key}\r\n$1\r\n1\r\n");
    // So many commands are no chance, and what stands behind them is kept.
    let more: String = ('a'..='t').map(sound).collect();
    let text = format!("{}damage\r\n{more}{long}", sound('a'));
    fs::write(&log, text).unwrap();
    // Redis 6.2 reads a line of at most 127 bytes, the others one of 1,023.
    for (like, expected) in [("redis-6.2", 1), ("redis-7.0", 0)] {
        let to = dir.path().join(like);
        let args = [
            "check-aof",
            "--fix",
            "--strategy",
            "skip",
            "--like",
            like,
            "-o",
        ];
        let paths = [to.to_str().unwrap(), log.to_str().unwrap()];
        let output = run(&[&args[..], &paths].concat());
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(code(&output), expected, "{words}");
        let is_said =
            words.contains("Redis 6.2 still refuses") && words.contains("more than 127 bytes");
        assert_eq!(is_said, expected == 1, "{words}");
        // What is intact is kept all the same.
        assert!(fs::read_to_string(&to).unwrap().ends_with(&long));
    }
}
