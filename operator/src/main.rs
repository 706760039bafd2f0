//! `pratique-operator`; everything is in the library, so that it can be tested.

use std::process::ExitCode;

use clap::Parser;
use pratique_operator::args::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    match pratique_operator::run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pratique-operator: {error:#}");
            ExitCode::FAILURE
        }
    }
}
