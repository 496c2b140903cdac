//! A snapshot into a keyspace, on several threads.

use std::sync::Mutex;

use crate::bytes::Problem;
use crate::error::{Error, Hint, Place, Result, What};
use crate::io::ordered::{Piece, Pieces, Wanted, ordered};
use crate::keyspace::{self, Db, Held, Keyspace, Rules, Shard, Slot, shard_of, table};
use crate::rdb::Scratch;
use crate::rdb::batch::{Batch, Batches};
use crate::record::{Entry, Flow, Record};
use crate::replay::Memory;
use crate::report::Finding;
use crate::task::Run;

/// Reads a snapshot that is all at hand; what is damaged in it ends it, with what was before it in the
/// keyspace.
///
/// Where values may stay in the file, as those of a snapshot without fault may, `number` is that of
/// the file. One thread frames; the others decode what does not stay, and put each batch's keys into the part of the keyspace that
/// owns them, a part at a time.
///
/// # Errors
/// Not enough memory.
pub(super) fn load(
    into: &mut Keyspace,
    snapshot: &[u8],
    number: Option<u16>,
    run: &Run<'_>,
    mut reached: impl FnMut(u64),
) -> Result<Option<Finding>> {
    let memory = Memory::new(run.max_memory);
    let file = number.filter(|number| into.rules.files.has(*number));
    let damage = read(into, snapshot, file, run.threads, &memory, &mut reached)?;
    let twice = damage
        .as_ref()
        .is_some_and(|d| matches!(d.code, "rdb-duplicate-key"));
    if twice && run.threads > 1 {
        // Which of the two came first is a matter of order.
        into.shards_mut().iter_mut().for_each(Shard::clear);
        return read(into, snapshot, file, 1, &memory, &mut reached);
    }
    Ok(damage)
}

fn read(
    into: &mut Keyspace,
    snapshot: &[u8],
    file: Option<u16>,
    threads: usize,
    memory: &Memory,
    reached: &mut impl FnMut(u64),
) -> Result<Option<Finding>> {
    let mut batches = Batches::of_map(snapshot);
    let (rules, shards, functions) = into.split();
    let shards: Vec<Mutex<&mut Shard>> = shards.iter_mut().map(Mutex::new).collect();
    let loader = Loader {
        rules,
        file,
        shards: &shards,
        memory,
    };
    let mut ended = false;
    let next = move || {
        if ended {
            return None;
        }
        let next = batches.next_batch();
        ended = next.is_err();
        next.transpose()
    };
    let work = |worker: &mut Worker, job: Result<Batch<'_>>, _: &mut Pieces<'_>| match job {
        Ok(batch) => loader.batch(worker, &batch),
        Err(error) => Loaded {
            failed: Some(error),
            ..Loaded::default()
        },
    };
    let mut failed: Option<Error> = None;
    ordered(
        threads,
        next,
        || Worker::new(shards.len()),
        work,
        |piece| {
            let Piece::Done(loaded) = piece else {
                return (Wanted::More, None);
            };
            for source in loaded.functions {
                let name = keyspace::library_name(&source).unwrap_or_default().to_vec();
                functions.insert(name, source);
            }
            reached(loaded.end);
            match loaded.failed {
                Some(error) => {
                    failed.get_or_insert(error);
                    (Wanted::Nothing, None)
                }
                None => (Wanted::More, None),
            }
        },
    );
    let Some(error) = failed else {
        return Ok(None);
    };
    let at = error.place().map_or(0, |place| place.offset);
    match Finding::from_error(&error, at) {
        Some(finding) => Ok(Some(finding)),
        None => Err(error),
    }
}

/// What a batch came to.
#[derive(Default)]
struct Loaded {
    functions: Vec<Vec<u8>>,
    end: u64,
    failed: Option<Error>,
}

/// Room of a thread.
struct Worker {
    scratch: Scratch,
    /// Keys of the batch by the part that owns them.
    parts: Vec<Vec<Read>>,
}

/// A key that was read.
struct Read {
    hash: u64,
    db: u32,
    at: u64,
    slot: Slot,
}

impl Worker {
    fn new(parts: usize) -> Self {
        Worker {
            scratch: Scratch::default(),
            parts: (0..parts).map(|_| Vec::new()).collect(),
        }
    }
}

struct Loader<'k> {
    rules: &'k Rules,
    /// The file that values may stay in.
    file: Option<u16>,
    shards: &'k [Mutex<&'k mut Shard>],
    memory: &'k Memory,
}

impl Loader<'_> {
    fn batch(&self, worker: &mut Worker, batch: &Batch<'_>) -> Loaded {
        let mut loaded = Loaded {
            end: match batch.run {
                None => batch.at + batch.block.len() as u64,
                Some(at) => at,
            },
            ..Loaded::default()
        };
        // What the batch becomes is seen behind it: compressed strings grow.
        let wanted = batch.block.len() as u64 * 2;
        if self.memory.check().is_err() || self.memory.claim(wanted).is_err() {
            let text = "the keyspace needs more memory than it may have";
            let error = Error::limit(text).with_hint(Hint::Other("`--max-memory` sets this limit"));
            loaded.failed = Some(error);
            return loaded;
        }
        worker.scratch.templates = std::sync::Arc::clone(batch.state().templates());
        let result = batch.for_each(|record| {
            match record {
                Record::Entry(entry) => self.entry(worker, entry, batch.run.is_none())?,
                Record::Function(source) => {
                    let source = source
                        .to_bytes()
                        .map_err(|p| Error::bytes(p, Place::at(batch.at), What::Function))?;
                    loaded.functions.push(source.into_owned());
                }
                _ => {}
            }
            Ok(Flow::Continue)
        });
        let put = self.put(worker);
        loaded.failed = result.err().or(put.err());
        loaded
    }

    fn entry(&self, worker: &mut Worker, entry: &Entry<'_>, in_place: bool) -> Result<()> {
        let file = self.file.filter(|_| in_place);
        let value = match file.and_then(|file| Held::stored(&entry.value, file)) {
            Some(held) => Some(held),
            None => {
                let value = keyspace::load(&entry.value, &mut worker.scratch, self.rules)?;
                value.map(Held::from)
            }
        };
        // A collection without elements is left out.
        let Some(value) = value else {
            return Ok(());
        };
        let mut text = itoa::Buffer::new();
        let key = worker.scratch.key(entry.key, entry.at)?.bytes(&mut text);
        let hash = table::hash(key);
        let read = Read {
            hash,
            db: entry.db,
            at: entry.at,
            slot: Slot::new(key, value, entry.expires_at),
        };
        if let Some(part) = worker.parts.get_mut(shard_of(hash, self.shards.len())) {
            part.push(read);
        }
        Ok(())
    }

    /// Puts what was read where it belongs.
    fn put(&self, worker: &mut Worker) -> Result<()> {
        let mut twice = None;
        for (part, shard) in worker.parts.iter_mut().zip(self.shards) {
            if part.is_empty() {
                continue;
            }
            let mut shard = shard
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            for Read { hash, db, at, slot } in part.drain(..) {
                let keys: &mut Db = shard.db_mut(db);
                if keys.find_hashed(hash, slot.name()).is_none() {
                    keys.add_hashed(hash, slot);
                    continue;
                }
                let error = Error::bytes(Problem::DuplicateKey, Place::at(at), What::Key);
                let error = error.in_key(db, slot.name());
                if twice.as_ref().is_none_or(|(first, _)| at < *first) {
                    twice = Some((at, error));
                }
            }
        }
        twice.map_or(Ok(()), |(_, error)| Err(error))
    }
}
