//! What is decided once everything was read: to which database records belong, which of equal keys
//! stays, and what goes into the output.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::io::source::Behind;
use crate::record::types::Dialect;
use crate::report::salvage::Reason;
use crate::task::duplicates::{KeysTwice, SameKey};
use crate::task::salvage::keys::Keys;
use crate::task::salvage::ledger::{Kind, Piece};
use crate::task::salvage::survey::Survey;
use crate::task::salvage::{Keep, SalvageOptions};

/// Bytes of a key's record at the least, about.
const KEY: u64 = 4;

/// A gap within what seems to be one database.
struct Gap {
    /// Where it ends.
    at: u64,
    /// Number of the piece behind it.
    piece: usize,
    /// Keys before it, and bytes lost up to its end.
    keys: u64,
    lost: u64,
}

/// What stands between two selections of a database.
#[derive(Default)]
struct Span {
    announced: Option<u64>,
    keys: u64,
    lost: u64,
    gaps: Vec<Gap>,
}

impl Span {
    /// Whether a gap may have hidden the selection of another database. A database that is said to
    /// have more keys than stand before the gap, and could stand in it, goes on behind it. One that
    /// is said to have all that are there, more than could stand in the gap, does too. And between
    /// a database and the next higher number there is none.
    fn is_doubtful(&self, gap: &Gap, db: u32, next: Option<u32>, sorted: bool) -> bool {
        let most = gap.lost / KEY;
        let goes_on = self.announced.is_some_and(|all| {
            all > gap.keys + most || (self.keys <= all && self.keys - gap.keys > most)
        });
        let neighbours = sorted && next == db.checked_add(1);
        !goes_on && !neighbours
    }
}

/// Marks what follows gaps that may have hidden another database; says where such gaps end.
pub(super) fn databases(survey: &mut Survey<'_>) -> Vec<u64> {
    let sorted = survey.state.dialect() != Dialect::Dragonfly;
    let mut doubtful = Vec::new();
    let mut span = Span::default();
    let mut db = 0;
    let mut from = Vec::new();
    let pieces = survey.ledger.pieces();
    let mut close = |span: Span, db: u32, next: Option<u32>, until: usize| {
        let known = |gap: &&Gap| survey.known.dbs.contains_key(&gap.at);
        let gaps = span.gaps.iter().filter(|gap| !known(gap));
        let mut gaps = gaps.filter(|gap| span.is_doubtful(gap, db, next, sorted));
        if let Some(first) = gaps.next() {
            doubtful.push(first.at);
            from.push((first.piece, until));
        }
    };
    for (number, piece) in pieces.iter().enumerate() {
        match piece.kind {
            Kind::Select => {
                close(std::mem::take(&mut span), db, Some(piece.db), number);
                db = piece.db;
            }
            Kind::Resize { keys, .. } => {
                // The value before it may have swallowed a selection up to here.
                let again = span.announced.replace(keys).is_some();
                let gap = Gap {
                    at: piece.start,
                    piece: number,
                    keys: span.keys,
                    lost: u64::MAX,
                };
                span.gaps.extend(again.then_some(gap));
            }
            Kind::Keys { keys, .. } => span.keys += keys,
            Kind::Lost(Reason::BadValue) => span.keys += 1,
            Kind::Lost(_) if piece.run.is_none() => span.lost += piece.end - piece.start,
            Kind::GapEnds if survey.known.dbs.contains_key(&piece.start) => {
                close(std::mem::take(&mut span), db, None, number);
                db = piece.db;
            }
            Kind::GapEnds => span.gaps.push(Gap {
                at: piece.start,
                piece: number,
                keys: span.keys,
                lost: span.lost,
            }),
            _ => {}
        }
    }
    close(span, db, None, pieces.len());
    for (first, until) in from {
        for piece in survey
            .ledger
            .pieces_mut()
            .iter_mut()
            .take(until)
            .skip(first)
        {
            if matches!(piece.kind, Kind::Keys { .. } | Kind::Run) && piece.doubt.is_none() {
                piece.doubt = Some(Reason::Database);
            }
        }
    }
    doubtful
}

