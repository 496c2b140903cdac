//! A log read as the checkers read it: lines by `fgets` into small buffers, numbers by `strtol`,
//! strings by their length.

use crate::compat::number::{LINE, c_string, clipped, strtol};

/// What the reading came to, a command or an annotation at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// All of it.
    Whole,
    /// It is damaged, or ends.
    Broken,
}

/// Reads a log.
pub(super) struct Lines<'d> {
    data: &'d [u8],
    at: usize,
    /// Where the last read began: the place that an error is told for.
    began: usize,
    /// Lines so far.
    line: u64,
    /// The end was met; what `feof` says.
    at_end: bool,
    /// What is wrong, as it is printed; empty while nothing is.
    error: Vec<u8>,
    /// The bytes that `strtol` has stopped in; those behind a line that was cut are of another.
    buffer: [u8; HEADER],
    /// Inside this many MULTI: below 0 behind a stray EXEC.
    multi: i64,
    /// The name told with a MULTI or EXEC out of place.
    name: Option<&'d [u8]>,
    /// Whether a length below 0 is told as such.
    tells_range: bool,
}

impl<'d> Lines<'d> {
    /// Reads from `at` on, behind `line` lines of other files.
    pub(super) fn new(data: &'d [u8], at: usize, line: u64) -> Self {
        Lines {
            data,
            at,
            began: at,
            line,
            at_end: false,
            error: Vec::new(),
            buffer: [0; HEADER],
            multi: 0,
            name: None,
            tells_range: true,
        }
    }

    /// Tells a MULTI or EXEC out of place with the name of the file.
    pub(super) fn named(mut self, name: &'d [u8]) -> Self {
        self.name = Some(name);
        self
    }

    /// Takes a length for what it is, as Redis 6.2 does.
    pub(super) fn any_length(mut self) -> Self {
        self.tells_range = false;
        self
    }

    /// Where the next read begins.
    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// Where the last read began.
    pub(super) fn began(&self) -> usize {
        self.began
    }

    /// The lines so far.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// What is wrong.
    pub(super) fn error(&self) -> &[u8] {
        &self.error
    }

    /// Outside a transaction.
    pub(super) fn is_outside(&self) -> bool {
        self.multi == 0
    }

