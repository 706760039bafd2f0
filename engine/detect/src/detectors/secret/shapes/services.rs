//! What gives access to any other service.

use pratique_core::Severity;

use super::{SERVICE, Shape, before_uuid, shape};
use crate::detectors::secret::checks::{is_discord_token, no_word};

pub(super) const SHAPES: &[Shape] = &[
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
        &["sk-ant-api03-", "sk-ant-admin01-", "sk-ant-oat01-", "sk-ant-ort01-"],
        "sk-ant-(?:api03|admin01|oat01|ort01)-[0-9A-Za-z_-]{93}AA",
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
    // learn.microsoft.com: the URL that a channel's incoming webhook has.
    shape(
        SERVICE,
        "teams-webhook",
        "Microsoft Teams webhook",
        &[".webhook.office.com/webhookb2/", "outlook.office.com/webhook/"],
        concat!(
            before_uuid!("(?:\\.webhook\\.office\\.com/webhookb2|outlook\\.office\\.com/webhook)/("),
            before_uuid!("@"),
            before_uuid!("/IncomingWebhook/[0-9a-f]{32}/"),
            ")"
        ),
    ),
    shape(
        SERVICE,
        "new-relic-insert-key",
        "New Relic insert or query key",
        &["NRII-", "NRIQ-"],
        "NRI[IQ]-[0-9A-Za-z_-]{32}",
    ),
    shape(SERVICE, "maxmind-key", "MaxMind license key", &["_mmk"], "[0-9A-Za-z]{6}_[0-9A-Za-z]{29}_mmk")
        .after(36),
    shape(
        SERVICE,
        "firebase-server-key",
        "server key of Firebase's messaging",
        &[":APA91b"],
        "AAAA[0-9A-Za-z_-]{7}:APA91b[0-9A-Za-z_-]{134}",
    )
    .after(11),
    // Base64 of JSON that begins with the key.
    shape(
        SERVICE,
        "grafana-older-key",
        "Grafana key of the older form",
        &["eyJrIjoi"],
        "eyJrIjoi[0-9A-Za-z]{60,280}={0,2}",
    ),
    shape(SERVICE, "wandb-token", "key of Weights & Biases", &["wandb_v1_"], "wandb_v1_[0-9A-Za-z_-]{60,90}"),
    shape(SERVICE, "pinecone-token", "Pinecone key", &["pcsk_"], "pcsk_[0-9A-Za-z]{5,6}_[0-9A-Za-z]{60,66}"),
    shape(SERVICE, "langfuse-key", "Langfuse key", &["sk-lf-"], before_uuid!("sk-lf-")),
    shape(SERVICE, "posthog-key", "PostHog personal key", &["phx_"], "phx_[0-9A-Za-z]{40,50}"),
    shape(SERVICE, "tavily-key", "Tavily key", &["tvly-"], "tvly-(?:dev-|prod-)?[0-9A-Za-z]{32}"),
    shape(SERVICE, "cerebras-key", "Cerebras key", &["csk-"], "csk-[0-9a-z]{48}"),
    shape(
        SERVICE,
        "flutterwave-key",
        "Flutterwave secret key",
        &["FLWSECK-", "FLWSECK_TEST-"],
        "FLWSECK(?:-[0-9a-f]{32}-X|_TEST-[0-9a-f]{32}-X)",
    ),
];
