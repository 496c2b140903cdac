//! A difference between two inputs: plain data.

use crate::record::DataType;

/// What is different.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Only the second has the key.
    Added,
    /// Only the first has it.
    Removed,
    /// The values differ.
    Changed,
    /// Only the expiries differ.
    Expiry,
}

impl Change {
    /// The word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Change::Added => "added",
            Change::Removed => "removed",
            Change::Changed => "changed",
            Change::Expiry => "expiry",
        }
    }
}

/// A key as one of the inputs has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// Its database.
    pub db: u32,
    /// Its name.
    pub key: Vec<u8>,
    /// Its type.
    pub of: DataType,
    /// Elements, fields, members or entries; bytes of a string.
    pub elements: u64,
    /// Bytes of the value in the file.
    pub bytes: u64,
    /// Its expiry, Unix ms.
    pub expires_at: Option<i64>,
}

/// A key that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its database.
    pub db: u32,
    /// Its name.
    pub key: Vec<u8>,
    /// What is different.
    pub change: Change,
    /// As the first has it.
    pub old: Option<Side>,
    /// As the second has it.
    pub new: Option<Side>,
}

/// A function library that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibraryDifference {
    /// Its name.
    pub name: Vec<u8>,
    /// What is different.
    pub change: Change,
}
