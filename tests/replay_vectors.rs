//! Vector sets under random commands: after each of them, reply, digest and every stored vector are
//! what Redis says; and what it saved, we load.

mod support;

use redkit::keyspace::{self, Slot, digest};
use redkit::rdb::value::Scratch;
use redkit::record::{Dialect, RawValue, RdbType};
use support::count;
use support::engine::{Engine, Random, now, shown};
use support::resp::Reply;
use support::server::{Server, ServerKind};

const KEYS: [&str; 4] = ["v", "w", "x", "str"];

fn component(r: &mut Random) -> String {
    let sign = if r.one_in(2) { "-" } else { "" };
    match r.below(14) {
        0 => r
            .pick(&[
                "0", "-0", "1e-30", "1e30", "3.4e38", "1e-46", "inf", "-inf", "0x10",
            ])
            .to_owned(),
        1 => format!("{sign}{}e{}", r.below(1_000_000), r.below(20) as i64 - 15),
        2 if r.one_in(20) => r.pick(&["nan", "x", "", "1e400", " 1"]).to_owned(),
        3 => format!("{sign}{}", r.below(5)),
        _ => format!("{sign}0.{:09}", r.below(1_000_000_000)),
    }
}

/// A vector of a dimension, with the words that introduce it.
fn vector(r: &mut Random, dimension: u64, c: &mut Vec<Vec<u8>>) {
    if r.one_in(3) {
        c.push(b"fp32".to_vec());
        let mut blob = Vec::new();
        for _ in 0..dimension {
            let bits = match r.below(30) {
                0 => r.below(1 << 32) as u32,
                _ => (component(r).parse::<f32>().unwrap_or(0.5)).to_bits(),
            };
            blob.extend(bits.to_le_bytes());
        }
        if r.one_in(40) {
            blob.pop();
        }
        c.push(blob);
    } else {
        c.push(b"VALUES".to_vec());
        c.push(dimension.to_string().into_bytes());
        for _ in 0..dimension {
            c.push(component(r).into_bytes());
        }
    }
}

fn command(r: &mut Random, dimensions: &mut [u64; 4]) -> Vec<Vec<u8>> {
    let at = r.below(12).min(4) as usize % 4;
    let mut c: Vec<Vec<u8>> = Vec::new();
    let key = KEYS[if r.one_in(20) { 3 } else { at.min(2) }];
    let element = format!("e{}", r.below(12)).into_bytes();
    match r.below(10) {
        0 => c.extend([b"VREM".to_vec(), key.into(), element]),
        1 => {
            let text = r.pick(&["", "{}", "{\"year\":1950}", "plain"]);
            c.extend([b"VSETATTR".to_vec(), key.into(), element, text.into()]);
        }
        2 => {
            let name = r.pick(&["VCARD", "VDIM", "VGETATTR", "VISMEMBER", "VEMB"]);
            c.extend([name.into(), key.into()]);
            if name.len() > 5 || name == "VEMB" || r.one_in(20) {
                c.push(element);
            }
        }
        _ => {
            c.extend([b"VADD".to_vec(), key.into()]);
            if r.one_in(100) {
                dimensions[at] = 1 + r.below(70);
            }
            // Sets of one key come and go, each with a shape of its own.
            if key == "x" || r.one_in(50) {
                let to = if r.one_in(30) { r.below(9) } else { 3 };
                c.extend([b"REDUCE".to_vec(), to.to_string().into_bytes()]);
            }
            vector(r, dimensions[at], &mut c);
            c.push(element);
            let quantization = match key {
                "v" => "q8",
                "w" => "NOQUANT",
                _ => "bin",
            };
            if !r.one_in(50) {
                c.push(quantization.into());
            }
            if r.one_in(3) {
                c.push(b"SETATTR".to_vec());
                c.push(r.pick(&["", "{\"a\":1}", "x"]).into());
            }
            if r.one_in(10) {
                let words = r.pick(&[
                    "CAS", "EF 10", "EF 0", "M 16", "M 5", "M 3", "Q8", "BOGUS", "M",
                ]);
                c.extend(words.split(' ').map(Into::into));
            }
        }
    }
    c
}

fn run(kind: ServerKind, seed: u64, steps: usize) {
    let server = Server::start(kind, &[]);
    let mut client = server.client();
    let mut r = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut engine = Engine::new(kind);
    let mut dimensions = [3, 1 + r.below(70), 8, 4];
    cmd!(client, "APPEND", "str", "x").no_error();
    engine.call(&["APPEND", "str", "x"], now());
    for step in 0..steps {
        let command = command(&mut r, &mut dimensions);
        let words: Vec<String> = command
            .iter()
            .map(|w| w.escape_ascii().to_string())
            .collect();
        let mut asked = vec![command.clone(), vec![b"DEBUG".to_vec(), b"DIGEST".to_vec()]];
        for key in KEYS {
            for n in 0..12 {
                let name = format!("e{n}");
                asked.push(
                    [b"VEMB" as &[u8], key.as_bytes(), name.as_bytes(), b"RAW"]
                        .map(<[u8]>::to_vec)
                        .into(),
                );
            }
        }
        let time = now();
        let answers = client.pipeline(&asked);
        let where_ = format!("{kind}, seed {seed}, step {step}: {}", words.join(" "));
        for (n, (question, answer)) in asked.iter().zip(&answers).enumerate() {
            let found = if n == 1 {
                let digest = digest::of_keyspace(&engine.keyspace).unwrap();
                assert_eq!(digest.unknown, 0);
                format!("+{}", digest.digest)
            } else {
                shown(&engine.call(question, time), time)
            };
            assert_eq!(shown(answer, time), found, "{where_}: {n}");
        }
        if step % 50 == 49 {
            for key in KEYS {
                let Reply::Bulk(Some(payload)) = cmd!(client, "DUMP", key) else {
                    continue;
                };
                let raw = RawValue {
                    rdb_type: RdbType::from_number(payload[0], Dialect::Redis).unwrap(),
                    bytes: &payload[1..payload.len() - 10],
                    at: 0,
                };
                let value = keyspace::load(&raw, &mut Scratch::default(), &engine.keyspace.rules);
                let slot = Slot::new(key.as_bytes(), value.unwrap().unwrap(), None);
                engine.keyspace.insert(0, slot);
            }
            cmd!(client, "DEBUG", "RELOAD").ok();
        }
    }
}

#[test]
fn redis_and_we_agree_after_every_command() {
    let kinds: Vec<ServerKind> = ServerKind::usable();
    for kind in kinds.into_iter().filter(|kind| kind.has_vector_sets()) {
        for seed in 1..=count(3, 60) as u64 {
            run(kind, seed, 300);
        }
    }
}
