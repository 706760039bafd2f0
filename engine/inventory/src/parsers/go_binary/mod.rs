//! Programs written in Go: the build information that the linker leaves in them, stripped or not
//! (<https://pkg.go.dev/debug/buildinfo>). The main module, its dependencies, and `stdlib` for the Go version.
//!
//! Limits: programs built before Go 1.13 or outside modules have no list of modules; only their Go version is told.

mod blob;
mod info;

use pratique_core::GapKind;
use pratique_core::inspect::{Extent, FileInput, Interest};

use crate::executable::{self, Executable};
use crate::{Parsed, Parser};

pub(super) use info::standard_library;

/// The parser.
pub(super) static PARSER: GoBinary = GoBinary;

pub(super) struct GoBinary;

impl Parser for GoBinary {
    fn id(&self) -> &'static str {
        "go-binary"
    }

    fn interests(&self) -> &'static [Interest] {
        // The smallest program that Go links has half a megabyte; packed, a third of that.
        const {
            &[Interest {
                globs: &["**"],
                heads: executable::HEADS,
                min_size: 64 << 10,
                extent: Extent::Whole(4 << 30),
            }]
        }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        if is_packed(file.bytes) {
            let reason =
                "a program packed with UPX: what it was built from cannot be read; unpack it (upx -d)";
            return Parsed::problem(GapKind::Unsupported, reason);
        }
        let programs = match Executable::all(file) {
            Ok(programs) => programs,
            Err(error) => return Parsed::problem(GapKind::Unreadable, error.to_string()),
        };
        let mut parsed = Parsed::default();
        for program in &programs {
            match blob::find(program) {
                Ok(Some(build)) => {
                    if build.modules.is_none() {
                        parsed.problems.push((GapKind::Malformed, blob::BROKEN.to_owned()));
                    }
                    for record in info::records(&build.go_version, &build.modules.unwrap_or_default()) {
                        // The programs of a universal file are built from the same modules.
                        if !parsed.records.contains(&record) {
                            parsed.records.push(record);
                        }
                    }
                }
                Ok(None) => {}
                Err((kind, reason)) => parsed.problems.push((kind, reason)),
            }
        }
        parsed
    }
}

/// Whether UPX made it: its mark stands where its loader begins, within the first bytes.
fn is_packed(head: &[u8]) -> bool {
    let head = &head[..head.len().min(2048)];
    let has = |mark: &[u8]| head.windows(mark.len()).any(|window| window == mark);
    match head {
        // Packed programs have no sections: e_shnum is 0.
        [0x7f, b'E', b'L', b'F', 1, ..] => head.get(48..50) == Some(&[0, 0]) && has(b"UPX!"),
        [0x7f, b'E', b'L', b'F', 2, ..] => head.get(60..62) == Some(&[0, 0]) && has(b"UPX!"),
        [b'M', b'Z', ..] => has(b"UPX0\0\0\0\0") && has(b"UPX1\0\0\0\0"),
        _ => has(b"UPX!") && has(b"__TEXT"),
    }
}
