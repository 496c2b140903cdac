//! What a data set is, key by key: read here from the JSON of `dump-to-json`, in `live` from a
//! server, and compared.

use super::json::{Json, shown};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt::{Debug, Write};
use std::process::{Command, Output, Stdio};

/// Keys by database and name.
pub(crate) type Keys = BTreeMap<(u32, Vec<u8>), Key>;

/// A key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    /// The word of TYPE.
    pub(crate) data_type: String,
    /// The form in the file; of a server, the form that the file is expected to have.
    pub(crate) encoding: String,
    pub(crate) expire_at_ms: Option<i64>,
    pub(crate) idle_s: Option<u64>,
    pub(crate) freq: Option<u64>,
    pub(crate) value: Value,
}

/// What a key holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    String(Vec<u8>),
    List(Vec<Vec<u8>>),
    Set(BTreeSet<Vec<u8>>),
    /// Scores by their bits: 0 and -0 are two.
    ZSet(BTreeMap<Vec<u8>, Score>),
    /// Values with the expiry of the field.
    Hash(BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>),
    Stream(Box<Stream>),
    /// A module's value: its type's name, and what it says.
    Module(String, Json),
}

#[derive(Clone, Copy)]
pub(crate) struct Score(pub(crate) f64);

impl PartialEq for Score {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Debug for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// A stream. IDs are as servers write them, `1-2`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Stream {
    pub(crate) length: u64,
    pub(crate) last_id: String,
    pub(crate) first_id: String,
    pub(crate) max_deleted_id: String,
    pub(crate) entries_added: u64,
    pub(crate) entries: Vec<StreamEntry>,
    pub(crate) groups: BTreeMap<Vec<u8>, Group>,
}

