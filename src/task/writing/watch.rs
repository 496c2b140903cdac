//! Sees that files are not changed while they are read.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::{Error, Hint, Result};
use crate::io::source::{Identity, Origin};
use crate::task::log_files::LogFiles;
use crate::task::logs::Logs;

/// Files as they were when they were first looked at.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    files: Vec<(PathBuf, Option<State>)>,
}

/// What a change would show in: which file it is, its size, when it was modified.
type State = (Option<Identity>, u64, Option<SystemTime>);

fn state(of: &Metadata) -> State {
    (Identity::of(of), of.len(), of.modified().ok())
}

impl Watch {
    /// A single input, as it was when it was opened; one that is no regular file cannot change.
    pub(crate) fn of_origin(origin: &Origin) -> Watch {
        let file = origin.path().zip(origin.size());
        let state = |size| (origin.identity(), size, origin.modified());
        let file = file.map(|(path, size)| (path.to_path_buf(), Some(state(size))));
        Watch {
            files: file.into_iter().collect(),
        }
    }

    /// The files of a log.
    pub(crate) fn of(files: &LogFiles) -> Watch {
        let (set, found) = match (files.logs(), files.set()) {
            (Logs::One(log), _) => return Watch::of_origin(&log.origin),
            (Logs::Set(_), Some(found)) => found,
            (Logs::Set(_), None) => return Watch::default(),
        };
        let mut watch = Watch::default();
        let upgrade = found.start == crate::aof::set::Start::Upgrade;
        for file in &found.files {
            watch.add(set.path(&file.name, upgrade));
        }
        if let Some((name, _)) = &set.listing.manifest {
            watch.add(set.path(name, false));
        }
        watch
    }

    fn add(&mut self, path: PathBuf) {
        let state = fs::metadata(&path).ok().map(|found| state(&found));
        self.files.push((path, state));
    }

    /// Whether a path leads to one of them.
    pub(crate) fn has(&self, path: &Path) -> bool {
        let Some(own) = fs::metadata(path).ok().and_then(|of| Identity::of(&of)) else {
            return false;
        };
        let mut states = self.files.iter().filter_map(|(_, state)| state.as_ref());
        states.any(|state| state.0 == Some(own))
    }

    /// Whether one of them lies in a folder.
    pub(crate) fn is_in(&self, folder: &Path) -> bool {
        let paths = self.files.iter().map(|(path, _)| fs::canonicalize(path));
        paths.flatten().any(|path| path.starts_with(folder))
    }

    /// Sees that they are as they were.
    ///
    /// # Errors
    /// [`Io`](crate::error::ErrorKind::Io) where one has changed.
    pub(crate) fn check(&self) -> Result<()> {
        for (path, before) in &self.files {
            let now = fs::metadata(path).ok().map(|found| state(&found));
            if now != *before {
                let text = format!("{} changed while it was read", path.display());
                return Err(Error::from(io::Error::other(text))
                    .with_hint(Hint::Other("copy it first, or stop who writes to it")));
            }
        }
        Ok(())
    }
}
