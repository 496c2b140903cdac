//! Keys with their values as commands of a log, in the forms of the servers' own rewrite.
//!
//! ```text
//! string   SET                      list   RPUSH     set    SADD
//! zset     ZADD score member        hash   HMSET     stream XADD, XSETID, XGROUP, XCLAIM
//! ```
//!
//! Up to 64 items a command. Fields with an expiry follow by their family: `HPEXPIREAT` behind `HMSET`
//! in Redis, `HSETEX` in Valkey. What commands cannot give back (values of modules, pending entries
//! whose entry is gone, groups that have read more than there was, counters that `XSETID` refuses,
//! idempotent producers) is a `RESTORE` of the value as a snapshot holds it.

mod look;
mod teller;

use crate::aof::resp::{write_argument, write_command, write_length};
use crate::bytes::Problem;
use crate::encoding::{crc64, lzf};
use crate::error::Result;
use crate::keyspace::module::Module;
use crate::keyspace::{Value, load, may_be_empty, vector};
use crate::rdb::Scratch;
use crate::rdb::value::walk;
use crate::record::{DataType, Entry, RawValue, RdbType, Stored, StreamId, ValueVisitor, Walk};
use crate::write::entries::{Entries, Shape, at_key};
use crate::write::format::{Allowed, Format, Lack, Written};
use crate::write::vectors;
pub(crate) use look::is_among;

use look::Look;
use teller::{StringTeller, Teller};

/// Bytes of a value as it stands in a file from which on its commands may be passed on before all are there.
/// Tests have small ones.
const LARGE: usize = match cfg!(any(fuzzing, debug_assertions)) {
    true => 64,
    false => 512 << 10,
};

/// The same where that takes a look at the whole value first.
const LARGE_TO_LOOK: usize = 4 * LARGE;

/// Bytes of commands that are passed on at once.
pub(crate) const PIECE: usize = match cfg!(any(fuzzing, debug_assertions)) {
    true => 256,
    false => 128 << 10,
};

/// How the command of a string begins, and that of an expiry: what follows are the key and one word.
pub(crate) const SET: &[u8] = b"*3\r\n$3\r\nSET\r\n";
pub(crate) const PEXPIREAT: &[u8] = b"*3\r\n$9\r\nPEXPIREAT\r\n";

/// Writes keys with their values as commands, one after the other.
#[derive(Debug)]
pub struct Commands<'f> {
    format: &'f Format,
    allowed: Allowed,
    /// For what commands cannot give back.
    entries: Entries<'f>,
    payload: Vec<u8>,
    room: Room,
}

/// Room for what is not yet a command, which serves for one key after the other.
#[derive(Debug, Default)]
struct Room {
    head: Vec<u8>,
    times: Vec<u8>,
    text: Vec<u8>,
    ids: Vec<StreamId>,
}

/// Is told a value while it becomes commands, and what stands in them.
///
/// ```text
/// *4\r\n$5\r\nRPUSH\r\n$1\r\nl\r\n   $1\r\na\r\n   $1\r\nb\r\n
/// command                        word         word         whole
/// ```
pub trait Witness: ValueVisitor {
    /// The head of a command with items is written: it is `out` from `at` on. How many words it names may
    /// not yet be right.
    fn command(&mut self, _out: &[u8], _at: usize) {}

    /// A word that was told is written, from `at` on.
    fn word(&mut self, _out: &[u8], _at: usize, _word: &[u8]) {}

    /// A score that was told is written, from `at` on.
    fn score(&mut self, _out: &[u8], _at: usize, _score: f64) {}

    /// An ID that was told is written, from `at` on.
    fn id(&mut self, _out: &[u8], _at: usize, _id: StreamId) {}

    /// The command that begins at `at` is whole.
    fn whole(&mut self, _out: &[u8], _at: usize) {}

    /// Whether it takes the commands of a large value before all of them are there.
    fn takes_pieces(&self) -> bool {
        false
    }

    /// Commands of the key under way are written, whole ones, and more will follow. What it takes out of
    /// `out` is written for good.
    ///
    /// # Errors
    /// Whatever keeps the rest from being written.
    fn pass(&mut self, _out: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }

    /// The same, where they may yet be taken back.
    fn look(&mut self, _out: &[u8]) {}

    /// All commands of the key under way are taken back.
    fn take_back(&mut self) {}
}

/// Nobody asks about the value.
pub struct Nobody;

impl ValueVisitor for Nobody {}
impl Witness for Nobody {}

/// Tells a value, as often as it is asked to.
trait Tale {
    fn tell<V: ValueVisitor>(&mut self, to: &mut V) -> Result<()>;
}

