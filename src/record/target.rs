//! The servers that a file can be for: which versions, types and opcodes each of them reads.
//!
//! What is said of Redis 6.2, 7.0, 8.2 and Valkey 8.1, 9.1 was tried on such servers; of the others
//! it is what their sources and release notes say. Two rules go beyond a table:
//!
//! * Valkey's setting `rdb-version-check relaxed` (8.1) lets it read newer versions of its own magic,
//!   and from 9.0 on versions 12 to 79 of Redis as well, as long as nothing new is in them.
//! * From 9.0 on, Valkey refuses every type or opcode from 22 to 243 under the magic of Redis: the
//!   families use those numbers for different things.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::types::{Family, RdbType, RdbVersion};

/// A server version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Family and version, as `redis-8.2`.
    pub name: &'static str,
    /// Whose server it is.
    pub family: Family,
    /// Major version.
    pub major: u8,
    /// Minor version.
    pub minor: u8,
    /// Highest version under the magic `REDIS` that it reads without being told to.
    pub redis: u32,
    /// Highest version under the magic `VALKEY`, if it reads any.
    pub valkey: Option<u32>,
    /// What its setting `rdb-version-check relaxed` adds.
    pub relaxed: Relaxed,
}

/// What `rdb-version-check relaxed` lets a server try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relaxed {
    /// There is no such setting.
    Absent,
    /// Newer versions of Valkey.
    Valkey,
    /// Those, and the versions 12 to 79 of Redis.
    ValkeyAndRedis,
}

/// What a file uses of the format, as far as it decides who can load it.
#[derive(Clone, Copy, Debug)]
pub struct Used<'a> {
    /// Magic and version.
    pub version: RdbVersion,
    /// Types of values.
    pub types: &'a BTreeSet<RdbType>,
    /// Opcodes; those that every server knows may be left out.
    pub opcodes: &'a BTreeSet<u8>,
    /// Modules that own values or AUX records, by type name.
    pub modules: &'a BTreeMap<String, u64>,
    /// Highest database number.
    pub highest_db: u32,
}

/// Whether a server loads a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loads {
    /// Whether it does, once it has what `needs` says.
    pub ok: bool,
    /// Settings and modules that it must have, as `databases 17` or `module ReJSON-RL`.
    pub needs: Vec<String>,
    /// Why it does not.
    pub why: Option<String>,
}

