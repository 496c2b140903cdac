//! What the library shows to those who build on it: snapshots read and written, logs replayed, both
//! checked. Everything here is shown at the top of the crate.
//!
//! Nothing of this maps a file, so no signal handler is installed in a process that is not ours: the
//! program maps, and answers a file that is cut short under it with a message of its own.

mod check;
mod replay;
mod snapshot;
mod target;
mod value;
mod writer;

pub use check::{Check, check};
pub use replay::{Options, Replay};
pub use snapshot::{Entries, Entry, Snapshot};
pub use target::Target;
pub use value::{Field, Value};
pub use writer::SnapshotWriter;

use crate::io::progress::Quiet;
use crate::task::Run;

/// How tasks may use the machine, for one caller's options.
fn run(options: &Options) -> Run<'static> {
    Run {
        threads: options.threads.max(1),
        mmap: false,
        max_spool: options.max_spool,
        max_memory: options.max_memory,
        progress: &Quiet,
    }
}
