//! What stands in front of a key and is swallowed by the value before it.
//!
//! ```text
//! ...value that is too long##|expiry|type|key|value|record...
//!                           ^ it should end here
//!                                  ^ and ends there
//! ```
//!
//! A length that became too large, or a value that lost bytes, takes some of what follows. By chance
//! it ends where a type stands, and every record reads well; but the key behind it has lost its
//! expiry, or its database. What was taken is the end of that value.

use crate::rdb::parser::{State, opcode};
use crate::rdb::string;
use crate::record::types::Dialect;

/// Opcode and time in milliseconds.
const EXPIRY: usize = 9;
/// Opcode and number, as most idle times and all frequencies have them.
const USE: usize = 2;
/// A database and its size at the least and at the most, each number short or in five bytes.
const SELECTION: (usize, usize) = (LEAST, 17);
/// Bytes of what may be swallowed, at the least.
pub(super) const LEAST: usize = 5;

/// Whether a record ends in bytes that could be the expiry of the next one, which has none.
pub(super) fn ends_in_expiry(data: &[u8], (start, end): (usize, usize)) -> bool {
    let record = data.get(start..end).unwrap_or_default();
    let has_one = |next: &u8| matches!(*next, opcode::EXPIRETIME | opcode::EXPIRETIME_MS);
    if data.get(end).is_none_or(has_one) {
        return false;
    }
    let is_expiry = |bytes: &[u8]| {
        let last = bytes
            .len()
            .checked_sub(EXPIRY)
            .and_then(|at| bytes.get(at..));
        // Until the year 10889 the two highest bytes are zero.
        matches!(last, Some([opcode::EXPIRETIME_MS, .., _, 0, 0]))
    };
    let before_use = match record.len().checked_sub(USE).map(|at| record.split_at(at)) {
        Some((before, [opcode::FREQ | opcode::IDLE, _])) => is_expiry(before),
        _ => false,
    };
    before_use || is_expiry(record)
}

/// Where in a record the selection of a database stands that ends where the record does, and of
/// which.
pub(super) fn selection(
    data: &[u8],
    (start, end): (usize, usize),
    state: &State,
) -> Option<(usize, u32)> {
    if state.dialect() == Dialect::Dragonfly {
        return None;
    }
    let (least, most) = SELECTION;
    let from = end.saturating_sub(most).max(start);
    let until = end.checked_sub(least)?;
    let mut places = (from..=until).rev();
    places.find_map(|at| Some((at, selected(data.get(at..end)?)?)))
}

/// The database that these bytes select, if they do, and say how many keys it has.
fn selected(bytes: &[u8]) -> Option<u32> {
    let [opcode::SELECTDB, rest @ ..] = bytes else {
        return None;
    };
    let (rest, db) = string::number(rest).ok()?;
    let [opcode::RESIZEDB, rest @ ..] = rest else {
        return None;
    };
    let (rest, keys) = string::number(rest).ok()?;
    let (rest, expires) = string::number(rest).ok()?;
    let whole = rest.is_empty() && keys > 0 && expires <= keys;
    u32::try_from(db).ok().filter(|_| whole)
}
