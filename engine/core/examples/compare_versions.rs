//! Answers lines `A<TAB>B` on standard input with `<`, `=`, `>`, or `!` and why one of them is no version.
//!     cargo run -p pratique-core --example compare_versions -- SCHEME
//! where SCHEME is a name as `Scheme` prints it, such as `dpkg`. The checks against the ecosystems' own tools drive it.

use std::cmp::Ordering;
use std::io::BufRead;

use pratique_core::version::Scheme;

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    let Some(scheme) = Scheme::ALL.iter().find(|scheme| scheme.as_str() == name) else {
        let known: Vec<_> = Scheme::ALL.iter().map(|scheme| scheme.as_str()).collect();
        eprintln!("`{name}` is no scheme; use one of {}", known.join(", "));
        std::process::exit(2);
    };
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let (a, b) = line.split_once('\t').unwrap_or((&line, ""));
        match scheme.compare(a, b) {
            Ok(Ordering::Less) => println!("<"),
            Ok(Ordering::Equal) => println!("="),
            Ok(Ordering::Greater) => println!(">"),
            Err(error) => println!("! {error}"),
        }
    }
}
