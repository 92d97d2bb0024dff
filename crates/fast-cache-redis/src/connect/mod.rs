//! Connections: to the server that has the head of the namespace, and to wherever entries are.

mod cluster;
mod sentinel;

use crate::options::{Kind, Node, RedisOptions};
use crate::scripts::Call;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind,
    IntoConnectionInfo, ProtocolVersion, PushInfo, RedisConnectionInfo, RedisError, RedisResult,
    ServerErrorKind, TlsCertificates, Value,
};
use std::sync::Arc;
use std::time::Duration;

/// How long making a connection may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// Commands on their way to one connection, before others wait in front of it.
const BUFFERED: usize = 4096;

/// Hears what the server says unasked, and when the connection is gone.
pub(crate) type Hearer = Arc<dyn Fn(PushInfo) + Send + Sync>;

/// The connections of one session.
pub(crate) struct Links {
    /// To the server with head and log.
    pub(crate) control: Server,
    /// To entries and leases.
    pub(crate) data: Server,
}

/// A way to run commands.
#[derive(Clone)]
pub(crate) enum Server {
    One(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Server {
    /// Runs a command; what the server says against it is an error.
    pub(crate) async fn run(&self, command: &Cmd) -> RedisResult<Value> {
        let value = match self {
            Self::One(connection) => connection.clone().req_packed_command(command).await,
            Self::Cluster(connection) => connection.clone().req_packed_command(command).await,
        };
        value?.extract_error()
    }

    /// Runs a script.
    pub(crate) async fn call(&self, call: &Call) -> RedisResult<Value> {
        match self.run(call.by_hash()).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.run(&call.by_source()).await
            }
            outcome => outcome,
        }
    }
}

/// Connects.
pub(crate) async fn connect(options: &RedisOptions, hearer: &Hearer) -> RedisResult<Links> {
    match &options.kind {
        Kind::Single => {
            let mut outcome = Err(nowhere());
            for node in &options.nodes {
                outcome = to(options, node, Some(hearer)).await;
                if outcome.is_ok() {
                    break;
                }
            }
            outcome.map(both)
        }
        Kind::Sentinel {
            master,
            username,
            password,
        } => {
            let login = (username.as_deref(), password.as_deref());
            let node = sentinel::master(options, master, login).await?;
            to(options, &node, Some(hearer)).await.map(both)
        }
        Kind::Cluster => cluster::connect(options, hearer).await,
    }
}

fn both(connection: MultiplexedConnection) -> Links {
    Links {
        control: Server::One(connection.clone()),
        data: Server::One(connection),
    }
}

/// Connects to one server.
async fn to(
    options: &RedisOptions,
    node: &Node,
    hearer: Option<&Hearer>,
) -> RedisResult<MultiplexedConnection> {
    let login = (options.username.as_deref(), options.password.as_deref());
    open(options, node, login, options.database, hearer).await
}

async fn open(
    options: &RedisOptions,
    node: &Node,
    login: (Option<&str>, Option<&str>),
    database: i64,
    hearer: Option<&Hearer>,
) -> RedisResult<MultiplexedConnection> {
    let info = info(options, node, login, database)?;
    let client = match certificates(options) {
        Some(certificates) if matches!(node, Node::Tcp(..)) => {
            Client::build_with_tls(info, certificates)?
        }
        _ => Client::open(info)?,
    };
    let mut config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(None)
        .set_pipeline_buffer_size(BUFFERED);
    if let Some(hearer) = hearer {
        let hearer = Arc::clone(hearer);
        config = config.set_push_sender(move |push| {
            hearer(push);
            Ok::<(), std::convert::Infallible>(())
        });
    }
    client
        .get_multiplexed_async_connection_with_config(&config)
        .await
}

fn info(
    options: &RedisOptions,
    node: &Node,
    login: (Option<&str>, Option<&str>),
    database: i64,
) -> RedisResult<ConnectionInfo> {
    let address = match (node, &options.tls) {
        (Node::Unix(path), _) => ConnectionAddr::Unix(path.clone()),
        (Node::Tcp(host, port), None) => ConnectionAddr::Tcp(host.clone(), *port),
        (Node::Tcp(host, port), Some(_)) => ConnectionAddr::TcpTls {
            host: host.clone(),
            port: *port,
            insecure: false,
            tls_params: None,
        },
    };
    let mut settings = RedisConnectionInfo::default()
        .set_protocol(ProtocolVersion::RESP3)
        .set_db(database)
        .set_skip_set_lib_name();
    if let Some(username) = login.0 {
        settings = settings.set_username(username);
    }
    if let Some(password) = login.1 {
        settings = settings.set_password(password);
    }
    let tcp = TcpSettings::default().set_nodelay(true);
    Ok(address
        .into_connection_info()?
        .set_redis_settings(settings)
        .set_tcp_settings(tcp))
}

fn certificates(options: &RedisOptions) -> Option<TlsCertificates> {
    let tls = options.tls.as_ref()?;
    // Another part of the program may have chosen one before: then that counts.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client_tls = tls.identity.as_ref().map(|(cert, key)| ClientTlsConfig {
        client_cert: cert.clone(),
        client_key: key.clone(),
    });
    Some(TlsCertificates {
        client_tls,
        root_cert: tls.roots.clone(),
    })
}

fn nowhere() -> RedisError {
    RedisError::from((ErrorKind::InvalidClientConfig, "no node is named"))
}
