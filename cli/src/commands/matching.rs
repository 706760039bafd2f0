//! `pratique match`: an SBOM in, its vulnerabilities out.

use std::fs::File;
use std::io;

use anyhow::Context;
use pratique_core::Gap;
use pratique_inventory::read_sbom;
use pratique_report::{Report, Target, TargetKind};

use crate::args::Match;
use crate::commands::scan::{What, engine, settings, verdict};
use crate::exit::{Code, Fail, Failure};
use crate::newer_base::NewerBase;
use crate::output::Outputs;
use crate::target::{Settings, empty};
use crate::{config, files, judge};

/// Bytes of an SBOM at most.
const LIMIT: u64 = 512 << 20;

pub(super) fn run(matching: Match) -> Result<Code, Failure> {
    let Match { sboms, mut options } = matching;
    config::complete(&mut options).fail(Code::Usage)?;
    if options.policy.is_some() {
        let reason = "policies decide on images, and an SBOM is none; scan the image with --policy";
        return Err(anyhow::anyhow!(reason)).fail(Code::Usage);
    }
    let outputs = Outputs::of(&options.formats, "table").fail(Code::Usage)?;
    let engine = engine(&options, What::Inventory)?;
    let settings = settings(&options, What::Everything, &engine, None)?;
    let newer = NewerBase::of(&options, &settings).fail(Code::Source)?;
    let mut code = Code::Clean;
    let mut reports = Vec::new();
    for sbom in &sboms {
        match report(sbom, &settings) {
            Ok(mut report) => {
                if let Some(newer) = &newer {
                    newer.compare(&mut report);
                }
                code = code.worse(verdict(&report, options.fail_on));
                reports.push(report);
            }
            Err(error) => {
                eprintln!("pratique: {sbom}: {error:#}");
                code = code.worse(Code::Source);
            }
        }
    }
    if !reports.is_empty() {
        outputs.write(&reports).fail(Code::Output)?;
    }
    Ok(code)
}

/// What an SBOM's packages are, and what advisories say of them.
///
/// # Errors
/// It cannot be read, or is none.
pub(crate) fn report(sbom: &str, settings: &Settings<'_>) -> anyhow::Result<Report> {
    let bytes = match sbom {
        "-" => files::read_from(io::stdin().lock(), LIMIT),
        path => files::read_from(File::open(path)?, LIMIT),
    }?;
    let name = if sbom == "-" { "standard input" } else { sbom };
    let (inventory, problems) =
        read_sbom(&bytes, name).map_err(anyhow::Error::msg).context("it is no SBOM")?;
    let target = Target { reference: name.to_owned(), source: "sbom".to_owned(), kind: TargetKind::File };
    let gaps = problems
        .into_iter()
        .map(|(kind, reason)| Gap { path: Some(name.to_owned()), ..Gap::of_image(kind, reason) });
    let mut report = Report { inventory, gaps: gaps.collect(), ..empty(target) };
    judge::packages(&settings.advisories, &mut report)?;
    settings.suppression.apply(&mut report);
    Ok(report)
}
