//! What goes and what stays: the places are found first, then all commands are counted.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::aof::log::Event;
use crate::aof::manifest::{Manifest, Role};
use crate::aof::resp::Command;
use crate::aof::set::Start;
use crate::command::{self, key_positions};
use crate::error::{Error, Hint, Result, printable};
use crate::record::Flow;
use crate::record::glob::Glob;
use crate::report::aof::FileRole;
use crate::report::cut::{CutPlace, CutReport, FileCut, Split};
use crate::report::finding::Severity;
use crate::task::cut::place::{Around, place};
use crate::task::cut::walk::{Bracket, Item, Walk, bracket};
use crate::task::cut::{Cut, Cutting, Match, refused};
use crate::task::mend::{FilePlan, Plan, Removed, SetPlan};
use crate::task::place::FileOffset;
use crate::task::{InputPath, Run};

/// Names that no server knows are counted apart up to so many.
const NAMES_LISTED: usize = 1000;
/// Arguments among which keys are looked for: servers take about a million from a client.
const MOST_ARGUMENTS: usize = 1 << 22;

pub(super) fn plan(input: &InputPath, cut: &Cut, run: &Run<'_>) -> Result<Cutting> {
    let walk = Walk::of(input, run)?;
    fit(&walk)?;
    run.progress.size(Some(walk.files.size()));
    let place = place(&walk, cut, run)?;
    let picks = match cut {
        Cut::Drop(offsets) => Picks::at(offsets, &walk, run)?,
        Cut::DropMatch(matches) => Picks::matching(matches)?,
        _ => Picks::from(place.as_ref()),
    };
    let mut tally = Tally::new(&walk, why(cut), run.max_memory);
    walk.each(run, |item| tally.item(&walk, &picks, item))?;
    if let Some((file, place)) = &place {
        tally.cut(&walk, *file, place.at);
    }
    if tally.goes.iter().all(Vec::is_empty) {
        return Err(
            refused("no command of the log matches: nothing would go".to_owned()).with_hint(
                Hint::Other("`redkit log` with --cmd and --key lists what matches"),
            ),
        );
    }
    let last = place.as_ref().map(|(file, _)| *file);
    let plan = tally.plan(&walk, last)?;
    let report = tally.report(&walk, place.map(|(_, place)| place), last);
    let is_plain = walk.about.iter().all(|about| about.is_plain);
    let content = walk.files.into_only().filter(|_| !is_plain);
    Ok(Cutting {
        report,
        plan,
        content,
    })
}

/// Ends where a cut makes no sense.
fn fit(walk: &Walk) -> Result<()> {
    let problems = walk.files.problems();
    let mut errors = problems.list().iter();
    if let Some(finding) = errors.find(|finding| finding.severity == Severity::Error) {
        return Err(
            refused(format!("the set is not whole: {}", finding.message))
                .with_hint(Hint::Other("`redkit check-aof` lists all that is wrong")),
        );
    }
    if let Some((_, found)) = walk.files.set()
        && found.start == Start::Upgrade
    {
        return Err(refused(
            "the log lies beside the folder, from where a server would move it: give that file"
                .to_owned(),
        ));
    }
    Ok(())
}

/// The word for it in what keeps removed bytes.
fn why(cut: &Cut) -> &'static str {
    match cut {
        Cut::BeforeOffset(_) | Cut::BeforeName { .. } => "cut-before",
        Cut::At(_) => "cut-at",
        Cut::Drop(_) => "cut-drop",
        Cut::DropMatch(_) => "cut-drop-match",
    }
}

/// Which commands go.
enum Picks {
    /// Everything from a place on.
    From(usize, u64),
    /// Those that begin at these places.
    At(HashSet<(usize, u64)>),
    /// Those that one of these takes.
    Matching(Vec<Matcher>),
}

/// What becomes of a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays,
    Goes,
    /// It goes by one of its keys, and has others.
    GoesWithOthers,
}

struct Matcher {
    name: String,
    key: Option<Glob>,
}

impl Picks {
    fn from(place: Option<&(usize, CutPlace)>) -> Picks {
        match place {
            Some((file, place)) => Picks::From(*file, place.at),
            None => Picks::Matching(Vec::new()),
        }
    }

