//! The server that something is written for.

use crate::error::Result;
use crate::write::Format;

/// A server version that snapshots are written for.
#[derive(Clone, Debug)]
pub struct Target(pub(super) Format);

impl Target {
    /// The server of this name: `redis-6.2`, `redis-8.2`, `valkey-9.1` …; `redkit formats` lists them.
    ///
    /// # Errors
    /// A server that is not known; the message names those that are.
    pub fn named(name: &str) -> Result<Target> {
        Format::named(name).map(Target)
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.0.target.name
    }
}
