//! Keys with their values as commands of a log, in the forms of the servers' own rewrite.
//!
//! ```text
//! string   SET                      list   RPUSH     set    SADD
//! zset     ZADD score member        hash   HMSET     stream XADD, XSETID, XGROUP, XCLAIM
//! ```
//!
//! Up to 64 items a command. Fields with an expiry follow by their family: `HPEXPIREAT` behind `HMSET`
//! in Redis, `HSETEX` in Valkey. What commands cannot give back (values of modules, pending entries
//! whose entry is gone, groups that have read more than there was, idempotent producers) is a `RESTORE` of the value as a snapshot holds it.

use crate::aof::resp::{write_argument, write_command, write_count};
use crate::bytes::Element;
use crate::bytes::number::{ScoreText, write_double};
use crate::encoding::crc64;
use crate::error::Result;
use crate::keyspace::module::Module;
use crate::keyspace::{NEVER, Value, load, may_be_empty, vector};
use crate::rdb::Scratch;
use crate::rdb::value::walk;
use crate::record::value::StreamEvent;
use crate::record::{DataType, Entry, RdbType, StreamId, ValueVisitor, Walk};
use crate::write::entries::{Entries, Shape, at_key};
use crate::write::format::{Allowed, Format, Lack, Written};
use crate::write::vectors;

/// Latest expiry of a field that Redis takes from a command, Unix ms.
const LATEST_FIELD_EXPIRY: i64 = (1 << 46) - 1;

