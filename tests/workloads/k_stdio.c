/* k_stdio unix|inet PROGRAM: executes PROGRAM with a connected socket as its descriptors 0 and 1. */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "common.h"

static int inet_pair(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(at);
    int listener = (int)check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    int end = (int)check(socket(AF_INET, SOCK_STREAM, 0), "socket");

    check(bind(listener, (void *)&at, length), "bind");
    check(listen(listener, 1), "listen");
    check(getsockname(listener, (void *)&at, &length), "getsockname");
    check(connect(end, (void *)&at, length), "connect");
    return end;
}

static int unix_pair(void)
{
    int ends[2];

    check(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
    return ends[0];
}

int main(int argc, char **argv)
{
    int end;

    if (argc != 3)
        usage("k_stdio unix|inet PROGRAM");
    end = strcmp(argv[1], "unix") ? inet_pair() : unix_pair();
    check(dup2(end, 0), "dup2");
    check(dup2(end, 1), "dup2");
    execl(argv[2], argv[2], NULL);
    die(argv[2]);
}
