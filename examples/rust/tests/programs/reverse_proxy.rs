//! What the proxy passes on, what it keeps back, and what it caches. The origin is a socket that a thread plays.

use crate::wire::{Answer, Program};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// An origin: what arrives there, request by request.
struct Origin {
    address: SocketAddr,
    arrived: Receiver<String>,
}

impl Origin {
    /// Answers every request with these bytes, and closes the connection.
    fn answering(bytes: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (sender, arrived) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let request = read_request(&stream);
                // Noted first: whoever has the answer may look. A client that has left, and a test that is over, are
                // nothing to complain of.
                drop(sender.send(request));
                drop(stream.write_all(bytes));
            }
        });
        Self { address, arrived }
    }

    fn arrived(&self) -> Vec<String> {
        self.arrived.try_iter().collect()
    }

    fn proxied(&self, options: &[&str]) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reverse_proxy"));
        command.args(["--origin", &format!("http://{}", self.address)]);
        Program::start(command.args(["--listen", "127.0.0.1:0"]).args(options))
    }
}

fn read_request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut text = String::new();
    while !text.ends_with("\r\n\r\n") && reader.read_line(&mut text).is_ok_and(|read| read > 0) {}
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then_some(value)
    });
    let length = length.and_then(|length| length.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    if reader.read_exact(&mut body).is_ok() {
        text.push_str(&String::from_utf8_lossy(&body));
    }
    text
}

fn outcome(answer: &Answer) -> Option<String> {
    answer.field("x-cache-status")
}

#[test]
fn the_origins_word_decides() {
    let origin = Origin::answering(
        b"HTTP/1.1 200 Fine\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\nSet-Thing: a\r\nX-B: 1\r\nSet-Thing: b\r\n\r\nhi",
    );
    let proxy = origin.proxied(&[]);
    let first = proxy.ask("GET", "/a%2Fb?x=1&&y", "", "");
    assert_eq!((first.status, first.body.as_str()), (200, "hi"));
    assert_eq!(outcome(&first).as_deref(), Some("MISS"));
    assert!(first.head.contains(&"Set-Thing: a".into()), "{first:?}");
    let second = proxy.ask("GET", "/a%2Fb?x=1&&y", "", "");
    assert_eq!(outcome(&second).as_deref(), Some("HIT"));
    assert_eq!(second.values("set-thing"), ["a", "b"]);
    assert_eq!(second.values("date").len(), 1);
    proxy.ask("POST", "/a%2Fb?x=1&&y", "", "");
    assert_eq!(
        proxy.status_of_get("/a%2Fb?x=1&&y").as_deref(),
        Some("MISS")
    );
    let arrived = origin.arrived();
    assert_eq!(arrived.len(), 3);
    assert!(arrived[0].starts_with("GET /a%2Fb?x=1&&y HTTP/1.1\r\n"));
    assert!(
        arrived[0].contains("\r\nhost: example.test\r\n"),
        "{arrived:?}"
    );
}

#[test]
fn the_lines_of_one_connection_stay_behind() {
    let origin = Origin::answering(
        b"HTTP/1.1 200 OK\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nContent-Length: 0\r\n\r\n",
    );
    let proxy = origin.proxied(&["--via", "me"]);
    let answer = proxy.say(
        b"POST /p HTTP/1.1\r\nHost: h\r\nConnection: close, X-Yours\r\nX-Yours: 1\r\nTE: trailers\r\nUpgrade: x\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 4\r\n\r\nbody",
    );
    assert_eq!(answer.values("x-mine"), [""; 0]);
    assert_eq!(answer.values("keep-alive"), [""; 0]);
    assert_eq!(answer.values("via"), ["1.1 me"]);
    let arrived = origin.arrived().remove(0);
    for gone in ["connection", "x-yours", "\r\nte", "upgrade"] {
        assert!(!arrived.contains(&format!("{gone}: ")), "{arrived}");
    }
    assert!(arrived.contains("x-a: 1\r\nx-a: 2\r\n"), "{arrived}");
    assert!(arrived.ends_with("\r\n\r\nbody"), "{arrived}");
}

