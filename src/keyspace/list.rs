//! A list.

use std::collections::VecDeque;

use crate::bytes::Element;
use crate::encoding::listpack::{HEADER, Listpack, Made};
use crate::error::Result;
#[cfg(test)]
use crate::keyspace::node::NODE;
use crate::keyspace::node::{Node, Wanted};
use crate::keyspace::rules::Rules;
use crate::record::{DataType, RdbType, ValueVisitor};

pub use crate::keyspace::node::End;

/// Elements in order: in one node as long as they fit, then in a row of them.
#[derive(Clone, Debug)]
pub struct List(Repr);

#[derive(Clone, Debug)]
enum Repr {
    One(Node),
    Many(Box<Many>),
}

/// Two nodes or more, none of them empty.
#[derive(Clone, Debug)]
struct Many {
    nodes: VecDeque<Node>,
    len: usize,
}

impl Default for List {
    fn default() -> Self {
        List(Repr::One(Node::new()))
    }
}

impl List {
    /// An empty one.
    #[inline]
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at the bytes that it holds itself. Means nothing.
    #[inline]
    pub fn fetch(&self) -> usize {
        match &self.0 {
            Repr::One(node) => node.fetch(),
            Repr::Many(many) => many.len,
        }
    }

    /// Puts an element at an end.
    #[inline]
    pub fn push(&mut self, element: &[u8], end: End) {
        let made = Made::of(Element::Bytes(element));
        match &mut self.0 {
            Repr::One(node) if node.fits(made.len()) => node.push(&made, end),
            Repr::One(node) if node.is_empty() => *node = Node::of(element),
            Repr::One(_) => self.grow(element, end),
            Repr::Many(many) => {
                let node = match end {
                    End::Head => many.nodes.front_mut(),
                    End::Tail => many.nodes.back_mut(),
                };
                match node {
                    Some(node) if node.fits(made.len()) => {
                        node.push(&made, end);
                        many.len += 1;
                    }
                    _ => self.grow(element, end),
                }
            }
        }
    }

    /// Puts the elements of a listpack behind all others; none if anything is wrong with it.
    pub fn append(&mut self, blob: &[u8]) -> Option<()> {
        let mut entries = Listpack::open(blob).ok()?.entries();
        loop {
            entries.skip_plain(u64::MAX);
            if entries.next().ok()?.is_none() {
                break;
            }
        }
        if entries.flaw().is_some() {
            return None;
        }
        let count = entries.seen();
        let packed = blob.get(HEADER..blob.len() - 1)?;
        match Node::copied(packed, count) {
            Some(node) if self.is_empty() => self.0 = Repr::One(node),
            Some(node) => {
                self.spread();
                if let Repr::Many(many) = &mut self.0 {
                    many.len += node.len();
                    many.nodes.push_back(node);
                }
            }
            // Too long for a node of ours, or without elements.
            None => {
                let mut entries = Listpack::open(blob).ok()?.entries();
                while let Some(element) = entries.next().ok()? {
                    self.push(element.bytes(&mut itoa::Buffer::new()), End::Tail);
                }
            }
        }
        Some(())
    }

    /// Takes so many elements from an end, or all.
    #[inline]
    pub fn drop(&mut self, mut count: usize, end: End) {
        let many = match &mut self.0 {
            Repr::One(node) if count < node.len() => return node.drop(count, end),
            Repr::One(node) => {
                *node = Node::new();
                return;
            }
            Repr::Many(many) => many,
        };
        count = count.min(many.len);
        many.len -= count;
        while count > 0 {
            let node = match end {
                End::Head => many.nodes.front_mut(),
                End::Tail => many.nodes.back_mut(),
            };
            let Some(node) = node else { break };
            if count < node.len() {
                node.drop(count, end);
                break;
            }
            count -= node.len();
            match end {
                End::Head => many.nodes.pop_front(),
                End::Tail => many.nodes.pop_back(),
            };
        }
        self.settle();
    }

