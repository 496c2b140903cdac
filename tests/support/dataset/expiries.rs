//! Keys and fields that expire, in the years from 2099 on.

use super::{Batch, ODD_STRINGS};
use crate::support::resp::Client;
use crate::support::server::ServerKind;

pub(super) fn fill(client: &mut Client, kind: ServerKind) {
    keys(client);
    if kind.has_field_ttl() {
        fields(client);
    }
}

fn keys(client: &mut Client) {
    let mut batch = Batch::new();
    for line in [
        "SET e:string v PXAT 33333333333333",
        "SET e:int 1 PX 1234567890123",
        "RPUSH e:list a b",
        "SADD e:intset 1 2",
        "SADD e:set a b",
        "ZADD e:zset 1 a",
        "HSET e:hash f v",
        "XADD e:stream 1-1 f v",
        "PEXPIREAT e:list 40000000000001",
        "PEXPIREAT e:intset 40000000000002",
        "PEXPIREAT e:set 40000000000003",
        "PEXPIREAT e:zset 40000000000004",
        "PEXPIREAT e:hash 40000000000005",
        "PEXPIREAT e:stream 40000000000006",
        "SET e:far v",
        "PEXPIREAT e:far 9223372036854775",
        "SET e:seconds v",
        "EXPIREAT e:seconds 4294967296",
        "SET e:taken-back v EX 1000000000",
        "PERSIST e:taken-back",
    ] {
        batch.line(line);
    }
    batch.send(client);
}

fn fields(client: &mut Client) {
    let mut batch = Batch::new();
    let numbered = |count: usize| (0..count).flat_map(|i| [format!("f{i}"), format!("v{i}")]);
    for (key, count) in [("t:packed", 20), ("t:table", 2_000), ("t:all", 10)] {
        batch.many(&[b"HSET", key.as_bytes()], numbered(count));
        for i in 0..count {
            let at = match (key, i % 4) {
                ("t:all", _) | (_, 0) => 5_000_000_000_000 + (i as i64 * 977) % 50_000,
                (_, 1) => 4_102_444_800_000,
                _ => continue,
            };
            batch.line(&format!("HPEXPIREAT {key} {at} FIELDS 1 f{i}"));
        }
    }
    // The latest time that the commands take is 2^46 - 1.
    for line in [
        "HSET t:one f v",
        "HPEXPIREAT t:one 5000000000001 FIELDS 1 f",
        "HSET t:far f v g w",
        "HPEXPIREAT t:far 70368744177663 FIELDS 1 f",
        "HPEXPIREAT t:far 4102444800000 FIELDS 1 g",
        "HSET t:taken-back f v",
        "HPEXPIREAT t:taken-back 5000000000000 FIELDS 1 f",
        "HPERSIST t:taken-back FIELDS 1 f",
        "HSETEX t:set PXAT 5000000000123 FIELDS 2 a 1 b 2",
    ] {
        batch.line(line);
    }
    // Odd names with a time, in a key that expires itself.
    for (i, name) in ODD_STRINGS.iter().enumerate() {
        put!(batch, "HSET", "t:odd", name, name);
        if i % 2 == 0 {
            let at = (5_000_000_000_000 + i as i64).to_string();
            put!(batch, "HPEXPIREAT", "t:odd", at, "FIELDS", "1", name);
        }
    }
    batch.line("PEXPIREAT t:odd 6000000000000");
    put!(
        batch,
        "HSET",
        "t:long",
        "long",
        vec![b'v'; 100_000],
        "short",
        "v"
    );
    batch.line("HPEXPIREAT t:long 5000000000000 FIELDS 1 long");
    batch.line("HPEXPIREAT t:long 5000000000500 FIELDS 1 short");
    batch.send(client);
}
