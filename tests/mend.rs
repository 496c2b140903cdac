//! Applying a plan to files: nothing is ever lost.

#[path = "mend/kill.rs"]
mod kill;
#[path = "mend/limits.rs"]
mod limits;
#[path = "mend/scene.rs"]
mod scene;
#[path = "mend/servers.rs"]
mod servers;
mod support;

use std::fs;
use std::path::Path;

use redkit::aof::manifest::Manifest;
use redkit::aof::set::{Listing, SetReport};
use redkit::error::ErrorKind;
use redkit::io::output::Existing;
use redkit::io::progress::Quiet;
use redkit::task::mend::{Applied, FilePlan, How, Keep, Plan, SetPlan, apply_in_place, write_to};
use scene::{
    MANIFEST, MEMBERS, Random, TEXT, mended, names, noise, plan_of, put_back, random_plan,
};
use support::TempFolder;

/// Other tests start processes meanwhile, which hold what this one has open until they are their own.
const FORCE: bool = true;

fn plan(path: &Path, removed: &[(u64, u64)], inserted: &[(u64, &[u8])]) -> FilePlan {
    plan_of(path, fs::metadata(path).unwrap().len(), removed, inserted)
}

fn apply(plan: FilePlan) -> Applied {
    apply_in_place(&Plan::File(plan), &Keep::default(), FORCE, &Quiet).unwrap()
}

#[test]
fn a_tail_is_kept_and_then_cut_in_place() {
    let folder = TempFolder::new();
    let path = folder.path().join("a.aof");
    let original = noise(5000, 1);
    fs::write(&path, &original).unwrap();
    let applied = apply(plan(&path, &[(4000, 5000)], &[]));
    assert_eq!(fs::read(&path).unwrap(), original[..4000]);
    assert_eq!(names(folder.path()), ["a.aof", "a.aof.removed-4000"]);
    assert_eq!(fs::read(&applied.kept[0].path).unwrap(), original[4000..]);
    assert_eq!(
        (applied.files[0].size, applied.files[0].how),
        (4000, How::Cut)
    );
}

#[test]
fn what_is_inside_goes_with_the_rest_written_anew() {
    let folder = TempFolder::new();
    let path = folder.path().join("a.aof");
    let original = noise(3 << 20, 1);
    fs::write(&path, &original).unwrap();
    let plan = plan(
        &path,
        &[(10, 20), (1 << 20, (2 << 20) + 3)],
        &[(20, b"new")],
    );
    let becomes = mended(&original, &plan);
    let applied = apply(plan);
    assert!(fs::read(&path).unwrap() == becomes);
    assert_eq!(
        names(folder.path()),
        ["a.aof", "a.aof.removed-10", "a.aof.removed-1048576"]
    );
    assert_eq!(applied.files[0].size, becomes.len() as u64);
    assert_eq!(applied.files[0].how, How::Replaced);
}

/// A set of a base and two incremental files in a folder, and the plan of changing nothing.
fn set(folder: &Path) -> SetPlan {
    fs::write(folder.join(MANIFEST), TEXT).unwrap();
    let files = MEMBERS.iter().zip(1..).map(|(name, seed)| {
        let path = folder.join(name);
        fs::write(&path, noise(3000, seed)).unwrap();
        plan(&path, &[], &[])
    });
    SetPlan {
        folder: folder.to_path_buf(),
        manifest_name: MANIFEST.as_bytes().to_vec(),
        old_manifest: Some(TEXT.as_bytes().to_vec()),
        manifest: Manifest::parse(TEXT.as_bytes()).unwrap(),
        rebuilt: false,
        files: files.collect(),
    }
}

#[test]
fn a_set_goes_on_in_new_files_and_a_new_manifest() {
    let folder = TempFolder::new();
    let mut set = set(folder.path());
    set.files[1].removed = plan(&set.files[1].path.clone(), &[(5, 9)], &[]).removed;
    let old = set.old_manifest.clone().unwrap();
    let plan = Plan::Set(set);
    let applied = apply_in_place(&plan, &Keep::default(), FORCE, &Quiet).unwrap();
    assert_eq!(
        names(folder.path()),
        [
            "a.aof.1.base.rdb",
            "a.aof.1.fixed.incr.aof",
            "a.aof.1.incr.aof",
            "a.aof.2.incr.aof",
            "a.aof.manifest",
            "a.aof.manifest.orig"
        ]
    );
    let manifest = applied.manifest.unwrap();
    assert_eq!(fs::read(manifest.old.unwrap()).unwrap(), old);
    assert_eq!(
        fs::read_to_string(manifest.path).unwrap(),
        "file a.aof.1.base.rdb seq 1 type b\n# mine\n\
         file a.aof.1.fixed.incr.aof seq 1 type i k v\nfile a.aof.2.incr.aof seq 2 type i\n"
    );
}

