//! A second look at a snapshot whose checksum does not prove it: a length that became too large may
//! have swallowed whole records and have ended, by chance, where another one begins.

use crate::bytes::Step;
use crate::io::ordered::{Piece as Done, Wanted, ordered};
use crate::io::source::{Behind, Map};
use crate::rdb::parser::{RdbParser, State, opcode};
use crate::rdb::resync::{Chain, ChainEnd, Resync, SHORT_CHAIN, is_weak};
use crate::rdb::string;
use crate::record::{Entry, RdbType, Record, Stored};
use crate::task::Run;
use crate::task::salvage::gap::{INSIDE, behind_type, fits_inside};
use crate::task::salvage::head;
use crate::task::salvage::ledger::Kind;
use crate::task::salvage::survey::Survey;
use crate::task::salvage::walk::Walker;

/// Bytes of a record that could hold two others.
const HOLDS_TWO: usize = 12;
/// The longest block of a disk, and of a record whose rest reads as a key without a name.
const BLOCK: usize = 4096;
/// Bytes of a magic that tell it.
pub(super) const MAGIC: usize = 6;
/// Records in a row that may be the rest of one.
const MOST_WEAK: usize = 512;
/// A node of a list that is one element.
const PLAIN: u64 = 1;
/// Bytes looked at by one thread at a time.
const STRETCH: usize = 256 << 10;

/// What a second look found.
#[derive(Default)]
pub(super) struct Found {
    /// Records that hold others up to their end, and where the first of those begins.
    pub(super) holders: Vec<(usize, usize)>,
    /// Records whose values end in the selection of a database: where that begins, and of which.
    pub(super) selections: Vec<(usize, usize, u32)>,
    /// Records in the middle of whose values others stand.
    pub(super) foreign: Vec<(u64, u64)>,
    /// Records whose values end in what may be the expiry of the next one.
    pub(super) expiries: Vec<(u64, u64)>,
}

/// Records that hold others.
pub(super) fn holders(survey: &Survey<'_>, run: &Run<'_>) -> Found {
    let data = survey.data;
    let state = survey.state.at_db(0);
    let mut found = Found::default();
    let mut behind = Behind::new(Some(survey.map));
    let mut keys = survey.ledger.pieces().iter().filter(|piece| {
        matches!(piece.kind, Kind::Keys { .. }) && piece.run.is_none() && piece.doubt.is_none()
    });
    let mut parser = RdbParser::resume(state.clone(), 0);
    let (mut at, mut end) = (0, 0);
    ordered(
        run.threads,
        || {
            if at >= end {
                let piece = keys.next()?;
                at = usize::try_from(piece.start).ok()?;
                end = usize::try_from(piece.end).ok()?;
            }
            let start = at;
            while at < end && at - start < STRETCH {
                let rest = data.get(at..)?;
                match parser.next_key(rest) {
                    Some((_, after)) => at = data.len() - after.len(),
                    None => match parser.parse(rest, true) {
                        Ok(Step::Parsed { consumed, .. }) => at += consumed,
                        _ => at = end,
                    },
                }
            }
            run.progress.at(at as u64);
            Some((start, at))
        },
        || Walker::new(Default::default(), run.max_spool),
        |walker, range, _| (look(survey.map, range, &state, walker), range.1),
        |piece| {
            if let Done::Done((mut some, end)) = piece {
                found.holders.append(&mut some.holders);
                found.selections.append(&mut some.selections);
                found.foreign.append(&mut some.foreign);
                found.expiries.append(&mut some.expiries);
                behind.reach(end as u64);
            }
            (Wanted::More, None)
        },
    );
    found
}

fn look(map: &Map, (start, end): (usize, usize), state: &State, walker: &mut Walker) -> Found {
    let data: &[u8] = map;
    let mut resync = Resync::new(end - start, Some(map));
    let mut parser = RdbParser::resume(state.clone(), start as u64);
    let mut found = Found::default();
    let mut at = start;
    while at < end {
        let rest = data.get(at..).unwrap_or_default();
        let (room, next) = match parser.next_key(rest) {
            Some((entry, after)) => (room_in(&entry), data.len() - after.len()),
            None => match parser.parse(rest, true) {
                Ok(Step::Parsed { consumed, item }) => {
                    let room = match &item {
                        Record::Entry(entry) => room_in(entry),
                        _ => 0,
                    };
                    (room, at + consumed)
                }
                _ => return found,
            },
        };
        if room >= head::LEAST {
            look_into(
                data,
                (at, next),
                room,
                parser.state(),
                walker,
                &mut resync,
                &mut found,
            );
        }
        at = next;
    }
    found
}

