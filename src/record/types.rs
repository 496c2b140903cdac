//! The value types of the file format: one row a type.

use crate::bytes::Problem;
use crate::record::DataType;

/// The two families of servers, told by the magic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// `REDIS` and four digits: Redis, Valkey up to 8.1, KeyDB, Dragonfly.
    Redis,
    /// `VALKEY` and three digits: Valkey from 9.0 on.
    Valkey,
}

/// Magic and version of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RdbVersion {
    /// Told by the magic.
    pub family: Family,
    /// The number behind it.
    pub number: u32,
}

impl RdbVersion {
    /// Highest version of the Redis family known here (Redis 8.10).
    pub const NEWEST_REDIS: u32 = 15;
    /// Lowest and highest version of the Valkey family known here.
    pub const VALKEY: std::ops::RangeInclusive<u32> = 80..=81;

    /// The version that is known and that these nine bytes open a file of.
    pub fn from_magic(magic: &[u8]) -> Option<RdbVersion> {
        let redis = (1..=RdbVersion::NEWEST_REDIS).map(|number| (Family::Redis, number));
        let valkey = RdbVersion::VALKEY.map(|number| (Family::Valkey, number));
        redis
            .chain(valkey)
            .map(|(family, number)| RdbVersion { family, number })
            .find(|version| version.magic() == magic)
    }

    /// The nine bytes that open a file of this version.
    pub fn magic(self) -> [u8; 9] {
        let text = match self.family {
            Family::Redis => format!("REDIS{:04}", self.number % 10_000),
            Family::Valkey => format!("VALKEY{:03}", self.number % 1_000),
        };
        let mut magic = [0; 9];
        for (to, from) in magic.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        magic
    }
}

/// Whose additions to the format are meant by numbers that several servers use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Dialect {
    /// Redis up to 8.4, Valkey up to 8.1, KeyDB: versions up to 12 under the magic `REDIS`.
    #[default]
    Redis,
    /// Redis from 8.6 on: versions from 13.
    Redis13,
    /// Valkey from 9.0 on, told by its magic.
    Valkey,
    /// Dragonfly, told by an AUX field `df-ver` or `snapshot-id`.
    Dragonfly,
}

macro_rules! types {
    ($($(#[$doc:meta])* $variant:ident = $number:literal $name:literal $data:ident $encoding:literal,)*) => {
        /// A value type of the file format whose layout is known. Numbers that mean two things are
        /// two variants: once a value has one of these, no magic needs to be asked again.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum RdbType { $($(#[$doc])* $variant),* }
        impl RdbType {
            /// Every type.
            pub const ALL: &'static [RdbType] = &[$(RdbType::$variant),*];
            /// The byte in the file.
            pub fn number(self) -> u8 {
                match self { $(RdbType::$variant => $number),* }
            }
            /// The name that the servers' own checkers print, or one in their manner.
            pub fn name(self) -> &'static str {
                match self { $(RdbType::$variant => $name),* }
            }
            /// What the value is to a user.
            #[inline]
            pub fn data_type(self) -> DataType {
                match self { $(RdbType::$variant => DataType::$data),* }
            }
            /// The form in the file, in the words of `OBJECT ENCODING`.
            pub fn encoding(self) -> &'static str {
                match self { $(RdbType::$variant => $encoding),* }
            }
        }
    };
}

