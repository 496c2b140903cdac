//! The nom seam: what every parser of this crate returns, and the small readers that all share.
//!
//! A parser does not know where it stands. A [`Fault`] counts the bytes that were *left* when it
//! was found, so that the one caller who knows start and length can turn it into an offset.

use std::fmt;

/// What a parser returns: the rest and the item, or a fault, or a wish for more bytes.
pub type Parsed<'d, T> = nom::IResult<&'d [u8], T, Fault>;

/// What is wrong, and how many bytes were left when it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Bytes from the fault to the end of the slice that the parser was given.
    pub rest: usize,
    /// What is wrong there.
    pub problem: Problem,
}

impl Fault {
    /// The error that stops a parser at `input`.
    #[cold]
    pub fn at(input: &[u8], problem: Problem) -> nom::Err<Fault> {
        nom::Err::Failure(Fault {
            rest: input.len(),
            problem,
        })
    }
}

impl nom::error::ParseError<&[u8]> for Fault {
    fn from_error_kind(input: &[u8], _: nom::error::ErrorKind) -> Self {
        Fault {
            rest: input.len(),
            problem: Problem::Malformed,
        }
    }
    fn append(_: &[u8], _: nom::error::ErrorKind, other: Self) -> Self {
        other
    }
}

/// The answer of a parser that is fed piece by piece.
#[derive(Debug)]
pub enum Step<T> {
    /// The bytes at hand end inside the item.
    NeedMore {
        /// How many more bytes are needed at the least.
        at_least: usize,
    },
    /// One item.
    Parsed {
        /// Bytes of the input that the item took.
        consumed: usize,
        /// The item.
        item: T,
    },
}

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident $({ $($field:ident : $ty:ty),* })? = $code:literal, $text:literal $(, $arg:expr)*;)*) => {
        /// Everything that can be wrong with bytes, with the values found. `Copy` and small, so
        /// that finding it costs nothing; its text is made only when it is shown.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Problem { $($(#[$doc])* $name $({ $(#[doc = "Value found or expected."] $field: $ty),* })?),* }
        impl Problem {
            /// The stable word for this problem, as reports carry it.
            pub fn code(&self) -> &'static str {
                match self { $(Problem::$name { .. } => $code),* }
            }
            /// Every code there is, each once per problem that carries it.
            pub const CODES: &'static [&'static str] = &[$($code),*];
        }
        impl fmt::Display for Problem {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match *self { $(Problem::$name $({ $($field),* })? => write!(f, $text $(, $arg)*)),* }
            }
        }
    };
}

