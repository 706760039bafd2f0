//! Who calls: service-account tokens, checked by the API server.

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use kube::{Api, Client};
use tonic::metadata::MetadataMap;

/// The audience that tokens of agents and replicas are made for.
pub const AUDIENCE: &str = "pratique";

/// Who presented a token, in the API server's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Namespace of the service account.
    pub namespace: String,
    /// Name of the service account.
    pub service_account: String,
    /// The node on which the token's pod runs.
    pub node: Option<String>,
}

/// Why a caller is refused.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// No token in the request.
    #[error("no bearer token in the metadata entry `authorization`")]
    NoToken,
    /// The API server does not accept the token.
    #[error("the API server does not accept the token: {0}")]
    Refused(String),
    /// The API server cannot be asked.
    #[error("the token cannot be checked: {0}")]
    Unavailable(String),
}

impl From<AuthError> for tonic::Status {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Unavailable(_) => Self::unavailable(error.to_string()),
            _ => Self::unauthenticated(error.to_string()),
        }
    }
}

/// Checks tokens.
#[tonic::async_trait]
pub trait Authenticator: Send + Sync + 'static {
    /// Who presents this token.
    async fn caller(&self, token: &str) -> Result<Caller, AuthError>;
}

/// The token in a request's metadata.
pub fn bearer(metadata: &MetadataMap) -> Result<String, AuthError> {
    metadata
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .map(|token| token.trim().to_owned())
        .filter(|token| !token.is_empty())
        .ok_or(AuthError::NoToken)
}

/// Asks the API server by TokenReview.
pub struct TokenReviewer {
    client: Client,
    audience: &'static str,
}

impl TokenReviewer {
    /// Asks through this client for tokens that were made for this audience.
    pub fn new(client: Client, audience: &'static str) -> Self {
        Self { client, audience }
    }

    /// The node of the pod that a token is bound to, for API servers before 1.30, which do not say it in the token.
    async fn node_of_pod(&self, namespace: &str, name: &str, uid: &str) -> Result<Option<String>, AuthError> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), namespace);
        let pod = pods.get_opt(name).await.map_err(|error| AuthError::Unavailable(error.to_string()))?;
        let pod = pod.filter(|pod| pod.metadata.uid.as_deref() == Some(uid));
        Ok(pod.and_then(|pod| pod.spec?.node_name))
    }
}

#[tonic::async_trait]
impl Authenticator for TokenReviewer {
    async fn caller(&self, token: &str) -> Result<Caller, AuthError> {
        let review = TokenReview {
            spec: TokenReviewSpec {
                token: Some(token.to_owned()),
                audiences: Some(vec![self.audience.to_owned()]),
            },
            ..TokenReview::default()
        };
        let reviews: Api<TokenReview> = Api::all(self.client.clone());
        let review = reviews
            .create(&PostParams::default(), &review)
            .await
            .map_err(|error| AuthError::Unavailable(error.to_string()))?;
        let status = review.status.unwrap_or_default();
        let for_us = status.audiences.iter().flatten().any(|audience| audience == self.audience);
        let user =
            match status.user {
                Some(user) if status.authenticated == Some(true) && for_us => user,
                _ => {
                    return Err(AuthError::Refused(status.error.unwrap_or_else(|| {
                        format!("not authenticated for the audience `{}`", self.audience)
                    })));
                }
            };
        let (namespace, service_account) = service_account(&user)
            .ok_or_else(|| AuthError::Refused("it is no service account's".to_owned()))?;
        let node = match (extra(&user, "node-name"), extra(&user, "pod-name"), extra(&user, "pod-uid")) {
            (Some(node), ..) => Some(node.to_owned()),
            (None, Some(pod), Some(uid)) => self.node_of_pod(&namespace, pod, uid).await?,
            _ => None,
        };
        Ok(Caller { namespace, service_account, node })
    }
}

fn service_account(user: &UserInfo) -> Option<(String, String)> {
    let name = user.username.as_deref()?.strip_prefix("system:serviceaccount:")?;
    let (namespace, name) = name.split_once(':')?;
    Some((namespace.to_owned(), name.to_owned()))
}

fn extra<'a>(user: &'a UserInfo, name: &str) -> Option<&'a str> {
    let values = user.extra.as_ref()?.get(&format!("authentication.kubernetes.io/{name}"))?;
    values.first().map(String::as_str).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_taken_from_the_metadata() {
        let mut metadata = MetadataMap::new();
        assert!(matches!(bearer(&metadata), Err(AuthError::NoToken)));
        metadata.insert("authorization", "Basic abc".parse().unwrap());
        assert!(matches!(bearer(&metadata), Err(AuthError::NoToken)));
        metadata.insert("authorization", "Bearer  abc".parse().unwrap());
        assert_eq!(bearer(&metadata).unwrap(), "abc");
    }

    #[test]
    fn names_come_from_the_api_servers_answer() {
        let user = UserInfo {
            username: Some("system:serviceaccount:pratique:pratique-agent".into()),
            extra: Some(
                [("authentication.kubernetes.io/node-name".to_owned(), vec!["node1".to_owned()])].into(),
            ),
            ..UserInfo::default()
        };
        assert_eq!(service_account(&user), Some(("pratique".into(), "pratique-agent".into())));
        assert_eq!(extra(&user, "node-name"), Some("node1"));
        assert_eq!(extra(&user, "pod-name"), None);
        let user = UserInfo { username: Some("system:node:node1".into()), ..UserInfo::default() };
        assert_eq!(service_account(&user), None);
    }
}
