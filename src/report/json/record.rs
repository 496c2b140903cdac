//! Records of a snapshot as JSON: one object a record.

use crate::bytes::{Element, Problem};
use crate::error::{Error, Place, Result};
use crate::io::ordered::{Pieces, Wanted};
use crate::rdb::Scratch;
use crate::rdb::string;
use crate::rdb::value::{self, module};
use crate::record::types::RdbType;
use crate::record::value::{ArrayItem, ModuleEvent, Node, StreamEvent};
use crate::record::{DataType, Entry, RawValue, Stored, ValueVisitor};
use crate::report::json::text::{JsonText, StringStyle};

/// Text that is handed on at the latest.
const CHUNK: usize = 256 << 10;
/// Text of one value that is held back until the value proves whole.
const HELD: usize = 16 << 20;
/// A value of more bytes than this is read once before it is written, and then written in chunks.
const GIANT: usize = 4 << 20;
/// A string of more bytes than this is handed on by itself.
const LONG: usize = 64 << 10;

/// How much of a key is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Select {
    /// Everything.
    #[default]
    All,
    /// Database, key and type.
    Keys,
    /// Everything but the value.
    Meta,
    /// The bare value.
    Values,
}

/// How records are set apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// One a line.
    #[default]
    Lines,
    /// Elements of an array: each begins with a comma and a new line.
    Array,
}

/// How records are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JsonOptions {
    /// How strings are written.
    pub strings: StringStyle,
    /// How records are set apart.
    pub shape: Shape,
    /// How much of a key is written.
    pub select: Select,
    /// Hashes as lists of pairs instead of objects.
    pub pairs: bool,
    /// Values of modules as their bytes, also where their meaning is known.
    pub raw_modules: bool,
    /// Adds the size of the value in the file, in bytes.
    pub with_size: bool,
    /// Adds the offset of the record.
    pub with_offset: bool,
    /// Adds the time to live in ms, counted from here (Unix ms).
    pub with_ttl: Option<i64>,
    /// Sorts members of sets and fields of hashes by bytes, members of sorted sets by score.
    pub sort: bool,
    /// Bytes that sorting one value may hold.
    pub max_memory: u64,
}

/// Writes records; one a thread.
#[derive(Debug)]
pub struct JsonRecords {
    options: JsonOptions,
    text: JsonText,
    sorter: super::sorted::Sorter,
    flaws: Vec<(Problem, Place)>,
}

impl JsonRecords {
    /// Writes as told.
    pub fn new(options: JsonOptions) -> Self {
        let text = JsonText::new(options.strings);
        let sorter = super::sorted::Sorter::new(options.max_memory);
        JsonRecords {
            options,
            text,
            sorter,
            flaws: Vec::new(),
        }
    }

    /// Whether the values written had flaws.
    #[inline]
    pub fn has_flaws(&self) -> bool {
        !self.flaws.is_empty()
    }

    /// What was wrong with the values written without keeping them from being read; once each.
    pub fn flaws(&mut self) -> Vec<(Problem, Place)> {
        std::mem::take(&mut self.flaws)
    }

    /// The text that was not handed on yet.
    pub fn take(&mut self, pieces: &mut Pieces<'_>) -> Wanted {
        if self.text.is_empty() {
            return Wanted::More;
        }
        let next = pieces.buffer();
        pieces.chunk(self.text.take(next))
    }

    /// Writes a key with its value. Damage in the value leaves nothing of it behind.
    ///
    /// # Errors
    /// Damage, or nobody wanting more.
    #[inline]
    pub fn entry(
        &mut self,
        entry: &Entry<'_>,
        scratch: &mut Scratch,
        pieces: &mut Pieces<'_>,
    ) -> Result<()> {
        if self.text.len() >= CHUNK && self.take(pieces) == Wanted::Nothing {
            return Err(stopped());
        }
        let start = self.text.len();
        let mut giant = entry.value.bytes.len() > GIANT;
        if !giant {
            match self.write(entry, scratch, None) {
                Ok(()) => return Ok(()),
                Err(error) => {
                    self.text.truncate(start);
                    self.flaws.clear();
                    giant = matches!(error.kind(), crate::error::ErrorKind::Limit(text) if text == HELD_BACK);
                    if !giant {
                        return Err(error);
                    }
                }
            }
        }
        value::walk(&entry.value, scratch, &mut Nobody)?;
        self.write(entry, scratch, Some(pieces))
    }

