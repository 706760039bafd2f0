//! Decisions in words.

use std::fmt;

use super::{Decision, Effect, Violation};
use crate::Finding;

/// How much a message tells whoever reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Detail {
    /// Everything: also the file and the layer.
    #[default]
    Full,
    /// Without file and layer, for clusters whose tenants use each other's images and may not read them.
    Brief,
}

/// Longest message in bytes. The API server hands it on as it is, and people read it on a terminal.
const MAX_MESSAGE: usize = 2048;
/// Longest part of a message that comes from an image, in characters.
const MAX_FOREIGN: usize = 240;

impl Decision {
    /// All violations with `effect`, one a line, at most 2 KiB; none where there is none.
    pub fn message(&self, effect: Effect, detail: Detail) -> Option<String> {
        let mut violations = self.with_effect(effect);
        let mut message = cut(violations.next()?.display(detail).to_string(), MAX_MESSAGE);
        let mut left_out = 0;
        for violation in violations.by_ref() {
            let line = violation.display(detail).to_string();
            // Room for the line that counts the rest.
            if message.len() + 1 + line.len() + 40 > MAX_MESSAGE {
                left_out = 1;
                break;
            }
            message.push('\n');
            message.push_str(&line);
        }
        left_out += violations.count();
        match left_out {
            0 => Some(message),
            _ => Some(format!("{}\nand {left_out} more violations", cut(message, MAX_MESSAGE - 40))),
        }
    }
}

impl Violation {
    /// The violation as one sentence.
    pub fn display(&self, detail: Detail) -> impl fmt::Display {
        Sentence { violation: self, detail }
    }
}

struct Sentence<'a> {
    violation: &'a Violation,
    detail: Detail,
}

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation { policy, rule, effect, container, reason, findings, more, grace_until } =
            self.violation;
        match container {
            None => f.write_str("the pod")?,
            Some(container) => {
                write!(f, "image {}", printable(&container.reference, 480))?;
                if let Some(image) = &container.image {
                    write!(f, " ({}:{}…)", image.algorithm(), image.short())?;
                }
                write!(f, " of {} {}", container.kind.as_str(), container.name)?;
            }
        }
        let verb = if *effect == Effect::Deny { "is refused by" } else { "violates" };
        write!(f, " {verb} ScanPolicy {policy}, rule {rule}: {}", printable(reason, MAX_FOREIGN))?;
        for (index, found) in findings.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{}", finding(found, self.detail))?;
        }
        if *more > 0 {
            write!(f, "; and {more} more")?;
        }
        if let Some(until) = grace_until {
            write!(f, " (the image already ran here, grace ends {})", until.strftime("%Y-%m-%dT%H:%M:%SZ"))?;
        }
        match container.as_ref().and_then(|container| container.report.as_ref()) {
            Some(report) => write!(f, "; see: kubectl get scanreport {report} -o yaml"),
            None => Ok(()),
        }
    }
}

/// One finding in words, such as `WeakPassword High: account root … in /etc/shadow [layer sha256:ab12…]`.
pub(super) fn finding(finding: &Finding, detail: Detail) -> String {
    let mut text =
        format!("{} {}: {}", finding.category, finding.severity, printable(&finding.message, MAX_FOREIGN));
    if detail == Detail::Full {
        if let Some(path) = &finding.path {
            text.push_str(&format!(" in {}", printable(path, MAX_FOREIGN)));
        }
        if let Some(layer) = &finding.layer {
            text.push_str(&format!(" [layer {}:{}…]", layer.algorithm(), layer.short()));
        }
    }
    text
}

/// Text that may come from an image, without control characters (which could rewrite the reader's terminal) and at
/// most `limit` characters long.
fn printable(text: &str, limit: usize) -> String {
    let mut clean: String =
        text.chars().take(limit).map(|c| if is_harmless(c) { c } else { '\u{fffd}' }).collect();
    if text.chars().nth(limit).is_some() {
        clean.push('…');
    }
    clean
}

/// Neither a control character nor one that changes the direction of the text around it.
fn is_harmless(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// `text` cut to `limit` bytes, with a sign that it was.
fn cut(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let end = text.floor_char_boundary(limit - '…'.len_utf8());
        text.truncate(end);
        text.push('…');
    }
    text
}