types! {
    /// One string.
    String = 0 "string" String "raw",
    /// Strings one after the other.
    ListLinked = 1 "list-linked" List "linkedlist",
    /// Strings one after the other.
    SetTable = 2 "set-hashtable" Set "hashtable",
    /// Members with ASCII scores.
    ZsetText = 3 "zset-v1" ZSet "skiplist",
    /// Fields and values.
    HashTable = 4 "hash-hashtable" Hash "hashtable",
    /// Members with binary scores.
    ZsetBinary = 5 "zset-v2" ZSet "skiplist",
    /// Typed items of a module.
    Module = 7 "module-value" Module "module",
    /// One zipmap.
    HashZipmap = 9 "hash-zipmap" Hash "zipmap",
    /// One ziplist.
    ListZiplist = 10 "list-ziplist" List "ziplist",
    /// One intset.
    SetIntset = 11 "set-intset" Set "intset",
    /// One ziplist of members and scores.
    ZsetZiplist = 12 "zset-ziplist" ZSet "ziplist",
    /// One ziplist of fields and values.
    HashZiplist = 13 "hash-ziplist" Hash "ziplist",
    /// Ziplists one after the other.
    Quicklist = 14 "quicklist" List "quicklist",
    /// Redis 5.0 to 6.2.
    Stream1 = 15 "stream" Stream "stream",
    /// One listpack of fields and values.
    HashListpack = 16 "hash-listpack" Hash "listpack",
    /// One listpack of members and scores.
    ZsetListpack = 17 "zset-listpack" ZSet "listpack",
    /// Nodes, each a listpack or one plain element.
    Quicklist2 = 18 "quicklist-v2" List "quicklist",
    /// Redis 7.0.
    Stream2 = 19 "stream-v2" Stream "stream",
    /// One listpack.
    SetListpack = 20 "set-listpack" Set "listpack",
    /// Redis 7.2 and Valkey.
    Stream3 = 21 "stream-v3" Stream "stream",
    /// Release candidates of Redis 7.4.
    HashExpiryRc = 22 "hash-hashtable-md-pre-release" Hash "hashtable",
    /// Release candidates of Redis 7.4.
    HashListpackExpiryRc = 23 "hash-listpack-md-pre-release" Hash "listpackex",
    /// Fields with expiries, Redis 7.4.
    HashExpiry = 24 "hash-hashtable-md" Hash "hashtable",
    /// One listpack of fields, values and expiries, Redis 7.4.
    HashListpackExpiry = 25 "hash-listpack-md" Hash "listpackex",
    /// Fields with expiries, Valkey 9 (type 22 under its magic).
    HashValkey = 22 "hash-hashtable-v2" Hash "hashtable",
    /// Redis 8.6.
    Stream4 = 26 "stream-v4" Stream "stream",
    /// Redis 8.8.
    Stream5 = 27 "stream-v5" Stream "stream",
    /// Sparse array, Redis 8.8.
    Array = 28 "array" Array "array",
    /// Field names listpack and values listpack; in `DUMP` payloads only.
    HashNamesListpack = 29 "hash-names-listpack" Hash "listpack",
    /// Values of a template, one listpack.
    HashTemplateListpack = 30 "hash-template-listpack" Hash "listpack",
    /// Field names and values; in `DUMP` payloads only.
    HashNames = 31 "hash-names" Hash "hashtable",
    /// Values of a template.
    HashTemplate = 32 "hash-template" Hash "hashtable",
    /// KeyDB's scheduled script.
    Cron = 64 "cron" Cron "cron",
    /// Dragonfly's JSON document (type 20 in its old versions).
    DragonflyJson = 30 "json" Json "json",
    /// Dragonfly's hash with expiries of fields.
    DragonflyHash = 31 "hash-with-expiry" Hash "hashtable",
    /// Dragonfly's set with expiries of members.
    DragonflySet = 32 "set-with-expiry" Set "hashtable",
}

impl Dialect {
    /// What magic and version say; Dragonfly is told by an AUX field later.
    pub fn of(version: RdbVersion) -> Dialect {
        match version.family {
            Family::Valkey => Dialect::Valkey,
            Family::Redis if version.number >= 13 => Dialect::Redis13,
            Family::Redis => Dialect::Redis,
        }
    }
}

impl RdbType {
    /// The type that a byte means to a family's servers.
    ///
    /// # Errors
    /// A number that nobody uses, or whose layout is not established.
    #[inline]
    pub fn from_number(number: u8, dialect: Dialect) -> Result<RdbType, Problem> {
        Ok(match number {
            0 => RdbType::String,
            1 => RdbType::ListLinked,
            2 => RdbType::SetTable,
            3 => RdbType::ZsetText,
            4 => RdbType::HashTable,
            5 => RdbType::ZsetBinary,
            7 => RdbType::Module,
            9 => RdbType::HashZipmap,
            10 => RdbType::ListZiplist,
            11 => RdbType::SetIntset,
            12 => RdbType::ZsetZiplist,
            13 => RdbType::HashZiplist,
            14 => RdbType::Quicklist,
            15 => RdbType::Stream1,
            16 => RdbType::HashListpack,
            17 => RdbType::ZsetListpack,
            18 => RdbType::Quicklist2,
            19 => RdbType::Stream2,
            20 => RdbType::SetListpack,
            21 => RdbType::Stream3,
            _ => return RdbType::from_high_number(number, dialect),
        })
    }

