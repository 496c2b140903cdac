//! What a running server answers of its data set, in the same terms as `dump`.

use super::dump::{Consumer, Group, Key, Keys, Pending, Score, Stream, StreamEntry, Value};
use super::json::Json;
use super::resp::{Client, Reply};
use super::server::ServerKind;
use crate::cmd;
use std::collections::BTreeMap;

/// Databases that a server has where nobody sets it.
const DATABASES: u32 = 16;

/// Everything in all databases.
#[track_caller]
pub(crate) fn keys(client: &mut Client, kind: ServerKind) -> Keys {
    keys_in(client, kind, 0..DATABASES)
}

/// Everything in some databases.
#[track_caller]
pub(crate) fn keys_in(
    client: &mut Client,
    kind: ServerKind,
    dbs: impl IntoIterator<Item = u32>,
) -> Keys {
    let mut keys = Keys::new();
    for db in dbs {
        cmd!(client, "SELECT", db.to_string()).ok();
        let names = cmd!(client, "KEYS", "*").array();
        for name in names.into_iter().map(Reply::bulk) {
            let key = key(client, kind, &name);
            keys.insert((db, name), key);
        }
    }
    cmd!(client, "SELECT", "0").ok();
    keys
}

/// One key of the selected database.
#[track_caller]
pub(crate) fn key(client: &mut Client, kind: ServerKind, name: &[u8]) -> Key {
    let data_type = cmd!(client, "TYPE", name).text();
    let encoding = cmd!(client, "OBJECT", "ENCODING", name).text();
    let value = value(client, kind, name, &data_type);
    Key {
        encoding: file_encoding(&encoding, &value),
        data_type: match &value {
            Value::Module(..) => "module".to_owned(),
            _ => data_type,
        },
        expire_at_ms: expiry(client, kind, name),
        idle_s: None,
        freq: None,
        value,
    }
}

/// Value of a key of the selected database.
#[track_caller]
pub(crate) fn value(client: &mut Client, kind: ServerKind, name: &[u8], data_type: &str) -> Value {
    let strings = |reply: Reply| reply.array().into_iter().map(Reply::bulk);
    match data_type {
        "string" => Value::String(cmd!(client, "GET", name).bulk()),
        "list" => Value::List(strings(cmd!(client, "LRANGE", name, "0", "-1")).collect()),
        "set" => Value::Set(strings(cmd!(client, "SMEMBERS", name)).collect()),
        "zset" => {
            let reply = cmd!(client, "ZRANGE", name, "0", "-1", "WITHSCORES");
            let items: Vec<_> = strings(reply).collect();
            let pair = |pair: &[Vec<u8>]| match pair {
                [member, score] => (member.clone(), score_of(score)),
                _ => panic!("a member without a score"),
            };
            Value::ZSet(items.chunks(2).map(pair).collect())
        }
        "hash" => hash(client, kind, name),
        "stream" => Value::Stream(Box::new(stream(client, kind, name))),
        // What a module says of its value is the test's business.
        other => Value::Module(other.to_owned(), Json::Null),
    }
}

/// When a key expires, Unix ms.
#[track_caller]
fn expiry(client: &mut Client, kind: ServerKind, name: &[u8]) -> Option<i64> {
    if kind != ServerKind::Redis62 {
        return Some(cmd!(client, "PEXPIRETIME", name).int()).filter(|&at| at >= 0);
    }
    // 6.2 tells only how long it still is: exact when the clock did not move meanwhile.
    loop {
        cmd!(client, "MULTI").ok();
        cmd!(client, "TIME").text();
        cmd!(client, "PTTL", name).text();
        cmd!(client, "TIME").text();
        let replies = cmd!(client, "EXEC").array();
        let [before, left, after] = &replies[..] else {
            panic!("three replies of a transaction: {replies:?}")
        };
        let left = left.clone().int();
        if left < 0 {
            return None;
        }
        let (before, after) = (time_ms(before), time_ms(after));
        if before == after {
            return Some(before + left);
        }
    }
}

/// A reply of TIME in ms.
#[track_caller]
pub(crate) fn time_ms(reply: &Reply) -> i64 {
    let numbers: Vec<i64> = reply
        .clone()
        .array()
        .into_iter()
        .map(|part| part.text().parse().expect("a number"))
        .collect();
    match numbers[..] {
        [seconds, micros] => seconds * 1000 + micros / 1000,
        _ => panic!("no time: {reply:?}"),
    }
}

/// The form that the file has, from the form in memory.
fn file_encoding(of_object: &str, value: &Value) -> String {
    let word = match value {
        // As an integer where the text is the canonical decimal of 32 bits; compressed where the
        // text is long and it pays.
        Value::String(bytes) => match std::str::from_utf8(bytes).map(str::parse::<i32>) {
            Ok(Ok(n)) if n.to_string().as_bytes() == bytes => "int",
            _ if bytes.len() > 20 => "raw or lzf",
            _ => "raw",
        },
        Value::List(_) => "quicklist",
        Value::Module(..) => "module",
        _ => of_object,
    };
    word.to_owned()
}

fn score_of(text: &[u8]) -> Score {
    let text = std::str::from_utf8(text).expect("a score is text");
    Score(text.parse().expect("a score is a number"))
}

