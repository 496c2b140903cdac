//! Values of modules, and types that no server of the main line writes. They are kept as they stand
//! in the snapshot, but for vector sets, which commands change.

use crate::error::Result;
use crate::keyspace::vector::VectorSet;
use crate::rdb::value::{Scratch, walk};
use crate::record::{RawValue, RdbType, ValueVisitor};

/// A value of a module.
#[derive(Clone, Debug)]
pub enum Module {
    /// In file form.
    Opaque {
        /// Its type.
        rdb_type: RdbType,
        /// Its bytes, without type and key.
        bytes: Box<[u8]>,
    },
    /// A vector set; never empty in a database.
    Vectors(VectorSet),
}

impl Module {
    /// Holds a value that stands in a file.
    pub fn new(value: &RawValue<'_>, scratch: &mut Scratch) -> Self {
        match VectorSet::load(value, scratch) {
            Some(vectors) => Module::Vectors(vectors),
            None => Module::Opaque {
                rdb_type: value.rdb_type,
                bytes: value.bytes.into(),
            },
        }
    }

    /// Its type.
    pub fn rdb_type(&self) -> RdbType {
        match self {
            Module::Opaque { rdb_type, .. } => *rdb_type,
            Module::Vectors(_) => RdbType::Module,
        }
    }

    /// Its bytes, without type and key; none of a vector set, whose graph is not kept.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Module::Opaque { bytes, .. } => Some(bytes),
            Module::Vectors(_) => None,
        }
    }

    /// Tells a visitor the whole value.
    ///
    /// # Errors
    /// A value that cannot be decoded, or what the visitor returned.
    pub fn walk(&self, to: &mut dyn ValueVisitor) -> Result<()> {
        match self {
            Module::Opaque { rdb_type, bytes } => {
                let raw = RawValue {
                    rdb_type: *rdb_type,
                    bytes,
                    at: 0,
                };
                walk(&raw, &mut Scratch::default(), to)
            }
            Module::Vectors(vectors) => vectors.walk(to),
        }
    }

    /// Bytes that it takes in memory.
    pub fn heap(&self) -> usize {
        size_of::<Module>()
            + match self {
                Module::Opaque { bytes, .. } => bytes.len(),
                Module::Vectors(vectors) => vectors.heap(),
            }
    }
}
