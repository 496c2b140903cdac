//! Records as JSON.

pub mod record;
mod sorted;
pub mod text;

pub use record::{JsonOptions, JsonRecords, Select, Shape};
pub use text::{JsonText, StringStyle};
