//! Replays a log and writes what it comes to, as small as a server would.

use std::collections::BTreeMap;
use std::path::Path;

use crate::command::Like;
use crate::error::{Error, ErrorKind, Hint, Result};
use crate::io::kind::Kind;
use crate::io::ordered::{Piece, Pieces, Wanted, ordered};
use crate::keyspace::digest::Digest;
use crate::keyspace::{Keyspace, Slot};
use crate::record::filter::Filter;
use crate::report::aof::Fate;
use crate::report::replay::ReplayReport;
use crate::report::written::WriteReport;
use crate::task::log_files::LogFiles;
use crate::task::logs::Logs;
use crate::task::replay::{self, ReplayOptions, Replayed};
use crate::task::writing::proof::{self, Sum};
use crate::task::writing::{
    Assembler, Destination, Head, Lacking, Lacks, Layout, Made, Maker, Summing, Watch,
    WriteOptions, without_module_aux,
};
use crate::task::{InputPath, Run};
use crate::write::{Format, Lack};

/// Keys that a job writes.
const JOB: usize = 512;
/// More keys than are given back in no time.
const MANY: u64 = 100_000;
/// What files of a set are called where the input has no name for them.
const STEM: &str = "appendonly.aof";

/// Replays an input and writes the keyspace.
///
/// # Errors
/// Input that cannot be read or is neither snapshot nor log, output that cannot be written, a limit;
/// [`Usage`](ErrorKind::Usage) where an expiry counts from an unknown moment. Damage, and what the target
/// cannot hold, are in the report; then nothing is written unless the options say so.
pub fn rewrite(
    input: &InputPath,
    out: &Path,
    replayed: &ReplayOptions,
    options: &WriteOptions,
    run: &Run<'_>,
) -> Result<WriteReport> {
    let filter = Filter::new(&options.filter)?;
    let files = LogFiles::of(replay::opened(input, run)?);
    let watch = Watch::of(&files);
    let layout = options.layout.unwrap_or_else(|| default_layout(&files));
    // A slip about the output shows before the work.
    let (folder, stem) = names(&files);
    if let Some(format) = &options.format {
        fits(layout, format)?;
    }
    let mut to = Destination::create(out, layout, options.existing, &watch, folder, &stem)?;
    let input_size = files.size();
    let Replayed { report, keyspace } = replay::of_files(&files, replayed, run)?;
    let like: Like = report.check.like.parse().map_err(|_| {
        let text = format!("the server \"{}\" is not known", report.check.like);
        Error::new(ErrorKind::Unsupported(text))
    })?;
    let format = match &options.format {
        Some(format) => format.clone(),
        None => Format::like(like),
    };
    fits(layout, &format)?;
    if report.relative > 0 {
        let text = format!(
            "{} of the log counts its time to live from an unknown moment",
            crate::report::text::counted(report.relative, "command")
        );
        return Err(Error::usage(text).with_hint(Hint::Other(
            "`--now TIME` says what the clock showed when they were run",
        )));
    }
    let mut written = WriteReport {
        command: "rewrite-aof",
        input: report.check.input.clone(),
        input_size,
        like: report.check.like.clone(),
        target: format.target.name,
        layout: layout.name(),
        commands: Some(report.commands),
        findings: report.all_findings(),
        complete: is_whole(&report, replayed),
        ..WriteReport::default()
    };
    if !written.complete && written.findings.errors() == 0 {
        written.warnings.extend(report.check.fate.why_not());
    }
    if !written.complete && !options.keep_going {
        return Ok(written);
    }
    let head = head_of(&report, &keyspace, replayed, filter.is_everything());
    let job = Job {
        format: &format,
        layout,
        options,
        filter: &filter,
        run,
    };
    let errors = written.findings.errors();
    let (sum, vectors, behind) = job.write(&keyspace, head, &mut to, &mut written)?;
    // Millions of keys are not given back one by one, except where their room is needed again.
    if layout != Layout::Resp && report.keys() > MANY {
        std::mem::forget(keyspace);
    } else {
        drop(keyspace);
    }
    // What the target cannot hold is left out only where that is said in so many words.
    if written.findings.errors() > errors {
        return Ok(written);
    }
    let mut full = sum.full;
    full.join(vectors);
    written.full_digest = Some(full.to_string());
    if let Some(map) = to.written()? {
        let found = match layout {
            Layout::Resp => proof::of_commands(&[&map], &format, Summing::Full, run)?,
            _ => {
                let (mut found, end) = proof::of_snapshot(&map, &format, run)?;
                if end != map.len() as u64 {
                    return Err(proof::unlike("the snapshot ends early".to_owned()));
                }
                if !behind.is_empty() {
                    found.join(proof::of_commands(&[&behind], &format, Summing::Full, run)?);
                }
                found
            }
        };
        if found != sum {
            let text = format!(
                "what was written has the digest {}, and {} was meant",
                found.full, sum.full
            );
            return Err(proof::unlike(text));
        }
        written.proven = true;
    }
    watch.check()?;
    let given = to.finish(&behind)?;
    let snapshots = report
        .check
        .files
        .iter()
        .filter_map(|f| f.preamble.as_deref());
    let module_aux = snapshots.map(|snapshot| snapshot.module_aux).sum();
    written.files = given.files;
    written.warnings.extend(without_module_aux(module_aux));
    written.warnings.extend(given.warnings);
    Ok(written)
}

