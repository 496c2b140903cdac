//! The commands of a workload: templates with holes, filled at random with ordinary and edge values.

use sha1::{Digest as _, Sha1};

use crate::support::server::{Family, ServerKind};

/// A sequence of pseudo-random numbers (splitmix64): the same on every machine.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Who knows a command.
#[derive(Clone, Copy)]
enum Who {
    All,
    /// 7.0 and later, and every Valkey.
    Since70,
    Redis82,
    /// Redis 8.2 and Valkey 9.1.
    FieldTtl,
    Valkey,
    Valkey91,
}

impl Who {
    fn has(self, kind: ServerKind) -> bool {
        match self {
            Who::All => true,
            Who::Since70 => kind != ServerKind::Redis62,
            Who::Redis82 => kind == ServerKind::Redis82,
            Who::FieldTtl => kind.has_field_ttl(),
            Who::Valkey => kind.family() == Family::Valkey,
            Who::Valkey91 => kind == ServerKind::Valkey91,
        }
    }
}

use Who::{All, FieldTtl, Redis82, Since70, Valkey, Valkey91};

/// Holes: `S` a string key, `L` a list, `E` a set, `Z` a sorted set, `A` one whose scores are all
/// equal, `H` a hash, `X` a stream, `P` a HyperLogLog, `G` places, `K` any key; `v` a value, `n` an
/// integer, `i` an index, `f` a double, `o` an offset, `b` a bit, `m` a member or field, `t` seconds,
/// `T` milliseconds, `U` Unix milliseconds, `d` a database, `id` a stream ID, `c` a consumer, `g` a
/// group, `V` a vector set, `w` an element of it, `vf` a number of a vector, `lib` a library, `code` its
/// source, `fn` a function, `lua` a script, `sha` its digest. `[a|b|]` is one of those, `{x}*` one to
/// four times; holes with the same `=name` behind them are filled alike; `;` stands between commands.
const TEMPLATES: &[(Who, &str)] = &[
    // Strings.
    (All, "SET <S> <v>"),
    (All, "SET <S> <n>"),
    (All, "SET <S> <v> [NX|XX|KEEPTTL|EX 1000|PX 1000000|get]"),
    (All, "SET <S> <v> PXAT <U>"),
    (All, "SET <S> <v> EXAT 4102444800 XX"),
    (Valkey, "SET <S> <v> IFEQ <v>"),
    (All, "SETNX <S> <v>"),
    (All, "SETEX <S> <t> <v>"),
    (All, "PSETEX <S> <T> <v>"),
    (All, "GETSET <S> <v>"),
    (All, "GETDEL <S>"),
    (All, "GETEX <S> [EX 100|PX 100000|PERSIST|]"),
    (All, "APPEND <S> <v>"),
    (All, "SETRANGE <S> <o> <v>"),
    (All, "INCR <S>"),
    (All, "DECR <S>"),
    (All, "INCRBY <S> <n>"),
    (All, "DECRBY <S> <n>"),
    (All, "INCRBYFLOAT <S> <f>"),
    (All, "MSET <S> <v> <S> <v>"),
    (All, "MSETNX <S> <v> <S> <v>"),
    (
        Valkey91,
        "MSETEX 2 <S> <v> <S> <v> [EX 100|PX 100000|KEEPTTL|NX|XX|]",
    ),
    (Valkey91, "DELIFEQ <S> <v>"),
    // Bits.
    (All, "SETBIT <S> <b> [0|1]"),
    (
        All,
        "BITFIELD <S> SET [u8|i5|u63|i64|u1] [0|7|#3|100] <n> GET u4 0",
    ),
    (
        All,
        "BITFIELD <S> OVERFLOW [WRAP|SAT] INCRBY [u2|i8|i64|u33] [0|#1|13] <n>",
    ),
    (All, "BITOP [AND|OR|XOR] <S> <S> <S>"),
    (All, "BITOP NOT <S> <S>"),
    (Redis82, "BITOP [DIFF|DIFF1|ANDOR|ONE] <S> <S> <S>"),
    // HyperLogLogs.
    (All, "PFADD <P> <m> <m> <v>"),
    (All, "PFADD <P>"),
    (All, "PFCOUNT <P>"),
    (All, "PFMERGE <P> <P> <P>"),
    (All, "PFDEBUG TODENSE <P>"),
    // Lists.
    (All, "[LPUSH|RPUSH|LPUSHX|RPUSHX] <L> {<v>}*"),
    (All, "[LPUSH|RPUSH] <L> {<n>}*"),
    (All, "[LPOP|RPOP] <L>"),
    (All, "[LPOP|RPOP] <L> [0|1|2|5]"),
    (All, "LINSERT <L> [BEFORE|AFTER] <v> <v>"),
    (All, "LSET <L> <i> <v>"),
    (All, "LREM <L> <i> <v>"),
    (All, "LTRIM <L> <i> <i>"),
    (All, "LMOVE <L> <L> [LEFT|RIGHT] [left|RIGHT]"),
    (All, "RPOPLPUSH <L> <L>"),
    (Since70, "LMPOP 2 <L> <L> [LEFT|RIGHT] COUNT [1|3]"),
    (All, "[BLPOP|BRPOP] <L> <L> 0.01"),
    (Since70, "BLMPOP 0.01 2 <L> <L> [LEFT|RIGHT] COUNT 2"),
    (All, "BRPOPLPUSH <L> <L> 0.01"),
    (All, "BLMOVE <L> <L> LEFT RIGHT 0.01"),
    (All, "SORT <L> ALPHA [ASC|DESC|] STORE <L>"),
    (All, "SORT <E> BY nosort STORE <L>"),
    (All, "SORT <L> LIMIT [0|1] [3|-1] STORE <L>"),
    (All, "SORT <Z> BY nosort [DESC|] LIMIT 0 5 STORE <L>"),
    (All, "SORT <L> BY s* GET # GET s* STORE <L>"),
    (All, "SORT <E> ALPHA DESC GET h*->a GET # STORE <L>"),
    // Sets.
    (All, "SADD <E> {<m>}*"),
    (All, "SADD <E> {<n>}*"),
    (All, "SREM <E> {<m>}*"),
    (All, "SMOVE <E> <E> <m>"),
    (All, "SPOP <E>"),
    (All, "SPOP <E> [0|1|2|9]"),
    (All, "[SINTERSTORE|SUNIONSTORE|SDIFFSTORE] <E> <E> <E>"),
    // Sorted sets.
    (All, "ZADD <Z> <f> <m> <f> <m>"),
    (All, "ZADD <Z> [NX|XX|GT|LT|XX GT|CH|XX CH LT] <f> <m>"),
    (All, "ZADD <Z> [|XX|NX|GT|LT] INCR <f> <m>"),
    (All, "ZADD <A> 0 <m> 0 <m> 0 <m>"),
    (All, "ZINCRBY <Z> <f> <m>"),
    (All, "ZREM <Z> <m> <m>"),
    (All, "[ZPOPMIN|ZPOPMAX] <Z> [|2|0]"),
    (All, "[BZPOPMIN|BZPOPMAX] <Z> <Z> 0.01"),
    (Since70, "BZMPOP 0.01 2 <Z> <Z> [MIN|MAX] COUNT 3"),
    (Since70, "ZMPOP 1 <Z> [MIN|MAX] COUNT 2"),
    (All, "ZREMRANGEBYRANK <Z> <i> <i>"),
    (All, "ZREMRANGEBYSCORE <Z> [-inf|(1|0|-5] [+inf|5|(3|0]"),
    (All, "ZREMRANGEBYLEX <A> [-|[a|(m] [+|(z|[mb]"),
    (
        All,
        "ZUNIONSTORE <Z> 2 <Z> <Z> WEIGHTS [1|2|-0.5|inf] [3|0] AGGREGATE [SUM|MIN|MAX]",
    ),
    (
        All,
        "ZINTERSTORE <Z> 2 <Z> <E> [AGGREGATE MAX|WEIGHTS 1 2|]",
    ),
    (All, "ZDIFFSTORE <Z> 2 <Z> <Z>"),
    (All, "ZRANGESTORE <Z> <Z> <i> <i> [REV|]"),
    (
        All,
        "ZRANGESTORE <Z> <Z> -inf (5 BYSCORE LIMIT [0|1] [2|-1]",
    ),
    (All, "ZRANGESTORE <Z> <Z> (5 -inf BYSCORE REV"),
    (All, "ZRANGESTORE <A> <A> [a + BYLEX"),
    // Places.
    (All, "GEOADD <G> 13.361389 38.115556 <m> <x> <y> <m>"),
    (All, "GEOADD <G> [NX|XX|CH] <x> <y> <m>"),
    (
        All,
        "GEORADIUS <G> <x> <y> [100|5000] km [STORE|STOREDIST] <Z>",
    ),
    (
        All,
        "GEORADIUSBYMEMBER <G> <m> [100|5000] km [STORE|STOREDIST] <Z>",
    ),
    (
        All,
        "GEOSEARCHSTORE <Z> <G> FROMMEMBER <m> BYRADIUS 5000 [km|mi] [DESC|COUNT 3 ANY|]",
    ),
    (
        All,
        "GEOSEARCHSTORE <Z> <G> FROMLONLAT <x> <y> BYRADIUS [10|900] km [ASC|COUNT 2|STOREDIST|]",
    ),
    (
        All,
        "GEOSEARCHSTORE <Z> <G> FROMLONLAT <x> <y> BYBOX 800 [300|3000] km ASC",
    ),
    // Hashes.
    (All, "[HSET|HMSET] <H> <m> <v> <m> <v>"),
    (All, "HSETNX <H> <m> <v>"),
    (All, "HDEL <H> {<m>}*"),
    (All, "HINCRBY <H> <m> <n>"),
    (All, "HINCRBYFLOAT <H> <m> <f>"),
    (FieldTtl, "HEXPIRE <H> 1000 [NX|XX|GT|LT|] FIELDS 2 <m> <m>"),
    (FieldTtl, "HPEXPIRE <H> 1000000 [NX|XX|GT|LT|] FIELDS 1 <m>"),
    (
        FieldTtl,
        "HEXPIREAT <H> 4102444800 [NX|XX|GT|LT|] FIELDS 1 <m>",
    ),
    (FieldTtl, "HPEXPIREAT <H> <F> FIELDS 1 <m>"),
    (FieldTtl, "HPERSIST <H> FIELDS 2 <m> <m>"),
    (
        FieldTtl,
        "HSETEX <H> [FNX|FXX|] [EX 100|PX 100000|KEEPTTL|] FIELDS 1 <m> <v>",
    ),
    (FieldTtl, "HGETEX <H> [EX 100|PERSIST|] FIELDS 1 <m>"),
    (FieldTtl, "HGETDEL <H> FIELDS 1 <m>"),
    // Streams.
    (All, "XADD <X> * <m> <v>"),
    (All, "XADD <X> <id> <m> <v> <m> <v>"),
    (
        All,
        "XADD <X> [MAXLEN|NOMKSTREAM MAXLEN] [=|~] [0|1|5|120] * <m> <v>",
    ),
    (All, "XADD <X> MINID [=|~] <id> * <m> <v>"),
    (All, "XTRIM <X> MAXLEN [=|~] [0|3|150]"),
    (All, "XTRIM <X> MINID <id>"),
    (All, "XDEL <X> <id> <id>"),
    (All, "XSETID <X> [9999999999999-0|5-5]"),
    (All, "XGROUP CREATE <X> <g> [$|0|<id>] [MKSTREAM|]"),
    (
        Since70,
        "XGROUP CREATE <X> <g> 0 MKSTREAM ENTRIESREAD [0|3]",
    ),
    (All, "XGROUP SETID <X> <g> [$|0|<id>]"),
    (All, "XGROUP DESTROY <X> <g>"),
    (All, "XGROUP CREATECONSUMER <X> <g> <c>"),
    (All, "XGROUP DELCONSUMER <X> <g> <c>"),
    (
        All,
        "XREADGROUP GROUP <g> <c> COUNT [1|3|100] [NOACK|] STREAMS <X> >",
    ),
    (All, "XREADGROUP GROUP <g> <c> COUNT 5 STREAMS <X> 0"),
    (All, "XREADGROUP GROUP <g> <c> STREAMS <X> <X> > >"),
    (All, "XACK <X> <g> <id> <id>"),
    (
        All,
        "XCLAIM <X> <g> <c> 0 <id> <id> [FORCE|JUSTID|RETRYCOUNT 3|IDLE 5|]",
    ),
    (All, "XAUTOCLAIM <X> <g> <c> 0 0 [COUNT 3|JUSTID|]"),
    (All, "XADD <X> 5-* <m> <v>"),
    (
        Since70,
        "XSETID <X> [9999999999999-5|7-7] ENTRIESADDED [500|0] MAXDELETEDID [3-0|0-0]",
    ),
    (Since70, "XGROUP SETID <X> <g> [$|0] ENTRIESREAD [0|2|-1]"),
    (
        Redis82,
        "XADD <X> [KEEPREF|DELREF|ACKED] MAXLEN [=|~] [1|5|120] * <m> <v>",
    ),
    (
        Redis82,
        "XTRIM <X> [MAXLEN 3|MINID 10] [KEEPREF|DELREF|ACKED]",
    ),
    (Redis82, "XDELEX <X> [KEEPREF|DELREF|ACKED] IDS 1 <id>"),
    (Redis82, "XACKDEL <X> <g> [KEEPREF|DELREF|ACKED] IDS 1 <id>"),
    // Keys.
    (All, "DEL <K> <K>"),
    (All, "UNLINK <K>"),
    (All, "EXPIRE <K> <t>"),
    (All, "PEXPIRE <K> <T>"),
    (All, "PEXPIREAT <K> <U>"),
    (All, "EXPIREAT <K> [4102444800|1|0]"),
    (Since70, "EXPIRE <K> <t> [NX|XX|GT|LT]"),
    (All, "PERSIST <K>"),
    (All, "RENAME <K> <K>"),
    (All, "RENAMENX <K> <K>"),
    (All, "COPY <K> <K> [REPLACE|DB 1 REPLACE|]"),
    (All, "MOVE <K> <d>"),
    (All, "SELECT <d>"),
    (All, "SELECT 0"),
    (All, "SWAPDB 0 1"),
    (All, "!RESTORE <K> <K>"),
    (All, "!RESTORE-ASKING <K> <K>"),
    // Rarely: else there is never much to work on.
    (
        All,
        "[FLUSHALL|FLUSHDB|FLUSHDB ASYNC|PERSIST <K>|PERSIST <K>|PERSIST <K>|PERSIST <K>|UNLINK <K>|\
         UNLINK <K>|SELECT 0|SELECT 0|SELECT 0]",
    ),
    // Vector sets. An element that is there would be linked anew by chance.
    (
        Redis82,
        "VREM <V=v> <w=e> ; VADD <V=v> VALUES 3 <vf> <vf> <vf> <w=e> [NOQUANT|Q8|BIN|]",
    ),
    (
        Redis82,
        "VREM <V=v> <w=e> ; VADD <V=v> VALUES 3 <vf> <vf> <vf> <w=e> SETATTR <json>",
    ),
    (Redis82, "VREM <V> <w>"),
    (Redis82, "VSETATTR <V> <w> <json>"),
    (
        Redis82,
        "[DEL <V>|RENAME <V> <V>|COPY <V> <V> REPLACE|EXPIRE <V> 1000|!RESTORE <V> <V>]",
    ),
    // Function libraries.
    (Since70, "FUNCTION LOAD <code>"),
    (Since70, "FUNCTION LOAD REPLACE <code>"),
    (Since70, "FUNCTION LOAD REPLACE <code>"),
    (Since70, "FUNCTION DELETE <lib>"),
    (
        Since70,
        "FUNCTION [FLUSH|FLUSH ASYNC|FLUSH SYNC|DELETE <lib>|DELETE <lib>|DELETE <lib>]",
    ),
    (Since70, "!FUNCTION [APPEND|REPLACE|FLUSH]"),
    (Since70, "FCALL <fn> 1 <K> <v>"),
    (Since70, "FCALL <fn> 2 <K> <K> <v> <n>"),
    (Since70, "FCALL <fn> 0 <v>"),
    // Scripts: new servers log what they do, old ones may log them as they are.
    (All, "EVAL <lua> 2 <K> <K> <v> <n>"),
    (All, "EVAL <lua> 2 <S> <L> <v> <n>"),
    (All, "EVAL <lua> 2 <E> <L> <m> <n>"),
    (All, "EVAL <lua> 2 <H> <L> <m> <n>"),
    (All, "EVAL <lua> 2 <Z> <L> <m> <n>"),
    (
        All,
        "SCRIPT LOAD <lua=l> ; EVALSHA <sha=l> 2 <K> <K> <v> <n>",
    ),
    (All, "EVALSHA <sha> 2 <S> <L> <v> <n>"),
    (All, "EVALSHA <sha> 1 <K>"),
    (Since70, "EVAL <flagged> 1 <S> <v>"),
    (
        All,
        "SCRIPT [FLUSH|LOAD <lua>|LOAD <lua>|LOAD <lua>|LOAD <lua>]",
    ),
];

