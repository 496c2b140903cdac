//! What the tests of values share: a visitor that records what it is told, and damage.
#![allow(dead_code)] // each test uses what it needs

use std::collections::BTreeSet;

use crate::bytes::number::ScoreText;
use crate::bytes::{Element, Problem};
use crate::error::{Place, Result};
use crate::rdb::string::Compress;
use crate::rdb::value::sound::sound;
use crate::rdb::value::{self, Encoder, Scratch};
use crate::record::value::{ArrayItem, ModuleEvent, StreamEvent};
use crate::record::{DataType, RawValue, RdbType, ValueVisitor};

/// Where the values of the tests lie in their file.
pub(crate) const AT: u64 = 1000;

/// One thing that a visitor was told, owned and comparable. Integers and their text are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    String(Vec<u8>),
    Begin(DataType, Option<u64>),
    Element(Vec<u8>),
    Field(Vec<u8>, Vec<u8>, Option<i64>),
    /// A score by its bits: 0 and -0 are not the same.
    Member(Vec<u8>, u64),
    /// A stream's event as text.
    Stream(String),
    /// A module's event as text.
    Module(String),
    /// An array's element as text.
    Slot(u64, String),
    End(DataType),
    Flaw(Problem, Place),
}

impl Told {
    /// A string.
    pub(crate) fn string(value: impl AsRef<[u8]>) -> Self {
        Told::String(value.as_ref().to_vec())
    }
    /// An element of a list or set.
    pub(crate) fn element(element: impl AsRef<[u8]>) -> Self {
        Told::Element(element.as_ref().to_vec())
    }
    /// A field without expiry.
    pub(crate) fn field(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        Told::Field(name.as_ref().to_vec(), value.as_ref().to_vec(), None)
    }
    /// A field with an expiry.
    pub(crate) fn expiring(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>, at: i64) -> Self {
        Told::Field(name.as_ref().to_vec(), value.as_ref().to_vec(), Some(at))
    }
    /// A member of a sorted set.
    pub(crate) fn member(member: impl AsRef<[u8]>, score: f64) -> Self {
        Told::Member(member.as_ref().to_vec(), score.to_bits())
    }
}

/// Records everything it is told.
#[derive(Debug, Default)]
pub(crate) struct Recorder(pub(crate) Vec<Told>);

fn owned(element: Element<'_>) -> Vec<u8> {
    element.to_bytes().into_owned()
}

/// An element in the text of an event.
fn shown(element: Element<'_>) -> String {
    crate::error::printable(&element.to_bytes())
}

impl ValueVisitor for Recorder {
    fn string(&mut self, value: Element<'_>) -> Result<()> {
        self.0.push(Told::String(owned(value)));
        Ok(())
    }
    fn begin(&mut self, of: DataType, count: Option<u64>) -> Result<()> {
        self.0.push(Told::Begin(of, count));
        Ok(())
    }
    fn element(&mut self, element: Element<'_>) -> Result<()> {
        self.0.push(Told::Element(owned(element)));
        Ok(())
    }
    fn field(
        &mut self,
        name: Element<'_>,
        value: Element<'_>,
        expires_at: Option<i64>,
    ) -> Result<()> {
        self.0
            .push(Told::Field(owned(name), owned(value), expires_at));
        Ok(())
    }
    fn member(&mut self, member: Element<'_>, score: f64) -> Result<()> {
        self.0.push(Told::Member(owned(member), score.to_bits()));
        Ok(())
    }
    fn stream(&mut self, event: StreamEvent<'_>) -> Result<()> {
        self.0.push(Told::Stream(stream_text(event)));
        Ok(())
    }
    fn module(&mut self, event: ModuleEvent<'_>) -> Result<()> {
        self.0.push(Told::Module(format!("{event:?}")));
        Ok(())
    }
    fn slot(&mut self, index: u64, item: ArrayItem<'_>) -> Result<()> {
        let text = match item {
            ArrayItem::String(element) => format!("string {}", shown(element)),
            ArrayItem::Int(n) => format!("int {n}"),
            ArrayItem::Double(n) => format!("double {n:?}"),
        };
        self.0.push(Told::Slot(index, text));
        Ok(())
    }
    fn end(&mut self, of: DataType) -> Result<()> {
        self.0.push(Told::End(of));
        Ok(())
    }
    fn flaw(&mut self, problem: Problem, place: Place) -> Result<()> {
        self.0.push(Told::Flaw(problem, place));
        Ok(())
    }
}

