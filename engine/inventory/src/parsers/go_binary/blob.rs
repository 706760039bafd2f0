//! Where the linker puts build information, and its two forms: texts inline (Go 1.18 and later), and pointers before.

use std::io;

use pratique_core::GapKind;

use crate::executable::{Executable, Numbers, Section};

const MAGIC: &[u8] = b"\xff Go buildinf:";
/// It begins at a multiple of this.
const ALIGNMENT: usize = 16;
const HEADER: usize = 32;
/// Bytes of writable data that are searched in a program without a table of sections: the linker puts it first.
const MAX_SEARCH: usize = 1 << 20;
/// Bytes of a version, and of a list of modules (Kubernetes' has 30 KiB).
const MAX_VERSION: usize = 1024;
const MAX_MODULES: usize = 4 << 20;
/// Bytes around the list of modules by which the running program finds it.
const SENTINEL: usize = 16;

/// What is told of a program that is written in Go and does not say more.
pub(super) const BROKEN: &str = "a Go program whose build information is broken: its modules are not known";

/// What a program says of its build.
#[derive(Debug)]
pub(super) struct Build {
    /// `go1.22.1`, with more words for toolchains that are not Go's own.
    pub(super) go_version: String,
    /// Lines that begin with `path`, `mod`, `dep`, `=>`, `build`; empty without modules, none if the list is broken.
    pub(super) modules: Option<String>,
}

/// The build information of a program; none if it is not written in Go.
///
/// # Errors
/// If it has build information that cannot be read.
pub(super) fn find(program: &Executable<'_>) -> Result<Option<Build>, (GapKind, String)> {
    let unreadable = |error: io::Error| (GapKind::Unreadable, error.to_string());
    let Some(offset) = place(program).map_err(unreadable)? else { return Ok(None) };
    let header = program.read(offset, HEADER).map_err(unreadable)?;
    let build = match header.get(14..16) {
        Some([_, flags]) if flags & 2 != 0 => inline(program, offset + HEADER as u64),
        Some([size @ (4 | 8), flags]) => by_pointers(program, &header, *size, flags & 1 != 0),
        _ => Ok(None),
    };
    match build.map_err(unreadable)? {
        Some((version, modules)) => Ok(Some(Build {
            go_version: String::from_utf8_lossy(&version).into_owned(),
            modules: trimmed(&modules).map(|list| String::from_utf8_lossy(list).into_owned()),
        })),
        None => Err((GapKind::Malformed, BROKEN.to_owned())),
    }
}

/// The offset of its header.
fn place(program: &Executable<'_>) -> io::Result<Option<u64>> {
    for name in [".go.buildinfo", "__go_buildinfo"] {
        if let Some(section) = program.section(name) {
            return search(program, section);
        }
    }
    // ELF and Mach-O have it in a section of its own, so that a program with other sections is not written in Go. PE's
    // sections are few, and a program may have no table of them.
    let named = program.sections.iter().any(|section| section.name == b".text" || section.name == b"__text");
    let is_pe = program.segments.is_empty();
    if (named && !is_pe) || program.managed {
        return Ok(None);
    }
    let ranges = if is_pe { &program.sections } else { &program.segments };
    for range in ranges.iter().filter(|range| range.writable && range.size > 0) {
        if let Some(found) = search(program, range)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn search(program: &Executable<'_>, range: &Section) -> io::Result<Option<u64>> {
    let bytes = program.read(range.offset, range.size.min(MAX_SEARCH as u64) as usize)?;
    let at = bytes.chunks(ALIGNMENT).position(|chunk| chunk.starts_with(MAGIC));
    Ok(at.and_then(|at| range.offset.checked_add((at * ALIGNMENT) as u64)))
}

type Texts = Option<(Vec<u8>, Vec<u8>)>;

/// Two texts, each behind its length.
fn inline(program: &Executable<'_>, offset: u64) -> io::Result<Texts> {
    let text = |offset: u64, limit: usize| -> io::Result<Option<(Vec<u8>, u64)>> {
        let Some((length, width)) = varint(&program.read(offset, 10)?) else { return Ok(None) };
        if length > limit as u64 {
            return Ok(None);
        }
        let bytes = program.read(offset + width, length as usize)?;
        Ok((bytes.len() as u64 == length).then_some((bytes, offset + width + length)))
    };
    let Some((version, next)) = text(offset, MAX_VERSION)? else { return Ok(None) };
    Ok(text(next, MAX_MODULES)?.map(|(modules, _)| (version, modules)))
}

/// A number of 7 bits a byte, lowest first, and how many bytes it takes.
fn varint(bytes: &[u8]) -> Option<(u64, u64)> {
    let last = bytes.iter().position(|byte| byte & 0x80 == 0).filter(|last| *last < 5)?;
    let value = bytes[..=last].iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f));
    Some((value, last as u64 + 1))
}

