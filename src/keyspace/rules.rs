//! What depends on the server that is followed.

use std::sync::Arc;

use crate::bytes::number::ScoreText;
use crate::command::Like;
use crate::keyspace::held::Files;

/// A version that a family never reaches: see [`Rules::since`].
pub const NEVER: (u8, u8) = (u8::MAX, 0);

/// How the server that is followed does things, where servers differ. Settings are the defaults.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The server.
    pub like: Like,
    /// How it prints scores.
    pub scores: ScoreText,
    /// Databases that it has; a SELECT beyond is an error.
    pub databases: u32,
    /// Most fields of a hash in one packed blob.
    pub hash_entries: usize,
    /// Most members of a set in one packed blob; none where sets have no such form (before 7.2).
    pub set_entries: Option<usize>,
    /// Most members of a set of integers.
    pub intset_entries: usize,
    /// Most members of a sorted set in one packed blob.
    pub zset_entries: usize,
    /// Longest string in a packed hash, set or sorted set, in bytes.
    pub packed_string: usize,
    /// Bytes of a list's node.
    pub list_node: usize,
    /// Most entries of a stream's node.
    pub stream_node_entries: u64,
    /// Bytes of a stream's node.
    pub stream_node_bytes: u64,
    /// Most bytes of a HyperLogLog in sparse form.
    pub hll_sparse: usize,
    /// Longest string, in bytes (`proto-max-bulk-len`).
    pub longest_string: u64,
    /// The time by which a server judges what has passed, Unix ms; none: nothing has.
    pub now: Option<i64>,
    /// Snapshots that values stay in until somebody looks at them.
    pub files: Arc<Files>,
}

impl Rules {
    /// The rules of this server with the settings it comes with.
    pub fn new(like: Like, now: Option<i64>) -> Self {
        let mut rules = Rules {
            like,
            scores: ScoreText::Grisu2,
            databases: 16,
            hash_entries: 512,
            set_entries: Some(128),
            intset_entries: 512,
            zset_entries: 128,
            packed_string: 64,
            list_node: 8192,
            stream_node_entries: 100,
            stream_node_bytes: 4096,
            hll_sparse: 3000,
            longest_string: 512 << 20,
            now,
            files: Arc::default(),
        };
        if !rules.since((7, 2), (0, 0)) {
            rules.scores = ScoreText::G17;
            rules.set_entries = None;
        }
        rules
    }

    /// Whether the server is of this version of its family or newer; [`NEVER`] where the family
    /// has no such version.
    #[inline]
    pub fn since(&self, redis: (u8, u8), valkey: (u8, u8)) -> bool {
        let wanted = if self.is_valkey() { valkey } else { redis };
        self.like.version() >= wanted
    }

    /// Latest expiry of a field that the server takes from a command, Unix ms.
    pub fn latest_field_expiry(&self) -> i64 {
        match self.is_valkey() {
            true => i64::MAX,
            false => (1 << 46) - 1,
        }
    }

    /// Whether the server is of the Valkey family.
    #[inline]
    pub fn is_valkey(&self) -> bool {
        self.like.is_valkey()
    }
}
