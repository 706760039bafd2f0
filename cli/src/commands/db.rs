//! `pratique db`.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, Write};

use anyhow::{Context, bail};
use jiff::Timestamp;
use pratique_core::version::Scheme;
use pratique_core::version::requirement::{Dialect, Requirement};
use pratique_vulns::advisory::Advisory;
use pratique_vulns::exploits::Exploits;
use pratique_vulns::{Database, build, distribution};

use crate::advisories::{Kept, store};
use crate::args::{Common, Db, Held};
use crate::commands::scan::common_sources;
use crate::config;
use crate::exit::{Code, Fail, Failure};

/// Packages that a search lists at most.
const SEARCH_LIMIT: usize = 1_000;

pub(super) fn run(db: Db) -> Result<Code, Failure> {
    match db {
        Db::Build { folder, output, ecosystems } => {
            let only = (!ecosystems.is_empty()).then_some(ecosystems.as_slice());
            let stats =
                build(&folder, only, &Exploits::new(), &output, Timestamp::now()).fail(Code::Source)?;
            println!(
                "{}: {} advisories, {} statements on packages, {} bytes",
                output.display(),
                stats.advisories,
                stats.statements,
                stats.size
            );
            println!(
                "left out: {} withdrawn advisories, {} ranges of commits, {} unreadable records",
                stats.withdrawn, stats.git_ranges, stats.unreadable_count
            );
            if stats.problems > 0 {
                println!(
                    "{} statements are readable only in part; reports name them where they matter",
                    stats.problems
                );
            }
            stats.unreadable.iter().for_each(|reason| eprintln!("pratique: {reason}"));
            Ok(Code::Clean)
        }
        Db::Update { ecosystems, common } => update(ecosystems, *common),
        Db::Status { held } => status(&held),
        Db::Search { name, held } => {
            let database = open(&held)?;
            for (ecosystem, package) in database.search(&name, SEARCH_LIMIT).fail(Code::Source)? {
                println!("{ecosystem}\t{package}");
            }
            Ok(Code::Clean)
        }
        Db::Show { name, held } => {
            let found = open(&held)?.show(&name).fail(Code::Source)?;
            if found.is_empty() {
                return Err(anyhow::anyhow!("no advisory in the database is called `{name}`"))
                    .fail(Code::Source);
            }
            found.iter().for_each(|advisory| print(advisory));
            Ok(Code::Clean)
        }
        Db::Compare { ecosystem, versions, stdin } => {
            let scheme = scheme(&ecosystem).fail(Code::Usage)?;
            match (versions.as_slice(), stdin) {
                ([a, b], false) => println!("{}", answer(scheme, a, b).fail(Code::Usage)?),
                _ => lines(scheme).fail(Code::Usage)?,
            }
            Ok(Code::Clean)
        }
        Db::InRange { ecosystem, range, version } => {
            let taken = takes(&ecosystem, &range, &version).fail(Code::Usage)?;
            println!("{}", if taken { "yes" } else { "no" });
            Ok(Code::Clean)
        }
    }
}