/// Of records whose values end in the selection of a later database those that swallowed it: what
/// stands before it has more keys than it is said to have.
pub(super) fn swallowed_selections(
    survey: &Survey<'_>,
    values: &[(usize, usize, u32)],
) -> Vec<(usize, usize)> {
    if values.is_empty() {
        return Vec::new();
    }
    // Databases that have more: where their keys stand, and which they are.
    let mut crowded: Vec<(u64, u64, u32)> = Vec::new();
    let mut span = Span::default();
    let (mut start, mut db) = (0, 0);
    let mut close = |span: Span, start: u64, end: u64, db: u32| {
        if span.announced.is_some_and(|all| span.keys > all) {
            crowded.push((start, end, db));
        }
    };
    for piece in survey.ledger.pieces() {
        match piece.kind {
            Kind::Select => {
                close(std::mem::take(&mut span), start, piece.start, db);
                (start, db) = (piece.start, piece.db);
            }
            Kind::Resize { keys, .. } => span.announced = Some(keys),
            Kind::Keys { keys, .. } => span.keys += keys,
            _ => {}
        }
    }
    close(span, start, u64::MAX, db);
    let swallowed = values.iter().filter(|(at, _, later)| {
        let at = *at as u64;
        let mut crowded = crowded.iter();
        crowded.any(|(start, end, db)| (*start..*end).contains(&at) && later > db)
    });
    swallowed.map(|&(at, head, _)| (at, head)).collect()
}

/// Bytes between two gaps that may have come there from another place of the file.
const MOVED: u64 = 16 << 10;

/// Marks what stands between two gaps that are close together: a block of a file that came to
/// another place begins and ends like that, and what is in it may belong to another database.
pub(super) fn between_gaps(survey: &mut Survey<'_>) {
    let mut from: Option<(usize, u64)> = None;
    let mut moved = Vec::new();
    for (number, piece) in survey.ledger.pieces().iter().enumerate() {
        match piece.kind {
            Kind::GapEnds => from = Some((number, piece.start)),
            Kind::Select => from = None,
            Kind::Lost(Reason::Framing) => {
                if let Some((first, at)) = from.take()
                    && piece.start - at < MOVED
                {
                    moved.push((first, number));
                }
            }
            _ => {}
        }
    }
    for (first, until) in moved {
        for piece in survey
            .ledger
            .pieces_mut()
            .iter_mut()
            .take(until)
            .skip(first)
        {
            if matches!(piece.kind, Kind::Keys { .. } | Kind::Run) && piece.doubt.is_none() {
                piece.doubt = Some(Reason::ShortChain);
            }
        }
    }
}

/// What becomes of one of several records of a key.
#[derive(Clone, Copy)]
struct Verdict {
    end: u64,
    expires: bool,
    /// Left out for this reason, or else in doubt for it.
    out: bool,
    reason: Reason,
}

/// Decides which of several records of a key stays.
///
/// # Errors
/// What was spilled cannot be read again.
pub(super) fn duplicates(survey: &mut Survey<'_>, options: &SalvageOptions) -> Result<()> {
    let pairs = std::mem::replace(&mut survey.keys, KeysTwice::listing(0)).finish()?;
    let mut groups: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for SameKey { earlier, later, .. } in pairs {
        groups
            .entry(earlier)
            .or_insert_with(|| vec![earlier])
            .push(later);
    }
    let wanted: BTreeSet<u64> = groups.values().flatten().copied().collect();
    let records = records(survey, &wanted);
    let mut verdicts = BTreeMap::new();
    for mut group in groups.into_values() {
        group.sort_unstable();
        group.dedup();
        let records: Vec<Twin> = group
            .iter()
            .filter_map(|at| records.get(at).copied())
            .collect();
        judge(survey.data, &records, options, &mut verdicts);
    }
    if verdicts.is_empty() {
        return Ok(());
    }
    let mut pieces = Vec::new();
    for piece in survey.ledger.pieces() {
        split(*piece, &verdicts, &mut pieces);
    }
    *survey.ledger.pieces_mut() = pieces;
    Ok(())
}

/// A record of a key: start, end, whether it expires, whether it is in doubt.
type Twin = (u64, u64, bool, bool);

