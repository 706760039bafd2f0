//! `cyclonedx`: a CycloneDX 1.6 bill of materials in JSON (<https://cyclonedx.org/docs/1.6/json/>).

use std::io::Write;

use crate::bom::Bom;
use crate::json_output::write_json;
use crate::{Error, Format, Options, Report};

pub(crate) static FORMAT: Format = Format {
    name: "cyclonedx",
    summary: "CycloneDX 1.6 bill of materials, JSON",
    extension: "cdx.json",
    many: false,
    write,
};

fn write(reports: &[Report], _: &Options, out: &mut dyn Write) -> Result<(), Error> {
    for report in reports {
        write_json(&Bom::of(report)?, out)?;
    }
    Ok(())
}
