//! What servers make of the commands of a log, by their names and numbers of arguments: enough to
//! judge for any server once the log was gone through.

use std::collections::BTreeMap;

use crate::aof::resp::Command;
use crate::bytes::Problem;
use crate::command::{self, CommandSpec, Like, Resolved};
use crate::report::aof::Fate;
use crate::report::check::{CheckReport, LoadsOn, Verdict};
use crate::report::finding::{Finding, Findings, Severity};
use crate::report::info::Writer;
use crate::task::check_aof::walk::{Stop, finding};
use crate::task::check_aof::{Checked, NAMES_LISTED, is_a_modules};
use crate::write::Format;

/// Why Redis 6.2 reads a log otherwise than later servers.
const LONG_LINE: &str = "a line of more than 127 bytes, the end of which it takes for the next";
/// The setting that lets a server cut a log back.
const TRUNCATED: &str = "aof-load-truncated yes";
/// More than any command's number of arguments or least number: what is above is not told apart.
const MOST_ARGUMENTS: u64 = 128;

/// How a command or subcommand was used.
#[derive(Clone, Debug, Default)]
struct Uses {
    /// In the whole log.
    count: u64,
    /// Where a server gets to: each number of arguments that is below all before it, and its place.
    /// So the first one below any number can be told.
    fewest: Vec<(u64, u64)>,
    /// Likewise each that is above all before it.
    most: Vec<(u64, u64)>,
    /// The first one that a server gets to.
    first: Option<u64>,
}

impl Uses {
    #[inline]
    fn add(&mut self, at: u64, argc: u64, reached: bool) {
        self.count += 1;
        if reached {
            self.first = self.first.or(Some(at));
            self.noted(at, argc);
        }
    }

    #[inline]
    fn noted(&mut self, at: u64, argc: u64) {
        let told = argc.min(MOST_ARGUMENTS);
        if self
            .fewest
            .last()
            .is_none_or(|(n, _)| told < (*n).min(MOST_ARGUMENTS))
        {
            self.fewest.push((argc, at));
        }
        if self
            .most
            .last()
            .is_none_or(|(n, _)| told > (*n).min(MOST_ARGUMENTS))
        {
            self.most.push((argc, at));
        }
    }

    /// Adds the uses that come next.
    fn join(&mut self, next: &Uses) {
        self.count += next.count;
        self.first = self.first.or(next.first);
        for (argc, at) in next.fewest.iter().chain(&next.most) {
            self.noted(*at, *argc);
        }
    }

    /// The first one with fewer arguments than `number`, as number and place.
    fn below(&self, number: u64) -> Option<(u64, u64)> {
        self.fewest.iter().find(|(n, _)| *n < number).copied()
    }

    /// The first one with more arguments than `number`, which is below [`MOST_ARGUMENTS`].
    fn above(&self, number: u64) -> Option<(u64, u64)> {
        self.most.iter().find(|(n, _)| *n > number).copied()
    }
}

/// What a server does not take.
#[derive(Clone, Debug)]
struct Fault {
    at: u64,
    name: String,
    ill: Ill,
    /// Who knows the name, where that is at fault.
    known_to: Vec<&'static str>,
}

/// What it does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ill {
    /// The name.
    Name,
    /// The number of arguments.
    Arity(u64),
    /// The number of arguments, which it does not look at: what is too much is left alone.
    Runs(u64),
    /// The command as such: there is no client behind a log.
    Crashes,
}

/// The commands of a log by name.
#[derive(Debug, Default)]
pub(super) struct Used {
    /// By the command's index.
    commands: Vec<Uses>,
    /// Of containers: by the command's index and the subcommand's name in lower case.
    subcommands: BTreeMap<(usize, Vec<u8>), Uses>,
    /// Names that no server knows.
    others: BTreeMap<Vec<u8>, Uses>,
}

impl Used {
    /// Takes note of a command; `reached` says that nothing before it stops a server.
    #[inline]
    pub(super) fn command(&mut self, at: u64, command: &Command<'_>, reached: bool) {
        let argc = command.argc() as u64;
        let Some(spec) = command::lookup(command.name()) else {
            return self.other(at, command, reached);
        };
        if self.commands.is_empty() {
            self.commands.resize(command::all().len(), Uses::default());
        }
        if let Some(uses) = self.commands.get_mut(spec.index()) {
            uses.add(at, argc, reached);
        }
        // By itself a container is a command like others.
        if !spec.subcommands().is_empty() && argc > 1 {
            self.subcommand(at, spec, command, reached);
        }
    }

