//! Where bytes go to: a file that appears whole or not at all, or a stream.
//!
//! A file is written under a temporary name in its own folder, synced, and renamed over the old
//! one, and then the folder is synced: whatever happens, the old state or the new state is there.
//! Dropping an [`Output`] that was not finished removes the temporary file, and so does a signal
//! that ends the process. Pipes and devices are written through.

use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, IsTerminal, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Hint, Result};
use crate::io::draft::{Draft, folder_of, follow_links, sync_folder};
use crate::io::echo::Echo;

/// What to do where the output exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Refuse, so that nothing is lost by a slip.
    Refuse,
    /// Replace it.
    Replace,
}

/// An output. Chunks of 64 KiB and more are passed on as they are, smaller ones gathered.
pub struct Output {
    name: String,
    file: File,
    buffer: Vec<u8>,
    pending: Option<Pending>,
    /// Where what is written is read back at once.
    echo: Option<Box<Echo>>,
    terminal: bool,
    written: u64,
    failed: bool,
}

/// A file that has not got its name yet.
struct Pending {
    draft: Draft,
    target: PathBuf,
    existing: Existing,
    lost: Vec<&'static str>,
}

impl Output {
    /// An output to a file, pipe or device; `-` and the names of the standard output give
    /// [`stdout`](Self::stdout). A symbolic link stays, what it leads to is replaced. A file that
    /// is replaced hands on its owner, group, mode and extended attributes as far as the system allows.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] where the file exists and may not be replaced, or a folder stands
    /// there; [`ErrorKind::Io`] where nothing can be written there.
    pub fn create(path: &Path, existing: Existing) -> Result<Output> {
        if is_standard_output(path) {
            return Output::stdout();
        }
        let name = path.display().to_string();
        let old = match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                return Err(Error::usage(format!("{name} is a folder, not a file")));
            }
            Ok(metadata) if !metadata.is_file() || is_descriptor(path) => {
                let through = OpenOptions::new()
                    .append(metadata.is_file())
                    .write(true)
                    .open(path);
                let file = through.map_err(|error| cannot_write(&name, error))?;
                return Ok(Output::of(name, file, None));
            }
            Ok(_) if existing == Existing::Refuse => return Err(exists(&name)),
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(cannot_write(&name, error)),
        };
        if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(Error::usage(format!("{name} names a folder, not a file")));
        }
        match Pending::new(path, existing, old.as_ref()) {
            Ok((file, pending)) => Ok(Output::of(name, file, Some(pending))),
            Err(error) => Err(cannot_write(&name, error)),
        }
    }

    /// The standard output, without the standard library's own buffer.
    ///
    /// # Errors
    /// The process has none.
    pub fn stdout() -> Result<Output> {
        let name = "stdout".to_owned();
        match standard_output() {
            Ok(file) => Ok(Output::of(name, file, None)),
            Err(error) => Err(cannot_write(&name, error)),
        }
    }

    fn of(name: String, file: File, pending: Option<Pending>) -> Output {
        Output {
            terminal: pending.is_none() && file.is_terminal(),
            name,
            file,
            buffer: Vec::new(),
            pending,
            echo: None,
            written: 0,
            failed: false,
        }
    }

    /// Writes bytes.
    ///
    /// # Errors
    /// [`ErrorKind::ClosedPipe`] where the reader went away, [`ErrorKind::Io`] for anything else.
    /// After an error nothing more is written, and [`finish`](Self::finish) fails.
    pub fn write_all(&mut self, bytes: &[u8]) -> Result<()> {
        self.put(bytes)
            .map_err(|error| cannot_write(&self.name, error))
    }

    /// From now on all is read back as it is written, and another byte there is an error; false where
    /// it goes through. Nothing is written yet.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where the file cannot be read.
    pub(crate) fn read_back(&mut self) -> Result<bool> {
        let echo = self.temporary().map(Echo::of).transpose();
        let echo = echo.map_err(|error| cannot_write(&self.name, error))?;
        self.echo = echo.map(Box::new);
        Ok(self.echo.is_some())
    }

    /// Passes on what was gathered.
    ///
    /// # Errors
    /// As [`write_all`](Self::write_all).
    pub fn flush(&mut self) -> Result<()> {
        self.pass_on()
            .map_err(|error| cannot_write(&self.name, error))
    }

    /// Takes back what was written to a file that has no name yet.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] where it went through; [`ErrorKind::Io`] for what the system says.
    pub(crate) fn begin_anew(&mut self) -> Result<()> {
        if self.pending.is_none() {
            return Err(Error::usage(format!("{} cannot be begun anew", self.name)));
        }
        let emptied = empty(&mut self.file);
        emptied.map_err(|error| cannot_write(&self.name, error))?;
        self.buffer.clear();
        if let Some(echo) = &mut self.echo {
            echo.begin_anew();
        }
        (self.written, self.failed) = (0, false);
        Ok(())
    }

    /// Passes on what was gathered; a file gets its name. Gives the number of bytes written.
    ///
    /// # Errors
    /// As [`write_all`](Self::write_all); [`ErrorKind::Usage`] where a file that may not be
    /// replaced appeared meanwhile. The old state is then still there.
    pub fn finish(mut self) -> Result<u64> {
        self.flush()?;
        if let Some(pending) = self.pending.take() {
            let synced = pending.draft.sync();
            match synced.and_then(|()| pending.commit()) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(exists(&self.name));
                }
                done => done.map_err(|error| cannot_write(&self.name, error))?,
            }
        }
        Ok(self.written)
    }

    /// Refuses a terminal, for bytes that are no text.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] on a terminal.
    pub fn refuse_terminal(&self) -> Result<()> {
        if self.terminal {
            return Err(
                Error::usage("this is binary data, and the output is a terminal")
                    .with_hint(Hint::Other("`-o FILE` writes it to a file")),
            );
        }
        Ok(())
    }

    /// True where people look on.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Bytes written, gathered ones included.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// The name for people: the path as given, or `stdout`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file's name until it is finished, so that it can be read back first; flush before.
    pub fn temporary(&self) -> Option<&Path> {
        self.pending.as_ref().map(|pending| pending.draft.path())
    }

    /// What of the replaced file could not be handed on: "owner", "group", "mode",
    /// "extended attributes".
    pub fn lost(&self) -> &[&'static str] {
        self.pending.as_ref().map_or(&[], |pending| &pending.lost)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() >= DIRECT || self.terminal {
            self.pass_on()?;
            self.check()?;
            let sent = send_to(&mut self.file, self.echo.as_deref_mut(), bytes);
            self.failed |= sent.is_err();
            sent?;
        } else {
            if self.buffer.len() + bytes.len() > GATHERED {
                self.pass_on()?;
            }
            self.check()?;
            self.buffer.extend_from_slice(bytes);
        }
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn pass_on(&mut self) -> io::Result<()> {
        self.check()?;
        if !self.buffer.is_empty() {
            let sent = send_to(&mut self.file, self.echo.as_deref_mut(), &self.buffer);
            self.failed |= sent.is_err();
            self.buffer.clear();
            sent?;
        }
        Ok(())
    }

    fn check(&self) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("writing failed before"));
        }
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.put(bytes)?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        self.pass_on()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // What was good before an error is still shown where it goes through; a file that was not
        // finished goes away.
        if self.pending.is_none() && !self.failed {
            let _ = self.pass_on();
        }
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("name", &self.name)
            .field("written", &self.written)
            .field("temporary", &self.temporary())
            .finish_non_exhaustive()
    }
}

