//! The command `pratique`.

use std::process::ExitCode;

use clap::Parser;

mod advisories;
mod allocator;
mod args;
mod bases;
mod cache;
mod clamd;
mod commands;
mod config;
mod exit;
mod files;
mod ignore;
mod judge;
mod newer_base;
mod output;
mod policy;
mod progress;
mod rules;
mod suppress;
mod target;
mod timings;

fn main() -> ExitCode {
    let args = match args::Args::try_parse() {
        Ok(args) => args,
        // clap's own code for wrong usage is 2, which here means incomplete.
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { exit::Code::Usage.into() } else { ExitCode::SUCCESS };
        }
    };
    match commands::run(args) {
        Ok(code) => code.into(),
        Err(failure) => {
            eprintln!("pratique: {:#}", failure.error);
            failure.code.into()
        }
    }
}
