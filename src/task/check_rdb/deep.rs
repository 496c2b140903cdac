//! What is wrong inside a value.

use std::collections::BTreeMap;

use crate::bytes::{Element, Problem};
use crate::error::{Place, Result};
use crate::record::value::{ArrayItem, ModuleEvent, StreamEvent};
use crate::record::{DataType, ValueVisitor};
use crate::task::duplicates::{Fingerprinter, Twice};

/// Collects what is wrong inside a value: flaws that the walk tells, members that stand twice.
#[derive(Default)]
pub(in crate::task) struct DeepCheck {
    pub(in crate::task) flaws: Vec<(Problem, Place)>,
    pub(in crate::task) prints: Fingerprinter,
    pub(in crate::task) twice: Twice,
    pub(in crate::task) hits: Vec<u64>,
    unique: bool,
    pub(in crate::task) module: Option<String>,
}

impl ValueVisitor for DeepCheck {
    #[inline]
    fn begin(&mut self, of: DataType, _: Option<u64>) -> Result<()> {
        self.unique = of == DataType::Set;
        Ok(())
    }

    #[inline]
    fn element(&mut self, element: Element<'_>) -> Result<()> {
        if self.unique {
            self.twice.add(self.prints.of(element))
        } else {
            Ok(())
        }
    }

    #[inline]
    fn field(&mut self, name: Element<'_>, _: Element<'_>, _: Option<i64>) -> Result<()> {
        self.twice.add(self.prints.of(name))
    }

    #[inline]
    fn member(&mut self, member: Element<'_>, _: f64) -> Result<()> {
        self.twice.add(self.prints.of(member))
    }

    #[inline]
    fn stream(&mut self, _: StreamEvent<'_>) -> Result<()> {
        Ok(())
    }

    #[inline]
    fn wants_fields(&self) -> bool {
        false
    }

    fn module(&mut self, event: ModuleEvent<'_>) -> Result<()> {
        if let ModuleEvent::Start { name, .. } = event {
            self.module = Some(String::from_utf8_lossy(&name).into_owned());
        }
        Ok(())
    }

    fn slot(&mut self, _: u64, _: ArrayItem<'_>) -> Result<()> {
        Ok(())
    }

    #[inline]
    fn end(&mut self, of: DataType) -> Result<()> {
        match of {
            DataType::Set | DataType::ZSet | DataType::Hash => self.hits = self.twice.finish()?,
            // A scheduled script names its keys and arguments as fields, which may repeat.
            DataType::Cron => drop(self.twice.finish()?),
            _ => {}
        }
        Ok(())
    }

    #[cold]
    fn flaw(&mut self, problem: Problem, place: Place) -> Result<()> {
        // One of a kind says enough about a value.
        if !self.flaws.iter().any(|(p, _)| p.code() == problem.code()) {
            self.flaws.push((problem, place));
        }
        Ok(())
    }
}

/// Counts the members whose fingerprints came twice.
pub(in crate::task) struct SecondLook {
    pub(in crate::task) prints: Fingerprinter,
    pub(in crate::task) hits: Vec<u64>,
    pub(in crate::task) seen: BTreeMap<Vec<u8>, u64>,
    pub(in crate::task) skip: bool,
}

impl SecondLook {
    fn look(&mut self, element: Element<'_>) {
        if !self.skip
            && self
                .hits
                .binary_search(&self.prints.of(element).max(1))
                .is_ok()
        {
            *self
                .seen
                .entry(element.to_bytes().into_owned())
                .or_default() += 1;
        }
    }
}

impl ValueVisitor for SecondLook {
    fn begin(&mut self, of: DataType, _: Option<u64>) -> Result<()> {
        self.skip = of == DataType::List;
        Ok(())
    }
    fn element(&mut self, element: Element<'_>) -> Result<()> {
        self.look(element);
        Ok(())
    }
    fn field(&mut self, name: Element<'_>, _: Element<'_>, _: Option<i64>) -> Result<()> {
        self.look(name);
        Ok(())
    }
    fn member(&mut self, member: Element<'_>, _: f64) -> Result<()> {
        self.look(member);
        Ok(())
    }
}
