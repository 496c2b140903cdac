//! What an input is, told by its first bytes and never by its name.

use std::io::{self, Cursor, Read};

use crate::error::Result;
use crate::io::decompress::Codec;

/// The kinds of input that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A snapshot, or an AOF that begins with one: the commands stand behind its checksum.
    Rdb,
    /// An AOF of commands and annotations alone.
    Aof,
    /// The manifest of a multi-part AOF.
    Manifest,
    /// A tar archive.
    Tar,
    /// Compressed data of any of the other kinds.
    Compressed(Codec),
    /// Valkey's envelope of a compressed file, in a version or with a codec that is not known.
    Envelope,
    /// No byte at all.
    Empty,
    /// None of these: the command decides what it should have been.
    Unknown,
}

impl Kind {
    /// How much of an input decides in nearly all cases: a tar header.
    const PREFIX: usize = TAR_HEADER;
    /// How much of an input is looked at where lines beginning with `#` open it.
    const PREFIX_OF_LINES: usize = 64 << 10;

    /// Tells the kind of an input by its first bytes: 512 of them are enough, or 64 KiB where it
    /// opens with lines beginning with `#`. Those are skipped, since they open AOFs and manifests
    /// alike; where nothing else follows, a known annotation among them makes it an AOF.
    pub fn of(prefix: &[u8]) -> Kind {
        if prefix.is_empty() {
            return Kind::Empty;
        }
        if is_tar(prefix) {
            return Kind::Tar;
        }
        if let Some(codec) = Codec::detect(prefix) {
            return Kind::Compressed(codec);
        }
        if prefix.starts_with(b"REDIS") || prefix.starts_with(b"VALKEY") {
            return Kind::Rdb;
        }
        if prefix.starts_with(b"VCS\x01") {
            return Kind::Envelope;
        }
        of_lines(prefix)
    }

    /// What it is, with its article: the second half of "this is …".
    pub fn name(self) -> &'static str {
        match self {
            Kind::Rdb => "an RDB file",
            Kind::Aof => "an AOF",
            Kind::Manifest => "the manifest of an AOF",
            Kind::Tar => "a tar archive",
            Kind::Compressed(codec) => codec.article(),
            Kind::Envelope => "a Valkey envelope of an unknown version",
            Kind::Empty => "an empty file",
            Kind::Unknown => "no file of a known kind",
        }
    }
}

/// Reads enough of a stream to tell its kind, and puts it back in front. An error behind the first
/// good bytes is put behind them again, for whoever reads that far.
pub(super) fn sniff(mut stream: Box<dyn Read + Send>) -> Result<(Kind, Box<dyn Read + Send>)> {
    let mut prefix = Vec::new();
    for most in [Kind::PREFIX, Kind::PREFIX_OF_LINES] {
        let missing = (most - prefix.len()) as u64;
        let read = stream.by_ref().take(missing).read_to_end(&mut prefix);
        let kind = Kind::of(&prefix);
        if let Err(error) = read {
            if prefix.is_empty() {
                return Err(error.into());
            }
            return Ok((kind, Box::new(Cursor::new(prefix).chain(Failing(error)))));
        }
        if kind != Kind::Unknown || prefix.len() < most || prefix.first() != Some(&b'#') {
            return Ok((kind, Box::new(Cursor::new(prefix).chain(stream))));
        }
    }
    Ok((Kind::Unknown, Box::new(Cursor::new(prefix).chain(stream))))
}

/// A stream that has nothing but its error left.
struct Failing(io::Error);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::new(self.0.kind(), self.0.to_string()))
    }
}

