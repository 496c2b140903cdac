//! Real servers for the tests, each with its own folder and unix socket, always stopped.
//!
//! `tests/run` fetches them; `cargo test` alone passes without any. A test asks for
//! [`ServerKind::usable`] and runs once for each.

use super::resp::{Client, Reply};
use super::{TempFolder, starting};
use crate::cmd;
use std::fmt;
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take until it answers, loading its files included.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long a server may take to end after SHUTDOWN.
const STOP_LIMIT: Duration = Duration::from_secs(60);
/// `$1` is the process group, `$2` the folder. Told `keep`, it leaves the folder to its owner.
const WATCHDOG: &str = r#"
read -r word
kill -s KILL -- "-$1"
[ "$word" = keep ] || rm -rf -- "$2" || { sleep 1; rm -rf -- "$2"; }
"#;
const PAUSE: Duration = Duration::from_millis(5);

/// The two families of servers, which differ in some opcodes and in what they call themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Family {
    Redis,
    Valkey,
}

/// A server that `tests/servers.lock` pins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ServerKind {
    Redis62,
    Redis70,
    Redis82,
    Valkey81,
    Valkey91,
}

impl ServerKind {
    pub(crate) const ALL: [ServerKind; 5] = [
        ServerKind::Redis62,
        ServerKind::Redis70,
        ServerKind::Redis82,
        ServerKind::Valkey81,
        ServerKind::Valkey91,
    ];

    /// Those that are here. The others are skipped, which is printed, or fail the test when
    /// `REDKIT_REQUIRE_SERVERS` asks for them.
    #[track_caller]
    pub(crate) fn usable() -> Vec<ServerKind> {
        Self::usable_of(&Self::ALL)
    }

    /// The same for some of them.
    #[track_caller]
    pub(crate) fn usable_of(kinds: &[ServerKind]) -> Vec<ServerKind> {
        kinds
            .iter()
            .copied()
            .filter(|kind| kind.is_usable())
            .collect()
    }

    /// Whether it is here. If not, says that it is skipped, or fails the test when it is required.
    #[track_caller]
    pub(crate) fn is_usable(self) -> bool {
        if Server::available(self).is_some() {
            return true;
        }
        assert!(
            !is_required(
                self,
                &std::env::var("REDKIT_REQUIRE_SERVERS").unwrap_or_default()
            ),
            "REDKIT_REQUIRE_SERVERS asks for {self}, which is not in {:?}; tests/run fetches it",
            servers_folder()
        );
        println!("skipped: no server {self}");
        false
    }

