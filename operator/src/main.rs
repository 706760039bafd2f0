//! `pratique-operator`; everything is in the library, so that it can be tested.

fn main() {}
