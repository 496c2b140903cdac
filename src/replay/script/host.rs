//! What functions of the host have in common: arguments in, values or an error out.

use std::cell::{Cell, RefCell};
use std::ops::Deref;
use std::rc::Rc;
use std::time::Instant;

use mlua::{BorrowedBytes, Error, Function, IntoLua, Lua, MultiValue, Value};

use super::number::{text, to_long, to_number};
use crate::replay::reply::Rejection;

/// Instructions of the Lua machine that one script may take; fewer in tests, which take all of them
/// often.
pub(super) const INSTRUCTIONS: i64 = if cfg!(test) { 10_000_000 } else { 100_000_000 };

/// Bytes that all of a server's scripts may hold.
pub(super) const MEMORY: usize = 256 << 20;

/// The state of the random numbers behind a seed of 0, at the start of each script before 7.0.
pub(super) const SEED: u64 = 0x330e;

/// What a run leaves behind, and what bounds it.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// Steps that are left.
    pub(super) left: Cell<i64>,
    /// When patience ends.
    deadline: Cell<Option<Instant>>,
    /// Why the run must end, whatever the script does about it.
    pub(super) ended: RefCell<Option<Rejection>>,
    /// The state of `math.random`.
    pub(super) random: Cell<u64>,
    /// `redis.replicate_commands` was called.
    pub(super) effects: Cell<bool>,
    /// A command was called whose answer depends on chance or time.
    pub(super) random_read: Cell<bool>,
    /// A command was called that writes.
    pub(super) written: Cell<bool>,
    /// The run ended where nothing that it could still do would change a key.
    pub(super) settled: Cell<bool>,
    /// The script asked for answers in RESP3.
    pub(super) resp3: Cell<bool>,
}

impl Run {
    /// Makes ready for a script.
    pub(super) fn begin(&self, deadline: Instant) {
        self.left.set(INSTRUCTIONS);
        self.deadline.set(Some(deadline));
        self.ended.replace(None);
        self.effects.set(false);
        self.random_read.set(false);
        self.written.set(false);
        self.settled.set(false);
        self.resp3.set(false);
    }

    /// Takes so many steps.
    ///
    /// # Errors
    /// There are not so many left.
    pub(super) fn spend(&self, steps: u64) -> Result<(), Fail> {
        let left = self
            .left
            .get()
            .saturating_sub(i64::try_from(steps).unwrap_or(i64::MAX));
        self.left.set(left);
        if left < 0 {
            return Err(Fail::End(Rejection::unplayable(format!(
                "a script takes more than {INSTRUCTIONS} steps"
            ))));
        }
        Ok(())
    }

    /// Takes instructions of the machine.
    pub(super) fn tick(&self, instructions: u64) -> mlua::Result<()> {
        if let Some(why) = self.ended.borrow().as_ref() {
            return Err(Error::runtime(why.to_string()));
        }
        if let Err(Fail::End(why)) = self.spend(instructions) {
            return Err(self.end(why));
        }
        if self.deadline.get().is_some_and(|end| Instant::now() > end) {
            let why = "a script takes too long, which no other limit told";
            return Err(self.end(Rejection::unplayable(why)));
        }
        Ok(())
    }

    /// Notes why the run must end, and gives the error that ends it.
    pub(super) fn end(&self, why: Rejection) -> Error {
        let text = why.to_string();
        self.ended.borrow_mut().get_or_insert(why);
        Error::runtime(text)
    }
}

/// There is not so much memory for scripts.
pub(super) fn out_of_memory() -> Rejection {
    Rejection::unplayable(format!(
        "a script holds more than {} MiB of memory",
        MEMORY >> 20
    ))
}

/// Why a host function gives nothing.
#[derive(Debug)]
pub(super) enum Fail {
    /// An error that the script may catch.
    Text(Vec<u8>),
    /// An argument is not what it must be: which, of which function, why.
    Argument(usize, String, String),
    /// The same as [`Fail::Text`], as a value.
    Raise(Value),
    /// The run must end.
    End(Rejection),
    /// The machine itself failed: mostly, it has no memory.
    Machine(Error),
}

impl Fail {
    pub(super) fn text(text: impl Into<String>) -> Fail {
        Fail::Text(text.into().into_bytes())
    }

    /// As the Lua library says that an argument is not what it must be.
    pub(super) fn argument(n: usize, function: &str, why: impl Into<String>) -> Fail {
        Fail::Argument(n, function.to_owned(), why.into())
    }
}

impl From<Error> for Fail {
    fn from(error: Error) -> Fail {
        Fail::Machine(error)
    }
}

/// What a host function gives.
pub(super) type Given = Result<Vec<Value>, Fail>;

