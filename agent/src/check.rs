//! What broker and scanner can and cannot do on this node, item by item.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use pratique_fs::containerd::{Containerd, StatePaths};
use pratique_fs::oci::host_platform;
use pratique_wire::scanner::{Check, CheckItem, from_scanner, to_scanner};

use crate::args::BrokerArgs;
use crate::broker::credentials::Credentials;
use crate::broker::scanner::Scanner;
use crate::metrics::Metrics;

/// How long scanner and operator may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Prints both containers' items; success if nothing is lacking.
pub async fn run(args: &BrokerArgs) -> ExitCode {
    let mut fine = true;
    for (container, items) in [("broker", broker(args).await), ("scanner", scanner(args).await)] {
        for CheckItem { name, ok, detail } in items {
            fine &= ok;
            println!("{} {container}: {name}: {detail}", if ok { "ok    " } else { "LACKS " });
        }
    }
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Logs what the broker lacks; the scanner does so for itself.
pub async fn log_lacks(args: &BrokerArgs) {
    for item in broker(args).await.into_iter().filter(|item| !item.ok) {
        tracing::warn!(
            item = item.name,
            detail = item.detail,
            "not as it should be; the agent does the rest"
        );
    }
}

/// The value of a line `Name:\tvalue` of /proc/PID/status.
pub(crate) fn status_field<'s>(status: &'s str, name: &str) -> Option<&'s str> {
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

async fn broker(args: &BrokerArgs) -> Vec<CheckItem> {
    let credentials = Credentials { token_file: args.token_file.clone(), ca_file: args.ca_file.clone() };
    let mut items = runtime(args).await;
    items.push(outcome("token", credentials.authorization().map(|_| args.token_file.display().to_string())));
    items.push(outcome(
        "certificate authority",
        credentials.tls(args.operator_name()).map(|_| args.ca_file.display().to_string()),
    ));
    let reached = tokio::time::timeout(PATIENCE, tokio::net::TcpStream::connect(&args.operator)).await;
    items.push(match reached {
        Ok(Ok(_)) => item("operator can be reached", true, args.operator.clone()),
        Ok(Err(error)) => item("operator can be reached", false, format!("{}: {error}", args.operator)),
        Err(_) => item(
            "operator can be reached",
            false,
            format!("{}: no answer within {PATIENCE:?}", args.operator),
        ),
    });
    items.push(outcome(
        "other processes' roots (SYS_PTRACE, hostPID)",
        std::fs::read_dir("/proc/1/root/").map(|_| "/proc/1/root".to_owned()),
    ));
    items
}

async fn runtime(args: &BrokerArgs) -> Vec<CheckItem> {
    let root = &args.common.runtime_root;
    let mut items = match Containerd::connect(&args.runtime_socket, "check").await {
        Ok(containerd) => vec![
            outcome(
                "containerd",
                containerd
                    .version()
                    .await
                    .map(|version| format!("version {version} on {}", args.runtime_socket.display())),
            ),
            layers(&containerd, root).await,
        ],
        Err(error) => vec![item("containerd", false, error.to_string())],
    };
    items.push(outcome(
        "runtime's root is mounted",
        std::fs::read_dir(root).map(|_| root.display().to_string()),
    ));
    let read_only =
        rustix::fs::statvfs(root).map(|stat| stat.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
    items.push(match read_only {
        Ok(true) => item("runtime's root is read-only", true, root.display().to_string()),
        Ok(false) => item("runtime's root is read-only", false, format!("{} can be written", root.display())),
        Err(error) => item("runtime's root is read-only", false, format!("{}: {error}", root.display())),
    });
    items
}

/// Tries the folder of one layer, as a scan would.
async fn layers(containerd: &Containerd, root: &Path) -> CheckItem {
    const NAME: &str = "folders of layers";
    let images = match containerd.images().await {
        Ok(images) => images,
        Err(error) => return item(NAME, false, error.to_string()),
    };
    let Some(image) = images.first() else { return item(NAME, true, "there is no image yet to try one of") };
    let tried = async {
        let manifest = containerd.identify(image, &host_platform()).await?;
        let snapshotters = containerd.snapshotters(&image.namespace, &manifest.image).await?;
        let (Some(layer), Some(snapshotter)) = (manifest.layers.first(), snapshotters.first()) else {
            return Ok(format!("image {} is not unpacked: its blobs are read", image.name));
        };
        let mut view = containerd.view(&image.namespace, Duration::from_secs(60)).await?;
        let folder = view.folder(snapshotter, &layer.chain_id, true).await;
        let opened = folder.and_then(|folder| StatePaths::new(root).open_folder(&folder.path));
        view.release().await?;
        opened.map(|_| format!("snapshotter {snapshotter}"))
    };
    outcome(NAME, tried.await.map_err(|error: pratique_fs::Error| error))
}

async fn scanner(args: &BrokerArgs) -> Vec<CheckItem> {
    let asked = async {
        let metrics = Arc::new(Metrics::new().map_err(|error| error.to_string())?);
        let scanner = Arc::new(Scanner::new(args.common.scanner_socket.clone(), metrics));
        let mut exchange =
            scanner.begin(to_scanner::Message::Check(Check {})).await.map_err(|lost| lost.to_string())?;
        match exchange.next(PATIENCE).await {
            Ok(from_scanner::Message::Check(report)) => Ok(report.items),
            Ok(_) => Err("it answered something else; are both containers of one release?".to_owned()),
            Err(lost) => Err(lost.to_string()),
        }
    };
    asked.await.unwrap_or_else(|reason: String| vec![item("answers", false, reason)])
}

fn item(name: &str, ok: bool, detail: impl Into<String>) -> CheckItem {
    CheckItem { name: name.to_owned(), ok, detail: detail.into() }
}

fn outcome(name: &str, result: Result<String, impl std::fmt::Display>) -> CheckItem {
    match result {
        Ok(detail) => item(name, true, detail),
        Err(error) => item(name, false, error.to_string()),
    }
}
