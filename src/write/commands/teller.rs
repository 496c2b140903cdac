//! Makes commands of what is told of a value.

use crate::aof::resp::{write_argument, write_command, write_count};
use crate::bytes::number::{ScoreText, write_double};
use crate::bytes::{Element, Problem};
use crate::error::{Place, Result};
use crate::record::value::{StreamEvent, StreamMeta};
use crate::record::{DataType, StreamId, ValueVisitor};
use crate::write::commands::look::Look;
use crate::write::commands::{PIECE, Room, Witness};
use crate::write::format::Format;

/// Items in a command at the most, as in the servers' rewrite.
const ITEMS: u64 = 64;
/// Appends the text of an ID.
fn write_id(id: StreamId, to: &mut Vec<u8>) {
    let mut text = itoa::Buffer::new();
    to.extend_from_slice(text.format(id.ms).as_bytes());
    to.push(b'-');
    to.extend_from_slice(text.format(id.seq).as_bytes());
}

/// An element as text.
fn in_words<'e>(element: Element<'e>, text: &'e mut itoa::Buffer) -> Element<'e> {
    Element::Bytes(element.bytes(text))
}

/// Is told a string and gives the command.
pub(super) struct StringTeller<'t, W> {
    pub(super) key: &'t [u8],
    pub(super) out: &'t mut Vec<u8>,
    pub(super) witness: &'t mut W,
}

impl<W: Witness> ValueVisitor for StringTeller<'_, W> {
    fn string(&mut self, value: Element<'_>) -> Result<()> {
        let mut text = itoa::Buffer::new();
        let value = value.bytes(&mut text);
        write_command([b"SET", self.key, value].into_iter(), self.out);
        self.witness.string(Element::Bytes(value))
    }
}

/// A stream under way.
#[derive(Default)]
struct StreamState {
    meta: StreamMeta,
    /// Whether the counters are still to be set, behind the entries.
    unset: bool,
    entries: u64,
    /// Fields of the entry under way.
    fields: u64,
    group: Vec<u8>,
    claim: Claim,
}

/// What stands before and behind the ID in the command of a pending entry: mostly the same as in that of
/// the last one.
#[derive(Default)]
struct Claim {
    before: Vec<u8>,
    consumer: Vec<u8>,
    behind: Vec<u8>,
    times: (i64, u64),
}

impl Claim {
    fn of(&mut self, key: &[u8], group: &[u8], consumer: &[u8]) {
        if !self.before.is_empty() && self.consumer == consumer {
            return;
        }
        self.consumer.clear();
        self.consumer.extend_from_slice(consumer);
        self.before.clear();
        write_count(12, &mut self.before);
        for argument in [b"XCLAIM", key, group, consumer, b"0"] {
            write_argument(argument, &mut self.before);
        }
    }

    fn at(&mut self, delivered_at: i64, deliveries: u64) {
        if !self.behind.is_empty() && self.times == (delivered_at, deliveries) {
            return;
        }
        self.times = (delivered_at, deliveries);
        self.behind.clear();
        let (mut one, mut other) = (itoa::Buffer::new(), itoa::Buffer::new());
        let (time, count) = (one.format(delivered_at), other.format(deliveries));
        let (time, count) = (time.as_bytes(), count.as_bytes());
        for argument in [b"TIME", time, b"RETRYCOUNT", count, b"JUSTID", b"FORCE"] {
            write_argument(argument, &mut self.behind);
        }
    }
}

/// What became of a value.
pub(super) struct Told {
    pub(super) look: Look,
    /// There are commands.
    pub(super) wrote: bool,
    pub(super) lacks_field_expiry: bool,
    pub(super) dropped_field_expiry: bool,
}

/// Is told a value and gives commands.
pub(super) struct Teller<'t, W> {
    format: &'t Format,
    key: &'t [u8],
    of: DataType,
    out: &'t mut Vec<u8>,
    witness: &'t mut W,
    /// Name and key of the commands that make the value, in the form of a log.
    head: &'t mut Vec<u8>,
    /// Where the command under way begins, and what it says how many arguments it has.
    begin: usize,
    claimed: usize,
    /// How many it has behind its key.
    words: usize,
    items: u64,
    /// Items that were told to come.
    left: u64,
    /// Whether commands may be passed on before all are there.
    in_pieces: bool,
    /// How much is written when the witness is told of it the next time.
    next_look: usize,
    pub(super) takes_field_expiry: bool,
    pub(super) drop_field_ttl: bool,
    stream: StreamState,
    /// Of fields that expire: commands that stand behind the one under way.
    times: &'t mut Vec<u8>,
    /// Room for a number.
    text: &'t mut Vec<u8>,
    told: Told,
}

