//! What may be open: an account, of the system or of a service.

use std::collections::BTreeMap;

use pratique_core::{DetectorInfo, Finding, Gap, GapKind, Severity, mask::mask};
use pratique_crypt::{Scheme, Stored};

/// Something that opens without a password, or to whoever guesses it.
pub(super) trait Suspect {
    /// What guesses are compared with; none: no password is asked for.
    fn stored(&self) -> Option<&Stored>;

    /// Its name; empty if it has none.
    fn owner(&self) -> &str;

    /// How bad it is if it opens.
    fn severity(&self) -> Severity;

    /// Words of its product: its name and the passwords it comes with.
    fn product(&self) -> &'static [&'static str];

    /// That it is open, and by which guess.
    fn finding(&self, info: &DetectorInfo, guessed: Option<(Scheme, &str)>) -> Finding;

    /// That it could not be judged.
    fn gap(&self, info: &DetectorInfo, kind: GapKind, reason: &str) -> Gap;
}

/// What it has, in words for a message.
pub(super) fn what(guessed: Option<(Scheme, &str)>) -> String {
    match guessed {
        None => "no password".to_owned(),
        Some((scheme, "")) => format!("an empty password (scheme {scheme})"),
        Some((scheme, password)) => format!("a weak password ({}, scheme {scheme})", mask(password)),
    }
}

/// The attributes that every finding has.
pub(super) fn attributes(guessed: Option<(Scheme, &str)>) -> BTreeMap<String, String> {
    let password = match guessed {
        None | Some((_, "")) => "empty".to_owned(),
        Some((_, password)) => mask(password),
    };
    let mut attributes = BTreeMap::from([("password".to_owned(), password)]);
    if let Some((scheme, _)) = guessed {
        attributes.insert("scheme".to_owned(), scheme.to_string());
    }
    attributes
}
