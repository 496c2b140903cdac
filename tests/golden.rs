//! Runs `tests/cases/**/*.case`: a command line, and what must come of it. `BLESS=1` rewrites that.
//!
//! ```text
//! # What the case shows.
//! command: redkit check-rdb 'testdata/a file.rdb' {tmp}/out
//! stdin: testdata/commands.txt          optional, as often nothing is on stdin
//! env: NO_COLOR=1                       optional, any number
//! exit: 0
//! --- stdout
//! …
//! --- stderr
//! …
//! --- {tmp}/out
//! the files that the command left behind
//! ```
//!
//! Commands run in the root of the repository. `{tmp}` is an empty folder of the case's own. Bytes
//! that are no UTF-8 stand as `\xHH`, and `\ no newline` at the end says that there is none.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[test]
fn every_case_comes_out_as_it_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    find(&root.join("tests/cases"), &mut files);
    assert!(!files.is_empty(), "no cases");
    let bless = std::env::var_os("BLESS").is_some();
    let mut failed = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let name = file.strip_prefix(root).unwrap().display();
        let found = Case::parse(&text).run(root);
        if found == text {
            continue;
        }
        if bless {
            fs::write(&file, found).unwrap();
        } else {
            failed.push(format!("{name}\n{}", difference(&text, &found)));
        }
    }
    assert!(
        failed.is_empty(),
        "{}\n\n`BLESS=1 cargo test --test golden` rewrites them",
        failed.join("\n\n")
    );
}

/// What a case does, without what comes of it.
struct Case {
    /// The lines in front as they stand.
    head: String,
    words: Vec<String>,
    stdin: Option<String>,
    env: Vec<(String, String)>,
}

impl Case {
    fn parse(text: &str) -> Case {
        let mut case = Case {
            head: String::new(),
            words: Vec::new(),
            stdin: None,
            env: Vec::new(),
        };
        for line in text.lines().take_while(|line| !line.starts_with("---")) {
            match line.split_once(": ") {
                Some(("exit", _)) => continue,
                Some(("command", command)) => case.words = words(command),
                Some(("stdin", file)) => case.stdin = Some(file.to_owned()),
                Some(("env", set)) => {
                    let (name, value) = set.split_once('=').expect("env: NAME=VALUE");
                    case.env.push((name.to_owned(), value.to_owned()));
                }
                _ => assert!(line.starts_with('#'), "what is this? {line}"),
            }
            case.head.push_str(line);
            case.head.push('\n');
        }
        assert_eq!(
            case.words.first().map(String::as_str),
            Some("redkit"),
            "{text}"
        );
        case
    }

    /// The case as it comes out.
    fn run(&self, root: &Path) -> String {
        let dir = tempfile::tempdir().unwrap();
        let tmp = dir.path().to_str().unwrap();
        let stdin = match &self.stdin {
            Some(file) => Stdio::from(File::open(root.join(file)).unwrap()),
            None => Stdio::null(),
        };
        let args = self
            .words
            .iter()
            .skip(1)
            .map(|word| word.replace("{tmp}", tmp));
        let output = Command::new(env!("CARGO_BIN_EXE_redkit"))
            .args(args)
            .current_dir(root)
            .stdin(stdin)
            .env_clear()
            .env("TMPDIR", std::env::temp_dir())
            .envs(self.env.iter().cloned())
            .output()
            .unwrap();
        let mut text = self.head.clone();
        let exit = output
            .status
            .code()
            .map_or("signal".to_owned(), |code| code.to_string());
        writeln!(text, "exit: {exit}").unwrap();
        section(&mut text, "stdout", &output.stdout, tmp);
        section(&mut text, "stderr", &output.stderr, tmp);
        for (name, content) in left_behind(dir.path()) {
            section(&mut text, &format!("{{tmp}}/{name}"), &content, tmp);
        }
        text
    }
}

/// Words as a shell takes them apart, with quotes and nothing else.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    assert_eq!(quote, None, "{line}");
    words.extend(word);
    words
}

/// Nothing is said of what is empty, unless it is a file.
fn section(text: &mut String, name: &str, content: &[u8], tmp: &str) {
    if content.is_empty() && !name.starts_with("{tmp}") {
        return;
    }
    writeln!(text, "--- {name}").unwrap();
    let mut shown = String::new();
    for chunk in content.utf8_chunks() {
        shown.push_str(chunk.valid());
        for byte in chunk.invalid() {
            write!(shown, "\\x{byte:02x}").unwrap();
        }
    }
    text.push_str(&shown.replace(tmp, "{tmp}"));
    if !shown.is_empty() && !shown.ends_with('\n') {
        text.push_str("\n\\ no newline\n");
    }
}

fn left_behind(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = Vec::new();
    find(dir, &mut files);
    let content = |path: PathBuf| {
        let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
        (name, fs::read(&path).unwrap())
    };
    files.into_iter().map(content).collect()
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            find(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// The lines from the first that differs to the last that does.
fn difference(expected: &str, found: &str) -> String {
    let expected: Vec<_> = expected.lines().collect();
    let found: Vec<_> = found.lines().collect();
    let same = expected
        .iter()
        .zip(&found)
        .take_while(|(a, b)| a == b)
        .count();
    let (expected, found) = (&expected[same..], &found[same..]);
    let tail = expected.iter().rev().zip(found.iter().rev());
    let tail = tail.take_while(|(a, b)| a == b).count();
    let mut out = format!("  from line {}:", same + 1);
    for (mark, lines) in [("-", expected), ("+", found)] {
        for line in &lines[..lines.len() - tail] {
            write!(out, "\n  {mark} {line}").unwrap();
        }
    }
    out
}
