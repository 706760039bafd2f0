//! What gives access to a cloud.

use pratique_core::Severity;

use super::{CLOUD, Shape, before_uuid, shape};
use crate::detectors::secret::checks::is_open_key;

pub(super) const SHAPES: &[Shape] = &[
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
    // developers.cloudflare.com, token formats: 40 characters and a checksum, whose length is not told.
    shape(
        CLOUD,
        "cloudflare-token",
        "Cloudflare token",
        &["cfk_", "cfut_", "cfat_"],
        "cf(?:k|ut|at)_[0-9A-Za-z_-]{40}[0-9A-Za-z]{4,16}",
    ),
    shape(CLOUD, "aiven-password", "password of a service at Aiven", &["AVNS_"], "AVNS_[0-9A-Za-z_-]{19}"),
    shape(
        CLOUD,
        "swarm-token",
        "token to join a swarm of Docker",
        &["SWMTKN-1-"],
        "SWMTKN-1-[0-9a-z]{50}-[0-9a-z]{25}",
    ),
    shape(CLOUD, "neon-key", "Neon key", &["napi_"], "napi_[0-9a-z]{64}"),
];
