//! Makes the keys of batches for the target, and puts together what was made.

use std::collections::HashSet;

use super::{KEPT_ROOM, lacking_library};
use crate::error::{Error, ErrorKind, Place, Result, What};
use crate::io::ordered::{Chunk, Piece, Pieces, Wanted};
use crate::rdb::batch::{Batch, Sheet};
use crate::record::filter::Filter;
use crate::record::{Flow, Record};
use crate::report::written::WriteReport;
use crate::task::check_rdb::Beside;
use crate::task::check_rdb::deep::DeepCheck;
use crate::task::writing::{Assembler, Lacks, Layout, Made, Maker, ModuleAux, Other, Summing};
use crate::task::{Run, dump};
use crate::write::{Allowed, Format};

/// How keys are made, whatever thread makes them.
pub(super) struct Making<'m> {
    pub(super) format: &'m Format,
    pub(super) layout: Layout,
    pub(super) allowed: Allowed,
    pub(super) filter: &'m Filter,
    pub(super) run: &'m Run<'m>,
    /// Where what stands in front of the keys ends.
    pub(super) keys_from: u64,
    /// Where records stand of keys that stood before, which are left out.
    pub(super) twice: HashSet<u64>,
    /// Nobody else looks at what is inside strings, lists and streams: what is wrong there is an error.
    pub(super) looks_inside: bool,
    /// Single keys may be damaged: then each is looked at, and left out.
    pub(super) may_be_damaged: bool,
}

