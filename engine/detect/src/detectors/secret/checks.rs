//! What a pattern cannot tell: checksums and structure.

/// Base64 of either alphabet, padded or not, without what `skip` names; none if a byte is foreign.
pub(super) fn base64(text: impl Iterator<Item = u8>) -> Option<Vec<u8>> {
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for byte in text.filter(|byte| *byte != b'=') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    Some(bytes)
}

/// CRC-32 as in zip (ISO 3309).
pub(super) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| sum >> 1 ^ (0xedb8_8320 & (sum & 1).wrapping_neg()))
    })
}

/// Six digits to base 62, `0-9A-Za-z`, as GitHub and npm end their tokens.
pub(super) fn base62(mut value: u32) -> [u8; 6] {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(value % 62) as usize];
        value /= 62;
    }
    digits
}

/// A prefix up to `_`, 30 characters, and their CRC-32.
pub(super) fn ends_in_crc32(token: &[u8]) -> bool {
    let Some(place) = token.iter().position(|byte| *byte == b'_') else { return false };
    let body = &token[place + 1..];
    body.len() == 36 && base62(crc32(&body[..30])) == body[30..]
}

/// Not the placeholder of documentation, and not one character over and over.
pub(super) fn varied(secret: &[u8]) -> bool {
    let mut met = [false; 256];
    secret.iter().for_each(|byte| met[usize::from(*byte)] = true);
    let distinct = met.iter().filter(|met| **met).count();
    distinct >= 8.min(secret.len() / 2)
        && !secret.windows(7).any(|part| part.eq_ignore_ascii_case(b"EXAMPLE"))
}

/// Varied, and no words that merely stand behind the prefix, as in a program's table of strings.
pub(super) fn no_word(token: &[u8]) -> bool {
    let body = token.rsplit(|byte| *byte == b'_').next().unwrap_or_default();
    let is_long = body.len() >= 24 && body.iter().any(u8::is_ascii_uppercase);
    varied(token) && (is_long || body.iter().any(u8::is_ascii_digit))
}

/// Two segments that are JSON objects, the first with an algorithm (RFC 7519).
pub(super) fn is_jwt(token: &[u8]) -> bool {
    let mut parts = token.split(|byte| *byte == b'.').map(|part| {
        let bytes = base64(part.iter().copied())?;
        serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&bytes).ok()
    });
    let (header, claims) = (parts.next().flatten(), parts.next().flatten());
    header.is_some_and(|header| header.contains_key("alg")) && claims.is_some()
}

/// A bot's token of Discord: its first segment is the bot's number.
pub(super) fn is_discord_token(token: &[u8]) -> bool {
    let number = token.split(|byte| *byte == b'.').next().and_then(|part| base64(part.iter().copied()));
    varied(token) && number.is_some_and(|number| number.iter().all(u8::is_ascii_digit))
}

/// Whether a PEM private key (RFC 7468; OpenSSH's PROTOCOL.key) needs a passphrase; none if its body is no key.
pub(super) fn needs_passphrase(pem: &[u8]) -> Option<bool> {
    let text = std::str::from_utf8(pem).ok()?.replace("\\n", "\n").replace("\\r", "");
    let mut lines = text.lines().map(str::trim);
    let label = lines.next()?;
    let body: Vec<&str> = lines.take_while(|line| !line.starts_with("-----")).collect();
    let marked = label.contains("ENCRYPTED") || body.iter().any(|line| line.contains("ENCRYPTED"));
    let key = base64(body.iter().filter(|line| !line.contains(':')).flat_map(|line| line.bytes()))?;
    if let Some(rest) = key.strip_prefix(b"openssh-key-v1\0\0\0\0") {
        return Some(!rest.starts_with(b"\x04none"));
    }
    // Before PKCS#8, the whole body is what the passphrase gives.
    let is_enciphered = marked && body.iter().any(|line| line.starts_with("DEK-Info:"));
    (is_enciphered && key.len() >= 32 || is_sequence(&key)).then_some(marked)
}

/// Whether bytes are one sequence in DER (X.690) that begins with a version or with what enciphers the rest, as the keys of
/// PKCS#1, PKCS#8 and SEC 1 do.
fn is_sequence(der: &[u8]) -> bool {
    let (length, body) = match der {
        [0x30, length @ ..=0x7f, body @ ..] => (usize::from(*length), body),
        [0x30, 0x81, length, body @ ..] => (usize::from(*length), body),
        [0x30, 0x82, high, low, body @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), body),
        _ => return false,
    };
    length == body.len() && length >= 32 && matches!(body[0], 0x02 | 0x30)
}

/// A key that anybody can use.
pub(super) fn is_open_key(pem: &[u8]) -> bool {
    needs_passphrase(pem) == Some(false)
}

/// A key that needs a passphrase.
pub(super) fn is_protected_key(pem: &[u8]) -> bool {
    needs_passphrase(pem) == Some(true)
}

/// What examples have in the place of a password, without digits and signs at its end.
const COMMON: [&str; 17] = [
    "changeit",
    "changeme",
    "password",
    "pass",
    "passwd",
    "passphrase",
    "secret",
    "mypass",
    "mypassword",
    "mysecret",
    "userpass",
    "yourpassword",
    "your_password",
    "redacted",
    "postgres",
    "thepassword",
    "thepass",
];

