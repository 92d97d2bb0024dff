//! Reads are cached, writes drop.

use crate::wire::Program;
use std::process::Command;

#[test]
fn users_are_cached_until_they_are_renamed() {
    let app = Program::start(Command::new(env!("CARGO_BIN_EXE_axum_app")).arg("127.0.0.1:0"));
    let seen: Vec<_> = ["/users/7", "/users/7?utm_source=mail", "/users/8"]
        .map(|target| app.status_of_get(target))
        .into();
    assert_eq!(
        seen,
        [Some("MISS".into()), Some("HIT".into()), Some("MISS".into())]
    );

    let json = "Content-Type: application/json\r\n";
    assert_eq!(app.ask("POST", "/users/7", json, "\"Ada\"").status, 204);
    let renamed = app.ask("GET", "/users/7", "", "");
    assert_eq!(renamed.field("x-cache-status").as_deref(), Some("MISS"));
    assert_eq!(renamed.body, "Ada");
    assert_eq!(app.status_of_get("/users/8").as_deref(), Some("HIT"));

    let stats = app.ask("GET", "/stats", "", "");
    assert_eq!(stats.field("x-cache-status"), None);
    assert!(
        stats
            .body
            .starts_with("hits 2\nmisses 3\nstores 3\ndrops 1\n"),
        "{stats:?}"
    );
}
