//! Program files: where the sections and segments of ELF, PE and Mach-O lie. Only the tables are read, never the whole
//! file, and no offset, size or count in them is trusted.

mod elf;
mod macho;
mod pe;

#[cfg(test)]
pub(crate) mod builder;

use std::io;

use pratique_core::inspect::{FileInput, ReadAt};

/// Sections (and segments) of one program that are looked at; real ones have some dozens.
const MAX_ENTRIES: usize = 1024;
/// Bytes of a table of names.
const MAX_NAMES: usize = 64 << 10;
/// Programs in one universal Mach-O file.
const MAX_ARCHITECTURES: usize = 8;

/// How an ELF, PE or Mach-O file begins; the last two are universal Mach-O files, and Java classes too.
pub(crate) const HEADS: &[&[u8]] = &[
    b"\x7fELF",
    b"MZ",
    b"\xcf\xfa\xed\xfe",
    b"\xce\xfa\xed\xfe",
    b"\xfe\xed\xfa\xcf",
    b"\xfe\xed\xfa\xce",
    b"\xca\xfe\xba\xbe\0\0\0",
];

/// One program.
pub(crate) struct Executable<'a> {
    content: &'a dyn ReadAt,
    /// The file's first bytes, which are in memory.
    head: &'a [u8],
    /// Where the program begins in its file and where it ends: a universal Mach-O file holds several.
    start: u64,
    end: u64,
    /// Byte order of its numbers.
    pub(crate) big_endian: bool,
    /// Its sections, as far as it has a table of them that can be read.
    pub(crate) sections: Vec<Section>,
    /// Its loadable segments.
    pub(crate) segments: Vec<Section>,
    /// Where a PE file wants to be loaded: its tables speak of addresses relative to it. 0 in other formats.
    pub(crate) base: u64,
    /// Address and size of PE's resources.
    pub(crate) resources: Option<(u64, u64)>,
    /// Whether it is a PE file with code for .NET.
    pub(crate) managed: bool,
}

/// A named range of a program. Its bytes may lie outside the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    /// As the table has it; a segment of ELF has none.
    pub(crate) name: Vec<u8>,
    /// Where it is loaded.
    pub(crate) address: u64,
    /// Where its bytes lie, from the program's start.
    pub(crate) offset: u64,
    /// How many of them are in the file.
    pub(crate) size: u64,
    /// Whether it is data that the program may change.
    pub(crate) writable: bool,
}

impl<'a> Executable<'a> {
    /// The programs of a file: none if it is of no known format, more than one in a universal Mach-O file.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn all(file: &FileInput<'a>) -> io::Result<Vec<Self>> {
        let mut programs = Vec::new();
        for (start, end) in macho::architectures(file.bytes).unwrap_or_else(|| vec![(0, file.size)]) {
            let mut program = Self {
                content: file.content,
                head: file.bytes,
                start,
                end: end.min(file.size),
                big_endian: false,
                sections: Vec::new(),
                segments: Vec::new(),
                base: 0,
                resources: None,
                managed: false,
            };
            let head = program.read(0, 4096)?;
            let known = match head.get(..4) {
                Some(b"\x7fELF") => elf::read(&mut program, &head)?,
                Some([b'M', b'Z', ..]) => pe::read(&mut program, &head)?,
                Some(_) => macho::read(&mut program, &head)?,
                None => None,
            };
            if known.is_some() {
                programs.push(program);
            }
        }
        Ok(programs)
    }

    /// The section of this name.
    pub(crate) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name.as_bytes())
    }

    /// At most `length` bytes of the section of this name; none if there is none.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn section_bytes(&self, name: &str, length: u64) -> io::Result<Option<Vec<u8>>> {
        let read = |section: &Section| self.read(section.offset, section.size.min(length) as usize);
        self.section(name).map(read).transpose()
    }

    /// At most `length` bytes at an offset from the program's start; fewer where the program ends.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let Some(offset) = self.start.checked_add(offset) else { return Ok(Vec::new()) };
        let length = self.end.saturating_sub(offset).min(length as u64) as usize;
        if let Some(bytes) = self.head.get(offset as usize..).and_then(|rest| rest.get(..length)) {
            return Ok(bytes.to_vec());
        }
        let mut bytes = vec![0; length];
        let read = self.content.read_full_at(&mut bytes, offset)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// At most `length` bytes that are loaded at an address, from the section or segment that holds it.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn read_address(&self, address: u64, length: usize) -> io::Result<Vec<u8>> {
        let holds = |range: &&Section| address.checked_sub(range.address).is_some_and(|at| at < range.size);
        let Some(range) = self.segments.iter().find(holds).or_else(|| self.sections.iter().find(holds))
        else {
            return Ok(Vec::new());
        };
        let inside = address - range.address;
        let length = (range.size - inside).min(length as u64) as usize;
        match range.offset.checked_add(inside) {
            Some(offset) => self.read(offset, length),
            None => Ok(Vec::new()),
        }
    }
}

/// Numbers in bytes of one byte order.
#[derive(Clone, Copy)]
pub(crate) struct Numbers<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) big_endian: bool,
}

impl<'a> Numbers<'a> {
    pub(crate) fn little(bytes: &'a [u8]) -> Self {
        Self { bytes, big_endian: false }
    }

    fn array<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        let mut array: [u8; N] = self.bytes.get(at..at.checked_add(N)?)?.try_into().ok()?;
        if !self.big_endian {
            array.reverse();
        }
        Some(array)
    }

    pub(crate) fn u16(self, at: usize) -> Option<u16> {
        self.array(at).map(u16::from_be_bytes)
    }

    pub(crate) fn u32(self, at: usize) -> Option<u32> {
        self.array(at).map(u32::from_be_bytes)
    }

    pub(crate) fn u64(self, at: usize) -> Option<u64> {
        self.array(at).map(u64::from_be_bytes)
    }

    /// A number of 4 or 8 bytes.
    pub(crate) fn word(self, wide: bool, at: usize) -> Option<u64> {
        if wide { self.u64(at) } else { self.u32(at).map(u64::from) }
    }
}

/// A text that ends at the first zero byte or where the bytes end.
fn until_zero(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}
