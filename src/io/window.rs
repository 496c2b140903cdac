//! The growing buffer behind a stream: reads in large pieces, drops what is parsed, and hands out
//! whole runs of bytes as blocks that may travel to other threads.
//!
//! ```text
//! buffer  | parsed, dropped |       data()        |  room to read into  |
//!         0               start                  end               buffer.len()
//! ```
//!
//! The buffer is filled with zeros once, when it is made; what is read overwrites them, so a
//! recycled buffer costs no zeroing again.

use std::fmt;
use std::io::{self, Read};

/// The window on a stream.
pub struct Window {
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    offset: u64,
    piece: usize,
    ended: bool,
    failed: Option<io::Error>,
    spare: Vec<Vec<u8>>,
}

impl Window {
    /// A window that reads pieces of up to 256 KiB, until a longer record makes it grow.
    pub fn new(reader: Box<dyn Read + Send>) -> Self {
        Window::with_piece(reader, PIECE)
    }

    /// A window that begins with a buffer of `piece` bytes.
    pub fn with_piece(reader: Box<dyn Read + Send>, piece: usize) -> Self {
        Window {
            reader,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            offset: 0,
            piece: piece.max(1),
            ended: false,
            failed: None,
            spare: Vec::new(),
        }
    }

    /// Reads until [`data`](Self::data) has grown by `at_least` bytes, or the stream has ended;
    /// true when it has, so that `data` holds everything there is. The buffer doubles as bytes
    /// arrive; it never grows for the sake of a large `at_least` alone.
    ///
    /// # Errors
    /// What the stream says, once the bytes that came before it are not enough; `data` still holds
    /// them, and asking again gives the same error.
    pub fn fill(&mut self, at_least: usize) -> io::Result<bool> {
        let wanted = self.data().len().saturating_add(at_least);
        while self.data().len() < wanted && !self.ended {
            if let Some(error) = &self.failed {
                return Err(again(error));
            }
            self.read_once(wanted - self.data().len());
        }
        Ok(self.ended)
    }

