//! JSON of arbitrary keyspaces: valid, reversible, and the same for any number of threads, from a
//! map and from a stream.

use std::collections::BTreeMap;
use std::io::Write;

use proptest::prelude::*;
use redkit::error::Result;
use redkit::io::progress::Quiet;
use redkit::rdb::string::{Compress, StringWriter, write_number};
use redkit::report::json::{Select, StringStyle};
use redkit::task::dump::{ChunkSink, DumpOptions, DumpOutcome, With, dump};
use redkit::task::from_json::{FromJsonOptions, from_json};
use redkit::task::{InputPath, Run};
use serde_json::Value;

/// A value as it was put into the file.
#[derive(Clone, Debug, PartialEq)]
enum Kept {
    String(Vec<u8>),
    List(Vec<Vec<u8>>),
    Set(Vec<Vec<u8>>),
    Hash(Vec<(Vec<u8>, Vec<u8>)>),
    ZSet(Vec<(Vec<u8>, f64)>),
}

/// Bytes of every sort: text, text with quotes and controls, integers, and anything at all.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => "[a-z:0-9]{0,30}".prop_map(String::into_bytes),
        2 => "\\PC{0,12}".prop_map(String::into_bytes),
        2 => any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        1 => Just(b"\0b64:eA==".to_vec()),
        2 => proptest::collection::vec(prop_oneof![Just(b'"'), Just(b'\\'), 0u8..0x20, 0x7fu8..=0xff], 0..40),
        3 => proptest::collection::vec(any::<u8>(), 0..60),
        1 => (any::<u8>(), 20..3000usize).prop_map(|(b, n)| vec![b; n]),
    ]
}

fn unique<T: Ord + Clone>(mut all: Vec<T>) -> Vec<T> {
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|x| seen.insert(x.clone()));
    all
}

fn value() -> impl Strategy<Value = Kept> {
    let many = || proptest::collection::vec(bytes(), 1..20);
    let score = prop_oneof![
        any::<f64>().prop_filter("a number", |f| !f.is_nan()),
        any::<i32>().prop_map(f64::from),
        Just(f64::INFINITY),
        Just(-0.0),
    ];
    prop_oneof![
        bytes().prop_map(Kept::String),
        many().prop_map(Kept::List),
        many().prop_map(|all| Kept::Set(unique(all))),
        proptest::collection::btree_map(bytes(), bytes(), 1..15)
            .prop_map(|m| Kept::Hash(m.into_iter().collect())),
        proptest::collection::btree_map(bytes(), score, 1..15)
            .prop_map(|m| Kept::ZSet(m.into_iter().collect())),
    ]
}

/// Database, key, expiry.
type Name = (u32, Vec<u8>);

fn keyspace() -> impl Strategy<Value = BTreeMap<Name, (Option<i64>, Kept)>> {
    let name = (prop_oneof![3 => Just(0u32), 1 => 0u32..20], bytes());
    let entry = (proptest::option::of(0i64..4_000_000_000_000), value());
    proptest::collection::btree_map(name, entry, 0..25)
}

/// The snapshot that holds a keyspace.
fn snapshot(keys: &BTreeMap<Name, (Option<i64>, Kept)>) -> Vec<u8> {
    let mut out = b"REDIS0011".to_vec();
    let mut strings = StringWriter::new(Compress::AsServer);
    let mut db = None;
    for ((number, key), (expiry, value)) in keys {
        if db != Some(*number) {
            out.push(0xfe);
            write_number(u64::from(*number), &mut out);
            db = Some(*number);
        }
        if let Some(ms) = expiry {
            out.push(0xfc);
            out.extend_from_slice(&ms.to_le_bytes());
        }
        let mut string = |bytes: &[u8], out: &mut Vec<u8>| {
            strings.write(redkit::bytes::Element::Bytes(bytes), out)
        };
        let mut body = Vec::new();
        let number = match value {
            Kept::String(s) => {
                string(s, &mut body);
                0
            }
            Kept::List(all) | Kept::Set(all) => {
                write_number(all.len() as u64, &mut body);
                for s in all {
                    string(s, &mut body);
                }
                if matches!(value, Kept::List(_)) { 1 } else { 2 }
            }
            Kept::Hash(all) => {
                write_number(all.len() as u64, &mut body);
                for (f, v) in all {
                    string(f, &mut body);
                    string(v, &mut body);
                }
                4
            }
            Kept::ZSet(all) => {
                write_number(all.len() as u64, &mut body);
                for (m, score) in all {
                    string(m, &mut body);
                    body.extend_from_slice(&score.to_le_bytes());
                }
                5
            }
        };
        out.push(number);
        string(key, &mut out);
        out.extend_from_slice(&body);
    }
    out.push(0xff);
    let sum = redkit::encoding::crc64::checksum(&out);
    out.extend_from_slice(&sum.to_le_bytes());
    out
}

