//! What secrets look like, by who issues them. The shapes are those the providers document.

use super::Rule;
use super::checks::{ends_in_crc32, is_jwt, is_open_key, is_protected_key, varied};

/// A token that begins with its literal.
const fn token(
    id: &'static str,
    what: &'static str,
    literals: &'static [&'static str],
    pattern: &'static str,
) -> Rule {
    Rule { id, what, literals, pattern, reach: 400, check: varied }
}

/// All rules.
pub const RULES: &[Rule] = &[
    // Where code and packages are kept.
    Rule {
        check: ends_in_crc32,
        ..token(
            "github-token",
            "GitHub token",
            &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
            "gh[pousr]_[0-9A-Za-z]{36}",
        )
    },
    token(
        "github-fine-grained",
        "GitHub token",
        &["github_pat_"],
        "github_pat_[0-9A-Za-z]{22}_[0-9A-Za-z]{59}",
    ),
    token("gitlab-token", "GitLab token", &["glpat-", "gldt-", "glrt-"], "gl(?:pat|dt|rt)-[0-9A-Za-z_-]{20}"),
    Rule { check: ends_in_crc32, ..token("npm-token", "npm token", &["npm_"], "npm_[0-9A-Za-z]{36}") },
    token("pypi-token", "PyPI token", &["pypi-AgEIcHlwaS5vcmc"], "pypi-AgEIcHlwaS5vcmc[0-9A-Za-z_-]{50,}"),
    token("rubygems-key", "RubyGems key", &["rubygems_"], "rubygems_[0-9a-f]{48}"),
    token(
        "docker-hub-token",
        "Docker Hub token",
        &["dckr_pat_", "dckr_oat_"],
        "dckr_(?:pat_[0-9A-Za-z_-]{27}|oat_[0-9A-Za-z_-]{32})",
    ),
    // Clouds.
    token(
        "aws-key-id",
        "AWS access key",
        &["AKIA", "ASIA", "ABIA", "ACCA"],
        "A(?:KIA|SIA|BIA|CCA)[A-Z2-7]{16}",
    ),
    token(
        "aws-secret",
        "AWS secret key",
        &["aws_secret_access_key", "AWS_SECRET_ACCESS_KEY"],
        "(?i:aws_secret_access_key)[\"']?\\s{0,8}[:=]\\s{0,8}[\"']?([0-9A-Za-z/+]{40})",
    ),
    token("google-api-key", "Google API key", &["AIza"], "AIza[0-9A-Za-z_-]{35}"),
    token("azure-storage-key", "Azure storage key", &["AccountKey="], "AccountKey=([0-9A-Za-z+/]{86}==)"),
    token("alibaba-key-id", "Alibaba Cloud access key", &["LTAI"], "LTAI[0-9A-Za-z]{20}"),
    token(
        "digitalocean-token",
        "DigitalOcean token",
        &["dop_v1_", "doo_v1_", "dor_v1_"],
        "do[opr]_v1_[0-9a-f]{64}",
    ),
    token("databricks-token", "Databricks token", &["dapi"], "dapi[0-9a-f]{32}"),
    token("terraform-token", "Terraform token", &[".atlasv1."], "\\.atlasv1\\.[0-9A-Za-z_=-]{60,70}"),
    token(
        "vault-token",
        "Vault token",
        &["hvs.", "hvb."],
        "hv(?:s\\.[0-9A-Za-z_-]{90,120}|b\\.[0-9A-Za-z_-]{138,300})",
    ),
    // Services.
    token(
        "slack-token",
        "Slack token",
        &["xoxb-", "xoxp-", "xapp-1-"],
        "(?:xox[bp]-[0-9]{9,14}-[0-9]{9,14}|xapp-1-[0-9A-Z]{9,14}-[0-9]{9,14})-[0-9A-Za-z-]{20,80}",
    ),
    token(
        "slack-webhook",
        "Slack webhook",
        &["hooks.slack.com/services/"],
        "hooks\\.slack\\.com/services/(T[0-9A-Z]{8,12}/B[0-9A-Z]{8,12}/[0-9A-Za-z]{24})",
    ),
    token(
        "stripe-key",
        "Stripe key",
        &["sk_live_", "rk_live_", "sk_test_", "rk_test_"],
        "[sr]k_(?:live|test)_[0-9A-Za-z]{10,99}",
    ),
    token(
        "openai-key",
        "OpenAI key",
        &["sk-"],
        "sk-(?:(?:proj|svcacct|admin)-)?[0-9A-Za-z_-]{20,80}T3BlbkFJ[0-9A-Za-z_-]{20,80}",
    ),
    token("anthropic-key", "Anthropic key", &["sk-ant-api03-"], "sk-ant-api03-[0-9A-Za-z_-]{93}AA"),
    token("hugging-face-token", "Hugging Face token", &["hf_"], "hf_[A-Za-z]{34}"),
    token("sendgrid-key", "SendGrid key", &["SG."], "SG\\.[0-9A-Za-z_-]{22}\\.[0-9A-Za-z_-]{43}"),
    token("grafana-token", "Grafana token", &["glsa_"], "glsa_[0-9A-Za-z]{32}_[0-9a-f]{8}"),
    // Keys and logins of any issuer.
    Rule { reach: 8 << 10, check: is_open_key, ..token("private-key", "private key", &["-----BEGIN "], PEM) },
    Rule {
        reach: 8 << 10,
        check: is_protected_key,
        ..token("private-key-protected", "private key with a passphrase", &["-----BEGIN "], PEM)
    },
    Rule {
        reach: 4 << 10,
        check: is_jwt,
        ..token(
            "jwt",
            "JSON web token",
            &["eyJ"],
            "eyJ[0-9A-Za-z_-]{10,}\\.eyJ[0-9A-Za-z_-]{2,}\\.[0-9A-Za-z_-]{16,}",
        )
    },
    token(
        "url-password",
        "password in a URL",
        &["://"],
        "://[0-9A-Za-z._~%+-]{1,64}:([^\\s:/@\"'<>${}\\x00-\\x20]{6,100})@[0-9A-Za-z\\[]",
    ),
];

const PEM: &str = "-----BEGIN (?:[A-Z]{2,10} ){0,2}PRIVATE KEY-----[\\s\\\\0-9A-Za-z+/=:,.-]{40,7000}?-----END [A-Z ]{0,24}PRIVATE KEY-----";
