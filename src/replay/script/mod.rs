//! Scripts that old logs hold as they were called, and functions of libraries.
//!
//! A server that replicates scripts verbatim logs EVAL and EVALSHA; whoever loads the log has to
//! run them. The world that a script sees is that of the server that is followed: [`vm`] makes it
//! with the Lua crate, for which this folder is the only door. Without the cargo feature `lua`
//! these commands cannot be played, and say so.

#[cfg(feature = "lua")]
mod bits;
#[cfg(feature = "lua")]
mod calls;
#[cfg(feature = "lua")]
mod host;
#[cfg(feature = "lua")]
mod json;
#[cfg(feature = "lua")]
mod library;
#[cfg(feature = "lua")]
mod msgpack;
#[cfg(feature = "lua")]
mod number;
#[cfg(feature = "lua")]
mod pattern;
#[cfg(feature = "lua")]
mod redis;
#[cfg(feature = "lua")]
mod strings;
#[cfg(feature = "lua")]
mod structs;
#[cfg(all(test, feature = "lua"))]
mod tests;
#[cfg(feature = "lua")]
mod values;
#[cfg(feature = "lua")]
mod vm;

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use sha1::{Digest as _, Sha1};

use crate::replay::args::{Args, integer, is};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};
use crate::replay::table::Row;

/// The commands of this file, sorted by name.
pub(super) const TABLE: &[Row] = &[
    Row::many("eval", eval),
    Row::many("eval_ro", eval_ro),
    Row::many("evalsha", evalsha),
    Row::many("evalsha_ro", evalsha_ro),
    Row::many("fcall", fcall),
    Row::many("fcall_ro", fcall_ro),
    Row::many("script", script),
];

/// Sources of function libraries by name.
type Libraries = BTreeMap<Vec<u8>, Vec<u8>>;

/// The digest of a script, in lower case letters.
type Digest = [u8; 40];

/// The scripts that were called or loaded, by digest, and the machine that runs them.
#[derive(Default)]
pub struct Scripts {
    known: HashMap<Digest, Script>,
    #[cfg_attr(not(feature = "lua"), allow(dead_code))]
    random: Random,
    #[cfg(feature = "lua")]
    vm: Option<Box<vm::Vm>>,
    #[cfg(feature = "lua")]
    functions: Option<Box<library::Functions>>,
}

impl fmt::Debug for Scripts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut known: Vec<_> = self.known.keys().map(|key| key.escape_ascii()).collect();
        known.sort_by_key(ToString::to_string);
        write!(f, "Scripts({} of them)", known.len())
    }
}

/// The state of a server's random numbers, which only scripts draw.
///
/// Old servers start each script with the same; since 7.0 they go on from one to the next, and from
/// the start of the server.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "lua"), allow(dead_code))]
struct Random(u64);

impl Default for Random {
    fn default() -> Self {
        Random(0x1234_abcd_330e)
    }
}

/// A script that was called or loaded.
#[derive(Clone, Debug)]
struct Script {
    /// As it was given.
    body: Box<[u8]>,
    /// Bytes of its first line, where that tells an engine and flags.
    shebang: usize,
    /// It has such a line.
    declared: bool,
    /// That line says that it does not write.
    no_writes: bool,
}

/// One call of a script.
#[cfg_attr(not(feature = "lua"), allow(dead_code))]
struct Call<'a> {
    digest: Digest,
    keys: &'a [&'a [u8]],
    args: &'a [&'a [u8]],
    read_only: bool,
}

fn eval(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    by_body(cx, args, false)
}

fn eval_ro(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    by_body(cx, args, true)
}

fn evalsha(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    by_digest(cx, args, false)
}

fn evalsha_ro(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    by_digest(cx, args, true)
}

fn fcall(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    by_name(cx, args, false)
}

fn fcall_ro(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    by_name(cx, args, true)
}

#[cfg(feature = "lua")]
fn by_name(cx: &mut Context<'_>, args: Args<'_>, read_only: bool) -> Outcome {
    let ([name, count], rest) = args.first()?;
    if rest.is_empty() && integer(count).is_err() {
        return Err(Rejection::error("ERR Bad number of keys provided"));
    }
    let [keys, args] = keys_and_args(args)?;
    let call = library::Fcall {
        name,
        keys,
        args,
        read_only,
    };
    with_functions(cx, |cx, functions, sources| {
        functions.call(cx, sources, &call)
    })
}

#[cfg(not(feature = "lua"))]
fn by_name(_: &mut Context<'_>, _: Args<'_>, _: bool) -> Outcome {
    Err(without_lua())
}

/// Loads function libraries beside those that are kept.
///
/// # Errors
/// What a server refuses one of them with.
#[cfg(feature = "lua")]
pub(super) fn load_libraries(
    cx: &mut Context<'_>,
    kept: &Libraries,
    new: &Libraries,
) -> Result<(), Rejection> {
    let loaded = with_functions(cx, |cx, functions, _| {
        functions.add(cx, kept, new)?;
        Ok(Reply::OK)
    });
    loaded.map(drop)
}

