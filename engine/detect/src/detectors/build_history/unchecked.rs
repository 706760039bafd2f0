//! What a step fetches without asking whose it is: options, settings and variables that take the checks off.

use std::sync::LazyLock;

use pratique_core::Severity;
use regex::{Regex, RegexSet};

use super::step::Told;
use crate::shell;

/// Options that say so by themselves, whoever's they are.
const OPTIONS: [&str; 20] = [
    "--allow-unauthenticated",
    "--force-yes",
    "--allow-insecure-repositories",
    "--allow-untrusted",
    "--nogpgcheck",
    "--no-gpgcheck",
    "--no-gpg-check",
    "--no-gpg-checks",
    "--gpg-auto-import-keys",
    "--allow-unsigned-rpm",
    "--nosignature",
    "--nodigest",
    "--trusted-host",
    "--allow-insecure-host",
    "--no-check-certificate",
    "--no-strict-ssl",
    "--no-verify-ssl",
    "--insecure-skip-tls-verify",
    "--tls-verify=false",
    "--check-certificate=false",
];

/// A setting as a regular expression, in a file that the step writes or on a command line.
struct Setting {
    pattern: &'static str,
    name: &'static str,
    severity: Severity,
}

const fn medium(name: &'static str, pattern: &'static str) -> Setting {
    Setting { pattern, name, severity: Severity::Medium }
}

const fn low(name: &'static str, pattern: &'static str) -> Setting {
    Setting { pattern, name, severity: Severity::Low }
}

const SETTINGS: [Setting; 17] = [
    medium("[trusted=yes]", r"(?i)\[[^\]\n]*\b(?:trusted|allow-insecure)\s*=\s*yes\b[^\]\n]*\]"),
    medium("Trusted: yes", r"(?i)\b(?:trusted|allow-insecure):\s*yes\b"),
    medium("AllowUnauthenticated", r"(?i)AllowUnauthenticated\W{1,4}(?:true|yes|1|on)\b"),
    medium("AllowInsecureRepositories", r"(?i)AllowInsecureRepositories\W{1,4}(?:true|yes|1|on)\b"),
    medium("Verify-Peer", r"(?i)Verify-Peer\W{1,4}(?:false|no|0|off)\b"),
    // Not what sed replaces.
    medium("gpgcheck=0", r"(?i)(?:[^\w/|#^]|^|\\n|=\s*1[/|#])gpgcheck\s*=\s*(?:0|no|false|off)\b"),
    low("repo_gpgcheck=0", r"(?i)(?:[^\w/|#^]|^|\\n|=\s*1[/|#])repo_gpgcheck\s*=\s*(?:0|no|false|off)\b"),
    medium("SigLevel", r"(?i)\bSigLevel\s*=\s*(?:Never\b|\w*\s*\w*TrustAll\b)"),
    medium("sslVerify=false", r"(?i)\bssl_?verify\s*[:= ]\s*(?:0|no|false|off)\b"),
    medium("strict-ssl false", r"(?i)strict-?ssl\s*[:= ]\s*false\b"),
    medium("trusted-host", r"(?i)(?:^|[\s.]|\\n)trusted-host\s*[= ]\s*\S"),
    medium("check_certificate=off", r"(?i)\bcheck_certificate\s*=\s*(?:0|no|off)\b"),
    medium("disable-tls true", r"(?i)\bdisable-tls\s+true\b"),
    medium("secure-http false", r"(?i)\bsecure-http\s+false\b"),
    medium("insecure in .curlrc", r"\binsecure\b.*\.curlrc\b"),
    low("StrictHostKeyChecking=no", r"(?i)StrictHostKeyChecking[= ]\s*(?:no|off)\b"),
    medium(
        "a key over plain http",
        r"(?i)\bgpgkey\s*=\s*http://|--import\s+http://|--fetch-keys\s+http://|\b(?:curl|wget)\b[^|;&\n]*\shttp://[^|;&\n]*\|[^|;&\n]*\b(?:apt-key|gpg)\b",
    ),
];

