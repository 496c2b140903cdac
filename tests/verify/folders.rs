//! Data folders: which files a server loads when it is started on them, asked of real servers.

use super::*;

/// A server's folder with a log and a snapshot, which differ: 90 keys in the log, 60 in the snapshot.
fn data(kind: ServerKind) -> TempFolder {
    let server = Server::start(kind, &["--appendonly", "yes"]);
    fill(&mut server.client(), 0, 20);
    server.save();
    fill(&mut server.client(), 20, 10);
    let folder = server.shutdown();
    for name in ["log", "s"] {
        if let Err(error) = fs::remove_file(folder.path().join(name)) {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        }
    }
    folder
}

/// Changes that leave something to load for both starts.
const SOUND: [&str; 3] = [
    "an old log beside the set",
    "an old log",
    "a snapshot as log",
];

#[test]
fn servers_load_what_the_report_says_however_they_are_started() {
    for kind in ServerKind::usable() {
        let made = data(kind);
        // A single log, as servers before 7.0 have it.
        let log = b"*3\r\n$3\r\nSET\r\n$3\r\nold\r\n$1\r\n1\r\n".repeat(2);
        type Change = fn(&Path, &[u8]);
        let lose_set: Change = |folder, _| {
            let set = folder.join("appendonlydir");
            if set.exists() {
                fs::remove_dir_all(set).unwrap();
            } else {
                fs::remove_file(folder.join("appendonly.aof")).unwrap();
            }
        };
        let lose_manifest: Change = |folder, _| {
            let manifest = folder.join("appendonlydir/appendonly.aof.manifest");
            if manifest.exists() {
                fs::remove_file(manifest).unwrap();
            }
        };
        let changes: [(&str, Vec<Change>); 9] = [
            ("whole", vec![]),
            ("no log", vec![lose_set]),
            ("no manifest", vec![lose_manifest]),
            (
                "no snapshot",
                vec![|f, _| fs::remove_file(f.join("dump.rdb")).unwrap()],
            ),
            (
                "an old log",
                vec![lose_set, |f, log| {
                    fs::write(f.join("appendonly.aof"), log).unwrap()
                }],
            ),
            (
                "an old log beside the set",
                vec![|f, log| fs::write(f.join("appendonly.aof"), log).unwrap()],
            ),
            (
                "an empty log",
                vec![lose_set, |f, _| {
                    fs::write(f.join("appendonly.aof"), b"").unwrap()
                }],
            ),
            (
                "a cut snapshot",
                vec![|f, _| {
                    let bytes = fs::read(f.join("dump.rdb")).unwrap();
                    fs::write(f.join("dump.rdb"), &bytes[..bytes.len() / 2]).unwrap();
                }],
            ),
            (
                "a snapshot as log",
                vec![lose_set, |f, _| {
                    fs::copy(f.join("dump.rdb"), f.join("appendonly.aof")).unwrap();
                }],
            ),
        ];
        for (what, steps) in changes {
            if what == "no manifest" && !kind.has_multi_part_aof() {
                continue;
            }
            let folder = TempFolder::new();
            copy(made.path(), folder.path());
            for step in steps {
                step(folder.path(), &log);
            }
            let found = verify(&["--target", target(kind)], folder.path());
            for (start, setting) in [("aof-on", "yes"), ("aof-off", "no")] {
                let report = found.start(start);
                let real = started(kind, folder.path(), &["--appendonly", setting]);
                let context = format!("{kind}, {what}, {start}: {report:#}");
                match real {
                    None => assert_ne!(report["verdict"], "loads", "{context}"),
                    Some(keys) => {
                        assert_eq!(report["keys"].as_u64(), Some(keys), "{context}");
                        assert_ne!(report["verdict"], "refused", "{context}");
                    }
                }
                // Whatever starts empty beside data is said to.
                if real == Some(0) {
                    let codes = report["findings"].to_string();
                    assert!(codes.contains("server-starts-empty"), "{context}");
                }
            }
            if what == "whole" {
                assert_eq!(found.code, 0, "{kind}");
                let loss = &found.only()["loss"];
                assert_eq!(loss["only_in_log"], 30, "{kind}: {loss}");
                assert_eq!(loss["only_in_snapshot"], 0, "{kind}: {loss}");
            } else if !SOUND.contains(&what) {
                assert_ne!(found.code, 0, "{kind}, {what}");
            }
        }
    }
}

