//! Commands on sets.

use crate::replay::table::Row;

/// The commands of this file, sorted by name.
pub(super) const TABLE: &[Row] = &[];
