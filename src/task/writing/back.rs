//! Commands that are read back as they are written.

use crate::aof::resp::{plain_argument, plain_count};
use crate::bytes::{Element, Problem, short};
use crate::error::{Error, Place, Result, What};
use crate::io::ordered::{Chunk, Pieces};
use crate::keyspace::digest::Detail;
use crate::record::value::StreamEvent;
use crate::record::{DataType, StreamId, ValueVisitor};
use crate::task::Run;
use crate::task::writing::maker::Summing;
use crate::task::writing::print::{Print, Quick};
use crate::task::writing::proof::{self, detail};
use crate::task::writing::reader::{self, Reader};
use crate::write::{Commands, Format, Witness};

/// Reads back what one thread writes.
pub(super) struct ReadBack {
    pub(super) reader: Reader,
    detail: Detail,
    /// Commands of keys of which it is not plain what they make, and what they are to make.
    odd: Vec<u8>,
    odd_db: Option<u32>,
    meant: Quick,
}

impl ReadBack {
    /// For a target.
    pub(super) fn new(format: &Format) -> Self {
        let detail = detail(format, format.has_field_expiry());
        ReadBack {
            reader: Reader::new(detail, format.rules.now),
            detail,
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

/// A key that becomes commands: reads and passes on its commands.
///
/// Those with items are held against what was told, word by word as they are written. Of all else of a
/// stream, where it takes several commands to say what there is, what was told and what the commands make
/// are summed.
pub(super) struct Telling<'t, 'p> {
    reader: &'t mut Reader,
    told: Print,
    key: &'t [u8],
    of: DataType,
    db: u32,
    /// Where its commands begin, and up to where they are read.
    start: usize,
    read: usize,
    /// Of the command under way, how many words are read, and their bytes.
    words: usize,
    bytes: usize,
    /// Words of all commands that are read, and that were told to be in them.
    all: u64,
    due: u64,
    is_plain: bool,
    has_passed: bool,
    /// All of the value was told.
    is_told: bool,
    /// Fields with an expiry were told.
    is_dated: bool,
    /// What is wrong inside the value is an error.
    pub(super) looks_inside: bool,
    pieces: &'t mut Pieces<'p>,
}

/// What became of it.
pub(super) struct End {
    /// The sum of what was told of a stream, but for its entries.
    pub(super) told: Print,
    /// It is plain what the commands make, and the reader has read them.
    pub(super) is_plain: bool,
    /// Some of them are passed on.
    pub(super) has_passed: bool,
    /// All of the value was told.
    pub(super) is_told: bool,
    /// Fields with an expiry were told.
    pub(super) is_dated: bool,
}

impl<'t, 'p> Telling<'t, 'p> {
    /// Of a key of this type whose commands begin at `start`.
    pub(super) fn new(
        back: &'t mut ReadBack,
        key: &'t [u8],
        of: DataType,
        db: u32,
        start: usize,
        pieces: &'t mut Pieces<'p>,
    ) -> Self {
        back.reader.begin();
        Telling {
            told: Print::new(back.detail),
            reader: &mut back.reader,
            key,
            of,
            db,
            start,
            read: start,
            words: 0,
            bytes: 0,
            all: 0,
            due: 0,
            is_plain: true,
            has_passed: false,
            is_told: false,
            is_dated: false,
            looks_inside: false,
            pieces,
        }
    }

    /// All commands are written.
    pub(super) fn end(mut self, out: &[u8]) -> End {
        self.read(out);
        End {
            told: self.told,
            is_plain: self.is_plain && self.all == self.due,
            has_passed: self.has_passed,
            is_told: self.is_told,
            is_dated: self.is_dated,
        }
    }

    /// Reads what was not yet read.
    fn read(&mut self, out: &[u8]) {
        let commands = out.get(self.read..).unwrap_or_default();
        self.is_plain = self.is_plain && self.reader.read(self.key, commands);
        self.read = out.len();
    }

    /// The name of the commands that have its items; none where those are not read word by word.
    #[inline]
    fn name(&self) -> Option<&'static [u8]> {
        match self.of {
            DataType::List => Some(b"RPUSH"),
            DataType::Set => Some(b"SADD"),
            DataType::ZSet => Some(b"ZADD"),
            DataType::Hash => Some(b"HMSET"),
            DataType::Stream => Some(b"XADD"),
            _ => None,
        }
    }

    /// Takes note of a word that was written from `at` on, and whether it is the one that was told.
    #[inline(always)]
    fn note(&mut self, out: &[u8], at: usize, is_it: impl FnOnce(&[u8]) -> bool) {
        let written = out.get(at..).unwrap_or_default();
        self.is_plain &= self.read == at && argument(written).is_some_and(is_it);
        self.read = out.len();
        self.words += 1;
        self.bytes += written.len();
    }

    /// How many words a command names at its head, and how long that is.
    fn head(&self, command: &[u8]) -> Option<(usize, usize)> {
        let (count, rest) = plain_count(command)?;
        let (name, rest) = plain_argument(rest)?;
        let (key, rest) = plain_argument(rest)?;
        let fits = Some(name) == self.name() && key == self.key;
        fits.then_some((count, command.len() - rest.len()))
    }
}

/// The argument that is all of this.
#[inline]
fn argument(bytes: &[u8]) -> Option<&[u8]> {
    plain_argument(bytes)
        .filter(|(_, rest)| rest.is_empty())
        .map(|(argument, _)| argument)
}

impl Witness for Telling<'_, '_> {
    fn takes_pieces(&self) -> bool {
        true
    }

    fn command(&mut self, out: &[u8], at: usize) {
        if self.name().is_some() {
            let command = out.get(at..).unwrap_or_default();
            let is_head = self
                .head(command)
                .is_some_and(|(_, len)| len == command.len());
            self.is_plain &= self.read == at && is_head;
            (self.read, self.words, self.bytes) = (out.len(), 0, 0);
        }
    }

    #[inline]
    fn word(&mut self, out: &[u8], at: usize, word: &[u8]) {
        self.note(out, at, |found| short::same(found, word));
    }

    #[inline]
    fn score(&mut self, out: &[u8], at: usize, score: f64) {
        self.note(out, at, |found| reader::score(found) == Some(score));
    }

    #[inline]
    fn id(&mut self, out: &[u8], at: usize, id: StreamId) {
        self.note(out, at, |found| reader::id(found) == Some(id));
        self.is_plain &= self.reader.has_entry(id);
    }

    fn whole(&mut self, out: &[u8], at: usize) {
        if self.name().is_some() {
            let command = out.get(at..).unwrap_or_default();
            let is_whole = self.head(command).is_some_and(|(count, len)| {
                count == self.words + 2 && len + self.bytes == command.len()
            });
            self.is_plain &= is_whole;
            self.all += self.words as u64;
            if self.of != DataType::Stream {
                self.reader.has_read(self.of);
            }
            self.read = out.len();
        }
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
        (self.all, self.due) = (0, 0);
    }
}

impl ValueVisitor for Telling<'_, '_> {
    #[inline]
    fn begin(&mut self, of: DataType, count: Option<u64>) -> Result<()> {
        match of {
            DataType::Stream => self.told.begin(of, count),
            _ => Ok(()),
        }
    }

    #[inline]
    fn element(&mut self, _: Element<'_>) -> Result<()> {
        self.due += 1;
        Ok(())
    }

    #[inline]
    fn field(&mut self, _: Element<'_>, _: Element<'_>, expires_at: Option<i64>) -> Result<()> {
        self.due += 2;
        self.is_dated |= expires_at.is_some();
        Ok(())
    }

    #[inline]
    fn member(&mut self, _: Element<'_>, _: f64) -> Result<()> {
        self.due += 2;
        Ok(())
    }

    #[inline]
    fn stream(&mut self, event: StreamEvent<'_>) -> Result<()> {
        match event {
            StreamEvent::Entry { .. } => self.due += 1,
            StreamEvent::Field(..) => self.due += 2,
            other => self.told.stream(other)?,
        }
        Ok(())
    }

    fn end(&mut self, _: DataType) -> Result<()> {
        self.is_told = true;
        Ok(())
    }

    #[cold]
    fn flaw(&mut self, problem: Problem, place: Place) -> Result<()> {
        match self.looks_inside {
            true => Err(Error::bytes(problem, place, What::Value)),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;
    use crate::io::ordered::Wanted;
    use crate::rdb::Scratch;
    use crate::rdb::string::Compress;
    use crate::rdb::value::Encoder;
    use crate::rdb::value::testing::{Told, encoded, raw};
    use crate::record::value::StreamMeta;
    use crate::record::{Entry, RdbType, Stored};
    use crate::write::Allowed;

    /// What a witness is told, with a copy of all that is written then.
    #[derive(Clone, Debug)]
    enum Call {
        Command(Vec<u8>, usize),
        Word(Vec<u8>, usize, Vec<u8>),
        Score(Vec<u8>, usize, f64),
        Id(Vec<u8>, usize, StreamId),
        Whole(Vec<u8>, usize),
        Item(u64),
        Meta(StreamMeta),
    }

    impl Call {
        /// What is written.
        fn out(&mut self) -> &mut [u8] {
            match self {
                Call::Command(out, _)
                | Call::Word(out, ..)
                | Call::Score(out, ..)
                | Call::Id(out, ..)
                | Call::Whole(out, _) => out,
                Call::Item(_) | Call::Meta(_) => &mut [],
            }
        }

        /// Which bytes of it this is about.
        fn about(&self) -> Range<usize> {
            match self {
                // The words behind the head were read before.
                Call::Whole(out, at) => {
                    let key = b"$3\r\nkey\r\n";
                    *at..at + memchr::memmem::find(&out[*at..], key).unwrap() + key.len()
                }
                Call::Command(out, at)
                | Call::Word(out, at, _)
                | Call::Score(out, at, _)
                | Call::Id(out, at, _) => *at..out.len(),
                Call::Item(_) | Call::Meta(_) => 0..0,
            }
        }
    }

    #[derive(Default)]
    struct Recorder(Vec<Call>);

    impl ValueVisitor for Recorder {
        fn stream(&mut self, event: StreamEvent<'_>) -> Result<()> {
            match event {
                StreamEvent::Entry { .. } => self.0.push(Call::Item(1)),
                StreamEvent::Field(..) => self.0.push(Call::Item(2)),
                StreamEvent::Meta(meta) => self.0.push(Call::Meta(meta)),
                _ => {}
            }
            Ok(())
        }
        fn element(&mut self, _: Element<'_>) -> Result<()> {
            self.0.push(Call::Item(1));
            Ok(())
        }
        fn field(&mut self, _: Element<'_>, _: Element<'_>, _: Option<i64>) -> Result<()> {
            self.0.push(Call::Item(2));
            Ok(())
        }
        fn member(&mut self, _: Element<'_>, _: f64) -> Result<()> {
            self.0.push(Call::Item(2));
            Ok(())
        }
    }

    impl Witness for Recorder {
        fn command(&mut self, out: &[u8], at: usize) {
            self.0.push(Call::Command(out.to_vec(), at));
        }
        fn word(&mut self, out: &[u8], at: usize, word: &[u8]) {
            self.0.push(Call::Word(out.to_vec(), at, word.to_vec()));
        }
        fn score(&mut self, out: &[u8], at: usize, score: f64) {
            self.0.push(Call::Score(out.to_vec(), at, score));
        }
        fn id(&mut self, out: &[u8], at: usize, id: StreamId) {
            self.0.push(Call::Id(out.to_vec(), at, id));
        }
        fn whole(&mut self, out: &[u8], at: usize) {
            self.0.push(Call::Whole(out.to_vec(), at));
        }
    }

    /// What is told of a value, and all commands.
    fn told(rdb_type: RdbType, bytes: &[u8]) -> (Vec<Call>, Vec<u8>) {
        let format = Format::named("redis-8.2").unwrap();
        let entry = Entry {
            db: 0,
            at: 0,
            key: Stored::Plain(Element::Bytes(b"key")),
            expires_at: Some(9),
            idle: None,
            freq: None,
            meta: None,
            value: raw(rdb_type, bytes),
        };
        let mut recorder = Recorder::default();
        let mut out = b"before".to_vec();
        Commands::new(&format, Allowed::default())
            .entry(&entry, &mut Scratch::default(), &mut out, &mut recorder)
            .unwrap();
        (recorder.0, out)
    }

    /// A stream of this many entries.
    fn stream(entries: u64) -> Vec<u8> {
        let mut encoder = Encoder::new(RdbType::Stream3, Compress::Never).unwrap();
        let id = |n| StreamId { ms: 7, seq: n };
        let meta = StreamMeta {
            length: entries,
            last_id: id(entries),
            entries_added: entries,
            ..StreamMeta::default()
        };
        let word = |text: &'static str| Element::Bytes(text.as_bytes());
        encoder.begin(DataType::Stream, Some(entries)).unwrap();
        for n in 1..=entries {
            let fields = 1 + n % 3;
            encoder
                .stream(StreamEvent::Entry { id: id(n), fields })
                .unwrap();
            for _ in 0..fields {
                encoder
                    .stream(StreamEvent::Field(word("name"), word("a value")))
                    .unwrap();
            }
        }
        encoder.stream(StreamEvent::Meta(meta)).unwrap();
        encoder.end(DataType::Stream).unwrap();
        let mut bytes = Vec::new();
        encoder.finish(&mut bytes).unwrap();
        bytes
    }

    /// Whether it is plain that these make the key.
    fn is_plain(calls: &[Call], of: DataType, out: &[u8]) -> bool {
        let format = Format::named("redis-8.2").unwrap();
        let mut back = ReadBack::new(&format);
        let mut take = |_| Wanted::More;
        let mut pieces = Pieces::direct(&mut take);
        let mut telling = Telling::new(&mut back, b"key", of, 0, 6, &mut pieces);
        telling.begin(of, None).unwrap();
        for call in calls {
            match call {
                Call::Command(out, at) => telling.command(out, *at),
                Call::Word(out, at, word) => telling.word(out, *at, word),
                Call::Score(out, at, score) => telling.score(out, *at, *score),
                Call::Id(out, at, id) => telling.id(out, *at, *id),
                Call::Whole(out, at) => telling.whole(out, *at),
                Call::Item(words) => telling.due += words,
                Call::Meta(meta) => telling.stream(StreamEvent::Meta(*meta)).unwrap(),
            }
        }
        let end = telling.end(out);
        let (sum, expires_at) = back.reader.found();
        let is_sum = of != DataType::Stream || sum == end.told.value();
        end.is_plain && is_sum && expires_at == Some(9)
    }

    #[test]
    fn every_other_byte_that_is_written_is_seen() {
        let names: Vec<String> = (0..70).map(|n| format!("m{n}")).collect();
        let scores = (0..70).map(|n| f64::from(n) / 8.0);
        let (list, set, zset, hash) = (
            names.iter().map(Told::element).collect(),
            names.iter().map(Told::element).collect(),
            names
                .iter()
                .zip(scores)
                .map(|(name, score)| Told::member(name, score))
                .collect(),
            names.iter().map(|name| Told::field(name, "7")).collect(),
        );
        let all: [(RdbType, Vec<Told>); 4] = [
            (RdbType::Quicklist2, list),
            (RdbType::SetTable, set),
            (RdbType::ZsetListpack, zset),
            (RdbType::HashTable, hash),
        ];
        let all = all.map(|(rdb_type, content)| (rdb_type, encoded(rdb_type, &content).unwrap()));
        for (rdb_type, bytes) in all.into_iter().chain([(RdbType::Stream3, stream(40))]) {
            let of = rdb_type.data_type();
            let (calls, out) = told(rdb_type, &bytes);
            assert!(is_plain(&calls, of, &out), "{rdb_type:?}");
            for index in 0..calls.len() {
                let mut other = calls.clone();
                let about = calls[index].about();
                // The number of words is put right once the command is whole.
                let number = match &calls[index] {
                    Call::Command(out, at) => {
                        *at + 1..*at + memchr::memchr(b'\r', &out[*at..]).unwrap()
                    }
                    _ => 0..0,
                };
                for byte in about.filter(|byte| !number.contains(byte)) {
                    other[index].out()[byte] ^= 1;
                    assert!(!is_plain(&other, of, &out), "{rdb_type:?} {index} {byte}");
                    other[index].out()[byte] ^= 1;
                }
                let mut fewer = calls.clone();
                fewer.remove(index);
                assert!(!is_plain(&fewer, of, &out), "{rdb_type:?} without {index}");
            }
            for at in 0..out.len() {
                // All but the expiry was held against what was told.
                let mut other = out.clone();
                other[at] ^= 1;
                let last = match of {
                    DataType::Stream => &b"XSETID"[..],
                    _ => b"PEXPIREAT",
                };
                let behind = memchr::memmem::find(&out, last).unwrap() - b"*N\r\n$N\r\n".len();
                assert_eq!(
                    is_plain(&calls, of, &other),
                    at < behind,
                    "{rdb_type:?} {at}"
                );
            }
        }
    }
}
