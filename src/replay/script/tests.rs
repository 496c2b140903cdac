use crate::keyspace::{Keyspace, Rules};
use crate::replay::{self, Context, Memory, Outcome, Reason, Reply, Scripts};

/// A server that scripts run on.
struct World {
    keyspace: Keyspace,
    scripts: Scripts,
    memory: Memory,
    db: u32,
}

impl World {
    fn new(like: &str) -> World {
        World {
            keyspace: Keyspace::new(Rules::new(like.parse().unwrap(), None), 1),
            scripts: Scripts::default(),
            memory: Memory::new(u64::MAX),
            db: 0,
        }
    }

    fn call(&mut self, args: &[&[u8]]) -> Outcome {
        let (rules, shards, functions) = self.keyspace.split();
        let mut cx = Context::new(rules, shards, &self.memory);
        cx.db = self.db;
        cx.wants_reply = true;
        cx.functions = Some(functions);
        cx.scripts = Some(&mut self.scripts);
        let outcome = replay::call(&mut cx, args);
        assert!(cx.wants_reply && cx.scripts.is_some());
        self.db = cx.db;
        outcome
    }

    fn eval(&mut self, script: &str) -> Outcome {
        self.call(&[b"EVAL", script.as_bytes(), b"0"])
    }

    fn text(&mut self, script: &str) -> String {
        match self.eval(script).unwrap() {
            Reply::Bulk(text) => String::from_utf8(text).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn error(&mut self, script: &str) -> String {
        match self.eval(script).unwrap_err().reason() {
            Reason::Error(text) => text.to_string(),
            other => panic!("{other:?}"),
        }
    }

    fn unplayable(&mut self, script: &str) -> String {
        match self.eval(script).unwrap_err().reason() {
            Reason::Unplayable(why) => why.clone(),
            other => panic!("{other:?}"),
        }
    }
}

const ALL: [&str; 5] = [
    "redis-6.2",
    "redis-7.0",
    "redis-8.2",
    "valkey-8.1",
    "valkey-9.1",
];

#[test]
fn scripts_that_never_end_are_given_up_whatever_they_catch() {
    for script in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local function f() pcall(f) pcall(f) end f()",
        "while true do xpcall(function() while true do end end, function(e) return e end) end",
        "while true do local co = coroutine.create(function() while true do end end) \
         coroutine.resume(co) end",
        "local f = function() while true do end end while true do load(f) end",
        "repeat until string.find(string.rep('a', 5000), string.rep('a*', 30) .. 'b')",
        "return string.rep('x', 300 * 1024 * 1024)",
        "local t = {} while true do t[#t + 1] = {} end",
        "local s = 'x' while true do s = s .. s end",
        "local s = string.rep('x', 1000000) local t = {} \
         while true do pcall(function() t[#t + 1] = s .. #t end) end",
        "local t = {} for i = 1, 30 do t = {t, t} end return cjson.encode(t)",
        "local t = {} for i = 1, 40 do t = {t, t} end return t",
        "local t = {} for i = 1, 12 do local u = {} for j = 1, 9 do u[j] = t end t = u end \
         return cmsgpack.pack(t)",
        "return string.find(string.rep('a', 100000), string.rep('a?', 100000))",
    ] {
        let mut world = World::new("redis-7.0");
        world.unplayable(script);
        assert_eq!(world.eval("return 1"), Ok(Reply::Int(1)), "behind {script}");
    }
}

#[test]
fn deep_and_odd_scripts_are_errors() {
    for like in ALL {
        let mut world = World::new(like);
        for script in [
            "local function f() return 1 + f() end return f()".to_owned(),
            "local t = {} t[1] = t return cjson.encode(t)".to_owned(),
            "return cjson.decode(string.rep('[', 100000))".to_owned(),
            "return cmsgpack.unpack(string.rep('\\145', 100000))".to_owned(),
            "return unpack({}, 1, 1e8)".to_owned(),
            "local s = '' for i = 1, 300 do s = s .. '(' end return loadstring(s)()".to_owned(),
            "return (string.gsub('x', 'x', string.rep('%1', 10) .. '%9'))".to_owned(),
            format!("return {}1{}", "(".repeat(5000), ")".repeat(5000)),
            format!("return {}", "{".repeat(100_000)),
            "local f = string.dump and loadstring('\\27Lua') return f()".to_owned(),
            "string.format('%s')".to_owned(),
            "error(setmetatable({}, {__tostring = function() error('x') end, __index = error}))"
                .to_owned(),
        ] {
            let outcome = world.eval(&script);
            let reason = outcome.unwrap_err();
            let fine = matches!(reason.reason(), Reason::Error(_) | Reason::Crash(_));
            assert!(fine, "{like}: {script}: {reason}");
        }
        assert_eq!(world.eval("return 1"), Ok(Reply::Int(1)));
    }
}

#[test]
fn a_value_that_holds_itself_ends_in_an_error() {
    let mut world = World::new("redis-7.0");
    let mut reply = world.eval("local t = {} t[1] = t return t").unwrap();
    let mut depth = 0;
    while let Reply::Array(mut items) = reply {
        reply = items.pop().unwrap();
        depth += 1;
    }
    assert!(depth > 100 && matches!(reply, Reply::Error(_)));
    world
        .eval("local t = {} t[1] = t return cmsgpack.pack(t)")
        .unwrap();
}

#[test]
fn nothing_of_the_system_is_within_reach() {
    for like in ALL {
        let mut world = World::new(like);
        for name in [
            "io", "dofile", "loadfile", "require", "package", "module", "debug",
        ] {
            let script = format!("return {name}");
            assert!(
                world.error(&script).contains("nonexistent"),
                "{like} {name}"
            );
        }
        // Compiled code could be anything.
        let script = "local f, why = loadstring(string.dump(function() return 1 end)) \
                      return type(f)";
        assert_eq!(world.text(script), "nil", "{like}");
    }
}

#[test]
fn what_a_script_did_before_its_error_stays() {
    for like in ALL {
        let mut world = World::new(like);
        world.error("redis.call('append', 'k', 'before') error('boom')");
        assert_eq!(world.text("return redis.call('get', 'k')"), "before");
        world.error("redis.call('append', 'k', '+') return redis.error_reply('MY error')");
        assert_eq!(world.text("return redis.call('get', 'k')"), "before+");
    }
}

#[test]
fn a_selected_database_is_the_scripts_alone() {
    for like in ALL {
        let mut world = World::new(like);
        world.call(&[b"SELECT", b"2"]).unwrap();
        world.eval("redis.call('append', 'k', 'two') redis.call('select', 5) redis.call('append', 'k', 'five')")
            .unwrap();
        assert_eq!(world.db, 2);
        assert_eq!(world.text("return redis.call('get', 'k')"), "two");
        let script = "redis.call('select', 5) return redis.call('get', 'k')";
        assert_eq!(world.text(script), "five");
    }
}

#[test]
fn scripts_are_known_by_digest_in_any_case_until_they_are_flushed() {
    let mut world = World::new("redis-6.2");
    let digest = b"e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
    let missing = world.call(&[b"EVALSHA", digest, b"0"]).unwrap_err();
    assert!(missing.to_string().starts_with("NOSCRIPT"));
    world.eval("return 1").unwrap();
    let upper = digest.to_ascii_uppercase();
    assert_eq!(world.call(&[b"EVALSHA", &upper, b"0"]), Ok(Reply::Int(1)));
    world.call(&[b"SCRIPT", b"FLUSH"]).unwrap();
    world.call(&[b"EVALSHA", digest, b"0"]).unwrap_err();
    let loaded = world.call(&[b"SCRIPT", b"LOAD", b"return 1"]);
    assert_eq!(loaded, Ok(Reply::Bulk(digest.to_vec())));
    assert_eq!(world.call(&[b"EVALSHA", digest, b"0"]), Ok(Reply::Int(1)));
}

#[test]
fn more_scripts_than_are_kept_compiled() {
    for like in ["redis-6.2", "redis-7.0"] {
        let mut world = World::new(like);
        for n in 0..1200 {
            assert_eq!(world.eval(&format!("return {n}")), Ok(Reply::Int(n)));
        }
        assert_eq!(world.eval("return 7"), Ok(Reply::Int(7)), "{like}");
    }
}

#[test]
fn before_7_0_a_write_behind_chance_is_refused_in_a_verbatim_script() {
    let script = "redis.call('time') return redis.call('append', 'k', 'x')";
    let mut old = World::new("redis-6.2");
    old.keyspace.rules.now = Some(0);
    assert!(
        old.unplayable(script).contains("time"),
        "nobody knows the time"
    );
    let script = "redis.pcall('randomkey') return redis.call('append', 'k', 'x')";
    let text = "redis.replicate_commands() redis.pcall('randomkey') \
                return redis.call('append', 'k', 'x')";
    // Whether there is a handler for RANDOMKEY does not matter to this.
    let refused = World::new("redis-6.2").eval(script).unwrap_err();
    if let Reason::Error(text) = refused.reason() {
        assert!(text.contains("non deterministic"), "{text}");
    }
    let done = World::new("redis-6.2").eval(text);
    assert!(done.is_ok() || matches!(done.unwrap_err().reason(), Reason::Unplayable(_)));
}

#[test]
fn globals_of_old_servers_last_from_script_to_script() {
    let mut world = World::new("redis-6.2");
    world.eval("string.mine = 5 rawset(_G, 'mine', 6)").unwrap();
    assert_eq!(world.eval("return string.mine + mine"), Ok(Reply::Int(11)));
    let mut world = World::new("redis-7.0");
    assert!(world.error("string.mine = 5").contains("readonly"));
    assert!(world.error("rawset(_G, 'mine', 6)").contains("readonly"));
}

#[test]
fn random_numbers_are_those_of_the_servers() {
    let script = "return tostring(math.random())";
    let mut old = World::new("redis-6.2");
    assert_eq!(old.text(script), "0.17082803611217");
    assert_eq!(old.text(script), "0.17082803611217");
    let mut new = World::new("redis-7.0");
    assert_eq!(new.text(script), "0.39646477363839");
    assert_ne!(new.text(script), "0.39646477363839");
}

#[test]
fn answers_in_resp3_say_what_is_missing_as_nil() {
    let mut world = World::new("redis-6.2");
    let script = "return tostring(redis.call('get', 'nosuch'))";
    assert_eq!(world.text(script), "false");
    let script = format!("redis.setresp(3) {script}");
    assert_eq!(world.text(&script), "nil");
}

impl World {
    fn with_library(code: &str) -> World {
        let mut world = World::new("redis-8.2");
        let source = format!("#!lua name=lib\n{code}").into_bytes();
        world.keyspace.functions.insert(b"lib".to_vec(), source);
        world
    }

