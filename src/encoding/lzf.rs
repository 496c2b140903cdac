//! LZF, the compression of strings.
//!
//! ```text
//! literal run     000nnnnn            n+1 bytes follow and are copied
//! back reference  lllddddd [eeeeeeee] dddddddd
//!                 copy l+2 bytes (l = 7: l+e+2) from d+1 bytes before the end of the output;
//!                 source and target may overlap
//! ```
//!
//! Decompression is ours, because it is what bounds reading real snapshots: copying in blocks into a
//! buffer with slack behind it is about twice as fast as the crate, which serves as oracle in the
//! tests. Compression is ours too: the crate clears a table of 256 KiB for each string.
//!
//! [`verify`] checks a string without writing it: whether decompression succeeds depends on lengths
//! and distances alone.
#![allow(unsafe_code)]

use crate::bytes::Problem;
use crate::bytes::limits::LZF_EXPANSION;

/// Room that [`decompress`] wants behind the output: the last block copied may reach so far.
pub const SLACK: usize = 32;

/// Appends nothing, replaces `out` by the decompressed string.
///
/// # Errors
/// Data that does not decompress to exactly `len` bytes. A length that LZF cannot reach is refused
/// before anything is allocated.
pub fn decompress_into(data: &[u8], len: u64, out: &mut Vec<u8>) -> Result<(), Problem> {
    out.clear();
    decompress_behind(data, len, out)
}

/// Appends the decompressed string; nothing where it is damaged.
///
/// # Errors
/// As [`decompress_into`].
pub(crate) fn decompress_behind(data: &[u8], len: u64, out: &mut Vec<u8>) -> Result<(), Problem> {
    let len = plausible(data, len)?;
    out.reserve(len + SLACK);
    decode(data, out.spare_capacity_mut(), len)?;
    // SAFETY: `decode` returned success, so the first `len` bytes of the spare capacity, which
    // begins behind the bytes that are there, are written.
    unsafe { out.set_len(out.len() + len) };
    Ok(())
}

/// Decompresses into a slice whose last [`SLACK`] bytes are not part of the result.
///
/// # Errors
/// Data that does not decompress to exactly `out.len() - SLACK` bytes.
pub fn decompress(data: &[u8], out: &mut [u8]) -> Result<(), Problem> {
    let len = out.len().saturating_sub(SLACK);
    plausible(data, len as u64)?;
    if out.len() < SLACK {
        return Err(Problem::LzfOverrun);
    }
    // SAFETY: `u8` and `MaybeUninit<u8>` have the same layout, and `decode` writes only initialised
    // bytes, so the slice stays initialised.
    let spare =
        unsafe { &mut *(std::ptr::from_mut::<[u8]>(out) as *mut [std::mem::MaybeUninit<u8>]) };
    decode(data, spare, len)
}

/// Checks the claimed length against what LZF can do at best.
fn plausible(data: &[u8], len: u64) -> Result<usize, Problem> {
    let compressed = data.len() as u64;
    let problem = Problem::LzfExpansion {
        compressed,
        claimed: len,
    };
    if len > compressed.saturating_mul(LZF_EXPANSION) {
        return Err(problem);
    }
    usize::try_from(len)
        .ok()
        .filter(|&len| len <= isize::MAX as usize - SLACK)
        .ok_or(problem)
}

