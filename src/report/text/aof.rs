//! The report of `check-aof` for people.

use crate::report::aof::{AofReport, Fate};
use crate::report::finding::Severity;
use crate::report::info::Writer;
use crate::report::text::{
    self, Facts, Paint, bytes, checksum, counted, findings, format_words, grouped, loads_on,
    moment, offset, shown, verdict_of, writer,
};

/// The report of `check-aof`.
pub fn aof(report: &AofReport, paint: Paint) -> String {
    let mut out = format!("{}\n", paint.strong(&shown(&report.input)));
    let mut facts = Facts::default();
    let mut format = match &report.preamble {
        Some(preamble) => format!("AOF behind {}", format_words(preamble.version)),
        None => "AOF".to_owned(),
    };
    format.push_str(&format!(", {}", bytes(report.size)));
    if let Some(codec) = report.compressed {
        format.push_str(&format!(", decompressed from {codec}"));
    }
    facts.add("format", format);
    if let Some(preamble) = &report.preamble {
        writer(&mut facts, Writer::of(preamble.version, &preamble.aux), &[]);
        let (keys, expires) = (counted(preamble.keys(), "key"), grouped(preamble.expires()));
        facts.add("snapshot", format!("{keys}, {expires} with an expiry"));
        facts.add("checksum", checksum(preamble.checksum));
        facts.add("log from", offset(report.log_start));
    }
    let tally = &report.tally;
    let mut names: Vec<_> = tally.names.iter().collect();
    names.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), name.as_str()));
    let mut commands = grouped(tally.commands);
    for (i, (name, count)) in names.iter().take(NAMES_SHOWN).enumerate() {
        let mark = if i == 0 { ": " } else { ", " };
        commands.push_str(&format!("{mark}{} {}", shown(name), grouped(**count)));
    }
    if names.len() > NAMES_SHOWN {
        let more = counted((names.len() - NAMES_SHOWN) as u64, "other");
        commands.push_str(&format!(" and {more}"));
    }
    facts.add("commands", commands);
    facts.add_count("transactions", tally.transactions);
    if let Some((first, last)) = tally.times {
        let time = |seconds: u64| match i64::try_from(seconds)
            .ok()
            .and_then(|s| s.checked_mul(1000))
        {
            Some(ms) => moment(ms),
            None => seconds.to_string(),
        };
        facts.add("time", format!("{} to {}", time(first), time(last)));
    }
    if tally.damages > 0 {
        let places = counted(tally.damages, "place");
        let behind = counted(tally.behind_damage, "whole command");
        let size = counted(tally.damaged_bytes, "byte");
        facts.add(
            "damage",
            format!("{places}, {size}, {behind} behind the first"),
        );
    }
    if report.good_until < report.size {
        facts.add("good until", offset(report.good_until));
    }
    out.push_str(&facts.finish());
    out.push_str(&findings(&report.findings, paint));
    if let Some(table) = loads_on(&report.loads_on) {
        out.push_str(&format!("\n{table}"));
    }
    out.push_str(&format!("\n{}\n", aof_verdict(report, paint)));
    out
}

/// Names of commands that a report shows.
const NAMES_SHOWN: usize = 8;

/// What is left of the report of `check-aof` when only what is wrong is asked for.
pub fn aof_briefly(report: &AofReport, least: Severity, paint: Paint) -> String {
    let mut out = format!("{}\n", paint.strong(&shown(&report.input)));
    for finding in report.findings.list() {
        if finding.severity >= least {
            out.push_str(&text::finding(finding, paint, "  "));
        }
    }
    out.push_str(&format!("  {}\n", aof_verdict(report, paint)));
    out
}

fn aof_verdict(report: &AofReport, paint: Paint) -> String {
    let mut out = verdict_of(report.verdict(), &report.findings, paint);
    let at = match &report.fate {
        Fate::Loads => String::new(),
        Fate::CutBack(at) if *at < report.log_start => format!(
            ", which cuts it back to {} and loses the snapshot in front",
            offset(*at)
        ),
        Fate::CutBack(at) => format!(", which cuts it back to {}", offset(*at)),
        Fate::Refuses(at, why) | Fate::Crashes(at, why) => {
            format!(", at {}: {why}", offset(*at))
        }
    };
    out.push_str(&format!("; by {}{at}", report.like));
    out
}
