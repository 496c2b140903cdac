//! A node of a list: a few kilobytes of elements, or one large one.

use crate::bytes::Element;
use crate::bytes::number::parse_canonical_i64;
use crate::encoding::listpack::{Made, element, entry_size, last_entry_size};

/// Most bytes of a node with several elements. Half of a server's, so that what is moved for a
/// change in the middle is half as much; where nodes end is seen by nobody.
pub(super) const NODE: usize = 4096;
/// Room beyond what is asked for comes in units of this.
const UNIT: usize = 16;

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The left one.
    Head,
    /// The right one.
    Tail,
}

/// Elements side by side as in a listpack, without its header; room on either side of them, so that
/// both ends grow and shrink without moving the rest. An offset counts from the first.
#[derive(Clone, Debug)]
pub(super) struct Node {
    bytes: Box<[u8]>,
    start: u16,
    end: u16,
    count: u16,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Packed,
    /// All bytes are the one element, because it would not fit.
    Plain,
}

/// An element to be looked for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    text: &'a [u8],
    number: Option<i64>,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Wanted {
            text,
            number: parse_canonical_i64(text),
        }
    }

    #[inline]
    pub(super) fn is(&self, element: Element<'_>) -> bool {
        match element {
            Element::Int(n) => self.number == Some(n),
            Element::Bytes(text) => self.text == text,
        }
    }
}

impl Node {
    /// Without elements.
    #[inline]
    pub(super) fn new() -> Self {
        Node {
            bytes: Box::default(),
            start: 0,
            end: 0,
            count: 0,
            form: Form::Packed,
        }
    }

    /// Of this element.
    #[inline]
    pub(super) fn of(text: &[u8]) -> Self {
        let made = Made::of(Element::Bytes(text));
        let mut node = Node::new();
        if made.len() > NODE {
            node.bytes = text.into();
            node.count = 1;
            node.form = Form::Plain;
        } else {
            node.push(&made, End::Tail);
        }
        node
    }

    /// Of entries that are known to be sound; none without any, or with more than a node can hold.
    pub(super) fn copied(packed: &[u8], count: u64) -> Option<Self> {
        let (end, count) = (
            u16::try_from(packed.len()).ok()?,
            u16::try_from(count).ok()?,
        );
        (count > 0).then(|| Node {
            bytes: packed.into(),
            start: 0,
            end,
            count,
            form: Form::Packed,
        })
    }

    /// Looks at the first byte. Means nothing.
    #[inline]
    pub(super) fn fetch(&self) -> usize {
        let first = self.bytes.get(usize::from(self.start));
        first.map_or(0, |byte| usize::from(*byte))
    }

    /// Puts an element at an end; it must fit.
    #[inline]
    pub(super) fn push(&mut self, made: &Made<'_>, end: End) {
        let size = made.len();
        debug_assert!(self.fits(size));
        let at = match end {
            End::Head => {
                if usize::from(self.start) < size {
                    self.make_room(size, End::Head);
                }
                self.start -= size as u16;
                self.start
            }
            End::Tail => {
                if self.bytes.len() - usize::from(self.end) < size {
                    self.make_room(size, End::Tail);
                }
                self.end += size as u16;
                self.end - size as u16
            }
        };
        made.write(
            self.bytes
                .get_mut(usize::from(at)..)
                .unwrap_or_default()
                .split_at_mut_checked(size)
                .unwrap_or_default()
                .0,
        );
        self.count += 1;
    }

    /// Puts an element in front of the entry at an offset; it must fit.
    pub(super) fn insert(&mut self, at: usize, made: &Made<'_>) {
        self.splice(at, 0, made);
        self.count += 1;
    }

    /// Puts an element in place of the entry at an offset; none of the two may be large.
    pub(super) fn replace(&mut self, at: usize, made: &Made<'_>) {
        let old = self.packed().get(at..).and_then(entry_size).unwrap_or(0);
        self.splice(at, old, made);
    }

