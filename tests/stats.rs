//! What `stats` counts is what is there: held against an independent count over the JSON of the same
//! file, against what the servers say, and against itself.

mod support;

#[path = "stats/browser.rs"]
mod browser;
#[path = "stats/independent.rs"]
mod independent;

use std::fs;
use std::path::{Path, PathBuf};

use independent::Expected;
use serde_json::Value;
use support::dataset;
use support::dump::{redkit, redkit_ok};
use support::server::{Server, ServerKind};
use support::{TempFolder, count, seed};

/// The time that the tests judge by: between the expiries of the data set.
const NOW: i64 = 5_000_000_000_000;
const DEPTH: usize = 3;
const TOP: usize = 25;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The report of `stats`, whatever it leads to.
#[track_caller]
fn stats_with(path: &Path, more: &[&str]) -> Value {
    let mut args = vec!["stats", "--format", "json", text(path)];
    args.extend(more);
    let output = redkit(&args);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{args:?}: {error}: {output:?}"))
}

#[track_caller]
fn assert_sums(report: &Value) {
    let stats = &report["stats"];
    let total = &stats["total"];
    for field in ["keys", "expires", "elements", "bytes", "value_bytes"] {
        let of = |list: &Value| -> u64 {
            let list = list.as_array().unwrap().iter();
            list.map(|sum| sum[field].as_u64().unwrap()).sum()
        };
        let total = total[field].as_u64().unwrap();
        for name in ["types", "encodings", "ttl", "value_sizes"] {
            assert_eq!(of(&stats[name]), total, "{field} of {name}");
        }
        let other = stats["other_dbs"][field].as_u64().unwrap();
        assert_eq!(of(&stats["dbs"]) + other, total, "{field} of dbs");
        if !stats["ttl_since"].is_null() {
            let expiring = of(&stats["ttl"]) - stats["ttl"][0][field].as_u64().unwrap();
            assert_eq!(
                of(&stats["ttl_seconds"]),
                expiring,
                "{field} of times to live"
            );
        }
        let prefixes = &stats["prefixes"];
        let of_depth = |depth: u64| -> u64 {
            let list = prefixes["list"].as_array().unwrap().iter();
            let listed = list.filter(|prefix| prefix["depth"] == depth);
            let listed: u64 = listed.map(|prefix| prefix[field].as_u64().unwrap()).sum();
            let place = usize::try_from(depth - 1).unwrap();
            listed + prefixes["others"][place][field].as_u64().unwrap()
        };
        let depth = prefixes["depth"].as_u64().unwrap();
        if depth > 0 {
            let none = prefixes["none"][field].as_u64().unwrap();
            assert_eq!(of_depth(1) + none, total, "{field} of prefixes");
        }
        for deeper in 2..=depth {
            assert!(
                of_depth(deeper) <= of_depth(deeper - 1),
                "{field} at {deeper}"
            );
        }
    }
}

/// A snapshot of the data set, with LFU counters.
fn snapshot(kind: ServerKind) -> Server {
    let server = Server::start(kind, &["--maxmemory-policy", "allkeys-lfu"]);
    dataset::fill(&mut server.client(), kind);
    let mut client = server.client();
    for (key, value) in [
        ("app:user:1", "a"),
        ("app:user:2", "b"),
        ("app:job:1", "c"),
        ("app:", "d"),
        (":", "e"),
        ("::::", "f"),
        ("app", "g"),
    ] {
        cmd!(client, "SET", key, value).ok();
    }
    for _ in 0..300 {
        cmd!(client, "GET", "app:user:2").no_error();
    }
    server
}

#[test]
fn counts_are_those_of_an_independent_count_for_files_of_every_server() {
    for kind in ServerKind::usable() {
        let server = snapshot(kind);
        let path = server.save();
        let (depth, top, now) = (DEPTH.to_string(), TOP.to_string(), NOW.to_string());
        let options = ["--depth", &depth, "--top", &top, "--now", &now];
        let report = stats_with(&path, &options);
        assert_eq!(
            (&report["exit"], &report["complete"]),
            (&0.into(), &true.into())
        );
        let lines = redkit_ok(&["dump-to-json", "-q", "--with", "size", text(&path)]);
        let expected = Expected::of(&lines, DEPTH, NOW);
        expected.assert_same(&report, TOP, kind.id());
        assert!(report["stats"]["hottest"].as_array().unwrap().len() == TOP);
        assert_sums(&report);
        // Bytes of records are those that check-rdb counts.
        let check = redkit_ok(&["check-rdb", "--format", "json", text(&path)]);
        let check: Value = serde_json::from_str(&check).unwrap();
        independent::assert_records(&check, &report);
        // Every filter but one leaves less.
        let mut parts = 0;
        for of in ["string", "list", "set", "zset", "hash", "stream", "module"] {
            let part = stats_with(&path, &["-t", of, "--depth", "1"]);
            assert_sums(&part);
            parts += part["keys"].as_u64().unwrap();
        }
        assert_eq!(report["keys"], parts);
        let limited = stats_with(&path, &["--limit", "7"]);
        assert_eq!((&limited["keys"], &limited["exit"]), (&7.into(), &0.into()));
    }
}

