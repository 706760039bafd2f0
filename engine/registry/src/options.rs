//! What a client of registries is told.

use std::path::PathBuf;

use pratique_core::reference::Reference;
use pratique_http::{Patience, Proxies, RetryPolicy};

use crate::login::Logins;
use crate::{Error, Result};

/// How registries are reached. [`RegistryOptions::default`] looks at no environment: no logins, no proxies.
#[derive(Debug, Clone, Default)]
pub struct RegistryOptions {
    /// Registries (`host[:port]`) that may have certificates nobody vouches for, or speak plain HTTP. https is tried
    /// first. Mirrors and token services count by their own names.
    pub insecure: Vec<String>,
    /// Other places of a registry's images, asked before it in this order.
    pub mirrors: Vec<Mirror>,
    /// Files of certificates (PEM) to trust beside the machine's own.
    pub ca_files: Vec<PathBuf>,
    /// Who to be.
    pub logins: Logins,
    /// Proxies.
    pub proxies: Proxies,
    /// How often something is asked again.
    pub retry: RetryPolicy,
    /// How long is waited.
    pub patience: Patience,
}

/// A place that has a registry's images too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// The registry, such as `docker.io`.
    pub registry: String,
    /// The place: `host[:port]`, and a prefix for repositories if it wants one: `harbor.example/hub`.
    pub location: String,
}

impl RegistryOptions {
    /// With the login files and the proxies of this user.
    pub fn of_user() -> Self {
        Self { logins: Logins::of_user(), proxies: Proxies::of_environment(), ..Self::default() }
    }
}

/// A repository at a place that may have it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    /// The registry as references and login files name it.
    pub(crate) registry: String,
    /// The repository there; empty where the registry as a whole is meant.
    pub(crate) repository: String,
}

impl Place {
    /// Host and port to speak to.
    pub(crate) fn address(&self) -> &str {
        // References name Docker Hub by another host than the one its registry has.
        if self.registry == "docker.io" { "registry-1.docker.io" } else { &self.registry }
    }
}

/// Where a repository may be found: at the registry's mirrors, then at the registry.
pub(crate) fn places(mirrors: &[Mirror], registry: &str, repository: &str) -> Result<Vec<Place>> {
    let mut places = Vec::new();
    for mirror in mirrors.iter().filter(|mirror| mirror.registry == registry) {
        let location = mirror.location.trim_end_matches('/');
        let wrong = |reason: &str| Error::Malformed {
            what: format!("the mirror `{}` of {registry}", mirror.location),
            reason: format!("{reason}; write it as host[:port][/prefix]"),
        };
        let (host, prefix) = location.split_once('/').unwrap_or((location, ""));
        let whole = if prefix.is_empty() { repository.to_owned() } else { format!("{prefix}/{repository}") };
        let parsed: Reference = format!("{host}/{whole}")
            .parse()
            .map_err(|_| wrong("it makes no name that a registry could have"))?;
        if parsed.registry() != host || parsed.repository() != whole || parsed.tag().is_some() {
            return Err(wrong("it does not start with a host"));
        }
        places.push(Place { registry: host.to_owned(), repository: whole });
    }
    places.push(Place { registry: registry.to_owned(), repository: repository.to_owned() });
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(location: &str) -> Result<Vec<(String, String)>> {
        let mirrors = [Mirror { registry: "docker.io".to_owned(), location: location.to_owned() }];
        let places = places(&mirrors, "docker.io", "library/nginx")?;
        Ok(places.into_iter().map(|place| (place.address().to_owned(), place.repository)).collect())
    }

    #[test]
    fn mirrors_go_before_their_registry_and_may_want_a_prefix() {
        let hub = ("registry-1.docker.io".to_owned(), "library/nginx".to_owned());
        for (location, host, repository) in [
            ("mirror.example:5000", "mirror.example:5000", "library/nginx"),
            ("harbor.example/hub/", "harbor.example", "hub/library/nginx"),
        ] {
            let wanted = vec![(host.to_owned(), repository.to_owned()), hub.clone()];
            assert_eq!(found(location).unwrap(), wanted, "{location}");
        }
        let other = [Mirror { registry: "quay.io".to_owned(), location: "mirror.example".to_owned() }];
        assert_eq!(places(&other, "docker.io", "a").unwrap().len(), 1);
    }

    #[test]
    fn a_mirror_that_is_no_host_is_refused() {
        for location in [
            "",
            "https://mirror.example",
            "mirror",
            "mirror.example/UPPER",
            "mirror.example:x",
            "m.example/a:b",
        ] {
            let error = found(location).unwrap_err().to_string();
            assert!(error.contains("host[:port][/prefix]"), "{location}: {error}");
        }
    }
}