/// The decoder: writes `len` bytes to the start of `out`, and may write up to `SLACK` behind them.
fn decode(data: &[u8], out: &mut [std::mem::MaybeUninit<u8>], len: usize) -> Result<(), Problem> {
    assert!(
        out.len() >= len + SLACK,
        "the caller gives room behind the output"
    );
    let input = data.as_ptr();
    let output = out.as_mut_ptr().cast::<u8>();
    let (mut at, mut done) = (0usize, 0usize);
    while at < data.len() {
        // SAFETY of every access below: reads of `input` are at indexes below `data.len()`, checked
        // just before; writes of `output` end at most `SLACK` behind `len`, because `done + count <=
        // len` is checked before a copy and no copy writes more than 31 bytes beyond `done + count`.
        let control = usize::from(unsafe { *input.add(at) });
        at += 1;
        if control < 32 {
            let count = control + 1;
            if count > data.len() - at {
                return Err(Problem::LzfInput);
            }
            if count > len - done {
                return Err(Problem::LzfOverrun);
            }
            // SAFETY: as above; where fewer than 32 bytes of input are left the copy is exact.
            unsafe {
                if data.len() - at >= 32 {
                    std::ptr::copy_nonoverlapping(input.add(at), output.add(done), 32);
                } else {
                    std::ptr::copy_nonoverlapping(input.add(at), output.add(done), count);
                }
            }
            at += count;
            done += count;
            continue;
        }
        let mut count = control >> 5;
        if count == 7 {
            if at >= data.len() {
                return Err(Problem::LzfInput);
            }
            // SAFETY: `at < data.len()`.
            count += usize::from(unsafe { *input.add(at) });
            at += 1;
        }
        count += 2;
        if at >= data.len() {
            return Err(Problem::LzfInput);
        }
        // SAFETY: `at < data.len()`.
        let distance = ((control & 31) << 8 | usize::from(unsafe { *input.add(at) })) + 1;
        at += 1;
        if distance > done {
            return Err(Problem::LzfReference);
        }
        if count > len - done {
            return Err(Problem::LzfOverrun);
        }
        // SAFETY: the source starts `distance <= done` before the target, inside what is written;
        // a block is never longer than the distance, so a block's source and target do not overlap;
        // rounding up to whole blocks writes at most 15 bytes more.
        unsafe {
            let to = output.add(done);
            let from = to.sub(distance);
            if distance >= 16 {
                // Nearly all are short: without a loop there is no guessing how often it runs.
                std::ptr::copy_nonoverlapping(from, to, 16);
                if count > 16 {
                    std::ptr::copy_nonoverlapping(from.add(16), to.add(16), 16);
                    let mut i = 32;
                    while i < count {
                        std::ptr::copy_nonoverlapping(from.add(i), to.add(i), 16);
                        i += 16;
                    }
                }
            } else if distance >= 8 {
                let mut i = 0;
                while i < count {
                    std::ptr::copy_nonoverlapping(from.add(i), to.add(i), 8);
                    i += 8;
                }
            } else if distance == 1 {
                std::ptr::write_bytes(to, *from, count);
            } else {
                for i in 0..count {
                    *to.add(i) = *from.add(i);
                }
            }
        }
        done += count;
    }
    if done == len {
        Ok(())
    } else {
        Err(Problem::LzfLength {
            found: done as u64,
            claimed: len as u64,
        })
    }
}

/// Whether the data decompresses to exactly `len` bytes, found out without writing them.
///
/// # Errors
/// The same as [`decompress_into`], for the same data and length.
pub fn verify(data: &[u8], len: u64) -> Result<(), Problem> {
    verify_rest(data, len, pass(data))
}

/// The same for two strings at once, which takes less time than one after the other: each
/// instruction must wait for the one before it.
pub fn verify_two(strings: [(&[u8], u64); 2]) -> [Result<(), Problem>; 2] {
    let [first, second] = pass_two(strings.map(|(data, _)| data));
    let [(a, a_len), (b, b_len)] = strings;
    [verify_rest(a, a_len, first), verify_rest(b, b_len, second)]
}

/// Checks what is left behind the instructions that were passed over, if they were in order.
fn verify_rest(data: &[u8], len: u64, passed: Option<(usize, u64)>) -> Result<(), Problem> {
    plausible(data, len)?;
    let (at, mut done) = passed.unwrap_or_default();
    if done > len {
        return Err(Problem::LzfOverrun);
    }
    let mut rest = data.get(at..).unwrap_or_default();
    while let Some((&control, after)) = rest.split_first() {
        if control < 32 {
            let count = usize::from(control) + 1;
            let Some((_, after)) = after.split_at_checked(count) else {
                return Err(Problem::LzfInput);
            };
            rest = after;
            done += count as u64;
        } else {
            let mut count = u64::from(control >> 5);
            let mut tail = after;
            if count == 7 {
                let Some((&more, after)) = tail.split_first() else {
                    return Err(Problem::LzfInput);
                };
                count += u64::from(more);
                tail = after;
            }
            let Some((&low, after)) = tail.split_first() else {
                return Err(Problem::LzfInput);
            };
            let distance = (u64::from(control & 31) << 8 | u64::from(low)) + 1;
            if distance > done {
                return Err(Problem::LzfReference);
            }
            rest = after;
            done += count + 2;
        }
        if done > len {
            return Err(Problem::LzfOverrun);
        }
    }
    if done == len {
        Ok(())
    } else {
        Err(Problem::LzfLength {
            found: done,
            claimed: len,
        })
    }
}

