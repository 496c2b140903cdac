//! A row a command: its name and who does it.
//!
//! How many arguments it takes and where its keys are stands in [`command`], server by server; it is
//! not said twice.

use std::sync::LazyLock;

use crate::command;
use crate::replay::args::Args;
use crate::replay::context::Context;
use crate::replay::reply::Outcome;

/// Does a command: a function of keys, arguments, rules and time.
///
/// Arguments are those behind the name; their number is what the server's table asks for.
pub(super) type Handler = fn(&mut Context<'_>, Args<'_>) -> Outcome;

/// What a command touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touches {
    /// The key that is its first argument, and nothing else: whoever owns the key may do it, beside
    /// others who own other keys.
    Key,
    /// The same where it has no other argument; else anything.
    OnlyKey,
    /// The key that is its second argument, behind the name of a subcommand.
    SecondKey,
    /// The keys that are its arguments, each by itself: it may be done key by key.
    EachKey,
    /// Anything.
    Any,
}

/// A command that the engine does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// In lower case.
    pub(super) name: &'static str,
    /// What it touches.
    pub(super) touches: Touches,
    /// It changes nothing, so that only scripts do it.
    pub(super) reads: bool,
    /// Does it.
    pub(super) apply: Handler,
}

impl Row {
    /// A command that changes the key that is its first argument.
    pub(super) const fn one(name: &'static str, apply: Handler) -> Row {
        Row {
            name,
            touches: Touches::Key,
            reads: false,
            apply,
        }
    }

    /// A command that changes the keys that are its arguments, each by itself.
    pub(super) const fn each(name: &'static str, apply: Handler) -> Row {
        Row {
            touches: Touches::EachKey,
            ..Row::many(name, apply)
        }
    }

    /// A command that changes the key that is its first argument where that is the only one, and
    /// several keys, or none, else.
    pub(super) const fn one_alone(name: &'static str, apply: Handler) -> Row {
        Row {
            touches: Touches::OnlyKey,
            ..Row::many(name, apply)
        }
    }

    /// A command that changes the key behind the name of a subcommand.
    pub(super) const fn second(name: &'static str, apply: Handler) -> Row {
        Row {
            touches: Touches::SecondKey,
            ..Row::many(name, apply)
        }
    }

    /// A command that changes several keys, or other things.
    pub(super) const fn many(name: &'static str, apply: Handler) -> Row {
        Row {
            name,
            touches: Touches::Any,
            reads: false,
            apply,
        }
    }

    /// A command that changes nothing and answers; only scripts have a use for it.
    pub(super) const fn read(name: &'static str, apply: Handler) -> Row {
        Row {
            name,
            touches: Touches::Any,
            reads: true,
            apply,
        }
    }
}

impl Row {
    /// The key that says which thread does the command; none where several keys have a say.
    #[inline]
    pub(super) fn key<'a>(&self, args: &[&'a [u8]]) -> Option<&'a [u8]> {
        match self.touches {
            Touches::Key | Touches::EachKey => args.first().copied(),
            Touches::OnlyKey if args.len() == 1 => args.first().copied(),
            Touches::SecondKey => args.get(1).copied(),
            Touches::OnlyKey | Touches::Any => None,
        }
    }
}

/// The tables of all data types.
const TABLES: &[&[Row]] = &[
    super::bitmap::TABLE,
    super::function::TABLE,
    super::geo::TABLE,
    super::hash::TABLE,
    super::hyperloglog::TABLE,
    super::keys::TABLE,
    super::list::TABLE,
    super::script::TABLE,
    super::server::TABLE,
    super::set::TABLE,
    super::sort::TABLE,
    super::stream::TABLE,
    super::string::TABLE,
    super::vector::TABLE,
    super::zset::TABLE,
];

/// Rows by the index of their commands ([`command::CommandSpec::index`]).
static ROWS: LazyLock<Vec<Option<Row>>> = LazyLock::new(|| {
    let mut rows = vec![None; command::all().len()];
    for row in TABLES.iter().copied().flatten() {
        let spec = command::lookup(row.name.as_bytes());
        if let Some(slot) = spec.and_then(|spec| rows.get_mut(spec.index())) {
            *slot = Some(*row);
        }
    }
    rows
});

/// The row of the command with this index, if the engine does it.
#[inline]
pub(super) fn row(index: usize) -> Option<&'static Row> {
    ROWS.get(index)?.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_row_is_a_command_and_names_are_sorted_and_stand_once() {
        let mut seen = BTreeSet::new();
        for table in TABLES {
            assert!(table.is_sorted_by(|a, b| a.name < b.name));
            for row in *table {
                assert!(
                    command::lookup(row.name.as_bytes()).is_some(),
                    "{}",
                    row.name
                );
                assert!(seen.insert(row.name), "{} stands twice", row.name);
            }
        }
    }

    #[test]
    fn every_command_that_writes_on_some_server_has_a_row() {
        for spec in command::all() {
            let lines = command::ServerLine::ALL;
            let signatures = lines.iter().filter_map(|line| spec.said_by(*line));
            let subcommands = spec.subcommands().iter();
            let inner = subcommands.flat_map(|one| lines.iter().filter_map(|l| one.said_by(*l)));
            let mut all = signatures.chain(inner);
            if all.any(|signature| signature.flags.has(command::Flag::Write)) {
                let row = row(spec.index());
                assert!(row.is_some_and(|row| !row.reads), "{}", spec.name());
            }
        }
    }
}
