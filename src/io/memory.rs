//! How much memory this process has.

/// Bytes of memory that the process has for itself, without pages of mapped files, which the system
/// takes back when it wants; none where the system does not tell.
pub fn resident() -> Option<u64> {
    // `statm` counts pages: size, resident, of those of files, and more.
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let mut pages = text.split_ascii_whitespace().skip(1).map(str::parse::<u64>);
    let (resident, files) = (pages.next()?.ok()?, pages.next()?.ok()?);
    resident.checked_sub(files)?.checked_mul(page())
}

#[cfg(unix)]
fn page() -> u64 {
    rustix::param::page_size() as u64
}

#[cfg(not(unix))]
fn page() -> u64 {
    4096
}
