//! The command line: arguments, messages, progress, exit status.
//!
//! Data goes to stdout, words go to stderr. A closed pipe is not an error. A panic is caught, and
//! says where to report it.

mod args;
mod check_aof;
mod check_rdb;
mod compat;
mod completions;
mod convert;
mod cut;
mod diff;
mod dump_to_json;
mod explain;
mod fix_aof;
mod formats;
mod from_json;
mod get;
mod info;
mod inside;
mod log;
mod man;
mod memory;
mod progress;
mod replay;
mod rewrite_aof;
mod salvage;
mod stats;
mod values;
mod verify;
mod words;
mod writing;
mod wrong_command;

use std::ffi::OsString;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind as ClapKind};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::bytes::Problem;
use crate::error::{Error, ErrorKind};
use crate::io::decompress;
use args::Common;
use words::Words;

/// How the program ended. The order is that of the contract: of several causes the last counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// The file is sound, or the job is done.
    Done,
    /// An assertion or a limit failed.
    Limit,
    /// Output was written, but some data could not be kept.
    Partial,
    /// Damage was found, or a difference.
    Damage,
    /// The command line is wrong, or consent is missing.
    Usage,
    /// A format or version that this program, or the target, cannot hold.
    Unsupported,
    /// Something could not be read or written.
    Io,
    /// A bug of this program.
    Bug,
}

impl Exit {
    /// Every status with its code and meaning, by code.
    pub const TABLE: [(Exit, u8, &'static str); 8] = [
        (
            Exit::Done,
            0,
            "the file is sound (warnings or not), or the job is done",
        ),
        (Exit::Damage, 1, "damage was found"),
        (Exit::Usage, 2, "the command line is wrong"),
        (Exit::Io, 3, "missing, unreadable, disk full"),
        (
            Exit::Unsupported,
            4,
            "a format or version that this program cannot read",
        ),
        (
            Exit::Limit,
            5,
            "sound, but a limit was reached, or what was asked for is not there",
        ),
        (
            Exit::Partial,
            6,
            "output written, some data could not be kept",
        ),
        (Exit::Bug, 70, "a bug of redkit"),
    ];

    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        let found = Exit::TABLE.iter().find(|(exit, ..)| *exit == self);
        found.map_or(70, |&(_, code, _)| code)
    }

