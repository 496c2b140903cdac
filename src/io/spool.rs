//! Room for more than memory should hold: unlinked temporary files, mapped. Their pages are the
//! system's to write out when memory is short.
//!
//! They are made in the folder that `TMPDIR` names, and are gone with the process however it ends.

use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::ops::{Deref, DerefMut, Range};
use std::path::PathBuf;

use crate::error::{Error, ErrorKind, Hint, Result};
use crate::io::source::{Doomed, Map, Room};

/// A temporary file of fixed length, mapped for writing.
#[derive(Debug)]
pub struct Spool(Room);

impl Spool {
    /// Room of `len` zero bytes. Its blocks are set aside on disk at once.
    ///
    /// # Errors
    /// No room in the temporary folder, or a length beyond this machine's addresses.
    pub fn zeroed(len: u64) -> io::Result<Self> {
        let make = || Room::zeroed(&tempfile::tempfile()?, len);
        make().map(Spool).map_err(in_temporary_folder)
    }
}

impl Deref for Spool {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Spool {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

/// A temporary file that a stream is appended to, up to a limit.
#[derive(Debug)]
pub struct SpoolFile {
    file: File,
    len: u64,
    limit: u64,
}

impl SpoolFile {
    /// An empty file that may grow to `limit` bytes.
    ///
    /// # Errors
    /// No temporary file can be made.
    pub fn new(limit: u64) -> Result<Self> {
        match tempfile::tempfile() {
            Ok(file) => Ok(SpoolFile {
                file,
                len: 0,
                limit,
            }),
            Err(error) => Err(cannot_spool(error)),
        }
    }

    /// Appends bytes. They go to the system at once: give many at a time.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] naming `--max-spool`, nothing written; [`ErrorKind::Io`] where the
    /// temporary folder is full.
    pub fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        let len = self.len.saturating_add(bytes.len() as u64);
        if len > self.limit {
            return Err(Error::limit(format!(
                "more than {} bytes would have to be spooled to a temporary file",
                self.limit
            ))
            .with_hint(Hint::Other(
                "`--max-spool` sets this limit; a file, unlike a pipe, is not spooled",
            )));
        }
        self.file.write_all(bytes).map_err(cannot_spool)?;
        self.len = len;
        Ok(())
    }

    /// Bytes written.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// True before the first byte.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Maps what has been written. The map stays good while more is appended, and after this is
    /// dropped.
    ///
    /// # Errors
    /// What the system says.
    pub fn map(&self) -> io::Result<Map> {
        self.map_range(0..self.len)
    }

    /// Maps a part, as far as it has been written.
    ///
    /// # Errors
    /// What the system says.
    pub fn map_range(&self, range: Range<u64>) -> io::Result<Map> {
        let range = range.start.min(self.len)..range.end.min(self.len);
        Map::of_spool(&self.file, range).map_err(in_temporary_folder)
    }
}

#[cold]
fn cannot_spool(error: io::Error) -> Error {
    Error::new(ErrorKind::Io(in_temporary_folder(error))).with_hint(Hint::Other(
        "the variable TMPDIR names the folder for temporary files",
    ))
}

#[cold]
fn in_temporary_folder(error: io::Error) -> io::Error {
    let folder = env::temp_dir();
    let text = format!("cannot spool to {}: {error}", folder.display());
    io::Error::new(error.kind(), text)
}

/// A folder for temporary files, where the variable `TMPDIR` says; removed with everything in it when
/// dropped, and by a signal that ends the process as far as it is told what is in it.
#[derive(Debug)]
pub(crate) struct TempFolder {
    folder: tempfile::TempDir,
    doomed: Vec<Doomed>,
}

impl TempFolder {
    /// A new one.
    pub(crate) fn new() -> io::Result<TempFolder> {
        let folder = tempfile::Builder::new().prefix("redkit-").tempdir()?;
        let doomed = vec![Doomed::new(folder.path())];
        Ok(TempFolder { folder, doomed })
    }

    /// The path of a file or folder that will be in it.
    pub(crate) fn path(&mut self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        self.doomed.push(Doomed::new(&path));
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_is_zeroed_and_can_be_written() {
        for len in [0u64, 1, 4095, 4096, 4097, 1 << 20] {
            let mut spool = Spool::zeroed(len).unwrap();
            assert_eq!(spool.len() as u64, len);
            assert!(spool.iter().all(|&b| b == 0));
            spool.fill(7);
            assert!(spool.iter().all(|&b| b == 7));
        }
    }

    #[test]
    fn a_length_beyond_all_disks_is_an_error() {
        Spool::zeroed(u64::MAX).unwrap_err();
        // Only where blocks are set aside and not written.
        #[cfg(target_os = "linux")]
        Spool::zeroed(1 << 60).unwrap_err();
    }

    #[test]
    fn maps_stay_good_while_the_file_grows_and_after_it_is_dropped() {
        let mut file = SpoolFile::new(1 << 20).unwrap();
        assert!(file.is_empty());
        assert!(file.map().unwrap().is_empty());
        file.write_all(b"first").unwrap();
        let first = file.map().unwrap();
        file.write_all(&[9; 10_000]).unwrap();
        let part = file.map_range(4..7).unwrap();
        let beyond = file.map_range(10_000..20_000).unwrap();
        assert!(file.map_range(20_000..30_000).unwrap().is_empty());
        assert_eq!(file.len(), 10_005);
        drop(file);
        assert_eq!(&*first, b"first");
        assert_eq!(&*part, b"t\x09\x09");
        assert_eq!(&*beyond, [9; 5]);
    }

    #[test]
    fn the_limit_names_its_option_and_writes_nothing() {
        let mut file = SpoolFile::new(10).unwrap();
        file.write_all(&[1; 10]).unwrap();
        let error = file.write_all(&[2]).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Limit(_)));
        assert!(error.to_string().contains("--max-spool"), "{error}");
        assert_eq!(file.len(), 10);
    }
}
