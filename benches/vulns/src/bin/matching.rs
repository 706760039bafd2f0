//! Building the database of advisories, and matching inventories with it.
//!
//!     matching build FOLDER DATABASE       FOLDER is laid out as OSV publishes (<ecosystem>/all.zip)
//!     matching lookups DATABASE            every package once, without the cache's help
//!     matching inventories DATABASE [COUNT]
//!
//! Each is a process of its own, so that its peak memory is its own too.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use pratique_core::package::{Ecosystem, Inventory, LocatedPackage, Package, Release};
use pratique_core::version::Scheme;
use pratique_vulns::exploits::Exploits;
use pratique_vulns::{Database, build, match_inventory};

/// Packages of an inventory.
const PACKAGES: usize = 300;
const THREADS: u64 = 2;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["build", folder, out] => {
            let start = Instant::now();
            let stats =
                build(Path::new(folder), None, &Exploits::new(), Path::new(out), jiff::Timestamp::now())?;
            println!(
                "built in {:.1?}: {} advisories, {} statements, {} bytes on disk",
                start.elapsed(),
                stats.advisories,
                stats.statements,
                stats.size
            );
        }
        ["lookups", path] => lookups(Path::new(path))?,
        ["inventories", path] => inventories(Path::new(path), 10_000)?,
        ["inventories", path, count] => inventories(Path::new(path), count.parse().context("COUNT")?)?,
        _ => bail!("use: matching build FOLDER DATABASE | lookups DATABASE | inventories DATABASE [COUNT]"),
    }
    println!("peak memory {} MiB", peak_memory()? >> 20);
    Ok(())
}

fn lookups(path: &Path) -> anyhow::Result<()> {
    let start = Instant::now();
    let db = Database::open(path)?;
    println!("opened in {:.1?}", start.elapsed());
    let packages = db.search("", usize::MAX)?;
    let start = Instant::now();
    let mut statements = 0;
    for (ecosystem, name) in &packages {
        statements += db.lookup(ecosystem, name)?.len();
    }
    let each = start.elapsed() / u32::try_from(packages.len().max(1))?;
    println!("{} packages, {statements} statements, {each:.1?} a lookup", packages.len());
    Ok(())
}

fn inventories(path: &Path, count: usize) -> anyhow::Result<()> {
    let now = jiff::Timestamp::now();
    let db = Database::open(path)?;
    let packages = Packages::of(&db)?;
    // A database that nobody has asked yet, as the command opens it for one image.
    let fresh = Database::open(path)?;
    let inventory = packages.inventory(&mut fastrand::Rng::with_seed(1));
    let start = Instant::now();
    let matches = match_inventory(&fresh, &inventory, now)?;
    println!(
        "one inventory of {PACKAGES} packages, {} findings: {:.1?}",
        matches.findings.len(),
        start.elapsed()
    );

    let (next, findings) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = |seed: u64| -> anyhow::Result<()> {
        let mut random = fastrand::Rng::with_seed(seed);
        while next.fetch_add(1, Ordering::Relaxed) < count {
            let matches = match_inventory(&db, &packages.inventory(&mut random), now)?;
            findings.fetch_add(matches.findings.len(), Ordering::Relaxed);
        }
        Ok(())
    };
    let start = Instant::now();
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let threads: Vec<_> = (0..THREADS).map(|seed| scope.spawn(move || work(seed))).collect();
        for thread in threads {
            thread.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??;
        }
        Ok(())
    })?;
    println!(
        "{count} inventories of {PACKAGES} packages, {} findings, {THREADS} threads: {:.1?}",
        findings.load(Ordering::Relaxed),
        start.elapsed()
    );
    Ok(())
}

/// Packages that advisories speak of: nine of ten at the last version that any of them names, one at an earlier one.
struct Packages {
    system: Vec<Versions>,
    language: Vec<Versions>,
    release: Release,
}

/// A package, and the versions that have fixes, oldest first.
struct Versions {
    kind: Ecosystem,
    name: String,
    fixed: Vec<String>,
}

impl Packages {
    fn of(db: &Database) -> anyhow::Result<Self> {
        let (mut system, mut language) = (Vec::new(), Vec::new());
        for (ecosystem, name) in db.search("", usize::MAX)? {
            let (kind, list) = match ecosystem.as_str() {
                "Debian:11" => (Ecosystem::Deb, &mut system),
                "PyPI" => (Ecosystem::PyPi, &mut language),
                "Go" => (Ecosystem::Go, &mut language),
                _ => continue,
            };
            let scheme = Scheme::of(kind).context("no order of versions")?;
            let statements = db.lookup(&ecosystem, &name)?;
            let spans = statements.iter().flat_map(|affected| &affected.spans);
            let mut fixed: Vec<String> = spans.filter_map(|span| span.fixed()).map(str::to_owned).collect();
            fixed.sort_by(|a, b| scheme.compare(a, b).unwrap_or(std::cmp::Ordering::Equal));
            if !fixed.is_empty() {
                list.push(Versions { kind, name, fixed });
            }
        }
        ensure!(
            !system.is_empty() && !language.is_empty(),
            "the advisories of Debian, Go and PyPI are needed"
        );
        let release = Release { id: "debian".to_owned(), version: "11".to_owned(), ..Release::default() };
        Ok(Self { system, language, release })
    }

    /// Four fifths are the distribution's, one fifth Go's and Python's.
    fn inventory(&self, random: &mut fastrand::Rng) -> Inventory {
        let mut located = |list: &[Versions]| {
            let Versions { kind, name, fixed } = &list[random.usize(..list.len())];
            let place = if random.u8(..10) == 0 { random.usize(..fixed.len()) } else { fixed.len() - 1 };
            let package = Package::new(*kind, name.clone(), fixed[place].clone());
            let purl = format!("pkg:{}/{}@{}", package.ecosystem.purl_type(), package.name, package.version);
            LocatedPackage { package, purl, path: "/".to_owned(), layer: None, owned_by: None, files: 0 }
        };
        let packages =
            (0..PACKAGES).map(|index| located(if index % 5 == 0 { &self.language } else { &self.system }));
        Inventory { packages: packages.collect(), release: Some(self.release.clone()), removed: Vec::new() }
    }
}

/// The most memory that this process has had resident, in bytes.
fn peak_memory() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
}
