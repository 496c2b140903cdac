//! What must be so of a backup.

use crate::report::check::Verdict;
use crate::report::finding::Finding;
use crate::report::text::{counted, grouped, span};
use crate::report::verify::{AgeFrom, Assertion, Counts, How, Loaded, Start, StartReport, finding};
use crate::report::{Severity, text};
use crate::task::verify::{Judged, MaxAge, VerifyOptions};

/// Clocks of two machines differ; data from further ahead is of no known age.
const AHEAD: i64 = 3_600_000;

/// Puts to a report what was asked for, and whether it is so.
pub(super) fn hold(judged: &mut Judged, options: &VerifyOptions) {
    let is_mtime = |age: crate::report::verify::Age| age.from == AgeFrom::Modified;
    if options.max_age.is_some() && judged.report.age.is_some_and(is_mtime) {
        let file = judged.report.name.clone();
        judged.report.findings.push(from_mtime(file));
    }
    let restores = restores(&judged.report, options.strict);
    let sound = restores.is_none();
    let mut all = vec![assertion("restores", restores)];
    if !matches!(judged.report.loaded, Loaded::Nothing(_)) {
        for target in &options.targets {
            let name = format!("loads-on {}", target.name);
            all.push(assertion(
                name,
                loads_on(&judged.report, target.name, sound),
            ));
        }
    }
    if let Some(least) = options.min_keys {
        let keys = judged.report.keys();
        let failed = (keys < least).then(|| {
            let (keys, least) = (counted(keys, "key"), grouped(least));
            (
                How::Limit,
                format!("{keys}, and at least {least} are wanted"),
            )
        });
        all.push(assertion("min-keys", failed));
    }
    if let Some(limit) = options.max_age {
        let failed = too_old(&judged.report, limit);
        all.push(assertion("max-age", failed));
    }
    for (index, pattern) in options.require_keys.iter().enumerate() {
        let found = judged.required.get(index).copied().unwrap_or(false);
        let pattern = crate::error::printable(pattern);
        let failed = (!found).then(|| (How::Limit, format!("no key matches {pattern}")));
        all.push(assertion(format!("require-key {pattern}"), failed));
    }
    if options.expect_digest.is_some() {
        all.push(assertion("expect-digest", digest(judged, options)));
    }
    if let Some(baseline) = &options.baseline {
        // Which report it is held against, the caller has seen to.
        if let [(_, starts)] = &*baseline.reports {
            let counts = starts.get(judged.report.start.name());
            let failed = dropped(&judged.report, counts, options.max_drop);
            all.push(assertion("baseline", failed));
        }
    }
    judged.report.assertions = all;
}

/// One thing that must be so.
pub(super) fn assertion(name: impl Into<String>, failed: Option<(How, String)>) -> Assertion {
    Assertion {
        name: name.into(),
        failed,
    }
}

fn restores(report: &StartReport, strict: bool) -> Option<(How, String)> {
    let findings = report.all_findings();
    let first = |least: Severity| {
        let mut list = findings.list().iter();
        let one = list.find(|finding| finding.severity >= least)?;
        Some(format!("{}: {}", one.code, one.message))
    };
    let verdict = report.verdict();
    match verdict {
        Verdict::Loads => {}
        Verdict::Unknown => {
            let why = first(Severity::Error).unwrap_or_else(|| "it cannot be judged".to_owned());
            return Some((How::Unsupported, why));
        }
        verdict => {
            let own = match &report.loaded {
                Loaded::Nothing(why) => Some(why.clone()),
                Loaded::Log(check) => check.fate.why().map(str::to_owned),
                Loaded::Snapshot(_) => None,
            };
            let why = first(Severity::Error).or(own);
            let why = why.map_or(String::new(), |why| format!(": {why}"));
            return Some((How::Damage, format!("{}{why}", verdict.name())));
        }
    }
    // Servers pass over bytes behind a snapshot; of a backup they say that it is not what was written.
    let trailing = |finding: &&Finding| finding.code == "rdb-trailing-bytes";
    if let Some(finding) = findings.list().iter().find(trailing) {
        return Some((
            How::Damage,
            format!("{}: {}", finding.code, finding.message),
        ));
    }
    let least = match strict {
        true => Severity::Warning,
        false => Severity::Error,
    };
    first(least).map(|why| (How::Damage, why))
}

