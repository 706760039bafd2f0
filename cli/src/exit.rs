//! How the command ends. docs/command.md has the same table.

use std::process::ExitCode;

/// What the exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// Scanned whole, and nothing at or above the threshold was found.
    Clean = 0,
    /// Something at or above the threshold was found.
    Findings = 1,
    /// Something could not be read or judged, and nothing at or above the threshold was found in the rest.
    Incomplete = 2,
    /// The command, its configuration file or a value in it is wrong.
    Usage = 3,
    /// A target, or an artifact with rules, was not found, or nothing of it could be read.
    Source = 4,
    /// The result could not be written.
    Output = 5,
}

impl Code {
    /// The code that says the most of two results: a target that was not scanned at all, then findings, then gaps.
    pub(crate) fn worse(self, other: Self) -> Self {
        let rank = |code: Self| match code {
            Self::Clean => 0,
            Self::Incomplete => 1,
            Self::Findings => 2,
            Self::Source => 3,
            Self::Usage | Self::Output => 4,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// An error, and the exit code that it means.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) error: anyhow::Error,
}

/// Gives errors their exit code.
pub(crate) trait Fail<T> {
    /// The error ends the command with this code.
    fn fail(self, code: Code) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> Fail<T> for Result<T, E> {
    fn fail(self, code: Code) -> Result<T, Failure> {
        self.map_err(|error| Failure { code, error: error.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_results_the_one_that_says_more_counts_whatever_their_order() {
        use Code::{Clean, Findings, Incomplete, Source};
        let rising = [Clean, Incomplete, Findings, Source];
        for (place, lower) in rising.iter().enumerate() {
            for higher in &rising[place..] {
                assert_eq!(lower.worse(*higher), *higher);
                assert_eq!(higher.worse(*lower), *higher);
            }
        }
    }
}
