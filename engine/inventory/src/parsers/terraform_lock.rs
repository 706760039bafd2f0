//! The providers that Terraform and OpenTofu installed for a configuration
//! (<https://developer.hashicorp.com/terraform/language/files/dependency-lock>).
//!
//! The file is HCL that the tools write in one form, a block for each provider and an argument a line: that form is read.

use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package};

use crate::{Parsed, Parser, formats};

/// The parser.
pub(super) static PARSER: TerraformLock = TerraformLock;

pub(super) struct TerraformLock;

impl Parser for TerraformLock {
    fn id(&self) -> &'static str {
        "terraform-lock"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["**/.terraform.lock.hcl"], 4 << 20)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let text = match formats::text(file) {
            Ok(text) => text,
            Err(problem) => return problem,
        };
        let blocks = text.split("\nprovider ").map(|block| block.strip_prefix("provider ").unwrap_or(block));
        let blocks = blocks.filter(|block| block.starts_with('"'));
        formats::entries(blocks.map(|block| (block.lines().next().unwrap_or_default(), package(block))))
    }
}

/// `"registry.terraform.io/hashicorp/aws" {`, and the lines of its block.
fn package(block: &str) -> Option<Package> {
    let (address, body) = block.strip_prefix('"')?.split_once("\" {")?;
    let (body, _) = body.split_once("\n}")?;
    let version = body.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "version").then(|| value.trim().trim_matches('"'))
    })?;
    let (registry, name) = address.split_once('/')?;
    if version.is_empty() || !name.contains('/') {
        return None;
    }
    let mut package = Package::new(Ecosystem::Terraform, name, version);
    package.evidence = Evidence::Locked;
    if registry != "registry.terraform.io" {
        package.attributes.insert("repository".to_owned(), format!("https://{registry}"));
    }
    Some(package)
}
