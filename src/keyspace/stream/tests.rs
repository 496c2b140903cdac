//! Streams against a map, through a file, and from damaged ones.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::node::Node;
use super::*;
use crate::command::Like;
use crate::rdb::string::Compress;
use crate::rdb::value::{Encoder, Scratch};
use crate::record::value::StreamEvent;
use crate::record::{RawValue, ValueVisitor};

type Model = BTreeMap<StreamId, Vec<[Vec<u8>; 2]>>;

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

fn rules(like: &str, entries: u64, bytes: u64) -> Rules {
    let like: Like = like.parse().unwrap();
    let mut rules = Rules::new(like, None);
    rules.stream_node_entries = entries;
    rules.stream_node_bytes = bytes;
    rules
}

fn id(ms: u64, seq: u64) -> StreamId {
    StreamId { ms, seq }
}

const MIN: StreamId = StreamId { ms: 0, seq: 0 };
const MAX: StreamId = StreamId {
    ms: u64::MAX,
    seq: u64::MAX,
};

fn pairs_of(entry: &Entry<'_>) -> Vec<[Vec<u8>; 2]> {
    let pairs = entry.pairs();
    pairs
        .map(|(name, value)| [name.to_bytes().into_owned(), value.to_bytes().into_owned()])
        .collect()
}

fn entries<'a>(all: impl Iterator<Item = Entry<'a>>) -> Vec<(StreamId, Vec<[Vec<u8>; 2]>)> {
    all.map(|entry| (entry.id, pairs_of(&entry))).collect()
}

/// Everything that a walk tells, in words.
#[derive(Default)]
struct Told(String);

impl ValueVisitor for Told {
    fn stream(&mut self, event: StreamEvent<'_>) -> crate::error::Result<()> {
        match event {
            StreamEvent::Field(name, value) => {
                let (name, value) = (name.to_bytes(), value.to_bytes());
                writeln!(self.0, "{} {}", name.escape_ascii(), value.escape_ascii()).unwrap();
            }
            other => writeln!(self.0, "{other:?}").unwrap(),
        }
        Ok(())
    }
}

fn told(stream: &Stream) -> String {
    let mut told = Told::default();
    stream.walk(&mut told).unwrap();
    told.0
}

/// The stream as it comes back from a file that says what a walk tells.
fn reloaded(stream: &Stream, rules: &Rules) -> Stream {
    let mut encoder = Encoder::new(stream.rdb_type(rules), Compress::Never).unwrap();
    stream.walk(&mut encoder).unwrap();
    let mut bytes = Vec::new();
    encoder.finish(&mut bytes).unwrap();
    let raw = RawValue {
        rdb_type: stream.rdb_type(rules),
        bytes: &bytes,
        at: 0,
    };
    load(&raw, &mut Scratch::default(), rules).unwrap()
}

fn text(random: &mut Random) -> Vec<u8> {
    match random.below(5) {
        0 => random.below(1 << 40).to_string().into_bytes(),
        1 => vec![b'x'; random.below(200) as usize],
        2 => Vec::new(),
        _ => vec![b'a' + random.below(3) as u8],
    }
}

fn against_a_map(seed: u64, rules: &Rules) {
    let mut random = Random(seed | 1);
    let mut stream = Stream::new();
    stream.add_group(b"g", Group::default());
    let mut model = Model::new();
    let mut top = MIN;
    for _ in 0..600 {
        match random.below(10) {
            0..=5 => {
                top = id(top.ms + random.below(2), top.seq + 1 + random.below(300));
                let count = random.below(4);
                let pairs: Vec<[Vec<u8>; 2]> = (0..count)
                    .map(|_| [text(&mut random), text(&mut random)])
                    .collect();
                let borrowed: Vec<Pair<'_>> = pairs
                    .iter()
                    .map(|[name, value]| [name.as_slice(), value.as_slice()])
                    .collect();
                stream.append(top, &borrowed, rules).unwrap();
                model.insert(top, pairs);
            }
            6..=7 => {
                let nth = random.below(1 + model.len() as u64) as usize;
                let known = model.keys().nth(nth).copied();
                let gone = known.unwrap_or(id(random.below(9), random.below(9)));
                assert_eq!(stream.delete(gone, rules), model.remove(&gone).is_some());
            }
            8 => {
                let most = random.below(40);
                let removed = stream.trim(Threshold::Length(most), false, References::Keep, rules);
                let mut gone = 0;
                while model.len() as u64 > most {
                    model.pop_first();
                    gone += 1;
                }
                assert_eq!(removed, gone);
            }
            _ => {
                let from = id(top.ms.saturating_sub(random.below(12)), random.below(500));
                let removed = stream.trim(Threshold::From(from), false, References::Keep, rules);
                let kept = model.split_off(&from);
                assert_eq!(removed, model.len() as u64);
                model = kept;
            }
        }
        assert_eq!(stream.len(), model.len() as u64);
        let expected: Vec<_> = model.clone().into_iter().collect();
        assert_eq!(entries(stream.range(MIN, MAX)), expected);
        let mut back = entries(stream.range_back(MIN, MAX));
        back.reverse();
        assert_eq!(back, expected);
        assert_eq!(stream.last_live(), model.keys().next_back().copied());
        assert_eq!(
            stream.first_id(),
            model.keys().next().copied().unwrap_or_default()
        );
        assert!(model.keys().all(|id| stream.contains(*id, b"g")));
        for _ in 0..4 {
            let any = id(
                random.below(top.ms + 2),
                top.seq - random.below(2000).min(top.seq),
            );
            assert_eq!(stream.contains(any, b"g"), model.contains_key(&any));
            assert_eq!(stream.entry(any).is_some(), model.contains_key(&any));
        }
        let (from, to) = (
            id(random.below(top.ms + 2), 0),
            id(random.below(top.ms + 2), 900),
        );
        if from <= to {
            let part: Vec<_> = model
                .range(from..=to)
                .map(|(id, p)| (*id, p.clone()))
                .collect();
            assert_eq!(entries(stream.range(from, to)), part);
        }
    }
    assert_eq!(told(&reloaded(&stream, rules)), told(&stream));
}

