//! Tar archives: ustar, pax and GNU long names, their members written out into a folder that is gone
//! with the program.
//!
//! An archive is as hostile as anything else. Nothing is written but regular files and folders below
//! the one that was made for it: a name that leads out of it is left out, and so are links and
//! devices, so that no link can be followed. A hard link to a member before it is taken, since that is
//! what archives of hard-linked backups hold. Names, headers, the number of members and the bytes of
//! all are bounded.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use tempfile::TempDir;

use crate::error::{Error, ErrorKind, Hint, Result, printable};
use crate::io::decompress;
use crate::io::source::Doomed;

/// The files of an archive, in a temporary folder that is removed when this is dropped.
#[derive(Debug)]
pub struct Unpacked {
    folder: TempDir,
    doomed: Vec<Doomed>,
    files: BTreeMap<PathBuf, u64>,
    /// What was not written, with the reason: the first [`LISTED`](Self::LISTED).
    pub left_out: Vec<(String, &'static str)>,
    /// How many were not written.
    pub left_out_count: u64,
    /// Where the archive is damaged or ends early, and how: members before that are whole.
    pub damage: Option<(u64, String)>,
}

impl Unpacked {
    /// How many members are listed that were left out.
    pub const LISTED: usize = 100;

    /// The folder that everything lies in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The files that were written, by path from the folder, with their sizes.
    pub fn files(&self) -> impl Iterator<Item = (&Path, u64)> {
        self.files
            .iter()
            .map(|(path, size)| (path.as_path(), *size))
    }
}

/// Writes out the members of an archive. What is damaged in it ends it, and is told; a member that
/// was not read to its end is not kept.
///
/// # Errors
/// More bytes than `max_spool` or more members than [`MEMBERS`]; what cannot be read for another
/// reason than damage; no room in the temporary folder.
pub fn unpack(stream: Box<dyn Read + Send>, max_spool: u64) -> Result<Unpacked> {
    let folder = tempfile::Builder::new()
        .prefix(".redkit-")
        .tempdir()
        .map_err(cannot_unpack)?;
    let doomed = vec![Doomed::new(folder.path())];
    let mut unpacked = Unpacked {
        folder,
        doomed,
        files: BTreeMap::new(),
        left_out: Vec::new(),
        left_out_count: 0,
        damage: None,
    };
    let mut tar = Tar { stream, at: 0 };
    let mut room = max_spool;
    let mut folders = Vec::new();
    for _ in 0..MEMBERS {
        match member(&mut tar, &mut unpacked, &mut folders, &mut room) {
            Ok(true) => {}
            Ok(false) => return Ok(unpacked),
            Err(Stop::Damage(what)) => {
                unpacked.damage = Some((tar.at, what));
                return Ok(unpacked);
            }
            Err(Stop::Error(error)) => return Err(error),
        }
    }
    Err(Error::limit(format!(
        "the archive has more than {MEMBERS} members"
    )))
}

/// Members of an archive, at most: a backup has a few.
pub const MEMBERS: usize = 10_000;
/// Headers and data come in blocks of this many bytes.
const BLOCK: usize = 512;
/// Bytes of a long name or of pax records, at most.
const EXTENSION: u64 = 1 << 20;
/// Bytes of a part of a name, at most; file systems take no more.
const PART: usize = 255;
/// Parts of a name, at most.
const DEPTH: usize = 32;
/// Headers that say something of the next member, at most in a row.
const EXTENSIONS: usize = 8;

/// Why reading ends before the archive does.
enum Stop {
    Damage(String),
    Error(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Stop::Error(error)
    }
}

/// A stream, and how far it was read.
struct Tar {
    stream: Box<dyn Read + Send>,
    at: u64,
}

impl Tar {
    /// Reads as much as there is, up to the whole buffer.
    fn read(&mut self, buffer: &mut [u8]) -> std::result::Result<usize, Stop> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.stream.read(rest) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if decompress::is_damage(&error) => {
                    return Err(Stop::Damage(error.to_string()));
                }
                Err(error) => return Err(Stop::Error(error.into())),
            }
        }
        self.at += filled as u64;
        Ok(filled)
    }

    /// A header, or nothing at the end: of the archive, where there is its mark.
    fn header(&mut self) -> std::result::Result<Option<Header>, Stop> {
        let mut block = [0; BLOCK];
        match self.read(&mut block)? {
            BLOCK => {}
            0 => {
                let what = "the archive ends without its end mark: it was cut short";
                return Err(Stop::Damage(what.to_owned()));
            }
            _ => return Err(cut("a header")),
        }
        if block.iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        Header::of(&block).map(Some)
    }

    /// All of a member's data, which says something of the next one.
    fn extension(&mut self, size: u64) -> std::result::Result<Vec<u8>, Stop> {
        if size > EXTENSION {
            let what = format!("a name of {size} bytes");
            return Err(Stop::Damage(what));
        }
        let mut bytes = Vec::new();
        self.data(size, &mut bytes, |_| Ok(()))?;
        Ok(bytes)
    }

    /// Passes a member's data on, and skips what fills its last block.
    fn data(
        &mut self,
        size: u64,
        to: &mut impl Write,
        mut before: impl FnMut(u64) -> Result<()>,
    ) -> std::result::Result<(), Stop> {
        let mut buffer = vec![0; 256 << 10];
        let mut left = size;
        while left > 0 {
            let most = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
            let piece = buffer.get_mut(..most).unwrap_or_default();
            let read = self.read(piece)?;
            let piece = piece.get(..read).unwrap_or_default();
            before(read as u64)?;
            to.write_all(piece).map_err(cannot_unpack)?;
            left -= read as u64;
            if read < most {
                return Err(cut("a member"));
            }
        }
        let padding = (size.next_multiple_of(BLOCK as u64) - size) as usize;
        let padding = buffer.get_mut(..padding).unwrap_or_default();
        // What fills the last block may be missing where nothing is behind it.
        if self.read(padding)? < padding.len() {
            return Err(cut("a member"));
        }
        Ok(())
    }
}

