//! What systemd makes and writes at start: tmpfiles.d(5).

use pratique_core::Severity;

use super::CONCERNS;
use crate::places;
use crate::shell::hidden_place;
use crate::signs::{Excuse, Notes, word};

/// Reads lines of `type path mode user group age argument`.
pub(super) fn read(text: &str, notes: &mut Notes) {
    for (line, content) in notes.lines(text) {
        let mut words = content.split_whitespace().map(|one| one.trim_matches(['"', '\'']));
        let (Some(kind), Some(path)) = (words.next(), words.next()) else { continue };
        if kind.starts_with('#') {
            continue;
        }
        let (mode, target) = (words.next().unwrap_or("-"), words.nth(3).unwrap_or_default());
        // What is copied or linked from nowhere is the distribution's own.
        let writes =
            kind.starts_with(['f', 'F', 'w']) || (kind.starts_with(['L', 'C']) && !target.is_empty());
        let is_read = |path: &str| {
            let path = path.trim_start_matches('/').as_bytes();
            CONCERNS.iter().flat_map(|concern| concern.places).any(|place| places::matches(place, path))
        };
        if kind.starts_with(['L', 'C']) && hidden_place(target).is_some() {
            let what = format!("systemd puts {} in the place of {}", word(target), word(path));
            notes.sign(Severity::High, Excuse::Owned, Some(line), what);
        } else if writes && is_read(path) {
            let what = format!("systemd writes {}, which decides what is run or who gets in", word(path));
            notes.sign(Severity::Medium, Excuse::Owned, Some(line), what);
        }
        let digits = mode.trim_start_matches(['~', ':', '0']);
        if kind.starts_with(['f', 'F', 'C', 'z', 'Z', 'm'])
            && digits.len() == 4
            && digits.starts_with(['4', '6'])
        {
            let what = format!("systemd makes {} setuid", word(path));
            notes.sign(Severity::Medium, Excuse::Owned, Some(line), what);
        }
    }
}