impl<'t, W: Witness> Teller<'t, W> {
    pub(super) fn new(
        format: &'t Format,
        key: &'t [u8],
        of: DataType,
        out: &'t mut Vec<u8>,
        room: &'t mut Room,
        witness: &'t mut W,
    ) -> Self {
        let look = Look::new(std::mem::take(&mut room.ids));
        room.times.clear();
        room.head.clear();
        let name: &[u8] = match of {
            DataType::List => b"RPUSH",
            DataType::Set => b"SADD",
            DataType::ZSet => b"ZADD",
            DataType::Hash => b"HMSET",
            _ => b"XADD",
        };
        write_argument(name, &mut room.head);
        write_argument(key, &mut room.head);
        let next_look = out.len() + PIECE;
        Teller {
            format,
            key,
            of,
            begin: out.len(),
            out,
            witness,
            head: &mut room.head,
            claimed: 0,
            words: 0,
            items: 0,
            left: u64::MAX,
            in_pieces: false,
            next_look,
            takes_field_expiry: false,
            drop_field_ttl: false,
            stream: StreamState::default(),
            times: &mut room.times,
            text: &mut room.text,
            told: Told {
                look,
                wrote: false,
                lacks_field_expiry: false,
                dropped_field_expiry: false,
            },
        }
    }

    /// Commands may be passed on before all are there.
    pub(super) fn pass_on(&mut self) {
        (self.in_pieces, self.next_look) = (true, PIECE);
    }

    /// What became of it, once it was told.
    pub(super) fn end(self) -> Told {
        self.told
    }

    /// Begins a command; how many arguments it has is as likely as can be said, and put right at its end.
    #[inline]
    fn begin_command(&mut self) {
        self.told.wrote = true;
        self.begin = self.out.len();
        let items = self.left.min(ITEMS) as usize;
        self.claimed = 2 + match self.of {
            DataType::List | DataType::Set => items,
            DataType::Stream => 1 + 2 * usize::try_from(self.stream.fields).unwrap_or(0),
            _ => 2 * items,
        };
        write_count(self.claimed, self.out);
        self.out.extend_from_slice(self.head);
        self.witness.command(self.out, self.begin);
    }

    #[inline]
    fn word(&mut self, word: &[u8]) {
        if self.words == 0 {
            self.begin_command();
        }
        let at = self.out.len();
        write_argument(word, self.out);
        self.witness.word(self.out, at, word);
        self.words += 1;
    }

    /// An item is whole.
    #[inline]
    fn item(&mut self) -> Result<()> {
        self.items += 1;
        if self.items == ITEMS {
            return self.finish();
        }
        Ok(())
    }

    /// Ends the command under way.
    pub(super) fn finish(&mut self) -> Result<()> {
        if self.words + 2 != self.claimed && self.words > 0 {
            let (mut claimed, mut count) = (Vec::new(), Vec::new());
            write_count(self.claimed, &mut claimed);
            write_count(self.words + 2, &mut count);
            self.out
                .splice(self.begin..self.begin + claimed.len(), count);
        }
        if self.words > 0 {
            self.witness.whole(self.out, self.begin);
        }
        self.left = self.left.saturating_sub(self.items);
        (self.words, self.items) = (0, 0);
        self.out.append(self.times);
        if self.out.len() >= self.next_look {
            match self.in_pieces {
                true => self.witness.pass(self.out)?,
                false => self.witness.look(self.out),
            }
            self.next_look = self.out.len() + PIECE;
        }
        Ok(())
    }

