//! The zipmap, the packed form of small hashes up to Redis 2.4. It is read only: no server at hand
//! writes one.
//!
//! ```text
//! u8       pairs; 254 and 255: count them
//! pairs    length, name, length, u8 unused bytes, value, unused bytes
//! ff
//!
//! x                length up to 253
//! fe + u32 LE      length from 254 on
//! ```
//!
//! In the place of a name's length `ff` ends the map; in the place of a value's length servers take
//! it for `fe`. A length below 254 in the long form is refused by all of them: it sends their own
//! reader astray. Bytes behind the end mark are accepted by all. Defined by the servers' `zipmap.c`.

use crate::bytes::{Fault, Problem};

/// From this one on a first byte does not count: there are too many pairs, or a long length follows.
const LONG: u8 = 254;
const END: u8 = 0xff;

/// A zipmap whose header has been read.
#[derive(Clone, Copy, Debug)]
pub struct Zipmap<'d> {
    pairs: &'d [u8],
    count: u8,
}

impl<'d> Zipmap<'d> {
    /// Reads the header.
    ///
    /// # Errors
    /// A blob too short for header and end mark, or one that does not end in the mark: what servers
    /// refuse even without deep checks. They refuse an empty one as well, which is left to the
    /// caller.
    #[inline]
    pub fn open(blob: &'d [u8]) -> Result<Self, Fault> {
        let short = Fault {
            rest: blob.len(),
            problem: Problem::BlobShort {
                actual: blob.len() as u64,
            },
        };
        let (&count, pairs) = blob.split_first().ok_or(short)?;
        match *pairs.last().ok_or(short)? {
            END => Ok(Zipmap { pairs, count }),
            found => Err(Fault {
                rest: 1,
                problem: Problem::BlobEnd { found },
            }),
        }
    }

    /// How many pairs there are, where the header says.
    pub fn count(&self) -> Option<u8> {
        (self.count < LONG).then_some(self.count)
    }

    /// The pairs in order.
    pub fn entries(&self) -> Entries<'d> {
        Entries {
            rest: self.pairs,
            last: self.pairs.len(),
            whole: 1 + self.pairs.len(),
            seen: 0,
            claimed: self.count(),
            flaw: None,
        }
    }
}

/// Walks the pairs.
#[derive(Clone, Debug)]
pub struct Entries<'d> {
    rest: &'d [u8],
    /// What was left before the pair read last.
    last: usize,
    whole: usize,
    seen: u64,
    claimed: Option<u8>,
    flaw: Option<Fault>,
}

/// A field's name and value.
pub type Pair<'d> = (&'d [u8], &'d [u8]);

impl<'d> Entries<'d> {
    /// The next pair, `None` at the end mark.
    ///
    /// # Errors
    /// A pair that runs past the end or has a length in the wrong form; nothing more can be read
    /// then.
    #[inline]
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Pair<'d>>, Fault> {
        if let [END, after @ ..] = self.rest {
            self.end(after);
            return Ok(None);
        }
        match pair(self.rest) {
            Ok((pair, rest)) => {
                self.last = self.rest.len();
                self.rest = rest;
                self.seen += 1;
                Ok(Some(pair))
            }
            Err(problem) => Err(self.fail(problem)),
        }
    }

    /// Pairs read so far.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// The first thing wrong that did not keep the pairs from being read, once all are.
    pub fn flaw(&self) -> Option<Fault> {
        if let (Some(claimed), actual) = (self.claimed, self.seen)
            && u64::from(claimed) != actual
        {
            let claimed = u64::from(claimed);
            return Some(Fault {
                rest: self.whole,
                problem: Problem::BlobCount { claimed, actual },
            });
        }
        self.flaw
    }

    #[inline]
    fn end(&mut self, after: &[u8]) {
        if !after.is_empty() {
            let count = after.len() as u64;
            self.flaw = Some(Fault {
                rest: after.len(),
                problem: Problem::BlobTrailing { count },
            });
        }
    }

    /// The fault of the next pair, or of the last one when it has taken the end mark with it.
    #[cold]
    fn fail(&self, problem: Problem) -> Fault {
        let rest = if self.rest.is_empty() {
            self.last
        } else {
            self.rest.len()
        };
        Fault { rest, problem }
    }
}

/// One pair and what follows it.
#[inline]
fn pair(input: &[u8]) -> Result<(Pair<'_>, &[u8]), Problem> {
    let (len, rest) = length(input)?;
    let (name, rest) = take(rest, len)?;
    let (len, rest) = length(rest)?;
    let (unused, rest) = take(rest, 1)?;
    let (value, rest) = take(rest, len)?;
    let unused = unused.first().copied().map_or(0, usize::from);
    let (_, rest) = take(rest, unused)?;
    Ok(((name, value), rest))
}

#[inline]
fn take(input: &[u8], len: usize) -> Result<(&[u8], &[u8]), Problem> {
    input.split_at_checked(len).ok_or(Problem::EntryPastEnd)
}

