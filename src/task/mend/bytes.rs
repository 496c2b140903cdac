//! Applies a plan to bytes at hand, for an input that is no plain file.

use std::path::Path;

use crate::error::Result;
use crate::io::output::{Existing, Output};
use crate::task::mend::applied::{Applied, How, Written};
use crate::task::mend::plan::{FilePlan, Part};

/// Writes what a plan makes of `content`, which is what the plan was made for, decompressed.
///
/// # Errors
/// Where the output cannot be written, exists and may not be replaced, or is a terminal.
pub fn write_bytes(
    plan: &FilePlan,
    content: &[u8],
    out: &Path,
    existing: Existing,
) -> Result<Applied> {
    let mut output = Output::create(out, existing)?;
    output.refuse_terminal()?;
    for part in plan.parts() {
        match part {
            Part::New(bytes) => output.write_all(bytes)?,
            Part::Kept(range) => {
                let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
                let bytes = content.get(at(range.start)..at(range.end));
                output.write_all(bytes.unwrap_or_default())?;
            }
        }
    }
    let size = output.finish()?;
    let mut applied = Applied::default();
    applied.files.push(Written {
        path: out.to_path_buf(),
        from: plan.path.clone(),
        size,
        how: How::New,
    });
    Ok(applied)
}
