//! Where a new folder of a set will stand.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::aof::set::AofName;
use crate::error::{Error, Hint, Result};
use crate::io::draft::{folder_of, follow_links};
use crate::io::draft_folder::DraftFolder;
use crate::io::output::{Existing, cannot_write, exists, is_standard_output};
use crate::task::mend::source::about;

/// A place for a folder, looked at before anything is written.
pub(crate) struct Place {
    /// The path as given.
    name: String,
    /// Links resolved.
    pub(crate) target: PathBuf,
    /// The same, as far as it exists.
    pub(crate) there: PathBuf,
    /// What is there and will be replaced.
    pub(crate) replaced: Option<fs::Metadata>,
}

impl Place {
    /// Looks at a place. It must not lie in the folder of the input, nor hold it, nor anything that is
    /// of no set; `own` are names that are of one in any case.
    ///
    /// # Errors
    /// [`Usage`](crate::error::ErrorKind::Usage) where it may not be written there;
    /// [`Io`](crate::error::ErrorKind::Io) where it cannot.
    pub(crate) fn of(
        out: &Path,
        existing: Existing,
        source: Option<&Path>,
        own: &[Vec<u8>],
    ) -> Result<Place> {
        let name = out.display().to_string();
        if is_standard_output(out) {
            return Err(Error::usage(
                "a set has several files: it is written to a folder",
            ));
        }
        // Without a slash at the end, which would keep a link from being seen.
        let out: PathBuf = out.components().collect();
        let failed = |error| cannot_write(&name, error);
        let target = follow_links(&out).map_err(failed)?;
        let real = |path: &Path| fs::canonicalize(path);
        let parent = real(folder_of(&target)).map_err(failed)?;
        let source = match source {
            Some(folder) => {
                Some(real(folder).map_err(|error| about(folder, "cannot be read", error))?)
            }
            None => None,
        };
        if source
            .as_ref()
            .is_some_and(|source| parent.starts_with(source))
        {
            return Err(Error::usage(format!(
                "{name} is in the folder of the input"
            )));
        }
        let mut place = Place {
            name,
            there: parent.join(target.file_name().unwrap_or_default()),
            target,
            replaced: None,
        };
        let metadata = match fs::metadata(&place.target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(place),
            metadata => metadata.map_err(|error| cannot_write(&place.name, error))?,
        };
        if !metadata.is_dir() {
            let name = &place.name;
            return Err(Error::usage(format!(
                "{name} is no folder, and a set needs one"
            )));
        }
        let failed = |error| cannot_write(&place.name, error);
        place.there = real(&place.target).map_err(failed)?;
        if source.is_some_and(|source| source.starts_with(&place.there)) {
            return Err(place.holds_input());
        }
        if existing == Existing::Refuse {
            return Err(exists(&place.name));
        }
        refuse_foreign(&place.there, &place.name, own).map_err(failed)??;
        place.replaced = Some(metadata);
        Ok(place)
    }

    /// The error of a place that has the input in it.
    #[cold]
    pub(crate) fn holds_input(&self) -> Error {
        Error::usage(format!("{} has the input in it", self.name))
    }

    /// Gives a new folder its name, in one step; gives the place where what it replaced still is, when
    /// that could not be removed.
    ///
    /// # Errors
    /// What keeps it from its name; the old state is then still there.
    pub(crate) fn commit(self, draft: DraftFolder) -> Result<Option<PathBuf>> {
        let failed = |error| cannot_write(&self.name, error);
        match self.replaced {
            None => match draft.name(&self.target) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    Err(exists(&self.name))
                }
                done => done.map(|()| None).map_err(failed),
            },
            Some(_) => match draft.swap(&self.target) {
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    let text = format!("{} cannot be replaced in one step here", self.name);
                    Err(Error::usage(text).with_hint(Hint::Other("write to a new folder")))
                }
                done => done.map_err(failed),
            },
        }
    }
}

/// A folder is replaced with everything in it: one that holds more than a set is not meant.
fn refuse_foreign(folder: &Path, name: &str, own: &[Vec<u8>]) -> io::Result<Result<()>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let found = entry.file_name();
        let bytes = found.as_encoded_bytes();
        let is_ours = is_of_a_set(bytes) || own.iter().any(|name| name == bytes);
        if !is_ours || !entry.file_type()?.is_file() {
            let found = found.display();
            let text =
                format!("{name} holds \"{found}\", which is no file of a set: it is not replaced");
            return Ok(Err(Error::usage(text)));
        }
    }
    Ok(Ok(()))
}

fn is_of_a_set(name: &[u8]) -> bool {
    AofName::parse(name).is_some()
        || name.ends_with(b".manifest")
        || memchr::memmem::find(name, b".manifest.orig").is_some()
        || memchr::memmem::find(name, b".removed-").is_some()
        || name.starts_with(b"temp-")
}