#[test]
fn the_same_comes_out_for_any_number_of_threads_and_from_a_pipe() {
    let folder = TempFolder::new();
    let path = large(&folder);
    for form in ["json", "csv", "text"] {
        let of = |threads: &str, more: &[&str]| {
            let mut args = vec!["stats", "--format", form, "--depth", "3", "--top", "400"];
            args.extend(["--threads", threads, text(&path)]);
            args.extend(more);
            redkit_ok(&args)
        };
        let one = of("1", &[]);
        for threads in ["2", "5"] {
            assert!(of(threads, &[]) == one, "{form}, {threads} threads");
            assert!(
                of(threads, &["--no-mmap"]) == one,
                "{form}, {threads} threads, read"
            );
        }
    }
    let page =
        |threads: &str| redkit_ok(&["stats", "--threads", threads, "--html", "-", text(&path)]);
    assert!(page("1") == page("5"));
    let piped = piped(&path);
    assert_eq!(piped["stats"], stats_with(&path, &[])["stats"]);
}

/// The report of a file that comes through a pipe.
fn piped(path: &Path) -> Value {
    let program = env!("CARGO_BIN_EXE_redkit");
    let line = format!("cat {} | {program} stats --format json -", text(path));
    let run = std::process::Command::new("sh")
        .args(["-c", &line])
        .output();
    serde_json::from_slice(&run.unwrap().stdout).unwrap()
}

#[test]
fn a_log_behind_a_snapshot_is_not_lost_in_a_pipe() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/aof");
    for (name, commands) in [("redis-6.2.5-preamble.aof", 9), ("redis-7.0.15.aof", 0)] {
        let path = folder.join(name);
        let report = piped(&path);
        let from_file = stats_with(&path, &[]);
        assert_eq!(report["log"], from_file["log"]);
        assert_eq!(report["stats"], from_file["stats"]);
        assert!(report["log"]["replayed"].as_u64().unwrap() >= commands);
    }
}

/// A snapshot of many batches, and of more prefixes than are told apart.
fn large(folder: &TempFolder) -> PathBuf {
    let mut lines = String::new();
    for i in 0..70_000u64 {
        let n = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let db = i / 35_000;
        let value = "v".repeat(usize::try_from(n % 40).unwrap());
        let key = match i % 3 {
            0 => format!("u:{n}:x{i}"),
            1 => format!("p{i}:x"),
            _ => format!("n{i}"),
        };
        lines.push_str(&format!(
            "{{\"db\":{db},\"key\":\"{key}\",\"type\":\"string\",\"encoding\":\"raw\",\"value\":\"{value}\"}}\n"
        ));
    }
    from_json(folder, "large", &lines)
}

/// A snapshot of these lines.
fn from_json(folder: &TempFolder, name: &str, lines: &str) -> PathBuf {
    let json = folder.path().join(format!("{name}.ndjson"));
    let path = folder.path().join(format!("{name}.rdb"));
    fs::write(&json, lines).unwrap();
    redkit_ok(&["from-json", text(&json), "-o", text(&path)]);
    path
}

#[test]
fn prefixes_beyond_the_bound_are_counted_together() {
    let folder = TempFolder::new();
    let lines: String = (0..66_000)
        .map(|i| format!("{{\"db\":0,\"key\":\"{i:05}:x\",\"type\":\"string\",\"value\":\"v\"}}\n"))
        .collect();
    let report = stats_with(&from_json(&folder, "many", &lines), &[]);
    assert_sums(&report);
    let prefixes = &report["stats"]["prefixes"];
    assert_eq!(prefixes["counted"], 65_536);
    assert_eq!(prefixes["list"].as_array().unwrap().len(), 10_000);
    // Those that found no place, and those that are not listed.
    assert_eq!(prefixes["others"][0]["keys"], 56_000);
    let text = redkit_ok(&["stats", text(&folder.path().join("many.rdb"))]);
    assert!(
        text.contains("65,526 more") && text.contains("(others, not told apart)"),
        "{text}"
    );
}

