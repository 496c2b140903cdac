//! Finds where a snapshot goes on behind damage.
//!
//! ```text
//! ...record|record|rec######damage######ord|record|record|record|...
//!                                          ^ from here on records follow each other
//! ```
//!
//! A record has no mark at its start: types and lengths are small numbers, and values are full of
//! those. So one record proves nothing; what counts is a chain of them whose values decode. At most
//! places a guess fails on the first byte, which is neither a type nor an opcode; nearly all others
//! fail on the second record.
//!
//! A snapshot that stands inside a value makes a chain as well. It gives itself away by its end mark,
//! behind which neither the file ends nor a log begins.

mod opening;

use crate::bytes::Element;
use crate::io::source::{Map, Strewn};
use crate::rdb::parser::{Miss, RdbParser, State, opcode};
use crate::rdb::resync::opening::{is_opening, may_be, takes_time};
use crate::record::types::{Dialect, RdbType};
use crate::record::{Entry, Record, Stored};

/// Records that are believed when they follow each other.
pub(crate) const CHAIN: usize = 32;
/// Records that may be believed where the next one is damaged again.
pub(crate) const SHORT_CHAIN: usize = 4;
/// Two records of an empty key and an empty value: a key cannot stand twice, so these are zeros.
pub(crate) const ZEROS: [u8; 6] = [0; 6];

/// Effort for each byte of a snapshot, and at the least: input made for the purpose must not cost more.
const PATIENCE: u64 = 64;
const PATIENCE_LEAST: u64 = 1 << 26;
/// What is tried one after the other.
const TRIES: [Try; 4] = [
    Try::new(4 << 10, LATER, false),
    Try::new(4 << 20, LATER, false),
    Try::new(4 << 20, LATER, true),
    Try::new(4 << 20, usize::MAX, true),
];
/// Bytes of a later record: where a guess is wrong, its count of elements may lead through all of a
/// file, and the pages of that would be held.
const LATER: usize = 32 << 20;
/// Records at the start of a chain that should have a name and a value.
const STRONG: usize = 4;
/// First bytes of numbers that take four and eight more.
const LONG_NAME: u8 = 0x80;
const LONG: u8 = 0x81;
/// Bytes of a guess that are looked at first.
const LOOK: usize = 4 << 10;
/// Bytes that are searched for the start of a record at a time.
const WINDOW: usize = 1 << 20;
/// Bytes of an AUX field's name.
const AUX_NAME: usize = 64;
/// Lowest version in which a database's number is followed by how many keys it has.
const RESIZE_SINCE: u32 = 7;

/// How far a guess is followed where a record takes time for each element.
#[derive(Clone, Copy, Debug)]
struct Try {
    /// Bytes of the first record and of those behind it, at the most.
    first: usize,
    later: usize,
    /// Whether a weak start will do.
    weak: bool,
}

impl Try {
    const fn new(first: usize, later: usize, weak: bool) -> Self {
        Try { first, later, weak }
    }
}

/// How a chain ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ChainEnd {
    /// It has as many records as were asked for.
    Enough,
    /// In the end mark, with nothing behind it but a log.
    Snapshot,
    /// In an end mark that is none of this file.
    Embedded,
    /// In something that is no record.
    Broken,
}

/// Records that follow each other.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    /// Where they begin, and where the last one ends.
    pub(crate) bounds: Vec<usize>,
    pub(crate) end: ChainEnd,
    /// Some of its first records have no name or no value: few bytes look like those.
    weak: bool,
}

impl Chain {
    /// Index of the first byte.
    pub(crate) fn at(&self) -> usize {
        self.bounds.first().copied().unwrap_or_default()
    }

    /// Index just behind the last record.
    pub(crate) fn behind(&self) -> usize {
        self.bounds.last().copied().unwrap_or_default()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.bounds.len().saturating_sub(1)
    }

    /// Whether its start is such that few bytes may look like it by chance.
    pub(crate) fn is_weak(&self) -> bool {
        self.weak
    }

    /// Whether something stands there, if only a short piece.
    pub(crate) fn is_believed(&self) -> bool {
        match self.end {
            ChainEnd::Enough | ChainEnd::Snapshot => true,
            ChainEnd::Embedded => false,
            ChainEnd::Broken => self.len() >= SHORT_CHAIN,
        }
    }
}

/// Finds chains, within a bounded effort for the whole of a snapshot.
#[derive(Debug)]
pub(crate) struct Resync<'d> {
    patience: u64,
    /// A guess may lead to any place of a file.
    looks: Strewn<'d>,
    /// Only keys are believed, no records of other kinds, and the first ends here at the latest.
    only_keys: Option<usize>,
    /// Bytes that may open a record, for the dialect that was asked for last.
    openings: Option<(Dialect, Box<[bool; 256]>)>,
}

