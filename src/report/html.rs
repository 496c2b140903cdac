//! The reports of `stats` as one page that needs nothing else: no script, no font, no network.
//!
//! Names of keys are anybody's: they come in only by `escaped`, and the page forbids scripts and
//! everything from elsewhere.

mod tables;
mod treemap;

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::bytes::time;
use crate::record::DataType;
use crate::report::finding::Findings;
use crate::report::stats::{Bucket, Of, Prefix, Stats, StatsReport};
use crate::report::text::{counted, grouped, key_name, shown, size_words, ttl_words};
use treemap::Node;

const STYLE: &str = include_str!("html/style.css");
/// Prefixes that the map shows at each place; the others are put together.
const PARTS: usize = 40;

/// The page.
pub fn stats(reports: &[StatsReport]) -> String {
    let title = match reports {
        [one] => shown(&one.input),
        many => counted(many.len() as u64, "input"),
    };
    let title = escaped(&title);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"generator\" content=\"redkit {}\">\
         <title>{title} - redkit stats</title>\n<style>\n{STYLE}</style></head>\n<body><main>\n",
        env!("CARGO_PKG_VERSION")
    );
    for report in reports {
        one(report, &mut out);
    }
    out.push_str("</main></body></html>\n");
    out
}

/// Text between tags or in an attribute.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn one(report: &StatsReport, out: &mut String) {
    let stats = &report.stats;
    let total = &stats.total;
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "<h1>{}</h1>\n<p class=\"soft\">",
        escaped(&shown(&report.input))
    );
    let what = match &report.of {
        Of::Snapshot(Some(version), _) => {
            let magic = version.magic();
            format!("Snapshot, {}", String::from_utf8_lossy(&magic))
        }
        Of::Snapshot(None, _) => "Snapshot of no known version".to_owned(),
        Of::Log(log) => {
            let kind = if log.check.set.is_some() {
                "Multi-part AOF"
            } else {
                "AOF"
            };
            format!("{kind}, replayed as {}", log.check.like)
        }
    };
    out.push_str(&escaped(&what));
    out.push_str("</p>\n");
    if !report.complete {
        incomplete(&report.findings, out);
    }
    out.push_str("<div class=\"cards\">");
    card(&grouped(total.keys), "keys", out);
    let dbs = stats.dbs.len() as u64;
    card(
        &grouped(dbs),
        if dbs == 1 { "database" } else { "databases" },
        out,
    );
    card(&grouped(total.expires), "keys with an expiry", out);
    card(&grouped(total.elements), "elements", out);
    card(&size(total.bytes), "in records of keys", out);
    card(&size(report.size()), "in files", out);
    if let Some(log) = report.log() {
        let saved = share(log.rewrite.saved(), log.rewrite.now);
        card(&saved, "saved by a rewrite", out);
    }
    out.push_str("</div>\n");
    if total.bytes > 0 {
        map(stats, out);
    }
    histograms(stats, out);
    tables::tables(stats, out);
    if let Some(log) = report.log() {
        tables::of_log(log, out);
    }
}

fn card(figure: &str, of: &str, out: &mut String) {
    let (figure, of) = (escaped(figure), escaped(of));
    let _ = write!(
        out,
        "<div class=\"card\"><b>{figure}</b><span>{of}</span></div>"
    );
}

fn incomplete(found: &Findings, out: &mut String) {
    out.push_str("<section class=\"bad\"><h2>Incomplete: what could be read is counted</h2>");
    for finding in found.list().iter().take(5) {
        let text = format!(
            "{}: {} (at byte {})",
            finding.code, finding.message, finding.start
        );
        let _ = write!(out, "<p>{}</p>", escaped(&shown(&text)));
    }
    if found.count() > 5 {
        let _ = write!(out, "<p>and {} more</p>", grouped(found.count() - 5));
    }
    out.push_str("</section>\n");
}

