//! XLEN, XRANGE, XREVRANGE, XREAD, XREADGROUP.

use crate::keyspace::stream::{Pending, Stream, next_id, previous_id};
use crate::keyspace::{NEVER, Rules};
use crate::record::StreamId;
use crate::replay::args::{Args, integer};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::stream::id::{self, HIGHEST, LOWEST, id_reply};
use crate::replay::stream::{clock, entry_reply, is};

pub(super) fn xlen(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key] = args.exactly()?;
    let len = cx.stream(key)?.map_or(0, Stream::len);
    Ok(Reply::Int(len.cast_signed()))
}

pub(super) fn xrange(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key, from, to], rest) = args.first()?;
    range(cx, key, from, to, rest, false)
}

pub(super) fn xrevrange(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key, to, from], rest) = args.first()?;
    range(cx, key, from, to, rest, true)
}

fn range(
    cx: &mut Context<'_>,
    key: &[u8],
    from: &[u8],
    to: &[u8],
    rest: Args<'_>,
    back: bool,
) -> Outcome {
    let (from, to) = (id::range_start(from)?, id::range_end(to)?);
    let mut count = None;
    let mut options = rest.iter();
    while let Some(option) = options.next() {
        if is(option, "count")
            && let Some(text) = options.next()
        {
            count = match integer(text)? {
                // That is how servers say "all".
                -1 => Some(0),
                n => Some(u64::try_from(n).unwrap_or(0)),
            };
        } else {
            return Err(Rejection::syntax());
        }
    }
    let Some(stream) = cx.stream(key)? else {
        return Ok(Reply::Array(Vec::new()));
    };
    if count == Some(0) {
        return Ok(Reply::NilArray);
    }
    let most = count.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
    let entries = match back {
        false => stream
            .range(from, to)
            .take(most)
            .map(|entry| entry_reply(&entry))
            .collect(),
        true => stream
            .range_back(from, to)
            .take(most)
            .map(|entry| entry_reply(&entry))
            .collect(),
    };
    Ok(Reply::Array(entries))
}

/// What XREAD and XREADGROUP are asked.
struct Request<'a> {
    count: u64,
    no_ack: bool,
    wants_reply: bool,
    /// Group and consumer.
    group: Option<[&'a [u8]; 2]>,
    keys: &'a [&'a [u8]],
    ids: &'a [&'a [u8]],
}

impl<'a> Request<'a> {
    fn read(args: Args<'a>, grouped: bool) -> Result<Self, Rejection> {
        let (mut count, mut no_ack, mut group) = (0, false, None);
        let mut at = 0;
        let streams = loop {
            let Some(&option) = args.get(at) else {
                return Err(Rejection::syntax());
            };
            let more = args.len() - at - 1;
            if is(option, "block") && more > 0 {
                at += 1;
                // Who waits for entries while loading gets none.
                let timeout = integer(args.at(at)?).map_err(|_| {
                    Rejection::error("ERR timeout is not an integer or out of range")
                })?;
                if timeout < 0 {
                    return Err(Rejection::error("ERR timeout is negative"));
                }
            } else if is(option, "count") && more > 0 {
                at += 1;
                count = id::natural(args.at(at)?)?;
            } else if is(option, "streams") && more > 0 {
                break args.from(at + 1).slice();
            } else if is(option, "group") && more >= 2 {
                if !grouped {
                    return Err(Rejection::error(
                        "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
                    ));
                }
                group = Some([args.at(at + 1)?, args.at(at + 2)?]);
                at += 2;
            } else if is(option, "noack") {
                if !grouped {
                    return Err(Rejection::error(
                        "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
                    ));
                }
                no_ack = true;
            } else {
                return Err(Rejection::syntax());
            }
            at += 1;
        };
        if streams.len() % 2 != 0 {
            return Err(Rejection::error(
                "ERR Unbalanced list of streams: for each stream key an ID must be specified.",
            ));
        }
        if grouped && group.is_none() {
            return Err(Rejection::error("ERR Missing GROUP option for XREADGROUP"));
        }
        let (keys, ids) = streams
            .split_at_checked(streams.len() / 2)
            .unwrap_or_default();
        Ok(Request {
            count,
            no_ack,
            wants_reply: true,
            group,
            keys,
            ids,
        })
    }