/// An event as one line, whatever the form of the strings in it.
fn stream_text(event: StreamEvent<'_>) -> String {
    match event {
        StreamEvent::Field(name, value) => format!("field {}={}", shown(name), shown(value)),
        StreamEvent::Group {
            name,
            last_id,
            entries_read,
            pending,
            consumers,
        } => format!(
            "group {} last={last_id} read={entries_read:?} pending={pending} consumers={consumers}",
            shown(name)
        ),
        StreamEvent::Pending {
            id,
            consumer,
            delivered_at,
            deliveries,
        } => format!(
            "pending {id} of={:?} at={delivered_at} deliveries={deliveries}",
            consumer.map(shown)
        ),
        StreamEvent::Consumer {
            name,
            seen_at,
            active_at,
            pending,
        } => format!(
            "consumer {} seen={seen_at} active={active_at:?} pending={pending}",
            shown(name)
        ),
        StreamEvent::Producer { id, count } => format!("producer {} count={count}", shown(id)),
        StreamEvent::Message { iid, id } => format!("message {}={id}", shown(iid)),
        // These hold no strings.
        plain => format!("{plain:?}"),
    }
}

/// A value as it lies in a file, at [`AT`].
pub(crate) fn raw(rdb_type: RdbType, bytes: &[u8]) -> RawValue<'_> {
    RawValue {
        rdb_type,
        bytes,
        at: AT,
    }
}

/// Everything that walking a value tells.
pub(crate) fn told(rdb_type: RdbType, bytes: &[u8]) -> Result<Vec<Told>> {
    let mut recorder = Recorder::default();
    let mut scratch = Scratch::default();
    let value = raw(rdb_type, bytes);
    let result = value::walk(&value, &mut scratch, &mut recorder);
    if sound(&value, &mut scratch) {
        let mut members = BTreeSet::new();
        for told in &recorder.0 {
            let again = match told {
                Told::Element(m)
                    if !matches!(recorder.0.first(), Some(Told::Begin(DataType::List, _))) =>
                {
                    !members.insert(m)
                }
                Told::Field(m, ..) | Told::Member(m, _) => !members.insert(m),
                Told::Flaw(..) => true,
                _ => false,
            };
            assert!(!again, "{rdb_type:?} taken for sound: {told:?}");
        }
        assert!(result.is_ok(), "{rdb_type:?} taken for sound: {result:?}");
    }
    result.map(|()| recorder.0)
}

/// What walking a value tells without the ends, where nothing is wrong with it.
pub(crate) fn content(rdb_type: RdbType, bytes: &[u8]) -> Vec<Told> {
    let mut told = told(rdb_type, bytes).unwrap();
    for told in &told {
        assert!(!matches!(told, Told::Flaw(..)), "{rdb_type:?}: {told:?}");
    }
    told.retain(|told| !matches!(told, Told::Begin(..) | Told::End(_)));
    told
}

/// Tells an encoder a value that consists of these strings, elements, fields or members.
pub(crate) fn tell(to: &mut dyn ValueVisitor, of: DataType, content: &[Told]) -> Result<()> {
    if of != DataType::String {
        to.begin(of, None)?;
    }
    for told in content {
        match told {
            Told::String(value) => to.string(Element::Bytes(value))?,
            Told::Element(element) => to.element(Element::Bytes(element))?,
            Told::Field(name, value, expires_at) => {
                to.field(Element::Bytes(name), Element::Bytes(value), *expires_at)?;
            }
            Told::Member(member, score) => {
                to.member(Element::Bytes(member), f64::from_bits(*score))?;
            }
            other => panic!("{other:?} cannot be told"),
        }
    }
    if of != DataType::String {
        to.end(of)?;
    }
    Ok(())
}

/// The bytes of a value of these strings, elements, fields or members, not compressed.
pub(crate) fn encoded(rdb_type: RdbType, content: &[Told]) -> Result<Vec<u8>> {
    encode_with(Encoder::new(rdb_type, Compress::Never)?, content)
}

