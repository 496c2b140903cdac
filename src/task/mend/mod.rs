//! Applies a plan to files, so that nothing is ever lost: whatever happens, and at whatever moment,
//! the old state is there or the new one, and what goes is kept first.

mod applied;
mod bytes;
mod folder;
mod keep;
mod plan;
mod set;
mod source;
mod write;

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::path::Path;

use crate::error::{Error, Hint, Result};
use crate::io::draft::{Draft, folder_of, sync_file, sync_folder};
use crate::io::output::cannot_write;
use crate::io::progress::Progress;
use crate::task::mend::keep::{Kept, Otherwise, keep_removed};
use crate::task::mend::source::{Opened, Told, about, refuse_held};

pub use applied::{Applied, How, KeptPiece, Lost, ManifestWritten, Written};
pub use bytes::write_bytes;
pub(crate) use folder::Place;
pub use plan::{FilePlan, Inserted, Keep, Part, Plan, Removed, Seen, SetPlan};
pub use write::write_to;

/// Applies a plan in place; symbolic links are followed.
///
/// Of a single file, or where the last file of a set only ends earlier: what goes is kept beside it as
/// `NAME.removed-OFFSET`, and the file is cut, or written anew where more than its end changes or it
/// has more than one name. Where more of a set changes, the files that change are written under new
/// names, the old ones stay, the old manifest is kept as `NAME.orig`, and the renaming of a new
/// manifest is the one moment at which the new state comes to be. `force` changes files that another
/// process holds open.
///
/// Progress counts the bytes that are written.
///
/// # Errors
/// [`Usage`](crate::error::ErrorKind::Usage) for a file that is held open, and for a plan that is
/// none; [`Io`](crate::error::ErrorKind::Io) where what goes cannot be kept, the disk is full, or a
/// file is no longer what the plan was made for. Nothing is changed then, unless the error says so.
pub fn apply_in_place(
    plan: &Plan,
    keep: &Keep,
    force: bool,
    progress: &dyn Progress,
) -> Result<Applied> {
    let mut told = Told::new(progress);
    match plan {
        Plan::File(plan) => {
            let file = Opened::open(plan)?;
            if plan.is_unchanged() {
                return Ok(Applied::default());
            }
            let files = [file];
            refuse_held(&files, force)?;
            let [file] = &files;
            progress.size(Some(work_in_place(file, keep)));
            apply_to_file(file, keep, &mut told)
        }
        Plan::Set(plan) => set::apply_in_place(plan, keep, force, &mut told),
    }
}

/// Bytes that will be written.
fn work_in_place(file: &Opened<'_>, keep: &Keep) -> u64 {
    let rest = if is_cut(file) { 0 } else { file.kept_size() };
    rest + file.removed_size_if(!keep.discard_removed)
}

fn is_cut(file: &Opened<'_>) -> bool {
    // Operators keep backups as hard links: what is cut is cut under every name.
    file.plan.only_cuts_tail() && file.links() == 1
}

/// Changes one file under its own name.
fn apply_to_file(file: &Opened<'_>, keep: &Keep, told: &mut Told<'_>) -> Result<Applied> {
    let name = file.path.file_name().unwrap_or_default().to_os_string();
    let files = std::slice::from_ref(file);
    let becomes = [name.clone()];
    let kept = keep_removed(files, &becomes, &name, keep, Otherwise::Beside, told)?;
    let mut applied = Applied::default();
    let (done, how) = match is_cut(file) {
        true => (cut(file, kept, &mut applied), How::Cut),
        false => (replace(file, kept, &mut applied, told), How::Replaced),
    };
    done?;
    applied.files.push(Written {
        path: file.path.clone(),
        from: file.path.clone(),
        size: file.plan.new_size(),
        how,
    });
    Ok(applied)
}

/// Cuts the end off a file whose removed bytes are on disk elsewhere.
fn cut(file: &Opened<'_>, kept: Kept, applied: &mut Applied) -> Result<()> {
    let failed = |error| about(&file.path, "cannot be cut", error);
    let open = OpenOptions::new().write(true).open(&file.path);
    let open = open.map_err(failed)?;
    file.check_is(&open.metadata().map_err(failed)?)?;
    let done = open.set_len(file.plan.new_size());
    // Whatever an error says: what is gone from the file must stay where it is kept.
    if done.is_ok() || !open.metadata().is_ok_and(|now| now.len() == file.plan.size) {
        kept.told_in(applied);
    }
    done.map_err(failed)?;
    sync_file(&open).map_err(|error| about(&file.path, "is cut, perhaps not on disk yet", error))
}

/// Writes a file anew and gives it the name of the old one.
fn replace(
    file: &Opened<'_>,
    kept: Kept,
    applied: &mut Applied,
    told: &mut Told<'_>,
) -> Result<()> {
    let folder = folder_of(&file.path);
    let (draft, lost) = draft_of(file, folder, told)?;
    file.check_unchanged()?;
    let done = draft.replace(&file.path);
    if done.is_ok() || file.check_unchanged().is_err() {
        kept.told_in(applied);
    }
    applied.warnings.extend(lost.map(|what| Lost {
        path: file.path.clone(),
        what,
    }));
    done.map_err(|error| about(&file.path, "cannot be replaced", error))?;
    let synced = sync_folder(folder);
    synced.map_err(|error| about(&file.path, "is replaced, perhaps not on disk yet", error))
}

/// What a file becomes, on disk under a temporary name; and what it could not be given.
fn draft_of(
    file: &Opened<'_>,
    folder: &Path,
    told: &mut Told<'_>,
) -> Result<(Draft, Option<Vec<&'static str>>)> {
    let failed = |error| cannot_write_in(folder, &file.path, error);
    let draft = Draft::new(folder, true).map_err(failed)?;
    let lost = draft.carry_over(&file.path, &file.metadata);
    file.write_new(told, |bytes| draft.file().write_all(bytes).map_err(failed))?;
    draft.sync().map_err(failed)?;
    Ok((draft, Some(lost).filter(|lost| !lost.is_empty())))
}

#[cold]
fn cannot_write_in(folder: &Path, file: &Path, error: io::Error) -> Error {
    let name = file.file_name().unwrap_or(OsStr::new("a file"));
    let text = format!("{} anew in {}", Path::new(name).display(), folder.display());
    cannot_write(&text, error).with_hint(Hint::Other("`-o` writes elsewhere"))
}

impl Kept {
    /// What was kept stays, and is told.
    fn told_in(self, applied: &mut Applied) {
        self.laid.stay();
        applied.kept = self.pieces;
        applied.index = self.index;
        applied.warnings.extend(self.lost);
    }
}
