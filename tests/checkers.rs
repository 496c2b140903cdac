//! Our verdict against the official checkers': on sound snapshots and on damaged ones it is at least
//! as strict, and where it is stricter, for a reason on the list below.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use redkit::bytes::Problem;
use redkit::encoding::crc64;
use redkit::io::progress::Quiet;
use redkit::report::check::Verdict;
use redkit::task::check_rdb::{CheckOptions, check_rdb};
use redkit::task::{InputPath, Run};
use support::checker;
use support::server::{Server, ServerKind};
use support::{TempFolder, count};

/// Why a snapshot that the checkers pass is refused by us all the same.
const STRICTER: &[(&str, &str)] = &[
    (
        "rdb-bad-length",
        "servers read a string encoding where a number stands as its low bits",
    ),
    (
        "rdb-duplicate-member",
        "some checkers overlook members twice in a packed set",
    ),
    (
        "blob-entry",
        "an entry that runs past its blob is not looked for in every type",
    ),
    (
        "stream-pending",
        "a pending entry without a consumer, or of a consumer but not of the group",
    ),
    (
        "stream-names",
        "a group or consumer twice: the server frees the first",
    ),
    (
        "stream-node",
        "a stream node whose header says what its entries do not",
    ),
    (
        "rdb-future-version",
        "Valkey 9.1's checker passes versions that no server has",
    ),
    (
        "listpack-backlen",
        "Redis 6.2 does not read a stream's listpack backwards",
    ),
    (
        "stream-flags",
        "flags of a stream entry that no server defines",
    ),
    (
        "stream-length",
        "only Valkey 9.1 compares a stream's length with its entries",
    ),
    (
        "blob-count",
        "the count in the header of a stream's listpack is not compared",
    ),
    (
        "stream-record-count",
        "the backward count of an entry is what XREVRANGE relies on",
    ),
    ("zset-score-nan", "the text nan crashes Redis 8.2.3"),
    ("hash-field-expiry", "an expiry no command accepts"),
    (
        "rdb-unknown-type",
        "an opcode that carries nothing for this family",
    ),
    (
        "rdb-bad-lzf",
        "compressed text in a place the checker does not decompress",
    ),
    (
        "rdb-bad-database",
        "a database number that no setting reaches",
    ),
    (
        "module-aux",
        "a moment that is neither before nor after the keys",
    ),
];

fn run() -> Run<'static> {
    Run {
        threads: 1,
        mmap: true,
        max_spool: 1 << 20,
        max_memory: 1 << 30,
        progress: &Quiet,
    }
}

/// Small snapshots of one server, every type among them.
fn small_snapshots(kind: ServerKind) -> Vec<Vec<u8>> {
    let server = Server::start(kind, &[]);
    let mut all = Vec::new();
    let mut scripts: Vec<Vec<Vec<&str>>> = vec![
        vec![
            vec!["SET", "s", "hello"],
            vec!["SET", "i", "12345"],
            vec!["SET", "z", "abcabcabcabcabcabcabcabcabcabcabcabc"],
            vec!["SET", "t", "x", "PXAT", "4102444800000"],
        ],
        vec![
            vec!["RPUSH", "l", "a", "bb", "1000", "-7", "some longer text"],
            vec!["HSET", "h", "f", "v", "n", "42"],
        ],
        vec![
            vec!["SADD", "i", "1", "2", "300"],
            vec!["SADD", "s", "a", "b", "1"],
            vec!["ZADD", "z", "1", "a", "2.5", "b", "inf", "c"],
        ],
        vec![
            vec!["XADD", "x", "1-1", "a", "1", "b", "2"],
            vec!["XADD", "x", "1-2", "a", "3", "b", "4"],
            vec!["XADD", "x", "2-0", "c", "5"],
            vec!["XDEL", "x", "1-2"],
        ],
        vec![
            vec!["XADD", "x", "1-1", "a", "1"],
            vec!["XADD", "x", "2-1", "a", "2"],
            vec!["XGROUP", "CREATE", "x", "g", "0"],
            vec![
                "XREADGROUP",
                "GROUP",
                "g",
                "c",
                "COUNT",
                "2",
                "STREAMS",
                "x",
                ">",
            ],
        ],
    ];
    if kind.has_field_ttl() {
        scripts.push(vec![
            vec!["HSET", "h", "a", "1", "b", "2"],
            vec!["HPEXPIREAT", "h", "4102444800000", "FIELDS", "1", "a"],
        ]);
    }
    for script in scripts {
        server.client().cmd(&[b"FLUSHALL"]);
        for command in &script {
            let args: Vec<&[u8]> = command.iter().map(|a| a.as_bytes()).collect();
            let reply = server.client().cmd(&args);
            assert!(!reply.is_error(), "{command:?}: {reply:?}");
        }
        let path = server.save();
        let bytes = fs::read(path).unwrap();
        assert!(bytes.len() <= 512, "{} bytes", bytes.len());
        all.push(bytes);
    }
    all
}

