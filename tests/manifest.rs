//! Our reading of manifests against the official checkers' and the servers': the same are refused,
//! for the same reason at the same line, and the same files are opened.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use redkit::aof::manifest::{Dialect, Manifest, ManifestFault, Role};
use redkit::aof::set::{Effect, Listing, SetReport, path_in};
use redkit::record::target::Target;
use support::checker;
use support::resp::Reply;
use support::server::{Server, ServerKind};
use support::{TempFolder, count};

/// The files that lie beside each manifest; the others that it names are missing.
const PRESENT: &[&[u8]] = &[b"a", b"b", b"x y", b"q'z", b"\xfe", b"k\xffm", b"a b\"c"];

/// Bytes that tell the readers of manifests apart, put into any place of a manifest.
const PIECES: &[&[u8]] = &[
    b"\n", b"\r\n", b"\r", b"\t", b" ", b"\x0b", b"\x0c", b"\0", b"#", b"\"", b"'", b"\\", b"/",
    b"\\x00", b"\\x41", b"\xff", b"\xfe", b"\n\n", b"#x\n", b"\" \"", b"''", b"\"\"", b"-", b"0",
    b"file", b" file a", b" seq 0", b" seq 3", b" type b", b" type h", b" k v", b"x", b"\\n",
];

/// Names, sequence numbers and types that a generated line may have.
const NAMES: &[&[u8]] = &[
    b"a",
    b"b",
    b"a",
    b"b",
    b"\"x y\"",
    b"'x y'",
    b"\"q'z\"",
    b"q'z",
    b"'q\\'z'",
    b"\xfe",
    b"\"\\xfe\"",
    b"k\xffm",
    b"\"k\\xffm\"",
    b"\"a b\\\"c\"",
    b"missing",
    b"./a",
    b"..",
    b"\"\"",
    b"a\\b",
    b"x\" \"y",
    b"\"\\x61\"",
    b"\"a\\x00z\"",
    b"\"\\x4z\"",
];
const NUMBERS: &[&[u8]] = &[
    b"1",
    b"2",
    b"3",
    b"4",
    b"5",
    b"0",
    b"-1",
    b"+6",
    b"07",
    b"8x",
    b"x",
    b"\" 9\"",
    b"\"\"",
    b"9223372036854775808",
    b"-9223372036854775809",
    b"1e3",
];
const TYPES: &[&[u8]] = &[
    b"b",
    b"h",
    b"i",
    b"i",
    b"i",
    b"incr",
    b"history",
    b"'b'",
    b"B",
    b"x",
    b"\"\"",
    b"\"\\x69\"",
];
const KEYS: &[[&[u8]; 3]] = &[
    [b"file", b"seq", b"type"],
    [b"file", b"seq", b"type"],
    [b"file", b"seq", b"type"],
    [b"FILE", b"Seq", b"tYPE"],
    [b"\"file\"", b"'seq'", b"\"t\\x79pe\""],
    [b"\"file\\x00z\"", b"seq", b"type"],
    [b"fil\xe9", b"seq", b"type"],
];

/// xorshift64*: the same manifests in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let word = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(word).expect("31 bits") % bound
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// A manifest, good or nearly so. The first line makes the checkers take it for one.
fn generated(random: &mut Random) -> Vec<u8> {
    let mut text = b"file h seq 1 type h\n".to_vec();
    let lines = 1 + random.below(4);
    for number in 1..=lines {
        // Mostly a good line, so that the later ones are looked at as well.
        let odd = random.below(3) == 0;
        let name = if odd {
            random.pick(NAMES)
        } else {
            random.pick(&NAMES[..6])
        };
        let rising = number.to_string();
        let seq = if odd {
            random.pick(NUMBERS)
        } else {
            rising.as_bytes()
        };
        let role = if odd {
            random.pick(TYPES)
        } else {
            random.pick(&[b"i", b"i", b"i", b"b"])
        };
        let keys = if odd {
            KEYS[random.below(KEYS.len())]
        } else {
            KEYS[0]
        };
        let mut pairs = vec![(keys[0], name), (keys[1], seq), (keys[2], role)];
        match random.below(12) {
            0 => pairs.push((b"startoffset", b"7")),
            1 => pairs.insert(0, (b"k", b"'v w'")),
            2 => pairs.reverse(),
            3 => pairs.push((keys[1], b"77")),
            4 => drop(pairs.pop()),
            _ => {}
        }
        for (key, value) in pairs {
            text.extend_from_slice(key);
            text.extend_from_slice(random.pick(&[b" ", b" ", b" ", b"\t", b"  "]));
            text.extend_from_slice(value);
            text.push(b' ');
        }
        text.extend_from_slice(random.pick(&[b"\n", b"\n", b"\n", b"\r\n", b" \n"]));
        if random.below(8) == 0 {
            text.extend_from_slice(b"# a comment\n");
        }
    }
    text
}

