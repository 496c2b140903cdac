//! Writes a snapshot for another server, without replay and without holding it.
//!
//! The snapshot is checked, duplicate keys included. Where the target knows everything that it uses, its
//! records are copied as they stand, and where all keys become commands those are made and read back,
//! both while the check goes on: what is damaged is begun anew, and mostly not written. All else follows
//! behind the check, record by record, those that the target does not know encoded anew and decoded again
//! to see that they are the same.

mod ahead;
mod at_once;
mod making;

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::bytes::Step;
use crate::error::{Error, ErrorKind, Hint, Result};
use crate::io::ordered::{Piece, Pieces, ordered};
use crate::io::source::{Behind, Content, Map};
use crate::rdb::batch::{Batch, Batches};
use crate::rdb::parser::{RdbParser, opcode};
use crate::record::Record;
use crate::record::filter::Filter;
use crate::report::check::{CheckReport, Verdict};
use crate::report::finding::Severity;
use crate::report::written::WriteReport;
use crate::task::check_rdb::{Beside, CheckOptions, check_map};
use crate::task::duplicates::HITS as TWICE_LISTED;
use crate::task::writing::{
    Assembler, Destination, Head, Lacking, Lacks, Layout, Made, ModuleAux, Watch, WriteOptions,
    without_module_aux,
};
use crate::task::{InputPath, Run, open};
use crate::write::{Format, Lack};
use ahead::Ahead;
use making::{Making, Taking};

/// The longest output that is made in room which serves again.
const KEPT_ROOM: usize = 4 << 20;
/// What is checked.
const CHECKED: CheckOptions = CheckOptions {
    ignore_checksum: false,
    first: false,
    duplicates: true,
    followed: false,
    values_later: false,
};
/// What files of a set are called.
const STEM: &str = "appendonly.aof";

/// Writes a snapshot in the form of the target.
///
/// # Errors
/// Input that cannot be read or is no snapshot, output that cannot be written, a limit. Damage, and what
/// the target cannot hold, are in the report; then nothing is written unless the options say so.
pub fn convert(
    input: &InputPath,
    out: &Path,
    format: &Format,
    options: &WriteOptions,
    run: &Run<'_>,
) -> Result<WriteReport> {
    let filter = Filter::new(&options.filter)?;
    let layout = options.layout.unwrap_or(Layout::Rdb);
    if layout == Layout::Multipart && !format.has_multi_part() {
        let text = format!("{} has no logs of several files", format.target.name);
        return Err(Error::new(ErrorKind::Unsupported(text)));
    }
    let (origin, content) = open::snapshot(input, run)?;
    let watch = Watch::of_origin(&origin);
    // A slip about the output shows before the work.
    let mut to = Destination::create(out, layout, options.existing, &watch, None, STEM)?;
    let map = match content {
        Content::Map(map) => map,
        Content::Stream(mut stream) => open::spooled(&mut stream, run.max_spool)?,
    };
    let task = Task {
        name: origin.name(),
        map: &map,
        format,
        layout,
        options,
        filter: &filter,
        run,
    };
    let done = task.write(&mut to);
    if done.is_err() {
        watch.check()?;
    }
    let (mut report, is_written) = done?;
    if is_written {
        report.proven = to.is_read_back();
        watch.check()?;
        let given = to.finish(&[])?;
        report.files = given.files;
        report.warnings.extend(given.warnings);
    }
    Ok(report)
}

/// What is asked of a snapshot.
struct Task<'t> {
    name: &'t str,
    map: &'t Map,
    format: &'t Format,
    layout: Layout,
    options: &'t WriteOptions,
    filter: &'t Filter,
    run: &'t Run<'t>,
}

