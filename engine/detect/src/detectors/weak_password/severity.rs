//! How bad a weak password is: what the account may do, and whether the file counts at login.
//!
//! | account | with a login shell | with `nologin` or `false` |
//! |---|---|---|
//! | uid 0 | Critical | High |
//! | any other | High | Medium |
//!
//! | group | |
//! |---|---|
//! | gid 0, or one that leads to root (`sudo`, `wheel`, `docker`…) | Medium |
//! | any other | Low |
//!
//! One step lower (but not below Low): a second line for the same name, since the first counts; an entry that is not
//! consulted, since /etc/passwd has a password of its own; a hash in a backup copy that is not in force (people reuse
//! passwords). Low: an entry in a shadow file that no account belongs to; no password in a backup copy, which says
//! nothing of today. A shell or uid that the image does not tell is taken for the worse.

use pratique_core::Severity;

/// Groups whose members become root by what the group may touch.
const LEADING_TO_ROOT: [&str; 10] =
    ["root", "sudo", "wheel", "admin", "docker", "lxd", "disk", "shadow", "kmem", "libvirt"];

/// Whether an entry counts when somebody logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It does.
    InForce,
    /// An earlier line of the same file has the same name.
    Later,
    /// /etc/passwd has a password of its own for this account.
    NotConsulted,
    /// No account or group of this name exists.
    NoAccount,
    /// In a backup copy, and not in force.
    Copy,
}

/// Severity for an account's password.
pub(super) fn of_account(
    uid: Option<u32>,
    name: &str,
    shell: Option<&str>,
    standing: Standing,
    empty: bool,
) -> Severity {
    let root = uid.map_or(name == "root", |uid| uid == 0);
    let worst = match (root, shell.is_some_and(refuses_login)) {
        (true, false) => Severity::Critical,
        (true, true) | (false, false) => Severity::High,
        (false, true) => Severity::Medium,
    };
    weighed(worst, standing, empty)
}

/// Severity for a group's password.
pub(super) fn of_group(gid: Option<u32>, name: &str, standing: Standing) -> Severity {
    let leads_to_root = gid == Some(0) || LEADING_TO_ROOT.contains(&name);
    weighed(if leads_to_root { Severity::Medium } else { Severity::Low }, standing, false)
}

fn weighed(worst: Severity, standing: Standing, empty: bool) -> Severity {
    match standing {
        Standing::InForce => worst,
        Standing::NoAccount => Severity::Low,
        Standing::Copy if empty => Severity::Low,
        Standing::Later | Standing::NotConsulted | Standing::Copy => match worst {
            Severity::Critical => Severity::High,
            Severity::High => Severity::Medium,
            _ => Severity::Low,
        },
    }
}

/// Whether a login shell only sends people away.
fn refuses_login(shell: &str) -> bool {
    matches!(shell.rsplit('/').next(), Some("nologin" | "false" | "true" | "sync" | "shutdown" | "halt"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds() {
        use Severity::{Critical, High, Low, Medium};
        use Standing::{Copy, InForce, Later, NoAccount, NotConsulted};
        let (sh, no) = (Some("/bin/bash"), Some("/usr/sbin/nologin"));
        for (uid, name, shell, standing, empty, expected) in [
            (Some(0), "toor", sh, InForce, false, Critical),
            (Some(0), "root", no, InForce, true, High),
            (None, "root", None, InForce, true, Critical),
            (Some(7), "root", sh, InForce, false, High),
            (Some(1000), "u", Some(""), InForce, true, High),
            (Some(1000), "u", no, InForce, false, Medium),
            (Some(0), "root", sh, Copy, false, High),
            (Some(0), "root", sh, Copy, true, Low),
            (Some(0), "root", sh, Later, false, High),
            (Some(9), "u", no, NotConsulted, false, Low),
            (None, "ghost", None, NoAccount, false, Low),
        ] {
            assert_eq!(
                of_account(uid, name, shell, standing, empty),
                expected,
                "{name} {shell:?} {standing:?}"
            );
        }
        assert_eq!(of_group(Some(0), "g", InForce), Medium);
        assert_eq!(of_group(Some(27), "sudo", InForce), Medium);
        assert_eq!(of_group(Some(50), "staff", InForce), Low);
        assert_eq!(of_group(Some(27), "sudo", Copy), Low);
    }
}
