//! Framed records in bulk, from a map or a stream alike: what one thread frames, others decode.

mod piece;
mod sheet;

use std::sync::Arc;

use crate::bytes::limits::RECORD_IN_MEMORY;
use crate::bytes::{Problem, Step};
use crate::error::{Error, ErrorKind, Hint, Place, Result, What};
use crate::io::decompress::{self, Codec};
use crate::io::source::{Behind, Content, Map};
use crate::io::spool::SpoolFile;
use crate::io::window::Window;
use crate::rdb::batch::sheet::Notes;
use crate::rdb::parser::{RdbParser, State};
use crate::record::{Record, RunCodec};

pub use piece::{Batch, Block};
pub use sheet::{Look, Sheet};

/// Bytes of input that a batch has at the least, unless the input ends.
const TARGET: usize = 256 << 10;
/// Bytes that a stream is asked for at a time while a record is spooled.
const PIECE: usize = 1 << 20;

/// Where batches are cut from.
enum Input<'d> {
    Map(&'d [u8], usize),
    Stream(Box<Window>),
    /// What was read ahead into a temporary file for the sake of a large record, and how far it is
    /// parsed; the stream goes on behind it.
    Spooled(Arc<Map>, usize, Box<Window>),
    Nothing,
}

/// Cuts a snapshot into batches.
pub struct Batches<'d, S = ()> {
    input: Input<'d>,
    parser: RdbParser,
    run: Option<OpenRun>,
    max_spool: u64,
    failed: Option<Error>,
    done: bool,
    map: Option<&'d Map>,
    /// Where they end in a map, if the snapshot does not end before.
    until: usize,
    blank: S,
}

/// A compressed run that is being cut.
struct OpenRun {
    run: Arc<decompress::Run>,
    pos: usize,
    at: u64,
    parser: RdbParser,
}

/// What framing a stretch of bytes came to.
struct Cut {
    taken: usize,
    summed: usize,
    run: Option<(RunCodec, usize)>,
    needs: usize,
    failed: Option<Error>,
}

impl<'d> Batches<'d> {
    /// Of a snapshot that lies in memory or in a map.
    pub fn of_map(data: &'d [u8]) -> Self {
        Self::new(Input::Map(data, 0), u64::MAX)
    }

    /// Of a map, whose pages are let go of behind what was read.
    pub(crate) fn over(map: &'d Map) -> Self {
        let mut batches = Self::of_map(map);
        batches.map = Some(map);
        batches
    }

    /// Of the content of a source. A record of a stream that is too large for memory goes through
    /// a temporary file of at most `max_spool` bytes.
    pub fn of_content(content: &'d mut Content, max_spool: u64) -> Self {
        match content {
            Content::Map(map) => {
                let mut batches = Self::new(Input::Map(map, 0), max_spool);
                batches.map = Some(map);
                batches
            }
            Content::Stream(stream) => {
                let stream = std::mem::replace(stream, Box::new(std::io::empty()));
                Self::new(Input::Stream(Box::new(Window::new(stream))), max_spool)
            }
        }
    }

    fn new(input: Input<'d>, max_spool: u64) -> Self {
        Batches {
            input,
            parser: RdbParser::new(),
            run: None,
            max_spool,
            failed: None,
            done: false,
            map: None,
            until: usize::MAX,
            blank: (),
        }
    }

    /// The same, with a copy of this sheet filled in for each batch.
    pub(crate) fn noting<S: Sheet>(self, blank: S) -> Batches<'d, S> {
        Batches {
            input: self.input,
            parser: self.parser,
            run: self.run,
            max_spool: self.max_spool,
            failed: self.failed,
            done: self.done,
            map: self.map,
            until: self.until,
            blank,
        }
    }
}

