//! Replay: the write commands of a log, run over a keyspace as a server runs them while it loads.
//!
//! A handler is a function of keys, arguments, rules and time ([`Context`]). It reads no clock,
//! draws no random number, prints nothing; what a server would answer with an error is a
//! [`Rejection`], to which the [`Player`] puts place and number.

mod args;
mod bitmap;
mod context;
mod crew;
mod function;
mod geo;
mod hash;
mod hyperloglog;
mod keys;
mod list;
mod memory;
mod player;
mod reply;
mod script;
mod server;
mod set;
mod sort;
mod stream;
mod string;
mod table;
mod vector;
mod zset;

pub use context::Context;
pub use memory::Memory;
pub use player::{Note, Played, Player, Refused, Stopped, Why, play};
pub use reply::{Outcome, Reason, Rejection, Reply};
pub use script::Scripts;

use crate::command::{self, Resolved};
use args::Args;

/// Runs one command as a server does live, for a script or a test: whatever it touches, with its
/// answer where [`Context::wants_reply`] asks for one.
///
/// # Errors
/// What the server answers with an error, an unknown name and a wrong number of arguments included.
pub fn call(cx: &mut Context<'_>, args: &[&[u8]]) -> Outcome {
    let unknown = || Rejection::error("ERR unknown command");
    let (name, rest) = args.split_first().ok_or_else(unknown)?;
    let spec = command::lookup(name).ok_or_else(unknown)?;
    match spec.resolve(rest.first().copied(), cx.rules.like) {
        Resolved::UnknownCommand => return Err(unknown()),
        Resolved::UnknownSubcommand => return Err(Rejection::error("ERR unknown subcommand")),
        Resolved::Known(name, signature) if !signature.accepts(args.len() as u64) => {
            let text = format!("ERR wrong number of arguments for '{name}' command");
            return Err(Rejection::error(text));
        }
        Resolved::Known(..) => {}
    }
    match table::row(spec.index()) {
        Some(row) => (row.apply)(cx, Args::new(rest)),
        None => Err(Rejection::unplayable("has no handler")),
    }
}
