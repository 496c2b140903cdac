//! The sources as text: code without comments and strings.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A source file.
pub(crate) struct SourceFile {
    /// Below `src` or `tests`.
    pub(crate) path: String,
    /// How many lines it has.
    pub(crate) lines: usize,
    /// Without comments and the insides of strings.
    code: String,
}

impl SourceFile {
    pub(crate) fn of(path: &str, text: &str) -> Self {
        SourceFile {
            path: path.to_owned(),
            lines: text.lines().count(),
            code: code_of(text),
        }
    }

    /// The module at the top of the crate that it belongs to; none for the program's own file.
    pub(crate) fn module(&self) -> Option<&str> {
        let top = self.path.split('/').next()?.trim_end_matches(".rs");
        (top != "main").then_some(top)
    }

    /// Whether all of it is tests.
    pub(crate) fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        ["tests.rs", "testing.rs"].contains(&name) || self.path.contains("/tests/")
    }

    /// The modules of this crate that it names, tests included.
    pub(crate) fn imports(&self) -> Vec<String> {
        assert!(
            !self.code.contains("crate::{"),
            "{}: one `use` a module",
            self.path
        );
        let names = self.code.split("crate::").skip(1).map(|rest| {
            let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
            rest[..end].to_owned()
        });
        // Re-exports and macros of the crate's top are no modules.
        let modules = names.filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()));
        modules.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether it names another crate outside its tests.
    pub(crate) fn uses_crate(&self, name: &str) -> bool {
        let code = self.product();
        let mut rest = code;
        while let Some(at) = rest.find(name) {
            let before = rest[..at].chars().next_back();
            let after = &rest[at + name.len()..];
            let is_path = after.starts_with("::");
            let is_use = rest[..at].ends_with("use ") && after.starts_with(';');
            let own = rest[..at].ends_with("::");
            if (is_path || is_use) && !own && !before.is_some_and(is_word) {
                return true;
            }
            rest = after;
        }
        false
    }

    pub(crate) fn has_word(&self, word: &str) -> bool {
        has_word(&self.code, word)
    }

    pub(crate) fn has_word_in_product(&self, word: &str) -> bool {
        !self.is_test() && has_word(self.product(), word)
    }

    /// What stands before the tests.
    fn product(&self) -> &str {
        let tests = [
            "#[cfg(test)]\nmod ",
            "#[cfg(test)]\npub(super) mod ",
            "#[cfg(all(test",
        ];
        let start = tests.iter().filter_map(|mark| self.code.find(mark)).min();
        &self.code[..start.unwrap_or(self.code.len())]
    }
}

/// Every file below `src`.
pub(crate) fn sources() -> Vec<SourceFile> {
    files_below("src")
}

/// Every file below `tests`.
pub(crate) fn tests() -> Vec<SourceFile> {
    files_below("tests")
}

/// Names of the dependencies that the program itself has, as code writes them.
pub(crate) fn dependencies() -> Vec<String> {
    let manifest = include_str!("../../Cargo.toml");
    let mut names = Vec::new();
    let mut wanted = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            wanted = line.ends_with("dependencies]") && !line.contains("dev-");
        } else if let (true, Some((name, _))) = (wanted, line.split_once(['=', '.'])) {
            names.push(name.trim().replace('-', "_"));
        }
    }
    names
}

fn files_below(folder: &str) -> Vec<SourceFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
                files.push(SourceFile::of(name, &text));
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn has_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// Blanks comments and what stands in quotes.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if c == '"' {
            code.push('"');
            quoted(rest)
        } else if let Some(len) = raw_string(rest).filter(|_| !code.ends_with(is_word)) {
            len
        } else {
            character(rest).unwrap_or_default()
        };
        if skipped == 0 {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            rest = &rest[skipped..];
        }
    }
    code
}

/// Length of the string in quotes that begins here.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// Length of the raw string that begins here.
fn raw_string(text: &str) -> Option<usize> {
    let rest = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let inside = rest[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let len = inside.find(&end)? + end.len();
    Some(text.len() - inside.len() + len)
}

/// Length of the character in quotes that begins here; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    if let Some(escaped) = inside.strip_prefix('\\') {
        let skip = escaped.chars().next()?.len_utf8();
        return Some(2 + skip + escaped[skip..].find('\'')? + 1);
    }
    let first = inside.chars().next()?.len_utf8();
    inside[first..].starts_with('\'').then_some(first + 2)
}
