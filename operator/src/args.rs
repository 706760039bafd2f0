//! Flags. Each has an environment variable, and a default that fits the chart.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::SignedDuration;
use pratique_http::{Proxies, RetryPolicy, TransportOptions};
use pratique_registry::{ArtifactAddress, LoginFile, Logins, RegistryOptions};
use pratique_vulns::fetch::{Address, Feeds};

use crate::rules::ArtifactSettings;
use crate::vulnerabilities;
use crate::webhook_config::FailurePolicy;

/// `pratique-operator`: collects what the nodes' agents find, judges by ScanPolicies, and refuses what they deny.
#[derive(Debug, Clone, Parser)]
#[command(name = "pratique-operator", version, about)]
pub struct Cli {
    /// What is logged, such as `info` or `pratique_operator=debug,warn`.
    #[arg(long, env = "RUST_LOG", default_value = "info", global = true)]
    pub log: String,
    /// How log lines are written.
    #[arg(long, env = "PRATIQUE_LOG_FORMAT", value_enum, default_value = "json", global = true)]
    pub log_format: LogFormat,
    /// The cluster to work on; without it the pod's own, or what kubectl would use.
    #[arg(long, env = "KUBECONFIG", value_name = "FILE", global = true)]
    pub kubeconfig: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One line of text.
    Text,
    /// One JSON object a line.
    Json,
}

/// Commands.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Runs the operator.
    Run(Box<RunArgs>),
    /// Creates or upgrades the custom resource definitions that this release brings.
    ApplyCrds,
    /// Removes the webhook configuration, so that no pod waits for an operator that is gone.
    Uninstall(NameArgs),
    /// Asks, as the API server would, whether a replica serves the webhook; `helm test` runs it.
    SelfTest(NameArgs),
}

/// How the installation is called; its objects' names follow from it.
#[derive(Debug, Clone, Args)]
pub struct NameArgs {
    /// Name of the installation: `NAME-operator`, `NAME-agent`, `NAME-webhook`, `NAME-agents`, `NAME-ca`…
    #[arg(long, env = "PRATIQUE_NAME", default_value = "pratique")]
    pub name: String,
    /// The operator's namespace.
    #[arg(long, env = "POD_NAMESPACE", default_value = "pratique")]
    pub namespace: String,
}

impl NameArgs {
    /// The name of one of the installation's objects.
    pub fn object(&self, part: &str) -> String {
        format!("{}-{part}", self.name)
    }
}

/// How much a refusal says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum Detail {
    /// Image, rule and finding with its file.
    Full,
    /// Without the file, for clusters whose tenants pull private images.
    Brief,
}

impl From<Detail> for pratique_core::policy::Detail {
    fn from(detail: Detail) -> Self {
        match detail {
            Detail::Full => Self::Full,
            Detail::Brief => Self::Brief,
        }
    }
}

