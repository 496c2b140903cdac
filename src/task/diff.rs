//! What differs between two inputs, key by key.
//!
//! Of the first, 32 bytes a key are held: fingerprints of key and value, the place, the expiry. The
//! second is read against that; keys are read again only where they differ. A log is replayed first
//! and compared as what the server would save.

use std::collections::{BTreeMap, BTreeSet};

use crate::bytes::Step;
use crate::command::Like;
use crate::error::{Error, ErrorKind, Place, Result, What};
use crate::io::ordered::{Piece, Pieces, Wanted, ordered};
use crate::io::source::{Content, Map};
use crate::keyspace::digest::FullDigest;
use crate::keyspace::library_name;
use crate::rdb::Scratch;
use crate::rdb::batch::{Batch, Batches};
use crate::rdb::parser::{RdbParser, State};
use crate::rdb::string;
use crate::rdb::value::{count, walk};
use crate::record::filter::{Filter, FilterOptions};
use crate::record::room::Room;
use crate::record::{DataType, Entry, Flow, RdbType, Record};
use crate::report::diff::{Change, Difference, LibraryDifference, Side};
use crate::report::finding::{Finding, Findings};
use crate::task::open::{self, Dumpable};
use crate::task::replay::{self, ReplayOptions};
use crate::task::{InputPath, Run};

/// What to compare.
#[derive(Clone, Debug, Default)]
pub struct DiffOptions {
    /// The server that logs are replayed as; else the one that each seems to be of.
    pub like: Option<Like>,
    /// The time by which expiries are judged, Unix ms.
    pub now: Option<i64>,
    /// Which keys are compared.
    pub filter: FilterOptions,
}

/// What a comparison came to.
#[derive(Clone, Debug, Default)]
pub struct DiffOutcome {
    /// Keys in both that are the same.
    pub same: u64,
    /// Keys only in the second.
    pub added: u64,
    /// Keys only in the first.
    pub removed: u64,
    /// Keys whose values differ.
    pub changed: u64,
    /// Keys that differ in their expiry alone.
    pub expiry: u64,
    /// Function libraries that differ, by name; they are compared where all keys are.
    pub libraries: Vec<LibraryDifference>,
    /// What is wrong with the first and the second input.
    pub findings: [Findings; 2],
    /// Whether all of both was read.
    pub complete: bool,
}

impl DiffOutcome {
    /// Keys and function libraries that differ.
    pub fn differences(&self) -> u64 {
        let keys = self.added + self.removed + self.changed + self.expiry;
        keys + self.libraries.len() as u64
    }
}

/// Compares two inputs, and tells each difference: those of the second input in its order, then what
/// only the first has, in that one's order.
///
/// # Errors
/// Input that cannot be read or is neither snapshot nor log, or what `tell` returned. Damage is in the
/// outcome, and what stands before it was compared.
pub fn diff(
    inputs: [&InputPath; 2],
    options: &DiffOptions,
    run: &Run<'_>,
    mut tell: impl FnMut(&Difference) -> Result<()>,
) -> Result<DiffOutcome> {
    let filter = Filter::new(&options.filter)?;
    let [first, second] = inputs;
    if (first, second) == (&InputPath::Stdin, &InputPath::Stdin) {
        return Err(Error::usage("the standard input (-) can be read only once"));
    }
    let mut outcome = DiffOutcome {
        complete: true,
        ..DiffOutcome::default()
    };
    let old = Snapshot::open(first, options, run)?;
    let new = Snapshot::open(second, options, run)?;
    run.progress
        .size(Some((old.map.len() + new.map.len()) as u64));
    for (side, snapshot) in [&old, &new].into_iter().enumerate() {
        outcome.complete &= snapshot.complete;
        if let Some(findings) = outcome.findings.get_mut(side) {
            findings.append(snapshot.findings.clone());
        }
    }
    let mut index = Index::default();
    old.read(&filter, 0, run, &mut outcome, |prints| {
        // Four thousand million keys of 32 bytes are more than any machine's memory.
        let held = (index.prints.len() + prints.len()) as u64 * size_of::<Print>() as u64;
        if held > run.max_memory {
            let text = format!(
                "the index of the keys needs more than {} bytes",
                run.max_memory
            );
            return Err(Error::limit(text));
        }
        index.prints.extend(prints);
        Ok(())
    })?;
    index.sort();
    let mut again = Again::new(&old, &new);
    let mut told = DiffOutcome::default();
    new.read(&filter, 1, run, &mut outcome, |prints| {
        for print in prints {
            if let Some(difference) = index.compare(&print, &mut again, &mut told)? {
                tell(&difference)?;
            }
        }
        Ok(())
    })?;
    for print in index.unseen() {
        told.removed += 1;
        let side = again.side(Which::Old, &print)?;
        tell(&Difference {
            db: side.db,
            key: side.key.clone(),
            change: Change::Removed,
            old: Some(side),
            new: None,
        })?;
    }
    if filter.is_everything() && filter.limit().is_none() {
        outcome.libraries = compare_libraries(&libraries(&old.map)?, &libraries(&new.map)?);
    }
    Ok(DiffOutcome {
        same: told.same,
        added: told.added,
        removed: told.removed,
        changed: told.changed,
        expiry: told.expiry,
        ..outcome
    })
}