/// What both said of many inputs.
#[derive(Default)]
struct Score {
    tried: usize,
    sound: usize,
    refused: usize,
    stricter: BTreeMap<&'static str, usize>,
    wrong: Vec<String>,
}

impl Score {
    /// Tries an input with its checksum as it is.
    fn check(&mut self, kind: ServerKind, bytes: &[u8], file: &Path, what: &str) {
        fs::write(file, bytes).unwrap();
        let theirs = checker::check_rdb(kind, file).is_sound();
        let report = check_rdb(
            &InputPath::File(file.to_owned()),
            &CheckOptions::default(),
            &run(),
        )
        .unwrap();
        // Sound as such is not enough: it must be sound for the server whose checker is asked.
        let target = match kind {
            ServerKind::Redis62 => "redis-6.2",
            ServerKind::Redis70 => "redis-7.0",
            ServerKind::Redis82 => "redis-8.2",
            ServerKind::Valkey81 => "valkey-8.1",
            ServerKind::Valkey91 => "valkey-9.1",
        };
        let loads = report.loads_on.iter().any(|l| l.server == target && l.ok);
        let ours = report.verdict == Verdict::Loads && loads;
        for finding in report.findings.list() {
            assert!(
                finding.place.offset <= bytes.len() as u64,
                "{what}: {finding:?}"
            );
            assert!(
                finding.start <= finding.end && finding.end <= bytes.len() as u64,
                "{what}: {finding:?}"
            );
        }
        self.tried += 1;
        match (theirs, ours) {
            (true, true) => self.sound += 1,
            (false, false) => self.refused += 1,
            (true, false) => {
                let codes: Vec<&'static str> = report
                    .findings
                    .list()
                    .iter()
                    .filter(|f| f.severity == redkit::report::Severity::Error)
                    .map(|f| f.code)
                    .collect();
                if report.verdict == Verdict::Loads {
                    // A format that only other servers read: the checker looks at less than loading does.
                    *self.stricter.entry("loads-on").or_default() += 1;
                    return;
                }
                match codes
                    .iter()
                    .find(|code| STRICTER.iter().any(|(known, _)| known == *code))
                {
                    Some(code) => *self.stricter.entry(code).or_default() += 1,
                    None => self
                        .wrong
                        .push(format!("{what}: refused for {codes:?}, {kind} passes it")),
                }
            }
            (false, true) => {
                let says = checker::check_rdb(kind, file).stdout;
                let tail: String = says.lines().rev().take(8).collect::<Vec<_>>().join(" / ");
                self.wrong
                    .push(format!("{what}: passed, {kind} refuses it: {tail}"));
            }
        }
    }

    /// Tries an input with the checksum left and with it zeroed.
    fn check_both(&mut self, kind: ServerKind, bytes: &[u8], file: &Path, what: &str) {
        self.check(kind, bytes, file, what);
        if let Some(at) = bytes.len().checked_sub(8)
            && bytes.get(at.wrapping_sub(1)) == Some(&0xff)
        {
            let mut unsummed = bytes.to_vec();
            unsummed[at..].fill(0);
            self.check(kind, &unsummed, file, &format!("{what}, checksum zeroed"));
        }
    }

    fn conclude(self, what: &str) {
        println!(
            "{what}: {} tried, {} sound to both, {} refused by both, stricter {:?}",
            self.tried, self.sound, self.refused, self.stricter
        );
        assert!(
            self.wrong.is_empty(),
            "{} of {} differ:\n{}",
            self.wrong.len(),
            self.tried,
            self.wrong
                .iter()
                .take(25)
                .cloned()
                .collect::<Vec<_>>()
                .join("\n")
        );
    }
}

/// A sequence of numbers from a seed.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n.max(1)
    }
}

#[test]
fn every_truncation_and_flipped_bit_of_small_snapshots_is_judged_at_least_as_strictly() {
    for kind in ServerKind::usable() {
        let folder = TempFolder::new();
        let file = folder.path().join("f.rdb");
        let mut score = Score::default();
        let mut seeded = Seeded(kind.rdb_version() as u64);
        for (n, bytes) in small_snapshots(kind).iter().enumerate() {
            score.check_both(kind, bytes, &file, &format!("file {n}"));
            // Every place in the full run, a seeded part of them otherwise.
            let bits = bytes.len() * 8;
            for _ in 0..count(60, 0) {
                flip(&mut score, kind, bytes, seeded.below(bits), &file, n);
            }
            for bit in 0..count(0, bits) {
                flip(&mut score, kind, bytes, bit, &file, n);
            }
            for cut in (0..bytes.len()).step_by(count(17, 1)) {
                score.check(
                    kind,
                    &bytes[..cut],
                    &file,
                    &format!("file {n} cut at {cut}"),
                );
            }
        }
        score.conclude(&format!("{kind}, small"));
    }
}

