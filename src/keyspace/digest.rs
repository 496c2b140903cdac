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
use crate::keyspace::Keyspace;
use crate::keyspace::rules::{NEVER, Rules};
use crate::keyspace::vector;
use crate::keyspace::vector_sum::VectorSum;
use crate::record::value::{ModuleEvent, StreamEvent};
use crate::record::{DataType, ValueVisitor, Walk};

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
    for db in keyspace.dbs() {
        all.digest.mix(&db.to_be_bytes());
        for slot in keyspace.keys(db) {
            let mut value = ValueDigest::new(&keyspace.rules);
            value.digest.mix(slot.name());
            slot.value.walk(&mut value)?;
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
