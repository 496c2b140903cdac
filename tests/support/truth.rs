//! Holds the verdict on a log, and what mending makes of it, against a real server.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use redkit::report::aof::Fate;
use redkit::report::check::Verdict;

use super::damage::{Chance, commands};
use super::json::Json;
use super::loader::{Files, Seen, Servers, agrees, all_in, meant, replayed, said};
use super::server::ServerKind;
use super::{TempFolder, starting};

/// An input: what it is, for messages, and the files.
pub(crate) struct Input {
    pub(crate) kind: ServerKind,
    pub(crate) what: String,
    pub(crate) files: Files,
    pub(crate) only_sets: bool,
}

/// Everything that was found, over all inputs.
#[derive(Default)]
pub(crate) struct Court {
    servers: Servers,
    counts: Mutex<BTreeMap<String, u64>>,
    failures: Mutex<Vec<String>>,
}

/// What came of a fix.
struct Fixed {
    code: i32,
    refused: Option<String>,
    /// What is there now.
    files: Files,
    kept_commands: Option<u64>,
    /// Keys that it says are there in the end.
    keys: Option<u64>,
    inserted: bool,
    stderr: String,
}

/// Where a fix writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    Place,
    Output,
}

impl Court {
    /// Holds all inputs, several at a time, and fails with all that do not hold.
    pub(crate) fn hold_all(&self, inputs: &[Input]) {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    while let Some(input) = inputs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        self.hold(input);
                    }
                });
            }
        });
        self.count_of("inputs", inputs.len() as u64);
    }

    /// What was counted.
    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        let mut counts = self.counts.lock().unwrap().clone();
        counts.insert("server starts".to_owned(), self.servers.count() as u64);
        counts
    }

    /// Prints what was counted; fails where something did not hold.
    #[track_caller]
    pub(crate) fn judge(&self) {
        let counts = self.counts();
        for (what, count) in &counts {
            println!("{count:6} {what}");
        }
        let failures = self.failures.lock().unwrap();
        let some: Vec<&str> = failures.iter().take(SHOWN).map(String::as_str).collect();
        assert!(
            failures.is_empty(),
            "{} of {} inputs do not hold:\n\n{}",
            failures.len(),
            counts["inputs"],
            some.join("\n\n")
        );
    }

    fn count(&self, what: &str) {
        self.count_of(what, 1);
    }

    fn count_of(&self, what: &str, count: u64) {
        *self
            .counts
            .lock()
            .unwrap()
            .entry(what.to_owned())
            .or_default() += count;
    }

    fn hold(&self, input: &Input) {
        let held = catch_unwind(AssertUnwindSafe(|| self.held(input)));
        let why = match held {
            Ok(Ok(())) => return,
            Ok(Err(why)) => why,
            Err(panic) => match panic.downcast::<String>() {
                Ok(text) => *text,
                Err(panic) => format!("a panic: {:?}", panic.downcast::<&str>()),
            },
        };
        let Input {
            kind, what, files, ..
        } = input;
        let files = files.shown();
        let text = format!("{kind}: {what}\n  {why}\n  {files}");
        self.failures.lock().unwrap().push(text);
    }

    fn held(&self, input: &Input) -> Result<(), String> {
        let Input { kind, files, .. } = input;
        let report = said(*kind, files);
        let start = self.servers.start(*kind, files);
        if !agrees(&report, &start) {
            return Err(format!("we say {:?}\n  it does {start}", report.fate));
        }
        if let Some(digest) = &start.digest
            && meant(&report) == start.seen
        {
            self.count("digests");
            let ours = replayed(*kind, files);
            if !ours.contains(digest) {
                return Err(format!(
                    "our replay comes to {ours:?}, the server to {digest}"
                ));
            }
        }
        match report.fate {
            Fate::StartsEmpty(_) => self.count("verdict loads-truncated: starts empty"),
            _ => self.count(&format!("verdict {}", report.verdict().name())),
        }
        if meant(&report) != start.seen {
            self.count("crash that did not come");
        }
        let loads = report.verdict() == Verdict::Loads;
        let mut chance = Chance::new(files.shown().len() as u64);
        for strategy in ["skip", "truncate"] {
            let to = match chance.below(2) {
                0 => To::Place,
                _ => To::Output,
            };
            let told = |why: String| format!("--strategy {strategy}, {to:?}: {why}");
            self.fix(input, strategy, to, loads).map_err(told)?;
        }
        if loads {
            let fixed = run(input, None, To::Place, &[])?;
            if fixed.code != 0 || fixed.files != *files {
                return Err(format!("--fix of what is sound: {}", fixed.code));
            }
        }
        Ok(())
    }

    /// Mends, and holds what comes out of it.
    fn fix(&self, input: &Input, strategy: &str, to: To, loads: bool) -> Result<(), String> {
        let mut flags: Vec<&str> = Vec::new();
        let fixed = loop {
            let fixed = run(input, Some(strategy), to, &flags)?;
            let more: &[&str] = match (fixed.code, fixed.refused.as_deref()) {
                (2, Some("unknown-commands")) => &["--drop-unknown"],
                (5, Some("database-in-doubt")) => &["--assume-db", "1"],
                _ => break fixed,
            };
            if flags.contains(&more[0]) {
                return Err(format!("{more:?} does not help"));
            }
            self.count(&format!("fix {strategy} with {}", more[0]));
            flags.extend(more);
        };
        // A folder elsewhere has a manifest as we write it, and no history files.
        let elsewhere = to == To::Output && matches!(input.files, Files::Set(_));
        if loads && (fixed.code != 0 || !elsewhere && fixed.files != input.files) {
            return Err(format!(
                "changes what is sound: {} {}",
                fixed.code, fixed.stderr
            ));
        }
        if fixed.code != 0 {
            return self.hopeless(input, strategy, &fixed);
        }
        let report = said(input.kind, &fixed.files);
        let start = self.servers.start(input.kind, &fixed.files);
        let complains = [
            "Bad file format",
            "Unknown command",
            "short read",
            "Revert incomplete",
        ]
        .iter()
        .any(|word| start.log.contains(word));
        if start.seen != Seen::Loads || complains || report.verdict() != Verdict::Loads {
            return Err(format!(
                "is not mended\n  we say {:?}\n  it does {start}\n  {}",
                report.fate,
                fixed.files.shown()
            ));
        }
        self.count(&format!("fix {strategy}: loaded"));
        if let Some(keys) = fixed.keys {
            if start.keys != keys {
                return Err(format!("{} keys, and {keys} were told", start.keys));
            }
            self.count(&format!("fix {strategy}: keys told"));
        }
        if input.only_sets
            && let Files::One(bytes) = &fixed.files
        {
            let (commands, keys) = keys(bytes);
            if start.keys != keys {
                return Err(format!("{} keys, and {keys} were kept", start.keys));
            }
            let kept = fixed.kept_commands;
            if !fixed.inserted && kept.is_some_and(|kept| kept != commands) {
                return Err(format!("{commands} commands left, {kept:?} reported"));
            }
            self.count(&format!("fix {strategy}: keys counted"));
        }
        Ok(())
    }

    /// Where nothing was mended, there must be a reason.
    fn hopeless(&self, input: &Input, strategy: &str, fixed: &Fixed) -> Result<(), String> {
        let reasons = [
            (1, "", "no log stands behind the damaged snapshot"),
            (2, "truncate", "to truncate there would leave nothing"),
            (2, "", "no manifest can be made from the names"),
            (3, "", "is missing"),
            (4, "", "does not load the snapshot"),
            (4, "", "does not know annotations"),
            (4, "", "the snapshot is of an unknown version"),
        ];
        let reason = reasons.iter().find(|(code, of, words)| {
            *code == fixed.code && strategy.ends_with(of) && fixed.stderr.contains(words)
        });
        match reason {
            Some((_, _, words)) => {
                self.count(&format!("fix {strategy}: {words}"));
                match fixed.files == input.files {
                    true => Ok(()),
                    false => Err("changed it all the same".to_owned()),
                }
            }
            None => Err(format!(
                "exit {}, {:?}: {}",
                fixed.code, fixed.refused, fixed.stderr
            )),
        }
    }
}

