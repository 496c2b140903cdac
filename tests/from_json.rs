//! What `from-json` makes of a dump is the keyspace that was dumped: for files of real servers, in
//! every style of the dump, and for the servers that load the result.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use redkit::error::{Error, ErrorKind, Result};
use redkit::io::progress::Quiet;
use redkit::record::target::Target;
use redkit::report::json::{Select, StringStyle};
use redkit::task::dump::{ChunkSink, DumpOptions, With, dump};
use redkit::task::from_json::{FromJsonOptions, FromJsonOutcome, from_json};
use redkit::task::replay::{ReplayOptions, replay};
use redkit::task::{InputPath, Run};
use support::dump::{assert_same, redkit, redkit_ok};
use support::resp::{Client, Reply};
use support::server::{Server, ServerKind};
use support::{TempFolder, checker, count, dataset, live, seed};

#[derive(Default)]
struct Sink(Vec<u8>);

impl ChunkSink for Sink {
    fn chunk(&mut self, chunk: &[u8]) -> Result<()> {
        self.0.extend_from_slice(chunk);
        Ok(())
    }
}

fn run(threads: usize, mmap: bool) -> Run<'static> {
    Run {
        threads,
        mmap,
        max_spool: 1 << 30,
        max_memory: 4 << 30,
        progress: &Quiet,
    }
}

fn whole() -> DumpOptions {
    DumpOptions {
        raw_modules: true,
        with: With {
            meta: true,
            ..With::default()
        },
        ..DumpOptions::default()
    }
}

#[track_caller]
fn dumped(path: &Path, options: &DumpOptions) -> Vec<u8> {
    let mut sink = Sink::default();
    let input = InputPath::File(path.to_owned());
    let outcome = dump(&input, options, &run(2, true), &mut sink).unwrap();
    assert!(outcome.complete && outcome.findings.list().is_empty());
    sink.0
}

/// What two files of the same keyspace say alike: all but the forms of the values.
#[track_caller]
fn alike(path: &Path) -> Vec<String> {
    let sorted = DumpOptions {
        sort: true,
        ..whole()
    };
    let text = String::from_utf8(dumped(path, &sorted)).unwrap();
    let line = |line: &str| match line.split_once(",\"encoding\":\"") {
        None => line.to_owned(),
        Some((before, after)) => {
            let (_, after) = after.split_once('"').unwrap();
            format!("{before}{after}")
        }
    };
    text.lines().map(line).collect()
}

fn target(name: &str) -> Option<&'static Target> {
    Some(Target::from_name(name).expect("a server that is known"))
}

struct Folder(TempFolder);

