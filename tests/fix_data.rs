//! What `check-aof --fix --strategy skip` keeps of damaged logs: every command that stands whole and
//! not alone, and nothing else. The logs are made here, so that it is known what stands in them; what
//! real servers make of the results is the matter of other suites.

use std::ops::Range;

use redkit::io::progress::Quiet;
use redkit::report::fix::Strategy;
use redkit::task::check_aof::AofOptions;
use redkit::task::fix_aof::{FixOptions, Mending, plan};
use redkit::task::mend::{FilePlan, Plan};
use redkit::task::{InputPath, Run};

/// A small generator with a seed: the same log each time.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }
}

fn command(args: &[&[u8]]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        out.extend(format!("${}\r\n", arg.len()).into_bytes());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn words(text: &str) -> Vec<u8> {
    let args: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
    command(&args)
}

/// A log, and where each command stands and which transaction it is part of.
struct Log {
    bytes: Vec<u8>,
    commands: Vec<Range<usize>>,
    transactions: Vec<Option<usize>>,
}

impl Log {
    fn new() -> Log {
        let mut log = Log {
            bytes: Vec::new(),
            commands: Vec::new(),
            transactions: Vec::new(),
        };
        log.push(&words("SELECT 0"), None);
        log
    }

    fn push(&mut self, bytes: &[u8], transaction: Option<usize>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.commands.push(start..self.bytes.len());
        self.transactions.push(transaction);
    }

    /// Of so many commands at the least, as an application writes them, a module's among them.
    fn of(count: usize, rng: &mut Rng) -> Log {
        let mut log = Log::new();
        let mut transaction = 0;
        while log.commands.len() < count {
            if rng.below(20) == 0 {
                transaction += 1;
                log.push(&words("MULTI"), Some(transaction));
                for _ in 0..1 + rng.below(6) {
                    let one = Log::one(rng);
                    log.push(&one, Some(transaction));
                }
                log.push(&words("EXEC"), Some(transaction));
            } else {
                let one = Log::one(rng);
                log.push(&one, None);
            }
        }
        log
    }

    fn one(rng: &mut Rng) -> Vec<u8> {
        let key = format!("key:{}", rng.below(5000));
        let value = "v".repeat(1 + rng.below(60));
        match rng.below(8) {
            0 => words(&format!("SET {key} {value}")),
            1 => words(&format!("INCR counter:{key}")),
            2 => words(&format!("HSET h:{key} field {value} other 2")),
            3 => words(&format!("RPUSH l:{key} a b c {value}")),
            4 => words(&format!("ZADD z:{key} 1.5 {value}")),
            5 => words(&format!("JSON.SET j:{key} $ {{\"a\":{}}}", rng.below(99))),
            6 => {
                let binary: Vec<u8> = (0..rng.below(40)).map(|_| rng.next() as u8).collect();
                command(&[b"SET", key.as_bytes(), &binary, b"PXAT", b"4102444800000"])
            }
            _ => words(&format!("XADD x:{key} 1-1 f {value}")),
        }
    }
}

/// Changes bytes, never how many there are; gives the ranges that may be other than before.
fn damage(bytes: &mut [u8], places: usize, rng: &mut Rng) -> Vec<Range<usize>> {
    let mut damaged = Vec::new();
    for _ in 0..places {
        let at = rng.below(bytes.len());
        let (len, kind) = match rng.below(5) {
            0 | 1 => (1, 0),
            2 => (16, 1),
            3 => (64 + rng.below(500), 2),
            _ => (4096, 2 + rng.below(2)),
        };
        let range = at..(at + len).min(bytes.len());
        let from = rng.below(bytes.len() - range.len());
        let other = bytes[from..from + range.len()].to_vec();
        for (byte, other) in bytes[range.clone()].iter_mut().zip(other) {
            match kind {
                0 => *byte ^= 1 << rng.below(8),
                1 => *byte = rng.next() as u8,
                2 => *byte = 0,
                // A block of the log in another place.
                _ => *byte = other,
            }
        }
        damaged.push(range);
    }
    damaged
}

fn mend(bytes: &[u8], options: FixOptions) -> Mending {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.aof");
    std::fs::write(&path, bytes).unwrap();
    let run = Run {
        threads: 2,
        mmap: true,
        max_spool: 0,
        max_memory: 0,
        progress: &Quiet,
    };
    plan(&InputPath::File(path), &options, &run).unwrap()
}

fn skip() -> FixOptions {
    FixOptions {
        check: AofOptions::default(),
        strategy: Some(Strategy::Skip),
        // A letter of a name that changed makes a name that nobody knows.
        drop_unknown: true,
        // And a changed digit another database, which is a sound command all the same.
        assume_db: Some(0),
        ..FixOptions::default()
    }
}

fn file_plan(mending: &Mending) -> FilePlan {
    match mending.plan.as_ref().expect("a plan") {
        Plan::File(plan) => plan.clone(),
        Plan::Set(_) => panic!("one file"),
    }
}

/// The ranges that stay.
fn kept(mending: &Mending) -> Vec<Range<usize>> {
    let ranges = file_plan(mending).kept();
    let at = |offset: u64| usize::try_from(offset).unwrap();
    ranges.iter().map(|r| at(r.start)..at(r.end)).collect()
}

/// Whether one of sorted ranges holds all of another.
fn holds(ranges: &[Range<usize>], wanted: &Range<usize>) -> bool {
    let next = ranges.partition_point(|range| range.start <= wanted.start);
    next > 0 && ranges[next - 1].end >= wanted.end
}

fn meets(ranges: &[Range<usize>], wanted: &Range<usize>) -> bool {
    ranges
        .iter()
        .any(|range| range.start < wanted.end && wanted.start < range.end)
}

/// Commands that must stay and do not; commands that stay and never stood there.
fn wrong(log: &Log, bytes: &[u8], damaged: &[Range<usize>]) -> (Vec<usize>, Vec<usize>) {
    let mending = mend(bytes, skip());
    let kept = match mending.fix {
        Some(_) => kept(&mending),
        None => std::iter::once(0..bytes.len()).collect(),
    };
    let hit: Vec<bool> = log.commands.iter().map(|c| meets(damaged, c)).collect();
    // A transaction goes whole where any of it is hit.
    let torn: std::collections::HashSet<usize> = log
        .transactions
        .iter()
        .zip(&hit)
        .filter_map(|(transaction, hit)| transaction.filter(|_| *hit))
        .collect();
    // Where two readings stand, the one that keeps fewer is taken.
    let ambiguous: Vec<Range<usize>> = mending
        .fix
        .iter()
        .flat_map(|fix| &fix.files[0].ambiguous)
        .map(|r| usize::try_from(r.start).unwrap()..usize::try_from(r.end).unwrap())
        .collect();
    let mut lost = Vec::new();
    let mut run_from = 0;
    for at in 0..=log.commands.len() {
        if hit.get(at) == Some(&false) {
            continue;
        }
        // A run of whole commands ends here: of three or more, or to the end of the file, all stay.
        if at - run_from >= 3 || at == log.commands.len() {
            for n in run_from..at {
                let whole = log.transactions[n].is_none_or(|t| !torn.contains(&t));
                let doubtful = holds(&ambiguous, &log.commands[n]);
                if whole && !doubtful && !holds(&kept, &log.commands[n]) {
                    lost.push(n);
                }
            }
        }
        run_from = at + 1;
    }
    // What stays is made of commands that stood in the log, as they were or with changed bytes.
    let starts: std::collections::HashSet<usize> = log.commands.iter().map(|c| c.start).collect();
    let mut invented = Vec::new();
    for range in &kept {
        let mut rest = &bytes[range.clone()];
        while let Ok((after, item)) = redkit::aof::resp::item(rest) {
            let at = range.end - rest.len();
            if !starts.contains(&at) && !meets(damaged, &(at..at + rest.len() - after.len())) {
                invented.push(at);
            }
            let _ = item;
            rest = after;
        }
        assert!(rest.is_empty(), "what stays is whole commands: {range:?}");
    }
    (lost, invented)
}

fn full() -> bool {
    std::env::var_os("REDKIT_FULL").is_some_and(|value| value == "1")
}

#[test]
fn every_whole_command_in_a_run_is_kept_and_none_is_invented() {
    let seeds = if full() { 60 } else { 5 };
    let mut report = Vec::new();
    for seed in 0..seeds {
        for places in [1, 10, 100] {
            let mut rng = Rng(seed * 1000 + places);
            let log = Log::of(100_000, &mut rng);
            let mut bytes = log.bytes.clone();
            let damaged = damage(&mut bytes, usize::try_from(places).unwrap(), &mut rng);
            let (lost, invented) = wrong(&log, &bytes, &damaged);
            if !lost.is_empty() || !invented.is_empty() {
                let n = lost.first().copied();
                report.push(format!(
                    "seed {seed}, {places} places: {} lost, first {:?}; invented at {invented:?}",
                    lost.len(),
                    n.map(|n| (n, log.commands[n].clone())),
                ));
            }
        }
    }
    assert!(report.is_empty(), "{}", report.join("\n"));
}

/// The commands that stay, as text.
fn left(bytes: &[u8], options: FixOptions) -> String {
    let mending = mend(bytes, options);
    let mut left = String::new();
    for range in kept(&mending) {
        let mut rest = &bytes[range];
        while let Ok((after, redkit::aof::resp::Item::Command(command))) =
            redkit::aof::resp::item(rest)
        {
            let args: Vec<_> = command.args().map(String::from_utf8_lossy).collect();
            if !left.is_empty() {
                left.push_str("; ");
            }
            left.push_str(&args.join(" "));
            rest = after;
        }
    }
    left
}

fn log(text: &str) -> Vec<u8> {
    text.split("; ").flat_map(words).collect()
}

fn damaged(text: &str, what: &str, with: &str) -> Vec<u8> {
    let bytes = log(text);
    let at = bytes
        .windows(what.len())
        .position(|window| window == what.as_bytes())
        .expect("what is to be damaged");
    [&bytes[..at], with.as_bytes(), &bytes[at + what.len()..]].concat()
}

#[test]
fn a_transaction_stays_whole_or_goes_whole() {
    let text = "SET a 1; MULTI; SET b 1; SET c 1; EXEC; SET d 1; SET e 1; SET f 1";
    let without = "SET a 1; SET d 1; SET e 1; SET f 1";
    for (what, with) in [
        // Its MULTI, its queue, its EXEC.
        ("*1\r\n$5\r\nMULTI", "*1\r\n$X\r\nMULTI"),
        ("$1\r\nb", "$X\r\nb"),
        ("*1\r\n$4\r\nEXEC", "?1\r\n$4\r\nEXEC"),
        // A name that nobody knows, or too few arguments: no server takes the transaction.
        ("*3\r\n$3\r\nSET\r\n$1\r\nc", "*3\r\n$3\r\nSOT\r\n$1\r\nc"),
        ("*1\r\n$5\r\nMULTI", "*1\r\n$5\r\nMULTO"),
        ("*1\r\n$4\r\nEXEC", "*1\r\n$4\r\nEXEK"),
    ] {
        assert_eq!(left(&damaged(text, what, with), skip()), without, "{with}");
    }
}

#[test]
fn behind_damage_the_next_bracket_decides() {
    // A MULTI: what stands between are commands of their own.
    let text = "SET a 1; SET b 1; SET c 1; SET d 1; SET e 1; MULTI; SET f 1; EXEC";
    let bytes = damaged(text, "$1\r\nb", "$X\r\nb");
    assert_eq!(
        left(&bytes, skip()),
        "SET a 1; SET c 1; SET d 1; SET e 1; MULTI; SET f 1; EXEC"
    );
    let singles = mend(&bytes, skip()).fix.unwrap().files[0].singles.clone();
    assert_eq!(
        singles.iter().map(|run| run.commands).collect::<Vec<_>>(),
        [3]
    );
    // An EXEC: the damage took its MULTI.
    let text = "SET a 1; MULTI; SET b 1; SET c 1; SET d 1; SET e 1; EXEC; SET f 1";
    let bytes = damaged(
        text,
        "*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\nb",
        "*1\r\n$X\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\nb",
    );
    assert_eq!(left(&bytes, skip()), "SET a 1; SET f 1");
    // The end of the file inside a transaction.
    assert_eq!(left(&log("SET a 1; MULTI; SET b 1"), skip()), "SET a 1");
}

#[test]
fn a_select_stays_although_its_transaction_goes() {
    let text = "SELECT 0; SET a 1; MULTI; SELECT 3; SET b 1; EXEC; SET c 1; SET d 1; SET e 1";
    let bytes = damaged(text, "$1\r\nb", "$X\r\nb");
    let options = FixOptions {
        assume_db: None,
        ..skip()
    };
    assert_eq!(
        left(&bytes, options),
        "SELECT 0; SET a 1; SELECT 3; SET c 1; SET d 1; SET e 1"
    );
}

#[test]
fn where_damage_could_hide_a_select_the_database_is_asked_for() {
    use redkit::task::fix_aof::Refusal;
    let text = "SELECT 0; SET a 1; SELECT 3; SET b 1; SELECT 0; SET c 1; SET d 1; SET e 1";
    let one = "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n";
    let bytes = damaged(text, one, &"\0".repeat(one.len()));
    let unasked = FixOptions {
        assume_db: None,
        ..skip()
    };
    let mending = mend(&bytes, unasked.clone());
    assert_eq!(mending.refused, Some(Refusal::Select));
    assert!(mending.plan.is_none());
    let doubts = mending.fix.unwrap().files[0].selects.clone();
    assert_eq!(
        doubts
            .iter()
            .map(|d| (d.db, d.commands))
            .collect::<Vec<_>>(),
        [(0, 1)]
    );
    let asked = FixOptions {
        assume_db: Some(3),
        ..skip()
    };
    let plan = file_plan(&mend(&bytes, asked));
    assert_eq!(plan.inserted.len(), 1);
    assert_eq!(plan.inserted[0].bytes, one.as_bytes());
    assert_eq!(plan.inserted[0].at, plan.removed[0].end);
    // The same damage where only one database is in use is in no doubt.
    let text = "SELECT 0; SET a 1; SET b 1; SET c 1; SET d 1; SET e 1; SET f 1";
    let one = "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n1\r\n";
    let bytes = damaged(text, one, &"\0".repeat(one.len()));
    assert_eq!(mend(&bytes, unasked).refused, None);
}

#[test]
fn a_log_inside_a_value_whose_length_was_destroyed_is_not_taken_for_commands() {
    let inner = log("SET x 1; SET y 1; SET z 1; INCR w");
    let outer = |value: &[u8], behind: &[&[u8]]| {
        let args: Vec<&[u8]> = [b"SET".as_slice(), b"k", value]
            .into_iter()
            .chain(behind.iter().copied())
            .collect();
        [
            log("SET a 1"),
            command(&args),
            log("SET b 1; SET c 1; SET d 1"),
        ]
        .concat()
    };
    let header = |value: &[u8]| format!("${}\r\n*3", value.len());
    let open = &inner[..inner.len() - 2];
    for (value, behind) in [
        (inner.as_slice(), &[][..]),
        (
            inner.as_slice(),
            &[b"PXAT".as_slice(), b"4102444800000"][..],
        ),
        // Without its own last CR and LF.
        (open, &[][..]),
        (open, &[b"PXAT".as_slice(), b"4102444800000"][..]),
    ] {
        let bytes = outer(value, behind);
        let header = header(value);
        let at = bytes
            .windows(header.len())
            .position(|w| w == header.as_bytes())
            .unwrap();
        for digit in [b'x', 0, b'9'] {
            let mut bytes = bytes.clone();
            bytes[at + 1] = digit;
            let left = left(&bytes, skip());
            assert_eq!(
                left,
                "SET a 1; SET b 1; SET c 1; SET d 1",
                "{}",
                bytes.escape_ascii()
            );
        }
    }
    // At the end of the log nothing but the value's own end stands behind it.
    let mut bytes = [log("SET a 1"), command(&[b"SET", b"k", &inner])].concat();
    let header = header(&inner);
    let at = bytes
        .windows(header.len())
        .position(|w| w == header.as_bytes())
        .unwrap();
    bytes[at + 1] = b'x';
    assert_eq!(left(&bytes, skip()), "SET a 1");
}

#[test]
fn modules_commands_survive_every_strategy() {
    let text = "JSON.SET a $ 1; BF.ADD b 1; SET c 1; SET d 1; TS.ADD e 1 2; SET f 1; JSON.SET g $ 2; FT.CREATE i";
    let bytes = damaged(text, "$1\r\nd", "$X\r\nd");
    assert_eq!(
        left(&bytes, skip()),
        "JSON.SET a $ 1; BF.ADD b 1; SET c 1; TS.ADD e 1 2; SET f 1; JSON.SET g $ 2; FT.CREATE i"
    );
    let truncate = FixOptions {
        strategy: Some(Strategy::Truncate),
        ..skip()
    };
    assert_eq!(
        left(&bytes, truncate),
        "JSON.SET a $ 1; BF.ADD b 1; SET c 1"
    );
    assert!(mend(&log(text), skip()).fix.is_none());
}

#[test]
fn an_unknown_name_is_not_damage() {
    use redkit::task::fix_aof::Refusal;
    let bytes = log("SET a 1; MYCMD b; SET c 1");
    let keep = FixOptions {
        drop_unknown: false,
        ..skip()
    };
    let mending = mend(&bytes, keep.clone());
    assert_eq!(mending.refused, Some(Refusal::Unknown));
    assert_eq!(mending.fix.unwrap().files[0].unknown[0].0, "MYCMD");
    let allowed = FixOptions {
        check: AofOptions {
            allowed: vec![b"mycmd".to_vec()],
            ..AofOptions::default()
        },
        ..keep
    };
    assert!(mend(&bytes, allowed).fix.is_none());
    assert_eq!(left(&bytes, skip()), "SET a 1; SET c 1");
}

#[test]
fn too_few_commands_between_two_damages_are_uncertain() {
    let text = "SET a 1; SET b 1; SET c 1; SET d 1; SET e 1; SET f 1; SET g 1";
    let mut bytes = damaged(text, "$1\r\nb", "$X\r\nb");
    let at = bytes
        .windows(4)
        .position(|w| w == b"$1\r\n".as_slice())
        .unwrap();
    assert!(at > 0);
    let at = bytes
        .windows(4)
        .position(|w| w == b"\r\nd\r".as_slice())
        .unwrap();
    bytes[at - 1] = b'X';
    let mending = mend(&bytes, skip());
    let uncertain = mending.fix.unwrap().files[0].uncertain.clone();
    assert_eq!(
        uncertain.iter().map(|run| run.commands).collect::<Vec<_>>(),
        [1]
    );
    assert_eq!(left(&bytes, skip()), "SET a 1; SET e 1; SET f 1; SET g 1");
    let keep = FixOptions {
        keep_uncertain: true,
        ..skip()
    };
    assert_eq!(
        left(&bytes, keep),
        "SET a 1; SET c 1; SET e 1; SET f 1; SET g 1"
    );
}

#[test]
fn a_transaction_that_begins_in_an_uncertain_run_goes_whole() {
    let text = "SET a 1; SET b 1; MULTI; SET c 1; SET d 1; EXEC; SET e 1; SET f 1; SET g 1";
    let mut bytes = damaged(text, "$1\r\nb", "$X\r\nb");
    let d = bytes.windows(4).position(|w| w == b"\r\nd\r").unwrap();
    bytes[d - 1] = b'X';
    let keep = FixOptions {
        keep_uncertain: true,
        ..skip()
    };
    let mending = mend(&bytes, keep.clone());
    assert_eq!(mending.fix.unwrap().files[0].uncertain[0].commands, 2);
    assert_eq!(left(&bytes, keep), "SET a 1; SET e 1; SET f 1; SET g 1");
}

#[test]
fn more_than_is_allowed_is_not_removed() {
    use redkit::task::fix_aof::Refusal;
    let text = "SET a 1; SET b 1; SET c 1; SET d 1; SET e 1";
    let bytes = damaged(text, "$1\r\nb", "$X\r\nb");
    let with = |max_loss, max_lost_commands| {
        let options = FixOptions {
            max_loss,
            max_lost_commands,
            ..skip()
        };
        mend(&bytes, options).refused
    };
    let size = words("SET b 1").len() as u64;
    assert_eq!(with(Some(size), Some(1)), None);
    assert_eq!(with(Some(size - 1), None), Some(Refusal::Limit));
    assert_eq!(with(None, Some(0)), Some(Refusal::Limit));
}

#[test]
fn a_log_is_cut_at_a_time() {
    let bytes = [
        b"#TS:100\r\n".as_slice(),
        &log("SET a 1"),
        b"#TS:200\r\n",
        &log("MULTI; SET b 1"),
        b"#TS:300\r\n",
        &log("SET c 1; EXEC; SET d 1"),
    ]
    .concat();
    let until = |until| {
        let options = FixOptions {
            until: Some(until),
            strategy: None,
            ..skip()
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.aof");
        std::fs::write(&path, &bytes).unwrap();
        let run = Run {
            threads: 1,
            mmap: true,
            max_spool: 0,
            max_memory: 0,
            progress: &Quiet,
        };
        let mending = plan(&InputPath::File(path), &options, &run)?;
        Ok(usize::try_from(file_plan(&mending).new_size()).unwrap())
    };
    let two_hundred = bytes.windows(8).position(|w| w == b"#TS:200\r").unwrap();
    let result: Result<usize, redkit::error::Error> = until(150);
    assert_eq!(result.unwrap(), two_hundred);
    // Inside a transaction: back to its MULTI.
    assert_eq!(until(200).unwrap(), two_hundred + 9);
    assert!(
        until(99)
            .unwrap_err()
            .to_string()
            .contains("nothing before")
    );
    assert!(
        until(300)
            .unwrap_err()
            .to_string()
            .contains("no annotation")
    );
}
