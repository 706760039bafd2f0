//! What servers run or load by their own settings: Apache httpd, nginx, PHP, PostgreSQL, MySQL, Redis, net-snmp.

use pratique_core::Severity;

use super::variables::{loaded_by, loads};
use crate::shell::hidden_place;
use crate::signs::{Excuse, Notes, text, word};
use crate::{FileInput, Kind, Rule};

pub(super) const PLACES: &[&str] = &[
    "etc/apache2/*.conf",
    "etc/apache2/*/*.conf",
    "etc/apache2/*/*.load",
    "etc/httpd/*/*.conf",
    "usr/local/apache2/conf/*.conf",
    "usr/local/apache2/conf/*/*.conf",
    "**/.htaccess",
    "etc/apache2/envvars",
    "etc/nginx/*.conf",
    "etc/nginx/*/*.conf",
    "etc/php.ini",
    "etc/php.d/*.ini",
    "etc/php*/*.ini",
    "etc/php*/conf.d/*.ini",
    "etc/php/*/*/php.ini",
    "etc/php/*/*/conf.d/*.ini",
    "etc/php/*/fpm/pool.d/*.conf",
    "etc/php-fpm.d/*.conf",
    "usr/local/etc/php-fpm.d/*.conf",
    "usr/local/etc/php/php.ini",
    "usr/local/etc/php/conf.d/*.ini",
    "**/.user.ini",
    "**/postgresql.conf",
    "**/postgresql.auto.conf",
    "**/recovery.conf",
    "etc/postgresql/*/*/conf.d/*.conf",
    "etc/my.cnf",
    "etc/my.cnf.d/*.cnf",
    "etc/mysql/*.cnf",
    "etc/mysql/*/*.cnf",
    "**/redis.conf",
    "etc/redis/*.conf",
    "etc/valkey/*.conf",
    "etc/snmp/snmpd.conf",
    "etc/snmp/snmpd.conf.d/*.conf",
    "var/lib/snmp/snmpd.conf",
];

/// Libraries that databases load into themselves.
pub(super) const LIBRARIES: &[&str] = &[
    "usr/lib/mysql/plugin/*.so",
    "usr/lib64/mysql/plugin/*.so",
    "usr/lib/*/mysql/plugin/*.so",
    "usr/lib/*/mariadb*/plugin/*.so",
    "usr/lib64/mariadb/plugin/*.so",
    "usr/lib/mariadb/plugin/*.so",
    "usr/lib/postgresql/*/lib/*.so",
    "usr/lib64/pgsql/*.so",
];

pub(super) const RULE: Rule = Rule {
    id: "server-command",
    severity: "Low to Critical",
    reference: "ATT&CK T1505",
    what: "programs that servers run by their settings (piped logs and RewriteMap of Apache, archive_command and its like of PostgreSQL, extend and pass of snmpd, sendmail_path of PHP), code and modules that they load from a hidden or open folder (LoadModule, load_module, loadmodule, auto_prepend_file, extension, shared_preload_libraries, plugin_dir, init_file), Redis writing where others read what to run, and libraries of MySQL and PostgreSQL that no package brought",
    why: "they run with the server's rights whenever it does something, and again after every start",
    remedy: "remove the setting, or install the module from a package",
};

/// Settings whose value is a command.
const RUN: [&str; 12] = [
    "archive_command",
    "restore_command",
    "archive_cleanup_command",
    "recovery_end_command",
    "ssl_passphrase_command",
    "sendmail_path",
    "extend",
    "extend-sh",
    "exec",
    "sh",
    "pass",
    "pass_persist",
];

/// Settings whose value is code that the server loads.
const LOAD: [&str; 21] = [
    "loadmodule",
    "loadfile",
    "load_module",
    "auto_prepend_file",
    "auto_append_file",
    "extension",
    "zend_extension",
    "extension_dir",
    "shared_preload_libraries",
    "session_preload_libraries",
    "local_preload_libraries",
    "dynamic_library_path",
    "plugin_dir",
    "plugin-dir",
    "plugin_load",
    "plugin-load",
    "plugin_load_add",
    "plugin-load-add",
    "init_file",
    "init-file",
    "malloc-lib",
];