    /// Puts an element in front of that with an index, or behind the last.
    pub fn insert(&mut self, index: usize, element: &[u8]) {
        if index == 0 || index >= self.len() {
            let end = if index == 0 { End::Head } else { End::Tail };
            return self.push(element, end);
        }
        let made = Made::of(Element::Bytes(element));
        let (at, inside) = self.locate(index);
        if let Repr::One(node) = &mut self.0 {
            if node.fits(made.len()) {
                return node.insert(node.offset(inside), &made);
            }
            self.spread();
        }
        let Repr::Many(many) = &mut self.0 else {
            return;
        };
        many.len += 1;
        let Some(node) = many.nodes.get_mut(at) else {
            return;
        };
        if node.fits(made.len()) {
            return node.insert(node.offset(inside), &made);
        }
        // It goes between two nodes: those that are there, or the halves of one.
        let mut place = at;
        if inside > 0 {
            let behind = node.split_off(node.offset(inside), inside);
            many.nodes.insert(at + 1, behind);
            place = at + 1;
        }
        if let Some(before) = place.checked_sub(1).and_then(|at| many.nodes.get_mut(at))
            && before.fits(made.len())
        {
            return before.push(&made, End::Tail);
        }
        match many.nodes.get_mut(place) {
            Some(behind) if behind.fits(made.len()) => behind.push(&made, End::Head),
            _ => many.nodes.insert(place, Node::of(element)),
        }
    }

    /// Puts an element in place of that with an index; false where there is none.
    pub fn set(&mut self, index: usize, element: &[u8]) -> bool {
        if index >= self.len() {
            return false;
        }
        let made = Made::of(Element::Bytes(element));
        let (at, inside) = self.locate(index);
        let node = match &mut self.0 {
            Repr::One(node) => Some(node),
            Repr::Many(many) => many.nodes.get_mut(at),
        };
        let Some(node) = node else { return false };
        if node.len() == 1 {
            *node = Node::of(element);
            return true;
        }
        let offset = node.offset(inside);
        if node.fits_instead(offset, made.len()) {
            node.replace(offset, &made);
            return true;
        }
        // The node is cut behind the old element, which is then the last of the first half.
        self.spread();
        if let Repr::Many(many) = &mut self.0 {
            if let Some(node) = many.nodes.get_mut(at)
                && inside + 1 < node.len()
            {
                let behind = node.split_off(node.offset(inside + 1), inside + 1);
                many.nodes.insert(at + 1, behind);
            }
            match many.nodes.get_mut(at) {
                Some(node) if node.len() > 1 => node.drop(1, End::Tail),
                _ => {
                    many.nodes.remove(at);
                }
            }
            many.len -= 1;
        }
        self.settle();
        self.insert(index, element);
        true
    }

    /// Takes out elements that are equal to one: the first `most` as seen from an end. How many it
    /// took.
    pub fn remove(&mut self, element: &[u8], most: usize, end: End) -> usize {
        let wanted = Wanted::new(element);
        let many = match &mut self.0 {
            Repr::One(node) => return remove_from(node, &wanted, most, end),
            Repr::Many(many) => many,
        };
        let (mut removed, count) = (0, many.nodes.len());
        let (mut touched, mut emptied) = ((usize::MAX, 0), 0);
        for step in 0..count {
            let at = match end {
                End::Head => step,
                End::Tail => count - 1 - step,
            };
            let Some(node) = many.nodes.get_mut(at) else {
                break;
            };
            let here = remove_from(node, &wanted, most - removed, end);
            if here > 0 {
                touched = (touched.0.min(at), touched.1.max(at + 1));
                emptied += usize::from(node.is_empty());
                removed += here;
                if removed == most {
                    break;
                }
            }
        }
        if removed > 0 {
            many.len -= removed;
            many.tidy(touched.0, touched.1, emptied);
            self.settle();
        }
        removed
    }

