//! XGROUP.

use crate::keyspace::stream::{Group, Stream};
use crate::keyspace::{NEVER, Value};
use crate::record::StreamId;
use crate::replay::args::{Args, integer};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::stream::id::{self, LOWEST};
use crate::replay::stream::{clock, is};

pub(super) fn xgroup(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [subcommand, rest @ ..] = args.slice() else {
        return Err(Rejection::syntax());
    };
    if is(subcommand, "help") && rest.is_empty() {
        return Err(Rejection::unplayable("help is not given here"));
    }
    let [key, group, more @ ..] = rest else {
        return Err(misused());
    };
    let counts = cx.rules.since((7, 0), (0, 0));
    let options = Options::read(subcommand, more, counts)?;
    let found = cx.stream(key)?;
    if !options.makes_stream {
        let stream = found.ok_or_else(|| {
            Rejection::error(
                "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
            )
        })?;
        let needs_group = ["setid", "createconsumer", "delconsumer"];
        if stream.group(group).is_none() && needs_group.iter().any(|it| is(subcommand, it)) {
            return Err(Rejection::error(format!(
                "NOGROUP No such consumer group '{}' for key name '{}'",
                String::from_utf8_lossy(group),
                String::from_utf8_lossy(key)
            )));
        }
    }
    if is(subcommand, "create") && !more.is_empty() {
        create(cx, key, group, more, options.entries_read)
    } else if is(subcommand, "setid") && (more.len() == 1 || counts && more.len() == 3) {
        set_id(cx, key, group, more, options.entries_read)
    } else if is(subcommand, "destroy") && more.is_empty() {
        let stream = cx.stream_mut(key)?;
        let removed = stream.is_some_and(|stream| stream.remove_group(group));
        Ok(Reply::Int(removed.into()))
    } else if is(subcommand, "createconsumer") && more.len() == 1 {
        create_consumer(cx, key, group, more)
    } else if is(subcommand, "delconsumer") && more.len() == 1 {
        let stream = cx.stream_mut(key)?;
        let group = stream.and_then(|stream| stream.group_mut(group));
        let pending = group.and_then(|group| group.remove(more.first()?));
        Ok(Reply::count(pending.unwrap_or(0)))
    } else {
        Err(misused())
    }
}

/// What may stand behind the ID.
#[derive(Default)]
struct Options {
    makes_stream: bool,
    entries_read: Option<u64>,
}

impl Options {
    fn read(subcommand: &[u8], more: &[&[u8]], counts: bool) -> Result<Options, Rejection> {
        let creates = is(subcommand, "create");
        let mut options = Options::default();
        if !counts {
            // Before Redis 7 there is one option; what else may stand there is seen later.
            match more {
                [_, option] if creates && is(option, "mkstream") => options.makes_stream = true,
                [_, _] if creates => return Err(misused()),
                _ => {}
            }
            return Ok(options);
        }
        let mut rest = more.iter().skip(1);
        while let Some(option) = rest.next() {
            if creates && is(option, "mkstream") {
                options.makes_stream = true;
            } else if (creates || is(subcommand, "setid"))
                && is(option, "entriesread")
                && let Some(text) = rest.next()
            {
                options.entries_read = match integer(text)? {
                    -1 => None,
                    n => Some(u64::try_from(n).map_err(|_| {
                        Rejection::error("ERR value for ENTRIESREAD must be positive or -1")
                    })?),
                };
            } else {
                return Err(misused());
            }
        }
        Ok(options)
    }
}

/// What a group is said to have read, which is never more than there was since Redis 8.2.
fn at_most_added(cx: &Context<'_>, read: Option<u64>, added: u64) -> Option<u64> {
    match cx.rules.since((8, 2), NEVER) {
        true => read.map(|read| read.min(added)),
        false => read,
    }
}

fn create(
    cx: &mut Context<'_>,
    key: &[u8],
    group: &[u8],
    more: &[&[u8]],
    entries_read: Option<u64>,
) -> Outcome {
    let found = cx.stream(key)?;
    let added = found.map_or(0, Stream::entries_added);
    let id = match more.first().copied().unwrap_or_default() {
        [b'$'] | [b'$', 0, ..] => found.map_or(LOWEST, Stream::last_id),
        text => id::exact(text, 0)?,
    };
    let most = if cx.rules.since((7, 0), (0, 0)) { 4 } else { 2 };
    if more.len() > most {
        return Err(misused());
    }
    let group_to_be = Group::new(id, at_most_added(cx, entries_read, added));
    if cx.stream_or_new(key)?.add_group(group, group_to_be) {
        Ok(Reply::OK)
    } else {
        Err(Rejection::error(
            "BUSYGROUP Consumer Group name already exists",
        ))
    }
}

fn set_id(
    cx: &mut Context<'_>,
    key: &[u8],
    group: &[u8],
    more: &[&[u8]],
    entries_read: Option<u64>,
) -> Outcome {
    let found = cx.stream(key)?;
    let added = found.map_or(0, Stream::entries_added);
    let id: StreamId = match more.first().copied().unwrap_or_default() {
        [b'$'] | [b'$', 0, ..] => found.map_or(LOWEST, Stream::last_id),
        text => id::loose(text, 0)?,
    };
    let entries_read = at_most_added(cx, entries_read, added);
    if let Some(stream) = cx.stream_mut(key)? {
        stream.set_group_id(group, id);
        if let Some(group) = stream.group_mut(group) {
            group.entries_read = entries_read;
        }
    }
    Ok(Reply::OK)
}

fn create_consumer(cx: &mut Context<'_>, key: &[u8], group: &[u8], more: &[&[u8]]) -> Outcome {
    let (now, rules) = (clock(cx), cx.rules);
    let Some(Value::Stream(stream)) = cx.value_mut(key) else {
        return Ok(Reply::Int(0));
    };
    let (Some(group), Some(name)) = (stream.group_mut(group), more.first()) else {
        return Ok(Reply::Int(0));
    };
    let is_new = group.find(name).is_none();
    group.find_or_add(name, now, rules);
    Ok(Reply::Int(is_new.into()))
}

fn misused() -> Rejection {
    Rejection::error("ERR Unknown subcommand or wrong number of arguments. Try XGROUP HELP.")
}
