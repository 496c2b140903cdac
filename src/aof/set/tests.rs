use super::*;
use std::fs;

fn files(names: &[(&str, u64)]) -> Vec<FileInfo> {
    let file = |(name, size): &(&str, u64)| FileInfo {
        name: name.as_bytes().to_vec(),
        size: *size,
    };
    names.iter().map(file).collect()
}

fn manifest(text: &str) -> Manifest {
    Manifest::parse(text.as_bytes()).unwrap()
}

fn report(manifest: Option<&str>, names: &[(&str, u64)], beside: Option<u64>) -> SetReport {
    let manifest = manifest.map(self::manifest);
    let beside = beside.map(|size| FileInfo {
        name: b"a".to_vec(),
        size,
    });
    SetReport::of(SetInput {
        manifest: manifest.as_ref(),
        stem: b"a",
        files: &files(names),
        beside: beside.as_ref(),
        kept: &[],
    })
}

fn codes(report: &SetReport) -> Vec<(&str, &'static str)> {
    let name = |problem: &'_ SetProblem| problem.name().map(<[u8]>::to_vec);
    report
        .problems
        .iter()
        .map(|problem| {
            let text = problem.name().map(std::str::from_utf8);
            assert_eq!(name(problem).is_some(), text.is_some());
            (text.map_or("", Result::unwrap), problem.code())
        })
        .collect()
}

const SET: &str = "file a.2.base.rdb seq 2 type b\nfile a.2.incr.aof seq 2 type i\nfile a.3.incr.aof seq 3 type i\n";
const FILES: &[(&str, u64)] = &[
    ("a.2.base.rdb", 9),
    ("a.2.incr.aof", 8),
    ("a.3.incr.aof", 0),
    ("a.manifest", 90),
];

#[test]
fn a_whole_set_has_no_problem_and_is_listed_in_load_order() {
    let report = report(Some(SET), FILES, None);
    assert_eq!(
        (report.start, report.effect()),
        (Start::Set, Effect::Harmless)
    );
    assert_eq!(report.problems, []);
    let order: Vec<_> = report
        .files
        .iter()
        .map(|file| (file.seq, file.role, file.size))
        .collect();
    assert_eq!(
        order,
        [
            (2, Role::Base, Some(9)),
            (2, Role::Incremental, Some(8)),
            (3, Role::Incremental, Some(0))
        ]
    );
}

#[test]
fn everything_odd_is_in_one_list() {
    let text = "file a.2.base.rdb seq 2 type b\nfile a.3.incr.aof seq 2 type i\nfile a.9.incr.aof seq 9 type i\n\
                file a.1.incr.aof seq 1 type h\nfile a.1.base.rdb seq 1 type h\nfile a.2.base.rdb seq 2 type h\n";
    let found = [
        ("a.1.base.aof", 5),
        ("a.1.incr.aof", 4),
        ("a.10.incr.aof", 3),
        ("a.2.base.rdb", 2),
        ("a.3.incr.aof", 1),
        ("b.1.incr.aof", 6),
        ("notes.txt", 7),
        ("temp-rewriteaof-7.aof", 8),
    ];
    let report = report(Some(text), &found, Some(77));
    assert_eq!(
        codes(&report),
        [
            ("a.3.incr.aof", "aof-set-misnamed"),
            ("a.9.incr.aof", "aof-set-missing"),
            ("a.1.incr.aof", "aof-set-history"),
            ("a.1.base.rdb", "aof-set-history"),
            ("a.2.base.rdb", "aof-set-history"),
            ("a.2.base.rdb", "aof-set-named-twice"),
            ("a.1.base.aof", "aof-set-orphan"),
            ("a.10.incr.aof", "aof-set-orphan"),
            ("b.1.incr.aof", "aof-set-orphan"),
            ("temp-rewriteaof-7.aof", "aof-set-temporary"),
            ("a", "aof-set-old-file"),
        ]
    );
    let effects: Vec<_> = report.problems.iter().map(SetProblem::effect).collect();
    use Effect::{Harmless, Misleads, Refuses};
    assert_eq!(
        effects,
        [
            Harmless, Refuses, Harmless, Harmless, Harmless, Misleads, Harmless, Misleads,
            Misleads, Harmless, Misleads
        ]
    );
    assert_eq!(report.effect(), Refuses);
    assert_eq!(report.files.get(2).map(|file| file.size), Some(None));
    assert_eq!(
        report.problems.get(5).map(ToString::to_string).as_deref(),
        Some(
            "\"a.2.base.rdb\" is named as base and as history file: a server loads it and then removes it"
        )
    );
}

