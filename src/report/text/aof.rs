//! The report of `check-aof` for people.

use crate::report::aof::{AofReport, Fate, FileReport};
use crate::report::finding::Severity;
use crate::report::info::Writer;
use crate::report::text::{
    self, Facts, Paint, bytes, checksum, counted, findings, format_words, grouped, loads_on,
    moment, offset, shown, verdict_with, writer,
};

/// The report of `check-aof`.
pub fn aof(report: &AofReport, paint: Paint) -> String {
    let mut out = format!("{}\n", paint.strong(&shown(&report.input)));
    if let Some(set) = &report.set {
        let mut facts = Facts::default();
        let files = counted(report.files.len() as u64, "file");
        facts.add(
            "format",
            format!("multi-part AOF, {files}, {}", bytes(report.size())),
        );
        match &set.manifest {
            Some(name) => facts.add("manifest", shown(name)),
            None => facts.add("manifest", "none".to_owned()),
        }
        if set.upgrade {
            facts.add("start", "a server moves the old file into the set first");
        }
        out.push_str(&facts.finish());
        out.push_str(&findings(&report.findings, paint));
    }
    for file in &report.files {
        if report.set.is_some() {
            let seq = file.seq.map(|seq| format!(" {seq}")).unwrap_or_default();
            let role = file.role.name();
            out.push_str(&format!(
                "\n{} ({role}{seq})\n",
                paint.strong(&shown(&file.name))
            ));
        }
        out.push_str(&about(file, report.compressed));
        out.push_str(&findings(&file.findings, paint));
    }
    if let Some(table) = loads_on(&report.loads_on) {
        out.push_str(&format!("\n{table}"));
    }
    out.push_str(&format!("\n{}\n", aof_verdict(report, paint)));
    out
}

fn about(file: &FileReport, compressed: Option<&'static str>) -> String {
    let mut facts = Facts::default();
    let snapshot_alone = file.log_start >= file.size;
    let mut format = match &file.preamble {
        Some(preamble) if snapshot_alone => format!("RDB {}", format_words(preamble.version)),
        Some(preamble) => format!("AOF behind {}", format_words(preamble.version)),
        None => "AOF".to_owned(),
    };
    if let Some(rest) = format.strip_prefix("RDB RDB") {
        format = format!("RDB{rest}");
    }
    format.push_str(&format!(", {}", bytes(file.size)));
    if let Some(codec) = compressed {
        format.push_str(&format!(", decompressed from {codec}"));
    }
    facts.add("format", format);
    if let Some(preamble) = &file.preamble {
        writer(&mut facts, Writer::of(preamble.version, &preamble.aux), &[]);
        let (keys, expires) = (counted(preamble.keys(), "key"), grouped(preamble.expires()));
        facts.add("snapshot", format!("{keys}, {expires} with an expiry"));
        facts.add("checksum", checksum(preamble.checksum));
        if !snapshot_alone {
            facts.add("log from", offset(file.log_start));
        }
    }
    let tally = &file.tally;
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
    if file.good_until < file.size {
        facts.add("good until", offset(file.good_until));
    }
    facts.finish()
}

/// Names of commands that a report shows.
const NAMES_SHOWN: usize = 8;

/// What is left of the report of `check-aof` when only what is wrong is asked for.
pub fn aof_briefly(report: &AofReport, least: Severity, paint: Paint) -> String {
    let mut out = format!("{}\n", paint.strong(&shown(&report.input)));
    let set = report.findings.list().iter().map(|finding| (finding, None));
    let files = report.files.iter().flat_map(|file| {
        let name = report.set.as_ref().map(|_| &file.name);
        file.findings.list().iter().map(move |f| (f, name))
    });
    for (finding, file) in set.chain(files) {
        if finding.severity >= least {
            match file {
                Some(name) => out.push_str(&text::finding_in(name, finding, paint)),
                None => out.push_str(&text::finding(finding, paint, "  ")),
            }
        }
    }
    out.push_str(&format!("  {}\n", aof_verdict(report, paint)));
    out
}

fn aof_verdict(report: &AofReport, paint: Paint) -> String {
    let mut out = verdict_with(report.verdict(), report.errors(), report.warnings(), paint);
    let file = report.at_file.and_then(|index| report.files.get(index));
    let log_start = file.map_or(0, |file| file.log_start);
    let place = match (&report.set, file) {
        (Some(_), Some(file)) => format!("{}:", shown(&file.name)),
        _ => String::new(),
    };
    let at = match &report.fate {
        Fate::Loads => String::new(),
        Fate::CutBack(at) if *at < log_start => format!(
            ", which cuts it back to {place}{} and loses the snapshot in front",
            offset(*at)
        ),
        Fate::CutBack(at) => format!(", which cuts it back to {place}{}", offset(*at)),
        Fate::StartsEmpty(why) => format!(", which starts empty: {why}"),
        Fate::Refuses(None, why) => format!(": {why}"),
        Fate::Refuses(Some(at), why) | Fate::Crashes(at, why) => {
            format!(", at {place}{}: {why}", offset(*at))
        }
    };
    out.push_str(&format!("; by {}{at}", report.like));
    out
}
