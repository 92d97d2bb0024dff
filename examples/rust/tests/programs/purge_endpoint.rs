//! Who knows the token can drop, and nobody else.

use crate::wire::Program;
use std::process::Command;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn start() -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_purge_endpoint"));
    Program::start(command.arg("127.0.0.1:0").env("PURGE_TOKEN", TOKEN))
}

#[test]
fn the_token_drops() {
    let app = start();
    let authorized = format!("Authorization: bearer {TOKEN}\r\n");
    for query in [
        "tag=article:7",
        "path=/articles/*",
        "tag=x&path=/articles/7",
    ] {
        assert_eq!(app.status_of_get("/articles/7").as_deref(), Some("MISS"));
        assert_eq!(app.status_of_get("/articles/7").as_deref(), Some("HIT"));
        let purged = app.ask("POST", &format!("/purge?{query}"), &authorized, "");
        assert_eq!(purged.status, 204, "{query}");
    }
    assert_eq!(app.ask("POST", "/purge", &authorized, "").status, 400);
}

#[test]
fn without_the_token_nothing_is_dropped() {
    let app = start();
    assert_eq!(app.status_of_get("/articles/7").as_deref(), Some("MISS"));
    for lines in [
        String::new(),
        "Authorization: Bearer\r\n".into(),
        format!("Authorization: Basic {TOKEN}\r\n"),
        format!("Authorization: Bearer {}\r\n", &TOKEN[1..]),
        format!("Authorization: Bearer {TOKEN}0\r\n"),
        format!("Authorization: Bearer {TOKEN}\r\nAuthorization: Bearer x\r\n"),
    ] {
        let refused = app.ask("POST", "/purge?tag=article:7", &lines, "");
        assert_eq!(refused.status, 401, "{lines}");
        assert_eq!(refused.field("www-authenticate").as_deref(), Some("Bearer"));
    }
    assert_eq!(app.status_of_get("/articles/7").as_deref(), Some("HIT"));
}

#[test]
fn a_short_token_is_none() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_purge_endpoint"));
    let ended = command
        .arg("127.0.0.1:0")
        .env("PURGE_TOKEN", "short")
        .output();
    assert!(!ended.expect("it runs").status.success());
}
