use super::*;
use crate::io::decompress::Codec;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn open(path: &Path, mmap: bool) -> Source {
    Source::open(path, OpenOptions { mmap }).unwrap()
}

fn read(source: Source) -> (Vec<u8>, Option<io::Error>) {
    match source.into_content() {
        Content::Map(map) => (map.to_vec(), None),
        Content::Stream(mut stream) => {
            let mut bytes = Vec::new();
            let error = stream.read_to_end(&mut bytes).err();
            (bytes, error)
        }
    }
}

fn fixture(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/compressed/");
    PathBuf::from(format!("{folder}{name}"))
}

#[test]
fn a_map_and_a_stream_hold_the_same_bytes() {
    for len in [1, 5, 511, 512, 513, 70_000] {
        let mut bytes = b"REDIS0011".repeat(len / 9 + 1);
        bytes.truncate(len);
        let file = file(&bytes);
        let mapped = open(file.path(), true);
        assert!(matches!(mapped.content(), Content::Map(_)));
        let stream = open(file.path(), false);
        assert!(matches!(stream.content(), Content::Stream(_)));
        for source in [&mapped, &stream] {
            let origin = source.origin();
            assert_eq!(origin.content_size(), Some(len as u64));
            assert_eq!(origin.codec(), None);
            assert!(origin.can_reread() && !origin.has_changed().unwrap());
            assert!(origin.modified().is_some());
            assert_eq!(origin.identity().is_some(), cfg!(unix));
            let known = if len < 5 { Kind::Unknown } else { Kind::Rdb };
            assert_eq!(source.kind(), known);
        }
        assert_eq!(read(mapped).0, bytes);
        assert_eq!(read(stream).0, bytes);
    }
}

#[test]
fn an_empty_file_is_empty_either_way() {
    let file = file(b"");
    for mmap in [true, false] {
        let source = open(file.path(), mmap);
        assert_eq!(source.kind(), Kind::Empty);
        assert_eq!(source.origin().size(), Some(0));
        assert!(matches!(source.content(), Content::Map(map) if map.is_empty()));
    }
}

#[test]
fn directories_and_missing_files_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let error = Source::open(folder.path(), OpenOptions::default()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WrongKind { found, .. } if *found == "a directory"));
    let missing = folder.path().join("missing");
    let error = Source::open(&missing, OpenOptions::default()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io(e) if e.kind() == io::ErrorKind::NotFound));
}

#[test]
fn compressed_files_are_streams_of_their_content() {
    let numbers: String = (1..=2000).map(|n| format!("{n}\n")).collect();
    for (name, codec) in [
        ("numbers.gz", Codec::Gzip),
        ("two-frames.zst", Codec::Zstd),
        ("numbers.lz4", Codec::Lz4),
        ("two-streams.xz", Codec::Xz),
    ] {
        for mmap in [true, false] {
            let source = open(&fixture(name), mmap);
            assert_eq!(source.kind(), Kind::Unknown);
            assert_eq!(source.origin().codec(), Some(codec));
            assert!(source.origin().size().is_some());
            assert_eq!(source.origin().content_size(), None);
            assert!(source.origin().can_reread());
            let (bytes, error) = read(source);
            assert!(error.is_none() && bytes == numbers.as_bytes(), "{name}");
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut stored = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    for chunk in bytes.chunks(60_000) {
        let len = chunk.len() as u16;
        stored.push(0);
        stored.extend_from_slice(&len.to_le_bytes());
        stored.extend_from_slice(&(!len).to_le_bytes());
        stored.extend_from_slice(chunk);
    }
    stored.extend_from_slice(&[3, 0]);
    let mut crc = !0u32;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1));
        }
    }
    stored.extend_from_slice(&(!crc).to_le_bytes());
    stored.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    stored
}

