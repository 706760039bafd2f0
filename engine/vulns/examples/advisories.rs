//! Builds a database and asks it, to measure and to try:
//!     cargo run --release -p pratique-vulns --example advisories -- build FOLDER DATABASE
//!     cargo run --release -p pratique-vulns --example advisories -- lookups DATABASE

use std::path::Path;
use std::time::Instant;

use pratique_vulns::exploits::Exploits;
use pratique_vulns::{Database, build};

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
        _ => return Err("use: build FOLDER DATABASE | lookups DATABASE".into()),
    }
    Ok(())
}
