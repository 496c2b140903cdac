//! A place in a log, as people name it: `[FILE:]N`.

use std::path::Path;
use std::str::FromStr;

use crate::error::{Error, Hint, Result, printable};

/// An offset in one of the files of a log, counted in the decompressed file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileOffset {
    /// The bare name of the file; without one there must be only one log.
    pub file: Option<String>,
    /// The offset.
    pub at: u64,
}

impl FromStr for FileOffset {
    type Err = &'static str;

    /// `4096`, `0x1000`, `appendonly.aof.2.incr.aof:4096`.
    fn from_str(text: &str) -> std::result::Result<FileOffset, &'static str> {
        let (file, number) = match text.rsplit_once(':') {
            Some((file, number)) if !file.is_empty() => (Some(file), number),
            Some(_) => return Err(EXPECTED),
            None => (None, text),
        };
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
        let at = match number.strip_prefix("0x") {
            Some(hex) if digits(hex) => u64::from_str_radix(hex, 16),
            _ if number.starts_with('+') => return Err(EXPECTED),
            _ => number.parse(),
        };
        Ok(FileOffset {
            file: file.map(str::to_owned),
            at: at.map_err(|_| EXPECTED)?,
        })
    }
}

const EXPECTED: &str = "expected an offset like 4096 or 0x1000, with its file in front where there \
                        are several: appendonly.aof.2.incr.aof:4096";

impl FileOffset {
    /// The index of its file among these, of which some hold a log.
    ///
    /// # Errors
    /// There is no such file; or it is not named, and there are several logs.
    pub(crate) fn index(&self, files: &[(String, bool)]) -> Result<usize> {
        let Some(name) = &self.file else {
            let mut logs = files.iter().enumerate().filter(|(_, (_, is_log))| *is_log);
            return match (logs.next(), logs.next()) {
                (Some((only, _)), None) => Ok(only),
                (None, _) if files.len() == 1 => Ok(0),
                _ => Err(Error::usage(format!(
                    "the offset {} needs its file in front, as in {}:{}",
                    self.at,
                    files.last().map_or("FILE", |(name, _)| name.as_str()),
                    self.at
                ))),
            };
        };
        let is_it = |own: &str| {
            own == name
                || Path::new(own)
                    .file_name()
                    .is_some_and(|own| own == name.as_str())
        };
        let found = files.iter().position(|(own, _)| is_it(own));
        found.ok_or_else(|| {
            let own: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
            let own = own.join(", ");
            Error::usage(format!(
                "there is no file \"{}\" here, only {own}",
                printable(name.as_bytes())
            ))
            .with_hint(Hint::Other("an offset is given as [FILE:]N"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_as_they_are_shown() {
        let read = |text: &str| text.parse::<FileOffset>().map(|o| (o.file, o.at));
        assert_eq!(read("0"), Ok((None, 0)));
        assert_eq!(read("0x1000"), Ok((None, 4096)));
        let named = (Some("a:b.aof".to_owned()), 7);
        assert_eq!(read("a:b.aof:7"), Ok(named));
        for bad in ["", ":", ":7", "a:", "-1", "+1", "0x", "0x+1", "1e3", "a:b"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_bare_offset_needs_a_single_log() {
        let files = |logs: &[bool]| -> Vec<(String, bool)> {
            let name = |(n, log): (usize, &bool)| (format!("{n}.aof"), *log);
            logs.iter().enumerate().map(name).collect()
        };
        let index = |text: &str, logs: &[bool]| {
            let offset: FileOffset = text.parse().unwrap();
            offset.index(&files(logs)).ok()
        };
        assert_eq!(index("5", &[false, true]), Some(1));
        assert_eq!(index("5", &[true, true]), None);
        assert_eq!(index("5", &[false]), Some(0));
        assert_eq!(index("1.aof:5", &[true, true]), Some(1));
        assert_eq!(index("2.aof:5", &[true, true]), None);
    }
}
