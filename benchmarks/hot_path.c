/* hot_path FILE PAIRS CPU: opens and closes FILE PAIRS times, pinned to CPU. Prints nanoseconds of CPU per pair, the
 * tenth percentile over slices of a few milliseconds: what others run on the machine meanwhile disturbs the rest. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { SLICE = 2000, SLICES = 1000 };

static long long now_ns(void)
{
    struct timespec at;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    long long left = *(const long long *)a, right = *(const long long *)b;

    return (left > right) - (left < right);
}

static long long slice(const char *path)
{
    long long start = now_ns();

    for (int n = 0; n < SLICE; n++) {
        int fd = open(path, O_RDONLY);

        if (fd < 0)
            exit(1);
        close(fd);
    }
    return now_ns() - start;
}

int main(int argc, char **argv)
{
    static long long taken[SLICES];
    cpu_set_t set;
    int slices;

    if (argc != 4)
        return 2;
    slices = atoi(argv[2]) / SLICE;
    if (slices < 1 || slices > SLICES)
        return 2;
    CPU_ZERO(&set);
    CPU_SET(atoi(argv[3]), &set);
    if (sched_setaffinity(0, sizeof(set), &set))
        return 1;
    for (int n = 0; n < slices; n++)
        taken[n] = slice(argv[1]);
    qsort(taken, slices, sizeof(*taken), by_value);
    printf("%.1f\n", (double)taken[slices / 10] / SLICE);
    return 0;
}
