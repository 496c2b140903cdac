//! What we say that a server makes of a log, against what it does when it is started on it: it
//! loads all of it, cuts it back to the very byte, or does not start.

mod support;

use std::fs;

use support::count;
use support::loader::{agree, each_server, log};
use support::server::{Server, ServerKind};

/// A little of everything that a log has.
fn sound(kind: ServerKind) -> Vec<u8> {
    let mut out = Vec::new();
    if kind.has_multi_part_aof() {
        out.extend(b"#TS:1795229996\r\n");
    }
    out.extend(log(&[
        &["SELECT", "0"],
        &["SET", "a", "1"],
        &["MULTI"],
        &["INCR", "a"],
        &["set", "b", "x\r\n*1\r\n"],
        &["EXEC"],
        &["RPUSH", "l", "1", "2", "3"],
    ]));
    out
}

#[test]
fn truncations_are_judged_as_servers_judge_them() {
    each_server(|kind| {
        let log = sound(kind);
        for cut in (1..=log.len()).rev().step_by(count(7, 1)) {
            agree(kind, &log[..cut]);
        }
    });
}

#[test]
fn logs_behind_a_snapshot_are_judged_as_servers_judge_them() {
    each_server(|kind| {
        let server = Server::start(kind, &[]);
        cmd!(server.client(), "SET", "key", "value").ok();
        let snapshot = fs::read(server.save()).unwrap();
        let log = [snapshot.as_slice(), &sound(kind)].concat();
        for cut in (snapshot.len() - 2..=log.len()).rev().step_by(count(9, 1)) {
            agree(kind, &log[..cut]);
        }
        for at in (0..snapshot.len()).step_by(count(17, 1)) {
            let mut damaged = log.clone();
            damaged[at] ^= 0x20;
            agree(kind, &damaged);
        }
    });
}

#[test]
fn changed_bytes_are_judged_as_servers_judge_them() {
    each_server(|kind| {
        let log = sound(kind);
        let mut seed = 0x9e37_79b9_7f4a_7c15u64;
        for _ in 0..count(25, 400) {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (seed >> 33) as usize % log.len();
            let mut damaged = log.clone();
            damaged[at] ^= 1 << (seed >> 60 & 7);
            agree(kind, &damaged);
        }
    });
}

#[test]
fn forms_at_the_edge_are_judged_as_servers_judge_them() {
    let long = format!("#{}\r\n", "x".repeat(1500));
    let tails: &[&[u8]] = &[
        b"\0\0\0\0\0\0\0\0",
        b"junk",
        b"\r\n",
        b"#TS:17",
        b"#anything\r\n",
        long.as_bytes(),
        b"*0\r\n",
        b"*0",
        b"*",
        b"*1",
        b"*1\n$4\nPING\r\n",
        b"*1x\r\n$4\r\nPING\n\r",
        b"* 1\r\n$+4\r\nPINGxy",
        b"*1\r\n$999\r\nPING\r\n*1\r\n$4\r\nPING\r\n",
        b"*2\r\n$6\r\nNOBODY\r\n$1\r\na\r\n",
        b"*1\r\n$4\r\nEXEC\r\n",
        b"*1\r\n$5\r\nMULTI\r\n",
        b"*1\r\n$5\r\nMULTI\r\n*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nEXEC\r\n",
        b"*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n",
        b"*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n\0\0",
        b"*2\r\n$3\r\nSET\r\n$1\r\na\r\n",
        b"*2\r\n$7\r\nHPERSIST\r\n$1\r\na\r\n",
        b"*2\r\n$-4\r\nINCR\r\n$1\r\na\r\n",
        b"*1\r\n$6\r\nXGROUP\r\n",
        b"*1\r\n$7\r\nDISCARD\r\n",
        b"*1\r\n$5\r\nMULTI\r\n*1\r\n$7\r\nDISCARD\r\n",
        b"*1\r\n$5\r\nMULTI\r\n*1\r\n$7\r\nDISCARD\r\n*1\r\n$4\r\nEXEC\r\n",
        b"*\0",
    ];
    each_server(|kind| {
        for tail in tails {
            agree(kind, &[sound(kind).as_slice(), tail].concat());
        }
        // Zeros behind a torn header: from a number on that differs they are no end of the file.
        for torn in ["*", "*1", "*1\r\n$", "*1\r\n$4"] {
            for zeros in [
                20, 122, 125, 126, 127, 128, 130, 1018, 1021, 1022, 1023, 1024, 1026,
            ] {
                let tail = [torn.as_bytes(), &vec![0; zeros]].concat();
                agree(kind, &[sound(kind).as_slice(), &tail].concat());
            }
        }
    });
}
