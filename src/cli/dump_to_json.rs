//! `dump-to-json`.

use clap::{Args, ValueEnum};

use crate::cli::Exit;
use crate::cli::args::{Common, FilterArgs, Inputs, JsonArgs, Modules, OutputArgs, finish, name};
use crate::cli::words::Words;
use crate::report::json::Select;
use crate::report::text::{counted, shown};
use crate::task::InputPath;
use crate::task::dump::{DumpOptions, DumpOutcome, dump};

/// Write snapshots and logs as JSON: every key with its value, one object a line
///
/// Each key is an object with its database, name, type, encoding in the file and value, and its
/// expiry where it has one. Strings are bytes: what is valid UTF-8 is a JSON string, anything else
/// is {"$b64":"…"}, so that nothing is lost. The order is that of the file.
///
/// An AOF, or the files of a multi-part AOF, named by their folder or manifest, are replayed first, as
/// `redkit replay` does; `encoding` is then what the server --like would save, and the order that of
/// databases and keys.
///
/// On damage everything before it is written, the fault goes to stderr, and the exit status is 1;
/// with --keep-going everything after it as well, as far as it can be told apart.
#[derive(Args)]
#[command(after_help = AFTER)]
pub(super) struct DumpToJson {
    #[command(flatten)]
    inputs: Inputs,

    /// `ndjson`, an object a line, or `json`, one document for each input
    ///
    /// The document is {"meta":{…},"keys":[…],"complete":true}; it is valid JSON also where the
    /// input is damaged.
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "ndjson",
        hide_default_value = true,
        hide_possible_values = true
    )]
    format: DumpFormat,

    /// What of a key: all, keys, meta, values
    ///
    /// `keys` writes database, key and type; `meta` everything but the value; `values` the bare
    /// values.
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "all",
        hide_default_value = true,
        hide_possible_values = true
    )]
    select: Selected,

    /// Order by database and key, and within values by member or field
    ///
    /// Members of sorted sets by score, then member. The index spills to temporary files.
    #[arg(long)]
    sort: bool,

    /// End with {"$end":{"keys":N,"complete":true}}
    #[arg(long)]
    with_end: bool,

    /// Go on behind damage, and keep the output of a damaged input
    #[arg(long)]
    keep_going: bool,

    #[command(flatten)]
    json: JsonArgs,

    #[command(flatten)]
    filter: FilterArgs,

    #[command(flatten)]
    output: OutputArgs,
}

const AFTER: &str = "\
Examples:
  redkit dump-to-json dump.rdb | head -3
  redkit dump-to-json dump.rdb.zst -o dump.ndjson
  redkit dump-to-json appendonlydir | jq -c '[.db, .key, .type]'
  redkit dump-to-json -k 'session:*' --ttl none --select keys dump.rdb
  redkit dump-to-json --elements '>100000' --select meta --with size dump.rdb
  redkit dump-to-json --type hash dump.rdb | jq -r '.key as $k | .value | keys[] | [$k, .] | @tsv'
  diff <(redkit dump-to-json --sort a.rdb) <(redkit dump-to-json --sort b.rdb)

Exit status:
  0  everything was written
  1  an input is damaged: what could be read was written to stdout; to FILE only with --keep-going
  2  the command line is wrong, or FILE exists
  3  an input cannot be read, or the output cannot be written
  4  an input is neither RDB file nor AOF, or of a version that is not known
  5  a limit was reached
Of several inputs the first of 3, 4, 1, 5.";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DumpFormat {
    Ndjson,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Selected {
    All,
    Keys,
    Meta,
    Values,
}

impl DumpToJson {
    pub(super) fn run(self, common: &Common, words: &Words) -> anyhow::Result<Exit> {
        let inputs = self.inputs.all()?;
        let options = self.options();
        let mut out = self.output.open()?;
        let mut worst = Exit::Done;
        for input in &inputs {
            let bar = !out.is_terminal();
            let dumped = common.run(input, bar, words, |run| {
                dump(input, &options, run, &mut out)
            });
            // Output that failed stays so: the other inputs would not come out either.
            let flushed = out.flush();
            let failed = dumped.is_err();
            worst = worst.max(match dumped {
                Ok(outcome) => judge(input, &outcome, words),
                Err(error) if error.is_closed_pipe() => return Ok(worst),
                // The options are at fault: they are so for every input.
                Err(error) if Exit::of(&error) == Exit::Usage => return Err(error.into()),
                Err(error) => {
                    words.error(&format!("{}: {error}", shown(&name(input))));
                    Exit::of(&error)
                }
            });
            match flushed {
                Ok(()) => {}
                Err(error) if error.is_closed_pipe() || failed => return Ok(worst),
                Err(error) => return Err(error.into()),
            }
        }
        finish(out, worst, self.keep_going, words)?;
        Ok(worst)
    }

    fn options(&self) -> DumpOptions {
        DumpOptions {
            document: self.format == DumpFormat::Json,
            strings: self.json.strings,
            pairs: self.json.pairs,
            raw_modules: self.json.modules == Modules::Raw,
            sort: self.sort,
            select: match self.select {
                Selected::All => Select::All,
                Selected::Keys => Select::Keys,
                Selected::Meta => Select::Meta,
                Selected::Values => Select::Values,
            },
            with: self.json.with(),
            with_end: self.with_end,
            keep_going: self.keep_going,
            now: self.json.now,
            like: self.json.like,
            filter: self.filter.options(self.json.now),
        }
    }
}

/// Says what was wrong and what was left out.
fn judge(input: &InputPath, outcome: &DumpOutcome, words: &Words) -> Exit {
    let name = name(input);
    for finding in outcome.findings.list() {
        words.finding(&name, finding);
    }
    let left_out: Vec<_> = [
        (outcome.functions_left_out, "function library"),
        (outcome.module_records_left_out, "module record"),
    ]
    .into_iter()
    .filter(|&(count, _)| count > 0)
    .map(|(count, noun)| match noun {
        "function library" if count > 1 => format!("{count} function libraries"),
        _ => counted(count, noun),
    })
    .collect();
    if !left_out.is_empty() {
        let (left_out, name) = (left_out.join(" and "), shown(&name));
        words.note(&format!(
            "{name}: left out {left_out}; `--with meta` writes them"
        ));
    }
    if outcome.findings.errors() > 0 || !outcome.complete {
        Exit::Damage
    } else {
        Exit::Done
    }
}
