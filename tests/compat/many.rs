//! Runs a piece of work on many inputs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use crate::support::TempFolder;
use crate::tool::{Held, files};

/// Runs `work` on every number below `count`, by a few threads; tells what came how often. The
/// inputs that were told otherwise are kept, and what both said of them.
pub(crate) fn many(
    what: &str,
    count: usize,
    work: impl Fn(usize, &Path) -> Result<Held, String> + Sync,
) -> Tally {
    let tally = Mutex::new(Tally::new());
    let differences = Mutex::new(Vec::new());
    let work = &work;
    thread::scope(|scope| {
        for part in 0..THREADS {
            let (tally, differences) = (&tally, &differences);
            scope.spawn(move || {
                let folder = TempFolder::new();
                for number in (part..count).step_by(THREADS) {
                    match work(number, folder.path()) {
                        Ok(held) => *tally.lock().unwrap().entry(held).or_default() += 1,
                        Err(told) => {
                            let kept = keep(&format!("{what}-{number}"), folder.path(), &told);
                            let told =
                                format!("input {number}, kept in {}:\n{told}", kept.display());
                            differences.lock().unwrap().push(told);
                        }
                    }
                }
            });
        }
    });
    let differences = differences.into_inner().unwrap();
    let shown: Vec<_> = differences.iter().take(3).cloned().collect();
    assert!(
        differences.is_empty(),
        "{what}: {} of {count} differ\n{}",
        differences.len(),
        shown.join("\n")
    );
    tally.into_inner().unwrap()
}

/// Keeps the files of a folder, and what both said of them.
fn keep(name: &str, folder: &Path, told: &str) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("compat")
        .join(name);
    let _ = fs::remove_dir_all(&place);
    for part in ["", "theirs", "ours", "theirs/set", "ours/set"] {
        let from = folder.join(part);
        if from.is_dir() {
            fs::create_dir_all(place.join(part)).unwrap();
            for (name, bytes) in files(&from) {
                fs::write(place.join(part).join(name), bytes).unwrap();
            }
        }
    }
    fs::write(place.join("told"), told).unwrap();
    place
}

pub(crate) type Tally = BTreeMap<Held, usize>;

const THREADS: usize = 3;
