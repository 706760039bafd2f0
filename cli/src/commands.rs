//! The commands, one file each.

mod check;
mod completions;
mod db;
mod diff;
mod list;
mod man;
pub(crate) mod matching;
mod report;
mod scan;

use crate::args::{Args, Command};
use crate::exit::{Code, Failure};

/// Runs a command.
///
/// # Errors
/// What ended it early, with the exit code for that.
pub(crate) fn run(args: Args) -> Result<Code, Failure> {
    match args.command {
        Command::Scan(options) => scan::run(*options, scan::What::Everything),
        Command::Sbom(options) => scan::run(*options, scan::What::Inventory),
        Command::Diff(options) => diff::run(*options),
        Command::Match(options) => matching::run(*options),
        Command::Report(options) => report::run(*options),
        Command::Images { images } => list::images(&images),
        Command::Containers { containers } => list::containers(&containers),
        Command::Check => check::run(),
        Command::Db(db) => db::run(db),
        Command::Completions { shell } => completions::run(shell),
        Command::Man { folder } => man::run(&folder),
    }
}
