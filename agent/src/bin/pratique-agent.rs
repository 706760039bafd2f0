//! The node agent: broker and scanner are one program, so that the image holds the code they share once. Each runs in a
//! container of its own, and which of them a process is says its first argument.

use std::process::ExitCode;

use clap::Parser;
use pratique_agent::args::{Agent, AgentCommand, BrokerArgs};
use pratique_agent::{broker, check, logging, scanner};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

fn main() -> anyhow::Result<ExitCode> {
    match Agent::parse().command {
        AgentCommand::Run(args) => serve(args),
        AgentCommand::Check(args) => Ok(runtime()?.block_on(check::run(&args))),
        AgentCommand::Scanner(args) => {
            logging::start(&args.common)?;
            scanner::run(args)?;
            Ok(ExitCode::SUCCESS)
        }
        // A child inherits neither flags nor environment, and must not log to its answer.
        AgentCommand::Child => scanner::child::run(),
    }
}

/// Of the broker alone: the scanner and its children start no thread before they are in their sandbox.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

fn serve(args: BrokerArgs) -> anyhow::Result<ExitCode> {
    logging::start(&args.common)?;
    runtime()?.block_on(async {
        check::log_lacks(&args).await;
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        tokio::spawn(async move {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            stopping.cancel();
        });
        broker::run(args, stop).await
    })?;
    Ok(ExitCode::SUCCESS)
}