#[test]
fn a_log_is_counted_as_what_it_comes_to_and_by_its_commands() {
    for kind in ServerKind::usable() {
        let server = Server::start(kind, &["--appendonly", "yes", "--appendfsync", "no"]);
        let mut client = server.client();
        for i in 0..3000 {
            cmd!(client, "SET", format!("k:{}", i % 50), "x".repeat(i % 100)).ok();
        }
        for i in 0..200 {
            cmd!(client, "RPUSH", "queue:a", format!("job{i}")).no_error();
            cmd!(client, "INCR", "hits").no_error();
        }
        cmd!(client, "MSET", "m:1", "a", "m:2", "b").ok();
        cmd!(client, "SELECT", "2").ok();
        cmd!(client, "HSET", "h", "f", "v").no_error();
        let name = match kind.has_multi_part_aof() {
            true => "appendonlydir",
            false => "appendonly.aof",
        };
        let path = server.folder().join(name);
        let report = stats_with(&path, &["--top", "3"]);
        assert_eq!(report["exit"], 0, "{report:#}");
        assert_sums(&report);
        assert_eq!(report["keys"], 55);
        let log = &report["log"];
        let commands: Vec<_> = log["commands"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|command| command["name"] != "select")
            .map(|command| {
                (
                    command["name"].as_str().unwrap(),
                    command["count"].as_u64().unwrap(),
                )
            })
            .collect();
        let expected = [
            ("set", 3000),
            ("incr", 200),
            ("rpush", 200),
            ("hset", 1),
            ("mset", 1),
        ];
        assert_eq!(commands, expected, "{}", kind.id());
        let busiest: Vec<_> = log["busiest"]
            .as_array()
            .unwrap()
            .iter()
            .map(|busy| {
                (
                    busy["key"].as_str().unwrap(),
                    &busy["commands"],
                    &busy["at_most"],
                )
            })
            .collect();
        let number = Value::from;
        let [two_hundred, sixty] = [200, 60].map(number);
        let expected = [
            ("hits", &two_hundred, &two_hundred),
            ("queue:a", &two_hundred, &two_hundred),
            ("k:0", &sixty, &sixty),
        ];
        assert_eq!(busiest, expected, "{}", kind.id());
        // The bytes of the commands are those of the log, but for its snapshot and its annotations.
        let bytes = log["commands"].as_array().unwrap().iter();
        let bytes: u64 = bytes
            .map(|command| command["bytes"].as_u64().unwrap())
            .sum();
        let files = report["files"].as_array().unwrap().iter();
        let of_logs: u64 = files
            .map(|file| file["size"].as_u64().unwrap() - file["log_start"].as_u64().unwrap())
            .sum();
        assert_eq!(bytes, of_logs);
        // What our rewrite writes, and what the server's does, is about what was estimated.
        let then = log["rewrite"]["bytes_then"].as_u64().unwrap();
        let ours = server.folder().join("ours.rdb");
        redkit_ok(&[
            "rewrite-aof",
            text(&path),
            "-o",
            text(&ours),
            "--layout",
            "rdb",
        ]);
        let ours = fs::metadata(&ours).unwrap().len();
        assert!(then <= ours && ours < then + 300, "{then} {ours}");
        let theirs = fs::metadata(server.save()).unwrap().len();
        assert!(
            then <= theirs + 50 && theirs < then + 300,
            "{then} {theirs}"
        );
        assert!(log["rewrite"]["bytes_now"].as_u64().unwrap() > 10 * then);
    }
}

#[test]
fn damage_is_told_and_what_could_be_read_is_counted() {
    let folder = TempFolder::new();
    let sound = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rdb/redis-7.0.15/few.rdb");
    let sound = fs::read(sound).unwrap();
    let path = folder.path().join("damaged.rdb");
    let mut damaged = 0;
    let check = |what: String| {
        let report = stats_with(&path, &["--depth", "2"]);
        let exit = report["exit"].as_i64().unwrap();
        assert!([0, 1, 4].contains(&exit), "{what}: {report:#}");
        if report["error"].is_null() {
            assert_sums(&report);
            assert_eq!(report["complete"], exit == 0, "{what}");
            assert_eq!(report["counts"]["errors"] == 0, exit == 0, "{what}");
        }
        (exit, report)
    };
    for cut in (0..sound.len()).step_by(count(13, 1)) {
        fs::write(&path, &sound[..cut]).unwrap();
        let (exit, report) = check(format!("cut at {cut}"));
        assert_ne!(exit, 0, "cut at {cut}");
        // As many keys as can be dumped.
        let dumped = redkit(&["dump-to-json", "-q", "--select", "keys", text(&path)]);
        let lines = dumped.stdout.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(
            report["keys"].as_u64().unwrap_or(0),
            lines as u64,
            "cut at {cut}"
        );
    }
    let noise = dataset::noise(seed() ^ 77, count(120, 4000) * 2);
    for pair in noise.chunks_exact(2) {
        let mut bytes = sound.clone();
        let at = usize::from(pair[0]) * bytes.len() / 256;
        bytes[at] ^= pair[1].max(1);
        fs::write(&path, &bytes).unwrap();
        let (exit, _) = check(format!("byte {at} is {:#x}", bytes[at]));
        damaged += i32::from(exit != 0);
    }
    assert!(damaged > 0);
}

