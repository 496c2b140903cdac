//! A set.

use crate::bytes::Element;
use crate::bytes::number::parse_canonical_i64;
use crate::encoding::intset::Intset;
use crate::error::Result;
use crate::keyspace::ints::Ints;
use crate::keyspace::members::Members;
use crate::keyspace::pack::Pack;
use crate::keyspace::rules::Rules;
use crate::record::{DataType, RdbType, ValueVisitor};

/// Members without order, in the form that the server would hold them in: integers, packed, or a
/// table. A form is never left for a smaller one.
#[derive(Clone, Debug)]
pub struct Set(Form);

#[derive(Clone, Debug)]
enum Form {
    Ints(Ints),
    Packed(Pack),
    Table(Box<Members<()>>),
}

impl Default for Set {
    #[inline]
    fn default() -> Self {
        Set(Form::Ints(Ints::default()))
    }
}

impl Set {
    /// An empty one of integers.
    #[inline]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty packed one.
    pub fn packed() -> Self {
        Set(Form::Packed(Pack::new()))
    }

    /// An empty table.
    pub fn table() -> Self {
        Set(Form::Table(Box::default()))
    }

    /// A copy of an intset that a server would keep as such; none if anything is wrong with it.
    pub fn from_intset(blob: &[u8], rules: &Rules) -> Option<Self> {
        let intset = Intset::open(blob).ok()?;
        let most = rules.intset_entries as u64;
        if intset.flaw().is_some() || intset.count() > most {
            return None;
        }
        let mut all = Vec::with_capacity(intset.count() as usize);
        let each = |n| {
            all.push(n);
            Ok::<_, std::convert::Infallible>(())
        };
        intset.for_each(each).ok()?;
        Some(Set(Form::Ints(Ints::of(&all))))
    }

    /// A copy of a listpack that a server would keep as such; none if anything is wrong with it.
    pub fn from_listpack(blob: &[u8], rules: &Rules) -> Option<Self> {
        let pack = Pack::verified(blob)?;
        let keeps = rules.set_entries.is_some_and(|most| pack.len() <= most);
        keeps.then_some(Set(Form::Packed(pack)))
    }

    /// An empty one in the form that a server chooses for a first member when so many are told.
    #[inline]
    pub fn expecting(first: &[u8], members: usize, rules: &Rules) -> Self {
        let is_integer = parse_canonical_i64(first).is_some();
        match rules.set_entries {
            Some(_) if is_integer && members <= rules.intset_entries => Self::new(),
            Some(most) if members <= most => Self::packed(),
            None if is_integer => Self::new(),
            _ => Self::table(),
        }
    }

    /// As servers do before they add so many members at once: beyond what the form may hold, it
    /// becomes a table at once.
    #[inline]
    pub fn expect(&mut self, members: usize, rules: &Rules) {
        let Some(most) = rules.set_entries else {
            return;
        };
        let most = match &self.0 {
            Form::Ints(_) => rules.intset_entries,
            Form::Packed(_) => most,
            Form::Table(_) => return,
        };
        if members > most {
            self.make_table();
        }
    }

    /// Looks at the bytes that it holds itself. Means nothing.
    #[inline]
    pub fn fetch(&self) -> usize {
        match &self.0 {
            Form::Ints(_) => self.len(),
            Form::Packed(pack) => pack.fetch(),
            Form::Table(table) => table.len(),
        }
    }

    /// Adds a member; false where it was there.
    #[inline]
    pub fn add(&mut self, member: &[u8], rules: &Rules) -> bool {
        self.add_element(Element::Bytes(member), rules)
    }

    /// The same for a member that may be held as an integer.
    pub fn add_element(&mut self, member: Element<'_>, rules: &Rules) -> bool {
        let mut text = itoa::Buffer::new();
        match &mut self.0 {
            Form::Table(table) => {
                let member = member.bytes(&mut text);
                let hash = super::table::hash(member);
                if table.find_hashed(hash, member).is_some() {
                    return false;
                }
                table.add_hashed(hash, member, ());
                true
            }
            Form::Packed(pack) => {
                let bytes = member.bytes(&mut text);
                if pack.find(pack.start(), 1, bytes).is_some() {
                    return false;
                }
                let most = rules.set_entries.unwrap_or(0);
                if pack.len() < most && bytes.len() <= rules.packed_string && pack.fits(bytes.len())
                {
                    pack.push([member]);
                    return true;
                }
                self.add_to_table(bytes)
            }
            Form::Ints(ints) => match integer(member) {
                Some(n) => {
                    let new = ints.add(n);
                    if new && ints.len() > rules.intset_entries {
                        self.make_table();
                    }
                    new
                }
                None => {
                    let most = rules.set_entries.unwrap_or(0);
                    if ints.len() < most && member.len() <= rules.packed_string {
                        let mut pack = Pack::of(ints.iter());
                        pack.push([member]);
                        self.0 = Form::Packed(pack);
                        return true;
                    }
                    let bytes = member.bytes(&mut text);
                    self.add_to_table(bytes)
                }
            },
        }
    }

