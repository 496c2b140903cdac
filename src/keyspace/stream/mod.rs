//! A stream with its groups.
//!
//! Entries are kept in nodes as a server keeps and saves them, with the marks of deleted ones:
//! what a rough trimming leaves depends on where the nodes begin.

mod group;
mod history;
mod load;
mod node;
#[cfg(test)]
mod tests;
mod trim;

use std::collections::VecDeque;

use crate::keyspace::rules::Rules;
use crate::record::{RdbType, StreamId};

pub use group::{Consumer, Group, Pending};
pub(super) use load::Loader;
pub use load::load;
pub use node::{Pair, Pairs};
pub use trim::{References, Threshold};

use group::Groups;
use load::Producers;
use node::{Node, Record, Seek};

/// Most bytes that a node may grow to, whatever the settings, and most that an entry may have.
const LARGEST: u64 = 1 << 30;

/// Entries by ID, consumer groups, counters.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    nodes: VecDeque<Node>,
    length: u64,
    last_id: StreamId,
    first_id: StreamId,
    max_deleted_id: StreamId,
    entries_added: u64,
    /// The serial number of the last node.
    serial: u32,
    groups: Option<Box<Groups>>,
    producers: Option<Box<Producers>>,
}

/// A live entry.
#[derive(Clone, Debug)]
pub struct Entry<'d> {
    /// Its ID.
    pub id: StreamId,
    /// How many fields it has.
    pub fields: u64,
    record: Record<'d>,
}

impl<'d> Entry<'d> {
    fn new(record: Record<'d>) -> Self {
        Entry {
            id: record.id,
            fields: record.fields,
            record,
        }
    }

    /// Its fields with their values.
    pub fn pairs(&self) -> Pairs<'d> {
        self.record.pairs()
    }
}

/// Why an entry cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// The server refuses so long a one.
    TooLarge,
    /// It makes a node longer than nodes can be.
    Overflow,
}

/// The ID behind this one, if there is one.
pub fn next_id(id: StreamId) -> Option<StreamId> {
    match id.seq.checked_add(1) {
        Some(seq) => Some(StreamId { ms: id.ms, seq }),
        None => id.ms.checked_add(1).map(|ms| StreamId { ms, seq: 0 }),
    }
}

/// The ID before this one, if there is one.
pub fn previous_id(id: StreamId) -> Option<StreamId> {
    match id.seq.checked_sub(1) {
        Some(seq) => Some(StreamId { ms: id.ms, seq }),
        None => id
            .ms
            .checked_sub(1)
            .map(|ms| StreamId { ms, seq: u64::MAX }),
    }
}

impl Stream {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Live entries.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// True without live entries.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Nodes that hold the entries.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Nodes of the radix tree in which a server keeps them.
    pub fn tree_nodes(&self) -> usize {
        let keys = self.nodes.iter().map(|node| node.master.to_be_bytes());
        let keys: Vec<[u8; 16]> = keys.collect();
        match keys.is_empty() {
            true => 1,
            false => tree_nodes(&keys, 0),
        }
    }

    /// Last ID ever generated.
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// ID of the first live entry, as it is recorded.
    pub fn first_id(&self) -> StreamId {
        self.first_id
    }

    /// Highest ID ever deleted.
    pub fn max_deleted_id(&self) -> StreamId {
        self.max_deleted_id
    }

    /// Entries ever added.
    pub fn entries_added(&self) -> u64 {
        self.entries_added
    }

    /// Sets the counters, as XSETID does; those that are not given stay.
    pub fn set_counters(
        &mut self,
        last_id: StreamId,
        entries_added: Option<u64>,
        max_deleted_id: Option<StreamId>,
    ) {
        self.last_id = last_id;
        self.entries_added = entries_added.unwrap_or(self.entries_added);
        self.max_deleted_id = max_deleted_id.unwrap_or(self.max_deleted_id);
    }

    /// Groups by name.
    pub fn groups(&self) -> impl Iterator<Item = (&[u8], &Group)> {
        let groups = self.groups.iter().flat_map(|groups| groups.named.iter());
        groups.map(|(name, group)| (name.as_ref(), group))
    }

