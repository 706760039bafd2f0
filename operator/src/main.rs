//! `pratique-operator`; everything is in the library, so that it can be tested.

use clap::Parser;
use pratique_operator::args::Cli;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    pratique_operator::run(Cli::parse()).await
}
