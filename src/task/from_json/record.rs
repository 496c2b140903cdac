//! One record: a key, or what stands outside the keys.

use crate::keyspace::save::Saver;
use crate::keyspace::{Value, may_be_empty};
use crate::rdb::string::write_number;
use crate::rdb::value::module::{Items, join_id};
use crate::rdb::writer::Attributes;
use crate::record::{DataType, RdbType};
use crate::report::json::read::{Cursor, Read, StringRoom, flaw, unfit};
use crate::task::duplicates::{Fingerprinter, KeyPrint};
use crate::task::from_json::value::{self, Rooms};
use crate::write::Format;

const NAMES: [&str; 19] = [
    "db",
    "key",
    "type",
    "encoding",
    "value",
    "expire_at_ms",
    "field_expire_at_ms",
    "idle_s",
    "freq",
    "ttl_ms",
    "size",
    "offset",
    "module",
    "module_version",
    "raw",
    "name",
    "code",
    "when",
    "$end",
];
const DB: usize = 0;
const KEY: usize = 1;
const TYPE: usize = 2;
const ENCODING: usize = 3;
const VALUE: usize = 4;
const EXPIRE: usize = 5;
const FIELD_EXPIRE: usize = 6;
const IDLE: usize = 7;
const FREQ: usize = 8;
const TTL: usize = 9;
const SIZE: usize = 10;
const OFFSET: usize = 11;
const MODULE: usize = 12;
const MODULE_VERSION: usize = 13;
const RAW: usize = 14;
const NAME: usize = 15;
const CODE: usize = 16;
const WHEN: usize = 17;
const END: usize = 18;

type Members = [Option<usize>; NAMES.len()];

/// What a record was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrote {
    /// A key.
    Key,
    /// A key without elements, which is not written: servers leave it out.
    Empty,
    /// Something outside the keys.
    Outside,
    /// The last line of a dump.
    End {
        /// Keys that the dump had.
        keys: u64,
        /// Whether it was complete.
        complete: bool,
    },
}

/// Writes records; one a thread.
pub(super) struct Records<'g> {
    goal: &'g Format,
    pub(super) saver: Saver<'g>,
    prints: (&'g Fingerprinter, &'g Fingerprinter),
    names: Vec<u8>,
    key_room: StringRoom,
    key: Vec<u8>,
    rooms: Rooms,
    bytes: Vec<u8>,
    /// The key that is being read, as far as it is known.
    pub(super) current: Option<(u32, Vec<u8>)>,
    /// The database of the last key written.
    pub(super) db: Option<u32>,
    /// The key that was read, for telling keys apart.
    pub(super) print: Option<KeyPrint>,
}

impl<'g> Records<'g> {
    pub(super) fn new(goal: &'g Format, prints: (&'g Fingerprinter, &'g Fingerprinter)) -> Self {
        Records {
            goal,
            saver: Saver::part(&goal.rules),
            prints,
            names: Vec::new(),
            key_room: StringRoom::default(),
            key: Vec::new(),
            rooms: Rooms::default(),
            bytes: Vec::new(),
            current: None,
            db: None,
            print: None,
        }
    }

    /// Reads a record that begins on this line and writes it. What is wrong leaves nothing of itself behind.
    pub(super) fn record(&mut self, text: &[u8], line: u64) -> Read<Wrote> {
        self.current = None;
        self.print = None;
        let mut cursor = Cursor::new(text)?;
        if cursor.peek() != Some(b'{') {
            return Err(unfit(
                0,
                "this is no record: `dump-to-json --select values` writes bare values, which do not \
                 say whose they are",
            ));
        }
        let members = cursor.members(&NAMES, &mut self.names)?;
        cursor.end()?;
        if let Some(end) = members[END] {
            only(&members, &[END], "the last record")?;
            return self.end(cursor.from(end));
        }
        let Some(type_at) = members[TYPE] else {
            return Err(match members[VALUE] {
                None if members[DB].is_none() => unfit(0, BARE),
                _ => flaw(0, "the record has no member \"type\""),
            });
        };
        let mut names = std::mem::take(&mut self.names);
        let kind = cursor.from(type_at).text(&mut names).map(<[u8]>::to_vec);
        self.names = names;
        match kind?.as_slice() {
            b"aux" => self.aux(&cursor, &members),
            b"function" => self.function(&cursor, &members),
            b"module-aux" => self.module_aux(&cursor, &members),
            kind => {
                let known = std::str::from_utf8(kind).ok().and_then(DataType::from_name);
                let of = known.ok_or_else(|| flaw(type_at, "there is no such type"))?;
                self.key(&cursor, &members, of, line)
            }
        }
    }