fn default_layout(files: &LogFiles) -> Layout {
    match files.logs() {
        Logs::Set(_) => Layout::Multipart,
        Logs::One(log) if log.origin.kind() == Kind::Rdb && is_snapshot(log) => Layout::Rdb,
        Logs::One(_) => Layout::Preamble,
    }
}

/// Whether a file that begins with a snapshot is nothing else, by its own word.
fn is_snapshot(log: &crate::task::logs::LogFile) -> bool {
    !crate::task::open::is_base(&log.map)
}

/// The folder of a set, and what its files are called.
fn names(files: &LogFiles) -> (Option<&Path>, String) {
    let Logs::Set(set) = files.logs() else {
        return (None, STEM.to_owned());
    };
    let name = set.listing.manifest.as_ref().map(|(name, _)| name);
    let name = name.and_then(|name| std::str::from_utf8(name).ok());
    let stem = name.and_then(|name| name.strip_suffix(".manifest"));
    (Some(&set.listing.folder), stem.unwrap_or(STEM).to_owned())
}

fn fits(layout: Layout, format: &Format) -> Result<()> {
    if layout == Layout::Multipart && !format.has_multi_part() {
        let text = format!("{} has no logs of several files", format.target.name);
        return Err(Error::new(ErrorKind::Unsupported(text))
            .with_hint(Hint::Other("`--layout preamble` writes a single file")));
    }
    Ok(())
}

/// Whether all that was asked for is in the keyspace.
fn is_whole(report: &ReplayReport, options: &ReplayOptions) -> bool {
    let partial =
        options.to_offset.is_some() || options.to_command.is_some() || options.to_time.is_some();
    let loads = report.check.fate == Fate::Loads;
    (report.complete || (partial && loads && report.findings.errors() == 0))
        && report.unplayable == 0
}

/// What stands in front of the keys.
fn head_of(
    report: &ReplayReport,
    keyspace: &Keyspace,
    options: &ReplayOptions,
    has_sizes: bool,
) -> Head {
    let snapshots = report
        .check
        .files
        .iter()
        .filter_map(|f| f.preamble.as_deref());
    let base_time = snapshots
        .flat_map(|base| &base.aux)
        .find_map(|(name, value)| {
            let text = std::str::from_utf8(value).ok()?;
            (name == b"ctime").then(|| text.parse().ok()).flatten()
        });
    let times = report
        .check
        .files
        .iter()
        .filter_map(|file| file.tally.times);
    let last = times.map(|(_, last)| last).max();
    let cut = options.to_time.and_then(|ms| u64::try_from(ms / 1000).ok());
    let last = match (last, cut) {
        (Some(last), Some(cut)) => Some(last.min(cut)),
        (last, _) => last,
    };
    let sizes = report
        .dbs
        .iter()
        .map(|(db, keys)| (*db, (keys.keys, keys.expires)));
    Head {
        ctime: last.or(base_time),
        functions: keyspace.functions.values().cloned().collect(),
        sizes: match has_sizes {
            true => sizes.collect(),
            false => BTreeMap::new(),
        },
        ..Head::default()
    }
}

