//! What there is to mend: files of noise, seeded plans for them, and what must come of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use redkit::aof::manifest::Manifest;
use redkit::error::Result;
use redkit::io::output::Existing;
use redkit::io::progress::Quiet;
use redkit::task::mend::{
    Applied, FilePlan, Inserted, Keep, Plan, Removed, SetPlan, apply_in_place, write_to,
};

/// xorshift64*: the same scenes in every run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 11) % bound
    }
}

/// Bytes in which each place looks different.
pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend_from_slice(&random.next().to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// The plan for a file of this size.
pub(crate) fn plan_of(
    path: &Path,
    size: u64,
    removed: &[(u64, u64)],
    inserted: &[(u64, &[u8])],
) -> FilePlan {
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

/// A plan with some regions that go, some of them touching, and some bytes that come in.
pub(crate) fn random_plan(path: &Path, size: u64, random: &mut Random) -> FilePlan {
    let mut cuts: Vec<u64> = (0..2 + random.below(7))
        .map(|_| random.below(size + 1))
        .collect();
    cuts.sort_unstable();
    cuts.dedup();
    let mut removed = Vec::new();
    let mut inserted: Vec<(u64, &[u8])> = Vec::new();
    for pair in cuts.windows(2) {
        match random.below(3) {
            0 => removed.push((pair[0], pair[1])),
            1 => inserted.push((pair[0], b"*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n")),
            _ => {}
        }
    }
    plan_of(path, size, &removed, &inserted)
}

/// What the plan makes of these bytes.
pub(crate) fn mended(original: &[u8], plan: &FilePlan) -> Vec<u8> {
    let mut new = Vec::new();
    let mut at = 0;
    let place = |n: u64| usize::try_from(n).unwrap();
    let mut events: Vec<(u64, u8, usize)> = Vec::new();
    events.extend((0..plan.inserted.len()).map(|i| (plan.inserted[i].at, 0, i)));
    events.extend((0..plan.removed.len()).map(|i| (plan.removed[i].start, 1, i)));
    events.sort_unstable();
    for (_, what, i) in events {
        if what == 0 {
            let end = place(plan.inserted[i].at).max(at);
            new.extend_from_slice(&original[at..end]);
            new.extend_from_slice(&plan.inserted[i].bytes);
            at = end;
        } else {
            new.extend_from_slice(&original[at..place(plan.removed[i].start)]);
            at = place(plan.removed[i].end);
        }
    }
    new.extend_from_slice(&original[at..]);
    new
}

/// The original, from what has the rest and the pieces that went.
pub(crate) fn put_back(rest: &[u8], pieces: &[(u64, Vec<u8>)], inserted: &[(u64, u64)]) -> Vec<u8> {
    let mut original = Vec::new();
    let (mut pieces, mut inserted) = (pieces.iter().peekable(), inserted.iter().peekable());
    let mut at = 0;
    loop {
        let here = original.len() as u64;
        if let Some((_, size)) = inserted.next_if(|(place, _)| *place == here) {
            at += usize::try_from(*size).unwrap();
        } else if let Some((_, bytes)) = pieces.next_if(|(start, _)| *start == here) {
            original.extend_from_slice(bytes);
        } else if let Some(byte) = rest.get(at) {
            original.push(*byte);
            at += 1;
        } else {
            assert!(pieces.peek().is_none() && inserted.peek().is_none());
            return original;
        }
    }
}

/// Every file in a folder.
pub(crate) fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, fs::read(path).unwrap())
    });
    entries.collect()
}

/// Their names alone.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// What is mended, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The end of a single file, in place.
    Tail,
    /// A single file with more changes, in place.
    Inside,
    /// The same, with a quarantine.
    Quarantine,
    /// The end of the last file of a set, in place.
    SetTail,
    /// Several files of a set, in place.
    Set,
    /// The same, and the manifest is not there.
    Lost,
    /// The same, and the manifest cannot be read.
    Broken,
    /// A single file, in place of another.
    OutFile,
    /// A set, in place of another.
    OutFolder,
}

pub(crate) const SHAPES: [Shape; 9] = [
    Shape::Tail,
    Shape::Inside,
    Shape::Quarantine,
    Shape::SetTail,
    Shape::Set,
    Shape::Lost,
    Shape::Broken,
    Shape::OutFile,
    Shape::OutFolder,
];

pub(crate) const MANIFEST: &str = "a.aof.manifest";
pub(crate) const MEMBERS: [&str; 3] = ["a.aof.1.base.rdb", "a.aof.1.incr.aof", "a.aof.2.incr.aof"];
pub(crate) const TEXT: &str = "file a.aof.1.base.rdb seq 1 type b\n# mine\n\
    file a.aof.1.incr.aof seq 1 type i k v\nfile a.aof.2.incr.aof seq 2 type i\n";