    #[cold]
    fn subcommand(&mut self, at: u64, spec: &CommandSpec, command: &Command<'_>, reached: bool) {
        let name = command.args().nth(1).unwrap_or_default();
        let name = name.get(..name.len().min(64)).unwrap_or_default();
        let key = (spec.index(), name.to_ascii_lowercase());
        if self.subcommands.len() < NAMES_LISTED || self.subcommands.contains_key(&key) {
            let uses = self.subcommands.entry(key).or_default();
            uses.add(at, command.argc() as u64, reached);
        }
    }

    #[cold]
    fn other(&mut self, at: u64, command: &Command<'_>, reached: bool) {
        let name = command.name();
        let name = name.get(..name.len().min(64)).unwrap_or_default();
        if self.others.len() < NAMES_LISTED || self.others.contains_key(name) {
            let uses = self.others.entry(name.to_vec()).or_default();
            uses.add(at, command.argc() as u64, reached);
        }
    }

    /// Adds what comes next in the log.
    pub(super) fn add(&mut self, next: Used) {
        if self.commands.is_empty() {
            self.commands = next.commands;
        } else {
            for (uses, next) in self.commands.iter_mut().zip(&next.commands) {
                uses.join(next);
            }
        }
        for (key, uses) in next.subcommands {
            if self.subcommands.len() < NAMES_LISTED || self.subcommands.contains_key(&key) {
                self.subcommands.entry(key).or_default().join(&uses);
            }
        }
        for (name, uses) in next.others {
            if self.others.len() < NAMES_LISTED || self.others.contains_key(&name) {
                self.others.entry(name).or_default().join(&uses);
            }
        }
    }

    /// How often each name stands in the log.
    pub(super) fn names(&self) -> BTreeMap<String, u64> {
        let known = command::all().iter().zip(&self.commands);
        let known = known
            .filter(|(_, uses)| uses.count > 0)
            .map(|(spec, uses)| (spec.name().to_owned(), uses.count));
        let others = self
            .others
            .iter()
            .map(|(name, uses)| (crate::error::printable(name), uses.count));
        known.chain(others).collect()
    }

    /// Modules' commands, which need the module.
    pub(super) fn modules(&self, allowed: &[Vec<u8>]) -> Vec<String> {
        let names = self
            .others
            .keys()
            .filter(|name| is_a_modules(name, allowed));
        let mut modules: Vec<String> = names
            .map(|name| match memchr::memchr(b'.', name) {
                Some(dot) => {
                    let module = name.get(..dot).unwrap_or_default().to_ascii_uppercase();
                    let module = crate::error::printable(&module);
                    format!("a module with the commands {module}.*")
                }
                None => {
                    let name = crate::error::printable(&name.to_ascii_uppercase());
                    format!("a module with the command {name}")
                }
            })
            .collect();
        modules.dedup();
        modules
    }

    /// Everything that this server does not take, first the first.
    fn faults(&self, like: Like, allowed: &[Vec<u8>]) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (name, uses) in &self.others {
            if let (Some(at), false) = (uses.first, is_a_modules(name, allowed)) {
                faults.push(Fault {
                    at,
                    name: crate::error::printable(name),
                    ill: Ill::Name,
                    known_to: Vec::new(),
                });
            }
        }
        for (spec, uses) in command::all().iter().zip(&self.commands) {
            if spec.subcommands().is_empty() || spec.on(like).is_none() {
                faults.extend(fault(spec, None, uses, like));
            } else if let Some((argc, at)) = uses.below(2) {
                let mut alone = Uses::default();
                alone.add(at, argc, true);
                faults.extend(fault(spec, None, &alone, like));
            }
        }
        for ((index, second), uses) in &self.subcommands {
            if let Some(spec) = command::all().get(*index).filter(|s| s.on(like).is_some()) {
                faults.extend(fault(spec, Some(second), uses, like));
            }
        }
        faults.sort_by_key(|fault| fault.at);
        faults
    }

    /// Puts what this server does not take among the findings.
    pub(super) fn tell(&self, like: Like, allowed: &[Vec<u8>], to: &mut Findings) {
        for fault in self.faults(like, allowed) {
            let problem = match fault.ill {
                Ill::Arity(found) | Ill::Runs(found) => Problem::AofArity { found },
                Ill::Name => Problem::AofUnknownCommand,
                Ill::Crashes => Problem::AofCrash,
            };
            let mut finding: Finding = finding(problem, fault.at, None);
            let name = &fault.name;
            finding.message = match (fault.ill, fault.known_to.is_empty()) {
                (Ill::Arity(argc), _) => format!("{name} does not take {argc} arguments"),
                (Ill::Runs(argc), _) => {
                    finding.severity = Severity::Warning;
                    format!(
                        "{name} does not take {argc} arguments, but {like} runs it all the same"
                    )
                }
                (Ill::Crashes, _) => format!("{like} crashes as it runs {name} from a log"),
                (Ill::Name, true) => format!("no server knows the command {name}"),
                (Ill::Name, false) => format!(
                    "{like} does not know the command {name}, but {} does",
                    fault.known_to.join(", ")
                ),
            };
            to.push(finding);
        }
    }

    /// True where only Valkey knows some command.
    pub(super) fn is_valkeys(&self) -> bool {
        let mut used = command::all().iter().zip(&self.commands);
        used.any(|(spec, uses)| {
            uses.count > 0
                && spec
                    .known_to()
                    .all(|line| line.name().starts_with("valkey"))
        })
    }
}

