//! Secrets without a shape of their own: the name of the service before them tells whose they are, and that name's have
//! the alphabet and the length that its provider documents or issues.

use pratique_core::Severity;

use super::assigned::{assigned, changes, is_mixed, is_stand_in, is_uuid};
use super::checks::{entropy, varied};
use super::shapes::{self, Shape};

/// Other things can stand there in the same alphabet and length.
const CLOUD: Shape =
    Shape { severity: Severity::Medium, are_names: true, check: is_random, reach: 250, ..shapes::CLOUD };
const CODE: Shape = Shape { rule: shapes::CODE.rule, ..CLOUD };
const SERVICE: Shape = Shape { rule: shapes::SERVICE.rule, ..CLOUD };

/// Whether chance made a value. That alphabet and length are right is known already, so that less of a mixture tells than
/// of any value; of UUIDs chance makes those of version 4 (RFC 9562), which the patterns demand.
fn is_random(value: &[u8]) -> bool {
    let (changes, letters) = changes(value);
    let is_random = changes * 6 >= letters && entropy(value) >= 2.75;
    varied(value) && is_mixed(value) && !is_stand_in(value) && (is_uuid(value) || is_random)
}

/// What follows the name of a service: the rest of the name, or of one within (a section, a block, an object), and the value,
/// however it is assigned. What such a name says to be public, or to be made of a secret, is taken as an empty value.
macro_rules! secret {
    ($of:ident, $id:literal, $what:literal, [$($name:literal),+], $value:expr) => {
        secret!($of, $id, $what, [$($name),+], $value, "key|token|secret|pass(?:word)?|pat|credentials?")
    };
    ($of:ident, $id:literal, $what:literal, [$($name:literal),+], $value:expr, $word:literal) => {
        Shape {
            id: $id,
            what: $what,
            literals: &[$($name),+],
            pattern: concat!(
                "(?:[\"']?(?:\\]|\\s{0,2}[:=]?>?\\s{0,2}\\{|:)\\s{0,40}[\"']?)?[0-9A-Za-z_.-]{0,24}?(?:",
                "(?i:public|publishable|browser|client_?(?:item|token)|site|cache|hash|digest|check_?sum|finger_?print|sha[0-9]|md5)()|",
                assigned!(
                    concat!("(?i:", $word, ")"),
                    $value,
                    $value,
                    "(?:[^0-9A-Za-z_.+/=-]|\\z)",
                    $value,
                    $value
                ),
                ")"
            ),
            ..$of
        }
    };
}

