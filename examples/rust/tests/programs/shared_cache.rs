use crate::wire::Program;
use std::process::Command;

fn start(place: &str) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shared_cache"));
    Program::start(command.args(["127.0.0.1:0", place]))
}

#[test]
fn two_processes_share_one_cache() {
    let directory = tempfile::tempdir().expect("a directory");
    let place = directory.path().to_str().expect("a path that is text");
    let (one, other) = (start(place), start(place));
    let made = one.ask("GET", "/users/7", "", "");
    let found = other.ask("GET", "/users/7", "", "");
    assert_eq!(found.body, made.body);
    assert_eq!(other.status_of_get("/users/7").as_deref(), Some("HIT"));
    assert_eq!(one.ask("POST", "/users/7", "", "").status, 200);
    assert_ne!(other.ask("GET", "/users/7", "", "").body, made.body);
}

#[test]
fn without_redis_the_handler_answers() {
    // A port that nobody listens on: it was free a moment ago, and is not asked for again.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port();
    let program = start(&format!("redis://127.0.0.1:{port}"));
    let answer = program.ask("GET", "/users/7", "", "");
    assert_eq!(answer.status, 200);
    assert!(answer.body.starts_with("User 7"));
}
