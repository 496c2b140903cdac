//! What is fuzzed, without a fuzzer: the same functions on the kept corpora, on every input that was
//! ever wrong, and on seeded mutations of them, a bounded number. `fuzz/run` is for a fuzzer.

mod support;

#[path = "replay_workload/grammar.rs"]
#[allow(dead_code)]
mod grammar;
#[path = "fuzz_corpora/seeds.rs"]
mod seeds;
#[path = "fuzz_corpora/targets/mod.rs"]
mod targets;

use std::fs;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use redkit::io::source::{Content, OpenOptions, Source};

use grammar::Random;
use targets::{TARGETS, Target};

/// Runs of the cheapest target on mutations.
const RUNS: usize = 20_000;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of an archive (`tar`, compressed), as `fuzz/run` packs them.
fn unpacked(path: &Path) -> Vec<Vec<u8>> {
    let source = Source::open(path, OpenOptions::default()).unwrap();
    let mut tar = Vec::new();
    match source.into_content() {
        Content::Stream(mut stream) => {
            stream.read_to_end(&mut tar).unwrap();
        }
        Content::Map(_) => panic!("{} is not compressed", path.display()),
    }
    let mut files = Vec::new();
    let mut rest: &[u8] = &tar;
    while let Some((header, after)) = rest.split_at_checked(512) {
        if header[0] == 0 {
            break;
        }
        let digits = std::str::from_utf8(&header[124..135]).unwrap();
        let size = usize::from_str_radix(digits.trim(), 8).unwrap();
        if header[156] == b'0' {
            files.push(after[..size].to_vec());
        }
        rest = &after[size.next_multiple_of(512)..];
    }
    assert!(!files.is_empty(), "{}", path.display());
    files
}

fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let mut inputs = unpacked(&root().join(format!("fuzz/corpus/{}.tar.gz", target.name)));
    inputs.extend(crashes(target).into_iter().map(|(_, bytes)| bytes));
    inputs
}

/// Inputs that were wrong once.
fn crashes(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = root().join("testdata/crashes");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name
            .split_once('-')
            .is_some_and(|(of, _)| of == target.name)
        {
            let bytes = fs::read(&path).unwrap();
            found.push((path, bytes));
        }
    }
    found.sort();
    found
}

/// Runs a target; says which input it was that it fails for.
fn tried(target: &Target, input: &[u8], what: &str) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (target.run)(input))) {
        let kept = std::env::temp_dir().join(format!("{}-failed", target.name));
        fs::write(&kept, input).unwrap();
        eprintln!("{}: {what}; kept as {}", target.name, kept.display());
        resume_unwind(panic);
    }
}

/// One of a corpus, changed.
fn mutated(corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = random.pick(corpus).clone();
    for _ in 0..1 + random.below(4) {
        let at = random.below(bytes.len() + 1);
        let until = (at + 1 + random.below(16)).min(bytes.len());
        match random.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = random.next() as u8,
            2 if at < bytes.len() => bytes[at] = *random.pick(&[0, 1, 0x7f, 0x80, 0xc0, 0xff]),
            3 => drop(bytes.drain(at..until)),
            4 => drop(bytes.splice(at..at, random.next().to_le_bytes())),
            5 => {
                let copy = bytes[at..until].to_vec();
                let to = random.below(bytes.len() + 1);
                bytes.splice(to..to, copy);
            }
            6 => bytes.truncate(at),
            _ => {
                let other = random.pick(corpus);
                let from = random.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
    bytes
}

fn holds(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    for (path, bytes) in crashes(target) {
        tried(target, &bytes, &path.display().to_string());
    }
    let corpus = corpus(target);
    for (n, input) in corpus.iter().enumerate() {
        tried(target, input, &format!("number {n} of the corpus"));
    }
    let mut random = Random::new(support::seed());
    for n in 0..support::count(RUNS, 50 * RUNS) / target.cost {
        let input = mutated(&corpus, &mut random);
        tried(target, &input, &format!("mutation {n}"));
    }
}

macro_rules! each {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            holds(stringify!($name));
        })*

        #[test]
        fn every_target_is_run() {
            let all: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(all, [$(stringify!($name)),*]);
        }
    };
}

each! {
    listpack ziplist intset zipmap lzf value packed quicklist stream module rdb chunks segments
    salvage resp manifest fix replay replay_resp rewrite convert from_json json_round_trip
}

#[test]
fn every_crash_is_of_a_target() {
    for entry in fs::read_dir(root().join("testdata/crashes")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let of = name.split_once('-').map(|(of, _)| of);
        let known = TARGETS.iter().any(|target| Some(target.name) == of);
        assert!(known || name == "README.md", "{name}");
    }
}

/// Writes what a corpus begins with, a folder for each target: `fuzz/run` does it.
#[test]
#[ignore = "for fuzz/run: writes to REDKIT_FUZZ_SEEDS"]
fn seeds_are_written() {
    let folder = std::env::var_os("REDKIT_FUZZ_SEEDS").expect("REDKIT_FUZZ_SEEDS is a folder");
    seeds::write(Path::new(&folder));
}
