//! The server that commands are judged for, by its name: `redis-7.0`, `valkey-9.1.2`.

use std::fmt;
use std::str::FromStr;

/// A line of versions, one server of which was asked for its commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServerLine {
    /// Redis 6.2.
    Redis62,
    /// Redis 7.0.
    Redis70,
    /// Redis 8.2.
    Redis82,
    /// Valkey 8.1.
    Valkey81,
    /// Valkey 9.1.
    Valkey91,
}

impl ServerLine {
    /// Redis first, older ones first.
    pub const ALL: [ServerLine; 5] = [
        ServerLine::Redis62,
        ServerLine::Redis70,
        ServerLine::Redis82,
        ServerLine::Valkey81,
        ServerLine::Valkey91,
    ];

    /// Family and version, as `redis-6.2`.
    pub fn name(self) -> &'static str {
        match self {
            ServerLine::Redis62 => "redis-6.2",
            ServerLine::Redis70 => "redis-7.0",
            ServerLine::Redis82 => "redis-8.2",
            ServerLine::Valkey81 => "valkey-8.1",
            ServerLine::Valkey91 => "valkey-9.1",
        }
    }

    fn is_valkey(self) -> bool {
        matches!(self, ServerLine::Valkey81 | ServerLine::Valkey91)
    }

    fn version(self) -> (u8, u8) {
        match self {
            ServerLine::Redis62 => (6, 2),
            ServerLine::Redis70 => (7, 0),
            ServerLine::Redis82 => (8, 2),
            ServerLine::Valkey81 => (8, 1),
            ServerLine::Valkey91 => (9, 1),
        }
    }

    /// The next one of the family.
    fn next(self) -> Option<ServerLine> {
        match self {
            ServerLine::Redis62 => Some(ServerLine::Redis70),
            ServerLine::Redis70 => Some(ServerLine::Redis82),
            ServerLine::Valkey81 => Some(ServerLine::Valkey91),
            ServerLine::Redis82 | ServerLine::Valkey91 => None,
        }
    }
}

impl fmt::Display for ServerLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A version of a server, with its patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The first number.
    pub major: u8,
    /// The second.
    pub minor: u8,
    /// The third.
    pub patch: u8,
}

impl FromStr for Version {
    type Err = NotAServer;

    /// All three numbers, as `7.4.0`.
    fn from_str(text: &str) -> Result<Version, NotAServer> {
        match numbers(text)? {
            (major, minor, Some(patch)) => Ok(Version {
                major,
                minor,
                patch,
            }),
            _ => Err(NotAServer),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A server version to judge for: the name `family-major.minor` or `family-major.minor.patch`.
///
/// It need not be one that was asked. It is judged by the newest line of its family that is not
/// newer ([`Like::line`]), with two corrections from the versions that commands came with:
///
/// * Between two lines (Redis 7.2, 7.4, 8.0, Valkey 9.0) it has also what the later line has since
///   its own version or an earlier one. What both lines have is as in the earlier one.
/// * Before the first line (Redis 6.0, Valkey 7.2, 8.0) it has what that line has, but for what came
///   later than it.
///
/// Newer than the last line of its family, it is judged by that line, and may know commands that
/// the table does not have: [`Like::is_newer_than_known`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Like {
    line: ServerLine,
    /// Where it lies between two.
    next: Option<ServerLine>,
    before: bool,
    major: u8,
    minor: u8,
    patch: Option<u8>,
}

impl Like {
    fn new(is_valkey: bool, (major, minor, patch): (u8, u8, Option<u8>)) -> Like {
        let own = (major, minor);
        let first = match is_valkey {
            true => ServerLine::Valkey81,
            false => ServerLine::Redis62,
        };
        let line = ServerLine::ALL
            .into_iter()
            .rfind(|line| line.is_valkey() == is_valkey && line.version() <= own)
            .unwrap_or(first);
        Like {
            line,
            next: line.next().filter(|_| line.version() < own),
            before: own < line.version(),
            major,
            minor,
            patch,
        }
    }

    /// The line whose commands it is judged by.
    #[inline]
    pub fn line(self) -> ServerLine {
        self.line
    }

    /// The line behind it, where it lies between two.
    #[inline]
    pub fn next_line(self) -> Option<ServerLine> {
        self.next
    }

    /// Whether a server of its version was asked, leaving the patch aside.
    pub fn is_sampled(self) -> bool {
        self.line.version() == (self.major, self.minor)
    }

    /// Whether it is newer than every line of its family: a command that is not in the table may
    /// be one of its own.
    pub fn is_newer_than_known(self) -> bool {
        self.line.next().is_none() && self.line.version() < (self.major, self.minor)
    }

    /// Major and minor version.
    #[inline]
    pub fn version(self) -> (u8, u8) {
        (self.major, self.minor)
    }

    /// Whether it is of the Valkey family.
    pub fn is_valkey(self) -> bool {
        self.line.is_valkey()
    }

    /// Whether its line is newer than it.
    #[inline]
    pub(super) fn is_before_its_line(self) -> bool {
        self.before
    }

    /// Whether it has what came with this version. What nobody tells the version of is old.
    #[inline]
    pub(super) fn has(self, since: Option<Version>) -> bool {
        let own = Version {
            major: self.major,
            minor: self.minor,
            patch: self.patch.unwrap_or(u8::MAX),
        };
        since.is_none_or(|since| since <= own)
    }
}

impl From<ServerLine> for Like {
    fn from(line: ServerLine) -> Like {
        let (major, minor) = line.version();
        Like::new(line.is_valkey(), (major, minor, None))
    }
}

impl FromStr for Like {
    type Err = NotAServer;

    fn from_str(name: &str) -> Result<Like, NotAServer> {
        let (family, version) = name.split_once('-').ok_or(NotAServer)?;
        let is_valkey = match family {
            "redis" => false,
            "valkey" => true,
            _ => return Err(NotAServer),
        };
        Ok(Like::new(is_valkey, numbers(version)?))
    }
}

impl fmt::Display for Like {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = if self.is_valkey() { "valkey" } else { "redis" };
        write!(f, "{family}-{}.{}", self.major, self.minor)?;
        match self.patch {
            Some(patch) => write!(f, ".{patch}"),
            None => Ok(()),
        }
    }
}

/// This is not the name of a server version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAServer;

impl fmt::Display for NotAServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a server version such as redis-7.0 or valkey-9.1.2")
    }
}

impl std::error::Error for NotAServer {}

/// Two or three numbers apart by dots, in digits only.
fn numbers(text: &str) -> Result<(u8, u8, Option<u8>), NotAServer> {
    let mut numbers = text.split('.').map(|number| {
        let is_plain = number.bytes().all(|byte| byte.is_ascii_digit());
        let is_short = number == "0" || !number.starts_with('0');
        let number = Some(number).filter(|_| is_plain && is_short);
        number.and_then(|number| number.parse().ok())
    });
    let found = (numbers.next(), numbers.next(), numbers.next());
    match found {
        (Some(Some(major)), Some(Some(minor)), None) => Ok((major, minor, None)),
        (Some(Some(major)), Some(Some(minor)), Some(Some(patch))) if numbers.next().is_none() => {
            Ok((major, minor, Some(patch)))
        }
        _ => Err(NotAServer),
    }
}
