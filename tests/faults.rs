//! Whatever the system refuses, at whichever call: every command that writes leaves the old state or
//! the new one, says what went wrong, and leaves no temporary files. `strace` does the refusing: system
//! calls are made past the C library here and there, so that nothing can be put in front of them.

mod support;

#[path = "faults/scene.rs"]
mod scene;
#[path = "faults/trace.rs"]
mod trace;

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::Command;

use scene::{Scene, State, WRITERS, Writer};
use trace::Tracer;

/// Calls, and what the system says of them.
const ERRORS: &[(&str, &str)] = &[
    ("write", "EIO"),
    ("write", "ENOSPC"),
    ("fsync", "EIO"),
    ("ftruncate", "EIO"),
    ("rename,renameat,renameat2", "EROFS"),
    ("linkat", "EIO"),
    ("mkdir", "EROFS"),
    ("fchmod", "EPERM"),
    ("fchown", "EPERM"),
];

/// Signals that end a process, sent at these calls.
const SIGNALS: &[(&str, i32, &str)] = &[
    ("write", 15, "SIGTERM"),
    ("fsync", 2, "SIGINT"),
    ("renameat2", 15, "SIGTERM"),
    ("openat", 2, "SIGINT"),
];

/// How a row of the table ends.
#[derive(Default)]
struct Ends {
    old: usize,
    new: usize,
}

/// So many calls of a kind are tried at the most.
fn most() -> usize {
    support::count(2, 1000)
}

#[test]
fn a_call_that_fails_leaves_the_old_state_or_the_new() {
    let Some(tracer) = Tracer::new() else { return };
    let mut table: BTreeMap<(usize, usize), Ends> = BTreeMap::new();
    for (row, writer) in WRITERS.iter().enumerate() {
        let whole = Scene::new(writer);
        let new = whole.run_whole();
        for (column, (calls, error)) in ERRORS.iter().enumerate() {
            for number in 1..=most() {
                let scene = Scene::new(writer);
                let inject = format!("{calls}:error={error}:when={number}");
                let run = tracer.run(scene.folder(), &writer.words(), &inject);
                let what = format!("{}: {calls} {error} {number}: {}", writer.name, run.said);
                let state = scene.state(&new);
                let whole = !matches!(state, State::Other | State::Both);
                assert!(whole, "{what}\n{}", scene.difference(&new));
                if run.injected == 0 {
                    assert_eq!((run.code, state), (Some(writer.code), State::New), "{what}");
                    break;
                }
                let ends = table.entry((row, column)).or_default();
                match state {
                    State::New => ends.new += 1,
                    _ => ends.old += 1,
                }
                match run.code {
                    // What cannot be carried over is no reason not to write.
                    Some(code) if code == writer.code => assert_eq!(state, State::New, "{what}"),
                    Some(3) => {
                        assert!(run.said.contains("error: "), "{what}");
                        assert!(run.said.contains("(os error"), "{what}");
                    }
                    _ => panic!("{what}: {:?}", run.code),
                }
            }
        }
    }
    eprintln!("faults of each kind that left the old state / the new one:");
    for (row, writer) in WRITERS.iter().enumerate() {
        let cells = ERRORS.iter().enumerate().map(|(column, (calls, error))| {
            let ends = table.get(&(row, column));
            let call = calls.split(',').next().unwrap_or_default();
            ends.map_or_else(String::new, |ends| {
                format!("{call} {error} {}/{}, ", ends.old, ends.new)
            })
        });
        eprintln!("  {}: {}", writer.name, cells.collect::<String>());
    }
}

#[test]
fn a_signal_leaves_no_temporary_files() {
    let Some(tracer) = Tracer::new() else { return };
    for writer in WRITERS {
        let new = Scene::new(writer).run_whole();
        for &(call, signal, name) in SIGNALS {
            for number in 1..=most() {
                let scene = Scene::new(writer);
                let inject = format!("{call}:signal={name}:when={number}");
                let run = tracer.run(scene.folder(), &writer.words(), &inject);
                let what = format!("{}: {call} {name} {number}: {}", writer.name, run.said);
                // What is kept of a file is there before the file is cut.
                let state = scene.state(&new);
                assert_ne!(state, State::Other, "{what}\n{}", scene.difference(&new));
                if run.injected == 0 {
                    break;
                }
                let ended = run.signal == Some(signal) || run.code == Some(writer.code);
                assert!(ended, "{what}: {:?} {:?}", run.code, run.signal);
            }
        }
    }
}

#[test]
fn an_input_that_cannot_be_read_to_its_end_is_said() {
    let Some(tracer) = Tracer::new() else { return };
    for writer in WRITERS {
        let new = Scene::new(writer).run_whole();
        for number in 1..=support::count(6, 1000) {
            let scene = Scene::new(writer);
            let inject = format!("read:error=EIO:when={number}");
            let mut words = writer.words();
            words.push("--no-mmap".to_owned());
            let run = tracer.run(scene.folder(), &words, &inject);
            let what = format!("{}: read {number}: {}", writer.name, run.said);
            let state = scene.state(&new);
            let whole = !matches!(state, State::Other | State::Both);
            assert!(whole, "{what}\n{}", scene.difference(&new));
            if run.injected == 0 {
                break;
            }
            match run.code {
                // What the system tells of itself is not needed.
                Some(code) if code == writer.code => assert_eq!(state, State::New, "{what}"),
                Some(3) => assert!(run.said.contains("(os error 5)"), "{what}"),
                // The program was not started: its libraries could not be read.
                Some(127) => assert!(run.said.contains("shared"), "{what}"),
                _ => panic!("{what}: {:?}", run.code),
            }
        }
    }
}

