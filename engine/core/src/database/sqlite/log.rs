//! The write-ahead log beside a database, by itself: pages that have changed, each as often as it did
//! (<https://www.sqlite.org/fileformat2.html#the_write_ahead_log>).

use super::super::pages::{at, read};
use super::super::{Problem, malformed};
use super::content::{EachValue, Place, hand_over, remains, row};
use super::tree::{Met, Store, Tree};
use crate::GapKind;
use crate::inspect::FileInput;

/// How a log begins, by the order of bytes in its checksums.
pub const LOG_HEADS: &[&[u8]] = &[b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83"];

const HEADER: u64 = 32;
const FRAME_HEADER: usize = 24;
/// Frames of one log that are read.
const MAX_FRAMES: u64 = 1 << 21;

/// The last frame of each page.
struct Frames<'a> {
    file: &'a FileInput<'a>,
    size: usize,
    /// Page and frame, sorted.
    last: Vec<(u32, u32)>,
    /// Which of them were handed out.
    taken: Vec<bool>,
}

impl Frames<'_> {
    /// Where the page in a frame begins.
    fn offset(&self, frame: u32) -> u64 {
        HEADER + u64::from(frame) * (FRAME_HEADER + self.size) as u64 + FRAME_HEADER as u64
    }

    fn page(&self, frame: u32) -> Result<(u64, Vec<u8>), Problem> {
        let offset = self.offset(frame);
        Ok((offset, read(self.file, offset, self.size)?))
    }

    fn place(&self, page: u32) -> Option<usize> {
        self.last.binary_search_by_key(&page, |(known, _)| *known).ok()
    }
}

impl Store for Frames<'_> {
    fn take(&mut self, number: u64) -> Result<Option<(u64, Vec<u8>)>, Problem> {
        let place = u32::try_from(number).ok().and_then(|number| self.place(number));
        match place {
            Some(place) if !self.taken[place] => {
                self.taken[place] = true;
                self.page(self.last[place].1).map(Some)
            }
            _ => Ok(None),
        }
    }
}

/// No page at all: of what goes on elsewhere the start is read.
struct Nothing;

impl Store for Nothing {
    fn take(&mut self, _: u64) -> Result<Option<(u64, Vec<u8>)>, Problem> {
        Ok(None)
    }
}

/// Hands over the values of rows on the pages that a log has, and all other bytes of it; see [`super::contents`].
pub(super) fn log_values(file: &FileInput<'_>, each: &mut EachValue<'_>) -> Result<(), Problem> {
    if file.size < HEADER {
        return malformed("is no write-ahead log of SQLite");
    }
    let head = read(file, 0, HEADER as usize)?;
    let size = u32::from_be_bytes(at(&head, 8)) as usize;
    if !size.is_power_of_two() || !(512..=65536).contains(&size) {
        return malformed(format!("pages cannot have {size} bytes"));
    }
    let frame = (FRAME_HEADER + size) as u64;
    let all = (file.size - HEADER) / frame;
    let count = all.min(MAX_FRAMES);
    let (mut pages, mut last) = (Vec::new(), Vec::new());
    for number in 0..count as u32 {
        let own = read(file, HEADER + u64::from(number) * frame, FRAME_HEADER)?;
        let page = u32::from_be_bytes(at(&own, 0));
        pages.push(page);
        // Frames of a log that was begun again have other salts.
        if own[8..16] == head[16..24] {
            last.push((page, number));
        }
    }
    last.sort_unstable();
    // Of each page the last.
    last.reverse();
    last.dedup_by_key(|(page, _)| *page);
    last.reverse();
    let frames = Frames { file, size, taken: vec![false; last.len()], last };
    let mut result = Ok(());
    // How much of a page is used, says the first; most databases use all.
    let reserved = match frames.place(1) {
        Some(place) => usize::from(frames.page(frames.last[place].1)?.1[20]),
        None => 0,
    };
    let usable = (size - reserved).max(480);
    let mut tree = Tree { pages: frames, usable };
    for place in 0..tree.pages.last.len() {
        let (page, frame) = tree.pages.last[place];
        let start = if page == 1 { 100 } else { 0 };
        let (offset, bytes) = tree.pages.page(frame)?;
        if tree.pages.taken[place] || !matches!(bytes.get(start), Some(0x02 | 0x05 | 0x0a | 0x0d)) {
            continue;
        }
        tree.pages.taken[place] = true;
        let mut of_row = |met: Met<'_>| hand_over(met, None, None, each);
        if let Some(Err(problem)) = tree.cells(u64::from(page), &bytes, offset, &mut Vec::new(), &mut of_row)
        {
            result = result.and(Err(problem));
        }
    }
    // Then what was on pages before, and what was met on none.
    let frames = tree.pages;
    let mut before = Tree { pages: Nothing, usable };
    for (number, page) in (0_u32..).zip(&pages) {
        let place = frames.place(*page);
        let is_last = place.is_some_and(|place| frames.last[place].1 == number);
        if is_last && place.is_some_and(|place| frames.taken[place]) {
            continue;
        }
        let (offset, bytes) = frames.page(number)?;
        let mut of_row = |met: Met<'_>| match met {
            Met::Record(record) => row(&record, Place::Remains, None, each),
            Met::Remains(bytes, offset) => remains(bytes, offset, each),
        };
        let is_tree = before.cells(u64::from(*page), &bytes, offset, &mut Vec::new(), &mut of_row).is_some();
        if !is_tree {
            remains(&bytes, offset, each);
        }
    }
    let end = HEADER + count * frame;
    if all > count {
        let reason = format!("it has more than {MAX_FRAMES} pages; the rest was not looked at");
        return result.and(Err((GapKind::Limit, reason)));
    }
    let rest = read(file, end, usize::try_from(file.size - end).unwrap_or_default())?;
    remains(&rest, end, each);
    result
}
