//! The verbs: each a function from a source and options to a report.

pub mod check_aof;
pub mod check_rdb;
pub mod convert;
pub mod cut;
pub mod diff;
pub mod dump;
pub(crate) mod duplicates;
pub mod fix_aof;
pub mod from_json;
mod front;
pub mod get;
pub mod info;
pub mod inside;
mod key_index;
pub mod log;
mod log_files;
mod log_info;
pub(crate) mod logs;
pub mod mend;
pub(crate) mod open;
pub mod place;
pub mod replay;
pub mod rewrite;
pub mod salvage;
pub mod stats;
pub mod verify;
pub mod writing;

use std::path::PathBuf;

use crate::io::progress::Progress;

/// Where the input comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputPath {
    /// Standard input.
    Stdin,
    /// A file, a folder or a device.
    File(PathBuf),
}

/// How a task may use the machine.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// Threads that decode; the result does not depend on it.
    pub threads: usize,
    /// Whether files are mapped.
    pub mmap: bool,
    /// Bytes that may be spooled to temporary files.
    pub max_spool: u64,
    /// Bytes of memory that what must be held may take.
    pub max_memory: u64,
    /// Is told how far the task is.
    pub progress: &'a dyn Progress,
}