#[test]
fn the_kind_is_that_of_what_is_inside() {
    let aof = b"*1\r\n$4\r\nPING\r\n".as_slice();
    let numbers = fs::read(fixture("numbers.lz4")).unwrap();
    let enveloped = [b"VCS\x01\x01\x00\x01", numbers.as_slice()].concat();
    for (bytes, kind, codec) in [
        (gzip(aof), Kind::Aof, Codec::Gzip),
        (gzip(b""), Kind::Empty, Codec::Gzip),
        (gzip(&gzip(aof)), Kind::Aof, Codec::Gzip),
        (gzip(&enveloped), Kind::Unknown, Codec::Gzip),
        (enveloped, Kind::Unknown, Codec::Valkey),
    ] {
        let file = file(&bytes);
        let source = open(file.path(), true);
        assert_eq!(source.kind(), kind);
        assert_eq!(source.origin().codec(), Some(codec));
        assert!(read(source).1.is_none());
    }
    let deep = file(&gzip(&gzip(&gzip(&gzip(aof)))));
    let error = Source::open(deep.path(), OpenOptions::default()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{error}");
}

#[test]
fn what_is_good_before_damage_can_be_read_however_short() {
    let whole = gzip(b"REDIS0011 and a little more");
    for cut in 1..whole.len() {
        let file = file(&whole[..cut]);
        match Source::open(file.path(), OpenOptions::default()) {
            Err(error) => assert!(matches!(error.kind(), ErrorKind::Io(_)), "{error}"),
            Ok(source) if cut < 3 => assert_eq!(source.kind(), Kind::Unknown),
            Ok(source) => {
                let (bytes, error) = read(source);
                assert!(!bytes.is_empty());
                assert!(error.unwrap().to_string().contains("gzip"));
            }
        }
    }
    let file = file(&whole[..whole.len() - 1]);
    assert_eq!(open(file.path(), true).kind(), Kind::Rdb);
}

#[test]
fn lines_of_comments_are_read_past_to_tell_the_kind() {
    let mut bytes = b"# a comment of some length\n".repeat(1000);
    bytes.extend_from_slice(b"*1\r\n$4\r\nPING\r\n");
    let plain = file(&bytes);
    for source in [open(plain.path(), true), open(plain.path(), false)] {
        assert_eq!(source.kind(), Kind::Aof);
        assert!(read(source).0 == bytes);
    }
    // Nothing but comments, longer than anybody looks.
    let endless = file(&b"# more\n".repeat(20_000));
    let source = open(endless.path(), false);
    assert_eq!(source.kind(), Kind::Unknown);
    assert_eq!(read(source).0.len(), 140_000);
}

#[test]
fn a_file_that_changed_is_not_opened_again_for_the_same() {
    let mut file = file(b"REDIS0011");
    let source = open(file.path(), true);
    let origin = source.origin().clone();
    assert_eq!(
        read(origin.reopen(OpenOptions::default()).unwrap()).0,
        b"REDIS0011"
    );
    file.write_all(b"more").unwrap();
    assert!(origin.has_changed().unwrap());
    origin.reopen(OpenOptions::default()).unwrap_err();
    drop(file);
    origin.has_changed().unwrap_err();
}

#[cfg(unix)]
#[test]
fn a_file_replaced_by_another_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "same").unwrap();
    let source = open(&path, true);
    let time = source.origin().modified().unwrap();
    fs::write(folder.path().join("new"), "same").unwrap();
    let new = File::options()
        .write(true)
        .open(folder.path().join("new"))
        .unwrap();
    new.set_modified(time).unwrap();
    fs::rename(folder.path().join("new"), &path).unwrap();
    assert!(source.origin().has_changed().unwrap());
}

#[cfg(target_os = "linux")]
#[test]
fn files_that_state_no_size_are_read() {
    let source = open("/proc/self/status".as_ref(), true);
    assert!(matches!(source.content(), Content::Stream(_)));
    assert!(String::from_utf8(read(source).0).unwrap().contains("Pid:"));
}

#[cfg(unix)]
#[test]
fn devices_are_streams_that_cannot_be_read_again() {
    let source = open("/dev/null".as_ref(), true);
    assert_eq!(source.kind(), Kind::Empty);
    let origin = source.origin();
    assert!(!origin.can_reread() && origin.size().is_none());
    assert!(!origin.has_changed().unwrap());
    assert!(origin.reopen(OpenOptions::default()).is_err());
    let zeros = open("/dev/zero".as_ref(), true);
    let Content::Stream(stream) = zeros.into_content() else {
        panic!("no map of a device");
    };
    let mut bytes = Vec::new();
    stream.take(100_000).read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len(), 100_000);
}