/// What scripts do with two keys and two arguments.
const SCRIPTS: &[&str] = &[
    "redis.call('set',KEYS[1],ARGV[1]) redis.call('append',KEYS[1],ARGV[1])",
    "redis.call('sadd',KEYS[1],'a',ARGV[1]) return {err='ERR x'}",
    "redis.call('sadd',KEYS[1],ARGV[1]) error('half done')",
    "redis.pcall('incrby',KEYS[1],ARGV[2]) return redis.pcall('lpush',KEYS[2],ARGV[1])",
    "local n = redis.call('incr',KEYS[1]) if n > 3 then redis.call('del',KEYS[1]) end return n",
    "for _,m in ipairs(redis.call('smembers',KEYS[1])) do redis.call('rpush',KEYS[2],m) end",
    "for _,m in ipairs(redis.call('hkeys',KEYS[1])) do redis.call('lpush',KEYS[2],m) end",
    "for i,m in ipairs(redis.call('zrange',KEYS[1],0,-1,'withscores')) do \
     redis.call('rpush',KEYS[2],i..m) end",
    "redis.call('hset',KEYS[1],ARGV[1],cjson.encode({a={ARGV[1],1.5,false}}))",
    "redis.call('set',KEYS[1],cmsgpack.pack({1,-1,ARGV[1],{ARGV[2]},2^40}))",
    "redis.call('set',KEYS[1],struct.pack('>I4s',#ARGV[1],ARGV[1]))",
    "redis.call('set',KEYS[1],bit.tohex(bit.bxor(#ARGV[1],255)))",
    "redis.call('set',KEYS[1],redis.sha1hex(ARGV[1]))",
    "local v = redis.call('get',KEYS[1]) if v then redis.call('setrange',KEYS[1],#v,v:rep(2):upper()) \
     else redis.call('set',KEYS[1],tostring(#ARGV)) end",
    "for i=1,20 do redis.call('rpush',KEYS[2],i*1.5,2^i) end redis.call('ltrim',KEYS[2],-30,-1)",
    "redis.call('select',2) redis.call('set',KEYS[1],ARGV[1])",
    "redis.call('zadd',KEYS[1],1.5,ARGV[1],'-0',ARGV[2]) return redis.call('zincrby',KEYS[1],'2',ARGV[1])",
    "redis.call('xadd',KEYS[1],'9-*','f',ARGV[1]) redis.call('pexpireat',KEYS[2],4102444800000)",
    "redis.call('xadd',KEYS[1],'77-'..#ARGV[1],'f',ARGV[1]) redis.call('persist',KEYS[2])",
    "return redis.call('get',KEYS[1])",
    "return redis.call('rename',KEYS[1],KEYS[2])",
    "redis.call('pfadd',KEYS[1],ARGV[1],ARGV[2]) redis.call('pfcount',KEYS[1])",
    "local t = {} for w in ARGV[1]:gmatch('%a+') do t[#t+1] = w end \
     if #t > 0 then redis.call('rpush',KEYS[2],unpack(t)) end",
    "return redis.call('nosuch')",
    "redis.call('lpush',KEYS[2]",
];

