//! Version resources of PE files: a tree of resources that is three levels deep
//! (<https://learn.microsoft.com/en-us/windows/win32/debug/pe-format#the-rsrc-section>), in which `VS_VERSIONINFO` lies
//! (<https://learn.microsoft.com/en-us/windows/win32/menurc/vs-versioninfo>). No offset or length in them is trusted.

use std::collections::BTreeMap;
use std::io;

use pratique_core::GapKind;

use crate::executable::{Executable, Numbers};

/// `RT_VERSION`.
const VERSION: u32 = 16;
const SUBDIRECTORY: u32 = 0x8000_0000;
/// Bytes of a folder of resources, and its entries that are looked at.
const MAX_FOLDER: usize = 16 + 8 * MAX_ENTRIES;
const MAX_ENTRIES: usize = 512;
/// Bytes of a version resource: lengths in it have 16 bits.
const MAX_RESOURCE: usize = 64 << 10;
/// Texts of a resource that are kept; a dozen are usual.
const MAX_STRINGS: usize = 256;
const FIXED_SIGNATURE: u32 = 0xfeef_04bd;

/// What a version resource says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Resource {
    /// `ProductVersion`, `OriginalFilename`…, of the first language that has them.
    pub(super) strings: BTreeMap<String, String>,
    /// The file's version as four numbers, unless all are 0.
    pub(super) file_version: Option<String>,
}

/// The version resource of a program; none if it has none.
///
/// # Errors
/// If it has one that cannot be read.
pub(super) fn read(program: &Executable<'_>) -> Result<Option<Resource>, (GapKind, String)> {
    let bytes = match find(program) {
        Ok(Found::Nothing) => return Ok(None),
        Ok(Found::Bytes(bytes)) => bytes,
        Ok(Found::Nowhere) => return Err((GapKind::Malformed, "it lies outside the file".to_owned())),
        Err(error) => return Err((GapKind::Unreadable, error.to_string())),
    };
    parse(&bytes).map(Some).ok_or((GapKind::Malformed, "no VS_VERSION_INFO".to_owned()))
}

enum Found {
    Nothing,
    Nowhere,
    Bytes(Vec<u8>),
}

fn find(program: &Executable<'_>) -> io::Result<Found> {
    let Some((root, _)) = program.resources else { return Ok(Found::Nothing) };
    // Types, names, languages: of the last two the first will do.
    let Some(names) = child(program, root, 0, Some(VERSION))? else { return Ok(Found::Nothing) };
    let mut offset = names;
    for _ in 0..2 {
        if offset & SUBDIRECTORY == 0 {
            break;
        }
        match child(program, root, offset & !SUBDIRECTORY, None)? {
            Some(next) => offset = next,
            None => return Ok(Found::Nowhere),
        }
    }
    if offset & SUBDIRECTORY != 0 {
        return Ok(Found::Nowhere);
    }
    let entry = program.read_address(root.wrapping_add(u64::from(offset)), 16)?;
    let entry = Numbers::little(&entry);
    let (Some(address), Some(size)) = (entry.u32(0), entry.u32(4)) else { return Ok(Found::Nowhere) };
    let address = program.base.wrapping_add(u64::from(address));
    let bytes = program.read_address(address, (size as usize).min(MAX_RESOURCE))?;
    Ok(if bytes.is_empty() { Found::Nowhere } else { Found::Bytes(bytes) })
}

/// Where the entry of this number (or the first one) of a folder leads, from the root of resources.
fn child(program: &Executable<'_>, root: u64, folder: u32, wanted: Option<u32>) -> io::Result<Option<u32>> {
    let bytes = program.read_address(root.wrapping_add(u64::from(folder)), MAX_FOLDER)?;
    let numbers = Numbers::little(&bytes);
    let (Some(named), Some(numbered)) = (numbers.u16(12), numbers.u16(14)) else { return Ok(None) };
    let count = usize::from(named) + usize::from(numbered);
    let mut entries = bytes.get(16..).unwrap_or_default().chunks_exact(8).take(count.min(MAX_ENTRIES));
    Ok(entries.find_map(|entry| {
        let entry = Numbers::little(entry);
        (wanted.is_none() || wanted == entry.u32(0)).then(|| entry.u32(4))?
    }))
}

/// One block of the resource: blocks hold a value and other blocks.
struct Block<'a> {
    key: String,
    value: &'a [u8],
    children: &'a [u8],
}

/// The block at the start of `bytes`, and what follows it.
fn block(bytes: &[u8]) -> Option<(Block<'_>, &[u8])> {
    let numbers = Numbers::little(bytes);
    let (length, value_length, kind) = (numbers.u16(0)?, numbers.u16(2)?, numbers.u16(4)?);
    let whole = bytes.get(..usize::from(length))?;
    let text = whole.get(6..)?.chunks_exact(2);
    let key: Vec<u16> =
        text.map(|unit| u16::from_le_bytes([unit[0], unit[1]])).take_while(|unit| *unit != 0).collect();
    let start = (6 + 2 * (key.len() + 1)).next_multiple_of(4);
    // Values of text are counted in characters.
    let value_length = usize::from(value_length) * if kind == 1 { 2 } else { 1 };
    let rest = whole.get(start..).unwrap_or_default();
    let value = &rest[..value_length.min(rest.len())];
    let children = rest.get(value.len().next_multiple_of(4)..).unwrap_or_default();
    let next = bytes.get(whole.len().next_multiple_of(4)..).unwrap_or_default();
    Some((Block { key: String::from_utf16_lossy(&key), value, children }, next))
}

/// The blocks one after the other, up to the first that is broken.
fn blocks(mut bytes: &[u8]) -> impl Iterator<Item = Block<'_>> {
    std::iter::from_fn(move || {
        let (block, next) = block(bytes)?;
        bytes = next;
        Some(block)
    })
}

fn parse(bytes: &[u8]) -> Option<Resource> {
    let (root, _) = block(bytes).filter(|(root, _)| root.key == "VS_VERSION_INFO")?;
    let fixed = Numbers::little(root.value);
    let mut resource = Resource::default();
    if let (Some(FIXED_SIGNATURE), Some(high), Some(low)) = (fixed.u32(0), fixed.u32(8), fixed.u32(12)) {
        let version = format!("{}.{}.{}.{}", high >> 16, high & 0xffff, low >> 16, low & 0xffff);
        resource.file_version = Some(version).filter(|_| high != 0 || low != 0);
    }
    let tables =
        blocks(root.children).filter(|block| block.key == "StringFileInfo").map(|block| block.children);
    for text in tables.flat_map(blocks).flat_map(|table| blocks(table.children)).take(MAX_STRINGS) {
        let units = text.value.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
        let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
        resource.strings.entry(text.key).or_insert_with(|| String::from_utf16_lossy(&units));
    }
    Some(resource)
}
