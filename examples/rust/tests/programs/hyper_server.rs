//! Rules without a framework.

use crate::wire::Program;
use std::process::Command;

#[test]
fn rules_hold_without_a_framework() {
    let server =
        Program::start(Command::new(env!("CARGO_BIN_EXE_hyper_server")).arg("127.0.0.1:0"));
    let first = server.ask("GET", "/reports/2026", "", "");
    assert_eq!(first.field("x-cache-status").as_deref(), Some("MISS"));
    assert_eq!(first.body, "GET /reports/2026, answer 1\n");
    let second = server.ask("GET", "/reports/2026", "", "");
    assert_eq!(second.field("x-cache-status").as_deref(), Some("HIT"));
    assert_eq!(second.body, first.body);
    server.ask("POST", "/reports/2026", "", "");
    assert_eq!(
        server.status_of_get("/reports/2026").as_deref(),
        Some("MISS")
    );
    assert_eq!(server.status_of_get("/reports/latest"), None);
    assert_eq!(server.status_of_get("/"), None);
}
