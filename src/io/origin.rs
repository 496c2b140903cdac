//! What is known about an input besides its bytes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::{Error, ErrorKind, Result};
use crate::io::decompress::Codec;
use crate::io::kind::Kind;
use crate::io::source::{OpenOptions, Source};

/// What is known about an input besides its bytes.
#[derive(Clone, Debug)]
pub struct Origin {
    name: String,
    path: Option<PathBuf>,
    regular: bool,
    size: Option<u64>,
    modified: Option<SystemTime>,
    identity: Option<Identity>,
    pub(super) kind: Kind,
    pub(super) codec: Option<Codec>,
}

/// Which file it is, whatever its names: device and inode number. Not known on every system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Number of the device.
    pub device: u64,
    /// Number of the file on it.
    pub inode: u64,
}

impl Origin {
    pub(super) fn nameless() -> Self {
        Origin {
            name: "stdin".to_owned(),
            path: None,
            regular: false,
            size: None,
            modified: None,
            identity: None,
            kind: Kind::Unknown,
            codec: None,
        }
    }

    /// What a file's metadata tell; kind and codec are found out later.
    pub(super) fn of_path(path: &Path, metadata: &fs::Metadata) -> Self {
        let regular = metadata.is_file();
        Origin {
            name: path.display().to_string(),
            path: Some(path.to_path_buf()),
            regular,
            size: regular.then_some(metadata.len()),
            modified: metadata.modified().ok().filter(|_| regular),
            identity: Identity::of(metadata),
            ..Origin::nameless()
        }
    }

    /// Opens the same file again, from its start.
    ///
    /// # Errors
    /// As [`Source::open`]; [`ErrorKind::Unsupported`] for what can be read only once;
    /// [`ErrorKind::Io`] where it is no longer the file that it was.
    pub fn reopen(&self, options: OpenOptions) -> Result<Source> {
        let Some(path) = self.path.as_deref().filter(|_| self.can_reread()) else {
            let text = format!("{} can be read only once", self.name);
            return Err(Error::new(ErrorKind::Unsupported(text)));
        };
        let source = Source::open(path, options)?;
        let other = source.origin();
        if (other.identity, other.size, other.modified) != (self.identity, self.size, self.modified)
        {
            return Err(io::Error::other("the file changed while it was read").into());
        }
        Ok(source)
    }

    /// True when the file's name now leads to another file, or its size or time of modification is
    /// no longer what it was; never for what has no name or is no regular file.
    ///
    /// # Errors
    /// What the system says, the name being gone included.
    pub fn has_changed(&self) -> io::Result<bool> {
        let Some(path) = self.path.as_deref().filter(|_| self.regular) else {
            return Ok(false);
        };
        let now = fs::metadata(path)?;
        Ok(self.identity != Identity::of(&now)
            || self.size != Some(now.len())
            || self.modified != now.modified().ok())
    }

    /// The name for people: the path as given, or `stdin`.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The path as given; none for the standard input.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
    /// Bytes on disk, compressed or not, when it was opened; none for what is no regular file.
    pub fn size(&self) -> Option<u64> {
        self.size
    }
    /// Bytes of content, where known without reading it: not for compressed files and pipes.
    pub fn content_size(&self) -> Option<u64> {
        self.size.filter(|_| self.codec.is_none())
    }
    /// Time of the last modification, of a regular file.
    pub fn modified(&self) -> Option<SystemTime> {
        self.modified
    }
    /// Which file it is, where the system tells.
    pub fn identity(&self) -> Option<Identity> {
        self.identity
    }
    /// What the content is.
    pub fn kind(&self) -> Kind {
        self.kind
    }
    /// How it is compressed, if it is: the outermost layer.
    pub fn codec(&self) -> Option<Codec> {
        self.codec
    }
    /// True for what can be opened again and gives the same bytes: regular files, compressed or not.
    pub fn can_reread(&self) -> bool {
        self.regular
    }
}

impl Identity {
    /// That of the file that these metadata are of, where the system tells.
    #[cfg(unix)]
    pub fn of(metadata: &fs::Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        Some(Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }
    /// That of the file that these metadata are of: the system does not tell.
    #[cfg(not(unix))]
    pub fn of(_: &fs::Metadata) -> Option<Self> {
        None
    }
}
