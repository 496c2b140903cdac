//! `check-aof --fix`: the plan, consent, and what came of it.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::cli::Exit;
use crate::cli::args::{Common, ReportFormat};
use crate::cli::values::{moment, size};
use crate::cli::words::Words;
use crate::error::{Error, Result};
use crate::io::output::Existing;
use crate::report::check::Verdict;
use crate::report::fix::{FixReport, Strategy};
use crate::report::{json_report, text};
use crate::task::InputPath;
use crate::task::check_aof::AofOptions;
use crate::task::fix_aof::{self, FixOptions, Mending, Refusal};
use crate::task::mend::Keep;

/// How a log is mended.
#[derive(Args, Debug)]
#[command(next_help_heading = "Fixing")]
pub(super) struct FixArgs {
    /// Make the log or set loadable: show what goes and what stays, ask, and do it
    ///
    /// In place, unless -o names an output. What is taken out is kept beside the file as
    /// NAME.removed-OFFSET, or in the folder of --quarantine. Where more of a set changes than the
    /// end of its last file, changed files are written under new names and a new manifest names
    /// them; the old ones stay, the old manifest as NAME.orig.
    #[arg(long)]
    pub(super) fix: bool,

    /// `truncate` cuts at the first fault, as the servers' tool does; `skip` removes only what is damaged
    ///
    /// Without it: truncate, where nothing intact stands behind the fault. Where something does, both
    /// outcomes are shown, and one must be chosen.
    #[arg(long, requires = "fix", value_name = "STRATEGY", value_parser = strategies())]
    strategy: Option<Strategy>,

    /// Show the plan and change nothing
    #[arg(short = 'n', long, requires = "fix")]
    dry_run: bool,

    /// Do it without asking
    #[arg(short, long, requires = "fix")]
    yes: bool,

    /// Write the mended log to FILE, or the mended set to the folder FILE, and leave the input alone
    #[arg(short, long, requires = "fix", value_name = "FILE")]
    output: Option<PathBuf>,

    /// Replace what exists at -o; mend in place although a process has the file open
    #[arg(long, requires = "fix")]
    force: bool,

    /// Keep what is taken out in this folder, with an index as JSON
    #[arg(
        long,
        requires = "fix",
        value_name = "DIR",
        conflicts_with = "discard_removed"
    )]
    quarantine: Option<PathBuf>,

    /// Do not keep what is taken out
    #[arg(long, requires = "fix")]
    discard_removed: bool,

    /// Write nothing if more than SIZE would be removed
    #[arg(long, requires = "fix", value_name = "SIZE", value_parser = size)]
    max_loss: Option<u64>,

    /// Write nothing if more than N commands would be removed
    ///
    /// A place that cannot be read counts as one command, besides the whole ones that go with it.
    #[arg(long, requires = "fix", value_name = "N")]
    max_lost_commands: Option<u64>,

    /// Remove everything from the first annotation of a time later than TIME on
    #[arg(long, requires = "fix", value_name = "TIME", value_parser = moment, conflicts_with = "strategy")]
    truncate_to_time: Option<i64>,

    /// Remove commands whose names the server does not know
    ///
    /// Names with a dot, and those of --allow-command, always stay.
    #[arg(long, requires = "fix")]
    drop_unknown: bool,

    /// Keep whole commands between two damages that are too few in a row to be believed
    #[arg(long, requires = "fix")]
    keep_uncertain: bool,

    /// Select database N behind damage that could hide a SELECT
    #[arg(long, requires = "fix", value_name = "N")]
    assume_db: Option<u32>,
}

fn strategies() -> impl TypedValueParser<Value = Strategy> {
    PossibleValuesParser::new(["truncate", "skip"]).map(|name| match name.as_str() {
        "skip" => Strategy::Skip,
        _ => Strategy::Truncate,
    })
}

/// What one input came to.
struct Came {
    mending: Mending,
    dry_run: bool,
    exit: Exit,
}

impl FixArgs {
    /// Refuses what makes no sense for several inputs.
    ///
    /// # Errors
    /// One output for several inputs; no output for what cannot be changed in place.
    pub(super) fn fits(&self, inputs: &[InputPath]) -> Result<()> {
        if self.output.is_some() && inputs.len() > 1 {
            return Err(Error::usage("-o takes one input at a time"));
        }
        if self.output.is_none() && !self.dry_run && inputs.contains(&InputPath::Stdin) {
            return Err(Error::usage(
                "the standard input cannot be changed in place: write the result with -o",
            ));
        }
        Ok(())
    }

