//! ScanPolicy objects into core's policies.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use pratique_core::policy::{self, Body, InvalidPolicy, MatchSpec, PolicySpec, Requirement, Selector};

use crate::scan_policy::{
    Action, DenyRule, Enforcement, Exception, FindingRule, ImageRule, LabelOperator, LabelSelector,
    LicenseRule, Match, ScanPolicy, VulnerabilityRule, WorkloadRule,
};

impl ScanPolicy {
    /// The policy in core's words. What the API server checks is checked again, because a file on a laptop never met
    /// one. The error names the field.
    pub fn to_policy(&self) -> Result<PolicySpec, InvalidPolicy> {
        let spec = &self.spec;
        Ok(PolicySpec {
            name: self.metadata.name.clone().unwrap_or_default(),
            since: changed_at(&self.metadata),
            matching: matching(&spec.matching)?,
            enforcement: spec.enforcement.into(),
            detectors: spec.scan.detectors.clone(),
            unscanned: spec.unscanned.action.into(),
            max_scan_age: duration("maxScanAge", &spec.max_scan_age)?,
            incomplete: spec.incomplete.into(),
            error: spec.error.into(),
            unsupported: spec.unsupported.into(),
            existing: policy::ExistingWorkloads {
                action: spec.existing_workloads.action.into(),
                grace_period: duration(
                    "existingWorkloads.gracePeriod",
                    &spec.existing_workloads.grace_period,
                )?,
            },
            deny: spec.deny.iter().map(rule).collect::<Result<_, _>>()?,
            exceptions: spec.exceptions.iter().map(exception).collect(),
        })
    }
}

fn invalid(field: impl Into<String>, reason: impl ToString) -> InvalidPolicy {
    InvalidPolicy { field: field.into(), reason: reason.to_string() }
}

/// When somebody last changed the object, its status aside: the newest of its managed fields, else its creation. A
/// file has neither and counts as always in force.
fn changed_at(metadata: &ObjectMeta) -> Timestamp {
    let changes = metadata.managed_fields.iter().flatten();
    changes
        .filter(|entry| entry.subresource.as_deref().unwrap_or_default().is_empty())
        .filter_map(|entry| entry.time.as_ref())
        .chain(metadata.creation_timestamp.as_ref())
        .map(|time| time.0)
        .max()
        .unwrap_or(Timestamp::MIN)
}

fn matching(matching: &Match) -> Result<MatchSpec, InvalidPolicy> {
    Ok(MatchSpec {
        namespaces: selector("match.namespaceSelector", matching.namespace_selector.as_ref())?,
        objects: selector("match.objectSelector", matching.object_selector.as_ref())?,
        images: matching.images.clone(),
        exclude_images: matching.exclude_images.clone(),
    })
}

fn selector(field: &str, selector: Option<&LabelSelector>) -> Result<Selector, InvalidPolicy> {
    let Some(selector) = selector else { return Ok(Selector::default()) };
    let labels = selector.match_labels.iter().map(|(key, value)| Requirement {
        key: key.clone(),
        operator: policy::Operator::In,
        values: vec![value.clone()],
    });
    let expressions = selector.match_expressions.iter().map(|expression| Requirement {
        key: expression.key.clone(),
        operator: match expression.operator {
            LabelOperator::In => policy::Operator::In,
            LabelOperator::NotIn => policy::Operator::NotIn,
            LabelOperator::Exists => policy::Operator::Exists,
            LabelOperator::DoesNotExist => policy::Operator::DoesNotExist,
        },
        values: expression.values.clone(),
    });
    Selector::new(labels.chain(expressions).collect()).map_err(|error| invalid(field, error))
}

fn duration(field: &str, text: &str) -> Result<SignedDuration, InvalidPolicy> {
    let parsed: kube::core::Duration = text
        .parse()
        .map_err(|error| invalid(field, format!("`{text}` is no duration such as 720h: {error}")))?;
    if parsed.is_negative() {
        return Err(invalid(field, format!("`{text}` is negative")));
    }
    SignedDuration::try_from(std::time::Duration::from(parsed)).map_err(|error| invalid(field, error))
}

