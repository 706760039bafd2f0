//! Passwords of VNC servers: DES with a key that every program has, so that they can be read; the first is for all, the
//! second for watching (vncpasswd(1)). x11vnc's `-passwdfile` is text.

use pratique_crypt::decrypt_block;

use super::{Rank, Reading, Service};
use crate::FileInput;

/// The product.
pub(super) static SERVICE: Service = Service {
    id: "vnc",
    name: "the VNC server",
    globs: &[
        "**/.vnc/passwd*",
        "**/.config/tigervnc/passwd*",
        "**/tigervnc/passwd*",
        "**/vncpasswd*",
        "**/.vncpasswd*",
        "**/.vnc_passwd",
        "**/x11vnc.pass*",
        "**/.x11vnc/passwd*",
    ],
    words: &["vnc", "vncpasswd", "headless", "vncpassword", "x11vnc"],
    read,
    ..Service::NEW
};

/// The key of all VNC programs, its bits in the order DES counts them.
const KEY: [u8; 8] = [0xe8, 0x4a, 0xd6, 0x60, 0xc4, 0x72, 0x1a, 0xe0];
/// Bytes of one password.
const BLOCK: usize = 8;

fn read(file: &FileInput<'_>, reading: &mut Reading) {
    let ranks = [Rank::Administrator, Rank::Limited];
    let is_text = file.bytes.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    if is_text {
        let text = super::text::text(file);
        for (line, rank) in text.lines().filter(|line| !line.starts_with('#')).zip(ranks) {
            if !line.is_empty() {
                reading.plain("", line, rank, None);
            }
        }
        return;
    }
    let (blocks, _) = file.bytes.as_chunks::<BLOCK>();
    for (block, rank) in blocks.iter().zip(ranks) {
        let password = decrypt_block(KEY, *block);
        let password = password.split(|byte| *byte == 0).next().unwrap_or_default();
        if !password.is_empty() {
            reading.plain("", &String::from_utf8_lossy(password), rank, None);
        }
    }
}
