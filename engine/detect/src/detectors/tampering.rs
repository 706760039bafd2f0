//! Files that are not what their package brought, programs that no package brought, and programs where none belong.
//!
//! Each file is hashed while its layer is read, by every algorithm that package databases use; which one counts, and
//! whether it fits, is known when the image is judged.

use std::collections::{BTreeMap, BTreeSet};

use pratique_core::detector::described;
use pratique_core::{DetectorInfo, Finding, GapKind, Severity};

use crate::bounded::Findings;
use crate::shell::hidden_place;
use crate::sums::{Hasher, Standing, Sums};
use crate::{Detector, Fact, FileInput, FileReport, ImageInput, Interest, Links, LocatedFact, Outcome, Rule};

/// The detector `tampering`.
pub(super) static DETECTOR: Tampering = Tampering;

/// See the module.
pub(super) struct Tampering;

const INFO: &DetectorInfo = described("tampering");

/// Larger files are not hashed, which is a gap.
const MAX_SIZE: u64 = 1 << 30;
const PROGRAM_HEADS: &[&[u8]] = &[b"\x7fELF", b"#!"];
const PROGRAMS: &[&str] = &[
    "bin/**",
    "sbin/**",
    "lib/**",
    "lib64/**",
    "usr/bin/**",
    "usr/sbin/**",
    "usr/lib/**",
    "usr/lib64/**",
    "usr/libexec/**",
];
const STRAY: &[&str] = &[
    "tmp/**",
    "var/tmp/**",
    "dev/**",
    "run/shm/**",
    "**/.*",
    "etc/**/.*/**",
    "usr/**/.*/**",
    "var/**/.*/**",
    "opt/**/.*/**",
    "srv/**/.*/**",
    ".*/**",
];
/// Where dpkg keeps which package puts its own file in the place of another's.
const DIVERSIONS: &str = "var/lib/dpkg/diversions";

const INTERESTS: &[Interest] = &[
    Interest { heads: PROGRAM_HEADS, ..Interest::whole(PROGRAMS, MAX_SIZE) },
    Interest::whole(
        &[
            "usr/lib/**/*.py",
            "usr/lib/**/*.pm",
            "usr/lib/**/*.rb",
            "usr/lib/**/*.sh",
            "etc/**",
            "usr/share/doc/*/*",
        ],
        MAX_SIZE,
    ),
    Interest { heads: PROGRAM_HEADS, ..Interest::whole(STRAY, MAX_SIZE) },
    Interest::head(&[DIVERSIONS], 1 << 20),
];

const RULES: &[Rule] = &[
    Rule {
        id: "changed-program",
        severity: "High to Critical",
        reference: "ATT&CK T1554",
        what: "programs, libraries and code of a package whose content is not what the package database says; critical for those that see passwords or show what runs",
        why: "nobody changes such a file by hand but to put something into it, or to hide something",
        remedy: "install the package anew, and find out which layer changed the file: the finding names it",
    },
    Rule {
        id: "changed-configuration",
        severity: "Negligible to Low",
        reference: "CWE-353",
        what: "files in /etc, and what packages mark as configuration, that are not as the package brought them",
        why: "it is usual, and shows where to look; what a file says is judged by the other detectors",
        remedy: "nothing, if you made the change",
    },
    Rule {
        id: "changed-documentation",
        severity: "Negligible",
        reference: "CWE-353",
        what: "documentation of a package that is not as the package brought it",
        why: "it harms nobody, but nobody does it by accident",
        remedy: "install the package anew",
    },
    Rule {
        id: "unowned-program",
        severity: "Low to High",
        reference: "ATT&CK T1036.005",
        what: "programs in /bin, /sbin, /usr/bin and /usr/sbin that no package brought; high if their name is hidden",
        why: "these folders are the package manager's: what is put there by hand is updated by nobody, and looks as if it belonged",
        remedy: "put your own programs into /usr/local/bin or /opt",
    },
    Rule {
        id: "misplaced-program",
        severity: "Medium to High",
        reference: "ATT&CK T1564.001, T1036.005",
        what: "programs in /tmp, /var/tmp, /dev, /dev/shm, and in hidden files and folders of the system",
        why: "no package puts programs there; what hides is put there by those who hide",
        remedy: "remove the file in the step that made it",
    },
];

