/* SPDX-License-Identifier: GPL-2.0-only */
/* Opens through io_uring, which no system call's exit shows. Only with the sys_exit provider: LSM and fentry see them.
 *
 * Why these two: at completion the descriptor exists and leads to the file really opened; a request for a fixed slot
 * (direct descriptor) never gets one, so its name, the kernel's copy, is told at submission and marked NAME_ONLY.
 */
#if defined(IO_URING_COMPLETE_CQE) || defined(IO_URING_COMPLETE_RESULT) || defined(IO_URING_SUBMIT_REQ) || \
    defined(IO_URING_SUBMIT_SQE)
#define OP_OPENAT 18
#define OP_OPENAT2 28

static __always_inline struct io_open *open_request(struct io_kiocb *request)
{
    u8 operation = READ(request, opcode);
    if (operation != OP_OPENAT && operation != OP_OPENAT2)
        return 0;
    return (struct io_open *)AT(request, cmd); /* the command's own part */
}

#endif

#if defined(IO_URING_COMPLETE_CQE) || defined(IO_URING_COMPLETE_RESULT)
static __always_inline int see_completion(void *ctx, struct io_kiocb *request, int result)
{
    u64 cgroup;
    struct traced_cgroup *traced = current_traced(&cgroup);
    if (!traced || result < 0)
        return 0;
    struct io_open *open = open_request(request);
    if (!open || READ(open, file_slot))
        return 0;
    struct task_struct *task = CURRENT_TASK();
    struct files_struct *table = READ(task, files);
    struct fdtable *fdt = table ? READ(table, fdt) : 0;
    struct file **slots = fdt ? READ(fdt, fd) : 0;
    u64 slot = slots && (u32)result < READ(fdt, max_fds) ? (u64)(slots + (u32)result) : 0;
    struct file *file = 0;
    if (slot)
        copy_kernel(&file, sizeof(file), slot);
    if (!file) {
        count(HOOK_OPEN, LOSS_READ_FAULT);
        return 0;
    }
    u64 flags = READ(open, how.flags);
    u32 access = (flags & OPEN_TRUNC ? ACCESS_TRUNCATE : 0) | (flags & OPEN_APPEND ? ACCESS_APPEND : 0);
    see_file_at(ctx, file, slot, cgroup, traced, RECORD_OPEN, HOOK_OPEN, access, FLAG_IO_URING);
    return 0;
}

int on_io_uring_complete(struct bpf_raw_tracepoint_args *ctx)
{
#ifdef IO_URING_COMPLETE_CQE
    struct io_uring_cqe *cqe = ARGUMENT(struct io_uring_cqe *, 2); /* 6.13: the result lies in the completion entry */
    return see_completion(ctx, ARGUMENT(struct io_kiocb *, 1), READ(cqe, res));
#else
    return see_completion(ctx, ARGUMENT(struct io_kiocb *, 1), ARGUMENT(int, 3));
#endif
}
#endif

#if defined(IO_URING_SUBMIT_REQ) || defined(IO_URING_SUBMIT_SQE)
static __always_inline int see_submission(void *ctx, struct io_kiocb *request)
{
    u64 cgroup;
    u32 zero = 0;
    struct traced_cgroup *traced = current_traced(&cgroup);
    if (!traced)
        return 0;
    struct io_open *open = open_request(request);
    if (!open || !READ(open, file_slot))
        return 0;
    struct file_scratch *scratch = file_scratch.lookup(&zero);
    struct filename *filename = READ(open, filename);
    if (!scratch || !filename) {
        count(HOOK_OPEN, LOSS_SCRATCH);
        return 0;
    }
    u64 subject_id = traced->subject;
    if (!take_token(subjects.lookup(&subject_id), HOOK_OPEN, BUCKET_FILES))
        return 0;
    struct task_struct *task = CURRENT_TASK();
    u64 flags = READ(open, how.flags);
    u32 mode = flags & 3;
    fill_header(&scratch->record.header, task, RECORD_OPEN, HOOK_OPEN, cgroup, traced);
    __builtin_memset(&scratch->record.file, 0, sizeof(scratch->record.file));
    scratch->record.header.flags |= FLAG_IO_URING | FLAG_NAME_ONLY;
    scratch->record.file.access = (mode != 1 ? ACCESS_READ : 0) | (mode != 0 ? ACCESS_WRITE : 0) |
                                  (flags & OPEN_TRUNC ? ACCESS_TRUNCATE : 0) | (flags & 0100 ? ACCESS_CREATE : 0) |
                                  (flags & OPEN_APPEND ? ACCESS_APPEND : 0);
    long length = bpf_probe_read_kernel_str(scratch->path, PATH_BYTES, READ(filename, name));
    scratch->offset = length > 0 ? length : 0;
    send_file(ctx, scratch, HOOK_OPEN);
    return 0;
}

#ifdef IO_URING_SUBMIT_REQ
int on_io_uring_submit_req(struct bpf_raw_tracepoint_args *ctx)
#else
int on_io_uring_submit_sqe(struct bpf_raw_tracepoint_args *ctx) /* its name before 6.4 */
#endif
{
    return see_submission(ctx, ARGUMENT(struct io_kiocb *, 0));
}
#endif
