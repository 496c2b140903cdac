//! Archives and data folders as inputs of the other commands that read.

use super::*;

fn run(args: &[&str], input: &Path) -> (i32, Vec<Value>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_redkit"))
        .args(args)
        .args(["--format", "json"])
        .arg(input)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let reports = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), reports.collect(), stderr)
}

/// A report without the names of what it is about, and without what depends on where that lies.
fn nameless(report: &Value) -> Value {
    let mut report = report.clone();
    report["input"] = Value::Null;
    report["modified_at_ms"] = Value::Null;
    if let Some(server) = report.get_mut("server").filter(|server| server.is_object()) {
        server["file"] = Value::Null;
    }
    if let Some(set) = report.get_mut("set").filter(|set| set.is_object()) {
        set["folder"] = Value::Null;
    } else if let Some(file) = report["files"].get_mut(0) {
        file["name"] = Value::Null;
    }
    report
}

#[test]
fn other_commands_read_what_a_server_would_load() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let folder = TempFolder::new();
    let data = folder.path().join("data");
    fs::create_dir_all(data.join("appendonlydir")).unwrap();
    copy(&root.join("aof/set"), &data.join("appendonlydir"));
    fs::copy(root.join("rdb/redis-7.0.15/few.rdb"), data.join("dump.rdb")).unwrap();
    let archive = folder.path().join("night.tar");
    tar(&data, "gnu", &archive);
    let packed = folder.path().join("night.tar.xz");
    fs::write(&packed, piped("xz", &["-c"], &fs::read(&archive).unwrap())).unwrap();
    let conf = folder.path().join("redis.conf");
    fs::write(&conf, "appendonly no\n").unwrap();
    let conf = conf.to_str().unwrap();
    let (set, snapshot) = (data.join("appendonlydir"), data.join("dump.rdb"));
    let cases: [(&[&str], &[&str], &Path, &str); 6] = [
        (&["check-rdb"], &[], &snapshot, "dump.rdb"),
        (&["check-aof"], &[], &set, "appendonlydir"),
        (&["replay", "--full-digest"], &[], &set, "appendonlydir"),
        (
            &["replay", "--full-digest"],
            &["--conf", conf],
            &snapshot,
            "dump.rdb",
        ),
        (&["info"], &[], &set, "appendonlydir"),
        (&["info"], &["--conf", conf], &snapshot, "dump.rdb"),
    ];
    for (command, more, direct, name) in cases {
        let (code, expected, _) = run(command, direct);
        let args = [command, more].concat();
        for (input, between) in [(&data, '/'), (&archive, ':'), (&packed, ':')] {
            let (found_code, found, stderr) = run(&args, input);
            let context = format!("{args:?} {}: {stderr}", input.display());
            assert_eq!(found_code, code, "{context}");
            let [report] = &*found else {
                panic!("{context}");
            };
            assert_eq!(
                report["input"],
                format!("{}{between}{name}", input.display())
            );
            assert_eq!(nameless(report), nameless(&expected[0]), "{context}");
            assert!(
                stderr.contains("with `appendonly yes` a server loads"),
                "{context}"
            );
            assert!(!report.to_string().contains(".redkit-"), "{context}");
        }
    }
}

#[test]
fn archives_that_are_cut_or_have_nothing_are_told_so() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let folder = TempFolder::new();
    let data = folder.path().join("data");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("notes.txt"), "nothing").unwrap();
    let archive = folder.path().join("night.tar");
    tar(&data, "ustar", &archive);
    for command in ["check-rdb", "check-aof", "replay", "info"] {
        let (code, reports, _) = run(&[command], &archive);
        assert_eq!((code, reports.len()), (3, 1), "{command}");
    }
    fs::copy(root.join("rdb/redis-7.0.15/few.rdb"), data.join("x.rdb")).unwrap();
    tar(&data, "ustar", &archive);
    let whole = fs::read(&archive).unwrap();
    assert_eq!(run(&["check-rdb"], &archive).0, 0);
    assert_eq!(run(&["check-aof"], &archive).0, 3);
    fs::write(&archive, &whole[..2048]).unwrap();
    let (code, _, stderr) = run(&["check-rdb"], &archive);
    assert_eq!(code, 1);
    assert!(stderr.contains("`verify` judges"), "{stderr}");
    // A folder with a log alone has no snapshot.
    fs::create_dir_all(folder.path().join("logs/appendonlydir")).unwrap();
    copy(
        &root.join("aof/set"),
        &folder.path().join("logs/appendonlydir"),
    );
    assert_eq!(run(&["check-rdb"], &folder.path().join("logs")).0, 3);
    assert_eq!(run(&["check-aof"], &folder.path().join("logs")).0, 0);
}
