/* pathrace DIRECTORY N: opens DIRECTORY/a or DIRECTORY/b N times while another thread flips the last letter of the path
 * in memory: what reads the path from user memory reports the wrong one. Prints "pathrace a A b B" as really opened. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "common.h"

static char path[4096];
static volatile char *letter;
static atomic_int stop;

static void *flipper(void *unused)
{
    (void)unused;
    while (!atomic_load(&stop))
        *letter = *letter == 'a' ? 'b' : 'a';
    return NULL;
}

static ino_t inode_of(const char *name)
{
    struct stat status;

    check(stat(name, &status), name);
    return status.st_ino;
}

int main(int argc, char **argv)
{
    int count, opened_a = 0;
    struct stat status;
    pthread_t thread;
    ino_t inode_a;

    if (argc != 3)
        usage("pathrace DIRECTORY N");
    count = number(argv[2]);
    letter = path + snprintf(path, sizeof(path), "%s/a", argv[1]) - 1;
    inode_a = inode_of(path);
    pthread_create(&thread, NULL, flipper, NULL);
    for (int i = 0; i < count; i++) {
        int fd = (int)check(open(path, O_RDONLY), path);

        check(fstat(fd, &status), "fstat");
        opened_a += status.st_ino == inode_a;
        close(fd);
    }
    atomic_store(&stop, 1);
    pthread_join(thread, NULL);
    printf("pathrace a %d b %d\n", opened_a, count - opened_a);
    return 0;
}
