/* SPDX-License-Identifier: GPL-2.0-only */
/* Opens, executable mappings and Unix connects as a security module sees them; always 0 (allow).
 *
 * Why here first: the kernel's own object at the moment of the decision, io_uring and 32-bit calls included; no other
 * system call pays, nothing can be exchanged between the deed and the look, and modules before us have refused already.
 * Needs "bpf" among the active modules: elsewhere these programs load and attach, but nobody calls them.
 */
int lsm_file_open(unsigned long long *ctx)
{
    see_opening(ctx, HOOK_ARGUMENT(struct file *, 0));
    return 0;
}

int lsm_mmap_file(unsigned long long *ctx)
{
    /* 1 is what the program asked for, 2 what it gets (READ_IMPLIES_EXEC) */
    see_mapping(ctx, HOOK_ARGUMENT(struct file *, 0), ctx[2], ctx[3]);
    return 0;
}

int lsm_unix_stream_connect(unsigned long long *ctx)
{
    see_stream_connect(ctx, HOOK_ARGUMENT(struct sock *, 1));
    return 0;
}

int lsm_unix_may_send(unsigned long long *ctx)
{
    see_datagram(ctx, HOOK_ARGUMENT(struct socket *, 0), HOOK_ARGUMENT(struct socket *, 1));
    return 0;
}