problems! {
    /// A nom parser gave up without a reason of ours.
    Malformed = "rdb-malformed", "malformed bytes";
    /// The bytes end inside an item.
    Truncated { missing: u64 } = "rdb-truncated", "the data ends here, at least {} more {} expected", missing, if missing == 1 { "byte was" } else { "bytes were" };
    /// No byte at all.
    Empty = "rdb-empty", "the file is empty";
    /// Neither `REDIS` nor `VALKEY` at the start.
    Magic = "rdb-magic", "not a snapshot: expected REDIS or VALKEY and a version at the start";
    /// The digits of the version are not digits, or the version is out of its family's range.
    Version { version: u32 } = "rdb-version", "no server writes format version {} under this magic", version;
    /// A version above all known ones.
    FutureVersion { version: u32 } = "rdb-future-version", "format version {} is newer than this program knows", version;
    /// A first byte `10xxxxxx` that is neither 80 nor 81.
    LengthByte { found: u8 } = "rdb-bad-length", "length byte {:#04x} is not defined", found;
    /// A string encoding where a plain number is required.
    EncodedLength { found: u8 } = "rdb-bad-length", "a number was expected, found string encoding {}", found & 0x3f;
    /// A number beyond what its place allows.
    LengthRange { found: u64, most: u64 } = "rdb-bad-length", "{} is out of range, at most {} fits here", found, most;
    /// A string encoding other than int8, int16, int32, LZF.
    StringEncoding { found: u8 } = "rdb-bad-string", "string encoding {} is not defined", found & 0x3f;
    /// An LZF back reference before the start of the output.
    LzfReference = "rdb-bad-lzf", "LZF back reference before the start of the output";
    /// LZF output longer than said.
    LzfOverrun = "rdb-bad-lzf", "LZF output is longer than its stated length";
    /// LZF input ends inside an instruction.
    LzfInput = "rdb-bad-lzf", "LZF data ends inside an instruction";
    /// LZF output shorter than said.
    LzfLength { found: u64, claimed: u64 } = "rdb-bad-lzf", "LZF output is {} bytes, {} were stated", found, claimed;
    /// LZF cannot expand so much.
    LzfExpansion { compressed: u64, claimed: u64 } = "rdb-bad-lzf", "{} bytes of LZF cannot expand to {}", compressed, claimed;
    /// A byte that is no type and no opcode of this family and version.
    UnknownType { found: u8 } = "rdb-unknown-type", "value type or opcode {} is not known", found;
    /// A type whose layout is not established.
    UnreadableType { found: u8 } = "rdb-unreadable-type", "value type {} is known, but its layout is not established", found;
    /// A type or opcode that every released server refuses.
    RefusedType { found: u8 } = "rdb-refused-type", "value type or opcode {} is refused by every released server", found;
    /// The database number is beyond all settings.
    Database { found: u64 } = "rdb-bad-database", "database number {} is beyond what a server can have", found;
    /// Stored and computed checksum differ.
    Checksum { stored: u64, computed: u64 } = "rdb-checksum", "checksum is {:016x}, the data's is {:016x}", stored, computed;
    /// Bytes after the end of the snapshot.
    TrailingBytes { count: u64 } = "rdb-trailing-bytes", "{} bytes stand after the end of the snapshot", count;
    /// The same key twice in a database.
    DuplicateKey = "rdb-duplicate-key", "this key stands twice in its database";
    /// A decompressed run of records ends inside a record.
    RunEnd = "rdb-bad-run", "a compressed run of records is damaged";
    /// A blob's own length field is not its length.
    BlobSize { claimed: u64, actual: u64 } = "blob-size", "the blob says {} bytes and has {}", claimed, actual;
    /// A blob is too short for its header.
    BlobShort { actual: u64 } = "blob-size", "{} bytes are too few for the blob's header", actual;
    /// The byte after the last entry is not ff.
    BlobEnd { found: u8 } = "blob-end", "expected the end mark ff, found {:02x}", found;
    /// An entry runs past the end of its blob.
    EntryPastEnd = "blob-entry", "an entry runs past the end of its blob";
    /// An undefined entry encoding.
    EntryEncoding { found: u8 } = "blob-entry", "entry encoding {:02x} is not defined", found;
    /// A listpack entry's backward length is wrong.
    BackLen { claimed: u64, actual: u64 } = "listpack-backlen", "backward length {} of an entry of {} bytes", claimed, actual;
    /// A ziplist entry's previous length is wrong.
    PrevLen { claimed: u64, actual: u64 } = "ziplist-prevlen", "previous length {} after an entry of {} bytes", claimed, actual;
    /// A ziplist's tail offset does not point at its last entry.
    ZiplistTail { claimed: u64, actual: u64 } = "ziplist-tail", "tail offset {} where the last entry is at {}", claimed, actual;
    /// A ziplist's tail offset lies outside the blob.
    ZiplistTailRange { claimed: u64, size: u64 } = "ziplist-tail", "tail offset {} lies outside the blob of {} bytes", claimed, size;
    /// The header's count is not the number of entries.
    BlobCount { claimed: u64, actual: u64 } = "blob-count", "the header counts {} entries, there are {}", claimed, actual;
    /// Bytes between the end mark and the end of the blob.
    BlobTrailing { count: u64 } = "blob-trailing", "{} bytes stand after the end mark", count;
    /// The entries do not come in whole pairs or triples.
    EntryGroups { count: u64, group: u64 } = "blob-groups", "{} entries are not a multiple of {}", count, group;
    /// Intset width other than 2, 4, 8.
    IntsetWidth { found: u32 } = "intset-width", "intset width {} is not 2, 4 or 8", found;
    /// Intset not strictly ascending.
    IntsetOrder = "intset-order", "intset members do not ascend";
    /// Intset members wider than need be (harmless, but no server writes it).
    EmptyBlob = "rdb-empty-blob", "an empty intset or zipmap is refused by servers";
    /// A collection without elements: the server drops the key.
    EmptyCollection = "rdb-empty-collection", "the collection is empty: servers drop the key while loading";
    /// The same member or field twice in a value.
    DuplicateMember = "rdb-duplicate-member", "a member or field stands twice in this value";
    /// A score that is not a number.
    ScoreNan = "zset-score-nan", "a score is not a number (NaN)";
    /// A score text that does not parse.
    ScoreText = "zset-score-text", "a score is not the text of a number: servers read it as 0";
    /// Sorted set not in order in its blob.
    ScoreOrder = "zset-order", "members do not ascend by score and member";
    /// Quicklist node container other than 1 or 2.
    Container { found: u64 } = "quicklist-container", "quicklist node container {} is not 1 or 2", found;
    /// A plain quicklist node of length 0.
    EmptyPlainNode = "quicklist-plain-empty", "a plain quicklist node is empty";
    /// A field expiry that is no integer or out of range.
    FieldExpiry = "hash-field-expiry", "a field's expiry is not a time servers accept";
    /// Field expiries out of order in their listpack.
    FieldExpiryOrder = "hash-field-order", "fields do not ascend by expiry";
    /// A stream node's key is not 16 bytes.
    StreamNodeKey { len: u64 } = "stream-node-key", "a stream node's key has {} bytes, not 16", len;
    /// Two nodes of a stream have the same key: servers refuse that even unsorted.
    StreamNodeTwice = "stream-node-twice", "two nodes of the stream have the same key";
    /// The structure of a stream's listpack is broken.
    StreamNode = "stream-node", "a stream node's listpack does not hold what its header says";
    /// A stream node without live entries.
    StreamNodeEmpty = "stream-node-empty", "a stream node has no live entry: servers remove such nodes";
    /// A stream record's flags have a bit that means nothing.
    StreamFlags { found: i64 } = "stream-flags", "stream entry flags {:#x} are not defined", found;
    /// A stream record's count of entries is wrong.
    StreamRecordCount { claimed: i64, actual: i64 } = "stream-record-count", "a stream entry counts {} items and has {}", claimed, actual;
    /// Stream IDs do not ascend.
    StreamOrder = "stream-order", "stream IDs do not ascend";
    /// The last ID of a stream is below that of an entry.
    StreamLastId = "stream-last-id", "an entry's ID is above the stream's last ID";
    /// The stream's length is not the sum of its nodes' counts.
    StreamLength { claimed: u64, actual: u64 } = "stream-length", "the stream says {} entries and has {}", claimed, actual;
    /// A consumer's pending entry is not in the group's list.
    PendingUnknown = "stream-pending", "a consumer's pending entry is not pending in its group";
    /// A pending entry has no consumer, or two.
    PendingOwner = "stream-pending", "a pending entry has no consumer";
    /// A pending entry that several consumers claim.
    PendingShared = "stream-pending", "a pending entry belongs to two consumers";
    /// A pending entry listed twice.
    PendingTwice = "stream-pending", "a pending entry stands twice";
    /// The same group or consumer twice.
    StreamNameTwice = "stream-names", "a group or consumer stands twice";
    /// A module item opcode that is not defined.
    ModuleOpcode { found: u64 } = "module-opcode", "module item {} is not defined", found;
    /// A module record without its UINT mark or with an undefined moment.
    ModuleAux { found: u64 } = "module-aux", "module aux record holds {} where 1 or 2 was expected", found;
    /// A hash names a template that was not defined before.
    TemplateUnknown { id: u64 } = "hash-template", "hash template {} was not defined before", id;
    /// A hash template is empty, unsorted or defined twice.
    TemplateBad { id: u64 } = "hash-template", "hash template {} is empty, unsorted or defined twice", id;
    /// A tag of an array's element that is not defined.
    ArrayTag { found: u64 } = "array-tag", "array element tag {} is not defined", found;
    /// Array indexes do not ascend.
    ArrayOrder = "array-order", "array indexes do not ascend";
    /// A slot import job whose name is not 40 bytes.
    SlotImportName { len: u64 } = "slot-import", "a slot import's name has {} bytes, not 40", len;
    /// Neither a command nor an annotation begins here.
    AofFormat { found: u8 } = "aof-format", "a command begins with \"*\", here stands {:?}", char::from(found);
    /// An argument does not begin with `$`.
    AofArgument { found: u8 } = "aof-format", "an argument begins with \"$\", here stands {:?}", char::from(found);
    /// A command has at least its name.
    AofCount { found: i64 } = "aof-format", "a command of {} arguments", found;
    /// A length below zero.
    AofLength { found: i64 } = "aof-length", "an argument of {} bytes", found;
    /// The log ends inside a command.
    AofCut { missing: u64 } = "aof-truncated", "the log ends inside a command, at least {} more {} expected", missing, if missing == 1 { "byte was" } else { "bytes were" };
    /// The log ends inside a transaction.
    AofOpenMulti = "aof-open-multi", "the transaction that begins here has no EXEC";
    /// EXEC outside a transaction.
    AofStrayExec = "aof-stray-exec", "an EXEC without its MULTI";
    /// MULTI inside a transaction.
    AofNestedMulti = "aof-nested-multi", "a MULTI inside a transaction";
    /// DISCARD inside a transaction that is run.
    AofDiscard = "aof-discard", "a DISCARD inside a transaction that has an EXEC: servers crash as they run it";
    /// A command that no server at hand knows.
    AofUnknownCommand = "unknown-command", "no server knows a command of this name";
    /// A command with too many or too few arguments.
    AofArity { found: u64 } = "aof-arity", "the command does not take {} arguments", found;
    /// A command that crashes the server which loads it.
    AofCrash = "aof-crash", "a command that servers crash on as they run it from a log";
    /// The snapshot in front of a log is damaged, and commands were found behind it.
    AofPreamble = "aof-preamble", "the snapshot in front is damaged from here on, and the log goes on behind it";
    /// The snapshot in front of a log is damaged, and nothing stands behind it that could be kept.
    AofNoLog = "aof-no-log", "the snapshot is damaged, and no log stands behind it in its file";
    /// A command in a form that loads and that no server writes.
    AofLax = "aof-lax-form", "the command's form is not the one that servers write: they load it, their checker refuses it";
    /// A command of a log that the server answers with an error.
    AofRefused = "aof-refused", "the server answers this command with an error, and goes on";
    /// A command of a log that cannot be run here.
    AofUnplayable = "aof-unplayable", "this command cannot be run without the server";
    /// The target of an output has no room for it.
    TargetLacks = "target-lacks", "the target cannot hold this";
    /// The target of an output has no room for it, and it was left out as asked.
    TargetDropped = "target-dropped", "the target cannot hold this: it is left out";
    /// A time to live that counts from an unknown moment.
    AofRelative = "aof-relative-time", "a time to live counts from when the command is run, and no time stands before it";
    /// Text of a known form that does not read.
    Text = "rdb-text", "the text is not of the form that stands here";
}