#[cold]
fn cut(what: &str) -> Stop {
    Stop::Damage(format!("the archive ends inside {what}: it was cut short"))
}

/// What a header says.
struct Header {
    name: Vec<u8>,
    link: Vec<u8>,
    size: u64,
    modified: Option<u64>,
    kind: u8,
}

impl Header {
    fn of(block: &[u8; BLOCK]) -> std::result::Result<Header, Stop> {
        let field = |from: usize, len: usize| block.get(from..from + len).unwrap_or_default();
        let text = |from: usize, len: usize| {
            let field = field(from, len);
            field.split(|&b| b == 0).next().unwrap_or_default()
        };
        let sum = |signed: bool| -> i64 {
            let bytes = block.iter().enumerate();
            let bytes = bytes.map(|(at, &b)| if (148..156).contains(&at) { b' ' } else { b });
            let each = |b: u8| match signed {
                true => i64::from(b.cast_signed()),
                false => i64::from(b),
            };
            bytes.map(each).sum()
        };
        // Some old programs summed up signed bytes.
        let stated = number(field(148, 8)).and_then(|n| i64::try_from(n).ok());
        if stated != Some(sum(false)) && stated != Some(sum(true)) {
            let what = "a header is damaged: its sum is another";
            return Err(Stop::Damage(what.to_owned()));
        }
        let mut name = text(0, 100).to_vec();
        // GNU's own headers have other things in the place of the prefix.
        let prefix = text(345, 155);
        if field(257, 6) == b"ustar\0" && !prefix.is_empty() {
            name = [prefix, b"/", &name].concat();
        }
        let Some(size) = number(field(124, 12)) else {
            return Err(Stop::Damage("a header states no size".to_owned()));
        };
        Ok(Header {
            name,
            link: text(157, 100).to_vec(),
            size,
            modified: number(field(136, 12)),
            kind: field(156, 1).first().copied().unwrap_or(0),
        })
    }
}

/// A number in octal digits, or in GNU's form for large ones, in bytes.
fn number(field: &[u8]) -> Option<u64> {
    match field {
        [0x80, rest @ ..] => rest.iter().try_fold(0u64, |sum, &byte| {
            sum.checked_mul(256)?.checked_add(u64::from(byte))
        }),
        _ => {
            let text = field.trim_ascii_start();
            let end = text
                .iter()
                .position(|b| [0, b' '].contains(b))
                .unwrap_or(text.len());
            text.get(..end)?.iter().try_fold(0u64, |sum, &byte| {
                let digit = byte.checked_sub(b'0').filter(|digit| *digit < 8)?;
                sum.checked_mul(8)?.checked_add(u64::from(digit))
            })
        }
    }
}

/// What extensions say of the next member.
#[derive(Default)]
struct Extended {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    modified: Option<u64>,
    sparse: bool,
}

