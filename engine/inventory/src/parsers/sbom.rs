//! SBOMs that lie in an image: those that its makers say of what they put in, such as Bitnami's, Wolfi's and Docker's.

use pratique_core::inspect::{FileInput, Interest};

use crate::sbom::{self, MAX_DOCUMENT};
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: Sbom = Sbom;

pub(super) struct Sbom;

impl Parser for Sbom {
    fn id(&self) -> &'static str {
        "sbom"
    }

    fn version(&self) -> u32 {
        2
    }

    fn interests(&self) -> &'static [Interest] {
        const {
            &[Interest::head(
                &[
                    "**/*.cdx.json",
                    "**/*.cdx.xml",
                    "**/*.spdx.json",
                    "**/*.spdx",
                    "usr/local/share/sbom/*.json",
                ],
                MAX_DOCUMENT,
            )]
        }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        if sbom::is_sbom(file) { sbom::parse(file) } else { Parsed::default() }
    }
}
