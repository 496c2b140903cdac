//! Commands on streams.

mod add;
mod claim;
mod delete;
mod group;
mod id;
mod info;
mod read;
#[cfg(test)]
mod tests;

use crate::keyspace::Rules;
use crate::keyspace::stream::{Entry, Stream};
use crate::replay::context::Context;
use crate::replay::reply::{Rejection, Reply};
use crate::replay::table::Row;
use id::id_reply;

/// The commands of this file, sorted by name.
pub(super) const TABLE: &[Row] = &[
    Row::one("xack", delete::xack),
    Row::one("xackdel", delete::xackdel),
    Row::one("xadd", add::xadd),
    Row::one("xautoclaim", claim::xautoclaim),
    Row::one("xclaim", claim::xclaim),
    Row::one("xdel", delete::xdel),
    Row::one("xdelex", delete::xdelex),
    // Its key is the second argument.
    Row::second("xgroup", group::xgroup),
    Row::read("xinfo", info::xinfo),
    Row::read("xlen", read::xlen),
    Row::read("xpending", info::xpending),
    Row::read("xrange", read::xrange),
    Row::read("xread", read::xread),
    Row::many("xreadgroup", read::xreadgroup),
    Row::read("xrevrange", read::xrevrange),
    Row::one("xsetid", add::xsetid),
    Row::one("xtrim", add::xtrim),
];

/// Whether an option is this word, in any case. Servers see it end at a NUL.
fn is(option: &[u8], word: &str) -> bool {
    let end = option.iter().position(|byte| *byte == 0);
    let option = option.get(..end.unwrap_or(option.len())).unwrap_or(option);
    option.eq_ignore_ascii_case(word.as_bytes())
}

/// The time that a server takes for now; 0 where nothing tells it. What depends on it is when
/// consumers were seen, and when entries were delivered by commands that do not say it.
fn clock(cx: &Context<'_>) -> i64 {
    cx.time.unwrap_or(0)
}

/// The stream of a group that must be there.
fn stream_with_group<'c>(
    cx: &'c mut Context<'_>,
    key: &[u8],
    group: &[u8],
) -> Result<(&'c mut Stream, &'c Rules), Rejection> {
    let rules = cx.rules;
    let missing = || no_group(key, group);
    let stream = cx.stream_mut(key)?.ok_or_else(missing)?;
    match stream.group(group) {
        Some(_) => Ok((stream, rules)),
        None => Err(missing()),
    }
}

fn no_group(key: &[u8], group: &[u8]) -> Rejection {
    Rejection::error(format!(
        "NOGROUP No such key '{}' or consumer group '{}'",
        String::from_utf8_lossy(key),
        String::from_utf8_lossy(group)
    ))
}

/// An entry as it is answered: its ID, and its names and values in one list.
fn entry_reply(entry: &Entry<'_>) -> Reply {
    let mut items = Vec::new();
    for (name, value) in entry.pairs() {
        items.push(Reply::Bulk(name.to_bytes().into_owned()));
        items.push(Reply::Bulk(value.to_bytes().into_owned()));
    }
    Reply::Array(vec![id_reply(entry.id), Reply::Array(items)])
}

/// A string of the program's own.
fn word(text: &str) -> Reply {
    Reply::Bulk(text.as_bytes().to_vec())
}