/// Two addresses of Go strings, each an address and a length.
fn by_pointers(program: &Executable<'_>, header: &[u8], size: u8, big_endian: bool) -> io::Result<Texts> {
    let (wide, size) = (size == 8, usize::from(size));
    let text = |at: usize, limit: usize| -> io::Result<Option<Vec<u8>>> {
        let Some(address) = (Numbers { bytes: header, big_endian }).word(wide, at) else { return Ok(None) };
        if address == 0 {
            return Ok(Some(Vec::new()));
        }
        let string = program.read_address(address, 2 * size)?;
        let string = Numbers { bytes: &string, big_endian };
        let (Some(address), Some(length)) = (string.word(wide, 0), string.word(wide, size)) else {
            return Ok(None);
        };
        if length > limit as u64 {
            return Ok(None);
        }
        let bytes = program.read_address(address, length as usize)?;
        Ok((bytes.len() as u64 == length).then_some(bytes))
    };
    let Some(version) = text(16, MAX_VERSION)? else { return Ok(None) };
    Ok(text(16 + size, MAX_MODULES)?.map(|modules| (version, modules)))
}

/// The list without the bytes around it; none if they are not around it.
fn trimmed(modules: &[u8]) -> Option<&[u8]> {
    if modules.is_empty() {
        return Some(modules);
    }
    let list = modules.get(SENTINEL..modules.len().checked_sub(SENTINEL)?)?;
    list.ends_with(b"\n").then_some(list)
}

#[cfg(test)]
mod tests {
    use pratique_core::inspect::{FileInput, FileMode};

    use super::*;
    use crate::executable::builder::elf;

    const LIST: &str = "path\tcmd\nmod\texample.com/m\tv1.0.0\t\n";

    fn wrapped() -> Vec<u8> {
        [&[b'<'; 16][..], LIST.as_bytes(), &[b'>'; 16]].concat()
    }

    fn found(bytes: Vec<u8>) -> Result<Option<Build>, (GapKind, String)> {
        let mode = FileMode { permissions: 0o755, uid: 0, gid: 0 };
        let file = FileInput::in_memory(b"bin/x", mode, &bytes);
        let programs = Executable::all(&file).unwrap();
        find(&programs[0])
    }

    fn inline_blob() -> Vec<u8> {
        let mut blob = [MAGIC, &[8, 2], &[0; 16], &[8], b"go1.18.1", &[wrapped().len() as u8]].concat();
        blob.extend(wrapped());
        blob
    }

    #[test]
    fn texts_behind_their_lengths_are_read() {
        let build = found(elf(&[(".text", b"x"), (".go.buildinfo", &inline_blob())], 0)).unwrap().unwrap();
        assert_eq!((build.go_version.as_str(), build.modules.as_deref()), ("go1.18.1", Some(LIST)));
    }

    /// As Go 1.13 to 1.17 wrote it; made by hand from the format's description.
    #[test]
    fn texts_behind_pointers_are_read_in_both_byte_orders() {
        for (big_endian, flags) in [(false, 0), (true, 1)] {
            let word = |value: u64| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
            // The builder puts the first section at 0x40_1000.
            let text = |at: u64| 0x40_1000 + at;
            let mut data = [MAGIC, &[8, flags], &word(text(32)), &word(text(48))].concat();
            data.extend([word(text(64)), word(8), word(text(72)), word(wrapped().len() as u64)].concat());
            data.extend(b"go1.16.2");
            data.extend(wrapped());
            let build = found(elf(&[(".go.buildinfo", &data)], 0)).unwrap().unwrap();
            assert_eq!((build.go_version.as_str(), build.modules.as_deref()), ("go1.16.2", Some(LIST)));
        }
    }

    #[test]
    fn a_program_without_a_table_of_sections_is_searched() {
        let mut bytes = elf(&[(".data", &[[0; 64].as_slice(), &inline_blob()].concat())], 0);
        bytes[40..48].fill(0);
        bytes[60..62].fill(0);
        assert_eq!(found(bytes).unwrap().unwrap().go_version, "go1.18.1");
    }

    #[test]
    fn a_text_that_only_mentions_the_magic_is_no_go_program() {
        assert!(found(elf(&[(".text", b"x"), (".data", &inline_blob())], 0)).unwrap().is_none());
    }

    #[test]
    fn lengths_and_pointers_that_lead_nowhere_are_told() {
        for blob in [
            [MAGIC, &[8, 2], &[0; 16], &[0xff, 0xff, 0xff, 0xff, 0x0f]].concat(),
            [MAGIC, &[8, 2], &[0; 16], &[0xff; 10]].concat(),
            [MAGIC, &[8, 2], &[0; 16], &[8], b"go1.18.1", &[0xff, 0xff, 0x7f]].concat(),
            [MAGIC, &[8, 0], &[0xff; 16]].concat(),
            [MAGIC, &[8, 0], &0x40_1000u64.to_le_bytes(), &0x40_1000u64.to_le_bytes()].concat(),
            [MAGIC, &[7, 0], &[0; 16]].concat(),
            MAGIC.to_vec(),
        ] {
            let (kind, reason) = found(elf(&[(".go.buildinfo", &blob)], 0)).unwrap_err();
            assert_eq!(kind, GapKind::Malformed, "{reason}");
        }
    }
}
