//! Where bytes come from and go to; work done in order by threads.

pub mod archive;
pub mod attributes;
pub mod copy;
pub mod decompress;
pub mod draft;
pub mod draft_folder;
pub(crate) mod echo;
pub mod held;
pub mod kind;
pub mod memory;
pub mod ordered;
pub mod origin;
pub mod output;
pub mod progress;
pub mod source;
pub mod spool;
pub mod window;
