/* One io_uring of one entry by plain system calls: no liburing in a static program. Submits one and waits for it. */
#ifndef DRIFTLINE_WORKLOADS_URING_H
#define DRIFTLINE_WORKLOADS_URING_H

#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "common.h"

struct uring {
    int fd;
    unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_mask;
    struct io_uring_cqe *cqes;
    struct io_uring_sqe *sqes;
};

static inline char *uring_map(int fd, size_t size, off_t offset)
{
    char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, offset);

    if (at == MAP_FAILED)
        die("mmap io_uring");
    return at;
}

static inline void uring_open(struct uring *u)
{
    struct io_uring_params p = {0};
    char *sq, *cq;

    u->fd = (int)check(syscall(SYS_io_uring_setup, 1, &p), "io_uring_setup");
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

/* Returns the request's result: a descriptor, 0, or a negative errno. */
static inline int uring_do(struct uring *u, const struct io_uring_sqe *sqe)
{
    unsigned tail = *u->sq_tail, slot = tail & *u->sq_mask, head = *u->cq_head;
    int result;

    u->sqes[slot] = *sqe;
    u->sq_array[slot] = slot;
    __atomic_store_n(u->sq_tail, tail + 1, __ATOMIC_RELEASE);
    check(syscall(SYS_io_uring_enter, u->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0), "io_uring_enter");
    result = u->cqes[head & *u->cq_mask].res;
    __atomic_store_n(u->cq_head, head + 1, __ATOMIC_RELEASE);
    return result;
}

#endif
