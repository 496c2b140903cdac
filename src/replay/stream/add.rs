//! XADD, XTRIM, XSETID.

use crate::keyspace::NEVER;
use crate::keyspace::stream::{References, Stream, Threshold, Unfit, next_id};
use crate::record::StreamId;
use crate::replay::args::{Args, integer};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::stream::id::{self, HIGHEST, LOWEST, Wanted};
use crate::replay::stream::{id_reply, is};

/// What is asked to be trimmed.
#[derive(Clone, Copy)]
struct Trim {
    to: Threshold,
    roughly: bool,
}

/// The options of XADD and XTRIM.
struct Options {
    trim: Option<Trim>,
    references: References,
    makes_no_stream: bool,
    /// The ID behind them, if there is one and it is not `*`.
    wanted: Option<Wanted>,
    /// How many arguments they are.
    len: usize,
}

/// Reads options up to the ID (which stays unread), or to the end where there is none.
///
/// A LIMIT is read and has no effect: servers do not keep to it while they load.
fn options(cx: &Context<'_>, args: Args<'_>, adds: bool) -> Result<Options, Rejection> {
    let mut options = Options {
        trim: None,
        references: References::Keep,
        makes_no_stream: false,
        wanted: None,
        len: 0,
    };
    let (mut limit, mut references) = (0, None);
    let refers = cx.rules.since((8, 2), NEVER);
    let mut at = 0;
    while let Some(&option) = args.get(at) {
        // No option begins with a digit, most IDs do.
        if adds && option.first().is_some_and(u8::is_ascii_digit) {
            break;
        }
        let more = args.len() - at - 1;
        let reference = match references {
            None if refers => policy(option),
            _ => None,
        };
        if adds && is_star(option) {
            break;
        } else if (is(option, "maxlen") || is(option, "minid")) && more > 0 {
            if options.trim.is_some() {
                return Err(Rejection::error(
                    "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
                ));
            }
            let mark = args.at(at + 1)?;
            let marked = |with| more >= 2 && (mark == [with] || mark.starts_with(&[with, 0]));
            let roughly = marked(b'~');
            at += usize::from(roughly || marked(b'='));
            let text = args.at(at + 1)?;
            let to = if is(option, "maxlen") {
                let most = u64::try_from(integer(text)?)
                    .map_err(|_| Rejection::error("ERR The MAXLEN argument must be >= 0."))?;
                Threshold::Length(most)
            } else {
                Threshold::From(id::exact(text, 0)?)
            };
            options.trim = Some(Trim { to, roughly });
            at += 1;
        } else if is(option, "limit") && more > 0 {
            limit = integer(args.at(at + 1)?)?;
            if limit < 0 {
                return Err(Rejection::error("ERR The LIMIT argument must be >= 0."));
            }
            at += 1;
        } else if reference.is_some() {
            references = reference;
        } else if adds && is(option, "nomkstream") {
            options.makes_no_stream = true;
        } else if adds {
            break;
        } else {
            return Err(Rejection::syntax());
        }
        at += 1;
    }
    options.len = at;
    options.references = references.unwrap_or_default();
    // The ID is read before what the options say together is looked at.
    if adds && let Some(text) = args.get(at).filter(|text| !is_star(text)) {
        options.wanted = Some(id::wanted(text, cx.rules.since((7, 0), (0, 0)))?);
    }
    if limit != 0 && options.trim.is_none() {
        return Err(Rejection::error(
            "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
        ));
    }
    Ok(options)
}

/// The word for what becomes of references.
pub(super) fn policy(option: &[u8]) -> Option<References> {
    if is(option, "keepref") {
        Some(References::Keep)
    } else if is(option, "delref") {
        Some(References::Delete)
    } else if is(option, "acked") {
        Some(References::Acknowledged)
    } else {
        None
    }
}

/// The ID that the server makes.
fn is_star(text: &[u8]) -> bool {
    matches!(text, [b'*'] | [b'*', 0, ..])
}

