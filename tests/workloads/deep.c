/* deep DIRECTORY DEPTH LENGTH N: makes DEPTH nested directories with names of LENGTH bytes, every byte but NUL and '/'
 * in turn, and opens N files (f000000 …, created first) in the innermost one. Prints "deep N". Byte j of the name at
 * level i is the ((i + j) mod 254)-th byte that a name may hold; a path too long for one system call is built by steps.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "common.h"

enum { NAME_BYTES = 254 };

static char legal(int index)
{
    int byte = index % NAME_BYTES + 1; /* 1 … 254: without NUL */

    return (char)(byte < '/' ? byte : byte + 1);
}

static int descend(int parent, int level, int length)
{
    char name[256] = {0};
    int inner;

    for (int j = 0; j < length; j++)
        name[j] = legal(level + j);
    if (mkdirat(parent, name, 0755) && errno != EEXIST)
        die("mkdirat");
    inner = (int)check(openat(parent, name, O_PATH | O_DIRECTORY), "openat O_PATH");
    close(parent);
    return inner;
}

int main(int argc, char **argv)
{
    int at, depth, length, count;
    char name[32];

    if (argc != 5)
        usage("deep DIRECTORY DEPTH LENGTH N");
    depth = number(argv[2]), length = number(argv[3]), count = number(argv[4]);
    if (length < 1 || length > 255)
        usage("LENGTH from 1 to 255");
    at = (int)check(open(argv[1], O_PATH | O_DIRECTORY), argv[1]);
    for (int level = 0; level < depth; level++)
        at = descend(at, level, length);
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "f%06d", i);
        check(mknodat(at, name, S_IFREG | 0644, 0) && errno != EEXIST ? -1 : 0, "mknodat");
        close((int)check(openat(at, name, O_RDONLY), name));
    }
    printf("deep %d\n", count);
    return 0;
}