/// Items in a command at the most, as in the servers' rewrite.
const ITEMS: usize = 64;

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
    args: Vec<u8>,
    times: Vec<u8>,
    text: Vec<u8>,
    ids: Vec<StreamId>,
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

    /// Appends the commands that make a key that stands in a snapshot; its database is selected. `also`
    /// is told the value as it is decoded; true where it was told all that is written, and not a
    /// RESTORE.
    ///
    /// # Errors
    /// A value that cannot be decoded.
    pub fn entry<V: ValueVisitor>(
        &mut self,
        entry: &Entry<'_>,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
        also: &mut V,
    ) -> Result<(Written, bool)> {
        let key = entry.key.to_bytes();
        let key = key.map_err(|problem| at_key(problem, entry))?;
        let meta = entry.meta.is_some();
        let rdb_type = entry.value.rdb_type;
        let estimates = self.format.estimates(rdb_type);
        if estimates
            && !meta
            && let Some(value) = load(&entry.value, scratch, &self.format.rules)?
        {
            let written = self.value(&key, entry.expires_at, &value, out)?;
            return Ok((written, false));
        }
        let told = |to: &mut dyn ValueVisitor| walk(&entry.value, scratch, to);
        if let Some(written) =
            self.by_commands(&key, entry.expires_at, rdb_type, meta, told, out, also)?
        {
            // It was told expiries that the target could have but not these.
            let apart = written == Written::Without(Lack::FieldExpiry);
            return Ok((written, !apart || !self.format.has_field_expiry()));
        }
        self.payload.clear();
        let written = self.entries.payload(entry, scratch, &mut self.payload)?;
        self.restore(&key, entry.expires_at, &written, out);
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
        let told = |to: &mut dyn ValueVisitor| value.walk(to);
        let of = value.rdb_type(&self.format.rules);
        if let Some(written) =
            self.by_commands(key, expires_at, of, false, told, out, &mut Nobody)?
        {
            return Ok(written);
        }
        self.payload.clear();
        let written = self.entries.payload_of(value, &mut self.payload)?;
        self.restore(key, expires_at, &written, out);
        Ok(written)
    }

    /// Appends the commands, where there are such; none where only a RESTORE can give it back.
    #[allow(clippy::too_many_arguments)]
    fn by_commands<V: ValueVisitor>(
        &mut self,
        key: &[u8],
        expires_at: Option<i64>,
        rdb_type: RdbType,
        meta: bool,
        mut told: impl FnMut(&mut dyn ValueVisitor) -> Result<()>,
        out: &mut Vec<u8>,
        also: &mut V,
    ) -> Result<Option<Written>> {
        let of = rdb_type.data_type();
        if matches!(
            of,
            DataType::Module | DataType::Array | DataType::Cron | DataType::Json
        ) {
            return Ok(None);
        }
        let mut written = Written::Whole;
        if meta {
            if !self.allowed.drop_meta {
                return Ok(Some(Written::Not(Lack::KeyMeta)));
            }
            written = Written::Without(Lack::KeyMeta);
        }
        let mut takes_field_expiry = self.format.has_field_expiry();
        let is_dated = of == DataType::Hash
            && !matches!(
                rdb_type,
                RdbType::HashTable
                    | RdbType::HashListpack
                    | RdbType::HashZiplist
                    | RdbType::HashZipmap
            );
        if is_dated && takes_field_expiry && !self.format.rules.is_valkey() {
            let mut shape = Shape::default();
            told(&mut shape)?;
            takes_field_expiry = shape.latest <= LATEST_FIELD_EXPIRY;
        }
        if of == DataType::Stream {
            let mut ids = std::mem::take(&mut self.room.ids);
            ids.clear();
            let mut look = StreamLook {
                ids,
                ..StreamLook::default()
            };
            told(&mut look)?;
            let is_beyond = look.is_beyond_commands(self.format);
            self.room.ids = look.ids;
            if is_beyond {
                return Ok(None);
            }
        }
        let start = out.len();
        let room = &mut self.room;
        room.args.clear();
        room.times.clear();
        let mut teller = Teller {
            format: self.format,
            drop_field_ttl: self.allowed.drop_field_ttl,
            key,
            out,
            args: &mut room.args,
            items: 0,
            words: 0,
            of,
            takes_field_expiry,
            lacks_field_expiry: false,
            dropped_field_expiry: false,
            stream: StreamState::default(),
            times: &mut room.times,
            text: &mut room.text,
            negative_zero: false,
        };
        told(&mut Both(&mut teller, also))?;
        teller.finish();
        if teller.negative_zero {
            // Servers lose its sign where they take it from a command.
            out.truncate(start);
            return Ok(None);
        }
        if teller.out.len() == start {
            return Ok(match may_be_empty(rdb_type, &self.format.rules) {
                true => None,
                false => Some(Written::Empty),
            });
        }
        let (lacks, dropped) = (teller.lacks_field_expiry, teller.dropped_field_expiry);
        if lacks {
            out.truncate(start);
            return Ok(Some(Written::Not(Lack::FieldExpiry)));
        }
        if dropped {
            written = Written::Without(Lack::FieldExpiry);
        }
        expire(key, expires_at, out);
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
        let mut text = itoa::Buffer::new();
        let args = [&b"PEXPIREAT"[..], key, text.format(at).as_bytes()];
        write_command(args.into_iter(), out);
    }
}

/// Is told a value that nobody asks about.
pub struct Nobody;

impl ValueVisitor for Nobody {}

/// Two that are told the same value of those that commands can make, numbers as their text.
struct Both<'v, A, B>(&'v mut A, &'v mut B);

/// An element as text.
fn in_words<'e>(element: Element<'e>, text: &'e mut itoa::Buffer) -> Element<'e> {
    Element::Bytes(element.bytes(text))
}

