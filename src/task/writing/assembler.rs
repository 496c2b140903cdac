//! Puts an output together: what stands before the keys, the keys in order, what stands behind them.

use std::collections::BTreeMap;

use crate::aof::resp::write_timestamp;
use crate::error::Result;
use crate::rdb::string::Compress;
use crate::rdb::writer::RdbWriter;
use crate::record::Family;
use crate::task::writing::{Destination, Layout, Made, Other};
use crate::write::{Commands, Format};

/// Bytes that are passed on at once.
const CHUNK: usize = 1 << 20;
/// Moments of what modules keep outside the keys.
const BEFORE_KEYS: u64 = 1;

/// What a module keeps outside the keys.
#[derive(Clone, Debug)]
pub(crate) struct ModuleAux {
    pub(crate) id: u64,
    pub(crate) when: u64,
    pub(crate) items: Vec<u8>,
}

/// What stands in front of the keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    /// When the data was so, Unix seconds.
    pub(crate) ctime: Option<u64>,
    /// Sources of function libraries.
    pub(crate) functions: Vec<Vec<u8>>,
    /// What modules keep.
    pub(crate) module_aux: Vec<ModuleAux>,
    /// Keys and those with an expiry of each database, where known.
    pub(crate) sizes: BTreeMap<u32, (u64, u64)>,
}

/// Puts an output together.
pub(crate) struct Assembler<'o, 'f> {
    format: &'f Format,
    layout: Layout,
    to: &'o mut Destination,
    head: Head,
    rdb: RdbWriter,
    /// Commands under way.
    log: Vec<u8>,
    db: Option<u32>,
    behind: Vec<u8>,
    behind_db: Option<u32>,
    /// The highest database that commands select.
    highest: u32,
}

impl<'o, 'f> Assembler<'o, 'f> {
    /// Begins an output.
    pub(crate) fn new(
        format: &'f Format,
        layout: Layout,
        head: Head,
        to: &'o mut Destination,
    ) -> Result<Self> {
        let mut assembler = Assembler {
            format,
            layout,
            to,
            head,
            rdb: RdbWriter::new(format.version, Compress::AsServer),
            log: Vec::new(),
            db: None,
            behind: Vec::new(),
            behind_db: None,
            highest: 0,
        };
        match layout.has_records() {
            true => assembler.begin_snapshot(),
            false => assembler.begin_log(),
        }
        Ok(assembler)
    }

    fn begin_snapshot(&mut self) {
        let target = self.format.target;
        let (major, minor) = (target.major, target.minor);
        let name: &[u8] = match target.family {
            Family::Redis => b"redis-ver",
            Family::Valkey => b"valkey-ver",
        };
        self.rdb.aux(name, format!("{major}.{minor}.0").as_bytes());
        self.rdb.aux(b"redis-bits", b"64");
        if let Some(ctime) = self.head.ctime {
            self.rdb.aux(b"ctime", ctime.to_string().as_bytes());
        }
        let is_base: &[u8] = match self.layout.has_commands() {
            true => b"1",
            false => b"0",
        };
        match self.format.has_multi_part() {
            true => self.rdb.aux(b"aof-base", is_base),
            false => self.rdb.aux(b"aof-preamble", is_base),
        }
        for aux in self
            .head
            .module_aux
            .iter()
            .filter(|aux| aux.when == BEFORE_KEYS)
        {
            self.rdb.module_aux(aux.id, aux.when, &aux.items);
        }
        for source in &self.head.functions {
            self.rdb.function(source);
        }
    }

    fn begin_log(&mut self) {
        if let Some(ctime) = self.head.ctime.filter(|_| self.format.has_multi_part()) {
            write_timestamp(ctime, &mut self.log);
        }
        for source in &self.head.functions {
            Commands::function(source, &mut self.log);
        }
    }

    /// Adds what a job has made.
    pub(crate) fn add(&mut self, made: &mut Made) -> Result<()> {
        for (db, bytes) in &made.runs {
            if !bytes.is_empty() {
                self.keys(*db, bytes)?;
            }
        }
        for other in made.others.drain(..) {
            self.other(&other);
        }
        for (db, commands) in made.behind.drain(..) {
            if self.behind_db != Some(db) {
                self.behind_db = Some(db);
                Commands::select(db, &mut self.behind);
            }
            self.behind.extend_from_slice(&commands);
        }
        Ok(())
    }

    /// Adds keys of a database.
    pub(crate) fn keys(&mut self, db: u32, bytes: &[u8]) -> Result<()> {
        let is_new = self.db != Some(db);
        self.db = Some(db);
        if !self.layout.has_records() {
            if is_new {
                Commands::select(db, &mut self.log);
                self.highest = self.highest.max(db);
            }
            self.to.write(&self.log)?;
            self.log.clear();
            return self.to.write(bytes);
        }
        if is_new {
            // Servers expect the sizes once.
            self.rdb.select(db, self.head.sizes.remove(&db));
        }
        self.rdb.pass(bytes, |bytes| self.to.write(bytes))
    }

    /// Adds a record that is no key. Commands have nothing for what modules keep outside the keys.
    fn other(&mut self, other: &Other) {
        match (other, self.layout.has_records()) {
            (Other::Function(source), true) => self.rdb.function(source),
            (Other::Function(source), false) => Commands::function(source, &mut self.log),
            (Other::ModuleAux(aux), true) => {
                self.rdb.module_aux(aux.id, aux.when, &aux.items);
            }
            (Other::ModuleAux(_), false) => {}
        }
    }

    /// Adds records as they stand in a snapshot, databases and all; `reached` is told how many bytes
    /// of them were.
    pub(crate) fn records(&mut self, records: &[u8], mut reached: impl FnMut(u64)) -> Result<()> {
        let mut done = 0;
        for chunk in records.chunks(CHUNK) {
            self.rdb.pass(chunk, |bytes| self.to.write(bytes))?;
            done += chunk.len() as u64;
            reached(done);
        }
        Ok(())
    }

    /// Says what a server must be set to, where commands select a database beyond those that it has
    /// unless told otherwise: it refuses such a command, and what follows goes where it was before.
    pub(crate) fn needs_databases(&self) -> Option<String> {
        let (highest, needed) = (self.highest, u64::from(self.highest) + 1);
        (highest >= self.format.rules.databases).then(|| {
            format!(
                "it selects database {highest}: a server must be set to `databases {needed}` for it"
            )
        })
    }

    /// Ends it; gives the commands that are to stand behind.
    pub(crate) fn end(mut self) -> Result<Vec<u8>> {
        if self.layout.has_records() {
            for aux in self
                .head
                .module_aux
                .iter()
                .filter(|aux| aux.when != BEFORE_KEYS)
            {
                self.rdb.module_aux(aux.id, aux.when, &aux.items);
            }
            self.rdb.end();
            self.rdb.take(|bytes| self.to.write(bytes))?;
        } else {
            self.to.write(&self.log)?;
        }
        Ok(self.behind)
    }
}
