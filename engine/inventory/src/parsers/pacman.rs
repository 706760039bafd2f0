//! pacman: Arch (<https://man.archlinux.org/man/alpm-db.7>). Checksums of files are in a compressed `mtree`, which is not
//! read; those of configuration are in `files`.

use pratique_core::GapKind;
use pratique_core::inspect::{FileInput, Interest};
use pratique_core::package::{
    Checksum, Ecosystem, FileFacts, OwnedFile, OwnedFiles, Owner, Package, Record, Source,
};

use crate::{Parsed, Parser};

/// The parser.
pub(super) static PARSER: Pacman = Pacman;

pub(super) struct Pacman;

impl Parser for Pacman {
    fn id(&self) -> &'static str {
        "pacman"
    }

    fn interests(&self) -> &'static [Interest] {
        const { &[Interest::head(&["var/lib/pacman/local/*/{desc,files}"], 32 << 20)] }
    }

    fn parse(&self, file: &FileInput<'_>) -> Parsed {
        let mut parsed = Parsed::default();
        parsed.note_cut(file);
        let text = String::from_utf8_lossy(file.bytes);
        let path = String::from_utf8_lossy(file.path);
        if let Some(folder) = path.strip_suffix("/files") {
            let owner = owner(folder.rsplit('/').next().unwrap_or_default());
            parsed.records.extend(owner.map(|owner| Record::Files { owner, files: files(&text) }));
            return parsed;
        }
        let first = |section| values(&text, section).next().unwrap_or_default().to_owned();
        let (name, version, base, architecture) =
            (first("NAME"), first("VERSION"), first("BASE"), first("ARCH"));
        if name.is_empty() || version.is_empty() {
            parsed.problems.push((GapKind::Malformed, "lacks NAME or VERSION".to_owned()));
            return parsed;
        }
        let mut package = Package::new(Ecosystem::Alpm, name, version);
        package.architecture = (!architecture.is_empty()).then_some(architecture);
        package.source = (!base.is_empty() && base != package.name)
            .then(|| Source { name: base, version: package.version.clone() });
        package.licenses = values(&text, "LICENSE").map(str::to_owned).collect();
        parsed.records.push(package.into());
        parsed
    }
}

/// The lines below `%SECTION%`, up to an empty one.
fn values<'a>(text: &'a str, section: &str) -> impl Iterator<Item = &'a str> {
    let is_title =
        move |line: &&str| line.strip_prefix('%').and_then(|line| line.strip_suffix('%')) != Some(section);
    let below = text.lines().skip_while(is_title).skip(1).map(str::trim_end);
    below.take_while(|line| !line.is_empty()).collect::<Vec<_>>().into_iter()
}

/// Folders are named `name-version-release`.
fn owner(folder: &str) -> Option<Owner> {
    let (rest, release) = folder.rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    Some(Owner { version: Some(format!("{version}-{release}")), ..Owner::new(Ecosystem::Alpm, name) })
}

fn files(text: &str) -> OwnedFiles {
    let all = values(text, "FILES").filter(|path| !path.ends_with('/')).map(OwnedFile::new);
    let config = values(text, "BACKUP").map(|line| {
        let (path, sum) = line.split_once('\t').unwrap_or((line, ""));
        let facts = FileFacts { checksum: Checksum::from_hex(sum), config: true, permissions: None };
        OwnedFile::with(path, facts)
    });
    all.chain(config).collect()
}
