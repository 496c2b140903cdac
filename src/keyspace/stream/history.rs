//! What can be said of entries that are gone: how many a group has read, how many it has yet to.
//!
//! A stream counts what was ever added, a group what it has read. Where single entries were
//! deleted within the part that a group has yet to read, its count can no longer be kept. Servers
//! say in different ways when that is.

use crate::keyspace::rules::{NEVER, Rules};
use crate::keyspace::stream::{Group, Stream};
use crate::record::StreamId;

impl Stream {
    /// How many of all entries ever added have this ID or a lower one, where that can be told.
    pub fn read_before(&self, id: StreamId, rules: &Rules) -> Option<u64> {
        let none = StreamId::default();
        if self.entries_added == 0 {
            return Some(0);
        }
        if self.length == 0 && id <= self.last_id {
            return Some(self.entries_added);
        }
        if sees_gaps(rules) && id != none && id < self.max_deleted_id {
            return None;
        }
        if id >= self.last_id {
            return (id == self.last_id).then_some(self.entries_added);
        }
        let before_first = self.entries_added.wrapping_sub(self.length);
        let whole = self.max_deleted_id == none || self.max_deleted_id < self.first_id;
        match id.cmp(&self.first_id) {
            _ if !whole => None,
            std::cmp::Ordering::Less => Some(before_first),
            std::cmp::Ordering::Equal => Some(before_first.wrapping_add(1)),
            std::cmp::Ordering::Greater => None,
        }
    }

    /// Entries that a group has yet to read, where that can be told.
    pub fn lag(&self, group: &Group, rules: &Rules) -> Option<i64> {
        let behind = |read: u64| self.entries_added.wrapping_sub(read).cast_signed();
        if self.entries_added == 0 {
            return Some(0);
        }
        if rules.since((8, 0), NEVER) {
            if self.length == 0 {
                return Some(0);
            }
            if group.last_id < self.first_id && self.max_deleted_id < self.first_id {
                return Some(self.length.cast_signed());
            }
        }
        match group.entries_read {
            Some(read) if !self.has_gap_from(group.last_id, rules) => Some(behind(read)),
            _ => self.read_before(group.last_id, rules).map(behind),
        }
    }

    /// What a group has read once it gets the entry of this ID.
    pub fn read_after(&self, group: &Group, id: StreamId, rules: &Rules) -> Option<u64> {
        let known = match sees_gaps(rules) {
            true => group.last_id >= self.first_id && !self.has_gap_from(group.last_id, rules),
            false => !self.has_gap_from(id, rules),
        };
        match group.entries_read {
            Some(read) if known => Some(read.wrapping_add(1)),
            read if self.entries_added == 0 => read,
            _ => self.read_before(id, rules),
        }
    }

    /// Whether a single entry from this ID on was deleted.
    fn has_gap_from(&self, id: StreamId, rules: &Rules) -> bool {
        if self.length == 0 || self.max_deleted_id == StreamId::default() {
            return false;
        }
        let before_all = !sees_gaps(rules) && self.first_id > self.max_deleted_id;
        !before_all && id <= self.max_deleted_id
    }
}

/// Later servers see every deletion behind the group's last ID, and where that ID is gone.
fn sees_gaps(rules: &Rules) -> bool {
    rules.since((8, 0), (8, 1))
}
