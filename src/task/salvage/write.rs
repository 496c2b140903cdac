//! Writes what was saved, and lists what was not.

use std::collections::BTreeMap;

use crate::bytes::Step;
use crate::error::Result;
use crate::io::decompress;
use crate::io::output::Output;
use crate::io::source::Behind;
use crate::rdb::parser::RdbParser;
use crate::rdb::string;
use crate::rdb::string::Compress;
use crate::rdb::writer::RdbWriter;
use crate::record::types::{RdbType, RdbVersion};
use crate::record::{Record, Stored};
use crate::report::json_report;
use crate::report::salvage::{LostPlace, Reason, SavedDb};
use crate::task::salvage::ledger::{Kind, Piece};
use crate::task::salvage::survey::Survey;
use crate::task::salvage::walk::decoded;

/// Lowest version that says how many keys a database has.
const RESIZE_SINCE: u32 = 7;
/// Bytes that are copied at a time.
const CHUNK: usize = 1 << 20;

/// Keys of each database that are to be written.
pub(super) fn saved(survey: &Survey<'_>) -> BTreeMap<u32, SavedDb> {
    let mut dbs: BTreeMap<u32, SavedDb> = BTreeMap::new();
    let mut run_is_saved = true;
    for piece in survey.ledger.pieces() {
        match piece.kind {
            Kind::Run => run_is_saved = piece.saved,
            Kind::Resize { keys, .. } => {
                dbs.entry(piece.db).or_default().announced = Some(keys);
            }
            _ => {}
        }
        if piece.saved && (piece.run.is_none() || run_is_saved) {
            let (keys, expires) = piece.keys();
            if keys > 0 {
                let db = dbs.entry(piece.db).or_default();
                db.keys += keys;
                db.expires += expires;
            }
        }
    }
    dbs
}

/// Writes the snapshot.
///
/// # Errors
/// The output cannot be written.
pub(super) fn write<'a>(
    survey: &'a Survey<'_>,
    version: RdbVersion,
    dbs: &'a BTreeMap<u32, SavedDb>,
    max_spool: u64,
    to: &'a mut Output,
) -> Result<()> {
    let mut writing = Writing {
        writer: RdbWriter::new(version, Compress::Never),
        to,
        behind: Behind::new(Some(survey.map)),
        dbs,
        resize: version.number >= RESIZE_SINCE,
        db: None,
        told: Vec::new(),
    };
    let mut pieces = survey.ledger.pieces();
    while let Some((first, rest)) = pieces.split_first() {
        pieces = rest;
        if let Kind::Run = first.kind {
            let inside = rest
                .iter()
                .take_while(|piece| piece.run == Some(first.start));
            let (inner, behind) = rest.split_at(inside.count());
            pieces = behind;
            if first.saved {
                writing.run(survey, first, inner, max_spool)?;
            }
            continue;
        }
        if first.saved {
            writing.piece(first, bytes(survey.data, first))?;
        }
    }
    writing.writer.end();
    writing.flush()
}

struct Writing<'a> {
    writer: RdbWriter,
    to: &'a mut Output,
    behind: Behind<'a>,
    dbs: &'a BTreeMap<u32, SavedDb>,
    resize: bool,
    db: Option<u32>,
    told: Vec<u32>,
}

