//! What one guess costs, per scheme: the figures the cost estimates and the documentation rest on.

fn main() {
    divan::main();
}

/// One hash of each scheme with the parameters that distributions write by default.
const HASHES: [&str; 8] = [
    "abJnggxhB/yWI",
    "$1$salt$qJH7.N4xYta3aEG/dfqo/0",
    "$5$saltstring$OH4IDuTlsuTYPdED1gsuiRMyTAwNlRWyA6Xr3I4/dQ5",
    "$6$saltstring$adDbXsJjcDlq2662QPgd.tkSOVmnG9Tt3oXl4HR60SusC3AGjirnDenVZp3DGwLwqy6iYKCzannhaX9DR72nN1",
    "$2b$05$abcdefghijklmnopqrstuughE8Ev8uGFaUgY2cNEySvxngrb/Jzdm",
    "$y$j9T$saltsalt$0ZRt7zd0gn9pQsq3yDeuwj9hFSoqeo/y42wyzM0m.d0",
    "$gy$j9T$saltsalt$kjH5.ubr06Qt4IMEai3964CVL6M0q9NKk3QsjQpqjD3",
    "$7$CU..../....saltsalt$6ww5SAK0/7p9WW5plCUlfgXj06fa/soUcEzZCxs/ntD",
];

#[divan::bench(args = HASHES)]
fn guess(bencher: divan::Bencher<'_, '_>, text: &str) {
    let hash = pratique_crypt::parse(text).expect("the hashes above are well-formed");
    bencher.bench_local(|| hash.verify(divan::black_box(b"not this one")));
}
