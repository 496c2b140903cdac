//! What a target server writes and can hold.

use std::fmt;

use crate::command::Like;
use crate::error::{Error, Result};
use crate::keyspace::Rules;
use crate::record::target::Target;
use crate::record::{Family, RdbType, RdbVersion};

/// Opcode of function libraries.
const FUNCTION: u8 = 245;
/// Opcode of a key's metadata, in Redis.
const KEY_META: u8 = 243;
/// The module type that is part of Redis since 8.0.
const VECTORSET: &[u8] = b"vectorset";

/// How a target server writes: the version of its snapshots, what it can hold, its thresholds.
#[derive(Clone, Debug)]
pub struct Format {
    /// The server.
    pub target: &'static Target,
    /// Its ways, with the settings it comes with.
    pub rules: Rules,
    /// Magic and version of its snapshots.
    pub version: RdbVersion,
}

impl Format {
    /// That of the server of this name, as `redis-8.2` or `valkey-9.1.2`; the patch does not matter.
    ///
    /// # Errors
    /// A server that is not in the table.
    pub fn named(name: &str) -> Result<Format> {
        let like: Option<Like> = name.parse().ok();
        let target = like.and_then(Format::target_of);
        match (like, target) {
            (Some(like), Some(target)) => Ok(Format::new(target, like)),
            _ => {
                let names: Vec<_> = Target::ALL.iter().map(|target| target.name).collect();
                Err(Error::usage(format!(
                    "there is no target \"{name}\": expected one of {}",
                    names.join(", ")
                )))
            }
        }
    }

    /// That of a server that is followed; the nearest older one of its family where it is not in
    /// the table itself, or the oldest.
    pub fn like(like: Like) -> Format {
        let of_family = || {
            let family = family(like);
            Target::ALL.iter().filter(move |t| t.family == family)
        };
        let older = of_family().rfind(|t| (t.major, t.minor) <= like.version());
        let target = older.or_else(|| of_family().next());
        Format::new(target.unwrap_or(&Target::ALL[0]), like)
    }

    fn target_of(like: Like) -> Option<&'static Target> {
        Target::ALL
            .iter()
            .find(|t| t.family == family(like) && (t.major, t.minor) == like.version())
    }

    fn new(target: &'static Target, like: Like) -> Format {
        let (family, number) = match target.valkey {
            Some(number) => (Family::Valkey, number),
            None => (Family::Redis, target.redis),
        };
        Format {
            target,
            rules: Rules::new(like, None),
            version: RdbVersion { family, number },
        }
    }

    /// Whether a value of this type can be copied as it stands in a file.
    ///
    /// Hashes that refer to a template stand for nothing without it, and are never copied.
    pub fn takes(&self, rdb_type: RdbType) -> bool {
        let refers = matches!(
            rdb_type,
            RdbType::HashNamesListpack
                | RdbType::HashTemplateListpack
                | RdbType::HashNames
                | RdbType::HashTemplate
        );
        // The release candidates' forms are read by Redis but written by none.
        let is_dated = matches!(
            rdb_type,
            RdbType::HashExpiryRc | RdbType::HashListpackExpiryRc
        );
        !refers && !is_dated && self.target.knows_type(rdb_type)
    }

    /// Whether the server has function libraries.
    pub fn has_functions(&self) -> bool {
        self.target.knows_opcode(FUNCTION, self.version.family)
    }

    /// Whether fields of hashes can have an expiry of their own.
    pub fn has_field_expiry(&self) -> bool {
        self.target.knows_type(RdbType::HashExpiry) || self.target.knows_type(RdbType::HashValkey)
    }

    /// Whether the server takes expiries of fields from `earliest` to `latest` (Unix ms): Redis takes none
    /// later than `most`, and 0 stands for none there. Valkey takes any.
    pub(crate) fn takes_field_expiry(&self, earliest: i64, latest: i64, most: i64) -> bool {
        let fits = earliest > 0 && latest <= most;
        self.has_field_expiry() && (self.rules.is_valkey() || fits)
    }

    /// Whether keys can have metadata of modules.
    pub fn has_key_meta(&self) -> bool {
        self.version.family == Family::Redis && self.target.knows_opcode(KEY_META, Family::Redis)
    }

    /// Whether streams keep the state of idempotent producers.
    pub fn has_producers(&self) -> bool {
        self.target.knows_type(RdbType::Stream4)
    }

    /// Whether streams keep, beside entries and groups, how many entries were ever added and read.
    pub fn has_stream_counters(&self) -> bool {
        self.target.knows_type(RdbType::Stream2)
    }

    /// Whether the server estimates what a stream of this type does not say, as it loads it from a
    /// snapshot: how much its groups have read.
    pub fn estimates(&self, rdb_type: RdbType) -> bool {
        rdb_type == RdbType::Stream1 && self.has_stream_counters()
    }

    /// Whether the server may have the module of this type: it cannot be known of any but one.
    pub fn may_have_module(&self, name: &[u8]) -> bool {
        name != VECTORSET || self.target.loads_vector_sets()
    }

    /// Whether the server has logs of several files.
    pub fn has_multi_part(&self) -> bool {
        self.rules.since((7, 0), (0, 0))
    }
}

fn family(like: Like) -> Family {
    match like.is_valkey() {
        true => Family::Valkey,
        false => Family::Redis,
    }
}

/// What a target cannot hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// Fields with an expiry of their own.
    FieldExpiry,
    /// The module that owns the value, by its type's name.
    Module(String),
    /// A type of values that no older one can stand for.
    Type(RdbType),
    /// Metadata that modules have put to the key.
    KeyMeta,
    /// The state of a stream's idempotent producers.
    Producers,
    /// Function libraries.
    Functions,
    /// A vector set that commands have changed: its graph cannot be made here.
    Graph,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lack::FieldExpiry => f.write_str("fields with an expiry of their own"),
            Lack::Module(name) => write!(f, "a value of the module type {name}"),
            Lack::Type(rdb_type) => {
                let (number, name) = (rdb_type.number(), rdb_type.name());
                write!(f, "a value of the type {number} ({name})")
            }
            Lack::KeyMeta => f.write_str("metadata of the key"),
            Lack::Producers => f.write_str("the state of idempotent producers"),
            Lack::Functions => f.write_str("function libraries"),
            Lack::Graph => f.write_str("a vector set that the log has changed"),
        }
    }
}

/// What may be left out where the target cannot hold it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// The expiry of fields: the field itself stays.
    pub drop_field_ttl: bool,
    /// Metadata of modules at keys, and the state of idempotent producers.
    pub drop_meta: bool,
    /// Whole keys, and function libraries.
    pub drop_key: bool,
}

/// What became of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was written whole.
    Whole,
    /// It was written, but for this.
    Without(Lack),
    /// Nothing was written, since the target cannot hold this.
    Not(Lack),
    /// Nothing was written: no command makes a collection without elements, and the target would leave
    /// it out of a snapshot as well.
    Empty,
}
