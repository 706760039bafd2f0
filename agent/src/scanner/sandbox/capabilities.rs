//! Capabilities: `CAP_DAC_READ_SEARCH` and no other.

use caps::{CapSet, Capability, CapsHashSet};

const KEPT: Capability = Capability::CAP_DAC_READ_SEARCH;

/// Drops every capability but `CAP_DAC_READ_SEARCH` from every set, the bounding set first: taking from that one needs
/// a capability that is then dropped, so a container that was given more without `CAP_SETPCAP` keeps it bounded only.
///
/// # Errors
/// Says which set still holds more, or that the kept capability was not there to keep.
pub fn keep_read_search() -> Result<(), String> {
    let fault = |error: caps::errors::CapsError| error.to_string();
    let bounding = caps::read(None, CapSet::Bounding).map_err(fault)?;
    let surplus: Vec<Capability> = bounding.into_iter().filter(|capability| *capability != KEPT).collect();
    let mut reason = None;
    for capability in surplus {
        if let Err(error) = caps::drop(None, CapSet::Bounding, capability) {
            reason = Some(format!("{capability} stays in the bounding set: {error}"));
        }
    }
    let permitted = caps::has_cap(None, CapSet::Permitted, KEPT).map_err(fault)?;
    let kept: CapsHashSet = permitted.then_some(KEPT).into_iter().collect();
    caps::clear(None, CapSet::Ambient).map_err(fault)?;
    caps::set(None, CapSet::Effective, &kept).map_err(fault)?;
    caps::set(None, CapSet::Permitted, &kept).map_err(fault)?;
    caps::clear(None, CapSet::Inheritable).map_err(fault)?;
    if !permitted {
        return Err(format!("{KEPT} was not given: files of other users cannot be read"));
    }
    reason.map_or(Ok(()), Err)
}