    fn end(&mut self, mut cursor: Cursor<'_>) -> Read<Wrote> {
        let at = cursor.place();
        let members = cursor.members(&["keys", "complete"], &mut self.names)?;
        let [Some(keys), Some(complete)] = members else {
            return Err(flaw(at, "the end says keys and complete"));
        };
        Ok(Wrote::End {
            keys: cursor.from(keys).uint()?,
            complete: cursor.from(complete).truth()?,
        })
    }

    fn aux(&mut self, cursor: &Cursor<'_>, members: &Members) -> Read<Wrote> {
        only(members, &[TYPE, NAME, VALUE], "an aux record")?;
        let name = cursor.from(need(members, NAME)?).bytes(&mut self.key_room);
        let name = name?.to_vec();
        let mut value = cursor.from(need(members, VALUE)?);
        self.saver
            .writer
            .aux(&name, value.bytes(&mut self.key_room)?);
        Ok(Wrote::Outside)
    }

    fn function(&mut self, cursor: &Cursor<'_>, members: &Members) -> Read<Wrote> {
        only(members, &[TYPE, NAME, CODE], "a function record")?;
        let at = need(members, CODE)?;
        if !self.goal.has_functions() {
            return Err(unfit(
                at,
                format!(
                    "{} has no functions: they came with 7.0",
                    self.goal.target.name
                ),
            ));
        }
        let code = cursor.from(at).bytes(&mut self.key_room)?.to_vec();
        if let Some(name) = members[NAME] {
            cursor.from(name).bytes(&mut self.key_room)?;
        }
        self.saver.writer.function(&code);
        Ok(Wrote::Outside)
    }

    fn module_aux(&mut self, cursor: &Cursor<'_>, members: &Members) -> Read<Wrote> {
        let has = [TYPE, MODULE, MODULE_VERSION, WHEN, RAW];
        only(members, &has, "a module's record")?;
        let (id, _) = self.module_id(cursor, members)?;
        let when = cursor.from(need(members, WHEN)?).uint()?;
        let items = self.raw(cursor, need(members, RAW)?)?;
        self.saver.writer.module_aux(id, when, &items);
        self.bytes = items;
        Ok(Wrote::Outside)
    }

    /// The id that a module's name and version make.
    fn module_id(&mut self, cursor: &Cursor<'_>, members: &Members) -> Read<(u64, [u8; 9])> {
        let name_at = need(members, MODULE)?;
        let version_at = need(members, MODULE_VERSION)?;
        let version = cursor.from(version_at).uint()?;
        let name = cursor.from(name_at).bytes(&mut self.key_room)?;
        let Ok(name) = <[u8; 9]>::try_from(name) else {
            return Err(flaw(
                name_at,
                "the name of a module's type has 9 characters",
            ));
        };
        let id = u16::try_from(version).ok();
        match id.and_then(|version| join_id(&name, version)) {
            Some(id) => Ok((id, name)),
            None => Err(flaw(
                name_at,
                "no module's type has such a name and version",
            )),
        }
    }

    /// The items of a module, which are whole.
    fn raw(&mut self, cursor: &Cursor<'_>, at: usize) -> Read<Vec<u8>> {
        let bytes = cursor.from(at).bytes(&mut self.key_room)?;
        let mut items = Items::new(bytes);
        loop {
            match items.next() {
                Ok(Some(_)) => {}
                Ok(None) if items.rest() == 0 => break,
                Ok(None) => return Err(flaw(at, "something stands behind the module's items")),
                Err(fault) => {
                    return Err(flaw(
                        at,
                        format!("these are no items of a module: {}", fault.problem),
                    ));
                }
            }
        }
        let mut raw = std::mem::take(&mut self.bytes);
        raw.clear();
        raw.extend_from_slice(bytes);
        Ok(raw)
    }

