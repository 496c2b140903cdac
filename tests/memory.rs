//! Memory does not grow with the input, with what a length claims, or with what is decompressed. The
//! program runs in an address space that would not hold it otherwise, and its peak is looked at.

mod support;

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use support::{TempFolder, full, loader};

const MIB: u64 = 1 << 20;

/// Bytes of a long input: 5 GB in the long runs.
fn long() -> u64 {
    if full() { 5_000_000_000 } else { 200_000_000 }
}

/// The program in an address space of so many MiB. What a program asks for and never touches counts.
fn confined(address_space: u64, words: &[&str]) -> Command {
    let mut command = Command::new("sh");
    let kib = address_space * 1024;
    command
        .args([
            "-c",
            &format!("ulimit -c 0; ulimit -v {kib}; exec \"$@\""),
            "-",
        ])
        .arg(env!("CARGO_BIN_EXE_redkit"))
        .args(words)
        .arg("--threads=2")
        .env("MALLOC_ARENA_MAX", "2")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Memory without the pages of mapped files, and those pages, as the system calls them: a file may be
/// in a file system in memory.
const OWN: &[&str] = &["RssAnon:"];
const MAPPED: &[&str] = &["RssFile:", "RssShmem:"];

/// The memory of these kinds that a process has resident, in bytes.
fn resident(pid: u32, kinds: &[&str]) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = |name: &&str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    let kib: Option<u64> = kinds.iter().map(line).sum();
    Some(kib? * 1024)
}

/// Waits for its end; the most that it had at one of many looks.
fn watched(child: Child, kinds: &'static [&str]) -> (Output, u64) {
    let pid = child.id();
    let waiting = thread::spawn(move || child.wait_with_output().unwrap());
    let mut peak = 0;
    while !waiting.is_finished() {
        peak = peak.max(resident(pid, kinds).unwrap_or(0));
        thread::sleep(Duration::from_millis(3));
    }
    (waiting.join().unwrap(), peak)
}

/// Feeds a program what `write` writes.
fn fed(mut command: Command, write: impl FnOnce(&mut dyn Write)) -> (Output, u64) {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    thread::scope(|scope| {
        let watching = scope.spawn(|| watched(child, OWN));
        write(&mut input);
        drop(input);
        watching.join().unwrap()
    })
}

/// An RDB length, in its longest form.
fn length(n: u64) -> Vec<u8> {
    [&[0x81][..], &n.to_be_bytes()].concat()
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&length(bytes.len() as u64)[..], bytes].concat()
}

const HEADER: &[u8] = b"REDIS0011";
/// The end, without a checksum.
const END: &[u8] = &[0xff, 0, 0, 0, 0, 0, 0, 0, 0];

/// A snapshot of many keys.
fn snapshot(size: u64, to: &mut dyn Write) {
    to.write_all(HEADER).unwrap();
    let value = string(&b"0123456789abcdef".repeat(64));
    let (mut written, mut block, mut n) = (0, Vec::new(), 0);
    while written < size {
        block.clear();
        while block.len() < 1 << 18 {
            block.push(0);
            block.extend(string(format!("key:{n}").as_bytes()));
            block.extend_from_slice(&value);
            n += 1;
        }
        to.write_all(&block).unwrap();
        written += block.len() as u64;
    }
    to.write_all(END).unwrap();
}

/// A log of many commands on few keys.
fn log(size: u64, to: &mut dyn Write) {
    let mut block = Vec::new();
    for n in 0..250 {
        let (key, value) = (format!("key:{n}"), "0123456789abcdef".repeat(64));
        block.extend(loader::command(&[b"SET", key.as_bytes(), value.as_bytes()]));
    }
    let mut written = 0;
    while written < size {
        to.write_all(&block).unwrap();
        written += block.len() as u64;
    }
}

#[test]
fn a_long_snapshot_through_a_pipe_is_read_in_flat_memory() {
    for words in [
        &["check-rdb", "-"][..],
        &["dump-to-json", "-"],
        &["stats", "-"],
    ] {
        let (output, peak) = fed(confined(600, words), |to| snapshot(long(), to));
        assert_eq!(
            output.status.code(),
            Some(0),
            "{words:?}: {}",
            said(&output)
        );
        eprintln!("{words:?}: {} MiB at most", peak / MIB);
        assert!(peak < 100 * MIB, "{words:?}: {peak}");
    }
}