#[track_caller]
fn hash(client: &mut Client, kind: ServerKind, name: &[u8]) -> Value {
    let items: Vec<_> = cmd!(client, "HGETALL", name)
        .array()
        .into_iter()
        .map(Reply::bulk)
        .collect();
    let mut hash: BTreeMap<_, _> = items
        .chunks(2)
        .map(|pair| match pair {
            [field, value] => (field.clone(), (value.clone(), None)),
            _ => panic!("a field without a value"),
        })
        .collect();
    // A plain listpack has no room for times, and looking for each field in it takes long.
    let encoding = cmd!(client, "OBJECT", "ENCODING", name).text();
    if kind.has_field_ttl() && encoding != "listpack" {
        let fields: Vec<Vec<u8>> = hash.keys().cloned().collect();
        for some in fields.chunks(1000) {
            let count = some.len().to_string();
            let mut words: Vec<&[u8]> = vec![b"HPEXPIRETIME", name, b"FIELDS", count.as_bytes()];
            words.extend(some.iter().map(Vec::as_slice));
            let times = client.cmd(&words).array();
            for (field, time) in some.iter().zip(times) {
                let at = time.int();
                assert!(at >= -1, "a field that is there: {at}");
                if let Some((_, expiry)) = hash.get_mut(field) {
                    *expiry = Some(at).filter(|&at| at >= 0);
                }
            }
        }
    }
    Value::Hash(hash)
}

#[track_caller]
fn stream(client: &mut Client, kind: ServerKind, name: &[u8]) -> Stream {
    let full = Pairs::of(cmd!(client, "XINFO", "STREAM", name, "FULL", "COUNT", "0"));
    let entries: Vec<StreamEntry> = full
        .at("entries")
        .array()
        .into_iter()
        .map(entry_of)
        .collect();
    // Two commands that read the same must agree.
    let range = cmd!(client, "XRANGE", name, "-", "+").array();
    assert_eq!(range.into_iter().map(entry_of).collect::<Vec<_>>(), entries);
    let id = |field: &str| full.at(field).text();
    let length = unsigned(full.at("length").int());
    let groups = full.at("groups").array();
    let mut stream = Stream {
        length,
        last_id: id("last-generated-id"),
        first_id: String::new(),
        max_deleted_id: "0-0".to_owned(),
        entries_added: length,
        groups: groups
            .into_iter()
            .map(|group| group_of(Pairs::of(group), kind))
            .collect(),
        entries,
    };
    if kind.has_stream_counters() {
        stream.first_id = id("recorded-first-entry-id");
        stream.max_deleted_id = id("max-deleted-entry-id");
        stream.entries_added = unsigned(full.at("entries-added").int());
    } else {
        let first = stream.entries.first();
        stream.first_id = first.map_or_else(|| "0-0".to_owned(), |(id, _)| id.clone());
    }
    stream
}

#[track_caller]
fn entry_of(reply: Reply) -> StreamEntry {
    let parts = reply.array();
    let [id, fields] = &parts[..] else {
        panic!("an entry is an ID and fields: {parts:?}")
    };
    let strings: Vec<_> = fields
        .clone()
        .array()
        .into_iter()
        .map(Reply::bulk)
        .collect();
    let pairs = strings.chunks(2).map(|pair| match pair {
        [name, value] => (name.clone(), value.clone()),
        _ => panic!("a field without a value"),
    });
    (id.clone().text(), pairs.collect())
}

#[track_caller]
fn group_of(group: Pairs, kind: ServerKind) -> (Vec<u8>, Group) {
    let pending = group
        .at("pending")
        .array()
        .into_iter()
        .map(|reply| {
            let parts = reply.array();
            let [id, consumer, time, count] = &parts[..] else {
                panic!("four parts of a pending entry: {parts:?}")
            };
            Pending {
                id: id.clone().text(),
                consumer: consumer.clone().bulk(),
                delivered_at_ms: time.clone().int(),
                deliveries: unsigned(count.clone().int()),
            }
        })
        .collect();
    // Files before version 3 of the type have the time of the last try only.
    let has_active = kind.rdb_version() >= 11;
    let consumers = group.at("consumers").array().into_iter().map(|reply| {
        let consumer = Pairs::of(reply);
        let times = Consumer {
            seen_at_ms: consumer.at("seen-time").int(),
            active_at_ms: has_active.then(|| consumer.at("active-time").int()),
        };
        (consumer.at("name").bulk(), times)
    });
    let read = match group.get("entries-read") {
        Some(Reply::Int(n)) if kind.has_stream_counters() => Some(unsigned(n)),
        _ => None,
    };
    let group_data = Group {
        last_id: group.at("last-delivered-id").text(),
        entries_read: read,
        pending,
        consumers: consumers.collect(),
    };
    (group.at("name").bulk(), group_data)
}

fn unsigned(n: i64) -> u64 {
    u64::try_from(n).expect("no negative number")
}

/// A reply of names and values in turn.
pub(crate) struct Pairs(Vec<(String, Reply)>);

impl Pairs {
    #[track_caller]
    pub(crate) fn of(reply: Reply) -> Pairs {
        let mut items = reply.array().into_iter();
        let mut pairs = Vec::new();
        while let (Some(name), Some(value)) = (items.next(), items.next()) {
            pairs.push((name.text(), value));
        }
        Pairs(pairs)
    }

    /// The value of this name. `pending` is called `pel` in some versions.
    pub(crate) fn get(&self, name: &str) -> Option<Reply> {
        let found = self.0.iter().find(|(n, _)| n == name);
        let found = found.or_else(|| {
            let other = self.0.iter().find(|(n, _)| n == "pel");
            other.filter(|_| name == "pending")
        });
        found.map(|(_, value)| value.clone())
    }

    #[track_caller]
    pub(crate) fn at(&self, name: &str) -> Reply {
        match self.get(name) {
            Some(value) => value,
            None => panic!("no {name} among {:?}", self.0),
        }
    }
}
