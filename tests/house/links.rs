//! Links between the documents.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The documents of a folder, below the root of the repository.
pub(crate) fn documents(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut documents: Vec<_> = names
        .filter(|name| name.ends_with(".md"))
        .map(|name| format!("{folder}/{name}"))
        .collect();
    documents.sort();
    documents
}

/// Links of the documents to files that are not there, or to headings that are not in them.
pub(crate) fn broken() -> Vec<String> {
    let mut wrong = Vec::new();
    let mut all = vec!["README.md".to_owned(), "SECURITY.md".to_owned()];
    all.extend(documents("docs"));
    all.extend(documents("docs/deploy"));
    for document in all {
        let text = fs::read_to_string(root().join(&document)).unwrap();
        let folder = root().join(&document).parent().unwrap().to_owned();
        for link in links(&text) {
            if link.contains("://") {
                continue;
            }
            let (path, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target = match path {
                "" => root().join(&document),
                path => folder.join(path),
            };
            if !target.exists() {
                wrong.push(format!("{document}: {link} is not there"));
                continue;
            }
            if !heading.is_empty() {
                let text = fs::read_to_string(&target).unwrap();
                if !headings(&text).contains(heading) {
                    wrong.push(format!("{document}: {link} has no such heading"));
                }
            }
        }
    }
    wrong
}

/// What stands in `](…)`, outside of code.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, block) in text.split("\n```").enumerate() {
        // Every other one is code.
        if at % 2 == 1 {
            continue;
        }
        for piece in block.split("](").skip(1) {
            found.extend(piece.split_once(')').map(|(link, _)| link.to_owned()));
        }
    }
    found
}

/// Headings as links name them.
fn headings(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| line.starts_with('#'));
    lines
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title
                .chars()
                .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
            kept.collect::<String>().replace(' ', "-")
        })
        .collect()
}
