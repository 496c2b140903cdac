//! The checker of logs.

mod old;
mod set;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

use crate::compat::console::{Console, FAILED, Flow};
use crate::compat::file::{Access, Opened, bytes_of, said};
use crate::compat::lines::{Lines, Read};
use crate::compat::number::strtol;
use crate::compat::rdb;
use crate::compat::release::Release;
use crate::compat::{Kept, Means};
use crate::io::source::Behind;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// To know.
    Check,
    /// To cut off what is damaged.
    Fix,
    /// To cut off what is later than this.
    UpTo(i64),
}

/// What a file came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Sound,
    Empty,
    UpToTime,
    Cut,
}

/// A check under way.
struct Check<'a, 'c> {
    release: Release,
    wish: Wish,
    console: &'a mut Console<'c>,
    means: Means<'a>,
    /// Lines of the files before.
    line: u64,
}

/// A file to check.
struct Member<'a> {
    /// What it is called.
    name: &'a [u8],
    path: &'a Path,
    /// The path as it is printed.
    shown: &'a [u8],
    /// The last of its set, which alone may be cut.
    is_last: bool,
    /// It begins with a snapshot.
    has_snapshot: bool,
}

/// Runs the checker.
pub(super) fn run(
    release: Release,
    args: &[OsString],
    console: &mut Console<'_>,
    means: Means<'_>,
) -> Flow {
    let (own, rest) = match args {
        [own, rest @ ..] => (own.as_os_str(), rest),
        [] => (OsStr::new("redis-check-aof"), args),
    };
    if release.is_old() {
        return old::run(own, rest, release, console, means);
    }
    let (wish, path) = match rest {
        [version] if is_version(version) && release != Release::Redis70 => {
            return print_version(release, "aof", console);
        }
        [path] => (Wish::Check, path),
        [flag, path] if flag == "--fix" => (Wish::Fix, path),
        [flag, time, path] if flag == "--truncate-to-timestamp" => {
            let text = bytes_of(time);
            let time = strtol(text);
            if time.overflow || time.len != text.len() {
                console.text("Invalid timestamp, aborting...\n")?;
                return Err(FAILED);
            }
            match time.value {
                0 => (Wish::Check, path),
                time => (Wish::UpTo(time), path),
            }
        }
        _ => return usage(own, console),
    };
    let shown = bytes_of(path);
    if shown.len() > PATH_MAX {
        console.text("Error: filepath is too long (exceeds PATH_MAX)\n")?;
        return usage(own, console);
    }
    let path = Path::new(path);
    let kind = Kind::of(path, release, console)?;
    let mut check = Check {
        release,
        wish,
        console,
        means,
        line: 1,
    };
    match kind {
        Kind::Set => check.set(path, shown),
        Kind::Log { has_snapshot } => check.alone(path, shown, has_snapshot),
    }
}

/// `-v` or `--version`.
pub(super) fn is_version(arg: &OsStr) -> bool {
    arg == "-v" || arg == "--version"
}

/// The version that is followed. What a build of it adds is not ours to say.
pub(super) fn print_version(release: Release, tool: &str, console: &mut Console<'_>) -> Flow {
    let (family, version) = (release.family(), release.version());
    match release {
        Release::Redis70 => console.text(&format!("{family}-check-{tool} {version}\n")),
        _ => console.text(&format!(
            "{family}-check-{tool} v={version} sha=00000000:0 malloc=libc bits=64 build=0\n"
        )),
    }
}

fn usage(own: &OsStr, console: &mut Console<'_>) -> Flow {
    let rest = b" [--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>\n";
    console.print(&[b"Usage: ", bytes_of(own), rest])?;
    Err(FAILED)
}

/// What a file is taken for.
enum Kind {
    Set,
    Log { has_snapshot: bool },
}

