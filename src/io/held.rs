//! Which other processes hold a file open, as far as the system lets us see.

use std::fs::Metadata;

use crate::io::source::Identity;

/// A process that holds a file open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub pid: u32,
    /// The name of its command, as the system shortens it.
    pub command: String,
    /// Which of the files asked for it holds: the first, by index.
    pub file: usize,
}

/// The other processes that hold one of these files open, each once, by number.
///
/// Looked up in `/proc` on Linux, for the processes whose descriptors may be read: with the rights
/// of another user, only those of that user. Elsewhere nobody is found.
pub fn holders(files: &[Metadata]) -> Vec<Holder> {
    let wanted: Vec<Option<Identity>> = files.iter().map(Identity::of).collect();
    let mut found = system::holders(&wanted);
    found.sort_by_key(|holder| holder.pid);
    found
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::fs;
    use std::path::Path;

    use super::Holder;
    use crate::error::printable;
    use crate::io::source::Identity;

    pub(super) fn holders(wanted: &[Option<Identity>]) -> Vec<Holder> {
        let Ok(processes) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        let own = std::process::id();
        let mut found = Vec::new();
        for process in processes.flatten() {
            let name = process.file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if pid == own {
                continue;
            }
            if let Some(file) = held(&process.path(), wanted) {
                let command = fs::read(process.path().join("comm")).unwrap_or_default();
                let command = printable(command.trim_ascii_end());
                found.push(Holder { pid, command, file });
            }
        }
        found
    }

    /// The first of the files that a process holds. One that ends meanwhile, or that may not be
    /// looked at, holds none.
    fn held(process: &Path, wanted: &[Option<Identity>]) -> Option<usize> {
        let descriptors = fs::read_dir(process.join("fd")).ok()?;
        descriptors.flatten().find_map(|descriptor| {
            let path = descriptor.path();
            // Sockets, pipes and the like are not asked for more.
            let target = fs::read_link(&path).ok()?;
            if !target.has_root() {
                return None;
            }
            let identity = Identity::of(&fs::metadata(&path).ok()?)?;
            wanted.iter().position(|file| *file == Some(identity))
        })
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use super::Holder;
    use crate::io::source::Identity;

    pub(super) fn holders(_: &[Option<Identity>]) -> Vec<Holder> {
        Vec::new()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::fs::File;
    use std::process::{Command, Stdio};

    #[test]
    fn who_holds_a_file_is_found_and_we_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("held");
        std::fs::write(&path, "x").unwrap();
        let file = File::open(&path).unwrap();
        let files = [folder.path().metadata().unwrap(), file.metadata().unwrap()];
        let mut sleep = Command::new("sleep");
        sleep
            .arg("1000")
            .stdin(file.try_clone().unwrap())
            .stdout(Stdio::null());
        // It runs the other program when this returns.
        let mut child = sleep.spawn().unwrap();
        let found = holders(&files);
        let expected = Holder {
            pid: child.id(),
            command: "sleep".to_owned(),
            file: 1,
        };
        child.kill().unwrap();
        child.wait().unwrap();
        // Other tests may start processes meanwhile, which for a moment hold what we hold.
        assert!(found.contains(&expected), "{found:?}");
        assert!(found.iter().all(|holder| holder.pid != std::process::id()));
        assert!(
            holders(&files)
                .iter()
                .all(|holder| holder.pid != expected.pid)
        );
    }
}
