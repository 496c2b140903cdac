//! What is fuzzed: functions of any bytes, each of which panics where something is wrong. The fuzzer
//! (`fuzz/`) and the test suite (`tests/fuzz_corpora.rs`) call the same ones.

mod blobs;
mod common;
mod logs;
mod replay;
mod snapshots;
mod values;
mod written;

pub(crate) use replay::{LIKES, encoded};
pub(crate) use values::{PACKED, STREAMS};

/// A function with its name.
pub(crate) struct Target {
    /// The name of the fuzz target and of its corpus.
    pub(crate) name: &'static str,
    /// Panics where something is wrong.
    pub(crate) run: fn(&[u8]),
    /// How costly a run is, in runs of the cheapest.
    pub(crate) cost: usize,
}

/// All of them.
pub(crate) const TARGETS: &[Target] = &[
    target("listpack", blobs::listpack, 1),
    target("ziplist", blobs::ziplist, 1),
    target("intset", blobs::intset, 1),
    target("zipmap", blobs::zipmap, 1),
    target("lzf", blobs::lzf, 1),
    target("value", values::any, 4),
    target("packed", values::packed, 4),
    target("quicklist", values::quicklist, 4),
    target("stream", values::stream, 4),
    target("module", values::module, 2),
    target("rdb", snapshots::rdb, 10),
    target("chunks", snapshots::chunks, 10),
    target("segments", snapshots::segments, 60),
    target("salvage", snapshots::salvage, 60),
    target("resp", logs::resp, 10),
    target("manifest", logs::manifest, 2),
    target("fix", logs::fix, 60),
    target("replay", replay::commands, 40),
    target("replay_resp", replay::log, 40),
    target("rewrite", written::rewrite, 100),
    target("convert", written::convert, 60),
    target("from_json", written::from_json, 20),
    target("json_round_trip", written::json_round_trip, 60),
];

const fn target(name: &'static str, run: fn(&[u8]), cost: usize) -> Target {
    Target { name, run, cost }
}
