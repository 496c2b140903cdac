//! The report of `stats`.

use crate::report::finding::Findings;
use crate::report::json_report::{Fields, Json, files, format, found, head, of_log};
use crate::report::stats::{Bucket, KeyFacts, LogStats, Of, Prefix, Stats, StatsReport, Sum};

/// The report of `stats`, with the exit status that it leads to.
pub fn stats(report: &StatsReport, exit: u8) -> String {
    let mut object = match &report.of {
        Of::Snapshot(version, size) => {
            let mut object = head("stats", &report.input, Some("rdb"), "unknown");
            object.push((
                "files",
                files(&report.input, "snapshot", Some(*size), *version),
            ));
            object.extend(found(&report.findings, &report.input));
            object.push(("loads_on", Json::Array(Vec::new())));
            object.push(("exit", Json::from(exit)));
            object.push(("format", format(*version)));
            object
        }
        Of::Log(log) => {
            let mut object = of_log("stats", &log.check, &Findings::default(), exit);
            // All that was found, that of the replay and of the counting included.
            let mut all: Vec<_> = found(&report.findings, &report.input);
            for (name, value) in &mut object {
                if let Some(place) = all.iter().position(|(other, _)| other == name) {
                    *value = all.swap_remove(place).1;
                }
            }
            object
        }
    };
    let total = &report.stats.total;
    object.push(("keys", Json::from(total.keys)));
    object.push(("expires", Json::from(total.expires)));
    object.push(("complete", Json::Bool(report.complete)));
    object.push(("stats", of_keys(&report.stats)));
    object.push(("log", Json::from(report.log().map(log))));
    Json::Object(object).to_string()
}

fn of_keys(stats: &Stats) -> Json {
    let types = Json::list(&stats.types, |(data_type, sum)| {
        with(vec![("type", Json::from(data_type.name()))], sum)
    });
    let encodings = Json::list(&stats.encodings, |((of, rdb_type, encoding), sum)| {
        let front = vec![
            ("type", Json::from(of.name())),
            ("encoding", Json::from(*encoding)),
            ("layout", Json::from(rdb_type.name())),
            ("number", Json::from(rdb_type.number())),
        ];
        with(front, sum)
    });
    let dbs = stats
        .dbs
        .iter()
        .map(|(db, sum)| with(vec![("db", Json::from(*db))], sum));
    let ttl = Json::list(&stats.ttl, |(class, sum)| {
        with(vec![("class", Json::from(*class))], sum)
    });
    let since = stats.since.map(|(at, since)| {
        Json::Object(vec![
            ("at_ms", Json::from(at)),
            ("from", Json::from(since.name())),
        ])
    });
    Json::Object(vec![
        ("total", with(Vec::new(), &stats.total)),
        ("types", types),
        ("encodings", encodings),
        ("dbs", Json::list(dbs.take(Findings::LISTED), |db| db)),
        ("other_dbs", with(Vec::new(), &other_dbs(stats))),
        ("ttl", ttl),
        ("ttl_since", Json::from(since)),
        ("ttl_seconds", Json::list(&stats.ttls, bucket)),
        ("value_sizes", Json::list(&stats.sizes, bucket)),
        ("prefixes", prefixes(stats)),
        ("biggest", Json::list(&stats.biggest, key)),
        ("most_elements", Json::list(&stats.longest, key)),
        ("hottest", Json::list(&stats.hottest, key)),
        ("with_freq", Json::from(stats.with_freq)),
    ])
}

/// What is in databases that are not listed.
fn other_dbs(stats: &Stats) -> Sum {
    let mut others = stats.other_dbs;
    for sum in stats.dbs.values().skip(Findings::LISTED) {
        others.add(sum);
    }
    others
}

fn with(mut front: Fields, sum: &Sum) -> Json {
    front.extend([
        ("keys", Json::from(sum.keys)),
        ("expires", Json::from(sum.expires)),
        ("elements", Json::from(sum.elements)),
        ("bytes", Json::from(sum.bytes)),
        ("value_bytes", Json::from(sum.value_bytes)),
    ]);
    Json::Object(front)
}

fn bucket(bucket: &Bucket) -> Json {
    let front = vec![
        ("from", Json::from(bucket.from)),
        ("below", Json::from(bucket.below)),
    ];
    with(front, &bucket.sum)
}

/// Prefixes as far as they are listed; the others of each depth together.
fn prefixes(stats: &Stats) -> Json {
    let mut others = stats.other_prefixes.clone();
    for prefix in stats.prefixes.iter().skip(Findings::LISTED) {
        if let Some(sum) = others.get_mut(prefix.depth - 1) {
            sum.add(&prefix.sum);
        }
    }
    let listed = stats.prefixes.iter().take(Findings::LISTED);
    let prefix = |prefix: &Prefix| {
        let types = Json::list(&prefix.types, |(data_type, (keys, bytes))| {
            Json::Object(vec![
                ("type", Json::from(data_type.name())),
                ("keys", Json::from(*keys)),
                ("bytes", Json::from(*bytes)),
            ])
        });
        let front = vec![
            ("prefix", Json::bytes(&prefix.name)),
            ("depth", Json::from(prefix.depth as u64)),
            ("types", types),
        ];
        with(front, &prefix.sum)
    };
    Json::Object(vec![
        ("separator", Json::bytes(&stats.separator)),
        ("depth", Json::from(stats.depth as u64)),
        ("counted", Json::from(stats.prefixes_counted)),
        ("list", Json::list(listed, prefix)),
        ("none", with(Vec::new(), &stats.without_prefix)),
        ("others", Json::list(&others, |sum| with(Vec::new(), sum))),
    ])
}

fn key(key: &KeyFacts) -> Json {
    Json::Object(vec![
        ("db", Json::from(key.db)),
        ("key", Json::bytes(&key.key)),
        ("key_bytes", Json::from(key.key_len)),
        ("type", Json::from(key.data_type.name())),
        ("encoding", Json::from(key.encoding)),
        ("elements", Json::from(key.elements)),
        ("bytes", Json::from(key.bytes)),
        ("value_bytes", Json::from(key.value_bytes)),
        ("expire_at_ms", Json::from(key.expires_at)),
        ("freq", Json::from(key.freq)),
    ])
}

fn log(log: &LogStats) -> Json {
    let commands = Json::list(&log.commands, |command| {
        Json::Object(vec![
            ("name", Json::from(command.name.as_str())),
            ("count", Json::from(command.count)),
            ("bytes", Json::from(command.bytes)),
        ])
    });
    let busiest = Json::list(&log.busiest, |busy| {
        Json::Object(vec![
            ("db", Json::from(busy.db)),
            ("key", Json::bytes(&busy.key)),
            ("key_bytes", Json::from(busy.key_len)),
            ("commands", Json::from(busy.commands)),
            ("at_most", Json::from(busy.at_most)),
            ("bytes", Json::from(busy.bytes)),
        ])
    });
    let rewrite = Json::Object(vec![
        ("bytes_now", Json::from(log.rewrite.now)),
        ("bytes_then", Json::from(log.rewrite.then)),
        ("saved", Json::from(log.rewrite.saved())),
        ("by", Json::from("replay")),
    ]);
    Json::Object(vec![
        ("commands", commands),
        ("other_commands", Json::from(log.other_commands.count)),
        ("busiest", busiest),
        ("rewrite", rewrite),
        ("replayed", Json::from(log.replayed)),
        ("refused", Json::from(log.refused)),
        ("unplayable", Json::from(log.unplayable)),
    ])
}