/// The server that wrote a snapshot, where it says so.
pub(super) fn writer(preamble: &CheckReport) -> Option<Like> {
    let writer = Writer::of(preamble.version, &preamble.aux)?;
    let family = writer.software.name().to_ascii_lowercase();
    let version = std::str::from_utf8(writer.version?).ok()?;
    format!("{family}-{version}").parse().ok()
}

/// The server that a log without a writer seems to be of: the last Redis that was asked, or the last
/// Valkey where only that knows a command.
pub(super) fn likely(valkey: bool) -> Like {
    Like::from(match valkey {
        true => command::ServerLine::Valkey91,
        false => command::ServerLine::Redis82,
    })
}

/// Whether a file is the last that a server loads: only that may end inside a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    Yes,
    No,
}

/// What a server with this fate needs to load the file, or why it does not.
pub(super) fn needs_of(fate: &Fate, needs: &mut Vec<String>) -> Option<String> {
    match fate {
        Fate::Loads => None,
        Fate::CutBack(at) => {
            needs.push(format!("{TRUNCATED} (cuts it back to {at:#x})"));
            None
        }
        Fate::StartsEmpty(why) | Fate::Refuses(None, why) => Some(why.clone()),
        Fate::Refuses(Some(at), why) => Some(format!("at {at:#x}: {why}")),
        Fate::Crashes(at, why) => Some(format!("it crashes at {at:#x}: {why}")),
    }
}

/// Whether a server reads a snapshot: as the newest of its family does that is not newer.
pub(in crate::task) fn reader(preamble: &CheckReport, like: Like) -> Option<&LoadsOn> {
    let name = Format::like(like).target.name;
    preamble.loads_on.iter().find(|own| own.server == name)
}

/// The settings, other than its defaults, that a server needs to load a snapshot that it can load.
pub(in crate::task) fn settings_for(preamble: &CheckReport, like: Like) -> Option<String> {
    let own = reader(preamble, like).filter(|own| own.ok)?;
    let settings = own.needs.iter().filter(|need| !need.starts_with("module "));
    let settings: Vec<&str> = settings.map(String::as_str).collect();
    (!settings.is_empty()).then(|| settings.join(", "))
}

fn fault(spec: &CommandSpec, second: Option<&[u8]>, uses: &Uses, like: Like) -> Vec<Fault> {
    let Some(first) = uses.first else {
        return Vec::new();
    };
    let resolved = match (second, spec.on(like)) {
        (Some(second), _) => spec.resolve(Some(second), like),
        (None, Some(own)) => Resolved::Known(spec.name(), own),
        (None, None) => Resolved::UnknownCommand,
    };
    let fault = |at: u64, name: &str, ill: Ill| Fault {
        at,
        name: name.to_owned(),
        ill,
        known_to: Vec::new(),
    };
    match resolved {
        Resolved::Known(name, signature) => {
            let wanted = u64::from(signature.arity.unsigned_abs());
            let few = uses.below(wanted);
            let many = uses.above(wanted).filter(|_| signature.arity >= 0);
            let crash = command::crashes_in_a_log(spec.name(), second, like);
            let crash = crash.and_then(|argc| uses.above(argc - 1));
            let few = few.map(|(argc, at)| fault(at, name, Ill::Arity(argc)));
            let many = many.map(|(argc, at)| match like.is_valkey() {
                true => fault(at, name, Ill::Arity(argc)),
                false => fault(at, name, Ill::Runs(argc)),
            });
            let crash = crash.map(|(_, at)| fault(at, name, Ill::Crashes));
            let mut faults: Vec<Fault> = [few, many, crash].into_iter().flatten().collect();
            faults.sort_by_key(|fault| fault.at);
            // One of each kind is told.
            faults.dedup_by_key(|fault| std::mem::discriminant(&fault.ill));
            faults
        }
        Resolved::UnknownCommand => vec![Fault {
            known_to: match second {
                None => spec.known_to().map(|line| line.name()).collect(),
                Some(_) => Vec::new(),
            },
            ..fault(first, spec.name(), Ill::Name)
        }],
        Resolved::UnknownSubcommand => {
            let second = crate::error::printable(second.unwrap_or_default());
            vec![fault(
                first,
                &format!("{}|{second}", spec.name()),
                Ill::Name,
            )]
        }
    }
}

