//! `pratique db`.

use std::cmp::Ordering;
use std::io::{self, BufRead, Write};

use anyhow::{Context, bail};
use jiff::Timestamp;
use pratique_core::version::Scheme;
use pratique_vulns::advisory::Advisory;
use pratique_vulns::exploits::Exploits;
use pratique_vulns::{Database, build};

use crate::args::Db;
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
        Db::Status { file } => {
            let database = Database::open(&file).fail(Code::Source)?;
            database.verify().fail(Code::Source)?;
            let status = database.status();
            println!(
                "built {}, {} advisories",
                status.built.strftime("%Y-%m-%d %H:%M UTC"),
                status.advisories
            );
            for (ecosystem, held) in &status.ecosystems {
                let newest =
                    held.newest.map_or_else(|| "?".to_owned(), |at| at.strftime("%Y-%m-%d").to_string());
                println!("{ecosystem}: {} statements on packages, the last of {newest}", held.statements);
            }
            Ok(Code::Clean)
        }
        Db::Search { file, name } => {
            let database = Database::open(&file).fail(Code::Source)?;
            for (ecosystem, package) in database.search(&name, SEARCH_LIMIT).fail(Code::Source)? {
                println!("{ecosystem}\t{package}");
            }
            Ok(Code::Clean)
        }
        Db::Show { file, name } => {
            let found = Database::open(&file).fail(Code::Source)?.show(&name).fail(Code::Source)?;
            if found.is_empty() {
                return Err(anyhow::anyhow!("{}: no advisory is called `{name}`", file.display()))
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
