//! What happens in Redis at once: scripts, called by their hashes.

use redis::{Arg, Cmd, Script, ToRedisArgs};
use std::sync::LazyLock;

pub(crate) static FIND: LazyLock<Source> = LazyLock::new(|| Source::new(include_str!("find.lua")));
pub(crate) static RELEASE: LazyLock<Source> =
    LazyLock::new(|| Source::new(include_str!("release.lua")));
pub(crate) static OPEN: LazyLock<Source> = LazyLock::new(|| Source::new(include_str!("open.lua")));
pub(crate) static DROP: LazyLock<Source> = LazyLock::new(|| Source::new(include_str!("drop.lua")));
pub(crate) static READ: LazyLock<Source> = LazyLock::new(|| Source::new(include_str!("read.lua")));

/// A script and its hash.
pub(crate) struct Source {
    code: &'static str,
    script: Script,
}

impl Source {
    fn new(code: &'static str) -> Self {
        Self {
            code,
            script: Script::new(code),
        }
    }
}

/// A call of a script on some keys; arguments are added to it.
pub(crate) struct Call {
    source: &'static Source,
    by_hash: Cmd,
}

impl Call {
    pub(crate) fn new(source: &'static Source, keys: &[&str]) -> Self {
        let mut by_hash = Cmd::new();
        by_hash
            .arg("EVALSHA")
            .arg(source.script.get_hash())
            .arg(keys.len());
        for key in keys {
            by_hash.arg(*key);
        }
        Self { source, by_hash }
    }

    pub(crate) fn arg(mut self, argument: impl ToRedisArgs) -> Self {
        self.by_hash.arg(argument);
        self
    }

    /// The call for a server that knows the script.
    pub(crate) fn by_hash(&self) -> &Cmd {
        &self.by_hash
    }

    /// The call for one that does not; it does from then on.
    pub(crate) fn by_source(&self) -> Cmd {
        let mut by_source = Cmd::new();
        by_source.arg("EVAL").arg(self.source.code);
        for argument in self.by_hash.args_iter().skip(2) {
            if let Arg::Simple(argument) = argument {
                by_source.arg(argument);
            }
        }
        by_source
    }
}