impl Writing<'_> {
    fn piece(&mut self, piece: &Piece, bytes: &[u8]) -> Result<()> {
        if matches!(piece.kind, Kind::Keys { .. } | Kind::Run) && self.db != Some(piece.db) {
            self.select(piece.db);
        }
        let mut at = piece.start;
        for chunk in bytes.chunks(CHUNK) {
            self.writer.append(chunk);
            at += chunk.len() as u64;
            if piece.run.is_none() {
                self.behind.reach(at);
            }
            if self.writer.len() >= CHUNK {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn select(&mut self, db: u32) {
        self.db = Some(db);
        match self.dbs.get(&db) {
            Some(counts) if self.resize && !self.told.contains(&db) => {
                self.writer.select(db, Some((counts.keys, counts.expires)));
                self.told.push(db);
            }
            _ => self.writer.select(db, None),
        }
    }

    /// A compressed run: as it is where all of it is whole, else what is whole of it, decompressed.
    fn run(
        &mut self,
        survey: &Survey<'_>,
        outer: &Piece,
        inner: &[Piece],
        max_spool: u64,
    ) -> Result<()> {
        if inner.iter().all(|piece| piece.saved) {
            return self.piece(outer, bytes(survey.data, outer));
        }
        let Some(run) = decompressed(survey, outer, max_spool)? else {
            return Ok(());
        };
        for piece in inner.iter().filter(|piece| piece.saved) {
            self.piece(piece, bytes(&run, piece))?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let to = &mut *self.to;
        self.writer.take(|bytes| to.write_all(bytes))
    }
}

fn bytes<'d>(data: &'d [u8], piece: &Piece) -> &'d [u8] {
    let range = usize::try_from(piece.start)
        .ok()
        .zip(usize::try_from(piece.end).ok());
    range
        .and_then(|(start, end)| data.get(start..end))
        .unwrap_or_default()
}

fn decompressed(
    survey: &Survey<'_>,
    outer: &Piece,
    max_spool: u64,
) -> Result<Option<decompress::Run>> {
    let mut parser = RdbParser::resume(survey.state.at_db(0), outer.start);
    match parser.parse(bytes(survey.data, outer), true)? {
        Step::Parsed {
            item: Record::Run { codec, data },
            ..
        } => decoded(codec, data, max_spool),
        _ => Ok(None),
    }
}

/// Calls `each` with every place that was lost or is in doubt, in the order of the file.
///
/// # Errors
/// What `each` returned.
pub(super) fn places(
    survey: &Survey<'_>,
    mut each: impl FnMut(&LostPlace<'_>) -> Result<()>,
) -> Result<()> {
    for piece in survey.ledger.pieces() {
        let (doubtful, reason) = match (piece.kind, piece.doubt) {
            (Kind::Lost(reason), _) => (false, reason),
            (Kind::Keys { .. } | Kind::Other | Kind::Run, Some(reason)) => (true, reason),
            _ => continue,
        };
        let keys = match reason {
            Reason::BadValue | Reason::Copy | Reason::Duplicate => 1,
            _ => piece.keys().0,
        };
        let named = match (piece.run, piece.kind) {
            (Some(_), _) => None,
            (None, Kind::Keys { keys: 1, .. } | Kind::Lost(_)) => name(survey, piece),
            _ => None,
        };
        let key = named.as_ref().and_then(|(_, key)| key.to_bytes().ok());
        each(&LostPlace {
            start: piece.start,
            end: piece.end,
            run: piece.run,
            doubtful,
            saved: piece.saved,
            reason,
            db: (reason != Reason::Database && reason != Reason::Header).then_some(piece.db),
            key: key.as_deref(),
            value_type: named.as_ref().map(|(rdb_type, _)| rdb_type.name()),
            keys,
        })?;
    }
    Ok(())
}

/// Type and key of the record that a piece begins with, as far as they can be read.
fn name<'d>(survey: &Survey<'d>, piece: &Piece) -> Option<(RdbType, Stored<'d>)> {
    use crate::rdb::parser::opcode;
    let mut rest = bytes(survey.data, piece);
    loop {
        let (&first, after) = rest.split_first()?;
        rest = match first {
            opcode::EXPIRETIME_MS => after.get(8..)?,
            opcode::EXPIRETIME => after.get(4..)?,
            opcode::FREQ => after.get(1..)?,
            opcode::IDLE => string::number(after).ok()?.0,
            opcode::AUX => string::stored(string::stored(after).ok()?.0).ok()?.0,
            _ => {
                let rdb_type = RdbType::from_number(first, survey.state.dialect()).ok()?;
                return Some((rdb_type, string::stored(after).ok()?.1));
            }
        };
    }
}

/// The list of what was lost or is in doubt, a line for each place.
///
/// # Errors
/// It cannot be written.
pub(super) fn list(survey: &Survey<'_>, to: &mut Output) -> Result<()> {
    places(survey, |place| {
        to.write_all(json_report::lost_place(place).as_bytes())?;
        to.write_all(b"\n")
    })
}
