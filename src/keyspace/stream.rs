//! A stream with its groups.

use crate::error::Result;
use crate::keyspace::rules::Rules;
use crate::record::value::{StreamEvent, StreamMeta};
use crate::record::{DataType, RdbType, ValueVisitor};

/// Entries by ID, consumer groups, counters.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    meta: StreamMeta,
}

impl Stream {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes part of a stream as it is told, in the order that [`StreamEvent`] gives.
    ///
    /// # Errors
    /// None so far.
    pub fn take(&mut self, event: StreamEvent<'_>, _rules: &Rules) -> Result<()> {
        if let StreamEvent::Meta(meta) = event {
            self.meta = meta;
        }
        Ok(())
    }

    /// The type by which the server would save it.
    pub fn rdb_type(&self, rules: &Rules) -> RdbType {
        if rules.since((7, 2), (0, 0)) {
            RdbType::Stream3
        } else if rules.since((7, 0), (0, 0)) {
            RdbType::Stream2
        } else {
            RdbType::Stream1
        }
    }

    /// Tells a visitor the whole value.
    ///
    /// # Errors
    /// What the visitor returned.
    pub fn walk(&self, to: &mut dyn ValueVisitor) -> Result<()> {
        to.begin(DataType::Stream, Some(self.meta.length))?;
        to.stream(StreamEvent::Meta(self.meta))?;
        to.end(DataType::Stream)
    }

    /// Bytes that it takes in memory, about.
    pub fn heap(&self) -> usize {
        size_of::<Stream>()
    }
}
