//! Values of each type from JSON.

use std::collections::HashMap;

use crate::bytes::Element;
use crate::keyspace::told::{ToldHash, ToldList, ToldSet, ToldStream, ToldZSet};
use crate::keyspace::{Rules, Value};
use crate::rdb::string::{Compress, StringWriter, write_number};
use crate::record::StreamId;
use crate::record::value::{StreamEvent, StreamMeta};
use crate::report::json::read::{Cursor, Read, StringRoom, flaw, unfit};
use crate::write::Format;

/// Room for what is being read.
#[derive(Default)]
pub(super) struct Rooms {
    pub(super) first: StringRoom,
    second: StringRoom,
    names: Vec<u8>,
    fields: Fields,
}

/// The fields and values of a stream's entry, one after the other.
#[derive(Default)]
struct Fields {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Fields {
    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.ends.push(self.bytes.len());
    }

    fn get(&self, n: usize) -> &[u8] {
        let start = n.checked_sub(1).and_then(|n| self.ends.get(n)).copied();
        let end = self.ends.get(n).copied().unwrap_or_default();
        self.bytes
            .get(start.unwrap_or_default()..end)
            .unwrap_or_default()
    }
}

pub(super) fn list(cursor: &mut Cursor<'_>, rooms: &mut Rooms) -> Read<Value> {
    let mut list = ToldList::default();
    cursor.each(|cursor| {
        list.push(cursor.bytes(&mut rooms.first)?);
        Ok(())
    })?;
    Ok(list.finish())
}

pub(super) fn set(cursor: &mut Cursor<'_>, rules: &Rules, rooms: &mut Rooms) -> Read<Value> {
    let mut set = ToldSet::new(rules);
    cursor.each(|cursor| {
        let at = cursor.place();
        match set.add(cursor.bytes(&mut rooms.first)?) {
            true => Ok(()),
            false => Err(flaw(at, "this member stands twice in the set")),
        }
    })?;
    Ok(set.finish())
}

pub(super) fn zset(cursor: &mut Cursor<'_>, rules: &Rules, rooms: &mut Rooms) -> Read<Value> {
    let mut zset = ToldZSet::new(rules);
    cursor.each(|cursor| {
        let at = cursor.place();
        let [Some(member), Some(score)] = cursor.members(&["member", "score"], &mut rooms.names)?
        else {
            return Err(flaw(at, "a member with its score was expected"));
        };
        let score = cursor.from(score).double(&mut rooms.names)?;
        let member = cursor.from(member).bytes(&mut rooms.first)?;
        match zset.add(member, score) {
            true => Ok(()),
            false => Err(flaw(at, "this member stands twice in the sorted set")),
        }
    })?;
    Ok(zset.finish())
}

