//! What the table `redis` has beside its calls, and the servers' random numbers.

use std::rc::Rc;

use mlua::{Lua, Table, Value};

use super::calls::place;
use super::digest;
use super::host::{Arguments, Fail, Given, Run, bytes_of, function, number_of, one};
use crate::command;
use crate::keyspace::Rules;

/// The numbers and texts of the table.
pub(super) fn constants(lua: &Lua, rules: &Rules) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let levels = ["LOG_DEBUG", "LOG_VERBOSE", "LOG_NOTICE", "LOG_WARNING"];
    for (level, name) in levels.into_iter().enumerate() {
        table.raw_set(name, level)?;
    }
    for (name, flags) in [
        ("REPL_NONE", 0),
        ("REPL_AOF", 1),
        ("REPL_SLAVE", 2),
        ("REPL_REPLICA", 2),
        ("REPL_ALL", 3),
    ] {
        table.raw_set(name, flags)?;
    }
    if !rules.since((7, 0), (0, 0)) {
        return Ok(table);
    }
    let (major, minor) = rules.like.version();
    // A log does not tell the patch: it is that of the servers that were asked.
    let patch = match (rules.is_valkey(), major, minor) {
        (false, 7, 0) => 15,
        (false, 8, 2) => 3,
        (true, 8, 1) => 8,
        (true, 9, 1) => 2,
        _ => 0,
    };
    let own = (major, minor, patch);
    let text = |(a, b, c): (u8, u8, u8)| format!("{a}.{b}.{c}");
    let number = |(a, b, c): (u8, u8, u8)| u32::from_be_bytes([0, a, b, c]);
    let redis = if rules.is_valkey() { (7, 2, 4) } else { own };
    table.raw_set("REDIS_VERSION", text(redis))?;
    table.raw_set("REDIS_VERSION_NUM", number(redis))?;
    if rules.is_valkey() {
        table.raw_set("SERVER_NAME", "valkey")?;
        table.raw_set("VALKEY_VERSION", text(own))?;
        table.raw_set("VALKEY_VERSION_NUM", number(own))?;
    }
    Ok(table)
}

/// Its functions whose errors have no place.
pub(super) fn open(lua: &Lua, run: &Rc<Run>, rules: &Rules) -> mlua::Result<Table> {
    let modern = rules.since((7, 0), (0, 0));
    let newer = rules.since((7, 2), (0, 0));
    let prefix = if rules.is_valkey() { "server" } else { "redis" };
    let table = lua.create_table()?;
    let add = |name: &str, f: fn(&Lua, &Run, &Arguments, &Ways) -> Given| {
        let (inner, ways) = (
            Rc::clone(run),
            Ways {
                modern,
                newer,
                prefix,
            },
        );
        let f = function(lua, run, move |lua, args| f(lua, &inner, &args, &ways));
        table.raw_set(name, f?)
    };
    add("sha1hex", |lua, _, args, ways| {
        let [value] = args.0.as_slice() else {
            return Err(ways.error(lua, "wrong number of arguments")?);
        };
        let digest = bytes_of(value).map_or_else(|| digest(b""), |text| digest(&text));
        one(lua, lua.create_string(digest)?)
    })?;
    add("error_reply", |lua, _, args, ways| {
        match args.0.as_slice() {
            [Value::String(text)] => {
                let text = text.as_bytes();
                let text = match ways.modern {
                    true => coded(&text),
                    false => text.to_vec(),
                };
                single(lua, "err", &text)
            }
            _ => ways.wrong_type(lua),
        }
    })?;
    add("status_reply", |lua, _, args, ways| {
        match args.0.as_slice() {
            [Value::String(text)] => single(lua, "ok", &text.as_bytes()),
            _ => ways.wrong_type(lua),
        }
    })?;
    add("log", |lua, _, args, ways| {
        if args.len() < 2 {
            let why = format!("{}.log() requires two arguments or more.", ways.prefix);
            return Err(ways.error(lua, &why)?);
        }
        let Some(level) = args.get(1).and_then(number_of) else {
            return Err(ways.error(lua, "First argument must be a number (log level).")?);
        };
        if !(0.0..4.0).contains(&level.trunc()) {
            let what = if ways.newer { "log" } else { "debug" };
            return Err(ways.error(lua, &format!("Invalid {what} level."))?);
        }
        Ok(Vec::new())
    })?;
    add("setresp", |lua, run, args, ways| {
        let [value] = args.0.as_slice() else {
            let why = format!("{}.setresp() requires one argument.", ways.prefix);
            return Err(ways.error(lua, &why)?);
        };
        match number_of(value).map(f64::trunc) {
            Some(2.0) => run.resp3.set(false),
            Some(3.0) => run.resp3.set(true),
            _ => return Err(ways.error(lua, "RESP version must be 2 or 3.")?),
        }
        Ok(Vec::new())
    })?;
    add("set_repl", |lua, run, args, ways| {
        if !ways.modern && !run.effects.get() {
            let why = "You can set the replication behavior only after turning on single commands \
                       replication with redis.replicate_commands().";
            return Err(ways.error(lua, why)?);
        }
        let [value] = args.0.as_slice() else {
            let count = if ways.newer {
                "one argument"
            } else {
                "two arguments"
            };
            let why = format!("{}.set_repl() requires {count}.", ways.prefix);
            return Err(ways.error(lua, &why)?);
        };
        if !(0.0..4.0).contains(&number_of(value).unwrap_or(0.0).trunc()) {
            let why =
                "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.";
            return Err(ways.error(lua, why)?);
        }
        Ok(Vec::new())
    })?;
    add("replicate_commands", |lua, run, _, ways| {
        let switched = ways.modern || !run.written.get();
        run.effects.set(run.effects.get() || switched);
        one(lua, switched)
    })?;
    if modern {
        add("acl_check_cmd", |lua, _, args, ways| {
            let name = args.get(1).and_then(bytes_of);
            match name.is_some_and(|name| command::lookup(&name).is_some()) {
                true => one(lua, true),
                false => {
                    let why = format!("Invalid command passed to {}.acl_check_cmd()", ways.prefix);
                    Err(ways.error(lua, &why)?)
                }
            }
        })?;
    }
    Ok(table)
}

