//! Records: what a row of a table, or an entry of an index, consists of.

/// A column of a record.
pub(super) struct Column<'a> {
    /// Its serial type.
    pub(super) kind: u64,
    pub(super) bytes: &'a [u8],
    /// Whether the record breaks off before its end.
    pub(super) is_cut: bool,
}

/// The columns of a record, as far as it goes.
pub(super) fn columns(record: &[u8]) -> impl Iterator<Item = Column<'_>> {
    let mut types = record;
    let header = varint(&mut types).and_then(|header| usize::try_from(header).ok());
    let behind = record.len() - types.len();
    let mut start = header.unwrap_or_default();
    let mut types = record.get(behind..start.min(record.len())).unwrap_or_default();
    std::iter::from_fn(move || {
        let kind = varint(&mut types)?;
        let length = match kind {
            0 | 8..=11 => 0,
            1..=4 => kind,
            5 => 6,
            6 | 7 => 8,
            12.. => (kind - 12) / 2,
        };
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        let bytes = record.get(start..end.min(record.len()))?;
        start = end;
        Some(Column { kind, bytes, is_cut: end > record.len() })
    })
}

/// The bytes of a column of a record; none if it is NULL, empty, or not there.
pub(super) fn value(record: &[u8], column: usize) -> Option<&[u8]> {
    let column = columns(record).nth(column)?;
    match column.kind {
        8 => Some(&[0]),
        9 => Some(&[1]),
        _ => Some(column.bytes).filter(|bytes| !bytes.is_empty() && !column.is_cut),
    }
}

/// A big-endian integer; page numbers have at most four bytes.
pub(super) fn integer(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// Takes a number of one to nine bytes.
pub(super) fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for place in 0..9 {
        let byte = *bytes.split_off_first()?;
        if place == 8 {
            return Some(value << 8 | u64::from(byte));
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}
