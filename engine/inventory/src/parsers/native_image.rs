//! Native images of GraalVM: the SBOM that `native-image` embeds (CycloneDX, gzip), at the address of its exported symbol
//! `sbom` and as long as the number at `sbom_length` says
//! (<https://www.graalvm.org/latest/security-guide/native-image/sbom/>).
//!
//! Limits: 64-bit ELF files; images built without an SBOM do not say what is in them.

use std::io::{self, Read as _};

use pratique_core::GapKind;
use pratique_core::inspect::{Extent, FileInput, Interest};
use pratique_core::package::{Evidence, Record};

use crate::executable::{Executable, Numbers};
use crate::{Parsed, Parser, sbom};

/// The parser.
pub(super) static PARSER: NativeImage = NativeImage;

/// Bytes of the table of exported symbols, and of their names; an image exports some thousands at most.
const MAX_SYMBOLS: usize = 1 << 20;
const SYMBOL_SIZE: usize = 24;
/// Bytes of the SBOM, compressed and unpacked; it is told to be a ten-thousandth of the image.
const MAX_SBOM: usize = 16 << 20;

pub(super) struct NativeImage;

impl Parser for NativeImage {
    fn id(&self) -> &'static str {
        "native-image"
    }

    fn interests(&self) -> &'static [Interest] {
        const {
            &[Interest {
                globs: &["**"],
                heads: &[b"\x7fELF\x02"],
                min_size: 64 << 10,
                extent: Extent::Whole(4 << 30),
            }]
        }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let unreadable = |error: io::Error| (GapKind::Unreadable, error.to_string());
        let parsed = Executable::all(file).map_err(unreadable).and_then(|programs| {
            // Nothing else has the section in which an image keeps its heap.
            let image = programs.iter().find(|program| program.section(".svm_heap").is_some());
            let Some(image) = image else { return Ok(Parsed::default()) };
            match symbols(image).map_err(unreadable)? {
                Some(place) => embedded(image, place, file),
                None => Ok(Parsed::default()),
            }
        });
        parsed.unwrap_or_else(|(kind, reason)| Parsed::problem(kind, format!("the embedded SBOM: {reason}")))
    }
}

/// Addresses of the SBOM and of its length.
struct Place {
    sbom: u64,
    length: u64,
}

/// Where the exported symbols say that the SBOM lies.
fn symbols(image: &Executable<'_>) -> io::Result<Option<Place>> {
    let table = |name: &str| match image.section(name) {
        Some(section) => image.read(section.offset, section.size.min(MAX_SYMBOLS as u64) as usize),
        None => Ok(Vec::new()),
    };
    let (symbols, names) = (table(".dynsym")?, table(".dynstr")?);
    let address = |wanted: &[u8]| {
        symbols.chunks_exact(SYMBOL_SIZE).find_map(|symbol| {
            let numbers = Numbers { bytes: symbol, big_endian: image.big_endian };
            let name = names.get(numbers.u32(0)? as usize..)?;
            if name.strip_prefix(wanted)?.first() == Some(&0) { numbers.u64(8) } else { None }
        })
    };
    Ok(address(b"sbom").and_then(|sbom| Some(Place { sbom, length: address(b"sbom_length")? })))
}

