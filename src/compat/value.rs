//! Values as the servers' loader takes them, with the deep checks that the checkers switch on: what
//! it refuses, and how far it has read by then.

mod blob;
mod packed;
mod stream;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::bytes::number::{ScoreText, write_double};
use crate::compat::number::strtod_prefix;
use crate::compat::release::Release;
use crate::compat::rio::{Bad, Got, Rio, Text, said};
use crate::compat::stats::Measure;
use crate::rdb::value::module;

/// What of a value is counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Loaded {
    /// Some field of it has a time of its own.
    pub(super) fields_expire: bool,
}

/// Reads values.
pub(super) struct Loader<'m> {
    pub(super) release: Release,
    /// Measures what is in a value, where statistics are wanted.
    pub(super) measure: Option<&'m mut Measure>,
}

impl Loader<'_> {
    /// Takes a value of this type.
    pub(super) fn load(&mut self, number: u8, rio: &mut Rio<'_>) -> Got<Loaded> {
        match number {
            types::STRING => {
                let text = rio.string()?;
                self.element(text.len());
            }
            types::LIST => self.list(rio)?,
            types::SET => self.set(rio)?,
            types::ZSET | types::ZSET_2 => self.zset(number, rio)?,
            types::HASH | types::HASH_2 if number == types::HASH || self.release.is_valkey() => {
                self.hash(number, rio)?;
            }
            // Older ones still look for the module of one in the older form, and have none.
            types::MODULE_PRE_GA if matches!(self.release, Release::Redis62 | Release::Redis70) => {
                let id = rio.loose()?;
                if rio.has_failed() {
                    return said("Short read module id");
                }
                let name = module::split_id(id).0;
                let name = String::from_utf8_lossy(&name);
                return said(format!(
                    "The RDB file contains module data I can't load: no matching module type '{name}'"
                ));
            }
            types::MODULE_PRE_GA => return said("Pre-release module format not supported"),
            types::MODULE_2 => {
                let id = rio.loose()?;
                if rio.has_failed() {
                    return said("Short read module id");
                }
                module_items(id, rio)?;
                self.element(MODULE_TEXT);
            }
            types::QUICKLIST | types::QUICKLIST_2 => self.quicklist(number, rio)?,
            types::STREAM | types::STREAM_2 | types::STREAM_3 => self.stream(number, rio)?,
            types::HASH_METADATA_PRE_GA | types::HASH_METADATA => {
                return self.hash_with_times(number, rio);
            }
            _ => return self.packed(number, rio),
        }
        Ok(Loaded::default())
    }

    /// Counts an element of this size.
    #[inline]
    fn element(&mut self, size: u64) {
        if let Some(measure) = &mut self.measure {
            measure.size(size);
            measure.count += 1;
        }
    }

    /// Measures something of this size, which is no element or not the only part of one.
    fn size(&mut self, size: u64) {
        if let Some(measure) = &mut self.measure {
            measure.size(size);
        }
    }

    /// Counts elements that were measured.
    fn counted(&mut self, count: u64) {
        if let Some(measure) = &mut self.measure {
            measure.count += count;
        }
    }

    /// Counts the members of a sorted set: while it is packed, their scores are counted too.
    fn members(&mut self, count: u64, longest: u64) {
        let packed = count <= PACKED_MEMBERS && longest <= PACKED_LENGTH;
        self.counted(if packed { 2 * count } else { count });
    }

    /// The count of a collection, which is never 0 but in old files of old servers.
    fn count(&self, rio: &mut Rio<'_>) -> Got<u64> {
        match rio.number()? {
            0 if !self.release.is_old() => Err(Bad::End),
            count => Ok(count),
        }
    }

    /// The count of members that get their room at once. For so many as this is asked for here there
    /// is none on any machine; of still more the servers lose count, and go on.
    fn roomy_count(&self, is_zset: bool, rio: &mut Rio<'_>) -> Got<u64> {
        let count = self.count(rio)?;
        let most = match self.release.is_valkey() {
            true => u64::MAX / 20,
            false => 1 << 60,
        };
        if (HOPELESS..=most).contains(&count) {
            let what = match self.release {
                Release::Valkey91 => "hashtable",
                Release::Valkey81 if !is_zset => "hashtable",
                _ => "dict",
            };
            return said(format!("OOM in {what}TryExpand {count}"));
        }
        Ok(count)
    }

    fn list(&mut self, rio: &mut Rio<'_>) -> Got {
        for _ in 0..self.count(rio)? {
            let text = rio.string()?;
            self.element(text.len());
        }
        Ok(())
    }

    fn set(&mut self, rio: &mut Rio<'_>) -> Got {
        let count = self.roomy_count(false, rio)?;
        let mut seen = Seen::new(count);
        for _ in 0..count {
            let (at, text) = (rio.offset(), rio.string()?);
            self.element(text.len());
            if !seen.add(at, text, rio) {
                return said("Duplicate set members detected");
            }
        }
        Ok(())
    }

    fn zset(&mut self, number: u8, rio: &mut Rio<'_>) -> Got {
        let count = self.roomy_count(true, rio)?;
        let mut seen = Seen::new(count);
        let mut longest = 0;
        for _ in 0..count {
            let (at, text) = (rio.offset(), rio.string()?);
            let score = match number {
                types::ZSET_2 => f64::from_le_bytes(rio.array()?),
                _ => score_text(rio)?,
            };
            if score.is_nan() {
                return said("Zset with NAN score detected");
            }
            if self.measure.is_some() {
                longest = text.len().max(longest);
                let mut shown = Vec::new();
                write_double(&mut shown, score, ScoreText::Grisu2);
                self.size(text.len() + shown.len() as u64);
            }
            if !seen.add(at, text, rio) {
                return said("Duplicate zset fields detected");
            }
        }
        self.members(count, longest);
        Ok(())
    }

    fn hash(&mut self, number: u8, rio: &mut Rio<'_>) -> Got {
        let count = self.roomy_count(false, rio)?;
        let mut seen = Seen::new(count);
        let mut packed = number == types::HASH && count <= PACKED_FIELDS;
        for _ in 0..count {
            let (at, field) = (rio.offset(), rio.string()?);
            let value = rio.string()?;
            if number == types::HASH_2 {
                // -1 is the mark of none.
                if i64::from_le_bytes(rio.array()?) < -1 {
                    return Err(Bad::End);
                }
            }
            self.element(field.len() + value.len());
            if !seen.add(at, field, rio) {
                return field_twice(packed);
            }
            packed &= field.len().max(value.len()) <= PACKED_LENGTH;
        }
        Ok(())
    }

    /// A hash some of whose fields have times of their own (Redis 7.4).
    fn hash_with_times(&mut self, number: u8, rio: &mut Rio<'_>) -> Got<Loaded> {
        let mut earliest = 0;
        if number == types::HASH_METADATA {
            earliest = least_time(rio)?;
            if earliest > LATEST + 1 {
                return said("Hash read invalid minExpire value");
            }
        }
        let count = self.count(rio)?;
        let mut seen = Seen::new(count);
        let mut packed = count <= PACKED_FIELDS;
        let mut loaded = Loaded::default();
        for _ in 0..count {
            let (time, _) = rio.coded_len()?;
            let time = match (number, time) {
                (types::HASH_METADATA, 1..) => time.wrapping_add(earliest).wrapping_sub(1),
                _ => time,
            };
            if time > LATEST {
                return said(format!("invalid expireAt time: {time}"));
            }
            loaded.fields_expire |= time != 0;
            let (at, field) = (rio.offset(), rio.string()?);
            let value = rio.string()?;
            self.element(field.len() + value.len());
            if !seen.add(at, field, rio) {
                return field_twice(packed);
            }
            packed &= field.len().max(value.len()) <= PACKED_LENGTH;
        }
        Ok(loaded)
    }
}

