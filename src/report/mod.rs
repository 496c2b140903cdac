//! What a task found, and how it is shown.

pub mod aof;
pub mod check;
pub mod cut;
pub mod diff;
pub mod finding;
pub mod findings_doc;
pub mod fix;
pub mod info;
pub mod json;
pub mod json_report;
pub mod log_info;
pub mod replay;
pub mod salvage;
pub mod text;

pub use check::CheckReport;
pub use finding::{Finding, Findings, Severity};
pub use info::InfoReport;