const BROKEN: &str = "file a.aof.1.base.rdb seq 1 type b\nfile\n";

/// Which state the files are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Old,
    New,
}

/// A folder with something to mend in it.
pub(crate) struct Scene {
    pub(crate) shape: Shape,
    pub(crate) folder: PathBuf,
    pub(crate) seed: u64,
    pub(crate) size: usize,
}

impl Scene {
    pub(crate) fn new(shape: Shape, folder: &Path, seed: u64, size: usize) -> Scene {
        let folder = folder.to_path_buf();
        Scene {
            shape,
            folder,
            seed,
            size,
        }
    }

    /// Puts the old state there.
    pub(crate) fn set_up(&self) {
        if self.is_set() {
            for (i, name) in MEMBERS.iter().enumerate() {
                fs::write(self.folder.join(name), self.original(i)).unwrap();
            }
            if let Some(text) = self.old_manifest() {
                fs::write(self.folder.join(MANIFEST), text).unwrap();
            }
        } else {
            fs::write(self.folder.join("a.aof"), self.original(0)).unwrap();
        }
        match self.shape {
            Shape::OutFile => fs::write(self.out(), self.replaced()).unwrap(),
            Shape::OutFolder => {
                let _ = fs::remove_dir_all(self.out());
                fs::create_dir(self.out()).unwrap();
                for (name, bytes) in self.replaced_folder() {
                    fs::write(self.out().join(name), bytes).unwrap();
                }
            }
            _ => {}
        }
    }

    /// The plan, made of the seed alone.
    pub(crate) fn plan(&self) -> Plan {
        let mut random = Random::new(self.seed);
        let size = self.size as u64;
        let path = self.folder.join("a.aof");
        let cut = random.below(size);
        match self.shape {
            Shape::Tail => return Plan::File(plan_of(&path, size, &[(cut, size)], &[])),
            Shape::Inside | Shape::Quarantine | Shape::OutFile => {
                let mut plan = random_plan(&path, size, &mut random);
                while plan.removed.is_empty() {
                    plan = random_plan(&path, size, &mut random);
                }
                return Plan::File(plan);
            }
            _ => {}
        }
        let mut files: Vec<FilePlan> = MEMBERS
            .iter()
            .map(|name| FilePlan::new(self.folder.join(name), size))
            .collect();
        let last = files[2].path.clone();
        files[2] = plan_of(&last, size, &[(cut, size)], &[]);
        if self.shape != Shape::SetTail {
            let path = files[1].path.clone();
            let middle = random.below(size - 1);
            files[1] = plan_of(&path, size, &[(middle, middle + 1)], &[(middle, b"x")]);
            if random.below(2) == 0 {
                let path = files[0].path.clone();
                files[0] = random_plan(&path, size, &mut random);
            }
        }
        Plan::Set(SetPlan {
            folder: self.folder.clone(),
            manifest_name: MANIFEST.as_bytes().to_vec(),
            old_manifest: self.old_manifest().map(|text| text.as_bytes().to_vec()),
            manifest: Manifest::parse(TEXT.as_bytes()).unwrap(),
            rebuilt: matches!(self.shape, Shape::Lost | Shape::Broken),
            files,
        })
    }

    pub(crate) fn keep(&self) -> Keep {
        let quarantine = self.folder.join("quarantine");
        Keep {
            quarantine: (self.shape == Shape::Quarantine).then_some(quarantine),
            discard_removed: false,
        }
    }

    /// Mends it. Without `force` only where no other thread starts processes: between fork and exec
    /// such a process holds what this one has open.
    pub(crate) fn run(&self, force: bool) -> Result<Applied> {
        let (plan, keep) = (self.plan(), self.keep());
        match self.shape {
            Shape::OutFile | Shape::OutFolder => {
                write_to(&plan, &self.out(), Existing::Replace, &keep, &Quiet)
            }
            _ => apply_in_place(&plan, &keep, force, &Quiet),
        }
    }

