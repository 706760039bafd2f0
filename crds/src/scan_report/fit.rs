//! A report that stays small, whatever the image: etcd holds one for every image of the cluster.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Finding, Gap, PolicyExplanation, ScanReportStatus};

/// Largest status in bytes of JSON. Metadata (managed fields above all) and spec need the rest of an object's 16 KiB.
pub const MAX_STATUS: usize = 12 * 1024;

/// `status` within the schema's bounds and within [`MAX_STATUS`]. The least important goes first: further reasons,
/// digests, references, attributes, then gaps, policies and the less severe findings (which stand last). What goes is
/// counted in `omitted`; whoever wants all reads the operator's whole report.
pub fn fit(mut status: ScanReportStatus) -> ScanReportStatus {
    clamp(&mut status);
    for step in STEPS {
        // Counting what goes takes a few bytes itself: the estimate is checked until it holds.
        while let over @ 1.. = size_of(&status).saturating_sub(MAX_STATUS) {
            let mut freed = 0;
            while freed < over
                && let Some(bytes) = step(&mut status)
            {
                freed += bytes;
            }
            if freed == 0 {
                break;
            }
        }
    }
    status
}

/// Takes one thing away and says how many bytes it had; nothing where it must stay.
type Step = fn(&mut ScanReportStatus) -> Option<usize>;

const STEPS: &[Step] = &[
    |status| {
        let policy = status.policies.iter_mut().rev().find(|policy| policy.reasons.len() > 1)?;
        policy.reasons.pop().map(|reason| size_of(&reason))
    },
    |status| drop_digest(status, 1),
    |status| drop_reference(status, 3),
    |status| drop_attributes(status),
    |status| drop_suppressed(status, 5),
    |status| drop_gap(status, 5),
    |status| drop_policy(status, 10),
    |status| drop_finding(status, 10),
    |status| drop_suppressed(status, 1),
    |status| drop_gap(status, 1),
    |status| drop_policy(status, 1),
    |status| drop_finding(status, 1),
    |status| drop_reference(status, 1),
];

fn drop_digest(status: &mut ScanReportStatus, keep: usize) -> Option<usize> {
    let list = if status.indexes.len() > keep { &mut status.indexes } else { &mut status.manifests };
    let freed = pop(list, keep)?;
    status.omitted.get_or_insert_default().digests += 1;
    Some(freed)
}

fn drop_reference(status: &mut ScanReportStatus, keep: usize) -> Option<usize> {
    let freed = pop(&mut status.references, keep)?;
    status.omitted.get_or_insert_default().references += 1;
    Some(freed)
}

fn drop_attributes(status: &mut ScanReportStatus) -> Option<usize> {
    let finding = status.findings.iter_mut().rev().find(|finding| !finding.attributes.is_empty())?;
    Some(size_of(&std::mem::take(&mut finding.attributes)))
}

fn drop_suppressed(status: &mut ScanReportStatus, keep: usize) -> Option<usize> {
    let freed = pop(&mut status.suppressed, keep)?;
    status.omitted.get_or_insert_default().suppressed += 1;
    Some(freed)
}

fn drop_gap(status: &mut ScanReportStatus, keep: usize) -> Option<usize> {
    let freed = pop(&mut status.gaps, keep)?;
    status.omitted.get_or_insert_default().gaps += 1;
    Some(freed)
}

fn drop_policy(status: &mut ScanReportStatus, keep: usize) -> Option<usize> {
    let freed = pop(&mut status.policies, keep)?;
    status.omitted.get_or_insert_default().policies += 1;
    Some(freed)
}

fn drop_finding(status: &mut ScanReportStatus, keep: usize) -> Option<usize> {
    let freed = pop(&mut status.findings, keep)?;
    status.omitted.get_or_insert_default().findings += 1;
    Some(freed)
}

fn pop<T: Serialize>(list: &mut Vec<T>, keep: usize) -> Option<usize> {
    if list.len() > keep { list.pop().map(|item| size_of(&item)) } else { None }
}