/// A value as it stands in a file.
struct InFile<'e, 's>(&'e RawValue<'e>, &'s mut Scratch);

impl Tale for InFile<'_, '_> {
    fn tell<V: ValueVisitor>(&mut self, to: &mut V) -> Result<()> {
        walk(self.0, self.1, to)
    }
}

impl Tale for &Value {
    fn tell<V: ValueVisitor>(&mut self, to: &mut V) -> Result<()> {
        self.walk(to)
    }
}

/// A key that becomes commands.
struct Key<'k> {
    name: &'k [u8],
    expires_at: Option<i64>,
    rdb_type: RdbType,
    /// It has metadata that commands cannot give it.
    has_meta: bool,
    /// Bytes of its value as it stands in a file.
    size: usize,
}

impl<'f> Commands<'f> {
    /// For a target, with what may be left out.
    pub fn new(format: &'f Format, allowed: Allowed) -> Self {
        Commands {
            format,
            allowed,
            entries: Entries::new(format, allowed),
            payload: Vec::new(),
            room: Room::default(),
        }
    }

    /// Appends the command that makes this database the one of what follows.
    pub fn select(db: u32, out: &mut Vec<u8>) {
        let mut text = itoa::Buffer::new();
        write_command(
            [&b"SELECT"[..], text.format(db).as_bytes()].into_iter(),
            out,
        );
    }

    /// Appends the command that loads a function library.
    pub fn function(source: &[u8], out: &mut Vec<u8>) {
        write_command([&b"FUNCTION"[..], b"LOAD", source].into_iter(), out);
    }

    /// Appends the commands that make a key whose value is a string; its database is selected. One that is
    /// compressed is decompressed where it is to stand.
    ///
    /// # Errors
    /// A string that does not decompress.
    #[inline]
    pub(crate) fn string(
        key: &[u8],
        value: &Stored<'_>,
        expires_at: Option<i64>,
        out: &mut Vec<u8>,
    ) -> std::result::Result<(), Problem> {
        out.extend_from_slice(SET);
        write_argument(key, out);
        match *value {
            Stored::Plain(value) => write_argument(value.bytes(&mut itoa::Buffer::new()), out),
            Stored::Lzf { data, len } => {
                let stated = usize::try_from(len).map_err(|_| Problem::LzfOverrun)?;
                write_length(stated, out);
                lzf::decompress_behind(data, len, out)?;
                out.extend_from_slice(b"\r\n");
            }
        }
        expire(key, expires_at, out);
        Ok(())
    }

    /// Appends the commands that make a key that stands in a snapshot; its database is selected. The
    /// witness is told the value as it is decoded; true where it was told all that is written, and not
    /// a RESTORE.
    ///
    /// # Errors
    /// A value that cannot be decoded, or those of the witness.
    pub fn entry<W: Witness>(
        &mut self,
        entry: &Entry<'_>,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
        witness: &mut W,
    ) -> Result<(Written, bool)> {
        let name = entry.key.to_bytes();
        let name = name.map_err(|problem| at_key(problem, entry))?;
        let rdb_type = entry.value.rdb_type;
        let key = Key {
            name: &name,
            expires_at: entry.expires_at,
            rdb_type,
            has_meta: entry.meta.is_some(),
            size: entry.value.bytes.len(),
        };
        if rdb_type == RdbType::String && !key.has_meta {
            let mut teller = StringTeller {
                key: &name,
                out,
                witness,
            };
            walk(&entry.value, scratch, &mut teller)?;
            expire(&name, entry.expires_at, out);
            return Ok((Written::Whole, true));
        }
        let estimates = self.format.estimates(rdb_type);
        if estimates
            && !key.has_meta
            && let Some(value) = load(&entry.value, scratch, &self.format.rules)?
        {
            let written = self.value(&name, entry.expires_at, &value, out)?;
            return Ok((written, false));
        }
        let tale = InFile(&entry.value, scratch);
        if let Some(written) = self.by_commands(&key, tale, out, witness)? {
            // It was told expiries that the target could have but not these.
            let apart = written == Written::Without(Lack::FieldExpiry);
            return Ok((written, !apart || !self.format.has_field_expiry()));
        }
        self.payload.clear();
        let written = self.entries.payload(entry, scratch, &mut self.payload)?;
        self.restore(&name, entry.expires_at, &written, out);
        Ok((written, false))
    }