    /// Which state it is in; anything else is a panic.
    pub(crate) fn state(&self) -> State {
        let plan = self.plan();
        match (self.shape, &plan) {
            (Shape::Tail | Shape::Inside | Shape::Quarantine, Plan::File(plan)) => {
                let now = fs::read(&plan.path).unwrap();
                let original = self.original(0);
                if now == original {
                    return State::Old;
                }
                assert!(
                    now == mended(&original, plan),
                    "{self}: neither old nor new"
                );
                let pieces = plan.removed.iter().map(|removed| {
                    let name = format!("a.aof.removed-{}", removed.start);
                    let beside = self.keep().quarantine.unwrap_or(self.folder.clone());
                    (removed.start, fs::read(beside.join(name)).unwrap())
                });
                let pieces: Vec<_> = pieces.collect();
                assert!(put_back(&now, &pieces, &inserted(plan)) == original);
                State::New
            }
            (Shape::SetTail, Plan::Set(plan)) => {
                let manifest = fs::read_to_string(self.folder.join(MANIFEST)).unwrap();
                assert_eq!(manifest, TEXT);
                let [one, two, last] = [0, 1, 2].map(|i| fs::read(&plan.files[i].path).unwrap());
                assert!(one == self.original(0) && two == self.original(1));
                let original = self.original(2);
                if last == original {
                    return State::Old;
                }
                let new = mended(&original, &plan.files[2]);
                assert!(last == new, "{self}: neither old nor new");
                let piece = format!("{}.removed-{}", MEMBERS[2], new.len());
                let piece = fs::read(self.folder.join(piece)).unwrap();
                assert!([new, piece].concat() == original);
                State::New
            }
            (Shape::Set | Shape::Lost | Shape::Broken, Plan::Set(plan)) => self.state_of_set(plan),
            (Shape::OutFile, Plan::File(plan)) => {
                let original = self.original(0);
                assert!(fs::read(&plan.path).unwrap() == original, "the source");
                let now = fs::read(self.out()).unwrap();
                if now == self.replaced() {
                    return State::Old;
                }
                assert!(
                    now == mended(&original, plan),
                    "{self}: neither old nor new"
                );
                State::New
            }
            (Shape::OutFolder, Plan::Set(plan)) => {
                self.assert_originals();
                let now = contents(&self.out());
                if now == self.replaced_folder() {
                    return State::Old;
                }
                let mut new = BTreeMap::new();
                new.insert(MANIFEST.to_owned(), TEXT.as_bytes().to_vec());
                for (i, name) in MEMBERS.iter().enumerate() {
                    new.insert(
                        (*name).to_owned(),
                        mended(&self.original(i), &plan.files[i]),
                    );
                }
                assert!(now == new, "{self}: neither old nor new");
                State::New
            }
            _ => unreachable!("each shape has its kind of plan"),
        }
    }

    fn state_of_set(&self, plan: &SetPlan) -> State {
        // The old files stay whatever happens.
        self.assert_originals();
        let now = fs::read(self.folder.join(MANIFEST)).ok();
        if now.as_deref() == self.old_manifest().map(str::as_bytes) {
            return State::Old;
        }
        let now = Manifest::parse(&now.expect("a manifest")).expect("a sound manifest");
        assert_eq!(now.in_load_order().count(), MEMBERS.len());
        for (i, entry) in now.in_load_order().enumerate() {
            let name = String::from_utf8(entry.name.clone()).unwrap();
            let changes = !plan.files[i].is_unchanged();
            assert_eq!(name.contains(".fixed"), changes, "{name}");
            let bytes = fs::read(self.folder.join(&name)).unwrap();
            assert!(bytes == mended(&self.original(i), &plan.files[i]), "{name}");
        }
        if let Some(text) = self.old_manifest() {
            let kept = fs::read(self.folder.join(format!("{MANIFEST}.orig"))).unwrap();
            assert_eq!(kept, text.as_bytes());
        }
        State::New
    }

    pub(crate) fn assert_originals(&self) {
        for (i, name) in MEMBERS.iter().enumerate() {
            let now = fs::read(self.folder.join(name)).unwrap();
            assert!(now == self.original(i), "{name}: not as it was");
        }
    }

    pub(crate) fn is_set(&self) -> bool {
        use Shape::{Inside, OutFile, Quarantine, Tail};
        !matches!(self.shape, Tail | Inside | Quarantine | OutFile)
    }

    fn original(&self, index: usize) -> Vec<u8> {
        noise(self.size, self.seed * 10 + index as u64)
    }

    fn old_manifest(&self) -> Option<&'static str> {
        match self.shape {
            Shape::Lost => None,
            Shape::Broken => Some(BROKEN),
            _ => Some(TEXT),
        }
    }

    fn out(&self) -> PathBuf {
        let name = if self.is_set() { ".out" } else { "/out.aof" };
        PathBuf::from(format!("{}{name}", self.folder.display()))
    }

    fn replaced(&self) -> Vec<u8> {
        noise(self.size / 2, self.seed * 10 + 7)
    }

    fn replaced_folder(&self) -> BTreeMap<String, Vec<u8>> {
        let files = [(MANIFEST, b"x".to_vec()), (MEMBERS[0], self.replaced())];
        files.map(|(name, bytes)| (name.to_owned(), bytes)).into()
    }
}

impl std::fmt::Display for Scene {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}, seed {}", self.shape, self.seed)
    }
}

pub(crate) fn inserted(plan: &FilePlan) -> Vec<(u64, u64)> {
    let new = plan.inserted.iter();
    new.map(|new| (new.at, new.bytes.len() as u64)).collect()
}
