//! What a value is made of, and who is told.

use std::fmt;

use crate::bytes::{Element, Problem};
use crate::error::{Place, Result};
use crate::record::Stored;

/// The data types of the servers and their relatives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DataType {
    /// A string.
    String,
    /// A list.
    List,
    /// A set.
    Set,
    /// A sorted set.
    ZSet,
    /// A hash.
    Hash,
    /// A stream.
    Stream,
    /// A module's value.
    Module,
    /// A sparse array (Redis 8.8).
    Array,
    /// A script run by the clock (KeyDB).
    Cron,
    /// JSON text (Dragonfly).
    Json,
}

impl DataType {
    /// Every type, in the order of reports.
    pub const ALL: &'static [DataType] = &[
        DataType::String,
        DataType::List,
        DataType::Set,
        DataType::ZSet,
        DataType::Hash,
        DataType::Stream,
        DataType::Module,
        DataType::Array,
        DataType::Cron,
        DataType::Json,
    ];

    /// The name, as `TYPE` answers it.
    pub fn name(self) -> &'static str {
        match self {
            DataType::String => "string",
            DataType::List => "list",
            DataType::Set => "set",
            DataType::ZSet => "zset",
            DataType::Hash => "hash",
            DataType::Stream => "stream",
            DataType::Module => "module",
            DataType::Array => "array",
            DataType::Cron => "cron",
            DataType::Json => "json",
        }
    }

    /// The type of this name, if there is one.
    pub fn from_name(name: &str) -> Option<DataType> {
        DataType::ALL.iter().copied().find(|t| t.name() == name)
    }
}

/// A stream entry's ID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Unix time in ms, as a rule.
    pub ms: u64,
    /// Sequence number within it.
    pub seq: u64,
}

impl StreamId {
    /// From the 16 big-endian bytes of node keys and pending lists.
    pub fn from_be_bytes(raw: [u8; 16]) -> Self {
        let n = u128::from_be_bytes(raw);
        StreamId {
            ms: (n >> 64) as u64,
            seq: (n & u128::from(u64::MAX)) as u64,
        }
    }

    /// The 16 big-endian bytes.
    pub fn to_be_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// What a stream consists of, in the order in which it is told: `Meta`, every `Entry` with its
/// `Field`s, then each `Group` with its `Pending` entries and `Consumer`s, then `Producer`s.
#[derive(Clone, Copy, Debug)]
pub enum StreamEvent<'d> {
    /// The stream's counters.
    Meta(StreamMeta),
    /// A live entry begins; `fields` pairs follow.
    Entry {
        /// Its ID.
        id: StreamId,
        /// How many pairs follow.
        fields: u64,
    },
    /// A pair of the entry.
    Field(Element<'d>, Element<'d>),
    /// A consumer group begins.
    Group {
        /// Its name.
        name: Element<'d>,
        /// Last ID delivered.
        last_id: StreamId,
        /// Entries ever read; `None` where the file does not say or says unknown.
        entries_read: Option<u64>,
        /// Pending entries that follow.
        pending: u64,
        /// Consumers that follow them.
        consumers: u64,
    },
    /// An entry that the group has delivered and nobody acknowledged, in ascending order of ID.
    Pending {
        /// Its ID.
        id: StreamId,
        /// Name of its consumer; `None` where it has none.
        consumer: Option<Element<'d>>,
        /// Time of the last delivery, Unix ms.
        delivered_at: i64,
        /// Deliveries so far.
        deliveries: u64,
    },
    /// A consumer of the group.
    Consumer {
        /// Its name.
        name: Element<'d>,
        /// When it was last seen, Unix ms.
        seen_at: i64,
        /// When it last did something, Unix ms; -1 never; `None` where the file does not say.
        active_at: Option<i64>,
        /// Entries pending for it.
        pending: u64,
    },
    /// The stream's state of idempotent producers begins (Redis 8.6).
    Producers {
        /// Seconds for which message IDs are remembered.
        duration: u64,
        /// IDs remembered for each producer.
        max_entries: u64,
        /// Producers that follow.
        count: u64,
    },
    /// A producer; `count` messages follow.
    Producer {
        /// Its name.
        id: Element<'d>,
        /// Messages that follow.
        count: u64,
    },
    /// A message of the producer.
    Message {
        /// Message ID given by the producer.
        iid: Element<'d>,
        /// The entry it became.
        id: StreamId,
    },
    /// Counters of idempotent production; ends the producers.
    ProducerTotals {
        /// Message IDs added ever.
        added: u64,
        /// Duplicates seen ever.
        duplicates: u64,
    },
}

