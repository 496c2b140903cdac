//! The machine that runs scripts, and the world that it shows them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use mlua::chunk::ChunkMode;
use mlua::{
    Error, Function, HookTriggers, Lua, LuaOptions, MultiValue, StdLib, Table, Value, VmState,
};

use super::calls::{Session, perform};
use super::host::{MEMORY, Run, SEED, bytes_of, function, machine, one, out_of_memory};
use super::{Call, Digest, Random, Script, bits, json, msgpack, redis, strings, structs, values};
use crate::keyspace::Rules;
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection, Reply};

/// Instructions between two looks at the limits.
const TICK: u32 = 1000;

/// The last resort against scripts that stay within every other limit and never end, such as one
/// that compares huge strings again and again. What a script does never depends on it, but that it
/// is given up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Compiled scripts that are kept; others are compiled again.
const COMPILED: usize = 1000;

/// One call of a script or a function.
struct Given<'a> {
    /// What errors call it.
    name: &'a str,
    /// The function of the prelude that makes the call.
    enter: &'a Function,
    keys: &'a [&'a [u8]],
    args: &'a [&'a [u8]],
    read_only: bool,
}

/// A state of Lua with the world of one server.
pub(super) struct Vm {
    lua: Lua,
    run: Rc<Run>,
    world: World,
    compiled: HashMap<Digest, Function>,
    modern: bool,
}

/// What a machine is for: servers have one for scripts and one for function libraries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Runs {
    Scripts,
    Functions,
}

/// What the prelude gives the host.
struct World {
    globals: Table,
    run: Function,
    call: Function,
    library: Function,
    named: Function,
    forget: Function,
}

