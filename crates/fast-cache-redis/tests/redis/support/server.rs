//! Redis servers, each in a process of its own.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running server; it is killed when dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) arguments: Vec<String>,
    sentinel: bool,
    folder: PathBuf,
    child: Option<Child>,
}

impl Server {
    /// A server that keeps nothing on disk.
    pub(crate) fn start() -> Self {
        Self::with(&["--save", "", "--appendonly", "no"])
    }

    /// A server with these settings.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        Self::on(free_port(), arguments, false)
    }

    /// A sentinel; `lines` are of its file.
    pub(crate) fn sentinel(lines: &[&str]) -> Self {
        Self::on(free_port(), lines, true)
    }

    /// A server on this port, or a sentinel.
    pub(crate) fn on(port: u16, arguments: &[&str], sentinel: bool) -> Self {
        let folder =
            std::env::temp_dir().join(format!("fast-cache-redis-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut server = Self {
            port,
            arguments: arguments
                .iter()
                .map(|argument| (*argument).to_owned())
                .collect(),
            sentinel,
            folder,
            child: None,
        };
        if sentinel {
            let file = format!(
                "port {port}\nsentinel resolve-hostnames yes\n{}\n",
                arguments.join("\n")
            );
            std::fs::write(server.folder.join("sentinel.conf"), file).expect("a file");
        }
        server.run();
        server
    }

    /// Starts it (again), on its port.
    pub(crate) fn run(&mut self) {
        let binary = std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".to_owned());
        let mut command = Command::new(&binary);
        if self.sentinel {
            command
                .arg(self.folder.join("sentinel.conf"))
                .arg("--sentinel");
        } else {
            let plain = !self
                .arguments
                .iter()
                .any(|argument| argument == "--tls-port");
            if plain {
                command.arg("--port").arg(self.port.to_string());
            }
            command
                .args([
                    "--bind",
                    "127.0.0.1",
                    "--enable-debug-command",
                    "yes",
                    "--dir",
                ])
                .arg(&self.folder);
            command.args(&self.arguments);
        }
        let child = command
            .current_dir(&self.folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.child = Some(child.unwrap_or_else(|error| {
            panic!("{binary}: {error}; `make test-rust` brings it, or set REDIS_SERVER")
        }));
        let limit = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < limit, "the server does not start");
            std::thread::yield_now();
        }
    }

    /// Kills it, without a word.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops its process, and lets it go on.
    pub(crate) fn signal(&self, signal: &str) {
        let child = self.child.as_ref().expect("it runs");
        let status = Command::new("kill")
            .arg(signal)
            .arg(child.id().to_string())
            .status();
        assert!(status.expect("kill").success());
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Runs a command on a connection of the test's own.
    pub(crate) fn ask<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        self.try_ask(command)
            .unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    pub(crate) fn try_ask<T: redis::FromRedisValue>(
        &self,
        command: &[&str],
    ) -> redis::RedisResult<T> {
        let client = redis::Client::open(self.url())?;
        let mut connection = client.get_connection_with_timeout(Duration::from_secs(5))?;
        let mut asked = redis::cmd(command[0]);
        asked.arg(&command[1..]);
        asked.query(&mut connection)
    }

    /// How often commands ran since the last look, by name.
    pub(crate) fn calls(&self, name: &str) -> u64 {
        let info: String = self.ask(&["INFO", "commandstats"]);
        let line = info
            .lines()
            .find(|line| line.starts_with(&format!("cmdstat_{name}:calls=")));
        let calls = line.and_then(|line| line.split(['=', ',']).nth(1));
        calls.map_or(0, |calls| calls.parse().expect("a number"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A port that is free now, and whose cluster bus port is free as well.
pub(crate) fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        if port < 50_000 && TcpListener::bind(("127.0.0.1", port + 10_000)).is_ok() {
            return port;
        }
    }
}
