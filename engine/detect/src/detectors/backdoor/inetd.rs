//! Programs that are run for whoever connects: inetd.conf(5), xinetd.conf(5), hosts_options(5).

use pratique_core::Severity;

use crate::includes::Includes;
use crate::signs::{Excuse, Notes, text, word};
use crate::{FileInput, Rule};

pub(super) const PLACES: &[&str] = &[
    "etc/inetd.conf",
    "etc/inetd.d/*",
    "etc/xinetd.conf",
    "etc/xinetd.d/*",
    "etc/hosts.allow",
    "etc/hosts.deny",
];

pub(super) const RULE: Rule = Rule {
    id: "inetd-service",
    severity: "Low to Critical",
    reference: "ATT&CK T1546",
    what: "services of inetd and xinetd that no package brought, critical if the program is a shell, `spawn` and `twist` in hosts.allow and hosts.deny, and files that xinetd reads from elsewhere",
    why: "they run a program for whoever connects, before anybody asks for a password",
    remedy: "remove the line; a container that serves has its own server",
};

const INCLUDES: Includes = Includes { who: "xinetd", places: PLACES, severity: Severity::Medium };

const SHELLS: [&str; 7] = ["sh", "bash", "dash", "zsh", "ash", "ksh", "busybox"];

pub(super) fn read(path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    if path.starts_with("etc/hosts.") {
        for (line, content) in notes.joined_lines(&text) {
            let content = content.trim();
            if content.starts_with('#') {
                continue;
            }
            for option in content.split(':').skip(2).map(str::trim) {
                let command = option.strip_prefix("spawn").or_else(|| option.strip_prefix("twist"));
                if let Some(command) = command.filter(|rest| rest.starts_with([' ', '=', '('])) {
                    notes.script(
                        command.trim_start_matches([' ', '=', '(']),
                        line,
                        "the TCP wrapper",
                        Some(Severity::Medium),
                    );
                }
            }
        }
    } else if path.starts_with("etc/xinetd") {
        xinetd(&text, notes);
    } else {
        for (line, content) in notes.lines(&text) {
            let fields: Vec<&str> = content.split_whitespace().collect();
            // service socket protocol wait user program arguments…
            let [service, _, _, _, user, program, arguments @ ..] = fields.as_slice() else { continue };
            if !service.starts_with('#') && *program != "internal" {
                served(program, arguments, service, user, line, notes);
            }
        }
    }
}

fn served(program: &str, arguments: &[&str], service: &str, user: &str, line: u32, notes: &mut Notes) {
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    // The first argument is the program's own name; tcpd is handed the program behind it.
    let shell = SHELLS.contains(&name(program).as_str())
        || (name(program) == "tcpd"
            && arguments.first().is_some_and(|one| SHELLS.contains(&name(one).as_str())));
    let runs = shell && !arguments.contains(&"-c");
    if runs {
        let what = format!("whoever connects to {} is handed a shell as {}", word(service), word(user));
        notes.sign(Severity::Critical, Excuse::Genuine, Some(line), what);
        return;
    }
    let rest = arguments.get(1..).unwrap_or_default().join(" ");
    notes.script(
        &format!("{program} {rest}"),
        line,
        &format!("the service {} as {}", word(service), word(user)),
        Some(Severity::Low),
    );
}

fn xinetd(text: &str, notes: &mut Notes) {
    let (mut service, mut settings): (String, Vec<(String, String)>) = Default::default();
    let mut start = 1;
    for (line, content) in notes.lines(text) {
        let content = content.trim();
        if content.starts_with('#') {
            continue;
        }
        if let Some(target) = content.strip_prefix("includedir ") {
            INCLUDES.folder(target.trim(), "", line, notes);
        } else if let Some(target) = content.strip_prefix("include ") {
            INCLUDES.file(target.trim(), "", line, notes);
        } else if let Some(name) = content.strip_prefix("service ") {
            (service, start) = (name.trim().trim_end_matches('{').trim().to_owned(), line);
            settings.clear();
        } else if content == "}" {
            let settings = std::mem::take(&mut settings);
            let get = |wanted: &str| {
                settings.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone())
            };
            let disabled = get("disable").is_some_and(|value| value == "yes");
            if let Some(program) = get("server").filter(|_| !disabled) {
                let arguments = get("server_args").unwrap_or_default();
                let arguments: Vec<&str> =
                    std::iter::once(program.as_str()).chain(arguments.split_whitespace()).collect();
                let user = get("user").unwrap_or_else(|| "root".to_owned());
                served(&program, &arguments, &service, &user, start, notes);
            }
        } else if let Some((name, value)) = content.split_once('=') {
            settings.push((
                name.trim().trim_end_matches(['+', '-']).to_ascii_lowercase(),
                value.trim().to_owned(),
            ));
        }
    }
}
