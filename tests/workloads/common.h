/* What every workload shares: fail loudly, read a number, say exactly what was done. */
#ifndef DRIFTLINE_WORKLOADS_COMMON_H
#define DRIFTLINE_WORKLOADS_COMMON_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNSUPPORTED 77 /* exit status: this kernel has no such thing; automake's number for a skipped test */

static inline _Noreturn void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(errno == ENOSYS ? UNSUPPORTED : 1);
}

static inline long check(long result, const char *what)
{
    if (result < 0)
        die(what);
    return result;
}

static inline _Noreturn void usage(const char *text)
{
    fprintf(stderr, "usage: %s\n", text);
    exit(2);
}

static inline int number(const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (*end || value < 0 || value > 100000000)
        usage("a number from 0 to 100000000");
    return (int)value;
}

#endif
