//! The table of targets agrees with the servers: a small file from each, tried on each other.

mod support;

use redkit::rdb::batch::Batches;
use redkit::record::target::{Loads, Target, Used};
use redkit::record::{Flow, RdbType, RdbVersion, Record};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use support::TempFolder;
use support::payload::{self, record};
use support::server::{Server, ServerKind};

/// What a file uses, found out from its records.
#[derive(Default)]
struct Uses {
    version: Option<RdbVersion>,
    types: BTreeSet<RdbType>,
    opcodes: BTreeSet<u8>,
    modules: BTreeMap<String, u64>,
    highest_db: u32,
}

impl Uses {
    fn of(file: &[u8]) -> Uses {
        let mut uses = Uses::default();
        let mut batches = Batches::of_map(file);
        while let Some(batch) = batches.next_batch().expect("the file is sound") {
            let looked = batch.for_each(|record| {
                match record {
                    Record::Header(version) => uses.version = Some(*version),
                    Record::SelectDb(db) => uses.highest_db = uses.highest_db.max(*db),
                    Record::SlotInfo { .. } => {
                        uses.opcodes.insert(244);
                    }
                    Record::SlotImport { .. } => {
                        uses.opcodes.insert(243);
                    }
                    Record::Function(_) => {
                        uses.opcodes.insert(245);
                    }
                    Record::Entry(entry) => {
                        uses.types.insert(entry.value.rdb_type);
                    }
                    _ => {}
                }
                Ok(Flow::Continue)
            });
            looked.expect("the file is sound");
        }
        uses
    }

    fn on(&self, name: &str) -> Loads {
        let target = Target::from_name(name).expect(name);
        target.loads(&Used {
            version: self.version.expect("a header was read"),
            types: &self.types,
            opcodes: &self.opcodes,
            modules: &self.modules,
            highest_db: self.highest_db,
        })
    }
}

/// The row of the table for a server at hand.
fn target_of(kind: ServerKind) -> String {
    let (version, _) = kind.version().rsplit_once('.').expect("three numbers");
    let (family, _) = kind.id().split_once('-').expect("family and version");
    format!("{family}-{version}")
}

/// Words of the command line that give the server what a file needs.
fn settings(needs: &[String]) -> Vec<String> {
    needs
        .iter()
        .flat_map(|need| {
            let (name, value) = need.split_once(' ').expect("a setting and its value");
            [format!("--{name}"), value.to_owned()]
        })
        .collect()
}

/// Holds the table's word for a file against what each server does.
#[track_caller]
fn assert_agreed(what: &str, file: &[u8], uses: &Uses) {
    let folder = TempFolder::new();
    let path = folder.path().join("file.rdb");
    fs::write(&path, file).expect("the file is written");
    for kind in ServerKind::usable() {
        let loads = uses.on(&target_of(kind));
        let told = settings(&loads.needs);
        let told: Vec<&str> = told.iter().map(String::as_str).collect();
        if told.contains(&"--cluster-enabled") {
            // Loading in a cluster needs ports; tried by hand.
            continue;
        }
        let started = Server::start_with_rdb(kind, &path, &told);
        let log = started.as_ref().err().map(ToString::to_string);
        assert_eq!(
            started.is_ok(),
            loads.ok,
            "{what} on {kind}: {loads:?}\n{}",
            log.unwrap_or_default()
        );
        if loads.ok && !loads.needs.is_empty() {
            assert!(
                Server::start_with_rdb(kind, &path, &[]).is_err(),
                "{what} on {kind} does not need {:?}",
                loads.needs
            );
        }
    }
}

/// A key of every type, functions where there are any.
fn saved_by(kind: ServerKind, expiries: bool) -> Vec<u8> {
    let server = Server::start(kind, &[]);
    let mut client = server.client();
    cmd!(client, "SET", "string", "value").ok();
    cmd!(client, "RPUSH", "list", "a", "b").int();
    cmd!(client, "SADD", "set", "a", "b").int();
    cmd!(client, "SADD", "intset", "1", "2").int();
    cmd!(client, "ZADD", "zset", "1", "a").int();
    cmd!(client, "HSET", "hash", "f", "v").int();
    cmd!(client, "XADD", "stream", "1-1", "f", "v").bulk();
    if expiries {
        cmd!(
            client,
            "HPEXPIREAT",
            "hash",
            "5000000000000",
            "FIELDS",
            "1",
            "f"
        )
        .array();
    }
    fs::read(server.save()).expect("the saved file")
}

