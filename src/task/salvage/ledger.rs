//! What was found where, in the order of the file: of whole keys that follow each other one piece.

use crate::error::{Error, Result};
use crate::report::salvage::Reason;
use crate::task::salvage::walk::Unit;

/// What a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Whole keys.
    Keys { keys: u64, expires: u64 },
    /// A whole record that is no key.
    Other,
    /// Compressed keys, which the pieces behind it, that count in the run, tell one by one.
    Run,
    /// What cannot be kept.
    Lost(Reason),
    /// From here on another database; written anew.
    Select,
    /// How many keys that has; written anew.
    Resize { keys: u64, expires: u64 },
    /// A gap ended here, in which a selection of a database may have stood.
    GapEnds,
    /// Written anew, or no longer true.
    Dropped,
}

/// A piece of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Where the compressed run begins that offsets count in, if they do.
    pub(super) run: Option<u64>,
    pub(super) db: u32,
    pub(super) kind: Kind,
    /// Why its keys may not be what the file once held.
    pub(super) doubt: Option<Reason>,
    /// Whether it goes into the output.
    pub(super) saved: bool,
}

impl Piece {
    /// True for what is lost whatever is asked for.
    pub(super) fn is_unsaved(&self) -> bool {
        matches!(self.kind, Kind::Lost(_))
    }

    /// Keys in it, and how many of them expire.
    pub(super) fn keys(&self) -> (u64, u64) {
        match self.kind {
            Kind::Keys { keys, expires } => (keys, expires),
            _ => (0, 0),
        }
    }
}

/// All pieces.
pub(super) struct Ledger {
    pieces: Vec<Piece>,
    most: usize,
    /// Whether a database is followed by its size in this file.
    has_sizes: bool,
}

impl Ledger {
    /// With room for as many pieces as this memory holds.
    pub(super) fn new(memory: u64) -> Self {
        let most = memory / 2 / std::mem::size_of::<Piece>() as u64;
        Ledger {
            pieces: Vec::new(),
            most: usize::try_from(most).unwrap_or(usize::MAX),
            has_sizes: false,
        }
    }

    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    pub(super) fn pieces_mut(&mut self) -> &mut Vec<Piece> {
        &mut self.pieces
    }

    pub(super) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Where the last piece ends that is whole.
    pub(super) fn end_of_kept(&self) -> u64 {
        let mut pieces = self.pieces.iter().rev().filter(|piece| piece.run.is_none());
        let kept = pieces.find(|piece| !piece.is_unsaved() && piece.kind != Kind::GapEnds);
        kept.map_or(0, |piece| piece.end)
    }

    /// The same; what is lost behind it is forgotten.
    pub(super) fn end_of_whole(&mut self) -> u64 {
        while self
            .pieces
            .last()
            .is_some_and(|piece| piece.is_unsaved() || piece.kind == Kind::GapEnds)
        {
            self.pieces.pop();
        }
        self.end().unwrap_or(0)
    }

    /// Where the last record ends that is no key.
    pub(super) fn end_of_others(&self) -> u64 {
        let mut pieces = self.pieces.iter().rev().filter(|piece| piece.run.is_none());
        let other = pieces.find(|piece| !matches!(piece.kind, Kind::Keys { .. } | Kind::Lost(_)));
        other.map_or(0, |piece| piece.end)
    }

    /// Where, with at most so many keys behind it, a record stands at the end that is no key and
    /// should not stand there: a database without its size, a size without its database, or what
    /// servers write in front of all keys. Damaged bytes look like those by chance.
    pub(super) fn implausible(&self, most: u64) -> Option<u64> {
        let mut found = None;
        let mut keys = 0;
        let mut behind: Option<&Piece> = None;
        for (number, piece) in self.pieces.iter().enumerate().rev() {
            keys += piece.keys().0;
            if keys > most || piece.run.is_some() || piece.kind == Kind::GapEnds {
                break;
            }
            let before = number.checked_sub(1).and_then(|n| self.pieces.get(n));
            let wrong = match piece.kind {
                Kind::Select => {
                    !behind.is_some_and(|next| matches!(next.kind, Kind::Resize { .. }))
                }
                Kind::Resize { .. } => !before.is_some_and(|piece| piece.kind == Kind::Select),
                Kind::Other => before.is_some_and(|piece| matches!(piece.kind, Kind::Keys { .. })),
                _ => false,
            };
            if wrong && self.has_sizes {
                found = Some(piece.start);
            }
            behind = Some(piece);
        }
        found
    }

    /// Where the last piece ends.
    pub(super) fn end(&self) -> Option<u64> {
        let last = self.pieces.iter().rev().find(|piece| piece.run.is_none());
        last.map(|piece| piece.end)
    }

    /// The database selected at the end.
    pub(super) fn db(&self) -> u32 {
        self.pieces.last().map_or(0, |piece| piece.db)
    }