const VALUES: &[&[u8]] = &[
    b"",
    b"a",
    b"0",
    b"-1",
    b"3.25",
    b"12345678901",
    b"9223372036854775807",
    b"007",
    b" 5",
    b"hello world",
    b"\x00\xff\x80",
    "k\u{f6}nnen".as_bytes(),
    b"abcdefghijklmnopqrstuvwxyz",
    b"value:0123456789012345678901234567890123456789012345678901234567890123456789",
];
const INTEGERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "5",
    "127",
    "128",
    "-129",
    "32768",
    "2147483648",
    "-9223372036854775808",
    "9223372036854775807",
    "9223372036854775808",
    "x",
    "",
    "1.5",
    "100",
    "42",
];
const DOUBLES: &[&str] = &[
    "0",
    "1",
    "-1",
    "0.1",
    "1.5",
    "-0",
    "1e10",
    "3.0e-7",
    "inf",
    "-inf",
    "nan",
    "1e308",
    "123456.789",
    "100",
    "2.25",
    "-17.000001",
    "0.30000000000000004",
    "x",
    "5",
    "9007199254740993",
];
const INDEXES: &[&str] = &["0", "1", "-1", "2", "-2", "5", "-100", "100", "3"];
const FIELDS: &[&str] = &[
    "a",
    "b",
    "c",
    "m1",
    "m2",
    "m3",
    "mb",
    "z",
    "100",
    "-5",
    "field-with-a-long-name",
    "member:0123456789012345678901234567890123456789012345678901234567890123456789",
];