#[test]
fn an_old_file_is_taken_only_where_nothing_else_is_named() {
    let start = |manifest, names, beside| {
        let report = report(manifest, names, beside);
        (
            report.start,
            codes(&report)
                .iter()
                .map(|(_, code)| *code)
                .collect::<Vec<_>>(),
        )
    };
    let none: &[(&str, u64)] = &[];
    assert_eq!(start(None, none, Some(5)), (Start::Upgrade, vec![]));
    assert_eq!(start(None, none, None), (Start::Empty, vec![]));
    assert_eq!(start(Some("#\n"), none, Some(5)), (Start::Upgrade, vec![]));
    let history = Some("file h seq 1 type h\n");
    assert_eq!(
        start(history, none, Some(5)),
        (Start::Upgrade, vec!["aof-set-history"])
    );
    let moving = Some("file a seq 5 type b\n");
    assert_eq!(start(moving, none, Some(5)), (Start::Upgrade, vec![]));
    assert_eq!(
        start(moving, none, None),
        (Start::Set, vec!["aof-set-missing"])
    );
    let moved: &[(&str, u64)] = &[("a", 5)];
    assert_eq!(
        start(moving, moved, Some(5)),
        (Start::Set, vec!["aof-set-old-file"])
    );
    let more = Some("file a seq 1 type b\nfile a.1.incr.aof seq 1 type i\n");
    assert_eq!(
        start(more, &[("a.1.incr.aof", 3)], Some(5)),
        (Start::Set, vec!["aof-set-missing", "aof-set-old-file"])
    );
}

#[test]
fn files_without_a_manifest_or_with_one_that_names_nothing_are_told() {
    let without = report(None, &FILES[..2], None);
    assert_eq!(
        (without.start, without.effect()),
        (Start::Empty, Effect::Misleads)
    );
    assert_eq!(codes(&without), [("", "aof-set-no-manifest")]);
    let nothing = report(Some("# lost\n"), &FILES[..2], None);
    assert_eq!(nothing.start, Start::Empty);
    assert_eq!(
        codes(&nothing),
        [
            ("", "aof-set-nothing-named"),
            ("a.2.base.rdb", "aof-set-orphan"),
            ("a.2.incr.aof", "aof-set-orphan")
        ]
    );
}

#[test]
fn names_are_told_as_servers_make_them() {
    let name =
        |text: &'static str| AofName::parse(text.as_bytes()).map(|n| (n.stem, n.seq, n.role));
    assert_eq!(
        name("a.aof.12.base.rdb"),
        Some((&b"a.aof"[..], 12, Role::Base))
    );
    assert_eq!(name(".1.incr.aof"), Some((&b""[..], 1, Role::Incremental)));
    for other in [
        "a.1.incr.rdb",
        "a.01.incr.aof",
        "a.0.incr.aof",
        "a.-1.incr.aof",
        "a.x.base.aof",
        "1.base.aof",
        "temp-a.1.base.aof",
        "a.1.base.aof ",
        ".base.rdb",
    ] {
        assert_eq!(name(other), None, "{other}");
    }
}

#[test]
fn a_manifest_is_rebuilt_where_names_leave_no_doubt() {
    let rebuilt = |names: &[(&str, u64)]| Manifest::rebuild(&files(names), None);
    assert_eq!(rebuilt(FILES), Ok((b"a".to_vec(), manifest(SET))));
    let moved = [("a.1.incr.aof", 1), ("a", 1), ("x", 1)];
    let text = "file a seq 1 type b\nfile a.1.incr.aof seq 1 type i\n";
    assert_eq!(rebuilt(&moved), Ok((b"a".to_vec(), manifest(text))));
    // After rewrites that failed, the incremental files run ahead of the base.
    let ahead = [
        ("a.2.base.aof", 0),
        ("a.10.incr.aof", 0),
        ("a.9.incr.aof", 0),
    ];
    let (_, manifest) = rebuilt(&ahead).unwrap();
    let order: Vec<_> = manifest.in_load_order().map(|file| file.seq).collect();
    assert_eq!(order, [2, 9, 10]);
    let two = [("b.1.base.rdb", 1), ("a.1.base.rdb", 1)];
    let (stem, _) = Manifest::rebuild(&files(&two), Some(b"b")).unwrap();
    assert_eq!(stem, b"b");
}

