//! Text that is encoded, found in bytes of any kind: base64 and hexadecimal (RFC 4648), percent-encoding (RFC 3986, 2.1)
//! and UTF-16 of either order, as far as it is ASCII.
//!
//! Most bytes are not even looked at: a run has a least length, so one foreign byte rules out as many before it. Of a run
//! that is long enough a few bytes are decoded, and the rest only if they are text.

use std::ops::Range;

use memchr::memchr_iter;

/// How something is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Base64,
    Hexadecimal,
    Percent,
    Utf16,
}

impl Encoding {
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Hexadecimal => "hexadecimal",
            Self::Percent => "percent-encoding",
            Self::Utf16 => "UTF-16",
        }
    }
}

/// Shortest runs, in encoded bytes. That of base64 is what 20 characters make, unpadded.
const BASE64_RUN: usize = 27;
const HEX_RUN: usize = 40;
const UTF16_RUN: usize = 32;
/// Lines of base64 that are at least so long are one text with the next line.
const BASE64_LINE: usize = 60;
/// Blanks before a line of base64.
const MAX_INDENT: usize = 32;
/// Bytes before a `%` that are looked at for where its word begins.
const PERCENT_LEAD: usize = 256;
/// Encoded bytes that tell whether a run is text.
const SAMPLE: usize = 32;

/// What a run says.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) encoding: Encoding,
    pub(super) bytes: Vec<u8>,
    /// Where decoded bytes stand in the encoded ones, where that jumps.
    places: Vec<(usize, usize)>,
    /// Encoded bytes for each so many decoded ones.
    rate: (usize, usize),
}

impl Decoded {
    fn new(encoding: Encoding, start: usize, rate: (usize, usize)) -> Self {
        Self { encoding, bytes: Vec::new(), places: vec![(0, start)], rate }
    }

    /// Where the decoded byte at `at` stands in the encoded ones.
    pub(super) fn place(&self, at: usize) -> usize {
        let next = self.places.partition_point(|(decoded, _)| *decoded <= at);
        let (decoded, encoded) = self.places[next.saturating_sub(1)];
        encoded + (at - decoded) * self.rate.0 / self.rate.1
    }
}

/// Hands every run that says a text to `found`.
pub(super) fn each(bytes: &[u8], mut found: impl FnMut(Decoded)) {
    digits(bytes, &mut found);
    percent(bytes, &mut found);
    utf16(bytes, &mut found);
}

/// The first run at or behind `from` of at least `least` bytes that have a value, with its end.
fn next_run(bytes: &[u8], from: usize, least: usize, values: &[u8; 256]) -> Option<(usize, usize)> {
    let has_value = |byte: &u8| values[usize::from(*byte)] != NONE;
    let mut start = from;
    loop {
        let window = bytes.get(start..start + least)?;
        match window.iter().rposition(|byte| !has_value(byte)) {
            Some(foreign) => start += foreign + 1,
            None => {
                let rest = &bytes[start + least..];
                let more = rest.iter().position(|byte| !has_value(byte)).unwrap_or(rest.len());
                return Some((start, start + least + more));
            }
        }
    }
}

const NONE: u8 = 0xff;

/// Of both alphabets of RFC 4648.
static BASE64: [u8; 256] = {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut values = [NONE; 256];
    let mut value = 0;
    while value < digits.len() {
        values[digits[value] as usize] = value as u8;
        value += 1;
    }
    values[b'-' as usize] = 62;
    values[b'_' as usize] = 63;
    values
};

static HEX: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value] as usize] = value as u8;
        values[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    values
};

fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~')
}

/// The bytes that digits of `bits` bits each say.
fn decode<'a>(digits: &'a [u8], values: &'static [u8; 256], bits: u32) -> impl Iterator<Item = u8> + 'a {
    let (mut held, mut count) = (0_u32, 0);
    digits.iter().filter_map(move |digit| {
        held = (held << bits | u32::from(values[usize::from(*digit)])) & 0xffff;
        count += bits;
        (count >= 8).then(|| {
            count -= 8;
            (held >> count) as u8
        })
    })
}

/// How many digits before the text are not of it, if a part of the run is text: at its start, its middle or its end. A
/// zero may be half of a character.
fn text_begins(run: &[u8], values: &'static [u8; 256], bits: u32) -> Option<usize> {
    let group = if bits == 6 { 4 } else { 2 };
    (0..group).find(|skipped| {
        let digits = &run[*skipped..];
        let spare = digits.len().saturating_sub(SAMPLE) / group * group;
        [0, spare / 2 / group * group, spare].into_iter().any(|start| {
            let sample = &digits[start..digits.len().min(start + SAMPLE)];
            decode(sample, values, bits).all(|byte| byte == 0 || is_text(byte))
                && decode(sample, values, bits).filter(|byte| *byte != 0).count() * 20
                    >= sample.len() * bits as usize
        })
    })
}

/// Base64 and hexadecimal, of which all digits are digits of base64, too.
fn digits(bytes: &[u8], found: &mut impl FnMut(Decoded)) {
    let (mut from, mut taken) = (0, 0);
    while let Some((start, end)) = next_run(bytes, from, BASE64_RUN, &BASE64) {
        from = end;
        hexadecimal(bytes, start..end, found);
        // Lines that belong to the text before are none of their own.
        if start >= taken {
            taken = base64(bytes, start..end, found);
        }
    }
}

