//! What is wrong inside a value.

use std::collections::BTreeMap;

use crate::bytes::{Element, Problem};
use crate::encoding::lzf;
use crate::error::{ErrorKind, Place, Result};
use crate::rdb::Scratch;
use crate::rdb::value;
use crate::rdb::value::sound::sound;
use crate::record::value::{ArrayItem, ModuleEvent, StreamEvent};
use crate::record::{DataType, Entry, Stored, ValueVisitor};
use crate::report::finding::{self, Severity};
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

impl DeepCheck {
    /// What is wrong with a framed record, so that a server would not take it; of several things the
    /// first.
    ///
    /// # Errors
    /// No room for what must be compared.
    pub(in crate::task) fn flaw_of(
        &mut self,
        entry: &Entry<'_>,
        scratch: &mut Scratch,
    ) -> Result<Option<(Problem, Place)>> {
        if let Stored::Lzf { data, len } = entry.key
            && let Err(problem) = lzf::verify(data, len)
        {
            return Ok(Some((problem, Place::at(entry.at))));
        }
        if sound(&entry.value, scratch) {
            return Ok(None);
        }
        let result = value::walk(&entry.value, scratch, self);
        let flaws = std::mem::take(&mut self.flaws);
        let hits = std::mem::take(&mut self.hits);
        self.module = None;
        if let Err(error) = result {
            self.twice.finish()?;
            return match (error.kind(), error.place()) {
                (&ErrorKind::Bytes(problem), Some(place)) => Ok(Some((problem, place))),
                _ => Err(error),
            };
        }
        // Servers drop empty collections when they load them, and never write any.
        let bad = |problem| {
            problem == Problem::EmptyCollection || finding::severity(problem) == Severity::Error
        };
        if let Some(flaw) = flaws.into_iter().find(|&(problem, _)| bad(problem)) {
            return Ok(Some(flaw));
        }
        if !hits.is_empty() {
            let mut second = SecondLook {
                prints: self.prints.clone(),
                hits,
                seen: BTreeMap::new(),
                skip: false,
            };
            value::walk(&entry.value, scratch, &mut second)?;
            if second.seen.values().any(|&count| count > 1) {
                let place = Place::at(entry.value.at);
                return Ok(Some((Problem::DuplicateMember, place)));
            }
        }
        Ok(None)
    }
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
