//! The AOF file: what a command is, what a log consists of, where it goes on behind damage.

pub mod log;
pub mod resp;
pub mod resync;
