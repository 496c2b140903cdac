//! A file that is to change: opened, held against its plan, and watched.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Hint, Result};
use crate::io::copy::Copier;
use crate::io::held;
use crate::io::progress::Progress;
use crate::io::source::Identity;
use crate::task::mend::plan::{FilePlan, Part};

/// A file that a plan was made for, as it is now.
#[derive(Debug)]
pub(super) struct Opened<'p> {
    pub(super) plan: &'p FilePlan,
    /// Links resolved.
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) metadata: Metadata,
}

impl<'p> Opened<'p> {
    /// Opens it, and sees that it still is what the plan was made for.
    pub(super) fn open(plan: &'p FilePlan) -> Result<Opened<'p>> {
        plan.check()?;
        let named = |error| about(&plan.path, "cannot be opened", error);
        let path = fs::canonicalize(&plan.path).map_err(named)?;
        // A pipe that took the file's place would be waited for.
        if !fs::metadata(&path).map_err(named)?.is_file() {
            let text = format!("{} is no regular file", plan.path.display());
            return Err(Error::usage(text));
        }
        let file = File::open(&path).map_err(named)?;
        let metadata = file.metadata().map_err(named)?;
        let identity = Identity::of(&metadata);
        let seen = &plan.seen;
        if metadata.len() != plan.size
            || seen.identity.is_some_and(|seen| Some(seen) != identity)
            || (seen.modified).is_some_and(|seen| Some(seen) != metadata.modified().ok())
        {
            return Err(changed(&plan.path));
        }
        Ok(Opened {
            plan,
            path,
            file,
            metadata,
        })
    }

    /// Sees that it has not changed since it was opened, nor its name been given to another.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        let now = fs::metadata(&self.path).map_err(|_| changed(&self.plan.path))?;
        self.check_is(&now)
    }

    /// Sees that these are still the metadata that it was opened with.
    pub(super) fn check_is(&self, now: &Metadata) -> Result<()> {
        let state = |of: &Metadata| (Identity::of(of), of.len(), of.modified().ok());
        if state(now) != state(&self.metadata) {
            return Err(changed(&self.plan.path));
        }
        Ok(())
    }

    /// How many names the file has.
    #[cfg(unix)]
    pub(super) fn links(&self) -> u64 {
        std::os::unix::fs::MetadataExt::nlink(&self.metadata)
    }

    /// How many names the file has: more than one, where that cannot be asked.
    #[cfg(not(unix))]
    pub(super) fn links(&self) -> u64 {
        u64::MAX
    }

    /// Bytes of the original that stay.
    pub(super) fn kept_size(&self) -> u64 {
        self.plan.size.saturating_sub(self.plan.removed_size())
    }

    /// Bytes that go, where they are written somewhere.
    pub(super) fn removed_size_if(&self, written: bool) -> u64 {
        if written { self.plan.removed_size() } else { 0 }
    }

    /// Hands on what the file becomes.
    pub(super) fn write_new(
        &self,
        told: &mut Told<'_>,
        mut to: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        for part in self.plan.parts() {
            match part {
                Part::New(bytes) => to(bytes)?,
                Part::Kept(range) => {
                    let read = told.copier.copy(&self.file, range, |bytes| {
                        to(bytes)?;
                        told.done += bytes.len() as u64;
                        told.progress.at(told.done);
                        Ok(())
                    });
                    read.map_err(|error| self.named(error))?;
                }
            }
        }
        Ok(())
    }

    /// A file that ends too early was cut by somebody else.
    pub(super) fn named(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Io(io) if io.kind() == io::ErrorKind::UnexpectedEof => {
                changed(&self.plan.path)
            }
            _ => error,
        }
    }
}

/// The buffer, and who is told how far it is.
pub(super) struct Told<'t> {
    pub(super) copier: Copier,
    pub(super) progress: &'t dyn Progress,
    pub(super) done: u64,
}

impl<'t> Told<'t> {
    pub(super) fn new(progress: &'t dyn Progress) -> Told<'t> {
        Told {
            copier: Copier::new(),
            progress,
            done: 0,
        }
    }
}

/// Refuses files that another process holds open.
pub(super) fn refuse_held(files: &[Opened<'_>], force: bool) -> Result<()> {
    if force {
        return Ok(());
    }
    let metadata: Vec<Metadata> = files.iter().map(|file| file.metadata.clone()).collect();
    let holders = held::holders(&metadata);
    let Some(first) = holders.first() else {
        return Ok(());
    };
    let file = files.get(first.file);
    let path = file.map_or(Path::new("the file"), |file| &file.plan.path);
    let (path, pid, command) = (path.display(), first.pid, &first.command);
    let more = match holders.len() - 1 {
        0 => String::new(),
        more => format!(", and the files by {more} more"),
    };
    let text = format!("{path} is held open by process {pid} ({command}){more}");
    Err(Error::usage(text).with_hint(Hint::Other(
        "stop what uses the file; `--force` changes it all the same",
    )))
}

#[cold]
pub(super) fn changed(path: &Path) -> Error {
    let text = format!("{} changed while it was worked on", path.display());
    io::Error::other(text).into()
}

/// An error of the system, with the file that it is about and what went wrong.
#[cold]
pub(super) fn about(path: &Path, what: &str, error: io::Error) -> Error {
    let text = format!("{} {what}: {error}", path.display());
    io::Error::new(error.kind(), text).into()
}
