//! `diff`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::Exit;
use crate::cli::args::{self, Common, FilterArgs, OutputArgs};
use crate::cli::values::{like, moment};
use crate::cli::words::Words;
use crate::command::Like;
use crate::report::text::{Paint, counted, shown};
use crate::report::{json_report, text};
use crate::task::diff::{DiffOptions, DiffOutcome, diff};

/// Say which keys differ between two snapshots or logs
///
/// Each line is a key that only one of them has, whose value differs, or whose expiry alone does. It
/// is the content that counts: how a value is packed in the file does not matter. A log, or the folder
/// of a multi-part AOF, is replayed first, as `redkit replay` does. Function libraries are compared as
/// well, unless filters ask for some keys only.
///
/// What the second input has comes first, in its order, then what only the first has.
#[derive(Args)]
#[command(after_help = AFTER)]
pub(super) struct Diff {
    /// The one that was: an RDB file, an AOF, a folder or manifest; `-` is the standard input
    old: PathBuf,

    /// The one that is
    new: PathBuf,

    /// `text` for people, `ndjson`, an object a line, or `json`, one document
    ///
    /// An object is {"db":0,"key":"k","change":"changed","old":{"type":"list","elements":3,"bytes":9,
    /// "expire_at_ms":null},"new":{…}}; `change` is added, removed, changed or expiry. The document is
    /// {"differences":[…],"same":N,"complete":true}. A function library that differs is
    /// {"function":"name","change":"changed"}.
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        hide_default_value = true,
        hide_possible_values = true
    )]
    format: DiffFormat,

    /// The server that logs are replayed as, as in redis-7.0 or valkey-9.1.2
    ///
    /// Without it: the one that each seems to be of.
    #[arg(long, value_name = "SERVER", value_parser = like)]
    like: Option<Like>,

    /// The time by which expiries are judged
    ///
    /// As 2026-11-21T05:00:00Z, in seconds since 1970, or in milliseconds.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    now: Option<i64>,

    #[command(flatten)]
    filter: FilterArgs,

    #[command(flatten)]
    output: OutputArgs,
}

const AFTER: &str = "\
Examples:
  redkit diff yesterday.rdb today.rdb
  redkit diff dump.rdb appendonlydir
  redkit diff -k 'user:*' --format ndjson a.rdb b.rdb | jq -r .key

Exit status:
  0  all keys are the same
  1  some differ, or an input is damaged: what stands before the damage was compared
  2  the command line is wrong
  3  an input cannot be read, or the output cannot be written
  4  an input is neither RDB file nor AOF, or of a version that is not known
  5  memory does not suffice";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DiffFormat {
    Text,
    Ndjson,
    Json,
}

impl Diff {
    pub(super) fn run(self, common: &Common, words: &Words) -> anyhow::Result<Exit> {
        let (old, new) = (args::input(&self.old), args::input(&self.new));
        let options = DiffOptions {
            like: self.like,
            now: self.now,
            filter: self.filter.options(self.now),
        };
        let mut out = self.output.open()?;
        let paint = match out.is_terminal() {
            true => words.out,
            false => Paint::Plain,
        };
        let format = self.format;
        let mut any = false;
        if format == DiffFormat::Json {
            out.write_all(b"{\"differences\":[")?;
        }
        let compared = common.run(&new, !out.is_terminal(), words, |run| {
            diff([&old, &new], &options, run, |one| {
                let line = match format {
                    DiffFormat::Text => text::difference(one, paint),
                    DiffFormat::Ndjson => json_report::difference(one) + "\n",
                    DiffFormat::Json if any => ",\n".to_owned() + &json_report::difference(one),
                    DiffFormat::Json => "\n".to_owned() + &json_report::difference(one),
                };
                any = true;
                out.write_all(line.as_bytes())
            })
        });
        let outcome = match compared {
            Err(error) if error.is_closed_pipe() => return Ok(Exit::Damage),
            compared => compared?,
        };
        for one in &outcome.libraries {
            let line = match format {
                DiffFormat::Text => text::library_difference(one, paint),
                DiffFormat::Ndjson => json_report::library_difference(one) + "\n",
                DiffFormat::Json if any => ",\n".to_owned() + &json_report::library_difference(one),
                DiffFormat::Json => "\n".to_owned() + &json_report::library_difference(one),
            };
            any = true;
            match out.write_all(line.as_bytes()) {
                Err(error) if error.is_closed_pipe() => return Ok(Exit::Damage),
                written => written?,
            }
        }
        if format == DiffFormat::Json {
            let (same, complete) = (outcome.same, outcome.complete);
            out.write_all(format!("\n],\"same\":{same},\"complete\":{complete}}}\n").as_bytes())?;
        }
        match out.finish() {
            Err(error) if error.is_closed_pipe() => {}
            finished => drop(finished?),
        }
        let names = [&old, &new].map(|input| shown(&args::name(input)));
        Ok(judge(&names, &outcome, words))
    }
}

/// Says what was wrong, and how many keys differ.
fn judge(names: &[String; 2], outcome: &DiffOutcome, words: &Words) -> Exit {
    for (name, findings) in names.iter().zip(&outcome.findings) {
        for finding in findings.list() {
            words.finding(name, finding);
        }
    }
    let counts = [
        (outcome.added, "added"),
        (outcome.removed, "removed"),
        (outcome.changed, "changed"),
        (outcome.expiry, "with another expiry"),
        (outcome.libraries.len() as u64, "in function libraries"),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let counts: Vec<_> = counts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let same = counted(outcome.same, "key");
    match counts.is_empty() {
        true => words.note(&format!("{same} the same")),
        false => words.note(&format!("{}; {same} the same", counts.join(", "))),
    }
    match outcome.differences() == 0 && outcome.complete {
        true => Exit::Done,
        false => Exit::Damage,
    }
}
