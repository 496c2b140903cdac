//! What is said: reports on stdout; errors, warnings and notes on stderr.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::panic::PanicHookInfo;

use crate::cli::args::{Common, When};
use crate::error::Result;
use crate::report::Finding;
use crate::report::text::{self, Paint};

/// How the program speaks.
pub(super) struct Words {
    quiet: bool,
    verbose: bool,
    /// Colours of reports.
    pub(super) out: Paint,
    err: Paint,
}

impl Words {
    pub(super) fn new(common: &Common) -> Self {
        Words {
            quiet: common.quiet,
            verbose: common.verbose,
            out: paint(common.color, &io::stdout()),
            err: paint(common.color, &io::stderr()),
        }
    }

    /// What ended a job.
    pub(super) fn error(&self, text: &str) {
        say(&format!("{} {text}\n", self.err.bad("error:")));
    }

    /// What the user should know and did not ask for.
    pub(super) fn note(&self, text: &str) {
        if !self.quiet {
            say(&format!("{} {text}\n", self.err.advice("note:")));
        }
    }

    /// What only the curious want to know.
    pub(super) fn aside(&self, text: &str) {
        if self.verbose {
            say(&format!("{} {text}\n", self.err.advice("note:")));
        }
    }

    /// Something found in an input whose data goes to stdout.
    pub(super) fn finding(&self, input: &str, finding: &Finding) {
        say(&text::finding_in(input, finding, self.err));
    }

    /// Whether only what is wrong is wanted.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }
}

/// Writes a report.
///
/// # Errors
/// Stdout cannot take it.
pub(super) fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// An error before it is known how to speak.
pub(super) fn complain(text: &str) {
    let paint = paint(When::Auto, &io::stderr());
    say(&format!("{} {text}\n", paint.bad("error:")));
}

/// The panic hook: what happened, where, and whom to tell. Without a backtrace, unless
/// `RUST_BACKTRACE` asks for one.
pub(super) fn report_a_bug(info: &PanicHookInfo<'_>) {
    let version = env!("CARGO_PKG_VERSION");
    let what = info.payload_as_str().unwrap_or("no message");
    let mut text = format!("this is a bug in redkit {version}: {what}\n");
    if let Some(place) = info.location() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  at {place}");
    }
    let to = match env!("CARGO_PKG_REPOSITORY") {
        "" => "those who gave you redkit",
        url => url,
    };
    let _ = write!(
        text,
        "  no input was changed, and no output is complete\n  \
         please report these lines and the command line to {to}"
    );
    if std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0") {
        let trace = std::backtrace::Backtrace::force_capture();
        let _ = write!(text, "\n{trace}");
    }
    complain(&text);
}

fn paint(when: When, stream: &impl IsTerminal) -> Paint {
    let unset = |name| std::env::var_os(name).is_none_or(|value| value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    match when {
        When::Always => Paint::Colours,
        When::Auto if stream.is_terminal() && unset("NO_COLOR") && !dumb => Paint::Colours,
        When::Auto | When::Never => Paint::Plain,
    }
}

/// Nobody is left to be told where this fails.
fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