/// A field that comes twice is told by who finds it: while the hash is packed, a search of its own.
fn field_twice<T>(packed: bool) -> Got<T> {
    match packed {
        true => said("Hash with dup elements"),
        false => said("Duplicate hash fields detected"),
    }
}

/// A score as text, with its length in front.
fn score_text(rio: &mut Rio<'_>) -> Got<f64> {
    match rio.byte()? {
        255 => Ok(f64::NEG_INFINITY),
        254 => Ok(f64::INFINITY),
        253 => Ok(f64::NAN),
        len => {
            let text = rio.take(u64::from(len))?;
            strtod_prefix(text).ok_or(Bad::End)
        }
    }
}

/// The earliest time of a hash's fields.
fn least_time(rio: &mut Rio<'_>) -> Got<u64> {
    match rio.array() {
        Ok(bytes) => Ok(u64::from_le_bytes(bytes)),
        Err(_) => said("Hash failed loading minExpire"),
    }
}

/// Passes over what a module of this identity has written: items, each behind its kind.
pub(super) fn module_items(id: u64, rio: &mut Rio<'_>) -> Got {
    let fallible = |bad, what| match bad {
        Bad::End => {
            let name = module::split_id(id).0;
            let name = String::from_utf8_lossy(&name);
            said(format!("Error reading {what} from module {name} value"))
        }
        bad => Err(bad),
    };
    loop {
        match rio.number()? {
            items::END => return Ok(()),
            items::SIGNED | items::UNSIGNED => {
                let read = rio.coded_len();
                read.map(drop).or_else(|bad| fallible(bad, "integer"))?;
            }
            items::FLOAT => {
                let read = rio.array::<4>();
                read.map(drop).or_else(|bad| fallible(bad, "float"))?;
            }
            items::DOUBLE => {
                let read = rio.array::<8>();
                read.map(drop).or_else(|bad| fallible(bad, "double"))?;
            }
            items::STRING => {
                let read = rio.string();
                read.map(drop).or_else(|bad| fallible(bad, "string"))?;
            }
            // The tools pass over the kind and read on.
            _ => {}
        }
    }
}