/// A command, filled in; or one that the driver has to do itself (see [`Command::Restore`]).
pub(crate) enum Command {
    Plain(Vec<Vec<u8>>),
    /// Some that belong together.
    Several(Vec<Vec<Vec<u8>>>),
    /// RESTORE, by this name, a key with the payload of another.
    Restore(Vec<u8>, Vec<u8>, Vec<u8>),
    /// FUNCTION RESTORE of what FUNCTION DUMP gives, with this policy, behind a change.
    RestoreFunctions(Vec<u8>),
}

/// A random command that this server knows; `now` is its clock, Unix ms.
pub(crate) fn command(random: &mut Random, kind: ServerKind, now: i64) -> Command {
    loop {
        let (who, template) = random.pick(TEMPLATES);
        if who.has(kind) {
            return fill(template, random, now);
        }
    }
}

fn fill(template: &str, random: &mut Random, now: i64) -> Command {
    let text = choose(template, random);
    let mut named: Vec<(String, Vec<u8>)> = Vec::new();
    let mut commands = vec![Vec::new()];
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let hole = word.strip_prefix('<').and_then(|w| w.strip_suffix('>'));
        let arg = match (word, hole) {
            (";", _) => {
                commands.push(Vec::new());
                continue;
            }
            (_, None) => word.as_bytes().to_vec(),
            (_, Some(hole)) => match hole.split_once('=') {
                None => value(hole, random, now),
                Some((hole, name)) => {
                    let before = named.iter().find(|(n, _)| n == name);
                    let arg = before.map_or_else(|| value(hole, random, now), |(_, v)| v.clone());
                    named.push((name.to_owned(), arg.clone()));
                    // The digest of the script that went before.
                    if hole == "sha" { sha(&arg) } else { arg }
                }
            },
        };
        commands.last_mut().expect("one at least").push(arg);
    }
    if commands.len() > 1 {
        return Command::Several(commands);
    }
    let args = commands.pop().expect("one");
    match args.first().map(Vec::as_slice) {
        Some(b"!FUNCTION") => {
            let [_, policy] = <[Vec<u8>; 2]>::try_from(args).expect("two words");
            Command::RestoreFunctions(policy)
        }
        Some([b'!', name @ ..]) => {
            let name = name.to_vec();
            let [_, from, to] = <[Vec<u8>; 3]>::try_from(args).expect("three words");
            Command::Restore(name, from, to)
        }
        _ => Command::Plain(args),
    }
}

