//! One key of a snapshot, or of what a log comes to.

use crate::error::{Error, ErrorKind, Result};
use crate::io::ordered::{Chunk, Pieces, Wanted};
use crate::io::source::Content;
use crate::io::spool::SpoolFile;
use crate::keyspace::{Keyspace, save};
use crate::rdb::Scratch;
use crate::rdb::batch::Batches;
use crate::record::filter::{Filter, FilterOptions};
use crate::record::room::Room;
use crate::record::{Flow, Record};
use crate::report::Findings;
use crate::report::json::JsonRecords;
use crate::task::dump::{ChunkSink, DumpOptions, json_options, named};
use crate::task::open::{self, Dumpable};
use crate::task::replay;
use crate::task::{InputPath, Run};

/// What came of looking for a key.
#[derive(Clone, Debug, Default)]
pub struct Got {
    /// Whether it is there.
    pub found: bool,
    /// What is wrong with a log; damage of a snapshot is an error.
    pub findings: Findings,
}

/// Writes the first key of this name in this database as [`dump`](crate::task::dump::dump) does. Of a
/// snapshot no more is read than that; a log is replayed, as far as a server would.
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
) -> Result<Got> {
    let mut content = match open::dumpable(input, run)? {
        Dumpable::Snapshot(content) => content,
        Dumpable::Logs(logs) => {
            let replayed = replay::of_logs(logs, &options.replay(), run)?;
            let found = one_of(&replayed.keyspace, db, key, options, run)?;
            if let Some(json) = &found {
                out.chunk(json)?;
            }
            return Ok(Got {
                found: found.is_some(),
                findings: replayed.report.all_findings(),
            });
        }
    };
    Ok(Got {
        found: of_content(&mut content, key, db, options, run, out)?,
        findings: Findings::default(),
    })
}

/// One key of a keyspace, as JSON; none where it is not there.
///
/// # Errors
/// A value that cannot be written.
pub fn one_of(
    keyspace: &Keyspace,
    db: u32,
    key: &[u8],
    options: &DumpOptions,
    run: &Run<'_>,
) -> Result<Option<Vec<u8>>> {
    let Some(slot) = keyspace.get(db, key) else {
        return Ok(None);
    };
    let mut file = SpoolFile::new(u64::MAX)?;
    save::save_one(&keyspace.rules, db, slot, |bytes| file.write_all(bytes))?;
    let mut content = Content::Map(file.map()?);
    let mut json = Text(Vec::new());
    let found = of_content(&mut content, key, db, options, run, &mut json)?;
    Ok(found.then_some(json.0))
}

/// Text that is held.
struct Text(Vec<u8>);

impl ChunkSink for Text {
    fn chunk(&mut self, chunk: &[u8]) -> Result<()> {
        self.0.extend_from_slice(chunk);
        Ok(())
    }
}

fn of_content(
    content: &mut Content,
    key: &[u8],
    db: u32,
    options: &DumpOptions,
    run: &Run<'_>,
    out: &mut dyn ChunkSink,
) -> Result<bool> {
    let mut batches = Batches::of_content(content, run.max_spool);
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