/// Flags of `run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Names of the installation.
    #[command(flatten)]
    pub names: NameArgs,
    /// This pod's name.
    #[arg(long, env = "POD_NAME", default_value = "pratique-operator")]
    pub pod_name: String,
    /// This pod's address, to which agents and followers are directed.
    #[arg(long, env = "POD_IP", default_value = "127.0.0.1")]
    pub pod_ip: IpAddr,
    /// Where the webhook listens.
    #[arg(long, env = "PRATIQUE_WEBHOOK_LISTEN", default_value = "[::]:9443", value_name = "ADDRESS")]
    pub webhook_listen: SocketAddr,
    /// Where agents and followers are answered.
    #[arg(long, env = "PRATIQUE_AGENTS_LISTEN", default_value = "[::]:9444", value_name = "ADDRESS")]
    pub agents_listen: SocketAddr,
    /// Where whole reports are read, through the API server's service proxy.
    #[arg(long, env = "PRATIQUE_REPORTS_LISTEN", default_value = "[::]:9445", value_name = "ADDRESS")]
    pub reports_listen: SocketAddr,
    /// Where /metrics, /healthz and /readyz are answered.
    #[arg(long, env = "PRATIQUE_ADMIN_LISTEN", default_value = "[::]:9090", value_name = "ADDRESS")]
    pub admin_listen: SocketAddr,
    /// Folder of the report store.
    #[arg(long, env = "PRATIQUE_STORE", default_value = "/var/lib/pratique", value_name = "FOLDER")]
    pub store: PathBuf,
    /// This pod's token with the audience `pratique`, shown to the leader when following it.
    #[arg(
        long,
        env = "PRATIQUE_TOKEN",
        default_value = "/var/run/secrets/pratique/token",
        value_name = "FILE"
    )]
    pub token: PathBuf,
    /// The user's own rules.
    #[command(flatten)]
    pub rules: RulesArgs,
    /// Advisories.
    #[command(flatten)]
    pub advisories: AdvisoryArgs,
    /// Reports of images that no node has had for this long are dropped.
    #[arg(long, env = "PRATIQUE_UNUSED_AFTER", default_value = "168h", value_parser = duration, value_name = "DURATION")]
    pub unused_after: Duration,
    /// Scans one node works on at a time.
    #[arg(long, env = "PRATIQUE_SCANS_PER_NODE", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub scans_per_node: u16,
    /// What the API server does with a pod while no replica answers.
    #[arg(long, env = "PRATIQUE_FAILURE_POLICY", value_enum, default_value = "Ignore")]
    pub failure_policy: FailurePolicy,
    /// How long the API server waits for a decision; 1s to 30s.
    #[arg(long, env = "PRATIQUE_WEBHOOK_TIMEOUT", default_value = "5s", value_parser = duration, value_name = "DURATION")]
    pub webhook_timeout: Duration,
    /// How long the webhook goes on serving after SIGTERM, until the API server has learned that this replica ends.
    #[arg(long, env = "PRATIQUE_DRAIN", default_value = "5s", value_parser = duration, value_name = "DURATION")]
    pub drain: Duration,
    /// How much a refusal says.
    #[arg(long, env = "PRATIQUE_DETAIL", value_enum, default_value = "Full")]
    pub detail: Detail,
    /// A namespace that is never guarded, beside kube-system, kube-public, kube-node-lease and the operator's own; can
    /// be given more than once.
    #[arg(
        long = "exclude-namespace",
        env = "PRATIQUE_EXCLUDE_NAMESPACES",
        value_delimiter = ',',
        value_name = "NAMESPACE"
    )]
    pub exclude_namespaces: Vec<String>,
    /// Life of a serving certificate; a new one is made after two thirds of it.
    #[arg(long, env = "PRATIQUE_CERTIFICATE_LIFETIME", default_value = "24h", value_parser = duration, value_name = "DURATION")]
    pub certificate_lifetime: Duration,
    /// Life of the certificate authority; the next one is prepared after four fifths of it.
    #[arg(long, env = "PRATIQUE_CA_LIFETIME", default_value = "8760h", value_parser = duration, value_name = "DURATION")]
    pub ca_lifetime: Duration,
}

/// Where the user's own rules come from.
#[derive(Debug, Clone, Args)]
pub struct RulesArgs {
    /// The user's own rules: files in KIND/SOURCE/FILE, a kind being `dictionary`, `hashes`, `secrets` or `yara`. Changes are
    /// noticed.
    #[arg(long, env = "PRATIQUE_RULES", default_value = "/etc/pratique/rules", value_name = "FOLDER")]
    pub rules: PathBuf,
    /// More of them: an artifact of a registry, `oci://REGISTRY/REPOSITORY:TAG` or `…@DIGEST`.
    #[arg(long, env = "PRATIQUE_RULES_ARTIFACT", value_name = "ADDRESS")]
    pub rules_artifact: Option<String>,
    /// How often the artifact's registry is asked whether it changed.
    #[arg(long, env = "PRATIQUE_RULES_INTERVAL", default_value = "15m", value_parser = duration, value_name = "DURATION")]
    pub rules_interval: Duration,
    /// Certificates (PEM) to trust for the artifact's registry, beside the machine's own; can be given more than once.
    #[arg(long, env = "PRATIQUE_RULES_CA", value_delimiter = ',', value_name = "FILE")]
    pub rules_ca: Vec<PathBuf>,
    /// Login for the artifact's registry: a file in the form of Docker's `config.json`, read anew each time.
    #[arg(long, env = "PRATIQUE_RULES_LOGIN", value_name = "FILE")]
    pub rules_login: Option<PathBuf>,
    /// The artifact's registry may speak plain HTTP, or have a certificate that nobody vouches for.
    #[arg(long, env = "PRATIQUE_RULES_INSECURE_REGISTRY")]
    pub rules_insecure_registry: bool,
}