/// Programs that see passwords, let people in, or show what runs: the ones rootkits replace.
const TRUSTED: [&str; 34] = [
    "sshd", "ssh", "login", "su", "sudo", "passwd", "chsh", "agetty", "getty", "ps", "ls", "top", "htop",
    "netstat", "ss", "lsof", "find", "ip", "ifconfig", "who", "w", "last", "kill", "pgrep", "cron", "crond",
    "bash", "sh", "dash", "busybox", "rpm", "dpkg", "apk", "systemd",
];

impl Detector for Tampering {
    fn info(&self) -> &'static DetectorInfo {
        INFO
    }

    fn interests(&self) -> &'static [Interest] {
        INTERESTS
    }

    fn rules(&self) -> &'static [Rule] {
        RULES
    }

    fn links(&self) -> Links {
        Links::NotFollowed
    }

    fn inspect(&self, file: &FileInput<'_>) -> FileReport {
        let mut report = FileReport::default();
        if file.path == DIVERSIONS.as_bytes() {
            if file.is_cut() {
                report
                    .problems
                    .push((GapKind::Limit, format!("only its first {} bytes were read", file.bytes.len())));
            }
            report.facts.push(Fact([b"d", file.bytes].concat()));
            return report;
        }
        let mut hasher = Hasher::default();
        let mut buffer = vec![0; 64 << 10];
        let mut offset = 0;
        loop {
            match file.content.read_full_at(&mut buffer, offset) {
                Ok(0) => break,
                Ok(read) => {
                    hasher.update(&buffer[..read]);
                    offset += read as u64;
                }
                Err(error) => {
                    report.problems.push((GapKind::Unreadable, format!("reading broke off: {error}")));
                    return report;
                }
            }
        }
        let kind = if file.bytes.starts_with(b"\x7fELF") {
            b'e'
        } else if file.bytes.starts_with(b"#!") {
            b's'
        } else {
            b'-'
        };
        let runs = if file.mode.permissions & 0o111 == 0 { b'-' } else { b'x' };
        report.facts.push(Fact([&[b'f', kind, runs], hasher.finish().as_bytes()].concat()));
        report
    }

    fn judge(&self, image: &ImageInput<'_>, facts: &[LocatedFact]) -> Outcome {
        let mut outcome = Outcome::default();
        let diverted: BTreeSet<String> = facts
            .iter()
            .filter_map(|located| located.fact.0.strip_prefix(b"d"))
            .flat_map(diversions)
            .collect();
        // A link to a program of a package, such as those of update-alternatives, and a copy have its content.
        let brought: BTreeSet<&[u8]> = facts
            .iter()
            .filter(|located| image.ownership.owner(&located.path).is_some())
            .filter_map(|located| located.fact.0.strip_prefix(b"f"))
            .filter_map(|noted| noted.get(2..))
            .collect();
        let mut findings = Findings::default();
        for located in facts {
            let [b'f', kind, runs, sums @ ..] = located.fact.0.as_slice() else { continue };
            let Some(sums) = Sums::from_bytes(sums) else { continue };
            let standing = Standing::of(image.ownership, &located.path, Some(&sums));
            let program = Program { elf: *kind == b'e', script: *kind == b's', runs: *runs == b'x' };
            let told = changed(image, located, program, standing, &diverted)
                .or_else(|| misplaced(&located.path, program, standing))
                .or_else(|| {
                    unowned(&located.path, program, standing).filter(|_| !brought.contains(sums.as_bytes()))
                });
            findings.extend(told.map(|(rule, severity, what)| Finding {
                path: Some(located.path.clone()),
                layer: located.layer.clone(),
                attributes: match standing {
                    Standing::Changed(package) => {
                        BTreeMap::from([("package".to_owned(), package.to_owned())])
                    }
                    _ => BTreeMap::new(),
                },
                ..INFO.finding(rule, severity, format!("{what}; {}", standing.in_words()))
            }));
        }
        findings.finish(INFO, &mut outcome);
        outcome
    }
}

/// What a file is by its first bytes and its mode.
#[derive(Clone, Copy)]
struct Program {
    elf: bool,
    script: bool,
    runs: bool,
}