/// Looks for other records in the value of this one, which has room for so many bytes of them.
fn look_into(
    data: &[u8],
    (at, next): (usize, usize),
    room: usize,
    state: &State,
    walker: &mut Walker,
    resync: &mut Resync<'_>,
    found: &mut Found,
) {
    let mut is_foreign = None;
    let mut inside = None;
    if room >= HOLDS_TWO {
        let mut fits = fits_inside(walker);
        let mut wanted = |chain: &Chain| {
            if is_foreign.is_none() && is_from_elsewhere(data, chain, next) {
                is_foreign = Some(!has_header(data.get(at..chain.at())));
            }
            let is_short = chain.end == ChainEnd::Broken && chain.len() <= INSIDE;
            match against(data, chain, (1, next), state) {
                Against::More => !is_short || chain.bounds.contains(&next),
                _ => false,
            }
        };
        // A key without a name may be the rest of a record that begins in this one.
        let first_ends = match data.get(next..) {
            Some([_, 0, ..]) => (next + BLOCK).min(data.len()),
            _ => next,
        };
        let places = ((behind_type(data, at), next), first_ends);
        inside = resync.next_keys_within(data, places, state, &mut fits, &mut wanted);
    }
    let record = (at as u64, next as u64);
    if let Some(chain) = inside {
        found.holders.push((at, chain.at()));
    } else if let Some((head, db)) = head::selection(data, (at, next), state) {
        found.selections.push((at, head, db));
    } else if is_foreign == Some(true) {
        found.foreign.push(record);
    } else if head::ends_in_expiry(data, (at, next)) {
        found.expiries.push(record);
    }
}

/// Bytes of a value in which other records may stand, and nothing of it looks wrong: packed forms know
/// how long they are. Fields of a hash whose fields may expire always look like records, if they do
/// not.
fn room_in(entry: &Entry<'_>) -> usize {
    let all = entry.value.bytes.len();
    match entry.value.rdb_type {
        RdbType::String => match string::stored(entry.value.bytes) {
            Ok((_, Stored::Plain(text))) => text.len(),
            _ => 0,
        },
        RdbType::ListLinked
        | RdbType::SetTable
        | RdbType::HashTable
        | RdbType::ZsetBinary
        | RdbType::ZsetText => all,
        RdbType::Quicklist2 if has_plain_node(entry.value.bytes) => all,
        _ => 0,
    }
}

/// Whether a list has elements that stand there as they are.
fn has_plain_node(value: &[u8]) -> bool {
    let Ok((mut rest, nodes)) = string::number(value) else {
        return false;
    };
    for _ in 0..nodes {
        let Ok((after, container)) = string::number(rest) else {
            return false;
        };
        match string::stored(after) {
            Ok((_, Stored::Plain(_))) if container == PLAIN => return true,
            Ok((after, _)) => rest = after,
            Err(_) => return false,
        }
    }
    false
}

/// Whether records in the middle of a value look like those of a block that came there from
/// elsewhere, and not like those of a snapshot that is a value, or a part of it.
fn is_from_elsewhere(data: &[u8], chain: &Chain, end: usize) -> bool {
    let behind = chain.behind();
    let in_block = behind - chain.at() <= BLOCK && behind < end;
    let goes_on = data
        .get(behind)
        .is_none_or(|byte| *byte >= opcode::SLOT_INFO);
    chain.len() >= SHORT_CHAIN && !chain.is_weak() && in_block && !goes_on
}

/// Whether a snapshot begins in these bytes.
pub(super) fn has_header(bytes: Option<&[u8]>) -> bool {
    let mut windows = bytes.unwrap_or_default().windows(MAGIC);
    windows.any(|window| window == b"REDIS0" || window == b"VALKEY")
}

/// How a chain that begins inside of a record reads what stands there and behind it, held against
/// that record and those that follow it.
pub(super) enum Against {
    /// They come together, and the chain has more records up to there.
    More,
    /// It has not.
    Fewer,
    /// It has one record up to the end of the other one: the rest of that may look like one.
    One,
    /// The chain ends inside of the record.
    Inside,
    /// They do not come together as far as the chain goes, or nothing can be read behind the record.
    Alone,
}

/// Compares a chain that begins inside of a record with so many records up to the end of that one, and
/// with what is read behind it.
pub(super) fn against(
    data: &[u8],
    chain: &Chain,
    (mut records, end): (usize, usize),
    state: &State,
) -> Against {
    let more = |is_more| match is_more {
        true => Against::More,
        false => Against::Fewer,
    };
    if let Ok(others) = chain.bounds.binary_search(&end) {
        return match others >= INSIDE {
            true => Against::More,
            false => Against::One,
        };
    }
    if chain.behind() < end {
        return Against::Inside;
    }
    let mut parser = RdbParser::resume(state.clone(), end as u64);
    let mut rest = data.get(end..).unwrap_or_default();
    // What stands behind it without a name or a value may be the rest of a record.
    let mut all_weak = true;
    while (parser.offset() as usize) < chain.behind() {
        match parser.parse(rest, false) {
            Ok(Step::Parsed { consumed, item }) => {
                rest = rest.get(consumed..).unwrap_or_default();
                all_weak &= matches!(&item, Record::Entry(entry) if is_weak(entry));
            }
            _ => return Against::Alone,
        }
        records += 1;
        let at = parser.offset() as usize;
        if let Ok(others) = chain.bounds.binary_search(&at) {
            let has_more = others > records && others >= INSIDE;
            return more(has_more || (others > 0 && all_weak));
        }
        // A chain of few records may go on far behind this place.
        if records > chain.len() && (!all_weak || records > MOST_WEAK) {
            return Against::Fewer;
        }
    }
    Against::Alone
}
