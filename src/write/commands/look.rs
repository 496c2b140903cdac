//! What of a value decides whether commands can give it back.

use crate::bytes::Element;
use crate::error::Result;
use crate::keyspace::NEVER;
use crate::record::value::StreamEvent;
use crate::record::{StreamId, ValueVisitor};
use crate::write::format::Format;

/// Is told a value and decides.
#[derive(Default)]
pub(super) struct Look {
    ids: Vec<StreamId>,
    /// Where the entry stands that the last pending one was of: they rise for each consumer.
    near: usize,
    last: StreamId,
    max_deleted: StreamId,
    added: u64,
    /// The most that a group has read.
    read: u64,
    /// The state of idempotent producers is told, and how many there are.
    idempotence: bool,
    producers: u64,
    /// A pending entry without entry or consumer.
    loose: bool,
    /// An ID that does not rise.
    repeated: bool,
    /// A score whose sign servers lose where they take it from a command.
    negative_zero: bool,
    /// A score that is no number.
    nan: bool,
    /// The latest delivery.
    delivered: i64,
    /// An entry without fields, or a delivery with figures that no command takes.
    odd: bool,
}

impl Look {
    /// A first look; room for IDs may have been used before.
    pub(super) fn new(mut ids: Vec<StreamId>) -> Self {
        ids.clear();
        Look {
            ids,
            ..Look::default()
        }
    }

    /// The room for IDs.
    pub(super) fn into_ids(self) -> Vec<StreamId> {
        self.ids
    }

    /// Whether only a RESTORE gives the value back.
    pub(super) fn is_beyond_commands(&self, format: &Format) -> bool {
        const MOST: u64 = i64::MAX as u64;
        let highest = self.ids.last().copied().unwrap_or_default();
        let length = self.ids.len() as u64;
        let wrong = self.max_deleted > self.last
            || self.added < length
            || self.added > MOST
            || self.read > MOST;
        // What XSETID refuses.
        let backwards = highest > self.last || (format.has_stream_counters() && wrong);
        // Since 8.2 XGROUP CREATE takes what is more than was ever added for that.
        let unheard = format.rules.since((8, 2), NEVER) && self.read > self.added;
        let producers = self.producers > 0 || (self.idempotence && format.has_producers());
        let stream = producers || self.loose || self.repeated || backwards || unheard;
        stream || self.odd || self.negative_zero
    }

    /// Whether it is plain what the commands make, so that nothing needs to run them.
    pub(super) fn is_plain(&self, format: &Format) -> bool {
        let latest = format.rules.now.unwrap_or(i64::MAX);
        !self.is_beyond_commands(format) && !self.nan && self.delivered <= latest
    }
}

/// Whether an ID is among those that rise; `near` is where the last one was found.
pub(crate) fn is_among(ids: &[StreamId], near: &mut usize, id: StreamId) -> bool {
    /// How far those that are asked for one after the other often lie apart.
    const STEPS: usize = 8;
    let ahead = ids.get(*near..).unwrap_or_default();
    let found = match ahead.iter().take(STEPS).position(|own| *own == id) {
        Some(steps) => Some(*near + steps),
        None => ids.binary_search(&id).ok(),
    };
    *near = found.unwrap_or(*near);
    found.is_some()
}

impl ValueVisitor for Look {
    fn member(&mut self, _member: Element<'_>, score: f64) -> Result<()> {
        self.negative_zero |= score == 0.0 && score.is_sign_negative();
        self.nan |= score.is_nan();
        Ok(())
    }

    fn stream(&mut self, event: StreamEvent<'_>) -> Result<()> {
        match event {
            StreamEvent::Meta(meta) => {
                (self.last, self.max_deleted) = (meta.last_id, meta.max_deleted_id);
                self.added = meta.entries_added;
            }
            StreamEvent::Entry { id, fields } => {
                self.odd |= fields == 0;
                // XADD takes only rising IDs above 0-0.
                self.repeated |= self.ids.last().map_or(StreamId::default(), |id| *id) >= id;
                self.ids.push(id);
            }
            StreamEvent::Pending {
                id,
                consumer,
                delivered_at,
                deliveries,
            } => {
                self.loose |= consumer.is_none() || !is_among(&self.ids, &mut self.near, id);
                self.delivered = self.delivered.max(delivered_at);
                self.odd |= delivered_at < 0 || i64::try_from(deliveries).is_err();
            }
            StreamEvent::Group {
                entries_read: Some(read),
                ..
            } => self.read = self.read.max(read),
            StreamEvent::Producers { count, .. } => {
                (self.idempotence, self.producers) = (true, count);
            }
            _ => {}
        }
        Ok(())
    }

    fn wants_fields(&self) -> bool {
        false
    }
}