/// The packages of the SBOM, built into the image.
fn embedded(image: &Executable<'_>, place: Place, file: &FileInput<'_>) -> Result<Parsed, (GapKind, String)> {
    let unreadable = |error: io::Error| (GapKind::Unreadable, error.to_string());
    let length = image.read_address(place.length, 8).map_err(unreadable)?;
    let Some(length) = (Numbers { bytes: &length, big_endian: image.big_endian }).u64(0) else {
        return Err((GapKind::Malformed, "its length lies outside the image".to_owned()));
    };
    if length > MAX_SBOM as u64 {
        return Err((GapKind::Limit, format!("{length} bytes, of which at most {MAX_SBOM} are read")));
    }
    let compressed = image.read_address(place.sbom, length as usize).map_err(unreadable)?;
    if compressed.len() as u64 != length {
        return Err((GapKind::Malformed, "it lies outside the image".to_owned()));
    }
    let mut document = Vec::new();
    flate2::read::GzDecoder::new(&compressed[..])
        .take(MAX_SBOM as u64 + 1)
        .read_to_end(&mut document)
        .map_err(|error| (GapKind::Malformed, error.to_string()))?;
    if document.len() > MAX_SBOM {
        return Err((GapKind::Limit, format!("more than {MAX_SBOM} bytes when unpacked")));
    }
    let mut parsed = sbom::parse(&FileInput::in_memory(file.path, file.mode, &document));
    for record in &mut parsed.records {
        if let Record::Package { package, .. } = record {
            package.evidence = Evidence::Embedded;
        }
    }
    for (_, reason) in &mut parsed.problems {
        reason.insert_str(0, "the embedded SBOM: ");
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use pratique_core::inspect::FileMode;

    use super::*;
    use crate::executable::builder::elf;

    const DOCUMENT: &[u8] = br#"{"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [
        {"type": "library", "name": "tide", "purl": "pkg:maven/org.example/tide@1.4.2"}]}"#;

    fn gzip(document: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(document).unwrap();
        encoder.finish().unwrap()
    }

    /// An image that says its SBOM is `length` bytes long. The builder puts the first section at 0x40_1000.
    fn parse(compressed: &[u8], length: u64) -> Parsed {
        const DATA: u64 = 0x40_1000;
        let data = [&length.to_le_bytes()[..], compressed].concat();
        let names = b"\0sbom_length\0sbom\0sbomb\0";
        let symbol = |name: u32, address: u64| {
            let mut symbol = [0; SYMBOL_SIZE];
            symbol[..4].copy_from_slice(&name.to_le_bytes());
            symbol[8..16].copy_from_slice(&address.to_le_bytes());
            symbol
        };
        let symbols = [symbol(0, 0), symbol(18, 1), symbol(1, DATA), symbol(13, DATA + 8)].concat();
        let sections: &[(&str, &[u8])] =
            &[(".data", &data), (".svm_heap", b"heap"), (".dynsym", &symbols), (".dynstr", names)];
        let bytes = elf(sections, 0);
        let mode = FileMode { permissions: 0o755, uid: 0, gid: 0 };
        NativeImage.parse(&FileInput::in_memory(b"app/tide", mode, &bytes))
    }

    #[test]
    fn the_sbom_of_a_native_image_is_what_is_built_into_it() {
        let compressed = gzip(DOCUMENT);
        let parsed = parse(&compressed, compressed.len() as u64);
        let [Record::Package { package, .. }] = &parsed.records[..] else { panic!("{parsed:?}") };
        assert_eq!((package.name.as_str(), package.version.as_str()), ("org.example:tide", "1.4.2"));
        assert_eq!((package.evidence, parsed.problems.len()), (Evidence::Embedded, 0));
    }

    #[test]
    fn an_embedded_sbom_that_lies_or_explodes_is_told() {
        let compressed = gzip(DOCUMENT);
        let bomb = gzip(&vec![b' '; MAX_SBOM + 1]);
        for (bytes, length, kind) in [
            (&compressed[..], 1 << 40, GapKind::Limit),
            (&compressed, 1 << 20, GapKind::Malformed),
            (&compressed, 0, GapKind::Malformed),
            (&compressed, compressed.len() as u64 - 9, GapKind::Malformed),
            (b"no gzip", 7, GapKind::Malformed),
            (&bomb, bomb.len() as u64, GapKind::Limit),
            (&gzip(b"{}"), gzip(b"{}").len() as u64, GapKind::Malformed),
        ] {
            let parsed = parse(bytes, length);
            assert_eq!(parsed.records, []);
            let [(told, reason)] = &parsed.problems[..] else { panic!("{parsed:?}") };
            assert!(*told == kind && reason.starts_with("the embedded SBOM: "), "{length} {told} {reason}");
        }
    }
}
