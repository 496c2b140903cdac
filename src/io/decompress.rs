//! Compressed input, recognised by magic and decompressed as a stream: the one door of the crates
//! that know gzip, zstd, LZ4 and xz.
//!
//! A file may be a row of members (gzip), frames (zstd, LZ4) or streams (xz), each complete in
//! itself; all of them are read, as the formats' own tools do. Each is checked as far as it has
//! checksums and lengths. The end of the input inside one is an error, never a short result.
//!
//! Memory is bounded whatever a header asks for: gzip 32 KiB of history, LZ4 blocks of 4 MiB, zstd
//! windows up to 128 MiB (what the zstd tool accepts by itself), xz up to 256 MiB. What needs more
//! is refused with [`io::ErrorKind::Unsupported`].

use std::fmt;
use std::io::{self, BufRead, Read};
use std::sync::{Arc, Mutex, PoisonError};

use flate2::bufread::GzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::error::Result;
use crate::io::source::Map;
use crate::io::spool::SpoolFile;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// gzip, one member or more.
    Gzip,
    /// Zstandard frames.
    Zstd,
    /// LZ4 frames.
    Lz4,
    /// xz streams.
    Xz,
    /// LZ4 frames in Valkey's own envelope: `VCS`, version 1, codec 1, a reserved byte, kind 1.
    Valkey,
}

impl Codec {
    /// The codec whose magic stands at the start. A skippable frame, which zstd and LZ4 share, is
    /// given to the codec of the frame behind it, or to zstd where that is out of sight.
    pub fn detect(prefix: &[u8]) -> Option<Codec> {
        let mut rest = prefix;
        while is_skippable(rest) {
            let length = rest
                .get(SKIPPABLE_MAGIC..)
                .and_then(<[u8]>::first_chunk::<4>);
            let length = length.and_then(|n| usize::try_from(u32::from_le_bytes(*n)).ok());
            let end = length.and_then(|n| n.checked_add(SKIPPABLE_HEADER));
            match end.and_then(|end| rest.get(end..)) {
                Some(behind) if behind.len() >= SKIPPABLE_MAGIC => rest = behind,
                _ => return Some(Codec::Zstd),
            }
        }
        let begins = |magic: &[u8]| rest.starts_with(magic);
        match rest {
            _ if begins(GZIP) => Some(Codec::Gzip),
            _ if begins(ZSTD) => Some(Codec::Zstd),
            _ if begins(LZ4) => Some(Codec::Lz4),
            _ if begins(XZ) => Some(Codec::Xz),
            [b'V', b'C', b'S', 1, 1, _, 1, ..] => Some(Codec::Valkey),
            _ => None,
        }
    }

    /// The codec's name, as in messages.
    pub fn name(self) -> &'static str {
        match self {
            Codec::Gzip => "gzip",
            Codec::Zstd => "zstd",
            Codec::Lz4 => "LZ4",
            Codec::Xz => "xz",
            Codec::Valkey => "Valkey LZ4",
        }
    }

    /// "gzip data" and its like, for sentences.
    pub(crate) fn article(self) -> &'static str {
        match self {
            Codec::Gzip => "gzip data",
            Codec::Zstd => "zstd data",
            Codec::Lz4 => "LZ4 data",
            Codec::Xz => "xz data",
            Codec::Valkey => "LZ4 data in Valkey's envelope",
        }
    }
}

/// Decompresses a stream as it is read. Errors name the codec; their kinds are those of
/// [`is_damage`], [`io::ErrorKind::Unsupported`] for what takes too much memory or a dictionary,
/// and whatever the input itself says.
pub fn decoder(codec: Codec, input: impl Read + Send + 'static) -> Box<dyn Read + Send> {
    Box::new(Decoder::new(codec, Box::new(input)))
}

/// True for errors that say: the compressed bytes are damaged or end too early.
pub fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
    )
}

/// A run of records, decompressed.
#[derive(Debug)]
pub enum Run {
    /// Small enough for memory.
    Memory(Vec<u8>),
    /// In an unlinked temporary file.
    Spooled(Map),
}

impl std::ops::Deref for Run {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Run::Memory(bytes) => bytes,
            Run::Spooled(map) => map,
        }
    }
}