    fn key(
        &mut self,
        cursor: &Cursor<'_>,
        members: &Members,
        of: DataType,
        line: u64,
    ) -> Read<Wrote> {
        let db_at = need(members, DB)?;
        let Ok(db) = u32::try_from(cursor.from(db_at).uint()?) else {
            return Err(flaw(db_at, "there is no such database"));
        };
        self.key.clear();
        let key = cursor.from(need(members, KEY)?).bytes(&mut self.key_room)?;
        self.key.extend_from_slice(key);
        let mut has = vec![
            DB, KEY, TYPE, ENCODING, VALUE, EXPIRE, IDLE, FREQ, TTL, SIZE, OFFSET,
        ];
        match of {
            DataType::Hash => has.push(FIELD_EXPIRE),
            DataType::Module => has.extend([MODULE, MODULE_VERSION, RAW]),
            _ => {}
        }
        let before = self.saver.writer.len();
        if self.db.is_some_and(|last| last != db) {
            self.saver.writer.select(db, None);
        }
        let wrote = only(members, &has, of.name())
            .and_then(|()| self.attributes(cursor, members))
            .and_then(|attributes| self.value(cursor, members, of, &attributes));
        match wrote {
            Ok(wrote) => {
                if wrote == Wrote::Key {
                    self.print = Some(KeyPrint {
                        first: self.prints.0.of_key(db, &self.key),
                        second: self.prints.1.of_key(db, &self.key),
                        // What tells a place to people who look at a text.
                        at: line,
                        db: u64::from(db),
                    });
                    self.db = Some(db);
                } else {
                    self.saver.writer.truncate(before);
                }
                Ok(wrote)
            }
            Err(flaw) => {
                self.saver.writer.truncate(before);
                self.current = Some((db, self.key.clone()));
                Err(flaw)
            }
        }
    }

    fn attributes(&mut self, cursor: &Cursor<'_>, members: &Members) -> Read<Attributes> {
        // What only says how it was in the source is looked at all the same.
        if let Some(at) = members[ENCODING] {
            cursor.from(at).text(&mut self.names)?;
        }
        for at in [SIZE, OFFSET].into_iter().filter_map(|n| members[n]) {
            cursor.from(at).uint()?;
        }
        if let Some(at) = members[TTL] {
            cursor.from(at).int()?;
        }
        let freq = match members[FREQ] {
            None => None,
            Some(at) => match u8::try_from(cursor.from(at).uint()?) {
                Ok(freq) => Some(freq),
                Err(_) => return Err(flaw(at, "a frequency is at most 255")),
            },
        };
        let number = |n: usize| members[n].map(|at| cursor.from(at));
        Ok(Attributes {
            expires_at: number(EXPIRE).map(|mut at| at.int()).transpose()?,
            idle: number(IDLE).map(|mut at| at.uint()).transpose()?,
            freq,
        })
    }

    fn value(
        &mut self,
        cursor: &Cursor<'_>,
        members: &Members,
        of: DataType,
        attributes: &Attributes,
    ) -> Read<Wrote> {
        if of == DataType::Module {
            return self.module(cursor, members, attributes);
        }
        let Some(at) = members[VALUE] else {
            return Err(unfit(0, BARE));
        };
        let mut cursor = cursor.from(at);
        let goal = self.goal;
        let told = match of {
            DataType::String => {
                let value = cursor.bytes(&mut self.rooms.first)?;
                self.saver.writer.attributes(attributes);
                self.saver.writer.string(&self.key, value);
                return Ok(Wrote::Key);
            }
            DataType::List => value::list(&mut cursor, &mut self.rooms)?,
            DataType::Set => value::set(&mut cursor, &goal.rules, &mut self.rooms)?,
            DataType::ZSet => value::zset(&mut cursor, &goal.rules, &mut self.rooms)?,
            DataType::Hash => {
                let expiries = members[FIELD_EXPIRE].map(|at| cursor.from(at));
                value::hash(&mut cursor, expiries, goal, &mut self.rooms)?
            }
            DataType::Stream => value::stream(&mut cursor, goal, &mut self.rooms)?,
            DataType::Array => return self.array(cursor, attributes),
            DataType::Module | DataType::Cron | DataType::Json => {
                let whose = match of {
                    DataType::Cron => "only KeyDB has scheduled scripts",
                    _ => "only Dragonfly has JSON of its own",
                };
                return Err(unfit(
                    at,
                    format!("{} cannot hold this: {whose}", goal.target.name),
                ));
            }
        };
        if told.is_empty() && !may_be_empty(told.rdb_type(&goal.rules), &goal.rules) {
            return Ok(Wrote::Empty);
        }
        self.save(at, attributes, &told)
    }