/// Passes over all instructions of a string but the last few: how far it came in the data and in the
/// output, where every distance is in order. Does not ask what kind each instruction is, because
/// half of the guesses would be wrong.
fn pass(data: &[u8]) -> Option<(usize, u64)> {
    let (mut way, mut sizes) = (Passage::of(data), [0; WINDOW]);
    while way.look(&mut sizes) {
        while way.goes_on() {
            way.step(&sizes);
        }
    }
    way.result()
}

/// The same for two strings side by side.
fn pass_two([first, second]: [&[u8]; 2]) -> [Option<(usize, u64)>; 2] {
    let (mut a, mut a_sizes) = (Passage::of(first), [0; WINDOW]);
    let (mut b, mut b_sizes) = (Passage::of(second), [0; WINDOW]);
    while a.look(&mut a_sizes) && b.look(&mut b_sizes) {
        while a.goes_on() && b.goes_on() {
            a.step(&a_sizes);
            b.step(&b_sizes);
        }
    }
    while a.look(&mut a_sizes) {
        while a.goes_on() {
            a.step(&a_sizes);
        }
    }
    while b.look(&mut b_sizes) {
        while b.goes_on() {
            b.step(&b_sizes);
        }
    }
    [a.result(), b.result()]
}

/// What an instruction does, by its first byte.
#[derive(Clone, Copy)]
struct Instruction {
    /// The bytes it puts out, but for what the next byte adds.
    count: u8,
    /// The bits of the next byte that count for that.
    more: u8,
    /// The distance, but for what its last byte adds; so small for a literal run that whatever its
    /// last byte adds is in order.
    distance: i32,
}

static INSTRUCTIONS: [Instruction; 256] = {
    let mut all = [Instruction {
        count: 0,
        more: 0,
        distance: 0,
    }; 256];
    let mut first = 0;
    while first < 256 {
        let it = &mut all[first];
        if first < 32 {
            it.count = first as u8 + 1;
            it.distance = -256;
        } else {
            it.count = (first >> 5) as u8 + 2;
            it.distance = ((first & 31) << 8) as i32 + 1;
            if first >= 0xe0 {
                it.more = 0xff;
            }
        }
        first += 1;
    }
    all
};

/// Bytes of a string that are looked at together.
const WINDOW: usize = 1024;
/// No instruction is longer.
const LONGEST: usize = 33;

/// The way through the instructions of a string. Where the next one begins depends on the size of
/// this one, so sizes are worked out first for all bytes of a window, as if one began at each.
struct Passage<'d> {
    /// From the window on, and where that lies.
    rest: &'d [u8],
    from: usize,
    /// Where the next instruction begins in the window, and where the window ends.
    at: usize,
    end: usize,
    /// How long the output is.
    done: usize,
    /// The topmost bit is set once a distance was larger than the output.
    wrong: usize,
}

impl<'d> Passage<'d> {
    #[inline(always)]
    fn of(data: &'d [u8]) -> Self {
        Passage {
            rest: data,
            from: 0,
            at: 0,
            end: 0,
            done: 0,
            wrong: 0,
        }
    }

    /// Moves on to the next window where this one is done with; false where there is none.
    #[inline(always)]
    fn look(&mut self, sizes: &mut [u8; WINDOW]) -> bool {
        const LANES: usize = 32;
        if self.goes_on() {
            return true;
        }
        self.rest = self.rest.get(self.at..).unwrap_or_default();
        self.from += self.at;
        self.at = 0;
        // Behind each byte of a window there is a whole instruction.
        self.end = self.rest.len().saturating_sub(LONGEST).min(WINDOW);
        let (bytes, sizes) = (self.rest.as_chunks::<LANES>().0, sizes.as_chunks_mut().0);
        let used = self.end.div_ceil(LANES);
        for (bytes, sizes) in bytes.iter().zip(sizes).take(used) {
            let sizes: &mut [u8; LANES] = sizes;
            for (&first, size) in bytes.iter().zip(sizes) {
                // All ones where it is so, else zero.
                let literal = 0u8.wrapping_sub(u8::from(first < 32));
                *size = (first & literal) + 2 + u8::from(first >= 0xe0);
            }
        }
        self.end > 0
    }

    #[inline(always)]
    fn goes_on(&self) -> bool {
        self.at < self.end
    }

