//! What gives access to code, packages and images.

use super::{CODE, Shape, shape};
use crate::detectors::secret::checks::{ends_in_crc32, is_app_token, is_macaroon};

pub(super) const SHAPES: &[Shape] = &[
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
    shape(
        CODE,
        "circleci-token",
        "CircleCI token",
        &["CCIPAT_", "CCIPRJ_"],
        "CCIP(?:AT|RJ)_[0-9A-Za-z]{22}_[0-9a-f]{40}",
    ),
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
    // It begins as words end sentences: less of each is tried.
    Shape {
        reach: 100,
        ..shape(
            CODE,
            "harness-token",
            "Harness token",
            &["pat.", "sat."],
            "[ps]at\\.[0-9A-Za-z_-]{22}\\.[0-9a-f]{24}\\.[0-9A-Za-z]{20}",
        )
    },
];
