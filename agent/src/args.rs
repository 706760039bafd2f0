//! Flags of broker and scanner, which are one program. Each has an environment variable of the same meaning.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One line of text.
    Text,
    /// One JSON object a line.
    Json,
}

/// Flags of both.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Socket over which broker and scanner speak; it lies in a folder that both containers mount.
    #[arg(long, env = "PRATIQUE_SCANNER_SOCKET", default_value = "/run/pratique/scanner.sock")]
    pub scanner_socket: PathBuf,
    /// The runtime's state folder, mounted read-only where the node has it.
    #[arg(long, env = "PRATIQUE_RUNTIME_ROOT", default_value = "/var/lib/containerd")]
    pub runtime_root: PathBuf,
    /// What is logged, such as `info` or `pratique_agent=debug,warn`.
    #[arg(long, env = "RUST_LOG", default_value = "info")]
    pub log: String,
    /// How it is written.
    #[arg(long, env = "PRATIQUE_LOG_FORMAT", value_enum, default_value = "json")]
    pub log_format: LogFormat,
}

/// `pratique-agent`: finds the node's images, has them scanned and tells the operator.
#[derive(Debug, Clone, Parser)]
#[command(name = "pratique-agent", version, about)]
pub struct Agent {
    /// What to do.
    #[command(subcommand)]
    pub command: AgentCommand,
}

/// Which part of the agent this process is.
#[derive(Debug, Clone, Subcommand)]
pub enum AgentCommand {
    /// Runs the broker: finds the node's images, has them scanned and tells the operator.
    Run(BrokerArgs),
    /// Runs the scanner: reads what the broker hands it, and nothing else.
    Scanner(ScannerArgs),
    /// Internal: one scan, over inherited descriptors; started by the scanner itself.
    #[command(hide = true)]
    Child,
    /// Prints, item by item, what broker and scanner can and cannot do on this node and why.
    Check(BrokerArgs),
}

/// Flags of the broker.
#[derive(Debug, Clone, Args)]
pub struct BrokerArgs {
    /// Flags of broker and scanner.
    #[command(flatten)]
    pub common: Common,
    /// containerd's socket. Its folder is mounted, not the socket, so that a restarted runtime's new socket is found.
    #[arg(long, env = "PRATIQUE_RUNTIME_SOCKET", default_value = "/run/containerd/containerd.sock")]
    pub runtime_socket: PathBuf,
    /// The operator's address for agents, `host:port`; the host is the name in the operator's certificate, whichever
    /// replica answers.
    #[arg(long, env = "PRATIQUE_OPERATOR", default_value = "pratique-agents.pratique.svc:9444")]
    pub operator: String,
    /// This node's name, for logs; the operator takes it from the token.
    #[arg(long, env = "NODE_NAME", default_value = "")]
    pub node_name: String,
    /// Certificates the operator's is checked against; read again for every connection.
    #[arg(long, env = "PRATIQUE_CA_FILE", default_value = "/etc/pratique/ca/ca.crt")]
    pub ca_file: PathBuf,
    /// The projected service-account token (audience `pratique`); read again for every connection.
    #[arg(long, env = "PRATIQUE_TOKEN_FILE", default_value = "/var/run/secrets/pratique/token")]
    pub token_file: PathBuf,
    /// Address of /metrics, /healthz and /readyz.
    #[arg(long, env = "PRATIQUE_ADMIN_ADDRESS", default_value = "0.0.0.0:9090")]
    pub admin_address: SocketAddr,
    /// Images scanned at a time.
    #[arg(long, env = "PRATIQUE_SCANS", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=16))]
    pub scans: u16,
    /// Seconds between full listings of the runtime and full rosters to the operator; each is jittered by a tenth.
    #[arg(long, env = "PRATIQUE_RESYNC_SECONDS", default_value = "600", value_parser = seconds)]
    pub resync: Duration,
}

impl BrokerArgs {
    /// The name in the operator's certificate.
    pub fn operator_name(&self) -> &str {
        self.operator.rsplit_once(':').map_or(self.operator.as_str(), |(host, _)| host)
    }
}

/// Flags of the scanner.
#[derive(Debug, Clone, Args)]
pub struct ScannerArgs {
    /// Flags of broker and scanner.
    #[command(flatten)]
    pub common: Common,
    /// File in which the facts of layers are kept.
    #[arg(long, env = "PRATIQUE_CACHE", default_value = "/var/lib/pratique/cache.redb")]
    pub cache: PathBuf,
    /// Most bytes of facts in it.
    #[arg(long, env = "PRATIQUE_CACHE_SIZE", default_value_t = 512 << 20)]
    pub cache_size: u64,
    /// Memory the process that reads one image may use, in bytes.
    #[arg(long, env = "PRATIQUE_CHILD_MEMORY", default_value_t = 192 << 20)]
    pub child_memory: u64,
    /// Seconds a scan of one image may take.
    #[arg(long, env = "PRATIQUE_SCAN_SECONDS", default_value = "900", value_parser = seconds)]
    pub scan_time: Duration,
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .map(Duration::from_secs)
        .map_err(|_| format!("`{text}` is no whole number of seconds"))
        .and_then(|time| if time.is_zero() { Err("must be at least 1".to_owned()) } else { Ok(time) })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn flags_are_consistent() {
        Agent::command().debug_assert();
    }

    #[test]
    fn the_certificate_names_the_service() {
        let AgentCommand::Run(args) =
            Agent::parse_from(["pratique-agent", "run", "--operator", "agents.x.svc:1"]).command
        else {
            panic!("run is run");
        };
        assert_eq!(args.operator_name(), "agents.x.svc");
        assert!(Agent::try_parse_from(["pratique-agent", "run", "--resync", "0"]).is_err());
    }
}
