//! Reports in every form, baselines, and what is never overwritten.

use super::*;

const FEW: &str = "testdata/rdb/redis-7.0.15/few.rdb";

fn run(args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_redkit"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .arg("verify")
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

/// Checks that a document is well-formed XML, and gives its elements with their attributes.
fn elements(xml: &str) -> Vec<(String, Vec<(String, String)>)> {
    let body = xml
        .strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>")
        .expect("a declaration");
    assert!(
        !body.contains(
            |c: char| (c < ' ' && !"\n\t\r".contains(c)) || "\u{fffe}\u{ffff}".contains(c)
        )
    );
    let (mut found, mut open, mut rest) = (Vec::new(), Vec::new(), body);
    while let Some(start) = rest.find('<') {
        let text = &rest[..start];
        unescaped(text);
        assert!(
            !open.is_empty() || text.trim().is_empty(),
            "text outside: {text}"
        );
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        let (tag, closed) = match tag.strip_suffix('/') {
            Some(tag) => (tag, true),
            None => (tag, false),
        };
        let (name, mut left) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut attributes = Vec::new();
        while !left.trim().is_empty() {
            let (key, value) = left.trim_start().split_once("=\"").expect("key=\"");
            let (value, behind) = value.split_once('"').expect("a closing quote");
            assert!(!value.contains('<'), "{value}");
            attributes.push((key.to_owned(), unescaped(value)));
            left = behind;
        }
        found.push((name.to_owned(), attributes));
        if !closed {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} {rest}");
    found
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let end = at + rest[at..].find(';').expect("a reference ends");
        out.push(match &rest[at + 1..end] {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            other => char::from_u32(other.strip_prefix('#').unwrap().parse().unwrap()).unwrap(),
        });
        rest = &rest[end + 1..];
    }
    out + rest
}

#[test]
fn every_form_tells_the_same_also_of_hostile_names() {
    let folder = TempFolder::new();
    let name = "a<b>\"&'\n::error::x,%.rdb";
    let input = folder.path().join(name);
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(FEW), &input).unwrap();
    let (json, junit) = (folder.path().join("r.json"), folder.path().join("r.xml"));
    let reports = format!("json={},junit={},github", json.display(), junit.display());
    let missing = folder.path().join("none.rdb");
    let args = [
        "--min-keys",
        "13",
        "--require-key",
        "<*>",
        "--report",
        &reports,
        "--format",
        "json",
        input.to_str().unwrap(),
        missing.to_str().unwrap(),
    ];
    let (code, stdout, stderr) = run(&args);
    assert_eq!(code, 3);
    assert_eq!(fs::read_to_string(&json).unwrap(), stdout);
    let first: Value = serde_json::from_str(stdout.lines().next().unwrap()).unwrap();
    assert_eq!(
        (first["exit"].as_i64(), first["verdict"].as_str()),
        (Some(5), Some("loads"))
    );

    let elements = elements(&fs::read_to_string(&junit).unwrap());
    let attribute = |element: &(String, Vec<(String, String)>), key: &str| {
        let mut found = element.1.iter().filter(|(name, _)| name == key);
        found.next().map(|(_, value)| value.clone())
    };
    let cases: Vec<_> = elements
        .iter()
        .filter(|(name, _)| name == "testcase")
        .collect();
    let names: Vec<_> = cases
        .iter()
        .map(|case| attribute(case, "name").unwrap())
        .collect();
    assert_eq!(
        names,
        ["restores", "min-keys", "require-key <*>", "readable"]
    );
    let failures = elements
        .iter()
        .filter(|(name, _)| name == "failure")
        .count();
    let errors = elements.iter().filter(|(name, _)| name == "error").count();
    assert_eq!((failures, errors), (2, 1));
    let suites = elements
        .iter()
        .find(|(name, _)| name == "testsuites")
        .unwrap();
    assert_eq!(attribute(suites, "tests").as_deref(), Some("4"));
    assert_eq!(
        attribute(cases[0], "classname").unwrap(),
        input.to_str().unwrap()
    );

    // Each annotation is one line, and nothing else begins like one.
    let lines: Vec<&str> = stderr
        .lines()
        .filter(|line| line.trim_start().starts_with("::"))
        .collect();
    assert_eq!(lines.len(), 3, "{stderr}");
    for line in &lines {
        assert!(line.starts_with("::error file="), "{line}");
    }
    assert!(
        lines[0].contains("%0A%3A%3Aerror%3A%3Ax%2C%25.rdb,title=min-keys::12 keys"),
        "{}",
        lines[0]
    );
}