    /// Appends the commands that make a key of a keyspace; its database is selected.
    ///
    /// # Errors
    /// A value that cannot be decoded or encoded.
    pub fn value(
        &mut self,
        key: &[u8],
        expires_at: Option<i64>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<Written> {
        if let Value::Module(module) = value
            && let Module::Vectors(set) = &**module
        {
            if !self.format.may_have_module(&vector::NAME) {
                return Ok(Written::Not(Lack::Module("vectorset".to_owned())));
            }
            if set.projection.is_some() {
                return Ok(Written::Not(Lack::Graph));
            }
            vectors::write(key, set, out);
            expire(key, expires_at, out);
            return Ok(Written::Whole);
        }
        let of = Key {
            name: key,
            expires_at,
            rdb_type: value.rdb_type(&self.format.rules),
            has_meta: false,
            size: 0,
        };
        if let Some(written) = self.by_commands(&of, value, out, &mut Nobody)? {
            return Ok(written);
        }
        self.payload.clear();
        let written = self.entries.payload_of(value, &mut self.payload)?;
        self.restore(key, expires_at, &written, out);
        Ok(written)
    }

    /// Appends the commands, where there are such; none where only a RESTORE can give it back.
    fn by_commands<W: Witness>(
        &mut self,
        key: &Key<'_>,
        mut tale: impl Tale,
        out: &mut Vec<u8>,
        witness: &mut W,
    ) -> Result<Option<Written>> {
        let of = key.rdb_type.data_type();
        if matches!(
            of,
            DataType::Module | DataType::Array | DataType::Cron | DataType::Json
        ) {
            return Ok(None);
        }
        let mut written = Written::Whole;
        if key.has_meta {
            if !self.allowed.drop_meta {
                return Ok(Some(Written::Not(Lack::KeyMeta)));
            }
            written = Written::Without(Lack::KeyMeta);
        }
        let mut takes_field_expiry = self.format.has_field_expiry();
        let is_dated = of == DataType::Hash
            && !matches!(
                key.rdb_type,
                RdbType::HashTable
                    | RdbType::HashListpack
                    | RdbType::HashZiplist
                    | RdbType::HashZipmap
            );
        if is_dated && takes_field_expiry && !self.format.rules.is_valkey() {
            let mut shape = Shape::default();
            tale.tell(&mut shape)?;
            let most = self.format.rules.latest_field_expiry();
            let (earliest, latest) = (shape.earliest, shape.latest);
            takes_field_expiry = self.format.takes_field_expiry(earliest, latest, most);
        }
        // Commands that are passed on cannot be taken back: what could make that needful is asked first.
        // The reader does not take an expiry that may make the key go.
        let lasts = key.expires_at.is_none_or(|at| at > 0);
        let looks = matches!(of, DataType::ZSet | DataType::Stream);
        let large = if looks { LARGE_TO_LOOK } else { LARGE };
        let mut in_pieces = key.size >= large && !is_dated && lasts && witness.takes_pieces();
        if in_pieces && looks {
            let mut look = Look::new(std::mem::take(&mut self.room.ids));
            tale.tell(&mut look)?;
            in_pieces = look.is_plain(self.format);
            self.room.ids = look.into_ids();
        }
        let start = out.len();
        let mut teller = Teller::new(self.format, key.name, of, out, &mut self.room, witness);
        if in_pieces {
            teller.pass_on();
        }
        teller.takes_field_expiry = takes_field_expiry;
        teller.drop_field_ttl = self.allowed.drop_field_ttl;
        tale.tell(&mut teller)?;
        teller.finish()?;
        let told = teller.end();
        let is_beyond = told.look.is_beyond_commands(self.format);
        self.room.ids = told.look.into_ids();
        if is_beyond && !in_pieces {
            witness.take_back();
            out.truncate(start);
            return Ok(None);
        }
        if !told.wrote {
            return Ok(match may_be_empty(key.rdb_type, &self.format.rules) {
                true => None,
                false => Some(Written::Empty),
            });
        }
        if told.lacks_field_expiry {
            witness.take_back();
            out.truncate(start);
            return Ok(Some(Written::Not(Lack::FieldExpiry)));
        }
        if told.dropped_field_expiry {
            written = Written::Without(Lack::FieldExpiry);
        }
        expire(key.name, key.expires_at, out);
        Ok(Some(written))
    }

    /// Appends a RESTORE of the type and value in the payload, if there is any.
    fn restore(
        &mut self,
        key: &[u8],
        expires_at: Option<i64>,
        written: &Written,
        out: &mut Vec<u8>,
    ) {
        if matches!(written, Written::Not(_) | Written::Empty) {
            return;
        }
        let version = u16::try_from(self.format.version.number).unwrap_or(u16::MAX);
        self.payload.extend_from_slice(&version.to_le_bytes());
        let sum = crc64::checksum(&self.payload);
        self.payload.extend_from_slice(&sum.to_le_bytes());
        let mut text = itoa::Buffer::new();
        let time = text.format(expires_at.unwrap_or(0)).as_bytes();
        match expires_at {
            // 0 stands for no expiry, and a time before 1970 is none that RESTORE takes.
            Some(1..) => {
                let args = [&b"RESTORE"[..], key, time, &self.payload, b"ABSTTL"];
                write_command(args.into_iter(), out);
            }
            _ => {
                write_command([&b"RESTORE"[..], key, b"0", &self.payload].into_iter(), out);
                expire(key, expires_at, out);
            }
        }
    }
}

/// Appends the command that gives a key its expiry.
fn expire(key: &[u8], expires_at: Option<i64>, out: &mut Vec<u8>) {
    if let Some(at) = expires_at {
        out.extend_from_slice(PEXPIREAT);
        write_argument(key, out);
        write_argument(itoa::Buffer::new().format(at).as_bytes(), out);
    }
}
