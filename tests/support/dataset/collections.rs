//! Lists, sets, sorted sets and hashes.

use super::{Batch, LENGTHS, NEARLY_NUMBERS, ODD_STRINGS, edges, noise};
use crate::support::payload::{self, Item};
use crate::support::resp::Client;
use crate::support::server::ServerKind;

pub(super) fn fill(client: &mut Client, kind: ServerKind) {
    lists(client, kind);
    sets(client, kind);
    sorted_sets(client);
    hashes(client);
    crowded_blobs(client, kind);
}

fn lists(client: &mut Client, kind: ServerKind) {
    let mut batch = Batch::new();
    put!(batch, "RPUSH", "l:one", "x");
    put!(batch, "RPUSH", "l:empty element", "");
    batch.many(&[b"RPUSH", b"l:ints"], edges().iter().map(i64::to_string));
    batch.many(&[b"RPUSH", b"l:nearly"], NEARLY_NUMBERS);
    batch.many(&[b"RPUSH", b"l:odd"], ODD_STRINGS);
    batch.many(
        &[b"RPUSH", b"l:lengths"],
        LENGTHS.iter().map(|&len| noise(len as u64 + 1, len)),
    );
    batch.many(
        &[b"RPUSH", b"l:runs"],
        LENGTHS.iter().map(|&len| vec![b'l'; len]),
    );
    batch.many(
        &[b"RPUSH", b"l:long"],
        (0..20_000).map(|i| format!("element {i}")),
    );
    // Pushed and popped at both ends, so that nodes are neither full nor in order.
    for i in 0..500 {
        put!(batch, "LPUSH", "l:both", format!("left {i}"));
        put!(batch, "RPUSH", "l:both", vec![b'b'; i * 3]);
    }
    put!(batch, "LTRIM", "l:both", "100", "-100");
    put!(batch, "LREM", "l:both", "0", "left 7");
    put!(batch, "LINSERT", "l:both", "BEFORE", "left 50", "inserted");
    batch.many(
        &[b"RPUSH", b"l:huge"],
        [noise(1, 300_000), vec![b'h'; 300_000]],
    );
    // Every limit of a node's size that there is, and nodes compressed in memory.
    for limit in ["-1", "-3", "-5", "1", "3", "1000"] {
        put!(batch, "CONFIG", "SET", "list-max-ziplist-size", limit);
        let key = format!("l:limit:{limit}");
        batch.many(
            &[b"RPUSH", key.as_bytes()],
            (0..2_000).map(|i| format!("value {}", i * 37)),
        );
    }
    put!(batch, "CONFIG", "SET", "list-max-ziplist-size", "-2");
    put!(batch, "CONFIG", "SET", "list-compress-depth", "1");
    batch.many(
        &[b"RPUSH", b"l:compressed"],
        (0..3_000).map(|i| format!("compressed in memory {i}")),
    );
    put!(batch, "CONFIG", "SET", "list-compress-depth", "0");
    if kind.has_listpacks() {
        // Nodes of one plain element.
        put!(batch, "DEBUG", "QUICKLIST-PACKED-THRESHOLD", "200b");
        batch.many(
            &[b"RPUSH", b"l:plain"],
            (0..40).map(|i| vec![b'a' + (i % 26) as u8; 190 + i]),
        );
        put!(batch, "DEBUG", "QUICKLIST-PACKED-THRESHOLD", "0");
    }
    batch.send(client);
}

