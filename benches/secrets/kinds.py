"""The kinds of secrets in the corpus, as their providers document or issue them; nothing here was taken from a scanner's rules."""

import dataclasses
import json
from collections.abc import Callable

from draw import *


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind. `fixed`: its shape alone tells it, whatever stands around; else its name has to. `names`: what it is called where it is used.
    `token`: draws one, on one line. `file`: draws a whole file instead: its name, its text, and the secrets in it."""

    name: str
    fixed: bool
    names: tuple[str, ...]
    token: Callable | None = None
    file: Callable | None = None


KINDS: list[Kind] = []


def fixed(name, names, token):
    KINDS.append(Kind(name, True, tuple(names.split()), token))


def named(name, names, token):
    KINDS.append(Kind(name, False, tuple(names.split()), token))


def stored(name, is_fixed=True):
    """Decorates what draws the file of a program that keeps logins or keys in it."""

    def add(file):
        KINDS.append(Kind(name, is_fixed, (), file=file))
        return file

    return add


# docs.github.com: About authentication to GitHub, token formats; github.blog: Behind GitHub's new authentication token formats.
fixed("github-pat", "GITHUB_TOKEN GH_TOKEN", lambda r: with_crc(r, "ghp_", 36))
fixed("github-oauth", "GITHUB_OAUTH_TOKEN", lambda r: with_crc(r, "gho_", 36))
fixed("github-user-to-server", "GITHUB_USER_TOKEN", lambda r: with_crc(r, "ghu_", 36))
fixed("github-server", "GITHUB_APP_TOKEN", lambda r: with_crc(r, "ghs_", 36))
fixed("github-server-jwt", "GITHUB_TOKEN", lambda r: f"ghs_{r.randint(10**4, 10**7)}_{jwt(r, {'iss': 'https://github.com', 'sub': str(r.getrandbits(40)), 'jti': an_uuid(r), 'exp': 1_790_000_000})}")
fixed("github-refresh", "GITHUB_REFRESH_TOKEN", lambda r: with_crc(r, "ghr_", 76))
fixed("github-fine-grained", "GITHUB_TOKEN GH_PAT", lambda r: f"github_pat_{text(r, ALNUM, 22)}_{text(r, ALNUM, 59)}")
# docs.gitlab.com: GitLab token overview, token prefixes.
fixed("gitlab-pat", "GITLAB_TOKEN CI_TOKEN", lambda r: "glpat-" + text(r, URL, 20))
fixed("gitlab-pat-routable", "GITLAB_TOKEN", lambda r: f"glpat-{b64url(r.randbytes(16) + f'o:{r.randint(1, 99)} u:{r.getrandbits(20)}'.encode())}{r.choice(['.', '.01.'])}{text(r, LOWNUM, 9)}")
fixed("gitlab-deploy", "CI_DEPLOY_PASSWORD", lambda r: "gldt-" + text(r, URL, 20))
fixed("gitlab-runner", "RUNNER_TOKEN", lambda r: "glrt-" + text(r, URL, 20))
fixed("gitlab-trigger", "TRIGGER_TOKEN", lambda r: "glptt-" + text(r, HEX, 40))
fixed("gitlab-feed", "FEED_TOKEN", lambda r: "glft-" + text(r, URL, 20))
fixed("gitlab-scim", "SCIM_TOKEN", lambda r: "glsoat-" + text(r, URL, 20))
fixed("gitlab-agent", "GITLAB_AGENT_TOKEN KAS_TOKEN", lambda r: "glagent-" + text(r, URL, 50))
fixed("gitlab-incoming-mail", "INCOMING_MAIL_TOKEN", lambda r: "glimt-" + text(r, LOWNUM, 25))
fixed("gitlab-oauth-app", "GITLAB_APP_SECRET", lambda r: "gloas-" + text(r, HEX, 64))
# docs.npmjs.com: About access tokens; docs.pypi.org: secret reporting; guides.rubygems.org: API key; docs.docker.com; crates.io; clojars.org.
fixed("npm", "NPM_TOKEN NODE_AUTH_TOKEN", lambda r: with_crc(r, "npm_", 36))
fixed("pypi", "PYPI_TOKEN TWINE_PASSWORD", pypi)
fixed("rubygems", "GEM_HOST_API_KEY", lambda r: "rubygems_" + text(r, HEX, 48))
fixed("docker-hub-pat", "DOCKERHUB_TOKEN DOCKER_PASSWORD", lambda r: "dckr_pat_" + text(r, URL, 27))
fixed("docker-hub-org", "DOCKERHUB_ORG_TOKEN", lambda r: "dckr_oat_" + text(r, URL, 32))
fixed("crates-io", "CARGO_REGISTRY_TOKEN", lambda r: "cio" + text(r, ALNUM, 32))
fixed("clojars", "CLOJARS_PASSWORD", lambda r: "CLOJARS_" + text(r, HEX, 60))
fixed("nuget", "NUGET_API_KEY", lambda r: "oy2" + text(r, LOWNUM, 43))
# docs.aws.amazon.com: IAM identifiers (unique ID prefixes); Bedrock API keys.
fixed("aws-key-id", "AWS_ACCESS_KEY_ID", lambda r: "AKIA" + text(r, BASE32, 16))
fixed("aws-sts-key-id", "AWS_ACCESS_KEY_ID", lambda r: "ASIA" + text(r, BASE32, 16))
named("aws-secret", "AWS_SECRET_ACCESS_KEY aws_secret_access_key", lambda r: text(r, ALNUM + "/+", 40))
fixed("aws-bedrock", "AWS_BEARER_TOKEN_BEDROCK", lambda r: "ABSK" + b64(f"BedrockAPIKey-{text(r, LOWNUM, 4)}-at-{r.randint(10**11, 10**12 - 1)}:".encode() + b64(r.randbytes(45)).encode()))
# cloud.google.com: API keys; OAuth 2.0 client secrets; service account keys.
fixed("google-api-key", "GOOGLE_API_KEY GEMINI_API_KEY", lambda r: "AIza" + text(r, URL, 35))
fixed("google-oauth-secret", "GOOGLE_CLIENT_SECRET", lambda r: "GOCSPX-" + text(r, URL, 28))
# learn.microsoft.com: application client secrets; storage connection strings; SAS; personal access tokens of Azure DevOps.
fixed("azure-client-secret", "AZURE_CLIENT_SECRET ARM_CLIENT_SECRET", lambda r: text(r, ALNUM, 3) + r.choice("78") + "Q~" + some(r, ALNUM + "_-.~", 31, 34))
fixed("azure-storage", "AZURE_STORAGE_CONNECTION_STRING", lambda r: f"DefaultEndpointsProtocol=https;AccountName={word(r)}{word(r)};AccountKey={b64(r.randbytes(64))};EndpointSuffix=core.windows.net")
fixed("azure-sas", "BLOB_URL", lambda r: f"https://{word(r)}.blob.core.windows.net/{word(r)}?sv=2023-11-03&ss=b&srt=sco&sp=rl&se=2027-01-0{r.randint(1, 9)}T00:00:00Z&sig={b64(r.randbytes(32)).replace('+', '%2B').replace('/', '%2F').replace('=', '%3D')}")
named("azure-devops", "AZURE_DEVOPS_EXT_PAT AZURE_DEVOPS_TOKEN", lambda r: text(r, LOWER + "234567", 52))
# alibabacloud.com: AccessKey pair; docs.digitalocean.com: token formats.
fixed("alibaba-key-id", "ALIBABA_CLOUD_ACCESS_KEY_ID", lambda r: "LTAI" + text(r, ALNUM, 20))
fixed("digitalocean-pat", "DIGITALOCEAN_TOKEN", lambda r: "dop_v1_" + text(r, HEX, 64))
fixed("digitalocean-oauth", "DO_OAUTH_TOKEN", lambda r: "doo_v1_" + text(r, HEX, 64))
fixed("digitalocean-refresh", "DO_REFRESH_TOKEN", lambda r: "dor_v1_" + text(r, HEX, 64))
# docs.slack.dev: token types; incoming webhooks.
fixed("slack-bot", "SLACK_BOT_TOKEN", lambda r: f"xoxb-{some(r, DIGITS, 11, 13)}-{some(r, DIGITS, 12, 13)}-{text(r, ALNUM, 24)}")
fixed("slack-user", "SLACK_USER_TOKEN", lambda r: f"xoxp-{some(r, DIGITS, 11, 13)}-{some(r, DIGITS, 11, 13)}-{some(r, DIGITS, 12, 13)}-{text(r, HEX, 32)}")
fixed("slack-app", "SLACK_APP_TOKEN", lambda r: f"xapp-1-A{text(r, UPNUM, 10)}-{text(r, DIGITS, 13)}-{text(r, HEX, 64)}")
fixed("slack-webhook", "SLACK_WEBHOOK_URL", lambda r: f"https://hooks.slack.com/services/T{some(r, UPNUM, 8, 10)}/B{some(r, UPNUM, 8, 10)}/{text(r, ALNUM, 24)}")
fixed("slack-refresh", "SLACK_REFRESH_TOKEN", lambda r: "xoxe-1-" + text(r, ALNUM, 146))
# docs.stripe.com: API keys; webhooks.
fixed("stripe-secret", "STRIPE_SECRET_KEY STRIPE_API_KEY", lambda r: f"sk_live_51{text(r, ALNUM, 97)}" if r.random() < 0.7 else "sk_live_" + text(r, ALNUM, 24))
fixed("stripe-restricted", "STRIPE_RESTRICTED_KEY", lambda r: f"rk_live_51{text(r, ALNUM, 97)}")
fixed("stripe-test", "STRIPE_TEST_KEY", lambda r: f"sk_test_51{text(r, ALNUM, 97)}")
fixed("stripe-webhook", "STRIPE_WEBHOOK_SECRET", lambda r: "whsec_" + text(r, ALNUM, 32))
# The providers of models, as they issue keys.
fixed("openai-project", "OPENAI_API_KEY", lambda r: f"sk-proj-{text(r, URL, 74)}T3BlbkFJ{text(r, URL, 74)}")
fixed("openai-service-account", "OPENAI_API_KEY", lambda r: f"sk-svcacct-{text(r, URL, 74)}T3BlbkFJ{text(r, URL, 74)}")
fixed("openai-user", "OPENAI_API_KEY", lambda r: f"sk-{text(r, ALNUM, 20)}T3BlbkFJ{text(r, ALNUM, 20)}")
fixed("anthropic", "ANTHROPIC_API_KEY", lambda r: f"sk-ant-api03-{text(r, URL, 93)}AA")
fixed("anthropic-admin", "ANTHROPIC_ADMIN_KEY", lambda r: f"sk-ant-admin01-{text(r, URL, 93)}AA")
fixed("openrouter", "OPENROUTER_API_KEY", lambda r: "sk-or-v1-" + text(r, HEX, 64))
fixed("hugging-face", "HF_TOKEN HUGGING_FACE_HUB_TOKEN", lambda r: "hf_" + text(r, UPPER + LOWER, 34))
fixed("replicate", "REPLICATE_API_TOKEN", lambda r: "r8_" + text(r, ALNUM, 37))
fixed("groq", "GROQ_API_KEY", lambda r: "gsk_" + text(r, ALNUM, 52))
fixed("perplexity", "PERPLEXITY_API_KEY PPLX_API_KEY", lambda r: "pplx-" + text(r, ALNUM, 48))
fixed("xai", "XAI_API_KEY", lambda r: "xai-" + text(r, ALNUM, 80))
# Mail and messages: docs.sendgrid.com, developers.brevo.com, documentation.mailgun.com, mailchimp.com/developer, twilio.com, core.telegram.org, discord.com.
fixed("sendgrid", "SENDGRID_API_KEY", lambda r: f"SG.{text(r, URL, 22)}.{text(r, URL, 43)}")
fixed("brevo", "BREVO_API_KEY", lambda r: f"xkeysib-{text(r, HEX, 64)}-{text(r, ALNUM, 16)}")
fixed("mailgun", "MAILGUN_API_KEY", lambda r: "key-" + text(r, HEX, 32))
fixed("mailchimp", "MAILCHIMP_API_KEY", lambda r: f"{text(r, HEX, 32)}-us{r.randint(1, 21)}")
fixed("twilio-key", "TWILIO_API_KEY", lambda r: "SK" + text(r, HEX, 32))
named("twilio-auth-token", "TWILIO_AUTH_TOKEN", lambda r: text(r, HEX, 32))
fixed("telegram-bot", "TELEGRAM_BOT_TOKEN", lambda r: f"{some(r, '123456789', 1, 1)}{some(r, DIGITS, 8, 9)}:AA{text(r, URL, 33)}")
fixed("discord-webhook", "DISCORD_WEBHOOK_URL", lambda r: f"https://discord.com/api/webhooks/{text(r, '123456789', 1)}{text(r, DIGITS, 18)}/{text(r, URL, 68)}")
fixed("discord-bot", "DISCORD_TOKEN", lambda r: f"{b64url(('1' + text(r, DIGITS, 17)).encode())}.G{text(r, URL, 5)}.{text(r, URL, 38)}")
# Infrastructure: developer.hashicorp.com, docs.databricks.com, grafana.com, docs.dynatrace.com, docs.newrelic.com, docs.sentry.io, …
fixed("vault-service", "VAULT_TOKEN", lambda r: "hvs.CAESI" + some(r, URL, 86, 110))
fixed("vault-root", "VAULT_TOKEN", lambda r: "hvs." + text(r, ALNUM, 24))
fixed("vault-batch", "VAULT_TOKEN", lambda r: "hvb.AAAAAQ" + some(r, URL, 140, 200))
fixed("terraform-cloud", "TFE_TOKEN TF_TOKEN_app_terraform_io", lambda r: f"{text(r, ALNUM, 14)}.atlasv1.{some(r, ALNUM, 60, 70)}")
fixed("databricks", "DATABRICKS_TOKEN", lambda r: "dapi" + text(r, HEX, 32) + r.choice(["", "", "-2"]))
fixed("grafana-service-account", "GRAFANA_TOKEN", lambda r: f"glsa_{text(r, ALNUM, 32)}_{text(r, HEX, 8)}")
fixed("grafana-cloud", "GRAFANA_CLOUD_TOKEN", lambda r: "glc_" + b64(json.dumps({"o": str(r.randint(10**5, 10**6)), "n": f"{word(r)}-{word(r)}", "k": text(r, ALNUM, 24), "m": {"r": "eu"}}, separators=(",", ":")).encode()))
fixed("dynatrace", "DT_API_TOKEN", lambda r: f"dt0c01.{text(r, BASE32, 24)}.{text(r, BASE32, 64)}")
fixed("new-relic-user", "NEW_RELIC_API_KEY", lambda r: "NRAK-" + text(r, UPNUM, 27))
fixed("new-relic-license", "NEW_RELIC_LICENSE_KEY", lambda r: text(r, HEX, 36) + "NRAL")
fixed("sentry-org", "SENTRY_AUTH_TOKEN", lambda r: f"sntrys_{b64(json.dumps({'iat': r.randint(1.6e9 // 1, 1.79e9 // 1) + 0.5, 'url': 'https://sentry.io', 'region_url': 'https://us.sentry.io', 'org': word(r)}).encode())}_{b64(r.randbytes(32)).rstrip('=')}")
fixed("sentry-user", "SENTRY_AUTH_TOKEN", lambda r: "sntryu_" + text(r, HEX, 64))
fixed("pulumi", "PULUMI_ACCESS_TOKEN", lambda r: "pul-" + text(r, HEX, 40))
fixed("planetscale-token", "PLANETSCALE_SERVICE_TOKEN", lambda r: "pscale_tkn_" + text(r, URL, 43))
fixed("planetscale-password", "PLANETSCALE_PASSWORD", lambda r: "pscale_pw_" + text(r, URL, 43))
fixed("doppler-personal", "DOPPLER_TOKEN", lambda r: "dp.pt." + text(r, ALNUM, 43))
fixed("doppler-service", "DOPPLER_TOKEN", lambda r: f"dp.st.{r.choice(['dev', 'stg', 'prd'])}.{text(r, ALNUM, 43)}")
fixed("tailscale-auth", "TS_AUTHKEY", lambda r: f"tskey-auth-k{text(r, ALNUM, 10)}CNTRL-{text(r, ALNUM, 32)}")
fixed("tailscale-api", "TAILSCALE_API_KEY", lambda r: f"tskey-api-k{text(r, ALNUM, 10)}CNTRL-{text(r, ALNUM, 32)}")
fixed("buildkite", "BUILDKITE_API_TOKEN", lambda r: "bkua_" + text(r, HEX, 40))
# circleci.com/changelog/new-format-for-api-access-tokens
fixed("circleci", "CIRCLECI_TOKEN", lambda r: f"CCIPAT_{text(r, BASE58, 22)}_{text(r, HEX, 40)}")
fixed("supabase", "SUPABASE_ACCESS_TOKEN", lambda r: "sbp_" + text(r, HEX, 40))
fixed("artifactory", "ARTIFACTORY_API_KEY", lambda r: "AKCp" + text(r, ALNUM, 69))
fixed("sonar-user", "SONAR_TOKEN", lambda r: "squ_" + text(r, HEX, 40))
fixed("prefect", "PREFECT_API_KEY", lambda r: "pnu_" + text(r, ALNUM, 36))
# Products: shopify.dev (changelog: length of the access token), developer.squareup.com, easypost.com, developers.notion.com, linear.app, …
fixed("shopify-app", "SHOPIFY_ACCESS_TOKEN", lambda r: "shpat_" + text(r, HEX, 32))
fixed("shopify-custom", "SHOPIFY_ACCESS_TOKEN", lambda r: "shpca_" + text(r, HEX, 32))
fixed("shopify-private", "SHOPIFY_PASSWORD", lambda r: "shppa_" + text(r, HEX, 32))
fixed("shopify-secret", "SHOPIFY_API_SECRET", lambda r: "shpss_" + text(r, HEX, 32))
fixed("square-secret", "SQUARE_APPLICATION_SECRET", lambda r: "sq0csp-" + text(r, URL, 43))
fixed("easypost", "EASYPOST_API_KEY", lambda r: "EZAK" + text(r, ALNUM, 54))
fixed("duffel", "DUFFEL_ACCESS_TOKEN", lambda r: f"duffel_{r.choice(['live', 'test'])}_{text(r, URL, 43)}")
fixed("notion", "NOTION_TOKEN", lambda r: "secret_" + text(r, ALNUM, 43))
fixed("notion-new", "NOTION_TOKEN", lambda r: "ntn_" + text(r, DIGITS, 11) + text(r, ALNUM, 35))
fixed("linear", "LINEAR_API_KEY", lambda r: "lin_api_" + text(r, ALNUM, 40))
fixed("figma", "FIGMA_TOKEN", lambda r: "figd_" + text(r, URL, 40))
fixed("airtable", "AIRTABLE_API_KEY", lambda r: f"pat{text(r, ALNUM, 14)}.{text(r, HEX, 64)}")
fixed("postman", "POSTMAN_API_KEY", lambda r: f"PMAK-{text(r, HEX, 24)}-{text(r, HEX, 34)}")
fixed("contentful", "CONTENTFUL_MANAGEMENT_TOKEN", lambda r: "CFPAT-" + text(r, URL, 43))
fixed("readme", "README_API_KEY", lambda r: "rdme_xn8s9h" + text(r, LOWNUM, 64))
# support.atlassian.com: "varied API token length"; the tail is a checksum in hexadecimal.
fixed("atlassian", "JIRA_API_TOKEN ATLASSIAN_TOKEN", lambda r: f"ATATT3xFfGF0{some(r, URL, 165, 175)}={text(r, HEX.upper()[:10] + 'ABCDEF', 8)}")
fixed("langsmith", "LANGSMITH_API_KEY LANGCHAIN_API_KEY", lambda r: f"lsv2_pt_{text(r, HEX, 32)}_{text(r, HEX, 10)}")
# datatracker.ietf.org/doc/html/rfc7519; age-encryption.org/v1; RFC 3986, 3.2.1.
fixed("jwt", "ACCESS_TOKEN SERVICE_TOKEN", jwt)
fixed("age", "SOPS_AGE_KEY", lambda r: bech32("age-secret-key-", r.randbytes(32)).upper())
fixed("database-url", "DATABASE_URL", lambda r: f"{r.choice(['postgres', 'postgresql', 'mysql', 'mongodb', 'amqp', 'redis'])}://{word(r)}:{some(r, ALNUM, 14, 24)}@{word(r)}.{word(r)}.internal:{r.randint(1024, 40000)}/{word(r)}")
fixed("git-url", "REPOSITORY_URL", lambda r: f"https://{word(r)}:{some(r, ALNUM, 16, 24)}@git.{word(r)}.net/{word(r)}/{word(r)}.git")

# Clouds whose keys have no shape of their own: devcenter.heroku.com, developers.cloudflare.com (token formats before 2026), docs.fastly.com, docs.digitalocean.com, techdocs.akamai.com, scaleway.com, …
named("heroku-api-key", "HEROKU_API_KEY HEROKU_API_TOKEN", lambda r: an_uuid(r))
named("cloudflare-key", "CLOUDFLARE_API_TOKEN CF_API_TOKEN CLOUDFLARE_API_KEY", lambda r: text(r, URL, 40) if r.random() < 0.6 else text(r, HEX, 37))
named("fastly-token", "FASTLY_API_TOKEN FASTLY_API_KEY FASTLY_KEY", lambda r: text(r, URL, 32))
named("spaces-secret", "SPACES_SECRET_ACCESS_KEY DO_SPACES_SECRET_KEY", lambda r: text(r, ALNUM + "+/", 43))
named("linode-token", "LINODE_TOKEN LINODE_CLI_TOKEN", lambda r: text(r, HEX, 64))
named("vultr-key", "VULTR_API_KEY", lambda r: text(r, UPNUM, 36))
named("hetzner-token", "HCLOUD_TOKEN HETZNER_API_TOKEN", lambda r: text(r, ALNUM, 64))
named("scaleway-secret", "SCW_SECRET_KEY SCALEWAY_SECRET_KEY", lambda r: an_uuid(r))
named("ovh-secret", "OVH_APPLICATION_SECRET OVH_CONSUMER_KEY", lambda r: text(r, ALNUM, 32))
named("alibaba-secret", "ALIBABA_CLOUD_ACCESS_KEY_SECRET ALICLOUD_SECRET_KEY", lambda r: text(r, ALNUM, 30))
named("tencent-secret", "TENCENTCLOUD_SECRET_KEY", lambda r: text(r, ALNUM, 32))
named("huawei-secret", "HUAWEICLOUD_SDK_SK_SECRET HUAWEI_SECRET_KEY", lambda r: text(r, ALNUM, 40))
named("ibm-cloud-key", "IBMCLOUD_API_KEY IBM_CLOUD_API_KEY", lambda r: text(r, URL, 44))
named("yandex-secret", "YANDEX_OAUTH_TOKEN YANDEX_SECRET_KEY", lambda r: "y0_" + text(r, URL, 55) if r.random() < 0.5 else "YCM" + text(r, URL, 37))
named("azure-ai-key", "AZURE_OPENAI_API_KEY AZURE_SPEECH_KEY", lambda r: text(r, HEX, 32))
named("netlify-api-token", "NETLIFY_AUTH_TOKEN", lambda r: text(r, URL, 43))
named("vercel-token", "VERCEL_TOKEN VERCEL_API_TOKEN", lambda r: text(r, ALNUM, 24))
named("railway-token", "RAILWAY_TOKEN RAILWAY_API_TOKEN", lambda r: an_uuid(r))
named("confluent-secret", "CONFLUENT_CLOUD_API_SECRET", lambda r: text(r, ALNUM + "+/", 64))
named("clickhouse-secret", "CLICKHOUSE_CLOUD_API_SECRET CLICKHOUSE_KEY_SECRET", lambda r: "4b1d" + text(r, ALNUM, 38))
named("elastic-key", "ELASTIC_API_KEY ELASTICSEARCH_API_KEY", lambda r: b64(f'{text(r, URL, 20)}:{text(r, URL, 22)}'.encode()))
named("atlas-key", "MONGODB_ATLAS_PRIVATE_KEY", lambda r: an_uuid(r))
named("pinecone-key", "PINECONE_API_KEY", lambda r: an_uuid(r))
# Code and builds: docs.snyk.io, docs.codecov.io, docs.travis-ci.com, docs.drone.io, jenkins.io, jfrog.com, support.atlassian.com, …
named("snyk-token", "SNYK_TOKEN SNYK_API_TOKEN", lambda r: an_uuid(r))
named("codecov-token", "CODECOV_TOKEN", lambda r: an_uuid(r))
named("travis-token", "TRAVIS_API_TOKEN TRAVIS_TOKEN", lambda r: text(r, URL, 22))
named("drone-token", "DRONE_TOKEN DRONE_SERVER_TOKEN", lambda r: text(r, ALNUM, 32))
named("jenkins-token", "JENKINS_API_TOKEN JENKINS_TOKEN", lambda r: "11" + text(r, HEX, 32))
named("jfrog-token", "JFROG_ACCESS_TOKEN ARTIFACTORY_API_KEY", lambda r: text(r, ALNUM, 73) if r.random() < 0.5 else text(r, ALNUM, 64))
named("bitbucket-secret", "BITBUCKET_CLIENT_SECRET", lambda r: text(r, ALNUM, 32))
named("jira-token", "JIRA_API_TOKEN CONFLUENCE_API_TOKEN", lambda r: text(r, ALNUM, 24))
named("circleci-api-token", "CIRCLECI_API_TOKEN", lambda r: text(r, HEX, 40))
named("buildkite-agent-token", "BUILDKITE_AGENT_TOKEN", lambda r: text(r, ALNUM, 50))
named("gitlab-older-token", "GITLAB_TOKEN GITLAB_PRIVATE_TOKEN", lambda r: text(r, URL, 20))
named("sonar-older-token", "SONAR_TOKEN SONAR_LOGIN_TOKEN", lambda r: text(r, HEX, 40))
named("coveralls-token", "COVERALLS_REPO_TOKEN", lambda r: text(r, ALNUM, 32))
named("codacy-token", "CODACY_PROJECT_TOKEN CODACY_API_TOKEN", lambda r: text(r, HEX, 32))
named("appveyor-token", "APPVEYOR_API_TOKEN", lambda r: "v2." + text(r, LOWNUM, 20))
named("docker-hub-older-token", "DOCKERHUB_TOKEN DOCKER_HUB_TOKEN", lambda r: an_uuid(r))
named("rubygems-older-key", "GEM_HOST_API_KEY RUBYGEMS_API_KEY", lambda r: text(r, HEX, 32))
named("cloudsmith-key", "CLOUDSMITH_API_KEY", lambda r: text(r, HEX, 40))
named("packagecloud-token", "PACKAGECLOUD_TOKEN", lambda r: text(r, HEX, 48))
named("gitter-token", "GITTER_ACCESS_TOKEN", lambda r: text(r, HEX, 40))
named("sauce-labs-key", "SAUCE_ACCESS_KEY", lambda r: an_uuid(r))
named("browserstack-key", "BROWSERSTACK_ACCESS_KEY", lambda r: text(r, ALNUM, 20))
named("sidekiq-key", "BUNDLE_ENTERPRISE__CONTRIBSYS__COM BUNDLE_GEMS__CONTRIBSYS__COM", lambda r: text(r, HEX, 8) + ":" + text(r, HEX, 8))
# Services: docs.datadoghq.com, algolia.com, developers.asana.com, developer.okta.com, auth0.com, discord.com, dropbox.com, developers.facebook.com, …
named("datadog-key", "DATADOG_API_KEY DD_API_KEY DD_APP_KEY DATADOG_APP_KEY", lambda r: text(r, HEX, 32) if r.random() < 0.5 else text(r, HEX, 40))
named("algolia-admin-key", "ALGOLIA_ADMIN_KEY ALGOLIA_ADMIN_API_KEY ALGOLIA_WRITE_API_KEY", lambda r: text(r, HEX, 32))
named("asana-secret", "ASANA_CLIENT_SECRET ASANA_ACCESS_TOKEN", lambda r: text(r, LOWNUM, 32) if r.random() < 0.5 else '1/' + text(r, DIGITS, 16) + ':' + text(r, HEX, 32))
named("okta-token", "OKTA_API_TOKEN OKTA_CLIENT_TOKEN OKTA_CLIENT_SECRET", lambda r: "00" + text(r, URL, 40) if r.random() < 0.6 else text(r, URL, 64))
named("auth0-secret", "AUTH0_CLIENT_SECRET", lambda r: text(r, URL, 64))
named("discord-secret", "DISCORD_CLIENT_SECRET", lambda r: text(r, URL, 32))
named("dropbox-token", "DROPBOX_APP_SECRET DROPBOX_ACCESS_TOKEN", lambda r: text(r, LOWNUM, 15) if r.random() < 0.4 else "sl." + text(r, URL, 135))
named("facebook-secret", "FACEBOOK_APP_SECRET FB_APP_SECRET FACEBOOK_ACCESS_TOKEN", lambda r: text(r, HEX, 32) if r.random() < 0.6 else "EAA" + text(r, ALNUM, 150))
named("finicity-key", "FINICITY_APP_KEY FINICITY_PARTNER_SECRET", lambda r: text(r, HEX, 32) if r.random() < 0.5 else text(r, ALNUM, 20))
named("finnhub-key", "FINNHUB_API_KEY FINNHUB_TOKEN", lambda r: text(r, LOWNUM, 20))
named("etsy-key", "ETSY_API_KEY ETSY_KEYSTRING_TOKEN", lambda r: text(r, LOWNUM, 24))
named("flickr-key", "FLICKR_API_KEY FLICKR_API_SECRET", lambda r: text(r, HEX, 32) if r.random() < 0.5 else text(r, HEX, 16))
named("freshbooks-token", "FRESHBOOKS_CLIENT_SECRET FRESHBOOKS_ACCESS_TOKEN", lambda r: text(r, HEX, 64))
named("freshdesk-key", "FRESHDESK_API_KEY", lambda r: text(r, ALNUM, 20))
named("intercom-token", "INTERCOM_ACCESS_TOKEN INTERCOM_API_TOKEN", lambda r: b64(f'tok:{text(r, HEX, 8)}_{text(r, HEX, 4)}_{text(r, HEX, 4)}_{text(r, HEX, 4)}_{text(r, HEX, 12)}:1:0'.encode()))
named("kraken-secret", "KRAKEN_PRIVATE_KEY KRAKEN_API_SECRET", lambda r: b64(r.randbytes(64)))
named("kucoin-secret", "KUCOIN_API_SECRET KUCOIN_API_KEY", lambda r: an_uuid(r) if r.random() < 0.6 else text(r, HEX, 24))
named("bittrex-secret", "BITTREX_API_SECRET BITTREX_API_KEY", lambda r: text(r, HEX, 32))
named("binance-secret", "BINANCE_API_SECRET BINANCE_SECRET_KEY", lambda r: text(r, ALNUM, 64))
named("coinbase-secret", "COINBASE_API_SECRET COINBASE_ACCESS_TOKEN", lambda r: text(r, URL, 64))
named("contentful-api-token", "CONTENTFUL_ACCESS_TOKEN CONTENTFUL_DELIVERY_TOKEN", lambda r: text(r, URL, 43))
named("lob-key", "LOB_API_KEY", lambda r: "live_" + text(r, HEX, 35))
named("linkedin-secret", "LINKEDIN_CLIENT_SECRET", lambda r: text(r, ALNUM, 16) if r.random() < 0.5 else "WPL_AP1." + text(r, ALNUM, 16) + "." + b64(r.randbytes(4)))
named("looker-secret", "LOOKER_CLIENT_SECRET LOOKERSDK_CLIENT_SECRET", lambda r: text(r, ALNUM, 24))
named("maxmind-older-key", "MAXMIND_LICENSE_KEY GEOIPUPDATE_LICENSE_KEY", lambda r: text(r, ALNUM, 16))
named("mattermost-token", "MATTERMOST_TOKEN MATTERMOST_ACCESS_TOKEN", lambda r: text(r, LOWNUM, 26))
named("messagebird-key", "MESSAGEBIRD_API_KEY MESSAGEBIRD_ACCESS_KEY", lambda r: text(r, ALNUM, 25))
named("new-relic-older-key", "NEW_RELIC_LICENSE_KEY NEWRELIC_LICENSE_KEY", lambda r: text(r, HEX, 40))
named("nytimes-key", "NYTIMES_API_KEY NYT_API_KEY", lambda r: text(r, ALNUM, 32))
named("plaid-secret", "PLAID_SECRET PLAID_SECRET_KEY", lambda r: text(r, HEX, 30))
named("private-ai-key", "PRIVATE_AI_API_KEY PRIVATEAI_API_KEY", lambda r: text(r, LOWNUM, 32))
named("rapidapi-key", "RAPIDAPI_KEY X-RapidAPI-Key RAPID_API_KEY", lambda r: text(r, LOWNUM, 10) + 'msh' + text(r, LOWNUM, 15) + 'p1' + text(r, HEX, 6) + 'jsn' + text(r, HEX, 11))
named("sendbird-token", "SENDBIRD_API_TOKEN", lambda r: text(r, HEX, 40))
named("sentry-older-token", "SENTRY_AUTH_TOKEN", lambda r: text(r, HEX, 64))
named("squarespace-token", "SQUARESPACE_API_KEY SQUARESPACE_TOKEN", lambda r: an_uuid(r))
named("sumo-logic-key", "SUMOLOGIC_ACCESSKEY SUMO_LOGIC_ACCESS_KEY", lambda r: text(r, ALNUM, 64))
named("twitch-token", "TWITCH_CLIENT_SECRET TWITCH_ACCESS_TOKEN", lambda r: text(r, LOWNUM, 30))
named("twitter-secret", "TWITTER_API_SECRET TWITTER_ACCESS_TOKEN_SECRET TWITTER_ACCESS_TOKEN TWITTER_BEARER_TOKEN", lambda r: r.choice([text(r, ALNUM, 50), text(r, ALNUM, 45), text(r, '123456789', 19) + '-' + text(r, ALNUM, 40), 'A' * 21 + text(r, ALNUM, 27) + '%3D' + text(r, ALNUM, 50)]))
named("zendesk-token", "ZENDESK_API_TOKEN ZENDESK_TOKEN", lambda r: text(r, ALNUM, 40))
named("airtable-older-key", "AIRTABLE_API_KEY AIRTABLE_KEY", lambda r: "key" + text(r, ALNUM, 14))
named("beamer-key", "BEAMER_API_KEY", lambda r: "b_" + text(r, URL, 44))
named("meraki-key", "MERAKI_DASHBOARD_API_KEY X-Cisco-Meraki-API-Key MERAKI_KEY", lambda r: text(r, HEX, 40))
named("cohere-key", "COHERE_API_KEY CO_API_KEY", lambda r: text(r, ALNUM, 40))
named("postmark-token", "POSTMARK_SERVER_TOKEN X-Postmark-Server-Token POSTMARK_API_TOKEN", lambda r: an_uuid(r))
named("pagerduty-key", "PAGERDUTY_TOKEN PAGERDUTY_API_KEY PAGERDUTY_ROUTING_KEY", lambda r: text(r, ALNUM + "_+-", 20) if r.random() < 0.6 else text(r, LOWNUM, 32))
named("opsgenie-key", "OPSGENIE_API_KEY OPSGENIE_KEY", lambda r: an_uuid(r))
named("honeycomb-key", "HONEYCOMB_API_KEY X-Honeycomb-Team HONEYCOMB_WRITEKEY", lambda r: text(r, ALNUM, 22) if r.random() < 0.5 else "hcaik_01" + text(r, LOWNUM, 56))
named("rollbar-token", "ROLLBAR_ACCESS_TOKEN ROLLBAR_SERVER_TOKEN", lambda r: text(r, HEX, 32))
named("bugsnag-token", "BUGSNAG_AUTH_TOKEN BUGSNAG_PERSONAL_AUTH_TOKEN", lambda r: an_uuid(r))
named("mixpanel-secret", "MIXPANEL_API_SECRET MIXPANEL_SECRET", lambda r: text(r, HEX, 32))
named("amplitude-secret", "AMPLITUDE_SECRET_KEY AMPLITUDE_API_SECRET", lambda r: text(r, HEX, 32))
named("twilio-secret", "TWILIO_API_SECRET", lambda r: text(r, ALNUM, 32))
named("mandrill-key", "MANDRILL_API_KEY MANDRILL_KEY", lambda r: text(r, URL, 22))
named("vonage-secret", "NEXMO_API_SECRET VONAGE_API_SECRET", lambda r: text(r, ALNUM, 16))
named("pusher-secret", "PUSHER_APP_SECRET PUSHER_SECRET", lambda r: text(r, HEX, 20))
named("ably-key", "ABLY_API_KEY", lambda r: text(r, URL, 6) + "." + text(r, URL, 6) + ":" + text(r, URL, 43))
named("cloudinary-secret", "CLOUDINARY_API_SECRET", lambda r: text(r, URL, 27))
named("deepgram-key", "DEEPGRAM_API_KEY", lambda r: text(r, HEX, 40))
named("assemblyai-key", "ASSEMBLYAI_API_KEY ASSEMBLY_AI_KEY", lambda r: text(r, HEX, 32))
named("elevenlabs-key", "ELEVENLABS_API_KEY ELEVEN_LABS_API_KEY xi-api-key", lambda r: "sk_" + text(r, HEX, 48) if r.random() < 0.6 else text(r, HEX, 32))
named("mistral-key", "MISTRAL_API_KEY", lambda r: text(r, ALNUM, 32))
named("deepseek-key", "DEEPSEEK_API_KEY", lambda r: "sk-" + text(r, HEX, 32))
named("dashscope-key", "DASHSCOPE_API_KEY", lambda r: "sk-" + text(r, HEX, 32))
named("stability-key", "STABILITY_API_KEY", lambda r: "sk-" + text(r, ALNUM, 48))
named("together-key", "TOGETHER_API_KEY TOGETHER_AI_API_KEY", lambda r: text(r, HEX, 64))
named("fireworks-key", "FIREWORKS_API_KEY", lambda r: "fw_" + text(r, ALNUM, 22))
named("voyage-key", "VOYAGE_API_KEY", lambda r: "pa-" + text(r, URL, 43))
named("wandb-key", "WANDB_API_KEY", lambda r: text(r, HEX, 40))
named("resend-key", "RESEND_API_KEY", lambda r: "re_" + text(r, ALNUM, 8) + "_" + text(r, ALNUM, 24))
named("mailjet-secret", "MAILJET_SECRET_KEY MJ_APIKEY_PRIVATE_KEY", lambda r: text(r, HEX, 32))
named("sparkpost-key", "SPARKPOST_API_KEY", lambda r: text(r, HEX, 40))
named("spotify-secret", "SPOTIFY_CLIENT_SECRET", lambda r: text(r, HEX, 32))
named("zoom-secret", "ZOOM_CLIENT_SECRET", lambda r: text(r, ALNUM, 32))
named("trello-token", "TRELLO_TOKEN TRELLO_API_TOKEN", lambda r: text(r, HEX, 64) if r.random() < 0.5 else "ATTA" + text(r, HEX, 64) + text(r, "0123456789ABCDEF", 8))
named("todoist-token", "TODOIST_API_TOKEN", lambda r: text(r, HEX, 40))
named("clickup-token", "CLICKUP_API_TOKEN", lambda r: "pk_" + text(r, "123456789", 8) + "_" + text(r, UPNUM, 32))
named("splunk-token", "SPLUNK_HEC_TOKEN SPLUNK_TOKEN", lambda r: an_uuid(r))
named("loggly-token", "LOGGLY_TOKEN LOGGLY_CUSTOMER_TOKEN", lambda r: an_uuid(r))
named("signalfx-token", "SIGNALFX_ACCESS_TOKEN SFX_TOKEN", lambda r: text(r, URL, 22))
named("virustotal-key", "VIRUSTOTAL_API_KEY VT_API_KEY", lambda r: text(r, HEX, 64))
named("shodan-key", "SHODAN_API_KEY", lambda r: text(r, ALNUM, 32))
named("abuseipdb-key", "ABUSEIPDB_API_KEY", lambda r: text(r, HEX, 80))
named("onesignal-key", "ONESIGNAL_REST_API_KEY ONESIGNAL_API_KEY", lambda r: text(r, ALNUM, 48))
named("bitly-token", "BITLY_ACCESS_TOKEN BITLY_TOKEN", lambda r: text(r, HEX, 40))
named("pushover-token", "PUSHOVER_TOKEN PUSHOVER_API_TOKEN", lambda r: text(r, LOWNUM, 30))
named("paypal-secret", "PAYPAL_CLIENT_SECRET PAYPAL_SECRET", lambda r: text(r, URL, 80))
named("razorpay-secret", "RAZORPAY_KEY_SECRET", lambda r: text(r, ALNUM, 24))
named("hubspot-older-key", "HUBSPOT_API_KEY HUBSPOT_KEY", lambda r: an_uuid(r))
named("klaviyo-key", "KLAVIYO_API_KEY KLAVIYO_PRIVATE_KEY", lambda r: "pk_" + text(r, HEX, 34))
named("pipedrive-token", "PIPEDRIVE_API_TOKEN", lambda r: text(r, HEX, 40))
named("logzio-token", "LOGZIO_TOKEN LOGZIO_SHIPPING_TOKEN", lambda r: text(r, ALNUM, 32))
named("openweather-key", "OPENWEATHER_API_KEY OPENWEATHERMAP_API_KEY OWM_API_KEY", lambda r: text(r, HEX, 32))

# What a name alone tells.
named("password", "DB_PASSWORD MYSQL_ROOT_PASSWORD POSTGRES_PASSWORD SMTP_PASSWORD", password)
named("client-secret", "CLIENT_SECRET OAUTH_CLIENT_SECRET client_secret", lambda r: text(r, ALNUM, 40))
named("api-key", "API_KEY PAYMENTS_API_KEY api_key", lambda r: text(r, HEX, 40) if r.random() < 0.5 else text(r, ALNUM, 32))
named("auth-token", "AUTH_TOKEN access_token SERVICE_TOKEN", lambda r: text(r, URL, 43))
named("secret-key", "SECRET_KEY SECRET_KEY_BASE SESSION_SECRET", lambda r: text(r, HEX, 128) if r.random() < 0.5 else text(r, ALNUM, 50))


@stored("pem-rsa")
def _(r):
    key = pem("RSA PRIVATE KEY", rsa_der(r))
    return "etc/ssl/private/server.key", key + "\n", [key]


@stored("pem-ec")
def _(r):
    key = pem("EC PRIVATE KEY", ec_der(r))
    return "srv/app/tls.key", "".join([pem("CERTIFICATE", r.randbytes(700)), "\n", key, "\n"]), [key]


@stored("pem-pkcs8")
def _(r):
    key = pem("PRIVATE KEY", pkcs8_der(r))
    if r.random() < 0.5:
        line = key.replace("\n", "\\n")
        return "srv/app/config.json", json.dumps({"issuer": f"https://{word(r)}.net", "signing": key}, indent=2) + "\n", [line]
    return "srv/app/jwt.pem", key + "\n", [key]


@stored("openssh-key")
def _(r):
    key = openssh(r)
    return f"home/{word(r)}/.ssh/id_ed25519", key + "\n", [key]


@stored("pgp-key")
def _(r):
    key = pgp(r, True)
    return f"home/{word(r)}/release.asc", key + "\n", [key]


@stored("gcp-service-account")
def _(r):
    project = f"{word(r)}-{word(r)}-{r.randint(1000, 9999)}"
    key = pem("PRIVATE KEY", der(0x30, integer(0) + RSA_ID + der(4, rsa_der(r)))) + "\n"
    document = {
        "type": "service_account", "project_id": project, "private_key_id": text(r, HEX, 40), "private_key": key,
        "client_email": f"{word(r)}@{project}.iam.gserviceaccount.com", "client_id": text(r, DIGITS, 21),
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    return "app/key.json", json.dumps(document, indent=2) + "\n", [key.replace("\n", "\\n")]


@stored("docker-config")
def _(r):
    auth = b64(f"{word(r)}:{password(r)}".encode())
    return "root/.docker/config.json", json.dumps({"auths": {f"registry.{word(r)}.net": {"auth": auth}}}, indent="\t") + "\n", [auth]


@stored("npmrc")
def _(r):
    host = f"npm.{word(r)}.net"
    if r.random() < 0.5:
        auth = b64(f"{word(r)}:{password(r)}".encode())
        return "root/.npmrc", f"registry=https://{host}/\n//{host}/:_auth={auth}\nalways-auth=true\n", [auth]
    token = an_uuid(r)
    return "root/.npmrc", f"registry=https://{host}/\n//{host}/:_authToken={token}\n", [token]


@stored("netrc")
def _(r):
    secret = password(r)
    return f"home/{word(r)}/.netrc", f"machine git.{word(r)}.net login {word(r)} password {secret}\n" if r.random() < 0.5 else f"machine {word(r)}.net\n  login {word(r)}\n  password {secret}\n", [secret]


@stored("pgpass")
def _(r):
    secret = password(r).replace(":", "_")
    return f"home/{word(r)}/.pgpass", f"# hostname:port:database:username:password\ndb.{word(r)}.internal:5432:{word(r)}:{word(r)}:{secret}\n", [secret]


@stored("git-credentials")
def _(r):
    secret = some(r, ALNUM, 18, 30)
    return "root/.git-credentials", f"https://{word(r)}:{secret}@git.{word(r)}.net\n", [secret]


@stored("maven-settings")
def _(r):
    secret = password(r)
    return "root/.m2/settings.xml", f"""<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0">
  <servers>
    <server>
      <id>{word(r)}</id>
      <username>{word(r)}</username>
      <password>{secret}</password>
    </server>
  </servers>
