//! Sorting of a part: what the servers do where only the first few of a result are wanted.
//!
//! It is the quicksort of Bentley and McIlroy ("Engineering a sort function", 1993), which leaves
//! alone what lies beyond the part. Which of several equal elements come into the part depends on
//! every exchange, so that it has to be this one.

use std::cmp::Ordering;

/// Sorts so that the elements up to `last` (its index) are those that stand there in the end.
pub(super) fn sort_first<T>(all: &mut [T], last: usize, compare: impl Fn(&T, &T) -> Ordering) {
    let mut waiting = vec![(0, all.len())];
    while let Some((start, end)) = waiting.pop() {
        let Some(part) = all.get_mut(start..end) else {
            continue;
        };
        let Some((below, above)) = split(part, &compare) else {
            continue;
        };
        for (from, to) in [(start, start + below), (end - above, end)] {
            if to - from > 1 && from <= last {
                waiting.push((from, to));
            }
        }
    }
}

/// Sorts a small part; parts a larger one by one of its elements: how many are below and above that.
fn split<T>(part: &mut [T], compare: &impl Fn(&T, &T) -> Ordering) -> Option<(usize, usize)> {
    let count = part.len();
    if count < 7 {
        for n in 1..count {
            let mut at = n;
            while at > 0 && compare(&part[at - 1], &part[at]).is_gt() {
                part.swap(at, at - 1);
                at -= 1;
            }
        }
        return None;
    }
    let middle = choose(part, compare);
    part.swap(0, middle);
    // Equal ones gather at both ends, those below and above between.
    let (mut low_equal, mut low) = (1, 1);
    let (mut high, mut high_equal) = (count - 1, count - 1);
    loop {
        while low <= high {
            let order = compare(&part[low], &part[0]);
            if order.is_gt() {
                break;
            }
            if order.is_eq() {
                part.swap(low_equal, low);
                low_equal += 1;
            }
            low += 1;
        }
        while low <= high {
            let order = compare(&part[high], &part[0]);
            if order.is_lt() {
                break;
            }
            if order.is_eq() {
                part.swap(high, high_equal);
                high_equal -= 1;
            }
            high -= 1;
        }
        if low > high {
            break;
        }
        part.swap(low, high);
        low += 1;
        high -= 1;
    }
    let (below, above) = (low - low_equal, high_equal - high);
    exchange(part, 0, low, low_equal.min(below));
    exchange(part, low, count, above.min(count - high_equal - 1));
    Some((below, above))
}

/// Exchanges so many elements from `start` on with as many before `end`.
fn exchange<T>(part: &mut [T], start: usize, end: usize, count: usize) {
    for n in 0..count {
        part.swap(start + n, end - count + n);
    }
}

/// The element to part by.
fn choose<T>(part: &[T], compare: &impl Fn(&T, &T) -> Ordering) -> usize {
    let count = part.len();
    let (mut low, mut middle, mut high) = (0, count / 2, count - 1);
    if count == 7 {
        return middle;
    }
    let median = |a: usize, b: usize, c: usize| {
        let order = |x: usize, y: usize| compare(&part[x], &part[y]);
        if order(a, b).is_lt() {
            match (order(b, c).is_lt(), order(a, c).is_lt()) {
                (true, _) => b,
                (false, true) => c,
                (false, false) => a,
            }
        } else {
            match (order(b, c).is_gt(), order(a, c).is_lt()) {
                (true, _) => b,
                (false, true) => a,
                (false, false) => c,
            }
        }
    };
    if count > 40 {
        let step = count / 8;
        low = median(low, low + step, low + 2 * step);
        middle = median(middle - step, middle, middle + step);
        high = median(high - 2 * step, high - step, high);
    }
    median(low, middle, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_those_of_a_sorted_whole() {
        let mut seed = 1u32;
        for count in [0, 1, 2, 6, 7, 8, 40, 41, 100, 1000] {
            for distinct in [1, 2, 10, 1_000_000] {
                let mut all: Vec<u32> = (0..count)
                    .map(|_| {
                        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        (seed >> 8) % distinct
                    })
                    .collect();
                let mut sorted = all.clone();
                sorted.sort_unstable();
                let last = all.len() / 3;
                sort_first(&mut all, last, Ord::cmp);
                let wanted = (last + 1).min(all.len());
                assert_eq!(all[..wanted], sorted[..wanted]);
                all.sort_unstable();
                assert_eq!(all, sorted);
            }
        }
    }
}
