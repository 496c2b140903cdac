mod groups;
mod round_trip;

use super::captured::{EMPTY, HOLES, REDIS_6_2_5, REDIS_7_0_15, REDIS_8_2_3, VALKEY_9_1_2};
use super::{extent, ids};
use crate::bytes::{Element, Problem};
use crate::encoding::listpack::ListpackWriter;
use crate::error::{Error, Place, Result};
use crate::rdb::string::{Compress, StringWriter, write_number};
use crate::rdb::value::{Encoder, Scratch, walk};
use crate::record::value::StreamEvent;
use crate::record::{DataType, RawValue, RdbType, StreamId, ValueVisitor};

const CAPTURED: [(RdbType, &[u8]); 4] = [
    (RdbType::Stream1, REDIS_6_2_5),
    (RdbType::Stream2, REDIS_7_0_15),
    (RdbType::Stream3, REDIS_8_2_3),
    (RdbType::Stream3, VALKEY_9_1_2),
];

/// Writes down what it is told, a line each; flaws by their code and offset.
#[derive(Default)]
struct Told {
    lines: Vec<String>,
    flaws: Vec<(Problem, Place)>,
}

impl ValueVisitor for Told {
    fn begin(&mut self, of: DataType, count: Option<u64>) -> Result<()> {
        self.lines.push(format!("begin {} {count:?}", of.name()));
        Ok(())
    }
    fn stream(&mut self, event: StreamEvent<'_>) -> Result<()> {
        let text = |e: Element<'_>| e.to_bytes().escape_ascii().to_string();
        self.lines.push(match event {
            StreamEvent::Meta(m) => format!(
                "meta length={} last={} first={} deleted={} added={} groups={}",
                m.length, m.last_id, m.first_id, m.max_deleted_id, m.entries_added, m.groups
            ),
            StreamEvent::Entry { id, fields } => format!("entry {id} {fields}"),
            StreamEvent::Field(name, value) => format!("{}={}", text(name), text(value)),
            StreamEvent::Group {
                name,
                last_id,
                entries_read,
                pending,
                consumers,
            } => {
                let name = text(name);
                format!("group {name} {last_id} {entries_read:?} {pending} {consumers}")
            }
            StreamEvent::Pending {
                id,
                consumer,
                delivered_at,
                deliveries,
            } => {
                let consumer = consumer.map_or("-".to_owned(), text);
                format!("pending {id} {consumer} {delivered_at} {deliveries}")
            }
            StreamEvent::Consumer {
                name,
                seen_at,
                active_at,
                pending,
            } => {
                let name = text(name);
                format!("consumer {name} {seen_at} {active_at:?} {pending}")
            }
            StreamEvent::Producers {
                duration,
                max_entries,
                count,
            } => format!("producers {duration} {max_entries} {count}"),
            StreamEvent::Producer { id, count } => format!("producer {} {count}", text(id)),
            StreamEvent::Message { iid, id } => format!("message {} {id}", text(iid)),
            StreamEvent::ProducerTotals { added, duplicates } => {
                format!("totals {added} {duplicates}")
            }
        });
        Ok(())
    }
    fn end(&mut self, _: DataType) -> Result<()> {
        self.lines.push("end".to_owned());
        Ok(())
    }
    fn flaw(&mut self, problem: Problem, place: Place) -> Result<()> {
        self.flaws.push((problem, place));
        Ok(())
    }
}

const AT: u64 = 1000;

fn walk_into(rdb_type: RdbType, bytes: &[u8], to: &mut dyn ValueVisitor) -> Result<()> {
    let value = RawValue {
        rdb_type,
        bytes,
        at: AT,
    };
    walk(&value, &mut Scratch::default(), to)
}

fn told(rdb_type: RdbType, bytes: &[u8]) -> Result<Told> {
    let mut told = Told::default();
    walk_into(rdb_type, bytes, &mut told)?;
    Ok(told)
}

