//! Our answers beside those of osv-scanner's offline matcher, on the same advisories and the same packages.
//!
//!     osv_scanner FOLDER PEER DIFFERENCES [SEED]
//!
//! FOLDER is laid out as OSV publishes (`<ecosystem>/all.zip`), PEER the program of `benches/osv-scanner/peer`, DIFFERENCES
//! the file that explains where both differ. Fails on a difference that nobody has explained, and on a draw that is too
//! small or too tame to show anything.

mod differences;
mod draw;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use pratique_core::Gap;
use pratique_core::package::{Ecosystem, Inventory, LocatedPackage, Package, Release};
use pratique_vulns::exploits::Exploits;
use pratique_vulns::{Database, build, match_inventory, source};
use serde_json::Value;

use crate::differences::{Difference, Differences, Side};
use crate::draw::{Drawn, PER_ECOSYSTEM};

/// The ecosystems compared, and what their packages are here.
const ECOSYSTEMS: [(&str, Ecosystem); 6] = [
    ("AlmaLinux", Ecosystem::Rpm),
    ("Alpine", Ecosystem::Apk),
    ("Debian", Ecosystem::Deb),
    ("Go", Ecosystem::Go),
    ("PyPI", Ecosystem::PyPi),
    ("crates.io", Ecosystem::Cargo),
];
/// Pairs right at a range's boundary that must be among those drawn.
const BOUNDARIES: usize = 500;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (folder, peer, explained, seed) = match arguments.as_slice() {
        [folder, peer, explained] => (folder, peer, explained, 1),
        [folder, peer, explained, seed] => (folder, peer, explained, seed.parse().context("SEED")?),
        _ => bail!("use: osv_scanner FOLDER PEER DIFFERENCES [SEED]"),
    };
    let mut differences = Differences::read(Path::new(explained))?;
    let place = tempfile::tempdir()?;
    let path = place.path().join("advisories.db");
    let wanted: Vec<String> = ECOSYSTEMS.iter().map(|(name, _)| (*name).to_owned()).collect();
    build(Path::new(folder), Some(&wanted), &Exploits::new(), &path, jiff::Timestamp::now())?;
    let db = Database::open(&path)?;

    let mut random = fastrand::Rng::with_seed(seed);
    let (mut statements, mut pairs) = (Vec::new(), Vec::new());
    for (name, kind) in ECOSYSTEMS {
        let is_affected = |drawn: &Drawn| ours(&db, kind, drawn).map(|ids| !ids.is_empty());
        let said = draw::statements(Path::new(folder), name)?;
        pairs.extend(draw::pairs(&said, name, &mut random, is_affected)?);
        statements.extend(said);
        without_commits(Path::new(folder), name, place.path())?;
    }
    let theirs = ask(Path::new(peer), place.path(), &pairs)?;

    let (mut affected, mut equal, mut unexplained) = (0, 0, 0);
    for (drawn, theirs) in pairs.iter().zip(&theirs) {
        let kind = ECOSYSTEMS.iter().find(|(name, _)| *name == drawn.base()).map(|(_, kind)| *kind);
        let ours = ours(&db, kind.context("an ecosystem nobody asked for")?, drawn)?;
        affected += usize::from(!ours.is_empty() && !theirs.is_empty());
        let only_ours = ours.difference(theirs).map(|id| (Side::Ours, id));
        let only_theirs = theirs.difference(&ours).map(|id| (Side::Theirs, id));
        let all: Vec<_> = only_ours.chain(only_theirs).collect();
        equal += usize::from(all.is_empty());
        for (side, advisory) in all {
            let difference = Difference { side, drawn, advisory, statements: &statements };
            if !differences.explain(&difference) {
                unexplained += 1;
                println!("unexplained: {difference}");
            }
        }
    }
    let boundaries = pairs.iter().filter(|drawn| drawn.at_boundary).count();
    println!(
        "{} pairs, {affected} affected by both answers, {boundaries} at a range's boundary",
        pairs.len()
    );
    println!("{equal} answers equal; differences explained: {}", differences.tally());
    ensure!(pairs.len() == ECOSYSTEMS.len() * PER_ECOSYSTEM, "fewer pairs than were asked for");
    ensure!(affected * 10 >= pairs.len() * 4, "fewer than 40 % of the pairs are affected");
    ensure!(boundaries >= BOUNDARIES, "fewer than {BOUNDARIES} pairs lie at a boundary");
    ensure!(unexplained == 0, "{unexplained} differences that {explained} does not explain");
    Ok(())
}

