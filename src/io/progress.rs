//! How far a task is.

/// Is told how far a task is; asked for once a batch, never once a record.
pub trait Progress: Sync {
    /// So many bytes of the input are done.
    fn at(&self, offset: u64);
    /// So many bytes there are in all, where that is known.
    fn size(&self, _total: Option<u64>) {}
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn at(&self, _: u64) {}
}
