//! One key of a snapshot.

use crate::error::{Error, ErrorKind, Result};
use crate::io::ordered::{Chunk, Pieces, Wanted};
use crate::rdb::Scratch;
use crate::rdb::batch::Batches;
use crate::record::filter::{Filter, FilterOptions};
use crate::record::room::Room;
use crate::record::{Flow, Record};
use crate::report::json::JsonRecords;
use crate::task::dump::{ChunkSink, DumpOptions, json_options, named};
use crate::task::open::{self, Unrecognised};
use crate::task::{InputPath, Run};

/// Writes the first key of this name in this database as [`dump`](crate::task::dump::dump) does, and
/// stops there; false where there is none.
///
/// # Errors
/// Input that cannot be read or is no snapshot; damage that stands before the key or in its value;
/// output that fails.
pub fn get(
    input: &InputPath,
    key: &[u8],
    db: u32,
    options: &DumpOptions,
    run: &Run<'_>,
    out: &mut dyn ChunkSink,
) -> Result<bool> {
    let (_, mut content) = open::snapshot(input, run, Unrecognised::Refused)?;
    let mut batches = Batches::of_content(&mut content, run.max_spool);
    let mut json = JsonRecords::new(json_options(
        &DumpOptions {
            document: false,
            ..options.clone()
        },
        Some(run),
    ));
    let mut scratch = Scratch::default();
    let asked = FilterOptions {
        keys: vec![literally(key)],
        dbs: vec![db],
        ..FilterOptions::default()
    };
    let (filter, mut room) = (Filter::new(&asked)?, Room::default());
    let mut failed = None;
    let mut write = |chunk: Chunk| match out.chunk(&chunk) {
        Ok(()) => Wanted::More,
        Err(error) => {
            failed.get_or_insert(error);
            Wanted::Nothing
        }
    };
    let mut pieces = Pieces::direct(&mut write);
    let mut found = false;
    while !found && let Some(batch) = batches.next_batch()? {
        scratch.templates = std::sync::Arc::clone(batch.state().templates());
        let result = batch.for_each(|record| {
            let Record::Entry(entry) = record else {
                return Ok(Flow::Continue);
            };
            if !filter.matches(entry, &mut room, || Ok(0))? {
                return Ok(Flow::Continue);
            }
            found = true;
            match json.entry(entry, &mut scratch, &mut pieces) {
                Ok(()) => Ok(Flow::Stop),
                Err(error) if matches!(error.kind(), ErrorKind::Bytes(_)) => {
                    Err(named(entry, error))
                }
                Err(error) => Err(error),
            }
        });
        run.progress.at(batch.at);
        if let Err(error) = result {
            return Err(failed.unwrap_or(error));
        }
    }
    json.take(&mut pieces);
    match failed {
        Some(error) => Err::<bool, Error>(error),
        None => Ok(found),
    }
}

/// The pattern that only this name matches.
fn literally(key: &[u8]) -> Vec<u8> {
    key.iter().flat_map(|&b| [b'\\', b]).collect()
}