/// Function libraries by name: their sources.
type Libraries = BTreeMap<Vec<u8>, Vec<u8>>;

/// The function libraries of a snapshot, which stand in front of its keys. What is damaged ends them,
/// and is found among the keys as well.
fn libraries(map: &Map) -> Result<Libraries> {
    let mut found = Libraries::new();
    let mut parser = RdbParser::new();
    let mut rest: &[u8] = map;
    while let Ok(Step::Parsed { consumed, item }) = parser.parse(rest, true) {
        match item {
            Record::Header(_) | Record::Aux { .. } | Record::ModuleAux { .. } => {}
            Record::Function(source) => {
                let at = Place::at((map.len() - rest.len()) as u64);
                let source = source.to_bytes();
                let source = source.map_err(|problem| Error::bytes(problem, at, What::Function))?;
                let name = library_name(&source).unwrap_or_default().to_vec();
                found.insert(name, source.into_owned());
            }
            _ => break,
        }
        rest = rest.get(consumed..).unwrap_or_default();
    }
    Ok(found)
}

fn compare_libraries(old: &Libraries, new: &Libraries) -> Vec<LibraryDifference> {
    let names: BTreeSet<&Vec<u8>> = old.keys().chain(new.keys()).collect();
    let change = |name: &Vec<u8>| match (old.get(name), new.get(name)) {
        (None, _) => Some(Change::Added),
        (_, None) => Some(Change::Removed),
        (one, other) => (one != other).then_some(Change::Changed),
    };
    let differing = names.into_iter().filter_map(|name| {
        let (name, change) = (name.clone(), change(name)?);
        Some(LibraryDifference { name, change })
    });
    differing.collect()
}

/// An input as a snapshot at hand.
struct Snapshot {
    map: Map,
    findings: Findings,
    complete: bool,
}

impl Snapshot {
    fn open(input: &InputPath, options: &DiffOptions, run: &Run<'_>) -> Result<Snapshot> {
        // Of two inputs the one that is meant is named.
        Snapshot::of(input, options, run).map_err(|error| match input {
            InputPath::File(path) => error.in_file(path),
            InputPath::Stdin => error,
        })
    }

    fn of(input: &InputPath, options: &DiffOptions, run: &Run<'_>) -> Result<Snapshot> {
        let content = match open::dumpable(input, run)? {
            Dumpable::Snapshot(content) => content,
            Dumpable::Logs(logs) => {
                let options = ReplayOptions {
                    like: options.like,
                    now: options.now,
                    ..ReplayOptions::default()
                };
                let replayed = replay::of_logs(logs, &options, run)?;
                return Ok(Snapshot {
                    map: replay::spooled(&replayed.keyspace, run)?,
                    complete: replayed.report.complete,
                    findings: replayed.report.all_findings(),
                });
            }
        };
        let map = match content {
            Content::Map(map) => map,
            Content::Stream(mut stream) => open::spooled(&mut stream, run.max_spool)?,
        };
        Ok(Snapshot {
            map,
            findings: Findings::default(),
            complete: true,
        })
    }

