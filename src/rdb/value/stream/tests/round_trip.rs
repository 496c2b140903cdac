//! What is written is what was told, for any content and type.

use proptest::prelude::*;

use super::{Told, sound, told};
use crate::bytes::Element;
use crate::error::Result;
use crate::rdb::string::Compress;
use crate::rdb::value::Encoder;
use crate::rdb::value::stream::extent;
use crate::record::value::{StreamEvent, StreamMeta};
use crate::record::{DataType, RdbType, StreamId, ValueVisitor};

const TYPES: [RdbType; 5] = [
    RdbType::Stream1,
    RdbType::Stream2,
    RdbType::Stream3,
    RdbType::Stream4,
    RdbType::Stream5,
];

fn name() -> impl Strategy<Value = Name> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..6),
        any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        "[ab]{0,2}".prop_map(String::into_bytes),
        Just(b"a-name-that-is-long-long-long-long".to_vec()),
    ]
}

type Name = Vec<u8>;
type Entry = (u64, u64, Vec<(Name, Name)>);
type Consumer = (Name, Vec<u16>);

#[derive(Debug, Clone)]
struct Content {
    entries: Vec<Entry>,
    /// Name, entries read, and the consumers with their pending entries.
    groups: Vec<(Name, Option<u64>, Vec<Consumer>)>,
}

fn content() -> impl Strategy<Value = Content> {
    let fields = proptest::collection::vec((name(), name()), 0..5);
    let entry = (any::<u64>(), any::<u64>(), fields);
    let consumer = (name(), proptest::collection::vec(any::<u16>(), 0..4));
    let group = (
        name(),
        proptest::option::of(0..u64::MAX),
        proptest::collection::vec(consumer, 0..4),
    );
    (
        proptest::collection::vec(entry, 0..150),
        proptest::collection::vec(group, 0..3),
    )
        .prop_map(|(entries, groups)| Content { entries, groups })
}

impl Content {
    /// Tells it as a walk would, for the given type.
    fn tell(&self, rdb_type: RdbType, to: &mut dyn ValueVisitor) -> Result<()> {
        let mut entries = self.entries.clone();
        entries.sort();
        entries.dedup_by_key(|entry| (entry.0, entry.1));
        let id = |entry: &(u64, u64, _)| StreamId {
            ms: entry.0,
            seq: entry.1,
        };
        let has_history = rdb_type >= RdbType::Stream2;
        let length = entries.len() as u64;
        to.begin(DataType::Stream, Some(length))?;
        let mut groups = self.groups.clone();
        groups.sort();
        groups.dedup_by(|a, b| a.0 == b.0);
        to.stream(StreamEvent::Meta(StreamMeta {
            length,
            last_id: entries.last().map(id).unwrap_or_default(),
            first_id: entries.first().map(id).unwrap_or_default(),
            max_deleted_id: StreamId::default(),
            entries_added: length,
            groups: groups.len() as u64,
        }))?;
        for entry in &entries {
            let fields = entry.2.len() as u64;
            to.stream(StreamEvent::Entry {
                id: id(entry),
                fields,
            })?;
            for (name, value) in &entry.2 {
                to.stream(StreamEvent::Field(
                    Element::Bytes(name),
                    Element::Bytes(value),
                ))?;
            }
        }
        for (name, read, consumers) in &groups {
            let mut consumers = consumers.clone();
            consumers.sort();
            consumers.dedup_by(|a, b| a.0 == b.0);
            let mut pending: Vec<(u16, usize)> = Vec::new();
            for (index, consumer) in consumers.iter().enumerate() {
                pending.extend(consumer.1.iter().map(|&id| (id, index)));
            }
            pending.sort();
            pending.dedup_by_key(|pair| pair.0);
            to.stream(StreamEvent::Group {
                name: Element::Bytes(name),
                last_id: StreamId {
                    ms: 1 << 40,
                    seq: 5,
                },
                entries_read: read.filter(|_| has_history),
                pending: pending.len() as u64,
                consumers: consumers.len() as u64,
            })?;
            for &(id, owner) in &pending {
                to.stream(StreamEvent::Pending {
                    id: StreamId {
                        ms: id.into(),
                        seq: 0,
                    },
                    consumer: Some(Element::Bytes(&consumers[owner].0)),
                    delivered_at: -i64::from(id),
                    deliveries: id.into(),
                })?;
            }
            for (index, consumer) in consumers.iter().enumerate() {
                to.stream(StreamEvent::Consumer {
                    name: Element::Bytes(&consumer.0),
                    seen_at: 7,
                    active_at: (rdb_type >= RdbType::Stream3).then_some(-1),
                    pending: pending.iter().filter(|pair| pair.1 == index).count() as u64,
                })?;
            }
        }
        if rdb_type >= RdbType::Stream4 {
            to.stream(StreamEvent::Producers {
                duration: 100,
                max_entries: 9,
                count: 2,
            })?;
            for (id, messages) in [(Element::Int(5), 2), (Element::Bytes(b"p"), 0)] {
                to.stream(StreamEvent::Producer {
                    id,
                    count: messages,
                })?;
                for seq in 0..messages {
                    let iid = Element::Bytes(b"iid");
                    let id = StreamId { ms: 1 << 50, seq };
                    to.stream(StreamEvent::Message { iid, id })?;
                }
            }
            to.stream(StreamEvent::ProducerTotals {
                added: 12,
                duplicates: 3,
            })?;
        }
        to.end(DataType::Stream)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn round_trips(content in content()) {
        for rdb_type in TYPES {
            let mut expected = Told::default();
            content.tell(rdb_type, &mut expected).unwrap();
            for compress in [Compress::Never, Compress::AsServer] {
                let mut encoder = Encoder::new(rdb_type, compress).unwrap();
                let mut written = Vec::new();
                // Twice, so that nothing may be left over from the first.
                for _ in 0..2 {
                    written.clear();
                    content.tell(rdb_type, &mut encoder).unwrap();
                    encoder.finish(&mut written).unwrap();
                }
                prop_assert_eq!(extent(rdb_type, &written).unwrap().0.len(), 0);
                prop_assert_eq!(&sound(rdb_type, &written), &expected.lines);
            }
        }
    }

    #[test]
    fn noise_is_never_a_panic(noise in proptest::collection::vec(any::<u8>(), 0..200)) {
        for rdb_type in TYPES {
            let _ = extent(rdb_type, &noise);
            let _ = told(rdb_type, &noise);
        }
    }
}
