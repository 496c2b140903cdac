//! Commands on HyperLogLogs, which are strings.

use crate::replay::table::Row;

/// The commands of this file, sorted by name.
pub(super) const TABLE: &[Row] = &[];