fn judge(
    data: &[u8],
    records: &[Twin],
    options: &SalvageOptions,
    verdicts: &mut BTreeMap<u64, Verdict>,
) {
    if records.len() < 2 {
        return;
    }
    let bytes = |&(start, end, ..): &Twin| {
        let range = usize::try_from(start).ok()?..usize::try_from(end).ok()?;
        data.get(range)
    };
    let whole: Vec<&Twin> = records.iter().filter(|record| !record.3).collect();
    let among: Vec<&Twin> = match whole.is_empty() {
        true => records.iter().collect(),
        false => whole,
    };
    let stays = match options.keep {
        Some(Keep::Last) => among.last(),
        _ => among.first(),
    };
    let Some(&stays) = stays else {
        return;
    };
    // One that is in doubt may be right all the same, and the other one wrong.
    let differ = records.iter().any(|record| bytes(record) != bytes(stays));
    for record in records {
        let is_copy = bytes(record) == bytes(stays);
        let out = record.0 != stays.0;
        let reason = match is_copy && !differ {
            true => Reason::Copy,
            false => Reason::Duplicate,
        };
        if out || (differ && options.keep.is_none()) {
            let &(start, end, expires, _) = record;
            verdicts.insert(
                start,
                Verdict {
                    end,
                    expires,
                    out,
                    reason,
                },
            );
        }
    }
}

/// The records that begin at these places. What a reading found there that was given up since is none.
fn records(survey: &Survey<'_>, wanted: &BTreeSet<u64>) -> BTreeMap<u64, Twin> {
    let mut found = BTreeMap::new();
    let mut behind = Behind::new(Some(survey.map));
    let keys = survey.ledger.pieces().iter();
    let keys = keys.filter(|piece| matches!(piece.kind, Kind::Keys { .. }) && piece.run.is_none());
    for piece in keys {
        let Some(&last) = wanted.range(piece.start..piece.end).next_back() else {
            continue;
        };
        for key in Keys::within(survey, piece.start, last + 1) {
            if wanted.contains(&key.start) {
                let twin = (key.start, key.end, key.expires, piece.doubt.is_some());
                found.insert(key.start, twin);
            }
            behind.reach(key.end);
        }
    }
    found
}

/// Cuts the records that verdicts are about out of a piece.
fn split(piece: Piece, verdicts: &BTreeMap<u64, Verdict>, to: &mut Vec<Piece>) {
    let Kind::Keys {
        mut keys,
        mut expires,
    } = piece.kind
    else {
        return to.push(piece);
    };
    if piece.run.is_some() {
        return to.push(piece);
    }
    let inside: Vec<_> = verdicts.range(piece.start..piece.end).collect();
    // How many keys stand between two of them is not known: the first stretch is told to have all.
    let singles = inside.len() as u64;
    let singles_expire = inside.iter().filter(|(_, verdict)| verdict.expires).count() as u64;
    keys = keys.saturating_sub(singles);
    expires = expires.saturating_sub(singles_expire);
    let mut from = piece.start;
    let mut rest = |start: u64, end: u64, to: &mut Vec<Piece>| {
        if start < end {
            let kind = Kind::Keys {
                keys: std::mem::take(&mut keys),
                expires: std::mem::take(&mut expires),
            };
            to.push(Piece {
                start,
                end,
                kind,
                ..piece
            });
        }
    };
    for (&start, verdict) in inside {
        rest(from, start, to);
        let doubt = match verdict.out {
            true => None,
            false => piece.doubt.or(Some(verdict.reason)),
        };
        let kind = match verdict.out {
            true => Kind::Lost(verdict.reason),
            false => Kind::Keys {
                keys: 1,
                expires: u64::from(verdict.expires),
            },
        };
        to.push(Piece {
            start,
            end: verdict.end,
            kind,
            doubt,
            ..piece
        });
        from = verdict.end;
    }
    rest(from, piece.end, to);
}

/// Decides what goes into the output.
pub(super) fn save(survey: &mut Survey<'_>, options: &SalvageOptions) {
    for piece in survey.ledger.pieces_mut() {
        let is_kept = matches!(piece.kind, Kind::Keys { .. } | Kind::Other | Kind::Run);
        let asked = match piece.doubt {
            None => true,
            Some(Reason::Duplicate) if options.keep.is_some() => true,
            Some(_) => options.keep_doubtful,
        };
        piece.saved = is_kept && asked;
    }
}
