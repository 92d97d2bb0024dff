//! URLs of servers.

use super::{Kind, Node, RedisOptions, Tls};
use std::fmt;

/// What is wrong with a URL. It does not repeat the URL, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlError {
    /// The scheme is none of those that are known.
    Scheme,
    /// There is no host, or a port is not a number.
    Host,
    /// Something is not UTF-8, or `%` stands before something else than two digits.
    Encoding,
    /// The number of the database is not a number.
    Database,
    /// A URL of sentinels does not name what they watch.
    Master,
}

impl fmt::Display for UrlError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Scheme => {
                "the scheme must be redis, rediss, unix, redis+sentinel, rediss+sentinel, redis+cluster or rediss+cluster"
            }
            Self::Host => "there must be a host, and the port must be a number",
            Self::Encoding => "a percent sign must stand before two digits, and the text must be UTF-8",
            Self::Database => "the database must be a number",
            Self::Master => "the path must begin with the name of the server that the sentinels watch",
        })
    }
}

impl std::error::Error for UrlError {}

pub(super) fn parse(url: &str) -> Result<RedisOptions, UrlError> {
    let (scheme, rest) = url.split_once("://").ok_or(UrlError::Scheme)?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    if matches!(scheme, "unix" | "redis+unix") {
        return unix(rest, query);
    }
    let (encrypted, kind) = match scheme {
        "redis" | "valkey" => (false, "single"),
        "rediss" | "valkeys" => (true, "single"),
        "redis+sentinel" => (false, "sentinel"),
        "rediss+sentinel" => (true, "sentinel"),
        "redis+cluster" => (false, "cluster"),
        "rediss+cluster" => (true, "cluster"),
        _ => return Err(UrlError::Scheme),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, hosts) = split_login(authority);
    let port = if kind == "sentinel" { 26379 } else { 6379 };
    let nodes = hosts.split(',').map(|host| node(host, port));
    let mut options = RedisOptions::of_nodes(nodes.collect::<Result<_, _>>()?);
    log_in(&mut options, login)?;
    options.tls = encrypted.then(Tls::default);
    let mut path = path.split('/').filter(|part| !part.is_empty());
    if kind == "cluster" {
        options.kind = Kind::Cluster;
    } else if kind == "sentinel" {
        options.kind = Kind::Sentinel {
            master: decoded(path.next().ok_or(UrlError::Master)?)?,
            username: None,
            password: None,
        };
    }
    let database = path.next().or_else(|| parameter(query, "db"));
    options.database = database.map_or(Ok(0), number)?;
    Ok(options)
}

fn unix(rest: &str, query: &str) -> Result<RedisOptions, UrlError> {
    let (login, path) = split_login(rest);
    if path.is_empty() {
        return Err(UrlError::Host);
    }
    let mut options = RedisOptions::of_nodes(vec![Node::Unix(decoded(path)?.into())]);
    log_in(&mut options, login)?;
    options.database = parameter(query, "db").map_or(Ok(0), number)?;
    Ok(options)
}

fn split_login(text: &str) -> (Option<&str>, &str) {
    match text.rsplit_once('@') {
        Some((login, rest)) => (Some(login), rest),
        None => (None, text),
    }
}

fn log_in(options: &mut RedisOptions, login: Option<&str>) -> Result<(), UrlError> {
    let Some(login) = login else { return Ok(()) };
    let (user, password) = match login.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (login, None),
    };
    options.username = Some(decoded(user)?).filter(|user| !user.is_empty());
    options.password = password.map(decoded).transpose()?;
    Ok(())
}

fn node(text: &str, port: u16) -> Result<Node, UrlError> {
    let (host, given) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or(UrlError::Host)?;
            (host, rest.strip_prefix(':'))
        }
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = given.map_or(Ok(port), |given| given.parse().map_err(|_| UrlError::Host))?;
    if host.is_empty() {
        return Err(UrlError::Host);
    }
    Ok(Node::Tcp(decoded(host)?, port))
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn number(text: &str) -> Result<i64, UrlError> {
    text.parse()
        .ok()
        .filter(|number| *number >= 0)
        .ok_or(UrlError::Database)
}