/// Writes a keyspace.
struct Job<'j> {
    format: &'j Format,
    layout: Layout,
    options: &'j WriteOptions,
    filter: &'j Filter,
    run: &'j Run<'j>,
}

impl Job<'_> {
    fn write(
        &self,
        keyspace: &Keyspace,
        mut head: Head,
        to: &mut Destination,
        report: &mut WriteReport,
    ) -> Result<(Sum, Digest, Vec<u8>)> {
        let (format, allowed) = (self.format, self.options.allowed);
        let mut lacks = Lacks::default();
        let (mut sum, mut vectors) = (Sum::default(), Digest::default());
        if !format.has_functions() {
            for source in std::mem::take(&mut head.functions) {
                let name = crate::keyspace::library_name(&source);
                let one = Lacking {
                    db: 0,
                    key: name.unwrap_or_default().to_vec(),
                    lack: Lack::Functions,
                    written: false,
                };
                lacks.add(one, format, allowed);
            }
        }
        report.functions = head.functions.len() as u64;
        for source in &head.functions {
            sum.function(source);
        }
        let mut assembler = Assembler::new(format, self.layout, head, to)?;
        let sorted: Vec<(u32, Vec<&Slot>)> = keyspace
            .dbs()
            .into_iter()
            .map(|db| (db, keyspace.sorted_keys(db)))
            .collect();
        let total: usize = sorted.iter().map(|(_, keys)| keys.len()).sum();
        let mut jobs = sorted
            .iter()
            .flat_map(|(db, keys)| keys.chunks(JOB).map(move |keys| (*db, keys)));
        let threads = match self.filter.limit() {
            // Counting up to a limit is a matter of order.
            Some(_) => 1,
            None => self.run.threads,
        };
        self.run.progress.size(Some(total as u64));
        let mut done = 0;
        let mut failed: Option<Error> = None;
        ordered(
            threads,
            move || jobs.next(),
            || {
                Maker::new(
                    format,
                    &keyspace.rules,
                    self.layout,
                    allowed,
                    self.filter,
                    Summing::Full,
                )
            },
            |maker: &mut Maker<'_>, (db, keys), _: &mut Pieces<'_>| {
                let mut made = Made::default();
                for slot in keys {
                    if let Err(error) = maker.slot(db, slot, &mut made) {
                        made.failed = Some(error.in_key(db, slot.name()));
                        break;
                    }
                    if made.enough {
                        break;
                    }
                }
                made.end = keys.len() as u64;
                made
            },
            |piece| {
                let Piece::Done(mut made) = piece else {
                    return (Wanted::More, None);
                };
                done += made.end;
                self.run.progress.at(done);
                report.keys += made.keys;
                report.expires += made.expires;
                sum.join(made.sum);
                vectors.join(made.vectors);
                for one in made.lacking.drain(..) {
                    lacks.add(one, format, allowed);
                }
                let added = match made.failed.take() {
                    Some(error) => Err(error),
                    None => assembler.add(&mut made),
                };
                match added {
                    Err(error) => {
                        failed.get_or_insert(error);
                        (Wanted::Nothing, None)
                    }
                    Ok(()) if made.enough => (Wanted::Nothing, None),
                    Ok(()) => (Wanted::More, None),
                }
            },
        );
        if let Some(error) = failed {
            return Err(error);
        }
        report.warnings.extend(assembler.needs_databases());
        let behind = assembler.end()?;
        report.findings.append(lacks.findings);
        (report.dropped, report.reduced) = (lacks.dropped, lacks.reduced);
        Ok((sum, vectors, behind))
    }
}
