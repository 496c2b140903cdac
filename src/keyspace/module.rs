//! What is kept as it stands in the snapshot: values of modules, and types that no server of the
//! main line writes.

use crate::error::Result;
use crate::rdb::value::{Scratch, walk};
use crate::record::{RawValue, RdbType, ValueVisitor};

/// A value in file form.
#[derive(Clone, Debug)]
pub struct Module {
    rdb_type: RdbType,
    bytes: Box<[u8]>,
}

impl Module {
    /// A copy of a value.
    pub fn new(value: &RawValue<'_>) -> Self {
        Module {
            rdb_type: value.rdb_type,
            bytes: value.bytes.into(),
        }
    }

    /// Its type.
    pub fn rdb_type(&self) -> RdbType {
        self.rdb_type
    }

    /// Its bytes, without type and key.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Tells a visitor the whole value.
    ///
    /// # Errors
    /// A value that cannot be decoded, or what the visitor returned.
    pub fn walk(&self, to: &mut dyn ValueVisitor) -> Result<()> {
        let raw = RawValue {
            rdb_type: self.rdb_type,
            bytes: &self.bytes,
            at: 0,
        };
        walk(&raw, &mut Scratch::default(), to)
    }

    /// Bytes that it takes in memory.
    pub fn heap(&self) -> usize {
        size_of::<Module>() + self.bytes.len()
    }
}
