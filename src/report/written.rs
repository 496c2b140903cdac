//! What was written for a target: plain data.

use crate::report::finding::Findings;

/// The report of what writes keys for a target.
#[derive(Clone, Debug, Default)]
pub struct WriteReport {
    /// The command.
    pub command: &'static str,
    /// The input's name as given.
    pub input: String,
    /// Bytes of the input, decompressed.
    pub input_size: u64,
    /// The server that the input is of.
    pub like: String,
    /// The server that the output is for.
    pub target: &'static str,
    /// The form of the output.
    pub layout: &'static str,
    /// Commands of the input that were replayed; none where none were to be.
    pub commands: Option<u64>,
    /// Keys written.
    pub keys: u64,
    /// Those with an expiry.
    pub expires: u64,
    /// Function libraries written.
    pub functions: u64,
    /// Keys and libraries that the target cannot hold and that were left out.
    pub dropped: u64,
    /// Keys of which something was left out.
    pub reduced: u64,
    /// What is wrong with the input, and what the target cannot hold.
    pub findings: Findings,
    /// Whether all of the input was read and could be replayed.
    pub complete: bool,
    /// The full digest of what was written, where it was summed.
    pub full_digest: Option<String>,
    /// Whether it was read back and found to be the same.
    pub proven: bool,
    /// Files that were written, with their sizes; nothing where none was.
    pub files: Vec<(String, u64)>,
    /// What could not be carried over to the output.
    pub warnings: Vec<String>,
}
