//! Streams: types 15, 19, 21, 26, 27.
//!
//! ```text
//! LEN nodes         per node: STR key, 16 bytes; STR listpack (see `node.rs`)
//! LEN entries, ID last
//! 19+  ID first, ID highest deleted, LEN entries ever added
//! LEN groups        per group: STR name, ID last delivered, 19+ LEN entries read
//!                     LEN pending      per entry: 16 bytes ID, i64 LE ms, LEN deliveries
//!                     LEN consumers    per consumer: STR name, i64 LE seen ms, 21+ i64 LE active ms
//!                                        LEN pending, 16 bytes ID each
//!                     27+  LEN unowned, 16 bytes ID each
//! 26+  LEN duration, LEN most, LEN producers
//!                   per producer: STR name, LEN messages, each STR iid, ID
//!      LEN added, LEN duplicates
//!
//! ID      LEN ms, LEN seq; the 16 bytes are both as u64 BE
//! ```
//!
//! The numbers are those of `RdbType`, whose stream types ascend. Defined by the servers' `rdb.c`
//! (`rdbSaveObject`); types 26 and 27 are read from other readers, not confirmed on a server's bytes.

#[cfg(test)]
mod captured;
mod groups;
mod node;
mod read;
#[cfg(test)]
mod tests;
mod write;

use crate::bytes::parse::{self, Parsed};
use crate::bytes::{Fault, Problem};
use crate::rdb::string;
use crate::record::{RdbType, Stored, StreamId};

pub(crate) use read::nodes;
pub(super) use read::walk;
pub(crate) use write::StreamEncoder;

/// A pending entry in a list of IDs.
const RAW_ID: usize = 16;

/// "Not known", where the entries that a group has read are counted.
const UNKNOWN_READ: u64 = u64::MAX;

/// Passes over a stream.
pub(super) fn extent(rdb_type: RdbType, input: &[u8]) -> Parsed<'_, ()> {
    let (input, nodes) = string::number(input)?;
    let (input, ()) = skip_nodes(input, nodes)?;
    let (mut input, counters) = counters(rdb_type, input)?;
    for _ in 0..counters.groups {
        (input, _) = group(rdb_type, input)?;
        let mut count;
        (input, count) = string::number(input)?;
        for _ in 0..count {
            (input, _) = pending(input)?;
        }
        (input, count) = string::number(input)?;
        for _ in 0..count {
            (input, _) = consumer(rdb_type, input)?;
        }
        (input, _) = unowned(rdb_type, input)?;
    }
    if rdb_type >= RdbType::Stream4 {
        (input, ()) = skip_producers(input)?;
    }
    Ok((input, ()))
}

fn skip_nodes(mut input: &[u8], nodes: u64) -> Parsed<'_, ()> {
    for _ in 0..nodes {
        (input, ()) = string::skip(input)?;
        (input, ()) = string::skip(input)?;
    }
    Ok((input, ()))
}

fn skip_producers(input: &[u8]) -> Parsed<'_, ()> {
    let (input, _) = string::number(input)?;
    let (input, _) = string::number(input)?;
    let (mut input, producers) = string::number(input)?;
    for _ in 0..producers {
        let messages;
        (input, ()) = string::skip(input)?;
        (input, messages) = string::number(input)?;
        for _ in 0..messages {
            (input, ()) = string::skip(input)?;
            (input, _) = id(input)?;
        }
    }
    let (input, _) = string::number(input)?;
    let (input, _) = string::number(input)?;
    Ok((input, ()))
}

/// An ID as two numbers.
fn id(input: &[u8]) -> Parsed<'_, StreamId> {
    let (input, ms) = string::number(input)?;
    let (input, seq) = string::number(input)?;
    Ok((input, StreamId { ms, seq }))
}

/// What stands between the nodes and the groups.
struct Counters {
    length: u64,
    last_id: StreamId,
    /// First ID, highest deleted ID, entries ever added; from type 19 on.
    history: Option<(StreamId, StreamId, u64)>,
    groups: u64,
}

fn counters(rdb_type: RdbType, input: &[u8]) -> Parsed<'_, Counters> {
    let (input, length) = string::number(input)?;
    let (mut input, last_id) = id(input)?;
    let mut history = None;
    if rdb_type >= RdbType::Stream2 {
        let (rest, first) = id(input)?;
        let (rest, deleted) = id(rest)?;
        let (rest, added) = string::number(rest)?;
        input = rest;
        history = Some((first, deleted, added));
    }
    let (input, groups) = string::number(input)?;
    let counters = Counters {
        length,
        last_id,
        history,
        groups,
    };
    Ok((input, counters))
}

/// What stands before a group's pending entries.
struct GroupHead<'d> {
    name: Stored<'d>,
    last_id: StreamId,
    entries_read: Option<u64>,
}

fn group(rdb_type: RdbType, input: &[u8]) -> Parsed<'_, GroupHead<'_>> {
    let (input, name) = string::stored(input)?;
    let (mut input, last_id) = id(input)?;
    let mut entries_read = None;
    if rdb_type >= RdbType::Stream2 {
        let (rest, read) = string::number(input)?;
        input = rest;
        entries_read = Some(read).filter(|&n| n != UNKNOWN_READ);
    }
    let head = GroupHead {
        name,
        last_id,
        entries_read,
    };
    Ok((input, head))
}

/// An entry of a group's pending list.
struct PendingEntry {
    id: StreamId,
    delivered_at: i64,
    deliveries: u64,
}

#[inline]
fn pending(input: &[u8]) -> Parsed<'_, PendingEntry> {
    let (input, raw) = parse::array::<RAW_ID>(input)?;
    let (input, delivered_at) = parse::le_i64(input)?;
    let (input, deliveries) = string::number(input)?;
    let entry = PendingEntry {
        id: StreamId::from_be_bytes(raw),
        delivered_at,
        deliveries,
    };
    Ok((input, entry))
}

/// A consumer with its pending list.
struct Consumer<'d> {
    name: Stored<'d>,
    seen_at: i64,
    /// From type 21 on.
    active_at: Option<i64>,
    ids: &'d [[u8; RAW_ID]],
}

#[inline]
fn consumer(rdb_type: RdbType, input: &[u8]) -> Parsed<'_, Consumer<'_>> {
    let (input, name) = string::stored(input)?;
    let (mut input, seen_at) = parse::le_i64(input)?;
    let mut active_at = None;
    if rdb_type >= RdbType::Stream3 {
        let (rest, at) = parse::le_i64(input)?;
        input = rest;
        active_at = Some(at);
    }
    let (input, ids) = ids(input)?;
    let consumer = Consumer {
        name,
        seen_at,
        active_at,
        ids,
    };
    Ok((input, consumer))
}

/// The pending entries of a group that have no consumer, from type 27 on.
fn unowned(rdb_type: RdbType, input: &[u8]) -> Parsed<'_, &[[u8; RAW_ID]]> {
    if rdb_type >= RdbType::Stream5 {
        ids(input)
    } else {
        Ok((input, &[]))
    }
}

/// A count and that many IDs of 16 bytes.
#[inline]
fn ids(input: &[u8]) -> Parsed<'_, &[[u8; RAW_ID]]> {
    let (rest, count) = string::number(input)?;
    let Some(bytes) = count.checked_mul(RAW_ID as u64) else {
        let most = u64::MAX / RAW_ID as u64;
        let problem = Problem::LengthRange { found: count, most };
        return Err(Fault::at(input, problem));
    };
    let (rest, bytes) = parse::take_u64(rest, bytes)?;
    Ok((rest, bytes.as_chunks().0))
}
