//! A cluster of three, each with a replica; and a server that three sentinels watch.

use super::{Server, eventually};

pub(crate) struct Cluster {
    /// Three masters, then their replicas.
    pub(crate) servers: Vec<Server>,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let arguments = [
            "--save",
            "",
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            "1000",
        ];
        let servers: Vec<_> = (0..6).map(|_| Server::with(&arguments)).collect();
        let identities: Vec<String> = servers
            .iter()
            .map(|server| server.ask(&["CLUSTER", "MYID"]))
            .collect();
        for (server, slots) in
            servers
                .iter()
                .zip([("0", "5460"), ("5461", "10922"), ("10923", "16383")])
        {
            let _: () = server.ask(&["CLUSTER", "ADDSLOTSRANGE", slots.0, slots.1]);
        }
        for server in &servers[1..] {
            let port = servers[0].port.to_string();
            let _: () = server.ask(&["CLUSTER", "MEET", "127.0.0.1", &port]);
        }
        for (index, server) in servers.iter().enumerate().skip(3) {
            eventually("it knows its master", || {
                server
                    .try_ask::<()>(&["CLUSTER", "REPLICATE", &identities[index - 3]])
                    .is_ok()
            });
        }
        let cluster = Self { servers };
        cluster.ready();
        cluster
    }

    /// Until every server that runs knows all others, and every replica has its master's data.
    pub(crate) fn ready(&self) {
        for server in &self.servers {
            eventually("the cluster is up", || {
                let info: String = server.ask(&["CLUSTER", "INFO"]);
                let known = info.contains("cluster_known_nodes:6");
                let links: String = server.ask(&["INFO", "replication"]);
                let linked =
                    links.contains("role:master") || links.contains("master_link_status:up");
                info.contains("cluster_state:ok") && known && linked
            });
        }
    }

    pub(crate) fn url(&self) -> String {
        let nodes: Vec<_> = self
            .servers
            .iter()
            .map(|server| format!("127.0.0.1:{}", server.port))
            .collect();
        format!("redis+cluster://{}", nodes.join(","))
    }

    /// The master of the slot of a key.
    pub(crate) fn master_of(&self, key: &str) -> usize {
        let of = |server: &Server| server.try_ask::<bool>(&["EXISTS", key]).is_ok();
        self.servers
            .iter()
            .position(of)
            .expect("somebody has the slot")
    }
}

pub(crate) struct Watched {
    /// The server to write to, and its replica.
    pub(crate) servers: Vec<Server>,
    pub(crate) sentinels: Vec<Server>,
}

impl Watched {
    pub(crate) fn start() -> Self {
        let master = Server::start();
        let port = master.port.to_string();
        let replica = Server::with(&["--save", "", "--replicaof", "127.0.0.1", &port]);
        eventually("it follows", || {
            replica
                .ask::<String>(&["INFO", "replication"])
                .contains("master_link_status:up")
        });
        let lines = [
            format!("sentinel monitor main 127.0.0.1 {port} 2"),
            "sentinel down-after-milliseconds main 500".to_owned(),
            "sentinel failover-timeout main 5000".to_owned(),
        ];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let sentinels: Vec<_> = (0..3).map(|_| Server::sentinel(&lines)).collect();
        let watched = Self {
            servers: vec![master, replica],
            sentinels,
        };
        for sentinel in &watched.sentinels {
            eventually("they know each other", || {
                let info: String = sentinel.ask(&["INFO", "sentinel"]);
                info.contains("slaves=1,sentinels=3")
            });
        }
        watched
    }

    pub(crate) fn url(&self) -> String {
        let nodes: Vec<_> = self
            .sentinels
            .iter()
            .map(|server| format!("127.0.0.1:{}", server.port))
            .collect();
        format!("redis+sentinel://{}/main", nodes.join(","))
    }
}
