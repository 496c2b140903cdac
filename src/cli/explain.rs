//! `explain`.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::cli::Exit;
use crate::cli::args::{ReportArgs, ReportFormat};
use crate::cli::words::{self, Words};
use crate::report::findings_doc::{self, DOCS, FindingDoc};
use crate::report::{json_report, text};

/// Explain a finding: what it means, an example, what to do
///
/// Without CODE it lists every finding there is.
#[derive(Args)]
#[command(after_help = AFTER)]
pub(super) struct Explain {
    /// The word that a report gives a finding, as rdb-checksum
    #[arg(value_parser = codes(), hide_possible_values = true)]
    code: Option<&'static FindingDoc>,

    #[command(flatten)]
    report: ReportArgs,
}

const AFTER: &str = "\
Examples:
  redkit explain rdb-checksum
  redkit explain

Exit status:
  0  it was explained
  2  there is no such finding";

impl Explain {
    pub(super) fn run(self, words: &Words) -> anyhow::Result<Exit> {
        let docs = self.code.map_or(DOCS, std::slice::from_ref);
        let mut out = String::new();
        match (self.report.format, self.code) {
            (ReportFormat::Json, _) => {
                for doc in docs {
                    out.push_str(&(json_report::explanation(doc) + "\n"));
                }
            }
            (ReportFormat::Text, Some(doc)) => out = text::explanation(doc, words.out),
            (ReportFormat::Text, None) => out = text::explanations(docs),
        }
        words::print(&out)?;
        Ok(Exit::Done)
    }
}

fn codes() -> impl TypedValueParser<Value = &'static FindingDoc> {
    PossibleValuesParser::new(DOCS.iter().map(|doc| doc.code))
        .try_map(|code| findings_doc::find(&code).ok_or("no such finding"))
}
