//! Lists of checksums of files that are known to be bad.

use std::fmt::Write as _;
use std::io::{self, BufRead, Read};

use sha2::{Digest as _, Sha256};

/// Checksums of one list. Takes 16 bytes of memory for each: of a SHA-256 its first half, which nobody can choose.
pub struct HashList {
    name: String,
    sha256: Vec<[u8; 16]>,
    md5: Vec<[u8; 16]>,
    digest: String,
}

/// Checksums that a list may have.
const MAX_ENTRIES: usize = 20_000_000;
/// Bytes of a line.
const MAX_LINE: u64 = 4096;

/// Why a list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HashListError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// A line is none of such a list.
    #[error("line {line}: {reason}")]
    Line {
        /// Number of the line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
}

impl HashList {
    /// Reads a list: a line for each file, which begins with its SHA-256 or MD5 in hexadecimal digits. What follows a
    /// blank, a comma, a semicolon or a colon is passed over (a name, a size), as are empty lines and those that begin
    /// with `#`. Findings call the list `name`.
    ///
    /// # Errors
    /// The source fails, a line begins otherwise, or there are more than 20 million.
    pub fn read(name: impl Into<String>, source: &mut dyn BufRead) -> Result<Self, HashListError> {
        let (mut sha256, mut md5) = (Vec::new(), Vec::new());
        let mut bytes = Vec::new();
        for line in 1.. {
            bytes.clear();
            let wrong = |reason: String| HashListError::Line { line, reason };
            if (&mut *source).take(MAX_LINE).read_until(b'\n', &mut bytes)? == 0 {
                break;
            }
            if bytes.len() as u64 == MAX_LINE && bytes.last() != Some(&b'\n') {
                return Err(wrong(format!("it is longer than {MAX_LINE} bytes")));
            }
            let text = bytes.trim_ascii();
            if text.is_empty() || text.starts_with(b"#") {
                continue;
            }
            let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b';' | b':');
            let word = text.split(ends).next().unwrap_or_default();
            let word = word.strip_prefix(b"\"").and_then(|word| word.strip_suffix(b"\"")).unwrap_or(word);
            let half = |digits: &[u8]| digits.as_chunks::<2>().0.iter().map(|pair| byte(*pair)).collect();
            let digits: Option<Vec<u8>> = half(word);
            match digits.as_deref() {
                Some(sum) if word.len() == 64 => sha256.extend(sum.first_chunk().copied()),
                Some(sum) if word.len() == 32 => md5.extend(sum.first_chunk().copied()),
                _ => {
                    let shown: String = String::from_utf8_lossy(word).chars().take(80).collect();
                    let reason =
                        format!("`{shown}` is neither a SHA-256 (64 hexadecimal digits) nor an MD5 (32)");
                    return Err(wrong(reason));
                }
            }
            if sha256.len() + md5.len() > MAX_ENTRIES {
                return Err(wrong(format!("the list has more than {MAX_ENTRIES} entries; split it")));
            }
        }
        let mut hasher = Sha256::new();
        for sums in [&mut sha256, &mut md5] {
            sums.sort_unstable();
            sums.dedup();
            sums.shrink_to_fit();
            hasher.update((sums.len() as u64).to_le_bytes());
            sums.iter().for_each(|sum| hasher.update(sum));
        }
        Ok(Self { name: name.into(), sha256, md5, digest: hex(&hasher.finalize()) })
    }

    /// What findings call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Names what it holds: the same for the same checksums, in whatever order.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Number of different checksums.
    pub fn len(&self) -> usize {
        self.sha256.len() + self.md5.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Which checksum of a file with these it has, such as `SHA-256 9f86…`.
    pub(crate) fn find(&self, sha256: &[u8; 32], md5: &[u8; 16]) -> Option<String> {
        let has = |sums: &[[u8; 16]], sum: &[u8]| sums.binary_search_by(|known| known[..].cmp(sum)).is_ok();
        if has(&self.sha256, &sha256[..16]) {
            Some(format!("SHA-256 {}", hex(sha256)))
        } else {
            has(&self.md5, md5).then(|| format!("MD5 {}", hex(md5)))
        }
    }
}

fn byte(digits: [u8; 2]) -> Option<u8> {
    let digit = |one: u8| char::from(one).to_digit(16);
    Some((digit(digits[0])? << 4 | digit(digits[1])?) as u8)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use md5::Md5;

    use super::*;

    fn list(text: &str) -> Result<HashList, HashListError> {
        HashList::read("test", &mut text.as_bytes())
    }

    fn find(list: &HashList, content: &[u8]) -> Option<String> {
        list.find(&Sha256::digest(content).into(), &Md5::digest(content).into())
    }

    #[test]
    fn both_kinds_of_checksums_are_found_in_the_usual_forms() {
        let (one, two) = (hex(&Sha256::digest(b"one")), hex(&Md5::digest(b"two")));
        for text in [
            format!("{one}\n{two}\n"),
            format!("# a comment\n\n  {}  one.bin\r\n{two}:1234:Name", one.to_uppercase()),
            format!("\"{two}\",\"x\"\n{one};x\n{one}"),
        ] {
            let list = list(&text).unwrap();
            assert_eq!(list.len(), 2, "{text}");
            assert_eq!(find(&list, b"one"), Some(format!("SHA-256 {one}")));
            assert_eq!(find(&list, b"two"), Some(format!("MD5 {two}")));
            assert_eq!(find(&list, b"three"), None);
        }
    }

    #[test]
    fn the_digest_is_of_what_it_holds() {
        let (one, two) = (hex(&Sha256::digest(b"one")), hex(&Sha256::digest(b"two")));
        let of = |text: String| list(&text).unwrap().digest().to_owned();
        assert_eq!(of(format!("{one}\n{two}")), of(format!("{two}\n# x\n{one}\n{one}")));
        assert_ne!(of(format!("{one}\n{two}")), of(one));
        assert!(list("").unwrap().is_empty());
    }

    #[test]
    fn a_wrong_line_is_named() {
        let sha1 = "a".repeat(40);
        for (text, line) in [
            (format!("{}\n{sha1}\n", "a".repeat(64)), 2),
            ("hash,name\n".to_owned(), 1),
            (format!("{}g\n", "a".repeat(63)), 1),
            (format!("#\n{}", "a".repeat(10_000)), 2),
        ] {
            let error = list(&text).err().unwrap().to_string();
            assert!(error.starts_with(&format!("line {line}: ")), "{error}");
            assert!(error.len() < 300, "{error}");
        }
    }
}
