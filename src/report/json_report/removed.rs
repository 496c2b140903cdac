//! The index of a quarantine: which bytes of which file are in which piece, so that the original can
//! be put together again.
//!
//! From the start of the original: bytes of a piece stand in the piece; bytes that were inserted are
//! skipped in the new file; all others stand in the new file, in order.

use std::ops::Range;

use super::Json;

/// The name and version of the schema; it changes when a field changes its meaning.
pub const SCHEMA: &str = "redkit.removed/1";

/// What went from files.
#[derive(Clone, Debug, Default)]
pub struct Index {
    /// The files, in load order; unchanged ones too.
    pub files: Vec<FileChange>,
}

/// What went from a file.
#[derive(Clone, Debug)]
pub struct FileChange {
    /// Its path, links resolved.
    pub path: Vec<u8>,
    /// The bare name of the file that has the rest.
    pub becomes: Vec<u8>,
    /// The size of the original.
    pub size: u64,
    /// The size of what has the rest.
    pub new_size: u64,
    /// What went, in order.
    pub pieces: Vec<Piece>,
    /// Offset in the original and number of bytes that came in.
    pub inserted: Vec<(u64, u64)>,
}

/// Bytes that went.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Where they stood.
    pub range: Range<u64>,
    /// Why they went: the code of a finding.
    pub why: &'static str,
    /// The bare name of the file that holds them, in the folder of the index.
    pub name: Vec<u8>,
    /// Their CRC-64, as of snapshots.
    pub crc64: u64,
}

impl Index {
    /// As JSON, on one line.
    pub fn to_json(&self) -> String {
        let files = Json::list(&self.files, |file| {
            Json::Object(vec![
                ("path", Json::bytes(&file.path)),
                ("becomes", Json::bytes(&file.becomes)),
                ("size", Json::from(file.size)),
                ("new_size", Json::from(file.new_size)),
                ("removed", Json::list(&file.pieces, piece)),
                ("inserted", Json::list(&file.inserted, inserted)),
            ])
        });
        let index = Json::Object(vec![("schema", Json::from(SCHEMA)), ("files", files)]);
        format!("{index}\n")
    }
}

fn piece(piece: &Piece) -> Json {
    let Range { start, end } = piece.range;
    Json::Object(vec![
        ("start", Json::from(start)),
        ("end", Json::from(end)),
        ("size", Json::from(end.saturating_sub(start))),
        ("why", Json::from(piece.why)),
        ("piece", Json::bytes(&piece.name)),
        ("crc64", Json::from(format!("{:016x}", piece.crc64))),
    ])
}

fn inserted((at, size): &(u64, u64)) -> Json {
    Json::Object(vec![("at", Json::from(*at)), ("size", Json::from(*size))])
}
