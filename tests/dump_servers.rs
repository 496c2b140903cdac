//! What `dump-to-json` tells of a snapshot is what the server that saved it answers over its socket:
//! key by key, value by value, expiry by expiry.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use support::dataset;
use support::dump::{self, Consumer, Group, Key, Keys, Pending, Score, Stream, Value};
use support::json::Json;
use support::live;
use support::resp::{Client, Reply};
use support::server::{Family, Server, ServerKind};

/// The keys of a file, as the program tells them.
#[track_caller]
fn dumped(path: &Path) -> Keys {
    dump::keys_of(&dumped_text(path, &[]))
}

#[track_caller]
fn dumped_text(path: &Path, options: &[&str]) -> String {
    let mut words = vec!["dump-to-json"];
    words.extend(options);
    words.push(path.to_str().expect("a path of a test is text"));
    dump::redkit_ok(&words)
}

/// The server does not say whether a string is compressed in the file: where it may be, either is
/// taken.
fn settle_strings(of_server: &mut Keys, of_file: &Keys) {
    for (name, key) in of_server {
        if key.encoding == "raw or lzf"
            && let Some(file) = of_file.get(name)
            && matches!(file.encoding.as_str(), "raw" | "lzf")
        {
            key.encoding.clone_from(&file.encoding);
        }
    }
}

#[track_caller]
fn assert_dumped(what: &str, mut of_server: Keys, path: &Path) -> Keys {
    let of_file = dumped(path);
    settle_strings(&mut of_server, &of_file);
    dump::assert_same(what, &of_server, &of_file);
    of_file
}

fn compressed(keys: &Keys) -> usize {
    keys.values().filter(|key| key.encoding == "lzf").count()
}

#[track_caller]
fn assert_equal_to_live(kind: ServerKind, options: &[&str]) {
    let server = Server::start(kind, options);
    let mut client = server.client();
    dataset::fill(&mut client, kind);
    let path = server.save();
    let of_server = live::keys(&mut client, kind);
    assert!(of_server.len() > 500, "{kind}: {} keys", of_server.len());
    let of_file = assert_dumped(&format!("{kind} {options:?}"), of_server, &path);
    let expected = !options.contains(&"--rdbcompression");
    assert_eq!(compressed(&of_file) > 0, expected, "{kind} {options:?}");
    assert_has_every_form(kind, &of_file);
}

/// Holds the data set to its purpose: no form that the server can save may be missing.
#[track_caller]
fn assert_has_every_form(kind: ServerKind, keys: &Keys) {
    let found: BTreeSet<String> = keys
        .values()
        .map(|key| format!("{} {}", key.data_type, key.encoding))
        .collect();
    let mut expected: Vec<&str> = vec![
        "string int",
        "string raw",
        "list quicklist",
        "set intset",
        "set hashtable",
        "zset skiplist",
        "hash hashtable",
        "stream stream",
    ];
    if kind.has_listpacks() {
        expected.extend(["zset listpack", "hash listpack"]);
    } else {
        expected.extend(["zset ziplist", "hash ziplist"]);
    }
    if kind.has_set_listpacks() {
        expected.push("set listpack");
    }
    if kind == ServerKind::Redis82 {
        expected.push("hash listpackex");
    }
    for form in expected {
        assert!(found.contains(form), "{kind}: no {form} among {found:?}");
    }
}

#[test]
fn the_json_of_a_snapshot_is_what_redis_6_2_answers() {
    if ServerKind::Redis62.is_usable() {
        assert_equal_to_live(ServerKind::Redis62, &[]);
    }
}

#[test]
fn the_json_of_a_snapshot_is_what_redis_7_0_answers() {
    if ServerKind::Redis70.is_usable() {
        assert_equal_to_live(ServerKind::Redis70, &[]);
    }
}

#[test]
fn the_json_of_a_snapshot_is_what_redis_8_2_answers() {
    if ServerKind::Redis82.is_usable() {
        assert_equal_to_live(ServerKind::Redis82, &[]);
    }
}

#[test]
fn the_json_of_a_snapshot_is_what_valkey_8_1_answers() {
    if ServerKind::Valkey81.is_usable() {
        assert_equal_to_live(ServerKind::Valkey81, &[]);
    }
}

#[test]
fn the_json_of_a_snapshot_is_what_valkey_9_1_answers() {
    if ServerKind::Valkey91.is_usable() {
        assert_equal_to_live(ServerKind::Valkey91, &[]);
    }
}

#[test]
fn a_snapshot_without_compression_and_checksum_tells_the_same() {
    for kind in ServerKind::usable() {
        assert_equal_to_live(kind, &["--rdbcompression", "no", "--rdbchecksum", "no"]);
    }
}

