/* A disk that fails at a chosen moment: every call that changes a file below a folder is counted, and at the one that was
   chosen the process dies (half of a write is done by then), or the disk is full from then on. Loaded with LD_PRELOAD, so that
   it stands under Python, DuckDB, Arrow and polars alike. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OFF, COUNT, KILL, FULL };

static struct { atomic_int mode; atomic_long at; atomic_long points; atomic_int log; char root[4096]; } *disk;

__attribute__((constructor)) static void begin(void) {
  disk = mmap(NULL, sizeof *disk, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  disk->log = -1;
}

/* Called from Python before a command is run. */
void disk_arm(const char *root, int mode, long at, int log) {
  snprintf(disk->root, sizeof disk->root, "%s", root);
  disk->at = at;
  disk->points = 0;
  disk->log = log;
  disk->mode = mode;
}

#define REAL(name) ({ static __typeof__(name) *real; if (!real) real = dlsym(RTLD_NEXT, #name); real; })

static int is_below(const char *path) {
  size_t n = strlen(disk->root);
  return n && !strncmp(path, disk->root, n) && (path[n] == '/' || !path[n]);
}

static int full_path(int folder, const char *path, char *out, size_t size) {
  char at[64];
  if (path[0] == '/') return snprintf(out, size, "%s", path) > 0;
  if (folder == AT_FDCWD) { if (!getcwd(out, size)) return 0; }
  else {
    snprintf(at, sizeof at, "/proc/self/fd/%d", folder);
    ssize_t n = readlink(at, out, size - 1);
    if (n < 0) return 0;
    out[n] = 0;
  }
  size_t n = strlen(out);
  return snprintf(out + n, size - n, "/%s", path) > 0;
}

static void note(const char *what, const char *path, const char *to) {
  char line[9000];
  if (disk->log < 0) return;
  int n = snprintf(line, sizeof line, "%s\t%s\t%s\n", what, path, to);
  (void)!REAL(write)(disk->log, line, n);
}

/* 0: go on; 1: this is the moment to die; 2: there is no room. */
static int point(const char *what, const char *path, const char *to, int takes_room) {
  int mode = disk->mode;
  if (mode == OFF || !is_below(path)) return 0;
  long n = atomic_fetch_add(&disk->points, 1) + 1;
  note(what, path, to);
  if (mode == KILL && n == disk->at) return 1;
  if (mode == FULL && n >= disk->at && takes_room) return 2;
  return 0;
}

static void die(void) { kill(getpid(), SIGKILL); for (;;) pause(); }

static int path_point(const char *what, int folder, const char *path, int takes_room) {
  char full[8192];
  int saved = errno;
  if (disk->mode == OFF || !path || !full_path(folder, path, full, sizeof full)) { errno = saved; return 0; }
  int found = point(what, full, "", takes_room);
  if (found == 1) die();
  errno = found == 2 ? ENOSPC : saved;
  return found;
}