/// Bytes of JSON. What cannot be written is taken as too large, and goes.
fn size_of<T: Serialize>(value: &T) -> usize {
    serde_json::to_vec(value).map_or(MAX_STATUS, |json| json.len())
}

/// Cuts every list, map and string to what the schema allows, so that the API server takes the object.
fn clamp(status: &mut ScanReportStatus) {
    let mut omitted = status.omitted.take().unwrap_or_default();
    omitted.findings += truncate(&mut status.findings, 20);
    omitted.suppressed += truncate(&mut status.suppressed, 20);
    omitted.gaps += truncate(&mut status.gaps, 20);
    omitted.references += truncate(&mut status.references, 20);
    omitted.digests += truncate(&mut status.manifests, 10) + truncate(&mut status.indexes, 10);
    omitted.policies += truncate(&mut status.policies, 50);
    status.omitted = (omitted != super::Omitted::default()).then_some(omitted);
    truncate(&mut status.conditions, 16);
    for condition in &mut status.conditions {
        cut(&mut condition.message, 1024);
    }
    cut_all(&mut status.references, 512);
    cut_map(&mut status.detectors, 32, 24);
    for (text, limit) in [(&mut status.error, 1024), (&mut status.policy, 280), (&mut status.scanned_by, 253)]
    {
        cut_optional(text, limit);
    }
    status.findings.iter_mut().for_each(clamp_finding);
    for suppressed in &mut status.suppressed {
        cut(&mut suppressed.message, 512);
        cut(&mut suppressed.by, 256);
        cut(&mut suppressed.reason, 512);
    }
    status.gaps.iter_mut().for_each(clamp_gap);
    status.policies.iter_mut().for_each(clamp_policy);
}

fn clamp_finding(finding: &mut Finding) {
    cut(&mut finding.detector, 64);
    cut(&mut finding.rule, 64);
    cut(&mut finding.message, 512);
    cut_optional(&mut finding.path, 512);
    cut_map(&mut finding.attributes, 16, 128);
}

fn clamp_gap(gap: &mut Gap) {
    cut_optional(&mut gap.detector, 64);
    cut_optional(&mut gap.path, 512);
    cut(&mut gap.reason, 512);
}

fn clamp_policy(policy: &mut PolicyExplanation) {
    truncate(&mut policy.reasons, 5);
    truncate(&mut policy.exceptions, 10);
    cut_all(&mut policy.reasons, 512);
    cut_all(&mut policy.exceptions, 512);
}

/// Shortens a list and says by how many.
fn truncate<T>(list: &mut Vec<T>, limit: usize) -> i64 {
    let over = list.len().saturating_sub(limit);
    list.truncate(limit);
    i64::try_from(over).unwrap_or(i64::MAX)
}

fn cut_all(list: &mut [String], limit: usize) {
    list.iter_mut().for_each(|text| cut(text, limit));
}

fn cut_optional(text: &mut Option<String>, limit: usize) {
    if let Some(text) = text {
        cut(text, limit);
    }
}

fn cut_map(map: &mut BTreeMap<String, String>, entries: usize, limit: usize) {
    map.retain(|key, _| key.len() <= 64);
    while map.len() > entries {
        map.pop_last();
    }
    map.values_mut().for_each(|value| cut(value, limit));
}

/// Replaces control characters, which would rewrite the reader's terminal, and cuts to `limit` bytes of JSON.
fn cut(text: &mut String, limit: usize) {
    if text.chars().any(char::is_control) {
        *text = text.replace(char::is_control, "\u{fffd}");
    }
    let (mut bytes, mut fits) = (0, 0);
    for (at, c) in text.char_indices() {
        bytes += if matches!(c, '"' | '\\') { 2 } else { c.len_utf8() };
        if bytes + '…'.len_utf8() <= limit {
            fits = at + c.len_utf8();
        }
    }
    if bytes > limit {
        text.truncate(fits);
        text.push('…');
    }
}
