//! How much memory the keyspace may take.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::io::memory::resident;
use crate::replay::reply::Rejection;

/// A bound on memory. What the process has is asked of the system, and added to it what was claimed
/// since.
#[derive(Debug)]
pub struct Memory {
    limit: u64,
    known: AtomicU64,
    claimed: AtomicU64,
}

impl Memory {
    /// At most so many bytes for all of the process.
    pub fn new(limit: u64) -> Self {
        Memory {
            limit,
            known: AtomicU64::new(resident().unwrap_or(0)),
            claimed: AtomicU64::new(0),
        }
    }

    /// Asks the system what the process has by now: what was read may have grown on the way, as
    /// compressed strings do.
    ///
    /// # Errors
    /// It is more than it may have.
    pub fn check(&self) -> Result<(), Rejection> {
        let Some(known) = resident() else {
            return Ok(());
        };
        self.known.store(known, Ordering::Relaxed);
        self.claimed.store(0, Ordering::Relaxed);
        match known.checked_sub(self.limit) {
            None | Some(0) => Ok(()),
            Some(more) => Err(Rejection::memory(more)),
        }
    }

    /// Takes note of bytes that will be used.
    ///
    /// # Errors
    /// There are not so many left.
    pub fn claim(&self, bytes: u64) -> Result<(), Rejection> {
        let claimed = self
            .claimed
            .fetch_add(bytes, Ordering::Relaxed)
            .saturating_add(bytes);
        if claimed.saturating_add(self.known.load(Ordering::Relaxed)) <= self.limit {
            return Ok(());
        }
        // Much of what was claimed may have been given back.
        let known =
            resident().unwrap_or_else(|| self.known.load(Ordering::Relaxed) + claimed - bytes);
        self.known.store(known, Ordering::Relaxed);
        self.claimed.store(bytes, Ordering::Relaxed);
        if known.saturating_add(bytes) <= self.limit {
            return Ok(());
        }
        self.claimed.store(0, Ordering::Relaxed);
        Err(Rejection::memory(bytes))
    }
}
