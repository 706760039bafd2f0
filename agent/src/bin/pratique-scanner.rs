//! The scanner: reads what the broker hands it, and nothing else.

use std::process::ExitCode;

use clap::Parser;
use pratique_agent::args::{ScannerArgs, ScannerCommand};
use pratique_agent::{logging, scanner};

fn main() -> anyhow::Result<ExitCode> {
    // A child inherits neither flags nor environment, and must not log to its answer.
    let args = ScannerArgs::parse();
    if args.command == Some(ScannerCommand::Child) {
        return scanner::child::run();
    }
    logging::start(&args.common)?;
    scanner::run(args)?;
    Ok(ExitCode::SUCCESS)
}
