//! What is known at a place of a log: how many commands came before, which database is selected,
//! what time it is.

use crate::aof::resp::{self, Command};
use crate::bytes::number::parse_canonical_i64;

/// What was read so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Commands before this place.
    pub commands: u64,
    /// The database that the next command works on.
    pub db: u32,
    /// The seconds of the last `#TS:`.
    pub time: Option<u64>,
}

impl Position {
    /// At the start of the next file of a set: servers begin each in database 0.
    pub fn next_file(&mut self) {
        self.db = 0;
    }

    /// Behind a command.
    #[inline]
    pub fn command(&mut self, command: &Command<'_>) {
        self.commands += 1;
        if let Some(db) = selected(command) {
            self.db = db;
        }
    }

    /// Behind an annotation.
    pub fn annotation(&mut self, text: &[u8]) {
        if let Some(time) = resp::timestamp(text) {
            self.time = Some(time);
        }
    }
}

/// The database that a SELECT selects. One with anything but a number is an error, which leaves
/// the database as it was. More arguments are left alone, by those that load it.
#[inline]
pub fn selected(command: &Command<'_>) -> Option<u32> {
    if command.argc() < 2 || !command.is("select") {
        return None;
    }
    let number = parse_canonical_i64(command.args().nth(1)?)?;
    i32::try_from(number)
        .ok()
        .and_then(|db| u32::try_from(db).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aof::resp::{Item, item, write_command};

    fn after(args: &[&str]) -> u32 {
        let mut bytes = Vec::new();
        write_command(args.iter().map(|arg| arg.as_bytes()), &mut bytes);
        let Ok((_, Item::Command(command))) = item(&bytes) else {
            panic!("a command");
        };
        let mut position = Position {
            db: 7,
            ..Position::default()
        };
        position.command(&command);
        assert_eq!(position.commands, 1);
        position.db
    }

    #[test]
    fn only_a_select_with_a_number_selects() {
        assert_eq!(after(&["SELECT", "3"]), 3);
        assert_eq!(after(&["select", "0"]), 0);
        // As Redis loads it: it does not look for arguments too many.
        assert_eq!(after(&["SELECT", "3", "4"]), 3);
        for args in [
            &["SELECT"][..],
            &["SELECT", "x"],
            &["SELECT", "-1"],
            &["SELECT", "2147483648"],
            &["SET", "3"],
        ] {
            assert_eq!(after(args), 7, "{args:?}");
        }
    }

    #[test]
    fn other_annotations_tell_no_time() {
        let mut position = Position::default();
        position.annotation(b"TS:17");
        position.annotation(b"TS:x");
        position.annotation(b"other");
        assert_eq!(position.time, Some(17));
    }
}