#[test]
fn a_baseline_is_held_against_every_type() {
    let folder = TempFolder::new();
    let good = folder.path().join("good.json");
    let report = format!("json={}", good.display());
    assert_eq!(run(&["-q", "--report", &report, FEW]).0, 0);
    let good = good.to_str().unwrap();
    assert_eq!(run(&["-q", "--baseline", good, FEW]).0, 0);
    // The log has two strings left of three, and no list.
    let (code, stdout, _) = run(&[
        "--baseline",
        good,
        "testdata/aof/set/appendonly.aof.2.base.rdb",
    ]);
    assert_eq!(code, 5, "{stdout}");
    assert!(
        stdout.contains("fails baseline: keys 12 -> 3 (-75.0%)"),
        "{stdout}"
    );
    assert!(stdout.contains("db 3 string 1 -> 0 (-100.0%)"), "{stdout}");
    let all = [
        "--baseline",
        good,
        "--max-drop",
        "100%",
        "testdata/aof/set/appendonly.aof.2.base.rdb",
    ];
    assert_eq!(run(&all).0, 0);
    for (text, why) in [
        ("", "no report"),
        (
            "{\"schema\":\"redkit.report/1\",\"command\":\"info\"}\n",
            "no report of",
        ),
        ("[1,2", "line 1"),
        (
            "{\"schema\":\"redkit.report/1\",\"command\":\"verify\",\"starts\":[]}",
            "no counts",
        ),
    ] {
        let bad = folder.path().join("bad.json");
        fs::write(&bad, text).unwrap();
        let (code, _, stderr) = run(&["--baseline", bad.to_str().unwrap(), FEW]);
        assert_eq!(code, 2, "{text}");
        assert!(stderr.contains(why), "{stderr}");
    }
    let (code, ..) = run(&["--baseline", "testdata/none.json", FEW]);
    assert_eq!(code, 3);
}

#[test]
fn a_report_never_takes_the_place_of_anything_else() {
    let folder = TempFolder::new();
    let backup = folder.path().join("dump.rdb");
    let bytes = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(FEW)).unwrap();
    fs::write(&backup, &bytes).unwrap();
    let report = format!("json={}", backup.display());
    let (code, stdout, stderr) = run(&["--report", &report, backup.to_str().unwrap()]);
    assert_eq!((code, stdout.as_str()), (2, ""));
    assert!(stderr.contains("is no report"), "{stderr}");
    assert_eq!(fs::read(&backup).unwrap(), bytes);
    // An earlier report is.
    let report = folder.path().join("r.json");
    let word = format!("json={}", report.display());
    for _ in 0..2 {
        assert_eq!(run(&["-q", "--report", &word, FEW]).0, 0);
    }
}

#[test]
fn the_standard_input_has_no_age_but_its_own() {
    let few = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(FEW)).unwrap();
    let status = |bytes: &[u8], args: &[&str]| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_redkit"))
            .args(["verify", "-q", "--now", "2026-11-21T07:00:00Z"])
            .args(args)
            .arg("-")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        child.wait().unwrap().code().unwrap()
    };
    assert_eq!(status(&few, &["--max-age", "1h"]), 0);
    let log = b"*1\r\n$4\r\nPING\r\n";
    assert_eq!(status(log, &[]), 0);
    assert_eq!(status(log, &["--max-age", "100w"]), 5);
    assert_eq!(status(b"", &[]), 1);
    // A file has the time of its modification, with a warning, which --strict makes an error.
    let folder = TempFolder::new();
    let path = folder.path().join("log");
    fs::write(&path, log).unwrap();
    let found = verify(&["--max-age", "1h"], &path);
    assert_eq!((found.code, found.codes()), (0, vec!["age-from-mtime"]));
    assert_eq!(found.start("input")["age"]["from"], "mtime");
}