/// Runs the program on a copy of the files.
fn run(input: &Input, strategy: Option<&str>, to: To, flags: &[&str]) -> Result<Fixed, String> {
    let folder = TempFolder::new();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    let path = input.files.write_for_us(&data);
    let before = all_in(&data);
    let out = folder.path().join("out");
    let mut command = Command::new(env!("CARGO_BIN_EXE_redkit"));
    command
        .args([
            "check-aof",
            "--fix",
            "--yes",
            "--format",
            "json",
            "--threads",
            "1",
        ])
        .args(["--like", input.kind.id()])
        .args(
            strategy
                .iter()
                .flat_map(|strategy| ["--strategy", strategy]),
        )
        .args(flags)
        .arg(&path)
        .stdin(Stdio::null());
    if to == To::Output {
        command.arg("-o").arg(&out);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = starting(|| command.spawn()).unwrap();
    let output = child.wait_with_output().unwrap();
    let code = output.status.code().unwrap_or(-1);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let json = String::from_utf8_lossy(&output.stdout);
    let json = (!json.is_empty()).then(|| Json::parse(json.trim_end()));
    let fix = json.as_ref().and_then(|json| json.get("fix"));
    let refused = match fix.and_then(|fix| fix.get("refused")) {
        Some(Json::String(word)) => Some(word.clone()),
        _ => None,
    };
    let outcome = fix.and_then(|fix| fix.get("outcome"));
    let kept_commands = outcome.map(|outcome| outcome.at("kept_commands").uint());
    let keys = outcome.and_then(|outcome| match outcome.at("keys") {
        Json::Null => None,
        keys => Some(keys.uint()),
    });
    let after = all_in(&data);
    let inserted = flags.contains(&"--assume-db");
    let files = match to {
        To::Place => {
            if !inserted {
                put_back(&before, &after)?;
            }
            input.files.read_back(&data)
        }
        To::Output if before != after => return Err("the source was changed".to_owned()),
        To::Output if code != 0 => input.files.clone(),
        To::Output => written_to(&out)?,
    };
    Ok(Fixed {
        code,
        refused,
        files,
        kept_commands,
        keys,
        inserted,
        stderr,
    })
}

/// What `-o` wrote.
fn written_to(out: &Path) -> Result<Files, String> {
    if out.is_dir() {
        let inside = all_in(out).into_iter();
        let named =
            inside.map(|(name, bytes)| (format!("{}/{name}", super::loader::FOLDER), bytes));
        return Ok(Files::Set(named.collect()));
    }
    fs::read(out)
        .map(Files::One)
        .map_err(|error| format!("no output: {error}"))
}

/// Sees that every file is what it was, or is it again with what was removed put back.
fn put_back(
    before: &BTreeMap<String, Vec<u8>>,
    after: &BTreeMap<String, Vec<u8>>,
) -> Result<(), String> {
    for (name, original) in before {
        let now = after.get(name);
        if now == Some(original) || after.get(&format!("{name}.orig")) == Some(original) {
            continue;
        }
        let now = now.ok_or_else(|| format!("{name} is gone"))?;
        let prefix = format!("{name}.removed-");
        let mut pieces: Vec<(usize, &Vec<u8>)> = after
            .iter()
            .filter_map(|(piece, bytes)| Some((piece.strip_prefix(&prefix)?.parse().ok()?, bytes)))
            .collect();
        pieces.sort();
        let mut whole = Vec::new();
        let mut rest = now.as_slice();
        for (at, bytes) in pieces {
            let (kept, behind) = rest
                .split_at_checked(at.saturating_sub(whole.len()))
                .ok_or_else(|| format!("{name}: the piece at {at} is not in its place"))?;
            whole.extend_from_slice(kept);
            whole.extend_from_slice(bytes);
            rest = behind;
        }
        whole.extend_from_slice(rest);
        if whole != *original {
            let mut text = format!("{name}: put together again it is not what it was;");
            for (name, bytes) in after {
                write!(text, " {name}: {} bytes", bytes.len()).unwrap();
            }
            return Err(text);
        }
    }
    Ok(())
}

/// The commands of a log of nothing but SET, and how many keys they make.
fn keys(log: &[u8]) -> (u64, u64) {
    let mut db = 0;
    let mut keys = BTreeSet::new();
    let mut count = 0;
    for args in commands(log) {
        count += u64::from(!args.is_empty());
        match &args[..] {
            [name, key, _] if name.eq_ignore_ascii_case(b"set") => {
                keys.insert((db, *key));
            }
            [name, number] if name.eq_ignore_ascii_case(b"select") => {
                let number = std::str::from_utf8(number).ok();
                let number = number.and_then(|n| n.parse::<u32>().ok());
                db = number.filter(|&db| db < 16).unwrap_or(db);
            }
            _ => {}
        }
    }
    (count, keys.len() as u64)
}

const THREADS: usize = 3;
const SHOWN: usize = 30;
