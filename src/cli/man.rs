//! `man`: the one place that knows clap_mangen.

use std::fs;
use std::io;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Command};

use crate::cli::{Exit, command};

/// Write the man pages into a directory
///
/// One page for the program and one for each command: redkit.1, redkit-check-rdb.1, …
#[derive(Args)]
#[command(after_help = AFTER)]
pub(super) struct Man {
    /// The directory; it is made where it is missing, and pages in it are replaced
    dir: PathBuf,
}

const AFTER: &str = "\
Examples:
  redkit man ~/.local/share/man/man1
  redkit man . && man ./redkit.1

Exit status:
  0  the pages were written
  2  the command line is wrong
  3  they cannot be written";

impl Man {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let dir = self.dir.display();
        fs::create_dir_all(&self.dir).with_context(|| format!("{dir}: cannot be made"))?;
        let mut tree = command().disable_help_subcommand(true);
        tree.build();
        for command in tree.get_subcommands().chain([&tree]) {
            let man = clap_mangen::Man::new(command.clone())
                .source(concat!("redkit ", env!("CARGO_PKG_VERSION")))
                .manual("redkit")
                .date(DATE);
            let path = self.dir.join(man.get_filename());
            let written = page(&man, command).and_then(|page| fs::write(&path, page));
            written.with_context(|| format!("{}: cannot be written", path.display()))?;
        }
        Ok(Exit::Done)
    }
}

/// When the pages were last changed in what they say. Without a date, what stands behind it in a page's
/// title is taken for it.
const DATE: &str = "2026-11-28";

fn page(man: &clap_mangen::Man, command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    man.render_options_section(&mut page)?;
    if let Some(after) = command.get_after_help() {
        page.extend_from_slice(sections(&after.to_string()).as_bytes());
    }
    Ok(page)
}

/// What stands behind the options: headings end in a colon, and lines below them stay as they are.
fn sections(after: &str) -> String {
    let mut out = String::new();
    for line in after.lines() {
        let heading = line.strip_suffix(':').filter(|h| !h.starts_with(' '));
        match heading {
            Some(heading) => {
                let end = if out.is_empty() { "" } else { ".fi\n" };
                out.push_str(&format!("{end}.SH {}\n.nf\n", heading.to_uppercase()));
            }
            None if line.is_empty() => {}
            None => out.push_str(&format!("{}\n", escaped(line.trim_start()))),
        }
    }
    out.push_str(".fi\n");
    out
}

/// A line of text in which nothing is meant for the formatter.
fn escaped(line: &str) -> String {
    let line = line
        .replace('\\', "\\e")
        .replace('-', "\\-")
        .replace('\'', "\\(aq");
    match line.starts_with('.') {
        true => format!("\\&{line}"),
        false => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_keeps_its_lines_and_no_line_commands_the_formatter() {
        let text =
            sections("Examples:\n  a -b 'c\\d'\n  .e\n\nExit status:\n  0  done\nOf two: 1.");
        assert_eq!(
            text,
            ".SH EXAMPLES\n.nf\na \\-b \\(aqc\\ed\\(aq\n\\&.e\n.fi\n\
             .SH EXIT STATUS\n.nf\n0  done\nOf two: 1.\n.fi\n"
        );
    }
}
