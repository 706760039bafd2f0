//! Answers lines `A<TAB>B` on standard input with `<`, `=`, `>`, or `!` and why one of them is no version.
//!     cargo run -p pratique-core --example compare_versions -- SCHEME
//! where SCHEME is a name as `Scheme` prints it, such as `dpkg`; or, of `npm ranges` and `Packagist ranges`, lines
//! `RANGE<TAB>VERSION` with `+` (the range takes the version) or `-`. The checks against the ecosystems' own tools drive it.

use std::cmp::Ordering;
use std::io::BufRead;

use pratique_core::version::Scheme;
use pratique_core::version::requirement::{Dialect, Requirement};

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    let dialect = name.strip_suffix(" ranges").and_then(Dialect::of_osv);
    let scheme = Scheme::ALL.iter().copied().find(|scheme| scheme.as_str() == name);
    let answer = |a: &str, b: &str| match (dialect, scheme) {
        (Some(dialect), _) => takes(dialect, a, b),
        (None, Some(scheme)) => compare(scheme, a, b),
        (None, None) => {
            let known: Vec<_> = Scheme::ALL.iter().map(|scheme| scheme.as_str()).collect();
            eprintln!("`{name}` is no scheme; use one of {}, npm ranges, Packagist ranges", known.join(", "));
            std::process::exit(2);
        }
    };
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let (a, b) = line.split_once('\t').unwrap_or((&line, ""));
        println!("{}", answer(a, b));
    }
}

fn compare(scheme: Scheme, a: &str, b: &str) -> String {
    match scheme.compare(a, b) {
        Ok(Ordering::Less) => "<".to_owned(),
        Ok(Ordering::Equal) => "=".to_owned(),
        Ok(Ordering::Greater) => ">".to_owned(),
        Err(error) => format!("! {error}"),
    }
}

fn takes(dialect: Dialect, range: &str, version: &str) -> String {
    let taken = Requirement::parse(dialect, range).map(|range| range.takes(version));
    match taken {
        Ok(Ok(true)) => "+".to_owned(),
        Ok(Ok(false)) => "-".to_owned(),
        Ok(Err(error)) => format!("! {error}"),
        Err(error) => format!("! {error}"),
    }
}
