//! Which proxy a request takes. Pure but for [`Proxies::of_environment`].

use std::net::IpAddr;
use std::{env, fmt};

use crate::url::Origin;

/// Proxies, as `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` name them. Requests go through a tunnel (`CONNECT`), those
/// over plain HTTP too. Printing it shows no password.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// Proxy for https, such as `http://user:password@proxy.example:3128`.
    pub https: Option<String>,
    /// Proxy for http.
    pub http: Option<String>,
    /// Hosts that are reached without one, separated by commas: `*`, `host`, `host:port`, `.domain` and `*.domain`
    /// (what lies below), `domain` (itself and what lies below), addresses and networks (`10.0.0.0/8`).
    pub exceptions: String,
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = |proxy: &Option<String>| proxy.is_some();
        write!(f, "Proxies {{ https: {}, http: {} }}", set(&self.https), set(&self.http))
    }
}

impl Proxies {
    /// What the environment says. Of each name, the lower-case one goes first.
    pub fn of_environment() -> Self {
        Self::of(|name| env::var(name).ok())
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| {
            [name.to_ascii_lowercase(), name.to_owned()]
                .iter()
                .find_map(|name| variable(name).filter(|value| !value.trim().is_empty()))
        };
        let all = get("ALL_PROXY");
        Self {
            https: get("HTTPS_PROXY").or_else(|| all.clone()),
            http: get("HTTP_PROXY").or(all),
            exceptions: get("NO_PROXY").unwrap_or_default(),
        }
    }

    /// The proxy on the way to an origin. This machine itself is never reached through one.
    pub fn choose(&self, to: &Origin) -> Option<&str> {
        let proxy = if to.tls { self.https.as_deref() } else { self.http.as_deref() }?;
        let host = to.host.trim_matches(['[', ']']);
        let address: Option<IpAddr> = host.parse().ok();
        let is_local = host == "localhost" || address.is_some_and(|address| address.is_loopback());
        let excepted = self.exceptions.split([',', ' ']).filter(|entry| !entry.is_empty());
        let mut excepted = excepted.map(str::to_ascii_lowercase);
        (!is_local && !excepted.any(|entry| covers(&entry, host, address, to.port))).then_some(proxy)
    }
}

fn covers(entry: &str, host: &str, address: Option<IpAddr>, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let Some(address) = address {
        return match entry.split_once('/') {
            Some((network, bits)) => match (network.parse(), bits.parse()) {
                (Ok(network), Ok(bits)) => contains(network, bits, address),
                _ => false,
            },
            None => {
                let with_port = [format!("{address}:{port}"), format!("[{address}]:{port}")];
                entry.parse() == Ok(address) || with_port.iter().any(|own| own == entry)
            }
        };
    }
    let name = match entry.rsplit_once(':') {
        Some((name, own)) if own.parse() == Ok(port) => name,
        Some(_) => return false,
        None => entry,
    };
    let below =
        |domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.') && rest.len() > 1);
    match name.strip_prefix("*.").or_else(|| name.strip_prefix('.')) {
        Some(domain) => below(domain),
        None => host == name || below(name),
    }
}

fn contains(network: IpAddr, bits: u32, address: IpAddr) -> bool {
    let same = |a: u128, b: u128, width: u32| bits <= width && (bits == 0 || (a ^ b) >> (width - bits) == 0);
    match (network, address) {
        (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(exceptions: &str, url: &str) -> bool {
        let proxies = Proxies {
            https: Some("s".to_owned()),
            http: Some("p".to_owned()),
            exceptions: exceptions.to_owned(),
        };
        proxies.choose(&Origin::of(&url.parse().unwrap()).unwrap()).is_some()
    }

    #[test]
    fn the_scheme_decides_which_proxy() {
        let variables = |name: &str| match name {
            "HTTPS_PROXY" => Some("http://s:1".to_owned()),
            "all_proxy" => Some("http://all:1".to_owned()),
            "HTTP_PROXY" => Some(" ".to_owned()),
            "no_proxy" => Some("a.example".to_owned()),
            _ => None,
        };
        let proxies = Proxies::of(variables);
        let choose = |url: &str| proxies.choose(&Origin::of(&url.parse().unwrap()).unwrap());
        assert_eq!(choose("https://r.example/"), Some("http://s:1"));
        assert_eq!(choose("http://r.example/"), Some("http://all:1"));
        assert_eq!(choose("http://a.example/"), None);
        assert_eq!(Proxies::of(|_| None), Proxies::default());
    }

    #[test]
    fn exceptions_are_hosts_domains_addresses_and_networks() {
        for (exceptions, url) in [
            ("*", "https://r.example/"),
            ("R.Example", "https://r.example/"),
            ("example", "https://r.example/"),
            (".example", "https://r.example/"),
            ("x, *.example", "https://a.r.example/"),
            ("r.example:5000", "https://r.example:5000/"),
            ("10.0.0.0/8", "https://10.1.2.3:5000/"),
            ("192.168.1.7", "http://192.168.1.7/"),
            ("192.168.1.7:80", "http://192.168.1.7/"),
            ("fd00::/8", "https://[fd12::1]/"),
            ("0.0.0.0/0", "https://8.8.8.8/"),
        ] {
            assert!(!chosen(exceptions, url), "{exceptions} {url}");
        }
        for (exceptions, url) in [
            ("", "https://r.example/"),
            (".r.example", "https://r.example/"),
            ("xample", "https://r.example/"),
            ("r.example:5001", "https://r.example:5000/"),
            ("10.0.0.0/8", "https://11.0.0.1/"),
            ("10.0.0.0/33", "https://10.0.0.1/"),
            ("10.0.0.0/x", "https://10.0.0.1/"),
            ("fd00::/8", "https://10.0.0.1/"),
            ("r.example.evil", "https://r.example/"),
        ] {
            assert!(chosen(exceptions, url), "{exceptions} {url}");
        }
    }

    #[test]
    fn this_machine_is_reached_without_a_proxy() {
        for url in ["http://localhost:5000/", "https://127.0.0.1/", "https://[::1]:1/"] {
            assert!(!chosen("", url), "{url}");
        }
        assert!(chosen("", "https://localhost.example/"));
    }

    #[test]
    fn a_proxys_password_is_not_printed() {
        let proxies = Proxies { https: Some("http://me:hush@p".to_owned()), ..Proxies::default() };
        assert!(!format!("{proxies:?}").contains("hush"));
    }
}