pub(super) fn xadd(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], rest) = args.first()?;
    let options = options(cx, rest, true)?;
    let Ok(pairs @ [_, ..]) = rest.from(options.len + 1).pairs() else {
        return Err(Rejection::error(
            "ERR wrong number of arguments for 'xadd' command",
        ));
    };
    let wanted = options.wanted;
    if wanted == Some(Wanted::Exactly(LOWEST)) {
        return Err(Rejection::error(
            "ERR The ID specified in XADD must be greater than 0-0",
        ));
    }
    let now = match (wanted, cx.time) {
        (None, None) => {
            return Err(Rejection::unplayable(
                "takes its ID from the clock, and nothing tells the time",
            ));
        }
        (None, Some(time)) => u64::try_from(time).unwrap_or(0),
        _ => 0,
    };
    let rules = cx.rules;
    let stream = match options.makes_no_stream {
        false => cx.stream_or_new(key)?,
        true => match cx.stream_mut(key)? {
            Some(stream) => stream,
            None => return Ok(Reply::Nil),
        },
    };
    if stream.last_id() == HIGHEST {
        return Err(Rejection::error(
            "ERR The stream has exhausted the last possible ID, unable to add more items",
        ));
    }
    let too_small = || {
        Rejection::error(
            "ERR The ID specified in XADD is equal or smaller than the target stream top item",
        )
    };
    let id = new_id(stream, wanted, now)
        .filter(|id| *id > stream.last_id())
        .ok_or_else(too_small)?;
    stream.append(id, pairs, rules).map_err(|why| match why {
        Unfit::TooLarge => Rejection::error("ERR Elements are too large to be stored"),
        Unfit::Overflow => Rejection::unplayable("makes a node of the stream above 4 GiB"),
    })?;
    if let Some(Trim { to, roughly }) = options.trim {
        stream.trim(to, roughly, options.references, rules);
    }
    Ok(if cx.wants_reply {
        id_reply(id)
    } else {
        Reply::Nil
    })
}

fn new_id(stream: &Stream, wanted: Option<Wanted>, now: u64) -> Option<StreamId> {
    let last = stream.last_id();
    match wanted {
        Some(Wanted::Exactly(id)) => Some(id),
        Some(Wanted::NextIn(ms)) if ms == last.ms => {
            last.seq.checked_add(1).map(|seq| StreamId { ms, seq })
        }
        Some(Wanted::NextIn(ms)) => Some(StreamId { ms, seq: 0 }),
        None if now > last.ms => Some(StreamId { ms: now, seq: 0 }),
        None => next_id(last),
    }
}

pub(super) fn xtrim(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], rest) = args.first()?;
    let options = options(cx, rest, false)?;
    let Some(Trim { to, roughly }) = options.trim else {
        return Err(Rejection::error(
            "ERR syntax error, XTRIM must be called with a trimming strategy",
        ));
    };
    let rules = cx.rules;
    let Some(stream) = cx.stream_mut(key)? else {
        return Ok(Reply::Int(0));
    };
    let removed = stream.trim(to, roughly, options.references, rules);
    Ok(Reply::Int(removed.cast_signed()))
}

pub(super) fn xsetid(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key, text], rest) = args.first()?;
    // Before Redis 7 the key is looked up first.
    if !cx.rules.since((7, 0), (0, 0)) {
        cx.stream(key)?.ok_or_else(Rejection::no_such_key)?;
    }
    let id = id::exact(text, 0)?;
    let (mut added, mut deleted) = (None, None);
    let mut rest = rest.iter();
    while let Some(option) = rest.next() {
        if is(option, "entriesadded")
            && let Some(text) = rest.next()
        {
            let n = u64::try_from(integer(text)?)
                .map_err(|_| Rejection::error("ERR entries_added must be positive"))?;
            added = Some(n);
        } else if is(option, "maxdeletedid")
            && let Some(text) = rest.next()
        {
            let max = id::exact(text, 0)?;
            if id < max {
                return Err(Rejection::error(
                    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                ));
            }
            deleted = Some(max);
        } else {
            return Err(Rejection::syntax());
        }
    }
    let rules = cx.rules;
    let stream = cx.stream_mut(key)?.ok_or_else(Rejection::no_such_key)?;
    if rules.since((7, 2), (0, 0)) && id < stream.max_deleted_id() {
        return Err(Rejection::error(
            "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
        ));
    }
    if !stream.is_empty() {
        if stream.last_live().is_some_and(|last| id < last) {
            return Err(Rejection::error(
                "ERR The ID specified in XSETID is smaller than the target stream top item",
            ));
        }
        if added.is_some_and(|added| stream.len() > added) {
            return Err(Rejection::error(
                "ERR The entries_added specified in XSETID is smaller than the target stream length",
            ));
        }
    }
    stream.set_counters(id, added, deleted.filter(|max| *max != LOWEST));
    Ok(Reply::OK)
}
