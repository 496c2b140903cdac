//! A full disk, a folder that may not be written, and files that others use.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redkit::error::ErrorKind;
use redkit::io::output::Existing;
use redkit::io::progress::Quiet;
use redkit::task::mend::{Keep, Plan, apply_in_place, write_to};

use super::kill::{command, to_the_end};
use super::scene::{SHAPES, Scene, Shape, State, contents, names, noise, plan_of};
use super::support::TempFolder;

/// A small file system in memory.
struct Disk(TempFolder);

impl Disk {
    /// `None`, and why, where this process may not mount one.
    fn new(kib: u32) -> Option<Disk> {
        let folder = TempFolder::new();
        let size = format!("size={kib}k");
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder.path());
        match mount.output() {
            Ok(out) if out.status.success() => Some(Disk(folder)),
            Ok(out) => {
                let why = String::from_utf8_lossy(&out.stderr).into_owned();
                eprintln!(
                    "skipped: no small file system can be mounted: {}",
                    why.trim()
                );
                None
            }
            Err(error) => {
                eprintln!("skipped: no small file system can be mounted: {error}");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process that another test starts may hold a file on it for a moment more.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// Files that fill a disk to its last page, and that can give some of it back.
struct Filler<'d> {
    disk: &'d Disk,
    files: usize,
}

impl Filler<'_> {
    fn fill(disk: &Disk) -> Filler<'_> {
        let mut filler = Filler { disk, files: 0 };
        while filler.write(filler.files) {
            filler.files += 1;
        }
        filler
    }

    fn write(&self, number: usize) -> bool {
        fs::write(self.disk.path().join(format!("f{number}")), noise(4096, 1)).is_ok()
    }

    /// Leaves room for so many pages.
    fn leave(&self, pages: usize) {
        for number in self.files - pages..self.files {
            fs::remove_file(self.disk.path().join(format!("f{number}"))).unwrap();
        }
    }
}

#[test]
fn a_full_disk_leaves_the_old_state() {
    for shape in SHAPES {
        let mut refused = 0;
        // The room ends at each step in turn, up to where there is enough.
        for pages in 0.. {
            let Some(disk) = Disk::new(400) else { return };
            let inner = disk.path().join("s");
            fs::create_dir(&inner).unwrap();
            let scene = Scene::new(shape, &inner, 21, 20_000);
            scene.set_up();
            let before = names(&inner);
            Filler::fill(&disk).leave(pages);
            let Err(error) = scene.run(true) else {
                assert_eq!(scene.state(), State::New);
                break;
            };
            refused += 1;
            assert!(matches!(error.kind(), ErrorKind::Io(_)), "{scene}: {error}");
            let said = error.to_string();
            assert!(said.contains("hint: "), "{scene}: {said}");
            if [Shape::Tail, Shape::SetTail].contains(&shape) {
                assert!(said.contains("--quarantine"), "{scene}: {said}");
                assert!(said.contains("--discard-removed"), "{scene}: {said}");
            }
            assert_eq!(scene.state(), State::Old, "{scene}: {said}");
            assert_eq!(names(&inner), before, "{scene}: {said}");
        }
        eprintln!("{shape:?}: refused {refused} times");
        assert!(refused > 1, "{shape:?}");
    }
}

#[test]
fn what_goes_can_be_kept_on_another_disk() {
    let Some(disk) = Disk::new(400) else { return };
    for shape in [Shape::Tail, Shape::SetTail] {
        let inner = disk.path().join(format!("{shape:?}"));
        fs::create_dir(&inner).unwrap();
        let scene = Scene::new(shape, &inner, 21, 20_000);
        scene.set_up();
        let before = names(&inner);
        let filler = Filler::fill(&disk);
        scene.run(true).unwrap_err();
        let elsewhere = TempFolder::new();
        let keep = Keep {
            quarantine: Some(elsewhere.path().join("q")),
            discard_removed: false,
        };
        let done = apply_in_place(&scene.plan(), &keep, true, &Quiet).unwrap();
        filler.leave(filler.files);
        assert_eq!(names(&inner), before);
        let now = fs::read(&done.files[0].path).unwrap();
        let piece = fs::read(&done.kept[0].path).unwrap();
        let seed = if shape == Shape::Tail { 210 } else { 212 };
        assert!([now, piece].concat() == noise(20_000, seed));
    }
}