impl<'d, S: Sheet> Batches<'d, S> {
    /// The next batch; `None` behind the end mark. Damage comes after every record before it.
    ///
    /// # Errors
    /// The first damage that the framing cannot pass; nothing comes after it.
    pub fn next_batch(&mut self) -> Result<Option<Batch<'d, S>>> {
        if let Some(error) = self.failed.take() {
            self.done = true;
            return Err(error);
        }
        if let Some(batch) = self.next_of_run() {
            return Ok(Some(batch));
        }
        if self.done {
            return Ok(None);
        }
        match self.next_of_input() {
            Ok(batch) => Ok(Some(batch)),
            Err(error) => {
                self.done = true;
                Err(error)
            }
        }
    }

    fn next_of_input(&mut self) -> Result<Batch<'d, S>> {
        let (at, state) = (self.parser.offset(), self.parser.state().clone());
        let mut notes = Notes::new(&self.blank);
        loop {
            let (cut, block) = match std::mem::replace(&mut self.input, Input::Nothing) {
                Input::Map(data, pos) => {
                    let rest = data.get(pos..).unwrap_or_default();
                    let most = TARGET.min(self.until.saturating_sub(pos));
                    let cut = frame(&mut self.parser, rest, true, most, &mut notes);
                    let end = pos + cut.taken;
                    let block = Block::Map(data.get(pos..end).unwrap_or_default());
                    self.input = Input::Map(data, end);
                    self.done = end >= self.until;
                    (cut, block)
                }
                Input::Stream(mut window) => {
                    let eof = window.fill(if window.data().is_empty() { TARGET } else { 0 })?;
                    let mut cut = frame(&mut self.parser, window.data(), eof, TARGET, &mut notes);
                    if cut.taken == 0 && cut.needs > 0 {
                        let held = window.data().len();
                        if held >= RECORD_IN_MEMORY {
                            self.input = self.spool(window)?;
                            continue;
                        }
                        window.fill(cut.needs.max(held).min(RECORD_IN_MEMORY - held))?;
                        self.input = Input::Stream(window);
                        continue;
                    }
                    let block = Block::Owned(window.take_block(cut.taken));
                    self.input = Input::Stream(window);
                    cut.needs = 0;
                    (cut, block)
                }
                Input::Spooled(map, pos, mut window) => {
                    let rest = map.get(pos..).unwrap_or_default();
                    let eof =
                        window.data().is_empty() && window.fill(1)? && window.data().is_empty();
                    let cut = frame(&mut self.parser, rest, eof, TARGET, &mut notes);
                    if cut.taken == 0 && cut.needs > 0 {
                        self.input = match rest.len() < RECORD_IN_MEMORY {
                            true => {
                                window.unread(rest);
                                Input::Stream(window)
                            }
                            false => self.spool_behind(rest, window)?,
                        };
                        continue;
                    }
                    let end = pos + cut.taken;
                    self.input = Input::Spooled(Arc::clone(&map), end, window);
                    (cut, Block::Spooled(map, pos, end))
                }
                Input::Nothing => {
                    return Err(Error::bytes(
                        Problem::Malformed,
                        Place::at(at),
                        What::Record,
                    ));
                }
            };
            if let Some(error) = cut.failed {
                if cut.taken == 0 {
                    return Err(error);
                }
                self.failed = Some(error);
            }
            self.done |= self.parser.state().ended();
            if let Some((codec, len)) = cut.run {
                self.open_run(codec, &block, len)?;
            }
            return Ok(Batch {
                block,
                at,
                summed: cut.summed,
                run: None,
                sheet: notes.sheet,
                marks: notes.marks,
                state,
            });
        }
    }

    /// Puts what the window holds and what follows into a temporary file until the record that
    /// begins there is complete.
    fn spool(&self, window: Box<Window>) -> Result<Input<'d>> {
        self.spool_behind(&[], window)
    }

    fn spool_behind(&self, begun: &[u8], mut window: Box<Window>) -> Result<Input<'d>> {
        let mut spool = SpoolFile::new(self.max_spool)?;
        spool.write_all(begun)?;
        let mut target = (spool.len() + window.data().len() as u64) * 2;
        loop {
            let mut eof = false;
            while spool.len() < target && !eof {
                spool.write_all(window.data())?;
                window.consume(window.data().len());
                eof = window.fill(PIECE)?;
                if eof {
                    spool.write_all(window.data())?;
                    window.consume(window.data().len());
                }
            }
            let map = spool.map()?;
            let mut probe = self.parser.clone();
            if eof || !matches!(probe.parse(&map, false), Ok(Step::NeedMore { .. })) {
                return Ok(Input::Spooled(Arc::new(map), 0, window));
            }
            target *= 2;
        }
    }

    /// Decompresses the run that ends the batch; its records come next.
    fn open_run(&mut self, codec: RunCodec, block: &[u8], len: usize) -> Result<()> {
        let codec = match codec {
            RunCodec::Zstd => Codec::Zstd,
            RunCodec::Lz4 => Codec::Lz4,
        };
        let data = block.get(block.len() - len..).unwrap_or_default();
        let at = self.parser.offset() - len as u64;
        match decompress::decode_run(codec, data, self.max_spool) {
            Ok(run) => {
                self.run = Some(OpenRun {
                    run: Arc::new(run),
                    pos: 0,
                    at,
                    parser: self.parser.enter_run(),
                });
                Ok(())
            }
            Err(error) => {
                let damaged =
                    matches!(error.kind(), ErrorKind::Io(error) if decompress::is_damage(error));
                if !damaged {
                    return Err(error);
                }
                self.failed = Some(
                    Error::bytes(Problem::RunEnd, Place::at(at), What::Record)
                        .with_hint(Hint::KeepGoing),
                );
                Ok(())
            }
        }
    }

    fn next_of_run(&mut self) -> Option<Batch<'d, S>> {
        let open = self.run.as_mut()?;
        let (start, at, state) = (open.pos, open.parser.offset(), open.parser.state().clone());
        let mut notes = Notes::new(&self.blank);
        let rest = open.run.get(start..).unwrap_or_default();
        let cut = frame(&mut open.parser, rest, true, TARGET, &mut notes);
        open.pos += cut.taken;
        let batch = Batch {
            block: Block::Run(Arc::clone(&open.run), start, open.pos),
            at,
            summed: 0,
            run: Some(open.at),
            sheet: notes.sheet,
            marks: notes.marks,
            state,
        };
        if let Some(error) = cut.failed {
            let place = batch.place(error.place().unwrap_or(Place::at(0)));
            let problem = error.problem().unwrap_or(Problem::RunEnd);
            self.failed = Some(Error::bytes(problem, place, What::Record));
            self.run = None;
        } else if open.parser.state().ended() || open.pos >= open.run.len() {
            self.parser.leave_run(&open.parser);
            self.run = None;
        }
        Some(batch)
    }

    /// Bytes behind the end mark and checksum; a stream is read to its end for that.
    ///
    /// # Errors
    /// Input that cannot be read to its end.
    pub fn count_trailing(&mut self) -> Result<u64> {
        let (mut count, window) = match &mut self.input {
            Input::Map(data, pos) => return Ok((data.len() - *pos) as u64),
            Input::Spooled(map, pos, window) => ((map.len() - *pos) as u64, window),
            Input::Stream(window) => (0, window),
            Input::Nothing => return Ok(0),
        };
        loop {
            count += window.data().len() as u64;
            window.consume(window.data().len());
            if window.fill(1)? && window.data().is_empty() {
                return Ok(count);
            }
        }
    }

    /// The whole input, where it is mapped and can be read again.
    pub fn whole(&self) -> Option<&'d [u8]> {
        match self.input {
            Input::Map(data, _) => Some(data),
            _ => None,
        }
    }

    /// Bytes of a map that come next, about as many as a batch has.
    pub(crate) fn near(&self) -> &'d [u8] {
        match (&self.input, &self.run) {
            (&Input::Map(data, pos), None) => {
                let end = pos.saturating_add(TARGET).min(self.until).min(data.len());
                data.get(pos..end).unwrap_or_default()
            }
            _ => &[],
        }
    }

    /// The same from another place of the same map on, where the parser is in this state, up to the
    /// first record that begins at `until` or behind it. `None` where nothing is mapped.
    pub(crate) fn from(&self, at: u64, state: State, until: u64) -> Option<Self> {
        let Input::Map(data, _) = self.input else {
            return None;
        };
        let pos = usize::try_from(at).ok()?;
        Some(Batches {
            input: Input::Map(data, pos),
            parser: RdbParser::resume(state, at),
            run: None,
            max_spool: self.max_spool,
            failed: None,
            done: false,
            map: self.map,
            until: usize::try_from(until).unwrap_or(usize::MAX),
            blank: self.blank.clone(),
        })
    }

    /// True where nothing but the place and the state of the parser decides how it goes on.
    pub(crate) fn is_between_records(&self) -> bool {
        self.run.is_none() && self.failed.is_none() && !self.done
    }

    /// For letting go of the input's pages once their records are done with.
    pub(crate) fn behind(&self) -> Behind<'d> {
        Behind::new(self.map)
    }

    /// The state behind the last record framed.
    pub fn state(&self) -> &State {
        self.parser.state()
    }

    /// Offset just behind the last record framed.
    pub fn offset(&self) -> u64 {
        self.parser.offset()
    }
}

