//! A process that is killed while it mends, or that may not do all it would like: this test binary
//! runs itself as that process.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use redkit::error::ErrorKind;

use super::scene::{Random, SHAPES, Scene, Shape, State};
use super::support::{TempFolder, count, full};

const SHAPE: &str = "REDKIT_MEND_SHAPE";

/// What the process that is to be killed does; nothing when this runs as a test among others.
#[test]
fn child() {
    let Ok(shape) = std::env::var(SHAPE) else {
        return;
    };
    let word = |name: &str| std::env::var(name).unwrap();
    let shape = SHAPES
        .into_iter()
        .find(|known| format!("{known:?}") == shape);
    let folder = word("REDKIT_MEND_FOLDER");
    let (seed, size) = (word("REDKIT_MEND_SEED"), word("REDKIT_MEND_SIZE"));
    let (seed, size) = (seed.parse().unwrap(), size.parse().unwrap());
    let scene = Scene::new(shape.unwrap(), Path::new(&folder), seed, size);
    let mut out = std::io::stdout();
    out.write_all(b"\ngo\n").unwrap();
    out.flush().unwrap();
    let said = match scene.run(false) {
        Ok(_) => "done".to_owned(),
        Err(error) => match error.kind() {
            ErrorKind::Io(_) => format!("io: {error}"),
            kind => format!("{kind:?}: {error}"),
        },
    };
    out.write_all(said.as_bytes()).unwrap();
    out.flush().unwrap();
    std::process::exit(0);
}

/// How this test binary is run as such a process; `wrapped` by other programs.
pub(crate) fn command(scene: &Scene, wrapper: &[&str]) -> Command {
    let own = std::env::current_exe().unwrap();
    let mut command = match wrapper {
        [] => Command::new(own),
        [program, arguments @ ..] => {
            let mut command = Command::new(program);
            command.args(arguments).arg(own);
            command
        }
    };
    command
        .args(["--exact", "kill::child", "--nocapture", "--test-threads=1"])
        .env(SHAPE, format!("{:?}", scene.shape))
        .env("REDKIT_MEND_FOLDER", &scene.folder)
        .env("REDKIT_MEND_SEED", scene.seed.to_string())
        .env("REDKIT_MEND_SIZE", scene.size.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// Waits until it begins to mend.
fn begun(child: &mut Child) -> impl Read + use<> {
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while line != "go\n" {
        line.clear();
        assert!(out.read_line(&mut line).unwrap() > 0, "it has not begun");
    }
    out
}

/// Lets it run to its end; what it says, and how long it took.
pub(crate) fn to_the_end(mut child: Child) -> (String, Duration) {
    let mut out = begun(&mut child);
    let start = Instant::now();
    let mut said = String::new();
    out.read_to_string(&mut said).unwrap();
    child.wait().unwrap();
    (said, start.elapsed())
}

/// Whatever was left lying about is in nobody's way.
fn mends_after_all(scene: &Scene) {
    if scene.state() == State::Old {
        let done = scene
            .run(true)
            .unwrap_or_else(|error| panic!("{scene}: {error}"));
        // Pieces of the killed run may have the names that the check knows.
        assert!(!done.files.is_empty());
        if scene.is_set() && scene.shape != Shape::SetTail {
            // The names that the killed run took are left alone.
            assert!(done.manifest.is_some());
        }
    }
    assert_eq!(scene.state(), State::New, "{scene}");
}

#[test]
fn a_kill_at_any_moment_leaves_the_old_state_or_the_new() {
    let rounds = count(200, 4000);
    let mut random = Random::new(3);
    let mut took = [Duration::ZERO; SHAPES.len()];
    let mut found = [0; 2];
    for round in 0..rounds + SHAPES.len() {
        let at = round % SHAPES.len();
        let folder = TempFolder::new();
        let inner = folder.path().join("s");
        std::fs::create_dir(&inner).unwrap();
        let scene = Scene::new(SHAPES[at], &inner, round as u64, 200_000);
        scene.set_up();
        assert_eq!(scene.state(), State::Old);
        let mut child = command(&scene, &[]).spawn().unwrap();
        if round < SHAPES.len() {
            let (said, time) = to_the_end(child);
            assert_eq!(said, "done", "{scene}");
            assert_eq!(scene.state(), State::New, "{scene}");
            took[at] = time;
            continue;
        }
        let out = begun(&mut child);
        let nanos = u64::try_from(took[at].as_nanos()).unwrap() * 11 / 10;
        thread::sleep(Duration::from_nanos(random.below(nanos.max(1))));
        child.kill().unwrap();
        child.wait().unwrap();
        drop(out);
        let state = scene.state();
        found[usize::from(state == State::New)] += 1;
        mends_after_all(&scene);
    }
    eprintln!(
        "{rounds} kills: {} left the old state, {} the new",
        found[0], found[1]
    );
}

#[test]
fn a_kill_at_each_system_call_leaves_the_old_state_or_the_new() {
    if !full() {
        eprintln!("skipped: only in the long runs");
        return;
    }
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("skipped: strace is not there");
        return;
    }
    let calls = [
        "write",
        "fsync",
        "ftruncate",
        "openat",
        "close",
        "rename",
        "renameat",
        "renameat2",
        "linkat",
        "unlink",
        "unlinkat",
        "mkdir",
        "fchown",
        "fchmod",
        "rmdir",
    ];
    for shape in SHAPES {
        let mut found = [0; 2];
        for call in calls {
            // The calls of each kind are counted apart, from the start of the process on.
            for number in 1.. {
                let (said, state) = killed_at(shape, call, number);
                found[usize::from(state == State::New)] += 1;
                if said.ends_with("done") {
                    break;
                }
            }
        }
        eprintln!(
            "{shape:?}: {} calls left the old state, {} the new",
            found[0], found[1]
        );
        assert!(
            found[0] > 10 && found[1] > calls.len(),
            "{shape:?}: {found:?}"
        );
    }
}

/// What it said, and the state that was left, when the process is killed at its so manieth call.
fn killed_at(shape: Shape, call: &str, number: u32) -> (String, State) {
    let folder = TempFolder::new();
    let inner = folder.path().join("s");
    std::fs::create_dir(&inner).unwrap();
    let scene = Scene::new(shape, &inner, 5, 3000);
    scene.set_up();
    let inject = format!("inject={call}:signal=SIGKILL:when={number}");
    let trace = format!("trace={call}");
    let wrapper = [
        "strace",
        "-f",
        "-qq",
        "-e",
        &trace,
        "-e",
        &inject,
        "-o",
        "/dev/null",
    ];
    let out = command(&scene, &wrapper).output().unwrap();
    let state = scene.state();
    mends_after_all(&scene);
    (String::from_utf8_lossy(&out.stdout).into_owned(), state)
}