    /// How many entries are told of a stream.
    fn most(&self) -> usize {
        match usize::try_from(self.count) {
            Ok(0) | Err(_) => usize::MAX,
            Ok(count) => count,
        }
    }
}

/// From where on a stream is read.
#[derive(Clone, Copy)]
enum From {
    /// Behind this ID.
    Behind(StreamId),
    /// What the group has not had.
    New,
}

pub(super) fn xread(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let request = Request::read(args, false)?;
    let mut starts = Vec::with_capacity(request.ids.len());
    for (key, text) in request.keys.iter().zip(request.ids) {
        let stream = cx.stream(key)?;
        let last = stream.map_or(LOWEST, Stream::last_id);
        starts.push(match text {
            [b'$'] | [b'$', 0, ..] => last,
            [b'+'] | [b'+', 0, ..] if cx.rules.since((7, 4), (8, 0)) => {
                // Redis 8.0 began to look for what is there, Valkey 9.1 to answer where nothing ever was.
                let newest = match cx.rules.since((8, 0), NEVER) {
                    true => stream.and_then(Stream::last_live).unwrap_or(last),
                    false => last,
                };
                match previous_id(newest) {
                    Some(id) => id,
                    None if stream.is_some() && !cx.rules.since((8, 0), (9, 1)) => {
                        return Err(Rejection::error("ERR the stream last element ID is 0-0"));
                    }
                    None => LOWEST,
                }
            }
            [b'>'] | [b'>', 0, ..] => {
                return Err(Rejection::error(
                    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
                ));
            }
            text => id::exact(text, 0)?,
        });
    }
    let mut answers = Vec::new();
    for (key, start) in request.keys.iter().zip(starts) {
        let Some(stream) = cx.stream(key)? else {
            continue;
        };
        if stream.last_live().is_some_and(|last| last > start) {
            let from = next_id(start).unwrap_or(HIGHEST);
            let entries = stream.range(from, HIGHEST).take(request.most());
            let entries = entries.map(|entry| entry_reply(&entry)).collect();
            answers.push(answer(key, entries));
        }
    }
    Ok(all(answers))
}

fn answer(key: &[u8], entries: Vec<Reply>) -> Reply {
    Reply::Array(vec![Reply::bulk(Some(key)), Reply::Array(entries)])
}

fn all(answers: Vec<Reply>) -> Reply {
    match answers.is_empty() {
        true => Reply::NilArray,
        false => Reply::Array(answers),
    }
}

pub(super) fn xreadgroup(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let mut request = Request::read(args, true)?;
    request.wants_reply = cx.wants_reply;
    let [group, consumer] = request.group.unwrap_or_default();
    let mut starts = Vec::with_capacity(request.ids.len());
    for (key, text) in request.keys.iter().zip(request.ids) {
        let stream = cx.stream(key)?;
        if stream.is_none_or(|stream| stream.group(group).is_none()) {
            return Err(Rejection::error(format!(
                "NOGROUP No such key '{}' or consumer group '{}' in XREADGROUP with GROUP option",
                String::from_utf8_lossy(key),
                String::from_utf8_lossy(group)
            )));
        }
        starts.push(match text {
            [b'$'] | [b'$', 0, ..] => {
                return Err(Rejection::error(
                    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
                ));
            }
            [b'>'] | [b'>', 0, ..] => From::New,
            text => match id::exact(text, 0)? {
                // The highest ID is how servers say ">".
                HIGHEST => From::New,
                id => From::Behind(id),
            },
        });
    }
    let (now, rules) = (clock(cx), cx.rules);
    let mut answers = Vec::new();
    for (key, start) in request.keys.iter().zip(starts) {
        let Some(stream) = cx.stream_mut(key)? else {
            continue;
        };
        let given = give(stream, rules, &request, group, consumer, start, now);
        answers.extend(given.map(|entries| answer(key, entries)));
    }
    Ok(all(answers))
}

