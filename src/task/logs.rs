//! Opens a log, or all the files of a set, whatever names them: a file, a folder, a manifest.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::aof::manifest::{Dialect, Manifest, ManifestFault};
use crate::aof::set::{ListError, Listing, SetFile, SetReport, path_in};
use crate::bytes::Problem;
use crate::error::{Error, ErrorKind, Hint, Place, Result, What};
use crate::io::kind::Kind;
use crate::io::source::{Content, Map, OpenOptions, Origin, Source};
use crate::task::{InputPath, Run, open};

/// What a path names: one log, or a set of files.
#[derive(Debug)]
pub(crate) enum Logs {
    /// One log, with or without a snapshot in front.
    One(LogFile),
    /// The files of a multi-part AOF.
    Set(Box<LogSet>),
}

/// A log, all of it at hand.
#[derive(Debug)]
pub(crate) struct LogFile {
    /// Where it comes from.
    pub(crate) origin: Origin,
    /// Its bytes, decompressed.
    pub(crate) map: Arc<Map>,
}

/// The files of a multi-part AOF, not yet opened.
#[derive(Debug)]
pub(crate) struct LogSet {
    /// The folder, and what lies in it.
    pub(crate) listing: Listing,
    manifests: [Option<std::result::Result<Manifest, ManifestFault>>; 3],
}

/// Opens what a path names. Content decides: only a manifest whose content is beyond recognition is
/// told by its name.
///
/// # Errors
/// Input that cannot be read or is no log; a folder without anything of a set in it.
pub(crate) fn logs(input: &InputPath, run: &Run<'_>) -> Result<Logs> {
    if let InputPath::File(path) = input
        && path.is_dir()
    {
        return folder(path).map(Box::new).map(Logs::Set);
    }
    of_source(input, open::source(input, run)?, run)
}

/// The same of an input that is open, and no folder.
pub(crate) fn of_source(input: &InputPath, source: Source, run: &Run<'_>) -> Result<Logs> {
    let kind = source.kind();
    if let InputPath::File(path) = input
        && source.origin().codec().is_none()
        && (kind == Kind::Manifest || is_lost_manifest(kind, path))
    {
        let listing = Listing::of_manifest(path).map_err(unlisted)?;
        return Ok(Logs::Set(Box::new(LogSet::of(listing))));
    }
    open::is_log(kind)?;
    // An empty file is a log without commands; an empty pipe is one whose writer has failed.
    if (kind, input) == (Kind::Empty, &InputPath::Stdin) {
        return Err(Error::bytes(Problem::Empty, Place::at(0), What::Command));
    }
    LogFile::of(source, run).map(Logs::One)
}

impl LogFile {
    /// A source as a log; what cannot be mapped is spooled.
    fn of(source: Source, run: &Run<'_>) -> Result<LogFile> {
        let (origin, content) = source.into_parts();
        let map = match content {
            Content::Map(map) => map,
            Content::Stream(mut stream) => open::spooled(&mut stream, run.max_spool)?,
        };
        Ok(LogFile {
            origin,
            map: Arc::new(map),
        })
    }
}

/// The set of this manifest.
///
/// # Errors
/// It or its folder cannot be read.
pub(crate) fn of_manifest(manifest: &Path) -> Result<LogSet> {
    Listing::of_manifest(manifest)
        .map(LogSet::of)
        .map_err(unlisted)
}

impl LogSet {
    fn of(listing: Listing) -> LogSet {
        let bytes = listing.manifest.as_ref().map(|(_, bytes)| bytes.as_slice());
        let manifests = [Dialect::Redis, Dialect::Valkey8, Dialect::Valkey9]
            .map(|dialect| bytes.map(|bytes| Manifest::parse_as(bytes, dialect)));
        LogSet { listing, manifests }
    }

