//! Offline toolkit for the persistence files of Redis and Valkey: one parser, many uses.
//!
//! Modules have levels; each imports only from lower ones:
//! [`bytes`] and [`error`] (0), [`io`] (1), [`encoding`] (2), [`command`] and [`record`] (3),
//! [`rdb`] (4), [`aof`] (5), [`keyspace`] (6), [`replay`] and [`write`] (7), [`report`] (8), [`compat`] and [`task`] (9), [`cli`] (10).
#![deny(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod aof;
pub mod bytes;
pub mod cli;
pub mod command;
pub mod compat;
pub mod encoding;
pub mod error;
pub mod io;
pub mod keyspace;
pub mod rdb;
pub mod record;
pub mod replay;
pub mod report;
pub mod task;
pub mod write;