    fn at(offsets: &[FileOffset], walk: &Walk, run: &Run<'_>) -> Result<Picks> {
        let named = walk.named();
        let mut wanted = HashMap::new();
        for offset in offsets {
            wanted.insert((offset.index(&named)?, offset.at), offset);
        }
        let mut places = HashSet::new();
        walk.each(run, |item| {
            let place = (item.file, item.at);
            let Some(offset) = wanted.get(&place) else {
                return Ok(Flow::Continue);
            };
            let Event::Command(command) = item.event else {
                return Ok(Flow::Continue);
            };
            may_go(command, offset)?;
            places.insert(place);
            Ok(match places.len() == wanted.len() {
                true => Flow::Stop,
                false => Flow::Continue,
            })
        })?;
        let mut missing: Vec<_> = wanted
            .iter()
            .filter(|(place, _)| !places.contains(place))
            .collect();
        missing.sort_by_key(|(place, _)| **place);
        let Some(((file, at), offset)) = missing.first() else {
            return Ok(Picks::At(places));
        };
        let mut around = Around::default();
        walk.each(run, |item| {
            let is_command = matches!(item.event, Event::Command(_));
            Ok(match item.file.cmp(file) {
                std::cmp::Ordering::Equal if is_command => around.passes(item.at, *at),
                std::cmp::Ordering::Greater => Flow::Stop,
                _ => Flow::Continue,
            })
        })?;
        Err(around.nothing_at(offset))
    }

    fn matching(matches: &[Match]) -> Result<Picks> {
        let mut matchers = Vec::new();
        for one in matches {
            let is = |name: &str| one.name.eq_ignore_ascii_case(name);
            if is("select") {
                return Err(refused(SELECT_STAYS.to_owned()));
            }
            if is("multi") || is("exec") {
                return Err(refused(BRACKET_STAYS.to_owned()));
            }
            if is("*") && one.key.is_none() {
                return Err(refused(
                    "every command would go: `*` needs a pattern for the keys, as in *:session:*"
                        .to_owned(),
                ));
            }
            matchers.push(Matcher {
                name: one.name.clone(),
                key: one.key.as_ref().map(|key| Glob::new(key)),
            });
        }
        Ok(Picks::Matching(matchers))
    }

    fn fate<'d>(&self, item: &Item<'_, 'd>, command: &Command<'d>, keys: &mut Keys) -> Fate {
        match self {
            Picks::From(file, at) if (item.file, item.at) >= (*file, *at) => Fate::Goes,
            Picks::From(..) => Fate::Stays,
            Picks::At(places) if places.contains(&(item.file, item.at)) => Fate::Goes,
            Picks::At(_) => Fate::Stays,
            Picks::Matching(matchers) => {
                let named = |matcher: &&Matcher| matcher.name == "*" || command.is(&matcher.name);
                let fates = matchers
                    .iter()
                    .filter(named)
                    .map(|matcher| match &matcher.key {
                        None => Fate::Goes,
                        Some(key) => keys.fate(command, key),
                    });
                let mut fates = fates.filter(|fate| *fate != Fate::Stays);
                fates.next().unwrap_or(Fate::Stays)
            }
        }
    }

    /// Ends where more arguments would have to be held than anybody can have meant.
    fn check(&self, item: &Item<'_, '_>, command: &Command<'_>) -> Result<()> {
        match self {
            Picks::Matching(_) if command.argc() > MOST_ARGUMENTS => Err(Error::limit(format!(
                "the command at {} has {} arguments: too many to look for keys in",
                item.at,
                command.argc()
            ))),
            _ => Ok(()),
        }
    }
}

/// A name for people, be it ever so long.
pub(super) fn short(name: &[u8]) -> String {
    match name.get(..LONGEST_NAME) {
        Some(front) if front.len() < name.len() => printable(front) + "\u{2026}",
        _ => printable(name),
    }
}

/// Bytes of a command's name that are shown.
const LONGEST_NAME: usize = 60;

