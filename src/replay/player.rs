//! Plays a log: every command in its place, as a server does while it loads.
//!
//! While loading, a server does not do as it does live: nothing expires, commands between MULTI and
//! EXEC wait for the EXEC, a command that is refused is passed over, and only an unknown name or a
//! wrong number of arguments ends the load (formats: "Loading an AOF").

use crate::aof::resp::{self, Command};
use crate::command::{self, Resolved};
use crate::keyspace::Keyspace;
use crate::replay::args::Args;
use crate::replay::context::Context;
use crate::replay::memory::Memory;
use crate::replay::reply::{Outcome, Reason, Rejection, Reply};
use crate::replay::script::Scripts;
use crate::replay::table::{self, Row};

/// Rejections that are listed; all are counted.
const LISTED: usize = 10_000;

/// A command that had no effect, or not all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which file, of those begun, from 0.
    pub file: usize,
    /// Offset of the command in its file.
    pub at: u64,
    /// Which command of the log it is, from 1.
    pub number: u64,
    /// Its name in lower case.
    pub name: String,
    /// The database it was for.
    pub db: u32,
    /// Its first argument, where it has one.
    pub key: Option<Vec<u8>>,
    /// Why.
    pub why: Rejection,
}

/// Where the load ends before the log does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Offset of the command in its file.
    pub at: u64,
    /// Which command of the log it is, from 1.
    pub number: u64,
    /// Why.
    pub why: Why,
}

/// Why a load ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The server knows no such command.
    Unknown(String),
    /// The server crashes over it.
    Crash(String),
    /// The server refuses the log because of its number of arguments.
    Arity(String),
    /// It would take so many bytes more memory than it may.
    Memory(u64),
}

/// What happened so far.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// Commands of the log, brackets and readers included.
    pub commands: u64,
    /// Those that were done.
    pub done: u64,
    /// Transactions that ended in EXEC.
    pub transactions: u64,
    /// Those that had no effect, or not all of it: how many.
    pub refused: u64,
    /// Those that a server does and this program cannot: how many of the refused.
    pub unplayable: u64,
    /// The first of the refused.
    pub listed: Vec<Refused>,
    /// Commands with a relative time that could not be placed, for want of a time before them; the
    /// key was left without expiry.
    pub relative: u64,
}

/// Plays logs into a keyspace, file after file.
pub struct Player<'d> {
    keyspace: Keyspace,
    memory: Memory,
    scripts: Scripts,
    played: Played,
    db: u32,
    /// Files begun.
    files: usize,
    /// The last `#TS:`, Unix ms.
    time: Option<i64>,
    now: Option<i64>,
    /// Commands since the open MULTI.
    queue: Option<Vec<Job<'d>>>,
    /// Arguments of the command at hand; room.
    args: Vec<&'d [u8]>,
}

/// A command that waits.
struct Job<'d> {
    at: u64,
    number: u64,
    time: Option<i64>,
    args: Box<[&'d [u8]]>,
}

impl<'d> Player<'d> {
    /// Plays into this keyspace, with at most so many bytes of memory for the whole process.
    pub fn new(keyspace: Keyspace, max_memory: u64) -> Self {
        Player {
            now: keyspace.rules.now,
            keyspace,
            memory: Memory::new(max_memory),
            scripts: Scripts::default(),
            played: Played::default(),
            db: 0,
            files: 0,
            time: None,
            queue: None,
            args: Vec::new(),
        }
    }

    /// Begins another file: its database is 0, and what was open in the one before is dropped.
    pub fn begin_file(&mut self) {
        self.queue = None;
        self.db = 0;
        self.files += 1;
    }

    /// Plays the command at offset `at` of its file.
    ///
    /// # Errors
    /// The server would not go on behind it, or memory does not suffice.
    pub fn play(&mut self, at: u64, command: &Command<'d>) -> Result<(), Stopped> {
        let mut args = std::mem::take(&mut self.args);
        args.clear();
        args.extend(command.args());
        self.played.commands += 1;
        let number = self.played.commands;
        let result = match &mut self.queue {
            Some(queue) if !is_bracket(&args) => {
                queue.push(Job {
                    at,
                    number,
                    time: self.time.or(self.now),
                    args: args.as_slice().into(),
                });
                Ok(())
            }
            _ => self.run(at, number, self.time.or(self.now), &args),
        };
        self.args = args;
        result
    }

    /// Takes note of an annotation: `#TS:` tells the time.
    pub fn annotation(&mut self, text: &[u8]) {
        if let Some(seconds) = resp::timestamp(text) {
            self.time = i64::try_from(seconds)
                .ok()
                .and_then(|s| s.checked_mul(1000));
        }
    }

    /// What happened so far.
    pub fn played(&self) -> &Played {
        &self.played
    }

