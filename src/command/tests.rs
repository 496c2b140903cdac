use std::collections::BTreeSet;

use super::table::{Key, Row, TEXT};
use super::*;

fn like(name: &str) -> Like {
    name.parse().expect(name)
}

#[track_caller]
fn command(name: &str) -> &'static CommandSpec {
    lookup(name.as_bytes()).expect(name)
}

fn names() -> Vec<&'static str> {
    all().iter().map(CommandSpec::name).collect()
}

/// Letters in turn large and small.
fn mixed(name: &str, first: usize) -> String {
    let letters = name.char_indices();
    letters
        .map(|(at, letter)| match (at + first).is_multiple_of(2) {
            true => letter.to_ascii_uppercase(),
            false => letter,
        })
        .collect()
}

#[test]
fn every_line_of_the_table_is_read_whole() {
    let mut lines = 0;
    let mut seen = BTreeSet::new();
    for line in TEXT.lines().filter(|line| !line.starts_with('#')) {
        let row = Row::of(line).expect(line);
        let Signature {
            arity,
            first_key,
            last_key,
            step,
            flags,
            ..
        } = row.signature;
        let again = format!(
            "{}\t{arity}\t{first_key}\t{last_key}\t{step}\t{flags}\t",
            row.name
        );
        assert!(line.starts_with(&again), "{line:?} is read as {again:?}");
        let columns: Vec<&str> = line.split('\t').collect();
        assert_eq!(columns.len(), 8, "{line}");
        match row.signature.since {
            Some(since) if columns[6] != "-" => assert_eq!(since.to_string(), columns[6]),
            since => assert_eq!(since.is_some(), flags.has(Flag::Module), "{line}"),
        }
        assert_eq!(row.lines().count(), columns[7].split(',').count(), "{line}");

        let spec = match row.name.split_once('|') {
            Some((container, name)) => command(container).subcommand(name.as_bytes()),
            None => lookup(row.name.as_bytes()),
        };
        for server in row.lines() {
            assert!(seen.insert((row.name, server)), "{line}: said twice");
            let said = spec.and_then(|spec| spec.said_by(server));
            assert_eq!(said, Some(&row.signature), "{line}");
        }
        lines += 1;
    }
    assert!(lines > 500);
    // And nothing besides.
    let of = |spec: &CommandSpec| spec.known_to().count();
    let own = all().iter().map(of).sum::<usize>();
    let below = all().iter().flat_map(CommandSpec::subcommands).map(of);
    assert_eq!(own + below.sum::<usize>(), seen.len());
}

#[test]
fn a_name_is_found_in_any_case() {
    for name in names() {
        assert_eq!(name, name.to_ascii_lowercase());
        let forms = [
            name.to_owned(),
            name.to_ascii_uppercase(),
            mixed(name, 0),
            mixed(name, 1),
        ];
        for form in forms {
            let found = lookup(form.as_bytes()).map(CommandSpec::name);
            assert_eq!(found, Some(name), "{form}");
        }
    }
}

/// One byte other, more or less; also two bytes changed for each other.
#[test]
fn nothing_that_is_almost_a_name_is_found() {
    let names: BTreeSet<Vec<u8>> = names().iter().map(|name| name.as_bytes().into()).collect();
    let mut tried = 0_u32;
    let mut check = |text: &[u8]| {
        let found = lookup(text).map(|spec| spec.name.as_bytes().to_vec());
        let expected = names.get(&text.to_ascii_lowercase()).cloned();
        assert_eq!(found, expected, "{}", text.escape_ascii());
        tried += 1;
    };
    for name in &names {
        for at in 0..name.len() {
            let mut other = name.clone();
            for byte in 0..=255 {
                other[at] = byte;
                check(&other);
            }
            let mut other = name.clone();
            other.remove(at);
            check(&other);
            check(&name[..at]);
            check(&name[at + 1..]);
            for byte in [0, b' ', b'|', b'x', b'\r', 0xff, name[at]] {
                let mut other = name.clone();
                other.insert(at, byte);
                check(&other);
            }
            let mut other = name.clone();
            other.swap(at, name.len() - 1 - at);
            check(&other);
        }
        for more in [&b"\0"[..], b"s", b"|get", b".x", &[b'e'; 40], name] {
            check(&[name, more].concat());
            check(&[more, name].concat());
        }
    }
    for text in ["", " ", "é", "config|set", "\u{212a}eys", "ſet", "DEL "] {
        check(text.as_bytes());
    }
    for len in 0..100 {
        check(&vec![b's'; len]);
        check(&vec![0xff; len]);
        check(&vec![0; len]);
    }
    assert!(tried > 100_000);
}

