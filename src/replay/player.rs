//! Plays a log: every command in its place, as a server does while it loads.
//!
//! While loading, a server does not do as it does live: nothing expires, commands between MULTI and
//! EXEC wait for the EXEC, a command that is refused is passed over, and only an unknown name or a
//! wrong number of arguments ends the load.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::aof::resp;
use crate::command::{self, CommandSpec, Like, Resolved, Signature};
use crate::keyspace::{Keyspace, Shard, table as keys};
use crate::replay::args::Args;
use crate::replay::context::Context;
use crate::replay::crew::{Common, Crew, Done, Handed};
use crate::replay::memory::Memory;
use crate::replay::reply::{Outcome, Reason, Rejection};
use crate::replay::script::Scripts;
use crate::replay::table::{self, Row, Touches};

/// Rejections that are listed; all are counted.
const LISTED: usize = 10_000;

/// A command that had no effect, or not all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Which file, of those begun, from 0.
    pub file: usize,
    /// The command.
    pub note: Note,
}

/// A command that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
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
    /// The first of the refused, in the order of the log.
    pub listed: Vec<Refused>,
    /// Commands with a relative time that could not be placed, for want of a time before them; the
    /// key was left without expiry.
    pub relative: u64,
}

/// Plays logs into a keyspace, file after file.
pub struct Player<'p, 'd> {
    keyspace: &'p mut Keyspace,
    common: &'p Common<'p>,
    crew: Option<Crew<'d, 'p>>,
    scripts: Scripts,
    /// By the place of a command's name: who does it, where the name alone tells.
    plain: Vec<Option<Plain>>,
    played: Played,
    db: u32,
    /// Files begun.
    files: usize,
    /// The last `#TS:`, else what the clock shows, Unix ms.
    time: Option<i64>,
    /// Commands since the open MULTI.
    queue: Option<Vec<Job<'d>>>,
    /// Where a thread came to an end.
    stopped: Option<Stopped>,
    /// How many more commands were handed out than the log has.
    parts: u64,
}

/// A command without subcommands that changes the keyspace.
#[derive(Clone, Copy)]
struct Plain {
    row: &'static Row,
    signature: Signature,
}

impl Plain {
    fn of(spec: &CommandSpec, like: Like) -> Option<Plain> {
        let row = table::row(spec.index()).filter(|row| !row.reads)?;
        match spec.resolve(None, like) {
            Resolved::Known(_, &signature) if spec.subcommands().is_empty() => {
                Some(Plain { row, signature })
            }
            _ => None,
        }
    }
}

/// A command that waits for its EXEC.
struct Job<'d> {
    at: u64,
    number: u64,
    time: Option<i64>,
    args: Box<[&'d [u8]]>,
}

/// Plays into a keyspace what `with` reads, on so many threads, with at most so many bytes of memory
/// for the whole process. The result does not depend on the number of threads, but for where a stop
/// for want of memory falls. The keyspace should have several parts for each thread.
pub fn play<'d, T>(
    keyspace: &mut Keyspace,
    threads: usize,
    max_memory: u64,
    with: impl FnOnce(&mut Player<'_, 'd>) -> T,
) -> (T, Played) {
    let (memory, halted, rules) = (
        Memory::new(max_memory),
        AtomicBool::new(false),
        keyspace.rules.clone(),
    );
    let common = Common {
        rules: &rules,
        memory: &memory,
        halted: &halted,
    };
    std::thread::scope(|scope| {
        let total = keyspace.shards().len();
        let crew = (threads > 1).then(|| Crew::new(scope, threads, total, &common));
        let mut player = Player {
            time: rules.now,
            keyspace,
            common: &common,
            crew,
            scripts: Scripts::default(),
            plain: command::all()
                .iter()
                .map(|spec| Plain::of(spec, rules.like))
                .collect(),
            played: Played::default(),
            db: 0,
            files: 0,
            queue: None,
            stopped: None,
            parts: 0,
        };
        let result = with(&mut player);
        player.call_back();
        player.played.listed.sort_by_key(|one| one.note.number);
        player.played.listed.truncate(LISTED);
        (result, player.played)
    })
}

