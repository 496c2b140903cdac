//! `redis.call` and `redis.pcall`: commands that a script runs.

use std::cell::RefCell;

use mlua::{Lua, MultiValue, Value};

use super::host::{Bytes, Run, bytes_of, machine};
use super::number::write_g;
use super::values::{Shape, from_reply};
use crate::bytes::number::{IntText, ScoreText, integer_score, write_double};
use crate::command::{self, CommandSpec, Flag, Resolved, Signature};
use crate::replay::args::is;
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Reason, Rejection, Reply};
use crate::replay::table;

/// What the commands of one run of a script work on.
pub(super) struct Session<'a, 'c, 'k> {
    pub(super) run: &'a Run,
    pub(super) modern: bool,
    pub(super) read_only: bool,
    pub(super) cx: RefCell<&'c mut Context<'k>>,
}

/// Why a command of a script was not done.
enum Refused {
    /// The script may not call it: the server's words without a code.
    Here(String),
    /// It was called, and refused.
    There(Rejection),
}

/// Runs a command for a script: true and its answer, or false and a table with the error.
pub(super) fn perform(
    lua: &Lua,
    session: &Session<'_, '_, '_>,
    args: MultiValue,
) -> mlua::Result<(bool, Value)> {
    let mut cx = session.cx.borrow_mut();
    let mut shape = Shape::Plain;
    let outcome = words(&cx, &args).and_then(|words| {
        let args: Vec<&[u8]> = words.iter().map(|word| &**word).collect();
        session.call(&mut cx, &args, &mut shape)
    });
    let run = session.run;
    match outcome {
        Ok(reply) => {
            let resp3 = run.resp3.get().then_some(shape);
            let value = from_reply(lua, reply, resp3);
            Ok((true, value.map_err(|error| run.end(machine(&error)))?))
        }
        Err(refused) => {
            let (text, counted) = match refused {
                Refused::Here(text) => match session.modern {
                    true => (format!("ERR {text}"), true),
                    false => (format!("{}: {text}", place(lua)), false),
                },
                Refused::There(why) => match why.reason() {
                    Reason::Error(text) => (text.to_string(), true),
                    _ => return Err(run.end(why)),
                },
            };
            let table = lua.create_table()?;
            table.raw_set("err", text)?;
            if session.modern && counted {
                table.raw_set("ignore_error_stats_update", true)?;
            }
            Ok((false, Value::Table(table)))
        }
    }
}

/// Where the script is: the function of the host is at 0, what calls it for the script at 1.
pub(super) fn place(lua: &Lua) -> String {
    let place = lua.inspect_stack(2, |debug| {
        let source = debug.source().source.map(|source| source.into_owned());
        (source, debug.current_line())
    });
    match place {
        Some((Some(source), Some(line))) => format!("{source}: {line}"),
        Some((Some(source), None)) if source == "=[C]" => format!("{source}: -1"),
        // A tail call leaves no trace; most scripts are one line.
        _ => "@user_script: 1".to_owned(),
    }
}

/// The arguments of a command.
fn words(cx: &Context<'_>, args: &MultiValue) -> Result<Vec<Bytes>, Refused> {
    let rules = cx.rules;
    let modern = rules.since((7, 0), (0, 0));
    if args.is_empty() {
        return Err(Refused::Here(
            match (rules.is_valkey(), modern) {
                (true, _) => "Please specify at least one argument for this call",
                (_, true) => "Please specify at least one argument for this redis lib call",
                _ => "Please specify at least one argument for redis.call()",
            }
            .to_owned(),
        ));
    }
    let shortest = rules.since((7, 2), (0, 0));
    let word = |value: &Value| match value {
        Value::Integer(n) => Some(Bytes::Own(number(*n as f64, shortest))),
        Value::Number(n) => Some(Bytes::Own(number(*n, shortest))),
        other => bytes_of(other),
    };
    let words: Option<Vec<Bytes>> = args.iter().map(word).collect();
    words.ok_or_else(|| {
        Refused::Here(
            match (rules.is_valkey(), modern) {
                (true, _) => "Command arguments must be strings or integers",
                (_, true) => "Lua redis lib command arguments must be strings or integers",
                _ => "Lua redis() command arguments must be strings or integers",
            }
            .to_owned(),
        )
    })
}