    fn write(
        &mut self,
        entry: &Entry<'_>,
        scratch: &mut Scratch,
        pieces: Option<&mut Pieces<'_>>,
    ) -> Result<()> {
        let JsonRecords {
            options,
            text,
            sorter,
            flaws,
        } = self;
        if options.shape == Shape::Array {
            text.raw(b",\n");
        }
        if options.select != Select::Values {
            head(options, text, entry, scratch)?;
            if matches!(options.select, Select::Keys | Select::Meta) {
                text.byte(b'}');
                end_line(options, text);
                return Ok(());
            }
        }
        let rdb_type = entry.value.rdb_type;
        let bare = options.select == Select::Values;
        let sorted = options.sort && super::sorted::applies(rdb_type.data_type());
        let from = text.len();
        let mut writer = ValueWriter {
            text,
            pieces,
            from,
            pairs: options.pairs,
            bare,
            first: true,
            expiries: false,
            nest: Nest::default(),
            flaws,
        };
        if !bare && rdb_type != RdbType::Module {
            writer.text.raw(b",\"value\":");
        }
        if options.raw_modules && rdb_type == RdbType::Module {
            raw_module(&entry.value, scratch, &mut writer)?;
        } else {
            walk(
                &entry.value,
                scratch,
                sorted.then_some(&mut *sorter),
                &mut writer,
            )?;
        }
        if !bare && has_field_expiries(rdb_type) && writer.expiries {
            writer.text.raw(b",\"field_expire_at_ms\":");
            writer.first = true;
            let mut expiries = ExpiryWriter(writer);
            walk(
                &entry.value,
                scratch,
                sorted.then_some(sorter),
                &mut expiries,
            )?;
        }
        if !bare {
            self.text.byte(b'}');
        }
        end_line(&self.options, &mut self.text);
        Ok(())
    }

    /// Writes an AUX field.
    pub fn aux(&mut self, name: &Stored<'_>, value: &Stored<'_>) -> Result<()> {
        let damaged = |problem| Error::bytes(problem, Place::at(0), crate::error::What::Aux);
        let (name, value) = (
            name.to_bytes().map_err(damaged)?,
            value.to_bytes().map_err(damaged)?,
        );
        self.begin_record("aux");
        self.text.raw(b",\"name\":");
        self.text.string_bytes(&name);
        self.text.raw(b",\"value\":");
        self.text.string_bytes(&value);
        self.end_record();
        Ok(())
    }

    /// Writes a function library.
    pub fn function(&mut self, source: &Stored<'_>) -> Result<()> {
        let damaged = |problem| Error::bytes(problem, Place::at(0), crate::error::What::Function);
        let source = source.to_bytes().map_err(damaged)?;
        self.begin_record("function");
        if let Some(name) = library_name(&source) {
            self.text.raw(b",\"name\":");
            self.text.string_bytes(name);
        }
        self.text.raw(b",\"code\":");
        self.text.string_bytes(&source);
        self.end_record();
        Ok(())
    }

    /// Writes what a module keeps outside the keys.
    pub fn module_aux(&mut self, id: u64, when: u64, items: &[u8]) {
        let (name, version) = module::split_id(id);
        self.begin_record("module-aux");
        self.text.raw(b",\"module\":");
        self.text.string_bytes(&name);
        self.text.raw(b",\"module_version\":");
        self.text.uint(u64::from(version));
        self.text.raw(b",\"when\":");
        self.text.uint(when);
        self.text.raw(b",\"raw\":");
        raw(&mut self.text, items);
        self.end_record();
    }

