//! Function libraries that run: FCALL in a log.
//!
//! Servers log what a function did, not that it was called; but one that finds FCALL in a log calls it.
//! A library is loaded when FUNCTION LOAD brings it, or when the first function is called where a
//! snapshot brought it.

use std::collections::BTreeMap;

use mlua::Function;

use super::Random;
use super::vm::{Runs, Vm};
use crate::replay::context::Context;
use crate::replay::reply::{Outcome, Rejection};

/// Sources of libraries by name.
type Sources = BTreeMap<Vec<u8>, Vec<u8>>;

/// The libraries of a keyspace, with the machine that runs them.
pub(super) struct Functions {
    vm: Vm,
    libraries: BTreeMap<Vec<u8>, Library>,
}

struct Library {
    source: Box<[u8]>,
    functions: Vec<Registered>,
}

/// A function of a library.
struct Registered {
    name: Vec<u8>,
    callback: Function,
    no_writes: bool,
}

/// A call of one.
pub(super) struct Fcall<'a> {
    pub(super) name: &'a [u8],
    pub(super) keys: &'a [&'a [u8]],
    pub(super) args: &'a [&'a [u8]],
    pub(super) read_only: bool,
}

impl Functions {
    pub(super) fn new(cx: &Context<'_>, random: Random) -> Result<Functions, Rejection> {
        Ok(Functions {
            vm: Vm::new(cx.rules, random, Runs::Functions)?,
            libraries: BTreeMap::new(),
        })
    }

    /// The machine.
    pub(super) fn vm(&self) -> &Vm {
        &self.vm
    }

    /// Loads libraries, of which the names are not among those that are there, and keeps them.
    ///
    /// # Errors
    /// What a server refuses one of them with; then none is kept.
    pub(super) fn add(
        &mut self,
        cx: &Context<'_>,
        kept: &Sources,
        new: &Sources,
    ) -> Result<(), Rejection> {
        self.follow(cx, kept)?;
        let mut loaded = BTreeMap::new();
        for (name, source) in new {
            let library = self.load(cx, source)?;
            for function in &library.functions {
                if let Some(there) =
                    find(&self.libraries, &function.name).or_else(|| find(&loaded, &function.name))
                {
                    let text = String::from_utf8_lossy(&there.name).into_owned();
                    return Err(Rejection::error(format!(
                        "ERR Function {text} already exists"
                    )));
                }
            }
            loaded.insert(name.clone(), library);
        }
        self.libraries.append(&mut loaded);
        Ok(())
    }

    /// Has those libraries that are there now, and no others.
    fn follow(&mut self, cx: &Context<'_>, sources: &Sources) -> Result<(), Rejection> {
        let same = |name: &Vec<u8>, library: &mut Library| {
            sources
                .get(name)
                .is_some_and(|source| **source == *library.source)
        };
        self.libraries.retain(same);
        for (name, source) in sources {
            if !self.libraries.contains_key(name) {
                let library = self.load(cx, source)?;
                self.libraries.insert(name.clone(), library);
            }
        }
        Ok(())
    }

    fn load(&self, cx: &Context<'_>, source: &[u8]) -> Result<Library, Rejection> {
        cx.claim(source.len() as u64)?;
        let line = memchr::memchr(b'\n', source).unwrap_or(source.len());
        let found = self.vm.library(source.get(line..).unwrap_or_default())?;
        if found.is_empty() {
            return Err(Rejection::error("ERR No functions registered"));
        }
        let functions = found
            .into_iter()
            .map(|(name, callback, no_writes)| Registered {
                name,
                callback,
                no_writes,
            });
        Ok(Library {
            source: source.into(),
            functions: functions.collect(),
        })
    }

    /// Calls a function.
    pub(super) fn call(
        &mut self,
        cx: &mut Context<'_>,
        sources: &Sources,
        call: &Fcall<'_>,
    ) -> Outcome {
        self.follow(cx, sources)?;
        let Some(function) = find(&self.libraries, call.name) else {
            return Err(Rejection::error("ERR Function not found"));
        };
        if call.read_only && !function.no_writes {
            return Err(Rejection::error(
                "ERR Can not execute a script with write flag using *_ro command.",
            ));
        }
        let name = String::from_utf8_lossy(&function.name);
        let read_only = call.read_only || function.no_writes;
        self.vm.call(
            cx,
            &function.callback,
            &name,
            [call.keys, call.args],
            read_only,
        )
    }
}

/// A function of some libraries, in whatever case it is called.
fn find<'a>(libraries: &'a BTreeMap<Vec<u8>, Library>, name: &[u8]) -> Option<&'a Registered> {
    let mut all = libraries.values().flat_map(|library| &library.functions);
    all.find(|function| function.name.eq_ignore_ascii_case(name))
}