impl<A: ValueVisitor, B: ValueVisitor> ValueVisitor for Both<'_, A, B> {
    fn string(&mut self, value: Element<'_>) -> Result<()> {
        let mut text = itoa::Buffer::new();
        let value = in_words(value, &mut text);
        self.0.string(value)?;
        self.1.string(value)
    }

    fn begin(&mut self, of: DataType, count: Option<u64>) -> Result<()> {
        self.0.begin(of, count)?;
        self.1.begin(of, count)
    }

    fn element(&mut self, element: Element<'_>) -> Result<()> {
        let mut text = itoa::Buffer::new();
        let element = in_words(element, &mut text);
        self.0.element(element)?;
        self.1.element(element)
    }

    fn field(
        &mut self,
        name: Element<'_>,
        value: Element<'_>,
        expires_at: Option<i64>,
    ) -> Result<()> {
        let (mut one, mut other) = (itoa::Buffer::new(), itoa::Buffer::new());
        let (name, value) = (in_words(name, &mut one), in_words(value, &mut other));
        self.0.field(name, value, expires_at)?;
        self.1.field(name, value, expires_at)
    }

    fn member(&mut self, member: Element<'_>, score: f64) -> Result<()> {
        let mut text = itoa::Buffer::new();
        let member = in_words(member, &mut text);
        self.0.member(member, score)?;
        self.1.member(member, score)
    }

    fn stream(&mut self, event: StreamEvent<'_>) -> Result<()> {
        if let StreamEvent::Field(name, value) = event {
            let (mut one, mut other) = (itoa::Buffer::new(), itoa::Buffer::new());
            let pair = StreamEvent::Field(in_words(name, &mut one), in_words(value, &mut other));
            self.0.stream(pair)?;
            return self.1.stream(pair);
        }
        self.0.stream(event)?;
        self.1.stream(event)
    }

    fn end(&mut self, of: DataType) -> Result<()> {
        self.0.end(of)?;
        self.1.end(of)
    }
}

/// What of a stream decides whether commands can give it back.
#[derive(Default)]
struct StreamLook {
    ids: Vec<StreamId>,
    last: StreamId,
    max_deleted: StreamId,
    added: u64,
    /// The most that a group has read.
    read: u64,
    /// The state of idempotent producers is told, and how many there are.
    idempotence: bool,
    producers: u64,
    /// A pending entry without entry or consumer.
    loose: bool,
    /// Consumers that were seen but have nothing pending; Valkey and Redis make them by command.
    repeated: bool,
}

impl StreamLook {
    fn is_beyond_commands(&self, format: &Format) -> bool {
        let backwards = format.has_stream_counters() && self.max_deleted > self.last;
        // Since 8.2 XGROUP CREATE takes what is more than was ever added for that.
        let unheard = format.rules.since((8, 2), NEVER) && self.read > self.added;
        let producers = self.producers > 0 || (self.idempotence && format.has_producers());
        producers || self.loose || self.repeated || backwards || unheard
    }
}

impl ValueVisitor for StreamLook {
    fn stream(&mut self, event: StreamEvent<'_>) -> Result<()> {
        match event {
            StreamEvent::Meta(meta) => {
                (self.last, self.max_deleted) = (meta.last_id, meta.max_deleted_id);
                self.added = meta.entries_added;
            }
            StreamEvent::Entry { id, .. } => {
                // XADD takes only rising IDs above 0-0.
                self.repeated |= self.ids.last().map_or(StreamId::default(), |id| *id) >= id;
                self.ids.push(id);
            }
            StreamEvent::Pending { id, consumer, .. } => {
                self.loose |= consumer.is_none() || self.ids.binary_search(&id).is_err();
            }
            StreamEvent::Group {
                entries_read: Some(read),
                ..
            } => self.read = self.read.max(read),
            StreamEvent::Producers { count, .. } => {
                (self.idempotence, self.producers) = (true, count);
            }
            _ => {}
        }
        Ok(())
    }

    fn wants_fields(&self) -> bool {
        false
    }
}

/// Appends the text of an ID.
fn write_id(id: StreamId, to: &mut Vec<u8>) {
    let mut text = itoa::Buffer::new();
    to.extend_from_slice(text.format(id.ms).as_bytes());
    to.push(b'-');
    to.extend_from_slice(text.format(id.seq).as_bytes());
}

/// A stream under way.
#[derive(Default)]
struct StreamState {
    meta: crate::record::value::StreamMeta,
    /// Whether the counters are still to be set, behind the entries.
    unset: bool,
    entries: u64,
    group: Vec<u8>,
}

