//! What this process can and cannot do, tried and not assumed.

use std::path::Path;

use pratique_wire::scanner::CheckItem;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

use super::scan::Workshop;

/// One line per item. Nothing is left changed.
pub(super) fn items(workshop: &Workshop) -> Vec<CheckItem> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| crate::check::status_field(&status, name).unwrap_or("unknown").to_owned();
    let root = &workshop.root;
    vec![
        equals("capabilities: DAC_READ_SEARCH alone", &field("CapEff"), "0000000000000004"),
        equals("capabilities that can be had again: the same", &field("CapBnd"), "0000000000000004"),
        equals("no_new_privs", &field("NoNewPrivs"), "1"),
        equals("seccomp filters", &field("Seccomp"), "2"),
        denied("socket()", socket()),
        denied("ptrace", ptrace()),
        denied("open_by_handle_at", open_by_handle()),
        landlock(),
        refused("root file system is read-only", Path::new("/.pratique-check")),
        readable("runtime's root is mounted", root),
        refused("runtime's root is read-only", &root.join(".pratique-check")),
        item(
            "layer cache",
            workshop.cache.is_usable(),
            if workshop.cache.is_usable() { "usable" } else { "not writable: every scan reads all layers" },
        ),
    ]
}

fn item(name: &str, ok: bool, detail: impl Into<String>) -> CheckItem {
    CheckItem { name: name.to_owned(), ok, detail: detail.into() }
}

fn equals(name: &str, is: &str, should: &str) -> CheckItem {
    let detail = if is == should { is.to_owned() } else { format!("{is} instead of {should}") };
    item(name, is == should, detail)
}

/// A system call that must be refused by seccomp.
fn denied(name: &str, result: Result<(), Errno>) -> CheckItem {
    let name = format!("{name} is denied");
    match result {
        Err(Errno::PERM) => item(&name, true, "refused"),
        Err(error) => item(&name, false, format!("it failed, but otherwise than by seccomp: {error}")),
        Ok(()) => item(&name, false, "it worked"),
    }
}

fn socket() -> Result<(), Errno> {
    rustix::net::socket(rustix::net::AddressFamily::UNIX, rustix::net::SocketType::STREAM, None).map(drop)
}

/// `PTRACE_ATTACH` to a process that cannot be: without seccomp the answer is that there is none.
fn ptrace() -> Result<(), Errno> {
    const NOBODY: libc::pid_t = libc::pid_t::MAX;
    let none = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: attaching takes no addresses.
    answer(unsafe { libc::ptrace(libc::PTRACE_ATTACH, NOBODY, none, none) })
}

/// A handle that leads nowhere, on a mount that is none: without seccomp the answer is that the descriptor is bad.
fn open_by_handle() -> Result<(), Errno> {
    let mut handle = [0_u64; 4];
    handle[0] = 8;
    // SAFETY: the handle is a live, writable buffer that begins with the length of what follows, 8 bytes.
    answer(unsafe { libc::syscall(libc::SYS_open_by_handle_at, -1, handle.as_mut_ptr(), libc::O_PATH) })
}

fn answer(result: libc::c_long) -> Result<(), Errno> {
    if result >= 0 {
        return Ok(());
    }
    let code = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
    Err(Errno::from_raw_os_error(code))
}

/// `landlock_create_ruleset` with `LANDLOCK_CREATE_RULESET_VERSION`.
fn landlock() -> CheckItem {
    const VERSION: libc::c_uint = 1;
    let none = std::ptr::null::<libc::c_void>();
    // SAFETY: asked for its version, the call takes no address.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0_usize, VERSION) };
    match version {
        6.. => item("Landlock", true, format!("version {version}")),
        1.. => item(
            "Landlock",
            false,
            format!("version {version}: signals of scans are not confined (Linux 6.12 does)"),
        ),
        _ => item(
            "Landlock",
            false,
            "this kernel has none: scans are confined by seccomp and capabilities alone",
        ),
    }
}

fn readable(name: &str, folder: &Path) -> CheckItem {
    match std::fs::read_dir(folder) {
        Ok(_) => item(name, true, folder.display().to_string()),
        Err(error) => item(name, false, format!("{}: {error}", folder.display())),
    }
}

/// A file that must not come to be.
fn refused(name: &str, path: &Path) -> CheckItem {
    let create = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    match rustix::fs::openat(CWD, path, create, Mode::RUSR) {
        Err(error @ (Errno::ROFS | Errno::ACCESS | Errno::PERM)) => {
            item(name, true, format!("a write was refused: {error}"))
        }
        Err(error) => item(name, false, format!("{}: {error}", path.display())),
        Ok(_) => {
            // It must not have come to be; it may not stay.
            let _ = std::fs::remove_file(path);
            item(name, false, format!("{} could be written", path.display()))
        }
    }
}
