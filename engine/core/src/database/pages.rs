//! Files that consist of pages.

use super::{Problem, malformed};
use crate::GapKind;
use crate::inspect::FileInput;

/// The pages of a file. Each is handed out once: chains and trees that meet themselves are an error, and the work is
/// bounded by the file's size.
pub struct Pages<'a> {
    file: &'a FileInput<'a>,
    size: usize,
    visited: Vec<u8>,
}

impl<'a> Pages<'a> {
    /// Pages of `size` bytes, a power of two between 512 and 65,536.
    ///
    /// # Errors
    /// If `size` is another.
    pub fn new(file: &'a FileInput<'a>, size: u32) -> Result<Self, Problem> {
        if !size.is_power_of_two() || !(512..=65536).contains(&size) {
            return malformed(format!("pages cannot have {size} bytes"));
        }
        let count = file.size.div_ceil(u64::from(size));
        let visited = vec![0; usize::try_from(count / 8 + 1).unwrap_or_default()];
        Ok(Self { file, size: size as usize, visited })
    }

    /// How many pages the file has.
    pub fn count(&self) -> u64 {
        self.file.size / self.size as u64
    }

    /// Whether the page of this number, counted from 0, was taken.
    pub fn is_taken(&self, number: u64) -> bool {
        self.visited.get((number / 8) as usize).is_some_and(|byte| byte & 1 << (number % 8) != 0)
    }

    /// The page of this number, counted from 0.
    ///
    /// # Errors
    /// If there is no such page, if it was taken before, or if it cannot be read.
    pub fn take(&mut self, number: u64) -> Result<Vec<u8>, Problem> {
        if number >= self.count() {
            return malformed(format!("page {number} lies beyond the end"));
        }
        let bit = 1 << (number % 8);
        match self.visited.get_mut((number / 8) as usize) {
            Some(byte) if *byte & bit == 0 => *byte |= bit,
            _ => return malformed(format!("page {number} is used twice")),
        }
        read(self.file, number * self.size as u64, self.size)
    }
}

/// Exactly `length` bytes at `offset`; the caller has checked that the file claims to have them.
///
/// # Errors
/// If the file breaks off before, or cannot be read.
pub fn read(file: &FileInput<'_>, offset: u64, length: usize) -> Result<Vec<u8>, Problem> {
    let mut bytes = vec![0; length];
    match file.content.read_full_at(&mut bytes, offset) {
        Ok(read) if read == length => Ok(bytes),
        Ok(_) => Err((GapKind::Unreadable, format!("breaks off behind byte {offset}"))),
        Err(error) => Err((GapKind::Unreadable, format!("at byte {offset}: {error}"))),
    }
}

/// `N` bytes at a place; zeros beyond the end.
pub fn at<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    let end = offset.checked_add(N);
    end.and_then(|end| bytes.get(offset..end)?.try_into().ok()).unwrap_or([0; N])
}