</settings>
""", [secret]


@stored("kubeconfig")
def _(r):
    if r.random() < 0.5:
        secret = b64((pem("EC PRIVATE KEY" if r.random() < 0.5 else "RSA PRIVATE KEY", ec_der(r) if r.random() < 0.5 else rsa_der(r)) + "\n").encode())
        login = f"client-certificate-data: {b64(pem('CERTIFICATE', r.randbytes(600)).encode())}\n    client-key-data: {secret}"
    else:
        secret = some(r, ALNUM, 40, 60)
        login = f"token: {secret}"
    return "root/.kube/config", f"""apiVersion: v1
kind: Config
clusters:
- name: {word(r)}
  cluster:
    server: https://10.0.0.{r.randint(1, 254)}:6443
users:
- name: {word(r)}
  user:
    {login}
""", [secret]


@stored("aws-credentials")
def _(r):
    key, secret = "AKIA" + text(r, BASE32, 16), text(r, ALNUM + "/+", 40)
    return "root/.aws/credentials", f"[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\nregion = eu-central-1\n", [key, secret]


@stored("wireguard", False)
def _(r):
    secret = b64(r.randbytes(32))
    return "etc/wireguard/wg0.conf", f"[Interface]\nAddress = 10.9.0.2/32\nPrivateKey = {secret}\n\n[Peer]\nPublicKey = {b64(r.randbytes(32))}\nAllowedIPs = 10.9.0.0/24\n", [secret]


@stored("wp-config", False)
def _(r):
    secret = password(r)
    return "var/www/html/wp-config.php", f"<?php\ndefine( 'DB_NAME', '{word(r)}' );\ndefine( 'DB_USER', '{word(r)}' );\ndefine( 'DB_PASSWORD', '{secret}' );\ndefine( 'DB_HOST', 'localhost' );\n", [secret]


@stored("shell-history", False)
def _(r):
    secret = some(r, ALNUM, 16, 24)
    line = r.choice([
        f"curl -u {word(r)}:{secret} https://{word(r)}.net/api/v1/status",
        f"mysql -h {word(r)}.internal -u {word(r)} -p{secret} {word(r)}",
        f"curl -H 'Authorization: Bearer {secret}{text(r, ALNUM, 16)}' https://{word(r)}.net/",
        f"sshpass -p {secret} ssh {word(r)}@{word(r)}.internal",
        f"PGPASSWORD={secret} psql -h {word(r)}.internal -U {word(r)}",
        f"docker login -u {word(r)} -p {secret} registry.{word(r)}.net",
    ])
    return "root/.bash_history", f"ls -la\ncd /srv/{word(r)}\n{line}\nexit\n", [secret]


@stored("ado-connection-string", False)
def _(r):
    secret = some(r, ALNUM, 16, 24)
    document = {"ConnectionStrings": {"Default": f"Server=tcp:{word(r)}.{word(r)}.net,1433;Database={word(r)};User ID={word(r)};Password={secret};Encrypt=true"}}
    return "app/appsettings.json", json.dumps(document, indent=2) + "\n", [secret]


@stored("kubernetes-secret", False)
def _(r):
    secret = b64(password(r).encode())
    return f"deploy/{word(r)}.yaml", f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: {word(r)}\ntype: Opaque\ndata:\n  username: {b64(word(r).encode())}\n  password: {secret}\n", [secret]
