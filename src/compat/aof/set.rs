//! Logs of several files, which a manifest names.

use std::path::Path;

use crate::aof::manifest::{FileEntry, Manifest, ManifestFault};
use crate::compat::aof::{Check, Member, cannot_open, is_snapshot, look};
use crate::compat::console::{FAILED, Flow};
use crate::compat::file::{Access, Opened, folder_of, path_of};
use crate::compat::number::{LINE, clipped};

impl Check<'_, '_> {
    /// Checks a set by its manifest.
    pub(super) fn set(&mut self, path: &Path, shown: &[u8]) -> Flow {
        self.console.text("Start checking Multi Part AOF\n")?;
        let opened = look(path, self.console)?;
        let manifest = match Manifest::parse_as(&opened.bytes, self.release.dialect()) {
            Ok(manifest) => manifest,
            Err(fault) => return self.refuse(&fault),
        };
        drop(opened);
        let folder = folder_of(shown);
        let count = manifest.in_load_order().count();
        let mut number = 0;
        if let Some(base) = manifest.base() {
            number += 1;
            let place = place(&folder, base);
            let path = path_of(&place);
            let has_snapshot = match Opened::new(&path, Access::Read) {
                Ok(opened) => is_snapshot(&opened.bytes, self.release),
                Err(error) => return cannot_open(&place, &error, self.console),
            };
            let form = if has_snapshot { "RDB" } else { "RESP" };
            self.console
                .text(&format!("Start to check BASE AOF ({form} format).\n"))?;
            let outcome = self.file(&Member {
                name: &base.name,
                path: &path,
                shown: &place,
                is_last: number == count,
                has_snapshot,
            })?;
            self.tell(outcome, b"BASE AOF", &base.name)?;
        }
        if !manifest.incrementals().is_empty() {
            self.console.text("Start to check INCR files.\n")?;
        }
        for file in manifest.incrementals() {
            number += 1;
            let place = place(&folder, file);
            let outcome = self.file(&Member {
                name: &file.name,
                path: &path_of(&place),
                shown: &place,
                is_last: number == count,
                has_snapshot: false,
            })?;
            self.tell(outcome, b"INCR AOF", &file.name)?;
        }
        self.console.text("All AOF files and manifest are valid\n")
    }

    /// Says what is wrong with a manifest. The tools log it as their servers do, each part with
    /// process and time in front and an empty line behind: those are left out.
    fn refuse(&mut self, fault: &ManifestFault) -> Flow {
        let head = b"\n*** FATAL AOF MANIFEST FILE ERROR ***\n\n";
        self.console.print(&[head])?;
        if fault.problem.shows_line() {
            let line = fault.line;
            self.console
                .text(&format!("Reading the manifest file, at line {line}\n\n"))?;
            let text = clipped(&[b">>> '", &fault.text, b"'\n"], LINE);
            self.console.print(&[&text, b"\n"])?;
        }
        let reason = fault.problem.reason().as_bytes();
        self.console.print(&[reason, b"\n\n"])?;
        Err(FAILED)
    }
}

fn place(folder: &[u8], file: &FileEntry) -> Vec<u8> {
    [folder, b"/", &file.name].concat()
}
