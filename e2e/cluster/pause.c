/* The first process of a pod's PID namespace, and of each machine's: waits, reaps orphans, ends on SIGTERM or SIGINT.
 * Its arguments mean nothing to it; machine.sh finds a machine by them. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void reap(int signal) {
  (void)signal;
  while (waitpid(-1, 0, WNOHANG) > 0) {}
}

static void end(int signal) {
  (void)signal;
  _exit(0);
}

int main(void) {
  struct sigaction on_child = {.sa_handler = reap, .sa_flags = SA_NOCLDSTOP};
  struct sigaction on_end = {.sa_handler = end};
  sigaction(SIGCHLD, &on_child, 0);
  sigaction(SIGTERM, &on_end, 0);
  sigaction(SIGINT, &on_end, 0);
  reap(SIGCHLD); /* whoever died before the handler was there */
  for (;;) pause();
}
