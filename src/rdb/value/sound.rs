//! Tells small collections that are in order from all others, without telling anyone what they
//! consist of. Nearly every value of nearly every snapshot is such a one, and a check has nothing
//! to say about it.
//!
//! `true` means that a walk would find no fault and no member twice; `false` means nothing: then
//! the walk says what there is to say.

use crate::bytes::{Element, number};
use crate::encoding::intset::Intset;
use crate::encoding::listpack::{self, Plain};
use crate::encoding::lzf;
use crate::rdb::string;
use crate::rdb::value::{Reader, Room, Scratch, list};
use crate::record::{RawValue, RdbType, Stored};

/// Whether a value is certainly in order. Types that are not packed never are.
pub(crate) fn sound(value: &RawValue<'_>, scratch: &mut Scratch) -> bool {
    let Scratch { blob, members, .. } = scratch;
    match value.rdb_type {
        RdbType::String => plain_or_verified(value),
        RdbType::SetIntset => only_blob(value, blob, intset),
        RdbType::SetListpack => only_blob(value, blob, |blob| set(blob, members)),
        RdbType::HashListpack => only_blob(value, blob, |blob| hash(blob, members)),
        RdbType::ZsetListpack => only_blob(value, blob, |blob| zset(blob, members)),
        RdbType::Quicklist2 => quicklist(value, blob),
        RdbType::SetTable => strings(value, members, 1),
        RdbType::HashTable => strings(value, members, 2),
        _ => None,
    }
    .is_some()
}

/// Whether strings are certainly in order, two at once.
pub(crate) fn sound_strings(values: [&RawValue<'_>; 2]) -> [bool; 2] {
    match values.map(compressed) {
        [Some(first), Some(second)] => lzf::verify_two([first, second]).map(|found| found.is_ok()),
        _ => values.map(|value| plain_or_verified(value).is_some()),
    }
}

/// Whether a value is a string and nothing behind it; whether it can be decompressed is left open.
pub(crate) fn framed_string(value: &RawValue<'_>) -> bool {
    matches!(string::stored(value.bytes), Ok(([], _)))
}

fn compressed<'d>(value: &RawValue<'d>) -> Option<(&'d [u8], u64)> {
    match string::stored(value.bytes) {
        Ok(([], Stored::Lzf { data, len })) => Some((data, len)),
        _ => None,
    }
}

/// A value that is one blob and nothing behind it.
#[inline(always)]
fn only_blob(
    value: &RawValue<'_>,
    room: &mut Room,
    judge: impl FnOnce(&[u8]) -> Option<()>,
) -> Option<()> {
    let mut reader = Reader::new(value);
    let (blob, _) = reader.blob(room).ok()?;
    if !reader.rest.is_empty() {
        return None;
    }
    judge(blob)
}

/// Nothing inside a string can be wrong but its compression.
fn plain_or_verified(value: &RawValue<'_>) -> Option<()> {
    match string::stored(value.bytes).ok()? {
        ([], Stored::Lzf { data, len }) => lzf::verify(data, len).ok(),
        ([], Stored::Plain(_)) => Some(()),
        _ => None,
    }
}

fn intset(blob: &[u8]) -> Option<()> {
    let set = Intset::open(blob).ok()?;
    (set.count() > 0 && set.flaw().is_none()).then_some(())
}

fn set(blob: &[u8], members: &mut Members) -> Option<()> {
    let mut pack = Plain::of(blob)?;
    members.clear();
    let mut seen = 0;
    while !pack.ends(seen) {
        members.add(pack.next()?)?;
        seen += 1;
    }
    (seen > 0).then_some(())
}

fn hash(blob: &[u8], members: &mut Members) -> Option<()> {
    let mut pack = Plain::of(blob)?;
    members.clear();
    let mut seen = 0;
    while !pack.ends(seen) {
        members.add(pack.next()?)?;
        pack.next()?;
        seen += 2;
    }
    (seen > 0).then_some(())
}