/// Is told a value and gives commands.
struct Teller<'t> {
    format: &'t Format,
    drop_field_ttl: bool,
    key: &'t [u8],
    out: &'t mut Vec<u8>,
    /// Arguments behind the key of the command under way, in the form of a log.
    args: &'t mut Vec<u8>,
    /// How many.
    words: usize,
    items: usize,
    of: DataType,
    takes_field_expiry: bool,
    lacks_field_expiry: bool,
    dropped_field_expiry: bool,
    stream: StreamState,
    /// Fields of the command under way that expire: HPEXPIREAT commands that follow it.
    times: &'t mut Vec<u8>,
    /// Room for a number.
    text: &'t mut Vec<u8>,
    /// A score is one.
    negative_zero: bool,
}

impl Teller<'_> {
    fn name(&self) -> &'static [u8] {
        match self.of {
            DataType::List => b"RPUSH",
            DataType::Set => b"SADD",
            DataType::ZSet => b"ZADD",
            DataType::Hash => b"HMSET",
            _ => b"XADD",
        }
    }

    fn word(&mut self, word: &[u8]) {
        write_argument(word, self.args);
        self.words += 1;
    }

    fn element(&mut self, element: Element<'_>) {
        self.word(element.bytes(&mut itoa::Buffer::new()));
    }

    /// An item is whole.
    fn item(&mut self) {
        self.items += 1;
        if self.items == ITEMS {
            self.finish();
        }
    }

    /// Ends the command under way.
    fn finish(&mut self) {
        if self.words == 0 {
            return;
        }
        write_count(self.words + 2, self.out);
        write_argument(self.name(), self.out);
        write_argument(self.key, self.out);
        self.out.append(self.args);
        self.out.append(self.times);
        (self.words, self.items) = (0, 0);
    }

    /// What of a stream stands behind its entries.
    fn set_counters(&mut self) {
        if !std::mem::take(&mut self.stream.unset) {
            return;
        }
        let meta = self.stream.meta;
        let last = meta.last_id.to_string();
        if self.stream.entries == 0 {
            // The stream must be there before its counters can be set; no ID may be 0-0.
            let id = match meta.last_id {
                StreamId { ms: 0, seq: 0 } => "0-1",
                _ => &last,
            };
            let args = [
                &b"XADD"[..],
                self.key,
                b"MAXLEN",
                b"0",
                id.as_bytes(),
                b"x",
                b"y",
            ];
            write_command(args.into_iter(), self.out);
        }
        let added = meta.entries_added.to_string();
        let deleted = meta.max_deleted_id.to_string();
        let mut args = vec![&b"XSETID"[..], self.key, last.as_bytes()];
        if self.format.has_stream_counters() {
            args.extend([
                &b"ENTRIESADDED"[..],
                added.as_bytes(),
                b"MAXDELETEDID",
                deleted.as_bytes(),
            ]);
        }
        write_command(args.into_iter(), self.out);
    }

    fn group_event(&mut self, event: StreamEvent<'_>) {
        let mut text = itoa::Buffer::new();
        match event {
            StreamEvent::Group {
                name,
                last_id,
                entries_read,
                ..
            } => {
                self.stream.group.clear();
                self.stream.group.extend_from_slice(name.bytes(&mut text));
                let last = last_id.to_string();
                let read = match entries_read {
                    Some(read) => read.to_string(),
                    None => "-1".to_owned(),
                };
                let group = &self.stream.group;
                let mut args = vec![&b"XGROUP"[..], b"CREATE", self.key, group, last.as_bytes()];
                if self.format.has_stream_counters() {
                    args.extend([&b"ENTRIESREAD"[..], read.as_bytes()]);
                }
                write_command(args.into_iter(), self.out);
            }
            StreamEvent::Pending {
                id,
                consumer: Some(consumer),
                delivered_at,
                deliveries,
            } => {
                let (mut one, mut other) = (itoa::Buffer::new(), itoa::Buffer::new());
                let (time, count) = (one.format(delivered_at), other.format(deliveries));
                self.text.clear();
                write_id(id, self.text);
                let args = [
                    &b"XCLAIM"[..],
                    self.key,
                    &self.stream.group,
                    consumer.bytes(&mut text),
                    b"0",
                    self.text,
                    b"TIME",
                    time.as_bytes(),
                    b"RETRYCOUNT",
                    count.as_bytes(),
                    b"JUSTID",
                    b"FORCE",
                ];
                write_command(args.into_iter(), self.out);
            }
            StreamEvent::Consumer {
                name, pending: 0, ..
            } => {
                let args = [
                    &b"XGROUP"[..],
                    b"CREATECONSUMER",
                    self.key,
                    &self.stream.group,
                    name.bytes(&mut text),
                ];
                write_command(args.into_iter(), self.out);
            }
            _ => {}
        }
    }
}