    /// What it is played into, as it is now. Of an open transaction nothing is in it.
    pub fn keyspace(&mut self) -> &mut Keyspace {
        &mut self.keyspace
    }

    /// The same, and what happened.
    pub fn finish(self) -> (Keyspace, Played) {
        (self.keyspace, self.played)
    }

    fn run(
        &mut self,
        at: u64,
        number: u64,
        time: Option<i64>,
        args: &[&[u8]],
    ) -> Result<(), Stopped> {
        let stopped = |why| Stopped { at, number, why };
        let (&name, rest) = args.split_first().unwrap_or((&(b"" as &[u8]), &[]));
        let outcome = match bracket(args) {
            Some(Bracket::Multi) if self.queue.is_some() => {
                Err(Rejection::error("ERR MULTI calls can not be nested"))
            }
            Some(Bracket::Multi) => {
                self.queue = Some(Vec::new());
                Ok(Reply::OK)
            }
            Some(Bracket::Exec) => return self.exec(at, number, args),
            None => match self.find(name, args.len(), rest.first().copied()) {
                Ok(Some(row)) => self.apply(row, time, rest),
                Ok(None) => Ok(Reply::Nil),
                Err(why) => return Err(stopped(why)),
            },
        };
        self.note(at, number, args, outcome)
    }

    fn exec(&mut self, at: u64, number: u64, args: &[&[u8]]) -> Result<(), Stopped> {
        let Some(queue) = self.queue.take() else {
            return self.note(
                at,
                number,
                args,
                Err(Rejection::error("ERR EXEC without MULTI")),
            );
        };
        for job in queue {
            self.run(job.at, job.number, job.time, &job.args)?;
        }
        self.played.transactions += 1;
        self.played.done += 1;
        Ok(())
    }

    /// The row of a command; none for one that has nothing to do with the keyspace.
    fn find(
        &self,
        name: &[u8],
        argc: usize,
        second: Option<&[u8]>,
    ) -> Result<Option<&'static Row>, Why> {
        let unknown = || Why::Unknown(crate::error::printable(name));
        let spec = command::lookup(name).ok_or_else(unknown)?;
        match spec.resolve(second, self.keyspace.rules.like) {
            Resolved::UnknownCommand | Resolved::UnknownSubcommand => Err(unknown()),
            Resolved::Known(name, signature) if !signature.accepts(argc as u64) => {
                let why = format!("{name} does not take {} arguments", argc.saturating_sub(1));
                Err(match self.keyspace.rules.is_valkey() {
                    true => Why::Arity(why),
                    false => Why::Crash(why),
                })
            }
            Resolved::Known(..) => Ok(table::row(spec.index()).filter(|row| !row.reads)),
        }
    }

    fn apply(&mut self, row: &Row, time: Option<i64>, args: &[&[u8]]) -> Outcome {
        let (rules, shards, functions) = self.keyspace.split();
        let mut context = Context::new(rules, shards, &self.memory);
        context.db = self.db;
        context.time = time;
        context.functions = Some(functions);
        context.scripts = Some(&mut self.scripts);
        let outcome = (row.apply)(&mut context, Args::new(args));
        self.db = context.db;
        self.played.relative += u64::from(context.relative > 0);
        outcome
    }

    fn note(
        &mut self,
        at: u64,
        number: u64,
        args: &[&[u8]],
        outcome: Outcome,
    ) -> Result<(), Stopped> {
        let why = match outcome {
            Ok(_) => {
                self.played.done += 1;
                return Ok(());
            }
            Err(why) => why,
        };
        match why.reason() {
            Reason::Memory(bytes) => {
                let why = Why::Memory(*bytes);
                return Err(Stopped { at, number, why });
            }
            Reason::Crash(why) => {
                let why = Why::Crash(why.clone());
                return Err(Stopped { at, number, why });
            }
            Reason::Unplayable(_) => self.played.unplayable += 1,
            Reason::Error(_) => {}
        }
        self.played.refused += 1;
        if self.played.listed.len() < LISTED {
            let name = args.first().copied().unwrap_or_default();
            self.played.listed.push(Refused {
                file: self.files.saturating_sub(1),
                at,
                number,
                name: crate::error::printable(&name.to_ascii_lowercase()),
                db: self.db,
                key: args.get(1).map(|key| key.to_vec()),
                why,
            });
        }
        Ok(())
    }
}

enum Bracket {
    Multi,
    Exec,
}

fn bracket(args: &[&[u8]]) -> Option<Bracket> {
    match args {
        [name] if name.eq_ignore_ascii_case(b"multi") => Some(Bracket::Multi),
        [name] if name.eq_ignore_ascii_case(b"exec") => Some(Bracket::Exec),
        _ => None,
    }
}

fn is_bracket(args: &[&[u8]]) -> bool {
    bracket(args).is_some()
}
