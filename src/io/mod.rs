//! Where bytes come from and go to; work done in order by threads.

pub mod decompress;
pub mod kind;
pub mod ordered;
pub mod origin;
pub mod output;
pub mod progress;
pub mod source;
pub mod spool;
pub mod window;