    /// Its name in `tests/servers.lock` and in the cache.
    pub(crate) fn id(self) -> &'static str {
        match self {
            ServerKind::Redis62 => "redis-6.2.5",
            ServerKind::Redis70 => "redis-7.0.15",
            ServerKind::Redis82 => "redis-8.2.3",
            ServerKind::Valkey81 => "valkey-8.1.8",
            ServerKind::Valkey91 => "valkey-9.1.2",
        }
    }

    pub(crate) fn family(self) -> Family {
        match self {
            ServerKind::Redis62 | ServerKind::Redis70 | ServerKind::Redis82 => Family::Redis,
            ServerKind::Valkey81 | ServerKind::Valkey91 => Family::Valkey,
        }
    }

    /// The version that it says it has, such as `8.2.3`.
    pub(crate) fn version(self) -> &'static str {
        match self {
            ServerKind::Redis62 => "6.2.5",
            ServerKind::Redis70 => "7.0.15",
            ServerKind::Redis82 => "8.2.3",
            ServerKind::Valkey81 => "8.1.8",
            ServerKind::Valkey91 => "9.1.2",
        }
    }

    /// The first nine bytes of the RDB files that it writes.
    pub(crate) fn rdb_magic(self) -> &'static [u8; 9] {
        match self {
            ServerKind::Redis62 => b"REDIS0009",
            ServerKind::Redis70 => b"REDIS0010",
            ServerKind::Redis82 => b"REDIS0012",
            ServerKind::Valkey81 => b"REDIS0011",
            ServerKind::Valkey91 => b"VALKEY080",
        }
    }

    /// The version number in that magic.
    pub(crate) fn rdb_version(self) -> u32 {
        match self {
            ServerKind::Redis62 => 9,
            ServerKind::Redis70 => 10,
            ServerKind::Redis82 => 12,
            ServerKind::Valkey81 => 11,
            ServerKind::Valkey91 => 80,
        }
    }

    /// FUNCTION LOAD and the function opcodes of RDB.
    pub(crate) fn has_functions(self) -> bool {
        self != ServerKind::Redis62
    }

    /// Expiry of single hash fields (HPEXPIRE, HSETEX).
    pub(crate) fn has_field_ttl(self) -> bool {
        matches!(self, ServerKind::Redis82 | ServerKind::Valkey91)
    }

    /// Small hashes, sorted sets and list nodes are listpacks, not ziplists.
    pub(crate) fn has_listpacks(self) -> bool {
        self != ServerKind::Redis62
    }

    /// Small sets of strings are listpacks, not hash tables.
    pub(crate) fn has_set_listpacks(self) -> bool {
        !matches!(self, ServerKind::Redis62 | ServerKind::Redis70)
    }

    /// Streams count entries ever added and know their first and largest deleted id.
    pub(crate) fn has_stream_counters(self) -> bool {
        self != ServerKind::Redis62
    }

    /// A folder of AOF files with a manifest, not one file.
    pub(crate) fn has_multi_part_aof(self) -> bool {
        self != ServerKind::Redis62
    }

    /// Vector sets (VADD), a module that is built in.
    pub(crate) fn has_vector_sets(self) -> bool {
        self == ServerKind::Redis82
    }

    /// DEBUG and the like must be switched on by a configuration line.
    fn has_debug_switch(self) -> bool {
        self != ServerKind::Redis62
    }

    /// Its official checker: `what` is `rdb` or `aof`.
    #[track_caller]
    pub(crate) fn checker(self, what: &str) -> PathBuf {
        let family = match self.family() {
            Family::Redis => "redis",
            Family::Valkey => "valkey",
        };
        self.folder().join(format!("{family}-check-{what}"))
    }

    #[track_caller]
    fn folder(self) -> PathBuf {
        match Server::available(self) {
            Some(folder) => folder,
            None => panic!("{self} is not here: ask ServerKind::usable first"),
        }
    }
}

impl fmt::Display for ServerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// Whether the value of `REDKIT_REQUIRE_SERVERS` asks for this server: `1` for all, or ids
/// apart by commas.
pub(crate) fn is_required(kind: ServerKind, value: &str) -> bool {
    match value {
        "" | "0" => false,
        "1" => true,
        ids => ids.split(',').any(|id| {
            let known = ServerKind::ALL.iter().any(|kind| kind.id() == id);
            assert!(known, "REDKIT_REQUIRE_SERVERS: no server is called {id:?}");
            id == kind.id()
        }),
    }
}

/// Where `tests/run` puts the servers: `REDKIT_SERVERS`, else the user's cache.
fn servers_folder() -> Option<PathBuf> {
    let path = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    path("REDKIT_SERVERS").or_else(|| {
        let cache = path("REDKIT_CACHE")
            .or_else(|| path("XDG_CACHE_HOME").map(|cache| cache.join("redkit")))
            .or_else(|| path("HOME").map(|home| home.join(".cache/redkit")))?;
        Some(cache.join("servers"))
    })
}

/// Why a server did not come up.
#[derive(Debug)]
pub(crate) struct StartError {
    /// How it ended; `None` when it still had not answered at the limit and was killed.
    pub(crate) status: Option<ExitStatus>,
    /// What it wrote to its log.
    pub(crate) log: String,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "the server ended with {status}")?,
            None => f.write_str("the server did not answer in time")?,
        }
        write!(f, "; its log:\n{}", self.log)
    }
}

/// A running server. Dropping it kills it and removes its folder.
pub(crate) struct Server {
    // Dropped in this order: the process ends before its folder goes.
    process: Process,
    folder: TempFolder,
    kind: ServerKind,
}

impl Server {
    /// The folder with its binary and checkers, when it is here.
    pub(crate) fn available(kind: ServerKind) -> Option<PathBuf> {
        let folder = servers_folder()?.join(kind.id());
        folder.join("server").is_file().then_some(folder)
    }

