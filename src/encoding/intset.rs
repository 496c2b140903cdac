//! The intset, the packed form of small sets of integers.
//!
//! ```text
//! u32 LE   width of a member: 2, 4 or 8 bytes
//! u32 LE   members
//! members  signed, LE, strictly ascending
//! ```
//!
//! Defined by the servers' `intset.c`.

use crate::bytes::{Fault, Problem};

const HEADER: usize = 8;

/// An intset whose header has been read.
#[derive(Clone, Copy, Debug)]
pub struct Intset<'d> {
    members: Members<'d>,
}

#[derive(Clone, Copy, Debug)]
enum Members<'d> {
    Two(&'d [[u8; 2]]),
    Four(&'d [[u8; 4]]),
    Eight(&'d [[u8; 8]]),
}

impl<'d> Intset<'d> {
    /// Reads the header.
    ///
    /// # Errors
    /// A blob too short for its header, a width that is none, or a size other than width and count
    /// make: what servers refuse even without deep checks. They refuse an empty one as well, which
    /// is left to the caller.
    #[inline]
    pub fn open(blob: &'d [u8]) -> Result<Self, Fault> {
        let actual = blob.len() as u64;
        let fail = |problem| Fault {
            rest: blob.len(),
            problem,
        };
        let short = fail(Problem::BlobShort { actual });
        let (&width, rest) = blob.split_first_chunk::<4>().ok_or(short)?;
        let (&count, bytes) = rest.split_first_chunk::<4>().ok_or(short)?;
        let members = match u32::from_le_bytes(width) {
            2 => Members::Two(bytes.as_chunks().0),
            4 => Members::Four(bytes.as_chunks().0),
            8 => Members::Eight(bytes.as_chunks().0),
            found => return Err(fail(Problem::IntsetWidth { found })),
        };
        let width = u64::from(u32::from_le_bytes(width));
        let claimed = HEADER as u64 + width * u64::from(u32::from_le_bytes(count));
        if claimed != actual {
            return Err(fail(Problem::BlobSize { claimed, actual }));
        }
        Ok(Intset { members })
    }

    /// How many members there are.
    pub fn count(&self) -> u64 {
        let count = match self.members {
            Members::Two(members) => members.len(),
            Members::Four(members) => members.len(),
            Members::Eight(members) => members.len(),
        };
        count as u64
    }

    /// Calls `each` with every member in order; ends with its first error.
    ///
    /// # Errors
    /// What `each` returned.
    #[inline]
    pub fn for_each<E>(&self, mut each: impl FnMut(i64) -> Result<(), E>) -> Result<(), E> {
        match self.members {
            Members::Two(members) => members
                .iter()
                .try_for_each(|&n| each(i64::from(i16::from_le_bytes(n)))),
            Members::Four(members) => members
                .iter()
                .try_for_each(|&n| each(i64::from(i32::from_le_bytes(n)))),
            Members::Eight(members) => members
                .iter()
                .try_for_each(|&n| each(i64::from_le_bytes(n))),
        }
    }

    /// The first member that is not above the one before it.
    pub fn flaw(&self) -> Option<Fault> {
        let rest = match self.members {
            Members::Two(members) => descent(members, i16::from_le_bytes),
            Members::Four(members) => descent(members, i32::from_le_bytes),
            Members::Eight(members) => descent(members, i64::from_le_bytes),
        }?;
        Some(Fault {
            rest,
            problem: Problem::IntsetOrder,
        })
    }
}

/// Bytes from the first member that is not above the one before it to the end.
fn descent<const N: usize, T: Ord>(
    members: &[[u8; N]],
    value: impl Fn([u8; N]) -> T,
) -> Option<usize> {
    let pairs = members.iter().zip(members.iter().skip(1));
    let at = 1 + pairs
        .map(|(&a, &b)| value(a) < value(b))
        .position(|ascends| !ascends)?;
    Some((members.len() - at) * N)
}

/// Appends an intset of the least width that holds all `members`. Sorts them and drops what stands
/// twice: a set has each member once.
///
/// # Errors
/// More members than an intset can count.
pub fn write(members: &mut Vec<i64>, out: &mut Vec<u8>) -> Result<(), Problem> {
    members.sort_unstable();
    members.dedup();
    let count = u32::try_from(members.len()).map_err(|_| Problem::LengthRange {
        found: members.len() as u64,
        most: u64::from(u32::MAX),
    })?;
    // The ends are the widest.
    let ends = [members.first(), members.last()];
    let fits = |test: fn(i64) -> bool| ends.iter().flatten().all(|&&n| test(n));
    let width: u8 = if fits(|n| i16::try_from(n).is_ok()) {
        2
    } else if fits(|n| i32::try_from(n).is_ok()) {
        4
    } else {
        8
    };
    out.reserve(HEADER + members.len() * usize::from(width));
    out.extend_from_slice(&u32::from(width).to_le_bytes());
    out.extend_from_slice(&count.to_le_bytes());
    let bytes = members.iter().map(|n| n.to_le_bytes());
    match width {
        // The high bytes that are left out repeat the sign.
        2 => out.extend(bytes.flat_map(|[a, b, ..]| [a, b])),
        4 => out.extend(bytes.flat_map(|[a, b, c, d, ..]| [a, b, c, d])),
        _ => out.extend(bytes.flatten()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(members: &[i64]) -> Vec<u8> {
        let mut blob = Vec::new();
        write(&mut members.to_vec(), &mut blob).unwrap();
        blob
    }

    fn read(blob: &[u8]) -> Result<Vec<i64>, Fault> {
        let set = Intset::open(blob)?;
        let mut all = Vec::new();
        set.for_each(|n| {
            all.push(n);
            Ok::<_, Fault>(())
        })?;
        assert_eq!(set.count(), all.len() as u64);
        match set.flaw() {
            Some(flaw) => Err(flaw),
            None => Ok(all),
        }
    }

    #[test]
    fn round_trips_at_every_widths_edge() {
        for bits in [7, 8, 15, 16, 31, 32, 63] {
            let edge = if bits == 63 { i64::MAX } else { 1i64 << bits };
            for n in [
                edge - 1,
                edge,
                edge.wrapping_add(1),
                -edge - 1,
                -edge,
                -edge + 1,
            ] {
                let blob = written(&[n, 0]);
                let mut expected = [n, 0];
                expected.sort_unstable();
                assert_eq!(read(&blob).unwrap(), expected);
                let width = match n {
                    -0x8000..=0x7fff => 2,
                    -0x8000_0000..=0x7fff_ffff => 4,
                    _ => 8,
                };
                assert_eq!(blob.len(), HEADER + 2 * width, "{n}");
            }
        }
        assert_eq!(read(&written(&[])), Ok(Vec::new()));
        assert_eq!(read(&written(&[3, 1, 3, 2, 1])).unwrap(), [1, 2, 3]);
    }

    /// From Redis 6.2.5, 7.0.15 and 8.2.3, Valkey 8.1.8 and 9.1.2 alike.
    #[test]
    fn writes_what_the_server_writes() {
        assert_eq!(
            written(&[1, 2, -5]),
            b"\x02\0\0\0\x03\0\0\0\xfb\xff\x01\0\x02\0"
        );
        assert_eq!(
            written(&[70_000, -70_000, 5]),
            b"\x04\0\0\0\x03\0\0\0\x90\xee\xfe\xff\x05\0\0\0\x70\x11\x01\0"
        );
        assert_eq!(
            written(&[1 << 40, -1, -(1 << 62)]),
            b"\x08\0\0\0\x03\0\0\0\0\0\0\0\0\0\0\xc0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\x01\0\0"
        );
    }

    #[test]
    fn every_truncation_is_an_error_with_an_offset() {
        for blob in [
            written(&[1, 2, 3]),
            written(&[1 << 20]),
            written(&[1 << 40]),
        ] {
            for cut in 0..blob.len() {
                assert!(read(&blob[..cut]).unwrap_err().rest <= cut, "cut at {cut}");
            }
        }
    }

    #[test]
    fn what_is_no_intset_is_told() {
        let actual = 9;
        let error = |blob: &[u8]| read(blob).unwrap_err().problem;
        assert_eq!(
            error(b"\x03\0\0\0\0\0\0\0"),
            Problem::IntsetWidth { found: 3 }
        );
        let claimed = 10;
        assert_eq!(
            error(b"\x02\0\0\0\x01\0\0\0\0"),
            Problem::BlobSize { claimed, actual }
        );
        let claimed = 8 + 8 * u64::from(u32::MAX);
        assert_eq!(
            error(b"\x08\0\0\0\xff\xff\xff\xff\0"),
            Problem::BlobSize { claimed, actual }
        );
    }

    #[test]
    fn the_first_member_out_of_order_is_found_and_all_are_read() {
        for scale in [1, 1 << 16, 1 << 40] {
            let mut blob = written(&[scale, 2 * scale, 3 * scale, 4 * scale]);
            let width = usize::from(blob[0]);
            let (two, three) = (HEADER + width, HEADER + 2 * width);
            blob.copy_within(two..three, three);
            let fault = Fault {
                rest: 2 * width,
                problem: Problem::IntsetOrder,
            };
            assert_eq!(read(&blob), Err(fault));
            let mut sum = 0;
            let each = |n: i64| {
                sum += n;
                Ok::<_, Fault>(())
            };
            Intset::open(&blob).unwrap().for_each(each).unwrap();
            assert_eq!(sum, 9 * scale);
        }
    }

    #[test]
    fn an_error_of_the_caller_ends_the_walk() {
        let blob = written(&[1, 2, 3]);
        let mut seen = 0;
        let result = Intset::open(&blob).unwrap().for_each(|n| {
            seen += 1;
            if n == 2 { Err("enough") } else { Ok(()) }
        });
        assert_eq!((result, seen), (Err("enough"), 2));
    }
}
