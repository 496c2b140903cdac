use super::*;
use proptest::prelude::*;

fn parse(text: &[u8]) -> Manifest {
    Manifest::parse(text).unwrap_or_else(|fault| panic!("{fault}: {}", text.escape_ascii()))
}

fn written(manifest: &Manifest) -> Vec<u8> {
    let mut out = Vec::new();
    manifest.write(&mut out).unwrap();
    out
}

/// What a line behind a good one gives.
fn second(line: &[u8]) -> Result<Manifest, ManifestFault> {
    Manifest::parse(&[b"file h seq 1 type h\n", line].concat())
}

#[track_caller]
fn refused(line: &[u8], problem: ManifestProblem) {
    let fault = second(line).unwrap_err();
    assert_eq!(fault.problem, problem, "{}", line.escape_ascii());
    assert_eq!((fault.line, fault.offset), (2, 20));
}

/// What Redis 8.2.3 wrote in a rewrite with `aof-disable-auto-gc yes`, and then at its shutdown.
const CAPTURED: &[u8] = b"file appendonly.aof.2.base.rdb seq 2 type b\n\
    file appendonly.aof.1.incr.aof seq 1 type h startoffset 0\n\
    file appendonly.aof.1.base.rdb seq 1 type h\n\
    file appendonly.aof.2.incr.aof seq 2 type i startoffset 1 endoffset 2\n";

#[test]
fn what_a_server_wrote_is_read_and_written_back_byte_for_byte() {
    let manifest = parse(CAPTURED);
    assert_eq!(manifest.base().unwrap().name, b"appendonly.aof.2.base.rdb");
    assert_eq!(manifest.base().unwrap().line, Some(1));
    let history: Vec<_> = manifest.history().iter().map(|file| file.line).collect();
    assert_eq!(history, [Some(2), Some(3)]);
    let [incremental] = manifest.incrementals() else {
        panic!("{manifest:?}")
    };
    let offsets = (incremental.start_offset, incremental.end_offset);
    assert_eq!((incremental.seq, offsets), (2, (Some(1), Some(2))));
    let order: Vec<_> = manifest.in_load_order().map(|file| file.line).collect();
    assert_eq!(order, [Some(1), Some(4)]);
    assert_eq!(written(&manifest), CAPTURED);
}

#[test]
fn order_of_lines_and_keys_case_and_blanks_do_not_matter() {
    let manifest = parse(
        b"TYPE incremental  seq 3x\tFile 'b c'\r\n  seq +2 type h file a\n\x0b Seq 1 FILE base type b\n",
    );
    assert_eq!(
        written(&manifest),
        b"file base seq 1 type b\nfile a seq 2 type h\nfile \"b c\" seq 3 type i\n"
    );
}

#[test]
fn comments_and_unknown_pairs_stay_where_they_belong() {
    let manifest = parse(
        b"#1\n#2\r\nfile i seq 1 type i a b C \"\"\n# base\nfile b seq 1 type b x y x z\n#end",
    );
    assert_eq!(
        written(&manifest),
        b"# base\nfile b seq 1 type b x y x z\n#1\n#2\r\nfile i seq 1 type i a b C \"\"\n#end\n"
    );
    assert_eq!(parse(&written(&manifest)), manifest);
}

#[test]
fn each_rule_is_refused_with_its_reason() {
    use ManifestProblem as P;
    let fault = Manifest::parse(b"").unwrap_err();
    assert_eq!((fault.problem, fault.line), (P::Empty, 0));
    refused(b"\n", P::BlankLine);
    refused(b" \t\r\n", P::BlankLine);
    refused(b"\x0b\n", P::WordCount { count: 0 });
    refused(b"file a seq 1 type i", P::NoLineFeed);
    refused(b"file a\0 seq 1 type i\n", P::Nul);
    refused(b"file \"a seq 1 type i\n", P::Quotes);
    refused(b"file a'b seq 1 type i\n", P::Quotes);
    refused(b"file \"a\"b seq 1 type i\n", P::Quotes);
    refused(b"file \"a\\\"\n", P::Quotes);
    refused(b"file a seq 1\n", P::WordCount { count: 4 });
    refused(b"file a seq 1 type i x\n", P::WordCount { count: 7 });
    refused(b" #file a seq 1 type\n", P::WordCount { count: 5 });
    refused(b"file ./a file b seq 1 type i\n", P::Path);
    refused(b"file a\\b seq 1 type i\n", P::Path);
    refused(b"nofile a seq 1 type i\n", P::NoName);
    refused(b"file a seq 0 type i\n", P::NoSeq);
    refused(b"file a seq x1 type i\n", P::NoSeq);
    refused(b"file a seq 1 x i\n", P::NoRole);
    refused(b"file a seq 1 type \"\"\n", P::NoRole);
    refused(b"file a seq 1 type B\n", P::UnknownRole { found: b'B' });
    let (previous, found) = (0, -1);
    refused(b"file a seq -1 type i\n", P::SeqOrder { previous, found });
    let both = b"file a seq 4 type i\nfile b seq 4 type i\n";
    let (previous, found) = (4, 4);
    assert_eq!(
        Manifest::parse(both).unwrap_err().problem,
        P::SeqOrder { previous, found }
    );
    let both = b"file a seq -4 type b\nfile b seq 4 type b\n";
    let fault = Manifest::parse(both).unwrap_err();
    assert_eq!(fault.problem, P::SecondBase);
    assert_eq!(fault.text, b"file b seq 4 type b");
}