impl Folder {
    fn new() -> Folder {
        Folder(TempFolder::new())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn made_by(
        &self,
        json: &[u8],
        options: &FromJsonOptions,
        run: &Run<'_>,
    ) -> Result<(Vec<u8>, FromJsonOutcome)> {
        let mut sink = Sink::default();
        let input = InputPath::File(self.file("in.json", json));
        let outcome = from_json(&input, options, run, &mut sink)?;
        Ok((sink.0, outcome))
    }

    fn made(&self, json: &[u8], for_target: Option<&'static Target>) -> Result<Vec<u8>> {
        let options = FromJsonOptions {
            target: for_target,
            keep_going: false,
        };
        let (bytes, outcome) = self.made_by(json, &options, &run(2, true))?;
        match outcome.errors.into_iter().chain(outcome.twice).next() {
            Some(error) => Err(error),
            None if outcome.incomplete => Err(Error::usage("incomplete")),
            None => Ok(bytes),
        }
    }
}

#[track_caller]
fn digest(path: &Path, like: Option<ServerKind>) -> (String, String) {
    let options = ReplayOptions {
        like: like.map(|kind| kind.id().parse().expect("a server's name")),
        digest: true,
        full_digest: true,
        ..ReplayOptions::default()
    };
    let input = InputPath::File(path.to_owned());
    let report = replay(&input, &options, &run(2, true)).unwrap().report;
    (report.digest.unwrap().0, report.full_digest.unwrap())
}

/// Every style of a dump from which the whole can be had again.
fn styles() -> Vec<(&'static str, DumpOptions)> {
    let mut styles = vec![("plain", whole())];
    for (name, strings) in [
        ("base64", StringStyle::Base64),
        ("hex", StringStyle::Hex),
        ("escape", StringStyle::Escape),
    ] {
        styles.push((name, DumpOptions { strings, ..whole() }));
    }
    styles.push((
        "pairs, base64",
        DumpOptions {
            pairs: true,
            strings: StringStyle::Base64,
            ..whole()
        },
    ));
    styles.push((
        "a document, pairs, end",
        DumpOptions {
            pairs: true,
            document: true,
            with_end: true,
            ..whole()
        },
    ));
    styles.push((
        "sorted, end, everything added",
        DumpOptions {
            sort: true,
            with_end: true,
            now: Some(1),
            with: With {
                meta: true,
                size: true,
                offset: true,
                ttl: true,
            },
            ..whole()
        },
    ));
    styles
}

#[track_caller]
fn assert_comes_back(kind: ServerKind) {
    if !kind.is_usable() {
        return;
    }
    let server = Server::start(kind, &["--maxmemory-policy", "allkeys-lfu"]);
    let mut client = server.client();
    dataset::fill(&mut client, kind);
    let path = server.save();
    let folder = Folder::new();
    let expected = alike(&path);
    assert!(expected.len() > 500);
    let wanted = digest(&path, Some(kind));
    let mut last = Vec::new();
    // What is alike in every word is not asked for its digest again.
    for (name, style) in styles() {
        let json = dumped(&path, &style);
        let made = folder.made(&json, None);
        let made = made.unwrap_or_else(|error| panic!("{kind}, {name}: {error}"));
        let copy = folder.file("copy.rdb", &made);
        let found = alike(&copy);
        let differs = expected.iter().zip(&found).find(|(a, b)| a != b);
        assert!(expected == found, "{kind}, {name}: {differs:?}");
        if name == "plain" {
            assert_eq!(digest(&copy, Some(kind)), wanted, "{kind}");
            last = made;
        }
    }
    let copy = folder.file("copy.rdb", &last);
    let checked = checker::check_rdb(kind, &copy);
    assert!(checked.is_sound(), "{kind}: {checked:?}");
    let other = Server::start_with_rdb(kind, &copy, &[]);
    let other = other.unwrap_or_else(|error| panic!("{kind}: {error}"));
    let mut copied = other.client();
    let sum = |client: &mut Client| cmd!(client, "DEBUG", "DIGEST").text();
    assert_eq!(sum(&mut copied), sum(&mut client), "{kind}");
    let (mut before, mut after) = (live::keys(&mut client, kind), live::keys(&mut copied, kind));
    for key in before.values_mut().chain(after.values_mut()) {
        key.encoding.clear();
    }
    assert_same(&format!("{kind}, loaded"), &before, &after);
}

#[test]
fn the_dump_of_redis_6_2_comes_back() {
    assert_comes_back(ServerKind::Redis62);
}

#[test]
fn the_dump_of_redis_7_0_comes_back() {
    assert_comes_back(ServerKind::Redis70);
}

#[test]
fn the_dump_of_redis_8_2_comes_back() {
    assert_comes_back(ServerKind::Redis82);
}

#[test]
fn the_dump_of_valkey_8_1_comes_back() {
    assert_comes_back(ServerKind::Valkey81);
}

#[test]
fn the_dump_of_valkey_9_1_comes_back() {
    assert_comes_back(ServerKind::Valkey91);
}

/// From every server to every other: refused, or loaded with the digest that is promised.
#[test]
fn other_servers_load_what_is_written_for_them() {
    let kinds = ServerKind::usable();
    let folder = Folder::new();
    let mut loaded = 0;
    for (n, &from) in kinds.iter().enumerate() {
        let server = Server::start(from, &[]);
        dataset::fill(&mut server.client(), from);
        let json = dumped(&server.save(), &whole());
        drop(server);
        let all = kinds.iter().cycle().skip(n + 1);
        for &to in all.take(count(2, 5).min(kinds.len())) {
            let (line, _) = to.id().rsplit_once('.').unwrap();
            let made = match folder.made(&json, target(line)) {
                Ok(made) => made,
                Err(error) => {
                    assert!(
                        matches!(error.kind(), ErrorKind::Unsupported(_)),
                        "{from} to {to}: {error}"
                    );
                    continue;
                }
            };
            let copy = folder.file("copy.rdb", &made);
            let other = Server::start_with_rdb(to, &copy, &[]);
            let other = other.unwrap_or_else(|error| panic!("{from} to {to}: {error}"));
            let sum = cmd!(other.client(), "DEBUG", "DIGEST").text();
            assert_eq!(sum, digest(&copy, Some(to)).0, "{from} to {to}");
            loaded += 1;
        }
    }
    assert!(kinds.is_empty() || loaded > 0);
}

/// A vector set keeps its graph, which no decoded form has.
#[test]
fn values_of_modules_come_back_by_their_bytes() {
    let kind = ServerKind::Redis82;
    if !kind.is_usable() {
        return;
    }
    let server = Server::start(kind, &[]);
    let mut client = server.client();
    for n in 0..300 {
        let vector = format!("VADD v VALUES 3 {n} {} {} e{n}", n * n % 17, n * 7 % 31);
        let words: Vec<&[u8]> = vector.split(' ').map(str::as_bytes).collect();
        client.cmd(&words).no_error();
    }
    let path = server.save();
    let folder = Folder::new();
    let made = folder.made(&dumped(&path, &whole()), None).unwrap();
    let copy = folder.file("copy.rdb", &made);
    assert_eq!(alike(&copy), alike(&path));
    let other = Server::start_with_rdb(kind, &copy, &[]).unwrap();
    let asked = |client: &mut Client| {
        let near = cmd!(
            client,
            "VSIM",
            "v",
            "ELE",
            "e7",
            "COUNT",
            "20",
            "WITHSCORES"
        );
        // Links are a set: a server that loads them turns them round.
        let layers = cmd!(client, "VLINKS", "v", "e7").array().into_iter();
        let links = layers.map(|layer| {
            let names: BTreeSet<Vec<u8>> = layer.array().into_iter().map(Reply::bulk).collect();
            names
        });
        (format!("{near:?}"), links.collect::<Vec<_>>())
    };
    assert_eq!(asked(&mut client), asked(&mut other.client()));

    let decoded = DumpOptions {
        raw_modules: false,
        ..whole()
    };
    let error = folder.made(&dumped(&path, &decoded), None).unwrap_err();
    assert!(error.to_string().contains("--modules raw"), "{error}");
    assert!(error.to_string().contains("key \"v\" of db 0"), "{error}");
    let error = folder
        .made(&dumped(&path, &whole()), target("valkey-9.1"))
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{error}");
}

/// A record of every kind, as `dump-to-json --with meta --modules raw` writes it for Redis 8.8.
const EVERY_KIND: &str = r##"{"type":"aux","name":"redis-ver","value":"8.8.0"}
{"type":"aux","name":"redis-bits","value":"64"}
{"type":"function","name":"lib","code":"#!lua name=lib\nredis.register_function('f', function() return 1 end)\n"}
{"type":"module-aux","module":"scdtype00","module_version":3,"when":1,"raw":{"$b64":"AgUA"}}
{"db":0,"key":"s","type":"string","encoding":"raw","idle_s":17,"value":"žluť \"\\\n"}
{"db":0,"key":{"$b64":"a/8A/g=="},"type":"string","encoding":"int","expire_at_ms":-5,"freq":255,"value":"-12"}
{"db":3,"key":"h","type":"hash","encoding":"listpackex","value":{"":"","\u0000b64:AGI=":{"$b64":"/w=="},"f":"1"},"field_expire_at_ms":{"":4102444800000,"\u0000b64:AGI=":4102444800001}}
{"db":3,"key":"l","type":"list","encoding":"quicklist","value":["1","a","1",""]}
{"db":0,"key":"i","type":"set","encoding":"intset","value":["-7","3"]}
{"db":0,"key":"z","type":"zset","encoding":"listpack","value":[{"member":"n","score":"-inf"},{"member":"m","score":-0},{"member":"a","score":1.1},{"member":"b","score":9007199254740993},{"member":"c","score":"inf"}]}
{"db":0,"key":"a","type":"array","encoding":"array","value":[[0,"x"],[5,7],[6,7.0],[7,1.5],[4294967296,{"$b64":"/w=="}]]}
{"db":0,"key":"m","type":"module","encoding":"module","module":"scdtype00","module_version":3,"raw":{"$b64":"AgUBAwUBeAA="}}
{"db":0,"key":"x","type":"stream","encoding":"stream","value":{"length":2,"last_id":"7-0","first_id":"1-1","max_deleted_id":"6-0","entries_added":9,"entries":[{"id":"1-1","fields":[["f","1"],["f","2"]]},{"id":"5-0","fields":[["g",{"$b64":"/w=="}]]}],"groups":[{"name":"g","last_id":"5-0","entries_read":null,"pending":[{"id":"1-1","consumer":"c","delivered_at_ms":1700000000000,"deliveries":3}],"consumers":[{"name":"c","seen_at_ms":1700000000001,"active_at_ms":-1},{"name":"d","seen_at_ms":1,"active_at_ms":2}]},{"name":"h","last_id":"0-0","entries_read":0,"pending":[],"consumers":[]}],"idempotence":{"duration_s":100,"max_entries":10,"producers":[{"id":"p","messages":[["i","5-0"]]}],"added":1,"duplicates":0}}}
{"$end":{"keys":9,"complete":true}}
"##;

#[test]
fn a_record_of_every_kind_comes_back_byte_for_byte() {
    let folder = Folder::new();
    let text = EVERY_KIND.replace("9007199254740993", "9007199254740992");
    let made = folder.made(text.as_bytes(), None).unwrap();
    assert_eq!(made.get(..9), Some(&b"REDIS0014"[..]));
    let with_end = DumpOptions {
        with_end: true,
        ..whole()
    };
    let again = dumped(&folder.file("a.rdb", &made), &with_end);
    assert_eq!(String::from_utf8(again).unwrap(), text);
}

/// As `jq .` and `jq -S .` leave it: members in another order, values over several lines.
#[test]
fn the_layout_of_the_text_does_not_matter() {
    let folder = Folder::new();
    let expected = folder.made(EVERY_KIND.as_bytes(), None).unwrap();
    let values = EVERY_KIND.lines().map(|line| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        serde_json::to_string_pretty(&value).unwrap()
    });
    let pretty = values.collect::<Vec<_>>().join("\n");
    assert!(pretty.contains("{\n  \"db\""));
    assert_eq!(folder.made(pretty.as_bytes(), None).unwrap(), expected);
    let one_line = EVERY_KIND.replace('\n', "");
    assert_eq!(folder.made(one_line.as_bytes(), None).unwrap(), expected);
    let crlf = EVERY_KIND.replace('\n', "\r\n\r\n");
    assert_eq!(folder.made(crlf.as_bytes(), None).unwrap(), expected);
    let lines: Vec<&str> = EVERY_KIND.lines().collect();
    let keys = lines[..lines.len() - 1].join(",\n");
    for document in [
        format!("{{\"meta\":{{\"aux\":{{}}}},\"keys\":[\n{keys}\n],\"complete\":true}}"),
        format!("{{ \"complete\" : true , \"keys\" : [{keys}] , \"meta\" : {{}} }}\n"),
    ] {
        let made = folder.made(document.as_bytes(), target("redis-8.8"));
        assert_eq!(made.unwrap(), expected, "{document}");
    }
}

