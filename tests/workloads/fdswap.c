/* fdswap REAL DECOY N: opens REAL N times while another thread puts DECOY over the new descriptor with dup2 as fast as
 * it can: what reads the descriptor table at the system call's exit may see DECOY. Prints "fdswap N swapped S", S =
 * times the descriptor was already DECOY when the opener looked. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "common.h"

static atomic_int target = -1, stop;
static int decoy;

static void *swapper(void *unused)
{
    (void)unused;
    while (!atomic_load(&stop)) {
        int fd = atomic_load(&target);

        if (fd >= 0 && fcntl(fd, F_GETFD) >= 0) /* only once it is there: else the opener gets another number */
            dup2(decoy, fd);
    }
    return NULL;
}

static int is_decoy(int fd, ino_t decoy_inode)
{
    struct stat status;

    check(fstat(fd, &status), "fstat");
    return status.st_ino == decoy_inode;
}

int main(int argc, char **argv)
{
    struct stat status;
    pthread_t thread;
    int swapped = 0, count, next;

    if (argc != 4)
        usage("fdswap REAL DECOY N");
    count = number(argv[3]);
    decoy = (int)check(open(argv[2], O_RDONLY), argv[2]);
    check(fstat(decoy, &status), argv[2]);
    next = decoy + 1; /* the lowest free descriptor: what every open below returns */
    pthread_create(&thread, NULL, swapper, NULL);
    for (int i = 0; i < count; i++) {
        atomic_store(&target, next);
        int fd = (int)check(open(argv[1], O_RDONLY), argv[1]);

        swapped += is_decoy(fd, status.st_ino);
        atomic_store(&target, -1);
        close(fd);
        close(next); /* a late dup2 may have brought it back */
    }
    atomic_store(&stop, 1);
    pthread_join(thread, NULL);
    printf("fdswap %d swapped %d\n", count, swapped);
    return 0;
}