    /// Takes the prints of all keys asked for, in the order of the file.
    fn read(
        &self,
        filter: &Filter,
        side: usize,
        run: &Run<'_>,
        outcome: &mut DiffOutcome,
        mut take: impl FnMut(Vec<Print>) -> Result<()>,
    ) -> Result<()> {
        let mut batches = Batches::of_map(&self.map);
        let mut ended = false;
        let next = move || {
            if ended {
                return None;
            }
            let next = batches.next_batch();
            ended = next.is_err();
            next.transpose()
        };
        let work = |reader: &mut Reader<'_>, job: Result<Batch<'_>>, _: &mut Pieces<'_>| match job {
            Ok(batch) => reader.batch(&batch),
            Err(error) => (Vec::new(), Some(error)),
        };
        let mut failed = None;
        let mut damage = None;
        ordered(
            run.threads,
            next,
            || Reader::new(filter),
            work,
            |piece| {
                let Piece::Done((prints, error)) = piece else {
                    return (Wanted::More, None);
                };
                if let Some(last) = prints.last() {
                    run.progress.at(last.at);
                }
                if let Err(error) = take(prints) {
                    failed = Some(error);
                    return (Wanted::Nothing, None);
                }
                match error {
                    Some(error) => {
                        damage = Some(error);
                        (Wanted::Nothing, None)
                    }
                    None => (Wanted::More, None),
                }
            },
        );
        if let Some(error) = failed {
            return Err(error);
        }
        let Some(error) = damage else {
            return Ok(());
        };
        let at = error.place().map_or(0, |place| place.offset);
        let Some(finding) = Finding::from_error(&error, at) else {
            return Err(error);
        };
        outcome.complete = false;
        if let Some(findings) = outcome.findings.get_mut(side) {
            findings.push(finding);
        }
        Ok(())
    }
}

/// What is held of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Print {
    /// Of database and name.
    key: u64,
    /// Of database, name and value.
    value: u64,
    /// Where its record stands.
    at: u64,
    /// Its expiry, Unix ms; [`NEVER`] for none.
    expires_at: i64,
}

/// Stands for no expiry; no server lets a key have this time.
const NEVER: i64 = i64::MIN;

fn print(entry: &Entry<'_>, scratch: &mut Scratch) -> Result<Print> {
    let name = entry
        .key
        .to_bytes()
        .map_err(|problem| Error::bytes(problem, Place::at(entry.at), What::Key))?;
    let short = |digest: crate::keyspace::digest::Digest| {
        let mut eight = [0; 8];
        for (to, from) in eight.iter_mut().zip(digest.0) {
            *to = from;
        }
        u64::from_be_bytes(eight)
    };
    let key = FullDigest::new(entry.db, &name, None).finish();
    let mut value = FullDigest::new(entry.db, &name, None);
    match entry.value.rdb_type.data_type() {
        DataType::Module | DataType::Array | DataType::Cron | DataType::Json => {
            value.raw(entry.value.rdb_type, entry.value.bytes);
        }
        _ => walk(&entry.value, scratch, &mut value)
            .map_err(|error| error.in_key(entry.db, &name))?,
    }
    Ok(Print {
        key: short(key),
        value: short(value.finish()),
        at: entry.at,
        expires_at: entry.expires_at.unwrap_or(NEVER),
    })
}

struct Reader<'f> {
    filter: &'f Filter,
    scratch: Scratch,
    room: Room,
}

impl<'f> Reader<'f> {
    fn new(filter: &'f Filter) -> Self {
        Reader {
            filter,
            scratch: Scratch::default(),
            room: Room::default(),
        }
    }

    fn batch(&mut self, batch: &Batch<'_>) -> (Vec<Print>, Option<Error>) {
        let mut prints = Vec::new();
        if batch.run.is_some() {
            let text = "snapshots with compressed runs of records cannot be compared";
            return (
                prints,
                Some(Error::new(ErrorKind::Unsupported(text.into()))),
            );
        }
        self.scratch.templates = std::sync::Arc::clone(batch.state().templates());
        let result = batch.for_each(|record| {
            let Record::Entry(entry) = record else {
                return Ok(Flow::Continue);
            };
            let scratch = &mut self.scratch;
            let wanted = self.filter.is_everything()
                || self.filter.matches(entry, &mut self.room, || {
                    count::elements(&entry.value, scratch)
                })?;
            if wanted {
                prints.push(print(entry, &mut self.scratch)?);
            }
            Ok(Flow::Continue)
        });
        (prints, result.err())
    }
}

/// The keys of the first input.
#[derive(Default)]
struct Index {
    prints: Vec<Print>,
    seen: Vec<bool>,
}

impl Index {
    fn sort(&mut self) {
        self.prints.sort_unstable();
        self.seen = vec![false; self.prints.len()];
    }

