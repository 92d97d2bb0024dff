//! A proxy that fails on purpose, between a node and its server.

use super::runtime;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of what the server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It arrives.
    None,
    /// Connections are closed at once.
    Refuse,
    /// Nothing arrives, and nothing is closed.
    Silence,
    /// It arrives this much later.
    Delay(Duration),
    /// The first half of the next piece arrives, and then the connection is closed.
    Half,
    /// Every so many bytes, one is another.
    Corrupt(usize),
    /// This arrives in place of whatever the server says.
    Say(&'static str),
}

pub(crate) struct Proxy {
    pub(crate) port: u16,
    fault: watch::Sender<Fault>,
    /// Counts the times that all connections were cut.
    cuts: watch::Sender<u64>,
    server: Arc<Mutex<u16>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Proxy {
    pub(crate) fn start(server: u16) -> Self {
        let listener = runtime().block_on(TcpListener::bind(("127.0.0.1", 0)));
        let listener = listener.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (fault, faults) = watch::channel(Fault::None);
        let (cuts, cut) = watch::channel(0);
        let server = Arc::new(Mutex::new(server));
        let target = Arc::clone(&server);
        let accepting = runtime().spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *faults.borrow() == Fault::Refuse {
                    continue;
                }
                let target = *target.lock();
                let (faults, mut cut) = (faults.clone(), cut.clone());
                cut.mark_unchanged();
                tokio::spawn(async move {
                    tokio::select! {
                        () = connect(client, target, faults) => (),
                        _ = cut.changed() => (),
                    }
                });
            }
        });
        Self {
            port,
            fault,
            cuts,
            server,
            accepting,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// From now on.
    pub(crate) fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// Closes all connections.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// New connections go to another server.
    pub(crate) fn lead_to(&self, server: u16) {
        *self.server.lock() = server;
        self.cut();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn connect(client: TcpStream, target: u16, faults: watch::Receiver<Fault>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await else {
        return;
    };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let questions = async {
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
    };
    let answers = async {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
            let fault = faults.borrow().clone();
            let said = match fault {
                Fault::None => &buffer[..length],
                Fault::Refuse => return,
                Fault::Silence => continue,
                Fault::Delay(delay) => {
                    tokio::time::sleep(delay).await;
                    &buffer[..length]
                }
                Fault::Half => {
                    let _ = to_client.write_all(&buffer[..length / 2]).await;
                    return;
                }
                Fault::Corrupt(every) => {
                    buffer[..length]
                        .iter_mut()
                        .step_by(every)
                        .for_each(|byte| *byte ^= 0x21);
                    &buffer[..length]
                }
                Fault::Say(said) => said.as_bytes(),
            };
            if to_client.write_all(said).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = questions => (),
        () = answers => (),
    }
}
