//! A user's own YARA rules: text in, compiled rules out, and what they say of a file.
//!
//! <https://yara.readthedocs.io/en/stable/writingrules.html>

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use boreal::compiler::{AddRuleError, CompilerBuilder, CompilerParams};
use boreal::module::{Elf, Hash, MachO, Math, Pe, String_};
use boreal::scanner::{CallbackEvents, EvaluatedRule, ScanCallbackResult, ScanError, ScanEvent, ScanParams};
use boreal::{Compiler, Metadata, MetadataValue, Scanner};
use pratique_core::{GapKind, Severity};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::hash_list::hex;
use crate::signs::word;

/// Bytes of a file that rules are tried on: all of it is held in memory. Node.js is a program of 120 MB.
pub(crate) const MAX_FILE: usize = 128 << 20;
/// Bytes of all rules together.
const MAX_RULES: usize = 16 << 20;
/// Strings of one rule.
const MAX_STRINGS: usize = 10_000;
/// Places at which one string is found in a file.
const MAX_PLACES: u32 = 10_000;
/// Rules that one file is told to match.
const MAX_MATCHES: usize = 100;
/// Tags of a rule that are told.
const MAX_TAGS: usize = 10;
/// Bytes of stack that reading rules takes at least, and for each byte of the longest source.
const MIN_STACK: usize = 16 << 20;
const STACK_PER_BYTE: usize = 128;
/// How long one file may take.
const TIME: Duration = Duration::from_secs(10);
/// Files that may take so long; then the rules are at fault, and are not tried on others.
const MAX_ENDLESS: usize = 20;

/// Compiled rules. Shared by all threads that read files.
pub struct YaraRules {
    scanner: Scanner,
    digest: String,
    /// Bytes of files that are held for them at once, and how many may be.
    held: AtomicUsize,
    most_held: usize,
    /// Files on which they did not come to an end.
    endless: AtomicUsize,
}

/// Why rules cannot be used. None of them is then.
#[derive(Debug, thiserror::Error)]
pub enum YaraRulesError {
    /// A source is no text, or has an error.
    #[error("{name}: {reason}")]
    Source {
        /// What it is called.
        name: String,
        /// What is wrong, and in which line or rule.
        reason: String,
    },
    /// There is more than is taken.
    #[error("the YARA rules are larger than {} MiB together; give fewer", MAX_RULES >> 20)]
    TooLarge,
    /// The thread that reads them cannot be started, or failed.
    #[error("the thread that reads the YARA rules failed: {0}; give fewer")]
    Thread(String),
}

/// A rule that holds of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct YaraMatch {
    pub(crate) rule: String,
    /// Name of the source that has it.
    pub(crate) source: String,
    pub(crate) tags: Vec<String>,
    pub(crate) severity: Severity,
    /// The rule's own words for it.
    pub(crate) description: Option<String>,
}

impl YaraRules {
    /// Compiles sources, each with a name that findings and errors call it. Rules of different sources may have the same name.
    /// The modules elf, pe, macho, hash, math and string can be imported. `include` is refused, and so are the modules that
    /// print, ask for the time, or want more than the file (console, time, magic, cuckoo). A rule's meta `severity` is one of
    /// [`Severity`]'s names, in any case, or a number from 0 to 100.
    ///
    /// # Errors
    /// A source is no text, or has an error; a rule has another severity; there are more than 16 MiB.
    pub fn compile(sources: &[(String, Vec<u8>)]) -> Result<Self, YaraRulesError> {
        Self::compile_for(sources, TIME)
    }