    /// Passes over one instruction, which must be there.
    #[inline(always)]
    fn step(&mut self, sizes: &[u8; WINDOW]) {
        debug_assert!(self.goes_on());
        // SAFETY: the caller has asked `goes_on`, so that `at` is below `end`, which is at most
        // WINDOW and at most LONGEST less than the length of `rest`. Every size was worked out by
        // `look` and is 2 to LONGEST, so that no byte behind `at + LONGEST` is read.
        unsafe {
            let size = usize::from(*sizes.get_unchecked(self.at));
            let data = self.rest.as_ptr().add(self.at);
            let it = &INSTRUCTIONS[usize::from(*data)];
            let next = usize::from(*data.add(1) & it.more);
            let last = *data.add(size - 1);
            let distance = (it.distance as isize as usize).wrapping_add(usize::from(last));
            self.wrong |= self.done.wrapping_sub(distance);
            self.at += size;
            self.done += usize::from(it.count) + next;
        }
    }

    #[inline(always)]
    fn result(&self) -> Option<(usize, u64)> {
        let at = self.from + self.at;
        (self.wrong >> (usize::BITS - 1) == 0).then_some((at, self.done as u64))
    }
}

/// Compresses into `out`, replacing its content; true when the result is at least four bytes shorter,
/// which is what servers ask for before they store a string compressed.
pub fn compress_into(data: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    let Some(most) = data.len().checked_sub(4).filter(|&most| most > 0) else {
        return false;
    };
    let shorter = SEEN.with_borrow_mut(|seen| {
        seen.begin(data.len());
        encode(data, most, seen, out)
    });
    if !shorter {
        out.clear();
    }
    shorter
}

thread_local! {
    static SEEN: std::cell::RefCell<Seen> = const { std::cell::RefCell::new(Seen::new()) };
}

/// Bits of the hash of three bytes.
const HASH_BITS: u32 = 14;
/// The longest back reference, and the largest distance.
const LONGEST_COPY: usize = 7 + 255 + 2;
const FARTHEST: usize = 1 << 13;
/// The longest run of literals.
const RUN: usize = 32;

/// Where three bytes were last seen, by their hash. What was seen in earlier strings lies before
/// `base`, so that nothing is cleared between strings: most are shorter than the table.
struct Seen {
    places: Vec<u32>,
    base: u32,
    len: u32,
}

impl Seen {
    const fn new() -> Self {
        Seen {
            places: Vec::new(),
            base: 0,
            len: 0,
        }
    }

    /// For a string of this length.
    fn begin(&mut self, len: usize) {
        // Places are from 1 on; those of a string that is longer than they reach are not kept.
        let next = self.base.checked_add(self.len);
        let fits = |base: &u32| u64::from(*base) + len as u64 <= u64::from(u32::MAX);
        match next.filter(fits) {
            Some(base) if !self.places.is_empty() => self.base = base,
            _ => {
                self.places.clear();
                self.places.resize(1 << HASH_BITS, 0);
                self.base = 0;
            }
        }
        self.len = u32::try_from(len).unwrap_or(u32::MAX);
    }

    /// Where in this string the same hash was seen before `at`, and takes note of `at`.
    #[inline]
    fn swap(&mut self, three: [u8; 3], at: usize) -> Option<usize> {
        let [a, b, c] = three.map(u32::from);
        let hash = (a | b << 8 | c << 16).wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS);
        let place = self.places.get_mut(hash as usize)?;
        let now = u32::try_from(at + 1).ok()?.checked_add(self.base)?;
        let before = std::mem::replace(place, now);
        let before = before.checked_sub(self.base)?.checked_sub(1)?;
        usize::try_from(before).ok()
    }
}

/// Appends the compressed form; false where it becomes longer than `most`.
fn encode(data: &[u8], most: usize, seen: &mut Seen, out: &mut Vec<u8>) -> bool {
    let (mut at, mut literals) = (0, 0);
    while let Some(&three) = data.get(at..).and_then(|rest| rest.first_chunk::<3>()) {
        let before = seen.swap(three, at);
        let found = before.filter(|&before| {
            at - before <= FARTHEST && data.get(before..before + 3) == Some(&three[..])
        });
        let Some(before) = found else {
            at += 1;
            continue;
        };
        let same = data.iter().skip(before).zip(data.iter().skip(at));
        let len = same.take(LONGEST_COPY).take_while(|(a, b)| a == b).count();
        put_literals(data.get(literals..at).unwrap_or_default(), out);
        put_reference(at - before - 1, len, out);
        if out.len() > most {
            return false;
        }
        // The last two places of what is referred to are worth knowing; all of them take longer.
        let end = at + len;
        for place in end - 2..end {
            if let Some(&three) = data.get(place..).and_then(|rest| rest.first_chunk::<3>()) {
                seen.swap(three, place);
            }
        }
        (at, literals) = (end, end);
    }
    put_literals(data.get(literals..).unwrap_or_default(), out);
    out.len() <= most
}

