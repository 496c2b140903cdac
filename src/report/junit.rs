//! Reports of `verify` as JUnit XML: a suite an input, a test case an assertion.

use std::fmt::Write;

use crate::report::check::Verdict;
use crate::report::text;
use crate::report::text::Paint;
use crate::report::verify::{How, Start, VerifyReport};

/// The document of several reports, and of inputs that gave none, as name and error.
pub fn document(reports: &[VerifyReport], failures: &[(String, String)]) -> String {
    let mut suites = String::new();
    let mut sums = (0, 0, 0);
    for report in reports {
        let (mut cases, mut tests, mut failed, mut errors) = (String::new(), 0, 0, 0);
        for (start, assertion) in report.assertions() {
            let class = match start.map(|start| (start.start, &start.like)) {
                None | Some((Start::Input, _)) => report.input.clone(),
                Some((start, like)) => format!("{} {} {like}", report.input, start.name()),
            };
            let (class, name) = (attribute(&class), attribute(&assertion.name));
            tests += 1;
            let case = format!("    <testcase classname=\"{class}\" name=\"{name}\"");
            let Some((how, why)) = &assertion.failed else {
                cases.push_str(&format!("{case}/>\n"));
                continue;
            };
            let element = match how {
                How::Unsupported => "error",
                How::Damage | How::Limit => "failure",
            };
            match how {
                How::Unsupported => errors += 1,
                How::Damage | How::Limit => failed += 1,
            }
            let (kind, why) = (how.name(), attribute(why));
            cases.push_str(&format!(
                "{case}>\n      <{element} type=\"{kind}\" message=\"{why}\"/>\n    </testcase>\n"
            ));
        }
        let out = match report.verdict() {
            Verdict::Loads if report.failed().is_none() => String::new(),
            _ => {
                let text = content(&text::verify(report, Paint::Plain));
                format!("    <system-out>{text}</system-out>\n")
            }
        };
        let name = attribute(&report.input);
        // Writing to a string cannot fail.
        let _ = write!(
            suites,
            "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failed}\" \
             errors=\"{errors}\">\n{cases}{out}  </testsuite>\n"
        );
        sums = (sums.0 + tests, sums.1 + failed, sums.2 + errors);
    }
    for (input, error) in failures {
        let (name, why) = (attribute(input), attribute(error));
        let _ = write!(
            suites,
            "  <testsuite name=\"{name}\" tests=\"1\" failures=\"0\" errors=\"1\">\n    \
             <testcase classname=\"{name}\" name=\"readable\">\n      \
             <error type=\"error\" message=\"{why}\"/>\n    </testcase>\n  </testsuite>\n"
        );
        sums = (sums.0 + 1, sums.1, sums.2 + 1);
    }
    let (tests, failed, errors) = sums;
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"redkit verify\" \
         tests=\"{tests}\" failures=\"{failed}\" errors=\"{errors}\">\n{suites}</testsuites>\n"
    )
}

/// Text between tags.
fn content(text: &str) -> String {
    escaped(text, false)
}

/// Text in double quotes: line ends too would be read as blanks.
fn attribute(text: &str) -> String {
    escaped(text, true)
}

fn escaped(text: &str, quoted: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' if !quoted => out.push(c),
            '\n' | '\t' | '\r' => out.push_str(&format!("&#{};", u32::from(c))),
            // XML 1.0 has no way to write these, not even escaped.
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => out.extend(c.escape_default()),
            // A terminal would obey these; XML takes them.
            '\x7f'..='\u{9f}' => out.push_str(&format!("&#{};", u32::from(c))),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::verify::Assertion;

    #[test]
    fn hostile_names_stay_text() {
        let mut report = VerifyReport::new("a\"><x y='&\n\u{0}\u{1b}]".to_owned());
        report.assertions.push(Assertion {
            name: "require-key <*>".to_owned(),
            failed: Some((How::Limit, "]]> \u{ffff}".to_owned())),
        });
        let failures = [("b<".to_owned(), "no \"such\" file".to_owned())];
        let text = document(&[report], &failures);
        assert!(
            text.contains("name=\"a&quot;&gt;&lt;x y='&amp;&#10;\\u{0}\\u{1b}]\""),
            "{text}"
        );
        assert!(text.contains("message=\"]]&gt; \\u{ffff}\""), "{text}");
        assert!(text.contains(
            "<testsuites name=\"redkit verify\" tests=\"2\" failures=\"1\" errors=\"1\">"
        ));
        assert!(
            !text.contains(|c: char| c.is_control() && c != '\n'),
            "{text}"
        );
    }
}