    /// Mends one input, and gives the report of it.
    ///
    /// # Errors
    /// Input that cannot be read, or for which nothing can be done; output that cannot be written.
    pub(super) fn run(
        &self,
        input: &InputPath,
        check: &AofOptions,
        format: ReportFormat,
        common: &Common,
        words: &Words,
    ) -> Result<(String, Exit)> {
        let mut options = FixOptions {
            check: check.clone(),
            strategy: self.strategy,
            drop_unknown: self.drop_unknown,
            keep_uncertain: self.keep_uncertain,
            assume_db: self.assume_db,
            max_loss: self.max_loss,
            max_lost_commands: self.max_lost_commands,
            until: self
                .truncate_to_time
                .map(|ms| u64::try_from(ms.div_euclid(1000)).unwrap_or(0)),
        };
        let plan = |options: &FixOptions| {
            common.run(input, true, words, |run| fix_aof::plan(input, options, run))
        };
        let mut mending = plan(&options)?;
        let asks = io::stdin().is_terminal() && io::stderr().is_terminal() && !self.yes;
        if mending.refused == Some(Refusal::Choose)
            && !self.dry_run
            && asks
            && let Some(fix) = &mending.fix
        {
            show(&text::fix_plan(
                fix,
                mending.report.set.is_some(),
                words.err(),
            ));
            match ask("Keep everything that is intact (s: skip), cut at the first fault (t: truncate), or neither [s/t/N]? ")
                .as_str()
            {
                "s" | "skip" => options.strategy = Some(Strategy::Skip),
                "t" | "truncate" => options.strategy = Some(Strategy::Truncate),
                _ => return Ok((self.shown(&came(mending, false, Exit::Usage), format, words), Exit::Usage)),
            }
            mending = plan(&options)?;
        }
        let mut came = self.carry_out(mending, asks, common, words, input)?;
        if let Some(why) = self.still_refused(&came, check, common, words, input)? {
            words.error(&format!(
                "the damage is gone, but Redis 6.2 still refuses what is no damage to newer servers: {why}"
            ));
            came.exit = Exit::Damage;
        }
        Ok((self.shown(&came, format, words), came.exit))
    }

    fn carry_out(
        &self,
        mut mending: Mending,
        asks: bool,
        common: &Common,
        words: &Words,
        input: &InputPath,
    ) -> Result<Came> {
        let Some(fix) = &mending.fix else {
            // Fit as it is; an output is wanted all the same.
            if let (Some(output), false) = (&self.output, self.dry_run) {
                common.run(input, true, words, |run| {
                    fix_aof::write_to(&mending, output, self.existing(), &self.keep(), run)
                })?;
            }
            // An old server refuses what is not damaged at all.
            let exit = match mending.report.verdict() {
                Verdict::Loads => Exit::Done,
                _ => Exit::Damage,
            };
            return Ok(came(mending, self.dry_run, exit));
        };
        if let Some(refusal) = mending.refused {
            let exit = match refusal {
                Refusal::Choose | Refusal::Unknown => Exit::Usage,
                Refusal::Limit | Refusal::Select => Exit::Limit,
            };
            words.error(&self.why(refusal, fix));
            return Ok(came(mending, self.dry_run, exit));
        }
        if self.dry_run {
            return Ok(came(mending, true, Exit::Done));
        }
        if self.output.is_none() && !self.yes {
            if !asks {
                words.error(
                    "this changes files: `--yes` says so without a terminal, `-n` only shows the plan",
                );
                return Ok(came(mending, false, Exit::Usage));
            }
            show(&text::fix_plan(
                fix,
                mending.report.set.is_some(),
                words.err(),
            ));
            if !matches!(ask("Do it [y/N]? ").as_str(), "y" | "yes") {
                return Ok(came(mending, false, Exit::Usage));
            }
        }
        let done = common.run(input, true, words, |run| match &self.output {
            Some(output) => fix_aof::write_to(&mending, output, self.existing(), &self.keep(), run),
            None => fix_aof::apply(&mending, &self.keep(), self.force, run),
        })?;
        for warning in &done.warnings {
            words.note(warning);
        }
        if let Some(fix) = &mut mending.fix {
            fix.done = Some(done);
        }
        Ok(came(mending, false, Exit::Done))
    }

