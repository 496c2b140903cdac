//! A list.

use std::collections::VecDeque;

use crate::bytes::Element;
use crate::error::Result;
use crate::keyspace::rules::Rules;
use crate::keyspace::text::Text;
use crate::record::{DataType, RdbType, ValueVisitor};

/// Elements in order.
#[derive(Clone, Debug, Default)]
pub struct List(Box<VecDeque<Text>>);

impl List {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Elements in it.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without elements.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts an element at the tail.
    pub fn push_back(&mut self, element: &[u8], _rules: &Rules) {
        self.0.push_back(Text::new(element));
    }

    /// The type by which the server would save it.
    pub fn rdb_type(&self, rules: &Rules) -> RdbType {
        if rules.since((7, 0), (0, 0)) {
            RdbType::Quicklist2
        } else {
            RdbType::Quicklist
        }
    }

    /// Tells a visitor the whole value.
    ///
    /// # Errors
    /// What the visitor returned.
    pub fn walk(&self, to: &mut dyn ValueVisitor) -> Result<()> {
        to.begin(DataType::List, Some(self.len() as u64))?;
        for element in self.0.iter() {
            to.element(Element::Bytes(element))?;
        }
        to.end(DataType::List)
    }

    /// Bytes that it takes in memory, about.
    pub fn heap(&self) -> usize {
        self.0.capacity() * 24 + self.0.iter().map(Text::heap).sum::<usize>()
    }
}