impl Kind {
    fn of(path: &Path, release: Release, console: &mut Console<'_>) -> Flow<Kind> {
        let bytes = look(path, console)?;
        let mut rest = &*bytes.bytes;
        let mut is_set = false;
        // Comments are passed over; by Redis 7.0 whatever is not the line of a file.
        while !is_set && (rest.first() == Some(&b'#') || release == Release::Redis70) {
            is_set = rest.starts_with(FILE);
            let most = rest.get(..MANIFEST_LINE).unwrap_or(rest);
            let end = memchr::memchr(b'\n', most).map_or(most.len(), |at| at + 1);
            rest = rest.get(end..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
        }
        Ok(match is_set || rest.starts_with(FILE) {
            true => Kind::Set,
            false => Kind::Log {
                has_snapshot: is_snapshot(&bytes.bytes, release),
            },
        })
    }
}

/// Opens a file to see what it is.
fn look(path: &Path, console: &mut Console<'_>) -> Flow<Opened> {
    let shown = bytes_of(path.as_os_str());
    match Opened::new(path, Access::Read) {
        Ok(opened) if opened.is_folder => {
            console.print(&[b"Cannot read file: ", shown, b"\n"])?;
            Err(FAILED)
        }
        Ok(opened) => Ok(opened),
        Err(error) => cannot_open(shown, &error, console),
    }
}

fn cannot_open<T>(shown: &[u8], error: &io::Error, console: &mut Console<'_>) -> Flow<T> {
    let error = said(error);
    console.print(&[b"Cannot open file ", shown, b": ", error.as_bytes(), b"\n"])?;
    Err(FAILED)
}

/// Whether a log begins with a snapshot. The tool of Valkey 9.1 looks for the old magic alone, and
/// takes the base files of its own server for damaged logs: not so here.
fn is_snapshot(bytes: &[u8], release: Release) -> bool {
    let own = release == Release::Valkey91 && is_valkey_snapshot(bytes);
    bytes.len() >= MAGIC && (bytes.starts_with(b"REDIS") || own)
}

/// The magic of Valkey 9's snapshots.
fn is_valkey_snapshot(bytes: &[u8]) -> bool {
    matches!(bytes, [b'V', b'A', b'L', b'K', b'E', b'Y', b'0'..=b'9', ..])
}

impl Check<'_, '_> {
    /// A log that is all there is.
    fn alone(&mut self, path: &Path, shown: &[u8], has_snapshot: bool) -> Flow {
        self.console.text("Start checking Old-Style AOF\n")?;
        let outcome = self.file(&Member {
            name: shown,
            path,
            shown,
            is_last: true,
            has_snapshot,
        })?;
        self.tell(outcome, b"AOF", shown)
    }

    fn tell(&mut self, outcome: Outcome, what: &[u8], name: &[u8]) -> Flow {
        match (outcome, self.wish) {
            (Outcome::Sound, _) => self.console.print(&[what, b" ", name, b" is valid\n"]),
            (Outcome::Empty, _) => self.console.print(&[what, b" ", name, b" is empty\n"]),
            (Outcome::UpToTime, Wish::UpTo(time)) => {
                let time = time.to_string();
                let time = time.as_bytes();
                let what = b"Successfully truncated AOF ";
                self.console
                    .print(&[what, name, b" to timestamp ", time, b"\n"])
            }
            (Outcome::Cut | Outcome::UpToTime, _) => {
                self.console
                    .print(&[b"Successfully truncated AOF ", name, b"\n"])
            }
        }
    }