#[test]
fn an_input_that_is_cut_short_under_the_map_is_said() {
    let Some(tracer) = Tracer::new() else { return };
    let mut tried = 0;
    for writer in WRITERS {
        let scene = Scene::new(writer);
        let input = scene.folder().join(writer.input);
        let Some(number) = tracer.map_of(Scene::new(writer).folder(), writer) else {
            continue;
        };
        let run = tracer.cut_at_map(scene.folder(), &writer.words(), number, &input);
        let what = format!("{}: {}", writer.name, run.said);
        // Where the length is looked at again before the bytes are, another message says it.
        // A set is opened anew by the commands that go on with it: what is gone by then is damage.
        match run.code {
            Some(3) => assert!(run.said.contains("error: "), "{what}"),
            Some(1) if writer.name == "cut, a set" => {}
            _ => panic!("{what}: {:?} {:?}", run.code, run.signal),
        }
        let old = scene.before();
        for (name, now) in scene.now() {
            let before = old.get(&name);
            let same = name == writer.input || before == Some(&now);
            assert!(same, "{what}: {name} was written");
        }
        tried += 1;
    }
    assert!(tried >= 10, "{tried}");
}

#[test]
fn a_full_disk_leaves_the_old_state() {
    for writer in WRITERS {
        let Some(disk) = scene::Disk::new() else {
            return;
        };
        let new = Scene::new(writer).run_whole();
        let scene = Scene::within(writer, disk.path());
        disk.fill();
        let output = scene.redkit().output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let what = format!("{}: {:?} {said}", writer.name, output.status);
        let state = scene.state(&new);
        let whole = !matches!(state, State::Other | State::Both);
        assert!(whole, "{what}\n{}", scene.difference(&new));
        // What only makes a file shorter needs no room where nothing is kept.
        if state == State::New {
            assert_eq!(output.status.code(), Some(writer.code), "{what}");
        } else {
            assert_eq!(output.status.code(), Some(3), "{what}");
            assert!(said.contains("os error 28"), "{what}");
        }
    }
}

/// As another user than the files' owner: `setpriv` of util-linux, as root.
fn as_user(scene: &Scene, uid: u32) -> Option<Command> {
    if !is_root() {
        eprintln!("skipped: only root can be another user");
        return None;
    }
    let mut command = Command::new("setpriv");
    command
        .args([&format!("--reuid={uid}"), &format!("--regid={uid}")])
        .args(["--clear-groups", "--"])
        .arg(scene::program())
        .args(scene.writer.words())
        .current_dir(scene.folder());
    Some(command)
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

/// A user who owns nothing else.
const USER: u32 = 31_234;
/// Another.
const OWNER: u32 = 31_235;

fn give(scene: &Scene, uid: u32) {
    for path in scene.paths() {
        chown(path, Some(uid), Some(uid)).unwrap();
    }
}

#[test]
fn an_ordinary_user_writes_what_root_writes() {
    for writer in WRITERS {
        let new = Scene::new(writer).run_whole();
        let scene = Scene::new(writer);
        if !is_root() {
            eprintln!("skipped: only root can be another user");
            return;
        }
        give(&scene, USER);
        let Some(mut command) = as_user(&scene, USER) else {
            return;
        };
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            output.status.code(),
            Some(writer.code),
            "{}: {said}",
            writer.name
        );
        assert_eq!(scene.state(&new), State::New, "{}", writer.name);
    }
}

#[test]
fn a_folder_that_may_not_be_written_leaves_the_old_state() {
    for writer in WRITERS {
        let scene = Scene::new(writer);
        let new = Scene::new(writer).run_whole();
        // All may be read, nothing written.
        let Some(mut command) = as_user(&scene, USER) else {
            return;
        };
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let what = format!("{}: {:?} {said}", writer.name, output.status);
        assert_eq!(output.status.code(), Some(3), "{what}");
        assert!(said.contains("os error 13"), "{what}");
        assert_eq!(scene.state(&new), State::Old, "{what}");
    }
}

#[test]
fn files_of_another_owner_keep_owner_and_mode() {
    for writer in WRITERS.iter().filter(|writer| writer.changes.is_some()) {
        let changed = writer.changes.unwrap_or_default();
        for uid in [0, USER] {
            let scene = Scene::new(writer);
            let file = scene.folder().join(changed);
            if !is_root() {
                eprintln!("skipped: only root can give files to another user");
                return;
            }
            // The folder is the user's, who may also write the file.
            for path in scene.paths() {
                chown(path, Some(uid), Some(OWNER)).unwrap();
            }
            fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
            chown(&file, Some(OWNER), Some(OWNER)).unwrap();
            let Some(mut command) = as_user(&scene, uid) else {
                return;
            };
            let output = command.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let what = format!("{} as {uid}: {:?} {said}", writer.name, output.status);
            assert_eq!(output.status.code(), Some(writer.code), "{what}");
            let now = fs::metadata(&file).unwrap();
            assert_eq!(now.mode() & 0o777, 0o666, "{what}");
            let kept = (now.uid(), now.gid()) == (OWNER, OWNER);
            // A file that is written anew is the user's own, unless that is root.
            assert!(kept || said.contains("could not be"), "{what}");
            assert!(kept || uid != 0, "{what}");
        }
    }
}

/// The one of this name.
fn writer(name: &str) -> &'static Writer {
    WRITERS.iter().find(|writer| writer.name == name).unwrap()
}

#[test]
fn a_mended_log_that_cannot_be_kept_is_not_cut() {
    // `/proc` holds no files: what goes cannot be kept there, and so nothing goes.
    let scene = Scene::new(writer("check-aof --fix, a torn tail"));
    let mut command = scene.redkit();
    let output = command
        .args(["--quarantine", "/proc/none"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(scene.now() == scene.before());
}
