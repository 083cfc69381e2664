/*
 * Loaded into an Envoy under test (LD_PRELOAD): its wall clock shows what the first 8 bytes of $TEST_CLOCK_FILE say, in
 * nanoseconds since the epoch, or the real time while they are 0. Timers run on: they go by the monotonic clock.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *wall;

__attribute__((constructor)) static void open_clock(void) {
  const char *path = getenv("TEST_CLOCK_FILE");
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void *map = mmap(NULL, 8, PROT_READ, MAP_SHARED, fd, 0);
  if (map != MAP_FAILED) wall = map;
  close(fd);
}

int clock_gettime(clockid_t id, struct timespec *at) {
  int64_t now = wall ? *wall : 0;
  if (now == 0 || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)) return syscall(SYS_clock_gettime, id, at);
  at->tv_sec = now / 1000000000;
  at->tv_nsec = now % 1000000000;
  return 0;
}