impl Pending {
    fn new(path: &Path, existing: Existing, old: Option<&Metadata>) -> io::Result<(File, Pending)> {
        let target = follow_links(path)?;
        let draft = Draft::new(folder_of(&target), old.is_some())?;
        let file = draft.file().try_clone()?;
        let lost = old.map_or_else(Vec::new, |old| draft.carry_over(&target, old));
        let pending = Pending {
            draft,
            target,
            existing,
            lost,
        };
        Ok((file, pending))
    }

    /// Gives the synced file its name.
    fn commit(self) -> io::Result<()> {
        match self.existing {
            Existing::Replace => self.draft.replace(&self.target)?,
            Existing::Refuse => self.draft.name(&self.target)?,
        }
        sync_folder(folder_of(&self.target))
    }
}

/// Takes everything out of a file, so that it is written from its start.
pub(crate) fn empty(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()
}

fn send_to(file: &mut File, echo: Option<&mut Echo>, bytes: &[u8]) -> io::Result<()> {
    match echo {
        Some(echo) => echo.write(file, bytes),
        None => send(file, bytes),
    }
}

/// Writes all, also to a descriptor that somebody else has set to non-blocking.
pub(super) fn send(file: &mut File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(WAIT),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// True for the names of the standard output.
pub(crate) fn is_standard_output(path: &Path) -> bool {
    STANDARD_OUTPUT.iter().any(|name| path == Path::new(name))
}

/// True for a name of one of the process's own descriptors: a file there is not ours to replace.
fn is_descriptor(path: &Path) -> bool {
    path == Path::new("/dev/stderr")
        || path.starts_with("/dev/fd")
        || path.starts_with("/proc/self/fd")
}

#[cfg(unix)]
fn standard_output() -> io::Result<File> {
    use std::os::fd::AsFd;
    Ok(io::stdout().as_fd().try_clone_to_owned()?.into())
}

#[cfg(windows)]
fn standard_output() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    Ok(io::stdout().as_handle().try_clone_to_owned()?.into())
}

#[cold]
pub(crate) fn exists(name: &str) -> Error {
    Error::usage(format!("{name} exists")).with_hint(Hint::Other("`--force` replaces it"))
}

#[cold]
pub(crate) fn cannot_write(name: &str, error: io::Error) -> Error {
    let kind = error.kind();
    if kind == io::ErrorKind::BrokenPipe {
        return Error::new(ErrorKind::ClosedPipe);
    }
    if is_missing_page(&error) {
        // The bytes to write stood in the map of an input. Writing does not raise a signal.
        let text = "the input was cut short while it was read";
        return Error::new(ErrorKind::Io(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            text,
        )))
        .with_hint(Hint::Other(
            "with `--no-mmap` everything before the cut is still read",
        ));
    }
    let error = io::Error::new(kind, format!("cannot write {name}: {error}"));
    match kind {
        io::ErrorKind::QuotaExceeded => Error::from(error).with_hint(Hint::FreeSpace),
        _ => Error::from(error),
    }
}

#[cfg(unix)]
fn is_missing_page(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EFAULT)
}

#[cfg(not(unix))]
fn is_missing_page(_: &io::Error) -> bool {
    false
}

/// Names of the standard output: opening them anew would write over the start of a file.
const STANDARD_OUTPUT: [&str; 4] = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];
/// Chunks from this size on are not gathered.
const DIRECT: usize = 64 << 10;
/// What is gathered at most.
const GATHERED: usize = 256 << 10;
/// Pause before a full non-blocking pipe is tried again.
const WAIT: Duration = Duration::from_millis(1);

#[cfg(all(test, unix))]
mod tests;
