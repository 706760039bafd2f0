//! Small programs for tests: headers, named sections and nothing else.

/// A 64-bit little-endian ELF file with these sections, one writable segment over all of them, loaded at 0x40_0000, and
/// zeros up to `size`. Section `i` lies at [`offset_of`]`(i)`.
pub(crate) fn elf(sections: &[(&str, &[u8])], size: usize) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(0x1000, 0);
    let mut names = vec![0];
    let mut table = vec![0; 64];
    for (name, content) in sections.iter().copied().chain([(".shstrtab", &[][..])]) {
        let name_at = names.len() as u32;
        names.extend(name.as_bytes());
        names.push(0);
        let content = if name == ".shstrtab" { names.clone() } else { content.to_vec() };
        bytes.resize(bytes.len().next_multiple_of(64), 0);
        let mut entry = [0; 64];
        entry[..4].copy_from_slice(&name_at.to_le_bytes());
        entry[4..8].copy_from_slice(&1u32.to_le_bytes());
        entry[8..16].copy_from_slice(&3u64.to_le_bytes());
        entry[16..24].copy_from_slice(&(0x40_0000 + bytes.len() as u64).to_le_bytes());
        entry[24..32].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
        entry[32..40].copy_from_slice(&(content.len() as u64).to_le_bytes());
        table.extend(entry);
        bytes.extend(content);
    }
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let table_at = bytes.len() as u64;
    bytes.extend(table);
    bytes.resize(bytes.len().max(size), 0);
    let length = bytes.len() as u64;
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(32, &64u64.to_le_bytes());
    put(40, &table_at.to_le_bytes());
    put(54, &56u16.to_le_bytes());
    put(56, &1u16.to_le_bytes());
    put(58, &64u16.to_le_bytes());
    put(60, &(sections.len() as u16 + 2).to_le_bytes());
    put(62, &(sections.len() as u16 + 1).to_le_bytes());
    put(64, &1u32.to_le_bytes());
    put(68, &6u32.to_le_bytes());
    put(80, &0x40_0000u64.to_le_bytes());
    put(96, &length.to_le_bytes());
    bytes
}
