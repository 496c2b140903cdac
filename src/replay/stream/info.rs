//! XPENDING, XINFO.

use crate::keyspace::stream::{Entry, Group, Pending, Stream};
use crate::record::StreamId;
use crate::replay::args::{Args, integer};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::stream::id::{self, HIGHEST, LOWEST, id_reply};
use crate::replay::stream::{clock, entry_reply, is, no_group, word};

/// Of what XINFO STREAM FULL tells, where nothing else is said.
const TOLD: u64 = 10;

pub(super) fn xpending(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key, group], rest) = args.first()?;
    let range = match rest.len() {
        0 => None,
        3..=6 => Some(Range::read(rest)?),
        _ => return Err(Rejection::syntax()),
    };
    let stream = cx.stream(key)?;
    let group = stream.and_then(|stream| stream.group(group));
    let group = group.ok_or_else(|| no_group(key, args.get(1).copied().unwrap_or_default()))?;
    Ok(match range {
        None => summary(group),
        Some(range) => range.reply(group, clock(cx)),
    })
}

fn summary(group: &Group) -> Reply {
    let pending = group.pending();
    let (Some((first, _)), Some((last, _))) = (pending.first_key_value(), pending.last_key_value())
    else {
        return Reply::Array(vec![Reply::Int(0), Reply::Nil, Reply::Nil, Reply::NilArray]);
    };
    let consumers = group.consumers().filter(|it| !it.pending().is_empty());
    let consumers = consumers.map(|consumer| {
        let count = consumer.pending().len().to_string();
        Reply::Array(vec![Reply::bulk(Some(&consumer.name)), word(&count)])
    });
    Reply::Array(vec![
        Reply::count(pending.len()),
        id_reply(*first),
        id_reply(*last),
        Reply::Array(consumers.collect()),
    ])
}

/// Pending entries that are asked for.
struct Range<'a> {
    idle: i64,
    from: StreamId,
    to: StreamId,
    count: u64,
    consumer: Option<&'a [u8]>,
}

impl<'a> Range<'a> {
    fn read(rest: Args<'a>) -> Result<Self, Rejection> {
        let (mut idle, mut at) = (0, 0);
        if is(rest.at(0)?, "idle") {
            idle = integer(rest.at(1)?)?;
            if rest.len() < 5 {
                return Err(Rejection::syntax());
            }
            at = 2;
        }
        Ok(Range {
            idle,
            count: id::natural(rest.at(at + 2)?)?,
            from: id::range_start(rest.at(at)?)?,
            to: id::range_end(rest.at(at + 1)?)?,
            consumer: rest.get(at + 3).copied(),
        })
    }

    fn reply(&self, group: &Group, now: i64) -> Reply {
        let consumer = match self.consumer.map(|name| group.find(name)) {
            None => None,
            Some(None) => return Reply::Array(Vec::new()),
            Some(number) => number,
        };
        if self.from > self.to {
            return Reply::Array(Vec::new());
        }
        let most = usize::try_from(self.count).unwrap_or(usize::MAX);
        let range = self.from..=self.to;
        let owned = consumer.and_then(|number| group.consumer(number));
        let entries = match owned {
            Some(owned) => {
                let ids = owned.pending().range(range);
                let known = ids.filter_map(|id| Some((id, group.pending().get(id)?)));
                self.told(group, known, now).take(most).collect()
            }
            None => {
                let known = group.pending().range(range);
                self.told(group, known, now).take(most).collect()
            }
        };
        Reply::Array(entries)
    }

