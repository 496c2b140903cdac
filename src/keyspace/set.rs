//! A set.

use crate::bytes::Element;
use crate::error::Result;
use crate::keyspace::rules::Rules;
use crate::keyspace::table::{Keyed, Table};
use crate::keyspace::text::Text;
use crate::record::{DataType, RdbType, ValueVisitor};

/// Members without order.
#[derive(Clone, Debug, Default)]
pub struct Set(Box<Table<Member>>);

#[derive(Clone, Debug)]
struct Member(Text);

impl Keyed for Member {
    fn key(&self) -> &[u8] {
        &self.0
    }
}

impl Set {
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

    /// Whether it has a member.
    pub fn contains(&self, member: &[u8]) -> bool {
        self.0.contains(member)
    }

    /// Adds a member; false where it was there.
    pub fn add(&mut self, member: &[u8], _rules: &Rules) -> bool {
        if self.0.contains(member) {
            return false;
        }
        self.0.add(Member(Text::new(member)));
        true
    }

    /// The type by which the server would save it.
    pub fn rdb_type(&self, _rules: &Rules) -> RdbType {
        RdbType::SetTable
    }

    /// Tells a visitor the whole value.
    ///
    /// # Errors
    /// What the visitor returned.
    pub fn walk(&self, to: &mut dyn ValueVisitor) -> Result<()> {
        to.begin(DataType::Set, Some(self.len() as u64))?;
        for member in self.0.iter() {
            to.element(Element::Bytes(&member.0))?;
        }
        to.end(DataType::Set)
    }

    /// Bytes that it takes in memory, about.
    pub fn heap(&self) -> usize {
        self.0.heap() + self.0.iter().map(|member| member.0.heap()).sum::<usize>()
    }
}
