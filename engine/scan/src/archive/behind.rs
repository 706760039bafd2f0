//! An archive behind the program that launches or unpacks it: an executable jar, a zipapp, a self-extracting archive.

use std::io::{self, Read};

use object::elf::{FileHeader32, FileHeader64};
use object::read::elf::FileHeader;
use object::{Endianness, FileKind};
use pratique_core::ArchiveFormat;

use super::HEAD;

/// Bytes of a script that are looked through for what begins behind it.
const SCRIPT: u64 = 256 << 10;
/// Bytes that tell what an archive is that begins with its sign. A tar does not, and any text could be taken for one.
const SIGN: usize = 10;

/// Reads a program of `size` bytes up to the archive behind it, if there is one, and leaves how that begins in `head`, which
/// holds how the program does.
pub(super) fn find(head: &mut Vec<u8>, file: &mut dyn Read, size: u64) -> io::Result<Option<ArchiveFormat>> {
    if head.starts_with(b"#!") {
        file.take(SCRIPT).read_to_end(head)?;
        return Ok(behind_text(head).map(|(place, format)| {
            head.drain(..place);
            format
        }));
    }
    let Some(end) = end_of_elf(head).filter(|end| *end < size) else { return Ok(None) };
    let held = end.min(head.len() as u64);
    head.drain(..held as usize);
    io::copy(&mut (&mut *file).take(end - held), &mut io::sink())?;
    file.take((HEAD.saturating_sub(head.len())) as u64).read_to_end(head)?;
    Ok(ArchiveFormat::of(head))
}

/// The first archive behind a text, which has no zero byte.
fn behind_text(bytes: &[u8]) -> Option<(usize, ArchiveFormat)> {
    let text = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    (0..text).find_map(|at| Some((at, ArchiveFormat::of(&bytes[at..bytes.len().min(at + SIGN)])?)))
}

/// Where an ELF file ends: its table of sections comes last (<https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.intro.html>).
fn end_of_elf(head: &[u8]) -> Option<u64> {
    match FileKind::parse(head).ok()? {
        FileKind::Elf32 => end_of_sections::<FileHeader32<Endianness>>(head),
        FileKind::Elf64 => end_of_sections::<FileHeader64<Endianness>>(head),
        _ => None,
    }
}

fn end_of_sections<H: FileHeader<Endian = Endianness>>(head: &[u8]) -> Option<u64> {
    let header = H::parse(head).ok()?;
    let endian = header.endian().ok()?;
    let start: u64 = header.e_shoff(endian).into();
    let length = u64::from(header.e_shentsize(endian)) * u64::from(header.e_shnum(endian));
    (start > 0).then(|| start.saturating_add(length))
}