    /// Elements in it.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::One(node) => node.len(),
            Repr::Many(many) => many.len,
        }
    }

    /// True without elements.
    #[inline]
    pub fn is_empty(&self) -> bool {
        matches!(&self.0, Repr::One(node) if node.is_empty())
    }

    /// The element at an end.
    #[inline]
    pub fn edge(&self, end: End) -> Option<Element<'_>> {
        let node = match &self.0 {
            Repr::One(node) => Some(node),
            Repr::Many(many) => match end {
                End::Head => many.nodes.front(),
                End::Tail => many.nodes.back(),
            },
        };
        node?.edge(end)
    }

    /// The element with an index.
    pub fn get(&self, index: usize) -> Option<Element<'_>> {
        self.iter_from(index).next()
    }

    /// All elements in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Element<'_>> {
        self.nodes(0).flat_map(Node::entries)
    }

    /// The elements from an index on, in order.
    pub fn iter_from(&self, index: usize) -> impl Iterator<Item = Element<'_>> {
        let (at, inside) = match index < self.len() {
            true => self.locate(index),
            false => (usize::MAX, 0),
        };
        self.nodes(at).flat_map(Node::entries).skip(inside)
    }

    /// Of each element in order, whether it is equal to one.
    pub fn matches<'a>(&'a self, element: &'a [u8]) -> impl DoubleEndedIterator<Item = bool> + 'a {
        let wanted = Wanted::new(element);
        self.iter().map(move |element| wanted.is(element))
    }

    /// The index of the first element that is equal to one.
    pub fn find(&self, element: &[u8]) -> Option<usize> {
        self.matches(element).position(|is| is)
    }

    /// The type by which the server would save it.
    pub fn rdb_type(&self, rules: &Rules) -> RdbType {
        if rules.since((7, 0), (0, 0)) {
            RdbType::Quicklist2
        } else {
            RdbType::Quicklist
        }
    }

    /// Tells a visitor the whole value.
    ///
    /// # Errors
    /// What the visitor returned.
    pub fn walk(&self, to: &mut dyn ValueVisitor) -> Result<()> {
        to.begin(DataType::List, Some(self.len() as u64))?;
        for element in self.iter() {
            to.element(element)?;
        }
        to.end(DataType::List)
    }

    /// Bytes that it takes in memory, about.
    pub fn heap(&self) -> usize {
        match &self.0 {
            Repr::One(node) => node.heap(),
            Repr::Many(many) => {
                let nodes = many.nodes.iter().map(Node::heap).sum::<usize>();
                size_of::<Many>() + many.nodes.capacity() * size_of::<Node>() + nodes
            }
        }
    }

    /// The nodes from an index on, none beyond their number.
    fn nodes(&self, from: usize) -> impl DoubleEndedIterator<Item = &Node> {
        let (one, two) = match &self.0 {
            Repr::One(node) => (std::slice::from_ref(node), &[] as &[Node]),
            Repr::Many(many) => many.nodes.as_slices(),
        };
        let second = two
            .get(from.saturating_sub(one.len())..)
            .unwrap_or_default();
        one.get(from..).unwrap_or_default().iter().chain(second)
    }

    /// The node that holds an index, which must be there, and the index in it.
    fn locate(&self, index: usize) -> (usize, usize) {
        let Repr::Many(many) = &self.0 else {
            return (0, index);
        };
        if index < many.len / 2 {
            let mut left = index;
            for (at, node) in many.nodes.iter().enumerate() {
                match left.checked_sub(node.len()) {
                    Some(rest) => left = rest,
                    None => return (at, left),
                }
            }
        }
        let mut before = many.len;
        for (at, node) in many.nodes.iter().enumerate().rev() {
            before -= node.len();
            if before <= index {
                return (at, index - before);
            }
        }
        (0, 0)
    }

    /// Puts an element that has no room in the node at an end into one of its own.
    #[cold]
    fn grow(&mut self, element: &[u8], end: End) {
        self.spread();
        if let Repr::Many(many) = &mut self.0 {
            many.len += 1;
            match end {
                End::Head => {
                    many.nodes.front_mut().into_iter().for_each(Node::shrink);
                    many.nodes.push_front(Node::of(element));
                }
                End::Tail => {
                    many.nodes.back_mut().into_iter().for_each(Node::shrink);
                    many.nodes.push_back(Node::of(element));
                }
            }
        }
    }

    /// Gives it the form for many nodes; [`settle`](Self::settle) takes that back.
    fn spread(&mut self) {
        if let Repr::One(node) = &mut self.0 {
            let node = std::mem::replace(node, Node::new());
            let len = node.len();
            self.0 = Repr::Many(Box::new(Many {
                nodes: VecDeque::from([node]),
                len,
            }));
        }
    }

    /// Gives it the form for one node, if that is all it has.
    #[inline]
    fn settle(&mut self) {
        if let Repr::Many(many) = &mut self.0
            && many.nodes.len() < 2
        {
            let last = many.nodes.pop_front().unwrap_or_else(Node::new);
            self.0 = Repr::One(last);
        }
    }
}

