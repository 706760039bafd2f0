//! Log lines on standard output.

use tracing_subscriber::EnvFilter;

use crate::args::{Common, LogFormat};

/// Starts logging as the flags say.
///
/// # Errors
/// The filter cannot be parsed.
pub fn start(args: &Common) -> anyhow::Result<()> {
    let filter = EnvFilter::builder()
        .parse(&args.log)
        .map_err(|error| anyhow::anyhow!("--log `{}` is no filter such as `info`: {error}", args.log))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stdout);
    match args.log_format {
        LogFormat::Text => builder.with_ansi(false).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    Ok(())
}
