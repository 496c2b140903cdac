//! The checker of snapshots.

mod options;

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::compat::console::{Console, FAILED, Flow, Stop};
use crate::compat::file::{Access, Opened, bytes_of};
use crate::compat::number::{LINE, atoi, c_string, clipped};
use crate::compat::release::Release;
use crate::compat::rio::{Bad, Rio, Text};
use crate::compat::stats::Stats;
use crate::compat::value::{Loader, module_items};
use crate::io::source::Behind;
use crate::rdb::parser::opcode;
use crate::rdb::value::module::split_id;

/// Runs the checker.
pub(super) fn run(release: Release, args: &[OsString], console: &mut Console<'_>) -> Flow {
    let (own, rest) = match args {
        [own, rest @ ..] => (own.as_os_str(), rest),
        [] => (OsStr::new("redis-check-rdb"), args),
    };
    let wanted = match release {
        Release::Valkey91 => options::Wanted::parse(own, rest, console)?,
        _ => options::Wanted::old(own, rest, release, console)?,
    };
    let Some(wanted) = wanted else {
        return super::aof::print_version(release, "rdb", console);
    };
    let path = Path::new(wanted.path);
    let shown = bytes_of(wanted.path);
    let Ok(opened) = Opened::new(path, Access::Read) else {
        Check::new(release, &[], console, None).start(shown)?;
        if release == Release::Valkey91 {
            console.text("[offset 0] Check RDB returned error code 1 (0 means success)\n")?;
        }
        return Err(FAILED);
    };
    let mut stats = wanted.stats.then(Stats::default);
    let mut check = Check::new(release, &opened.bytes, console, stats.as_mut());
    check.start(shown)?;
    let sound = check.all(&opened);
    // Those of a damaged file come before the last words.
    if let (Ok(false) | Err(Stop::Exit(_)), Some(stats)) = (&sound, &check.stats) {
        wanted.print(stats, check.console)?;
    }
    let sound = sound?;
    check.finish(sound)?;
    match (sound, &check.stats) {
        (true, Some(stats)) => wanted.print(stats, check.console),
        (true, None) => Ok(()),
        (false, _) => Err(FAILED),
    }
}

/// Checks the snapshot in front of a log; gives where it ends, if it is sound.
pub(super) fn preamble(
    release: Release,
    shown: &[u8],
    opened: &Opened,
    console: &mut Console<'_>,
) -> Flow<Option<usize>> {
    let mut check = Check::new(release, &opened.bytes, console, None);
    check.start(shown)?;
    let sound = check.all(opened)?;
    check.finish(sound)?;
    Ok(sound.then(|| check.rio.offset()))
}

/// A check under way.
struct Check<'d, 'c, 'a> {
    release: Release,
    rio: Rio<'d>,
    console: &'c mut Console<'a>,
    stats: Option<&'c mut Stats>,
    doing: &'static str,
    key: Option<Text<'d>>,
    /// The type read last; none behind a value.
    key_type: Option<u8>,
    keys: u64,
    expires: u64,
    expired: u64,
    subexpires: u64,
    functions: u64,
    /// The word for a version that Valkey 9.1 does not write, and reads as far as it can.
    foreign: Option<&'static str>,
}

/// What ends a check before the end of the snapshot.
enum Ended {
    /// The snapshot is damaged, and that was said.
    Damaged,
    Stop(Stop),
}

impl From<Stop> for Ended {
    fn from(stop: Stop) -> Self {
        Ended::Stop(stop)
    }
}

impl<'d, 'c, 'a> Check<'d, 'c, 'a> {
    fn new(
        release: Release,
        data: &'d [u8],
        console: &'c mut Console<'a>,
        stats: Option<&'c mut Stats>,
    ) -> Self {
        Check {
            release,
            rio: Rio::new(data),
            console,
            stats,
            doing: "start",
            key: None,
            key_type: (release != Release::Valkey91).then_some(0),
            keys: 0,
            expires: 0,
            expired: 0,
            subexpires: 0,
            functions: 0,
            foreign: None,
        }
    }

    fn start(&mut self, shown: &[u8]) -> Flow {
        self.info(&[b"Checking RDB file ", shown])
    }

    /// Checks all; false where it is damaged.
    fn all(&mut self, opened: &Opened) -> Flow<bool> {
        match self.records(opened) {
            Ok(()) => Ok(true),
            Err(Ended::Damaged) => Ok(false),
            Err(Ended::Stop(stop)) => Err(stop),
        }
    }