/// Reads a stream for a consumer; none where there is nothing new.
fn give(
    stream: &mut Stream,
    rules: &Rules,
    request: &Request<'_>,
    group: &[u8],
    consumer: &[u8],
    start: From,
    now: i64,
) -> Option<Vec<Reply>> {
    let last = stream.last_live();
    let known = stream.group_mut(group)?;
    let has_new = last.is_some_and(|last| last > known.last_id);
    let serves = matches!(start, From::Behind(_)) || has_new;
    // Since Redis 7.2 the consumer is there, even if it gets nothing.
    if !serves && !rules.since((7, 2), (0, 0)) {
        return None;
    }
    let number = known.find_or_add(consumer, now, rules);
    known.consumer_mut(number)?.seen_at = now;
    match start {
        From::Behind(id) => Some(history(stream, request, group, number, id, now)),
        From::New if has_new => Some(deliver(stream, rules, request, group, number, now)),
        From::New => None,
    }
}

/// What is pending for the consumer behind an ID, delivered again.
fn history(
    stream: &mut Stream,
    request: &Request<'_>,
    group: &[u8],
    number: u32,
    start: StreamId,
    now: i64,
) -> Vec<Reply> {
    let from = next_id(start).unwrap_or(HIGHEST);
    let pending = stream.group(group).and_then(|it| it.consumer(number));
    let ids = pending.map(|consumer| consumer.pending().range(from..));
    let ids: Vec<StreamId> = ids
        .into_iter()
        .flatten()
        .take(request.most())
        .copied()
        .collect();
    let mut entries = Vec::new();
    for id in ids {
        let Some(entry) = stream.entry(id) else {
            if request.wants_reply {
                entries.push(Reply::Array(vec![id_reply(id), Reply::NilArray]));
            }
            continue;
        };
        if request.wants_reply {
            entries.push(entry_reply(&entry));
        }
        let group = stream.group_mut(group);
        if let Some(pending) = group.and_then(|group| group.pending_mut(id)) {
            pending.delivered_at = now;
            pending.deliveries = pending.deliveries.wrapping_add(1);
        }
    }
    entries
}

/// What the group has not had yet.
fn deliver(
    stream: &mut Stream,
    rules: &Rules,
    request: &Request<'_>,
    group: &[u8],
    number: u32,
    now: i64,
) -> Vec<Reply> {
    let Some(mut known) = stream.group_mut(group).map(std::mem::take) else {
        return Vec::new();
    };
    let before = known.last_id;
    let from = next_id(before).unwrap_or(HIGHEST);
    let counts = rules.since((7, 0), (0, 0));
    // The stream itself does not change, so the group is worked on apart.
    let mut entries = Vec::new();
    for entry in stream.range(from, HIGHEST).take(request.most()) {
        if entry.id > known.last_id {
            if counts {
                known.entries_read = stream.read_after(&known, entry.id, rules);
            }
            known.last_id = entry.id;
        }
        if request.wants_reply {
            entries.push(entry_reply(&entry));
        }
        if !request.no_ack {
            let pending = Pending {
                consumer: Some(number),
                delivered_at: now,
                deliveries: 1,
            };
            known.assign(entry.id, pending);
            let consumer = known.consumer_mut(number);
            if let Some(active_at) = consumer.and_then(|it| it.active_at.as_mut()) {
                *active_at = now;
            }
        }
    }
    let reached = std::mem::replace(&mut known.last_id, before);
    if let Some(place) = stream.group_mut(group) {
        *place = known;
    }
    stream.set_group_id(group, reached);
    entries
}
