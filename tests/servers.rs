//! The harness itself: servers start, are what their ids say, and are gone when a test ends,
//! however it ends.

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use support::checker;
use support::resp::{Client, Reply};
use support::server::{self, Family, Server, ServerKind};

/// Set for the copy of this test program that is to be killed.
const TO_BE_KILLED: &str = "REDKIT_TEST_TO_BE_KILLED";

#[test]
fn the_harness_knows_the_servers_that_are_pinned() {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers.lock");
    let lock = fs::read_to_string(lock).expect("the pins");
    let mut pinned: Vec<&str> = lock
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    pinned.dedup();
    assert_eq!(pinned, ServerKind::ALL.map(ServerKind::id));
}

#[test]
fn servers_are_required_all_or_by_id() {
    let required = |value: &str| -> Vec<ServerKind> {
        let all = ServerKind::ALL.into_iter();
        all.filter(|kind| server::is_required(*kind, value))
            .collect()
    };
    assert_eq!(required(""), []);
    assert_eq!(required("0"), []);
    assert_eq!(required("1"), ServerKind::ALL);
    assert_eq!(
        required("valkey-9.1.2,redis-6.2.5"),
        [ServerKind::Redis62, ServerKind::Valkey91]
    );
    assert!(std::panic::catch_unwind(|| required("redis-6.2.5,redis-5")).is_err());
}

#[test]
fn each_server_answers_and_is_of_the_version_of_its_id() {
    for kind in ServerKind::usable() {
        let server = Server::start(kind, &[]);
        assert_eq!(cmd!(server.client(), "PING").text(), "PONG", "{kind}");
        let field = match kind.family() {
            Family::Redis => "redis_version",
            Family::Valkey => "valkey_version",
        };
        assert_eq!(server.info(field).as_deref(), Some(kind.version()));
        assert!(kind.id().ends_with(kind.version()));
        assert_eq!(server.info("tcp_port").as_deref(), Some("0"), "{kind}");
    }
}

#[test]
fn what_a_server_is_said_to_have_it_has() {
    for kind in ServerKind::usable() {
        let server = Server::start(kind, &[]);
        let mut client = server.client();
        let has = |client: &mut Client, name: &str| {
            let info = cmd!(client, "COMMAND", "INFO", name).array();
            info.first().is_some_and(|entry| !entry.is_nil())
        };
        assert_eq!(has(&mut client, "FUNCTION"), kind.has_functions(), "{kind}");
        assert_eq!(has(&mut client, "HPEXPIRE"), kind.has_field_ttl(), "{kind}");
        assert_eq!(has(&mut client, "VADD"), kind.has_vector_sets(), "{kind}");

        cmd!(client, "HSET", "hash", "field", "value").int();
        cmd!(client, "SADD", "set", "a", "b").int();
        cmd!(client, "XADD", "stream", "1-1", "field", "value").bulk();
        let hash = cmd!(client, "OBJECT", "ENCODING", "hash").text();
        assert_eq!(hash == "listpack", kind.has_listpacks(), "{kind}");
        let set = cmd!(client, "OBJECT", "ENCODING", "set").text();
        assert_eq!(set == "listpack", kind.has_set_listpacks(), "{kind}");
        let stream = cmd!(client, "XINFO", "STREAM", "stream").array();
        let counts = stream.contains(&Reply::Bulk(Some(b"entries-added".to_vec())));
        assert_eq!(counts, kind.has_stream_counters(), "{kind}");
        cmd!(client, "DEBUG", "SET-ACTIVE-EXPIRE", "0").ok();

        let magic = kind.rdb_magic();
        let saved = fs::read(server.save()).expect("the saved file");
        assert!(saved.starts_with(magic), "{kind}");
        let digits = magic.iter().rev().take_while(|byte| byte.is_ascii_digit());
        let version = magic.escape_ascii().to_string();
        let version = &version[version.len() - digits.count()..];
        assert_eq!(version.parse(), Ok(kind.rdb_version()), "{kind}");

        cmd!(client, "CONFIG", "SET", "appendonly", "yes").ok();
        let folder = server.folder().join("appendonlydir");
        assert_eq!(folder.is_dir(), kind.has_multi_part_aof(), "{kind}");
    }
}

#[test]
fn the_checker_passes_what_its_server_saved_and_fails_it_with_one_bit_flipped() {
    for kind in ServerKind::usable() {
        let server = Server::start(kind, &[]);
        let path = saved_example(&server);
        let sound = checker::check_rdb(kind, &path);
        assert!(sound.is_sound(), "{kind}: {sound:?}");

        let mut bytes = fs::read(&path).expect("the saved file");
        let at = bytes.windows(7).position(|window| window == b"a value");
        bytes[at.expect("the value in plain")] ^= 1;
        let damaged = server.folder().join("damaged.rdb");
        fs::write(&damaged, bytes).expect("the damaged copy");
        let verdict = checker::check_rdb(kind, &damaged);
        assert_eq!(verdict.code, Some(1), "{kind}: {verdict:?}");
        assert!(verdict.stdout.contains("CRC"), "{kind}: {verdict:?}");
    }
}

