//! Clusters: entries wherever their slots are, and one connection of our own to the node with head and log.

use super::{Hearer, Links, PATIENCE, Server, certificates, info, nowhere, to};
use crate::keys::Keys;
use crate::options::{Node, RedisOptions};
use redis::cluster::ClusterClientBuilder;
use redis::{ErrorKind, ProtocolVersion, RedisError, RedisResult, ServerErrorKind, cmd};

/// How often a node may send us on to another.
const MAX_REDIRECTIONS: usize = 4;

pub(super) async fn connect(options: &RedisOptions, hearer: &Hearer) -> RedisResult<Links> {
    let control = control(options, hearer).await?;
    let login = (options.username.as_deref(), options.password.as_deref());
    let nodes = options
        .nodes
        .iter()
        .map(|node| info(options, node, login, 0));
    let mut builder = ClusterClientBuilder::new(nodes.collect::<RedisResult<Vec<_>>>()?)
        .use_protocol(ProtocolVersion::RESP3)
        .connection_timeout(PATIENCE)
        .retries(2)
        .min_retry_wait(1)
        .max_retry_wait(10);
    if let Some(username) = login.0 {
        builder = builder.username(username);
    }
    if let Some(password) = login.1 {
        builder = builder.password(password);
    }
    if let Some(certificates) = certificates(options) {
        builder = builder.certs(certificates);
    }
    let data = builder.build()?.get_async_connection().await?;
    Ok(Links {
        control,
        data: Server::Cluster(data),
    })
}

/// The connection to the node with head and log: any node says which it is.
async fn control(options: &RedisOptions, hearer: &Hearer) -> RedisResult<Server> {
    let head = Keys::new(&options.namespace).head;
    let mut outcome = Err(nowhere());
    for node in &options.nodes {
        outcome = follow(options, node, &head, hearer).await;
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

async fn follow(
    options: &RedisOptions,
    first: &Node,
    head: &str,
    hearer: &Hearer,
) -> RedisResult<Server> {
    let mut node = first.clone();
    for _ in 0..MAX_REDIRECTIONS {
        let probe = Server::One(to(options, &node, None).await?);
        match probe.run(cmd("HGET").arg(head).arg("i")).await {
            Ok(_) => {
                let connection = to(options, &node, Some(hearer)).await?;
                return Ok(Server::One(connection));
            }
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::Moved) => {
                let (address, _slot) = error.redirect_node().ok_or_else(nowhere)?;
                node = named(address, &node).ok_or_else(nowhere)?;
            }
            Err(error) => return Err(error),
        }
    }
    Err(RedisError::from((
        ErrorKind::ClusterConnectionNotFound,
        "sent from node to node",
    )))
}

/// The node at an `address:port` that `sender` has named. A node that does not know another's address leaves it out, or
/// says `?`: then that is where the sender is as well.
fn named(address: &str, sender: &Node) -> Option<Node> {
    let (host, port) = address.rsplit_once(':')?;
    let port = port.parse().ok()?;
    match (host, sender) {
        ("" | "?", Node::Tcp(own, _)) => Some(Node::Tcp(own.clone(), port)),
        ("" | "?", Node::Unix(_)) => None,
        _ => Some(Node::Tcp(host.to_owned(), port)),
    }
}

#[cfg(test)]
mod tests {
    use super::named;
    use crate::options::Node;

    #[test]
    fn redirections_name_nodes() {
        let sender = Node::Tcp("seed".to_owned(), 1);
        for (address, host, port) in [
            ("10.0.0.2:6379", "10.0.0.2", 6379),
            ("2001:db8::2:6380", "2001:db8::2", 6380),
            ("node-2.example:6381", "node-2.example", 6381),
            (":6382", "seed", 6382),
            ("?:6383", "seed", 6383),
        ] {
            let node = Node::Tcp(host.to_owned(), port);
            assert_eq!(named(address, &sender), Some(node), "{address}");
        }
        for address in ["", "10.0.0.2", "10.0.0.2:", "10.0.0.2:70000"] {
            assert_eq!(named(address, &sender), None, "{address}");
        }
    }
}
