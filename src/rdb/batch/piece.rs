//! A batch: whole records and the state in which the first of them is read.

use std::ops::Deref;
use std::sync::Arc;

use crate::bytes::Step;
use crate::error::{Encoding, Place, Result};
use crate::io::decompress;
use crate::io::source::Map;
use crate::rdb::batch::sheet::{Mark, Sheet};
use crate::rdb::parser::{RdbParser, State};
use crate::record::{Entry, Flow, RawValue, Record};

/// The bytes of a batch: a piece of the map, of a stream, or of what was spooled.
#[derive(Debug)]
pub enum Block<'d> {
    /// Borrowed from the whole input.
    Map(&'d [u8]),
    /// A piece of a stream.
    Owned(Vec<u8>),
    /// Part of a record or run that was too large for memory: start and end in the map.
    Spooled(Arc<Map>, usize, usize),
    /// Part of a decompressed run of records.
    Run(Arc<decompress::Run>, usize, usize),
}

impl Deref for Block<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Block::Map(bytes) => bytes,
            Block::Owned(bytes) => bytes,
            Block::Spooled(map, start, end) => map.get(*start..*end).unwrap_or_default(),
            Block::Run(run, start, end) => run.get(*start..*end).unwrap_or_default(),
        }
    }
}

/// A stretch of whole records and the state in which the first of them is read.
#[derive(Debug)]
pub struct Batch<'d, S = ()> {
    /// The records' bytes.
    pub block: Block<'d>,
    /// Offset of the first byte.
    pub at: u64,
    /// How many of the bytes count for the checksum; the others are the checksum itself, or stand
    /// in the file only compressed.
    pub summed: usize,
    /// Where the compressed run lies that held these records, if one did.
    pub run: Option<u64>,
    /// What was noted about the keys.
    pub sheet: S,
    /// The records to be looked at.
    pub(super) marks: Vec<Mark>,
    pub(super) state: State,
}

impl<'d> Batch<'d> {
    /// Records that stand at an offset, read in this state.
    pub(crate) fn of_records(bytes: &'d [u8], at: u64, state: State) -> Self {
        Batch {
            block: Block::Map(bytes),
            at,
            summed: 0,
            run: None,
            sheet: (),
            marks: Vec::new(),
            state,
        }
    }
}

impl<S: Sheet> Batch<'_, S> {
    /// Calls `each` with every record; ends early where it says so or fails.
    ///
    /// # Errors
    /// What `each` returned. The records themselves were framed before.
    #[inline]
    pub fn for_each(&self, mut each: impl FnMut(&Record<'_>) -> Result<Flow>) -> Result<Flow> {
        let mut parser = RdbParser::resume(self.state.clone(), self.at);
        let mut rest: &[u8] = &self.block;
        while !rest.is_empty() {
            if let Some((entry, after)) = parser.next_key(rest) {
                if each(&Record::Entry(entry))? == Flow::Stop {
                    return Ok(Flow::Stop);
                }
                rest = after;
                continue;
            }
            match parser.parse(rest, true)? {
                Step::Parsed { consumed, item } => {
                    if each(&item)? == Flow::Stop {
                        return Ok(Flow::Stop);
                    }
                    rest = rest.get(consumed..).unwrap_or_default();
                }
                Step::NeedMore { .. } => break,
            }
        }
        Ok(Flow::Continue)
    }

    /// Calls `value` with the values to be looked at, or `strings` with two of them that are strings;
    /// `key` with the keys to be looked at whole, as those whose value is not said to be in order;
    /// and `other` with every other record and its offset. Where keys are many and little is done
    /// with each, a record that is never put together saves most of the time.
    ///
    /// # Errors
    /// What `key` or `other` returned. The records themselves were framed before.
    pub(crate) fn visit<C>(
        &self,
        to: &mut C,
        value: impl Fn(&mut C, &RawValue<'_>) -> bool,
        strings: impl Fn(&mut C, [&RawValue<'_>; 2]) -> [bool; 2],
        key: impl Fn(&mut C, Entry<'_>) -> Result<()>,
        other: impl Fn(&mut C, &Record<'_>, u64) -> Result<()>,
    ) -> Result<()> {
        let mut parser = RdbParser::resume(self.state.clone(), self.at);
        let block: &[u8] = &self.block;
        let mut marks: &[Mark] = &self.marks;
        while let Some(first) = marks.first() {
            let second = match marks.get(1) {
                Some(second) if first.is_string() && second.is_string() => self.value_of(second),
                _ => None,
            };
            let (in_order, taken) = match (self.value_of(first), second) {
                (Some(first), Some(second)) => (strings(to, [&first, &second]), 2),
                (Some(first), None) => ([value(to, &first), true], 1),
                (None, _) => ([false, true], 1),
            };
            let (these, after) = marks.split_at(taken);
            marks = after;
            for (mark, _) in these.iter().zip(in_order).filter(|(_, fine)| !fine) {
                let rest = block.get(mark.start as usize..).unwrap_or_default();
                let at = self.at + u64::from(mark.start);
                parser.seek(at);
                if let Some(value) = self.value_of(mark)
                    && let Some(entry) = parser.key_of(rest, value)
                {
                    key(to, entry)?;
                    continue;
                }
                if let Some((entry, _)) = parser.next_key(rest) {
                    key(to, entry)?;
                    continue;
                }
                match parser.parse(rest, true)? {
                    Step::Parsed {
                        item: Record::Entry(entry),
                        ..
                    } => key(to, entry)?,
                    Step::Parsed { item, .. } => other(to, &item, at)?,
                    Step::NeedMore { .. } => return Ok(()),
                }
            }
        }
        Ok(())
    }

    /// The value that a mark is about, where it is about nothing else.
    #[inline(always)]
    fn value_of(&self, mark: &Mark) -> Option<RawValue<'_>> {
        let (rdb_type, start, end) = mark.value?;
        Some(RawValue {
            rdb_type,
            bytes: self.block.get(start as usize..end as usize)?,
            at: self.at + u64::from(start),
        })
    }

    /// The state in which the first record is read.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The place in the file of what was found at a place of this batch.
    pub fn place(&self, place: Place) -> Place {
        match self.run {
            None => place,
            Some(offset) => {
                let byte = u32::try_from(place.offset).unwrap_or(u32::MAX);
                Place {
                    offset,
                    inside: Some((Encoding::Run, byte)),
                }
            }
        }
    }
}