    /// Takes a member out; false where it was not there.
    #[inline]
    pub fn remove(&mut self, member: &[u8]) -> bool {
        self.remove_element(Element::Bytes(member))
    }

    /// The same for a member that may be held as an integer.
    pub fn remove_element(&mut self, member: Element<'_>) -> bool {
        let mut text = itoa::Buffer::new();
        match &mut self.0 {
            Form::Table(table) => table.remove(member.bytes(&mut text)),
            Form::Packed(pack) => match pack.find(pack.start(), 1, member.bytes(&mut text)) {
                Some(at) => {
                    pack.remove(at, 1);
                    true
                }
                None => false,
            },
            Form::Ints(ints) => integer(member).is_some_and(|n| ints.remove(n)),
        }
    }

    /// As servers do with an intersection that turned out to be all integers: few enough of them
    /// are held as such.
    pub fn make_ints(&mut self, rules: &Rules) {
        if self.is_ints() || self.len() > rules.intset_entries {
            return;
        }
        let mut ints = Ints::default();
        for member in self.iter() {
            match integer(member) {
                Some(n) => ints.add(n),
                None => return,
            };
        }
        self.0 = Form::Ints(ints);
    }

    /// Whether it has a member.
    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        self.contains_element(Element::Bytes(member))
    }

    /// The same for a member that may be held as an integer.
    pub fn contains_element(&self, member: Element<'_>) -> bool {
        let mut text = itoa::Buffer::new();
        match &self.0 {
            Form::Table(table) => table.find(member.bytes(&mut text)).is_some(),
            Form::Packed(pack) => pack
                .find(pack.start(), 1, member.bytes(&mut text))
                .is_some(),
            Form::Ints(ints) => integer(member).is_some_and(|n| ints.contains(n)),
        }
    }

    /// Members in it.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Ints(ints) => ints.len(),
            Form::Packed(pack) => pack.len(),
            Form::Table(table) => table.len(),
        }
    }

    /// True without members.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True in the form for integers.
    #[inline]
    pub fn is_ints(&self) -> bool {
        matches!(self.0, Form::Ints(_))
    }

    /// True in the packed form.
    #[inline]
    pub fn is_packed(&self) -> bool {
        matches!(self.0, Form::Packed(_))
    }

    /// All members: integers ascending, packed ones in their order, those of a table in one that
    /// means nothing.
    pub fn iter(&self) -> impl Iterator<Item = Element<'_>> {
        let (ints, pack, table) = match &self.0 {
            Form::Ints(ints) => (Some(ints), None, None),
            Form::Packed(pack) => (None, Some(pack), None),
            Form::Table(table) => (None, None, Some(table)),
        };
        let ints = ints.into_iter().flat_map(Ints::iter);
        let pack = pack.into_iter().flat_map(Pack::entries);
        let table = table.into_iter().flat_map(|table| table.names());
        let table = table.map(Element::Bytes);
        ints.chain(pack).chain(table)
    }

    /// The type by which the server would save it, but for one thing: a set without members, which Redis
    /// 6.2 keeps, it saves as integers, and then refuses to load those. As a table it comes back.
    pub fn rdb_type(&self, _rules: &Rules) -> RdbType {
        match &self.0 {
            Form::Ints(_) if self.is_empty() => RdbType::SetTable,
            Form::Ints(_) => RdbType::SetIntset,
            Form::Packed(_) => RdbType::SetListpack,
            Form::Table(_) => RdbType::SetTable,
        }
    }

    /// Tells a visitor the whole value.
    ///
    /// # Errors
    /// What the visitor returned.
    pub fn walk(&self, to: &mut dyn ValueVisitor) -> Result<()> {
        to.begin(DataType::Set, Some(self.len() as u64))?;
        for member in self.iter() {
            to.element(member)?;
        }
        to.end(DataType::Set)
    }

    /// Bytes that it takes in memory, about.
    pub fn heap(&self) -> usize {
        match &self.0 {
            Form::Ints(ints) => ints.heap(),
            Form::Packed(pack) => pack.heap(),
            Form::Table(table) => size_of::<Members<()>>() + table.heap(),
        }
    }

    #[cold]
    fn add_to_table(&mut self, member: &[u8]) -> bool {
        self.make_table();
        if let Form::Table(table) = &mut self.0 {
            table.add_hashed(super::table::hash(member), member, ());
        }
        true
    }

    #[cold]
    fn make_table(&mut self) {
        let mut table = Box::<Members<()>>::default();
        for member in self.iter() {
            let mut text = itoa::Buffer::new();
            let member = member.bytes(&mut text);
            table.add_hashed(super::table::hash(member), member, ());
        }
        self.0 = Form::Table(table);
    }
}

