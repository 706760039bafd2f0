//! Linux kernels: the version that the image of one carries for boot loaders
//! (<https://docs.kernel.org/arch/x86/boot.html>, `kernel_version`). In containers they lie where an image is made to boot a
//! machine.

use pratique_core::GapKind;
use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{Ecosystem, Evidence, Package, Record};

use crate::executable::Numbers;
use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: LinuxKernel = LinuxKernel;

pub(super) struct LinuxKernel;

/// Where the header's signature, and the place of the version less [`SECTOR`], lie.
const SIGNATURE: (usize, &[u8]) = (0x202, b"HdrS");
const VERSION: usize = 0x20e;
const SECTOR: usize = 0x200;
/// Longest version that is taken, in bytes.
const MAX_VERSION: usize = 256;

impl Parser for LinuxKernel {
    fn id(&self) -> &'static str {
        "linux-kernel"
    }

    fn interests(&self) -> &'static [Interest] {
        // The place is a number of 16 bits.
        const { &[Interest::head(&["**/{vmlinuz,bzImage}*"], (64 << 10) + SECTOR + MAX_VERSION)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let (at, signature) = SIGNATURE;
        if !file.bytes.get(at..).is_some_and(|rest| rest.starts_with(signature)) {
            return Parsed::default();
        }
        let place = Numbers::little(file.bytes).u16(VERSION).filter(|place| *place > 0);
        let text = place.and_then(|place| file.bytes.get(usize::from(place) + SECTOR..));
        let text = text.map(|text| &text[..text.len().min(MAX_VERSION)]).unwrap_or_default();
        // `6.1.0-18-amd64 (somebody@host) #1 SMP …`
        let version = text.split(|byte| matches!(byte, b' ' | 0)).next().unwrap_or_default();
        let is_version =
            version.first().is_some_and(u8::is_ascii_digit) && version.iter().all(u8::is_ascii_graphic);
        if !is_version {
            return Parsed::problem(GapKind::Malformed, "a kernel that does not say its version");
        }
        let mut package =
            Package::new(Ecosystem::Generic, "linux-kernel", String::from_utf8_lossy(version).into_owned());
        package.evidence = Evidence::Binary;
        Parsed { records: vec![Record::from(package)], problems: Vec::new() }
    }
}
