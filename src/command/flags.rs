//! What kind of command it is, in the servers' words.

use std::fmt;

macro_rules! flags {
    ($($(#[$doc:meta])* $flag:ident = $name:literal,)*) => {
        /// A flag of `COMMAND`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Flag {
            $($(#[$doc])* $flag,)*
        }

        impl Flag {
            /// Every flag that a server of the table uses, sorted by name.
            pub const ALL: &'static [Flag] = &[$(Flag::$flag,)*];

            /// As servers write it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Flag::$flag => $name,)*
                }
            }
        }
    };
}

flags! {
    /// For those who run the server.
    Admin = "admin",
    /// Also while a script runs too long.
    AllowBusy = "allow_busy",
    /// Takes a slot that is being imported, without ASKING before it.
    Asking = "asking",
    /// May wait.
    Blocking = "blocking",
    /// Refused when memory is short.
    DenyOom = "denyoom",
    /// Takes constant or logarithmic time.
    Fast = "fast",
    /// Also while the server loads its files.
    Loading = "loading",
    /// Writes nothing itself, and may lead to something logged (6.2: EVAL, PFCOUNT, PUBLISH).
    MayReplicate = "may_replicate",
    /// Comes from a module, built in or not.
    Module = "module",
    /// Has keys that the positions do not tell.
    MovableKeys = "movablekeys",
    /// Not while a replica loads beside its old data.
    NoAsyncLoading = "no_async_loading",
    /// Without AUTH.
    NoAuth = "no_auth",
    /// May have no key at all.
    NoMandatoryKeys = "no_mandatory_keys",
    /// Not within MULTI.
    NoMulti = "no_multi",
    /// Not in scripts.
    NoScript = "noscript",
    /// Of publishing and subscribing.
    PubSub = "pubsub",
    /// Its answer depends on chance or time (6.2).
    Random = "random",
    /// Reads keys, changes none.
    ReadOnly = "readonly",
    /// Left out of the command log (Valkey's name for the slow log).
    SkipCommandLog = "skip_commandlog",
    /// Not shown by MONITOR.
    SkipMonitor = "skip_monitor",
    /// Left out of the slow log.
    SkipSlowLog = "skip_slowlog",
    /// Its answer is sorted for scripts (6.2).
    SortForScript = "sort_for_script",
    /// Also on a replica whose data is old.
    Stale = "stale",
    /// May change keys.
    Write = "write",
}

impl Flag {
    /// The flag of this name.
    pub fn from_name(name: &str) -> Option<Flag> {
        Flag::ALL.iter().copied().find(|flag| flag.name() == name)
    }
}

/// A set of flags. Shown as the table has it: sorted, apart by commas, `-` when empty.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flags(u32);

impl Flags {
    /// Whether this one is in it.
    #[inline]
    pub fn has(self, flag: Flag) -> bool {
        self.0 & (1 << flag as u32) != 0
    }

    /// The flags in it, sorted by name.
    pub fn iter(self) -> impl Iterator<Item = Flag> {
        let flags = Flag::ALL.iter().copied();
        flags.filter(move |flag| self.has(*flag))
    }
}

impl FromIterator<Flag> for Flags {
    fn from_iter<I: IntoIterator<Item = Flag>>(flags: I) -> Flags {
        let bits = flags.into_iter().map(|flag| 1 << flag as u32);
        Flags(bits.fold(0, |all, bit| all | bit))
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Flags::default() {
            return f.write_str("-");
        }
        for (i, flag) in self.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { "," })?;
            f.write_str(flag.name())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
