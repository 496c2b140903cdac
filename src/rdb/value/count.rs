//! Counts the elements of a value: what `LLEN`, `SCARD`, `HLEN`, `ZCARD`, `XLEN` answer.

use crate::bytes::parse;
use crate::bytes::{Element, Problem};
use crate::error::Result;
use crate::rdb::string;
use crate::rdb::value::{self, Reader, Scratch};
use crate::record::value::{ArrayItem, ModuleEvent, StreamEvent};
use crate::record::{RawValue, RdbType, ValueVisitor};

/// How many elements, fields, members or entries a value has; 1 for a string, a module value, a
/// JSON text.
///
/// Where a count stands in front of them it is read and nothing else: framing has counted along.
/// Packed forms are walked.
///
/// # Errors
/// Damage in a packed form, or a hash of a template that is not known.
pub fn elements(value: &RawValue<'_>, scratch: &mut Scratch) -> Result<u64> {
    let mut reader = Reader::new(value);
    match value.rdb_type {
        RdbType::String | RdbType::Module | RdbType::DragonflyJson => Ok(1),
        RdbType::ListLinked
        | RdbType::SetTable
        | RdbType::ZsetText
        | RdbType::ZsetBinary
        | RdbType::HashTable
        | RdbType::HashExpiryRc
        | RdbType::HashValkey
        | RdbType::Array
        | RdbType::DragonflyHash
        | RdbType::DragonflySet => reader.number(),
        RdbType::HashExpiry => {
            reader.run(parse::le_i64)?;
            reader.number()
        }
        RdbType::HashNames => {
            reader.run(parse::byte)?;
            reader.number()
        }
        RdbType::HashTemplate => {
            let id = reader.number()?;
            match scratch.templates.get(id) {
                Some(names) => Ok(names.len() as u64),
                None => Err(reader.fail(Problem::TemplateUnknown { id })),
            }
        }
        RdbType::Stream1
        | RdbType::Stream2
        | RdbType::Stream3
        | RdbType::Stream4
        | RdbType::Stream5 => {
            for _ in 0..reader.number()? {
                reader.run(string::skip)?;
                reader.run(string::skip)?;
            }
            reader.number()
        }
        RdbType::HashZipmap
        | RdbType::ListZiplist
        | RdbType::SetIntset
        | RdbType::ZsetZiplist
        | RdbType::HashZiplist
        | RdbType::Quicklist
        | RdbType::HashListpack
        | RdbType::ZsetListpack
        | RdbType::Quicklist2
        | RdbType::SetListpack
        | RdbType::HashListpackExpiryRc
        | RdbType::HashListpackExpiry
        | RdbType::HashNamesListpack
        | RdbType::HashTemplateListpack
        | RdbType::Cron => {
            let mut count = CountElements::default();
            value::walk(value, scratch, &mut count)?;
            Ok(count.total())
        }
    }
}

/// Counts elements, fields, members, or a stream's entries.
#[derive(Clone, Copy, Debug, Default)]
pub struct CountElements(u64);

impl CountElements {
    /// How many there were; 1 for a string, a module value, a JSON text.
    pub fn total(&self) -> u64 {
        self.0
    }
}

impl ValueVisitor for CountElements {
    fn string(&mut self, _: Element<'_>) -> Result<()> {
        self.0 += 1;
        Ok(())
    }
    fn element(&mut self, _: Element<'_>) -> Result<()> {
        self.0 += 1;
        Ok(())
    }
    fn field(&mut self, _: Element<'_>, _: Element<'_>, _: Option<i64>) -> Result<()> {
        self.0 += 1;
        Ok(())
    }
    fn member(&mut self, _: Element<'_>, _: f64) -> Result<()> {
        self.0 += 1;
        Ok(())
    }
    fn stream(&mut self, event: StreamEvent<'_>) -> Result<()> {
        self.0 += u64::from(matches!(event, StreamEvent::Entry { .. }));
        Ok(())
    }
    fn module(&mut self, event: ModuleEvent<'_>) -> Result<()> {
        self.0 += u64::from(matches!(event, ModuleEvent::Start { .. }));
        Ok(())
    }
    fn slot(&mut self, _: u64, _: ArrayItem<'_>) -> Result<()> {
        self.0 += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(rdb_type: RdbType, bytes: &[u8]) -> RawValue<'_> {
        RawValue {
            rdb_type,
            bytes,
            at: 0,
        }
    }

