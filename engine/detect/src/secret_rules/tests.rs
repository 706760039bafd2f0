use super::*;

const RULE: &str = "rules:\n- id: one\n  description: key of one\n  severity: Low\n  regex: 'one_[0-9]{9}'\n";

fn add(rules: &mut SecretRules, name: &str, text: &str) -> Result<(), String> {
    rules.add(name, &mut text.as_bytes()).map_err(|error| error.to_string())
}

fn refused(text: &str) -> String {
    let mut rules = SecretRules::default();
    let error = add(&mut rules, "f.yaml", text).unwrap_err();
    assert!(rules.rules.is_empty() && rules.allowed.is_empty() && rules.revision().is_empty());
    assert!(error.len() < 400 && !error.contains('\n'), "{error}");
    error
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    let allow = |text: &str| format!("{RULE}allow:\n{text}\n");
    for (text, line, reason) in [
        (format!("{RULE}  entropy: 3\n"), 6, "`entropy`"),
        // The line is that of the last key which is there.
        (RULE.replace("- id: one\n ", "-"), 4, "missing field `id`"),
        (RULE.replace("id: one", "id: One key"), 2, "it is no id"),
        (RULE.replace("id: one", "id: github-token"), 2, "built-in"),
        (format!("{RULE}{}", RULE.replace("rules:\n", "")), 6, "that of another rule, in f.yaml"),
        (RULE.replace("key of one", "' '"), 3, "description"),
        (RULE.replace("Low", "low"), 4, "`low` is no severity"),
        (RULE.replace("{9}", "{9"), 5, "repetition"),
        (RULE.replace("one_[0-9]{9}", "(a"), 5, "unclosed group"),
        (RULE.replace("[0-9]{9}", "(?:[0-9]{999}){999}"), 5, "shorten its repetitions"),
        (RULE.replace("one_[0-9]{9}", "x*"), 5, "nothing"),
        (RULE.replace("[0-9]", &"0".repeat(5000)), 5, "longer than 4096"),
        (format!("{RULE}  min-entropy: 9\n"), 6, "between 0 and 8"),
        (format!("{RULE}  min-entropy: .nan\n"), 6, "between 0 and 8"),
        (format!("{RULE}  keywords:\n  - one\n  - ''\n"), 8, "a keyword is empty"),
        (allow("- reason: all"), 7, "allows everything"),
        (allow("- paths: [/srv]"), 7, "missing field `reason`"),
        (allow("- paths: [/srv]\n  reason: ''"), 8, "reason"),
        (allow("- paths:\n  - 'a[b'\n  reason: x"), 8, "paths"),
        (allow("- fingerprints: [12ab]\n  reason: x"), 7, "no fingerprint"),
        (allow("- regexes: ['(a']\n  reason: x"), 7, "unclosed group"),
        ("rules: 3\n".to_owned(), 1, ""),
        ("rules:\n\t- x\n".to_owned(), 2, ""),
    ] {
        let error = refused(&text);
        assert!(error.starts_with(&format!("line {line}: ")) && error.contains(reason), "{text}{error}");
    }
}

#[test]
fn there_are_bounds_to_what_a_file_says() {
    assert!(refused(&"#".repeat(MAX_FILE + 1)).contains("split it"));
    let rule = RULE.strip_prefix("rules:\n").unwrap();
    let many: String = (0..=MAX_RULES).map(|n| rule.replace("id: one", &format!("id: r{n}"))).collect();
    assert!(refused(&format!("rules:\n{many}")).contains("more than 200 rules"));
    let long: String = "  - x\n".repeat(MAX_LIST + 1);
    assert!(refused(&format!("{RULE}  keywords:\n{long}")).starts_with("line 1007: keywords"));
    let entries = "- {paths: [/x], reason: y}\n".repeat(MAX_ALLOWED + 1);
    assert!(refused(&format!("allow:\n{entries}")).starts_with("line 1002: there are more than 1000"));
    let twice = "- {regexes: [x, y, z], reason: y}\n".repeat(400);
    assert!(refused(&format!("allow:\n{twice}")).contains("join some"));
    let mut bomb = "rules:\n- &a0 [x]\n".to_owned();
    (1..60).for_each(|n| bomb += &format!("- &a{n} [{}]\n", format!("*a{},", n - 1).repeat(9)));
    refused(&bomb);
}

/// Files come together; a broken one changes nothing.
#[test]
fn a_broken_file_leaves_what_was_there() {
    let mut rules = SecretRules::default();
    add(&mut rules, "good.yaml", RULE).unwrap();
    let before = rules.revision().to_owned();
    let other = RULE.replace("id: one", "id: two");
    let error = add(&mut rules, "bad.yaml", &format!("{other}{}", &RULE[7..])).unwrap_err();
    assert!(error.starts_with("line 6: ") && error.contains("good.yaml"), "{error}");
    assert_eq!((rules.rules.len(), rules.revision()), (1, before.as_str()));
    add(&mut rules, "more.yaml", &other).unwrap();
    assert_eq!(rules.rules.len(), 2);
    assert_ne!(rules.revision(), before);
}

#[test]
fn an_entry_holds_if_each_of_its_lists_does() {
    let entry = |text: &str| {
        let mut rules = SecretRules::default();
        add(&mut rules, "f.yaml", &format!("allow:\n- {{{text}, reason: x}}\n")).unwrap();
        rules.allowed.remove(0)
    };
    let print = "0123456789abcdef";
    let prints = entry("fingerprints: ['0123456789abcdef', 'ffffffffffffffff']");
    assert!(prints.holds(print, None, false) && !prints.holds("0000000000000000", None, true));
    let paths = entry("paths: ['/srv/*', '/opt/**']");
    assert!(paths.holds(print, Some("/srv/x"), false) && paths.holds(print, Some("/opt/a/b"), false));
    assert!(!paths.holds(print, Some("/srv/a/b"), true) && !paths.holds(print, None, true));
    let all = entry("fingerprints: ['0123456789abcdef'], paths: [/x], regexes: ['^a', b$]");
    assert!(all.names(b"ax") && all.names(b"xb") && !all.names(b"xa"));
    assert!(all.holds(print, Some("/x"), true) && !all.holds(print, Some("/x"), false));
    assert!(!all.holds(print, Some("/y"), true) && !all.holds("", Some("/x"), true));
}
