//! Reports are what their published schema says, which allows no field that it does not name.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

fn schema() -> Value {
    serde_json::from_str(include_str!("../docs/schemas/report.schema.json")).unwrap()
}

#[test]
fn every_report_is_as_published() {
    let schema = schema();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut inputs = vec![root.join("none.rdb"), root.clone()];
    find(&root, &mut inputs);
    let mut codes = Vec::new();
    for command in [
        &["check-rdb"][..],
        &["check-aof"],
        &["check-aof", "--fix", "-n"],
        &[
            "check-aof",
            "--fix",
            "-n",
            "--strategy",
            "skip",
            "--drop-unknown",
        ],
        &["info"],
        &["stats", "--depth", "2"],
        &["stats", "--now", "2026-11-28T00:00:00Z", "--top", "3"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_redkit"))
            .args(command)
            .args(["--format", "json"])
            .args(&inputs)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let reports: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(reports.len(), inputs.len());
        for report in &reports {
            if let Err(why) = check(report, &schema, &schema) {
                panic!("{why}\n{report:#}");
            }
            codes.push(report["exit"].as_i64().unwrap());
        }
    }
    // The inputs are of all sorts.
    for code in [0, 1, 3, 4] {
        assert!(codes.contains(&code), "no report with exit {code}");
    }
}

#[test]
fn reports_of_replays_are_as_published() {
    let schema = schema();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut inputs = vec![root.join("none.rdb"), root.join("aof/set")];
    find(&root.join("aof"), &mut inputs);
    find(&root.join("rdb"), &mut inputs);
    for input in &inputs {
        let output = Command::new(env!("CARGO_BIN_EXE_redkit"))
            .args(["replay", "--format", "json", "--digest", "--full-digest"])
            .args(["--digest-at", "appendonly.aof.2.incr.aof:328"])
            .arg(input)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        // Only the set has that file; of the others the option is wrong.
        let report: Value = serde_json::from_str(&text).unwrap();
        if let Err(why) = check(&report, &schema, &schema) {
            panic!("{why}\n{report:#}");
        }
        let output = Command::new(env!("CARGO_BIN_EXE_redkit"))
            .args(["replay", "--format", "json", "--digest"])
            .arg(input)
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        if let Err(why) = check(&report, &schema, &schema) {
            panic!("{why}\n{report:#}");
        }
        assert_eq!(report["exit"].as_i64(), output.status.code().map(i64::from));
    }
}

#[test]
fn reports_of_gates_are_as_published() {
    let schema = schema();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut inputs = vec![root.join("none.rdb"), root.join("aof/set"), root.clone()];
    find(&root, &mut inputs);
    let output = Command::new(env!("CARGO_BIN_EXE_redkit"))
        .args(["verify", "--format", "json", "--full-digest", "--digest"])
        .args(["--min-keys", "3", "--max-age", "10w", "--now", "1795849335"])
        .args(["--target", "redis-7.0,valkey-9.1", "--require-key", "*"])
        .args(&inputs)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut codes = Vec::new();
    for line in text.lines() {
        let report: Value = serde_json::from_str(line).unwrap();
        if let Err(why) = check(&report, &schema, &schema) {
            panic!("{why}\n{report:#}");
        }
        codes.push(report["exit"].as_i64().unwrap());
    }
    assert!(codes.len() >= inputs.len());
    for code in [0, 1, 3, 4, 5] {
        assert!(codes.contains(&code), "no report with exit {code}");
    }
}

#[test]
fn reports_of_cuts_are_as_published() {
    let schema = schema();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/aof");
    let folder = tempfile::tempdir().unwrap();
    let written = folder.path().join("out");
    let written = written.to_str().unwrap();
    for (input, exit, args) in [
        ("set", 0, &["--before", "FLUSHALL", "-n"][..]),
        ("set", 0, &["--before", "FLUSHALL", "-o", written]),
        ("damage-inside.aof", 1, &["--drop-match", "SET:*", "-n"]),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_redkit"))
            .args(["cut", "--format", "json"])
            .arg(root.join(input))
            .args(args)
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        if let Err(why) = check(&report, &schema, &schema) {
            panic!("{why}\n{report:#}");
        }
        assert_eq!(report["exit"], exit);
    }
}

#[test]
fn reports_of_what_is_written_are_as_published() {
    let schema = schema();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let folder = tempfile::tempdir().unwrap();
    for (n, (command, input, exit, args)) in [
        ("rewrite-aof", "aof/set", 0, &[][..]),
        ("rewrite-aof", "aof/set", 0, &["--layout", "resp"]),
        ("rewrite-aof", "aof/damage-inside.aof", 1, &[]),
        (
            "convert",
            "rdb/redis-7.0.15/few.rdb",
            0,
            &["--target", "redis-8.2"],
        ),
        (
            "convert",
            "rdb/redis-7.0.15/few.rdb",
            4,
            &["--target", "redis-6.2"],
        ),
        (
            "convert",
            "broken/cut-in-a-value.rdb",
            1,
            &["--target", "redis-8.2"],
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let output = Command::new(env!("CARGO_BIN_EXE_redkit"))
            .args([command, "--format", "json", "-o"])
            .arg(folder.path().join(n.to_string()))
            .arg(root.join(input))
            .args(args)
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        if let Err(why) = check(&report, &schema, &schema) {
            panic!("{why}\n{report:#}");
        }
        assert_eq!(report["exit"], exit, "{command} {input}");
    }
}

#[test]
fn reports_of_salvage_are_as_published() {
    let schema = schema();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let folder = tempfile::tempdir().unwrap();
    let written = folder.path().join("out");
    for (input, exit) in [
        ("broken/cut-in-a-value.rdb", 6),
        ("broken/checksum-differs.rdb", 6),
        ("broken/trailing-bytes.rdb", 0),
        ("aof/redis-6.2.5-preamble.aof", 0),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_redkit"))
            .args(["salvage", "--format", "json", "--force", "-o"])
            .arg(&written)
            .arg(root.join(input))
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        if let Err(why) = check(&report, &schema, &schema) {
            panic!("{why}\n{report:#}");
        }
        assert_eq!(report["exit"], exit, "{input}");
    }
}

#[test]
fn the_index_of_a_quarantine_is_as_published() {
    use redkit::report::json_report::removed::{FileChange, Index, Piece, SCHEMA};
    let schema = include_str!("../docs/schemas/removed.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    assert_eq!(schema["$id"], SCHEMA);
    let piece = |name: &[u8]| Piece {
        range: 5..u64::MAX / 2,
        why: "aof-damage",
        name: name.to_vec(),
        crc64: 7,
    };
    let file = |path: &[u8], pieces| FileChange {
        path: path.to_vec(),
        becomes: path.to_vec(),
        size: 9,
        new_size: 0,
        pieces,
        inserted: vec![(5, 23)],
    };
    let files = vec![
        file(b"a", vec![piece(b"a.removed-5"), piece(b"\xff.removed-5")]),
        file(b"\xff", Vec::new()),
    ];
    let index: Value = serde_json::from_str(&Index { files }.to_json()).unwrap();
    assert_eq!(check(&index, &schema, &schema), Ok(()));
    assert_eq!(index["files"][0]["removed"][0]["crc64"], "0000000000000007");
    let mut bad = index.clone();
    bad["files"][1].as_object_mut().unwrap().remove("becomes");
    assert!(check(&bad, &schema, &schema).is_err());
}

#[test]
fn the_check_against_the_schema_can_fail() {
    let schema = schema();
    let sound = json!({
        "schema": "redkit.report/1", "command": "info", "input": "x", "kind": null, "like": null,
        "verdict": "unknown", "files": [], "findings": [], "loads_on": [], "exit": 0,
        "counts": {"findings": 0, "errors": 0, "warnings": 0},
    });
    assert_eq!(check(&sound, &schema, &schema), Ok(()));
    for (field, value) in [
        ("schema", json!("redkit.report/2")),
        ("verdict", json!("fine")),
        ("like", json!(1)),
        ("files", json!([{}])),
        ("files", json!({})),
        ("keys", json!(-1)),
        ("colour", json!("red")),
        (
            "counts",
            json!({"findings": 0, "errors": 0, "warnings": 0, "more": 0}),
        ),
        ("aux", json!([{"name": {"$b64": ""}, "value": {"b64": ""}}])),
    ] {
        let mut bad = sound.clone();
        bad[field] = value;
        assert!(check(&bad, &schema, &schema).is_err(), "{field}");
    }
    let mut short = sound.clone();
    short.as_object_mut().unwrap().remove("exit");
    assert!(check(&short, &schema, &schema).is_err());
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// Checks a value against the part of JSON Schema that the published schema is written in; a word
/// that is not known here is an error.
fn check(value: &Value, schema: &Value, root: &Value) -> Result<(), String> {
    let fail = |what: &str| Err(format!("{value} is not {what}: {schema}"));
    for (word, rule) in schema.as_object().unwrap() {
        let holds = match word.as_str() {
            "$schema" | "$id" | "$defs" | "title" | "description" | "properties" => true,
            "$ref" => {
                let path = rule.as_str().unwrap().strip_prefix('#').unwrap();
                check(value, root.pointer(path).unwrap(), root)?;
                true
            }
            "const" => value == rule,
            "enum" => rule.as_array().unwrap().contains(value),
            "type" => match rule {
                Value::Array(types) => types.iter().any(|t| is_of(value, t)),
                one => is_of(value, one),
            },
            "minimum" => value.as_i64().is_none_or(|n| n >= rule.as_i64().unwrap()),
            "required" => value.as_object().is_none_or(|object| {
                let mut names = rule.as_array().unwrap().iter();
                names.all(|name| object.contains_key(name.as_str().unwrap()))
            }),
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    check(item, rule, root)?;
                }
                true
            }
            "anyOf" => {
                let mut rules = rule.as_array().unwrap().iter();
                rules.any(|rule| check(value, rule, root).is_ok())
            }
            "additionalProperties" => {
                assert_eq!(rule, &Value::Bool(false));
                let known = &schema["properties"];
                let mut fields = value.as_object().into_iter().flatten();
                fields.all(|(name, _)| known.get(name).is_some())
            }
            other => return fail(&format!("a schema that this test can read ({other})")),
        };
        if !holds {
            return fail(word);
        }
    }
    let fields = value.as_object().into_iter().flatten();
    for (name, field) in fields {
        if let Some(rule) = schema.get("properties").and_then(|known| known.get(name)) {
            check(field, rule, root)?;
        }
    }
    Ok(())
}

fn is_of(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("type {other}"),
    }
}
