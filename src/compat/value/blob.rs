//! Values that are packed into one string, or into a few.

use std::collections::HashSet;

use crate::bytes::number::parse_canonical_i64;
use crate::bytes::{Element, Problem};
use crate::compat::number::is_space;
use crate::compat::release::Release;
use crate::compat::rio::{Bad, Got, Rio, said};
use crate::compat::value::packed::{Each, listpack, ziplist};
use crate::compat::value::{LATEST, Loaded, Loader, PACKED_MEMBERS, types};
use crate::encoding::intset::Intset;
use crate::encoding::zipmap::Zipmap;

/// A name, equal to each that is the same text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Name<'d> {
    Int(i64),
    Text(&'d [u8]),
}

impl<'d> Name<'d> {
    fn of(element: Element<'d>) -> Self {
        match element {
            Element::Int(n) => Name::Int(n),
            Element::Bytes(text) => match parse_canonical_i64(text) {
                Some(n) => Name::Int(n),
                None => Name::Text(text),
            },
        }
    }
}

impl Loader<'_> {
    /// A list of packed nodes.
    pub(super) fn quicklist(&mut self, number: u8, rio: &mut Rio<'_>) -> Got {
        let old = self.release.is_old();
        let nodes = self.count(rio)?;
        let mut elements = 0u64;
        for _ in 0..nodes {
            let mut plain = false;
            if number == types::QUICKLIST_2 {
                plain = match rio.number()? {
                    PLAIN => true,
                    PACKED => false,
                    _ => return said("Quicklist integrity check failed."),
                };
            }
            let blob = rio.string()?;
            if blob.len() == 0 && !self.release.is_old() {
                return Err(Bad::End);
            }
            if plain {
                self.element(blob.len());
                elements += 1;
                continue;
            }
            let blob = blob.bytes();
            let mut each = |element: Element<'_>| {
                self.element(element.len() as u64);
                elements += 1;
                true
            };
            if number == types::QUICKLIST_2 {
                if !listpack(&blob, &mut each) {
                    return unsound("Listpack");
                }
            } else if !ziplist(&blob, old, &mut each) {
                return unsound("Ziplist");
            }
        }
        // A list of nothing is no list.
        match elements {
            0 if !self.release.is_old() => Err(Bad::End),
            _ => Ok(()),
        }
    }

    /// A value in one string.
    pub(super) fn packed(&mut self, number: u8, rio: &mut Rio<'_>) -> Got<Loaded> {
        if number == types::HASH_LISTPACK_EX && rio.array::<8>().is_err() {
            return said("Short read of listpackex min expiration time.");
        }
        let old = self.release.is_old();
        let text = rio.string()?;
        let blob = text.bytes();
        let blob = &*blob;
        let found = match number {
            types::ZIPMAP => self.zipmap(blob)?,
            types::LIST_ZIPLIST => self.told("List ziplist", |each| ziplist(blob, old, each))?,
            types::INTSET => self.told("Intset", |each| intset(blob, each))?,
            types::ZSET_ZIPLIST => self.scored("Zset ziplist", |each| ziplist(blob, old, each))?,
            types::ZSET_LISTPACK => self.scored("Zset listpack", |each| listpack(blob, each))?,
            types::HASH_ZIPLIST => {
                self.groups("Hash ziplist", 2, |each| ziplist(blob, old, each), |_| {})?
            }
            types::HASH_LISTPACK => {
                self.groups("Hash listpack", 2, |each| listpack(blob, each), |_| {})?
            }
            types::SET_LISTPACK => {
                self.groups("Set listpack", 1, |each| listpack(blob, each), |_| {})?
            }
            types::HASH_LISTPACK_EX | types::HASH_LISTPACK_EX_PRE_GA => return self.timed(blob),
            _ => return said(format!("Unknown RDB encoding type {number}")),
        };
        match number {
            types::ZSET_ZIPLIST | types::ZSET_LISTPACK => self.members(found / 2, 0),
            types::HASH_ZIPLIST | types::HASH_LISTPACK => self.counted(found / 2),
            types::SET_LISTPACK => self.counted(found),
            // Those were counted one by one.
            _ => {}
        }
        match found {
            0 if !self.release.is_old() => Err(Bad::End),
            _ => Ok(Loaded::default()),
        }
    }

    /// Elements of which any may come twice.
    fn told<'d>(&mut self, what: &str, walk: impl FnOnce(Each<'_, 'd>) -> bool) -> Got<u64> {
        let mut count = 0;
        let sound = walk(&mut |element| {
            count += 1;
            self.element(element.len() as u64);
            true
        });
        if sound { Ok(count) } else { unsound(what) }
    }

    /// Groups of elements, the first of which may not come twice; they are measured only. `last` is
    /// told the last of each.
    fn groups<'d>(
        &mut self,
        what: &str,
        size: u64,
        walk: impl FnOnce(Each<'_, 'd>) -> bool,
        mut last: impl FnMut(Element<'d>),
    ) -> Got<u64> {
        let mut seen = HashSet::new();
        let mut count = 0u64;
        let mut bytes = 0;
        let sound = walk(&mut |element| {
            let is_first = count.is_multiple_of(size);
            count += 1;
            bytes += element.len() as u64;
            if count.is_multiple_of(size) {
                self.size(std::mem::take(&mut bytes));
                last(element);
            }
            !is_first || seen.insert(Name::of(element))
        });
        match sound && count.is_multiple_of(size) {
            true => Ok(count),
            false => unsound(what),
        }
    }

    /// Members and their scores. Who does not look for one that is no number crashes once it is to be
    /// sorted.
    fn scored<'d>(&mut self, what: &str, walk: impl FnOnce(Each<'_, 'd>) -> bool) -> Got<u64> {
        let (mut has_nan, release) = (false, self.release);
        let count = self.groups(what, 2, walk, |score| {
            has_nan |= matches!(score, Element::Bytes(text) if is_nan(text, release));
        })?;
        let looks = release == Release::Valkey91 || count / 2 > PACKED_MEMBERS;
        match has_nan && looks {
            true => said(format!("{what} with NAN score detected")),
            false => Ok(count),
        }
    }

    /// A hash in groups of three: field, value, time.
    fn timed(&mut self, blob: &[u8]) -> Got<Loaded> {
        let mut seen = HashSet::new();
        let mut loaded = Loaded::default();
        let (mut count, mut bytes, mut last) = (0u64, 0, 0);
        let mut open = false;
        let sound = listpack(blob, &mut |element| {
            let place = count % 3;
            count += 1;
            match (place, element) {
                (0, field) => {
                    bytes = field.len() as u64;
                    seen.insert(Name::of(field))
                }
                (1, value) => {
                    bytes += value.len() as u64;
                    true
                }
                (_, Element::Int(time)) => {
                    self.element(bytes);
                    let Ok(time) = u64::try_from(time) else {
                        return false;
                    };
                    loaded.fields_expire |= time != 0;
                    // Those with a time come first, the earliest in front.
                    let ordered = time == 0 || (!open && time >= last);
                    open |= time == 0;
                    last = time.max(last);
                    ordered && time <= LATEST
                }
                (_, Element::Bytes(_)) => false,
            }
        });
        match (sound && count.is_multiple_of(3), count) {
            (false, _) => unsound("Hash listpack"),
            (true, 0) => Err(Bad::End),
            (true, _) => Ok(loaded),
        }
    }

    fn zipmap(&mut self, blob: &[u8]) -> Got<u64> {
        let Ok(map) = Zipmap::open(blob) else {
            return unsound("Zipmap");
        };
        let mut entries = map.entries();
        let mut pairs = Vec::new();
        loop {
            match entries.next() {
                Ok(Some(pair)) => pairs.push(pair),
                Ok(None) => match entries.flaw().map(|flaw| flaw.problem) {
                    // Nobody looks behind the end mark.
                    None | Some(Problem::BlobTrailing { .. }) => break,
                    Some(_) => return unsound("Zipmap"),
                },
                _ => return unsound("Zipmap"),
            }
        }
        if pairs.is_empty() && !self.release.is_old() {
            return unsound("Zipmap");
        }
        let mut seen = HashSet::new();
        for (field, value) in &pairs {
            self.element((field.len() + value.len()) as u64);
            if !seen.insert(*field) {
                let len = field.len();
                return said(format!(
                    "Hash zipmap with dup elements, or big length ({len})"
                ));
            }
        }
        Ok(pairs.len() as u64)
    }
}

fn unsound<T>(what: &str) -> Got<T> {
    said(format!("{what} integrity check failed."))
}

/// Whether the servers' `strtod` makes no number of a score. Newer ones do not pass over blanks.
fn is_nan(text: &[u8], release: Release) -> bool {
    let blanks = match release {
        Release::Redis82 | Release::Valkey91 => 0,
        _ => text.iter().take_while(|c| is_space(**c)).count(),
    };
    let text = text.get(blanks..).unwrap_or_default();
    let text = match text {
        [b'+' | b'-', rest @ ..] => rest,
        _ => text,
    };
    text.get(..3)
        .is_some_and(|start| start.eq_ignore_ascii_case(b"nan"))
}

fn intset(blob: &[u8], each: Each<'_, '_>) -> bool {
    let Ok(set) = Intset::open(blob) else {
        return false;
    };
    let told = set.for_each(|n| {
        if each(Element::Int(n)) {
            Ok(())
        } else {
            Err(())
        }
    });
    set.count() > 0 && set.flaw().is_none() && told.is_ok()
}

/// How a list's node is kept.
const PLAIN: u64 = 1;
const PACKED: u64 = 2;
