//! The servers' checkers by their names: who calls the program so wants that tool and no other.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;

use crate::cli::Exit;
use crate::cli::words;
use crate::compat::{Console, Release, Tool};
use crate::error::Error;

/// Runs the tool that the program is called as, if it is called as one.
pub(super) fn run(args: &[OsString]) -> Option<Exit> {
    let name = Path::new(args.first()?).file_name()?.to_str()?;
    let (tool, own) = Tool::of_name(name)?;
    Some(match release(own) {
        Ok(release) => as_tool(tool, release, args),
        Err(name) => {
            let known: Vec<_> = Release::ALL.iter().map(|release| release.name()).collect();
            let known = known.join(", ");
            words::complain(&format!(
                "REDKIT_COMPAT is {name}, which is none of {known}"
            ));
            Exit::Usage
        }
    })
}

/// The release that is wanted: that of the name, but for `REDKIT_COMPAT`.
fn release(own: Release) -> Result<Release, String> {
    match std::env::var_os("REDKIT_COMPAT") {
        None => Ok(own),
        Some(name) if name.is_empty() => Ok(own),
        Some(name) => {
            let name = name.to_string_lossy().into_owned();
            Release::from_name(&name).ok_or(name)
        }
    }
}

fn as_tool(tool: Tool, release: Release, args: &[OsString]) -> Exit {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut err = io::stderr().lock();
    let mut input = io::stdin().lock();
    let mut console = Console::new(&mut out, &mut err, &mut input);
    match tool.run(release, args, &mut console, &|_| None) {
        // The tools know no other status.
        Ok(0) => Exit::Done,
        Ok(_) => Exit::Damage,
        Err(error) => {
            let error = Error::from(error);
            // A reader that went away is no failure of ours, but nobody got the verdict.
            let _ = writeln!(io::stderr(), "redkit: {error}");
            Exit::Damage
        }
    }
}