/// Asks for `missing` more bytes.
#[cold]
pub fn incomplete<T>(missing: usize) -> Result<T, nom::Err<Fault>> {
    Err(nom::Err::Incomplete(nom::Needed::new(missing)))
}

/// Takes `count` bytes.
///
/// # Errors
/// `Incomplete` when fewer are at hand.
#[inline]
pub fn take(input: &[u8], count: usize) -> Parsed<'_, &[u8]> {
    match input.split_at_checked(count) {
        Some((head, rest)) => Ok((rest, head)),
        None => incomplete(count - input.len()),
    }
}

/// Takes as many bytes as a 64-bit length says; one beyond this machine's addresses cannot be met.
#[inline]
pub fn take_u64(input: &[u8], count: u64) -> Parsed<'_, &[u8]> {
    take(input, usize::try_from(count).unwrap_or(usize::MAX))
}

/// Takes an array of `N` bytes.
#[inline]
pub fn array<const N: usize>(input: &[u8]) -> Parsed<'_, [u8; N]> {
    match input.split_first_chunk::<N>() {
        Some((head, rest)) => Ok((rest, *head)),
        None => incomplete(N - input.len()),
    }
}

/// Takes one byte.
#[inline]
pub fn byte(input: &[u8]) -> Parsed<'_, u8> {
    match input.split_first() {
        Some((&head, rest)) => Ok((rest, head)),
        None => incomplete(1),
    }
}

