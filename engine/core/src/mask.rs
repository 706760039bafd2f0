//! Masking of passwords and secrets.

/// `secret` with at most its first four characters shown, and never more than a third of it, then `****`.
/// The number of stars says nothing about the length.
pub fn mask(secret: &str) -> String {
    let shown = (secret.chars().count() / 3).min(4);
    let mut masked: String = secret.chars().take(shown).filter(|c| !c.is_control()).collect();
    masked.push_str("****");
    masked
}

#[cfg(test)]
mod tests {
    use super::mask;

    #[test]
    fn at_most_four_characters_and_a_third_are_shown() {
        for (secret, masked) in [
            ("", "****"),
            ("ab", "****"),
            ("root", "r****"),
            ("123456", "12****"),
            ("correct horse battery", "corr****"),
            ("пароль", "па****"),
        ] {
            assert_eq!(mask(secret), masked, "{secret}");
        }
    }
}
