//! Writes keys for a target server: as a snapshot, as a log with a snapshot in front, as a log of
//! commands, or as a set of files.
//!
//! ```text
//! source of keys --> Maker (worker threads) --> Assembler (in order) --> Destination
//! ```
//!
//! What was written is read back before it gets its name: see `proof`. Where a snapshot becomes
//! commands, each key is read back as it is written, and large ones are passed on in pieces: see `back`.

mod assembler;
mod back;
mod destination;
mod maker;
mod print;
pub(crate) mod proof;
mod reader;
mod watch;

use crate::bytes::Problem;
use crate::error::Place;
use crate::io::output::Existing;
use crate::record::filter::FilterOptions;
use crate::report::finding::{Finding, Findings};
use crate::write::{Allowed, Format, Lack};

pub(crate) use assembler::{Assembler, Head, ModuleAux};
pub(crate) use destination::Destination;
pub(crate) use maker::{Made, Maker, Other, Summing};
pub(crate) use watch::Watch;

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A folder: manifest, snapshot as base file, incremental file.
    Multipart,
    /// A log with the snapshot in front.
    Preamble,
    /// A snapshot.
    Rdb,
    /// A log of commands.
    Resp,
}

impl Layout {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Layout::Multipart => "multipart",
            Layout::Preamble => "preamble",
            Layout::Rdb => "rdb",
            Layout::Resp => "resp",
        }
    }

    /// Whether keys stand as records of a snapshot.
    pub(crate) fn has_records(self) -> bool {
        self != Layout::Resp
    }

    /// Whether commands may stand behind the snapshot.
    pub(crate) fn has_commands(self) -> bool {
        self != Layout::Rdb
    }
}

/// How keys are written.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    /// For whom; else for the server that the input is of.
    pub format: Option<Format>,
    /// As what; else as what the input is.
    pub layout: Option<Layout>,
    /// What may be left out where the target cannot hold it.
    pub allowed: Allowed,
    /// Which keys.
    pub filter: FilterOptions,
    /// What to do where the output exists.
    pub existing: Existing,
    /// Whether what could be read of a damaged input is written.
    pub keep_going: bool,
}

/// What a target cannot hold of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lacking {
    pub(crate) db: u32,
    pub(crate) key: Vec<u8>,
    pub(crate) lack: Lack,
    /// Whether the key itself was written.
    pub(crate) written: bool,
}

/// What all that a target lacks comes to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lacks {
    pub(crate) findings: Findings,
    /// Keys and libraries that are left out.
    pub(crate) dropped: u64,
    /// Keys of which something is left out.
    pub(crate) reduced: u64,
}

impl Lacks {
    /// Takes note of one.
    pub(crate) fn add(&mut self, one: Lacking, format: &Format, allowed: Allowed) {
        let name = format.target.name;
        let Lacking {
            db,
            key,
            lack,
            written,
        } = one;
        let (problem, done) = match (written, allowed.drop_key) {
            (true, _) => {
                self.reduced += 1;
                (Problem::TargetDropped, "it is left out")
            }
            (false, true) => {
                self.dropped += 1;
                (Problem::TargetDropped, "the key is left out")
            }
            (false, false) => (Problem::TargetLacks, ""),
        };
        let mut message = format!("{name} cannot hold {lack}");
        if !done.is_empty() {
            message.push_str(": ");
            message.push_str(done);
        }
        self.findings.push(Finding {
            db: (lack != Lack::Functions).then_some(db),
            key: Some(key),
            message,
            ..Finding::at(problem, Place::at(0))
        });
    }
}

/// Says that records of modules outside the keys are not in an output, where there were any.
pub(crate) fn without_module_aux(records: u64) -> Option<String> {
    let counted = crate::report::text::counted(records, "record");
    (records > 0).then(|| format!("{counted} of modules outside the keys could not be written"))
}
