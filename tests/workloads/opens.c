/* opens MODE DIRECTORY N [PASSES]: opens DIRECTORY/f000000 … N distinct files, PASSES times each, in one of many ways.
 * Prints "opens COUNT". The directory itself is opened once before, by the modes that need a descriptor of it. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common.h"
#include "uring.h"

static const char *directory;
static int dirfd_;
static struct uring ring;

static int close_it(long fd)
{
    return close((int)check(fd, "open"));
}

static const char *full(const char *name)
{
    static char path[4096];

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static void need_dirfd(void)
{
    dirfd_ = (int)check(open(directory, O_RDONLY | O_DIRECTORY), directory);
}

static void need_cwd(void)
{
    check(chdir(directory), directory);
}

static void need_uring(void)
{
    need_dirfd();
    uring_open(&ring);
}

static void need_table(void)
{
    int empty = -1;

    need_uring();
    check(syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_FILES, &empty, 1), "IORING_REGISTER_FILES");
}

static void by_open(const char *name)
{
    close_it(syscall(SYS_open, full(name), O_RDONLY));
}
static void by_relative(const char *name)
{
    close_it(syscall(SYS_open, name, O_RDONLY));
}
static void by_openat(const char *name)
{
    close_it(syscall(SYS_openat, dirfd_, name, O_RDONLY));
}
static void by_creat(const char *name)
{
    close_it(syscall(SYS_creat, full(name), 0644));
}
static void by_write(const char *name)
{
    close_it(open(full(name), O_WRONLY));
}
static void by_append(const char *name)
{
    close_it(open(full(name), O_WRONLY | O_APPEND));
}
static void by_truncate(const char *name)
{
    close_it(open(full(name), O_RDWR | O_TRUNC));
}
static void by_path(const char *name)
{
    close_it(open(full(name), O_PATH));
} /* opens nothing: must stay unseen */

static void by_failing(const char *name)
{
    if (open(full(name), O_WRONLY | O_CREAT | O_EXCL, 0644) >= 0 || errno != EEXIST)
        die("open should have failed with EEXIST");
}

static void by_beneath(const char *name)
{
    struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};

    close_it(syscall(SYS_openat2, dirfd_, name, &how, sizeof(how)));
}

static void by_in_root(const char *name)
{
    struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_IN_ROOT};
    char path[4096];

    snprintf(path, sizeof(path), "/../%s", name); /* stays below the directory: RESOLVE_IN_ROOT */
    close_it(syscall(SYS_openat2, dirfd_, path, &how, sizeof(how)));
}

static void by_handle(const char *name)
{
    char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    struct file_handle *handle = (void *)room;
    int mount;

    handle->handle_bytes = MAX_HANDLE_SZ;
    check(name_to_handle_at(dirfd_, name, handle, &mount, 0), "name_to_handle_at");
    close_it(open_by_handle_at(dirfd_, handle, O_RDONLY));
}

static int uring_result(int result)
{
    errno = -result;
    return (int)check(result < 0 ? -1 : result, "io_uring open");
}

static struct io_uring_sqe uring_request(const char *name)
{
    return (struct io_uring_sqe){
        .opcode = IORING_OP_OPENAT, .fd = dirfd_, .addr = (unsigned long)name, .open_flags = O_RDONLY};
}

static void by_uring(const char *name)
{
    struct io_uring_sqe sqe = uring_request(name);

    close_it(uring_result(uring_do(&ring, &sqe)));
}

static void by_uring2(const char *name)
{
    struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_BENEATH};
    struct io_uring_sqe sqe = uring_request(name);

    sqe.opcode = IORING_OP_OPENAT2;
    sqe.open_flags = 0;
    sqe.len = sizeof(how);
    sqe.off = (unsigned long)&how;
    close_it(uring_result(uring_do(&ring, &sqe)));
}

/* A direct descriptor lives in the ring's table, never in the process's: slot 0, replaced each time. */
static void by_uring_direct(const char *name)
{
    struct io_uring_sqe sqe = uring_request(name);

    sqe.file_index = 1; /* slot + 1 */
    uring_result(uring_do(&ring, &sqe));
}

static char *low; /* 32-bit calls see only the first 4 GiB of addresses */

static void need_low(void)
{
    low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if (low == MAP_FAILED)
        die("mmap MAP_32BIT");
}

static void by_compat(const char *name)
{
#ifdef __x86_64__
    long result;

    snprintf(low, 4096, "%s/%s", directory, name);
    __asm__ volatile("int $0x80" /* 5 is open in the 32-bit table */
                     : "=a"(result)
                     : "a"(5), "b"(low), "c"(O_RDONLY), "d"(0)
                     : "memory", "r8", "r9", "r10", "r11");
    errno = (int)-result;
    close_it(result < 0 ? -1 : result);
#else
    (void)name;
    exit(UNSUPPORTED);
#endif
}

static const struct mode {
    const char *name;
    void (*prepare)(void);
    void (*once)(const char *name);
} modes[] = {
    {"open", NULL, by_open},
    {"relative", need_cwd, by_relative},
    {"openat", need_dirfd, by_openat},
    {"openat2", need_dirfd, by_beneath},
    {"openat2-root", need_dirfd, by_in_root},
    {"creat", NULL, by_creat},
    {"write", NULL, by_write},
    {"append", NULL, by_append},
    {"truncate", NULL, by_truncate},
    {"path", NULL, by_path},
    {"failing", NULL, by_failing},
    {"handle", need_dirfd, by_handle},
    {"uring", need_uring, by_uring},
    {"uring2", need_uring, by_uring2},
    {"uring-direct", need_table, by_uring_direct},
    {"compat", need_low, by_compat},
};

static const struct mode *find(const char *name)
{
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
        if (!strcmp(modes[i].name, name))
            return &modes[i];
    usage(
        "opens open|relative|openat|openat2|openat2-root|creat|write|append|truncate|path|failing|handle|uring|uring2|"
        "uring-direct|compat DIRECTORY N [PASSES]");
}

int main(int argc, char **argv)
{
    const struct mode *mode = find(argc > 3 ? argv[1] : "");
    int files = number(argv[3]), passes = argc > 4 ? number(argv[4]) : 1;
    char name[32];

    directory = argv[2];
    if (mode->prepare)
        mode->prepare();
    for (int pass = 0; pass < passes; pass++)
        for (int i = 0; i < files; i++) {
            snprintf(name, sizeof(name), "f%06d", i);
            mode->once(name);
        }
    printf("opens %d\n", files * passes);
    return 0;
}
