/* k_compat creat|openat|openat2|mmap|unix PATH N: N system calls of the 32-bit table (int 0x80) on PATH. Prints
 * "k_compat N". unix connects to the socket PATH. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common.h"

#ifdef __x86_64__
static long call(long number, long b, long c, long d, long s, long i)
{
    long result;

    __asm__ volatile("int $0x80"
                     : "=a"(result)
                     : "a"(number), "b"(b), "c"(c), "d"(d), "S"(s), "D"(i)
                     : "memory", "r8", "r9", "r10", "r11");
    errno = (int)-result;
    return result < 0 && result > -4096 ? -1 : (long)(unsigned int)result;
}
#else
static long call(long number, long b, long c, long d, long s, long i)
{
    (void)number, (void)b, (void)c, (void)d, (void)s, (void)i;
    exit(UNSUPPORTED);
}
#endif

static long low_address(void *at)
{
    return (long)at; /* mapped with MAP_32BIT */
}

static void open_once(const char *mode, char *low)
{
    struct open_how *how = (void *)(low + 2048);
    long result;

    memset(how, 0, sizeof(*how));
    if (!strcmp(mode, "creat"))
        result = call(8, low_address(low), 0644, 0, 0, 0);
    else if (!strcmp(mode, "openat"))
        result = call(295, AT_FDCWD, low_address(low), O_WRONLY | O_APPEND, 0, 0);
    else
        result = call(437, AT_FDCWD, low_address(low), low_address(how), sizeof(*how), 0);
    close((int)check(result, mode));
}

static void map_once(const char *path)
{
    int fd = (int)check(open(path, O_RDONLY), path);

    /* the sixth argument, in ebp, is the page offset: whatever the frame pointer is, so the file must be the first page
     */
    long result;

    __asm__ volatile("push %%rbp; xor %%ebp, %%ebp; int $0x80; pop %%rbp"
                     : "=a"(result)
                     : "a"(192L), "b"(0L), "c"(4096L), "d"((long)(PROT_READ | PROT_EXEC)), "S"((long)MAP_PRIVATE),
                       "D"((long)fd)
                     : "memory", "r8", "r9", "r10", "r11");
    errno = (int)-result;
    check(result < 0 && result > -4096 ? -1 : 0, "mmap2");
    close(fd);
}

static void connect_once(const char *path, char *low)
{
    struct sockaddr_un *to = (void *)low;
    int fd = (int)check(socket(AF_UNIX, SOCK_STREAM, 0), "socket");

    to->sun_family = AF_UNIX;
    strncpy(to->sun_path, path, sizeof(to->sun_path) - 1);
    check(call(362, fd, low_address(low), sizeof(*to), 0, 0), path);
    close(fd);
}

int main(int argc, char **argv)
{
    char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    int count;

    if (argc != 4 || low == MAP_FAILED)
        usage("k_compat creat|openat|openat2|mmap|unix PATH N");
    count = number(argv[3]);
    strncpy(low, argv[2], 2000);
    for (int i = 0; i < count; i++)
        if (!strcmp(argv[1], "mmap"))
            map_once(argv[2]);
        else if (!strcmp(argv[1], "unix"))
            connect_once(argv[2], low);
        else
            open_once(argv[1], low);
    printf("k_compat %d\n", count);
    return 0;
}