/// Bytes, in the unit that keeps the number short.
fn size(bytes: u64) -> String {
    let mut unit = "B";
    let mut number = bytes as f64;
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if number < 1024.0 {
            break;
        }
        number /= 1024.0;
        unit = next;
    }
    match unit {
        "B" => format!("{bytes} B"),
        _ if number < 10.0 => format!("{number:.2} {unit}"),
        _ => format!("{number:.1} {unit}"),
    }
}

fn share(part: u64, whole: u64) -> String {
    match whole {
        0 => "0.0%".to_owned(),
        _ => format!("{:.1}%", part as f64 * 100.0 / whole as f64),
    }
}

fn class(of: DataType) -> &'static str {
    match of {
        DataType::String => "t-string",
        DataType::List => "t-list",
        DataType::Set => "t-set",
        DataType::ZSet => "t-zset",
        DataType::Hash => "t-hash",
        DataType::Stream => "t-stream",
        DataType::Module => "t-module",
        DataType::Array | DataType::Cron | DataType::Json => "t-other",
    }
}

type ByType = BTreeMap<DataType, (u64, u64)>;

/// The map of prefixes and types.
fn map(stats: &Stats, out: &mut String) {
    out.push_str("<section><h2>Bytes by prefix and type</h2>");
    let types: ByType = stats
        .types
        .iter()
        .map(|(of, sum)| (*of, (sum.keys, sum.bytes)))
        .collect();
    let rest = match stats.prefixes.is_empty() {
        true => "all keys",
        false => "other keys",
    };
    let nodes = parts(stats, None, &types, stats.total.bytes, rest);
    out.push_str(&treemap::svg(&nodes, "Treemap of bytes by prefix and type"));
    out.push_str("<div class=\"legend\">");
    for of in types.keys() {
        let _ = write!(
            out,
            "<span><i class=\"{}\"></i>{}</span>",
            class(*of),
            of.name()
        );
    }
    out.push_str("</div></section>\n");
}

/// The prefixes of a prefix and what else begins with it, by type.
fn parts(
    stats: &Stats,
    parent: Option<usize>,
    types: &ByType,
    whole: u64,
    rest_name: &str,
) -> Vec<Node> {
    let mut rest = types.clone();
    let mut nodes = Vec::new();
    let parts = stats.prefixes.iter().enumerate();
    for (place, prefix) in parts
        .filter(|(_, prefix)| prefix.parent == parent)
        .take(PARTS)
    {
        for (of, (keys, bytes)) in &prefix.types {
            if let Some(left) = rest.get_mut(of) {
                *left = (left.0.saturating_sub(*keys), left.1.saturating_sub(*bytes));
            }
        }
        nodes.push(prefix_node(stats, place, prefix, whole));
    }
    let (keys, bytes) = rest.values().fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    if bytes > 0 {
        let inside = of_types(&rest, rest_name, whole);
        // Where nothing stands beside it, it needs no name of its own.
        match nodes.is_empty() {
            true => nodes = inside,
            false => nodes.push(Node {
                name: rest_name.to_owned(),
                title: title(rest_name, keys, bytes, whole),
                weight: bytes,
                class: "t-other",
                inside,
            }),
        }
    }
    nodes.sort_by_key(|node| std::cmp::Reverse(node.weight));
    nodes
}

fn prefix_node(stats: &Stats, place: usize, prefix: &Prefix, whole: u64) -> Node {
    let name = key_name(&prefix.name, prefix.name.len() as u64);
    let is_parent = prefix.depth < stats.depth
        && stats
            .prefixes
            .iter()
            .any(|other| other.parent == Some(place));
    let inside = match is_parent {
        true => parts(
            stats,
            Some(place),
            &prefix.types,
            whole,
            &format!("{name} else"),
        ),
        false => of_types(&prefix.types, &name, whole),
    };
    Node {
        title: title(&name, prefix.sum.keys, prefix.sum.bytes, whole),
        name,
        weight: prefix.sum.bytes,
        class: "t-other",
        inside,
    }
}