#[test]
fn what_is_written_elsewhere_leaves_the_source_as_it_is() {
    let folder = TempFolder::new();
    let source = folder.path().join("source");
    fs::create_dir(&source).unwrap();
    let mut set = set(&source);
    set.files[1].removed = plan(&set.files[1].path.clone(), &[(5, 9)], &[]).removed;
    let before = names(&source);
    let (file, set) = (set.files[1].clone(), Plan::Set(set));
    let becomes = mended(&fs::read(&file.path).unwrap(), &file);
    let keep = Keep::default();
    let to = |plan: &Plan, name: &str, existing| {
        write_to(plan, &folder.path().join(name), existing, &keep, &Quiet)
    };
    to(&set, "out", Existing::Refuse).unwrap();
    to(&set, "out", Existing::Refuse).unwrap_err();
    to(&set, "out", Existing::Replace).unwrap();
    to(&set, "source", Existing::Replace).unwrap_err();
    to(&Plan::File(file), "out.aof", Existing::Refuse).unwrap();
    assert_eq!(fs::read(folder.path().join("out.aof")).unwrap(), becomes);
    assert_eq!(
        fs::read(folder.path().join("out/a.aof.1.incr.aof")).unwrap(),
        becomes
    );
    assert_eq!(names(&folder.path().join("out")), before);
    assert_eq!(names(&source), before);
    assert_eq!(names(folder.path()), ["out", "out.aof", "source"]);
}

#[test]
fn a_plan_that_changes_nothing_touches_nothing() {
    let folder = TempFolder::new();
    let set = set(folder.path());
    let before = names(folder.path());
    let single = set.files[2].clone();
    for plan in [Plan::File(single), Plan::Set(set)] {
        let time = |name| fs::metadata(folder.path().join(name)).unwrap().modified();
        let times = MEMBERS.map(|name| time(name).unwrap());
        let keep = Keep {
            quarantine: Some(folder.path().join("q")),
            discard_removed: false,
        };
        assert_eq!(
            apply_in_place(&plan, &keep, FORCE, &Quiet).unwrap(),
            Applied::default()
        );
        assert_eq!(MEMBERS.map(|name| time(name).unwrap()), times);
        assert_eq!(names(folder.path()), before);
    }
}

