//! What programs that people and jobs use read at their start, and that runs code: vim, tmux, screen, gdb, lldb, Perl, R, Ruby,
//! IPython, Emacs, psql, sqlite3, lftp, less.

mod code;
mod terminals;
mod vim;

use pratique_core::Severity;

use self::code::{Block, Language};
use super::variables::loads;
use crate::shell::hidden_place;
use crate::signs::{Excuse, Notes, text, word};
use crate::{FileInput, Rule};

pub(super) const PLACES: &[&str] = &[
    "etc/vimrc",
    "etc/virc",
    "etc/vim/vimrc",
    "etc/vim/vimrc.local",
    "etc/vim/vimrc.tiny",
    "etc/xdg/nvim/sysinit.vim",
    "usr/share/nvim/sysinit.vim",
    "usr/share/vim/vimfiles/*/*.vim",
    "usr/share/vim/addons/*/*.vim",
    "usr/share/nvim/site/*/*.vim",
    "**/.vimrc",
    "**/.gvimrc",
    "**/.exrc",
    "**/.nexrc",
    "**/.nvimrc",
    "**/.vim/vimrc",
    "**/.vim/gvimrc",
    "**/.vim/*/*.vim",
    "**/.vim/after/*/*.vim",
    "**/.vim/pack/*/start/*/*/*.vim",
    "**/.config/nvim/init.vim",
    "**/.config/nvim/init.lua",
    "**/.config/nvim/ginit.vim",
    "**/.config/nvim/*/*.vim",
    "**/.config/nvim/*/*.lua",
    "**/.config/nvim/after/*/*",
    "**/.local/share/nvim/site/*/*",
    "**/.local/share/nvim/site/pack/*/start/*/*/*",
    "etc/tmux.conf",
    "**/.tmux.conf",
    "**/.config/tmux/tmux.conf",
    "etc/screenrc",
    "**/.screenrc",
    "etc/gdb/gdbinit",
    "etc/gdb/gdbinit.d/*",
    "etc/gdbinit",
    "etc/gdbinit.d/*",
    "**/.gdbinit",
    "**/.gdbearlyinit",
    "**/.config/gdb/gdbinit",
    "**/.config/gdb/gdbearlyinit",
    "**/.lldbinit",
    "**/sitecustomize.pl",
    "etc/R/Rprofile.site",
    "usr/lib/R/etc/Rprofile.site",
    "usr/local/lib/R/etc/Rprofile.site",
    "**/.Rprofile",
    "etc/irbrc",
    "**/.irbrc",
    "**/.pryrc",
    "**/.ipython/*/startup/*",
    "etc/ipython/startup/*",
    "etc/emacs/site-start.el",
    "etc/emacs/site-start.d/*.el",
    "**/.emacs",
    "**/.emacs.d/init.el",
    "**/.emacs.d/early-init.el",
    "**/.config/emacs/init.el",
    "**/.psqlrc",
    "etc/postgresql-common/psqlrc",
    "**/.sqliterc",
    "**/.config/sqlite3/sqliterc",
    "etc/lftp.conf",
    "**/.lftprc",
    "**/.lftp/rc",
    "**/.config/lftp/rc",
    "**/.lesskey",
];

pub(super) const RULE: Rule = Rule {
    id: "tool-startup",
    severity: "Low to Critical",
    reference: "ATT&CK T1546",
    what: "commands that vim and Neovim, tmux, screen, gdb, lldb, Perl (sitecustomize.pl), R, Ruby's irb, IPython, Emacs, psql, sqlite3, lftp and less run at their start, by system-wide files and those of users, that fetch or decode code, open a shell to the network or run a program from a hidden or open folder, and code and libraries that they load from there",
    why: "they run with the rights of whoever edits a file, opens a terminal or looks into a database",
    remedy: "restore the file that the package or the base image brought, or remove the line",
};