#[test]
fn a_line_may_have_1024_bytes_with_its_line_feed_and_a_comment_is_cut_there() {
    let line = |len: usize| {
        let mut line = b"file a seq 1 type i k ".to_vec();
        line.resize(len - 1, b'x');
        line.push(b'\n');
        line
    };
    assert!(second(&line(1024)).is_ok());
    refused(&line(1025), ManifestProblem::LineTooLong);

    let comment = [b'#'; 1024];
    // What stands behind the 1024th byte of a comment is a line of its own.
    let glued = [&comment[..], b"file a seq 1 type i\n"].concat();
    let manifest = parse(&glued);
    assert_eq!(manifest.incrementals()[0].line, Some(2));
    assert_eq!(written(&manifest), glued);
    let fault = Manifest::parse(&[&comment[..], b"\n"].concat()).unwrap_err();
    assert_eq!(
        (fault.problem, fault.offset),
        (ManifestProblem::BlankLine, 1024)
    );
    // A comment need not end.
    assert_eq!(parse(&comment[..9]).comments(), [b"#########"]);
}

#[test]
fn numbers_are_those_of_atoll() {
    for (text, value) in [
        (&b" \x0c+7z"[..], 7),
        (b"-0012", -12),
        (b"", 0),
        (b"- 1", 0),
        (b"9223372036854775808", i64::MAX),
        (b"-99999999999999999999999", i64::MIN),
    ] {
        assert_eq!(c_number(text), value, "{}", text.escape_ascii());
    }
}

#[test]
fn valkey_loses_a_bare_ff_and_since_9_joins_what_is_quoted() {
    let name = |text: &[u8], dialect| {
        let line = [b"file ", text, b" seq 1 type i\n"].concat();
        let manifest = Manifest::parse_as(&line, dialect).ok()?;
        Some(manifest.incrementals()[0].name.clone())
    };
    let each = [Dialect::Redis, Dialect::Valkey8, Dialect::Valkey9];
    for (text, names) in [
        (
            &b"k\xffm"[..],
            [Some(&b"k\xffm"[..]), Some(b"km"), Some(b"km")],
        ),
        (b"\"k\\xffm\"", [Some(b"k\xffm"); 3]),
        (b"x\" \"y", [None, None, Some(b"x y")]),
        (b"\"x\"'y'", [None, None, Some(b"xy")]),
        (b"\"x\"\x0b", [Some(b"x"), Some(b"x"), Some(b"x\x0b")]),
        (b"\"\\x4g\\e\\x00z\"", [Some(b"x4ge"); 3]),
    ] {
        let found = each.map(|dialect| name(text, dialect));
        assert_eq!(found.each_ref().map(Option::as_deref), names);
    }
    let of = |name| Dialect::of(Target::from_name(name).unwrap());
    assert_eq!(of("redis-8.10"), Dialect::Redis);
    assert_eq!(of("valkey-8.1"), Dialect::Valkey8);
    assert_eq!(of("valkey-9.1"), Dialect::Valkey9);
}

#[test]
fn a_name_is_escaped_as_servers_do_unless_the_line_gets_too_long() {
    let name = |len| vec![0xfe; len];
    let mut manifest = Manifest::default();
    manifest
        .push(FileEntry::new(Role::Base, 1, name(200)))
        .unwrap();
    assert!(written(&manifest).starts_with(b"file \"\\xfe\\xfe"));
    let mut manifest = Manifest::default();
    manifest
        .push(FileEntry::new(Role::Base, 1, name(255)))
        .unwrap();
    assert!(written(&manifest).starts_with(b"file \xfe\xfe"));
    assert_eq!(parse(&written(&manifest)), manifest);
    let mut manifest = Manifest::default();
    manifest
        .push(FileEntry::new(Role::Base, 1, name(1010)))
        .unwrap();
    let name = name(1010);
    assert_eq!(manifest.write(&mut Vec::new()), Err(Unwritable { name }));
}

