//! What input and output promise when something outside the process goes wrong. The process that
//! it goes wrong for is this test binary again, in a role that an environment variable names.
#![cfg(unix)]

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use redkit::error::{ErrorKind, Hint};
use redkit::io::output::{Existing, Output};
use redkit::io::source::{Content, OpenOptions, Source};
use redkit::io::spool::{Spool, SpoolFile};

const ROLE: &str = "REDKIT_TEST_ROLE";
const FOLDER: &str = "REDKIT_TEST_FOLDER";

fn child(role: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "in_a_process_of_its_own", "--nocapture"])
        .env(ROLE, role)
        .env(FOLDER, folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Not a test by itself: what the others start.
#[test]
fn in_a_process_of_its_own() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let folder = std::path::PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let ready = || File::create(folder.join("ready")).unwrap();
    match role.as_str() {
        "reads a map that is cut short" => {
            let _output = Output::create(&folder.join("out"), Existing::Replace).unwrap();
            let map = map(&folder.join("in"));
            File::options()
                .write(true)
                .open(folder.join("in"))
                .unwrap()
                .set_len(100)
                .unwrap();
            let sum: u64 = map.iter().map(|&b| u64::from(b)).sum();
            println!("{sum}");
        }
        "writes for ever" => {
            let mut output = Output::create(&folder.join("out"), Existing::Replace).unwrap();
            output.write_all(&[1; 1 << 20]).unwrap();
            ready();
            sleep(Duration::from_secs(30));
            output.finish().unwrap();
        }
        "writes until told" => {
            let mut output = Output::create(&folder.join("out"), Existing::Replace).unwrap();
            output.write_all(b"new").unwrap();
            ready();
            wait_for(&folder.join("go on"));
            output.finish().unwrap();
        }
        "maps and waits" => {
            let _map = map(&folder.join("in"));
            ready();
            sleep(Duration::from_secs(30));
        }
        "overflows its stack" => {
            let _map = map(&folder.join("in"));
            fn deeper(n: u64) -> u64 {
                let frame = std::hint::black_box([n; 512]);
                if n == u64::MAX {
                    return 0;
                }
                deeper(n + 1) + frame[7]
            }
            println!("{}", deeper(0));
        }
        "copies stdin" => {
            let Content::Stream(mut stream) = Source::stdin().unwrap().into_content() else {
                panic!("a pipe is a stream");
            };
            let mut output = Output::stdout().unwrap();
            let mut buf = vec![0; 100_000];
            loop {
                match stream.read(&mut buf).unwrap() {
                    0 => break,
                    n => match output.write_all(&buf[..n]) {
                        Err(error) if error.is_closed_pipe() => std::process::exit(42),
                        done => done.unwrap(),
                    },
                }
            }
            output.finish().unwrap();
        }
        "opens more files than can be mapped" => {
            let path = folder.join("in");
            let open = || Source::open(&path, OpenOptions::default()).unwrap();
            let is_map = |source: &Source| matches!(source.content(), Content::Map(_));
            let sources: Vec<Source> = (0..1100).map(|_| open()).collect();
            assert_eq!(sources.iter().filter(|source| is_map(source)).count(), 1024);
            for source in sources {
                let mut bytes = Vec::new();
                match source.into_content() {
                    Content::Map(map) => bytes.extend_from_slice(&map),
                    Content::Stream(mut stream) => {
                        stream.read_to_end(&mut bytes).unwrap();
                    }
                }
                assert_eq!(bytes, b"REDIS0011");
            }
            assert!(is_map(&open()), "places are given back");
        }
        "spools" => {
            let full = |error: &io::Error| error.kind() == io::ErrorKind::StorageFull;
            Spool::zeroed(64 << 10).unwrap().fill(1);
            assert!(full(&Spool::zeroed(2 << 20).unwrap_err()));
            let mut spool = SpoolFile::new(u64::MAX).unwrap();
            let error = spool.write_all(&vec![1; 2 << 20]).unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::Io(e) if full(e)),
                "{error}"
            );
        }
        role => panic!("{role}"),
    }
    std::process::exit(0);
}

fn map(path: &Path) -> redkit::io::source::Map {
    match Source::open(path, OpenOptions::default())
        .unwrap()
        .into_content()
    {
        Content::Map(map) => map,
        Content::Stream(_) => panic!("a regular file is mapped"),
    }
}

fn wait_for(path: &Path) {
    let begin = Instant::now();
    while !path.exists() {
        assert!(begin.elapsed() < Duration::from_secs(30), "{path:?}");
        sleep(Duration::from_millis(5));
    }
}

fn send(signal: &str, child: &Child) {
    let kill = format!("kill -{signal} {}", child.id());
    assert!(
        Command::new("sh")
            .args(["-c", &kill])
            .status()
            .unwrap()
            .success()
    );
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_cut_short_under_the_map_ends_with_status_3_and_leaves_no_temporary() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("in"), vec![1; 1 << 20]).unwrap();
    let child = child("reads a map that is cut short", folder.path())
        .output()
        .unwrap();
    let words = String::from_utf8(child.stderr).unwrap();
    assert_eq!(child.status.code(), Some(3), "{words}");
    assert!(
        words.contains("error: the file was cut short while it was read\n"),
        "{words}"
    );
    assert!(words.contains("--no-mmap"), "{words}");
    assert_eq!(names(folder.path()), ["in"]);
}

#[test]
fn more_files_than_can_be_mapped_are_read_as_streams() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("in"), "REDIS0011").unwrap();
    let child = child("opens more files than can be mapped", folder.path())
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{words}");
}