/// Where what was read of the run, and of the lines behind it, ends.
fn base64(bytes: &[u8], run: Range<usize>, found: &mut impl FnMut(Decoded)) -> usize {
    let (start, mut end) = (run.start, run.end);
    let line = &bytes[run];
    if line.iter().all(|byte| HEX[usize::from(*byte)] != NONE) {
        return end;
    }
    let Some(skipped) = text_begins(line, &BASE64, 6) else { return end };
    let mut decoded = Decoded::new(Encoding::Base64, start + skipped, (4, 3));
    let mut digits = bytes[start + skipped..end].to_vec();
    if line.len() >= BASE64_LINE {
        while let Some(next) = next_line(bytes, end, line.len()) {
            decoded.places.push((digits.len() * 3 / 4, next.start));
            digits.extend(&bytes[next.clone()]);
            end = next.end;
            if next.len() < line.len() {
                break;
            }
        }
    }
    decoded.bytes.extend(decode(&digits, &BASE64, 6));
    found(decoded);
    end
}

/// The line behind one of base64 that ends at `end`, if it is not longer than `length`. A line's end may be escaped.
fn next_line(bytes: &[u8], end: usize, length: usize) -> Option<Range<usize>> {
    let rest = &bytes[end..];
    let rest =
        [b"\r\n".as_slice(), b"\n", b"\\r\\n", b"\\n"].iter().find_map(|end| rest.strip_prefix(*end))?;
    let indent = rest.iter().take(MAX_INDENT).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let rest = &rest[indent..];
    let digits = |byte: &&u8| BASE64[usize::from(**byte)] != NONE;
    let digits = rest.iter().take(length + 1).take_while(digits).count();
    let start = bytes.len() - rest.len();
    (1..=length).contains(&digits).then_some(start..start + digits)
}

fn hexadecimal(bytes: &[u8], within: Range<usize>, found: &mut impl FnMut(Decoded)) {
    let (bytes, mut from) = (&bytes[..within.end], within.start);
    while let Some((start, end)) = next_run(bytes, from, HEX_RUN, &HEX) {
        from = end;
        let Some(skipped) = text_begins(&bytes[start..end], &HEX, 4) else { continue };
        let mut decoded = Decoded::new(Encoding::Hexadecimal, start + skipped, (2, 1));
        decoded.bytes.extend(decode(&bytes[start + skipped..end], &HEX, 4));
        found(decoded);
    }
}

/// The visible character that an escape at the start of these bytes stands for.
fn escaped(bytes: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = bytes else { return None };
    let (high, low) = (HEX[usize::from(*high)], HEX[usize::from(*low)]);
    let byte = (high != NONE && low != NONE).then_some(high << 4 | low)?;
    is_text(byte).then_some(byte)
}

fn percent(bytes: &[u8], found: &mut impl FnMut(Decoded)) {
    let is_word =
        |byte: &u8| matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'`');
    let mut from = 0;
    for sign in memchr_iter(b'%', bytes) {
        if sign < from || escaped(&bytes[sign..]).is_none() {
            continue;
        }
        let lead = bytes[from.max(sign.saturating_sub(PERCENT_LEAD))..sign].iter().rev();
        let mut at = sign - lead.take_while(|byte| is_word(byte)).count();
        let mut decoded = Decoded::new(Encoding::Percent, at, (1, 1));
        while let Some(byte) = bytes.get(at).filter(|byte| is_word(byte)) {
            match escaped(&bytes[at..]) {
                Some(byte) => {
                    decoded.bytes.push(byte);
                    at += 3;
                    decoded.places.push((decoded.bytes.len(), at));
                }
                None => {
                    decoded.bytes.push(*byte);
                    at += 1;
                }
            }
        }
        from = at;
        found(decoded);
    }
}

fn utf16(bytes: &[u8], found: &mut impl FnMut(Decoded)) {
    let mut at = 0;
    while let Some([one, other]) = bytes.get(at..at + 2) {
        // One of them is the zero of a character, wherever characters begin.
        let text = match (one, other) {
            (0, text) if is_text(*text) => at + 1,
            (text, 0) if is_text(*text) => at,
            _ => {
                at += UTF16_RUN - 2;
                continue;
            }
        };
        let fits = |place: usize| match place.abs_diff(text) % 2 {
            0 => is_text(bytes[place]),
            _ => bytes[place] == 0,
        };
        let start =
            (at.saturating_sub(UTF16_RUN)..at).rev().take_while(|place| fits(*place)).last().unwrap_or(at);
        let end = (at..bytes.len()).find(|place| !fits(*place)).unwrap_or(bytes.len());
        if end - start >= UTF16_RUN {
            let first = start + start.abs_diff(text) % 2;
            let mut decoded = Decoded::new(Encoding::Utf16, first, (2, 1));
            decoded.bytes.extend(bytes[first..end].iter().step_by(2));
            found(decoded);
        }
        at = end.max(at + 2);
    }
}
