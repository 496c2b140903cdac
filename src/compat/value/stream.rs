//! Streams: packed entries, consumer groups, what is pending for whom.

use std::collections::{HashMap, HashSet};

use crate::bytes::Element;
use crate::bytes::number::parse_canonical_i64;
use crate::compat::number::c_string;
use crate::compat::release::Release;
use crate::compat::rio::{Bad, Got, Rio, said};
use crate::compat::value::packed::Listpack;
use crate::compat::value::{Loader, types};

/// An entry's ID, as it stands in keys and lists.
type RawId = [u8; 16];

impl Loader<'_> {
    /// A stream.
    pub(super) fn stream(&mut self, number: u8, rio: &mut Rio<'_>) -> Got {
        let nodes = read(rio.number(), "Stream listpacks len loading failed.")?;
        let mut keys: HashSet<RawId> = HashSet::new();
        let mut entries = 0u64;
        for _ in 0..nodes {
            let wrong = match self.release.is_valkey() {
                true => "Stream primary ID loading failed: invalid encoding or I/O error.",
                false => "Stream master ID loading failed: invalid encoding or I/O error.",
            };
            let key = read(rio.string(), wrong)?;
            let Ok(key) = RawId::try_from(&*key.bytes()) else {
                return said("Stream node key entry is not the size of a stream ID");
            };
            let blob = read(rio.string(), "Stream listpacks loading failed.")?;
            let blob = blob.bytes();
            match node(&blob, self.release) {
                Some(found) => {
                    entries = entries.wrapping_add(found.entries);
                    self.counted(found.entries);
                    for size in found.pairs {
                        self.size(size);
                    }
                }
                None => return said("Stream listpack integrity check failed."),
            }
            if !keys.insert(key) {
                return said("Listpack re-added with existing key");
            }
        }
        let length = rio.loose()?;
        // The last ID; and since the second form the first, the highest deleted, and a count.
        let more = if number == types::STREAM { 2 } else { 7 };
        for _ in 0..more {
            rio.loose()?;
        }
        if rio.has_failed() {
            return said("Stream object metadata loading failed.");
        }
        if length > 0 && keys.is_empty() && !self.release.is_old() {
            return said("Stream length inconsistent with rax entries");
        }
        if self.release == Release::Valkey91 && length != entries {
            return said("Stream length inconsistent with the number of valid entries");
        }
        let groups = read(rio.number(), "Stream cgroup count loading failed.")?;
        let mut names: HashSet<Vec<u8>> = HashSet::new();
        for _ in 0..groups {
            let wrong = "Error reading the consumer group name from Stream";
            let name = read(rio.string(), wrong)?.bytes().into_owned();
            for _ in 0..2 {
                rio.loose()?;
            }
            if rio.has_failed() {
                return said("Stream cgroup ID loading failed.");
            }
            if number != types::STREAM {
                rio.loose()?;
                if rio.has_failed() {
                    return said("Stream cgroup offset loading failed.");
                }
            }
            if names.contains(&name) {
                let told = b"Duplicated consumer group name";
                // Valkey hides what is the users'.
                return match self.release.is_valkey() {
                    true => said(*told),
                    false => said([told, &b" "[..], c_string(&name)].concat()),
                };
            }
            names.insert(name);
            group(number, self.release, rio)?;
        }
        Ok(())
    }
}

