//! The house, as far as it can be checked: levels, doors, the fence of `unsafe`, file lengths; and
//! what is made from the program is what is checked in. `BLESS=1` rewrites that.

#[path = "house/code.rs"]
mod code;
#[path = "house/generated.rs"]
mod generated;
#[path = "house/links.rs"]
mod links;
#[path = "house/markdown.rs"]
mod markdown;
#[path = "house/session.rs"]
mod session;

use code::SourceFile;

/// Modules by level: each imports only from lower ones, and from itself.
const LEVELS: &[(&str, u8)] = &[
    ("bytes", 0),
    ("error", 0),
    ("io", 1),
    ("encoding", 2),
    ("record", 3),
    ("command", 3),
    ("rdb", 4),
    ("aof", 5),
    ("keyspace", 6),
    ("replay", 7),
    ("write", 7),
    ("report", 8),
    ("compat", 9),
    ("task", 9),
    ("face", 10),
    ("cli", 10),
];

/// `bytes` has the words for what is wrong, `error` the places: they are one level, and know each
/// other.
const TOGETHER: &[(&str, &str)] = &[("bytes", "error"), ("error", "bytes")];

/// Where each foreign crate may be used; a path ending in `/` is a folder.
const DOORS: &[(&str, &[&str])] = &[
    ("anyhow", &["cli/"]),
    ("base64_simd", &["report/json/", "report/json_report.rs"]),
    ("clap", &["cli/"]),
    ("clap_complete", &["cli/completions.rs"]),
    ("clap_mangen", &["cli/man.rs"]),
    ("comfy_table", &["report/text.rs", "report/text/"]),
    ("crc_fast", &["encoding/crc64.rs"]),
    ("crossbeam_channel", &["io/"]),
    ("csv", &["report/csv_table.rs"]),
    ("flate2", &["io/decompress.rs"]),
    ("foldhash", &["task/", "keyspace/table.rs"]),
    ("hashbrown", &["keyspace/table.rs"]),
    ("indicatif", &["cli/progress.rs"]),
    ("libc", &["io/"]),
    ("lz4_flex", &["io/decompress.rs"]),
    ("lzma_rust2", &["io/decompress.rs"]),
    ("memmap2", &["io/source.rs"]),
    ("mlua", &["replay/script/"]),
    ("nom", &["bytes/", "encoding/", "rdb/", "aof/"]),
    ("regex", &["record/filter.rs"]),
    ("rustix", &["io/"]),
    ("ruzstd", &["io/decompress.rs"]),
    (
        "serde_json",
        &["report/json_report.rs", "report/json_report/"],
    ),
    ("sha1", &["keyspace/digest.rs", "replay/script/"]),
    ("signal_hook", &["io/source.rs"]),
    ("simdutf8", &["report/json/"]),
    (
        "tempfile",
        &["io/", "task/duplicates.rs", "task/key_index/"],
    ),
];

/// Crates that are as good as part of the language: used wherever they are wanted.
const OPEN: &[&str] = &["itoa", "memchr"];

/// The files where `unsafe` may stand.
const UNSAFE: &[&str] = &["io/source.rs", "encoding/lzf.rs"];

/// Lines of a file, at most.
const LINES: usize = 1000;

