//! Commands that are read back as they are written.

use crate::bytes::Element;
use crate::error::Result;
use crate::io::ordered::{Chunk, Pieces};
use crate::record::value::StreamEvent;
use crate::record::{DataType, ValueVisitor};
use crate::task::Run;
use crate::task::writing::maker::Summing;
use crate::task::writing::print::{Print, Quick};
use crate::task::writing::proof::{self, detail};
use crate::task::writing::reader::Reader;
use crate::write::{Commands, Format, Witness};

/// Reads back what one thread writes.
pub(super) struct ReadBack {
    pub(super) reader: Reader,
    /// Commands of keys of which it is not plain what they make, and what they are to make.
    odd: Vec<u8>,
    odd_db: Option<u32>,
    meant: Quick,
}

impl ReadBack {
    /// For a target.
    pub(super) fn new(format: &Format) -> Self {
        ReadBack {
            reader: Reader::new(detail(format, true), format.rules.now),
            odd: Vec::new(),
            odd_db: None,
            meant: Quick::default(),
        }
    }

    /// Keeps the commands of a key until they are run.
    pub(super) fn run_later(&mut self, db: u32, commands: &[u8], meant: Quick) {
        if self.odd_db != Some(db) {
            self.odd_db = Some(db);
            Commands::select(db, &mut self.odd);
        }
        self.odd.extend_from_slice(commands);
        self.meant.join(meant);
    }

    /// Runs what was kept, to see that it makes the keys that are meant.
    pub(super) fn run(&mut self, format: &Format, run: &Run<'_>) -> Result<()> {
        if self.odd_db.take().is_none() {
            return Ok(());
        }
        let odd = std::mem::take(&mut self.odd);
        played(&[&odd], std::mem::take(&mut self.meant), format, run)
    }
}

/// A database that can be selected, where it is not known which the keys are in.
pub(super) fn that_is_there(db: u32) -> u32 {
    db.min(u32::MAX - 1)
}

/// Runs the commands of a key at once, which are too many to be kept.
pub(super) fn run_now(
    db: u32,
    commands: &[u8],
    meant: Quick,
    format: &Format,
    run: &Run<'_>,
) -> Result<()> {
    let mut select = Vec::new();
    Commands::select(db, &mut select);
    played(&[&select, commands], meant, format, run)
}

/// Runs commands, to see that they make the keys that are meant.
fn played(pieces: &[&[u8]], meant: Quick, format: &Format, run: &Run<'_>) -> Result<()> {
    let run = Run { threads: 1, ..*run };
    let meant = proof::Sum {
        quick: meant,
        ..proof::Sum::default()
    };
    if proof::of_commands(pieces, format, Summing::Anew, &run)? != meant {
        let text = "the commands do not make the keys that are meant".to_owned();
        return Err(proof::unlike(text));
    }
    Ok(())
}

/// A key that becomes commands: is told its value, and reads and passes on its commands.
pub(super) struct Telling<'t, 'p> {
    reader: &'t mut Reader,
    told: Print,
    key: &'t [u8],
    db: u32,
    /// Where its commands begin, and up to where they are read.
    start: usize,
    read: usize,
    is_plain: bool,
    has_passed: bool,
    pieces: &'t mut Pieces<'p>,
}

/// What became of it.
pub(super) struct End {
    /// The sum of the value that was told.
    pub(super) told: Print,
    /// It is plain what the commands make, and the reader has read them.
    pub(super) is_plain: bool,
    /// Some of them are passed on.
    pub(super) has_passed: bool,
}

impl<'t, 'p> Telling<'t, 'p> {
    /// Of a key whose commands begin at `start`.
    pub(super) fn new(
        reader: &'t mut Reader,
        told: Print,
        key: &'t [u8],
        db: u32,
        start: usize,
        pieces: &'t mut Pieces<'p>,
    ) -> Self {
        reader.begin();
        Telling {
            reader,
            told,
            key,
            db,
            start,
            read: start,
            is_plain: true,
            has_passed: false,
            pieces,
        }
    }

    /// All commands are written.
    pub(super) fn end(mut self, out: &[u8]) -> End {
        self.read(out);
        End {
            told: self.told,
            is_plain: self.is_plain,
            has_passed: self.has_passed,
        }
    }

    fn read(&mut self, out: &[u8]) {
        let commands = out.get(self.read..).unwrap_or_default();
        self.is_plain = self.is_plain && self.reader.read(self.key, commands);
        self.read = out.len();
    }
}

impl Witness for Telling<'_, '_> {
    fn takes_pieces(&self) -> bool {
        true
    }

    fn pass(&mut self, out: &mut Vec<u8>) -> Result<()> {
        self.read(out);
        if self.is_plain {
            let mut empty = self.pieces.buffer();
            empty.clear();
            let mut chunk = Chunk::from(std::mem::replace(out, empty));
            chunk.db = self.db;
            // Where nobody wants it any more, the rest of the key is made in vain.
            let _ = self.pieces.chunk(chunk);
            (self.start, self.read, self.has_passed) = (0, 0, true);
        }
        Ok(())
    }

    fn look(&mut self, out: &[u8]) {
        self.read(out);
    }

    fn take_back(&mut self) {
        self.reader.begin();
        (self.read, self.is_plain) = (self.start, true);
    }
}

impl ValueVisitor for Telling<'_, '_> {
    #[inline]
    fn string(&mut self, value: Element<'_>) -> Result<()> {
        self.told.string(value)
    }

    #[inline]
    fn begin(&mut self, of: DataType, count: Option<u64>) -> Result<()> {
        self.told.begin(of, count)
    }

    #[inline]
    fn element(&mut self, element: Element<'_>) -> Result<()> {
        self.told.element(element)
    }

    #[inline]
    fn field(
        &mut self,
        name: Element<'_>,
        value: Element<'_>,
        expires_at: Option<i64>,
    ) -> Result<()> {
        self.told.field(name, value, expires_at)
    }

    #[inline]
    fn member(&mut self, member: Element<'_>, score: f64) -> Result<()> {
        self.told.member(member, score)
    }

    #[inline]
    fn stream(&mut self, event: StreamEvent<'_>) -> Result<()> {
        self.told.stream(event)
    }

    fn end(&mut self, of: DataType) -> Result<()> {
        self.told.end(of)
    }
}
