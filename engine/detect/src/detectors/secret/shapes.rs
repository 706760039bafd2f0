//! What secrets look like, by who issues them. The shapes are those the providers document.

use pratique_core::Severity;

use super::assigned::{ASSIGNED, ASSIGNED_CAMEL};
use super::browser;
use super::checks::{
    ends_in_crc32, is_app_token, is_bech32, is_common_password, is_discord_token, is_jwt, is_login,
    is_macaroon, is_open_key, is_own_password, is_protected_key, no_word, varied,
};
use super::commands::COMMAND;
use super::cookies;
use super::manifest::MANIFEST;
use super::named::{
    AZURE_DEVOPS, CONNECTION, KUBECONFIG_KEY, KUBECONFIG_TOKEN, NETRC, NPM_LOGIN, NPM_TOKEN, PGPASS,
    WIREGUARD, XML_PASSWORD,
};
use super::pgp::{GNUPG, GNUPG_PROTECTED, PGP, PGP_PROTECTED};
use super::stores::STORED;

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
    /// A match begins with one of these, behind its lead.
    pub(super) literals: &'static [&'static str],
    /// Bytes of a match before its literal. With none, a match does not begin within a word.
    pub(super) lead: usize,
    /// What a match looks like, from its lead on. The first group that took part is the secret; without one, all of it.
    pub(super) pattern: &'static str,
    /// Bytes from the lead on that the pattern is tried on; fewer than [`pratique_core::inspect::OVERLAP`] by far.
    pub(super) reach: usize,
    /// Whether the secret of a match is one.
    pub(super) check: fn(&[u8]) -> bool,
}

/// What gives access to a cloud.
pub(super) const CLOUD: Shape = Shape {
    id: "",
    what: "",
    rule: "cloud-key",
    severity: Severity::High,
    literals: &[],
    lead: 0,
    pattern: "",
    reach: 400,
    check: varied,
};

/// What gives access to code, packages and images.
pub(super) const CODE: Shape = Shape { rule: "code-token", ..CLOUD };

/// What gives access to a service.
const SERVICE: Shape = Shape { rule: "service-token", ..CLOUD };

/// What a machine or a person proves with who it is.
pub(super) const KEY: Shape = Shape { rule: "private-key", ..CLOUD };

/// A name's password, where a program keeps it.
pub(super) const LOGIN: Shape = Shape { rule: "stored-login", ..CLOUD };

const fn shape(
    of: Shape,
    id: &'static str,
    what: &'static str,
    literals: &'static [&'static str],
    pattern: &'static str,
) -> Shape {
    Shape { id, what, literals, pattern, ..of }
}

impl Shape {
    /// The same, found by literals that stand so many bytes from its start.
    const fn after(self, lead: usize) -> Self {
        Self { lead, ..self }
    }
}