/// Decompresses frames held in memory: Dragonfly's runs of records. Up to 64 MiB stay in memory,
/// more goes to a temporary file of at most `limit` bytes.
///
/// # Errors
/// [`ErrorKind::Io`](crate::error::ErrorKind::Io) for which [`is_damage`] tells whether the bytes
/// are at fault; [`ErrorKind::Limit`](crate::error::ErrorKind::Limit) above `limit`.
pub fn decode_run(codec: Codec, data: &[u8], limit: u64) -> Result<Run> {
    let mut decoder = Decoder::new(codec, Box::new(data));
    let mut bytes = Vec::new();
    let in_memory = RUN_IN_MEMORY.min(limit);
    (&mut decoder).take(in_memory).read_to_end(&mut bytes)?;
    let mut piece = vec![0; PIECE];
    let mut spool: Option<SpoolFile> = None;
    loop {
        let n = decoder.read(&mut piece)?;
        let read = piece.get(..n).unwrap_or_default();
        if read.is_empty() {
            return match spool {
                None => Ok(Run::Memory(bytes)),
                Some(spool) => Ok(Run::Spooled(spool.map()?)),
            };
        }
        match &mut spool {
            Some(spool) => spool.write_all(read)?,
            None => {
                let mut new = SpoolFile::new(limit)?;
                new.write_all(&bytes)?;
                new.write_all(read)?;
                bytes = Vec::new();
                spool = Some(new);
            }
        }
    }
}

/// The decoder of a row of members.
struct Decoder<'a> {
    codec: Codec,
    state: State<'a>,
    members: u64,
    input_error: InputError,
}

