//! What package managers run beside their work: apt.conf(5), dpkg.cfg, maintainer scripts, plugins of dnf and yum, hooks of
//! apk and pacman.

use pratique_core::Severity;

use crate::shell::{ActKind, hidden_place};
use crate::signs::{Excuse, Notes, text, word};
use crate::{FileInput, Rule};

pub(super) const PLACES: &[&str] = &[
    "etc/apt/apt.conf",
    "etc/apt/apt.conf.d/*",
    "etc/dpkg/dpkg.cfg",
    "etc/dpkg/dpkg.cfg.d/*",
    "var/lib/dpkg/info/*.preinst",
    "var/lib/dpkg/info/*.postinst",
    "var/lib/dpkg/info/*.prerm",
    "var/lib/dpkg/info/*.postrm",
    "etc/apk/commit_hooks.d/*",
    "etc/pacman.d/hooks/*.hook",
    "usr/lib/yum-plugins/*.py",
    "usr/share/yum-plugins/*.py",
    "usr/lib/python*/site-packages/dnf-plugins/*.py",
    "usr/local/lib/python*/site-packages/dnf-plugins/*.py",
    "etc/yum.conf",
    "etc/dnf/dnf.conf",
    "etc/dnf/plugins/post-transaction-actions.d/*.action",
    "etc/dnf/libdnf5-plugins/actions.d/*.actions",
    "usr/lib/zypp/plugins/*/*",
    "etc/rpm/macros*",
    "usr/lib/rpm/macros.d/*",
    "**/.rpmmacros",
    "etc/portage/bashrc",
    "etc/makepkg.conf",
];

pub(super) const RULE: Rule = Rule {
    id: "package-manager-hook",
    severity: "Low to Critical",
    reference: "ATT&CK T1546.016",
    what: "hooks, actions and plugins of apt, dpkg, apk, pacman, dnf, yum and zypper that no package brought, folders of plugins that everybody may write to, and maintainer scripts of dpkg that fetch or decode code or open a shell to the network",
    why: "they run as root whenever somebody installs or updates something, in every image built on this one",
    remedy: "take the hook out; what tidies caches can run in the step that fills them",
};

pub(super) fn read(path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    if path.starts_with("etc/apt/") {
        // apt reads names without a dot, or that end in .conf.
        let name = path.rsplit('/').next().unwrap_or_default();
        if path != "etc/apt/apt.conf" && name.contains('.') && !name.ends_with(".conf") {
            return;
        }
        for (line, command) in apt_hooks(&text) {
            let plain = (!tidies(&command)).then_some(Severity::Low);
            notes.script(&command, line, "a hook of apt", plain);
        }
    } else if path.starts_with("etc/dpkg/") {
        for (line, content) in notes.lines(&text) {
            let hook = content.trim().trim_start_matches("--");
            let command = ["pre-invoke", "post-invoke"].iter().find_map(|name| hook.strip_prefix(name));
            if let Some(command) = command {
                notes.script(
                    command.trim_start_matches(['=', ' ']).trim_matches(['"', '\'']),
                    line,
                    "a hook of dpkg",
                    Some(Severity::Low),
                );
            }
        }
    } else if path.starts_with("var/lib/dpkg/info/") {
        // They make accounts and set modes: that is what they are for.
        let counts = |kind: ActKind| {
            !matches!(kind, ActKind::RaisesPrivilege | ActKind::OpensAccess | ActKind::LoadsModule)
        };
        notes.acts(&text, 1, "a maintainer script", None, &counts);
    } else if path.ends_with(".action") || path.ends_with(".actions") {
        actions(&text, if path.ends_with('s') { 5 } else { 3 }, notes);
    } else if path.ends_with("yum.conf") || path.ends_with("dnf.conf") {
        plugin_folders(&text, notes);
    } else if path.contains("rpm/macros") || path.ends_with(".rpmmacros") {
        // `%(…)` is a command of which the output counts.
        notes.script(&text.replace("%(", "$("), 1, "a macro of rpm", None);
    } else if path.ends_with("/bashrc") || path.ends_with("makepkg.conf") {
        notes.script(&text, 1, "what every build of a package reads", None);
    } else if path.ends_with(".hook") {
        for (line, content) in notes.lines(&text) {
            if let Some((name, command)) = content.split_once('=')
                && name.trim() == "Exec"
            {
                notes.script(command.trim(), line, "a hook of pacman", Some(Severity::Low));
            }
        }
    } else if path.ends_with(".py") {
        match crate::shell::foreign_code(&text) {
            Some(kind) => {
                notes.sign(
                    kind.severity(),
                    Excuse::Genuine,
                    None,
                    format!("a plugin of the package manager {}", kind.in_words()),
                );
            }
            None => notes.sign(Severity::Low, Excuse::Owned, None, "a plugin of the package manager"),
        }
    } else if file.mode.permissions & 0o111 != 0 {
        let who = if path.contains("zypp") { "a plugin of zypper" } else { "a hook of apk" };
        notes.program(file, who, Some(Severity::Low));
    }
}

