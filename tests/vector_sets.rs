//! Vector sets, which Redis has since 8.0: what `dump-to-json` tells of them is what the server that
//! saved them answers, bit by bit.

mod support;

use std::collections::BTreeMap;
use support::dataset::{self, ODD_STRINGS};
use support::dump::{self, Value, bytes_of};
use support::json::Json;
use support::live::Pairs;
use support::resp::{Client, Reply};
use support::server::{Server, ServerKind};

/// A vector set.
#[derive(Debug, PartialEq)]
struct VectorSet {
    quantization: String,
    m: i64,
    dimension: i64,
    /// 0 without a projection.
    input_dimension: i64,
    elements: BTreeMap<Vec<u8>, Element>,
}

#[derive(Debug, PartialEq)]
struct Element {
    attributes: Option<Vec<u8>>,
    /// The bits of the stored components, as the server computes them.
    vector: Vec<u32>,
    norm: u32,
    range: Option<u32>,
}

/// The bits of the nearest float.
fn bits(text: &str) -> u32 {
    let value: f32 = text.parse().expect("a number");
    value.to_bits()
}

#[track_caller]
fn of_server(client: &mut Client, key: &[u8]) -> VectorSet {
    let info = Pairs::of(cmd!(client, "VINFO", key));
    let quantization = info.at("quant-type").text();
    let dimension = info.at("vector-dim").int();
    let size = info.at("size").int();
    let names = cmd!(client, "VRANDMEMBER", key, size.to_string()).array();
    let names: Vec<Vec<u8>> = names.into_iter().map(Reply::bulk).collect();
    let elements = names.into_iter().map(|name| {
        let attributes = cmd!(client, "VGETATTR", key, &name);
        let raw = cmd!(client, "VEMB", key, &name, "RAW").array();
        let [kind, blob, norm, range @ ..] = &raw[..] else {
            panic!("{raw:?}")
        };
        assert_eq!(kind.clone().text(), quantization);
        let range = range.first().map(|range| bits(&range.clone().text()));
        let element = Element {
            attributes: match attributes {
                Reply::Bulk(text) => text,
                other => panic!("{other:?}"),
            },
            vector: components(&quantization, &blob.clone().bulk(), dimension, range),
            norm: bits(&norm.clone().text()),
            range,
        };
        (name, element)
    });
    let elements: BTreeMap<_, _> = elements.collect();
    assert_eq!(Ok(elements.len()), usize::try_from(size));
    VectorSet {
        m: info.at("hnsw-m").int(),
        input_dimension: info.at("projection-input-dim").int(),
        quantization,
        dimension,
        elements,
    }
}

fn components(quantization: &str, blob: &[u8], dimension: i64, range: Option<u32>) -> Vec<u32> {
    let dimension = usize::try_from(dimension).expect("a count");
    let all: Vec<f32> = match quantization {
        "f32" => {
            let words = blob.chunks(4);
            words
                .map(|word| f32::from_le_bytes(word.try_into().expect("four bytes")))
                .collect()
        }
        "int8" => {
            let range = f32::from_bits(range.expect("a range"));
            let bytes = blob.iter();
            bytes
                .map(|&byte| f32::from(byte as i8) * range / 127.0)
                .collect()
        }
        _ => (0..dimension)
            .map(|i| match blob[i / 8] >> (i % 8) & 1 {
                1 => 1.0,
                _ => -1.0,
            })
            .collect(),
    };
    assert_eq!(all.len(), dimension);
    all.into_iter().map(f32::to_bits).collect()
}

#[track_caller]
fn of_file(json: &Json) -> VectorSet {
    let number = |json: &Json| match json {
        Json::Number(text) => bits(text),
        other => panic!("no number: {other:?}"),
    };
    let some = |json: &Json| match json {
        Json::Null => None,
        other => Some(other.clone()),
    };
    let items = json.at("elements").array();
    let elements: BTreeMap<_, _> = items
        .iter()
        .map(|item| {
            let element = Element {
                attributes: some(item.at("attributes")).map(|text| bytes_of(&text)),
                vector: item.at("vector").array().iter().map(number).collect(),
                norm: number(item.at("norm")),
                range: some(item.at("range")).map(|range| number(&range)),
            };
            (bytes_of(item.at("name")), element)
        })
        .collect();
    assert_eq!(elements.len(), items.len(), "an element stands twice");
    VectorSet {
        quantization: json.at("quantization").str().to_owned(),
        m: json.at("m").int(),
        dimension: json.at("dimension").int(),
        input_dimension: some(json.at("input_dimension")).map_or(0, |input| input.int()),
        elements,
    }
}

