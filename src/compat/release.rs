//! Whose checkers are followed, and in what they differ.

use std::ops::RangeInclusive;

use crate::aof::manifest::Dialect;

/// A server release whose checkers are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Release {
    /// Redis 6.2, as 6.2.5.
    Redis62,
    /// Redis 7.0, as 7.0.15.
    Redis70,
    /// Redis 8.2, as 8.2.3.
    Redis82,
    /// Valkey 8.1, as 8.1.8.
    Valkey81,
    /// Valkey 9.1, as 9.1.2.
    Valkey91,
}

impl Release {
    /// Every one of them.
    pub const ALL: [Release; 5] = [
        Release::Redis62,
        Release::Redis70,
        Release::Redis82,
        Release::Valkey81,
        Release::Valkey91,
    ];

    /// The name by which it is chosen.
    pub fn name(self) -> &'static str {
        match self {
            Release::Redis62 => "redis-6.2",
            Release::Redis70 => "redis-7.0",
            Release::Redis82 => "redis-8.2",
            Release::Valkey81 => "valkey-8.1",
            Release::Valkey91 => "valkey-9.1",
        }
    }

    /// The release of this name.
    pub fn from_name(name: &str) -> Option<Release> {
        Release::ALL
            .into_iter()
            .find(|release| release.name() == name)
    }

    /// Of the Valkey family.
    pub fn is_valkey(self) -> bool {
        matches!(self, Release::Valkey81 | Release::Valkey91)
    }

    /// The first part of the tools' names.
    pub(super) fn family(self) -> &'static str {
        match self.is_valkey() {
            true => "valkey",
            false => "redis",
        }
    }

    /// The version that its tools were observed in.
    pub(super) fn version(self) -> &'static str {
        match self {
            Release::Redis62 => "6.2.5",
            Release::Redis70 => "7.0.15",
            Release::Redis82 => "8.2.3",
            Release::Valkey81 => "8.1.8",
            Release::Valkey91 => "9.1.2",
        }
    }

    /// How it reads a manifest.
    pub(super) fn dialect(self) -> Dialect {
        match self {
            Release::Valkey81 => Dialect::Valkey8,
            Release::Valkey91 => Dialect::Valkey9,
            _ => Dialect::Redis,
        }
    }

    /// The newest RDB version that it writes with the magic `REDIS`.
    pub(super) fn rdb_version(self) -> i64 {
        match self {
            Release::Redis62 => 9,
            Release::Redis70 => 10,
            Release::Redis82 => 12,
            Release::Valkey81 | Release::Valkey91 => 11,
        }
    }

    /// Whether a number stands for a type of values.
    pub(super) fn is_type(self, number: u8) -> bool {
        let last = match self {
            Release::Redis62 => 15,
            Release::Redis70 => 19,
            Release::Redis82 => 25,
            Release::Valkey81 => 21,
            Release::Valkey91 => 22,
        };
        let ranges: [RangeInclusive<u8>; 2] = [0..=7, 9..=last];
        ranges.iter().any(|range| range.contains(&number))
    }

    /// Redis 6.2, whose checker of logs is another program than that of the later ones.
    pub(super) fn is_old(self) -> bool {
        self == Release::Redis62
    }
}
