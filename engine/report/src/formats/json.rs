//! `json`: our own format, with every detail, by the schema `docs/schema/report-v1.json`.

use std::io::Write;

use crate::document::Document;
use crate::json_output::write_json;
use crate::{Error, Format, Options, Report};

pub(crate) static FORMAT: Format = Format {
    name: "json",
    summary: "everything, by a published schema (docs/schema/report-v1.json)",
    extension: "json",
    many: true,
    write,
};

fn write(reports: &[Report], _: &Options, out: &mut dyn Write) -> Result<(), Error> {
    write_json(&Document::of(reports), out)
}