    /// Each is a value as a server writes it, or wrote it once.
    const VALUES: &[(RdbType, &[u8], u64)] = &[
        (RdbType::String, b"\x05hello", 1),
        (RdbType::ListLinked, b"\x02\x01a\x01b", 2),
        (RdbType::SetTable, b"\x03\xc0\x01\xc0\x02\x01a", 3),
        (RdbType::ZsetText, b"\x02\x01a\x011\x01b\xfe", 2),
        (RdbType::HashTable, b"\x01\x01f\x01v", 1),
        (RdbType::ZsetBinary, b"\x01\x01a\0\0\0\0\0\0\xf0\x3f", 1),
        (
            RdbType::SetIntset,
            b"\x0c\x02\0\0\0\x02\0\0\0\x01\0\x02\0",
            2,
        ),
        (
            RdbType::HashListpack,
            b"\x0d\x0d\0\0\0\x02\0\x81f\x02\x81v\x02\xff",
            1,
        ),
        (
            RdbType::SetListpack,
            b"\x0d\x0d\0\0\0\x02\0\x81f\x02\x81v\x02\xff",
            2,
        ),
        (
            RdbType::Quicklist2,
            b"\x02\x02\x0d\x0d\0\0\0\x02\0\x81f\x02\x81v\x02\xff\x01\x03big",
            3,
        ),
        (
            RdbType::HashExpiry,
            b"\0\xd8\xc3\x2c\xbb\x03\0\0\x02\x01\x01a\x01b\0\x01c\x01d",
            2,
        ),
        (
            RdbType::HashValkey,
            b"\x01\x01a\xc0\x01\0\xd8\xc3\x2c\xbb\x03\0\0",
            1,
        ),
        (RdbType::HashNames, b"\x01\x02\x01a\x01b\x01x\x01y", 2),
        (
            RdbType::Array,
            b"\x02\0\x05\0\x01a\x07\x01\x01\0\0\0\0\0\0\0",
            2,
        ),
        (RdbType::DragonflyJson, b"\x02{}", 1),
        (RdbType::DragonflyHash, b"\x01\x01f\x01v\xc0\xff", 1),
    ];

    #[test]
    fn the_count_in_front_is_what_a_walk_counts() {
        for &(rdb_type, bytes, expected) in VALUES {
            let value = value(rdb_type, bytes);
            let (rest, ()) = super::value::extent(rdb_type, bytes).expect("it is framed");
            assert!(rest.is_empty(), "{rdb_type:?}");
            let mut scratch = Scratch::default();
            let counted = elements(&value, &mut scratch).expect("it is sound");
            assert_eq!(counted, expected, "{rdb_type:?}");
            let mut walked = CountElements::default();
            super::value::walk(&value, &mut scratch, &mut walked).expect("it is sound");
            assert_eq!(walked.total(), expected, "{rdb_type:?}");
        }
    }

    #[test]
    fn a_stream_counts_its_live_entries_without_a_look_into_its_nodes() {
        // One node, whose listpack is not looked at; length 7; last ID 1-1; no groups.
        let bytes = b"\x01\x100123456789abcdef\x03bad\x07\x01\x01\0";
        let value = value(RdbType::Stream1, bytes);
        let counted = elements(&value, &mut Scratch::default()).expect("it is framed");
        assert_eq!(counted, 7);
    }

    #[test]
    fn damage_in_a_packed_form_is_an_error_and_no_count() {
        let value = value(
            RdbType::SetListpack,
            b"\x0d\x0d\0\0\0\x02\0\x81f\x02\x85v\x02\xff",
        );
        assert!(elements(&value, &mut Scratch::default()).is_err());
    }
}
