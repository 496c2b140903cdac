//! What is done where framing is lost: finding the place where it goes on, and telling which
//! records around the gap can be believed.
//!
//! Where records cannot be framed any more is seldom where the damage is. A length that became
//! too small leaves the rest of its value to be read as records; one that became too large swallows
//! whole records, and reading goes on inside of another one. So chains are looked for from some
//! records before the place on, and the reading that has more whole records is taken.

use crate::bytes::Problem;
use crate::error::{Error, Result};
use crate::rdb::parser::opcode;
use crate::rdb::resync::{CHAIN, Chain, ChainEnd, is_weak};
use crate::record::Entry;
use crate::report::salvage::Reason;
use crate::task::salvage::ledger::Kind;
use crate::task::salvage::second::{Against, against};
use crate::task::salvage::survey::Survey;
use crate::task::salvage::walk::{Content, RECENT, Unit, Walker};

/// Keys right before a gap that may be another's bytes, or have lost some of their own; those not
/// counted that few bytes look like.
const DOUBTFUL_BEFORE: usize = 4;
/// The same where a record before the gap was found to be the damaged one.
pub(super) const DOUBTFUL_BEFORE_KNOWN: usize = 2;
/// Keys between a gap and a record of another kind that may have been read by chance.
const NEAR: u64 = 8;
/// Records over which two readings must come together.
const MEET: usize = 4096;
/// Records that must stand inside of another one: the rest of a record may look like one.
pub(super) const INSIDE: usize = 2;
/// Readings that are tried in the place of one that led nowhere.
const READINGS: usize = 64;