fn sound(rdb_type: RdbType, bytes: &[u8]) -> Vec<String> {
    let told = told(rdb_type, bytes).unwrap();
    assert!(told.flaws.is_empty(), "{:?}", told.flaws);
    told.lines
}

fn encode(from: RdbType, bytes: &[u8], to: RdbType) -> Result<Vec<u8>> {
    let mut encoder = Encoder::new(to, Compress::Never).unwrap();
    walk_into(from, bytes, &mut encoder)?;
    let mut out = Vec::new();
    encoder.finish(&mut out)?;
    Ok(out)
}

/// A listpack from words; those that are numbers become integers.
fn pack(words: &str) -> Vec<u8> {
    let mut writer = ListpackWriter::new();
    for word in words.split_whitespace().filter(|&word| word != "|") {
        writer.push(Element::Bytes(word.as_bytes()));
    }
    let mut blob = Vec::new();
    writer.finish(&mut blob).unwrap();
    blob
}

fn raw(seq: u64) -> [u8; 16] {
    StreamId { ms: 0, seq }.to_be_bytes()
}

fn put(bytes: &[u8], out: &mut Vec<u8>) {
    StringWriter::new(Compress::Never).write(Element::Bytes(bytes), out);
}

/// A stream of IDs `0-n`.
struct Build<'a> {
    rdb_type: RdbType,
    nodes: &'a [(u64, &'a str)],
    length: u64,
    last: u64,
    groups: &'a [Vec<u8>],
}

impl Build<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write_number(self.nodes.len() as u64, &mut out);
        for &(key, words) in self.nodes {
            put(&raw(key), &mut out);
            put(&pack(words), &mut out);
        }
        write_number(self.length, &mut out);
        out.push(0);
        write_number(self.last, &mut out);
        if self.rdb_type >= RdbType::Stream2 {
            out.extend_from_slice(&[0; 5]);
        }
        write_number(self.groups.len() as u64, &mut out);
        out.extend(self.groups.concat());
        if self.rdb_type >= RdbType::Stream4 {
            out.extend_from_slice(&[0; 5]);
        }
        out
    }

    fn told(&self) -> Result<Told> {
        let bytes = self.bytes();
        assert_eq!(extent(self.rdb_type, &bytes).unwrap().0, b"");
        told(self.rdb_type, &bytes)
    }

    fn problems(&self) -> Vec<Problem> {
        let told = self.told().unwrap();
        told.flaws.into_iter().map(|(problem, _)| problem).collect()
    }

    fn error(&self) -> Error {
        self.told().err().expect("an error was expected")
    }
}

