//! Every command by name: how many arguments it takes, where its keys are, since when, on which
//! servers. No handlers: a reader of logs can know commands too.
//!
//! The facts are the servers' own answers to `COMMAND` and `COMMAND DOCS`, kept in
//! `testdata/commands.tsv`. Five servers were asked ([`ServerLine`]); what another version knows
//! follows from the nearest of them and from the version that each command came with ([`Like`]).
//! Commands of modules are not in the table, but for the vector sets that Redis 8 has built in.
//!
//! ```
//! use redkit::command::{self, Like};
//!
//! let like: Like = "redis-7.4".parse().unwrap();
//! let expire = command::lookup(b"HPEXPIRE").unwrap();
//! assert_eq!(expire.arity_on(like), Some(-6));
//! assert!(expire.is_write_on(like));
//! assert!(expire.on("redis-7.2".parse().unwrap()).is_none());
//! assert!(command::lookup(b"no such command").is_none());
//! ```

mod flags;
mod keys;
mod like;
mod table;

pub use flags::{Flag, Flags};
pub use keys::key_positions;
pub use like::{Like, NotAServer, ServerLine, Version};

/// The command of this name, in any case, whichever server knows it.
///
/// The name of a subcommand (`config|set`) is not a command: see [`CommandSpec::resolve`].
#[inline]
pub fn lookup(name: &[u8]) -> Option<&'static CommandSpec> {
    table::table().find(name)
}

/// All commands, sorted by name; each stands at its [`CommandSpec::index`].
pub fn all() -> &'static [CommandSpec] {
    table::table().commands()
}

/// A command or subcommand: what each server says of it.
#[derive(Debug)]
pub struct CommandSpec {
    name: &'static str,
    index: usize,
    signatures: [Option<Signature>; ServerLine::ALL.len()],
    subcommands: Vec<CommandSpec>,
}

impl CommandSpec {
    /// In lower case; of a subcommand with its container, as `config|set`.
    #[inline]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its place in [`all`], or among the subcommands of its container.
    #[inline]
    pub fn index(&self) -> usize {
        self.index
    }

    /// What this server says of it; none if it does not know it.
    ///
    /// A server that was not asked says what the line before it says ([`Like::line`]), and knows
    /// besides that what the line behind it has since that version or an earlier one.
    #[inline]
    pub fn on(&self, like: Like) -> Option<&Signature> {
        match self.said_by(like.line()) {
            Some(own) if !like.is_before_its_line() || like.has(own.since) => Some(own),
            Some(_) => None,
            None => {
                let next = self.said_by(like.next_line()?)?;
                like.has(next.since).then_some(next)
            }
        }
    }

    /// What the server that stands for this line said.
    #[inline]
    pub fn said_by(&self, line: ServerLine) -> Option<&Signature> {
        let [redis62, redis70, redis82, valkey81, valkey91] = &self.signatures;
        match line {
            ServerLine::Redis62 => redis62.as_ref(),
            ServerLine::Redis70 => redis70.as_ref(),
            ServerLine::Redis82 => redis82.as_ref(),
            ServerLine::Valkey81 => valkey81.as_ref(),
            ServerLine::Valkey91 => valkey91.as_ref(),
        }
    }

    /// The lines whose servers know it, of Redis first.
    pub fn known_to(&self) -> impl Iterator<Item = ServerLine> {
        let lines = ServerLine::ALL.into_iter();
        lines.filter(|line| self.said_by(*line).is_some())
    }

    /// How many arguments this server wants, counted with the name: exactly so many, or at least,
    /// when it is negative; none if it does not know the command.
    #[inline]
    pub fn arity_on(&self, like: Like) -> Option<i64> {
        self.on(like).map(|signature| i64::from(signature.arity))
    }

    /// Whether it is known there and flagged as writing. Since 7.0 a container is not, but some of
    /// its subcommands are: see [`CommandSpec::resolve`].
    #[inline]
    pub fn is_write_on(&self, like: Like) -> bool {
        let signature = self.on(like);
        signature.is_some_and(|signature| signature.flags.has(Flag::Write))
    }

    /// Whether there is a server on which it may have so many arguments, counted with the name.
    #[inline]
    pub fn accepted_by_any(&self, argc: u64) -> bool {
        self.signatures.iter().flatten().any(|s| s.accepts(argc))
    }

    /// Its subcommands, sorted by name, whichever server knows them. Redis 6.2 tells of none.
    pub fn subcommands(&self) -> &[CommandSpec] {
        &self.subcommands
    }

