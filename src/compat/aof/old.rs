//! The checker of Redis 6.2: one file, no annotations, no bound on a length.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::compat::Means;
use crate::compat::aof::{MAGIC, ask, is_valkey_snapshot, tell_kept};
use crate::compat::console::{Console, FAILED, Flow};
use crate::compat::file::{Access, Opened, bytes_of, said};
use crate::compat::lines::{Lines, Read};
use crate::compat::rdb;
use crate::compat::release::Release;
use crate::io::source::Behind;

/// Runs the checker.
pub(super) fn run(
    own: &OsStr,
    rest: &[OsString],
    release: Release,
    console: &mut Console<'_>,
    means: Means<'_>,
) -> Flow {
    let (path, fix) = match rest {
        [] => {
            console.print(&[b"Usage: ", bytes_of(own), b" [--fix] <file.aof>\n"])?;
            return Err(FAILED);
        }
        [path] => (path, false),
        [flag, path] if flag == "--fix" => (path, true),
        [flag, _] => {
            console.print(&[b"Invalid argument: ", bytes_of(flag), b"\n"])?;
            return Err(FAILED);
        }
        _ => {
            console.text("Invalid arguments\n")?;
            return Err(FAILED);
        }
    };
    let shown = bytes_of(path);
    let Ok(opened) = Opened::new(Path::new(path), Access::Write) else {
        console.print(&[b"Cannot open file: ", shown, b"\n"])?;
        return Err(FAILED);
    };
    if opened.size == 0 {
        console.print(&[b"Empty file: ", shown, b"\n"])?;
        return Err(FAILED);
    }
    // The snapshot's check is called with these arguments, and takes the first for its file.
    let named = rest.first().map_or(shown, |first| bytes_of(first));
    let start = snapshot(release, named, &opened, console)?;
    let (good, lines) = read(&opened, start, console)?;
    let size = opened.size;
    let diff = size.saturating_sub(good);
    console.text(&format!(
        "AOF analyzed: size={size}, ok_up_to={good}, ok_up_to_line={lines}, diff={diff}\n"
    ))?;
    if diff == 0 {
        return console.text("AOF is valid\n");
    }
    if !fix {
        console.text("AOF is not valid. Use the --fix option to try fixing it.\n")?;
        return Err(FAILED);
    }
    self::fix(Path::new(path), opened, good, console, means)
}

fn snapshot(
    release: Release,
    named: &[u8],
    opened: &Opened,
    console: &mut Console<'_>,
) -> Flow<usize> {
    if opened.bytes.len() < MAGIC || !opened.bytes.starts_with(b"REDIS") {
        return Ok(0);
    }
    console.text(
        "The AOF appears to start with an RDB preamble.\nChecking the RDB preamble to start:\n",
    )?;
    match rdb::preamble(release, named, opened, console)? {
        Some(end) => {
            console.text("RDB preamble is OK, proceeding with AOF tail...\n")?;
            Ok(end)
        }
        None => {
            console.text("RDB preamble of AOF file is not sane, aborting.\n")?;
            Err(FAILED)
        }
    }
}

/// Reads the commands: how far they are good, and the lines.
fn read(opened: &Opened, start: usize, console: &mut Console<'_>) -> Flow<(u64, u64)> {
    let mut lines = Lines::new(&opened.bytes, start, 1).any_length();
    let mut behind = Behind::new(Some(&opened.bytes));
    let mut good = start;
    loop {
        if lines.is_outside() {
            good = lines.offset();
            behind.reach(good as u64);
        }
        if lines.command() == Read::Broken {
            break;
        }
    }
    lines.close();
    if !lines.error().is_empty() {
        console.print(&[lines.error(), b"\n"])?;
    }
    Ok((good as u64, lines.line()))
}

fn fix(
    path: &Path,
    opened: Opened,
    good: u64,
    console: &mut Console<'_>,
    means: Means<'_>,
) -> Flow {
    let size = opened.size;
    if good == 0 && is_valkey_snapshot(&opened.bytes) {
        console.aside(&[b"redkit: this is a snapshot of Valkey 9, and nothing of it is removed\n"]);
        return Err(FAILED);
    }
    drop(opened);
    let good = (means.loads)(path).map_or(good, |loads| loads.clamp(good, size));
    if good == size {
        console.aside(&[b"redkit: the server loads all of this file, nothing of it is removed\n"]);
        return console.text("AOF is valid\n");
    }
    console.text(&format!(
        "This will shrink the AOF from {size} bytes, with {} bytes, to {good} bytes\n",
        size - good
    ))?;
    ask(console)?;
    match (means.cut)(path, good) {
        Ok(kept) => {
            tell_kept(&kept, console);
            console.text("Successfully truncated AOF\n")
        }
        Err(error) => {
            console.aside(&[b"redkit: ", said(&error).as_bytes(), b"\n"]);
            console.text("Failed to truncate AOF\n")?;
            Err(FAILED)
        }
    }
}