#[test]
fn pieces_put_back_give_the_original() {
    let mut random = Random::new(11);
    for round in 0..60 {
        let folder = TempFolder::new();
        let path = folder.path().join("a.aof");
        let size = 1 + random.below(20_000);
        let original = noise(usize::try_from(size).unwrap(), round);
        fs::write(&path, &original).unwrap();
        let plan = random_plan(&path, size, &mut random);
        let becomes = mended(&original, &plan);
        let inserted = scene::inserted(&plan);
        let quarantine = folder.path().join("deep/q");
        let (way, out) = (round % 4, folder.path().join("out.aof"));
        let keep = Keep {
            quarantine: (way > 0).then(|| quarantine.clone()),
            discard_removed: false,
        };
        let is_unchanged = plan.is_unchanged();
        let plan = Plan::File(plan);
        let (done, rest) = match way {
            3 => (write_to(&plan, &out, Existing::Refuse, &keep, &Quiet), out),
            _ => (apply_in_place(&plan, &keep, FORCE, &Quiet), path.clone()),
        };
        let done = done.unwrap();
        let now = fs::read(rest).unwrap();
        assert!(now == becomes, "round {round}");
        let kept = done.kept.iter().map(|piece| {
            let bytes = fs::read(&piece.path).unwrap();
            assert_eq!(bytes.len() as u64, piece.end - piece.start);
            (piece.start, bytes)
        });
        let kept: Vec<_> = kept.collect();
        assert!(
            put_back(&now, &kept, &inserted) == original,
            "round {round}"
        );
        let Some(index) = done.index else {
            assert!(way == 0 || is_unchanged);
            continue;
        };
        // The index alone is enough.
        let index = fs::read_to_string(index).unwrap();
        assert_eq!(index.lines().count(), 1);
        let index: serde_json::Value = serde_json::from_str(&index).unwrap();
        let file = &index["files"][0];
        assert_eq!(file["path"], path.to_str().unwrap());
        assert_eq!(file["becomes"], if way == 3 { "out.aof" } else { "a.aof" });
        assert_eq!(
            (file["size"].as_u64(), file["new_size"].as_u64()),
            (Some(size), Some(now.len() as u64))
        );
        let number = |value: &serde_json::Value| value.as_u64().unwrap();
        let of_list = |name: &str| file[name].as_array().unwrap().clone();
        let pieces = of_list("removed").into_iter().map(|piece| {
            let bytes = fs::read(quarantine.join(piece["piece"].as_str().unwrap())).unwrap();
            assert_eq!(number(&piece["size"]), bytes.len() as u64);
            assert_eq!(
                number(&piece["end"]) - number(&piece["start"]),
                bytes.len() as u64
            );
            assert_eq!(piece["why"], "aof-damage");
            let sum = redkit::encoding::crc64::checksum(&bytes);
            assert_eq!(piece["crc64"], format!("{sum:016x}"));
            (number(&piece["start"]), bytes)
        });
        let pieces: Vec<_> = pieces.collect();
        let inserted = of_list("inserted").into_iter();
        let inserted: Vec<_> = inserted
            .map(|new| (number(&new["at"]), number(&new["size"])))
            .collect();
        assert!(
            put_back(&now, &pieces, &inserted) == original,
            "round {round}"
        );
    }
}

#[test]
fn what_is_discarded_is_not_kept() {
    let folder = TempFolder::new();
    let path = folder.path().join("a.aof");
    fs::write(&path, noise(900, 1)).unwrap();
    let keep = Keep {
        quarantine: None,
        discard_removed: true,
    };
    for removed in [(800, 900), (5, 9)] {
        let plan = Plan::File(plan(&path, &[removed], &[]));
        let done = apply_in_place(&plan, &keep, FORCE, &Quiet).unwrap();
        assert_eq!((done.kept, done.index), (vec![], None));
        assert_eq!(names(folder.path()), ["a.aof"]);
    }
    let both = Keep {
        quarantine: Some(folder.path().join("q")),
        ..keep
    };
    let plan = Plan::File(plan(&path, &[(5, 9)], &[]));
    let error = apply_in_place(&plan, &both, FORCE, &Quiet).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Usage(_)), "{error}");
}

#[test]
fn a_file_with_another_name_is_not_cut_under_that() {
    for removed in [(800, 900), (5, 9)] {
        let folder = TempFolder::new();
        let (path, backup) = (folder.path().join("a.aof"), folder.path().join("backup"));
        let original = noise(900, 1);
        fs::write(&path, &original).unwrap();
        fs::hard_link(&path, &backup).unwrap();
        let plan = plan(&path, &[removed], &[]);
        let becomes = mended(&original, &plan);
        let done = apply(plan);
        assert_eq!(done.files[0].how, How::Replaced);
        assert!(fs::read(&path).unwrap() == becomes);
        assert!(fs::read(&backup).unwrap() == original);
        assert_eq!(done.kept.len(), 1);
    }
    // Nor is the last file of a set.
    let folder = TempFolder::new();
    let mut set = set(folder.path());
    let (last, backup) = (set.files[2].path.clone(), folder.path().join("backup"));
    fs::hard_link(&last, &backup).unwrap();
    set.files[2] = plan(&last, &[(100, 3000)], &[]);
    apply_in_place(&Plan::Set(set), &Keep::default(), FORCE, &Quiet).unwrap();
    assert_eq!(fs::metadata(&last).unwrap().len(), 100);
    assert!(fs::read(&backup).unwrap() == noise(3000, 3));
}

