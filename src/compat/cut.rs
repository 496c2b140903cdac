//! Cuts the end off a file, and throws nothing away.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::compat::file::said;
use crate::io::output::{Existing, Output};

/// What became of the bytes that were cut off.
#[derive(Debug)]
pub(super) enum Kept {
    /// They are in this file.
    In(PathBuf),
    /// They could not be kept.
    Not(PathBuf, String),
}

/// Cuts a file back to its first `at` bytes.
///
/// The bytes behind them are kept beside the file as `NAME.removed-OFFSET`, or `.1`, `.2` and so on
/// behind that where there is one; where that fails the cut is made all the same. A symbolic link is
/// followed. A file with further links stays as it is under those: what is left gets a new file.
///
/// # Errors
/// The file could not be cut, and is as it was.
pub(super) fn cut(path: &Path, at: u64) -> io::Result<Kept> {
    let path = fs::canonicalize(path)?;
    let mut file = OpenOptions::new().read(true).write(true).open(&path)?;
    let metadata = file.metadata()?;
    let kept = match keep(&path, &mut file, &metadata, at) {
        Ok(kept) => Kept::In(kept),
        Err((place, error)) => Kept::Not(place, said(&error)),
    };
    let done = match links(&metadata) {
        0 | 1 => file.set_len(at).and_then(|()| file.sync_all()),
        _ => rewrite(&path, &mut file, at),
    };
    if let (Err(_), Kept::In(place)) = (&done, &kept) {
        // Nothing was removed.
        let _ = fs::remove_file(place);
    }
    done.map(|()| kept)
}

/// Copies what stands from `at` on into a file beside.
fn keep(
    path: &Path,
    file: &mut File,
    metadata: &Metadata,
    at: u64,
) -> Result<PathBuf, (PathBuf, io::Error)> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".removed-{at}"));
    let (place, mut beside) = create(&PathBuf::from(name), metadata)?;
    let copied = file
        .seek(SeekFrom::Start(at))
        .and_then(|_| io::copy(file, &mut beside))
        .and_then(|_| beside.sync_all());
    match copied {
        Ok(()) => Ok(place),
        Err(error) => {
            drop(beside);
            let _ = fs::remove_file(&place);
            Err((place, error))
        }
    }
}

/// Makes a file that did not exist, under this name or the next free one, as readable as the one
/// it is made of.
fn create(first: &Path, like: &Metadata) -> Result<(PathBuf, File), (PathBuf, io::Error)> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
        options.mode(like.mode() & 0o777);
    }
    let mut place = first.to_path_buf();
    let mut number = 0u64;
    loop {
        match options.open(&place) {
            Ok(file) => {
                own(&file, like);
                return Ok((place, file));
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                number += 1;
                let mut name = first.as_os_str().to_owned();
                name.push(format!(".{number}"));
                place = PathBuf::from(name);
            }
            Err(error) => return Err((place, error)),
        }
    }
}

/// Hands on owner and group, as far as that is allowed.
fn own(file: &File, like: &Metadata) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let _ = fchown(file, Some(like.uid()), Some(like.gid()));
    }
    #[cfg(not(unix))]
    let _ = (file, like);
}

fn links(metadata: &Metadata) -> u64 {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        metadata.nlink()
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        1
    }
}

/// Puts a new file of the first `at` bytes in the place of the old one.
fn rewrite(path: &Path, file: &mut File, at: u64) -> io::Result<()> {
    let mut output = Output::create(path, Existing::Replace).map_err(io::Error::other)?;
    file.seek(SeekFrom::Start(0))?;
    let copied = io::copy(&mut io::Read::take(&mut *file, at), &mut output)?;
    if copied != at {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    output.finish().map(drop).map_err(io::Error::other)
}
