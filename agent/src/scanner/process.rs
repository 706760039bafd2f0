//! Starting a child, talking with it until a deadline, and telling how it ended.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::Signal;

use super::job::{Answer, MAX_FRAME};
use crate::channel;

/// How children are started.
#[derive(Debug, Clone)]
pub(super) struct Program {
    /// The executable; `pratique-agent` itself.
    pub(super) path: PathBuf,
    /// Its arguments.
    pub(super) arguments: Vec<String>,
    /// Memory a child may use, in bytes.
    pub(super) memory: u64,
}

impl Program {
    /// This very executable. `/proc/self/exe` survives that the file is replaced.
    pub(super) fn own(memory: u64) -> Self {
        Self { path: "/proc/self/exe".into(), arguments: vec!["child".to_owned()], memory }
    }
}

/// Why a child gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Death {
    /// It ended by itself or by a signal.
    #[error("the scanning process died: {0}")]
    Died(String),
    /// It took too long and was killed.
    #[error("the scanning process did not end in time and was killed")]
    Timeout,
    /// Nobody waits for its answer any more.
    #[error("the scan was cancelled")]
    Cancelled,
}

/// Runs a child over these descriptors and frames. Ends it at the deadline, and when `cancelled` (the reading end of a
/// pipe) becomes readable or is closed.
pub(super) fn ask<D: AsFd>(
    program: &Program,
    frames: &[Vec<u8>],
    descriptors: &[D],
    deadline: Instant,
    cancelled: BorrowedFd<'_>,
) -> Result<Answer, Death> {
    let mut child = Reaped(
        start(program, descriptors).map_err(|error| Death::Died(format!("it cannot be started: {error}")))?,
    );
    // Its own error matters less than how the child ended: a child that dies reads no more.
    let _ = send(&mut child.0, frames, deadline, cancelled);
    let answer = receive(&mut child.0, deadline, cancelled);
    let fault = match answer {
        Ok(Some(frame)) => match Answer::decode(&frame) {
            Ok(answer) => return Ok(answer),
            Err(reason) => Some(format!("it answered nonsense: {reason}")),
        },
        Ok(None) => None,
        Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(Death::Timeout),
        Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => return Err(Death::Cancelled),
        Err(error) => Some(error.to_string()),
    };
    match fault {
        Some(fault) => Err(Death::Died(fault)),
        None => Err(Death::Died(child.0.wait().map_or_else(|error| error.to_string(), describe))),
    }
}

/// Kills and reaps the child when it is dropped: none outlives its scan.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        // A child that ended already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(program: &Program, descriptors: &[impl AsFd]) -> io::Result<Child> {
    let numbers: Vec<i32> = descriptors.iter().map(|own| own.as_fd().as_raw_fd()).collect();
    let mut command = Command::new(&program.path);
    command.args(&program.arguments).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped());
    let prepare = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        for number in &numbers {
            // SAFETY: between fork and exec only this thread runs, and the descriptors are the parent's, still open.
            let descriptor = unsafe { BorrowedFd::borrow_raw(*number) };
            rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::empty())?;
        }
        Ok(())
    };
    // SAFETY: `prepare` makes system calls only; it neither allocates nor takes a lock.
    unsafe { command.pre_exec(prepare) };
    command.spawn()
}

fn send(
    child: &mut Child,
    frames: &[Vec<u8>],
    deadline: Instant,
    cancelled: BorrowedFd<'_>,
) -> Result<(), channel::Error> {
    // Taken, so that the child sees the end of its input.
    let Some(input) = child.stdin.take() else { return Ok(()) };
    let mut writer = Until { stream: input, deadline, cancelled };
    frames.iter().try_for_each(|frame| channel::write_frame(&mut writer, frame, MAX_FRAME))
}

fn receive(child: &mut Child, deadline: Instant, cancelled: BorrowedFd<'_>) -> io::Result<Option<Vec<u8>>> {
    let Some(output) = child.stdout.take() else { return Ok(None) };
    let mut reader = Until { stream: output, deadline, cancelled };
    channel::read_frame(&mut reader, MAX_FRAME).map_err(|error| match error {
        channel::Error::Io(error) => error,
        other => io::Error::other(other),
    })
}

/// A pipe that is waited for until a deadline ([`io::ErrorKind::TimedOut`]) or until the scan is cancelled
/// ([`io::ErrorKind::ConnectionAborted`]).
struct Until<'c, S> {
    stream: S,
    deadline: Instant,
    cancelled: BorrowedFd<'c>,
}

