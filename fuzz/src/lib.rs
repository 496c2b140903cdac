//! The fuzz targets. Their functions are those of the test suite; see `docs/testing.md`.

#[path = "../../tests/fuzz_corpora/targets/mod.rs"]
#[allow(unused)]
mod targets;

/// Runs the target of this name.
///
/// # Panics
/// Where something is wrong.
pub fn run(name: &str, data: &[u8]) {
    let mut all = targets::TARGETS.iter();
    let target = all.find(|target| target.name == name);
    (target.expect("a target of this name").run)(data);
}