#[test]
fn a_bus_error_that_is_not_ours_stays_one() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("in"), "REDIS0011").unwrap();
    let child = child("maps and waits", folder.path()).spawn().unwrap();
    wait_for(&folder.path().join("ready"));
    send("BUS", &child);
    let child = child.wait_with_output().unwrap();
    assert_eq!(child.status.signal(), Some(libc::SIGBUS));
    assert!(!String::from_utf8_lossy(&child.stderr).contains("cut short"));
}

#[test]
fn a_stack_overflow_is_still_told_as_one() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("in"), "REDIS0011").unwrap();
    let child = child("overflows its stack", folder.path())
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&child.stderr);
    assert!(words.contains("overflowed its stack"), "{words}");
    assert_eq!(child.status.code(), None);
}

/// Whether whoever started the tests has a signal ignored, as `nohup` does, and shells for what they put
/// into the background: then it ends nothing.
fn is_ignored(number: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (number - 1) & 1 == 1)
}

#[test]
fn signals_that_end_the_process_remove_the_temporary_and_are_seen_outside() {
    for (name, number) in [
        ("INT", libc::SIGINT),
        ("TERM", libc::SIGTERM),
        ("HUP", libc::SIGHUP),
    ] {
        if is_ignored(number) {
            println!("skipped: whoever started this has {name} ignored");
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("out"), "old").unwrap();
        let mut child = child("writes for ever", folder.path()).spawn().unwrap();
        wait_for(&folder.path().join("ready"));
        assert_eq!(names(folder.path()).len(), 3, "there is a temporary");
        send(name, &child);
        assert_eq!(child.wait().unwrap().signal(), Some(number), "{name}");
        assert_eq!(names(folder.path()), ["out", "ready"], "{name}");
        assert_eq!(fs::read(folder.path().join("out")).unwrap(), b"old");
    }
}

#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let inner = child("writes until told", folder.path());
    let mut outer = Command::new("sh");
    outer.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]);
    outer.arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        outer.env(name, value.unwrap());
    }
    let mut child = outer.stdout(Stdio::null()).spawn().unwrap();
    wait_for(&folder.path().join("ready"));
    send("HUP", &child);
    sleep(Duration::from_millis(100));
    fs::write(folder.path().join("go on"), "").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(fs::read(folder.path().join("out")).unwrap(), b"new");
}

#[test]
fn writing_from_a_map_that_was_cut_short_is_an_error_not_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in");
    fs::write(&path, vec![1; 1 << 20]).unwrap();
    let map = map(&path);
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(0)
        .unwrap();
    let mut output = Output::create(&folder.path().join("out"), Existing::Refuse).unwrap();
    let error = output.write_all(&map).unwrap_err();
    assert!(error.to_string().contains("cut short"), "{error}");
    assert!(matches!(error.hint(), Some(Hint::Other(hint)) if hint.contains("--no-mmap")));
}

#[test]
fn a_full_disk_leaves_the_old_file_and_no_temporary() {
    let folder = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m", "redkit-test"])
        .arg(folder.path())
        .stderr(Stdio::null())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: only root can mount a small file system");
        return;
    }
    let path = folder.path().join("out");
    fs::write(&path, "old").unwrap();
    let mut output = Output::create(&path, Existing::Replace).unwrap();
    let error = output.write_all(&vec![1; 2 << 20]).unwrap_err();
    let after = output.finish();
    // With the disk full of something else, a spool is refused too, where it is made.
    let spool = child("spools", folder.path())
        .env("TMPDIR", folder.path())
        .output()
        .unwrap();
    let left = names(folder.path());
    let old = fs::read(&path);
    let unmounted = Command::new("umount").arg(folder.path()).status().unwrap();
    assert!(unmounted.success());
    assert!(
        matches!(error.kind(), ErrorKind::Io(e) if e.kind() == io::ErrorKind::StorageFull),
        "{error}"
    );
    assert_eq!(error.hint(), Some(Hint::FreeSpace));
    assert!(after.is_err());
    assert!(spool.status.success(), "{spool:?}");
    assert_eq!(left, ["out"]);
    assert_eq!(old.unwrap(), b"old");
}

#[test]
fn stdin_comes_out_of_stdout_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..3_000_000u32).map(|n| (n * 7 % 251) as u8).collect();
    let mut child = child("copies stdin", folder.path())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let sent = bytes.clone();
    let writer = std::thread::spawn(move || stdin.write_all(&sent));
    let out = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(out.status.success());
    assert!(
        out.stdout.ends_with(&bytes),
        "after the test harness's own words"
    );
}

#[test]
fn a_closed_pipe_is_seen_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = child("copies stdin", folder.path())
        .stdin(File::open("/dev/zero").unwrap())
        .spawn()
        .unwrap();
    let mut some = [0; 1000];
    child.stdout.take().unwrap().read_exact(&mut some).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(42));
}

#[test]
fn fifos_are_waited_for_and_read_and_written_through() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    if !Command::new("mkfifo")
        .arg(&path)
        .status()
        .is_ok_and(|status| status.success())
    {
        eprintln!("skipped: no mkfifo");
        return;
    }
    let to = path.clone();
    let writer = std::thread::spawn(move || {
        let mut output = Output::create(&to, Existing::Refuse)?;
        output.write_all(b"*1\r\n$4\r\nPING\r\n")?;
        output.finish()
    });
    let source = Source::open(&path, OpenOptions::default()).unwrap();
    assert_eq!(source.kind(), redkit::io::kind::Kind::Aof);
    assert!(!source.origin().can_reread());
    let Content::Stream(mut stream) = source.into_content() else {
        panic!("a FIFO is a stream");
    };
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"*1\r\n$4\r\nPING\r\n");
    assert_eq!(writer.join().unwrap().unwrap(), 14);
    assert_eq!(names(folder.path()), ["fifo"]);
}
