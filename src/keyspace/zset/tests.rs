use std::collections::BTreeMap;

use super::*;
use crate::command::Like;

fn rules(like: &str) -> Rules {
    let like: Like = like.parse().unwrap();
    Rules::new(like, None)
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

type Model = BTreeMap<Vec<u8>, f64>;

fn sorted(model: &Model) -> Vec<(Vec<u8>, f64)> {
    let mut all: Vec<_> = model.iter().map(|(m, s)| (m.clone(), *s)).collect();
    all.sort_by(|a, b| order(a.1, &a.0, b.1, &b.0));
    all
}

fn told<'a>(members: impl Iterator<Item = (&'a [u8], f64)>) -> Vec<(Vec<u8>, f64)> {
    members.map(|(m, s)| (m.to_vec(), s)).collect()
}

/// Random changes, and every question after some of them, held against a plain map.
fn against_a_map(entries: usize, names: u64, scores: u64, steps: usize, seed: u64) {
    let mut rules = rules("redis-7.0");
    rules.zset_entries = entries;
    let mut random = Random(seed);
    let (mut zset, mut model) = (ZSet::new(), Model::new());
    for step in 0..steps {
        // It grows, then shrinks, and so again.
        let grows = (step * 4 / steps).is_multiple_of(2);
        let member = format!("member:{}", random.below(names)).into_bytes();
        let score = random.below(scores) as f64 / 4.0 - 3.0;
        match random.below(100) {
            0..=69 if grows => {
                let change = match model.insert(member.clone(), score) {
                    None => Change::New,
                    Some(old) if old == score => Change::None,
                    Some(_) => Change::Score,
                };
                assert_eq!(zset.insert(&member, score, &rules), change);
            }
            70..=71 => {
                let all = sorted(&model);
                let from = random.below(all.len() as u64 + 1) as usize;
                let to = from + random.below(12) as usize;
                for (member, _) in all.iter().take(to).skip(from) {
                    model.remove(member);
                }
                let gone = zset.remove_range(from, to);
                assert_eq!(gone, to.min(all.len()).saturating_sub(from));
            }
            _ => {
                let gone = model.remove(&member).is_some();
                assert_eq!(zset.remove(&member), gone);
            }
        }
        assert_eq!(zset.len(), model.len());
        if step % 97 != 0 && step + 1 != steps {
            continue;
        }
        let all = sorted(&model);
        assert_eq!(told(zset.iter()), all);
        let mut back = told(zset.iter().rev());
        back.reverse();
        assert_eq!(back, all);
        let from = random.below(all.len() as u64 + 2) as usize;
        let to = random.below(all.len() as u64 + 2) as usize;
        let expected: Vec<_> = all.iter().take(to).skip(from).cloned().collect();
        assert_eq!(told(zset.range(from, to.max(from))), expected);
        let rank = all.iter().position(|(m, _)| *m == member);
        assert_eq!(zset.rank(&member).map(|(rank, _)| rank), rank);
        assert_eq!(zset.get(&member), model.get(&member).copied());
        for (low, high) in [(false, false), (true, false), (false, true), (true, true)] {
            let top = score + random.below(8) as f64 / 4.0;
            let (min, max) = (
                Bound {
                    at: score,
                    excluded: low,
                },
                Bound {
                    at: top,
                    excluded: high,
                },
            );
            let (from, to) = zset.score_range(min, max);
            let inside =
                |s: f64| (s > score || (!low && s == score)) && (s < top || (!high && s == top));
            let expected: Vec<_> = all.iter().filter(|(_, s)| inside(*s)).cloned().collect();
            assert_eq!(told(zset.range(from, to)), expected);
        }
        assert!(zset.heap() > 0 || all.is_empty());
    }
}

#[test]
fn both_forms_do_as_a_map_does() {
    against_a_map(128, 100, 40, 8_000, 1);
    against_a_map(128, 400, 3, 8_000, 2);
    against_a_map(0, 60, 1, 3_000, 3);
    against_a_map(0, 8_000, 100_000, 30_000, 4);
    against_a_map(0, 8_000, 2, 30_000, 5);
}

#[test]
fn many_chunks_are_split_and_joined() {
    let rules = rules("redis-7.0");
    let mut zset = ZSet::new();
    for n in 0..100_000u32 {
        let n = n.wrapping_mul(2_654_435_761) % 100_000;
        zset.insert(format!("{n:06}").as_bytes(), f64::from(n / 10), &rules);
    }
    assert_eq!(zset.len(), zset.iter().count());
    assert!(zset.heap() < zset.len() * 80, "{}", zset.heap());
    // From both ends and the middle, until little is left.
    while zset.len() > 50 {
        let len = zset.len();
        zset.remove_range(0, 7);
        zset.remove_range(zset.len() - 5, zset.len());
        let middle = zset.len() / 2;
        let from = middle.saturating_sub(len / 20);
        zset.remove_range(from, middle);
        let rank = zset.len() / 3;
        let (member, _) = zset.range(rank, rank + 1).next().unwrap();
        let member = member.to_vec();
        assert_eq!(zset.rank(&member).unwrap().0, rank);
        assert!(
            zset.iter()
                .zip(zset.iter().skip(1))
                .all(|(a, b)| order(a.1, a.0, b.1, b.0).is_lt())
        );
    }
    assert!(!zset.is_packed());
}

