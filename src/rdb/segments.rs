//! Several places of a mapped snapshot read at once.
//!
//! ```text
//! |--- segment 1 ---|--- segment 2 ---|--- segment 3 ---|    each framed by the worker that takes it
//!                  ^ a chain of records leads here, found without reading segment 1
//! ```
//!
//! Where a record begins is known for certain only once everything before it was framed. But from
//! nearly any place a chain of whole records can be found a few hundred bytes later, and chains
//! that begin at different places meet. So segments are handed out on the assumption that a record
//! begins where such a chain leads to, in a state like the one at hand, in a database that is not
//! known. Whoever puts the results together sees whether the segment before ended just there and
//! in that state: if not, what was read on the assumption is dropped, and reading goes on from
//! where the chain of certain records ended. What comes out depends on the bytes alone.
//!
//! Inside large values no chain is found; there one thread frames, which is quick, and hands out
//! what it framed.

use crate::error::Error;
use crate::rdb::batch::{Batch, Batches, Sheet};
use crate::rdb::parser::{RdbParser, State, opcode};
use crate::record::RdbType;

/// Stands for the database that was selected before an assumed place; no file can select it.
pub(crate) const INHERITED: u32 = u32::MAX;

/// Bytes of a segment at the least.
const SEGMENT: u64 = 2 << 20;
/// Bytes to be framed one after the other before chains are looked for again where there was none.
const PAUSE_MOST: u64 = 8 * SEGMENT;

/// What one worker reads.
pub(crate) struct Part<'d, S> {
    /// Where it begins, and in what state, unless that is certain from the part before.
    pub(crate) assumed: Option<(u64, State)>,
    pub(crate) work: Work<'d, S>,
}

/// The records of a part.
pub(crate) enum Work<'d, S> {
    /// Framed, and the state behind them.
    Framed(Batch<'d, S>, State),
    /// To be framed.
    Segment(Batches<'d, S>),
    /// There are none, because of this; nothing comes after it.
    Failed(Error),
}

/// Cuts a snapshot into parts.
pub(crate) struct Segments<'d, S> {
    batches: Batches<'d, S>,
    assumed: Option<(u64, State)>,
    ahead: Option<Ahead<'d>>,
    ended: bool,
}

/// For finding the next segment.
struct Ahead<'d> {
    data: &'d [u8],
    /// No chain is looked for before this place.
    next: u64,
    /// How far to go on without looking after the next time that it was of no use.
    pause: u64,
    /// Where reading began anew the last time.
    since: u64,
}

impl<'d, S: Sheet> Segments<'d, S> {
    /// Of what these batches hold; without segments unless `several` places are to be read at once.
    pub(crate) fn new(batches: Batches<'d, S>, several: bool) -> Self {
        let ahead = batches.whole().filter(|_| several).map(|data| Ahead {
            data,
            next: 0,
            pause: SEGMENT,
            since: 0,
        });
        Segments {
            batches,
            assumed: None,
            ahead,
            ended: false,
        }
    }

    /// The next part; `None` behind the end mark or damage. Whether parts are assumed rightly is
    /// for whoever takes their results to see.
    pub(crate) fn next_part(&mut self) -> Option<Part<'d, S>> {
        if self.ended {
            return None;
        }
        if let Some(segment) = self.next_segment() {
            return Some(segment);
        }
        let work = match self.batches.next_batch() {
            Ok(Some(batch)) => Work::Framed(batch, self.batches.state().clone()),
            Ok(None) => return None,
            Err(error) => {
                self.ended = true;
                Work::Failed(error)
            }
        };
        let assumed = self.assumed.take();
        Some(Part { assumed, work })
    }

    /// Begins anew where the certain records end: what was assumed behind them was wrong.
    pub(crate) fn restart(&mut self, at: u64, state: &State) {
        if let Some(ahead) = &mut self.ahead {
            // Assumptions that are wrong again and again must not cost more than they gain.
            ahead.pause = match at - ahead.since > 16 * ahead.pause {
                true => SEGMENT,
                false => ahead.pause.saturating_mul(2),
            };
            (ahead.since, ahead.next) = (at, at.saturating_add(ahead.pause));
        }
        if let Some(batches) = self.batches.from(at, state.clone(), u64::MAX) {
            self.batches = batches;
        }
        self.assumed = None;
        self.ended = false;
    }

    /// What the batches are cut from, for everything but cutting.
    pub(crate) fn batches(&mut self) -> &mut Batches<'d, S> {
        &mut self.batches
    }

    /// The records up to where the next chain leads, if one is found.
    fn next_segment(&mut self) -> Option<Part<'d, S>> {
        let ahead = self.ahead.as_mut()?;
        let (at, state) = (self.batches.offset(), self.batches.state());
        let from = at.checked_add(SEGMENT)?;
        if at < ahead.next || !self.batches.is_between_records() || !state.is_plain() {
            return None;
        }
        let from_pos = usize::try_from(from).ok()?;
        // The rest is better cut into small pieces, so that all workers end at the same time.
        if from_pos.checked_add(SEGMENT as usize)? > ahead.data.len() {
            return None;
        }
        let Some(until) = chained(ahead.data, from_pos, state) else {
            let pause = (ahead.pause * 2).min(PAUSE_MOST).max(ahead.pause);
            ahead.next = at + ahead.pause;
            ahead.pause = pause;
            return None;
        };
        let until = until as u64;
        let next_state = state.in_db(INHERITED);
        let segment = self.batches.from(at, state.clone(), until)?;
        self.batches = self.batches.from(until, next_state.clone(), u64::MAX)?;
        let assumed = self.assumed.replace((until, next_state));
        let work = Work::Segment(segment);
        Some(Part { assumed, work })
    }
}