    /// The last words.
    fn finish(&mut self, sound: bool) -> Flow {
        if self.release == Release::Valkey91 {
            let code = if sound { "0" } else { "1" };
            let rest = b" (0 means success)";
            self.info(&[b"Check RDB returned error code ", code.as_bytes(), rest])?;
        }
        if !sound {
            return Ok(());
        }
        match self.foreign {
            Some(_) => self.info(&[
                b"\\o/ RDB looks OK, but loading requires config 'rdb-version-check relaxed'",
            ])?,
            None => self.info(&[b"\\o/ RDB looks OK! \\o/"])?,
        }
        self.figures()
    }

    fn records(&mut self, opened: &Opened) -> Result<(), Ended> {
        let mut behind = Behind::new(Some(&opened.bytes));
        let version = self.header()?;
        let now = now();
        let mut expires_at = None;
        let mut db = 0;
        loop {
            self.rio.sum(SUMMED);
            behind.reach(self.rio.offset() as u64);
            self.doing = "read-type";
            let number = self.read(Rio::byte)?;
            match number {
                opcode::EXPIRETIME => {
                    self.doing = "read-expire";
                    let seconds = i32::from_le_bytes(self.read(Rio::array)?);
                    expires_at = Some(i64::from(seconds).wrapping_mul(1000));
                }
                opcode::EXPIRETIME_MS => {
                    self.doing = "read-expire";
                    expires_at = Some(i64::from_le_bytes(self.read(Rio::array)?));
                }
                opcode::FREQ => drop(self.read(Rio::byte)?),
                opcode::IDLE => drop(self.read(Rio::number)?),
                opcode::EOF => break,
                opcode::SELECTDB => {
                    self.doing = "read-len";
                    db = self.read(Rio::number)?;
                    self.info(&[b"Selecting DB ID ", db.to_string().as_bytes()])?;
                }
                opcode::RESIZEDB => {
                    self.doing = "read-len";
                    self.read(Rio::number)?;
                    self.read(Rio::number)?;
                }
                opcode::AUX => {
                    self.doing = "read-aux";
                    let (name, value) = (self.read(Rio::string)?, self.read(Rio::string)?);
                    let (name, value) = (name.bytes(), value.bytes());
                    let (name, value) = (c_string(&name), c_string(&value));
                    self.info(&[b"AUX FIELD ", name, b" = '", value, b"'"])?;
                }
                opcode::MODULE_AUX => self.module_aux()?,
                _ if self.other(number, version)? => {}
                _ => {
                    self.value(number, version, expires_at.take(), now, db)?;
                }
            }
        }
        self.checksum(version)
    }

    /// The magic; gives the version.
    fn header(&mut self) -> Result<i64, Ended> {
        let magic: [u8; 9] = self.read(Rio::array)?;
        let (is_valkey, version) = match magic {
            [b'R', b'E', b'D', b'I', b'S', ref version @ ..]
                if self.release != Release::Valkey91 || version.first() == Some(&b'0') =>
            {
                (false, atoi(version))
            }
            [b'V', b'A', b'L', b'K', b'E', b'Y', ref version @ ..]
                if self.release == Release::Valkey91 =>
            {
                (true, atoi(version))
            }
            _ => return self.wrong(&[b"Wrong signature trying to load DB from file"]),
        };
        let shown = version.to_string();
        let shown = shown.as_bytes();
        if self.release != Release::Valkey91 {
            return match (1..=self.release.rdb_version()).contains(&version) {
                true => Ok(version),
                false => self.wrong(&[b"Can't handle RDB format version ", shown]),
            };
        }
        self.foreign = match (is_valkey, version) {
            (false, 1..=11) | (true, VALKEY_NEWEST) => None,
            (_, 12..VALKEY_NEWEST) => Some("foreign"),
            (true, VALKEY_NEWEST..) => Some("future"),
            _ => return self.wrong(&[b"Can't handle RDB format version ", shown]),
        };
        match self.foreign {
            Some("foreign") => self.info(&[b"Foreign RDB version ", shown, b" detected"])?,
            Some(_) => self.info(&[b"Future RDB version ", shown, b" detected"])?,
            None => {}
        }
        Ok(version)
    }

    fn module_aux(&mut self) -> Result<(), Ended> {
        self.doing = "read-module-aux";
        let id = self.read(Rio::number)?;
        let mark = self.read(Rio::number)?;
        self.read(Rio::number)?;
        if mark != 2 && !self.release.is_old() {
            return self.wrong(&[b"bad when_opcode"]);
        }
        let (name, _) = split_id(id);
        self.info(&[b"MODULE AUX for: ", &name])?;
        self.read(|rio| module_items(id, rio))
    }

