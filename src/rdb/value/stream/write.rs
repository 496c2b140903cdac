//! Writes a stream.

use std::collections::HashMap;

use crate::bytes::Element;
use crate::encoding::listpack::ListpackWriter;
use crate::error::{Error, ErrorKind, Result};
use crate::rdb::string::{Compress, StringWriter, write_number};
use crate::rdb::value::stream::node::SAME_FIELDS;
use crate::rdb::value::stream::{RAW_ID, UNKNOWN_READ};
use crate::record::value::{StreamEvent, StreamMeta};
use crate::record::{DataType, RdbType, StreamId, ValueVisitor};

/// Bytes in a node above which servers begin the next (`stream-node-max-bytes`).
const NODE_BYTES: usize = 4096;
/// Entries in a node (`stream-node-max-entries`). The count is one byte in the listpack.
const NODE_ENTRIES: u8 = 100;
/// Where a listpack's first entry stands.
const FIRST_ENTRY: usize = 6;

/// Is told of a stream and holds its bytes in the form of one of the stream types. One encoder can
/// write any number of streams, one after the other.
///
/// What the type has no room for is left out: the counters of newer servers, the times at which
/// consumers were active, idempotent producers. Where the type has room for what nobody told, it
/// gets what servers assume: entries read unknown, consumers active when last seen, no producers.
/// Groups are held until they end, nodes only in their final form.
#[derive(Debug)]
pub(crate) struct StreamEncoder {
    rdb_type: RdbType,
    strings: StringWriter,
    meta: StreamMeta,
    length: u64,
    nodes: Counted,
    node: Node,
    /// The entry whose fields are being told.
    entry: Option<StreamId>,
    /// Its names and values in turn.
    fields: Strings,
    blob: Vec<u8>,
    groups: Counted,
    group: Option<Group>,
    producers: Producers,
}

impl StreamEncoder {
    /// An encoder for a stream type.
    pub(crate) fn new(rdb_type: RdbType, compress: Compress) -> Self {
        debug_assert_eq!(rdb_type.data_type(), DataType::Stream);
        StreamEncoder {
            rdb_type,
            strings: StringWriter::new(compress),
            meta: StreamMeta::default(),
            length: 0,
            nodes: Counted::default(),
            node: Node::default(),
            entry: None,
            fields: Strings::default(),
            blob: Vec::new(),
            groups: Counted::default(),
            group: None,
            producers: Producers::default(),
        }
    }

