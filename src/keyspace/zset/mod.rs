//! A sorted set.
//!
//! Small ones are packed into one block; larger ones, and those with long members, are a table with an
//! order beside it. As in the servers a set that has become a table stays one, and the form has a
//! meaning: from Redis 7 on a packed score has no negative zero.

mod packed;
mod ranked;

use std::cmp::Ordering;

use crate::bytes::Element;
use crate::error::Result;
use crate::keyspace::rules::Rules;
use crate::record::{DataType, RdbType, ValueVisitor};
use packed::{Entries, Packed};
use ranked::{Loading, Range, Ranked};

/// Members by score, then by their bytes.
#[derive(Clone, Debug)]
pub struct ZSet(Form);

#[derive(Clone, Debug)]
enum Form {
    Packed(Packed),
    Table(Box<Ranked>),
}

impl Default for ZSet {
    fn default() -> Self {
        ZSet(Form::Packed(Packed::default()))
    }
}

/// The order of members.
#[inline]
fn order(score: f64, member: &[u8], other_score: f64, other_member: &[u8]) -> Ordering {
    match score.partial_cmp(&other_score) {
        Some(Ordering::Equal) => member.cmp(other_member),
        Some(order) => order,
        // Not a number: nothing that a server has, but files may say it.
        None => score
            .total_cmp(&other_score)
            .then_with(|| member.cmp(other_member)),
    }
}

/// What became of a member that was given a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was not there.
    New,
    /// It has another score now.
    Score,
    /// It has the score already.
    None,
}

/// An end of a range of scores or members.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound<T> {
    /// What the end is.
    pub at: T,
    /// It is not in the range.
    pub excluded: bool,
}

/// An end of a range of members by their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lex<'a> {
    /// Before every member.
    Lowest,
    /// A member, which need not be there.
    At(&'a [u8]),
    /// Behind every member.
    Highest,
}

impl Lex<'_> {
    /// The order of two ends.
    fn compare(&self, other: &Lex<'_>) -> Ordering {
        let rank = |end: &Lex<'_>| match end {
            Lex::Lowest => 0,
            Lex::At(_) => 1,
            Lex::Highest => 2,
        };
        match (self, other) {
            (Lex::At(a), Lex::At(b)) => a.cmp(b),
            _ => rank(self).cmp(&rank(other)),
        }
    }

    fn to(&self, member: &[u8]) -> Ordering {
        self.compare(&Lex::At(member))
    }
}

impl Bound<Lex<'_>> {
    fn allows_from(&self, member: &[u8]) -> bool {
        let order = self.at.to(member);
        order.is_lt() || (!self.excluded && order.is_eq())
    }

    fn allows_to(&self, member: &[u8]) -> bool {
        let order = self.at.to(member);
        order.is_gt() || (!self.excluded && order.is_eq())
    }
}

