//! Arguments that several commands share; they mean the same everywhere.

use std::ffi::{OsStr, OsString};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;

use clap::{ArgAction, Args, ColorChoice, ValueEnum};

use crate::cli::progress::Bar;
use crate::cli::values::{
    comparison, like, moment, size, slots, strings, threads, ttl_classes, types,
};
use crate::cli::words::{self, Words};
use crate::cli::{Exit, memory};
use crate::command::Like;
use crate::error::{Error, Result};
use crate::io::output::{Existing, Output};
use crate::io::progress::{Progress, Quiet};
use crate::record::DataType;
use crate::record::filter::{Comparison, FilterOptions, TtlClass};
use crate::report::json::StringStyle;
use crate::report::{json_report, text};
use crate::task::dump::With;
use crate::task::{InputPath, Run};

/// Options of every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Common options")]
pub(super) struct Common {
    /// Say only what is wrong
    ///
    /// Notes are left out, and so are the text reports of `check-rdb` on sound files. JSON stays
    /// whole.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,

    /// Say more: how much was read in which time
    #[arg(short, long, global = true)]
    pub(super) verbose: bool,

    /// When to use colours: auto, always, never
    ///
    /// `auto` means on a terminal, unless the variable NO_COLOR is set.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        hide_default_value = true,
        hide_possible_values = true
    )]
    pub(super) color: When,

    /// Threads that decode [default: one a processor]
    ///
    /// The output does not depend on it.
    #[arg(long, global = true, hide_short_help = true, value_name = "N", value_parser = threads)]
    threads: Option<usize>,

    /// Do not show a progress bar
    ///
    /// It is shown on a terminal only, for work longer than half a second.
    #[arg(long, global = true, hide_short_help = true)]
    no_progress: bool,

    /// Read files instead of mapping them into memory
    ///
    /// For file systems on which mapped files fail, and for files that others cut short meanwhile.
    #[arg(long, global = true, hide_short_help = true)]
    no_mmap: bool,

    /// Memory to use at most, as in 512MiB or 2GB [default: three quarters of what there is]
    ///
    /// What there is: the memory of the machine or of its control group, whichever is less. A job
    /// that needs more is refused with status 5.
    #[arg(long, global = true, hide_short_help = true, value_name = "SIZE", value_parser = size)]
    max_memory: Option<u64>,

    /// Room in temporary files to use at most [default: 10GiB]
    ///
    /// They stand in the folder that the variable TMPDIR names, and are gone with the program.
    #[arg(long, global = true, hide_short_help = true, value_name = "SIZE", value_parser = size, default_value = "10GiB", hide_default_value = true)]
    max_spool: u64,

    /// Print help: short with -h, all of it with --help
    #[arg(short, long, global = true, action = ArgAction::Help)]
    help: Option<bool>,

    /// Print the version
    #[arg(short = 'V', long, global = true, action = ArgAction::Version)]
    version: Option<bool>,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Common {
    /// Runs a task on an input. `bar` says whether a progress bar would not be in the way.
    pub(super) fn run<T>(
        &self,
        input: &InputPath,
        bar: bool,
        words: &Words,
        task: impl FnOnce(&Run<'_>) -> Result<T>,
    ) -> Result<T> {
        let name = name(input);
        let bar = Bar::new(&text::shown(&name), bar && !self.no_progress && !self.quiet);
        let result = task(&self.with(&bar));
        let (bytes, time) = bar.so_far();
        drop(bar);
        let (bytes, time) = (text::counted(bytes, "byte"), time.as_secs_f64());
        words.aside(&format!("{}: {bytes} in {time:.3} s", text::shown(&name)));
        result
    }

    /// Looks at an input before the task, without a word.
    pub(super) fn look<T>(&self, task: impl FnOnce(&Run<'_>) -> Result<T>) -> Result<T> {
        task(&self.with(&Quiet))
    }

    fn with<'a>(&self, progress: &'a dyn Progress) -> Run<'a> {
        Run {
            threads: self.threads(),
            mmap: !self.no_mmap,
            max_spool: self.max_spool,
            max_memory: self.max_memory.unwrap_or_else(memory::default_limit),
            progress,
        }
    }

    fn threads(&self) -> usize {
        let all = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.threads.unwrap_or_else(all)
    }
}

