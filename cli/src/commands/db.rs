//! `pratique db`.

use std::cmp::Ordering;
use std::io::{self, BufRead, Write};

use anyhow::{Context, bail};
use pratique_core::version::Scheme;

use crate::args::Db;
use crate::exit::{Code, Fail, Failure};

pub(super) fn run(db: Db) -> Result<Code, Failure> {
    match db {
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
