//! How much memory this process may use: the smaller of the machine's and its control group's.

use std::fs;
use std::path::Path;

/// Three quarters of what there is; all there could be where the system does not tell.
pub(super) fn default_limit() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok();
    let machine = machine.as_deref().and_then(total);
    [machine, group_limit(Path::new("/sys/fs/cgroup"))]
        .into_iter()
        .flatten()
        .min()
        .map_or(u64::MAX, |bytes| bytes / 4 * 3)
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The lowest limit of the control groups that this process is in, of either version. Inside a
/// container the group's own path is often not visible, but its limit stands at the root.
fn group_limit(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut limits = Vec::new();
    for line in groups.lines() {
        let (root, file, path) = match line.splitn(3, ':').collect::<Vec<_>>().as_slice() {
            ["0", "", path] => (root.to_path_buf(), "memory.max", *path),
            [_, names, path] if names.split(',').any(|name| name == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes", *path)
            }
            _ => continue,
        };
        for folder in Path::new(path.trim_start_matches('/')).ancestors() {
            limits.extend(limit(&root.join(folder).join(file)));
        }
    }
    limits.into_iter().min()
}

fn limit(file: &Path) -> Option<u64> {
    // The word `max` is no number, and no limit.
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_says_kibibytes() {
        assert_eq!(
            total("MemTotal:       16384 kB\nMemFree: 1 kB\n"),
            Some(16 << 20)
        );
        assert_eq!(total("MemFree: 1 kB\n"), None);
        assert_eq!(total("MemTotal: lots\n"), None);
    }

    #[test]
    fn a_limit_is_a_number_or_none() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("memory.max");
        for (text, expected) in [("max\n", None), ("1048576\n", Some(1 << 20)), ("", None)] {
            fs::write(&file, text).unwrap();
            assert_eq!(limit(&file), expected);
        }
        assert!(default_limit() > 0);
    }
}