#[test]
fn a_long_log_through_a_pipe_is_read_in_flat_memory() {
    // It is spooled: then it is mapped, and takes address space.
    for words in [
        &["check-aof", "-"][..],
        &["log", "-", "--limit", "10"],
        &["replay", "-"],
    ] {
        let space = 600 + 2 * long() / MIB;
        let (output, peak) = fed(confined(space, words), |to| log(long(), to));
        assert_eq!(
            output.status.code(),
            Some(0),
            "{words:?}: {}",
            said(&output)
        );
        eprintln!("{words:?}: {} MiB at most", peak / MIB);
        assert!(peak < 100 * MIB, "{words:?}: {peak}");
    }
}

#[test]
fn a_long_snapshot_is_converted_in_flat_memory() {
    for target in ["redis-7.2", "redis-5.0"] {
        let words = ["convert", "-", "--target", target, "-o", "-"];
        let space = 600 + 2 * long() / MIB;
        let (output, peak) = fed(confined(space, &words), |to| snapshot(long(), to));
        assert_eq!(
            output.status.code(),
            Some(0),
            "{words:?}: {}",
            said(&output)
        );
        eprintln!("{words:?}: {} MiB at most", peak / MIB);
        // What tells keys that stand twice takes 16 bytes for each.
        assert!(peak < 200 * MIB, "{words:?}: {peak}");
    }
}

