//! The files of a multi-part AOF.
//!
//! The files that change are written under new names beside the old ones; the set is the new one from
//! the moment on at which a new manifest gets the name of the old one. A kill before that leaves the
//! old set, with at most files beside it that no manifest names.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::aof::manifest::{FileEntry, Manifest, Role};
use crate::aof::set::{AofName, path_in};
use crate::error::{Error, ErrorKind, Result};
use crate::io::draft::{Draft, folder_of, follow_links, sync_folder};
use crate::task::mend::applied::{Applied, How, Lost, ManifestWritten, Written};
use crate::task::mend::keep::{Laid, Otherwise, keep_removed};
use crate::task::mend::plan::{Keep, SetPlan};
use crate::task::mend::source::{Opened, Told, about, changed, refuse_held};
use crate::task::mend::{apply_to_file, cannot_write_in, draft_of, work_in_place};

pub(super) fn apply_in_place(
    plan: &SetPlan,
    keep: &Keep,
    force: bool,
    told: &mut Told<'_>,
) -> Result<Applied> {
    plan.check()?;
    let files = open_all(plan)?;
    let old = OldManifest::open(plan)?;
    if plan.is_unchanged() {
        return Ok(Applied::default());
    }
    refuse_held(&files, force)?;
    if plan.only_cuts_tail()
        && let Some((last, others)) = files.split_last()
        && others.iter().all(|other| other.path != last.path)
    {
        told.progress.size(Some(work_in_place(last, keep)));
        return apply_to_file(last, keep, told);
    }
    renew(plan, &files, &old, keep, told)
}

pub(super) fn open_all(plan: &SetPlan) -> Result<Vec<Opened<'_>>> {
    plan.files.iter().map(Opened::open).collect()
}