    /// Checks a file, and cuts it where that is wanted.
    fn file(&mut self, member: &Member<'_>) -> Flow<Outcome> {
        let opened = match Opened::new(member.path, Access::Write) {
            Ok(opened) => opened,
            Err(error) => {
                let error = said(&error);
                let (what, error) = (b"Cannot open file ", error.as_bytes());
                let rest = b", aborting...\n";
                self.console
                    .print(&[what, member.shown, b": ", error, rest])?;
                return Err(FAILED);
            }
        };
        if opened.size == 0 {
            return Ok(Outcome::Empty);
        }
        let start = match member.has_snapshot {
            false => 0,
            true => self.snapshot(member, &opened)?,
        };
        let mut good = start;
        let mut lines = Lines::new(&opened.bytes, start, self.line).named(member.shown);
        let mut behind = Behind::new(Some(&opened.bytes));
        loop {
            if lines.is_outside() {
                good = lines.offset();
                behind.reach(good as u64);
            }
            match lines.peek() {
                None => break,
                Some(b'#') => {
                    let line = lines.annotation();
                    if self.is_too_late(line, lines.began(), member)? {
                        let at = lines.began() as u64;
                        drop(opened);
                        self.cut_to_time(member, at)?;
                        return Ok(Outcome::UpToTime);
                    }
                }
                Some(b'*') => {
                    if lines.command() == Read::Broken {
                        break;
                    }
                }
                Some(_) => {
                    self.console
                        .print(&[b"AOF ", member.name, b" format error\n"])?;
                    break;
                }
            }
        }
        lines.close();
        self.line = lines.line();
        let error = lines.error().to_vec();
        if !error.is_empty() {
            self.console.print(&[&error, b"\n"])?;
        }
        let (size, good) = (opened.size, good as u64);
        if let (true, Wish::UpTo(time)) = (good == size, self.wish) {
            let time = time.to_string();
            let (what, time) = (b"Truncate nothing in AOF ", time.as_bytes());
            self.console
                .print(&[what, member.name, b" to timestamp ", time, b"\n"])?;
            return Ok(Outcome::Sound);
        }
        let lines = self.line;
        let figures = format!(
            ", size={size}, ok_up_to={good}, ok_up_to_line={lines}, diff={}\n",
            size.saturating_sub(good)
        );
        let what = b"AOF analyzed: filename=";
        self.console
            .print(&[what, member.name, figures.as_bytes()])?;
        if good >= size {
            return Ok(Outcome::Sound);
        }
        if self.wish != Wish::Fix {
            let rest = b" is not valid. Use the --fix option to try fixing it.\n";
            self.console.print(&[b"AOF ", member.name, rest])?;
            return Err(FAILED);
        }
        self.fix(member, opened, good)
    }

    /// Checks the snapshot in front of a log; gives where it ends.
    fn snapshot(&mut self, member: &Member<'_>, opened: &Opened) -> Flow<usize> {
        let shown = match self.release {
            Release::Redis70 => member.name,
            _ => member.shown,
        };
        match rdb::preamble(self.release, shown, opened, self.console)? {
            Some(end) => {
                let text = "RDB preamble is OK, proceeding with AOF tail...\n";
                self.console.text(text)?;
                Ok(end)
            }
            None => {
                let text = "RDB preamble of AOF file is not sane, aborting.\n";
                self.console.text(text)?;
                Err(FAILED)
            }
        }
    }

    /// Whether an annotation is later than what is wanted, so that the file is to be cut there.
    fn is_too_late(&mut self, line: &[u8], at: usize, member: &Member<'_>) -> Flow<bool> {
        let (Wish::UpTo(most), Some(text)) = (self.wish, line.strip_prefix(b"#TS:")) else {
            return Ok(false);
        };
        let time = strtol(text);
        if time.overflow || text.get(time.len) != Some(&b'\r') {
            self.console.text("Invalid timestamp annotation\n")?;
            return Err(FAILED);
        }
        if time.value <= most {
            return Ok(false);
        }
        let most = most.to_string();
        let most = most.as_bytes();
        if at == 0 {
            let (what, rest) = (b" has nothing before timestamp ", b", aborting...\n");
            self.console
                .print(&[b"AOF ", member.name, what, most, rest])?;
            return Err(FAILED);
        }
        if !member.is_last {
            let at = format!(" to offset {at} because it is not the last file.\n");
            let what = b"Failed to truncate AOF ";
            self.console
                .print(&[what, member.name, b" to timestamp ", most, at.as_bytes()])?;
            self.console.text(
                "If you insist, please delete all files after this file according to the manifest \
                 file and delete the corresponding records in manifest file manually. Then re-run \
                 redis-check-aof.\n",
            )?;
            return Err(FAILED);
        }
        Ok(true)
    }