#[test]
fn a_stream_is_a_map_of_entries() {
    for seed in 1..8 {
        against_a_map(seed * 0x9e37_79b9, &rules("redis-8.2", 100, 4096));
        against_a_map(seed * 0x7f4a_7c15, &rules("redis-7.0", 3, 4096));
        against_a_map(seed * 0x51ed_2701, &rules("valkey-8.1", 0, 200));
        against_a_map(seed * 0x1234_5679, &rules("redis-6.2", 150, 0));
    }
}

fn filled(rules: &Rules) -> Stream {
    let mut stream = Stream::new();
    for n in 1..=250 {
        let value = n.to_string();
        let pairs: [Pair<'_>; 2] = [[b"a", value.as_bytes()], [b"b", b"x"]];
        let pairs = if n % 7 == 0 { &pairs[..1] } else { &pairs };
        stream.append(id(n, 5), pairs, rules).unwrap();
    }
    stream.delete(id(3, 5), rules);
    let mut group = Group::new(id(9, 9), Some(4));
    let one = group.find_or_add(b"one", 10, rules);
    let two = group.find_or_add(b"two", 11, rules);
    for (n, consumer) in [(1, one), (3, two), (4, one)] {
        let pending = Pending {
            consumer: Some(consumer),
            delivered_at: 77,
            deliveries: n,
        };
        group.assign(id(n, 5), pending);
    }
    assert!(stream.add_group(b"g", group));
    stream
}

#[test]
fn groups_and_counters_come_back_from_a_file() {
    for like in ["redis-6.2", "redis-7.0", "redis-8.2", "valkey-9.1"] {
        let rules = rules(like, 100, 4096);
        let mut stream = filled(&rules);
        let expected = told(&reloaded(&stream, &rules));
        if like == "redis-6.2" {
            // It saves no counters, and keeps none.
            assert_eq!(stream.max_deleted_id(), MIN);
            assert_eq!(stream.entries_added(), 249);
            stream.group_mut(b"g").unwrap().entries_read = None;
        }
        assert_eq!(told(&stream), expected, "{like}");
    }
}

#[test]
fn nodes_are_kept_as_they_stand_in_the_file() {
    let rules = rules("redis-8.2", 100, 4096);
    let mut stream = filled(&rules);
    // What a server with other settings wrote is not packed anew.
    let tight = self::rules("redis-8.2", 7, 4096);
    let mut loose = Stream::new();
    for entry in stream.range(MIN, MAX) {
        let pairs = pairs_of(&entry);
        let pairs: Vec<Pair<'_>> = pairs
            .iter()
            .map(|[n, v]| [n.as_slice(), v.as_slice()])
            .collect();
        loose.append(entry.id, &pairs, &tight).unwrap();
    }
    assert_eq!((stream.nodes(), loose.nodes()), (3, 36));
    stream.trim(Threshold::Length(100), true, References::Keep, &rules);
    loose.trim(Threshold::Length(100), true, References::Keep, &rules);
    assert_eq!((stream.len(), loose.len()), (150, 102));
}

#[test]
fn a_damaged_node_is_no_node_or_one_that_can_be_read() {
    let rules = rules("redis-8.2", 100, 4096);
    let mut stream = Stream::new();
    for n in 1..5 {
        let value = (n * 1000).to_string();
        stream
            .append(
                id(n, n),
                &[[b"name", value.as_bytes()], [b"b", b"x"]],
                &rules,
            )
            .unwrap();
    }
    stream
        .append(id(9, 0), &[[b"other", b"x"]], &rules)
        .unwrap();
    let mut encoder = Encoder::new(RdbType::Stream3, Compress::Never).unwrap();
    stream.walk(&mut encoder).unwrap();
    let mut bytes = Vec::new();
    encoder.finish(&mut bytes).unwrap();
    for at in 0..bytes.len() {
        for flip in [0x01, 0x02, 0x80, 0xff] {
            let mut bytes = bytes.clone();
            bytes[at] ^= flip;
            let raw = RawValue {
                rdb_type: RdbType::Stream3,
                bytes: &bytes,
                at: 0,
            };
            let Ok(mut stream) = load(&raw, &mut Scratch::default(), &rules) else {
                continue;
            };
            let count = stream.range(MIN, MAX).count();
            assert_eq!(count, stream.range_back(MIN, MAX).count(), "{at}");
            told(&stream);
            stream.delete(id(2, 2), &rules);
            stream.trim(Threshold::Length(2), false, References::Delete, &rules);
            stream.trim(Threshold::From(id(9, 0)), true, References::Keep, &rules);
        }
    }
}

#[test]
fn an_id_has_a_next_and_a_previous_one() {
    assert_eq!(next_id(id(1, u64::MAX)), Some(id(2, 0)));
    assert_eq!(previous_id(id(2, 0)), Some(id(1, u64::MAX)));
    assert_eq!(next_id(MAX), None);
    assert_eq!(previous_id(MIN), None);
}

#[test]
fn a_node_is_no_wider_than_it_must_be() {
    assert!(size_of::<Node>() <= 64);
    assert!(size_of::<Stream>() <= 128, "{}", size_of::<Stream>());
}