#[test]
fn a_manifest_that_breaks_a_rule_cannot_be_made() {
    use ManifestProblem as P;
    let base = || FileEntry::new(Role::Base, 1, "b");
    let incremental = |seq| FileEntry::new(Role::Incremental, seq, "i");
    let problem = |entries| Manifest::from_entries(entries, Vec::new()).unwrap_err();
    assert_eq!(problem(vec![base(), base()]), (1, P::SecondBase));
    assert_eq!(
        problem(vec![FileEntry::new(Role::Base, 0, "b")]),
        (0, P::NoSeq)
    );
    assert_eq!(
        problem(vec![FileEntry::new(Role::Base, 1, "a/b")]),
        (0, P::Path)
    );
    assert_eq!(
        problem(vec![FileEntry::new(Role::Base, 1, "a\0")]),
        (0, P::Nul)
    );
    let (previous, found) = (2, 2);
    assert_eq!(
        problem(vec![base(), incremental(2), incremental(2)]),
        (2, P::SeqOrder { previous, found })
    );
    let mut pair = base();
    pair.others.push((b"Seq\0".to_vec(), b"1".to_vec()));
    assert_eq!(problem(vec![pair]).0, 0);
    let comment = vec![b"#\n".to_vec()];
    assert_eq!(
        Manifest::from_entries(vec![base()], comment).unwrap_err().0,
        1
    );
}

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    let any_byte = prop_oneof![
        any::<u8>(),
        proptest::sample::select(b" \t\n\r\"'\\#\0\xffnx0".to_vec())
    ];
    proptest::collection::vec(any_byte, 0..most)
}

fn entry(role: Role) -> impl Strategy<Value = FileEntry> {
    let name = bytes(60).prop_map(|mut name| {
        name.retain(|c| !b"/\\\0".contains(c));
        name
    });
    let others = proptest::collection::vec((bytes(12), bytes(12)), 0..3).prop_map(|mut others| {
        others.retain(|(key, _)| Key::of(key).is_none());
        others
    });
    let comment = bytes(40).prop_map(|mut text| {
        text.retain(|c| *c != b'\n');
        text.insert(0, b'#');
        text
    });
    let offset = || proptest::option::of(any::<i64>());
    let comments = proptest::collection::vec(comment, 0..3);
    (
        name,
        1..i64::MAX,
        any::<bool>(),
        offset(),
        offset(),
        others,
        comments,
    )
        .prop_map(
            move |(name, seq, negative, start_offset, end_offset, others, comments)| FileEntry {
                seq: if negative && role != Role::Incremental {
                    -seq
                } else {
                    seq
                },
                name,
                role,
                start_offset,
                end_offset,
                others,
                comments,
                line: None,
            },
        )
}

fn manifests() -> impl Strategy<Value = Manifest> {
    let base = proptest::collection::vec(entry(Role::Base), 0..2);
    let history = proptest::collection::vec(entry(Role::History), 0..3);
    let incremental = proptest::collection::vec(entry(Role::Incremental), 1..4);
    (base, history, incremental).prop_map(|(base, history, mut incremental)| {
        incremental.sort_by_key(|file| file.seq);
        incremental.dedup_by_key(|file| file.seq);
        let entries = [base, history, incremental].concat();
        Manifest::from_entries(entries, vec![b"# the end".to_vec()]).unwrap()
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_alike_by_every_server(manifest in manifests()) {
        let text = written(&manifest);
        for dialect in [Dialect::Redis, Dialect::Valkey8, Dialect::Valkey9] {
            let read = Manifest::parse_as(&text, dialect);
            prop_assert_eq!(read.as_ref(), Ok(&manifest));
        }
    }

    #[test]
    fn a_short_word_is_read_alike_by_every_server(word in bytes(20)) {
        for write in [words::write, words::write_short] {
            let mut line = b"a ".to_vec();
            write(&mut line, &word);
            line.extend_from_slice(b" z");
            prop_assert!(!line.contains(&0) && !line.contains(&b'\n'));
            for dialect in [Dialect::Redis, Dialect::Valkey8, Dialect::Valkey9] {
                let words = words::split(&line, dialect);
                prop_assert_eq!(words, Some(vec![b"a".to_vec(), word.clone(), b"z".to_vec()]));
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused_at_a_place_inside(text in bytes(3000)) {
        match Manifest::parse(&text) {
            Ok(manifest) => prop_assert_eq!(parse(&written(&manifest)), manifest),
            Err(fault) => {
                prop_assert!(fault.offset <= text.len() as u64 && fault.text.len() <= LINE);
            }
        }
    }
}
