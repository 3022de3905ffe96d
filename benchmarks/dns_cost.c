/* dns_cost PORT PACKETS CPU ANSWER: sends PACKETS datagrams with the file ANSWER in them over loopback, from PORT to a
 * socket connected to it, one at a time, pinned to CPU. Prints nanoseconds of CPU per packet, sent and received, the
 * tenth percentile over slices of a few milliseconds: what others run on the machine meanwhile disturbs the rest. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SLICE = 1000, SLICES = 1000, BYTES = 512 };

static char message[BYTES], received[BYTES];
static size_t length;

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

static int bound(int port, struct sockaddr_in *at)
{
    socklen_t size = sizeof(*at);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    *at = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = inet_addr("127.7.7.53")};
    if (fd < 0 || bind(fd, (struct sockaddr *)at, sizeof(*at)) || getsockname(fd, (struct sockaddr *)at, &size)) {
        perror("socket");
        exit(1);
    }
    return fd;
}

static long long slice(int from, int to)
{
    long long start = now_ns();

    for (int n = 0; n < SLICE; n++)
        if (send(from, message, length, 0) != (ssize_t)length ||
            recv(to, received, sizeof(received), 0) != (ssize_t)length)
            exit(1);
    return now_ns() - start;
}

int main(int argc, char **argv)
{
    static long long taken[SLICES];
    struct sockaddr_in server, client;
    int slices, from, to;
    cpu_set_t set;
    FILE *file;

    if (argc != 5 || !(file = fopen(argv[4], "rb")))
        return 2;
    length = fread(message, 1, sizeof(message), file);
    fclose(file);
    slices = atoi(argv[2]) / SLICE;
    if (slices < 1 || slices > SLICES)
        return 2;
    CPU_ZERO(&set);
    CPU_SET(atoi(argv[3]), &set);
    from = bound(atoi(argv[1]), &server);
    to = bound(0, &client);
    if (sched_setaffinity(0, sizeof(set), &set) || connect(from, (struct sockaddr *)&client, sizeof(client)) ||
        connect(to, (struct sockaddr *)&server, sizeof(server)))
        return 1;
    for (int n = 0; n < slices; n++)
        taken[n] = slice(from, to);
    qsort(taken, slices, sizeof(*taken), by_value);
    printf("%.1f\n", (double)taken[slices / 10] / SLICE);
    return 0;
}
