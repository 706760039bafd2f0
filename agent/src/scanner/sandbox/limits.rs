//! Resource limits of a scan, and its place behind the node's workloads.

use rustix::process::{Resource, Rlimit};

use super::{Lack, lack};

/// Files a child may have open: a walk holds one per level of a folder tree.
const OPEN_FILES: u64 = 8192;

/// Bytes of one file that a child may write: of its scratch file, for a large file of a compressed layer.
const SCRATCH: u64 = 1 << 30;

/// Forbids core dumps: they would write what was scanned to the node's disk.
///
/// # Errors
/// The system refused.
pub fn forbid_core_dumps() -> Result<(), String> {
    limit(Resource::Core, 0)
}

/// Bounds a child's memory (bytes of private writable memory), scratch file and open files; makes it the first to be killed when
/// the node's memory ends and the last to be given a processor or the disk.
pub fn apply(memory: u64) -> Vec<Lack> {
    [
        ("memory limit", limit(Resource::Data, memory)),
        ("limit of open files", limit(Resource::Nofile, OPEN_FILES)),
        ("limit of the scratch file", bound_scratch()),
        ("no core dumps", forbid_core_dumps()),
        ("first to go when memory ends", first_to_go()),
        ("lowest priority", idle_processor()),
        ("idle disk priority", idle_disk()),
    ]
    .into_iter()
    .filter_map(|(what, result)| result.err().map(lack(what)))
    .collect()
}

fn limit(resource: Resource, most: u64) -> Result<(), String> {
    let most = rustix::process::getrlimit(resource).maximum.map_or(most, |hard| hard.min(most));
    let both = Rlimit { current: Some(most), maximum: Some(most) };
    rustix::process::setrlimit(resource, both).map_err(|error| error.to_string())
}

/// Beyond the limit writing fails, which is a gap of the file; the signal that would end the process is ignored.
fn bound_scratch() -> Result<(), String> {
    // SAFETY: a plain system call that installs no handler.
    if unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) } == libc::SIG_ERR {
        return Err(std::io::Error::last_os_error().to_string());
    }
    limit(Resource::Fsize, SCRATCH)
}

fn first_to_go() -> Result<(), String> {
    std::fs::write("/proc/self/oom_score_adj", "1000").map_err(|error| error.to_string())
}

/// `SCHED_IDLE`: runs when nothing else wants the processor.
fn idle_processor() -> Result<(), String> {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: a plain system call; the struct outlives it and pid 0 is the calling thread, the only one there is yet.
    match unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &parameters) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error().to_string()),
    }
}

/// The idle class of ioprio_set(2), for schedulers that know it.
fn idle_disk() -> Result<(), String> {
    const WHO_PROCESS: libc::c_int = 1;
    const CLASS_IDLE: libc::c_int = 3 << 13;
    // SAFETY: a plain system call with numbers only; 0 is the calling thread.
    match unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, CLASS_IDLE) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error().to_string()),
    }
}
