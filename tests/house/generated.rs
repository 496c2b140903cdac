//! What is made from the program and checked in.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What the program prints.
pub(crate) fn output_of(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_redkit"))
        .args(args)
        .output()
        .unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The file in the repository must have this content; `BLESS=1` gives it to it.
pub(crate) fn must_be(path: &str, expected: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, expected).unwrap();
        return;
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == expected,
        "{path} is stale: `BLESS=1 cargo test --test house` rewrites it"
    );
}

/// The folder in the repository must have these files and no others.
pub(crate) fn folder_must_be(path: &str, expected: &Path) {
    let names = |folder: &Path| -> BTreeSet<String> {
        let entries = fs::read_dir(folder).into_iter().flatten();
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        entries.map(|entry| name(entry.unwrap())).collect()
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let wanted = names(expected);
    for stale in names(&folder).difference(&wanted) {
        if std::env::var_os("BLESS").is_some() {
            fs::remove_file(folder.join(stale)).unwrap();
        } else {
            panic!(
                "{path}/{stale} is not made any more: `BLESS=1 cargo test --test house` removes it"
            );
        }
    }
    for name in wanted {
        let text = fs::read_to_string(expected.join(&name)).unwrap();
        must_be(&format!("{path}/{name}"), &text);
    }
}