    fn cut_to_time(&mut self, member: &Member<'_>, at: u64) -> Flow {
        match (self.means.cut)(member.path, at) {
            Ok(kept) => {
                self.kept(&kept);
                Ok(())
            }
            Err(error) => {
                self.not_cut(member, &error);
                let time = match self.wish {
                    Wish::UpTo(time) => time.to_string(),
                    _ => String::new(),
                };
                let (what, time) = (b"Failed to truncate AOF ", time.as_bytes());
                self.console
                    .print(&[what, member.name, b" to timestamp ", time, b"\n"])?;
                Err(FAILED)
            }
        }
    }

    /// Cuts a damaged file, where that is agreed to.
    fn fix(&mut self, member: &Member<'_>, opened: Opened, good: u64) -> Flow<Outcome> {
        let size = opened.size;
        if good == 0 && is_valkey_snapshot(&opened.bytes) {
            let text = b": this is a snapshot of Valkey 9, and nothing of it is removed\n";
            self.console.aside(&[b"redkit: ", member.shown, text]);
            return Err(FAILED);
        }
        drop(opened);
        let good = (self.means.loads)(member.path).map_or(good, |loads| loads.clamp(good, size));
        if good == size {
            let text = b": the server loads all of this file, and nothing of it is removed\n";
            self.console.aside(&[b"redkit: ", member.shown, text]);
            return Ok(Outcome::Sound);
        }
        if !member.is_last {
            let rest = b" because it is not the last file\n";
            self.console
                .print(&[b"Failed to truncate AOF ", member.name, rest])?;
            return Err(FAILED);
        }
        let gone = size - good;
        let figures = format!(" from {size} bytes, with {gone} bytes, to {good} bytes\n");
        let (what, figures) = (b"This will shrink the AOF ", figures.as_bytes());
        self.console.print(&[what, member.name, figures])?;
        ask(self.console)?;
        match (self.means.cut)(member.path, good) {
            Ok(kept) => {
                self.kept(&kept);
                Ok(Outcome::Cut)
            }
            Err(error) => {
                self.not_cut(member, &error);
                let what = b"Failed to truncate AOF ";
                self.console.print(&[what, member.name, b"\n"])?;
                Err(FAILED)
            }
        }
    }

    fn kept(&mut self, kept: &Kept) {
        tell_kept(kept, self.console);
    }

    fn not_cut(&mut self, member: &Member<'_>, error: &io::Error) {
        let error = said(error);
        let (name, error) = (member.shown, error.as_bytes());
        self.console
            .aside(&[b"redkit: ", name, b": ", error, b"\n"]);
    }
}

/// Asks whether a file shall be cut.
fn ask(console: &mut Console<'_>) -> Flow {
    console.text("Continue? [y/N]: ")?;
    if console.agreed()? {
        return Ok(());
    }
    console.text("Aborting...\n")?;
    Err(FAILED)
}

/// Says where the removed bytes are.
fn tell_kept(kept: &Kept, console: &mut Console<'_>) {
    match kept {
        Kept::In(place) => {
            let place = bytes_of(place.as_os_str());
            console.aside(&[b"redkit: the removed bytes are in ", place, b"\n"]);
        }
        Kept::Not(error) => {
            let what = b"redkit: the removed bytes could not be kept: ";
            console.aside(&[what, error.as_bytes(), b"\n"]);
        }
    }
}

/// The longest path that is taken.
const PATH_MAX: usize = 4096;
/// What a line of a manifest begins with.
const FILE: &[u8] = b"file";
/// Bytes of a line that are looked at, at a time.
const MANIFEST_LINE: usize = 1024;
/// A snapshot's magic and part of its version.
const MAGIC: usize = 8;