    fn fcall(&mut self, name: &str) -> Outcome {
        self.call(&[b"FCALL", name.as_bytes(), b"1", b"k", b"x"])
    }
}

#[test]
fn a_library_of_a_snapshot_is_loaded_when_it_is_called() {
    let code = "local n = 0 redis.register_function('f', function(k, a) n = n + 1 \
                return redis.call('append', k[1], a[1] .. n) end)";
    let mut world = World::with_library(code);
    assert_eq!(world.fcall("f"), Ok(Reply::Int(2)));
    assert_eq!(world.fcall("F"), Ok(Reply::Int(4)));
    assert_eq!(world.text("return redis.call('get', 'k')"), "x1x2");
    world.call(&[b"FUNCTION", b"DELETE", b"lib"]).unwrap();
    let error = world.fcall("f").unwrap_err();
    assert_eq!(error.to_string(), "ERR Function not found");
}

#[test]
fn a_library_that_never_ends_is_given_up_and_others_go_on() {
    let mut world = World::with_library(
        "redis.register_function('f', function() while true do end end) \
         redis.register_function('g', function() return 1 end)",
    );
    for _ in 0..2 {
        let why = world.fcall("f").unwrap_err();
        assert!(matches!(why.reason(), Reason::Unplayable(_)), "{why}");
        assert_eq!(world.fcall("g"), Ok(Reply::Int(1)));
    }
    let endless = b"#!lua name=other\nwhile true do end";
    let why = world.call(&[b"FUNCTION", b"LOAD", endless]).unwrap_err();
    assert!(matches!(why.reason(), Reason::Unplayable(_)), "{why}");
    assert!(!world.keyspace.functions.contains_key(&b"other"[..]));
    assert_eq!(world.fcall("g"), Ok(Reply::Int(1)));
}

#[test]
fn a_library_without_name_or_body_of_a_function_crashes_a_server() {
    let mut world = World::new("valkey-8.1");
    let source = b"#!lua name=lib\nredis.register_function{function_name='f'}";
    let why = world.call(&[b"FUNCTION", b"LOAD", source]).unwrap_err();
    assert!(matches!(why.reason(), Reason::Crash(_)), "{why}");
}

#[test]
fn what_chance_answers_does_not_matter_where_no_write_can_follow() {
    let mut old = World::new("redis-6.2");
    old.eval("redis.call('sadd', 'e', 'a', 'b')").unwrap();
    let script = "redis.call('append', 'k', 'v') \
                  for _ = 1, 9 do pcall(redis.call, 'srandmember', 'e') end \
                  redis.pcall('append', 'k', 'w') return 1";
    old.eval(script).unwrap();
    assert_eq!(old.text("return redis.call('get', 'k')"), "v");
    let why = old.unplayable("local m = redis.call('srandmember', 'e') return m");
    assert!(why.contains("chance"), "{why}");
    let effects = "redis.replicate_commands() redis.call('append', 'k', 'w') \
                   redis.call('append', 'k', redis.call('srandmember', 'e'))";
    old.unplayable(effects);
    assert_eq!(old.text("return redis.call('get', 'k')"), "vw");
}
