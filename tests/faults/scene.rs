//! The commands that write, and a folder with what they read.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::{TempFolder, loader};

/// A command that writes.
pub(crate) struct Writer {
    pub(crate) name: &'static str,
    words: &'static str,
    /// The exit status when nothing fails.
    pub(crate) code: i32,
    /// The file that is read first.
    pub(crate) input: &'static str,
    /// A file that is there before and is replaced or cut.
    pub(crate) changes: Option<&'static str>,
    /// It has several outputs, each of which is whole or not there.
    several: bool,
    /// They tell times: of their content only the ends are looked at.
    varies: bool,
}

impl Writer {
    const fn new(name: &'static str, words: &'static str, input: &'static str) -> Writer {
        Writer {
            name,
            words,
            code: 0,
            input,
            changes: None,
            several: false,
            varies: false,
        }
    }

    const fn changing(self, file: &'static str) -> Writer {
        Writer {
            changes: Some(file),
            ..self
        }
    }

    const fn ending(self, code: i32) -> Writer {
        Writer { code, ..self }
    }

    const fn with_several(self) -> Writer {
        Writer {
            several: true,
            ..self
        }
    }

    const fn varying(self) -> Writer {
        Writer {
            varies: true,
            ..self
        }
    }

    pub(crate) fn words(&self) -> Vec<String> {
        let mut words: Vec<String> = self.words.split(' ').map(str::to_owned).collect();
        words.push("--threads=1".to_owned());
        words
    }
}

/// Every command that writes, in every form.
pub(crate) const WRITERS: &[Writer] = &[
    Writer::new(
        "check-aof --fix, a torn tail",
        "check-aof --fix --yes torn.aof",
        "torn.aof",
    )
    .changing("torn.aof"),
    Writer::new(
        "check-aof --fix, damage inside",
        "check-aof --fix --strategy skip --yes inside.aof",
        "inside.aof",
    )
    .changing("inside.aof"),
    Writer::new(
        "check-aof --fix -o",
        "check-aof --fix --strategy skip --yes inside.aof -o out.aof",
        "inside.aof",
    ),
    Writer::new(
        "check-aof --fix, the tail of a set",
        "check-aof --fix --yes torn-set",
        "torn-set/appendonly.aof.2.incr.aof",
    )
    .changing("torn-set/appendonly.aof.2.incr.aof"),
    Writer::new(
        "check-aof --fix, inside a set",
        "check-aof --fix --strategy skip --yes bad-set",
        "bad-set/appendonly.aof.1.incr.aof",
    ),
    Writer::new(
        "check-aof --fix -o, a set",
        "check-aof --fix --strategy skip --yes bad-set -o out-set",
        "bad-set/appendonly.aof.1.incr.aof",
    ),
    Writer::new(
        "rewrite-aof --layout rdb",
        "rewrite-aof log.aof -o out.rdb --layout rdb",
        "log.aof",
    ),
    Writer::new(
        "rewrite-aof --layout resp",
        "rewrite-aof dump.rdb -o out.aof --layout resp",
        "dump.rdb",
    ),
    Writer::new(
        "rewrite-aof --layout preamble --force",
        "rewrite-aof log.aof -o old.aof --layout preamble --force",
        "log.aof",
    )
    .changing("old.aof"),
    Writer::new(
        "rewrite-aof --layout multipart",
        "rewrite-aof log.aof -o out-set --layout multipart",
        "log.aof",
    ),
    Writer::new(
        "rewrite-aof --layout multipart --force",
        "rewrite-aof log.aof -o old-set --layout multipart --force",
        "log.aof",
    ),
    Writer::new(
        "convert",
        "convert dump.rdb --target redis-6.2 -o out.rdb",
        "dump.rdb",
    ),
    Writer::new(
        "convert --force",
        "convert dump.rdb --target redis-7.2 -o old.rdb --force",
        "dump.rdb",
    )
    .changing("old.rdb"),
    Writer::new(
        "salvage --lost",
        "salvage damaged.rdb -o out.rdb --lost lost.ndjson",
        "damaged.rdb",
    )
    .ending(6)
    .with_several(),
    Writer::new(
        "from-json",
        "from-json dump.ndjson -o out.rdb",
        "dump.ndjson",
    ),
    Writer::new("cut", "cut log.aof --before RPUSH -o out.aof", "log.aof"),
    Writer::new(
        "cut, a set",
        "cut good-set --before APPEND -o out-set",
        "good-set/appendonly.aof.1.incr.aof",
    ),
    Writer::new(
        "dump-to-json -o",
        "dump-to-json dump.rdb -o out.ndjson",
        "dump.rdb",
    ),
    Writer::new("stats --html", "stats dump.rdb --html out.html", "dump.rdb"),
    Writer::new(
        "verify --report",
        "verify --report json=out.json,junit=out.xml dump.rdb",
        "dump.rdb",
    )
    .with_several()
    .varying(),
    Writer::new("get -o", "get dump.rdb key:5 -o out", "dump.rdb"),
    Writer::new("log -o", "log log.aof -o out", "log.aof"),
    Writer::new("diff -o", "diff dump.rdb old.rdb -o out", "dump.rdb").ending(1),
];