/// The digest of a script.
fn sha(script: &[u8]) -> Vec<u8> {
    let digest = Sha1::digest(script);
    digest
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect::<String>()
        .into_bytes()
}

/// The source of a library, whose functions are `NAMEa` and `NAMEb`.
fn library(random: &mut Random) -> Vec<u8> {
    let name = format!("lib{}", random.below(4));
    let bodies = [
        "redis.call('append', k[1], a[1])",
        "redis.call('rpush', k[1], a[1], #a, 1.5) error({err = 'ERR half done'})",
        "redis.call('sadd', k[1], a[1]) redis.call('sadd', k[1], 'x') return redis.call('scard', k[1])",
        "redis.call('hset', k[1], 'f', a[1]) if k[2] then redis.call('copy', k[1], k[2]) end",
        "redis.call('zadd', k[1], 3, a[1]) redis.call('set', 'from-a-function', cjson.encode(a))",
        "return redis.pcall('incr', k[1])",
        "local n = tonumber(a[2]) or 3 for i = 1, 3 do redis.call('zincrby', k[1], n, 'm' .. i) end",
        "return #k",
    ];
    // 8.2.3 crashes at the FUNCTION FLUSH behind a call of a command with a nil among its arguments.
    let body =
        |random: &mut Random| format!("if not k[1] then return #a end {}", random.pick(&bodies));
    let (one, other) = (body(random), body(random));
    let flags = *random.pick(&["", ", flags = {'no-writes'}"]);
    let text = match random.below(12) {
        0 => format!(
            "#!lua name={name}\nredis.register_function('{name}a', function(k, a) {one} end"
        ),
        1 => format!("#!lua name={name}\nlocal x = 1"),
        _ => format!(
            "#!lua name={name}\nredis.register_function('{name}a', function(k, a) {one} end)\n\
             redis.register_function{{function_name = '{name}b', callback = function(k, a) {other} end{flags}}}"
        ),
    };
    text.into_bytes()
}

