//! Streams from file form, and told again.

use crate::bytes::{Element, Problem};
use crate::error::{Place, Result};
use crate::keyspace::rules::Rules;
use crate::keyspace::stream::group::{Group, Pending, keeps_activity};
use crate::keyspace::stream::node::Node;
use crate::keyspace::stream::{Stream, counts_history};
use crate::rdb::value::{Scratch, stream_nodes, walk};
use crate::record::value::{StreamEvent, StreamMeta};
use crate::record::{DataType, RawValue, RdbType, StreamId, ValueVisitor};

/// The state of idempotent producers (Redis 8.6), which no command here changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Producers {
    duration: u64,
    max_entries: u64,
    producers: Vec<Producer>,
    added: u64,
    duplicates: u64,
}

#[derive(Clone, Debug)]
struct Producer {
    name: Box<[u8]>,
    messages: Vec<(Box<[u8]>, StreamId)>,
}

/// The stream that stands in a file, as the server holds it that loads the file.
///
/// # Errors
/// A value that cannot be decoded.
pub fn load(raw: &RawValue<'_>, scratch: &mut Scratch, rules: &Rules) -> Result<Stream> {
    let mut loader = Loader::new(raw.rdb_type, rules);
    walk(raw, scratch, &mut loader)?;
    // Sound nodes are kept as they stand; of others the entries are taken one by one.
    if !loader.flawed {
        let stream = &mut loader.stream;
        let whole = stream_nodes(raw, scratch, &mut |master, blob| {
            let node = Node::from_blob(master, blob, stream.next_serial());
            node.map(|node| stream.nodes.push_back(node)).is_some()
        })?;
        if whole {
            return Ok(loader.stream);
        }
    }
    let mut loader = Loader::new(raw.rdb_type, rules);
    loader.entries = Some(Entries::default());
    walk(raw, scratch, &mut loader)?;
    Ok(loader.stream)
}

/// Is told a stream and builds it.
pub(in crate::keyspace) struct Loader<'r> {
    stream: Stream,
    rules: &'r Rules,
    /// The type of the file's value: what it has no room for is as a server takes it.
    from: RdbType,
    /// Something is wrong with it.
    flawed: bool,
    /// Takes entries; none where nodes are taken whole.
    entries: Option<Entries>,
    /// The name of the group that is being told.
    group: Box<[u8]>,
}

