//! Commands that concern the server, not a key.

use crate::replay::args::{Args, integer};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::table::Row;

/// The commands of this file, sorted by name.
pub(super) const TABLE: &[Row] = &[Row::many("select", select)];

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
