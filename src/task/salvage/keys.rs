//! The keys of a stretch that was read before, one after the other.

use crate::bytes::Step;
use crate::rdb::parser::RdbParser;
use crate::record::Record;
use crate::task::salvage::survey::Survey;

/// Where a key stands, with what stands before it and belongs to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) expires: bool,
}

/// Keys that begin in a range.
pub(super) struct Keys<'d> {
    parser: RdbParser,
    rest: &'d [u8],
    start: u64,
    until: u64,
}

impl<'d> Keys<'d> {
    /// From the start of a key on.
    pub(super) fn within(survey: &Survey<'d>, start: u64, until: u64) -> Self {
        let from = usize::try_from(start).unwrap_or(usize::MAX);
        Keys {
            parser: RdbParser::resume(survey.state.at_db(0), start),
            rest: survey.data.get(from..).unwrap_or_default(),
            start,
            until,
        }
    }

    /// Where the last one ended.
    pub(super) fn reached(&self) -> u64 {
        self.start
    }

    /// Whether the next record, where it is a key's, expires.
    fn record(&mut self) -> Option<Option<bool>> {
        if let Some((entry, after)) = self.parser.next_key(self.rest) {
            self.rest = after;
            return Some(Some(entry.expires_at.is_some()));
        }
        let Ok(Step::Parsed { consumed, item }) = self.parser.parse(self.rest, true) else {
            return None;
        };
        self.rest = self.rest.get(consumed..).unwrap_or_default();
        Some(match item {
            Record::Entry(entry) => Some(entry.expires_at.is_some()),
            _ => None,
        })
    }
}

impl Iterator for Keys<'_> {
    type Item = Key;

    fn next(&mut self) -> Option<Key> {
        if self.start >= self.until {
            return None;
        }
        let expires = loop {
            if let Some(expires) = self.record()? {
                break expires;
            }
        };
        let (start, end) = (self.start, self.parser.offset());
        self.start = end;
        Some(Key {
            start,
            end,
            expires,
        })
    }
}
