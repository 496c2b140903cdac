//! Where keys are: other names, copies, other databases, none.

use crate::keyspace::Value;
use crate::keyspace::module::Module;
use crate::record::DataType;
use crate::replay::args::{Args, integer, is};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};

pub(super) fn rename(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    renamed(cx, args, false).map(|_| Reply::OK)
}

pub(super) fn renamenx(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let done = renamed(cx, args, true)?;
    Ok(Reply::Int(i64::from(done)))
}

fn renamed(cx: &mut Context<'_>, args: Args<'_>, only_new: bool) -> Result<bool, Rejection> {
    let [from, to] = args.exactly()?;
    if !cx.exists(from) {
        return Err(Rejection::no_such_key());
    }
    if from == to || only_new && cx.exists(to) {
        return Ok(false);
    }
    if let Some(slot) = cx.remove(from) {
        let expires_at = slot.expires_at();
        cx.put(to, slot.value, expires_at);
    }
    Ok(true)
}

pub(super) fn copy(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([from, to], mut rest) = args.first()?;
    let (mut db, mut replace) = (cx.db, false);
    while let Some(word) = rest.slice().first() {
        if is(word, "replace") {
            replace = true;
            rest = rest.from(1);
        } else if is(word, "db") {
            db = database(cx, rest.at(1)?)?;
            rest = rest.from(2);
        } else {
            return Err(Rejection::syntax());
        }
    }
    if db == cx.db && from == to {
        return Err(same_object());
    }
    let Some(slot) = cx.slot(from) else {
        return Ok(Reply::Int(0));
    };
    if cx.slot_in(db, to).is_some() && !replace {
        return Ok(Reply::Int(0));
    }
    if slot.value.data_type() == DataType::Module
        && let Value::Module(module) = cx.ready(&slot.value)
    {
        return Err(match **module {
            Module::Vectors(_) => Rejection::error("ERR not supported for this module key"),
            _ => Rejection::unplayable("whether its value can be copied is a module's to say"),
        });
    }
    cx.claim(slot.value.heap() as u64)?;
    let (value, expires_at) = (slot.value.clone(), slot.expires_at());
    cx.put_in(db, to, value, expires_at);
    Ok(Reply::Int(1))
}

pub(super) fn move_key(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [key, db] = args.exactly()?;
    let db = database(cx, db)?;
    if db == cx.db {
        return Err(same_object());
    }
    if !cx.exists(key) || cx.slot_in(db, key).is_some() {
        return Ok(Reply::Int(0));
    }
    if let Some(slot) = cx.remove(key) {
        let expires_at = slot.expires_at();
        cx.put_in(db, key, slot.value, expires_at);
    }
    Ok(Reply::Int(1))
}

pub(super) fn swapdb(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [one, other] = args.exactly()?;
    let number = |text, which: &str| {
        let number = integer(text).ok().and_then(|n| i32::try_from(n).ok());
        number.ok_or_else(|| Rejection::error(format!("ERR invalid {which} DB index")))
    };
    let (one, other) = (number(one, "first")?, number(other, "second")?);
    let (one, other) = (known(cx, one)?, known(cx, other)?);
    if one != other {
        cx.swap(one, other);
    }
    Ok(Reply::OK)
}

pub(super) fn flushdb(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    flush_mode(args)?;
    cx.flush(cx.db);
    Ok(Reply::OK)
}

pub(super) fn flushall(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    flush_mode(args)?;
    cx.flush_all();
    Ok(Reply::OK)
}

fn flush_mode(args: Args<'_>) -> Result<(), Rejection> {
    match args.slice() {
        [] => Ok(()),
        [mode] if is(mode, "sync") || is(mode, "async") => Ok(()),
        _ => Err(Rejection::syntax()),
    }
}

/// A database that there is, by its number.
fn database(cx: &Context<'_>, text: &[u8]) -> Result<u32, Rejection> {
    let number = i32::try_from(integer(text)?).map_err(|_| {
        Rejection::error("ERR value is out of range, value must between -2147483648 and 2147483647")
    })?;
    known(cx, number)
}

fn known(cx: &Context<'_>, number: i32) -> Result<u32, Rejection> {
    u32::try_from(number)
        .ok()
        .filter(|&db| db < cx.rules.databases)
        .ok_or_else(|| Rejection::error("ERR DB index is out of range"))
}

fn same_object() -> Rejection {
    Rejection::error("ERR source and destination objects are the same")
}
