//! The broker: finds the node's images, has them scanned and tells the operator.

use std::process::ExitCode;

use clap::Parser;
use pratique_agent::args::{Broker, BrokerCommand};
use pratique_agent::{broker, check, logging};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<ExitCode> {
    let args = match Broker::parse().command {
        BrokerCommand::Check(args) => return Ok(check::run(&args).await),
        BrokerCommand::Run(args) => args,
    };
    logging::start(&args.common)?;
    check::log_lacks(&args).await;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        stopping.cancel();
    });
    broker::run(args, stop).await?;
    Ok(ExitCode::SUCCESS)
}