    fn begin_record(&mut self, kind: &str) {
        if self.options.shape == Shape::Array {
            self.text.raw(b",\n");
        }
        self.text.raw(b"{\"type\":\"");
        self.text.raw(kind.as_bytes());
        self.text.byte(b'"');
    }

    fn end_record(&mut self) {
        self.text.byte(b'}');
        end_line(&self.options, &mut self.text);
    }
}

fn end_line(options: &JsonOptions, text: &mut JsonText) {
    if options.shape == Shape::Lines {
        text.byte(b'\n');
    }
}

/// Everything up to the value.
#[inline]
fn head(
    options: &JsonOptions,
    text: &mut JsonText,
    entry: &Entry<'_>,
    scratch: &mut Scratch,
) -> Result<()> {
    if entry.db == 0 {
        text.raw(b"{\"db\":0,\"key\":");
    } else {
        text.raw(b"{\"db\":");
        text.uint(u64::from(entry.db));
        text.raw(b",\"key\":");
    }
    text.string(scratch.key(entry.key, entry.at)?);
    let data_type = entry.value.rdb_type.data_type();
    if data_type == DataType::String && options.select != Select::Keys {
        text.raw(match entry.value.encoding() {
            "int" => b",\"type\":\"string\",\"encoding\":\"int\"",
            "lzf" => b",\"type\":\"string\",\"encoding\":\"lzf\"",
            _ => b",\"type\":\"string\",\"encoding\":\"raw\"",
        });
    } else {
        text.raw(b",\"type\":\"");
        text.raw(data_type.name().as_bytes());
        if options.select == Select::Keys {
            text.byte(b'"');
            return Ok(());
        }
        text.raw(b"\",\"encoding\":\"");
        text.raw(entry.value.rdb_type.encoding().as_bytes());
        text.byte(b'"');
    }
    if let Some(ms) = entry.expires_at {
        text.raw(b",\"expire_at_ms\":");
        text.int(ms);
        if let Some(now) = options.with_ttl {
            text.raw(b",\"ttl_ms\":");
            text.int(ms.saturating_sub(now));
        }
    }
    if let Some(idle) = entry.idle {
        text.raw(b",\"idle_s\":");
        text.uint(idle);
    }
    if let Some(freq) = entry.freq {
        text.raw(b",\"freq\":");
        text.uint(u64::from(freq));
    }
    if options.with_size {
        text.raw(b",\"size\":");
        text.uint(entry.value.bytes.len() as u64);
    }
    if options.with_offset {
        text.raw(b",\"offset\":");
        text.uint(entry.at);
    }
    Ok(())
}

/// Walks a value as it stands, or through the sorter.
fn walk<V: ValueVisitor>(
    value: &RawValue<'_>,
    scratch: &mut Scratch,
    sorter: Option<&mut super::sorted::Sorter>,
    to: &mut V,
) -> Result<()> {
    match sorter {
        None => value::walk(value, scratch, to),
        Some(sorter) => {
            value::walk(value, scratch, sorter)?;
            sorter.tell(to)
        }
    }
}

/// Tells a module's value as its bytes, once they prove whole.
fn raw_module<V: ValueVisitor>(
    value: &RawValue<'_>,
    scratch: &mut Scratch,
    to: &mut V,
) -> Result<()> {
    value::walk(value, scratch, &mut Nobody)?;
    let Ok((items, id)) = string::number(value.bytes) else {
        return value::walk(value, scratch, to);
    };
    let (name, version) = module::split_id(id);
    to.begin(DataType::Module, None)?;
    to.module(ModuleEvent::Start {
        name,
        version,
        decoded: false,
    })?;
    to.module(ModuleEvent::Raw(items))?;
    to.end(DataType::Module)
}

fn has_field_expiries(rdb_type: RdbType) -> bool {
    matches!(
        rdb_type,
        RdbType::HashExpiryRc
            | RdbType::HashListpackExpiryRc
            | RdbType::HashExpiry
            | RdbType::HashListpackExpiry
            | RdbType::HashValkey
            | RdbType::DragonflyHash
    )
}

