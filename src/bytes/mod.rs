//! The vocabulary of reading bytes: what a parser returns, what one string is, and every bound.

pub mod element;
pub mod limits;
pub mod number;
pub mod parse;
pub(crate) mod short;
pub mod time;

pub use element::Element;
pub use parse::{Fault, Parsed, Problem, Step};