fn put_literals(literals: &[u8], out: &mut Vec<u8>) {
    for run in literals.chunks(RUN) {
        // A run has 1 to 32 bytes.
        out.push((run.len() - 1) as u8);
        out.extend_from_slice(run);
    }
}

/// `distance` is one less than it is, `len` 3 to 264.
fn put_reference(distance: usize, len: usize, out: &mut Vec<u8>) {
    let (high, low) = ((distance >> 8) as u8 & 31, distance as u8);
    match len - 2 {
        short @ ..7 => out.extend_from_slice(&[(short as u8) << 5 | high, low]),
        long => out.extend_from_slice(&[7 << 5 | high, (long - 7) as u8, low]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(data: &[u8], len: usize) -> Result<Vec<u8>, Problem> {
        let mut out = Vec::new();
        let done = decompress_into(data, len as u64, &mut out);
        // Behind others it is the same, and where it is damaged those alone are left.
        let mut behind = b"others".to_vec();
        assert_eq!(decompress_behind(data, len as u64, &mut behind), done);
        assert!(done.is_ok() || behind == b"others");
        done?;
        assert_eq!(behind, [b"others", &out[..]].concat());
        let mut slice = vec![0xaa; len + SLACK];
        decompress(data, &mut slice).expect("both doors agree");
        assert_eq!(slice.get(..len), Some(&out[..]));
        Ok(out)
    }

    /// Bytes that a server wrote for "abc" forty times.
    #[test]
    fn reads_what_the_server_writes() {
        let data = [3, b'a', b'b', b'c', b'a', 0xe0, 0x69, 2, 1, b'b', b'c'];
        assert_eq!(ours(&data, 120).unwrap(), b"abc".repeat(40));
        verify(&data, 120).unwrap();
    }

    #[test]
    fn what_was_compressed_before_changes_nothing() {
        let texts: Vec<Vec<u8>> = (0..40usize)
            .map(|n| format!("{n}, and {} ", n % 3).repeat(n * n).into_bytes())
            .collect();
        let packed = |text: &[u8]| {
            let mut out = Vec::new();
            compress_into(text, &mut out).then_some(out)
        };
        let first: Vec<_> = texts.iter().map(|text| packed(text)).collect();
        assert!(first.iter().filter(|packed| packed.is_some()).count() > 35);
        for (text, first) in texts.iter().zip(&first).rev() {
            assert_eq!(&packed(text), first);
        }
    }

    #[test]
    fn every_truncation_is_an_error() {
        let data = [3, b'a', b'b', b'c', b'a', 0xe0, 0x69, 2, 1, b'b', b'c'];
        for cut in 0..data.len() {
            assert!(ours(&data[..cut], 120).is_err(), "cut at {cut}");
            assert!(verify(&data[..cut], 120).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn a_length_that_lzf_cannot_reach_is_refused_before_allocating() {
        let problem = Problem::LzfExpansion {
            compressed: 3,
            claimed: 1 << 40,
        };
        assert_eq!(
            decompress_into(&[0xe0, 0xff, 0], 1 << 40, &mut Vec::new()),
            Err(problem)
        );
        assert_eq!(verify(&[0xe0, 0xff, 0], 1 << 40), Err(problem));
    }

    /// Every distance from 1 to 40 with every count up to 70, and the longest: block copies must
    /// repeat the pattern exactly as a copy byte by byte does.
    #[test]
    fn overlapping_references_repeat_their_pattern() {
        for distance in 1..=40usize {
            for count in (3..=70).chain([263, 264]) {
                let seed: Vec<u8> = (0..distance).map(|i| b'A' + i as u8).collect();
                let mut data = Vec::new();
                for part in seed.chunks(32) {
                    data.push(part.len() as u8 - 1);
                    data.extend_from_slice(part);
                }
                let low = (distance - 1) as u8;
                match count - 2 {
                    short @ 1..=6 => data.extend([(short as u8) << 5, low]),
                    long => data.extend([0xe0, (long - 7) as u8, low]),
                }
                let mut expected = seed.clone();
                for i in 0..count {
                    expected.push(expected[i]);
                }
                assert_eq!(
                    ours(&data, expected.len()).unwrap(),
                    expected,
                    "{distance} {count}"
                );
                verify(&data, expected.len() as u64).unwrap();
            }
        }
    }

    /// All inputs of up to three bytes and many of four, for every plausible length: the three
    /// decoders agree on success and on the bytes.
    #[test]
    fn small_inputs_are_judged_as_the_crate_judges_them() {
        let mut inputs: Vec<Vec<u8>> = Vec::new();
        let bytes = [
            0u8, 1, 2, 31, 32, 33, 0x3f, 0x40, 0xc0, 0xdf, 0xe0, 0xe1, 0xff,
        ];
        for &a in &bytes {
            inputs.push(vec![a]);
            for &b in &bytes {
                inputs.push(vec![a, b]);
                for &c in &bytes {
                    inputs.push(vec![a, b, c]);
                    for &d in &bytes {
                        inputs.push(vec![a, b, c, d]);
                        inputs.push(vec![0, 7, a, b, c, d]);
                    }
                }
            }
        }
        for input in inputs {
            for len in 0..40usize {
                let mut oracle = vec![0; len];
                let theirs = lzf_rust::decompress(&input, &mut oracle).is_ok_and(|n| n == len);
                let mine = ours(&input, len);
                assert_eq!(mine.is_ok(), theirs, "{input:02x?} to {len}");
                assert_eq!(
                    verify(&input, len as u64),
                    mine.as_ref().map(|_| ()).map_err(|p| *p),
                    "{input:02x?} to {len}"
                );
                if let Ok(mine) = mine {
                    assert_eq!(mine, oracle);
                }
            }
        }
    }

    #[test]
    fn two_strings_at_once_are_judged_as_one_by_one() {
        let mut strings: Vec<(Vec<u8>, u64)> = Vec::new();
        for len in [30usize, 100, 400, 3000] {
            let text: Vec<u8> = (0..len).map(|i| (i * i / 7 % 11) as u8).collect();
            let mut packed = Vec::new();
            if !compress_into(&text, &mut packed) {
                continue;
            }
            strings.push((packed.clone(), len as u64));
            strings.push((packed.clone(), len as u64 - 1));
            for at in (0..packed.len()).step_by(packed.len() / 9 + 1) {
                for to in [0, 31, 32, 0xe0, 0xff] {
                    let mut damaged = packed.clone();
                    damaged[at] = to;
                    strings.push((damaged, len as u64));
                }
            }
            packed.truncate(packed.len() / 2);
            strings.push((packed, len as u64));
        }
        strings.push((Vec::new(), 0));
        assert!(strings.len() > 50);
        let judged = |(data, len): &(Vec<u8>, u64)| decompress_into(data, *len, &mut Vec::new());
        for a in &strings {
            for b in &strings {
                assert_eq!(
                    verify_two([(&a.0, a.1), (&b.0, b.1)]),
                    [judged(a), judged(b)],
                );
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn round_trips(words in proptest::collection::vec(0u8..12, 0..4000)) {
            let text: Vec<u8> = words.iter().flat_map(|&w| [b'a' + w, b'"', b'a' + w / 3]).collect();
            let mut packed = Vec::new();
            if compress_into(&text, &mut packed) {
                proptest::prop_assert!(packed.len() + 4 <= text.len());
                proptest::prop_assert_eq!(verify(&packed, text.len() as u64), Ok(()));
                proptest::prop_assert_eq!(ours(&packed, text.len()).unwrap(), text);
            }
        }

        #[test]
        fn damage_is_judged_as_the_crate_judges_it(words in proptest::collection::vec(0u8..12, 30..4000), at: usize, to: u8) {
            let text: Vec<u8> = words.iter().flat_map(|&w| [b'a' + w, b'"', b'a' + w / 3]).collect();
            let mut packed = Vec::new();
            if compress_into(&text, &mut packed) {
                let at = at % packed.len();
                packed[at] = to;
                let mut oracle = vec![0; text.len()];
                let theirs = lzf_rust::decompress(&packed, &mut oracle).is_ok_and(|n| n == text.len());
                let mine = ours(&packed, text.len());
                proptest::prop_assert_eq!(verify(&packed, text.len() as u64), mine.as_ref().map(|_| ()).map_err(|p| *p));
                proptest::prop_assert_eq!(mine.is_ok(), theirs);
                if let Ok(mine) = mine { proptest::prop_assert_eq!(mine, oracle); }
            }
        }
    }
}
