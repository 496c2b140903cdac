//! What lies in a folder: names, sizes, and the manifest's bytes.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::{error, fmt};

use crate::bytes::number::parse_canonical_i64;
use crate::error::printable;

use super::super::manifest::Manifest;
use super::{AofName, FileInfo, SetInput};

/// The files in and beside the folder of a multi-part AOF.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The folder.
    pub folder: PathBuf,
    /// What the names of the files begin with: the manifest's name without `.manifest`. Without a
    /// manifest, what the files of a set begin with, or else the servers' default.
    pub stem: Vec<u8>,
    /// Name and bytes of the manifest.
    pub manifest: Option<(Vec<u8>, Vec<u8>)>,
    /// The regular files in the folder, or links to such, sorted by name.
    pub files: Vec<FileInfo>,
    /// The file beside the folder that a server would take for an old single file.
    pub beside: Option<FileInfo>,
    /// What older manifests name that a fix has kept beside the manifest.
    pub kept: Vec<Vec<u8>>,
}

/// Why a folder cannot be listed as that of a set.
#[derive(Debug)]
#[non_exhaustive]
pub enum ListError {
    /// The system said no.
    Io {
        /// About which file or folder.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// There are several manifests: one must be named.
    SeveralManifests {
        /// Their names, sorted.
        names: Vec<Vec<u8>>,
    },
    /// The manifest is larger than any server's can be.
    LargeManifest {
        /// Its path.
        path: PathBuf,
    },
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListError::Io { path, error } => write!(f, "{}: {error}", path.display()),
            ListError::SeveralManifests { names } => {
                let names: Vec<_> = names.iter().map(|name| printable(name)).collect();
                write!(
                    f,
                    "several manifests, name one of them: {}",
                    names.join(", ")
                )
            }
            ListError::LargeManifest { path } => write!(
                f,
                "{}: a manifest of more than {} MiB",
                path.display(),
                MANIFEST >> 20
            ),
        }
    }
}

impl error::Error for ListError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            ListError::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl Listing {
    /// Lists a folder, and reads the one manifest in it if there is any.
    ///
    /// # Errors
    /// When the folder or the manifest cannot be read, or there are several.
    pub fn of_folder(folder: &Path) -> Result<Listing, ListError> {
        let files = files_in(folder)?;
        let mut names: Vec<Vec<u8>> = files
            .iter()
            .filter(|file| file.name.ends_with(SUFFIX) && !super::is_temporary(&file.name))
            .map(|file| file.name.clone())
            .collect();
        if names.len() > 1 {
            return Err(ListError::SeveralManifests { names });
        }
        Listing::with(folder, files, names.pop())
    }

    /// Lists the folder of this manifest, and reads that.
    ///
    /// # Errors
    /// When the folder or the manifest cannot be read.
    pub fn of_manifest(manifest: &Path) -> Result<Listing, ListError> {
        let name = manifest.file_name().unwrap_or_default();
        let folder = match manifest.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let name = name.as_encoded_bytes().to_vec();
        Listing::with(folder, files_in(folder)?, Some(name))
    }

    fn with(
        folder: &Path,
        files: Vec<FileInfo>,
        manifest: Option<Vec<u8>>,
    ) -> Result<Listing, ListError> {
        let stem = match &manifest {
            Some(name) => name.strip_suffix(SUFFIX).unwrap_or(name).to_vec(),
            None => common_stem(&files).unwrap_or(DEFAULT_STEM).to_vec(),
        };
        let manifest = match manifest {
            Some(name) => {
                let bytes = read_manifest(path_in(folder, &name))?;
                Some((name, bytes))
            }
            None => None,
        };
        // Through the real path: the parent of `.` or of a link is not in its name.
        let parent = fs::canonicalize(folder).map_err(|error| of_path(folder, error))?;
        let beside = parent.parent().and_then(|parent| {
            let found = fs::metadata(path_in(parent, &stem)).ok()?;
            found.is_file().then(|| FileInfo {
                name: stem.clone(),
                size: found.len(),
            })
        });
        let kept = match &manifest {
            Some((name, _)) => named_before(folder, name, &files),
            None => Vec::new(),
        };
        Ok(Listing {
            folder: folder.to_path_buf(),
            stem,
            manifest,
            files,
            beside,
            kept,
        })
    }

