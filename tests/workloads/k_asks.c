/* k_asks MODE ADDRESS PORT N: sends N datagrams to ADDRESS:PORT, each from a new socket, and waits for the answer to
 * each, whatever it is. Modes: connected; unconnected (sendto). Mode "waits": binds ADDRESS:PORT, prints "ready" and
 * waits for N datagrams nobody asked for. Prints "asks N answered M". */
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "common.h"

enum { PATIENCE_MS = 30000 };

static struct sockaddr_storage to;
static socklen_t to_length;

static void parse(const char *address, int port)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&to;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&to;

    if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        to.ss_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        to_length = sizeof(*v4);
    } else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
        to.ss_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        to_length = sizeof(*v6);
    } else {
        usage("an IPv4 or IPv6 address");
    }
}

static int answered(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};
    char buffer[4096];

    return poll(&one, 1, PATIENCE_MS) == 1 && recv(fd, buffer, sizeof(buffer), 0) > 0;
}

static int ask(int connected)
{
    int fd = (int)check(socket(to.ss_family, SOCK_DGRAM, 0), "socket"), result;

    if (connected) {
        check(connect(fd, (struct sockaddr *)&to, to_length), "connect");
        check(send(fd, "?", 1, 0), "send");
    } else {
        check(sendto(fd, "?", 1, 0, (struct sockaddr *)&to, to_length), "sendto");
    }
    result = answered(fd);
    close(fd);
    return result;
}

static int wait_for(int count)
{
    int fd = (int)check(socket(to.ss_family, SOCK_DGRAM, 0), "socket"), got = 0;

    check(bind(fd, (struct sockaddr *)&to, to_length), "bind");
    printf("ready\n");
    fflush(stdout);
    while (got < count && answered(fd))
        got++;
    close(fd);
    return got;
}

int main(int argc, char **argv)
{
    int count, got = 0;

    if (argc != 5)
        usage("k_asks connected|unconnected|waits ADDRESS PORT N");
    parse(argv[2], number(argv[3]));
    count = number(argv[4]);
    if (!strcmp(argv[1], "waits"))
        got = wait_for(count);
    else
        for (int n = 0; n < count; n++)
            got += ask(!strcmp(argv[1], "connected"));
    printf("asks %d answered %d\n", count, got);
    return 0;
}