impl Making<'_> {
    pub(super) fn is_damage(&self, error: &Error) -> bool {
        self.may_be_damaged && matches!(error.kind(), ErrorKind::Bytes(_))
    }

    fn records<S: Sheet>(
        &self,
        (maker, checker): &mut (Maker<'_>, DeepCheck),
        batch: &Batch<'_, S>,
        made: &mut Made,
        pieces: &mut Pieces<'_>,
    ) -> Result<()> {
        maker.scratch.templates = std::sync::Arc::clone(batch.state().templates());
        // What stands in front of the keys is written by now.
        let mut in_front = batch.run.is_none() && batch.at < self.keys_from;
        let mut db = batch.state().db();
        batch.for_each(|record| {
            in_front &= belongs_in_front(record);
            match record {
                Record::Entry(entry) if self.twice.contains(&entry.at) => {}
                Record::Entry(entry)
                    if self.may_be_damaged
                        && checker.flaw_of(entry, &mut maker.scratch)?.is_some() => {}
                Record::Entry(entry) => {
                    let done = match self.layout {
                        Layout::Resp => maker.tell(entry, made, pieces, self.run),
                        _ => {
                            let from = usize::try_from(entry.at - batch.at).unwrap_or(usize::MAX);
                            let to = usize::try_from(entry.end() - batch.at).unwrap_or(usize::MAX);
                            let bytes = batch.block.get(from..to).unwrap_or_default();
                            maker.entry(entry, Some(bytes), made)
                        }
                    };
                    match done {
                        Err(error) if self.is_damage(&error) => {}
                        done => done.map_err(|error| dump::named(entry, error))?,
                    }
                }
                Record::SelectDb(selected) => db = *selected,
                Record::Function(source) if !in_front => {
                    let source = source.to_bytes().map_err(|problem| {
                        Error::bytes(problem, Place::at(batch.at), What::Function)
                    })?;
                    self.function(&source, db, maker, made, pieces);
                }
                Record::ModuleAux {
                    id, when, items, ..
                } if !in_front => made.others.push(Other::ModuleAux(ModuleAux {
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
        })?;
        Ok(())
    }

    /// A library among the keys.
    fn function(
        &self,
        source: &[u8],
        db: u32,
        maker: &mut Maker<'_>,
        made: &mut Made,
        pieces: &mut Pieces<'_>,
    ) {
        if !self.format.has_functions() {
            made.lacking.push(lacking_library(source));
            return;
        }
        made.functions += 1;
        match self.layout {
            // In its place, whatever jobs there are.
            Layout::Resp => maker.tell_function(source, db, made, pieces),
            _ => made.others.push(Other::Function(source.to_vec())),
        }
    }
}

/// Whether a record may stand in front of the keys with those that are written first.
pub(super) fn belongs_in_front(record: &Record<'_>) -> bool {
    matches!(
        record,
        Record::Header(_) | Record::Aux { .. } | Record::Function(_) | Record::ModuleAux { .. }
    )
}

impl<'m> Beside for Making<'m> {
    type Tool = (Maker<'m>, DeepCheck);
    type Made = Made;

    fn tool(&self) -> Self::Tool {
        let rules = &self.format.rules;
        let mut maker = Maker::new(
            self.format,
            rules,
            self.layout,
            self.allowed,
            self.filter,
            Summing::Anew,
        );
        maker.looks_inside = self.looks_inside;
        (maker, DeepCheck::default())
    }

    fn batch<S: Sheet>(
        &self,
        tool: &mut Self::Tool,
        batch: &Batch<'_, S>,
        made: &mut Made,
        pieces: &mut Pieces<'_>,
    ) {
        made.end = match batch.run {
            None => batch.at + batch.block.len() as u64,
            Some(at) => at,
        };
        if made.failed.is_none() {
            made.failed = self.records(tool, batch, made, pieces).err();
        }
    }

    fn end(&self, (maker, _): &mut Self::Tool, made: &mut Made, pieces: &mut Pieces<'_>) {
        if self.layout == Layout::Resp {
            let ended = maker.end_telling(made, pieces, self.run);
            made.failed = made.failed.take().or(ended.err());
        }
    }
}

/// Puts together what was made, in order.
pub(super) struct Taking<'t, 'o, 'f, 'm> {
    pub(super) making: &'t Making<'m>,
    pub(super) assembler: &'t mut Assembler<'o, 'f>,
    pub(super) lacks: &'t mut Lacks,
    pub(super) report: &'t mut WriteReport,
    pub(super) failed: Option<Failure>,
}

/// Why there is no more.
pub(super) enum Failure {
    /// It could not be written.
    Output(Error),
    /// It could not be made.
    Making(Error),
}

impl Failure {
    pub(super) fn into_error(self) -> Error {
        match self {
            Failure::Output(error) | Failure::Making(error) => error,
        }
    }
}

impl Taking<'_, '_, '_, '_> {
    pub(super) fn take(&mut self, piece: Piece<Made>) -> (Wanted, Option<Chunk>) {
        match piece {
            Piece::Done(made) => (self.made(made), None),
            Piece::Chunk(commands) => {
                let wanted = match self.assembler.keys(commands.db, &commands) {
                    Ok(()) => Wanted::More,
                    Err(error) => {
                        self.failed.get_or_insert(Failure::Output(error));
                        Wanted::Nothing
                    }
                };
                // Room for a value that is far longer than others is given back.
                let again = commands.len() <= KEPT_ROOM;
                (wanted, again.then_some(commands))
            }
        }
    }

    fn made(&mut self, mut made: Made) -> Wanted {
        let making = self.making;
        self.report.keys += made.keys;
        self.report.expires += made.expires;
        for one in made.lacking.drain(..) {
            self.lacks.add(one, making.format, making.allowed);
        }
        self.report.functions += made.functions;
        let added = self.assembler.add(&mut made);
        let failed = match (added, made.failed.take()) {
            (Err(error), _) => Some(Failure::Output(error)),
            // What is damaged was found before; what stands before it is written.
            (Ok(()), Some(error)) if making.is_damage(&error) => return Wanted::Nothing,
            (Ok(()), Some(error)) => Some(Failure::Making(error)),
            (Ok(()), None) if made.enough => return Wanted::Nothing,
            (Ok(()), None) => return Wanted::More,
        };
        self.failed = self.failed.take().or(failed);
        Wanted::Nothing
    }
}
