//! Applies a plan to a copy: the source is never touched.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::Path;

use crate::aof::manifest::Role;
use crate::aof::set::path_in;
use crate::error::{Error, Hint, Result};
use crate::io::draft_folder::DraftFolder;
use crate::io::output::{Existing, Output, cannot_write};
use crate::io::progress::Progress;
use crate::io::source::Identity;
use crate::task::mend::applied::{Applied, How, Lost, ManifestWritten, Written};
use crate::task::mend::folder::Place;
use crate::task::mend::keep::{Otherwise, keep_removed};
use crate::task::mend::plan::{FilePlan, Keep, Plan, SetPlan};
use crate::task::mend::set::{self, OldManifest, fixed_names};
use crate::task::mend::source::{Opened, Told};

/// Writes what a plan makes of its files to somewhere else: a file, or `-` for the standard output,
/// for a single file; a new folder for a set, with the files under the names that they have.
///
/// Removed bytes are still in the source, so they are kept elsewhere only in a quarantine.
///
/// # Errors
/// [`Usage`](crate::error::ErrorKind::Usage) where the output exists and may not be replaced, or is
/// the source; [`Io`](crate::error::ErrorKind::Io) where it cannot be written, or the source is no
/// longer what the plan was made for. The old state of the output is then still there.
pub fn write_to(
    plan: &Plan,
    out: &Path,
    existing: Existing,
    keep: &Keep,
    progress: &dyn Progress,
) -> Result<Applied> {
    let mut told = Told::new(progress);
    match plan {
        Plan::File(plan) => write_file(plan, out, existing, keep, &mut told),
        Plan::Set(plan) => write_set(plan, out, existing, keep, &mut told),
    }
}

fn write_file(
    plan: &FilePlan,
    out: &Path,
    existing: Existing,
    keep: &Keep,
    told: &mut Told<'_>,
) -> Result<Applied> {
    let file = Opened::open(plan)?;
    refuse_source(&file, out)?;
    let files = std::slice::from_ref(&file);
    let mut output = Output::create(out, existing)?;
    told.progress.size(Some(work(files, keep)));
    let name = file.path.file_name().unwrap_or_default().to_os_string();
    let becomes = out.file_name().unwrap_or_default().to_os_string();
    let kept = keep_removed(files, &[becomes], &name, keep, Otherwise::InPlace, told)?;
    file.write_new(told, |bytes| output.write_all(bytes))?;
    file.check_unchanged()?;
    let mut applied = Applied::default();
    if !output.lost().is_empty() {
        applied.warnings.push(Lost {
            path: out.to_path_buf(),
            what: output.lost().to_vec(),
        });
    }
    let size = output.finish()?;
    kept.told_in(&mut applied);
    applied.files.push(Written {
        path: out.to_path_buf(),
        from: file.path.clone(),
        size,
        how: How::New,
    });
    Ok(applied)
}

/// Bytes that will be written.
fn work(files: &[Opened<'_>], keep: &Keep) -> u64 {
    let pieces = keep.quarantine.is_some() && !keep.discard_removed;
    let of_one = |file: &Opened<'_>| file.kept_size() + file.removed_size_if(pieces);
    files.iter().map(of_one).sum()
}

fn refuse_source(file: &Opened<'_>, out: &Path) -> Result<()> {
    let Ok(there) = fs::metadata(out) else {
        return Ok(());
    };
    let identity = Identity::of(&there);
    if identity.is_some() && identity == Identity::of(&file.metadata) {
        let text = format!("{} is the input", out.display());
        return Err(
            Error::usage(text).with_hint(Hint::Other("without `-o` it is changed in place"))
        );
    }
    Ok(())
}

fn write_set(
    plan: &SetPlan,
    out: &Path,
    existing: Existing,
    keep: &Keep,
    told: &mut Told<'_>,
) -> Result<Applied> {
    plan.check()?;
    let files = set::open_all(plan)?;
    let old = OldManifest::open(plan)?;
    let own = names_of(plan);
    let place = Place::of(out, existing, Some(&plan.folder), &own)?;
    if files.iter().any(|file| file.path.starts_with(&place.there)) {
        return Err(place.holds_input());
    }
    told.progress.size(Some(work(&files, keep)));
    let failed = |error| cannot_write(&out.display().to_string(), error);
    let mut draft = DraftFolder::new(&place.target).map_err(failed)?;
    let mut applied = Applied::default();
    if let Some(replaced) = &place.replaced {
        let what = draft.carry_over(&place.target, replaced).map_err(failed)?;
        if !what.is_empty() {
            let path = out.to_path_buf();
            applied.warnings.push(Lost { path, what });
        }
    }

    let names = own;
    let becomes: Vec<OsString> = names
        .iter()
        .map(|name| path_in(Path::new(""), name).into_os_string())
        .collect();
    let manifest_name = path_in(Path::new(""), &plan.manifest_name);
    let name = manifest_name.as_os_str();
    let kept = keep_removed(&files, &becomes, name, keep, Otherwise::InPlace, told)?;
    for (file, name) in files.iter().zip(&becomes) {
        let mut new = draft.create(Path::new(name)).map_err(failed)?;
        file.write_new(told, |bytes| new.write_all(bytes).map_err(failed))?;
        draft.sync(&new).map_err(failed)?;
        applied.files.push(Written {
            path: out.join(name),
            from: file.path.clone(),
            size: file.plan.new_size(),
            how: How::New,
        });
    }
    let mut new = draft.create(&manifest_name).map_err(failed)?;
    new.write_all(&manifest_of(plan, &names)?).map_err(failed)?;
    draft.sync(&new).map_err(failed)?;
    files.iter().try_for_each(Opened::check_unchanged)?;
    old.check_unchanged()?;

    applied.leftover = place.commit(draft)?;
    kept.told_in(&mut applied);
    let path = out.join(&manifest_name);
    applied.manifest = Some(ManifestWritten { path, old: None });
    Ok(applied)
}

/// The bare names in the new folder: those of the old one, but that a file which is loaded twice has
/// to become two.
fn names_of(plan: &SetPlan) -> Vec<Vec<u8>> {
    let manifest = plan.manifest_name.as_slice();
    let mut taken: HashSet<Vec<u8>> = HashSet::from([manifest.to_vec()]);
    let entries = plan.manifest.in_load_order();
    entries
        .map(|entry| {
            let mut names = std::iter::once(entry.name.clone()).chain(fixed_names(entry, manifest));
            let name = names.find(|name| taken.insert(name.clone()));
            name.unwrap_or_default()
        })
        .collect()
}

/// The manifest of the new folder: without history files, which are not copied.
fn manifest_of(plan: &SetPlan, names: &[Vec<u8>]) -> Result<Vec<u8>> {
    let (mut entries, comments) = plan.manifest.clone().into_entries();
    entries.retain(|entry| entry.role != Role::History);
    for (entry, name) in entries.iter_mut().zip(names) {
        entry.name.clone_from(name);
    }
    set::to_bytes(entries, comments)
}
