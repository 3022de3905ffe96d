/* driver CPU: the init of a measured container, pinned to CPU. Reads commands from /pipes/in, one a line; answers each
 * with one line on /pipes/out. Costs are nanoseconds of CPU (children included): what others run meanwhile costs
 * nothing. The tenth percentile of the bursts (of exec: of the execs), for interrupts, cold caches and slow clocks only
 * ever add. open PATH COUNT BURST PAUSE     open+close PATH; sleeps PAUSE µs after each BURST; answers the cost of one
 *   exec PROGRAM COUNT PAUSE        fork, exec, exit, wait; sleeps PAUSE µs after each; answers the cost of one
 *   connect VARY COUNT BURST PAUSE  UDP connect to 127.1.0.1 (VARY 1: each time to another address of 127.0.0.0/8)
 *   pace PATH RATE SECONDS          open+close PATH, RATE a second, in slices of a millisecond; answers how many
 *   drip PROGRAM COUNT PAUSE        like exec, each with its number as argument; answers how many */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static unsigned addresses; /* already connected to: none is used twice in a container's life */

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static double costs[4096];
static int measured;

static void measure(long long ns, long deeds)
{
    if (measured < (int)(sizeof(costs) / sizeof(*costs)))
        costs[measured++] = (double)ns / (double)deeds;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double low(void)
{
    int count = measured;

    measured = 0;
    qsort(costs, (size_t)count, sizeof(*costs), ascending);
    return count ? costs[count / 10] : 0;
}

static long long clock_ns(clockid_t clock)
{
    struct timespec at;

    clock_gettime(clock, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static long long children_ns(void)
{
    struct rusage used;

    getrusage(RUSAGE_CHILDREN, &used);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000000LL +
           (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1000LL;
}

static long long cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID) + children_ns();
}

static void open_once(const char *path)
{
    int fd = open(path, O_RDONLY);

    if (fd < 0)
        fail(path);
    close(fd);
}

static double do_open(const char *path, long count, long burst, long pause)
{
    long long start;

    for (long done = 0; done < count; done += burst) {
        start = cpu_ns();
        for (long n = 0; n < burst; n++)
            open_once(path);
        measure(cpu_ns() - start, burst);
        usleep((useconds_t)pause);
    }
    return low();
}

static void run(char *program, char *argument)
{
    char *argv[] = {program, argument, NULL}, *environment[] = {NULL};
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        execve(program, argv, environment);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
        fail(program);
}

static double do_exec(char *program, long count, long pause)
{
    long long start;

    for (long n = 0; n < count; n++) {
        start = cpu_ns();
        run(program, NULL);
        measure(cpu_ns() - start, 1);
        usleep((useconds_t)pause);
    }
    return low();
}

static void connect_once(int fd, int vary)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};

    to.sin_addr.s_addr = htonl(vary ? 0x7f020000u + addresses++ : 0x7f010001u);
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
        fail("connect");
}

static double do_connect(int vary, long count, long burst, long pause)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    long long start;

    if (fd < 0)
        fail("socket");
    for (long done = 0; done < count; done += burst) {
        start = cpu_ns();
        for (long n = 0; n < burst; n++)
            connect_once(fd, vary);
        measure(cpu_ns() - start, burst);
        usleep((useconds_t)pause);
    }
    close(fd);
    return low();
}

static double do_pace(const char *path, long rate, long seconds)
{
    long long start = clock_ns(CLOCK_MONOTONIC), due, left;
    long done = 0;

    for (long slice = 1; slice <= seconds * 1000; slice++) {
        for (; done < rate * slice / 1000; done++)
            open_once(path);
        due = start + slice * 1000000LL;
        left = due - clock_ns(CLOCK_MONOTONIC);
        if (left < -seconds * 100000000LL)
            break; /* a tenth too slow: this machine cannot do RATE */
        if (left > 0)
            usleep((useconds_t)(left / 1000));
    }
    return (double)done;
}

static double do_drip(char *program, long count, long pause)
{
    char text[24];

    for (long n = 0; n < count; n++) {
        snprintf(text, sizeof(text), "%ld", n);
        run(program, text);
        usleep((useconds_t)pause);
    }
    return (double)count;
}

static double obey(const char *verb, char *what, long a, long b, long c)
{
    if (!strcmp(verb, "open"))
        return do_open(what, a, b, c);
    if (!strcmp(verb, "exec"))
        return do_exec(what, a, b);
    if (!strcmp(verb, "connect"))
        return do_connect(atoi(what), a, b, c);
    if (!strcmp(verb, "pace"))
        return do_pace(what, a, b);
    if (!strcmp(verb, "drip"))
        return do_drip(what, a, b);
    fail(verb);
    return 0;
}

int main(int argc, char **argv)
{
    FILE *in = fopen("/pipes/in", "r+"), *out = fopen("/pipes/out", "r+"); /* r+: neither waits nor ends */
    char verb[16], what[256];
    cpu_set_t set;
    long a, b, c;

    if (argc != 2 || !in || !out)
        fail("usage: driver CPU, with /pipes");
    CPU_ZERO(&set);
    CPU_SET(atoi(argv[1]), &set);
    if (sched_setaffinity(0, sizeof(set), &set))
        fail("sched_setaffinity");
    while (fscanf(in, "%15s %255s %ld %ld %ld", verb, what, &a, &b, &c) == 5) {
        fprintf(out, "%.1f\n", obey(verb, what, a, b, c));
        fflush(out);
    }
    return 0;
}