#[test]
fn a_link_stays_and_what_it_leads_to_is_changed() {
    for removed in [(800, 900), (5, 9)] {
        let folder = TempFolder::new();
        let real = folder.path().join("real");
        fs::create_dir(&real).unwrap();
        let original = noise(900, 1);
        fs::write(real.join("b.aof"), &original).unwrap();
        let link = folder.path().join("a.aof");
        std::os::unix::fs::symlink("real/b.aof", &link).unwrap();
        let plan = plan(&link, &[removed], &[]);
        let becomes = mended(&original, &plan);
        let done = apply(plan);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(fs::read(real.join("b.aof")).unwrap() == becomes);
        let piece = format!("b.aof.removed-{}", removed.0);
        assert_eq!(names(&real), ["b.aof", &piece]);
        assert_eq!(
            done.kept[0].path.parent(),
            fs::canonicalize(&real).ok().as_deref()
        );
    }
}

#[test]
fn owner_and_mode_are_carried_over() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let folder = TempFolder::new();
    let mut set = set(folder.path());
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let manifest = folder.path().join(MANIFEST);
    let mut is_root = true;
    for (path, bits) in [
        (&set.files[1].path, 0o640),
        (&set.files[2].path, 0o604),
        (&manifest, 0o600),
    ] {
        is_root &= chown(path, Some(12_345), Some(54_321)).is_ok();
        mode(path, bits);
    }
    if !is_root {
        eprintln!("skipped in part: only root can give files away");
    }
    let state = |path: &Path| {
        let now = fs::metadata(path).unwrap();
        (now.mode() & 0o7777, now.uid(), now.gid())
    };
    let [one, two] = [1, 2].map(|i| set.files[i].path.clone());
    let old = [state(&one), state(&two), state(&manifest)];
    assert_eq!(old.map(|state| state.0), [0o640, 0o604, 0o600]);
    for path in [&one, &two] {
        let done = apply(plan(path, &[(5, 9), (90, 200)], &[]));
        assert_eq!(done.warnings, []);
        for kept in done.kept {
            assert_eq!(state(&kept.path), state(path));
        }
    }
    set.files[1] = plan(&one, &[(5, 9)], &[]);
    set.files[2] = plan(&two, &[(50, 51)], &[]);
    let done = apply_in_place(&Plan::Set(set), &Keep::default(), FORCE, &Quiet).unwrap();
    assert_eq!(done.warnings, []);
    assert_eq!(
        [
            state(&done.files[0].path),
            state(&done.files[1].path),
            state(&manifest)
        ],
        old
    );
    assert_eq!(state(&done.manifest.unwrap().old.unwrap()), old[2]);
}

#[test]
fn what_is_there_is_never_written_over() {
    let folder = TempFolder::new();
    let mut set = set(folder.path());
    let mine = [
        "a.aof.1.fixed.incr.aof",
        "a.aof.manifest.orig",
        "a.aof.manifest.orig.1",
        "a.aof.2.incr.aof.removed-2000",
        "a.aof.2.incr.aof.removed-2000.1",
        "q/a.aof.1.incr.aof.removed-5",
        "q/a.aof.manifest.removed.json",
    ];
    fs::create_dir(folder.path().join("q")).unwrap();
    // A link that leads nowhere is there too.
    let nowhere = folder.path().join("a.aof.2.incr.aof.removed-2000.2");
    std::os::unix::fs::symlink("nowhere", &nowhere).unwrap();
    for name in mine {
        fs::write(folder.path().join(name), name).unwrap();
    }
    let last = set.files[2].path.clone();
    let single = plan(&last, &[(2000, 3000)], &[]);
    let done = apply_in_place(&Plan::File(single), &Keep::default(), FORCE, &Quiet).unwrap();
    assert!(
        done.kept[0]
            .path
            .ends_with("a.aof.2.incr.aof.removed-2000.3")
    );
    set.files[2].size = 2000;
    set.files[1] = plan(&set.files[1].path.clone(), &[(5, 9)], &[]);
    let keep = Keep {
        quarantine: Some(folder.path().join("q")),
        discard_removed: false,
    };
    let done = apply_in_place(&Plan::Set(set), &keep, FORCE, &Quiet).unwrap();
    assert!(done.files[0].path.ends_with("a.aof.1.fixed-2.incr.aof"));
    assert!(done.kept[0].path.ends_with("a.aof.1.incr.aof.removed-5.1"));
    assert!(
        done.index
            .unwrap()
            .ends_with("a.aof.manifest.removed.json.1")
    );
    assert!(
        done.manifest
            .unwrap()
            .old
            .unwrap()
            .ends_with("a.aof.manifest.orig.2")
    );
    for name in mine {
        assert_eq!(fs::read_to_string(folder.path().join(name)).unwrap(), name);
    }
    assert!(fs::symlink_metadata(&nowhere).unwrap().is_symlink());
}

