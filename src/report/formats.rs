//! Which servers read and write what: the table of targets, for people and programs.

use crate::record::target::{Relaxed, Target};
use crate::record::{Family, RdbType};
use crate::write::Format;

/// What a server reads and writes.
#[derive(Clone, Debug)]
pub struct ServerFormat {
    /// The server.
    pub target: &'static Target,
    /// Magic and version of its snapshots, as they stand in the file.
    pub writes: String,
    /// Highest version under the magic of Redis that it reads.
    pub reads_redis: u32,
    /// Highest version under the magic of Valkey that it reads, if any.
    pub reads_valkey: Option<u32>,
    /// What `rdb-version-check relaxed` adds.
    pub relaxed: &'static str,
    /// Types of values that it has and its predecessor of the same family has not.
    pub new_types: Vec<RdbType>,
    /// Whether it has function libraries.
    pub functions: bool,
    /// Whether fields of hashes can expire.
    pub field_expiry: bool,
    /// Whether its logs have several files.
    pub multi_part: bool,
    /// Thresholds with the settings it comes with, by name of the setting.
    pub thresholds: Vec<(&'static str, u64)>,
}

/// All servers that are known.
pub fn formats() -> Vec<ServerFormat> {
    let mut before: Option<&'static Target> = None;
    let mut all = Vec::new();
    for target in Target::ALL {
        let Ok(format) = Format::named(target.name) else {
            continue;
        };
        let older = before.filter(|older| older.family == target.family);
        before = Some(target);
        let is_new = |of: &RdbType| {
            let known_before = older.is_some_and(|older| older.knows_type(*of));
            target.knows_type(*of) && !known_before
        };
        let rules = &format.rules;
        let listpack = rules.since((7, 0), (0, 0));
        let name = |new: &'static str, old: &'static str| if listpack { new } else { old };
        let mut thresholds = vec![
            (
                name("hash-max-listpack-entries", "hash-max-ziplist-entries"),
                rules.hash_entries as u64,
            ),
            (
                name("hash-max-listpack-value", "hash-max-ziplist-value"),
                rules.packed_string as u64,
            ),
            (
                name("zset-max-listpack-entries", "zset-max-ziplist-entries"),
                rules.zset_entries as u64,
            ),
            ("set-max-intset-entries", rules.intset_entries as u64),
        ];
        if let Some(entries) = rules.set_entries {
            thresholds.push(("set-max-listpack-entries", entries as u64));
        }
        thresholds.push(("stream-node-max-entries", rules.stream_node_entries));
        thresholds.push(("stream-node-max-bytes", rules.stream_node_bytes));
        all.push(ServerFormat {
            target,
            writes: format.version.magic().escape_ascii().to_string(),
            reads_redis: target.redis,
            reads_valkey: target.valkey,
            relaxed: match target.relaxed {
                Relaxed::Absent => "",
                Relaxed::Valkey => "newer versions of Valkey",
                Relaxed::ValkeyAndRedis => "newer versions of Valkey, versions 12 to 79 of Redis",
            },
            new_types: RdbType::ALL.iter().copied().filter(is_new).collect(),
            functions: format.has_functions(),
            field_expiry: format.has_field_expiry(),
            multi_part: format.has_multi_part(),
            thresholds,
        });
    }
    all
}

impl ServerFormat {
    /// Its family, as a word.
    pub fn family(&self) -> &'static str {
        match self.target.family {
            Family::Redis => "redis",
            Family::Valkey => "valkey",
        }
    }
}