/// Names that want out of wherever they are put.
const HOSTILE: &[&str] = &[
    "<script>document.title='x'</script>:1",
    "\"><img src=x onerror=\"document.title='x'\">:1",
    "'><svg onload=alert(1)>",
    "</title></svg></style><script>document.title='x'</script>:",
    "]]>--><!--:x",
    "&lt;b&gt;&amp;:&#60;",
    "\u{202e}abc\u{200b}:\u{feff}",
    "=HYPERLINK(\"http://x\",\"y\"):1",
    "+1:",
    "-1:",
    "@sum:",
    "a,b\";c\r\nd\t:",
    "\u{0}\u{1b}[2J:x",
    "日本語:ключ",
    "${x}{{y}}`z`:",
    "\\x3d:\\\\",
];

fn hostile(folder: &TempFolder) -> PathBuf {
    let mut lines = String::new();
    for name in HOSTILE {
        let key = serde_json::to_string(name).unwrap();
        lines.push_str(&format!(
            "{{\"db\":0,\"key\":{key},\"type\":\"hash\",\"value\":{{\"f\":\"v\"}}}}\n"
        ));
    }
    lines.push_str(
        "{\"db\":0,\"key\":{\"$b64\":\"//48c2NyaXB0Pjo=\"},\"type\":\"string\",\"value\":\"v\"}\n",
    );
    from_json(folder, "hostile", &lines)
}

#[test]
fn hostile_names_stay_names_in_csv() {
    let folder = TempFolder::new();
    let path = hostile(&folder);
    let text = redkit_ok(&["stats", "--format", "csv", "--top", "100", text(&path)]);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(reader.headers().unwrap().len(), 14);
    let mut names = Vec::new();
    for row in reader.records() {
        let row = row.unwrap();
        assert_eq!(row.len(), 14);
        for cell in &row {
            assert!(
                !cell.starts_with(['=', '+', '-', '@', '\t', '\r']),
                "{cell}"
            );
            assert!(!cell.contains(char::is_control), "{cell:?}");
        }
        if &row[1] == "biggest" {
            names.push(unescaped(&row[2]));
        }
    }
    for name in HOSTILE {
        assert!(names.contains(&name.as_bytes().to_vec()), "{name:?}");
    }
    assert!(names.contains(&b"\xff\xfe<script>:".to_vec()));
}

/// The bytes of a name in CSV.
fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (b'\\', [b'x', high, low, ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).unwrap();
                out.push(u8::from_str_radix(digits, 16).unwrap());
                rest = &after[3..];
            }
            (b'\\', [b'\\', ..]) => {
                out.push(b'\\');
                rest = &after[1..];
            }
            _ => out.push(first),
        }
    }
    out
}

#[test]
fn hostile_names_stay_names_in_the_page() {
    let folder = TempFolder::new();
    let path = hostile(&folder);
    let page = redkit_ok(&[
        "stats",
        "--html",
        "-",
        "--depth",
        "2",
        "--top",
        "100",
        text(&path),
    ]);
    // Every tag is one of ours, and nothing is asked for from elsewhere.
    let ours = [
        "!doctype", "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p",
        "div", "b", "span", "i", "section", "svg", "g", "rect", "text", "table", "thead", "tbody",
        "tr", "th", "td",
    ];
    for tag in page.split('<').skip(1) {
        let name: String = tag
            .trim_start_matches('/')
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '!')
            .collect();
        assert!(ours.contains(&name.as_str()), "<{tag}");
        let inside = tag.split('>').next().unwrap();
        for word in inside.split_whitespace() {
            let name = word.split('=').next().unwrap();
            let bad = name.starts_with("on") || ["href", "src", "xlink:href"].contains(&name);
            assert!(!bad, "<{inside}>");
        }
    }
    assert!(!page.contains("@import") && !page.contains("url("));
    assert!(page.contains("default-src 'none'"));
    assert!(page.contains("&lt;script&gt;document.title=&#39;x&#39;&lt;/script&gt;:"));
    assert!(!page.contains(['\u{202e}', '\u{200b}', '\u{feff}', '\u{1b}', '\0']));
    assert!(page.contains("\\u{202e}abc\\u{200b}:"), "{page}");
}