    /// What a report is made of; the manifest as it was parsed.
    pub fn input<'d>(&'d self, manifest: Option<&'d Manifest>) -> SetInput<'d> {
        SetInput {
            manifest,
            stem: &self.stem,
            files: &self.files,
            beside: self.beside.as_ref(),
            kept: &self.kept,
        }
    }
}

/// The path of a file of this name in a folder. An empty name gives the folder, as for a server.
pub fn path_in(folder: &Path, name: &[u8]) -> PathBuf {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        folder.join(std::ffi::OsStr::from_bytes(name))
    }
    #[cfg(not(unix))]
    {
        // What leads to other folders, drives and streams here is no name that a server gave.
        let name = String::from_utf8_lossy(name).replace(['\\', '/', ':'], "\u{fffd}");
        folder.join(name)
    }
}

fn files_in(folder: &Path) -> Result<Vec<FileInfo>, ListError> {
    let entries = fs::read_dir(folder).map_err(|error| of_path(folder, error))?;
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| of_path(folder, error))?;
        // Followed, as a server does; one that leads nowhere is as good as missing, and so is what
        // was removed meanwhile.
        let Ok(metadata) = fs::metadata(entry.path()) else {
            continue;
        };
        if metadata.is_file() {
            files.push(FileInfo {
                name: entry.file_name().as_encoded_bytes().to_vec(),
                size: metadata.len(),
            });
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

fn read_manifest(path: PathBuf) -> Result<Vec<u8>, ListError> {
    let mut bytes = Vec::new();
    let file = File::open(&path).map_err(|error| of_path(&path, error))?;
    let read = file.take(MANIFEST + 1).read_to_end(&mut bytes);
    match read.map_err(|error| of_path(&path, error))? {
        read if read as u64 > MANIFEST => Err(ListError::LargeManifest { path }),
        _ => Ok(bytes),
    }
}

/// What the manifests name that were kept as `NAME.orig`, `NAME.orig.1` and so on. One that cannot be
/// read names nothing: its files are then told as what they look like, no more.
fn named_before(folder: &Path, manifest: &[u8], files: &[FileInfo]) -> Vec<Vec<u8>> {
    let mut names = BTreeSet::new();
    let kept = files.iter().filter(|file| is_kept(&file.name, manifest));
    for file in kept.filter(|file| file.size <= KEPT).take(KEPT_FILES) {
        if let Ok(bytes) = read_manifest(path_in(folder, &file.name)) {
            names.extend(Manifest::names_in(&bytes));
        }
    }
    names.into_iter().collect()
}

fn is_kept(name: &[u8], manifest: &[u8]) -> bool {
    let end = name.strip_prefix(manifest);
    match end.and_then(|end| end.strip_prefix(b".orig")) {
        Some([b'.', number @ ..]) => parse_canonical_i64(number).is_some_and(|n| n > 0),
        end => end.is_some_and(<[u8]>::is_empty),
    }
}

/// What all files of a set begin with, if it is the same.
fn common_stem(files: &[FileInfo]) -> Option<&[u8]> {
    let mut stems = files
        .iter()
        .filter_map(|file| Some(AofName::parse(&file.name)?.stem));
    let first = stems.next()?;
    stems.all(|stem| stem == first).then_some(first)
}

#[cold]
fn of_path(path: &Path, error: io::Error) -> ListError {
    let path = path.to_path_buf();
    ListError::Io { path, error }
}

const SUFFIX: &[u8] = b".manifest";

/// The servers' default of the setting `appendfilename`.
const DEFAULT_STEM: &[u8] = b"appendonly.aof";

/// Largest manifest read: a server's has a few lines, and this is room for many thousand.
const MANIFEST: u64 = 16 << 20;

/// Largest kept manifest that is looked into, and how many of them are.
const KEPT: u64 = 1 << 20;
const KEPT_FILES: usize = 1000;
