//! Containers that have the node in their hand.

use super::plain::Plain;

/// Whether a command starts a container that can write to all of the node's files, has all of its rights and processes, or
/// joins the namespaces of the node's first process.
pub(super) fn takes(plain: &Plain<'_>) -> bool {
    let words = || plain.arguments.iter().map(|word| word.text.as_str());
    match plain.name.as_str() {
        "docker" | "podman" | "nerdctl" | "ctr" => {
            words().any(|word| matches!(word, "run" | "create")) && has_node(words().collect())
        }
        // `nsenter -t 1 -m -u -i -n -p sh`
        "nsenter" => {
            let words: Vec<&str> = words().collect();
            let of_first = |pair: &[&str]| matches!(pair, ["-t" | "--target", "1"]);
            let is_first = words.windows(2).any(of_first)
                || words.iter().any(|word| matches!(*word, "-t1" | "--target=1"));
            let joins = |word: &&str| match word.strip_prefix("--") {
                Some(long) => matches!(long, "all" | "mount") || long.starts_with("mount="),
                None => word.starts_with('-') && word.contains(['m', 'a']),
            };
            is_first && words.iter().any(joins)
        }
        _ => false,
    }
}

fn has_node(words: Vec<&str>) -> bool {
    let (mut has_all_rights, mut has_processes, mut has_files) = (false, false, false);
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let (name, own) = word.split_once('=').map_or((word, None), |(name, own)| (name, Some(own)));
        match name {
            "--privileged" => has_all_rights |= own != Some("false"),
            "--pid" => has_processes |= own.or_else(|| words.next()) == Some("host"),
            "-v" | "--volume" | "--mount" => {
                has_files |= own
                    .map_or_else(|| words.next().is_some_and(is_root), |_| is_root(&word[name.len() + 1..]));
            }
            _ => {}
        }
    }
    has_files || (has_all_rights && has_processes)
}

/// Whether a mount is that of the node's root, to be written to: `/:/host`, `type=bind,source=/,target=/host`.
fn is_root(mount: &str) -> bool {
    let options: Vec<&str> = mount.split([',', ':']).collect();
    let reads_only = ["ro", "readonly", "readonly=true", "ro=true"].iter().any(|one| options.contains(one));
    let is_root = match mount.contains('=') {
        true => options.iter().any(|one| matches!(*one, "src=/" | "source=/")),
        false => options.len() > 1 && options[0] == "/",
    };
    is_root && !reads_only
}
