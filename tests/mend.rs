//! Applying a plan to files: nothing is ever lost.

mod support;

use std::fs;
use std::path::Path;

use redkit::aof::manifest::Manifest;
use redkit::io::output::Existing;
use redkit::io::progress::Quiet;
use redkit::task::mend::{
    Applied, FilePlan, How, Inserted, Keep, Plan, Removed, SetPlan, apply_in_place, write_to,
};
use support::TempFolder;

/// Bytes in which each place looks different.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

fn plan(path: &Path, removed: &[(u64, u64)], inserted: &[(u64, &[u8])]) -> FilePlan {
    let size = fs::metadata(path).unwrap().len();
    let removed = removed.iter().map(|&(start, end)| Removed {
        start,
        end,
        why: "aof-damage",
    });
    let inserted = inserted.iter().map(|&(at, bytes)| Inserted {
        at,
        bytes: bytes.to_vec(),
    });
    FilePlan {
        removed: removed.collect(),
        inserted: inserted.collect(),
        ..FilePlan::new(path, size)
    }
}

/// What the plan makes of these bytes.
fn mended(original: &[u8], plan: &FilePlan) -> Vec<u8> {
    let mut new = Vec::new();
    for at in 0..=original.len() as u64 {
        for inserted in plan.inserted.iter().filter(|inserted| inserted.at == at) {
            new.extend_from_slice(&inserted.bytes);
        }
        let goes = |removed: &Removed| (removed.start..removed.end).contains(&at);
        if at < original.len() as u64 && !plan.removed.iter().any(goes) {
            new.push(original[at as usize]);
        }
    }
    new
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn apply(plan: FilePlan) -> Applied {
    apply_in_place(&Plan::File(plan), &Keep::default(), false, &Quiet).unwrap()
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
    let text = "file a.aof.1.base.rdb seq 1 type b\n# mine\nfile a.aof.1.incr.aof seq 1 type i k v\n\
                file a.aof.2.incr.aof seq 2 type i\n";
    fs::write(folder.join("a.aof.manifest"), text).unwrap();
    let names = ["a.aof.1.base.rdb", "a.aof.1.incr.aof", "a.aof.2.incr.aof"];
    let files = names.iter().zip(1..).map(|(name, seed)| {
        let path = folder.join(name);
        fs::write(&path, noise(3000, seed)).unwrap();
        plan(&path, &[], &[])
    });
    SetPlan {
        folder: folder.to_path_buf(),
        manifest_name: b"a.aof.manifest".to_vec(),
        old_manifest: Some(text.as_bytes().to_vec()),
        manifest: Manifest::parse(text.as_bytes()).unwrap(),
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
    let applied = apply_in_place(&plan, &Keep::default(), false, &Quiet).unwrap();
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