    /// Appends the value that was told to `out`. Its length is the number of entries told.
    ///
    /// # Errors
    /// A node above 4 GiB; a pending entry whose consumer is not one of the group's, or that has
    /// none where the type cannot say so.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.end_entry()?;
        self.end_node()?;
        self.end_group()?;
        self.nodes.take(out);
        write_number(self.length, out);
        write_id(self.meta.last_id, out);
        if self.rdb_type >= RdbType::Stream2 {
            write_id(self.meta.first_id, out);
            write_id(self.meta.max_deleted_id, out);
            write_number(self.meta.entries_added, out);
        }
        self.groups.take(out);
        if self.rdb_type >= RdbType::Stream4 {
            self.producers.take(out);
        }
        Ok(())
    }

    pub(crate) fn clear(&mut self) {
        self.meta = StreamMeta::default();
        self.length = 0;
        self.nodes.clear();
        self.node = Node::default();
        self.entry = None;
        self.fields.clear();
        self.groups.clear();
        self.group = None;
        self.producers = Producers::default();
    }

    /// Puts the entry into the node, or into a new one where the server would.
    fn end_entry(&mut self) -> Result<()> {
        let Some(id) = self.entry.take() else {
            return Ok(());
        };
        // Servers count what the entry's strings have, not what their encoding will take.
        let full = self.node.pack.len() + self.fields.bytes.len() >= NODE_BYTES;
        if self.node.entries > 0 && (full || self.node.entries >= NODE_ENTRIES) {
            self.end_node()?;
        }
        if self.node.entries == 0 {
            self.node.begin(id, &self.fields);
        }
        self.node.push(id, &self.fields);
        self.length += 1;
        Ok(())
    }

    fn end_node(&mut self) -> Result<()> {
        if self.node.entries == 0 {
            return Ok(());
        }
        self.blob.clear();
        self.node
            .pack
            .finish(&mut self.blob)
            .map_err(|problem| Error::new(ErrorKind::Bytes(problem)))?;
        if let Some(count) = self.blob.get_mut(FIRST_ENTRY) {
            *count = self.node.entries;
        }
        self.node.entries = 0;
        let key = self.node.master.to_be_bytes();
        self.strings.bytes(&key, self.nodes.next());
        self.strings.bytes(&self.blob, &mut self.nodes.bytes);
        Ok(())
    }

    fn end_group(&mut self) -> Result<()> {
        let Some(mut group) = self.group.take() else {
            return Ok(());
        };
        if group.owned.values().any(|ids| ids.count > 0) {
            return Err(Error::new(ErrorKind::Unsupported(
                "a pending entry names a consumer that its group does not have".to_owned(),
            )));
        }
        let out = self.groups.next();
        out.append(&mut group.head);
        group.pending.take(out);
        group.consumers.take(out);
        if self.rdb_type >= RdbType::Stream5 {
            group.unowned.take(out);
        } else if group.unowned.count > 0 {
            return Err(Error::new(ErrorKind::Unsupported(format!(
                "a pending entry without consumer cannot be written as type {}, {}",
                self.rdb_type.number(),
                self.rdb_type.name()
            ))));
        }
        Ok(())
    }

    fn begin_group(&mut self, name: Element<'_>, last_id: StreamId, entries_read: Option<u64>) {
        let mut group = Group::default();
        self.strings.write(name, &mut group.head);
        write_id(last_id, &mut group.head);
        if self.rdb_type >= RdbType::Stream2 {
            write_number(entries_read.unwrap_or(UNKNOWN_READ), &mut group.head);
        }
        self.group = Some(group);
    }

    fn consumer(&mut self, name: Element<'_>, seen_at: i64, active_at: Option<i64>) {
        let Some(group) = &mut self.group else {
            return;
        };
        let out = group.consumers.next();
        self.strings.write(name, out);
        out.extend_from_slice(&seen_at.to_le_bytes());
        if self.rdb_type >= RdbType::Stream3 {
            out.extend_from_slice(&active_at.unwrap_or(seen_at).to_le_bytes());
        }
        match group.owned.get_mut(name.bytes(&mut itoa::Buffer::new())) {
            Some(ids) => ids.take(out),
            None => write_number(0, out),
        }
    }
}

impl ValueVisitor for StreamEncoder {
    fn begin(&mut self, _of: DataType, _count: Option<u64>) -> Result<()> {
        self.clear();
        Ok(())
    }

    fn stream(&mut self, event: StreamEvent<'_>) -> Result<()> {
        match event {
            StreamEvent::Meta(meta) => self.meta = meta,
            StreamEvent::Entry { id, .. } => {
                self.end_entry()?;
                self.fields.clear();
                self.entry = Some(id);
            }
            StreamEvent::Field(name, value) => {
                self.fields.push(name);
                self.fields.push(value);
            }
            StreamEvent::Group {
                name,
                last_id,
                entries_read,
                ..
            } => {
                self.end_group()?;
                self.begin_group(name, last_id, entries_read);
            }
            StreamEvent::Pending {
                id,
                consumer,
                delivered_at,
                deliveries,
            } => {
                if let Some(group) = &mut self.group {
                    group.pending(id, consumer);
                    let out = &mut group.pending.bytes;
                    out.extend_from_slice(&delivered_at.to_le_bytes());
                    write_number(deliveries, out);
                }
            }
            StreamEvent::Consumer {
                name,
                seen_at,
                active_at,
                ..
            } => self.consumer(name, seen_at, active_at),
            StreamEvent::Producers {
                duration,
                max_entries,
                ..
            } => {
                self.producers.duration = duration;
                self.producers.max_entries = max_entries;
            }
            StreamEvent::Producer { id, .. } => {
                self.producers.end_producer();
                self.strings.write(id, self.producers.all.next());
            }
            StreamEvent::Message { iid, id } => {
                let out = self.producers.messages.next();
                self.strings.write(iid, out);
                write_id(id, out);
            }
            StreamEvent::ProducerTotals { added, duplicates } => {
                self.producers.added = added;
                self.producers.duplicates = duplicates;
            }
        }
        Ok(())
    }
}

/// The node that is being filled.
#[derive(Debug, Default)]
struct Node {
    pack: ListpackWriter,
    master: StreamId,
    names: Strings,
    entries: u8,
}

