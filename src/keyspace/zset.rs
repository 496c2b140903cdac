//! A sorted set.

use crate::bytes::Element;
use crate::error::Result;
use crate::keyspace::rules::Rules;
use crate::keyspace::table::{Keyed, Table};
use crate::keyspace::text::Text;
use crate::record::{DataType, RdbType, ValueVisitor};

/// Members by score, then by their bytes.
#[derive(Clone, Debug, Default)]
pub struct ZSet(Box<Table<Scored>>);

#[derive(Clone, Debug)]
struct Scored(Text, f64);

impl Keyed for Scored {
    fn key(&self) -> &[u8] {
        &self.0
    }
}

impl ZSet {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Members in it.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives a member a score; true where it was not there.
    pub fn insert(&mut self, member: &[u8], score: f64, _rules: &Rules) -> bool {
        match self.0.get_mut(member) {
            Some(found) => {
                found.1 = score;
                false
            }
            None => {
                self.0.add(Scored(Text::new(member), score));
                true
            }
        }
    }

    /// The type by which the server would save it.
    pub fn rdb_type(&self, _rules: &Rules) -> RdbType {
        RdbType::ZsetBinary
    }

    /// Tells a visitor the whole value.
    ///
    /// # Errors
    /// What the visitor returned.
    pub fn walk(&self, to: &mut dyn ValueVisitor) -> Result<()> {
        to.begin(DataType::ZSet, Some(self.len() as u64))?;
        for member in self.0.iter() {
            to.member(Element::Bytes(&member.0), member.1)?;
        }
        to.end(DataType::ZSet)
    }

    /// Bytes that it takes in memory, about.
    pub fn heap(&self) -> usize {
        self.0.heap() + self.0.iter().map(|member| member.0.heap()).sum::<usize>()
    }
}
