use pratique_core::inspect::PIECE;

use super::*;

fn rules(regex: &str, more: &str) -> Arc<SecretRules> {
    let text = format!("rules:\n- {{id: own, description: own, severity: Low, regex: '{regex}', {more}}}\n");
    let mut rules = SecretRules::default();
    rules.add("own.yaml", &mut text.as_bytes()).unwrap();
    Arc::new(rules)
}

/// Where in a file the secrets lie, handed over as the walk would.
fn found(rules: &Arc<SecretRules>, bytes: &[u8]) -> Result<Vec<Range<usize>>, String> {
    let (mut finder, mut all, mut offset) = (CustomFinder::new(rules.clone()), Vec::new(), 0);
    loop {
        let end = bytes.len().min(offset + PIECE);
        let last = end - offset < PIECE;
        let seen = if offset == 0 { 0 } else { OVERLAP };
        let piece = Piece { bytes: &bytes[offset..end], offset: offset as u64, seen, last };
        let place = |range: Range<usize>| offset + range.start..offset + range.end;
        finder.search(&piece, |found| all.push(place(found.secret)))?;
        if last {
            return Ok(all);
        }
        offset = end - OVERLAP;
    }
}

/// Wherever pieces and stretches begin, with a keyword before it, in it, or without one.
#[test]
fn a_secret_is_found_once_wherever_it_lies() {
    let token = "tok_0123456789abcdef";
    let step = PIECE - OVERLAP;
    let near = |place: usize| (place - 60..place + 60).step_by(7);
    let places =
        near(step).chain(near(step + REACH)).chain(near(PIECE)).chain(near(STRETCH)).chain(near(REACH));
    for start in places {
        let mut bytes = vec![b' '; 2 * PIECE];
        bytes[start..start + token.len()].copy_from_slice(token.as_bytes());
        for (regex, more) in [("tok_([0-9a-f]+)", ""), ("tok_([0-9a-f]+)\\b", "keywords: [TOK_]")] {
            let place = start + 4..start + token.len();
            assert_eq!(found(&rules(regex, more), &bytes), Ok(vec![place]), "{regex} at {start}");
        }
        bytes[start - 30..start - 26].copy_from_slice(b"shop");
        assert_eq!(found(&rules("[0-9a-f]{16}", "keywords: [shop]"), &bytes).unwrap().len(), 1);
    }
}

#[test]
fn a_keyword_has_to_be_near() {
    let file = |gap: usize| format!("shop{}0123456789", " ".repeat(gap));
    let rules = rules("[0-9]{10}", "keywords: [other, shop]");
    assert_eq!(found(&rules, file(REACH - 5).as_bytes()).unwrap().len(), 1);
    assert_eq!(found(&rules, file(REACH).as_bytes()).unwrap().len(), 0);
    assert_eq!(found(&rules, b"0123456789").unwrap().len(), 0);
}

#[test]
fn a_secret_has_the_entropy_that_is_asked_for() {
    let rules = rules("[0-9a-f]{16}", "min-entropy: 3.5");
    assert!(found(&rules, b"0123456789abcdef 00001111222233334").unwrap().iter().eq([&(0..16)]));
    for (bytes, bits) in [(b"aaaa".as_slice(), 0.0), (b"abab", 1.0), (b"abcd", 2.0)] {
        assert!((entropy(bytes) - bits).abs() < 1e-9, "{bits}");
    }
}

#[test]
fn what_is_longer_than_a_secret_can_be_is_none() {
    let rules = rules("x[0-9]+", "");
    assert_eq!(found(&rules, format!("x{}", "0".repeat(REACH - 1)).as_bytes()).unwrap().len(), 1);
    assert_eq!(found(&rules, format!("x{}", "0".repeat(REACH)).as_bytes()).unwrap().len(), 0);
}

/// Each of its matches makes the regular expression look at all that follows.
#[test]
fn a_rule_that_costs_too_much_is_given_up_and_named() {
    let rules = rules("(?s)a.*!|a", "min-entropy: 1");
    assert_eq!(found(&rules, "a".repeat(PIECE).as_bytes()), Err("own".to_owned()));
    assert_eq!(found(&rules, " a".repeat(50).as_bytes()), Ok(Vec::new()));
}
