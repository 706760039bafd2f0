//! A shell's command of which the beginning is known.

/// Programs that run what they are given.
const SHELLS: [&str; 17] = [
    "sh",
    "bash",
    "dash",
    "ash",
    "zsh",
    "ksh",
    "cmd",
    "cmd.exe",
    "powershell",
    "powershell.exe",
    "pwsh",
    "busybox",
    "python",
    "python3",
    "perl",
    "php",
    "env",
];

/// Whether this is a shell, or begins with one.
pub(super) fn is_shell(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let program = text.split_whitespace().next().unwrap_or_default();
    let name = program.rsplit(['/', '\\']).next().unwrap_or_default().trim_matches(['"', '\'']);
    SHELLS.iter().any(|shell| name.eq_ignore_ascii_case(shell))
}

/// Whether whoever goes on behind this text chooses the program that runs.
pub(super) fn is_free(start: &[u8]) -> bool {
    let last = start
        .rsplit(|byte| matches!(byte, b';' | b'|' | b'&' | b'\n' | b'(' | b'`'))
        .next()
        .unwrap_or_default();
    let last = last.trim_ascii();
    if last.is_empty() {
        return true;
    }
    let text = String::from_utf8_lossy(last);
    let words: Vec<&str> = text.split_whitespace().collect();
    let program = words.iter().position(|word| !matches!(*word, "sudo" | "nohup" | "exec" | "time"));
    let Some(program) = program else { return true };
    // `sh -c`, `cmd /c`, `python -c`: with more words it is a script that it runs.
    is_shell(words[program].as_bytes())
        && words[program + 1..].iter().all(|word| word.starts_with(['-', '/', '"', '\'']))
}

/// Whether this begins a script that a shell reads: `cmd /c ping `.
pub(super) fn is_script(start: &[u8]) -> bool {
    let text = String::from_utf8_lossy(start);
    let second = text.split_whitespace().nth(1).unwrap_or_default();
    is_shell(start) && ["-c", "/c", "/k", "-command"].iter().any(|option| second.eq_ignore_ascii_case(option))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_chooses_the_program_is_told_by_what_is_before() {
        for start in
            ["", " ", "cd /tmp;", "ls && ", "sh -c ", "/bin/bash -c \"", "cmd.exe /c ", "sudo ", "x | "]
        {
            assert!(is_free(start.as_bytes()), "{start}");
        }
        for start in ["ping -c 1 ", "\0", "python script.py ", "/usr/bin/convert "] {
            assert!(!is_free(start.as_bytes()), "{start}");
        }
        assert!(is_script(b"cmd.exe /C ping "));
        assert!(!is_script(b"python script.py ") && !is_script(b"ping -c "));
    }
}