#[test]
fn the_same_bytes_for_any_number_of_threads_from_a_map_and_from_a_stream() {
    let mut json = String::new();
    for n in 0..20_000 {
        let db = n / 3000 % 3;
        json += &format!(
            "{{\"db\":{db},\"key\":\"key:{n}\",\"type\":\"list\",\"value\":[\"{n}\",\"{}\"]}}\n",
            "x".repeat(n % 90)
        );
    }
    let folder = Folder::new();
    let options = FromJsonOptions::default();
    let made = |threads, mmap| {
        let run = run(threads, mmap);
        folder.made_by(json.as_bytes(), &options, &run).unwrap().0
    };
    let expected = made(1, true);
    let told = dumped(&folder.file("a.rdb", &expected), &DumpOptions::default());
    let told = String::from_utf8(told).unwrap();
    assert_eq!(told.replace(",\"encoding\":\"quicklist\"", ""), json);
    for threads in [1, 2, 5] {
        for mmap in [true, false] {
            assert_eq!(made(threads, mmap), expected, "{threads} {mmap}");
        }
    }
}

#[track_caller]
fn refused(json: &str, for_target: &str, words: &[&str]) -> Error {
    let folder = Folder::new();
    let error = match folder.made(json.as_bytes(), target(for_target)) {
        Err(error) => error,
        Ok(_) => panic!("{json} was taken"),
    };
    for word in words {
        assert!(error.to_string().contains(word), "{json}: {error}");
    }
    error
}