fn rule(rule: &DenyRule) -> Result<policy::Rule, InvalidPolicy> {
    let field = format!("deny[{}]", rule.name);
    let body = match (&rule.finding, &rule.vulnerability, &rule.license, &rule.image, &rule.workload) {
        (Some(rule), None, None, None, None) => Body::Finding(findings(rule)),
        (None, Some(rule), None, None, None) => Body::Vulnerability(vulnerability(&field, rule)?),
        (None, None, Some(rule), None, None) => Body::License(license(rule)),
        (None, None, None, Some(rule), None) => Body::Image(image(&field, rule)?),
        (None, None, None, None, Some(rule)) => Body::Workload(workload(rule)),
        _ => {
            return Err(invalid(
                field,
                "a rule has exactly one of finding, vulnerability, license, image and workload",
            ));
        }
    };
    Ok(policy::Rule { name: rule.name.clone(), body })
}

fn findings(rule: &FindingRule) -> policy::FindingSelector {
    policy::FindingSelector {
        categories: rule.categories.clone(),
        min_severity: rule.min_severity,
        rules: rule.rules.clone(),
        paths: rule.paths.clone(),
        vulnerabilities: rule.vulnerabilities.clone(),
    }
}

fn vulnerability(field: &str, rule: &VulnerabilityRule) -> Result<policy::VulnerabilityRule, InvalidPolicy> {
    let min_age = rule.min_age.as_ref().map(|text| duration(&format!("{field}.vulnerability.minAge"), text));
    let min_count = rule.min_count.map(u32::try_from).transpose();
    Ok(policy::VulnerabilityRule {
        min_severity: rule.min_severity,
        fix_available: rule.fix_available,
        min_age: min_age.transpose()?,
        known_exploited: rule.known_exploited,
        min_epss: rule.min_epss,
        min_count: min_count.map_err(|error| invalid(format!("{field}.vulnerability.minCount"), error))?,
        ids: rule.ids.clone(),
        packages: rule.packages.clone(),
    })
}

fn license(rule: &LicenseRule) -> policy::LicenseRule {
    let LicenseRule { deny, allow, unknown } = rule.clone();
    policy::LicenseRule { deny, allow, unknown }
}

fn image(field: &str, rule: &ImageRule) -> Result<policy::ImageRule, InvalidPolicy> {
    let max_age = rule.max_age.as_ref().map(|text| duration(&format!("{field}.image.maxAge"), text));
    Ok(policy::ImageRule {
        repositories_not_in: rule.repositories_not_in.clone(),
        runs_as_root: rule.runs_as_root,
        max_age: max_age.transpose()?,
    })
}

fn workload(rule: &WorkloadRule) -> policy::WorkloadRule {
    policy::WorkloadRule {
        privileged: rule.privileged,
        host_namespaces: rule.host_namespaces,
        host_paths: rule.host_paths.clone(),
        added_capabilities: rule.added_capabilities.clone(),
    }
}

fn exception(exception: &Exception) -> policy::Exception {
    policy::Exception {
        name: exception.name.clone(),
        findings: findings(&exception.findings),
        images: exception.images.clone(),
        namespaces: exception.namespaces.clone(),
        expires: exception.expires.0,
        reason: exception.reason.clone(),
    }
}

impl From<Enforcement> for policy::Enforcement {
    fn from(enforcement: Enforcement) -> Self {
        match enforcement {
            Enforcement::Enforce => Self::Enforce,
            Enforcement::Warn => Self::Warn,
            Enforcement::Audit => Self::Audit,
        }
    }
}

impl From<Action> for policy::Action {
    fn from(action: Action) -> Self {
        match action {
            Action::Allow => Self::Allow,
            Action::Warn => Self::Warn,
            Action::Deny => Self::Deny,
        }
    }
}