    fn compile_for(sources: &[(String, Vec<u8>)], time: Duration) -> Result<Self, YaraRulesError> {
        if sources.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > MAX_RULES {
            return Err(YaraRulesError::TooLarge);
        }
        let modules = CompilerBuilder::default().add_module(Elf).add_module(Pe).add_module(MachO);
        let mut compiler = modules.add_module(Hash).add_module(Math).add_module(String_).build();
        compiler
            .set_params(CompilerParams::default().disable_includes(true).max_strings_per_rule(MAX_STRINGS));
        // A condition such as `1+1+1…` is a tree as deep as it is long, which its parser leaves level by level.
        let longest = sources.iter().map(|(_, bytes)| bytes.len()).max().unwrap_or_default();
        let thread = std::thread::Builder::new().stack_size(MIN_STACK + longest * STACK_PER_BYTE);
        std::thread::scope(|scope| {
            let compiling = thread.spawn_scoped(scope, || add(&mut compiler, sources));
            let compiling = compiling.map_err(|error| YaraRulesError::Thread(error.to_string()))?;
            compiling.join().unwrap_or_else(|_| Err(YaraRulesError::Thread("it panicked".to_owned())))
        })?;
        let mut hasher = Sha256::new();
        for (name, bytes) in sources {
            for part in [name.as_bytes(), bytes] {
                hasher.update((part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        }
        let digest = hex(&hasher.finalize());
        let mut scanner = compiler.finalize();
        let events = CallbackEvents::RULE_MATCH | CallbackEvents::STRING_REACHED_MATCH_LIMIT;
        let params = ScanParams::default().timeout_duration(Some(time)).callback_events(events);
        scanner.set_scan_params(params.string_max_nb_matches(MAX_PLACES).match_max_length(0));
        for rule in scanner.rules() {
            rated(&scanner, rule.metadatas).map_err(|reason| YaraRulesError::Source {
                name: source_of(rule.namespace).to_owned(),
                reason: format!("rule {}: {reason}", word(rule.name)),
            })?;
        }
        let (held, endless) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Ok(Self { scanner, digest, held, most_held: usize::MAX, endless })
    }

    /// Lets files that are held for these rules take no more than so many bytes together.
    pub(crate) fn holding(self, most_held: usize) -> Self {
        Self { most_held, ..self }
    }

    /// Takes room for so many bytes more of a file, if there is any.
    pub(crate) fn take_room(&self, bytes: usize) -> bool {
        let more = |held: usize| held.checked_add(bytes).filter(|held| *held <= self.most_held);
        self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Gives back what was taken.
    pub(crate) fn give_room(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Names the sources: another text for others.
    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }

    /// The rules that hold of a file, and why that is not all there is to say.
    pub(crate) fn scan(&self, content: &[u8]) -> (Vec<YaraMatch>, Option<(GapKind, String)>) {
        if self.endless.load(Ordering::Relaxed) >= MAX_ENDLESS {
            let reason = format!(
                "the YARA rules did not come to an end on {MAX_ENDLESS} other files; they were not tried on it"
            );
            return (Vec::new(), Some((GapKind::Limit, reason)));
        }
        let (mut matches, mut problem) = (Vec::new(), None);
        let ended = self.scanner.scan_mem_with_callback(content, |event| {
            match event {
                ScanEvent::RuleMatch(_) if matches.len() >= MAX_MATCHES => {
                    problem = Some(format!("more than {MAX_MATCHES} YARA rules match it; the rest is not told"));
                    return ScanCallbackResult::Abort;
                }
                ScanEvent::RuleMatch(rule) => matches.push(self.found(&rule)),
                ScanEvent::StringReachedMatchLimit(string) => {
                    problem = Some(format!(
                        "the string {} of the YARA rule {} is in it more than {MAX_PLACES} times; more are not counted",
                        word(string.string_name),
                        word(string.rule_name)
                    ));
                }
                _ => {}
            }
            ScanCallbackResult::Continue
        });
        match ended {
            Ok(()) | Err(ScanError::CallbackAbort) => {}
            Err(error) => {
                self.endless.fetch_add(1, Ordering::Relaxed);
                problem = Some(format!("the YARA rules did not come to an end: {error}"));
            }
        }
        matches.sort_by(|one, other| (&one.source, &one.rule).cmp(&(&other.source, &other.rule)));
        (matches, problem.map(|reason| (GapKind::Limit, reason)))
    }

    fn found(&self, rule: &EvaluatedRule<'_>) -> YaraMatch {
        let tags = rule.tags.iter().take(MAX_TAGS);
        YaraMatch {
            rule: word(rule.name),
            source: source_of(rule.namespace).to_owned(),
            tags: tags.map(|tag| word(self.scanner.get_string_symbol(*tag))).collect(),
            // Others were refused.
            severity: rated(&self.scanner, rule.metadatas).ok().flatten().unwrap_or(Severity::High),
            description: match meta(&self.scanner, rule.metadatas, "description") {
                Some(MetadataValue::Bytes(text)) => {
                    Some(word(&String::from_utf8_lossy(self.scanner.get_bytes_symbol(text))))
                }
                _ => None,
            },
        }
    }
}

/// What a rule says of itself under a name.
fn meta(scanner: &Scanner, metadatas: &[Metadata], wanted: &str) -> Option<MetadataValue> {
    metadatas.iter().find(|meta| scanner.get_string_symbol(meta.name) == wanted).map(|meta| meta.value)
}

/// The severity that a rule gives itself, if it gives one. Numbers are read as Elastic's rules mean them.
fn rated(scanner: &Scanner, metadatas: &[Metadata]) -> Result<Option<Severity>, String> {
    let given = match meta(scanner, metadatas, "severity") {
        None => return Ok(None),
        Some(MetadataValue::Integer(number)) => match number {
            0..22 => return Ok(Some(Severity::Low)),
            22..48 => return Ok(Some(Severity::Medium)),
            48..74 => return Ok(Some(Severity::High)),
            74..=100 => return Ok(Some(Severity::Critical)),
            _ => number.to_string(),
        },
        Some(MetadataValue::Boolean(value)) => value.to_string(),
        Some(MetadataValue::Bytes(text)) => {
            String::from_utf8_lossy(scanner.get_bytes_symbol(text)).into_owned()
        }
    };
    match Severity::ALL.into_iter().find(|severity| severity.as_str().eq_ignore_ascii_case(&given)) {
        Some(severity) => Ok(Some(severity)),
        None => Err(format!(
            "its meta `severity` is `{}`; use Negligible, Low, Medium, High, Critical, or a number from 0 to 100",
            word(&given)
        )),
    }
}

/// What the source of a name space is called.
fn source_of(namespace: &str) -> &str {
    namespace.split_once(' ').map_or(namespace, |(_, name)| name)
}

/// In which line the error is and what it is.
fn reason_of(error: &AddRuleError, text: &str) -> String {
    let diagnostic = error.to_diagnostic();
    let label = diagnostic.labels.first();
    let before = label.and_then(|label| text.as_bytes().get(..label.range.start));
    let line = 1 + before.unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
    let detail = label.filter(|label| !label.message.is_empty()).map(|label| format!(": {}", label.message));
    format!("line {line}: {}{}", diagnostic.message, detail.unwrap_or_default())
}

fn add(compiler: &mut Compiler, sources: &[(String, Vec<u8>)]) -> Result<(), YaraRulesError> {
    for (place, (name, bytes)) in sources.iter().enumerate() {
        let wrong = |reason| YaraRulesError::Source { name: name.clone(), reason };
        let text = std::str::from_utf8(bytes).map_err(|_| wrong("it is no UTF-8".to_owned()))?;
        // Files of the same name in different folders are different name spaces.
        compiler
            .add_rules_str_in_namespace(text, format!("{place} {name}"))
            .map_err(|error| wrong(reason_of(&error, text)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Vec<(String, Vec<u8>)> {
        vec![("own.yar".to_owned(), text.as_bytes().to_vec())]
    }

    fn rules(text: &str) -> YaraRules {
        YaraRules::compile(&source(text)).unwrap_or_else(|error| panic!("{error}"))
    }

    fn names(text: &str, content: &[u8]) -> Vec<String> {
        let (matches, problem) = rules(text).scan(content);
        assert_eq!(problem, None);
        matches.into_iter().map(|one| one.rule).collect()
    }

    #[test]
    fn the_usual_forms_of_rules_are_understood() {
        let text = r#"
            import "elf" import "hash" import "math" import "string" import "pe" import "macho"
            private rule Head { condition: uint32be(0) == 0x7f454c46 }
            rule Hex { strings: $a = { 6f 70 ?? 6e [1-6] 64 6f 6f 72 } condition: Head and $a }
            rule Text { strings: $a = "OPEN" nocase wide $b = /d[o]{2}r[0-9]+/ condition: all of them }
            rule Xored { strings: $a = "sesame-phrase" xor(1-255) condition: #a == 1 }
            rule Encoded { strings: $a = "sesame-phrase" base64 condition: $a }
            rule Counted { strings: $a = "x" condition: for any i in (1..#a) : (@a[i] == filesize - 1) }
            rule Summed { condition: hash.md5(0, 4) == "8cb1f3f9a3e4e0ec5c3bd43a7a6ab0ab" or math.entropy(0, filesize) > 7.9 }
        "#;
        assert_eq!(names(text, b"\x7fELF open the door"), ["Hex"]);
        assert_eq!(names(text, b"open the door"), Vec::<String>::new(), "it is no program");
        assert_eq!(names(text, b"o\0p\0E\0n\0 door12"), ["Text"]);
        let hidden: Vec<u8> = b"sesame-phrase".iter().map(|byte| byte ^ 0x42).collect();
        assert_eq!(names(text, &hidden), ["Xored"]);
        assert_eq!(names(text, b"c2VzYW1lLXBocmFzZQ== "), ["Encoded"]);
        assert_eq!(names(text, b"axbx"), ["Counted"]);
    }

    #[test]
    fn a_match_says_what_the_rule_says_of_itself() {
        let text = r#"
            rule Door : bot linux { meta: severity = "critical" description = "a back door" strings: $a = "sesame" condition: $a }
            rule Plain { meta: description = 9 strings: $a = "sesame" condition: $a }"#;
        let (matches, _) = rules(text).scan(b"open sesame");
        let door = YaraMatch {
            rule: "Door".into(),
            source: "own.yar".into(),
            tags: vec!["bot".into(), "linux".into()],
            severity: Severity::Critical,
            description: Some("a back door".into()),
        };
        assert_eq!(matches[0], door);
        assert_eq!((matches[1].severity, &matches[1].description), (Severity::High, &None));
    }

    #[test]
    fn what_is_no_rule_is_refused_with_file_line_and_reason() {
        for (text, line, reason) in [
            ("rule A { condition: true }\nrule B { condition: $x }", 2, "$x"),
            ("\n\nrule A { condition: }", 3, "syntax"),
            ("rule A { condition: true }\nrule A { condition: true }", 2, "already"),
            ("\ninclude \"/etc/passwd\"", 2, "includes are not allowed"),
            ("import \"console\"\nrule A { condition: console.log(\"x\") }", 1, "console"),
            ("import \"time\"\nrule A { condition: time.now() > 1 }", 1, "time"),
            ("import \"cuckoo\"", 1, "cuckoo"),
            ("rule A { strings: $a = /(/ condition: $a }", 1, "syntax"),
        ] {
            let error = YaraRules::compile(&source(text)).err().map(|error| error.to_string());
            let error = error.unwrap_or_else(|| panic!("{text} is taken"));
            assert!(
                error.starts_with(&format!("own.yar: line {line}: ")) && error.contains(reason),
                "{text}: {error}"
            );
        }
        let no_text = YaraRules::compile(&[("own.yar".into(), vec![0xff])]).err().unwrap().to_string();
        assert!(no_text.starts_with("own.yar: "), "{no_text}");
        let large = YaraRules::compile(&[("own.yar".into(), vec![b' '; MAX_RULES + 1])]).err().unwrap();
        assert!(large.to_string().contains("16 MiB"), "{large}");
    }

    #[test]
    fn nested_and_endless_sources_end() {
        for text in [
            format!("rule A {{ condition: {}true }}", "(".repeat(100_000)),
            format!("rule A {{ condition: {}true }}", "not ".repeat(100_000)),
            format!("rule A {{ condition: {}1 > 2 }}", "1+".repeat(100_000)),
            format!("rule A {{ condition: {}1 > 2 }}", "-".repeat(200_000)),
            format!("rule A {{ strings: $a = /{}a/ condition: $a }}", "(".repeat(100_000)),
            format!("rule A {{ strings: $a = {{ {}00 }} condition: $a }}", "( ".repeat(100_000)),
        ] {
            assert!(YaraRules::compile(&source(&text)).is_err(), "{:.60}", text);
        }
    }

    #[test]
    fn a_severity_is_a_name_or_a_number_and_else_refused_with_its_rule() {
        let with = |meta: &str| {
            YaraRules::compile(&source(&format!("rule A {{ meta: {meta} condition: true }}")))
                .map(|rules| rules.scan(b"").0[0].severity)
                .map_err(|error| error.to_string())
        };
        for (meta, severity) in [
            ("author = \"us\"", Severity::High),
            ("severity = \"LOW\"", Severity::Low),
            ("severity = 0", Severity::Low),
            ("severity = 22", Severity::Medium),
            ("severity = 73", Severity::High),
            ("severity = 100", Severity::Critical),
        ] {
            assert_eq!(with(meta), Ok(severity), "{meta}");
        }
        for wrong in ["\"grave\"", "101", "-1", "true", "\"\""] {
            let error = with(&format!("severity = {wrong}")).unwrap_err();
            let wrong = wrong.trim_matches('"');
            assert!(
                error.starts_with(&format!("own.yar: rule A: its meta `severity` is `{wrong}`; ")),
                "{error}"
            );
        }
    }

    #[test]
    fn what_is_held_at_once_is_bounded() {
        let rules = rules("rule A { condition: true }").holding(10);
        assert!(
            rules.take_room(6) && rules.take_room(4) && !rules.take_room(1) && !rules.take_room(usize::MAX)
        );
        rules.give_room(4);
        assert!(rules.take_room(3));
    }

    #[test]
    fn sources_have_names_of_their_own() {
        let one = ("a/own.yar".to_owned(), b"rule A { condition: true }".to_vec());
        let two = ("b/own.yar".to_owned(), one.1.clone());
        let rules = YaraRules::compile(&[one.clone(), two]).unwrap();
        let found: Vec<_> = rules.scan(b"").0.into_iter().map(|one| one.source).collect();
        assert_eq!(found, ["a/own.yar", "b/own.yar"]);
        assert_ne!(rules.digest(), YaraRules::compile(&[one]).unwrap().digest());
    }

    #[test]
    fn a_rule_without_end_is_stopped_and_told_and_what_was_found_before_stays() {
        let text = "rule A { condition: true }
            rule B { condition: for all i in (0..1000000000) : (for all j in (0..1000000000) : (uint8(0) == 1)) }";
        let rules = YaraRules::compile_for(&source(text), Duration::from_millis(200)).unwrap();
        let (matches, problem) = rules.scan(b"\x01");
        assert_eq!(matches.len(), 1);
        let (kind, reason) = problem.expect("a problem");
        assert!(kind == GapKind::Limit && reason.contains("timeout"), "{reason}");
    }

    /// Patterns with as many ways through a file as it has bytes, and one that begins at each byte and ends at none.
    #[test]
    fn patterns_that_blow_up_end_or_are_stopped() {
        for pattern in ["/(a|aa|a+)+b/", "/a(a?){50}a{50}b/", "/a.{1,30000}b/s", "/(a*)*[^a]b/"] {
            let text = format!("rule A {{ strings: $a = {pattern} condition: $a }}");
            let Ok(rules) = YaraRules::compile_for(&source(&text), Duration::from_millis(200)) else {
                continue;
            };
            let (matches, problem) = rules.scan(&vec![b'a'; 1 << 20]);
            assert_eq!(matches, [], "{pattern}");
            assert!(
                problem.is_none_or(|(kind, reason)| kind == GapKind::Limit && reason.contains("timeout"))
            );
        }
    }

    #[test]
    fn rules_that_never_end_are_not_tried_on_every_file() {
        let text = "rule A { condition: for all i in (0..1000000000) : (uint8(0) == 1) }";
        let rules = YaraRules::compile_for(&source(text), Duration::from_millis(1)).unwrap();
        let reasons = (0..MAX_ENDLESS + 1).map(|_| rules.scan(b"\x01").1.expect("a problem").1);
        let reasons: Vec<String> = reasons.collect();
        let (last, before) = reasons.split_last().unwrap();
        assert!(before.iter().all(|reason| reason.contains("timeout")), "{before:?}");
        assert!(last.contains("on 20 other files"), "{last}");
    }

    #[test]
    fn more_places_and_more_rules_than_are_counted_are_told() {
        let text = "rule A { strings: $a = \"ab\" condition: #a > 10 }";
        let (matches, problem) = rules(text).scan("ab".repeat(MAX_PLACES as usize + 1).as_bytes());
        assert_eq!(matches.len(), 1);
        assert!(problem.expect("a problem").1.contains("more than 10000 times"), "told");

        let many: String = (0..=MAX_MATCHES).map(|n| format!("rule R{n} {{ condition: true }}\n")).collect();
        let (matches, problem) = rules(&many).scan(b"");
        assert_eq!(matches.len(), MAX_MATCHES);
        assert!(problem.expect("a problem").1.contains("more than 100"), "told");
    }
}
