//! What secrets look like, by who issues them. The shapes are those the providers document.

use pratique_core::Severity;

use super::checks::{
    ends_in_crc32, is_common_password, is_jwt, is_open_key, is_own_password, is_protected_key, varied,
};

/// A kind of secret.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Stable id, lower-case with dashes.
    pub(super) id: &'static str,
    /// What it is, in the singular.
    pub(super) what: &'static str,
    /// The detector's rule that reports it.
    pub(super) rule: &'static str,
    /// How bad it is to find one.
    pub(super) severity: Severity,
    /// A match begins with one of these.
    pub(super) literals: &'static [&'static str],
    /// What a match looks like, from its literal on. The first group is the secret; without one, all of it.
    pub(super) pattern: &'static str,
    /// Bytes from the literal on that the pattern is tried on; fewer than [`pratique_core::inspect::OVERLAP`] by far.
    pub(super) reach: usize,
    /// Whether the secret of a match is one.
    pub(super) check: fn(&[u8]) -> bool,
}

/// What gives access to a cloud.
const CLOUD: Shape = Shape {
    id: "",
    what: "",
    rule: "cloud-key",
    severity: Severity::High,
    literals: &[],
    pattern: "",
    reach: 400,
    check: varied,
};

/// What gives access to code, packages and images.
const CODE: Shape = Shape { rule: "code-token", ..CLOUD };

/// What gives access to a service.
const SERVICE: Shape = Shape { rule: "service-token", ..CLOUD };

/// What a machine or a person proves with who it is.
const KEY: Shape = Shape { rule: "private-key", ..CLOUD };

/// A name's password, where a program keeps it.
const LOGIN: Shape = Shape { rule: "stored-login", ..CLOUD };

const fn shape(
    of: Shape,
    id: &'static str,
    what: &'static str,
    literals: &'static [&'static str],
    pattern: &'static str,
) -> Shape {
    Shape { id, what, literals, pattern, ..of }
}

