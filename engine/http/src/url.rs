//! The little of URLs that a client of registries needs. Pure.

use ureq::http::Uri;

/// Scheme, host in lower case and port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// `https`, else `http`.
    pub tls: bool,
    /// Host; IPv6 addresses with brackets.
    pub host: String,
    /// Port, the scheme's own where none is written.
    pub port: u16,
}

impl Origin {
    /// The origin of an absolute http or https URL without user or password.
    pub fn of(uri: &Uri) -> Option<Self> {
        let tls = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        let host = authority.host().to_ascii_lowercase();
        if host.is_empty() || authority.as_str().contains('@') {
            return None;
        }
        let port = match authority.port_u16() {
            Some(port) => port,
            // One that is no number up to 65535.
            None if authority.as_str().len() > authority.host().len() => return None,
            None if tls => 443,
            None => 80,
        };
        Some(Self { tls, host, port })
    }

    /// Whether `name` (`host` or `host:port`, as people write it) names it.
    pub fn is_named(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        let with_port = format!("{}:{}", self.host, self.port);
        name == with_port || (name == self.host && matches!(self.port, 80 | 443))
    }
}

/// Where a `Location` or `Link` of the answer to `base` leads: an absolute URL, or a path on the same host.
pub fn join(base: &Uri, target: &str) -> Option<Uri> {
    let target = target.split_once('#').map_or(target, |(target, _)| target);
    let authority = base.authority()?;
    let absolute = if let Some(rest) = target.strip_prefix("//") {
        format!("{}://{rest}", base.scheme_str()?)
    } else if target.starts_with('/') {
        format!("{}://{authority}{target}", base.scheme_str()?)
    } else {
        target.to_owned()
    };
    let uri: Uri = absolute.parse().ok()?;
    Origin::of(&uri).map(|_| uri)
}

/// The target of the `next` link of a `Link` header (<https://www.rfc-editor.org/rfc/rfc8288#section-3>).
pub fn next_link(header: &str) -> Option<&str> {
    let mut rest = header;
    loop {
        let (_, after) = rest.split_once('<')?;
        let (target, after) = after.split_once('>')?;
        // A link's parameters reach to the comma that is in no quotes.
        let mut quoted = false;
        let end = after.find(|c| {
            quoted ^= c == '"';
            c == ',' && !quoted
        });
        let (parameters, following) = after.split_at(end.unwrap_or(after.len()));
        let is_next = parameters.split(';').any(|parameter| {
            parameter.split_once('=').is_some_and(|(name, value)| {
                let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
                name.trim().eq_ignore_ascii_case("rel") && relations.any(|r| r.eq_ignore_ascii_case("next"))
            })
        });
        if is_next {
            return Some(target);
        }
        rest = following;
    }
}

/// Text as a value in a query or form.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn origin(text: &str) -> Option<Origin> {
        Origin::of(&text.parse().ok()?)
    }

    #[test]
    fn origins_are_compared_by_scheme_host_and_port() {
        assert_eq!(origin("https://A.example/x"), origin("https://a.example:443/y?z"));
        assert_eq!(origin("http://a.example/x"), origin("http://a.example:80/"));
        for other in
            ["http://a.example/", "https://a.example:444/", "https://b.a.example/", "https://a.example./"]
        {
            assert_ne!(origin("https://a.example/"), origin(other), "{other}");
        }
        for none in
            ["ftp://a.example/", "/x", "https://user@a.example/", "https://a.example:99999/", "a.example"]
        {
            assert_eq!(origin(none), None, "{none}");
        }
    }

    #[test]
    fn a_host_is_named_with_its_port_unless_it_is_the_usual_one() {
        let local = origin("http://localhost:5000/").unwrap();
        assert!(local.is_named("localhost:5000") && local.is_named("LOCALHOST:5000"));
        assert!(!local.is_named("localhost") && !local.is_named("localhost:50000"));
        let usual = origin("https://r.example/").unwrap();
        assert!(
            usual.is_named("r.example") && usual.is_named("r.example:443") && !usual.is_named("r.example:80")
        );
        assert!(origin("http://[::1]:5000/").unwrap().is_named("[::1]:5000"));
    }

    #[test]
    fn targets_are_joined_to_the_url_that_named_them() {
        let base: Uri = "https://r.example:5000/v2/a/tags/list?n=1".parse().unwrap();
        let joined = |target| join(&base, target).map(|uri| uri.to_string());
        assert_eq!(joined("/v2/b?x=1#f").as_deref(), Some("https://r.example:5000/v2/b?x=1"));
        assert_eq!(joined("//cdn.example/b").as_deref(), Some("https://cdn.example/b"));
        assert_eq!(joined("http://cdn.example/b?s=%2F").as_deref(), Some("http://cdn.example/b?s=%2F"));
        for none in ["", "b", "ftp://x/y", "file:///etc/passwd", "https://", "https://a b/", "https://u:p@x/"]
        {
            assert_eq!(joined(none), None, "{none}");
        }
    }

    #[test]
    fn the_next_link_is_found_among_others() {
        assert_eq!(next_link(r#"</v2/_catalog?last=b&n=1>; rel="next""#), Some("/v2/_catalog?last=b&n=1"));
        assert_eq!(
            next_link("</a,b>; rel=prev, </c>; title=\"x, <y>; rel=next\"; REL=\"last Next\""),
            Some("/c")
        );
        for none in ["", "<", "</a", "</a>", "</a>; rel=prev", "/a; rel=next", "</a>; rel=\"nextish\""] {
            assert_eq!(next_link(none), None, "{none}");
        }
    }

    #[test]
    fn values_are_encoded() {
        assert_eq!(encode("repository:a/b:pull,push é&"), "repository%3Aa%2Fb%3Apull%2Cpush%20%C3%A9%26");
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_a_panic(header in "\\PC{0,200}") {
            let base: Uri = "https://r.example/v2/".parse().unwrap();
            if let Some(target) = next_link(&header) {
                let _ = join(&base, target);
            }
            let _ = join(&base, &header);
        }
    }
}