    /// Takes so many elements, which must be fewer than all, from an end.
    #[inline]
    pub(super) fn drop(&mut self, elements: usize, end: End) {
        debug_assert!(elements < self.len());
        let mut rest = self.packed();
        for _ in 0..elements {
            let size = match end {
                End::Head => entry_size(rest),
                End::Tail => last_entry_size(rest),
            };
            let cut = match end {
                End::Head => size.and_then(|size| rest.get(size..)),
                End::Tail => size.and_then(|size| rest.get(..rest.len().checked_sub(size)?)),
            };
            rest = cut.unwrap_or_default();
        }
        let left = rest.len() as u16;
        self.count -= elements as u16;
        match end {
            End::Head => self.start = self.end - left,
            End::Tail => self.end = self.start + left,
        }
        if self.bytes.len() > 512 && usize::from(left) < self.bytes.len() / 4 {
            self.shrink();
        }
    }

    /// Takes out the elements that are equal to one: not the first `spare` of them, and at most
    /// `most` of the others. How many it took.
    pub(super) fn remove(&mut self, wanted: &Wanted<'_>, spare: usize, most: usize) -> usize {
        let (mut seen, mut removed) = (0, 0);
        if self.form == Form::Plain {
            let gone = spare == 0 && most > 0 && wanted.is(Element::Bytes(&self.bytes));
            if gone {
                *self = Node::new();
            }
            return usize::from(gone);
        }
        // What stays is moved down over what goes.
        let (mut from, mut to) = (usize::from(self.start), usize::from(self.start));
        let end = usize::from(self.end);
        while from < end {
            let rest = self.bytes.get(from..end).unwrap_or_default();
            let Some((size, found)) = entry_size(rest).zip(element(rest)) else {
                break;
            };
            let mut stays = true;
            if wanted.is(found) {
                seen += 1;
                stays = seen <= spare || removed == most;
                removed += usize::from(!stays);
            }
            if stays {
                if to != from {
                    self.bytes.copy_within(from..from + size, to);
                }
                to += size;
            }
            from += size;
        }
        self.end = to as u16;
        self.count -= removed as u16;
        removed
    }

    /// Cuts it in two at an offset, where the entry of this index is; the part behind it.
    pub(super) fn split_off(&mut self, at: usize, index: usize) -> Node {
        let behind = self.packed().get(at..).unwrap_or_default();
        let mut node = Node::new();
        node.bytes = behind.into();
        node.end = behind.len() as u16;
        node.count = self.count - index as u16;
        self.end = self.start + at as u16;
        self.count = index as u16;
        self.shrink();
        node
    }

    /// Takes the elements of a node that stands behind it, if both are small.
    pub(super) fn join(&mut self, other: &Node) -> bool {
        let size = self.size() + other.size();
        if self.form != Form::Packed || other.form != Form::Packed || size > NODE / 2 {
            return false;
        }
        let mut bytes = Vec::with_capacity(size);
        bytes.extend_from_slice(self.packed());
        bytes.extend_from_slice(other.packed());
        self.bytes = bytes.into_boxed_slice();
        (self.start, self.end) = (0, size as u16);
        self.count += other.count;
        true
    }

    /// Elements in it.
    #[inline]
    pub(super) fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// True without elements.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether so many bytes more may be put in.
    #[inline]
    pub(super) fn fits(&self, more: usize) -> bool {
        self.form == Form::Packed && self.size() + more <= NODE
    }

    /// Whether the entry at an offset may become one of so many bytes.
    pub(super) fn fits_instead(&self, at: usize, size: usize) -> bool {
        let old = self.packed().get(at..).and_then(entry_size).unwrap_or(0);
        self.form == Form::Packed && self.size() - old + size <= NODE
    }

    /// Bytes on the heap.
    #[inline]
    pub(super) fn heap(&self) -> usize {
        self.bytes.len()
    }

