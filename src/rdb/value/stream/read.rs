//! Walks a stream.

use crate::bytes::Problem;
use crate::error::{Place, Result};
use crate::rdb::string;
use crate::rdb::value::stream::node::{self, DELETED, Head, Pack, Record, SAME_FIELDS};
use crate::rdb::value::stream::{counters, groups, id, skip_nodes};
use crate::rdb::value::{Reader, Room, Scratch};
use crate::record::value::StreamMeta;
use crate::record::{DataType, RawValue, RdbType, StreamId, ValueVisitor, value::StreamEvent};

/// Keys of nodes compared with each other where they do not ascend: 24 MiB.
const KEYS_COMPARED: usize = 1 << 20;

/// Tells the visitor the counters (which stand behind the nodes in the file), every live entry,
/// the groups and the producers.
pub(in crate::rdb::value) fn walk<V: ValueVisitor + ?Sized>(
    rdb_type: RdbType,
    reader: &mut Reader<'_>,
    scratch: &mut Scratch,
    to: &mut V,
) -> Result<()> {
    let count = reader.number()?;
    let mut nodes = reader.fork();
    reader.run(|input| skip_nodes(input, count))?;
    let place = reader.place();
    let counters = reader.run(|input| counters(rdb_type, input))?;
    let length = counters.length;
    // The first type has no history: servers take the stream as one that never lost an entry.
    let (first_id, max_deleted_id, entries_added) = match counters.history {
        Some(history) => history,
        None => {
            let first =
                node::first_live(nodes.fork(), count, &mut scratch.first, &mut scratch.blob);
            (first.unwrap_or_default(), StreamId::default(), length)
        }
    };
    to.begin(DataType::Stream, Some(length))?;
    to.stream(StreamEvent::Meta(StreamMeta {
        length,
        last_id: counters.last_id,
        first_id,
        max_deleted_id,
        entries_added,
        groups: counters.groups,
    }))?;
    let seen = entries(&mut nodes, count, scratch, to)?;
    if seen.live != length {
        let problem = Problem::StreamLength {
            claimed: length,
            actual: seen.live,
        };
        to.flaw(problem, place)?;
    }
    if seen.highest > counters.last_id {
        to.flaw(Problem::StreamLastId, place)?;
    }
    groups::walk(rdb_type, reader, counters.groups, scratch, to)?;
    if rdb_type >= RdbType::Stream4 {
        producers(reader, scratch, to)?;
    }
    to.end(DataType::Stream)
}