/// Components without any pattern, by a seed; some tiny, some large.
fn vector(seed: u64, dimension: usize) -> Vec<String> {
    let noise = dataset::noise(seed, dimension * 2);
    noise
        .chunks(2)
        .map(|pair| {
            format!(
                "{}",
                (f64::from(pair[0]) - 127.5) / f64::from(pair[1]).max(1.0)
            )
        })
        .collect()
}

#[track_caller]
fn add(client: &mut Client, key: &str, name: &[u8], vector: &[String], options: &[&str]) {
    let (before, after): (Vec<&str>, Vec<&str>) = match options {
        ["REDUCE", dimension, rest @ ..] => (vec!["REDUCE", dimension], rest.to_vec()),
        rest => (vec![], rest.to_vec()),
    };
    let count = vector.len().to_string();
    let mut words: Vec<&[u8]> = vec![b"VADD", key.as_bytes()];
    words.extend(before.iter().map(|word| word.as_bytes()));
    words.extend([&b"VALUES"[..], count.as_bytes()]);
    words.extend(vector.iter().map(String::as_bytes));
    words.push(name);
    words.extend(after.iter().map(|word| word.as_bytes()));
    assert_eq!(client.cmd(&words).int(), 1, "{key}");
}

#[test]
fn vector_sets_are_what_the_server_answers() {
    let kind = ServerKind::Redis82;
    if !kind.is_usable() {
        return;
    }
    let server = Server::start(kind, &[]);
    let mut client = server.client();
    for (key, dimension, options) in [
        ("f32", 5, &["NOQUANT"][..]),
        ("int8", 5, &["Q8"]),
        ("bin", 5, &["BIN"]),
        ("bin 64", 64, &["BIN"]),
        ("bin 65", 65, &["BIN"]),
        ("wide", 300, &["NOQUANT", "M", "4"]),
        ("one", 1, &["Q8", "M", "64"]),
        ("reduced", 20, &["REDUCE", "7", "NOQUANT"]),
        ("reduced int8", 20, &["REDUCE", "7", "Q8"]),
    ] {
        for i in 0..150 {
            let values = vector(i * 31 + dimension, dimension as usize);
            add(
                &mut client,
                key,
                format!("element {i}").as_bytes(),
                &values,
                options,
            );
            if i % 3 == 0 {
                let text = format!("{{\"year\":{i},\"text\":\"\u{e9}\\\"\"}}");
                cmd!(client, "VSETATTR", key, format!("element {i}"), text).int();
            }
        }
        for (i, name) in ODD_STRINGS.iter().enumerate() {
            let values = vector(i as u64 + 7000, dimension as usize);
            add(&mut client, key, name, &values, options);
        }
        cmd!(client, "VREM", key, "element 7").int();
    }
    add(
        &mut client,
        "zero",
        b"z",
        &["0".to_owned(), "0".to_owned()],
        &["NOQUANT"],
    );
    cmd!(client, "PEXPIREAT", "one", "33333333333333").int();
    let path = server.save();
    let path = path.to_str().expect("a path of a test is text");
    let keys = dump::keys_of(&dump::redkit_ok(&["dump-to-json", path]));
    assert_eq!(keys.len(), 10);
    for ((_, name), key) in &keys {
        let Value::Module(module, json) = &key.value else {
            panic!("{key:?}")
        };
        assert_eq!(module, "vectorset");
        let (server, file) = (of_server(&mut client, name), of_file(json));
        assert_eq!(server, file, "{}", name.escape_ascii());
    }
    let expiry = keys[&(0, b"one".to_vec())].expire_at_ms;
    assert_eq!(expiry, Some(33_333_333_333_333));
}
