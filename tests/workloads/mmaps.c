/* mmaps MODE FILE N: opens FILE once and maps its first page N times. Prints "mmaps N". Modes: exec (PROT_EXEC from the
 * start); protect (mapped readable, made executable by mprotect); read (never executable: must stay unseen). */
#include <fcntl.h>
#include <sys/mman.h>

#include "common.h"

enum { PAGE = 4096 };

static void once(const char *mode, int fd)
{
    int protection = strcmp(mode, "exec") ? PROT_READ : PROT_READ | PROT_EXEC;
    void *at = mmap(NULL, PAGE, protection, MAP_PRIVATE, fd, 0);

    if (at == MAP_FAILED)
        die("mmap");
    if (!strcmp(mode, "protect"))
        check(mprotect(at, PAGE, PROT_READ | PROT_EXEC), "mprotect");
    check(munmap(at, PAGE), "munmap");
}

int main(int argc, char **argv)
{
    int fd, count;

    if (argc != 4 || (strcmp(argv[1], "exec") && strcmp(argv[1], "protect") && strcmp(argv[1], "read")))
        usage("mmaps exec|protect|read FILE N");
    count = number(argv[3]);
    fd = (int)check(open(argv[2], O_RDONLY), argv[2]);
    for (int i = 0; i < count; i++)
        once(argv[1], fd);
    printf("mmaps %d\n", count);
    return 0;
}