#[test]
fn rules_come_from_a_file() {
    let origin = Origin::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("rules.toml");
    let rules = r#"
        [[rule]]
        path = "/users/{id:int}"
        max_age = 300
        tags = ["user:{id}"]

        [[rule]]
        path = "/private/{*rest}"
        pass = true

        [[drop]]
        methods = ["POST"]
        path = "/rename/{id:int}"
        tags = ["user:{id}"]
    "#;
    std::fs::write(&file, rules).expect("a file");
    let proxy = origin.proxied(&["--rules", &file.display().to_string()]);
    for (method, target, expected) in [
        ("GET", "/users/7", Some("MISS")),
        ("GET", "/users/7", Some("HIT")),
        ("GET", "/private/x", None),
        ("POST", "/rename/7", None),
        ("GET", "/users/7", Some("MISS")),
    ] {
        let said = outcome(&proxy.ask(method, target, "", ""));
        assert_eq!(said.as_deref(), expected, "{method} {target}");
    }
}

#[test]
fn what_breaks_off_breaks_off_for_the_client_too() {
    let origin = Origin::answering(
        b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\nhalf",
    );
    let proxy = origin.proxied(&[]);
    for _ in 0..2 {
        let answer = proxy.ask("GET", "/", "", "");
        assert_eq!(answer.field("content-length").as_deref(), Some("10"));
        assert!(answer.body.len() < 10, "{answer:?}");
    }
    assert_eq!(origin.arrived().len(), 2);
}

#[test]
fn an_origin_that_gives_no_answer_is_a_bad_gateway() {
    for bytes in [
        &b""[..],
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 999 What\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: unheard-of\r\n\r\nx",
    ] {
        let proxy = Origin::answering(bytes).proxied(&[]);
        assert_eq!(proxy.ask("GET", "/", "", "").status, 502);
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (_, arrived) = channel();
    let silent = Origin { address, arrived }.proxied(&["--timeout", "0.05"]);
    assert_eq!(silent.ask("GET", "/", "", "").status, 504);
    drop(listener);
    assert_eq!(silent.ask("GET", "/", "", "").status, 502);
    let refused = silent.ask("CONNECT", "example.test:443", "", "");
    assert_eq!(refused.status, 501);
}

#[test]
fn http_2_is_answered_from_the_same_cache() {
    let origin = Origin::answering(
        b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\nhi",
    );
    let proxy = origin.proxied(&[]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let seen = runtime.expect("a runtime").block_on(async {
        let stream = tokio::net::TcpStream::connect(proxy.address).await?;
        let executor = hyper_util::rt::TokioExecutor::new();
        let io = hyper_util::rt::TokioIo::new(stream);
        let (mut client, connection) = hyper::client::conn::http2::handshake(executor, io).await?;
        tokio::spawn(connection);
        let mut seen = Vec::new();
        for _ in 0..2 {
            let request = http::Request::get("http://example.test/")
                .header("cookie", "a=1")
                .header("cookie", "b=2");
            let body = http_body_util::Empty::<bytes::Bytes>::new();
            let response = client.send_request(request.body(body)?).await?;
            seen.push(response.headers()["x-cache-status"].clone());
            http_body_util::BodyExt::collect(response.into_body()).await?;
        }
        Ok::<_, Box<dyn std::error::Error>>(seen)
    });
    assert_eq!(seen.expect("answers"), ["MISS", "HIT"]);
    assert_eq!(proxy.status_of_get("/").as_deref(), Some("HIT"));
    let arrived = origin.arrived().remove(0);
    assert!(arrived.contains("host: example.test\r\n"), "{arrived}");
    assert!(arrived.contains("cookie: a=1; b=2\r\n"), "{arrived}");
}

#[test]
fn interim_responses_are_passed_on() {
    let origin = Origin::answering(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x\r\nX: 1\r\n\r\nHTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\nhi",
    );
    let proxy = origin.proxied(&[]);
    let first = proxy.ask("GET", "/", "", "");
    assert_eq!(
        (first.status, &first.head[..]),
        (103, &["link: </a.css>".into()][..])
    );
    assert!(first.body.starts_with("HTTP/1.1 200 OK\r\n"), "{first:?}");
    assert!(first.body.ends_with("\r\n\r\nhi"), "{first:?}");
    let second = proxy.ask("GET", "/", "", "");
    assert_eq!(
        (second.status, outcome(&second).as_deref()),
        (200, Some("HIT"))
    );
}