/// The entry that is being told.
#[derive(Default)]
struct Entries {
    id: StreamId,
    left: u64,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl<'r> Loader<'r> {
    fn new(from: RdbType, rules: &'r Rules) -> Self {
        Loader {
            stream: Stream::new(),
            rules,
            from,
            flawed: false,
            entries: None,
            group: Box::default(),
        }
    }

    /// Of a stream that no file holds: its entries are taken one by one.
    pub(in crate::keyspace) fn told(rules: &'r Rules) -> Self {
        let mut loader = Loader::new(RdbType::Stream3, rules);
        loader.entries = Some(Entries::default());
        loader
    }

    /// The stream that was told.
    pub(in crate::keyspace) fn finish(self) -> Stream {
        self.stream
    }

    fn meta(&mut self, meta: &StreamMeta) {
        let stream = &mut self.stream;
        // Entries that are told one by one are counted.
        stream.length = match self.entries {
            None => meta.length,
            Some(_) => 0,
        };
        stream.last_id = meta.last_id;
        stream.first_id = meta.first_id;
        stream.max_deleted_id = meta.max_deleted_id;
        stream.entries_added = meta.entries_added;
        stream.settle_counters(self.rules);
    }

    fn entry(&mut self, id: StreamId, fields: u64) {
        if let Some(entries) = &mut self.entries {
            entries.id = id;
            entries.left = fields;
            entries.bytes.clear();
            entries.ends.clear();
            if fields == 0 {
                entries.end(&mut self.stream, self.rules);
            }
        }
    }

    fn field(&mut self, name: Element<'_>, value: Element<'_>) {
        let Some(entries) = &mut self.entries else {
            return;
        };
        let mut text = itoa::Buffer::new();
        for item in [name, value] {
            entries.bytes.extend_from_slice(item.bytes(&mut text));
            entries.ends.push(entries.bytes.len());
        }
        entries.left = entries.left.saturating_sub(1);
        if entries.left == 0 {
            entries.end(&mut self.stream, self.rules);
        }
    }

    fn group(&mut self, name: &[u8], last_id: StreamId, entries_read: Option<u64>) {
        let entries_read = match self.from {
            _ if !counts_history(self.rules) => None,
            RdbType::Stream1 => self.stream.read_before(last_id, self.rules),
            _ => entries_read,
        };
        let groups = self.stream.groups.get_or_insert_default();
        let group = Group::new(last_id, entries_read);
        groups.named.insert(name.into(), group);
        self.group = name.into();
    }

    fn pending(&mut self, id: StreamId, consumer: Option<&[u8]>, pending: Pending) {
        let Some(group) = self.stream.group_mut(&self.group) else {
            return;
        };
        // A consumer is told behind what is pending for it.
        let consumer = consumer.map(|name| match group.find(name) {
            Some(number) => number,
            None => group.add(name, 0, keeps_activity(self.rules).then_some(0)),
        });
        group.assign(
            id,
            Pending {
                consumer,
                ..pending
            },
        );
    }

    fn consumer(&mut self, name: &[u8], seen_at: i64, active_at: Option<i64>) {
        let Some(group) = self.stream.group_mut(&self.group) else {
            return;
        };
        let active_at = keeps_activity(self.rules).then_some(active_at.unwrap_or(seen_at));
        match group.find(name).and_then(|it| group.consumer_mut(it)) {
            Some(consumer) => {
                consumer.seen_at = seen_at;
                consumer.active_at = active_at;
            }
            None => {
                group.add(name, seen_at, active_at);
            }
        }
    }
}

impl Entries {
    fn end(&mut self, stream: &mut Stream, rules: &Rules) {
        let mut start = 0;
        let items = self.ends.iter().map(|&end| {
            let item = self.bytes.get(start..end).unwrap_or_default();
            start = end;
            item
        });
        let items: Vec<&[u8]> = items.collect();
        stream.place(self.id, items.as_chunks().0, rules);
    }
}

impl ValueVisitor for Loader<'_> {
    fn wants_fields(&self) -> bool {
        self.entries.is_some()
    }

    fn stream(&mut self, event: StreamEvent<'_>) -> Result<()> {
        let mut text = itoa::Buffer::new();
        match event {
            StreamEvent::Meta(meta) => self.meta(&meta),
            StreamEvent::Entry { id, fields } => self.entry(id, fields),
            StreamEvent::Field(name, value) => self.field(name, value),
            StreamEvent::Group {
                name,
                last_id,
                entries_read,
                ..
            } => self.group(name.bytes(&mut text), last_id, entries_read),
            StreamEvent::Pending {
                id,
                consumer,
                delivered_at,
                deliveries,
            } => {
                let pending = Pending {
                    consumer: None,
                    delivered_at,
                    deliveries,
                };
                let consumer = consumer.as_ref().map(|name| name.bytes(&mut text));
                self.pending(id, consumer, pending);
            }
            StreamEvent::Consumer {
                name,
                seen_at,
                active_at,
                ..
            } => self.consumer(name.bytes(&mut text), seen_at, active_at),
            StreamEvent::Producers {
                duration,
                max_entries,
                ..
            } => {
                self.stream.producers = Some(Box::new(Producers {
                    duration,
                    max_entries,
                    ..Producers::default()
                }));
            }
            StreamEvent::Producer { id, .. } => {
                if let Some(all) = &mut self.stream.producers {
                    all.producers.push(Producer {
                        name: id.bytes(&mut text).into(),
                        messages: Vec::new(),
                    });
                }
            }
            StreamEvent::Message { iid, id } => {
                let all = self.stream.producers.as_mut();
                if let Some(producer) = all.and_then(|all| all.producers.last_mut()) {
                    producer.messages.push((iid.bytes(&mut text).into(), id));
                }
            }
            StreamEvent::ProducerTotals { added, duplicates } => {
                if let Some(all) = &mut self.stream.producers {
                    all.added = added;
                    all.duplicates = duplicates;
                }
            }
        }
        Ok(())
    }

    fn flaw(&mut self, problem: Problem, _place: Place) -> Result<()> {
        // A node without live entries is what a trim by ID may leave; servers load it as it is.
        self.flawed |= !matches!(problem, Problem::StreamNodeEmpty);
        Ok(())
    }
}