impl Target {
    /// Every server version known, older ones of a family first.
    pub const ALL: &'static [Target] = &[
        redis("redis-5.0", 5, 0, 9),
        redis("redis-6.0", 6, 0, 9),
        redis("redis-6.2", 6, 2, 9),
        redis("redis-7.0", 7, 0, 10),
        redis("redis-7.2", 7, 2, 11),
        redis("redis-7.4", 7, 4, 12),
        redis("redis-8.0", 8, 0, 12),
        redis("redis-8.2", 8, 2, 12),
        redis("redis-8.4", 8, 4, 12),
        redis("redis-8.6", 8, 6, 13),
        redis("redis-8.8", 8, 8, 14),
        redis("redis-8.10", 8, 10, 15),
        valkey("valkey-7.2", 7, 2, None, Relaxed::Absent),
        valkey("valkey-8.0", 8, 0, None, Relaxed::Absent),
        valkey("valkey-8.1", 8, 1, None, Relaxed::Valkey),
        valkey("valkey-9.0", 9, 0, Some(80), Relaxed::ValkeyAndRedis),
        valkey("valkey-9.1", 9, 1, Some(80), Relaxed::ValkeyAndRedis),
    ];

    /// The target of this name.
    pub fn from_name(name: &str) -> Option<&'static Target> {
        Target::ALL.iter().find(|target| target.name == name)
    }

    /// Whether it reads values of this type, whatever the version of the file.
    pub fn knows_type(&self, rdb_type: RdbType) -> bool {
        self.is_since(type_since(rdb_type))
    }

    /// Whether it reads this opcode in a file of this family.
    pub fn knows_opcode(&self, opcode: u8, magic: Family) -> bool {
        self.is_since(opcode_since(opcode, magic))
    }

    /// Whether vector sets are part of it.
    pub fn loads_vector_sets(&self) -> bool {
        self.family == Family::Redis && self.major >= VECTORSET_SINCE
    }

    /// Whether it loads a file that uses this of the format. What is damaged in a file is not asked
    /// here.
    pub fn loads(&self, used: &Used<'_>) -> Loads {
        let mut needs = Vec::new();
        match self.why_not(used, &mut needs) {
            Some(why) => Loads {
                ok: false,
                needs: Vec::new(),
                why: Some(why),
            },
            None => Loads {
                ok: true,
                needs,
                why: None,
            },
        }
    }

    fn why_not(&self, used: &Used<'_>, needs: &mut Vec<String>) -> Option<String> {
        if let Some(why) = self.why_not_version(used.version, needs) {
            return Some(why);
        }
        let foreign = |number| self.relaxed == Relaxed::ValkeyAndRedis && FOREIGN.contains(&number);
        for &rdb_type in used.types {
            let number = rdb_type.number();
            let refused = used.version.family == Family::Redis && foreign(number);
            if refused || !self.knows_type(rdb_type) {
                let name = rdb_type.name();
                return Some(format!("it does not know the type {number} ({name})"));
            }
        }
        for &opcode in used.opcodes {
            let refused = used.version.family == Family::Redis && foreign(opcode);
            if refused || !self.knows_opcode(opcode, used.version.family) {
                return Some(match opcode_name(opcode, used.version.family) {
                    Some(name) => format!("it does not know the opcode {opcode} ({name})"),
                    None => format!("it does not know the opcode {opcode}"),
                });
            }
        }
        for name in used.modules.keys() {
            if name != VECTORSET {
                needs.push(format!("module {name}"));
            } else if !self.loads_vector_sets() {
                return Some("only Redis from 8.0 on has vector sets".to_owned());
            }
        }
        if used.highest_db >= DEFAULT_DATABASES {
            needs.push(format!("databases {}", u64::from(used.highest_db) + 1));
        }
        if used.version.family == Family::Valkey && used.opcodes.contains(&SLOT_IMPORT) {
            // Without it, 9.1.2 crashes on this record.
            needs.push("cluster-enabled yes".to_owned());
        }
        None
    }

    fn why_not_version(&self, version: RdbVersion, needs: &mut Vec<String>) -> Option<String> {
        let number = version.number;
        let (newest, relaxed) = match version.family {
            Family::Redis => (
                Some(self.redis),
                self.relaxed == Relaxed::ValkeyAndRedis && FOREIGN_VERSIONS.contains(&number),
            ),
            Family::Valkey => (
                self.valkey,
                self.relaxed != Relaxed::Absent && number >= *RdbVersion::VALKEY.start(),
            ),
        };
        let magic = version.magic();
        let magic = magic.escape_ascii();
        match newest {
            Some(newest) if number <= newest => None,
            _ if relaxed => {
                needs.push("rdb-version-check relaxed".to_owned());
                None
            }
            Some(newest) => Some(format!("it reads versions up to {newest}, this is {magic}")),
            None => Some(format!("it does not know the magic {magic}")),
        }
    }

    fn is_since(&self, since: Since) -> bool {
        let first = match self.family {
            Family::Redis => since.redis,
            Family::Valkey => since.valkey,
        };
        first.is_some_and(|first| (self.major, self.minor) >= first)
    }
}

const fn redis(name: &'static str, major: u8, minor: u8, newest: u32) -> Target {
    Target {
        name,
        family: Family::Redis,
        major,
        minor,
        redis: newest,
        valkey: None,
        relaxed: Relaxed::Absent,
    }
}

const fn valkey(
    name: &'static str,
    major: u8,
    minor: u8,
    newest: Option<u32>,
    relaxed: Relaxed,
) -> Target {
    Target {
        name,
        family: Family::Valkey,
        major,
        minor,
        redis: 11,
        valkey: newest,
        relaxed,
    }
}

/// The first version of each family that reads something.
#[derive(Clone, Copy)]
struct Since {
    redis: Option<(u8, u8)>,
    valkey: Option<(u8, u8)>,
}

