//! A value of the keyspace, of any type.

use std::sync::OnceLock;

use crate::bytes::{Element, Problem};
use crate::error::{Error, Place, Result, What};
use crate::keyspace::hash::Hash;
use crate::keyspace::held::Spot;
use crate::keyspace::list::List;
use crate::keyspace::module::Module;
use crate::keyspace::rules::Rules;
use crate::keyspace::set::Set;
use crate::keyspace::stream::Stream;
use crate::keyspace::text::Text;
use crate::keyspace::zset::ZSet;
use crate::record::{DataType, RdbType, ValueVisitor, Walk};

/// A value held in memory.
#[derive(Clone, Debug)]
pub enum Value {
    /// A string.
    String(Text),
    /// A list; never empty in a database.
    List(List),
    /// A set; never empty in a database.
    Set(Set),
    /// A sorted set; never empty in a database.
    ZSet(ZSet),
    /// A hash; never empty in a database.
    Hash(Hash),
    /// A stream.
    Stream(Box<Stream>),
    /// A value of a module, as its typed items.
    Module(Box<Module>),
    /// Where it stands in a file, and the value once somebody has looked at it. Only a
    /// [`Held`](crate::keyspace::Held) has this, and shows nobody. It is a form of its own here so
    /// that it takes no more room than the others.
    #[doc(hidden)]
    Stored(Spot, OnceLock<Box<Value>>),
}

impl Value {
    /// Its data type.
    pub fn data_type(&self) -> DataType {
        match self {
            Value::String(_) => DataType::String,
            Value::List(_) => DataType::List,
            Value::Set(_) => DataType::Set,
            Value::ZSet(_) => DataType::ZSet,
            Value::Hash(_) => DataType::Hash,
            Value::Stream(_) => DataType::Stream,
            Value::Module(_) => DataType::Module,
            Value::Stored(spot, _) => spot.rdb_type().data_type(),
        }
    }

    /// True for a collection without elements, which no database keeps. Streams and strings stay.
    pub fn is_empty(&self) -> bool {
        match self {
            Value::List(list) => list.is_empty(),
            Value::Set(set) => set.is_empty(),
            Value::ZSet(zset) => zset.is_empty(),
            Value::Hash(hash) => hash.is_empty(),
            Value::Stored(_, ready) => ready.get().is_some_and(|value| value.is_empty()),
            Value::String(_) | Value::Stream(_) | Value::Module(_) => false,
        }
    }

    /// The type by which the server that is followed would save it.
    pub fn rdb_type(&self, rules: &Rules) -> RdbType {
        match self {
            Value::String(_) => RdbType::String,
            Value::List(list) => list.rdb_type(rules),
            Value::Set(set) => set.rdb_type(rules),
            Value::ZSet(zset) => zset.rdb_type(rules),
            Value::Hash(hash) => hash.rdb_type(rules),
            Value::Stream(stream) => stream.rdb_type(rules),
            Value::Module(module) => module.rdb_type(),
            Value::Stored(spot, ready) => match ready.get() {
                Some(value) => value.rdb_type(rules),
                None => spot.rdb_type(),
            },
        }
    }

    /// Looks at the bytes on the heap that it holds itself, so that they are at hand. Means nothing.
    #[inline]
    pub fn fetch(&self) -> usize {
        match self {
            Value::String(text) => text.first().copied().map_or(0, usize::from),
            Value::List(list) => list.fetch(),
            Value::Set(set) => set.fetch(),
            Value::ZSet(zset) => zset.fetch(),
            Value::Hash(hash) => hash.fetch(),
            Value::Stream(_) | Value::Module(_) | Value::Stored(..) => 0,
        }
    }

    /// Bytes that it takes in memory, about, or in the file that it stays in.
    pub fn heap(&self) -> usize {
        match self {
            Value::String(text) => text.heap(),
            Value::List(list) => list.heap(),
            Value::Set(set) => set.heap(),
            Value::ZSet(zset) => zset.heap(),
            Value::Hash(hash) => hash.heap(),
            Value::Stream(stream) => stream.heap(),
            Value::Module(module) => module.heap(),
            Value::Stored(spot, ready) => match ready.get() {
                Some(value) => size_of::<Value>() + value.heap(),
                None => usize::try_from(spot.len()).unwrap_or(usize::MAX),
            },
        }
    }
}

impl Walk for Value {
    fn walk(&self, to: &mut dyn ValueVisitor) -> Result<()> {
        match self {
            Value::String(text) => to.string(Element::Bytes(text)),
            Value::List(list) => list.walk(to),
            Value::Set(set) => set.walk(to),
            Value::ZSet(zset) => zset.walk(to),
            Value::Hash(hash) => hash.walk(to),
            Value::Stream(stream) => stream.walk(to),
            Value::Module(module) => module.walk(to),
            Value::Stored(_, ready) => match ready.get() {
                Some(value) => value.walk(to),
                None => Err(Error::bytes(Problem::Malformed, Place::at(0), What::Value)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Value;

    #[test]
    fn a_value_is_four_words() {
        assert!(size_of::<Value>() <= 32, "{}", size_of::<Value>());
        assert!(size_of::<Option<Value>>() <= 32);
    }
}