/// Where framing is lost in large values, guesses lead to all places of a file.
#[test]
fn what_a_salvage_looks_at_stays_mapped_no_longer_than_needed() {
    let folder = TempFolder::new();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let short = |text: String| [&[text.len() as u8][..], text.as_bytes()].concat();
    let fields: Vec<u8> = (0..400_000u64)
        .flat_map(|n| {
            [
                short(format!("field:{n:07}")),
                short(format!("{:016x}", n << 27)),
            ]
            .concat()
        })
        .collect();
    let mut bytes = [HEADER, b"\xfe\0\xfb\x0c\0"].concat();
    for number in 0..12 {
        bytes.push(4);
        bytes.extend(short(format!("hash:{number}")));
        bytes.push(0x80);
        bytes.extend_from_slice(&400_000u32.to_be_bytes());
        bytes.extend_from_slice(&fields);
    }
    bytes.extend_from_slice(END);
    let at = bytes.len() / 3;
    bytes[at..at + 64].fill(0xfe);
    fs::write(path("damaged.rdb"), &bytes).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_redkit"))
        .args(["salvage", "--threads=2", &path("damaged.rdb")])
        .args(["-o", &path("saved.rdb"), "--keep-doubtful"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (output, peak) = watched(child, MAPPED);
    assert_eq!(output.status.code(), Some(6), "{}", said(&output));
    eprintln!(
        "salvage: {} MiB of {} at most",
        peak / MIB,
        bytes.len() as u64 / MIB
    );
    assert!(peak < 100 * MIB, "{peak}");
}

/// Files of 5 GB of which nearly nothing is on disk: values of zeros.
#[test]
fn sparse_files_of_5_gb_are_read_in_flat_memory() {
    let folder = TempFolder::new();
    let value = if full() { 500_000_000_u64 } else { 50_000_000 };
    let rdb = folder.path().join("sparse.rdb");
    let mut file = File::create(&rdb).unwrap();
    file.write_all(b"REDIS0004").unwrap();
    for n in 0..10 {
        file.write_all(&[0]).unwrap();
        file.write_all(&string(format!("key:{n}").as_bytes()))
            .unwrap();
        file.write_all(&length(value)).unwrap();
        file.seek(SeekFrom::Current(value as i64)).unwrap();
    }
    file.write_all(&[0xff]).unwrap();
    let aof = folder.path().join("sparse.aof");
    let mut file = File::create(&aof).unwrap();
    for n in 0..10 {
        write!(file, "*3\r\n$3\r\nSET\r\n$5\r\nkey:{n}\r\n${value}\r\n").unwrap();
        file.seek(SeekFrom::Current(value as i64)).unwrap();
        file.write_all(b"\r\n").unwrap();
    }
    let (rdb, aof) = (rdb.to_str().unwrap(), aof.to_str().unwrap());
    for words in [
        &["check-rdb", rdb][..],
        &["info", rdb],
        &["stats", rdb],
        &["dump-to-json", rdb],
        &["check-aof", aof],
        &["log", aof],
        &["info", aof],
    ] {
        let space = 600 + 12 * value / MIB;
        let (output, peak) = watched(confined(space, words).spawn().unwrap(), OWN);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{words:?}: {}",
            said(&output)
        );
        eprintln!("{words:?}: {} MiB at most", peak / MIB);
        assert!(peak < 100 * MIB, "{words:?}: {peak}");
    }
}

/// A key whose value is this.
fn value(rdb_type: u8, parts: &[&[u8]]) -> Vec<u8> {
    [HEADER, &[rdb_type], &string(b"k"), &parts.concat()].concat()
}

/// An LZF string of `compressed` bytes that claims to be of `len`.
fn lzf(len: u64, compressed: &[u8]) -> Vec<u8> {
    let sizes = [length(compressed.len() as u64), length(len)].concat();
    [&[0xc3][..], &sizes, compressed].concat()
}

#[test]
fn what_a_length_claims_is_not_set_aside() {
    let many = length(1 << 40);
    let most = length(u64::MAX);
    let some = length(4_000_000_000);
    let pack = |bytes: u32, count: u16| {
        let head = [&bytes.to_le_bytes()[..], &count.to_le_bytes()].concat();
        string(&[&head[..], &[1, 1, 0xff]].concat())
    };
    let ziplist = |bytes: u32, tail: u32, count: u16| {
        let head = [bytes.to_le_bytes(), tail.to_le_bytes()].concat();
        string(&[&head[..], &count.to_le_bytes(), &[0xff]].concat())
    };
    let intset = |width: u32, count: u32| {
        let head = [width.to_le_bytes(), count.to_le_bytes()].concat();
        string(&[&head[..], &[0; 8]].concat())
    };
    let one = string(b"x");
    let mut files: Vec<(&str, Vec<u8>)> = vec![
        (
            "an LZF string of 2^40",
            value(0, &[&lzf(1 << 40, b"\x00a")]),
        ),
        (
            "an LZF string of 4 GB",
            value(0, &[&lzf(4 << 30, &[0; 1000])]),
        ),
        (
            "an LZF string of 89 times",
            value(0, &[&lzf(89 * 100_000, &[0; 100_000])]),
        ),
        ("LZF of as much", value(0, &[&lzf(u64::MAX, &[0; 10])])),
        ("a listpack of 4 GB", value(16, &[&pack(u32::MAX, 2)])),
        ("a listpack of many", value(16, &[&pack(9, u16::MAX - 1)])),
        ("a ziplist of 4 GB", value(13, &[&ziplist(u32::MAX, 10, 2)])),
        (
            "a ziplist of many",
            value(13, &[&ziplist(11, 10, u16::MAX)]),
        ),
        ("an intset of many", value(11, &[&intset(8, u32::MAX)])),
        ("a blob of 2^40", value(16, &[&many, b"x"])),
        ("a blob of LZF", value(16, &[&lzf(1 << 40, b"\x00a")])),
        (
            "a quicklist node",
            value(18, &[&length(2), &[2], &many, b"x"]),
        ),
        ("a stream's nodes", value(21, &[&many, &one, &one])),
        (
            "a stream's groups",
            value(21, &[&length(0), &length(0), &[0; 8], &many, &one]),
        ),
        ("a module's string", value(7, &[&some, &length(5), &many])),
    ];
    for rdb_type in [1, 2, 3, 4, 5, 14, 18, 22, 24, 25] {
        files.push(("elements", value(rdb_type, &[&many, &one])));
        files.push(("as many elements", value(rdb_type, &[&most, &one])));
        files.push(("many elements", value(rdb_type, &[&some, &one, &one, &one])));
    }
    files.push(("a key", [HEADER, &[0], &many[..]].concat()));
    files.push(("an AUX field", [HEADER, &[0xfa], &many[..]].concat()));
    files.push(("a function", [HEADER, &[0xf5], &many[..]].concat()));
    files.push((
        "hints",
        [HEADER, &[0xfe, 0, 0xfb], &most[..], &most, END].concat(),
    ));
    let folder = TempFolder::new();
    let path = folder.path().join("claims.rdb");
    let name = path.to_str().unwrap();
    let out = folder.path().join("out.rdb");
    let out = out.to_str().unwrap();
    for (what, bytes) in &files {
        fs::write(&path, bytes).unwrap();
        for words in [
            &["check-rdb", name][..],
            &["dump-to-json", name],
            &["stats", name],
            &["replay", name],
            &["salvage", name, "-o", out, "--force"],
            &[
                "convert",
                name,
                "--target",
                "redis-7.0",
                "-o",
                out,
                "--force",
            ],
        ] {
            let output = confined(320, words).output().unwrap();
            let code = output.status.code();
            // Where nothing but a hint is wrong, all is well.
            let fine = matches!(code, Some(1 | 4)) || *what == "hints";
            assert!(fine, "{what}: {words:?}: {code:?} {}", said(&output));
        }
    }
    let logs: [(&str, Vec<u8>); 4] = [
        ("arguments", b"*1000000\r\n$3\r\nSET\r\n".to_vec()),
        ("as many arguments", b"*9223372036854775807\r\n".to_vec()),
        ("a string", b"*2\r\n$3\r\nSET\r\n$536870912\r\nabc".to_vec()),
        (
            "a longer string",
            b"*2\r\n$3\r\nSET\r\n$9223372036854775807\r\n".to_vec(),
        ),
    ];
    let path = folder.path().join("claims.aof");
    let name = path.to_str().unwrap();
    for (what, bytes) in &logs {
        fs::write(&path, bytes).unwrap();
        for words in [
            &["check-aof", name][..],
            &["replay", name],
            &["log", name],
            &["check-aof", "--fix", "-n", name],
        ] {
            let output = confined(320, words).output().unwrap();
            let code = output.status.code();
            assert!(
                matches!(code, Some(0..=2)),
                "{what}: {words:?}: {code:?} {}",
                said(&output)
            );
        }
    }
}

#[test]
fn what_is_claimed_and_true_is_read_in_flat_memory() {
    // A letter, and itself again and again: 264 bytes of three.
    let len = 350_000_000_u64;
    let times = (len - 1) / 264;
    let mut compressed = vec![0, b'a'];
    compressed.extend([0xe0, 0xff, 0].repeat(times as usize));
    let bytes = [&value(0, &[&lzf(1 + times * 264, &compressed)])[..], END].concat();
    assert!(bytes.len() < 4_000_000);
    let folder = TempFolder::new();
    let path = folder.path().join("long.rdb");
    fs::write(&path, &bytes).unwrap();
    let name = path.to_str().unwrap();
    for words in [
        &["check-rdb", name][..],
        &["dump-to-json", name],
        &["get", name, "k"],
        &["stats", name],
        &["info", name],
        &["convert", name, "--target", "redis-7.0", "-o", "/dev/null"],
    ] {
        // What is written more than once is spooled, and then mapped.
        let space = if words[0] == "check-rdb" { 340 } else { 1100 };
        let (output, peak) = watched(confined(space, words).spawn().unwrap(), OWN);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{words:?}: {}",
            said(&output)
        );
        eprintln!("{words:?}: {} MiB at most", peak / MIB);
        assert!(peak < 100 * MIB, "{words:?}: {peak}");
    }
    for words in [&["check-rdb", "-"][..], &["dump-to-json", "-"]] {
        let (output, peak) = fed(confined(1100, words), |to| to.write_all(&bytes).unwrap());
        assert_eq!(
            output.status.code(),
            Some(0),
            "{words:?}: {}",
            said(&output)
        );
        assert!(peak < 100 * MIB, "{words:?}: {peak}");
    }
}

