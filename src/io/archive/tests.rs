use super::*;

use std::io::Cursor;

fn header(name: &[u8], kind: u8, size: u64, link: &[u8]) -> Vec<u8> {
    let mut block = vec![0; BLOCK];
    block[..name.len()].copy_from_slice(name);
    block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    block[136..147].copy_from_slice(format!("{:011o}", 1_700_000_000).as_bytes());
    block[156] = kind;
    block[157..157 + link.len()].copy_from_slice(link);
    block[257..263].copy_from_slice(b"ustar\0");
    summed(block)
}

fn summed(mut block: Vec<u8>) -> Vec<u8> {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|&b| u32::from(b)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    block
}

fn member(name: &[u8], kind: u8, data: &[u8]) -> Vec<u8> {
    let mut out = header(name, kind, data.len() as u64, b"");
    out.extend_from_slice(data);
    out.resize(out.len().next_multiple_of(BLOCK), 0);
    out
}

fn archive(members: &[Vec<u8>]) -> Vec<u8> {
    let mut out = members.concat();
    out.resize(out.len() + 2 * BLOCK, 0);
    out
}

fn unpacked(bytes: Vec<u8>) -> Unpacked {
    unpack(Box::new(Cursor::new(bytes)), 1 << 20).unwrap()
}

fn names(unpacked: &Unpacked) -> Vec<String> {
    unpacked
        .files()
        .map(|(path, _)| path.display().to_string())
        .collect()
}

#[test]
fn members_are_written_with_their_folders_and_times() {
    let done = unpacked(archive(&[
        member(b"./", b'5', b""),
        member(b"./data/", b'5', b""),
        member(b"./data/dump.rdb", b'0', b"REDIS"),
        member(b"data/deep/er/x", 0, &[7; 1000]),
    ]));
    assert_eq!(names(&done), ["data/deep/er/x", "data/dump.rdb"]);
    assert!(done.damage.is_none() && done.left_out.is_empty());
    let path = done.folder().join("data/dump.rdb");
    assert_eq!(fs::read(&path).unwrap(), b"REDIS");
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    assert_eq!(modified, UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    let folder = done.folder().to_path_buf();
    drop(done);
    assert!(!folder.exists());
}

#[test]
fn nothing_is_written_outside_and_no_link_is_made() {
    let mut link = header(b"evil", b'2', 0, b"/tmp");
    link.extend(member(b"evil/x", b'0', b"not through the link"));
    let done = unpacked(archive(&[
        member(b"../x", b'0', b"1"),
        member(b"a/../../x", b'0', b"2"),
        member(b"/etc/passwd", b'0', b"3"),
        link,
        header(b"hard", b'1', 0, b"../../etc/passwd"),
        header(b"hard2", b'1', 0, b"etc/passwd"),
        member(b"etc", b'0', b"a file where a folder stands"),
        member(b"etc/passwd/x", b'0', b"a file below a file"),
        member(b"fifo", b'6', b""),
        member(b"device", b'3', b""),
    ]));
    assert_eq!(names(&done), ["etc/passwd", "evil/x", "hard2"]);
    assert_eq!(done.left_out_count, 8);
    let evil = fs::symlink_metadata(done.folder().join("evil")).unwrap();
    assert!(evil.is_dir());
}

#[test]
fn of_two_members_of_one_name_the_later_counts() {
    let done = unpacked(archive(&[
        member(b"x", b'0', b"old"),
        header(b"y", b'1', 0, b"x"),
        member(b"x", b'0', b"newer"),
    ]));
    let read = |name: &str| fs::read(done.folder().join(name)).unwrap();
    assert_eq!((read("x"), read("y")), (b"newer".to_vec(), b"old".to_vec()));
}

#[test]
fn long_names_are_read_in_both_forms() {
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(100));
    let record = |key: &str, value: &str| {
        let rest = format!(" {key}={value}\n");
        let mut length = rest.len() + 1;
        while length != rest.len() + length.to_string().len() {
            length = rest.len() + length.to_string().len();
        }
        format!("{length}{rest}")
    };
    let pax = record("path", "pax-name") + &record("mtime", "1600000000.5") + &record("size", "3");
    let mut sized = header(b"short", b'0', 0, b"");
    sized.extend_from_slice(b"abc");
    sized.resize(2 * BLOCK, 0);
    let done = unpacked(archive(&[
        member(b"././@LongLink", b'L', format!("{long}\0").as_bytes()),
        member(b"cut", b'0', b"gnu"),
        member(b"pax", b'x', pax.as_bytes()),
        sized,
        member(b"g", b'g', record("comment", "x").as_bytes()),
        member(b"last", b'0', b""),
    ]));
    assert_eq!(
        names(&done),
        [long, "last".to_owned(), "pax-name".to_owned()]
    );
    let path = done.folder().join("pax-name");
    assert_eq!(fs::read(&path).unwrap(), b"abc");
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    assert_eq!(modified, UNIX_EPOCH + Duration::from_secs(1_600_000_000));
}

#[test]
fn every_cut_is_told_and_leaves_whole_members_alone() {
    let whole = archive(&[member(b"a", b'0', &[1; 700]), member(b"b", b'0', &[2; 512])]);
    for end in 0..whole.len() - 2 * BLOCK {
        let done = unpacked(whole[..end].to_vec());
        assert!(done.damage.is_some(), "{end}");
        for (path, size) in done.files() {
            let written = fs::read(done.folder().join(path)).unwrap();
            assert_eq!(written.len() as u64, size, "{end}");
        }
    }
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x41;
        drop(unpacked(damaged));
    }
}

#[test]
fn what_is_too_much_is_refused_before_it_is_written() {
    let unpack = |bytes: Vec<u8>, room| unpack(Box::new(Cursor::new(bytes)), room);
    let small = archive(&[member(b"a", b'0', &[0; 600]), member(b"b", b'0', &[0; 500])]);
    unpack(small.clone(), 1100).unwrap();
    let error = unpack(small, 1099).unwrap_err();
    assert!(error.to_string().contains("--max-spool"), "{error}");
    let error = unpack(member(b"x", b'0', b"").repeat(MEMBERS + 1), 0).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Limit(_)), "{error}");
    // A name of 4 GiB, in a header alone.
    let huge = header(b"n", b'L', 1 << 32, b"");
    assert!(unpack(huge, 0).unwrap().damage.is_some());
    let mut base256 = header(b"n", b'0', 0, b"");
    base256[124] = 0x80;
    base256[125..136].fill(0xff);
    let done = unpack(summed(base256), 0).unwrap();
    assert!(done.damage.is_some());
}

#[test]
fn numbers_have_two_forms() {
    assert_eq!(number(b"0000644\0"), Some(0o644));
    assert_eq!(number(b"  17 \0"), Some(0o17));
    assert_eq!(number(b"\0\0\0\0"), Some(0));
    assert_eq!(number(b"09"), None);
    assert_eq!(number(b"\x80\0\0\x01\0"), Some(256));
    assert_eq!(number(b"\xff\xff\xff"), None);
}