fn sets(client: &mut Client, kind: ServerKind) {
    let mut batch = Batch::new();
    let within = |bits: u32| {
        let edge = 1i64 << (bits - 1);
        edges()
            .into_iter()
            .filter(move |n| (-edge..edge).contains(n))
    };
    for bits in [16, 32] {
        let key = format!("set:intset:{bits}");
        batch.many(
            &[b"SADD", key.as_bytes()],
            within(bits).map(|n| n.to_string()),
        );
    }
    batch.many(
        &[b"SADD", b"set:intset:64"],
        edges().iter().map(i64::to_string),
    );
    put!(batch, "SADD", "set:intset:one", "-1");
    batch.many(
        &[b"SADD", b"set:intset:512"],
        (0..512).map(|i| (i * 7 - 1000).to_string()),
    );
    batch.many(
        &[b"SADD", b"set:ints in a table"],
        (0..513).map(|i| (i * 7 - 1000).to_string()),
    );
    put!(batch, "SADD", "set:empty member", "");
    put!(
        batch,
        "SADD",
        "set:small",
        "a",
        "b",
        "c",
        "-1",
        "12345678901"
    );
    batch.many(&[b"SADD", b"set:nearly"], NEARLY_NUMBERS);
    batch.many(&[b"SADD", b"set:odd"], ODD_STRINGS);
    batch.many(
        &[b"SADD", b"set:lengths"],
        LENGTHS.iter().map(|&len| noise(len as u64 + 2, len)),
    );
    batch.many(
        &[b"SADD", b"set:128"],
        (0..128).map(|i| format!("member {i}")),
    );
    batch.many(
        &[b"SADD", b"set:129"],
        (0..129).map(|i| format!("member {i}")),
    );
    batch.many(
        &[b"SADD", b"set:long member"],
        [vec![b'm'; 64], vec![b'm'; 65]],
    );
    batch.many(
        &[b"SADD", b"set:large"],
        (0..100_000).map(|i| format!("member {i}")),
    );
    batch.many(
        &[b"SADD", b"set:large ints"],
        (0..20_000i64).map(|i| (i * i * 1_000_003).to_string()),
    );
    if kind.has_set_listpacks() {
        put!(batch, "CONFIG", "SET", "set-max-listpack-value", "100000");
        batch.many(
            &[b"SADD", b"set:listpack:lengths"],
            LENGTHS.iter().map(|&len| noise(len as u64 + 3, len)),
        );
        let mut mixed: Vec<Vec<u8>> = edges().iter().map(|n| n.to_string().into()).collect();
        mixed.insert(0, b"no number".to_vec());
        batch.many(&[b"SADD", b"set:listpack:ints"], &mixed);
        put!(batch, "CONFIG", "SET", "set-max-listpack-value", "64");
    }
    batch.send(client);
}

/// Scores as they are typed; every double that servers print in a way of its own.
const SCORES: &[&str] = &[
    "inf",
    "-inf",
    "0",
    "-0",
    "1",
    "-1",
    "0.1",
    "-0.1",
    "1.5",
    "3.0000000000000004",
    "3.14159265358979323846",
    "1e-7",
    "0.00001",
    "1e7",
    "1e20",
    "1e21",
    "1e22",
    "1e23",
    "123456789012345680",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "-9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "1.7976931348623157e308",
    "-1.7976931348623157e308",
    "2.2250738585072014e-308",
    "2.2250738585072009e-308",
    "5e-324",
    "-5e-324",
    "1e-310",
    "4.35",
    "0.3",
    "2.5e-5",
    "52990648348713776",
    "70368708395477454e161",
];

fn sorted_sets(client: &mut Client) {
    let mut batch = Batch::new();
    // By score and member, in pairs.
    let scored = |scores: &[String], name: &str| -> Vec<Vec<u8>> {
        let pairs = scores.iter().enumerate();
        pairs
            .flat_map(|(i, score)| [score.clone().into(), format!("{name} {i}").into()])
            .collect()
    };
    let scores: Vec<String> = SCORES.iter().map(|&score| score.into()).collect();
    let ints: Vec<String> = edges().iter().map(i64::to_string).collect();
    for (name, scores) in [("scores", &scores), ("int scores", &ints)] {
        let key = format!("z:packed:{name}");
        batch.many(&[b"ZADD", key.as_bytes()], scored(scores, "member"));
        let key = format!("z:table:{name}");
        put!(batch, "ZADD", key, "0", vec![b'z'; 65]);
        batch.many(&[b"ZADD", key.as_bytes()], scored(scores, "member"));
    }
    put!(batch, "ZADD", "z:one", "1", "x");
    put!(batch, "ZADD", "z:empty member", "1", "");
    let named = |names: &[&[u8]]| -> Vec<Vec<u8>> {
        let pairs = names.iter().enumerate();
        pairs
            .flat_map(|(i, name)| [format!("{}", i % 3).into(), name.to_vec()])
            .collect()
    };
    batch.many(&[b"ZADD", b"z:nearly"], named(NEARLY_NUMBERS));
    batch.many(&[b"ZADD", b"z:odd"], named(ODD_STRINGS));
    let numbers: Vec<Vec<u8>> = ints.iter().map(|text| text.clone().into()).collect();
    let numbers: Vec<&[u8]> = numbers.iter().map(Vec::as_slice).collect();
    batch.many(&[b"ZADD", b"z:number members"], named(&numbers));
    let many = |count: usize| -> Vec<String> {
        (0..count)
            .map(|i| format!("{}", (i as f64) * 0.37 - 20.0))
            .collect()
    };
    batch.many(&[b"ZADD", b"z:128"], scored(&many(128), "member"));
    batch.many(&[b"ZADD", b"z:129"], scored(&many(129), "member"));
    batch.many(&[b"ZADD", b"z:large"], scored(&many(50_000), "a member"));
    put!(batch, "CONFIG", "SET", "zset-max-ziplist-value", "100000");
    let lengths: Vec<Vec<u8>> = LENGTHS
        .iter()
        .map(|&len| noise(len as u64 + 4, len))
        .collect();
    let lengths: Vec<&[u8]> = lengths.iter().map(Vec::as_slice).collect();
    batch.many(&[b"ZADD", b"z:packed:lengths"], named(&lengths));
    put!(batch, "CONFIG", "SET", "zset-max-ziplist-value", "64");
    put!(
        batch,
        "GEOADD",
        "z:geo",
        "13.361389",
        "38.115556",
        "Palermo"
    );
    put!(
        batch, "GEOADD", "z:geo", "-180", "-85", "corner", "180", "85", "other"
    );
    batch.send(client);
}

