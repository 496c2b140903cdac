//! What is noted about keys while they are framed, so that workers need to look at few of them.

use crate::record::{Entry, RdbType};

/// What the framing thread writes down about the keys that it passes, so that a worker needs to
/// look only at those which it marks. `()` marks none: then the worker looks at everything.
pub trait Sheet: Clone + Send {
    /// Whether records are marked.
    const MARKS: bool;
    /// Takes note of a key. Records out of the ordinary are looked at in any case.
    fn key(&mut self, entry: &Entry<'_>) -> Look;
}

/// What of a key a worker must look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Nothing.
    Nowhere,
    /// Its value, and all of it where the value is not in order.
    Value,
    /// All of it.
    Record,
}

/// A record to be looked at, by its place in the block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) start: u32,
    /// Where its value begins and ends, and of what type it is, where only that matters.
    pub(super) value: Option<(RdbType, u32, u32)>,
}

impl Mark {
    /// Whether it is about a value that is one string.
    #[inline(always)]
    pub(super) fn is_string(&self) -> bool {
        matches!(self.value, Some((RdbType::String, ..)))
    }
}

impl Sheet for () {
    const MARKS: bool = false;
    #[inline(always)]
    fn key(&mut self, _: &Entry<'_>) -> Look {
        Look::Nowhere
    }
}

/// What is written down while a batch is framed.
pub(super) struct Notes<S> {
    pub(super) sheet: S,
    pub(super) marks: Vec<Mark>,
}

impl<S: Sheet> Notes<S> {
    pub(super) fn new(blank: &S) -> Self {
        Notes {
            sheet: blank.clone(),
            marks: Vec::new(),
        }
    }

    /// `start` is below `TARGET`, where the last record of a batch begins at the latest.
    #[inline(always)]
    pub(super) fn mark(&mut self, start: usize, value: Option<(RdbType, u32, u32)>) {
        if S::MARKS {
            let start = start as u32;
            self.marks.push(Mark { start, value });
        }
    }
}
