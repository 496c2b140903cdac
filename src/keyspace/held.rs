//! What stands at a key: a value, or the place in a snapshot where one stands.
//!
//! Most of what a snapshot holds is never looked at by the log behind it. So a value of a snapshot
//! that was checked stays where it is, and is decoded when somebody looks at it. Nobody can look past
//! that: a [`Held`] shows its value only decoded.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use crate::bytes::{Element, Problem};
use crate::error::{Error, Hint, Place, Result, What};
use crate::io::source::Map;
use crate::keyspace::build::load;
use crate::keyspace::hash::Hash;
use crate::keyspace::list::List;
use crate::keyspace::rules::Rules;
use crate::keyspace::set::Set;
use crate::keyspace::stream::Stream;
use crate::keyspace::text::{SHORT, Text};
use crate::keyspace::value::Value;
use crate::keyspace::zset::ZSet;
use crate::rdb::string;
use crate::rdb::value::Scratch;
use crate::record::{DataType, RawValue, RdbType, Stored};

/// A value, or where it stands in a snapshot.
#[derive(Clone, Debug)]
pub struct Held(Value);

impl Held {
    /// A value that stays in a file; none where it is better decoded at once: it is small, or may
    /// come to nothing, or needs more than its bytes. The file must have been checked, and the
    /// keyspace's rules must know it by this number.
    #[inline]
    pub(crate) fn stored(value: &RawValue<'_>, file: u16) -> Option<Held> {
        if !stays(value) {
            return None;
        }
        let spot = Spot {
            of: value.rdb_type,
            file: file.to_le_bytes(),
            at: six(value.at)?,
            len: six(value.bytes.len() as u64)?,
        };
        Some(Held(Value::Stored(spot, OnceLock::new())))
    }

    /// The value, decoded in place if need be.
    #[inline]
    pub fn get(&self, rules: &Rules) -> &Value {
        match &self.0 {
            Value::Stored(spot, ready) => {
                ready.get_or_init(|| Box::new(rules.files.decode(spot, rules)))
            }
            value => value,
        }
    }

    /// The value, decoded if need be, to be changed.
    #[inline]
    pub fn get_mut(&mut self, rules: &Rules) -> &mut Value {
        if matches!(self.0, Value::Stored(..)) {
            self.decode(rules);
        }
        &mut self.0
    }

    #[cold]
    fn decode(&mut self, rules: &Rules) {
        if let Value::Stored(spot, ready) = &mut self.0 {
            self.0 = match ready.take() {
                Some(value) => *value,
                None => rules.files.decode(spot, rules),
            };
        }
    }

    /// The value, for those who look at every key: what is in the file stays there.
    ///
    /// # Errors
    /// A value that cannot be decoded, since the file changed meanwhile.
    pub fn look(&self, rules: &Rules, scratch: &mut Scratch) -> Result<Cow<'_, Value>> {
        match &self.0 {
            Value::Stored(spot, ready) => match ready.get() {
                Some(value) => Ok(Cow::Borrowed(value)),
                None => rules.files.load(spot, rules, scratch).map(Cow::Owned),
            },
            value => Ok(Cow::Borrowed(value)),
        }
    }

    /// The value as it stands in the file, while nobody has looked at it or changed it.
    pub fn raw<'f>(&self, rules: &'f Rules) -> Option<RawValue<'f>> {
        match &self.0 {
            Value::Stored(spot, _) => rules.files.raw(spot),
            _ => None,
        }
    }

    /// Bytes that it will take in memory once somebody looks at it, about, or rather more; none where
    /// somebody has.
    #[inline]
    pub(crate) fn waiting(&self, rules: &Rules) -> Option<u64> {
        match &self.0 {
            Value::Stored(spot, ready) if ready.get().is_none() => Some(rules.files.needs(spot)),
            _ => None,
        }
    }

    /// Its data type.
    #[inline]
    pub fn data_type(&self) -> DataType {
        self.0.data_type()
    }

    /// Looks at what it holds on the heap, as [`Value::fetch`].
    #[inline]
    pub fn fetch(&self) -> usize {
        self.0.fetch()
    }

    /// Bytes that it takes in memory, about, or in the file that it stays in.
    #[inline]
    pub fn heap(&self) -> usize {
        self.0.heap()
    }
}

impl From<Value> for Held {
    #[inline]
    fn from(value: Value) -> Self {
        Held(value)
    }
}

/// Where a value stands in a file: its type, the number of the file, offset and length.
#[derive(Clone, Copy, Debug)]
pub struct Spot {
    of: RdbType,
    file: [u8; 2],
    at: [u8; 6],
    len: [u8; 6],
}

impl Spot {
    pub(super) fn rdb_type(&self) -> RdbType {
        self.of
    }

    pub(super) fn len(&self) -> u64 {
        eight(self.len)
    }

    fn at(&self) -> u64 {
        eight(self.at)
    }
}

/// The lower six bytes of a number that has no more.
#[inline]
fn six(number: u64) -> Option<[u8; 6]> {
    match number.to_le_bytes() {
        [a, b, c, d, e, f, 0, 0] => Some([a, b, c, d, e, f]),
        _ => None,
    }
}

#[inline]
fn eight([a, b, c, d, e, f]: [u8; 6]) -> u64 {
    u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
}

