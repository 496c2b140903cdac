//! Values that only some servers have: Redis 8.8's sparse array, KeyDB's scheduled script,
//! Dragonfly's JSON.

use crate::bytes::Problem;
use crate::bytes::parse::{self, Parsed};
use crate::error::Result;
use crate::rdb::string;
use crate::rdb::value::{Reader, Scratch};
use crate::record::value::ArrayItem;
use crate::record::{DataType, RdbType, ValueVisitor};

const TAG_STRING: u64 = 0;
const TAG_INT: u64 = 1;
const TAG_DOUBLE: u64 = 2;
const TAG_SHORT: u64 = 3;

pub(super) fn extent(rdb_type: RdbType, input: &[u8]) -> Parsed<'_, ()> {
    if rdb_type == RdbType::Cron {
        let (input, ()) = string::skip(input)?;
        let (input, _) = parse::take(input, 16)?;
        let (input, ()) = super::strings(input, 1)?;
        return super::strings(input, 1);
    }
    let (input, count) = string::number(input)?;
    let (mut input, flag) = string::number(input)?;
    if flag == 1 {
        (input, _) = string::number(input)?;
    }
    for _ in 0..count {
        (input, _) = string::number(input)?;
        let (rest, tag) = string::number(input)?;
        (input, ()) = match tag {
            TAG_STRING | TAG_SHORT => string::skip(rest)?,
            TAG_INT | TAG_DOUBLE => (parse::take(rest, 8)?.0, ()),
            found => return Err(crate::bytes::Fault::at(input, Problem::ArrayTag { found })),
        };
    }
    Ok((input, ()))
}

pub(super) fn walk<V: ValueVisitor + ?Sized>(
    rdb_type: RdbType,
    reader: &mut Reader<'_>,
    scratch: &mut Scratch,
    to: &mut V,
) -> Result<()> {
    match rdb_type {
        RdbType::DragonflyJson => {
            let at = reader.offset();
            let stored = reader.stored()?;
            to.begin(DataType::Json, Some(1))?;
            to.element(scratch.first.resolve(stored, at)?)?;
            to.end(DataType::Json)
        }
        RdbType::Cron => cron(reader, scratch, to),
        _ => array(reader, scratch, to),
    }
}

fn array<V: ValueVisitor + ?Sized>(
    reader: &mut Reader<'_>,
    scratch: &mut Scratch,
    to: &mut V,
) -> Result<()> {
    let count = reader.number()?;
    if reader.number()? == 1 {
        reader.number()?;
    }
    to.begin(DataType::Array, Some(count))?;
    let mut last = None;
    for _ in 0..count {
        let place = reader.place();
        let index = reader.number()?;
        if last.is_some_and(|last| last >= index) {
            to.flaw(Problem::ArrayOrder, place)?;
        }
        last = Some(index);
        match reader.number()? {
            TAG_INT => {
                let n = reader.run(parse::le_i64)?;
                to.slot(index, ArrayItem::Int(n))?;
            }
            TAG_DOUBLE => {
                let n = reader.run(parse::le_f64)?;
                to.slot(index, ArrayItem::Double(n))?;
            }
            TAG_STRING | TAG_SHORT => {
                let at = reader.offset();
                let stored = reader.stored()?;
                to.slot(index, ArrayItem::String(scratch.first.resolve(stored, at)?))?;
            }
            found => return Err(reader.fail(Problem::ArrayTag { found })),
        }
    }
    if count == 0 {
        to.flaw(Problem::EmptyCollection, reader.place())?;
    }
    to.end(DataType::Array)
}

/// Told as fields: `script`, `start`, `interval`, then each `key` and each `arg`.
fn cron<V: ValueVisitor + ?Sized>(
    reader: &mut Reader<'_>,
    scratch: &mut Scratch,
    to: &mut V,
) -> Result<()> {
    use crate::bytes::Element;
    to.begin(DataType::Cron, None)?;
    let at = reader.offset();
    let script = reader.stored()?;
    to.field(
        Element::Bytes(b"script"),
        scratch.first.resolve(script, at)?,
        None,
    )?;
    for name in [&b"start_ms"[..], b"interval_ms"] {
        let n = reader.run(parse::le_i64)?;
        to.field(Element::Bytes(name), Element::Int(n), None)?;
    }
    for name in [&b"key"[..], b"arg"] {
        let count = reader.number()?;
        for _ in 0..count {
            let at = reader.offset();
            let stored = reader.stored()?;
            to.field(
                Element::Bytes(name),
                scratch.first.resolve(stored, at)?,
                None,
            )?;
        }
    }
    to.end(DataType::Cron)
}