/// Takes one of each `[a|b]`, and repeats each `{x}*`.
fn choose(template: &str, random: &mut Random) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['[', '{']) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let choice = from.starts_with('[');
        // An interval of lexicographic ranges, as `[a`, is no choice.
        let end = match choice {
            true => from.find(']').filter(|_| from.contains('|')),
            false => from.find("}*"),
        };
        let Some(end) = end else {
            out.push_str(&from[..1]);
            rest = &from[1..];
            continue;
        };
        let inside = &from[1..end];
        match choice {
            true => {
                let options: Vec<_> = inside.split('|').collect();
                out.push_str(options[random.below(options.len())]);
                rest = &from[end + 1..];
            }
            false => {
                for _ in 0..=random.below(4) {
                    out.push_str(inside);
                    out.push(' ');
                }
                rest = &from[end + 2..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// One of these words.
fn word(random: &mut Random, words: &[&str]) -> Vec<u8> {
    words[random.below(words.len())].as_bytes().to_vec()
}

fn value(hole: &str, random: &mut Random, now: i64) -> Vec<u8> {
    let key = |prefix: &str, random: &mut Random| {
        // Now and then a key of another type.
        let prefix = match random.chance(4) {
            true => *random.pick(&["s", "l", "e", "z", "h", "x", "p"]),
            false => prefix,
        };
        format!("{prefix}{}", random.below(5)).into_bytes()
    };
    let text = |text: &str| text.as_bytes().to_vec();
    match hole {
        "S" => key("s", random),
        "L" => key("l", random),
        "E" => key("e", random),
        "Z" => key("z", random),
        "A" => format!("a{}", random.below(3)).into_bytes(),
        "H" => key("h", random),
        "X" => key("x", random),
        "P" => key("p", random),
        "G" => key("g", random),
        "K" => {
            let prefix = *random.pick(&["s", "l", "e", "z", "h", "x", "p", "g"]);
            key(prefix, random)
        }
        "v" => match random.chance(3) {
            true => b"long".repeat(random.below(3000)),
            false => random.pick(VALUES).to_vec(),
        },
        "n" => word(random, INTEGERS),
        "f" => match random.chance(30) {
            true => format!("{}", f64::from(random.below(1_000_000) as u32) / 1000.0).into_bytes(),
            false => word(random, DOUBLES),
        },
        "i" => word(random, INDEXES),
        "o" => word(random, &["0", "1", "3", "10", "100", "5000", "-1"]),
        "b" => word(
            random,
            &["0", "1", "7", "8", "1000", "100000", "-1", "4294967296"],
        ),
        "m" => match random.chance(30) {
            true => format!("m{}", random.below(200)).into_bytes(),
            false => word(random, FIELDS),
        },
        "t" => word(random, &["100", "1", "0", "-1", "100000", "x"]),
        "T" => word(random, &["100000", "20", "0", "-5", "100000000"]),
        "U" => {
            let away = random.pick(&[-1_000_000, 15, 1_000_000, 100_000_000]);
            (now + away).to_string().into_bytes()
        }
        // Fields never pass between checkpoints: Valkey's digest would change with the clock alone.
        "F" => {
            let away = random.pick(&[-1_000_000, 1_000_000, 100_000_000]);
            (now + away).to_string().into_bytes()
        }
        "d" => word(random, &["0", "1", "2", "99"]),
        "x" => format!("{}", random.below(360) as f64 - 180.0 + 0.123).into_bytes(),
        "y" => format!("{}", random.below(170) as f64 - 85.0 + 0.456).into_bytes(),
        "id" => match random.below(4) {
            0 => text("0-1"),
            1 => format!("{}-{}", random.below(30), random.below(3)).into_bytes(),
            2 => format!("{}-0", now - random.below(50) as i64).into_bytes(),
            _ => format!("{}", random.below(50)).into_bytes(),
        },
        "c" => word(random, &["alice", "bob"]),
        "g" => word(random, &["g1", "g2"]),
        "V" => format!("v{}", random.below(3)).into_bytes(),
        "w" => format!("w{}", random.below(40)).into_bytes(),
        "vf" => word(
            random,
            &["1", "-0.5", "0.25", "3.75", "0", "1e-3", "-17.125"],
        ),
        "json" => word(
            random,
            &["{\"year\":1950}", "{}", "", "plain", "{\"a\":[1,\"b\"]}"],
        ),
        "lib" => format!("lib{}", random.below(5)).into_bytes(),
        "code" => library(random),
        "fn" => {
            let function = *random.pick(&["a", "b"]);
            format!("lib{}{function}", random.below(4)).into_bytes()
        }
        "lua" => word(random, SCRIPTS),
        "sha" => sha(random.pick(SCRIPTS).as_bytes()),
        "flagged" => word(
            random,
            &[
                "#!lua\nreturn redis.call('append',KEYS[1],ARGV[1])",
                "#!lua flags=no-writes\nreturn redis.call('append',KEYS[1],ARGV[1])",
                "#!lua flags=allow-oom\nreturn redis.call('setrange',KEYS[1],3,ARGV[1])",
            ],
        ),
        other => panic!("hole {other}"),
    }
}