/// Tells `each` the members of an object, or the pairs of a list of pairs.
fn fields(
    cursor: &mut Cursor<'_>,
    room: &mut StringRoom,
    mut each: impl FnMut(usize, &[u8], &mut Cursor<'_>) -> Read<()>,
) -> Read<()> {
    if cursor.peek() == Some(b'[') {
        return cursor.each(|cursor| {
            let at = cursor.place();
            cursor.take(b'[')?;
            let name = cursor.bytes(room)?;
            cursor.take(b',')?;
            each(at, name, cursor)?;
            cursor.take(b']')
        });
    }
    cursor.each_member(|cursor| {
        let at = cursor.place();
        let name = cursor.name(room)?;
        cursor.take(b':')?;
        each(at, name, cursor)
    })
}

pub(super) fn hash(
    cursor: &mut Cursor<'_>,
    expiries: Option<Cursor<'_>>,
    goal: &Format,
    rooms: &mut Rooms,
) -> Read<Value> {
    let Rooms { first, second, .. } = rooms;
    // Of each field its expiry, and where that stands; what is left in the end has no field.
    let mut times: HashMap<Vec<u8>, (i64, usize)> = HashMap::new();
    if let Some(mut cursor) = expiries {
        let start = cursor.place();
        fields(&mut cursor, first, |at, name, cursor| {
            let time = cursor.int()?;
            match times.insert(name.to_vec(), (time, at)) {
                None => Ok(()),
                Some(_) => Err(flaw(at, "the expiry of this field stands twice")),
            }
        })?;
        if !times.is_empty() && !goal.has_field_expiry() {
            let name = goal.target.name;
            let text =
                format!("{name} has no expiry of fields: it came with Redis 7.4 and Valkey 9.0");
            return Err(unfit(start, text));
        }
    }
    let mut hash = ToldHash::new(&goal.rules, !times.is_empty());
    fields(cursor, first, |at, name, cursor| {
        let expires_at = match times.is_empty() {
            true => None,
            false => times.remove(name).map(|(time, _)| time),
        };
        match hash.add(name, cursor.bytes(second)?, expires_at) {
            true => Ok(()),
            false => Err(flaw(at, "this field stands twice in the hash")),
        }
    })?;
    if let Some(&at) = times.values().map(|(_, at)| at).min() {
        return Err(flaw(at, "the hash has no such field"));
    }
    Ok(hash.finish())
}

/// Elements of a sparse array as they stand in a snapshot; how many there are.
pub(super) fn array(cursor: &mut Cursor<'_>, rooms: &mut Rooms, out: &mut Vec<u8>) -> Read<u64> {
    const STRING: u64 = 0;
    const INT: u64 = 1;
    const DOUBLE: u64 = 2;
    let mut strings = StringWriter::new(Compress::AsServer);
    let mut last = None;
    let mut count = 0;
    out.clear();
    cursor.each(|cursor| {
        let at = cursor.place();
        cursor.take(b'[')?;
        let index = cursor.uint()?;
        if last.replace(index).is_some_and(|last| last >= index) {
            return Err(flaw(at, "the indexes of an array ascend"));
        }
        write_number(index, out);
        cursor.take(b',')?;
        // A double that is not finite is a word, as a string is: no array holds one.
        if matches!(cursor.peek(), Some(b'"' | b'{')) {
            write_number(STRING, out);
            strings.bytes(cursor.bytes(&mut rooms.first)?, out);
        } else if cursor.is_fraction() {
            write_number(DOUBLE, out);
            let number = cursor.double(&mut rooms.names)?;
            out.extend_from_slice(&number.to_le_bytes());
        } else {
            write_number(INT, out);
            out.extend_from_slice(&cursor.int()?.to_le_bytes());
        }
        count += 1;
        cursor.take(b']')
    })?;
    Ok(count)
}

/// `1-2`.
fn id(cursor: &mut Cursor<'_>, room: &mut Vec<u8>) -> Read<StreamId> {
    let at = cursor.place();
    let text = cursor.text(room)?;
    let parts = std::str::from_utf8(text)
        .ok()
        .and_then(|t| t.split_once('-'));
    let number = |text: &str| match text.bytes().all(|b| b.is_ascii_digit()) {
        true => text.parse().ok(),
        false => None,
    };
    let id = parts.and_then(|(ms, seq)| {
        let (ms, seq) = (number(ms)?, number(seq)?);
        Some(StreamId { ms, seq })
    });
    id.ok_or_else(|| flaw(at, "the ID of an entry was expected, as in \"1-2\""))
}

const STREAM: [&str; 8] = [
    "length",
    "last_id",
    "first_id",
    "max_deleted_id",
    "entries_added",
    "entries",
    "groups",
    "idempotence",
];

pub(super) fn stream(cursor: &mut Cursor<'_>, goal: &Format, rooms: &mut Rooms) -> Read<Value> {
    let start = cursor.place();
    let members = cursor.members(&STREAM, &mut rooms.names)?;
    let [
        length,
        last_id,
        first_id,
        max_deleted_id,
        added,
        entries,
        groups,
        producers,
    ] = members;
    let (Some(last_at), Some(entries), Some(groups)) = (last_id, entries, groups) else {
        return Err(flaw(start, "a stream has last_id, entries and groups"));
    };
    let names = &mut rooms.names;
    let last_id = id(&mut cursor.from(last_at), names)?;
    let (live, first_live, highest) = survey(cursor.from(entries), names)?;
    if highest.is_some_and(|highest| highest > last_id) {
        return Err(flaw(last_at, "last_id is less than the ID of an entry"));
    }
    if let Some(at) = length
        && cursor.from(at).uint()? != live
    {
        return Err(flaw(at, format!("the stream has {live} entries")));
    }
    let id_or = |at: Option<usize>, default: StreamId, room: &mut Vec<u8>| match at {
        Some(at) => id(&mut cursor.from(at), room),
        None => Ok(default),
    };
    let meta = StreamMeta {
        length: live,
        last_id,
        first_id: id_or(first_id, first_live.unwrap_or_default(), names)?,
        max_deleted_id: id_or(max_deleted_id, StreamId::default(), names)?,
        entries_added: match added {
            Some(at) => cursor.from(at).uint()?,
            None => live,
        },
        groups: 0,
    };
    let mut stream = Told(ToldStream::new(&goal.rules));
    stream.tell(start, StreamEvent::Meta(meta))?;
    cursor
        .from(entries)
        .each(|cursor| entry(cursor, &mut stream, rooms))?;
    let mut seen = Vec::new();
    cursor.from(groups).each(|cursor| {
        let name = group(cursor, &mut stream, rooms)?;
        seen.push(name);
        Ok(())
    })?;
    seen.sort_unstable();
    if seen.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(flaw(groups, "a group stands twice in the stream"));
    }
    if let Some(at) = producers {
        if !goal.has_producers() {
            let name = goal.target.name;
            let text = format!("{name} has no idempotent producers: they came with Redis 8.6");
            return Err(unfit(at, text));
        }
        idempotence(&mut cursor.from(at), &mut stream, rooms)?;
    }
    Ok(stream.0.finish())
}