#[test]
fn a_folder_that_may_not_be_written_leaves_the_old_state() {
    for shape in [Shape::Tail, Shape::Inside, Shape::SetTail, Shape::Set] {
        let folder = TempFolder::new();
        let inner = folder.path().join("s");
        fs::create_dir(&inner).unwrap();
        let scene = Scene::new(shape, &inner, 22, 3000);
        scene.set_up();
        let mode = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode));
        let before = names(&inner);
        for name in &before {
            mode(&inner.join(name), 0o666).unwrap();
        }
        mode(folder.path(), 0o755).unwrap();
        mode(&inner, 0o555).unwrap();
        let mut child = command(&scene, &[]);
        if File::create(inner.join("x")).is_ok() {
            // Rules are not for root, so another user it is.
            fs::remove_file(inner.join("x")).unwrap();
            child.uid(65534).gid(65534);
        }
        let said = match child.spawn() {
            Ok(child) => to_the_end(child).0,
            Err(error) => {
                eprintln!("skipped: the tests cannot be run as another user: {error}");
                return;
            }
        };
        mode(&inner, 0o755).unwrap();
        assert!(said.starts_with("io: "), "{scene}: {said}");
        if shape != Shape::Set {
            assert!(said.contains("--quarantine"), "{scene}: {said}");
            assert!(said.contains("--discard-removed"), "{scene}: {said}");
        }
        assert_eq!(scene.state(), State::Old);
        assert_eq!(names(&inner), before);
    }
}

/// A process that holds a file open, which this one does not.
struct Holder(Child);

impl Holder {
    fn of(path: &Path) -> Holder {
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec sleep 1000 <\"$0\""]).arg(path);
        let holder = Holder(shell.stdout(Stdio::null()).spawn().unwrap());
        let process = format!("/proc/{}", holder.0.id());
        let path = fs::canonicalize(path).unwrap();
        for _ in 0..2000 {
            let is_sleep = fs::read(format!("{process}/comm")).is_ok_and(|name| name == b"sleep\n");
            let held = fs::read_link(format!("{process}/fd/0"));
            if is_sleep && held.is_ok_and(|held| held == path) {
                return holder;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("it does not open the file");
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_file_that_another_process_holds_open_is_refused_without_force() {
    if !Path::new("/proc/self/fd").exists() {
        eprintln!("skipped: there is no /proc");
        return;
    }
    for shape in [
        Shape::Tail,
        Shape::Inside,
        Shape::SetTail,
        Shape::Set,
        Shape::Lost,
    ] {
        let folder = TempFolder::new();
        let scene = Scene::new(shape, folder.path(), 23, 3000);
        scene.set_up();
        let last = scene.plan().files().last().unwrap().path.clone();
        // Under another name: it is the file that counts.
        let other = TempFolder::new();
        std::os::unix::fs::symlink(&last, other.path().join("link")).unwrap();
        let holder = Holder::of(&other.path().join("link"));
        let before = contents(folder.path());
        let (said, _) = to_the_end(command(&scene, &[]).spawn().unwrap());
        let (pid, path) = (holder.0.id(), last.display());
        let expected = format!("{path} is held open by process {pid} (sleep)");
        assert!(
            said.starts_with("Usage(") && said.contains(&expected),
            "{said}"
        );
        assert!(said.contains("--force"), "{said}");
        assert!(contents(folder.path()) == before);
        scene.run(true).unwrap();
        assert_eq!(scene.state(), State::New);
    }
    // Who only copies changes nothing.
    let folder = TempFolder::new();
    let scene = Scene::new(Shape::OutFile, folder.path(), 23, 3000);
    scene.set_up();
    let _holder = Holder::of(&folder.path().join("a.aof"));
    let (said, _) = to_the_end(command(&scene, &[]).spawn().unwrap());
    assert_eq!(said, "done");
    assert_eq!(scene.state(), State::New);
}

#[test]
fn a_pipe_gets_what_a_file_becomes() {
    let folder = TempFolder::new();
    let (source, pipe) = (folder.path().join("a.aof"), folder.path().join("pipe"));
    let original = noise(3 << 20, 1);
    fs::write(&source, &original).unwrap();
    match Command::new("mkfifo").arg(&pipe).status() {
        Ok(status) if status.success() => {}
        other => {
            eprintln!("skipped: no pipe can be made: {other:?}");
            return;
        }
    }
    let reader = {
        let pipe = pipe.clone();
        std::thread::spawn(move || fs::read(pipe).unwrap())
    };
    let plan = plan_of(&source, 3 << 20, &[(7, 1 << 20)], &[]);
    write_to(
        &Plan::File(plan),
        &pipe,
        Existing::Refuse,
        &Keep::default(),
        &Quiet,
    )
    .unwrap();
    let got = reader.join().unwrap();
    assert!(got == [&original[..7], &original[1 << 20..]].concat());
    assert!(fs::read(&source).unwrap() == original);
}

#[test]
fn a_signal_leaves_nothing_of_a_new_folder() {
    let folder = TempFolder::new();
    let inner = folder.path().join("s");
    fs::create_dir(&inner).unwrap();
    let scene = Scene::new(Shape::OutFolder, &inner, 25, 30 << 20);
    scene.set_up();
    let before = names(folder.path());
    let mut child = command(&scene, &[]).spawn().unwrap();
    let start = Instant::now();
    // As soon as there is something to remove.
    while names(folder.path()) == before && start.elapsed() < Duration::from_secs(20) {
        std::thread::yield_now();
    }
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    child.wait().unwrap();
    assert_eq!(names(folder.path()), before);
    scene.state();
}
