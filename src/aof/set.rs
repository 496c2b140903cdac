//! The files of a multi-part AOF: what a folder holds beside what its manifest says.
//!
//! Servers go by the manifest alone, and are silent about the rest. Seen on Redis 7.0.15 and 8.2.3
//! and on Valkey 8.1.8 and 9.1.2: without a manifest they start empty, write a new base over
//! `<stem>.1.base.rdb`, and go on appending to whatever `<stem>.1.incr.aof` there is, so that its
//! old commands come back at the next start. History files are removed at the start, even one that
//! is the base too.

mod list;
mod rebuild;

use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::error::printable;

use super::manifest::{Manifest, Role};

pub use list::{ListError, Listing, path_in};
pub use rebuild::RebuildFault;

/// A file, as far as the folder tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileInfo {
    /// Its bare name.
    pub name: Vec<u8>,
    /// Its size in bytes.
    pub size: u64,
}

/// What servers call the files that they make: `<stem>.<seq>.base.rdb`, `<stem>.<seq>.base.aof` or
/// `<stem>.<seq>.incr.aof`. What a fix makes of such a file has `.fixed` behind the number, or
/// `.fixed-2` and so on when there is one already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AofName<'n> {
    /// The setting `appendfilename`.
    pub stem: &'n [u8],
    /// The sequence number, above 0.
    pub seq: i64,
    /// Base or incremental.
    pub role: Role,
    /// 0 for the name that a server gives; 1 for `.fixed`, 2 for `.fixed-2`, …
    pub fixed: u32,
}

impl<'n> AofName<'n> {
    /// Reads such a name; nothing for any other, and for temporary files.
    pub fn parse(name: &'n [u8]) -> Option<AofName<'n>> {
        if is_temporary(name) {
            return None;
        }
        let (front, role) = [
            (&b".base.rdb"[..], Role::Base),
            (b".base.aof", Role::Base),
            (b".incr.aof", Role::Incremental),
        ]
        .into_iter()
        .find_map(|(end, role)| Some((name.strip_suffix(end)?, role)))?;
        let dot = memchr::memrchr(b'.', front)?;
        let (mut stem, mut seq) = front.split_at_checked(dot)?;
        let fixed = fixed_number(seq);
        if fixed > 0 {
            (stem, seq) = stem.split_at_checked(memchr::memrchr(b'.', stem)?)?;
        }
        let seq = crate::bytes::number::parse_canonical_i64(seq.strip_prefix(b".")?)?;
        (seq > 0).then_some(AofName {
            stem,
            seq,
            role,
            fixed,
        })
    }

    /// Whether the file of this name was made of the other by a fix, or of one that was made of it.
    fn is_fix_of(self, other: AofName<'_>) -> bool {
        (self.stem, self.seq, self.role) == (other.stem, other.seq, other.role)
            && self.fixed > other.fixed
    }
}

/// 1 for `.fixed`, 2 for `.fixed-2` and so on; 0 for anything else.
fn fixed_number(part: &[u8]) -> u32 {
    match part.strip_prefix(b".fixed") {
        Some([]) => 1,
        Some([b'-', number @ ..]) => crate::bytes::number::parse_canonical_i64(number)
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| *number > 1)
            .unwrap_or(0),
        _ => 0,
    }
}

/// What a server makes of a folder, and what it does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetReport {
    /// How a server starts.
    pub start: Start,
    /// The files that it loads, in this order.
    pub files: Vec<SetFile>,
    /// What is odd: first what the manifest names, line by line, then the rest by name.
    pub problems: Vec<SetProblem>,
    /// The files that the manifest does not name because a fix has left them beside what it made of
    /// them: nothing is odd about these. By name.
    pub kept: Vec<FileInfo>,
}

/// How a server of version 7.0 or later starts on a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// It loads the files that the manifest names.
    Set,
    /// It moves the one old file that lies beside the folder into it, as the base.
    Upgrade,
    /// There is nothing to load: it starts empty.
    Empty,
}

/// A file that a server loads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetFile {
    /// Its bare name; it lies in the folder, or beside it when the start is an upgrade.
    pub name: Vec<u8>,
    /// Base or incremental.
    pub role: Role,
    /// Its sequence number.
    pub seq: i64,
    /// Its line in the manifest.
    pub line: Option<usize>,
    /// Its size in bytes; nothing when it is missing.
    pub size: Option<u64>,
}

/// What a problem means for a server that starts on the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Nothing.
    Harmless,
    /// It starts with other data than lies there, or removes some of it.
    Misleads,
    /// It does not start.
    Refuses,
}

