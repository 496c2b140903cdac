//! Sorted runs in one unlinked temporary file, and their merge.
//!
//! Each run is read through a buffer of its own. A key that is longer than the buffer is not held
//! whole: what follows is compared in the file.

use std::cmp::Ordering;
use std::env;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;

use super::{HEADER, Header, Item, beginning};
use crate::error::{Error, ErrorKind, Hint, Result};

/// Bytes that are written at a time, and the most that a run is read by.
const BUFFER: usize = 256 << 10;
/// The least that a run is read by. At 64 MiB of memory, which is about what a run has too, that
/// is enough for a terabyte, without passes that would write everything again.
const BUFFER_MIN: usize = 4 << 10;
/// Bytes of long keys that are compared at a time.
const PIECE: usize = 64 << 10;

/// The runs while they are written.
#[derive(Debug)]
pub(super) struct Runs {
    max_spool: u64,
    file: Option<File>,
    /// Where each run ends in the file.
    ends: Vec<u64>,
}

impl Runs {
    /// No runs yet, of at most `max_spool` bytes together.
    pub(super) fn new(max_spool: u64) -> Self {
        Runs {
            max_spool,
            file: None,
            ends: Vec::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Writes a run of `len` bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Limit`] for more than `max_spool` bytes, [`ErrorKind::Io`] where the temporary
    /// folder is full.
    pub(super) fn append(
        &mut self,
        len: usize,
        write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
    ) -> Result<()> {
        let end = self.ends.last().copied().unwrap_or(0) + len as u64;
        if end > self.max_spool {
            return Err(spool_too_small(self.max_spool));
        }
        let append = || {
            let file = match &self.file {
                Some(file) => file,
                None => self.file.insert(tempfile::tempfile()?),
            };
            let mut file = BufWriter::with_capacity(BUFFER, file);
            write(&mut file)?;
            file.flush()
        };
        append().map_err(cannot_spool)?;
        self.ends.push(end);
        Ok(())
    }

    /// Everything written, in order. The buffers of the runs share `in_memory` bytes.
    ///
    /// # Errors
    /// What was written cannot be read.
    pub(super) fn merge(self, in_memory: usize) -> Result<Merge> {
        let file = self.file.ok_or_else(|| io::ErrorKind::NotFound.into());
        file.and_then(|file| Merge::new(file, &self.ends, in_memory))
            .map_err(cannot_spool)
    }
}

/// The runs while they are read, and a heap with the one that is next on top.
#[derive(Debug)]
pub(super) struct Merge {
    file: File,
    runs: Vec<Run>,
    heap: Vec<Head>,
}

/// The beginning of a run's first record.
#[derive(Clone, Copy, Debug)]
struct Head {
    db: u32,
    beginning: u128,
    run: usize,
}

impl Merge {
    fn new(file: File, ends: &[u64], in_memory: usize) -> io::Result<Self> {
        let room = (in_memory / ends.len().max(1)).clamp(BUFFER_MIN, BUFFER);
        let (mut runs, mut heap) = (Vec::new(), Vec::new());
        let mut start = 0;
        for &end in ends {
            let mut run = Run::new(start..end, room);
            if run.advance(&file)? {
                heap.push(run.head(runs.len()));
            }
            runs.push(run);
            start = end;
        }
        let mut merge = Merge { file, runs, heap };
        for at in (0..merge.heap.len() / 2).rev() {
            merge.sink(at)?;
        }
        Ok(merge)
    }

    /// The next record.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn next(&mut self) -> Result<Option<Item>> {
        let Some(top) = self.heap.first_mut() else {
            return Ok(None);
        };
        let Some(run) = self.runs.get_mut(top.run) else {
            return Ok(None);
        };
        let item = run.header.item;
        if run.advance(&self.file).map_err(cannot_spool)? {
            *top = run.head(top.run);
        } else {
            run.buffer = Vec::new();
            self.heap.swap_remove(0);
        }
        self.sink(0).map_err(cannot_spool)?;
        Ok(Some(item))
    }

    /// Moves a head down until none below it comes before it. The heap is our own because
    /// comparing may fail.
    fn sink(&mut self, mut at: usize) -> io::Result<()> {
        loop {
            let mut below = 2 * at + 1;
            if self.before(below + 1, below)? {
                below += 1;
            }
            if !self.before(below, at)? {
                return Ok(());
            }
            self.heap.swap(below, at);
            at = below;
        }
    }

    /// Whether the head at `a` comes before that at `b`; no if there is none.
    #[inline]
    fn before(&self, a: usize, b: usize) -> io::Result<bool> {
        let (Some(a), Some(b)) = (self.heap.get(a), self.heap.get(b)) else {
            return Ok(false);
        };
        let order = (a.db, a.beginning).cmp(&(b.db, b.beginning));
        match (self.runs.get(a.run), self.runs.get(b.run)) {
            (Some(a), Some(b)) if order.is_eq() => Ok(a.compare(b, &self.file)?.is_lt()),
            _ => Ok(order.is_lt()),
        }
    }
}

/// A run; its first record begins at `pos` of the buffer.
#[derive(Debug)]
struct Run {
    buffer: Vec<u8>,
    pos: usize,
    room: usize,
    /// What follows the buffer in the file.
    rest: Range<u64>,
    header: Header,
}

impl Run {
    /// Stands before the first record: [`Run::advance`] goes there.
    fn new(rest: Range<u64>, room: usize) -> Self {
        Run {
            buffer: Vec::new(),
            pos: 0,
            room,
            rest,
            header: Header::of(&[]),
        }
    }

    /// Goes on to the next record, if there is one.
    fn advance(&mut self, file: &File) -> io::Result<bool> {
        let passed = match self.buffer.is_empty() {
            true => 0,
            false => self.header.record_len(),
        };
        let held = passed.min(self.held().len());
        self.pos += held;
        self.rest.start += (passed - held) as u64;
        if self.held().is_empty() && self.rest.is_empty() {
            return Ok(false);
        }
        self.hold(HEADER, file)?;
        self.header = Header::of(self.held());
        self.hold(self.header.record_len(), file)?;
        Ok(true)
    }

    /// Sees to it that `len` bytes are held, or as many as there is room for.
    #[inline]
    fn hold(&mut self, len: usize, file: &File) -> io::Result<()> {
        if self.held().len() >= len {
            return Ok(());
        }
        self.buffer.drain(..self.pos);
        self.pos = 0;
        let held = self.buffer.len();
        let rest = self.rest.end.saturating_sub(self.rest.start);
        let new = usize::try_from(rest).map_or(self.room, |rest| rest.min(self.room - held));
        self.buffer.resize(held + new, 0);
        let new = self.buffer.get_mut(held..).unwrap_or_default();
        read_at(file, new, self.rest.start)?;
        self.rest.start += new.len() as u64;
        Ok(())
    }

    #[inline]
    fn held(&self) -> &[u8] {
        self.buffer.get(self.pos..).unwrap_or_default()
    }

    /// The first record's key as far as it is held.
    #[inline]
    fn key(&self) -> &[u8] {
        let key = self.held().get(HEADER..).unwrap_or_default();
        key.get(..self.header.key_len).unwrap_or(key)
    }

    fn head(&self, run: usize) -> Head {
        Head {
            db: self.header.item.db,
            beginning: beginning(self.key(), self.header.key_len),
            run,
        }
    }

    /// Compares the first records of two runs, both of the same database.
    fn compare(&self, other: &Run, file: &File) -> io::Result<Ordering> {
        let (a, b) = (self.key(), other.key());
        let held = a.len().min(b.len());
        let both = self.header.key_len.min(other.header.key_len);
        let mut order = a.get(..held).cmp(&b.get(..held));
        if order.is_eq() && held < both {
            order = self.compare_in_file(other, held..both, file)?;
        }
        let end = |run: &Run| (run.header.key_len, run.header.item.at);
        Ok(order.then_with(|| end(self).cmp(&end(other))))
    }

    /// Compares these bytes of two keys.
    #[cold]
    fn compare_in_file(&self, to: &Run, part: Range<usize>, file: &File) -> io::Result<Ordering> {
        let key_at = |run: &Run| run.rest.start - run.held().len() as u64 + HEADER as u64;
        let (mut a, mut b) = (vec![0; PIECE], vec![0; PIECE]);
        for from in part.clone().step_by(PIECE) {
            a.truncate(part.end - from);
            b.truncate(part.end - from);
            read_at(file, &mut a, key_at(self) + from as u64)?;
            read_at(file, &mut b, key_at(to) + from as u64)?;
            if a != b {
                return Ok(a.cmp(&b));
            }
        }
        Ok(Ordering::Equal)
    }
}

/// Seeks, so that it is the same on every system; nobody else reads or writes meanwhile.
fn read_at(mut file: &File, to: &mut [u8], at: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(to)
}

#[cold]
fn spool_too_small(max_spool: u64) -> Error {
    let text = format!(
        "to sort the keys, more than {max_spool} bytes would have to be spooled to a temporary file"
    );
    Error::limit(text).with_hint(Hint::Other("`--max-spool` sets this limit"))
}

#[cold]
fn cannot_spool(error: io::Error) -> Error {
    let text = format!("cannot spool to {}: {error}", env::temp_dir().display());
    let error = io::Error::new(error.kind(), text);
    Error::new(ErrorKind::Io(error)).with_hint(Hint::Other(
        "the variable TMPDIR names the folder for temporary files",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &[u8], at: u64) -> Vec<u8> {
        let words = [at, 1, key.len() as u64];
        [&words.map(u64::to_le_bytes).concat(), key].concat()
    }

    #[test]
    fn the_buffers_share_the_memory() {
        let mut runs = Runs::new(u64::MAX);
        let long = record(&[b'k'; 20_000], 1);
        for _ in 0..50 {
            runs.append(long.len() * 20, |to| to.write_all(&long.repeat(20)))
                .unwrap();
        }
        let mut merge = runs.merge(1 << 20).unwrap();
        for _ in 0..1000 {
            assert!(merge.next().unwrap().is_some());
            let held: usize = merge.runs.iter().map(|run| run.buffer.capacity()).sum();
            assert!(held <= 1 << 20, "{held}");
        }
        assert!(merge.next().unwrap().is_none());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error_that_says_so() {
        let mut runs = Runs::new(u64::MAX);
        runs.file = Some(File::options().write(true).open("/dev/full").unwrap());
        let record = record(b"key", 0);
        let error = runs
            .append(record.len(), |to| to.write_all(&record))
            .unwrap_err();
        let ErrorKind::Io(error) = error.kind() else {
            panic!("{error}");
        };
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn a_file_that_lost_its_end_is_an_error() {
        for cut in [0, 1, 30, 5_000, 90_000] {
            let mut runs = Runs::new(u64::MAX);
            for at in 0..2 {
                let record = record(&[b'k'; 50_000], at);
                runs.append(record.len(), |to| to.write_all(&record))
                    .unwrap();
            }
            runs.file.as_ref().unwrap().set_len(cut).unwrap();
            assert!(matches!(
                runs.merge(0).unwrap_err().kind(),
                ErrorKind::Io(_)
            ));
        }
    }
}