/// The name in a library's first line, `#!lua name=NAME`.
fn library_name(source: &[u8]) -> Option<&[u8]> {
    let line = source.split(|&b| b == b'\n').next()?;
    line.split(|b| b.is_ascii_whitespace())
        .find_map(|word| word.strip_prefix(b"name="))
}

/// Bytes that no reader is meant to look at.
fn raw(text: &mut JsonText, bytes: &[u8]) {
    text.raw(b"{\"$b64\":\"");
    text.raw_base64(bytes);
    text.raw(b"\"}");
}

const HELD_BACK: &str = "more text than is held back";

#[cold]
fn stopped() -> Error {
    Error::new(crate::error::ErrorKind::ClosedPipe)
}

/// Wants to know only whether the value can be read.
struct Nobody;

impl ValueVisitor for Nobody {}

/// Writes a value as JSON.
struct ValueWriter<'t, 'p, 'q> {
    text: &'t mut JsonText,
    /// Where chunks go once the value is known to be whole.
    pieces: Option<&'p mut Pieces<'q>>,
    /// Where the value begins in the text.
    from: usize,
    pairs: bool,
    bare: bool,
    first: bool,
    expiries: bool,
    nest: Nest,
    flaws: &'t mut Vec<(Problem, Place)>,
}

/// What is open in a stream or a module's tree.
#[derive(Debug, Default)]
struct Nest {
    part: Part,
    /// Of a tree: for each open object or array whether something stands in it, and which it is.
    open: Vec<(bool, bool)>,
    named: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Start,
    Entries,
    EntryFields,
    Groups,
    Pending,
    Consumers,
    Producers,
    Messages,
    Done,
}

impl ValueWriter<'_, '_, '_> {
    /// Sets elements apart and hands text on when there is enough of it.
    #[inline]
    fn next(&mut self) -> Result<()> {
        if self.first {
            self.first = false;
        } else {
            self.text.byte(b',');
            if self.text.len() >= CHUNK {
                return self.full();
            }
        }
        Ok(())
    }

    #[cold]
    fn full(&mut self) -> Result<()> {
        match &mut self.pieces {
            Some(pieces) => {
                let next = pieces.buffer();
                match pieces.chunk(self.text.take(next)) {
                    Wanted::More => Ok(()),
                    Wanted::Nothing => Err(stopped()),
                }
            }
            None if self.text.len() - self.from > HELD => Err(Error::limit(HELD_BACK)),
            None => Ok(()),
        }
    }

    /// A server string; a long one is handed on part by part.
    #[inline]
    fn string(&mut self, element: Element<'_>) -> Result<()> {
        match element {
            Element::Bytes(bytes) if bytes.len() > LONG => self.long(bytes),
            _ => {
                self.text.string(element);
                Ok(())
            }
        }
    }

    #[cold]
    fn long(&mut self, bytes: &[u8]) -> Result<()> {
        if self.pieces.is_none() && bytes.len() > HELD {
            return Err(Error::limit(HELD_BACK));
        }
        let mut parts = self.text.long(bytes);
        while self.text.long_part(&mut parts) {
            if self.text.len() >= CHUNK {
                self.full()?;
            }
        }
        Ok(())
    }

    fn name(&mut self, name: Element<'_>) {
        self.text.name(name);
        self.text.byte(b':');
    }

    fn id(&mut self, id: crate::record::StreamId) {
        self.text.byte(b'"');
        self.text.uint(id.ms);
        self.text.byte(b'-');
        self.text.uint(id.seq);
        self.text.byte(b'"');
    }

    /// Closes what is open of a stream until `part` can begin.
    fn leave(&mut self, part: Part) {
        loop {
            let from = self.nest.part;
            if from == part {
                return;
            }
            self.nest.part = match from {
                Part::EntryFields => {
                    self.text.raw(b"]}");
                    Part::Entries
                }
                Part::Entries => {
                    self.text.raw(b"],\"groups\":[");
                    self.first = true;
                    Part::Groups
                }
                Part::Pending => {
                    self.text.raw(b"],\"consumers\":[");
                    self.first = true;
                    Part::Consumers
                }
                Part::Consumers => {
                    self.text.raw(b"]}");
                    self.first = false;
                    Part::Groups
                }
                Part::Messages => {
                    self.text.raw(b"]}");
                    self.first = false;
                    Part::Producers
                }
                Part::Start | Part::Groups | Part::Producers | Part::Done => return,
            };
        }
    }

    fn node_comma(&mut self) {
        if std::mem::take(&mut self.nest.named) {
            return;
        }
        if let Some((used, _)) = self.nest.open.last_mut()
            && std::mem::replace(used, true)
        {
            self.text.byte(b',');
        }
    }
}

