//! Landlock domains: a child reads beneath the folders of its scan and nothing else, and no signal leaves the scanner.
//!
//! <https://docs.kernel.org/userspace-api/landlock.html>

use std::os::fd::BorrowedFd;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, RestrictionStatus, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};

/// The newest version whose rights are asked for; an older kernel gives what it has.
const WANTED: ABI = ABI::V6;

/// Lets the calling process read files and folders beneath the given ones, and touch no other file, address or process.
///
/// # Errors
/// The kernel has no Landlock, or one that lacks some of this.
pub fn read_only_beneath(folders: &[BorrowedFd<'_>]) -> Result<(), String> {
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    let rules =
        folders.iter().map(|folder| Ok::<_, landlock::RulesetError>(PathBeneath::new(folder, reading)));
    let restrict = || -> Result<RestrictionStatus, landlock::RulesetError> {
        Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(WANTED))?
            .handle_access(AccessNet::from_all(WANTED))?
            .scope(Scope::from_all(WANTED))?
            .create()?
            .add_rules(rules)?
            .restrict_self()
    };
    enforced(restrict())
}

/// Lets the calling process signal only itself and its children: as uid 0 among the node's processes it could
/// otherwise kill any of root's.
///
/// # Errors
/// The kernel has no Landlock of version 6 (Linux 6.12).
pub fn keep_signals_inside() -> Result<(), String> {
    let restrict = || -> Result<RestrictionStatus, landlock::RulesetError> {
        Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .scope(Scope::from_all(WANTED))?
            .create()?
            .restrict_self()
    };
    enforced(restrict())
}

fn enforced(status: Result<RestrictionStatus, landlock::RulesetError>) -> Result<(), String> {
    let status = status.map_err(|error| error.to_string())?;
    match status.ruleset {
        RulesetStatus::FullyEnforced => Ok(()),
        RulesetStatus::PartiallyEnforced => {
            Err(format!("this kernel enforces only a part of it (wanted: {WANTED:?}; {:?})", status.landlock))
        }
        RulesetStatus::NotEnforced => {
            Err(format!("this kernel does not enforce it (wanted: {WANTED:?}; {:?})", status.landlock))
        }
    }
}
