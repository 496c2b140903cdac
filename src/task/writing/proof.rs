//! Proves that what was written is what was meant, by reading it back.
//!
//! Both sides are summed, by the full digest or a quick sum that never leaves the program, as far as the
//! target can hold what is told: streams before Redis 7.0 have no counters, hashes may have been written
//! without the expiry of fields.

use crate::aof::resp::{self, Item};
use crate::bytes::Problem;
use crate::encoding::crc64;
use crate::error::{Error, ErrorKind, Hint, Place, Result, What};
use crate::io::ordered::{Piece, Pieces, Wanted, ordered};
use crate::keyspace::Keyspace;
use crate::keyspace::digest::{self, Detail, Digest};
use crate::rdb::Scratch;
use crate::rdb::batch::{Batch, Batches};
use crate::record::{Checksum, Flow, Record};
use crate::replay::{Stopped, Why, play};
use crate::task::Run;
use crate::task::writing::maker::{
    Summing, is_vectors, quick_value, sum_entry, sum_value, vectors_sum,
};
use crate::task::writing::print::Quick;
use crate::write::Format;

/// The sum of keys and function libraries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    /// The full digest of all but what is in `vectors`.
    pub(crate) full: Digest,
    /// The same of keys that are summed quickly.
    pub(crate) quick: Quick,
    /// The servers' own digest of vector sets that are made anew by commands.
    pub(crate) vectors: Digest,
}

impl Sum {
    /// Adds another.
    pub(crate) fn join(&mut self, other: Sum) {
        self.full.join(other.full);
        self.quick.join(other.quick);
        self.vectors.join(other.vectors);
    }

    /// Adds a function library.
    pub(crate) fn function(&mut self, source: &[u8]) {
        self.full.join(digest::function(source));
    }
}

/// What of a value a target can hold.
pub(super) fn detail(format: &Format, field_expiry: bool) -> Detail {
    Detail {
        field_expiry,
        counters: format.has_stream_counters(),
        producers: format.has_producers(),
    }
}

/// The sum of a keyspace.
fn of_keyspace(keyspace: &Keyspace, format: &Format, summing: Summing) -> Result<Sum> {
    let mut sum = Sum::default();
    for source in keyspace.functions.values() {
        sum.function(source);
    }
    let mut scratch = Scratch::default();
    let detail = detail(format, true);
    for db in keyspace.dbs() {
        for slot in keyspace.keys(db) {
            let (name, expires_at) = (slot.name(), slot.expires_at());
            let value = slot.value.look(&keyspace.rules, &mut scratch)?;
            if is_vectors(&value) {
                let vectors = vectors_sum(db, name, expires_at, &value, format)?;
                sum.vectors.join(vectors);
            } else if summing == Summing::Full {
                let full = sum_value(db, name, expires_at, &value, detail)?;
                sum.full.join(full);
            } else {
                let quick = quick_value(db, name, expires_at, &value, detail)?;
                sum.quick.join(quick);
            }
        }
    }
    Ok(sum)
}

/// The sum of a snapshot that was written, whose checksum is tried as well; and where it ends.
pub(crate) fn of_snapshot(data: &[u8], format: &Format, run: &Run<'_>) -> Result<(Sum, u64)> {
    let mut batches = Batches::of_map(data);
    let mut ended = false;
    let next = move || {
        if ended {
            return None;
        }
        let next = batches.next_batch();
        ended = next.is_err();
        next.transpose()
    };
    let work = |scratch: &mut Scratch, job: Result<Batch<'_>>, _: &mut Pieces<'_>| {
        job.and_then(|batch| Part::of(&batch, scratch, format))
    };
    let mut all = Part::default();
    let mut failed = None;
    ordered(run.threads, next, Scratch::default, work, |piece| {
        let Piece::Done(part) = piece else {
            return (Wanted::More, None);
        };
        match part {
            Ok(part) => {
                all.sum.join(part.sum);
                all.crc = crc64::combine(all.crc, part.crc, part.summed);
                all.end = part.end;
                all.checksum = all.checksum.or(part.checksum);
                (Wanted::More, None)
            }
            Err(error) => {
                failed.get_or_insert(error);
                (Wanted::Nothing, None)
            }
        }
    });
    if let Some(error) = failed {
        return Err(error);
    }
    if let Some(Checksum::Stored(stored)) = all.checksum
        && stored != all.crc
    {
        let computed = all.crc;
        let problem = Problem::Checksum { stored, computed };
        return Err(Error::bytes(problem, Place::at(all.end), What::Checksum));
    }
    Ok((all.sum, all.end))
}

