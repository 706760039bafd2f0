//! `spdx-tag`: the same document as tags and values
//! (<https://spdx.github.io/spdx-spec/v2.3/conformance/#44-standard-data-format-requirements>). Every value stands on one
//! line.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};

use crate::spdx_document::{Document, Package};
use crate::{Error, Format, Options, Report};

pub(crate) static FORMAT: Format = Format {
    name: "spdx-tag",
    summary: "SPDX 2.3 document, tags and values",
    extension: "spdx",
    many: true,
    write,
};

fn write(reports: &[Report], _: &Options, out: &mut dyn Write) -> Result<(), Error> {
    let document = Document::of(reports)?;
    let mut tags = Tags(BufWriter::new(out));
    tags.document(&document)?;
    document.packages.iter().try_for_each(|package| tags.package(package))?;
    tags.rest(&document)?;
    tags.0.flush()?;
    Ok(())
}

struct Tags<W: Write>(W);

impl<W: Write> Tags<W> {
    fn document(&mut self, document: &Document) -> io::Result<()> {
        self.line("SPDXVersion", document.spdx_version)?;
        self.line("DataLicense", document.data_license)?;
        self.line("SPDXID", document.id)?;
        self.line("DocumentName", &document.name)?;
        self.line("DocumentNamespace", &document.document_namespace)?;
        self.text("DocumentComment", &document.comment)?;
        for creator in &document.creation_info.creators {
            self.line("Creator", creator)?;
        }
        self.line("Created", &document.creation_info.created)?;
        for annotation in &document.annotations {
            writeln!(self.0)?;
            self.line("Annotator", &annotation.annotator)?;
            self.line("AnnotationDate", &annotation.annotation_date)?;
            self.line("AnnotationType", annotation.annotation_type)?;
            self.line("SPDXREF", document.id)?;
            self.text("AnnotationComment", &annotation.comment)?;
        }
        Ok(())
    }

    fn package(&mut self, package: &Package) -> io::Result<()> {
        writeln!(self.0)?;
        self.line("PackageName", &package.name)?;
        self.line("SPDXID", &package.id)?;
        if let Some(version) = &package.version_info {
            self.line("PackageVersion", version)?;
        }
        self.line("PackageDownloadLocation", package.download_location)?;
        self.line("FilesAnalyzed", if package.files_analyzed { "true" } else { "false" })?;
        for checksum in &package.checksums {
            self.line("PackageChecksum", &format!("{}: {}", checksum.algorithm, checksum.checksum_value))?;
        }
        if let Some(source) = &package.source_info {
            self.text("PackageSourceInfo", source)?;
        }
        self.line("PackageLicenseConcluded", package.license_concluded)?;
        self.line("PackageLicenseDeclared", &package.license_declared)?;
        self.line("PackageCopyrightText", package.copyright_text)?;
        if let Some(comment) = &package.comment {
            self.text("PackageComment", comment)?;
        }
        for reference in &package.external_refs {
            let parts =
                (reference.reference_category, reference.reference_type, &reference.reference_locator);
            self.line("ExternalRef", &format!("{} {} {}", parts.0, parts.1, parts.2))?;
        }
        self.line("PrimaryPackagePurpose", &package.primary_package_purpose.replace('_', "-"))
    }

    fn rest(&mut self, document: &Document) -> io::Result<()> {
        for license in &document.has_extracted_licensing_infos {
            writeln!(self.0)?;
            self.line("LicenseID", &license.license_id)?;
            self.text("ExtractedText", &license.extracted_text)?;
            self.line("LicenseName", &license.name)?;
        }
        writeln!(self.0)?;
        document.relationships.iter().try_for_each(|relationship| {
            let (from, to) = (&relationship.spdx_element_id, &relationship.related_spdx_element);
            self.line("Relationship", &format!("{from} {} {to}", relationship.relationship_type))
        })
    }

    fn line(&mut self, tag: &str, value: &str) -> io::Result<()> {
        writeln!(self.0, "{tag}: {}", unmarked(value))
    }

    fn text(&mut self, tag: &str, value: &str) -> io::Result<()> {
        writeln!(self.0, "{tag}: <text>{}</text>", unmarked(value))
    }
}

/// The marks of long texts may not stand within values: one would end a text early or begin one that never ends.
fn unmarked(value: &str) -> Cow<'_, str> {
    if value.contains("text>") {
        Cow::Owned(value.replace("<text>", "\\x3ctext>").replace("</text>", "\\x3c/text>"))
    } else {
        Cow::Borrowed(value)
    }
}