/// Whether a value decodes.
pub(super) fn fits(walker: &mut Walker) -> impl FnMut(&Entry<'_>) -> bool + '_ {
    |entry| matches!(walker.flaw(entry), Ok(None))
}

/// The first place where two chains have the end of a record in common: number of records before it in
/// the one and in the other.
fn shared(one: &Chain, other: &Chain) -> Option<(usize, usize)> {
    let ends = one.bounds.iter().enumerate().skip(1);
    let mut found = ends.filter_map(|(records, at)| {
        let others = other.bounds.binary_search(at).ok().filter(|&n| n > 0)?;
        Some((records, others))
    });
    found.next()
}

/// Whether a chain has more records than another one, up to where they come together or it ends.
fn gains(one: &Chain, other: &Chain) -> bool {
    let before = |at: usize| other.bounds.partition_point(|bound| *bound <= at);
    let (others, own) = shared(one, other).unwrap_or_else(|| (one.len(), before(one.behind())));
    others > own
}

/// The place behind the type of a record: what is inside of it begins there at the earliest.
pub(super) fn behind_type(data: &[u8], at: usize) -> usize {
    let mut rest = data.get(at..).unwrap_or_default();
    let mut passed = 2;
    loop {
        let len = match rest.first() {
            Some(&opcode::EXPIRETIME_MS) => 9,
            Some(&opcode::EXPIRETIME) => 5,
            Some(&(opcode::FREQ | opcode::IDLE)) => 2,
            _ => return at + passed,
        };
        passed += len;
        rest = rest.get(len..).unwrap_or_default();
    }
}

/// The same for records inside of others, where few bytes prove nothing: packed forms are full of
/// what could be keys without a name or a value.
pub(super) fn fits_inside(walker: &mut Walker) -> impl FnMut(&Entry<'_>) -> bool + '_ {
    |entry| !is_weak(entry) && matches!(walker.flaw(entry), Ok(None))
}

impl Survey<'_> {
    /// Finds where records go on; false where they do not.
    pub(super) fn go_on(&mut self, error: Error) -> Result<bool> {
        if error.problem().is_none() {
            return Err(error);
        }
        let behind = self.chain_behind(self.at);
        self.go_on_in(self.at, behind, &error)
    }

    /// Goes on in the chain behind a place where a record cannot be framed, or in one that begins
    /// before it; false where there is none.
    pub(super) fn go_on_in(
        &mut self,
        lost_at: usize,
        behind: Option<Chain>,
        error: &Error,
    ) -> Result<bool> {
        let before = self.chain_before(lost_at, behind.as_ref());
        let (chain, before) = match (before, behind) {
            (Some(chain), _) => (chain, DOUBTFUL_BEFORE_KNOWN),
            (None, Some(chain)) => (chain, DOUBTFUL_BEFORE),
            (None, None) => {
                let cut = matches!(error.problem(), Some(Problem::Truncated { .. }));
                self.unbroken = false;
                self.lost_end = cut;
                if !cut {
                    self.doubt(DOUBTFUL_BEFORE)?;
                }
                self.note(error, self.data.len());
                return Ok(false);
            }
        };
        self.note(error, chain.at().max(lost_at));
        self.gap(lost_at, chain, before)?;
        Ok(true)
    }

    /// Leaves out what stands between the last record that can be believed and a chain, and goes on
    /// in that.
    pub(super) fn gap(&mut self, lost_at: usize, chain: Chain, doubtful: usize) -> Result<()> {
        let chain = self.improved(chain);
        self.unbroken = false;
        let mut from = lost_at as u64;
        let at = chain.at() as u64;
        if let Some(guessed) = self.ledger.implausible(NEAR) {
            self.ledger.cut_back(guessed, &mut self.recent);
            from = self.ledger.end().unwrap_or(0);
            self.db = self.ledger.db();
            self.barrier = self.ledger.end_of_others();
        }
        if at < from {
            self.resync.pay((lost_at - chain.at()) / 8);
            self.ledger.cut_back(at, &mut self.recent);
            from = self.ledger.end().unwrap_or(0);
            self.db = self.ledger.db();
        }
        self.doubt(doubtful)?;
        self.ledger
            .lost(from.min(at), at, self.db, Reason::Framing)?;
        if let Some(&db) = self.known.dbs.get(&at) {
            self.db = db;
        }
        self.ledger.gap_ends(at, self.db)?;
        self.recent.clear();
        self.barrier = at;
        // The first record may be the rest of one whose expiry stood before it.
        let short = chain.end == ChainEnd::Broken;
        let doubtful = match short {
            true => chain.len(),
            false => self.doubtful_at_start(&chain),
        };
        let reason = match short {
            true => Reason::ShortChain,
            false => Reason::FirstOfChain,
        };
        self.at = chain.at();
        // Values without a structure are read by chance where damage left a pattern: nothing is
        // believed up to the first that was read in step.
        let mut in_step = false;
        for (number, &end) in chain.bounds.iter().skip(1).enumerate() {
            if number >= doubtful && (in_step || number >= RECENT) {
                break;
            }
            let stretch = self
                .walker
                .walk(self.data, self.at, end, &self.state.at_db(0));
            if matches!(
                stretch.items.as_slice(),
                [item] if matches!(item.content, Content::End(_))
            ) {
                break;
            }
            let mark = self.ledger.len();
            in_step |= stretch.recent.last().is_some_and(|unit| unit.in_step);
            if !self.take(stretch)? {
                break;
            }
            self.ledger.doubt_since(mark, reason);
        }
        Ok(())
    }

    /// The chain behind a place where a record cannot be framed.
    pub(super) fn chain_behind(&mut self, lost_at: usize) -> Option<Chain> {
        let all = (lost_at + 1, self.data.len());
        let mut fits = fits(&mut self.walker);
        self.resync
            .next_chain(self.data, all, &self.state, &mut fits, &mut |_| true)
    }

    /// A chain that begins inside one of the last records, and reads more out of these bytes.
    fn chain_before(&mut self, lost_at: usize, behind: Option<&Chain>) -> Option<Chain> {
        let first = usize::try_from(self.recent.first()?.start).ok()?;
        let mut main: Vec<usize> = self
            .recent
            .iter()
            .filter_map(|unit| usize::try_from(unit.start).ok())
            .collect();
        main.push(lost_at);
        let mut fits = fits(&mut self.walker);
        let others = |chain: &Chain| {
            let meets = |at: &usize| main.binary_search(at).is_ok();
            !chain.bounds.iter().skip(1).any(meets)
                && (chain.behind() > lost_at || chain.end != ChainEnd::Broken)
        };
        let mut from = first + 1;
        for _ in 0..READINGS {
            let range = (from, lost_at);
            let mut wanted = others;
            let chain =
                self.resync
                    .next_chain(self.data, range, &self.state, &mut fits, &mut wanted)?;
            from = chain.at() + 1;
            let Some(behind) = behind else {
                if chain.behind() > lost_at {
                    return Some(chain);
                }
                continue;
            };
            let all = (MEET, usize::MAX, usize::MAX);
            let long = self
                .resync
                .follow(self.data, chain.at(), &self.state, all, &mut fits);
            let meets = |at: &usize| *at >= behind.at() && behind.bounds.contains(at);
            let Some(meets) = long.bounds.iter().position(meets) else {
                continue;
            };
            let gained = long.bounds.iter().take(meets);
            let gained = gained.filter(|at| **at < behind.at()).count();
            let lost = self.recent.iter();
            let lost = lost.filter(|unit| unit.end > chain.at() as u64).count();
            if gained > lost {
                return Some(chain);
            }
        }
        None
    }

    /// The chain that reads more out of the bytes of another one's first record: a record that was
    /// guessed where none begins may take many for its own.
    fn improved(&mut self, mut chain: Chain) -> Chain {
        let mut fits = fits(&mut self.walker);
        let mut from = chain.at() + 1;
        while let Some(&first_ends) = chain.bounds.get(1) {
            let mut wanted = |other: &Chain| {
                let inside = other.end == ChainEnd::Enough && other.behind() <= first_ends;
                let more = shared(other, &chain).is_some_and(|(others, own)| others > own);
                (inside || more) && !other.is_weak()
            };
            let range = (from, first_ends);
            let found =
                self.resync
                    .next_within(self.data, range, &self.state, &mut fits, &mut wanted);
            let Some(other) = found else {
                break;
            };
            from = other.at() + 1;
            chain = other;
        }
        chain
    }

    /// Records at the start of a chain that can be read another way too, and at least the first.
    fn doubtful_at_start(&mut self, chain: &Chain) -> usize {
        let mut fits = fits(&mut self.walker);
        let mut doubtful = 1;
        let mut from = chain.at() + 1;
        while let Some(&until) = chain.bounds.get(doubtful)
            && doubtful < RECENT
        {
            let mut most = doubtful;
            let mut wanted = |other: &Chain| {
                if let Some((_, own)) = shared(other, chain) {
                    most = most.max(own);
                }
                false
            };
            let range = (from, until);
            self.resync
                .next_within(self.data, range, &self.state, &mut fits, &mut wanted);
            from = until;
            if most == doubtful {
                break;
            }
            doubtful = most;
        }
        doubtful
    }

    /// A chain of whole records inside of a damaged one, that ends where that does or goes on
    /// behind it.
    pub(super) fn chain_inside(&mut self, start: usize, end: usize) -> Option<usize> {
        let (data, state) = (self.data, self.state.at_db(0));
        let mut from = behind_type(data, start);
        let mut behind = None;
        for _ in 0..READINGS {
            let mut alone = false;
            let mut wanted = |chain: &Chain| {
                let is_long = matches!(chain.end, ChainEnd::Enough | ChainEnd::Snapshot);
                let found = against(data, chain, (0, end), &state);
                alone = is_long && matches!(found, Against::Alone);
                match found {
                    Against::More => true,
                    Against::Fewer => false,
                    Against::One | Against::Inside | Against::Alone => is_long,
                }
            };
            let mut fits = fits_inside(&mut self.walker);
            // Few records have another inside, and most of those that do are short.
            let places = ((from, end), data.len());
            let chain =
                self.resync
                    .next_keys_within(data, places, &state, &mut fits, &mut wanted)?;
            drop(fits);
            if !alone {
                return Some(chain.at());
            }
            // What cannot be read right behind the record goes on somewhere behind it: one of a few
            // long strings would take those records for its own.
            let behind = behind.get_or_insert_with(|| self.long_chain_behind(end));
            let gains = |behind: &Chain| gains(&chain, behind);
            if behind.as_ref().is_none_or(gains) {
                return Some(chain.at());
            }
            from = chain.at() + 1;
        }
        None
    }

    /// The chain behind a record, with as many records as two readings may take to come together.
    fn long_chain_behind(&mut self, end: usize) -> Option<Chain> {
        let chain = self.chain_behind(end.saturating_sub(1))?;
        let chain = self.improved(chain);
        let mut fits = fits(&mut self.walker);
        let all = (MEET, usize::MAX, usize::MAX);
        let long = self
            .resync
            .follow(self.data, chain.at(), &self.state, all, &mut fits);
        Some(long)
    }

    /// Reads a record that holds others by reading those; so many keys before it are in doubt.
    pub(super) fn pass_holder(&mut self, doubtful: usize) -> Result<()> {
        let start = self.at;
        let Some(inside) = self.known.holders.remove(&start) else {
            return Ok(());
        };
        let mut fits = fits(&mut self.walker);
        let whole = (CHAIN, usize::MAX, usize::MAX);
        let mut chain = self
            .resync
            .follow(self.data, inside, &self.state, whole, &mut fits);
        drop(fits);
        if chain.end == ChainEnd::Broken {
            // It was believed because of where it ends.
            chain.end = ChainEnd::Enough;
        }
        self.gap(start, chain, doubtful)
    }

    /// Marks the last keys as doubtful.
    fn doubt(&mut self, most: usize) -> Result<()> {
        let barrier = self.barrier;
        let (mut strong, mut in_step) = (0, false);
        let last: Vec<Unit> = self
            .recent
            .iter()
            .rev()
            .take_while(|unit| unit.start >= barrier)
            .take_while(|unit| {
                let wanted = strong < most || (most > 0 && !in_step);
                strong += usize::from(!unit.weak);
                in_step |= unit.in_step;
                wanted
            })
            .copied()
            .collect();
        let Some(first) = last.last() else {
            return Ok(());
        };
        let db = self.db;
        let cut = self.ledger.take_from(first.start, &mut self.recent);
        for unit in last.iter().rev() {
            match cut
                .iter()
                .find(|piece| piece.start == unit.start && piece.is_unsaved())
            {
                Some(piece) => self.ledger.put_back(*piece)?,
                None => {
                    let expires = u64::from(unit.expires);
                    let kind = Kind::Keys { keys: 1, expires };
                    let mark = self.ledger.len();
                    self.ledger.add_apart(unit.start, unit.end, db, kind)?;
                    self.ledger.doubt_keys_since(mark, Reason::BeforeGap);
                }
            }
        }
        Ok(())
    }
}
