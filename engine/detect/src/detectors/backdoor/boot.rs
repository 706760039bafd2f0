//! What runs before a system's first process, or in the kernel's name: initramfs-tools(7), dracut(8), grub-mkconfig(8),
//! kernel-install(8), binfmt.d(5), and programs that sysctl.d(5) hands to the kernel.

use pratique_core::Severity;

use crate::shell::hidden_place;
use crate::signs::{Excuse, Notes, text, word};
use crate::{FileInput, Rule};

pub(super) const PLACES: &[&str] = &[
    "etc/initramfs-tools/hooks/*",
    "etc/initramfs-tools/scripts/*/*",
    "usr/share/initramfs-tools/hooks/*",
    "usr/share/initramfs-tools/scripts/*/*",
    "usr/lib/dracut/modules.d/*/*.sh",
    "etc/dracut.conf",
    "etc/dracut.conf.d/*.conf",
    "etc/mkinitfs/*",
    "etc/kernel/*.d/*",
    "usr/lib/kernel/install.d/*.install",
    "etc/kernel/cmdline",
    "etc/grub.d/*",
    "boot/grub/grub.cfg",
    "boot/grub2/grub.cfg",
    "boot/loader/entries/*.conf",
    "etc/binfmt.d/*.conf",
    "usr/lib/binfmt.d/*.conf",
    "run/binfmt.d/*.conf",
    "etc/sysctl.conf",
    "etc/sysctl.d/*.conf",
    "usr/lib/sysctl.d/*.conf",
    "usr/local/lib/sysctl.d/*.conf",
    "run/sysctl.d/*.conf",
];

pub(super) const RULE: Rule = Rule {
    id: "boot-hook",
    severity: "Low to Critical",
    reference: "ATT&CK T1542, T1037",
    what: "scripts that no package brought and that go into an initial RAM disk, are run where a kernel is installed or write GRUB's menu; another first process in the kernel's command line (init=, rdinit=); interpreters of binfmt.d, worse if they run with a file's privileges; programs that sysctl hands to the kernel (kernel.core_pattern, kernel.modprobe)",
    why: "they run as root before anything could look at them, or whenever the kernel wants, which is not bound to any container",
    remedy: "take the file out of the image: a container has the node's kernel and does not boot",
};

pub(super) fn read(path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    let of = |name: &str| {
        ["etc/", "usr/lib/", "usr/local/lib/", "run/"]
            .iter()
            .any(|root| path.strip_prefix(root).is_some_and(|rest| rest.starts_with(name)))
    };
    if of("binfmt.d/") {
        binfmt(&text, notes);
    } else if of("sysctl.") {
        sysctl(&text, notes);
    } else if path.starts_with("boot/") || path == "etc/kernel/cmdline" {
        command_line(&text, notes);
    } else if path.starts_with("etc/dracut.conf") {
        // What it sets is read as a script.
        notes.script(&text, 1, "dracut's configuration", None);
    } else if of("dracut/") || file.mode.permissions & 0o111 != 0 {
        notes.program(file, "a script of the boot", Some(Severity::Low));
    }
}

/// `init=` and `rdinit=` of the kernel's command line, wherever in a file they stand.
pub(super) fn command_line(text: &str, notes: &mut Notes) {
    for (line, content) in notes.lines(text) {
        if content.trim_start().starts_with('#') {
            continue;
        }
        for first in content.split([' ', '\t', '"', '\'']) {
            let Some(program) = first.strip_prefix("init=").or_else(|| first.strip_prefix("rdinit=")) else {
                continue;
            };
            let usual =
                ["/init", "/systemd", "/openrc-init", "/runit"].iter().any(|name| program.ends_with(name));
            if !usual || hidden_place(program).is_some() {
                let what = format!("the kernel starts {} as the first process", word(program));
                notes.sign(Severity::High, Excuse::Genuine, Some(line), what);
            }
        }
    }
}

/// `:name:type:offset:magic:mask:interpreter:flags`, with any sign in the place of the colon.
fn binfmt(text: &str, notes: &mut Notes) {
    for (line, content) in notes.lines(text) {
        let content = content.trim();
        let Some(separator) = content.chars().next().filter(|first| !matches!(first, '#' | ';')) else {
            continue;
        };
        let fields: Vec<&str> = content.split(separator).collect();
        let [_, name, _, _, _, _, interpreter, flags, ..] = fields.as_slice() else { continue };
        let privileged = flags.contains('C');
        let severity = match (hidden_place(interpreter).is_some(), privileged) {
            (true, _) => Severity::High,
            (false, true) => Severity::Medium,
            (false, false) => Severity::Low,
        };
        let rights = if privileged { ", with the privileges of setuid files" } else { "" };
        let what =
            format!("the kernel runs files of the kind {} by {}{rights}", word(name), word(interpreter));
        notes.sign(severity, Excuse::Owned, Some(line), what);
    }
}

fn sysctl(text: &str, notes: &mut Notes) {
    for (line, content) in notes.lines(text) {
        let content = content.trim();
        let Some((name, value)) = content.split_once('=').filter(|_| !content.starts_with(['#', ';'])) else {
            continue;
        };
        let name = name.trim().trim_start_matches('-').replace('/', ".");
        let program = match name.as_str() {
            "kernel.core_pattern" => value.trim().strip_prefix('|'),
            "kernel.modprobe" | "kernel.hotplug" | "kernel.poweroff_cmd" => Some(value.trim()),
            _ => None,
        };
        if let Some(program) =
            program.filter(|program| !matches!(*program, "" | "/bin/false" | "/bin/true" | "/sbin/modprobe"))
        {
            notes.script(
                program,
                line,
                "the kernel, on every node where this is applied,",
                Some(Severity::Low),
            );
        }
    }
}