#[test]
fn a_set_can_be_mended_again_and_what_is_left_beside_is_no_orphan() {
    let folder = TempFolder::new();
    let mut plan = set(folder.path());
    for round in 0..3 {
        let path = plan.files[1].path.clone();
        plan.files[1] = self::plan(&path, &[(5, 9)], &[]);
        let done = apply_in_place(&Plan::Set(plan.clone()), &Keep::default(), FORCE, &Quiet);
        let done = done.unwrap();
        let listing = Listing::of_folder(folder.path()).unwrap();
        let (_, text) = listing.manifest.clone().unwrap();
        let manifest = Manifest::parse(&text).unwrap();
        let report = SetReport::of(listing.input(Some(&manifest)));
        assert_eq!(report.problems, []);
        assert_eq!(report.kept.len(), round + 1);
        plan.files[1].path = done.files[0].path.clone();
        plan.manifest = manifest;
        plan.old_manifest = Some(text);
    }
    assert_eq!(
        names(folder.path()),
        [
            "a.aof.1.base.rdb",
            "a.aof.1.fixed-2.incr.aof",
            "a.aof.1.fixed-3.incr.aof",
            "a.aof.1.fixed.incr.aof",
            "a.aof.1.incr.aof",
            "a.aof.2.incr.aof",
            "a.aof.manifest",
            "a.aof.manifest.orig",
            "a.aof.manifest.orig.1",
            "a.aof.manifest.orig.2"
        ]
    );
    assert_eq!(
        fs::metadata(&plan.files[1].path).unwrap().len(),
        3000 - 3 * 4
    );
}

#[test]
fn a_file_that_a_set_no_longer_names_stays() {
    let folder = TempFolder::new();
    let mut set = set(folder.path());
    set.manifest = Manifest::parse(
        TEXT.split_inclusive('\n')
            .take(3)
            .collect::<String>()
            .as_bytes(),
    )
    .unwrap();
    set.files.pop();
    let last = set.files[1].path.clone();
    set.files[1] = plan(&last, &[(2000, 3000)], &[]);
    let done = apply_in_place(&Plan::Set(set), &Keep::default(), FORCE, &Quiet).unwrap();
    // It is the last file whose tail goes, but the manifest changes too.
    assert_eq!(done.files[0].how, How::New);
    for (name, seed) in MEMBERS.iter().zip(1..) {
        assert!(fs::read(folder.path().join(name)).unwrap() == noise(3000, seed));
    }
    let listing = Listing::of_folder(folder.path()).unwrap();
    let manifest = Manifest::parse(&listing.manifest.as_ref().unwrap().1).unwrap();
    assert_eq!(manifest.incrementals().len(), 1);
    let report = SetReport::of(listing.input(Some(&manifest)));
    assert_eq!((report.problems.len(), report.kept.len()), (0, 2));
}

#[test]
fn what_changed_since_the_plan_was_made_is_not_touched() {
    use redkit::io::source::{OpenOptions, Source};
    type Change = fn(&Path);
    let changes: [Change; 4] = [
        |path| fs::write(path, noise(901, 2)).unwrap(),
        |path| {
            // The same size and another time.
            let file = fs::File::options().write(true).open(path).unwrap();
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
        },
        |path| {
            // The same bytes and time in another file.
            let time = fs::metadata(path).unwrap().modified().unwrap();
            let other = path.with_extension("other");
            fs::copy(path, &other).unwrap();
            let file = fs::File::options().write(true).open(&other).unwrap();
            file.set_modified(time).unwrap();
            fs::rename(other, path).unwrap();
        },
        |path| fs::write(path, "").unwrap(),
    ];
    for change in changes {
        let folder = TempFolder::new();
        let path = folder.path().join("a.aof");
        fs::write(&path, noise(900, 1)).unwrap();
        let source = Source::open(&path, OpenOptions::default()).unwrap();
        let mut plan = FilePlan::of(source.origin()).unwrap();
        plan.removed = plan_of(&path, 900, &[(800, 900)], &[]).removed;
        change(&path);
        let before = scene::contents(folder.path());
        let out = folder.path().join("out");
        let plan = Plan::File(plan);
        for done in [
            apply_in_place(&plan, &Keep::default(), true, &Quiet),
            write_to(&plan, &out, Existing::Refuse, &Keep::default(), &Quiet),
        ] {
            let error = done.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Io(_)), "{error}");
            assert!(error.to_string().contains("changed while"), "{error}");
            assert!(scene::contents(folder.path()) == before);
        }
    }
}

