/* storm DIRECTORY RATE SECONDS: opens RATE new files a second in DIRECTORY (a tmpfs: other file systems are too slow),
 * each created by its open and unlinked at once, so that every open has a new path and a new inode. Prints
 * "storm COUNT milliseconds M". Falls behind rather than skip: COUNT is always RATE × SECONDS. */
#include <fcntl.h>
#include <time.h>

#include "common.h"

enum { SLICES = 1000 }; /* per second: bursts of a millisecond's worth */

static long long now_ns(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static void sleep_until(long long ns)
{
    struct timespec at = {.tv_sec = ns / 1000000000LL, .tv_nsec = ns % 1000000000LL};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        ;
}

static void open_new(int directory, long long index)
{
    char name[32];

    snprintf(name, sizeof(name), "s%d-%09lld", (int)getpid(), index);
    close((int)check(openat(directory, name, O_RDWR | O_CREAT | O_EXCL, 0600), name));
    check(unlinkat(directory, name, 0), name);
}

int main(int argc, char **argv)
{
    long long done = 0, start, rate, slices;
    int directory;

    if (argc != 4)
        usage("storm DIRECTORY RATE SECONDS");
    rate = number(argv[2]);
    slices = (long long)number(argv[3]) * SLICES;
    directory = (int)check(open(argv[1], O_PATH | O_DIRECTORY), argv[1]);
    start = now_ns();
    for (long long slice = 1; slice <= slices; slice++) {
        for (; done < rate * slice / SLICES; done++)
            open_new(directory, done);
        sleep_until(start + slice * (1000000000LL / SLICES));
    }
    printf("storm %lld milliseconds %lld\n", done, (now_ns() - start) / 1000000);
    return 0;
}