/// All of them. Where two find the same, the earlier one counts.
pub(super) const SHAPES: &[Shape] = &[
    // Where code and packages are kept.
    Shape {
        check: ends_in_crc32,
        ..shape(
            CODE,
            "github-token",
            "GitHub token",
            &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
            "gh[pousr]_[0-9A-Za-z]{36}",
        )
    },
    shape(
        CODE,
        "github-fine-grained",
        "GitHub token",
        &["github_pat_"],
        "github_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59}",
    ),
    shape(
        CODE,
        "gitlab-token",
        "GitLab token",
        &["glpat-", "gldt-", "glrt-"],
        "gl(?:pat|dt|rt)-[0-9A-Za-z_-]{20}",
    ),
    Shape { check: ends_in_crc32, ..shape(CODE, "npm-token", "npm token", &["npm_"], "npm_[0-9A-Za-z]{36}") },
    shape(
        CODE,
        "pypi-token",
        "PyPI token",
        &["pypi-AgEIcHlwaS5vcmc"],
        "pypi-AgEIcHlwaS5vcmc[0-9A-Za-z_-]{50,}",
    ),
    shape(CODE, "rubygems-key", "RubyGems key", &["rubygems_"], "rubygems_[0-9a-f]{48}"),
    shape(
        CODE,
        "docker-hub-token",
        "Docker Hub token",
        &["dckr_pat_", "dckr_oat_"],
        "dckr_(?:pat_[0-9A-Za-z_-]{27}|oat_[0-9A-Za-z_-]{32})",
    ),
    // Clouds.
    shape(
        CLOUD,
        "aws-key-id",
        "AWS access key",
        &["AKIA", "ASIA", "ABIA", "ACCA"],
        "A(?:KIA|SIA|BIA|CCA)[A-Z2-7]{16}",
    ),
    shape(
        CLOUD,
        "aws-secret",
        "AWS secret key",
        &["aws_secret_access_key", "AWS_SECRET_ACCESS_KEY"],
        "(?i:aws_secret_access_key)[\"']?\\s{0,8}[:=]\\s{0,8}[\"']?([0-9A-Za-z/+]{40})",
    ),
    shape(CLOUD, "google-api-key", "Google API key", &["AIza"], "AIza[0-9A-Za-z_-]{35}"),
    shape(
        CLOUD,
        "azure-storage-key",
        "Azure storage key",
        &["AccountKey="],
        "AccountKey=([0-9A-Za-z+/]{86}==)",
    ),
    shape(CLOUD, "alibaba-key-id", "Alibaba Cloud access key", &["LTAI"], "LTAI[0-9A-Za-z]{20}"),
    shape(
        CLOUD,
        "digitalocean-token",
        "DigitalOcean token",
        &["dop_v1_", "doo_v1_", "dor_v1_"],
        "do[opr]_v1_[0-9a-f]{64}",
    ),
    shape(CLOUD, "databricks-token", "Databricks token", &["dapi"], "dapi[0-9a-f]{32}"),
    shape(CLOUD, "terraform-token", "Terraform token", &[".atlasv1."], "\\.atlasv1\\.[0-9A-Za-z_=-]{60,70}"),
    shape(
        CLOUD,
        "vault-token",
        "Vault token",
        &["hvs.", "hvb."],
        "hv(?:s\\.[0-9A-Za-z_-]{90,120}|b\\.[0-9A-Za-z_-]{138,300})",
    ),
    // Services.
    shape(
        SERVICE,
        "slack-token",
        "Slack token",
        &["xoxb-", "xoxp-", "xapp-1-"],
        "(?:xox[bp]-[0-9]{9,14}-[0-9]{9,14}|xapp-1-[0-9A-Z]{9,14}-[0-9]{9,14})-[0-9A-Za-z-]{20,80}",
    ),
    shape(
        SERVICE,
        "slack-webhook",
        "Slack webhook",
        &["hooks.slack.com/services/"],
        "hooks\\.slack\\.com/services/(T[0-9A-Z]{8,12}/B[0-9A-Z]{8,12}/[0-9A-Za-z]{24})",
    ),
    shape(
        SERVICE,
        "stripe-key",
        "Stripe key",
        &["sk_live_", "rk_live_", "sk_test_", "rk_test_"],
        "[sr]k_(?:live|test)_[0-9A-Za-z]{10,99}",
    ),
    shape(
        SERVICE,
        "openai-key",
        "OpenAI key",
        &["sk-"],
        "sk-(?:(?:proj|svcacct|admin)-)?[0-9A-Za-z_-]{20,80}T3BlbkFJ[0-9A-Za-z_-]{20,80}",
    ),
    shape(SERVICE, "anthropic-key", "Anthropic key", &["sk-ant-api03-"], "sk-ant-api03-[0-9A-Za-z_-]{93}AA"),
    shape(SERVICE, "hugging-face-token", "Hugging Face token", &["hf_"], "hf_[A-Za-z]{34}"),
    shape(SERVICE, "sendgrid-key", "SendGrid key", &["SG."], "SG\\.[0-9A-Za-z_-]{22}\\.[0-9A-Za-z_-]{43}"),
    shape(SERVICE, "grafana-token", "Grafana token", &["glsa_"], "glsa_[0-9A-Za-z]{32}_[0-9a-f]{8}"),
    // Keys and logins of any issuer.
    Shape { reach: 8 << 10, check: is_open_key, ..shape(KEY, "private-key", "private key", BEGIN, PEM) },
    Shape {
        reach: 8 << 10,
        severity: Severity::Low,
        check: is_protected_key,
        ..shape(KEY, "private-key-protected", "private key with a passphrase", BEGIN, PEM)
    },
    Shape {
        reach: 4 << 10,
        severity: Severity::Medium,
        check: is_jwt,
        ..shape(
            SERVICE,
            "jwt",
            "JSON web token",
            &["eyJ"],
            "eyJ[0-9A-Za-z_-]{10,}\\.eyJ[0-9A-Za-z_-]{2,}\\.[0-9A-Za-z_-]{16,}",
        )
    },
    Shape { check: is_own_password, ..shape(LOGIN, "url-password", "password in a URL", &["://"], URL) },
    // Documentation is full of them, and some people take them at their word.
    Shape {
        severity: Severity::Low,
        check: is_common_password,
        ..shape(LOGIN, "url-common-password", "password in a URL that stands in many examples", &["://"], URL)
    },
];

const URL: &str = "://[0-9A-Za-z._~%+-]{1,64}:([^\\s:/@\"'<>${}\\x00-\\x20]{6,100})@[0-9A-Za-z\\[]";

/// How the private keys of RFC 7468, of OpenSSL before it and of OpenSSH begin.
const BEGIN: &[&str] = &[
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN ENCRYPTED PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----",
    "-----BEGIN DSA PRIVATE KEY-----",
    "-----BEGIN EC PRIVATE KEY-----",
    "-----BEGIN OPENSSH PRIVATE KEY-----",
];
const PEM: &str = "-----BEGIN [A-Z ]{0,10}PRIVATE KEY-----[\\s\\\\0-9A-Za-z+/=:,.-]{40,7000}?-----END [A-Z ]{0,10}PRIVATE KEY-----";