impl RulesArgs {
    /// What they say of the artifact; none: there is none.
    ///
    /// # Errors
    /// It is no artifact's address.
    pub fn artifact(&self) -> anyhow::Result<Option<ArtifactSettings>> {
        let Some(text) = &self.rules_artifact else { return Ok(None) };
        let address = ArtifactAddress::parse(text)
            .unwrap_or_else(|| Err(format!("`{text}`: write it as oci://registry/repository:tag")))
            .map_err(anyhow::Error::msg)
            .context("--rules-artifact")?;
        let insecure = self.rules_insecure_registry.then(|| address.0.registry().to_owned());
        let options = RegistryOptions {
            insecure: insecure.into_iter().collect(),
            ca_files: self.rules_ca.clone(),
            logins: logins(self.rules_login.as_deref()),
            proxies: Proxies::of_environment(),
            ..RegistryOptions::default()
        };
        Ok(Some(ArtifactSettings { address, options, interval: self.rules_interval }))
    }
}

/// The logins of a file.
fn logins(file: Option<&Path>) -> Logins {
    let files = file.into_iter().map(|path| LoginFile { path: path.to_owned(), required: true }).collect();
    Logins { given: Vec::new(), files }
}

/// Where advisories come from.
#[derive(Debug, Clone, Args)]
pub struct AdvisoryArgs {
    /// Where the advisories come from that packages are matched with: a URL or a folder laid out as OSV publishes, a zip of
    /// it, an artifact of a registry (`oci://REGISTRY/REPOSITORY:TAG`), or a built database. Without it packages are not
    /// matched.
    #[arg(long, env = "PRATIQUE_DB_SOURCE", value_name = "SOURCE")]
    pub db_source: Option<String>,
    /// How often the advisories are compared with those at their source.
    #[arg(long, env = "PRATIQUE_DB_INTERVAL", default_value = "6h", value_parser = duration, value_name = "DURATION")]
    pub db_interval: Duration,
    /// Proxy for advisories, such as `http://proxy.example:3128`; without it what HTTPS_PROXY, HTTP_PROXY and NO_PROXY say.
    #[arg(long, env = "PRATIQUE_DB_PROXY", value_name = "URL", hide_env_values = true)]
    pub db_proxy: Option<String>,
    /// Certificates (PEM) to trust for advisories, beside the machine's own; can be given more than once.
    #[arg(long, env = "PRATIQUE_DB_CA", value_delimiter = ',', value_name = "FILE")]
    pub db_ca: Vec<PathBuf>,
    /// Login for the artifact's registry: a file in the form of Docker's `config.json`, read anew at every refresh.
    #[arg(long, env = "PRATIQUE_DB_LOGIN", value_name = "FILE")]
    pub db_login: Option<PathBuf>,
    /// The artifact's registry may speak plain HTTP, or have a certificate that nobody vouches for.
    #[arg(long, env = "PRATIQUE_DB_INSECURE_REGISTRY")]
    pub db_insecure_registry: bool,
    /// Folder of VEX documents, which suppress findings visibly.
    #[arg(long, env = "PRATIQUE_VEX", value_name = "FOLDER")]
    pub vex: Option<PathBuf>,
}

impl AdvisoryArgs {
    /// What they say; `store`: the operator's folder. None: packages are not matched.
    ///
    /// # Errors
    /// The source is no address.
    pub fn settings(&self, store: &Path) -> anyhow::Result<Option<vulnerabilities::Settings>> {
        let Some(source) = &self.db_source else { return Ok(None) };
        let address = Address::parse(source).map_err(anyhow::Error::msg).context("--db-source")?;
        let proxies = match &self.db_proxy {
            Some(proxy) => {
                Proxies { https: Some(proxy.clone()), http: Some(proxy.clone()), ..Proxies::default() }
            }
            None => Proxies::of_environment(),
        };
        // Whoever writes `http://` means it.
        let mut insecure: Vec<String> = address.plain_host().into_iter().collect();
        if let (true, Address::Artifact(ArtifactAddress(reference))) = (self.db_insecure_registry, &address) {
            insecure.push(reference.registry().to_owned());
        }
        let transport = TransportOptions {
            proxies,
            insecure,
            ca_files: self.db_ca.clone(),
            ..TransportOptions::default()
        };
        Ok(Some(vulnerabilities::Settings {
            feeds: Feeds::of(address),
            transport,
            logins: logins(self.db_login.as_deref()),
            retry: RetryPolicy::default(),
            folder: store.join("advisories"),
            interval: self.db_interval,
            vex: self.vex.clone(),
        }))
    }
}

