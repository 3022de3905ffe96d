/* mover CGROUP_PROCS FILE N: opens FILE N times, moves itself into the cgroup of CGROUP_PROCS, opens FILE N times
 * again. Prints "mover before N after N". Writing CGROUP_PROCS is one open more, for writing. */
#include <fcntl.h>

#include "common.h"

static void opens(const char *file, int count)
{
    for (int i = 0; i < count; i++)
        close((int)check(open(file, O_RDONLY), file));
}

int main(int argc, char **argv)
{
    int procs, count;

    if (argc != 4)
        usage("mover CGROUP_PROCS FILE N");
    count = number(argv[3]);
    opens(argv[2], count);
    procs = (int)check(open(argv[1], O_WRONLY), argv[1]);
    check(write(procs, "0", 1), argv[1]);
    close(procs);
    opens(argv[2], count);
    printf("mover before %d after %d\n", count, count);
    return 0;
}