impl<'d> Resync<'d> {
    /// For so many bytes of a snapshot, that are mapped or stand in memory.
    pub(crate) fn new(len: usize, map: Option<&'d Map>) -> Self {
        Resync {
            patience: PATIENCE.saturating_mul(len as u64).max(PATIENCE_LEAST),
            looks: Strewn::new(map),
            only_keys: None,
            openings: None,
        }
    }

    /// True when the effort is spent: what was not found then may be there all the same.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.patience == 0
    }

    /// The first chain that begins at `from` or behind it and before `until`, and that `accepts`
    /// wants. Of a chain that is not wanted the records are not tried again, but for its first.
    pub(crate) fn next_chain(
        &mut self,
        data: &[u8],
        (from, until): (usize, usize),
        state: &State,
        fits: &mut dyn FnMut(&Entry<'_>) -> bool,
        accepts: &mut dyn FnMut(&Chain) -> bool,
    ) -> Option<Chain> {
        for Try { first, later, weak } in TRIES {
            let mut at = from;
            while at < until && self.patience > 0 {
                let Some(next) = self.opening(data, at, until, state.dialect()) else {
                    break;
                };
                at = next;
                let chain = self.follow(data, at, state, (CHAIN, first, later), fits);
                // One or two records that end in this byte are no snapshot.
                if chain.end == ChainEnd::Embedded && chain.len() > SHORT_CHAIN {
                    at = chain.behind();
                } else if chain.is_believed() && (weak || !chain.weak) && accepts(&chain) {
                    return Some(chain);
                }
                at += 1;
            }
        }
        None
    }

    /// The same among keys alone, the first of which ends at `first_ends` at the latest: a record
    /// of another kind inside of a value is none.
    pub(crate) fn next_keys_within(
        &mut self,
        data: &[u8],
        (range, first_ends): ((usize, usize), usize),
        state: &State,
        fits: &mut dyn FnMut(&Entry<'_>) -> bool,
        accepts: &mut dyn FnMut(&Chain) -> bool,
    ) -> Option<Chain> {
        self.only_keys = Some(first_ends);
        let found = self.next_within(data, range, state, fits, accepts);
        self.only_keys = None;
        found
    }

    /// The first chain that begins in a range and that `accepts` wants, however short it is.
    pub(crate) fn next_within(
        &mut self,
        data: &[u8],
        (from, until): (usize, usize),
        state: &State,
        fits: &mut dyn FnMut(&Entry<'_>) -> bool,
        accepts: &mut dyn FnMut(&Chain) -> bool,
    ) -> Option<Chain> {
        let mut at = from;
        while at < until && self.patience > 0 {
            at = self.opening(data, at, until, state.dialect())?;
            let [Try { first, later, .. }, ..] = TRIES;
            let chain = self.follow(data, at, state, (CHAIN, first, later), fits);
            if chain.len() > 0 && chain.end != ChainEnd::Embedded && accepts(&chain) {
                return Some(chain);
            }
            at += 1;
        }
        None
    }

    /// The first place where a record may begin, as far as few bytes tell.
    fn opening(
        &mut self,
        data: &[u8],
        from: usize,
        until: usize,
        dialect: Dialect,
    ) -> Option<usize> {
        let table = match &mut self.openings {
            Some((known, table)) if *known == dialect => table,
            openings => {
                let table = std::array::from_fn(|byte| is_opening(byte as u8, dialect));
                &mut openings.insert((dialect, Box::new(table))).1
            }
        };
        let ends = self.only_keys.unwrap_or(data.len());
        let mut at = from;
        loop {
            let bytes = data.get(at..until.min(at.saturating_add(WINDOW)))?;
            let opens = |&byte: &u8| table.get(usize::from(byte)) == Some(&true);
            let next = bytes.iter().position(opens);
            let passed = next.unwrap_or(bytes.len());
            self.looks.over(passed);
            at += passed;
            if next.is_none() {
                if passed == 0 {
                    return None;
                }
                continue;
            }
            let record = data.get(at..ends)?;
            if let [_, LONG_NAME, a, b, c, d, name @ ..] = record
                && u64::from(u32::from_be_bytes([*a, *b, *c, *d])) < name.len() as u64
            {
                // The value behind such a name is looked at.
                self.looks.at_one(usize::MAX);
            }
            if may_be(record, self.only_keys.is_some()) && !starts_with_zeros(data, at) {
                return Some(at);
            }
            at += 1;
        }
    }

    /// Follows the records that begin at `at`: `most` of them, the first of them no longer than
    /// `first` if it takes time for each element, and the others no longer than `later`.
    pub(crate) fn follow(
        &mut self,
        data: &[u8],
        at: usize,
        state: &State,
        (most, first, later): (usize, usize, usize),
        fits: &mut dyn FnMut(&Entry<'_>) -> bool,
    ) -> Chain {
        let mut parser = RdbParser::resume(state.at_db(0), at as u64);
        // Nearly every guess ends at its first record: no room is made before that.
        let mut bounds = Vec::new();
        let mut pos = at;
        let mut weak = false;
        let end = loop {
            let is_first = bounds.is_empty();
            if bounds.len() > most {
                break ChainEnd::Enough;
            }
            let rest = data.get(pos..).unwrap_or_default();
            let opens = rest
                .first()
                .is_some_and(|&b| is_opening(b, state.dialect()));
            if !opens || rest.starts_with(&ZEROS) {
                break ChainEnd::Broken;
            }
            let many = takes_time(rest);
            let window = match (is_first, self.only_keys) {
                (true, Some(until)) => data.get(pos..until).unwrap_or_default(),
                _ => rest,
            };
            let window = match (many, is_first) {
                (true, true) => window.get(..first).unwrap_or(window),
                (true, false) => window.get(..later).unwrap_or(window),
                (false, _) => window,
            };
            let (item, len) = match guessed(&mut parser, window) {
                Ok(record) => record,
                Err(read) => {
                    let read = if many { read } else { 0 };
                    self.pay(4 + read / 8);
                    self.looks.over(read);
                    break ChainEnd::Broken;
                }
            };
            self.looks.at_one(len);
            self.pay(1 + if many { len / 8 } else { 0 });
            match item {
                Record::Entry(entry) => {
                    self.pay(entry.value.bytes.len() / 32);
                    if !fits(&entry) {
                        break ChainEnd::Broken;
                    }
                    if entry.value.rdb_type != RdbType::String {
                        self.looks.over(len);
                    }
                    weak |= bounds.len() <= STRONG && is_weak(&entry);
                }
                _ if self.only_keys.is_some() => break ChainEnd::Broken,
                Record::Eof(_) => {
                    let is_end = ends(data, pos + len);
                    if is_first {
                        bounds.push(pos);
                    }
                    bounds.push(pos + len);
                    match is_end {
                        true => break ChainEnd::Snapshot,
                        false => break ChainEnd::Embedded,
                    }
                }
                other if !is_plausible(&other, rest.get(len..), state) => break ChainEnd::Broken,
                _ => {}
            }
            if is_first {
                bounds.push(pos);
            }
            pos += len;
            bounds.push(pos);
            if self.patience == 0 {
                break ChainEnd::Broken;
            }
        };
        Chain { bounds, end, weak }
    }

    /// Counts effort.
    pub(crate) fn pay(&mut self, effort: usize) {
        self.patience = self.patience.saturating_sub(effort as u64);
    }
}

/// The record at the start of these bytes, looking at as few of them as it takes: nearly all guesses
/// are wrong, and most of those by a length that is longer than the file. Else how many were looked at.
fn guessed<'d>(parser: &mut RdbParser, window: &'d [u8]) -> Result<(Record<'d>, usize), usize> {
    let mut len = LOOK.min(window.len());
    loop {
        match parser.guess(window.get(..len).unwrap_or(window)) {
            Ok(record) => return Ok(record),
            Err(Miss::Wrong(read)) => return Err(read),
            Err(Miss::Short(missing)) => {
                let needed = len.saturating_add(missing);
                if needed > window.len() {
                    return Err(len);
                }
                len = needed.max(len.saturating_mul(4)).min(window.len());
            }
        }
    }
}

/// Whether zeros stand there that are no records: values may be full of them.
#[inline]
fn starts_with_zeros(data: &[u8], at: usize) -> bool {
    data.get(at..).is_some_and(|rest| rest.starts_with(&ZEROS))
}

/// Whether a key has no name, a string nothing in it, or a module's value no module: the number of
/// one holds the nine letters of its name, and is as large as that. The end of a stream looks like
/// one of a small number.
pub(crate) fn is_weak(entry: &Entry<'_>) -> bool {
    let bytes = entry.value.bytes;
    entry.key.is_empty()
        || match entry.value.rdb_type {
            RdbType::String => bytes.len() < 2,
            RdbType::Module => bytes.first() != Some(&LONG),
            _ => false,
        }
}

/// Whether a record that is no key looks like one that a server writes.
fn is_plausible(record: &Record<'_>, behind: Option<&[u8]>, state: &State) -> bool {
    match record {
        Record::Aux { name, .. } => match name {
            Stored::Plain(Element::Bytes(name)) => {
                name.len() <= AUX_NAME && name.iter().all(u8::is_ascii_graphic)
            }
            _ => false,
        },
        Record::Function(source) => match *source {
            Stored::Plain(Element::Bytes(source)) => source.starts_with(b"#!"),
            _ => source
                .to_bytes()
                .is_ok_and(|source| source.starts_with(b"#!")),
        },
        Record::SelectDb(_) => {
            let says_size = state.version().is_none_or(|v| v.number >= RESIZE_SINCE);
            let next = behind.and_then(|behind| behind.first());
            !says_size
                || state.dialect() == Dialect::Dragonfly
                || matches!(next, Some(&opcode::RESIZEDB))
        }
        Record::ResizeDb { keys, expires } => expires <= keys,
        _ => true,
    }
}

/// Whether a snapshot may end at `at`: nothing stands behind it, or a log.
pub(crate) fn ends(data: &[u8], at: usize) -> bool {
    match data.get(at..) {
        None | Some([]) => true,
        Some([b'*', rest @ ..]) => counts(rest).is_some_and(|rest| match rest {
            [b'$', rest @ ..] => counts(rest).is_some(),
            rest => rest.is_empty(),
        }),
        Some([b'#', b'T', b'S', b':', ..]) => true,
        Some(_) => false,
    }
}

/// What stands behind a number and the end of its line, as far as the file goes.
fn counts(bytes: &[u8]) -> Option<&[u8]> {
    let digits = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    match bytes.get(digits..)? {
        [b'\r', b'\n', rest @ ..] if digits > 0 => Some(rest),
        rest @ ([] | [b'\r']) => Some(rest.get(rest.len()..)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::Step;
    use crate::rdb::segments::testing::{Dice, Mix, snapshot};

    fn state_of(data: &[u8]) -> State {
        let mut parser = RdbParser::new();
        parser.parse(data, true).unwrap();
        parser.state().clone()
    }

    /// Where records begin.
    fn bounds(data: &[u8]) -> Vec<usize> {
        let mut parser = RdbParser::new();
        let (mut rest, mut all) = (data, Vec::new());
        while !parser.state().ended() {
            all.push(data.len() - rest.len());
            match parser.parse(rest, true).unwrap() {
                Step::Parsed { consumed, .. } => rest = &rest[consumed..],
                Step::NeedMore { .. } => unreachable!("the end was given"),
            }
        }
        all
    }

    #[test]
    fn a_chain_found_from_anywhere_leads_to_where_records_begin() {
        let data = snapshot(&mut Dice::new(7), Mix::Plain, 300_000);
        let (state, bounds) = (state_of(&data), bounds(&data));
        let mut resync = Resync::new(data.len(), None);
        for from in (500..250_000).step_by(997) {
            let chain = resync
                .next_chain(
                    &data,
                    (from, data.len()),
                    &state,
                    &mut |_| true,
                    &mut |_| true,
                )
                .unwrap();
            assert!(chain.at() < from + 2_000, "{from}");
            assert!(bounds.binary_search(&chain.behind()).is_ok(), "{from}");
        }
    }

    #[test]
    fn zeros_and_a_snapshot_inside_a_value_are_no_chain() {
        let state = state_of(b"REDIS0011");
        let mut data = vec![0u8; 50_000];
        let find = |data: &[u8]| {
            Resync::new(data.len(), None)
                .next_chain(data, (0, data.len()), &state, &mut |_| true, &mut |_| true)
                .map(|chain| chain.at())
        };
        assert_eq!(find(&data), None);
        data.clear();
        data.extend_from_slice(
            b"xxx\0\x01a\x01b\0\x01c\x01d\0\x01e\x01f\0\x01g\x01h\0\x01i\x01j\xff12345678yyy",
        );
        assert_eq!(find(&data), None);
        data.truncate(data.len() - 3);
        assert_eq!(find(&data), Some(3));
    }

    #[test]
    fn a_snapshot_ends_with_the_file_or_before_a_log() {
        for log in [
            "",
            "*",
            "*1\r",
            "*1\r\n$4\r\nPING\r\n",
            "*3\r\n$",
            "#TS:17\r\n",
        ] {
            assert!(ends(log.as_bytes(), 0), "{log:?}");
        }
        for other in ["*1x", "*x", "*1\r\nPING", "*1\r\n$x", "x", "#T", "\0"] {
            assert!(!ends(other.as_bytes(), 0), "{other:?}");
        }
    }

    #[test]
    fn the_effort_is_bounded() {
        // Sets of many members that end in nothing, one inside the other.
        let mut data = b"\x02\0\x80\0\xff\xff\xff".repeat(100_000);
        // Else the last bytes are an end mark with its checksum.
        data.extend_from_slice(b"xy");
        let mut resync = Resync::new(data.len(), None);
        let state = state_of(b"REDIS0011");
        let found = resync.next_chain(&data, (0, data.len()), &state, &mut |_| true, &mut |_| true);
        assert!(found.is_none());
    }
}