    /// Why what was mended is refused all the same.
    fn still_refused(
        &self,
        came: &Came,
        check: &AofOptions,
        common: &Common,
        words: &Words,
        input: &InputPath,
    ) -> Result<Option<String>> {
        let is_mended = came.exit == Exit::Done && !came.dry_run;
        let is_mended = is_mended && fix_aof::needs_second_look(&came.mending);
        let path = match &self.output {
            _ if !is_mended => return Ok(None),
            // What went down a pipe nobody can look at.
            Some(path) if path.as_os_str() == "-" => return Ok(None),
            Some(path) => &InputPath::File(path.clone()),
            None => input,
        };
        common.run(path, true, words, |run| {
            fix_aof::still_refused(&came.mending, path, check, run)
        })
    }

    fn existing(&self) -> Existing {
        match self.force {
            true => Existing::Replace,
            false => Existing::Refuse,
        }
    }

    fn keep(&self) -> Keep {
        Keep {
            quarantine: self.quarantine.clone(),
            discard_removed: self.discard_removed,
        }
    }

    fn why(&self, refusal: Refusal, fix: &FixReport) -> String {
        match refusal {
            Refusal::Choose => "something intact stands behind the damage: \
                 `--strategy skip` keeps it, `--strategy truncate` cuts it off"
                .to_owned(),
            Refusal::Unknown => "commands that the server does not know would stay: \
                 `--drop-unknown` removes them, `--allow-command NAME` takes them for a module's"
                .to_owned(),
            Refusal::Limit => format!(
                "this would remove {} and {}, more than allowed: nothing is written",
                text::counted(fix.outcome.lost_commands, "command"),
                text::counted(fix.outcome.lost_bytes, "byte"),
            ),
            Refusal::Select => "the damage could hide a SELECT, and several databases are in use: \
                 `--assume-db N` says where the commands behind it go; nothing is written"
                .to_owned(),
        }
    }

    fn shown(&self, came: &Came, format: ReportFormat, words: &Words) -> String {
        let Came {
            mending,
            dry_run,
            exit,
        } = came;
        let refused = mending.refused.map(|refusal| match refusal {
            Refusal::Choose => "choose-strategy",
            Refusal::Unknown => "unknown-commands",
            Refusal::Limit => "limit",
            Refusal::Select => "database-in-doubt",
        });
        let fix = mending.fix.as_ref();
        // A log that goes to stdout leaves no room for a report.
        if self
            .output
            .as_deref()
            .is_some_and(|path| path.as_os_str() == "-")
            && !dry_run
        {
            return String::new();
        }
        match format {
            ReportFormat::Json => {
                json_report::aof_fix(&mending.report, fix, refused, *dry_run, exit.code()) + "\n"
            }
            ReportFormat::Text => {
                let mut out = String::new();
                if !words.is_quiet() {
                    out.push_str(&text::aof(&mending.report, words.out));
                    out.push('\n');
                }
                match fix {
                    None if words.is_quiet() => {}
                    None if mending.report.verdict() == Verdict::Loads => {
                        out.push_str("nothing to fix\n");
                    }
                    None => out.push_str("nothing to fix: what it is refused for is no damage\n"),
                    Some(fix) => {
                        let several = mending.report.set.is_some();
                        out.push_str(&text::fix_plan(fix, several, words.out));
                        match &fix.done {
                            Some(done) => out.push_str(&text::fix_done(done, words.out)),
                            None if *dry_run => out.push_str("dry run: nothing was changed\n"),
                            None => out.push_str("nothing was changed\n"),
                        }
                    }
                }
                out
            }
        }
    }
}

fn came(mending: Mending, dry_run: bool, exit: Exit) -> Came {
    Came {
        mending,
        dry_run,
        exit,
    }
}

fn show(text: &str) {
    // Nobody is left to be told where this fails.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// The answer to a question, in lower case; none counts as no.
fn ask(question: &str) -> String {
    show(question);
    let mut answer = String::new();
    let _ = io::stdin().lock().read_line(&mut answer);
    answer.trim().to_ascii_lowercase()
}