/// Something odd about the files of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SetProblem {
    /// The manifest names a base or incremental file that is not there.
    Missing {
        /// Its name.
        name: Vec<u8>,
        /// What it is for.
        role: Role,
        /// Its line in the manifest.
        line: Option<usize>,
    },
    /// The manifest names a file twice.
    NamedTwice {
        /// Its name.
        name: Vec<u8>,
        /// Role and line of the first time.
        first: (Role, Option<usize>),
        /// Role and line of this time.
        again: (Role, Option<usize>),
    },
    /// A file's name says another sequence number or type than its line.
    Misnamed {
        /// Its name.
        name: Vec<u8>,
        /// Sequence number and role in the manifest.
        listed: (i64, Role),
        /// Sequence number and role in the name.
        named: (i64, Role),
        /// Its line in the manifest.
        line: Option<usize>,
    },
    /// A superseded file, which a server removes when it starts.
    History {
        /// Its name.
        name: Vec<u8>,
        /// Its line in the manifest.
        line: Option<usize>,
        /// Its size in bytes; nothing when it is gone already.
        size: Option<u64>,
    },
    /// A file named like those of a set, which the manifest does not name.
    Orphan {
        /// Its name.
        name: Vec<u8>,
        /// Its size in bytes.
        size: u64,
        /// What it would be.
        role: Role,
        /// Its place in the sequence.
        seq: i64,
        /// It comes before the files that the manifest names: most likely what a server was about
        /// to remove.
        superseded: bool,
    },
    /// What is left of a server's rewrite, or of a change by this program, that did not end.
    Temporary {
        /// Its name.
        name: Vec<u8>,
        /// Its size in bytes.
        size: u64,
    },
    /// There is no manifest, and here are files of a set.
    NoManifest {
        /// Their names.
        names: Vec<Vec<u8>>,
    },
    /// The manifest names nothing to load, and here are files of a set (each an orphan).
    NothingNamed,
    /// A single old file lies beside the folder and is not loaded.
    OldFileBeside {
        /// Its name.
        name: Vec<u8>,
        /// Its size in bytes.
        size: u64,
    },
}

impl SetProblem {
    /// Every stable word that [`code`](Self::code) gives.
    pub const CODES: [&'static str; 9] = [
        "aof-set-history",
        "aof-set-misnamed",
        "aof-set-missing",
        "aof-set-named-twice",
        "aof-set-no-manifest",
        "aof-set-nothing-named",
        "aof-set-old-file",
        "aof-set-orphan",
        "aof-set-temporary",
    ];

    /// The stable word for it, as reports carry it.
    pub fn code(&self) -> &'static str {
        match self {
            SetProblem::Missing { .. } => "aof-set-missing",
            SetProblem::NamedTwice { .. } => "aof-set-named-twice",
            SetProblem::Misnamed { .. } => "aof-set-misnamed",
            SetProblem::History { .. } => "aof-set-history",
            SetProblem::Orphan { .. } => "aof-set-orphan",
            SetProblem::Temporary { .. } => "aof-set-temporary",
            SetProblem::NoManifest { .. } => "aof-set-no-manifest",
            SetProblem::NothingNamed => "aof-set-nothing-named",
            SetProblem::OldFileBeside { .. } => "aof-set-old-file",
        }
    }

    /// What a server makes of it.
    pub fn effect(&self) -> Effect {
        match self {
            SetProblem::Missing { .. } => Effect::Refuses,
            SetProblem::NamedTwice { first, again, .. } => match (first.0, again.0) {
                (Role::History, Role::History) => Effect::Harmless,
                _ => Effect::Misleads,
            },
            SetProblem::Orphan { superseded, .. } if !superseded => Effect::Misleads,
            SetProblem::NoManifest { .. }
            | SetProblem::NothingNamed
            | SetProblem::OldFileBeside { .. } => Effect::Misleads,
            SetProblem::Misnamed { .. }
            | SetProblem::History { .. }
            | SetProblem::Orphan { .. }
            | SetProblem::Temporary { .. } => Effect::Harmless,
        }
    }

    /// The file concerned, where it is one.
    pub fn name(&self) -> Option<&[u8]> {
        match self {
            SetProblem::Missing { name, .. }
            | SetProblem::NamedTwice { name, .. }
            | SetProblem::Misnamed { name, .. }
            | SetProblem::History { name, .. }
            | SetProblem::Orphan { name, .. }
            | SetProblem::Temporary { name, .. }
            | SetProblem::OldFileBeside { name, .. } => Some(name),
            SetProblem::NoManifest { .. } | SetProblem::NothingNamed => None,
        }
    }
}

