//! A file where a command should stand: which command is right for it?

use std::path::Path;

use clap::error::{ContextKind, ContextValue};

use crate::io::kind::Kind;
use crate::io::source::{OpenOptions, Source};
use crate::report::text::shown;

/// What to say, if the word that is no command is a file.
pub(super) fn advice(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    let name = shown(word);
    if word == "-" {
        return Some(commands("a command is missing before -", "-"));
    }
    let path = Path::new(word);
    if path.is_dir() {
        return Some(logs(
            &format!("a command is missing before {name}, which is a directory"),
            &name,
        ));
    }
    if !path.is_file() {
        return None;
    }
    let kind = Source::open(path, OpenOptions { mmap: false }).map(|source| source.kind());
    let missing = format!("a command is missing before {name}");
    Some(match kind {
        Ok(Kind::Rdb) => commands(&format!("{missing}, which is an RDB file"), &name),
        Ok(kind @ (Kind::Aof | Kind::Manifest)) => {
            logs(&format!("{missing}, which is {}", kind.name()), &name)
        }
        Ok(Kind::Empty | Kind::Unknown) | Err(_) => commands(&missing, &name),
        Ok(Kind::Tar) => format!(
            "{missing}, which is a tar archive\n  \
             hint: `redkit verify {name}` says whether the backup in it restores"
        ),
        Ok(kind) => format!(
            "{missing}, which is {}: no command reads one yet",
            kind.name()
        ),
    })
}

fn commands(error: &str, name: &str) -> String {
    format!(
        "{error}\n  \
         hint: `redkit check-rdb {name}` checks it\n        \
         `redkit dump-to-json {name}` writes its content\n        \
         `redkit info {name}` shows its header"
    )
}

fn logs(error: &str, name: &str) -> String {
    format!(
        "{error}\n  \
         hint: `redkit check-aof {name}` checks a log or a set of logs\n        \
         `redkit log {name}` lists its commands\n        \
         `redkit info {name}` shows what it says of itself"
    )
}