/// Files by their names in the folder; folders too, with nothing in them.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// What is in the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// What was there before.
    Old,
    /// What is there when nothing fails.
    New,
    /// Of a command with several outputs, some of them.
    Some,
    /// What was there before, and beside it some of what is new.
    Both,
    /// Anything else.
    Other,
}

/// The program, where every user can run it.
pub(crate) fn program() -> &'static Path {
    static COPY: OnceLock<(TempFolder, PathBuf)> = OnceLock::new();
    let (_, path) = COPY.get_or_init(|| {
        let folder = TempFolder::new();
        open_to_all(folder.path());
        let path = folder.path().join("redkit");
        fs::copy(env!("CARGO_BIN_EXE_redkit"), &path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        (folder, path)
    });
    path
}

fn open_to_all(folder: &Path) {
    fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
}

fn numbered(n: usize) -> Vec<u8> {
    let (key, value) = (format!("key:{n}"), format!("{}", n * 7919 * n).repeat(20));
    loader::command(&[b"SET", key.as_bytes(), value.as_bytes()])
}

/// The inputs.
fn inputs() -> &'static Files {
    static FILES: OnceLock<Files> = OnceLock::new();
    FILES.get_or_init(|| {
        let folder = TempFolder::new();
        let mut log = loader::command(&[b"SELECT", b"0"]);
        for n in 0..3000 {
            log.extend(numbered(n));
        }
        // Where a command begins.
        let middle = log.len() / 2;
        let begins = log[middle..].windows(4).position(|four| four == b"*3\r\n");
        let middle = middle + begins.unwrap();
        for args in [
            &[&b"RPUSH"[..], b"l", b"a", b"b"][..],
            &[b"HSET", b"h", b"f", b"v"],
            &[b"XADD", b"s", b"1-1", b"f", b"v"],
        ] {
            log.extend(loader::command(args));
        }
        let mut torn = log.clone();
        torn.extend_from_slice(b"*3\r\n$3\r\nSET\r\n$3\r\nke");
        let mut inside = log.clone();
        inside[middle..middle + 30].fill(0xff);
        let path = |name: &str| folder.path().join(name);
        fs::write(path("log.aof"), &log).unwrap();
        for words in [
            "rewrite-aof log.aof -o dump.rdb --layout rdb",
            "dump-to-json dump.rdb -o dump.ndjson",
        ] {
            let run = Command::new(program())
                .args(words.split(' '))
                .current_dir(folder.path())
                .output();
            assert!(run.unwrap().status.success(), "{words}");
        }
        let dump = fs::read(path("dump.rdb")).unwrap();
        let mut damaged = dump.clone();
        let at = damaged.len() / 2;
        damaged[at..at + 30].fill(0xff);
        let mut files = Files::from([
            (
                "dump.ndjson".to_owned(),
                fs::read(path("dump.ndjson")).unwrap(),
            ),
            ("dump.rdb".to_owned(), dump.clone()),
            ("damaged.rdb".to_owned(), damaged),
            ("old.rdb".to_owned(), dump_of_few()),
            ("old.aof".to_owned(), loader::command(&[b"SET", b"a", b"b"])),
            ("log.aof".to_owned(), log.clone()),
            ("torn.aof".to_owned(), torn.clone()),
            ("inside.aof".to_owned(), inside.clone()),
        ]);
        let tail = loader::command(&[b"APPEND", b"key:1", b"x"]);
        let mut set = |name: &str, first: &[u8], last: &[u8]| {
            let manifest = "file appendonly.aof.1.base.rdb seq 1 type b\n\
                            file appendonly.aof.1.incr.aof seq 1 type i\n\
                            file appendonly.aof.2.incr.aof seq 2 type i\n";
            for (file, bytes) in [
                ("manifest", manifest.as_bytes()),
                ("1.base.rdb", &dump),
                ("1.incr.aof", first),
                ("2.incr.aof", last),
            ] {
                files.insert(format!("{name}/appendonly.aof.{file}"), bytes.to_vec());
            }
            files.insert(name.to_owned(), Vec::new());
        };
        set("good-set", &log, &tail);
        set("old-set", &tail, &tail);
        set("torn-set", &log, &torn);
        set("bad-set", &inside, &tail);
        files
    })
}

/// Another snapshot.
fn dump_of_few() -> Vec<u8> {
    fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/testdata/rdb/redis-7.0.15/few.rdb"
    ))
    .unwrap()
}