enum State<'a> {
    /// Before the first member, or behind one.
    Between(Input<'a>),
    Gzip(Box<GzDecoder<Input<'a>>>),
    Zstd(Box<Zstd<'a>>),
    Lz4(Box<lz4_flex::frame::FrameDecoder<Input<'a>>>),
    Xz(Box<XzReader<Input<'a>>>),
    /// All members are read.
    Ended,
    /// An error was reported; it is reported again.
    Failed(io::ErrorKind, String),
}

impl<'a> Decoder<'a> {
    fn new(codec: Codec, reader: Box<dyn Read + Send + 'a>) -> Self {
        let input_error = InputError::default();
        Decoder {
            codec,
            state: State::Between(Input::new(reader, input_error.clone())),
            members: 0,
            input_error,
        }
    }

    /// Reads from the member at hand, and goes to the next one where it has ended.
    fn step(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let n = match &mut self.state {
                State::Between(_) => 0,
                State::Gzip(member) => member.read(buf)?,
                State::Zstd(frame) => frame.read(buf)?,
                State::Lz4(frame) => frame.read(buf)?,
                State::Xz(stream) => stream.read(buf)?,
                State::Ended => return Ok(0),
                State::Failed(kind, text) => return Err(io::Error::new(*kind, text.clone())),
            };
            if n > 0 {
                return Ok(n);
            }
            let input = match std::mem::replace(&mut self.state, State::Ended) {
                State::Between(input) => input,
                State::Gzip(member) => member.into_inner(),
                State::Zstd(frame) => frame.finish()?,
                State::Lz4(frame) => frame.into_inner(),
                State::Xz(stream) => stream.into_inner(),
                State::Ended | State::Failed(..) => return Ok(0),
            };
            // The LZ4 decoder takes the end of the input before a block for the frame's end.
            if input.ran_dry {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.state = self.next_member(input)?;
        }
    }

    /// Starts the next member, or ends.
    fn next_member(&mut self, mut input: Input<'a>) -> io::Result<State<'a>> {
        let is_first = self.members == 0;
        if is_first && self.codec == Codec::Valkey {
            input.skip(ENVELOPE)?;
        }
        if !is_first {
            self.skip_padding(&mut input)?;
        }
        let magic = input.peek(XZ.len())?;
        if magic.is_empty() && !is_first {
            return Ok(State::Ended);
        }
        self.members += 1;
        if magic.len() < SKIPPABLE_MAGIC {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match self.codec {
            Codec::Gzip if magic.starts_with(GZIP) => {
                Ok(State::Gzip(Box::new(GzDecoder::new(input))))
            }
            Codec::Xz if magic.starts_with(XZ) => {
                let stream = XzReader::new_mem_limit(input, false, XZ_MEMORY_KIB);
                Ok(State::Xz(Box::new(stream)))
            }
            Codec::Xz if XZ.starts_with(magic) => Err(io::ErrorKind::UnexpectedEof.into()),
            // Skippable frames may hide which of the two it is, hence either for both.
            Codec::Zstd | Codec::Lz4 if magic.starts_with(ZSTD) => {
                Ok(State::Zstd(Box::new(Zstd::new(input)?)))
            }
            Codec::Zstd | Codec::Lz4 | Codec::Valkey if magic.starts_with(LZ4) => {
                // A decoder used for a second frame keeps the buffers of the first, of whatever
                // size: one for each frame.
                let frame = lz4_flex::frame::FrameDecoder::new(input);
                Ok(State::Lz4(Box::new(frame)))
            }
            Codec::Zstd | Codec::Lz4 | Codec::Valkey if is_skippable(magic) => {
                let mut length = [0; 4];
                input.skip(SKIPPABLE_MAGIC as u64)?;
                input.read_exact(&mut length)?;
                input.skip(u64::from(u32::from_le_bytes(length)))?;
                Ok(State::Between(input))
            }
            _ if is_first => Err(damage("its magic bytes are missing")),
            _ => Err(damage("foreign bytes stand behind it")),
        }
    }

    /// Zeros may stand behind a member: at the end for gzip, as tapes leave them, and in multiples
    /// of four for xz.
    fn skip_padding(&mut self, input: &mut Input<'a>) -> io::Result<()> {
        if !matches!(self.codec, Codec::Gzip | Codec::Xz) {
            return Ok(());
        }
        let mut zeros = 0u64;
        while input.peek(1)?.first() == Some(&0) {
            input.consume(1);
            zeros += 1;
        }
        match self.codec {
            Codec::Xz if !zeros.is_multiple_of(4) => {
                Err(damage("its padding is not a multiple of four bytes"))
            }
            Codec::Gzip if zeros > 0 && !input.peek(1)?.is_empty() => {
                Err(damage("foreign bytes stand behind it"))
            }
            _ => Ok(()),
        }
    }

    /// Gives an error its name: what the input itself said where it did, else what is wrong with
    /// the compressed bytes.
    #[cold]
    fn name_error(&mut self, error: io::Error) -> io::Error {
        if matches!(self.state, State::Failed(..)) {
            return error;
        }
        let name = self.codec.article();
        let error = match (self.input_error.take(), error.kind()) {
            (Some(real), _) => real,
            (None, kind @ io::ErrorKind::UnexpectedEof) => {
                io::Error::new(kind, format!("the {name} ends too early"))
            }
            (None, io::ErrorKind::Unsupported) => {
                io::Error::new(error.kind(), format!("the {name} needs {error}"))
            }
            (None, io::ErrorKind::OutOfMemory) => io::Error::new(
                io::ErrorKind::Unsupported,
                format!("the {name} needs more than 256 MiB of memory to decompress"),
            ),
            (None, _) => damage(&format!("the {name} is damaged: {error}")),
        };
        self.state = State::Failed(error.kind(), error.to_string());
        error
    }
}

impl Read for Decoder<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        self.step(buf).map_err(|error| self.name_error(error))
    }
}

impl fmt::Debug for Decoder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("codec", &self.codec)
            .field("members", &self.members)
            .finish_non_exhaustive()
    }
}

/// One zstd frame. Its crate reads the checksum and the length of the content, and leaves it to
/// the caller to compare them.
struct Zstd<'a> {
    input: Input<'a>,
    frame: FrameDecoder,
    produced: u64,
    error: Option<io::Error>,
}

impl<'a> Zstd<'a> {
    fn new(mut input: Input<'a>) -> io::Result<Self> {
        let mut frame = FrameDecoder::new();
        frame.set_max_window_size(ZSTD_WINDOW);
        match frame.reset(&mut input) {
            Ok(()) => Ok(Zstd {
                input,
                frame,
                produced: 0,
                error: None,
            }),
            Err(error) => Err(zstd_error(&input, &error)),
        }
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.error.is_none() && !self.frame.is_finished() && self.frame.can_collect() == 0 {
            let one = BlockDecodingStrategy::UptoBlocks(1);
            if let Err(error) = self.frame.decode_blocks(&mut self.input, one) {
                self.error = Some(zstd_error(&self.input, &error));
                // Up to a window of good bytes is still held back: an empty last block with some
                // checksum behind it ends the frame and lets them out, before the error.
                let one = BlockDecodingStrategy::UptoBlocks(1);
                let _ = self
                    .frame
                    .decode_blocks([1, 0, 0, 0, 0, 0, 0].as_slice(), one);
            }
        }
        let n = self.frame.read(buf)?;
        self.produced += n as u64;
        match self.error.take() {
            Some(error) if n == 0 => Err(error),
            error => {
                self.error = error;
                Ok(n)
            }
        }
    }

    /// Compares what came out with what the frame says of it.
    fn finish(self) -> io::Result<Input<'a>> {
        let stated = self.frame.content_size();
        if stated != 0 && stated != self.produced {
            return Err(damage("its content is not as long as stated"));
        }
        let stated = self.frame.get_checksum_from_data();
        if stated.is_some() && stated != self.frame.get_calculated_checksum() {
            return Err(damage("its checksum is wrong"));
        }
        Ok(self.input)
    }
}

