//! The arguments of the checker of snapshots.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write;

use crate::compat::aof::is_version;
use crate::compat::console::{Console, FAILED, Flow};
use crate::compat::file::{bytes_of, said};
use crate::compat::release::Release;
use crate::compat::stats::{Form, Stats};

/// What is asked for.
pub(super) struct Wanted<'a> {
    pub(super) path: &'a OsStr,
    pub(super) stats: bool,
    form: Form,
    output: Option<&'a OsStr>,
}

impl<'a> Wanted<'a> {
    /// Reads the arguments of the tools that take one; none where the version is asked for.
    pub(super) fn old(
        own: &OsStr,
        rest: &'a [OsString],
        release: Release,
        console: &mut Console<'_>,
    ) -> Flow<Option<Wanted<'a>>> {
        match rest {
            [path] if is_version(path) && !release.is_old() => Ok(None),
            [path] => Ok(Some(Wanted::of(path))),
            _ => {
                console.aside(&[b"Usage: ", bytes_of(own), b" <rdb-file-name>\n"]);
                Err(FAILED)
            }
        }
    }

    /// Reads the arguments of Valkey 9.1, where the file stands in front.
    pub(super) fn parse(
        own: &OsStr,
        rest: &'a [OsString],
        console: &mut Console<'_>,
    ) -> Flow<Option<Wanted<'a>>> {
        let [path, options @ ..] = rest else {
            return usage(own, console);
        };
        let mut wanted = Wanted::of(path);
        let mut options = options.iter();
        while let Some(option) = options.next() {
            if option == "--stats" {
                wanted.stats = true;
            } else if option == "--format" {
                wanted.form = match options.next().and_then(|form| form.to_str()) {
                    Some("table") => Form::Table,
                    Some("info") => Form::Info,
                    Some("csv") => Form::Csv,
                    _ => return usage(own, console),
                };
            } else if option == "--output" {
                match options.next() {
                    Some(path) => wanted.output = Some(path),
                    None => return usage(own, console),
                }
            } else {
                return usage(own, console);
            }
        }
        Ok(Some(wanted))
    }

    fn of(path: &'a OsStr) -> Self {
        Wanted {
            path,
            stats: false,
            form: Form::Table,
            output: None,
        }
    }

    /// Prints the statistics where they are wanted.
    pub(super) fn print(&self, stats: &Stats, console: &mut Console<'_>) -> Flow {
        let text = stats.text(self.form);
        match self.output {
            None => console.text(&text),
            Some(path) => {
                let written = File::create(path).and_then(|mut f| f.write_all(text.as_bytes()));
                written.map_err(|error| {
                    let (path, error) = (bytes_of(path), said(&error));
                    let what = b"Cannot open output file: '";
                    console.aside(&[what, path, b"': ", error.as_bytes(), b"\n"]);
                    FAILED
                })
            }
        }
    }
}

fn usage<T>(own: &OsStr, console: &mut Console<'_>) -> Flow<T> {
    let rest = b" <rdb-file-name> [--format table|info|csv] [--stats] [--output <file>]\n";
    console.aside(&[b"Usage: ", bytes_of(own), rest]);
    Err(FAILED)
}
