//! `convert --layout resp`: commands of large values are passed on before all of them are there, and
//! strings are decompressed once; nobody may notice.

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use support::TempFolder;

fn redkit(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_redkit"))
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[track_caller]
fn done(args: &[&str]) -> Value {
    let (exit, out, words) = redkit(&[args, &["--format", "json"]].concat());
    assert_eq!(exit, Some(0), "{args:?}: {words}");
    serde_json::from_str(&out).unwrap()
}

/// Appends a command.
fn command(words: &[&str], out: &mut String) {
    out.push_str(&format!("*{}\r\n", words.len()));
    for word in words {
        out.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
}

/// A log that makes one value of some megabytes, and how a server would write it down.
fn log(of: &str) -> String {
    let mut out = String::new();
    for n in 0..60_000u64 {
        let long = format!("member {n} {}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let score = (n % 977) as f64 / 8.0;
        let id = format!("{}-{}", 5 + n / 3, n % 3);
        match of {
            "list" => command(&["RPUSH", "key", &long], &mut out),
            "set" => command(&["SADD", "key", &long], &mut out),
            "zset" => command(&["ZADD", "key", &score.to_string(), &long], &mut out),
            "zero" => command(&["ZADD", "key", "0", &long], &mut out),
            "hash" | "dated" => command(&["HSET", "key", &long, &n.to_string()], &mut out),
            _ => command(&["XADD", "key", &id, "name", &long, "n", "1"], &mut out),
        }
        if of == "dated" && n % 5 == 0 {
            let words = ["HPEXPIREAT", "key", "4102444800000", "FIELDS", "1", &long];
            command(&words, &mut out);
        }
        if of == "stream" && n == 40_000 {
            for group in ["one", "other"] {
                command(&["XGROUP", "CREATE", "key", group, "9-0"], &mut out);
            }
        }
        if of == "stream" && n > 40_000 && n % 7 < 4 {
            let group = ["one", "other"][(n % 2) as usize];
            let consumer = ["alice", "bob", "carol"][(n / 90 % 3) as usize];
            let time = (1_700_000_000_000 + n / 50).to_string();
            let words = ["XCLAIM", "key", group, consumer, "0", &id, "TIME", &time];
            let words = [&words[..], &["RETRYCOUNT", "2", "JUSTID", "FORCE"]].concat();
            command(&words, &mut out);
        }
    }
    if of != "list" {
        command(&["PEXPIREAT", "key", "4102444800001"], &mut out);
    }
    out
}

fn without_time(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    match bytes.starts_with(b"#TS:") {
        true => bytes[bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1..].to_vec(),
        false => bytes,
    }
}

#[test]
fn large_values_are_the_same_commands_in_pieces() {
    let folder = TempFolder::new();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for of in ["list", "set", "zset", "zero", "hash", "dated", "stream"] {
        let (aof, rdb) = (at(&format!("{of}.aof")), at(&format!("{of}.rdb")));
        fs::write(&aof, log(of)).unwrap();
        let rewrite = ["rewrite-aof", "--target", "redis-8.2", "--layout"];
        let first = done(&[&rewrite[..], &["rdb", &aof, "-o", &rdb]].concat());
        assert_eq!(first["keys"], 1, "{of}");
        assert!(fs::metadata(&rdb).unwrap().len() > 1 << 20, "{of}");

        let (whole, pieces) = (at(&format!("{of}.whole")), at(&format!("{of}.pieces")));
        done(&[&rewrite[..], &["resp", &rdb, "-o", &whole]].concat());
        let whole = without_time(Path::new(&whole));
        let convert = ["convert", "--target", "redis-8.2", "--layout", "resp", &rdb];
        for threads in ["1", "3"] {
            let words = ["-o", &pieces, "--force", "--threads", threads];
            let report = done(&[&convert[..], &words].concat());
            assert_eq!(report["proven"], true, "{of}");
            // Fields that expire are decoded for a rewrite, which tells them in another order.
            let same = without_time(Path::new(&pieces)) == whole;
            assert!(same || of == "dated", "{of}");
        }
        let digest = ["replay", "--full-digest", "--like", "redis-8.2", &pieces];
        let digest = done(&digest);
        assert_eq!(digest["full_digest"], first["full_digest"], "{of}");
        assert!(first["full_digest"].is_string(), "{of}");
    }
}

#[test]
fn damage_inside_values_is_told_as_a_check_tells_it() {
    let folder = TempFolder::new();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (aof, rdb, bad, out) = (at("log.aof"), at("all.rdb"), at("bad.rdb"), at("out.aof"));
    let mut log = String::new();
    for n in 0..9 {
        let text = format!("{n} again and ").repeat(8 + n);
        command(&["SET", &format!("key:{n}"), &text], &mut log);
    }
    let text = "over and over ".repeat(9);
    for n in 1..4 {
        command(&["RPUSH", "list", &text, &n.to_string()], &mut log);
        let id = format!("{n}-1");
        command(&["XADD", "stream", &id, "field", &text], &mut log);
    }
    command(&["XGROUP", "CREATE", "stream", "group", "1-1"], &mut log);
    let words = ["XCLAIM", "stream", "group", "consumer", "0", "2-1"];
    let words = [&words[..], &["TIME", "1700000000000", "RETRYCOUNT", "1"]].concat();
    command(&[&words[..], &["JUSTID", "FORCE"]].concat(), &mut log);
    command(&["SADD", "set", "a", "b"], &mut log);
    fs::write(&aof, log).unwrap();
    let words = ["--target", "redis-8.2", "--layout"];
    done(&[&["rewrite-aof"], &words[..], &["rdb", &aof, "-o", &rdb]].concat());
    let sound = fs::read(&rdb).unwrap();
    let compressed = sound.windows(1).filter(|byte| byte == b"\xc3").count();
    assert!(compressed >= 9, "the strings are compressed");

    let mut refused = 0;
    for place in 0..sound.len() {
        let mut bytes = sound.clone();
        bytes[place] ^= 0x21;
        // Without a checksum only the structure is left.
        let end = bytes.len() - 8;
        bytes[end..].fill(0);
        fs::write(&bad, bytes).unwrap();
        let mut told = Vec::new();
        for layout in ["rdb", "resp"] {
            let convert = ["convert", "--format", "json", "--force"];
            let (exit, text, words) =
                redkit(&[&convert[..], &words, &[layout, &bad, "-o", &out]].concat());
            let report: Value = serde_json::from_str(&text).unwrap_or_default();
            told.push((exit, report["findings"].clone()));
            assert!(!words.contains("fault of redkit"), "{place}: {words}");
            assert_eq!(exit == Some(0), fs::exists(&out).unwrap(), "{place}");
            let _ = fs::remove_file(&out);
        }
        assert_eq!(told[0], told[1], "{place}");
        refused += usize::from(told[0].0 != Some(0));
    }
    assert!(refused > sound.len() / 4, "{refused} of {}", sound.len());
}

#[test]
fn large_values_stand_among_others_in_their_databases() {
    let folder = TempFolder::new();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut all = String::new();
    for (db, of) in [
        ("0", "stream"),
        ("3", "zset"),
        ("20", "list"),
        ("7", "hash"),
    ] {
        command(&["SELECT", db], &mut all);
        command(&["SET", "before", db], &mut all);
        all.push_str(&log(of));
        for name in ["after", "last"] {
            command(&["RPUSH", name, "a", "b"], &mut all);
        }
    }
    let (aof, rdb) = (at("log.aof"), at("all.rdb"));
    fs::write(&aof, &all).unwrap();
    for target in ["redis-6.2", "redis-8.2", "valkey-9.1"] {
        // A server as it comes has 16 databases, and gives what is selected beyond to the one before.
        let databases = all.replace("$2\r\n20\r\n", "$2\r\n12\r\n");
        fs::write(&aof, databases).unwrap();
        let rewrite = ["rewrite-aof", "--target", target, "--force", "--layout"];
        let first = done(&[&rewrite[..], &["rdb", &aof, "-o", &rdb]].concat());
        assert_eq!(first["keys"], 16, "{target}");
        for threads in ["1", "3"] {
            let out = at(&format!("{target}.{threads}"));
            let convert = ["convert", "--target", target, "--layout", "resp"];
            let words = [rdb.as_str(), "-o", &out, "--threads", threads];
            assert_eq!(done(&[&convert[..], &words].concat())["keys"], 16);
            let replay = ["replay", "--full-digest", "--like", target, &out];
            let digest = done(&replay);
            assert_eq!(digest["full_digest"], first["full_digest"], "{target}");
        }
    }
}

#[test]
fn what_a_server_as_it_comes_would_put_elsewhere_is_said() {
    let folder = TempFolder::new();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    // A database that no command selects in a log of a server as it comes, but a snapshot.
    let mut bytes = b"REDIS0009\xfe\x00\x00\x01a\x01b\xfe\x14\x00\x01c\x01d\xff".to_vec();
    bytes.extend_from_slice(&[0; 8]);
    let (rdb, out) = (at("two.rdb"), at("two.aof"));
    fs::write(&rdb, bytes).unwrap();
    let words = [
        "--target",
        "redis-8.2",
        "--layout",
        "resp",
        &rdb,
        "-o",
        &out,
    ];
    let report = done(&[&["convert", "--force"], &words[..]].concat());
    let said = report["warnings"].to_string();
    assert!(said.contains("`databases 21`"), "{report}");
    // To replay is to do what a server as it comes does, and it does not load the snapshot.
    let rewrite = ["rewrite-aof", "--force", "--format", "json"];
    let (exit, text, _) = redkit(&[&rewrite[..], &words].concat());
    assert_eq!(exit, Some(1), "{text}");
    assert!(text.contains("needs databases 21"), "{text}");
    let (exit, text, _) = redkit(&[&rewrite[..], &words, &["--keep-going"]].concat());
    assert_eq!(exit, Some(1), "{text}");
    assert!(text.contains("`databases 21`"), "{text}");
    // Without its key the database is not selected at all.
    let report = done(&[&["convert", "--force", "--key", "a"], &words[..]].concat());
    assert_eq!(report["warnings"], Value::Array(Vec::new()), "{report}");
    assert!(!fs::read_to_string(&out).unwrap().contains("20"));
}

#[test]
fn a_large_key_whose_expiry_is_none_or_long_past_is_written() {
    let folder = TempFolder::new();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let members: Vec<u8> = (0..40_000u32)
        .flat_map(|n| [&[20u8][..], format!("{n:020}").as_bytes()].concat())
        .collect();
    for (expiry, kept) in [(-1i64, None), (0, Some(0)), (-5, Some(-5)), (7, Some(7))] {
        let mut bytes = b"REDIS0009\xfe\x00\xfc".to_vec();
        bytes.extend_from_slice(&expiry.to_le_bytes());
        // A set of so many members.
        bytes.extend_from_slice(b"\x02\x03key\x80\x00\x00\x9c\x40");
        bytes.extend_from_slice(&members);
        bytes.push(0xff);
        bytes.extend_from_slice(&[0; 8]);
        let (rdb, out) = (at("set.rdb"), at("set.aof"));
        fs::write(&rdb, bytes).unwrap();
        let words = [
            "--target",
            "redis-8.2",
            "--layout",
            "resp",
            &rdb,
            "-o",
            &out,
        ];
        let report = done(&[&["convert", "--force"], &words[..]].concat());
        assert_eq!(report["keys"], 1, "{expiry}");
        let text = fs::read_to_string(&out).unwrap();
        let found = text.split("PEXPIREAT\r\n$3\r\nkey\r\n").nth(1);
        let found = found.map(|rest| rest.lines().nth(1).unwrap().parse::<i64>().unwrap());
        assert_eq!(found, kept, "{expiry}");
    }
}

#[test]
fn an_expiry_that_no_command_gives_is_written_with_every_type() {
    let folder = TempFolder::new();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (aof, rdb, out) = (at("log.aof"), at("all.rdb"), at("out.aof"));
    let words = ["--target", "redis-8.2", "--force", "--layout"];
    let expiry = 4_102_444_800_001i64;
    for (of, words_of) in [
        ("string", &["SET", "key", "text"][..]),
        ("list", &["RPUSH", "key", "a", "b"]),
        ("set", &["SADD", "key", "a", "b"]),
        ("zset", &["ZADD", "key", "1", "a", "2", "b"]),
        ("hash", &["HSET", "key", "a", "b"]),
        ("stream", &["XADD", "key", "5-1", "field", "value"]),
    ] {
        let mut log = String::new();
        command(words_of, &mut log);
        command(&["PEXPIREAT", "key", &expiry.to_string()], &mut log);
        fs::write(&aof, log).unwrap();
        done(&[&["rewrite-aof"], &words[..], &["rdb", &aof, "-o", &rdb]].concat());
        let bytes = fs::read(&rdb).unwrap();
        let stands = expiry.to_le_bytes();
        let place = bytes.windows(8).position(|part| part == stands).unwrap();
        for other in [0i64, -5, 1, -(1 << 62)] {
            let mut bytes = bytes.clone();
            bytes[place..place + 8].copy_from_slice(&other.to_le_bytes());
            let end = bytes.len() - 8;
            bytes[end..].fill(0);
            fs::write(&rdb, bytes).unwrap();
            let convert = ["convert", "--threads", "2"];
            let report = done(&[&convert, &words[..], &["resp", &rdb, "-o", &out]].concat());
            assert_eq!(report["keys"], 1, "{of} {other}");
            let text = fs::read_to_string(&out).unwrap();
            let last = text.lines().last().unwrap();
            assert_eq!(last.parse(), Ok(other), "{of} {other}");
        }
    }
}

#[test]
fn a_set_without_members_is_written_as_what_a_server_loads() {
    let folder = TempFolder::new();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (aof, out) = (at("log.aof"), at("out"));
    let mut log = b"*4\r\n$7\r\nRESTORE\r\n$3\r\nset\r\n$1\r\n0\r\n$12\r\n".to_vec();
    log.extend_from_slice(b"\x02\x00\x09\x00\xea\x3c\x68\xcc\xcf\x0f\x5a\x59\r\n");
    let mut copy = String::new();
    command(&["COPY", "set", "other"], &mut copy);
    log.extend_from_slice(copy.as_bytes());
    fs::write(&aof, log).unwrap();
    for layout in ["rdb", "resp", "preamble"] {
        let words = ["--like", "redis-6.2", "--target", "redis-6.2"];
        let write = [
            "rewrite-aof",
            "--force",
            "--layout",
            layout,
            &aof,
            "-o",
            &out,
        ];
        assert_eq!(done(&[&write[..], &words].concat())["keys"], 2, "{layout}");
        let replay = ["replay", "--like", "redis-6.2", &out];
        assert_eq!(done(&replay)["keys"], 2, "{layout}");
    }
}