    /// The next byte, which stays; none at the end.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let next = self.data.get(self.at).copied();
        self.at_end = next.is_none();
        next
    }

    /// Says that a transaction has no end, where that is what is wrong.
    pub(super) fn close(&mut self) {
        if self.at_end && !self.is_outside() && self.error.is_empty() {
            self.set_error(&[b"Reached EOF before reading EXEC for MULTI"]);
        }
    }

    /// Takes a line of an annotation: what fits into its buffer.
    pub(super) fn annotation(&mut self) -> &'d [u8] {
        self.began = self.at;
        self.gets(ANNOTATION).unwrap_or_default()
    }

    /// Takes a command.
    pub(super) fn command(&mut self) -> Read {
        let Some(count) = self.header(b'*') else {
            return Read::Broken;
        };
        let mut first = true;
        for _ in 0..count.max(0) {
            let Some(text) = self.string() else {
                return Read::Broken;
            };
            if first && !self.bracket(text) {
                return Read::Broken;
            }
            first = false;
        }
        Read::Whole
    }

    /// Keeps count of MULTI and EXEC; false where one is out of place.
    #[inline]
    fn bracket(&mut self, name: &[u8]) -> bool {
        if !matches!(name.first(), Some(b'm' | b'M' | b'e' | b'E')) {
            return true;
        }
        let name = c_string(name);
        let out_of_place = if name.eq_ignore_ascii_case(b"multi") {
            self.multi += 1;
            (self.multi != 1).then_some(&b"Unexpected MULTI"[..])
        } else if name.eq_ignore_ascii_case(b"exec") {
            self.multi -= 1;
            (self.multi != 0).then_some(&b"Unexpected EXEC"[..])
        } else {
            None
        };
        match (out_of_place, self.name) {
            (None, _) => return true,
            (Some(what), Some(file)) => self.set_error(&[what, b" in AOF ", file]),
            (Some(what), None) => self.set_error(&[what]),
        }
        false
    }

    #[inline]
    fn string(&mut self) -> Option<&'d [u8]> {
        let len = self.header(b'$')?;
        let wanted = match usize::try_from(len) {
            Ok(len) if len <= MOST => len + 2,
            _ => return self.odd_length(len),
        };
        self.began = self.at;
        let rest = self.data.get(self.at..).unwrap_or_default();
        let Some((text, ending)) = rest
            .get(..wanted)
            .and_then(|all| all.split_last_chunk::<2>())
        else {
            return self.cut(wanted as i64);
        };
        self.at += wanted;
        if ending != b"\r\n" {
            return self.no_line_end(*ending);
        }
        self.line += 1;
        Some(text)
    }

    #[cold]
    fn cut(&mut self, wanted: i64) -> Option<&'d [u8]> {
        let rest = self.data.len() - self.at;
        self.at = self.data.len();
        self.at_end = true;
        let (wanted, rest) = (wanted.to_string(), rest.to_string());
        let (wanted, rest) = (wanted.as_bytes(), rest.as_bytes());
        self.fail(&[
            b"Expected to read ",
            wanted,
            b" bytes, got ",
            rest,
            b" bytes",
        ])
    }

    /// A length that no string has.
    #[cold]
    fn odd_length(&mut self, len: i64) -> Option<&'d [u8]> {
        if self.tells_range || !matches!(len, -2 | -1) {
            let len = len.to_string();
            let rest = b" bytes, which is not in the suitable range";
            return self.fail(&[b"Expected to read string of ", len.as_bytes(), rest]);
        }
        // It reads the one byte or none that are left with the line feed, and then looks for that
        // in front of them.
        self.began = self.at;
        if len == -1 && self.at == self.data.len() {
            return self.cut(1);
        }
        self.no_line_end([0, 0])
    }

    /// A line of a prefix and a number.
    #[inline]
    fn header(&mut self, prefix: u8) -> Option<i64> {
        let rest = self.data.get(self.at..)?;
        if let [first, digits @ ..] = rest
            && *first == prefix
        {
            let mut value = 0;
            for (taken, c) in digits.iter().take(DIGITS).enumerate() {
                match c {
                    b'0'..=b'9' => value = value * 10 + i64::from(c - b'0'),
                    b'\r' if taken > 0 && digits.get(taken + 1) == Some(&b'\n') => {
                        self.began = self.at;
                        self.at += taken + 3;
                        self.line += 1;
                        return Some(value);
                    }
                    _ => break,
                }
            }
        }
        self.odd_header(prefix)
    }

    #[cold]
    fn odd_header(&mut self, prefix: u8) -> Option<i64> {
        self.began = self.at;
        let line = self.gets(HEADER)?;
        if let Some(place) = self.buffer.get_mut(..line.len()) {
            place.copy_from_slice(line);
        }
        if let Some(end) = self.buffer.get_mut(line.len()) {
            *end = 0;
        }
        let found = line.first().copied().unwrap_or_default();
        if found != prefix {
            // A NUL ends the message.
            let shown = [found, b'\''];
            let shown = if found == 0 { &[][..] } else { &shown[..] };
            return self.fail(&[b"Expected prefix '", &[prefix], b"', got: '", shown]);
        }
        let text = c_string(line.get(1..).unwrap_or_default());
        let long = strtol(text);
        let behind = 1 + long.len;
        let ending = [behind, behind + 1].map(|at| self.buffer.get(at).copied().unwrap_or(0));
        if ending != *b"\r\n" {
            return self.no_line_end(ending).map(|_| 0);
        }
        self.line += 1;
        Some(long.value)
    }

    #[cold]
    fn no_line_end(&mut self, found: [u8; 2]) -> Option<&'d [u8]> {
        // Bytes are signed where the servers were built, and printed as the integers they become.
        let [first, second] = found.map(|byte| match byte {
            0..0x80 => format!("{byte:02x}"),
            _ => format!("ffffff{byte:02x}"),
        });
        let (first, second) = (first.as_bytes(), second.as_bytes());
        self.fail(&[b"Expected \\r\\n, got: ", first, second])
    }

    fn fail<T>(&mut self, parts: &[&[u8]]) -> Option<T> {
        self.set_error(parts);
        None
    }

    /// Sets what is wrong.
    #[cold]
    fn set_error(&mut self, parts: &[&[u8]]) {
        let text = clipped(parts, LINE);
        let place = format!("0x{:>16x}: ", self.began);
        self.error = clipped(&[place.as_bytes(), &text], ERROR);
    }

    /// `fgets` into a buffer of `room` bytes.
    fn gets(&mut self, room: usize) -> Option<&'d [u8]> {
        let rest = self.data.get(self.at..).unwrap_or_default();
        if rest.is_empty() {
            self.at_end = true;
            return None;
        }
        let most = rest.get(..room - 1).unwrap_or(rest);
        let line = match memchr::memchr(b'\n', most) {
            Some(end) => most.get(..=end)?,
            None => {
                self.at_end |= most.len() < room - 1;
                most
            }
        };
        self.at += line.len();
        Some(line)
    }
}

/// The buffer of a line with a number.
const HEADER: usize = 128;
/// The buffer of an annotation.
const ANNOTATION: usize = 1024;
/// The buffer of an error.
const ERROR: usize = 1044;
/// Digits that fit into 64 bits, whatever they are.
const DIGITS: usize = 18;
/// The longest string that is looked for (`LONG_MAX - 2`).
const MOST: usize = isize::MAX as usize - 2;