fn one_node<'a>(nodes: &'a [(u64, &'a str)], length: u64) -> Build<'a> {
    Build {
        rdb_type: RdbType::Stream1,
        nodes,
        length,
        last: 1000,
        groups: &[],
    }
}

/// The node of the format's description: 1-1 {a:1,b:2}, 1-2 {a:3,b:4} deleted, 2-0 {c:5}.
const EXAMPLE: &[u8] = b"\x01\
    \x10\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\
    \x3d\x3d\0\0\0\x19\0\x02\x01\x01\x01\x02\x01\x81a\x02\x81b\x02\0\x01\
    \x02\x01\0\x01\0\x01\x01\x01\x02\x01\x05\x01\
    \x03\x01\0\x01\x01\x01\x03\x01\x04\x01\x05\x01\
    \0\x01\x01\x01\xdf\xff\x02\x01\x01\x81c\x02\x05\x01\x06\x01\xff\
    \x02\x02\0\0";

#[test]
fn deleted_entries_are_passed_over_and_deltas_may_be_negative() {
    let expected = [
        "begin stream Some(2)",
        "meta length=2 last=2-0 first=1-1 deleted=0-0 added=2 groups=0",
        "entry 1-1 2",
        "a=1",
        "b=2",
        "entry 2-0 1",
        "c=5",
        "end",
    ];
    assert_eq!(sound(RdbType::Stream1, EXAMPLE), expected);
    // Written anew the deleted entry is gone, and nothing else.
    let written = encode(RdbType::Stream1, EXAMPLE, RdbType::Stream1).unwrap();
    assert_eq!(sound(RdbType::Stream1, &written), expected);
    let node = pack("2 0 2 a b 0 | 2 0 0 1 2 5 | 0 1 -1 1 c 5 6");
    assert_eq!(&written[19..19 + node.len()], node);
}

/// The content of the captured streams: the words that do not depend on the version or the clock.
const CONTENT: &[&str] = &[
    "entry 1-5 2",
    "a=1",
    "b=xxx",
    "entry 1-6 2",
    "a=-2",
    "b=300",
    "entry 2-1 3",
    "c=70000",
    "d=",
    "a=yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
    "entry 2-2 2",
    "a=-5000000000",
    "b=10000000",
    "group 7 2-1 None 1 1",
    "pending 2-1 12",
    "consumer 12",
    "group g 2-1 Some(3) 3 2",
    "pending 1-5 bob",
    "pending 1-6 alice",
    "pending 2-1 bob",
    "consumer alice",
    "consumer bob",
    "group none 2-2 None 0 1",
    "consumer idle",
    "end",
];

#[test]
fn what_servers_wrote_is_read() {
    for (rdb_type, bytes) in CAPTURED {
        let lines = sound(rdb_type, bytes);
        assert_eq!(lines[0], "begin stream Some(4)");
        assert_eq!(
            lines[1],
            "meta length=4 last=2-2 first=1-5 deleted=0-0 added=4 groups=3"
        );
        let content: Vec<String> = lines[2..]
            .iter()
            .map(|line| match line.split_once(' ') {
                Some(("pending", rest)) => {
                    let words: Vec<_> = rest.split(' ').collect();
                    assert!(words[2].starts_with("1795"), "{line}");
                    assert_eq!(words[3] == "2", words[0] == "1-5", "{line}");
                    format!("pending {} {}", words[0], words[1])
                }
                Some(("consumer", rest)) => {
                    let words: Vec<_> = rest.split(' ').collect();
                    let never = words[0] == "idle" && rdb_type == RdbType::Stream3;
                    assert_eq!(words[2] == "Some(-1)", never, "{line}");
                    assert_eq!(words[2] == "None", rdb_type < RdbType::Stream3, "{line}");
                    format!("consumer {}", words[0])
                }
                Some(("group", rest)) if rdb_type == RdbType::Stream1 => {
                    assert_eq!(rest.split(' ').nth(2), Some("None"));
                    line.replace(" g 2-1 None", " g 2-1 Some(3)")
                }
                _ => line.clone(),
            })
            .collect();
        assert_eq!(content, CONTENT);
    }
    assert_eq!(
        sound(RdbType::Stream3, EMPTY),
        [
            "begin stream Some(0)",
            "meta length=0 last=5-5 first=0-0 deleted=0-0 added=1 groups=0",
            "end"
        ]
    );
}

#[test]
fn writes_what_the_server_writes() {
    for (rdb_type, bytes) in CAPTURED {
        let written = encode(rdb_type, bytes, rdb_type).unwrap();
        assert_eq!(written, bytes, "{rdb_type:?}");
    }
    let written = encode(RdbType::Stream3, EMPTY, RdbType::Stream3).unwrap();
    assert_eq!(written, EMPTY);
}

#[test]
fn pending_entries_outlive_deleted_ones_and_compressed_names_are_names() {
    let lines = sound(RdbType::Stream3, HOLES);
    let long = "consumer-consumer-consumer-consumer";
    assert_eq!(
        lines[1],
        "meta length=5 last=7-1 first=2-1 deleted=4-1 added=7 groups=1"
    );
    assert_eq!(lines[2..4], ["entry 2-1 2", "field=value-2-abcabcabc"]);
    let tail = &lines[lines.len() - 8..];
    assert_eq!(
        tail[0],
        "group group-group-group-group-group 5-1 Some(5) 4 2"
    );
    for (line, (id, name)) in tail[1..].iter().zip([
        ("1-1", long),
        ("3-1", long),
        ("4-1", long),
        ("5-1", "brief"),
    ]) {
        assert!(line.starts_with(&format!("pending {id} {name} ")), "{line}");
    }
    assert!(tail[6].starts_with(&format!("consumer {long} ")));
    // What is written from it says the same, in one node and with the names packed again.
    let mut encoder = Encoder::new(RdbType::Stream3, Compress::AsServer).unwrap();
    walk_into(RdbType::Stream3, HOLES, &mut encoder).unwrap();
    let mut written = Vec::new();
    encoder.finish(&mut written).unwrap();
    assert!(written.len() < HOLES.len());
    assert_eq!(sound(RdbType::Stream3, &written), lines);
}

#[test]
fn every_truncation_is_an_error_with_an_offset() {
    let written5 = encode(RdbType::Stream3, REDIS_8_2_3, RdbType::Stream5).unwrap();
    let more = [(RdbType::Stream3, HOLES), (RdbType::Stream5, &written5)];
    for (rdb_type, bytes) in CAPTURED.into_iter().chain(more) {
        assert_eq!(extent(rdb_type, bytes).unwrap().0, b"");
        for cut in 0..bytes.len() {
            let short = &bytes[..cut];
            assert!(
                matches!(extent(rdb_type, short), Err(nom::Err::Incomplete(_))),
                "{rdb_type:?} cut at {cut}"
            );
            let error = told(rdb_type, short).err().unwrap();
            assert_eq!(error.place().unwrap().offset, AT + cut as u64);
        }
    }
}

#[test]
fn no_changed_byte_makes_it_panic_or_point_outside() {
    let written5 = encode(RdbType::Stream3, REDIS_8_2_3, RdbType::Stream5).unwrap();
    let more = [(RdbType::Stream3, HOLES), (RdbType::Stream5, &written5)];
    for (rdb_type, bytes) in CAPTURED.into_iter().chain(more) {
        let inside = AT..=AT + bytes.len() as u64;
        let mut bytes = bytes.to_vec();
        for at in 0..bytes.len() {
            let before = bytes[at];
            for to in (0..8)
                .map(|bit| before ^ 1 << bit)
                .chain([0, 0x7f, 0x80, 0x81, 0xff])
            {
                bytes[at] = to;
                let _ = extent(rdb_type, &bytes);
                let mut told = Told::default();
                if let Err(error) = walk_into(rdb_type, &bytes, &mut told) {
                    assert!(inside.contains(&error.place().unwrap().offset), "{error}");
                }
                for (problem, place) in told.flaws {
                    assert!(inside.contains(&place.offset), "{problem} at {place:?}");
                }
                let _ = encode(rdb_type, &bytes, rdb_type);
            }
            bytes[at] = before;
        }
    }
}

#[test]
fn counts_that_cannot_be_met_ask_for_more_bytes_and_nothing_else() {
    let most = b"\x81\xff\xff\xff\xff\xff\xff\xff\xff";
    // Nodes, groups, pending entries, consumers.
    for before in [
        &b""[..],
        b"\0\0\0\0",
        b"\0\0\0\0\x01\x01g\0\0",
        b"\0\0\0\0\x01\x01g\0\0\0",
    ] {
        let bytes = [before, most].concat();
        let found = extent(RdbType::Stream1, &bytes);
        assert!(matches!(found, Err(nom::Err::Incomplete(_))), "{found:?}");
        assert!(told(RdbType::Stream1, &bytes).is_err());
    }
    // A consumer's list, whose size in bytes does not fit a number.
    let list = [b"\x81\x10", &[0; 7][..]].concat();
    assert!(matches!(ids(&list), Err(nom::Err::Failure(_))));
    // Fields: of the master entry, and of an entry.
    let most = i64::MAX;
    for node in [
        format!("1 0 {most} a 0"),
        format!("1 0 0 0 | 0 0 0 {most} a 1 6"),
        format!("{most} {most} 0 0"),
    ] {
        let _ = one_node(&[(1, &node)], 1).told();
    }
}

#[test]
fn a_node_that_does_not_hold_what_its_head_says_is_noticed() {
    let problems = |node: &str, length| one_node(&[(1, node)], length).problems();
    assert_eq!(problems("1 0 1 a 0 | 2 0 0 x 4", 1), []);
    assert_eq!(problems("1 0 1 a 7 | 2 0 0 x 4", 1), [Problem::StreamNode]);
    assert_eq!(problems("1 0 1 a z | 2 0 0 x 4", 1), [Problem::StreamNode]);
    assert_eq!(problems("2 0 1 a 0 | 2 0 0 x 4", 1), [Problem::StreamNode]);
    assert_eq!(problems("1 1 1 a 0 | 2 0 0 x 4", 1), [Problem::StreamNode]);
    assert_eq!(problems("-1 0 1 a 0 | 2 0 0 x 4", 1), [Problem::StreamNode]);
    assert_eq!(
        problems("1 0 1 a 0 | 2 0 0 x 4 | 2 0 1 y 4", 2),
        [Problem::StreamNode]
    );
    assert_eq!(
        problems("1 0 1 a 0 | 2 0 0 x 5", 1),
        [Problem::StreamRecordCount {
            claimed: 5,
            actual: 4
        }]
    );
    assert_eq!(
        problems("1 0 1 a 0 | 0 0 0 1 a x 4", 1),
        [Problem::StreamRecordCount {
            claimed: 4,
            actual: 6
        }]
    );
    assert_eq!(
        problems("1 0 1 a 0 | 6 0 0 x 4", 1),
        [Problem::StreamFlags { found: 6 }]
    );
    assert_eq!(
        problems("0 1 1 a 0 | 3 0 0 x 4", 0),
        [Problem::StreamNodeEmpty]
    );
    assert_eq!(
        problems("1 0 1 a 0 | 2 0 0 x 4", 3),
        [Problem::StreamLength {
            claimed: 3,
            actual: 1
        }]
    );
    for node in [
        "",
        "1",
        "1 0",
        "1 0 x a 0",
        "1 0 -1 0",
        "1 0 1",
        "1 0 1 a",
        "1 0 1 a 0 | x 0 0 y 4",
        "1 0 1 a 0 | 2 x 0 y 4",
        "1 0 1 a 0 | 2 0",
        "1 0 1 a 0 | 0 0 0 -1 2",
        "1 0 1 a 0 | 2 0 0 y x",
        "1 0 1 a 0 | 2 0 0 y 4 | 2",
        "1 0 1 a 0 | 2 0 0 y",
    ] {
        let error = one_node(&[(1, node)], 1).error();
        assert_eq!(error.problem(), Some(Problem::StreamNode), "{node}");
        assert!(error.place().unwrap().inside.is_some());
    }
    // The text of a number is taken for the number, as servers do.
    let mut text = one_node(&[(1, "1 0 1 a 0 | 2 0 0 x 4")], 1).bytes();
    let at = text.windows(4).position(|w| w == [2, 1, 0, 1]).unwrap();
    text.splice(at..at + 2, *b"\x812\x02");
    text[18] += 1;
    text[19] += 1;
    assert!(sound(RdbType::Stream1, &text).contains(&"a=x".to_owned()));
}

#[test]
fn a_node_key_of_another_length_ends_the_walk() {
    let error = told(RdbType::Stream1, b"\x01\x0f123456789abcdef\x00\0\0\0\0").err();
    assert_eq!(
        error.unwrap().problem(),
        Some(Problem::StreamNodeKey { len: 15 })
    );
}

#[test]
fn ids_must_ascend_within_and_across_nodes_and_stay_below_the_last() {
    let first = "2 0 1 a 0 | 2 0 0 x 4 | 2 0 5 y 4";
    let one = "1 0 1 a 0 | 2 0 0 x 4";
    let problems = |nodes: &[(u64, &str)], length, last| {
        let mut build = one_node(nodes, length);
        build.last = last;
        build.problems()
    };
    assert_eq!(problems(&[(1, first), (7, one)], 3, 7), []);
    assert_eq!(
        problems(&[(1, first), (6, one)], 3, 7),
        [Problem::StreamOrder]
    );
    for keys in [[5, 5, 9], [5, 1, 5]] {
        assert_eq!(
            problems(&keys.map(|key| (key, one)), 3, 9),
            [Problem::StreamOrder, Problem::StreamNodeTwice],
            "{keys:?}"
        );
    }
    assert_eq!(problems(&[(1, first)], 2, 5), [Problem::StreamLastId]);
    let twice = "2 0 1 a 0 | 2 0 0 x 4 | 2 0 0 y 4";
    assert_eq!(problems(&[(1, twice)], 2, 7), [Problem::StreamOrder]);
    let below = "1 0 1 a 0 | 2 0 -1 x 4";
    assert_eq!(problems(&[(1, below)], 1, 7), [Problem::StreamOrder]);
}

#[test]
fn a_first_type_stream_begins_with_its_first_live_entry() {
    let nodes = [
        (1, "0 1 1 a 0 | 3 0 0 x 4"),
        (5, "1 2 1 a 0 | 3 0 0 x 4 | 1 0 1 1 b y 6 | 2 0 2 z 4"),
    ];
    let told = one_node(&nodes, 1).told().unwrap();
    assert_eq!(
        told.lines[1],
        "meta length=1 last=0-1000 first=0-7 deleted=0-0 added=1 groups=0"
    );
}

#[test]
fn entries_of_more_fields_than_are_kept_have_all_of_them() {
    for count in [31, 32, 33, 100] {
        let names: String = (0..count).map(|i| format!(" f{i}")).collect();
        let values: String = (0..count).map(|i| format!(" {i}")).collect();
        let back = count + 3;
        let node = format!("2 0 {count} {names} 0 | 2 0 0 {values} {back} | 2 0 1 {values} {back}");
        let nodes = [(1, node.as_str())];
        let build = one_node(&nodes, 2);
        let lines = sound(RdbType::Stream1, &build.bytes());
        let fields: Vec<String> = (0..count).map(|i| format!("f{i}={i}")).collect();
        assert_eq!(lines[3..3 + count], fields);
        assert_eq!(lines[4 + count..4 + 2 * count], fields);
        let written = encode(RdbType::Stream1, &build.bytes(), RdbType::Stream1).unwrap();
        assert_eq!(written, build.bytes());
    }
}

#[test]
fn a_node_ends_where_the_server_ends_it() {
    let nodes = |count: u64, value: &[u8]| {
        let mut encoder = Encoder::new(RdbType::Stream3, Compress::Never).unwrap();
        encoder.begin(DataType::Stream, None).unwrap();
        for seq in 0..count {
            let id = StreamId { ms: 1, seq };
            encoder
                .stream(StreamEvent::Entry { id, fields: 1 })
                .unwrap();
            let field = StreamEvent::Field(Element::Bytes(b"f"), Element::Bytes(value));
            encoder.stream(field).unwrap();
        }
        encoder.end(DataType::Stream).unwrap();
        let mut out = Vec::new();
        encoder.finish(&mut out).unwrap();
        out[0]
    };
    assert_eq!(
        [nodes(100, b"x"), nodes(101, b"x"), nodes(201, b"x")],
        [1, 2, 3]
    );
    // A value beyond the limit has a node of its own; before it, 4095 bytes still go together.
    assert_eq!(nodes(3, &[b'x'; 5000]), 3);
    assert_eq!(nodes(2, &[b'x'; 2000]), 1);
    assert_eq!(nodes(2, &[b'x'; 2100]), 2);
}
