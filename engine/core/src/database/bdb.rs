//! A hash of Berkeley DB: RPM's `Packages`, pam_userdb's accounts
//! (<https://docs.oracle.com/cd/E17276_01/html/programmer_reference/am_conf.html>; the layout of pages is in its dbinc/db_page.h).
//!
//! All pages of buckets are read in their order, without the hash.

use super::pages::{Pages, at, read};
use super::{MAX_ENTRY, Problem, malformed};
use crate::GapKind;
use crate::inspect::FileInput;

const MAGIC: u32 = 0x0006_1561;
/// Types of pages: two forms of buckets.
const BUCKETS: [u8; 2] = [2, 13];
const OVERFLOW: u8 = 7;
/// Types of items: in place, or on overflow pages.
const IN_PLACE: u8 = 1;
const ELSEWHERE: u8 = 3;
/// Bytes of a page before its index.
const PAGE_HEADER: usize = 26;

/// Hands over all keys and values.
///
/// # Errors
/// The first problem, if the file is no such database or a part of it cannot be read; the other parts are.
pub fn pairs(file: &FileInput<'_>, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), Problem> {
    if file.size < 512 {
        return malformed("is no Berkeley DB");
    }
    let head = read(file, 0, 512)?;
    let numbers = match (u32::from_le_bytes(at(&head, 12)), u32::from_be_bytes(at(&head, 12))) {
        (MAGIC, _) => Numbers { long: u32::from_le_bytes, short: u16::from_le_bytes },
        (_, MAGIC) => Numbers { long: u32::from_be_bytes, short: u16::from_be_bytes },
        _ => return malformed("is no hash of Berkeley DB"),
    };
    if head[24] != 0 {
        return Err((GapKind::Unsupported, "is encrypted".to_owned()));
    }
    let mut pages = Pages::new(file, numbers.long(&head, 20))?;
    let mut result = Ok(());
    if file.size / u64::from(numbers.long(&head, 20)) <= u64::from(numbers.long(&head, 32)) {
        result = Err((GapKind::Unreadable, "breaks off before its last page".to_owned()));
    }
    for number in 1..pages.count() {
        let Some(kind) = numbers.kind(file, number * u64::from(numbers.long(&head, 20)))? else { continue };
        if !BUCKETS.contains(&kind) {
            continue;
        }
        let page = match pages.take(number) {
            Ok(page) => page,
            Err(problem) => {
                result = result.and(Err(problem));
                continue;
            }
        };
        for [key, value] in items(&page, &numbers) {
            let both = content(&mut pages, key, &numbers)
                .and_then(|key| Ok((key, content(&mut pages, value, &numbers)?)));
            match both {
                Ok((key, value)) => each(&key, &value),
                Err(problem) => result = result.and(Err(problem)),
            }
        }
    }
    result
}

/// How the machine that wrote the file writes numbers.
struct Numbers {
    long: fn([u8; 4]) -> u32,
    short: fn([u8; 2]) -> u16,
}

impl Numbers {
    fn long(&self, bytes: &[u8], place: usize) -> u32 {
        (self.long)(at(bytes, place))
    }

    fn short(&self, bytes: &[u8], place: usize) -> usize {
        usize::from((self.short)(at(bytes, place)))
    }

    /// The type of the page at this byte.
    fn kind(&self, file: &FileInput<'_>, offset: u64) -> Result<Option<u8>, Problem> {
        Ok(read(file, offset, PAGE_HEADER)?.get(25).copied())
    }
}

/// The items of a bucket's index in pairs: keys and values alternate. Items lie behind each other from the page's end, so
/// each ends where the one before it begins.
fn items<'a>(page: &'a [u8], numbers: &Numbers) -> Vec<[&'a [u8]; 2]> {
    let count = numbers.short(page, 20);
    let start = |item: usize| numbers.short(page, PAGE_HEADER + 2 * item);
    let item = |item: usize| {
        let end = if item == 0 { page.len() } else { start(item - 1) };
        page.get(start(item)..end).unwrap_or_default()
    };
    (1..count).step_by(2).map(|value| [item(value - 1), item(value)]).collect()
}

/// The bytes of an item.
fn content(pages: &mut Pages<'_>, item: &[u8], numbers: &Numbers) -> Result<Vec<u8>, Problem> {
    match item.first() {
        Some(&IN_PLACE) => Ok(item[1..].to_vec()),
        Some(&ELSEWHERE) => chain(pages, item, numbers),
        _ => malformed("an item of a bucket has a type that is not known"),
    }
}

/// A value that lies on a chain of overflow pages.
fn chain(pages: &mut Pages<'_>, item: &[u8], numbers: &Numbers) -> Result<Vec<u8>, Problem> {
    let length = numbers.long(item, 8) as usize;
    if length > MAX_ENTRY {
        return Err((GapKind::Limit, format!("an entry has {length} bytes; {MAX_ENTRY} are read")));
    }
    let mut next = numbers.long(item, 4);
    let mut value = Vec::new();
    while value.len() < length {
        let page = pages.take(u64::from(next))?;
        let used = PAGE_HEADER.saturating_add(numbers.short(&page, 22));
        match page.get(PAGE_HEADER..used) {
            Some(more) if page[25] == OVERFLOW && !more.is_empty() => value.extend_from_slice(more),
            _ => return malformed(format!("page {next} is no overflow page")),
        }
        next = numbers.long(&page, 16);
    }
    value.truncate(length);
    Ok(value)
}
