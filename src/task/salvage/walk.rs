//! Reads records one after the other and tells which of them are whole.

use crate::bytes::{Problem, Step};
use crate::encoding::{crc64, lzf};
use crate::error::{Error, ErrorKind, Place, Result, What};
use crate::io::decompress::{self, Codec};
use crate::rdb::parser::{RdbParser, State};
use crate::rdb::resync::{ZEROS, is_weak};
use crate::rdb::{Scratch, string};
use crate::record::{Checksum, Entry, RawValue, RdbType, Record, RunCodec, Stored};
use crate::report::finding::Finding;
use crate::task::check_rdb::deep::DeepCheck;
use crate::task::duplicates::{Fingerprinter, KeyPrint};

/// Records before a place that are remembered one by one.
pub(super) const RECENT: usize = 16;

/// What stands in a stretch of bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content {
    /// Whole keys, one after the other.
    Keys { keys: u64, expires: u64 },
    /// A key whose value or name is damaged.
    BadKey,
    /// A record that is no key, to be kept as it is.
    Other,
    /// One that is damaged.
    BadOther(Problem),
    /// The database of what follows.
    Select(u32),
    /// How many keys the database has.
    Resize(u64, u64),
    /// Compressed keys (Dragonfly); what they are stands in the items behind this one.
    Run,
    /// Magic and version.
    Header,
    /// The end mark.
    End(Checksum),
    /// A hint about slots, which would not be true any more.
    Hint,
}

/// A stretch of bytes and what stands there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) start: u64,
    pub(super) end: u64,
    /// Where the compressed run begins that offsets count in, if they do.
    pub(super) run: Option<u64>,
    pub(super) content: Content,
}

/// A key's record, as it is remembered while it is among the last ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) expires: bool,
    /// Few bytes, as many values have them by chance, or damaged.
    pub(super) weak: bool,
    /// Its value tells where it ends by more than a length in front of it: it was read in step.
    pub(super) in_step: bool,
}

/// What a walk over a stretch of records found.
#[derive(Default)]
pub(super) struct Stretch {
    pub(super) items: Vec<Item>,
    pub(super) prints: Vec<KeyPrint>,
    pub(super) recent: Vec<Unit>,
    pub(super) findings: Vec<Finding>,
    /// Checksum of its bytes, and how many of them count.
    pub(super) crc: u64,
    pub(super) summed: u64,
    /// Behind the last record.
    pub(super) end: usize,
    /// How to read what follows.
    pub(super) state: State,
    /// What that was not followed by.
    pub(super) lost: Option<Error>,
    /// What keeps the work from going on.
    pub(super) failed: Option<Error>,
}

/// Reads records on one thread.
pub(super) struct Walker {
    scratch: Scratch,
    checker: DeepCheck,
    prints: (Fingerprinter, Fingerprinter),
    max_spool: u64,
}

impl Walker {
    pub(super) fn new(prints: (Fingerprinter, Fingerprinter), max_spool: u64) -> Self {
        Walker {
            scratch: Scratch::default(),
            checker: DeepCheck::default(),
            prints,
            max_spool,
        }
    }

    /// Reads what stands in `data` from `at` on up to the first record that ends at `until` or
    /// behind it.
    pub(super) fn walk(&mut self, data: &[u8], at: usize, until: usize, state: &State) -> Stretch {
        let mut stretch = Stretch::default();
        let mut parser = RdbParser::resume(state.clone(), at as u64);
        self.scratch.templates = state.templates().clone();
        self.records(data, at, until, &mut parser, None, &mut stretch);
        stretch.state = parser.state().at_db(0);
        let summed = stretch.end.min(at + stretch.summed as usize);
        stretch.crc = crc64::checksum(data.get(at..summed).unwrap_or_default());
        stretch
    }

