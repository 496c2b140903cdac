//! A snapshot read as the servers' loader reads it: a length, a string at a time, each either all
//! there or the end of the file.

use std::borrow::Cow;

use crate::encoding::crc64::Crc64;
use crate::encoding::lzf;

/// Why a read gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bad {
    /// The file ends, or what was asked for is not what the loader goes on with.
    End,
    /// What stands there makes no sense: this ends the checker at once.
    Said(Vec<u8>),
}

/// What was read.
pub(super) type Got<T = ()> = Result<T, Bad>;

pub(super) fn said<T>(reason: impl Into<Vec<u8>>) -> Got<T> {
    Err(Bad::Said(reason.into()))
}

/// Reads a snapshot.
pub(super) struct Rio<'d> {
    data: &'d [u8],
    at: usize,
    /// A read met the end of the file.
    failed: bool,
    crc: Crc64,
    summed: usize,
}

/// A string of the file.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text<'d> {
    Plain(&'d [u8]),
    Int(i64),
    Lzf { data: &'d [u8], len: u64 },
}

impl<'d> Text<'d> {
    /// Its bytes.
    pub(super) fn bytes(self) -> Cow<'d, [u8]> {
        match self {
            Text::Plain(bytes) => Cow::Borrowed(bytes),
            Text::Int(n) => Cow::Owned(itoa::Buffer::new().format(n).as_bytes().to_vec()),
            Text::Lzf { data, len } => {
                let mut out = Vec::new();
                // It was verified when it was read; an empty one needs no data.
                match lzf::decompress_into(data, len, &mut out) {
                    Ok(()) => Cow::Owned(out),
                    Err(_) => Cow::Borrowed(b""),
                }
            }
        }
    }

    /// How many bytes.
    pub(super) fn len(self) -> u64 {
        match self {
            Text::Plain(bytes) => bytes.len() as u64,
            Text::Int(n) => itoa::Buffer::new().format(n).len() as u64,
            Text::Lzf { len, .. } => len,
        }
    }
}

impl<'d> Rio<'d> {
    pub(super) fn new(data: &'d [u8]) -> Self {
        Rio {
            data,
            at: 0,
            failed: false,
            crc: Crc64::new(),
            summed: 0,
        }
    }

    /// Bytes taken so far.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// Whether a read met the end of the file.
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// The same bytes read from another place.
    pub(super) fn again(&self, at: usize) -> Rio<'d> {
        Rio {
            at,
            ..Rio::new(self.data)
        }
    }

    /// Takes what was read into the checksum, now and then: while it is still at hand.
    #[inline]
    pub(super) fn sum(&mut self, least: usize) -> u64 {
        if self.at - self.summed >= least {
            self.crc
                .update(self.data.get(self.summed..self.at).unwrap_or_default());
            self.summed = self.at;
        }
        self.crc.value()
    }

    #[inline]
    pub(super) fn take(&mut self, count: u64) -> Got<&'d [u8]> {
        let rest = self.data.get(self.at..).unwrap_or_default();
        match usize::try_from(count).ok().and_then(|n| rest.get(..n)) {
            Some(bytes) => {
                self.at += bytes.len();
                Ok(bytes)
            }
            None => Err(self.fail()),
        }
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Got<[u8; N]> {
        let rest = self.data.get(self.at..).unwrap_or_default();
        match rest.first_chunk::<N>() {
            Some(bytes) => {
                self.at += N;
                Ok(*bytes)
            }
            None => Err(self.fail()),
        }
    }

    /// Meets the end: what is left is lost, and nothing more can be read.
    #[cold]
    fn fail(&mut self) -> Bad {
        self.failed = true;
        self.data = self.data.get(..self.at).unwrap_or_default();
        Bad::End
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Got<u8> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// A length, or the number of a string's encoding.
    #[inline]
    pub(super) fn coded_len(&mut self) -> Got<(u64, bool)> {
        let first = self.byte()?;
        Ok(match first {
            0..=0x3f => (u64::from(first), false),
            0x40..=0x7f => {
                let low = self.byte()?;
                (u64::from(first & 0x3f) << 8 | u64::from(low), false)
            }
            0x80 => (u64::from(u32::from_be_bytes(self.array()?)), false),
            0x81 => (u64::from_be_bytes(self.array()?), false),
            0x82..=0xbf => return said("Unknown length encoding 2 in rdbLoadLen()"),
            _ => (u64::from(first & 0x3f), true),
        })
    }

    /// A number of which all but the highest may stand there.
    #[inline]
    pub(super) fn number(&mut self) -> Got<u64> {
        match self.coded_len()? {
            (u64::MAX, _) => Err(Bad::End),
            (number, _) => Ok(number),
        }
    }

    /// A number that is looked at only later: at the end of the file any.
    #[inline]
    pub(super) fn loose(&mut self) -> Got<u64> {
        match self.coded_len() {
            Ok((number, _)) => Ok(number),
            Err(Bad::End) => Ok(u64::MAX),
            Err(bad) => Err(bad),
        }
    }

    /// A string.
    #[inline]
    pub(super) fn string(&mut self) -> Got<Text<'d>> {
        match self.coded_len()? {
            (u64::MAX, _) => Err(Bad::End),
            (len, false) => self.take(len).map(Text::Plain),
            (0, true) => Ok(Text::Int(i64::from(i8::from_le_bytes(self.array()?)))),
            (1, true) => Ok(Text::Int(i64::from(i16::from_le_bytes(self.array()?)))),
            (2, true) => Ok(Text::Int(i64::from(i32::from_le_bytes(self.array()?)))),
            (3, true) => self.compressed(),
            (encoding, true) => said(format!("Unknown RDB string encoding type {encoding}")),
        }
    }

    fn compressed(&mut self) -> Got<Text<'d>> {
        let packed = self.number()?;
        let len = self.number()?;
        // There is no memory for it.
        if len > ROOM {
            return Err(Bad::End);
        }
        let data = self.take(packed)?;
        // The loader compares what came out with what should: of nothing, nothing always comes.
        if len > 0 && lzf::verify(data, len).is_err() {
            return said("Invalid LZF compressed string");
        }
        Ok(Text::Lzf { data, len })
    }
}

/// A string longer than this cannot be held.
const ROOM: u64 = 1 << 36;
