//! What registries, token services, helpers and login files say.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pratique_fs::registry::readers::names;
use pratique_registry::readers;

fuzz_target!(|bytes: &[u8]| {
    let _ = names(bytes);
    let _ = readers::token(bytes);
    let _ = readers::helper_answer(bytes);
    if let Ok(files) = readers::artifact(bytes) {
        let chosen = readers::rule_files(&files, None, 1 << 20).unwrap_or_default();
        assert!(chosen.iter().all(|(_, name, _)| name.split('/').all(|part| !part.starts_with('.'))));
        assert!(chosen.iter().map(|(.., file)| file.size).sum::<u64>() <= 1 << 20);
    }
    assert!(readers::said(bytes).chars().count() <= 301);
    if let Ok(config) = readers::LoginConfig::parse(bytes) {
        let _ = config.find("docker.io", "library/nginx");
        let _ = config.find("r.example:5000", "a/b");
    }
    let Ok(header) = std::str::from_utf8(bytes) else { return };
    let _ = readers::challenges(header);
    if let Some(range) = readers::content_range(header) {
        assert!(range.whole.is_none_or(|whole| range.start < whole));
    }
    let base = "https://r.example/v2/a/tags/list".parse().expect("an address");
    for target in [Some(header), readers::next_link(header)].into_iter().flatten() {
        if let Some(joined) = readers::join(&base, target) {
            assert!(matches!(joined.scheme_str(), Some("http" | "https")));
        }
    }
});