impl ZSet {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// From members in any order, each once, as a command of a server makes the set that it stores: a
    /// table at first, packed at the end where it is small.
    pub fn stored<'a>(members: impl Iterator<Item = (&'a [u8], f64)>, rules: &Rules) -> Self {
        let mut builder = Builder::table();
        for (member, score) in members {
            builder.push(member, score);
        }
        builder.finish(rules)
    }

    /// Gives a member a score. One that has a score which is equal keeps it, sign of a zero included.
    #[inline]
    pub fn insert(&mut self, member: &[u8], score: f64, rules: &Rules) -> Change {
        let packed = match &mut self.0 {
            Form::Table(table) => return table.insert(member, score),
            Form::Packed(packed) => packed,
        };
        let fits = packed.len() < rules.zset_entries && member.len() <= rules.packed_string;
        if fits || packed.find(member).is_some() {
            return packed.insert(member, packed_score(score, rules));
        }
        self.make_table().insert(member, score)
    }

    /// Makes a table of it, where a server does so because of members that are to come.
    pub fn expect(&mut self, members: usize, longest: usize, rules: &Rules) {
        let fits = members <= rules.zset_entries && longest <= rules.packed_string;
        if !fits && matches!(self.0, Form::Packed(_)) {
            self.make_table();
        }
    }

    /// Removes a member; false where there is none.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match &mut self.0 {
            Form::Packed(packed) => packed.remove(member),
            Form::Table(table) => table.remove(member),
        }
    }

    /// Removes the members whose ranks are from `from` to before `to`; how many.
    pub fn remove_range(&mut self, from: usize, to: usize) -> usize {
        let to = to.min(self.len());
        match &mut self.0 {
            Form::Packed(packed) => packed.remove_range(from, to),
            Form::Table(table) => table.remove_range(from, to),
        }
        to.saturating_sub(from)
    }

    /// Looks at the bytes that it holds itself. Means nothing.
    #[inline]
    pub fn fetch(&self) -> usize {
        match &self.0 {
            Form::Packed(packed) => packed.fetch(),
            Form::Table(table) => table.len(),
        }
    }

    /// Members in it.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Form::Packed(packed) => packed.len(),
            Form::Table(table) => table.len(),
        }
    }

    /// True without members.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it is packed.
    pub fn is_packed(&self) -> bool {
        matches!(self.0, Form::Packed(_))
    }

    /// The score of a member.
    #[inline]
    pub fn get(&self, member: &[u8]) -> Option<f64> {
        match &self.0 {
            Form::Packed(packed) => packed.find(member).map(|entry| entry.score),
            Form::Table(table) => table.score(member),
        }
    }

    /// The rank of a member, from 0, and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        match &self.0 {
            Form::Packed(packed) => {
                let mut entries = packed.iter().enumerate();
                let (rank, entry) = entries.find(|(_, entry)| entry.member == member)?;
                Some((rank, entry.score))
            }
            Form::Table(table) => table.rank(member),
        }
    }

    /// The ranks of the members with scores in a range: the first, and the one behind the last.
    pub fn score_range(&self, min: Bound<f64>, max: Bound<f64>) -> (usize, usize) {
        let (from, to) = match &self.0 {
            Form::Packed(packed) => {
                let scores = || packed.iter().map(|entry| entry.score);
                let below = |score: &f64| *score < min.at || (min.excluded && *score == min.at);
                let within = |score: &f64| *score < max.at || (!max.excluded && *score == max.at);
                let from = scores().take_while(below).count();
                let rest = scores().skip(from).take_while(within).count();
                return (from, from + rest);
            }
            Form::Table(table) => (
                table.below(min.at, min.excluded),
                table.below(max.at, !max.excluded),
            ),
        };
        (from, to.max(from))
    }

    /// The ranks of the members in a range by their bytes, less the first `skip` of them: the first,
    /// and the one behind the last.
    ///
    /// Where scores differ, such a range has no meaning; a server then takes what it comes to, which
    /// for a table depends on chance. In a packed set it looks for the first in the range, passes
    /// over so many, and goes on as long as it is in the range.
    pub fn lex_range(
        &self,
        min: Bound<Lex<'_>>,
        max: Bound<Lex<'_>>,
        skip: usize,
    ) -> (usize, usize) {
        if !self.reaches(min, max) {
            return (0, 0);
        }
        match &self.0 {
            Form::Packed(packed) => {
                let members = || packed.iter().map(|entry| entry.member);
                let mut from = members().take_while(|m| !min.allows_from(m)).count();
                let first = members().nth(from);
                if !first.is_some_and(|first| max.allows_to(first)) {
                    return (0, 0);
                }
                from = (from + skip).min(packed.len());
                let rest = members().skip(from).take_while(|m| max.allows_to(m));
                (from, from + rest.count())
            }
            Form::Table(table) => {
                let from = table.partition(|member, _| !min.allows_from(member));
                let to = table.partition(|member, _| max.allows_to(member));
                let from = (from.saturating_add(skip)).min(to.max(from));
                (from, to.max(from))
            }
        }
    }

    /// The same from the high end: with `skip` the last are left out.
    pub fn lex_range_back(
        &self,
        min: Bound<Lex<'_>>,
        max: Bound<Lex<'_>>,
        skip: usize,
    ) -> (usize, usize) {
        let Form::Packed(packed) = &self.0 else {
            let (from, to) = self.lex_range(min, max, 0);
            return (from, to.saturating_sub(skip).max(from));
        };
        if !self.reaches(min, max) {
            return (0, 0);
        }
        let members = || packed.iter().rev().map(|entry| entry.member);
        let mut above = members().take_while(|m| !max.allows_to(m)).count();
        let last = members().nth(above);
        if !last.is_some_and(|last| min.allows_from(last)) {
            return (0, 0);
        }
        above = (above + skip).min(packed.len());
        let within = members().skip(above).take_while(|m| min.allows_from(m));
        let to = packed.len() - above;
        (to - within.count(), to)
    }

    /// What a server looks at first: the range is one, and its ends are not beyond the first and the
    /// last member.
    fn reaches(&self, min: Bound<Lex<'_>>, max: Bound<Lex<'_>>) -> bool {
        let ends = min.at.compare(&max.at);
        let mut all = self.iter();
        let first = all.next().map(|(member, _)| member);
        let last = all.next_back().map(|(member, _)| member).or(first);
        !(ends.is_gt() || (ends.is_eq() && (min.excluded || max.excluded)))
            && last.is_some_and(|last| min.allows_from(last))
            && first.is_some_and(|first| max.allows_to(first))
    }

    /// Members and scores in order.
    #[inline]
    pub fn iter(&self) -> Members<'_> {
        self.range(0, self.len())
    }

    /// Those whose ranks are from `from` to before `to`.
    pub fn range(&self, from: usize, to: usize) -> Members<'_> {
        match &self.0 {
            Form::Packed(packed) => {
                let mut entries = packed.iter();
                for _ in 0..from {
                    entries.next();
                }
                for _ in to..packed.len() {
                    entries.next_back();
                }
                Members(Inner::Packed(entries))
            }
            Form::Table(table) => Members(Inner::Table(table.range(from, to))),
        }
    }

    /// The type by which the server would save it.
    pub fn rdb_type(&self, rules: &Rules) -> RdbType {
        match &self.0 {
            Form::Packed(_) if rules.since((7, 0), (0, 0)) => RdbType::ZsetListpack,
            Form::Packed(_) => RdbType::ZsetZiplist,
            Form::Table(_) => RdbType::ZsetBinary,
        }
    }

    /// Tells a visitor the whole value.
    ///
    /// # Errors
    /// What the visitor returned.
    pub fn walk(&self, to: &mut dyn ValueVisitor) -> Result<()> {
        to.begin(DataType::ZSet, Some(self.len() as u64))?;
        for (member, score) in self.iter() {
            to.member(Element::Bytes(member), score)?;
        }
        to.end(DataType::ZSet)
    }

    /// Bytes that it takes in memory, about.
    pub fn heap(&self) -> usize {
        match &self.0 {
            Form::Packed(packed) => packed.heap(),
            Form::Table(table) => table.heap(),
        }
    }

    fn make_table(&mut self) -> &mut Ranked {
        if let Form::Packed(packed) = &self.0 {
            let members = packed.iter().map(|entry| (entry.member, entry.score));
            self.0 = Form::Table(Box::new(Ranked::from_members(members)));
        }
        match &mut self.0 {
            Form::Table(table) => table,
            Form::Packed(_) => unreachable!("it was made a table"),
        }
    }
}