fn flip(score: &mut Score, kind: ServerKind, bytes: &[u8], bit: usize, file: &Path, n: usize) {
    let mut flipped = bytes.to_vec();
    flipped[bit / 8] ^= 1 << (bit % 8);
    score.check_both(
        kind,
        &flipped,
        file,
        &format!("file {n} byte {} bit {}", bit / 8, bit % 8),
    );
}

#[test]
fn seeded_damages_of_larger_snapshots_are_judged_at_least_as_strictly() {
    for kind in ServerKind::usable() {
        let folder = TempFolder::new();
        let file = folder.path().join("f.rdb");
        let bytes = larger_snapshot(kind);
        let mut score = Score::default();
        let mut seeded = Seeded(7 + kind.rdb_version() as u64);
        score.check_both(kind, &bytes, &file, "undamaged");
        for n in 0..count(80, 2000) {
            let mut damaged = bytes.clone();
            let at = seeded.below(bytes.len());
            let len = (1 + seeded.below(64)).min(bytes.len() - at);
            let what = match n % 5 {
                0 => {
                    damaged[at] ^= 1 << seeded.below(8);
                    "bit"
                }
                1 => {
                    damaged[at..at + len].fill(0);
                    "zeroed"
                }
                2 => {
                    for b in &mut damaged[at..at + len] {
                        *b = seeded.below(256) as u8;
                    }
                    "overwritten"
                }
                3 => {
                    damaged.truncate(at);
                    "cut"
                }
                _ => {
                    damaged.extend((0..len).map(|i| (i * 7) as u8));
                    "junk behind"
                }
            };
            score.check_both(
                kind,
                &damaged,
                &file,
                &format!("damage {n} at {at}: {what}"),
            );
        }
        score.conclude(&format!("{kind}, larger"));
    }
}

/// A few hundred kilobytes of every type.
fn larger_snapshot(kind: ServerKind) -> Vec<u8> {
    let server = Server::start(kind, &[]);
    let mut commands: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut push =
        |words: Vec<String>| commands.push(words.into_iter().map(String::into_bytes).collect());
    for i in 0..300 {
        push(vec![
            "SET".into(),
            format!("str:{i}"),
            format!("value {}", "ab".repeat(i % 40)),
        ]);
        push(vec![
            "RPUSH".into(),
            format!("list:{}", i % 7),
            format!("{}", i * 1000),
            "x".repeat(i),
        ]);
        push(vec![
            "SADD".into(),
            format!("set:{}", i % 5),
            format!("m{i}"),
            format!("{i}"),
        ]);
        push(vec![
            "SADD".into(),
            format!("int:{}", i % 5),
            format!("{}", i * i),
        ]);
        push(vec![
            "ZADD".into(),
            format!("zset:{}", i % 2),
            format!("{}.5", i),
            format!("m{i}"),
        ]);
        push(vec![
            "HSET".into(),
            format!("hash:{}", i % 2),
            format!("f{i}"),
            format!("v{i}"),
        ]);
        push(vec![
            "XADD".into(),
            "stream".into(),
            format!("{}-1", i + 1),
            "a".into(),
            format!("{i}"),
            "b".into(),
            "x".into(),
        ]);
    }
    push(
        "XGROUP CREATE stream g 0"
            .split(' ')
            .map(str::to_owned)
            .collect(),
    );
    push(
        "XREADGROUP GROUP g c COUNT 50 STREAMS stream >"
            .split(' ')
            .map(str::to_owned)
            .collect(),
    );
    for reply in server.client().pipeline(&commands) {
        assert!(!reply.is_error(), "{reply:?}");
    }
    fs::read(server.save()).unwrap()
}

/// The checksum in the file of every server is the one that we compute.
#[test]
fn a_changed_byte_with_a_mended_checksum_is_judged_by_structure_alone() {
    for kind in ServerKind::usable() {
        let folder = TempFolder::new();
        let file = folder.path().join("f.rdb");
        let mut score = Score::default();
        for bytes in small_snapshots(kind) {
            let mut changed = bytes.clone();
            let at = changed.len() - 8;
            let sum = crc64::checksum(&changed[..at]);
            assert_eq!(sum.to_le_bytes(), changed[at..], "{kind}");
            changed[at..].copy_from_slice(&(sum ^ 1).to_le_bytes());
            let report = {
                fs::write(&file, &changed).unwrap();
                check_rdb(
                    &InputPath::File(file.clone()),
                    &CheckOptions::default(),
                    &run(),
                )
                .unwrap()
            };
            let code = Problem::Checksum {
                stored: 0,
                computed: 0,
            }
            .code();
            assert_eq!(
                report
                    .findings
                    .list()
                    .iter()
                    .map(|f| f.code)
                    .collect::<Vec<_>>(),
                [code]
            );
            score.check(kind, &changed, &file, "checksum off by one");
        }
        score.conclude(&format!("{kind}, checksum"));
    }
}
