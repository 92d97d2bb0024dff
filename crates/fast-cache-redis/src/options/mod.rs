//! What a store is told: plain data, to be filled from a URL or from the settings of somebody else's client.

mod url;

use fast_cache_core::purge::PathPattern;
use fast_cache_core::time::Timestamp;
use fast_cache_store::Limits;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use url::UrlError;

/// How a [`RedisStore`](crate::RedisStore) reaches Redis or Valkey, and what it does there.
#[derive(Clone)]
#[non_exhaustive]
pub struct RedisOptions {
    /// Where to begin: the server; the sentinels; or any nodes of the cluster.
    pub nodes: Vec<Node>,
    /// What stands there.
    pub kind: Kind,
    /// The user; without one, the server's default user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// The number of the database; a cluster has only 0.
    pub database: i64,
    /// Whether connections are encrypted, and whom they trust.
    pub tls: Option<Tls>,
    /// What the names of all keys begin with. Stores of one namespace share entries and drops.
    pub namespace: String,
    /// A secret beside the namespace, known to the applications and not to Redis: see [`RedisOptions::secret_bytes`].
    pub secret: Option<Vec<u8>>,
    /// How long a request may have to wait for Redis.
    pub timeout: Duration,
    /// When drops made elsewhere are known here.
    pub coherence: Coherence,
    /// How much the memory tier may hold.
    pub limits: Limits,
    /// Entries of at least this many bytes are compressed; `None`: none are.
    pub compress_from: Option<usize>,
    /// How long a node may take to make an answer that others wait for; after that, one of them makes it as well.
    pub lease: Duration,
    /// Makes a pattern that only the host can run from its identity, where another node dropped by one that is not
    /// registered here. Runs on the store's own thread and must not wait for anybody; where it gives none, such a drop
    /// covers everything.
    pub host_pattern: Option<HostPatterns>,
    /// The time of day, by which an entry is past its lifetime, so that one node at a time makes a new one. Without it, each
    /// node does.
    pub now: Option<Now>,
}

/// Tells the time.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// From the identity of a host's pattern to the pattern.
pub type HostPatterns = Arc<dyn Fn(&str) -> Option<PathPattern> + Send + Sync>;

/// The place of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A name or address, and a port.
    Tcp(String, u16),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// What stands at the nodes.
#[derive(Clone, PartialEq, Eq)]
pub enum Kind {
    /// One server, or several of which the first is used that can be reached.
    Single,
    /// Sentinels, which know where the server is.
    Sentinel {
        /// The name under which they watch it.
        master: String,
        /// The user for the sentinels themselves.
        username: Option<String>,
        /// The password for the sentinels themselves.
        password: Option<String>,
    },
    /// A cluster.
    Cluster,
}

/// Encryption.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Certificates to trust, as PEM; without any, the system's.
    pub roots: Option<Vec<u8>>,
    /// The certificate that this client shows, and its key, as PEM.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
}

/// When drops made by one node are known to the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coherence {
    /// Redis tells them: in a fraction of a millisecond as a rule. Where it cannot, the memory tier is left alone
    /// within [`MAX_SILENCE`](crate::MAX_SILENCE) and the timeout.
    #[default]
    Push,
    /// Each lookup asks Redis first: every drop that was over when the lookup began is known.
    Strict,
}

impl RedisOptions {
    /// One server, and the defaults.
    pub fn new(host: &str, port: u16) -> Self {
        Self::of_nodes(vec![Node::Tcp(host.to_owned(), port)])
    }

    fn of_nodes(nodes: Vec<Node>) -> Self {
        Self {
            nodes,
            kind: Kind::Single,
            username: None,
            password: None,
            database: 0,
            tls: None,
            namespace: "cache".to_owned(),
            secret: None,
            timeout: Duration::from_millis(50),
            coherence: Coherence::Push,
            limits: Limits {
                max_entries: 100_000,
                max_bytes: 64 << 20,
            },
            compress_from: Some(16 << 10),
            lease: Duration::from_secs(10),
            host_pattern: None,
            now: None,
        }
    }

    /// Reads a URL.
    ///
    /// | URL | what |
    /// |---|---|
    /// | `redis://user:password@host:6379/0` | one server |
    /// | `unix:///path/to/socket?db=0` | one server on this machine |
    /// | `redis+sentinel://user:password@host:26379,host:26379/name/0` | the server that sentinels watch as `name` |
    /// | `redis+cluster://user:password@host:6379,host:6379` | a cluster |
    ///
    /// With `rediss` in place of `redis`, connections are encrypted. What is special in user or password is written
    /// as `%40`.
    ///
    /// # Errors
    ///
    /// [`UrlError`] says what cannot be read.
    pub fn from_url(url: &str) -> Result<Self, UrlError> {
        url::parse(url)
    }

    /// The 48 bytes of which the secret of keys is made, the same on every node: from the namespace, and from
    /// [`secret`](Self::secret) where there is one. Without, whoever reads this and the keys in Redis can try
    /// credentials until one fits.
    pub fn secret_bytes(&self) -> [u8; 48] {
        let mut hasher = blake3::Hasher::new_derive_key(
            "fast-cache-middleware 2026 secret of a redis namespace",
        );
        hasher.update(&(self.namespace.len() as u64).to_le_bytes());
        hasher.update(self.namespace.as_bytes());
        hasher.update(self.secret.as_deref().unwrap_or_default());
        let mut bytes = [0; 48];
        hasher.finalize_xof().fill(&mut bytes);
        bytes
    }
}

impl fmt::Debug for RedisOptions {
    /// Without passwords and secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RedisOptions")
            .field("nodes", &self.nodes)
            .field("kind", &self.kind)
            .field("username", &self.username)
            .field("database", &self.database)
            .field("tls", &self.tls.is_some())
            .field("namespace", &self.namespace)
            .field("timeout", &self.timeout)
            .field("coherence", &self.coherence)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Kind {
    /// Without the password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Single => formatter.write_str("Single"),
            Self::Sentinel { master, .. } => write!(formatter, "Sentinel({master:?})"),
            Self::Cluster => formatter.write_str("Cluster"),
        }
    }
}

impl fmt::Debug for Tls {
    /// Without the key.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Tls(…)")
    }
}