/// Without Lua it is not known which functions a library has: it is taken as it is.
#[cfg(not(feature = "lua"))]
pub(super) fn load_libraries(
    _: &mut Context<'_>,
    _: &Libraries,
    _: &Libraries,
) -> Result<(), Rejection> {
    Ok(())
}

/// Does something with the libraries that run and the rest of a context apart.
#[cfg(feature = "lua")]
fn with_functions(
    cx: &mut Context<'_>,
    act: impl FnOnce(&mut Context<'_>, &mut library::Functions, &Libraries) -> Outcome,
) -> Outcome {
    with_scripts(cx, |cx, scripts| {
        let mut functions = match scripts.functions.take() {
            Some(functions) => functions,
            None => Box::new(library::Functions::new(cx, scripts.random)?),
        };
        functions.vm().set_random(scripts.random);
        // While a function runs nothing can change the libraries: it may not call FUNCTION.
        let sources = cx.functions.take();
        let none = Libraries::new();
        let outcome = act(cx, &mut functions, sources.as_deref().unwrap_or(&none));
        cx.functions = sources;
        scripts.random = functions.vm().random();
        if !functions.vm().is_broken() {
            scripts.functions = Some(functions);
        }
        outcome
    })
}

fn by_body(cx: &mut Context<'_>, args: Args<'_>, read_only: bool) -> Outcome {
    let ([body], _) = args.first()?;
    let [keys, args] = keys_and_args(args)?;
    let digest = digest(body);
    with_scripts(cx, |cx, scripts| {
        scripts.learn(cx, digest, body)?;
        scripts.run(
            cx,
            &Call {
                digest,
                keys,
                args,
                read_only,
            },
        )
    })
}

fn by_digest(cx: &mut Context<'_>, args: Args<'_>, read_only: bool) -> Outcome {
    let missing = || Rejection::error("NOSCRIPT No matching script. Please use EVAL.");
    let ([name], _) = args.first()?;
    let mut digest = Digest::try_from(name).map_err(|_| missing())?;
    digest.make_ascii_lowercase();
    let [keys, args] = keys_and_args(args)?;
    with_scripts(cx, |cx, scripts| {
        if !scripts.known.contains_key(&digest) {
            return Err(missing());
        }
        scripts.run(
            cx,
            &Call {
                digest,
                keys,
                args,
                read_only,
            },
        )
    })
}

/// The keys and the other arguments of EVAL and the like: the second one says how many are keys.
fn keys_and_args(args: Args<'_>) -> Result<[&[&[u8]]; 2], Rejection> {
    let ([_, count], rest) = args.first()?;
    let count = integer(count)?;
    if count > rest.len() as i64 {
        let why = "ERR Number of keys can't be greater than number of args";
        return Err(Rejection::error(why));
    }
    let Ok(count) = usize::try_from(count) else {
        return Err(Rejection::error("ERR Number of keys can't be negative"));
    };
    Ok([rest.until(count).slice(), rest.from(count).slice()])
}

/// Does something with the scripts and the rest of a context apart.
fn with_scripts(
    cx: &mut Context<'_>,
    act: impl FnOnce(&mut Context<'_>, &mut Scripts) -> Outcome,
) -> Outcome {
    let Some(scripts) = cx.scripts.take() else {
        return Err(Rejection::unplayable("scripts are not known here"));
    };
    let outcome = act(cx, scripts);
    cx.scripts = Some(scripts);
    outcome
}

fn script(cx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let ([what], rest) = args.first()?;
    match *rest {
        [body] if is(what, "load") => with_scripts(cx, |cx, scripts| {
            let digest = digest(body);
            scripts.learn(cx, digest, body)?;
            Ok(Reply::Bulk(digest.to_vec()))
        }),
        [] if is(what, "flush") => flush(cx),
        [how] if is(what, "flush") && (is(how, "sync") || is(how, "async")) => flush(cx),
        [..] if is(what, "flush") => Err(Rejection::error(
            "ERR SCRIPT FLUSH only support SYNC|ASYNC option",
        )),
        [..] if is(what, "exists") => exists(cx, rest),
        [name] if is(what, "show") => with_scripts(cx, |_, scripts| {
            let found = lower(name).and_then(|digest| scripts.known.get(&digest));
            let found = found
                .ok_or_else(|| Rejection::error("NOSCRIPT No matching script. Please use EVAL."))?;
            Ok(Reply::Bulk(found.body.to_vec()))
        }),
        [] if is(what, "kill") => Err(Rejection::error(
            "NOTBUSY No scripts in execution right now.",
        )),
        [_] if is(what, "debug") => Ok(Reply::OK),
        [] if is(what, "help") => Ok(Reply::Array(Vec::new())),
        _ => Err(Rejection::error(
            "ERR Unknown subcommand or wrong number of arguments. Try SCRIPT HELP.",
        )),
    }
}

fn flush(cx: &mut Context<'_>) -> Outcome {
    with_scripts(cx, |_, scripts| {
        *scripts = Scripts {
            random: scripts.random,
            #[cfg(feature = "lua")]
            functions: scripts.functions.take(),
            ..Scripts::default()
        };
        Ok(Reply::OK)
    })
}

fn exists(cx: &mut Context<'_>, names: Args<'_>) -> Outcome {
    with_scripts(cx, |_, scripts| {
        let known =
            |name: &&[u8]| lower(name).is_some_and(|digest| scripts.known.contains_key(&digest));
        let found = names.iter().map(|name| Reply::Int(i64::from(known(name))));
        Ok(Reply::Array(found.collect()))
    })
}

fn lower(name: &[u8]) -> Option<Digest> {
    let mut digest = Digest::try_from(name).ok()?;
    digest.make_ascii_lowercase();
    Some(digest)
}

/// The digest by which servers know a script, and that `redis.sha1hex` gives.
fn digest(text: &[u8]) -> Digest {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let sum = Sha1::digest(text);
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or(b'0');
    let mut digest = [0; 40];
    for (pair, byte) in digest.as_chunks_mut::<2>().0.iter_mut().zip(sum) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
    digest
}

impl Scripts {
    /// Takes a script in, which compiles it.
    fn learn(&mut self, cx: &Context<'_>, digest: Digest, body: &[u8]) -> Result<(), Rejection> {
        if self.known.contains_key(&digest) {
            return Ok(());
        }
        let script = Script::new(body, cx.rules.since((7, 0), (0, 0)))?;
        cx.claim(body.len() as u64 + 256)?;
        self.compile(cx, digest, &script)?;
        self.known.insert(digest, script);
        Ok(())
    }

    #[cfg(feature = "lua")]
    fn compile(
        &mut self,
        cx: &Context<'_>,
        digest: Digest,
        script: &Script,
    ) -> Result<(), Rejection> {
        let vm = vm::Vm::of(&mut self.vm, cx.rules, self.random)?;
        vm.compile(digest, script).map(drop)
    }

    /// Runs a known script.
    #[cfg(feature = "lua")]
    fn run(&mut self, cx: &mut Context<'_>, call: &Call<'_>) -> Outcome {
        let Some(script) = self.known.get(&call.digest) else {
            return Err(Rejection::unplayable("a script is not known"));
        };
        let writes = script.declared && !script.no_writes;
        if call.read_only && writes {
            return Err(Rejection::error(
                "ERR Can not execute a script with write flag using *_ro command.",
            ));
        }
        let read_only = call.read_only || script.no_writes;
        let vm = vm::Vm::of(&mut self.vm, cx.rules, self.random)?;
        vm.set_random(self.random);
        let outcome = vm.run(cx, script, call, read_only);
        self.random = vm.random();
        if vm.is_broken() {
            // What a limit cut off may be half done, and holds its memory.
            self.vm = None;
        }
        outcome
    }

    #[cfg(not(feature = "lua"))]
    fn compile(&mut self, _: &Context<'_>, _: Digest, _: &Script) -> Result<(), Rejection> {
        Err(without_lua())
    }

    #[cfg(not(feature = "lua"))]
    fn run(&mut self, _: &mut Context<'_>, _: &Call<'_>) -> Outcome {
        Err(without_lua())
    }
}

#[cfg(not(feature = "lua"))]
fn without_lua() -> Rejection {
    Rejection::unplayable("scripts need the cargo feature `lua`, without which this was built")
}

/// Flags that a first line may tell.
const FLAGS: &[&str] = &[
    "no-writes",
    "allow-oom",
    "allow-stale",
    "no-cluster",
    "allow-cross-slot-keys",
];

impl Script {
    fn new(body: &[u8], modern: bool) -> Result<Script, Rejection> {
        let mut script = Script {
            body: body.into(),
            shebang: 0,
            declared: false,
            no_writes: false,
        };
        if !modern || !body.starts_with(b"#!") {
            return Ok(script);
        }
        let Some(end) = memchr::memchr(b'\n', body) else {
            return Err(Rejection::error("ERR Invalid script shebang"));
        };
        let line = String::from_utf8_lossy(body.get(..end).unwrap_or(body)).into_owned();
        let mut words = line.split_ascii_whitespace();
        let engine = words.next().unwrap_or_default();
        if !engine.eq_ignore_ascii_case("#!lua") {
            let why = format!("ERR Unexpected engine in script shebang: {engine}");
            return Err(Rejection::error(why));
        }
        for word in words {
            let Some(flags) = word.strip_prefix("flags=") else {
                let why = format!("ERR Unknown lua shebang option: {word}");
                return Err(Rejection::error(why));
            };
            for flag in flags.split(',').filter(|flag| !flag.is_empty()) {
                if !FLAGS.contains(&flag) {
                    let why = format!("ERR Unexpected flag in script shebang: {flag}");
                    return Err(Rejection::error(why));
                }
                script.no_writes |= flag == "no-writes";
            }
        }
        script.declared = true;
        script.shebang = end;
        Ok(script)
    }
}