/// Writes the files that change under new names, and then a manifest that names them.
fn renew(
    plan: &SetPlan,
    files: &[Opened<'_>],
    old: &OldManifest,
    keep: &Keep,
    told: &mut Told<'_>,
) -> Result<Applied> {
    let names = new_names(plan);
    let bytes = manifest_of(plan, &names)?;
    told.progress.size(Some(work(files, keep)));
    let becomes: Vec<OsString> = files
        .iter()
        .zip(&names)
        .map(|(file, name)| match name {
            Some(name) => path_in(Path::new(""), name).into_os_string(),
            None => file.path.file_name().unwrap_or_default().to_os_string(),
        })
        .collect();
    let name = path_in(Path::new(""), &plan.manifest_name).into_os_string();
    // The old files stay, and what goes from them with them.
    let kept = keep_removed(files, &becomes, &name, keep, Otherwise::InPlace, told)?;

    let mut applied = Applied::default();
    let mut laid = Laid::default();
    let mut drafts = Vec::new();
    for (file, name) in files.iter().zip(&names) {
        let Some(name) = name else { continue };
        let path = path_in(&plan.folder, name);
        let (draft, lost) = draft_of(file, &plan.folder, told)?;
        applied.warnings.extend(lost.map(|what| Lost {
            path: path.clone(),
            what,
        }));
        drafts.push((draft, path.clone()));
        applied.files.push(Written {
            path,
            from: file.path.clone(),
            size: file.plan.new_size(),
            how: How::New,
        });
    }
    let failed = |error| cannot_write_in(&plan.folder, &old.path, error);
    let (manifest, lost) = old.draft(&bytes, files).map_err(failed)?;
    let copy = old.copy_in(&plan.folder).map_err(failed)?;
    // All bytes are on disk: what follows are names, and takes no time to speak of.
    for (draft, path) in drafts {
        let named = laid.lay_as(draft, &path);
        named.map_err(|error| about(&path, "cannot be written", error))?;
    }
    let mut kept_as = None;
    if let Some(copy) = copy {
        let mut name = name.clone();
        name.push(".orig");
        kept_as = Some(laid.lay(copy, &plan.folder, &name).map_err(failed)?);
    }
    sync_folder(&plan.folder).map_err(failed)?;
    files.iter().try_for_each(Opened::check_unchanged)?;
    old.check_unchanged()?;
    let done = match old.bytes {
        Some(_) => manifest.replace(&old.path),
        None => manifest.name(&old.path),
    };
    // Whatever an error says: what a manifest may name must stay.
    if done.is_ok() || old.check_unchanged().is_err() {
        laid.stay();
        kept.told_in(&mut applied);
    }
    applied.warnings.extend(lost.map(|what| Lost {
        path: old.path.clone(),
        what,
    }));
    done.map_err(|error| about(&old.path, "cannot be replaced", error))?;
    let synced = sync_folder(folder_of(&old.path));
    synced.map_err(|error| about(&old.path, "is replaced, perhaps not on disk yet", error))?;
    applied.manifest = Some(ManifestWritten {
        path: old.path.clone(),
        old: kept_as,
    });
    Ok(applied)
}

/// Bytes that will be written.
fn work(files: &[Opened<'_>], keep: &Keep) -> u64 {
    let pieces = keep.quarantine.is_some() && !keep.discard_removed;
    let of_one = |file: &Opened<'_>| match file.plan.is_unchanged() {
        true => 0,
        false => file.kept_size() + file.removed_size_if(pieces),
    };
    files.iter().map(of_one).sum()
}

/// The new bare name of each file, in load order; none for one that does not change.
fn new_names(plan: &SetPlan) -> Vec<Option<Vec<u8>>> {
    let mut taken: Vec<Vec<u8>> = plan
        .manifest
        .entries()
        .map(|entry| entry.name.clone())
        .collect();
    let entries = plan.manifest.in_load_order().zip(&plan.files);
    entries
        .map(|(entry, file)| {
            if file.is_unchanged() {
                return None;
            }
            let is_free = |name: &Vec<u8>| {
                !taken.contains(name) && fs::symlink_metadata(path_in(&plan.folder, name)).is_err()
            };
            let name = fixed_names(entry, &plan.manifest_name).find(is_free)?;
            taken.push(name.clone());
            Some(name)
        })
        .collect()
}

/// `STEM.SEQ.fixed.incr.aof`, `STEM.SEQ.fixed-2.incr.aof`, …
pub(super) fn fixed_names(entry: &FileEntry, manifest: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let own = AofName::parse(&entry.name).map(|name| name.stem);
    let stem = own.unwrap_or_else(|| manifest.strip_suffix(b".manifest").unwrap_or(manifest));
    let (stem, seq) = (stem.to_vec(), entry.seq);
    let end = match entry.role {
        Role::Incremental => "incr.aof",
        _ if entry.name.ends_with(b".rdb") => "base.rdb",
        _ => "base.aof",
    };
    (1_u32..).map(move |number| {
        let mut name = stem.clone();
        let again = match number {
            1 => String::new(),
            number => format!("-{number}"),
        };
        name.extend_from_slice(format!(".{seq}.fixed{again}.{end}").as_bytes());
        name
    })
}

/// The bytes of the manifest with the new names.
fn manifest_of(plan: &SetPlan, names: &[Option<Vec<u8>>]) -> Result<Vec<u8>> {
    let mut names = names.iter();
    let (mut entries, comments) = plan.manifest.clone().into_entries();
    for entry in entries
        .iter_mut()
        .filter(|entry| entry.role != Role::History)
    {
        if let Some(Some(name)) = names.next() {
            entry.name.clone_from(name);
        }
    }
    to_bytes(entries, comments)
}

pub(super) fn to_bytes(entries: Vec<FileEntry>, comments: Vec<Vec<u8>>) -> Result<Vec<u8>> {
    let manifest = Manifest::from_entries(entries, comments);
    let manifest = manifest.map_err(|(_, problem)| {
        Error::usage(format!("the manifest cannot be written: {problem}"))
    })?;
    let mut bytes = Vec::new();
    let written = manifest.write(&mut bytes);
    written.map_err(|error| Error::new(ErrorKind::Unsupported(error.to_string())))?;
    // What a server will read of it is what was meant.
    match Manifest::parse(&bytes) {
        Ok(read) if read == manifest => Ok(bytes),
        _ => {
            let text = "the manifest cannot be written so that it reads the same";
            Err(Error::new(ErrorKind::Unsupported(text.to_owned())))
        }
    }
}

/// The manifest as it is, or its place.
pub(super) struct OldManifest {
    /// Links resolved.
    path: PathBuf,
    bytes: Option<Vec<u8>>,
}

impl OldManifest {
    pub(super) fn open(plan: &SetPlan) -> Result<OldManifest> {
        let named = path_in(&plan.folder, &plan.manifest_name);
        let path = follow_links(&named).map_err(|error| about(&named, "cannot be read", error))?;
        let bytes = plan.old_manifest.clone();
        let old = OldManifest { path, bytes };
        old.check_unchanged()?;
        Ok(old)
    }

    pub(super) fn check_unchanged(&self) -> Result<()> {
        let read = |most: u64| {
            let mut bytes = Vec::new();
            File::open(&self.path)?.take(most).read_to_end(&mut bytes)?;
            Ok::<_, io::Error>(bytes)
        };
        match &self.bytes {
            None if fs::symlink_metadata(&self.path).is_err() => Ok(()),
            None => Err(changed(&self.path)),
            Some(bytes) => match read(bytes.len() as u64 + 1) {
                Ok(now) if now == *bytes => Ok(()),
                Ok(_) => Err(changed(&self.path)),
                Err(error) => Err(about(&self.path, "cannot be read", error)),
            },
        }
    }

    /// The new one, on disk; with the attributes of the old one, or else of the files.
    fn draft(
        &self,
        bytes: &[u8],
        files: &[Opened<'_>],
    ) -> io::Result<(Draft, Option<Vec<&'static str>>)> {
        let draft = Draft::new(folder_of(&self.path), true)?;
        let lost = match (&self.bytes, files.last()) {
            (Some(_), _) => draft.carry_over(&self.path, &fs::metadata(&self.path)?),
            (None, Some(file)) => draft.carry_over(&file.path, &file.metadata),
            (None, None) => Vec::new(),
        };
        draft.file().write_all(bytes)?;
        draft.sync()?;
        Ok((draft, Some(lost).filter(|lost| !lost.is_empty())))
    }

    /// A copy of the old one to keep, on disk.
    fn copy_in(&self, folder: &Path) -> io::Result<Option<Draft>> {
        let Some(bytes) = &self.bytes else {
            return Ok(None);
        };
        let draft = Draft::new(folder, true)?;
        draft.carry_over(&self.path, &fs::metadata(&self.path)?);
        draft.file().write_all(bytes)?;
        draft.sync()?;
        Ok(Some(draft))
    }
}
