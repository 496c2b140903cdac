//! Digests of a dataset: the servers' own, as `DEBUG DIGEST` gives it, and the full digest.
//!
//! The servers' is blind to expiry times, to stream groups and counters, and to functions; the full
//! digest sees all of it. Both are 20 bytes and do not depend on the order in which keys, members
//! and fields are told, so that they may be summed in parts.

use std::fmt;

use sha1::{Digest as _, Sha1};

use crate::bytes::Element;
use crate::bytes::number::write_double;
use crate::error::Result;
use crate::keyspace::rules::{NEVER, Rules};
use crate::keyspace::vector_sum::VectorSum;
use crate::keyspace::{Keyspace, Value, vector};
use crate::rdb::value::Scratch;
use crate::record::value::{ModuleEvent, StreamEvent};
use crate::record::{DataType, RdbType, ValueVisitor, Walk};

/// Twenty bytes that stand for a dataset or a value.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 20]);

impl Digest {
    /// Takes something in whose order among others does not matter.
    pub fn xor(&mut self, what: &[u8]) {
        self.join(Digest(Sha1::digest(what).into()));
    }

    /// Takes something in behind what was taken in before.
    pub fn mix(&mut self, what: &[u8]) {
        self.xor(what);
        self.0 = Sha1::digest(self.0).into();
    }

    /// Adds a part that was summed apart, of things without order.
    pub fn join(&mut self, part: Digest) {
        for (own, other) in self.0.iter_mut().zip(part.0) {
            *own ^= other;
        }
    }

    /// From 40 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Digest> {
        let mut digest = Digest::default();
        let text = text.as_bytes();
        if text.len() != 40 {
            return None;
        }
        for (byte, pair) in digest.0.iter_mut().zip(text.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).ok()?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(digest)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A digest, and whether it is that of all there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summed {
    /// The digest.
    pub digest: Digest,
    /// Values of modules whose own digest cannot be computed here: then it is not the server's.
    pub unknown: u64,
}

/// What `DEBUG DIGEST` of the server that is followed says of a keyspace.
///
/// # Errors
/// A value kept in file form that cannot be decoded.
pub fn of_keyspace(keyspace: &Keyspace) -> Result<Summed> {
    let mut all = Summed {
        digest: Digest::default(),
        unknown: 0,
    };
    let mut scratch = Scratch::default();
    for db in keyspace.dbs() {
        all.digest.mix(&db.to_be_bytes());
        for slot in keyspace.keys(db) {
            let mut value = ValueDigest::new(&keyspace.rules);
            value.digest.mix(slot.name());
            slot.value
                .look(&keyspace.rules, &mut scratch)?
                .walk(&mut value)?;
            if slot.expires_at().is_some() {
                value.digest.xor(b"!!expire!!");
            }
            all.unknown += u64::from(value.unknown);
            all.digest.xor(&value.digest.0);
        }
    }
    Ok(all)
}

/// What `DEBUG DIGEST-VALUE` says of a value: is told it, and sums.
pub struct ValueDigest<'r> {
    rules: &'r Rules,
    /// The sum so far.
    pub digest: Digest,
    /// It is a module's, whose own digest cannot be computed here.
    pub unknown: bool,
    ordered: bool,
    scores: Vec<u8>,
    vectors: Option<Box<VectorSum>>,
}

impl<'r> ValueDigest<'r> {
    /// Of a value to come, as this server sums it.
    pub fn new(rules: &'r Rules) -> Self {
        ValueDigest {
            rules,
            digest: Digest::default(),
            unknown: false,
            ordered: false,
            scores: Vec::new(),
            vectors: None,
        }
    }

    fn mix(&mut self, element: Element<'_>) {
        self.digest.mix(element.bytes(&mut itoa::Buffer::new()));
    }
}

/// The number that stands for a type in digests.
fn number(of: DataType) -> u32 {
    match of {
        DataType::String => 0,
        DataType::List => 1,
        DataType::Set => 2,
        DataType::ZSet => 3,
        DataType::Hash => 4,
        DataType::Module => 5,
        DataType::Stream => 6,
        // Of these no server of the main line has any; they are told apart.
        DataType::Array => 7,
        DataType::Cron => 8,
        DataType::Json => 9,
    }
}

