//! `spdx`: an SPDX 2.3 document in JSON (<https://spdx.github.io/spdx-spec/v2.3/>).

use std::io::Write;

use crate::json_output::write_json;
use crate::spdx_document::Document;
use crate::{Error, Format, Options, Report};

pub(crate) static FORMAT: Format =
    Format { name: "spdx", summary: "SPDX 2.3 document, JSON", extension: "spdx.json", many: true, write };

fn write(reports: &[Report], _: &Options, out: &mut dyn Write) -> Result<(), Error> {
    write_json(&Document::of(reports)?, out)
}
