//! Modules that libraries load by their settings: config(5) of OpenSSL, pkcs11.conf(5) of p11-kit, `plugins` of krb5.conf(5).

use pratique_core::Severity;

use crate::includes::{Includes, folder_of};
use crate::shell::hidden_place;
use crate::signs::{Excuse, Notes, text, word};
use crate::{FileInput, Rule};

pub(super) const PLACES: &[&str] = &[
    "etc/ssl/openssl.cnf",
    "etc/ssl*/openssl.cnf",
    "etc/ssl/openssl.cnf.d/*.cnf",
    "etc/pki/tls/openssl.cnf",
    "etc/pki/tls/openssl.d/*",
    "etc/crypto-policies/back-ends/*.config",
    "usr/lib/ssl/openssl.cnf",
    "usr/local/ssl/openssl.cnf",
    "usr/local/etc/openssl*/openssl.cnf",
    "opt/**/openssl.cnf",
    "etc/pkcs11/modules/*.module",
    "etc/pkcs11/pkcs11.conf",
    "usr/share/p11-kit/modules/*.module",
    "etc/krb5.conf",
    "etc/krb5.conf.d/*",
];

pub(super) const RULE: Rule = Rule {
    id: "library-module",
    severity: "Low to Critical",
    reference: "ATT&CK T1574",
    what: "engines and providers of OpenSSL, modules of p11-kit and plugins of Kerberos that lie in a hidden or open folder or outside the system's folders of libraries, commands that p11-kit runs (remote: |…), and files of settings that OpenSSL includes from elsewhere",
    why: "every program that uses the library loads them, and sees its keys and what it encrypts",
    remedy: "restore the file that the package brought; install modules from a package",
};

/// Where packages put modules.
const USUAL: [&str; 6] = ["/usr/", "/lib/", "/lib64/", "/opt/", "/nix/", "/gnu/"];

const INCLUDES: Includes = Includes { who: "OpenSSL", places: PLACES, severity: Severity::Low };

pub(super) fn read(path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    for (line, content) in notes.lines(&text) {
        let content = content.split('#').next().unwrap_or_default().trim();
        let Some((name, value)) = content.split_once(['=', ':']) else {
            // With or without an equals sign.
            if let Some(target) = content.strip_prefix(".include ") {
                INCLUDES.file(target.trim(), folder_of(path), line, notes);
            }
            continue;
        };
        let value = value.trim().trim_matches(['"', '\'']);
        match name.trim() {
            ".include" => INCLUDES.file(value, folder_of(path), line, notes),
            "remote" => {
                if let Some(command) = value.strip_prefix('|') {
                    notes.script(command, line, "p11-kit", Some(Severity::Low));
                }
            }
            // Kerberos has a name before the path.
            "dynamic_path" | "module" | "module_path" => {
                let library = value.find('/').map_or("", |start| &value[start..]);
                if let Some(why) = hidden_place(library) {
                    let what = format!("a library loads the module {}, {why}", word(library));
                    notes.sign(Severity::High, Excuse::Genuine, Some(line), what);
                } else if !library.is_empty()
                    && value.split(':').any(|part| part.starts_with('/'))
                    && !USUAL.iter().any(|folder| library.starts_with(folder))
                {
                    let what = format!("a library loads the module {}, where none belongs", word(library));
                    notes.sign(Severity::Medium, Excuse::Owned, Some(line), what);
                }
            }
            _ => {}
        }
    }
}