#[test]
fn modules_import_only_from_lower_levels() {
    let level = |module: &str| LEVELS.iter().find(|(name, _)| *name == module).map(|l| l.1);
    let mut wrong = Vec::new();
    for file in code::sources() {
        let Some(own) = file.module().filter(|module| *module != "lib") else {
            continue;
        };
        let Some(own_level) = level(own) else {
            wrong.push(format!("{}: module {own} has no level", file.path));
            continue;
        };
        for imported in file.imports() {
            let together = TOGETHER.contains(&(own, imported.as_str()));
            match level(&imported) {
                _ if imported == own || together => {}
                Some(lower) if lower < own_level => {}
                _ => wrong.push(format!("{}: imports {imported}", file.path)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn foreign_crates_come_in_by_their_doors() {
    let dependencies = code::dependencies();
    assert!(dependencies.contains(&"nom".to_owned()), "{dependencies:?}");
    let mut wrong = Vec::new();
    for dependency in &dependencies {
        let doors = DOORS.iter().find(|(name, _)| name == dependency);
        if OPEN.contains(&dependency.as_str()) {
            continue;
        }
        let Some((name, doors)) = doors else {
            wrong.push(format!("{dependency} has no door in tests/house.rs"));
            continue;
        };
        let mut used = false;
        for file in code::sources().iter().filter(|file| !file.is_test()) {
            if file.uses_crate(name) {
                used = true;
                let at_door = doors.iter().any(|door| match door.strip_suffix('/') {
                    Some(_) => file.path.starts_with(door),
                    None => file.path == *door,
                });
                if !at_door {
                    wrong.push(format!(
                        "{}: uses {name}, whose door is {doors:?}",
                        file.path
                    ));
                }
            }
        }
        if !used {
            wrong.push(format!("{name} is a dependency and is not used"));
        }
    }
    for (name, _) in DOORS {
        if !dependencies.iter().any(|dependency| dependency == name) {
            wrong.push(format!("{name} has a door and is no dependency"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_stands_only_within_its_fence() {
    for file in code::sources() {
        let fenced = UNSAFE.contains(&file.path.as_str());
        assert!(
            fenced || !(file.has_word("unsafe") || file.has_word("allow(unsafe_code)")),
            "{}: unsafe",
            file.path
        );
    }
}

#[test]
fn only_the_command_line_prints() {
    for file in code::sources()
        .iter()
        .filter(|file| file.module() != Some("cli"))
    {
        for word in ["print!", "println!", "eprint!", "eprintln!", "dbg!"] {
            assert!(!file.has_word_in_product(word), "{}: {word}", file.path);
        }
    }
}

#[test]
fn files_are_short() {
    for file in code::sources().into_iter().chain(code::tests()) {
        let lines = file.lines;
        assert!(lines < LINES, "{}: {lines} lines", file.path);
    }
    let main = code::sources()
        .into_iter()
        .find(|file| file.path == "main.rs");
    assert!(main.is_some_and(|file| file.lines < 30), "main.rs");
}

#[test]
fn every_module_is_listed_with_its_level() {
    let docs: String = include_str!("../src/lib.rs")
        .lines()
        .filter(|line| line.starts_with("//!"))
        .collect();
    for file in code::sources() {
        if let Some(module) = file
            .module()
            .filter(|module| !["lib", "main"].contains(module))
        {
            assert!(
                docs.contains(&format!("[`{module}`]")),
                "lib.rs does not list {module}"
            );
        }
    }
}

#[test]
fn completions_are_those_of_the_program() {
    for (shell, file) in [
        ("bash", "redkit.bash"),
        ("zsh", "_redkit"),
        ("fish", "redkit.fish"),
        ("powershell", "_redkit.ps1"),
        ("elvish", "redkit.elv"),
    ] {
        let script = generated::output_of(&["completions", shell]);
        generated::must_be(&format!("completions/{file}"), &script);
    }
}

#[test]
fn man_pages_are_those_of_the_program() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    generated::output_of(&["man", path]);
    generated::folder_must_be("docs/man", dir.path());
}

#[test]
fn the_document_of_the_command_line_is_that_of_the_program() {
    generated::must_be("docs/cli.md", &markdown::commands(redkit::cli::command()));
}

#[test]
fn the_document_of_findings_is_that_of_the_program() {
    generated::must_be(
        "docs/findings.md",
        &redkit::report::findings_doc::markdown(),
    );
}

#[test]
fn the_picture_of_a_session_is_what_the_program_prints() {
    generated::must_be("docs/demo/session.svg", &session::picture());
}

#[test]
fn documents_lead_somewhere_and_every_one_is_in_the_index() {
    let wrong = links::broken();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let index = include_str!("../README.md");
    for document in links::documents("docs") {
        let linked = index.contains(&format!("]({document})"));
        assert!(linked, "README.md has no link to {document}");
    }
}

#[test]
fn every_dependency_has_a_reason() {
    let reasons = include_str!("../docs/dependencies.md");
    let manifest = include_str!("../Cargo.toml");
    let mut wanted = false;
    let lines = manifest.lines().filter(|line| !line.starts_with('#'));
    for line in lines {
        if line.starts_with('[') {
            wanted = line.contains("dependencies]");
        } else if let (true, Some((name, _))) = (wanted, line.split_once([' ', '.'])) {
            let told = reasons.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_');
            assert!(
                told.clone().any(|word| word == name),
                "no line about {name}"
            );
        }
    }
}

#[test]
fn every_type_of_values_is_in_the_document_of_the_formats() {
    let text = include_str!("../docs/formats.md");
    for rdb_type in redkit::record::RdbType::ALL {
        let row = format!("| {} | {} |", rdb_type.number(), rdb_type.name());
        assert!(text.contains(&row), "docs/formats.md lacks {row}");
    }
}

#[test]
fn code_is_told_from_comments_and_strings() {
    let file = SourceFile::of(
        "record/x.rs",
        "// crate::cli\nuse crate::io::x; /* unsafe */ const A: &str = \"unsafe crate::task\";\n\
         const B: char = '\"'; fn f<'a>(s: &'a str) { crate::bytes::g(r#\"nom::x\"#) }\n\
         #[cfg(test)]\nmod tests { fn g() { println!(); nom::y() } }\n",
    );
    assert_eq!(file.imports(), ["bytes", "io"]);
    assert!(!file.has_word("unsafe"));
    assert!(!file.uses_crate("nom"));
    assert!(file.has_word("println!") && !file.has_word_in_product("println!"));
}