macro_rules! uuid {
    () => {
        "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    };
}

/// All of them, in the order of rules.
#[rustfmt::skip] // A table: a row is a line.
pub(super) const BY_SERVICE: &[Shape] = &[
    secret!(CLOUD, "heroku-api-key", "Heroku API key", ["heroku"], uuid!()),
    secret!(CLOUD, "cloudflare-key", "Cloudflare key", ["cloudflare", "cf_api", "cf_global"], "[0-9A-Za-z_-]{40}|[0-9a-f]{37}"),
    secret!(CLOUD, "fastly-token", "Fastly token", ["fastly"], "[0-9A-Za-z_-]{32}"),
    secret!(CLOUD, "spaces-secret", "secret key of DigitalOcean Spaces", ["spaces_access", "spaces_secret", "do_spaces", "digitalocean_spaces"], "[0-9A-Za-z+/]{43}"),
    secret!(CLOUD, "linode-token", "Linode token", ["linode"], "[0-9a-f]{64}"),
    secret!(CLOUD, "vultr-key", "Vultr key", ["vultr"], "[0-9A-Z]{36}"),
    secret!(CLOUD, "hetzner-token", "Hetzner Cloud token", ["hcloud", "hetzner"], "[0-9A-Za-z]{64}"),
    secret!(CLOUD, "scaleway-secret", "Scaleway secret key", ["scaleway", "scw"], uuid!()),
    secret!(CLOUD, "ovh-secret", "OVHcloud application secret or consumer key", ["ovh"], "[0-9A-Za-z]{32}"),
    secret!(CLOUD, "alibaba-secret", "Alibaba Cloud secret key", ["alibaba", "aliyun", "alicloud"], "[0-9A-Za-z]{30}"),
    secret!(CLOUD, "tencent-secret", "Tencent Cloud secret key", ["tencent"], "[0-9A-Za-z]{32}"),
    secret!(CLOUD, "huawei-secret", "Huawei Cloud secret key", ["huawei", "hw_secret", "hw_access"], "[0-9A-Za-z]{40}"),
    secret!(CLOUD, "ibm-cloud-key", "IBM Cloud key", ["ibm_cloud", "bluemix", "ic_api"], "[0-9A-Za-z_-]{44}"),
    secret!(CLOUD, "yandex-secret", "Yandex secret or token", ["yandex"], "YC[A-Z][0-9A-Za-z_-]{37}|y[0-3]_[0-9A-Za-z_-]{40,70}|t1\\.[0-9A-Za-z_-]{20,80}\\.[0-9A-Za-z_-]{86}={0,2}"),
    secret!(CLOUD, "azure-ai-key", "key of an AI service of Azure", ["azure_openai", "azure_cognitive", "azure_speech", "azure_translator"], "[0-9a-f]{32}"),
    secret!(CLOUD, "netlify-api-token", "Netlify token of the older form", ["netlify"], "[0-9A-Za-z_-]{43,46}|[0-9a-f]{64}"),
    secret!(CLOUD, "vercel-token", "Vercel token", ["vercel"], "[0-9A-Za-z]{24}"),
    secret!(CLOUD, "railway-token", "Railway token", ["railway"], uuid!()),
    secret!(CLOUD, "confluent-secret", "Confluent Cloud secret", ["confluent"], "[0-9A-Za-z+/]{64}"),
    secret!(CLOUD, "clickhouse-secret", "ClickHouse Cloud secret", ["clickhouse"], "4b1d[0-9A-Za-z]{38}"),
    secret!(CLOUD, "elastic-key", "Elasticsearch key", ["elasticsearch", "elastic"], "[0-9A-Za-z+/]{58}=="),
    secret!(CLOUD, "atlas-key", "MongoDB Atlas private key", ["mongodb_atlas", "atlas_private"], uuid!()),
    secret!(CLOUD, "pinecone-key", "Pinecone key of the older form", ["pinecone"], uuid!()),
    secret!(CODE, "snyk-token", "Snyk token", ["snyk"], uuid!()),
    secret!(CODE, "codecov-token", "Codecov token", ["codecov"], uuid!()),
    secret!(CODE, "travis-token", "Travis CI token", ["travis"], "[0-9A-Za-z_-]{22}"),
    secret!(CODE, "drone-token", "Drone CI token", ["drone"], "[0-9A-Za-z]{32}"),
    secret!(CODE, "jenkins-token", "Jenkins token", ["jenkins"], "11[0-9a-f]{32}|[0-9a-f]{32}"),
    secret!(CODE, "jfrog-token", "JFrog token", ["jfrog", "artifactory"], "[0-9A-Za-z]{64}|[0-9A-Za-z]{73}"),
    secret!(CODE, "bitbucket-secret", "Bitbucket client secret", ["bitbucket"], "[0-9A-Za-z]{32}"),
    secret!(CODE, "jira-token", "Jira or Confluence token", ["jira", "confluence", "atlassian"], "[0-9A-Za-z]{24}"),
    secret!(CODE, "circleci-api-token", "CircleCI token of the older form", ["circleci", "circle_ci"], "[0-9a-f]{40}"),
    secret!(CODE, "buildkite-agent-token", "Buildkite agent token", ["buildkite"], "[0-9A-Za-z]{50}"),
    secret!(CODE, "gitlab-older-token", "GitLab token of the older form", ["git_lab"], "[0-9A-Za-z_-]{20}"),
    secret!(CODE, "sonar-older-token", "SonarQube token of the older form", ["sonar"], "[0-9a-f]{40}"),
    secret!(CODE, "coveralls-token", "Coveralls token", ["coveralls"], "[0-9A-Za-z]{32}"),
    secret!(CODE, "codacy-token", "Codacy token", ["codacy"], "[0-9a-f]{32}|[0-9A-Za-z]{20}"),
    secret!(CODE, "appveyor-token", "AppVeyor token", ["appveyor"], "(?:v2\\.)?[0-9a-z]{20}"),
    secret!(CODE, "docker-hub-older-token", "Docker Hub token of the older form", ["dockerhub", "docker_hub"], uuid!()),
    secret!(CODE, "rubygems-older-key", "RubyGems key of the older form", ["rubygems", "gem_host"], "[0-9a-f]{32}"),
    secret!(CODE, "cloudsmith-key", "Cloudsmith key", ["cloudsmith"], "[0-9a-f]{40}"),
    secret!(CODE, "packagecloud-token", "packagecloud token", ["packagecloud", "package_cloud"], "[0-9a-f]{48}"),
    secret!(CODE, "gitter-token", "Gitter token", ["gitter"], "[0-9a-f]{40}"),
    secret!(CODE, "sauce-labs-key", "Sauce Labs key", ["sauce"], uuid!()),
    secret!(CODE, "browserstack-key", "BrowserStack key", ["browserstack"], "[0-9A-Za-z]{20}"),
    secret!(CODE, "sidekiq-key", "key for packages of Sidekiq", ["contribsys"], "[0-9a-f]{8}:[0-9a-f]{8}", "com"),
    secret!(SERVICE, "datadog-key", "Datadog key", ["data_dog", "dd_api", "dd_app"], "[0-9a-f]{32}|[0-9a-f]{40}"),
    secret!(SERVICE, "algolia-admin-key", "Algolia admin key", ["algolia"], "[0-9a-f]{32}", "(?:admin|write)(?:_?api)?_?key"),
    secret!(SERVICE, "asana-secret", "Asana token or client secret", ["asana"], "[0-9a-z]{32}|[0-9]/[0-9/]{16,36}:[0-9a-f]{32}"),
    secret!(SERVICE, "okta-token", "Okta token or client secret", ["okta"], "00[0-9A-Za-z_-]{40}|[0-9A-Za-z_-]{40}|[0-9A-Za-z_-]{64}"),
    secret!(SERVICE, "auth0-secret", "Auth0 client secret", ["auth0"], "[0-9A-Za-z_-]{64}"),
    secret!(SERVICE, "discord-secret", "Discord client secret", ["discord"], "[0-9A-Za-z_-]{32}"),
    secret!(SERVICE, "dropbox-token", "Dropbox token or application secret", ["dropbox"], "[0-9a-z]{15}|[0-9A-Za-z_-]{64}|sl\\.[0-9A-Za-z_.-]{80,180}", "secret|token"),
    secret!(SERVICE, "facebook-secret", "Facebook token or application secret", ["facebook", "fb_app", "fb_client", "instagram"], "[0-9a-f]{32}|EAA[0-9A-Za-z]{80,190}|[0-9]{15,16}\\|[0-9A-Za-z_-]{27}"),
    secret!(SERVICE, "finicity-key", "Finicity key or secret", ["finicity"], "[0-9a-f]{32}|[0-9A-Za-z]{20}"),
    secret!(SERVICE, "finnhub-key", "Finnhub key", ["finnhub"], "[0-9a-z]{20}|[0-9a-z]{40}"),
    secret!(SERVICE, "etsy-key", "Etsy key", ["etsy"], "[0-9a-z]{24}"),
    secret!(SERVICE, "flickr-key", "Flickr key or secret", ["flickr"], "[0-9a-f]{32}|[0-9a-f]{16}"),
    secret!(SERVICE, "freshbooks-token", "FreshBooks token or client secret", ["freshbooks"], "[0-9a-f]{64}"),
    secret!(SERVICE, "freshdesk-key", "Freshdesk key", ["freshdesk"], "[0-9A-Za-z]{20}"),
    secret!(SERVICE, "intercom-token", "Intercom token", ["intercom"], "dG9r[0-9A-Za-z+/]{50,60}={0,2}"),
    secret!(SERVICE, "kraken-secret", "Kraken private key", ["kraken"], "[0-9A-Za-z+/]{86}==|[0-9A-Za-z+/]{56}"),
    secret!(SERVICE, "kucoin-secret", "KuCoin key or secret", ["kucoin"], concat!(uuid!(), "|", "[0-9a-f]{24}")),
    secret!(SERVICE, "bittrex-secret", "Bittrex key or secret", ["bittrex"], "[0-9a-f]{32}"),
    secret!(SERVICE, "binance-secret", "Binance key or secret", ["binance"], "[0-9A-Za-z]{64}"),
    secret!(SERVICE, "coinbase-secret", "Coinbase secret", ["coinbase"], "[0-9A-Za-z_-]{64}"),
    secret!(SERVICE, "contentful-api-token", "Contentful token", ["contentful"], "[0-9A-Za-z_-]{43}"),
    secret!(SERVICE, "lob-key", "Lob key", ["lob_api", "lob_live"], "live_[0-9a-f]{35}"),
    secret!(SERVICE, "linkedin-secret", "LinkedIn client secret", ["linkedin"], "[0-9A-Za-z]{16}|WPL_AP[0-9]\\.[0-9A-Za-z.+/=]{20,40}", "secret"),
    secret!(SERVICE, "looker-secret", "Looker client secret", ["looker"], "[0-9A-Za-z]{24}", "secret"),
    secret!(SERVICE, "maxmind-older-key", "MaxMind license key of the older form", ["maxmind", "geoip"], "[0-9A-Za-z]{16}"),
    secret!(SERVICE, "mattermost-token", "Mattermost token", ["mattermost"], "[0-9a-z]{26}"),
    secret!(SERVICE, "messagebird-key", "MessageBird key", ["messagebird", "message_bird"], "[0-9A-Za-z]{25}"),
    secret!(SERVICE, "new-relic-older-key", "New Relic license key of the older form", ["new_relic"], "(?:eu01xx)?[0-9a-f]{34}|[0-9a-f]{40}"),
    secret!(SERVICE, "nytimes-key", "New York Times key", ["nytimes", "nyt_api"], "[0-9A-Za-z]{32}"),
    secret!(SERVICE, "plaid-secret", "Plaid secret", ["plaid"], "[0-9a-f]{30}"),
    secret!(SERVICE, "private-ai-key", "Private AI key", ["private_ai"], "[0-9a-z]{32}"),
    secret!(SERVICE, "rapidapi-key", "RapidAPI key", ["rapid_api", "RapidAPI"], "[0-9A-Za-z]{50}"),
    secret!(SERVICE, "sendbird-token", "Sendbird token", ["sendbird"], "[0-9a-f]{40}"),
    secret!(SERVICE, "sentry-older-token", "Sentry token of the older form", ["sentry"], "[0-9a-f]{64}"),
    secret!(SERVICE, "squarespace-token", "Squarespace token", ["squarespace"], uuid!()),
    secret!(SERVICE, "sumo-logic-key", "Sumo Logic access key", ["sumologic", "sumo_logic", "sumo_access"], "[0-9A-Za-z]{64}"),
    secret!(SERVICE, "twitch-token", "Twitch token or client secret", ["twitch"], "(?:oauth:)?[0-9a-z]{30}"),
    secret!(SERVICE, "twitter-secret", "secret or token of X", ["twitter"], "[0-9A-Za-z]{45}|[0-9A-Za-z]{50}|[0-9]{6,20}-[0-9A-Za-z]{40}|A{20,22}[0-9A-Za-z%]{80,100}"),
    secret!(SERVICE, "zendesk-token", "Zendesk token", ["zendesk"], "[0-9A-Za-z]{40}"),
    secret!(SERVICE, "airtable-older-key", "Airtable key of the older form", ["airtable"], "key[0-9A-Za-z]{14}"),
    secret!(SERVICE, "beamer-key", "Beamer key", ["beamer"], "b_[0-9A-Za-z+/=_-]{44}"),
    secret!(SERVICE, "meraki-key", "Cisco Meraki key", ["meraki"], "[0-9a-f]{40}"),
    secret!(SERVICE, "cohere-key", "Cohere key", ["cohere", "co_api"], "[0-9A-Za-z]{40}"),
    secret!(SERVICE, "postmark-token", "Postmark token", ["postmark"], uuid!()),
    secret!(SERVICE, "pagerduty-key", "PagerDuty key", ["pagerduty", "pager_duty"], "[0-9A-Za-z_+-]{20}|[0-9A-Za-z]{32}"),
    secret!(SERVICE, "opsgenie-key", "Opsgenie key", ["opsgenie", "ops_genie"], uuid!()),
    secret!(SERVICE, "honeycomb-key", "Honeycomb key", ["honeycomb"], "hc[a-z](?:ik|lk|mk)_[0-9A-Za-z]{58}|[0-9A-Za-z]{22}|[0-9a-f]{32}", "key|token|secret|team"),
    secret!(SERVICE, "rollbar-token", "Rollbar token", ["rollbar"], "[0-9a-f]{32}"),
    secret!(SERVICE, "bugsnag-token", "Bugsnag token", ["bugsnag"], uuid!()),
    secret!(SERVICE, "mixpanel-secret", "Mixpanel secret", ["mixpanel"], "[0-9a-f]{32}|[0-9A-Za-z]{32}", "secret"),
    secret!(SERVICE, "amplitude-secret", "Amplitude secret", ["amplitude"], "[0-9a-f]{32}", "secret"),
    secret!(SERVICE, "twilio-secret", "Twilio secret", ["twilio"], "[0-9a-f]{32}|[0-9A-Za-z]{32}"),
    secret!(SERVICE, "mandrill-key", "Mandrill key", ["mandrill"], "(?:md-)?[0-9A-Za-z_-]{22}"),
    secret!(SERVICE, "vonage-secret", "Vonage secret", ["nexmo", "vonage"], "[0-9A-Za-z]{16}", "secret"),
    secret!(SERVICE, "pusher-secret", "Pusher secret", ["pusher"], "[0-9a-f]{20}", "secret"),
    secret!(SERVICE, "ably-key", "Ably key", ["ably_api", "ably_root"], "[0-9A-Za-z_-]{6}\\.[0-9A-Za-z_-]{6}:[0-9A-Za-z_-]{43}"),
    secret!(SERVICE, "cloudinary-secret", "Cloudinary secret", ["cloudinary"], "[0-9A-Za-z_-]{27}"),
    secret!(SERVICE, "deepgram-key", "Deepgram key", ["deepgram"], "[0-9a-f]{40}"),
    secret!(SERVICE, "assemblyai-key", "AssemblyAI key", ["assembly_ai"], "[0-9a-f]{32}"),
    secret!(SERVICE, "elevenlabs-key", "ElevenLabs key", ["eleven_labs", "xi_api"], "sk_[0-9a-f]{48}|[0-9a-f]{32}"),
    secret!(SERVICE, "mistral-key", "Mistral key", ["mistral"], "[0-9A-Za-z]{32}"),
    secret!(SERVICE, "deepseek-key", "DeepSeek key", ["deep_seek"], "sk-[0-9a-f]{32}"),
    secret!(SERVICE, "dashscope-key", "DashScope key", ["dashscope"], "sk-[0-9a-f]{32}"),
    secret!(SERVICE, "stability-key", "Stability AI key", ["stability"], "sk-[0-9A-Za-z]{48}"),
    secret!(SERVICE, "together-key", "Together AI key", ["together_api", "together_ai"], "[0-9a-f]{64}"),
    secret!(SERVICE, "fireworks-key", "Fireworks AI key", ["fireworks"], "fw_[0-9A-Za-z]{22,24}"),
    secret!(SERVICE, "voyage-key", "Voyage AI key", ["voyage"], "pa-[0-9A-Za-z_-]{43}"),
    secret!(SERVICE, "wandb-key", "key of Weights & Biases", ["wandb"], "[0-9a-f]{40}"),
    secret!(SERVICE, "resend-key", "Resend key", ["resend"], "re_[0-9A-Za-z]{8}_[0-9A-Za-z_]{24}"),
    secret!(SERVICE, "mailjet-secret", "Mailjet key", ["mailjet", "mj_api"], "[0-9a-f]{32}"),
    secret!(SERVICE, "sparkpost-key", "SparkPost key", ["sparkpost"], "[0-9a-f]{40}"),
    secret!(SERVICE, "spotify-secret", "Spotify client secret", ["spotify"], "[0-9a-f]{32}", "secret"),
    secret!(SERVICE, "zoom-secret", "Zoom client secret", ["zoom_client", "zoom_api"], "[0-9A-Za-z]{32}", "secret"),
    secret!(SERVICE, "trello-token", "Trello token", ["trello"], "[0-9a-f]{64}|ATTA[0-9A-Za-z]{72}"),
    secret!(SERVICE, "todoist-token", "Todoist token", ["todoist"], "[0-9a-f]{40}"),
    secret!(SERVICE, "clickup-token", "ClickUp token", ["click_up"], "pk_[0-9]{5,12}_[0-9A-Z]{32}"),
    secret!(SERVICE, "splunk-token", "Splunk token", ["splunk"], uuid!()),
    secret!(SERVICE, "loggly-token", "Loggly token", ["loggly"], uuid!()),
    secret!(SERVICE, "signalfx-token", "Splunk Observability token", ["signalfx", "sfx"], "[0-9A-Za-z_-]{22}"),
    secret!(SERVICE, "virustotal-key", "VirusTotal key", ["virustotal", "virus_total", "vt_api"], "[0-9a-f]{64}"),
    secret!(SERVICE, "shodan-key", "Shodan key", ["shodan"], "[0-9A-Za-z]{32}"),
    secret!(SERVICE, "abuseipdb-key", "AbuseIPDB key", ["abuseipdb"], "[0-9a-f]{80}"),
    secret!(SERVICE, "onesignal-key", "OneSignal key", ["onesignal", "one_signal"], concat!("[0-9A-Za-z]{48}", "|", uuid!())),
    secret!(SERVICE, "bitly-token", "Bitly token", ["bitly"], "[0-9a-f]{40}"),
    secret!(SERVICE, "pushover-token", "Pushover token", ["pushover"], "[0-9a-z]{30}"),
    secret!(SERVICE, "paypal-secret", "PayPal client secret", ["pay_pal"], "[0-9A-Za-z_-]{80}", "secret"),
    secret!(SERVICE, "razorpay-secret", "Razorpay secret", ["razorpay"], "[0-9A-Za-z]{24}", "secret"),
    secret!(SERVICE, "hubspot-older-key", "HubSpot key of the older form", ["hubspot", "hapikey"], uuid!()),
    secret!(SERVICE, "klaviyo-key", "Klaviyo private key", ["klaviyo"], "pk_[0-9a-f]{34}"),
    secret!(SERVICE, "pipedrive-token", "Pipedrive token", ["pipedrive"], "[0-9a-f]{40}"),
    secret!(SERVICE, "logzio-token", "Logz.io token", ["logzio", "logz_io"], "[0-9A-Za-z]{32}"),
    secret!(SERVICE, "openweather-key", "OpenWeather key", ["openweather", "open_weather", "owm_api"], "[0-9a-f]{32}"),
];