    /// Adds what stands at some place; keys right behind others go to those.
    pub(super) fn add(
        &mut self,
        start: u64,
        end: u64,
        run: Option<u64>,
        db: u32,
        kind: Kind,
    ) -> Result<()> {
        if let Kind::Keys { keys, expires } = kind
            && let Some(last) = self.pieces.last_mut()
            && (last.end, last.run, last.db, last.doubt) == (start, run, db, None)
            && let Kind::Keys {
                keys: all,
                expires: all_expires,
            } = &mut last.kind
        {
            last.end = end;
            *all += keys;
            *all_expires += expires;
            return Ok(());
        }
        self.put(start, end, run, db, kind)
    }

    /// The same, as a piece of its own.
    pub(super) fn add_apart(&mut self, start: u64, end: u64, db: u32, kind: Kind) -> Result<()> {
        self.put(start, end, None, db, kind)
    }

    /// What is lost.
    pub(super) fn lost(&mut self, start: u64, end: u64, db: u32, reason: Reason) -> Result<()> {
        // Nothing of what follows the end of a file is in it.
        match start < end || (start == end && reason == Reason::Truncated) {
            true => self.put(start, end, None, db, Kind::Lost(reason)),
            false => Ok(()),
        }
    }

    /// A gap ended; what follows is of this database, if the gap hid no other.
    pub(super) fn gap_ends(&mut self, at: u64, db: u32) -> Result<()> {
        self.put(at, at, None, db, Kind::GapEnds)
    }

    /// Adds a piece as it was.
    pub(super) fn put_back(&mut self, piece: Piece) -> Result<()> {
        self.put(piece.start, piece.end, piece.run, piece.db, piece.kind)
    }

    fn put(&mut self, start: u64, end: u64, run: Option<u64>, db: u32, kind: Kind) -> Result<()> {
        if let (Kind::Resize { .. }, Some(Kind::Select)) =
            (kind, self.pieces.last().map(|p| p.kind))
        {
            self.has_sizes = true;
        }
        if self.pieces.len() >= self.most {
            return Err(Error::limit(
                "the file is damaged in so many places that a list of them does not fit into memory",
            ));
        }
        self.pieces.push(Piece {
            start,
            end,
            run,
            db,
            kind,
            doubt: None,
            saved: false,
        });
        Ok(())
    }

    /// Takes away everything that ends behind `from`; of keys in a row those that do.
    pub(super) fn cut_back(&mut self, from: u64, recent: &mut Vec<Unit>) {
        self.take_from(from, recent);
    }

    /// The same, and hands out what was lost of it anyway.
    pub(super) fn take_from(&mut self, from: u64, recent: &mut Vec<Unit>) -> Vec<Piece> {
        let mut taken = Vec::new();
        while let Some(last) = self.pieces.last_mut() {
            // What stands in a compressed run goes with the run.
            let (start, end) = match last.run {
                Some(run) => (run, u64::MAX),
                None => (last.start, last.end),
            };
            match &mut last.kind {
                _ if end <= from && (start < from || start == end) => break,
                _ if start < from && last.run.is_some() => break,
                _ if start >= from => {
                    if last.is_unsaved() {
                        taken.push(*last);
                    }
                    self.pieces.pop();
                }
                Kind::Keys { keys, expires } => {
                    let units = recent.iter().filter(|unit| unit.end > from);
                    // Damaged and doubtful keys are pieces of their own, and were taken before.
                    let whole = last.end;
                    let units = units.filter(|unit| unit.start >= last.start && unit.end <= whole);
                    let mut end = last.end;
                    for unit in units {
                        *keys = keys.saturating_sub(1);
                        *expires = expires.saturating_sub(u64::from(unit.expires));
                        end = end.min(unit.start);
                    }
                    last.end = end;
                    if *keys == 0 {
                        self.pieces.pop();
                    }
                    break;
                }
                _ => {
                    self.pieces.pop();
                    break;
                }
            }
        }
        recent.retain(|unit| unit.end <= from);
        taken
    }

    /// Marks keys from this piece on as doubtful.
    pub(super) fn doubt_keys_since(&mut self, mark: usize, reason: Reason) {
        for piece in self.pieces.iter_mut().skip(mark) {
            if matches!(piece.kind, Kind::Keys { .. }) && piece.doubt.is_none() {
                piece.doubt = Some(reason);
            }
        }
    }

    /// Marks everything from this piece on as doubtful.
    pub(super) fn doubt_since(&mut self, mark: usize, reason: Reason) {
        for piece in self.pieces.iter_mut().skip(mark) {
            let is_kept = matches!(piece.kind, Kind::Keys { .. } | Kind::Other | Kind::Run);
            if is_kept && piece.doubt.is_none() {
                piece.doubt = Some(reason);
            }
        }
    }
}