/// What decompresses to `head`, and a MiB of zeros so many times.
fn bombs(head: &[u8], times: usize) -> Vec<(&'static str, Vec<u8>)> {
    let zeros = vec![0; 1 << 20];
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let lz4 = |bytes: &[u8]| {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    // A frame of blocks that are one byte and how often: 128 KiB each. The first one is raw.
    let zstd = |raw: &[u8], runs: u32| {
        let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x50];
        let last = u32::from(runs == 0);
        let head = last | (raw.len() as u32) << 3;
        frame.extend_from_slice(&head.to_le_bytes()[..3]);
        frame.extend_from_slice(raw);
        for n in 1..=runs {
            let head = u32::from(n == runs) | 1 << 1 | (128 << 10) << 3;
            frame.extend_from_slice(&head.to_le_bytes()[..3]);
            frame.push(0);
        }
        frame
    };
    let one = gzip(&zeros);
    let mut all = vec![
        ("gzip", [&gzip(head)[..], &one.repeat(times)].concat()),
        ("lz4", [&lz4(head)[..], &lz4(&zeros).repeat(times)].concat()),
        (
            "zstd",
            [&zstd(head, 0)[..], &zstd(&[], 8).repeat(times)].concat(),
        ),
    ];
    // One within the other.
    let inner = all[0].1.clone();
    all.push(("gzip twice", gzip(&inner)));
    all.push(("gzip and zstd", zstd_raw(&gzip(&inner), &zstd)));
    match xz(head).zip(xz(&zeros)) {
        Some((head, zeros)) => all.push(("xz", [&head[..], &zeros.repeat(times)].concat())),
        None => eprintln!("skipped: no xz to make a bomb with"),
    }
    all
}

