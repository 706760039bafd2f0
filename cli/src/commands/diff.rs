//! `pratique diff`: what a new image fixes and brings.

use pratique_core::Severity;
use pratique_report::diff;

use crate::args::{Diff, FailOn};
use crate::commands::scan::{What, engine, open_cache, settings};
use crate::config;
use crate::exit::{Code, Fail, Failure};
use crate::output::Outputs;

pub(super) fn run(arguments: Diff) -> Result<Code, Failure> {
    let Diff { old, new, mut options } = arguments;
    config::complete(&mut options).fail(Code::Usage)?;
    if options.policy.is_some() {
        let reason =
            "policies decide on one image, and not on a difference; scan the new image with --policy";
        return Err(anyhow::anyhow!(reason)).fail(Code::Usage);
    }
    let outputs = Outputs::of(&options.formats, "table").fail(Code::Usage)?;
    outputs.hold_diffs().fail(Code::Usage)?;
    let engine = engine(&options, What::Everything)?;
    let cache = open_cache(&options).fail(Code::Usage)?;
    let settings = settings(&options, What::Everything, &engine, cache.as_ref())?;
    let old = settings.scan(&old).fail(Code::Source)?;
    let new = settings.scan(&new).fail(Code::Source)?;
    let diff = diff(&old, &new);
    outputs.write_diff(&diff).fail(Code::Output)?;
    if let Some(cache) = &cache {
        cache.prune();
    }
    let FailOn(threshold) = options.fail_on.unwrap_or(FailOn(Some(Severity::Unknown)));
    let is_worse =
        threshold.is_some_and(|least| diff.brought.iter().any(|finding| finding.severity >= least));
    let is_whole = [&old, &new].iter().all(|report| report.gaps.is_empty());
    Ok(match (old.error.is_some() || new.error.is_some(), is_worse, is_whole) {
        (true, ..) => Code::Source,
        (false, true, _) => Code::Findings,
        (false, false, false) => Code::Incomplete,
        (false, false, true) => Code::Clean,
    })
}