/// A password that examples have.
pub(super) fn is_common_password(password: &[u8]) -> bool {
    let word = password.to_ascii_lowercase();
    let end = word.iter().rposition(u8::is_ascii_alphabetic).map_or(0, |last| last + 1);
    let word = &word[..end];
    // As in `app_reader_password`.
    let last = word.rsplit(|byte| matches!(byte, b'_' | b'-')).next().unwrap_or_default();
    varied(password) && COMMON.iter().any(|common| common.as_bytes() == word || common.as_bytes() == last)
}

/// A password that no example has.
pub(super) fn is_own_password(password: &[u8]) -> bool {
    varied(password) && !is_common_password(password)
}

/// What says whether there is a password, where one could stand.
const SETTINGS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "none", "null", "nil"];

/// A password of any length, where a program or a person keeps one: not one character alone or over and over, no example's,
/// and no setting.
pub(super) fn is_kept_password(password: &[u8]) -> bool {
    password.iter().any(|byte| *byte != password[0])
        && is_own_password(password)
        && !SETTINGS.iter().any(|word| password.eq_ignore_ascii_case(word.as_bytes()))
}

/// A login as HTTP's basic authentication has it (RFC 7617): base64 of a name and a password.
pub(super) fn is_login(encoded: &[u8]) -> bool {
    let Some(login) = base64(encoded.iter().copied()) else { return false };
    let Some(colon) = login.iter().position(|byte| *byte == b':') else { return false };
    let password = &login[colon + 1..];
    let printable = login.iter().all(|byte| matches!(byte, 0x20..=0x7e));
    colon > 0 && password.len() >= 6 && printable && is_own_password(password)
}

/// Base64 of a whole PEM private key that anybody can use.
pub(super) fn is_encoded_key(encoded: &[u8]) -> bool {
    base64(encoded.iter().copied()).is_some_and(|pem| {
        memchr::memmem::find_iter(&pem, b"PRIVATE KEY-----").count() == 2 && is_open_key(&pem)
    })
}

/// The digits of Bech32 (BIP 173), in the case that keys are written in.
pub(super) const BECH32: &[u8; 32] = b"QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L";

/// BIP 173's checksum over a prefix in lower case and the values of digits: 1 if they end in the right one.
pub(super) fn bech32(prefix: &[u8], digits: &[u8]) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let prefix = prefix.iter().map(|byte| byte >> 5).chain([0]).chain(prefix.iter().map(|byte| byte & 31));
    prefix.chain(digits.iter().copied()).fold(1, |sum: u32, value| {
        let next = (sum & 0x01ff_ffff) << 5 ^ u32::from(value);
        (0..5).filter(|bit| sum >> (25 + bit) & 1 == 1).fold(next, |next, bit| next ^ GENERATOR[bit])
    })
}

/// A text in Bech32 (BIP 173), in capitals, with the right checksum.
pub(super) fn is_bech32(text: &[u8]) -> bool {
    let Some(place) = text.iter().rposition(|byte| *byte == b'1') else { return false };
    let value = |byte: &u8| BECH32.iter().position(|digit| digit == byte).map(|value| value as u8);
    let digits: Option<Vec<u8>> = text[place + 1..].iter().map(value).collect();
    digits.is_some_and(|digits| bech32(&text[..place].to_ascii_lowercase(), &digits) == 1)
}

/// Bits of information in a byte (Shannon), by how often each byte occurs in it.
pub(super) fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let share = |count: u32| f64::from(count) / bytes.len() as f64;
    counts.into_iter().filter(|count| *count > 0).map(|count| -share(count) * share(count).log2()).sum()
}

/// GitHub's token of an app's installation: `ghs_`, the app's number, and a JSON web token.
pub(super) fn is_app_token(token: &[u8]) -> bool {
    token.splitn(3, |byte| *byte == b'_').nth(2).is_some_and(is_jwt)
}

/// A prefix up to `-`, and a macaroon of version 2 (libmacaroons, `doc/format.txt`): a location and a name, caveats, and
/// 32 bytes of signature.
pub(super) fn is_macaroon(token: &[u8]) -> bool {
    let body = token.splitn(2, |byte| *byte == b'-').nth(1);
    let Some(bytes) = body.and_then(|body| base64(body.iter().copied())) else { return false };
    let mut rest = bytes.as_slice();
    if rest.split_off_first() != Some(&2) {
        return false;
    }
    // Sections end in a zero, and so do the sections.
    let (mut fields, mut sections) = (0, 0);
    while let Some(kind) = rest.split_off_first() {
        match *kind {
            0 if fields == 0 => return sections > 0 && rest.starts_with(&[6, 32]) && rest.len() == 34,
            0 => (fields, sections) = (0, sections + 1),
            1 | 2 | 4 => {
                // LEB128: seven bits in each byte.
                let Some(low) = rest.split_off_first() else { return false };
                let high = if *low < 0x80 { Some(&0) } else { rest.split_off_first() };
                let length = high.map(|high| usize::from(low & 0x7f) | usize::from(*high) << 7);
                if length.and_then(|length| rest.split_off(..length)).is_none() {
                    return false;
                }
                fields += 1;
            }
            _ => return false,
        }
    }
    false
}
