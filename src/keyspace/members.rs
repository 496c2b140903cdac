//! Members by name, each with something beside it: nothing in a set, its score in a sorted set.
//!
//! Most members are numbers or names of a few letters. As long as all of them are short, an entry has
//! no room for longer ones, which is a third less memory; the first long one makes room in all.

use std::num::NonZeroU8;

use crate::keyspace::table::{Keyed, Table};
use crate::keyspace::text::Text;

/// Bytes of the longest short name.
const BRIEF: usize = 14;

/// A name of a few bytes. Its length is held plus one, so that 0 is left for an entry that is missing.
#[derive(Clone, Copy, Debug)]
struct Brief {
    len: NonZeroU8,
    bytes: [u8; BRIEF],
}

impl Brief {
    /// A copy of a name; none where it is too long.
    #[inline]
    fn new(name: &[u8]) -> Option<Self> {
        let mut bytes = [0; BRIEF];
        bytes.get_mut(..name.len())?.copy_from_slice(name);
        let len = NonZeroU8::MIN.saturating_add(name.len() as u8);
        Some(Brief { len, bytes })
    }

    #[inline]
    fn as_bytes(&self) -> &[u8] {
        let len = usize::from(self.len.get()) - 1;
        self.bytes.get(..len).unwrap_or_default()
    }
}

/// A name and what is beside it.
#[derive(Clone, Debug)]
struct Named<N, T> {
    name: N,
    with: T,
}

impl<T> Keyed for Named<Brief, T> {
    #[inline]
    fn key(&self) -> &[u8] {
        self.name.as_bytes()
    }
}

impl<T> Keyed for Named<Text, T> {
    #[inline]
    fn key(&self) -> &[u8] {
        &self.name
    }
}

#[derive(Clone, Debug)]
enum Form<T> {
    Brief(Table<Named<Brief, T>>),
    Any(Table<Named<Text, T>>),
}

/// Members by name. The place of one stays until it is removed.
#[derive(Clone, Debug)]
pub(super) struct Members<T> {
    form: Form<T>,
    /// Bytes of names on the heap.
    names: usize,
}

impl<T> Default for Members<T> {
    fn default() -> Self {
        Members {
            form: Form::Brief(Table::default()),
            names: 0,
        }
    }
}

