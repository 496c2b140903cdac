//! Blocks of zeros, as disks and file systems leave them where they lose what was written.
//!
//! ```text
//! ...record|reco 0000000000000000000000000000 ord|record...
//!              block                       block
//! ```
//!
//! A value whose bytes may be any (a string, a long member of a packed list) looks whole with zeros in
//! it. What gives them away is that they begin or end where a block of a disk does: zeros that a
//! value always had do so once in hundreds of times.

use crate::io::source::Behind;
use crate::task::salvage::survey::Survey;

/// Bytes of the smallest block of a disk.
const BLOCK: usize = 512;
/// Bytes at the start of a block that tell nearly all others from zeros.
const FIRST: usize = 8;

/// Blocks in a row that are nothing but zeros, where no zeros stand on one side of them at least.
pub(super) fn blocks(survey: &Survey<'_>) -> Vec<(u64, u64)> {
    let data = survey.data;
    let mut behind = Behind::new(Some(survey.map));
    let mut found = Vec::new();
    let mut from: Option<usize> = None;
    for (number, block) in data.chunks(BLOCK).enumerate() {
        let at = number * BLOCK;
        let is_zeros = block.len() == BLOCK
            && block.starts_with(&[0; FIRST])
            && block.iter().all(|byte| *byte == 0);
        match (from, is_zeros) {
            (None, true) => from = Some(at),
            (Some(start), false) => {
                let before = start.checked_sub(1).and_then(|at| data.get(at));
                if before != Some(&0) || block.first() != Some(&0) {
                    found.push((start as u64, at as u64));
                }
                from = None;
            }
            _ => {}
        }
        behind.reach(at as u64);
    }
    if let Some(start) = from {
        found.push((start as u64, data.len() as u64));
    }
    found
}
