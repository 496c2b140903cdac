use super::*;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn write(path: &Path, existing: Existing, bytes: &[u8]) -> Result<u64> {
    let mut output = Output::create(path, existing)?;
    output.write_all(bytes)?;
    output.finish()
}

#[test]
fn a_file_appears_whole_with_the_mode_of_any_new_file() {
    let folder = folder();
    let path = folder.path().join("out");
    let mut output = Output::create(&path, Existing::Refuse).unwrap();
    let mut expected = Vec::new();
    for len in [
        0,
        1,
        5,
        DIRECT - 1,
        DIRECT,
        3,
        GATHERED,
        70_000,
        DIRECT - 1,
        7,
    ] {
        let chunk = vec![len as u8; len];
        output.write_all(&chunk).unwrap();
        expected.extend_from_slice(&chunk);
        assert_eq!(output.written(), expected.len() as u64);
        assert!(!path.exists());
    }
    output.flush().unwrap();
    assert_eq!(fs::read(output.temporary().unwrap()).unwrap(), expected);
    assert_eq!(output.finish().unwrap(), expected.len() as u64);
    assert_eq!(fs::read(&path).unwrap(), expected);
    let other = File::create(folder.path().join("other")).unwrap();
    let mode = |metadata: Metadata| metadata.mode();
    assert_eq!(
        mode(fs::metadata(&path).unwrap()),
        mode(other.metadata().unwrap())
    );
    assert_eq!(names(folder.path()), ["other", "out"]);
}

#[test]
fn what_is_not_finished_leaves_the_old_state() {
    let folder = folder();
    let path = folder.path().join("out");
    drop(Output::create(&path, Existing::Refuse).unwrap());
    assert!(names(folder.path()).is_empty());
    fs::write(&path, "old").unwrap();
    let mut output = Output::create(&path, Existing::Replace).unwrap();
    output.write_all(&[1; 1 << 20]).unwrap();
    drop(output);
    assert_eq!(names(folder.path()), ["out"]);
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

#[test]
fn an_existing_file_is_replaced_only_when_told() {
    let folder = folder();
    let path = folder.path().join("out");
    fs::write(&path, "old").unwrap();
    let error = write(&path, Existing::Refuse, b"new").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Usage(_)), "{error}");
    assert!(error.to_string().contains("--force"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"old");
    write(&path, Existing::Replace, b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(names(folder.path()), ["out"]);
}

#[test]
fn a_file_that_appears_meanwhile_is_not_replaced() {
    let folder = folder();
    let path = folder.path().join("out");
    let mut output = Output::create(&path, Existing::Refuse).unwrap();
    output.write_all(b"ours").unwrap();
    fs::write(&path, "theirs").unwrap();
    let error = output.finish().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Usage(_)), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"theirs");
    assert_eq!(names(folder.path()), ["out"]);
}

#[test]
fn mode_and_owner_of_the_replaced_file_are_handed_on() {
    let folder = folder();
    let path = folder.path().join("out");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o4751)).unwrap();
    let is_root = chown(&path, Some(12_345), Some(54_321)).is_ok();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let old = fs::metadata(&path).unwrap();
    let output = Output::create(&path, Existing::Replace).unwrap();
    assert!(output.lost().is_empty());
    output.finish().unwrap();
    let new = fs::metadata(&path).unwrap();
    assert_ne!(old.ino(), new.ino());
    assert_eq!(
        (new.mode(), new.uid(), new.gid()),
        (old.mode(), old.uid(), old.gid())
    );
    if !is_root {
        eprintln!("skipped in part: only root can give files away");
    }
}

#[test]
fn symbolic_links_stay_and_lead_to_the_new_file() {
    let folder = folder();
    let deep = folder.path().join("deep");
    fs::create_dir(&deep).unwrap();
    fs::write(deep.join("file"), "old").unwrap();
    let link = folder.path().join("link");
    symlink("deep/second", &link).unwrap();
    symlink("file", deep.join("second")).unwrap();
    write(&link, Existing::Replace, b"new").unwrap();
    assert_eq!(fs::read(deep.join("file")).unwrap(), b"new");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    // One that leads nowhere yet.
    let dangling = folder.path().join("dangling");
    symlink("deep/later", &dangling).unwrap();
    write(&dangling, Existing::Refuse, b"made").unwrap();
    assert_eq!(fs::read(deep.join("later")).unwrap(), b"made");
    assert_eq!(names(&deep), ["file", "later", "second"]);
    // And a circle.
    let circle = folder.path().join("circle");
    symlink("circle", &circle).unwrap();
    let error = write(&circle, Existing::Replace, b"").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io(_)), "{error}");
}

#[test]
fn devices_are_written_through() {
    for existing in [Existing::Refuse, Existing::Replace] {
        assert_eq!(write("/dev/null".as_ref(), existing, &[1; 99]).unwrap(), 99);
    }
    assert!(fs::symlink_metadata("/dev/null").unwrap().mode() & libc::S_IFCHR != 0);
}

#[test]
fn folders_and_places_that_cannot_be_are_refused_at_once() {
    let folder = folder();
    for path in [folder.path().to_path_buf(), folder.path().join("new/")] {
        let error = Output::create(&path, Existing::Replace).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Usage(_)), "{error}");
    }
    let path = folder.path().join("missing/out");
    let error = Output::create(&path, Existing::Replace).unwrap_err();
    let ErrorKind::Io(io) = error.kind() else {
        panic!("{error}");
    };
    assert_eq!(io.kind(), io::ErrorKind::NotFound);
    assert!(error.to_string().contains("missing/out"), "{error}");
}

#[test]
fn a_full_device_is_an_error_with_a_hint_and_stays_one() {
    if !Path::new("/dev/full").exists() {
        eprintln!("skipped: no /dev/full");
        return;
    }
    let mut output = Output::create("/dev/full".as_ref(), Existing::Refuse).unwrap();
    let error = output.write_all(&[1; DIRECT]).unwrap_err();
    assert_eq!(error.hint(), Some(Hint::FreeSpace), "{error}");
    assert!(error.to_string().contains("/dev/full"), "{error}");
    output.write_all(b"x").unwrap_err();
    output.finish().unwrap_err();
    // Gathered bytes are found out at the end.
    let mut output = Output::create("/dev/full".as_ref(), Existing::Refuse).unwrap();
    output.write_all(b"few").unwrap();
    output.finish().unwrap_err();
}

#[test]
fn a_reader_that_went_away_is_no_error_of_ours() {
    let (reader, writer) = io::pipe().unwrap();
    let path = {
        use std::os::fd::AsRawFd;
        format!("/dev/fd/{}", writer.as_raw_fd())
    };
    let mut output = Output::create(path.as_ref(), Existing::Refuse).unwrap();
    assert!(!output.is_terminal() && output.refuse_terminal().is_ok());
    drop(reader);
    let error = output.write_all(&[1; DIRECT]).unwrap_err();
    assert!(error.is_closed_pipe());
}
