//! A hash, whose fields may expire.

use crate::bytes::Element;
use crate::error::Result;
use crate::keyspace::pack::{Elements, Pack};
use crate::keyspace::rules::Rules;
use crate::keyspace::table::{Keyed, Table};
use crate::keyspace::text::Text;
use crate::record::{DataType, RdbType, ValueVisitor};

/// Stands for no expiry in a table.
const NEVER_EXPIRES: i64 = i64::MIN;

/// Fields in the form that the server has them in, which it leaves for a larger one only.
#[derive(Clone, Debug)]
pub struct Hash(Form);

#[derive(Clone, Debug)]
enum Form {
    /// Field and value in turn, in the order in which they came.
    Pairs(Pack),
    /// Field, value and expiry in turn, 0 for none (Redis 7.4 and newer). Ascending by expiry, those
    /// without behind the others.
    Triples(Pack),
    /// A table. Valkey has expiries in this form only.
    Table(Box<Fields>),
}

#[derive(Clone, Debug, Default)]
struct Fields {
    table: Table<Field>,
    /// Expiries by place in the table, for as many places as had one.
    expiries: Vec<i64>,
    /// Fields that have an expiry.
    expiring: usize,
}

#[derive(Clone, Debug)]
struct Field {
    name: Text,
    value: Text,
}

impl Keyed for Field {
    #[inline]
    fn key(&self) -> &[u8] {
        &self.name
    }
}

/// A field, its value and its expiry (Unix ms).
pub type FieldRef<'a> = (Element<'a>, Element<'a>, Option<i64>);

/// What becomes of the expiry of a field that gets a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldExpiry {
    /// It stays.
    Kept,
    /// It goes.
    Dropped,
}

impl Default for Hash {
    fn default() -> Self {
        Hash(Form::Pairs(Pack::new()))
    }
}

impl Hash {
    /// An empty one.
    #[inline]
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy of a listpack of fields and values, as a server has it that loads one; none if
    /// anything is wrong with it.
    pub fn from_pairs(blob: &[u8], rules: &Rules) -> Option<Self> {
        let pack = Pack::verified(blob)?;
        let whole = pack.len().is_multiple_of(2);
        whole.then(|| Hash(Form::Pairs(pack)).spilled(rules))
    }

    /// The same of a listpack of fields, values and expiries.
    pub fn from_triples(blob: &[u8], rules: &Rules) -> Option<Self> {
        let pack = Pack::verified(blob)?;
        if rules.is_valkey() || !pack.len().is_multiple_of(3) {
            return None;
        }
        let mut times = pack.entries().skip(2).step_by(3);
        let numbers = times.all(|time| matches!(time, Element::Int(0..)));
        let hash = Hash(Form::Triples(pack));
        let sorted = hash.fields().is_sorted_by_key(|f| f.2.unwrap_or(i64::MAX));
        (numbers && sorted).then(|| hash.spilled(rules))
    }

