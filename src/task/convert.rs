//! Writes a snapshot for another server, without replay and without holding it.
//!
//! The snapshot is checked first, duplicate keys included. Where the target knows everything that it
//! uses, its records are copied as they stand; else record by record, those that the target does not
//! know encoded anew and decoded again to see that they are the same. As commands, keys are read back as
//! they are written.

mod ahead;

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::bytes::Step;
use crate::error::{Error, ErrorKind, Hint, Result};
use crate::io::ordered::{Piece, Pieces, Wanted, ordered};
use crate::io::source::{Behind, Content, Map};
use crate::rdb::batch::{Batch, Batches};
use crate::rdb::parser::{RdbParser, opcode};
use crate::record::filter::Filter;
use crate::record::{Flow, Record};
use crate::report::check::{CheckReport, Verdict};
use crate::report::finding::Severity;
use crate::report::written::WriteReport;
use crate::task::check_rdb::deep::DeepCheck;
use crate::task::check_rdb::{CheckOptions, check_map};
use crate::task::duplicates::HITS as TWICE_LISTED;
use crate::task::writing::{
    Assembler, Destination, Head, Lacking, Lacks, Layout, Made, Maker, ModuleAux, Other, Summing,
    Watch, WriteOptions, without_module_aux,
};
use crate::task::{InputPath, Run, dump, open};
use crate::write::{Format, Lack};
use ahead::Ahead;