impl<T> Members<T> {
    /// How many there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        match &self.form {
            Form::Brief(table) => table.len(),
            Form::Any(table) => table.len(),
        }
    }

    /// The place of this name.
    #[inline]
    pub(super) fn find(&self, name: &[u8]) -> Option<u32> {
        self.find_hashed(super::table::hash(name), name)
    }

    /// The same where the hash is known.
    #[inline]
    pub(super) fn find_hashed(&self, hash: u64, name: &[u8]) -> Option<u32> {
        match &self.form {
            Form::Brief(table) => table.find_hashed(hash, name),
            Form::Any(table) => table.find_hashed(hash, name),
        }
    }

    /// The name at a place and what is beside it.
    #[inline]
    pub(super) fn at(&self, place: u32) -> Option<(&[u8], &T)> {
        match &self.form {
            Form::Brief(table) => table.at(place).map(|found| (found.key(), &found.with)),
            Form::Any(table) => table.at(place).map(|found| (found.key(), &found.with)),
        }
    }

    /// What is beside the name at a place, to be changed.
    #[inline]
    pub(super) fn at_mut(&mut self, place: u32) -> Option<&mut T> {
        match &mut self.form {
            Form::Brief(table) => table.at_mut(place).map(|found| &mut found.with),
            Form::Any(table) => table.at_mut(place).map(|found| &mut found.with),
        }
    }

    /// Adds a name that is not there, and says where.
    #[inline]
    pub(super) fn add_hashed(&mut self, hash: u64, name: &[u8], with: T) -> u32 {
        match &mut self.form {
            Form::Brief(table) => match Brief::new(name) {
                Some(name) => table.add_hashed(hash, Named { name, with }),
                None => {
                    self.widen();
                    self.add_hashed(hash, name, with)
                }
            },
            Form::Any(table) => {
                let name = Text::new(name);
                self.names += name.heap();
                table.add_hashed(hash, Named { name, with })
            }
        }
    }

    /// Makes room for longer names. Places stay.
    #[cold]
    fn widen(&mut self) {
        if let Form::Brief(table) = &mut self.form {
            let wide = std::mem::take(table).map(|entry| Named {
                name: Text::new(entry.name.as_bytes()),
                with: entry.with,
            });
            self.form = Form::Any(wide);
        }
    }

    /// Takes out a name; false where it was not there.
    #[inline]
    pub(super) fn remove(&mut self, name: &[u8]) -> bool {
        match &mut self.form {
            Form::Brief(table) => table.remove(name).is_some(),
            Form::Any(table) => {
                let gone = table.remove(name);
                self.names -= gone.as_ref().map_or(0, |gone| gone.name.heap());
                gone.is_some()
            }
        }
    }

    /// Takes out the name at a place.
    pub(super) fn remove_at(&mut self, place: u32) {
        match &mut self.form {
            Form::Brief(table) => drop(table.remove_at(place)),
            Form::Any(table) => {
                let gone = table.remove_at(place);
                self.names -= gone.map_or(0, |gone| gone.name.heap());
            }
        }
    }

    /// Every name, in an order that means nothing.
    pub(super) fn names(&self) -> impl Iterator<Item = &[u8]> {
        let (brief, any) = match &self.form {
            Form::Brief(table) => (Some(table), None),
            Form::Any(table) => (None, Some(table)),
        };
        let brief = brief.into_iter().flat_map(Table::iter).map(Keyed::key);
        brief.chain(any.into_iter().flat_map(Table::iter).map(Keyed::key))
    }

    /// Bytes that they take on the heap.
    pub(super) fn heap(&self) -> usize {
        self.names
            + match &self.form {
                Form::Brief(table) => table.heap(),
                Form::Any(table) => table.heap(),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn entries_are_small() {
        assert_eq!(size_of::<Option<Named<Brief, ()>>>(), 15);
        assert_eq!(size_of::<Option<Named<Brief, f64>>>(), 24);
        assert_eq!(size_of::<Option<Named<Text, f64>>>(), 32);
    }

    #[test]
    fn they_are_what_a_map_has_and_places_stay() {
        let mut seed = 3u32;
        let mut below = move |n: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) % n
        };
        for longest in [0, 13, 14, 15, 22, 23, 40] {
            let (mut members, mut model) = (Members::default(), BTreeMap::new());
            for step in 0..6000u32 {
                // Longer ones come late, when there are holes in the table.
                let len = below(if step < 3000 { 9 } else { longest + 1 });
                let mut name = below(1500).to_string().into_bytes();
                name.resize(len as usize, b'x');
                let hash = crate::keyspace::table::hash(&name);
                let known = model.get(&name).copied();
                assert_eq!(members.find(&name), known.map(|(place, _)| place));
                match known {
                    None => {
                        let place = members.add_hashed(hash, &name, step);
                        model.insert(name, (place, step));
                    }
                    Some((place, _)) if below(3) == 0 => {
                        if below(2) == 0 {
                            members.remove_at(place);
                        } else {
                            assert!(members.remove(&name));
                        }
                        assert!(!members.remove(&name));
                        model.remove(&name);
                    }
                    Some((place, with)) => {
                        assert_eq!(members.at(place), Some((name.as_slice(), &with)));
                        *members.at_mut(place).unwrap() = step;
                        model.insert(name, (place, step));
                    }
                }
                assert_eq!(members.len(), model.len());
            }
            let mut names: Vec<_> = members.names().map(<[u8]>::to_vec).collect();
            names.sort();
            assert!(names.iter().eq(model.keys()), "{longest}");
            let long: usize = names.iter().map(|name| Text::new(name).heap()).sum();
            assert_eq!(members.names, long);
        }
    }
}
