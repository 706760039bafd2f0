//! Wiring: every task, what it gets, and the order in which all of it ends.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Namespace, Node, Pod};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use pratique_core::stored;
use prometheus::Registry;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use tracing_subscriber::EnvFilter;

use crate::admin::Readiness;
use crate::agents::{AgentAccount, AgentsService, Hub, Limits, ScanSettings};
use crate::args::{Cli, Command, LogFormat, NameArgs, RunArgs};
use crate::auth::{Authenticator, TokenReviewer};
use crate::index::{Freshness, SharedIndex};
use crate::lease::{self, Leadership};
use crate::metrics::Metrics;
use crate::replicas::{ReplicasService, Trust};
use crate::store::ReportStore;
use crate::tls::{self, Certificates};
use crate::vulnerabilities::Vulnerabilities;
use crate::watch::{Indexed, feed};
use crate::{
    admin, admission, auth, endpoint, events, reconcile, replicas, reports, rules, schema, self_test, store,
    upkeep, vulnerabilities, webhook_config,
};

/// Admission requests worked on at a time.
const CONCURRENCY: usize = 512;

/// An API server that says nothing for this long is asked anew: its machine may have died without closing the connection.
/// Longer than the minute that lies between two bookmarks of a watch where nothing happens.
const SILENCE: Duration = Duration::from_secs(100);

/// Does what the command line says.
///
/// # Errors
/// With the reason why it cannot.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    let Cli { log, log_format, kubeconfig, command } = cli;
    start_logging(&log, log_format)?;
    // All TLS of this process; a second provider would have been refused at compile time by the features.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = connect(kubeconfig).await?;
    match command {
        Command::Run(args) => operate(*args, client).await,
        Command::ApplyCrds => Ok(schema::apply(&client).await?),
        Command::SelfTest(names) => self_test::run(client, &names).await,
        Command::Uninstall(names) => Ok(webhook_config::uninstall(client, &installation(&names)).await?),
    }
}

fn start_logging(log: &str, format: LogFormat) -> anyhow::Result<()> {
    let filter = EnvFilter::builder()
        .parse(log)
        .with_context(|| format!("--log `{log}` is no filter such as `info`"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stdout);
    match format {
        LogFormat::Text => builder.with_ansi(false).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    Ok(())
}

async fn connect(kubeconfig: Option<PathBuf>) -> anyhow::Result<Client> {
    let mut config = match kubeconfig {
        Some(path) => {
            let named = || format!("--kubeconfig {}", path.display());
            let kubeconfig = Kubeconfig::read_from(&path).with_context(named)?;
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
                .await
                .with_context(named)?
        }
        None => {
            Config::infer().await.context("no cluster: neither a pod's service account nor a kubeconfig")?
        }
    };
    config.read_timeout = Some(SILENCE);
    config.reset_reader_on_write = true;
    Client::try_from(config).context("no client for the API server")
}

fn installation(names: &NameArgs) -> webhook_config::Installation {
    webhook_config::Installation {
        configuration: names.name.clone(),
        namespace: names.namespace.clone(),
        authority: names.object("ca"),
        lease: names.object("operator"),
        deployment: names.object("operator"),
    }
}

async fn bind(flag: &str, address: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("--{flag} {address} cannot be listened on"))
}

/// Tasks that all run until the end. One that ends before is an error, and ends the others.
struct Tasks {
    tasks: JoinSet<(&'static str, anyhow::Result<()>)>,
    shutdown: CancellationToken,
}

impl Tasks {
    fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.try_spawn(name, async move {
            task.await;
            Ok(())
        });
    }

    fn try_spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        self.tasks.spawn(async move { (name, task.await) });
    }

    async fn join(mut self) -> anyhow::Result<()> {
        let mut failed = None;
        while let Some(ended) = self.tasks.join_next().await {
            let reason = match ended {
                Ok((_, Ok(()))) if self.shutdown.is_cancelled() => continue,
                Ok((name, Ok(()))) => format!("{name} ended"),
                Ok((name, Err(error))) => format!("{name}: {error:#}"),
                Err(panic) => format!("a task panicked: {panic}"),
            };
            error!(reason, "shutting down");
            self.shutdown.cancel();
            failed.get_or_insert(reason);
        }
        match failed {
            Some(reason) => bail!(reason),
            None => Ok(()),
        }
    }
}

