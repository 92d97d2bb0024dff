//! Programs under test, and what is said to them: bytes, so that nothing is added or put right on the way.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long anything may take before a test fails instead of waiting on.
const PATIENCE: Duration = Duration::from_secs(20);

/// A program that serves, until it is dropped.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: Vec<String>,
    pub(crate) body: String,
}

impl Program {
    /// Starts it, and waits until it says where it listens.
    pub(crate) fn start(command: &mut Command) -> Self {
        let child = command.stdout(Stdio::piped()).spawn();
        let mut child = child.expect("the program starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it says something");
        let address = line.trim().strip_prefix("listening on ");
        let address = address.and_then(|address| address.parse().ok());
        Self {
            child,
            address: address.expect("it says where it listens"),
        }
    }

    /// Asks on a connection of its own; `lines` end in `\r\n` each.
    pub(crate) fn ask(&self, method: &str, target: &str, lines: &str, body: &str) -> Answer {
        let length = if body.is_empty() {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        let text = format!(
            "{method} {target} HTTP/1.1\r\nHost: example.test\r\nConnection: close\r\n{lines}{length}\r\n{body}"
        );
        self.say(text.as_bytes())
    }

    /// Asks for `target`, and gives what the cache did.
    pub(crate) fn status_of_get(&self, target: &str) -> Option<String> {
        self.ask("GET", target, "", "").field("x-cache-status")
    }

    /// Sends these bytes, and reads until the connection ends.
    pub(crate) fn say(&self, bytes: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.write_all(bytes).expect("it takes requests");
        let mut all = Vec::new();
        stream.read_to_end(&mut all).expect("it answers");
        Answer::read(&String::from_utf8_lossy(&all))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself, which is what the test then tells of.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Answer {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").expect("a head that ends");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        Self {
            status: status
                .and_then(|status| status.parse().ok())
                .expect("a status"),
            head: lines.map(String::from).collect(),
            body: body.into(),
        }
    }

    /// The values of a field, one by one.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let of = |line: &'_ String| line.split(':').next().map(str::to_ascii_lowercase);
        let named = self
            .head
            .iter()
            .filter(|line| of(line).is_some_and(|found| found == name));
        named
            .filter_map(|line| Some(line.split_once(':')?.1.trim()))
            .collect()
    }

    /// The only value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        match self.values(name)[..] {
            [] => None,
            [one] => Some(one.into()),
            ref more => panic!("{name} has {} lines", more.len()),
        }
    }
}
