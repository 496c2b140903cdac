//! Offline toolkit for the persistence files of Redis and Valkey.
