//! Commands on keys of any type: expiry, names, copies, whole databases.

mod expiry;
mod place;
mod read;
mod restore;

use crate::record::slot;
use crate::replay::args::{Args, integer, is};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::table::Row;

pub(super) use restore::opened;

/// The commands of this file, sorted by name.
pub(super) const TABLE: &[Row] = &[
    Row::many("cluster", cluster),
    Row::many("copy", place::copy),
    Row::read("dbsize", read::dbsize),
    Row::each("del", del),
    Row::read("dump", read::dump),
    Row::read("exists", read::exists),
    Row::one("expire", expiry::expire),
    Row::one("expireat", expiry::expireat),
    Row::read("expiretime", expiry::expiretime),
    Row::many("flushall", place::flushall),
    Row::many("flushdb", place::flushdb),
    Row::read("keys", read::keys),
    Row::many("migrate", migrate),
    Row::many("move", place::move_key),
    Row::read("object", read::object),
    Row::one("persist", expiry::persist),
    Row::one("pexpire", expiry::pexpire),
    Row::one("pexpireat", expiry::pexpireat),
    Row::read("pexpiretime", expiry::pexpiretime),
    Row::read("pttl", expiry::pttl),
    Row::read("randomkey", read::randomkey),
    Row::many("rename", place::rename),
    Row::many("renamenx", place::renamenx),
    Row::one("restore", restore::restore),
    Row::one("restore-asking", restore::restore),
    Row::read("scan", read::scan),
    Row::many("swapdb", place::swapdb),
    Row::read("touch", read::exists),
    Row::read("ttl", expiry::ttl),
    Row::read("type", read::type_of),
    Row::each("unlink", del),
];

fn del(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let gone = args.iter().filter(|key| cx.remove(key).is_some());
    Ok(Reply::count(gone.count()))
}

/// Keys go to another server: one that finds this in a log does it anew. What servers log of it is a `DEL`
/// or `UNLINK`.
fn migrate(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([_, _, key, db, timeout], mut rest) = args.first()?;
    let (mut copies, mut keys) = (false, std::slice::from_ref(&key));
    while let Some(word) = rest.slice().first() {
        let words = match word {
            word if is(word, "copy") => {
                copies = true;
                1
            }
            word if is(word, "replace") => 1,
            word if is(word, "auth") && rest.len() > 1 => 2,
            word if is(word, "auth2") && rest.len() > 2 => 3,
            word if is(word, "keys") && key.is_empty() => {
                keys = rest.from(1).slice();
                rest.len()
            }
            word if is(word, "keys") => {
                return Err(Rejection::error(
                    "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string",
                ));
            }
            _ => return Err(Rejection::syntax()),
        };
        rest = rest.from(words);
    }
    integer(timeout)?;
    integer(db)?;
    if !keys.iter().any(|key| cx.exists(key)) {
        return Ok(Reply::Status("NOKEY"));
    }
    if copies && !cx.wants_reply {
        return Ok(Reply::OK);
    }
    Err(Rejection::unplayable("moves keys to another server"))
}

/// What a log has of it: FLUSHSLOT of Valkey 9.1. All else says nothing about keys.
fn cluster(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([word], rest) = args.first()?;
    if !is(word, "flushslot") {
        return Ok(Reply::OK);
    }
    let ([wanted], rest) = rest.first()?;
    let wanted = integer(wanted)
        .ok()
        .and_then(|n| u16::try_from(n).ok())
        .filter(|&n| n < slot::SLOTS)
        .ok_or_else(|| Rejection::error("ERR Invalid or out of range slot"))?;
    match rest.slice() {
        [] => {}
        [mode] if is(mode, "sync") || is(mode, "async") => {}
        _ => return Err(Rejection::error("ERR Wrong arguments")),
    }
    let keys = cx.keys(0).map(|key| key.name());
    let keys: Vec<Vec<u8>> = keys
        .filter(|key| slot::of_key(key) == wanted)
        .map(<[u8]>::to_vec)
        .collect();
    for key in keys {
        cx.remove_in(0, &key);
    }
    Ok(Reply::OK)
}
