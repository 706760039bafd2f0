//! `purls`: package URLs, one a line (<https://github.com/package-url/purl-spec>). It has no room for gaps: whoever uses
//! it looks at the exit code.

use std::collections::BTreeSet;
use std::io::{BufWriter, Write};

use crate::text::visible;
use crate::{Error, Format, Options, Report};

pub(crate) static FORMAT: Format = Format {
    name: "purls",
    summary: "package URLs, one a line, each once",
    extension: "txt",
    many: true,
    write,
};

fn write(reports: &[Report], _: &Options, out: &mut dyn Write) -> Result<(), Error> {
    let packages = reports.iter().flat_map(|report| &report.inventory.packages);
    let purls: BTreeSet<_> = packages.map(|package| visible(&package.purl)).collect();
    let mut out = BufWriter::new(out);
    for purl in purls {
        writeln!(out, "{purl}")?;
    }
    out.flush()?;
    Ok(())
}
