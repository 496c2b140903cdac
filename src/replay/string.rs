//! Commands on strings.

use crate::keyspace::{Text, Value};
use crate::replay::args::Args;
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Reply};
use crate::replay::table::Row;

/// The commands of this file, sorted by name.
pub(super) const TABLE: &[Row] = &[Row::one("append", append), Row::read("get", get)];

fn append(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, more] = args.exactly()?;
    let text = cx.string_or_new(key)?;
    text.append(more);
    Ok(Reply::count(text.len()))
}

fn get(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key] = args.exactly()?;
    Ok(Reply::bulk(cx.string(key)?.map(Text::as_bytes)))
}

#[allow(dead_code)]
fn set(cx: &mut Context<'_>, key: &[u8], value: &[u8]) {
    cx.put(key, Value::String(Text::new(value)), None);
}