impl ValueVisitor for ValueWriter<'_, '_, '_> {
    #[inline]
    fn string(&mut self, value: Element<'_>) -> Result<()> {
        ValueWriter::string(self, value)
    }

    #[inline]
    fn begin(&mut self, of: DataType, _: Option<u64>) -> Result<()> {
        self.first = true;
        // A scheduled script's parts may repeat, as only pairs can.
        self.pairs |= of == DataType::Cron;
        match of {
            DataType::Hash | DataType::Cron if self.pairs || of == DataType::Cron => {
                self.text.byte(b'[')
            }
            DataType::Hash | DataType::Stream => self.text.byte(b'{'),
            DataType::Json | DataType::Module => {}
            _ => self.text.byte(b'['),
        }
        Ok(())
    }

    #[inline]
    fn element(&mut self, element: Element<'_>) -> Result<()> {
        self.next()?;
        ValueWriter::string(self, element)
    }

    #[inline]
    fn field(
        &mut self,
        name: Element<'_>,
        value: Element<'_>,
        expires_at: Option<i64>,
    ) -> Result<()> {
        self.next()?;
        self.expiries |= expires_at.is_some();
        if self.pairs {
            self.text.byte(b'[');
            ValueWriter::string(self, name)?;
            self.text.byte(b',');
            ValueWriter::string(self, value)?;
            self.text.byte(b']');
        } else {
            self.name(name);
            ValueWriter::string(self, value)?;
        }
        Ok(())
    }

    #[inline]
    fn member(&mut self, member: Element<'_>, score: f64) -> Result<()> {
        self.next()?;
        self.text.raw(b"{\"member\":");
        ValueWriter::string(self, member)?;
        self.text.raw(b",\"score\":");
        self.text.double(score);
        self.text.byte(b'}');
        Ok(())
    }

    fn stream(&mut self, event: StreamEvent<'_>) -> Result<()> {
        match event {
            StreamEvent::Meta(meta) => {
                self.text.raw(b"\"length\":");
                self.text.uint(meta.length);
                self.text.raw(b",\"last_id\":");
                self.id(meta.last_id);
                self.text.raw(b",\"first_id\":");
                self.id(meta.first_id);
                self.text.raw(b",\"max_deleted_id\":");
                self.id(meta.max_deleted_id);
                self.text.raw(b",\"entries_added\":");
                self.text.uint(meta.entries_added);
                self.text.raw(b",\"entries\":[");
                self.nest.part = Part::Entries;
                self.first = true;
            }
            StreamEvent::Entry { id, .. } => {
                self.leave(Part::Entries);
                self.next()?;
                self.text.raw(b"{\"id\":");
                self.id(id);
                self.text.raw(b",\"fields\":[");
                self.nest.part = Part::EntryFields;
                self.nest.named = false;
            }
            StreamEvent::Field(name, value) => {
                if std::mem::replace(&mut self.nest.named, true) {
                    self.text.byte(b',');
                }
                self.text.byte(b'[');
                ValueWriter::string(self, name)?;
                self.text.byte(b',');
                ValueWriter::string(self, value)?;
                self.text.byte(b']');
            }
            StreamEvent::Group {
                name,
                last_id,
                entries_read,
                ..
            } => {
                self.leave(Part::Groups);
                self.next()?;
                self.text.raw(b"{\"name\":");
                ValueWriter::string(self, name)?;
                self.text.raw(b",\"last_id\":");
                self.id(last_id);
                self.text.raw(b",\"entries_read\":");
                match entries_read {
                    Some(n) => self.text.uint(n),
                    None => self.text.raw(b"null"),
                }
                self.text.raw(b",\"pending\":[");
                self.nest.part = Part::Pending;
                self.first = true;
            }
            StreamEvent::Pending {
                id,
                consumer,
                delivered_at,
                deliveries,
            } => {
                self.next()?;
                self.text.raw(b"{\"id\":");
                self.id(id);
                self.text.raw(b",\"consumer\":");
                match consumer {
                    Some(name) => ValueWriter::string(self, name)?,
                    None => self.text.raw(b"null"),
                }
                self.text.raw(b",\"delivered_at_ms\":");
                self.text.int(delivered_at);
                self.text.raw(b",\"deliveries\":");
                self.text.uint(deliveries);
                self.text.byte(b'}');
            }
            StreamEvent::Consumer {
                name,
                seen_at,
                active_at,
                ..
            } => {
                self.leave(Part::Consumers);
                self.next()?;
                self.text.raw(b"{\"name\":");
                ValueWriter::string(self, name)?;
                self.text.raw(b",\"seen_at_ms\":");
                self.text.int(seen_at);
                if let Some(active_at) = active_at {
                    self.text.raw(b",\"active_at_ms\":");
                    self.text.int(active_at);
                }
                self.text.byte(b'}');
            }
            StreamEvent::Producers {
                duration,
                max_entries,
                ..
            } => {
                self.leave_groups_of_last();
                self.text.raw(b"],\"idempotence\":{\"duration_s\":");
                self.text.uint(duration);
                self.text.raw(b",\"max_entries\":");
                self.text.uint(max_entries);
                self.text.raw(b",\"producers\":[");
                self.nest.part = Part::Producers;
                self.first = true;
            }
            StreamEvent::Producer { id, .. } => {
                self.leave(Part::Producers);
                self.next()?;
                self.text.raw(b"{\"id\":");
                ValueWriter::string(self, id)?;
                self.text.raw(b",\"messages\":[");
                self.nest.part = Part::Messages;
                self.first = true;
            }
            StreamEvent::Message { iid, id } => {
                self.next()?;
                self.text.byte(b'[');
                ValueWriter::string(self, iid)?;
                self.text.byte(b',');
                self.id(id);
                self.text.byte(b']');
            }
            StreamEvent::ProducerTotals { added, duplicates } => {
                self.leave(Part::Producers);
                self.text.raw(b"],\"added\":");
                self.text.uint(added);
                self.text.raw(b",\"duplicates\":");
                self.text.uint(duplicates);
                self.text.byte(b'}');
                self.nest.part = Part::Done;
            }
        }
        Ok(())
    }

    fn module(&mut self, event: ModuleEvent<'_>) -> Result<()> {
        match event {
            ModuleEvent::Start {
                name,
                version,
                decoded,
            } => {
                if !self.bare {
                    self.text.raw(b",\"module\":");
                    self.text.string_bytes(&name);
                    self.text.raw(b",\"module_version\":");
                    self.text.uint(u64::from(version));
                    self.text.raw(if decoded {
                        b",\"value\":"
                    } else {
                        b",\"raw\":"
                    });
                }
            }
            ModuleEvent::Raw(bytes) => {
                self.text.raw(b"{\"$b64\":\"");
                for part in bytes.chunks(LONG / 3 * 3) {
                    self.text.raw_base64(part);
                    if self.text.len() >= CHUNK {
                        self.full()?;
                    }
                }
                self.text.raw(b"\"}");
            }
            ModuleEvent::Node(node) => {
                if !matches!(node, Node::End) {
                    self.node_comma();
                }
                match node {
                    Node::Object | Node::Array => {
                        let object = matches!(node, Node::Object);
                        self.text.byte(if object { b'{' } else { b'[' });
                        self.nest.open.push((false, object));
                    }
                    Node::End => match self.nest.open.pop() {
                        Some((_, true)) => self.text.byte(b'}'),
                        _ => self.text.byte(b']'),
                    },
                    Node::Name(name) => {
                        self.name(Element::Bytes(name));
                        self.nest.named = true;
                    }
                    Node::Null => self.text.raw(b"null"),
                    Node::Bool(true) => self.text.raw(b"true"),
                    Node::Bool(false) => self.text.raw(b"false"),
                    Node::Int(n) => self.text.int(n),
                    Node::Uint(n) => self.text.uint(n),
                    Node::Double(n) => self.text.double(n),
                    Node::Bytes(bytes) => ValueWriter::string(self, Element::Bytes(bytes))?,
                    Node::Json(json) => {
                        // On one line, whatever the text looked like: new lines stand between tokens only.
                        for part in json.split(|b| matches!(b, b'\n' | b'\r')) {
                            self.text.raw(part);
                        }
                    }
                }
                if self.text.len() >= CHUNK {
                    self.full()?;
                }
            }
        }
        Ok(())
    }

    fn slot(&mut self, index: u64, item: ArrayItem<'_>) -> Result<()> {
        self.next()?;
        self.text.byte(b'[');
        self.text.uint(index);
        self.text.byte(b',');
        match item {
            ArrayItem::String(element) => ValueWriter::string(self, element)?,
            ArrayItem::Int(n) => self.text.int(n),
            ArrayItem::Double(n) => {
                // A whole number is an integer, which is another type of element.
                let start = self.text.len();
                self.text.double(n);
                let number = self.text.as_bytes().get(start..).unwrap_or_default();
                if number.iter().all(|b| matches!(b, b'-' | b'0'..=b'9')) {
                    self.text.raw(b".0");
                }
            }
        }
        self.text.byte(b']');
        Ok(())
    }

    #[inline]
    fn end(&mut self, of: DataType) -> Result<()> {
        match of {
            DataType::Hash if !self.pairs => self.text.byte(b'}'),
            DataType::Stream => {
                self.leave_groups_of_last();
                if self.nest.part == Part::Groups {
                    self.text.byte(b']');
                }
                self.text.byte(b'}');
            }
            DataType::Json | DataType::Module | DataType::String => {}
            _ => self.text.byte(b']'),
        }
        Ok(())
    }

    #[cold]
    fn flaw(&mut self, problem: Problem, place: Place) -> Result<()> {
        if self.flaws.len() < 16 {
            self.flaws.push((problem, place));
        }
        Ok(())
    }
}