fn of_lines(prefix: &[u8]) -> Kind {
    let mut annotated = false;
    let mut rest = prefix;
    while rest.first() == Some(&b'#') {
        annotated |= ANNOTATIONS.iter().any(|mark| rest.starts_with(mark));
        let Some(end) = memchr::memchr(b'\n', rest) else {
            rest = &[];
            break;
        };
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    match rest {
        [b'*', b'0'..=b'9', ..] => Kind::Aof,
        _ if is_manifest_line(rest) => Kind::Manifest,
        [] if annotated => Kind::Aof,
        _ => Kind::Unknown,
    }
}

/// True for a line that begins with the key `file`, or with another key of the manifest's grammar
/// and has `file` further on: keys stand in any order and in any case.
fn is_manifest_line(text: &[u8]) -> bool {
    let line = text.split(|&b| b == b'\n').next().unwrap_or_default();
    let line = line
        .get(..MANIFEST_LINE.min(line.len()))
        .unwrap_or_default();
    let mut tokens = line
        .split(|b| b.is_ascii_whitespace())
        .filter(|token| !token.is_empty());
    let is = |token: &[u8], key: &str| token.eq_ignore_ascii_case(key.as_bytes());
    let Some(first) = tokens.next() else {
        return false;
    };
    if is(first, "file") {
        return tokens.next().is_some();
    }
    ["seq", "type", "startoffset", "endoffset"]
        .iter()
        .any(|key| is(first, key))
        && tokens.any(|token| is(token, "file"))
}

/// True where the header's mark is there and its own sum agrees, so that an archive whose first
/// member is called `REDIS…` is still an archive.
fn is_tar(prefix: &[u8]) -> bool {
    let Some(header) = prefix.get(..TAR_HEADER) else {
        return false;
    };
    if header.get(257..262) != Some(b"ustar".as_slice()) {
        return false;
    }
    let stated = header.get(TAR_SUM).unwrap_or_default();
    let digits = stated
        .iter()
        .skip_while(|&&b| b == b' ')
        .take_while(|b| (b'0'..=b'7').contains(b));
    let stated = digits.fold(0, |sum: u32, &b| sum.wrapping_mul(8) + u32::from(b - b'0'));
    let sum: u32 = header
        .iter()
        .enumerate()
        .map(|(at, &b)| u32::from(if TAR_SUM.contains(&at) { b' ' } else { b }))
        .sum();
    sum == stated
}

/// Marks of annotations that servers write; manifests have comments of any other text.
const ANNOTATIONS: [&[u8]; 2] = [b"#TS:", b"#HDR:"];
/// Servers refuse longer lines in a manifest.
const MANIFEST_LINE: usize = 1024;
/// Bytes of a tar header.
const TAR_HEADER: usize = 512;
/// Where a tar header's sum stands; it counts as blanks in the sum itself.
const TAR_SUM: std::ops::Range<usize> = 148..156;

#[cfg(test)]
mod tests {
    use super::*;

    fn tar(name: &[u8]) -> Vec<u8> {
        let mut header = vec![0; 512];
        header[..name.len()].copy_from_slice(name);
        header[257..263].copy_from_slice(b"ustar\0");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&b| u32::from(b)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        header
    }

    #[test]
    fn content_decides() {
        let manifest = b"file appendonly.aof.1.base.rdb seq 1 type b\nfile a seq 1 type i\n";
        let cases: [(&[u8], Kind); 19] = [
            (b"", Kind::Empty),
            (b"REDIS0011\xfa", Kind::Rdb),
            (b"VALKEY080\xfa", Kind::Rdb),
            (b"REDIS00", Kind::Rdb),
            (b"*2\r\n$6\r\nSELECT\r\n", Kind::Aof),
            (b"*", Kind::Unknown),
            (b"*-1\r\n", Kind::Unknown),
            (b"#TS:1795229996\r\n*2\r\n$6\r\n", Kind::Aof),
            (b"#TS:1795229996\r\n", Kind::Aof),
            (b"#TS:17952", Kind::Aof),
            (b"# note\n", Kind::Unknown),
            (b"# note\n*1\r\n$4\r\nPING\r\n", Kind::Aof),
            (manifest, Kind::Manifest),
            (b"# kept\nFILE x SEQ 1 TYPE b\n", Kind::Manifest),
            (b"seq 2 type i startoffset 0 file \"a b\"\n", Kind::Manifest),
            (b"type what you like\nfile\n", Kind::Unknown),
            (b"profile x seq 1", Kind::Unknown),
            (b"VCS\x01\x02\x00\x01", Kind::Envelope),
            (b"VCS\x01\x01\x00\x01\x04", Kind::Compressed(Codec::Valkey)),
        ];
        for (prefix, kind) in cases {
            let text = String::from_utf8_lossy(prefix);
            assert_eq!(Kind::of(prefix), kind, "{text:?}");
        }
    }

    #[test]
    fn an_rdb_behind_comments_is_none() {
        assert_eq!(Kind::of(b"# note\nREDIS0011"), Kind::Unknown);
    }

    #[test]
    fn an_archive_of_a_file_called_redis_is_an_archive() {
        for name in [b"REDIS0011".as_slice(), b"dump.rdb", b"*1"] {
            assert_eq!(Kind::of(&tar(name)), Kind::Tar);
            let mut damaged = tar(name);
            damaged[0] ^= 1;
            assert_ne!(Kind::of(&damaged), Kind::Tar, "the sum is checked");
        }
        assert_ne!(Kind::of(&tar(b"dump.rdb")[..511]), Kind::Tar);
    }
}
