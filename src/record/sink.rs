//! Who takes records.

use crate::error::Result;
use crate::record::Record;

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Send the next record.
    Continue,
    /// Nothing more is wanted.
    Stop,
}

/// Takes records one at a time, in the order of the file.
pub trait Sink {
    /// Takes one record.
    ///
    /// # Errors
    /// Whatever ends the task: damage that the sink does not go on after, or output that fails.
    fn record(&mut self, record: &Record<'_>) -> Result<Flow>;
}
