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

use crate::bytes::Step;
use crate::error::Error;
use crate::rdb::batch::{Batch, Batches, Sheet};
use crate::rdb::parser::{RdbParser, State, opcode};
use crate::record::RdbType;

/// Stands for the database that was selected before an assumed place; no file can select it.
pub(crate) const INHERITED: u32 = u32::MAX;

/// Bytes of a segment at the least: enough to make finding the next one worth it.
pub(crate) const SEGMENT: u64 = 1 << 20;
/// Segments' bytes to be framed one after the other, at the most, before chains are looked for again
/// where there was none.
const PAUSE_MOST: u64 = 8;

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
    /// Bytes of a segment at the least.
    segment: u64,
    /// No chain is looked for before this place.
    next: u64,
    /// How far to go on without looking after the next time that it was of no use.
    pause: u64,
    /// Where reading began anew the last time.
    since: u64,
}

impl<'d, S: Sheet> Segments<'d, S> {
    /// Of what these batches hold, in segments of at least so many bytes; without any length, and
    /// where nothing is mapped, there are none.
    pub(crate) fn new(batches: Batches<'d, S>, segment: Option<u64>) -> Self {
        let ahead = batches.whole().zip(segment).map(|(data, segment)| Ahead {
            data,
            segment,
            next: 0,
            pause: segment,
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
                true => ahead.segment,
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
        let from = at.checked_add(ahead.segment)?;
        if at < ahead.next || !self.batches.is_between_records() || !state.is_plain() {
            return None;
        }
        // The rest is better cut into small pieces, so that all workers end at the same time.
        if from.checked_add(ahead.segment)? > ahead.data.len() as u64 {
            return None;
        }
        let Some(until) = chained(ahead.data, usize::try_from(from).ok()?, state) else {
            ahead.next = at.saturating_add(ahead.pause);
            if ahead.pause < PAUSE_MOST * ahead.segment {
                ahead.pause *= 2;
            }
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
            Ok(Step::Parsed { consumed, .. }) if parser.state().reads_as(state) => {
                len += consumed;
            }
            Ok(Step::NeedMore { .. }) => return (len, passed >= SHORT_CHAIN),
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

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests {
    use super::testing::{Dice, Mix, damage, snapshot};
    use super::*;
    use crate::record::{Flow, Record};

    /// Records as text, and the error at their end.
    type Told = (Vec<String>, Option<String>);

    fn tell(batches: &mut Batches<'_>, db: u32, told: &mut Told) {
        loop {
            match batches.next_batch() {
                Ok(Some(batch)) => {
                    tell_batch(&batch, db, told);
                    if told.1.is_some() {
                        return;
                    }
                }
                Ok(None) => return,
                Err(error) => return told.1 = Some(error.to_string()),
            }
        }
    }

    fn tell_batch(batch: &Batch<'_>, db: u32, told: &mut Told) {
        let each = |record: &Record<'_>| {
            let record =
                format!("{record:?}").replace(&format!("db: {INHERITED}"), &format!("db: {db}"));
            told.0.push(record);
            Ok(Flow::Continue)
        };
        // What is wrong inside a compressed run comes out only as its records are read.
        if let Err(error) = batch.for_each(each) {
            told.1 = Some(error.to_string());
        }
    }

    /// Reads in segments, as a collector of results must: what comes out, how many segments there
    /// were, and how many assumptions were wrong.
    fn read(data: &[u8], segment: u64) -> (Told, usize, usize) {
        let mut segments = Segments::new(Batches::of_map(data), Some(segment));
        let (mut told, mut count, mut wrong) = (Told::default(), 0, 0);
        let (mut at, mut state, mut db) = (0, State::default(), 0);
        while let Some(part) = segments.next_part() {
            if let Some((from, before)) = &part.assumed
                && (*from != at || !before.reads_as(&state))
            {
                wrong += 1;
                segments.restart(at, &state.in_db(db));
                continue;
            }
            match part.work {
                Work::Framed(batch, behind) => {
                    tell_batch(&batch, db, &mut told);
                    if told.1.is_some() {
                        break;
                    }
                    // Inside a compressed run the place in the file stays.
                    at = at.max(if batch.run.is_none() {
                        batch.at + batch.block.len() as u64
                    } else {
                        0
                    });
                    state = behind;
                }
                Work::Segment(mut batches) => {
                    count += 1;
                    tell(&mut batches, db, &mut told);
                    (at, state) = (batches.offset(), batches.state().clone());
                    if told.1.is_some() {
                        break;
                    }
                }
                Work::Failed(error) => told.1 = Some(error.to_string()),
            }
            if state.db() != INHERITED {
                db = state.db();
            }
        }
        (told, count, wrong)
    }

    #[test]
    fn an_ordinary_snapshot_is_read_in_segments_that_all_meet() {
        for seed in 0..6 {
            let data = snapshot(&mut Dice::new(seed), Mix::Plain, 2_000_000);
            let (told, count, wrong) = read(&data, 32 << 10);
            assert!(count > 30, "{seed}: {count}");
            assert_eq!(wrong, 0, "{seed}");
            assert_eq!(told.1, None);
        }
    }

    #[test]
    fn segments_tell_what_one_pass_tells_whatever_they_are_mistaken_for() {
        let seeds = match std::env::var_os("REDKIT_FULL") {
            Some(_) => 3_000,
            None => 40,
        };
        let (mut segments, mut mistakes) = (0, 0);
        for seed in 0..seeds {
            let mut dice = Dice::new(seed);
            let mut data = snapshot(&mut dice, Mix::Tricky, 700_000);
            if seed % 2 == 1 {
                damage(&mut dice, &mut data);
            }
            let mut whole = Told::default();
            tell(&mut Batches::of_map(&data), 0, &mut whole);
            for segment in [1 << 10, 20 << 10] {
                let (told, count, wrong) = read(&data, segment);
                assert_eq!(told.0.len(), whole.0.len(), "{seed} {segment}");
                assert!(told.0 == whole.0, "{seed} {segment}");
                assert_eq!(told.1.is_some(), whole.1.is_some(), "{seed} {segment}");
                segments += count;
                mistakes += wrong;
            }
        }
        assert!(segments > 100, "{segments}");
        assert!(mistakes > 20, "{mistakes}");
    }

    #[test]
    fn no_segment_begins_inside_a_large_value() {
        let mut data = b"REDIS0011\xfe\x00\x02\x03set\x80\x00\x0f\x42\x40".to_vec();
        for i in 0..1_000_000 {
            data.push(8);
            data.extend_from_slice(format!("m{i:07}").as_bytes());
        }
        data.extend_from_slice(b"\xff\0\0\0\0\0\0\0\0");
        let (told, count, wrong) = read(&data, 64 << 10);
        assert_eq!((told.1, count, wrong), (None, 0, 0));
    }
}