fn loads_on(report: &StartReport, server: &str, sound: bool) -> Option<(How, String)> {
    let own = report.loads_on().iter().find(|own| own.server == server);
    if own.is_some_and(|own| own.ok) {
        return None;
    }
    // What is damaged is no question of versions.
    let how = match (sound, report.verdict()) {
        (true, _) | (_, Verdict::Unknown) => How::Unsupported,
        (false, _) => How::Damage,
    };
    let why = own.and_then(|own| own.why.clone());
    Some((how, why.unwrap_or_else(|| "it cannot be judged".to_owned())))
}

fn too_old(report: &StartReport, limit: MaxAge) -> Option<(How, String)> {
    let Some(age) = report.age else {
        let why = "nothing in it tells when it was written";
        return Some((How::Limit, why.to_owned()));
    };
    let old = limit.now.saturating_sub(age.at);
    let written = text::moment(age.at);
    if old < -AHEAD {
        let why = format!("it says that it was written at {written}, which is to come");
        return Some((How::Limit, why));
    }
    (old > limit.most).then(|| {
        let (old, most) = (span(old), span(limit.most));
        (
            How::Limit,
            format!("it is {old} old, written at {written}; at most {most} are wanted"),
        )
    })
}

fn from_mtime(file: Option<String>) -> Finding {
    let message = "nothing in it tells when it was written; its time of modification was taken";
    Finding {
        file,
        ..finding(
            "age-from-mtime",
            Severity::Warning,
            message.to_owned(),
            None,
        )
    }
}

fn digest(judged: &Judged, options: &VerifyOptions) -> Option<(How, String)> {
    let expected = options.expect_digest?.to_string();
    if judged.unplayable > 0 {
        let why = format!(
            "{} cannot be played here, so the digest is not the server's",
            counted(judged.unplayable, "command")
        );
        return Some((How::Unsupported, why));
    }
    let report = &judged.report;
    let found = match options.full_digest {
        true => report.full_digest.clone(),
        false => match &report.digest {
            Some((_, true)) => {
                let why = "values of modules are in it that only they can sum".to_owned();
                return Some((How::Unsupported, why));
            }
            other => other.as_ref().map(|(hex, _)| hex.clone()),
        },
    };
    match found {
        Some(found) if found == expected => None,
        Some(found) => Some((How::Limit, format!("the digest is {found}, not {expected}"))),
        None => Some((How::Limit, "there is no keyspace to sum".to_owned())),
    }
}

/// Databases and types that have lost more than they may.
fn dropped(report: &StartReport, counts: Option<&Counts>, max_drop: f64) -> Option<(How, String)> {
    let Some(counts) = counts else {
        let start = report.start.name();
        let why = format!("the baseline has no counts of the start {start}");
        return Some((How::Limit, why));
    };
    let mut lost = Vec::new();
    let mut hold = |what: String, old: u64, new: u64| {
        // Exact up to 2^53 keys.
        #[allow(clippy::cast_precision_loss)]
        let share = old.saturating_sub(new) as f64 * 100.0 / old.max(1) as f64;
        if share > max_drop {
            let (old, new) = (grouped(old), grouped(new));
            lost.push(format!("{what} {old} -> {new} (-{share:.1}%)"));
        }
    };
    let now = |db: u32, of: &str| {
        let own = report.dbs.get(&db)?;
        let mut types = own.types.iter();
        types
            .find(|(data_type, _)| data_type.name() == of)
            .map(|(_, keys)| *keys)
    };
    hold("keys".to_owned(), counts.values().sum(), report.keys());
    for ((db, of), old) in counts {
        let shown = text::shown(of);
        hold(format!("db {db} {shown}"), *old, now(*db, of).unwrap_or(0));
    }
    let listed = lost.len().min(LISTED);
    let more = lost.len() - listed;
    let mut why = lost.get(..listed).unwrap_or_default().join(", ");
    if more > 0 {
        why.push_str(&format!(", and {more} more"));
    }
    (!lost.is_empty()).then_some((How::Limit, why))
}

/// Losses that are told one by one.
const LISTED: usize = 10;

/// The report of a start on which a server has nothing to load; `lost` says what lies there and is
/// not loaded.
pub(super) fn nothing(
    start: Start,
    like: String,
    why: String,
    lost: Finding,
    options: &VerifyOptions,
) -> StartReport {
    let mut judged = Judged::new("", like, Loaded::Nothing(why));
    judged.report.name = None;
    judged.report.start = start;
    judged.report.findings.push(lost);
    hold(&mut judged, options);
    judged.report
}
