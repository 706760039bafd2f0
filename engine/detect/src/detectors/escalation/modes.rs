//! What mode and attributes of an entry tell: setuid and setgid, capabilities(7), who may write.

use std::collections::{BTreeMap, BTreeSet};

use pratique_core::{DetectorInfo, Finding, Severity};
use serde::{Deserialize, Serialize};

use super::programs::{gives_away, is_capable_by_custom, is_setuid_by_custom};
use crate::shell::hidden_place;
use crate::sums::Standing;
use crate::{Fact, FileInput, ImageInput, Kind, LocatedFact, Rule, places};

pub(super) const SETUID: Rule = Rule {
    id: "setuid",
    severity: "Low to Critical",
    reference: "ATT&CK T1548.001",
    what: "programs that run as their owner or group and that no package brought so; critical if the program is a shell, an interpreter or anything else that runs commands or writes files for whoever calls it",
    why: "whoever gets into the container as any user becomes root with it",
    remedy: "chmod u-s,g-s FILE in the step that made it; run the pod with allowPrivilegeEscalation: false",
};

pub(super) const SETUID_COUNT: Rule = Rule {
    id: "setuid-count",
    severity: "Negligible",
    reference: "CIS Docker 4.8",
    what: "how many setuid and setgid programs an image has, those that distributions bring so included",
    why: "each is a way to root once a flaw in it is found, and few images need any",
    remedy: "find / -xdev -perm /6000 -type f -exec chmod a-s {} + in the last step of the build",
};

pub(super) const CAPABILITY: Rule = Rule {
    id: "file-capability",
    severity: "Low to Critical",
    reference: "ATT&CK T1548",
    what: "capabilities on programs that no package brought, or that are as good as root (cap_setuid, cap_sys_admin, cap_dac_override…)",
    why: "a capability on a program is a setuid bit that ls does not show",
    remedy: "setcap -r FILE; give the container the one capability it needs in its pod",
};

pub(super) const WRITABLE: Rule = Rule {
    id: "world-writable",
    severity: "Low to High",
    reference: "ATT&CK T1222.002, CWE-732",
    what: "files and folders of the system (/etc, /usr, /boot, programs and libraries) that everybody may write: high where they decide who gets in or what root runs; and a shadow file that everybody may read",
    why: "any process in the container may change them, and become root when root looks at them next",
    remedy: "chmod o-w FILE; 644 for passwd and group, 640 for shadow, 440 for sudoers",
};

/// Files and folders that only root should write.
const SENSITIVE: &[&str] = &[
    "etc",
    "etc/passwd",
    "etc/shadow",
    "etc/group",
    "etc/gshadow",
    "etc/sudoers",
    "etc/sudoers.d",
    "etc/sudoers.d/*",
    "etc/crontab",
    "etc/cron.*",
    "etc/cron.*/*",
    "etc/ld.so.preload",
    "etc/ld.so.conf",
    "etc/ld.so.conf.d",
    "etc/ld.so.conf.d/*",
    "etc/pam.d",
    "etc/pam.d/*",
    "etc/profile",
    "etc/profile.d",
    "etc/profile.d/*",
    "etc/bash.bashrc",
    "etc/bashrc",
    "etc/environment",
    "etc/ssh",
    "etc/ssh/*",
    "etc/nsswitch.conf",
    "etc/systemd/system",
    "etc/systemd/system/*",
    "etc/init.d",
    "etc/init.d/*",
    "etc/rc.local",
    "etc/apt/apt.conf.d",
    "etc/apt/apt.conf.d/*",
    "root",
    "root/.ssh",
    "root/.ssh/*",
    "root/.bashrc",
    "root/.profile",
    "usr",
    "bin",
    "sbin",
    "lib",
    "lib64",
    "usr/bin",
    "usr/sbin",
    "usr/lib",
    "usr/libexec",
    "bin/*",
    "sbin/*",
    "usr/bin/*",
    "usr/sbin/*",
    "var/spool/cron",
    "var/spool/cron/crontabs",
    "usr/local",
    "usr/local/bin",
    "usr/local/sbin",
    "usr/local/bin/*",
    "usr/local/lib",
];

/// Where everything is the system's: what everybody may write there is changed by anybody and run by others.
const SYSTEM: &[&str] =
    &["etc/**", "usr/**", "bin/**", "sbin/**", "lib/**", "lib32/**", "lib64/**", "boot/**", "root/**"];