impl Stream {
    /// Puts an entry of a damaged stream where it belongs, whatever its ID.
    fn place(&mut self, id: StreamId, pairs: &[[&[u8]; 2]], rules: &Rules) {
        let (last_id, first_id) = (self.last_id, self.first_id);
        let (added, deleted) = (self.entries_added, self.max_deleted_id);
        if self.nodes.back().is_none_or(|node| node.last < id) {
            // What a server would not add it still loads.
            if self.append(id, pairs, rules).is_err() {
                let serial = self.next_serial();
                self.nodes.push_back(Node::new(id, pairs, serial));
                self.length += 1;
            }
        } else {
            let node = Node::new(id, pairs, self.next_serial());
            let at = self.nodes.partition_point(|node| node.master < id);
            match self.nodes.get_mut(at).filter(|node| node.master == id) {
                Some(same) => {
                    self.length = self.length.saturating_sub(same.live()) + 1;
                    *same = node;
                }
                None => {
                    self.length += 1;
                    self.nodes.insert(at, node);
                }
            }
        }
        self.last_id = last_id;
        self.first_id = first_id;
        self.entries_added = added;
        self.max_deleted_id = deleted;
        self.settle_counters(rules);
    }

    /// Tells a visitor the whole value.
    ///
    /// # Errors
    /// What the visitor returned.
    pub fn walk(&self, to: &mut dyn ValueVisitor) -> Result<()> {
        to.begin(DataType::Stream, Some(self.length))?;
        to.stream(StreamEvent::Meta(StreamMeta {
            length: self.length,
            last_id: self.last_id,
            first_id: self.first_id,
            max_deleted_id: self.max_deleted_id,
            entries_added: self.entries_added,
            groups: self.group_count() as u64,
        }))?;
        let wants_fields = to.wants_fields();
        let records = self.nodes.iter().flat_map(Node::records);
        for record in records.filter(|record| !record.deleted) {
            let (id, fields) = (record.id, record.fields);
            to.stream(StreamEvent::Entry { id, fields })?;
            if wants_fields {
                for (name, value) in record.pairs() {
                    to.stream(StreamEvent::Field(name, value))?;
                }
            }
        }
        for (name, group) in self.groups() {
            tell_group(name, group, to)?;
        }
        if let Some(producers) = &self.producers {
            producers.tell(to)?;
        }
        to.end(DataType::Stream)
    }
}

fn tell_group(name: &[u8], group: &Group, to: &mut dyn ValueVisitor) -> Result<()> {
    to.stream(StreamEvent::Group {
        name: Element::Bytes(name),
        last_id: group.last_id,
        entries_read: group.entries_read,
        pending: group.pending().len() as u64,
        consumers: group.consumers().len() as u64,
    })?;
    for (&id, pending) in group.pending() {
        let consumer = pending.consumer.and_then(|it| group.consumer(it));
        to.stream(StreamEvent::Pending {
            id,
            consumer: consumer.map(|consumer| Element::Bytes(&consumer.name)),
            delivered_at: pending.delivered_at,
            deliveries: pending.deliveries,
        })?;
    }
    for consumer in group.consumers() {
        to.stream(StreamEvent::Consumer {
            name: Element::Bytes(&consumer.name),
            seen_at: consumer.seen_at,
            active_at: consumer.active_at,
            pending: consumer.pending().len() as u64,
        })?;
    }
    Ok(())
}

impl Producers {
    fn tell(&self, to: &mut dyn ValueVisitor) -> Result<()> {
        to.stream(StreamEvent::Producers {
            duration: self.duration,
            max_entries: self.max_entries,
            count: self.producers.len() as u64,
        })?;
        for producer in &self.producers {
            to.stream(StreamEvent::Producer {
                id: Element::Bytes(&producer.name),
                count: producer.messages.len() as u64,
            })?;
            for (iid, id) in &producer.messages {
                let iid = Element::Bytes(iid);
                to.stream(StreamEvent::Message { iid, id: *id })?;
            }
        }
        to.stream(StreamEvent::ProducerTotals {
            added: self.added,
            duplicates: self.duplicates,
        })
    }
}
