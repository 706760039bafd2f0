//! System calls that a process that parses foreign bytes has no use for answer `EPERM`.
//!
//! A list of what is forbidden, not of what is allowed: the allocator, the threads and the standard library may change
//! which harmless calls they make with every release, and a scanner that dies of one is no safer. Everything that
//! reaches other processes, the network, mounts, other namespaces or the kernel itself is on the list.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

/// `socket()` and its kin (the listening socket is bound before), other processes' memory, files by handle (which
/// lead out of every mount), mounts and namespaces, and the kernel's own controls. `accept4`, `recvmsg` and `sendmsg`
/// stay, and `socketpair`, which reaches nobody: the standard library starts processes with it.
const REACHING_OUT: &[i64] = &[
    libc::SYS_socket,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_mknodat,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_fanotify_init,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_personality,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_kexec_file_load,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mknod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
];

/// What a child gives up beside: it runs no program, takes no connection, signals nobody, and leaves
/// the limits and priorities of root's other processes alone.
const RUNNING: &[i64] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_socketpair,
    libc::SYS_accept4,
    libc::SYS_accept,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_pidfd_send_signal,
    libc::SYS_pidfd_open,
    libc::SYS_process_mrelease,
    libc::SYS_prlimit64,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setaffinity,
    libc::SYS_setpriority,
    libc::SYS_ioprio_set,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
];

/// Numbers of the forbidden calls that have one of their own in the x32 ABI, where the kernel offers it beside x86-64
/// under the same architecture: execve, ptrace, rt_tgsigqueueinfo, rt_sigqueueinfo, kexec_load, process_vm_readv,
/// process_vm_writev, execveat.
#[cfg(target_arch = "x86_64")]
const X32_OWN: &[i64] = &[520, 521, 524, 528, 536, 539, 540, 545];

#[cfg(target_arch = "x86_64")]
const X32_BIT: i64 = 0x4000_0000;

/// Forbids everything that reaches beyond this process and its children.
///
/// # Errors
/// The kernel has no seccomp filters.
pub fn forbid_reaching_out() -> Result<(), String> {
    install(unconditional(REACHING_OUT))
}

/// Forbids a child to run programs, to take connections and to signal anything but itself (an abort is a signal).
///
/// # Errors
/// The kernel has no seccomp filters.
pub fn forbid_running_anything() -> Result<(), String> {
    let mut rules = unconditional(RUNNING);
    let foreign =
        SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, u64::from(std::process::id()))
            .and_then(|condition| SeccompRule::new(vec![condition]))
            .map_err(|error| error.to_string())?;
    rules.insert(libc::SYS_tgkill, vec![foreign]);
    install(rules)
}

fn unconditional(calls: &[i64]) -> BTreeMap<i64, Vec<SeccompRule>> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = calls.iter().map(|call| (*call, Vec::new())).collect();
    #[cfg(target_arch = "x86_64")]
    rules.extend(calls.iter().chain(X32_OWN).map(|call| (call | X32_BIT, Vec::new())));
    rules
}

fn install(rules: BTreeMap<i64, Vec<SeccompRule>>) -> Result<(), String> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| error.to_string())?;
    let refused = SeccompAction::Errno(libc::EPERM as u32);
    let program: BpfProgram = SeccompFilter::new(rules, SeccompAction::Allow, refused, architecture)
        .and_then(TryInto::try_into)
        .map_err(|error| error.to_string())?;
    seccompiler::apply_filter_all_threads(&program).map_err(|error| error.to_string())
}