    /// The type that a byte means in every dialect, for those that files are full of.
    #[inline(always)]
    pub(crate) fn common(number: u8) -> Option<RdbType> {
        Some(match number {
            0 => RdbType::String,
            1 => RdbType::ListLinked,
            2 => RdbType::SetTable,
            4 => RdbType::HashTable,
            5 => RdbType::ZsetBinary,
            10 => RdbType::ListZiplist,
            11 => RdbType::SetIntset,
            12 => RdbType::ZsetZiplist,
            13 => RdbType::HashZiplist,
            14 => RdbType::Quicklist,
            16 => RdbType::HashListpack,
            17 => RdbType::ZsetListpack,
            18 => RdbType::Quicklist2,
            20 => RdbType::SetListpack,
            _ => return None,
        })
    }

    #[cold]
    fn from_high_number(number: u8, dialect: Dialect) -> Result<RdbType, Problem> {
        Ok(match (number, dialect) {
            (6, _) => return Err(Problem::RefusedType { found: number }),
            (22, Dialect::Valkey) => RdbType::HashValkey,
            (22, _) => RdbType::HashExpiryRc,
            (23, Dialect::Valkey) => return Err(Problem::UnreadableType { found: number }),
            (23, _) => RdbType::HashListpackExpiryRc,
            (24, Dialect::Redis | Dialect::Redis13) => RdbType::HashExpiry,
            (25, Dialect::Redis | Dialect::Redis13) => RdbType::HashListpackExpiry,
            (26, Dialect::Redis13) => RdbType::Stream4,
            (27, Dialect::Redis13) => RdbType::Stream5,
            (28, Dialect::Redis13) => RdbType::Array,
            (29, Dialect::Redis13) => RdbType::HashNamesListpack,
            (30, Dialect::Redis13) => RdbType::HashTemplateListpack,
            (31, Dialect::Redis13) => RdbType::HashNames,
            (32, Dialect::Redis13) => RdbType::HashTemplate,
            (33, Dialect::Redis13) => return Err(Problem::UnreadableType { found: number }),
            (30, Dialect::Dragonfly) => RdbType::DragonflyJson,
            (31, Dialect::Dragonfly) => RdbType::DragonflyHash,
            (32, Dialect::Dragonfly) => RdbType::DragonflySet,
            (33..=37, Dialect::Dragonfly) => {
                return Err(Problem::UnreadableType { found: number });
            }
            (64, Dialect::Redis) => RdbType::Cron,
            _ => return Err(Problem::UnknownType { found: number }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_found_by_its_number_in_some_dialect() {
        let dialects = [
            Dialect::Redis,
            Dialect::Redis13,
            Dialect::Valkey,
            Dialect::Dragonfly,
        ];
        for &t in RdbType::ALL {
            assert!(
                dialects
                    .iter()
                    .any(|&d| RdbType::from_number(t.number(), d) == Ok(t)),
                "{t:?}"
            );
        }
    }

    #[test]
    fn numbers_that_two_families_use_are_told_apart_by_the_magic() {
        assert_eq!(
            RdbType::from_number(22, Dialect::Valkey),
            Ok(RdbType::HashValkey)
        );
        assert_eq!(
            RdbType::from_number(22, Dialect::Redis),
            Ok(RdbType::HashExpiryRc)
        );
        assert_eq!(
            RdbType::from_number(24, Dialect::Valkey),
            Err(Problem::UnknownType { found: 24 })
        );
        assert_eq!(
            RdbType::from_number(33, Dialect::Redis13),
            Err(Problem::UnreadableType { found: 33 })
        );
        assert_eq!(
            RdbType::from_number(6, Dialect::Redis),
            Err(Problem::RefusedType { found: 6 })
        );
    }

    #[test]
    fn the_magic_is_nine_bytes() {
        assert_eq!(
            &RdbVersion {
                family: Family::Redis,
                number: 11
            }
            .magic(),
            b"REDIS0011"
        );
        assert_eq!(
            &RdbVersion {
                family: Family::Valkey,
                number: 80
            }
            .magic(),
            b"VALKEY080"
        );
    }
}