/// Gives the key and listpack of every node to `each` until it wants no more; whether it had all.
///
/// # Errors
/// A node that cannot be read.
pub(crate) fn nodes(
    value: &RawValue<'_>,
    scratch: &mut Scratch,
    each: &mut dyn FnMut(StreamId, &[u8]) -> bool,
) -> Result<bool> {
    let mut reader = Reader::new(value);
    for _ in 0..reader.number()? {
        let key = node::key(&mut reader, &mut scratch.first)?;
        let (blob, _) = reader.blob(&mut scratch.blob)?;
        if !each(key, blob) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What the nodes turned out to hold.
#[derive(Default)]
struct Seen {
    /// Live entries.
    live: u64,
    /// Last ID, of deleted entries too.
    last: Option<StreamId>,
    /// Highest ID: the last, unless they are out of order.
    highest: StreamId,
}

fn entries<V: ValueVisitor + ?Sized>(
    reader: &mut Reader<'_>,
    nodes: u64,
    scratch: &mut Scratch,
    to: &mut V,
) -> Result<Seen> {
    let mut seen = Seen::default();
    let from = reader.fork();
    let mut last_key = None;
    let mut ascends = true;
    for _ in 0..nodes {
        let place = reader.place();
        let master = node::key(reader, &mut scratch.first)?;
        if seen.last.is_some_and(|last| master <= last) {
            to.flaw(Problem::StreamOrder, place)?;
        }
        ascends &= last_key.replace(master).is_none_or(|last| last < master);
        let pack = Pack::open(reader.blob(&mut scratch.blob)?)?;
        node_entries(pack, master, &mut seen, to)?;
    }
    if !ascends {
        tell_repeated_keys(from, nodes, &mut scratch.first, to)?;
    }
    Ok(seen)
}

fn tell_repeated_keys<V: ValueVisitor + ?Sized>(
    mut reader: Reader<'_>,
    nodes: u64,
    room: &mut Room,
    to: &mut V,
) -> Result<()> {
    let mut keys = Vec::new();
    for _ in 0..nodes.min(KEYS_COMPARED as u64) {
        let at = reader.offset();
        keys.push((node::key(&mut reader, room)?, at));
        reader.run(string::skip)?;
    }
    keys.sort_unstable();
    for pair in keys.windows(2) {
        if let &[(key, _), (other, at)] = pair
            && key == other
        {
            to.flaw(Problem::StreamNodeTwice, Place::at(at))?;
        }
    }
    Ok(())
}

fn node_entries<V: ValueVisitor + ?Sized>(
    mut pack: Pack<'_>,
    master: StreamId,
    seen: &mut Seen,
    to: &mut V,
) -> Result<()> {
    let head = Head::read(&mut pack)?;
    if !head.terminated {
        to.flaw(Problem::StreamNode, pack.here())?;
    }
    let (mut live, mut deleted) = (0u64, 0u64);
    // The node's key may be its first entry's ID; every other entry comes after the one before.
    let mut last = None;
    while let Some(record) = Record::read(&mut pack, master, head.names.count)? {
        if record.flags & !(DELETED | SAME_FIELDS) != 0 {
            let found = record.flags;
            to.flaw(Problem::StreamFlags { found }, pack.here())?;
        }
        if last.map_or(record.id < master, |last| record.id <= last) {
            to.flaw(Problem::StreamOrder, pack.here())?;
        }
        last = Some(record.id);
        seen.highest = seen.highest.max(record.id);
        if record.is_deleted() {
            deleted += 1;
            pack.skip(record.items())?;
        } else {
            live += 1;
            let (id, fields) = (record.id, record.fields);
            to.stream(StreamEvent::Entry { id, fields })?;
            if !to.wants_fields() {
                pack.skip(record.items())?;
            } else if record.has_own_names() {
                for _ in 0..fields {
                    let name = pack.element()?;
                    to.stream(StreamEvent::Field(name, pack.element()?))?;
                }
            } else {
                head.names
                    .each(|name| to.stream(StreamEvent::Field(name, pack.element()?)))?;
            }
        }
        if let Some(problem) = record.close(&mut pack)? {
            to.flaw(problem, pack.here())?;
        }
    }
    let count_is = |claimed: i64, actual: u64| u64::try_from(claimed) == Ok(actual);
    if !count_is(head.live, live) || !count_is(head.deleted, deleted) {
        to.flaw(Problem::StreamNode, pack.here())?;
    }
    if live == 0 {
        to.flaw(Problem::StreamNodeEmpty, pack.here())?;
    }
    if let Some((problem, place)) = pack.flaw() {
        to.flaw(problem, place)?;
    }
    seen.live += live;
    seen.last = last.or(Some(master));
    Ok(())
}

fn producers<V: ValueVisitor + ?Sized>(
    reader: &mut Reader<'_>,
    scratch: &mut Scratch,
    to: &mut V,
) -> Result<()> {
    let duration = reader.number()?;
    let max_entries = reader.number()?;
    let count = reader.number()?;
    to.stream(StreamEvent::Producers {
        duration,
        max_entries,
        count,
    })?;
    for _ in 0..count {
        let at = reader.offset();
        let name = reader.stored()?;
        let count = reader.number()?;
        let name = scratch.first.resolve(name, at)?;
        to.stream(StreamEvent::Producer { id: name, count })?;
        for _ in 0..count {
            let at = reader.offset();
            let iid = reader.stored()?;
            let id = reader.run(id)?;
            let iid = scratch.first.resolve(iid, at)?;
            to.stream(StreamEvent::Message { iid, id })?;
        }
    }
    let added = reader.number()?;
    let duplicates = reader.number()?;
    to.stream(StreamEvent::ProducerTotals { added, duplicates })
}