    /// The subcommand of this name, in any case, without that of the container.
    pub fn subcommand(&self, name: &[u8]) -> Option<&CommandSpec> {
        self.subcommands.iter().find(|subcommand| {
            let own = subcommand.name.rsplit('|').next().unwrap_or_default();
            own.as_bytes().eq_ignore_ascii_case(name)
        })
    }

    /// What a server takes a command for, of which this is the first word and `second` the second.
    /// From 7.0 on it goes by the subcommand, where there are any and a second word.
    #[inline]
    pub fn resolve(&self, second: Option<&[u8]>, like: Like) -> Resolved<'_> {
        let Some(own) = self.on(like) else {
            return Resolved::UnknownCommand;
        };
        let Some(second) = second.filter(|_| !self.subcommands.is_empty()) else {
            return Resolved::Known(self.name, own);
        };
        if !self.subcommands.iter().any(|one| one.on(like).is_some()) {
            return Resolved::Known(self.name, own);
        }
        let found = self
            .subcommand(second)
            .and_then(|found| Some((found.name, found.on(like)?)));
        match found {
            Some((name, signature)) => Resolved::Known(name, signature),
            None => Resolved::UnknownSubcommand,
        }
    }
}

/// The number of arguments, counted with the name, from which on a server crashes when it runs this
/// command from a log: behind a log there is no client that could be answered, freed or asked for.
/// `second` is the second word of a container. Where it is a matter of time or of what the
/// arguments say, it counts as a crash too: no server logs these.
pub fn crashes_in_a_log(name: &str, second: Option<&[u8]>, like: Like) -> Option<u64> {
    let line = like.line();
    match name {
        "psync" => Some(3),
        "wait" if matches!(line, ServerLine::Redis62 | ServerLine::Redis70) => Some(3),
        _ if line != ServerLine::Redis62 => None,
        "auth" => Some(3),
        "client" => second
            .is_some_and(|second| second.eq_ignore_ascii_case(b"info"))
            .then_some(2),
        "hello" => Some(5),
        "host:" | "post" | "punsubscribe" | "reset" | "sync" | "unsubscribe" => Some(1),
        _ => None,
    }
}

/// What a server takes a command for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolved<'t> {
    /// The command or subcommand of this name.
    Known(&'static str, &'t Signature),
    /// It knows no command of this name.
    UnknownCommand,
    /// It knows the container, and in it no subcommand of this name.
    UnknownSubcommand,
}

/// What a server says of a command. Positions count from the name, which is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Number of arguments with the name, and of a subcommand with both names: exactly so many, or
    /// at least, when it is negative.
    pub arity: i8,
    /// Position of the first key; 0 when none has a fixed position (some commands have keys all
    /// the same: [`Flag::MovableKeys`]).
    pub first_key: i8,
    /// Position of the last key; when negative, from the end: -1 is the last argument.
    pub last_key: i8,
    /// From one key to the next.
    pub step: i8,
    /// What kind of command it is.
    pub flags: Flags,
    /// The first version of the family that has it, where that is told.
    pub since: Option<Version>,
}

impl Signature {
    /// Whether it may have so many arguments, counted with the name.
    #[inline]
    pub fn accepts(&self, argc: u64) -> bool {
        let wanted = u64::from(self.arity.unsigned_abs());
        if self.arity < 0 {
            argc >= wanted
        } else {
            argc == wanted
        }
    }

    /// Whether a server goes on behind it in a log: Redis does not look at the number of arguments
    /// there, and crashes where it is too small; what is too much it leaves alone.
    #[inline]
    pub fn runs_in_a_log(&self, argc: u64, like: Like) -> bool {
        self.accepts(argc) || !like.is_valkey() && argc > u64::from(self.arity.unsigned_abs())
    }

    /// Where the keys of fixed position are, among so many arguments counted with the name.
    pub fn keys(&self, argc: u64) -> impl Iterator<Item = u64> {
        let step = usize::try_from(self.step).unwrap_or(1).max(1);
        let end = argc.saturating_sub(1);
        let keys = u64::try_from(self.first_key)
            .ok()
            .filter(|first| *first > 0)
            .and_then(|first| {
                let last = match u64::try_from(self.last_key) {
                    Ok(last) => last.min(end),
                    Err(_) => argc.checked_sub(u64::from(self.last_key.unsigned_abs()))?,
                };
                Some(first..=last)
            });
        keys.into_iter().flatten().step_by(step)
    }
}

#[cfg(test)]
mod tests;