pub(super) fn read(path: &str, file: &FileInput<'_>, notes: &mut Notes) {
    let text = text(file);
    let name = path.rsplit('/').next().unwrap_or_default();
    let folder = path.rsplit('/').nth(1).unwrap_or_default();
    if name.ends_with(".lua") {
        code::read(&text, &code::LUA, "Neovim's start", notes);
    } else if name.ends_with(".el") || name == ".emacs" {
        code::read(&text, &code::LISP, "Emacs's start", notes);
    } else if name.ends_with(".py") || name.ends_with(".ipy") {
        code::read(&text, &code::SCRIPT, "IPython's start", notes);
    } else if name == "sitecustomize.pl" {
        code::read(&text, &Language { plain: Some(Severity::Low), ..code::SCRIPT }, "every Perl", notes);
    } else if name.contains("Rprofile") {
        code::read(&text, &code::SCRIPT, "R's start", notes);
    } else if name.ends_with("irbrc") || name == ".pryrc" {
        code::read(&text, &code::SCRIPT, "Ruby's start", notes);
    } else if name.ends_with("tmux.conf") {
        terminals::tmux(&text, notes);
    } else if name.ends_with("screenrc") {
        terminals::screen(&text, notes);
    } else if name == ".lldbinit" || name.contains("gdb") || folder.starts_with("gdb") {
        debugger(&text, notes);
    } else if ["psqlrc", "sqliterc", "lftp"].iter().any(|client| name.contains(client)) || name == "rc" {
        client(&text, notes);
    } else if name == ".lesskey" {
        for (line, content) in notes.lines(&text) {
            if let Some(loaded) = content.split_once('=').and_then(|(name, value)| loads(name, value)) {
                loaded.note(" for less", line, notes);
            }
        }
    } else {
        vim::read(&text, notes);
    }
}

/// That a tool loads what lies where everybody may write, or where nobody looks.
fn loaded(who: &str, target: &str, line: u32, notes: &mut Notes) {
    if let Some(why) = hidden_place(target) {
        let what = format!("{who} loads {}, {why}", word(target));
        notes.sign(Severity::High, Excuse::Owned, Some(line), what);
    }
}

/// gdb (<https://sourceware.org/gdb/current/onlinedocs/gdb/Commands.html>) and lldb: `shell`, `!`, `python`, `source`.
fn debugger(text: &str, notes: &mut Notes) {
    const WHO: &str = "the debugger's start";
    let mut block = None;
    for (line, content) in notes.lines(text) {
        if Block::take(&mut block, content, |line| matches!(line, "end" | "DONE"), WHO, notes) {
            continue;
        }
        let command = content.trim();
        let (verb, rest) = command.split_once([' ', '\t']).unwrap_or((command, ""));
        let rest = rest.trim();
        match verb {
            "python" | "py" | "python-interactive" | "script" if rest.is_empty() => {
                block = Some(Block::new(line + 1));
            }
            "python" | "py" | "script" => code::of_lines(rest, line, &code::SCRIPT, WHO, notes),
            "shell" | "make" => notes.script(rest, line, WHO, None),
            "platform" => notes.script(rest.trim_start_matches("shell "), line, WHO, None),
            // What is run stands behind the sign.
            "pipe" | "|" => {
                if let Some((_, shell)) = rest.split_once('|') {
                    notes.script(shell, line, WHO, None);
                }
            }
            "source" => loaded("the debugger", rest, line, notes),
            "command" | "set" | "plugin" | "add-auto-load-safe-path" => {
                loaded("the debugger", rest.rsplit([' ', '\t']).next().unwrap_or_default(), line, notes);
            }
            _ => {
                if let Some(shell) = command.strip_prefix('!') {
                    notes.script(shell, line, WHO, None);
                }
            }
        }
    }
    block.into_iter().for_each(|block| block.judge(WHO, notes));
}

/// Clients of databases and servers: `\! command` and `\setenv NAME VALUE` of psql, `.shell command` and `.load LIBRARY` of
/// sqlite3, `!command` of lftp.
fn client(text: &str, notes: &mut Notes) {
    const WHO: &str = "a client's start";
    for (line, content) in notes.lines(text) {
        let content = content.trim();
        let (verb, rest) = content.split_once([' ', '\t']).unwrap_or((content, ""));
        match verb {
            "\\!" | ".shell" | ".system" | "shell" => notes.script(rest, line, WHO, None),
            "\\o" | "\\g" => notes.script(rest.trim_start_matches('|'), line, WHO, None),
            "\\setenv" => {
                let set = rest.trim().split_once([' ', '\t']);
                if let Some(loaded) = set.and_then(|(name, value)| loads(name, value)) {
                    loaded.note(" for psql", line, notes);
                }
            }
            ".load" | ".read" | "source" => {
                loaded("a client", rest.trim().trim_matches(['"', '\'']), line, notes)
            }
            _ => {
                let shell = content.strip_prefix("\\!").or_else(|| content.strip_prefix('!'));
                shell.into_iter().for_each(|shell| notes.script(shell, line, WHO, None));
            }
        }
    }
}
