//! The `redkit` program.
fn main() {}