    /// What came with later versions; false where it is a value or nothing.
    fn other(&mut self, number: u8, version: i64) -> Result<bool, Ended> {
        match (number, self.release) {
            (_, Release::Redis62) => Ok(false),
            (opcode::FUNCTION2, _) => {
                self.doing = "read-functions";
                self.library_part("payload")?;
                self.functions += 1;
                Ok(true)
            }
            (opcode::FUNCTION_PRE_GA, Release::Redis70) => {
                self.doing = "read-functions";
                self.early_function()?;
                Ok(true)
            }
            (opcode::FUNCTION_PRE_GA, _) => {
                let version = version.to_string();
                self.wrong(&[
                    b"Pre-release function format not supported ",
                    version.as_bytes(),
                ])
            }
            (opcode::SLOT_INFO, Release::Redis82 | Release::Valkey91) => {
                for _ in 0..3 {
                    self.read(Rio::number)?;
                }
                Ok(true)
            }
            (opcode::KEY_META_OR_SLOT_IMPORT, Release::Valkey91) => {
                let name = self.read(Rio::string)?;
                if name.len() != SLOT_IMPORT_NAME {
                    return self.wrong(&[b"Invalid slot import job name length in RDB"]);
                }
                for _ in 0..self.read(Rio::number)? {
                    self.read(Rio::number)?;
                    self.read(Rio::number)?;
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// A library of functions as release candidates of Redis 7.0 wrote it.
    fn early_function(&mut self) -> Result<(), Ended> {
        self.library_part("name")?;
        self.read_or(Rio::string, "Failed loading engine name")?;
        let wrong = "Failed loading library description indicator";
        if self.read_or(Rio::number, wrong)? != 0 {
            self.library_part("description")?;
        }
        self.library_part("blob")?;
        self.functions += 1;
        Ok(())
    }

    fn library_part(&mut self, what: &str) -> Result<(), Ended> {
        self.read_or(Rio::string, &format!("Failed loading library {what}"))
            .map(drop)
    }

    fn read_or<T>(
        &mut self,
        read: impl FnOnce(&mut Rio<'d>) -> Result<T, Bad>,
        wrong: &str,
    ) -> Result<T, Ended> {
        match read(&mut self.rio) {
            Ok(read) => Ok(read),
            Err(Bad::End) => self.wrong(&[b"Failed loading library, ", wrong.as_bytes()]),
            Err(bad) => self.fail(bad),
        }
    }

    /// A key and its value.
    fn value(
        &mut self,
        number: u8,
        version: i64,
        expires_at: Option<i64>,
        now: i64,
        db: u64,
    ) -> Result<(), Ended> {
        let is_type = match (self.foreign, number) {
            // The types of others may mean something else there.
            (Some("foreign"), HASH_2) => false,
            _ => self.release.is_type(number),
        };
        if !is_type {
            let shown = number.to_string();
            let (shown, ours) = (shown.as_bytes(), b" RDB file with ");
            return match self.foreign {
                Some(word) if (word, number) != ("foreign", 8) => {
                    let version = format!("{word} version {version}");
                    let (what, version) = (b"Unknown object type ", version.as_bytes());
                    self.wrong(&[what, shown, b" in", ours, version])
                }
                _ => self.wrong(&[b"Invalid object type: ", shown]),
            };
        }
        self.key_type = Some(number);
        self.doing = "read-key";
        let key = self.read(Rio::string)?;
        self.key = Some(key);
        self.keys += 1;
        self.doing = "read-object-value";
        let mut loader = Loader {
            release: self.release,
            measure: self.stats.as_mut().map(|stats| stats.begin()),
        };
        let loaded = match loader.load(number, &mut self.rio) {
            Ok(loaded) => loaded,
            Err(bad) => return self.fail(bad),
        };
        // -1 is the mark of none.
        let expires_at = expires_at.filter(|at| *at != -1);
        let is_past = expires_at.is_some_and(|at| at < now);
        self.expired += u64::from(is_past);
        self.expires += u64::from(expires_at.is_some());
        self.subexpires += u64::from(loaded.fields_expire);
        if let Some(stats) = &mut self.stats {
            stats.end(db, number, key.len(), expires_at.is_some(), is_past);
        }
        self.key = None;
        self.key_type = None;
        Ok(())
    }

    fn checksum(&mut self, version: i64) -> Result<(), Ended> {
        if version < 5 {
            return Ok(());
        }
        let computed = self.rio.sum(0);
        self.doing = "check-sum";
        match u64::from_le_bytes(self.read(Rio::array)?) {
            0 => {
                let text = b"RDB file was saved with checksum disabled: no check performed.";
                Ok(self.info(&[text])?)
            }
            stored if stored == computed => Ok(self.info(&[b"Checksum OK"])?),
            _ => self.wrong(&[b"RDB CRC error"]),
        }
    }

    /// Reads, or says why that cannot be.
    #[inline]
    fn read<T>(&mut self, read: impl FnOnce(&mut Rio<'d>) -> Result<T, Bad>) -> Result<T, Ended> {
        match read(&mut self.rio) {
            Ok(read) => Ok(read),
            Err(bad) => self.fail(bad),
        }
    }

    #[cold]
    fn fail<T>(&mut self, bad: Bad) -> Result<T, Ended> {
        match bad {
            Bad::End => self.wrong(&[b"Unexpected EOF reading RDB file"]),
            Bad::Said(reason) => {
                let what = b"Internal error in RDB reading offset 0, function at rdb.c -> ";
                let told = clipped(&[what, &reason], LINE - SOURCE_LINE);
                self.tell_wrong(&[&told])?;
                Err(Ended::Stop(FAILED))
            }
        }
    }

    #[cold]
    fn wrong<T>(&mut self, parts: &[&[u8]]) -> Result<T, Ended> {
        self.tell_wrong(parts)?;
        Err(Ended::Damaged)
    }

    fn tell_wrong(&mut self, parts: &[&[u8]]) -> Flow {
        self.console.text("--- RDB ERROR DETECTED ---\n")?;
        self.info(parts)?;
        let doing = self.doing.as_bytes();
        self.console
            .print(&[b"[additional info] While doing: ", doing, b"\n"])?;
        if let Some(key) = self.key {
            let key = key.bytes();
            let what = b"[additional info] Reading key '";
            self.console.print(&[what, c_string(&key), b"'\n"])?;
        }
        if let Some(number) = self.key_type {
            let name = type_name(self.release, number);
            self.console.text(&format!(
                "[additional info] Reading type {number} ({name})\n"
            ))?;
        }
        self.figures()
    }

    /// Says something, with how far it has read.
    fn info(&mut self, parts: &[&[u8]]) -> Flow {
        let place = format!("[offset {}] ", self.rio.offset());
        let room = match self.release {
            Release::Valkey91 => usize::MAX,
            _ => LINE,
        };
        let text = clipped(parts, room);
        self.console.print(&[place.as_bytes(), &text, b"\n"])
    }

    fn figures(&mut self) -> Flow {
        let mut text = format!(
            "[info] {} keys read\n[info] {} expires\n[info] {} already expired\n",
            self.keys, self.expires, self.expired
        );
        match self.release {
            Release::Redis82 => {
                text.push_str(&format!("[info] {} subexpires\n", self.subexpires));
            }
            Release::Valkey91 => text.push_str(&format!("[info] {} functions\n", self.functions)),
            _ => {}
        }
        self.console.text(&text)
    }
}

/// The clock, which alone says what has expired; it is read nowhere else in this program.
fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}

/// What the tools call a type.
fn type_name(release: Release, number: u8) -> &'static str {
    let names: &[&str] = match (release, number) {
        // Those had one module type too few, and some names less.
        (Release::Redis62 | Release::Redis70, 6) => return "module-value",
        (Release::Redis62 | Release::Redis70, 7) => return "",
        (Release::Redis62 | Release::Redis70, 19..) => return "unknown",
        (Release::Valkey91, HASH_2) => return "hash-volatile-items",
        _ => &NAMES,
    };
    names.get(usize::from(number)).copied().unwrap_or("unknown")
}

const NAMES: [&str; 26] = [
    "string",
    "list-linked",
    "set-hashtable",
    "zset-v1",
    "hash-hashtable",
    "zset-v2",
    "module-pre-release",
    "module-value",
    "",
    "hash-zipmap",
    "list-ziplist",
    "set-intset",
    "zset-ziplist",
    "hash-ziplist",
    "quicklist",
    "stream",
    "hash-listpack",
    "zset-listpack",
    "quicklist-v2",
    "stream-v2",
    "set-listpack",
    "stream-v3",
    "hash-hashtable-md-pre-release",
    "hash-listpack-md-pre-release",
    "hash-hashtable-md",
    "hash-listpack-md",
];

/// Valkey 9's hash whose fields may have times.
const HASH_2: u8 = 22;
/// What a line of the source takes in a message, where the tools tell one: `:1234`.
const SOURCE_LINE: usize = 5;
/// Bytes of the name of an import of slots.
const SLOT_IMPORT_NAME: u64 = 40;
/// Bytes that are taken into the checksum at a time.
const SUMMED: usize = 128 << 10;
/// The version that Valkey 9.1 writes; from 12 on those before it are of others.
const VALKEY_NEWEST: i64 = 80;
