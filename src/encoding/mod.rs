//! The blob encodings: reader, writer and tests of each in one file.

pub mod crc64;
pub mod intset;
pub mod listpack;
pub mod lzf;
pub mod ziplist;
pub mod zipmap;