    /// An empty server; `extra` are further words of its command line, such as
    /// `["--maxmemory-policy", "allkeys-lfu"]`.
    #[track_caller]
    pub(crate) fn start(kind: ServerKind, extra: &[&str]) -> Server {
        match Self::start_prepared(kind, extra, START_LIMIT, |_| ()) {
            Ok(server) => server,
            Err(error) => panic!("{kind}: {error}"),
        }
    }

    /// A server that loads a copy of this file; `Err` when it refuses to start.
    pub(crate) fn start_with_rdb(
        kind: ServerKind,
        rdb: &Path,
        extra: &[&str],
    ) -> Result<Server, StartError> {
        Self::start_prepared(kind, extra, START_LIMIT, |folder| {
            if let Err(error) = fs::copy(rdb, folder.join("dump.rdb")) {
                panic!("cannot copy {}: {error}", rdb.display());
            }
        })
    }

    /// A server whose folder `prepare` fills before it starts (`dump.rdb`, `appendonlydir`, ...).
    /// `Err` when it ends instead of answering, or has not answered at the limit.
    #[track_caller]
    pub(crate) fn start_prepared(
        kind: ServerKind,
        extra: &[&str],
        limit: Duration,
        prepare: impl FnOnce(&Path),
    ) -> Result<Server, StartError> {
        let folder = TempFolder::new();
        prepare(folder.path());
        let mut command = Command::new(kind.folder().join("server"));
        command
            .args(["--port", "0", "--daemonize", "no", "--save", ""])
            .args(["--appendonly", "no", "--dbfilename", "dump.rdb"])
            .arg("--dir")
            .arg(folder.path())
            .arg("--unixsocket")
            .arg(folder.path().join("s"))
            .arg("--logfile")
            .arg(folder.path().join("log"));
        if kind.has_debug_switch() {
            command
                .args(["--enable-debug-command", "yes"])
                .args(["--enable-protected-configs", "yes"]);
        }
        command.args(extra).current_dir(folder.path());
        let mut server = Server {
            process: Process::spawn(&mut command, folder.path()),
            folder,
            kind,
        };
        match server.wait_until_it_answers(limit) {
            Ok(()) => Ok(server),
            Err(status) => Err(StartError {
                status,
                log: server.log(),
            }),
        }
    }

    /// A cluster of this one server, which owns all slots and takes writes.
    #[track_caller]
    pub(crate) fn start_cluster(kind: ServerKind, extra: &[&str]) -> Server {
        // Another process may take the ports between the look and the start: some more tries.
        let mut last = String::new();
        for _ in 0..10 {
            let port = free_cluster_port().to_string();
            let mut words = vec!["--cluster-enabled", "yes", "--bind", "127.0.0.1"];
            words.extend(["--port", &port]);
            words.extend(extra);
            match Self::start_prepared(kind, &words, START_LIMIT, |_| ()) {
                Ok(server) => {
                    server.take_all_slots();
                    return server;
                }
                Err(error) => last = error.to_string(),
            }
        }
        panic!("{kind}, as a cluster: {last}")
    }

    pub(crate) fn kind(&self) -> ServerKind {
        self.kind
    }

