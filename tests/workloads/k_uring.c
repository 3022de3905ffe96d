/* k_uring async|sqpoll DIRECTORY N: opens DIRECTORY/f000000 … through io_uring, by a worker thread (IOSQE_ASYNC) or by
 * the kernel's polling thread (IORING_SETUP_SQPOLL). Prints "k_uring N". */
#include <fcntl.h>

#include "common.h"
#include "uring.h"

static void open_polled(struct uring *u)
{
    struct io_uring_params p = {.flags = IORING_SETUP_SQPOLL, .sq_thread_idle = 50};
    char *sq, *cq;

    u->fd = (int)check(syscall(SYS_io_uring_setup, 4, &p), "io_uring_setup");
    sq = uring_map(u->fd, p.sq_off.array + p.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
    cq = uring_map(u->fd, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
    u->sqes = (void *)uring_map(u->fd, p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
    u->sq_tail = (void *)(sq + p.sq_off.tail);
    u->sq_mask = (void *)(sq + p.sq_off.ring_mask);
    u->sq_array = (void *)(sq + p.sq_off.array);
    u->cq_head = (void *)(cq + p.cq_off.head);
    u->cq_mask = (void *)(cq + p.cq_off.ring_mask);
    u->cqes = (void *)(cq + p.cq_off.cqes);
}

static int polled(struct uring *u, const struct io_uring_sqe *sqe)
{
    unsigned tail = *u->sq_tail, head = *u->cq_head;
    int result;

    u->sqes[tail & *u->sq_mask] = *sqe;
    u->sq_array[tail & *u->sq_mask] = tail & *u->sq_mask;
    __atomic_store_n(u->sq_tail, tail + 1, __ATOMIC_RELEASE);
    check(syscall(SYS_io_uring_enter, u->fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP, NULL, 0),
          "io_uring_enter");
    result = u->cqes[head & *u->cq_mask].res;
    __atomic_store_n(u->cq_head, head + 1, __ATOMIC_RELEASE);
    return result;
}

int main(int argc, char **argv)
{
    struct uring ring;
    int by_poller, count;

    if (argc != 4)
        usage("k_uring async|sqpoll DIRECTORY N");
    by_poller = !strcmp(argv[1], "sqpoll");
    count = number(argv[3]);
    if (by_poller)
        open_polled(&ring);
    else
        uring_open(&ring);
    for (int i = 0; i < count; i++) {
        char path[4096];
        struct io_uring_sqe sqe = {.opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (unsigned long)path};
        int result;

        snprintf(path, sizeof(path), "%s/f%06d", argv[2], i);
        if (!by_poller)
            sqe.flags = IOSQE_ASYNC;
        result = by_poller ? polled(&ring, &sqe) : uring_do(&ring, &sqe);
        errno = -result;
        close((int)check(result < 0 ? -1 : result, path));
    }
    printf("k_uring %d\n", count);
    return 0;
}