    /// What an error leads to.
    fn of(error: &Error) -> Exit {
        match error.kind() {
            ErrorKind::Bytes(Problem::FutureVersion { .. } | Problem::UnreadableType { .. }) => {
                Exit::Unsupported
            }
            ErrorKind::Bytes(_) | ErrorKind::Text(_) => Exit::Damage,
            ErrorKind::Io(error) if decompress::is_damage(error) => Exit::Damage,
            ErrorKind::Io(_) => Exit::Io,
            ErrorKind::WrongKind { .. } | ErrorKind::Unsupported(_) => Exit::Unsupported,
            ErrorKind::Limit(_) => Exit::Limit,
            ErrorKind::Usage(_) => Exit::Usage,
            ErrorKind::ClosedPipe => Exit::Done,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// Check and read the snapshots and logs of Redis and Valkey, without a server
///
/// redkit works on RDB files, the snapshots of Redis, Valkey, KeyDB and Dragonfly, and on AOFs, the
/// logs of Redis and Valkey. It needs no server and opens no network connection. Inputs are only
/// ever read.
///
/// A PATH may be compressed by gzip, zstd, lz4 or xz; `-` is the standard input. What a file is,
/// its content decides, never its name. Commands that check and replay also take tar archives of
/// backups, and a server's data folder with its `--conf`.
#[derive(Parser)]
#[command(
    name = "redkit",
    version,
    disable_version_flag = true,
    disable_help_flag = true,
    subcommand_required = true,
    arg_required_else_help = true,
    propagate_version = true,
    max_term_width = 100,
    after_help = overview()
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

#[derive(Subcommand)]
enum Command {
    CheckRdb(check_rdb::CheckRdb),
    CheckAof(check_aof::CheckAof),
    DumpToJson(dump_to_json::DumpToJson),
    FromJson(from_json::FromJson),
    Replay(replay::Replay),
    Diff(diff::Diff),
    Get(get::Get),
    Info(info::Info),
    Stats(Box<stats::Stats>),
    Log(log::Log),
    Cut(cut::Cut),
    RewriteAof(Box<rewrite_aof::RewriteAof>),
    Convert(Box<convert::Convert>),
    Verify(Box<verify::Verify>),
    Formats(formats::Formats),
    Salvage(salvage::Salvage),
    Explain(explain::Explain),
    Completions(completions::Completions),
    Man(man::Man),
}

/// The whole tree of commands, for completions, man pages and documents.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program with these arguments, the first of which is its own name.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    panic::set_hook(Box::new(words::report_a_bug));
    let args: Vec<OsString> = args.into_iter().collect();
    guarded(|| compat::run(&args).unwrap_or_else(|| parse_and_run(&args)))
}

/// A panic has said what there is to say on its way here.
fn guarded(run: impl FnOnce() -> Exit) -> Exit {
    panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or(Exit::Bug)
}

fn parse_and_run(args: &[OsString]) -> Exit {
    let tree = command().color(args::colour_asked_for(args));
    let parsed = tree
        .try_get_matches_from(args)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let Cli { command, common } = match parsed {
        Ok(cli) => cli,
        Err(error) => return not_run(error),
    };
    let words = Words::new(&common);
    let done = match command {
        Command::CheckRdb(command) => command.run(&common, &words),
        Command::CheckAof(command) => command.run(&common, &words),
        Command::DumpToJson(command) => command.run(&common, &words),
        Command::FromJson(command) => command.run(&common, &words),
        Command::Diff(command) => command.run(&common, &words),
        Command::Replay(command) => command.run(&common, &words),
        Command::Get(command) => command.run(&common, &words),
        Command::Info(command) => command.run(&common, &words),
        Command::Stats(command) => command.run(&common, &words),
        Command::Log(command) => command.run(&common, &words),
        Command::Cut(command) => command.run(&common, &words),
        Command::RewriteAof(command) => command.run(&common, &words),
        Command::Convert(command) => command.run(&common, &words),
        Command::Verify(command) => command.run(&common, &words),
        Command::Formats(command) => command.run(&words),
        Command::Salvage(command) => command.run(&common, &words),
        Command::Explain(command) => command.run(&words),
        Command::Completions(command) => command.run(&words),
        Command::Man(command) => command.run(),
    };
    done.unwrap_or_else(|error| fail(&words, &error))
}

/// Says what ended a command, and what status it leads to.
fn fail(words: &Words, error: &anyhow::Error) -> Exit {
    let exit = error.downcast_ref().map_or(Exit::Io, Exit::of);
    if !error.downcast_ref().is_some_and(Error::is_closed_pipe) {
        words.error(&format!("{error:#}"));
    }
    exit
}

/// Help, the version, or a command line that is wrong.
fn not_run(mut error: clap::Error) -> Exit {
    let printed = match error.kind() {
        ClapKind::DisplayHelp => error.print().map_err(Error::from),
        // The same for every command.
        ClapKind::DisplayVersion => {
            words::print(concat!("redkit ", env!("CARGO_PKG_VERSION"), "\n"))
        }
        kind => {
            if kind == ClapKind::InvalidValue {
                shorten(&mut error);
            }
            match wrong_command::advice(&error) {
                Some(advice) => words::complain(&advice),
                // Nobody is left to be told where this fails.
                None => drop(error.print()),
            }
            return Exit::Usage;
        }
    };
    match printed {
        Ok(()) => Exit::Done,
        Err(error) if error.is_closed_pipe() => Exit::Done,
        Err(error) => {
            words::complain(&error.to_string());
            Exit::of(&error)
        }
    }
}

/// All findings there are would be in the way of the one that is meant.
fn shorten(error: &mut clap::Error) {
    let many = matches!(
        error.get(ContextKind::ValidValue),
        Some(ContextValue::Strings(values)) if values.len() > MANY
    );
    if many {
        error.remove(ContextKind::ValidValue);
    }
}

/// More values than this are not listed where one is wrong.
const MANY: usize = 20;

fn overview() -> String {
    let mut out = String::from(
        "\
Examples:
  redkit check-rdb dump.rdb               Is it sound, and who can load it?
  redkit check-aof appendonly.aof         Will the server start, and what does it lose?
  redkit dump-to-json dump.rdb.gz | jq    Every key with its value, a line each
  redkit from-json dump.ndjson -o new.rdb And back again
  redkit get dump.rdb user:1000           One key
  redkit stats --html s.html dump.rdb     What takes the room?
  redkit replay --digest appendonlydir    What does the log come to?
  redkit salvage dump.rdb -o saved.rdb    Every whole key of a damaged file
  redkit diff old.rdb appendonlydir       Which keys differ?
  redkit log --cmd FLUSHALL appendonlydir Who emptied it, and when?
  redkit rewrite-aof appendonlydir -o new A log as small as a server would write it
  redkit verify --max-age 26h backup.tar  Does last night's backup restore?
  redkit explain rdb-checksum             What a finding means

Exit status:
",
    );
    for (_, code, meaning) in Exit::TABLE {
        out.push_str(&format!("  {code:>2}  {meaning}\n"));
    }
    out.push_str("Of several causes or paths the first of 70, 3, 4, 2, 1, 6, 5.");
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Place, What};

    #[test]
    fn exit_codes_are_those_of_the_contract() {
        let codes: Vec<_> = Exit::TABLE.iter().map(|&(_, code, _)| code).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 70]);
        assert_eq!(Exit::Damage.code(), 1);
        assert_eq!(Exit::Bug.code(), 70);
    }

    #[test]
    fn of_several_causes_the_first_in_the_contract_counts() {
        let mut order: Vec<_> = Exit::TABLE.iter().map(|&(exit, ..)| exit).collect();
        order.sort_unstable_by(|a, b| b.cmp(a));
        let codes: Vec<_> = order.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes, [70, 3, 4, 2, 1, 6, 5, 0]);
    }

    #[test]
    fn every_kind_of_error_has_its_status() {
        let bytes = |problem| Error::bytes(problem, Place::at(0), What::Header);
        let io = |kind| Error::from(std::io::Error::from(kind));
        use std::io::ErrorKind as Io;
        for (error, code) in [
            (bytes(Problem::Magic), 1),
            (bytes(Problem::FutureVersion { version: 99 }), 4),
            (bytes(Problem::UnreadableType { found: 33 }), 4),
            (io(Io::NotFound), 3),
            (io(Io::StorageFull), 3),
            (io(Io::InvalidData), 1),
            (io(Io::BrokenPipe), 0),
            (Error::usage("x"), 2),
            (Error::limit("x"), 5),
            (Error::new(ErrorKind::Unsupported(String::new())), 4),
        ] {
            assert_eq!(Exit::of(&error).code(), code, "{error}");
        }
    }

    #[test]
    fn a_panic_is_status_70() {
        assert_eq!(guarded(|| panic!("as meant")), Exit::Bug);
        assert_eq!(guarded(|| Exit::Limit), Exit::Limit);
    }

    #[test]
    fn the_tree_of_commands_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_command_and_option_has_help_and_every_command_examples() {
        let mut tree = command();
        tree.build();
        for sub in tree
            .get_subcommands()
            .filter(|sub| sub.get_name() != "help")
        {
            let name = sub.get_name();
            assert!(sub.get_about().is_some(), "{name}");
            let after = sub.get_after_help().expect(name).to_string();
            assert!(
                after.contains("Examples:") && after.contains("Exit status:"),
                "{name}"
            );
            for arg in sub.get_arguments() {
                assert!(arg.get_help().is_some(), "{name} {}", arg.get_id());
            }
        }
    }
}