fn hashes(client: &mut Client) {
    let mut batch = Batch::new();
    let ints: Vec<String> = edges().iter().map(i64::to_string).collect();
    let mirrored = ints.iter().rev();
    let pairs: Vec<String> = ints
        .iter()
        .zip(mirrored)
        .flat_map(|(a, b)| [a.clone(), b.clone()])
        .collect();
    batch.many(&[b"HSET", b"h:packed:ints"], &pairs);
    put!(batch, "HSET", "h:table:ints", "long", vec![b'v'; 65]);
    batch.many(&[b"HSET", b"h:table:ints"], &pairs);
    put!(batch, "HSET", "h:one", "f", "v");
    put!(batch, "HSET", "h:empty field", "", "v");
    put!(batch, "HSET", "h:empty value", "f", "");
    for (name, strings) in [("nearly", NEARLY_NUMBERS), ("odd", ODD_STRINGS)] {
        let pairs = |strings: &'static [&'static [u8]]| {
            let reverse = strings.iter().rev();
            strings.iter().zip(reverse).flat_map(|(a, b)| [*a, *b])
        };
        batch.many(
            &[b"HSET", format!("h:packed:{name}").as_bytes()],
            pairs(strings),
        );
        let table = format!("h:table:{name}");
        put!(batch, "HSET", table, "long", vec![b'v'; 65]);
        batch.many(&[b"HSET", table.as_bytes()], pairs(strings));
    }
    let numbered =
        |count: usize| (0..count).flat_map(|i| [format!("field {i}"), format!("value {}", i * i)]);
    batch.many(&[b"HSET", b"h:512"], numbered(512));
    batch.many(&[b"HSET", b"h:513"], numbered(513));
    batch.many(&[b"HSET", b"h:large"], numbered(50_000));
    let lengths = |seed: u64| {
        LENGTHS.iter().flat_map(move |&len| {
            [
                noise(len as u64 + seed, len.min(500)),
                noise(len as u64 + seed + 1, len),
            ]
        })
    };
    batch.many(&[b"HSET", b"h:table:lengths"], lengths(9));
    put!(batch, "CONFIG", "SET", "hash-max-ziplist-value", "100000");
    batch.many(&[b"HSET", b"h:packed:lengths"], lengths(11));
    let runs = LENGTHS
        .iter()
        .flat_map(|&len| [format!("run {len}").into_bytes(), vec![b'R'; len]]);
    batch.many(&[b"HSET", b"h:packed:runs"], runs);
    put!(batch, "CONFIG", "SET", "hash-max-ziplist-value", "64");
    batch.send(client);
}

/// Packed forms of so many entries that their headers no longer count them.
fn crowded_blobs(client: &mut Client, kind: ServerKind) {
    let mut batch = Batch::new();
    put!(batch, "CONFIG", "SET", "hash-max-ziplist-entries", "100000");
    let texts: Vec<Vec<u8>> = (0..33_000).map(|i| format!("f{i}").into_bytes()).collect();
    let mut items = Vec::new();
    for (i, text) in texts.iter().enumerate() {
        items.push(Item::Str(text));
        items.push(Item::Int(i as i64 - 100));
    }
    assert!(items.len() > 65_535);
    let (rdb_type, blob, version) = match kind.has_listpacks() {
        true => (16, payload::listpack(&items), 10),
        false => (13, payload::ziplist(&items), 9),
    };
    let value = payload::restore(rdb_type, &payload::string(&blob), version);
    put!(batch, "RESTORE", "h:packed:crowded", "0", value);
    put!(batch, "CONFIG", "SET", "hash-max-ziplist-entries", "512");
    if kind.has_set_listpacks() {
        put!(batch, "CONFIG", "SET", "set-max-listpack-entries", "100000");
        let numbers = (0..65_535).map(|i| Item::Int(i * 3 - 70_000));
        let mut members: Vec<Item<'_>> = numbers.collect();
        members.push(Item::Str(b"no number"));
        let blob = payload::listpack(&members);
        let value = payload::restore(20, &payload::string(&blob), 11);
        put!(batch, "RESTORE", "set:listpack:crowded", "0", value);
        put!(batch, "CONFIG", "SET", "set-max-listpack-entries", "128");
    }
    batch.send(client);
}