    /// How many groups there are.
    pub fn group_count(&self) -> usize {
        self.groups.as_ref().map_or(0, |groups| groups.named.len())
    }

    /// A group.
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.groups.as_ref()?.named.get(name)
    }

    /// A group, to be changed; for its last ID see [`Stream::set_group_id`].
    pub fn group_mut(&mut self, name: &[u8]) -> Option<&mut Group> {
        self.groups.as_mut()?.named.get_mut(name)
    }

    /// Makes a group; false where there is one of this name.
    pub fn add_group(&mut self, name: &[u8], group: Group) -> bool {
        self.groups.get_or_insert_default().add(name, group)
    }

    /// Sets the last ID that a group has had.
    pub fn set_group_id(&mut self, name: &[u8], id: StreamId) {
        if let Some(groups) = &mut self.groups {
            groups.set_last_id(name, id);
        }
    }

    /// Removes a group; false where there is none.
    pub fn remove_group(&mut self, name: &[u8]) -> bool {
        let groups = self.groups.as_mut();
        groups.is_some_and(|groups| groups.named.remove(name).is_some())
    }

    /// Adds an entry behind the others; its ID is above the last one.
    ///
    /// # Errors
    /// It is too long.
    pub fn append(&mut self, id: StreamId, pairs: &[Pair<'_>], rules: &Rules) -> Result<(), Unfit> {
        let bytes = pairs.iter().flatten().map(|text| text.len() as u64).sum();
        let bounded = counts_history(rules);
        if bounded && bytes > LARGEST {
            return Err(Unfit::TooLarge);
        }
        let most_bytes = match rules.stream_node_bytes {
            0 if bounded => LARGEST,
            0 => u64::MAX,
            bytes if bounded => bytes.min(LARGEST),
            bytes => bytes,
        };
        let most = match rules.stream_node_entries {
            0 => u64::MAX,
            entries => entries,
        };
        let serial = self.next_serial();
        // Room for what encoding adds to the strings.
        let worst = |before: u64| before + bytes + 22 * (8 + pairs.len() as u64 * 4);
        match self.nodes.back_mut() {
            Some(node) => {
                let len = node.len() as u64;
                let full = len + if bounded { bytes } else { 0 } >= most_bytes;
                if full || node.all() >= most {
                    node.shrink();
                    fits(worst(0))?;
                    self.nodes.push_back(Node::new(id, pairs, serial));
                } else {
                    fits(worst(len))?;
                    node.push(id, pairs);
                }
            }
            None => {
                fits(worst(0))?;
                self.nodes.push_back(Node::new(id, pairs, serial));
            }
        }
        self.length += 1;
        self.entries_added = self.entries_added.wrapping_add(1);
        self.last_id = id;
        if self.length == 1 {
            self.first_id = id;
        }
        self.settle_counters(rules);
        Ok(())
    }

    /// Live entries from one ID to another, both included.
    pub fn range(&self, from: StreamId, to: StreamId) -> impl Iterator<Item = Entry<'_>> {
        let first = self.node_of(from).unwrap_or(0);
        let records = self.nodes.range(first..).flat_map(Node::records);
        records
            .skip_while(move |record| record.id < from)
            .take_while(move |record| record.id <= to)
            .filter(|record| !record.deleted)
            .map(Entry::new)
    }

    /// The same from the last to the first.
    pub fn range_back(&self, from: StreamId, to: StreamId) -> impl Iterator<Item = Entry<'_>> {
        let end = self.node_of(to).map_or(0, |node| node + 1);
        let records = self.nodes.range(..end).rev().flat_map(|node| {
            let records: Vec<Record<'_>> = node.records().collect();
            records.into_iter().rev()
        });
        records
            .skip_while(move |record| record.id > to)
            .take_while(move |record| record.id >= from)
            .filter(|record| !record.deleted)
            .map(Entry::new)
    }

    /// The live entry of this ID.
    pub fn entry(&self, id: StreamId) -> Option<Entry<'_>> {
        let node = self.nodes.get(self.node_of(id)?)?;
        node.find(id, &mut Seek::default()).map(Entry::new)
    }

    /// Whether there is a live entry of this ID. Entries that a group asks for one after the other
    /// are found fast.
    pub fn contains(&mut self, id: StreamId, group: &[u8]) -> bool {
        let at = self.node_of(id);
        let Some(node) = at.and_then(|at| self.nodes.get(at)) else {
            return false;
        };
        let groups = self.groups.as_mut().map(|groups| &mut groups.named);
        match groups.and_then(|groups| groups.get_mut(group)) {
            Some(group) => node.find(id, &mut group.seek).is_some(),
            None => node.find(id, &mut Seek::default()).is_some(),
        }
    }

    /// ID of the last live entry.
    pub fn last_live(&self) -> Option<StreamId> {
        // Mostly the last entry is live: then no node is gone through.
        if let Some(node) = self.nodes.back()
            && node.all() == node.live()
        {
            return Some(node.last);
        }
        let min = StreamId::default();
        let max = StreamId {
            ms: u64::MAX,
            seq: u64::MAX,
        };
        self.range_back(min, max).next().map(|entry| entry.id)
    }

    /// The type by which the server would save it.
    pub fn rdb_type(&self, rules: &Rules) -> RdbType {
        if self.producers.is_some() {
            RdbType::Stream4
        } else if rules.since((7, 2), (0, 0)) {
            RdbType::Stream3
        } else if counts_history(rules) {
            RdbType::Stream2
        } else {
            RdbType::Stream1
        }
    }

    /// Bytes that it takes in memory, about.
    pub fn heap(&self) -> usize {
        let nodes: usize = self.nodes.iter().map(Node::capacity).sum();
        let groups: usize = self
            .groups()
            .map(|(name, group)| size_of::<Group>() + name.len() + group.heap())
            .sum();
        size_of::<Stream>() + self.nodes.capacity() * size_of::<Node>() + nodes + groups
    }

    /// The node in which an entry of this ID is, if there is one.
    fn node_of(&self, id: StreamId) -> Option<usize> {
        self.nodes
            .partition_point(|node| node.master <= id)
            .checked_sub(1)
    }

    /// The node that a live entry of this ID is in, and where in it.
    fn locate(&self, id: StreamId) -> Option<(usize, usize)> {
        let at = self.node_of(id)?;
        let record = self.nodes.get(at)?.find(id, &mut Seek::default())?;
        Some((at, record.at))
    }

    fn next_serial(&mut self) -> u32 {
        self.serial = self.serial.wrapping_add(1).max(1);
        self.serial
    }

    fn find_first(&self) -> Option<StreamId> {
        let records = self.nodes.iter().flat_map(Node::records);
        let mut live = records.filter(|record| !record.deleted);
        live.next().map(|record| record.id)
    }

    /// Before Redis 7 there is no history: a stream is taken as one that never lost an entry.
    fn settle_counters(&mut self, rules: &Rules) {
        if !counts_history(rules) {
            self.entries_added = self.length;
            self.max_deleted_id = StreamId::default();
        }
    }
}

/// Whether the server counts what a stream once had and what groups have read.
pub(crate) fn counts_history(rules: &Rules) -> bool {
    rules.since((7, 0), (0, 0))
}

fn fits(bytes: u64) -> Result<(), Unfit> {
    match bytes <= u64::from(u32::MAX) {
        true => Ok(()),
        false => Err(Unfit::Overflow),
    }
}

/// Nodes of a radix tree with these keys, which are sorted and the same up to a byte: one for the
/// bytes that they share from there on, one where they part, one for the end of each.
fn tree_nodes(keys: &[[u8; 16]], from: usize) -> usize {
    let (Some(first), Some(last)) = (keys.first(), keys.last()) else {
        return 0;
    };
    let shared = first
        .iter()
        .zip(last)
        .skip(from)
        .take_while(|(a, b)| a == b);
    let part = from + shared.count();
    let chain = usize::from(part > from);
    if part >= first.len() {
        return chain + 1;
    }
    let children = keys.chunk_by(|a, b| a.get(part) == b.get(part));
    chain
        + 1
        + children
            .map(|keys| tree_nodes(keys, part + 1))
            .sum::<usize>()
}
