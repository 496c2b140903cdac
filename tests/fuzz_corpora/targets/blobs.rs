//! The packed forms: what is read is written and read again; what cannot be read is said so, within
//! the bytes. Each is written in another form as well where that can hold the same.

use redkit::bytes::{Element, Fault};
use redkit::encoding::intset::{self, Intset};
use redkit::encoding::listpack::{Listpack, ListpackWriter};
use redkit::encoding::lzf;
use redkit::encoding::ziplist::{Ziplist, ZiplistWriter};
use redkit::encoding::zipmap::Zipmap;

type Read = Result<Vec<Vec<u8>>, Fault>;

fn fits(blob: &[u8], fault: Fault) {
    assert!(fault.rest <= blob.len(), "{fault:?}");
}

fn read_listpack(blob: &[u8]) -> Read {
    let pack = Listpack::open(blob)?;
    let mut entries = pack.entries();
    let mut all = Vec::new();
    while let Some(element) = entries.next()? {
        all.push(element.to_bytes().into_owned());
    }
    match entries.flaw() {
        None => Ok(all),
        Some(fault) => Err(fault),
    }
}

fn read_ziplist(blob: &[u8]) -> Read {
    let list = Ziplist::open(blob)?;
    let mut entries = list.entries();
    let mut all = Vec::new();
    while let Some(element) = entries.next()? {
        all.push(element.to_bytes().into_owned());
    }
    match entries.flaw() {
        None => Ok(all),
        Some(fault) => Err(fault),
    }
}

fn in_both(all: &[Vec<u8>]) {
    let (mut pack, mut list) = (ListpackWriter::new(), ZiplistWriter::new());
    for one in all {
        pack.push(Element::Bytes(one));
        list.push(Element::Bytes(one));
    }
    let (mut packed, mut listed) = (Vec::new(), Vec::new());
    pack.finish(&mut packed).expect("no more than was read");
    list.finish(&mut listed).expect("no more than was read");
    assert_eq!(read_listpack(&packed).as_deref(), Ok(all));
    assert_eq!(read_ziplist(&listed).as_deref(), Ok(all));
}

pub(super) fn listpack(blob: &[u8]) {
    match read_listpack(blob) {
        Ok(all) => in_both(&all),
        Err(fault) => fits(blob, fault),
    }
    // Small numbers have a way of their own.
    let Ok(pack) = Listpack::open(blob) else {
        return;
    };
    let (mut quick, mut slow) = (pack.entries(), pack.entries());
    loop {
        let small = quick.next_small();
        let (element, same) = match small {
            Some(n) => (slow.next(), Ok(Some(Element::Int(i64::from(n))))),
            None => (slow.next(), quick.next()),
        };
        let shown = |read: &Result<Option<Element<'_>>, Fault>| match read {
            Ok(element) => format!("{:?}", element.as_ref().map(Element::to_bytes)),
            Err(fault) => format!("{fault:?}"),
        };
        assert_eq!(shown(&element), shown(&same));
        if !matches!(element, Ok(Some(_))) {
            break;
        }
    }
}

pub(super) fn ziplist(blob: &[u8]) {
    match read_ziplist(blob) {
        Ok(all) => in_both(&all),
        Err(fault) => fits(blob, fault),
    }
}

pub(super) fn intset(blob: &[u8]) {
    let set = match Intset::open(blob) {
        Ok(set) => set,
        Err(fault) => return fits(blob, fault),
    };
    let mut members = Vec::new();
    let each = |member| {
        members.push(member);
        Ok::<(), ()>(())
    };
    set.for_each(each).expect("nothing fails");
    assert_eq!(members.len() as u64, set.count());
    let flaw = set.flaw();
    if let Some(fault) = flaw {
        fits(blob, fault);
    }
    let (mut sorted, mut out) = (members.clone(), Vec::new());
    if intset::write(&mut sorted, &mut out).is_ok() {
        let again = Intset::open(&out).expect("what was written");
        assert_eq!(again.flaw(), None);
        let mut read = Vec::new();
        let each = |member| {
            read.push(member);
            Ok::<(), ()>(())
        };
        again.for_each(each).expect("nothing fails");
        members.sort_unstable();
        members.dedup();
        assert_eq!(read, members);
    } else {
        assert!(members.is_empty());
    }
}

pub(super) fn zipmap(blob: &[u8]) {
    let map = match Zipmap::open(blob) {
        Ok(map) => map,
        Err(fault) => return fits(blob, fault),
    };
    let mut entries = map.entries();
    loop {
        match entries.next() {
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(fault) => return fits(blob, fault),
        }
    }
    if let Some(fault) = entries.flaw() {
        fits(blob, fault);
    }
}

/// The plainest way to read the format.
fn plain(data: &[u8], len: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = data;
    while let Some((&control, after)) = rest.split_first() {
        rest = after;
        let control = usize::from(control);
        if control < 32 {
            let (run, after) = rest.split_at_checked(control + 1)?;
            out.extend_from_slice(run);
            rest = after;
        } else {
            let mut count = control >> 5;
            if count == 7 {
                let (&more, after) = rest.split_first()?;
                count += usize::from(more);
                rest = after;
            }
            let (&low, after) = rest.split_first()?;
            rest = after;
            let distance = ((control & 31) << 8 | usize::from(low)) + 1;
            let from = out.len().checked_sub(distance)?;
            for at in from..from + count + 2 {
                out.push(out[at]);
            }
        }
        if out.len() > len {
            return None;
        }
    }
    (out.len() == len).then_some(out)
}

pub(super) fn lzf(data: &[u8]) {
    let Some((&[low, high], packed)) = data.split_first_chunk() else {
        return;
    };
    let claimed = usize::from(u16::from_le_bytes([low, high]));
    let expected = plain(packed, claimed);
    let mut out = Vec::new();
    let read = lzf::decompress_into(packed, claimed as u64, &mut out);
    assert_eq!(read.is_ok(), expected.is_some(), "{read:?}");
    if let Some(expected) = &expected {
        assert_eq!(&out, expected);
    }
    assert_eq!(
        lzf::verify(packed, claimed as u64).is_ok(),
        expected.is_some()
    );
    let half = packed.len() / 2;
    let (one, other) = packed.split_at(half);
    let both = lzf::verify_two([(one, claimed as u64), (other, claimed as u64)]);
    let each = [one, other].map(|part| lzf::verify(part, claimed as u64));
    assert_eq!(both.map(|r| r.is_ok()), each.map(|r| r.is_ok()));
    let mut compressed = Vec::new();
    if lzf::compress_into(packed, &mut compressed) {
        assert_eq!(
            plain(&compressed, packed.len()).as_deref(),
            Some(packed),
            "what is compressed"
        );
    }
}
