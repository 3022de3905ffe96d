/* A slow disk: what is written to regular files waits. Preloaded (LD_PRELOAD) into agents and collectors by
 * test_stream_faults.py. SLOW_WRITE_MS: each write; SLOW_SYNC_MS: each fsync and fdatasync. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static void wait_ms(int fd, const char *name)
{
    const char *text = getenv(name);
    struct stat found;

    if (text && fstat(fd, &found) == 0 && S_ISREG(found.st_mode))
        usleep(atoi(text) * 1000);
}

ssize_t write(int fd, const void *data, size_t size)
{
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");

    wait_ms(fd, "SLOW_WRITE_MS");
    return real(fd, data, size);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");

    wait_ms(fd, "SLOW_WRITE_MS");
    return real(fd, data, size, offset);
}

int fsync(int fd)
{
    int (*real)(int) = dlsym(RTLD_NEXT, "fsync");

    wait_ms(fd, "SLOW_SYNC_MS");
    return real(fd);
}

int fdatasync(int fd)
{
    int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");

    wait_ms(fd, "SLOW_SYNC_MS");
    return real(fd);
}
