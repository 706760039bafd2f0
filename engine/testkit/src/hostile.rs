//! Blobs that lie, break off or explode. All are small.

use std::io::Write;

use tar::{EntryType, Header};

use crate::layer::pad;
use crate::{Compression, LayerBuilder};

/// A tar whose only file claims `size` bytes, of which `content` are all there are.
pub fn lying_size(path: &str, size: u64, content: &[u8]) -> Vec<u8> {
    let mut out = header(path, EntryType::Regular, size);
    out.extend_from_slice(content);
    out
}

/// A blob cut off after `keep` bytes.
pub fn truncated(layer: &LayerBuilder, compression: Compression, keep: usize) -> Vec<u8> {
    let mut blob = layer.to_blob(compression);
    assert!(keep < blob.len(), "nothing would be cut");
    blob.truncate(keep);
    blob
}

/// A tar whose GNU long name (or whose PAX header) claims `size` bytes.
pub fn endless_name(kind: EntryType, size: u64) -> Vec<u8> {
    let mut out = header("././@LongLink", kind, size);
    out.extend_from_slice(&[b'a'; 4096]);
    out
}

/// A gzip bomb: a tar with one file of `size` zero bytes, about a thousandth of it long.
pub fn bomb(path: &str, size: u64) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&header(path, EntryType::Regular, size)).expect("memory takes everything");
    let zeros = [0; 1 << 16];
    let mut left = size.next_multiple_of(512) + 1024;
    while left > 0 {
        let now = left.min(zeros.len() as u64) as usize;
        gzip.write_all(&zeros[..now]).expect("memory takes everything");
        left -= now as u64;
    }
    gzip.finish().expect("memory takes everything")
}

/// A tar with one file named and sized by PAX records, such as `[("path", b"etc/shadow")]`.
pub fn pax(records: &[(&str, &[u8])], path: &str, content: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (key, value) in records {
        // The length counts its own digits.
        let bare = key.len() + value.len() + 3;
        let mut length = bare + 1;
        while bare + length.to_string().len() != length {
            length += 1;
        }
        write!(body, "{length} {key}=").expect("memory takes everything");
        body.extend_from_slice(value);
        body.push(b'\n');
    }
    let mut out = header("PaxHeaders/x", EntryType::XHeader, body.len() as u64);
    pad(&mut out, &body);
    out.extend(header(path, EntryType::Regular, content.len() as u64));
    pad(&mut out, content);
    out.extend_from_slice(&[0; 1024]);
    out
}

fn header(path: &str, kind: EntryType, size: u64) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(size);
    header.set_cksum();
    header.as_bytes().to_vec()
}
