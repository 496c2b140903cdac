//! A new file under a temporary name in the folder where it will stand: written, synced, and only
//! then given its name.
//!
//! Dropping a [`Draft`] removes the file, and so does a signal that ends the process.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use tempfile::TempPath;

use crate::io::attributes;
use crate::io::source::Doomed;

/// A file that has not got its name yet.
#[derive(Debug)]
pub struct Draft {
    temporary: TempPath,
    folder: PathBuf,
    file: File,
    _doomed: Doomed,
}

impl Draft {
    /// A new empty file in a folder. One that will replace another is its writer's alone until it
    /// has the [attributes](Self::carry_over) of that; else it has the mode of any new file.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(folder: &Path, replaces: bool) -> io::Result<Draft> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        set_mode(&mut options, replaces);
        let mut doomed = None;
        let made = tempfile::Builder::new()
            .prefix(".redkit-")
            .suffix(".tmp")
            .rand_bytes(10)
            .make_in(folder, |path| {
                let guard = Doomed::new(path);
                let file = options.open(path)?;
                Ok((file, doomed.insert(guard)).0)
            })?;
        let (file, temporary) = made.into_parts();
        Ok(Draft {
            temporary,
            folder: folder.to_path_buf(),
            file,
            _doomed: doomed.ok_or(io::ErrorKind::NotFound)?,
        })
    }

    /// Gives it owner, group, mode and extended attributes of another file, as far as the system
    /// allows; tells what it does not.
    pub fn carry_over(&self, from: &Path, old: &Metadata) -> Vec<&'static str> {
        attributes::carry_over(&self.file, from, old)
    }

    /// The file, for writing.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Its name until it gets its own.
    pub fn path(&self) -> &Path {
        &self.temporary
    }

    /// Makes sure that its bytes are on disk.
    ///
    /// # Errors
    /// What the system says; a file system that has no way to sync is no error.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all().or_else(ignore_unable)
    }

    /// Gives it its name, in place of whatever has it. The folder is not synced.
    ///
    /// # Errors
    /// What the system says; the old state is then still there.
    pub fn replace(self, target: &Path) -> io::Result<()> {
        Ok(self.temporary.persist(target)?)
    }

    /// Gives it its name, which nothing else may have. The folder is not synced.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] where something has it; what else the system says.
    pub fn name(self, target: &Path) -> io::Result<()> {
        self.try_name(target).map_err(|(error, _)| error)
    }

    /// The same; an error gives it back, so that it can be tried under another name.
    ///
    /// # Errors
    /// As [`name`](Self::name).
    pub fn try_name(self, target: &Path) -> Result<(), (io::Error, Option<Draft>)> {
        let Draft {
            temporary,
            folder,
            file,
            _doomed,
        } = self;
        match temporary.persist_noclobber(target) {
            Ok(()) => Ok(()),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                let draft = Draft {
                    temporary: error.path,
                    folder,
                    file,
                    _doomed,
                };
                Err((error.error, Some(draft)))
            }
            // Some file systems can only rename over what is there.
            Err(error) if fs::symlink_metadata(target).is_err() => {
                let renamed = error.path.persist(target);
                renamed.map_err(|error| (error.error, None))
            }
            Err(error) => Err((error.error, None)),
        }
    }

    /// The folder that it was made in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// What a name leads to in the end; the last step need not exist.
///
/// # Errors
/// Links in a circle.
pub fn follow_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..LINKS {
        match fs::read_link(&path) {
            Ok(to) => path = folder_of(&path).join(to),
            // Not a link, or nothing there.
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

/// The folder that a name stands in.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes sure that the names in a folder are on disk.
///
/// # Errors
/// What the system says.
#[cfg(unix)]
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    // A folder that may be written but not read cannot be opened, nor so synced.
    match File::open(folder) {
        Ok(folder) => folder.sync_all().or_else(ignore_unable),
        Err(_) => Ok(()),
    }
}

/// Makes sure that the names in a folder are on disk: the system does not offer it.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Makes sure that a file's bytes and size are on disk.
///
/// # Errors
/// What the system says; a file system that has no way to sync is no error.
pub fn sync_file(file: &File) -> io::Result<()> {
    file.sync_all().or_else(ignore_unable)
}

/// The same for several files, at once: a file system writes its journal once for those that it is
/// asked about together (400 small files on ext4: 0.1 s, one after the other 1.2 s).
///
/// # Errors
/// What the system says of one of them.
pub fn sync_all<'f>(files: impl Iterator<Item = &'f File>) -> io::Result<()> {
    let files: Vec<&File> = files.collect();
    match files.as_slice() {
        [] => Ok(()),
        [one] => sync_file(one),
        all => thread::scope(|scope| {
            let some = all.chunks(all.len().div_ceil(THREADS));
            let sync = |files: &[&File]| files.iter().try_for_each(|file| sync_file(file));
            let mut threads = Vec::new();
            for files in some {
                let thread = thread::Builder::new().spawn_scoped(scope, move || sync(files));
                match thread {
                    Ok(thread) => threads.push(thread),
                    // No more threads: then by this one.
                    Err(_) => sync(files)?,
                }
            }
            let mut done = threads.into_iter().map(|thread| thread.join());
            done.try_for_each(|done| {
                done.unwrap_or_else(|_| Err(io::Error::other("a thread failed")))
            })
        }),
    }
}

#[cfg(unix)]
fn set_mode(options: &mut OpenOptions, replaces: bool) {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(if replaces { 0o600 } else { 0o666 });
}

#[cfg(not(unix))]
fn set_mode(_: &mut OpenOptions, _: bool) {}

/// Some file systems have no way to sync.
fn ignore_unable(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported => Ok(()),
        _ => Err(error),
    }
}

/// Links followed before a circle is assumed, as in the system itself.
const LINKS: usize = 40;
/// Threads that wait for files to be on disk.
const THREADS: usize = 8;
