//! Archives and data folders as inputs of commands that read a file or a set.

use std::path::PathBuf;

use clap::Args;

use crate::cli::Exit;
use crate::cli::args::{Common, ReportFormat, each_report, name};
use crate::cli::words::Words;
use crate::error::Result;
use crate::report::{json_report, text};
use crate::task::InputPath;
use crate::task::inside::{Inside, Wanted, inside};
use crate::task::verify::conf::Conf;

/// How a server's files are called.
#[derive(Args, Debug)]
pub(super) struct ConfArg {
    /// The configuration of the server whose data folder, or an archive of it, is read
    ///
    /// It says how the files are called, and whether the server loads the log or the snapshot.
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    conf: Option<PathBuf>,
}

impl ConfArg {
    /// Prints one report an input, or for each file or set that an archive or data folder has inside.
    pub(super) fn each(
        &self,
        (command, wanted): (&'static str, Wanted),
        inputs: &[InputPath],
        format: ReportFormat,
        common: &Common,
        words: &Words,
        mut report: impl FnMut(&InputPath, &str) -> Result<(String, Exit)>,
    ) -> Result<Exit> {
        let conf = match &self.conf {
            Some(path) => Some(Conf::read(path)?),
            None => None,
        };
        each_report(command, inputs, format, words, |input| {
            let found = common.look(|run| inside(input, wanted, conf.as_ref(), run))?;
            let Some(found) = found else {
                return report(input, &name(input));
            };
            let mut all = String::new();
            let mut worst = Exit::Done;
            for Inside {
                input, name, note, ..
            } in &found
            {
                if let Some(note) = note {
                    words.note(&text::shown(note));
                }
                let one = match report(input, name) {
                    Ok((one, exit)) => {
                        worst = worst.max(exit);
                        one
                    }
                    Err(error) => {
                        let exit = Exit::of(&error);
                        worst = worst.max(exit);
                        words.error(&format!("{}: {error}", text::shown(name)));
                        match format {
                            ReportFormat::Text => String::new(),
                            ReportFormat::Json => {
                                json_report::failure(command, name, &error, exit.code()) + "\n"
                            }
                        }
                    }
                };
                if format == ReportFormat::Text && !all.is_empty() && !one.is_empty() {
                    all.push('\n');
                }
                all.push_str(&one);
            }
            Ok((all, worst))
        })
    }
}