    /// Drops the first `n` bytes of [`data`](Self::data), or all if there are fewer.
    pub fn consume(&mut self, n: usize) {
        let n = n.min(self.data().len());
        self.start += n;
        self.offset += n as u64;
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Puts bytes that were consumed back in front of [`data`](Self::data).
    pub fn unread(&mut self, bytes: &[u8]) {
        let mut joined = Vec::with_capacity(bytes.len() + self.data().len() + self.piece);
        joined.extend_from_slice(bytes);
        joined.extend_from_slice(self.data());
        self.start = 0;
        self.end = joined.len();
        self.offset = self.offset.saturating_sub(bytes.len() as u64);
        joined.resize(joined.capacity(), 0);
        self.buffer = joined;
    }

    /// Takes the first `n` bytes (or all if there are fewer) out as a buffer of their own. Of
    /// these and the bytes behind them the smaller part is copied.
    pub fn take_block(&mut self, n: usize) -> Vec<u8> {
        let n = n.min(self.data().len());
        let mut next = self.spare.pop().unwrap_or_default();
        if n <= self.data().len() - n {
            next.clear();
            next.extend_from_slice(self.data().get(..n).unwrap_or_default());
            self.consume(n);
            return next;
        }
        let tail = self.data().get(n..).unwrap_or_default();
        let least = self.piece.max(tail.len());
        if next.len() < least {
            next.resize(least.max(next.capacity()), 0);
        }
        let kept = tail.len();
        if let Some(room) = next.get_mut(..kept) {
            room.copy_from_slice(tail);
        }
        let mut block = std::mem::replace(&mut self.buffer, next);
        block.copy_within(self.start..self.start + n, 0);
        block.truncate(n);
        self.start = 0;
        self.end = kept;
        self.offset += n as u64;
        block
    }

    /// Takes back the buffer of a block that is done with.
    pub fn recycle(&mut self, block: Vec<u8>) {
        let fits = self.piece..=self.piece.saturating_mul(RECYCLED_GROWTH);
        if self.spare.len() < RECYCLED && fits.contains(&block.capacity()) {
            self.spare.push(block);
        }
    }

    /// What was read and not yet dropped.
    pub fn data(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Offset in the stream of the first byte of [`data`](Self::data).
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// One read into all the room there is, after making some.
    fn read_once(&mut self, wanted: usize) {
        if self.end == self.buffer.len() {
            self.make_room();
        }
        // A whole piece at least, but not all the room there is: what is read must be held.
        let last = self
            .buffer
            .len()
            .min(self.end.saturating_add(wanted.max(self.piece)));
        let room = self.buffer.get_mut(self.end..last).unwrap_or_default();
        match self.reader.read(room) {
            Ok(0) => self.ended = true,
            Ok(n) => self.end += n.min(room.len()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => self.failed = Some(error),
        }
    }

    fn make_room(&mut self) {
        let kept = self.end - self.start;
        if kept <= self.buffer.len() / 2 && self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.start = 0;
            self.end = kept;
        } else {
            let len = self.buffer.len().saturating_mul(2);
            let len = len.max(self.buffer.capacity()).max(self.piece);
            self.buffer.resize(len, 0);
        }
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window")
            .field("offset", &self.offset)
            .field("data", &self.data().len())
            .field("ended", &self.ended)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

/// The same error once more; `io::Error` cannot be cloned.
fn again(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// Size of a read: large enough that system calls do not count, small enough for the L2 cache
/// (measured: a fifth faster than 1 MiB).
const PIECE: usize = 256 << 10;
/// Buffers kept for use again: a few for each worker.
const RECYCLED: usize = 16;
/// A buffer that one huge record has grown beyond this many pieces is not kept.
const RECYCLED_GROWTH: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives its bytes in runs of the lengths told, with interruptions between them.
    struct Drip {
        bytes: Vec<u8>,
        at: usize,
        runs: Vec<usize>,
        turn: usize,
        end: Option<io::ErrorKind>,
    }

    impl Drip {
        fn boxed(bytes: &[u8], runs: &[usize], end: Option<io::ErrorKind>) -> Box<Self> {
            Box::new(Drip {
                bytes: bytes.to_vec(),
                at: 0,
                runs: runs.to_vec(),
                turn: 0,
                end,
            })
        }
    }

    impl Read for Drip {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.turn += 1;
            if self.turn.is_multiple_of(3) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let run = self.runs[self.turn % self.runs.len()];
            let n = run.min(buf.len()).min(self.bytes.len() - self.at);
            if n == 0 {
                return self.end.map_or(Ok(0), |kind| Err(kind.into()));
            }
            buf[..n].copy_from_slice(&self.bytes[self.at..self.at + n]);
            self.at += n;
            Ok(n)
        }
    }

    proptest! {
        #[test]
        fn every_byte_comes_out_once_and_in_order(
            bytes in proptest::collection::vec(any::<u8>(), 0..3000),
            runs in proptest::collection::vec(1usize..700, 1..5),
            piece in 1usize..300,
            steps in proptest::collection::vec((0u8..3, 0usize..400), 1..80),
        ) {
            let mut window = Window::with_piece(Drip::boxed(&bytes, &runs, None), piece);
            let mut seen = Vec::new();
            for (what, n) in steps.into_iter().cycle().take(4000) {
                match what {
                    0 => {
                        let before = window.data().len();
                        let eof = window.fill(n).unwrap();
                        prop_assert!(eof || window.data().len() >= before + n);
                        if eof {
                            prop_assert_eq!(seen.len() + window.data().len(), bytes.len());
                        }
                    }
                    1 => {
                        let n = n.min(window.data().len());
                        seen.extend_from_slice(&window.data()[..n]);
                        window.consume(n);
                    }
                    _ => {
                        let block = window.take_block(n);
                        prop_assert!(block.len() <= n);
                        seen.extend_from_slice(&block);
                        window.recycle(block);
                    }
                }
                prop_assert_eq!(window.offset(), seen.len() as u64);
                prop_assert!(bytes.starts_with(&seen));
                prop_assert!(bytes[seen.len()..].starts_with(window.data()));
            }
            while !window.fill(1).unwrap() {}
            seen.extend_from_slice(window.data());
            prop_assert_eq!(seen, bytes);
        }
    }

    #[test]
    fn what_is_put_back_is_read_again_in_front_of_the_rest() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut window = Window::with_piece(Drip::boxed(&bytes, &[50], None), 64);
        window.fill(100).unwrap();
        window.consume(70);
        window.unread(&bytes[20..70]);
        assert_eq!(window.offset(), 20);
        while !window.fill(1).unwrap() {}
        assert_eq!(window.data(), &bytes[20..]);
    }

    #[test]
    fn an_error_does_not_swallow_what_came_before_it_and_stays() {
        let drip = Drip::boxed(&[7; 100], &[33], Some(io::ErrorKind::InvalidData));
        let mut window = Window::with_piece(drip, 16);
        assert!(!window.fill(60).unwrap());
        for _ in 0..3 {
            let error = window.fill(1000).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert_eq!(window.data(), [7; 100]);
        }
        assert!(!window.fill(0).unwrap(), "what is there is still good");
    }

    #[test]
    fn a_claimed_length_does_not_make_the_buffer_grow() {
        let mut window = Window::with_piece(Drip::boxed(&[1; 5000], &[999], None), 1024);
        assert!(window.fill(usize::MAX).unwrap());
        assert_eq!(window.data().len(), 5000);
        assert!(window.buffer.capacity() <= 16 << 10);
    }

    #[test]
    fn a_buffer_that_a_huge_record_has_grown_is_not_kept() {
        let mut window = Window::with_piece(Drip::boxed(&[1; 100_000], &[9999], None), 1024);
        window.fill(usize::MAX).unwrap();
        let block = window.take_block(100_000);
        assert!(block.capacity() >= 100_000);
        window.recycle(block);
        assert!(window.spare.is_empty());
    }
}
