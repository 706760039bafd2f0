//! `pratique man`.

use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;

use crate::args::Args;
use crate::exit::{Code, Fail, Failure};

pub(super) fn run(folder: &Path) -> Result<Code, Failure> {
    clap_mangen::generate_to(Args::command(), folder)
        .with_context(|| format!("the folder {} for the manual's pages", folder.display()))
        .fail(Code::Output)?;
    Ok(Code::Clean)
}
