//! The bad copies that a nightly backup can be: each has its status and its finding, and a server
//! agrees.

use super::*;

/// When the snapshots of these tests were written, in ms.
fn written(report: &Value) -> i64 {
    report["starts"][0]["age"]["at_ms"].as_i64().unwrap()
}

#[test]
fn each_bad_snapshot_has_its_status_and_servers_agree() {
    for kind in ServerKind::usable() {
        let server = Server::start(kind, &[]);
        fill(&mut server.client(), 0, 400);
        let good = fs::read(server.save()).unwrap();
        drop(server);
        let folder = TempFolder::new();
        let path = folder.path().join("night.rdb");
        let target = target(kind);
        let as_is = |bytes: &[u8], args: &[&str]| {
            fs::write(&path, bytes).unwrap();
            verify(args, &path)
        };
        let starts = || Server::start_with_rdb(kind, &path, &[]).is_ok();

        let sound = as_is(&good, &["--target", target, "--min-keys", "1200"]);
        assert_eq!(sound.code, 0, "{kind}: {}", sound.only());
        assert_eq!(sound.start("input")["keys"], 1200);
        assert!(starts(), "{kind}");

        let mut zeros = good.clone();
        let middle = good.len() / 2;
        zeros[middle..middle + 512].fill(0);
        let mut flipped = good.clone();
        flipped[good.len() / 3] ^= 0x10;
        let bad: [(&str, Vec<u8>, i32); 5] = [
            ("cut", good[..good.len() * 2 / 3].to_vec(), 1),
            ("empty", Vec::new(), 1),
            ("zeros", zeros, 1),
            ("a bit", flipped, 1),
            ("another file", b"port 6379\nappendonly no\n".to_vec(), 4),
        ];
        for (what, bytes, code) in bad {
            let found = as_is(&bytes, &["--target", target]);
            assert_eq!(found.code, code, "{kind} {what}: {}", found.stderr);
            let codes = found.codes();
            let named = match what {
                "cut" => codes.contains(&"rdb-truncated"),
                "empty" => codes == ["rdb-empty"],
                "another file" => found.only()["error"]["kind"] == "wrong-kind",
                // What the damage hits decides how else it is seen.
                _ => codes.contains(&"rdb-checksum") || !codes.is_empty(),
            };
            assert!(named, "{kind} {what}: {codes:?}");
            // All servers take an empty snapshot for none from 7.0 on, and start without the data:
            // no restored backup either.
            if what == "empty" {
                let empty = Server::start_with_rdb(kind, &path, &[]);
                let keys = empty.map(|server| cmd!(server.client(), "DBSIZE").int());
                assert!(keys.as_ref().map_or(true, |keys| *keys == 0), "{kind}");
            } else {
                assert!(!starts(), "{kind} starts on: {what}");
            }
        }

        // Sound, and not what was asked for.
        let at = written(sound.only());
        let now = |hours: i64| (at + hours * 3_600_000).to_string();
        for (hours, code) in [(1, 0), (26, 0), (27, 5), (-2, 5)] {
            let now = now(hours);
            let found = as_is(&good, &["--max-age", "26h", "--now", &now]);
            assert_eq!(found.code, code, "{kind}, {hours} h later");
            assert_eq!(found.start("input")["age"]["from"], "ctime");
        }
        assert_eq!(as_is(&good, &["--min-keys", "1201"]).code, 5);
        assert_eq!(as_is(&good, &["--require-key", "user:39?"]).code, 0);
        assert_eq!(as_is(&good, &["--require-key", "user:4??"]).code, 5);
        let mut behind = good.clone();
        behind.extend_from_slice(b"more");
        let found = as_is(&behind, &[]);
        assert_eq!((found.code, found.codes()), (1, vec!["rdb-trailing-bytes"]));

        // Compressed, and compressed and cut.
        let packed = piped("gzip", &["-c"], &good);
        assert_eq!(as_is(&packed, &["--min-keys", "1200"]).code, 0);
        let digest = sound_digest(&as_is(&good, &["--full-digest"]));
        let expect = ["--full-digest", "--expect-digest", digest.as_str()];
        assert_eq!(as_is(&packed, &expect).code, 0);
        assert_eq!(as_is(&good, &["--expect-digest", digest.as_str()]).code, 5);
        let cut = as_is(&packed[..packed.len() - 9], &[]);
        assert_eq!((cut.code, cut.codes()), (1, vec!["compressed-damaged"]));
    }
}

fn sound_digest(verified: &Verified) -> String {
    let digest = &verified.start("input")["full_digest"];
    digest.as_str().unwrap().to_owned()
}