    /// Its working folder, where it writes its files.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder().join("s")
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.server.id()
    }

    #[track_caller]
    pub(crate) fn client(&self) -> Client {
        match Client::connect(&self.socket()) {
            Ok(client) => client,
            Err(error) => panic!("{}: cannot connect: {error}\n{}", self.kind, self.log()),
        }
    }

    /// What it has written to its log.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(self.folder().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A field of INFO, such as `redis_version`.
    #[track_caller]
    pub(crate) fn info(&self, field: &str) -> Option<String> {
        let info = cmd!(self.client(), "INFO").text();
        info.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| *name == field)
            .map(|(_, value)| value.trim_end().to_owned())
    }

    /// SAVE; the path of the file that it wrote, in its folder.
    #[track_caller]
    pub(crate) fn save(&self) -> PathBuf {
        cmd!(self.client(), "SAVE").ok();
        self.folder().join("dump.rdb")
    }

    /// Ends it in order (SHUTDOWN NOSAVE, which still writes out an AOF). Its folder, with what it
    /// wrote, stays until the value is dropped.
    #[track_caller]
    pub(crate) fn shutdown(self) -> TempFolder {
        match self.client().try_cmd(&[b"SHUTDOWN", b"NOSAVE"]) {
            Ok(reply) => panic!("{}: SHUTDOWN answers {reply:?}", self.kind),
            // It does not answer: it closes the connection.
            Err(_) => {
                let Server {
                    mut process,
                    folder,
                    kind,
                } = self;
                let ended = process.ends_within(STOP_LIMIT);
                assert!(ended.is_some(), "{kind} does not end after SHUTDOWN");
                folder
            }
        }
    }

    fn wait_until_it_answers(&mut self, limit: Duration) -> Result<(), Option<ExitStatus>> {
        let end = Instant::now() + limit;
        let socket = self.socket();
        loop {
            if let Some(status) = self.process.ended() {
                return Err(Some(status));
            }
            // While it loads its files it answers -LOADING.
            let answer = Client::connect(&socket).and_then(|mut client| client.try_cmd(&[b"PING"]));
            if answer.is_ok_and(|reply| reply == Reply::Status(b"PONG".to_vec())) {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(None);
            }
            thread::sleep(PAUSE);
        }
    }

    #[track_caller]
    fn take_all_slots(&self) {
        let mut client = self.client();
        let slots: Vec<String> = (0..16384).map(|slot: u16| slot.to_string()).collect();
        let mut words: Vec<&[u8]> = vec![b"CLUSTER", b"ADDSLOTS"];
        words.extend(slots.iter().map(String::as_bytes));
        client.cmd(&words).ok();
        let end = Instant::now() + START_LIMIT;
        while !cmd!(client, "CLUSTER", "INFO")
            .text()
            .contains("cluster_state:ok")
        {
            assert!(
                Instant::now() < end,
                "{}: the cluster does not come up",
                self.kind
            );
            thread::sleep(PAUSE);
        }
    }
}

/// A port that is free, and so is the one of its cluster bus, 10,000 above.
fn free_cluster_port() -> u16 {
    loop {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port of the loopback");
        let high = listener.local_addr().expect("its address").port();
        // What the system gives is mostly high: take it for the bus.
        if let Some(port) = high.checked_sub(10_000).filter(|port| *port > 1024)
            && TcpListener::bind(("127.0.0.1", port)).is_ok()
        {
            return port;
        }
    }
}

/// The server's process group, and a watchdog that ends it.
///
/// A panic runs `Drop`; a kill, an abort or a value in a static does not. The watchdog is a shell
/// that reads from a pipe which only this process holds: when the process is gone, however it
/// went, the read ends, and the watchdog kills the server and removes its folder. It kills the
/// group, since a child that saves or rewrites would outlive the server and go on writing.
struct Process {
    server: Child,
    watchdog: Option<Child>,
}

impl Process {
    #[track_caller]
    fn spawn(command: &mut Command, folder: &Path) -> Process {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        let server = starting(|| command.spawn());
        let server = match server {
            Ok(server) => server,
            Err(error) => panic!("cannot run {:?}: {error}", command.get_program()),
        };
        let mut process = Process {
            server,
            watchdog: None,
        };
        let mut watchdog = Command::new("sh");
        watchdog
            .args(["-c", WATCHDOG, "sh"])
            .arg(process.server.id().to_string())
            .arg(folder)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Its own group: an interrupt from the terminal ends the tests, not the watchdog.
            .process_group(0);
        match starting(|| watchdog.spawn()) {
            Ok(watchdog) => process.watchdog = Some(watchdog),
            Err(error) => panic!("cannot run sh: {error}"),
        }
        process
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        self.server.try_wait().ok().flatten()
    }

    fn ends_within(&mut self, limit: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + limit;
        loop {
            let ended = self.ended();
            if ended.is_some() || Instant::now() > end {
                return ended;
            }
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A drop while panicking must not panic again: what fails here has ended already.
        let _ = self.server.kill();
        if let Some(watchdog) = &mut self.watchdog {
            if let Some(mut pipe) = watchdog.stdin.take() {
                let _ = pipe.write_all(b"keep\n");
            }
            // Before the server is waited for: until then its group's id is not given to another.
            let _ = watchdog.wait();
        }
        let _ = self.server.wait();
    }
}