impl Vm {
    /// The one that is there, or a new one.
    pub(super) fn of<'v>(
        slot: &'v mut Option<Box<Vm>>,
        rules: &Rules,
        random: Random,
    ) -> Result<&'v mut Vm, Rejection> {
        if slot.is_none() {
            *slot = Some(Box::new(Vm::new(rules, random, Runs::Scripts)?));
        }
        slot.as_deref_mut()
            .ok_or_else(|| Rejection::unplayable("there is no machine for scripts"))
    }

    /// A new one.
    pub(super) fn new(rules: &Rules, random: Random, runs: Runs) -> Result<Vm, Rejection> {
        Self::build(rules, random, runs).map_err(|error| machine(&error))
    }

    fn build(rules: &Rules, random: Random, runs: Runs) -> mlua::Result<Vm> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        // No panic comes out of a function of the host that is not a fault of this program.
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false))?;
        lua.set_memory_limit(MEMORY)?;
        let run = Rc::new(Run::default());
        run.random.set(random.0);
        let modern = rules.since((7, 0), (0, 0));
        let host = host(&lua, &run, rules)?;
        let about = lua.create_table()?;
        about.raw_set("modern", modern)?;
        about.raw_set("valkey", rules.is_valkey())?;
        about.raw_set("functions", runs == Runs::Functions)?;
        about.raw_set("clock", rules.since((7, 2), (0, 0)))?;
        about.raw_set("constants", redis::constants(&lua, rules)?)?;
        let prelude = lua.load(include_str!("prelude.lua")).set_name("=prelude");
        let world: Table = prelude.call((&host, about))?;
        let globals: Table = world.raw_get("globals")?;
        host.raw_set("load", loader(&lua, &run, &globals)?)?;
        let vm = Vm {
            world: World {
                run: world.raw_get("run")?,
                call: world.raw_get("call")?,
                library: world.raw_get("library")?,
                named: world.raw_get("named")?,
                forget: world.raw_get("forget")?,
                globals,
            },
            compiled: HashMap::new(),
            modern,
            run,
            lua,
        };
        vm.watch()?;
        Ok(vm)
    }

    /// Looks at the limits from time to time.
    fn watch(&self) -> mlua::Result<()> {
        let run = Rc::clone(&self.run);
        let triggers = HookTriggers::new().every_nth_instruction(TICK);
        self.lua.set_global_hook(triggers, move |_, _| {
            run.tick(u64::from(TICK))?;
            Ok(VmState::Continue)
        })
    }

    /// Where the random numbers are.
    pub(super) fn random(&self) -> Random {
        Random(self.run.random.get())
    }

    /// Random numbers go on from here.
    pub(super) fn set_random(&self, random: Random) {
        self.run.random.set(random.0);
    }

    /// Whether a limit ended the last run.
    pub(super) fn is_broken(&self) -> bool {
        self.run.ended.borrow().is_some()
    }

    /// The function of a script.
    ///
    /// # Errors
    /// It is none.
    pub(super) fn compile(
        &mut self,
        digest: Digest,
        script: &Script,
    ) -> Result<Function, Rejection> {
        if let Some(function) = self.compiled.get(&digest) {
            return Ok(function.clone());
        }
        if self.compiled.len() >= COMPILED {
            for digest in self.compiled.drain().map(|(digest, _)| digest) {
                let forgotten = self.world.forget.call::<()>(name_of(&digest));
                forgotten.map_err(|error| machine(&error))?;
            }
        }
        self.run.begin(Instant::now() + PATIENCE);
        let function = match self.modern {
            true => self.load(&script.body[script.shebang..])?,
            false => self.define(&digest, &script.body)?,
        };
        self.compiled.insert(digest, function.clone());
        Ok(function)
    }

    fn load(&self, code: &[u8]) -> Result<Function, Rejection> {
        let chunk = self.lua.load(code).set_name("@user_script");
        let chunk = chunk.set_mode(ChunkMode::Text);
        let chunk = chunk.set_environment(self.world.globals.clone());
        chunk.into_function().map_err(|error| match error {
            Error::SyntaxError { message, .. } => Rejection::error(format!(
                "ERR Error compiling script (new function): {message}"
            )),
            other => machine(&other),
        })
    }

    /// Old servers make a named function of a script.
    fn define(&self, digest: &Digest, body: &[u8]) -> Result<Function, Rejection> {
        let name = name_of(digest);
        let code = [b"function ", name.as_bytes(), b"() ", body, b"\nend"].concat();
        let defined = self.load(&code)?;
        let failed = |text: &str| {
            let text = format!("ERR Error running script (new function): {text}");
            Rejection::error(text)
        };
        if let Err(error) = defined.call::<()>(()) {
            return match self.run.ended.take() {
                Some(why) => Err(why),
                None => Err(match error {
                    Error::RuntimeError(text) => failed(text.lines().next().unwrap_or_default()),
                    other => machine(&other),
                }),
            };
        }
        let function = self.world.named.call::<Option<Function>>(name);
        let function = function.map_err(|error| machine(&error))?;
        function.ok_or_else(|| failed("it does not define its function"))
    }

    /// Runs a script.
    pub(super) fn run(
        &mut self,
        cx: &mut Context<'_>,
        script: &Script,
        call: &Call<'_>,
        read_only: bool,
    ) -> Outcome {
        let function = self.compile(call.digest, script)?;
        let given = Given {
            name: &String::from_utf8_lossy(&call.digest),
            enter: &self.world.run,
            keys: call.keys,
            args: call.args,
            read_only,
        };
        self.perform(cx, &function, &given)
    }

    /// Runs a function of a library.
    pub(super) fn call(
        &self,
        cx: &mut Context<'_>,
        function: &Function,
        name: &str,
        [keys, args]: [&[&[u8]]; 2],
        read_only: bool,
    ) -> Outcome {
        let given = Given {
            name,
            enter: &self.world.call,
            keys,
            args,
            read_only,
        };
        self.perform(cx, function, &given)
    }

    /// Loads a library: its functions, each with its name and whether it only reads.
    ///
    /// # Errors
    /// What a server refuses it with.
    pub(super) fn library(&self, code: &[u8]) -> Result<Vec<(Vec<u8>, Function, bool)>, Rejection> {
        self.run.begin(Instant::now() + PATIENCE);
        let chunk = self.lua.load(code).set_name("@user_function");
        let chunk = chunk.set_mode(ChunkMode::Text);
        let chunk = chunk.set_environment(self.world.globals.clone());
        let function = chunk.into_function().map_err(|error| match error {
            Error::SyntaxError { message, .. } => {
                Rejection::error(format!("ERR Error compiling function: {message}"))
            }
            other => machine(&other),
        })?;
        let ended = self.world.library.call::<(bool, Value, Table)>(function);
        if let Some(why) = self.run.ended.borrow().clone() {
            return Err(why);
        }
        let (ok, raised, found) = ended.map_err(|error| self.spoilt(&error))?;
        if !ok {
            let crash = match &raised {
                Value::Table(table) => table.raw_get::<bool>("crash").unwrap_or(false),
                _ => false,
            };
            return Err(match crash {
                true => Rejection::crash("a library registers a function without name or body"),
                false => {
                    let text = values::raised(&raised, true);
                    Rejection::error(format!("ERR Error registering functions: {text}"))
                }
            });
        }
        let found = found.sequence_values::<Value>();
        let found: mlua::Result<Vec<Value>> = found.collect();
        let found = found.map_err(|error| self.spoilt(&error))?;
        let (triples, _) = found.as_chunks::<3>();
        let named = triples.iter().filter_map(|triple| match triple {
            [name, Value::Function(function), reads] => {
                let reads = *reads == Value::Boolean(true);
                Some((bytes_of(name)?.to_vec(), function.clone(), reads))
            }
            _ => None,
        });
        Ok(named.collect())
    }

    /// The machine itself failed, and is not to be used again.
    fn spoilt(&self, error: &Error) -> Rejection {
        let why = machine(error);
        self.run.end(why.clone());
        why
    }

    fn perform(&self, cx: &mut Context<'_>, function: &Function, given: &Given<'_>) -> Outcome {
        self.run.begin(Instant::now() + PATIENCE);
        if !self.modern {
            self.run.random.set(SEED);
        }
        let before = (cx.db, cx.wants_reply);
        cx.wants_reply = true;
        let ended = self.enter(cx, function, given);
        (cx.db, cx.wants_reply) = before;
        if let Some(why) = self.run.ended.borrow().clone() {
            return match self.run.settled.get() {
                true => Ok(Reply::Nil),
                false => Err(why),
            };
        }
        let gave = ended.map_err(|error| self.spoilt(&error))?;
        self.answer(cx, given.name, gave)
    }

    /// Whether it ended well, and what it gave or raised.
    fn enter(
        &self,
        cx: &mut Context<'_>,
        function: &Function,
        given: &Given<'_>,
    ) -> mlua::Result<(bool, Value)> {
        let keys = values::array(&self.lua, given.keys)?;
        let args = values::array(&self.lua, given.args)?;
        let session = Session {
            run: &self.run,
            modern: self.modern,
            read_only: given.read_only,
            cx: RefCell::new(cx),
        };
        self.lua.scope(|scope| {
            let call =
                scope.create_function(|lua, args: MultiValue| perform(lua, &session, args))?;
            given.enter.call((function, call, keys, args))
        })
    }

    /// What the server answers.
    fn answer(&self, cx: &Context<'_>, name: &str, (ok, value): (bool, Value)) -> Outcome {
        if !ok {
            if self.modern && !cx.rules.since((7, 2), (0, 0)) && values::is_wordless(&value) {
                return Err(Rejection::crash("a script raises a table without `err`"));
            }
            let text = values::raised(&value, self.modern);
            return Err(Rejection::error(match self.modern {
                true => format!("{text} script: {name}"),
                false => format!("ERR Error running script (call to f_{name}): {text}"),
            }));
        }
        if let Some(text) = values::error_in(&value) {
            return Err(Rejection::error(text));
        }
        if !cx.wants_reply {
            return Ok(Reply::Nil);
        }
        let resp3 = self.run.resp3.get();
        values::reply(&self.run, &value, resp3, 0)
    }
}

