//! Records as JSON.

pub mod read;
pub mod record;
mod sorted;
pub mod text;

pub use record::{JsonOptions, JsonRecords, Select, Shape};
pub use text::{JsonText, StringStyle};
