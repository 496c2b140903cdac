//! Removing the oldest entries of a stream, and single ones.

use crate::keyspace::rules::Rules;
use crate::keyspace::stream::Stream;
use crate::record::StreamId;

/// Down to where a stream is trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// So many entries stay.
    Length(u64),
    /// Entries from this ID on stay.
    From(StreamId),
}

/// What becomes of what consumer groups know of an entry that is removed (Redis 8.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum References {
    /// It stays pending.
    #[default]
    Keep,
    /// It is no longer pending.
    Delete,
    /// Only what every group has had and acknowledged is removed.
    Acknowledged,
}

impl Stream {
    /// Removes the oldest entries, down to the threshold, or where it is `roughly` no part of a
    /// node; how many.
    pub fn trim(
        &mut self,
        to: Threshold,
        roughly: bool,
        references: References,
        rules: &Rules,
    ) -> u64 {
        let before = self.length;
        let mut at = 0;
        while let Some(node) = self.nodes.get(at) {
            let goes = match to {
                Threshold::Length(most) if self.length <= most => break,
                Threshold::Length(most) => self.length.saturating_sub(node.live()) >= most,
                Threshold::From(id) => node.last < id,
            };
            if goes && references == References::Keep {
                self.length = self.length.saturating_sub(node.live());
                self.nodes.remove(at);
                continue;
            }
            if roughly {
                break;
            }
            if self.trim_node(at, to, references, rules) && goes {
                self.nodes.remove(at);
            } else if goes {
                at += 1;
            } else {
                break;
            }
        }
        let removed = before - self.length;
        if removed > 0 || self.length == 0 {
            self.first_id = self.find_first().unwrap_or_default();
        }
        self.settle_counters(rules);
        removed
    }

    /// Marks the entries of a node down to the threshold as deleted; true where that were all that
    /// it had.
    fn trim_node(
        &mut self,
        at: usize,
        to: Threshold,
        references: References,
        rules: &Rules,
    ) -> bool {
        let Some(node) = self.nodes.get(at) else {
            return false;
        };
        let live = node.live();
        // Redis 6.2 has room for 32 bits of how far an entry is from its node's first, and may take a
        // late one for an early one.
        let is_short = !rules.since((7, 0), (0, 0));
        let first = node.master;
        let mut length = self.length;
        let (mut doomed, mut places) = (Vec::new(), Vec::new());
        for record in node.records() {
            let stop = match to {
                Threshold::Length(most) => length <= most,
                Threshold::From(id) if is_short => shortened(record.id, first) >= id,
                Threshold::From(id) => record.id >= id,
            };
            if stop {
                break;
            }
            let mut is_referenced = || {
                let groups = self.groups.as_mut();
                groups.is_some_and(|groups| groups.refer_to(record.id))
            };
            let stays = record.deleted || references == References::Acknowledged && is_referenced();
            if !stays {
                length = length.saturating_sub(1);
                doomed.push(record.id);
                places.push(record.at);
            }
        }
        if references == References::Delete {
            doomed.iter().for_each(|id| self.settle_everywhere(*id));
        }
        let all = doomed.len() as u64 == live;
        if let Some(node) = self.nodes.get_mut(at) {
            node.delete(&places);
        }
        self.length = length;
        all
    }

    /// Removes one entry; false where there is none of this ID.
    pub fn delete(&mut self, id: StreamId, rules: &Rules) -> bool {
        let Some((at, offset)) = self.locate(id) else {
            return false;
        };
        let Some(node) = self.nodes.get_mut(at) else {
            return false;
        };
        if node.live() <= 1 {
            self.nodes.remove(at);
        } else {
            node.delete(&[offset]);
        }
        self.length = self.length.saturating_sub(1);
        if self.length == 0 || id == self.first_id {
            self.first_id = self.find_first().unwrap_or_default();
        }
        if self.max_deleted_id < id {
            self.max_deleted_id = id;
        }
        self.settle_counters(rules);
        true
    }

    /// Whether some group has not had the entry yet, or has it among its pending ones; so it seems too
    /// where Redis 8.2 remembers a group that is gone.
    pub fn is_referenced(&mut self, id: StreamId) -> bool {
        let groups = self.groups.as_mut();
        groups.is_some_and(|groups| groups.refer_to(id))
    }

    /// Takes an entry from the pending ones of every group.
    pub fn settle_everywhere(&mut self, id: StreamId) {
        for group in self
            .groups
            .iter_mut()
            .flat_map(|groups| groups.named.values_mut())
        {
            group.settle(id);
        }
    }
}

/// An ID as it comes out of 32-bit differences to a node's first one.
fn shortened(id: StreamId, first: StreamId) -> StreamId {
    let short = |own: u64, first: u64| {
        let difference = own.wrapping_sub(first) as i32;
        first.wrapping_add_signed(i64::from(difference))
    };
    StreamId {
        ms: short(id.ms, first.ms),
        seq: short(id.seq, first.seq),
    }
}