fn name_of(digest: &Digest) -> String {
    format!("f_{}", String::from_utf8_lossy(digest))
}

/// Everything that the prelude asks of the host.
fn host(lua: &Lua, run: &Rc<Run>, rules: &Rules) -> mlua::Result<Table> {
    let host = lua.create_table()?;
    strings::open(lua, run, &host)?;
    host.raw_set("bit", bits::open(lua, run)?)?;
    host.raw_set("struct", structs::open(lua, run)?)?;
    host.raw_set("cmsgpack", msgpack::open(lua, run, rules.is_valkey())?)?;
    host.raw_set("cjson", json::open(lua, run)?)?;
    let inner = Rc::clone(run);
    host.raw_set(
        "new_cjson",
        lua.create_function(move |lua, ()| json::open(lua, &inner))?,
    )?;
    host.raw_set("plain", redis::open(lua, run, rules)?)?;
    redis::random(lua, run, &host)?;
    let inner = Rc::clone(run);
    host.raw_set(
        "fatal",
        lua.create_function(move |_, error: Value| Ok(is_fatal(&inner, &error)))?,
    )?;
    let inner = Rc::clone(run);
    host.raw_set(
        "cannot",
        lua.create_function(move |_, what: String| -> mlua::Result<()> {
            let why = format!("a script uses `{what}`, which is not there");
            Err(inner.end(Rejection::unplayable(why)))
        })?,
    )?;
    host.raw_set(
        "is_name",
        lua.create_function(|_, name: mlua::LuaString| Ok(is_name(&name.as_bytes())))?,
    )?;
    host.raw_set(
        "what",
        lua.create_function(|lua, ()| Ok(lua.inspect_stack(2, |debug| debug.source().what)))?,
    )?;
    Ok(host)
}

/// Whether a function may be called this.
fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
}

/// Whether an error must end the run.
fn is_fatal(run: &Run, error: &Value) -> bool {
    if run.ended.borrow().is_some() {
        return true;
    }
    match error {
        Value::Error(error) => {
            run.end(machine(error));
            true
        }
        Value::String(text) if *text.as_bytes() == *b"not enough memory" => {
            run.end(out_of_memory());
            true
        }
        _ => false,
    }
}

/// `loadstring`, for text only: what is compiled already could be anything.
fn loader(lua: &Lua, run: &Rc<Run>, globals: &Table) -> mlua::Result<Function> {
    let globals = globals.clone();
    function(lua, run, move |lua, args| {
        let code = args.bytes(1, "loadstring")?;
        let name = match args.some(2) {
            Some(_) => args.bytes(2, "loadstring")?.to_vec(),
            None => code.to_vec(),
        };
        let name = super::pattern::until_zero(&name);
        let chunk = lua.load(&*code).set_name(String::from_utf8_lossy(name));
        let chunk = chunk.set_mode(ChunkMode::Text);
        match chunk.set_environment(globals.clone()).into_function() {
            Ok(function) => one(lua, function),
            Err(Error::SyntaxError { message, .. }) => {
                let message = Value::String(lua.create_string(message)?);
                Ok(vec![Value::Nil, message])
            }
            Err(other) => Err(other.into()),
        }
    })
}