    /// Those that were idle for long enough, as they are answered.
    fn told<'g>(
        &self,
        group: &'g Group,
        entries: impl Iterator<Item = (&'g StreamId, &'g Pending)>,
        now: i64,
    ) -> impl Iterator<Item = Reply> {
        let least = self.idle;
        entries.filter_map(move |(id, pending)| {
            let idle = now.wrapping_sub(pending.delivered_at);
            let name = pending.consumer.and_then(|it| group.consumer(it));
            (least == 0 || idle >= least).then(|| {
                Reply::Array(vec![
                    id_reply(*id),
                    Reply::bulk(name.map(|consumer| &*consumer.name)),
                    Reply::Int(idle.max(0)),
                    Reply::Int(pending.deliveries.cast_signed()),
                ])
            })
        })
    }
}

pub(super) fn xinfo(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [subcommand, rest @ ..] = args.slice() else {
        return Err(Rejection::syntax());
    };
    if is(subcommand, "help") {
        return Err(Rejection::unplayable("help is not given here"));
    }
    let [key, more @ ..] = rest else {
        return Err(misused());
    };
    let stream = cx.stream(key)?.ok_or_else(Rejection::no_such_key)?;
    if is(subcommand, "consumers")
        && let [group] = more
    {
        let found = stream.group(group).ok_or_else(|| {
            Rejection::error(format!(
                "NOGROUP No such consumer group '{}' for key name '{}'",
                String::from_utf8_lossy(group),
                String::from_utf8_lossy(key)
            ))
        })?;
        Ok(consumers(cx, found))
    } else if is(subcommand, "groups") && more.is_empty() {
        let groups = stream.groups();
        let groups = groups.map(|(name, group)| group_line(cx, stream, name, group));
        Ok(Reply::Array(groups.collect()))
    } else if is(subcommand, "stream") {
        match more {
            [] => Ok(about(cx, stream)),
            [full] if is(full, "full") => Ok(all_about(cx, stream, TOLD)),
            [full, count, number] if is(full, "full") && is(count, "count") => {
                let number = integer(number)?;
                let count = u64::try_from(number).unwrap_or(TOLD);
                Ok(all_about(cx, stream, count))
            }
            _ => Err(misused()),
        }
    } else {
        Err(misused())
    }
}

fn misused() -> Rejection {
    Rejection::error("ERR Unknown subcommand or wrong number of arguments. Try XINFO HELP.")
}

/// Names and values in turn, as RESP2 has them.
#[derive(Default)]
struct Map(Vec<Reply>);

impl Map {
    fn put(&mut self, name: &str, value: Reply) {
        self.0.push(word(name));
        self.0.push(value);
    }

    fn number(&mut self, name: &str, value: u64) {
        self.put(name, Reply::Int(value.cast_signed()));
    }

    fn id(&mut self, name: &str, id: StreamId) {
        self.put(name, id_reply(id));
    }

    fn reply(self) -> Reply {
        Reply::Array(self.0)
    }
}

/// Whether the server counts what a stream once had.
fn counts(cx: &Context<'_>) -> bool {
    cx.rules.since((7, 0), (0, 0))
}

fn counters(cx: &Context<'_>, stream: &Stream) -> Map {
    let mut map = Map::default();
    map.number("length", stream.len());
    map.number("radix-tree-keys", stream.nodes() as u64);
    map.number("radix-tree-nodes", stream.tree_nodes() as u64);
    map.id("last-generated-id", stream.last_id());
    if counts(cx) {
        map.id("max-deleted-entry-id", stream.max_deleted_id());
        map.number("entries-added", stream.entries_added());
        map.id("recorded-first-entry-id", stream.first_id());
    }
    map
}

fn about(cx: &Context<'_>, stream: &Stream) -> Reply {
    let mut map = counters(cx, stream);
    map.number("groups", stream.group_count() as u64);
    let reply = |entry: Option<Entry<'_>>| entry.map_or(Reply::Nil, |entry| entry_reply(&entry));
    let first = stream.range(LOWEST, HIGHEST).next();
    map.put("first-entry", reply(first));
    let last = stream.range_back(LOWEST, HIGHEST).next();
    map.put("last-entry", reply(last));
    map.reply()
}