/// Whether a value is worth leaving where it is, and no server would find it empty.
#[inline]
fn stays(value: &RawValue<'_>) -> bool {
    let blob = |bytes| match string::stored(bytes) {
        Ok((_, stored)) => stored.len(),
        Err(_) => 0,
    };
    let count = |bytes| string::number(bytes).map_or(0, |(_, count)| count);
    match value.rdb_type {
        RdbType::String => match string::stored(value.bytes) {
            Ok((_, Stored::Plain(Element::Bytes(bytes)))) => bytes.len() > SHORT,
            Ok((_, Stored::Lzf { .. })) => true,
            _ => false,
        },
        RdbType::HashListpack
        | RdbType::SetListpack
        | RdbType::SetIntset
        | RdbType::ZsetListpack
        | RdbType::HashZiplist
        | RdbType::ZsetZiplist
        | RdbType::ListZiplist => blob(value.bytes) > EMPTY_BLOB,
        RdbType::ListLinked
        | RdbType::SetTable
        | RdbType::ZsetText
        | RdbType::ZsetBinary
        | RdbType::HashTable => count(value.bytes) > 0,
        RdbType::Quicklist => match string::number(value.bytes) {
            Ok((rest, 1..)) => blob(rest) > EMPTY_BLOB,
            _ => false,
        },
        RdbType::Quicklist2 => match string::number(value.bytes) {
            Ok((rest, 1..)) => string::number(rest)
                .is_ok_and(|(rest, container)| container == 1 || blob(rest) > EMPTY_BLOB),
            _ => false,
        },
        RdbType::Stream1 | RdbType::Stream2 | RdbType::Stream3 | RdbType::Stream4 => true,
        // Fields whose time has passed, names that stand elsewhere, values of modules.
        _ => false,
    }
}

/// No blob without entries is longer than this: a ziplist has 11 bytes, a listpack 7, an intset 8.
const EMPTY_BLOB: u64 = 11;

/// The files that values of a keyspace stay in.
#[derive(Debug, Default)]
pub struct Files {
    maps: Vec<Option<Arc<Map>>>,
    /// Nothing more is decoded: there is no memory for it, or a file has changed.
    closed: AtomicBool,
    fault: Mutex<Option<Error>>,
}

impl Files {
    /// These, by their numbers; those that are none hold no values that stay.
    pub(crate) fn new(maps: Vec<Option<Arc<Map>>>) -> Self {
        Files {
            maps,
            ..Files::default()
        }
    }

    /// Whether values of this file may stay in it.
    pub(crate) fn has(&self, file: u16) -> bool {
        self.maps
            .get(usize::from(file))
            .is_some_and(Option::is_some)
    }

    /// From here on, what is looked at is nothing: it needs so many bytes more memory than there may
    /// be. Whoever works on the keyspace must find out by [`fault`](Self::fault), and not use it.
    #[cold]
    pub(crate) fn close(&self, bytes: u64) {
        let text = format!("a value needs {bytes} bytes more memory than there may be");
        self.spoil(Error::limit(text).with_hint(Hint::Other("`--max-memory` sets this limit")));
    }

    /// Whether there is a [`fault`](Self::fault).
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Why what was decoded is not what it should be, if so.
    pub(crate) fn fault(&self) -> Option<Error> {
        let mut fault = self.fault.lock().unwrap_or_else(|e| e.into_inner());
        fault.take()
    }

    #[cold]
    fn spoil(&self, error: Error) {
        let mut fault = self.fault.lock().unwrap_or_else(|e| e.into_inner());
        fault.get_or_insert(error);
        self.closed.store(true, Ordering::Relaxed);
    }

    fn raw(&self, spot: &Spot) -> Option<RawValue<'_>> {
        let map = self.maps.get(usize::from(u16::from_le_bytes(spot.file)))?;
        let start = usize::try_from(spot.at()).ok()?;
        let len = usize::try_from(spot.len()).ok()?;
        Some(RawValue {
            rdb_type: spot.of,
            bytes: map.as_ref()?.get(start..start.checked_add(len)?)?,
            at: spot.at(),
        })
    }

    fn needs(&self, spot: &Spot) -> u64 {
        let bytes = self.raw(spot).map_or(&[] as &[u8], |raw| raw.bytes);
        match string::stored(bytes) {
            Ok((_, stored)) if spot.of == RdbType::String => stored.len(),
            Ok((_, Stored::Lzf { len, .. })) => len.saturating_add(bytes.len() as u64) * 4,
            _ => bytes.len() as u64 * 8,
        }
    }

    fn load(&self, spot: &Spot, rules: &Rules, scratch: &mut Scratch) -> Result<Value> {
        let changed = || {
            Error::bytes(Problem::Malformed, Place::at(spot.at()), What::Value)
                .in_type(spot.of.number(), spot.of.name())
                .with_hint(Hint::Other("the file changed while it was read"))
        };
        let raw = self.raw(spot).ok_or_else(changed)?;
        load(&raw, scratch, rules)?.ok_or_else(changed)
    }

    #[cold]
    fn decode(&self, spot: &Spot, rules: &Rules) -> Value {
        if !self.is_closed() {
            match self.load(spot, rules, &mut Scratch::default()) {
                Ok(value) => return value,
                Err(error) => self.spoil(error),
            }
        }
        match spot.of.data_type() {
            DataType::List => Value::List(List::new()),
            DataType::Set => Value::Set(Set::new()),
            DataType::ZSet => Value::ZSet(ZSet::new()),
            DataType::Hash => Value::Hash(Hash::new()),
            DataType::Stream => Value::Stream(Box::new(Stream::new())),
            _ => Value::String(Text::default()),
        }
    }
}