impl ValueVisitor for ValueDigest<'_> {
    fn string(&mut self, value: Element<'_>) -> Result<()> {
        self.digest.mix(&number(DataType::String).to_be_bytes());
        self.mix(value);
        Ok(())
    }

    fn begin(&mut self, of: DataType, _count: Option<u64>) -> Result<()> {
        self.digest.mix(&number(of).to_be_bytes());
        self.ordered = of == DataType::List;
        self.unknown |= number(of) > 6;
        Ok(())
    }

    fn element(&mut self, element: Element<'_>) -> Result<()> {
        if self.ordered {
            self.mix(element);
        } else {
            self.digest.xor(element.bytes(&mut itoa::Buffer::new()));
        }
        Ok(())
    }

    fn field(
        &mut self,
        name: Element<'_>,
        value: Element<'_>,
        expires_at: Option<i64>,
    ) -> Result<()> {
        let passed = expires_at
            .zip(self.rules.now)
            .is_some_and(|(at, now)| at < now);
        if passed && self.rules.since(NEVER, (9, 0)) {
            return Ok(());
        }
        let mut field = Digest::default();
        field.mix(name.bytes(&mut itoa::Buffer::new()));
        field.mix(value.bytes(&mut itoa::Buffer::new()));
        if expires_at.is_some() && self.rules.since((7, 4), NEVER) {
            field.xor(b"!!hexpire!!");
        }
        self.digest.xor(&field.0);
        Ok(())
    }

    fn member(&mut self, member: Element<'_>, score: f64) -> Result<()> {
        let mut sum = Digest::default();
        sum.mix(member.bytes(&mut itoa::Buffer::new()));
        self.scores.clear();
        write_double(&mut self.scores, score, self.rules.scores);
        sum.mix(&self.scores);
        self.digest.xor(&sum.0);
        Ok(())
    }

    fn stream(&mut self, event: StreamEvent<'_>) -> Result<()> {
        match event {
            StreamEvent::Entry { id, .. } => {
                self.digest.mix(format!("{}.{}", id.ms, id.seq).as_bytes())
            }
            StreamEvent::Field(name, value) => {
                self.mix(name);
                self.mix(value);
            }
            _ => {}
        }
        Ok(())
    }

    fn module(&mut self, event: ModuleEvent<'_>) -> Result<()> {
        match event {
            ModuleEvent::Start {
                name: vector::NAME,
                decoded: true,
                ..
            } => self.vectors = Some(Box::default()),
            ModuleEvent::Start { .. } => self.unknown = true,
            ModuleEvent::Node(node) => {
                let sum = self.vectors.as_mut().and_then(|it| it.node(node));
                if let Some(sum) = sum {
                    self.digest.xor(&sum.0);
                }
            }
            ModuleEvent::Raw(_) => {}
        }
        Ok(())
    }
}

/// The full digest of a keyspace: everything that servers keep of it, expiry times, field times,
/// groups, counters, pending entries and functions included. When consumers were last seen is not:
/// a server changes that as it loads.
///
/// # Errors
/// A value kept in file form that cannot be decoded.
pub fn full(keyspace: &Keyspace) -> Result<Digest> {
    let mut all = Digest::default();
    let mut scratch = Scratch::default();
    let detail = Detail {
        // Before 7.0 servers have no such counters.
        counters: keyspace.rules.since((7, 0), (0, 0)),
        ..Detail::default()
    };
    for source in keyspace.functions.values() {
        all.join(function(source));
    }
    for db in keyspace.dbs() {
        for slot in keyspace.keys(db) {
            let mut value = FullDigest::new(db, slot.name(), slot.expires_at()).with(detail);
            let held = slot.value.look(&keyspace.rules, &mut scratch)?;
            match &*held {
                Value::Module(module) if let Some(bytes) = module.bytes() => {
                    value.raw(module.rdb_type(), bytes);
                }
                other => other.walk(&mut value)?,
            }
            all.join(value.finish());
        }
    }
    Ok(all)
}

