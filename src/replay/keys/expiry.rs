//! When keys expire. While it loads, a server lets no key go because its time has passed.

use crate::keyspace::Slot;
use crate::replay::args::{Args, integer, is};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};

/// Stands in a server for no expiry, so that a key that gets this time is one without.
const NO_EXPIRY: i64 = -1;

pub(super) fn expire(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    set(cx, args, 1000, true, "expire")
}

pub(super) fn pexpire(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    set(cx, args, 1, true, "pexpire")
}

pub(super) fn expireat(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    set(cx, args, 1000, false, "expireat")
}

pub(super) fn pexpireat(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    set(cx, args, 1, false, "pexpireat")
}

/// Whether the key gets its new expiry.
#[derive(Clone, Copy, Default)]
struct Conditions {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Conditions {
    fn read(words: Args<'_>) -> Result<Self, Rejection> {
        let mut all = Conditions::default();
        for word in words.iter() {
            match word {
                word if is(word, "nx") => all.nx = true,
                word if is(word, "xx") => all.xx = true,
                word if is(word, "gt") => all.gt = true,
                word if is(word, "lt") => all.lt = true,
                _ => return Err(Rejection::error("ERR Unsupported option")),
            }
        }
        if all.nx && (all.xx || all.gt || all.lt) {
            return Err(Rejection::error(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if all.gt && all.lt {
            return Err(Rejection::error(
                "ERR GT and LT options at the same time are not compatible",
            ));
        }
        Ok(all)
    }

    fn allow(self, old: Option<i64>, new: i64) -> bool {
        match old {
            None => !self.xx && !self.gt,
            Some(old) => !(self.nx || self.gt && new <= old || self.lt && new >= old),
        }
    }
}

fn set(cx: &mut Context<'_>, args: Args<'_>, unit: i64, relative: bool, name: &str) -> Outcome {
    let ([key, time], words) = args.first()?;
    let conditions = Conditions::read(words)?;
    let number = integer(time)?;
    let base = if relative { cx.time.unwrap_or(0) } else { 0 };
    let time = match cx.rules.since((7, 0), (0, 0)) {
        true => number.checked_mul(unit).and_then(|ms| ms.checked_add(base)),
        false => wrapped(number, unit, base),
    };
    let time = time
        .ok_or_else(|| Rejection::error(format!("ERR invalid expire time in '{name}' command")))?;
    if !cx.exists(key) || relative && cx.from_now(0).is_none() {
        return Ok(Reply::Int(0));
    }
    let Some(slot) = cx.slot_mut(key) else {
        return Ok(Reply::Int(0));
    };
    if !conditions.allow(slot.expires_at(), time) {
        return Ok(Reply::Int(0));
    }
    slot.set_expiry(Some(time).filter(|&time| time != NO_EXPIRY));
    Ok(Reply::Int(1))
}

/// The time as 6.2 reckons it, which does not notice all that is too large.
fn wrapped(number: i64, unit: i64, base: i64) -> Option<i64> {
    let time = number.wrapping_mul(unit).wrapping_add(base);
    let wrong = match number < 0 {
        true => time.wrapping_sub(base) > 0,
        false => time < 0,
    };
    (!wrong).then_some(time)
}

pub(super) fn persist(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key] = args.exactly()?;
    match cx.slot_mut(key) {
        Some(slot) if slot.expires_at().is_some() => {
            slot.set_expiry(None);
            Ok(Reply::Int(1))
        }
        _ => Ok(Reply::Int(0)),
    }
}

pub(super) fn ttl(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell(cx, args, 1000, true)
}

pub(super) fn pttl(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell(cx, args, 1, true)
}

pub(super) fn expiretime(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell(cx, args, 1000, false)
}

pub(super) fn pexpiretime(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    tell(cx, args, 1, false)
}

fn tell(cx: &mut Context<'_>, args: Args<'_>, unit: i64, relative: bool) -> Outcome {
    let [key] = args.exactly()?;
    let Some(slot) = cx.slot(key) else {
        return Ok(Reply::Int(-2));
    };
    let Some(time) = Slot::expires_at(slot) else {
        return Ok(Reply::Int(NO_EXPIRY));
    };
    let ms = match cx.time.or(cx.rules.now).filter(|_| relative) {
        Some(now) => time.saturating_sub(now).max(0),
        None => time,
    };
    // To the nearest second.
    let told = (i128::from(ms) + i128::from(unit / 2)) / i128::from(unit);
    Ok(Reply::Int(i64::try_from(told).unwrap_or(i64::MAX)))
}
