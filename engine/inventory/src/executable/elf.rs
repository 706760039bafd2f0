//! ELF (<https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html>).

use std::io;

use super::{Executable, MAX_ENTRIES, MAX_NAMES, Numbers, Section, until_zero};

const LOAD: u32 = 1;
const WRITABLE: u64 = 2;
const NO_BITS: u32 = 8;
const SECTION_WRITABLE: u64 = 1;

/// Where the fields of the two classes lie.
struct Layout {
    wide: bool,
    program_headers: usize,
    section_headers: usize,
    counts: usize,
    program_header_size: usize,
    section_header_size: usize,
}

const NARROW: Layout = Layout {
    wide: false,
    program_headers: 28,
    section_headers: 32,
    counts: 42,
    program_header_size: 32,
    section_header_size: 40,
};
const WIDE: Layout = Layout {
    wide: true,
    program_headers: 32,
    section_headers: 40,
    counts: 54,
    program_header_size: 56,
    section_header_size: 64,
};

/// Reads the tables. A table that cannot be understood stays empty: programs run without sections.
pub(super) fn read(program: &mut Executable<'_>, head: &[u8]) -> io::Result<Option<()>> {
    let layout = match head.get(4) {
        Some(1) => NARROW,
        Some(2) => WIDE,
        _ => return Ok(None),
    };
    program.big_endian = head.get(5) == Some(&2);
    let header = Numbers { bytes: head, big_endian: program.big_endian };
    let Some(tables) = tables(header, &layout) else { return Ok(None) };
    let (offset, count) = tables.program_headers;
    let bytes = program.read(offset, count * layout.program_header_size)?;
    program.segments = bytes
        .chunks_exact(layout.program_header_size)
        .filter_map(|entry| segment(Numbers { bytes: entry, ..header }, &layout))
        .collect();
    let (offset, count) = tables.section_headers;
    let bytes = program.read(offset, count * layout.section_header_size)?;
    let entries: Vec<_> = bytes
        .chunks_exact(layout.section_header_size)
        .filter_map(|entry| section(Numbers { bytes: entry, ..header }, &layout))
        .collect();
    let Some((_, names)) = entries.get(tables.names) else { return Ok(Some(())) };
    let names = program.read(names.offset, (names.size as usize).min(MAX_NAMES))?;
    program.sections = entries
        .into_iter()
        .map(|(name, section)| {
            let name = until_zero(names.get(name as usize..).unwrap_or_default()).to_vec();
            Section { name, ..section }
        })
        .collect();
    Ok(Some(()))
}

struct Tables {
    program_headers: (u64, usize),
    section_headers: (u64, usize),
    /// Index of the section that holds the names.
    names: usize,
}

fn tables(header: Numbers<'_>, layout: &Layout) -> Option<Tables> {
    let count = |at: usize, size: usize| -> Option<usize> {
        let entry = header.u16(layout.counts + at)?;
        let count = header.u16(layout.counts + at + 2)?;
        Some(if usize::from(entry) == size { usize::from(count).min(MAX_ENTRIES) } else { 0 })
    };
    Some(Tables {
        program_headers: (
            header.word(layout.wide, layout.program_headers)?,
            count(0, layout.program_header_size)?,
        ),
        section_headers: (
            header.word(layout.wide, layout.section_headers)?,
            count(4, layout.section_header_size)?,
        ),
        names: usize::from(header.u16(layout.counts + 8)?),
    })
}

fn segment(entry: Numbers<'_>, layout: &Layout) -> Option<Section> {
    if entry.u32(0)? != LOAD {
        return None;
    }
    let (offset, address, size, flags) = if layout.wide {
        (entry.u64(8)?, entry.u64(16)?, entry.u64(32)?, entry.u32(4)?)
    } else {
        (u64::from(entry.u32(4)?), u64::from(entry.u32(8)?), u64::from(entry.u32(16)?), entry.u32(24)?)
    };
    Some(Section { name: Vec::new(), address, offset, size, writable: u64::from(flags) & WRITABLE != 0 })
}

/// The place of its name, and the section.
fn section(entry: Numbers<'_>, layout: &Layout) -> Option<(u32, Section)> {
    let word = |index: usize| entry.word(layout.wide, 8 + index * if layout.wide { 8 } else { 4 });
    let size = if entry.u32(4)? == NO_BITS { 0 } else { word(3)? };
    let section = Section {
        name: Vec::new(),
        address: word(1)?,
        offset: word(2)?,
        size,
        writable: word(0)? & SECTION_WRITABLE != 0,
    };
    Some((entry.u32(0)?, section))
}
