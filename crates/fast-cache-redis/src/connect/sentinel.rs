//! Sentinels: they know which server is the one to write to.

use super::{Server, nowhere, open};
use crate::options::{Node, RedisOptions};
use redis::{ErrorKind, RedisError, RedisResult, cmd, from_redis_value};

/// Where the server is that the sentinels watch as `name`, by the first of them that knows.
pub(super) async fn master(
    options: &RedisOptions,
    name: &str,
    login: (Option<&str>, Option<&str>),
) -> RedisResult<Node> {
    let mut outcome = Err(nowhere());
    for sentinel in &options.nodes {
        outcome = ask(options, sentinel, name, login).await;
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

async fn ask(
    options: &RedisOptions,
    sentinel: &Node,
    name: &str,
    login: (Option<&str>, Option<&str>),
) -> RedisResult<Node> {
    let connection = Server::One(open(options, sentinel, login, 0, None).await?);
    let mut question = cmd("SENTINEL");
    question.arg("GET-MASTER-ADDR-BY-NAME").arg(name);
    let answer = connection.run(&question).await?;
    let place: Option<(String, u16)> = from_redis_value(answer)?;
    let unknown = || RedisError::from((ErrorKind::MasterNameNotFoundBySentinel, "unknown name"));
    place
        .map(|(host, port)| Node::Tcp(host, port))
        .ok_or_else(unknown)
}
