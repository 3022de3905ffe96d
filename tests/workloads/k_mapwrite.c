/* k_mapwrite FILE: adds one to FILE's last byte through a shared mapping. Prints "k_mapwrite FILE". */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common.h"

int main(int argc, char **argv)
{
    struct stat status;
    char *at;
    int fd;

    if (argc != 2)
        usage("k_mapwrite FILE");
    fd = (int)check(open(argv[1], O_RDWR), argv[1]);
    check(fstat(fd, &status), argv[1]);
    at = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        die("mmap");
    at[status.st_size - 1]++;
    check(munmap(at, (size_t)status.st_size), "munmap");
    printf("k_mapwrite %s\n", argv[1]);
    return 0;
}
