//! `$y$`: yescrypt, <https://www.openwall.com/yescrypt/>. `$gy$`: its digest bound to the password once more by two
//! HMACs over GOST R 34.11-2012 (Streebog, 256 bits), as libxcrypt does.

use hmac::{Hmac, KeyInit, Mac};
use streebog::{Digest, Streebog256};
use yescrypt::{Mode, Params, yescrypt};

use super::{Cost, HashError, PasswordHash, Scheme, base64};

/// Measured: one of N * r blocks of 128 bytes, pre-hashing included.
const NANOSECONDS_PER_BLOCK: u64 = 300;
/// Substitution boxes of one lane, in blocks of 128 bytes.
const BOXES: u64 = 96;

/// A hash of either scheme.
pub(super) struct Yescrypt {
    scheme: Scheme,
    params: Params,
    cost: Cost,
    salt: Vec<u8>,
    /// `$gy$parameters$salt`, which `$gy$` binds into its digest.
    setting: String,
    digest: String,
}

impl Yescrypt {
    /// Reads what follows `$y$` or `$gy$`.
    pub(super) fn parse(scheme: Scheme, rest: &str) -> Result<Self, HashError> {
        let malformed = |reason| HashError::Malformed { scheme, reason };
        let fields: Vec<&str> = rest.split('$').collect();
        let &[parameters, salt, digest] = fields.as_slice() else {
            return Err(malformed("it has not the three fields parameters, salt and digest"));
        };
        if digest.len() != 43 || !base64::is_alphabet(digest) {
            return Err(malformed("its digest has not 43 characters"));
        }
        let (params, cost) = parameters_of(parameters, scheme)?;
        Ok(Self {
            scheme,
            params,
            cost,
            setting: format!("$gy${parameters}${salt}"),
            salt: base64::decode(salt).ok_or_else(|| malformed("its salt is no base64"))?,
            digest: digest.into(),
        })
    }
}

impl PasswordHash for Yescrypt {
    fn scheme(&self) -> Scheme {
        self.scheme
    }

    fn cost(&self) -> Cost {
        self.cost
    }

    fn verify(&self, guess: &[u8]) -> bool {
        let mut digest = [0; 32];
        // Refused only for parameters that parsing has refused already.
        if yescrypt(guess, &self.salt, &self.params, &mut digest).is_err() {
            return false;
        }
        if self.scheme == Scheme::GostYescrypt {
            let key = hmac(&Streebog256::digest(guess), self.setting.as_bytes());
            digest = hmac(&key, &digest);
        }
        base64::encode(&digest) == self.digest
    }
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    // HMAC takes keys of any length.
    Hmac::<Streebog256>::new_from_slice(key)
        .map(|mac| mac.chain_update(message).finalize().into_bytes().into())
        .unwrap_or_default()
}

/// Reads the parameters: flavour, log2 N, r, then a bit set that says which of p, t, g and NROM follow.
fn parameters_of(text: &str, scheme: Scheme) -> Result<(Params, Cost), HashError> {
    let malformed = || HashError::Malformed { scheme, reason: "its parameters are out of range" };
    let mut bytes = text.as_bytes();
    let mut next = |least| number(&mut bytes, least).ok_or_else(malformed);
    let (flavour, log_n, r) = (next(0)?, next(1)?, next(1)?);
    let (mut p, mut t, mut g, mut rom) = (1, 0, 0, 0);
    if let Ok(present) = next(1) {
        for (bit, least, field) in [(1, 2, &mut p), (2, 1, &mut t), (4, 1, &mut g), (8, 1, &mut rom)] {
            if present & bit != 0 {
                *field = next(least)?;
            }
        }
    }
    if !bytes.is_empty() {
        return Err(malformed());
    }
    if g != 0 || rom != 0 {
        return Err(HashError::Unsupported(format!("{scheme} with hash upgrades or a ROM")));
    }
    if !(1..64).contains(&log_n) || r == 0 || u64::from(r) * u64::from(p) >= 1 << 30 {
        return Err(malformed());
    }
    let n = 1u64 << log_n;
    let mode = Mode::try_from(flavour)
        .map_err(|_| HashError::Unsupported(format!("{scheme} of another flavour than the usual three")))?;
    let params = Params::new_with_all_params(mode, n, r, p, t, g).map_err(|_| malformed())?;
    // Lanes of the read-write flavour share N, and each has substitution boxes of its own; the other flavours work on
    // all of N once per lane. One lane's own blocks count too: they are all there is where N is small.
    let (lanes, boxes) = if mode.is_rw() { (1, u64::from(p) * BOXES) } else { (u64::from(p), 0) };
    let blocks = n.saturating_mul(u64::from(r));
    let work = blocks.saturating_mul(lanes).saturating_mul(1 + u64::from(t)).saturating_add(boxes);
    let held = blocks.saturating_add(boxes).saturating_add(u64::from(r) * (u64::from(p) + 2));
    let cost = Cost::of(work, NANOSECONDS_PER_BLOCK, held.saturating_mul(128));
    Ok((params, cost))
}

/// yescrypt's numbers of variable length: values below 48 take one character, larger ones more.
fn number(bytes: &mut &[u8], least: u32) -> Option<u32> {
    let (first, rest) = bytes.split_first()?;
    let first = base64::value(*first)?;
    *bytes = rest;
    let (mut start, mut end, mut characters, mut bits) = (0u32, 47u32, 1u32, 0u32);
    let mut sum = least;
    while first > end {
        sum = sum.checked_add((end + 1 - start) << bits)?;
        start = end + 1;
        end = start + (62 - end) / 2;
        characters += 1;
        bits += 6;
    }
    sum = sum.checked_add((first - start) << bits)?;
    for _ in 1..characters {
        let (next, rest) = bytes.split_first()?;
        *bytes = rest;
        bits -= 6;
        sum = sum.checked_add(base64::value(*next)? << bits)?;
    }
    Some(sum)
}
