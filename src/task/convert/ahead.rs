//! Copies records while the snapshot is still being checked.
//!
//! Most often all of them can be copied as they stand, which is known only once all of them were looked
//! at. A file under way that turns out to be wrong is begun anew.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Task, head};
use crate::error::Result;
use crate::io::source::Behind;
use crate::rdb::parser::opcode;
use crate::record::RdbVersion;
use crate::task::writing::{Assembler, Destination};

/// Bytes that are copied between two looks at whether they are still wanted.
const CHUNK: usize = 1 << 20;

/// Records that were copied: all but the end of the output.
pub(super) struct Ahead<'o, 'f> {
    pub(super) assembler: Assembler<'o, 'f>,
    /// Where in the snapshot they begin and end.
    pub(super) start: usize,
    pub(super) end: usize,
    /// Function libraries in front of them.
    pub(super) functions: u64,
}

/// Whether it is likely that all records of a snapshot can be copied as they stand.
pub(super) fn is_likely(task: &Task<'_>) -> bool {
    let format = task.format;
    let version = task.map.get(..9).and_then(RdbVersion::from_magic);
    version.is_some_and(|version| {
        version.family == format.version.family && version.number <= format.version.number
    }) && task.layout.has_records()
        && format.has_functions()
        && task.is_of_all()
}

/// Copies records as long as they are `wanted`; none where they cannot be all.
pub(super) fn copy<'o, 'f>(
    task: &Task<'f>,
    to: &'o mut Destination,
    wanted: &AtomicBool,
) -> Result<Option<Ahead<'o, 'f>>> {
    let map = task.map;
    let (head, start) = head(map)?;
    let functions = head.functions.len() as u64;
    let mut assembler = Assembler::new(task.format, task.layout, head, to)?;
    // The end mark, with the checksum behind it in all but the oldest.
    let end = map.len().saturating_sub(9);
    if map.get(end) != Some(&opcode::EOF) {
        return Ok(None);
    }
    let mut behind = Behind::new(Some(map));
    let mut at = start;
    let records = map.get(start..end).unwrap_or_default();
    for chunk in records.chunks(CHUNK) {
        if !wanted.load(Ordering::Relaxed) {
            return Ok(None);
        }
        assembler.records(chunk, |_| ())?;
        at += chunk.len();
        behind.reach(at as u64);
    }
    Ok(Some(Ahead {
        assembler,
        start,
        end,
        functions,
    }))
}
