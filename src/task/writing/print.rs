//! A quick sum of a value, to see that it is still the same once it is encoded anew.

use crate::bytes::Element;
use crate::error::Result;
use crate::keyspace::digest::Detail;
use crate::keyspace::table::hash;
use crate::record::value::StreamEvent;
use crate::record::{DataType, RdbType, StreamId, ValueVisitor};

/// An odd number whose product mixes all bits.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// Is told a value and sums it: members, fields and consumers without order, all else in order.
///
/// It takes a tenth of the time of the full digest, and is another each time the program runs: it is
/// held against the sum of the same value, and leaves the program never.
pub(super) struct Print {
    detail: Detail,
    ordered: u64,
    unordered: u64,
    is_ordered: bool,
    /// The group that is told.
    group: u64,
}

/// The sum of keys, whatever their order. As a [`Print`] it leaves the program never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Quick(u64, u64);

impl Quick {
    /// Adds another.
    pub(super) fn join(&mut self, other: Quick) {
        self.0 = self.0.wrapping_add(other.0);
        self.1 = self.1.wrapping_add(other.1);
    }
}

impl Print {
    /// Of a value to come, of which the target holds this much.
    pub(super) fn new(detail: Detail) -> Self {
        Print {
            detail,
            ordered: 0,
            unordered: 0,
            is_ordered: false,
            group: 0,
        }
    }

    /// The sum.
    pub(super) fn value(&self) -> (u64, u64) {
        (self.ordered, self.unordered)
    }

    /// The value is a module's: it is summed as it stands in a file.
    pub(super) fn raw(&mut self, rdb_type: RdbType, bytes: &[u8]) {
        self.next(u64::from(rdb_type.number()));
        self.next(hash(bytes));
    }

    /// The sum of a key with this value.
    pub(super) fn of_key(&self, db: u32, key: &[u8], expires_at: Option<i64>) -> Quick {
        let key = join(join(hash(key), u64::from(db)), time(expires_at));
        let (one, other) = self.value();
        Quick(
            join(join(key, one), other),
            join(join(key ^ MIX, other), one),
        )
    }

    fn next(&mut self, n: u64) {
        self.ordered = join(self.ordered, n);
    }

    fn add(&mut self, n: u64) {
        self.unordered = self.unordered.wrapping_add(join(n, MIX));
    }

    fn next_id(&mut self, id: StreamId) {
        self.next(id.ms);
        self.next(id.seq);
    }
}

fn join(a: u64, b: u64) -> u64 {
    let mixed = (a.rotate_left(23) ^ b).wrapping_mul(MIX);
    mixed ^ (mixed >> 29)
}

fn of(element: Element<'_>) -> u64 {
    hash(element.bytes(&mut itoa::Buffer::new()))
}

/// No time is told from every time.
fn time(at: Option<i64>) -> u64 {
    at.map_or(MIX, |at| at.cast_unsigned())
}

impl ValueVisitor for Print {
    fn string(&mut self, value: Element<'_>) -> Result<()> {
        self.next(of(value));
        Ok(())
    }

    fn begin(&mut self, of: DataType, _count: Option<u64>) -> Result<()> {
        self.is_ordered = of == DataType::List;
        self.next(of as u64);
        Ok(())
    }

    fn element(&mut self, element: Element<'_>) -> Result<()> {
        match self.is_ordered {
            true => self.next(of(element)),
            false => self.add(of(element)),
        }
        Ok(())
    }

    fn field(
        &mut self,
        name: Element<'_>,
        value: Element<'_>,
        expires_at: Option<i64>,
    ) -> Result<()> {
        let expiry = time(expires_at.filter(|_| self.detail.field_expiry));
        self.add(join(join(of(name), of(value)), expiry));
        Ok(())
    }

    fn member(&mut self, member: Element<'_>, score: f64) -> Result<()> {
        // The two zeros are equal scores.
        let score = if score == 0.0 { 0.0 } else { score };
        self.add(join(of(member), score.to_bits()));
        Ok(())
    }

    fn stream(&mut self, event: StreamEvent<'_>) -> Result<()> {
        match event {
            // It may be told in front of the entries or behind them.
            StreamEvent::Meta(meta) => {
                let mut all = join(join(meta.length, meta.last_id.ms), meta.last_id.seq);
                if self.detail.counters {
                    let deleted = join(meta.max_deleted_id.ms, meta.max_deleted_id.seq);
                    all = join(join(all, deleted), meta.entries_added);
                }
                self.add(all);
            }
            StreamEvent::Entry { id, fields } => {
                self.next_id(id);
                self.next(fields);
            }
            StreamEvent::Field(name, value) => {
                self.next(of(name));
                self.next(of(value));
            }
            StreamEvent::Group {
                name,
                last_id,
                entries_read,
                ..
            } => {
                let read = entries_read.filter(|_| self.detail.counters);
                let ids = join(last_id.ms, last_id.seq);
                self.group = join(join(of(name), ids), read.map_or(MIX, |read| read));
                self.add(self.group);
            }
            StreamEvent::Pending {
                id,
                consumer,
                delivered_at,
                deliveries,
            } => {
                let consumer = consumer.map_or(0, of);
                let times = join(delivered_at.cast_unsigned(), deliveries);
                let ids = join(id.ms, id.seq);
                self.add(join(join(self.group, ids), join(consumer, times)));
            }
            StreamEvent::Consumer { name, .. } => self.add(join(self.group, of(name))),
            StreamEvent::Producers {
                duration,
                max_entries,
                count,
            } if self.detail.producers => {
                self.next(duration);
                self.next(max_entries);
                self.next(count);
            }
            StreamEvent::Producer { id, count } if self.detail.producers => {
                self.next(of(id));
                self.next(count);
            }
            StreamEvent::Message { iid, id } if self.detail.producers => {
                self.next(of(iid));
                self.next_id(id);
            }
            StreamEvent::ProducerTotals { added, duplicates } if self.detail.producers => {
                self.next(added);
                self.next(duplicates);
            }
            StreamEvent::Producers { .. }
            | StreamEvent::Producer { .. }
            | StreamEvent::Message { .. }
            | StreamEvent::ProducerTotals { .. } => {}
        }
        Ok(())
    }
}
