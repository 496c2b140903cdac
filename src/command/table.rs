//! The table, read from its text once, and the search in it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::{CommandSpec, Flag, Flags, Like, ServerLine, Signature, Version};

/// What servers said, as `testdata/commands.py` wrote it down.
pub(super) const TEXT: &str = include_str!("../../testdata/commands.tsv");

/// The built-in module of vector sets does not say since when it is there.
const VECTOR_SETS_SINCE: Version = Version {
    major: 8,
    minor: 0,
    patch: 0,
};

/// Slots for each name: a search that finds nothing ends at the first look, most often.
const SLOTS_A_NAME: usize = 4;

static TABLE: LazyLock<Table> = LazyLock::new(|| Table::of(TEXT));

#[inline]
pub(super) fn table() -> &'static Table {
    &TABLE
}

/// The commands, and their names in a table of open addresses.
pub(super) struct Table {
    commands: Vec<CommandSpec>,
    /// The name of each command.
    keys: Vec<Key>,
    /// Places in `keys`, or [`Table::FREE`]. Their number is a power of two.
    slots: Vec<u16>,
}

impl Table {
    const FREE: u16 = u16::MAX;

    /// Lines that are not understood are left out; the tests see to it that there are none.
    pub(super) fn of(text: &'static str) -> Table {
        let mut commands = BTreeMap::new();
        let mut subcommands: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for row in text.lines().filter_map(Row::of) {
            let by_name = match row.name.split_once('|') {
                Some((container, _)) => subcommands.entry(container).or_default(),
                None => &mut commands,
            };
            let spec: &mut CommandSpec = by_name.entry(row.name).or_insert_with(|| CommandSpec {
                name: row.name,
                index: 0,
                signatures: [None; ServerLine::ALL.len()],
                subcommands: Vec::new(),
            });
            let signatures = spec.signatures.iter_mut();
            for (own, line) in signatures.zip(ServerLine::ALL) {
                if row.lines().any(|said| said == line) {
                    *own = Some(row.signature);
                }
            }
        }
        for (name, spec) in &mut commands {
            spec.subcommands = numbered(subcommands.remove(name).unwrap_or_default());
        }
        Table::indexed(numbered(commands))
    }

    fn indexed(commands: Vec<CommandSpec>) -> Table {
        let count = (commands.len() * SLOTS_A_NAME).next_power_of_two();
        let mut table = Table {
            keys: Vec::with_capacity(commands.len()),
            slots: vec![Table::FREE; count],
            commands,
        };
        for (index, command) in (0..).zip(&table.commands) {
            // A name that no key holds is longer than all others by far: the tests look for it.
            let Some(key) = Key::of(command.name.as_bytes()) else {
                continue;
            };
            table.keys.push(key);
            let free = (key.hash()..)
                .map(|at| at & (count - 1))
                .find(|at| table.slots.get(*at) == Some(&Table::FREE));
            if let Some(slot) = free.and_then(|at| table.slots.get_mut(at)) {
                *slot = index;
            }
        }
        table
    }

    #[inline]
    pub(super) fn find(&self, name: &[u8]) -> Option<&CommandSpec> {
        let key = Key::of(name)?;
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = key.hash() & mask;
        // Most slots are free, so that this ends.
        loop {
            let slot = *self.slots.get(at)?;
            if slot == Table::FREE {
                return None;
            }
            let index = usize::from(slot);
            if self.keys.get(index) == Some(&key) {
                return self.commands.get(index);
            }
            at = (at + 1) & mask;
        }
    }

    pub(super) fn commands(&self) -> &[CommandSpec] {
        &self.commands
    }
}

fn numbered(by_name: BTreeMap<&'static str, CommandSpec>) -> Vec<CommandSpec> {
    let mut specs: Vec<CommandSpec> = by_name.into_values().collect();
    for (index, spec) in specs.iter_mut().enumerate() {
        spec.index = index;
    }
    specs
}

/// A line of the text.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) signature: Signature,
    servers: &'static str,
}

impl Row {
    pub(super) fn of(line: &'static str) -> Option<Row> {
        if line.starts_with('#') {
            return None;
        }
        let mut columns = line.split('\t');
        let name = columns.next()?;
        let mut number = || columns.next()?.parse::<i8>().ok();
        let (arity, first_key, last_key, step) = (number()?, number()?, number()?, number()?);
        let flags: Flags = match columns.next()? {
            "-" => Flags::default(),
            names => names
                .split(',')
                .map(Flag::from_name)
                .collect::<Option<_>>()?,
        };
        let since = match columns.next()? {
            "-" => flags.has(Flag::Module).then_some(VECTOR_SETS_SINCE),
            version => Some(version.parse().ok()?),
        };
        let servers = columns.next()?;
        Some(Row {
            name,
            signature: Signature {
                arity,
                first_key,
                last_key,
                step,
                flags,
                since,
            },
            servers,
        })
    }

