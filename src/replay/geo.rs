//! Commands on places: members of sorted sets whose scores are geohashes.

use crate::replay::table::Row;

/// The commands of this file, sorted by name.
pub(super) const TABLE: &[Row] = &[];