impl Extended {
    /// Records of the form `LENGTH KEY=VALUE\n`, where the length counts all of it.
    fn pax(&mut self, mut records: &[u8]) -> std::result::Result<(), Stop> {
        let wrong = || Stop::Damage("a pax header is damaged".to_owned());
        while !records.is_empty() {
            let blank = memchr::memchr(b' ', records).ok_or_else(wrong)?;
            let (digits, _) = records.split_at(blank);
            let length = std::str::from_utf8(digits)
                .ok()
                .and_then(|t| t.parse().ok());
            let length: usize = length.ok_or_else(wrong)?;
            let record = records.get(blank + 1..length).ok_or_else(wrong)?;
            records = records.get(length..).unwrap_or_default();
            let record = record.strip_suffix(b"\n").ok_or_else(wrong)?;
            let equals = memchr::memchr(b'=', record).ok_or_else(wrong)?;
            let key = record.get(..equals).unwrap_or_default();
            let value = record.get(equals + 1..).unwrap_or_default();
            let decimal = |value: &[u8]| -> Option<u64> {
                let whole = value.split(|&b| b == b'.').next()?;
                std::str::from_utf8(whole).ok()?.parse().ok()
            };
            match key {
                b"path" => self.name = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"size" => self.size = Some(decimal(value).ok_or_else(wrong)?),
                b"mtime" => self.modified = decimal(value),
                key if key.starts_with(b"GNU.sparse.") => self.sparse = true,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Reads the next member; false at the end.
fn member(
    tar: &mut Tar,
    unpacked: &mut Unpacked,
    folders: &mut Vec<PathBuf>,
    room: &mut u64,
) -> std::result::Result<bool, Stop> {
    let mut extended = Extended::default();
    for _ in 0..EXTENSIONS {
        let Some(header) = tar.header()? else {
            return Ok(false);
        };
        match header.kind {
            b'L' | b'K' => {
                let mut text = tar.extension(header.size)?;
                let end = memchr::memchr(0, &text).unwrap_or(text.len());
                text.truncate(end);
                match header.kind {
                    b'L' => extended.name = Some(text),
                    _ => extended.link = Some(text),
                }
            }
            b'x' => {
                let records = tar.extension(header.size)?;
                extended.pax(&records)?;
            }
            // What is said of all members: nothing that counts here.
            b'g' => drop(tar.extension(header.size)?),
            _ => {
                write(tar, header, extended, unpacked, folders, room)?;
                return Ok(true);
            }
        }
    }
    let what = "too many headers in front of one member";
    Err(Stop::Damage(what.to_owned()))
}

fn write(
    tar: &mut Tar,
    header: Header,
    extended: Extended,
    unpacked: &mut Unpacked,
    folders: &mut Vec<PathBuf>,
    room: &mut u64,
) -> std::result::Result<(), Stop> {
    let name = extended.name.unwrap_or(header.name);
    let size = extended.size.unwrap_or(header.size);
    let regular = matches!(header.kind, 0 | b'0' | b'7') && !name.ends_with(b"/");
    let path = path_of(&name);
    let why = match (&path, header.kind) {
        // A folder is made when there is something in it.
        (_, b'5') => return Ok(()),
        (_, 0 | b'0') if !regular => return tar.data(size, &mut io::sink(), |_| Ok(())),
        (None, _) => Some("its name leads out of the archive, or no file can have it"),
        _ if extended.sparse || header.kind == b'S' => Some("it is a sparse file"),
        _ if regular => None,
        (_, b'1') => {
            let link = path_of(&extended.link.unwrap_or(header.link));
            let target = link.filter(|link| unpacked.files.contains_key(link));
            match (path.as_ref(), target) {
                (Some(path), Some(target)) if *path != target => {
                    return link_to(path, &target, unpacked, folders);
                }
                _ => Some("it is a link to what is not in the archive"),
            }
        }
        (_, b'2') => Some("it is a symbolic link"),
        _ => Some("it is no regular file"),
    };
    if let Some(why) = why {
        unpacked.left_out_count += 1;
        if unpacked.left_out.len() < Unpacked::LISTED {
            unpacked.left_out.push((printable(&name), why));
        }
        // Links have no data, whatever size their header states.
        if !matches!(header.kind, b'1'..=b'4' | b'6') {
            tar.data(size, &mut io::sink(), |_| Ok(()))?;
        }
        return Ok(());
    }
    let Some(path) = path else {
        return Ok(());
    };
    let Some(full) = place(&path, unpacked, folders)? else {
        return tar.data(size, &mut io::sink(), |_| Ok(()));
    };
    let mut file = File::create_new(&full).map_err(cannot_unpack)?;
    let written = tar.data(size, &mut file, |bytes| {
        *room = room.checked_sub(bytes).ok_or_else(too_much)?;
        Ok(())
    });
    if let Err(stop) = written {
        drop(file);
        fs::remove_file(&full).map_err(cannot_unpack)?;
        return Err(stop);
    }
    let modified = extended.modified.or(header.modified);
    let modified = modified.and_then(|at| UNIX_EPOCH.checked_add(Duration::from_secs(at)));
    if let Some(modified) = modified {
        file.set_modified(modified).map_err(cannot_unpack)?;
    }
    unpacked.files.insert(path, size);
    Ok(())
}

/// A second name for a member that was written.
fn link_to(
    path: &Path,
    target: &Path,
    unpacked: &mut Unpacked,
    folders: &mut Vec<PathBuf>,
) -> std::result::Result<(), Stop> {
    if let Some(full) = place(path, unpacked, folders)? {
        let target_full = unpacked.folder().join(target);
        fs::hard_link(target_full, full).map_err(cannot_unpack)?;
        let size = unpacked.files.get(target).copied().unwrap_or(0);
        unpacked.files.insert(path.to_path_buf(), size);
    }
    Ok(())
}

/// Makes the folders above a file, and takes away what has its name: of two members of one name the
/// later counts. Nothing where a file stands in the place of a folder, or a folder in its own.
fn place(
    path: &Path,
    unpacked: &mut Unpacked,
    folders: &mut Vec<PathBuf>,
) -> std::result::Result<Option<PathBuf>, Stop> {
    let full = unpacked.folder().join(path);
    let parent = path.parent().unwrap_or(Path::new(""));
    let taken = parent
        .ancestors()
        .any(|above| unpacked.files.contains_key(above));
    if taken || folders.iter().any(|folder| folder == path) {
        unpacked.left_out_count += 1;
        if unpacked.left_out.len() < Unpacked::LISTED {
            let name = path.display().to_string();
            let why = "another member stands in its place";
            unpacked.left_out.push((name, why));
        }
        return Ok(None);
    }
    let new: Vec<PathBuf> = parent
        .ancestors()
        .take_while(|above| *above != Path::new(""))
        .filter(|above| !folders.iter().any(|folder| folder == above))
        .map(Path::to_path_buf)
        .collect();
    for folder in new.iter().rev() {
        fs::create_dir(unpacked.folder().join(folder)).map_err(cannot_unpack)?;
        folders.push(folder.clone());
    }
    if !new.is_empty() && folders.len() <= DOOMED {
        // A signal removes folders in the order of this list: the inner ones first.
        let root = unpacked.folder().to_path_buf();
        unpacked.doomed.clear();
        let inner = folders.iter().rev().map(|folder| root.join(folder));
        let files: Vec<PathBuf> = unpacked.files.keys().map(|file| root.join(file)).collect();
        let all = files.into_iter().chain(inner).chain([root.clone()]);
        unpacked.doomed = all.map(|path| Doomed::new(&path)).collect();
    }
    match unpacked.files.remove(path) {
        Some(_) => fs::remove_file(&full).map_err(cannot_unpack)?,
        None if folders.len() <= DOOMED => unpacked.doomed.push(Doomed::new(&full)),
        None => {}
    }
    Ok(Some(full))
}

/// Folders that a signal removes, at most.
const DOOMED: usize = 8;

/// The path of a member from the folder, or nothing where the name leads out of it or no file can
/// have it.
fn path_of(name: &[u8]) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    let mut depth = 0;
    for part in name.split(|&b| b == b'/') {
        match part {
            b"" | b"." => continue,
            b".." => return None,
            part if part.contains(&0) || part.len() > PART => return None,
            part => path.push(os_name(part)?),
        }
        depth += 1;
    }
    (1..=DEPTH).contains(&depth).then_some(path)
}

#[cfg(unix)]
fn os_name(part: &[u8]) -> Option<&std::ffi::OsStr> {
    use std::os::unix::ffi::OsStrExt;
    Some(std::ffi::OsStr::from_bytes(part))
}

/// Elsewhere only plain names, without what leads to drives and streams.
#[cfg(not(unix))]
fn os_name(part: &[u8]) -> Option<&std::ffi::OsStr> {
    let text = std::str::from_utf8(part).ok()?;
    (!text.contains(['\\', ':'])).then(|| std::ffi::OsStr::new(text))
}

#[cold]
fn too_much() -> Error {
    Error::limit("the members of the archive need more room in temporary files than there may be")
        .with_hint(Hint::Other(
            "`--max-spool` sets this limit; a folder, unlike an archive, needs no room",
        ))
}

#[cold]
fn cannot_unpack(error: io::Error) -> Error {
    let folder = std::env::temp_dir();
    let text = format!("cannot unpack to {}: {error}", folder.display());
    Error::new(ErrorKind::Io(io::Error::new(error.kind(), text))).with_hint(Hint::Other(
        "the variable TMPDIR names the folder for temporary files",
    ))
}

#[cfg(test)]
mod tests;