/// What a stretch of records comes to.
#[derive(Default)]
struct Part {
    sum: Sum,
    crc: u64,
    summed: u64,
    end: u64,
    checksum: Option<Checksum>,
}

impl Part {
    fn of(batch: &Batch<'_>, scratch: &mut Scratch, format: &Format) -> Result<Part> {
        let summed = batch.block.get(..batch.summed).unwrap_or_default();
        let mut part = Part {
            crc: crc64::checksum(summed),
            summed: summed.len() as u64,
            end: batch.at + batch.block.len() as u64,
            ..Part::default()
        };
        batch.for_each(|record| {
            match record {
                Record::Entry(entry) => {
                    let named = |problem| Error::bytes(problem, Place::at(entry.at), What::Key);
                    let key = entry.key.to_bytes().map_err(named)?;
                    let full = sum_entry(entry, &key, scratch, format, true)?;
                    part.sum.full.join(full);
                }
                Record::Function(source) => {
                    let named =
                        |problem| Error::bytes(problem, Place::at(batch.at), What::Function);
                    part.sum.function(&source.to_bytes().map_err(named)?);
                }
                Record::Eof(checksum) => part.checksum = Some(*checksum),
                _ => {}
            }
            Ok(Flow::Continue)
        })?;
        Ok(part)
    }
}

/// The sum of what commands come to, as the target runs them; they may stand in several pieces.
///
/// # Errors
/// A command that the target refuses, or memory that does not suffice.
pub(crate) fn of_commands(
    pieces: &[&[u8]],
    format: &Format,
    summing: Summing,
    run: &Run<'_>,
) -> Result<Sum> {
    let mut rules = format.rules.clone();
    rules.databases = u32::MAX;
    let shards = if run.threads > 1 { run.threads * 8 } else { 1 };
    let mut keyspace = Keyspace::new(rules, shards);
    let (result, played) = play(&mut keyspace, run.threads, run.max_memory, |player| {
        player.begin_file();
        let mut args = Vec::new();
        for piece in pieces {
            let mut rest: &[u8] = piece;
            while !rest.is_empty() {
                let at = (piece.len() - rest.len()) as u64;
                let Some(after) = resp::collect(rest, &mut args) else {
                    match resp::item(rest) {
                        Ok((after, Item::Annotation(text))) => {
                            player.annotation(text);
                            rest = after;
                        }
                        _ => return Err(refused(at)),
                    }
                    continue;
                };
                if let Err(stopped) = player.play(at, &args) {
                    return Err(stopped_at(&stopped));
                }
                rest = after;
            }
        }
        player.settle().map_err(|stopped| stopped_at(&stopped))
    });
    result?;
    if let Some(first) = played.listed.first() {
        let name = &first.note.name;
        let text = format!("{name} is refused as it is read back: {}", first.note.why);
        return Err(unlike(text));
    }
    of_keyspace(&keyspace, format, summing)
}

#[cold]
fn refused(at: u64) -> Error {
    unlike(format!("the command at {at} that was written is refused"))
}

#[cold]
fn stopped_at(stopped: &Stopped) -> Error {
    match stopped.why {
        Why::Memory(bytes) => Error::limit(format!(
            "reading back what was written needs {bytes} bytes more memory than there may be"
        ))
        .with_hint(Hint::Other("`--max-memory` sets this limit")),
        _ => refused(stopped.at),
    }
}

/// The error of an output that is not what was meant: it does not get its name.
#[cold]
pub(crate) fn unlike(text: String) -> Error {
    Error::new(ErrorKind::Unsupported(text)).with_hint(Hint::Other(
        "nothing was written; this is a fault of redkit: please report it",
    ))
}