/* Of a descriptor; a write is half done when the process dies. */
static int fd_point(const char *what, int fd, int takes_room) {
  char at[64], full[8192];
  int saved = errno;
  if (disk->mode == OFF) return 0;
  snprintf(at, sizeof at, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(at, full, sizeof full - 1);
  if (n < 0) { errno = saved; return 0; }
  full[n] = 0;
  int found = point(what, full, "", takes_room);
  errno = found == 2 ? ENOSPC : saved;
  return found;
}

static int opening(int folder, const char *path, int flags) {
  char full[8192];
  struct stat there;
  if (disk->mode == OFF || !(flags & (O_CREAT | O_TRUNC)) || !full_path(folder, path, full, sizeof full)) return 0;
  int saved = errno, absent = stat(full, &there) != 0;
  errno = saved;
  if (!absent && !(flags & O_TRUNC)) return 0;
  return path_point(absent ? "create" : "cut", AT_FDCWD, full, absent) == 2;
}

#define MODE_OF(flags) mode_t mode = 0; if ((flags) & (O_CREAT | O_TMPFILE)) { va_list v; va_start(v, flags); mode = va_arg(v, int); va_end(v); }
int open(const char *p, int f, ...) { MODE_OF(f) return opening(AT_FDCWD, p, f) ? -1 : REAL(open)(p, f, mode); }
int open64(const char *p, int f, ...) { MODE_OF(f) return opening(AT_FDCWD, p, f) ? -1 : REAL(open64)(p, f, mode); }
int openat(int d, const char *p, int f, ...) { MODE_OF(f) return opening(d, p, f) ? -1 : REAL(openat)(d, p, f, mode); }
int openat64(int d, const char *p, int f, ...) { MODE_OF(f) return opening(d, p, f) ? -1 : REAL(openat64)(d, p, f, mode); }

#define HALF(call) { int found = fd_point("write", fd, 1); if (found == 1) { (void)!(call); die(); } if (found == 2) return -1; }
ssize_t write(int fd, const void *b, size_t n) { HALF(REAL(write)(fd, b, n / 2)) return REAL(write)(fd, b, n); }
ssize_t pwrite(int fd, const void *b, size_t n, off_t o) { HALF(REAL(pwrite)(fd, b, n / 2, o)) return REAL(pwrite)(fd, b, n, o); }
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t o) { HALF(REAL(pwrite64)(fd, b, n / 2, o)) return REAL(pwrite64)(fd, b, n, o); }
ssize_t writev(int fd, const struct iovec *v, int n) { HALF(REAL(writev)(fd, v, n / 2)) return REAL(writev)(fd, v, n); }

#define SYNC(name) int name(int fd) { int found = fd_point("sync", fd, 0); if (found == 1) die(); return REAL(name)(fd); }
SYNC(fsync)
SYNC(fdatasync)
#define CUT(name, type) int name(int fd, type n) { int found = fd_point("cut", fd, 1); if (found == 1) die(); if (found == 2) return -1; return REAL(name)(fd, n); }
CUT(ftruncate, off_t)
CUT(ftruncate64, off64_t)
int truncate(const char *p, off_t n) { path_point("cut", AT_FDCWD, p, 0); return REAL(truncate)(p, n); }
int posix_fallocate(int fd, off_t o, off_t n) { int found = fd_point("cut", fd, 1); if (found == 1) die(); return found == 2 ? ENOSPC : REAL(posix_fallocate)(fd, o, n); }

static void renaming(int from, const char *a, int to, const char *b) {
  char one[8192], two[8192];
  if (disk->mode == OFF || !full_path(from, a, one, sizeof one) || !full_path(to, b, two, sizeof two)) return;
  if (point("rename", one, two, 0) == 1) die();
}
int rename(const char *a, const char *b) { renaming(AT_FDCWD, a, AT_FDCWD, b); return REAL(rename)(a, b); }
int renameat(int d, const char *a, int e, const char *b) { renaming(d, a, e, b); return REAL(renameat)(d, a, e, b); }
int link(const char *a, const char *b) { if (path_point("create", AT_FDCWD, b, 1) == 2) return -1; return REAL(link)(a, b); }
static int is_there(int d, const char *p) {
  struct stat there;
  int saved = errno, found = fstatat(d, p, &there, AT_SYMLINK_NOFOLLOW) == 0;
  errno = saved;
  return found;
}
#define IF_THERE(d, p) if (disk->mode != OFF && is_there(d, p))
#define IF_ABSENT(d, p) if (disk->mode != OFF && !is_there(d, p))
int unlink(const char *p) { IF_THERE(AT_FDCWD, p) path_point("remove", AT_FDCWD, p, 0); return REAL(unlink)(p); }
int unlinkat(int d, const char *p, int f) { IF_THERE(d, p) path_point("remove", d, p, 0); return REAL(unlinkat)(d, p, f); }
int rmdir(const char *p) { IF_THERE(AT_FDCWD, p) path_point("remove", AT_FDCWD, p, 0); return REAL(rmdir)(p); }
int mkdir(const char *p, mode_t m) { IF_ABSENT(AT_FDCWD, p) if (path_point("folder", AT_FDCWD, p, 1) == 2) return -1; return REAL(mkdir)(p, m); }
int mkdirat(int d, const char *p, mode_t m) { IF_ABSENT(d, p) if (path_point("folder", d, p, 1) == 2) return -1; return REAL(mkdirat)(d, p, m); }