impl fmt::Display for SetProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.name() {
            write!(f, "\"{}\" ", printable(name))?;
        }
        match self {
            SetProblem::Missing { role, .. } => {
                write!(
                    f,
                    "is missing: the manifest names it as {} file",
                    role.name()
                )
            }
            SetProblem::NamedTwice { first, again, .. } => {
                let (first, again) = (first.0.name(), again.0.name());
                match self.effect() {
                    Effect::Harmless => f.write_str("is named twice as history file"),
                    _ if first == Role::History.name() || again == Role::History.name() => write!(
                        f,
                        "is named as {first} and as {again} file: a server loads it and then removes it"
                    ),
                    _ => write!(
                        f,
                        "is named as {first} and as {again} file: a server loads it twice"
                    ),
                }
            }
            SetProblem::Misnamed { listed, named, .. } => write!(
                f,
                "is number {} of the {} files in the manifest, number {} of the {} files by its name",
                listed.0,
                listed.1.name(),
                named.0,
                named.1.name()
            ),
            SetProblem::History { size: Some(_), .. } => {
                f.write_str("is superseded: a server removes it when it starts")
            }
            SetProblem::History { size: None, .. } => {
                f.write_str("is superseded, and gone already")
            }
            SetProblem::Orphan {
                superseded: true, ..
            } => f.write_str("is not in the manifest, and older than what is"),
            SetProblem::Orphan { .. } => {
                f.write_str("is not in the manifest: a server does not load it")
            }
            SetProblem::Temporary { name, .. } if is_ours(name) => {
                f.write_str("is left of a change that did not end")
            }
            SetProblem::Temporary { .. } => f.write_str("is left of a rewrite that did not end"),
            SetProblem::NoManifest { names } => write!(
                f,
                "there is no manifest for {} {} of a set: a server starts without them and overwrites \
                 some",
                names.len(),
                if names.len() == 1 { "file" } else { "files" }
            ),
            SetProblem::NothingNamed => f.write_str(
                "the manifest names nothing to load: a server starts without these files",
            ),
            SetProblem::OldFileBeside { .. } => {
                f.write_str("lies beside the folder of the set: a server does not load it")
            }
        }
    }
}

/// What a report is made of: names and sizes, nothing that was read from the files.
#[derive(Clone, Copy, Debug)]
pub struct SetInput<'d> {
    /// The manifest, if there is one.
    pub manifest: Option<&'d Manifest>,
    /// The name of the manifest without `.manifest`: the setting `appendfilename`.
    pub stem: &'d [u8],
    /// The files in the folder. The manifest may be among them.
    pub files: &'d [FileInfo],
    /// The file called `stem` beside the folder, if there is one.
    pub beside: Option<&'d FileInfo>,
    /// What older manifests name that were kept when a fix wrote a new one.
    pub kept: &'d [Vec<u8>],
}

impl SetReport {
    /// What a server makes of this folder.
    pub fn of(input: SetInput<'_>) -> SetReport {
        let sizes: HashMap<&[u8], u64> = input
            .files
            .iter()
            .map(|file| (file.name.as_slice(), file.size))
            .collect();
        let mut report = SetReport {
            start: start(input, &sizes),
            files: Vec::new(),
            problems: Vec::new(),
            kept: Vec::new(),
        };
        report.load_order(input, &sizes);
        if let Some(manifest) = input.manifest {
            report.named(manifest, &sizes);
        }
        report.not_named(input);
        if report.start != Start::Upgrade
            && let Some(FileInfo { name, size }) = input.beside.cloned()
        {
            report
                .problems
                .push(SetProblem::OldFileBeside { name, size });
        }
        report
    }

    /// The worst effect of its problems.
    pub fn effect(&self) -> Effect {
        let effects = self.problems.iter().map(SetProblem::effect);
        effects.max().unwrap_or(Effect::Harmless)
    }

    fn load_order(&mut self, input: SetInput<'_>, sizes: &HashMap<&[u8], u64>) {
        if self.start == Start::Upgrade {
            // What the manifest said of it is forgotten: the server writes a new one.
            self.files.extend(input.beside.map(|file| SetFile {
                name: file.name.clone(),
                role: Role::Base,
                seq: 1,
                line: None,
                size: Some(file.size),
            }));
            return;
        }
        let entries = input.manifest.into_iter().flat_map(Manifest::in_load_order);
        self.files.extend(entries.map(|entry| SetFile {
            name: entry.name.clone(),
            role: entry.role,
            seq: entry.seq,
            line: entry.line,
            size: sizes.get(entry.name.as_slice()).copied(),
        }));
    }