/// The advisories that our matching names for a package that stands alone in an image. An answer that cannot be given
/// is `?` and the advisory, so that it never counts as equal.
fn ours(db: &Database, kind: Ecosystem, drawn: &Drawn) -> anyhow::Result<BTreeSet<String>> {
    let mut package = Package::new(kind, &*drawn.name, &*drawn.version);
    package.attributes.extend(drawn.module.iter().map(|label| ("module".to_owned(), label.clone())));
    let release = drawn.ecosystem.split_once(':').map(|(base, version)| Release {
        id: base.to_lowercase(),
        version: version.trim_start_matches('v').to_owned(),
        ..Release::default()
    });
    let purl = format!("pkg:{}/{}@{}", kind.purl_type(), drawn.name, drawn.version);
    let located =
        LocatedPackage { package, purl, path: "/".to_owned(), layer: None, owned_by: None, files: 0 };
    let inventory = Inventory { release, packages: vec![located], removed: Vec::new() };
    // Before any release ended.
    let matches = match_inventory(db, &inventory, jiff::Timestamp::UNIX_EPOCH)?;
    let names = matches.findings.iter().flat_map(|finding| {
        ["id", "aliases"]
            .into_iter()
            .filter_map(|name| finding.attributes.get(name))
            .flat_map(|ids| ids.split(' '))
    });
    let mut ids = BTreeSet::new();
    for name in names {
        // Of a flaw's names, those of the advisories that were given to both.
        if db.show(name)?.iter().any(|advisory| advisory.id == name) {
            ids.insert(name.to_owned());
        }
    }
    let judged = |gap: &Gap| gap.reason.split(' ').next().map(|id| format!("?{id}"));
    ids.extend(matches.gaps.iter().filter_map(judged));
    Ok(ids)
}

/// Writes an ecosystem's records for the peer without their ranges of commits: it reads none of the ranges that follow one,
/// which would hide whatever else might differ in PyPI.
fn without_commits(folder: &Path, ecosystem: &str, place: &Path) -> anyhow::Result<()> {
    let folder_out = place.join(ecosystem);
    std::fs::create_dir(&folder_out)?;
    let mut out = zip::ZipWriter::new(std::fs::File::create(folder_out.join("all.zip"))?);
    let mut result = Ok(());
    source::records(folder, ecosystem, |name, bytes| {
        let mut write = || -> anyhow::Result<()> {
            let mut record: Value = serde_json::from_slice(bytes)?;
            for affected in record["affected"].as_array_mut().into_iter().flatten() {
                if let Some(ranges) = affected["ranges"].as_array_mut() {
                    ranges.retain(|range| range["type"] != "GIT");
                }
            }
            out.start_file(name, zip::write::SimpleFileOptions::default())?;
            serde_json::to_writer(&mut out, &record)?;
            Ok(())
        };
        if result.is_ok() {
            result = write();
        }
    })?;
    result?;
    out.finish()?;
    Ok(())
}

/// What the peer names for each pair.
fn ask(peer: &Path, folder: &Path, pairs: &[Drawn]) -> anyhow::Result<Vec<BTreeSet<String>>> {
    let mut child = Command::new(peer)
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{}: benches/run osv-scanner builds it", peer.display()))?;
    let mut questions = child.stdin.take().context("no pipe to the peer")?;
    for pair in pairs {
        writeln!(questions, "{}\t{}\t{}", pair.ecosystem, pair.name, pair.version)?;
    }
    drop(questions);
    let lines = BufReader::new(child.stdout.take().context("no pipe from the peer")?).lines();
    let answers: Vec<BTreeSet<String>> = lines
        .map(|line| Ok(line?.split_whitespace().map(str::to_owned).collect()))
        .collect::<std::io::Result<_>>()?;
    ensure!(child.wait()?.success(), "the peer failed");
    ensure!(answers.len() == pairs.len(), "the peer answered {} of {} pairs", answers.len(), pairs.len());
    Ok(answers)
}
