/* connects MODE ADDRESS PORT N: N connection attempts, each from a new socket. Prints "connects N answered M": a
 * refused attempt is one too. Modes: tcp; udp (connected); udp-sendto; udp-sendmsg; uring (TCP by io_uring);
 * unix-stream and unix-dgram (ADDRESS is the path, "@name" for the abstract space; PORT is ignored). ADDRESS decides
 * IPv4 or IPv6. */
#include <arpa/inet.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common.h"
#include "uring.h"

static union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
} to;
static socklen_t to_length;
static struct uring ring;

static void parse_inet(const char *address, int port)
{
    if (inet_pton(AF_INET, address, &to.v4.sin_addr) == 1) {
        to.v4.sin_family = AF_INET;
        to.v4.sin_port = htons((uint16_t)port);
        to_length = sizeof(to.v4);
    } else if (inet_pton(AF_INET6, address, &to.v6.sin6_addr) == 1) {
        to.v6.sin6_family = AF_INET6;
        to.v6.sin6_port = htons((uint16_t)port);
        to_length = sizeof(to.v6);
    } else {
        usage("an IPv4 or IPv6 address");
    }
}

static void parse_unix(const char *path, int port)
{
    (void)port;
    to.local.sun_family = AF_UNIX;
    strncpy(to.local.sun_path, path, sizeof(to.local.sun_path) - 1);
    to_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(to.local.sun_path));
    if (path[0] == '@')
        to.local.sun_path[0] = '\0';
    else
        to_length++; /* the closing NUL of a path */
}

static int by_connect(int fd)
{
    return connect(fd, &to.any, to_length);
}

static int by_sendto(int fd)
{
    return (int)sendto(fd, "x", 1, 0, &to.any, to_length);
}

static int by_sendmsg(int fd)
{
    struct iovec vector = {.iov_base = "x", .iov_len = 1};
    struct msghdr message = {.msg_name = &to.any, .msg_namelen = to_length, .msg_iov = &vector, .msg_iovlen = 1};

    return (int)sendmsg(fd, &message, 0);
}

static int by_uring(int fd)
{
    struct io_uring_sqe sqe = {.opcode = IORING_OP_CONNECT, .fd = fd, .addr = (unsigned long)&to.any, .off = to_length};

    if (!ring.sqes)
        uring_open(&ring);
    return uring_do(&ring, &sqe);
}

static const struct mode {
    const char *name;
    int type;
    void (*parse)(const char *address, int port);
    int (*once)(int fd);
} modes[] = {
    {"tcp", SOCK_STREAM, parse_inet, by_connect},       {"udp", SOCK_DGRAM, parse_inet, by_connect},
    {"udp-sendto", SOCK_DGRAM, parse_inet, by_sendto},  {"udp-sendmsg", SOCK_DGRAM, parse_inet, by_sendmsg},
    {"uring", SOCK_STREAM, parse_inet, by_uring},       {"unix-stream", SOCK_STREAM, parse_unix, by_connect},
    {"unix-dgram", SOCK_DGRAM, parse_unix, by_connect},
};

static const struct mode *find(const char *name)
{
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
        if (!strcmp(modes[i].name, name))
            return &modes[i];
    usage("connects tcp|udp|udp-sendto|udp-sendmsg|uring|unix-stream|unix-dgram ADDRESS PORT N");
}

int main(int argc, char **argv)
{
    const struct mode *mode = find(argc == 5 ? argv[1] : "");
    int count = number(argv[4]), answered = 0;

    mode->parse(argv[2], number(argv[3]));
    for (int i = 0; i < count; i++) {
        int fd = (int)check(socket(to.any.sa_family, mode->type, 0), "socket");

        answered += mode->once(fd) >= 0;
        close(fd);
    }
    printf("connects %d answered %d\n", count, answered);
    return 0;
}