/// Bytes as they are, in frames.
fn zstd_raw(bytes: &[u8], frame: &dyn Fn(&[u8], u32) -> Vec<u8>) -> Vec<u8> {
    let pieces = bytes.chunks(100_000);
    pieces.flat_map(|piece| frame(piece, 0)).collect()
}

fn xz(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut child = Command::new("xz")
        .arg("-c")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(bytes).ok()?;
    let output = child.wait_with_output().ok()?;
    output.status.success().then_some(output.stdout)
}

fn bounded(path: &Path, words: &[&str], what: &str, codes: &[i32]) {
    let name = path.to_str().unwrap();
    let folder = TempFolder::new();
    let words: Vec<&str> = words
        .iter()
        .map(|word| if *word == "FILE" { name } else { word })
        .collect();
    let mut command = confined(800, &words);
    command.env("TMPDIR", folder.path());
    let (output, peak) = watched(command.spawn().unwrap(), OWN);
    let code = output.status.code();
    assert!(
        code.is_some_and(|code| codes.contains(&code)),
        "{what}: {words:?}: {code:?} {}",
        said(&output)
    );
    assert!(peak < 300 * MIB, "{what}: {words:?}: {peak}");
    let left = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 0, "{what}: {words:?}");
}

#[test]
fn what_decompresses_to_more_than_there_is_room_for_is_refused() {
    let folder = TempFolder::new();
    let path = folder.path().join("bomb");
    let times = if full() { 10_000 } else { 600 };
    // One value of all those zeros.
    let claimed = (times as u64) << 20;
    let head = value(0, &[&length(claimed)]);
    for (what, bytes) in bombs(&head, times) {
        fs::write(&path, &bytes).unwrap();
        assert!(bytes.len() < 60_000_000, "{what}: {}", bytes.len());
        let spool = "--max-spool=32MiB";
        bounded(&path, &["check-rdb", spool, "FILE"], what, &[5]);
        bounded(&path, &["dump-to-json", spool, "FILE"], what, &[5]);
        let convert = [
            "convert",
            spool,
            "FILE",
            "--target",
            "redis-7.0",
            "-o",
            "/dev/null",
        ];
        bounded(&path, &convert, what, &[5]);
        let out = folder.path().join("out");
        let salvage = ["salvage", spool, "FILE", "-o", out.to_str().unwrap()];
        bounded(&path, &salvage, what, &[5]);
        assert!(!out.exists());
        bounded(&path, &["replay", spool, "FILE"], what, &[5]);
        bounded(&path, &["verify", spool, "FILE"], what, &[3, 5]);
    }
    // A log whose only command has all of it.
    let head = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${claimed}\r\n");
    for (what, bytes) in bombs(head.as_bytes(), times) {
        fs::write(&path, &bytes).unwrap();
        let spool = "--max-spool=32MiB";
        bounded(&path, &["check-aof", spool, "FILE"], what, &[5]);
        bounded(&path, &["replay", spool, "FILE"], what, &[5]);
        bounded(&path, &["log", spool, "FILE"], what, &[5]);
    }
    // JSON with a string that goes on and on.
    let head = b"{\"db\":0,\"key\":\"";
    for (what, bytes) in bombs(head, times) {
        fs::write(&path, &bytes).unwrap();
        let out = folder.path().join("out");
        let words = [
            "from-json",
            "--max-memory=200MiB",
            "FILE",
            "-o",
            out.to_str().unwrap(),
        ];
        // A zero is none that a string of JSON may have; and there is a limit before its end.
        bounded(&path, &words, what, &[1, 5]);
        assert!(!out.exists());
    }
}

#[test]
fn a_replay_stops_at_the_memory_it_may_take() {
    let folder = TempFolder::new();
    let path = folder.path().join("grows.aof");
    let mut bytes = Vec::new();
    for n in 0..100 {
        let key = format!("key:{n}");
        // Four bytes more, and 16 MiB of memory.
        bytes.extend(loader::command(&[
            b"SETRANGE",
            key.as_bytes(),
            b"16777216",
            b"x",
        ]));
    }
    fs::write(&path, &bytes).unwrap();
    for words in [
        &["replay", "--max-memory=200MiB", "FILE"][..],
        &[
            "rewrite-aof",
            "--max-memory=200MiB",
            "FILE",
            "-o",
            "/dev/null",
        ],
    ] {
        bounded(&path, words, "a log that grows", &[5]);
    }
}
