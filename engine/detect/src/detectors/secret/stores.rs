//! Passwords in the files where programs keep them: people made most of these, so that neither an issuer's shape nor chance
//! tells them, but the place where the program reads one does.

use std::ops::Range;
use std::sync::LazyLock;

use pratique_core::inspect::Piece;
use regex::bytes::Regex;

use super::checks::is_kept_password;
use super::finder::own_places;
use super::shapes::{LOGIN, Shape};

/// What is reported of them. Nothing but the file tells such a password.
pub(super) const STORED: Shape =
    Shape { id: "stored-password", what: "password that a program keeps for its user", ..LOGIN };

/// Files that have passwords in the same places.
pub(super) struct Store {
    /// How their paths end, in any case: the file's name, and folders above it where that does not tell; or, with a slash
    /// at its end, the folder.
    paths: &'static [&'static str],
    /// Where one stands; the first group is the password.
    place: LazyLock<Regex>,
}

const fn store(paths: &'static [&'static str], place: fn() -> Regex) -> Store {
    Store { paths, place: LazyLock::new(place) }
}

/// A pattern in which `SECRET` stands for one, of any length, which is no reference, path, tag or template.
fn place(pattern: &str) -> Regex {
    let pattern = pattern.replace("SECRET", r#"([^\s"'$<{%#@/\x00-\x1f-][^\s"'\x00-\x1f]*)"#);
    Regex::new(&format!("(?m-u){pattern}")).expect("a test compiles every pattern")
}

static STORES: [Store; 14] = [
    // postgresql.org, the password file: host, port, database, user, password.
    store(&[".pgpass", "pgpass.conf"], || {
        place(r"^[^#:\s](?:\\.|[^:\\\n])*(?::(?:\\.|[^:\\\n])+){3}:SECRET\s*$")
    }),
    // Settings in lines: MySQL's clients, Python's uploads (packaging.python.org, .pypirc), s3cmd, mount.cifs(8), rclone, whose
    // disguise anybody can take off, wget, Helm, kubectl, wpa_supplicant and NetworkManager.
    store(
        &[
            "my.cnf",
            "debian.cnf",
            ".pypirc",
            ".s3cfg",
            ".smbcredentials",
            "rclone.conf",
            ".wgetrc",
            "repositories.yaml",
            ".kube/config",
            "kubeconfig",
            "wpa_supplicant.conf",
            "NetworkManager/system-connections/",
        ],
        || {
            place(
                r#"(?i)^[ \t]*(?:(?:http_|ftp_|proxy_)?password2?|pass|psk|secret_key|token)[ \t]*[=:][ \t]*["']?SECRET["']?[ \t\r]*$"#,
            )
        },
    ),
    // Variables in lines: Compose, Laravel and others.
    store(&[".env", ".env.local", ".env.development", ".env.staging", ".env.production"], || {
        place(
            r#"^[ \t]*(?:export[ \t]+)?[0-9A-Za-z_]*(?i:passw(?:or)?d|passphrase)[ \t]*=[ \t]*["']?SECRET["']?[ \t\r]*(?:#.*)?$"#,
        )
    }),
    // msmtp(1), fetchmail(1).
    store(&["msmtprc", "fetchmailrc"], || {
        place(r#"(?i)^[^#\n]*?\bpass(?:word)?[ \t]+["']?SECRET["']?(?:[\s;,]|$)"#)
    }),
    // curl(1), a name before it.
    store(&[".curlrc"], || {
        place(r#"^[ \t]*(?:-u[ \t]*|(?:--)?user(?:[ \t]*[=:][ \t]*|[ \t]+))["']?[^:\s"'#]+:SECRET["']?\s*$"#)
    }),
    // getcomposer.org, auth.json; Docker's tokens of registries; Terraform's of hosts.
    store(&["auth.json", ".docker/config.json", "credentials.tfrc.json"], || {
        place(r#""(?:password|token|identitytoken|registrytoken)"\s{0,9}:\s{0,9}"SECRET""#)
    }),
    // learn.microsoft.com, nuget.config: what is not sealed by Windows.
    store(&["nuget.config"], || place(r#"(?i)key="ClearTextPassword"\s{1,9}value="SECRET""#)),
    // FileZilla's sites, as they are or in base64.
    store(&["sitemanager.xml", "recentservers.xml", "filezilla.xml"], || {
        place(r#"<Pass(?: encoding="base64")?>([^<\s]+)</Pass>"#)
    }),
    // Subversion's cache.
    store(&["auth/svn.simple/"], || place(r"^K 8\npassword\nV [0-9]{1,3}\nSECRET$")),
    // ftp(1), which curl and git read, too; and what git keeps itself.
    store(&[".netrc", "_netrc"], || place(r"^[^#\n]*?\bpassword[ \t]+SECRET(?:\s|$)")),
    store(&[".git-credentials", "git/credentials"], || place(r"^[a-z+]{3,9}://[^:@/\s]*:SECRET@[^@\s]+\s*$")),
    // maven.apache.org, settings: what is not sealed by Maven.
    store(&[".m2/settings.xml"], || place(r"<(?:password|passphrase)>([^\s$<{%#@/][^\s<]*)</")),
    // WordPress.
    store(&["wp-config.php"], || {
        place(r#"^[ \t]*define\([ \t]*["']DB_PASSWORD["'][ \t]*,[ \t]*["']SECRET["']"#)
    }),
    // All that they hold: Vault's token, the key of Rails' credentials.
    store(&[".vault-token", "config/master.key"], || place(r"\A\s*SECRET\s*\z")),
];

impl Store {
    /// What a file of this path is, if it is one.
    pub(super) fn of(path: &[u8]) -> Option<&'static Self> {
        let folder = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        STORES.iter().find(|store| {
            store.paths.iter().any(|end| {
                let path = if end.ends_with('/') { &path[..folder] } else { path };
                let Some(start) = path.len().checked_sub(end.len()) else { return false };
                path[start..].eq_ignore_ascii_case(end.as_bytes())
                    && (start == 0 || matches!(path[start - 1], b'/' | b'.'))
            })
        })
    }

    /// Places of the passwords that begin in this piece.
    pub(super) fn passwords(&self, piece: &Piece<'_>) -> impl Iterator<Item = Range<usize>> {
        let (own, bytes) = (own_places(piece), piece.bytes);
        let all = self.place.captures_iter(bytes).filter_map(|groups| Some(groups.get(1)?.range()));
        all.filter(move |found| own.contains(&found.start) && is_kept_password(&bytes[found.clone()]))
    }
}