/// How a server tells errors of these functions.
struct Ways {
    /// Since 7.0.
    modern: bool,
    /// Since 7.2.
    newer: bool,
    prefix: &'static str,
}

impl Ways {
    fn error(&self, lua: &Lua, text: &str) -> Result<Fail, Fail> {
        if !self.modern {
            return Ok(Fail::text(text));
        }
        let table = lua.create_table()?;
        table.raw_set("err", format!("ERR {text}"))?;
        Ok(Fail::Raise(Value::Table(table)))
    }

    /// What `error_reply` and `status_reply` give for anything but one string.
    fn wrong_type(&self, lua: &Lua) -> Given {
        let why = "wrong number or type of arguments";
        let text = match self.modern {
            true => format!("ERR {why}"),
            false => format!("{}: {why}", place(lua)),
        };
        single(lua, "err", text.as_bytes())
    }
}

fn single(lua: &Lua, field: &str, text: &[u8]) -> Given {
    let table = lua.create_table()?;
    table.raw_set(field, lua.create_string(text)?)?;
    one(lua, table)
}

/// An error with a code, as servers since 7.0 make one of a text: its first word, but of a text of
/// one word.
fn coded(text: &[u8]) -> Vec<u8> {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let ended = text.iter().position(|b| *b == 0).unwrap_or(text.len());
    let text = text.get(..ended).unwrap_or(text);
    let trim = |text: &[u8]| {
        let cut = |b: &u8| !matches!(b, b'\r' | b'\n');
        let start = text.iter().position(cut).unwrap_or(text.len());
        let end = text.iter().rposition(cut).map_or(start, |at| at + 1);
        text.get(start..end).unwrap_or_default().to_vec()
    };
    match memchr::memchr(b' ', text) {
        Some(at) => {
            let (code, rest) = text.split_at(at);
            [code, b" ", &trim(rest.get(1..).unwrap_or_default())].concat()
        }
        None => [b"ERR ", trim(text).as_slice()].concat(),
    }
}

/// Adds `random` and `randomseed`: a linear generator of 48 bits of which the upper 31 are given,
/// the same on every machine.
pub(super) fn random(lua: &Lua, run: &Rc<Run>, host: &Table) -> mlua::Result<()> {
    let inner = Rc::clone(run);
    let draw = function(lua, run, move |lua, args| {
        const MOST: u64 = i32::MAX as u64;
        let state = inner.random.get();
        let state = state.wrapping_mul(0x5_deec_e66d).wrapping_add(0xb) & ((1 << 48) - 1);
        inner.random.set(state);
        let r = ((state >> 17) % MOST) as f64 / MOST as f64;
        let limit = |n: usize| args.integer(n, "random").map(|n| n as i32);
        let empty = |n| Fail::argument(n, "random", "interval is empty");
        match args.len() {
            0 => one(lua, r),
            1 => match limit(1)? {
                ..1 => Err(empty(1)),
                upper => one(lua, (r * f64::from(upper)).floor() + 1.0),
            },
            2 => {
                let (lower, upper) = (limit(1)?, limit(2)?);
                if lower > upper {
                    return Err(empty(2));
                }
                let size = upper.wrapping_sub(lower).wrapping_add(1);
                one(lua, (r * f64::from(size)).floor() + f64::from(lower))
            }
            _ => Err(Fail::text("wrong number of arguments")),
        }
    })?;
    host.raw_set("random", draw)?;
    let inner = Rc::clone(run);
    let seed = function(lua, run, move |_, args| {
        let seed = args.integer(1, "randomseed")? as i32;
        inner
            .random
            .set(u64::from(seed.cast_unsigned()) << 16 | super::host::SEED);
        Ok(Vec::new())
    })?;
    host.raw_set("randomseed", seed)
}