/// Frames records until there are `most` bytes of them, or the bytes end, or a run begins.
fn frame<S: Sheet>(
    parser: &mut RdbParser,
    data: &[u8],
    eof: bool,
    most: usize,
    notes: &mut Notes<S>,
) -> Cut {
    let mut cut = Cut {
        taken: 0,
        summed: 0,
        run: None,
        needs: 0,
        failed: None,
    };
    while !parser.state().ended() && cut.taken < most {
        let rest = data.get(cut.taken..).unwrap_or_default();
        if rest.is_empty() && parser.in_run() {
            break;
        }
        if let Some((entry, after)) = parser.next_key(rest) {
            let end = data.len() - after.len();
            match notes.sheet.key(&entry) {
                Look::Nowhere => {}
                Look::Value if end <= u32::MAX as usize => {
                    let start = end - entry.value.bytes.len();
                    let value = (entry.value.rdb_type, start as u32, end as u32);
                    notes.mark(cut.taken, Some(value));
                }
                _ => notes.mark(cut.taken, None),
            }
            cut.taken = end;
            cut.summed = cut.taken;
            continue;
        }
        match parser.parse(rest, eof) {
            Ok(Step::Parsed { consumed, item }) => {
                if let Record::Entry(entry) = &item {
                    notes.sheet.key(entry);
                }
                notes.mark(cut.taken, None);
                cut.taken += consumed;
                cut.summed = match item {
                    Record::Eof(_) => cut.taken - (consumed - 1),
                    _ => cut.taken,
                };
                if let Record::Run { codec, data } = item {
                    cut.run = Some((codec, data.len()));
                    break;
                }
            }
            Ok(Step::NeedMore { at_least }) => {
                cut.needs = at_least;
                break;
            }
            Err(error) => {
                cut.failed = Some(error);
                break;
            }
        }
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Flow;
    use std::io::Read;

    /// A reader that gives a few bytes at a time.
    struct Drip(std::io::Cursor<Vec<u8>>, usize);

    impl Read for Drip {
        fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
            let n = to.len().min(self.1);
            self.0.read(&mut to[..n])
        }
    }

    fn snapshot(large: usize) -> Vec<u8> {
        let mut data = b"REDIS0009\xfe\x00".to_vec();
        let mut string = |key: &[u8], len: usize| {
            data.push(0);
            data.push(key.len() as u8);
            data.extend_from_slice(key);
            data.push(0x80);
            data.extend_from_slice(&(len as u32).to_be_bytes());
            data.resize(data.len() + len, b'x');
        };
        string(b"a", 10);
        string(b"large", large);
        string(b"b", 300_000);
        string(b"larger", large * 2 + 5);
        string(b"c", 3);
        data.extend_from_slice(b"\xff\0\0\0\0\0\0\0\0");
        data
    }

    fn records(mut batches: Batches<'_>) -> (Vec<String>, Option<String>, u64) {
        let mut all = Vec::new();
        let failed = loop {
            match batches.next_batch() {
                Ok(Some(batch)) => {
                    batch
                        .for_each(|record| {
                            all.push(match record {
                                Record::Entry(e) => format!(
                                    "{:?} {} {} {}",
                                    e.key,
                                    e.at,
                                    e.value.at,
                                    e.value.bytes.len()
                                ),
                                other => format!("{other:?}"),
                            });
                            Ok(Flow::Continue)
                        })
                        .unwrap();
                }
                Ok(None) => break None,
                Err(error) => break Some(error.to_string()),
            }
        };
        let trailing = if failed.is_none() {
            batches.count_trailing().unwrap()
        } else {
            0
        };
        (all, failed, trailing)
    }

    #[test]
    fn a_stream_gives_the_records_of_the_map_whatever_its_pieces() {
        let mut data = snapshot(700_000);
        data.extend_from_slice(b"behind");
        for cut in [
            data.len(),
            data.len() - 6,
            data.len() - 7,
            1_000_000,
            800_000,
            30,
            12,
            9,
            5,
        ] {
            let data = &data[..cut];
            let whole = records(Batches::of_map(data));
            for piece in [1, 777, 65_536, usize::MAX] {
                if piece == 1 && cut > 100 {
                    continue;
                }
                let mut content =
                    Content::Stream(Box::new(Drip(std::io::Cursor::new(data.to_vec()), piece)));
                assert_eq!(
                    records(Batches::of_content(&mut content, u64::MAX)),
                    whole,
                    "{cut} {piece}"
                );
            }
        }
    }

    #[test]
    fn a_record_too_large_for_memory_is_spooled_and_reads_the_same() {
        let data = snapshot(RECORD_IN_MEMORY + 12_345);
        let whole = records(Batches::of_map(&data));
        assert_eq!(whole.0.len(), 8);
        let mut content = Content::Stream(Box::new(std::io::Cursor::new(data.clone())));
        assert_eq!(records(Batches::of_content(&mut content, u64::MAX)), whole);
        let mut content = Content::Stream(Box::new(std::io::Cursor::new(data)));
        let (_, failed, _) = records(Batches::of_content(&mut content, 1 << 20));
        assert!(failed.unwrap().contains("spool"));
    }
}