impl<'t> Task<'t> {
    /// Writes it, and whether that came to its end.
    fn write(&self, to: &mut Destination) -> Result<(WriteReport, bool)> {
        let size = self.map.len() as u64;
        // Where every key becomes commands, they are made while it is checked: should that have been
        // in vain, all of it is begun anew.
        let at_once = self.layout == Layout::Resp && to.can_begin_anew() && self.is_of_all();
        if at_once && !self.options.keep_going {
            self.run.progress.size(Some(size));
            if let Some(done) = at_once::write(self, to)? {
                return Ok(done);
            }
            to.begin_anew()?;
        }
        self.run.progress.size(Some(size * 2));
        let tries = self.run.threads > 1 && to.can_begin_anew() && ahead::is_likely(self);
        let wanted = AtomicBool::new(tries);
        let (check, copied) = std::thread::scope(|scope| {
            let copying = tries.then(|| scope.spawn(|| ahead::copy(self, to, &wanted)));
            let check = check_map(self.name, self.map, CHECKED, self.run);
            let loads = |check: &CheckReport| check.verdict == Verdict::Loads;
            wanted.store(check.as_ref().is_ok_and(loads), Ordering::Relaxed);
            let copied = copying.map(|copying| match copying.join() {
                Ok(copied) => copied,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            (check, copied)
        });
        let check = check?;
        if open::is_base(self.map) && check.good_until < size {
            return Err(Error::usage("commands follow the snapshot: this is a log")
                .with_hint(Hint::Other("`redkit rewrite-aof` replays and writes it")));
        }
        let mut report = self.report(&check);
        if check.verdict == Verdict::Unknown {
            let text = "the snapshot is of a version that is not known".to_owned();
            return Err(Error::new(ErrorKind::Unsupported(text)));
        }
        if !report.complete && !self.options.keep_going {
            return Ok((report, false));
        }
        let job = Job {
            task: self,
            check: &check,
        };
        let done = match copied {
            Some(copied) => job.take_copied(copied, &mut report)?,
            None => false,
        };
        if !done {
            if tries {
                to.begin_anew()?;
            }
            job.write(to, &mut report)?;
        }
        let lacks = report.findings.errors() > check.findings.errors();
        Ok((report, !lacks))
    }

    /// Whether no key is left out.
    fn is_of_all(&self) -> bool {
        self.filter.is_everything() && self.filter.limit().is_none()
    }

    /// A report on what was checked.
    fn report(&self, check: &CheckReport) -> WriteReport {
        WriteReport {
            command: "convert",
            input: check.input.clone(),
            input_size: check.size,
            like: like_of(check),
            target: self.format.target.name,
            layout: self.layout.name(),
            findings: check.findings.clone(),
            complete: check.verdict == Verdict::Loads,
            ..WriteReport::default()
        }
    }

    /// What stands in front of the keys, as far as the target has that, and where it ends.
    fn head(&self, lacks: &mut Lacks) -> Result<(Head, usize)> {
        let (mut head, start) = head(self.map)?;
        if !self.format.has_functions() {
            for source in std::mem::take(&mut head.functions) {
                lacks.add(lacking_library(&source), self.format, self.options.allowed);
            }
        }
        Ok((head, start))
    }

    /// How its keys are made.
    fn making(&self, keys_from: usize) -> Making<'t> {
        Making {
            format: self.format,
            layout: self.layout,
            allowed: self.options.allowed,
            filter: self.filter,
            run: self.run,
            keys_from: keys_from as u64,
            twice: HashSet::new(),
            looks_inside: false,
            may_be_damaged: false,
        }
    }

    /// Ends an output.
    fn end(
        &self,
        assembler: Assembler<'_, '_>,
        check: &CheckReport,
        lacks: Lacks,
        report: &mut WriteReport,
    ) -> Result<()> {
        report.warnings.extend(assembler.needs_databases());
        assembler.end()?;
        if !self.layout.has_records() {
            let left_out = without_module_aux(check.module_aux);
            report.warnings.extend(left_out);
        }
        report.findings.append(lacks.findings);
        (report.dropped, report.reduced) = (lacks.dropped, lacks.reduced);
        Ok(())
    }
}

/// The server that the snapshot names as its writer.
fn like_of(check: &CheckReport) -> String {
    let mut named = check.aux.iter().filter_map(|(name, value)| {
        let family = match name.as_slice() {
            b"redis-ver" => "redis",
            b"valkey-ver" => "valkey",
            _ => return None,
        };
        let value = std::str::from_utf8(value).ok()?;
        Some(format!("{family}-{value}"))
    });
    named.next().unwrap_or_default()
}

/// The same of a snapshot that was checked.
struct Job<'j> {
    task: &'j Task<'j>,
    check: &'j CheckReport,
}