#[test]
fn what_is_wrong_is_named_with_its_place_and_key() {
    let key = |more: &str| format!("{{\"db\":2,\"key\":\"k\",{more}}}\n");
    let damaged: &[(&str, &str)] = &[
        (
            r#""type":"string","value":"a","expires":1"#,
            "\"expires\" is not known",
        ),
        (r#""type":"string","value":"a","value":"b""#, "stands twice"),
        (r#""type":"string","value":1"#, "a string was expected"),
        (r#""type":"string","value":{"$b64":"*"}"#, "no base64"),
        (r#""type":"string","value":"a","freq":256"#, "at most 255"),
        (r#""type":"strings","value":"a""#, "no such type"),
        (
            r#""type":"string","value":"a","module":"x""#,
            "no place in string",
        ),
        (r#""type":"set","value":["a","a"]"#, "stands twice"),
        (
            r#""type":"zset","value":[{"member":"a","score":1},{"member":"a","score":2}]"#,
            "twice",
        ),
        (
            r#""type":"zset","value":[{"member":"a","score":"1"}]"#,
            "a number was expected",
        ),
        (
            r#""type":"zset","value":[{"member":"a","score":1e999}]"#,
            "largest double",
        ),
        (
            r#""type":"hash","value":{"a":"1","\u0061":"1"}"#,
            "stands twice",
        ),
        (
            r#""type":"hash","value":{"a":"1"},"field_expire_at_ms":{"b":1}"#,
            "no such field",
        ),
        (r#""type":"list","value":["a",]"#, "a string was expected"),
        (r#""type":"list","value":["a"}"#, "was expected"),
        (
            r#""type":"stream","value":{"last_id":"1-1","entries":[{"id":"2-1","fields":[["a","b"]]}],"groups":[]}"#,
            "less than",
        ),
        (
            r#""type":"stream","value":{"length":2,"last_id":"2-1","entries":[{"id":"2-1","fields":[["a","b"]]}],"groups":[]}"#,
            "1 entries",
        ),
        (
            r#""type":"stream","value":{"last_id":"2","entries":[],"groups":[]}"#,
            "the ID of an entry",
        ),
        (
            r#""type":"module","module":"scdtype00","module_version":1,"raw":{"$b64":"AgU="}"#,
            "no items of a module",
        ),
    ];
    for (record, words) in damaged {
        let error = refused(&key(record), "redis-8.8", &[words, "in line 1, column"]);
        assert!(matches!(error.kind(), ErrorKind::Text(_)), "{error}");
    }
    let unfit: &[(&str, &str, &str)] = &[
        ("redis-8.2", r#""type":"string""#, "--select keys"),
        (
            "redis-7.2",
            r#""type":"hash","value":{"a":"1"},"field_expire_at_ms":{"a":1}"#,
            "expiry of fields",
        ),
        (
            "valkey-8.1",
            r#""type":"hash","value":{"a":"1"},"field_expire_at_ms":{"a":1}"#,
            "expiry of fields",
        ),
        ("redis-8.6", r#""type":"array","value":[]"#, "no arrays"),
        ("redis-8.8", r#""type":"cron","value":[]"#, "KeyDB"),
        ("redis-8.8", r#""type":"json","value":["1"]"#, "Dragonfly"),
        (
            "valkey-9.1",
            r#""type":"stream","value":{"last_id":"0-0","entries":[],"groups":[],"idempotence":{}}"#,
            "producers",
        ),
        (
            "redis-7.4",
            r#""type":"module","module":"vectorset","module_version":0,"raw":{"$b64":"AA=="}"#,
            "vector sets",
        ),
        (
            "redis-8.2",
            r#""type":"module","module":"ReJSON-RL","module_version":3,"value":{}"#,
            "--modules raw",
        ),
    ];
    for (server, record, words) in unfit {
        let error = refused(&key(record), server, &[words, "key \"k\" of db 2"]);
        assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{error}");
    }
    let function = "{\"type\":\"function\",\"code\":\"#!lua name=x\\n\"}";
    refused(function, "redis-6.2", &["no functions"]);
    refused("\"a\"\n\"b\"\n", "redis-8.2", &["--select values"]);
    refused("{\"x\":1}", "redis-8.2", &["not known"]);
    refused(
        "{\"db\":0,\"type\":\"list\",\"value\":[]}",
        "redis-8.2",
        &["\"key\""],
    );
    refused(
        "{\"keys\":[],\"complete\":false}",
        "redis-8.2",
        &["incomplete"],
    );
    refused(
        "{\"$end\":{\"keys\":0,\"complete\":false}}",
        "redis-8.2",
        &["incomplete"],
    );
    refused("{\"keys\":[", "redis-8.2", &["ends before its document"]);
    refused("{\"keys\":[],\"what\":1}", "redis-8.2", &["a document has"]);
    refused("", "redis-8.2", &["empty"]);
    let deep = "[".repeat(1 << 20);
    refused(
        &key(&format!("\"type\":\"list\",\"value\":{deep}")),
        "redis-8.2",
        &["line"],
    );
    refused(&deep, "redis-8.2", &["middle of a value"]);
}

#[test]
fn a_key_that_stands_twice_is_refused_with_both_places() {
    let one = "{\"db\":0,\"key\":\"a\",\"type\":\"string\",\"value\":\"1\"}\n";
    let same = "{\"db\":0,\"key\":{\"$b64\":\"YQ==\"},\"type\":\"list\",\"value\":[\"1\"]}\n";
    let other = one.replace("\"db\":0", "\"db\":1");
    let folder = Folder::new();
    let json = format!("{one}{other}{same}");
    let options = FromJsonOptions::default();
    let (_, outcome) = folder
        .made_by(json.as_bytes(), &options, &run(1, true))
        .unwrap();
    assert_eq!(outcome.twice_count, 1);
    let text = outcome.twice[0].to_string();
    assert!(
        text.contains("of db 0 stands twice, in line 1 and in line 3"),
        "{text}"
    );
    let (path, out) = (
        folder.file("k.json", json.as_bytes()),
        folder.0.path().join("o"),
    );
    let words = [
        "from-json",
        path.to_str().unwrap(),
        "-o",
        out.to_str().unwrap(),
    ];
    for more in [&[][..], &["--keep-going"]] {
        let ended = redkit(&[&words, more].concat());
        assert_eq!(ended.status.code(), Some(1));
        assert!(!out.exists());
    }
}

/// What can be told apart behind damage comes back with `--keep-going`.
#[test]
fn records_behind_damage_are_kept_where_that_is_asked_for() {
    let line = |n: usize| {
        format!("{{\"db\":0,\"key\":\"k{n}\",\"type\":\"list\",\"value\":[\"{n}\",\"x\"]}}\n")
    };
    let lines: Vec<String> = (0..9).map(line).collect();
    let folder = Folder::new();
    let keep = FromJsonOptions {
        target: None,
        keep_going: true,
    };
    let last = lines[4].len();
    for cut in 1..last - 1 {
        let mut all = lines.clone();
        all[4] = format!("{}\n", &lines[4][..cut]);
        let json = all.concat();
        let made = folder.made_by(json.as_bytes(), &keep, &run(1, true));
        let (bytes, outcome) = made.unwrap();
        assert_eq!((outcome.keys, outcome.faults), (8, 1), "cut at {cut}");
        let told = dumped(&folder.file("k.rdb", &bytes), &DumpOptions::default());
        assert_eq!(told.iter().filter(|&&b| b == b'\n').count(), 8);
        let ended = folder.made(json.as_bytes(), None);
        assert!(ended.is_err(), "cut at {cut}");
    }
}

/// Any cut and any changed byte gives a sound snapshot or an error.
#[test]
fn hostile_texts_give_a_snapshot_or_an_error() {
    let folder = Folder::new();
    let lines: Vec<&str> = EVERY_KIND.lines().collect();
    let document = format!(
        "{{\"meta\":{{\"family\":\"redis\",\"rdb_version\":14,\"aux\":{{\"redis-ver\":\"8.8.0\"}}}},\"keys\":[\n{}\n],\"complete\":true}}",
        lines[..lines.len() - 1].join(",\n")
    );
    let mut taken = 0;
    let mut hold = |json: &[u8], keep_going: bool, mmap: bool| {
        let options = FromJsonOptions {
            target: target("redis-8.8"),
            keep_going,
        };
        if let Ok((bytes, outcome)) = folder.made_by(json, &options, &run(1, mmap))
            && (outcome.faults == 0 || keep_going)
        {
            taken += 1;
            let path = folder.file("hostile.rdb", &bytes);
            let mut sink = Sink::default();
            let input = InputPath::File(path);
            let told = dump(&input, &whole(), &run(1, true), &mut sink).unwrap();
            assert!(told.complete, "{:?}", String::from_utf8_lossy(json));
        }
    };
    for text in [EVERY_KIND, &document] {
        for cut in (0..text.len()).step_by(count(2, 1)) {
            hold(&text.as_bytes()[..cut], cut % 2 == 0, cut % 3 == 0);
        }
    }
    let mut chance = support::damage::Chance::new(seed());
    for n in 0..count(1500, 200_000) {
        let mut text = match n % 2 {
            0 => EVERY_KIND.as_bytes().to_vec(),
            _ => document.as_bytes().to_vec(),
        };
        for _ in 0..=n % 3 {
            let at = chance.below(text.len());
            text[at] = match n % 5 {
                0 => chance.next() as u8,
                _ => b"\"\\{}[],:0-9.eE \nnut"[chance.below(19)],
            };
        }
        hold(&text, n % 4 < 2, n % 3 == 0);
    }
    assert!(taken > 1000, "{taken}");
}

#[test]
fn only_whole_dumps_have_all_there_is_to_come_back() {
    let folder = Folder::new();
    let made = folder.made(EVERY_KIND.as_bytes(), None).unwrap();
    let path = folder.file("a.rdb", &made);
    for select in [Select::Keys, Select::Meta, Select::Values] {
        let options = DumpOptions { select, ..whole() };
        let error = folder.made(&dumped(&path, &options), None).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{error}");
    }
}

#[test]
fn the_program_reads_pipes_and_compressed_files_and_refuses_what_is_no_json() {
    let folder = Folder::new();
    let json = folder.file("k.json", EVERY_KIND.as_bytes());
    let plain = folder.0.path().join("plain.rdb");
    redkit_ok(&[
        "from-json",
        json.to_str().unwrap(),
        "-o",
        plain.to_str().unwrap(),
    ]);
    let made = fs::read(&plain).unwrap();
    assert_eq!(folder.made(EVERY_KIND.as_bytes(), None).unwrap(), made);
    let again = redkit(&[
        "from-json",
        json.to_str().unwrap(),
        "-o",
        plain.to_str().unwrap(),
    ]);
    assert_eq!(again.status.code(), Some(2), "it exists");
    let zipped = folder.0.path().join("k.gz");
    let mut gzip = std::process::Command::new("gzip");
    if let Ok(output) = gzip.arg("-c").arg(&json).output() {
        fs::write(&zipped, output.stdout).unwrap();
        let words = ["from-json", zipped.to_str().unwrap(), "--force", "-o"];
        redkit_ok(&[&words[..], &[plain.to_str().unwrap()]].concat());
        assert_eq!(fs::read(&plain).unwrap(), made);
    }
    let words = ["from-json", plain.to_str().unwrap(), "-o", "-"];
    let wrong = redkit(&words);
    assert_eq!(wrong.status.code(), Some(4));
    assert!(wrong.stdout.is_empty());
}