/// The colours of messages about a command line that cannot be parsed.
pub(super) fn colour_asked_for(args: &[OsString]) -> ColorChoice {
    let mut asked = ColorChoice::Auto;
    let mut args = args.iter().map(|arg| arg.as_os_str()).peekable();
    while let Some(arg) = args.next() {
        let value = match arg.to_str() {
            Some("--") => break,
            Some("--color") => args.peek().copied().and_then(OsStr::to_str),
            Some(arg) => arg.strip_prefix("--color="),
            None => None,
        };
        match value {
            Some("always") => asked = ColorChoice::Always,
            Some("never") => asked = ColorChoice::Never,
            _ => {}
        }
    }
    asked
}

/// Inputs of commands that take several.
#[derive(Args, Debug)]
pub(super) struct Inputs {
    /// Files, or folders of multi-part AOFs where logs are read; `-` is the standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
}

impl Inputs {
    /// Every input in turn.
    ///
    /// # Errors
    /// The standard input stands among them twice.
    pub(super) fn all(&self) -> Result<Vec<InputPath>> {
        let inputs: Vec<_> = self.paths.iter().map(|path| input(path)).collect();
        let from_stdin = inputs.iter().filter(|i| **i == InputPath::Stdin).count();
        if from_stdin > 1 {
            return Err(Error::usage("the standard input (-) can be read only once"));
        }
        Ok(inputs)
    }
}

/// What a path means.
pub(super) fn input(path: &Path) -> InputPath {
    if path == Path::new("-") {
        InputPath::Stdin
    } else {
        InputPath::File(path.to_path_buf())
    }
}

/// The name of an input in messages and reports.
pub(super) fn name(input: &InputPath) -> String {
    match input {
        InputPath::Stdin => "stdin".to_owned(),
        InputPath::File(path) => path.display().to_string(),
    }
}

/// How a report is shown.
#[derive(Args, Debug)]
pub(super) struct ReportArgs {
    /// `text` for people, or `json`: an object a line for each input
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        hide_default_value = true,
        hide_possible_values = true
    )]
    pub(super) format: ReportFormat,
}

/// How a report is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Prints one report an input. An input that fails does not keep the others from being read.
pub(super) fn each_report(
    command: &'static str,
    inputs: &[InputPath],
    format: ReportFormat,
    words: &Words,
    mut report: impl FnMut(&InputPath) -> Result<(String, Exit)>,
) -> Result<Exit> {
    let mut worst = Exit::Done;
    let mut printed = false;
    for input in inputs {
        let name = name(input);
        let text = match report(input) {
            Ok((text, exit)) => {
                worst = worst.max(exit);
                text
            }
            Err(error) => {
                let exit = Exit::of(&error);
                worst = worst.max(exit);
                words.error(&format!("{}: {error}", text::shown(&name)));
                match format {
                    ReportFormat::Text => continue,
                    ReportFormat::Json => {
                        json_report::failure(command, &name, &error, exit.code()) + "\n"
                    }
                }
            }
        };
        let between = match format {
            ReportFormat::Text if printed && !text.is_empty() => "\n",
            _ => "",
        };
        printed |= !text.is_empty();
        match words::print(&format!("{between}{text}")) {
            // Who reads no further has seen enough; what was found still counts.
            Err(error) if error.is_closed_pipe() => return Ok(worst),
            done => done?,
        }
    }
    Ok(worst)
}