#[test]
fn a_saved_file_is_loaded_and_a_cut_one_refused_with_the_log_told() {
    for kind in ServerKind::usable() {
        let server = Server::start(kind, &[]);
        let path = saved_example(&server);
        let again = match Server::start_with_rdb(kind, &path, &["--maxmemory-policy", "noeviction"])
        {
            Ok(again) => again,
            Err(error) => panic!("{kind}: {error}"),
        };
        assert_eq!(cmd!(again.client(), "GET", "key").bulk(), b"a value");

        let cut = server.folder().join("cut.rdb");
        let bytes = fs::read(&path).expect("the saved file");
        fs::write(&cut, &bytes[..bytes.len() - 12]).expect("the cut copy");
        match Server::start_with_rdb(kind, &cut, &[]) {
            Ok(_) => panic!("{kind} loads a cut file"),
            Err(error) => {
                assert_eq!(error.status.and_then(|status| status.code()), Some(1));
                assert!(error.log.contains("RDB"), "{kind}: {}", error.log);
            }
        }
    }
}

#[test]
fn an_append_only_file_is_whole_after_shutdown() {
    for kind in ServerKind::usable() {
        let server = Server::start(kind, &["--appendonly", "yes"]);
        cmd!(server.client(), "SET", "key", "a value").ok();
        let folder = server.shutdown();
        let path = if kind.has_multi_part_aof() {
            folder.path().join("appendonlydir/appendonly.aof.manifest")
        } else {
            folder.path().join("appendonly.aof")
        };
        let verdict = checker::check_aof(kind, &[], &path);
        // valkey-check-aof 9.1.2 does not know the magic of the base files that its server writes.
        let sound = kind != ServerKind::Valkey91;
        assert_eq!(verdict.is_sound(), sound, "{kind}: {verdict:?}");

        let files = folder.path().to_owned();
        let again = Server::start_prepared(
            kind,
            &["--appendonly", "yes"],
            Duration::from_secs(60),
            |target| copy_files(&files, target),
        );
        let again = again.unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert_eq!(cmd!(again.client(), "GET", "key").bulk(), b"a value");
    }
}