/// Makes a function of the host: it gives true and its values, or false and the error.
pub(super) fn function(
    lua: &Lua,
    run: &Rc<Run>,
    f: impl Fn(&Lua, Arguments) -> Given + 'static,
) -> mlua::Result<Function> {
    let run = Rc::clone(run);
    lua.create_function(move |lua, args: MultiValue| {
        let args = Arguments(args.into_iter().collect());
        let (ok, mut values) = match f(lua, args) {
            Ok(values) => (true, values),
            Err(Fail::Text(text)) => (false, vec![Value::String(lua.create_string(text)?)]),
            Err(Fail::Argument(n, function, why)) => {
                let text = about_argument(lua, n, &function, &why);
                (false, vec![Value::String(lua.create_string(text)?)])
            }
            Err(Fail::Raise(value)) => (false, vec![value]),
            Err(Fail::End(why)) => return Err(run.end(why)),
            Err(Fail::Machine(error)) => return Err(run.end(machine(&error))),
        };
        values.insert(0, Value::Boolean(ok));
        Ok(MultiValue::from_vec(values))
    })
}

/// What the Lua library says of an argument. It names the function as the caller does, who called
/// what is at level 1; where that is not known, it puts a question mark.
fn about_argument(lua: &Lua, mut n: usize, function: &str, why: &str) -> String {
    let names = lua.inspect_stack(1, |debug| {
        let names = debug.names();
        (names.name.map(|name| name.into_owned()), names.name_what)
    });
    let (name, what) = names.unwrap_or_default();
    let tail = || {
        let source = lua.inspect_stack(2, |debug| debug.source().what);
        source == Some("tail")
    };
    let name = match name {
        Some(name) => name,
        None if tail() => function.to_owned(),
        None => "?".to_owned(),
    };
    if what == Some("method") {
        n = n.saturating_sub(1);
        if n == 0 {
            return format!("calling '{name}' on bad self ({why})");
        }
    }
    format!("bad argument #{n} to '{name}' ({why})")
}

/// What an error of the machine comes to.
pub(super) fn machine(error: &Error) -> Rejection {
    match error {
        Error::MemoryError(_) => out_of_memory(),
        Error::CallbackError { cause, .. } => machine(cause),
        other => {
            let text = other.to_string();
            let line = text.lines().next().unwrap_or_default();
            Rejection::unplayable(format!("a script failed: {line}"))
        }
    }
}

/// One value.
pub(super) fn one(lua: &Lua, value: impl IntoLua) -> Given {
    Ok(vec![value.into_lua(lua)?])
}

/// Arguments of a host function, counted from 1.
#[derive(Debug)]
pub(super) struct Arguments(pub(super) Vec<Value>);

impl Arguments {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, n: usize) -> Option<&Value> {
        self.0.get(n - 1)
    }

    /// None where it is missing or nil.
    pub(super) fn some(&self, n: usize) -> Option<&Value> {
        self.get(n).filter(|value| !value.is_nil())
    }

    /// A string, or a number as one.
    pub(super) fn bytes(&self, n: usize, function: &str) -> Result<Bytes, Fail> {
        let value = self.get(n);
        value.and_then(bytes_of).ok_or_else(|| {
            let got = type_name(value);
            Fail::argument(n, function, format!("string expected, got {got}"))
        })
    }

    /// A number, or a string that is one.
    pub(super) fn number(&self, n: usize, function: &str) -> Result<f64, Fail> {
        let value = self.get(n);
        value.and_then(number_of).ok_or_else(|| {
            let got = type_name(value);
            Fail::argument(n, function, format!("number expected, got {got}"))
        })
    }

    /// The same as an integer.
    pub(super) fn integer(&self, n: usize, function: &str) -> Result<i64, Fail> {
        self.number(n, function).map(to_long)
    }

    /// The same, with a value for a missing one.
    pub(super) fn integer_or(&self, n: usize, function: &str, or: i64) -> Result<i64, Fail> {
        match self.some(n) {
            Some(_) => self.integer(n, function),
            None => Ok(or),
        }
    }
}

/// A string, or a number as Lua writes it.
pub(super) fn bytes_of(value: &Value) -> Option<Bytes> {
    match value {
        Value::String(string) => Some(Bytes::Lua(string.as_bytes())),
        Value::Integer(n) => Some(Bytes::Own(text(*n as f64))),
        Value::Number(n) => Some(Bytes::Own(text(*n))),
        _ => None,
    }
}

/// Bytes of a string, without a copy where it is one.
#[derive(Debug)]
pub(super) enum Bytes {
    /// Those that Lua holds.
    Lua(BorrowedBytes),
    /// The text of a number.
    Own(Vec<u8>),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Lua(bytes) => bytes,
            Bytes::Own(bytes) => bytes,
        }
    }
}

/// A number, or what Lua makes of a string.
pub(super) fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(n) => Some(*n as f64),
        Value::Number(n) => Some(*n),
        Value::String(string) => to_number(&string.as_bytes()),
        _ => None,
    }
}

/// The type of a value as Lua names it in errors.
pub(super) fn type_name(value: Option<&Value>) -> &'static str {
    match value {
        None => "no value",
        Some(Value::Integer(_)) => "number",
        Some(Value::LightUserData(_)) => "userdata",
        Some(value) => value.type_name(),
    }
}
