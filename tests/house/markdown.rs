//! The tree of commands as a document.

use std::fmt::Write;

use clap::{Arg, Command};

/// `docs/cli.md`.
pub(crate) fn commands(mut tree: Command) -> String {
    tree.build();
    let mut out = String::from(
        "# The command line\n\n\
         Made from the program; `redkit help COMMAND` says the same.\n",
    );
    section(&mut out, &tree);
    out.push_str("\n## Common options\n\nOptions of every command, before it or behind it.\n");
    options(&mut out, &tree, true);
    for command in tree.get_subcommands().filter(|c| c.get_name() != "help") {
        section(&mut out, command);
        options(&mut out, command, false);
        if let Some(after) = command.get_after_help() {
            write!(out, "\n```text\n{after}\n```\n").unwrap();
        }
    }
    out
}

/// What a command is, and how it is called.
fn section(out: &mut String, command: &Command) {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let about = command.get_long_about().or(command.get_about()).unwrap();
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let about = escaped(&about.to_string());
    write!(out, "\n## {name}\n\n{about}\n\n```text\n{usage}\n```\n").unwrap();
    let commands: Vec<_> = command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
        .collect();
    if commands.is_empty() {
        return;
    }
    out.push_str("\n| command | |\n|---|---|\n");
    for sub in commands {
        let name = sub.get_name();
        let link = format!("redkit-{name}");
        writeln!(
            out,
            "| [`{name}`](#{link}) | {} |",
            sub.get_about().unwrap()
        )
        .unwrap();
    }
    if let Some(after) = command.get_after_help() {
        write!(out, "\n```text\n{after}\n```\n").unwrap();
    }
}

/// Arguments by heading, in the order of the help.
fn options(out: &mut String, command: &Command, common: bool) {
    let is_common = |arg: &Arg| arg.get_help_heading() == Some("Common options");
    let mut heading = None;
    let args: Vec<_> = command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && is_common(arg) == common)
        .collect();
    let (positional, options): (Vec<&Arg>, Vec<&Arg>) =
        args.iter().partition(|arg| arg.is_positional());
    for arg in positional.into_iter().chain(options) {
        if arg.get_help_heading() != heading && !common {
            heading = arg.get_help_heading();
            if let Some(heading) = heading {
                write!(out, "\n### {}: {heading}\n", command.get_name()).unwrap();
            }
        }
        let help = arg.get_long_help().or(arg.get_help()).unwrap().to_string();
        // Paragraphs of an item are indented below it.
        let help = escaped(help.trim()).replace("\n\n", "\n\n  ");
        write!(out, "\n- {}\n\n  {help}\n", names(arg)).unwrap();
    }
}

/// Text whose marks are meant as they stand, outside of code.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    let mut code = false;
    for c in text.chars() {
        code ^= c == '`';
        if !code && ['*', '_', '<', '[', '\\'].contains(&c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The argument as it is written on a command line.
fn names(arg: &Arg) -> String {
    let value = arg
        .get_value_names()
        .filter(|_| arg.get_action().takes_values())
        .map(|names| {
            names
                .iter()
                .map(|name| name.as_str())
                .collect::<Vec<_>>()
                .join(" ")
        });
    if arg.is_positional() {
        return format!("`{}`", value.unwrap_or_default());
    }
    let mut names = Vec::new();
    names.extend(arg.get_short().map(|short| format!("-{short}")));
    names.extend(arg.get_long().map(|long| format!("--{long}")));
    let names = names.join(", ");
    match value {
        Some(value) => format!("`{names} {value}`"),
        None => format!("`{names}`"),
    }
}