impl Since {
    const ALWAYS: Since = Since::both((0, 0));
    const NEVER: Since = Since {
        redis: None,
        valkey: None,
    };

    /// Redis since then; Valkey, which split off from 7.2, always.
    const fn both(redis: (u8, u8)) -> Since {
        Since {
            redis: Some(redis),
            valkey: Some((0, 0)),
        }
    }

    const fn redis(first: (u8, u8)) -> Since {
        Since {
            redis: Some(first),
            valkey: None,
        }
    }

    const fn valkey(first: (u8, u8)) -> Since {
        Since {
            redis: None,
            valkey: Some(first),
        }
    }
}

fn type_since(rdb_type: RdbType) -> Since {
    match rdb_type {
        RdbType::String
        | RdbType::ListLinked
        | RdbType::SetTable
        | RdbType::ZsetText
        | RdbType::HashTable
        | RdbType::ZsetBinary
        | RdbType::Module
        | RdbType::HashZipmap
        | RdbType::ListZiplist
        | RdbType::SetIntset
        | RdbType::ZsetZiplist
        | RdbType::HashZiplist
        | RdbType::Quicklist
        | RdbType::Stream1 => Since::ALWAYS,
        RdbType::HashListpack | RdbType::ZsetListpack | RdbType::Quicklist2 | RdbType::Stream2 => {
            Since::both((7, 0))
        }
        RdbType::SetListpack | RdbType::Stream3 => Since::both((7, 2)),
        RdbType::HashExpiryRc
        | RdbType::HashListpackExpiryRc
        | RdbType::HashExpiry
        | RdbType::HashListpackExpiry => Since::redis((7, 4)),
        RdbType::HashValkey => Since::valkey((9, 0)),
        RdbType::Stream4 => Since::redis((8, 6)),
        RdbType::Stream5 | RdbType::Array => Since::redis((8, 8)),
        RdbType::HashNamesListpack
        | RdbType::HashTemplateListpack
        | RdbType::HashNames
        | RdbType::HashTemplate => Since::redis((8, 10)),
        RdbType::Cron | RdbType::DragonflyJson | RdbType::DragonflyHash | RdbType::DragonflySet => {
            Since::NEVER
        }
    }
}

fn opcode_since(opcode: u8, magic: Family) -> Since {
    match (opcode, magic) {
        (247..=255, _) => Since::ALWAYS,
        (FUNCTION2, _) => Since::both((7, 0)),
        (SLOT_INFO, _) => Since {
            redis: Some((7, 4)),
            valkey: Some((9, 0)),
        },
        (KEY_META, Family::Redis) => Since::redis((8, 6)),
        (SLOT_IMPORT, Family::Valkey) => Since::valkey((9, 0)),
        (HASH_TEMPLATE, Family::Redis) => Since::redis((8, 10)),
        _ => Since::NEVER,
    }
}

fn opcode_name(opcode: u8, magic: Family) -> Option<&'static str> {
    Some(match (opcode, magic) {
        (FUNCTION_PRE_GA, _) => "functions of the release candidates of 7.0",
        (FUNCTION2, _) => "functions",
        (SLOT_INFO, _) => "sizes of cluster slots",
        (KEY_META, Family::Redis) => "metadata of keys",
        (SLOT_IMPORT, Family::Valkey) => "slot migration",
        (HASH_TEMPLATE, Family::Redis) => "hash templates",
        (HASH_TEMPLATE, Family::Valkey) => "replicated command",
        (200..=224, _) => "Dragonfly's",
        (100..=121, _) => "Redis Enterprise's",
        _ => return None,
    })
}

const FUNCTION_PRE_GA: u8 = 246;
const FUNCTION2: u8 = 245;
const SLOT_INFO: u8 = 244;
/// Under the magic of Redis.
const KEY_META: u8 = 243;
/// Under the magic of Valkey.
const SLOT_IMPORT: u8 = 243;
/// Under the magic of Redis; Valkey's is UPDATE.
const HASH_TEMPLATE: u8 = 242;