fn zset(blob: &[u8], members: &mut Members) -> Option<()> {
    let mut pack = Plain::of(blob)?;
    members.clear();
    let mut seen = 0;
    let mut last: Option<(f64, bool, Element<'_>)> = None;
    while !pack.ends(seen) {
        let member = members.add(pack.next()?)?;
        let (score, exact) = match listpack::canonical(pack.next()?)? {
            Element::Int(n) => (n as f64, true),
            Element::Bytes(text) => number::parse_nearly(text)?,
        };
        if let Some((before, exact_before, earlier)) = last {
            let follows = match (earlier, member) {
                _ if !(exact && exact_before) => {
                    score - before > (score.abs() + before.abs()) * 8.0 * f64::EPSILON
                }
                (Element::Bytes(a), Element::Bytes(b)) if before == score => a < b,
                _ => before < score,
            };
            if !follows {
                return None;
            }
        }
        last = Some((score, exact, member));
        seen += 2;
    }
    (seen > 0).then_some(())
}

/// Small sets and hashes that are not packed: strings, `group` to a member.
fn strings(value: &RawValue<'_>, members: &mut Members, group: usize) -> Option<()> {
    let (count, mut rest) = string::short_number(value.bytes)?;
    members.clear();
    if !(1..=MOST).contains(&count) {
        return None;
    }
    for _ in 0..count {
        let after = string::pass(rest)?;
        members.add_string(rest.get(..rest.len() - after.len())?)?;
        rest = after;
        for _ in 1..group {
            rest = string::pass_plain(rest)?;
        }
    }
    rest.is_empty().then_some(())
}

fn quicklist(value: &RawValue<'_>, room: &mut Room) -> Option<()> {
    let mut reader = Reader::new(value);
    let nodes = reader.number().ok()?;
    for _ in 0..nodes {
        match reader.number().ok()? {
            list::PACKED => {
                let mut pack = Plain::of(reader.blob(room).ok()?.0)?;
                let mut seen = 0;
                while !pack.ends(seen) {
                    pack.next()?;
                    seen += 1;
                }
                if seen == 0 {
                    return None;
                }
            }
            list::PLAIN => match reader.stored().ok()? {
                Stored::Plain(element) if !element.is_empty() => {}
                _ => return None,
            },
            _ => return None,
        }
    }
    (nodes > 0 && reader.rest.is_empty()).then_some(())
}

/// Members that one value may have here; more of them are left to the walk.
const MOST: usize = 128;
/// Places of the filter: few enough to clear them for each value.
const PLACES: usize = 2048;

/// The members of a value so far, to find one that comes twice. What is taken for a member that
/// came before may be another by chance, which costs a walk and no more.
#[derive(Debug)]
pub(crate) struct Members {
    prints: [u64; MOST],
    count: usize,
    filter: [u64; PLACES / 64],
}

impl Default for Members {
    fn default() -> Self {
        Members {
            prints: [0; MOST],
            count: 0,
            filter: [0; PLACES / 64],
        }
    }
}

impl Members {
    #[inline]
    fn clear(&mut self) {
        self.count = 0;
        self.filter = [0; PLACES / 64];
    }

    /// Adds the member of a packed entry; `None` where it came before, or its form is not the one
    /// that shows that.
    #[inline(always)]
    fn add<'e>(&mut self, entry: &'e [u8]) -> Option<Element<'e>> {
        let member = listpack::canonical(entry)?;
        self.add_bytes(entry)?;
        Some(member)
    }

    /// The same for a member that stands as a string in the file.
    #[inline(always)]
    fn add_string(&mut self, stored: &[u8]) -> Option<()> {
        string::is_canonical(stored).then(|| self.add_bytes(stored))?
    }

    #[inline(always)]
    fn add_bytes(&mut self, entry: &[u8]) -> Option<()> {
        let print = print(entry);
        let place = (print >> 32) as usize % PLACES;
        let (word, bit) = (self.filter.get_mut(place / 64)?, 1 << (place % 64));
        let met = *word & bit != 0;
        *word |= bit;
        if met && self.prints.get(..self.count)?.contains(&print) {
            return None;
        }
        *self.prints.get_mut(self.count)? = print;
        self.count += 1;
        Some(())
    }
}