/// Where data goes.
#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
pub(super) struct OutputArgs {
    /// Write to FILE instead of stdout
    ///
    /// The file appears whole or not at all: it is written under another name, synced, and
    /// renamed. Pipes and devices are written through. `-` is the standard output.
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "-",
        hide_default_value = true
    )]
    output: PathBuf,

    /// Replace FILE where it exists
    #[arg(long)]
    force: bool,
}

impl OutputArgs {
    /// Opens it.
    ///
    /// # Errors
    /// It exists and may not be replaced, or cannot be written.
    pub(super) fn open(&self) -> Result<Output> {
        let existing = match self.force {
            true => Existing::Replace,
            false => Existing::Refuse,
        };
        Output::create(&self.output, existing)
    }
}

/// Gives the output its name, unless it is not what was asked for.
pub(super) fn finish(out: Output, worst: Exit, keep_going: bool, words: &Words) -> Result<()> {
    if worst != Exit::Done && !keep_going && out.temporary().is_some() {
        let name = text::shown(out.name());
        words.note(&format!(
            "{name} is not written; `--keep-going` keeps what could be read"
        ));
        return Ok(());
    }
    for lost in out.lost() {
        words.note(&format!(
            "{}: its {lost} could not be kept",
            text::shown(out.name())
        ));
    }
    match out.finish() {
        Err(error) if error.is_closed_pipe() => Ok(()),
        done => done.map(|_| ()),
    }
}

/// How values are written as JSON.
#[derive(Args, Debug)]
#[command(next_help_heading = "Values")]
pub(super) struct JsonArgs {
    /// How to write strings: auto, base64, hex, escape
    ///
    /// `auto` writes valid UTF-8 as it is and anything else as {"$b64":"…"}. The others write all
    /// strings alike: as base64, as hexadecimal digits, or as text with \xHH for what is not
    /// printable ASCII. No byte is lost in any of them.
    #[arg(long, value_name = "STYLE", value_parser = strings(), default_value = "auto", hide_default_value = true, hide_possible_values = true)]
    pub(super) strings: StringStyle,

    /// Write hashes as [["field","value"],…] instead of objects
    ///
    /// Keeps the order of the fields, and fields that stand twice.
    #[arg(long)]
    pub(super) pairs: bool,

    /// How to write values of modules: decoded, raw
    ///
    /// `decoded` writes what a value means where that is known, and its bytes elsewhere; `raw` the
    /// bytes of all, from which `from-json` makes the value again.
    #[arg(
        long,
        value_name = "HOW",
        default_value = "decoded",
        hide_default_value = true,
        hide_possible_values = true
    )]
    pub(super) modules: Modules,

    /// Add to each key: size, offset, ttl; or, as objects of their own, meta
    ///
    /// `size` is the bytes of the value in the file, `offset` where its record begins, `ttl` the
    /// milliseconds from --now to its expiry. `meta` writes AUX fields, functions and the records of
    /// modules as objects with "type":"aux", "function" or "module-aux". May be given more than
    /// once, or as a list with commas.
    #[arg(
        long,
        value_name = "WHAT",
        value_delimiter = ',',
        hide_possible_values = true
    )]
    with: Vec<Extra>,

    /// The time by which expiries are judged
    ///
    /// As 2026-11-21T05:00:00Z, in seconds since 1970, or in milliseconds (from 100000000000 on).
    /// The clock is never read: what depends on the time needs this. Nothing is left out for having
    /// expired, unless --ttl says so.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(super) now: Option<i64>,

    /// The server that a log is replayed as, as in redis-7.0 or valkey-9.1.2
    ///
    /// Without it: the writer of the snapshot in front, else redis-8.2, or valkey-9.1 where the log
    /// has a command that only Valkey knows.
    #[arg(long, value_name = "SERVER", value_parser = like)]
    pub(super) like: Option<Like>,
}

/// How values of modules are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Modules {
    /// As what they mean, where that is known.
    Decoded,
    /// As their bytes.
    Raw,
}