#[test]
fn what_each_server_saves_loads_where_the_table_says() {
    for kind in ServerKind::usable() {
        let file = saved_by(kind, false);
        let uses = Uses::of(&file);
        assert!(uses.on(&target_of(kind)).ok, "{kind} loads its own");
        assert_agreed(&format!("a file of {kind}"), &file, &uses);
        if kind.has_field_ttl() {
            let file = saved_by(kind, true);
            let uses = Uses::of(&file);
            assert!(uses.on(&target_of(kind)).ok, "{kind} loads its own");
            assert_agreed(
                &format!("a file of {kind} with expiries of fields"),
                &file,
                &uses,
            );
        }
    }
}

#[test]
fn what_is_put_together_by_hand_loads_where_the_table_says() {
    let key = || record(0, b"k", &payload::string(b"v"));
    let source = b"#!lua name=l\nredis.register_function('f', function() return 1 end)";
    let function = [&[245], &payload::string(source)[..]].concat();
    let with_expiry = |rdb_type: u8| {
        let mut value = Vec::new();
        if rdb_type == 24 {
            value.extend(4_102_444_800_000_i64.to_le_bytes());
        }
        value.extend([1, 0]);
        value.extend(payload::string(b"f"));
        value.extend(payload::string(b"v"));
        record(rdb_type, b"h", &value)
    };
    let set = payload::listpack(&[payload::Item::Str(b"a")]);
    let database = |db: u8| vec![254, db];
    type Case<'a> = (&'a str, &'a [u8; 9], Vec<Vec<u8>>);
    let cases: [Case<'_>; 16] = [
        ("version 2", b"REDIS0002", vec![key()]),
        ("version 11", b"REDIS0011", vec![key()]),
        ("version 12", b"REDIS0012", vec![key()]),
        ("version 13", b"REDIS0013", vec![key()]),
        ("version 15", b"REDIS0015", vec![key()]),
        ("version 80 of Valkey", b"VALKEY080", vec![key()]),
        ("version 81 of Valkey", b"VALKEY081", vec![key()]),
        ("a function", b"REDIS0009", vec![function, key()]),
        (
            "type 24 in an old file",
            b"REDIS0009",
            vec![with_expiry(24)],
        ),
        (
            "type 22 of release candidates",
            b"REDIS0012",
            vec![with_expiry(22)],
        ),
        (
            "type 20 in an old file",
            b"REDIS0009",
            vec![record(20, b"s", &payload::string(&set))],
        ),
        (
            "sizes of slots, 11",
            b"REDIS0011",
            vec![vec![244, 5, 1, 0], key()],
        ),
        (
            "sizes of slots, 12",
            b"REDIS0012",
            vec![vec![244, 5, 1, 0], key()],
        ),
        ("database 15", b"REDIS0009", vec![database(15), key()]),
        ("database 16", b"REDIS0009", vec![database(16), key()]),
        ("nothing", b"REDIS0009", vec![]),
    ];
    for (what, magic, records) in cases {
        let file = payload::file(magic, &records);
        assert_agreed(what, &file, &Uses::of(&file));
    }
}

#[test]
fn vector_sets_load_where_the_table_says() {
    if !ServerKind::Redis82.is_usable() {
        return;
    }
    let server = Server::start(ServerKind::Redis82, &[]);
    cmd!(
        server.client(),
        "VADD",
        "vectors",
        "VALUES",
        "2",
        "1",
        "2",
        "a"
    )
    .int();
    let file = fs::read(server.save()).expect("the saved file");
    // Under a version that every server reads.
    let records = file.get(9..file.len() - 9).expect("records").to_vec();
    let file = payload::file(b"REDIS0009", &[records]);
    let mut uses = Uses::of(&file);
    uses.modules.insert("vectorset".to_owned(), 1);
    assert_agreed("a vector set", &file, &uses);
}