/// The same with another style of scores.
pub(crate) fn encoded_with(
    rdb_type: RdbType,
    style: ScoreText,
    content: &[Told],
) -> Result<Vec<u8>> {
    let encoder = Encoder::new(rdb_type, Compress::Never)?;
    encode_with(encoder.with_score_text(style), content)
}

fn encode_with(mut encoder: Encoder, content: &[Told]) -> Result<Vec<u8>> {
    let mut out = b"before".to_vec();
    let of = encoder.rdb_type().data_type();
    tell(&mut encoder, of, content)?;
    encoder.finish(&mut out)?;
    assert!(out.starts_with(b"before"));
    Ok(out.split_off(6))
}

/// Encodes, frames and walks a value: what comes out must be what went in, compressed or not, and
/// walking it into another encoder must give the same bytes. Returns the bytes, not compressed.
pub(crate) fn round_trip(rdb_type: RdbType, content: &[Told]) -> Vec<u8> {
    let of = rdb_type.data_type();
    let plain = encoded(rdb_type, content).unwrap();
    for compress in [Compress::Never, Compress::AsServer] {
        let mut encoder = Encoder::new(rdb_type, compress).unwrap();
        let mut first = Vec::new();
        tell(&mut encoder, of, content).unwrap();
        encoder.finish(&mut first).unwrap();
        let (rest, ()) = value::extent(rdb_type, &first).unwrap();
        assert!(rest.is_empty(), "{rdb_type:?}: framing ends early");
        let told = self::content(rdb_type, &first);
        assert_eq!(told, content, "{rdb_type:?}");

        let mut again = Vec::new();
        let value = raw(rdb_type, &first);
        value::walk(&value, &mut Scratch::default(), &mut encoder).unwrap();
        encoder.finish(&mut again).unwrap();
        assert!(first == again, "{rdb_type:?}: written again it differs");
        if compress == Compress::Never {
            assert!(first == plain);
        }
    }
    plain
}

/// Cuts a value everywhere and changes each byte to every other: a cut must be an error, and any
/// error must lie inside the value; nothing may panic.
pub(crate) fn survives_damage(rdb_type: RdbType, bytes: &[u8]) {
    let judge = |bytes: &[u8]| {
        let outcome = told(rdb_type, bytes);
        if let Err(error) = &outcome {
            let end = AT + bytes.len() as u64;
            let place = error.place().map(|place| place.offset);
            assert!(
                place.is_some_and(|offset| (AT..=end).contains(&offset)),
                "{rdb_type:?} {bytes:02x?}: {error}"
            );
        }
        outcome.is_err()
    };
    assert!(!judge(bytes), "{rdb_type:?}: sound before the damage");
    for cut in 0..bytes.len() {
        let short = bytes.get(..cut).unwrap();
        assert!(judge(short), "{rdb_type:?} cut at {cut}");
        let framed = value::extent(rdb_type, short);
        assert!(
            matches!(framed, Err(nom::Err::Incomplete(_))),
            "{rdb_type:?} cut at {cut}"
        );
    }
    let mut damaged = bytes.to_vec();
    for (at, &sound) in bytes.iter().enumerate() {
        for byte in 0..=u8::MAX {
            damaged[at] = byte;
            judge(&damaged);
            let _ = value::extent(rdb_type, &damaged);
        }
        damaged[at] = sound;
    }
}

/// The next number of a splitmix64 sequence: values that are random, but the same every time.
pub(crate) fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *seed;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A random string: an integer of any width, text that compresses, or noise; mostly short.
pub(crate) fn random_string(seed: &mut u64) -> Vec<u8> {
    let shape = random(seed);
    let len = match shape % 16 {
        0 => random(seed) % 20_000,
        1..4 => random(seed) % 300,
        _ => random(seed) % 24,
    };
    match shape >> 60 {
        0..6 => {
            let shift = random(seed) % 64;
            let n = random(seed).cast_signed() >> shift;
            n.to_string().into_bytes()
        }
        6..11 => (0..len)
            .map(|_| b'a' + u8::try_from(random(seed) % 3).unwrap())
            .collect(),
        _ => (0..len).map(|_| random(seed).to_le_bytes()[0]).collect(),
    }
}