/// Room for the positions of keys.
#[derive(Default)]
struct Keys {
    at: Vec<usize>,
}

impl Keys {
    fn fate(&mut self, command: &Command<'_>, key: &Glob) -> Fate {
        let args: Vec<&[u8]> = command.args().collect();
        key_positions(&args, &mut self.at);
        let keys = self.at.iter().filter_map(|at| args.get(*at));
        let matching = keys.filter(|own| key.matches(own)).count();
        match matching {
            0 => Fate::Stays,
            all if all == self.at.len() => Fate::Goes,
            _ => Fate::GoesWithOthers,
        }
    }
}

/// What cannot go by itself.
fn may_go(command: &Command<'_>, offset: &FileOffset) -> Result<()> {
    let why = match bracket(command) {
        Some(Bracket::Multi | Bracket::Exec) => BRACKET_STAYS,
        None if command.is("select") => SELECT_STAYS,
        None => return Ok(()),
    };
    let name = printable(command.name());
    Err(refused(format!("at {} stands {name}: {why}", offset.at)))
}

const SELECT_STAYS: &str =
    "a SELECT cannot be dropped: what follows it would run in another database";
const BRACKET_STAYS: &str =
    "MULTI and EXEC cannot be dropped: drop the commands between them, or cut before the MULTI";

/// Counts what goes and what stays.
struct Tally {
    why: &'static str,
    most: u64,
    /// By the index of the command.
    known: Vec<Split>,
    unknown: BTreeMap<String, Split>,
    /// Ranges of single commands, file by file.
    goes: Vec<Vec<Removed>>,
    ranges: u64,
    keys: Keys,
    report: CutReport,
}

impl Tally {
    fn new(walk: &Walk, why: &'static str, most: u64) -> Tally {
        Tally {
            why,
            most,
            known: vec![Split::default(); command::all().len()],
            unknown: BTreeMap::new(),
            goes: walk.about.iter().map(|_| Vec::new()).collect(),
            ranges: 0,
            keys: Keys::default(),
            report: CutReport {
                findings: walk.damage.clone(),
                ..CutReport::default()
            },
        }
    }

    fn item(&mut self, walk: &Walk, picks: &Picks, item: &Item<'_, '_>) -> Result<Flow> {
        let command = match item.event {
            Event::Command(command) => command,
            Event::Annotation(_) => return Ok(Flow::Continue),
            Event::Damage(damage) => {
                let goes =
                    matches!(picks, Picks::From(file, at) if (item.file, item.at) >= (*file, *at));
                if !goes {
                    let finding = walk.finding(item, damage);
                    self.report.findings.push(finding);
                }
                return Ok(Flow::Continue);
            }
        };
        picks.check(item, command)?;
        let kind = bracket(command);
        // What holds others together stays, whatever its keys.
        let is_frame = kind.is_some() || command.is("select");
        let fate = match picks {
            Picks::Matching(_) if is_frame => Fate::Stays,
            _ => picks.fate(item, command, &mut self.keys),
        };
        let goes = fate != Fate::Stays;
        self.count(command, goes);
        if kind == Some(Bracket::Multi) && item.multi.is_none() {
            self.report.transactions.add(goes, 1);
        }
        if goes && !matches!(picks, Picks::From(..)) {
            self.report.out_of_transactions += u64::from(item.multi.is_some());
            self.report.with_other_keys += u64::from(fate == Fate::GoesWithOthers);
            self.remove(item)?;
        }
        Ok(Flow::Continue)
    }

    #[inline]
    fn count(&mut self, command: &Command<'_>, goes: bool) {
        self.report.commands.add(goes, 1);
        let known = command::lookup(command.name());
        if let Some(split) = known.and_then(|spec| self.known.get_mut(spec.index())) {
            split.add(goes, 1);
            return;
        }
        let mut name = short(command.name());
        if self.unknown.len() >= NAMES_LISTED && !self.unknown.contains_key(&name) {
            name = "(others)".to_owned();
        }
        self.unknown.entry(name).or_default().add(goes, 1);
    }

