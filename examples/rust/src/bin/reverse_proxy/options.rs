//! The command line.

use fast_cache_tower::Policy;
use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use pico_args::Arguments;
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
A caching reverse proxy.

USAGE: reverse_proxy --origin URL [OPTIONS]

proxy:
  --origin URL                     where requests go: http://NAME:PORT
  --listen ADDRESS                 where they come from (default: 127.0.0.1:8001)
  --own-host                       send the origin's name as Host, not the client's
  --via NAME                       add Via with this name, both ways
  --connect-timeout SECONDS        (default: 5)
  --timeout SECONDS                of silence, then 504 (default: 60)
  --no-cache                       the proxy alone

cache:
  --memory BYTES                   the size of the cache (default: 268435456)
  --max-body-size BYTES            larger bodies are not stored (default: 1048576)
  --rules FILE                     rules by path, in TOML
  --heuristics                     guess a lifetime where an answer states none
  --cdn-cache-control              CDN-Cache-Control takes the place of Cache-Control
  --stale-on-error                 answer stale, however old, where the origin fails
  --normalize-language             take values of Accept-Language that mean the same for one
  --head-from-get                  answer HEAD from GET also where a rule names GET alone
  --stale-while-revalidate SECONDS answer stale for so long, while a new answer is fetched
  --stale-if-error SECONDS         answer stale for so long where the origin fails
  --no-etag                        give no ETag to answers without one
  --ignore-client-directives       do not listen to Cache-Control and Pragma of requests
  --cache-status NAME              this cache's name in Cache-Status (default: fast-cache)
";

/// What the command line says.
#[allow(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub(crate) struct Options {
    pub(crate) origin: Authority,
    pub(crate) listen: String,
    pub(crate) own_host: bool,
    pub(crate) via: Option<String>,
    pub(crate) connect_timeout: Duration,
    pub(crate) timeout: Duration,
    pub(crate) no_cache: bool,
    pub(crate) memory: usize,
    pub(crate) rules: Option<PathBuf>,
    pub(crate) head_from_get: bool,
    pub(crate) cache_status: String,
    max_body_size: u64,
    heuristics: bool,
    cdn_cache_control: bool,
    stale_on_error: bool,
    normalize_language: bool,
    stale_while_revalidate: Duration,
    stale_if_error: Duration,
    no_etag: bool,
    ignore_client_directives: bool,
}

impl Options {
    /// Those of this process; `None` where help is wanted.
    pub(crate) fn from_command_line() -> Result<Option<Self>, Box<dyn Error>> {
        let mut given = Arguments::from_env();
        if given.contains(["-h", "--help"]) {
            return Ok(None);
        }
        let seconds = |text: &str| -> Result<Duration, Box<dyn Error>> {
            Ok(Duration::try_from_secs_f64(text.parse()?)?)
        };
        let options = Self {
            origin: given.value_from_fn("--origin", origin)?,
            listen: optional(&mut given, "--listen")?.unwrap_or_else(|| "127.0.0.1:8001".into()),
            own_host: given.contains("--own-host"),
            via: optional(&mut given, "--via")?,
            connect_timeout: given
                .opt_value_from_fn("--connect-timeout", seconds)?
                .unwrap_or(Duration::from_secs(5)),
            timeout: given
                .opt_value_from_fn("--timeout", seconds)?
                .unwrap_or(Duration::from_secs(60)),
            no_cache: given.contains("--no-cache"),
            memory: given.opt_value_from_str("--memory")?.unwrap_or(256 << 20),
            rules: given.opt_value_from_str("--rules")?,
            head_from_get: given.contains("--head-from-get"),
            cache_status: optional(&mut given, "--cache-status")?
                .unwrap_or_else(|| "fast-cache".into()),
            max_body_size: given
                .opt_value_from_str("--max-body-size")?
                .unwrap_or(1 << 20),
            heuristics: given.contains("--heuristics"),
            cdn_cache_control: given.contains("--cdn-cache-control"),
            stale_on_error: given.contains("--stale-on-error"),
            normalize_language: given.contains("--normalize-language"),
            stale_while_revalidate: given
                .opt_value_from_fn("--stale-while-revalidate", seconds)?
                .unwrap_or_default(),
            stale_if_error: given
                .opt_value_from_fn("--stale-if-error", seconds)?
                .unwrap_or_default(),
            no_etag: given.contains("--no-etag"),
            ignore_client_directives: given.contains("--ignore-client-directives"),
        };
        match given.finish().first() {
            Some(unknown) => Err(format!("unknown argument {}", unknown.display()).into()),
            None => Ok(Some(options)),
        }
    }

    /// What becomes of answers that no rule names: their own header fields decide.
    pub(crate) fn policy(&self) -> Policy {
        let mut policy = Policy::http()
            .stale_while_revalidate(self.stale_while_revalidate)
            .stale_if_error(self.stale_if_error)
            .etag(!self.no_etag)
            .client_directives(!self.ignore_client_directives)
            .max_body_size(self.max_body_size);
        if self.heuristics {
            policy = policy.heuristics();
        }
        if self.cdn_cache_control {
            policy = policy.cdn_cache_control();
        }
        if self.stale_on_error {
            policy = policy.stale_on_error();
        }
        if self.normalize_language {
            policy = policy.normalize_language();
        }
        policy
    }
}

fn optional(given: &mut Arguments, name: &'static str) -> Result<Option<String>, pico_args::Error> {
    given.opt_value_from_str(name)
}

fn origin(text: &str) -> Result<Authority, String> {
    let wrong = || format!("an origin is http://NAME:PORT, not {text}");
    let parts = text.parse::<Uri>().map_err(|_| wrong())?.into_parts();
    let path = parts.path_and_query.as_ref().map(PathAndQuery::as_str);
    match (parts.scheme, parts.authority, path) {
        (Some(scheme), Some(authority), None | Some("/"))
            if scheme == Scheme::HTTP && !authority.as_str().contains('@') =>
        {
            Ok(authority)
        }
        _ => Err(wrong()),
    }
}