/// A folder with the inputs of a command.
pub(crate) struct Scene {
    pub(crate) writer: &'static Writer,
    folder: PathBuf,
    _temporary: Option<TempFolder>,
}

impl Scene {
    pub(crate) fn new(writer: &'static Writer) -> Scene {
        let temporary = TempFolder::new();
        open_to_all(temporary.path());
        let mut scene = Scene::within(writer, temporary.path());
        scene._temporary = Some(temporary);
        scene
    }

    /// In a folder that is there.
    pub(crate) fn within(writer: &'static Writer, folder: &Path) -> Scene {
        let folder = folder.join("scene");
        fs::create_dir(&folder).unwrap();
        open_to_all(&folder);
        let scene = Scene {
            writer,
            folder,
            _temporary: None,
        };
        for (name, bytes) in &scene.before() {
            let path = scene.folder.join(name);
            match bytes.is_empty() {
                true => fs::create_dir_all(path).unwrap(),
                false => {
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(path, bytes).unwrap();
                }
            }
        }
        scene
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is there before: of the inputs, those that the command names.
    pub(crate) fn before(&self) -> Files {
        let words: Vec<&str> = self.writer.words.split(' ').collect();
        let named = |name: &&String| words.contains(&name.split('/').next().unwrap_or_default());
        let all = inputs().iter().filter(|(name, _)| named(name));
        all.map(|(name, bytes)| (name.clone(), bytes.clone()))
            .collect()
    }

    /// What is there now; of outputs that vary, their first and last byte.
    pub(crate) fn now(&self) -> Files {
        let mut files = self.all();
        if self.writer.varies {
            for (name, bytes) in files.iter_mut().filter(|(name, _)| name.starts_with("out")) {
                assert!(!bytes.is_empty(), "{name} is empty");
                *bytes = vec![bytes[0], bytes[bytes.len() - 1]];
            }
        }
        files
    }

    fn all(&self) -> Files {
        let mut files = Files::new();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(&self.folder).unwrap();
                let name = name.to_str().unwrap().to_owned();
                match path.is_dir() {
                    true => {
                        files.insert(name, Vec::new());
                        folders.push(path);
                    }
                    false => drop(files.insert(name, fs::read(path).unwrap())),
                }
            }
        }
        files
    }

    /// Every file and folder, the scene's own first.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        let mut paths = vec![self.folder.clone()];
        paths.extend(self.now().into_keys().map(|name| self.folder.join(name)));
        paths
    }

    /// The command, in its folder.
    pub(crate) fn redkit(&self) -> Command {
        let mut command = Command::new(program());
        command.args(self.writer.words()).current_dir(&self.folder);
        command
    }

    /// Runs it; what is there then.
    pub(crate) fn run_whole(&self) -> Files {
        let output = self.redkit().output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = output.status.code();
        assert_eq!(code, Some(self.writer.code), "{}: {said}", self.writer.name);
        let new = self.now();
        assert!(new != self.before(), "{} writes nothing", self.writer.name);
        new
    }

    pub(crate) fn state(&self, new: &Files) -> State {
        let (now, old) = (self.now(), self.before());
        let is = |name: &String, bytes: &Vec<u8>, in_it: &Files| in_it.get(name) == Some(bytes);
        let is_known =
            |(name, bytes): (&String, &Vec<u8>)| is(name, bytes, &old) || is(name, bytes, new);
        match () {
            () if now == *new => State::New,
            () if now == old => State::Old,
            () if self.writer.several && now.iter().all(is_known) => State::Some,
            () if now.iter().all(is_known) && old.iter().all(|(n, b)| is(n, b, &now)) => {
                State::Both
            }
            () => State::Other,
        }
    }

    /// What is neither.
    pub(crate) fn difference(&self, new: &Files) -> String {
        let (now, old) = (self.now(), self.before());
        let mut text = String::new();
        for name in now.keys().chain(old.keys()).chain(new.keys()) {
            let all = [&old, new, &now].map(|files| files.get(name).map(Vec::len));
            if now.get(name) != old.get(name) || now.get(name) != new.get(name) {
                text.push_str(&format!("  {name}: before, after, now: {all:?}\n"));
            }
        }
        text
    }
}

/// A small file system in memory.
pub(crate) struct Disk(TempFolder);

impl Disk {
    /// One; none, which is said, where none can be had.
    pub(crate) fn new() -> Option<Disk> {
        let folder = TempFolder::new();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"])
            .arg(folder.path())
            .output();
        match mount {
            Ok(out) if out.status.success() => Some(Disk(folder)),
            _ => {
                eprintln!("skipped: no small file system can be mounted");
                None
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all room that is left.
    pub(crate) fn fill(&self) {
        let mut n = 0;
        while fs::write(self.path().join(format!("filler-{n}")), [1; 4096]).is_ok() {
            n += 1;
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}
