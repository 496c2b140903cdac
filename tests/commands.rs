//! The command table against real servers: what they say of their commands, and what they refuse.

mod support;

use redkit::command::{self, CommandSpec, Like, Resolved, ServerLine, Signature};
use redkit::record::target::Target;
use std::collections::{BTreeMap, BTreeSet};
use support::resp::{Client, Reply};
use support::server::{Server, ServerKind};

fn line(kind: ServerKind) -> ServerLine {
    match kind {
        ServerKind::Redis62 => ServerLine::Redis62,
        ServerKind::Redis70 => ServerLine::Redis70,
        ServerKind::Redis82 => ServerLine::Redis82,
        ServerKind::Valkey81 => ServerLine::Valkey81,
        ServerKind::Valkey91 => ServerLine::Valkey91,
    }
}

/// Name to arity, key positions and flags.
type Commands = BTreeMap<String, ([i64; 4], BTreeSet<String>)>;

fn collect_answer(reply: Reply, to: &mut Commands) {
    for command in reply.array() {
        let mut parts = command.array().into_iter();
        let mut next = || parts.next().expect("a part of the answer");
        let name = next().text().to_lowercase();
        let arity = next().int();
        let flags = next().array().into_iter().map(Reply::text).collect();
        let numbers = [arity, next().int(), next().int(), next().int()];
        if !name.contains('.') {
            let before = to.insert(name.clone(), (numbers, flags));
            assert!(before.is_none(), "{name} is told twice");
        }
        // Categories, tips and key specifications, then the subcommands.
        if let Some(subcommands) = parts.nth(3) {
            collect_answer(subcommands, to);
        }
    }
}

fn collect_table(specs: &[CommandSpec], line: ServerLine, to: &mut Commands) {
    for spec in specs {
        if let Some(said) = spec.said_by(line) {
            let numbers = [said.arity, said.first_key, said.last_key, said.step].map(i64::from);
            let flags = said.flags.iter().map(|flag| flag.name().to_owned());
            to.insert(spec.name().to_owned(), (numbers, flags.collect()));
        }
        collect_table(spec.subcommands(), line, to);
    }
}

#[test]
fn the_table_is_what_the_servers_say() {
    for kind in ServerKind::usable() {
        let server = Server::start(kind, &[]);
        let mut of_server = Commands::new();
        collect_answer(cmd!(server.client(), "COMMAND"), &mut of_server);
        let mut of_table = Commands::new();
        collect_table(command::all(), line(kind), &mut of_table);
        assert!(of_server.len() > 200, "{kind}: {}", of_server.len());
        for (name, said) in &of_server {
            assert_eq!(of_table.get(name), Some(said), "{kind}: {name}");
        }
        for name in of_table.keys() {
            assert!(of_server.contains_key(name), "{kind} has no {name}");
        }
    }
}

fn collect_since(reply: Reply, to: &mut BTreeMap<String, String>) {
    let mut items = reply.array().into_iter();
    while let (Some(name), Some(fields)) = (items.next(), items.next()) {
        let name = name.text().to_lowercase();
        let mut fields = fields.array().into_iter();
        while let (Some(field), Some(value)) = (fields.next(), fields.next()) {
            match field.text().as_str() {
                "since" => {
                    to.insert(name.clone(), value.text());
                }
                "subcommands" => collect_since(value, to),
                _ => {}
            }
        }
    }
}

#[test]
fn the_versions_that_commands_came_with_are_what_the_servers_say() {
    for kind in ServerKind::usable() {
        if kind == ServerKind::Redis62 {
            // It has no COMMAND DOCS.
            continue;
        }
        let server = Server::start(kind, &[]);
        let mut since = BTreeMap::new();
        collect_since(cmd!(server.client(), "COMMAND", "DOCS"), &mut since);
        let commands = command::all();
        let below = commands.iter().flat_map(CommandSpec::subcommands);
        for spec in commands.iter().chain(below) {
            let name = spec.name();
            // The built-in module does not say.
            if let (Some(said), Some(own)) = (spec.said_by(line(kind)), since.get(name)) {
                let told = said.since.map(|since| since.to_string());
                assert_eq!(told.as_ref(), Some(own), "{kind}: {name}");
            }
        }
    }
}

/// What a server does with commands that it queues in a transaction: it checks the name and the
/// number of arguments, and executes nothing.
struct Queue {
    client: Client,
    kind: ServerKind,
}

impl Queue {
    fn new(server: &Server) -> Queue {
        let mut client = server.client();
        cmd!(client, "MULTI").ok();
        Queue {
            client,
            kind: server.kind(),
        }
    }

