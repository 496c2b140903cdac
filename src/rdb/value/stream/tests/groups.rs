//! Groups, consumers and pending entries.

use super::{Build, Told, encode, put, raw};
use crate::bytes::Problem;
use crate::rdb::string::write_number;
use crate::record::RdbType;

/// A stream without entries, with these groups.
fn groups_only(rdb_type: RdbType, groups: &[Vec<u8>]) -> Build<'_> {
    Build {
        rdb_type,
        nodes: &[],
        length: 0,
        last: 0,
        groups,
    }
}

fn group(
    rdb_type: RdbType,
    name: &[u8],
    pending: &[u64],
    consumers: &[(&[u8], &[u64])],
    unowned: &[u64],
) -> Vec<u8> {
    let mut out = Vec::new();
    let list = |ids: &[u64], out: &mut Vec<u8>| {
        write_number(ids.len() as u64, out);
        for &id in ids {
            out.extend_from_slice(&raw(id));
        }
    };
    put(name, &mut out);
    out.extend_from_slice(&[0; 2]);
    if rdb_type >= RdbType::Stream2 {
        out.push(0);
    }
    write_number(pending.len() as u64, &mut out);
    for &id in pending {
        out.extend_from_slice(&raw(id));
        out.extend_from_slice(&id.to_le_bytes());
        out.push(1);
    }
    write_number(consumers.len() as u64, &mut out);
    for (name, ids) in consumers {
        put(name, &mut out);
        out.extend_from_slice(&[0; 8]);
        if rdb_type >= RdbType::Stream3 {
            out.extend_from_slice(&[0; 8]);
        }
        list(ids, &mut out);
    }
    if rdb_type >= RdbType::Stream5 {
        list(unowned, &mut out);
    }
    out
}

fn group1(pending: &[u64], consumers: &[(&[u8], &[u64])]) -> Vec<u8> {
    group(RdbType::Stream1, b"g", pending, consumers, &[])
}

/// Names of the consumers in the order of the pending entries.
fn owners(told: &Told) -> Vec<&str> {
    let words = told.lines.iter().filter(|line| line.starts_with("pending"));
    words.map(|line| line.split(' ').nth(2).unwrap()).collect()
}

#[test]
fn each_pending_entry_has_one_consumer_and_each_of_a_consumers_is_pending() {
    let flaws = |group: Vec<u8>| groups_only(RdbType::Stream1, &[group]).problems();
    assert_eq!(
        flaws(group1(&[1, 2, 3], &[(b"a", &[1, 3]), (b"b", &[2])])),
        []
    );
    assert_eq!(
        flaws(group1(&[1, 2, 3], &[(b"a", &[1, 3])])),
        [Problem::PendingOwner]
    );
    for unknown in [0, 2, 9] {
        let mut list = [1, 3, unknown];
        list.sort_unstable();
        assert_eq!(
            flaws(group1(&[1, 3], &[(b"a", &list)])),
            [Problem::PendingUnknown],
            "{unknown}"
        );
    }
    assert_eq!(
        flaws(group1(&[], &[(b"a", &[5])])),
        [Problem::PendingUnknown]
    );
    assert_eq!(
        flaws(group1(&[1, 3], &[(b"a", &[1, 3]), (b"b", &[3])])),
        [Problem::PendingShared]
    );
    assert_eq!(
        flaws(group1(&[1, 3], &[(b"a", &[1, 1, 3])])),
        [Problem::PendingTwice]
    );
    assert_eq!(
        flaws(group1(&[1, 1], &[(b"a", &[1])])),
        [Problem::PendingTwice]
    );
}

#[test]
fn lists_that_do_not_ascend_are_joined_all_the_same() {
    let groups = [group1(
        &[5, 1, 3, 9],
        &[(b"a", &[9, 1]), (b"b", &[3]), (b"c", &[5])],
    )];
    let told = groups_only(RdbType::Stream1, &groups).told().unwrap();
    let problems: Vec<_> = told.flaws.iter().map(|flaw| flaw.0).collect();
    assert_eq!(problems, [Problem::StreamOrder]);
    assert_eq!(owners(&told), ["a", "b", "c", "a"]);
    assert_eq!(told.lines[3], "pending 0-1 a 1 1");
}