    /// Fields in it.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Pairs(pack) => pack.len() / 2,
            Form::Triples(pack) => pack.len() / 3,
            Form::Table(fields) => fields.table.len(),
        }
    }

    /// True without fields.
    #[inline]
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Form::Pairs(pack) | Form::Triples(pack) => pack.is_empty(),
            Form::Table(fields) => fields.table.is_empty(),
        }
    }

    /// Looks at the bytes that it holds itself. Means nothing.
    #[inline]
    pub fn fetch(&self) -> usize {
        match &self.0 {
            Form::Pairs(pack) | Form::Triples(pack) => pack.fetch(),
            Form::Table(fields) => fields.table.len(),
        }
    }

    /// The value and the expiry of a field.
    #[inline]
    pub fn get(&self, name: &[u8]) -> Option<(Element<'_>, Option<i64>)> {
        match &self.0 {
            Form::Pairs(pack) => {
                let at = pack.find(pack.start(), 2, name)?;
                Some((pack.at(pack.next(at)?)?, None))
            }
            Form::Triples(pack) => {
                let at = pack.find(pack.start(), 3, name)?;
                let mut triple = pack.entries_from(pack.next(at)?);
                Some((triple.next()?, expiry(triple.next()?)))
            }
            Form::Table(fields) => {
                let at = fields.table.find(name)?;
                let value = &fields.table.at(at)?.value;
                Some((Element::Bytes(value), fields.expiry(at)))
            }
        }
    }

    /// True where there is a field of this name.
    #[inline]
    pub fn contains(&self, name: &[u8]) -> bool {
        self.get(name).is_some()
    }

    /// Every field; in the server's order where it is packed.
    pub fn fields(&self) -> impl Iterator<Item = FieldRef<'_>> {
        let (packed, table) = match &self.0 {
            Form::Pairs(pack) => (Some((pack.entries(), false)), None),
            Form::Triples(pack) => (Some((pack.entries(), true)), None),
            Form::Table(fields) => (None, Some(fields)),
        };
        let packed = packed.map(|(entries, expires)| Groups { entries, expires });
        let table = table.map(|fields| {
            let places = 0..fields.table.places();
            places.filter_map(|at| {
                let field = fields.table.at(at)?;
                let (name, value) = (Element::Bytes(&field.name), Element::Bytes(&field.value));
                Some((name, value, fields.expiry(at)))
            })
        });
        packed
            .into_iter()
            .flatten()
            .chain(table.into_iter().flatten())
    }

    /// Makes the hash large enough, as servers do before they set fields: these are their names and
    /// values in turn.
    #[inline]
    pub fn make_room(&mut self, strings: &[&[u8]], rules: &Rules) {
        let (Form::Pairs(pack) | Form::Triples(pack)) = &self.0 else {
            return;
        };
        let many = rules.since((7, 2), (0, 0)) && strings.len() / 2 > rules.hash_entries;
        let long = strings.iter().any(|text| text.len() > rules.packed_string);
        if many || long || !pack.fits(strings.iter().map(|text| text.len()).sum()) {
            self.become_table();
        }
    }

    /// Gives a field a value; true where it was not there. Servers have made room before.
    #[inline]
    pub fn set(&mut self, name: &[u8], value: &[u8], old: OldExpiry, rules: &Rules) -> bool {
        // 6.2 looks at this only while it makes room, which it does not for HINCRBY.
        let long = name.len() > rules.packed_string || value.len() > rules.packed_string;
        let long = long && rules.since((7, 0), (0, 0));
        if long {
            self.become_table();
        }
        let (field, text) = (Element::Bytes(name), Element::Bytes(value));
        match &mut self.0 {
            Form::Pairs(pack) => match pack.find(pack.start(), 2, name) {
                Some(at) => {
                    let at = pack.next(at).unwrap_or_default();
                    pack.replace(at, 1, [text]);
                    false
                }
                None => {
                    pack.push([field, text]);
                    self.spill(rules);
                    true
                }
            },
            Form::Triples(pack) => match pack.find(pack.start(), 3, name) {
                Some(at) => {
                    let value_at = pack.next(at).unwrap_or_default();
                    let expires = pack.entries_from(value_at).nth(1).and_then(expiry);
                    if expires.is_some() && old == OldExpiry::Dropped {
                        pack.remove(at, 3);
                        pack.push([field, text, Element::Int(0)]);
                    } else {
                        pack.replace(value_at, 1, [text]);
                    }
                    false
                }
                None => {
                    pack.push([field, text, Element::Int(0)]);
                    self.spill(rules);
                    true
                }
            },
            Form::Table(fields) => fields.set(name, value, old),
        }
    }

    /// Gives a field a value and an expiry (Unix ms), or none; true where it was not there.
    pub fn insert(
        &mut self,
        name: &[u8],
        value: &[u8],
        expires_at: Option<i64>,
        rules: &Rules,
    ) -> bool {
        if expires_at.is_some() {
            self.allow_expiry(rules);
        }
        if name.len() > rules.packed_string || value.len() > rules.packed_string {
            self.become_table();
        }
        let new = self.set(name, value, OldExpiry::Dropped, rules);
        if expires_at.is_some() {
            self.set_expiry(name, expires_at);
        }
        new
    }

    /// Takes on a form that has room for expiries, as servers do before they look for the fields.
    pub fn allow_expiry(&mut self, rules: &Rules) {
        let Form::Pairs(pairs) = &self.0 else {
            return;
        };
        if rules.is_valkey() {
            self.become_table();
            return;
        }
        let entries = pairs.entries().enumerate();
        let triples = entries.flat_map(|(n, element)| {
            let none = (n % 2 == 1).then_some(Element::Int(0));
            [Some(element), none].into_iter().flatten()
        });
        self.0 = Form::Triples(Pack::of(triples));
    }

    /// Lets a field expire at a time (Unix ms), or never. A form without room for expiries must have
    /// been [left](Self::allow_expiry).
    pub fn set_expiry(&mut self, name: &[u8], expires_at: Option<i64>) {
        match &mut self.0 {
            Form::Pairs(_) => {}
            Form::Triples(pack) => {
                // The time 0 is none here, and in a table it is a time.
                let expires_at = expires_at.filter(|&time| time != 0);
                if let Some(at) = pack.find(pack.start(), 3, name) {
                    let value_at = pack.next(at).unwrap_or_default();
                    let value = pack.at(value_at).map(|value| value.to_bytes().into_owned());
                    pack.remove(at, 3);
                    let at = expires_at.map_or(pack.end(), |time| place(pack, time));
                    let value = value.unwrap_or_default();
                    let time = Element::Int(expires_at.unwrap_or(0));
                    pack.insert(at, [Element::Bytes(name), Element::Bytes(&value), time]);
                }
            }
            Form::Table(fields) => {
                if let Some(at) = fields.table.find(name) {
                    fields.set_expiry(at, expires_at);
                }
            }
        }
    }

    /// Takes a field out; true where it was there.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        match &mut self.0 {
            Form::Pairs(pack) => match pack.find(pack.start(), 2, name) {
                Some(at) => pack.remove(at, 2),
                None => return false,
            },
            Form::Triples(pack) => match pack.find(pack.start(), 3, name) {
                Some(at) => pack.remove(at, 3),
                None => return false,
            },
            Form::Table(fields) => {
                let Some(at) = fields.table.find(name) else {
                    return false;
                };
                fields.set_expiry(at, None);
                fields.table.remove(name);
            }
        }
        true
    }

    /// True where a field has an expiry.
    pub fn expires(&self) -> bool {
        match &self.0 {
            Form::Pairs(_) => false,
            // Those with an expiry come first.
            Form::Triples(pack) => pack.entries().nth(2).and_then(expiry).is_some(),
            Form::Table(fields) => fields.expiring > 0,
        }
    }

    /// The type by which the server would save it.
    pub fn rdb_type(&self, rules: &Rules) -> RdbType {
        match &self.0 {
            Form::Pairs(_) if rules.since((7, 0), (0, 0)) => RdbType::HashListpack,
            Form::Pairs(_) => RdbType::HashZiplist,
            Form::Triples(_) => RdbType::HashListpackExpiry,
            Form::Table(fields) if fields.expiring == 0 => RdbType::HashTable,
            Form::Table(_) if rules.is_valkey() => RdbType::HashValkey,
            Form::Table(_) => RdbType::HashExpiry,
        }
    }

    /// Tells a visitor the whole value.
    ///
    /// # Errors
    /// What the visitor returned.
    pub fn walk(&self, to: &mut dyn ValueVisitor) -> Result<()> {
        to.begin(DataType::Hash, Some(self.len() as u64))?;
        for (name, value, expires_at) in self.fields() {
            to.field(name, value, expires_at)?;
        }
        to.end(DataType::Hash)
    }

    /// Bytes that it takes in memory, about.
    pub fn heap(&self) -> usize {
        match &self.0 {
            Form::Pairs(pack) | Form::Triples(pack) => pack.heap(),
            Form::Table(fields) => {
                let strings = fields.table.iter().map(|f| f.name.heap() + f.value.heap());
                let expiries = fields.expiries.capacity() * size_of::<i64>();
                size_of::<Fields>() + fields.table.heap() + expiries + strings.sum::<usize>()
            }
        }
    }

    fn spilled(mut self, rules: &Rules) -> Self {
        self.spill(rules);
        self
    }

    /// Leaves a packed form that has too many fields.
    #[inline]
    fn spill(&mut self, rules: &Rules) {
        if self.len() > rules.hash_entries {
            self.become_table();
        }
    }

    /// Becomes a table, for good.
    #[cold]
    fn become_table(&mut self) {
        if let Form::Table(_) = self.0 {
            return;
        }
        let mut fields = Box::<Fields>::default();
        let mut text = (itoa::Buffer::new(), itoa::Buffer::new());
        for (name, value, expires_at) in self.fields() {
            let (name, value) = (name.bytes(&mut text.0), value.bytes(&mut text.1));
            fields.set(name, value, OldExpiry::Dropped);
            if let Some(at) = fields.table.find(name) {
                fields.set_expiry(at, expires_at);
            }
        }
        self.0 = Form::Table(fields);
    }
}