impl Job<'_> {
    /// Ends an output whose records were copied during the check; false where it is not what is wanted.
    fn take_copied(
        &self,
        copied: Result<Option<Ahead<'_, '_>>>,
        report: &mut WriteReport,
    ) -> Result<bool> {
        let range = |ahead: &Ahead<'_, '_>| {
            let body = self.verbatim(ahead.start);
            body.is_some_and(|body| ahead.start + body.len() == ahead.end)
        };
        let ahead = match copied {
            Ok(Some(ahead)) if range(&ahead) => ahead,
            Err(error) if self.check.verdict == Verdict::Loads => return Err(error),
            _ => return Ok(false),
        };
        report.functions = ahead.functions;
        report.keys = self.check.keys();
        report.expires = self.check.expires();
        self.task.run.progress.at(self.task.map.len() as u64 * 2);
        ahead.assembler.end()?;
        Ok(true)
    }

    fn write(&self, to: &mut Destination, report: &mut WriteReport) -> Result<()> {
        let task = self.task;
        let mut lacks = Lacks::default();
        let (mut head, start) = task.head(&mut lacks)?;
        report.functions = head.functions.len() as u64;
        if task.is_of_all() {
            let sizes = self.check.dbs.iter();
            head.sizes = sizes
                .map(|(db, tally)| (*db, (tally.keys, tally.expires)))
                .collect();
        }
        let mut assembler = Assembler::new(task.format, task.layout, head, to)?;
        if let Some(body) = self.verbatim(start) {
            let mut behind = Behind::new(Some(task.map));
            report.keys = self.check.keys();
            report.expires = self.check.expires();
            let size = task.map.len() as u64;
            let before = start as u64;
            assembler.records(body, |at| {
                behind.reach(before + at);
                task.run.progress.at(size + before + at);
            })?;
        } else {
            let mut making = task.making(start);
            making.twice = self.twice()?;
            making.may_be_damaged = self.may_be_damaged();
            self.each(&making, &mut assembler, &mut lacks, report)?;
        }
        task.end(assembler, self.check, lacks, report)
    }

    /// The records from the first database on, where the target can have them as they are.
    fn verbatim(&self, start: usize) -> Option<&[u8]> {
        let check = self.check;
        let version = check.version?;
        let uses = &check.uses;
        let plain = self.task.is_of_all()
            && self.task.layout.has_records()
            && check.verdict == Verdict::Loads
            && check.findings.is_empty()
            && !uses.dragonfly;
        let takes = uses.types.iter().all(|of| self.task.format.takes(*of));
        let knows = uses.opcodes.iter().all(|&code| match code {
            opcode::FUNCTION2 | opcode::SLOT_INFO => {
                self.task.format.target.knows_opcode(code, version.family)
            }
            opcode::MODULE_AUX..=opcode::EOF => true,
            _ => false,
        });
        let modules = uses.modules.keys();
        let mut modules = modules.map(|name| self.task.format.may_have_module(name.as_bytes()));
        if !plain || !takes || !knows || !modules.all(|may| may) {
            return None;
        }
        let sum = if version.number >= 5 { 8 } else { 0 };
        let end = usize::try_from(check.good_until)
            .ok()?
            .checked_sub(sum + 1)?;
        // Only AUX fields of the servers stand between keys, and those are for other servers.
        (self.task.map.get(end) == Some(&opcode::EOF)).then(|| self.task.map.get(start..end))?
    }

    /// Writes record by record.
    fn each(
        &self,
        making: &Making<'_>,
        assembler: &mut Assembler<'_, '_>,
        lacks: &mut Lacks,
        report: &mut WriteReport,
    ) -> Result<()> {
        let Task {
            map, filter, run, ..
        } = *self.task;
        let mut batches = Batches::of_map(map);
        let mut ended = false;
        let next = move || {
            if ended {
                return None;
            }
            let next = batches.next_batch();
            ended = next.is_err();
            next.transpose()
        };
        let threads = match filter.limit() {
            Some(_) => 1,
            None => run.threads,
        };
        let size = map.len() as u64;
        let mut behind = Behind::new(Some(map));
        let mut taking = Taking {
            making,
            assembler,
            lacks,
            report,
            failed: None,
        };
        ordered(
            threads,
            next,
            || making.tool(),
            |tool, job: Result<Batch<'_>>, pieces: &mut Pieces<'_>| {
                let mut made = Made::default();
                match job {
                    Ok(batch) => making.batch(tool, &batch, &mut made, pieces),
                    Err(error) => made.failed = Some(error),
                }
                making.end(tool, &mut made, pieces);
                made
            },
            |piece| {
                if let Piece::Done(made) = &piece {
                    behind.reach(made.end);
                    run.progress.at(size + made.end);
                }
                taking.take(piece)
            },
        );
        taking
            .failed
            .map_or(Ok(()), |failed| Err(failed.into_error()))
    }

    /// Whether single keys may be damaged; then each is looked at before it is copied.
    fn may_be_damaged(&self) -> bool {
        self.task.options.keep_going && self.check.findings.errors() > 0
    }

    /// Where records stand of keys that stood before, which no server takes.
    fn twice(&self) -> Result<HashSet<u64>> {
        let findings = &self.check.findings;
        let listed = findings.list().iter();
        let listed = listed.filter(|finding| finding.severity == Severity::Error);
        let listed = listed.count() as u64;
        // Of more pairs than that nobody tells.
        if findings.errors() > listed || listed >= TWICE_LISTED as u64 {
            let text = "more is wrong with it than can be listed".to_owned();
            return Err(
                Error::new(ErrorKind::Unsupported(text)).with_hint(Hint::Other(
                    "`salvage` saves every key that is whole, and of keys that stand twice one",
                )),
            );
        }
        let twice = findings.list().iter();
        let twice = twice.filter(|finding| finding.code == "rdb-duplicate-key");
        Ok(twice.map(|finding| finding.place.offset).collect())
    }
}