/// The same with something wrong in it.
fn mutated(random: &mut Random) -> Vec<u8> {
    let mut text = generated(random);
    let start = b"file".len();
    for _ in 0..random.below(3) {
        let at = start + random.below(text.len() - start);
        match random.below(8) {
            0 => text.truncate(at.max(start + 1)),
            1 => drop(text.remove(at)),
            2 => text[at] = random.pick(PIECES)[0],
            3 => {
                // A line of about the longest length.
                let long = vec![b'x'; 1000 + random.below(30)];
                drop(text.splice(at..at, long));
            }
            4 => {
                let mut long = b"\n#".to_vec();
                long.resize(1020 + random.below(9), b'#');
                drop(text.splice(at..at, long));
            }
            _ => drop(text.splice(at..at, random.pick(PIECES).iter().copied())),
        }
    }
    text
}

fn dialect(kind: ServerKind) -> Dialect {
    let (name, _) = kind.id().rsplit_once('.').expect("an id has a patch level");
    Dialect::of(Target::from_name(name).expect("a server of the tests is known"))
}

fn multi_part() -> Vec<ServerKind> {
    let mut kinds = ServerKind::usable();
    kinds.retain(|kind| kind.has_multi_part_aof());
    kinds
}

fn shown(text: &[u8]) -> String {
    format!("{}", text.escape_ascii())
}

/// What a checker or a server says of a manifest, with our words in the same form.
fn complaint(fault: &ManifestFault) -> String {
    if fault.problem.shows_line() {
        let mut text = [b">>> '", &fault.text[..], b"'"].concat();
        // A message in the log has 1023 bytes at most.
        text.truncate(1023);
        let text = String::from_utf8_lossy(&text);
        format!("{}|{text}|{}", fault.line, fault.problem.reason())
    } else {
        fault.problem.reason().to_owned()
    }
}

/// The complaint in the output of a checker or the log of a server.
fn complaint_in(output: &str) -> Option<String> {
    let (_, output) = output.split_once("*** FATAL AOF MANIFEST FILE ERROR ***")?;
    // Each line has its process and time before it: `77:C 21 Nov 2026 09:37:34.409 # `.
    let mut said = output.split('\n').filter_map(|line| {
        let mut words = line.splitn(7, ' ');
        (words.nth(5) == Some("#")).then(|| words.next().unwrap_or_default().to_owned())
    });
    let first = said.next()?;
    match first.strip_prefix("Reading the manifest file, at line ") {
        Some(line) => Some(format!("{line}|{}|{}", said.next()?, said.next()?)),
        None => Some(first),
    }
}

/// One manifest, judged by us and by a checker. The reason when they differ.
fn judge(kind: ServerKind, folder: &Path, text: &[u8]) -> Result<Option<Manifest>, String> {
    let path = folder.join("m.manifest");
    fs::write(&path, text).expect("write the manifest");
    let theirs = checker::check_aof(kind, &[], &path);
    if !theirs.stdout.starts_with("Start checking Multi Part AOF") {
        return Err(format!("is no manifest to the checker: {}", theirs.stdout));
    }
    let said = complaint_in(&theirs.stdout);
    let manifest = match Manifest::parse_as(text, dialect(kind)) {
        Ok(manifest) => manifest,
        Err(fault) if said.as_ref() == Some(&complaint(&fault)) => return Ok(None),
        Err(fault) => return Err(format!("we: {}, the checker: {said:?}", complaint(&fault))),
    };
    if let Some(said) = said {
        return Err(format!("we take it, the checker says {said}"));
    }
    opens(&manifest, folder, &theirs.stdout)?;
    Ok(Some(manifest))
}