/// The members of a value so far, to find one that comes twice: what each hashes to, and where it
/// stands, to be read again.
pub(super) struct Seen {
    hasher: RandomState,
    places: HashMap<u64, usize>,
}

impl Seen {
    pub(super) fn new(count: u64) -> Self {
        let room = usize::try_from(count).unwrap_or(0).min(FIRST_ROOM);
        Seen {
            hasher: RandomState::new(),
            places: HashMap::with_capacity(room),
        }
    }

    /// Adds the member that stands at `at`; false where it came before.
    #[inline]
    pub(super) fn add(&mut self, at: usize, text: Text<'_>, rio: &Rio<'_>) -> bool {
        let bytes = text.bytes();
        let hash = self.hasher.hash_one(&*bytes);
        let Some(before) = self.places.insert(hash, at) else {
            return true;
        };
        match rio.again(before).string() {
            Ok(earlier) => earlier.bytes() != bytes,
            Err(_) => true,
        }
    }
}

/// A sorted set of more members is not packed.
const PACKED_MEMBERS: u64 = 128;
/// A hash of more fields is not packed.
const PACKED_FIELDS: u64 = 512;
/// Nor is one with longer members, names or values.
const PACKED_LENGTH: u64 = 64;
/// The text that stands for what a module has written (`module-dummy-value`).
const MODULE_TEXT: u64 = 18;
/// Room that is made for members before they are read.
const FIRST_ROOM: usize = 1024;
/// Members from this count on have no room in 47 bits of addresses.
const HOPELESS: u64 = 1 << 44;
/// The latest time that a field may have.
const LATEST: u64 = 0xffff_ffff_ffff;

/// The numbers of the types.
pub(super) mod types {
    pub(in crate::compat) const STRING: u8 = 0;
    pub(in crate::compat) const LIST: u8 = 1;
    pub(in crate::compat) const SET: u8 = 2;
    pub(in crate::compat) const ZSET: u8 = 3;
    pub(in crate::compat) const HASH: u8 = 4;
    pub(in crate::compat) const ZSET_2: u8 = 5;
    pub(in crate::compat) const MODULE_PRE_GA: u8 = 6;
    pub(in crate::compat) const MODULE_2: u8 = 7;
    pub(in crate::compat) const ZIPMAP: u8 = 9;
    pub(in crate::compat) const LIST_ZIPLIST: u8 = 10;
    pub(in crate::compat) const INTSET: u8 = 11;
    pub(in crate::compat) const ZSET_ZIPLIST: u8 = 12;
    pub(in crate::compat) const HASH_ZIPLIST: u8 = 13;
    pub(in crate::compat) const QUICKLIST: u8 = 14;
    pub(in crate::compat) const STREAM: u8 = 15;
    pub(in crate::compat) const HASH_LISTPACK: u8 = 16;
    pub(in crate::compat) const ZSET_LISTPACK: u8 = 17;
    pub(in crate::compat) const QUICKLIST_2: u8 = 18;
    pub(in crate::compat) const STREAM_2: u8 = 19;
    pub(in crate::compat) const SET_LISTPACK: u8 = 20;
    pub(in crate::compat) const STREAM_3: u8 = 21;
    /// Valkey 9: a hash whose fields may have times. Redis: see below.
    pub(in crate::compat) const HASH_2: u8 = 22;
    pub(in crate::compat) const HASH_METADATA_PRE_GA: u8 = 22;
    pub(in crate::compat) const HASH_LISTPACK_EX_PRE_GA: u8 = 23;
    pub(in crate::compat) const HASH_METADATA: u8 = 24;
    pub(in crate::compat) const HASH_LISTPACK_EX: u8 = 25;
}

/// The kinds of items that modules write.
mod items {
    pub(super) const END: u64 = 0;
    pub(super) const SIGNED: u64 = 1;
    pub(super) const UNSIGNED: u64 = 2;
    pub(super) const FLOAT: u64 = 3;
    pub(super) const DOUBLE: u64 = 4;
    pub(super) const STRING: u64 = 5;
}