/// Records that must follow each other.
const CHAIN: usize = 32;
/// The same where the next one is too large to be looked at.
const SHORT_CHAIN: usize = 8;
/// Bytes in which a chain must begin.
const NEAR: usize = 64 << 10;
/// Bytes of a record of a chain.
const RECORD: usize = 64 << 10;
/// Bytes of the first record of a chain where it takes time for each element.
const FIRST_OF_MANY: usize = 4 << 10;
/// Places where a chain is tried.
const TRIES: usize = 2048;
/// Bytes of all chains that are tried.
const EFFORT: usize = 4 << 20;

/// Where a chain of records leads to that begins at `from` or not far behind it. How much is tried is
/// bounded, so that no input takes long.
fn chained(data: &[u8], from: usize, state: &State) -> Option<usize> {
    let mut parser = RdbParser::resume(state.in_db(INHERITED), 0);
    let (mut tries, mut effort) = (0, 0);
    let near = data.get(from..)?;
    for (pos, &first) in near.iter().take(NEAR).enumerate() {
        let most = match (first, RdbType::common(first)) {
            (opcode::EXPIRETIME_MS | opcode::FREQ | opcode::IDLE, _) => FIRST_OF_MANY,
            (_, Some(rdb_type)) if is_one_string(rdb_type) => RECORD,
            (_, Some(_)) => FIRST_OF_MANY,
            _ => continue,
        };
        tries += 1;
        if tries > TRIES || effort > EFFORT {
            return None;
        }
        let rest = near.get(pos..)?;
        let window = rest.get(..most).unwrap_or(rest);
        if parser.next_key(window).is_none() {
            continue;
        }
        let (len, holds) = chain(rest, state);
        effort += len;
        if holds {
            return Some(from + pos + len);
        }
    }
    None
}

/// Follows the records at the start of `data`: over how many bytes, and whether there are enough.
fn chain(data: &[u8], state: &State) -> (usize, bool) {
    let mut parser = RdbParser::resume(state.in_db(INHERITED), 0);
    let mut len = 0;
    for passed in 0..CHAIN {
        let rest = data.get(len..).unwrap_or_default();
        let window = rest.get(..RECORD).unwrap_or(rest);
        if let Some((_, after)) = parser.next_key(window) {
            len += window.len() - after.len();
            continue;
        }
        match parser.parse(window, false) {
            Ok(crate::bytes::Step::Parsed { consumed, .. }) if parser.state().reads_as(state) => {
                len += consumed;
            }
            Ok(crate::bytes::Step::NeedMore { .. }) => return (len, passed >= SHORT_CHAIN),
            _ => return (len, false),
        }
    }
    (len, true)
}

/// Types whose value is a single string.
fn is_one_string(rdb_type: RdbType) -> bool {
    matches!(
        rdb_type,
        RdbType::String
            | RdbType::ListZiplist
            | RdbType::SetIntset
            | RdbType::ZsetZiplist
            | RdbType::HashZiplist
            | RdbType::HashListpack
            | RdbType::ZsetListpack
            | RdbType::SetListpack
    )
}
