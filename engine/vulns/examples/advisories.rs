//! Builds a database and asks it, to measure and to try:
//!     cargo run --release -p pratique-vulns --example advisories -- build FOLDER DATABASE
//!     cargo run --release -p pratique-vulns --example advisories -- lookups DATABASE
//!     cargo run --release -p pratique-vulns --example advisories -- inventories DATABASE COUNT

use std::path::Path;
use std::time::Instant;

use pratique_core::package::{Ecosystem, Inventory, LocatedPackage, Package, Release};
use pratique_vulns::exploits::Exploits;
use pratique_vulns::{Database, build, match_inventory};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let start = Instant::now();
    match arguments.as_slice() {
        ["build", folder, out] => {
            let now = std::time::SystemTime::now().try_into()?;
            let stats = build(Path::new(folder), None, &Exploits::new(), Path::new(out), now)?;
            println!("{stats:#?}\nin {:?}", start.elapsed());
        }
        ["lookups", path] => {
            let db = Database::open(Path::new(path))?;
            println!("opened in {:?}", start.elapsed());
            let packages = db.search("", usize::MAX)?;
            let start = Instant::now();
            let mut statements = 0;
            for (ecosystem, name) in &packages {
                statements += db.lookup(ecosystem, name)?.len();
            }
            let each = start.elapsed() / u32::try_from(packages.len().max(1))?;
            println!("{} packages, {statements} statements, {each:?} a lookup", packages.len());
        }
        ["inventories", path, count] => {
            let db = Database::open(Path::new(path))?;
            let now = std::time::SystemTime::now().try_into()?;
            let mut next = inventories(&db)?;
            let start = Instant::now();
            let (mut findings, mut gaps) = (0, 0);
            for _ in 0..count.parse::<usize>()? {
                let matches = match_inventory(&db, &next(), now)?;
                findings += matches.findings.len();
                gaps += matches.gaps.len();
            }
            println!(
                "{count} inventories, {findings} findings, {gaps} gaps in {:?}, one thread",
                start.elapsed()
            );
        }
        _ => return Err("use: build FOLDER DATABASE | lookups DATABASE | inventories DATABASE COUNT".into()),
    }
    Ok(())
}

/// Inventories of 300 packages each, four fifths Debian's and one fifth Python's, at versions that advisories name: far
/// more of them affected than in any image.
fn inventories(db: &Database) -> Result<impl FnMut() -> Inventory, Box<dyn std::error::Error>> {
    let mut system = Vec::new();
    let mut language = Vec::new();
    for (ecosystem, name) in db.search("", usize::MAX)? {
        let (kind, list) = match ecosystem.as_str() {
            "Debian:11" => (Ecosystem::Deb, &mut system),
            "PyPI" => (Ecosystem::PyPi, &mut language),
            _ => continue,
        };
        for affected in db.lookup(&ecosystem, &name)?.iter() {
            let versions = affected.spans.iter().filter_map(|span| span.fixed().or(span.from.as_deref()));
            list.extend(versions.map(|version| Package::new(kind, name.clone(), version)));
        }
    }
    let mut random = fastrand::Rng::with_seed(7);
    let release = Release { id: "debian".to_owned(), version: "11".to_owned(), ..Release::default() };
    let mut located = move |list: &[Package]| {
        let package = list[random.usize(..list.len())].clone();
        let purl = format!("pkg:{}/{}@{}", package.ecosystem.purl_type(), package.name, package.version);
        LocatedPackage { package, purl, path: "/".to_owned(), layer: None, owned_by: None, files: 0 }
    };
    Ok(move || Inventory {
        release: Some(release.clone()),
        packages: (0..300).map(|index| located(if index % 5 == 0 { &language } else { &system })).collect(),
        removed: Vec::new(),
    })
}
