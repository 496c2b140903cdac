//! Commands that concern the server, not a key.
//!
//! Most of them leave the keys as they are and have no row: in a log they are passed over.

use crate::replay::args::{Args, integer, is};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::table::Row;

/// The commands of this file, sorted by name.
pub(super) const TABLE: &[Row] = &[
    Row::many("config", config),
    Row::many("debug", debug),
    Row::read("echo", echo),
    Row::read("ping", ping),
    Row::read("publish", publish),
    Row::many("select", select),
    Row::read("spublish", publish),
    Row::read("time", time),
];

fn select(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [db] = args.exactly()?;
    let db = match integer(db) {
        Ok(db) => db,
        Err(_) if cx.rules.since((6, 2), (0, 0)) => return Err(Rejection::not_an_integer()),
        Err(_) => return Err(Rejection::error("ERR invalid DB index")),
    };
    match u32::try_from(db) {
        Ok(db) if db < cx.rules.databases => {
            cx.db = db;
            Ok(Reply::OK)
        }
        _ => Err(Rejection::error("ERR DB index is out of range")),
    }
}

/// A setting may change how later commands work; no server logs this.
fn config(_: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match is(args.at(0)?, "set") {
        true => Err(Rejection::unplayable("changes a setting of the server")),
        false => Ok(Reply::OK),
    }
}

/// Those that change keys, or end the server; no server logs this.
fn debug(_: &mut Context<'_>, args: Args<'_>) -> Outcome {
    const ENDS: &[&str] = &[
        "assert",
        "crash-and-recover",
        "oom",
        "panic",
        "restart",
        "segfault",
    ];
    let word = args.at(0)?;
    if is(word, "populate") {
        return Err(Rejection::unplayable("makes keys for a test"));
    }
    if ENDS.iter().any(|name| is(word, name)) {
        return Err(Rejection::crash("it is told to"));
    }
    Ok(Reply::OK)
}

fn ping(_: &mut Context<'_>, args: Args<'_>) -> Outcome {
    match args.slice() {
        [] => Ok(Reply::Status("PONG")),
        [text] => Ok(Reply::bulk(Some(text))),
        _ => Err(Rejection::error(
            "ERR wrong number of arguments for 'ping' command",
        )),
    }
}

fn echo(_: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [text] = args.exactly()?;
    Ok(Reply::bulk(Some(text)))
}

/// Nobody listens while a server loads.
fn publish(_: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [_, _] = args.exactly()?;
    Ok(Reply::Int(0))
}

fn time(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [] = args.exactly()?;
    let Some(ms) = cx.time else {
        return Err(Rejection::unplayable("asks for a time that is not known"));
    };
    let text = |n: i64| Reply::Bulk(n.to_string().into_bytes());
    Ok(Reply::Array(vec![
        text(ms.div_euclid(1000)),
        text(ms.rem_euclid(1000) * 1000),
    ]))
}