impl Fields {
    #[inline]
    fn set(&mut self, name: &[u8], value: &[u8], old: OldExpiry) -> bool {
        let hash = crate::keyspace::table::hash(name);
        let (name, value) = (Text::new(name), Text::new(value));
        match self.table.find_hashed(hash, &name) {
            Some(at) => {
                if let Some(field) = self.table.at_mut(at) {
                    field.value = value;
                }
                if old == OldExpiry::Dropped {
                    self.set_expiry(at, None);
                }
                false
            }
            None => {
                self.table.add_hashed(hash, Field { name, value });
                true
            }
        }
    }

    #[inline]
    fn expiry(&self, at: u32) -> Option<i64> {
        let time = self.expiries.get(at as usize).copied();
        time.filter(|&time| time != NEVER_EXPIRES)
    }

    #[inline]
    fn set_expiry(&mut self, at: u32, expires_at: Option<i64>) {
        let at = at as usize;
        let before = self.expiries.get(at).is_some_and(|&t| t != NEVER_EXPIRES);
        if !before && expires_at.is_none() {
            return;
        }
        if self.expiries.len() <= at {
            self.expiries.resize(at + 1, NEVER_EXPIRES);
        }
        if let Some(time) = self.expiries.get_mut(at) {
            *time = expires_at.unwrap_or(NEVER_EXPIRES);
        }
        self.expiring += usize::from(expires_at.is_some());
        self.expiring -= usize::from(before);
        if self.expiring == 0 {
            self.expiries = Vec::new();
        }
    }
}