/// Little-endian signed 64-bit: expiry times, counters of module values.
#[inline]
pub fn le_i64(input: &[u8]) -> Parsed<'_, i64> {
    let (rest, bytes) = array::<8>(input)?;
    Ok((rest, i64::from_le_bytes(bytes)))
}

/// Little-endian double.
#[inline]
pub fn le_f64(input: &[u8]) -> Parsed<'_, f64> {
    let (rest, bytes) = array::<8>(input)?;
    Ok((rest, f64::from_le_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_stays_two_words_and_a_half() {
        assert!(size_of::<Fault>() <= 32, "{}", size_of::<Fault>());
    }

    #[test]
    fn running_out_is_not_a_fault_and_says_how_much_is_missing() {
        match take(b"abc", 5) {
            Err(nom::Err::Incomplete(nom::Needed::Size(n))) => assert_eq!(n.get(), 2),
            other => panic!("{other:?}"),
        }
        assert_eq!(take(b"abc", 3).unwrap().1, b"abc");
    }

    #[test]
    fn texts_name_what_was_found() {
        let text = Problem::Checksum {
            stored: 1,
            computed: 0xab,
        }
        .to_string();
        assert_eq!(
            text,
            "checksum is 0000000000000001, the data's is 00000000000000ab"
        );
        assert_eq!(
            Problem::Truncated { missing: 1 }.to_string(),
            "the data ends here, at least 1 more byte was expected"
        );
    }
}
