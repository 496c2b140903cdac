//! What the commands that write keys for a target share.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use crate::cli::Exit;
use crate::cli::args::{FilterArgs, ReportArgs, ReportFormat};
use crate::cli::words::{self, Words};
use crate::error::{Error, Result};
use crate::io::output::Existing;
use crate::report::written::WriteReport;
use crate::report::{json_report, text};
use crate::task::writing::{Layout, WriteOptions};
use crate::write::{Allowed, Format};

/// Where the output goes, and for whom it is.
#[derive(Args)]
#[command(next_help_heading = "Output")]
pub(super) struct WriteArgs {
    /// Write to FILE, or a set to the folder FILE; `-` is the standard output
    ///
    /// It appears whole or not at all: it is written under another name, read back, synced, and
    /// renamed.
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: PathBuf,

    /// Replace FILE where it exists
    #[arg(long)]
    force: bool,

    /// What may be left out where the target cannot hold it: drop-field-ttl, drop-meta, drop-key
    ///
    /// `drop-field-ttl` writes fields without the expiry of their own; `drop-meta` leaves out
    /// metadata that modules have put to a key, and the state of idempotent producers; `drop-key`
    /// leaves out the key, and function libraries. The exit status is then 6. A list with commas,
    /// or given more than once. Without it nothing is written.
    #[arg(
        long,
        value_name = "WHAT",
        value_delimiter = ',',
        hide_possible_values = true
    )]
    on_unsupported: Vec<Unheld>,

    /// Write what can be read of a damaged input
    #[arg(long)]
    keep_going: bool,
}

/// What may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Unheld {
    #[value(name = "drop-field-ttl")]
    FieldTtl,
    #[value(name = "drop-meta")]
    Meta,
    #[value(name = "drop-key")]
    Key,
}

/// The names of layouts.
pub(super) fn layouts() -> impl TypedValueParser<Value = Layout> {
    const ALL: [Layout; 4] = [
        Layout::Multipart,
        Layout::Preamble,
        Layout::Rdb,
        Layout::Resp,
    ];
    PossibleValuesParser::new(ALL.map(Layout::name)).try_map(|name| {
        let found = ALL.into_iter().find(|layout| layout.name() == name);
        found.ok_or("no such layout")
    })
}

/// The name of a target; a patch level does not matter.
pub(super) fn target(name: &str) -> std::result::Result<Format, String> {
    Format::named(name).map_err(|error| error.to_string())
}

impl WriteArgs {
    /// As the library takes them.
    pub(super) fn options(
        &self,
        format: Option<Format>,
        layout: Option<Layout>,
        filter: &FilterArgs,
        now: Option<i64>,
    ) -> WriteOptions {
        let drops = |what| self.on_unsupported.contains(&what);
        WriteOptions {
            format,
            layout,
            allowed: Allowed {
                drop_field_ttl: drops(Unheld::FieldTtl),
                drop_meta: drops(Unheld::Meta),
                drop_key: drops(Unheld::Key),
            },
            filter: filter.options(now),
            existing: match self.force {
                true => Existing::Replace,
                false => Existing::Refuse,
            },
            keep_going: self.keep_going,
        }
    }

    /// Whether the output is the standard output.
    fn is_stdout(&self) -> bool {
        self.output == Path::new("-")
    }

    /// Refuses a report where there is no room for it.
    pub(super) fn check(&self, report: &ReportArgs) -> Result<()> {
        if self.is_stdout() && report.format == ReportFormat::Json {
            let text = "the data goes to the standard output, which leaves no room for a report";
            return Err(Error::usage(text));
        }
        Ok(())
    }

    /// Shows the report, and says what it leads to.
    pub(super) fn show(
        &self,
        report: &WriteReport,
        format: ReportFormat,
        words: &Words,
    ) -> Result<Exit> {
        let exit = exit(report);
        for warning in &report.warnings {
            words.note(warning);
        }
        let text = match format {
            ReportFormat::Json => json_report::written(report, exit.code()) + "\n",
            ReportFormat::Text if words.is_quiet() && exit == Exit::Done => String::new(),
            ReportFormat::Text => {
                let paint = match self.is_stdout() {
                    true => words.err(),
                    false => words.out,
                };
                text::written(report, paint)
            }
        };
        if self.is_stdout() {
            words::say(&text);
            return Ok(exit);
        }
        match words::print(&text) {
            Err(error) if error.is_closed_pipe() => Ok(exit),
            printed => printed.map(|()| exit),
        }
    }
}

fn exit(report: &WriteReport) -> Exit {
    let mut exit = Exit::Done;
    if report.dropped > 0 || report.reduced > 0 {
        exit = exit.max(Exit::Partial);
    }
    let of_target = |code: &str| matches!(code, "target-lacks" | "target-dropped");
    let list = report.findings.list();
    if list.iter().any(|f| f.code == "target-lacks") {
        exit = exit.max(Exit::Unsupported);
    }
    if list.iter().any(|f| f.code == "aof-unplayable") && !report.complete {
        exit = exit.max(Exit::Unsupported);
    } else if !report.complete {
        exit = exit.max(Exit::Damage);
    }
    // Of a list that is cut short the counts still tell.
    let listed = list.iter().filter(|f| !of_target(f.code)).count() as u64;
    if exit == Exit::Done && report.findings.errors() > listed {
        exit = Exit::Unsupported;
    }
    exit
}