    fn records(
        &mut self,
        data: &[u8],
        at: usize,
        until: usize,
        parser: &mut RdbParser,
        run: Option<u64>,
        to: &mut Stretch,
    ) {
        let mut rest = data.get(at..).unwrap_or_default();
        // Where the next key's record begins, if something stands in front that belongs to it.
        let mut begun: Option<u64> = None;
        while !parser.state().ended() && (parser.offset() as usize) < until {
            let start = parser.offset();
            if rest.starts_with(&ZEROS) {
                let place = Place::at(start);
                to.lost = Some(Error::bytes(Problem::Malformed, place, What::Record));
                return;
            }
            if let Some((entry, after)) = parser.next_key(rest) {
                rest = after;
                self.key(&entry, begun.take().unwrap_or(start), run, to);
            } else {
                match parser.parse(rest, true) {
                    Ok(Step::Parsed { consumed, item }) => {
                        rest = rest.get(consumed..).unwrap_or_default();
                        let end = start + consumed as u64;
                        if let Record::Entry(entry) = &item {
                            self.key(entry, begun.take().unwrap_or(start), run, to);
                        } else if parser.state().awaits_key() || is_about_a_key(&item) {
                            begun.get_or_insert(start);
                        } else {
                            self.other(&item, (start, end), run, parser, to);
                        }
                    }
                    Ok(Step::NeedMore { .. }) => return,
                    Err(error) => {
                        to.lost = Some(error);
                        return;
                    }
                }
            }
            if to.failed.is_some() {
                return;
            }
            if run.is_none() {
                to.end = parser.offset() as usize;
                to.summed = (to.end - at) as u64;
                if let Some(Item {
                    content: Content::End(_),
                    start,
                    ..
                }) = to.items.last()
                {
                    to.summed = start + 1 - at as u64;
                }
            }
        }
    }

    fn key(&mut self, entry: &Entry<'_>, start: u64, run: Option<u64>, to: &mut Stretch) {
        let end = entry.end();
        let flaw = match self.flaw(entry) {
            Ok(flaw) => flaw,
            Err(error) => return to.failed = Some(error),
        };
        let expires = u64::from(entry.expires_at.is_some());
        if run.is_none() {
            if to.recent.len() >= 2 * RECENT {
                to.recent.drain(..RECENT);
            }
            let expires = expires > 0;
            to.recent.push(Unit {
                start,
                end,
                expires,
                weak: flaw.is_some() || is_weak(entry),
                in_step: flaw.is_none() && is_closed(&entry.value),
            });
        }
        if let Some((problem, place)) = flaw {
            let rdb_type = entry.value.rdb_type;
            let place = match run {
                Some(run) => Place::at(run),
                None => place,
            };
            let error = Error::bytes(problem, place, What::Value)
                .in_type(rdb_type.number(), rdb_type.name());
            let error = match entry.key.to_bytes() {
                Ok(key) => error.in_key(0, &key),
                Err(_) => error,
            };
            to.findings.extend(Finding::from_error(&error, end));
            let content = Content::BadKey;
            return to.items.push(Item {
                start,
                end,
                run,
                content,
            });
        }
        if run.is_none()
            && let Ok(key) = entry.key.to_bytes()
        {
            to.prints.push(KeyPrint {
                first: self.prints.0.of_key(0, &key),
                second: self.prints.1.of_key(0, &key),
                at: start,
                db: 0,
            });
        }
        if let Some(last) = to.items.last_mut()
            && let Content::Keys { keys, expires: all } = &mut last.content
            && (last.end, last.run) == (start, run)
        {
            last.end = end;
            *keys += 1;
            *all += expires;
            return;
        }
        let content = Content::Keys { keys: 1, expires };
        to.items.push(Item {
            start,
            end,
            run,
            content,
        });
    }

    /// What is wrong with a key or its value, after which no server should be given it.
    ///
    /// # Errors
    /// No room for what must be compared.
    pub(super) fn flaw(&mut self, entry: &Entry<'_>) -> Result<Option<(Problem, Place)>> {
        self.checker.flaw_of(entry, &mut self.scratch)
    }