/// Capabilities that are as good as root, by number (`linux/capability.h`).
const STRONG: [(u32, &str); 14] = [
    (0, "cap_chown"),
    (1, "cap_dac_override"),
    (2, "cap_dac_read_search"),
    (3, "cap_fowner"),
    (6, "cap_setgid"),
    (7, "cap_setuid"),
    (8, "cap_setpcap"),
    (16, "cap_sys_module"),
    (17, "cap_sys_rawio"),
    (19, "cap_sys_ptrace"),
    (21, "cap_sys_admin"),
    (27, "cap_mknod"),
    (31, "cap_setfcap"),
    (39, "cap_bpf"),
];

/// What is noted of an entry.
#[derive(Debug, Serialize, Deserialize)]
struct Noted {
    folder: bool,
    permissions: u32,
    uid: u32,
    gid: u32,
    /// Permitted capabilities, as bits.
    capabilities: u64,
}

/// Tells these facts from the others of this detector.
const MARK: u8 = b'm';

pub(super) fn is_one(located: &LocatedFact) -> bool {
    located.fact.0.first() == Some(&MARK)
}

/// Notes an entry of which anything is to be judged.
pub(super) fn note(file: &FileInput<'_>) -> Option<Fact> {
    let folder = match file.kind {
        Kind::File => false,
        Kind::Folder => true,
        Kind::Link(_) | Kind::Special => return None,
    };
    let permissions = file.mode.permissions;
    let runs = !folder && permissions & 0o111 != 0;
    let raises = runs && permissions & 0o6000 != 0;
    let capabilities = if runs { file.capability.map_or(0, permitted) } else { 0 };
    let opens = permissions & 0o002 != 0 || (file.path == b"etc/shadow" && permissions & 0o004 != 0);
    let sensitive = opens && SENSITIVE.iter().chain(SYSTEM).any(|glob| places::matches(glob, file.path));
    if !raises && capabilities == 0 && !sensitive {
        return None;
    }
    let noted = Noted { folder, permissions, uid: file.mode.uid, gid: file.mode.gid, capabilities };
    let json = serde_json::to_vec(&noted).ok()?;
    Some(Fact([&[MARK], json.as_slice()].concat()))
}

/// The permitted set of `struct vfs_cap_data`: revision and flags, then pairs of permitted and inheritable, 32 bits each.
fn permitted(attribute: &[u8]) -> u64 {
    let word = |at: usize| {
        attribute.get(at..at + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_le_bytes)
    };
    let high = if word(0) >> 24 >= 2 { word(12) } else { 0 };
    u64::from(word(4)) | u64::from(high) << 32
}

pub(super) fn judge(info: &DetectorInfo, image: &ImageInput<'_>, located: &LocatedFact) -> Vec<Finding> {
    let Ok(noted) = serde_json::from_slice::<Noted>(&located.fact.0[1..]) else { return Vec::new() };
    let path = located.path.as_str();
    let name = path.rsplit('/').next().unwrap_or_default();
    let standing = Standing::of(image.ownership, path, None);
    let recorded = image.ownership.file(path).and_then(|file| file.permissions).map(u32::from);
    let told = [
        setuid(&noted, path, name, standing, recorded).map(|told| (SETUID.id, told)),
        capabilities(&noted, path, name, standing).map(|told| (CAPABILITY.id, told)),
        writable(&noted, path).map(|told| (WRITABLE.id, told)),
    ];
    let finding = |(rule, (severity, what)): (&str, (Severity, String))| Finding {
        path: Some(located.path.clone()),
        layer: located.layer.clone(),
        attributes: BTreeMap::from([("mode".to_owned(), format!("{:04o}", noted.permissions))]),
        ..info.finding(rule, severity, format!("{what}; {}", standing.in_words()))
    };
    told.into_iter().flatten().map(finding).collect()
}

/// What all setuid and setgid programs of an image come to. Of a folder and a container nothing is said: what was installed
/// there was installed by others than whoever built it.
pub(super) fn count(info: &DetectorInfo, image: &ImageInput<'_>, facts: &[&LocatedFact]) -> Option<Finding> {
    image.config?;
    let raises = |located: &&&LocatedFact| {
        serde_json::from_slice::<Noted>(&located.fact.0[1..])
            .is_ok_and(|noted| !noted.folder && noted.permissions & 0o6000 != 0)
    };
    let paths: BTreeSet<&str> = facts.iter().filter(raises).map(|located| located.path.as_str()).collect();
    let names: Vec<&str> =
        paths.iter().take(NAMED).map(|path| path.rsplit('/').next().unwrap_or_default()).collect();
    let more = if paths.len() > NAMED { "…" } else { "" };
    let verb = if paths.len() == 1 { "program runs" } else { "programs run" };
    let what = format!("{} {verb} as another user or group: {}{more}", paths.len(), names.join(", "));
    (!paths.is_empty()).then(|| Finding {
        attributes: BTreeMap::from([("count".to_owned(), paths.len().to_string())]),
        ..info.finding(SETUID_COUNT.id, Severity::Negligible, what)
    })
}