/// A number as an argument.
fn number(value: f64, shortest: bool) -> Vec<u8> {
    if !shortest {
        let mut text = Vec::new();
        write_g(&mut text, value, 17);
        return text;
    }
    if let Some(integer) = integer_score(value) {
        return IntText::new(integer).to_vec();
    }
    let mut text = Vec::new();
    if value.is_nan() && value.is_sign_negative() {
        text.push(b'-');
    }
    write_double(&mut text, value, ScoreText::Grisu2);
    text
}

impl Session<'_, '_, '_> {
    /// Whether the script itself is logged, not what it does.
    fn is_verbatim(&self) -> bool {
        !self.modern && !self.run.effects.get()
    }

    fn call(
        &self,
        cx: &mut Context<'_>,
        args: &[&[u8]],
        shape: &mut Shape,
    ) -> Result<Reply, Refused> {
        let (spec, signature) = self.find(cx, args)?;
        self.allow(cx, spec.name(), signature, args)?;
        *shape = shape_of(spec.name(), args);
        let reply = match outside(cx, spec, args) {
            Some(outcome) => outcome,
            None => crate::replay::call(cx, args),
        };
        if let Err(why) = &reply
            && matches!(why.reason(), Reason::Unplayable(_))
            && signature.flags.has(Flag::Random)
            && !signature.flags.has(Flag::Write)
            && self.is_verbatim()
            && self.run.written.get()
        {
            // Every write from here on is refused, whatever the answer is.
            self.run.settled.set(true);
        }
        let reply = reply.map_err(Refused::There)?;
        let sorted = signature.flags.has(Flag::SortForScript);
        Ok(match reply {
            Reply::Array(items) if sorted && self.is_verbatim() => Reply::Array(sort(items)),
            other => other,
        })
    }

    fn find(
        &self,
        cx: &Context<'_>,
        args: &[&[u8]],
    ) -> Result<(&'static CommandSpec, &'static Signature), Refused> {
        let valkey = cx.rules.is_valkey();
        let unknown = || {
            Refused::Here(
                match (self.modern, valkey) {
                    (false, _) => "Unknown Redis command called from Lua script",
                    (true, false) => "Unknown Redis command called from script",
                    (true, true) => "Unknown command called from script",
                }
                .to_owned(),
            )
        };
        let (name, rest) = args.split_first().ok_or_else(unknown)?;
        let spec = command::lookup(name).ok_or_else(unknown)?;
        match spec.resolve(rest.first().copied(), cx.rules.like) {
            Resolved::UnknownCommand | Resolved::UnknownSubcommand => Err(unknown()),
            Resolved::Known(_, signature) if !signature.accepts(args.len() as u64) => {
                Err(Refused::Here(
                    match (self.modern, valkey) {
                        (false, _) => "Wrong number of args calling Redis command From Lua script",
                        (true, false) => "Wrong number of args calling Redis command from script",
                        (true, true) => "Wrong number of args calling command from script",
                    }
                    .to_owned(),
                ))
            }
            Resolved::Known(_, signature) => Ok((spec, signature)),
        }
    }

    /// Whether the script may call this command now.
    fn allow(
        &self,
        cx: &Context<'_>,
        name: &str,
        signature: &Signature,
        args: &[&[u8]],
    ) -> Result<(), Refused> {
        let refused = |why: &str| Err(Refused::Here(why.to_owned()));
        let has = |flag| signature.flags.has(flag);
        if has(Flag::NoScript) {
            return refused(match self.modern {
                true if cx.rules.is_valkey() && cx.rules.since((7, 0), (9, 0)) => {
                    "This Valkey command is not allowed from script"
                }
                true => "This Redis command is not allowed from script",
                false => "This Redis command is not allowed from scripts",
            });
        }
        // Servers since 7.0 do not tell this of the commands.
        let replicates = matches!(name, "pfcount" | "publish" | "spublish");
        if self.read_only && (has(Flag::Write) || has(Flag::MayReplicate) || replicates) {
            return refused("Write commands are not allowed from read-only scripts.");
        }
        let before_streams = args.iter().take_while(|arg| !is(arg, "streams"));
        if matches!(name, "xread" | "xreadgroup")
            && !cx.rules.since((7, 2), (0, 0))
            && before_streams.skip(1).any(|arg| is(arg, "block"))
        {
            let text = format!("ERR {name} command is not allowed with BLOCK option from scripts");
            return Err(Refused::There(Rejection::error(text)));
        }
        if has(Flag::Write) && self.is_verbatim() && self.run.random_read.get() {
            return refused(
                "Write commands not allowed after non deterministic commands. Call \
                 redis.replicate_commands() at the start of your script in order to switch to \
                 single commands replication mode.",
            );
        }
        if has(Flag::Random) {
            self.run.random_read.set(true);
        }
        if has(Flag::Write) {
            self.run.written.set(true);
        }
        Ok(())
    }
}