/// What [`Shape::pattern`] says of a prefix and a UUID.
macro_rules! before_uuid {
    ($prefix:literal) => {
        concat!($prefix, "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
    };
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
    shape(CODE, "github-refresh-token", "GitHub refresh token", &["ghr_"], "ghr_[0-9A-Za-z]{76}"),
    Shape {
        check: is_app_token,
        reach: 4 << 10,
        ..shape(
            CODE,
            "github-app-token",
            "GitHub token of an app",
            &["ghs_"],
            "ghs_[0-9]{1,20}_eyJ[0-9A-Za-z_-]{10,}\\.eyJ[0-9A-Za-z_-]{2,}\\.[0-9A-Za-z_-]{16,}",
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
        &["glpat-", "gldt-", "glrt-", "glft-", "glsoat-", "glffct-"],
        "gl(?:pat|dt|rt|ft|soat|ffct)-(?:[0-9A-Za-z_-]{27,300}(?:\\.[0-9a-z]{2})?\\.[0-9a-z]{9}|[0-9A-Za-z_-]{20})",
    ),
    shape(CODE, "gitlab-trigger", "GitLab trigger token", &["glptt-"], "glptt-[0-9a-f]{40}"),
    shape(CODE, "gitlab-agent", "GitLab agent token", &["glagent-"], "glagent-[0-9A-Za-z_-]{50}"),
    shape(CODE, "gitlab-application", "GitLab application secret", &["gloas-"], "gloas-[0-9a-f]{64}"),
    shape(CODE, "gitlab-mail", "GitLab token for incoming mail", &["glimt-"], "glimt-[0-9A-Za-z_-]{25}"),
    shape(CODE, "gitlab-job", "GitLab job token", &["glcbt-"], "glcbt-[0-9a-f]{1,5}_[0-9A-Za-z_-]{20}"),
    shape(
        CODE,
        "gitlab-registration",
        "GitLab runner registration token",
        &["GR1348941"],
        "GR1348941[0-9A-Za-z_-]{20}",
    ),
    Shape { check: ends_in_crc32, ..shape(CODE, "npm-token", "npm token", &["npm_"], "npm_[0-9A-Za-z]{36}") },
    Shape {
        check: is_macaroon,
        reach: 2 << 10,
        ..shape(
            CODE,
            "pypi-token",
            "PyPI token",
            &["pypi-AgEIcHlwaS5vcmc", "pypi-AgENdGVzdC5weXBpLm9yZw"],
            "pypi-AgE[0-9A-Za-z_-]{60,}",
        )
    },
    shape(CODE, "rubygems-key", "RubyGems key", &["rubygems_"], "rubygems_[0-9a-f]{48}"),
    shape(
        CODE,
        "docker-hub-token",
        "Docker Hub token",
        &["dckr_pat_", "dckr_oat_"],
        "dckr_(?:pat_[0-9A-Za-z_-]{27}|oat_[0-9A-Za-z_-]{32})",
    ),
    shape(CODE, "bitbucket-password", "Bitbucket app password", &["ATBB"], "ATBB[0-9A-Za-z]{32}"),
    // "We use a varied API token length": eight digits of a checksum end them.
    shape(
        CODE,
        "atlassian-token",
        "Atlassian token",
        &["ATATT3", "ATCTT3"],
        "AT[AC]TT3[0-9A-Za-z_-]{50,300}=[0-9A-F]{8}",
    ),
    shape(CODE, "crates-io-token", "crates.io token", &["cio"], "cio[0-9A-Za-z]{32}"),
    shape(CODE, "nuget-key", "NuGet key", &["oy2"], "oy2[0-9a-z]{43}"),
    shape(CODE, "clojars-token", "Clojars token", &["CLOJARS_"], "CLOJARS_[0-9a-z]{60}"),
    shape(CODE, "buildkite-token", "Buildkite token", &["bkua_"], "bkua_[0-9a-f]{40}"),
    shape(CODE, "circleci-token", "CircleCI token", &["CCIPAT_"], "CCIPAT_[0-9A-Za-z]{22}_[0-9a-f]{40}"),
    shape(CODE, "artifactory-key", "Artifactory key", &["AKCp"], "AKCp[0-9A-Za-z]{69}"),
    shape(CODE, "artifactory-reference", "Artifactory token", &["cmVmdGtu"], "cmVmdGtu[0-9A-Za-z]{56}"),
    shape(CODE, "sonar-token", "SonarQube token", &["squ_", "sqa_", "sqp_"], "sq[uap]_[0-9a-f]{40}"),
    shape(
        CODE,
        "sourcegraph-token",
        "Sourcegraph token",
        &["sgp_"],
        "sgp_(?:(?:[0-9a-f]{16}|local)_)?[0-9a-f]{40}",
    ),
    shape(CODE, "octopus-key", "Octopus Deploy key", &["API-"], "API-[0-9A-Z]{26}"),
    shape(CODE, "azure-devops-token", "Azure DevOps token", &["AZDO"], "[0-9A-Za-z]{76}AZDO[0-9A-Za-z]{4}")
        .after(76),
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
    // Keys that Microsoft marks by four characters at a fixed place.
    shape(
        CLOUD,
        "azure-account-key",
        "Azure account key",
        &["+ASt", "+ABa", "ACDb", "APIM"],
        "[0-9A-Za-z+/]{76}(?:\\+ASt|\\+ABa|ACDb|APIM)[0-9A-Za-z+/]{5}[AQgw]==",
    )
    .after(76),
    shape(
        CLOUD,
        "azure-messaging-key",
        "Azure messaging key",
        &["+AEh", "+ASb", "AIoT", "AzCa"],
        "[0-9A-Za-z+/]{33}(?:\\+AEh|\\+ASb|AIoT|AzCa)[0-9A-Za-z+/]{5}[AEIMQUYcgkosw048]=",
    )
    .after(33),
    shape(
        CLOUD,
        "azure-service-key",
        "Azure service key",
        &["+ACR", "AzSe"],
        "[0-9A-Za-z+/]{42}(?:\\+ACR|AzSe)[A-D][0-9A-Za-z+/]{5}",
    )
    .after(42),
    shape(
        CLOUD,
        "azure-client-secret",
        "Azure client secret",
        &["Q~"],
        "[0-9A-Za-z_~.]{3}[0-9]Q~[0-9A-Za-z_~.-]{31,34}",
    )
    .after(4),
    Shape {
        severity: Severity::Medium,
        ..shape(
            CLOUD,
            "azure-shared-access",
            "Azure shared access signature",
            &["sv=20"],
            "sv=20[0-9]{2}-[0-9]{2}-[0-9]{2}&[0-9A-Za-z=&;%:._-]{10,300}?sig=([0-9A-Za-z%+/]{43,110}(?:=|%3[Dd]))",
        )
    },
    Shape {
        check: is_open_key,
        reach: 8 << 10,
        ..shape(
            CLOUD,
            "google-service-account",
            "key of a Google service account",
            &["\"service_account\""],
            "\"service_account\"[^{}]+?\"private_key\"\\s*:\\s*\"(-----BEGIN PRIVATE KEY-----[\\\\0-9A-Za-z+/=]{100,}-----END PRIVATE KEY-----)",
        )
    },
    shape(CLOUD, "google-client-secret", "Google client secret", &["GOCSPX-"], "GOCSPX-[0-9A-Za-z_-]{28}"),
    shape(CLOUD, "google-refresh-token", "Google refresh token", &["1//0"], "1//0[0-9A-Za-z_-]{40,110}"),
    shape(CLOUD, "aws-bedrock-key", "Amazon Bedrock key", &["ABSK"], "ABSK[0-9A-Za-z+/]{109,269}={0,2}"),
    shape(CLOUD, "amazon-mws-token", "Amazon MWS token", &["amzn.mws."], before_uuid!("amzn\\.mws\\.")),
    shape(CLOUD, "tencent-key-id", "Tencent Cloud access key", &["AKID"], "AKID[0-9A-Za-z]{32}"),
    shape(CLOUD, "yandex-key", "Yandex Cloud key", &["AQVN"], "AQVN[0-9A-Za-z_-]{35,38}"),
    shape(CLOUD, "heroku-key", "Heroku key", &["HRKU-AA"], "HRKU-AA[0-9A-Za-z_-]{58}"),
    shape(CLOUD, "fly-token", "Fly.io token", &["fo1_"], "fo1_[0-9A-Za-z_-]{43}"),
    shape(CLOUD, "netlify-token", "Netlify token", &["nfp_"], "nfp_[0-9A-Za-z_]{36}"),
    shape(
        CLOUD,
        "planetscale-token",
        "PlanetScale token",
        &["pscale_tkn_", "pscale_pw_", "pscale_oauth_"],
        "pscale_(?:tkn|pw|oauth)_[0-9A-Za-z_.=-]{32,64}",
    ),
    shape(
        CLOUD,
        "doppler-token",
        "Doppler token",
        &["dp.pt.", "dp.st.", "dp.sa.", "dp.ct.", "dp.scim.", "dp.audit."],
        "dp\\.(?:pt|st|sa|ct|scim|audit)\\.(?:[0-9a-z_-]{2,35}\\.)?[0-9A-Za-z]{40,44}",
    ),
    shape(CLOUD, "openshift-token", "OpenShift token", &["sha256~"], "sha256~[0-9A-Za-z_-]{43}"),
    shape(
        CLOUD,
        "tailscale-key",
        "Tailscale key",
        &["tskey-"],
        "tskey-(?:auth|api|client|scim|webhook)-[0-9A-Za-z]{10,20}-[0-9A-Za-z]{20,64}",
    ),
    shape(CLOUD, "pulumi-token", "Pulumi token", &["pul-"], "pul-[0-9a-f]{40}"),
    shape(CLOUD, "infracost-key", "Infracost key", &["ico-"], "ico-[0-9A-Za-z]{32}"),
    shape(CLOUD, "scalingo-token", "Scalingo token", &["tk-us-"], "tk-us-[0-9A-Za-z_-]{48}"),
    shape(CLOUD, "prefect-token", "Prefect token", &["pnu_"], "pnu_[0-9A-Za-z]{36}"),
    shape(CLOUD, "supabase-token", "Supabase token", &["sbp_"], "sbp_[0-9a-f]{40}"),
    shape(
        CLOUD,
        "cloudflare-origin-key",
        "Cloudflare origin key",
        &["v1.0-"],
        "v1\\.0-[0-9a-f]{24}-[0-9a-f]{146}",
    ),
    shape(
        CLOUD,
        "dynatrace-token",
        "Dynatrace token",
        &["dt0c01.", "dt0s01.", "dt0s02.", "dt0s16."],
        "dt0[cs][0-9]{2}\\.[0-9A-Z]{24}\\.[0-9A-Z]{64}",
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
        "hv(?:s\\.(?:[0-9A-Za-z_-]{90,120}|[0-9A-Za-z]{24})|b\\.[0-9A-Za-z_-]{138,300})",
    ),
    // Services.
    shape(
        SERVICE,
        "slack-token",
        "Slack token",
        &["xoxb-", "xoxp-", "xapp-1-", "xoxe-", "xoxe."],
        "(?:(?:xox[bp]-[0-9]{9,14}-[0-9]{9,14}|xapp-1-[0-9A-Z]{9,14}-[0-9]{9,14})-[0-9A-Za-z-]{20,80}|xoxe(?:\\.xox[bp])?-[0-9]-[0-9A-Za-z]{140,180})",
    ),
    shape(
        SERVICE,
        "slack-webhook",
        "Slack webhook",
        &["hooks.slack.com/services/"],
        "hooks\\.slack\\.com/services/(T[0-9A-Z]{8,12}/B[0-9A-Z]{8,12}/[0-9A-Za-z]{24})",
    ),
    Shape {
        check: no_word,
        ..shape(
            SERVICE,
            "stripe-key",
            "Stripe key",
            &["sk_live_", "rk_live_", "sk_test_", "rk_test_"],
            "[sr]k_(?:live|test)_[0-9A-Za-z]{10,99}",
        )
    },
    shape(
        SERVICE,
        "openai-key",
        "OpenAI key",
        &["sk-"],
        "sk-(?:(?:proj|svcacct|admin)-)?[0-9A-Za-z_-]{20,80}T3BlbkFJ[0-9A-Za-z_-]{20,80}",
    ),
    shape(
        SERVICE,
        "anthropic-key",
        "Anthropic key",
        &["sk-ant-api03-", "sk-ant-admin01-"],
        "sk-ant-(?:api03|admin01)-[0-9A-Za-z_-]{93}AA",
    ),
    shape(SERVICE, "hugging-face-token", "Hugging Face token", &["hf_"], "hf_[A-Za-z]{34}"),
    shape(SERVICE, "sendgrid-key", "SendGrid key", &["SG."], "SG\\.[0-9A-Za-z_-]{22}\\.[0-9A-Za-z_-]{43}"),
    shape(SERVICE, "grafana-token", "Grafana token", &["glsa_"], "glsa_[0-9A-Za-z]{32}_[0-9a-f]{8}"),
    shape(
        SERVICE,
        "grafana-cloud-token",
        "Grafana Cloud token",
        &["glc_eyJ"],
        "glc_eyJ[0-9A-Za-z+/]{40,300}={0,2}",
    ),
    shape(
        SERVICE,
        "shopify-token",
        "Shopify token",
        &["shpat_", "shpca_", "shppa_", "shpss_"],
        "shp(?:at|ca|pa|ss)_[0-9A-Fa-f]{32}",
    ),
    shape(
        SERVICE,
        "square-token",
        "Square token",
        &["sq0atp-", "sq0csp-"],
        "sq0(?:atp-[0-9A-Za-z_-]{22}|csp-[0-9A-Za-z_-]{43})",
    ),
    shape(SERVICE, "brevo-key", "Brevo key", &["xkeysib-"], "xkeysib-[0-9a-f]{64}-[0-9A-Za-z]{16}"),
    shape(SERVICE, "new-relic-key", "New Relic key", &["NRAK-"], "NRAK-[0-9A-Z]{27}"),
    shape(SERVICE, "new-relic-license", "New Relic license key", &["NRAL"], "[0-9a-z]{6}[0-9A-Fa-f]{30}NRAL")
        .after(36),
    shape(SERVICE, "mailgun-key", "Mailgun key", &["key-"], "key-[0-9a-f]{32}"),
    Shape {
        check: is_discord_token,
        reach: 100,
        ..shape(
            SERVICE,
            "discord-token",
            "Discord bot token",
            &["MD", "MT", "Mj", "Mz", "ND", "NT", "Nj", "Nz", "OD", "OT"],
            "[M-O][DTjz][0-9A-Za-z]{20,24}\\.[0-9A-Za-z_-]{6}\\.[0-9A-Za-z_-]{27,38}",
        )
    },
    shape(SERVICE, "linear-key", "Linear key", &["lin_api_"], "lin_api_[0-9A-Za-z]{40}"),
    shape(
        SERVICE,
        "notion-token",
        "Notion token",
        &["ntn_", "secret_"],
        "(?:ntn_[0-9]{11}[0-9A-Za-z]{35}|secret_[0-9A-Za-z]{43})",
    ),
    // It begins as many words do: less of each is tried.
    Shape {
        reach: 100,
        ..shape(SERVICE, "airtable-token", "Airtable token", &["pat"], "pat[0-9A-Za-z]{14}\\.[0-9a-f]{64}")
    },
    shape(
        SERVICE,
        "mailchimp-key",
        "Mailchimp key",
        &["-us1", "-us2", "-us3", "-us4", "-us5", "-us6", "-us7", "-us8", "-us9"],
        "[0-9a-f]{32}-us[0-9]{1,2}",
    )
    .after(32),
    shape(SERVICE, "postman-key", "Postman key", &["PMAK-"], "PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    shape(SERVICE, "easypost-key", "EasyPost key", &["EZAK", "EZTK"], "EZ[AT]K[0-9A-Za-z]{54}"),
    shape(
        SERVICE,
        "mapbox-token",
        "Mapbox token",
        &["sk.eyJ"],
        "sk\\.eyJ[0-9A-Za-z_-]{40,200}\\.[0-9A-Za-z_-]{22}",
    ),
    shape(SERVICE, "perplexity-key", "Perplexity key", &["pplx-"], "pplx-[0-9A-Za-z]{48}"),
    shape(SERVICE, "groq-key", "Groq key", &["gsk_"], "gsk_[0-9A-Za-z]{52}"),
    shape(SERVICE, "xai-key", "xAI key", &["xai-"], "xai-[0-9A-Za-z]{80}"),
    shape(SERVICE, "openrouter-key", "OpenRouter key", &["sk-or-v1-"], "sk-or-v1-[0-9a-f]{64}"),
    shape(SERVICE, "replicate-token", "Replicate token", &["r8_"], "r8_[0-9A-Za-z]{37}"),
    shape(SERVICE, "nvidia-key", "NVIDIA key", &["nvapi-"], "nvapi-[0-9A-Za-z_-]{64}"),
    shape(
        SERVICE,
        "langsmith-key",
        "LangSmith key",
        &["lsv2_pt_", "lsv2_sk_"],
        "lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}",
    ),
    shape(
        SERVICE,
        "sentry-token",
        "Sentry token",
        &["sntryu_", "sntrys_eyJ"],
        "sntry(?:u_[0-9a-f]{64}|s_eyJ[0-9A-Za-z+/=_-]{80,380})",
    ),
    shape(
        SERVICE,
        "shippo-token",
        "Shippo token",
        &["shippo_live_", "shippo_test_"],
        "shippo_(?:live|test)_[0-9a-f]{40}",
    ),
    shape(SERVICE, "typeform-token", "Typeform token", &["tfp_"], "tfp_[0-9A-Za-z_.-]{59}"),
    shape(SERVICE, "adafruit-key", "Adafruit key", &["aio_"], "aio_[0-9A-Za-z]{28}"),
    shape(SERVICE, "contentful-token", "Contentful token", &["CFPAT-"], "CFPAT-[0-9A-Za-z_-]{43}"),
    shape(
        SERVICE,
        "discord-webhook",
        "Discord webhook",
        &["discord.com/api/webhooks/", "discordapp.com/api/webhooks/"],
        "discord(?:app)?\\.com/api/webhooks/([0-9]{17,20}/[0-9A-Za-z_-]{60,80})",
    ),
    shape(
        SERVICE,
        "duffel-token",
        "Duffel token",
        &["duffel_live_", "duffel_test_"],
        "duffel_(?:live|test)_[0-9A-Za-z_=-]{43}",
    ),
    shape(SERVICE, "figma-token", "Figma token", &["figd_"], "figd_[0-9A-Za-z_-]{40,44}"),
    shape(
        SERVICE,
        "hubspot-token",
        "HubSpot token",
        &["pat-na", "pat-eu", "pat-ap"],
        before_uuid!("pat-(?:na|eu|ap)[0-9]-"),
    ),
    // Other things are named so, too.
    Shape {
        severity: Severity::Medium,
        ..shape(
            SERVICE,
            "launchdarkly-key",
            "LaunchDarkly key",
            &["sdk-", "api-"],
            before_uuid!("(?:sdk|api)-"),
        )
    },
    shape(
        SERVICE,
        "plaid-token",
        "Plaid token",
        &["access-production-", "access-sandbox-", "access-development-"],
        before_uuid!("access-(?:production|sandbox|development)-"),
    ),
    shape(SERVICE, "telegram-token", "Telegram bot token", &[":AA"], "[0-9]{8}:(AA[0-9A-Za-z_-]{33})")
        .after(8),
    shape(SERVICE, "twilio-key", "Twilio key", &["SK"], "SK[0-9a-f]{32}"),
    shape(SERVICE, "ubidots-token", "Ubidots token", &["BBFF-"], "BBFF-[0-9A-Za-z]{30}"),
    shape(
        SERVICE,
        "braintree-token",
        "Braintree token",
        &["access_token$production$"],
        "access_token\\$production\\$[0-9a-z]{16}\\$[0-9a-f]{32}",
    ),
    shape(SERVICE, "frameio-token", "Frame.io token", &["fio-u-"], "fio-u-[0-9A-Za-z_=-]{64}"),
    shape(SERVICE, "readme-key", "ReadMe key", &["rdme_"], "rdme_[0-9a-z]{70}"),
    shape(SERVICE, "segment-token", "Segment token", &["sgp_"], "sgp_[0-9A-Za-z]{64}"),
    shape(SERVICE, "webhook-secret", "secret that signs webhooks", &["whsec_"], "whsec_[0-9A-Za-z+/]{32,64}"),
    Shape {
        reach: 2 << 10,
        ..shape(
            SERVICE,
            "1password-token",
            "1Password token",
            &["ops_eyJ"],
            "ops_eyJ[0-9A-Za-z_+/-]{250,}={0,2}",
        )
    },
    // Keys and logins of any issuer.
    Shape {
        check: is_bech32,
        ..shape(KEY, "age-key", "age key", &["AGE-SECRET-KEY-1"], "AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}")
    },
    Shape {
        reach: 8 << 10,
        ..shape(
            KEY,
            "putty-key",
            "PuTTY private key",
            &["PuTTY-User-Key-File-"],
            "PuTTY-User-Key-File-[23]: [0-9a-z-]{3,40}\\r?\\nEncryption: none\\r?\\n[\\x0a\\x0d\\x20-\\x7e]{10,}?Private-Lines: [0-9]{1,3}\\r?\\n((?:[0-9A-Za-z+/=]{4,64}\\r?\\n)+)",
        )
    },
    // Where programs keep logins.
    Shape {
        check: is_login,
        reach: 2 << 10,
        ..shape(
            LOGIN,
            "registry-login",
            "login of a container registry",
            &["\"auth\""],
            "\"auth\"\\s{0,4}:\\s{0,4}\"([0-9A-Za-z+/]{8,}={0,2})\"",
        )
    },
    NPM_TOKEN,
    NPM_LOGIN,
    NETRC,
    PGPASS,
    XML_PASSWORD,
    KUBECONFIG_TOKEN,
    KUBECONFIG_KEY,
    CONNECTION,
    COMMAND,
    browser::OPEN,
    browser::KEYRING,
    browser::PRIMARY,
    browser::PROTECTED,
    cookies::OPEN,
    cookies::KEYRING,
    AZURE_DEVOPS,
    WIREGUARD,
    PGP,
    PGP_PROTECTED,
    GNUPG,
    GNUPG_PROTECTED,
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
    STORED,
    MANIFEST,
    ASSIGNED,
    ASSIGNED_CAMEL,
];

/// Place of the shape of this id in [`SHAPES`].
pub(super) fn place(id: &str) -> Option<usize> {
    SHAPES.iter().position(|shape| shape.id == id)
}

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
const PEM: &str = "-----BEGIN [A-Z ]{0,10}PRIVATE KEY-----[\\s\\\\0-9A-Za-z+/=:,.-]{40,}?-----END [A-Z ]{0,10}PRIVATE KEY-----";