/// A group's pending entries and consumers.
fn group(number: u8, release: Release, rio: &mut Rio<'_>) -> Got {
    let count = read(rio.number(), "Stream PEL size loading failed.")?;
    // Who has them.
    let mut pending: HashMap<RawId, Option<usize>> = HashMap::new();
    for _ in 0..count {
        let id: RawId = read(rio.array(), "Stream PEL ID loading failed.")?;
        let time = rio.array::<8>();
        rio.loose()?;
        if time.is_err() || rio.has_failed() {
            return said("Stream PEL NACK loading failed.");
        }
        if pending.insert(id, None).is_some() {
            return said("Duplicated global PEL entry loading stream consumer group");
        }
    }
    let consumers = read(rio.number(), "Stream consumers num loading failed.")?;
    let mut known: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut taken: HashSet<(usize, RawId)> = HashSet::new();
    for _ in 0..consumers {
        let wrong = "Error reading the consumer name from Stream group.";
        let name = read(rio.string(), wrong)?.bytes().into_owned();
        let number_of_own = known.len();
        let consumer = *known.entry(name).or_insert(number_of_own);
        // Redis 6.2 goes on with the one that it has.
        if consumer < number_of_own && !release.is_old() {
            return said("Duplicate stream consumer detected.");
        }
        read(rio.array::<8>(), "Stream short read reading seen time.")?;
        if number == types::STREAM_3 {
            read(rio.array::<8>(), "Stream short read reading active time.")?;
        }
        let count = read(rio.number(), "Stream consumer PEL num loading failed.")?;
        for _ in 0..count {
            let wrong = "Stream short read reading PEL streamID.";
            let id: RawId = read(rio.array(), wrong)?;
            let Some(owner) = pending.get_mut(&id) else {
                return said("Consumer entry not found in group global PEL");
            };
            match (release, owner.replace(consumer)) {
                (Release::Redis70, Some(_)) => {
                    return said("Stream consumer PEL entry already has a consumer assigned");
                }
                (Release::Valkey91, Some(other)) if other != consumer => {
                    return said(
                        "NACK already assigned to a different consumer, shared NACKs across \
                         consumers are not valid",
                    );
                }
                _ => {}
            }
            if !taken.insert((consumer, id)) {
                // Both blanks are theirs.
                return said("Duplicated consumer PEL entry  loading a stream consumer group");
            }
        }
    }
    match release.is_old() || pending.values().all(Option::is_some) {
        true => Ok(()),
        false => said("Stream CG PEL entry without consumer"),
    }
}

/// What was read, or that it could not be.
fn read<T>(got: Got<T>, wrong: &str) -> Got<T> {
    match got {
        Err(Bad::End) => said(wrong),
        got => got,
    }
}

/// What is in a node.
#[derive(Default)]
struct Found {
    /// Entries that were not deleted.
    entries: u64,
    /// The sizes of their pairs.
    pairs: Vec<u64>,
}

/// What is in a node; none where it is not in order.
fn node(blob: &[u8], release: Release) -> Option<Found> {
    let mut entries = Node(Listpack::open(blob)?);
    let live = entries.integer()?;
    let deleted = entries.integer()?;
    let common = entries.integer()?;
    let mut names = Vec::new();
    for _ in 0..common {
        names.push(entries.len()?);
    }
    if entries.integer()? != 0 {
        return None;
    }
    let mut left = live.wrapping_add(deleted);
    let mut found = Found::default();
    let mut dead = 0;
    while left != 0 {
        left = left.wrapping_sub(1);
        let flags = entries.integer()?;
        for _ in 0..2 {
            match release.is_old() {
                true => entries.len().map(drop)?,
                false => entries.integer().map(drop)?,
            }
        }
        let (mut fields, mut others) = (common, 3);
        let is_live = flags & DELETED == 0;
        found.entries += u64::from(is_live);
        dead += i64::from(!is_live);
        if flags & SAME_FIELDS == 0 {
            fields = entries.integer()?;
            others = fields.wrapping_add(4);
            for _ in 0..fields {
                let pair = entries.len()? + entries.len()?;
                found.pairs.extend(is_live.then_some(pair));
            }
        } else {
            for name in &names {
                let pair = name + entries.len()?;
                found.pairs.extend(is_live.then_some(pair));
            }
        }
        if entries.integer()? != fields.wrapping_add(others) {
            return None;
        }
    }
    // What follows an end mark, and how many entries there should be, only the newest looks at.
    let ends = entries.0.next() == Ok(None);
    let counts =
        || entries.0.is_whole() && dead == deleted && i64::try_from(found.entries) == Ok(live);
    (ends && (release != Release::Valkey91 || counts())).then_some(found)
}

/// The entries of a listpack, of which each is either what is expected or wrong.
struct Node<'d>(Listpack<'d>);

impl<'d> Node<'d> {
    fn next(&mut self) -> Option<Element<'d>> {
        self.0.next().ok()?
    }

    fn len(&mut self) -> Option<u64> {
        self.next().map(|element| element.len() as u64)
    }

    fn integer(&mut self) -> Option<i64> {
        match self.next()? {
            Element::Int(n) => Some(n),
            Element::Bytes(text) => parse_canonical_i64(text),
        }
    }
}

/// The entry was deleted.
const DELETED: i64 = 1;
/// The entry has the fields of its node.
const SAME_FIELDS: i64 = 2;
