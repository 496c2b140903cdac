//! Inputs on which we once said something else than a tool, and others of their kind, with what it
//! says of them: they need no server.
//!
//! ```text
//! == NAME: rdb            the checker and its arguments; the file is called f
//! 5245444953303030...     the file
//! -- 1                    the status, or "crash"
//! [offset 0] ...          its lines, escaped
//! => 14                   what is left behind a fix
//! ```

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use crate::support::server::ServerKind;
use crate::support::{TempFolder, full};
use crate::tool::{Ran, comparable, crashed, ours, theirs};

struct Case {
    name: String,
    args: Vec<String>,
    input: Vec<u8>,
    told: Told,
}

/// What came of a run, in the words of the file.
#[derive(Debug, PartialEq)]
struct Told {
    status: String,
    lines: Vec<String>,
    left: Option<usize>,
}

impl Case {
    fn run(&self, tool: fn(ServerKind, &str, &[&str], &Path) -> Ran, kind: ServerKind) -> Told {
        let folder = TempFolder::new();
        let path = folder.path().join("f");
        fs::write(&path, &self.input).unwrap();
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        let ran = tool(kind, args[0], &[&args[1..], &["f"]].concat(), folder.path());
        if crashed(&ran) {
            return Told {
                status: "crash".to_owned(),
                lines: Vec::new(),
                left: None,
            };
        }
        let lines = comparable(&ran.stdout).into_iter();
        let mut lines: Vec<String> = lines.map(|l| l.escape_ascii().to_string()).collect();
        if lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        Told {
            status: ran.code.unwrap().to_string(),
            lines,
            left: (args.len() > 1).then(|| fs::metadata(&path).unwrap().len() as usize),
        }
    }
}

fn place(kind: ServerKind) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata/compat/cases")
        .join(format!("{}.txt", kind.id()))
}

fn read(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut in_told = false;
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("== ") {
            let (name, args) = head.split_once(": ").unwrap();
            cases.push(Case {
                name: name.to_owned(),
                args: args.split(' ').map(str::to_owned).collect(),
                input: Vec::new(),
                told: Told {
                    status: String::new(),
                    lines: Vec::new(),
                    left: None,
                },
            });
            in_told = false;
            continue;
        }
        let case = cases.last_mut().unwrap();
        if let (false, Some(status)) = (in_told, line.strip_prefix("-- ")) {
            case.told.status = status.to_owned();
            in_told = true;
        } else if let Some(left) = line.strip_prefix("=> ") {
            case.told.left = Some(left.parse().unwrap());
        } else if in_told {
            case.told.lines.push(line.to_owned());
        } else {
            let pairs = line.as_bytes().as_chunks::<2>().0.iter();
            let pairs = pairs.map(|pair| std::str::from_utf8(pair).unwrap());
            let bytes = pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap());
            case.input.extend(bytes);
        }
    }
    cases
}

fn write(cases: &[Case]) -> String {
    let mut out = String::new();
    for case in cases {
        writeln!(out, "== {}: {}", case.name, case.args.join(" ")).unwrap();
        for line in case.input.chunks(48) {
            for byte in line {
                write!(out, "{byte:02x}").unwrap();
            }
            out.push('\n');
        }
        writeln!(out, "-- {}", case.told.status).unwrap();
        for line in &case.told.lines {
            writeln!(out, "{line}").unwrap();
        }
        if let Some(left) = case.told.left {
            writeln!(out, "=> {left}").unwrap();
        }
    }
    out
}

#[test]
fn what_was_told_otherwise_once_is_told_as_the_tools_tell_it() {
    thread::scope(|scope| {
        for kind in ServerKind::ALL {
            scope.spawn(move || hold_all(kind));
        }
    });
}

fn hold_all(kind: ServerKind) {
    let mut cases = read(&fs::read_to_string(place(kind)).unwrap());
    assert!(cases.len() > 50, "{kind}");
    let has_tool = ServerKind::usable().contains(&kind);
    let bless = has_tool && std::env::var_os("BLESS").is_some();
    for case in &mut cases {
        if bless {
            case.told = case.run(theirs, kind);
        }
        let crashes = case.told.status == "crash";
        // What is kept is what the tool says. Some hang for long.
        if has_tool && !bless && (full() || !crashes) {
            let told = case.run(theirs, kind);
            assert_eq!(told, case.told, "{kind} {}: the tool", case.name);
        }
        let ours = case.run(ours, kind);
        match crashes {
            true => assert_eq!(ours.status, "1", "{kind} {}", case.name),
            false => assert_eq!(ours, case.told, "{kind} {}", case.name),
        }
    }
    if bless {
        fs::write(place(kind), write(&cases)).unwrap();
    }
}