type Told = (&'static str, Severity, String);

fn changed(
    image: &ImageInput<'_>,
    located: &LocatedFact,
    program: Program,
    standing: Standing<'_>,
    diverted: &BTreeSet<String>,
) -> Option<Told> {
    let path = located.path.as_str();
    if !matches!(standing, Standing::Changed(_)) || diverted.contains(path) {
        return None;
    }
    let is_config = image.ownership.file(path).is_some_and(|file| file.config);
    if is_config || path.starts_with("/etc/") {
        let severity = if is_config { Severity::Negligible } else { Severity::Low };
        return Some(("changed-configuration", severity, "the configuration was changed".to_owned()));
    }
    if path.starts_with("/usr/share/doc/") || path.starts_with("/usr/share/man/") {
        return Some((
            "changed-documentation",
            Severity::Negligible,
            "the documentation was changed".to_owned(),
        ));
    }
    let name = path.rsplit('/').next().unwrap_or_default();
    let library = ["libc.so", "libc-", "ld-linux", "libpam", "pam_", "libcrypt.", "libnss_", "ld-musl"];
    let trusted = TRUSTED.contains(&name) || library.iter().any(|start| name.starts_with(start));
    let severity = if trusted { Severity::Critical } else { Severity::High };
    let kind = match program {
        Program { elf: true, .. } => "the program or library",
        Program { script: true, .. } => "the script",
        _ => "the code",
    };
    Some(("changed-program", severity, format!("{kind} is not what its package brought")))
}

fn misplaced(path: &str, program: Program, standing: Standing<'_>) -> Option<Told> {
    let owned = matches!(standing, Standing::Genuine(_) | Standing::Owned(_));
    if owned || !program.runs || !(program.elf || program.script) {
        return None;
    }
    let place = if path.starts_with("/dev/") { "a folder of devices" } else { hidden_place(path)? };
    let open = path.starts_with("/tmp/") || path.starts_with("/var/tmp/");
    let severity = match (open, program.elf) {
        // A step of the build often leaves something there.
        (true, true) => Severity::Medium,
        (true, false) => Severity::Low,
        (false, true) => Severity::High,
        (false, false) => Severity::Medium,
    };
    let kind = if program.elf { "a program" } else { "a script" };
    Some(("misplaced-program", severity, format!("{kind} in {place}")))
}

fn unowned(path: &str, program: Program, standing: Standing<'_>) -> Option<Told> {
    let folder =
        ["/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/"].iter().find(|folder| path.starts_with(**folder))?;
    if standing != Standing::Unowned || !program.runs || !(program.elf || program.script) {
        return None;
    }
    let what = format!("a program in {}", folder.trim_end_matches('/'));
    Some(("unowned-program", Severity::Low, what))
}

/// Paths where dpkg-divert(1) lets one package's file take the place of another's: three lines each, the path first.
fn diversions(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    text.lines().step_by(3).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::FileMode;

    #[test]
    fn golden_cases() {
        crate::golden::check(&DETECTOR);
    }

    #[test]
    fn a_file_that_breaks_off_is_a_problem_and_no_finding() {
        struct Broken;
        impl pratique_core::inspect::ReadAt for Broken {
            fn read_at(&self, _: &mut [u8], _: u64) -> std::io::Result<usize> {
                Err(std::io::Error::other("the disk is gone"))
            }
        }
        let bytes = b"\x7fELF".to_vec();
        let mode = FileMode { permissions: 0o755, uid: 0, gid: 0 };
        let whole = FileInput::in_memory(b"usr/bin/x", mode, &bytes);
        let report = DETECTOR.inspect(&FileInput { content: &Broken, ..whole });
        assert!(report.facts.is_empty());
        assert_eq!(report.problems[0].0, GapKind::Unreadable);
    }

    #[test]
    fn a_hundred_thousand_programs_out_of_place_are_bounded_and_told() {
        let (mode, program) = (FileMode { permissions: 0o755, uid: 0, gid: 0 }, b"\x7fELF".to_vec());
        let fact = DETECTOR.inspect(&FileInput::in_memory(b"tmp/x", mode, &program)).facts.remove(0);
        crate::bounded::assert_bounded(&DETECTOR, &fact, "/tmp", "/usr/lib/.x/y");
    }

    /// Three lines a diversion, as far as they are handed over.
    #[test]
    fn diversions_without_end_are_a_gap() {
        let (mode, lines) = (FileMode { permissions: 0o644, uid: 0, gid: 0 }, b"/a\n/b\n:\n".repeat(10_000));
        let whole = FileInput::in_memory(DIVERSIONS.as_bytes(), mode, &lines);
        let report = DETECTOR.inspect(&FileInput { size: 1 << 30, ..whole });
        assert_eq!(report.problems.len(), 1);
        assert_eq!(report.problems[0].0, GapKind::Limit);
    }
}