impl ValueVisitor for Teller<'_> {
    fn string(&mut self, value: Element<'_>) -> Result<()> {
        let mut text = itoa::Buffer::new();
        let args = [&b"SET"[..], self.key, value.bytes(&mut text)];
        write_command(args.into_iter(), self.out);
        Ok(())
    }

    fn element(&mut self, element: Element<'_>) -> Result<()> {
        Teller::element(self, element);
        self.item();
        Ok(())
    }

    fn field(
        &mut self,
        name: Element<'_>,
        value: Element<'_>,
        expires_at: Option<i64>,
    ) -> Result<()> {
        let expires_at = match expires_at {
            Some(_) if !self.takes_field_expiry => {
                self.lacks_field_expiry |= !self.drop_field_ttl;
                self.dropped_field_expiry = true;
                None
            }
            other => other,
        };
        let mut text = itoa::Buffer::new();
        if let Some(at) = expires_at {
            let (mut one, mut other) = (itoa::Buffer::new(), itoa::Buffer::new());
            let (name, value) = (name.bytes(&mut one), value.bytes(&mut other));
            let at = text.format(at).as_bytes();
            if self.format.rules.is_valkey() {
                let args = [
                    &b"HSETEX"[..],
                    self.key,
                    b"PXAT",
                    at,
                    b"FIELDS",
                    b"1",
                    name,
                    value,
                ];
                // Its place among the others is not kept: fields have no order.
                write_command(args.into_iter(), self.out);
                return Ok(());
            }
            let args = [&b"HPEXPIREAT"[..], self.key, at, b"FIELDS", b"1", name];
            write_command(args.into_iter(), self.times);
        }
        Teller::element(self, name);
        Teller::element(self, value);
        self.item();
        Ok(())
    }

    fn member(&mut self, member: Element<'_>, score: f64) -> Result<()> {
        self.negative_zero |= score == 0.0 && score.is_sign_negative();
        self.text.clear();
        write_double(self.text, score, ScoreText::G17);
        write_argument(self.text, self.args);
        self.words += 1;
        Teller::element(self, member);
        self.item();
        Ok(())
    }

    fn stream(&mut self, event: StreamEvent<'_>) -> Result<()> {
        match event {
            StreamEvent::Meta(meta) => {
                self.stream.meta = meta;
                self.stream.unset = true;
            }
            StreamEvent::Entry { id, .. } => {
                self.finish();
                self.stream.entries += 1;
                self.text.clear();
                write_id(id, self.text);
                write_argument(self.text, self.args);
                self.words += 1;
            }
            StreamEvent::Field(name, value) => {
                Teller::element(self, name);
                Teller::element(self, value);
            }
            other => {
                self.finish();
                self.set_counters();
                self.group_event(other);
            }
        }
        Ok(())
    }

    fn end(&mut self, _of: DataType) -> Result<()> {
        self.finish();
        self.set_counters();
        Ok(())
    }
}
