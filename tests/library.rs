//! The library's face, as a caller has it: what it writes, servers load; what servers write, it reads
//! whole; what it copies is what it was.

mod support;

use std::fs;
use std::io::Cursor;
use std::path::Path;

use redkit::error::{ErrorKind, Problem};
use redkit::{
    DataType, Entry, Field, Replay, Snapshot, SnapshotWriter, Target, Value, Verdict, check,
};
use support::server::{Server, ServerKind};
use support::{TempFolder, dataset};

fn target_of(kind: ServerKind) -> Target {
    let id = kind.id();
    let (name, _) = id.rsplit_once('.').unwrap();
    Target::named(name).unwrap()
}

fn bytes(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// Small and large ones of every type that can be made.
fn values() -> Vec<(&'static str, Value)> {
    let numbered = |count: usize| (0..count).map(|n| bytes(&format!("element-{n}")));
    let field = |n: usize| Field {
        name: bytes(&format!("field-{n}")),
        value: bytes(&n.to_string()),
        expires_at: None,
    };
    let zset = |count| numbered(count).enumerate();
    let zset = |count| zset(count).map(|(n, member)| (member, n as f64 / 4.0 - 3.0));
    vec![
        ("string", Value::String(vec![0xff, 0, b'x'])),
        ("string:empty", Value::String(Vec::new())),
        ("string:int", Value::String(bytes("-12345"))),
        ("string:long", Value::String(b"abc".repeat(100_000))),
        ("list", Value::List(numbered(3).collect())),
        ("list:long", Value::List(numbered(5000).collect())),
        ("set:ints", Value::Set(vec![bytes("1"), bytes("70000")])),
        ("set", Value::Set(numbered(3).collect())),
        ("set:long", Value::Set(numbered(5000).collect())),
        ("zset", Value::ZSet(zset(3).collect())),
        ("zset:long", Value::ZSet(zset(5000).collect())),
        ("hash", Value::Hash((0..3).map(field).collect())),
        ("hash:long", Value::Hash((0..5000).map(field).collect())),
    ]
}

/// The same whatever the order that a set, sorted set or hash stands in.
fn sorted(mut value: Value) -> Value {
    match &mut value {
        Value::Set(members) => members.sort(),
        Value::ZSet(members) => members.sort_by(|a, b| a.0.cmp(&b.0)),
        Value::Hash(fields) => fields.sort_by(|a, b| a.name.cmp(&b.name)),
        _ => {}
    }
    value
}

#[test]
fn what_is_written_for_a_server_is_loaded_by_it() {
    for kind in ServerKind::usable() {
        let target = target_of(kind);
        let mut writer = SnapshotWriter::new(Vec::new(), &target);
        for (key, value) in values() {
            writer.insert(0, key.as_bytes(), &value, None).unwrap();
            let expires_at = Some(4_102_444_800_000);
            writer
                .insert(7, key.as_bytes(), &value, expires_at)
                .unwrap();
        }
        let folder = TempFolder::new();
        let file = folder.path().join("made.rdb");
        fs::write(&file, writer.finish().unwrap()).unwrap();

        let found = check(&file).unwrap();
        assert_eq!(found.verdict, Verdict::Loads, "{kind}: {found:?}");
        let server = Server::start_with_rdb(kind, &file, &[]).unwrap();
        let mut client = server.client();
        for db in ["0", "7"] {
            cmd!(client, "SELECT", db).ok();
            assert_eq!(cmd!(client, "DBSIZE").int(), values().len() as i64);
        }
        assert!(cmd!(client, "PTTL", "hash").int() > 0);
        // What the server has of it and saves is what was given.
        let saved = server.save();
        let replay = Replay::of(&saved).unwrap();
        for (key, value) in values() {
            let expires_at = replay.expires_at(7, key.as_bytes());
            assert_eq!(expires_at, Some(4_102_444_800_000), "{kind}: {key}");
            let found = replay.get(7, key.as_bytes()).unwrap().unwrap();
            assert_eq!(sorted(found), sorted(value.clone()), "{kind}: {key}");
            let mut snapshot = Snapshot::open(&saved).unwrap();
            let of_key = |entry: &Entry<'_>| entry.db() == 0 && entry.key() == key.as_bytes();
            let entry = snapshot.entries().map(Result::unwrap).find(of_key).unwrap();
            assert_eq!(
                sorted(entry.value().unwrap()),
                sorted(value),
                "{kind}: {key}"
            );
        }
    }
}

#[test]
fn a_copy_for_the_same_server_is_the_same_keyspace() {
    for kind in ServerKind::usable() {
        let server = Server::start(kind, &[]);
        dataset::fill(&mut server.client(), kind);
        let saved = server.save();
        let target = target_of(kind);
        let mut writer = SnapshotWriter::new(Vec::new(), &target);
        let mut keys = 0;
        let mut others = 0;
        let mut snapshot = Snapshot::open(&saved).unwrap();
        for entry in snapshot.entries() {
            let entry = entry.unwrap();
            keys += 1;
            if let Value::Other { json, data_type } = entry.value().unwrap() {
                assert_eq!(data_type, entry.data_type());
                assert!(json.starts_with('{') && json.ends_with('}'), "{json}");
                others += 1;
            }
            writer.copy(&entry).unwrap();
        }
        assert!(keys > 100 && others > 0, "{kind}: {keys} keys, {others}");
        let folder = TempFolder::new();
        let file = folder.path().join("copy.rdb");
        fs::write(&file, writer.finish().unwrap()).unwrap();
        let (source, copy) = (Replay::of(&saved).unwrap(), Replay::of(&file).unwrap());
        assert_eq!(source.databases(), copy.databases());
        for db in source.databases() {
            assert!(source.keys(db).eq(copy.keys(db)));
            for key in source.keys(db) {
                let (was, is) = (source.get(db, key).unwrap(), copy.get(db, key).unwrap());
                // Shown short: some values are long.
                assert!(was == is, "{kind}: {}", key.escape_ascii());
                assert_eq!(source.expires_at(db, key), copy.expires_at(db, key));
            }
        }
    }
}

#[test]
fn damage_comes_behind_every_key_that_stands_before_it() {
    let few = fs::read("testdata/rdb/redis-7.0.15/few.rdb").unwrap();
    let whole = Snapshot::from_reader(Cursor::new(few.clone()))
        .unwrap()
        .entries()
        .map(|entry| entry.unwrap().offset())
        .collect::<Vec<_>>();
    assert_eq!(whole.len(), 12);
    for len in 1..few.len() - 9 {
        let mut cut = Snapshot::from_reader(Cursor::new(few[..len].to_vec())).unwrap();
        let mut entries: Vec<_> = cut.entries().collect();
        let error = entries.pop().unwrap().unwrap_err();
        assert!(
            error
                .place()
                .is_some_and(|place| place.offset <= len as u64)
        );
        let before = whole.iter().filter(|at| **at < len as u64).count();
        let read = entries.iter().filter(|entry| entry.is_ok()).count();
        assert!(read == before || read + 1 == before, "{len}: {read}");
    }
}

#[test]
fn what_no_server_or_not_this_one_holds_is_refused_and_leaves_nothing() {
    let old = Target::named("redis-6.2").unwrap();
    let mut writer = SnapshotWriter::new(Vec::new(), &old);
    let mut refused = |value: Value| writer.insert(0, b"k", &value, None).unwrap_err();
    assert!(matches!(
        refused(Value::List(Vec::new())).kind(),
        ErrorKind::Usage(_)
    ));
    assert!(matches!(
        refused(Value::ZSet(vec![(bytes("m"), f64::NAN)])).kind(),
        ErrorKind::Usage(_)
    ));
    let with_ttl = Value::Hash(vec![Field {
        name: bytes("f"),
        value: bytes("v"),
        expires_at: Some(4_102_444_800_000),
    }]);
    let error = refused(with_ttl.clone());
    assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{error}");
    assert_eq!(error.key(), Some(&b"k"[..]));
    let stream = Value::Other {
        data_type: DataType::Stream,
        json: "{}".to_owned(),
    };
    assert!(matches!(refused(stream).kind(), ErrorKind::Usage(_)));
    let empty = writer.finish().unwrap();
    let mut empty = Snapshot::from_reader(Cursor::new(empty)).unwrap();
    assert_eq!(empty.entries().count(), 0);

    let new = Target::named("redis-8.2").unwrap();
    let mut writer = SnapshotWriter::new(Vec::new(), &new);
    writer.insert(0, b"k", &with_ttl, None).unwrap();
    let bytes = writer.finish().unwrap();
    let mut snapshot = Snapshot::from_reader(Cursor::new(bytes)).unwrap();
    let entry = snapshot.entries().next().unwrap().unwrap();
    assert_eq!(entry.value().unwrap(), with_ttl);
    assert!(Target::named("redis-3.1").is_err());
}

#[test]
fn a_key_twice_fails_the_end_of_the_file() {
    let target = Target::named("redis-8.2").unwrap();
    let value = Value::String(bytes("v"));
    for (second_db, fails) in [(0, true), (1, false)] {
        let mut writer = SnapshotWriter::new(Vec::new(), &target);
        writer.insert(0, b"k", &value, None).unwrap();
        for n in 0..5000 {
            let key = format!("other:{n}");
            writer.insert(0, key.as_bytes(), &value, None).unwrap();
        }
        writer.insert(second_db, b"k", &value, None).unwrap();
        assert_eq!(writer.finish().is_err(), fails);
    }
}

#[test]
fn a_check_tells_logs_from_snapshots_by_their_content() {
    let verdict = |path: &str| check(path).unwrap().verdict;
    assert_eq!(verdict("testdata/rdb/valkey-9.1.2/few.rdb"), Verdict::Loads);
    assert_eq!(verdict("testdata/aof/set"), Verdict::Loads);
    assert_eq!(verdict("testdata/aof/redis-7.0.15.aof"), Verdict::Loads);
    assert_eq!(
        verdict("testdata/aof/redis-6.2.5-preamble.aof"),
        Verdict::Loads
    );
    let cut = check("testdata/aof/torn-tail.aof").unwrap();
    assert_eq!(cut.verdict, Verdict::LoadsTruncated);
    assert!(!cut.findings.is_empty());
    let base = check("testdata/aof/set-damaged-base").unwrap();
    assert_eq!(base.verdict, Verdict::Refused);
    assert!(base.findings.iter().any(|finding| finding.file.is_some()));
    let error = check("testdata/other/text.txt").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WrongKind { .. }));
    let error = check("testdata/no-such-file").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io(_)));
    assert!(Snapshot::open(Path::new("testdata/aof/redis-7.0.15.aof")).is_err());
    let mut damaged = Snapshot::open("testdata/broken/cut-in-a-value.rdb").unwrap();
    let last = damaged.entries().last().unwrap().unwrap_err();
    assert!(
        matches!(last.problem(), Some(Problem::Truncated { .. })),
        "{last}"
    );
}
