//! The `redkit` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    redkit::cli::run(std::env::args_os()).into()
}