/// Where Redis, which writes what it is told, has no business: what others run or let in by.
const RUN_BY_OTHERS: [&str; 5] = ["/etc", "/var/spool/cron", "/root", "/usr/lib", "/lib"];

pub(super) fn read(path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    if path == "etc/apache2/envvars" {
        notes.script(&text, 1, "Apache's start", None);
        return loaded_by(&text, " for Apache", notes);
    }
    let is_redis = path.contains("redis") || path.contains("valkey");
    let is_snmp = path.starts_with("etc/snmp/") || path.starts_with("var/lib/snmp/");
    for (line, content) in notes.lines(&text) {
        let content = content.trim();
        if content.starts_with(['#', ';', '[', '<']) {
            continue;
        }
        let end = content.find([' ', '\t', '=']).unwrap_or(content.len());
        let (name, value) =
            (content[..end].to_ascii_lowercase(), content[end..].trim_matches([' ', '\t', '=']));
        // Apache has PHP's settings and variables behind a word of its own, PHP's own server in brackets.
        let of_other = |word: &str| matches!(word, "php_value" | "php_admin_value" | "setenv" | "env");
        let (name, value) = match (value.split_once([' ', '\t']), name.split_once('[')) {
            (_, Some((word, setting))) if of_other(word) => (setting.trim_end_matches(']').to_owned(), value),
            (Some((setting, value)), None) if of_other(&name) => (setting.to_ascii_lowercase(), value.trim()),
            _ => (name, value),
        };
        let value = unquoted(value);
        if let Some(loaded) = loads(&name.to_ascii_uppercase(), value) {
            loaded.note(" for a server", line, notes);
        }
        let is_command = RUN.contains(&name.as_str()) && (is_snmp || name.contains('_'));
        if let Some(command) = piped(&name, value) {
            notes.script(command, line, "Apache", Some(Severity::Low));
        } else if is_command {
            notes.script(
                command(value, is_snmp),
                line,
                &format!("the server's setting {name}"),
                Some(Severity::Low),
            );
        } else if LOAD.contains(&name.as_str()) {
            let hidden = value
                .split([' ', '\t', ',', ';', ':', '=', '\'', '"'])
                .find_map(|part| Some((part, hidden_place(part)?)));
            if let Some((part, why)) = hidden {
                let what = format!("the server loads {}, {why}", word(part));
                notes.sign(Severity::High, Excuse::Genuine, Some(line), what);
            }
        } else if is_redis
            && name == "dir"
            && (value.contains("/.ssh") || RUN_BY_OTHERS.iter().any(|folder| lies_in(value, folder)))
        {
            let what = format!("Redis writes its data to {}, where others read what to run", word(value));
            notes.sign(Severity::High, Excuse::Genuine, Some(line), what);
        }
    }
}

/// A value without its quotes, and without what follows them.
pub(super) fn unquoted(value: &str) -> &str {
    let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''));
    quote.and_then(|quote| value[1..].split(quote).next()).unwrap_or(value)
}

/// The program that Apache pipes a log to, or asks for what a RewriteMap holds.
fn piped<'v>(name: &str, value: &'v str) -> Option<&'v str> {
    match name {
        "customlog" | "errorlog" | "transferlog" | "globallog" | "forensiclog" => {
            value.strip_prefix('|').map(|rest| rest.trim_start_matches(['|', '$']))
        }
        "rewritemap" => value.split_once("prg:").map(|(_, program)| unquoted(program)),
        "extfilterdefine" => value.split_once("cmd=").map(|(_, program)| unquoted(program)),
        _ => None,
    }
}

/// Of net-snmp the command stands behind what names it.
fn command(value: &str, is_snmp: bool) -> &str {
    match value.find(" /") {
        Some(place) if is_snmp => value[place..].trim_start(),
        _ => value,
    }
}

fn lies_in(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

pub(super) fn library(file: &FileInput<'_>, notes: &mut Notes) {
    notes.of_rule(RULE.id);
    if file.kind == Kind::File {
        // By this name goes the library of functions that run commands.
        let runs = String::from_utf8_lossy(file.path).contains("udf_sys");
        let severity = if runs { Severity::High } else { Severity::Low };
        notes.sign(severity, Excuse::Unknown, None, "a library that a database loads into itself");
    }
}
