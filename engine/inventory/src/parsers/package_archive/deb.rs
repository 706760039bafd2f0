//! Debian's packages (<https://manpages.debian.org/deb.5>): an `ar` archive of `debian-binary`, `control.tar`, which holds the
//! paragraph that dpkg would write into its database, and `data.tar`.

use pratique_core::GapKind;

use super::{Read, as_installed, lacks, members};
use crate::parsers::dpkg;
use crate::zip::Part;

/// How such a file begins.
pub(super) const HEAD: &[u8] = b"!<arch>\n";
/// Bytes of a member's header (<https://manpages.debian.org/deb.5>, «FORMAT»): name 16, then other fields, size 10 at 48, and
/// two bytes of an end mark.
const HEADER: usize = 60;
/// Members that are looked at: the control archive is the second.
const MEMBERS: usize = 4;

pub(super) fn read(file: Part<'_>) -> Read {
    let mut at = HEAD.len() as u64;
    for _ in 0..MEMBERS {
        let mut header = [0; HEADER];
        let read = file.content.read_full_at(&mut header, at);
        let read = read.map_err(|error| (GapKind::Unreadable, error.to_string()))?;
        let size = std::str::from_utf8(&header[48..58]).ok().and_then(|digits| digits.trim().parse().ok());
        let (true, Some(size), b"`\n") = (read == HEADER, size, &header[58..]) else { break };
        let start = at + HEADER as u64;
        if header.starts_with(b"control.tar") {
            let member = Part { content: file.content, start, length: size };
            return match members::find(members::stream(member), |name| name == b"control")? {
                Some(control) => {
                    Ok(as_installed(&dpkg::PARSER, "var/lib/dpkg/status.d/control", &control.bytes))
                }
                None => lacks("control file"),
            };
        }
        // A member begins at an even place.
        at = start.saturating_add(size).saturating_add(size % 2);
    }
    lacks("readable control.tar")
}