/// The part of the full digest that is a function library's.
pub fn function(source: &[u8]) -> Digest {
    let mut function = Digest::default();
    function.mix(b"function");
    function.mix(source);
    function
}

/// What of a value the full digest covers, where not every server can hold all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detail {
    /// The expiry of fields.
    pub field_expiry: bool,
    /// How many entries were ever added to a stream and read by a group, and which was deleted.
    pub counters: bool,
    /// The state of idempotent producers.
    pub producers: bool,
}

impl Default for Detail {
    /// All of it.
    fn default() -> Self {
        Detail {
            field_expiry: true,
            counters: true,
            producers: true,
        }
    }
}

/// The part of the full digest that is one key's: is told its value, and sums.
///
/// It is the same whatever form the value has in the file.
///
/// One hash takes in key, expiry and what is told in order, and at the end the sum of what is told
/// without order, so that a small value costs no more than one.
pub struct FullDigest {
    /// The key, and what was told in order.
    ordered: Sha1,
    /// What was told without order: members, fields, groups, consumers.
    unordered: Digest,
    /// The group that is told.
    group: Option<Sha1>,
    is_ordered: bool,
    detail: Detail,
}

impl FullDigest {
    /// Of a key whose value is to come.
    pub fn new(db: u32, key: &[u8], expires_at: Option<i64>) -> Self {
        let mut ordered = Sha1::new();
        let expiry = expiry(expires_at);
        feed(&mut ordered, &[&db.to_be_bytes(), key, &expiry]);
        FullDigest {
            ordered,
            unordered: Digest::default(),
            group: None,
            is_ordered: false,
            detail: Detail::default(),
        }
    }

    /// The same of less than all.
    #[must_use]
    pub fn with(self, detail: Detail) -> Self {
        FullDigest { detail, ..self }
    }

    /// The value is a module's: it is summed as it stands in the file.
    pub fn raw(&mut self, rdb_type: RdbType, bytes: &[u8]) {
        feed(&mut self.ordered, &[b"raw", &[rdb_type.number()], bytes]);
    }

    /// The sum.
    pub fn finish(mut self) -> Digest {
        self.end_group();
        feed(&mut self.ordered, &[&self.unordered.0]);
        Digest(self.ordered.finalize().into())
    }

    fn end_group(&mut self) {
        if let Some(group) = self.group.take() {
            self.unordered.xor(&group.finalize());
        }
    }
}

/// An expiry, or none, in nine bytes.
fn expiry(at: Option<i64>) -> [u8; 9] {
    let mut bytes = [0; 9];
    if let (Some(at), [first, rest @ ..]) = (at, &mut bytes) {
        *first = 1;
        *rest = at.to_be_bytes();
    }
    bytes
}

/// Takes parts in, each with its length, so that no two lists of parts look alike.
fn feed(to: &mut Sha1, parts: &[&[u8]]) {
    for part in parts {
        to.update((part.len() as u64).to_be_bytes());
        to.update(part);
    }
}

impl ValueVisitor for FullDigest {
    fn string(&mut self, value: Element<'_>) -> Result<()> {
        feed(
            &mut self.ordered,
            &[b"string", value.bytes(&mut itoa::Buffer::new())],
        );
        Ok(())
    }

    fn begin(&mut self, of: DataType, _count: Option<u64>) -> Result<()> {
        self.is_ordered = of == DataType::List;
        feed(&mut self.ordered, &[of.name().as_bytes()]);
        Ok(())
    }

    fn element(&mut self, element: Element<'_>) -> Result<()> {
        let mut text = itoa::Buffer::new();
        let element = element.bytes(&mut text);
        if self.is_ordered {
            feed(&mut self.ordered, &[element]);
        } else {
            self.unordered.xor(element);
        }
        Ok(())
    }

