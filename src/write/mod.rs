//! The writer layer: values in the form that a chosen server loads.
//!
//! ```text
//! Format     what a target writes: version, types, thresholds
//! Entries    a key with its value as a record of a snapshot: as it stands, or encoded anew
//! Commands   the same as commands of a log, as the server's own rewrite gives them
//! ```
//!
//! What a target cannot hold is told ([`Lack`]), and what is done about it is the caller's choice
//! ([`Allowed`]).

mod commands;
mod entries;
mod format;
mod vectors;

pub use commands::{Commands, Nobody, Witness};
pub(crate) use commands::{PEXPIREAT, PIECE, SET, is_among};
pub use entries::Entries;
pub use format::{Allowed, Format, Lack, Written};
