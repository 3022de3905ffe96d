/* loads_dynamic LIBRARY N: dlopen and dlclose LIBRARY N times. Prints "loads N". Needs the container to have a libc. */
#include <dlfcn.h>

#include "common.h"

int main(int argc, char **argv)
{
    int count;

    if (argc != 3)
        usage("loads_dynamic LIBRARY N");
    count = number(argv[2]);
    for (int i = 0; i < count; i++) {
        void *library = dlopen(argv[1], RTLD_NOW);

        if (!library) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
        dlclose(library);
    }
    printf("loads %d\n", count);
    return 0;
}
