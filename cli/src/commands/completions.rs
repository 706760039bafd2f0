//! `pratique completions`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Args;
use crate::exit::{Code, Failure};

pub(super) fn run(shell: Shell) -> Result<Code, Failure> {
    clap_complete::generate(shell, &mut Args::command(), "pratique", &mut std::io::stdout());
    Ok(Code::Clean)
}