#[test]
fn a_manifest_is_not_rebuilt_where_names_leave_a_doubt() {
    let fault = |names: &[(&str, u64)]| Manifest::rebuild(&files(names), None).unwrap_err();
    let name = |name: &str| name.as_bytes().to_vec();
    assert_eq!(
        fault(&[("a", 1), ("temp-a.1.base.rdb", 1)]),
        RebuildFault::NoFiles
    );
    assert_eq!(fault(&[("a.1.incr.aof", 1)]), RebuildFault::NoBase);
    let (one, other) = (name("a"), name("b"));
    assert_eq!(
        fault(&[("a.1.base.rdb", 1), ("b.1.base.rdb", 1)]),
        RebuildFault::SeveralStems { one, other }
    );
    let names = vec![name("a.1.base.rdb"), name("a.2.base.rdb")];
    assert_eq!(
        fault(&[("a.2.base.rdb", 1), ("a.1.base.rdb", 1)]),
        RebuildFault::SeveralBases { names }
    );
    let empty = fault(&[("a.1.base.rdb", 0), ("a.1.incr.aof", 1)]);
    assert_eq!(
        empty,
        RebuildFault::EmptyBase {
            name: name("a.1.base.rdb")
        }
    );
    let old = [
        ("a.2.base.rdb", 1),
        ("a.1.incr.aof", 1),
        ("a.2.incr.aof", 1),
    ];
    assert_eq!(
        fault(&old),
        RebuildFault::Superseded {
            name: name("a.1.incr.aof")
        }
    );
    let gap = [
        ("a.2.base.rdb", 1),
        ("a.2.incr.aof", 1),
        ("a.4.incr.aof", 1),
    ];
    assert_eq!(
        fault(&gap),
        RebuildFault::Gap {
            after: 2,
            before: 4
        }
    );
    let path = [("a\\b.1.base.rdb", 1)];
    assert_eq!(
        fault(&path),
        RebuildFault::BadName {
            name: name("a\\b.1.base.rdb")
        }
    );
}

#[test]
fn a_folder_is_listed_with_its_one_manifest_and_what_lies_beside_it() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("appendonlydir");
    fs::create_dir(&folder).unwrap();
    let put = |path: &str, text: &str| fs::write(parent.path().join(path), text).unwrap();
    put("appendonlydir/b.1.base.aof", "12345");
    put("appendonlydir/temp-b.manifest", "x");
    fs::create_dir(folder.join("b.2.incr.aof")).unwrap();
    put("b", "old");

    let listing = Listing::of_folder(&folder).unwrap();
    assert_eq!(
        (listing.stem.as_slice(), &listing.manifest),
        (&b"b"[..], &None)
    );
    assert_eq!(
        listing.files,
        files(&[("b.1.base.aof", 5), ("temp-b.manifest", 1)])
    );
    assert_eq!(listing.beside, files(&[("b", 3)]).pop());
    assert_eq!(SetReport::of(listing.input(None)).start, Start::Upgrade);

    let text = "file b.1.base.aof seq 1 type b\n";
    put("appendonlydir/b.manifest", text);
    let listing = Listing::of_folder(&folder).unwrap();
    let manifest = self::manifest(text);
    assert_eq!(
        listing.manifest,
        Some((b"b.manifest".to_vec(), text.into()))
    );
    assert_eq!(
        SetReport::of(listing.input(Some(&manifest))).start,
        Start::Set
    );

    put("appendonlydir/c.manifest", "#");
    let Err(ListError::SeveralManifests { names }) = Listing::of_folder(&folder) else {
        panic!("two manifests")
    };
    assert_eq!(names, [b"b.manifest", b"c.manifest"]);
    let listing = Listing::of_manifest(&folder.join("c.manifest")).unwrap();
    assert_eq!(
        (listing.stem.as_slice(), listing.beside.is_some()),
        (&b"c"[..], false)
    );
    let missing = Listing::of_folder(&folder.join("none"));
    assert!(matches!(missing, Err(ListError::Io { .. })), "{missing:?}");
}

#[test]
fn a_name_that_a_fix_gives_has_the_number_of_the_file_it_was_made_of() {
    for (name, fixed) in [
        ("a.aof.3.incr.aof", 0),
        ("a.aof.3.fixed.incr.aof", 1),
        ("a.aof.3.fixed-2.incr.aof", 2),
        ("a.aof.3.fixed-17.incr.aof", 17),
    ] {
        let expected = AofName {
            stem: b"a.aof",
            seq: 3,
            role: Role::Incremental,
            fixed,
        };
        assert_eq!(AofName::parse(name.as_bytes()), Some(expected));
    }
    for name in [
        "a.aof.3.fixed-1.incr.aof",
        "a.aof.3.fixed-0.incr.aof",
        "a.aof.3.fixed-02.incr.aof",
        "a.aof.3.fixed-.incr.aof",
        "a.aof.3.fixedx.incr.aof",
        "a.aof.3.fixed-99999999999.incr.aof",
        "a.aof.fixed.incr.aof",
        "fixed.incr.aof",
        "a.aof.3.fixed.fixed.incr.aof",
    ] {
        assert_eq!(AofName::parse(name.as_bytes()), None, "{name}");
    }
}