/// The integer whose text this is.
#[inline]
fn integer(element: Element<'_>) -> Option<i64> {
    match element {
        Element::Int(n) => Some(n),
        Element::Bytes(text) => parse_canonical_i64(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Like;
    use std::collections::BTreeSet;

    fn rules(like: &str) -> Rules {
        Rules::new(like.parse::<Like>().unwrap(), None)
    }

    #[test]
    fn it_is_three_words() {
        assert_eq!(size_of::<Set>(), 24);
    }

    #[test]
    fn in_every_form_it_holds_what_a_set_holds() {
        let mut seed = 11u64;
        let mut below = move |n: u64| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % n
        };
        for like in ["redis-6.2", "redis-8.2"] {
            let rules = rules(like);
            for round in 0..30u64 {
                let (mut set, mut model) = (Set::new(), BTreeSet::new());
                let names = [20, 200, 2000][round as usize % 3];
                for step in 0..1500u64 {
                    let n = below(names) as i64 - 10;
                    let member = match round % 5 {
                        0 => n.to_string(),
                        1 => (n << (below(7) * 8)).to_string(),
                        2 if step > 300 => format!("0{n}"),
                        2 => n.to_string(),
                        3 => format!("m{n}"),
                        _ => "y".repeat(n.unsigned_abs() as usize % 70),
                    };
                    let bytes = member.as_bytes();
                    assert_eq!(set.contains(bytes), model.contains(bytes));
                    if below(3) > 0 {
                        assert_eq!(set.add(bytes, &rules), model.insert(bytes.to_vec()));
                    } else {
                        assert_eq!(set.remove(bytes), model.remove(bytes));
                    }
                    assert_eq!((set.len(), set.is_empty()), (model.len(), model.is_empty()));
                }
                let mut all: Vec<_> = set.iter().map(|m| m.to_bytes().into_owned()).collect();
                if set.is_ints() {
                    all.sort();
                }
                all.sort();
                assert!(all.iter().eq(&model));
            }
        }
    }

    #[test]
    fn sets_of_a_file_are_taken_over_where_a_server_keeps_them() {
        let rules = rules("redis-8.2");
        for all in [
            vec![1, 2, -5],
            vec![70_000, 5, -70_000],
            vec![i64::MIN, 0, i64::MAX],
            (0..512).collect(),
            (0..513).collect(),
        ] {
            let mut blob = Vec::new();
            crate::encoding::intset::write(&mut all.clone(), &mut blob).unwrap();
            let set = Set::from_intset(&blob, &rules);
            assert_eq!(set.is_some(), all.len() <= 512);
            let Some(mut set) = set else { continue };
            assert_eq!(set.len(), all.len());
            for n in all {
                assert!(set.remove(n.to_string().as_bytes()));
            }
            assert!(set.is_empty());
        }
        for count in [1, 128, 129] {
            let members: Vec<String> = (0..count).map(|n| format!("m{n}")).collect();
            let pack = Pack::of(members.iter().map(|m| Element::Bytes(m.as_bytes())));
            let set = Set::from_listpack(pack.bytes(), &rules);
            assert_eq!(set.is_some(), count <= 128);
            let Some(set) = set else { continue };
            assert!(set.is_packed() && members.iter().all(|m| set.contains(m.as_bytes())));
        }
    }

    #[test]
    fn it_changes_form_when_a_server_does() {
        let forms = |like: &str, first: &str, more: std::ops::Range<i64>, last: &str| {
            let rules = rules(like);
            let mut set = Set::expecting(first.as_bytes(), 1, &rules);
            set.add(first.as_bytes(), &rules);
            for n in more {
                set.add(n.to_string().as_bytes(), &rules);
            }
            let before = set.rdb_type(&rules);
            set.add(last.as_bytes(), &rules);
            (before, set.rdb_type(&rules))
        };
        use RdbType::{SetIntset as Ints, SetListpack as Packed, SetTable as Table};
        let long = "x".repeat(65);
        assert_eq!(forms("redis-7.0", "0", 1..512, "512"), (Ints, Table));
        assert_eq!(forms("redis-7.0", "0", 1..5, "a"), (Ints, Table));
        assert_eq!(forms("redis-7.0", "a", 1..5, "b"), (Table, Table));
        for like in ["redis-7.2", "valkey-8.1"] {
            assert_eq!(forms(like, "0", 1..512, "512"), (Ints, Table));
            assert_eq!(forms(like, "0", 1..127, "a"), (Ints, Packed));
            assert_eq!(forms(like, "0", 1..128, "a"), (Ints, Table));
            assert_eq!(forms(like, "0", 1..5, &long), (Ints, Table));
            assert_eq!(forms(like, "a", 1..127, "127"), (Packed, Packed));
            assert_eq!(forms(like, "a", 1..128, "128"), (Packed, Table));
            assert_eq!(forms(like, "a", 1..5, &long), (Packed, Table));
            assert_eq!(forms(like, "a", 1..5, &long[1..]), (Packed, Packed));
        }
    }
}