impl ValueWriter<'_, '_, '_> {
    /// Closes entries and the last group, so that the list of groups is what is open.
    fn leave_groups_of_last(&mut self) {
        if !matches!(
            self.nest.part,
            Part::Done | Part::Producers | Part::Messages
        ) {
            self.leave(Part::Groups);
        }
    }
}

/// Writes the expiries of a hash's fields, in the same order as its fields.
struct ExpiryWriter<'t, 'p, 'q>(ValueWriter<'t, 'p, 'q>);

impl ValueVisitor for ExpiryWriter<'_, '_, '_> {
    fn begin(&mut self, _: DataType, _: Option<u64>) -> Result<()> {
        self.0.text.byte(if self.0.pairs { b'[' } else { b'{' });
        Ok(())
    }

    fn field(&mut self, name: Element<'_>, _: Element<'_>, expires_at: Option<i64>) -> Result<()> {
        let Some(ms) = expires_at else { return Ok(()) };
        self.0.next()?;
        if self.0.pairs {
            self.0.text.byte(b'[');
            self.0.string(name)?;
            self.0.text.byte(b',');
            self.0.text.int(ms);
            self.0.text.byte(b']');
        } else {
            self.0.name(name);
            self.0.text.int(ms);
        }
        Ok(())
    }

    fn end(&mut self, _: DataType) -> Result<()> {
        self.0.text.byte(if self.0.pairs { b']' } else { b'}' });
        Ok(())
    }
}