#[inline]
fn length(input: &[u8]) -> Result<(usize, &[u8]), Problem> {
    let (&first, rest) = input.split_first().ok_or(Problem::EntryPastEnd)?;
    if first < LONG {
        return Ok((usize::from(first), rest));
    }
    let (&len, rest) = rest.split_first_chunk::<4>().ok_or(Problem::EntryPastEnd)?;
    match u32::from_le_bytes(len) {
        0..=253 => Err(Problem::EntryEncoding { found: first }),
        len => Ok((usize::try_from(len).unwrap_or(usize::MAX), rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value of a given number of unused bytes behind it.
    type Row<'a> = (&'a [u8], &'a [u8], u8);

    /// Only the tests write: it takes a writer beside the reader to try every edge.
    fn write(rows: &[Row<'_>]) -> Vec<u8> {
        let mut blob = vec![u8::try_from(rows.len()).unwrap_or(LONG).min(LONG)];
        let length = |blob: &mut Vec<u8>, len: usize| match u8::try_from(len) {
            Ok(len) if len < LONG => blob.push(len),
            _ => {
                blob.push(LONG);
                blob.extend(u32::try_from(len).unwrap().to_le_bytes());
            }
        };
        for &(name, value, unused) in rows {
            length(&mut blob, name.len());
            blob.extend(name);
            length(&mut blob, value.len());
            blob.push(unused);
            blob.extend(value);
            blob.extend(std::iter::repeat_n(0xff, usize::from(unused)));
        }
        blob.push(END);
        blob
    }

    fn read(blob: &[u8]) -> Result<Vec<Pair<'_>>, Fault> {
        let mut entries = Zipmap::open(blob)?.entries();
        let mut all = Vec::new();
        while let Some(pair) = entries.next()? {
            all.push(pair);
        }
        match entries.flaw() {
            Some(flaw) => Err(flaw),
            None => Ok(all),
        }
    }

    #[test]
    fn round_trips_at_every_widths_edge() {
        for len in [0, 1, 252, 253, 254, 255, 256, 70_000] {
            let long = vec![b'x'; len];
            for unused in [0, 1, 4, 253, 254, 255] {
                let rows = [(&long[..], &b"1"[..], unused), (b"y", &long, unused)];
                let blob = write(&rows);
                let expected = rows.map(|(name, value, _)| (name, value));
                assert_eq!(read(&blob).unwrap(), expected, "{len} {unused}");
            }
        }
        for count in [0, 1, 252, 253, 254, 255, 300] {
            let blob = write(&vec![(&b"a"[..], &b"b"[..], 0); count]);
            assert_eq!(read(&blob).unwrap().len(), count);
            let told = Zipmap::open(&blob).unwrap().count();
            assert_eq!(told.map(usize::from), Some(count).filter(|&n| n < 254));
        }
    }

    /// Accepted by RESTORE of Redis 6.2.5, 7.0.15 and 8.2.3, Valkey 8.1.8 and 9.1.2 as the hash
    /// {a: 1, bc: xyz}, with two unused bytes behind the last value.
    #[test]
    fn reads_what_servers_read() {
        let blob = b"\x02\x01a\x01\x001\x02bc\x03\x02xyz??\xff";
        assert_eq!(
            read(blob).unwrap(),
            [(&b"a"[..], &b"1"[..]), (b"bc", b"xyz")]
        );
    }

    #[test]
    fn every_truncation_is_an_error_with_an_offset() {
        let long = [b'x'; 300];
        let blob = write(&[(b"a", b"1", 0), (&long, b"2", 3), (b"bc", &long, 0)]);
        for cut in 0..blob.len() {
            let short = &blob[..cut];
            assert!(read(short).unwrap_err().rest <= cut, "cut at {cut}");
            if cut > 1 {
                let mut short = short.to_vec();
                short[cut - 1] = END;
                assert!(read(&short).unwrap_err().rest <= cut, "cut at {cut}");
            }
        }
    }

    #[test]
    fn no_byte_makes_it_panic() {
        let blob = write(&[(b"a", b"1", 0), (b"bc", b"xyz", 2), (b"", b"", 0)]);
        for at in 0..blob.len() {
            for byte in 0..=u8::MAX {
                let mut blob = blob.clone();
                blob[at] = byte;
                if let Err(fault) = read(&blob) {
                    assert!(fault.rest <= blob.len(), "{byte:02x} at {at}");
                }
            }
        }
    }

    #[test]
    fn a_length_in_the_wrong_form_is_refused_as_servers_refuse_it() {
        let x = [b'x'; 254];
        let blob = |mark: u8, len: u8| {
            let len_bytes = [mark, len, 0, 0, 0];
            let value = &x[..usize::from(len)];
            [b"\x01\x01a", &len_bytes[..], b"\0", value, b"\xff"].concat()
        };
        for mark in [0xfe, 0xff] {
            assert_eq!(read(&blob(mark, 254)).unwrap(), [(&b"a"[..], &x[..])]);
            let problem = Problem::EntryEncoding { found: mark };
            let rest = blob(mark, 253).len() - 1;
            assert_eq!(read(&blob(mark, 253)), Err(Fault { rest, problem }));
        }
    }

    #[test]
    fn faults_stand_where_they_are() {
        let fault = |rest, problem| Err(Fault { rest, problem });
        let (claimed, actual) = (2, 1);
        assert_eq!(
            read(b"\x02\x01a\x01\x001\xff"),
            fault(7, Problem::BlobCount { claimed, actual })
        );
        assert_eq!(
            read(b"\x01\x01a\x01\x001\xff??\xff"),
            fault(3, Problem::BlobTrailing { count: 3 })
        );
        assert_eq!(
            read(b"\x01\x01a\x01\x001"),
            fault(1, Problem::BlobEnd { found: b'1' })
        );
        // The value takes the end mark with it.
        assert_eq!(
            read(b"\x01\x01a\x02\x001\xff"),
            fault(6, Problem::EntryPastEnd)
        );
        // A length of 4 GiB.
        assert_eq!(
            read(b"\x01\xfe\xff\xff\xff\xff\xff"),
            fault(6, Problem::EntryPastEnd)
        );
        assert_eq!(read(b"\x01"), fault(1, Problem::BlobShort { actual: 1 }));
    }
}