impl Many {
    /// Removes empty nodes and joins small ones with what stands before them, among those from one
    /// index to another.
    fn tidy(&mut self, from: usize, to: usize, emptied: usize) {
        if to - from > 8 {
            let nodes = std::mem::take(&mut self.nodes);
            for node in nodes.into_iter().filter(|node| !node.is_empty()) {
                if !self.nodes.back_mut().is_some_and(|last| last.join(&node)) {
                    self.nodes.push_back(node);
                }
            }
            return;
        }
        let mut left = emptied;
        for at in (from..to).rev() {
            if left > 0 && self.nodes.get(at).is_some_and(Node::is_empty) {
                self.nodes.remove(at);
                left -= 1;
                continue;
            }
            if let Some(before) = at.checked_sub(1)
                && let Some(node) = self.nodes.remove(at)
                && !self.nodes.get_mut(before).is_some_and(|b| b.join(&node))
            {
                self.nodes.insert(at, node);
            }
        }
    }
}

/// Takes out elements of a node that are equal to one: the first `most` as seen from an end.
fn remove_from(node: &mut Node, wanted: &Wanted<'_>, most: usize, end: End) -> usize {
    let found = node.entries().filter(|e| wanted.is(*e)).count();
    let spare = match end {
        End::Head => 0,
        End::Tail => found.saturating_sub(most),
    };
    match found {
        0 => 0,
        _ => node.remove(wanted, spare, most),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Random(u64);

    impl Random {
        fn below(&mut self, n: usize) -> usize {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as usize % n
        }

        fn end(&mut self) -> End {
            [End::Head, End::Tail][self.below(2)]
        }

        fn string(&mut self, long: usize) -> Vec<u8> {
            match self.below(40) {
                0 => Vec::new(),
                1..4 => vec![b'x'; self.below(long) + 1],
                4 => vec![b'y'; [4089, 4090, 4091, 4092, 4096, 4097, 9000][self.below(7)]],
                5..12 => {
                    let bits = self.below(64) as u32;
                    ((self.0 as i64) >> bits).to_string().into_bytes()
                }
                12 => b"01".to_vec(),
                _ => format!("e{}", self.below(20)).into_bytes(),
            }
        }
    }

    fn owned(element: Element<'_>) -> Vec<u8> {
        element.to_bytes().into_owned()
    }

    fn same(list: &List, model: &VecDeque<Vec<u8>>) {
        assert_eq!(list.len(), model.len());
        assert_eq!(list.is_empty(), model.is_empty());
        assert!(list.iter().map(owned).eq(model.iter().cloned()));
        assert!(list.iter().rev().map(owned).eq(model.iter().rev().cloned()));
        for (end, expected) in [(End::Head, model.front()), (End::Tail, model.back())] {
            assert_eq!(list.edge(end).map(owned).as_ref(), expected);
        }
    }

    #[test]
    fn it_is_three_words() {
        assert_eq!(size_of::<List>(), 24);
        assert_eq!(size_of::<Node>(), 24);
    }

    #[test]
    fn edited_anywhere_it_holds_what_a_deque_holds() {
        let mut random = Random(3);
        for round in 0..24 {
            let (mut list, mut model) = (List::new(), VecDeque::new());
            // Many short elements, or few nodes with long ones; it grows, then shrinks.
            let long = [20, 3000][round % 2];
            let steps = [300, 2500][(round % 2) ^ 1];
            for step in 0..steps {
                let grows = step < steps * 2 / 3;
                let index = random.below(model.len() + 1);
                let element = random.string(long);
                match random.below(16) {
                    0..5 if grows => {
                        for _ in 0..random.below(8) {
                            let (element, end) = (random.string(long), random.end());
                            list.push(&element, end);
                            match end {
                                End::Head => model.push_front(element),
                                End::Tail => model.push_back(element),
                            }
                        }
                    }
                    5..9 if grows => {
                        list.insert(index, &element);
                        model.insert(index, element);
                    }
                    9..12 => {
                        assert_eq!(list.set(index, &element), index < model.len());
                        if let Some(old) = model.get_mut(index) {
                            *old = element;
                        }
                    }
                    12 => {
                        let most = [1, 2, 3, usize::MAX][random.below(4)];
                        let (mut left, end) = (most, random.end());
                        let removed = list.remove(&element, most, end);
                        let before = model.len();
                        let mut keep = |e: &Vec<u8>| {
                            let goes = left > 0 && *e == element;
                            left -= usize::from(goes);
                            !goes
                        };
                        match end {
                            End::Head => model.retain(keep),
                            End::Tail => {
                                let mut kept: VecDeque<_> = VecDeque::new();
                                for e in model.drain(..).rev() {
                                    if keep(&e) {
                                        kept.push_front(e);
                                    }
                                }
                                model = kept;
                            }
                        }
                        assert_eq!(removed, before - model.len());
                    }
                    13 => {
                        let (count, end) = (random.below(if grows { 4 } else { 60 }), random.end());
                        list.drop(count, end);
                        let count = count.min(model.len());
                        match end {
                            End::Head => model.drain(..count),
                            End::Tail => model.drain(model.len() - count..),
                        };
                    }
                    14 => {
                        let expected = model.iter().position(|e| *e == element);
                        assert_eq!(list.find(&element), expected);
                    }
                    _ => {
                        let found = list.get(index).map(owned);
                        assert_eq!(found.as_ref(), model.get(index));
                        let rest = list.iter_from(index).map(owned);
                        assert!(rest.eq(model.iter().skip(index).cloned()));
                    }
                }
                if step % 7 == 0 || model.len() < 20 {
                    same(&list, &model);
                }
            }
            same(&list, &model);
            same(&list.clone(), &model);
            list.drop(usize::MAX, End::Tail);
            same(&list, &VecDeque::new());
        }
    }

    #[test]
    fn nodes_of_a_file_are_taken_over_and_edited_like_others() {
        let mut random = Random(8);
        for count in [0, 1, 7, 300, 2000, 20_000] {
            let mut writer = crate::encoding::listpack::ListpackWriter::new();
            let mut model = VecDeque::new();
            for _ in 0..count {
                let element = random.string(20);
                writer.push(Element::Bytes(&element));
                model.push_back(element);
            }
            let mut blob = Vec::new();
            writer.finish(&mut blob).unwrap();
            let mut list = List::new();
            for _ in 0..2 {
                assert!(list.append(&blob).is_some());
            }
            model.extend(model.clone());
            same(&list, &model);
            for _ in 0..200 {
                let index = random.below(model.len() + 1);
                let element = random.string(5000);
                match random.below(3) {
                    0 => {
                        list.insert(index, &element);
                        model.insert(index, element);
                    }
                    1 if index < model.len() => {
                        list.set(index, &element);
                        model[index] = element;
                    }
                    _ => {
                        list.drop(1, End::Tail);
                        model.pop_back();
                    }
                }
            }
            same(&list, &model);
            let last = blob.len() - 2;
            blob[last] ^= 1;
            assert!(list.append(&blob).is_none());
            assert!(list.append(&blob[..last]).is_none());
        }
    }

    #[test]
    fn memory_stays_near_what_is_in_it() {
        // A queue, a stack that was high once, and a list from whose middle almost all was taken.
        let mut list = List::new();
        for n in 0..200_000 {
            list.push(n.to_string().as_bytes(), End::Tail);
            if n >= 100 {
                list.drop(1, End::Head);
            }
        }
        assert!(list.heap() < 2 * NODE, "{}", list.heap());
        for n in 0..200_000 {
            list.push(n.to_string().as_bytes(), End::Head);
        }
        assert!(list.heap() < 200_000 * 6, "{}", list.heap());
        list.drop(200_000, End::Head);
        assert_eq!(list.len(), 100);
        for n in 0..100_000 {
            let element: &[u8] = if n % 1000 == 0 { b"stays" } else { b"goes" };
            list.push(element, End::Tail);
        }
        assert_eq!(list.remove(b"goes", usize::MAX, End::Head), 99_900);
        assert!(list.heap() < 2 * NODE, "{}", list.heap());
        // Inserts at one place cut nodes in two again and again.
        for n in 0..20_000 {
            list.insert(100, n.to_string().as_bytes());
        }
        assert!(list.heap() < 20_000 * 14, "{}", list.heap());
    }
}