/// A number that is the same for the same bytes.
#[inline(always)]
fn print(bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| {
        let wide = u128::from(hash ^ word) * u128::from(FACTOR);
        (wide >> 64) as u64 ^ wide as u64
    };
    let mut hash = bytes.len() as u64;
    if let Some(last) = bytes.last_chunk::<8>() {
        let (words, _) = bytes.as_chunks::<8>();
        for word in words {
            hash = mix(hash, u64::from_le_bytes(*word));
        }
        return mix(hash, u64::from_le_bytes(*last));
    }
    // Up to seven bytes without a loop; with the length beside it no two are alike.
    let word = match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32
        }
        _ => match bytes {
            [] => 0,
            [one] => u64::from(*one),
            [first, .., last] => {
                let middle = bytes.get(bytes.len() / 2).copied().unwrap_or_default();
                u64::from(*first) | u64::from(middle) << 8 | u64::from(*last) << 16
            }
        },
    };
    mix(hash, word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::value::testing::{Told, encoded, raw};

    fn is_sound(rdb_type: RdbType, bytes: &[u8]) -> bool {
        sound(&raw(rdb_type, bytes), &mut Scratch::default())
    }

    /// A value of the type, with these members.
    fn written(rdb_type: RdbType, members: &[&str]) -> Vec<u8> {
        let content: Vec<Told> = members
            .iter()
            .enumerate()
            .map(|(i, m)| match rdb_type {
                RdbType::HashListpack | RdbType::HashTable => Told::field(m, "7"),
                RdbType::ZsetListpack => Told::member(m, i as f64 / 8.0),
                _ => Told::element(m),
            })
            .collect();
        encoded(rdb_type, &content).unwrap()
    }

    const ALL: [RdbType; 6] = [
        RdbType::SetListpack,
        RdbType::HashListpack,
        RdbType::ZsetListpack,
        RdbType::Quicklist2,
        RdbType::SetTable,
        RdbType::HashTable,
    ];

    #[test]
    fn ordinary_values_are_known_to_be_sound() {
        let long = "x".repeat(100);
        let members = [
            "a",
            "b",
            "1",
            "-1",
            "200",
            "-5000",
            "70000",
            "-9000000",
            "01",
            "-",
            "-0",
            &long,
            "99999999999999999999",
        ];
        for rdb_type in ALL {
            assert!(
                is_sound(rdb_type, &written(rdb_type, &members)),
                "{rdb_type:?}"
            );
            assert!(!is_sound(rdb_type, &written(rdb_type, &[])), "{rdb_type:?}");
            let many: Vec<String> = (0..MOST).map(|n| format!("member {n}")).collect();
            let many: Vec<&str> = many.iter().map(String::as_str).collect();
            assert!(
                is_sound(rdb_type, &written(rdb_type, &many)),
                "{rdb_type:?}"
            );
        }
        let intset = written(RdbType::SetIntset, &["1", "5", "-70000"]);
        assert!(is_sound(RdbType::SetIntset, &intset));
        assert!(is_sound(RdbType::String, b"\x03abc"));
    }

    #[test]
    fn a_member_that_comes_twice_is_seen_in_every_form() {
        // 5, 200 and -5000 in every width that holds them, and as text.
        let forms: [&[&[u8]]; 3] = [
            &[
                b"\x05",
                b"\xc0\x05",
                b"\xf1\x05\0",
                b"\xf2\x05\0\0",
                b"\xf3\x05\0\0\0",
                b"\xf4\x05\0\0\0\0\0\0\0",
                b"\x815",
                b"\xe0\x015",
            ],
            &[b"\xc0\xc8", b"\xf1\xc8\0", b"\x83200", b"\xe0\x03200"],
            &[b"\xf1\x78\xec", b"\xf2\x78\xec\xff", b"\x85-5000"],
        ];
        for forms in forms {
            for first in forms {
                for second in forms {
                    let mut entries = Vec::new();
                    for entry in [first, second] {
                        entries.extend_from_slice(entry);
                        entries.push(entry.len() as u8);
                    }
                    let mut blob = (entries.len() as u32 + 7).to_le_bytes().to_vec();
                    blob.extend_from_slice(&[2, 0]);
                    blob.extend_from_slice(&entries);
                    blob.push(0xff);
                    let mut value = vec![blob.len() as u8];
                    value.extend_from_slice(&blob);
                    assert!(
                        !is_sound(RdbType::SetListpack, &value),
                        "{first:?} {second:?}"
                    );
                }
            }
        }
        let strings: [&[&[u8]]; 2] = [
            &[
                b"\xc0\x05",
                b"\xc1\x05\0",
                b"\xc2\x05\0\0\0",
                b"\x015",
                b"\x40\x015",
            ],
            &[b"\x03abc", b"\x40\x03abc", b"\x80\0\0\0\x03abc"],
        ];
        for forms in strings {
            for first in forms {
                for second in forms {
                    let value = [b"\x02", *first, *second].concat();
                    assert!(!is_sound(RdbType::SetTable, &value), "{first:?} {second:?}");
                }
            }
        }
    }

    #[test]
    fn scores_out_of_order_are_seen() {
        let zset = |members: &[(&str, f64)]| {
            let told: Vec<Told> = members.iter().map(|(m, s)| Told::member(m, *s)).collect();
            encoded(RdbType::ZsetListpack, &told).unwrap()
        };
        // Encoding sorts them: exchange the members' names, of equal length, afterwards.
        for (low, high) in [
            (1.0, 2.0),
            (0.1, 0.30000000000000004),
            (-1.5, 1e15),
            (3.0, 3.0),
        ] {
            let mut value = zset(&[("a", low), ("b", high)]);
            assert!(is_sound(RdbType::ZsetListpack, &value), "{low} {high}");
            let mut swapped = value.clone();
            for byte in &mut swapped {
                *byte = match *byte {
                    b'a' => b'b',
                    b'b' => b'a',
                    other => other,
                };
            }
            assert_eq!(
                is_sound(RdbType::ZsetListpack, &swapped),
                low != high,
                "{low} {high}"
            );
            value.truncate(value.len() - 1);
            assert!(!is_sound(RdbType::ZsetListpack, &value));
        }
    }
}