/// A duration such as `5s` or `168h`, longer than nothing.
fn duration(text: &str) -> Result<Duration, String> {
    let duration: SignedDuration = text.parse().map_err(|_| "write it as 5s, 30m or 168h".to_owned())?;
    match Duration::try_from(duration) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("it must be longer than nothing".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_charts_flags_are_understood() {
        let cli = Cli::try_parse_from([
            "pratique-operator",
            "run",
            "--name=shop",
            "--failure-policy=Fail",
            "--webhook-timeout=7s",
            "--detail=Brief",
            "--certificate-lifetime=24h",
            "--unused-after=168h30m",
            "--exclude-namespace=a",
            "--exclude-namespace=b",
            "--rules-artifact=oci://registry.example/team/rules:1",
            "--rules-interval=5m",
            "--rules-ca=/etc/pratique/rules-ca/ca.crt",
            "--rules-login=/etc/pratique/rules-login/config.json",
            "--rules-insecure-registry",
            "--db-source=http://mirror.example/osv",
            "--db-interval=1h",
            "--db-proxy=http://proxy.example:3128",
            "--db-ca=/etc/pratique/ca/ca.crt",
            "--db-login=/etc/pratique/advisories-login/config.json",
            "--vex=/etc/pratique/vex",
        ]);
        let Command::Run(run) = cli.unwrap().command else { panic!("not run") };
        assert_eq!(run.names.object("agents"), "shop-agents");
        assert_eq!((run.failure_policy, run.detail), (FailurePolicy::Fail, Detail::Brief));
        assert_eq!(run.unused_after, Duration::from_secs(168 * 3600 + 1800));
        assert_eq!(run.exclude_namespaces, ["a", "b"]);
        let rules = run.rules.artifact().unwrap().unwrap();
        assert_eq!(rules.address.to_string(), "oci://registry.example/team/rules:1");
        assert_eq!(
            (rules.interval, &rules.options.insecure[..]),
            (Duration::from_secs(300), &["registry.example".to_owned()][..])
        );
        assert_eq!(rules.options.logins.files[0].path, Path::new("/etc/pratique/rules-login/config.json"));
        let settings = run.advisories.settings(Path::new("/store")).unwrap().unwrap();
        assert_eq!(settings.folder, Path::new("/store/advisories"));
        assert_eq!(settings.transport.insecure, ["mirror.example:80"]);
        assert_eq!(settings.transport.proxies.https.as_deref(), Some("http://proxy.example:3128"));
        assert_eq!(settings.interval, Duration::from_secs(3600));
        assert_eq!(settings.logins.files[0].path, Path::new("/etc/pratique/advisories-login/config.json"));
    }

    #[test]
    fn without_a_source_packages_are_not_matched_and_a_wrong_one_is_refused() {
        let run = |more: &[&str]| {
            let cli = Cli::try_parse_from([&["pratique-operator", "run"], more].concat()).unwrap();
            let Command::Run(run) = cli.command else { panic!("not run") };
            run.advisories.settings(Path::new("/store"))
        };
        assert!(run(&[]).unwrap().is_none());
        let error = format!("{:#}", run(&["--db-source=ftp://a.example"]).unwrap_err());
        assert!(error.contains("--db-source") && error.contains("ftp://a.example"), "{error}");
    }

    #[test]
    fn rules_come_from_an_artifact_if_one_is_named_and_a_wrong_name_is_refused() {
        let artifact = |more: &[&str]| {
            let cli = Cli::try_parse_from([&["pratique-operator", "run"], more].concat()).unwrap();
            let Command::Run(run) = cli.command else { panic!("not run") };
            run.rules.artifact()
        };
        assert!(artifact(&[]).unwrap().is_none());
        for wrong in ["https://registry.example/rules", "oci://team/rules"] {
            let error = format!("{:#}", artifact(&["--rules-artifact", wrong]).unwrap_err());
            assert!(
                error.starts_with("--rules-artifact: ") && error.contains("oci://registry/repository:tag"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_duration_that_is_none_is_refused() {
        for text in ["", "5", "0s", "-5s", "soon"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