async fn operate(args: RunArgs, client: Client) -> anyhow::Result<()> {
    // A flag that is left out here does not compile.
    let RunArgs {
        names,
        pod_name,
        pod_ip,
        webhook_listen,
        agents_listen,
        reports_listen,
        admin_listen,
        store: folder,
        token,
        rules,
        advisories,
        unused_after,
        scans_per_node,
        failure_policy,
        webhook_timeout,
        drain,
        detail,
        exclude_namespaces,
        certificate_lifetime,
        ca_lifetime,
    } = args;
    let started = Timestamp::now();
    let advisories = advisories.settings(&folder)?;
    let rules_artifact = rules.artifact()?;
    let shutdown = CancellationToken::new();
    let mut tasks = Tasks { tasks: JoinSet::new(), shutdown: shutdown.clone() };
    let registry = Registry::new();
    let metrics = Metrics::new(registry.clone())?;
    let readiness = Readiness::default();

    let webhook_listener = bind("webhook-listen", webhook_listen).await?;
    let agents_listener = bind("agents-listen", agents_listen).await?;
    let reports_listener = bind("reports-listen", reports_listen).await?;
    let admin_listener = bind("admin-listen", admin_listen).await?;
    let loaded = Arc::new(AtomicBool::new(false));
    readiness.require("schema and store", {
        let loaded = loaded.clone();
        move || loaded.load(Ordering::Relaxed)
    });
    tasks.try_spawn("signals", end_on_signal(readiness.clone(), shutdown.clone()));
    let ended = shutdown.clone();
    let admin = axum::serve(admin_listener, admin::router(registry.clone(), readiness.clone()));
    tasks.try_spawn("admin", async move { Ok(admin.with_graceful_shutdown(ended.cancelled_owned()).await?) });

    tokio::select! {
        checked = schema::check(&client) => checked?,
        () = shutdown.cancelled() => return tasks.join().await,
    }

    // What was known before the restart.
    let index = SharedIndex::default();
    let report_store = ReportStore::open(&folder)?;
    let rules_metrics = rules::Metrics::new(&registry)?;
    let user_rules =
        rules::Keeper::start(rules.rules, rules_artifact, report_store.clone(), rules_metrics).await;
    let known = report_store.load().await?;
    info!(reports = known.facts.len(), dropped = known.dropped, "report store loaded");
    let changes = {
        let mut index = index.write();
        for (mut facts, since) in known.facts {
            if advisories.is_none() {
                vulnerabilities::forget(&mut facts);
            }
            index.apply_known_facts(Arc::new(facts), since);
        }
        for (image, counts) in known.packages {
            index.apply_packages(&image, counts);
        }
        for seen in known.seen {
            index.apply_first_seen(&seen.namespace, &seen.image, seen.at, started);
        }
        index.subscribe()
    };
    loaded.store(true, Ordering::Relaxed);
    let writer =
        store::write_behind(report_store.clone(), index.clone(), changes, metrics.clone(), shutdown.clone());
    tasks.spawn("report store", writer);

    // Watches.
    feed_index::<Namespace>(&mut tasks, "namespaces", &client, &index, &readiness);
    feed_index::<Node>(&mut tasks, "nodes", &client, &index, &readiness);
    feed_index::<Pod>(&mut tasks, "pods", &client, &index, &readiness);
    let watches = reconcile::watches::start(&client, &shutdown);
    readiness.require("policies", {
        let synced = watches.synced.clone();
        move || *synced.borrow()
    });

    // Certificates.
    let certificates = Certificates::default();
    readiness.require("certificate", {
        let certificates = certificates.clone();
        move || certificates.ready(Timestamp::now())
    });
    let services = vec![names.object("webhook"), names.object("agents"), names.object("reports")];
    let tls_settings = tls::Settings {
        name: names.object("ca"),
        names: tls::Names { services, namespace: names.namespace.clone(), address: Some(pod_ip) },
        certificate_lifetime,
        authority_lifetime: ca_lifetime,
    };
    let keeper =
        tls::run(client.clone(), tls_settings, certificates.clone(), registry.clone(), shutdown.clone());
    tasks.try_spawn("certificates", async move { Ok(keeper.await?) });

    // Who leads.
    let leadership = watch::Sender::new(Leadership::Unknown);
    let leads = leadership.subscribe();
    let lease_settings = lease::Settings {
        namespace: names.namespace.clone(),
        name: names.object("operator"),
        pod: pod_name.clone(),
        address: std::net::SocketAddr::new(pod_ip, agents_listen.port()).to_string(),
    };
    let informed = {
        let index = index.clone();
        move || index.read().freshness() != Freshness::Never
    };
    tasks.spawn("lease", lease::run(client.clone(), lease_settings, informed, leadership, shutdown.clone()));

    // Agents and followers.
    let settings = watch::Sender::new(ScanSettings::default());
    let limits = Limits { per_node: usize::from(scans_per_node), ..Limits::default() };
    let vulnerabilities =
        advisories.as_ref().map(|_| Vulnerabilities::new(index.clone(), report_store.clone()));
    let hub = Hub::new(
        index.clone(),
        report_store.clone(),
        vulnerabilities.clone(),
        settings.subscribe(),
        leads.clone(),
        limits,
        metrics.clone(),
    );
    hub.recall(known.attempts);
    tasks.spawn(
        "scan settings",
        upkeep::follow_policies(
            watches.policies.clone(),
            user_rules.in_force(),
            settings,
            metrics.clone(),
            shutdown.clone(),
        ),
    );
    tasks.spawn("planner", hub.clone().run(shutdown.clone()));
    let authenticator: Arc<dyn Authenticator> = Arc::new(TokenReviewer::new(client.clone(), auth::AUDIENCE));
    let account = AgentAccount { namespace: names.namespace.clone(), name: names.object("agent") };
    let agents = AgentsService::new(hub.clone(), authenticator.clone(), account);
    let own_account = (names.namespace.clone(), names.object("operator"));
    let synced = Arc::new(AtomicBool::new(false));
    let followers = ReplicasService::new(
        index.clone(),
        report_store.clone(),
        leads.clone(),
        synced.clone(),
        authenticator,
        own_account,
        metrics.clone(),
    );
    let tls = certificates.server_config(&["h2"])?;
    let server = endpoint::serve(agents_listener, tls, agents, followers, shutdown.clone());
    tasks.try_spawn("agents' endpoint", async move { Ok(server.await?) });
    let trust = Trust {
        bundle: certificates.bundle(),
        server_name: format!("{}.{}.svc", names.object("agents"), names.namespace),
        token,
        replica: pod_name.clone(),
    };
    tasks.spawn("follower", replicas::follow(index.clone(), trust.clone(), leads.clone(), shutdown.clone()));
    readiness.require("facts", {
        let synced = synced.clone();
        move || synced.load(Ordering::Relaxed)
    });
    let facts =
        upkeep::facts_synced(index.clone(), hub.clone(), (names.namespace.clone(), names.object("agent")));
    let ended = shutdown.clone();
    tasks.spawn("facts", async move {
        if ended.run_until_cancelled(facts).await.is_some() {
            synced.store(true, Ordering::Relaxed);
            hub.hand_out();
            info!("facts are synced");
            ended.cancelled().await;
        }
    });
    tasks.spawn(
        "unused reports",
        store::collect_unused(index.clone(), leads.clone(), unused_after, shutdown.clone()),
    );
    tasks.spawn("upkeep", upkeep::run(index.clone(), leads.clone(), metrics, unused_after, shutdown.clone()));

    // Admission.
    let (notices, noticed) = events::Notices::new();
    tasks.spawn("events", events::publish(client.clone(), pod_name, noticed, shutdown.clone()));
    let deployment = (names.namespace.clone(), names.object("operator"));
    let itself = events::deployment(client.clone(), deployment.clone());
    let (leads_rules, told, ended) = (leads.clone(), notices.clone(), shutdown.clone());
    tasks.spawn("user's rules", async move { user_rules.run(leads_rules, told, itself.await, ended).await });
    let admission = admission::Admission::new(
        index.clone(),
        watches.policies.clone(),
        watches.reports.clone(),
        // An answer that comes when the API server no longer waits is none.
        admission::Settings {
            detail: detail.into(),
            concurrency: CONCURRENCY,
            timeout: webhook_timeout * 9 / 10,
        },
        admission::Metrics::new(&registry)?,
        notices.clone(),
    );
    let tls = certificates.server_config(&["h2", "http/1.1"])?;
    tasks.spawn(
        "webhook",
        admission::serve(webhook_listener, tls, admission.router(), drain, shutdown.clone()),
    );

    // Whole reports.
    let reports = reports::Reports {
        index: index.clone(),
        store: report_store,
        names: watches.reports.clone(),
        leadership: leads.clone(),
        trust,
        authenticator: Arc::new(TokenReviewer::new(client.clone(), stored::AUDIENCE)),
        account: (names.namespace.clone(), names.object("viewer")),
    };
    let tls = certificates.server_config(&["http/1.1"])?;
    let server =
        admission::serve(reports_listener, tls, reports::router(reports), Duration::ZERO, shutdown.clone());
    tasks.spawn("reports", server);

    // What only the leader does.
    let context = reconcile::Context {
        client: client.clone(),
        index,
        watches,
        notices,
        metrics: reconcile::Metrics::new(&registry)?,
    };
    let notify = vulnerabilities::Notify {
        notices: context.notices.clone(),
        owners: context.watches.owners.clone(),
        metrics: vulnerabilities::Metrics::new(&registry)?,
    };
    let matching = vulnerabilities.zip(advisories);
    let webhook_settings = webhook_config::Settings {
        name: names.name.clone(),
        service: names.object("webhook"),
        authority: names.object("ca"),
        namespace: names.namespace,
        failure_policy,
        timeout: webhook_timeout,
        exclude_namespaces,
    };
    let webhook_metrics = webhook_config::Metrics::new(&registry)?;
    tasks.spawn(
        "leader's work",
        while_leading(leads, shutdown.clone(), move |reign: CancellationToken| {
            let ready = readiness.clone();
            let keep = webhook_config::keep(
                client.clone(),
                webhook_settings.clone(),
                certificates.clone(),
                move || ready.is_ready(),
                started,
                webhook_metrics.clone(),
                reign.clone(),
            );
            let lead = reconcile::lead(context.clone(), reign.clone());
            let (matching, notify) = (matching.clone(), notify.clone());
            let operator = events::deployment(client.clone(), deployment.clone());
            let matching = async move {
                if let Some((vulnerabilities, settings)) = matching {
                    vulnerabilities::lead(vulnerabilities, settings, notify, operator.await, reign).await;
                }
            };
            async move {
                tokio::join!(keep, lead, matching);
            }
        }),
    );
    tasks.join().await
}

