//! Commands on HyperLogLogs, which are strings.

mod registers;

use crate::keyspace::{Text, Value};
use crate::replay::args::{Args, is};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::table::Row;
use registers::{Behind, Corrupt, HyperLogLog, Registers};

/// The commands of this file, sorted by name.
pub(super) const TABLE: &[Row] = &[
    Row::one("pfadd", pfadd),
    Row::one_alone("pfcount", pfcount),
    Row::many("pfdebug", pfdebug),
    Row::many("pfmerge", pfmerge),
    Row::read("pfselftest", |_, _| Ok(Reply::OK)),
];

impl From<Corrupt> for Rejection {
    fn from(_: Corrupt) -> Self {
        Rejection::error("INVALIDOBJ Corrupted HLL object detected")
    }
}

/// The bytes of a HyperLogLog at a key.
fn at_key<'a>(cx: &'a Context<'_>, key: &[u8]) -> Result<Option<&'a [u8]>, Rejection> {
    match cx.string(key)? {
        None => Ok(None),
        Some(text) if registers::is_one(text) => Ok(Some(text)),
        Some(_) => Err(Rejection::error(
            "WRONGTYPE Key is not a valid HyperLogLog string value.",
        )),
    }
}

fn behind(cx: &Context<'_>) -> Behind {
    match cx.rules.since((7, 0), (0, 0)) {
        true => Behind::Refused,
        false => Behind::Ignored,
    }
}

/// Changes the HyperLogLog at a key, which is made where there is none: `change` is
/// told.
fn change<T>(
    cx: &mut Context<'_>,
    key: &[u8],
    change: impl FnOnce(&mut HyperLogLog, bool) -> T,
) -> Result<T, Rejection> {
    let there = at_key(cx, key)?.is_some();
    let (longest, behind) = (cx.rules.hll_sparse, behind(cx));
    if !there {
        let mut new = HyperLogLog::new(longest, behind);
        let result = change(&mut new, true);
        cx.put(key, Value::String(Text::from(new.into_bytes())), None);
        return Ok(result);
    }
    let text = cx.string_or_new(key)?;
    let mut changed = HyperLogLog::over(std::mem::take(text).into_vec(), longest, behind);
    let result = change(&mut changed, false);
    *text = Text::from(changed.into_bytes());
    Ok(result)
}

fn pfadd(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([key], elements) = args.first()?;
    let changed = change(cx, key, |hll, new| {
        let mut changed = new;
        for element in elements.iter() {
            changed |= hll.add(element)?;
        }
        if changed {
            hll.forget_count();
        }
        Ok::<bool, Corrupt>(changed)
    })??;
    Ok(Reply::Int(i64::from(changed)))
}

fn pfcount(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if let &[key] = args.slice() {
        let Some(bytes) = at_key(cx, key)? else {
            return Ok(Reply::Int(0));
        };
        if let Some(count) = registers::known_count(bytes) {
            return Ok(Reply::Int(count as i64));
        }
        let count = registers::count(bytes)?;
        let text = cx.string_or_new(key)?;
        registers::put_count(text.as_mut_bytes(), count);
        return Ok(Reply::Int(count as i64));
    }
    let mut all = Registers::new(behind(cx));
    for key in args.iter() {
        if let Some(bytes) = at_key(cx, key)? {
            all.merge(bytes)?;
        }
    }
    Ok(Reply::Int(all.count() as i64))
}

fn pfmerge(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = args.at(0)?;
    let (mut all, mut dense) = (Registers::new(behind(cx)), false);
    for key in args.iter() {
        if let Some(bytes) = at_key(cx, key)? {
            dense |= registers::is_dense(bytes);
            all.merge(bytes)?;
        }
    }
    change(cx, key, |hll, _| {
        if dense {
            hll.make_dense()?;
        }
        for (index, value) in all.iter() {
            // What is not whole was found when it was merged.
            hll.raise(index, value)?;
        }
        hll.forget_count();
        Ok::<(), Corrupt>(())
    })??;
    Ok(Reply::OK)
}

fn pfdebug(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([word, key], _) = args.first()?;
    // Whether the processor is used well; it changes no result.
    if is(word, "simd") && cx.rules.since((8, 0), (8, 1)) {
        return match (is(key, "on"), is(key, "off")) {
            (true, _) => Ok(Reply::Status("enabled")),
            (_, true) => Ok(Reply::Status("disabled")),
            _ => Err(Rejection::error("ERR Argument must be ON or OFF")),
        };
    }
    let Some(bytes) = at_key(cx, key)? else {
        let text = "ERR The specified key does not exist";
        return Err(Rejection::error(text));
    };
    if args.len() != 2 {
        let text = "ERR Wrong number of arguments for the subcommand";
        return Err(Rejection::error(text));
    }
    let dense = registers::is_dense(bytes);
    if is(word, "encoding") {
        return Ok(Reply::Status(if dense { "dense" } else { "sparse" }));
    }
    if is(word, "decode") {
        if dense {
            return Err(Rejection::error("ERR HLL encoding is not sparse"));
        }
        return Ok(Reply::Bulk(registers::told(bytes).into_bytes()));
    }
    let registers = is(word, "getreg");
    if !registers && !is(word, "todense") {
        let text = format!(
            "ERR Unknown PFDEBUG subcommand '{}'",
            String::from_utf8_lossy(word)
        );
        return Err(Rejection::error(text));
    }
    if !dense {
        change(cx, key, |hll, _| hll.make_dense())??;
    }
    if !registers {
        return Ok(Reply::Int(i64::from(!dense)));
    }
    let mut all = Registers::new(behind(cx));
    if let Some(bytes) = at_key(cx, key)? {
        all.merge(bytes)?;
    }
    let values = all.values().map(|value| Reply::Int(i64::from(value)));
    Ok(Reply::Array(values.collect()))
}