    /// What is odd about the files that the manifest names.
    fn named(&mut self, manifest: &Manifest, sizes: &HashMap<&[u8], u64>) {
        let mut seen: HashMap<&[u8], (Role, Option<usize>)> = HashMap::new();
        let mut entries: Vec<_> = manifest.entries().collect();
        entries.sort_by_key(|entry| entry.line);
        for entry in entries {
            let (name, line, role) = (&entry.name, entry.line, entry.role);
            let size = sizes.get(name.as_slice()).copied();
            if role == Role::History {
                let name = name.clone();
                self.problems.push(SetProblem::History { name, line, size });
            } else if size.is_none() && self.start != Start::Upgrade {
                let name = name.clone();
                self.problems.push(SetProblem::Missing { name, role, line });
            }
            if let Some(first) = seen.get(name.as_slice()) {
                self.problems.push(SetProblem::NamedTwice {
                    name: name.clone(),
                    first: *first,
                    again: (role, line),
                });
            } else {
                seen.insert(name, (role, line));
            }
            if let Some(own) = AofName::parse(name)
                && (own.seq != entry.seq || (role != Role::History && role != own.role))
            {
                self.problems.push(SetProblem::Misnamed {
                    name: name.clone(),
                    listed: (entry.seq, role),
                    named: (own.seq, own.role),
                    line,
                });
            }
        }
    }

    /// What is odd about the other files.
    fn not_named(&mut self, input: SetInput<'_>) {
        let named: HashSet<&[u8]> = input
            .manifest
            .into_iter()
            .flat_map(Manifest::entries)
            .map(|entry| entry.name.as_slice())
            .collect();
        let mut files: Vec<&FileInfo> = input.files.iter().collect();
        files.retain(|file| !named.contains(file.name.as_slice()));
        files.sort_by(|a, b| a.name.cmp(&b.name));
        if input.manifest.is_some() {
            let fixes: Vec<_> = named
                .iter()
                .filter_map(|name| AofName::parse(name))
                .collect();
            files.retain(|file| {
                let of_a_set = AofName::parse(&file.name);
                let kept = of_a_set.is_some_and(|own| {
                    input.kept.contains(&file.name) || fixes.iter().any(|fix| fix.is_fix_of(own))
                });
                if kept {
                    self.kept.push((*file).clone());
                }
                !kept
            });
        }
        let of_a_set = |file: &&&FileInfo| AofName::parse(&file.name).is_some();
        let names: Vec<_> = files.iter().filter(of_a_set).collect();
        match input.manifest {
            _ if names.is_empty() => {}
            None => {
                let names = names.iter().map(|file| file.name.clone()).collect();
                self.problems.push(SetProblem::NoManifest { names });
            }
            Some(manifest) if manifest.in_load_order().next().is_none() => {
                self.problems.push(SetProblem::NothingNamed);
            }
            Some(_) => {}
        }
        for FileInfo { name, size } in files {
            let (name, size) = (name.clone(), *size);
            if is_temporary(&name) {
                self.problems.push(SetProblem::Temporary { name, size });
            } else if let (Some(own), Some(manifest)) = (AofName::parse(&name), input.manifest) {
                let (role, seq) = (own.role, own.seq);
                let superseded = own.stem == input.stem && is_superseded(manifest, role, seq);
                self.problems.push(SetProblem::Orphan {
                    name,
                    size,
                    role,
                    seq,
                    superseded,
                });
            }
        }
    }
}

/// What `aofLoadManifestFromDisk` and `aofUpgradePrepare` decide between them: an old file is taken
/// when there is nothing else, or when its move into the folder was cut short.
fn start(input: SetInput<'_>, sizes: &HashMap<&[u8], u64>) -> Start {
    let mut named = input.manifest.into_iter().flat_map(Manifest::in_load_order);
    let (first, second) = (named.next(), named.next());
    let moving = match (first, second) {
        (None, _) => true,
        (Some(only), None) => {
            only.role == Role::Base
                && only.name == input.stem
                && !sizes.contains_key(only.name.as_slice())
        }
        (Some(_), Some(_)) => false,
    };
    match (input.beside, first) {
        (Some(_), _) if moving => Start::Upgrade,
        (_, None) => Start::Empty,
        (_, Some(_)) => Start::Set,
    }
}

/// A rewrite gives its base the next number, and its incremental file a new one: the number of what
/// is loaded is never below that of the base.
fn is_superseded(manifest: &Manifest, role: Role, seq: i64) -> bool {
    let base = manifest.base().map(|entry| entry.seq);
    let first = match role {
        Role::Base => base,
        _ => match manifest.incrementals().first() {
            Some(entry) => Some(entry.seq),
            None => base,
        },
    };
    first.is_some_and(|first| seq < first)
}

fn is_temporary(name: &[u8]) -> bool {
    name.starts_with(b"temp-") || is_ours(name)
}

/// What is left of this program when it was killed.
fn is_ours(name: &[u8]) -> bool {
    name.starts_with(b".redkit-") && name.ends_with(b".tmp")
}

#[cfg(test)]
mod tests;