#[test]
fn each_bad_set_has_its_status_and_servers_agree() {
    for kind in ServerKind::usable() {
        if !kind.has_multi_part_aof() {
            continue;
        }
        let server = Server::start(kind, &["--appendonly", "yes"]);
        fill(&mut server.client(), 0, 100);
        let data = server.shutdown();
        let set = data.path().join("appendonlydir");
        let args = ["--appendonly", "yes"];
        let sound = verify(&["--target", target(kind), "--min-keys", "300"], &set);
        assert_eq!(sound.code, 0, "{kind}: {}", sound.only());
        assert_eq!(started(kind, data.path(), &args), Some(300), "{kind}");
        let name = |end: &str| {
            let mut names = set.read_dir().unwrap().map(|entry| entry.unwrap().path());
            names
                .find(|path| path.to_str().unwrap().ends_with(end))
                .unwrap()
        };
        let (incr, manifest) = (name(".incr.aof"), name(".manifest"));
        let log = fs::read(&incr).unwrap();

        // The last write is torn: a server cuts it off, and the backup is not whole.
        fs::write(&incr, &log[..log.len() - 7]).unwrap();
        let torn = verify(&[], &set);
        assert_eq!(
            (torn.code, torn.codes()),
            (1, vec!["aof-truncated"]),
            "{kind}"
        );
        assert_eq!(torn.start("input")["keys"], 299);
        assert_eq!(started(kind, data.path(), &args), Some(299), "{kind}");

        let mut zeros = log.clone();
        let middle = log.len() / 2;
        zeros[middle..middle + 512].fill(0);
        fs::write(&incr, zeros).unwrap();
        assert_eq!(verify(&[], &set).code, 1, "{kind}");
        assert_eq!(started(kind, data.path(), &args), None, "{kind}");

        fs::remove_file(&incr).unwrap();
        let lost = verify(&[], &set);
        assert_eq!(
            (lost.code, lost.codes()),
            (1, vec!["aof-set-missing"]),
            "{kind}"
        );
        assert_eq!(started(kind, data.path(), &args), None, "{kind}");
        fs::write(&incr, &log).unwrap();

        fs::remove_file(&manifest).unwrap();
        let lost = verify(&[], &set);
        assert_eq!(
            (lost.code, lost.codes()),
            (1, vec!["aof-set-no-manifest"]),
            "{kind}"
        );
        let lost = verify(&["--like", target(kind)], data.path());
        assert_eq!(lost.code, 1, "{kind}");
        assert!(lost.codes().contains(&"server-starts-empty"), "{kind}");
        assert_eq!(started(kind, data.path(), &args), Some(0), "{kind}");
    }
}

#[test]
fn a_set_of_another_server_is_status_4_and_that_server_refuses_it() {
    let [old, new] = [ServerKind::Redis70, ServerKind::Valkey91];
    if !(old.is_usable() && new.is_usable()) {
        return;
    }
    let server = Server::start(new, &["--appendonly", "yes"]);
    fill(&mut server.client(), 0, 10);
    let data = server.shutdown();
    let set = data.path().join("appendonlydir");
    let found = verify(&["--target", "redis-7.0,valkey-9.1"], &set);
    assert_eq!(found.code, 4, "{}", found.only());
    let assertions = found.start("input")["assertions"].as_array().unwrap();
    let ok = |name: &str| {
        let one = assertions.iter().find(|one| one["name"] == name).unwrap();
        one["ok"].as_bool().unwrap()
    };
    assert!(!ok("loads-on redis-7.0") && ok("loads-on valkey-9.1") && ok("restores"));
    let args = ["--appendonly", "yes"];
    assert_eq!(started(old, data.path(), &args), None);
    assert_eq!(started(new, data.path(), &args), Some(30));
}

#[test]
fn an_archive_that_was_half_uploaded_is_told_as_such() {
    let folder = TempFolder::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let data = folder.path().join("data");
    fs::create_dir_all(data.join("appendonlydir")).unwrap();
    copy(&root.join("aof/set"), &data.join("appendonlydir"));
    fs::copy(root.join("rdb/redis-7.0.15/few.rdb"), data.join("dump.rdb")).unwrap();
    let archive = folder.path().join("night.tar");
    tar(&data, "gnu", &archive);
    assert_eq!(verify(&[], &archive).code, 0);
    let whole = fs::read(&archive).unwrap();
    let cut = folder.path().join("cut.tar");
    // At every block, and not at the blocks that only fill the end up.
    let used = whole.iter().rposition(|&byte| byte != 0).unwrap();
    for end in (512..used).step_by(512) {
        fs::write(&cut, &whole[..end]).unwrap();
        let found = verify(&[], &cut);
        assert_eq!(found.code, 1, "{end}: {}", found.stderr);
        assert!(found.codes().contains(&"archive-damaged"), "{end}");
        assert_ne!(found.reports[0]["verdict"], "loads", "{end}");
    }
    for (program, args) in [
        ("gzip", ["-c"]),
        ("xz", ["-c"]),
        ("zstd", ["-c"]),
        ("lz4", ["-c"]),
    ] {
        let packed = piped(program, &args, &whole);
        fs::write(&cut, &packed).unwrap();
        assert_eq!(verify(&[], &cut).code, 0, "{program}");
        fs::write(&cut, &packed[..packed.len() * 2 / 3]).unwrap();
        let found = verify(&[], &cut);
        assert_eq!(found.code, 1, "{program}: {}", found.stderr);
        let codes = found.codes();
        let named = ["archive-damaged", "compressed-damaged"];
        assert!(
            named.iter().any(|code| codes.contains(code)),
            "{program}: {codes:?}"
        );
    }
}

#[test]
fn damaged_archives_are_judged_and_never_written_elsewhere() {
    let folder = TempFolder::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let data = folder.path().join("data");
    fs::create_dir_all(&data).unwrap();
    copy(&root.join("aof/set"), &data);
    let archive = folder.path().join("night.tar");
    tar(&data, "pax", &archive);
    let whole = fs::read(&archive).unwrap();
    let room = folder.path().join("room");
    fs::create_dir(&room).unwrap();
    let mut chance = Chance::new(support::seed());
    for round in 0..support::count(60, 2000) {
        let mut hit = whole.clone();
        for _ in 0..1 + chance.below(4) {
            let at = chance.below(hit.len().min(8192));
            hit[at] = chance.next() as u8;
        }
        fs::write(&archive, &hit).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_redkit"))
            .args(["verify", "--format", "json", "--max-spool", "1MiB"])
            .arg(&archive)
            .env("TMPDIR", &room)
            .output()
            .unwrap();
        let code = output.status.code();
        assert!(
            matches!(code, Some(0 | 1 | 3 | 4 | 5)),
            "{round}: {output:?}"
        );
        let left = room.read_dir().unwrap().count();
        assert_eq!(
            left, 0,
            "{round}: something is left in the temporary folder"
        );
    }
}
