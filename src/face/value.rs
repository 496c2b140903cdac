//! Values, whole and plain.

use crate::bytes::Element;
use crate::error::{Error, Result};
use crate::io::ordered::{Chunk, Pieces, Wanted};
use crate::keyspace;
use crate::keyspace::hash::Hash;
use crate::keyspace::list::{End, List};
use crate::keyspace::set::Set;
use crate::keyspace::zset::ZSet;
use crate::keyspace::{Rules, Text};
use crate::rdb::Scratch;
use crate::record::{self, DataType, ValueVisitor};
use crate::report::json::{JsonOptions, JsonRecords, Select};

/// A value, whole in memory. Strings are bytes, since servers take any.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A string.
    String(Vec<u8>),
    /// A list, from its head to its tail.
    List(Vec<Vec<u8>>),
    /// A set, in the order of the file.
    Set(Vec<Vec<u8>>),
    /// A sorted set: members with their scores.
    ZSet(Vec<(Vec<u8>, f64)>),
    /// A hash, in the order of the file.
    Hash(Vec<Field>),
    /// A value of any other type (streams, values of modules), as the JSON that `dump-to-json` writes
    /// of it, without loss. Such a value can be [copied](crate::SnapshotWriter::copy) from file to
    /// file, not made.
    Other {
        /// Its type, as `TYPE` answers it.
        data_type: DataType,
        /// What it consists of.
        json: String,
    },
}

/// A field of a hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
    /// When it expires, as Unix time in ms.
    pub expires_at: Option<i64>,
}

impl Value {
    /// Its type.
    pub fn data_type(&self) -> DataType {
        match self {
            Value::String(_) => DataType::String,
            Value::List(_) => DataType::List,
            Value::Set(_) => DataType::Set,
            Value::ZSet(_) => DataType::ZSet,
            Value::Hash(_) => DataType::Hash,
            Value::Other { data_type, .. } => *data_type,
        }
    }

    /// The same as a server of these ways holds it.
    pub(super) fn build(&self, rules: &Rules) -> Result<keyspace::Value> {
        let value = match self {
            Value::String(bytes) => keyspace::Value::String(Text::new(bytes)),
            Value::List(elements) => {
                let mut list = List::new();
                for element in elements {
                    list.push(element, End::Tail);
                }
                keyspace::Value::List(list)
            }
            Value::Set(members) => {
                let mut set = Set::new();
                for member in members {
                    set.add(member, rules);
                }
                keyspace::Value::Set(set)
            }
            Value::ZSet(members) => {
                let mut zset = ZSet::new();
                for (member, score) in members {
                    if score.is_nan() {
                        return Err(Error::usage("a score that is not a number"));
                    }
                    zset.insert(member, *score, rules);
                }
                keyspace::Value::ZSet(zset)
            }
            Value::Hash(fields) => {
                let mut hash = Hash::new();
                for field in fields {
                    hash.insert(&field.name, &field.value, field.expires_at, rules);
                }
                keyspace::Value::Hash(hash)
            }
            Value::Other { data_type, .. } => {
                let text = format!(
                    "a value of the type {} cannot be made, only copied",
                    data_type.name()
                );
                return Err(Error::usage(text));
            }
        };
        match value.is_empty() {
            true => Err(Error::usage(
                "a collection without elements: no server keeps one",
            )),
            false => Ok(value),
        }
    }
}

/// The value of a key that is walked by `walk`, or else written as JSON by `json`.
pub(super) fn whole(
    data_type: DataType,
    walk: impl FnOnce(&mut dyn ValueVisitor) -> Result<()>,
    json: impl FnOnce() -> Result<String>,
) -> Result<Value> {
    let empty = match data_type {
        DataType::String => Value::String(Vec::new()),
        DataType::List => Value::List(Vec::new()),
        DataType::Set => Value::Set(Vec::new()),
        DataType::ZSet => Value::ZSet(Vec::new()),
        DataType::Hash => Value::Hash(Vec::new()),
        _ => {
            return Ok(Value::Other {
                data_type,
                json: json()?,
            });
        }
    };
    let mut collector = Collector(empty);
    walk(&mut collector)?;
    Ok(collector.0)
}

/// What an entry consists of, as JSON.
pub(super) fn json(entry: &record::Entry<'_>, scratch: &mut Scratch) -> Result<String> {
    let mut records = JsonRecords::new(JsonOptions {
        select: Select::Values,
        ..JsonOptions::default()
    });
    let mut text = Vec::new();
    let mut write = |chunk: Chunk| {
        text.extend_from_slice(&chunk);
        Wanted::More
    };
    let mut pieces = Pieces::direct(&mut write);
    records.entry(entry, scratch, &mut pieces)?;
    records.take(&mut pieces);
    Ok(line(text))
}

/// A line of JSON without its end.
pub(super) fn line(mut text: Vec<u8>) -> String {
    if text.last() == Some(&b'\n') {
        text.pop();
    }
    // Whatever is not UTF-8 was written as base64.
    String::from_utf8(text).unwrap_or_default()
}

/// Puts together what a walk tells.
struct Collector(Value);

impl ValueVisitor for Collector {
    fn string(&mut self, value: Element<'_>) -> Result<()> {
        self.0 = Value::String(value.to_bytes().into_owned());
        Ok(())
    }

    fn element(&mut self, element: Element<'_>) -> Result<()> {
        if let Value::List(all) | Value::Set(all) = &mut self.0 {
            all.push(element.to_bytes().into_owned());
        }
        Ok(())
    }

    fn field(
        &mut self,
        name: Element<'_>,
        value: Element<'_>,
        expires_at: Option<i64>,
    ) -> Result<()> {
        if let Value::Hash(all) = &mut self.0 {
            all.push(Field {
                name: name.to_bytes().into_owned(),
                value: value.to_bytes().into_owned(),
                expires_at,
            });
        }
        Ok(())
    }

    fn member(&mut self, member: Element<'_>, score: f64) -> Result<()> {
        if let Value::ZSet(all) = &mut self.0 {
            all.push((member.to_bytes().into_owned(), score));
        }
        Ok(())
    }
}
