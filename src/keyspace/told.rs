//! Values from what they are said to consist of, in the form that a server would choose.

use crate::bytes::Element;
use crate::error::Result;
use crate::keyspace::hash::Hash;
use crate::keyspace::list::{End, List};
use crate::keyspace::rules::Rules;
use crate::keyspace::set::Set;
use crate::keyspace::stream::Loader;
use crate::keyspace::value::Value;
use crate::keyspace::zset;
use crate::record::ValueVisitor;
use crate::record::value::StreamEvent;

/// A list that is told.
#[derive(Debug, Default)]
pub struct ToldList(List);

impl ToldList {
    /// Appends an element.
    pub fn push(&mut self, element: &[u8]) {
        self.0.push(element, End::Tail);
    }

    /// The list.
    pub fn finish(self) -> Value {
        Value::List(self.0)
    }
}

/// A set that is told.
#[derive(Debug)]
pub struct ToldSet<'r> {
    rules: &'r Rules,
    set: Set,
}

impl<'r> ToldSet<'r> {
    /// Without members.
    pub fn new(rules: &'r Rules) -> Self {
        let set = Set::new();
        ToldSet { rules, set }
    }

    /// Adds a member; false where it was there.
    pub fn add(&mut self, member: &[u8]) -> bool {
        self.set.add_element(Element::Bytes(member), self.rules)
    }

    /// The set.
    pub fn finish(self) -> Value {
        Value::Set(self.set)
    }
}

/// A sorted set that is told.
#[derive(Debug)]
pub struct ToldZSet<'r> {
    rules: &'r Rules,
    zset: zset::Builder,
}

impl<'r> ToldZSet<'r> {
    /// Without members.
    pub fn new(rules: &'r Rules) -> Self {
        let zset = zset::Builder::table();
        ToldZSet { rules, zset }
    }

    /// Adds a member; false where it was there.
    pub fn add(&mut self, member: &[u8], score: f64) -> bool {
        let before = self.zset.len();
        self.zset.push(member, score);
        self.zset.len() > before
    }

    /// The sorted set. Scores are what was told, the sign of zero included.
    pub fn finish(self) -> Value {
        Value::ZSet(self.zset.exact(self.rules))
    }
}

/// A hash that is told.
#[derive(Debug)]
pub struct ToldHash<'r> {
    rules: &'r Rules,
    hash: Hash,
}

impl<'r> ToldHash<'r> {
    /// Without fields; room for expiries from the start where there will be some.
    pub fn new(rules: &'r Rules, expires: bool) -> Self {
        let mut hash = Hash::new();
        if expires {
            hash.allow_expiry(rules);
        }
        ToldHash { rules, hash }
    }

    /// Adds a field with its value and expiry (Unix ms); false where it was there.
    pub fn add(&mut self, name: &[u8], value: &[u8], expires_at: Option<i64>) -> bool {
        self.hash.insert(name, value, expires_at, self.rules)
    }

    /// The hash.
    pub fn finish(self) -> Value {
        Value::Hash(self.hash)
    }
}

/// A stream that is told, in the order of [`StreamEvent`].
pub struct ToldStream<'r>(Loader<'r>);

impl<'r> ToldStream<'r> {
    /// Of which nothing was told.
    pub fn new(rules: &'r Rules) -> Self {
        ToldStream(Loader::told(rules))
    }

    /// Takes a part.
    ///
    /// # Errors
    /// What a stream cannot hold.
    pub fn tell(&mut self, event: StreamEvent<'_>) -> Result<()> {
        self.0.stream(event)
    }

    /// The stream.
    pub fn finish(self) -> Value {
        Value::Stream(Box::new(self.0.finish()))
    }
}
