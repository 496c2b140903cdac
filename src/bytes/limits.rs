//! Every bound on a length or depth taken from a file, each with its reason.

/// A string longer than this is decompressed into an unlinked mapped file instead of memory:
/// three such buffers a worker still fit the memory promise.
pub const STRING_IN_MEMORY: usize = 4 << 20;

/// LZF's best case is a three-byte instruction for 264 bytes of output; no stream expands more.
pub const LZF_EXPANSION: u64 = 88;

/// A record of a stream that has not ended after this many bytes is spooled to an unlinked file:
/// several of them may be under way at a time.
pub const RECORD_IN_MEMORY: usize = 4 << 20;

/// Deepest nesting followed in a JSON tree of a module value.
pub const JSON_DEPTH: u32 = 512;

/// Fields that a hash template may name: a template is a small record type, not a data set.
pub const TEMPLATE_FIELDS: u64 = 1 << 20;

/// Highest database number a file may select; servers are configured with far fewer, and the
/// setting itself is a 32-bit integer.
pub const DATABASES: u64 = i32::MAX as u64;
