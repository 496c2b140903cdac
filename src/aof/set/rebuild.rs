//! A manifest made from file names alone, where they leave no doubt.

use std::fmt;

use crate::error::printable;

use super::super::manifest::{FileEntry, Manifest, Role};
use super::{AofName, FileInfo};

/// Why names alone do not tell which files make the data set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RebuildFault {
    /// No file is named like those of a set.
    NoFiles,
    /// There are files of two sets.
    SeveralStems {
        /// What the names of one begin with.
        one: Vec<u8>,
        /// What the names of the other begin with.
        other: Vec<u8>,
    },
    /// There is no base: what came before the incremental files is not here.
    NoBase,
    /// There are several bases: from the names it cannot be told whether a rewrite ended.
    SeveralBases {
        /// Their names.
        names: Vec<Vec<u8>>,
    },
    /// There is an incremental file and what a fix has made of it: from the names it cannot be told
    /// in which of them the set went on.
    SeveralIncrementals {
        /// Their names.
        names: Vec<Vec<u8>>,
    },
    /// The base is a snapshot of 0 bytes, which no server writes.
    EmptyBase {
        /// Its name.
        name: Vec<u8>,
    },
    /// An incremental file is older than the base, and may be part of it already.
    Superseded {
        /// Its name.
        name: Vec<u8>,
    },
    /// An incremental file is missing between two.
    Gap {
        /// The sequence number before it.
        after: i64,
        /// The sequence number behind it.
        before: i64,
    },
    /// A name that no manifest can hold.
    BadName {
        /// The file's name.
        name: Vec<u8>,
    },
}

impl fmt::Display for RebuildFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RebuildFault::NoFiles => f.write_str("no file is named like those of a set"),
            RebuildFault::SeveralStems { one, other } => write!(
                f,
                "there are files of two sets, \"{}\" and \"{}\"",
                printable(one),
                printable(other)
            ),
            RebuildFault::NoBase => f.write_str(
                "there is no base file: what came before the incremental files is not here",
            ),
            RebuildFault::SeveralBases { names } => {
                let names: Vec<_> = names.iter().map(|name| printable(name)).collect();
                let names = names.join("\" and \"");
                write!(f, "there are several base files, \"{names}\"")
            }
            RebuildFault::SeveralIncrementals { names } => {
                let names: Vec<_> = names.iter().map(|name| printable(name)).collect();
                let names = names.join("\" and \"");
                write!(
                    f,
                    "\"{names}\" take the same place, and one was made of the other"
                )
            }
            RebuildFault::EmptyBase { name } => {
                write!(f, "the base file \"{}\" is empty", printable(name))
            }
            RebuildFault::Superseded { name } => write!(
                f,
                "\"{}\" is older than the base file, and may be part of it already",
                printable(name)
            ),
            RebuildFault::Gap { after, before } => write!(
                f,
                "the incremental files between number {after} and number {before} are missing"
            ),
            RebuildFault::BadName { name } => {
                write!(f, "\"{}\" cannot be named in a manifest", printable(name))
            }
        }
    }
}

impl std::error::Error for RebuildFault {}

impl Manifest {
    /// The manifest that file names leave no doubt about, and what the names begin with.
    ///
    /// `stem` is what they must begin with, if it is known. Of names and sizes only: that the files
    /// are sound must be checked all the same.
    ///
    /// # Errors
    /// Why there is a doubt.
    pub fn rebuild(
        files: &[FileInfo],
        stem: Option<&[u8]>,
    ) -> Result<(Vec<u8>, Manifest), RebuildFault> {
        let mut named: Vec<(AofName<'_>, &FileInfo)> = files
            .iter()
            .filter_map(|file| Some((AofName::parse(&file.name)?, file)))
            .filter(|(name, _)| stem.is_none_or(|stem| stem == name.stem))
            .collect();
        named.sort_by_key(|(name, file)| (name.seq, file.name.as_slice()));
        let stem = match (stem, named.first()) {
            (Some(stem), _) => stem,
            (None, Some((name, _))) => name.stem,
            (None, None) => return Err(RebuildFault::NoFiles),
        };
        if let Some((other, _)) = named.iter().find(|(name, _)| name.stem != stem) {
            let (one, other) = (stem.to_vec(), other.stem.to_vec());
            return Err(RebuildFault::SeveralStems { one, other });
        }
        let base = base(files, &named, stem)?;
        let mut manifest = Manifest::default();
        let mut previous = None;
        let mut entries = vec![base];
        for (name, file) in named.iter().filter(|(name, _)| name.role != Role::Base) {
            let seq = name.seq;
            let first = entries.first().map_or(1, |base| base.seq);
            match previous {
                None if seq < first => {
                    let name = file.name.clone();
                    return Err(RebuildFault::Superseded { name });
                }
                Some(after) if seq == after => {
                    let same = |(name, _): &&(AofName<'_>, &FileInfo)| {
                        (name.role, name.seq) == (Role::Incremental, seq)
                    };
                    let same = named.iter().filter(same);
                    let names = same.map(|(_, file)| file.name.clone()).collect();
                    return Err(RebuildFault::SeveralIncrementals { names });
                }
                Some(after) if seq - after > 1 => {
                    return Err(RebuildFault::Gap { after, before: seq });
                }
                _ => previous = Some(seq),
            }
            entries.push(FileEntry::new(Role::Incremental, seq, file.name.clone()));
        }
        for entry in entries {
            let name = entry.name.clone();
            if manifest.push(entry).is_err() {
                return Err(RebuildFault::BadName { name });
            }
        }
        Ok((stem.to_vec(), manifest))
    }
}

/// The one base: a file named so, or the old single file that a server once moved here.
fn base(
    files: &[FileInfo],
    named: &[(AofName<'_>, &FileInfo)],
    stem: &[u8],
) -> Result<FileEntry, RebuildFault> {
    let moved = files.iter().filter(|file| file.name == stem);
    let bases: Vec<(i64, &FileInfo)> = named
        .iter()
        .filter(|(name, _)| name.role == Role::Base)
        .map(|(name, file)| (name.seq, *file))
        .chain(moved.map(|file| (1, file)))
        .collect();
    match bases.as_slice() {
        [] if named.is_empty() => Err(RebuildFault::NoFiles),
        [] => Err(RebuildFault::NoBase),
        [(_, file)] if file.size == 0 && file.name.ends_with(b".rdb") => {
            let name = file.name.clone();
            Err(RebuildFault::EmptyBase { name })
        }
        [(seq, file)] => Ok(FileEntry::new(Role::Base, *seq, file.name.clone())),
        several => {
            let names = several.iter().map(|(_, file)| file.name.clone()).collect();
            Err(RebuildFault::SeveralBases { names })
        }
    }
}
