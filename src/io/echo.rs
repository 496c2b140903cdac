//! What was written is read back at once and compared, while the system still has it at hand.
//!
//! That a file holds its bytes costs a fifth of writing them this way, half of it where the file is read
//! once it is whole.

use std::fs::File;
use std::io;

use crate::io::copy::read_at;
use crate::io::output::send;

/// Bytes that are written and read back in one step: they and what is read stay close to the processor.
const STEP: usize = 64 << 10;

/// Writes to a new file, which it may read.
#[derive(Debug, Default)]
pub(crate) struct Echo {
    room: Vec<u8>,
    /// How long the file is.
    written: u64,
}

impl Echo {
    /// Writes bytes behind those that were written before.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::InvalidData`] where the file does not hold them.
    pub(crate) fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        self.room.resize(STEP, 0);
        for step in bytes.chunks(STEP) {
            send(file, step)?;
            self.compare(file, step)?;
        }
        Ok(())
    }

    fn compare(&mut self, file: &File, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let want = self.room.len().min(rest.len());
            let room = self.room.get_mut(..want).unwrap_or_default();
            let read = match read_at(file, room, self.written) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let (found, meant) = (room.get(..read), rest.get(..read));
            if read == 0 || found != meant {
                let text = "it does not hold what was written to it";
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            rest = rest.get(read..).unwrap_or_default();
            self.written += read as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_a_file_does_not_hold_is_told() {
        let bytes: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        let mut echo = Echo::default();
        for piece in [&bytes[..3], &bytes[3..], &[]] {
            echo.write(&mut file, piece).unwrap();
        }
        let mut held = vec![0; bytes.len()];
        assert_eq!(read_at(&file, &mut held, 0).unwrap(), bytes.len());
        assert!(held == bytes);
        // Somebody else writes to it: what follows stands elsewhere.
        file.write_all(b"?").unwrap();
        let error = echo.write(&mut file, b"next").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[cfg(unix)]
    #[test]
    fn a_device_that_keeps_nothing_is_told() {
        let mut options = File::options();
        let mut null = options.read(true).write(true).open("/dev/null").unwrap();
        let error = Echo::default().write(&mut null, b"lost").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
