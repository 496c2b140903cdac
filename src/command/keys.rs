//! The keys of a command of a log: those of fixed position, and those that its arguments tell.

use super::{CommandSpec, Flag, ServerLine, Signature, lookup};

/// Puts the positions of the keys of a command into `at`, in rising order; `args` are its arguments
/// with the name. Of a command that no server knows, as a module's, the first argument is taken for
/// its key: nearly all of them are made so.
pub fn key_positions(args: &[&[u8]], at: &mut Vec<usize>) {
    at.clear();
    let Some(name) = args.first() else {
        return;
    };
    let Some(spec) = lookup(name) else {
        at.extend((args.len() > 1).then_some(1));
        return;
    };
    let Some(signature) = newest(spec, args.get(1).copied()) else {
        return;
    };
    let fixed = signature.keys(args.len() as u64);
    at.extend(fixed.filter_map(|position| usize::try_from(position).ok()));
    if signature.flags.has(Flag::MovableKeys) {
        movable(spec.name(), args, at);
    }
    at.retain(|&position| position < args.len());
    at.sort_unstable();
    at.dedup();
}

/// What the newest server that knows it says of a command or of its subcommand. Positions of keys
/// never changed.
fn newest<'s>(spec: &'s CommandSpec, second: Option<&[u8]>) -> Option<&'s Signature> {
    const NEWEST_FIRST: [ServerLine; 5] = [
        ServerLine::Redis82,
        ServerLine::Valkey91,
        ServerLine::Valkey81,
        ServerLine::Redis70,
        ServerLine::Redis62,
    ];
    let said = |spec: &'s CommandSpec| NEWEST_FIRST.iter().find_map(|line| spec.said_by(*line));
    let subcommand = second.and_then(|second| spec.subcommand(second));
    subcommand.and_then(said).or_else(|| said(spec))
}

fn movable(name: &str, args: &[&[u8]], at: &mut Vec<usize>) {
    match name {
        "eval" | "evalsha" | "eval_ro" | "evalsha_ro" | "fcall" | "fcall_ro" | "zunionstore"
        | "zinterstore" | "zdiffstore" | "blmpop" | "bzmpop" => counted(args, 2, 1, at),
        "lmpop" | "zmpop" | "sintercard" | "zintercard" | "zunion" | "zinter" | "zdiff" => {
            counted(args, 1, 1, at);
        }
        "msetex" => counted(args, 1, 2, at),
        "sort" | "georadius" | "georadiusbymember" => {
            // Further arguments may be words of the same sound; the last one counts, as in servers.
            let is_store = |arg: &[u8]| {
                arg.eq_ignore_ascii_case(b"store") || arg.eq_ignore_ascii_case(b"storedist")
            };
            let store = args.iter().rposition(|arg| is_store(arg));
            at.extend(store.filter(|store| *store > 1).map(|store| store + 1));
        }
        "xread" | "xreadgroup" => {
            let streams = args
                .iter()
                .position(|arg| arg.eq_ignore_ascii_case(b"streams"));
            if let Some(streams) = streams {
                let first = streams + 1;
                at.extend(first..first + (args.len() - first) / 2);
            }
        }
        "migrate" => {
            let keys = args
                .iter()
                .rposition(|arg| arg.eq_ignore_ascii_case(b"keys"));
            match keys {
                Some(keys) if keys > 4 => at.extend(keys + 1..args.len()),
                _ => at.push(3),
            }
        }
        _ => {}
    }
}

/// Keys whose number stands at a position, the first of them behind it.
fn counted(args: &[&[u8]], number: usize, step: usize, at: &mut Vec<usize>) {
    let count = args
        .get(number)
        .and_then(|text| std::str::from_utf8(text).ok())
        .and_then(|text| text.parse::<usize>().ok());
    let first = number + 1;
    let most = args.len().saturating_sub(first).div_ceil(step);
    let count = count.unwrap_or(0).min(most);
    at.extend((0..count).map(|n| first + n * step));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<&str> {
        let words: Vec<&str> = text.split(' ').collect();
        let args: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let mut at = Vec::new();
        key_positions(&args, &mut at);
        at.into_iter().map(|n| words[n]).collect()
    }

    #[test]
    fn keys_are_where_the_table_or_the_arguments_say() {
        for (text, expected) in [
            ("SET a 1", &["a"][..]),
            ("mset a 1 b 2", &["a", "b"]),
            ("DEL a b c", &["a", "b", "c"]),
            ("RENAME a b", &["a", "b"]),
            ("XGROUP CREATE s g 0", &["s"]),
            ("BITOP AND d a b", &["d", "a", "b"]),
            ("ZUNIONSTORE d 2 a b WEIGHTS 1 2", &["d", "a", "b"]),
            ("EVAL script 2 a b c", &["a", "b"]),
            ("FCALL f 0 a", &[]),
            ("MSETEX 2 a 1 b 2 PXAT 5", &["a", "b"]),
            ("SORT a BY nosort STORE d", &["a", "d"]),
            ("GEORADIUS a 1 2 3 m STORE d", &["a", "d"]),
            ("XREADGROUP GROUP g c STREAMS a b > >", &["a", "b"]),
            ("MIGRATE h 1 a 0 10", &["a"]),
            ("FLUSHALL", &[]),
            ("SELECT 1", &[]),
            ("JSON.SET doc $ 1", &["doc"]),
            ("MODULE.PING", &[]),
        ] {
            assert_eq!(keys(text), expected, "{text}");
        }
    }

    #[test]
    fn numbers_of_keys_that_are_not_there_are_no_keys() {
        assert_eq!(keys("ZUNIONSTORE d 99 a"), ["d", "a"]);
        assert_eq!(keys("EVAL script x a"), [""; 0]);
        assert_eq!(keys("EVAL script"), [""; 0]);
        assert_eq!(keys("EVAL script 18446744073709551615 a"), ["a"]);
        assert_eq!(keys("SORT a STORE"), ["a"]);
        assert_eq!(keys("XREADGROUP GROUP g c STREAMS"), [""; 0]);
    }
}