#[derive(Default)]
struct Text(Vec<u8>);

impl ChunkSink for Text {
    fn chunk(&mut self, chunk: &[u8]) -> Result<()> {
        self.0.extend_from_slice(chunk);
        Ok(())
    }
}

fn run(threads: usize, mmap: bool) -> Run<'static> {
    Run {
        threads,
        mmap,
        max_spool: 1 << 30,
        max_memory: 1 << 30,
        progress: &Quiet,
    }
}

fn dumped(
    file: &std::path::Path,
    options: &DumpOptions,
    threads: usize,
    mmap: bool,
) -> (Vec<u8>, DumpOutcome) {
    let run = run(threads, mmap);
    let mut text = Text(Vec::new());
    let outcome = dump(&InputPath::File(file.to_owned()), options, &run, &mut text).unwrap();
    (text.0, outcome)
}

/// The bytes that a JSON value means.
fn meant(value: &Value) -> Vec<u8> {
    if let Value::String(text) = value {
        return text.clone().into_bytes();
    }
    let (style, text) = value.as_object().unwrap().iter().next().unwrap();
    decoded(style.strip_prefix('$').unwrap(), text.as_str().unwrap())
}

fn decoded(style: &str, text: &str) -> Vec<u8> {
    match style {
        "b64" => base64_simd::STANDARD.decode_to_vec(text).unwrap(),
        "hex" => text
            .as_bytes()
            .chunks(2)
            .map(|d| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap())
            .collect(),
        "esc" => {
            let mut out = Vec::new();
            let mut rest = text.as_bytes();
            while let Some((&b, after)) = rest.split_first() {
                rest = after;
                match (b, after.first()) {
                    (b'\\', Some(b'\\')) => {
                        out.push(b'\\');
                        rest = &after[1..];
                    }
                    (b'\\', Some(b'x')) => {
                        out.push(
                            u8::from_str_radix(std::str::from_utf8(&after[1..3]).unwrap(), 16)
                                .unwrap(),
                        );
                        rest = &after[3..];
                    }
                    _ => out.push(b),
                }
            }
            out
        }
        other => panic!("style {other}"),
    }
}

/// The bytes that the name of an object's member means.
fn meant_name(name: &str) -> Vec<u8> {
    match name
        .strip_prefix('\0')
        .and_then(|rest| rest.split_once(':'))
    {
        Some((style, text)) => decoded(style, text),
        None => name.as_bytes().to_vec(),
    }
}

fn meant_score(value: &Value) -> f64 {
    match value {
        Value::String(word) => word.parse().unwrap(),
        number => number.as_f64().unwrap(),
    }
}

/// The keyspace that a dump means.
fn read_back(text: &[u8]) -> BTreeMap<Name, (Option<i64>, Kept)> {
    let mut all = BTreeMap::new();
    for line in text.split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
        let object: Value = serde_json::from_slice(line)
            .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(line)));
        let value = &object["value"];
        let list = |value: &Value| {
            value
                .as_array()
                .unwrap()
                .iter()
                .map(meant)
                .collect::<Vec<_>>()
        };
        let kept = match object["type"].as_str().unwrap() {
            "string" => Kept::String(meant(value)),
            "list" => Kept::List(list(value)),
            "set" => Kept::Set(list(value)),
            "hash" => {
                let mut pairs: Vec<_> = match value {
                    Value::Object(map) => {
                        map.iter().map(|(f, v)| (meant_name(f), meant(v))).collect()
                    }
                    pairs => pairs
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|p| (meant(&p[0]), meant(&p[1])))
                        .collect(),
                };
                pairs.sort();
                Kept::Hash(pairs)
            }
            "zset" => Kept::ZSet(
                value
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|m| (meant(&m["member"]), meant_score(&m["score"])))
                    .collect(),
            ),
            other => panic!("type {other}"),
        };
        let name = (
            u32::try_from(object["db"].as_u64().unwrap()).unwrap(),
            meant(&object["key"]),
        );
        assert!(
            all.insert(
                name,
                (object.get("expire_at_ms").and_then(Value::as_i64), kept)
            )
            .is_none()
        );
    }
    all
}

