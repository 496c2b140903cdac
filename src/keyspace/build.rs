//! Values from file form.

use crate::bytes::Element;
use crate::encoding::listpack::ListpackWriter;
use crate::error::Result;
use crate::keyspace::hash::Hash;
use crate::keyspace::list::{End, List};
use crate::keyspace::module::Module;
use crate::keyspace::rules::Rules;
use crate::keyspace::set::Set;
use crate::keyspace::stream;
use crate::keyspace::text::Text;
use crate::keyspace::value::Value;
use crate::keyspace::zset;
use crate::rdb::string;
use crate::rdb::value::{Scratch, walk};
use crate::record::{DataType, RawValue, RdbType, ValueVisitor};

/// The value that stands in a file; none for a collection without elements, which servers leave
/// out.
///
/// # Errors
/// A value that cannot be decoded.
pub fn load(raw: &RawValue<'_>, scratch: &mut Scratch, rules: &Rules) -> Result<Option<Value>> {
    let of = raw.rdb_type.data_type();
    if matches!(
        of,
        DataType::Module | DataType::Array | DataType::Cron | DataType::Json
    ) {
        return Ok(Some(Value::Module(Box::new(Module::new(raw, scratch)))));
    }
    if of == DataType::Stream {
        let stream = stream::load(raw, scratch, rules)?;
        return Ok(Some(Value::Stream(Box::new(stream))));
    }
    if let Some(value) = copied(raw, scratch, rules) {
        return Ok(kept(raw, Some(value), rules));
    }
    if raw.rdb_type == RdbType::HashZiplist {
        let mut pairs = Pairs::default();
        walk(raw, scratch, &mut pairs)?;
        if let Some(hash) = pairs.finish(rules) {
            return Ok(kept(raw, Some(Value::Hash(hash)), rules));
        }
    }
    let mut builder = Builder {
        of: raw.rdb_type,
        rules,
        value: None,
        zset: None,
    };
    walk(raw, scratch, &mut builder)?;
    Ok(kept(raw, builder.value, rules))
}

fn kept(raw: &RawValue<'_>, value: Option<Value>, rules: &Rules) -> Option<Value> {
    value.filter(|value| may_be_empty(raw.rdb_type, rules) || !value.is_empty())
}

/// Whether a server keeps a collection without elements that it loads. Since 7.0 none does; 6.2.5 does,
/// but for a set of integers, and has a command that leaves an empty hash behind.
pub(crate) fn may_be_empty(rdb_type: RdbType, rules: &Rules) -> bool {
    !rules.since((7, 0), (0, 0)) && rdb_type != RdbType::SetIntset
}

/// A value whose packed form is taken over as it is; none where it is not in order, or has none.
fn copied(raw: &RawValue<'_>, scratch: &mut Scratch, rules: &Rules) -> Option<Value> {
    let strings = match raw.rdb_type {
        RdbType::HashListpack | RdbType::SetIntset | RdbType::SetListpack => raw.bytes,
        RdbType::Quicklist2 => return copied_list(raw, scratch).map(Value::List),
        RdbType::HashListpackExpiry => raw.bytes.get(8..)?,
        _ => return None,
    };
    let stored = string::stored(strings).ok()?.1;
    let Element::Bytes(blob) = scratch.first.resolve(stored, raw.at).ok()? else {
        return None;
    };
    match raw.rdb_type {
        RdbType::HashListpack => Hash::from_pairs(blob, rules).map(Value::Hash),
        RdbType::HashListpackExpiry => Hash::from_triples(blob, rules).map(Value::Hash),
        RdbType::SetIntset => Set::from_intset(blob, rules).map(Value::Set),
        RdbType::SetListpack => Set::from_listpack(blob, rules).map(Value::Set),
        _ => None,
    }
}

/// A list whose nodes are taken over.
fn copied_list(raw: &RawValue<'_>, scratch: &mut Scratch) -> Option<List> {
    let mut list = List::new();
    let (mut rest, nodes) = string::number(raw.bytes).ok()?;
    for _ in 0..nodes {
        let (after, container) = string::number(rest).ok()?;
        let (after, stored) = string::stored(after).ok()?;
        let node = scratch.first.resolve(stored, raw.at).ok()?;
        match (container, node) {
            (PLAIN, element) => list.push(element.bytes(&mut itoa::Buffer::new()), End::Tail),
            (PACKED, Element::Bytes(blob)) => list.append(blob)?,
            _ => return None,
        }
        rest = after;
    }
    Some(list)
}