/// A command without a handler that has nothing to do with keys: scripts do call these.
fn outside(cx: &Context<'_>, spec: &CommandSpec, args: &[&[u8]]) -> Option<Outcome> {
    if table::row(spec.index()).is_some() {
        return None;
    }
    Some(match (spec.name(), args) {
        // While it loads, a server has no clients that could have subscribed.
        ("publish" | "spublish", _) => Ok(Reply::Int(0)),
        ("ping", [_]) => Ok(Reply::Status("PONG")),
        ("ping" | "echo", [_, text]) => Ok(Reply::Bulk(text.to_vec())),
        ("time", _) => match cx.time {
            Some(ms) => {
                let text = |n: i64| Reply::Bulk(n.to_string().into_bytes());
                let micros = ms.rem_euclid(1000) * 1000;
                Ok(Reply::Array(vec![text(ms.div_euclid(1000)), text(micros)]))
            }
            None => Err(Rejection::unplayable(
                "a script asks for the time, which is not known",
            )),
        },
        _ => return None,
    })
}

/// Sorts an answer as verbatim replication needs it: by bytes, what is missing first.
fn sort(mut items: Vec<Reply>) -> Vec<Reply> {
    let key = |reply: &Reply| match reply {
        Reply::Bulk(text) => text.clone(),
        _ => Vec::new(),
    };
    items.sort_by_cached_key(key);
    items
}

/// How the answer of a command looks in RESP3.
fn shape_of(name: &str, args: &[&[u8]]) -> Shape {
    let has = |word: &str| {
        args.iter()
            .any(|arg| arg.eq_ignore_ascii_case(word.as_bytes()))
    };
    match name {
        "hgetall" => Shape::Map,
        "smembers" | "sinter" | "sunion" | "sdiff" => Shape::Set,
        "spop" if args.len() > 2 => Shape::Set,
        "zscore" | "zincrby" | "zmscore" | "geopos" => Shape::Double,
        "zadd" if has("incr") => Shape::Double,
        "zpopmin" | "zpopmax" if args.len() == 2 => Shape::Popped,
        "zpopmin" | "zpopmax" => Shape::Scores,
        "zrange" | "zrevrange" | "zrangebyscore" | "zrevrangebyscore" | "zinter" | "zunion"
        | "zdiff"
            if has("withscores") =>
        {
            Shape::Scores
        }
        "hrandfield" if has("withvalues") => Shape::Pairs,
        "xread" | "xreadgroup" => Shape::Streams,
        _ => Shape::Plain,
    }
}