#[test]
fn a_configuration_is_read_as_the_server_reads_it() {
    for kind in ServerKind::usable() {
        let folder = TempFolder::new();
        let made = data(kind);
        let names: &[(&str, &str)] = match kind.has_multi_part_aof() {
            true => &[("dump.rdb", "night dump.rdb"), ("appendonlydir", "my logs")],
            false => &[("dump.rdb", "night dump.rdb")],
        };
        for (old, new) in names {
            fs::rename(made.path().join(old), made.path().join(new)).unwrap();
        }
        let directory = match kind.has_multi_part_aof() {
            true => "AppendDirName 'my logs'\n",
            false => "",
        };
        let text = |on: &str| {
            format!(
                "# appendonly maybe\n  dbfilename \"night\\x20dump.rdb\"\r\n{directory}\
                 appendonly no\nsave \"\"\nport 0\ninclude {}\nAPPENDONLY \"{on}\"\n",
                folder.path().join("more.conf").display()
            )
        };
        fs::write(
            folder.path().join("more.conf"),
            "appendonly yes\nmaxclients 50\n",
        )
        .unwrap();
        for (on, start, keys) in [("yes", "aof-on", 90), ("no", "aof-off", 60)] {
            let conf = folder.path().join("redis.conf");
            fs::write(&conf, text(on)).unwrap();
            let conf_arg = conf.to_str().unwrap();
            let found = verify(&["--conf", conf_arg, "--target", target(kind)], made.path());
            assert_eq!(found.code, 0, "{kind}: {}", found.only());
            assert_eq!(found.start(start)["keys"], keys, "{kind}");
            assert_eq!(found.only()["starts"].as_array().unwrap().len(), 1);
            let copied = TempFolder::new();
            copy(made.path(), copied.path());
            assert_eq!(
                started_by_conf(kind, &conf, copied.path()),
                keys,
                "{kind} {on}"
            );
        }
        // What the server refuses is refused here.
        for bad in ["dbfilename a/b\n", "appendonly maybe\n", "dbfilename \"x\n"] {
            let conf = folder.path().join("bad.conf");
            fs::write(&conf, bad).unwrap();
            let found = verify(&["--conf", conf.to_str().unwrap()], made.path());
            assert_eq!(found.code, 2, "{bad:?}");
            let mut server = spawn(kind, &conf, made.path());
            let end = Instant::now() + LIMIT;
            while server.try_wait().unwrap().is_none() {
                assert!(Instant::now() < end, "{kind} starts with {bad:?}");
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

fn spawn(kind: ServerKind, conf: &Path, folder: &Path) -> std::process::Child {
    let server = Server::available(kind).unwrap().join("server");
    let mut command = Command::new(server);
    command
        .arg(conf)
        .arg("--dir")
        .arg(folder)
        .arg("--port")
        .arg("0");
    command.arg("--unixsocket").arg(folder.join("s"));
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    support::starting(|| command.spawn()).unwrap()
}

/// Keys of a server that is started by this configuration.
fn started_by_conf(kind: ServerKind, conf: &Path, folder: &Path) -> i64 {
    let mut server = spawn(kind, conf, folder);
    let end = Instant::now() + LIMIT;
    let keys = loop {
        assert!(
            server.try_wait().unwrap().is_none(),
            "{kind} does not start"
        );
        assert!(Instant::now() < end, "{kind} does not answer");
        let asked = Client::connect(&folder.join("s"));
        if let Ok(support::resp::Reply::Int(keys)) = asked.and_then(|mut c| c.try_cmd(&[b"DBSIZE"]))
        {
            break keys;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    server.kill().unwrap();
    server.wait().unwrap();
    keys
}

#[test]
fn an_archive_is_judged_as_the_folder_that_it_is_of() {
    let kinds = ServerKind::usable_of(&[ServerKind::Redis62, ServerKind::Redis82]);
    for kind in kinds {
        let made = data(kind);
        let folder = TempFolder::new();
        let args = ["--full-digest", "--digest", "--target", target(kind)];
        let plain = verify(&args, made.path());
        // Some forms of archives have times in whole seconds.
        let starts = |verified: &Verified| {
            let mut starts = verified.only()["starts"].clone();
            for start in starts.as_array_mut().unwrap() {
                let at = start["age"]["at_ms"].as_i64().unwrap() / 1000;
                start["age"]["at_ms"] = at.into();
            }
            starts
        };
        for format in ["gnu", "pax", "ustar"] {
            let archive: PathBuf = folder.path().join(format!("{format}.tar"));
            tar(made.path(), format, &archive);
            let found = verify(&args, &archive);
            assert_eq!(found.code, plain.code, "{kind} {format}");
            assert_eq!(starts(&found), starts(&plain), "{kind} {format}");
            let bytes = fs::read(&archive).unwrap();
            let packed = folder.path().join("packed");
            fs::write(&packed, piped("zstd", &["-c"], &bytes)).unwrap();
            let found = verify(&args, &packed);
            assert_eq!(starts(&found), starts(&plain), "{kind} {format} zstd");
        }
    }
}

#[test]
fn several_backups_in_one_archive_are_several_reports() {
    let folder = TempFolder::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let data = folder.path().join("data");
    fs::create_dir_all(data.join("shard-1/appendonlydir")).unwrap();
    fs::create_dir_all(data.join("shard-1/old")).unwrap();
    fs::create_dir_all(data.join("shard-2")).unwrap();
    copy(&root.join("aof/set"), &data.join("shard-1/appendonlydir"));
    let few = root.join("rdb/redis-7.0.15/few.rdb");
    let packed = piped("gzip", &["-c"], &fs::read(&few).unwrap());
    fs::write(data.join("shard-2/night.rdb.gz"), packed).unwrap();
    fs::copy(&few, data.join("plain.rdb")).unwrap();
    for name in ["dump.rdb", "temp-17.rdb", "old/last.rdb"] {
        fs::copy(&few, data.join("shard-1").join(name)).unwrap();
    }
    fs::write(data.join("notes.txt"), "not a backup").unwrap();
    let archive = folder.path().join("a.tar");
    tar(&data, "gnu", &archive);
    let found = verify(&[], &archive);
    assert_eq!(found.code, 0, "{}", found.stderr);
    let inputs: Vec<&str> = found
        .reports
        .iter()
        .map(|r| r["input"].as_str().unwrap())
        .collect();
    let name = |inside: &str| format!("{}:{inside}", archive.display());
    assert_eq!(
        inputs,
        [
            name("shard-1"),
            name("plain.rdb"),
            name("shard-1/old/last.rdb"),
            name("shard-2/night.rdb.gz")
        ]
    );
}

#[test]
fn each_target_looks_for_its_log_where_it_would() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let data = TempFolder::new();
    let folder = data.path().join("data");
    fs::create_dir_all(folder.join("appendonlydir")).unwrap();
    copy(&root.join("aof/set"), &folder.join("appendonlydir"));
    let old = b"*3\r\n$3\r\nSET\r\n$3\r\nold\r\n$1\r\n1\r\n";
    fs::write(folder.join("appendonly.aof"), old).unwrap();
    let conf = data.path().join("redis.conf");
    fs::write(&conf, "appendonly yes\n").unwrap();
    let conf = conf.to_str().unwrap();
    let targets = "redis-6.2,redis-8.2,valkey-9.1";
    let found = verify(&["--conf", conf, "--target", targets], &folder);
    assert_eq!(found.code, 0, "{}", found.only());
    let starts = found.only()["starts"].as_array().unwrap();
    let loads: Vec<_> = starts.iter().map(|start| start["loads"].as_str()).collect();
    assert_eq!(loads, [Some("appendonly.aof"), Some("appendonlydir")]);
    let asserted = |start: &Value| start["assertions"].as_array().unwrap().len();
    assert_eq!(starts.iter().map(asserted).collect::<Vec<_>>(), [2, 3]);
    // Without the old log the old server has nothing to load.
    fs::remove_file(folder.join("appendonly.aof")).unwrap();
    let found = verify(&["--conf", conf, "--target", targets], &folder);
    assert_eq!(
        (found.code, found.codes()),
        (1, vec!["server-starts-empty"])
    );
}
