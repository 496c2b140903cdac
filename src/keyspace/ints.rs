//! Integers in order: the intset of a set.

use crate::bytes::Element;

/// Integers, ascending, each once, at the width that the widest so far needed.
#[derive(Clone, Debug)]
pub(super) enum Ints {
    Two(Box<[i16]>),
    Four(Box<[i32]>),
    Eight(Box<[i64]>),
}

impl Default for Ints {
    fn default() -> Self {
        Ints::Two(Box::default())
    }
}

impl Ints {
    /// Adds one; false where it was there.
    pub(super) fn add(&mut self, n: i64) -> bool {
        self.widen(n);
        match self {
            Ints::Two(all) => i16::try_from(n).is_ok_and(|n| add(all, n)),
            Ints::Four(all) => i32::try_from(n).is_ok_and(|n| add(all, n)),
            Ints::Eight(all) => add(all, n),
        }
    }

    /// Takes one out; false where it was not there.
    pub(super) fn remove(&mut self, n: i64) -> bool {
        match self {
            Ints::Two(all) => i16::try_from(n).is_ok_and(|n| remove(all, n)),
            Ints::Four(all) => i32::try_from(n).is_ok_and(|n| remove(all, n)),
            Ints::Eight(all) => remove(all, n),
        }
    }

    #[inline]
    pub(super) fn contains(&self, n: i64) -> bool {
        match self {
            Ints::Two(all) => i16::try_from(n).is_ok_and(|n| all.binary_search(&n).is_ok()),
            Ints::Four(all) => i32::try_from(n).is_ok_and(|n| all.binary_search(&n).is_ok()),
            Ints::Eight(all) => all.binary_search(&n).is_ok(),
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        match self {
            Ints::Two(all) => all.len(),
            Ints::Four(all) => all.len(),
            Ints::Eight(all) => all.len(),
        }
    }

    /// Bytes on the heap.
    pub(super) fn heap(&self) -> usize {
        match self {
            Ints::Two(all) => size_of_val(&**all),
            Ints::Four(all) => size_of_val(&**all),
            Ints::Eight(all) => size_of_val(&**all),
        }
    }

    /// All in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Element<'_>> + Clone {
        let (two, four, eight) = match self {
            Ints::Two(all) => (&**all, &[] as &[i32], &[] as &[i64]),
            Ints::Four(all) => (&[] as &[i16], &**all, &[] as &[i64]),
            Ints::Eight(all) => (&[] as &[i16], &[] as &[i32], &**all),
        };
        let narrow = two.iter().map(|&n| i64::from(n));
        let all = narrow.chain(four.iter().map(|&n| i64::from(n)));
        all.chain(eight.iter().copied()).map(Element::Int)
    }

    /// Gives it a width that holds this one.
    #[inline]
    fn widen(&mut self, n: i64) {
        let wider = match self {
            Ints::Two(all) if i16::try_from(n).is_err() => match i32::try_from(n) {
                Ok(_) => Ints::Four(all.iter().map(|&n| n.into()).collect()),
                Err(_) => Ints::Eight(all.iter().map(|&n| n.into()).collect()),
            },
            Ints::Four(all) if i32::try_from(n).is_err() => {
                Ints::Eight(all.iter().map(|&n| n.into()).collect())
            }
            _ => return,
        };
        *self = wider;
    }
}

fn add<N: Ord + Copy>(all: &mut Box<[N]>, n: N) -> bool {
    // Most are added in order.
    let at = match all.last() {
        Some(last) if *last < n => all.len(),
        _ => match all.binary_search(&n) {
            Ok(_) => return false,
            Err(at) => at,
        },
    };
    let mut grown = std::mem::take(all).into_vec();
    grown.reserve_exact(1);
    grown.insert(at, n);
    *all = grown.into_boxed_slice();
    true
}

fn remove<N: Ord + Copy>(all: &mut Box<[N]>, n: N) -> bool {
    let Ok(at) = all.binary_search(&n) else {
        return false;
    };
    let mut shrunk = std::mem::take(all).into_vec();
    shrunk.remove(at);
    *all = shrunk.into_boxed_slice();
    true
}
