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
use super::host::{MEMORY, Run, SEED, function, machine, one, out_of_memory};
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

/// A state of Lua with the world of one server.
pub(super) struct Vm {
    lua: Lua,
    run: Rc<Run>,
    world: World,
    compiled: HashMap<Digest, Function>,
    modern: bool,
}

/// What the prelude gives the host.
struct World {
    globals: Table,
    run: Function,
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
            let vm = Vm::new(rules, random).map_err(|error| machine(&error))?;
            *slot = Some(Box::new(vm));
        }
        slot.as_deref_mut()
            .ok_or_else(|| Rejection::unplayable("there is no machine for scripts"))
    }

    fn new(rules: &Rules, random: Random) -> mlua::Result<Vm> {
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
        about.raw_set("clock", rules.since((7, 2), (0, 0)))?;
        about.raw_set("constants", redis::constants(&lua, rules)?)?;
        let prelude = lua.load(include_str!("prelude.lua")).set_name("=prelude");
        let world: Table = prelude.call((&host, about))?;
        let globals: Table = world.raw_get("globals")?;
        host.raw_set("load", loader(&lua, &run, &globals)?)?;
        let vm = Vm {
            world: World {
                run: world.raw_get("run")?,
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
        self.run.begin(Instant::now() + PATIENCE);
        if !self.modern {
            self.run.random.set(SEED);
        }
        let before = (cx.db, cx.wants_reply);
        cx.wants_reply = true;
        let ended = self.enter(cx, &function, call, read_only);
        (cx.db, cx.wants_reply) = before;
        let gave = match (self.run.ended.borrow().clone(), ended) {
            (Some(why), _) => return Err(why),
            (None, Err(error)) => {
                let why = machine(&error);
                self.run.end(why.clone());
                return Err(why);
            }
            (None, Ok(gave)) => gave,
        };
        self.answer(cx, call, gave)
    }

    /// Whether it ended well, and what it gave or raised.
    fn enter(
        &self,
        cx: &mut Context<'_>,
        function: &Function,
        call: &Call<'_>,
        read_only: bool,
    ) -> mlua::Result<(bool, Value)> {
        let keys = values::array(&self.lua, call.keys)?;
        let args = values::array(&self.lua, call.args)?;
        let session = Session {
            run: &self.run,
            modern: self.modern,
            read_only,
            cx: RefCell::new(cx),
        };
        self.lua.scope(|scope| {
            let call =
                scope.create_function(|lua, args: MultiValue| perform(lua, &session, args))?;
            self.world.run.call((function, call, keys, args))
        })
    }

    /// What the server answers.
    fn answer(&self, cx: &Context<'_>, call: &Call<'_>, (ok, value): (bool, Value)) -> Outcome {
        let digest = String::from_utf8_lossy(&call.digest).into_owned();
        if !ok {
            if self.modern && !cx.rules.since((7, 2), (0, 0)) && values::is_wordless(&value) {
                return Err(Rejection::crash("a script raises a table without `err`"));
            }
            let text = values::raised(&value, self.modern);
            return Err(Rejection::error(match self.modern {
                true => format!("{text} script: {digest}"),
                false => format!("ERR Error running script (call to f_{digest}): {text}"),
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
        "what",
        lua.create_function(|lua, ()| Ok(lua.inspect_stack(2, |debug| debug.source().what)))?,
    )?;
    Ok(host)
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
