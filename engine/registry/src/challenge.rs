//! What a registry asks for when it says 401: the `WWW-Authenticate` header. Pure.
//!
//! Grammar: <https://www.rfc-editor.org/rfc/rfc9110#section-11.3>; tokens:
//! <https://distribution.github.io/distribution/spec/auth/token/>.

/// Bytes of one header that are looked at.
const HEADER_LIMIT: usize = 8 << 10;

/// One way to authenticate that a registry offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    /// User and password with every request.
    Basic,
    /// A token of another service.
    Bearer {
        /// The service's address.
        realm: String,
        /// What the token is for; empty if not said.
        service: String,
        /// What the token has to allow; empty if not said.
        scope: String,
    },
}

/// The challenges of a header that are understood, in its order. Others, and what is malformed, are left out.
pub fn parse(header: &str) -> Vec<Challenge> {
    let mut scanner = Scanner { rest: &header[..header.floor_char_boundary(HEADER_LIMIT)] };
    let mut found = Vec::new();
    let mut scheme = None;
    let mut parameters = Vec::new();
    while let Some(word) = scanner.word() {
        match scanner.value() {
            Value::Text(text) => parameters.push((word.to_ascii_lowercase(), text)),
            Value::Broken => break,
            Value::None => {
                finish(scheme.replace(word), &mut parameters, &mut found);
            }
        }
    }
    finish(scheme, &mut parameters, &mut found);
    found
}

fn finish(scheme: Option<&str>, parameters: &mut Vec<(String, String)>, found: &mut Vec<Challenge>) {
    let parameters = std::mem::take(parameters);
    let get = |name: &str| {
        let value = parameters.iter().find(|(own, _)| own == name);
        value.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    match scheme {
        Some(scheme) if scheme.eq_ignore_ascii_case("basic") => found.push(Challenge::Basic),
        Some(scheme) if scheme.eq_ignore_ascii_case("bearer") && !get("realm").is_empty() => {
            let (realm, service, scope) = (get("realm"), get("service"), get("scope"));
            found.push(Challenge::Bearer { realm, service, scope });
        }
        _ => {}
    }
}

struct Scanner<'h> {
    rest: &'h str,
}

enum Value {
    /// The word is a parameter with this value.
    Text(String),
    /// The word is a scheme.
    None,
    /// A quoted text has no end.
    Broken,
}

impl<'h> Scanner<'h> {
    /// The next token; what is none between them is passed over.
    fn word(&mut self) -> Option<&'h str> {
        self.rest = self.rest.trim_start_matches(|c| !is_token(c));
        let end = self.rest.find(|c| !is_token(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }

    fn value(&mut self) -> Value {
        let Some(rest) = self.rest.trim_start().strip_prefix('=') else { return Value::None };
        let rest = rest.trim_start();
        let Some(quoted) = rest.strip_prefix('"') else {
            let end = rest.find([',', ' ', '\t']).unwrap_or(rest.len());
            self.rest = &rest[end..];
            return Value::Text(rest[..end].to_owned());
        };
        let mut text = String::new();
        let mut characters = quoted.char_indices();
        while let Some((place, c)) = characters.next() {
            match c {
                '"' => {
                    self.rest = &quoted[place + 1..];
                    return Value::Text(text);
                }
                '\\' => text.extend(characters.next().map(|(_, c)| c)),
                c => text.push(c),
            }
        }
        Value::Broken
    }
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bearer(realm: &str, service: &str, scope: &str) -> Challenge {
        Challenge::Bearer { realm: realm.to_owned(), service: service.to_owned(), scope: scope.to_owned() }
    }

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/nginx:pull""#;
        let wanted =
            bearer("https://auth.docker.io/token", "registry.docker.io", "repository:library/nginx:pull");
        assert_eq!(parse(hub), [wanted]);
        assert_eq!(parse(r#"Basic realm="a, registry""#), [Challenge::Basic]);
        assert_eq!(
            parse("bEARER Realm = https://a.example/t , SERVICE=b"),
            [bearer("https://a.example/t", "b", "")]
        );
        assert_eq!(
            parse(r#"Negotiate abc=, Bearer realm="https://a/t",scope="x:y:pull,push", Basic realm="z""#),
            [bearer("https://a/t", "", "x:y:pull,push"), Challenge::Basic]
        );
        assert_eq!(parse(r#"Bearer realm="a\"b\\c""#), [bearer(r#"a"b\c"#, "", "")]);
    }

    #[test]
    fn what_is_no_challenge_is_left_out() {
        for header in
            ["", "Bearer", "Bearer service=x", "Digest realm=x", ",,,", "=", "Bearer realm=\"\"", "\u{e9}"]
        {
            assert_eq!(parse(header), [], "{header}");
        }
        // A quoted text without an end spoils its own challenge only.
        assert_eq!(parse(r#"Basic realm="a", Bearer realm="https://x"#), [Challenge::Basic]);
    }

    #[test]
    fn a_scope_in_quotes_cannot_become_another_challenge() {
        let header = r#"Bearer realm="https://a/t",scope="x, Basic realm=\"y\"""#;
        assert_eq!(parse(header), [bearer("https://a/t", "", r#"x, Basic realm="y""#)]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(header in "\\PC{0,200}") {
            prop_assert!(parse(&header).len() <= header.len());
        }
    }
}
