//! Reads, checks, replays and writes the persistence files of Redis and Valkey: RDB snapshots, AOFs
//! alone or behind a snapshot, multi-part AOF folders. No server, no network; input is not trusted:
//! any bytes give a result, or an [`Error`] with the offset of what is wrong.
//!
//! This is the library of the program `redkit`. Its face is small:
//!
//! | | |
//! |---|---|
//! | [`Snapshot`] | the keys of a snapshot, one at a time, in flat memory |
//! | [`Replay`] | what a server has once it has started on a log, set or snapshot: keys, values, a digest |
//! | [`SnapshotWriter`] | a snapshot that a chosen server loads |
//! | [`check`] | whether a server loads a file, and what is wrong with it |
//!
//! # The keys of a dump
//!
//! ```
//! use redkit::Snapshot;
//!
//! let mut dump = Snapshot::open("testdata/rdb/redis-7.0.15/few.rdb")?;
//! let mut keys = Vec::new();
//! for entry in dump.entries() {
//!     let entry = entry?;
//!     if entry.db() == 0 && entry.data_type().name() == "zset" {
//!         keys.push((entry.key().to_vec(), entry.value()?));
//!     }
//! }
//! let redkit::Value::ZSet(members) = &keys[0].1 else { panic!("{keys:?}") };
//! assert_eq!(keys[0].0, b"board");
//! assert_eq!(members[1], (b"two".to_vec(), 2.5));
//! # Ok::<(), redkit::Error>(())
//! ```
//!
//! # What a log comes to
//!
//! ```
//! use redkit::{Replay, Value};
//!
//! // A folder with a manifest, a base snapshot and two logs.
//! let replay = Replay::of("testdata/aof/set")?;
//! assert!(replay.is_complete(), "{:?}", replay.findings());
//! assert_eq!(replay.get(0, b"user:1")?, Some(Value::String(b"nobody".to_vec())));
//! assert_eq!(replay.get(0, b"user:2")?, None);
//! assert_eq!(replay.keys(0).count(), 2);
//! # Ok::<(), redkit::Error>(())
//! ```
//!
//! # A dump of one's own
//!
//! ```
//! use redkit::{Snapshot, SnapshotWriter, Target, Value};
//!
//! let target = Target::named("valkey-9.1")?;
//! let mut writer = SnapshotWriter::new(Vec::new(), &target);
//! let colours = ["red", "green"].map(|colour| colour.as_bytes().to_vec());
//! writer.insert(0, b"colours", &Value::Set(colours.to_vec()), None)?;
//! writer.insert(3, b"visits", &Value::String(b"42".to_vec()), Some(1_900_000_000_000))?;
//! // Keys of another snapshot, of whatever type, in the form that the target knows.
//! for entry in Snapshot::open("testdata/rdb/redis-7.0.15/few.rdb")?.entries() {
//!     writer.copy(&entry?)?;
//! }
//! let bytes = writer.finish()?;
//! assert!(bytes.starts_with(b"VALKEY080"));
//! assert_eq!(Snapshot::from_reader(std::io::Cursor::new(bytes))?.entries().count(), 14);
//! # Ok::<(), redkit::Error>(())
//! ```
//!
//! # What holds
//!
//! * What is shown here follows semantic versioning: before 1.0 a change that breaks callers raises the
//!   minor version. Enums and structs that may grow are `#[non_exhaustive]`.
//! * The modules that this is made of are public for the program, its tests, benchmarks and fuzz
//!   targets, and hidden from these pages: they change with any version. `docs/architecture.md` tells
//!   of them.
//! * The cargo feature `lua`, on by default, runs the scripts that old logs hold, and needs a C
//!   compiler; without it such commands are refused by name.
//!
//! # Levels
//!
//! Modules have levels; each imports only from lower ones: [`bytes`] and [`error`] (0), [`io`] (1),
//! [`encoding`] (2), [`command`] and [`record`] (3), [`rdb`] (4), [`aof`] (5), [`keyspace`] (6),
//! [`replay`] and [`write`] (7), [`report`] (8), [`compat`] and [`task`] (9), [`cli`] and [`face`] (10).
#![deny(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

// Public for the program, the tests, the benchmarks and the fuzz targets, which are crates of their own;
// no part of what the library promises, and so not in its documents.
#[doc(hidden)]
pub mod aof;
#[doc(hidden)]
pub mod bytes;
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod command;
#[doc(hidden)]
pub mod compat;
#[doc(hidden)]
pub mod encoding;
pub mod error;
#[doc(hidden)]
pub mod face;
#[doc(hidden)]
pub mod io;
#[doc(hidden)]
pub mod keyspace;
#[doc(hidden)]
pub mod rdb;
#[doc(hidden)]
pub mod record;
#[doc(hidden)]
pub mod replay;
#[doc(hidden)]
pub mod report;
#[doc(hidden)]
pub mod task;
#[doc(hidden)]
pub mod write;

#[doc(inline)]
pub use error::{Error, Result};
#[doc(inline)]
pub use face::{
    Check, Entries, Entry, Field, Options, Replay, Snapshot, SnapshotWriter, Target, Value, check,
};
#[doc(inline)]
pub use record::DataType;
#[doc(inline)]
pub use report::check::Verdict;
#[doc(inline)]
pub use report::finding::{Finding, Severity};