fn decoded(text: &str) -> Result<String, UrlError> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit(), digit());
        let byte = high
            .zip(low)
            .and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        out.push(byte.ok_or(UrlError::Encoding)?);
    }
    String::from_utf8(out).map_err(|_| UrlError::Encoding)
}

#[cfg(test)]
mod tests {
    use super::UrlError;
    use crate::options::{Kind, Node, RedisOptions};

    fn tcp(host: &str, port: u16) -> Node {
        Node::Tcp(host.to_owned(), port)
    }

    #[test]
    fn one_server() {
        let options =
            RedisOptions::from_url("rediss://me:p%40ss:word@cache.example:7000/3").expect("a URL");
        assert_eq!(options.nodes, [tcp("cache.example", 7000)]);
        assert_eq!(options.username.as_deref(), Some("me"));
        assert_eq!(options.password.as_deref(), Some("p@ss:word"));
        assert_eq!((options.database, options.tls.is_some()), (3, true));
        let options = RedisOptions::from_url("redis://[::1]?db=2").expect("a URL");
        assert_eq!(
            (options.nodes, options.database),
            (vec![tcp("::1", 6379)], 2)
        );
        let options = RedisOptions::from_url("redis://:secret@h").expect("a URL");
        assert_eq!(
            (options.username, options.password.as_deref()),
            (None, Some("secret"))
        );
        let options = RedisOptions::from_url("unix:///run/redis.sock?db=1").expect("a URL");
        assert_eq!(options.nodes, [Node::Unix("/run/redis.sock".into())]);
        assert_eq!(options.database, 1);
    }

    #[test]
    fn several_servers() {
        let options = RedisOptions::from_url("redis+sentinel://a,b:1/mymaster/4").expect("a URL");
        assert_eq!(options.nodes, [tcp("a", 26379), tcp("b", 1)]);
        assert!(matches!(&options.kind, Kind::Sentinel { master, .. } if master == "mymaster"));
        assert_eq!(options.database, 4);
        let options = RedisOptions::from_url("redis+cluster://a:1,b:2").expect("a URL");
        assert_eq!(
            (options.nodes, options.kind),
            (vec![tcp("a", 1), tcp("b", 2)], Kind::Cluster)
        );
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (url, error) in [
            ("http://a", UrlError::Scheme),
            ("a:6379", UrlError::Scheme),
            ("redis://:secret@", UrlError::Host),
            ("redis://a:secret", UrlError::Host),
            ("redis://:secret%4@a", UrlError::Encoding),
            ("redis://:%ff@a", UrlError::Encoding),
            ("redis://a/secret", UrlError::Database),
            ("redis://a/-1", UrlError::Database),
            ("redis+sentinel://a", UrlError::Master),
            ("unix://", UrlError::Host),
        ] {
            let said = RedisOptions::from_url(url).expect_err(url);
            assert_eq!(said, error, "{url}");
            assert!(!said.to_string().contains("secret"));
        }
    }

    #[test]
    fn the_secret_of_keys_is_the_same_everywhere_and_another_for_each_namespace() {
        let with = |namespace: &str, secret: &[u8]| {
            let mut options = RedisOptions::new("a", 1);
            options.namespace = namespace.to_owned();
            options.secret = Some(secret.to_vec());
            options.secret_bytes()
        };
        assert_eq!(with("a", b"b"), with("a", b"b"));
        assert_ne!(with("a", b"b"), with("ab", b""));
        assert_ne!(with("a", b"b"), with("a", b"c"));
        let mut options = RedisOptions::new("a", 1);
        options.password = Some("hidden".to_owned());
        options.secret = Some(b"hidden".to_vec());
        assert!(!format!("{options:?}").contains("hidden"));
    }
}
