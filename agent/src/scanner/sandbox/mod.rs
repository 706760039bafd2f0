//! What the scanner and its children give up, in the order in which it must be given up.
//!
//! Each step answers with the [`Lack`]s: what this node's kernel or container runtime did not let it do. The process
//! goes on with what is left and says so.

pub mod capabilities;
pub mod landlock;
pub mod limits;
pub mod seccomp;

use std::os::fd::BorrowedFd;

/// A protection that could not be set up, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// The protection.
    pub what: &'static str,
    /// Why it is missing.
    pub reason: String,
}

fn lack(what: &'static str) -> impl Fn(String) -> Lack {
    move |reason| Lack { what, reason }
}

/// Confines the scanner itself, for good. Must be called once its socket is bound and before any thread is started.
pub fn enter_scanner() -> Vec<Lack> {
    let mut lacks = Vec::new();
    lacks.extend(limits::forbid_core_dumps().err().map(lack("no core dumps")));
    lacks.extend(capabilities::keep_read_search().err().map(lack("only CAP_DAC_READ_SEARCH")));
    lacks.extend(
        rustix::thread::set_no_new_privs(true)
            .map_err(|error| error.to_string())
            .err()
            .map(lack("no_new_privs")),
    );
    lacks.extend(landlock::keep_signals_inside().err().map(lack("signals stay inside (Landlock)")));
    lacks.extend(seccomp::forbid_reaching_out().err().map(lack("seccomp")));
    lacks
}

/// Confines a child to the folders of its one scan, for good. Must be called before any thread is started.
pub fn enter_child(folders: &[BorrowedFd<'_>], memory: u64) -> Vec<Lack> {
    let mut lacks = limits::apply(memory);
    lacks.extend(landlock::read_only_beneath(folders).err().map(lack("only this scan's folders (Landlock)")));
    lacks.extend(seccomp::forbid_running_anything().err().map(lack("seccomp of the child")));
    lacks
}
