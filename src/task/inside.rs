//! What lies in a tar archive or in a server's data folder, for commands that read a file or a set.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::error::{Error, Hint, Result};
use crate::io::archive::{Unpacked, unpack};
use crate::io::kind::Kind;
use crate::io::source::{Content, OpenOptions, Source};
use crate::task::verify::archive::{Backup, backups, stream};
use crate::task::verify::conf::Conf;
use crate::task::verify::folder::{self, Here};
use crate::task::{InputPath, Run, open};

/// What a command reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Snapshots.
    Snapshot,
    /// Logs and sets.
    Log,
    /// Either: what a server loads.
    Any,
}

/// A file or set that a command reads in the place of an archive or data folder.
#[derive(Debug)]
pub struct Inside {
    /// Where it lies.
    pub input: InputPath,
    /// What it is called: the archive's or folder's name, and its own behind that.
    pub name: String,
    /// Which files a server loads at its start, where several lie there.
    pub note: Option<String>,
    /// The temporary folder stays as long as this.
    _held: Option<Rc<Unpacked>>,
}

/// What an input has inside; nothing where it is neither archive nor data folder. What is read from a
/// pipe is never looked into.
///
/// # Errors
/// An archive that is damaged, or has nothing that the command reads.
pub fn inside(
    input: &InputPath,
    wanted: Wanted,
    conf: Option<&Conf>,
    run: &Run<'_>,
) -> Result<Option<Vec<Inside>>> {
    let InputPath::File(path) = input else {
        return Ok(None);
    };
    let name = path.display().to_string();
    if path.is_dir() {
        if !folder::is_data(path, conf) {
            return Ok(None);
        }
        let Some((found, note)) = choose(path, wanted, conf) else {
            return Err(missing(match wanted {
                Wanted::Snapshot => "there is no snapshot in this data folder",
                Wanted::Log => "there is no log in this data folder",
                Wanted::Any => "a server that is started on this data folder has nothing to load",
            }));
        };
        return Ok(Some(vec![Inside {
            name: format!("{name}/{}", below(&found, path)),
            input: InputPath::File(found),
            note: note.map(|note| format!("{name}: {note}")),
            _held: None,
        }]));
    }
    // A pipe can be read only once.
    if !path.is_file() {
        return Ok(None);
    }
    let source = open::source(input, run)?;
    if source.kind() != Kind::Tar {
        return Ok(None);
    }
    let (_, content) = source.into_parts();
    in_archive(&name, content, wanted, conf, run).map(Some)
}

fn in_archive(
    name: &str,
    content: Content,
    wanted: Wanted,
    conf: Option<&Conf>,
    run: &Run<'_>,
) -> Result<Vec<Inside>> {
    let unpacked = Rc::new(unpack(stream(content), run.max_spool)?);
    if let Some((at, what)) = &unpacked.damage {
        let text = format!("at {at}: {what}");
        let error = std::io::Error::new(std::io::ErrorKind::InvalidData, text);
        return Err(Error::from(error).with_hint(Hint::Other(
            "`verify` judges the members that stand before the damage",
        )));
    }
    let mut list = Vec::new();
    for backup in backups(&unpacked, conf, run)? {
        let path = unpacked.folder().join(backup.path());
        let chosen = match &backup {
            Backup::Folder(_) if folder::is_data(&path, conf) => choose(&path, wanted, conf),
            Backup::Folder(_) => (wanted != Wanted::Snapshot).then_some((path, None)),
            Backup::File(_) => fits(&path, wanted, run)?.then_some((path, None)),
        };
        let Some((found, note)) = chosen else {
            continue;
        };
        let name = format!("{name}:{}", below(&found, unpacked.folder()));
        list.push(Inside {
            input: InputPath::File(found),
            note: note.map(|note| format!("{name}: {note}")),
            name,
            _held: Some(Rc::clone(&unpacked)),
        });
    }
    if list.is_empty() {
        return Err(missing("nothing that this command reads is in the archive"));
    }
    Ok(list)
}

fn fits(path: &Path, wanted: Wanted, run: &Run<'_>) -> Result<bool> {
    let source = Source::open(path, OpenOptions { mmap: run.mmap })?;
    let kind = source.kind();
    let is_base = || match source.content() {
        Content::Map(map) => open::is_base(map),
        Content::Stream(_) => false,
    };
    Ok(match wanted {
        Wanted::Snapshot => matches!(kind, Kind::Rdb | Kind::Empty),
        Wanted::Log => kind == Kind::Aof || (kind == Kind::Rdb && is_base()),
        Wanted::Any => true,
    })
}

/// The path from a folder, as it is shown: a set by its folder.
fn below(path: &Path, folder: &Path) -> String {
    let below = path.strip_prefix(folder).unwrap_or(path);
    let below = match below.extension() {
        Some(end) if end == "manifest" => below.parent().unwrap_or(below),
        _ => below,
    };
    below.display().to_string()
}

/// Which file or set of a data folder a command reads, and what servers do.
fn choose(path: &Path, wanted: Wanted, conf: Option<&Conf>) -> Option<(PathBuf, Option<String>)> {
    let default = Conf::default();
    let here = Here::of(path, conf.unwrap_or(&default));
    let (log, snapshot) = (here.log_path(), here.snapshot_path());
    let note = match (&log, &snapshot) {
        (Some(log), Some(snapshot)) => Some(format!(
            "with `appendonly yes` a server loads {}, with `appendonly no` {}",
            below(log, path),
            below(snapshot, path)
        )),
        _ => None,
    };
    let found = match (wanted, conf.map(|conf| conf.append_only)) {
        (Wanted::Snapshot, _) | (Wanted::Any, Some(false)) => snapshot,
        (Wanted::Log, _) | (Wanted::Any, Some(true)) => log,
        (Wanted::Any, None) => log.or(snapshot),
    }?;
    let note = note.map(|note| format!("{note}; this is about {}", below(&found, path)));
    Some((found, note))
}

#[cold]
fn missing(text: &str) -> Error {
    let error = std::io::Error::new(std::io::ErrorKind::NotFound, text);
    Error::from(error).with_hint(Hint::Other(
        "`verify` says which files a server loads at its start",
    ))
}