    /// The manifest as servers of this dialect read it, if there is one.
    pub(crate) fn manifest(
        &self,
        dialect: Dialect,
    ) -> Option<std::result::Result<&Manifest, &ManifestFault>> {
        let [redis, valkey8, valkey9] = &self.manifests;
        let read = match dialect {
            Dialect::Redis => redis,
            Dialect::Valkey8 => valkey8,
            Dialect::Valkey9 => valkey9,
        };
        read.as_ref().map(|read| read.as_ref())
    }

    /// The manifest as the strictest server reads it that reads it at all, and whose reading that
    /// is.
    pub(crate) fn any_manifest(&self) -> Option<(Dialect, &Manifest)> {
        [Dialect::Redis, Dialect::Valkey8, Dialect::Valkey9]
            .into_iter()
            .find_map(|dialect| Some((dialect, self.manifest(dialect)?.ok()?)))
    }

    /// What a server makes of the folder, by the manifest that [`any_manifest`](Self::any_manifest)
    /// gives.
    pub(crate) fn report(&self) -> SetReport {
        let manifest = self.any_manifest().map(|(_, manifest)| manifest);
        SetReport::of(self.listing.input(manifest))
    }

    /// The files that this manifest names, in load order.
    pub(crate) fn files_of(&self, manifest: &Manifest) -> Vec<SetFile> {
        SetReport::of(self.listing.input(Some(manifest))).files
    }

    /// Where a file of the set lies; `beside` for the old file that is about to be moved in.
    pub(crate) fn path(&self, name: &[u8], beside: bool) -> PathBuf {
        let folder = &self.listing.folder;
        if beside
            && let Ok(folder) = folder.canonicalize()
            && let Some(parent) = folder.parent()
        {
            return path_in(parent, name);
        }
        path_in(folder, name)
    }

    /// Opens a file of the set.
    ///
    /// # Errors
    /// It cannot be read, or is compressed, which no server reads.
    pub(crate) fn open(&self, file: &SetFile, beside: bool, run: &Run<'_>) -> Result<LogFile> {
        let path = self.path(&file.name, beside);
        let named = |error: Error| error.in_file(&path);
        let source = Source::open(&path, OpenOptions { mmap: run.mmap }).map_err(named)?;
        if let Some(codec) = source.origin().codec() {
            return Err(named(Error::new(ErrorKind::WrongKind {
                found: codec.article(),
                expected: "a file of a set",
            })));
        }
        LogFile::of(source, run).map_err(named)
    }
}

pub(crate) fn folder(path: &Path) -> Result<LogSet> {
    let listing = Listing::of_folder(path).map_err(unlisted)?;
    let set = LogSet::of(listing);
    if set.listing.manifest.is_none()
        && set.listing.beside.is_none()
        && set.report().problems.is_empty()
    {
        let error = std::io::Error::new(
            std::io::ErrorKind::NotFound,
            "neither a manifest nor a file named like those of a set is in this folder",
        );
        let error = Error::from(error);
        return Err(match has_set_inside(path) {
            true => error.with_hint(Hint::Other(
                "a folder in it has a manifest: give that folder",
            )),
            false => error,
        });
    }
    Ok(set)
}

/// True where a folder in this one holds a manifest: a server's data folder, most likely.
fn has_set_inside(path: &Path) -> bool {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.take(1000).any(|entry| {
        entry.file_type().is_ok_and(|kind| kind.is_dir())
            && Listing::of_folder(&entry.path()).is_ok_and(|inside| inside.manifest.is_some())
    })
}

/// An empty file or one of no known kind, by the name of a manifest: what else should it be.
fn is_lost_manifest(kind: Kind, path: &Path) -> bool {
    matches!(kind, Kind::Empty | Kind::Unknown)
        && path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().ends_with(b".aof.manifest"))
}

#[cold]
fn unlisted(error: ListError) -> Error {
    match error {
        ListError::Io { path, error } => Error::from(error).in_file(&path),
        ListError::SeveralManifests { .. } => Error::usage(error.to_string()),
        ListError::LargeManifest { .. } => Error::limit(error.to_string()),
    }
}