#[test]
fn an_entry_that_no_consumer_owns_is_sound_in_type_27_alone() {
    let new = |pending: &[u64], consumers: &[(&[u8], &[u64])], unowned: &[u64]| {
        let groups = [group(RdbType::Stream5, b"g", pending, consumers, unowned)];
        let build = groups_only(RdbType::Stream5, &groups);
        (build.told().unwrap(), build.bytes())
    };
    let (told, bytes) = new(&[1, 2, 3], &[(b"a", &[1])], &[2, 3]);
    assert_eq!(owners(&told), ["a", "-", "-"]);
    assert!(told.flaws.is_empty());
    assert_eq!(
        encode(RdbType::Stream5, &bytes, RdbType::Stream5).unwrap(),
        bytes
    );
    let error = encode(RdbType::Stream5, &bytes, RdbType::Stream4).unwrap_err();
    assert!(error.to_string().contains("type 26"), "{error}");
    let first = |told: Told| told.flaws.first().map(|flaw| flaw.0);
    assert_eq!(first(new(&[1], &[], &[]).0), Some(Problem::PendingOwner));
    assert_eq!(first(new(&[1], &[], &[2]).0), Some(Problem::PendingUnknown));
    assert_eq!(
        first(new(&[1], &[(b"a", &[1])], &[1]).0),
        Some(Problem::PendingShared)
    );
    assert_eq!(
        first(new(&[1], &[], &[1, 1]).0),
        Some(Problem::PendingTwice)
    );
}

#[test]
fn names_stand_once() {
    let problems = |groups: &[Vec<u8>]| groups_only(RdbType::Stream1, groups).problems();
    let named = |name: &[u8]| group(RdbType::Stream1, name, &[], &[], &[]);
    assert_eq!(problems(&[named(b"a"), named(b"b")]), []);
    assert_eq!(
        problems(&[named(b"a"), named(b"12"), named(b"12"), named(b"a")]),
        [Problem::StreamNameTwice; 2]
    );
    let consumers: &[(&[u8], &[u64])] = &[(b"a", &[]), (b"b", &[1]), (b"a", &[])];
    assert_eq!(
        problems(&[group1(&[1], consumers)]),
        [Problem::StreamNameTwice]
    );
}

/// More entries than a window holds, dealt to `consumers` in turn.
fn dealt(count: u64, consumers: u64, order: impl Fn(&mut Vec<u64>)) -> (Vec<u8>, Vec<String>) {
    let mut pending: Vec<u64> = (1..=count).collect();
    order(&mut pending);
    let mut lists = vec![Vec::new(); consumers as usize];
    for &id in &pending {
        lists[(id % consumers) as usize].push(id);
    }
    let names: Vec<String> = (0..consumers).map(|i| format!("c{i}")).collect();
    let consumers: Vec<(&[u8], &[u64])> = names
        .iter()
        .zip(&lists)
        .map(|(name, list)| (name.as_bytes(), list.as_slice()))
        .collect();
    let owners = pending
        .iter()
        .map(|id| format!("c{}", id % lists.len() as u64));
    let owners = owners.collect();
    (group1(&pending, &consumers), owners)
}

#[test]
fn pending_entries_beyond_a_window_find_their_consumers() {
    for (count, consumers) in [(16_384, 1), (16_385, 3), (50_000, 7), (40_000, 20_000)] {
        let (group, expected) = dealt(count, consumers, |_| {});
        let groups = [group];
        let told = groups_only(RdbType::Stream1, &groups).told().unwrap();
        assert!(told.flaws.is_empty());
        assert_eq!(owners(&told), expected);
        assert_eq!(told.lines[3], format!("pending 0-1 {} 1 1", expected[0]));
    }
}

#[test]
fn pending_entries_beyond_a_wide_window_find_theirs_even_out_of_order() {
    let (group, expected) = dealt(600_000, 3, |ids| ids.swap(0, 1));
    let groups = [group];
    let told = groups_only(RdbType::Stream1, &groups).told().unwrap();
    let problems: Vec<_> = told.flaws.iter().map(|flaw| flaw.0).collect();
    assert_eq!(problems, [Problem::StreamOrder]);
    // The first window is sorted.
    assert_eq!(owners(&told)[2..], expected[2..]);
    assert_eq!(owners(&told)[..2], ["c1", "c2"]);
}