static SET: LazyLock<RegexSet> =
    LazyLock::new(|| RegexSet::new(SETTINGS.iter().map(|setting| setting.pattern)).expect("it is tested"));

/// Keys by the last eight digits of their number: others with the same were made.
static SHORT_KEY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)--recv(?:-keys?)?(?:\s+(?:0x)?[0-9a-f]{8,40})*?\s+(?:0x)?[0-9a-f]{8}(?:\s|$)")
        .expect("it is tested")
});

/// Variables that do the same for what runs later, and values that mean it (none: any).
const VARIABLES: [(&str, &[&str]); 13] = [
    ("NODE_TLS_REJECT_UNAUTHORIZED", &["0"]),
    ("GIT_SSL_NO_VERIFY", &[]),
    ("PYTHONHTTPSVERIFY", &["0"]),
    ("PIP_TRUSTED_HOST", &[]),
    ("UV_INSECURE_HOST", &[]),
    ("NPM_CONFIG_STRICT_SSL", &["false"]),
    ("YARN_ENABLE_STRICT_SSL", &["false", "0"]),
    ("CONDA_SSL_VERIFY", &["false", "no", "0"]),
    ("GOINSECURE", &[]),
    ("GONOSUMDB", &[]),
    ("GOSUMDB", &["off"]),
    ("PERL_LWP_SSL_VERIFY_HOSTNAME", &["0"]),
    ("BUNDLE_SSL_VERIFY_MODE", &["0"]),
];

/// What a script takes off.
pub(super) fn judge(script: &str, told: &mut Told) {
    let mut text: Vec<String> =
        script.lines().filter(|line| !line.trim_start().starts_with('#')).map(str::to_owned).collect();
    for (_, words) in shell::commands(script).0 {
        let program = words.first().map_or("", |word| word.as_str());
        if !matches!(program, "echo" | "printf") {
            for word in &words {
                let option = OPTIONS.iter().find(|option| {
                    word.strip_prefix(**option).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
                });
                if let Some(option) = option {
                    tell(Severity::Medium, option, told);
                }
                if let Some((name, value)) = word.split_once('=') {
                    variable(name, value, told);
                }
            }
            let mut behind = words.iter().skip_while(|word| word.rsplit('/').next() != Some("curl")).skip(1);
            if is_insecure(&mut behind) {
                tell(Severity::Medium, "curl --insecure", told);
            }
        }
        text.push(words.join(" "));
    }
    let text = text.join("\n");
    for place in SET.matches(&text) {
        tell(SETTINGS[place].severity, SETTINGS[place].name, told);
    }
    if SHORT_KEY.is_match(&text) {
        tell(Severity::Low, "a key by 8 digits", told);
    }
}

/// What a variable of the environment takes off.
pub(super) fn variable(name: &str, value: &str, told: &mut Told) {
    let (name, value) =
        (name.to_ascii_uppercase(), value.trim().trim_matches(['"', '\'']).to_ascii_lowercase());
    let known = VARIABLES.iter().find(|(known, _)| *known == name);
    if let Some((name, values)) = known
        && !value.is_empty()
        && (values.is_empty() || values.contains(&value.as_str()))
    {
        tell(Severity::Medium, name, told);
    }
}

/// Whether options of curl say so: `-k` also among other letters, up to one that takes the rest, or the next word.
fn is_insecure<'w>(words: &mut impl Iterator<Item = &'w String>) -> bool {
    while let Some(word) = words.next() {
        if matches!(word.as_str(), "--insecure" | "--proxy-insecure" | "--doh-insecure") {
            return true;
        }
        let Some(letters) = word.strip_prefix('-').filter(|letters| !letters.starts_with('-')) else {
            continue;
        };
        match letters.find(|letter| letter == 'k' || "AbcCdDeEFHKmoPQrtTuUwxXyYz".contains(letter)) {
            Some(at) if letters[at..].starts_with('k') => return true,
            Some(at) if at + 1 == letters.len() => _ = words.next(),
            _ => {}
        }
    }
    false
}

fn tell(severity: Severity, what: &str, told: &mut Told) {
    told.push(("unchecked-packages", severity, format!("does not check what it fetches ({what})")));
}
