/* Ends a process at a change that it makes on the disk, or lets the disk be full then. For tests: loaded ahead of libc
 * (LD_PRELOAD), it counts what changes anything below a folder.
 *
 *   FAULT_UNDER  the folder, from the root
 *   FAULT_AT     the number of the change, from 1
 *   FAULT_FULL   without it the process is killed instead of making the change; with it, so many changes fail from there
 *   FAULT_COUNT  a file into which the number of changes goes when the process ends by itself
 *
 * A write that is the last one writes half of its bytes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

enum fate { GOES_ON, FAILS, DIES };

static atomic_long changes;

static int is_below(const char *path) {
  const char *folder = getenv("FAULT_UNDER");
  return folder && path && strncmp(path, folder, strlen(folder)) == 0;
}

static int is_open_below(int fd) {
  char name[64], path[PATH_MAX];
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(name, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return is_below(path);
}

static enum fate next(void) {
  const char *at = getenv("FAULT_AT"), *full = getenv("FAULT_FULL");
  long first = at ? atol(at) : LONG_MAX;
  long number = atomic_fetch_add(&changes, 1) + 1;
  if (number < first) return GOES_ON;
  if (!full) return DIES;
  return number - first < atol(full) ? FAILS : GOES_ON;
}

__attribute__((destructor)) static void tell(void) {
  const char *name = getenv("FAULT_COUNT");
  FILE *file = name ? fopen(name, "w") : NULL;
  if (!file) return;
  fprintf(file, "%ld", atomic_load(&changes));
  fclose(file);
}

static _Noreturn void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

/* Whether this change may be made; with errno where not. Removing needs no room. */
static int may(int is_ours, int needs_room) {
  if (!is_ours) return 1;
  enum fate fate = next();
  if (fate == DIES) die();
  if (fate == GOES_ON || !needs_room) return 1;
  errno = ENOSPC;
  return 0;
}

#define MODE_OF(flags)                                  \
  mode_t mode = 0;                                      \
  if ((flags) & (O_CREAT | O_TMPFILE)) {                \
    va_list rest;                                       \
    va_start(rest, flags);                              \
    mode = va_arg(rest, mode_t);                        \
    va_end(rest);                                       \
  }                                                     \
  int is_made = ((flags) & O_CREAT) && is_below(path)

int open(const char *path, int flags, ...) {
  MODE_OF(flags);
  return may(is_made, 1) ? REAL(open)(path, flags, mode) : -1;
}

int open64(const char *path, int flags, ...) {
  MODE_OF(flags);
  return may(is_made, 1) ? REAL(open64)(path, flags, mode) : -1;
}

int openat(int dir, const char *path, int flags, ...) {
  MODE_OF(flags);
  return may(is_made, 1) ? REAL(openat)(dir, path, flags, mode) : -1;
}

int openat64(int dir, const char *path, int flags, ...) {
  MODE_OF(flags);
  return may(is_made, 1) ? REAL(openat64)(dir, path, flags, mode) : -1;
}

ssize_t write(int fd, const void *bytes, size_t count) {
  if (!is_open_below(fd)) return REAL(write)(fd, bytes, count);
  switch (next()) {
    case DIES:
      REAL(write)(fd, bytes, count / 2);
      die();
    case FAILS:
      errno = ENOSPC;
      return -1;
    default:
      return REAL(write)(fd, bytes, count);
  }
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  return may(is_open_below(fd), 1) ? REAL(writev)(fd, parts, count) : -1;
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
  return may(is_open_below(fd), 1) ? REAL(pwrite64)(fd, bytes, count, at) : -1;
}

int fsync(int fd) { return may(is_open_below(fd), 1) ? REAL(fsync)(fd) : -1; }

int fdatasync(int fd) { return may(is_open_below(fd), 1) ? REAL(fdatasync)(fd) : -1; }

int ftruncate64(int fd, off64_t length) {
  return may(is_open_below(fd), 1) ? REAL(ftruncate64)(fd, length) : -1;
}

int rename(const char *from, const char *to) {
  return may(is_below(to), 1) ? REAL(rename)(from, to) : -1;
}

int link(const char *from, const char *to) {
  return may(is_below(to), 1) ? REAL(link)(from, to) : -1;
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags) {
  return may(is_below(to), 1) ? REAL(linkat)(from_dir, from, to_dir, to, flags) : -1;
}

int mkdir(const char *path, mode_t mode) {
  return may(is_below(path), 1) ? REAL(mkdir)(path, mode) : -1;
}

int unlink(const char *path) {
  return may(is_below(path), 0) ? REAL(unlink)(path) : -1;
}

int unlinkat(int dir, const char *path, int flags) {
  return may(is_below(path), 0) ? REAL(unlinkat)(dir, path, flags) : -1;
}

int rmdir(const char *path) { return may(is_below(path), 0) ? REAL(rmdir)(path) : -1; }