    fn compare(
        &mut self,
        print: &Print,
        again: &mut Again<'_>,
        told: &mut DiffOutcome,
    ) -> Result<Option<Difference>> {
        let start = self.prints.partition_point(|own| own.key < print.key);
        let alike = self.prints.iter().enumerate().skip(start);
        let alike = alike.take_while(|(_, own)| own.key == print.key);
        let mut new = None;
        for (index, own) in alike {
            let same_value = own.value == print.value;
            if same_value && own.expires_at == print.expires_at {
                if let Some(seen) = self.seen.get_mut(index) {
                    *seen = true;
                }
                told.same += 1;
                return Ok(None);
            }
            let new = match &new {
                Some(new) => new,
                None => new.insert(again.side(Which::New, print)?),
            };
            let old = again.side(Which::Old, own)?;
            if (old.db, &old.key) != (new.db, &new.key) {
                continue;
            }
            if let Some(seen) = self.seen.get_mut(index) {
                *seen = true;
            }
            let change = match same_value {
                true => Change::Expiry,
                false => Change::Changed,
            };
            match same_value {
                true => told.expiry += 1,
                false => told.changed += 1,
            }
            return Ok(Some(Difference {
                db: new.db,
                key: new.key.clone(),
                change,
                old: Some(old),
                new: Some(new.clone()),
            }));
        }
        told.added += 1;
        let new = match new {
            Some(new) => new,
            None => again.side(Which::New, print)?,
        };
        Ok(Some(Difference {
            db: new.db,
            key: new.key.clone(),
            change: Change::Added,
            old: None,
            new: Some(new),
        }))
    }

    /// Those that the second input has not, in the order of the first.
    fn unseen(&self) -> Vec<Print> {
        let both = self.prints.iter().zip(&self.seen);
        let mut unseen: Vec<_> = both.filter(|(_, seen)| !**seen).map(|(p, _)| *p).collect();
        unseen.sort_unstable_by_key(|print| print.at);
        unseen
    }
}

#[derive(Clone, Copy)]
enum Which {
    Old,
    New,
}

/// Reads single records again.
struct Again<'s> {
    old: &'s Snapshot,
    new: &'s Snapshot,
    /// Where databases begin: offset and number, of each input.
    dbs: [Vec<(u64, State)>; 2],
    scratch: Scratch,
}

impl<'s> Again<'s> {
    fn new(old: &'s Snapshot, new: &'s Snapshot) -> Self {
        Again {
            old,
            new,
            dbs: [states(&old.map), states(&new.map)],
            scratch: Scratch::default(),
        }
    }

    fn side(&mut self, which: Which, print: &Print) -> Result<Side> {
        let (snapshot, states) = match which {
            Which::Old => (self.old, &self.dbs[0]),
            Which::New => (self.new, &self.dbs[1]),
        };
        let behind = states.partition_point(|(at, _)| *at <= print.at);
        let state = states.get(behind.saturating_sub(1)).map(|(_, state)| state);
        let start = usize::try_from(print.at).unwrap_or(usize::MAX);
        let bytes = snapshot.map.get(start..).unwrap_or_default();
        let mut side = None;
        let state = state.cloned().unwrap_or_default();
        self.scratch.templates = std::sync::Arc::clone(state.templates());
        let batch = Batch::of_records(bytes, print.at, state);
        batch.for_each(|record| {
            let Record::Entry(entry) = record else {
                return Ok(Flow::Continue);
            };
            let key = entry
                .key
                .to_bytes()
                .map_err(|problem| Error::bytes(problem, Place::at(entry.at), What::Key))?;
            side = Some(Side {
                db: entry.db,
                key: key.into_owned(),
                of: entry.value.rdb_type.data_type(),
                elements: match string::stored(entry.value.bytes) {
                    Ok((_, stored)) if entry.value.rdb_type == RdbType::String => stored.len(),
                    _ => count::elements(&entry.value, &mut self.scratch)?,
                },
                bytes: entry.value.bytes.len() as u64,
                expires_at: entry.expires_at,
            });
            Ok(Flow::Stop)
        })?;
        side.ok_or_else(|| {
            let text = "a record that was read is not there any more";
            Error::new(ErrorKind::Io(std::io::Error::other(text)))
        })
    }
}

/// The states in which batches begin: enough to read any record again.
fn states(data: &[u8]) -> Vec<(u64, State)> {
    let mut states: Vec<(u64, State)> = Vec::new();
    let mut batches = Batches::of_map(data);
    while let Ok(Some(batch)) = batches.next_batch() {
        // That behind the batch: before the first one the header was not read.
        let state = batches.state().clone();
        let mut db = None;
        let _ = batch.for_each(|record| {
            if let Record::Entry(entry) = record
                && db != Some(entry.db)
            {
                db = Some(entry.db);
                states.push((entry.at, state.at_db(entry.db)));
            }
            Ok(Flow::Continue)
        });
    }
    states
}
