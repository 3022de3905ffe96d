/* k_fdclose FILE N: opens FILE N times while another thread closes the new descriptor as fast as it can: what looks at
 * the system call's exit may find nothing. Prints "k_fdclose N". */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "common.h"

static atomic_int target = -1, stop;

static void *closer(void *unused)
{
    (void)unused;
    while (!atomic_load(&stop)) {
        int fd = atomic_load(&target);

        if (fd >= 0)
            close(fd);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    int count, next;

    if (argc != 3)
        usage("k_fdclose FILE N");
    count = number(argv[2]);
    next = (int)check(open(argv[1], O_PATH), argv[1]);
    close(next); /* the lowest free descriptor: what every open below returns */
    pthread_create(&thread, NULL, closer, NULL);
    for (int i = 0; i < count; i++) {
        atomic_store(&target, next);
        check(open(argv[1], O_RDONLY), argv[1]);
        atomic_store(&target, -1);
        close(next);
    }
    atomic_store(&stop, 1);
    pthread_join(thread, NULL);
    printf("k_fdclose %d\n", count);
    return 0;
}
