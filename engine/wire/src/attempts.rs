//! [`Attempts`] to and from the wire.

use pratique_core::attempts::{Attempt, AttemptKey, Attempts};
use prost::Message;

use crate::generated::pratique::attempts::v1 as proto;

/// Most attempts that are told at once.
pub const MAX_ATTEMPTS: usize = 8192;

/// Most bytes of encoded attempts: one takes at most 28.
pub const MAX_ENCODED: usize = MAX_ATTEMPTS * 32;

/// Why bytes are no attempts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAttempts {
    /// More than are allowed.
    #[error("more than {MAX_ATTEMPTS} attempts at passwords, or {MAX_ENCODED} bytes of them")]
    TooLong,
    /// They are of no such form.
    #[error("attempts at passwords cannot be read: {0}")]
    Undecodable(String),
}

/// The attempts as bytes, at most [`MAX_ATTEMPTS`]: of more, some are left out, and are made again.
pub fn encode(attempts: &Attempts) -> Vec<u8> {
    let attempt = |(key, attempt): (&AttemptKey, &Attempt)| proto::Attempt {
        key: key.0.to_vec().into(),
        tried: attempt.tried,
        hit: attempt.hit,
    };
    proto::Attempts { attempts: attempts.iter().take(MAX_ATTEMPTS).map(attempt).collect() }.encode_to_vec()
}

/// The attempts that [`encode`] wrote.
///
/// # Errors
/// They are no attempts, or too many.
pub fn decode(bytes: &[u8]) -> Result<Attempts, InvalidAttempts> {
    if bytes.len() > MAX_ENCODED {
        return Err(InvalidAttempts::TooLong);
    }
    let undecodable = |reason: String| InvalidAttempts::Undecodable(reason);
    let message = proto::Attempts::decode(bytes).map_err(|error| undecodable(error.to_string()))?;
    if message.attempts.len() > MAX_ATTEMPTS {
        return Err(InvalidAttempts::TooLong);
    }
    let attempt = |attempt: proto::Attempt| {
        let key = attempt.key.as_ref().try_into();
        let key = key.map_err(|_| undecodable(format!("a key has {} bytes", attempt.key.len())))?;
        Ok((AttemptKey(key), Attempt { tried: attempt.tried, hit: attempt.hit }))
    };
    message.attempts.into_iter().map(attempt).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(count: usize) -> Attempts {
        let key = |number: usize| AttemptKey((number as u128).to_be_bytes());
        let attempt =
            |number: usize| Attempt { tried: u32::MAX - number as u32, hit: number.is_multiple_of(3) };
        (0..count).map(|number| (key(number), attempt(number))).collect()
    }

    #[test]
    fn attempts_survive_the_way_as_far_as_they_may_travel() {
        for count in [0, 1, MAX_ATTEMPTS] {
            let bytes = encode(&attempts(count));
            assert!(bytes.len() <= MAX_ENCODED);
            assert_eq!(decode(&bytes), Ok(attempts(count)));
        }
        assert_eq!(decode(&encode(&attempts(MAX_ATTEMPTS + 1))), Ok(attempts(MAX_ATTEMPTS)));
    }

    #[test]
    fn what_is_too_long_or_damaged_is_said() {
        let empty = proto::Attempt::default();
        let many = proto::Attempts { attempts: vec![empty.clone(); MAX_ATTEMPTS + 1] }.encode_to_vec();
        assert!(many.len() < MAX_ENCODED);
        assert_eq!(decode(&many), Err(InvalidAttempts::TooLong));
        assert_eq!(decode(&vec![0; MAX_ENCODED + 1]), Err(InvalidAttempts::TooLong));
        let short = proto::Attempts { attempts: vec![empty] }.encode_to_vec();
        assert!(decode(&short).unwrap_err().to_string().contains("a key has 0 bytes"));
        assert!(matches!(decode(b"\xffnonsense"), Err(InvalidAttempts::Undecodable(_))));
    }
}
