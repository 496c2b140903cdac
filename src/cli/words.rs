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

    /// Colours of what is said on stderr.
    pub(super) fn err(&self) -> Paint {
        self.err
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
    let what = info.payload_as_str().unwrap_or("no message");
    let place = info.location().map(ToString::to_string);
    let mut text = bug(what, place.as_deref());
    if std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0") {
        let trace = std::backtrace::Backtrace::force_capture();
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{trace}");
    }
    complain(&text);
}

fn bug(what: &str, place: Option<&str>) -> String {
    let to = match env!("CARGO_PKG_REPOSITORY") {
        "" => "those who gave you redkit",
        url => url,
    };
    let version = env!("CARGO_PKG_VERSION");
    let place = place.map_or(String::new(), |place| format!("  at {place}\n"));
    format!(
        "this is a bug in redkit {version}: {what}\n{place}  \
         no input was changed, and no output is complete\n  \
         please report these lines and the command line to {to}"
    )
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
pub(super) fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_says_what_where_and_whom_to_tell() {
        let text = bug("index out of bounds", Some("src/x.rs:1:2"));
        assert!(text.starts_with("this is a bug in redkit "));
        assert!(text.contains(": index out of bounds\n  at src/x.rs:1:2\n"));
        assert!(text.contains("please report these lines"));
        assert!(!bug("x", None).contains(" at "));
    }
}