    fn remove(&mut self, item: &Item<'_, '_>) -> Result<()> {
        let Some(ranges) = self.goes.get_mut(item.file) else {
            return Ok(());
        };
        match ranges.last_mut() {
            Some(last) if last.end == item.at => last.end = item.end,
            _ => {
                ranges.push(Removed {
                    start: item.at,
                    end: item.end,
                    why: self.why,
                });
                self.ranges += 1;
            }
        }
        // Room grows by doubling.
        let room = self.ranges.saturating_mul(2 * size_of::<Removed>() as u64);
        if room > self.most {
            return Err(Error::limit(
                "what goes lies in more places than there is memory for: see --max-memory",
            ));
        }
        Ok(())
    }

    /// Everything from a place on goes.
    fn cut(&mut self, walk: &Walk, file: usize, at: u64) {
        for (index, (about, goes)) in walk.about.iter().zip(&mut self.goes).enumerate() {
            let start = match index.cmp(&file) {
                std::cmp::Ordering::Less => continue,
                std::cmp::Ordering::Equal => at,
                std::cmp::Ordering::Greater => 0,
            };
            if start < about.size {
                goes.push(Removed {
                    start,
                    end: about.size,
                    why: self.why,
                });
            }
        }
    }

    /// `last` is the last file that stays.
    fn plan(&self, walk: &Walk, last: Option<usize>) -> Result<Plan> {
        let stay = last.map_or(walk.about.len(), |last| last + 1);
        let mut files = Vec::new();
        for (about, goes) in walk.about.iter().zip(&self.goes).take(stay) {
            let mut plan = about.plan.clone();
            plan.removed.clone_from(goes);
            files.push(plan);
        }
        let Some((set, _)) = walk.files.set() else {
            let file = files.into_iter().next();
            return Ok(Plan::File(file.unwrap_or_else(|| FilePlan::new("", 0))));
        };
        let (Some((name, bytes)), Some((_, manifest))) =
            (&set.listing.manifest, set.any_manifest())
        else {
            return Err(refused("the set has no manifest".to_owned()));
        };
        Ok(Plan::Set(SetPlan {
            folder: set.listing.folder.clone(),
            manifest_name: name.clone(),
            old_manifest: Some(bytes.clone()),
            manifest: first_files(manifest, stay)?,
            rebuilt: false,
            files,
        }))
    }

    fn report(mut self, walk: &Walk, place: Option<CutPlace>, last: Option<usize>) -> CutReport {
        let set = walk.files.set();
        let mut report = std::mem::take(&mut self.report);
        report.input = match set {
            Some((set, _)) => set.listing.folder.display().to_string(),
            None => walk.files.name(0),
        };
        report.is_set = set.is_some();
        report.place = place;
        for (index, (about, goes)) in walk.about.iter().zip(&self.goes).enumerate() {
            let removed = goes.iter().map(|range| range.end - range.start).sum();
            let file = walk.files.set_file(index);
            let role = match file.map(|file| file.role) {
                None => FileRole::Log,
                Some(Role::Base) => FileRole::Base,
                Some(_) => FileRole::Incremental,
            };
            report.files.push(FileCut {
                name: about.name.clone(),
                role,
                seq: file.map(|file| file.seq),
                format: about.format.clone(),
                bytes: Split {
                    kept: about.size - removed,
                    removed,
                },
                left_out: last.is_some_and(|last| index > last),
            });
        }
        report.names = self.unknown;
        for (spec, split) in command::all().iter().zip(&self.known) {
            if *split != Split::default() {
                report.names.insert(spec.name().to_owned(), *split);
            }
        }
        report
    }
}

/// A manifest of its first files in load order.
fn first_files(manifest: &Manifest, stay: usize) -> Result<Manifest> {
    let go: HashSet<(Role, i64)> = manifest
        .in_load_order()
        .skip(stay)
        .map(|entry| (entry.role, entry.seq))
        .collect();
    let (mut entries, comments) = manifest.clone().into_entries();
    entries.retain(|entry| !go.contains(&(entry.role, entry.seq)));
    let manifest = Manifest::from_entries(entries, comments);
    manifest.map_err(|(_, problem)| refused(format!("the manifest cannot be written: {problem:?}")))
}