/// The longest output that is made in room which serves again.
const KEPT_ROOM: usize = 1 << 20;
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
    run.progress.size(Some(map.len() as u64 * 2));
    // Where all values become commands, they are decompressed for that.
    let strings_later = layout == Layout::Resp
        && to.can_begin_anew()
        && filter.is_everything()
        && filter.limit().is_none()
        && !options.keep_going;
    let whole = CheckOptions {
        duplicates: true,
        ..CheckOptions::default()
    };
    let checking = CheckOptions {
        strings_later,
        ..whole
    };
    let tries =
        run.threads > 1 && to.can_begin_anew() && ahead::is_likely(&map, format, layout, &filter);
    let wanted = AtomicBool::new(tries);
    let (check, copied) = std::thread::scope(|scope| {
        let copying =
            tries.then(|| scope.spawn(|| ahead::copy(&map, format, layout, &mut to, &wanted)));
        let check = check_map(origin.name(), &map, checking, run);
        let loads = |check: &CheckReport| check.verdict == Verdict::Loads;
        wanted.store(check.as_ref().is_ok_and(loads), Ordering::Relaxed);
        let copied = copying.map(|copying| match copying.join() {
            Ok(copied) => copied,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        (check, copied)
    });
    let mut check = check?;
    if strings_later && check.verdict != Verdict::Loads {
        // All that is wrong is to be told.
        check = check_map(origin.name(), &map, whole, run)?;
    }
    if open::is_base(&map) && check.good_until < map.len() as u64 {
        return Err(Error::usage("commands follow the snapshot: this is a log")
            .with_hint(Hint::Other("`redkit rewrite-aof` replays and writes it")));
    }
    let sound = check.verdict == Verdict::Loads;
    let mut report = WriteReport {
        command: "convert",
        input: check.input.clone(),
        input_size: check.size,
        like: like_of(&check),
        target: format.target.name,
        layout: layout.name(),
        findings: check.findings.clone(),
        complete: sound,
        ..WriteReport::default()
    };
    if check.verdict == Verdict::Unknown {
        let text = "the snapshot is of a version that is not known".to_owned();
        return Err(Error::new(ErrorKind::Unsupported(text)));
    }
    if !sound && !options.keep_going {
        return Ok(report);
    }
    let job = Job {
        format,
        layout,
        options,
        filter: &filter,
        check: &check,
        map: &map,
        run,
    };
    let done = match copied {
        Some(copied) => job.take_copied(copied, &mut report)?,
        None => false,
    };
    if !done {
        if tries {
            to.begin_anew()?;
        }
        let done = job.write(&mut to, &mut report);
        if done.is_err() {
            watch.check()?;
        }
        match done {
            Err(error) if strings_later && matches!(error.kind(), ErrorKind::Bytes(_)) => {
                let check = check_map(origin.name(), &map, whole, run)?;
                return damaged(check, report, error);
            }
            done => done?,
        }
    }
    let lacking = report.findings.errors() > check.findings.errors();
    if lacking {
        return Ok(report);
    }
    report.proven = to.read_back(run.threads)?.is_some();
    watch.check()?;
    let given = to.finish(&[])?;
    report.files = given.files;
    report.warnings.extend(given.warnings);
    Ok(report)
}

/// The report on a snapshot whose damage showed as its strings were decompressed.
fn damaged(check: CheckReport, report: WriteReport, error: Error) -> Result<WriteReport> {
    if check.verdict == Verdict::Loads {
        return Err(error);
    }
    Ok(WriteReport {
        findings: check.findings,
        complete: false,
        functions: 0,
        keys: 0,
        expires: 0,
        ..report
    })
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

struct Job<'j> {
    format: &'j Format,
    layout: Layout,
    options: &'j WriteOptions,
    filter: &'j Filter,
    check: &'j CheckReport,
    map: &'j Map,
    run: &'j Run<'j>,
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
        self.run.progress.at(self.map.len() as u64 * 2);
        ahead.assembler.end()?;
        Ok(true)
    }

    fn write(&self, to: &mut Destination, report: &mut WriteReport) -> Result<()> {
        let (mut head, start) = head(self.map)?;
        let mut lacks = Lacks::default();
        if !self.format.has_functions() {
            for source in std::mem::take(&mut head.functions) {
                lacks.add(lacking_library(&source), self.format, self.options.allowed);
            }
        }
        report.functions = head.functions.len() as u64;
        if self.filter.is_everything() && self.filter.limit().is_none() {
            let sizes = self.check.dbs.iter();
            head.sizes = sizes
                .map(|(db, tally)| (*db, (tally.keys, tally.expires)))
                .collect();
        }
        let mut assembler = Assembler::new(self.format, self.layout, head, to)?;
        let mut behind = Behind::new(Some(self.map));
        if let Some(body) = self.verbatim(start) {
            report.keys = self.check.keys();
            report.expires = self.check.expires();
            let size = self.map.len() as u64;
            let before = start as u64;
            assembler.records(body, |at| {
                behind.reach(before + at);
                self.run.progress.at(size + before + at);
            })?;
        } else {
            self.each(&mut assembler, &mut behind, &mut lacks, report)?;
        }
        report.warnings.extend(assembler.needs_databases());
        assembler.end()?;
        if !self.layout.has_records() {
            report
                .warnings
                .extend(without_module_aux(self.check.module_aux));
        }
        report.findings.append(lacks.findings);
        (report.dropped, report.reduced) = (lacks.dropped, lacks.reduced);
        Ok(())
    }

    /// The records from the first database on, where the target can have them as they are.
    fn verbatim(&self, start: usize) -> Option<&[u8]> {
        let check = self.check;
        let version = check.version?;
        let uses = &check.uses;
        let plain = self.filter.is_everything()
            && self.filter.limit().is_none()
            && self.layout.has_records()
            && check.verdict == Verdict::Loads
            && check.findings.is_empty()
            && !uses.dragonfly;
        let takes = uses.types.iter().all(|of| self.format.takes(*of));
        let knows = uses.opcodes.iter().all(|&code| match code {
            opcode::FUNCTION2 | opcode::SLOT_INFO => {
                self.format.target.knows_opcode(code, version.family)
            }
            opcode::MODULE_AUX..=opcode::EOF => true,
            _ => false,
        });
        let modules = uses.modules.keys();
        let mut modules = modules.map(|name| self.format.may_have_module(name.as_bytes()));
        if !plain || !takes || !knows || !modules.all(|may| may) {
            return None;
        }
        let sum = if version.number >= 5 { 8 } else { 0 };
        let end = usize::try_from(check.good_until)
            .ok()?
            .checked_sub(sum + 1)?;
        // Only AUX fields of the servers stand between keys, and those are for other servers.
        (self.map.get(end) == Some(&opcode::EOF)).then(|| self.map.get(start..end))?
    }

    /// Writes record by record.
    fn each(
        &self,
        assembler: &mut Assembler<'_, '_>,
        behind: &mut Behind<'_>,
        lacks: &mut Lacks,
        report: &mut WriteReport,
    ) -> Result<()> {
        let (format, allowed) = (self.format, self.options.allowed);
        let mut batches = Batches::of_map(self.map);
        let mut ended = false;
        let next = move || {
            if ended {
                return None;
            }
            let next = batches.next_batch();
            ended = next.is_err();
            next.transpose()
        };
        let threads = match self.filter.limit() {
            Some(_) => 1,
            None => self.run.threads,
        };
        let size = self.map.len() as u64;
        let twice = self.twice()?;
        let mut failed: Option<Error> = None;
        ordered(
            threads,
            next,
            || {
                let maker = Maker::new(
                    format,
                    &format.rules,
                    self.layout,
                    allowed,
                    self.filter,
                    Summing::Anew,
                );
                (maker, DeepCheck::default())
            },
            |(maker, checker): &mut (Maker<'_>, DeepCheck), job, pieces| match job {
                Ok(batch) => self.batch(maker, checker, &twice, &batch, pieces),
                Err(error) => Made {
                    failed: Some(error),
                    ..Made::default()
                },
            },
            |piece| {
                let mut made = match piece {
                    Piece::Done(made) => made,
                    Piece::Chunk(commands) => {
                        let added = assembler.keys(commands.db, &commands);
                        let wanted = match added {
                            Ok(()) => Wanted::More,
                            Err(error) => {
                                failed.get_or_insert(error);
                                Wanted::Nothing
                            }
                        };
                        // Room for a value that is far longer than others is given back.
                        let again = commands.len() <= KEPT_ROOM;
                        return (wanted, again.then_some(commands));
                    }
                };
                behind.reach(made.end);
                self.run.progress.at(size + made.end);
                report.keys += made.keys;
                report.expires += made.expires;
                for one in made.lacking.drain(..) {
                    lacks.add(one, format, allowed);
                }
                made.others.retain(|other| match other {
                    Other::Function(source) if !format.has_functions() => {
                        lacks.add(lacking_library(source), format, allowed);
                        false
                    }
                    Other::Function(_) => {
                        report.functions += 1;
                        true
                    }
                    Other::ModuleAux(_) => true,
                });
                let added = assembler.add(&mut made);
                match (added, made.failed.take()) {
                    (Err(error), _) => {
                        failed.get_or_insert(error);
                        (Wanted::Nothing, None)
                    }
                    // What is damaged was found before; what stands before it is written.
                    (Ok(()), Some(error)) if self.is_damage(&error) => (Wanted::Nothing, None),
                    (Ok(()), Some(error)) => {
                        failed.get_or_insert(error);
                        (Wanted::Nothing, None)
                    }
                    (Ok(()), None) if made.enough => (Wanted::Nothing, None),
                    (Ok(()), None) => (Wanted::More, None),
                }
            },
        );
        failed.map_or(Ok(()), Err)
    }

    fn is_damage(&self, error: &Error) -> bool {
        matches!(error.kind(), ErrorKind::Bytes(_)) && self.may_be_damaged()
    }

    /// Whether single keys may be damaged; then each is looked at before it is copied.
    fn may_be_damaged(&self) -> bool {
        self.options.keep_going && self.check.findings.errors() > 0
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

    fn batch(
        &self,
        maker: &mut Maker<'_>,
        checker: &mut DeepCheck,
        twice: &HashSet<u64>,
        batch: &Batch<'_>,
        pieces: &mut Pieces<'_>,
    ) -> Made {
        let mut made = Made {
            end: match batch.run {
                None => batch.at + batch.block.len() as u64,
                Some(at) => at,
            },
            ..Made::default()
        };
        maker.scratch.templates = std::sync::Arc::clone(batch.state().templates());
        let mut in_keys = batch.at > 0 || batch.run.is_some();
        let result = batch.for_each(|record| {
            match record {
                Record::Entry(entry) if twice.contains(&entry.at) => {}
                Record::Entry(entry)
                    if self.may_be_damaged()
                        && checker.flaw_of(entry, &mut maker.scratch)?.is_some() => {}
                Record::Entry(entry) => {
                    let from = usize::try_from(entry.at - batch.at).unwrap_or(usize::MAX);
                    let to = usize::try_from(entry.end() - batch.at).unwrap_or(usize::MAX);
                    let bytes = batch.block.get(from..to).unwrap_or_default();
                    let done = match self.layout {
                        Layout::Resp => maker.tell(entry, &mut made, pieces, self.run),
                        _ => maker.entry(entry, Some(bytes), &mut made),
                    };
                    match done {
                        Err(error) if self.is_damage(&error) => {}
                        done => done.map_err(|error| dump::named(entry, error))?,
                    }
                }
                Record::SelectDb(_) => in_keys = true,
                // Those in front of the keys are written by now.
                Record::Function(source) if in_keys => {
                    let source = source.to_bytes().map_err(|problem| {
                        let at = crate::error::Place::at(batch.at);
                        Error::bytes(problem, at, crate::error::What::Function)
                    })?;
                    made.others.push(Other::Function(source.into_owned()));
                }
                Record::ModuleAux {
                    id, when, items, ..
                } if in_keys => made.others.push(Other::ModuleAux(ModuleAux {
                    id: *id,
                    when: *when,
                    items: items.to_vec(),
                })),
                _ => {}
            }
            match made.enough {
                true => Ok(Flow::Stop),
                false => Ok(Flow::Continue),
            }
        });
        made.failed = result.err();
        if self.layout == Layout::Resp {
            let ended = maker.end_telling(&mut made, pieces, self.run);
            made.failed = made.failed.or(ended.err());
        }
        made
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
