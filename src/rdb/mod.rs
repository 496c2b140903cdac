//! The RDB file: framing, decoding and writing.

pub mod batch;
pub mod parser;
pub mod string;
pub mod value;

pub use value::Scratch;