#[test]
fn a_range_over_the_edge_of_two_chunks_is_removed() {
    let rules = rules("redis-7.0");
    for (from, to) in [
        (500, 520),
        (500, 1100),
        (0, 600),
        (512, 1024),
        (100, 110),
        (1000, 1025),
    ] {
        let mut zset = ZSet::new();
        for n in 0..1500u32 {
            zset.insert(format!("{n}").as_bytes(), f64::from(n), &rules);
        }
        assert_eq!(zset.remove_range(from, to), to - from);
        let left = (0..1500u32).filter(|n| !(from..to).contains(&(*n as usize)));
        for (rank, n) in left.enumerate() {
            let member = format!("{n}");
            assert_eq!(zset.rank(member.as_bytes()), Some((rank, f64::from(n))));
            assert_eq!(
                zset.range(rank, rank + 1).next().unwrap().0,
                member.as_bytes()
            );
        }
        assert_eq!(zset.len(), zset.iter().rev().count());
    }
}

#[test]
fn a_range_by_bytes_is_a_range() {
    let mut rules = rules("redis-7.0");
    for entries in [0, 128] {
        rules.zset_entries = entries;
        let mut zset = ZSet::new();
        for name in ["a", "b", "bb", "c", "d"] {
            zset.insert(name.as_bytes(), 0.0, &rules);
        }
        let range = |min, low, max, high| {
            let (min, max) = (
                Bound {
                    at: min,
                    excluded: low,
                },
                Bound {
                    at: max,
                    excluded: high,
                },
            );
            assert_eq!(
                zset.lex_range(min, max, 0),
                zset.lex_range_back(min, max, 0)
            );
            let (from, to) = zset.lex_range(min, max, 0);
            told(zset.range(from, to))
                .into_iter()
                .map(|(m, _)| String::from_utf8(m).unwrap())
                .collect::<Vec<_>>()
        };
        let at = |name: &'static str| Lex::At(name.as_bytes());
        assert_eq!(range(Lex::Lowest, false, Lex::Highest, false).len(), 5);
        assert_eq!(range(at("b"), false, at("c"), true), ["b", "bb"]);
        assert_eq!(range(at("b"), true, at("c"), false), ["bb", "c"]);
        assert!(range(at("b"), true, at("b"), false).is_empty());
        assert!(range(Lex::Highest, false, Lex::Lowest, false).is_empty());
        assert!(range(Lex::Lowest, false, Lex::Lowest, false).is_empty());
        assert!(range(at("x"), false, Lex::Highest, false).is_empty());
    }
}

#[test]
fn forms_change_where_a_server_changes_them() {
    let rules = rules("redis-7.0");
    let mut zset = ZSet::new();
    for n in 0..128 {
        zset.insert(format!("{n}").as_bytes(), 1.0, &rules);
    }
    assert_eq!(zset.rdb_type(&rules), RdbType::ZsetListpack);
    zset.insert(b"5", 7.0, &rules);
    assert!(zset.is_packed());
    zset.insert(b"one more", 7.0, &rules);
    assert_eq!(zset.rdb_type(&rules), RdbType::ZsetBinary);
    zset.remove_range(0, 128);
    assert!(!zset.is_packed());
    let mut zset = ZSet::new();
    zset.insert(&[b'x'; 64], 1.0, &rules);
    assert!(zset.is_packed());
    zset.insert(&[b'x'; 65], 1.0, &rules);
    assert!(!zset.is_packed());
    let old = super::tests::rules("redis-6.2");
    let mut zset = ZSet::new();
    zset.insert(b"a", -0.0, &old);
    assert_eq!(zset.rdb_type(&old), RdbType::ZsetZiplist);
    assert!(zset.get(b"a").unwrap().is_sign_negative());
    let mut zset = ZSet::new();
    zset.insert(b"a", -0.0, &rules);
    assert!(zset.get(b"a").unwrap().is_sign_positive());
}

#[test]
fn what_comes_packed_stays_so_and_what_comes_as_a_table_is_packed_if_small() {
    let rules = rules("redis-7.0");
    let long = vec![b'x'; 1000];
    let mut builder = Builder::packed();
    builder.push(&long, 2.0);
    builder.push(b"a", -0.0);
    let zset = builder.finish(&rules);
    assert!(zset.is_packed());
    assert!(zset.get(b"a").unwrap().is_sign_negative());
    let mut builder = Builder::table();
    builder.push(b"b", 2.0);
    builder.push(b"a", -0.0);
    let zset = builder.finish(&rules);
    assert!(zset.is_packed());
    assert!(zset.get(b"a").unwrap().is_sign_positive());
    assert_eq!(told(zset.iter()).len(), 2);
    let mut builder = Builder::table();
    builder.push(&long, 2.0);
    assert!(!builder.finish(&rules).is_packed());
}

#[test]
fn it_is_three_words() {
    assert!(size_of::<ZSet>() <= 24, "{}", size_of::<ZSet>());
}