/// So many setuid programs are named in a sentence.
const NAMED: usize = 20;

fn setuid(
    noted: &Noted,
    path: &str,
    name: &str,
    standing: Standing<'_>,
    recorded: Option<u32>,
) -> Option<(Severity, String)> {
    let bits = noted.permissions & 0o6000;
    if noted.folder || bits == 0 {
        return None;
    }
    let root = bits & 0o4000 != 0 && noted.uid == 0;
    let whom = match (bits & 0o4000 != 0, root) {
        (true, true) => "root".to_owned(),
        (true, false) => format!("user {}", noted.uid),
        (false, _) => format!("group {}", noted.gid),
    };
    let what = |why: &str| format!("{name} runs as {whom}{why}");
    // What a package database says itself, as those of RPM and apk do.
    if recorded.is_some_and(|recorded| recorded & bits == bits) {
        return None;
    }
    if noted.permissions & 0o002 != 0 {
        return Some((Severity::Critical, what(", and everybody may write it")));
    }
    if let Some(place) = hidden_place(path) {
        return Some((
            if root { Severity::Critical } else { Severity::High },
            what(&format!(", from {place}")),
        ));
    }
    let by_custom = is_setuid_by_custom(path) && standing != Standing::Unowned;
    if by_custom && recorded.is_none() {
        return None;
    }
    if gives_away(name) {
        let severity = if root { Severity::Critical } else { Severity::High };
        return Some((severity, what(", and does what it is told")));
    }
    let severity = match (standing, recorded) {
        (_, Some(_)) => return Some((Severity::High, what(", which its package did not make it"))),
        (Standing::Unowned, None) if root => Severity::High,
        (Standing::Unowned, None) => Severity::Medium,
        (Standing::NoDatabase, None) if root => Severity::Medium,
        _ => Severity::Low,
    };
    Some((severity, what("")))
}

fn capabilities(noted: &Noted, path: &str, name: &str, standing: Standing<'_>) -> Option<(Severity, String)> {
    if noted.capabilities == 0 {
        return None;
    }
    let owned = !matches!(standing, Standing::Unowned | Standing::NoDatabase);
    if owned && is_capable_by_custom(path) {
        return None;
    }
    let strong: Vec<&str> = STRONG
        .iter()
        .filter(|(number, _)| noted.capabilities >> number & 1 != 0)
        .map(|(_, name)| *name)
        .collect();
    if strong.is_empty() {
        return (!owned)
            .then(|| (Severity::Low, format!("{name} has capabilities ({:#x})", noted.capabilities)));
    }
    let severity = match (gives_away(name) || hidden_place(path).is_some(), owned) {
        (true, _) => Severity::Critical,
        (false, false) => Severity::High,
        (false, true) => Severity::Medium,
    };
    Some((severity, format!("{name} has {}, as good as root", strong.join(", "))))
}

fn writable(noted: &Noted, path: &str) -> Option<(Severity, String)> {
    if path == "/etc/shadow" && noted.permissions & 0o006 == 0o004 {
        return Some((Severity::Medium, "everybody may read the hashes of passwords".to_owned()));
    }
    let is_one = |globs: &[&str]| {
        globs.iter().any(|glob| places::matches(glob, path.trim_start_matches('/').as_bytes()))
    };
    if noted.permissions & 0o002 == 0 || !(is_one(SENSITIVE) || is_one(SYSTEM)) {
        return None;
    }
    let sticky = noted.folder && noted.permissions & 0o1000 != 0;
    let local = path.starts_with("/usr/local");
    let severity = match (is_one(SENSITIVE), sticky || local) {
        (true, false) => Severity::High,
        (true, true) | (false, false) => Severity::Medium,
        (false, true) => Severity::Low,
    };
    let what = if noted.folder {
        "everybody may put files into this folder"
    } else {
        "everybody may write this file"
    };
    Some((severity, what.to_owned()))
}
