/* Lets the n-th change to the files below a folder fail, or kills the process instead: preload it with LD_PRELOAD.

   arm(folder, n, error) begins to count, from 1; with error 0 the process is killed. count() says how many there were.
   A change is: a file opened for writing, a write, a flush to disk, a rename, a removal, a new folder, a new size.
   (Not seen are writes from within the C library, as of large arrays that NumPy saves to a file of its own.) */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char folder[PATH_MAX];
static size_t folder_length;
static int armed, failing_error;
static long counted, failing;

void arm(const char *path, long n, int error) {
  snprintf(folder, sizeof folder, "%s", path);
  folder_length = strlen(folder);
  counted = 0;
  failing = n;
  failing_error = error;
  armed = 1;
}

long count(void) { return counted; }

/* Whether this change is the one to fail; sets errno. */
static int fails(void) {
  if (__sync_add_and_fetch(&counted, 1) != failing) return 0;
  if (!failing_error) kill(getpid(), SIGKILL);
  errno = failing_error;
  return 1;
}

static int is_ours(const char *path) {
  return armed && path && strncmp(path, folder, folder_length) == 0;  /* the folder is given as an absolute path */
}

static int is_our_file(int descriptor) {
  char link[64], path[PATH_MAX];
  if (!armed) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return is_ours(path);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define ON_FILE(result, name, arguments, passed)   \
  result name arguments {                          \
    if (is_our_file(descriptor) && fails()) return -1; \
    return REAL(name) passed;                      \
  }
#define ON_PATH(name, arguments, passed)        \
  int name arguments {                          \
    if (is_ours(path) && fails()) return -1;    \
    return REAL(name) passed;                   \
  }

ON_FILE(ssize_t, write, (int descriptor, const void *data, size_t size), (descriptor, data, size))
ON_FILE(ssize_t, pwrite, (int descriptor, const void *data, size_t size, off_t at), (descriptor, data, size, at))
ON_FILE(ssize_t, pwrite64, (int descriptor, const void *data, size_t size, off64_t at), (descriptor, data, size, at))
ON_FILE(ssize_t, writev, (int descriptor, const struct iovec *parts, int n), (descriptor, parts, n))
ON_FILE(int, fsync, (int descriptor), (descriptor))
ON_FILE(int, fdatasync, (int descriptor), (descriptor))
ON_FILE(int, ftruncate, (int descriptor, off_t size), (descriptor, size))
ON_FILE(int, ftruncate64, (int descriptor, off64_t size), (descriptor, size))
ON_PATH(rename, (const char *path, const char *to), (path, to))
ON_PATH(unlink, (const char *path), (path))
ON_PATH(rmdir, (const char *path), (path))
ON_PATH(mkdir, (const char *path, mode_t mode), (path, mode))

static int is_our_entry(int parent, const char *name) {
  return name && name[0] != '/' && parent != AT_FDCWD ? is_our_file(parent) : is_ours(name);
}

int renameat(int from, const char *path, int to, const char *name) {
  if (is_our_entry(from, path) && fails()) return -1;
  return REAL(renameat)(from, path, to, name);
}
int unlinkat(int parent, const char *path, int flags) {
  if (is_our_entry(parent, path) && fails()) return -1;
  return REAL(unlinkat)(parent, path, flags);
}
int mkdirat(int parent, const char *path, mode_t mode) {
  if (is_our_entry(parent, path) && fails()) return -1;
  return REAL(mkdirat)(parent, path, mode);
}

#define OPEN(name)                                                                  \
  int name(const char *path, int flags, ...) {                                      \
    va_list more;                                                                   \
    va_start(more, flags);                                                          \
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, mode_t) : 0;       \
    va_end(more);                                                                   \
    if (flags & (O_WRONLY | O_RDWR | O_CREAT) && is_ours(path) && fails()) return -1; \
    return REAL(name)(path, flags, mode);                                           \
  }
OPEN(open)
OPEN(open64)

#define OPEN_AT(name)                                                               \
  int name(int parent, const char *path, int flags, ...) {                          \
    va_list more;                                                                   \
    va_start(more, flags);                                                          \
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, mode_t) : 0;       \
    va_end(more);                                                                   \
    if (flags & (O_WRONLY | O_RDWR | O_CREAT) && is_our_entry(parent, path) && fails()) return -1; \
    return REAL(name)(parent, path, flags, mode);                                   \
  }
OPEN_AT(openat)
OPEN_AT(openat64)
