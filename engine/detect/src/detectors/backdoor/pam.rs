//! Who is let in by what: pam.conf(5).

use pratique_core::Severity;

use crate::includes::Includes;
use crate::shell::hidden_place;
use crate::signs::{Excuse, Notes, text, word};
use crate::{FileInput, Kind, Rule};

pub(super) const PLACES: &[&str] = &["etc/pam.conf", "etc/pam.d/*", "usr/lib/pam.d/*", "usr/etc/pam.d/*"];

/// The modules themselves.
pub(super) const LIBRARIES: &[&str] = &[
    "lib/**/pam_*.so",
    "lib64/security/pam_*.so",
    "usr/lib/**/pam_*.so",
    "usr/lib64/security/pam_*.so",
    "usr/local/lib/**/pam_*.so",
];

pub(super) const RULE: Rule = Rule {
    id: "pam",
    severity: "Medium to Critical",
    reference: "ATT&CK T1556.003",
    what: "lines of PAM by which anybody is let in (`auth sufficient pam_permit.so`, or a module that asks for no password: pam_succeed_if, pam_rhosts, pam_rootok of a server), that run a program (pam_exec), load a module from outside its folder or read a file from elsewhere (@include, include, substack), and modules that no package brought",
    why: "PAM sees every password typed, and decides",
    remedy: "restore the files of the package that brought them",
};

const INCLUDES: Includes = Includes { who: "PAM", places: PLACES, severity: Severity::Medium };

/// Modules that ask for no password.
const ASK_NOTHING: [&str; 8] = [
    "pam_access.so",
    "pam_env.so",
    "pam_listfile.so",
    "pam_localuser.so",
    "pam_rhosts.so",
    "pam_shells.so",
    "pam_succeed_if.so",
    "pam_usertype.so",
];
/// Services, and stacks of them, whose programs run as root for whoever calls.
const SERVERS: [&str; 9] =
    ["common-auth", "login", "password-auth", "remote", "sshd", "sudo", "sudo-i", "system-auth", "vsftpd"];

/// Where it looks for what is named without a folder.
const FOLDER: &str = "etc/pam.d";

pub(super) fn read(path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    // In pam.conf the first field is the service.
    let skipped = usize::from(path == "etc/pam.conf");
    let mut denied = false;
    for (line, content) in notes.joined_lines(&text) {
        let content = content.split('#').next().unwrap_or_default().trim();
        if let Some(target) = content.strip_prefix("@include").filter(|rest| rest.starts_with([' ', '\t'])) {
            INCLUDES.file(target.trim(), FOLDER, line, notes);
            continue;
        }
        let Some((kind, control, module, arguments)) = rule(content, skipped) else { continue };
        if matches!(control, "include" | "substack") {
            INCLUDES.file(module, FOLDER, line, notes);
            continue;
        }
        let kind = kind.trim_start_matches('-');
        let name = module.rsplit('/').next().unwrap_or_default();
        // Debian's stack has `requisite pam_deny.so`, and behind it `required pam_permit.so`, which only whoever
        // jumped over the former reaches.
        denied |= kind == "auth" && name == "pam_deny.so";
        let lets_in = matches!(control, "sufficient") || control.contains("success=done");
        if kind == "auth" && name == "pam_permit.so" && lets_in && !denied {
            notes.sign(
                Severity::High,
                Excuse::Genuine,
                Some(line),
                "anybody is let in: pam_permit suffices, and asks for nothing",
            );
        }
        if kind == "auth" && control == "sufficient" && !denied {
            // To a server whoever calls is root: it runs as root itself.
            let is_root =
                name == "pam_rootok.so" && SERVERS.contains(&path.rsplit('/').next().unwrap_or_default());
            let is_trusted =
                name == "pam_wheel.so" && arguments.split_whitespace().any(|word| word == "trust");
            if is_root || is_trusted || ASK_NOTHING.contains(&name) {
                let severity = if is_root { Severity::High } else { Severity::Medium };
                let what = format!("{} suffices to be let in, and asks for no password", word(name));
                notes.sign(severity, Excuse::Owned, Some(line), what);
            }
        }
        if name == "pam_exec.so" {
            let command: Vec<&str> =
                arguments.split_whitespace().skip_while(|word| !word.starts_with('/')).collect();
            let sees = arguments.split_whitespace().any(|word| word == "expose_authtok");
            let severity = if sees { Severity::High } else { Severity::Medium };
            let who = if sees { "PAM hands the password to a program and" } else { "PAM" };
            notes.script(&command.join(" "), line, who, Some(severity));
        }
        let foreign = module.starts_with('/')
            && !["/lib/", "/lib64/", "/usr/lib/", "/usr/lib64/"].iter().any(|one| module.starts_with(one));
        if foreign || hidden_place(module).is_some() {
            let what = format!("PAM loads the module {} from outside its folder", word(module));
            notes.sign(Severity::High, Excuse::Genuine, Some(line), what);
        }
    }
}

/// The type, control, module and arguments of a line.
fn rule(line: &str, skipped: usize) -> Option<(&str, &str, &str, &str)> {
    let mut rest = line;
    for _ in 0..skipped {
        rest = rest.split_once(char::is_whitespace)?.1.trim_start();
    }
    let (kind, rest) = rest.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let (control, rest) = match rest.starts_with('[') {
        true => rest.split_once(']')?,
        false => rest.split_once(char::is_whitespace)?,
    };
    let rest = rest.trim_start();
    let (module, arguments) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    Some((kind, control, module, arguments))
}

pub(super) fn library(file: &FileInput<'_>, notes: &mut Notes) {
    notes.of_rule(RULE.id);
    if file.kind == Kind::File {
        notes.sign(Severity::Medium, Excuse::Unknown, None, "a module of PAM");
    }
}
