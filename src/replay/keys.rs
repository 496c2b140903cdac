//! Commands on keys of any type: expiry, names, copies, whole databases.

use crate::replay::table::Row;

/// The commands of this file, sorted by name.
pub(super) const TABLE: &[Row] = &[];
