//! The AOF file: the manifest of a set of files, and what lies in the folder beside it.

pub mod manifest;
pub mod set;
