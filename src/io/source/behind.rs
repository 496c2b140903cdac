//! Letting go of the pages of a map that were read: it looks like a use of memory else.

use super::{Map, PAGES};

/// Lets go of a map's pages behind what was read: else a pass over a large file looks like a use of
/// as much memory, and the process has to let go of everything at its end, on one core.
#[derive(Debug)]
pub(crate) struct Behind<'d> {
    map: Option<&'d Map>,
    reached: u64,
    stretch: u64,
}

/// Bytes that are let go of at a time.
const STRETCH: u64 = 1 << 20;

impl<'d> Behind<'d> {
    /// For a map, or for nothing.
    pub(crate) fn new(map: Option<&'d Map>) -> Self {
        Behind {
            map,
            reached: 0,
            stretch: STRETCH,
        }
    }

    /// For what stands from an offset on, of which so many bytes are let go of at a time: little of
    /// the file counts as memory in use, for some more work.
    pub(crate) fn closely(map: &'d Map, offset: u64, stretch: u64) -> Self {
        map.in_small_pages(offset);
        // What an earlier pass has not let go of.
        map.release(offset..map.len() as u64);
        Behind {
            stretch,
            ..Behind::from(map, offset)
        }
    }

    /// For a map of which something else has what stands before this offset.
    pub(crate) fn from(map: &'d Map, offset: u64) -> Self {
        Behind {
            map: Some(map),
            reached: offset.next_multiple_of(PAGES),
            stretch: STRETCH,
        }
    }

    /// Everything before this offset was read.
    pub(crate) fn reach(&mut self, offset: u64) {
        if let Some(map) = self.map
            && offset >= self.reached.saturating_add(self.stretch)
        {
            map.release(self.reached..offset);
            // What is not let go of as yet is next time.
            self.reached = offset / PAGES * PAGES;
        }
    }
}

/// Lets go of a map's pages for who looks here and there, so that no place counts as read.
#[derive(Debug)]
pub(crate) struct Strewn<'d> {
    map: Option<&'d Map>,
    /// Bytes that may have been mapped since pages were let go of.
    mapped: u64,
}

/// Bytes mapped by looks here and there, at the most.
const STREWN: u64 = 8 << 20;

impl<'d> Strewn<'d> {
    /// For a map, or for nothing.
    pub(crate) fn new(map: Option<&'d Map>) -> Self {
        Strewn { map, mapped: 0 }
    }

    /// So many bytes were read.
    #[inline]
    pub(crate) fn over(&mut self, bytes: usize) {
        self.mapped += bytes as u64;
        if self.mapped >= STREWN {
            self.let_go();
        }
    }

    /// A place so many bytes behind the last one was looked at; the system maps what stands around it
    /// as well.
    #[inline]
    pub(crate) fn at_one(&mut self, behind: usize) {
        self.over(behind.min(PAGES as usize));
    }

    #[cold]
    fn let_go(&mut self) {
        self.mapped = 0;
        if let Some(map) = self.map {
            map.release(0..u64::MAX);
        }
    }
}