/// What stands in front of the keys, and where that ends.
fn head(map: &Map) -> Result<(Head, usize)> {
    let mut head = Head::default();
    let mut parser = RdbParser::new();
    let mut rest: &[u8] = map;
    while let Step::Parsed { consumed, item } = parser.parse(rest, true)? {
        match item {
            Record::Header(_) => {}
            Record::Aux { name, value } => {
                let is_time = name.to_bytes().is_ok_and(|name| *name == *b"ctime");
                let value = value.to_bytes().unwrap_or_default();
                let text = std::str::from_utf8(&value).ok().filter(|_| is_time);
                head.ctime = head.ctime.or(text.and_then(|text| text.parse().ok()));
            }
            Record::Function(source) => {
                let source = source.to_bytes();
                let source = source.map_err(|problem| {
                    let at = crate::error::Place::at((map.len() - rest.len()) as u64);
                    Error::bytes(problem, at, crate::error::What::Function)
                })?;
                head.functions.push(source.into_owned());
            }
            Record::ModuleAux {
                id, when, items, ..
            } => head.module_aux.push(ModuleAux {
                id,
                when,
                items: items.to_vec(),
            }),
            _ => break,
        }
        rest = rest.get(consumed..).unwrap_or_default();
    }
    Ok((head, map.len() - rest.len()))
}

fn lacking_library(source: &[u8]) -> Lacking {
    let name = crate::keyspace::library_name(source);
    Lacking {
        db: 0,
        key: name.unwrap_or_default().to_vec(),
        lack: Lack::Functions,
        written: false,
    }
}

#[cfg(test)]
mod tests;
