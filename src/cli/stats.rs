//! `stats`.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::cli::Exit;
use crate::cli::args::{self, Common, FilterArgs, Inputs, ReportFormat, each_report};
use crate::cli::values::{like, moment};
use crate::cli::words::{self, Words};
use crate::command::Like;
use crate::error::Result;
use crate::io::output::{Existing, Output};
use crate::report::stats::StatsReport;
use crate::report::{csv_table, html, json_report, text};
use crate::task::stats::{DEEPEST, MOST_LISTED, StatsOptions, stats};

/// Count the keys of snapshots and logs: by type, prefix, size, expiry; the largest, the busiest
///
/// Counts keys, elements and bytes by type and encoding, database, expiry and prefix, lists the keys
/// with the largest values, the most elements and the highest LFU counters, and draws how sizes and
/// times to live are spread. `bytes` are those of the records in the file, names included.
///
/// A log, or the files of a multi-part AOF, are replayed first, as `redkit replay` does: their keys are
/// those that the server would have, in the form in which it would save them. The commands are counted
/// by name and by key as well, and what a rewrite would save is estimated by what the replay comes to.
///
/// Memory stays flat, but for what a replay needs: the first 65,536 prefixes in the order of the file (with
/// --depth 2 the first 32,768 of each depth, and so on) are counted exactly, and keys with others
/// together; of a log with more than 65,536 keys the busiest are listed with the least and the most
/// commands that each can have.
///
/// Without --now no key has passed, and times to live are counted from when the snapshot was made, as
/// it says itself, or from the last #TS: of the log.
#[derive(Args)]
#[command(after_help = AFTER)]
pub(super) struct Stats {
    #[command(flatten)]
    inputs: Inputs,

    /// `text` for people, `json`, an object a line for each input, or `csv`, one table for all
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        hide_default_value = true,
        hide_possible_values = true
    )]
    format: StatsFormat,

    /// Write a page to FILE as well, which needs nothing else to be looked at
    ///
    /// A map of bytes by prefix and type, and everything else. `-` writes it to the standard output,
    /// instead of the report.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Replace FILE where it exists
    #[arg(long, requires = "html")]
    force: bool,

    /// What ends a prefix of a key
    #[arg(long, value_name = "TEXT", default_value = ":", value_parser = separator)]
    separator: String,

    /// Count prefixes of up to N separators; 0 counts none
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = depth)]
    depth: usize,

    /// List N keys of each kind that stand out, and for people N prefixes
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = top)]
    top: usize,

    /// The time by which expiries are judged
    ///
    /// As 2026-11-21T05:00:00Z, in seconds since 1970, or in milliseconds (from 100000000000 on). The
    /// clock is never read.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    now: Option<i64>,

    /// The server that a log is replayed as, as in redis-7.0 or valkey-9.1.2
    ///
    /// Without it: the writer of the snapshot in front, else redis-8.2, or valkey-9.1 where the log
    /// has a command that only Valkey knows.
    #[arg(long, value_name = "SERVER", value_parser = like)]
    like: Option<Like>,

    /// Take NAME for a module's command; may be given several times
    #[arg(long, value_name = "NAME")]
    allow_command: Vec<String>,

    #[command(flatten)]
    filter: FilterArgs,
}

const AFTER: &str = "\
Examples:
  redkit stats dump.rdb
  redkit stats --depth 2 --top 20 --html dump.html dump.rdb
  redkit stats --format csv appendonlydir > stats.csv
  redkit stats --format json --now 2026-11-28T00:00:00Z dump.rdb | jq '.stats.ttl_seconds'
  redkit stats -k 'session:*' --ttl none --top 100 dump.rdb

Exit status:
  0  everything was counted
  1  an input is damaged: what could be read was counted
  2  the command line is wrong, or FILE exists
  3  an input cannot be read, or the page cannot be written
  4  an input is neither snapshot nor log, of a version that is not known, or has commands of modules
  5  memory does not suffice for a replay
Of several inputs the first of 3, 4, 1, 5.";

/// How the report is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StatsFormat {
    Text,
    Json,
    Csv,
}

fn separator(text: &str) -> std::result::Result<String, &'static str> {
    match text.is_empty() {
        true => Err("a prefix needs something that ends it"),
        false => Ok(text.to_owned()),
    }
}

fn depth(text: &str) -> std::result::Result<usize, String> {
    up_to(text, DEEPEST)
}

fn top(text: &str) -> std::result::Result<usize, String> {
    up_to(text, MOST_LISTED)
}

fn up_to(text: &str, most: usize) -> std::result::Result<usize, String> {
    match text.parse() {
        Ok(n) if n <= most => Ok(n),
        _ => Err(format!("expected a number from 0 to {most}")),
    }
}

impl Stats {
    pub(super) fn run(self, common: &Common, words: &Words) -> anyhow::Result<Exit> {
        let inputs = self.inputs.all()?;
        // A slip about the page shows before the work.
        let page = self
            .html
            .as_deref()
            .map(|path| self.page(path))
            .transpose()?;
        let on_stdout = self.html.as_deref() == Some(Path::new("-"));
        let options = self.options();
        let kept = RefCell::new(Vec::new());
        let format = match self.format {
            StatsFormat::Json if !on_stdout => ReportFormat::Json,
            _ => ReportFormat::Text,
        };
        let exit = each_report("stats", &inputs, format, words, |input| {
            let name = args::name(input);
            let report =
                common.run(input, true, words, |run| stats(&name, input, &options, run))?;
            let exit = exit(&report);
            let text = match self.format {
                _ if on_stdout => String::new(),
                StatsFormat::Json => json_report::stats(&report, exit.code()) + "\n",
                StatsFormat::Csv => String::new(),
                StatsFormat::Text if words.is_quiet() && exit == Exit::Done => String::new(),
                StatsFormat::Text => text::stats(&report, self.top, words.out),
            };
            if on_stdout || self.format == StatsFormat::Csv {
                for finding in report.findings.list() {
                    words.finding(&name, finding);
                }
            }
            if page.is_some() || self.format == StatsFormat::Csv {
                kept.borrow_mut().push(report);
            }
            Ok((text, exit))
        })?;
        let reports = kept.into_inner();
        if self.format == StatsFormat::Csv && !on_stdout {
            match words::print(&csv_table::stats(&reports)) {
                Err(error) if error.is_closed_pipe() => {}
                done => done?,
            }
        }
        if let Some(mut page) = page {
            page.write_all(html::stats(&reports).as_bytes())?;
            args::finish(page, Exit::Done, true, words)?;
        }
        Ok(exit)
    }

    fn page(&self, path: &Path) -> Result<Output> {
        let existing = match self.force {
            true => Existing::Replace,
            false => Existing::Refuse,
        };
        Output::create(path, existing)
    }

    fn options(&self) -> StatsOptions {
        let names = self.allow_command.iter();
        StatsOptions {
            separator: self.separator.clone().into_bytes(),
            depth: self.depth,
            top: self.top,
            now: self.now,
            like: self.like,
            allowed: names.map(|name| name.as_bytes().to_vec()).collect(),
            filter: self.filter.options(self.now),
        }
    }
}

fn exit(report: &StatsReport) -> Exit {
    let mut list = report.findings.list().iter();
    if list.any(|found| matches!(found.code, "rdb-future-version" | "rdb-unreadable-type")) {
        return Exit::Unsupported;
    }
    match report.log() {
        Some(log) if log.unplayable > 0 => Exit::Unsupported,
        _ if !report.complete => Exit::Damage,
        _ => Exit::Done,
    }
}
