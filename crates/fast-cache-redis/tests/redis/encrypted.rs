//! TLS, with a certificate of the test's own.

use crate::support::{Server, eventually, node, open};
use fast_cache_redis::Tls;

#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "a server reads its certificate from a file"
)]
fn tls() {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let folder = std::env::temp_dir().join(format!("fast-cache-redis-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| folder.join(name));
    std::fs::write(&certificate, made.cert.pem()).expect("a file");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("a file");
    let port = crate::support::server::free_port();
    let [certificate, key] = [certificate, key].map(|path| path.display().to_string());
    let port_text = port.to_string();
    let arguments = [
        "--save",
        "",
        "--port",
        "0",
        "--tls-port",
        &port_text,
        "--tls-auth-clients",
        "no",
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
    ];
    let server = Server::on(port, &arguments, false);
    let url = format!("rediss://localhost:{}", server.port);

    let trusting = Tls {
        roots: Some(made.cert.pem().into_bytes()),
        identity: None,
    };
    let namespace = node::namespace();
    let nodes = [0, 1].map(|_| {
        open(&url, &namespace, |options| {
            options.tls = Some(trusting.clone());
        })
    });
    nodes[0].share(1, "/a", &["t"], &nodes[1]);
    nodes[0].drop_tag("t");
    eventually("the drop is pushed", || nodes[1].near("/a").is_none());

    let stranger = node::lazy(&url, &namespace, |_| {});
    stranger.store.connect();
    eventually("it trusts nobody", || {
        stranger.store.health().trouble.is_some()
    });
    assert!(!stranger.store.health().is_up);
    let _ = std::fs::remove_dir_all(&folder);
}
