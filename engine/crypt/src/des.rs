//! Traditional DES crypt: two characters of salt, eleven of digest; eight characters of the password count.
//!
//! The salt exchanges bits of the expansion E (FIPS 46-3) and so makes the cipher another one, which is why no DES
//! crate can be used. The password's seven-bit characters are the key; 64 zero bits are enciphered 25 times.

use super::{Cost, PasswordHash, Scheme, base64};

/// Measured: one guess.
const NANOSECONDS: u64 = 6_000;
const ITERATIONS: usize = 25;

#[rustfmt::skip]
const PC1: [u8; 56] = [
    57, 49, 41, 33, 25, 17,  9,  1, 58, 50, 42, 34, 26, 18, 10,  2, 59, 51, 43, 35, 27, 19, 11,  3, 60, 52, 44, 36,
    63, 55, 47, 39, 31, 23, 15,  7, 62, 54, 46, 38, 30, 22, 14,  6, 61, 53, 45, 37, 29, 21, 13,  5, 28, 20, 12,  4,
];
#[rustfmt::skip]
const PC2: [u8; 48] = [
    14, 17, 11, 24,  1,  5,  3, 28, 15,  6, 21, 10, 23, 19, 12,  4, 26,  8, 16,  7, 27, 20, 13,  2,
    41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
];
#[rustfmt::skip]
const FINAL: [u8; 64] = [
    40, 8, 48, 16, 56, 24, 64, 32, 39, 7, 47, 15, 55, 23, 63, 31, 38, 6, 46, 14, 54, 22, 62, 30, 37, 5, 45, 13, 53, 21, 61, 29,
    36, 4, 44, 12, 52, 20, 60, 28, 35, 3, 43, 11, 51, 19, 59, 27, 34, 2, 42, 10, 50, 18, 58, 26, 33, 1, 41,  9, 49, 17, 57, 25,
];
#[rustfmt::skip]
const P: [u8; 32] = [
    16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25,
];
const SHIFTS: [u32; 16] = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1];
#[rustfmt::skip]
const S: [[u8; 64]; 8] = [
    [14,4,13,1,2,15,11,8,3,10,6,12,5,9,0,7, 0,15,7,4,14,2,13,1,10,6,12,11,9,5,3,8,
     4,1,14,8,13,6,2,11,15,12,9,7,3,10,5,0, 15,12,8,2,4,9,1,7,5,11,3,14,10,0,6,13],
    [15,1,8,14,6,11,3,4,9,7,2,13,12,0,5,10, 3,13,4,7,15,2,8,14,12,0,1,10,6,9,11,5,
     0,14,7,11,10,4,13,1,5,8,12,6,9,3,2,15, 13,8,10,1,3,15,4,2,11,6,7,12,0,5,14,9],
    [10,0,9,14,6,3,15,5,1,13,12,7,11,4,2,8, 13,7,0,9,3,4,6,10,2,8,5,14,12,11,15,1,
     13,6,4,9,8,15,3,0,11,1,2,12,5,10,14,7, 1,10,13,0,6,9,8,7,4,15,14,3,11,5,2,12],
    [7,13,14,3,0,6,9,10,1,2,8,5,11,12,4,15, 13,8,11,5,6,15,0,3,4,7,2,12,1,10,14,9,
     10,6,9,0,12,11,7,13,15,1,3,14,5,2,8,4, 3,15,0,6,10,1,13,8,9,4,5,11,12,7,2,14],
    [2,12,4,1,7,10,11,6,8,5,3,15,13,0,14,9, 14,11,2,12,4,7,13,1,5,0,15,10,3,9,8,6,
     4,2,1,11,10,13,7,8,15,9,12,5,6,3,0,14, 11,8,12,7,1,14,2,13,6,15,0,9,10,4,5,3],
    [12,1,10,15,9,2,6,8,0,13,3,4,14,7,5,11, 10,15,4,2,7,12,9,5,6,1,13,14,0,11,3,8,
     9,14,15,5,2,8,12,3,7,0,4,10,1,13,11,6, 4,3,2,12,9,5,15,10,11,14,1,7,6,0,8,13],
    [4,11,2,14,15,0,8,13,3,12,9,7,5,10,6,1, 13,0,11,7,4,9,1,10,14,3,5,12,2,15,8,6,
     1,4,11,13,12,3,7,14,10,15,6,8,0,5,9,2, 6,11,13,8,1,4,10,7,9,5,0,15,14,2,3,12],
    [13,2,8,4,6,15,11,1,10,9,3,14,5,0,12,7, 1,15,13,8,10,3,7,4,12,5,6,11,0,14,9,2,
     7,11,4,1,9,12,14,2,0,6,10,13,15,3,5,8, 2,1,14,7,4,10,8,13,15,12,9,0,3,5,6,11],
];

/// Each S-box followed by the permutation P, by its six input bits.
static SUBSTITUTE: [[u32; 64]; 8] = substitution();