/// Fields of a pack.
struct Groups<'a> {
    entries: Elements<'a>,
    expires: bool,
}

impl<'a> Iterator for Groups<'a> {
    type Item = FieldRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<FieldRef<'a>> {
        let (name, value) = self.entries.next_pair()?;
        let time = match self.expires {
            true => expiry(self.entries.next()?),
            false => None,
        };
        Some((name, value, time))
    }
}

/// An expiry in a pack.
#[inline]
fn expiry(element: Element<'_>) -> Option<i64> {
    match element {
        Element::Int(0) | Element::Bytes(_) => None,
        Element::Int(time) => Some(time),
    }
}

/// Where a field with this expiry belongs: in front of the first that does not expire sooner.
fn place(pack: &Pack, time: i64) -> usize {
    let mut at = pack.start();
    loop {
        let (time_at, passed) = pack.skip(at, 2);
        match pack.at(time_at).map(expiry) {
            Some(Some(other)) if passed == 2 && other < time => {
                at = pack.next(time_at).unwrap_or(pack.end());
            }
            _ => return at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

    fn rules(like: &str) -> Rules {
        Rules::new(like.parse().unwrap(), None)
    }

    fn told(hash: &Hash) -> Model {
        let fields = hash.fields().map(|(name, value, time)| {
            let value = value.to_bytes().into_owned();
            (name.to_bytes().into_owned(), (value, time))
        });
        let all: Vec<_> = fields.collect();
        let count = all.len();
        let model: Model = all.into_iter().collect();
        assert_eq!((model.len(), hash.len()), (count, count));
        model
    }

    #[test]
    fn in_every_form_it_holds_what_a_map_holds() {
        for (like, entries) in [
            ("redis-6.2", 512),
            ("redis-8.2", 512),
            ("valkey-9.1", 512),
            ("redis-8.2", 12),
            ("valkey-9.1", 12),
            ("redis-7.0", 0),
        ] {
            let mut rules = rules(like);
            rules.hash_entries = entries;
            let (mut hash, mut model) = (Hash::new(), Model::new());
            let mut seed = 11u64;
            for step in 0..6000 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let pick = (seed >> 33) as usize;
                let name = match pick % 5 {
                    0 => (pick % 40).to_string().into_bytes(),
                    // Some are too long to be packed, but not in the first runs.
                    1 if step > 4000 => format!("{:>80}", pick % 40).into_bytes(),
                    _ => format!("f{}", pick % 40).into_bytes(),
                };
                let value = ((seed >> 20) as i32 >> (pick % 30))
                    .to_string()
                    .into_bytes();
                let time = (pick % 7 + 1) as i64 * 1000;
                let expires = like != "redis-6.2" && like != "redis-7.0";
                match pick / 7 % 8 {
                    0..=2 => {
                        hash.make_room(&[&name, &value], &rules);
                        let new = hash.set(&name, &value, OldExpiry::Dropped, &rules);
                        assert_eq!(new, model.insert(name, (value, None)).is_none());
                    }
                    3 => {
                        let new = hash.set(&name, &value, OldExpiry::Kept, &rules);
                        assert_eq!(new, !model.contains_key(&name));
                        model.entry(name).or_default().0 = value;
                    }
                    4 if expires => {
                        hash.allow_expiry(&rules);
                        hash.set_expiry(&name, Some(time));
                        model.entry(name).and_modify(|f| f.1 = Some(time));
                    }
                    5 if expires => {
                        let new = hash.insert(&name, &value, Some(time), &rules);
                        assert_eq!(new, model.insert(name, (value, Some(time))).is_none());
                    }
                    6 if expires => {
                        hash.set_expiry(&name, None);
                        model.entry(name).and_modify(|f| f.1 = None);
                    }
                    _ => assert_eq!(hash.remove(&name), model.remove(&name).is_some()),
                }
                assert_eq!(told(&hash), model);
                assert_eq!(hash.is_empty(), model.is_empty());
                assert_eq!(hash.expires(), model.values().any(|f| f.1.is_some()));
                for (name, (value, time)) in &model {
                    assert_eq!(hash.get(name), Some((Element::Bytes(value), *time)));
                }
                if let Form::Triples(_) = hash.0 {
                    let ranks = hash.fields().map(|f| f.2.unwrap_or(i64::MAX));
                    assert!(ranks.is_sorted());
                }
            }
            assert!(matches!(hash.0, Form::Table(_)), "{like}");
        }
    }

    #[test]
    fn it_is_packed_as_long_as_the_servers_are() {
        let mut rules = rules("redis-8.2");
        rules.hash_entries = 3;
        let mut hash = Hash::new();
        for name in ["a", "b", "c"] {
            hash.set(name.as_bytes(), b"1", OldExpiry::Dropped, &rules);
        }
        assert_eq!(hash.rdb_type(&rules), RdbType::HashListpack);
        hash.allow_expiry(&rules);
        assert_eq!(hash.rdb_type(&rules), RdbType::HashListpackExpiry);
        hash.set(b"d", b"1", OldExpiry::Dropped, &rules);
        assert_eq!(hash.rdb_type(&rules), RdbType::HashTable);
        hash.set_expiry(b"d", Some(5));
        assert_eq!(hash.rdb_type(&rules), RdbType::HashExpiry);
        assert!(hash.remove(b"d"));
        assert_eq!(hash.rdb_type(&rules), RdbType::HashTable);

        let mut hash = Hash::new();
        hash.set(b"a", &[b'x'; 64], OldExpiry::Dropped, &rules);
        assert_eq!(hash.rdb_type(&rules), RdbType::HashListpack);
        hash.set(b"a", &[b'x'; 65], OldExpiry::Dropped, &rules);
        assert_eq!(hash.rdb_type(&rules), RdbType::HashTable);
        assert_eq!(size_of::<Hash>(), 24);
    }
}