#[test]
fn a_manifest_that_changed_since_the_plan_was_made_is_not_replaced() {
    for lost in [false, true] {
        let folder = TempFolder::new();
        let mut set = set(folder.path());
        set.files[1] = plan(&set.files[1].path.clone(), &[(5, 9)], &[]);
        if lost {
            set.old_manifest = None;
            set.rebuilt = true;
        } else {
            fs::write(folder.path().join(MANIFEST), "# another\n").unwrap();
        }
        let before = scene::contents(folder.path());
        let error = apply_in_place(&Plan::Set(set), &Keep::default(), FORCE, &Quiet).unwrap_err();
        assert!(error.to_string().contains("changed while"), "{error}");
        assert!(scene::contents(folder.path()) == before);
    }
}

#[test]
fn a_folder_with_more_than_a_set_is_not_replaced() {
    let folder = TempFolder::new();
    let source = folder.path().join("source");
    fs::create_dir(&source).unwrap();
    let set = Plan::Set(set(&source));
    let to = |name: &str, existing| {
        let out = folder.path().join(name);
        let error = write_to(&set, &out, existing, &Keep::default(), &Quiet).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Usage(_)), "{error}");
        error.to_string()
    };
    fs::create_dir(folder.path().join("out")).unwrap();
    fs::write(folder.path().join("out/dump.rdb"), "x").unwrap();
    fs::write(folder.path().join("file"), "x").unwrap();
    assert!(to("out", Existing::Refuse).contains("--force"));
    assert!(to("out", Existing::Replace).contains("dump.rdb"));
    assert!(to("file", Existing::Replace).contains("no folder"));
    assert!(to("source/inside", Existing::Replace).contains("in the folder of the input"));
    assert!(to("source", Existing::Replace).contains("has the input in it"));
    assert!(to("", Existing::Replace).contains("has the input in it"));
    assert_eq!(names(folder.path()), ["file", "out", "source"]);
    assert_eq!(names(&folder.path().join("out")), ["dump.rdb"]);
    let out = Path::new("-");
    let error = write_to(&set, out, Existing::Refuse, &Keep::default(), &Quiet).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Usage(_)), "{error}");
}

#[test]
fn a_file_is_not_its_own_output() {
    let folder = TempFolder::new();
    let (path, link) = (folder.path().join("a.aof"), folder.path().join("link"));
    fs::write(&path, noise(900, 1)).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let plan = Plan::File(plan(&path, &[(5, 9)], &[]));
    for out in [&path, &link] {
        let error = write_to(&plan, out, Existing::Replace, &Keep::default(), &Quiet).unwrap_err();
        assert!(error.to_string().contains("is the input"), "{error}");
    }
    assert_eq!(fs::metadata(&path).unwrap().len(), 900);
}

#[test]
fn history_files_are_left_out_of_a_copy_and_named_by_a_new_manifest() {
    let text = "file h seq 1 type h\nfile a.aof.1.base.rdb seq 1 type b\n\
                file a.aof.1.incr.aof seq 1 type i\nfile a.aof.2.incr.aof seq 2 type i\n";
    let folder = TempFolder::new();
    let source = folder.path().join("source");
    fs::create_dir(&source).unwrap();
    let mut set = set(&source);
    fs::write(source.join(MANIFEST), text).unwrap();
    fs::write(source.join("h"), "x").unwrap();
    set.old_manifest = Some(text.as_bytes().to_vec());
    set.manifest = Manifest::parse(text.as_bytes()).unwrap();
    set.files[1] = plan(&set.files[1].path.clone(), &[(5, 9)], &[]);
    let set = Plan::Set(set);
    let out = folder.path().join("out");
    write_to(&set, &out, Existing::Refuse, &Keep::default(), &Quiet).unwrap();
    assert_eq!(names(&out), [&MEMBERS[..], &[MANIFEST]].concat());
    assert!(
        !fs::read_to_string(out.join(MANIFEST))
            .unwrap()
            .contains("type h")
    );
    apply_in_place(&set, &Keep::default(), FORCE, &Quiet).unwrap();
    let now = fs::read_to_string(source.join(MANIFEST)).unwrap();
    assert!(now.contains("file h seq 1 type h\n"), "{now}");
}

