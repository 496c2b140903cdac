//! Consumer groups of a stream.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::keyspace::rules::Rules;
use crate::keyspace::stream::node::Seek;
use crate::record::StreamId;

/// The groups of a stream.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// By name.
    pub(super) named: BTreeMap<Box<[u8]>, Group>,
    /// The lowest of the last IDs, as Redis 8.2 remembers it from when it last asked: that of a group that
    /// was destroyed stays until another group comes below it, or has it and leaves it; 0-0 until there is
    /// another group.
    lowest: Option<StreamId>,
}

/// A copy of a stream asks anew.
impl Clone for Groups {
    fn clone(&self) -> Self {
        Groups {
            named: self.named.clone(),
            lowest: None,
        }
    }
}

impl Groups {
    /// Adds a group; false where there is one of this name.
    pub(super) fn add(&mut self, name: &[u8], group: Group) -> bool {
        if self.named.contains_key(name) {
            return false;
        }
        self.lowest = self
            .lowest
            .filter(|&lowest| lowest != StreamId::default() && group.last_id >= lowest);
        self.named.insert(name.into(), group);
        true
    }

    /// Sets the last ID of a group.
    pub(super) fn set_last_id(&mut self, name: &[u8], id: StreamId) {
        let Some(group) = self.named.get_mut(name) else {
            return;
        };
        let before = std::mem::replace(&mut group.last_id, id);
        self.lowest = self
            .lowest
            .filter(|&lowest| id >= lowest && before != lowest);
    }

    /// Whether some group has not had an entry yet, or has it among its pending ones.
    pub(super) fn refer_to(&mut self, id: StreamId) -> bool {
        let last_ids = self.named.values().map(|group| group.last_id);
        let Some(lowest) = last_ids.min() else {
            return false;
        };
        *self.lowest.get_or_insert(lowest) < id
            || self
                .named
                .values()
                .any(|group| group.pending.contains_key(&id))
    }
}

/// A consumer group.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// Last ID delivered.
    pub last_id: StreamId,
    /// Entries ever read, where that is known.
    pub entries_read: Option<u64>,
    pending: BTreeMap<StreamId, Pending>,
    /// Consumers by the number that pending entries know them by.
    consumers: Vec<Option<Consumer>>,
    names: BTreeMap<Arc<[u8]>, u32>,
    free: Vec<u32>,
    /// Where the last entry was found that was asked for.
    pub(super) seek: Seek,
}

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    /// Whose it is, by number; none in a file alone.
    pub consumer: Option<u32>,
    /// Time of the last delivery, Unix ms.
    pub delivered_at: i64,
    /// Deliveries so far.
    pub deliveries: u64,
}

/// A consumer of a group.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// Its name.
    pub name: Arc<[u8]>,
    /// When it was last seen, Unix ms.
    pub seen_at: i64,
    /// When it last did something, Unix ms; -1 never; none where the server does not keep it.
    pub active_at: Option<i64>,
    pending: BTreeSet<StreamId>,
}

impl Consumer {
    /// IDs of the entries pending for it.
    pub fn pending(&self) -> &BTreeSet<StreamId> {
        &self.pending
    }
}

impl Group {
    /// One that begins behind this ID.
    pub fn new(last_id: StreamId, entries_read: Option<u64>) -> Self {
        Group {
            last_id,
            entries_read,
            ..Group::default()
        }
    }

    /// Pending entries by ID.
    pub fn pending(&self) -> &BTreeMap<StreamId, Pending> {
        &self.pending
    }

    /// The consumers, by name.
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = &Consumer> {
        // Every name stands for a consumer, so none is left out.
        self.names
            .values()
            .map(|&number| self.consumers.get(number as usize).and_then(Option::as_ref))
            .map(|consumer| consumer.expect("a name is that of a consumer"))
    }

    /// The number of the consumer of this name.
    pub fn find(&self, name: &[u8]) -> Option<u32> {
        self.names.get(name).copied()
    }

    /// The consumer of this number.
    pub fn consumer(&self, number: u32) -> Option<&Consumer> {
        self.consumers.get(number as usize)?.as_ref()
    }

    /// The same, to be changed.
    pub fn consumer_mut(&mut self, number: u32) -> Option<&mut Consumer> {
        self.consumers.get_mut(number as usize)?.as_mut()
    }

    /// The number of the consumer of this name, which is made where there is none.
    pub fn find_or_add(&mut self, name: &[u8], now: i64, rules: &Rules) -> u32 {
        match self.find(name) {
            Some(number) => number,
            None => self.add(name, now, keeps_activity(rules).then_some(-1)),
        }
    }

    /// Makes a consumer that is not there.
    pub fn add(&mut self, name: &[u8], seen_at: i64, active_at: Option<i64>) -> u32 {
        let consumer = Consumer {
            name: name.into(),
            seen_at,
            active_at,
            pending: BTreeSet::new(),
        };
        let number = self.free.pop().unwrap_or(self.consumers.len() as u32);
        self.names.insert(consumer.name.clone(), number);
        match self.consumers.get_mut(number as usize) {
            Some(slot) => *slot = Some(consumer),
            None => self.consumers.push(Some(consumer)),
        }
        number
    }

    /// Removes a consumer with all that is pending for it; how many entries that were.
    pub fn remove(&mut self, name: &[u8]) -> Option<usize> {
        let number = self.names.remove(name)?;
        let consumer = self.consumers.get_mut(number as usize)?.take()?;
        for id in &consumer.pending {
            self.pending.remove(id);
        }
        self.free.push(number);
        Some(consumer.pending.len())
    }

    /// Puts an entry as pending for a consumer, whoever had it before.
    pub fn assign(&mut self, id: StreamId, pending: Pending) {
        let before = self.pending.insert(id, pending);
        if let Some(before) = before.and_then(|before| before.consumer)
            && Some(before) != pending.consumer
            && let Some(consumer) = self.consumer_mut(before)
        {
            consumer.pending.remove(&id);
        }
        if let Some(consumer) = pending.consumer.and_then(|now| self.consumer_mut(now)) {
            consumer.pending.insert(id);
        }
    }

    /// Changes time and count of a pending entry.
    pub fn pending_mut(&mut self, id: StreamId) -> Option<&mut Pending> {
        self.pending.get_mut(&id)
    }

    /// Takes an entry from the pending ones; true where it was among them.
    pub fn settle(&mut self, id: StreamId) -> bool {
        let Some(pending) = self.pending.remove(&id) else {
            return false;
        };
        if let Some(consumer) = pending.consumer.and_then(|it| self.consumer_mut(it)) {
            consumer.pending.remove(&id);
        }
        true
    }

    /// Bytes that it takes in memory, about.
    pub fn heap(&self) -> usize {
        let names: usize = self.consumers().map(|c| c.name.len()).sum();
        self.pending.len() * (size_of::<(StreamId, Pending)>() + size_of::<StreamId>()) * 3 / 2
            + self.consumers.capacity() * size_of::<Option<Consumer>>()
            + self.names.len() * 48
            + names
    }
}

/// Whether the server keeps when consumers were active.
pub(super) fn keeps_activity(rules: &Rules) -> bool {
    rules.since((7, 2), (0, 0))
}
