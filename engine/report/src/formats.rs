//! The registry of output formats: one file and one line each.
//!
//! Because the list declares the modules, `cargo fmt` does not see them; `make fmt` runs `rustfmt` on them by name.

use crate::Format;

/// Declares each format's module and lists its `FORMAT`.
macro_rules! formats {
    ($($name:ident),+ $(,)?) => {
        $(pub(crate) mod $name;)+

        /// All formats, in the order of the list.
        pub(crate) static FORMATS: &[&Format] = &[$(&$name::FORMAT),+];

        #[cfg(test)]
        const MODULES: &[&str] = &[$(stringify!($name)),+];
    };
}

formats! {
    table,
    json,
    cyclonedx,
    cyclonedx_xml,
    spdx,
    spdx_tag,
    sarif,
    purls,
    template,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_registered_under_its_own_name() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/formats");
        let mut found: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        found.sort();
        let mut listed = MODULES.to_vec();
        listed.sort_unstable();
        assert_eq!(found, listed, "src/formats/ and the list in src/formats.rs differ");
        for (module, format) in MODULES.iter().zip(FORMATS) {
            assert_eq!(module.replace('_', "-"), format.name());
        }
    }
}
