//! What stands near gaps that look like the seams of a block which came from another place.
//!
//! ```text
//! ...record|reco ## from elsewhere ## rec|record|record...
//!               seam                 seam
//! ```
//!
//! Disks and their caches lose and mistake blocks. Of a block that took another one's place, one end
//! may by chance read as whole records: the value that runs into it ends where one of its records
//! does. Then only the other end is met as a gap, and what is in the block, or crosses its other
//! end, is not what the file once held. A gap that itself is as long as a block needs no such
//! explanation, and neither do two gaps at a block's distance.

use crate::io::source::Behind;
use crate::report::salvage::Reason;
use crate::task::salvage::keys::Keys;
use crate::task::salvage::ledger::{Kind, Ledger, Piece};
use crate::task::salvage::survey::Survey;
use crate::task::salvage::zeros;

/// Bytes of a block, as disks and file systems have them.
const BLOCKS: [u64; 2] = [512, 4096];
/// Bytes over which records may be read by chance until they come together with those of the file.
const CHANCE: u64 = 128;

/// Where the damage is that was met as one gap.
#[derive(Clone, Copy, Debug)]
struct Gap {
    start: u64,
    end: u64,
}

impl Gap {
    /// The first and the last end of a block in it.
    fn block_ends(self, size: u64) -> Option<(u64, u64)> {
        let (first, last) = (self.start.div_ceil(size) * size, self.end / size * size);
        (first <= last).then_some((first, last))
    }
}

/// Marks what may have come from elsewhere.
pub(super) fn near_gaps(survey: &mut Survey<'_>) {
    let gaps = gaps(&survey.ledger);
    let ranges = gaps.iter().filter_map(|gap| unexplained(*gap, &gaps));
    let mut ranges: Vec<(u64, u64)> = ranges.collect();
    if ranges.is_empty() {
        return;
    }
    joined(&mut ranges);
    doubt(survey, &ranges, Reason::NearGap);
}

/// Marks keys whose values hold records of others, where bytes of the file are known to have been
/// moved or lost.
pub(super) fn holding_others(survey: &mut Survey<'_>, ranges: &[(u64, u64)]) {
    let pieces = survey.ledger.pieces();
    if !ranges.is_empty() && pieces.iter().any(|piece| piece.kind == Kind::GapEnds) {
        doubt(survey, ranges, Reason::Foreign);
    }
}

/// Marks keys that blocks of zeros reach into.
pub(super) fn with_zeros(survey: &mut Survey<'_>) {
    let blocks = zeros::blocks(survey);
    if !blocks.is_empty() {
        doubt(survey, &blocks, Reason::Zeros);
    }
}

/// Marks keys whose values end in what may be the expiry of the next key, and those next ones.
pub(super) fn expiries(survey: &mut Survey<'_>, more: &[(u64, u64)]) {
    let values = survey.expiries.iter().chain(more);
    // The next record begins where the value ends.
    let mut ranges: Vec<(u64, u64)> = values.map(|&(start, end)| (start, end + 1)).collect();
    if !ranges.is_empty() {
        joined(&mut ranges);
        doubt(survey, &ranges, Reason::Expiry);
    }
}

/// Puts ranges in order, those that touch each other together.
fn joined(ranges: &mut Vec<(u64, u64)>) {
    ranges.sort_unstable();
    ranges.dedup_by(|next, before| {
        let joined = next.0 <= before.1;
        if joined {
            before.1 = before.1.max(next.1);
        }
        joined
    });
}

/// Marks keys that stand in one of these ranges, which are in order.
fn doubt(survey: &mut Survey<'_>, ranges: &[(u64, u64)], reason: Reason) {
    let mut pieces = Vec::new();
    for piece in survey.ledger.pieces() {
        split(survey, *piece, (ranges, reason), &mut pieces);
    }
    *survey.ledger.pieces_mut() = pieces;
}

/// The gaps, each from the first record on that is in doubt because of it. Damaged values count as
/// well, if framing was lost anywhere.
fn gaps(ledger: &Ledger) -> Vec<Gap> {
    let pieces = ledger.pieces();
    let mut gaps = Vec::new();
    let mut framing_lost = false;
    let mut begun: Option<Gap> = None;
    for piece in pieces.iter().filter(|piece| piece.run.is_none()) {
        let (start, end) = (piece.start, piece.end);
        let goes_on = begun.is_some_and(|gap| gap.end == start);
        let belongs = match piece.kind {
            Kind::Keys { .. } => piece.doubt == Some(Reason::BeforeGap),
            Kind::Lost(Reason::Framing | Reason::BadValue | Reason::BadRecord) => true,
            _ => false,
        };
        match (&mut begun, belongs) {
            (Some(gap), true) if goes_on => gap.end = end,
            (_, true) => gaps.extend(begun.replace(Gap { start, end })),
            (_, false) => gaps.extend(begun.take()),
        }
        framing_lost |= piece.kind == Kind::GapEnds;
    }
    gaps.extend(begun);
    if !framing_lost {
        gaps.clear();
    }
    gaps
}

/// What may have come from elsewhere, if the gap is one end of a block, and nothing tells of the
/// other.
fn unexplained(gap: Gap, gaps: &[Gap]) -> Option<(u64, u64)> {
    let is_gap = |at: u64| gaps.iter().any(|gap| gap.start <= at && at <= gap.end);
    let mut range = None;
    for size in BLOCKS {
        let Some((first, last)) = gap.block_ends(size) else {
            continue;
        };
        if first < last || is_gap(first + size) || is_gap(first.wrapping_sub(size)) {
            return None;
        }
        range = Some((
            first.saturating_sub(size + CHANCE),
            first.saturating_add(size + CHANCE),
        ));
    }
    range
}

/// Cuts keys that stand in one of these ranges out of a piece.
fn split(
    survey: &Survey<'_>,
    piece: Piece,
    (ranges, reason): (&[(u64, u64)], Reason),
    to: &mut Vec<Piece>,
) {
    let Kind::Keys { .. } = piece.kind else {
        return to.push(piece);
    };
    let first = ranges.partition_point(|(_, until)| *until <= piece.start);
    let ranges = ranges.get(first..).unwrap_or_default();
    let touched = |start: u64, end: u64| {
        let mut ranges = ranges.iter().take_while(|(from, _)| *from < end);
        ranges.any(|(_, until)| *until > start)
    };
    if piece.run.is_some() || piece.doubt.is_some() || !touched(piece.start, piece.end) {
        return to.push(piece);
    }
    let mut behind = Behind::from(survey.map, piece.start);
    let mut keys = Keys::within(survey, piece.start, piece.end);
    let mut parts: Vec<Piece> = Vec::new();
    for key in keys.by_ref() {
        let (start, end) = (key.start, key.end);
        behind.reach(end);
        let doubt = touched(start, end).then_some(reason);
        let one = u64::from(key.expires);
        match parts.last_mut() {
            Some(last) if last.doubt == doubt => {
                last.end = end;
                if let Kind::Keys { keys, expires } = &mut last.kind {
                    *keys += 1;
                    *expires += one;
                }
            }
            _ => parts.push(Piece {
                start,
                end,
                kind: Kind::Keys {
                    keys: 1,
                    expires: one,
                },
                doubt,
                ..piece
            }),
        }
    }
    // It was read before, as it is now.
    match keys.reached() >= piece.end {
        true => to.append(&mut parts),
        false => to.push(piece),
    }
}