const fn substitution() -> [[u32; 64]; 8] {
    let mut table = [[0; 64]; 8];
    let mut input = 0;
    while input < 512 {
        let (number, bits) = (input / 64, input % 64);
        let row = (bits >> 4 & 2) | (bits & 1);
        let value = S[number][row * 16 + (bits >> 1 & 15)] as u64;
        table[number][bits] = permute(value << (28 - 4 * number), 32, &P) as u32;
        input += 1;
    }
    table
}

/// The bits of `value` (which has `width`, the first the most significant) that `table` names, in its order.
const fn permute(value: u64, width: u32, table: &[u8]) -> u64 {
    let mut result = 0;
    let mut at = 0;
    while at < table.len() {
        result = result << 1 | (value >> (width - table[at] as u32) & 1);
        at += 1;
    }
    result
}

#[rustfmt::skip]
const INITIAL: [u8; 64] = [
    58, 50, 42, 34, 26, 18, 10, 2, 60, 52, 44, 36, 28, 20, 12, 4, 62, 54, 46, 38, 30, 22, 14, 6, 64, 56, 48, 40, 32, 24, 16, 8,
    57, 49, 41, 33, 25, 17,  9, 1, 59, 51, 43, 35, 27, 19, 11, 3, 61, 53, 45, 37, 29, 21, 13, 5, 63, 55, 47, 39, 31, 23, 15, 7,
];

/// Deciphers one block with plain DES (FIPS 46-3): what VNC does to a password to hide it. The lowest bit of each byte of
/// the key counts for nothing.
pub fn decrypt_block(key: [u8; 8], block: [u8; 8]) -> [u8; 8] {
    let bits = permute(u64::from_be_bytes(block), 64, &INITIAL);
    let (mut left, mut right) = ((bits >> 32) as u32, bits as u32);
    for key in key_schedule(&key.map(|byte| byte >> 1)).iter().rev() {
        (left, right) = (right, left ^ round(right, *key, 0));
    }
    permute(u64::from(right) << 32 | u64::from(left), 64, &FINAL).to_be_bytes()
}

/// A hash of this scheme.
pub(super) struct Des {
    /// Which bits of the two halves of E change places.
    exchange: u32,
    digest: String,
}

impl Des {
    /// Reads 13 characters of the alphabet; anything else is no hash.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() != 13 || !base64::is_alphabet(text) {
            return None;
        }
        let salt = base64::number(&text.as_bytes()[..2])?;
        Some(Self { exchange: salt.reverse_bits() >> 8, digest: text[2..].into() })
    }
}

impl PasswordHash for Des {
    fn scheme(&self) -> Scheme {
        Scheme::Des
    }

    fn cost(&self) -> Cost {
        Cost::of(1, NANOSECONDS, 0)
    }

    fn verify(&self, guess: &[u8]) -> bool {
        let keys = key_schedule(guess);
        let (mut left, mut right) = (0, 0);
        for _ in 0..ITERATIONS {
            for key in &keys {
                (left, right) = (right, left ^ round(right, *key, self.exchange));
            }
            (left, right) = (right, left);
        }
        let bits = permute(u64::from(left) << 32 | u64::from(right), 64, &FINAL);
        let digest = (0..11u32).map(|at| {
            let shift = 58 - i64::from(at) * 6;
            base64::character(if shift >= 0 { bits >> shift } else { bits << -shift } as u32)
        });
        digest.eq(self.digest.chars())
    }
}

/// The 16 round keys, each as two halves of 24 bits.
fn key_schedule(password: &[u8]) -> [(u32, u32); 16] {
    let key = (0..8).fold(0u64, |key, at| key << 8 | u64::from(password.get(at).copied().unwrap_or(0) << 1));
    let chosen = permute(key, 64, &PC1);
    let (mut c, mut d) = ((chosen >> 28) as u32, (chosen & 0xfff_ffff) as u32);
    SHIFTS.map(|shift| {
        let rotate = |half: u32| (half << shift | half >> (28 - shift)) & 0xfff_ffff;
        (c, d) = (rotate(c), rotate(d));
        let key = permute(u64::from(c) << 28 | u64::from(d), 56, &PC2);
        ((key >> 24) as u32, (key & 0xff_ffff) as u32)
    })
}

/// The cipher's function f with the salted expansion.
fn round(right: u32, key: (u32, u32), exchange: u32) -> u32 {
    let turned = right.rotate_right(1);
    let half =
        |first: u32| (first..first + 4).fold(0, |bits, at| bits << 6 | turned.rotate_left(4 * at) >> 26);
    let (mut high, mut low) = (half(0), half(4));
    let swap = (high ^ low) & exchange;
    high ^= swap ^ key.0;
    low ^= swap ^ key.1;
    (0..4).fold(0, |sum, at| {
        let shift = 18 - 6 * at;
        sum | SUBSTITUTE[at][(high >> shift & 63) as usize] | SUBSTITUTE[at + 4][(low >> shift & 63) as usize]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_deciphered_as_the_standard_says() {
        // NIST SP 500-20, the first of the variable plaintext known answers.
        let cipher = 0x95f8_a5e5_dd31_d900_u64.to_be_bytes();
        assert_eq!(decrypt_block([1; 8], cipher), 0x8000_0000_0000_0000_u64.to_be_bytes());
    }
}
