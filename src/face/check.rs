//! Files, checked.

use std::path::Path;

use crate::error::Result;
use crate::face::{Options, run};
use crate::io::kind::Kind;
use crate::report::check::Verdict;
use crate::report::finding::Finding;
use crate::task::check_aof::{AofOptions, check_aof};
use crate::task::check_rdb::{CheckOptions, check_rdb};
use crate::task::open::{self, Dumpable};
use crate::task::{InputPath, Run};

/// What a check came to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Check {
    /// What a server does with it.
    pub verdict: Verdict,
    /// What is wrong, at most 10,000 of it.
    pub findings: Vec<Finding>,
}

/// Checks a snapshot, a log, or the set of files in a folder, as strictly as the servers do: every
/// length, every packed entry, the checksum, members and keys that stand twice; commands,
/// transactions, manifest.
///
/// ```
/// let check = redkit::check("testdata/broken/checksum-differs.rdb")?;
/// assert_eq!(check.verdict, redkit::Verdict::Refused);
/// assert_eq!(check.findings[0].code, "rdb-checksum");
/// # Ok::<(), redkit::Error>(())
/// ```
///
/// # Errors
/// Input that cannot be read. Damage is no error: it is what was asked for.
pub fn check(path: impl AsRef<Path>) -> Result<Check> {
    let run = run(&Options::default());
    let input = InputPath::File(path.as_ref().to_path_buf());
    if is_log(&input, &run)? {
        let report = check_aof(&input, &AofOptions::default(), &run)?;
        return Ok(Check {
            verdict: report.verdict(),
            findings: report.all_findings().list().to_vec(),
        });
    }
    let options = CheckOptions {
        duplicates: true,
        ..CheckOptions::default()
    };
    let report = check_rdb(&input, &options, &run)?;
    Ok(Check {
        verdict: report.verdict,
        findings: report.findings.list().to_vec(),
    })
}

/// Whether the input is a log or a set of them: content decides.
fn is_log(input: &InputPath, run: &Run<'_>) -> Result<bool> {
    if matches!(input, InputPath::File(path) if path.is_dir()) {
        return Ok(true);
    }
    match open::source(input, run)?.kind() {
        Kind::Rdb => Ok(matches!(open::countable(input, run)?, Dumpable::Logs(_))),
        Kind::Empty => Ok(false),
        Kind::Unknown => Err(open::wrong(Kind::Unknown, "an RDB file or an AOF")),
        _ => Ok(true),
    }
}