    /// Those who said so.
    pub(super) fn lines(&self) -> impl Iterator<Item = ServerLine> {
        let names = self.servers.split(',');
        names.filter_map(|name| name.parse().ok().map(Like::line))
    }
}

/// A name of at most [`Key::LONGEST`] bytes in lower case, in a form that is quick to make and to
/// compare: its ends, which may lie over each other, and what is between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    len: usize,
    head: u64,
    middle: u64,
    tail: u64,
}

impl Key {
    pub(super) const LONGEST: usize = 24;

    #[inline]
    pub(super) fn of(name: &[u8]) -> Option<Key> {
        let len = name.len();
        let (head, middle, tail) = if let Some(head) = name.first_chunk() {
            let middle = match name.get(8..16) {
                Some(_) if len > Key::LONGEST => return None,
                Some(middle) if len > 16 => u64::from_le_bytes(*middle.first_chunk()?),
                _ => 0,
            };
            let tail = u64::from_le_bytes(*name.last_chunk()?);
            (u64::from_le_bytes(*head), middle, tail)
        } else if let Some(head) = name.first_chunk() {
            let tail = u32::from_le_bytes(*name.last_chunk()?);
            (u64::from(u32::from_le_bytes(*head)), 0, u64::from(tail))
        } else {
            let head = [*name.first()?, *name.get(len / 2)?, *name.last()?, 0];
            (u64::from(u32::from_le_bytes(head)), 0, 0)
        };
        Some(Key {
            len,
            head: lower(head),
            middle: lower(middle),
            tail: lower(tail),
        })
    }

    #[inline]
    fn hash(&self) -> usize {
        let mixed = self.head ^ self.middle.rotate_left(17) ^ self.tail.rotate_left(29);
        // An odd number without pattern (2^64 divided by the golden ratio); the middle bits of the
        // product depend on all of what is below them.
        let product = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        usize::try_from(product >> 40).unwrap_or(0) ^ self.len
    }
}

/// The letters A to Z among eight bytes in lower case, all at once.
#[inline]
fn lower(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * EACH;
    let low = word & !HIGH;
    // The highest bit of each byte says whether it is at least A, and whether it is above Z. No sum
    // reaches the next byte.
    let from_a = low + (0x80 - b'A' as u64) * EACH;
    let above_z = low + (0x7f - b'Z' as u64) * EACH;
    let letters = from_a & !above_z & !word & HIGH;
    word | (letters >> 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_nothing_else_become_small() {
        for byte in 0..=255u8 {
            for place in 0..8 {
                for around in [0u8, 0x7f, 0xff, b'A', b'z'] {
                    let mut bytes = [around; 8];
                    bytes[place] = byte;
                    let expected = bytes.map(|byte| byte.to_ascii_lowercase());
                    let found = lower(u64::from_le_bytes(bytes)).to_le_bytes();
                    assert_eq!(found, expected, "{byte:#x} at {place}");
                }
            }
        }
    }

    #[test]
    fn keys_differ_in_every_byte_and_in_length() {
        for len in 1..=Key::LONGEST {
            let name = vec![b'x'; len];
            let key = Key::of(&name).expect("it is short");
            for at in 0..len {
                let mut other = name.clone();
                other[at] = b'y';
                assert_ne!(Key::of(&other), Some(key), "{at} of {len}");
            }
            for other in 1..=Key::LONGEST {
                let same = Key::of(&vec![b'x'; other]) == Some(key);
                assert_eq!(same, other == len);
            }
        }
        assert_eq!(Key::of(b""), None);
        assert_eq!(Key::of(&[b'x'; Key::LONGEST + 1]), None);
    }

    #[test]
    fn most_names_are_found_at_the_first_look() {
        let table = table();
        let mask = table.slots.len() - 1;
        let first = table.keys.iter().enumerate().filter(|(index, key)| {
            let slot = table.slots[key.hash() & mask];
            usize::from(slot) == *index
        });
        assert!(first.count() * 100 > table.keys.len() * 80);
        assert_eq!(table.keys.len(), table.commands.len());
    }
}