    /// The element at an end.
    #[inline]
    pub(super) fn edge(&self, end: End) -> Option<Element<'_>> {
        let mut entries = self.entries();
        match end {
            End::Head => entries.next(),
            End::Tail => entries.next_back(),
        }
    }

    /// The offset of the entry with this index; that behind the last for their number.
    pub(super) fn offset(&self, index: usize) -> usize {
        let all = self.packed();
        let mut rest = all;
        if index <= self.len() / 2 {
            for _ in 0..index {
                let size = entry_size(rest).unwrap_or(0);
                rest = rest.get(size..).unwrap_or_default();
            }
            return all.len() - rest.len();
        }
        for _ in index..self.len() {
            let size = last_entry_size(rest).unwrap_or(0);
            rest = rest
                .get(..rest.len().saturating_sub(size))
                .unwrap_or_default();
        }
        rest.len()
    }

    /// The elements in order.
    #[inline]
    pub(super) fn entries(&self) -> Entries<'_> {
        match self.form {
            Form::Packed => Entries {
                rest: self.packed(),
                plain: None,
            },
            Form::Plain => Entries {
                rest: &[],
                plain: Some(&self.bytes),
            },
        }
    }

    /// Gives back what it does not need.
    pub(super) fn shrink(&mut self) {
        if self.form == Form::Packed && self.size() < self.bytes.len() {
            let packed: Box<[u8]> = self.packed().into();
            (self.start, self.end) = (0, packed.len() as u16);
            self.bytes = packed;
        }
    }

    #[inline]
    fn packed(&self) -> &[u8] {
        self.bytes
            .get(usize::from(self.start)..usize::from(self.end))
            .unwrap_or_default()
    }

    #[inline]
    fn size(&self) -> usize {
        usize::from(self.end - self.start)
    }

    /// Puts an entry in place of `old` bytes at an offset.
    fn splice(&mut self, at: usize, old: usize, made: &Made<'_>) {
        let size = made.len();
        if self.bytes.len() - usize::from(self.end) + old < size {
            self.make_room(size - old, End::Tail);
        }
        let (from, end) = (usize::from(self.start) + at, usize::from(self.end));
        self.bytes.copy_within(from + old..end, from + size);
        self.end = (end - old + size) as u16;
        made.write(self.bytes.get_mut(from..from + size).unwrap_or_default());
    }

    /// Makes room for so many bytes at an end: all there is to have is put there.
    #[cold]
    fn make_room(&mut self, more: usize, end: End) {
        let size = self.size();
        let wanted = size + more;
        let room = self.bytes.len();
        let moves = match end {
            // As long as what is won by a move is not little beside what is moved.
            _ if wanted + size / 8 > room => false,
            End::Tail => self.start > 0,
            End::Head => true,
        };
        if moves {
            let (start, stop) = (usize::from(self.start), usize::from(self.end));
            let to = match end {
                End::Head => room - size,
                End::Tail => 0,
            };
            self.bytes.copy_within(start..stop, to);
            (self.start, self.end) = (to as u16, (to + size) as u16);
            return;
        }
        let room = (wanted + wanted / 8).next_multiple_of(UNIT).min(NODE);
        // A small one gets just what its heap block has anyway.
        let room = match wanted {
            0..128 => wanted.next_multiple_of(UNIT),
            _ => room.max(wanted),
        };
        if end == End::Tail && self.start == 0 {
            let mut bytes = std::mem::take(&mut self.bytes).into_vec();
            bytes.reserve_exact(room - bytes.len());
            bytes.resize(room, 0);
            self.bytes = bytes.into_boxed_slice();
            return;
        }
        let mut bytes = vec![0; room];
        let to = match end {
            End::Head => room - size,
            End::Tail => 0,
        };
        if let Some(to) = bytes.get_mut(to..to + size) {
            to.copy_from_slice(self.packed());
        }
        self.bytes = bytes.into_boxed_slice();
        (self.start, self.end) = (to as u16, (to + size) as u16);
    }
}

/// The elements of a [`Node`].
#[derive(Clone, Debug)]
pub(super) struct Entries<'a> {
    rest: &'a [u8],
    plain: Option<&'a [u8]>,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        if let Some(plain) = self.plain.take() {
            return Some(Element::Bytes(plain));
        }
        let found = element(self.rest)?;
        self.rest = self.rest.get(entry_size(self.rest)?..)?;
        Some(found)
    }
}

impl DoubleEndedIterator for Entries<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        if let Some(plain) = self.plain.take() {
            return Some(Element::Bytes(plain));
        }
        let size = last_entry_size(self.rest)?;
        let (rest, last) = self
            .rest
            .split_at_checked(self.rest.len().checked_sub(size)?)?;
        self.rest = rest;
        element(last)
    }
}