#[test]
fn what_a_fix_left_beside_is_no_orphan() {
    let text = "file a.2.base.rdb seq 2 type b\nfile a.2.fixed-2.incr.aof seq 2 type i\n\
                file a.3.fixed.incr.aof seq 3 type i\n";
    let found = [
        ("a.2.base.rdb", 9),
        ("a.2.fixed-2.incr.aof", 8),
        ("a.2.fixed-3.incr.aof", 7),
        ("a.2.fixed.incr.aof", 6),
        ("a.2.incr.aof", 5),
        ("a.3.fixed.incr.aof", 4),
        ("a.3.incr.aof", 3),
        ("b.3.incr.aof", 2),
    ];
    let report = report(Some(text), &found, None);
    assert_eq!(
        codes(&report),
        [
            ("a.2.fixed-3.incr.aof", "aof-set-orphan"),
            ("b.3.incr.aof", "aof-set-orphan")
        ]
    );
    let kept: Vec<_> = report.kept.iter().map(|file| file.size).collect();
    assert_eq!(kept, [6, 5, 3]);
}

#[test]
fn what_a_kept_manifest_names_is_no_orphan() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    for name in [
        "1.base.rdb",
        "1.incr.aof",
        "2.incr.aof",
        "3.incr.aof",
        "4.incr.aof",
    ] {
        write(&format!("a.{name}"), "x");
    }
    write("a.manifest", "file a.1.base.rdb seq 1 type b\n");
    // One line of it is what was wrong.
    write(
        "a.manifest.orig",
        "file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type i\nfile\n",
    );
    write("a.manifest.orig.1", "file a.2.incr.aof seq 2 type i\n");
    write("a.manifest.orig.bak", "file a.3.incr.aof seq 3 type i\n");
    write("b.manifest.orig", "file a.4.incr.aof seq 4 type i\n");
    let listing = Listing::of_folder(folder.path()).unwrap();
    let manifest = Manifest::parse(&listing.manifest.as_ref().unwrap().1).unwrap();
    let report = SetReport::of(listing.input(Some(&manifest)));
    assert_eq!(
        codes(&report),
        [
            ("a.3.incr.aof", "aof-set-orphan"),
            ("a.4.incr.aof", "aof-set-orphan")
        ]
    );
    let kept: Vec<_> = report
        .kept
        .iter()
        .map(|file| file.name.as_slice())
        .collect();
    assert_eq!(kept, [b"a.1.incr.aof", b"a.2.incr.aof"]);
}

#[test]
fn a_file_and_what_a_fix_made_of_it_leave_a_doubt() {
    let named = |names: &[(&str, u64)]| Manifest::rebuild(&files(names), None);
    let (base, one, fixed) = (
        ("a.1.base.rdb", 9),
        ("a.1.incr.aof", 1),
        ("a.1.fixed.incr.aof", 1),
    );
    let (stem, manifest) = named(&[base, fixed]).unwrap();
    assert_eq!(
        (stem.as_slice(), manifest.incrementals()[0].seq),
        (&b"a"[..], 1)
    );
    let fault = named(&[base, one, fixed]).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "\"a.1.fixed.incr.aof\" and \"a.1.incr.aof\" take the same place, and one was made of the other"
    );
    let fault = named(&[base, ("a.1.fixed.base.rdb", 9)]).unwrap_err();
    assert!(
        matches!(fault, RebuildFault::SeveralBases { .. }),
        "{fault}"
    );
}

#[test]
fn what_a_killed_change_leaves_is_told() {
    let found = [
        FILES,
        &[(".redkit-aB3dEf6hIj.tmp", 7), (".redkit-notes", 1)],
    ]
    .concat();
    let report = report(Some(SET), &found, None);
    assert_eq!(
        codes(&report),
        [(".redkit-aB3dEf6hIj.tmp", "aof-set-temporary")]
    );
    assert_eq!(
        report.problems[0].to_string(),
        "\".redkit-aB3dEf6hIj.tmp\" is left of a change that did not end"
    );
}