#[cold]
fn zstd_error(input: &Input<'_>, error: &FrameDecoderError) -> io::Error {
    let unsupported = |text| io::Error::new(io::ErrorKind::Unsupported, text);
    match error {
        FrameDecoderError::WindowSizeTooBig { requested, .. } => {
            let mib = requested.div_ceil(1 << 20);
            unsupported(format!(
                "a window of {mib} MiB, more than the 128 MiB allowed"
            ))
        }
        FrameDecoderError::DictNotProvided { dict_id } => {
            unsupported(format!("dictionary {dict_id}, which is not at hand"))
        }
        _ if input.ran_dry => io::ErrorKind::UnexpectedEof.into(),
        error => damage(&error.to_string()),
    }
}

#[cold]
fn damage(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// What the input said when it failed, kept past the decoders, which wrap or replace it.
#[derive(Clone, Debug, Default)]
struct InputError(Arc<Mutex<Option<io::Error>>>);

impl InputError {
    /// Keeps the error, and gives a stand-in for the decoder.
    #[cold]
    fn keep(&self, error: io::Error) -> io::Error {
        let stand_in = io::Error::from(error.kind());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        stand_in
    }

    fn take(&self) -> Option<io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The compressed bytes: buffered, with a look ahead, and aware of having run dry.
struct Input<'a> {
    reader: Box<dyn Read + Send + 'a>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
    /// Bytes were asked for where none are left.
    ran_dry: bool,
    error: InputError,
}

impl<'a> Input<'a> {
    fn new(reader: Box<dyn Read + Send + 'a>, error: InputError) -> Self {
        Input {
            reader,
            buffer: vec![0; PIECE],
            start: 0,
            end: 0,
            ended: false,
            ran_dry: false,
            error,
        }
    }

    /// The next `count` bytes, fewer only at the end; they are not consumed.
    fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        if self.buffer.len() - self.start < count {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        while self.end - self.start < count && !self.ended {
            self.read_once()?;
        }
        let end = self.end.min(self.start + count);
        Ok(self.buffer.get(self.start..end).unwrap_or_default())
    }

    fn skip(&mut self, mut count: u64) -> io::Result<()> {
        while count > 0 {
            let here = self.fill_buf()?.len();
            if here == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let n = usize::try_from(count).map_or(here, |count| count.min(here));
            self.consume(n);
            count -= n as u64;
        }
        Ok(())
    }

    fn read_once(&mut self) -> io::Result<()> {
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        loop {
            match self.reader.read(room) {
                Ok(0) => self.ended = true,
                Ok(n) => self.end += n.min(room.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.error.keep(error)),
            }
            return Ok(());
        }
    }
}

impl BufRead for Input<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end && !self.ended {
            self.start = 0;
            self.end = 0;
            self.read_once()?;
        }
        self.ran_dry |= self.start == self.end;
        Ok(self.buffer.get(self.start..self.end).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
    }
}

impl Read for Input<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buf)?;
        self.consume(n);
        Ok(n)
    }
}

fn is_skippable(magic: &[u8]) -> bool {
    matches!(magic, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

const GZIP: &[u8] = &[0x1f, 0x8b, 0x08];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const LZ4: &[u8] = &[0x04, 0x22, 0x4d, 0x18];
const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];
/// Magic and length of a skippable frame.
const SKIPPABLE_HEADER: usize = 8;
const SKIPPABLE_MAGIC: usize = 4;
/// Length of Valkey's envelope.
const ENVELOPE: u64 = 7;

/// Compressed bytes read at a time.
const PIECE: usize = 128 << 10;
/// Largest zstd window, in bytes: the zstd tool's own limit.
const ZSTD_WINDOW: u64 = 128 << 20;
/// Memory of the xz decoder, in KiB: the strongest preset takes a quarter of it.
const XZ_MEMORY_KIB: u32 = 256 << 10;
/// A run of records up to this length stays in memory.
const RUN_IN_MEMORY: u64 = 64 << 20;

#[cfg(test)]
mod tests;
