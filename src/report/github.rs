//! Reports of `verify` as annotations of GitHub's workflows: a line each.

use crate::report::Severity;
use crate::report::verify::{Start, VerifyReport};

/// Annotations of a report, at most: GitHub shows ten of each kind and step.
const LISTED: usize = 100;

/// What fails, and what is worth a warning.
pub fn annotations(report: &VerifyReport) -> String {
    let mut out = String::new();
    let failed = report.assertions().filter_map(|(start, one)| {
        let (_, why) = one.failed.as_ref()?;
        let of = match start.map(|start| start.start) {
            None | Some(Start::Input) => String::new(),
            Some(start) => format!("{}: ", start.name()),
        };
        Some((format!("{of}{}", one.name), why))
    });
    for (name, why) in failed.take(LISTED) {
        out.push_str(&line("error", &report.input, &name, why));
    }
    let findings = report.all_findings();
    let warnings = findings.list().iter();
    let warnings = warnings.filter(|finding| finding.severity == Severity::Warning);
    for finding in warnings.take(LISTED) {
        out.push_str(&line(
            "warning",
            &report.input,
            finding.code,
            &finding.message,
        ));
    }
    out
}

/// The one of an input that gave no report.
pub fn failure(input: &str, error: &str) -> String {
    line("error", input, "readable", error)
}

fn line(kind: &str, file: &str, title: &str, message: &str) -> String {
    let (file, title, message) = (property(file), property(title), data(message));
    format!("::{kind} file={file},title={title}::{message}\n")
}

/// What stands behind the second `::`.
fn data(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '%' => out.push_str("%25"),
            '\r' => out.push_str("%0D"),
            '\n' => out.push_str("%0A"),
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

/// What stands behind a `=`.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_stays_in_its_line() {
        assert_eq!(
            failure("a,b:c\n::error::x", "100%\r\n::set-env name=X::y\x1b"),
            "::error file=a%2Cb%3Ac%0A%3A%3Aerror%3A%3Ax,title=readable::\
             100%25%0D%0A::set-env name=X::y\\u{1b}\n"
        );
    }
}
