//! The servers' own checkers, by their names: `redis-check-aof`, `redis-check-rdb`,
//! `valkey-check-aof` and `valkey-check-rdb`.
//!
//! Who calls the program by one of these names gets that tool: its arguments, its lines on stdout,
//! its question on stdin, its way to fix, its exit status, for scripts that were written for it.
//! These tools read with `fgets`, `strtol` and `fread`, and their verdicts come from that: so this
//! is a module of its own, which follows how they read, and not what a log or a snapshot means.
//! Observed on Redis 6.2.5, 7.0.15 and 8.2.3 and on Valkey 8.1.8 and 9.1.2; `docs/compat.md` names
//! where this one does better on purpose.

mod aof;
mod console;
mod file;
mod lines;
mod number;
mod rdb;
mod release;
mod rio;
mod stats;
mod value;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

pub use console::{Console, Stop};
pub use release::Release;

/// One of the checkers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// `redis-check-aof`, `valkey-check-aof`.
    Aof,
    /// `redis-check-rdb`, `valkey-check-rdb`.
    Rdb,
}

/// What a checker leaves to others.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// How far a server that is asked reads a log, in bytes from its start; `None` where that is not
    /// known. Asked before anything is removed.
    pub loads: &'a dyn Fn(&Path) -> Option<u64>,
    /// Cuts a file back to so many bytes, and throws nothing away: an error leaves it as it was.
    pub cut: &'a dyn Fn(&Path, u64) -> io::Result<Kept>,
}

/// What became of the bytes that were cut off.
#[derive(Debug)]
pub enum Kept {
    /// They are in this file.
    In(PathBuf),
    /// They could not be kept, for this reason.
    Not(String),
}

impl Tool {
    /// The checker that a program of this file name is, and whose it is.
    pub fn of_name(name: &str) -> Option<(Tool, Release)> {
        let name = match name.get(name.len().saturating_sub(4)..) {
            Some(end) if end.eq_ignore_ascii_case(".exe") => name.get(..name.len() - 4)?,
            _ => name,
        };
        Some(match name {
            "redis-check-aof" => (Tool::Aof, Release::Redis82),
            "redis-check-rdb" => (Tool::Rdb, Release::Redis82),
            "valkey-check-aof" => (Tool::Aof, Release::Valkey91),
            "valkey-check-rdb" => (Tool::Rdb, Release::Valkey91),
            _ => return None,
        })
    }

    /// Does what the tool of this release does with these arguments, the first of which is its own
    /// name. Gives the exit status.
    ///
    /// # Errors
    /// Only that what is printed cannot be.
    pub fn run(
        self,
        release: Release,
        args: &[OsString],
        console: &mut Console<'_>,
        means: Means<'_>,
    ) -> io::Result<u8> {
        let done = match self {
            Tool::Aof => aof::run(release, args, console, means),
            Tool::Rdb => rdb::run(release, args, console),
        };
        let flushed = console.flush();
        match done {
            Ok(()) => flushed.map(|()| 0),
            Err(Stop::Exit(code)) => flushed.map(|()| code),
            Err(Stop::Output(error)) => Err(error),
        }
    }
}