/// How a node of a list stands in a file: as its one element, or as a listpack.
const PLAIN: u64 = 1;
const PACKED: u64 = 2;

/// Is told a hash and builds its packed form, whatever the lengths of its strings: servers look only
/// at how many fields there are when they load one that is packed in the file.
#[derive(Default)]
struct Pairs(ListpackWriter);

impl Pairs {
    fn finish(mut self, rules: &Rules) -> Option<Hash> {
        let mut blob = Vec::with_capacity(self.0.len());
        self.0.finish(&mut blob).ok()?;
        Hash::from_pairs(&blob, rules)
    }
}

impl ValueVisitor for Pairs {
    fn field(&mut self, name: Element<'_>, value: Element<'_>, _: Option<i64>) -> Result<()> {
        self.0.push(name);
        self.0.push(value);
        Ok(())
    }
}

/// Is told a value and builds it.
struct Builder<'a> {
    of: RdbType,
    rules: &'a Rules,
    value: Option<Value>,
    zset: Option<zset::Builder>,
}

impl Builder<'_> {
    /// A hash to be filled: what may hold expiries begins with room for them.
    fn empty_hash(&self) -> Hash {
        let mut hash = Hash::new();
        if matches!(
            self.of,
            RdbType::HashExpiry | RdbType::HashExpiryRc | RdbType::HashValkey
        ) {
            hash.allow_expiry(self.rules);
        }
        hash
    }

    /// A set to be filled, in the form with which a server begins.
    fn empty_set(&self, count: Option<u64>) -> Set {
        let count = count.map_or(0, |count| usize::try_from(count).unwrap_or(usize::MAX));
        match (self.of, self.rules.set_entries) {
            (RdbType::SetListpack, Some(most)) if count <= most => Set::packed(),
            (RdbType::SetListpack, Some(_)) => Set::table(),
            _ if count > self.rules.intset_entries => Set::table(),
            _ => Set::new(),
        }
    }
}

impl ValueVisitor for Builder<'_> {
    fn string(&mut self, value: Element<'_>) -> Result<()> {
        let mut text = itoa::Buffer::new();
        self.value = Some(Value::String(Text::new(value.bytes(&mut text))));
        Ok(())
    }

    fn begin(&mut self, of: DataType, count: Option<u64>) -> Result<()> {
        self.value = match of {
            DataType::List => Some(Value::List(List::new())),
            DataType::Set => Some(Value::Set(self.empty_set(count))),
            DataType::ZSet => {
                self.zset = Some(match self.of {
                    RdbType::ZsetZiplist | RdbType::ZsetListpack => zset::Builder::packed(),
                    _ => zset::Builder::table(),
                });
                None
            }
            DataType::Hash => Some(Value::Hash(self.empty_hash())),
            _ => None,
        };
        Ok(())
    }

    fn element(&mut self, element: Element<'_>) -> Result<()> {
        let mut text = itoa::Buffer::new();
        match &mut self.value {
            Some(Value::List(list)) => list.push(element.bytes(&mut text), End::Tail),
            Some(Value::Set(set)) => {
                set.add_element(element, self.rules);
            }
            _ => {}
        }
        Ok(())
    }

    fn field(
        &mut self,
        name: Element<'_>,
        value: Element<'_>,
        expires_at: Option<i64>,
    ) -> Result<()> {
        let mut text = (itoa::Buffer::new(), itoa::Buffer::new());
        if let Some(Value::Hash(hash)) = &mut self.value {
            let (name, value) = (name.bytes(&mut text.0), value.bytes(&mut text.1));
            hash.insert(name, value, expires_at, self.rules);
        }
        Ok(())
    }

    fn member(&mut self, member: Element<'_>, score: f64) -> Result<()> {
        let mut text = itoa::Buffer::new();
        if let Some(zset) = &mut self.zset {
            zset.push(member.bytes(&mut text), score);
        }
        Ok(())
    }

    fn end(&mut self, _of: DataType) -> Result<()> {
        if let Some(zset) = self.zset.take() {
            self.value = Some(Value::ZSet(zset.finish(self.rules)));
        }
        Ok(())
    }
}
