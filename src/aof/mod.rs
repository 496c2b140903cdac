//! The AOF file: what a command is, what a log consists of, where it goes on behind damage; the
//! manifest of a set of files, and what lies in the folder beside it.

pub mod log;
pub mod manifest;
pub mod position;
pub mod resp;
pub mod resync;
pub mod set;