#[test]
fn a_checker_that_hangs_is_ended_at_the_limit() {
    for kind in ServerKind::usable() {
        let folder = support::TempFolder::new();
        let fifo = folder.path().join("fifo");
        let made = Command::new("mkfifo").arg(&fifo).status();
        assert!(made.is_ok_and(|status| status.success()));
        let start = Instant::now();
        let outcome = checker::check_rdb_within(kind, &fifo, Duration::from_millis(200));
        assert!(outcome.timed_out && !outcome.is_sound(), "{outcome:?}");
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn a_cluster_of_one_takes_writes_to_any_slot() {
    for kind in ServerKind::usable() {
        let server = Server::start_cluster(kind, &[]);
        let mut client = server.client();
        for key in 0..100 {
            cmd!(client, "SET", format!("key:{key}"), "value").ok();
        }
        assert_eq!(cmd!(client, "DBSIZE").int(), 100, "{kind}");
        assert_eq!(server.info("cluster_enabled").as_deref(), Some("1"));
    }
}

#[test]
fn a_pipeline_larger_than_every_buffer_does_not_block() {
    for kind in ServerKind::usable() {
        let server = Server::start(kind, &[]);
        let mut client = server.client();
        let value = vec![b'x'; 512 * 1024];
        let commands: Vec<Vec<&[u8]>> = (0..support::count(64, 400))
            .map(|_| vec![b"ECHO".as_slice(), &value])
            .collect();
        let replies = client.pipeline(&commands);
        assert_eq!(replies.len(), commands.len());
        for reply in replies {
            assert!(reply.bulk() == value, "{kind}: another value");
        }
        // The connection is still in step.
        assert_eq!(cmd!(client, "ECHO", "next").bulk(), b"next");
    }
}

#[test]
fn replies_of_every_kind_are_kept_as_they_came() {
    for kind in ServerKind::usable() {
        let server = Server::start(kind, &[]);
        let mut client = server.client();
        let bytes: Vec<u8> = (0..=255).collect();
        cmd!(client, "SET", bytes, bytes).ok();
        assert_eq!(cmd!(client, "GET", bytes).bulk(), bytes);
        cmd!(client, "SET", "", "").ok();
        assert_eq!(cmd!(client, "GET", "").bulk(), b"");
        assert_eq!(cmd!(client, "GET", "none"), Reply::Bulk(None));
        assert_eq!(
            cmd!(client, "INCRBY", "n", i64::MIN.to_string()).int(),
            i64::MIN
        );
        assert!(
            cmd!(client, "LPUSH", "n", "1")
                .error()
                .starts_with("WRONGTYPE")
        );
        assert_eq!(cmd!(client, "BLPOP", "none", "0.01"), Reply::Array(None));
        let nested = "return {1, {'two', {}}, false}";
        assert_eq!(
            cmd!(client, "EVAL", nested, "0").array(),
            [
                Reply::Int(1),
                Reply::Array(Some(vec![
                    Reply::Bulk(Some(b"two".to_vec())),
                    Reply::Array(Some(Vec::new())),
                ])),
                Reply::Bulk(None),
            ]
        );
        let length = support::count(16, 300) << 20;
        cmd!(client, "SETRANGE", "long", (length - 1).to_string(), "x").int();
        let long = cmd!(client, "GET", "long").bulk();
        assert_eq!((long.len(), long.last()), (length, Some(&b'x')), "{kind}");
    }
}

#[test]
fn a_dropped_server_is_gone_with_its_folder() {
    for kind in ServerKind::usable() {
        let server = Server::start(kind, &[]);
        let (id, folder) = (server.id(), server.folder().to_owned());
        assert!(runs(id) && folder.exists());
        drop(server);
        assert!(!runs(id) && !folder.exists(), "{kind}");
    }
}

#[test]
fn a_child_that_saves_is_gone_with_its_server() {
    for kind in ServerKind::usable() {
        let server = Server::start(kind, &["--rdb-key-save-delay", "10000000"]);
        let mut client = server.client();
        cmd!(client, "SET", "key", "a value").ok();
        cmd!(client, "BGSAVE").no_error();
        let child = children(server.id());
        assert_eq!(child.len(), 1, "{kind}");
        let folder = server.folder().to_owned();
        drop(server);
        let end = Instant::now() + Duration::from_secs(5);
        while child.iter().any(|id| runs(*id)) {
            assert!(Instant::now() < end, "{kind}: the child goes on");
            thread::sleep(Duration::from_millis(10));
        }
        assert!(!folder.exists(), "{kind}");
    }
}

#[test]
fn a_panic_stops_the_server_and_removes_its_folder() {
    for kind in ServerKind::usable() {
        let server = Server::start(kind, &[]);
        let (id, folder) = (server.id(), server.folder().to_owned());
        let panicked = thread::spawn(move || {
            let _server = server;
            // Not panic!: this one is meant, and prints nothing.
            std::panic::resume_unwind(Box::new("on purpose"));
        })
        .join();
        assert!(panicked.is_err());
        assert!(!runs(id) && !folder.exists(), "{kind}");
    }
}

#[test]
fn a_killed_test_program_leaves_no_server_behind() {
    if std::env::var_os(TO_BE_KILLED).is_some() {
        let kind = ServerKind::usable()[0];
        let server = Server::start(kind, &[]);
        println!("\nserver {} {}", server.id(), server.folder().display());
        thread::sleep(Duration::from_secs(60));
        return;
    }
    if ServerKind::usable().is_empty() {
        return;
    }
    let mut copy = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "--nocapture"])
        .arg("a_killed_test_program_leaves_no_server_behind")
        .env(TO_BE_KILLED, "1")
        .stdout(Stdio::piped())
        .spawn()
        .expect("a copy of this program");
    let lines = BufReader::new(copy.stdout.take().expect("it is piped")).lines();
    let line = lines
        .map_while(Result::ok)
        .find(|line| line.starts_with("server "))
        .expect("its server");
    let mut words = line.split(' ').skip(1);
    let id = words.next().and_then(|id| id.parse().ok()).expect("an id");
    let folder = PathBuf::from(words.next().expect("a folder"));
    assert!(runs(id) && folder.exists());
    copy.kill().expect("it runs");
    copy.wait().expect("it ends");
    let end = Instant::now() + Duration::from_secs(20);
    while runs(id) || folder.exists() {
        assert!(Instant::now() < end, "{line} is still there");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A few keys, one of whose values stands in plain in the file, saved.
fn saved_example(server: &Server) -> PathBuf {
    let mut client = server.client();
    cmd!(client, "SET", "key", "a value").ok();
    cmd!(client, "RPUSH", "list", "1", "two", "3").int();
    server.save()
}

fn copy_files(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir(&target).expect("a new folder");
            copy_files(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("a copy");
        }
    }
}

/// Whether a process of this id runs. One that has ended and that nobody has waited for does not.
fn runs(id: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// The ids of the processes whose parent this is.
fn children(id: u32) -> Vec<u32> {
    let path = format!("/proc/{id}/task/{id}/children");
    let ids = fs::read_to_string(path).expect("a process");
    ids.split_whitespace()
        .map(|id| id.parse().expect("an id"))
        .collect()
}
