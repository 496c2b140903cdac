//! A new folder under a temporary name beside its place: filled, synced, and only then given its
//! name.
//!
//! Dropping a [`DraftFolder`] removes it with everything in it; a signal that ends the process
//! removes what was made through it.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::io::attributes;
use crate::io::draft::{folder_of, sync_file, sync_folder};
use crate::io::source::Doomed;

/// A folder that has not got its name yet.
#[derive(Debug)]
pub struct DraftFolder {
    temporary: TempDir,
    doomed: Vec<Doomed>,
}

impl DraftFolder {
    /// A new empty folder beside its place, with the mode of any new folder.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(beside: &Path) -> io::Result<DraftFolder> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".redkit-").suffix(".tmp").rand_bytes(10);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
        let temporary = builder.tempdir_in(folder_of(beside))?;
        let doomed = vec![Doomed::new(temporary.path())];
        Ok(DraftFolder { temporary, doomed })
    }

    /// Gives it owner, group, mode and extended attributes of another folder, as far as the system
    /// allows; tells what it does not.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn carry_over(&self, from: &Path, old: &Metadata) -> io::Result<Vec<&'static str>> {
        let folder = File::open(self.temporary.path())?;
        Ok(attributes::carry_over(&folder, from, old))
    }

    /// A new file in it, for writing.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(&mut self, name: &Path) -> io::Result<File> {
        let path = self.temporary.path().join(name);
        self.doomed.push(Doomed::new(&path));
        File::create_new(path)
    }

    /// Makes sure that a file of it is on disk.
    ///
    /// # Errors
    /// What the system says.
    pub fn sync(&self, file: &File) -> io::Result<()> {
        sync_file(file)
    }

    /// Its name until it gets its own.
    pub fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Gives it its name, which nothing else may have.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] where something has it; what else the system says.
    pub fn name(self, target: &Path) -> io::Result<()> {
        sync_folder(self.temporary.path())?;
        rename_new(self.temporary.path(), target)?;
        // There is nothing left under the temporary name.
        let _ = self.temporary.keep();
        sync_folder(folder_of(target))
    }

    /// Swaps it with the folder that has its name, in one step, and removes that. Gives the place
    /// where the old one still is, when it could not be removed.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] where the system cannot do that in one step; what else the
    /// system says. Nothing is changed then.
    pub fn swap(mut self, target: &Path) -> io::Result<Option<PathBuf>> {
        sync_folder(self.temporary.path())?;
        // From that one step on it is the old files that a signal leaves under the temporary name.
        for old in fs::read_dir(target)? {
            let name = self.temporary.path().join(old?.file_name());
            self.doomed.push(Doomed::new(&name));
        }
        exchange(self.temporary.path(), target)?;
        sync_folder(folder_of(target))?;
        let old = self.temporary.keep();
        Ok(fs::remove_dir_all(&old).is_err().then_some(old))
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename(from: &Path, to: &Path, flags: rustix::fs::RenameFlags) -> io::Result<()> {
    use rustix::fs::{CWD, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, from, CWD, to, flags) {
        Ok(()) => Ok(()),
        // What a file system that does not know the flag says.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Err(io::ErrorKind::Unsupported.into()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rename(from, to, rustix::fs::RenameFlags::NOREPLACE) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => rename_if_free(from, to),
        done => done,
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    rename(one, other, rustix::fs::RenameFlags::EXCHANGE)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    rename_if_free(from, to)
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A folder renamed over another takes its place only where that is empty: nothing can be lost
/// between the look and the step.
fn rename_if_free(from: &Path, to: &Path) -> io::Result<()> {
    if fs::symlink_metadata(to).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    fs::rename(from, to)
}
