//! The RDB file: framing, decoding and writing.

pub mod batch;
pub mod parser;
pub(crate) mod resync;
pub(crate) mod segments;
pub mod string;
pub mod value;
pub mod writer;

pub use value::Scratch;