fn all_about(cx: &Context<'_>, stream: &Stream, count: u64) -> Reply {
    let most = match usize::try_from(count) {
        Ok(0) | Err(_) => usize::MAX,
        Ok(count) => count,
    };
    let mut map = counters(cx, stream);
    let entries = stream.range(LOWEST, HIGHEST).take(most);
    let entries = entries.map(|entry| entry_reply(&entry)).collect();
    map.put("entries", Reply::Array(entries));
    let groups = stream.groups();
    let groups = groups.map(|(name, group)| all_about_group(cx, stream, name, group, most));
    map.put("groups", Reply::Array(groups.collect()));
    map.reply()
}

fn read_and_lag(cx: &Context<'_>, stream: &Stream, group: &Group, map: &mut Map) {
    if counts(cx) {
        let number = |n: Option<i64>| n.map_or(Reply::Nil, Reply::Int);
        let read = group.entries_read.map(u64::cast_signed);
        map.put("entries-read", number(read));
        map.put("lag", number(stream.lag(group, cx.rules)));
    }
}

fn all_about_group(
    cx: &Context<'_>,
    stream: &Stream,
    name: &[u8],
    group: &Group,
    most: usize,
) -> Reply {
    let mut map = Map::default();
    map.put("name", Reply::bulk(Some(name)));
    map.id("last-delivered-id", group.last_id);
    read_and_lag(cx, stream, group, &mut map);
    map.number("pel-count", group.pending().len() as u64);
    let pending = group.pending().iter().take(most).map(|(id, pending)| {
        let consumer = pending.consumer.and_then(|it| group.consumer(it));
        Reply::Array(vec![
            id_reply(*id),
            Reply::bulk(consumer.map(|consumer| &*consumer.name)),
            Reply::Int(pending.delivered_at),
            Reply::Int(pending.deliveries.cast_signed()),
        ])
    });
    map.put("pending", Reply::Array(pending.collect()));
    let consumers = group.consumers().map(|consumer| {
        let mut map = Map::default();
        map.put("name", Reply::bulk(Some(&consumer.name)));
        map.put("seen-time", Reply::Int(consumer.seen_at));
        if let Some(active_at) = consumer.active_at {
            map.put("active-time", Reply::Int(active_at));
        }
        map.number("pel-count", consumer.pending().len() as u64);
        let pending = consumer.pending().iter().take(most).map(|id| {
            let known = group.pending().get(id);
            Reply::Array(vec![
                id_reply(*id),
                Reply::Int(known.map_or(0, |it| it.delivered_at)),
                Reply::Int(known.map_or(0, |it| it.deliveries.cast_signed())),
            ])
        });
        map.put("pending", Reply::Array(pending.collect()));
        map.reply()
    });
    map.put("consumers", Reply::Array(consumers.collect()));
    map.reply()
}

fn consumers(cx: &Context<'_>, group: &Group) -> Reply {
    let now = clock(cx);
    let consumers = group.consumers().map(|consumer| {
        let mut map = Map::default();
        map.put("name", Reply::bulk(Some(&consumer.name)));
        map.number("pending", consumer.pending().len() as u64);
        let idle = now.wrapping_sub(consumer.seen_at).max(0);
        map.put("idle", Reply::Int(idle));
        if let Some(active_at) = consumer.active_at {
            let inactive = match active_at {
                -1 => -1,
                at => now.wrapping_sub(at),
            };
            map.put("inactive", Reply::Int(inactive));
        }
        map.reply()
    });
    Reply::Array(consumers.collect())
}

fn group_line(cx: &Context<'_>, stream: &Stream, name: &[u8], group: &Group) -> Reply {
    let mut map = Map::default();
    map.put("name", Reply::bulk(Some(name)));
    map.number("consumers", group.consumers().len() as u64);
    map.number("pending", group.pending().len() as u64);
    map.id("last-delivered-id", group.last_id);
    read_and_lag(cx, stream, group, &mut map);
    map.reply()
}
