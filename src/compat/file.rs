//! Files as a checker opens them: the bytes as they stand, whatever they are.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::io::source::Map;
use crate::io::spool::SpoolFile;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// To read.
    Read,
    /// To read, and to be cut: one that may not be written is refused, as the tools refuse it.
    Write,
}

/// A file and its bytes.
#[derive(Debug)]
pub(super) struct Opened {
    /// Its bytes; none for a folder.
    pub(super) bytes: Map,
    /// Its size, as the system tells it.
    pub(super) size: u64,
    /// A folder, which can be opened but not read.
    pub(super) is_folder: bool,
}

impl Opened {
    /// Opens a file. What is no regular file is read to its end first, where it is wanted.
    pub(super) fn new(path: &Path, access: Access) -> io::Result<Opened> {
        let write = access == Access::Write;
        let file = OpenOptions::new().read(true).write(write).open(path)?;
        let metadata = file.metadata()?;
        let bytes = match (metadata.is_file(), metadata.is_dir(), access) {
            (true, _, _) if metadata.len() > 0 => Map::of_file(&file)?,
            (false, false, Access::Read) => spooled(&file)?,
            _ => Map::empty(),
        };
        Ok(Opened {
            size: metadata.len(),
            is_folder: metadata.is_dir(),
            bytes,
        })
    }
}

fn spooled(mut file: &File) -> io::Result<Map> {
    let mut spool = SpoolFile::new(SPOOL).map_err(io::Error::other)?;
    let mut piece = vec![0; 1 << 20];
    loop {
        match io::Read::read(&mut file, &mut piece) {
            Ok(0) => return spool.map(),
            Ok(n) => {
                let read = piece.get(..n).unwrap_or_default();
                spool.write_all(read).map_err(io::Error::other)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// What a pipe may hold.
const SPOOL: u64 = 10 << 30;

/// A name as it is printed.
pub(super) fn bytes_of(name: &OsStr) -> &[u8] {
    name.as_encoded_bytes()
}

/// A path as a manifest names it.
pub(super) fn path_of(bytes: &[u8]) -> PathBuf {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        PathBuf::from(OsStr::from_bytes(bytes))
    }
    #[cfg(not(unix))]
    {
        PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
    }
}

/// `dirname`: the folder of a path, as text.
pub(super) fn folder_of(path: &[u8]) -> Cow<'_, [u8]> {
    let trimmed = trim_end(path);
    match memchr::memrchr(b'/', trimmed) {
        None => Cow::Borrowed(b"."),
        Some(at) => match trim_end(path.get(..at).unwrap_or_default()) {
            [] => Cow::Borrowed(b"/"),
            folder => Cow::Borrowed(folder),
        },
    }
}

fn trim_end(mut path: &[u8]) -> &[u8] {
    while let [inner @ .., b'/'] = path {
        path = inner;
    }
    path
}

/// What the C library says of an error.
pub(super) fn said(error: &io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(at) => text.get(..at).unwrap_or(&text).to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_named_as_dirname_names_it() {
        for (path, folder) in [
            ("a", "."),
            ("a/b", "a"),
            ("a//b", "a"),
            ("/a", "/"),
            ("//a", "/"),
            ("a/b/", "a"),
            ("/a/b", "/a"),
        ] {
            assert_eq!(&*folder_of(path.as_bytes()), folder.as_bytes(), "{path}");
        }
    }

    #[test]
    fn errors_are_told_as_the_c_library_tells_them() {
        let error = File::open("/nonexistent/file").expect_err("there is none");
        assert_eq!(said(&error), "No such file or directory");
    }
}