impl Node {
    /// Writes what stands before the records: the first entry is the master entry.
    fn begin(&mut self, id: StreamId, fields: &Strings) {
        self.master = id;
        self.names.clear();
        // The count of entries is put in its place when the node ends.
        self.pack.push(Element::Int(0));
        self.pack.push(Element::Int(0));
        self.pack.push(integer(fields.len() / 2));
        for name in fields.iter().step_by(2) {
            self.pack.push(Element::Bytes(name));
            self.names.push(Element::Bytes(name));
        }
        self.pack.push(Element::Int(0));
    }

    fn push(&mut self, id: StreamId, fields: &Strings) {
        let count = fields.len() / 2;
        let same = count == self.names.len() && self.names.iter().eq(fields.iter().step_by(2));
        self.pack
            .push(Element::Int(if same { SAME_FIELDS } else { 0 }));
        for (n, master) in [(id.ms, self.master.ms), (id.seq, self.master.seq)] {
            self.pack
                .push(Element::Int(n.wrapping_sub(master).cast_signed()));
        }
        let items = if same {
            for value in fields.iter().skip(1).step_by(2) {
                self.pack.push(Element::Bytes(value));
            }
            3 + count
        } else {
            self.pack.push(integer(count));
            for item in fields.iter() {
                self.pack.push(Element::Bytes(item));
            }
            4 + 2 * count
        };
        self.pack.push(integer(items));
        self.entries += 1;
    }
}

/// A count of things in memory, which fits.
fn integer(n: usize) -> Element<'static> {
    Element::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

/// The group that is being told.
#[derive(Debug, Default)]
struct Group {
    head: Vec<u8>,
    pending: Counted,
    consumers: Counted,
    /// Pending IDs by the name of the consumer.
    owned: HashMap<Box<[u8]>, Counted>,
    unowned: Counted,
}

impl Group {
    fn pending(&mut self, id: StreamId, consumer: Option<Element<'_>>) {
        let raw: [u8; RAW_ID] = id.to_be_bytes();
        self.pending.next().extend_from_slice(&raw);
        let mut text = itoa::Buffer::new();
        let list = match consumer.map(|name| name.bytes(&mut text)) {
            None => &mut self.unowned,
            Some(name) if self.owned.contains_key(name) => match self.owned.get_mut(name) {
                Some(list) => list,
                None => return,
            },
            Some(name) => self.owned.entry(name.into()).or_default(),
        };
        list.next().extend_from_slice(&raw);
    }
}

/// What type 26 adds.
#[derive(Debug, Default)]
struct Producers {
    duration: u64,
    max_entries: u64,
    all: Counted,
    /// Of the last producer.
    messages: Counted,
    added: u64,
    duplicates: u64,
}

impl Producers {
    /// Puts the messages behind the name of their producer.
    fn end_producer(&mut self) {
        if self.all.count > 0 {
            self.messages.take(&mut self.all.bytes);
        }
    }

    fn take(&mut self, out: &mut Vec<u8>) {
        self.end_producer();
        write_number(self.duration, out);
        write_number(self.max_entries, out);
        self.all.take(out);
        write_number(self.added, out);
        write_number(self.duplicates, out);
    }
}

/// Items in file form, which their count precedes.
#[derive(Debug, Default)]
struct Counted {
    count: u64,
    bytes: Vec<u8>,
}

impl Counted {
    /// Room for one more.
    fn next(&mut self) -> &mut Vec<u8> {
        self.count += 1;
        &mut self.bytes
    }

    /// Moves count and items to `out`.
    fn take(&mut self, out: &mut Vec<u8>) {
        write_number(self.count, out);
        out.append(&mut self.bytes);
        self.count = 0;
    }

    fn clear(&mut self) {
        self.count = 0;
        self.bytes.clear();
    }
}

/// Strings one behind the other.
#[derive(Debug, Default)]
struct Strings {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Strings {
    fn push(&mut self, string: Element<'_>) {
        let mut text = itoa::Buffer::new();
        self.bytes.extend_from_slice(string.bytes(&mut text));
        self.ends.push(self.bytes.len());
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let string = self.bytes.get(start..end).unwrap_or_default();
            start = end;
            string
        })
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

fn write_id(id: StreamId, out: &mut Vec<u8>) {
    write_number(id.ms, out);
    write_number(id.seq, out);
}