/// An ID and pairs in their order; names may repeat.
pub(crate) type StreamEntry = (String, Vec<(Vec<u8>, Vec<u8>)>);

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Group {
    pub(crate) last_id: String,
    pub(crate) entries_read: Option<u64>,
    pub(crate) pending: Vec<Pending>,
    pub(crate) consumers: BTreeMap<Vec<u8>, Consumer>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pending {
    pub(crate) id: String,
    pub(crate) consumer: Vec<u8>,
    pub(crate) delivered_at_ms: i64,
    pub(crate) deliveries: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Consumer {
    pub(crate) seen_at_ms: i64,
    /// Not in files of streams before version 3.
    pub(crate) active_at_ms: Option<i64>,
}

/// Runs the program; nothing on its input.
#[track_caller]
pub(crate) fn redkit<A: AsRef<OsStr>>(arguments: &[A]) -> Output {
    // A long run may bring a copy of the program, so that it can be built anew meanwhile.
    let program = std::env::var_os("REDKIT_PROGRAM");
    let program = program.unwrap_or_else(|| env!("CARGO_BIN_EXE_redkit").into());
    let run = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    match run {
        Ok(output) => output,
        Err(error) => panic!("cannot run redkit: {error}"),
    }
}

/// The standard output of a run that must succeed.
#[track_caller]
pub(crate) fn redkit_ok<A: AsRef<OsStr>>(arguments: &[A]) -> String {
    let output = redkit(arguments);
    let words: Vec<_> = arguments.iter().map(AsRef::as_ref).collect();
    assert!(
        output.status.success(),
        "redkit {words:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    match String::from_utf8(output.stdout) {
        Ok(text) => text,
        Err(_) => panic!("redkit {words:?}: the output is no UTF-8"),
    }
}

/// The keys among the lines of `dump-to-json`.
#[track_caller]
pub(crate) fn keys_of(lines: &str) -> Keys {
    let mut keys = Keys::new();
    for line in lines.lines() {
        let json = Json::parse(line);
        if json.get("key").is_none() {
            continue;
        }
        let (db, name, key) = key_of(&json);
        let shown = name.escape_ascii().to_string();
        let before = keys.insert((db, name), key);
        assert!(before.is_none(), "key {shown} stands twice in db {db}");
    }
    keys
}

/// A server string: a JSON string, or an object with its bytes in base64.
#[track_caller]
pub(crate) fn bytes_of(json: &Json) -> Vec<u8> {
    match json {
        Json::String(text) => text.clone().into_bytes(),
        Json::Object(members) => match &members[..] {
            [(name, Json::String(text))] if name == "$b64" => base64(text),
            _ => panic!("no server string: {json:?}"),
        },
        other => panic!("no server string: {other:?}"),
    }
}

/// A field's name, which is the name of a member.
fn name_of(text: &str) -> Vec<u8> {
    match text.strip_prefix("\0b64:") {
        Some(text) => base64(text),
        None => text.as_bytes().to_vec(),
    }
}

#[track_caller]
fn base64(text: &str) -> Vec<u8> {
    let decoded = base64_simd::STANDARD.decode_to_vec(text);
    decoded.unwrap_or_else(|_| panic!("no base64: {}", shown(text)))
}

#[track_caller]
fn key_of(json: &Json) -> (u32, Vec<u8>, Key) {
    let known = [
        "db",
        "key",
        "type",
        "encoding",
        "expire_at_ms",
        "idle_s",
        "freq",
        "value",
        "field_expire_at_ms",
        "module",
        "module_version",
        "raw",
    ];
    for (name, _) in json.members() {
        assert!(known.contains(&name.as_str()), "unknown member {name}");
    }
    let db = u32::try_from(json.at("db").uint()).expect("a database's number");
    let name = bytes_of(json.at("key"));
    let data_type = json.at("type").str().to_owned();
    let expiries = json.get("field_expire_at_ms");
    assert!(expiries.is_none() || data_type == "hash");
    let value = match data_type.as_str() {
        "module" => {
            let module = json.at("module").str().to_owned();
            let value = json.get("value").unwrap_or_else(|| json.at("raw"));
            Value::Module(module, value.clone())
        }
        _ => value_of(&data_type, json.at("value"), expiries),
    };
    let key = Key {
        encoding: json.at("encoding").str().to_owned(),
        expire_at_ms: json.get("expire_at_ms").map(Json::int),
        idle_s: json.get("idle_s").map(Json::uint),
        freq: json.get("freq").map(Json::uint),
        data_type,
        value,
    };
    (db, name, key)
}

#[track_caller]
fn value_of(data_type: &str, json: &Json, expiries: Option<&Json>) -> Value {
    match data_type {
        "string" => Value::String(bytes_of(json)),
        "list" => Value::List(json.array().iter().map(bytes_of).collect()),
        "set" => {
            let items = json.array();
            let set: BTreeSet<_> = items.iter().map(bytes_of).collect();
            assert_eq!(set.len(), items.len(), "a member stands twice");
            Value::Set(set)
        }
        "zset" => {
            let items = json.array();
            let pair = |item: &Json| (bytes_of(item.at("member")), score_of(item.at("score")));
            let zset: BTreeMap<_, _> = items.iter().map(pair).collect();
            assert_eq!(zset.len(), items.len(), "a member stands twice");
            Value::ZSet(zset)
        }
        "hash" => {
            let fields = json.members();
            let pair = |(name, value): &(String, Json)| (name_of(name), (bytes_of(value), None));
            let mut hash: BTreeMap<_, _> = fields.iter().map(pair).collect();
            assert_eq!(hash.len(), fields.len(), "a field stands twice");
            for (name, at) in expiries.map_or(&[][..], Json::members) {
                match hash.get_mut(&name_of(name)) {
                    Some((_, expiry @ None)) => *expiry = Some(at.int()),
                    _ => panic!("expiry of a field that is not there, or a second one: {name}"),
                }
            }
            Value::Hash(hash)
        }
        "stream" => Value::Stream(Box::new(stream_of(json))),
        other => panic!("unknown type {other}"),
    }
}

#[track_caller]
fn score_of(json: &Json) -> Score {
    Score(match json {
        Json::Number(text) => text.parse().expect("a number"),
        Json::String(text) => match text.as_str() {
            "inf" => f64::INFINITY,
            "-inf" => f64::NEG_INFINITY,
            other => panic!("no score: {other}"),
        },
        other => panic!("no score: {other:?}"),
    })
}

#[track_caller]
fn stream_of(json: &Json) -> Stream {
    let id = |json: &Json| json.str().to_owned();
    let entry = |json: &Json| {
        let pairs = json.at("fields").array().iter().map(|pair| {
            let [name, value] = pair.array() else {
                panic!("no pair: {pair:?}")
            };
            (bytes_of(name), bytes_of(value))
        });
        (id(json.at("id")), pairs.collect())
    };
    let groups = json.at("groups").array();
    let stream = Stream {
        length: json.at("length").uint(),
        last_id: id(json.at("last_id")),
        first_id: id(json.at("first_id")),
        max_deleted_id: id(json.at("max_deleted_id")),
        entries_added: json.at("entries_added").uint(),
        entries: json.at("entries").array().iter().map(entry).collect(),
        groups: groups
            .iter()
            .map(|group| (bytes_of(group.at("name")), group_of(group)))
            .collect(),
    };
    assert_eq!(stream.groups.len(), groups.len(), "a group stands twice");
    stream
}

#[track_caller]
fn group_of(json: &Json) -> Group {
    let pending = |json: &Json| Pending {
        id: json.at("id").str().to_owned(),
        consumer: bytes_of(json.at("consumer")),
        delivered_at_ms: json.at("delivered_at_ms").int(),
        deliveries: json.at("deliveries").uint(),
    };
    let consumer = |json: &Json| {
        let times = Consumer {
            seen_at_ms: json.at("seen_at_ms").int(),
            active_at_ms: json.get("active_at_ms").map(Json::int),
        };
        (bytes_of(json.at("name")), times)
    };
    let consumers = json.at("consumers").array();
    let group = Group {
        last_id: json.at("last_id").str().to_owned(),
        entries_read: match json.at("entries_read") {
            Json::Null => None,
            number => Some(number.uint()),
        },
        pending: json.at("pending").array().iter().map(pending).collect(),
        consumers: consumers.iter().map(consumer).collect(),
    };
    assert_eq!(group.consumers.len(), consumers.len(), "a consumer twice");
    group
}

/// Fails with the first differences, if there are any.
#[track_caller]
pub(crate) fn assert_same(what: &str, of_server: &Keys, of_file: &Keys) {
    let differences = differences(of_server, of_file);
    if differences.is_empty() {
        return;
    }
    let mut text = format!("{what}: {} differences\n", differences.len());
    for difference in differences.iter().take(20) {
        let _ = writeln!(text, "  {difference}");
    }
    panic!("{text}");
}

/// What differs, a line each.
pub(crate) fn differences(of_server: &Keys, of_file: &Keys) -> Vec<String> {
    let mut found = Vec::new();
    let names: BTreeSet<_> = of_server.keys().chain(of_file.keys()).collect();
    for name in names {
        let (db, key) = name;
        let place = format!("db {db} key {}", shown(&key.escape_ascii().to_string()));
        let (one, other) = match (of_server.get(name), of_file.get(name)) {
            (Some(one), Some(other)) => (one, other),
            (Some(_), None) => {
                found.push(format!("{place}: the file's JSON does not have it"));
                continue;
            }
            _ => {
                found.push(format!("{place}: only the file's JSON has it"));
                continue;
            }
        };
        let mut differ = |what: &str, server: &dyn Debug, file: &dyn Debug| {
            let (server, file) = (format!("{server:?}"), format!("{file:?}"));
            if server != file {
                found.push(format!(
                    "{place}: {what}: server {}, file {}",
                    shown(&server),
                    shown(&file)
                ));
            }
        };
        differ("type", &one.data_type, &other.data_type);
        differ("encoding", &one.encoding, &other.encoding);
        differ("expiry", &one.expire_at_ms, &other.expire_at_ms);
        differ("idle time", &one.idle_s, &other.idle_s);
        differ("frequency", &one.freq, &other.freq);
        if one.value != other.value {
            found.push(format!(
                "{place}: {}",
                value_difference(&one.value, &other.value)
            ));
        }
    }
    found
}

fn value_difference(server: &Value, file: &Value) -> String {
    fn parts<K: Ord + Debug, V: PartialEq + Debug>(
        server: &BTreeMap<K, V>,
        file: &BTreeMap<K, V>,
    ) -> String {
        let keys: BTreeSet<&K> = server.keys().chain(file.keys()).collect();
        let differ = keys
            .into_iter()
            .find(|key| server.get(key) != file.get(key));
        match differ {
            Some(key) => format!(
                "at {}: server {}, file {}",
                shown(&format!("{key:?}")),
                shown(&format!("{:?}", server.get(key))),
                shown(&format!("{:?}", file.get(key)))
            ),
            None => "nothing".to_owned(),
        }
    }
    match (server, file) {
        (Value::List(server), Value::List(file)) => {
            let map = |list: &[Vec<u8>]| -> BTreeMap<usize, String> {
                let items = list.iter().map(|item| item.escape_ascii().to_string());
                items.enumerate().collect()
            };
            parts(&map(server), &map(file))
        }
        (Value::Set(server), Value::Set(file)) => {
            let map = |set: &BTreeSet<Vec<u8>>| -> BTreeMap<String, ()> {
                let items = set.iter().map(|item| item.escape_ascii().to_string());
                items.map(|item| (item, ())).collect()
            };
            parts(&map(server), &map(file))
        }
        (Value::ZSet(server), Value::ZSet(file)) => parts(server, file),
        (Value::Hash(server), Value::Hash(file)) => parts(server, file),
        (Value::Stream(server), Value::Stream(file)) => {
            let entries = |stream: &Stream| -> BTreeMap<usize, StreamEntry> {
                stream.entries.iter().cloned().enumerate().collect()
            };
            if server.entries != file.entries {
                return format!("entries {}", parts(&entries(server), &entries(file)));
            }
            if server.groups != file.groups {
                return format!("groups {}", parts(&server.groups, &file.groups));
            }
            let head = |stream: &Stream| Stream {
                entries: Vec::new(),
                groups: BTreeMap::new(),
                ..stream.clone()
            };
            format!("server {:?}, file {:?}", head(server), head(file))
        }
        _ => format!(
            "server {}, file {}",
            shown(&format!("{server:?}")),
            shown(&format!("{file:?}"))
        ),
    }
}