/// Starts a watch, and makes readiness wait for its first list.
fn feed_index<K: Indexed>(
    tasks: &mut Tasks,
    name: &'static str,
    client: &Client,
    index: &SharedIndex,
    readiness: &Readiness,
) {
    let (synced, is_synced) = watch::channel(false);
    readiness.require(name, move || *is_synced.borrow());
    tasks.spawn(name, feed::<K>(client.clone(), index.clone(), synced, tasks.shutdown.clone()));
}

/// Begins `work` whenever this replica comes to lead, and ends it when it no longer does, or with `shutdown`.
async fn while_leading<W: Future<Output = ()>>(
    mut leadership: watch::Receiver<Leadership>,
    shutdown: CancellationToken,
    work: impl Fn(CancellationToken) -> W,
) {
    loop {
        let gained = leadership.wait_for(|leadership| leadership.epoch().is_some());
        // A lease that is no longer competed for is not gained any more.
        if !matches!(shutdown.run_until_cancelled(gained).await, Some(Ok(_))) {
            return shutdown.cancelled().await;
        }
        let reign = shutdown.child_token();
        let lost = async {
            let lost = leadership.wait_for(|leadership| leadership.epoch().is_none());
            drop(shutdown.run_until_cancelled(lost).await);
            reign.cancel();
        };
        tokio::join!(work(reign.clone()), lost);
    }
}

async fn end_on_signal(readiness: Readiness, shutdown: CancellationToken) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be handled")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be handled")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = shutdown.cancelled() => {}
    }
    info!("ending");
    readiness.leave();
    shutdown.cancel();
    Ok(())
}