    /// What of a stream stands behind its entries.
    fn set_counters(&mut self) {
        if !std::mem::take(&mut self.stream.unset) {
            return;
        }
        self.told.wrote = true;
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
                self.stream.claim.before.clear();
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
                let claim = &mut self.stream.claim;
                claim.of(self.key, &self.stream.group, consumer.bytes(&mut text));
                claim.at(delivered_at, deliveries);
                self.text.clear();
                write_id(id, self.text);
                self.out.extend_from_slice(&claim.before);
                write_argument(self.text, self.out);
                self.out.extend_from_slice(&claim.behind);
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

    /// A field with its value, and when it expires, as far as the target has that.
    fn add_field(&mut self, name: &[u8], value: &[u8], expires_at: Option<i64>) -> Result<()> {
        if let Some(at) = expires_at {
            let mut text = itoa::Buffer::new();
            let at = text.format(at).as_bytes();
            self.told.wrote = true;
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
                write_command(args.into_iter(), self.times);
                self.left = self.left.saturating_sub(1);
                return match self.times.len() >= PIECE {
                    true => self.finish(),
                    false => Ok(()),
                };
            }
            let args = [&b"HPEXPIREAT"[..], self.key, at, b"FIELDS", b"1", name];
            write_command(args.into_iter(), self.times);
        }
        self.word(name);
        self.word(value);
        self.item()
    }
}

impl<W: Witness> ValueVisitor for Teller<'_, W> {
    fn string(&mut self, value: Element<'_>) -> Result<()> {
        self.told.wrote = true;
        StringTeller {
            key: self.key,
            out: self.out,
            witness: self.witness,
        }
        .string(value)
    }

    fn begin(&mut self, of: DataType, count: Option<u64>) -> Result<()> {
        self.left = count.unwrap_or(u64::MAX);
        self.witness.begin(of, count)
    }

    #[inline]
    fn element(&mut self, element: Element<'_>) -> Result<()> {
        let mut text = itoa::Buffer::new();
        let word = element.bytes(&mut text);
        self.word(word);
        self.item()?;
        self.witness.element(Element::Bytes(word))
    }

    #[inline]
    fn field(
        &mut self,
        name: Element<'_>,
        value: Element<'_>,
        expires_at: Option<i64>,
    ) -> Result<()> {
        let (mut one, mut other) = (itoa::Buffer::new(), itoa::Buffer::new());
        let (name, value) = (name.bytes(&mut one), value.bytes(&mut other));
        let kept = match expires_at {
            Some(_) if !self.takes_field_expiry => {
                self.told.lacks_field_expiry |= !self.drop_field_ttl;
                self.told.dropped_field_expiry = true;
                None
            }
            other => other,
        };
        self.add_field(name, value, kept)?;
        let (name, value) = (Element::Bytes(name), Element::Bytes(value));
        self.witness.field(name, value, expires_at)
    }

    #[inline]
    fn member(&mut self, member: Element<'_>, score: f64) -> Result<()> {
        self.told.look.member(member, score)?;
        let mut text = itoa::Buffer::new();
        let member = member.bytes(&mut text);
        self.text.clear();
        write_double(self.text, score, ScoreText::G17);
        if self.words == 0 {
            self.begin_command();
        }
        let at = self.out.len();
        write_argument(self.text, self.out);
        self.witness.score(self.out, at, score);
        self.words += 1;
        self.word(member);
        self.item()?;
        self.witness.member(Element::Bytes(member), score)
    }

    #[inline]
    fn stream(&mut self, event: StreamEvent<'_>) -> Result<()> {
        self.told.look.stream(event)?;
        match event {
            StreamEvent::Meta(meta) => {
                self.stream.meta = meta;
                self.stream.unset = true;
            }
            StreamEvent::Entry { id, fields } => {
                self.finish()?;
                self.stream.entries += 1;
                self.stream.fields = fields;
                self.text.clear();
                write_id(id, self.text);
                self.begin_command();
                let at = self.out.len();
                write_argument(self.text, self.out);
                self.witness.id(self.out, at, id);
                self.words += 1;
            }
            StreamEvent::Field(name, value) => {
                let (mut one, mut other) = (itoa::Buffer::new(), itoa::Buffer::new());
                let (name, value) = (in_words(name, &mut one), in_words(value, &mut other));
                if let (Element::Bytes(name), Element::Bytes(value)) = (name, value) {
                    self.word(name);
                    self.word(value);
                }
                return self.witness.stream(StreamEvent::Field(name, value));
            }
            other => {
                self.finish()?;
                self.set_counters();
                self.group_event(other);
            }
        }
        self.witness.stream(event)
    }

    fn end(&mut self, of: DataType) -> Result<()> {
        self.finish()?;
        self.set_counters();
        self.witness.end(of)
    }

    fn flaw(&mut self, problem: Problem, place: Place) -> Result<()> {
        self.witness.flaw(problem, place)
    }
}