/// Fetches, and says what came of it.
fn update(ecosystems: Vec<String>, mut common: Common) -> Result<Code, Failure> {
    config::complete_fetching(&mut common).fail(Code::Usage)?;
    let sources = common_sources(&common).fail(Code::Usage)?;
    let kept = Kept::of(&common, &sources.registry).fail(Code::Usage)?;
    let store = store(common.cache_dir.as_deref()).fail(Code::Usage)?;
    let wanted: BTreeSet<String> =
        ecosystems.iter().map(|name| distribution::base(name).to_owned()).collect();
    let held = store.held();
    if wanted.is_empty() && held.is_empty() {
        let hint = "nothing is here yet that could be brought up to date; name ecosystems, such as \
                    `pratique db update Debian PyPI`";
        return Err(anyhow::anyhow!(hint)).fail(Code::Usage);
    }
    let updated = kept.update(&wanted, Timestamp::now()).fail(Code::Source)?;
    let state = if updated.changed { "the database is a new one" } else { "nothing has changed" };
    let names: Vec<String> = store.held().into_keys().collect();
    println!("{}: {state}; it has {}", store.path().display(), list(&names));
    for (name, reason) in &updated.failed {
        let kept = if names.contains(name) { "; what was here is kept" } else { "" };
        eprintln!("pratique: {name}: {reason}{kept}");
    }
    updated.warnings.iter().for_each(|warning| eprintln!("pratique: {warning}"));
    Ok(match (updated.failed.is_empty(), updated.warnings.is_empty()) {
        (false, _) => Code::Source,
        (true, false) => Code::Incomplete,
        (true, true) => Code::Clean,
    })
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

fn status(held: &Held) -> Result<Code, Failure> {
    let database = open(held)?;
    database.verify().fail(Code::Source)?;
    let checked = match &held.db {
        Some(_) => BTreeMap::new(),
        None => store(held.cache_dir.as_deref()).fail(Code::Usage)?.held(),
    };
    let status = database.status();
    println!("built {}, {} advisories", minute(status.built), status.advisories);
    for (ecosystem, held) in &status.ecosystems {
        let newest = held.newest.map_or_else(|| "?".to_owned(), |at| at.strftime("%Y-%m-%d").to_string());
        let checked = checked.get(distribution::base(ecosystem));
        let checked = checked.map_or_else(String::new, |at| format!("; checked {}", minute(*at)));
        println!("{ecosystem}: {} statements on packages, the last of {newest}{checked}", held.statements);
    }
    Ok(Code::Clean)
}

fn minute(at: Timestamp) -> impl std::fmt::Display {
    at.strftime("%Y-%m-%d %H:%M UTC")
}

fn open(held: &Held) -> Result<Database, Failure> {
    if let Some(path) = &held.db {
        return Database::open(path).fail(Code::Source);
    }
    let store = store(held.cache_dir.as_deref()).fail(Code::Usage)?;
    match store.open().fail(Code::Source)? {
        Some(advisories) => Ok(advisories.database),
        None => Err(anyhow::anyhow!(
            "{}: there is no database yet; fetch one with `pratique db update ECOSYSTEM`, or name one with --db",
            store.path().display()
        ))
        .fail(Code::Source),
    }
}

fn print(advisory: &Advisory) {
    let date =
        |at: Option<Timestamp>| at.map_or_else(|| "?".to_owned(), |at| at.strftime("%Y-%m-%d").to_string());
    println!(
        "{}: {}",
        advisory.id,
        if advisory.summary.is_empty() { "no summary" } else { &advisory.summary }
    );
    println!("  published {}, last changed {}", date(advisory.published), date(advisory.modified));
    let names =
        [("aliases", &advisory.aliases), ("upstream", &advisory.upstream), ("related", &advisory.related)];
    for (kind, names) in names.iter().filter(|(_, names)| !names.is_empty()) {
        println!("  {kind}: {}", names.join(", "));
    }
}

fn scheme(ecosystem: &str) -> anyhow::Result<Scheme> {
    Scheme::of_osv(ecosystem).with_context(|| {
        format!("`{ecosystem}` is no ecosystem whose versions can be ordered; use OSV's names, such as Debian, PyPI or npm")
    })
}

fn answer(scheme: Scheme, a: &str, b: &str) -> anyhow::Result<char> {
    Ok(match scheme.compare(a, b)? {
        Ordering::Less => '<',
        Ordering::Equal => '=',
        Ordering::Greater => '>',
    })
}

fn takes(ecosystem: &str, range: &str, version: &str) -> anyhow::Result<bool> {
    let dialect = Dialect::of_osv(ecosystem)
        .with_context(|| format!("ranges of `{ecosystem}` are not read; those of npm and Packagist are"))?;
    Ok(Requirement::parse(dialect, range)?.takes(version)?)
}

/// Answers each line of standard input at once, so that another program can ask and wait.
fn lines(scheme: Scheme) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    for (number, line) in io::stdin().lock().lines().enumerate() {
        let line = line.context("standard input")?;
        let Some((a, b)) = line.split_once('\t') else {
            bail!("line {} of standard input is not `A<TAB>B`", number + 1);
        };
        let answer =
            answer(scheme, a, b).with_context(|| format!("line {} of standard input", number + 1))?;
        writeln!(out, "{answer}").and_then(|()| out.flush()).context("standard output")?;
    }
    Ok(())
}
