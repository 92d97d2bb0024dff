//! A caching reverse proxy: any HTTP/1.1 origin, passed on faithfully, behind the cache in HTTP mode.
//!
//! ```console
//! $ cargo run --release --bin reverse_proxy -- --origin http://127.0.0.1:8000 --listen 127.0.0.1:8001
//! ```
//!
//! Clients speak HTTP/1.1 or HTTP/2 (with prior knowledge). What is stored and for how long is decided by the origin's own
//! header fields (RFC 9111), or by a file of rules; `--help` lists the options.
//!
//! | file | what |
//! |---|---|
//! | `options.rs` | the command line |
//! | `rules.rs` | the file of rules |
//! | `proxy.rs` | a request's way to the origin and back |
//! | `fields.rs` | which header lines go on |
//! | `interim.rs` | interim responses, which hyper does not send |
//! | `bodies.rs` | bodies that tell when they end, and do not wait forever |

mod bodies;
mod fields;
mod interim;
mod options;
mod proxy;
mod rules;

use fast_cache_tower::{Cache, CacheLayer};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use interim::{INTERIM, Interim, Wire};
use options::Options;
use proxy::Proxy;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt};

/// How long accepting rests when the system has no more to give, such as file descriptors.
const REST: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    let options = match Options::from_command_line() {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{}", options::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{error}\n\n{}", options::HELP);
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut runtime = match cores {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    runtime.enable_all().build()?.block_on(serve(options))
}

async fn serve(options: &Options) -> Result<(), Box<dyn Error>> {
    let proxy = Proxy::new(options);
    let listener = TcpListener::bind(&options.listen).await?;
    println!("listening on {}", listener.local_addr()?);
    if options.no_cache {
        accept(listener, proxy).await;
        return Ok(());
    }
    let cache = Cache::builder()
        .memory(options.memory)
        .cache_status(&options.cache_status)
        .map_err(|error| format!("--cache-status: {error}"))?
        .build();
    let mut layer = CacheLayer::new(cache).everything_else(options.policy());
    if options.head_from_get {
        layer = layer.head_from_get();
    }
    if let Some(file) = &options.rules {
        let text = std::fs::read_to_string(file)
            .map_err(|error| format!("{}: {error}", file.display()))?;
        layer = rules::add(layer, &text).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    accept(listener, layer.layer(proxy)).await;
    Ok(())
}

/// Serves every connection that comes.
async fn accept<S, B>(listener: TcpListener, service: S)
where
    S: tower::Service<
            http::Request<hyper::body::Incoming>,
            Response = http::Response<B>,
            Future: Send,
            Error: Into<Box<dyn Error + Send + Sync>>,
        > + Clone
        + Send
        + 'static,
    B: http_body::Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(REST).await;
            continue;
        };
        // It would only be slower without.
        drop(stream.set_nodelay(true));
        let interim = Interim::default();
        let io = Wire {
            io: TokioIo::new(stream),
            interim: interim.clone(),
        };
        let (service, waiting) = (service.clone(), interim.clone());
        let service = service_fn(move |request| {
            waiting.begin();
            let (answer, waiting) = (service.clone().oneshot(request), waiting.clone());
            async move {
                let answer = answer.await;
                waiting.end();
                answer
            }
        });
        tokio::spawn(INTERIM.scope(interim, async move {
            let mut server = Builder::new(TokioExecutor::new());
            server.http1().timer(TokioTimer::new());
            server.http2().timer(TokioTimer::new());
            // What goes wrong with a connection is its client's concern, who sees it.
            drop(server.serve_connection(io, service).await);
        }));
    }
}