/// Equal, the sign of zero included.
fn same(a: &BTreeMap<Name, (Option<i64>, Kept)>, b: &BTreeMap<Name, (Option<i64>, Kept)>) -> bool {
    format!("{a:?}") == format!("{b:?}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_is_dumped_can_be_read_back(keys in keyspace(), style in 0..4, pairs: bool) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&snapshot(&keys)).unwrap();
        let strings = [StringStyle::Auto, StringStyle::Base64, StringStyle::Hex, StringStyle::Escape][style as usize];
        let options = DumpOptions { strings, pairs, ..DumpOptions::default() };
        let (text, outcome) = dumped(file.path(), &options, 1, true);
        prop_assert!(outcome.complete, "{:?}", outcome.findings);
        prop_assert_eq!(outcome.keys, keys.len() as u64);
        let back = read_back(&text);
        prop_assert!(same(&back, &keys), "{back:?}\n{keys:?}");

        // And the snapshot that is made of it holds the same; of no text none is made.
        if keys.is_empty() {
            return Ok(());
        }
        let mut json = tempfile::NamedTempFile::new().unwrap();
        json.write_all(&text).unwrap();
        let mut made = Text::default();
        let input = InputPath::File(json.path().to_owned());
        let made_of = from_json(&input, &FromJsonOptions::default(), &run(2, true), &mut made).unwrap();
        prop_assert!(made_of.errors.is_empty() && made_of.twice.is_empty(), "{made_of:?}");
        let mut copy = tempfile::NamedTempFile::new().unwrap();
        copy.write_all(&made.0).unwrap();
        let sorted = DumpOptions { sort: true, ..DumpOptions::default() };
        let [before, after] = [file.path(), copy.path()].map(|path| read_back(&dumped(path, &sorted, 1, true).0));
        prop_assert!(same(&before, &after), "{before:?}\n{after:?}");
    }

    #[test]
    fn threads_and_pipes_change_nothing(keys in keyspace(), sort: bool, document: bool) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&snapshot(&keys)).unwrap();
        let with = With { meta: true, size: true, offset: true, ttl: false };
        let options = DumpOptions { sort, document, with, with_end: true, ..DumpOptions::default() };
        let (whole, _) = dumped(file.path(), &options, 1, true);
        for (threads, mmap) in [(2, true), (8, true), (1, false), (3, false)] {
            let (other, outcome) = dumped(file.path(), &options, threads, mmap);
            prop_assert!(outcome.complete);
            prop_assert_eq!(&other, &whole);
        }
        if document {
            let parsed: Value = serde_json::from_slice(&whole).unwrap();
            prop_assert_eq!(&parsed["complete"], &Value::Bool(true));
        }
    }

    #[test]
    fn damage_leaves_valid_json_and_says_so(keys in keyspace(), cut in any::<prop::sample::Index>(), document: bool) {
        let bytes = snapshot(&keys);
        let cut = cut.index(bytes.len());
        prop_assume!(cut >= 6);
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&bytes[..cut]).unwrap();
        let options = DumpOptions { document, with_end: true, ..DumpOptions::default() };
        let (text, outcome) = dumped(file.path(), &options, 2, true);
        prop_assert!(!outcome.complete);
        if document {
            let parsed: Value = serde_json::from_slice(&text).unwrap();
            prop_assert_eq!(&parsed["complete"], &Value::Bool(false));
            prop_assert_eq!(parsed["keys"].as_array().unwrap().len() as u64, outcome.keys);
        } else {
            let last: Value = serde_json::from_slice(text.split(|&b| b == b'\n').rev().nth(1).unwrap()).unwrap();
            prop_assert_eq!(&last["$end"]["complete"], &Value::Bool(false));
        }
    }
}

#[test]
fn a_sorted_dump_is_in_the_order_of_databases_and_keys() {
    let mut keys = BTreeMap::new();
    for i in 0..500u32 {
        let key = format!("{}", (i * 7919) % 500).into_bytes();
        keys.insert(
            (i % 3, key),
            (None, Kept::Set(vec![b"b".to_vec(), b"a".to_vec()])),
        );
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    // A file in another order than that of its keys.
    let mut bytes = snapshot(&BTreeMap::new());
    bytes.truncate(9);
    for (name, value) in keys.iter().rev() {
        let one = snapshot(&BTreeMap::from([(name.clone(), value.clone())]));
        bytes.extend_from_slice(&one[9..one.len() - 9]);
    }
    bytes.extend_from_slice(b"\xff\0\0\0\0\0\0\0\0");
    file.write_all(&bytes).unwrap();
    let options = DumpOptions {
        sort: true,
        select: Select::All,
        ..DumpOptions::default()
    };
    let (text, _) = dumped(file.path(), &options, 2, true);
    let lines: Vec<Value> = text
        .split(|&b| b == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect();
    let order: Vec<Name> = lines
        .iter()
        .map(|o| (o["db"].as_u64().unwrap() as u32, meant(&o["key"])))
        .collect();
    assert_eq!(order, keys.keys().cloned().collect::<Vec<_>>());
    assert!(
        lines
            .iter()
            .all(|o| o["value"] == serde_json::json!(["a", "b"]))
    );
}
