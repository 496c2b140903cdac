//! `from-json`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::cli::args::{self, Common};
use crate::cli::values::target;
use crate::cli::words::Words;
use crate::cli::{Exit, args::finish};
use crate::error::Error;
use crate::io::output::{Existing, Output};
use crate::record::target::Target;
use crate::report::text::{counted, shown};
use crate::task::from_json::{FromJsonOptions, FromJsonOutcome, from_json};

/// Make a snapshot of JSON as dump-to-json writes it
///
/// Every record comes back: keys of all types with expiries, idle times and frequencies; AUX fields,
/// functions and the records of modules where `--with meta` wrote them; values of modules where
/// `--modules raw` did. All styles of strings are told apart by themselves, and it does not matter
/// how the text is laid out: a record a line, over several lines, or elements of one document.
///
/// Values are written in the form that the server --target would choose, in the order of the input.
/// Members of a record that are not known are errors, and so are members of a set, fields of a hash
/// and keys of a database that stand twice. Collections without elements are left out, as servers do.
#[derive(Args)]
#[command(after_help = AFTER)]
pub(super) struct FromJson {
    /// JSON of dump-to-json, its lines or its document; `-` is the standard input
    path: PathBuf,

    /// Write to FILE; `-` is the standard output
    ///
    /// The file appears whole or not at all: it is written under another name, synced, and renamed.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Replace FILE where it exists
    #[arg(long)]
    force: bool,

    /// The server that shall load the snapshot: redis-5.0 to redis-8.10, valkey-7.2 to valkey-9.1
    ///
    /// Without it: the one that wrote the source, where its AUX fields come before the first key, as
    /// `--with meta` or the head of a document has them; else redis-8.2. What that server cannot hold
    /// is refused.
    #[arg(long, value_name = "SERVER", value_parser = target)]
    target: Option<&'static Target>,

    /// Leave out records that cannot be read, and keep the output
    #[arg(long)]
    keep_going: bool,
}

const AFTER: &str = "\
Examples:
  redkit dump-to-json --with meta dump.rdb | redkit from-json - -o copy.rdb
  redkit dump-to-json dump.rdb | jq -c 'select(.key != \"broken\")' | redkit from-json - -o less.rdb
  redkit from-json dump.ndjson.zst -o dump.rdb --target valkey-9.1

Exit status:
  0  the snapshot was written
  1  the JSON is damaged, incomplete, or has a key twice: written only with --keep-going, and never
     with a key twice
  2  the command line is wrong, or FILE exists
  3  the input cannot be read, or the output cannot be written
  4  the input is no JSON of dump-to-json or lacks the values, or the target cannot hold them
  5  a limit was reached";

impl FromJson {
    pub(super) fn run(self, common: &Common, words: &Words) -> anyhow::Result<Exit> {
        let input = args::input(&self.path);
        let name = shown(&args::name(&input));
        let existing = match self.force {
            true => Existing::Replace,
            false => Existing::Refuse,
        };
        let mut out = Output::create(&self.output, existing)?;
        out.refuse_terminal()?;
        let options = FromJsonOptions {
            target: self.target,
            keep_going: self.keep_going,
        };
        let made = common.run(&input, true, words, |run| {
            from_json(&input, &options, run, &mut out)
        });
        let outcome = match made {
            Err(error) if error.is_closed_pipe() => return Ok(Exit::Done),
            made => made.with_context(|| name.clone())?,
        };
        let exit = judge(&name, &outcome, words);
        if !outcome.twice.is_empty() && out.temporary().is_some() {
            words.note(&format!("{} is not written", shown(out.name())));
            return Ok(exit);
        }
        finish(out, exit, self.keep_going, words)?;
        words.aside(&format!(
            "{} for {}",
            counted(outcome.keys, "key"),
            outcome.target
        ));
        Ok(exit)
    }
}

/// Says what was wrong.
fn judge(name: &str, outcome: &FromJsonOutcome, words: &Words) -> Exit {
    let list = |errors: &[Error], all: u64| {
        for error in errors {
            words.error(&format!("{name}: {error}"));
        }
        if let more @ 1.. = all.saturating_sub(errors.len() as u64) {
            words.error(&format!("{name}: and {}", counted(more, "more error")));
        }
    };
    list(&outcome.errors, outcome.faults);
    list(&outcome.twice, outcome.twice_count);
    if outcome.incomplete {
        words.error(&format!(
            "{name}: it says of itself that it is not complete"
        ));
    }
    if let Some(expected) = outcome.expected_keys {
        words.note(&format!(
            "{name}: its end speaks of {}, and there are {}",
            counted(expected, "key"),
            outcome.keys + outcome.empty
        ));
    }
    if outcome.empty > 0 {
        let empty = counted(outcome.empty, "collection");
        words.note(&format!("{name}: left out {empty} without elements"));
    }
    match outcome.faults > 0 || !outcome.twice.is_empty() || outcome.incomplete {
        true => Exit::Damage,
        false => Exit::Done,
    }
}