    fn other(
        &mut self,
        record: &Record<'_>,
        (start, end): (u64, u64),
        run: Option<u64>,
        parser: &RdbParser,
        to: &mut Stretch,
    ) {
        let content = match record {
            Record::Header(_) => Content::Header,
            Record::SelectDb(db) => Content::Select(*db),
            Record::ResizeDb { keys, expires } => Content::Resize(*keys, *expires),
            Record::Eof(checksum) => Content::End(*checksum),
            Record::SlotInfo { .. } => Content::Hint,
            Record::Skipped { .. } if run.is_some() => return,
            Record::Run { codec, data } => {
                return self.run(*codec, data, (start, end), parser, to);
            }
            Record::Aux { name, value } => verified(&[*name, *value]),
            Record::Function(source) => verified(&[*source]),
            _ => Content::Other,
        };
        if let Content::BadOther(problem) = content {
            let error = Error::bytes(problem, Place::at(start), What::Record);
            to.findings.extend(Finding::from_error(&error, end));
        }
        to.items.push(Item {
            start,
            end,
            run,
            content,
        });
    }

    /// The keys of a compressed run.
    fn run(
        &mut self,
        codec: RunCodec,
        data: &[u8],
        (start, end): (u64, u64),
        parser: &RdbParser,
        to: &mut Stretch,
    ) {
        let content = Content::Run;
        let run = None;
        match decoded(codec, data, self.max_spool) {
            Ok(Some(bytes)) => {
                to.items.push(Item {
                    start,
                    end,
                    run,
                    content,
                });
                let mut inner = parser.enter_run();
                self.records(&bytes, 0, bytes.len(), &mut inner, Some(start), to);
                if let Some(error) = to.lost.take() {
                    // Behind this place nothing of the run can be read; what follows it can.
                    let problem = Problem::RunEnd;
                    let from = inner.offset();
                    let bad = Content::BadOther(problem);
                    to.items.push(Item {
                        start: from,
                        end: bytes.len() as u64,
                        run: Some(start),
                        content: bad,
                    });
                    let error = Error::bytes(
                        error.problem().unwrap_or(problem),
                        Place::at(start),
                        What::Record,
                    );
                    to.findings.extend(Finding::from_error(&error, end));
                }
            }
            Ok(None) => {
                let problem = Problem::RunEnd;
                let error = Error::bytes(problem, Place::at(start), What::Record);
                to.findings.extend(Finding::from_error(&error, end));
                let content = Content::BadOther(problem);
                to.items.push(Item {
                    start,
                    end,
                    run,
                    content,
                });
            }
            Err(error) => to.failed = Some(error),
        }
    }
}

/// Bytes of a compressed string that decompresses to its length by no chance.
const PACKED: usize = 12;

/// Whether a value that decodes says in two places where it ends, so that bytes of something else are
/// not taken for it by chance.
fn is_closed(value: &RawValue<'_>) -> bool {
    match value.rdb_type {
        RdbType::String => match string::stored(value.bytes) {
            Ok((_, Stored::Lzf { data, .. })) => data.len() >= PACKED,
            _ => false,
        },
        RdbType::ListLinked
        | RdbType::SetTable
        | RdbType::HashTable
        | RdbType::HashExpiryRc
        | RdbType::HashExpiry
        | RdbType::HashValkey
        | RdbType::ZsetBinary
        | RdbType::ZsetText
        | RdbType::Module => false,
        _ => true,
    }
}

/// What a compressed run decompresses to, `None` where it is damaged.
///
/// # Errors
/// No room for it.
pub(super) fn decoded(
    codec: RunCodec,
    data: &[u8],
    max_spool: u64,
) -> Result<Option<decompress::Run>> {
    let codec = match codec {
        RunCodec::Zstd => Codec::Zstd,
        RunCodec::Lz4 => Codec::Lz4,
    };
    match decompress::decode_run(codec, data, max_spool) {
        Ok(run) => Ok(Some(run)),
        Err(error) => match error.kind() {
            ErrorKind::Io(error) if decompress::is_damage(error) => Ok(None),
            _ => Err(error),
        },
    }
}

fn verified(strings: &[Stored<'_>]) -> Content {
    for string in strings {
        if let Stored::Lzf { data, len } = *string
            && let Err(problem) = lzf::verify(data, len)
        {
            return Content::BadOther(problem);
        }
    }
    Content::Other
}

/// KeyDB says in an AUX field in front of a key when it was changed.
fn is_about_a_key(record: &Record<'_>) -> bool {
    match record {
        Record::Aux { name, .. } => name.to_bytes().is_ok_and(|name| *name == *b"mvcc-tstamp"),
        _ => false,
    }
}