struct Told<'r>(ToldStream<'r>);

impl Told<'_> {
    fn tell(&mut self, at: usize, event: StreamEvent<'_>) -> Read<()> {
        let told = self.0.tell(event);
        told.map_err(|error| unfit(at, error.kind().to_string()))
    }
}

/// How many entries there are, with the first and the last ID; they ascend.
fn survey(
    mut entries: Cursor<'_>,
    names: &mut Vec<u8>,
) -> Read<(u64, Option<StreamId>, Option<StreamId>)> {
    let (mut count, mut first, mut last) = (0, None, None);
    entries.each(|cursor| {
        let at = cursor.place();
        let [Some(id_at), Some(_)] = cursor.members(&["id", "fields"], names)? else {
            return Err(flaw(at, "an entry has id and fields"));
        };
        let id = id(&mut cursor.from(id_at), names)?;
        if last.replace(id).is_some_and(|last| last >= id) {
            return Err(flaw(id_at, "the IDs of a stream's entries ascend"));
        }
        first.get_or_insert(id);
        count += 1;
        Ok(())
    })?;
    Ok((count, first, last))
}

fn entry(cursor: &mut Cursor<'_>, stream: &mut Told<'_>, rooms: &mut Rooms) -> Read<()> {
    let Rooms {
        first,
        second,
        names,
        fields,
    } = rooms;
    let start = cursor.place();
    let [Some(id_at), Some(fields_at)] = cursor.members(&["id", "fields"], names)? else {
        return Err(flaw(start, "an entry has id and fields"));
    };
    let id = id(&mut cursor.from(id_at), names)?;
    fields.clear();
    cursor.from(fields_at).each(|cursor| {
        cursor.take(b'[')?;
        fields.push(cursor.bytes(first)?);
        cursor.take(b',')?;
        fields.push(cursor.bytes(second)?);
        cursor.take(b']')
    })?;
    let count = fields.ends.len() / 2;
    if count == 0 {
        return Err(flaw(fields_at, "an entry has at least one field"));
    }
    stream.tell(
        start,
        StreamEvent::Entry {
            id,
            fields: count as u64,
        },
    )?;
    for n in 0..count {
        let pair = (fields.get(2 * n), fields.get(2 * n + 1));
        let event = StreamEvent::Field(Element::Bytes(pair.0), Element::Bytes(pair.1));
        stream.tell(start, event)?;
    }
    Ok(())
}