impl<S: AsFd> Until<'_, S> {
    fn wait(&self, flags: PollFlags) -> io::Result<()> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let mut polled =
                [PollFd::new(&self.stream, flags), PollFd::from_borrowed_fd(self.cancelled, PollFlags::IN)];
            let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
            match rustix::event::poll(&mut polled, Some(&timeout)) {
                Ok(_) if !polled[1].revents().is_empty() => {
                    return Err(io::ErrorKind::ConnectionAborted.into());
                }
                Ok(_) if !polled[0].revents().is_empty() => return Ok(()),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl<S: Read + AsFd> Read for Until<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.wait(PollFlags::IN)?;
        self.stream.read(buffer)
    }
}

impl<S: Write + AsFd> Write for Until<'_, S> {
    /// A pipe that polls as writable takes `PIPE_BUF` bytes without blocking.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.wait(PollFlags::OUT)?;
        self.stream.write(&bytes[..bytes.len().min(libc::PIPE_BUF)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(libc::SIGABRT), _) => {
            "it aborted (signal 6), as it does when its memory limit is reached".to_owned()
        }
        (Some(libc::SIGKILL), _) => {
            "it was killed (signal 9), as the kernel does when memory ends".to_owned()
        }
        (Some(signal), _) => format!("signal {signal}"),
        (None, Some(code)) => format!("it ended with code {code} and no answer"),
        (None, None) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn shell(script: &str) -> Program {
        Program {
            path: "/bin/sh".into(),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            memory: 1 << 30,
        }
    }

    fn run(script: &str, time: Duration) -> Result<Answer, Death> {
        let (reading, _writing) = io::pipe().unwrap();
        let large = vec![vec![0; 300_000]];
        ask::<BorrowedFd<'_>>(&shell(script), &large, &[], Instant::now() + time, reading.as_fd())
    }

    #[test]
    fn an_answer_arrives_even_though_the_job_was_not_read() {
        let answer = run("printf '\\000\\000\\000\\001\\004'", Duration::from_secs(20));
        assert!(matches!(answer, Ok(Answer::NeedsSources)), "{answer:?}");
    }

    #[test]
    fn deaths_are_told_apart() {
        let long = Duration::from_secs(20);
        for (script, words) in [
            ("exit 3", "code 3"),
            ("kill -9 $$", "signal 9"),
            ("kill -6 $$", "memory limit"),
            ("cat >/dev/null; printf '\\000\\000\\000\\001\\011'", "nonsense"),
        ] {
            match run(script, long) {
                Err(Death::Died(reason)) => assert!(reason.contains(words), "{script}: {reason}"),
                other => panic!("{script}: {other:?}"),
            }
        }
        assert!(matches!(
            run("cat >/dev/null; exec tail -f /dev/null", Duration::from_millis(300)),
            Err(Death::Timeout)
        ));
    }

    #[test]
    fn a_cancelled_child_is_killed() {
        let (reading, writing) = io::pipe().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("started");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).unwrap();
        let script = format!("echo $$ > {}; exec tail -f /dev/null", fifo.display());
        let asking = std::thread::spawn(move || {
            ask::<BorrowedFd<'_>>(
                &shell(&script),
                &[],
                &[],
                Instant::now() + Duration::from_secs(60),
                reading.as_fd(),
            )
        });
        let pid: i32 = std::fs::read_to_string(&fifo).unwrap().trim().parse().unwrap();
        drop(writing);
        assert_eq!(asking.join().unwrap().err(), Some(Death::Cancelled));
        let gone = rustix::process::test_kill_process(rustix::process::Pid::from_raw(pid).unwrap());
        assert_eq!(gone, Err(rustix::io::Errno::SRCH));
    }

    #[test]
    fn only_the_given_descriptors_are_inherited() {
        let (mut reading, writing) = io::pipe().unwrap();
        let (cancel, _writing) = io::pipe().unwrap();
        let script = format!("printf given >/proc/self/fd/{}", writing.as_raw_fd());
        let given = [std::os::fd::OwnedFd::from(writing)];
        let end = ask(&shell(&script), &[], &given, Instant::now() + Duration::from_secs(20), cancel.as_fd());
        assert!(matches!(end, Err(Death::Died(_))));
        drop(given);
        let mut text = String::new();
        reading.read_to_string(&mut text).unwrap();
        assert_eq!(text, "given");
    }
}