/// What a packed set keeps of a score: a listpack holds whole numbers as integers, which have no
/// negative zero; a ziplist holds the text.
#[inline]
fn packed_score(score: f64, rules: &Rules) -> f64 {
    if score == 0.0 && rules.since((7, 0), (0, 0)) {
        0.0
    } else {
        score
    }
}

/// Members and scores, from both ends.
#[derive(Clone, Debug)]
pub struct Members<'a>(Inner<'a>);

#[derive(Clone, Debug)]
enum Inner<'a> {
    Packed(Entries<'a>),
    Table(Range<'a>),
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Inner::Packed(entries) => entries.next().map(|entry| (entry.member, entry.score)),
            Inner::Table(range) => range.next(),
        }
    }
}

impl DoubleEndedIterator for Members<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Inner::Packed(entries) => entries.next_back().map(|entry| (entry.member, entry.score)),
            Inner::Table(range) => range.next_back(),
        }
    }
}

/// Is told a set member by member, in any order, and gives it the form that a server gives what it
/// loads or stores.
#[derive(Debug)]
pub struct Builder {
    loading: Loading,
    longest: usize,
    /// It came packed: then a server keeps it so if it has few members, however long, and every
    /// score as it is.
    packed: bool,
}

impl Builder {
    /// Of a set that a server first makes a table of.
    pub fn table() -> Self {
        Builder {
            loading: Loading::default(),
            longest: 0,
            packed: false,
        }
    }

    /// Of a set that is packed in a file.
    pub fn packed() -> Self {
        Builder {
            packed: true,
            ..Builder::table()
        }
    }

    /// Takes a member; one that was there already is left as it is.
    #[inline]
    pub fn push(&mut self, member: &[u8], score: f64) {
        self.longest = self.longest.max(member.len());
        self.loading.push(member, score);
    }

    /// Takes a member, or joins its score to that which it has.
    pub fn merge(&mut self, member: &[u8], score: f64, join: impl Fn(f64, f64) -> f64) {
        self.longest = self.longest.max(member.len());
        self.loading.merge(member, score, join);
    }

    /// The set as a table, however small.
    pub fn unpacked(self) -> ZSet {
        ZSet(Form::Table(Box::new(self.loading.finish())))
    }

    /// Members so far.
    pub fn len(&self) -> usize {
        self.loading.len()
    }

    /// True without members.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The set in the form that a server chooses, every score as it was told.
    pub fn exact(mut self, rules: &Rules) -> ZSet {
        self.packed = self.longest <= rules.packed_string;
        self.finish(rules)
    }

    /// The set.
    pub fn finish(self, rules: &Rules) -> ZSet {
        let few = self.loading.len() <= rules.zset_entries;
        let packs = few && (self.packed || self.longest <= rules.packed_string);
        let table = self.loading.finish();
        if !packs {
            return ZSet(Form::Table(Box::new(table)));
        }
        let mut packed = Packed::default();
        for (member, score) in table.range(0, table.len()) {
            let kept = if self.packed {
                score
            } else {
                packed_score(score, rules)
            };
            packed.push(member, kept);
        }
        ZSet(Form::Packed(packed))
    }
}

#[cfg(test)]
mod tests;
