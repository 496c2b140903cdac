//! Scripts that old logs hold as they were called.

use crate::replay::table::Row;

/// The scripts that were called or loaded, by digest.
#[derive(Debug, Default)]
pub struct Scripts {}

/// The commands of this file, sorted by name.
pub(super) const TABLE: &[Row] = &[];
