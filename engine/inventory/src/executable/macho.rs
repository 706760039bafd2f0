//! Mach-O (<https://github.com/apple-oss-distributions/xnu/blob/main/EXTERNAL_HEADERS/mach-o/loader.h>).

use std::io;

use super::{Executable, MAX_ARCHITECTURES, MAX_ENTRIES, Numbers, Section, until_zero};

/// Bytes of load commands.
const MAX_COMMANDS: usize = 64 << 10;
const SEGMENT: u32 = 1;
const SEGMENT_64: u32 = 0x19;
const WRITE: u32 = 2;

/// Start and end of each program of a universal file; none if it is no such file. Java's classes begin with the same
/// bytes, but have a version where a universal file counts its programs.
pub(super) fn architectures(head: &[u8]) -> Option<Vec<(u64, u64)>> {
    let numbers = Numbers { bytes: head, big_endian: true };
    let count = numbers.u32(4)? as usize;
    if numbers.u32(0)? != 0xcafe_babe || count > MAX_ARCHITECTURES {
        return None;
    }
    let range = |index: usize| {
        let start = u64::from(numbers.u32(8 + index * 20 + 8)?);
        Some((start, start + u64::from(numbers.u32(8 + index * 20 + 12)?)))
    };
    (0..count).map(range).collect()
}

/// Reads the load commands.
pub(super) fn read(program: &mut Executable<'_>, head: &[u8]) -> io::Result<Option<()>> {
    let (big_endian, wide) = match head.get(..4) {
        Some(b"\xcf\xfa\xed\xfe") => (false, true),
        Some(b"\xce\xfa\xed\xfe") => (false, false),
        Some(b"\xfe\xed\xfa\xcf") => (true, true),
        Some(b"\xfe\xed\xfa\xce") => (true, false),
        _ => return Ok(None),
    };
    program.big_endian = big_endian;
    let Some(size) = (Numbers { bytes: head, big_endian }).u32(20) else { return Ok(None) };
    let commands = program.read(if wide { 32 } else { 28 }, (size as usize).min(MAX_COMMANDS))?;
    let mut rest = &commands[..];
    while program.sections.len() + program.segments.len() < MAX_ENTRIES {
        let numbers = Numbers { bytes: rest, big_endian };
        let (Some(kind), Some(size)) = (numbers.u32(0), numbers.u32(4)) else { break };
        let Some(command) = rest.get(..size as usize).filter(|command| command.len() >= 8) else { break };
        if kind == if wide { SEGMENT_64 } else { SEGMENT } {
            segment(program, Numbers { bytes: command, big_endian }, wide);
        }
        rest = &rest[command.len()..];
    }
    Ok(Some(()))
}

fn segment(program: &mut Executable<'_>, command: Numbers<'_>, wide: bool) -> Option<()> {
    let word = |index: usize| command.word(wide, 24 + index * if wide { 8 } else { 4 });
    let protection = if wide { 60 } else { 44 };
    let writable = command.u32(protection)? & WRITE != 0;
    program.segments.push(Section {
        name: until_zero(command.bytes.get(8..24)?).to_vec(),
        address: word(0)?,
        offset: word(2)?,
        size: word(3)?,
        writable,
    });
    let (start, length) = if wide { (72, 80) } else { (56, 68) };
    for entry in command.bytes.get(start..)?.chunks_exact(length).take(MAX_ENTRIES - program.sections.len()) {
        let numbers = Numbers { bytes: entry, big_endian: command.big_endian };
        let (address, size, offset) = if wide {
            (numbers.u64(32)?, numbers.u64(40)?, numbers.u32(48)?)
        } else {
            (u64::from(numbers.u32(32)?), u64::from(numbers.u32(36)?), numbers.u32(40)?)
        };
        program.sections.push(Section {
            name: until_zero(&entry[..16]).to_vec(),
            address,
            offset: u64::from(offset),
            size,
            writable,
        });
    }
    Some(())
}