#[test]
fn an_empty_server_saves_a_sound_file_of_no_keys() {
    for kind in ServerKind::usable() {
        let server = Server::start(kind, &[]);
        assert_eq!(dumped_text(&server.save(), &[]), "", "{kind}");
    }
}

/// The same text from a file, from a pipe, by one thread and by many.
#[test]
fn the_output_depends_on_nothing_but_the_input() {
    for kind in ServerKind::usable() {
        let server = Server::start(kind, &[]);
        dataset::fill(&mut server.client(), kind);
        let path = server.save();
        let expected = dumped_text(&path, &["--threads", "1"]);
        assert!(
            dumped_text(&path, &["--threads", "7"]) == expected,
            "{kind}"
        );
        assert!(dumped_text(&path, &["--no-mmap"]) == expected, "{kind}");

        let mut piped = Command::new(env!("CARGO_BIN_EXE_redkit"))
            .args(["dump-to-json", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("redkit runs");
        let mut input = piped.stdin.take().expect("it is piped");
        let bytes = fs::read(&path).expect("the saved file");
        let writer = thread::spawn(move || input.write_all(&bytes));
        let output = piped.wait_with_output().expect("its output");
        writer.join().expect("no panic").expect("it reads all");
        assert!(output.status.success(), "{kind}: {}", output.status);
        assert!(output.stdout == expected.as_bytes(), "{kind}: from a pipe");
    }
}

#[test]
fn a_key_that_has_passed_still_stands_in_the_file() {
    for kind in ServerKind::usable() {
        let server = Server::start(kind, &[]);
        let mut client = server.client();
        cmd!(client, "DEBUG", "SET-ACTIVE-EXPIRE", "0").ok();
        // Nobody asks for it: who asks for a key that has passed removes it.
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let at = now.expect("after 1970").as_millis() as i64 + 500;
        cmd!(client, "SET", "key", "value", "PXAT", at.to_string()).ok();
        thread::sleep(Duration::from_millis(520));
        let keys = dumped(&server.save());
        let key = &keys[&(0, b"key".to_vec())];
        assert_eq!(key.value, Value::String(b"value".to_vec()), "{kind}");
        assert_eq!(key.expire_at_ms, Some(at), "{kind}");
    }
}

#[test]
fn functions_and_facts_of_the_writer_are_told_with_meta() {
    for kind in ServerKind::usable() {
        let server = Server::start(kind, &[]);
        let mut client = server.client();
        cmd!(client, "SET", "key", "value").ok();
        if kind.has_functions() {
            dataset::functions(&mut client);
        }
        let path = server.save();
        let text = dumped_text(&path, &["--with", "meta"]);
        let mut functions = BTreeMap::new();
        let mut aux = BTreeMap::new();
        for json in text.lines().map(Json::parse) {
            match json.at("type").str() {
                "function" => {
                    let name = json.at("name").str().to_owned();
                    functions.insert(name, json.at("code").str().to_owned());
                }
                "aux" => {
                    let name = json.at("name").str().to_owned();
                    aux.insert(name, json.at("value").str().to_owned());
                }
                _ => {}
            }
        }
        let mut expected = BTreeMap::new();
        if kind.has_functions() {
            for library in cmd!(client, "FUNCTION", "LIST", "WITHCODE").array() {
                let library = live::Pairs::of(library);
                let name = library.at("library_name").text();
                expected.insert(name, library.at("library_code").text());
            }
            assert_eq!(expected.len(), dataset::LIBRARIES.len(), "{kind}");
        }
        assert_eq!(functions, expected, "{kind}");
        let version = match kind.family() {
            Family::Valkey => "valkey-ver",
            Family::Redis => "redis-ver",
        };
        assert_eq!(aux[version], kind.version(), "{kind}");
        assert_eq!(aux["redis-bits"], "64", "{kind}");
        // Besides that it tells the same keys.
        let keys = dump::keys_of(&text);
        dump::assert_same("with and without meta", &dumped(&path), &keys);
    }
}

/// Idle times and frequencies that were set by RESTORE, beside those that the server keeps itself.
fn access_data(client: &mut Client, word: &str, values: &[u64]) {
    cmd!(client, "SET", "source", "value").ok();
    let payload = cmd!(client, "DUMP", "source").bulk();
    for value in values {
        let key = format!("{word} {value}");
        cmd!(
            client,
            "RESTORE",
            key,
            "0",
            &payload,
            word,
            value.to_string()
        )
        .ok();
    }
    cmd!(client, "RPUSH", "list", "a", "b").int();
    cmd!(client, "SET", "expires", "v", "PXAT", "33333333333333").no_error();
    cmd!(client, "PEXPIREAT", "list", "33333333333333").int();
}

#[test]
fn frequencies_stand_in_the_file_under_an_lfu_policy() {
    for kind in ServerKind::usable() {
        let options = ["--maxmemory-policy", "allkeys-lfu", "--lfu-decay-time", "0"];
        let server = Server::start(kind, &options);
        let mut client = server.client();
        access_data(&mut client, "FREQ", &[0, 1, 5, 100, 254, 255]);
        let mut expected = Keys::new();
        let asked = |client: &mut Client, name: &[u8]| {
            u64::try_from(cmd!(client, "OBJECT", "FREQ", name).int()).expect("a count")
        };
        // Asked before the values are, which would count as access.
        let mut freqs = BTreeMap::new();
        for name in cmd!(client, "KEYS", "*").array() {
            let name = name.bulk();
            freqs.insert(name.clone(), asked(&mut client, &name));
        }
        assert_eq!(freqs[&b"FREQ 100"[..]], 100, "{kind}");
        let path = server.save();
        for (name, mut key) in live::keys(&mut client, kind) {
            key.freq = Some(freqs[&name.1]);
            expected.insert(name, key);
        }
        assert_dumped(&format!("{kind} under LFU"), expected, &path);
    }
}

#[test]
fn idle_times_stand_in_the_file_under_an_lru_policy() {
    for kind in ServerKind::usable() {
        let server = Server::start(kind, &["--maxmemory-policy", "volatile-lru"]);
        let mut client = server.client();
        access_data(
            &mut client,
            "IDLETIME",
            &[0, 1, 63, 64, 1000, 16_383, 100_000],
        );
        let ask = |client: &mut Client| -> BTreeMap<Vec<u8>, u64> {
            let names = cmd!(client, "KEYS", "*").array().into_iter();
            names
                .map(Reply::bulk)
                .map(|name| {
                    let idle = cmd!(client, "OBJECT", "IDLETIME", &name).int();
                    (name, u64::try_from(idle).expect("a time"))
                })
                .collect()
        };
        // The clock may move between a question and the save.
        let before = ask(&mut client);
        let path = server.save();
        let after = ask(&mut client);
        assert!(
            (1000..1010).contains(&before[&b"IDLETIME 1000"[..]]),
            "{kind}"
        );
        let of_file = dumped(&path);
        for ((_, name), key) in &of_file {
            let range = before[name]..=after[name];
            let idle = key.idle_s.expect("every key has one");
            assert!(range.contains(&idle), "{kind}: {name:?} {idle} {range:?}");
        }
        let without = of_file.into_iter().map(|(name, key)| {
            let key = Key {
                idle_s: None,
                ..key
            };
            (name, key)
        });
        let of_server = live::keys(&mut client, kind);
        dump::assert_same(&format!("{kind} under LRU"), &of_server, &without.collect());
    }
}

#[test]
fn a_cluster_saves_its_slots_and_keys_are_chosen_by_slot() {
    for kind in ServerKind::usable() {
        let server = Server::start_cluster(kind, &[]);
        let mut client = server.client();
        for i in 0..2_000 {
            let expires = i % 3 == 0;
            let key = match i % 5 {
                0 => format!("{{tag {}}}:{i}", i % 40),
                1 => format!("empty{{}}{i}"),
                _ => format!("key:{i}"),
            };
            cmd!(client, "SET", &key, i.to_string()).ok();
            if expires {
                cmd!(client, "PEXPIREAT", &key, "33333333333333").int();
            }
        }
        cmd!(client, "RPUSH", "{tag 0}list", "a").int();
        let path = server.save();
        let of_server = live::keys_in(&mut client, kind, [0]);
        let all = assert_dumped(&format!("{kind} as a cluster"), of_server, &path);
        assert_eq!(all.len(), 2_001);

        let mut slots = BTreeMap::new();
        for (_, name) in all.keys() {
            slots.insert(name.clone(), cmd!(client, "CLUSTER", "KEYSLOT", name).int());
        }
        for (first, last) in [(0, 5460), (5461, 10_922), (10_923, 16_383)] {
            let range = format!("{first}-{last}");
            let chosen = dump::keys_of(&dumped_text(&path, &["--slot", &range]));
            let mut expected = all.clone();
            expected.retain(|(_, name), _| (first..=last).contains(&slots[name]));
            assert!(!expected.is_empty());
            dump::assert_same(&format!("{kind} slots {range}"), &expected, &chosen);
        }
    }
}

/// What a chunk of the long string is, by its number: text, so that its JSON is itself.
fn long_chunk(number: u64) -> Vec<u8> {
    const TEXT: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    let mut chunk = dataset::noise(number + 1, 1 << 20);
    for byte in &mut chunk {
        *byte = TEXT[usize::from(*byte % 64)];
    }
    chunk
}

/// A string of 300 MiB, neither in the test nor in the program held twice.
#[test]
fn a_string_of_300_mib_comes_out_whole() {
    const CHUNKS: u64 = 300;
    let kinds = match support::full() {
        true => ServerKind::usable(),
        false => ServerKind::usable_of(&[ServerKind::Redis82]),
    };
    for kind in kinds {
        let server = Server::start(kind, &[]);
        let mut client = server.client();
        cmd!(client, "SET", "a", "before").ok();
        cmd!(client, "SET", "z", "behind").ok();
        for number in 0..CHUNKS {
            let end = (number + 1) << 20;
            let length = cmd!(client, "APPEND", "long", long_chunk(number)).int();
            assert_eq!(u64::try_from(length), Ok(end), "{kind}");
        }
        for number in [0, 1, CHUNKS / 2, CHUNKS - 1] {
            let (from, to) = (number << 20, ((number + 1) << 20) - 1);
            let part = cmd!(client, "GETRANGE", "long", from.to_string(), to.to_string()).bulk();
            assert!(part == long_chunk(number), "{kind}: the server has it");
        }
        let path = server.save();
        let mut run = Command::new(env!("CARGO_BIN_EXE_redkit"))
            .args(["dump-to-json", "--key", "long"])
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("redkit runs");
        let mut output = BufReader::new(run.stdout.take().expect("it is piped"));
        let head = r#"{"db":0,"key":"long","type":"string","encoding":"raw","value":""#;
        let mut expect = |expected: &[u8], what: &str| {
            let mut found = vec![0; expected.len()];
            output.read_exact(&mut found).expect("more output");
            assert!(found == expected, "{kind}: {what}");
        };
        expect(head.as_bytes(), "the head");
        for number in 0..CHUNKS {
            expect(&long_chunk(number), &format!("MiB {number}"));
        }
        expect(b"\"}\n", "the end");
        let mut rest = Vec::new();
        output.read_to_end(&mut rest).expect("the rest");
        assert!(rest.is_empty(), "{kind}");
        assert!(run.wait().expect("it ends").success(), "{kind}");
    }
}

/// A long string that is compressed in the file comes out through the history of LZF.
#[test]
fn a_compressed_string_of_50_mib_comes_out_whole() {
    for kind in ServerKind::usable() {
        let server = Server::start(kind, &[]);
        let mut client = server.client();
        let value = dataset::compressible(77, 50 << 20);
        cmd!(client, "SET", "long", &value).ok();
        let keys = dumped(&server.save());
        let key = &keys[&(0, b"long".to_vec())];
        assert_eq!(key.encoding, "lzf", "{kind}");
        assert!(key.value == Value::String(value), "{kind}");
    }
}

/// Hand-written lines in the shapes of the contract: the reader of these tests must see in them
/// what stands there.
#[test]
fn the_reader_of_these_tests_reads_what_the_contract_shows() {
    let lines = [
        r#"{"type":"aux","name":"redis-ver","value":"8.2.3"}"#,
        r#"{"db":0,"key":"h","type":"hash","encoding":"listpackex","expire_at_ms":1795316680907,"value":{"f1":"v","\u0000b64:/w==":{"$b64":"AAECAw=="}},"field_expire_at_ms":{"f1":1795316680908}}"#,
        r#"{"db":0,"key":"z","type":"zset","encoding":"skiplist","value":[{"member":"b","score":"-inf"},{"member":"c","score":1.1},{"member":"d","score":-0}]}"#,
        r#"{"db":3,"key":"st","type":"stream","encoding":"stream","idle_s":7,"value":{"length":2,"last_id":"1-2","first_id":"1-1","max_deleted_id":"0-0","entries_added":2,"entries":[{"id":"1-1","fields":[["f","1"],["f","2"]]}],"groups":[{"name":"g","last_id":"1-1","entries_read":null,"pending":[{"id":"1-1","consumer":"c1","delivered_at_ms":1795230000000,"deliveries":1}],"consumers":[{"name":"c1","seen_at_ms":5,"active_at_ms":-1}]}]}}"#,
        r#"{"db":0,"key":{"$b64":"a/8A/g=="},"type":"string","encoding":"raw","freq":255,"value":{"$b64":"AAECAw=="}}"#,
        r#"{"db":0,"key":"l","type":"list","encoding":"quicklist","value":["1","","\u00e9\ud83d\ude00\n"]}"#,
        r#"{"db":0,"key":"s","type":"set","encoding":"intset","value":["-1","2"]}"#,
    ];
    let key = |data_type: &str, encoding: &str, value| Key {
        data_type: data_type.to_owned(),
        encoding: encoding.to_owned(),
        expire_at_ms: None,
        idle_s: None,
        freq: None,
        value,
    };
    let hash = BTreeMap::from([
        (b"f1".to_vec(), (b"v".to_vec(), Some(1_795_316_680_908))),
        (b"\xff".to_vec(), (vec![0, 1, 2, 3], None)),
    ]);
    let zset = BTreeMap::from([
        (b"b".to_vec(), Score(f64::NEG_INFINITY)),
        (b"c".to_vec(), Score(1.1)),
        (b"d".to_vec(), Score(-0.0)),
    ]);
    let group = Group {
        last_id: "1-1".to_owned(),
        entries_read: None,
        pending: vec![Pending {
            id: "1-1".to_owned(),
            consumer: b"c1".to_vec(),
            delivered_at_ms: 1_795_230_000_000,
            deliveries: 1,
        }],
        consumers: BTreeMap::from([(
            b"c1".to_vec(),
            Consumer {
                seen_at_ms: 5,
                active_at_ms: Some(-1),
            },
        )]),
    };
    let pairs = vec![
        (b"f".to_vec(), b"1".to_vec()),
        (b"f".to_vec(), b"2".to_vec()),
    ];
    let stream = Stream {
        length: 2,
        last_id: "1-2".to_owned(),
        first_id: "1-1".to_owned(),
        max_deleted_id: "0-0".to_owned(),
        entries_added: 2,
        entries: vec![("1-1".to_owned(), pairs)],
        groups: BTreeMap::from([(b"g".to_vec(), group)]),
    };
    let list = vec![b"1".to_vec(), vec![], "é😀\n".as_bytes().to_vec()];
    let set = BTreeSet::from([b"-1".to_vec(), b"2".to_vec()]);
    let mut expected = Keys::from([
        (
            (0, b"h".to_vec()),
            key("hash", "listpackex", Value::Hash(hash)),
        ),
        (
            (0, b"z".to_vec()),
            key("zset", "skiplist", Value::ZSet(zset)),
        ),
        (
            (3, b"st".to_vec()),
            key("stream", "stream", Value::Stream(Box::new(stream))),
        ),
        (
            (0, b"k\xff\x00\xfe".to_vec()),
            key("string", "raw", Value::String(vec![0, 1, 2, 3])),
        ),
        (
            (0, b"l".to_vec()),
            key("list", "quicklist", Value::List(list)),
        ),
        ((0, b"s".to_vec()), key("set", "intset", Value::Set(set))),
    ]);
    for ((db, name), key) in &mut expected {
        match (db, &name[..]) {
            (0, b"h") => key.expire_at_ms = Some(1_795_316_680_907),
            (3, _) => key.idle_s = Some(7),
            (0, b"k\xff\x00\xfe") => key.freq = Some(255),
            _ => {}
        }
    }
    let read = dump::keys_of(&lines.join("\n"));
    assert_eq!(dump::differences(&expected, &read), Vec::<String>::new());

    // Every difference is seen: one in each line.
    let changes = [
        (1, "680908", "680909"),
        (1, "AAECAw", "AAECBA"),
        (1, "680907", "680906"),
        (2, "1.1", "1.2"),
        (2, ":-0}", ":0}"),
        (3, r#""last_id":"1-2""#, r#""last_id":"1-3""#),
        (3, r#"["f","2"]"#, r#"["f","3"]"#),
        (3, r#""deliveries":1"#, r#""deliveries":2"#),
        (3, r#""seen_at_ms":5"#, r#""seen_at_ms":6"#),
        (3, r#""idle_s":7"#, r#""idle_s":8"#),
        (3, r#""db":3"#, r#""db":2"#),
        (4, "a/8A", "b/8A"),
        (5, r#""1","""#, r#""","1""#),
        (6, "intset", "hashtable"),
    ];
    for (line, from, to) in changes {
        let mut changed = lines.map(str::to_owned);
        assert!(changed[line].contains(from));
        changed[line] = changed[line].replace(from, to);
        let read = dump::keys_of(&changed.join("\n"));
        assert!(!dump::differences(&expected, &read).is_empty(), "{to}");
    }
}