#[test]
fn a_file_that_is_loaded_twice_is_not_cut_in_both_places() {
    let text = "file a.aof.1.base.rdb seq 1 type b\nfile a.aof.1.base.rdb seq 1 type i\n";
    let folder = TempFolder::new();
    let mut set = set(folder.path());
    fs::write(folder.path().join(MANIFEST), text).unwrap();
    set.old_manifest = Some(text.as_bytes().to_vec());
    set.manifest = Manifest::parse(text.as_bytes()).unwrap();
    set.files.truncate(1);
    let path = set.files[0].path.clone();
    set.files.push(plan(&path, &[(2000, 3000)], &[]));
    let set = Plan::Set(set);
    let parent = TempFolder::new();
    let out = parent.path().join("out");
    write_to(&set, &out, Existing::Refuse, &Keep::default(), &Quiet).unwrap();
    let sizes = |folder: &Path| {
        let text = fs::read(folder.join(MANIFEST)).unwrap();
        let manifest = Manifest::parse(&text).unwrap();
        let name = |name: &[u8]| String::from_utf8(name.to_vec()).unwrap();
        let paths = manifest
            .in_load_order()
            .map(|entry| folder.join(name(&entry.name)));
        paths
            .map(|path| fs::metadata(path).unwrap().len())
            .collect::<Vec<_>>()
    };
    assert_eq!(sizes(&out), [3000, 2000]);
    apply_in_place(&set, &Keep::default(), FORCE, &Quiet).unwrap();
    assert_eq!(sizes(folder.path()), [3000, 2000]);
}

#[test]
fn a_lost_manifest_comes_back_though_no_file_changes() {
    let folder = TempFolder::new();
    let mut set = set(folder.path());
    fs::remove_file(folder.path().join(MANIFEST)).unwrap();
    set.old_manifest = None;
    set.rebuilt = true;
    let done = apply_in_place(&Plan::Set(set), &Keep::default(), FORCE, &Quiet).unwrap();
    assert_eq!(done.files, []);
    assert_eq!(done.manifest.unwrap().old, None);
    assert_eq!(names(folder.path()), [&MEMBERS[..], &[MANIFEST]].concat());
    assert_eq!(
        fs::read_to_string(folder.path().join(MANIFEST)).unwrap(),
        TEXT
    );
}

#[test]
fn a_file_that_the_manifest_does_not_name_is_no_part_of_a_plan() {
    let folder = TempFolder::new();
    let mut set = set(folder.path());
    set.files.swap(1, 2);
    let before = scene::contents(folder.path());
    let error = apply_in_place(&Plan::Set(set), &Keep::default(), FORCE, &Quiet).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Usage(_)), "{error}");
    assert!(scene::contents(folder.path()) == before);
}

#[test]
fn many_pieces_are_each_kept() {
    let folder = TempFolder::new();
    let path = folder.path().join("a.aof");
    let original = noise(10_000, 1);
    fs::write(&path, &original).unwrap();
    let removed: Vec<(u64, u64)> = (0..100)
        .map(|n| (n * 100 + 7, n * 100 + 8 + n % 50))
        .collect();
    let plan = plan(&path, &removed, &[]);
    let becomes = mended(&original, &plan);
    let done = apply(plan);
    let now = fs::read(&path).unwrap();
    assert!(now == becomes);
    assert_eq!(done.kept.len(), removed.len());
    let pieces = done
        .kept
        .iter()
        .map(|piece| (piece.start, fs::read(&piece.path).unwrap()));
    assert!(put_back(&now, &pieces.collect::<Vec<_>>(), &[]) == original);
}
