//! XCLAIM, XAUTOCLAIM.

use crate::keyspace::stream::{Pending, Stream};
use crate::record::StreamId;
use crate::replay::args::{Args, integer};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::stream::id::{self, LOWEST, id_reply};
use crate::replay::stream::{clock, entry_reply, is, stream_with_group};

/// Pending entries that XAUTOCLAIM looks at for one that it may give.
const ATTEMPTS: i64 = 10;
/// Entries that it gives where nothing else is said.
const CLAIMED: i64 = 100;

/// How an entry is given to a consumer.
struct Claim<'a> {
    consumer: &'a [u8],
    /// For so long the entry must have been idle.
    idle: i64,
    /// What the server takes for now.
    now: i64,
    delivered_at: i64,
    deliveries: Option<u64>,
    just_id: bool,
    /// Entries that are not pending are made so.
    force: bool,
}

pub(super) fn xclaim(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key, group, consumer, idle], rest) = args.first()?;
    let now = clock(cx);
    stream_with_group(cx, key, group)?;
    let idle = integer(idle)
        .map_err(|_| Rejection::error("ERR Invalid min-idle-time argument for XCLAIM"))?;
    let ids = rest.iter().map_while(|text| id::exact(text, 0).ok());
    let ids: Vec<StreamId> = ids.collect();
    let mut claim = Claim {
        consumer,
        idle: idle.max(0),
        now,
        delivered_at: -1,
        deliveries: None,
        just_id: false,
        force: false,
    };
    let mut last_id = LOWEST;
    let mut options = rest.iter().skip(ids.len());
    while let Some(option) = options.next() {
        if is(option, "force") {
            claim.force = true;
        } else if is(option, "justid") {
            claim.just_id = true;
        } else if is(option, "idle")
            && let Some(text) = options.next()
        {
            let ms = integer(text)
                .map_err(|_| Rejection::error("ERR Invalid IDLE option argument for XCLAIM"))?;
            claim.delivered_at = now.wrapping_sub(ms);
        } else if is(option, "time")
            && let Some(text) = options.next()
        {
            claim.delivered_at = integer(text)
                .map_err(|_| Rejection::error("ERR Invalid TIME option argument for XCLAIM"))?;
        } else if is(option, "retrycount")
            && let Some(text) = options.next()
        {
            let count = integer(text).map_err(|_| {
                Rejection::error("ERR Invalid RETRYCOUNT option argument for XCLAIM")
            })?;
            claim.deliveries = u64::try_from(count).ok();
        } else if is(option, "lastid")
            && let Some(text) = options.next()
        {
            last_id = id::exact(text, 0)?;
        } else {
            return Err(Rejection::error(format!(
                "ERR Unrecognized XCLAIM option '{}'",
                String::from_utf8_lossy(option)
            )));
        }
    }
    // A delivery cannot be in the future of the server that loads the log; the time of the command
    // in the log is known to the second alone, and is not held against it.
    let latest = cx.rules.now.unwrap_or(i64::MAX);
    if claim.delivered_at < 0 || claim.delivered_at > latest {
        claim.delivered_at = now;
    }
    needs_clock(cx, claim.idle)?;
    let wants_reply = cx.wants_reply;
    let (stream, rules) = stream_with_group(cx, key, group)?;
    if stream.group(group).is_some_and(|it| it.last_id < last_id) {
        stream.set_group_id(group, last_id);
    }
    if let Some(group) = stream.group_mut(group) {
        // Since Redis 7.2 the consumer is there, even if it gets nothing.
        if rules.since((7, 2), (0, 0)) {
            let number = group.find_or_add(consumer, now, rules);
            if let Some(consumer) = group.consumer_mut(number) {
                consumer.seen_at = now;
            }
        }
    }
    let mut claimed = Vec::new();
    for id in ids {
        let was_claimed = match stream.contains(id, group) {
            true => claim.take(stream, group, id, rules),
            // Since Redis 7 what is gone is not pending.
            false if rules.since((7, 0), (0, 0)) => {
                if let Some(group) = stream.group_mut(group) {
                    group.settle(id);
                }
                false
            }
            false => {
                let pending = stream.group(group).map(|group| group.pending());
                pending.is_some_and(|pending| pending.contains_key(&id))
                    && claim.take(stream, group, id, rules)
            }
        };
        if was_claimed && wants_reply {
            claimed.push(claim.reply(stream, id));
        }
    }
    Ok(Reply::Array(claimed))
}

