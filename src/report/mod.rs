//! What a task found, and how it is shown.

pub mod aof;
pub mod check;
pub mod csv_table;
pub mod cut;
pub mod diff;
pub mod finding;
pub mod findings_doc;
pub mod fix;
pub mod formats;
pub mod github;
pub mod html;
pub mod info;
pub mod json;
pub mod json_report;
pub mod junit;
pub mod log_info;
pub mod replay;
pub mod salvage;
pub mod stats;
pub mod text;
pub mod verify;
pub mod written;

pub use check::CheckReport;
pub use finding::{Finding, Findings, Severity};
pub use info::InfoReport;
