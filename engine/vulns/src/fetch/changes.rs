//! The list of changed records: `modified_id.csv`, lines `TIME,ID`, the newest first.

use jiff::Timestamp;

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// When the record was last changed.
    pub modified: Timestamp,
    /// Its identifier, fit for a file's name.
    pub id: String,
}

/// The changes after `since`, at most `most` of them; none if there are more. `since` itself is not among them.
///
/// # Errors
/// A line that is none, or that is newer than the one before it: the list is then not the one that is meant.
pub fn parse(text: &str, since: Timestamp, most: usize) -> Result<Option<Vec<Change>>, String> {
    let mut changes: Vec<Change> = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |reason: &str| format!("line {}: {reason}", index + 1);
        let (time, id) = line.trim().split_once(',').ok_or_else(|| wrong("it is not `TIME,ID`"))?;
        let modified: Timestamp = time.parse().map_err(|_| wrong("it does not begin with a time"))?;
        if !is_name(id) {
            return Err(wrong("its identifier has characters that none has"));
        }
        if changes.last().is_some_and(|before| before.modified < modified) {
            return Err(wrong("it is newer than the line before, and the newest come first"));
        }
        if modified <= since {
            break;
        }
        if changes.len() == most {
            return Ok(None);
        }
        changes.push(Change { modified, id: id.to_owned() });
    }
    Ok(Some(changes))
}

/// Whether it can be an advisory's identifier, and so a file's name in any folder.
fn is_name(id: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+".contains(&byte);
    !id.is_empty() && id.len() <= 200 && !id.starts_with('.') && id.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "2026-03-03T00:00:00.5Z,A-3\n2026-03-02T00:00:00Z,A-2\n2026-03-01T00:00:00Z,A-1\n";

    fn ids(since: &str, most: usize) -> Option<Vec<String>> {
        let changes = parse(LIST, since.parse().unwrap(), most).unwrap();
        changes.map(|changes| changes.into_iter().map(|change| change.id).collect())
    }

    #[test]
    fn what_changed_since_is_listed_unless_it_is_too_much() {
        assert_eq!(ids("2026-03-03T00:00:00.5Z", 9), Some(vec![]));
        assert_eq!(ids("2026-03-02T00:00:00Z", 9).unwrap(), ["A-3"]);
        assert_eq!(ids("2026-01-01T00:00:00Z", 3).unwrap().len(), 3);
        assert_eq!(ids("2026-01-01T00:00:00Z", 2), None);
    }

    #[test]
    fn a_list_that_is_none_is_refused_by_its_line() {
        let since = Timestamp::UNIX_EPOCH;
        for (text, line) in [
            ("<html>", 1),
            ("2026-03-01T00:00:00Z,A-1\nyesterday,A-2", 2),
            ("2026-03-01T00:00:00Z,../../etc/passwd", 1),
            ("2026-03-01T00:00:00Z,", 1),
            ("2026-03-01T00:00:00Z,.hidden", 1),
            ("2026-03-01T00:00:00Z,A-1\n2026-03-02T00:00:00Z,A-2", 2),
        ] {
            let error = parse(text, since, 9).unwrap_err();
            assert!(error.starts_with(&format!("line {line}:")), "{text}: {error}");
        }
    }
}
