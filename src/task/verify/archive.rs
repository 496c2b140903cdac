//! What is in a tar archive.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::aof::set::path_in;
use crate::error::{Error, Hint, Result};
use crate::io::archive::{Unpacked, unpack};
use crate::io::kind::Kind;
use crate::io::source::{Content, OpenOptions, Source};
use crate::report::Severity;
use crate::report::finding::{Finding, Findings};
use crate::report::verify::{How, VerifyReport, finding};
use crate::task::verify::assertions::assertion;
use crate::task::verify::conf::Conf;
use crate::task::verify::{Opened, VerifyOptions, file, folder, opened};
use crate::task::{InputPath, Run};

/// Judges every data folder, set and file in an archive, each by itself.
pub(super) fn verify(
    source: Source,
    options: &VerifyOptions,
    run: &Run<'_>,
) -> Result<Vec<VerifyReport>> {
    let (origin, content) = source.into_parts();
    let name = origin.name().to_owned();
    let codec = origin.codec().map(|codec| codec.name());
    run.progress.size(origin.content_size());
    let unpacked = unpack(stream(content), run.max_spool)?;
    let findings = findings(&unpacked);
    let backups = backups(&unpacked, options.conf.as_ref(), run)?;
    let mut reports = Vec::new();
    for backup in &backups {
        let path = unpacked.folder().join(backup.path());
        let shown = shown(&name, backup.path(), backups.len());
        let judged = match backup {
            Backup::Folder(_) => folder::verify(&path, shown.clone(), options, run)?,
            Backup::File(_) => {
                let input = InputPath::File(path);
                match opened(&input, &shown, options, run)? {
                    Opened::Source(source) => file(&input, source, shown.clone(), options, run)?,
                    Opened::Damaged(report) => *report,
                }
            }
        };
        reports.push(VerifyReport {
            input: shown,
            ..judged
        });
    }
    if reports.is_empty() {
        reports.push(VerifyReport::new(name.clone()));
    }
    for (index, report) in reports.iter_mut().enumerate() {
        report.archived = true;
        report.compressed = codec;
        report.now = options.max_age.map(|age| age.now);
        // What is wrong with the archive as such is said once, and counts for all that is in it.
        if index == 0 {
            report.findings.append(findings.clone());
        }
        let whole = unpacked.damage.as_ref().map(|(at, what)| {
            let what = format!("at {at}: {what}");
            (How::Damage, what)
        });
        report
            .assertions
            .insert(0, assertion("archive-whole", whole));
        if report.starts.is_empty() {
            let why = "there is no snapshot, log or data folder in it that is whole";
            let none = Some((How::Damage, why.to_owned()));
            report.assertions.push(assertion("restores", none));
        }
    }
    Ok(reports)
}

/// The bytes of an archive from the start to the end.
pub(in crate::task) fn stream(content: Content) -> Box<dyn std::io::Read + Send> {
    match content {
        Content::Stream(stream) => stream,
        Content::Map(map) => Box::new(Mapped { map, at: 0 }),
    }
}

/// A map as a stream.
struct Mapped {
    map: crate::io::source::Map,
    at: usize,
}

impl std::io::Read for Mapped {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut rest = self.map.get(self.at..).unwrap_or_default();
        let read = rest.read(buffer)?;
        self.at += read;
        Ok(read)
    }
}

fn findings(unpacked: &Unpacked) -> Findings {
    let mut findings = Findings::default();
    if let Some((at, what)) = &unpacked.damage {
        let hint = Some(Hint::CopyAgain);
        findings.push(Finding {
            start: *at,
            end: *at,
            place: crate::error::Place::at(*at),
            ..finding("archive-damaged", Severity::Error, what.clone(), hint)
        });
    }
    for (name, why) in &unpacked.left_out {
        let message = format!("the member {name} is left out: {why}");
        findings.push(finding(
            "archive-left-out",
            Severity::Warning,
            message,
            None,
        ));
    }
    let more = unpacked.left_out_count - unpacked.left_out.len() as u64;
    if more > 0 {
        let message = format!("{more} more members are left out");
        findings.push(finding(
            "archive-left-out",
            Severity::Warning,
            message,
            None,
        ));
    }
    findings
}

/// A backup among the members, by its path from the top.
pub(in crate::task) enum Backup {
    Folder(PathBuf),
    File(PathBuf),
}

impl Backup {
    pub(in crate::task) fn path(&self) -> &Path {
        match self {
            Backup::Folder(path) | Backup::File(path) => path,
        }
    }
}

/// Data folders and sets as such; of what is left, files that servers load, by their content.
pub(in crate::task) fn backups(
    unpacked: &Unpacked,
    conf: Option<&Conf>,
    run: &Run<'_>,
) -> Result<Vec<Backup>> {
    let mut folders: BTreeSet<&Path> = BTreeSet::new();
    for (path, _) in unpacked.files() {
        folders.extend(path.ancestors().skip(1));
    }
    let mut backups: Vec<Backup> = Vec::new();
    let default = Conf::default();
    let logs = &conf.unwrap_or(&default).folder;
    // The log of a data folder is part of that; so is what lies in it under another name, which no
    // server looks at. Other folders in it are not.
    let is_in = |backups: &[Backup], path: &Path| {
        let mut folders = backups.iter().filter_map(|backup| match backup {
            Backup::Folder(folder) => Some(folder),
            Backup::File(_) => None,
        });
        folders.any(|folder| path.starts_with(path_in(folder, logs)))
    };
    let lies_in = |backups: &[Backup], path: &Path| {
        let mut folders = backups.iter().filter(|b| matches!(b, Backup::Folder(_)));
        folders.any(|folder| path.parent() == Some(folder.path()))
    };
    // Outer folders come first.
    for path in folders {
        let full = unpacked.folder().join(path);
        let is_backup = match conf {
            Some(conf) => folder::has_data(&full, conf),
            None => folder::is_backup(&full),
        };
        if is_backup && !is_in(&backups, path) {
            backups.push(Backup::Folder(path.to_path_buf()));
        }
    }
    if conf.is_some() {
        if backups.is_empty() {
            let text = "no folder in the archive has the files that `--conf` names";
            return Err(Error::usage(text));
        }
        return Ok(backups);
    }
    let mut empty = None;
    for (path, size) in unpacked.files() {
        if is_in(&backups, path) || lies_in(&backups, path) {
            continue;
        }
        if size == 0 {
            empty.get_or_insert(path);
            continue;
        }
        let full = unpacked.folder().join(path);
        let source = Source::open(&full, OpenOptions { mmap: run.mmap });
        // What cannot be decompressed is for the judge to say.
        let kind = source.map_or(Kind::Rdb, |source| source.kind());
        if matches!(kind, Kind::Rdb | Kind::Aof) {
            backups.push(Backup::File(path.to_path_buf()));
        }
    }
    // Nothing but an empty file: that is what the backup is.
    if let (true, Some(path)) = (backups.is_empty(), empty) {
        backups.push(Backup::File(path.to_path_buf()));
    }
    Ok(backups)
}

fn shown(archive: &str, inside: &Path, count: usize) -> String {
    let inside = inside.display().to_string();
    match (inside.is_empty(), count) {
        (true, _) => archive.to_owned(),
        _ => format!("{archive}:{inside}"),
    }
}
