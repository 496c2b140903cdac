//! Sorts the elements of one value: members of sets and fields of hashes by bytes, members of
//! sorted sets by score and then by bytes.

use std::cmp::Ordering;
use std::ops::Range;

use crate::bytes::{Element, Problem};
use crate::error::{Error, Place, Result};
use crate::record::{DataType, ValueVisitor};

/// Whether the order of this type's elements means nothing, so that they may be sorted.
pub(super) fn applies(data_type: DataType) -> bool {
    matches!(data_type, DataType::Set | DataType::Hash | DataType::ZSet)
}

/// Holds a value's elements until all are there.
#[derive(Debug)]
pub(super) struct Sorter {
    max_memory: u64,
    of: DataType,
    bytes: Vec<u8>,
    items: Vec<Item>,
    flaws: Vec<(Problem, Place)>,
}

#[derive(Clone, Debug)]
struct Item {
    name: Range<usize>,
    value: Range<usize>,
    score: f64,
    expires_at: Option<i64>,
}

impl Sorter {
    pub(super) fn new(max_memory: u64) -> Self {
        Sorter {
            max_memory,
            of: DataType::Set,
            bytes: Vec::new(),
            items: Vec::new(),
            flaws: Vec::new(),
        }
    }

    /// Tells the elements in order.
    pub(super) fn tell<V: ValueVisitor + ?Sized>(&mut self, to: &mut V) -> Result<()> {
        let Sorter { bytes, items, .. } = self;
        let text = |range: &Range<usize>| bytes.get(range.clone()).unwrap_or_default();
        items.sort_by(|a, b| {
            a.score
                .partial_cmp(&b.score)
                .unwrap_or(Ordering::Equal)
                .then_with(|| text(&a.name).cmp(text(&b.name)))
        });
        to.begin(self.of, Some(items.len() as u64))?;
        for item in items.iter() {
            let name = Element::Bytes(text(&item.name));
            match self.of {
                DataType::Hash => {
                    to.field(name, Element::Bytes(text(&item.value)), item.expires_at)?
                }
                DataType::ZSet => to.member(name, item.score)?,
                _ => to.element(name)?,
            }
        }
        for (problem, place) in self.flaws.drain(..) {
            to.flaw(problem, place)?;
        }
        to.end(self.of)
    }

    fn keep(&mut self, element: Element<'_>) -> Result<Range<usize>> {
        let start = self.bytes.len();
        self.bytes
            .extend_from_slice(element.bytes(&mut itoa::Buffer::new()));
        let held = self.bytes.len() as u64 + (self.items.len() * size_of::<Item>()) as u64;
        if self.max_memory > 0 && held > self.max_memory {
            return Err(Error::limit(
                "sorting this value takes more than --max-memory allows",
            ));
        }
        Ok(start..self.bytes.len())
    }

    fn push(
        &mut self,
        name: Element<'_>,
        value: Option<Element<'_>>,
        score: f64,
        expires_at: Option<i64>,
    ) -> Result<()> {
        let name = self.keep(name)?;
        let value = match value {
            Some(value) => self.keep(value)?,
            None => 0..0,
        };
        self.items.push(Item {
            name,
            value,
            score,
            expires_at,
        });
        Ok(())
    }
}

impl ValueVisitor for Sorter {
    fn begin(&mut self, of: DataType, _: Option<u64>) -> Result<()> {
        self.of = of;
        self.bytes.clear();
        self.items.clear();
        self.flaws.clear();
        Ok(())
    }
    fn element(&mut self, element: Element<'_>) -> Result<()> {
        self.push(element, None, 0.0, None)
    }
    fn field(
        &mut self,
        name: Element<'_>,
        value: Element<'_>,
        expires_at: Option<i64>,
    ) -> Result<()> {
        self.push(name, Some(value), 0.0, expires_at)
    }
    fn member(&mut self, member: Element<'_>, score: f64) -> Result<()> {
        self.push(member, None, score, None)
    }
    fn flaw(&mut self, problem: Problem, place: Place) -> Result<()> {
        self.flaws.push((problem, place));
        Ok(())
    }
}