/// Commands of the plugins of dnf that run some after packages were changed: `filter:state:command`, and of dnf 5
/// `callback:filter:direction:options:command`.
fn actions(text: &str, fields: usize, notes: &mut Notes) {
    for (line, content) in notes.lines(text) {
        let content = content.trim();
        let command = content.splitn(fields, ':').nth(fields - 1);
        if let Some(command) = command.filter(|_| !content.starts_with('#')) {
            notes.script(command, line, "an action of dnf", Some(Severity::Low));
        }
    }
}

/// Where dnf and yum look for plugins, if everybody may put some there.
fn plugin_folders(text: &str, notes: &mut Notes) {
    for (line, content) in notes.lines(text) {
        let (name, folders) = content.split_once('=').unwrap_or_default();
        if name.trim() != "pluginpath" {
            continue;
        }
        for folder in folders.split([',', ' ']) {
            if let Some(why) = hidden_place(&format!("{}/", folder.trim_end_matches('/'))) {
                let what = format!("plugins are looked for in {}, {why}", word(folder));
                notes.sign(Severity::High, Excuse::Genuine, Some(line), what);
            }
        }
    }
}

/// Whether a command does nothing but remove what apt can fetch again.
fn tidies(command: &str) -> bool {
    let one = |part: &str| {
        let part = part.trim();
        let cached = |word: &str| {
            word.starts_with('-')
                || word.starts_with("/var/cache/apt/")
                || word.starts_with("/var/lib/apt/lists")
        };
        matches!(part, "true" | "")
            || part.strip_prefix("rm ").is_some_and(|rest| rest.split_whitespace().all(cached))
    };
    command.split("||").flat_map(|part| part.split("&&")).flat_map(|part| part.split(';')).all(one)
}

/// The commands of `...::Pre-Invoke`, `Post-Invoke`, `Pre-Install-Pkgs`, `Update::Post-Invoke-Success`…: a list of
/// strings in braces, or one string.
fn apt_hooks(text: &str) -> Vec<(u32, String)> {
    const NAMES: [&str; 3] = ["-invoke", "-invoke-success", "pre-install-pkgs"];
    let mut hooks = Vec::new();
    let (mut depth, mut hook_at, mut word) = (0_usize, None, String::new());
    let mut characters = text.chars().peekable();
    let mut line = 1;
    let is_hook = |word: &str| {
        let word = word.to_ascii_lowercase();
        let word = word.trim_end_matches(':');
        NAMES.iter().any(|name| word.ends_with(name))
    };
    while let Some(next) = characters.next() {
        match next {
            '\n' => {
                line += 1;
                word.push(' ');
            }
            '#' => while characters.next_if(|c| *c != '\n').is_some() {},
            '/' if characters.peek() == Some(&'/') => while characters.next_if(|c| *c != '\n').is_some() {},
            '/' if characters.peek() == Some(&'*') => {
                let mut before = ' ';
                for inner in characters.by_ref() {
                    line += u32::from(inner == '\n');
                    if before == '*' && inner == '/' {
                        break;
                    }
                    before = inner;
                }
            }
            '"' => {
                let (mut command, start) = (String::new(), line);
                while let Some(inner) = characters.next() {
                    match inner {
                        '"' => break,
                        '\\' => command.extend(characters.next()),
                        _ => {
                            line += u32::from(inner == '\n');
                            command.push(inner);
                        }
                    }
                }
                if hook_at.is_some() || is_hook(word.trim()) {
                    hooks.push((start, command));
                }
            }
            '{' => {
                depth += 1;
                if is_hook(word.trim()) {
                    hook_at.get_or_insert(depth);
                }
                word.clear();
            }
            '}' => {
                if hook_at == Some(depth) {
                    hook_at = None;
                }
                depth = depth.saturating_sub(1);
                word.clear();
            }
            ';' => word.clear(),
            other => word.push(other),
        }
    }
    hooks
}