impl<'d> Player<'_, 'd> {
    /// Begins another file: its database is 0, and what was open in the one before is dropped.
    pub fn begin_file(&mut self) {
        self.call_back();
        self.queue = None;
        self.db = 0;
        self.files += 1;
    }

    /// Plays the command at offset `at` of its file; its name comes first.
    ///
    /// # Errors
    /// The server would not go on behind it, or memory does not suffice.
    #[inline]
    pub fn play(&mut self, at: u64, args: &[&'d [u8]]) -> Result<(), Stopped> {
        self.played.commands += 1;
        let number = self.played.commands;
        let time = self.time;
        match &mut self.queue {
            Some(queue) if !is_bracket(args) => {
                queue.push(Job {
                    at,
                    number,
                    time,
                    args: args.into(),
                });
                Ok(())
            }
            _ => self.run(at, number, time, args),
        }
    }

    /// Waits for what was handed to threads, as has to be done behind the last command: else nobody
    /// hears of one that ends the load.
    ///
    /// # Errors
    /// As [`play`](Self::play), for a command that was played before.
    pub fn settle(&mut self) -> Result<(), Stopped> {
        self.call_back();
        self.stopped.take().map_or(Ok(()), Err)
    }

    /// Takes note of an annotation: `#TS:` tells the time.
    pub fn annotation(&mut self, text: &[u8]) {
        if let Some(seconds) = resp::timestamp(text) {
            self.time = i64::try_from(seconds)
                .ok()
                .and_then(|s| s.checked_mul(1000));
        }
    }

    /// Asks for the memory that commands of so many bytes may take, before they are played.
    ///
    /// # Errors
    /// There is not so much.
    pub fn claim(&mut self, at: u64, bytes: u64) -> Result<(), Stopped> {
        // The shortest commands take three times their length: a key of its own for each.
        let wanted = bytes.saturating_mul(3);
        self.common.memory.claim(wanted).map_err(|_| Stopped {
            at,
            number: self.played.commands + 1,
            why: Why::Memory(wanted),
        })
    }

    /// Whether a value could not be decoded, so that what comes out is not to be used:
    /// [`Files::fault`](crate::keyspace::Files) says why.
    pub fn keyspace_is_spoilt(&self) -> bool {
        self.common.rules.files.is_closed()
    }

    /// Commands so far, brackets and readers included.
    pub fn commands(&self) -> u64 {
        self.played.commands
    }

    /// What happened so far.
    pub fn played(&mut self) -> &Played {
        self.call_back();
        &self.played
    }

    /// What it is played into, as it is now. Of an open transaction nothing is in it.
    pub fn keyspace(&mut self) -> &mut Keyspace {
        self.call_back();
        self.keyspace
    }

    #[inline]
    fn run(
        &mut self,
        at: u64,
        number: u64,
        time: Option<i64>,
        args: &[&'d [u8]],
    ) -> Result<(), Stopped> {
        let (&name, mut rest) = args.split_first().unwrap_or((&(b"" as &[u8]), &[]));
        let row = match self.find(name, args.len(), rest.first().copied()) {
            Ok(Found::Row(row, most)) => {
                rest = rest.get(..most).unwrap_or(rest);
                row
            }
            Ok(Found::Nothing) => {
                self.played.done += 1;
                return Ok(());
            }
            Ok(Found::Multi) => return self.multi(at, number, args),
            Ok(Found::Exec) => return self.exec(at, number, args),
            Err(why) => return Err(Stopped { at, number, why }),
        };
        if let Some(crew) = &mut self.crew
            && row.touches != Touches::Any
            && let Some(key) = row.key(rest)
        {
            if self.common.halted.load(Ordering::Relaxed) {
                return self.halt();
            }
            crew.send_away(self.keyspace.parts_mut());
            let mut job = Handed {
                row,
                hash: keys::hash(key),
                at,
                number,
                time,
                db: self.db,
            };
            if row.touches == Touches::EachKey && rest.len() > 1 {
                for key in rest {
                    job.hash = keys::hash(key);
                    crew.hand_over(&job, std::slice::from_ref(key));
                }
                self.parts += rest.len() as u64 - 1;
            } else {
                crew.hand_over(&job, rest);
            }
            return Ok(());
        }
        self.call_back();
        if self.common.halted.load(Ordering::Relaxed) {
            return self.halt();
        }
        let outcome = self.apply(row, time, rest);
        self.note(at, number, args, outcome)
    }

    fn multi(&mut self, at: u64, number: u64, args: &[&[u8]]) -> Result<(), Stopped> {
        if self.queue.is_some() {
            let why = Rejection::error("ERR MULTI calls can not be nested");
            return self.note(at, number, args, Err(why));
        }
        self.queue = Some(Vec::new());
        self.played.done += 1;
        Ok(())
    }

    fn exec(&mut self, at: u64, number: u64, args: &[&[u8]]) -> Result<(), Stopped> {
        let Some(queue) = self.queue.take() else {
            let why = Rejection::error("ERR EXEC without MULTI");
            return self.note(at, number, args, Err(why));
        };
        for job in queue {
            self.run(job.at, job.number, job.time, &job.args)?;
        }
        self.played.transactions += 1;
        self.played.done += 1;
        Ok(())
    }

    /// Who does a command.
    #[inline]
    fn find(&self, name: &[u8], argc: usize, second: Option<&[u8]>) -> Result<Found, Why> {
        let unknown = || Why::Unknown(crate::error::printable(name));
        let spec = command::lookup(name).ok_or_else(unknown)?;
        if let Some(Some(plain)) = self.plain.get(spec.index())
            && plain.signature.accepts(argc as u64)
        {
            return Ok(Found::Row(plain.row, most(&plain.signature)));
        }
        match spec.resolve(second, self.common.rules.like) {
            Resolved::UnknownCommand | Resolved::UnknownSubcommand => Err(unknown()),
            Resolved::Known(name, signature) if self.stops(signature, argc) => {
                let why = format!("{name} does not take {} arguments", argc.saturating_sub(1));
                Err(match self.common.rules.is_valkey() {
                    true => Why::Arity(why),
                    false => Why::Crash(why),
                })
            }
            Resolved::Known(name, signature) => Ok(match table::row(spec.index()) {
                Some(row) if !row.reads => Found::Row(row, most(signature)),
                _ if name == "multi" => Found::Multi,
                _ if name == "exec" => Found::Exec,
                _ => Found::Nothing,
            }),
        }
    }

    /// Whether a server goes no further because of the number of arguments. Redis does not look at it
    /// while it loads: it crashes where some are missing, and passes over those too many.
    fn stops(&self, signature: &Signature, argc: usize) -> bool {
        let is_short = (argc as u64) < u64::from(signature.arity.unsigned_abs());
        !signature.accepts(argc as u64) && (is_short || self.common.rules.is_valkey())
    }

    fn apply(&mut self, row: &Row, time: Option<i64>, args: &[&[u8]]) -> Outcome {
        let (rules, shards, functions) = self.keyspace.split();
        let mut context = Context::new(rules, shards, self.common.memory);
        context.db = self.db;
        context.time = time;
        context.functions = Some(functions);
        context.scripts = Some(&mut self.scripts);
        let outcome = (row.apply)(&mut context, Args::new(args));
        self.db = context.db;
        self.played.relative += u64::from(context.relative > 0);
        outcome
    }

    /// Has all parts of the keyspace at hand again.
    fn call_back(&mut self) {
        let Some(crew) = &mut self.crew else {
            return;
        };
        let shards: &mut Vec<Shard> = self.keyspace.parts_mut();
        let mut all = Vec::new();
        crew.call_back(shards, |done| all.push(done));
        for done in all {
            self.take(done);
        }
    }

    fn take(&mut self, done: Done) {
        self.played.done += done.done - std::mem::take(&mut self.parts).min(done.done);
        self.played.relative += done.relative;
        done.notes.into_iter().for_each(|note| self.list(note));
        if let Some(stopped) = done.stopped {
            self.stopped = match self.stopped.take() {
                Some(first) if first.number < stopped.number => Some(first),
                _ => Some(stopped),
            };
        }
    }

    /// One of the threads has come to an end: says where.
    #[cold]
    fn halt(&mut self) -> Result<(), Stopped> {
        self.settle()
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
        let end = match why.reason() {
            Reason::Memory(bytes) => Some(Why::Memory(*bytes)),
            Reason::Crash(why) => Some(Why::Crash(why.clone())),
            Reason::Error(_) | Reason::Unplayable(_) => None,
        };
        if let Some(why) = end {
            return Err(Stopped { at, number, why });
        }
        let name = args.first().copied().unwrap_or_default();
        self.list(Note {
            at,
            number,
            name: crate::error::printable(&name.to_ascii_lowercase()),
            db: self.db,
            key: args.get(1).map(|key| key.to_vec()),
            why,
        });
        Ok(())
    }

    #[cold]
    fn list(&mut self, note: Note) {
        self.played.refused += 1;
        self.played.unplayable += u64::from(matches!(note.why.reason(), Reason::Unplayable(_)));
        // Threads tell theirs in turn: the first of all are among the first of each.
        if self.played.listed.len() < LISTED * 4 {
            self.played.listed.push(Refused {
                file: self.files.saturating_sub(1),
                note,
            });
        } else if self.played.listed.len() == LISTED * 4 {
            self.played.listed.sort_by_key(|one| one.note.number);
            self.played.listed.truncate(LISTED);
        }
    }
}

/// Arguments behind the name that a command looks at.
fn most(signature: &Signature) -> usize {
    usize::try_from(signature.arity).map_or(usize::MAX, |arity| arity.saturating_sub(1))
}

/// Who does a command.
enum Found {
    /// This one, of so many arguments behind the name at the most.
    Row(&'static Row, usize),
    /// It has nothing to do with the keyspace.
    Nothing,
    Multi,
    Exec,
}

/// MULTI and EXEC do not wait in the queue.
fn is_bracket(args: &[&[u8]]) -> bool {
    let is = |name: &[u8], word: &str| name.eq_ignore_ascii_case(word.as_bytes());
    matches!(args, [name] if is(name, "multi") || is(name, "exec"))
}