/// Types and opcodes that Valkey from 9.0 on refuses under the magic of Redis.
const FOREIGN: std::ops::RangeInclusive<u8> = 22..=243;
/// Versions of Redis that Valkey 9 reads only when told to.
const FOREIGN_VERSIONS: std::ops::RangeInclusive<u32> = 12..=79;

/// The module type of vector sets, part of the server since Redis 8.0.
const VECTORSET: &str = "vectorset";
const VECTORSET_SINCE: u8 = 8;

/// `databases` as it is where nobody sets it.
const DEFAULT_DATABASES: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn version(family: Family, number: u32) -> RdbVersion {
        RdbVersion { family, number }
    }

    struct Case {
        version: RdbVersion,
        types: BTreeSet<RdbType>,
        opcodes: BTreeSet<u8>,
        modules: BTreeMap<String, u64>,
        highest_db: u32,
    }

    impl Case {
        fn new(family: Family, number: u32) -> Case {
            Case {
                version: version(family, number),
                types: BTreeSet::from([RdbType::String]),
                opcodes: BTreeSet::from([250, 251, 254, 255]),
                modules: BTreeMap::new(),
                highest_db: 0,
            }
        }

        fn on(&self, name: &str) -> Loads {
            let target = Target::from_name(name).expect(name);
            target.loads(&Used {
                version: self.version,
                types: &self.types,
                opcodes: &self.opcodes,
                modules: &self.modules,
                highest_db: self.highest_db,
            })
        }

        /// Names of the targets that load it, with what they need.
        fn loading(&self) -> Vec<(&'static str, Vec<String>)> {
            let all = Target::ALL.iter();
            all.map(|target| (target.name, self.on(target.name)))
                .filter(|(_, loads)| loads.ok)
                .map(|(name, loads)| (name, loads.needs))
                .collect()
        }
    }

    #[test]
    fn names_are_family_and_version_and_found() {
        for target in Target::ALL {
            let family = match target.family {
                Family::Redis => "redis",
                Family::Valkey => "valkey",
            };
            let name = format!("{family}-{}.{}", target.major, target.minor);
            assert_eq!(target.name, name);
            assert_eq!(Target::from_name(&name), Some(target));
        }
        assert_eq!(Target::from_name("redis-4.0"), None);
    }

    #[test]
    fn version_9_of_redis_loads_everywhere_and_says_nothing() {
        for target in Target::ALL {
            let loads = Case::new(Family::Redis, 9).on(target.name);
            assert!(loads.ok, "{}", target.name);
            assert!(loads.needs.is_empty() && loads.why.is_none());
        }
    }

    #[test]
    fn a_version_loads_where_it_is_known_or_valkey_is_told_to_try() {
        let relaxed = || vec!["rdb-version-check relaxed".to_owned()];
        assert_eq!(
            Case::new(Family::Redis, 14).loading(),
            [
                ("redis-8.8", vec![]),
                ("redis-8.10", vec![]),
                ("valkey-9.0", relaxed()),
                ("valkey-9.1", relaxed()),
            ]
        );
        assert_eq!(
            Case::new(Family::Valkey, 80).loading(),
            [
                ("valkey-8.1", relaxed()),
                ("valkey-9.0", vec![]),
                ("valkey-9.1", vec![]),
            ]
        );
        assert_eq!(
            Case::new(Family::Redis, 12).on("valkey-8.1").why.as_deref(),
            Some("it reads versions up to 11, this is REDIS0012")
        );
        assert_eq!(
            Case::new(Family::Valkey, 80).on("redis-8.2").why.as_deref(),
            Some("it does not know the magic VALKEY080")
        );
        assert!(!Case::new(Family::Redis, 80).on("valkey-9.1").ok);
    }

    #[test]
    fn relaxed_does_not_help_against_types_and_opcodes_of_the_other_family() {
        let mut case = Case::new(Family::Redis, 12);
        case.types.insert(RdbType::HashListpackExpiry);
        let loads = case.on("valkey-9.1");
        assert!(!loads.ok && loads.needs.is_empty());
        assert_eq!(
            loads.why.as_deref(),
            Some("it does not know the type 25 (hash-listpack-md)")
        );
        assert!(case.on("redis-7.4").ok);

        // The release candidates' 22 under the magic of Redis is not Valkey's 22.
        let mut case = Case::new(Family::Redis, 11);
        case.types.insert(RdbType::HashExpiryRc);
        assert!(case.on("redis-8.2").ok);
        assert!(!case.on("redis-7.2").ok);
        assert!(!case.on("valkey-9.1").ok);

        let mut case = Case::new(Family::Redis, 13);
        case.opcodes.insert(KEY_META);
        assert!(case.on("redis-8.6").ok);
        assert_eq!(
            case.on("valkey-9.1").why.as_deref(),
            Some("it does not know the opcode 243 (metadata of keys)")
        );
    }

    #[test]
    fn slot_sizes_are_read_by_both_families_and_a_migration_by_a_cluster_only() {
        let mut case = Case::new(Family::Redis, 12);
        case.opcodes.insert(SLOT_INFO);
        assert!(case.on("redis-7.4").ok && case.on("valkey-9.0").ok);
        let mut case = Case::new(Family::Redis, 11);
        case.opcodes.insert(SLOT_INFO);
        assert!(!case.on("redis-7.2").ok && !case.on("valkey-8.1").ok);

        let mut case = Case::new(Family::Valkey, 80);
        case.opcodes.insert(SLOT_IMPORT);
        assert_eq!(case.on("valkey-9.1").needs, ["cluster-enabled yes"]);
        assert!(!case.on("valkey-8.1").ok);
    }

    #[test]
    fn functions_and_functions_of_release_candidates() {
        let mut case = Case::new(Family::Redis, 9);
        case.opcodes.insert(FUNCTION2);
        assert!(!case.on("redis-6.2").ok);
        assert!(case.on("redis-7.0").ok && case.on("valkey-7.2").ok);
        case.opcodes.insert(FUNCTION_PRE_GA);
        assert_eq!(case.loading(), []);
    }

    #[test]
    fn databases_and_modules_are_needs_but_vector_sets_are_part_of_the_server() {
        let mut case = Case::new(Family::Redis, 9);
        case.highest_db = 15;
        assert!(case.on("redis-6.2").needs.is_empty());
        case.highest_db = 16;
        case.modules.insert("ReJSON-RL".to_owned(), 3);
        assert_eq!(
            case.on("valkey-8.1").needs,
            ["module ReJSON-RL", "databases 17"]
        );
        case.modules = BTreeMap::from([("vectorset".to_owned(), 1)]);
        assert_eq!(case.on("redis-8.0").needs, ["databases 17"]);
        assert_eq!(
            case.on("redis-7.4").why.as_deref(),
            Some("only Redis from 8.0 on has vector sets")
        );
        assert!(!case.on("valkey-9.1").ok);
    }

    #[test]
    fn what_belongs_to_relatives_loads_nowhere() {
        for rdb_type in [RdbType::Cron, RdbType::DragonflyJson] {
            let mut case = Case::new(Family::Redis, 9);
            case.types.insert(rdb_type);
            assert_eq!(case.loading(), [], "{rdb_type:?}");
        }
        let mut case = Case::new(Family::Redis, 9);
        case.opcodes.insert(202);
        assert_eq!(
            case.on("redis-8.2").why.as_deref(),
            Some("it does not know the opcode 202 (Dragonfly's)")
        );
    }

    /// Nothing that a server reads can be lost on its successor, but by a change of magic or meaning.
    #[test]
    fn a_newer_server_of_a_family_knows_what_an_older_one_knows() {
        for pair in Target::ALL.windows(2) {
            let [older, newer] = pair else { continue };
            if older.family != newer.family {
                continue;
            }
            assert!(older.redis <= newer.redis && older.valkey <= newer.valkey);
            for &rdb_type in RdbType::ALL {
                assert!(!older.knows_type(rdb_type) || newer.knows_type(rdb_type));
            }
            for opcode in 100..=255 {
                for magic in [Family::Redis, Family::Valkey] {
                    assert!(
                        !older.knows_opcode(opcode, magic) || newer.knows_opcode(opcode, magic)
                    );
                }
            }
        }
    }
}
