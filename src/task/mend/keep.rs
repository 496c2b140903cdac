//! Keeps the bytes that go, before they go.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::encoding::crc64::Crc64;
use crate::error::{Error, ErrorKind, Hint, Result};
use crate::io::draft::{Draft, folder_of, sync_all, sync_folder};
use crate::report::json_report::removed::{FileChange, Index, Piece};
use crate::task::mend::applied::{KeptPiece, Lost};
use crate::task::mend::plan::{Keep, Removed};
use crate::task::mend::source::{Opened, Told};

/// New files that go again unless what they were made for is done.
#[derive(Debug, Default)]
pub(super) struct Laid {
    paths: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Laid {
    /// Names a draft so that nothing that is there is lost: `NAME`, `NAME.1`, `NAME.2`, …
    pub(super) fn lay(
        &mut self,
        mut draft: Draft,
        folder: &Path,
        name: &OsStr,
    ) -> io::Result<PathBuf> {
        for number in 0..MOST {
            let path = folder.join(numbered(name, number));
            match draft.try_name(&path) {
                Ok(()) => {
                    self.paths.push(path.clone());
                    return Ok(path);
                }
                Err((error, Some(back))) if error.kind() == io::ErrorKind::AlreadyExists => {
                    draft = back;
                }
                Err((error, _)) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Names a draft just so.
    pub(super) fn lay_as(&mut self, draft: Draft, path: &Path) -> io::Result<()> {
        draft.name(path)?;
        self.paths.push(path.to_path_buf());
        Ok(())
    }

    /// What they were made for is done: they stay.
    pub(super) fn stay(mut self) {
        self.paths.clear();
        self.folders.clear();
    }
}

impl Drop for Laid {
    fn drop(&mut self) {
        for path in &self.paths {
            let _ = fs::remove_file(path);
        }
        for folder in self.folders.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// What was kept.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) laid: Laid,
    pub(super) pieces: Vec<KeptPiece>,
    pub(super) index: Option<PathBuf>,
    pub(super) lost: Vec<Lost>,
}

/// Where bytes that go are kept when no quarantine is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Otherwise {
    /// Beside their file.
    Beside,
    /// They are still in their file, which is left as it is.
    InPlace,
}

/// Keeps what goes from these files; on disk when this returns. `becomes` tells, for the index,
/// under which bare name each file stands afterwards; `name` is what the index is called after.
pub(super) fn keep_removed(
    files: &[Opened<'_>],
    becomes: &[OsString],
    name: &OsStr,
    keep: &Keep,
    otherwise: Otherwise,
    told: &mut Told<'_>,
) -> Result<Kept> {
    let mut kept = Kept::default();
    if keep.discard_removed && keep.quarantine.is_some() {
        let text = "removed bytes are either kept in a quarantine or discarded";
        return Err(Error::usage(text));
    }
    if keep.discard_removed || (keep.quarantine.is_none() && otherwise == Otherwise::InPlace) {
        return Ok(kept);
    }
    if let Some(folder) = &keep.quarantine {
        make_folder(folder, &mut kept.laid).map_err(|error| cannot_keep(folder, error))?;
    }
    let mut index = Index::default();
    for (file, becomes) in files.iter().zip(becomes) {
        let folder = keep.quarantine.as_deref();
        let folder = folder.unwrap_or_else(|| folder_of(&file.path));
        let mut pieces = Vec::new();
        for some in file.plan.removed.chunks(TOGETHER) {
            pieces.extend(keep_pieces(file, some, folder, &mut kept, told)?);
        }
        if keep.quarantine.is_none() && !pieces.is_empty() {
            sync_folder(folder).map_err(|error| cannot_keep(folder, error))?;
        }
        let inserted = file
            .plan
            .inserted
            .iter()
            .filter(|new| !new.bytes.is_empty());
        index.files.push(FileChange {
            path: file.path.as_os_str().as_encoded_bytes().to_vec(),
            becomes: becomes.as_encoded_bytes().to_vec(),
            size: file.plan.size,
            new_size: file.plan.new_size(),
            pieces,
            inserted: inserted
                .map(|new| (new.at, new.bytes.len() as u64))
                .collect(),
        });
    }
    if let Some(folder) = &keep.quarantine {
        let mut full = name.to_os_string();
        full.push(".removed.json");
        let write = |kept: &mut Kept| {
            let draft = Draft::new(folder, false)?;
            let mut file = draft.file();
            file.write_all(index.to_json().as_bytes())?;
            draft.sync()?;
            kept.index = Some(kept.laid.lay(draft, folder, &full)?);
            sync_folder(folder)
        };
        write(&mut kept).map_err(|error| cannot_keep(folder, error))?;
    }
    Ok(kept)
}

/// Keeps some regions, each under its own name.
fn keep_pieces(
    file: &Opened<'_>,
    regions: &[Removed],
    folder: &Path,
    kept: &mut Kept,
    told: &mut Told<'_>,
) -> Result<Vec<Piece>> {
    let failed = |error| cannot_keep(folder, error);
    let mut drafts = Vec::new();
    for region in regions {
        // What is removed is nobody's to read who could not read the file.
        let draft = Draft::new(folder, true).map_err(failed)?;
        let what = draft.carry_over(&file.path, &file.metadata);
        let mut sum = Crc64::new();
        let range = region.start..region.end;
        let read = told.copier.copy(&file.file, range, |bytes| {
            draft.file().write_all(bytes).map_err(failed)?;
            sum.update(bytes);
            told.done += bytes.len() as u64;
            told.progress.at(told.done);
            Ok(())
        });
        read.map_err(|error| file.named(error))?;
        drafts.push((draft, what, sum.value()));
    }
    sync_all(drafts.iter().map(|(draft, ..)| draft.file())).map_err(failed)?;
    let own = file.path.file_name().unwrap_or_default();
    let mut pieces = Vec::new();
    for ((draft, what, crc64), region) in drafts.into_iter().zip(regions) {
        let Removed { start, end, why } = *region;
        let mut name = own.to_os_string();
        name.push(format!(".removed-{start}"));
        let path = kept.laid.lay(draft, folder, &name).map_err(failed)?;
        let name = path.file_name().unwrap_or_default();
        pieces.push(Piece {
            range: start..end,
            why,
            name: name.as_encoded_bytes().to_vec(),
            crc64,
        });
        if !what.is_empty() {
            let path = path.clone();
            kept.lost.push(Lost { path, what });
        }
        kept.pieces.push(KeptPiece {
            file: file.path.clone(),
            start,
            end,
            path,
        });
    }
    Ok(pieces)
}

/// Makes a folder where there is none, and those that it stands in, their names synced.
fn make_folder(folder: &Path, laid: &mut Laid) -> io::Result<()> {
    let missing = folder
        .ancestors()
        .take_while(|folder| !folder.as_os_str().is_empty() && fs::metadata(folder).is_err());
    let mut missing: Vec<PathBuf> = missing.map(Path::to_path_buf).collect();
    while let Some(folder) = missing.pop() {
        match fs::create_dir(&folder) {
            Ok(()) => laid.folders.push(folder.clone()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
            Err(error) => return Err(error),
        }
        sync_folder(folder_of(&folder))?;
    }
    Ok(())
}

/// `NAME`, `NAME.1`, `NAME.2`, …
pub(super) fn numbered(name: &OsStr, number: u32) -> OsString {
    let mut name = name.to_os_string();
    if number > 0 {
        name.push(format!(".{number}"));
    }
    name
}

#[cold]
fn cannot_keep(folder: &Path, error: io::Error) -> Error {
    let folder = folder.display();
    let text =
        format!("the removed bytes cannot be kept in {folder}, so nothing is changed: {error}");
    // Not by way of `From`, which has advice of its own for a full disk.
    Error::new(ErrorKind::Io(io::Error::new(error.kind(), text))).with_hint(Hint::Other(
        "`--quarantine DIR` keeps them elsewhere, `--discard-removed` does not keep them",
    ))
}

/// Names tried before it is given up.
const MOST: u32 = 1_000_000;

/// Pieces that are made sure of at a time.
const TOGETHER: usize = 32;
