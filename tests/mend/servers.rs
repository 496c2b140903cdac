//! What becomes of a mended set, as real servers see it.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use redkit::aof::manifest::Manifest;
use redkit::aof::set::{Listing, SetReport};
use redkit::io::progress::Quiet;
use redkit::task::mend::{FilePlan, Keep, Plan, SetPlan, apply_in_place};

use crate::cmd;

use super::scene::plan_of;
use super::support::checker;
use super::support::server::{Server, ServerKind};

const TEXT: &str = "file appendonly.aof.1.base.aof seq 1 type b\n\
    file appendonly.aof.1.incr.aof seq 1 type i\nfile appendonly.aof.2.incr.aof seq 2 type i\n";
const JUNK: &[u8] = b"\0\0\0\0\0\0\0\0";

/// A file of a set that sets a key, and is damaged at a place where nothing is lost.
fn sets(key: &str) -> Vec<u8> {
    let len = key.len();
    format!("*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n${len}\r\n{key}\r\n$1\r\n1\r\n")
        .into_bytes()
}

/// Damages and mends a set in this folder: the first incremental file inside, the second at its end.
fn damaged_and_mended(folder: &Path) {
    let manifest = Manifest::parse(TEXT.as_bytes()).unwrap();
    fs::create_dir(folder).unwrap();
    fs::write(folder.join("appendonly.aof.manifest"), TEXT).unwrap();
    let files = manifest.in_load_order().zip(0..).map(|(entry, at)| {
        let name = String::from_utf8(entry.name.clone()).unwrap();
        let path = folder.join(&name);
        let mut bytes = sets(&name);
        let place = if at == 1 { 23 } else { bytes.len() };
        if at == 0 {
            fs::write(&path, &bytes).unwrap();
            return FilePlan::new(&path, bytes.len() as u64);
        }
        bytes.splice(place..place, JUNK.iter().copied());
        fs::write(&path, &bytes).unwrap();
        let (start, end) = (place as u64, (place + JUNK.len()) as u64);
        plan_of(&path, bytes.len() as u64, &[(start, end)], &[])
    });
    let files = files.collect();
    let plan = SetPlan {
        folder: folder.to_path_buf(),
        manifest_name: b"appendonly.aof.manifest".to_vec(),
        old_manifest: Some(TEXT.as_bytes().to_vec()),
        manifest,
        rebuilt: false,
        files,
    };
    let done = apply_in_place(&Plan::Set(plan), &Keep::default(), super::FORCE, &Quiet).unwrap();
    assert_eq!(done.files.len(), 2);
}

fn keys(server: &Server) -> Vec<String> {
    let keys = cmd!(server.client(), "KEYS", "*").array();
    let mut keys: Vec<String> = keys.into_iter().map(|key| key.text()).collect();
    keys.sort();
    keys
}

#[test]
fn a_server_goes_on_with_a_mended_set() {
    let kinds = ServerKind::usable();
    for kind in kinds.into_iter().filter(|kind| kind.has_multi_part_aof()) {
        let words = ["--appendonly", "yes", "--aof-load-truncated", "no"];
        let limit = Duration::from_secs(20);
        let start = |prepare: &dyn Fn(&Path)| {
            let started = Server::start_prepared(kind, &words, limit, prepare);
            started.unwrap_or_else(|error| panic!("{kind}: {error}"))
        };
        let server = start(&|folder| {
            let folder = folder.join("appendonlydir");
            damaged_and_mended(&folder);
            let checked = checker::check_aof(kind, &[], &folder.join("appendonly.aof.manifest"));
            assert!(checked.is_sound(), "{kind}: {checked:?}");
        });
        let expected = [
            "appendonly.aof.1.base.aof",
            "appendonly.aof.1.incr.aof",
            "appendonly.aof.2.incr.aof",
        ];
        assert_eq!(keys(&server), expected, "{kind}");
        cmd!(server.client(), "SET", "later", "1").ok();
        // It appends to what the fix made.
        let folder = server.folder().join("appendonlydir");
        let last = fs::read(folder.join("appendonly.aof.2.fixed.incr.aof")).unwrap();
        assert!(last.ends_with(b"$5\r\nlater\r\n$1\r\n1\r\n"), "{kind}");
        let old = |name: &str| fs::read(folder.join(name)).unwrap();
        let before = [1, 2].map(|i| old(expected[i]));
        cmd!(server.client(), "BGREWRITEAOF");
        for _ in 0..2000 {
            let is_new = Listing::of_folder(&folder).is_ok_and(|listing| {
                let text = listing.manifest.map(|(_, text)| text).unwrap_or_default();
                Manifest::parse(&text).is_ok_and(|manifest| manifest.base().unwrap().seq == 2)
            });
            if is_new {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let listing = Listing::of_folder(&folder).unwrap();
        let manifest = Manifest::parse(&listing.manifest.as_ref().unwrap().1).unwrap();
        assert_eq!(manifest.base().unwrap().seq, 2, "{kind}");
        // The old ones stay, and nobody takes them for something else.
        assert_eq!([1, 2].map(|i| old(expected[i])), before, "{kind}");
        let report = SetReport::of(listing.input(Some(&manifest)));
        assert!(
            report
                .kept
                .iter()
                .any(|file| file.name == expected[1].as_bytes()),
            "{kind}: {report:?}"
        );
        let ended = server.shutdown();
        let again = start(&|folder| {
            fs::create_dir(folder.join("appendonlydir")).unwrap();
            for entry in fs::read_dir(ended.path().join("appendonlydir")).unwrap() {
                let path = entry.unwrap().path();
                let to = folder.join("appendonlydir").join(path.file_name().unwrap());
                fs::copy(path, to).unwrap();
            }
        });
        let mut expected = expected.map(str::to_owned).to_vec();
        expected.push("later".to_owned());
        assert_eq!(keys(&again), expected, "{kind}");
    }
}