/// Whether a checker that took the manifest went through the files that we would.
fn opens(manifest: &Manifest, folder: &Path, stdout: &str) -> Result<(), String> {
    let says = |what: &str| match stdout.contains(what) {
        true => Ok(()),
        false => Err(format!("{what:?} is not in {stdout}")),
    };
    for file in manifest.in_load_order() {
        let name = String::from_utf8_lossy(&file.name);
        if !path_in(folder, &file.name).is_file() {
            // It ends there.
            return says(&format!("Cannot open file {}/{name}: ", folder.display()));
        }
        says(&format!("filename={name}, size="))?;
    }
    says("All AOF files and manifest are valid")
}

#[test]
fn the_same_manifests_are_refused_for_the_same_reason_at_the_same_line() {
    for kind in multi_part() {
        let folder = TempFolder::new();
        for name in PRESENT {
            let record = b"*1\r\n$4\r\nPING\r\n";
            fs::write(path_in(folder.path(), name), record).expect("write a file of the set");
        }
        let mut random = Random(0x5eed);
        let (mut taken, mut reasons) = (0, BTreeSet::new());
        for _ in 0..count(300, 5000) {
            let text = mutated(&mut random);
            match judge(kind, folder.path(), &text) {
                Err(difference) => panic!("{kind}: {}\n{difference}", shown(&text)),
                Ok(None) => {
                    let fault = Manifest::parse_as(&text, dialect(kind)).unwrap_err();
                    reasons.insert(fault.problem.reason());
                }
                Ok(Some(manifest)) => {
                    taken += 1;
                    let mut ours = b"file h seq 1 type h\n".to_vec();
                    manifest
                        .write(&mut ours)
                        .expect("it was in short enough lines");
                    match judge(kind, folder.path(), &ours) {
                        Ok(Some(_)) => {}
                        other => panic!("{kind}: as we write it, {}\n{other:?}", shown(&ours)),
                    }
                }
            }
        }
        // All but that of an empty manifest, which checkers do not take for one.
        assert_eq!(reasons.len(), 6, "{reasons:?}");
        assert!(taken > 50, "{kind}: only {taken} are good");
    }
}

/// A file of a set that sets one key.
fn sets(key: &str) -> Vec<u8> {
    let len = key.len();
    format!("*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n${len}\r\n{key}\r\n$1\r\n1\r\n")
        .into_bytes()
}

/// A folder as a server finds it: the manifest, the files in it, whether an old one lies beside it.
struct Layout {
    manifest: Option<&'static str>,
    files: &'static [&'static str],
    old: bool,
}

const BASE: &str = "appendonly.aof.1.base.aof";
const INCREMENTAL: &str = "appendonly.aof.1.incr.aof";
const SECOND: &str = "appendonly.aof.2.incr.aof";
const BOTH: &str =
    "file appendonly.aof.1.base.aof seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n";
const MOVED: &str = "file appendonly.aof seq 5 type b\n";