#[test]
fn the_longest_name_has_a_key() {
    let longest = names().into_iter().map(str::len).max();
    assert!(longest.is_some_and(|longest| longest <= Key::LONGEST));
}

#[test]
fn commands_stand_at_their_index() {
    for spec in all() {
        assert!(std::ptr::eq(&all()[spec.index()], spec));
        for (at, subcommand) in spec.subcommands().iter().enumerate() {
            assert_eq!(subcommand.index(), at);
            let (container, _) = subcommand.name().split_once('|').expect("a container");
            assert_eq!(container, spec.name());
        }
    }
    assert!(names().is_sorted());
}

#[test]
fn an_arity_is_exact_or_a_lower_bound() {
    let accepted = |arity| -> Vec<u64> {
        let signature = Signature {
            arity,
            ..*command("get").on(like("redis-7.0")).expect("it is known")
        };
        (0..5).filter(|argc| signature.accepts(*argc)).collect()
    };
    assert_eq!(accepted(2), [2]);
    assert_eq!(accepted(-2), [2, 3, 4]);
    assert_eq!(accepted(-1), [1, 2, 3, 4]);
    assert!(accepted(i8::MIN).is_empty());
}

#[test]
fn keys_are_where_the_positions_say() {
    let keys = |name: &str, argc| -> Vec<u64> {
        let signature = command(name).said_by(ServerLine::Redis82);
        signature.expect(name).keys(argc).collect()
    };
    assert_eq!(keys("get", 2), [1]);
    assert_eq!(keys("rename", 3), [1, 2]);
    assert_eq!(keys("del", 4), [1, 2, 3]);
    assert_eq!(keys("mset", 7), [1, 3, 5]);
    assert_eq!(keys("blpop", 4), [1, 2]);
    assert_eq!(keys("ping", 2), [0; 0]);
    // Fewer arguments than it wants.
    assert_eq!(keys("rename", 2), [1]);
    for name in names() {
        for argc in [0, 1] {
            for line in ServerLine::ALL {
                if let Some(signature) = command(name).said_by(line) {
                    assert_eq!(signature.keys(argc).count(), 0, "{name}");
                }
            }
        }
    }
}

#[test]
fn a_version_between_two_lines_knows_what_came_by_then() {
    let knowing = |name: &str| -> Vec<&str> {
        let versions = [
            "redis-5.0",
            "redis-6.0",
            "redis-6.2",
            "redis-7.0",
            "redis-7.2",
            "redis-7.4",
            "redis-8.0",
            "redis-8.2",
            "redis-8.4",
            "valkey-7.2",
            "valkey-8.0",
            "valkey-8.1",
            "valkey-9.0",
            "valkey-9.1",
            "valkey-10.0",
        ];
        let knows = |version: &&str| command(name).on(like(version)).is_some();
        versions.into_iter().filter(knows).collect()
    };
    let redis = ["redis-7.4", "redis-8.0", "redis-8.2", "redis-8.4"];
    let valkey = ["valkey-9.0", "valkey-9.1", "valkey-10.0"];
    assert_eq!(knowing("hpexpire"), [&redis[..], &valkey].concat());
    assert_eq!(knowing("vadd"), redis[1..]);
    assert_eq!(knowing("xackdel"), redis[2..]);
    assert_eq!(knowing("msetex"), valkey[1..]);
    assert_eq!(knowing("delifeq"), valkey);
    // Removed in 7.0.
    assert_eq!(knowing("stralgo"), ["redis-5.0", "redis-6.0", "redis-6.2"]);
    assert_eq!(knowing("set").len(), 15);
    assert_eq!(knowing("copy").len(), 13);

    // Patches count: RESET came with 6.2.0, LCS with 7.0.0, 2.8.13 is old.
    assert!(command("reset").on(like("redis-6.2.0")).is_some());
    assert!(command("lcs").on(like("redis-6.2.99")).is_none());
    assert!(command("hpexpire").on(like("redis-7.3.240")).is_none());
}

#[test]
fn what_both_lines_have_is_as_in_the_earlier_one() {
    let arities = ["redis-6.0", "redis-6.2.14", "redis-6.3", "redis-7.0"]
        .map(|name| command("pexpireat").arity_on(like(name)));
    assert_eq!(arities, [Some(3), Some(3), Some(3), Some(-3)]);
    assert!(command("pexpireat").is_write_on(like("redis-7.2")));
    assert!(!command("get").is_write_on(like("redis-7.2")));
    assert!(!command("hpexpire").is_write_on(like("redis-7.2")));
}