    fn field(
        &mut self,
        name: Element<'_>,
        value: Element<'_>,
        expires_at: Option<i64>,
    ) -> Result<()> {
        let mut field = Sha1::new();
        let expires_at = expiry(expires_at.filter(|_| self.detail.field_expiry));
        let (mut one, mut other) = (itoa::Buffer::new(), itoa::Buffer::new());
        let (name, value) = (name.bytes(&mut one), value.bytes(&mut other));
        feed(&mut field, &[name, value, &expires_at]);
        self.unordered.xor(&field.finalize());
        Ok(())
    }

    fn member(&mut self, member: Element<'_>, score: f64) -> Result<()> {
        let mut sum = Sha1::new();
        let mut text = itoa::Buffer::new();
        // The two zeros are equal scores, and which one it is depends on the form.
        let score = if score == 0.0 { 0.0 } else { score };
        feed(
            &mut sum,
            &[member.bytes(&mut text), &score.to_bits().to_be_bytes()],
        );
        self.unordered.xor(&sum.finalize());
        Ok(())
    }

    fn stream(&mut self, event: StreamEvent<'_>) -> Result<()> {
        let mut text = itoa::Buffer::new();
        match event {
            StreamEvent::Meta(meta) => {
                let counters = match self.detail.counters {
                    true => format!("{} {}", meta.max_deleted_id, meta.entries_added),
                    false => String::new(),
                };
                let all = format!("{} {} {counters}", meta.length, meta.last_id);
                feed(&mut self.ordered, &[all.as_bytes()]);
            }
            StreamEvent::Entry { id, fields } => {
                feed(
                    &mut self.ordered,
                    &[&id.to_be_bytes(), &fields.to_be_bytes()],
                );
            }
            StreamEvent::Field(name, value) => {
                feed(&mut self.ordered, &[name.bytes(&mut text)]);
                feed(&mut self.ordered, &[value.bytes(&mut itoa::Buffer::new())]);
            }
            StreamEvent::Group {
                name,
                last_id,
                entries_read,
                ..
            } => {
                self.end_group();
                let mut group = Sha1::new();
                let read = format!("{:?}", entries_read.filter(|_| self.detail.counters));
                let parts: [&[u8]; 4] = [
                    b"group",
                    name.bytes(&mut text),
                    &last_id.to_be_bytes(),
                    read.as_bytes(),
                ];
                feed(&mut group, &parts);
                self.group = Some(group);
            }
            StreamEvent::Pending {
                id,
                consumer,
                delivered_at,
                deliveries,
            } => {
                let consumer = consumer.unwrap_or(Element::Bytes(b""));
                let counted = format!("{delivered_at} {deliveries}");
                if let Some(group) = &mut self.group {
                    let consumer = consumer.bytes(&mut text);
                    feed(group, &[&id.to_be_bytes(), consumer, counted.as_bytes()]);
                }
            }
            StreamEvent::Consumer { name, .. } => {
                let mut consumer = Sha1::new();
                feed(&mut consumer, &[b"consumer", name.bytes(&mut text)]);
                // Which group it is of, the group's own sum so far tells.
                if let Some(group) = &self.group {
                    feed(&mut consumer, &[&group.clone().finalize()]);
                }
                self.unordered.xor(&consumer.finalize());
            }
            StreamEvent::Producers { .. }
            | StreamEvent::Producer { .. }
            | StreamEvent::Message { .. }
            | StreamEvent::ProducerTotals { .. }
                if !self.detail.producers =>
            {
                self.end_group();
            }
            StreamEvent::Producers { .. }
            | StreamEvent::Producer { .. }
            | StreamEvent::Message { .. }
            | StreamEvent::ProducerTotals { .. } => {
                self.end_group();
                let mut told = Sha1::new();
                feed(&mut told, &[format!("{event:?}").as_bytes()]);
                self.unordered.xor(&told.finalize());
            }
        }
        Ok(())
    }

    fn module(&mut self, event: ModuleEvent<'_>) -> Result<()> {
        // Of what is decoded, every part is told in the same order; the whole of others is `raw`.
        match event {
            ModuleEvent::Start { .. } | ModuleEvent::Raw(_) => {}
            ModuleEvent::Node(node) => {
                feed(&mut self.ordered, &[format!("{node:?}").as_bytes()]);
            }
        }
        Ok(())
    }
}
