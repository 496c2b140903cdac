//! Logs, replayed.

use std::fmt;
use std::path::Path;

use crate::command::Like;
use crate::error::{Error, Result};
use crate::face::run;
use crate::face::value::{self, Value};
use crate::keyspace::digest;
use crate::rdb::Scratch;
use crate::record::Walk;
use crate::report::finding::Finding;
use crate::report::json::Select;
use crate::task::dump::DumpOptions;
use crate::task::replay::{ReplayOptions, Replayed, replay};
use crate::task::{InputPath, get};

/// Bytes that may be written to temporary files, unless the caller says otherwise.
const MAX_SPOOL: u64 = 10 << 30;

/// How an input is read and replayed; made by [`Options::default`] and changed from there.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The server to follow, as `redis-8.2`; without one the newest that the input names.
    pub like: Option<String>,
    /// Threads that work; the result does not depend on it. As many as the machine has cores.
    pub threads: usize,
    /// Bytes of memory that the process may have while keys are held; beyond it the replay ends with
    /// an error. No limit by default.
    pub max_memory: u64,
    /// Bytes that may be written to temporary files: 10 GiB.
    pub max_spool: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            like: None,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            max_memory: u64::MAX,
            max_spool: MAX_SPOOL,
        }
    }
}

/// What a server has once it has started on a snapshot, a log, or the set of files in a folder.
pub struct Replay {
    replayed: Replayed,
    findings: Vec<Finding>,
    options: Options,
}

impl Replay {
    /// Replays an input: a file, or the folder of a multi-part AOF.
    ///
    /// # Errors
    /// Input that cannot be read, or is neither snapshot nor log. Damage is no error: it is among the
    /// [findings](Self::findings), and what a server has of it is there.
    pub fn of(path: impl AsRef<Path>) -> Result<Replay> {
        Replay::with(path, &Options::default())
    }

    /// The same, as told.
    ///
    /// # Errors
    /// As [`of`](Self::of); a server that is not known; a limit that was reached.
    pub fn with(path: impl AsRef<Path>, options: &Options) -> Result<Replay> {
        let like = options.like.as_deref().map(|name| {
            name.parse::<Like>()
                .map_err(|_| Error::usage(format!("the server \"{name}\" is not known")))
        });
        let input = InputPath::File(path.as_ref().to_path_buf());
        let playing = ReplayOptions {
            like: like.transpose()?,
            ..ReplayOptions::default()
        };
        let replayed = replay(&input, &playing, &run(options))?;
        Ok(Replay {
            findings: replayed.report.all_findings().list().to_vec(),
            options: options.clone(),
            replayed,
        })
    }

    /// The value of a key; none where it is not there.
    ///
    /// # Errors
    /// A value that cannot be decoded.
    pub fn get(&self, db: u32, key: &[u8]) -> Result<Option<Value>> {
        let keyspace = &self.replayed.keyspace;
        let Some(slot) = keyspace.get(db, key) else {
            return Ok(None);
        };
        let mut scratch = Scratch::default();
        let found = slot.value.look(&keyspace.rules, &mut scratch)?;
        let json = || {
            let options = DumpOptions {
                select: Select::Values,
                ..DumpOptions::default()
            };
            let json = get::one_of(keyspace, db, key, &options, &run(&self.options))?;
            Ok(value::line(json.unwrap_or_default()))
        };
        value::whole(found.data_type(), |to| found.walk(to), json).map(Some)
    }

    /// When a key expires, as Unix time in ms.
    pub fn expires_at(&self, db: u32, key: &[u8]) -> Option<i64> {
        self.replayed.keyspace.get(db, key)?.expires_at()
    }

    /// The databases that have keys, in order.
    pub fn databases(&self) -> Vec<u32> {
        self.replayed.keyspace.dbs()
    }

    /// The keys of a database, sorted.
    pub fn keys(&self, db: u32) -> impl Iterator<Item = &[u8]> {
        let keys = self.replayed.keyspace.sorted_keys(db);
        keys.into_iter().map(|slot| slot.name())
    }

    /// Whether a server loads all of the input, so that this is all of it.
    pub fn is_complete(&self) -> bool {
        self.replayed.report.complete
    }

    /// Commands that were read.
    pub fn commands(&self) -> u64 {
        self.replayed.report.commands
    }

    /// Commands that had no effect, or not all of it: what a server answers with an error, and what
    /// cannot be replayed without one.
    pub fn refused(&self) -> u64 {
        self.replayed.report.refused
    }

    /// What was found wrong, at most 10,000 of it.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The digest of everything: keys, values, expiries, groups of streams, functions. Equal keyspaces
    /// have equal digests, whatever files they come from.
    ///
    /// # Errors
    /// A value that cannot be decoded.
    pub fn full_digest(&self) -> Result<String> {
        Ok(digest::full(&self.replayed.keyspace)?.to_string())
    }
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay")
            .field("keys", &self.replayed.report.keys())
            .field("commands", &self.commands())
            .field("complete", &self.is_complete())
            .finish_non_exhaustive()
    }
}
