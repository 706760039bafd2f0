//! `$argon2i$`, `$argon2d$`, `$argon2id$`: RFC 9106 in the PHC string format
//! (<https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md>).

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::{Cost, HashError, PasswordHash, Scheme};

/// Measured: one block of 1 KiB, filled once.
const NANOSECONDS_PER_BLOCK: u64 = 1_500;
/// Longer tags are not computed: nobody stores them.
const MAX_DIGEST: usize = 128;

/// A hash of this scheme.
pub(super) struct Argon2Hash {
    context: Argon2<'static>,
    salt: Vec<u8>,
    digest: Vec<u8>,
}

impl Argon2Hash {
    /// Reads a whole hash, which begins with `$argon2`.
    pub(super) fn parse(text: &str) -> Result<Self, HashError> {
        let malformed = |reason| HashError::Malformed { scheme: Scheme::Argon2, reason };
        let fields: Vec<&str> = text.split('$').collect();
        let (name, version, parameters, salt, digest) = match fields.as_slice() {
            ["", name, version, parameters, salt, digest] => (*name, *version, *parameters, *salt, *digest),
            // The first version of the format, before it named versions.
            ["", name, parameters, salt, digest] => (*name, "v=16", *parameters, *salt, *digest),
            _ => return Err(malformed("it has not the form `$argon2id$v=19$m=…,t=…,p=…$salt$digest`")),
        };
        let algorithm = Algorithm::new(name).map_err(|_| HashError::Unsupported(super::printable(name)))?;
        let version = match version {
            "v=16" => Version::V0x10,
            "v=19" => Version::V0x13,
            _ => return Err(HashError::Unsupported(format!("argon2 {}", super::printable(version)))),
        };
        let (mut memory, mut passes, mut lanes) = (None, None, None);
        for parameter in parameters.split(',') {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = value.parse::<u32>().ok();
            match key {
                "m" => memory = value,
                "t" => passes = value,
                "p" => lanes = value,
                // A key or data beside the password: only the program knows them.
                _ => return Err(HashError::Unsupported("argon2 with more parameters".into())),
            }
        }
        let (Some(memory), Some(passes), Some(lanes)) = (memory, passes, lanes) else {
            return Err(malformed("its parameters are not m, t and p"));
        };
        let (Ok(salt), Ok(digest)) = (STANDARD_NO_PAD.decode(salt), STANDARD_NO_PAD.decode(digest)) else {
            return Err(malformed("its salt or digest is no base64"));
        };
        if digest.len() > MAX_DIGEST || salt.len() < 8 || salt.len() > MAX_DIGEST {
            return Err(malformed("its salt or digest is too long or too short"));
        }
        let params = Params::new(memory, passes, lanes, Some(digest.len()))
            .map_err(|_| malformed("its parameters are out of range"))?;
        Ok(Self { context: Argon2::new(algorithm, version, params), salt, digest })
    }
}

impl PasswordHash for Argon2Hash {
    fn scheme(&self) -> Scheme {
        Scheme::Argon2
    }

    fn cost(&self) -> Cost {
        let params = self.context.params();
        let blocks = params.block_count() as u64;
        Cost::of(
            blocks.saturating_mul(u64::from(params.t_cost())),
            NANOSECONDS_PER_BLOCK,
            blocks * Block::SIZE as u64,
        )
    }

    fn verify(&self, guess: &[u8]) -> bool {
        let mut blocks = vec![Block::default(); self.context.params().block_count()];
        let mut digest = vec![0; self.digest.len()];
        let done = self.context.hash_password_into_with_memory(guess, &self.salt, &mut digest, &mut blocks);
        done.is_ok() && digest == self.digest
    }
}
