//! `get`.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::cli::Exit;
use crate::cli::args::{self, Common, JsonArgs, Modules, OutputArgs};
use crate::cli::values;
use crate::cli::words::Words;
use crate::error::printable;
use crate::report::text::shown;
use crate::task::dump::DumpOptions;
use crate::task::get::get;

/// Write one key as JSON
///
/// As dump-to-json writes it. Of a snapshot, stops at the first hit, so that what stands behind it is
/// not read; a log is replayed first, as `redkit replay` does.
#[derive(Args)]
#[command(after_help = AFTER)]
pub(super) struct Get {
    /// An RDB file, an AOF, the folder or the manifest of a multi-part AOF; `-` is the standard input
    path: PathBuf,

    /// The key; \xHH is any byte, \\ a backslash
    ///
    /// Also \n, \r, \t and \", so that keys can be typed as they are shown. Put -- before a key
    /// that begins with a dash.
    key: OsString,

    /// The database it is in
    #[arg(long, value_name = "N", default_value_t = 0)]
    db: u32,

    #[command(flatten)]
    json: JsonArgs,

    #[command(flatten)]
    output: OutputArgs,
}

const AFTER: &str = "\
Examples:
  redkit get dump.rdb user:1000
  redkit get appendonlydir user:1000
  redkit get dump.rdb --db 3 'bin\\x00key' | jq .value
  redkit get dump.rdb -- -key-with-a-dash

Exit status:
  0  the key was written
  1  the file is damaged before the key, or in it; a log: anywhere
  2  the command line is wrong
  3  the file cannot be read
  4  it is neither RDB file nor AOF, or of a version that is not known
  5  the key is not there";

impl Get {
    pub(super) fn run(self, common: &Common, words: &Words) -> anyhow::Result<Exit> {
        let key = values::key(&self.key)?;
        let input = args::input(&self.path);
        let options = DumpOptions {
            strings: self.json.strings,
            pairs: self.json.pairs,
            raw_modules: self.json.modules == Modules::Raw,
            with: self.json.with(),
            now: self.json.now,
            like: self.json.like,
            ..DumpOptions::default()
        };
        let mut out = self.output.open()?;
        let name = shown(&args::name(&input));
        let found = common.run(&input, !out.is_terminal(), words, |run| {
            get(&input, &key, self.db, &options, run, &mut out)
        });
        let got = found.with_context(|| name.clone())?;
        for finding in got.findings.list() {
            words.finding(&name, finding);
        }
        if !got.found {
            let key = printable(&key);
            words.error(&format!(
                "{name}: there is no key \"{key}\" in db {}",
                self.db
            ));
            return Ok(Exit::Limit);
        }
        out.finish()?;
        match got.findings.errors() {
            0 => Ok(Exit::Done),
            _ => Ok(Exit::Damage),
        }
    }
}