fn of_types(types: &ByType, of: &str, whole: u64) -> Vec<Node> {
    let with_bytes = types.iter().filter(|(_, (_, bytes))| *bytes > 0);
    let mut nodes: Vec<Node> = with_bytes
        .map(|(data_type, &(keys, bytes))| Node {
            name: data_type.name().to_owned(),
            title: title(&format!("{of} {}", data_type.name()), keys, bytes, whole),
            weight: bytes,
            class: class(*data_type),
            inside: Vec::new(),
        })
        .collect();
    nodes.sort_by_key(|node| std::cmp::Reverse(node.weight));
    nodes
}

fn title(name: &str, keys: u64, bytes: u64, whole: u64) -> String {
    let (keys, share) = (counted(keys, "key"), share(bytes, whole));
    format!("{name}: {keys}, {} ({share})", size(bytes))
}

fn histograms(stats: &Stats, out: &mut String) {
    out.push_str("<div class=\"pair\">");
    out.push_str("<section><h2>Keys by size of the value</h2>");
    bars(&stats.sizes, size_words, out);
    out.push_str("</section><section><h2>Keys by time to live</h2>");
    match stats.since {
        Some((at, since)) => {
            bars(&stats.ttls, ttl_words, out);
            let at = time::rfc3339(at).unwrap_or_else(|| at.to_string());
            let none = stats.total.keys - stats.total.expires;
            let text = format!(
                "Counted from {at} ({}). {} without an expiry.",
                since.name(),
                counted(none, "key")
            );
            let _ = write!(out, "<p class=\"soft\">{}</p>", escaped(&text));
        }
        None => {
            let keys = counted(stats.total.expires, "key");
            let text = format!("{keys} with an expiry, and no moment to count from.");
            let _ = write!(out, "<p class=\"soft\">{}</p>", escaped(&text));
        }
    }
    out.push_str("</section></div>\n");
}

/// Bars of a histogram, one under the other.
fn bars(buckets: &[Bucket], words: fn(&Bucket) -> String, out: &mut String) {
    const ROW: usize = 24;
    const BAR: (f64, f64) = (128.0, 220.0);
    // Empty ranges at the ends say nothing.
    let first = buckets
        .iter()
        .position(|bucket| bucket.sum.keys > 0)
        .unwrap_or(0);
    let last = buckets
        .iter()
        .rposition(|bucket| bucket.sum.keys > 0)
        .unwrap_or(0);
    let shown = buckets.get(first..=last).unwrap_or_default();
    let most = shown
        .iter()
        .map(|bucket| bucket.sum.keys)
        .max()
        .unwrap_or(0);
    if most == 0 {
        out.push_str("<p class=\"soft\">None.</p>");
        return;
    }
    let height = shown.len() * ROW;
    let _ = write!(out, "<svg viewBox=\"0 0 500 {height}\" role=\"img\">");
    for (place, bucket) in shown.iter().enumerate() {
        let top = place * ROW;
        let sum = &bucket.sum;
        let part = BAR.1 * sum.keys as f64 / most as f64;
        // The least that there is shows as a line.
        let width = if sum.keys > 0 { part.max(1.0) } else { 0.0 };
        let (x, full) = BAR;
        let words = escaped(&words(bucket));
        let figures = format!("{} / {}", grouped(sum.keys), size(sum.bytes));
        let title = format!("{words}: {}, {}", counted(sum.keys, "key"), size(sum.bytes));
        let (bar, text) = (top + 4, top + 16);
        let _ = write!(
            out,
            "<g><title>{title}</title><text class=\"r\" x=\"118\" y=\"{text}\">{words}</text>\
             <rect class=\"track\" x=\"{x}\" y=\"{bar}\" width=\"{full}\" height=\"16\" rx=\"3\"/>\
             <rect class=\"bar\" x=\"{x}\" y=\"{bar}\" width=\"{width:.1}\" height=\"16\" rx=\"3\"/>\
             <text class=\"soft\" x=\"358\" y=\"{text}\">{figures}</text></g>"
        );
    }
    out.push_str("</svg>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_text_becomes_a_tag_or_ends_an_attribute() {
        assert_eq!(escaped("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1536, "1.50 KiB"),
            (10 << 20, "10.0 MiB"),
            (u64::MAX, "16777216.0 TiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