/// A stream's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamMeta {
    /// Live entries.
    pub length: u64,
    /// Last ID ever generated.
    pub last_id: StreamId,
    /// ID of the first live entry, 0-0 when there is none.
    pub first_id: StreamId,
    /// Highest ID ever deleted.
    pub max_deleted_id: StreamId,
    /// Entries ever added.
    pub entries_added: u64,
    /// Consumer groups.
    pub groups: u64,
}

/// One typed item of a module's serialisation.
#[derive(Clone, Copy, Debug)]
pub enum ModuleItem<'d> {
    /// A signed number.
    Sint(i64),
    /// An unsigned number.
    Uint(u64),
    /// A 32-bit float.
    Float(f32),
    /// A double.
    Double(f64),
    /// A string, as it is stored.
    String(Stored<'d>),
}

/// Part of the tree into which a known module value is decoded; what JSON needs and no more.
#[derive(Clone, Copy, Debug)]
pub enum Node<'d> {
    /// An object begins.
    Object,
    /// An array begins.
    Array,
    /// The object or array ends.
    End,
    /// Name of the member that comes next in an object.
    Name(&'d [u8]),
    /// Null.
    Null,
    /// A truth value.
    Bool(bool),
    /// A signed number.
    Int(i64),
    /// An unsigned number.
    Uint(u64),
    /// A double; may be infinite or NaN.
    Double(f64),
    /// A server string: bytes.
    Bytes(&'d [u8]),
    /// Text that is JSON already, checked to be so; there may be line breaks between its tokens.
    Json(&'d [u8]),
}

/// What a module value consists of: `Start`, then either `Node`s of its meaning or `Raw`.
#[derive(Clone, Copy, Debug)]
pub enum ModuleEvent<'d> {
    /// The value begins.
    Start {
        /// Type name, nine characters.
        name: [u8; 9],
        /// Version of the type's encoding.
        version: u16,
        /// True when `Node`s follow, false when `Raw` does.
        decoded: bool,
    },
    /// Part of the decoded value.
    Node(Node<'d>),
    /// The whole serialisation, items with their end mark, as it stands in the file.
    Raw(&'d [u8]),
}

/// An element of a sparse array.
#[derive(Clone, Copy, Debug)]
pub enum ArrayItem<'d> {
    /// A string.
    String(Element<'d>),
    /// An integer.
    Int(i64),
    /// A double.
    Double(f64),
}

/// Is told what a value consists of. Every method has a default that does nothing.
///
/// Strings lent to a method live only as long as the call.
pub trait ValueVisitor {
    /// The whole of a string value; nothing else is told of it.
    ///
    /// # Errors
    /// As for every method: whatever keeps the visitor from going on; it ends the walk.
    fn string(&mut self, _value: Element<'_>) -> Result<()> {
        Ok(())
    }
    /// A collection begins; `count` elements follow, if it is known.
    fn begin(&mut self, _of: DataType, _count: Option<u64>) -> Result<()> {
        Ok(())
    }
    /// An element of a list or set.
    fn element(&mut self, _element: Element<'_>) -> Result<()> {
        Ok(())
    }
    /// A field of a hash, with its expiry as Unix ms if it has one.
    fn field(
        &mut self,
        _name: Element<'_>,
        _value: Element<'_>,
        _expires_at: Option<i64>,
    ) -> Result<()> {
        Ok(())
    }
    /// A member of a sorted set.
    fn member(&mut self, _member: Element<'_>, _score: f64) -> Result<()> {
        Ok(())
    }
    /// Part of a stream.
    fn stream(&mut self, _event: StreamEvent<'_>) -> Result<()> {
        Ok(())
    }
    /// Whether the fields of a stream's entries are to be told. They are most of a stream, and who
    /// has no use for them saves most of the walk.
    fn wants_fields(&self) -> bool {
        true
    }
    /// Part of a module value.
    fn module(&mut self, _event: ModuleEvent<'_>) -> Result<()> {
        Ok(())
    }
    /// An element of a sparse array; indexes ascend.
    fn slot(&mut self, _index: u64, _item: ArrayItem<'_>) -> Result<()> {
        Ok(())
    }
    /// The collection ends.
    fn end(&mut self, _of: DataType) -> Result<()> {
        Ok(())
    }
    /// Something is wrong that does not keep the rest from being read: a wrong count, entries out
    /// of order. What the server does about it is the finding's business.
    fn flaw(&mut self, _problem: Problem, _place: Place) -> Result<()> {
        Ok(())
    }
}

/// A value that can tell what it consists of.
pub trait Walk {
    /// Tells the visitor everything, in order.
    ///
    /// # Errors
    /// Damage that keeps the rest of the value from being read, or what the visitor returned.
    fn walk(&self, to: &mut dyn ValueVisitor) -> Result<()>;
}