    #[track_caller]
    fn holds(&mut self, words: &[String], arity_ok: bool, name: &str) {
        let arguments: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
        let reply = self.client.cmd(&arguments);
        let own = match self.kind {
            // It names what the client wrote, which is in lower case here.
            ServerKind::Redis62 => words[0].as_str(),
            _ => name,
        };
        let refusal = format!("ERR wrong number of arguments for '{own}' command");
        let what = format!("{}: {words:?}", self.kind);
        match (arity_ok, reply) {
            (false, reply) => assert_eq!(reply.error(), refusal, "{what}"),
            (true, Reply::Error(error)) => {
                // Some are never queued; that is told behind the check of the arguments.
                let error = String::from_utf8_lossy(&error).into_owned();
                let late = error.ends_with(" not allowed inside a transaction");
                assert!(late, "{what}: {error}");
            }
            (true, reply) => assert_eq!(reply.text(), "QUEUED", "{what}"),
        }
    }
}

/// Executed at once, not queued; or answered before their arguments are counted.
const NOT_QUEUED: &[&str] = &["exec", "discard", "multi", "watch", "quit", "reset"];

#[test]
fn a_number_of_arguments_is_refused_where_the_table_says_so() {
    for kind in ServerKind::usable() {
        // Else MODULE is refused in words of its own.
        let modules = ["--enable-module-command", "yes"];
        let server = match kind {
            ServerKind::Redis62 => Server::start(kind, &[]),
            _ => Server::start(kind, &modules),
        };
        let mut queue = Queue::new(&server);
        let like = Like::from(line(kind));
        let mut refused = 0;
        let mut check = |words: &[&str], name: &str, signature: &Signature| {
            for more in 0..9 {
                let mut words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
                words.extend((0..more).map(|n| n.to_string()));
                let argc = u64::try_from(words.len()).expect("it is small");
                let arity_ok = signature.accepts(argc);
                queue.holds(&words, arity_ok, name);
                refused += u32::from(!arity_ok);
            }
        };
        for spec in command::all() {
            let own = spec.on(like);
            let Some(own) = own.filter(|_| !NOT_QUEUED.contains(&spec.name())) else {
                continue;
            };
            let below = spec.subcommands().iter();
            let below: Vec<_> = below.filter_map(|one| Some((one, one.on(like)?))).collect();
            if below.is_empty() {
                check(&[spec.name()], spec.name(), own);
            }
            for (subcommand, signature) in below {
                let (container, second) = subcommand.name().split_once('|').expect("a container");
                check(&[container, second], subcommand.name(), signature);
            }
        }
        assert!(refused > 500, "{kind}: {refused}");
        cmd!(queue.client, "DISCARD").ok();
    }
}

#[test]
fn a_name_is_unknown_where_the_table_says_so() {
    for kind in ServerKind::usable() {
        let server = Server::start(kind, &[]);
        let mut client = server.client();
        cmd!(client, "MULTI").ok();
        let like = Like::from(line(kind));
        let mut unknown = [0, 0];
        let specs = command::all().iter();
        for spec in specs.filter(|spec| !NOT_QUEUED.contains(&spec.name())) {
            // 6.2 would end the connection, and later ones do so before they look.
            if ["post", "host:"].contains(&spec.name()) {
                continue;
            }
            let below = spec.subcommands().iter();
            let seconds = below.filter_map(|one| one.name().split('|').nth(1));
            for second in seconds.chain(["none"]) {
                let reply = cmd!(client, spec.name(), second);
                let error = match reply {
                    Reply::Error(error) => String::from_utf8_lossy(&error).to_lowercase(),
                    _ => String::new(),
                };
                let starts = match spec.resolve(Some(second.as_bytes()), like) {
                    Resolved::UnknownCommand => {
                        unknown[0] += 1;
                        "err unknown command"
                    }
                    Resolved::UnknownSubcommand => {
                        unknown[1] += 1;
                        "err unknown subcommand"
                    }
                    Resolved::Known(..) => {
                        assert!(!error.contains("unknown"), "{kind}: {error}");
                        continue;
                    }
                };
                assert!(
                    error.starts_with(starts),
                    "{kind}: {} {second} is answered {error:?}",
                    spec.name()
                );
            }
        }
        assert!(unknown[0] > 5, "{kind}: {unknown:?}");
        assert_eq!(unknown[1] > 10, kind != ServerKind::Redis62, "{unknown:?}");
        let below = cmd!(client, "config|set", "a", "b").error();
        assert!(
            below.to_lowercase().starts_with("err unknown command"),
            "{kind}: {below}"
        );
    }
}

#[test]
fn every_target_can_be_judged_for() {
    for target in Target::ALL {
        let like: Like = target.name.parse().expect(target.name);
        assert_eq!(like.to_string(), target.name);
        assert!(command::lookup(b"set").is_some_and(|set| set.is_write_on(like)));
    }
    for kind in ServerKind::ALL {
        let id = kind.id();
        let like: Like = id.parse().expect(id);
        assert_eq!(like.line(), line(kind));
        assert!(like.is_sampled());
    }
}
