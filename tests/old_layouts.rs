//! Layouts that current servers read and no longer write: put together by hand, accepted by a server
//! through RESTORE, asked back from it, and equal to what `dump-to-json` tells of a file with the
//! same bytes.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use support::TempFolder;
use support::dataset::{self, ODD_STRINGS, edges};
use support::dump::{self, Keys, Score, Value};
use support::live;
use support::payload::{
    self, Item, file, intset, length, listpack, record, restore, ziplist, zipmap,
};
use support::resp::Client;
use support::server::{Server, ServerKind};

/// A value in an old layout.
struct Layout {
    name: String,
    rdb_type: u8,
    /// The form that `dump-to-json` names.
    encoding: &'static str,
    value: Vec<u8>,
    /// What it means; a stream's meaning is what the server says.
    means: Option<Value>,
}

impl Layout {
    fn new(
        name: &str,
        rdb_type: u8,
        encoding: &'static str,
        value: Vec<u8>,
        means: Value,
    ) -> Layout {
        Layout {
            name: name.to_owned(),
            rdb_type,
            encoding,
            value,
            means: Some(means),
        }
    }

    /// The version of the format that it came with.
    fn version(&self) -> u16 {
        match self.rdb_type {
            16..=19 => 10,
            20 | 21 => 11,
            22..=25 => 12,
            _ => 9,
        }
    }
}

fn int_text(n: i64) -> Vec<u8> {
    n.to_string().into_bytes()
}

/// Numbers at all edges, and strings at all lengths, as entries of a packed form.
fn entries(strings: &[Vec<u8>]) -> Vec<Item<'_>> {
    let mut items: Vec<Item<'_>> = edges().into_iter().map(Item::Int).collect();
    items.extend(strings.iter().map(|text| Item::Str(text)));
    items
}

fn text(item: &Item<'_>) -> Vec<u8> {
    match item {
        Item::Int(n) => int_text(*n),
        Item::Str(text) => text.to_vec(),
    }
}

/// Strings around the edges of every form of a length; no two are equal, none is a number.
fn long_strings() -> Vec<Vec<u8>> {
    let lengths = [
        0, 1, 63, 64, 252, 253, 254, 255, 4095, 4096, 16_383, 16_384, 70_000,
    ];
    let noisy = lengths.iter().map(|&len| {
        let mut text = dataset::noise(len as u64 + 100, len);
        if let Some(first) = text.first_mut() {
            *first = b'~';
        }
        text
    });
    noisy.collect()
}

