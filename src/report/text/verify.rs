//! The report of `verify` for people.

use crate::report::text::{
    Facts, Paint, bytes, counted, findings, format_words, grouped, loads_on, moment, shown,
    verdict_with,
};
use crate::report::verify::{Age, AgeFrom, Assertion, Loaded, Start, StartReport, VerifyReport};

/// The report of `verify`.
pub fn verify(report: &VerifyReport, paint: Paint) -> String {
    let mut out = format!("{}\n", paint.strong(&shown(&report.input)));
    let mut facts = Facts::default();
    if report.archived {
        facts.add("from", "a tar archive");
    }
    if let Some(codec) = report.compressed {
        facts.add("compressed", codec);
    }
    for holding in &report.holdings {
        let age = holding.age.map_or("of no known age".to_owned(), |age| {
            format!("of {}", self::age(age))
        });
        let used = match holding.used {
            true => "",
            false => "; no start that was judged loads it",
        };
        facts.add("holds", format!("{}, {age}{used}", shown(&holding.name)));
    }
    if let Some(loss) = &report.loss {
        let (log, snapshot) = (shown(&loss.log), shown(&loss.snapshot));
        facts.add(
            "only in",
            format!("{log}: {}", counted(loss.only_in_log, "key")),
        );
        facts.add(
            "only in",
            format!("{snapshot}: {}", counted(loss.only_in_snapshot, "key")),
        );
        facts.add(
            "in both",
            format!(
                "{} with another value or expiry",
                counted(loss.changed, "key")
            ),
        );
    }
    if !facts.0.is_empty() {
        out.push_str(&facts.finish());
    }
    out.push_str(&findings(&report.findings, paint));
    out.push_str(&assertions(&report.assertions, paint));
    for start in &report.starts {
        out.push_str(&self::start(start, paint));
    }
    out.push_str(&format!("\n{}\n", verdict(report, paint)));
    out
}

fn start(start: &StartReport, paint: Paint) -> String {
    let mut out = String::new();
    let setting = match start.start {
        Start::Input => None,
        Start::AofOn => Some("appendonly yes"),
        Start::AofOff => Some("appendonly no"),
    };
    if let Some(setting) = setting {
        let words = format!("{} with {setting}", start.like);
        out.push_str(&format!("\nstart of {}\n", paint.strong(&words)));
    }
    let mut facts = Facts::default();
    match (&start.loaded, setting, &start.name) {
        (Loaded::Nothing(why), Some(_), None) => facts.add("loads", format!("nothing: {why}")),
        (_, Some(_), Some(name)) => facts.add("loads", shown(name)),
        _ => facts.add("like", start.like.clone()),
    }
    match &start.loaded {
        Loaded::Snapshot(check) => {
            facts.add(
                "format",
                format!("{}, {}", format_words(check.version), bytes(check.size)),
            );
        }
        Loaded::Log(check) => {
            let commands = counted(check.tally().commands, "command");
            facts.add("log", format!("{commands}, {}", bytes(check.size())));
        }
        Loaded::Nothing(_) => {}
    }
    facts.add(
        "keyspace",
        format!(
            "{}, {} with an expiry",
            counted(start.keys(), "key"),
            grouped(start.expires())
        ),
    );
    for (db, counts) in &start.dbs {
        let types: Vec<_> = counts
            .types
            .iter()
            .map(|(of, keys)| format!("{} {}", of.name(), grouped(*keys)))
            .collect();
        facts.add(&format!("db {db}"), types.join(", "));
    }
    if let Some(age) = start.age {
        facts.add("written", self::age(age));
    }
    if let Some((digest, partial)) = &start.digest {
        let partial = if *partial { " (partial)" } else { "" };
        facts.add("digest", format!("{digest}{partial}"));
    }
    if let Some(digest) = &start.full_digest {
        facts.add("full digest", digest.clone());
    }
    out.push_str(&facts.finish());
    out.push_str(&findings(&start.all_findings(), paint));
    if let Some(table) = loads_on(start.loads_on()) {
        out.push_str(&format!("\n{table}"));
    }
    out.push_str(&assertions(&start.assertions, paint));
    out
}

fn assertions(assertions: &[Assertion], paint: Paint) -> String {
    let mut out = String::new();
    if !assertions.is_empty() {
        out.push('\n');
    }
    for one in assertions {
        let name = shown(&one.name);
        match &one.failed {
            None => out.push_str(&format!("  {}    {name}\n", paint.good("ok"))),
            Some((_, why)) => {
                let failed = paint.bad("fails");
                out.push_str(&format!("  {failed} {name}: {}\n", shown(why)));
            }
        }
    }
    out
}

fn age(age: Age) -> String {
    let at = moment(age.at);
    let from = match age.from {
        AgeFrom::Ctime => "as it says itself",
        AgeFrom::Annotation => "by its last annotation",
        AgeFrom::Modified => "by its time of modification",
    };
    format!("{at}, {from}")
}

fn verdict(report: &VerifyReport, paint: Paint) -> String {
    let found = report.all_findings();
    let verdict = verdict_with(report.verdict(), found.errors(), found.warnings(), paint);
    let all = report.assertions().count();
    let failed = report.assertions().filter(|(_, one)| one.failed.is_some());
    match failed.count() {
        0 => format!("{verdict}; {all} of {all} assertions hold"),
        failed => format!("{verdict}; {failed} of {all} assertions fail"),
    }
}
