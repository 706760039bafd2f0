//! Which formats go where.

use std::fs;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use pratique_report::{Diff, Format, Options, Report, Template};

use crate::args;

/// Formats and their places.
pub(crate) struct Outputs {
    outputs: Vec<(&'static Format, Option<PathBuf>)>,
    options: Options,
}

impl Outputs {
    /// What the options ask for; `default` if they name no format.
    ///
    /// # Errors
    /// An unknown format, several for one place, a template that cannot be read.
    pub(crate) fn of(formats: &args::Formats, default: &str) -> anyhow::Result<Self> {
        let names = if formats.format.is_empty() { vec![default.to_owned()] } else { formats.format.clone() };
        let mut outputs = Vec::new();
        for name in &names {
            let (name, file) = match name.split_once('=') {
                Some((name, file)) => (name, Some(PathBuf::from(file))),
                None => (name.as_str(), None),
            };
            outputs.push((Format::parse(name)?, file));
        }
        let mut unplaced = outputs.iter_mut().filter(|(_, file)| file.is_none());
        if let (Some((_, file)), Some(output)) = (unplaced.next(), &formats.output) {
            *file = Some(output.clone());
        }
        if let Some((second, _)) = unplaced.next() {
            bail!(
                "two formats would go to one place; name a file for one of them: --format {}=FILE",
                second.name()
            );
        }
        let template = match &formats.template {
            Some(path) => {
                let text =
                    fs::read_to_string(path).with_context(|| format!("template {}", path.display()))?;
                let name =
                    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                Some(Template { name, text })
            }
            None if outputs.iter().any(|(format, _)| format.name() == "template") => {
                return Err(pratique_report::Error::NoTemplate.into());
            }
            None => None,
        };
        let terminal = io::stdout().is_terminal();
        let options = Options {
            width: terminal.then(width).flatten(),
            colours: terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
            packages: formats.packages,
            template,
        };
        Ok(Self { outputs, options })
    }

    /// Writes every format. A file is replaced whole or not at all.
    ///
    /// # Errors
    /// The first place that cannot be written, or a format that cannot hold the reports.
    pub(crate) fn write(&self, reports: &[Report]) -> anyhow::Result<()> {
        self.write_by(|format, options, out| pratique_report::write(format, reports, options, out))
    }

    /// Writes a difference in the formats that there are for it.
    ///
    /// # Errors
    /// As [`Outputs::write`].
    pub(crate) fn write_diff(&self, diff: &Diff<'_>) -> anyhow::Result<()> {
        self.write_by(|format, options, out| match format.name() {
            "json" => diff.write_json(out),
            _ => diff.write_table(options, out),
        })
    }

    /// Whether a difference can be written in all of its formats.
    ///
    /// # Errors
    /// The first that it cannot be written in.
    pub(crate) fn hold_diffs(&self) -> anyhow::Result<()> {
        match self.outputs.iter().find(|(format, _)| !matches!(format.name(), "json" | "table")) {
            Some((format, _)) => {
                bail!("there is no difference in the format `{}`; use table or json", format.name())
            }
            None => Ok(()),
        }
    }

    fn write_by(
        &self,
        write: impl Fn(&Format, &Options, &mut dyn Write) -> Result<(), pratique_report::Error>,
    ) -> anyhow::Result<()> {
        for (format, file) in &self.outputs {
            let Some(path) = file else {
                let mut out = BufWriter::new(io::stdout().lock());
                let written = write(format, &self.options, &mut out).map_err(anyhow::Error::from);
                match written.and_then(|()| Ok(out.flush()?)) {
                    // Whoever reads has seen enough, as `head` has.
                    Err(error) if is_broken_pipe(&error) => continue,
                    other => other.context("standard output")?,
                }
                continue;
            };
            let plain = Options { width: None, colours: false, ..self.options.clone() };
            let mut bytes = Vec::new();
            write(format, &plain, &mut bytes)?;
            store(path, &bytes).with_context(|| format!("{} as {}", path.display(), format.name()))?;
        }
        Ok(())
    }
}

/// Replaces a file whole or not at all.
fn store(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A device or a pipe is written to, not replaced.
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return fs::write(path, bytes);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().permissions(readable()).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// The permissions of any new file; the process's umask is applied to them.
fn readable() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    fs::Permissions::from_mode(0o644)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// Columns of the terminal.
fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}