/// What can be added to each key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Extra {
    Meta,
    Size,
    Offset,
    Ttl,
}

impl JsonArgs {
    /// What is added.
    pub(super) fn with(&self) -> With {
        With {
            meta: self.with.contains(&Extra::Meta),
            size: self.with.contains(&Extra::Size),
            offset: self.with.contains(&Extra::Offset),
            ttl: self.with.contains(&Extra::Ttl),
        }
    }
}

/// Which keys come out.
#[derive(Args, Debug)]
#[command(next_help_heading = "Filters")]
pub(super) struct FilterArgs {
    /// Only keys that match this pattern, as in KEYS: user:*, h?llo, [a-c]*
    ///
    /// May be given more than once: one of the patterns must match.
    #[arg(short, long = "key", value_name = "GLOB")]
    keys: Vec<OsString>,

    /// Only keys in which this regular expression matches
    #[arg(long, value_name = "RE")]
    key_regex: Option<String>,

    /// No keys that match this pattern; may be given more than once
    #[arg(short = 'K', long = "not-key", value_name = "GLOB")]
    not_keys: Vec<OsString>,

    /// Only these types: string, list, set, zset, hash, stream, module, …
    ///
    /// Others are array (Redis 8.8), cron (KeyDB) and json (Dragonfly). May be given more than
    /// once, or as a list with commas.
    #[arg(short = 't', long = "type", value_name = "TYPE", value_delimiter = ',', value_parser = types(), hide_possible_values = true)]
    types: Vec<DataType>,

    /// Only these databases; may be given more than once, or as a list with commas
    #[arg(long = "db", value_name = "N", value_delimiter = ',')]
    dbs: Vec<u32>,

    /// Only keys of these cluster slots, as in 0-5460 or 42
    ///
    /// May be given more than once, or as a list with commas.
    #[arg(long = "slot", value_name = "SLOTS", value_delimiter = ',', value_parser = slots)]
    slots: Vec<(u16, u16)>,

    /// Only keys by their expiry: none, any, expired, live
    ///
    /// `any` are keys with an expiry; `expired` and `live` are those whose expiry lies before --now
    /// and those whose does not.
    #[arg(long, value_name = "CLASS", value_parser = ttl_classes(), hide_possible_values = true)]
    ttl: Option<TtlClass>,

    /// Only values of this many bytes in the file, as in '>1MiB' or '<=100'
    #[arg(long, value_name = "COND", value_parser = comparison)]
    size: Option<Comparison>,

    /// Only values of this many elements, fields, members or entries, as in '>1000'
    #[arg(long, value_name = "COND", value_parser = comparison)]
    elements: Option<Comparison>,

    /// At most N keys
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

impl FilterArgs {
    /// As the library takes them.
    pub(super) fn options(&self, now: Option<i64>) -> FilterOptions {
        let bytes = |patterns: &[OsString]| -> Vec<Vec<u8>> {
            let each = |p: &OsString| p.as_encoded_bytes().to_vec();
            patterns.iter().map(each).collect()
        };
        FilterOptions {
            keys: bytes(&self.keys),
            key_regex: self.key_regex.clone(),
            not_keys: bytes(&self.not_keys),
            types: self.types.clone(),
            dbs: self.dbs.clone(),
            slots: self.slots.clone(),
            ttl: self.ttl,
            size: self.size,
            elements: self.elements,
            limit: self.limit,
            now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_known_before_the_command_line_is() {
        let asked =
            |args: &[&str]| colour_asked_for(&args.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(
            asked(&["redkit", "--bogus", "--color", "never"]),
            ColorChoice::Never
        );
        assert_eq!(
            asked(&["redkit", "--color=always", "x"]),
            ColorChoice::Always
        );
        assert_eq!(asked(&["redkit", "--color"]), ColorChoice::Auto);
        assert_eq!(asked(&["redkit", "--", "--color=never"]), ColorChoice::Auto);
    }
}
