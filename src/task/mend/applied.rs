//! What was done: data only.

use std::path::PathBuf;

/// What applying a plan has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The files that were written or cut, in load order.
    pub files: Vec<Written>,
    /// Where the bytes that went are kept, in the order of the files.
    pub kept: Vec<KeptPiece>,
    /// The index of a quarantine.
    pub index: Option<PathBuf>,
    /// What became of the manifest, where it was written.
    pub manifest: Option<ManifestWritten>,
    /// What could not be carried over to new files.
    pub warnings: Vec<Lost>,
    /// Where the folder still is that a new one took the place of, if it could not be removed.
    pub leftover: Option<PathBuf>,
}

/// A file that was written or cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where it is now.
    pub path: PathBuf,
    /// What it was made of, links resolved.
    pub from: PathBuf,
    /// Its size now.
    pub size: u64,
    /// How.
    pub how: How,
}

/// How a file was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Its end was cut off in place.
    Cut,
    /// It was written anew and took the place of the old one.
    Replaced,
    /// It was written under a new name; the old one is as it was.
    New,
}

/// Where removed bytes are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptPiece {
    /// The file that they were removed from, links resolved.
    pub file: PathBuf,
    /// Offset of the first one there.
    pub start: u64,
    /// Offset behind the last one there.
    pub end: u64,
    /// Where they are.
    pub path: PathBuf,
}

/// What became of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestWritten {
    /// Where it is.
    pub path: PathBuf,
    /// Where the old one is kept, if there was one.
    pub old: Option<PathBuf>,
}

/// What a new file could not be given of what the old one has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The new file.
    pub path: PathBuf,
    /// "owner", "group", "mode", "extended attributes".
    pub what: Vec<&'static str>,
}