impl Checked {
    /// The server that the log seems to be of.
    pub(super) fn likely(&self) -> Like {
        let writer = self.preamble.as_deref().and_then(writer);
        writer.unwrap_or_else(|| likely(self.walk.used.is_valkeys()))
    }

    /// What a server does with the file, as it is set up by default.
    pub(super) fn fate(&self, like: Like, last: Last) -> Fate {
        let preamble = self.preamble.as_ref();
        match preamble.and_then(|preamble| settings_for(preamble, like)) {
            Some(needs) => {
                let why = format!("the snapshot that it begins with needs {needs}");
                Fate::Refuses(Some(0), why)
            }
            None => self.fate_with_settings(like, last),
        }
    }

    /// What it does when it has the settings that the snapshot in front needs.
    pub(super) fn fate_with_settings(&self, like: Like, last: Last) -> Fate {
        let walk = &self.walk;
        if let Some(preamble) = &self.preamble {
            if preamble.verdict != Verdict::Loads {
                let text = "the snapshot that it begins with is damaged";
                return Fate::Refuses(Some(0), text.to_owned());
            }
            if let Some(server) = reader(preamble, like).filter(|server| !server.ok) {
                let why = server.why.clone().unwrap_or_default();
                let why = format!("the snapshot that it begins with: {why}");
                return Fate::Refuses(Some(0), why);
            }
        }
        // Annotations and lines of more than 127 bytes came with 7.0.
        let annotation = walk
            .first_annotation
            .map(|at| (at, "it does not know annotations"));
        let another = walk.another_to_old.map(|at| (at, LONG_LINE));
        let unread = [annotation, another].into_iter().flatten();
        let unread = unread.filter(|_| like.line() == command::ServerLine::Redis62);
        let unread = unread.min_by_key(|(at, _)| *at);
        let mut faults = walk.used.faults(like, &self.allowed).into_iter();
        let fault = faults.find(|fault| !matches!(fault.ill, Ill::Runs(_)));
        let crash = walk.stop.as_ref().and_then(Stop::crash);
        let before = |at: u64| crash.is_none_or(|crash| at < crash);
        let unread = unread.filter(|(at, _)| before(*at));
        let fault = fault.filter(|fault| before(fault.at));
        let refused = match (unread, fault) {
            (Some((at, why)), fault) if fault.as_ref().is_none_or(|fault| at < fault.at) => {
                Some(Fate::Refuses(Some(at), why.to_owned()))
            }
            (_, Some(Fault { at, name, ill, .. })) => Some(match ill {
                Ill::Name if like.is_newer_than_known() => {
                    Fate::Refuses(Some(at), format!("{name} is not known before it"))
                }
                Ill::Name => Fate::Refuses(Some(at), format!("unknown command {name}")),
                Ill::Arity(argc) | Ill::Runs(argc) => {
                    let why = format!("{name} with {argc} arguments");
                    match like.is_valkey() {
                        true => Fate::Refuses(Some(at), why),
                        false => Fate::Crashes(at, why),
                    }
                }
                Ill::Crashes => Fate::Crashes(at, format!("{name} in a log")),
            }),
            _ => None,
        };
        if let Some(refused) = refused {
            return refused;
        }
        // Others than Valkey 9.1 forget the snapshot in front until a command behind it is whole, and
        // cut off the snapshot as well; and they leave the beginning of a transaction in the file,
        // which they cut off when they start the next time.
        let careful = like.line() == command::ServerLine::Valkey91;
        let cut_back = |at: u64| match (last, careful) {
            (Last::No, _) => Fate::Refuses(
                Some(at),
                "it ends inside a command or transaction, and is not the last file".to_owned(),
            ),
            (Last::Yes, true) => Fate::CutBack(at.max(walk.start)),
            (Last::Yes, false) => Fate::CutBack(at),
        };
        match (&walk.stop, walk.multi) {
            (Some(Stop::Crash(at, why)), _) => Fate::Crashes(*at, why.clone()),
            (Some(Stop::Cut(at, _)), _)
                if walk.old_format && like.line() == command::ServerLine::Redis62 =>
            {
                Fate::Refuses(Some(*at), LONG_LINE.to_owned())
            }
            (Some(Stop::Format(at, why)), _) => Fate::Refuses(Some(*at), why.clone()),
            (Some(Stop::Cut(_, before)), _) if careful => cut_back(*before),
            (Some(Stop::Cut(at, _)), _) => cut_back(*at),
            (None, Some(_)) => cut_back(walk.well_before_multi),
            (None, None) => Fate::Loads,
        }
    }
}
