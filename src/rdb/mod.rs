//! The RDB file: framing, decoding and writing.

pub mod batch;
pub mod parser;
pub(crate) mod segments;
pub mod string;
pub mod value;

pub use value::Scratch;