    fn save(&mut self, at: usize, attributes: &Attributes, value: &Value) -> Read<Wrote> {
        let rdb_type = value.rdb_type(&self.goal.rules);
        if !self.goal.target.knows_type(rdb_type) {
            return Err(unfit(
                at,
                format!(
                    "{} has no values of type {} ({})",
                    self.goal.target.name,
                    rdb_type.number(),
                    rdb_type.name()
                ),
            ));
        }
        match self.saver.value(&self.key, attributes, value) {
            Ok(()) => Ok(Wrote::Key),
            Err(error) => Err(unfit(at, error.kind().to_string())),
        }
    }

    fn array(&mut self, mut cursor: Cursor<'_>, attributes: &Attributes) -> Read<Wrote> {
        let at = cursor.place();
        if !self.goal.target.knows_type(RdbType::Array) {
            let name = self.goal.target.name;
            let text = format!("{name} has no arrays: they came with Redis 8.8");
            return Err(unfit(at, text));
        }
        let mut bytes = std::mem::take(&mut self.bytes);
        let count = value::array(&mut cursor, &mut self.rooms, &mut bytes)?;
        if count == 0 {
            return Ok(Wrote::Empty);
        }
        self.saver.writer.attributes(attributes);
        self.raw_entry(RdbType::Array, |out| {
            write_number(count, out);
            // No place is kept for appending at.
            write_number(0, out);
            out.extend_from_slice(&bytes);
        });
        self.bytes = bytes;
        Ok(Wrote::Key)
    }

    fn module(
        &mut self,
        cursor: &Cursor<'_>,
        members: &Members,
        attributes: &Attributes,
    ) -> Read<Wrote> {
        let (id, name) = self.module_id(cursor, members)?;
        let Some(at) = members[RAW] else {
            return Err(match members[VALUE] {
                Some(at) => unfit(
                    at,
                    format!(
                        "what this value of the module {} means does not say what its bytes are: \
                         `dump-to-json --modules raw` writes those",
                        name.escape_ascii()
                    ),
                ),
                None => unfit(0, BARE),
            });
        };
        if members[VALUE].is_some() {
            return Err(flaw(at, "a module's value has either \"value\" or \"raw\""));
        }
        if !self.goal.may_have_module(&name) {
            let name = self.goal.target.name;
            let text = format!("{name} has no vector sets: only Redis has them, from 8.0 on");
            return Err(unfit(at, text));
        }
        let items = self.raw(cursor, at)?;
        self.saver.writer.attributes(attributes);
        self.raw_entry(RdbType::Module, |out| {
            write_number(id, out);
            out.extend_from_slice(&items);
        });
        self.bytes = items;
        Ok(Wrote::Key)
    }

    fn raw_entry(&mut self, rdb_type: RdbType, write: impl FnOnce(&mut Vec<u8>)) {
        let write = |out: &mut Vec<u8>| {
            write(out);
            Ok::<(), std::convert::Infallible>(())
        };
        let Ok(()) = self.saver.writer.entry(&self.key, None, rdb_type, write);
    }
}

const BARE: &str =
    "the record has no value: `dump-to-json --select keys` and `--select meta` leave it out";

fn need(members: &Members, n: usize) -> Read<usize> {
    members[n].ok_or_else(|| flaw(0, format!("the record has no member \"{}\"", NAMES[n])))
}

/// Refuses members that have no place in a record of this kind.
fn only(members: &Members, has: &[usize], what: &str) -> Read<()> {
    for (n, at) in members.iter().enumerate() {
        if let (Some(at), false) = (at, has.contains(&n)) {
            return Err(flaw(
                *at,
                format!("the member \"{}\" has no place in {what}", NAMES[n]),
            ));
        }
    }
    Ok(())
}
