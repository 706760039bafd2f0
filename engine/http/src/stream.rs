//! Bodies as they come, and what part of the whole they are.

use std::io::{self, Read};
use std::time::{Duration, Instant};

use crate::Answer;

/// Bytes that have to come within [`crate::Patience::stall`].
const SLOWEST: u64 = 16 << 10;
/// An answer's body that may not come too slowly.
pub struct Stream {
    body: Box<dyn Read + Send>,
    stall: Duration,
    /// Time spent waiting in the present window, and bytes that came in it. What the reader does between does not
    /// count.
    waited: Duration,
    came: u64,
}

impl Stream {
    /// The body of an answer; `stall` is the time that it may bring next to nothing.
    pub fn new(answer: Answer, stall: Duration) -> Self {
        Self { body: Box::new(answer.body.into_reader()), stall, waited: Duration::ZERO, came: 0 }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let begun = Instant::now();
        let read = self.body.read(buffer)?;
        self.waited += begun.elapsed();
        self.came += read as u64;
        if self.waited >= self.stall {
            if self.came < SLOWEST && read > 0 {
                return Err(io::Error::from(io::ErrorKind::TimedOut));
            }
            (self.waited, self.came) = (Duration::ZERO, 0);
        }
        Ok(read)
    }
}

/// Where an answer's bytes lie in the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRange {
    /// Place of the first.
    pub start: u64,
    /// Bytes of the whole; none if it is not said.
    pub whole: Option<u64>,
}

/// Reads a `Content-Range` header: `bytes 5-9/10` or `bytes 5-9/*`.
pub fn content_range(header: &str) -> Option<ContentRange> {
    let number =
        |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    let (range, whole) = header.trim().strip_prefix("bytes ")?.trim().split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let (start, end) = (number(start)?, number(end)?);
    let whole = if whole == "*" { None } else { Some(number(whole)?) };
    (start <= end && whole.is_none_or(|whole| end < whole)).then_some(ContentRange { start, whole })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_are_read() {
        let range = |start, whole| Some(ContentRange { start, whole });
        assert_eq!(content_range("bytes 5-9/10"), range(5, Some(10)));
        assert_eq!(content_range("bytes 0-0/*"), range(0, None));
        for wrong in [
            "",
            "bytes",
            "bytes 5-9",
            "bytes */10",
            "bytes 9-5/10",
            "bytes 5-10/10",
            "items 5-9/10",
            "bytes -5-9/10",
            "bytes +5-9/10",
            "bytes 5-99999999999999999999/100000000000000000000",
        ] {
            assert_eq!(content_range(wrong), None, "{wrong}");
        }
    }
}