fn list_of(items: &[Item<'_>]) -> Value {
    Value::List(items.iter().map(text).collect())
}

fn hash_of(items: &[Item<'_>]) -> Value {
    let pairs = items.chunks(2).map(|pair| match pair {
        [field, value] => (text(field), (text(value), None)),
        _ => panic!("a field without a value"),
    });
    Value::Hash(pairs.collect())
}

/// How the string is stored that holds a packed form.
type Blob = fn(&[u8]) -> Vec<u8>;

const PLAIN_AND_LZF: [Blob; 2] = [payload::string, payload::lzf_string];

fn lists(blob: Blob) -> Vec<Layout> {
    let strings = long_strings();
    let items = entries(&strings);
    let texts: Vec<Vec<u8>> = items.iter().map(text).collect();
    let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
    // Numbers stored as integers of the string form, and a string by LZF.
    let mut stored = length(4);
    stored.extend([0xc0, 0x80, 0xc1, 0, 0x80, 0xc2, 0, 0, 0, 0x80]);
    stored.extend([0xc3, 11, 0x40, 120, 3]);
    stored.extend(b"abca\xe0\x69\x02\x01bc");
    let stored_means = [&b"-128"[..], b"-32768", b"-2147483648", &b"abc".repeat(40)];
    let pieces: Vec<&[Item<'_>]> = items.chunks(7).collect();
    let mut nodes = length(pieces.len());
    for piece in &pieces {
        nodes.extend(blob(&ziplist(piece)));
    }
    vec![
        Layout::new(
            "strings",
            1,
            "linkedlist",
            payload::strings(&texts, 1),
            list_of(&items),
        ),
        Layout::new(
            "stored",
            1,
            "linkedlist",
            stored,
            Value::List(stored_means.iter().map(|text| text.to_vec()).collect()),
        ),
        Layout::new(
            "ziplist",
            10,
            "ziplist",
            blob(&ziplist(&items)),
            list_of(&items),
        ),
        Layout::new("ziplists", 14, "quicklist", nodes, list_of(&items)),
    ]
}

fn sets(blob: Blob) -> Vec<Layout> {
    let odd = ODD_STRINGS;
    let set = Value::Set(odd.iter().map(|text| text.to_vec()).collect());
    let mut layouts = vec![Layout::new(
        "table",
        2,
        "hashtable",
        payload::strings(odd, 1),
        set,
    )];
    for (width, bits) in [(2, 16), (4, 32), (8, 64)] {
        let half = 1i128 << (bits - 1);
        let members: Vec<i64> = edges()
            .into_iter()
            .filter(|&n| (-half..half).contains(&i128::from(n)))
            .collect();
        let means = Value::Set(members.iter().map(|&n| int_text(n)).collect());
        let name = format!("intset of {bits} bits");
        let bytes = blob(&intset(width, &members));
        layouts.push(Layout::new(&name, 11, "intset", bytes, means));
    }
    layouts
}

fn sorted_sets(blob: Blob) -> Vec<Layout> {
    // Without -0, whose sign some servers lose where they convert.
    let mut scores = vec![
        f64::NEG_INFINITY,
        -1.5e300,
        -1.0,
        -0.1,
        0.0,
        5e-324,
        0.1,
        1.0,
        3.5,
        1e21,
        f64::INFINITY,
    ];
    let means = |scores: &[f64]| {
        let pairs = scores.iter().enumerate();
        Value::ZSet(
            pairs
                .map(|(i, &score)| (format!("m{i}").into(), Score(score)))
                .collect(),
        )
    };
    let table = |score_bytes: &dyn Fn(f64) -> Vec<u8>| {
        let mut value = length(scores.len());
        for (i, &score) in scores.iter().enumerate() {
            value.extend(payload::string(format!("m{i}").as_bytes()));
            value.extend(score_bytes(score));
        }
        value
    };
    let as_text = table(&payload::score_text);
    let binary = table(&|score| score.to_le_bytes().to_vec());
    let mut layouts = vec![
        Layout::new("text", 3, "skiplist", as_text, means(&scores)),
        Layout::new("binary", 5, "skiplist", binary, means(&scores)),
    ];
    // Ascending, integers as such, others as text.
    scores.extend(
        edges()
            .iter()
            .filter(|n| n.unsigned_abs() <= 1 << 53)
            .map(|&n| n as f64),
    );
    scores.sort_by(f64::total_cmp);
    scores.dedup();
    let names: Vec<String> = (0..scores.len()).map(|i| format!("m{i}")).collect();
    let texts: Vec<String> = scores
        .iter()
        .map(|score| match *score {
            f64::INFINITY => "inf".to_owned(),
            f64::NEG_INFINITY => "-inf".to_owned(),
            score => format!("{score:e}"),
        })
        .collect();
    let mut items = Vec::new();
    for ((name, text), &score) in names.iter().zip(&texts).zip(&scores) {
        items.push(Item::Str(name.as_bytes()));
        items.push(match score {
            n if n.fract() == 0.0 && n.abs() < 1e16 => Item::Int(n as i64),
            _ => Item::Str(text.as_bytes()),
        });
    }
    let bytes = blob(&ziplist(&items));
    layouts.push(Layout::new("ziplist", 12, "ziplist", bytes, means(&scores)));
    let bytes = blob(&listpack(&items));
    layouts.push(Layout::new(
        "listpack",
        17,
        "listpack",
        bytes,
        means(&scores),
    ));
    layouts
}

fn hashes(blob: Blob) -> Vec<Layout> {
    let strings = long_strings();
    let items = entries(&strings);
    let whole = items.len() / 2 * 2;
    let items = &items[..whole];
    let short = [
        (&b"a"[..], &b"1"[..]),
        (b"", b"empty name"),
        (b"empty value", b""),
        (b"\xff\x00", b"\x00\xff"),
    ];
    let texts: Vec<Vec<u8>> = items.iter().map(text).collect();
    let long: Vec<(&[u8], &[u8])> = texts
        .chunks(2)
        .map(|pair| (&pair[0][..], &pair[1][..]))
        .collect();
    let means = |pairs: &[(&[u8], &[u8])]| {
        let pairs = pairs.iter();
        Value::Hash(
            pairs
                .map(|(f, v)| (f.to_vec(), (v.to_vec(), None)))
                .collect(),
        )
    };
    let table: Vec<&[u8]> = long.iter().flat_map(|(f, v)| [*f, *v]).collect();
    let mut layouts = vec![
        Layout::new(
            "table",
            4,
            "hashtable",
            payload::strings(&table, 2),
            means(&long),
        ),
        Layout::new(
            "ziplist",
            13,
            "ziplist",
            blob(&ziplist(items)),
            hash_of(items),
        ),
        Layout::new(
            "listpack",
            16,
            "listpack",
            blob(&listpack(items)),
            hash_of(items),
        ),
    ];
    for (name, pairs, free) in [
        ("zipmap", &short[..], 0),
        ("zipmap with room", &short[..], 3),
        ("zipmap of long strings", &long[..], 1),
    ] {
        let bytes = blob(&zipmap(pairs, free));
        layouts.push(Layout::new(name, 9, "zipmap", bytes, means(pairs)));
    }
    layouts
}

/// Layouts of the release candidates of 7.4, which 8.2.3 still reads, beside those that followed.
fn field_expiries(blob: Blob) -> Vec<Layout> {
    let fields: [(&[u8], &[u8], u64); 4] = [
        (b"soon", b"1", 4_102_444_800_000),
        (b"later", b"two", 4_102_444_800_500),
        (b"last", b"", (1 << 46) - 1),
        (b"never", b"3", 0),
    ];
    let pairs = fields.iter().map(|&(field, value, at)| {
        let at = (at != 0).then_some(at as i64);
        (field.to_vec(), (value.to_vec(), at))
    });
    let means = || Value::Hash(pairs.clone().collect());
    let wide = |n: u64| [&[0x81], &n.to_be_bytes()[..]].concat();
    let least: u64 = 4_102_444_800_000;
    let table = |since: u64| {
        let mut value = length(fields.len());
        for (field, text, at) in fields {
            value.extend(wide(if at == 0 { 0 } else { at - since }));
            value.extend(payload::string(field));
            value.extend(payload::string(text));
        }
        value
    };
    let mut items = Vec::new();
    for (field, text, at) in &fields {
        items.push(Item::Str(field));
        match *text {
            b"1" => items.push(Item::Int(1)),
            b"3" => items.push(Item::Int(3)),
            text => items.push(Item::Str(text)),
        }
        items.push(Item::Int(*at as i64));
    }
    let packed = blob(&listpack(&items));
    let behind_least = |rest: &[u8]| [&least.to_le_bytes()[..], rest].concat();
    vec![
        Layout::new("table, candidate", 22, "hashtable", table(0), means()),
        Layout::new(
            "listpack, candidate",
            23,
            "listpackex",
            packed.clone(),
            means(),
        ),
        Layout::new(
            "table",
            24,
            "hashtable",
            behind_least(&table(least - 1)),
            means(),
        ),
        Layout::new("listpack", 25, "listpackex", behind_least(&packed), means()),
    ]
}

/// Streams of the first three versions: two nodes, one entry deleted, a group with two consumers.
fn streams(blob: Blob) -> Vec<Layout> {
    let id = |ms: u64, seq: u64| [ms.to_be_bytes(), seq.to_be_bytes()].concat();
    let a = Item::Str(b"a");
    let b = Item::Str(b"b");
    // 1-1 {a:1,b:2}, 1-2 deleted, 2-0 {c:5}
    let mut first = vec![Item::Int(2), Item::Int(1), Item::Int(2), a, b, Item::Int(0)];
    first.extend([2, 0, 0, 1, 2, 5].map(Item::Int));
    first.extend([3, 0, 1, 3, 4, 5].map(Item::Int));
    first.extend([0, 1, -1, 1].map(Item::Int));
    first.extend([Item::Str(b"c"), Item::Int(5), Item::Int(6)]);
    // 70000-7 {a:x}, 70000-6+2^32... by wide differences
    let mut second = vec![Item::Int(2), Item::Int(0), Item::Int(1), a, Item::Int(0)];
    second.extend([
        Item::Int(2),
        Item::Int(0),
        Item::Int(0),
        Item::Str(b"x"),
        Item::Int(4),
    ]);
    second.extend([2, 1 << 40, -7].map(Item::Int));
    second.extend([Item::Int(-123_456_789_012), Item::Int(4)]);
    let last_ms = 70_000 + (1u64 << 40);
    let last_ms_length = [&[0x81], &last_ms.to_be_bytes()[..]].concat();
    let mut layouts = Vec::new();
    for (rdb_type, version) in [(15, 1), (19, 2), (21, 3)] {
        let mut value = length(2);
        for (key, node) in [(id(1, 1), &first), (id(70_000, 7), &second)] {
            value.extend(payload::string(&key));
            value.extend(blob(&listpack(node)));
        }
        value.extend(length(4));
        value.extend(&last_ms_length);
        value.extend(length(5));
        if version >= 2 {
            value.extend([1, 1]); // first entry
            value.extend([1, 2]); // highest deleted
            value.extend(length(1000)); // added ever
        }
        let groups: &[(&[u8], bool)] = match version {
            1 => &[(b"g", true), (b"empty", false)],
            _ => &[(b"g", true), (b"empty", false), (b"unknown", false)],
        };
        value.extend(length(groups.len()));
        for (name, used) in groups {
            value.extend(payload::string(name));
            value.extend([2, 0]); // last delivered
            if version >= 2 {
                match *name {
                    b"unknown" => value.extend([0x81, 255, 255, 255, 255, 255, 255, 255, 255]),
                    _ => value.extend(length(999)),
                }
            }
            if !used {
                value.extend([0, 0]);
                continue;
            }
            value.extend(length(2));
            for (ms, seq, at, count) in [(1, 1, 1_700_000_000_123_i64, 3), (2, 0, 1, 70)] {
                value.extend(id(ms, seq));
                value.extend(at.to_le_bytes());
                value.extend(length(count));
            }
            value.extend(length(2));
            type Owned<'a> = (&'a [u8], i64, &'a [(u64, u64)]);
            let consumers: [Owned<'_>; 2] = [
                (b"c\xff", 1_700_000_000_999, &[(1, 1), (2, 0)]),
                (b"idle", 1_700_000_000_000, &[]),
            ];
            for (name, seen, pending) in consumers {
                value.extend(payload::string(name));
                value.extend(seen.to_le_bytes());
                if version >= 3 {
                    let active = if pending.is_empty() { -1 } else { seen - 7 };
                    value.extend(active.to_le_bytes());
                }
                value.extend(length(pending.len()));
                for &(ms, seq) in pending {
                    value.extend(id(ms, seq));
                }
            }
        }
        layouts.push(Layout {
            name: format!("version {version}"),
            rdb_type,
            encoding: "stream",
            value,
            means: None,
        });
    }
    layouts
}

/// What the server fills in where an old layout of a stream says nothing, our JSON leaves unsaid.
fn forget_what_the_layout_lacks(rdb_type: u8, value: &mut Value) {
    let Value::Stream(stream) = value else { return };
    if rdb_type == 15 {
        stream.entries_added = stream.length;
        stream.max_deleted_id = "0-0".to_owned();
    }
    for group in stream.groups.values_mut() {
        if rdb_type == 15 {
            group.entries_read = None;
        }
        if rdb_type != 21 {
            for consumer in group.consumers.values_mut() {
                consumer.active_at_ms = None;
            }
        }
    }
}

/// What the server makes of the value.
#[track_caller]
fn restored(client: &mut Client, kind: ServerKind, layout: &Layout) -> Value {
    cmd!(client, "FLUSHALL").ok();
    let argument = restore(layout.rdb_type, &layout.value, layout.version());
    let reply = cmd!(client, "RESTORE", "key", "0", argument);
    if reply.is_error() {
        panic!(
            "{kind} {} of type {}: {}",
            layout.name,
            layout.rdb_type,
            reply.error()
        );
    }
    live::key(client, kind, b"key").value
}

/// What the program makes of a file with it.
#[track_caller]
fn of_file(folder: &Path, layout: &Layout) -> Keys {
    let path = folder.join("file.rdb");
    let magic = match layout.version() {
        10 => b"REDIS0010",
        11 => b"REDIS0011",
        12 => b"REDIS0012",
        _ => b"REDIS0009",
    };
    let records = [record(layout.rdb_type, b"key", &layout.value)];
    fs::write(&path, file(magic, &records)).expect("the file is written");
    let path = path.to_str().expect("a path of a test is text");
    dump::keys_of(&dump::redkit_ok(&["dump-to-json", path]))
}

#[track_caller]
fn assert_read_as_servers_do(layouts: &[Layout], kinds: &[ServerKind]) {
    let folder = TempFolder::new();
    for kind in ServerKind::usable_of(kinds) {
        let server = Server::start(kind, &[]);
        let mut client = server.client();
        for layout in layouts {
            let mut value = restored(&mut client, kind, layout);
            if let Some(means) = &layout.means {
                let of = |value: &Value| of_one(layout, value.clone());
                let what = format!("{kind} {} of type {}: meant", layout.name, layout.rdb_type);
                dump::assert_same(&what, &of(&value), &of(means));
            }
            forget_what_the_layout_lacks(layout.rdb_type, &mut value);
            let what = format!("{kind} {} of type {}", layout.name, layout.rdb_type);
            let read = of_file(folder.path(), layout);
            dump::assert_same(&what, &of_one(layout, value), &read);
        }
    }
}

/// The key that a layout is.
fn of_one(layout: &Layout, value: Value) -> Keys {
    let data_type = match value {
        Value::String(_) => "string",
        Value::List(_) => "list",
        Value::Set(_) => "set",
        Value::ZSet(_) => "zset",
        Value::Hash(_) => "hash",
        Value::Stream(_) => "stream",
        Value::Module(..) => "module",
    };
    let key = dump::Key {
        data_type: data_type.to_owned(),
        encoding: layout.encoding.to_owned(),
        expire_at_ms: None,
        idle_s: None,
        freq: None,
        value,
    };
    BTreeMap::from([((0, b"key".to_vec()), key)])
}

/// Those that every server reads, and those that only some know.
fn known_to(layouts: Vec<Layout>, newest: u8) -> Vec<Layout> {
    let known = layouts.into_iter();
    known.filter(|layout| layout.rdb_type <= newest).collect()
}

const WITH_LISTPACKS: &[ServerKind] = &[
    ServerKind::Redis70,
    ServerKind::Redis82,
    ServerKind::Valkey81,
    ServerKind::Valkey91,
];

#[test]
fn lists_of_old_are_read_as_servers_read_them() {
    for blob in PLAIN_AND_LZF {
        assert_read_as_servers_do(&lists(blob), &ServerKind::ALL);
    }
}

#[test]
fn sets_of_old_are_read_as_servers_read_them() {
    for blob in PLAIN_AND_LZF {
        assert_read_as_servers_do(&sets(blob), &ServerKind::ALL);
    }
}

#[test]
fn sorted_sets_of_old_are_read_as_servers_read_them() {
    for blob in PLAIN_AND_LZF {
        assert_read_as_servers_do(&known_to(sorted_sets(blob), 15), &ServerKind::ALL);
        assert_read_as_servers_do(&sorted_sets(blob), WITH_LISTPACKS);
    }
}

#[test]
fn hashes_of_old_are_read_as_servers_read_them() {
    for blob in PLAIN_AND_LZF {
        assert_read_as_servers_do(&known_to(hashes(blob), 15), &ServerKind::ALL);
        assert_read_as_servers_do(&hashes(blob), WITH_LISTPACKS);
    }
}

#[test]
fn field_expiries_of_release_candidates_are_read_as_redis_8_reads_them() {
    for blob in PLAIN_AND_LZF {
        assert_read_as_servers_do(&field_expiries(blob), &[ServerKind::Redis82]);
    }
}

#[test]
fn streams_of_old_are_read_as_servers_read_them() {
    let newer = [
        ServerKind::Redis82,
        ServerKind::Valkey81,
        ServerKind::Valkey91,
    ];
    for blob in PLAIN_AND_LZF {
        assert_read_as_servers_do(&known_to(streams(blob), 15), &ServerKind::ALL);
        assert_read_as_servers_do(&known_to(streams(blob), 19), WITH_LISTPACKS);
        assert_read_as_servers_do(&streams(blob), &newer);
    }
}

/// Version 1 to 4 files have no checksum, 5 and later have one or eight zero bytes.
#[test]
fn files_of_every_version_are_read() {
    let folder = TempFolder::new();
    let path = folder.path().join("file.rdb");
    let path_text = path.to_str().expect("a path of a test is text");
    for version in 1..=12u32 {
        let magic = format!("REDIS{version:04}");
        let magic: &[u8; 9] = magic.as_bytes().try_into().expect("nine bytes");
        let seconds = [&[253], &2_000_000_000i32.to_le_bytes()[..]].concat();
        let records = [
            vec![254, 0],
            record(0, b"a", &payload::string(b"1")),
            seconds,
            record(1, b"b", &payload::strings(&[b"x", b"y"], 1)),
        ];
        fs::write(&path, file(magic, &records)).expect("the file is written");
        let keys = dump::keys_of(&dump::redkit_ok(&["dump-to-json", path_text]));
        assert_eq!(keys.len(), 2, "version {version}");
        let b = &keys[&(0, b"b".to_vec())];
        assert_eq!(b.expire_at_ms, Some(2_000_000_000_000), "version {version}");
    }
}