fn group(cursor: &mut Cursor<'_>, stream: &mut Told<'_>, rooms: &mut Rooms) -> Read<Vec<u8>> {
    let Rooms {
        first,
        second,
        names,
        ..
    } = rooms;
    let start = cursor.place();
    let known = ["name", "last_id", "entries_read", "pending", "consumers"];
    let members = cursor.members(&known, names)?;
    let [
        Some(name),
        Some(last_id),
        read,
        Some(pending),
        Some(consumers),
    ] = members
    else {
        let text = "a group has name, last_id, pending and consumers";
        return Err(flaw(start, text));
    };
    let name = cursor.from(name).bytes(first)?.to_vec();
    let last_id = id(&mut cursor.from(last_id), names)?;
    let mut entries_read = None;
    if let Some(mut read) = read.map(|at| cursor.from(at))
        && !read.is_null()
    {
        entries_read = Some(read.uint()?);
    }
    let event = StreamEvent::Group {
        name: Element::Bytes(&name),
        last_id,
        entries_read,
        pending: 0,
        consumers: 0,
    };
    stream.tell(start, event)?;
    let mut last = None;
    let known = ["id", "consumer", "delivered_at_ms", "deliveries"];
    cursor.from(pending).each(|cursor| {
        let start = cursor.place();
        let members = cursor.members(&known, names)?;
        let [
            Some(id_at),
            Some(consumer),
            Some(delivered),
            Some(deliveries),
        ] = members
        else {
            let text = "a pending entry has id, consumer, delivered_at_ms and deliveries";
            return Err(flaw(start, text));
        };
        let id = id(&mut cursor.from(id_at), names)?;
        if last.replace(id).is_some_and(|last| last >= id) {
            return Err(flaw(id_at, "the IDs of pending entries ascend"));
        }
        let delivered_at = cursor.from(delivered).int()?;
        let deliveries = cursor.from(deliveries).uint()?;
        let mut consumer = cursor.from(consumer);
        let consumer = match consumer.is_null() {
            true => None,
            false => Some(Element::Bytes(consumer.bytes(second)?)),
        };
        let event = StreamEvent::Pending {
            id,
            consumer,
            delivered_at,
            deliveries,
        };
        stream.tell(start, event)
    })?;
    let known = ["name", "seen_at_ms", "active_at_ms"];
    let mut seen = Vec::new();
    cursor.from(consumers).each(|cursor| {
        let start = cursor.place();
        let [Some(name), Some(seen_at), active_at] = cursor.members(&known, names)? else {
            return Err(flaw(start, "a consumer has name and seen_at_ms"));
        };
        let seen_at = cursor.from(seen_at).int()?;
        let active_at = active_at.map(|at| cursor.from(at).int()).transpose()?;
        let name = cursor.from(name).bytes(second)?;
        seen.push(name.to_vec());
        let event = StreamEvent::Consumer {
            name: Element::Bytes(name),
            seen_at,
            active_at,
            pending: 0,
        };
        stream.tell(start, event)
    })?;
    seen.sort_unstable();
    if seen.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(flaw(consumers, "a consumer stands twice in the group"));
    }
    Ok(name)
}

fn idempotence(cursor: &mut Cursor<'_>, stream: &mut Told<'_>, rooms: &mut Rooms) -> Read<()> {
    let Rooms { first, names, .. } = rooms;
    let start = cursor.place();
    let known = [
        "duration_s",
        "max_entries",
        "producers",
        "added",
        "duplicates",
    ];
    let members = cursor.members(&known, names)?;
    let [
        Some(duration),
        Some(most),
        Some(producers),
        Some(added),
        Some(duplicates),
    ] = members
    else {
        let text = "idempotence has duration_s, max_entries, producers, added and duplicates";
        return Err(flaw(start, text));
    };
    let event = StreamEvent::Producers {
        duration: cursor.from(duration).uint()?,
        max_entries: cursor.from(most).uint()?,
        count: 0,
    };
    stream.tell(start, event)?;
    cursor.from(producers).each(|cursor| {
        let start = cursor.place();
        let [Some(name), Some(messages)] = cursor.members(&["id", "messages"], names)? else {
            return Err(flaw(start, "a producer has id and messages"));
        };
        let name = Element::Bytes(cursor.from(name).bytes(first)?);
        stream.tell(start, StreamEvent::Producer { id: name, count: 0 })?;
        cursor.from(messages).each(|cursor| {
            let start = cursor.place();
            cursor.take(b'[')?;
            let iid = cursor.bytes(first)?;
            cursor.take(b',')?;
            let id = id(cursor, names)?;
            let iid = Element::Bytes(iid);
            stream.tell(start, StreamEvent::Message { iid, id })?;
            cursor.take(b']')
        })
    })?;
    let event = StreamEvent::ProducerTotals {
        added: cursor.from(added).uint()?,
        duplicates: cursor.from(duplicates).uint()?,
    };
    stream.tell(start, event)
}
