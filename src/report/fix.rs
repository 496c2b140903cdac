//! What a fix of a log takes out, and what it leaves in doubt: plain data.

use crate::aof::log::Cause;

/// How a log is mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Everything from the first fault on goes, as the servers' own tool does it.
    Truncate,
    /// Only what is damaged goes.
    Skip,
}

impl Strategy {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Strategy::Truncate => "truncate",
            Strategy::Skip => "skip",
        }
    }
}

/// Why bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// They cannot be read.
    Damage(Cause),
    /// The file ends before the transaction does.
    OpenMulti,
    /// What stands between damage and an EXEC: part of a transaction whose beginning was lost.
    HalfTransaction,
    /// A command with a wrong number of arguments, or the transaction that holds it.
    Arity,
    /// A command that the server does not know, or the transaction that holds it.
    UnknownCommand,
    /// A command that crashes the server as it runs it from a log, or the transaction that holds it.
    Crash,
    /// A DISCARD inside a transaction, which servers crash on as they run it.
    Discard,
    /// The snapshot in front is damaged.
    Snapshot,
    /// It stands behind the place where the log is cut.
    Behind,
}

impl Why {
    /// The word in reports and in the names of what is kept.
    pub fn name(self) -> &'static str {
        match self {
            Why::Damage(cause) => cause.name(),
            Why::OpenMulti => "open-multi",
            Why::HalfTransaction => "half-transaction",
            Why::Arity => "arity",
            Why::UnknownCommand => "unknown-command",
            Why::Crash => "crash",
            Why::Discard => "discard",
            Why::Snapshot => "snapshot",
            Why::Behind => "behind",
        }
    }
}

/// A range of bytes that goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// First byte.
    pub start: u64,
    /// Just behind the last byte.
    pub end: u64,
    /// Why, where it begins.
    pub why: Why,
    /// Whole commands in it.
    pub commands: u64,
    /// Bytes in it that cannot be read.
    pub damaged: u64,
    /// Whether a transaction goes with it.
    pub in_transaction: bool,
}

impl Loss {
    /// A range without damage.
    pub fn of(start: u64, end: u64, why: Why, commands: u64) -> Loss {
        Loss {
            start,
            end,
            why,
            commands,
            damaged: 0,
            in_transaction: false,
        }
    }
}

/// Commands in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// First byte.
    pub start: u64,
    /// Just behind the last byte.
    pub end: u64,
    /// How many they are.
    pub commands: u64,
}

/// A name that the server does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Offset of the first such command.
    pub first: u64,
    /// How many there are.
    pub count: u64,
}

/// Damage of which two readings stand; the one that keeps fewer commands was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ambiguous {
    /// First byte.
    pub start: u64,
    /// Just behind the last byte.
    pub end: u64,
}

/// Damage that could hide a SELECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelectDoubt {
    /// Just behind the damage.
    pub at: u64,
    /// The database that was selected before it.
    pub db: u32,
    /// Commands up to the next SELECT, which may be meant for another database.
    pub commands: u64,
    /// Whether that selects the database that was selected before the damage.
    pub likely: bool,
}

/// A key whose later commands may come out differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInDoubt {
    /// Its database, as far as that is certain.
    pub db: u32,
    /// Its name.
    pub key: Vec<u8>,
    /// Commands behind the loss that build on its value.
    pub commands: u64,
    /// Whether its name stands among what was lost.
    pub seen: bool,
}

/// The keys whose later commands may come out differently.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeysReport {
    /// How many they are.
    pub count: u64,
    /// Whether there are more than were counted.
    pub more: bool,
    /// Some of them: first those whose names stand among what was lost.
    pub listed: Vec<KeyInDoubt>,
}

impl KeysReport {
    /// How many are listed at most.
    pub const LISTED: usize = 10_000;
}

/// What a strategy comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Commands that stay.
    pub kept_commands: u64,
    /// Whole commands that go, and one for each place that cannot be read.
    pub lost_commands: u64,
    /// Bytes that stay.
    pub kept_bytes: u64,
    /// Bytes that go.
    pub lost_bytes: u64,
    /// Keys that a server has loaded in the end, where the commands alone tell.
    pub keys: Option<u64>,
}

/// What goes from a file, and what is in doubt in it.
#[derive(Clone, Debug, Default)]
pub struct FileFix {
    /// Its name as in the report of the check.
    pub name: String,
    /// What goes, in its order.
    pub losses: Vec<Loss>,
    /// Runs too short to be believed, between two damages.
    pub uncertain: Vec<Run>,
    /// Commands behind damage that stay as single ones, though they may have been in a transaction.
    pub singles: Vec<Run>,
    /// Damage of which two readings stand.
    pub ambiguous: Vec<Ambiguous>,
    /// Damage that could hide a SELECT, where that matters.
    pub selects: Vec<SelectDoubt>,
    /// Commands that the server does not know and that stay.
    pub unknown: Vec<(String, Unknown)>,
    /// Whether it is left out of the set altogether.
    pub left_out: bool,
}

/// The plan of a fix, and what came of it.
#[derive(Clone, Debug)]
pub struct FixReport {
    /// How.
    pub strategy: Strategy,
    /// What it comes to.
    pub outcome: Outcome,
    /// What the other strategy would come to, where it is another.
    pub other: Option<Outcome>,
    /// File by file, in load order.
    pub files: Vec<FileFix>,
    /// Keys in doubt.
    pub keys: KeysReport,
    /// Whether the log has transactions at all.
    pub has_transactions: bool,
    /// Whether a manifest is made from the names of the files.
    pub rebuilt_manifest: bool,
    /// What was done, once it was.
    pub done: Option<Done>,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Files that were written or cut, with their sizes.
    pub written: Vec<(String, u64)>,
    /// Where what was taken out is kept.
    pub removed: Vec<String>,
    /// The new manifest, where one was written.
    pub manifest: Option<String>,
    /// Where the old manifest is kept.
    pub old_manifest: Option<String>,
    /// What could not be carried over.
    pub warnings: Vec<String>,
}