#[test]
fn names_of_servers_are_read_and_written_back() {
    for (name, line, next) in [
        ("redis-5.0", "redis-6.2", None),
        ("redis-6.2", "redis-6.2", None),
        ("redis-6.2.5", "redis-6.2", None),
        ("redis-7.2.4", "redis-7.0", Some("redis-8.2")),
        ("redis-8.0", "redis-7.0", Some("redis-8.2")),
        ("redis-8.2.3", "redis-8.2", None),
        ("redis-8.10", "redis-8.2", None),
        ("valkey-7.2", "valkey-8.1", None),
        ("valkey-8.1.8", "valkey-8.1", None),
        ("valkey-9.0", "valkey-8.1", Some("valkey-9.1")),
        ("valkey-9.1.2", "valkey-9.1", None),
    ] {
        let read = like(name);
        assert_eq!(read.to_string(), name);
        assert_eq!(read.line().name(), line, "{name}");
        assert_eq!(read.next_line().map(ServerLine::name), next, "{name}");
        assert_eq!(read.is_sampled(), name.starts_with(line), "{name}");
        assert_eq!(read.is_newer_than_known(), name == "redis-8.10", "{name}");
        assert_eq!(read.is_valkey(), name.starts_with("valkey"));
    }
    for line in ServerLine::ALL {
        assert_eq!(like(line.name()), Like::from(line));
    }
    for wrong in [
        "",
        "redis",
        "redis-",
        "redis-7",
        "redis-7.",
        "redis-7.0.",
        "redis-7.0.1.2",
        "redis-07.0",
        "redis-7.00",
        "redis-+7.0",
        "redis-256.0",
        "redis 7.0",
        "Redis-7.0",
        "keydb-6.3",
        "valkey-9.1-rc1",
        "7.0",
    ] {
        assert_eq!(wrong.parse::<Like>(), Err(NotAServer), "{wrong:?}");
    }
}

#[test]
fn a_subcommand_counts_where_the_server_has_subcommands() {
    let resolved = |name: &str, second: Option<&str>, on: &str| -> String {
        match command(name).resolve(second.map(str::as_bytes), like(on)) {
            Resolved::Known(name, signature) => format!("{name} {}", signature.arity),
            Resolved::UnknownCommand => "unknown".to_owned(),
            Resolved::UnknownSubcommand => "unknown subcommand".to_owned(),
        }
    };
    assert_eq!(
        resolved("config", Some("SET"), "redis-7.0"),
        "config|set -4"
    );
    assert_eq!(resolved("config", Some("SET"), "redis-6.2"), "config -2");
    assert_eq!(resolved("config", Some("none"), "redis-6.2"), "config -2");
    assert_eq!(
        resolved("config", Some("none"), "redis-7.0"),
        "unknown subcommand"
    );
    assert_eq!(
        resolved("config", Some("config|set"), "redis-7.0"),
        "unknown subcommand"
    );
    assert_eq!(resolved("config", None, "redis-7.0"), "config -2");
    assert_eq!(resolved("get", Some("set"), "redis-7.0"), "get 2");
    assert_eq!(resolved("function", Some("load"), "redis-6.2"), "unknown");
    // Since 7.2, so that 7.0 does not know it.
    let [before, after] = ["redis-7.0", "redis-7.2"];
    let name = Some("no-touch");
    assert_eq!(resolved("client", name, before), "unknown subcommand");
    assert_eq!(resolved("client", name, after), "client|no-touch 3");

    let create = command("xgroup")
        .subcommand(b"CrEaTe")
        .expect("it is there");
    assert!(create.is_write_on(like("redis-7.0")));
    assert!(!command("xgroup").is_write_on(like("redis-7.0")));
    assert!(command("xgroup").is_write_on(like("redis-6.2")));
}

#[test]
fn flags_are_told_in_the_servers_words() {
    assert!(Flag::ALL.iter().map(|flag| flag.name()).is_sorted());
    for &flag in Flag::ALL {
        assert_eq!(Flag::from_name(flag.name()), Some(flag));
        let one: Flags = [flag].into_iter().collect();
        assert_eq!(one.to_string(), flag.name());
        assert!(
            Flag::ALL
                .iter()
                .all(|other| one.has(*other) == (*other == flag))
        );
    }
    let none = Flags::default();
    assert_eq!(none.to_string(), "-");
    let two: Flags = [Flag::Write, Flag::DenyOom].into_iter().collect();
    assert_eq!(two.to_string(), "denyoom,write");
    assert_eq!(two.iter().collect::<Vec<_>>(), [Flag::DenyOom, Flag::Write]);
}
