//! The report of `info` about a log or a set, for people.

use crate::report::InfoReport;
use crate::report::log_info::{LogFileInfo, LogInfo, Times};
use crate::report::text::{Facts, Paint, bytes, counted, findings, format_words, moment, shown};

/// The report of `info` about a log or a set.
pub fn log_info(report: &LogInfo, paint: Paint) -> String {
    let mut out = format!("{}\n", paint.strong(&shown(&report.input)));
    let mut facts = Facts::default();
    let size = report.size().map(bytes);
    let Some(set) = &report.set else {
        let mut format = "AOF".to_owned();
        if let Some(size) = size {
            format.push_str(&format!(", {size}"));
        }
        if let Some(codec) = report.compressed {
            format.push_str(&format!(" of {codec}"));
        }
        facts.add("format", format);
        if let Some(modified) = report.modified {
            facts.add("modified", moment(modified));
        }
        times(&mut facts, report.times());
        out.push_str(&facts.finish());
        out.push_str(&findings(&report.findings, paint));
        return out;
    };
    let mut format = format!(
        "multi-part AOF, {}",
        counted(report.files.len() as u64, "file")
    );
    if let Some(size) = size {
        format.push_str(&format!(", {size}"));
    }
    facts.add("format", format);
    let manifest = set.manifest.as_deref().map_or("none".to_owned(), shown);
    facts.add("manifest", manifest);
    if set.upgrade {
        facts.add("start", "a server moves the old file into the set first");
    }
    times(&mut facts, report.times());
    out.push_str(&facts.finish());
    for file in &report.files {
        let seq = file.seq.map(|seq| format!(" {seq}")).unwrap_or_default();
        let (name, role) = (paint.strong(&shown(&file.name)), file.role.name());
        out.push_str(&format!("\n{name} ({role}{seq})\n{}", about(file)));
    }
    out.push_str(&findings(&report.findings, paint));
    out
}

fn about(file: &LogFileInfo) -> String {
    let mut facts = Facts::default();
    let snapshot = file.snapshot.as_deref();
    let mut format = match snapshot {
        Some(snapshot) if snapshot.behind.is_some() => {
            format!("AOF behind {}", format_words(snapshot.version))
        }
        Some(snapshot) => format_words(snapshot.version),
        None => "AOF".to_owned(),
    };
    match file.size {
        Some(size) => format.push_str(&format!(", {}", bytes(size))),
        None => "missing".clone_into(&mut format),
    }
    facts.add("format", format);
    if let Some(snapshot) = snapshot {
        super::writer(&mut facts, InfoReport::writer(snapshot), &[]);
    }
    times(&mut facts, file.times);
    facts.finish()
}

/// The first and the last time, as far as they are known.
pub(super) fn times(facts: &mut Facts, times: Times) {
    let words = |seconds: u64| match i64::try_from(seconds)
        .ok()
        .and_then(|seconds| seconds.checked_mul(1000))
    {
        Some(ms) => moment(ms),
        None => seconds.to_string(),
    };
    let text = match (times.first, times.last) {
        (Some(first), Some(last)) => format!("{} to {}", words(first), words(last)),
        (Some(first), None) => format!("from {}", words(first)),
        (None, Some(last)) => format!("to {}", words(last)),
        (None, None) => return,
    };
    facts.add("time", text);
}
