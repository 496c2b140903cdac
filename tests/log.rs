//! What `log` lists: what real servers were told, whatever the way in; every byte of a file is in
//! its place.

mod support;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use support::server::{Server, ServerKind};
use support::{TempFolder, count};

fn redkit(args: &[&str], stdin: Option<&Path>) -> (Option<i32>, Vec<u8>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_redkit"))
        .args(args)
        .stdin(match stdin {
            Some(file) => Stdio::from(fs::File::open(file).unwrap()),
            None => Stdio::null(),
        })
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), output.stdout, words)
}

fn objects(text: &[u8]) -> Vec<Value> {
    let lines = text.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

fn bytes(string: &Value) -> Vec<u8> {
    match string {
        Value::String(text) => text.as_bytes().to_vec(),
        Value::Object(_) => base64_simd::STANDARD
            .decode_to_vec(string["$b64"].as_str().unwrap())
            .unwrap(),
        other => panic!("no string: {other}"),
    }
}

/// Database, name and arguments.
type Told = (u64, Vec<Vec<u8>>);

fn told(object: &Value) -> Told {
    let args = object["args"].as_array().unwrap().iter();
    let all = std::iter::once(&object["cmd"]).chain(args).map(bytes);
    (object["db"].as_u64().unwrap(), all.collect())
}

/// Commands that servers log as they are told them.
fn commands(seed: u64, number: usize) -> Vec<Told> {
    let mut seed = seed;
    let mut next = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    let mut all = Vec::new();
    for n in 0..number {
        let db = [0, 0, 0, 3][next(4) as usize];
        let value = match next(5) {
            0 => support::dataset::noise(n as u64, next(300) as usize),
            1 => format!("\r\n*1\r\n$4\r\nPING\r\n{n}").into_bytes(),
            2 => "ü \"quoted\" \\ \u{1}".as_bytes().to_vec(),
            _ => format!("value {n}").into_bytes(),
        };
        let key = |kind: &str, n: u64| format!("{kind}:{n}").into_bytes();
        let words: Vec<Vec<u8>> = match next(4) {
            0 => vec![b"SET".to_vec(), key("s", n as u64), value],
            1 => vec![b"rpush".to_vec(), key("l", next(5)), value, b"x".to_vec()],
            2 => vec![
                b"HSET".to_vec(),
                key("h", next(5)),
                key("f", n as u64),
                value,
            ],
            _ => vec![
                b"Append".to_vec(),
                key("a", next(5)),
                [value, b".".to_vec()].concat(),
            ],
        };
        all.push((db, words));
    }
    all
}

/// Tells a server the commands; every seventh in a transaction with the one behind it.
fn tell(server: &Server, commands: &[Told]) {
    let mut client = server.client();
    let mut selected = u64::MAX;
    for (n, pair) in commands.chunks(2).enumerate() {
        let same_db = pair.iter().all(|(db, _)| *db == pair[0].0);
        let transaction = n % 7 == 0 && pair.len() == 2 && same_db;
        for (m, (db, words)) in pair.iter().enumerate() {
            if *db != selected {
                cmd!(client, "SELECT", db.to_string()).ok();
                selected = *db;
            }
            if transaction && m == 0 {
                cmd!(client, "MULTI").ok();
            }
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            client.cmd(&words).no_error();
        }
        if transaction {
            cmd!(client, "EXEC").no_error();
        }
    }
}

fn log_of(kind: ServerKind, folder: &Path) -> PathBuf {
    match kind.has_multi_part_aof() {
        true => folder.join("appendonlydir"),
        false => folder.join("appendonly.aof"),
    }
}

fn frame(object: &Value) -> bool {
    let name = bytes(&object["cmd"]);
    [&b"SELECT"[..], b"MULTI", b"EXEC"]
        .iter()
        .any(|own| name.eq_ignore_ascii_case(own))
}

#[test]
fn what_a_server_was_told_is_listed() {
    for kind in ServerKind::usable() {
        let sent = commands(7, count(200, 3000));
        let mut args = vec!["--appendonly", "yes"];
        if kind.has_multi_part_aof() {
            args.extend(["--aof-timestamp-enabled", "yes"]);
        }
        let server = Server::start(kind, &args);
        tell(&server, &sent);
        let folder = server.shutdown();
        let path = log_of(kind, folder.path());
        let path = path.to_str().unwrap();
        let (exit, text, words) = redkit(&["log", "--format", "ndjson", path], None);
        assert_eq!(exit, Some(0), "{kind}: {words}");
        let listed = objects(&text);
        for (n, object) in listed.iter().enumerate() {
            assert_eq!(object["n"], n as u64 + 1, "{kind}");
            assert_eq!(
                object["time"].is_null(),
                !kind.has_multi_part_aof(),
                "{kind}"
            );
        }
        let listed: Vec<Told> = listed.iter().filter(|o| !frame(o)).map(told).collect();
        assert_eq!(listed.len(), sent.len(), "{kind}");
        assert_eq!(listed, sent, "{kind}");

        let (_, text, _) = redkit(
            &["log", "-q", "--format", "ndjson", "--key", "l:[0-2]", path],
            None,
        );
        let by_key = objects(&text);
        let wanted = sent
            .iter()
            .filter(|(_, words)| [&b"l:0"[..], b"l:1", b"l:2"].contains(&words[1].as_slice()));
        let by_key: Vec<Told> = by_key.iter().map(told).collect();
        assert!(wanted.eq(by_key.iter()), "{kind}: --key");

        let (_, text, _) = redkit(
            &[
                "log", "-q", "--format", "ndjson", "--db", "3", "--cmd", "SET", path,
            ],
            None,
        );
        let picked: Vec<Told> = objects(&text).iter().map(told).collect();
        let wanted = sent
            .iter()
            .filter(|(db, words)| *db == 3 && words[0] == b"SET");
        assert!(wanted.eq(picked.iter()), "{kind}: --db --cmd");
    }
}

/// The logs in testdata, and a large one with damage in it.
fn inputs(folder: &Path) -> Vec<PathBuf> {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/aof");
    let mut all: Vec<PathBuf> = fs::read_dir(testdata)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    all.sort();
    assert!(all.len() > 5);
    let mut log = b"#TS:1795229996\r\n".to_vec();
    for (n, (db, words)) in commands(3, 20_000).into_iter().enumerate() {
        if n % 100 == 0 {
            log.extend(format!("*2\r\n$6\r\nSELECT\r\n$1\r\n{db}\r\n").bytes());
            log.extend(format!("#TS:{}\r\n#other\r\n", 1_795_229_996 + n).bytes());
        }
        log.extend(format!("*{}\r\n", words.len()).bytes());
        for word in &words {
            log.extend(format!("${}\r\n", word.len()).bytes());
            log.extend(word);
            log.extend(b"\r\n");
        }
        if n == 5000 {
            log.extend(format!("*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n${}\r\n", 3 << 20).bytes());
            log.extend(vec![b'x'; 3 << 20]);
            log.extend(b"\r\n");
        }
    }
    let sound = folder.join("large.aof");
    fs::write(&sound, &log).unwrap();
    for at in [20_000, log.len() / 2, log.len() / 2 + 500_000] {
        log[at..at + 70].fill(0);
    }
    let damaged = folder.join("large-damaged.aof");
    fs::write(&damaged, &log).unwrap();
    all.extend([sound, damaged]);
    all
}

#[test]
fn the_output_is_a_function_of_the_bytes() {
    let folder = TempFolder::new();
    for path in inputs(folder.path()) {
        let name = path.to_str().unwrap();
        for form in ["text", "ndjson", "json"] {
            let base = ["log", "--full", "--format", form, "--threads"];
            let run = |more: &[&str]| {
                let args = [&base[..], more].concat();
                let (exit, text, words) = redkit(&args, None);
                (exit, text, words)
            };
            let one = run(&["1", name]);
            assert!(matches!(one.0, Some(0 | 1)), "{name}: {}", one.2);
            for other in [&["2", name][..], &["5", name], &["2", "--no-mmap", name]] {
                assert!(run(other) == one, "{name} {form} {other:?}");
            }
            // From a pipe the name is another one, all else the same.
            let (exit, text, _) = redkit(&[&base[..], &["3", "-"]].concat(), Some(&path));
            assert_eq!(exit, one.0, "{name}");
            let text = String::from_utf8(text).unwrap();
            let named = text.replace("\"file\":\"stdin\"", &format!("\"file\":\"{name}\""));
            assert!(named.as_bytes() == one.1, "{name} {form} from a pipe");
        }
    }
}

#[test]
fn every_byte_is_in_its_place() {
    let folder = TempFolder::new();
    for path in inputs(folder.path()) {
        let file = fs::read(&path).unwrap();
        let (_, text, words) = redkit(&["log", "--format", "ndjson", path.to_str().unwrap()], None);
        let mut at = 0;
        for object in objects(&text) {
            let start = object["offset"].as_u64().unwrap() as usize;
            between(&file[at..start], at, &words);
            at = start + object["len"].as_u64().unwrap() as usize;
            if object["cmd"].is_null() {
                continue;
            }
            let (_, words) = told(&object);
            assert_eq!(command(&file[start..at]), words, "{start}");
        }
        between(&file[at..], at, &words);
    }
}

/// The arguments of a command, read as loosely as servers do: a header is a line of up to 1,023
/// bytes, whose number ends at the first byte that is no digit, and the two bytes behind an argument
/// are passed over unread.
fn command(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    fn header(bytes: &mut &[u8], mark: u8) -> usize {
        assert_eq!(bytes[0], mark);
        let line = &bytes[..bytes.len().min(1023)];
        let end = line
            .iter()
            .position(|b| *b == b'\n')
            .map_or(line.len(), |at| at + 1);
        let digits = bytes[1..end].iter().take_while(|b| b.is_ascii_digit());
        let number = digits.fold(0, |sum, b| sum * 10 + usize::from(b - b'0'));
        *bytes = &bytes[end..];
        number
    }
    let number = header(&mut bytes, b'*');
    let words = (0..number).map(|_| {
        let len = header(&mut bytes, b'$');
        let word = bytes[..len].to_vec();
        bytes = &bytes[len + 2..];
        word
    });
    let words = words.collect();
    assert!(
        bytes.is_empty(),
        "more than a command: {}",
        bytes.escape_ascii()
    );
    words
}

/// What stands between commands: annotations, or the snapshot in front.
fn between(bytes: &[u8], at: usize, words: &str) {
    if at == 0 && bytes.starts_with(b"REDIS") {
        assert!(
            words.contains(&format!("a snapshot of {} bytes", bytes.len())),
            "{words}"
        );
        return;
    }
    let mut lines = bytes.split_inclusive(|b| *b == b'\n');
    assert!(
        lines.all(|line| line.starts_with(b"#") && line.ends_with(b"\n")),
        "{at}: {}",
        bytes.escape_ascii()
    );
}

#[test]
fn a_compressed_log_is_listed_as_the_plain_one() {
    let folder = TempFolder::new();
    let plain = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/aof/redis-6.2.5-preamble.aof");
    let packed = folder.path().join("log.gz");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&fs::read(&plain).unwrap()).unwrap();
    fs::write(&packed, gzip.finish().unwrap()).unwrap();
    let of = |path: &Path| redkit(&["log", "-q", path.to_str().unwrap()], None);
    assert_eq!(of(&plain), of(&packed));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = TempFolder::new();
    let path = inputs(folder.path()).pop().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_redkit"))
        .args(["log", "--format", "ndjson", "--threads", "2"])
        .arg(path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn a_limit_and_a_range_are_parts_of_the_whole() {
    let folder = TempFolder::new();
    for path in inputs(folder.path()) {
        let name = path.to_str().unwrap();
        let (_, all, _) = redkit(&["log", "--format", "ndjson", name], None);
        let all = objects(&all);
        let commands: Vec<_> = all
            .iter()
            .filter(|o| o["cmd"].is_string())
            .cloned()
            .collect();
        let half = commands.len() / 2;
        let (_, text, _) = redkit(
            &[
                "log",
                "--format",
                "ndjson",
                "--limit",
                &half.to_string(),
                name,
            ],
            None,
        );
        let some = objects(&text);
        let some: Vec<_> = some.into_iter().filter(|o| o["cmd"].is_string()).collect();
        assert_eq!(some, commands[..half], "{name}");
        let Some(at) = commands.get(half) else {
            continue;
        };
        let at = at["offset"].to_string();
        let (_, front, _) = redkit(
            &["log", "--format", "ndjson", "--to-offset", &at, name],
            None,
        );
        let (_, back, _) = redkit(
            &["log", "--format", "ndjson", "--from-offset", &at, name],
            None,
        );
        let joined: Vec<_> = [objects(&front), objects(&back)].concat();
        assert!(joined == all, "{name} at {at}");
    }
}
