//! PE (<https://learn.microsoft.com/en-us/windows/win32/debug/pe-format>).

use std::io;

use super::{Executable, MAX_ENTRIES, Numbers, Section, until_zero};

const WRITABLE: u32 = 0x8000_0000;
/// Sections of a PE file: its loader takes no more than 96.
const MAX_SECTIONS: usize = 96;
/// Bytes of the headers behind the signature, without the sections.
const MAX_HEADERS: usize = 4096;
const SECTION_SIZE: usize = 40;

/// Reads the headers. Addresses are made absolute with the image's base.
pub(super) fn read(program: &mut Executable<'_>, head: &[u8]) -> io::Result<Option<()>> {
    let Some(at) = Numbers::little(head).u32(0x3c) else { return Ok(None) };
    let headers = program.read(u64::from(at), MAX_HEADERS + MAX_SECTIONS * SECTION_SIZE)?;
    Ok(parse(program, Numbers::little(&headers)))
}

fn parse(program: &mut Executable<'_>, headers: Numbers<'_>) -> Option<()> {
    if headers.bytes.get(..4)? != b"PE\0\0" {
        return None;
    }
    let count = usize::from(headers.u16(6)?).min(MAX_SECTIONS).min(MAX_ENTRIES);
    let optional_size = usize::from(headers.u16(20)?);
    let (base, directories) = match headers.u16(24)? {
        0x10b => (u64::from(headers.u32(24 + 28)?), 24 + 96),
        0x20b => (headers.u64(24 + 24)?, 24 + 112),
        _ => return None,
    };
    let directory = |index: usize| -> Option<(u64, u64)> {
        let known = headers.u32(directories - 4)? as usize;
        let at = directories + index * 8;
        let (address, size) = (headers.u32(at)?, headers.u32(at + 4)?);
        (index < known && address != 0).then(|| (base.wrapping_add(u64::from(address)), u64::from(size)))
    };
    program.base = base;
    program.resources = directory(2);
    program.managed = directory(14).is_some();
    let table = headers.bytes.get(24 + optional_size..)?;
    program.sections = table
        .chunks_exact(SECTION_SIZE)
        .take(count)
        .filter_map(|entry| {
            let numbers = Numbers::little(entry);
            Some(Section {
                name: until_zero(&entry[..8]).to_vec(),
                address: base.wrapping_add(u64::from(numbers.u32(12)?)),
                offset: u64::from(numbers.u32(20)?),
                size: u64::from(numbers.u32(16)?),
                writable: numbers.u32(36)? & WRITABLE != 0,
            })
        })
        .collect();
    Some(())
}