impl Claim<'_> {
    /// Gives an entry to the consumer; false where it was not idle for long enough, or is not
    /// pending.
    fn take(
        &self,
        stream: &mut Stream,
        group: &[u8],
        id: StreamId,
        rules: &crate::keyspace::Rules,
    ) -> bool {
        let Some(group) = stream.group_mut(group) else {
            return false;
        };
        let pending = match group.pending().get(&id) {
            Some(pending) => {
                let idle = self.now.wrapping_sub(pending.delivered_at);
                if pending.consumer.is_some() && self.idle > 0 && idle < self.idle {
                    return false;
                }
                *pending
            }
            None if self.force => Pending {
                consumer: None,
                delivered_at: self.now,
                deliveries: 1,
            },
            None => return false,
        };
        let number = group.find_or_add(self.consumer, self.now, rules);
        if let Some(consumer) = group.consumer_mut(number) {
            consumer.seen_at = self.now;
            if let Some(active_at) = &mut consumer.active_at {
                *active_at = self.now;
            }
        }
        let deliveries = self.deliveries.unwrap_or(match self.just_id {
            true => pending.deliveries,
            false => pending.deliveries.wrapping_add(1),
        });
        let pending = Pending {
            consumer: Some(number),
            delivered_at: self.delivered_at,
            deliveries,
        };
        group.assign(id, pending);
        true
    }

    fn reply(&self, stream: &Stream, id: StreamId) -> Reply {
        match stream.entry(id) {
            _ if self.just_id => id_reply(id),
            Some(entry) => entry_reply(&entry),
            None => Reply::Nil,
        }
    }
}

/// How long an entry was idle cannot be said without the time.
fn needs_clock(cx: &Context<'_>, idle: i64) -> Result<(), Rejection> {
    match cx.time {
        None if idle > 0 => Err(Rejection::unplayable(
            "depends on the clock, and nothing tells the time",
        )),
        _ => Ok(()),
    }
}

pub(super) fn xautoclaim(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key, group, consumer, idle, start], rest) = args.first()?;
    let idle = integer(idle)
        .map_err(|_| Rejection::error("ERR Invalid min-idle-time argument for XAUTOCLAIM"))?
        .max(0);
    let start = id::range_start(start)?;
    let (mut count, mut just_id) = (CLAIMED, false);
    // The largest count is bounded since Redis 7.
    let most = match cx.rules.since((7, 0), (0, 0)) {
        true => i64::MAX / 16,
        false => i64::MAX,
    };
    let mut options = rest.iter();
    while let Some(option) = options.next() {
        if is(option, "count")
            && let Some(text) = options.next()
        {
            count = integer(text)
                .ok()
                .filter(|n| (1..=most).contains(n))
                .ok_or_else(|| Rejection::error("ERR COUNT must be > 0"))?;
        } else if is(option, "justid") {
            just_id = true;
        } else {
            return Err(Rejection::syntax());
        }
    }
    let now = clock(cx);
    stream_with_group(cx, key, group)?;
    needs_clock(cx, idle)?;
    let wants_reply = cx.wants_reply;
    let (stream, rules) = stream_with_group(cx, key, group)?;
    let claim = Claim {
        consumer,
        idle,
        now,
        delivered_at: now,
        deliveries: None,
        just_id,
        force: false,
    };
    if rules.since((7, 2), (0, 0))
        && let Some(group) = stream.group_mut(group)
    {
        let number = group.find_or_add(consumer, now, rules);
        if let Some(consumer) = group.consumer_mut(number) {
            consumer.seen_at = now;
        }
    }
    let drops = rules.since((7, 0), (0, 0));
    let (mut claimed, mut dropped) = (Vec::new(), Vec::new());
    let mut attempts = count.wrapping_mul(ATTEMPTS);
    let mut next = Some(start);
    let found = |stream: &Stream, from: StreamId| {
        let pending = stream.group(group)?.pending();
        pending.range(from..).next().map(|(id, _)| *id)
    };
    while attempts != 0 && count > 0 {
        attempts -= 1;
        let Some(id) = next.and_then(|from| found(stream, from)) else {
            next = None;
            break;
        };
        next = crate::keyspace::stream::next_id(id);
        if drops && !stream.contains(id, group) {
            if let Some(group) = stream.group_mut(group) {
                group.settle(id);
            }
            dropped.push(id);
            count -= 1;
        } else if claim.take(stream, group, id, rules) {
            if wants_reply {
                claimed.push(claim.reply(stream, id));
            }
            count -= 1;
        }
    }
    let next = next.and_then(|from| found(stream, from)).unwrap_or(LOWEST);
    let mut reply = vec![id_reply(next), Reply::Array(claimed)];
    if drops {
        reply.push(Reply::Array(dropped.into_iter().map(id_reply).collect()));
    }
    Ok(Reply::Array(reply))
}
