/* k_tty PROGRAM: executes PROGRAM in a session of its own with a new pseudo terminal as its controlling terminal. */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "common.h"

int main(int argc, char **argv)
{
    char name[64];
    int number = 0, status, off = 0, master;
    pid_t pid;

    if (argc != 2)
        usage("k_tty PROGRAM");
    master = (int)check(open("/dev/ptmx", O_RDWR | O_NOCTTY), "/dev/ptmx");
    check(ioctl(master, TIOCSPTLCK, &off), "TIOCSPTLCK");
    check(ioctl(master, TIOCGPTN, &number), "TIOCGPTN");
    snprintf(name, sizeof(name), "/dev/pts/%d", number);
    pid = (pid_t)check(fork(), "fork");
    if (pid == 0) {
        check(setsid(), "setsid");
        check(ioctl((int)check(open(name, O_RDWR), name), TIOCSCTTY, 0), "TIOCSCTTY");
        execl(argv[1], argv[1], NULL);
        die(argv[1]);
    }
    check(waitpid(pid, &status, 0), "waitpid");
    printf("k_tty pts%d\n", number);
    return status != 0;
}