fn layouts() -> Vec<Layout> {
    let layout = |manifest, files, old| Layout {
        manifest,
        files,
        old,
    };
    let mut all = vec![
        layout(Some(BOTH), &[BASE, INCREMENTAL], true),
        layout(Some(BOTH), &[BASE], false),
        layout(Some(BOTH), &[INCREMENTAL], false),
        layout(
            Some("file appendonly.aof.1.incr.aof seq 3 type b\n"),
            &[INCREMENTAL],
            false,
        ),
        layout(
            Some("file appendonly.aof.1.base.aof seq -1 type b\n"),
            &[BASE, SECOND],
            false,
        ),
        layout(
            Some("file appendonly.aof.1.base.aof seq 1 type b\nfile h seq 1 type h\n"),
            &[BASE],
            false,
        ),
        layout(
            Some("file h seq 1 type h\nfile \"\" seq 1 type i\n"),
            &[],
            false,
        ),
        layout(Some(MOVED), &["appendonly.aof"], true),
        layout(
            Some("file appendonly.aof seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n"),
            &[INCREMENTAL],
            true,
        ),
        // What checkers take for a broken AOF, or for an empty one.
        layout(Some(""), &[BASE, INCREMENTAL], false),
        layout(Some(""), &[], true),
        layout(Some("\n"), &[BASE], false),
        layout(
            Some("FILE appendonly.aof.1.base.aof SEQ 1 TYPE b\n"),
            &[BASE],
            false,
        ),
        layout(
            Some("seq 1 type b file appendonly.aof.1.base.aof\r\n"),
            &[BASE],
            false,
        ),
        layout(
            Some("seq 1 type b file ./appendonly.aof.1.base.aof\n"),
            &[BASE],
            false,
        ),
        layout(Some("# all\0 of it is a comment"), &[BASE], false),
    ];
    for manifest in [
        None,
        Some("#\n"),
        Some("file h seq 1 type h\n"),
        Some(MOVED),
    ] {
        for old in [true, false] {
            all.push(layout(manifest, &[BASE, INCREMENTAL], old));
            all.push(layout(manifest, &[], old));
        }
    }
    all
}

#[test]
fn a_server_starts_with_the_files_that_the_report_says_or_refuses_for_that_reason() {
    for kind in multi_part() {
        for Layout {
            manifest,
            files,
            old,
        } in layouts()
        {
            let what = format!("{kind}: {manifest:?} {files:?} {old}");
            let mut expected = None;
            let prepare = |folder: &Path| {
                let inner = folder.join("appendonlydir");
                fs::create_dir(&inner).expect("make the folder of the set");
                for name in files {
                    fs::write(inner.join(name), sets(name)).expect("write a file of the set");
                }
                if let Some(text) = manifest {
                    fs::write(inner.join("appendonly.aof.manifest"), text)
                        .expect("write the manifest");
                }
                if old {
                    fs::write(folder.join("appendonly.aof"), sets("old"))
                        .expect("write the old file");
                }
                expected = Some(expectation(&inner, kind));
            };
            let limit = Duration::from_secs(20);
            let started = Server::start_prepared(kind, &["--appendonly", "yes"], limit, prepare);
            match (expected.expect("it was prepared"), started) {
                (Ok(keys), Ok(server)) => {
                    let Reply::Array(Some(found)) = cmd!(server.client(), "KEYS", "*") else {
                        panic!("{what}: no keys")
                    };
                    let found: BTreeSet<_> = found.into_iter().map(Reply::text).collect();
                    assert_eq!(found, keys, "{what}");
                }
                (Err(reason), Err(error)) => {
                    let said = complaint_in(&error.log);
                    assert_eq!(said, reason, "{what}: {error}");
                }
                (expected, Ok(_)) => panic!("{what}: it starts, and we expect {expected:?}"),
                (expected, Err(error)) => panic!("{what}: we expect {expected:?}, and {error}"),
            }
        }
    }
}

/// The keys that the server has at its start by our report, or the complaint about the manifest,
/// or nothing where it is files that are missing.
fn expectation(folder: &Path, kind: ServerKind) -> Result<BTreeSet<String>, Option<String>> {
    let listing = Listing::of_folder(folder).expect("it is a folder");
    let manifest = listing.manifest.as_ref().map(|(_, text)| {
        Manifest::parse_as(text, dialect(kind)).map_err(|fault| Some(complaint(&fault)))
    });
    let manifest = manifest.transpose()?;
    let report = SetReport::of(listing.input(manifest.as_ref()));
    if report.effect() == Effect::Refuses {
        return Err(None);
    }
    let upgraded = report.start == redkit::aof::set::Start::Upgrade;
    let keys = report.files.iter().map(|file| {
        assert!(
            file.size.is_some() && file.role != Role::History,
            "{file:?}"
        );
        match upgraded {
            true => "old".to_owned(),
            false => String::from_utf8(file.name.clone()).expect("the names are text"),
        }
    });
    Ok(keys.collect())
}
