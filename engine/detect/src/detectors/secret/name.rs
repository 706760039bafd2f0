//! How names of things are written in settings and programs.

use std::collections::BTreeSet;

/// Each way to write a name of lower-case words that `_` joins: `api_key`, `API-KEY`, `apiKey`, `ApiKey` and so on.
pub(super) fn spellings(name: &str) -> BTreeSet<String> {
    let words: Vec<&str> = name.split('_').collect();
    let capitals: Vec<String> = words.iter().map(|word| capitalised(word)).collect();
    let camel = format!("{}{}", words[0], capitals[1..].concat());
    let joined = ["_", "-", ""].map(|sign| words.join(sign));
    let upper = joined.clone().map(|name| name.to_ascii_uppercase());
    let first = capitalised(&words.concat());
    joined.into_iter().chain(upper).chain([capitals.join("-"), capitals.concat(), camel, first]).collect()
}

fn capitalised(word: &str) -> String {
    word.get(..1).map_or_else(String::new, |first| first.to_ascii_uppercase() + &word[1..])
}

#[test]
fn a_name_is_spelled_as_people_do() {
    let all = "api_key api-key apikey API_KEY API-KEY APIKEY Api-Key ApiKey apiKey Apikey";
    assert_eq!(spellings("api_key"), all.split(' ').map(str::to_owned).collect());
    assert_eq!(spellings("okta"), ["OKTA", "Okta", "okta"].map(str::to_owned).into());
}
