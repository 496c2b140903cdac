//! What a file has besides its bytes and its name: owner, group, mode, extended attributes.

use std::fs::{File, Metadata};
use std::path::Path;

/// Gives a new file what another has, as far as the system allows. Tells what it does not allow:
/// "owner", "group", "mode", "extended attributes".
#[cfg(unix)]
pub fn carry_over(new: &File, from: &Path, old: &Metadata) -> Vec<&'static str> {
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let mut lost = Vec::new();
    let Ok(fresh) = new.metadata() else {
        return vec!["owner", "group", "mode", "extended attributes"];
    };
    if fresh.gid() != old.gid() && fchown(new, None, Some(old.gid())).is_err() {
        lost.push("group");
    }
    if fresh.uid() != old.uid() && fchown(new, Some(old.uid()), None).is_err() {
        lost.push("owner");
    }
    // Before the mode: with an access list the mode's group bits are its mask.
    let extended = extended::carry_over(new, from);
    // Set-user and set-group bits mean something only together with the owner and group they had.
    let mask = if lost.is_empty() { 0o7777 } else { 0o777 };
    let mode = Permissions::from_mode(old.mode() & mask);
    if new.set_permissions(mode).is_err() {
        lost.push("mode");
    }
    if !extended {
        lost.push("extended attributes");
    }
    lost
}

/// Gives a new file what another has: nothing, on this system.
#[cfg(not(unix))]
pub fn carry_over(_: &File, _: &Path, _: &Metadata) -> Vec<&'static str> {
    Vec::new()
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
mod extended {
    use std::ffi::{CStr, CString};
    use std::fs::File;
    use std::path::Path;

    use rustix::fs::{
        XattrFlags, fgetxattr, flistxattr, fremovexattr, fsetxattr, getxattr, listxattr,
    };
    use rustix::io::{Errno, Result};

    /// True where the new file now has just the extended attributes of the old one.
    pub(super) fn carry_over(new: &File, from: &Path) -> bool {
        let old = match listed(|room| listxattr(from, room)) {
            Ok(names) => names,
            // Where there are none, there are none to lose.
            Err(error) => return is_without(error),
        };
        let mut all = true;
        for name in &old {
            all &= carry(new, from, name).is_ok();
        }
        // A folder may give its new files an access list that the old file does not have.
        let fresh = listed(|room| flistxattr(new, room)).unwrap_or_default();
        for name in fresh.iter().filter(|name| !old.contains(name)) {
            if name.as_bytes().starts_with(b"system.posix_acl") {
                all &= fremovexattr(new, name.as_c_str()).is_ok();
            }
        }
        all
    }

    fn carry(new: &File, from: &Path, name: &CStr) -> Result<()> {
        let value = match grown(|room| getxattr(from, name, room)) {
            // Removed meanwhile.
            Err(Errno::NODATA) => return Ok(()),
            value => value?,
        };
        // A label that the system has given to the new file too need not be set, which it might
        // refuse.
        if grown(|room| fgetxattr(new, name, room)).is_ok_and(|has| has == value) {
            return Ok(());
        }
        fsetxattr(new, name, &value, XattrFlags::empty())
    }

    fn listed(list: impl Fn(&mut [u8]) -> Result<usize>) -> Result<Vec<CString>> {
        let names = grown(list)?;
        let names = names
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty());
        Ok(names.filter_map(|name| CString::new(name).ok()).collect())
    }

    /// What a call writes into a buffer that is large enough for it.
    fn grown(fill: impl Fn(&mut [u8]) -> Result<usize>) -> Result<Vec<u8>> {
        let mut room = vec![0; 4 << 10];
        loop {
            match fill(&mut room) {
                Ok(len) => {
                    room.truncate(len);
                    return Ok(room);
                }
                Err(Errno::RANGE) if room.len() < LARGEST => room.resize(room.len() * 4, 0),
                Err(error) => return Err(error),
            }
        }
    }

    fn is_without(error: Errno) -> bool {
        [Errno::NOTSUP, Errno::NOSYS].contains(&error)
    }

    /// Bytes beyond which no system has an attribute or a list of names.
    const LARGEST: usize = 1 << 20;
}

#[cfg(all(
    unix,
    not(any(target_os = "linux", target_os = "android", target_vendor = "apple"))
))]
mod extended {
    use std::fs::File;
    use std::path::Path;

    /// Not looked at on this system.
    pub(super) fn carry_over(_: &File, _: &Path) -> bool {
        true
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::fs;

    use rustix::fs::{XattrFlags, fgetxattr, setxattr};

    #[test]
    fn extended_attributes_are_carried_over() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (folder.path().join("old"), folder.path().join("new"));
        fs::write(&old, "x").unwrap();
        let file = File::create(&new).unwrap();
        let long = [b'v'; 3000];
        let set = |name: &str, value: &[u8]| setxattr(&old, name, value, XattrFlags::empty());
        if let Err(error) = set("user.short", b"value").and_then(|()| set("user.none", b"")) {
            // Not every file system has them.
            assert!(carry_over(&file, &old, &fs::metadata(&old).unwrap()).is_empty());
            return eprintln!("skipped: no extended attributes here: {error}");
        }
        let has_long = set("user.long", &long).is_ok();
        let lost = carry_over(&file, &old, &fs::metadata(&old).unwrap());
        assert!(lost.is_empty(), "{lost:?}");
        let mut room = [0; 4096];
        let mut value = |name: &str| {
            let len = fgetxattr(&file, name, &mut room[..]).unwrap();
            room[..len].to_vec()
        };
        assert_eq!(value("user.short"), b"value");
        assert_eq!(value("user.none"), b"");
        assert!(!has_long || value("user.long") == long);
    }

    #[test]
    fn an_access_list_is_carried_over_and_one_of_the_folder_is_not() {
        // Owner rw, user 12345 r, group none, mask r, others none.
        let entry = |tag: u16, bits: u16, id: u32| {
            let [a, b] = [tag.to_le_bytes(), bits.to_le_bytes()];
            [&a[..], &b, &id.to_le_bytes()].concat()
        };
        let none = u32::MAX;
        let list = [
            vec![2, 0, 0, 0],
            entry(1, 6, none),
            entry(2, 4, 12_345),
            entry(4, 0, none),
            entry(16, 4, none),
            entry(32, 0, none),
        ]
        .concat();
        let folder = tempfile::tempdir().unwrap();
        let (old, plain) = (folder.path().join("old"), folder.path().join("plain"));
        fs::write(&old, "x").unwrap();
        fs::write(&plain, "x").unwrap();
        const ACCESS: &str = "system.posix_acl_access";
        if let Err(error) = setxattr(&old, ACCESS, &list, XattrFlags::empty()) {
            return eprintln!("skipped: no access lists here: {error}");
        }
        let default = "system.posix_acl_default";
        setxattr(folder.path(), default, &list, XattrFlags::empty()).unwrap();
        let mut room = [0; 4096];
        for (from, has) in [(&old, true), (&plain, false)] {
            let new = File::create(folder.path().join("new")).unwrap();
            let metadata = fs::metadata(from).unwrap();
            assert!(carry_over(&new, from, &metadata).is_empty());
            let found = fgetxattr(&new, ACCESS, &mut room[..]);
            assert_eq!(found.is_ok_and(|len| room[..len] == list), has);
            let mode = std::os::unix::fs::MetadataExt::mode;
            assert_eq!(mode(&new.metadata().unwrap()), mode(&metadata));
            fs::remove_file(folder.path().join("new")).unwrap();
        }
    }
}
