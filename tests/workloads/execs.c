/* execs MODE N PROGRAM [ARGUMENT…]: runs PROGRAM N times, one after the other. Prints "execs COUNT" when each ended 0.
 * Modes: fork; vfork; thread (execve by a thread that is not the leader); fexecve; empty (execveat AT_EMPTY_PATH);
 * memfd (a copy in memory); deleted (a copy in the current directory, unlinked before); renamed (opened, renamed to
 * PROGRAM.renamed, executed by descriptor, renamed back). */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common.h"

extern char **environ;
static char **arguments;

static void *exec_path(void *program)
{
    execve(program, arguments, environ);
    die(program);
}

static void exec_descriptor(int fd)
{
    syscall(SYS_execveat, fd, "", arguments, environ, AT_EMPTY_PATH);
    die("execveat");
}

static int open_program(const char *program)
{
    return (int)check(open(program, O_RDONLY | O_CLOEXEC), program);
}

static void by_path(char *program)
{
    exec_path(program);
}

static void by_thread(char *program)
{
    pthread_t thread;

    pthread_create(&thread, NULL, exec_path, program);
    for (;;)
        pause(); /* the leader vanishes in the other thread's execve */
}

static void by_fexecve(char *program)
{
    fexecve(open_program(program), arguments, environ);
    die("fexecve");
}

static void by_empty(char *program)
{
    exec_descriptor(open_program(program));
}

static void copy(const char *program, int to)
{
    struct stat status;
    int from = open_program(program);

    check(fstat(from, &status), program);
    while (status.st_size > 0)
        status.st_size -= check(sendfile(to, from, NULL, (size_t)status.st_size), "sendfile");
    close(from);
}

static void by_memfd(char *program)
{
    int fd = (int)check(memfd_create("payload", MFD_CLOEXEC), "memfd_create");

    copy(program, fd);
    exec_descriptor(fd);
}

static void by_deleted(char *program)
{
    int fd = (int)check(open("execs.copy", O_WRONLY | O_CREAT | O_TRUNC, 0755), "execs.copy");
    int readable;

    copy(program, fd);
    close(fd); /* a file open for writing cannot be executed */
    readable = open_program("execs.copy");
    check(unlink("execs.copy"), "unlink");
    exec_descriptor(readable);
}

static void by_renamed(char *program)
{
    char other[4096];
    int fd = open_program(program);

    snprintf(other, sizeof(other), "%s.renamed", program);
    check(rename(program, other), "rename");
    exec_descriptor(fd);
}

static void rename_back(const char *program)
{
    char other[4096];

    snprintf(other, sizeof(other), "%s.renamed", program);
    check(rename(other, program), "rename back");
}

static const struct mode {
    const char *name;
    void (*in_child)(char *program);
    void (*after)(const char *program);
    int vfork;
} modes[] = {
    {"fork", by_path, NULL, 0},       {"vfork", by_path, NULL, 1},
    {"thread", by_thread, NULL, 0},   {"fexecve", by_fexecve, NULL, 0},
    {"empty", by_empty, NULL, 0},     {"memfd", by_memfd, NULL, 0},
    {"deleted", by_deleted, NULL, 0}, {"renamed", by_renamed, rename_back, 0},
};

static const struct mode *find(const char *name)
{
    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
        if (!strcmp(modes[i].name, name))
            return &modes[i];
    usage("execs fork|vfork|thread|fexecve|empty|memfd|deleted|renamed N PROGRAM [ARGUMENT...]");
}

static void once(const struct mode *mode, char *program)
{
    pid_t pid = mode->vfork ? vfork() : fork();
    int status;

    if (pid == 0)
        mode->in_child(program);
    check(pid, "fork");
    check(waitpid(pid, &status, 0), "waitpid");
    if (status != 0) {
        fprintf(stderr, "%s: wait status %d\n", program, status);
        exit(1);
    }
    if (mode->after)
        mode->after(program);
}

int main(int argc, char **argv)
{
    const struct mode *mode = find(argc > 3 ? argv[1] : "");
    int count = number(argv[2]);

    arguments = argv + 3;
    for (int i = 0; i < count; i++)
        once(mode, argv[3]);
    printf("execs %d\n", count);
    return 0;
}
