//! A hash, whose fields may expire.

use crate::bytes::Element;
use crate::error::Result;
use crate::keyspace::rules::Rules;
use crate::keyspace::table::{Keyed, Table};
use crate::keyspace::text::Text;
use crate::record::{DataType, RdbType, ValueVisitor};

/// Fields without order.
#[derive(Clone, Debug, Default)]
pub struct Hash(Box<Table<Field>>);

#[derive(Clone, Debug)]
struct Field {
    name: Text,
    value: Text,
    expires_at: Option<i64>,
}

impl Keyed for Field {
    fn key(&self) -> &[u8] {
        &self.name
    }
}

impl Hash {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Fields in it.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without fields.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives a field a value and an expiry (Unix ms), or none; true where it was not there.
    pub fn insert(
        &mut self,
        name: &[u8],
        value: &[u8],
        expires_at: Option<i64>,
        _rules: &Rules,
    ) -> bool {
        match self.0.get_mut(name) {
            Some(found) => {
                found.value = Text::new(value);
                found.expires_at = expires_at;
                false
            }
            None => {
                self.0.add(Field {
                    name: Text::new(name),
                    value: Text::new(value),
                    expires_at,
                });
                true
            }
        }
    }

    /// The type by which the server would save it.
    pub fn rdb_type(&self, _rules: &Rules) -> RdbType {
        RdbType::HashTable
    }

    /// Tells a visitor the whole value.
    ///
    /// # Errors
    /// What the visitor returned.
    pub fn walk(&self, to: &mut dyn ValueVisitor) -> Result<()> {
        to.begin(DataType::Hash, Some(self.len() as u64))?;
        for field in self.0.iter() {
            let (name, value) = (Element::Bytes(&field.name), Element::Bytes(&field.value));
            to.field(name, value, field.expires_at)?;
        }
        to.end(DataType::Hash)
    }

    /// Bytes that it takes in memory, about.
    pub fn heap(&self) -> usize {
        let strings = self.0.iter().map(|f| f.name.heap() + f.value.heap());
        self.0.heap() + strings.sum::<usize>()
    }
}
